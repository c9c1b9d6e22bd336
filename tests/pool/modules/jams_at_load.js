// Is stuck in the kernel while it loads: nobody reads what it writes.

'use strict';

require('fs').writeSync(Number(process.env.NW_TEST_FD), Buffer.alloc(4 << 20));

// Needs Node.js 24, or a compiler that knows `await using`.

import { Pool } from 'nwpool';

{
    await using pool = new Pool({
        module: new URL('./tasks.mjs', import.meta.url),
    });
    console.log(await pool.run('square', 8));
} // close()
console.log('closed');

// Fails to load as long as a file is there, which it removes.

'use strict';

const fs = require('fs');

if (fs.existsSync(process.env.NW_TEST_FILE)) {
    fs.unlinkSync(process.env.NW_TEST_FILE);
    throw new Error('the first time');
}

exports.inc = (n) => n + 1;

// The same for a program that requires it.

import nwpool = require('nwpool');

const add: (a: number, b: number) => Promise<number> =
    nwpool.poolify((a: number, b: number) => a + b);
const pool: nwpool.Pool = new nwpool.Pool({ module: './tasks.js' });
const id: number | undefined = nwpool.task?.id;
// @ts-expect-error There is no default export.
nwpool.default;

export = { add, pool, id };

import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    maxWorkers: 2,
});

// Any iterable, also an async one; it is read as fast as the tasks end.
console.log(await pool.map('square', [1, 2, 3], { concurrency: 8 }));

for (const { status, value, reason } of await pool.map('root', [9, -9],
    { settle: 'allSettled' })) {
    console.log(status, value ?? reason.message);
}

// Once on each worker: to fill a cache, say.
await pool.ready();
console.log(await pool.runOnEach('square', 4));
await pool.close();

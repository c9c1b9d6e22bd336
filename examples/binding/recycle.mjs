import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    maxWorkers: 1,
    recycleTasks: 100, // A fresh worker takes over after so many tasks,
    recycleAge: 3_600_000, // after so many milliseconds,
    recycleMemory: 256 * 2 ** 20, // or with so many bytes of memory.
});

pool.once('workerRecycled', ({ worker, reason }) =>
    console.log(`worker ${worker}: ${reason}`));
let isReplaced = false;
pool.once('workerReplaced', () => {
    isReplaced = true;
});
while (!isReplaced) {
    await pool.run('square', 1);
}
console.log(pool.stats().failed);
await pool.close();

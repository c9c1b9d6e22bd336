import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    maxWorkers: 1,
    recycleTasks: 100, // A fresh worker takes over after so many tasks,
    recycleAge: 3_600_000, // after so many milliseconds,
    recycleMemory: 256 * 2 ** 20, // or with so many bytes of memory.
});

await pool.map('square', Array.from({ length: 150 }, (_, i) => i));
await pool.ready(); // The fresh one is.
console.log(pool.stats().recycled, pool.stats().failed);
await pool.close();

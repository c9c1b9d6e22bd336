import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    minWorkers: 1, // It shrinks to so many ...
    maxWorkers: 4, // ... and grows to so many when tasks have to wait.
    idleTimeout: 10_000, // A worker beyond minWorkers ends after so long.
    spares: 1, // Ready, and idle until another worker ends.
    concurrency: 2, // Tasks at a time on one worker: those that await.
});

await pool.ready();
const { workers, spares } = pool.stats();
console.log({ workers, spares });

await Promise.all(Array.from({ length: 8 }, () => pool.run('wait', 100)));
console.log(pool.stats().done);
await pool.close();

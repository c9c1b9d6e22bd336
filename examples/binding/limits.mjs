import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    maxWorkers: 1,
    queueMax: 2, // Tasks that are accepted and not over.
});
const report = (promise) => promise.catch((error) => error.code);

console.log(await Promise.all([
    report(pool.run('wait', 400)),
    report(pool.run('wait', 1, { expiry: 200 })), // Starts by then or never.
    report(pool.run('wait', 1)), // There is no room.
    report(pool.run('wait', 1, { wait: 10 })), // Waits 10 ms for it ...
    report(pool.run('wait', 1, { wait: true })), // ... or as long as it takes.
]));
await pool.close();

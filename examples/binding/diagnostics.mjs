import { subscribe } from 'node:diagnostics_channel';

import { Pool } from 'nwpool';

const pool = new Pool({ module: new URL('./tasks.mjs', import.meta.url) });

// start, end, asyncStart, asyncEnd and error, as a TracingChannel has them.
subscribe('tracing:nwpool.task:start', (message) => {
    message.begun = performance.now(); // One object for all of a task's.
    console.log(`start ${message.name}`);
});
subscribe('tracing:nwpool.task:asyncStart', ({ name, result, error, begun }) =>
    console.log(`end ${name}`, result ?? error.message,
        performance.now() > begun));

await pool.run('square', 2);
await pool.run('root', -2).catch(() => {});
await pool.close();

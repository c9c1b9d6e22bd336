import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./failing.mjs', import.meta.url),
    maxWorkers: 1,
});

pool.on('workerReady', ({ worker }) => console.log(`worker ${worker} is ready`));
pool.on('workerExited', ({ worker, exitCode, reason }) =>
    console.log(`worker ${worker}: ${exitCode}, ${reason}`));
// 'event' is all of them, with their `type`.
pool.on('event', ({ type }) => type.startsWith('task') && console.log(type));

await pool.run('exit').catch(() => {});
await pool.ready();

const { submitted, failed, crashed, restarts, runTimes } = pool.stats();
console.log({ submitted, failed, crashed, restarts }, runTimes.count);

const pending = pool.run('parse', 'x').catch(() => {});
console.log(pool.tasks().map(({ name }) => name));
await pending;
pool.removeAllListeners();
await pool.close();

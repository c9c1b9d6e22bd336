import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    maxWorkers: 1,
});
const report = (promise) => promise.catch((error) => error.name);

// It awaits, and listens to nwpool.task.signal: it ends by itself.
const controller = new AbortController();
const waiting = pool.run('wait', 60_000, { signal: controller.signal });
setTimeout(() => controller.abort(), 100);
console.log(await report(waiting));

// It computes: after `escalation` it is interrupted, and the worker lives on.
console.log(await report(pool.run('spin', undefined, {
    signal: AbortSignal.timeout(100),
    escalation: 20,
    interruptible: true,
})));

// It was not declared interruptible: it is ended with its worker.
console.log(await report(pool.run('spin', undefined, {
    signal: AbortSignal.timeout(100),
    cancel: 'end', // At once.
})));
console.log(await pool.run('square', 5)); // Another worker.
await pool.close();

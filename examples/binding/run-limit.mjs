import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    maxWorkers: 1,
    runLimit: 5000, // Of each task, from its start: waiting does not count.
    interruptible: true, // A worker survives it.
});

try {
    await pool.run('spin', undefined, { runLimit: 50 });
} catch (error) {
    console.log(`${error.name} ${error.code}`);
    console.log(error.stack.includes('at spin')); // Where it was just then.
}
console.log(await pool.run('square', 6), pool.stats().restarts);
await pool.close();

import { Pool, PoolError } from 'nwpool';

const pool = new Pool({
    module: new URL('./failing.mjs', import.meta.url),
    maxWorkers: 1,
});

async function importFile(text) {
    return await pool.run('parse', text);
}

try {
    await importFile('a,,b');
} catch (error) {
    const { name, message, code, line, cause } = error;
    console.log(error instanceof RangeError, { name, message, code, line });
    console.log(`${cause}`);
    // The worker's frames, then those of who submitted the task.
    const frames = error.stack.split('\n').map((frame) =>
        /^ +at (?:async )?(?:Module\.)?(parse|importFile) /.exec(frame)?.[1]);
    console.log(frames.filter(Boolean).join(' < '));
}

try {
    await pool.run('exit');
} catch (error) {
    console.log(error instanceof PoolError, error.code, error.exitCode);
    console.log(error.message);
}
console.log(await pool.run('none').catch(({ code }) => code));
await pool.close();

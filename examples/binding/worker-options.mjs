import { poolify } from 'nwpool';

const describe = poolify(function describe() {
    console.log('printed there');
    return [process.env.MODE, process.argv.slice(2), process.execArgv];
}, {
    maxWorkers: 1,
    env: { ...process.env, MODE: 'worker' }, // Or SHARE_ENV.
    argv: ['--verbose'],
    execArgv: ['--no-warnings'],
    resourceLimits: { maxOldGenerationSizeMb: 128, stackSizeMb: 4 },
    stdout: process.stdout, // Or 'ignore'; the same for `stderr`.
});

describe.pool.on('output', ({ fd, chunk }) =>
    console.log(`${fd}: ${chunk.length} bytes`));
console.log(await describe());
await describe.pool.close();

// How a program with pools ends.

import assert from 'node:assert/strict';

import { check, runProgram, runsWell } from './tools.mjs';

const open = `
    import { Pool, poolify } from 'nwpool';
    const pool = new Pool({ module: './tasks/general.mjs', maxWorkers: 2 });
`;

check('an idle pool lets the program end', async () => {
    assert.equal(await runsWell(`${open}
        console.log(await pool.run('echo', 'done'));
        await pool.ready();
    `), 'done\n');
    await runsWell(open);
    await runsWell(`${open} await pool.close();`);
    await runsWell(`${open} await pool.destroy();`);
    await runsWell(`
        import { poolify } from 'nwpool';
        const twice = poolify((x) => 2 * x);
        if (await twice(4) !== 8) process.exitCode = 1;
    `);
});

// A worker asks this thread for an object, which waits for the worker's end.
check('the end comes while a worker fetches an object', async () => {
    const fetching = `${open}
        await pool.run('echo', 1);
        pool.run('echo', new Blob(['x'])).catch(() => {});
        await null;
        const end = Date.now() + 100;
        while (Date.now() < end);
    `;
    assert.equal((await runProgram(`${fetching} process.exit(7);`)).code, 7);
    assert.equal((await runProgram(`${fetching} throw new Error('x');`)).code,
        1);
    await runsWell(`
        import { once } from 'node:events';
        import { Worker } from 'node:worker_threads';
        const worker = new Worker(\`
            const { Pool } = require('nwpool');
            const { parentPort } = require('worker_threads');
            const pool = new Pool({ module: './tasks/general.mjs' });
            pool.run('echo', 1).then(() => {
                pool.run('echo', new Blob(['x'])).catch(() => {});
                parentPort.postMessage('fetches');
            }).then(() => {
                const end = Date.now() + 100;
                while (Date.now() < end);
            });
        \`, { eval: true, execArgv: [] });
        await once(worker, 'message');
        await new Promise((resolve) => setTimeout(resolve, 20));
        await worker.terminate();
    `);
});

check('a busy pool keeps it running', async () => {
    assert.equal(await runsWell(`${open}
        pool.run('later', 'done').then(console.log);
    `), 'done\n');
    assert.equal(await runsWell(`${open}
        const slow = poolify(async () => {
            await new Promise((resolve) => setTimeout(resolve, 300));
            return 'slow';
        }, { pool });
        slow().then(console.log);
    `), 'slow\n');
    assert.equal(await runsWell(`
        import { Pool } from 'nwpool';
        const pool = new Pool({ module: './tasks/general.mjs', queueMax: 1,
            wait: true, maxWorkers: 1 });
        for (let i = 0; i < 5; i++) {
            pool.run('later', i).then(console.log);
        }
    `), '0\n1\n2\n3\n4\n');
});

check('a stream, ready(), reload() and close() keep it running', async () => {
    assert.equal(await runsWell(`${open}
        for await (const value of pool.stream('send', ['a', 'b'])) {
            console.log(value);
        }
        await pool.ready(2);
        await pool.reload();
        await pool.close();
        console.log('closed');
    `), 'a\nb\nclosed\n');
});

const busy = `${open}
    await new Promise((resolve) => {
        pool.run('spin', undefined, { onMessage: resolve }).catch(() => {});
    });
    pool.run('never').catch(() => {});
    for (let i = 0; i < 100; i++) {
        pool.run('echo', i).catch(() => {});
    }
`;

check('process.exit() while workers are busy', async () => {
    for (const code of [0, 7]) {
        const result = await runProgram(`${busy} process.exit(${code});`);
        assert.deepEqual([result.code, result.signal, result.stderr],
            [code, null, '']);
    }
});

check('process.exit() from a callback of the pool', async () => {
    const result = await runProgram(`${busy}
        pool.on('event', () => {});
        const other = new Pool({ module: './tasks/general.mjs' });
        await other.run('send', [1, 2, 3],
            { onMessage: () => process.exit(4) });
    `);
    assert.deepEqual([result.code, result.signal, result.stderr],
        [4, null, '']);
});

check('an uncaught error while workers are busy', async () => {
    const result = await runProgram(`${busy} throw new Error('of main');`);
    assert.deepEqual([result.code, result.signal], [1, null]);
    assert.match(result.stderr, /Error: of main/);
    assert.doesNotMatch(result.stderr, /nwpool:|assertion|FATAL/);
});

check('exit handlers that still use a pool', async () => {
    const result = await runProgram(`${open}
        await pool.run('echo', 1);
        process.on('exit', () => {
            pool.run('echo', 2).catch(() => {});
            console.log(typeof pool.stats());
            pool.destroy();
        });
    `);
    assert.deepEqual([result.code, result.signal, result.stderr],
        [0, null, '']);
    assert.equal(result.stdout, 'object\n');
});

check('ten pools, closed or not', async () => {
    for (const end of ['close', 'destroy', 'stats']) {
        await runsWell(`
            import { Pool } from 'nwpool';
            const pools = Array.from({ length: 10 }, () =>
                new Pool({ module: './tasks/general.mjs', maxWorkers: 1 }));
            await Promise.all(pools.map((pool) => pool.run('echo', 1)));
            await Promise.all(pools.map((pool) => pool.${end}()));
        `);
    }
});

check('a program that is an ES module, or CommonJS, by its text', async () => {
    assert.equal(await runsWell(`
        const { Pool } = require('nwpool');
        const pool = new Pool({ module: './tasks/general.mjs' });
        pool.run('echo', 'commonjs').then(console.log);
    `, { input: 'commonjs' }), 'commonjs\n');
});

// V8 would end the process there. The thread is parked instead, and never ends.
const parked = `
    import { Pool } from 'nwpool';
    const pool = new Pool({ module: './tasks/crashes.mjs', maxWorkers: 1,
        resourceLimits: { maxOldGenerationSizeMb: 40 } });
    process.on('exit', (code) => console.log('exit', code));
    await pool.run('fillAtOnce').catch((error) => console.log(error.code));
    console.log(await pool.run('echo', 'next'));
`;

check('a program with a parked thread ends', async () => {
    assert.equal(await runsWell(parked), 'NW_ECRASHED\nnext\nexit 0\n');
    assert.equal(await runsWell(`${parked}
        await pool.close().catch((error) => console.log(error.code));
    `), 'NW_ECRASHED\nnext\nNW_EWEDGED\nexit 0\n');
    const { code, stdout } =
        await runProgram(`${parked} process.exit(7);`);
    assert.equal(code, 7);
    assert.equal(stdout, 'NW_ECRASHED\nnext\nexit 7\n');
});

// Pools in worker threads of the program, and in vm contexts.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import vm from 'node:vm';

import { Pool, poolify } from 'nwpool';

import { check, makePool, runsWell, tasks } from './tools.mjs';

const header = `
    import { Worker, parentPort } from 'node:worker_threads';
    import { once } from 'node:events';
    import { Pool } from 'nwpool';
    const thread = (text) => new Worker(text, { eval: true, execArgv: [] });
`;

check('a pool in a worker thread', async () => {
    assert.equal(await runsWell(`${header}
        const worker = thread(\`
            const { parentPort } = require('worker_threads');
            const { Pool } = require('nwpool');
            const pool = new Pool({ module: './tasks/general.mjs' });
            pool.run('echo', 'from a pool').then((value) =>
                parentPort.postMessage(value));
        \`);
        console.log((await once(worker, 'message'))[0]);
        const [code] = await once(worker, 'exit');
        console.log(code);
    `), 'from a pool\n0\n');
});

check('pools in several threads and in the main one', async () => {
    assert.equal(await runsWell(`${header}
        const pool = new Pool({ module: './tasks/general.mjs', maxWorkers: 1 });
        const workers = Array.from({ length: 4 }, () => thread(\`
            const { parentPort } = require('worker_threads');
            const { Pool } = require('nwpool');
            const pool = new Pool({ module: './tasks/general.mjs',
                maxWorkers: 2 });
            const numbers = Array.from({ length: 500 }, (_, i) => i);
            Promise.all(numbers.map((i) => pool.run('echo', i)))
                .then((values) => parentPort.postMessage(
                    values.reduce((a, b) => a + b)));
        \`));
        const sums = await Promise.all(workers.map(async (worker) =>
            (await once(worker, 'message'))[0]));
        console.log(sums.join(), await pool.run('echo', 'main'));
    `), `${Array(4).fill(499 * 250).join()} main\n`);
});

const busyThread = `
    const { parentPort } = require('worker_threads');
    const { Pool } = require('nwpool');
    const pool = new Pool({ module: './tasks/general.mjs', maxWorkers: 2 });
    pool.run('spin', undefined, { onMessage: () => parentPort.postMessage(1) })
        .catch(() => {});
    for (let i = 0; i < 20; i++) {
        pool.run('later', i).catch(() => {});
        pool.run('never').catch(() => {});
    }
`;

check('a thread that is terminated while its pool is busy, 50 times',
    async () => {
        await runsWell(`${header}
            for (let i = 0; i < 50; i++) {
                const worker = thread(${JSON.stringify(busyThread)});
                if (i % 2 === 0) {
                    await once(worker, 'message');
                } else {
                    await once(worker, 'online');
                }
                await worker.terminate();
            }
            console.log(process.report ?
                process.getActiveResourcesInfo().length : 0);
        `);
    });

check('a thread that ends by itself while its pool is busy, 50 times',
    async () => {
        await runsWell(`${header}
            for (let i = 0; i < 50; i++) {
                const worker = thread(${JSON.stringify(busyThread)} +
                    \`parentPort.on('message', () => {
                        if (\${i % 2 === 0}) {
                            process.exit(0);
                        } else {
                            throw new Error('ends');
                        }
                    });\`);
                worker.on('error', () => {});
                await new Promise((resolve) => worker.once('message', resolve));
                worker.postMessage('end');
                await new Promise((resolve) => worker.on('exit', resolve));
            }
        `);
    });

check('a thread that ends while its pool starts, closes or is idle',
    async () => {
        await runsWell(`${header}
            for (const action of ['', 'pool.close();', 'pool.destroy();',
                'pool.reload().catch(() => {});',
                'pool.ready().catch(() => {});']) {
                for (let i = 0; i < 5; i++) {
                    const worker = thread(\`
                        const { parentPort } = require('worker_threads');
                        const { Pool } = require('nwpool');
                        const pool =
                            new Pool({ module: './tasks/general.mjs' });
                        pool.run('echo', 1).then(() => {
                            \${action}
                            parentPort.postMessage(1);
                        });
                        setInterval(() => {}, 1000);
                    \`);
                    if (i % 2 === 0) {
                        await once(worker, 'message');
                    }
                    await worker.terminate();
                }
            }
        `);
    });

check('the main thread exits while a thread has a busy pool', async () => {
    await runsWell(`${header}
        const worker = thread(${JSON.stringify(busyThread)});
        await once(worker, 'message');
        process.exit(0);
    `);
});

check('a pool in a task of a pool', async () => {
    assert.equal(await runsWell(`
        import { poolify } from 'nwpool';
        const outer = poolify(async () => {
            const { Pool } = require('nwpool');
            const pool = new Pool({ module: './tasks/general.mjs',
                maxWorkers: 1 });
            const value = await pool.run('echo', 'inner');
            await pool.close();
            return value;
        }, { maxWorkers: 1 });
        console.log(await outer());
    `), 'inner\n');
});

check('vm contexts', async (t) => {
    const pool = makePool(t);
    const context = vm.createContext({ pool, poolify });
    const values = await vm.runInContext(`Promise.all([
        pool.run('echo', { a: [1] }),
        pool.apply('add', [1, 2]),
        pool.map('echo', [1, 2]),
        poolify((x) => x + 1, { pool })(1),
        pool.run('missing').catch((error) => error.code),
        pool.run('echo', 1, { runLimit: 5000 }),
    ])`, context);
    assert.deepEqual(JSON.parse(JSON.stringify(values)),
        [{ a: [1] }, 3, [1, 2], 2, 'NW_EMODULE', 1]);
    const error = vm.runInContext('new TypeError("of the context")', context);
    const back = await pool.run('echo', error);
    assert.equal(back.message, 'of the context');
    assert.equal(back.name, 'TypeError');

    const require = createRequire(import.meta.url);
    const own = vm.createContext({ require });
    const value = await vm.runInContext(`
        const { Pool } = require('nwpool');
        const mine = new Pool({ module: ${JSON.stringify(tasks('general.mjs'))},
            maxWorkers: 1 });
        mine.run('echo', new Map([[1, 2]])).finally(() => mine.close());
    `, own);
    assert.equal(value.get(1), 2);
});

check('a package that is loaded twice', async (t) => {
    const require = createRequire(import.meta.url);
    const before = { ...require.cache };
    const first = require('nwpool');
    assert.equal(first.Pool, Pool);
    for (const file of Object.keys(require.cache)) {
        if (/nwpool|binding/.test(file)) {
            delete require.cache[file];
        }
    }
    t.after(() => Object.assign(require.cache, before));
    const pool = makePool(t);
    assert.equal(await pool.run('echo', 1), 1);
    const second = require('nwpool');
    assert.notEqual(second, first);
    const other = new second.Pool({ module: tasks('general.mjs'),
        maxWorkers: 1 });
    assert.equal(await other.run('echo', 2), 2);
    assert.equal(await pool.run('echo', 1), 1);
    await other.close();
    assert.equal(await pool.run('echo', 1), 1);
});

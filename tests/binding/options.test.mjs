// Options: what is wrong is said by name, what is right does what it says.

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { AsyncLocalStorage } from 'node:async_hooks';
import { SHARE_ENV } from 'node:worker_threads';

import { Pool } from 'nwpool';

import { check, makePool, nextEvent, runsWell, tasks } from './tools.mjs';

const module = tasks('general.mjs');

const refusal = (...words) => (error) => {
    assert.ok(error instanceof TypeError, error.stack);
    assert.equal(error.code, 'NW_EINVAL');
    for (const word of words) {
        assert.match(error.message, new RegExp(`\\b${word}\\b`));
    }
    return true;
};

const wrongForPools = {
    module: [undefined, '', 5, null],
    name: ['', 5],
    minWorkers: [-1, 1.5, '1', 1025, NaN],
    maxWorkers: [0, 1025, null],
    spares: [-1, 'x'],
    concurrency: [0, 1025],
    idleTimeout: [0, -1, '5', NaN],
    queueMax: [0, 1.5, '5'],
    queueBytesMax: [0, -1, '5', NaN],
    highWater: [0, 101],
    lowWater: [-1, 100],
    ageing: [0, 'x'],
    expiry: [0, -5],
    runLimit: [0, '1000', NaN, 2n],
    escalation: [-1],
    interruptible: [1, 'yes'],
    cancel: ['kill', true],
    wait: ['x', -1, NaN, {}],
    setUp: ['', 5, () => {}],
    tearDown: ['', {}],
    setUpTimeout: [0],
    tearDownTimeout: [-1],
    recycleTasks: [0, 0.5],
    recycleAge: [0],
    recycleMemory: [0, 'x'],
    resourceLimits: [5, 'x', null],
    env: [5, 'x', true],
    argv: ['x', {}, 5],
    execArgv: ['--trace-warnings', {}],
    trackUnmanagedFds: [0],
    stdout: [5, {}, 'yes'],
    stderr: [true, {}],
    context: [5, {}, null],
};

for (const [name, values] of Object.entries(wrongForPools)) {
    check(`a wrong ${name} of a pool`, () => {
        for (const value of values) {
            assert.throws(() => new Pool({ module, [name]: value }),
                refusal(name), String(value));
        }
    });
}

const wrongForTasks = {
    signal: [5, {}, null],
    priority: [8, -9, 0.5, '1'],
    expiry: [0, -1, '5'],
    runLimit: [0, NaN],
    interruptible: [1],
    cancel: ['no'],
    escalation: ['x'],
    retries: [-1, 101, true],
    transfer: [5, {}, 'x'],
    wait: ['x', -1, {}],
    onMessage: [5, {}, 'x'],
};

for (const [name, values] of Object.entries(wrongForTasks)) {
    check(`a wrong ${name} of a task`, async (t) => {
        const pool = makePool(t);
        for (const value of values) {
            await assert.rejects(pool.run('echo', 1, { [name]: value }),
                refusal(name), String(value));
            await assert.rejects(async () => {
                for await (const item of
                    pool.stream('echo', 1, { [name]: value })) {
                    assert.fail(item);
                }
            }, refusal(name));
        }
        assert.equal(await pool.run('echo', 1), 1);
        assert.equal(pool.stats().submitted, 1);
    });
}

check('options that there are not', async (t) => {
    assert.throws(() => new Pool({ module, maxworkers: 1 }),
        /no option "maxworkers"; did you mean "maxWorkers"\?/);
    assert.throws(() => new Pool({ module, timeout: 1 }), /"timeout"/);
    assert.throws(() => new Pool({ module, toString: 1 }), /"toString"/);
    assert.throws(() => new Pool(), refusal('module'));
    assert.throws(() => new Pool(null), refusal('object'));
    assert.throws(() => new Pool(module), refusal('object'));
    const pool = makePool(t);
    await assert.rejects(pool.run('echo', 1, { Signal: 1 }),
        /no option "Signal"; did you mean "signal"\?/);
    for (const options of [null, 5, 'x']) {
        await assert.rejects(pool.run('echo', 1, options), refusal('options'));
    }
    await assert.rejects(pool.apply('echo', 5), refusal('array'));
    assert.throws(() => new Pool({ module, minWorkers: 3, maxWorkers: 2 }),
        /minWorkers|workers_min/);
});

check('undefined is an option that is not given', async (t) => {
    const pool = makePool(t, { name: undefined, runLimit: undefined });
    assert.equal(await pool.run('echo', 1,
        { signal: undefined, runLimit: undefined }), 1);
});

// -- the worker's surroundings

check('env', async (t) => {
    process.env.NWPOOL_TEST = 'program';
    t.after(() => delete process.env.NWPOOL_TEST);
    const copy = makePool(t);
    assert.equal(await copy.run('env', 'NWPOOL_TEST'), 'program');
    await copy.run('setEnv', ['NWPOOL_TEST', 'worker']);
    assert.equal(process.env.NWPOOL_TEST, 'program');

    const own = makePool(t, { env: { OTHER: 'own' } });
    assert.equal(await own.run('env', 'OTHER'), 'own');
    assert.equal(await own.run('env', 'NWPOOL_TEST'), undefined);

    const shared = makePool(t, { env: SHARE_ENV });
    await shared.run('setEnv', ['NWPOOL_TEST', 'shared']);
    assert.equal(process.env.NWPOOL_TEST, 'shared');
});

check('argv, execArgv and workerData', async (t) => {
    const pool = makePool(t, {
        argv: ['one', 'two'],
        execArgv: ['--no-warnings'],
        workerData: { some: ['data'] },
    });
    assert.deepEqual(await pool.run('argv'), ['one', 'two']);
    assert.deepEqual(await pool.run('execArgv'), ['--no-warnings']);
    assert.deepEqual(await pool.run('data'), { some: ['data'] });
});

check('workerData that cannot be cloned', async (t) => {
    const pool = makePool(t, { workerData: () => {} });
    await assert.rejects(pool.run('data'), /could not be cloned/);
});

check('resourceLimits', async (t) => {
    const pool = makePool(t, {
        module: tasks('general.mjs'),
        resourceLimits: { maxOldGenerationSizeMb: 33 },
    });
    assert.equal(await pool.run('env', 'NOTHING'), undefined);
    const limits = await pool.run('limits');
    assert.equal(limits.maxOldGenerationSizeMb, 33);
});

async function output(t, options, action) {
    const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
    const pool = makePool(t, { ...streams, ...options });
    await action(pool);
    await pool.close();
    return Object.values(streams).map((stream) => String(stream.read() ?? ''));
}

check('stdout and stderr go to streams', async (t) => {
    assert.deepEqual(await output(t, {}, async (pool) => {
        await pool.run('print', 'to stdout\n');
        await pool.run('printError', 'to stderr\n');
        await pool.run('printError', 'é🙂');
    }), ['to stdout\n', 'to stderr\né🙂']);
});

check('stdout may be ignored, and is an event', async (t) => {
    for (const stdout of [false, 'ignore']) {
        const pool = makePool(t, { stdout });
        const event = nextEvent(pool, 'output');
        await pool.run('print', 'hello');
        const { fd, chunk } = await event;
        assert.equal(fd, 1);
        assert.equal(String(chunk), 'hello');
    }
});

check('what is printed goes to the program\'s own stdout and stderr',
    async () => {
        const stdout = await runsWell(`
            import { Pool } from 'nwpool';
            const pool = new Pool({ module: './tasks/general.mjs' });
            await pool.run('print', 'from the worker\\n');
            process.stdout.write('from the program\\n');
        `);
        assert.equal(stdout, 'from the worker\nfrom the program\n');
    });

// -- context

check('context: a store goes along', async (t) => {
    const context = new AsyncLocalStorage();
    const pool = makePool(t, { context, concurrency: 4 });
    const run = (id, name) => context.run({ id }, () => pool.run(name));
    const ids = Array.from({ length: 20 }, (_, i) => i);
    assert.deepEqual(
        await Promise.all(ids.map((id) => run(id, 'contextLater'))),
        ids.map((id) => ({ id })));
    assert.deepEqual(await run('x', 'context'), { id: 'x' });
    assert.equal(await pool.run('context'), undefined);
    assert.deepEqual(await context.run('c', () =>
        pool.apply('list', [1, 2])), [1, 2]);
    assert.deepEqual(await context.run('c', () => pool.runOnEach('context')),
        ['c']);
});

check('without a context there is none', async (t) => {
    assert.equal(await makePool(t).run('context'), undefined);
});

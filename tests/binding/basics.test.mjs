// run(), apply(), map() and runOnEach(), and what a pool says of itself.

import assert from 'node:assert/strict';
import { threadId } from 'node:worker_threads';

import nwpool, { Pool, PoolError, poolify, poolifyAll, transfer } from 'nwpool';

import { check, codeOf, makePool, nextEvent, outcomes, started, tasks } from
    './tools.mjs';

check('exports', () => {
    for (const item of [Pool, PoolError, poolify, poolifyAll, transfer]) {
        assert.equal(typeof item, 'function');
    }
    assert.equal(nwpool.Pool, Pool);
    assert.equal(nwpool.task, undefined);
    assert.equal(nwpool.context, undefined);
});

check('run() calls a function in another thread', async (t) => {
    const pool = makePool(t);
    assert.equal(await pool.run('default'), 42);
    assert.equal(await pool.run('isMain'), false);
    assert.notEqual(await pool.run('thread'), threadId);
    assert.equal(await pool.run('later', 'x'), 'x');
});

check('an argument whose getter submits a task', async (t) => {
    const pool = makePool(t);
    for (let i = 0; i < 40; i++) {
        let inner;
        const outer = await pool.run('echo', { one: [1, 'x'], get two() {
            inner = pool.run('echo', { inside: ['y', { i }] });
            return 2;
        }, three: { four: 4 } });
        assert.deepEqual(outer, { one: [1, 'x'], two: 2, three: { four: 4 } });
        assert.deepEqual(await inner, { inside: ['y', { i }] });
    }
});

check('values come as they go', async (t) => {
    const pool = makePool(t);
    const cycle = { name: 'cycle' };
    cycle.self = cycle;
    const values = [undefined, null, true, 0, -0, NaN, 1.5, 2n ** 70n, '', 'é🙂',
        'x'.repeat(100_000), new Date(5), /a+/giu, [1, , 3], { a: { b: [] } },
        new Map([[1, { two: 2 }]]), new Set(['a']), new Uint8Array([1, 2, 3]),
        new Float64Array([0.5]), new ArrayBuffer(3), cycle,
        Buffer.from('buffer'), new Error('as a value')];
    for (const value of values) {
        const got = await pool.run('echo', value);
        if (Buffer.isBuffer(value)) {
            assert.deepEqual(Buffer.from(got), value);
        } else if (value instanceof Error) {
            assert.equal(got.message, value.message);
            assert.ok(got instanceof Error);
        } else {
            assert.deepEqual(got, value);
        }
    }
    const host = await pool.run('echo', new URLSearchParams('a=1'))
        .catch((error) => error);
    assert.ok(host instanceof Error || typeof host === 'object');
});

check('apply() passes many arguments', async (t) => {
    const pool = makePool(t);
    assert.equal(await pool.apply('add', [1, 2]), 3);
    assert.deepEqual(await pool.apply('list'), []);
    const many = Array.from({ length: 60 }, (_, i) => i);
    assert.deepEqual(await pool.apply('list', many), many);
    const tooMany = Array.from({ length: 65 }, (_, i) => i);
    await assert.rejects(pool.apply('list', tooMany), /64 arguments/);
    assert.equal(await pool.apply('add', [1, 2]), 3);
});

check('results keep their order with each call', async (t) => {
    const pool = makePool(t, { maxWorkers: 2 });
    const numbers = Array.from({ length: 2000 }, (_, i) => i);
    assert.deepEqual(
        await Promise.all(numbers.map((i) => pool.run('echo', i))), numbers);
});

check('a function that there is not', async (t) => {
    const pool = makePool(t);
    await assert.rejects(pool.run('missing'), (error) => {
        assert.equal(error.code, 'NW_EMODULE');
        assert.match(error.message, /exports no function "missing"/);
        assert.match(error.message, /"echo"/);
        return true;
    });
    for (const name of ['', 5, undefined, null, 'x'.repeat(256)]) {
        await assert.rejects(pool.run(name), /name of a function/);
    }
    assert.equal(await pool.run('echo', 1), 1);
});

check('a module that there is not', async (t) => {
    const pool = makePool(t, { module: './there-is-none.mjs' });
    await assert.rejects(pool.run('echo'), (error) => {
        assert.equal(error.code, 'NW_EMODULE');
        assert.match(error.message, /there-is-none\.mjs/);
        return true;
    });
});

check('modules by URL, by relative path, and CommonJS', async (t) => {
    const url = new URL('./tasks/general.mjs', import.meta.url);
    for (const module of [url, url.href, './tasks/general.mjs']) {
        const pool = makePool(t, { module });
        assert.equal(await pool.run('echo', 7), 7);
    }
    const pool = makePool(t, { module: tasks('common.cjs') });
    assert.equal(await pool.run('default', 1), 'whole 1');
    assert.equal(await pool.run('half', 1), 'half 1');
});

check('an argument that cannot be cloned', async (t) => {
    const pool = makePool(t);
    await assert.rejects(pool.run('echo', () => {}), codeOf('NW_ECLONE'));
    await assert.rejects(pool.run('echo', { a: [Symbol('s')] }),
        codeOf('NW_ECLONE'));
    const getter = { get bad() { throw new RangeError('mine'); } };
    await assert.rejects(pool.run('echo', getter));
    assert.equal(await pool.run('echo', 1), 1);
});

check('map() keeps the order and bounds what runs', async (t) => {
    const pool = makePool(t, { maxWorkers: 2 });
    const items = Array.from({ length: 100 }, (_, i) => i);
    assert.deepEqual(await pool.map('later', items), items);
    assert.deepEqual(await pool.map('echo', []), []);
    assert.deepEqual(await pool.map('echo', new Set([1, 2])), [1, 2]);

    async function* source() {
        yield* items;
    }
    assert.deepEqual(await pool.map('later', source(), { concurrency: 3 }),
        items);
});

check('map() takes no more items than it may run', async (t) => {
    const pool = makePool(t, { maxWorkers: 2 });
    const gate = new Int32Array(new SharedArrayBuffer(4));
    let taken = 0;
    function* source() {
        for (let i = 0; i < 10; i++) {
            taken++;
            yield gate;
        }
    }
    let signal;
    const begun = new Promise((resolve) => {
        signal = resolve;
    });
    const result = pool.map('block', source(),
        { concurrency: 2, onMessage: signal });
    await begun;
    assert.equal(taken, 2);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    assert.deepEqual(await result, Array(10).fill('released'));
});

check('map() settles as all, or as allSettled', async (t) => {
    const pool = makePool(t, { module: tasks('errors.mjs') });
    const names = ['TypeError', 'RangeError'];
    let ended = false;
    function* source() {
        try {
            for (;;) {
                yield 'TypeError';
            }
        } finally {
            ended = true;
        }
    }
    await assert.rejects(pool.map('builtIn', source()),
        { name: 'TypeError', message: 'a TypeError' });
    assert.equal(ended, true);
    const results =
        await pool.map('builtIn', names, { settle: 'allSettled' });
    assert.deepEqual(results.map(({ status, reason }) => [status, reason.name]),
        names.map((name) => ['rejected', name]));
    await assert.rejects(pool.map('raw', [1], { settle: 'some' }), /settle/);
    for (const concurrency of [0, 1.5, 'x']) {
        await assert.rejects(pool.map('raw', [1], { concurrency }),
            /concurrency/);
    }
    await assert.rejects(pool.map('raw', [1], { priorty: 1 }), /priorty/);
});

check('map() on a pool that is closed', async (t) => {
    const pool = makePool(t, { minWorkers: undefined, maxWorkers: undefined });
    await pool.close();
    await assert.rejects(pool.map('echo', [1]), codeOf('NW_ECLOSED'));
});

check('runOnEach() runs once on each worker', async (t) => {
    const pool = makePool(t, { minWorkers: 3, maxWorkers: 3 });
    await pool.ready();
    const threads = await pool.runOnEach('thread');
    assert.equal(threads.length, 3);
    assert.equal(new Set(threads).size, 3);
    const counter = new Int32Array(new SharedArrayBuffer(4));
    await pool.runOnEach('count', counter);
    assert.equal(counter[0], 3);
    await assert.rejects(pool.runOnEach('missing'), { code: 'NW_EMODULE' });
    await assert.rejects(pool.runOnEach('echo', () => {}),
        { code: 'NW_ECLONE' });
    assert.equal(await pool.run('echo', 1), 1);
    assert.equal(pool.stats().waiting + pool.stats().running, 0);
});

check('runOnEach() without workers', async (t) => {
    const pool = makePool(t, { minWorkers: 0, maxWorkers: 1 });
    assert.deepEqual(await pool.runOnEach('thread'), []);
    assert.equal(await pool.run('echo', 1), 1);
});

check('ready() waits for the workers', async (t) => {
    const pool = makePool(t, { minWorkers: 2, maxWorkers: 2, spares: 1 });
    await pool.ready();
    const { workers, spares } = pool.stats();
    assert.deepEqual({ workers, spares }, { workers: 2, spares: 1 });
    await pool.ready(1);
    await assert.rejects(pool.ready(4), codeOf('NW_EINVAL'));
    await assert.rejects(pool.ready(-1), /workers is -1/);
    await pool.close();
    await assert.rejects(pool.ready(), codeOf('NW_ECLOSED'));
});

check('ready() makes a pool grow', async (t) => {
    const pool = makePool(t, { minWorkers: 0, maxWorkers: 2 });
    await pool.ready();
    assert.equal(pool.stats().workers, 0);
    await pool.ready(2);
    assert.equal(pool.stats().workers, 2);
});

check('ready() of a pool that is destroyed meanwhile', async (t) => {
    const pool = makePool(t, { module: tasks('slow-at-load.mjs') });
    const ready = pool.ready();
    ready.catch(() => {});
    await pool.destroy();
    await assert.rejects(ready, codeOf('NW_ECLOSED'));
});

check('ready() of a pool whose workers cannot start', async (t) => {
    const pool = makePool(t, { module: tasks('throws-at-load.mjs') });
    await assert.rejects(pool.ready(), codeOf('NW_EFAILED'));
});

check('stats() and tasks()', async (t) => {
    const pool = makePool(t);
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const { result } = await started(pool, 'block', gate);
    const waiting = pool.run('echo', 1, { priority: 3 });
    const stats = pool.stats();
    assert.equal(stats.workers, 1);
    assert.equal(stats.submitted, 2);
    assert.equal(stats.running, 1);
    assert.equal(stats.waiting, 1);
    assert.equal(stats.hasFailed, false);
    const [first, second] = pool.tasks();
    assert.equal(first.name, 'block');
    assert.equal(first.state, 'running');
    assert.ok(first.runTime >= 0 && first.age >= first.runTime);
    assert.ok(first.worker > 0);
    assert.equal(second.name, 'echo');
    assert.equal(second.priority, 3);
    assert.ok(['queued', 'assigned'].includes(second.state));
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await Promise.all([result, waiting]);
    assert.deepEqual(pool.tasks(), []);
    const after = pool.stats();
    assert.equal(after.done, 2);
    assert.equal(after.failed, 0);
    assert.equal(after.runTimes.count, 2);
    assert.ok(after.runTimes.max >= after.runTimes.p50);
    assert.ok(after.waitTimes.mean >= 0);
});

check('counters tell how tasks ended', async (t) => {
    const pool = makePool(t, { module: tasks('errors.mjs') });
    await assert.rejects(pool.run('subclass'));
    assert.equal(pool.stats().failed, 1);
    assert.equal(pool.stats().thrown, 1);
});

check('close() finishes what was accepted', async (t) => {
    const pool = makePool(t);
    const results = Array.from({ length: 20 }, (_, i) => pool.run('later', i));
    assert.equal(pool.isClosed, false);
    const closed = pool.close();
    assert.equal(pool.isClosed, true);
    assert.equal(pool.close(), closed);
    await assert.rejects(pool.run('echo', 1), codeOf('NW_ECLOSED'));
    assert.deepEqual(await Promise.all(results),
        Array.from({ length: 20 }, (_, i) => i));
    await closed;
    await pool.close();
    assert.equal(pool.stats(), undefined);
    assert.deepEqual(pool.tasks(), []);
    await assert.rejects(pool.run('echo', 1), codeOf('NW_ECLOSED'));
    await assert.rejects(pool.runOnEach('echo', 1), codeOf('NW_ECLOSED'));
    await assert.rejects(pool.reload(), codeOf('NW_ECLOSED'));
});

check('destroy() takes all tasks away', async (t) => {
    const pool = makePool(t);
    const { result } = await started(pool, 'spin');
    const results = [result, pool.run('echo', 1), pool.run('echo', 2)];
    const ends = outcomes(results);
    await pool.destroy();
    assert.deepEqual(await ends, Array(3).fill('NW_ECANCELED'));
});

check('destroy() after close()', async (t) => {
    const pool = makePool(t);
    const { result } = await started(pool, 'never');
    const ends = outcomes([result]);
    const closed = pool.close();
    await pool.destroy();
    await closed;
    assert.deepEqual(await ends, ['NW_ECANCELED']);
});

check('Symbol.asyncDispose closes', async () => {
    const pool = new Pool({ module: tasks('general.mjs'), maxWorkers: 1 });
    const result = pool.run('later', 1);
    const symbol =
        Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');
    await pool[symbol]();
    assert.equal(await result, 1);
    assert.equal(pool.isClosed, true);
});

check('several pools side by side', async (t) => {
    const pools = Array.from({ length: 5 }, (_, i) =>
        makePool(t, { workerData: i }));
    const results = await Promise.all(pools.map((pool) => pool.run('data')));
    assert.deepEqual(results, [0, 1, 2, 3, 4]);
    await pools[0].destroy();
    assert.equal(await pools[1].run('data'), 1);
});

check('a pool grows under load and shrinks without', async (t) => {
    const pool = makePool(t,
        { minWorkers: 0, maxWorkers: 2, idleTimeout: 20 });
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const [a, b] = await Promise.all([started(pool, 'block', gate),
        started(pool, 'block', gate)]);
    assert.equal(pool.stats().workers, 2);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await Promise.all([a.result, b.result]);
    await nextEvent(pool, 'workerExited', () => pool.stats().workers === 0);
    assert.equal(await pool.run('echo', 1), 1);
});

check('concurrency runs several tasks on one worker', async (t) => {
    const pool = makePool(t, { concurrency: 4 });
    const channels = Array.from({ length: 4 }, () => new MessageChannel());
    const held = await Promise.all(channels.map(({ port1 }) =>
        started(pool, 'hold', port1, { transfer: [port1] })));
    assert.equal(pool.stats().running, 4);
    channels.forEach(({ port2 }, i) => port2.postMessage(i));
    assert.deepEqual(await Promise.all(held.map(({ result }) => result)),
        [0, 1, 2, 3]);
});

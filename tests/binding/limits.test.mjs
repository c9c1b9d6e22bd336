// Times, room, priorities and AbortSignals.

import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';

import { check, codeOf, makePool, nextEvent, outcomes, started } from
    './tools.mjs';

const shared = () => new Int32Array(new SharedArrayBuffer(8));

function release(gate) {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
}

// -- runLimit

check('runLimit on a script that spins, interruptible', async (t) => {
    const pool = makePool(t, { interruptible: true });
    const before = await pool.run('thread');
    await assert.rejects(pool.run('spin', undefined, { runLimit: 50 }),
        codeOf('NW_ETIMEDOUT'));
    assert.equal(await pool.run('thread'), before);
    assert.equal(pool.stats().restarts, 0);
    assert.equal(pool.stats().timedOut, 1);
});

check('runLimit on a script that spins, not interruptible', async (t) => {
    const pool = makePool(t, { runLimit: 50 });
    const before = await pool.run('thread');
    const exited = nextEvent(pool, 'workerExited');
    const spins = pool.run('spin');
    const queued = pool.run('thread');
    await assert.rejects(spins, codeOf('NW_ETIMEDOUT'));
    await exited;
    assert.notEqual(await queued, before);
});

check('a task may say itself whether it is interruptible', async (t) => {
    const pool = makePool(t, { interruptible: false });
    const before = await pool.run('thread');
    await assert.rejects(pool.run('spin', undefined,
        { runLimit: 50, interruptible: true }), codeOf('NW_ETIMEDOUT'));
    assert.equal(await pool.run('thread'), before);
    await assert.rejects(pool.run('spin', undefined,
        { runLimit: 50, interruptible: false }), codeOf('NW_ETIMEDOUT'));
    assert.notEqual(await pool.run('thread'), before);
});

check('runLimit on a task that waits', async (t) => {
    const pool = makePool(t);
    await assert.rejects(pool.run('never', undefined, { runLimit: 50 }),
        codeOf('NW_ETIMEDOUT'));
    assert.equal(await pool.run('echo', 1), 1);
});

check('runLimit counts from the start, and Infinity is none', async (t) => {
    const pool = makePool(t, { runLimit: 10_000 });
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    const limited = pool.run('echo', 1, { runLimit: 5000 });
    const free = pool.run('echo', 2, { runLimit: Infinity });
    release(gate);
    assert.deepEqual(await Promise.all([result, limited, free]),
        ['released', 1, 2]);
});

check('expiry of a task that waits too long', async (t) => {
    const pool = makePool(t);
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    const counter = shared();
    await assert.rejects(pool.run('count', counter, { expiry: 20 }),
        codeOf('NW_EEXPIRED'));
    const patient = pool.run('count', counter, { expiry: 60_000 });
    release(gate);
    await result;
    assert.equal(await patient, 1);
    assert.equal(pool.stats().expired, 1);
});

// -- room

check('queueMax refuses', async (t) => {
    const pool = makePool(t, { queueMax: 2 });
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    const second = pool.run('echo', 2);
    await assert.rejects(pool.run('echo', 3), codeOf('NW_EFULL'));
    await assert.rejects(pool.run('echo', 3, { wait: false }),
        codeOf('NW_EFULL'));
    assert.equal(pool.stats().refused, 2);
    release(gate);
    assert.deepEqual(await Promise.all([result, second]), ['released', 2]);
    assert.equal(await pool.run('echo', 4), 4);
});

check('queueBytesMax refuses', async (t) => {
    const pool = makePool(t, { queueBytesMax: 10_000 });
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    const second = pool.run('echo', new Uint8Array(6000));
    await assert.rejects(pool.run('echo', new Uint8Array(6000)),
        codeOf('NW_EFULL'));
    release(gate);
    await Promise.all([result, second]);
    assert.equal((await pool.run('echo', new Uint8Array(6000))).length, 6000);
});

check('wait is for room, in order', async (t) => {
    const pool = makePool(t, { queueMax: 1, wait: true });
    const order = [];
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
        assert.equal(await pool.run('later', i), i);
        order.push(i);
    }));
    assert.deepEqual(order, Array.from({ length: 50 }, (_, i) => i));
});

check('wait with a time', async (t) => {
    const pool = makePool(t, { queueMax: 1 });
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    await assert.rejects(pool.run('echo', 1, { wait: 20 }), (error) => {
        codeOf('NW_EFULL')(error);
        assert.match(error.message, /20 ms/);
        return true;
    });
    const patient = pool.run('echo', 2, { wait: 60_000 });
    release(gate);
    assert.equal(await result, 'released');
    assert.equal(await patient, 2);
});

check('what waits for room can be aborted, and ends with the pool',
    async (t) => {
        const pool = makePool(t, { queueMax: 1, wait: true });
        const { result } = await started(pool, 'never');
        const controller = new AbortController();
        const aborted =
            pool.run('echo', 1, { signal: controller.signal });
        const left = pool.run('echo', 2);
        const ends = outcomes([result, aborted, left]);
        controller.abort('no more');
        await assert.rejects(aborted, (reason) => reason === 'no more');
        await pool.destroy();
        const codes = await ends;
        assert.equal(codes[0], 'NW_ECANCELED');
        assert.equal(codes[1], 'no more');
        assert.match(codes[2], /NW_ECLOSED|NW_ECANCELED/);
    });

check('what waits for room and cannot be sent then', async (t) => {
    const pool = makePool(t, { queueMax: 1, wait: true });
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    const argument = { some: 'value' };
    const bad = assert.rejects(pool.run('echo', argument),
        codeOf('NW_ECLONE'));
    const good = Promise.all([1, 2, 3].map((i) => pool.run('echo', i)));
    argument.some = () => {};
    release(gate);
    assert.equal(await result, 'released');
    await bad;
    assert.deepEqual(await good, [1, 2, 3]);
    assert.equal(await pool.run('echo', 4), 4);
});

check('close() waits for what waits for room', async (t) => {
    const pool = makePool(t, { queueMax: 1, wait: true });
    const results = [1, 2, 3].map((i) => pool.run('later', i));
    await pool.close();
    assert.deepEqual(await Promise.all(results), [1, 2, 3]);
});

check('high and low water', async (t) => {
    const pool = makePool(t, { queueMax: 10, highWater: 50, lowWater: 20 });
    const gate = shared();
    const high = nextEvent(pool, 'highWater');
    const low = nextEvent(pool, 'lowWater');
    const { result } = await started(pool, 'block', gate);
    const others = Array.from({ length: 6 }, (_, i) => pool.run('echo', i));
    await high;
    release(gate);
    await Promise.all([result, ...others]);
    await low;
});

// -- priorities

check('priorities', async (t) => {
    const pool = makePool(t, { ageing: 60_000 });
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    const order = [];
    const tasks = [[0, 'a'], [-5, 'low'], [7, 'high'], [0, 'b'], [3, 'middle']]
        .map(async ([priority, name]) => {
            await pool.run('echo', name, { priority });
            order.push(name);
        });
    release(gate);
    await Promise.all([result, ...tasks]);
    assert.deepEqual(order, ['high', 'middle', 'a', 'b', 'low']);
});

// -- AbortSignal

const aborts = (error) => {
    assert.equal(error.name, 'AbortError');
    return true;
};

check('a signal that is aborted already', async (t) => {
    const pool = makePool(t);
    const counter = shared();
    await assert.rejects(
        pool.run('count', counter, { signal: AbortSignal.abort() }), aborts);
    const reason = new RangeError('mine');
    await assert.rejects(
        pool.run('count', counter, { signal: AbortSignal.abort(reason) }),
        (error) => error === reason);
    assert.equal(await pool.run('count', counter), 1);
});

check('a task that waits is taken away', async (t) => {
    const pool = makePool(t);
    const gate = shared();
    const counter = shared();
    const { result } = await started(pool, 'block', gate);
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = pool.run('count', counter, { signal });
    const other = pool.run('echo', 1);
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    controller.abort();
    await assert.rejects(aborted, aborts);
    release(gate);
    assert.deepEqual(await Promise.all([result, other]), ['released', 1]);
    assert.equal(counter[0], 0);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
});

check('a task that listens to its own signal', async (t) => {
    const pool = makePool(t);
    const seen = shared();
    const before = await pool.run('thread');
    const controller = new AbortController();
    const { result } = await started(pool, 'noteAbort', seen,
        { signal: controller.signal });
    const other = pool.run('echo', 1);
    controller.abort();
    await assert.rejects(result, aborts);
    assert.equal(await other, 1);
    assert.equal(seen[0], 1);
    assert.equal(await pool.run('thread'), before);
});

check('a task that spins is aborted, with its worker or without',
    async (t) => {
        for (const interruptible of [true, false]) {
            const pool = makePool(t,
                { interruptible, cancel: 'interrupt', maxWorkers: 1 });
            const before = await pool.run('thread');
            const controller = new AbortController();
            const { result } = await started(pool, 'spin', undefined,
                { signal: controller.signal });
            const queued = pool.run('echo', 1);
            controller.abort();
            await assert.rejects(result, aborts);
            assert.equal(await queued, 1);
            assert.equal(await pool.run('thread') === before, interruptible);
        }
    });

check('escalation from asking to ending', async (t) => {
    const pool = makePool(t, { escalation: 20 });
    const controller = new AbortController();
    const { result } = await started(pool, 'spin', undefined,
        { signal: controller.signal });
    const queued = pool.run('echo', 1);
    controller.abort();
    await assert.rejects(result, aborts);
    assert.equal(await queued, 1);
});

check('abort leaves tasks on other workers alone', async (t) => {
    const pool = makePool(t, { minWorkers: 2, maxWorkers: 2, cancel: 'end' });
    await pool.ready();
    const gate = shared();
    const innocent = await started(pool, 'block', gate);
    const controller = new AbortController();
    const spins = await started(pool, 'spin', undefined,
        { signal: controller.signal });
    controller.abort();
    await assert.rejects(spins.result, aborts);
    release(gate);
    assert.equal(await innocent.result, 'released');
});

check('AbortSignal.timeout()', async (t) => {
    const pool = makePool(t);
    await assert.rejects(
        pool.run('untilAborted', undefined, { signal: AbortSignal.timeout(50) }),
        { name: 'TimeoutError' });
    assert.equal(await pool.run('echo', 1), 1);
});

check('many tasks on one signal leave nothing on it, and warn of nothing',
    async (t) => {
        const warnings = [];
        const note = (warning) => warnings.push(warning);
        process.on('warning', note);
        t.after(() => process.off('warning', note));
        const pool = makePool(t);
        const { signal } = new AbortController();
        const values = Array.from({ length: 50 }, (_, i) => i);
        const results = values.map((i) => pool.run('later', i, { signal }));
        assert.deepEqual(await Promise.all(results), values);
        assert.equal(getEventListeners(signal, 'abort').length, 0);
        await new Promise((resolve) => setImmediate(resolve));
        assert.deepEqual(warnings, []);
    });

check('one signal aborts all of its tasks', async (t) => {
    const pool = makePool(t, { concurrency: 8 });
    const controller = new AbortController();
    const { signal } = controller;
    const running = await Promise.all(Array.from({ length: 4 }, () =>
        started(pool, 'untilAborted', undefined, { signal })));
    const queued =
        Array.from({ length: 20 }, () => pool.run('never', 1, { signal }));
    const ends = outcomes([...running.map(({ result }) => result), ...queued]);
    controller.abort('all');
    assert.deepEqual(await ends, Array(24).fill('all'));
    assert.equal(await pool.run('echo', 1), 1);
});

check('nwpool.task.signal has no listener of a caller', async (t) => {
    const pool = makePool(t);
    const controller = new AbortController();
    await pool.run('echo', 1, { signal: controller.signal });
    const waiting = once(controller.signal, 'abort');
    assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
    controller.abort();
    await waiting;
});

check('more functions than a pool can tell apart', async (t) => {
    const pool = makePool(t);
    const names = Array.from({ length: 4097 }, (_, i) => `name${i}`);
    const ends = await outcomes(names.map((name) => pool.run(name)));
    assert.equal(ends.filter((end) => end === 'NW_EMODULE').length, 4096);
    const late = { code: 'NW_ELIMIT', message: /up to 4096 functions/ };
    await assert.rejects(pool.run('one more'), late);
    await assert.rejects(pool.apply('one more'), late);
});

// Workers that die. Whatever kills them, each task settles, each is run once, and
// the pool goes on.

import assert from 'node:assert/strict';

import { Pool, PoolError } from 'nwpool';

import { check, codeOf, makePool, nextEvent, outcomes, started, tasks } from
    './tools.mjs';

const counters = () => new Int32Array(new SharedArrayBuffer(8));

const open = (t, options) =>
    makePool(t, { module: tasks('crashes.mjs'), ...options });

function assertCrashed(error, exitCode) {
    assert.ok(error instanceof PoolError, String(error));
    assert.equal(error.code, 'NW_ECRASHED');
    assert.equal(error.exitCode, exitCode);
    assert.equal(error.crashes, 1);
    assert.ok(error.worker > 0);
    return true;
}

for (const minWorkers of [0, 1]) {
    const open1 = (t, options) => open(t, { minWorkers, ...options });
    const suffix = `, minWorkers ${minWorkers}`;

    check(`process.exit(3) in a task${suffix}`, async (t) => {
        const pool = open1(t);
        const counter = counters();
        const first = pool.run('exit', counter);
        const queued = Array.from({ length: 5 }, (_, i) => pool.run('echo', i));
        await assert.rejects(first, (error) => assertCrashed(error, 3));
        assert.deepEqual(await Promise.all(queued), [0, 1, 2, 3, 4]);
        assert.equal(await pool.run('echo', 'later'), 'later');
        assert.equal(counter[0], 1);
    });

    check(`an error thrown later${suffix}`, async (t) => {
        const pool = open1(t);
        const counter = counters();
        const first = pool.run('throwLater', counter);
        const queued = pool.run('echo', 1);
        await assert.rejects(first, (error) => {
            assertCrashed(error, 1);
            assert.ok(error.cause instanceof RangeError);
            assert.equal(error.cause.message, 'thrown later');
            assert.match(error.cause.stack, /crashes\.mjs/);
            return true;
        });
        assert.equal(await queued, 1);
        assert.equal(await pool.run('echo', 2), 2);
        assert.equal(counter[0], 1);
    });

    check(`a rejection that nobody handles${suffix}`, async (t) => {
        const pool = open1(t);
        const first = pool.run('rejectUnhandled');
        const queued = pool.run('echo', 1);
        await assert.rejects(first, (error) => {
            assertCrashed(error, 1);
            assert.equal(error.cause.message, 'nobody handles it');
            return true;
        });
        assert.equal(await queued, 1);
    });

    check(`many crashes in a row${suffix}`, async (t) => {
        const pool = open1(t);
        const counter = counters();
        const results = Array.from({ length: 8 }, (_, i) => i % 2 === 0 ?
            pool.run('exit', counter) : pool.run('echo', i));
        assert.deepEqual(await outcomes(results), ['NW_ECRASHED', 1,
            'NW_ECRASHED', 3, 'NW_ECRASHED', 5, 'NW_ECRASHED', 7]);
        assert.equal(counter[0], 4);
        assert.equal(await pool.run('echo', 'later'), 'later');
    });

    check(`a module that throws at load${suffix}`, async (t) => {
        const pool = open1(t, { module: tasks('throws-at-load.mjs') });
        const results = Array.from({ length: 5 }, (_, i) => pool.run('echo', i));
        for (const result of await Promise.allSettled(results)) {
            assert.equal(result.status, 'rejected');
            assert.equal(result.reason.code, 'NW_EMODULE');
            assert.match(result.reason.message, /this module does not load/);
        }
        await assert.rejects(pool.run('echo', 'later'), (error) =>
            ['NW_EMODULE', 'NW_EFAILED'].includes(error.code));
    });

    check(`a module that exits at load${suffix}`, async (t) => {
        const pool = open1(t, { module: tasks('exits-at-load.mjs') });
        const results = Array.from({ length: 5 }, (_, i) => pool.run('echo', i));
        for (const result of await Promise.allSettled(results)) {
            assert.equal(result.status, 'rejected');
            assert.match(result.reason.code, /^NW_E/);
        }
        await assert.rejects(pool.run('echo', 'later'), /./);
    });

    check(`the idle worker dies${suffix}`, async (t) => {
        const pool = open1(t);
        for (const name of ['exitSoon', 'throwSoon']) {
            const exited = nextEvent(pool, 'workerExited');
            const result = pool.run(name);
            await exited;
            await result;
            assert.equal(await pool.run('echo', name), name);
        }
        assert.equal(pool.stats().crashed, 0);
    });
}

check('a result that cannot be cloned', async (t) => {
    const pool = open(t);
    const names = ['unclonable', 'unclonableInside', 'resolveUnclonable'];
    const queued = names.map((name) => pool.run(name));
    const last = pool.run('echo', 1);
    for (const result of queued) {
        await assert.rejects(result, (error) => {
            codeOf('NW_ECLONE')(error);
            assert.match(error.message, /could not be cloned|cannot/);
            return true;
        });
    }
    assert.equal(await last, 1);
    assert.equal(pool.stats().restarts, 0);
});

check('tasks beside one that crashes', async (t) => {
    const pool = open(t, { concurrency: 4 });
    const beside = await Promise.all([started(pool, 'wait'),
        started(pool, 'wait')]);
    const results =
        outcomes([...beside.map(({ result }) => result), pool.run('exit')]);
    assert.deepEqual(await results, Array(3).fill('NW_ECRASHED'));
    assert.equal(await pool.run('echo', 1), 1);
});

check('a crash leaves the other workers alone', async (t) => {
    const pool = open(t, { minWorkers: 2, maxWorkers: 2 });
    await pool.ready();
    const { result } = await started(pool, 'wait', undefined);
    result.catch(() => {});
    const results = [pool.run('exit'), pool.run('echo', 1)];
    assert.deepEqual(await outcomes(results), ['NW_ECRASHED', 1]);
    assert.equal(pool.stats().running, 1);
});

check('a heap that is exhausted', async (t) => {
    const pool = new Pool({ module: tasks('crashes.mjs'),
        resourceLimits: { maxOldGenerationSizeMb: 16 } });
    // A thread that was parked is told there.
    t.after(() => pool.destroy().catch((error) =>
        assert.match(error.message, /heap is exhausted/)));
    const first = pool.run('exhaustHeap');
    const queued = pool.run('echo', 1);
    await assert.rejects(first, (error) => {
        assert.equal(error.code, 'NW_ECRASHED');
        // Where V8 would end the process the thread is parked instead.
        assert.ok(error.cause?.code === 'ERR_WORKER_OUT_OF_MEMORY' ||
            /heap limit was reached/.test(error.message), error.message);
        return true;
    });
    assert.equal(await queued, 1);
});

check('retries run it again, and only then', async (t) => {
    const pool = open(t);
    const counter = counters();
    const retried = nextEvent(pool, 'taskRetried');
    const retry = pool.run('crashUntil', [counter, 2], { retries: 3 });
    const event = await retried;
    assert.equal(typeof event.task, 'number');
    assert.equal(await retry, 3);
    assert.equal(pool.stats().retried, 2);

    const few = counters();
    await assert.rejects(pool.run('crashUntil', [few, 9], { retries: 1 }),
        (error) => {
            assert.equal(error.code, 'NW_ECRASHED');
            assert.equal(error.crashes, 2);
            return true;
        });
    assert.equal(few[0], 2);

    const none = counters();
    await assert.rejects(pool.run('crashUntil', [none, 9]),
        (error) => assertCrashed(error, 9));
    assert.equal(none[0], 1);
});

check('retries with something that moves are refused', async (t) => {
    const pool = open(t);
    const buffer = new ArrayBuffer(8);
    await assert.rejects(
        pool.run('echo', buffer, { retries: 1, transfer: [buffer] }),
        codeOf('NW_EINVAL'));
    assert.equal(buffer.byteLength, 8);
});

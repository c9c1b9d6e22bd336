// Tasks that are submitted by tasks, to their own pool.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';

import { check, codeOf, eventually, makePool, tasks } from './tools.mjs';

const open = (t, options) =>
    makePool(t, { module: tasks('nested.mjs'), ...options });

const shapes = [{ maxWorkers: 1 }, { maxWorkers: 2 },
    { maxWorkers: 1, concurrency: 4 }];

check('a pool does not wait for itself, whatever its size', async (t) => {
    for (const shape of shapes) {
        const pool = open(t, shape);
        assert.equal(await pool.run('fib', 9), 34);
        assert.equal(await pool.run('chain', 100), 100);
        const depths = Array.from({ length: 30 }, (_, i) => i);
        assert.deepEqual(await pool.map('chain', depths, { concurrency: 30 }),
            depths);
        assert.equal(pool.stats().done, 109 + 101 + 465);
        await pool.close();
    }
});

check('errors come up through all of them', async (t) => {
    const pool = open(t);
    await assert.rejects(pool.run('fail', 5), (error) =>
        error instanceof RangeError && error.name === 'DepthError' &&
        error.message === 'the bottom' && error.depth === 0);
    assert.equal(await pool.run('survive', 3), 'DepthError: the bottom, 0');
});

check('a worker that dies at the bottom', async (t) => {
    for (const shape of shapes) {
        const pool = open(t, shape);
        await assert.rejects(pool.run('die', 3), codeOf('NW_ECRASHED'));
        assert.equal(await pool.run('chain', 3), 3);
        await pool.close();
    }
});

check('limits and signals of a task within', async (t) => {
    const pool = open(t, { interruptible: true });
    assert.equal(await pool.run('limited'), 'NW_ETIMEDOUT');
    assert.deepEqual(await pool.run('aborts'), ['AbortError', 'AbortError', 1]);
});

check('what is refused within', async (t) => {
    const pool = open(t);
    assert.deepEqual(await pool.run('refused'),
        ['NW_ECLONE', 'NW_EMODULE', 'NW_EINVAL']);
    const small = open(t, { queueMax: 3 });
    const ends = await small.run('many', 6);
    assert.equal(ends.filter((end) => end === 'NW_EFULL').length, 4);
    assert.equal(ends.filter((end) => end === 'fulfilled').length, 2);
});

check('the context goes on, to the bottom', async (t) => {
    const store = new AsyncLocalStorage();
    const pool = open(t, { context: store });
    assert.equal(await store.run('request 7', () => pool.run('context', 3)),
        '321undefined, request 7');
});

check('what moves, and functions by their source', async (t) => {
    const pool = open(t);
    assert.deepEqual(await pool.run('moves'), [0, 1000]);
    assert.equal(await pool.run('bySource'), 42);
});

check('a task that does not wait for its own', async (t) => {
    const pool = open(t);
    const counter = new Int32Array(new SharedArrayBuffer(4));
    assert.equal(await pool.run('leave', counter), 'left');
    await eventually(() => Atomics.load(counter, 0) === 1);
    for (let i = 0; i < 20; i++) {
        pool.run('leave', counter);
    }
    await pool.close();
    const { length } = pool.tasks();
    assert.equal(length, 0);
});

check('the pool is closed or destroyed meanwhile', async (t) => {
    const pool = open(t, { maxWorkers: 2 });
    const sum = pool.run('fib', 8);
    await pool.close();
    assert.equal(await sum, 21);

    const other = open(t);
    const canceled =
        assert.rejects(other.run('chain', 1e6), codeOf('NW_ECANCELED'));
    await eventually(() => other.stats().done > 0 || other.tasks().length > 50);
    await other.destroy();
    await canceled;
});

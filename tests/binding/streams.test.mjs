// Generators in the worker are async iterators here; and messages of a task.

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { check, codeOf, eventually, makePool, runProgram, started, tasks } from
    './tools.mjs';

const open = (t, options) =>
    makePool(t, { module: tasks('streams.mjs'), ...options });

const shared = () => new Int32Array(new SharedArrayBuffer(8));

async function collect(stream) {
    const values = [];
    for await (const value of stream) {
        values.push(value);
    }
    return values;
}

const upTo = (count) => Array.from({ length: count }, (_, i) => i);

check('all that a generator yields, in order', async (t) => {
    const pool = open(t);
    assert.deepEqual(await collect(pool.stream('numbers', 1000)), upTo(1000));
    assert.deepEqual(await collect(pool.stream('plain', 10)), upTo(10));
    assert.deepEqual(await collect(pool.stream('numbers', 0)), []);
});

check('what it returns is the last value', async (t) => {
    const stream = open(t).stream('numbers', 1);
    assert.deepEqual(await stream.next(), { value: 0, done: false });
    assert.deepEqual(await stream.next(), { value: 'end', done: true });
    assert.deepEqual(await stream.next(), { value: undefined, done: true });
    assert.equal(stream[Symbol.asyncIterator](), stream);
});

check('next() before there is a value', async (t) => {
    const stream = open(t).stream('numbers', 3);
    const steps = await Promise.all(upTo(5).map(() => stream.next()));
    assert.deepEqual(steps.map(({ value, done }) => [value, done]),
        [[0, false], [1, false], [2, false], ['end', true],
            [undefined, true]]);
});

check('an error comes behind the values', async (t) => {
    const values = [];
    await assert.rejects(async () => {
        for await (const value of open(t).stream('failing', 3)) {
            values.push(value);
        }
    }, { name: 'RangeError', message: 'after the last' });
    assert.deepEqual(values, [0, 1, 2]);
});

check('an early return ends the generator', async (t) => {
    const pool = open(t);
    const counter = shared();
    const stream = pool.stream('watched', [counter]);
    for await (const value of stream) {
        if (value === 5) {
            break;
        }
    }
    await eventually(() => Atomics.load(counter, 1) === 1);
    assert.deepEqual(await stream.next(), { value: undefined, done: true });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await stream.next(), { value: undefined, done: true });
    assert.deepEqual(await collect(pool.stream('numbers', 2)), [0, 1]);
    assert.equal(pool.stats().restarts, 0);
});

check('return() and throw() while somebody reads', async (t) => {
    const pool = makePool(t);
    const stream = pool.stream('never');
    assert.deepEqual(await stream.next(), { value: 'started', done: false });
    const reads = stream.next();
    assert.deepEqual(await stream.return('mine'), { value: 'mine', done: true });
    assert.deepEqual(await reads, { value: undefined, done: true });
    const other = pool.stream('untilAborted');
    await other.next();
    await assert.rejects(other.throw(new RangeError('enough')),
        { message: 'enough' });
    assert.equal(await pool.run('echo', 1), 1);
});

check('a generator does not run ahead of its reader', async (t) => {
    const pool = open(t);
    const counter = shared();
    const stream = pool.stream('watched', [counter]);
    await stream.next();
    // It goes on until it has to wait; from then on it stands still.
    let before;
    await eventually(async () => {
        before = Atomics.load(counter, 0);
        await new Promise((resolve) => setTimeout(resolve, 100));
        return Atomics.load(counter, 0) === before;
    });
    assert.ok(before < 1000, `${before} values ahead`);
    for (let i = 1; i < 500; i++) {
        assert.deepEqual(await stream.next(), { value: i, done: false });
    }
    assert.ok(Atomics.load(counter, 0) >= 499);
    assert.ok(Atomics.load(counter, 0) < 1500);
    await stream.return();
});

check('nor with large values', async (t) => {
    const pool = open(t);
    const counter = shared();
    const stream = pool.stream('watched', [counter, 1 << 20]);
    await stream.next();
    let before;
    await eventually(async () => {
        before = Atomics.load(counter, 0);
        await new Promise((resolve) => setTimeout(resolve, 100));
        return Atomics.load(counter, 0) === before;
    });
    assert.ok(before <= 8, `${before} MiB ahead`);
    await stream.return();
});

check('a stream that is aborted', async (t) => {
    const pool = open(t);
    const counter = shared();
    const controller = new AbortController();
    const stream =
        pool.stream('watched', [counter], { signal: controller.signal });
    await assert.rejects(async () => {
        for await (const value of stream) {
            if (value === 3) {
                controller.abort('no more');
            }
        }
    }, (reason) => reason === 'no more');
    await eventually(() => Atomics.load(counter, 1) === 1);
});

check('a stream that nobody reads does no harm', async () => {
    const { code, stderr } = await runProgram(`
        import { Pool } from 'nwpool';
        const pool = new Pool({ module: './tasks/streams.mjs' });
        const stream = pool.stream('failing', 1);
        await new Promise((resolve) => setTimeout(resolve, 200));
        await stream.next();
        await stream.next().catch((error) => console.log(error.message));
        await pool.close();
    `);
    assert.equal(code, 0, stderr);
});

check('what moves in a stream', async (t) => {
    const values = await collect(open(t).stream('buffers', 5));
    assert.deepEqual(values.map((bytes) => [bytes.length, bytes[999]]),
        upTo(5).map((i) => [1000, i]));
});

check('streamApply(), and functions that are no generators', async (t) => {
    const pool = open(t);
    assert.deepEqual(await collect(pool.streamApply('numbers', [2])), [0, 1]);
    const stream = pool.stream('array', 3);
    assert.deepEqual(await stream.next(), { value: [0, 1, 2], done: true });
    await assert.rejects(pool.stream('missing').next(), { code: 'NW_EMODULE' });
    await assert.rejects(pool.stream('numbers', () => {}).next(),
        codeOf('NW_ECLONE'));
});

check('what cannot be read here ends its task', async (t) => {
    const pool = open(t, { maxWorkers: 1,
        resourceLimits: { stackSizeMb: 64 } });
    const unread = { code: 'NW_ECLONE', message: /call stack/ };
    const depth = 100_000;
    await assert.rejects(pool.run('deepResult', depth), unread);

    const stream = pool.stream('deep', depth);
    assert.deepEqual(await stream.next(), { value: 'before', done: false });
    await assert.rejects(stream.next(), unread);
    assert.deepEqual(await stream.next(), { value: undefined, done: true });

    const messages = [];
    await assert.rejects(pool.run('sendDeep', depth,
        { onMessage: (message) => messages.push(message) }), unread);
    assert.deepEqual(messages, ['before']);
    assert.deepEqual(await collect(pool.stream('numbers', 2)), [0, 1]);
});

check('the worker dies in the middle of a stream', async (t) => {
    const pool = makePool(t, { cancel: 'end' });
    const stream = pool.stream('spin');
    await stream.next();
    const reads =
        assert.rejects(stream.next(), codeOf('NW_ECANCELED'));
    await pool.destroy();
    await reads;
});

check('close() waits for the end of a stream', async (t) => {
    const pool = open(t);
    const stream = pool.stream('numbers', 500);
    const closed = pool.close();
    assert.equal((await collect(stream)).length, 500);
    await closed;
});

// -- messages

check('messages come before the result, in order', async (t) => {
    const pool = makePool(t);
    const got = [];
    const count = await pool.run('send', upTo(200),
        { onMessage: (value) => got.push(value) });
    assert.equal(count, 200);
    assert.deepEqual(got, upTo(200));
});

check('messages belong to their task', async (t) => {
    const pool = makePool(t, { concurrency: 4 });
    await Promise.all(upTo(8).map(async (i) => {
        const got = [];
        await pool.run('send', Array(20).fill(i),
            { onMessage: (value) => got.push(value) });
        assert.deepEqual(got, Array(20).fill(i));
    }));
});

check('messages that nobody wants are dropped', async (t) => {
    const pool = makePool(t);
    assert.equal(await pool.run('send', upTo(500)), 500);
});

check('an error in onMessage is the program\'s', async () => {
    const { code, stderr, stdout } = await runProgram(`
        import { Pool } from 'nwpool';
        const pool = new Pool({ module: './tasks/general.mjs' });
        process.on('uncaughtException', (error) => console.log(error.message));
        await pool.run('send', [1, 2], { onMessage(value) {
            throw new Error('got ' + value);
        } });
        console.log(await pool.run('echo', 'goes on'));
    `);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'got 1\ngot 2\ngoes on\n');
});

check('the id of a task', async (t) => {
    const pool = makePool(t);
    const ids = await Promise.all([pool.run('taskId'), pool.run('taskId')]);
    assert.equal(typeof ids[0], 'number');
    assert.notEqual(ids[0], ids[1]);
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    assert.ok(pool.tasks()[0].id > ids[1]);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await result;
});

check('an event of a port that came with a task', async (t) => {
    const pool = makePool(t);
    const { port1, port2 } = new MessageChannel();
    const { result } =
        await started(pool, 'hold', port1, { transfer: [port1] });
    const closed = once(port2, 'close');
    port2.postMessage('go');
    assert.equal(await result, 'go');
    await closed;
});

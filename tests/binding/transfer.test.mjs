// What moves, and what is shared: there and back.

import assert from 'node:assert/strict';
import { Blob } from 'node:buffer';
import { createSecretKey } from 'node:crypto';
import { once } from 'node:events';

import { transfer } from 'nwpool';

import { check, codeOf, makePool, tasks } from './tools.mjs';

const open = (t, options) =>
    makePool(t, { module: tasks('transfer.mjs'), ...options });

check('an ArrayBuffer moves there', async (t) => {
    const pool = open(t);
    const ways = [
        (buffer) => pool.run('size', buffer, { transfer: [buffer] }),
        (buffer) => pool.run('size', transfer(buffer)),
        (buffer) => pool.apply('size', [transfer(buffer)]),
        (buffer) => pool.run('size', { buffer }, { transfer: [buffer] }),
        (buffer) => pool.run('size', transfer({ buffer }, [buffer])),
    ];
    for (const way of ways) {
        const buffer = new ArrayBuffer(1 << 16);
        assert.equal(await way(buffer), 1 << 16);
        assert.equal(buffer.byteLength, 0);
    }
});

check('without a word it is copied', async (t) => {
    const buffer = new ArrayBuffer(100);
    assert.equal(await open(t).run('size', buffer), 100);
    assert.equal(buffer.byteLength, 100);
});

check('a typed array moves with its buffer', async (t) => {
    const pool = open(t);
    const array = new Float64Array([1, 2, 3]);
    assert.deepEqual(await pool.run('sum', transfer(array)), 6);
    assert.equal(array.length, 0);
    const other = new Uint8Array([4, 5]);
    assert.equal(await pool.run('sum', other, { transfer: [other] }), 9);
    assert.equal(other.length, 0);
});

check('results move back', async (t) => {
    const pool = open(t);
    const { bytes, left } = await pool.run('makeBytes', 1 << 20);
    assert.equal(bytes.byteLength, 1 << 20);
    assert.equal(new Uint8Array(bytes)[5], 5);
    assert.equal(left, undefined);
    const view = await pool.run('makeView', 1000);
    assert.deepEqual([view.length, view[999]], [1000, 231]);
    assert.equal(await pool.run('movedBefore'), 0);
});

check('a refused task takes nothing away', async (t) => {
    const pool = open(t);
    const buffer = new ArrayBuffer(10);
    await assert.rejects(pool.run('size', { buffer, bad: () => {} },
        { transfer: [buffer] }), codeOf('NW_ECLONE'));
    assert.equal(buffer.byteLength, 10);
    await pool.close();
    await assert.rejects(pool.run('size', transfer(buffer)),
        codeOf('NW_ECLOSED'));
    assert.equal(buffer.byteLength, 10);
});

check('ports move there', async (t) => {
    const pool = open(t);
    const { port1, port2 } = new MessageChannel();
    const result = pool.run('greet', port1, { transfer: [port1] });
    const message = once(port2, 'message');
    assert.equal((await message)[0].data ?? (await message)[0], 'hello');
    port2.postMessage('and back');
    assert.equal(await result, 'and back');
    const closed = once(port2, 'close');
    port2.close();
    await closed;
});

check('a port that is not listed is refused', async (t) => {
    const pool = open(t);
    const { port1, port2 } = new MessageChannel();
    await assert.rejects(pool.run('greet', port1), codeOf('NW_ECLONE'));
    await assert.rejects(pool.run('greet', { port1 }), codeOf('NW_ECLONE'));
    // It is still the caller's.
    const message = once(port2, 'message');
    port2.start?.();
    port1.postMessage('alive');
    const [got] = await message;
    assert.equal(got.data ?? got, 'alive');
    port1.close();
});

check('ports come in results', async (t) => {
    const pool = open(t);
    for (const name of ['makePort', 'makePortInside']) {
        const result = await pool.run(name);
        const port = result.port ?? result;
        port.postMessage('ping');
        const [got] = await once(port, 'message');
        assert.equal(got.data ?? got, 'ping back');
        port.close();
    }
});

check('ports go through from one worker to another', async (t) => {
    const pool = open(t, { minWorkers: 2, maxWorkers: 2 });
    const [a, b] = await pool.run('makeChannel');
    const greets = pool.run('greet', a, { transfer: [a] });
    const answers = pool.run('answerGreeting', b, { transfer: [b] });
    assert.deepEqual(await Promise.all([greets, answers]),
        ['thank you', 'hello']);
});

check('shared memory is shared', async (t) => {
    const pool = open(t, { minWorkers: 2, maxWorkers: 2 });
    await pool.ready();
    const counter = new Int32Array(new SharedArrayBuffer(4));
    await Promise.all(Array.from({ length: 100 }, () =>
        pool.run('increment', counter)));
    assert.equal(counter[0], 100);
    const made = await pool.run('makeShared');
    Atomics.store(made, 0, 7);
    assert.equal(await pool.run('first', made), 7);
    assert.ok(made.buffer instanceof SharedArrayBuffer);
    const retried = await pool.run('increment', counter, { retries: 2 });
    assert.equal(retried, 101);
    await pool.ready();
    await pool.runOnEach('increment', counter);
    assert.equal(counter[0], 103);
});

check('keys and blobs', async (t) => {
    const pool = open(t);
    const key = createSecretKey(Buffer.from('a secret'));
    assert.equal(await pool.run('hmac', key), await pool.run('hmac', key));
    assert.match(await pool.run('hmac', key), /^[0-9a-f]{64}$/);
    assert.equal(key.export().toString(), 'a secret');
    const made = await pool.run('makeKey');
    assert.equal(made.export().toString(), 'made there');
    const blob = new Blob(['some', 'text']);
    assert.equal(await pool.run('textOf', blob), 'sometext');
    const back = await pool.run('makeBlob');
    assert.equal(await back.text(), 'of the worker');
    const keys = await pool.run('hmac', key, { retries: 1 });
    assert.equal(keys, await pool.run('hmac', key));
});

check('a compiled WebAssembly module', async (t) => {
    // (module (func (export "f") (result i32) i32.const 42))
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0,
        1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]);
    assert.equal(
        await open(t).run('runWasm', await WebAssembly.compile(bytes)), 42);
});

check('objects that are gone are collected', async (t) => {
    const pool = open(t);
    for (let i = 0; i < 200; i++) {
        const { port1, port2 } = new MessageChannel();
        assert.equal(await pool.run('closePort', port1, { transfer: [port1] }),
            'closed');
        port2.close();
    }
    const alive = process.getActiveResourcesInfo()
        .filter((name) => name === 'MessagePort').length;
    assert.ok(alive < 50, `${alive} ports`);
});

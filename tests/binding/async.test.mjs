// Asynchronous context: async_hooks, AsyncLocalStorage, diagnostics_channel.

import assert from 'node:assert/strict';
import { AsyncLocalStorage, createHook, executionAsyncId } from
    'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';

import { check, eventually, makePool, tasks } from './tools.mjs';

check('AsyncLocalStorage in await, then() and callbacks', async (t) => {
    const pool = makePool(t);
    const storage = new AsyncLocalStorage();
    await Promise.all(Array.from({ length: 50 }, (_, i) =>
        storage.run(i, async () => {
            await pool.run('later', i);
            assert.equal(storage.getStore(), i);
            await pool.run('echo', i).then(() =>
                assert.equal(storage.getStore(), i));
            await pool.run('missing').catch(() =>
                assert.equal(storage.getStore(), i));
            await pool.run('echo', i).finally(() =>
                assert.equal(storage.getStore(), i));
            let stores = [];
            await pool.run('send', [1, 2],
                { onMessage: () => stores.push(storage.getStore()) });
            assert.deepEqual(stores, [i, i]);
            for await (const value of pool.stream('send', [1, 2])) {
                assert.equal(storage.getStore(), i, value);
            }
        })));
});

check('AsyncLocalStorage where a store is entered later', async (t) => {
    const pool = makePool(t);
    const storage = new AsyncLocalStorage();
    const result = storage.run('submitted', () => pool.run('later', 1));
    await storage.run('awaited', async () => {
        await result;
        assert.equal(storage.getStore(), 'awaited');
    });
});

check('one init, before, after and destroy for each task', async (t) => {
    const pool = makePool(t, { module: tasks('errors.mjs') });
    await pool.run('returned');
    const seen = new Map();
    const note = (id, what) => seen.get(id)?.push(what);
    const parent = new Map();
    const hook = createHook({
        init(id, type, trigger) {
            if (type === 'NWPOOL_TASK') {
                seen.set(id, ['init']);
                parent.set(id, trigger);
            }
        },
        before: (id) => note(id, 'before'),
        after: (id) => note(id, 'after'),
        destroy: (id) => note(id, 'destroy'),
    }).enable();
    t.after(() => hook.disable());
    const trigger = executionAsyncId();
    await Promise.allSettled([
        pool.run('returned'), pool.run('returned'), pool.run('subclass'),
        pool.apply('raw', [1]), pool.run('missing'),
        pool.run('returned', () => {}),
        pool.run('returned', 1, { signal: AbortSignal.abort() }),
    ]);
    await eventually(() =>
        [...seen.values()].every((list) => list.includes('destroy')));
    hook.disable();
    assert.equal(seen.size, 7);
    for (const [id, list] of seen) {
        assert.deepEqual(list, ['init', 'before', 'after', 'destroy']);
        assert.equal(parent.get(id), trigger);
    }
});

const kinds = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

function trace(t) {
    const published = [];
    for (const kind of kinds) {
        const name = `tracing:nwpool.task:${kind}`;
        const listener = (message) => published.push([kind, message]);
        diagnostics.subscribe(name, listener);
        t.after(() => diagnostics.unsubscribe(name, listener));
    }
    return published;
}

check('diagnostics_channel of a task that succeeds', async (t) => {
    const pool = makePool(t);
    const published = trace(t);
    assert.equal(await pool.run('echo', 'x'), 'x');
    assert.deepEqual(published.map(([kind]) => kind),
        ['start', 'end', 'asyncStart', 'asyncEnd']);
    const [, message] = published[0];
    assert.ok(published.every(([, other]) => other === message));
    assert.equal(message.pool, pool);
    assert.equal(message.name, 'echo');
    assert.equal(typeof message.task, 'number');
    assert.equal(message.result, 'x');
});

check('diagnostics_channel of tasks that fail', async (t) => {
    const pool = makePool(t, { module: tasks('errors.mjs') });
    const published = trace(t);
    await assert.rejects(pool.run('subclass'));
    assert.deepEqual(published.map(([kind]) => kind),
        ['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    assert.equal(published[0][1].error.status, 404);

    published.length = 0;
    await assert.rejects(pool.run('returned', () => {}));
    const refused = published.map(([kind]) => kind);
    assert.equal(refused[0], 'start');
    assert.equal(refused.filter((kind) => kind === 'end').length, 1,
        String(refused));
    assert.ok(refused.includes('error'));
    assert.equal(published[0][1].error.code, 'NW_ECLONE');
});

check('TracingChannel sees tasks', {
    skip: diagnostics.tracingChannel === undefined && 'this Node.js has none',
}, async (t) => {
    const pool = makePool(t);
    const seen = [];
    const subscribers = Object.fromEntries(kinds.map((kind) =>
        [kind, () => seen.push(kind)]));
    const channel = diagnostics.tracingChannel('nwpool.task');
    channel.subscribe(subscribers);
    t.after(() => channel.unsubscribe(subscribers));
    await pool.run('later', 1);
    assert.deepEqual(seen, ['start', 'end', 'asyncStart', 'asyncEnd']);
});

check('tracing that begins in the middle of a task', async (t) => {
    const pool = makePool(t);
    const result = pool.run('later', 1);
    const published = trace(t);
    assert.equal(await result, 1);
    assert.deepEqual(published, []);
});

// Workers come and go: set-up, tear-down, recycling, reloading, events.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { check, codeOf, makePool, nextEvent, outcomes, runProgram, started,
    tasks } from './tools.mjs';

const shared = () => new Int32Array(new SharedArrayBuffer(8));

const hooks = { module: tasks('lifecycle.mjs'), setUp: 'setUp',
    tearDown: 'tearDown' };

check('set-up is before the first task, tear-down after the last',
    async (t) => {
        const counts = shared();
        const pool = makePool(t, { ...hooks, minWorkers: 2, maxWorkers: 2,
            workerData: { counts } });
        assert.equal(await pool.run('wasSetUp'), true);
        await pool.ready();
        await pool.close();
        assert.deepEqual([...counts], [2, 2]);
    });

check('tear-down of workers that have ended a task just now', async (t) => {
    for (let i = 0; i < 20; i++) {
        const counts = shared();
        const pool = makePool(t, { ...hooks, workerData: { counts } });
        const results = Array.from({ length: 10 }, () => pool.run('wasSetUp'));
        await Promise.all([...results, pool.close()]);
        assert.deepEqual([...counts], [1, 1]);
    }
});

check('a set-up that fails', async (t) => {
    const pool = makePool(t, { ...hooks, workerData: { fail: 'setUp' } });
    await assert.rejects(pool.run('wasSetUp'), (error) => {
        assert.equal(error.code, 'NW_EMODULE');
        assert.match(error.message, /"setUp".*no set-up today/);
        assert.equal(error.cause.message, 'no set-up today');
        return true;
    });
});

check('a tear-down that fails', async (t) => {
    const pool = makePool(t, { ...hooks,
        workerData: { counts: shared(), fail: 'tearDown' } });
    assert.equal(await pool.run('wasSetUp'), true);
    const exited = nextEvent(pool, 'workerExited');
    await pool.close();
    assert.match((await exited).error.message, /no tear-down today/);
});

check('hooks that there are not', async (t) => {
    for (const [name, message] of [['setUp', /set-up function is missing/],
        ['tearDown', /tear-down function is missing/]]) {
        const pool = makePool(t, { ...hooks, [name]: 'missing' });
        await assert.rejects(pool.run('wasSetUp'), message);
    }
});

check('tear-down by destroy(), too', async (t) => {
    const counts = shared();
    const pool = makePool(t, { ...hooks, workerData: { counts } });
    await pool.run('wasSetUp');
    await pool.destroy();
    assert.deepEqual([...counts], [1, 1]);
});

check('recycleTasks', async (t) => {
    const pool = makePool(t, { recycleTasks: 3 });
    const recycled = nextEvent(pool, 'workerRecycled');
    const replaced = nextEvent(pool, 'workerReplaced');
    const before = await pool.run('thread');
    await pool.run('echo', 2);
    await pool.run('echo', 3);
    const { worker, reason } = await recycled;
    assert.equal(typeof worker, 'number');
    assert.match(reason, /./);
    await replaced;
    assert.notEqual(await pool.run('thread'), before);
    assert.equal(pool.stats().recycled, 1);
    assert.equal(pool.stats().crashed, 0);
});

check('recycleAge and recycleMemory', async (t) => {
    for (const options of [{ recycleAge: 1 }, { recycleMemory: 1 }]) {
        const pool = makePool(t, options);
        const replaced = nextEvent(pool, 'workerReplaced');
        await pool.run('echo', 1);
        const { worker, replacement } = await replaced;
        assert.ok(replacement > worker);
        assert.equal(await pool.run('echo', 1), 1);
    }
});

check('recycling runs each task once', async (t) => {
    const pool = makePool(t,
        { recycleTasks: 5, minWorkers: 2, maxWorkers: 2 });
    const counter = shared();
    await Promise.all(Array.from({ length: 300 }, () =>
        pool.run('count', counter)));
    assert.equal(counter[0], 300);
});

function temporaryModule(t, text) {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'nwpool-test-'));
    t.after(() => fs.rmSync(directory, { recursive: true }));
    const file = path.join(directory, 'module.mjs');
    fs.writeFileSync(file, text);
    return file;
}

check('reload() takes the new text of the module', async (t) => {
    const module =
        temporaryModule(t, 'export const version = () => "old";');
    const pool = makePool(t, { module, minWorkers: 2, maxWorkers: 2 });
    assert.equal(await pool.run('version'), 'old');
    fs.writeFileSync(module, 'export const version = () => "new";');
    assert.equal(await pool.run('version'), 'old');
    const reloaded = nextEvent(pool, 'reloaded');
    await pool.reload();
    await reloaded;
    assert.deepEqual(await pool.runOnEach('version'), ['new', 'new']);
});

check('reload() of another module', async (t) => {
    const pool = makePool(t);
    await pool.run('echo', 1);
    await pool.reload(tasks('common.cjs'));
    assert.equal(await pool.run('half', 1), 'half 1');
});

check('reload() of one that does not load leaves the old', async (t) => {
    const pool = makePool(t);
    const before = await pool.run('thread');
    await assert.rejects(pool.reload(tasks('throws-at-load.mjs')),
        /this module does not load/);
    assert.equal(await pool.run('thread'), before);
    await assert.rejects(pool.reload(5), /module/);
});

check('reload() of a pool that is destroyed meanwhile', async (t) => {
    const pool = makePool(t);
    await pool.run('echo', 1);
    const result = pool.reload(tasks('slow-at-load.mjs'));
    const ends = outcomes([result]);
    await pool.destroy();
    assert.deepEqual(await ends, ['NW_ECLOSED']);
});

check('reload() waits for what runs', async (t) => {
    const pool = makePool(t);
    const gate = shared();
    const { result } = await started(pool, 'block', gate);
    const reloaded = pool.reload();
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    assert.equal(await result, 'released');
    await reloaded;
});

check('events of a worker\'s life', async (t) => {
    const pool = makePool(t, { module: tasks('crashes.mjs') });
    const all = [];
    pool.on('event', ({ type }) => all.push(type));
    const begun = nextEvent(pool, 'workerStarted');
    const ready = nextEvent(pool, 'workerReady');
    const exited = nextEvent(pool, 'workerExited');
    await assert.rejects(pool.run('throwLater'), codeOf('NW_ECRASHED'));
    const { worker } = await begun;
    assert.equal((await ready).worker, worker);
    const exit = await exited;
    assert.equal(exit.worker, worker);
    assert.equal(exit.exitCode, 1);
    assert.equal(exit.error.message, 'thrown later');
    assert.match(exit.error.stack, /RangeError: thrown later/);
    assert.equal(await pool.run('echo', 1), 1);
    // The next one is on its way before the last is gone.
    assert.deepEqual(all.slice(0, 2), ['workerStarted', 'workerReady']);
    assert.equal(all.filter((type) => type === 'workerExited').length, 1);
});

check('degraded, failed', async (t) => {
    const pool = makePool(t, { module: tasks('throws-at-load.mjs') });
    const failed = nextEvent(pool, 'failed');
    const result = outcomes([pool.run('echo')]);
    const { error } = await failed;
    assert.match(error.message, /this module does not load/);
    await result;
    assert.equal(pool.stats().hasFailed, true);
});

check('an error in a listener is the program\'s, and the pool goes on',
    async () => {
        const { code, stdout, stderr } = await runProgram(`
            import { Pool } from 'nwpool';
            process.on('uncaughtException', ({ message }) =>
                console.log(message));
            const pool = new Pool({ module: './tasks/general.mjs',
                maxWorkers: 1 });
            for (const type of ['workerReady', 'workerExited']) {
                pool.once(type, () => {
                    throw new Error('in ' + type);
                });
            }
            console.log(await pool.run('echo', 'result'));
            await pool.close();
            const other = new Pool({ module: './tasks/general.mjs' });
            console.log(await other.run('echo', 'other'));
        `);
        assert.equal(code, 0, stderr);
        assert.deepEqual(stdout.trim().split('\n').sort(),
            ['in workerExited', 'in workerReady', 'other', 'result']);
    });

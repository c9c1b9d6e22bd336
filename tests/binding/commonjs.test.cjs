// The package by require().

'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');

const nwpool = require('nwpool');

const options = { timeout: 30_000 };

test('exports', options, async () => {
    assert.deepEqual(Object.keys(nwpool).sort(),
        ['Pool', 'PoolError', 'context', 'poolify', 'poolifyAll', 'task',
            'transfer']);
    assert.equal((await import('nwpool')).Pool, nwpool.Pool);
    assert.match(require('nwpool/package.json').version, /^\d/);
});

test('a pool', options, async () => {
    const pool = new nwpool.Pool({
        module: path.join(__dirname, 'tasks/general.mjs'),
        maxWorkers: 1,
    });
    assert.equal(await pool.run('echo', 1), 1);
    await assert.rejects(pool.run('missing'), nwpool.PoolError);
    await pool.close();
});

test('functions', options, async () => {
    const double = nwpool.poolify((x) => 2 * x, { maxWorkers: 1 });
    assert.equal(await double(2), 4);
    await double.pool.close();
    const { half } = nwpool.poolifyAll(
        path.join(__dirname, 'tasks/common.cjs'), { maxWorkers: 1 });
    assert.equal(await half(2), 'half 2');
    await half.pool.close();
});

test('a worker may require the package itself', options, async () => {
    const inside = nwpool.poolify(() => {
        const { task, transfer } = require('nwpool');
        return transfer([typeof task.id, typeof task.send], []);
    }, { maxWorkers: 1 });
    const cwd = process.cwd();
    process.chdir(__dirname);
    try {
        assert.deepEqual(await inside(), ['number', 'function']);
        await inside.pool.close();
    } finally {
        process.chdir(cwd);
    }
});

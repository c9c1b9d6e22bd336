// Functions that run on a pool without a word about pools.

import assert from 'node:assert/strict';
import { threadId } from 'node:worker_threads';

import { Pool, poolify, poolifyAll } from 'nwpool';

import { check, makePool, runsWell, tasks } from './tools.mjs';

const outer = 5;

check('a function by its source', async (t) => {
    const pool = makePool(t);
    const fib = poolify(function fib(n) {
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
    }, { pool });
    assert.equal(await fib(15), 610);
    assert.equal(fib.name, 'fib');
    assert.equal(fib.pool, pool);
});

check('all kinds of functions', async (t) => {
    const pool = makePool(t);
    const kinds = {
        method(a, b) {
            return a + b;
        },
        async asyncMethod(a, b) {
            return a + b;
        },
        'a name with spaces'(a, b) {
            return a + b;
        },
        ['comp' + 'uted']: (a, b) => a + b,
        async: async (a, b) => a + b,
        anonymous: function (a, b) {
            return a + b;
        },
        short: (a, b) => { return a + b; },
        defaults: (a, b = 2, ...rest) => a + b + rest.length,
        // A comment that ends the function.
        commented: (a, b) => a + b, // here
    };
    for (const [name, action] of Object.entries(kinds)) {
        assert.equal(await poolify(action, { pool })(1, 2), 3, name);
    }
    const one = poolify(x => x * 2, { pool });
    assert.equal(await one(4), 8);
    assert.equal(await poolify(async x => x * 2, { pool })(4), 8);
    const later = poolify(async () => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return require('worker_threads').threadId;
    }, { pool });
    assert.notEqual(await later(), threadId);
});

check('methods of classes', async (t) => {
    const pool = makePool(t);
    class Tools {
        double(a) {
            return 2 * a;
        }

        static async triple(a) {
            return 3 * a;
        }

        static get() {
            return 'get';
        }
    }
    assert.equal(await poolify(new Tools().double, { pool })(2), 4);
    assert.equal(await poolify(Tools.triple, { pool })(2), 6);
    assert.equal(await poolify(Tools.get, { pool })(), 'get');
});

check('generators are streams', async (t) => {
    const pool = makePool(t);
    const object = {
        * plain(n) {
            for (let i = 0; i < n; i++) {
                yield i;
            }
        },
        async* later(n) {
            for (let i = 0; i < n; i++) {
                yield i;
            }
        },
    };
    for (const action of [object.plain, object.later,
        function* (n) { yield* Array(n).keys(); }]) {
        const values = [];
        for await (const value of poolify(action, { pool })(3)) {
            values.push(value);
        }
        assert.deepEqual(values, [0, 1, 2]);
    }
});

check('import() and require() in a function by its source', async (t) => {
    const pool = makePool(t);
    const imports = poolify(async () => {
        const { basename } = await import('node:path');
        return basename('/a/b');
    }, { pool });
    assert.equal(await imports(), 'b');
    const requires = poolify(() => require('path').basename('/a/c'), { pool });
    assert.equal(await requires(), 'c');
});

check('a variable that is missing there is named', async (t) => {
    const pool = makePool(t);
    const uses = poolify(function usesOuter() {
        return outer + 1;
    }, { pool });
    const usesLater = poolify(async () => {
        await undefined;
        return outer + 1;
    }, { pool });
    for (const action of [uses, usesLater]) {
        await assert.rejects(action(), (error) => {
            assert.ok(error instanceof ReferenceError);
            assert.match(error.message, /outer is not defined/);
            assert.match(error.message, /pass outer as an argument/);
            assert.match(error.stack, /pass outer as an argument/);
            return true;
        });
    }
    const generates = poolify(function* () {
        yield 1;
        yield outer;
    }, { pool });
    await assert.rejects(async () => {
        for await (const value of generates()) {
            assert.equal(value, 1);
        }
    }, /pass outer as an argument/);
});

check('what has no source is refused', () => {
    class Refused {}
    const cases = [
        [(() => 1).bind(null), /"bound .*" has no source/],
        [Math.max, /"max" has no source/],
        [Refused, /"Refused" is a class/],
        [class {}, /is a class/],
        [5, /poolify\(\) takes a function/],
        [undefined, /poolify\(\) takes a function/],
        [{ toString() { return 'a'; } }, /poolify\(\) takes a function/],
    ];
    for (const [what, message] of cases) {
        assert.throws(() => poolify(what),
            { name: 'TypeError', code: 'NW_EINVAL', message });
    }
    const derived = {
        __proto__: { hello: () => 'hello' },
        greet() {
            return super.hello();
        },
    };
    // In an object of its own it compiles, and finds nothing above it.
    assert.doesNotThrow(() => poolify(derived.greet));
});

check('an export of a module', async (t) => {
    const module = tasks('general.mjs');
    const answer = poolify(module, { maxWorkers: 1 });
    t.after(() => answer.pool.destroy());
    assert.equal(await answer(), 42);
    assert.equal(answer.name, 'general');
    const add = poolify(new URL('./tasks/general.mjs', import.meta.url),
        { name: 'add', pool: answer.pool });
    assert.equal(add.name, 'add');
    assert.equal(await add(1, 2), 3);
    const common = poolify(tasks('common.cjs'), { maxWorkers: 1 });
    t.after(() => common.pool.destroy());
    assert.equal(await common('x'), 'whole x');
    const missing = poolify(module, { name: 'missing', pool: answer.pool });
    await assert.rejects(missing(), { code: 'NW_EMODULE' });
});

check('functions of one module share a pool', async (t) => {
    const module = tasks('general.mjs');
    const add = poolify(module, { name: 'add' });
    const echo = poolify(module, { name: 'echo' });
    t.after(() => add.pool.destroy());
    assert.equal(add.pool, echo.pool);
    assert.notEqual(poolify((x) => x).pool, add.pool);
    assert.equal(poolify((x) => x).pool, poolify((y) => y).pool);
});

check('poolifyAll()', async (t) => {
    const all = poolifyAll(tasks('general.mjs'), { maxWorkers: 1 });
    t.after(() => all.add.pool.destroy());
    assert.equal(await all.add(1, 2), 3);
    assert.equal(await all.default(), 42);
    assert.equal(all.add, all.add);
    assert.equal(all.add.pool, all.default.pool);
    assert.equal(await Promise.resolve(all), all);
    await assert.rejects(all.missing(), { code: 'NW_EMODULE' });
    const { echo } = all;
    assert.equal(await echo('x'), 'x');
});

check('with() gives options to each call', async (t) => {
    const pool = makePool(t);
    const spin = poolify(() => {
        for (;;);
    }, { pool });
    await assert.rejects(spin.with({ runLimit: 30 })(),
        { code: 'NW_ETIMEDOUT' });
    const many = poolify((n) => Array(n).fill(0).values(), { pool });
    const values = [];
    for await (const value of many.stream(2)) {
        values.push(value);
    }
    assert.deepEqual(values, [0, 0]);
});

check('options of poolify()', async (t) => {
    const pool = makePool(t);
    assert.throws(() => poolify(() => 1, { maxWorker: 1 }).pool, /"maxWorker"/);
    assert.throws(() => poolify(() => 1, { module: 'x' }).pool, /"module"/);
    assert.throws(() => poolify(() => 1, { pool, maxWorkers: 1 }).pool,
        /maxWorkers/);
    const own = poolify(() => process.env.MINE,
        { maxWorkers: 1, env: { MINE: 'yes' } });
    assert.equal(await own(), 'yes');
    await own.pool.close();
    assert.equal(await own(), 'yes', 'a closed pool is replaced');
    await own.pool.close();
});

check('one function made into many is one function', async (t) => {
    const pool = makePool(t);
    for (let i = 0; i < 5000; i++) {
        assert.equal(await poolify((x) => x + 1, { pool })(i), i + 1);
    }
});

check('functions of different threads are different ones', async () => {
    const stdout = await runsWell(`
        import { Worker, isMainThread } from 'node:worker_threads';
        import { poolify } from 'nwpool';

        const mine = poolify(() => 'of main', { maxWorkers: 1 });
        console.log(await mine());
        const worker = new Worker(\`
            const { poolify } = require('nwpool');
            const theirs = poolify(() => 'of the thread', { maxWorkers: 1 });
            theirs().then(async (value) => {
                console.log(value);
                await theirs.pool.close();
            });
        \`, { eval: true, execArgv: [] });
        await new Promise((resolve) => worker.on('exit', resolve));
    `);
    assert.equal(stdout, 'of main\nof the thread\n');
});

check('a pool of no module of one\'s own', async (t) => {
    const pool = new Pool({ module: tasks('common.cjs'), maxWorkers: 1 });
    t.after(() => pool.destroy());
    assert.equal(await poolify(() => 1, { pool })(), 1);
});

// What a task throws arrives as it was thrown, and says where it came from.

import assert from 'node:assert/strict';

import { PoolError, poolify } from 'nwpool';

import { check, makePool, runProgram, tasks } from './tools.mjs';

const open = (t, options) =>
    makePool(t, { module: tasks('errors.mjs'), ...options });

async function thrown(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    return assert.fail('it did not reject');
}

check('errors of the language keep their class', async (t) => {
    const pool = open(t);
    const names = ['Error', 'TypeError', 'RangeError', 'SyntaxError',
        'ReferenceError', 'EvalError', 'URIError'];
    for (const name of names) {
        const error = await thrown(pool.run('builtIn', name));
        assert.ok(error instanceof globalThis[name]);
        assert.equal(error.name, name);
        assert.equal(error.message, `a ${name}`);
        assert.equal(Object.hasOwn(error, 'code'), false);
        assert.deepEqual(Object.keys(error), []);
    }
});

check('a subclass keeps its name and its properties', async (t) => {
    const error = await thrown(open(t).run('subclass'));
    assert.ok(error instanceof Error);
    assert.equal(error.name, 'HttpError');
    assert.equal(error.message, 'not found');
    assert.equal(error.status, 404);
    assert.deepEqual(error.headers, { accept: ['a', 'b'] });
    assert.match(error.stack, /^HttpError: not found\n|^Error: not found\n/);
});

check('a name of its own', async (t) => {
    const error = await thrown(open(t).run('named'));
    assert.equal(error.name, 'VerySpecialError');
});

check('a code, and own properties', async (t) => {
    const error = await thrown(open(t).run('coded'));
    assert.ok(error instanceof TypeError);
    assert.equal(error.code, 'E_MINE');
    assert.equal(error.n, 1n);
});

check('a chain of causes', async (t) => {
    const error = await thrown(open(t).run('caused'));
    assert.equal(error.message, 'outer');
    assert.ok(error.cause instanceof RangeError);
    assert.equal(error.cause.message, 'middle');
    assert.equal(error.cause.code, 'E_MIDDLE');
    assert.deepEqual(error.cause.cause, { plain: [1, 2] });
    assert.match(error.cause.stack, /errors\.mjs/);
    assert.equal(Object.prototype.propertyIsEnumerable.call(error, 'cause'),
        false);
});

check('AggregateError with its errors', async (t) => {
    const error = await thrown(open(t).run('aggregate'));
    assert.ok(error instanceof AggregateError);
    assert.equal(error.message, 'many');
    assert.equal(error.errors.length, 3);
    assert.ok(error.errors[0] instanceof TypeError);
    assert.equal(error.errors[1].code, 2);
    assert.equal(error.errors[2], 3);
});

check('what is no error is what it was', async (t) => {
    const pool = open(t);
    for (const value of [null, undefined, 0, '', false, NaN, 1n, 'text',
        { plain: { object: 1 } }, [1, 2]]) {
        for (const name of ['raw', 'rejectRaw']) {
            assert.deepEqual(await thrown(pool.run(name, value)), value);
        }
    }
    assert.equal(pool.stats().restarts, 0);
});

check('properties that cannot be sent are left out', async (t) => {
    const error = await thrown(open(t).run('circular'));
    assert.equal(error.message, 'circular');
    assert.equal(error.kept, 'kept');
    assert.equal(error.action, undefined);
});

check('DOMException, and an error of Node.js', async (t) => {
    const pool = open(t);
    const dom = await thrown(pool.run('domException'));
    assert.ok(dom instanceof Error);
    assert.equal(dom.name, 'DataError');
    assert.equal(dom.message, 'a word');
    const node = await thrown(pool.run('fromNode'));
    assert.ok(node instanceof TypeError);
    assert.equal(node.code, 'ERR_INVALID_URL');
});

check('an error as a result', async (t) => {
    const error = await open(t).run('returned');
    assert.ok(error instanceof RangeError);
    assert.equal(error.code, 'E_VALUE');
});

check('errors of the pool', async (t) => {
    const pool = open(t);
    const error = await thrown(pool.run('missing'));
    assert.ok(error instanceof PoolError);
    assert.ok(error instanceof Error);
    assert.equal(error.name, 'PoolError');
    assert.equal(error.code, 'NW_EMODULE');
    assert.equal(typeof error.task, 'number');
});

// -- stacks

async function outerCaller(pool) {
    return await innerCaller(pool);
}

async function innerCaller(pool) {
    return await pool.run('deepInTheWorker');
}

function assertStack(stack) {
    const lines = stack.split('\n');
    const worker = lines.findIndex((line) => /innermostFrame/.test(line));
    const caller = lines.findIndex((line) => /innerCaller/.test(line));
    assert.match(lines[0], /^Error: with frames$/);
    assert.equal(worker, 1, stack);
    assert.ok(caller > worker, stack);
    assert.match(stack, /deepInTheWorker/);
    assert.match(stack, /outerCaller/);
    assert.doesNotMatch(stack, /binding\/lib|node_modules\/nwpool\/lib/);
    assert.doesNotMatch(stack, /nwpool:pool/);
}

check('the stack goes on with the caller', async (t) => {
    const pool = open(t);
    const error = await thrown(outerCaller(pool));
    assertStack(error.stack);
});

check('the stack goes on also with many in flight', async (t) => {
    const pool = open(t);
    const others = Array.from({ length: 200 }, () =>
        pool.run('returned'));
    const error = await thrown(outerCaller(pool));
    assertStack(error.stack);
    await Promise.all(others);
});

check('the stack of a refusal and of a function by source', async (t) => {
    const pool = open(t);
    async function callsMissing() {
        await pool.run('missing');
    }
    assert.match((await thrown(callsMissing())).stack, /callsMissing/);

    const broken = poolify(function brokenFunction() {
        throw new Error('by source');
    }, { pool });
    async function callsBroken() {
        await broken();
    }
    const error = await thrown(callsBroken());
    assert.match(error.stack, /brokenFunction[^]*callsBroken/);
});

check('an error that nobody handles ends the program as one of its own',
    async () => {
        const { code, stderr } = await runProgram(`
            import { Pool } from 'nwpool';
            const pool = new Pool({ module: './tasks/errors.mjs' });
            async function nobodyHandles() {
                await pool.run('coded');
            }
            nobodyHandles();
        `);
        assert.equal(code, 1, stderr);
        assert.match(stderr, /TypeError: with a code/);
        assert.match(stderr, /nobodyHandles/);
    });

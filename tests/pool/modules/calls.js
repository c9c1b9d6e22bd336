// Calls the C functions of test_call.c.

const assert = require('assert');
const { AsyncLocalStorage } = require('async_hooks');
const { Worker } = require('worker_threads');

const c = nwpool.functions;

// Whether C's `echo` gives back what it got.
function echoes(...values) {
    for (const value of values) {
        assert.deepStrictEqual(c.echo(value), value);
    }
    return values.length;
}

exports.primitives = () => echoes(undefined, null, true, false, 0, -0, 1.5,
    -1e300, NaN, Infinity, 2 ** 53, '', 'text', 'gr\u00f6\u00dfe', '\u65e5\u672c',
    '\ud83d\ude00', 'nul\0inside', 'x'.repeat(251), 'y'.repeat(252),
    '\u65e5'.repeat(84), '\u65e5'.repeat(85), 'z'.repeat(100000));

exports.surrogate = () => c.echo('a\ud800b') === 'a\ufffdb';

exports.objects = () => echoes([], {}, [1, [2, [3]]], { a: { b: 'c' } },
    new Uint8Array([1, 2, 3]), [undefined, null]);

exports.kinds = () => echoes(10n, -(2n ** 70n), new Date(5), /a+/gi,
    new Map([[1, { a: 2 }]]), new Set(['a', 'b']), Object(1), Object('s'),
    new Float64Array([0.5]), new Uint8Array([1, 2]).buffer,
    new DataView(new ArrayBuffer(3)), [1, , 3]);

exports.identity = () => {
    const object = {};
    const [one, two, three] = c.list(object, 1, object);
    return one === three && one !== object && two === 1;
};

exports.count = (count) => c.list(...Array(count).keys()).length;

exports.thrown = (name, ...args) => {
    try {
        c[name](...args);
    } catch (error) {
        return error instanceof Error ?
            `${error.constructor.name} ${error.name} ${error.code}: ` +
                error.message :
            `${typeof error} ${JSON.stringify(error)}`;
    }
    return 'nothing';
};

exports.unreadable = (kind) => {
    const values = {
        function: () => {}, symbol: Symbol('s'), inside: { f() {} },
        getter: { get a() { throw new Error('from the getter'); } },
    };
    return exports.thrown('echo', values[kind]);
};

exports.unreadableOfTwo = () => exports.thrown('echo', {}, () => {});

// A call while the arguments of another are read.
exports.nested = () => c.list('first', {
    get a() {
        return c.echo({ get b() { return c.echo('inner'); } });
    },
});

exports.where = () => c.where();
exports.call = (name, ...args) => c[name](...args);

const kept = {};
exports.keep = (name) => {
    kept[name] = c[name];
};
exports.callKept = (name, ...args) => kept[name](...args);

exports.listed = () => [Object.keys(c), 'one' in c, 'none' in c, 5 in c,
    typeof c[Symbol.iterator], typeof c.then, JSON.stringify({ c }),
    Object.getPrototypeOf(c) === null];

exports.frozen = () => ['set', 'define', 'delete'].map((how) => {
    'use strict';
    try {
        if (how === 'set') {
            c.one = 1;
        } else if (how === 'define') {
            Object.defineProperty(c, 'two', { value: 2 });
        } else {
            delete c.one;
        }
        return 'done';
    } catch (error) {
        return error.name;
    }
});

function inWorker(source) {
    return new Promise((resolve, reject) => {
        const worker = new Worker(source, { eval: true });
        worker.on('message', resolve);
        worker.on('error', reject);
    });
}

exports.nestedWorker = () => inWorker(`
    const c = process._linkedBinding('nwpool').functions;
    const post = (value) =>
        require('worker_threads').parentPort.postMessage(value);
    const [, worker] = c.where();
    c.soon(5).then((later) => post([c.echo({ a: 1 }), worker, later]));
`);

// -- promises

exports.sum = async (count) => {
    const promises = [];
    for (let i = 0; i < count; i++) {
        promises.push(c.later(i).catch((error) => {
            assert.strictEqual(error, i);
            return 0;
        }));
    }
    const values = await Promise.all(promises);
    return values.reduce((a, b) => a + b);
};

exports.isPromise = () => c.later(1) instanceof Promise;

exports.context = async () => {
    const storage = new AsyncLocalStorage();
    return await Promise.all([1, 2, 3].map((id) => storage.run(id, async () => {
        await c.soon(id);
        return storage.getStore();
    })));
};

exports.order = async () => {
    const order = [];
    const one = c.soon('a').then(() => order.push('a'));
    const two = c.soon('b').then(() => order.push('b'));
    process.nextTick(() => order.push('tick'));
    order.push('sync');
    await Promise.all([one, two]);
    return order;
};

exports.rejection = async () => {
    try {
        await c.refuse();
    } catch (error) {
        return `${error.name}: ${error.message}`;
    }
    return 'nothing';
};

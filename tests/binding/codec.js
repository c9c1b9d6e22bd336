// The addon in a Node.js that was there first: values there and back, in the
// main thread and in workers, what is Node's own among them, and a script that
// is interrupted.
//
//   node codec.js ADDON    built with build.js --testing

'use strict';

const assert = require('assert');
const async_hooks = require('async_hooks');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');
const perf_hooks = require('perf_hooks');
const v8 = require('v8');
const vm = require('vm');
const { isMainThread, MessageChannel, parentPort, Worker, workerData } =
    require('worker_threads');

const file = isMainThread ? process.argv[2] : workerData;
const addon = require(file);
const major = Number(process.versions.node.split('.')[0]);

// `hosts`: how many objects of Node.js it has.
function roundTrip(value, hosts = 0, transfer = undefined) {
    const result = addon.roundTrip(value, transfer);

    assert.strictEqual(result.hosts, hosts);
    return result.value;
}

// -- what structured clone copies

function testValues() {
    const cycle = { list: [] };
    cycle.list.push(cycle);
    const copy = roundTrip(cycle);
    assert.strictEqual(copy.list[0], copy);

    for (const value of [1, -1.5, 'text', '\u{1F600}', 2n ** 80n, null, true,
        undefined, [1, , 3], { a: { b: [1] } }, new Map([[1, { a: 2 }]]),
        new Set(['a']), new Date(5), /a+/gi, new Uint8Array([1, 2]),
        new Float64Array([0.5]), Object.create(null), new Error('x'),
        new RangeError('y', { cause: 1 })]) {
        assert.deepEqual(roundTrip(value), value);
    }
    assert.deepEqual(roundTrip(Buffer.from('abc')),
        new Uint8Array(Buffer.from('abc')));
    if (typeof Float16Array !== 'undefined') {
        assert.deepEqual(roundTrip(new Float16Array([0.5, 2])),
            new Float16Array([0.5, 2]));
    }
}

function testClasses() {
    class Base {
        constructor() {
            this.a = 1;
        }
        get b() {
            throw new Error('was read');
        }
    }
    class Derived extends Base {}

    // Twice: what a prototype is, is decided once.
    for (let i = 0; i < 2; i++) {
        assert.deepStrictEqual(roundTrip(new Base()), { a: 1 });
        assert.deepStrictEqual(roundTrip([new Derived(), new Derived()]),
            [{ a: 1 }, { a: 1 }]);
        assert.deepStrictEqual(roundTrip(Object.create(new Proxy({}, {
            getPrototypeOf() {
                throw new Error('was asked');
            },
            ownKeys() {
                throw new Error('was asked');
            },
        }))), {});
    }
    for (let i = 0; i < 1000; i++) {
        class Another extends Base {}
        roundTrip(new Another());
    }
    assert(addon.isPlain(new Derived()));
    assert(addon.isPlain({}));
    assert.throws(() => roundTrip({ f() {} }), /could not be cloned/);
    assert.throws(() => roundTrip({ get a() {
        throw new Error('mine');
    } }), /mine/);
}

function testBuffers() {
    const buffer = new ArrayBuffer(64);
    const shared = new SharedArrayBuffer(16);

    new Uint8Array(buffer)[3] = 7;
    const moved = roundTrip({ buffer }, 0, [buffer]).buffer;
    assert.strictEqual(buffer.byteLength, 0);
    assert.strictEqual(new Uint8Array(moved)[3], 7);
    const same = addon.roundTrip(shared).value;
    new Uint8Array(same)[1] = 9;
    assert.strictEqual(new Uint8Array(shared)[1], 9);
}

// -- objects of Node.js

async function testHosts() {
    const { port1, port2 } = new MessageChannel();
    const handle = await fs.promises.open(__filename);
    const { subtle } = crypto.webcrypto;
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    const objects = {
        port1,
        handle,
        key: await subtle.generateKey(algorithm, true, ['sign']),
        secret: crypto.createSecretKey(Buffer.alloc(8)),
        blob: new Blob(['x']),
        blockList: new net.BlockList(),
        address: new net.SocketAddress(),
        histogram: perf_hooks.createHistogram(),
        stream: new ReadableStream(),
    };

    for (const [name, object] of Object.entries(objects)) {
        for (let i = 0; i < 2; i++) {
            assert.strictEqual(roundTrip({ object }, 1).object, object, name);
            assert.strictEqual(roundTrip(object, 1, [object]), object, name);
        }
        assert(!addon.isPlain(object), name);
    }
    assert.throws(() => roundTrip({}, 0, [{}]), /nothing that can move/);
    if (major >= 22) {
        const gone = new DOMException('a', 'AbortError');
        assert.strictEqual(addon.roundTrip({ gone }).value.gone, gone);
    }
    port2.close();
    await handle.close();
}

// -- a script that takes too long

function interrupt(script) {
    return new Promise((resolve) => addon.interrupt(script, resolve));
}

// What a name in a stack is, is all that tells the pool's script from others.
function trampoline(text) {
    return vm.runInThisContext(text, { filename: 'nwpool:pool' });
}

async function testInterrupts() {
    const { AsyncLocalStorage, AsyncResource } = async_hooks;
    const resource = new AsyncResource('test');
    const storage = new AsyncLocalStorage();
    const forever = () => {
        for (const end = Date.now() + 5000; Date.now() < end;);
    };
    const call = trampoline('(f) => () => f()');
    const inScope = trampoline('(r, f) => () => ' +
        'r.runInAsyncScope(() => f())');
    const inStorage = trampoline('(s, r, f) => () => s.run({}, () => ' +
        'r.runInAsyncScope(() => f()))');

    for (const way of [call(forever), inScope(resource, forever),
        inStorage(storage, resource, forever)]) {
        for (let i = 0; i < 3; i++) {
            const { hit, stack } = await interrupt(way);
            assert.strictEqual(hit, 'taken');
            assert.match(stack, /at forever \(.*codec\.js/);
            assert.strictEqual(storage.getStore(), undefined);
            await new Promise(setImmediate);
        }
    }
    assert.strictEqual((await interrupt(call(() => 1))).hit, 'none');
}

// -- the flat form

function readScript(name, ...names) {
    return vm.compileFunction(
        fs.readFileSync(path.join(__dirname, '../..', name), 'utf8') +
        `return {${names.join(', ')}};`, ['require'], { filename: name })(require);
}

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

let flat;

function flatTests() {
    const { makeFlat } = readScript('src/js/flat.js', 'makeFlat');
    const { flatCases } = readScript('tests/engine/flat.js', 'flatCases');

    addon.openFlat(makeFlat);
    return flatCases(addon.flatTrip, assert);
}

function testFlat() {
    flat ??= flatTests();
    for (const [name, test] of Object.entries(flat)) {
        if (name !== 'flat_shapes_have_an_end') {
            test(gc);
        }
    }
}

// -- workers

async function testAll() {
    testValues();
    testClasses();
    testBuffers();
    testFlat();
    await testHosts();
    if (!isMainThread) {
        await testInterrupts(); // They are for workers alone.
    }
}

function runWorker(mode) {
    return new Promise((resolve, reject) => {
        const worker =
            new Worker(__filename, { workerData: file, argv: [mode] });

        worker.on('error', reject);
        worker.on('exit', resolve);
        if (mode === 'busy') {
            worker.on('message', () => worker.terminate());
        }
    });
}

async function main() {
    assert.strictEqual(require(file), addon);
    await testAll();
    assert.deepStrictEqual(
        await Promise.all([runWorker('all'), runWorker('all')]), [0, 0]);
    assert.strictEqual(await runWorker('exit'), 3);
    assert.strictEqual(await runWorker('busy'), 1);
    await testAll();
    flat.flat_shapes_have_an_end();
    const maps = fs.readFileSync('/proc/self/maps', 'utf8');
    assert.doesNotMatch(maps, /libnwpool|libjansson/);
    console.log(`${process.version}: as it should be`);
}

const modes = {
    all: testAll,
    exit() {
        roundTrip({ get a() {
            return process.exit(3);
        } });
    },
    busy() {
        parentPort.postMessage('here');
        for (;;) {
            roundTrip([new Map([[1, new Error('x')]]), 'text']);
        }
    },
};

(isMainThread ? main() : modes[process.argv[2]]()); // Rejections end it.

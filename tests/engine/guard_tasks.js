// What the workers of the guard's tests run. Those in `endless` end by being
// hit; each calls reached() first.

const { AsyncLocalStorage, AsyncResource, createHook, executionAsyncId } =
    require('async_hooks');
const EventEmitter = require('events');
const util = require('util');
const vm = require('vm');

const native = process._linkedBinding('guard');
const reached = () => native.reached();
const storage = new AsyncLocalStorage();

function spin() {
    reached();
    for (;;);
}

function spinFor(ms) {
    const end = Date.now() + ms;
    reached();
    while (Date.now() < end);
    return 'spun';
}

// Some microseconds, without a call: clocks are Node's own code.
function work(us) {
    for (let i = 0; i < us * 500; i++);
    return us;
}

// (module (func (export "f") (loop br 0)))
const endlessModule = new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102,
    0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11]);

function recurse(depth) {
    return depth === 0 ? spin() : recurse(depth - 1) + 1;
}

const log = []; // What must not have happened.

exports.endless = {
    loop: spin,
    tryCatchFinally() {
        for (;;) {
            try {
                spin();
            } catch {
                log.push('caught');
            } finally {
                log.push('finally');
            }
        }
    },
    regexp() {
        reached();
        return /^(a+)+$/.test('a'.repeat(60) + 'b');
    },
    atomicsWait() {
        reached();
        return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
    directEval() {
        // eslint-disable-next-line no-eval
        return eval('reached(); for (;;);');
    },
    functionOfText() {
        return new Function('reached', 'reached(); for (;;);')(reached);
    },
    callbacks() {
        return [1, 2].map(() => [3].forEach(() => [4, 5].sort(spin)));
    },
    callbackOfC() {
        return native.call(spin);
    },
    callbackOfCThatIsCaught() {
        for (;;) {
            try {
                native.call(spin);
            } catch {
                log.push('caught');
            }
        }
    },
    getter() {
        return { get x() { return spin(); } }.x;
    },
    proxy() {
        return new Proxy({}, { get: spin }).x;
    },
    generator() {
        return [...(function* () { yield spin(); })()];
    },
    construction() {
        class Spinner {
            constructor() {
                spin();
            }
        }
        return new Spinner();
    },
    reviver() {
        return JSON.parse('[1]', spin);
    },
    deep() {
        return recurse(1000);
    },
    webAssembly() {
        const module = new WebAssembly.Module(endlessModule);
        const { f } = new WebAssembly.Instance(module).exports;
        reached();
        return f();
    },
    startOfAsync() {
        return (async () => spin())();
    },
    whileEncoding() {
        return { toString: spin };
    },
    storeInUse() {
        storage.enterWith('of the task that was hit');
        return spin();
    },
    hooksInUse() {
        createHook({ init() {}, before() {}, after() {}, destroy() {} })
            .enable();
        return spin();
    },
    monitored() {
        process.on('uncaughtExceptionMonitor', () => log.push('monitored'));
        process.on('uncaughtException', () => log.push('uncaught'));
        return spin();
    },
};

// Each runs for so many milliseconds below a frame of Node's own.
exports.below = {
    emitter(ms) {
        const emitter = new EventEmitter();
        let result;
        emitter.on('x', () => { result = spinFor(ms); });
        emitter.emit('x');
        return result;
    },
    eventTarget(ms) {
        const target = new EventTarget();
        target.addEventListener('x', () => spinFor(ms));
        target.dispatchEvent(new Event('x'));
        return 'spun';
    },
    store: (ms) => storage.run('inner', spinFor, ms),
    resource: (ms) => new AsyncResource('X').runInAsyncScope(spinFor, null, ms),
    outsideStore: (ms) => storage.exit(spinFor, ms),
    vmTimeout(ms) {
        globalThis.spinFor = spinFor;
        return vm.runInThisContext(`spinFor(${ms})`, { timeout: 10000 });
    },
    inspection: (ms) => util.inspect({ [util.inspect.custom]: () =>
        spinFor(ms) }),
};

// And these in a continuation.
exports.later = {
    timer: (ms) => new Promise((resolve) =>
        setTimeout(() => resolve(spinFor(ms)), 1)),
    immediate: (ms) => new Promise((resolve) =>
        setImmediate(() => resolve(spinFor(ms)))),
    tick: (ms) => new Promise((resolve) =>
        process.nextTick(() => resolve(spinFor(ms)))),
    microtask: async (ms) => {
        await undefined;
        return spinFor(ms);
    },
    file: (ms) => new Promise((resolve) =>
        require('fs').stat('/', () => resolve(spinFor(ms)))),
};

// Everything that an interrupt at the wrong place has been seen to break.
async function intact() {
    const faults = [...log];
    const id = executionAsyncId();
    if (storage.getStore() !== undefined) {
        faults.push(`store ${storage.getStore()}`);
    }
    if (typeof performance !== 'object' || !(performance.now() > 0)) {
        faults.push('performance');
    }
    if (util.inspect({ a: [1] }) !== '{ a: [ 1 ] }') {
        faults.push('inspect');
    }
    if (typeof structuredClone !== 'function' ||
        structuredClone({ a: 1 }).a !== 1) {
        faults.push('structuredClone');
    }
    process.stdout.write('');
    await storage.run('mine', async () => {
        await new Promise(process.nextTick);
        await new Promise(setImmediate);
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (storage.getStore() !== 'mine') {
            faults.push(`inner store ${storage.getStore()}`);
        }
    });
    if (id === 0) {
        faults.push('no async id');
    }
    return faults.length > 0 ? faults.join(', ') : 'intact';
}

// Node's own code, much of it loaded at first use.
function touch(us) {
    const end = process.hrtime.bigint() + BigInt(us) * 1000n;
    reached();
    do {
        performance.now();
        util.inspect(new Map([[{}, []]]));
        process.stdout.write('');
        new URL('http://a/?b#c').searchParams.get('b');
        structuredClone({ a: new Date() });
        new EventTarget().dispatchEvent(new Event('x'));
        new AbortController().abort();
        storage.run(1, () => new AsyncResource('X').runInAsyncScope(() => 2));
        require('stream').Readable.from([]);
        require('zlib').crc32;
        require('fs').existsSync('/');
    } while (process.hrtime.bigint() < end);
    return 'touched';
}

exports.simple = {
    intact,
    touch,
    work,
    workLater: async (us) => {
        await undefined;
        return work(us);
    },
    sync: (value) => value,
    capture() {
        process.setUncaughtExceptionCaptureCallback(() => {});
        return 'captured';
    },
    patchFatal() {
        process._fatalException = () => true;
        return 'patched';
    },
    exit(ms) {
        process.on('exit', () => spinFor(ms));
        process.exit(3);
    },
    hitAndTerminated() {
        return native.callThenTerminate(spin);
    },
    exitAndSpin() {
        process.on('exit', () => spin());
        process.exit(4);
    },
    collect() {
        let kept = [];
        for (let i = 0; i < 2e6; i++) {
            kept.push({ i });
            if (kept.length > 50000) {
                kept = [];
            }
        }
        return 'collected';
    },
    keep(mb) {
        globalThis.kept = new ArrayBuffer(mb << 20);
        return 'kept';
    },
    keepObjects(count) {
        globalThis.kept = Array.from({ length: count }, (_, i) => ({ i }));
        return 'kept';
    },
    smallObjects() {
        let kept;
        for (;;) {
            kept = { kept };
        }
    },
    hugeArray: () => new Array(2 ** 27).fill(1.5).length,
    hugeJson() {
        return JSON.parse(`[${'[1,2,3],'.repeat(7.5e6)}0]`).length;
    },
};

for (const group of Object.values(exports)) {
    Object.assign(exports, group);
}

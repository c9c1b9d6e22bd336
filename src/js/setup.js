// Shared by pool.js and worker.js, which it is put in front of.
//
// What every worker that C makes gets before its script runs: where installed
// packages are, where its output goes, its link, the global `nwpool`. C's own
// part of workerData is `setup`; scripts see theirs.

const workerThreads = require('worker_threads');
const { createRequire, _initPaths: initPaths } = require('module');

const exit = process.exit.bind(process); // Before a script can replace it.
const { setup, data: userData } = workerThreads.workerData;

// As a guest of a Node.js program the library is an addon.
function loadAddon(file) {
    const addon = { exports: {} };
    process.dlopen(addon, file);
    return addon.exports;
}

const native = setup.addon === undefined ?
    process._linkedBinding('nwpool') : loadAddon(setup.addon);

native.worker(setup.number, workerThreads.threadId);
native.setBoxer((value) => boxErrors(value, native));
// C reads what V8 writes, and nothing else.
if (setup.addon !== undefined) {
    native.setFlat(...makeFlat(native.flatTools()));
}
workerThreads.workerData = userData;

function record(error) {
    return makeRecord(error, native);
}

// What this worker is about to die of, with more than Node.js passes on.
process.on('uncaughtExceptionMonitor', (error) =>
    native.uncaught(record(error)));

// The module paths of the configured node, not of the program we live in; and
// child_process.fork() shall start that node, not that program.
if (setup.addon === undefined) {
    const { execPath } = process;
    process.execPath = setup.nodePath;
    initPaths();
    if (!setup.haveNode) {
        process.execPath = execPath;
    }
}

// A script given as text gets CommonJS's names as globals; in other scripts they
// would be wrong and visible.
function hideCommonJS() {
    for (const name of ['require', 'module', 'exports', '__filename',
        '__dirname']) {
        delete globalThis[name];
    }
}

// -- objects beside messages

const { link } = setup;

function keep(objects, first, transfer) {
    link.postMessage({ first, objects },
        (transfer ?? []).filter((item) => objects.includes(item)));
    return describeHosts(objects);
}

function fetchKept() {
    return receiveMessageOnPort(link).message;
}

native.hosts(keep, fetchKept);

// -- what scripts may use

class Transfer {
    #value;
    #list;

    constructor(value, list) {
        this.#value = value;
        this.#list = list;
    }

    // Runs no user code, as instanceof would with a proxy.
    static is(value) {
        return typeof value === 'object' && value !== null && #list in value;
    }

    // [value, list]
    static parts(transfer) {
        return [transfer.#value, transfer.#list];
    }
}

// Node.js copies what was marked as untransferable, its own buffer pools among
// it, and lets nobody see the mark. But it looks at it before it looks for what
// is listed twice, and refuses that before it moves anything.
let probe;

function isMarked(buffer) {
    probe ??= new workerThreads.MessageChannel();
    try {
        probe.port1.postMessage(undefined, [buffer, buffer]);
    } catch {
        return false;
    }
    receiveMessageOnPort(probe.port2);
    return true;
}

// What of a transfer list really moves.
function movers(list) {
    return list?.filter((item) =>
        !(item instanceof ArrayBuffer && isMarked(item)));
}

// The same for nwpool.transfer(), which takes anything. A view moves only when
// it shows all of its buffer; what cannot move is copied.
function movable(items) {
    const moving = new Set();
    for (const item of items) {
        const whole = ArrayBuffer.isView(item) && item.byteOffset === 0 &&
            item.byteLength === item.buffer.byteLength;
        const buffer = whole ? item.buffer : item;
        if (buffer instanceof ArrayBuffer || canMove(buffer)) {
            moving.add(buffer);
        }
    }
    return movers([...moving]);
}

// The task that runs, as scripts see it; only a pool's worker has any.
let currentTask = () => undefined;
let currentContext = () => undefined;
let followTasks = () => {};

Object.defineProperty(globalThis, 'nwpool', {
    value: Object.freeze({
        // Marks what moves with a result instead of being copied.
        transfer(value, list = [value]) {
            return new Transfer(value, movable(list));
        },

        // What C has registered; made for the first who asks.
        get functions() {
            return native.functions;
        },

        // { id, signal, send(value, transferList) } of the task that runs.
        get task() {
            return currentTask();
        },

        // What came with it from where it was submitted.
        get context() {
            return currentContext();
        },

        // For the package itself, see binding/lib/own.js.
        [Symbol.for('nwpool.own')]: setup.addon === undefined ? undefined :
            Object.freeze({ native, module: setup.module,
                hasContext: setup.hasContext === true,
                follow: () => followTasks(),
                parts: (value) => Transfer.is(value) ?
                    Transfer.parts(value) : undefined }),
    }),
});

// First script of a worker of nw_worker_create(): sets it up, then runs the
// user's script as Node.js would have done. A text of the user's is run by
// Node.js itself, and calls this with its first words; see glue.js.

const Module = require('module');

redirectOutputs();

// -- parentPort. What C posts comes over Node's own port; what this worker posts
// goes to C directly, from this very thread: it is there when postMessage()
// returns, whatever the worker does next, and errors keep more than Node's clone
// leaves of them.

const { parentPort } = workerThreads;
const closePort = parentPort.close;
let portClosed = false;

function wrongType(what) {
    return Object.assign(new TypeError(
        `Optional ${what} argument must be an iterable`),
    { code: 'ERR_INVALID_ARG_TYPE' });
}

// Both forms of the second argument, as Node.js takes them.
function listOf(transfer) {
    if (transfer === undefined || transfer === null) {
        return undefined;
    }
    if (typeof transfer !== 'object' && typeof transfer !== 'function') {
        throw wrongType('transferList');
    }
    const given = Symbol.iterator in transfer ? transfer : transfer.transfer;
    if (given === undefined || given === null) {
        return undefined;
    }
    if (typeof given[Symbol.iterator] !== 'function') {
        throw wrongType('options.transfer');
    }
    const list = [...given];
    if (list.includes(parentPort)) {
        throw new DOMException('Transfer list contains source port',
            'DataCloneError');
    }
    return list;
}

function postMessage(value, transfer) {
    if (arguments.length === 0) {
        throw Object.assign(new TypeError(
            'Not enough arguments to MessagePort.postMessage'),
        { code: 'ERR_MISSING_ARGS' });
    }
    if (portClosed) {
        return;
    }
    try {
        // The environment looks like an object of Node.js; here too it is a copy.
        native.post(value === process.env ? { ...value } : value,
            movers(listOf(transfer)));
    } catch (error) {
        throw error.code === 'NW_ECLONE' ?
            new DOMException(error.message, 'DataCloneError') : error;
    }
}

function close() {
    portClosed = true;
    closePort.call(parentPort);
}

for (const method of [postMessage, close]) {
    Object.defineProperty(parentPort, method.name, {
        value: method, writable: true, configurable: true,
    });
}

// Module.runMain() says what Node.js says, also for ES modules.
function runFile(file) {
    hideCommonJS();
    process.argv[1] = file; // Node.js says "[worker eval]" there.
    Module.runMain(file);
}

// Exit code of a module whose top-level await never ends, as in Node.js.
const UNSETTLED = 13;

async function runURL(url) {
    const onExit = () => {
        process.exitCode ??= UNSETTLED;
    };
    hideCommonJS();
    process.on('exit', onExit);
    await import(url);
    process.off('exit', onExit);
}

if (setup.file !== undefined) {
    runFile(setup.file);
} else if (setup.url !== undefined) {
    runURL(setup.url);
} else if (!setup.isText) {
    native.body(createRequire(`${process.cwd()}/`),
        (specifier) => import(specifier), userData, parentPort);
}

// Options of pools and of tasks: what there is, what it may be, and a sentence
// for everything else.

'use strict';

const path = require('path');
const { fileURLToPath } = require('url');
const { SHARE_ENV } = require('worker_threads');

function invalid(message) {
    const error = new TypeError(message);
    error.code = 'NW_EINVAL';
    return error;
}

// -- kinds of values

function count(min, max) {
    return (value, name) => {
        if (!Number.isInteger(value) || value < min || value > max) {
            throw invalid(`${name} is ${String(value)}; it is a whole number ` +
                `from ${min} to ${max}`);
        }
        return value;
    };
}

// UINT32_MAX is C's "for ever".
const FOREVER = 2 ** 32 - 1;

function milliseconds(value, name) {
    if (value === Infinity) {
        return FOREVER;
    }
    if (typeof value !== 'number' || !(value > 0) || value >= FOREVER) {
        throw invalid(`${name} is ${String(value)}; it is a time in ` +
            'milliseconds, more than 0, or Infinity for none');
    }
    return Math.ceil(value);
}

function bytes(value, name) {
    if (typeof value !== 'number' || !(value > 0)) {
        throw invalid(`${name} is ${String(value)}; it is a number of bytes`);
    }
    return value;
}

function flag(value, name) {
    if (typeof value !== 'boolean') {
        throw invalid(`${name} is ${String(value)}; it is true or false`);
    }
    return value;
}

function text(value, name) {
    if (typeof value !== 'string' || value === '') {
        throw invalid(`${name} is a string that is not empty`);
    }
    return value;
}

const anything = (value) => value;

function object(value, name) {
    if (typeof value !== 'object' || value === null) {
        throw invalid(`${name} is an object`);
    }
    return value;
}

function array(value, name) {
    if (!Array.isArray(value)) {
        throw invalid(`${name} is an array`);
    }
    return value;
}

function callable(value, name) {
    if (typeof value !== 'function') {
        throw invalid(`${name} is a function`);
    }
    return value;
}

// An object of any make with these methods.
function having(what, ...methods) {
    return (value, name) => {
        if (!methods.every((method) => typeof value?.[method] === 'function')) {
            throw invalid(`${name} is ${what}`);
        }
        return value;
    };
}

function room(value, name) {
    return typeof value === 'boolean' || value === 0 ? value :
        milliseconds(value, name);
}

function environment(value, name) {
    return value === SHARE_ENV ? value : object(value, name);
}

const writable = having('a stream, or false for nowhere', 'write');

function output(value, name) {
    return value === false || value === 'ignore' ? value :
        writable(value, name);
}

function oneOf(...choices) {
    return (value, name) => {
        if (!choices.includes(value)) {
            throw invalid(`${name} is ${JSON.stringify(value)}; it is one of ` +
                choices.map((choice) => JSON.stringify(choice)).join(', '));
        }
        return value;
    };
}

const WORKERS_MAX = 1024;

const poolOptions = {
    module: anything,
    name: text,
    minWorkers: count(0, WORKERS_MAX),
    maxWorkers: count(1, WORKERS_MAX),
    spares: count(0, WORKERS_MAX),
    concurrency: count(1, 1024),
    idleTimeout: milliseconds,
    queueMax: count(1, 2 ** 31),
    queueBytesMax: bytes,
    highWater: count(1, 100),
    lowWater: count(0, 99),
    ageing: milliseconds,
    expiry: milliseconds,
    runLimit: milliseconds,
    escalation: milliseconds,
    interruptible: flag,
    cancel: oneOf('ask', 'interrupt', 'end'),
    wait: room,
    setUp: text,
    tearDown: text,
    setUpTimeout: milliseconds,
    tearDownTimeout: milliseconds,
    recycleTasks: count(1, 2 ** 31),
    recycleAge: milliseconds,
    recycleMemory: bytes,
    resourceLimits: object,
    env: environment,
    argv: array,
    execArgv: array,
    workerData: anything,
    trackUnmanagedFds: flag,
    stdout: output,
    stderr: output,
    context: having('an AsyncLocalStorage', 'getStore'),
};

const taskOptions = {
    signal: having('an AbortSignal', 'addEventListener',
        'removeEventListener'),
    priority: count(-8, 7),
    expiry: milliseconds,
    runLimit: milliseconds,
    interruptible: flag,
    cancel: oneOf('ask', 'interrupt', 'end'),
    escalation: milliseconds,
    retries: count(0, 100),
    transfer: array,
    wait: room,
    onMessage: callable,
};

// What was most likely meant by an option that there is not.
function nearest(name, known) {
    const lower = name.toLowerCase();
    return Object.keys(known).find((key) => key.toLowerCase() === lower ||
        key.toLowerCase().includes(lower) ||
        lower.includes(key.toLowerCase()));
}

function check(given, known, what) {
    const checked = {};
    for (const [name, value] of Object.entries(given)) {
        if (!Object.hasOwn(known, name)) {
            const meant = nearest(name, known);
            throw invalid(`${what} has no option "${name}"` +
                (meant === undefined ? '' : `; did you mean "${meant}"?`));
        }
        if (value !== undefined) {
            checked[name] = known[name](value, name);
        }
    }
    return checked;
}

// A path, a file: URL, or the name of a package, as the worker resolves it.
function moduleOf(module) {
    if (module instanceof URL || String(module).startsWith('file:')) {
        return fileURLToPath(module);
    }
    text(module, 'module');
    return module.startsWith('.') ? path.resolve(module) : module;
}

function checkPool(given = {}) {
    if (typeof given !== 'object' || given === null) {
        throw invalid('the options of a pool are an object: ' +
            'new Pool({ module: ... })');
    }
    const checked = check(given, poolOptions, 'a pool');
    if (checked.module === undefined) {
        throw invalid('a pool needs a module: new Pool({ module: ' +
            '"./tasks.mjs" })');
    }
    checked.module = moduleOf(checked.module);
    return checked;
}

function checkTask(given) {
    if (typeof given !== 'object' || given === null) {
        throw invalid('the options of a task are an object');
    }
    return check(given, taskOptions, 'a task');
}

const checkWorkers = count(0, WORKERS_MAX);

const HOW = { ask: 0, interrupt: 1, end: 2 }; // nw_cancel

// A task's options as C wants them: nw_interruptible is a number.
function specOf(options, sends) {
    const spec = { ...options, sends };
    if (spec.interruptible !== undefined) {
        spec.interruptible = spec.interruptible ? 2 : 1;
    }
    return spec;
}

// Checked when it is met for the first time.
function checkName(name) {
    if (typeof name !== 'string' || name === '' ||
        Buffer.byteLength(name) > 255) {
        throw invalid('the name of a function is a string of 1 to 255 bytes');
    }
    return name;
}

module.exports = { FOREVER, HOW, checkName, checkPool, checkTask, checkWorkers,
    invalid, moduleOf, poolOptions, specOf };

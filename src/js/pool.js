// Script of a pool's worker: loads the user's module, then runs its functions
// for the lane. `native` is src/binding.c.

const { AsyncLocalStorage, AsyncResource } = require('async_hooks');
const { _extensions: extensions } = require('module');
const { pathToFileURL } = require('url');
const path = require('path');
const fs = require('fs');

hideCommonJS();

const lane = native.attach(setup.number, run, { abort, room, end, taskId });

// Which task runs, and whose output it is: a store follows a task through its
// awaits, which costs every promise a little. Without, there is one task at a
// time.
let follow = setup.tellsTasks || lane.concurrency > 1 ?
    new AsyncLocalStorage() : undefined;
redirectOutputs(setup.tellsTasks ? () => follow.getStore()?.id ?? 0 :
    undefined);

// -- loading

function nearestPackageType(file) {
    for (let directory = path.dirname(file); ;) {
        const manifest = path.join(directory, 'package.json');
        if (fs.existsSync(manifest)) {
            return JSON.parse(fs.readFileSync(manifest, 'utf8')).type;
        }
        const parent = path.dirname(directory);
        if (parent === directory ||
            path.basename(directory) === 'node_modules') {
            return undefined;
        }
        directory = parent;
    }
}

// TypeScript too, where require() does not know it: the program's loader does.
function isModule(file) {
    const extension = path.extname(file);
    return extension === '.mjs' ||
        (extension === '.js' && nearestPackageType(file) === 'module') ||
        (/^\.[cm]?tsx?$/.test(extension) && !Object.hasOwn(extensions, extension));
}

// No `file`: a package for import alone.
function resolveModule(specifier) {
    const { directory } = setup;
    const require = createRequire(path.join(directory, 'nwpool.js'));
    const file = path.resolve(directory, specifier);
    const isPath = specifier.startsWith('.') || path.isAbsolute(specifier) ||
        fs.existsSync(file);
    try {
        return { require, file: require.resolve(isPath ? file : specifier) };
    } catch (error) {
        if (error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
            return {};
        }
        if (error.code !== 'MODULE_NOT_FOUND') {
            throw error;
        }
        // Node's own text would name a "require stack" of files nobody wrote.
        throw moduleError(isPath ? `there is no module ${file}` :
            `there is no module "${specifier}", neither in ` +
            `${directory} nor among the installed packages`);
    }
}

// V8 tells the place of a syntax error in an ES module to Node's own printer
// and to nobody else.
function addPlace(error, file) {
    if (error instanceof SyntaxError && !error.stack.includes('file://')) {
        error.stack = `${file}, or a module it imports:\n${error.stack}`;
    }
}

async function importFile(file) {
    try {
        return await import(pathToFileURL(file));
    } catch (error) {
        attempt(() => addPlace(error, file));
        throw error;
    }
}

// What --import names Node.js does not load where the script is a text.
function preloads() {
    return process.execArgv.flatMap((option, i, options) =>
        option.startsWith('--import=') ? [option.slice('--import='.length)] :
            option === '--import' ? [options[i + 1]] : []);
}

async function load(specifier) {
    for (const preload of preloads()) {
        await import(preload);
    }
    const { require, file } = resolveModule(specifier);
    if (file === undefined) {
        return { file: specifier, exports: await import(specifier) };
    }
    if (isModule(file)) {
        return { file, exports: await importFile(file) };
    }
    const exports = require(file);
    return { file, exports, commonjs: true };
}

function moduleError(message) {
    const error = new Error(message);
    error.code = 'NW_EMODULE';
    error.stack = `Error: ${message}`;
    return error;
}

// What the module put there, itself or in a class, and not what every object
// and function has.
function exported(exports, name) {
    const common = [Object.prototype, Function.prototype, null];
    for (let holder = Object(exports); !common.includes(holder);
        holder = Object.getPrototypeOf(holder)) {
        if (Object.hasOwn(holder, name)) {
            return exports[name];
        }
    }
    return undefined;
}

function findFunction(loaded, name) {
    const { exports, file, commonjs } = loaded;
    let found = exported(exports, name);
    if (name === 'default' && commonjs && typeof found !== 'function') {
        found = exports;
    }
    if (typeof found !== 'function') {
        const others = Object.keys(Object(exports))
            .filter((key) => attempt(() => typeof exports[key] === 'function'));
        throw moduleError(
            `${file} exports no function "${name}"; it exports ` +
            (others.length > 0 ? others.map((key) => `"${key}"`).join(', ') :
                'no functions at all'));
    }
    return found;
}

// -- functions by their source

// What such a function lacks most often is a variable of the place where it was
// written.
function explain(error, name) {
    const missing = error instanceof ReferenceError &&
        /^(\S+) is not defined$/.exec(error.message);
    if (missing && !(missing[1] in globalThis)) {
        error.message = `${error.message}: the function "${name}" was sent to ` +
            'its worker by its source, without the variables around it; pass ' +
            `${missing[1]} as an argument, or export the function from a module`;
        error.stack = error.stack?.replace(/^.*/, `${error.name}: ` +
            error.message);
    }
    return error;
}

function compileSource(name, source) {
    const label = name.replace(/#[0-9a-f]+$/, '');
    // As code of this script, which can import().
    const action = (0, eval)(`(function (require) {return (${source}\n);})\n` +
        `//# sourceURL=nwpool-source:${label}`)(
        createRequire(path.join(setup.directory, 'nwpool.js')));
    const failed = (error) => {
        throw explain(error, label);
    };
    async function* watch(items) {
        try {
            return yield* items;
        } catch (error) {
            return failed(error);
        }
    }
    return (...args) => {
        let value;
        try {
            value = action(...args);
        } catch (error) {
            return failed(error);
        }
        if (isObject(value) && isStream(value)) {
            return watch(value);
        }
        return value instanceof Promise ? value.catch(failed) : value;
    };
}

// -- running

const tracing = native.tracing();
let loaded;

// By the number that the pool gave a name. No prototype: a hole must not be
// filled from there.
const functions = Object.setPrototypeOf([], null);

const resourceOptions = { requireManualDestroy: true };

// Those that returned promises, in no order. A Map would cost more than all
// else that is done here for a task.
const tasks = [];
let latest; // The last of them: the only one, where there is one at a time.
let current; // The one inside its call, once somebody has asked for it.

// The one inside its call.
function own() {
    return current ??= new Task(native.taskId());
}

function runningTask() {
    if (follow !== undefined) {
        return follow.getStore() ?? (first?.isOver ? undefined : first);
    }
    return native.taskId() === undefined ? latest : own();
}

currentTask = () => runningTask()?.face;

// As code of that task.
function within(task, action, ...args) {
    return follow === undefined ? action(...args) :
        follow.run(task, action, ...args);
}

function isObject(value) {
    return value !== null &&
        (typeof value === 'object' || typeof value === 'function');
}

let pending; // Whether the last result is a promise.

// Inside the task's async scope, as even a look at a result can run user code.
function invoke(action, args) {
    const value = action(...args);
    if (isObject(value)) {
        return look(value);
    }
    pending = false;
    return value;
}

function look(value) {
    pending = typeof value.then === 'function';
    if (!pending && isStream(value)) {
        pending = true;
        return stream(own(), value);
    }
    return value;
}

const followed = (action, args) => follow === undefined ?
    invoke(action, args) : follow.run(own(), invoke, action, args);

// A task that waits for others of this pool makes room for them, so there can be
// several from then on. This one, which has run without a store, is the only one
// there is.
let first;

followTasks = () => {
    if (follow === undefined) {
        first = runningTask();
        follow = new AsyncLocalStorage();
    }
};

// A JavaScript program may send something with each task, in front of the
// arguments: a request's id, say.
const contexts = setup.hasContext ? new AsyncLocalStorage() : undefined;
const call = contexts === undefined ? followed :
    (action, [context, ...args]) =>
        contexts.run(context, followed, action, args);

currentContext = () => contexts?.getStore();

function enter(task, action, ...args) {
    return task.resource.runInAsyncScope(within, undefined, task, action,
        ...args);
}

function succeed(task, value) {
    task.resource.emitDestroy();
    if (Transfer.is(value)) {
        native.done(task.id, ...Transfer.parts(value));
    } else {
        native.done(task.id, value);
    }
    forget(task);
}

function fail(task, error) {
    task.resource.emitDestroy();
    native.fail(task.id, record(error));
    forget(task);
}

// What a task returned is not its result yet: there is something to be sent.
async function complete(task, value) {
    const result = isObject(value) && isStream(value) ?
        await enter(task, stream, task, value) : value;
    await task.sent();
    return result;
}

async function settle(task, promise) {
    let value;
    try {
        value = await promise;
        if (task.isSending || (isObject(value) && isStream(value))) {
            value = await complete(task, value);
        }
    } catch (error) {
        if (task.isSending) {
            await task.sent().catch(() => {});
        }
        fail(task, error);
        return;
    }
    succeed(task, value);
}

// The task inside its call becomes one that is waited for.
function suspend(resource) {
    const id = native.pending();
    latest = current ?? new Task(id);
    latest.resource = resource;
    latest.place = tasks.length;
    tasks.push(latest);
    return latest;
}

function forget(task) {
    const last = tasks.pop();
    if (last !== task) {
        tasks[task.place] = last;
        last.place = task.place;
    }
    task.end();
}

function find(id) {
    return tasks.find((task) => task.id === id);
}

// Calls one function. A plain value is returned; anything else that can happen
// is told to `native` before this returns. Every task is an AsyncResource of
// its own, so that hooks and AsyncLocalStorage see tasks and not the lane.
function run(index, ...args) {
    const action = functions[index] ?? resolveFunction(index);
    if (action === undefined) {
        return undefined;
    }
    const resource = new AsyncResource('NWPOOL_TASK', resourceOptions);
    if (tracing) {
        native.asyncId(resource.asyncId());
    }
    current = undefined;
    let value;
    try {
        value = resource.runInAsyncScope(call, undefined, action, args);
    } catch (error) {
        if (!current?.isSending) {
            resource.emitDestroy();
            native.fail(native.taskId(), record(error));
            current?.end();
            return undefined;
        }
        value = Promise.reject(error);
    }
    if (pending || current?.isSending) {
        settle(suspend(resource), value);
        return undefined;
    }
    resource.emitDestroy();
    current?.end();
    if (Transfer.is(value)) {
        native.done(native.taskId(), ...Transfer.parts(value));
        return undefined;
    }
    return value;
}

// One that was sent by its source, or one of the module.
function namedFunction(name) {
    const source = native.source?.(name);
    return source === undefined ? findFunction(loaded, name) :
        compileSource(name, source);
}

function resolveFunction(index) {
    try {
        functions[index] = namedFunction(native.functionName());
        return functions[index];
    } catch (error) {
        native.missing(native.taskId(), record(error));
        return undefined;
    }
}

// -- what the pool asks

function abort(id, message) {
    const task = find(id);
    if (task !== undefined) {
        enter(task, () => task.abort(abortError(message)));
    }
}

function room(id) {
    find(id)?.room();
}

// For C functions that a task calls.
function taskId() {
    return runningTask()?.face?.id ?? 0;
}

// -- beginning and end

let isReady = false;
let isEnding = false;
let tearDown;

function findHook(kind, name) {
    try {
        return findFunction(loaded, name);
    } catch (error) {
        throw moduleError(`the ${kind} function is missing: ${reason(error)}`);
    }
}

function reason(error) {
    return text(isError(error) ? attempt(() => error.message) : error,
        'unknown');
}

async function setUp(name) {
    const hook = findHook('set-up', name);
    try {
        await hook();
    } catch (error) {
        const failure = moduleError(`the set-up function "${name}" of ` +
            `${loaded.file} failed: ${reason(error)}`);
        failure.cause = error;
        throw failure;
    }
}

async function main() {
    try {
        loaded = await load(setup.module);
        if (lane.tearDown !== undefined) {
            tearDown = findHook('tear-down', lane.tearDown);
        }
        if (lane.setUp !== undefined) {
            await setUp(lane.setUp);
        }
    } catch (error) {
        native.bootFailed(record(error));
        exit(1);
        return;
    }
    isReady = true;
    native.ready();
}

// As an error that nobody caught, whoever would catch it.
function die(error) {
    process.removeAllListeners('uncaughtException');
    attempt(() => process.setUncaughtExceptionCaptureCallback(null));
    afterTurn(() => {
        throw error;
    });
    afterTurn(() => exit(1));
}

// What was not set up is not torn down.
async function end() {
    if (isEnding) {
        return;
    }
    isEnding = true;
    try {
        if (isReady) {
            await tearDown?.();
        }
    } catch (error) {
        die(error);
        return;
    }
    exit(0);
}

main();

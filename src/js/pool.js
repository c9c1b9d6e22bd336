// First and only script of a pool's worker: loads the user's module, then runs
// its functions for the lane. `native` is src/binding.c.

const { AsyncLocalStorage, AsyncResource } = require('async_hooks');
const { pathToFileURL } = require('url');
const path = require('path');
const fs = require('fs');

hideCommonJS();

// Whose output it is, where C wants to know: the store follows a task through
// its awaits, which costs every promise a little.
const printing = setup.tellsTasks ? new AsyncLocalStorage() : undefined;
redirectOutputs(printing && (() => printing.getStore() ?? 0));

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

function isModule(file) {
    const extension = path.extname(file);
    return extension === '.mjs' ||
        (extension === '.js' && nearestPackageType(file) === 'module');
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

async function load(specifier) {
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

// -- running

const tracing = native.tracing();
let loaded;

// By the number that the pool gave a name. No prototype: a hole must not be
// filled from there.
const functions = Object.setPrototypeOf([], null);

const resourceOptions = { requireManualDestroy: true };

function isThenable(value) {
    return value !== null &&
        (typeof value === 'object' || typeof value === 'function') &&
        typeof value.then === 'function';
}

let pending; // Whether the last result is a promise.

// Inside the task's async scope, as even a look at a result can run user code.
function invoke(task, args) {
    const value = task(...args);
    pending = isThenable(value);
    return value;
}

const call = printing === undefined ? invoke :
    (task, args) => printing.run(native.taskId(), invoke, task, args);

async function settle(promise, resource) {
    let value;
    try {
        value = await promise;
    } catch (error) {
        resource.emitDestroy();
        native.fail(record(error));
        return;
    }
    resource.emitDestroy();
    if (Transfer.is(value)) {
        Transfer.deliver(value);
    } else {
        native.done(value);
    }
}

// Calls one function. A plain value is returned; anything else that can happen
// is told to `native` before this returns. Every task is an AsyncResource of
// its own, so that hooks and AsyncLocalStorage see tasks and not the lane.
function run(index, ...args) {
    const task = functions[index] ?? resolveFunction(index);
    if (task === undefined) {
        return undefined;
    }
    const resource = new AsyncResource('NWPOOL_TASK', resourceOptions);
    if (tracing) {
        native.asyncId(resource.asyncId());
    }
    let value;
    try {
        value = resource.runInAsyncScope(call, undefined, task, args);
    } catch (error) {
        resource.emitDestroy();
        native.fail(record(error));
        return undefined;
    }
    if (pending) {
        native.pending();
        settle(value, resource);
        return undefined;
    }
    resource.emitDestroy();
    if (Transfer.is(value)) {
        Transfer.deliver(value);
        return undefined;
    }
    return value;
}

function resolveFunction(index) {
    try {
        functions[index] = findFunction(loaded, native.functionName());
        return functions[index];
    } catch (error) {
        native.missing(record(error));
        return undefined;
    }
}

async function main() {
    native.attach(setup.number, run);
    try {
        loaded = await load(setup.module);
    } catch (error) {
        native.bootFailed(record(error));
        exit(1);
        return;
    }
    native.ready();
}

main();

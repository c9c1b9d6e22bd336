// The control environment: makes and ends workers on C's word and tells C what
// became of them. No user code and no task data ever runs or passes here.
//
// `native` is src/binding.c. A worker is known by the number that C gave it.

const { Worker } = require('worker_threads');
const { pipeline } = require('stream/promises');
const { pathToFileURL } = require('url');
const Module = require('module');
const path = require('path');
const fs = require('fs');

const native = process._linkedBinding('nwpool');
const { EVENT } = native;
const workers = new Map();

// Anything this environment itself would print, a warning say. Opening the
// descriptors here would switch the host's stdio to non-blocking.
for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
    const stream = outputStream(fd);
    Object.defineProperty(process, name, { get: () => stream });
}

// Where the configured node finds installed packages. The paths of an embedded
// Node.js follow the host program's prefix instead.
function installedPaths() {
    const real = process.execPath;
    process.execPath = native.nodePath;
    Module._initPaths();
    const paths = Module.globalPaths.slice();
    process.execPath = real;
    return paths;
}

// What this process was given for another Node.js is not for our workers.
function workerEnvironment() {
    const env = { ...process.env };
    for (const name of native.hiddenVariables) {
        delete env[name];
    }
    return env;
}

function scriptOf(spec) {
    if (spec.lane) {
        return { script: native.bootstrap, options: { eval: true } };
    }
    if (spec.source !== undefined) {
        return { script: spec.source, options: { eval: true } };
    }
    return { script: pathToFileURL(path.resolve(spec.directory, spec.file)), options: {} };
}

function launch(number, spec) {
    const { script, options } = scriptOf(spec);
    const env = workerEnvironment();
    const workerData = spec.lane ? {
        lane: number,
        module: spec.module,
        directory: spec.directory,
        nodePath: native.nodePath,
        haveNode: fs.existsSync(native.nodePath),
    } : undefined;

    if (!spec.lane) {
        // A pool's bootstrap sets the paths itself; a user's script has none.
        env.NODE_PATH = [env.NODE_PATH, ...installedPaths()]
            .filter(Boolean).join(path.delimiter);
    }
    return new Worker(script, {
        ...options, env, workerData, stdout: true, stderr: true,
    });
}

function record(error) {
    return makeRecord(error, native.encodable);
}

function start(number, spec) {
    let worker;
    try {
        worker = launch(number, spec);
    } catch (error) {
        native.event(number, EVENT.ERROR, record(error));
        native.event(number, EVENT.EXIT, 1);
        return;
    }
    workers.set(number, worker);
    const printed = Promise.all([
        pipeline(worker.stdout, outputStream(1)),
        pipeline(worker.stderr, outputStream(2)),
    ]);
    // Node.js sends 'online' and messages by two ports, and either may be read
    // first.
    let online = false;
    const announce = () => {
        if (!online) {
            online = true;
            native.event(number, EVENT.ONLINE, undefined);
        }
    };
    worker.on('online', announce);
    worker.on('message', (value) => {
        announce();
        native.event(number, EVENT.MESSAGE, value);
    });
    worker.on('messageerror', (error) => {
        announce();
        native.event(number, EVENT.MESSAGE_ERROR, record(error));
    });
    worker.on('error', (error) =>
        native.event(number, EVENT.ERROR, record(error)));
    worker.on('exit', async (code) => {
        workers.delete(number);
        if (!spec.lane) {
            await printed.catch(() => {});
        }
        native.event(number, EVENT.EXIT, code);
    });
}

const delayed = new Map(); // Workers that wait for their time to start.

native.control({
    start(number, spec) {
        if (!spec.delay) {
            start(number, spec);
            return;
        }
        delayed.set(number, setTimeout(() => {
            delayed.delete(number);
            start(number, spec);
        }, spec.delay));
    },
    post(number, value) {
        workers.get(number)?.postMessage(value);
    },
    terminate(number) {
        if (delayed.has(number)) {
            clearTimeout(delayed.get(number));
            delayed.delete(number);
            native.event(number, EVENT.EXIT, 1);
            return;
        }
        workers.get(number)?.terminate();
    },
});

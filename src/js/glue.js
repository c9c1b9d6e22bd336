// The control environment: makes and ends workers on C's word, tells C what
// became of them, and holds the ends of channels and other objects that C keeps.
// No user code and no task data ever runs or passes here.
//
// `native` is src/binding.c. A worker is known by the number that C gave it, an
// object by the number of its src/host.h.

const { BroadcastChannel, MessageChannel, SHARE_ENV, Worker,
    getEnvironmentData, setEnvironmentData } = require('worker_threads');
const { pipeline } = require('stream/promises');
const { fileURLToPath } = require('url');
const Module = require('module');
const path = require('path');
const fs = require('fs');

// `hosted` is there where this runs in a Node.js program's own environment, which
// loaded the library as an addon: { native, addon, options(pool), exited(pool) }.
const host = typeof hosted === 'undefined' ? undefined : hosted;
const native = host === undefined ?
    process._linkedBinding('nwpool') : host.native;
const { EVENT, STATUS } = native;

function record(error) {
    return makeRecord(error, native);
}

native.setBoxer((value) => boxErrors(value, native));
if (host !== undefined) {
    native.setFlat(...makeFlat(native.flatTools()));
}

// Anything this environment itself would print, a warning say. Opening the
// descriptors here would switch the host's stdio to non-blocking.
if (host === undefined) {
    for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
        const stream = outputStream(fd);
        Object.defineProperty(process, name, { get: () => stream });
    }
}

// -- telling C. It may have no memory for an event; then that one and all that
// come after it wait. Nothing is lost and nothing overtakes.

const RETRY_EVENT_MS = 10;
const untold = [];

function retell() {
    while (untold.length > 0 && untold[0]()) {
        untold.shift();
    }
    if (untold.length > 0) {
        setTimeout(retell, RETRY_EVENT_MS);
    }
}

function tell(event) {
    if (untold.length > 0 || !event()) {
        untold.push(event);
        if (untold.length === 1) {
            setTimeout(retell, RETRY_EVENT_MS);
        }
    }
}

// The buffers of a message that was received: nobody else has them, so they go
// on to C without a copy. Those in the message itself and in its first few
// members; what lies elsewhere is copied.
const LOOKED_AT_MAX = 16;

function bufferOf(part) {
    const buffer = ArrayBuffer.isView(part) ? part.buffer : part;
    return buffer instanceof ArrayBuffer ? buffer : undefined;
}

function buffersOf(value) {
    const whole = bufferOf(value);
    if (whole !== undefined || typeof value !== 'object') {
        return whole && [whole];
    }
    const buffers = new Set();
    let looked = 0;
    for (const key in value) {
        if (looked++ === LOOKED_AT_MAX) {
            break;
        }
        buffers.add(bufferOf(value[key]));
    }
    buffers.delete(undefined);
    return buffers.size > 0 ? [...buffers] : undefined;
}

const tellWorker = (number, type, payload, buffers) =>
    tell(() => native.event(number, type, payload, buffers));
const tellPort = (number, type, payload, buffers) =>
    tell(() => native.portEvent(number, type, payload, buffers));

// -- objects that C keeps

const hosts = new Map(); // By number.
const links = new Map(); // Our ends, by worker.
const onClose = new Map(); // Listeners of ports, by number.

// The next thing in a queue; null for one that cannot be made here.
function receive(port) {
    try {
        return receiveMessageOnPort(port);
    } catch {
        return null;
    }
}

// What a worker sent is in its link's queue until somebody asks.
function drain(worker) {
    const link = links.get(worker);
    for (let sent; link !== undefined &&
        (sent = receive(link)) !== undefined;) {
        if (sent !== null) {
            keep(sent.message.objects, sent.message.first);
        }
    }
}

function keep(objects, first) {
    objects.forEach((object, i) => {
        hosts.set(first + i, object);
        if (object instanceof MessagePort) {
            watch(first + i, object);
        }
    });
    return describeHosts(objects);
}

// From the beginning: it may close before C takes it.
function watch(number, port) {
    const closed = () => {
        hosts.delete(number);
        onClose.delete(number);
        tellPort(number, EVENT.CLOSE, undefined);
    };
    onClose.set(number, closed);
    port.on('close', closed);
}

function find(number, worker) {
    if (!hosts.has(number)) {
        drain(worker);
    }
    return hosts.get(number);
}

// Out of the table: it is going to live elsewhere.
function release(number) {
    const object = hosts.get(number);
    if (onClose.has(number)) {
        object.off('close', onClose.get(number));
        object.onmessage = null;
        onClose.delete(number);
        tellPort(number, EVENT.MOVED, undefined);
    }
    hosts.delete(number);
}

// The objects of [number, home worker, whether it moves, ...], and those that
// move.
function collect(list) {
    const objects = [];
    const moving = [];
    for (let i = 0; i < list.length; i += 3) {
        const object = find(list[i], list[i + 1]);
        objects.push(object);
        if (list[i + 2] && object !== undefined) {
            moving.push(object);
            release(list[i]);
        }
    }
    if (objects.includes(undefined)) {
        discard(moving);
        throw refusal(STATUS.ECLONE,
            'a port or another object in the message is gone');
    }
    return { objects, moving };
}

// What has only one place and none to go to: the other end of a port must hear of
// it, and a file handle is not left to the garbage collector.
function discard(objects) {
    for (const object of objects ?? []) {
        attempt(() => object.close()?.catch(() => {}));
    }
}

// What a program sends is its own until it moves, and what does not move is
// refused here: the first to know would be the worker that gets it.
let mover;

function keepOfProgram(objects, first, transfer) {
    mover ??= new MessageChannel();
    mover.port1.postMessage(objects,
        (transfer ?? []).filter((item) => objects.includes(item)));
    return keep(receiveMessageOnPort(mover.port2).message, first);
}

native.hosts(host === undefined ? keep : keepOfProgram,
    (list) => collect(list).objects);

// -- workers

const workers = new Map();

// Where the configured node finds installed packages. The paths of an embedded
// Node.js follow the host program's prefix instead.
function haveNode() {
    return fs.existsSync(native.nodePath);
}

// What this process was given for another Node.js is not for our workers.
function environment(spec) {
    if (host !== undefined) {
        return spec.env;
    }
    if (spec.shareEnv) {
        return SHARE_ENV;
    }
    const env = spec.env ?? { ...process.env };
    for (const name of native.hiddenVariables) {
        if (!(spec.useNodeOptions && name === 'NODE_OPTIONS')) {
            delete env[name];
        }
    }
    return env;
}

// With a shared environment Node.js reads NODE_OPTIONS from there. It is taken
// away for the moment in which it looks, and only if it is set.
function withoutNodeOptions(spec, action) {
    const options = process.env.NODE_OPTIONS;
    if (!spec.shareEnv || spec.useNodeOptions || options === undefined ||
        host !== undefined) {
        return action();
    }
    delete process.env.NODE_OPTIONS;
    try {
        return action();
    } finally {
        process.env.NODE_OPTIONS = options;
    }
}

// Own properties that are set: Node.js takes an undefined for a value.
function given(options) {
    return Object.fromEntries(Object.entries(options)
        .filter(([, value]) => value !== undefined));
}

// A text is run by Node.js itself: evaluated by a script of ours it could not
// import(), or would be compiled as eval() does. On its first line, before its
// own first words, it calls the set-up; the directive and the #! that only count
// in front stay there.
const STRICT = /^(?:\s|\/\*[^]*?\*\/|\/\/.*\n)*(['"])use strict\1/;

function textScript(source) {
    const body = source.replace(/^#!/, '//');
    const directive = STRICT.test(body) ? '\'use strict\';' : '';
    return `${directive}process._linkedBinding('nwpool').setUp();${body}`;
}

// Options of the program may make an ES module of every text, --input-type say.
// There is no require() in one.
function eitherScript(source) {
    return '((start) => typeof require === "function" ? start(require) : ' +
        'import("module").then(({ createRequire }) => ' +
        'start(createRequire(`${process.cwd()}/`))))((require) => {' +
        `${source}\n});`;
}

function scriptOf(spec) {
    if (spec.module !== undefined) {
        return host === undefined ? native.poolScript :
            eitherScript(native.poolScript);
    }
    return spec.source !== undefined ? textScript(spec.source) :
        native.workerScript;
}

// Also of a file: URL, which may be one that names no file here.
function fileOf(spec) {
    if (spec.url?.startsWith('file:')) {
        return fileURLToPath(spec.url);
    }
    return spec.file && path.resolve(spec.directory, spec.file);
}

// `payload` has workerData as `data`.
function launch(number, spec, transfer, payload) {
    const { port1, port2 } = new MessageChannel();
    const setup = {
        number,
        link: port2,
        nodePath: native.nodePath,
        haveNode: haveNode(),
        ...given({
            module: spec.module,
            directory: spec.directory,
            tellsTasks: spec.tellsTasks,
            file: fileOf(spec),
            url: spec.url?.startsWith('data:') ? spec.url : undefined,
            isText: spec.source !== undefined,
            addon: host?.addon,
            ...spec.setup,
        }),
    };
    // With a shared environment options are read only when some are given.
    const execArgv = spec.execArgv ??
        (spec.shareEnv && spec.useNodeOptions ? [] : undefined);
    const workerData = Object.defineProperties({ setup },
        Object.getOwnPropertyDescriptors(payload));
    const make = () => new Worker(
        scriptOf(spec), {
            eval: true,
            workerData,
            transferList: [port2, ...(transfer ?? [])],
            env: environment(spec),
            trackUnmanagedFds: !spec.keepUnmanagedFds,
            stdin: spec.stdin === true,
            // Read by us they would keep a program running.
            stdout: host === undefined,
            stderr: host === undefined,
            ...given({
                argv: spec.argv,
                execArgv,
                name: spec.name,
                resourceLimits: spec.limits,
            }),
        });
    try {
        const worker = withoutNodeOptions(spec, make);
        links.set(number, port1);
        return worker;
    } catch (error) {
        port1.close();
        throw error;
    }
}

// Throws what launch() would throw. Node.js looks at everything else before it
// clones workerData, and starts the thread after that.
function rehearse(spec) {
    const end = new Error('nothing is wrong');
    try {
        launch(0, spec, [], { get data() { throw end; } });
    } catch (error) {
        if (error !== end) {
            throw error;
        }
    }
}

// Our scripts print through C; this is for what Node.js prints before they run.
function passOn(worker) {
    if (host !== undefined) {
        return; // Node.js does it.
    }
    pipeline(worker.stdout, outputStream(1)).catch(() => {});
    pipeline(worker.stderr, outputStream(2)).catch(() => {});
    worker.stdin?.on('error', () => {});
}

function report(number, worker, spec) {
    // Node.js sends 'online' and messages by two ports, and either may be read
    // first.
    let online = false;
    const announce = () => {
        if (!online) {
            online = true;
            tellWorker(number, EVENT.ONLINE, undefined);
        }
    };
    worker.on('online', announce);
    worker.on('message', (value) => {
        announce();
        tellWorker(number, EVENT.MESSAGE, value, buffersOf(value));
    });
    worker.on('messageerror', (error) => {
        announce();
        tellWorker(number, EVENT.MESSAGE_ERROR, record(error));
    });
    worker.on('error', (error) => {
        const type = error?.code === 'ERR_WORKER_OUT_OF_MEMORY' ?
            EVENT.ERROR : EVENT.UNCAUGHT;
        tellWorker(number, type, record(error));
    });
    worker.on('exit', (code) => {
        workers.delete(number);
        drain(number);
        links.get(number).close();
        links.delete(number);
        tellWorker(number, EVENT.EXIT, code);
        host?.exited(spec.pool);
    });
}

function start(number, spec, transfer, data) {
    let worker;
    try {
        worker = launch(number, spec, transfer, { data });
    } catch (error) {
        discard(transfer);
        throw error;
    }
    workers.set(number, worker);
    passOn(worker);
    report(number, worker, spec);
    if (host !== undefined) {
        worker.unref();
        links.get(number).unref();
    }
    return worker.threadId;
}

// For a pool nobody waits: what is wrong is the worker's end.
function startLane(number, given) {
    const spec = host === undefined ? given :
        { ...given, ...host.options(given.pool) };
    try {
        start(number, spec, spec.transfer, spec.data);
    } catch (error) {
        tellWorker(number, EVENT.ERROR, record(error));
        tellWorker(number, EVENT.EXIT, 1);
        host?.exited(spec.pool);
    }
}

// -- ports

function adopt(number, worker) {
    if (find(number, worker) === undefined) {
        tellPort(number, EVENT.CLOSE, undefined); // Perhaps once more.
    }
}

// -- answers

function refusal(status, text) {
    return Object.assign(new Error(text), { refusal: status });
}

function statusOf(error) {
    if (error.refusal !== undefined) {
        return error.refusal;
    }
    if (error.name === 'DataCloneError' ||
        error.code === 'ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST') {
        return STATUS.ECLONE;
    }
    return STATUS.EINVAL;
}

function refuse(request, error) {
    native.refuse(request, statusOf(error), text(error.message, 'unknown'));
}

function reply(request, value) {
    const buffers = buffersOf(value?.message);
    tell(() => native.reply(request, value, buffers));
}

// Runs a handler for somebody in C who waits.
function answer(handler, request, ...values) {
    let result;
    try {
        result = handler(...values);
    } catch (error) {
        refuse(request, error);
        return;
    }
    reply(request, result);
}

// -- commands: (number, argument, what moves, values...)

native.control({
    start(number, _, transfer, spec, data) {
        if (spec.module === undefined) {
            return start(number, spec, transfer, data);
        }
        startLane(number, spec);
        return undefined;
    },
    rehearse(_, __, ___, spec) {
        rehearse(spec);
    },
    post(number, _, transfer, value) {
        try {
            const worker = workers.get(number);
            if (worker === undefined) {
                discard(transfer);
            } else {
                worker.postMessage(value, transfer);
            }
        } catch (error) {
            discard(transfer);
            tellWorker(number, EVENT.MESSAGE_ERROR, record(error));
        }
    },
    terminate(number) {
        const worker = workers.get(number);
        worker?.terminate();
        if (host !== undefined) {
            worker?.unref(); // It was ref'd by that, and may be parked for good.
        }
    },
    write(number, _, __, bytes) {
        workers.get(number)?.stdin.write(bytes, () =>
            tellWorker(number, EVENT.WRITTEN, bytes.length));
    },
    end(number) {
        workers.get(number)?.stdin.end();
    },
    limits(number) {
        return workers.get(number)?.resourceLimits;
    },
    utilization(number) {
        return workers.get(number)?.performance.eventLoopUtilization();
    },
    setData(_, __, ___, key, value) {
        setEnvironmentData(key, value);
    },
    getData(_, __, ___, key) {
        return getEnvironmentData(key);
    },

    channel(first, distance) {
        const second = first + distance;
        const { port1, port2 } = new MessageChannel();
        keep([port1], first);
        keep([port2], second);
    },
    broadcast(number, _, __, name) {
        const port = new BroadcastChannel(name);
        port.unref();
        port.closed = () => { // It tells nobody.
            hosts.delete(number);
            tellPort(number, EVENT.CLOSE, undefined);
        };
        keep([port], number);
    },
    adopt(number, worker) {
        adopt(number, worker);
    },
    listen(number, on) {
        const port = hosts.get(number);
        if (port === undefined) {
            return;
        }
        port.onmessage = on ? (event) =>
            tellPort(number, EVENT.MESSAGE, event.data,
                buffersOf(event.data)) : null;
        port.onmessageerror = on ? (event) =>
            tellPort(number, EVENT.MESSAGE_ERROR, record(event.data)) :
            null;
    },
    startPort(number) {
        hosts.get(number)?.start?.();
    },
    postPort(number, _, transfer, value) {
        try {
            const port = hosts.get(number);
            if (port === undefined) {
                discard(transfer);
            } else {
                port.postMessage(value, transfer);
            }
        } catch (error) {
            discard(transfer);
            tellPort(number, EVENT.MESSAGE_ERROR, record(error));
        }
    },
    receive(number) {
        const port = hosts.get(number);
        if (port === undefined) {
            throw refusal(STATUS.ECLOSED, 'the port is closed');
        }
        return receiveMessageOnPort(port);
    },
    close(number) {
        const port = hosts.get(number);
        port?.close();
        port?.closed?.();
    },
    drop(number, worker) {
        const object = find(number, worker);
        release(number);
        if (object instanceof BroadcastChannel ||
            (object !== undefined && mustMove(object))) {
            discard([object]);
        }
    },
    fetch(number, _, __, list) {
        const { objects, moving } = collect(list);
        try {
            links.get(number).postMessage(objects, moving);
        } catch (error) {
            discard(moving);
            throw error;
        }
    },
}, answer);

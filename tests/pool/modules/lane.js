// Tasks that look at themselves; see lane_source.h.

'use strict';

const { setTimeout: pause } = require('timers/promises');
const fs = require('fs');

const outside = [nwpool.task];
const log = [];

exports.outside = () => outside;
exports.log = () => log.splice(0);
exports.inc = (n) => n + 1;

// -- several at a time

let inside = 0;
let most = 0;

// How many were inside together.
exports.overlap = async () => {
    most = Math.max(most, ++inside);
    for (let i = 0; i < 5; i++) {
        await pause(1);
    }
    inside--;
    return most;
};

const gates = new Map();

function gate(name) {
    if (!gates.has(name)) {
        let open;
        const promise = new Promise((resolve) => {
            open = resolve;
        });
        gates.set(name, { promise, open });
    }
    return gates.get(name);
}

// Until as many are there.
exports.meet = async (count) => {
    if (++inside === count) {
        gate('meeting').open();
    }
    await gate('meeting').promise;
    return inside;
};

// Until open() or openLater(), which needs no task for itself.
exports.wait = async (name) => {
    await gate(name).promise;
    return `waited for ${name}`;
};
exports.open = (name) => gate(name).open();
exports.openOn = async (name, fd) => {
    await new Promise((resolve) => fs.read(fd, Buffer.alloc(1), resolve));
    gate(name).open();
    return `opened ${name}`;
};

exports.rejectAfter = async (name) => {
    await gate(name).promise;
    throw new RangeError(`after ${name}`);
};

exports.throws = () => {
    throw new RangeError('at once');
};

exports.badLater = async () => {
    await pause(1);
    return () => {};
};

exports.exit = (code) => process.exit(code);
exports.exitLater = async (code) => {
    await pause(1);
    process.exit(code);
};

// -- who it is

exports.id = () => nwpool.task.id;

exports.ids = async () => {
    const { task } = nwpool;
    const ids = [nwpool.task.id];
    const look = () =>
        ids.push(nwpool.task === task ? nwpool.task.id : 'other');
    look();
    await null;
    look();
    await pause(Math.random() * 3);
    look();
    await new Promise((resolve) => setImmediate(() => {
        look();
        resolve();
    }));
    look();
    await (async () => {
        await pause(1);
        look();
    })();
    await new Promise((resolve) => process.nextTick(resolve));
    look();
    return ids;
};

// As C sees it, with the C function "whose".
exports.idsInC = async () => {
    const { whose } = nwpool.functions;
    const ids = [whose()];
    await null;
    ids.push(whose());
    await pause(Math.random() * 3);
    ids.push(whose());
    return ids;
};

exports.describe = () => {
    const { task } = nwpool;
    return [Object.keys(task), Object.isFrozen(task), task === nwpool.task,
        task.signal === task.signal, task.signal instanceof AbortSignal,
        task.signal.aborted];
};

exports.leave = () => {
    setTimeout(() => {
        log.push(nwpool.task === undefined ? 'nobody' : nwpool.task.id);
    }, 1);
};

exports.leaveSending = () => {
    const { send } = nwpool.task;
    setTimeout(() => {
        try {
            send(1);
        } catch (error) {
            log.push(error.code);
        }
    }, 1);
};

exports.setsUp = async () => {
    outside.push(nwpool.task);
    await pause(1);
    outside.push(nwpool.task, 'set up');
};

// -- aborts

function describeReason({ aborted, reason }) {
    return [aborted, reason instanceof Error, reason.name, reason.code,
        reason.message, nwpool.task.id];
}

exports.untilAborted = async () => {
    const { signal } = nwpool.task;
    return new Promise((resolve) => {
        signal.addEventListener('abort',
            () => resolve(describeReason(signal)));
    });
};

exports.abortedBefore = async (name) => {
    await gate(name).promise;
    return describeReason(nwpool.task.signal);
};

exports.abortedPause = async () => {
    try {
        await pause(1e6, undefined, { signal: nwpool.task.signal });
    } catch (error) {
        return [error.name, error.cause.message];
    }
    return 'nothing';
};

exports.throwsWhenAborted = async () => {
    const { signal } = nwpool.task;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    signal.throwIfAborted();
};

exports.ignoresAbort = async (name) => {
    const { signal } = nwpool.task;
    await gate(name).promise;
    return signal.aborted;
};

exports.throwsInListener = async () => {
    nwpool.task.signal.addEventListener('abort', () => {
        throw new Error('in the listener');
    });
    await new Promise(() => {});
};

// -- sending

let progress = 0;

exports.progress = () => progress;

exports.sends = async (...values) => {
    for (const value of values) {
        await nwpool.task.send(value);
        progress++;
    }
    return progress;
};

exports.sendsAtOnce = (count) => {
    for (let i = 0; i < count; i++) {
        nwpool.task.send(i);
    }
    return 'returned';
};

exports.sendsAndThrows = (count) => {
    exports.sendsAtOnce(count);
    throw new RangeError('thrown');
};

exports.sendsAndRejects = async (count) => {
    await null;
    exports.sendsAndThrows(count);
};

exports.sendsOneObject = () => {
    const object = { n: 0 };
    for (; object.n < 3; object.n++) {
        nwpool.task.send(object);
    }
    return object;
};

exports.sendsError = async () => {
    class HttpError extends Error {}
    const error = Object.assign(new HttpError('gone'), { code: 'E410' });
    await nwpool.task.send({ error });
};

exports.sendsBuffer = async () => {
    const kept = new Uint8Array([1, 2, 3]);
    const moved = new Uint8Array([4, 5, 6]);
    const marked = new Uint8Array([7]);
    await nwpool.task.send(kept);
    await nwpool.task.send({ moved }, [moved]);
    await nwpool.task.send(nwpool.transfer(marked));
    return [kept.length, moved.length, marked.length];
};

exports.sendsFunction = async () => {
    try {
        await nwpool.task.send({ value: () => {} });
    } catch (error) {
        return [error.code, error.message];
    }
    return 'nothing';
};

exports.sendsFunctionAtOnce = () => {
    nwpool.task.send(() => {});
};

exports.throwsOfGetter = async () => {
    await nwpool.task.send({
        get x() {
            throw new Error('of the getter');
        },
    });
};

exports.sendsUntilAborted = async () => {
    for (let i = 0; ; i++) {
        try {
            await nwpool.task.send(i);
        } catch (error) {
            return [error.name, error.code, error.message,
                nwpool.task.signal.aborted];
        }
    }
};

exports.sendsAndLogs = async () => {
    log.push(...(await exports.sendsUntilAborted())
        .filter((part) => part !== 'ABORT_ERR'));
};

exports.sendsTooMuch = () => {
    try {
        exports.sendsAtOnce(100000);
    } catch (error) {
        return error.code;
    }
    return 'nothing';
};

// Without looking after its promises.
exports.sendsCarelessly = async (count, name) => {
    exports.sendsAtOnce(count);
    await gate(name).promise;
    return 'careless';
};

// -- streams

exports.counts = function*(to) {
    try {
        for (let i = 0; i < to; i++) {
            yield i;
        }
    } finally {
        log.push('counted');
    }
    return 'counted';
};

exports.countsSlowly = async function*(to) {
    try {
        for (let i = 0; i < to; i++) {
            await pause(1);
            yield i;
        }
    } finally {
        log.push('counted slowly');
    }
    return nwpool.transfer(new Uint8Array([to]));
};

exports.countsLater = async (to) => {
    await pause(1);
    return exports.counts(to);
};

exports.yieldsIds = async function*() {
    yield nwpool.task.id;
    await pause(Math.random() * 3);
    yield nwpool.task.id;
    return nwpool.task.id;
};

exports.yieldsPromises = function*() {
    yield Promise.resolve('a');
    yield 'b';
    yield pause(1, 'c');
};

exports.yieldsRejection = function*() {
    try {
        yield 1;
        yield Promise.reject(new RangeError('rejected'));
    } finally {
        log.push('closed');
    }
};

exports.yieldsAndThrows = async function*() {
    yield 1;
    throw new RangeError('thrown');
};

exports.yieldsFunction = async function*() {
    try {
        yield 1;
        yield () => {};
    } finally {
        log.push('closed');
    }
};

exports.throwsAtOnce = function*() {
    throw new RangeError('at once');
};

exports.waitsAndYields = async function*() {
    try {
        yield 0;
        await new Promise((resolve) => nwpool.task.signal
            .addEventListener('abort', resolve));
        log.push('told');
        yield 1;
    } finally {
        await pause(1);
        log.push('cleaned up');
    }
};

// No generator, but an iterator.
exports.iterator = () => {
    let n = 0;
    return {
        [Symbol.asyncIterator]() {
            return this;
        },
        next: () => ({ done: n === 2, value: n++ }),
    };
};

exports.hangs = () => {
    let end;
    return {
        [Symbol.asyncIterator]() {
            return this;
        },
        next: () => new Promise((resolve) => {
            end = resolve;
        }),
        return() {
            log.push('return()');
            end({ done: true });
            return {};
        },
    };
};

exports.values = () => new Map([[1, 2], [3, 4]]).values();
exports.iterable = () => [[1, 2], new Set([3]), 'text'];
exports.looksAlike = () => ({ next: 1, done: true });

// -- beginning and end

let endFd;

exports.endsOn = (fd) => {
    endFd = fd;
    process.on('exit', (code) => fs.writeSync(fd, `exit ${code}.`));
};

exports.tearsDown = async () => {
    fs.writeSync(endFd, nwpool.task === undefined ? 'down,' : 'wrong,');
    await pause(1);
    fs.writeSync(endFd, 'later,');
};

exports.failsDown = async () => {
    await pause(1);
    throw Object.assign(new RangeError('not down'), { code: 'EDOWN' });
};

exports.catchesAll = () => {
    process.on('uncaughtException', () => {});
    process.on('unhandledRejection', () => {});
    process.setUncaughtExceptionCaptureCallback(() => {});
};

exports.failsUp = async () => {
    await pause(1);
    throw Object.assign(new RangeError('not up'), { code: 'EUP' });
};

exports.throwsUp = () => {
    throw 'a text';
};

exports.hangsUp = () => new Promise(() => {});

exports.notAFunction = 5;

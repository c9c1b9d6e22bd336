// What a service's module does: sets itself up and tears itself down, listens to
// its signal, sends while it runs, and gets stuck.

'use strict';

const fs = require('fs');

const spin = (ms) => {
    for (const end = Date.now() + ms; Date.now() < end;) ;
};

exports.inc = (n) => n + 1;
exports.id = () => nwpool.task.id;
exports.thread = () => require('worker_threads').threadId;
exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms, ms));
exports.busy = (ms) => {
    spin(ms);
    return ms;
};
exports.mark = (fd) => {
    fs.writeSync(fd, '!');
};
exports.note = (fd, text) => {
    fs.writeSync(fd, text);
};

// -- set-up and tear-down. NW_TEST_FD is told which of them ran.

function tell(what) {
    fs.writeSync(Number(process.env.NW_TEST_FD), what);
}

let ready = 0;

exports.setUp = async () => {
    await null;
    ready++;
    tell('u');
};
exports.isSetUp = () => ready;
exports.tearDown = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    tell('d');
};
exports.setUpFails = async () => {
    throw new TypeError('no database today');
};
exports.setUpNever = () => new Promise(() => {});
exports.tearDownNever = () => {
    tell('n');
    return new Promise(() => {});
};
exports.tearDownThrows = () => {
    throw new RangeError('cannot be torn');
};

// -- signals

exports.obey = (started) => new Promise((_, reject) => {
    const { signal } = nwpool.task;
    if (started !== undefined) {
        fs.writeSync(started, '!');
    }
    signal.addEventListener('abort', () => reject(signal.reason));
    setTimeout(() => {}, 1e6);
});
exports.yieldValue = (started) => new Promise((resolve) => {
    fs.writeSync(started, '!');
    nwpool.task.signal.addEventListener('abort', () => resolve('in time'));
    setTimeout(() => {}, 1e6);
});
exports.ignore = (started) => {
    fs.writeSync(started, '!');
    return new Promise(() => setTimeout(() => {}, 1e6));
};
exports.spin = (started) => {
    if (started !== undefined) {
        fs.writeSync(started, '!');
    }
    for (;;) ;
};
exports.spinCatching = (started) => {
    fs.writeSync(started, '!');
    for (;;) {
        try {
            for (;;) ;
        } catch {
            // Goes on.
        } finally {
            ready = -1;
        }
    }
};
exports.spinAfterAwait = async (started) => {
    await null;
    fs.writeSync(started, '!');
    for (;;) ;
};
exports.jam = (fd, size) => {
    fs.writeSync(fd, Buffer.alloc(size));
};

// -- streams

exports.count = async (n) => {
    for (let i = 0; i < n; i++) {
        await nwpool.task.send(i);
    }
    return 'counted';
};
exports.generate = function* (n) {
    for (let i = 0; i < n; i++) {
        yield i;
    }
    return 'generated';
};
exports.stream = async function* (n) {
    for (let i = 0; i < n; i++) {
        await null;
        yield { i };
    }
};
exports.flood = async (fd) => {
    const { signal, send } = nwpool.task;
    for (let i = 0; !signal.aborted; i++) {
        await send(i);
        fs.writeSync(fd, '!');
    }
};

// -- ends

exports.exit = (code) => process.exit(code);
exports.exitSoon = (ms, code) => new Promise(() =>
    setTimeout(() => process.exit(code), ms));
exports.throwLater = () => new Promise(() => setTimeout(() => {
    throw new TypeError('out of the blue');
}));

// Ends the worker the first times it is called; counts in a file.
exports.exitTimes = (file, times) => {
    fs.appendFileSync(file, '!');
    if (fs.statSync(file).size <= times) {
        process.exit(9);
    }
    return fs.statSync(file).size;
};

const hoard = [];

exports.hoard = (mib) => {
    for (let i = 0; i < mib; i++) {
        hoard.push(Buffer.alloc(1 << 20));
    }
    return hoard.length;
};

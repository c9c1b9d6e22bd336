// Every way in which a task, or its module, can bring a worker down, and some in
// which it cannot. NW_TEST_LOAD says what loading does.

'use strict';

const fs = require('fs');

const loads = {
    throw() {
        throw new Error('not today');
    },
    throwTheSecondTime() {
        fs.appendFileSync(process.env.NW_TEST_FILE, '!');
        if (fs.statSync(process.env.NW_TEST_FILE).size === 2) {
            throw new Error('not twice');
        }
    },
    throwLater() {
        setTimeout(() => {
            throw new Error('not for long');
        }, 20);
    },
};

(loads[process.env.NW_TEST_LOAD] ?? (() => {}))();

const never = new Promise(() => {});

exports.inc = (n) => n + 1;
exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms, ms));

// -- ends of the worker

exports.exit = () => process.exit(3);
exports.exitAfterAwait = async () => {
    await null;
    process.exit(3);
};
exports.exitInTimer = () => {
    setTimeout(() => process.exit(3), 2);
    return never;
};
exports.throwOutside = () => {
    setTimeout(() => {
        throw new Error('outside');
    }, 2);
    return never;
};
exports.rejectOutside = () => {
    Promise.reject(new Error('nobody cared'));
    return never;
};
exports.fillHeap = () => {
    for (const all = [];;) {
        all.push({ n: all.length });
    }
};
exports.spin = (started) => {
    if (started > 0) {
        fs.writeSync(started, '!');
    }
    for (;;) ;
};

// -- ends of the task alone

exports.recurse = function recurse() {
    return recurse() + 1;
};
exports.abort = () => process.abort();
exports.cannotClone = () => () => {};

const values = [
    null, undefined, 0, '', Symbol('s'), () => {},
    new Proxy({}, {
        get() {
            throw new Error('trap');
        },
        getPrototypeOf() {
            throw new Error('trap');
        },
    }),
];

exports.throwValue = (index) => {
    throw values[index];
};
exports.rejectValue = async (index) => {
    await null;
    throw values[index];
};

// -- set-up and tear-down

exports.exitInSetUp = () => process.exit(4);
exports.exitInTearDown = () => process.exit(5);

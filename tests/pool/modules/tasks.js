// Small functions for tests of the pool itself: how a task ends, and when.

'use strict';

const fs = require('fs');

exports.inc = (n) => n + 1;
exports.echo = (...values) => values[0];
exports.echoLater = async (value) => value;

// -- holding a task from outside, through two pipes

function hold(started, release) {
    fs.writeSync(started, '!');
    fs.readSync(release, Buffer.alloc(1));
    return 'held';
}

exports.hold = hold;

exports.never = (started) => {
    fs.writeSync(started, '!');
    return new Promise(() => {});
};

exports.wait = (started) => {
    fs.writeSync(started, '!');
    return new Promise((resolve) => setTimeout(resolve, 1e6));
};

exports.spin = (started) => {
    fs.writeSync(started, '!');
    for (;;) ;
};

exports.jam = (fd, size) => {
    fs.writeSync(fd, Buffer.alloc(size));
};

// Counts its calls in a file descriptor: one byte each.
exports.mark = (fd) => {
    fs.writeSync(fd, '!');
};

exports.sleep = (ms) =>
    new Promise((resolve) => setTimeout(resolve, ms, ms));

exports.busy = (ms) => {
    for (const end = Date.now() + ms; Date.now() < end;) ;
    return ms;
};

// -- failing

exports.fail = (message) => {
    throw new Error(message);
};

exports.failLater = async (message) => {
    throw new Error(message);
};

// -- dying

exports.exit = (code) => process.exit(code);

exports.exitLater = async (code) => {
    await null;
    process.exit(code);
};

exports.exitInTimer = (code) =>
    new Promise(() => setTimeout(() => process.exit(code), 1));

// Ends the worker after this task has its result.
exports.exitAfter = (code) => {
    let promise = Promise.resolve();
    for (let i = 0; i < 20; i++) {
        promise = promise.then(() => {});
    }
    promise.then(() => process.exit(code));
    return (async () => 'done')();
};

exports.exitAfterPlain = (code) => {
    setImmediate(() => process.exit(code));
    return 'done';
};

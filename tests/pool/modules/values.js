// Values in and out. Sources are JavaScript, evaluated here: the oracle.

'use strict';

const assert = require('assert');
const fs = require('fs');

const evaluate = (source) => (0, eval)(`(${source})`);

exports.echo = (value) => value;
exports.echoLater = async (value) => value;
exports.all = (...values) => values;
exports.evaluate = evaluate;
exports.evaluateLater = async (source) => evaluate(source);

// That `value` is exactly what the source says.
exports.check = (value, source) => {
    assert.deepStrictEqual(value, evaluate(source));
};

// That a function of the source finds the values in order.
exports.hold = (source, ...values) => {
    assert(evaluate(source)(...values), source);
};

// -- bytes

// Inverts what it is given and hands it back.
exports.invert = (bytes) => {
    bytes.forEach((byte, i) => {
        bytes[i] = ~byte;
    });
    return nwpool.transfer(bytes);
};

exports.copy = (bytes) => bytes;

exports.sum = (bytes) => bytes.reduce((sum, byte) => sum + byte, 0);

exports.describe = (bytes) =>
    [bytes.constructor.name, bytes.byteOffset, bytes.length,
        bytes.buffer.byteLength];

let kept;

exports.keep = (bytes) => {
    kept = bytes;
    return kept.length;
};

exports.forget = () => {
    kept = undefined;
    gc();
};

exports.collect = () => gc();

exports.keepAndSpin = (started, bytes) => {
    kept = bytes;
    fs.writeSync(started, '!');
    for (;;) ;
};

exports.keepAndWait = (started, bytes) => {
    kept = bytes;
    fs.writeSync(started, '!');
    return new Promise((resolve) => setTimeout(resolve, 1e6));
};

exports.keepAndExit = (bytes) => {
    kept = bytes;
    process.exit(bytes.length);
};

exports.throwWith = (bytes) => {
    throw new Error(String(bytes.length));
};

// -- what nwpool.transfer() does and does not move

// Many times over the size of Node's pool of small buffers.
exports.poolIsWhole = () => {
    const text = 'x'.repeat(100);
    for (let i = 0; i < 1000; i++) {
        if (Buffer.from(text).toString() !== text) {
            return false;
        }
    }
    return true;
};

exports.transferSmall = (text) => nwpool.transfer(Buffer.from(text));

exports.transferUnsafe = (size) =>
    nwpool.transfer(Buffer.allocUnsafe(size).fill(7));

// What was moved is empty afterwards; told by the next call.
let moved = [];

exports.transferAndTell = (source) => {
    const value = evaluate(source);
    moved = value.watch;
    return nwpool.transfer(value.result, value.list);
};

exports.lengths = () => moved.map((buffer) => buffer.byteLength);

exports.transferLater = async (size) => {
    await null;
    return nwpool.transfer(new Uint8Array(size).fill(9));
};

exports.transferOf = (source, list) =>
    nwpool.transfer(evaluate(source), evaluate(list));

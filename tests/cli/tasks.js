'use strict';

// What the command tests run.

const fs = require('fs');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

exports.echo = (value) => value;
exports.increment = (n) => n + 1;

// Ends out of order: even numbers take longer.
exports.uneven = async (n) => {
    await sleep(n % 2 === 0 ? 20 : 0);
    return n;
};

// Slow from 300 on; says how many slow ones have ended.
exports.slowAfter300 = async ({ n, ended }) => {
    if (n <= 300) return n;
    await sleep(10);
    fs.appendFileSync(ended, 'ended\n');
    return n;
};

exports.failOdd = (n) => {
    if (n % 2 === 0) return n;
    const error = new RangeError(`odd: ${n}`);
    error.code = 'EODD';
    throw error;
};

exports.exitAt500 = (n) => {
    if (n === 500) process.exit(3);
    return n;
};

exports.print = async (n) => {
    console.log('printed by a task');
    await sleep(200); // What a worker prints is written a little later.
    return n;
};

exports.returnFunction = () => () => 0;

exports.returnItself = () => {
    const object = {};
    object.object = object;
    return object;
};

// Says that it has started, and ends when the file `gate` is there.
exports.wait = async ({ started, gate }) => {
    fs.appendFileSync(started, 'started\n');
    while (!fs.existsSync(gate)) await sleep(5);
    return 'through';
};

// How many tasks a trace has by their ids, by their spans and by their runs.
exports.readTrace = (file) => {
    const { traceEvents } = JSON.parse(fs.readFileSync(file, 'utf8'));
    const spans = (ph) => traceEvents.filter(
        (event) => event.ph === ph && event.name !== 'wait');
    return {
        ids: new Set(spans('b').map((event) => event.id)).size,
        begun: spans('b').length,
        ended: spans('e').length,
        runs: spans('X').filter((event) => event.args.worker > 0).length,
    };
};

// Throws unless every line of the file is JSON; returns how many there are.
exports.countLines = (file) => {
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    if (lines.pop() !== '') throw new Error('the last line has no end');
    lines.forEach((line) => JSON.parse(line));
    return lines.length;
};

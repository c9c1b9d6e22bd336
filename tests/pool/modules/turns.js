// When things run that a task leaves behind, and those that wait for nobody.

'use strict';

function busy(ms) {
    for (const end = performance.now() + ms; performance.now() < end;) ;
}

let log = [];

exports.take = () => {
    const taken = log;
    log = [];
    return taken;
};

// Long enough for the scope of the tasks around it to be closed behind it.
exports.leave = (name) => {
    queueMicrotask(() => log.push(`microtask ${name}`));
    process.nextTick(() => log.push(`tick ${name}`));
    Promise.resolve().then(() => log.push(`promise ${name}`));
    log.push(`task ${name}`);
    busy(2);
};

// -- timers beside tasks

let ticks = 0;

exports.startTicking = (ms) => {
    setInterval(() => {
        ticks++;
    }, ms);
};

exports.ticks = () => ticks;

exports.busy = busy;
exports.inc = (n) => n + 1;

// -- asynchronous tasks

exports.resume = async (name) => {
    log.push(`begin ${name}`);
    await null;
    log.push(`middle ${name}`);
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`end ${name}`);
};

exports.work = (name) => {
    busy(2);
    log.push(`work ${name}`);
};

// Ways to end a worker, and what runs beside them. Those with a counter add 1 to
// it each time that they are run.

import { setTimeout as after } from 'node:timers/promises';

export const echo = (value) => value;
export const count = (counter) => Atomics.add(counter, 0, 1) + 1;

export function exit(counter) {
    if (counter) {
        Atomics.add(counter, 0, 1);
    }
    process.exit(3);
}

export function throwLater(counter) {
    if (counter) {
        Atomics.add(counter, 0, 1);
    }
    return new Promise(() => {
        setImmediate(() => {
            throw new RangeError('thrown later');
        });
    });
}

export function rejectUnhandled() {
    Promise.reject(new TypeError('nobody handles it'));
    return new Promise(() => setInterval(() => {}, 1e6));
}

export const unclonable = () => () => {};
export const unclonableInside = () => ({ deep: [{ symbol: Symbol('s') }] });
export const resolveUnclonable = async () => new WeakMap();

export function exhaustHeap() {
    const kept = [];
    for (;;) {
        kept.push(new Array(1024).fill(kept.length));
    }
}

// Crashes so many times, then returns what the counter is.
export function crashUntil([counter, times]) {
    const now = Atomics.add(counter, 0, 1) + 1;
    if (now <= times) {
        process.exit(9);
    }
    return now;
}

// Waits beside the one that crashes.
export async function wait() {
    nwpool.task.send('started');
    await after(1e6);
}

// After its task is over.
export function exitSoon() {
    setImmediate(() => process.exit(7));
}

export function throwSoon() {
    setImmediate(() => {
        throw new Error('after the task');
    });
}

export const fillAtOnce = () => new Array(2 ** 27).fill(1.5).length;

// Functions that most tests call.

import { setTimeout as after } from 'node:timers/promises';
import { isMainThread, resourceLimits, threadId, workerData } from
    'node:worker_threads';

export default function answer() {
    return 42;
}

export const echo = (value) => value;
export const list = (...args) => args;
export const add = (a, b) => a + b;
export const thread = () => threadId;
export const isMain = () => isMainThread;
export const data = () => workerData;
export const limits = () => resourceLimits;

export async function later(value) {
    await after(1);
    return value;
}

export class Tools {
    static double(value) {
        return 2 * value;
    }
}

// -- that last until somebody lets them go

// Of the first element of a shared Int32Array.
export function block(gate) {
    nwpool.task.send('started');
    Atomics.wait(gate, 0, 0);
    return 'released';
}

// Until a message comes through the port.
export async function hold(port) {
    const message = await new Promise((resolve) => {
        port.once('message', resolve);
        nwpool.task.send('started');
    });
    port.close();
    return message;
}

export function spin() {
    nwpool.task.send('started');
    for (;;);
}

export function spinFor(ms) {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
}

export function never() {
    nwpool.task.send('started');
    return new Promise((resolve) => setInterval(resolve.bind, 1e6));
}

// Ends when it is asked to, and tells why.
export async function untilAborted() {
    const { signal } = nwpool.task;
    await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
        nwpool.task.send('started');
    });
    nwpool.task.send(signal.reason.name);
    signal.throwIfAborted();
}

// Writes down that it was told, in memory that the test sees.
export async function noteAbort(seen) {
    const { signal } = nwpool.task;
    await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
        nwpool.task.send('started');
    });
    Atomics.store(seen, 0, 1);
    Atomics.notify(seen, 0);
}

// -- counters in shared memory

export const count = (counter) => Atomics.add(counter, 0, 1) + 1;

let calls = 0;
export const calledBefore = () => calls++;

// -- messages

export async function send(values) {
    for (const value of values) {
        await nwpool.task.send(value);
    }
    return values.length;
}

export const taskId = () => nwpool.task.id;

// -- the worker's surroundings

export const env = (name) => process.env[name];
export const setEnv = ([name, value]) => {
    process.env[name] = value;
};
export const argv = () => process.argv.slice(2);
export const execArgv = () => process.execArgv;
export const print = (text) => {
    process.stdout.write(text);
};
export const printError = (text) => {
    process.stderr.write(text);
};

export function context() {
    return nwpool.context;
}

export async function contextLater() {
    await after(1);
    return nwpool.context;
}

// Tasks that submit tasks to the pool whose worker they run on.

import { AsyncLocalStorage } from 'node:async_hooks';

import { poolify } from 'nwpool';

const call = (name) => poolify(import.meta.url, { name });
const fibOf = call('fib');
const chainOf = call('chain');
const failOf = call('fail');
const dieOf = call('die');
const spinOf = call('spin');
const contextOf = call('context');
const lengthOf = call('length');
const noteOf = call('note');

export async function fib(n) {
    if (n < 2) {
        return n;
    }
    const [one, other] = await Promise.all([fibOf(n - 1), fibOf(n - 2)]);
    return one + other;
}

export async function chain(depth) {
    return depth === 0 ? 0 : 1 + await chainOf(depth - 1);
}

class DepthError extends RangeError {
    name = 'DepthError';
}

export async function fail(depth) {
    if (depth === 0) {
        throw Object.assign(new DepthError('the bottom'), { depth });
    }
    return failOf(depth - 1);
}

export async function survive(depth) {
    try {
        return await failOf(depth);
    } catch (error) {
        return `${error.name}: ${error.message}, ${error.depth}`;
    }
}

export async function die(depth) {
    if (depth === 0) {
        process.exit(3);
    }
    return dieOf(depth - 1);
}

export function spin() {
    for (;;) {
        // Until somebody ends it.
    }
}

export async function wait() {
    await new Promise((resolve) => {
        nwpool.task.signal.addEventListener('abort', resolve);
    });
    throw nwpool.task.signal.reason;
}

const codeOf = (promise) => promise.then((value) => value,
    (error) => error.name === 'AbortError' ? error.name : error.code);

export const limited = () => codeOf(spinOf.with({ runLimit: 20 })());

export async function aborts() {
    const controller = new AbortController();
    const waiting = codeOf(call('wait').with({ signal: controller.signal })());
    setTimeout(() => controller.abort(), 20);
    const gone = codeOf(spinOf.with({ signal: AbortSignal.abort() })());
    return [await waiting, await gone, await chainOf(1)];
}

export async function refused() {
    let stream;
    try {
        stream = lengthOf.stream([]);
    } catch (error) {
        stream = error.code;
    }
    return [await codeOf(lengthOf(() => {})), await codeOf(call('no such')()),
        stream];
}

export const many = (count) => Promise.allSettled(
    Array.from({ length: count }, () => chainOf(0))).then((ends) =>
    ends.map(({ status, reason }) => reason?.code ?? status));

const storage = new AsyncLocalStorage();

export async function context(depth) {
    if (depth > 0) {
        return storage.run(depth, async () => {
            const below = await contextOf(depth - 1);
            return `${storage.getStore()}${below}`;
        });
    }
    return `${storage.getStore()}, ${nwpool.context}`;
}

export const length = (bytes) => bytes.length;

export async function moves() {
    const bytes = new Uint8Array(1000);
    const sent = lengthOf.with({ transfer: [bytes.buffer] })(bytes);
    return [bytes.length, await sent];
}

export const bySource = () =>
    poolify(function product(a, b) {
        return a * b;
    })(6, 7);

export async function note(counter) {
    await null;
    Atomics.add(counter, 0, 1);
}

export function leave(counter) {
    noteOf(counter);
    return 'left';
}

// Generators.

export async function* numbers(count) {
    for (let i = 0; i < count; i++) {
        yield i;
    }
    return 'end';
}

export function* plain(count) {
    for (let i = 0; i < count; i++) {
        yield i;
    }
}

// Counts in shared memory how far it is, and whether its `finally` ran.
export async function* watched([counter, size]) {
    try {
        for (let i = 0; ; i++) {
            Atomics.store(counter, 0, i);
            yield size ? new Uint8Array(size) : i;
        }
    } finally {
        Atomics.store(counter, 1, 1);
        Atomics.notify(counter, 1);
    }
}

export async function* failing(count) {
    yield* numbers(count);
    throw new RangeError('after the last');
}

export async function* buffers(count) {
    for (let i = 0; i < count; i++) {
        const bytes = new Uint8Array(1000).fill(i);
        yield nwpool.transfer(bytes);
    }
}

export const array = (count) => Array.from({ length: count }, (_, i) => i);

// Arrays in arrays: deeper than a thread with a smaller stack can read.
function nest(depth) {
    let value = [];
    for (let i = 0; i < depth; i++) {
        value = [value];
    }
    return value;
}

export async function* deep(depth) {
    yield 'before';
    yield nest(depth);
    yield 'after';
}

export const deepResult = nest;

export async function sendDeep(depth) {
    await nwpool.task.send('before');
    await nwpool.task.send(nest(depth));
    await nwpool.task.send('after');
}

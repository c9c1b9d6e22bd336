// Set-up and tear-down. workerData has what they do: { counts, fail }.

import { workerData } from 'node:worker_threads';

const { counts, fail } = workerData ?? {};
let isReady = false;

export async function setUp() {
    await new Promise((resolve) => setImmediate(resolve));
    if (fail === 'setUp') {
        throw new Error('no set-up today');
    }
    isReady = true;
    if (counts) {
        Atomics.add(counts, 0, 1);
    }
}

export async function tearDown() {
    await new Promise((resolve) => setImmediate(resolve));
    if (fail === 'tearDown') {
        throw new Error('no tear-down today');
    }
    Atomics.add(counts, 1, 1);
    Atomics.notify(counts, 1);
}

export const wasSetUp = () => isReady;

// What the workers of the other examples run.

import { setTimeout as sleep } from 'node:timers/promises';

export default function greet(name) {
    return `Hello, ${name}`;
}

export const add = (a, b) => a + b;

export const square = (n) => n * n;

export function root(n) {
    if (n < 0) {
        throw new RangeError(`${n} has no root`);
    }
    return Math.sqrt(n);
}

export async function wait(ms) {
    await sleep(ms, undefined, { signal: nwpool.task.signal });
    return `waited ${ms} ms`;
}

export function spin() {
    for (;;);
}

export async function* lines(count) {
    for (let i = 1; i <= count; i++) {
        yield `line ${i}`;
    }
    return count;
}

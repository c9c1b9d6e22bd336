// What the workers of every library run. The other files here only wrap these
// functions in what their library asks for.
//
// Each function takes one argument. The asynchronous ones are `async function`s
// because poolifier recognizes no other kind.

import { appendFileSync } from 'node:fs';

export function increment(n) {
    return n + 1;
}

export function echo(value) {
    return value;
}

export async function sleep({ ms, value }) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return value;
}

// Leaves one byte in a file, so that executions can be counted after a crash.
export async function exit({ code, mark }) {
    if (mark !== undefined) {
        appendFileSync(mark, '.');
    }
    process.exit(code);
}

export async function throwOutside() {
    setTimeout(() => {
        throw new Error('thrown outside of the task');
    }, 20);
    await new Promise(() => {});
}

export async function rejectUnhandled() {
    setTimeout(() => {
        Promise.reject(new Error('a rejection that nobody handles'));
    }, 20);
    await new Promise(() => {});
}

export function giveFunction() {
    return () => {};
}

export function throwValue({ value }) {
    throw value;
}

export function spin() {
    for (;;);
}

export function fillHeap() {
    const kept = [];

    for (;;) {
        kept.push(new Array(1000).fill(kept.length + 0.5));
    }
}

// Answers at once and takes the worker down when it has nothing to do.
export async function dieLater({ ms }) {
    setTimeout(() => process.exit(3), ms);
    return 'answered';
}

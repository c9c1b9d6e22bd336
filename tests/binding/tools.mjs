// What the tests of the package share.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Pool } from 'nwpool';

export const here = path.dirname(fileURLToPath(import.meta.url));

export const nodeMajor = Number(process.versions.node.split('.')[0]);

// Far more than any test needs: one that hangs is to be told, not measured.
const LIMIT_MS = 120_000;

export const tasks = (file) => path.join(here, 'tasks', file);

// A test with a bound. `options` are those of node:test. Pools that are idle let
// the program end, also while a test waits for an event of theirs.
export function check(name, options, action = options) {
    test(name, { timeout: LIMIT_MS, ...(action === options ? {} : options) },
        async (t) => {
            const timer = setInterval(() => {}, LIMIT_MS);
            t.after(() => clearInterval(timer));
            await action(t);
        });
}

// A pool that ends with its test.
export function makePool(t, options = {}) {
    const pool = new Pool({
        module: tasks('general.mjs'), minWorkers: 1, maxWorkers: 1, ...options,
    });
    t.after(() => pool.destroy());
    return pool;
}

// A task of `name` that has told that it runs, by sending 'started'.
export async function started(pool, name, argument, options) {
    let result;
    await new Promise((resolve, reject) => {
        result = pool.run(name, argument, {
            ...options,
            onMessage: (value) => value === 'started' && resolve(),
        });
        result.catch(reject);
    });
    return { result };
}

// The event of a pool, once it comes; `is` may choose among several.
export function nextEvent(pool, type, is = () => true) {
    return new Promise((resolve) => {
        pool.on(type, function listener(event) {
            if (is(event)) {
                pool.off(type, listener);
                resolve(event);
            }
        });
    });
}

// Resolves once a condition holds that no event tells of: what was thrown away
// is collected, a thread has ended. Bounded by the test.
export async function eventually(condition) {
    while (!await condition()) {
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

export const codeOf = (code) => (error) => {
    assert.equal(error.code, code, error.stack);
    assert.equal(error.name, 'PoolError');
    return true;
};

// What each promise came to, as a list of words.
export async function outcomes(promises) {
    return (await Promise.allSettled(promises)).map(({ status, value, reason }) =>
        status === 'fulfilled' ? value : reason?.code ?? reason);
}

// Runs a program that is given as text, of a Node.js of its own, in which the
// package is found by name. Resolves with how it ended.
export async function runProgram(source, options = {}) {
    const { execArgv = [], input = 'module', args = [], env } = options;
    const child = spawn(process.execPath, [...execArgv,
        `--input-type=${input}`, '-e', source, ...args],
    { cwd: here, env: env ?? process.env, timeout: LIMIT_MS,
        killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
        child[name].setEncoding('utf8').on('data', (text) => {
            texts[name] += text;
        });
    }
    const [code, signal] = await once(child, 'close');
    return { code, signal, ...texts };
}

// The same for one that has to end well.
export async function runsWell(source, options) {
    const result = await runProgram(source, options);
    assert.deepEqual({ code: result.code, signal: result.signal },
        { code: 0, signal: null }, result.stderr + result.stdout);
    return result.stdout;
}

// The events of the matrix. Each row drives one pool and says what came out:
// { text, right }. `right` is about settling: every promise did, with what the
// row asks for. Any rejection is as good as another; what it said is in the
// text.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// A promise that has not settled after this long counts as one that never will.
const PATIENCE_MS = 4000;

function pause(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(value) {
    if (value instanceof Error) {
        return value.message === '' ? 'empty Error' : 'Error';
    }
    if (typeof value === 'function') {
        return 'function';
    }
    const json = JSON.stringify(value);
    return json === undefined || json.length > 20 ? typeof value : json;
}

// What became of one call: { state: 'resolved' | 'reject' | 'hang', text }.
function settle(call) {
    return new Promise((resolve) => {
        const timer = setTimeout(() => {
            resolve({ state: 'hang', text: 'hang' });
        }, PATIENCE_MS);
        const end = (outcome) => {
            clearTimeout(timer);
            resolve(outcome);
        };
        const fail = (error) => {
            const what = say(error);
            end({ state: 'reject', error,
                text: what === 'Error' ? 'reject' : `reject ${what}` });
        };

        try {
            call().then((value) => {
                end({ state: 'resolved', value,
                    text: `resolved ${say(value)}` });
            }, fail);
        } catch (error) {
            fail(error);
        }
    });
}

function gave(outcome, value) {
    return outcome.state === 'resolved' && outcome.value === value;
}

function short(outcome, value) {
    return gave(outcome, value) ? 'ok' : outcome.text;
}

function echo(pool, value) {
    return settle(() => pool.run('echo', value));
}

// How the outcomes of several tasks of one kind read: "3 ok", "1 ok, 2 hang".
function count(outcomes, values) {
    const seen = new Map();

    outcomes.forEach((outcome, i) => {
        const text = short(outcome, values?.[i]);
        seen.set(text, (seen.get(text) ?? 0) + 1);
    });
    return [...seen].map(([text, n]) => `${n} ${text}`).join(', ');
}

// The victim rejects and the pool is as good as before.
function oneEvent(name, argument, rest) {
    return async (pool) => {
        const victim = await settle(() => pool.run(name, argument, rest?.()));
        const next = await echo(pool, 7);

        return {
            text: `${victim.text}, next ${short(next, 7)}`,
            right: victim.state === 'reject' && gave(next, 7),
        };
    };
}

async function queueBehindCrash(pool) {
    const values = [1, 2, 3];
    const victim = settle(() => pool.run('exit', { code: 3 }));
    const queued = await Promise.all(values.map((value) => echo(pool, value)));

    return {
        text: `${(await victim).text}, queue ${count(queued, values)}`,
        right: (await victim).state === 'reject'
            && queued.every((outcome, i) => gave(outcome, values[i])),
    };
}

async function brokenModule(pool) {
    const outcomes = await Promise.all([1, 2, 3, 4].map((n) => echo(pool, n)));
    const later = await echo(pool, 5);

    return {
        text: `${count(outcomes)}, later ${later.text}`,
        right: [...outcomes, later].every(({ state }) => state === 'reject'),
    };
}

async function coTenants(pool) {
    await echo(pool, 0);
    const tenant = settle(() => pool.run('sleep', { ms: 500, value: 5 }));
    const victim = settle(() => pool.run('exit', { code: 3 }));
    const next = await echo(pool, 7).then(async (outcome) => {
        await Promise.all([tenant, victim]);
        return outcome;
    });

    return {
        text: `${(await victim).text}, tenant ${short(await tenant, 5)}, `
            + `next ${short(next, 7)}`,
        right: (await victim).state === 'reject'
            && (await tenant).state !== 'hang' && gave(next, 7),
    };
}

async function idleDeath(pool) {
    await echo(pool, 0);
    if (pool.killIdle !== undefined) {
        await pool.killIdle();
    } else {
        await settle(() => pool.run('dieLater', { ms: 100 }));
    }
    await pause(600);
    const next = await echo(pool, 7);
    const after = await echo(pool, 8);

    return {
        text: `next ${short(next, 7)}, after it ${short(after, 8)}`,
        right: gave(next, 7) && gave(after, 8),
    };
}

async function abortOne(pool) {
    const controller = new AbortController();
    const { signal } = controller;

    await echo(pool, 0);
    const victim = settle(() =>
        pool.run('sleep', { ms: 3000, value: 1 }, { signal }));
    const others = [5, 6].map((value) => settle(() =>
        pool.run('sleep', { ms: 500, value })));
    await pause(200);
    controller.abort();
    const outcomes = await Promise.all(others);

    return {
        text: `${(await victim).text}, others ${count(outcomes, [5, 6])}`,
        right: (await victim).state === 'reject'
            && gave(outcomes[0], 5) && gave(outcomes[1], 6),
    };
}

async function spinning(pool, can) {
    await echo(pool, 0);
    const outcome = await oneEvent('spin', {}, () => can.runLimit
        ? { runLimit: 300 } : { signal: AbortSignal.timeout(300) })(pool);

    if (!can.runLimit) {
        outcome.text += ' (signal)';
    }
    return outcome;
}

async function oneExecution(pool) {
    const directory = mkdtempSync(join(tmpdir(), 'nwpool-peers-'));
    const mark = join(directory, 'mark');

    try {
        const victim = await settle(() => pool.run('exit', { code: 3, mark }));
        await pause(300);
        const times = readFileSync(mark).length;
        return {
            text: (times === 1 ? 'ran once' : `ran ${times} times`)
                + (victim.state === 'reject' ? '' : `, ${victim.text}`),
            right: times === 1 && victim.state === 'reject',
        };
    } finally {
        rmSync(directory, { recursive: true });
    }
}

// The rest of this row is for the parent: it waits for the process to end.
async function oneTaskAndNoClose(pool) {
    const outcome = await echo(pool, 7);

    return { text: short(outcome, 7), right: gave(outcome, 7) };
}

// `needs` is a feature, or several of which one is enough; a library without
// it has no cell. `pool` is what differs from one worker that is always there.
export const rows = [
    { label: 'task calls process.exit(3)',
        run: oneEvent('exit', { code: 3 }) },
    { label: 'error thrown outside of the task',
        run: oneEvent('throwOutside', {}) },
    { label: 'rejection that nobody handles',
        run: oneEvent('rejectUnhandled', {}) },
    { label: 'result that cannot be cloned',
        run: oneEvent('giveFunction', {}) },
    { label: 'throw null',
        run: oneEvent('throwValue', { value: null }) },
    { label: 'throw 0',
        run: oneEvent('throwValue', { value: 0 }) },
    { label: 'queue behind a crash, min 1',
        run: queueBehindCrash },
    { label: 'queue behind a crash, min 0',
        needs: ['min0'], pool: { min: 0 }, run: queueBehindCrash },
    { label: 'module throws at load, 4 tasks',
        pool: { broken: true }, run: brokenModule },
    { label: 'co-tenant of a crashed worker',
        needs: ['concurrency'], pool: { concurrency: 2 }, run: coTenants },
    { label: 'idle worker dies',
        run: idleDeath },
    { label: 'abort of one task of three',
        needs: ['abort'], pool: { concurrency: 2 }, run: abortOne },
    { label: 'time limit of a spinning task',
        needs: ['runLimit', 'abort'], run: spinning },
    { label: 'heap limit',
        needs: ['heap'], pool: { heapMb: 32 }, run: oneEvent('fillHeap', {}) },
    { label: 'executions of a crashed task',
        run: oneExecution },
    { label: 'idle pool lets the process exit',
        open: true, run: oneTaskAndNoClose },
];

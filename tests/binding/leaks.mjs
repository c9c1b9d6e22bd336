// Whether what pools take comes back: memory, handles, descriptors, threads.
//
//   node leaks.mjs [--tasks N] [--pools N] [--workers N]
//
// So many tasks are run, pools are made and closed, and workers are recycled, each
// in rounds; a line for each round. Fails when something grows from the middle of
// the rounds to their end: before that caches, heaps and free lists fill up.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Pool, poolify } from 'nwpool';

const { values: given } = parseArgs({
    options: {
        tasks: { type: 'string', default: '1000000' },
        pools: { type: 'string', default: '1000' },
        workers: { type: 'string', default: '1000' },
    },
});

const ROUNDS = 10;
const IN_FLIGHT = 512;

// What the allocator and V8 may keep. A leak of one small object each would be
// more than that of the numbers here.
const RSS_SLACK_MB = 24;

const directory = path.dirname(fileURLToPath(import.meta.url));
const module = path.join(directory, 'tasks/general.mjs');

const countIn = (place) => fs.readdirSync(place).length;

// Threads end a little after they have said so.
async function settled(read) {
    let before = read();
    for (let same = 0; same < 5;) {
        globalThis.gc?.();
        await new Promise((resolve) => setTimeout(resolve, 20));
        const now = read();
        same = now === before ? same + 1 : 0;
        before = now;
    }
    return before;
}

async function measure() {
    await settled(() => countIn('/proc/self/task'));
    return {
        rss: Math.round(process.memoryUsage.rss() / 2 ** 20),
        heap: Math.round(process.memoryUsage().heapUsed / 2 ** 20),
        handles: process.getActiveResourcesInfo().length,
        files: countIn('/proc/self/fd'),
        threads: countIn('/proc/self/task'),
    };
}

const line = (name, { rss, heap, handles, files, threads }) =>
    `${name.padEnd(22)} ${String(rss).padStart(5)} MB resident ` +
    `${String(heap).padStart(4)} MB heap ${handles} handles ${files} files ` +
    `${threads} threads`;

const COUNTED = ['handles', 'files', 'threads'];

// A worker that is on its way, or on its way out, counts only if it stays.
async function leastOf(end, middle) {
    for (let i = 0; i < 50; i++) {
        if (COUNTED.every((what) => end[what] <= middle[what])) {
            break;
        }
        end = await measure();
    }
    return end;
}

async function rounds(name, total, action) {
    const size = Math.ceil(total / ROUNDS);
    const figures = [];
    for (let i = 1; i <= ROUNDS; i++) {
        await action(size);
        figures.push(await measure());
        console.log(line(`${name} ${i * size}`, figures.at(-1)));
    }
    const middle = figures[ROUNDS / 2 - 1];
    const end = await leastOf(figures.at(-1), middle);
    assert.ok(end.rss <= middle.rss + RSS_SLACK_MB,
        `${name}: ${middle.rss} MB became ${end.rss} MB`);
    for (const what of COUNTED) {
        assert.ok(end[what] <= middle[what],
            `${name}: ${middle[what]} ${what} became ${end[what]}`);
    }
}

async function runTasks(total) {
    const pool = new Pool({ module, maxWorkers: 2 });
    const value = { some: 'object', with: [1, 2, 3], and: 'x'.repeat(200) };
    const kinds = [
        () => pool.run('echo', value),
        () => pool.run('echo', 1),
        () => pool.apply('add', [1, 2]),
        () => pool.run('later', 1),
        () => pool.run('echo', new Uint8Array(100)),
        () => pool.run('missing').catch(() => {}),
        () => pool.run('echo', 1, { signal: controller.signal }),
        () => pool.run('send', [1, 2], { onMessage() {} }),
    ];
    const controller = new AbortController();
    await rounds('tasks', total, async (count) => {
        let left = count;
        await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
            while (left-- > 0) {
                await kinds[left % kinds.length]();
            }
        }));
    });
    await pool.close();
}

async function makePools(total) {
    await rounds('pools', total, async (count) => {
        for (let i = 0; i < count; i++) {
            const pool = new Pool({ module, maxWorkers: 1 });
            if (i % 3 !== 0) {
                await pool.run('echo', i);
            }
            await (i % 2 === 0 ? pool.close() : pool.destroy());
        }
    });
}

async function recycleWorkers(total) {
    const pool = new Pool({ module, maxWorkers: 2, recycleTasks: 1 });
    const double = poolify((x) => 2 * x, { pool });
    await rounds('workers', total, async (count) => {
        const before = pool.stats().recycled;
        while (pool.stats().recycled < before + count) {
            await Promise.all([pool.run('later', 1), double(2)]);
        }
    });
    await pool.close();
}

const begin = await measure();
console.log(line('at the beginning', begin));
await runTasks(Number(given.tasks));
await makePools(Number(given.pools));
await recycleWorkers(Number(given.workers));
const end = await measure();
console.log(line('at the end', end));
// The thread and the descriptors of the library itself stay.
assert.ok(end.threads <= begin.threads + 1, 'threads are left');
assert.ok(end.files <= begin.files + 8, 'descriptors are left');

// Tasks per second of every library that is installed, in one process and one
// run: closed loop, a fixed number of promises outstanding.
//
// usage: node throughput.mjs [--only LIB,LIB] [--workers N] [--seconds N]
//                            [--rounds N] [--fastest] [--json] [--require]
//
// Each round goes through all lines, and in each line the libraries take turns:
// what else happens on the machine hits all of them, and no line alone. The
// median of the rounds counts, or the fastest. README.md says what the lines
// are.

import { EventEmitter } from 'node:events';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { loadColumns } from './adapters/index.mjs';
import * as bare from './echo.mjs';
import { makeRecord } from './record.mjs';

const WARM_UP_SHARE = 0.5; // Of the time of one round.
const STUCK_MS = 20000; // After this a sample has failed.

const increment = {
    name: 'increment',
    argument: (n) => n,
    check: (result, n) => result === n + 1,
};
const echoRecord = {
    name: 'echo',
    argument: makeRecord,
    check: (result, n) => result.id === n && result.owner.groups.length === 3,
};

// `least` is what --require asks nwpool to be, in multiples of the best peer.
const lines = [
    { label: 'n + 1', task: increment, inFlight: 1 },
    { label: 'n + 1', task: increment, inFlight: 64, least: 5 },
    { label: 'n + 1', task: increment, inFlight: 1024, least: 10 },
    { label: 'object', task: echoRecord, inFlight: 64, least: 4 },
    { label: 'object', task: echoRecord, inFlight: 1024, least: 4 },
];

// Tasks per second of one pool over about `ms`. The last tasks are waited for
// and counted, and so is the time that they take.
function sample(pool, { task, inFlight }, ms) {
    // The clock is not free, so it is not read for every task.
    const mask = inFlight < 64 ? 0 : 63;
    const start = performance.now();
    const end = start + ms;
    let sent = 0;
    let done = 0;
    let running = true;

    return new Promise((resolve, reject) => {
        const guard = setTimeout(() => {
            reject(new Error('no end of a sample'));
        }, ms + STUCK_MS);

        function send() {
            const n = sent++;

            pool.run(task.name, task.argument(n)).then((result) => {
                if (!task.check(result, n)) {
                    clearTimeout(guard);
                    reject(new Error('a wrong result'));
                    return;
                }
                done++;
                if ((done & mask) === 0) {
                    running = performance.now() < end;
                }
                if (running) {
                    send();
                } else if (done === sent) {
                    clearTimeout(guard);
                    resolve(done / (performance.now() - start) * 1000);
                }
            }, reject);
        }

        for (let i = 0; i < inFlight; i++) {
            send();
        }
    });
}

function median(numbers) {
    const sorted = numbers.toSorted((a, b) => a - b);
    const half = sorted.length >> 1;

    return sorted.length % 2 === 1 ? sorted[half]
        : (sorted[half - 1] + sorted[half]) / 2;
}

// What is measured: the libraries with threads, those that have something
// faster than their defaults twice, and the floor.
function entrants(columns) {
    const found = [{ name: 'bare MessagePort', open: bare.open }];

    for (const { name, library, mode, open, tuned } of columns) {
        if (mode === 'process') {
            continue;
        }
        found.push({ name, library, open });
        if (tuned !== undefined) {
            const what = Object.entries(tuned).map((pair) => pair.join(' '));
            found.push({ name: `${name}, ${what}`, library,
                open: (options) => open({ ...options, ...tuned }) });
        }
    }
    return found;
}

function summary({ rates, failed }) {
    if (failed) {
        return undefined;
    }
    const middle = median(rates);
    const range = Math.max(...rates) - Math.min(...rates);

    return {
        rate: flags.fastest ? Math.max(...rates) : middle,
        spread: range / 2 / middle,
    };
}

// Returns, for each line and entrant, { rate, spread } or undefined where it
// failed. The spread is half of the range over the median.
async function measure(all, workers, ms, rounds) {
    const pools = all.map(({ open }) => open({ min: workers, max: workers }));
    const turns = lines.flatMap((line) => pools.map((pool, at) => (
        { line, pool, name: all[at].name, rates: [], failed: false })));

    for (let round = -1; round < rounds; round++) {
        for (const turn of turns.filter(({ failed }) => !failed)) {
            try {
                if (round < 0) {
                    await sample(turn.pool, turn.line, ms * WARM_UP_SHARE);
                } else {
                    turn.rates.push(await sample(turn.pool, turn.line, ms));
                }
            } catch (error) {
                console.error(`${turn.name}: ${error?.message}`);
                turn.failed = true;
            }
        }
    }
    // Not waited for: a pool that does not end must not hold up the next ones.
    for (const pool of pools) {
        pool.close();
    }
    return lines.map((line) => turns.filter((turn) => turn.line === line)
        .map(summary));
}

// nwpool against the fastest of the peers, in whatever setting, and the floor.
function compare(all, results) {
    const own = results[all.findIndex(({ name }) => name === 'nwpool')];
    let best;

    for (const [at, { library }] of all.entries()) {
        if (library !== undefined && library !== 'nwpool'
            && results[at] !== undefined
            && !(results[at].rate < best?.rate)) {
            best = { name: all[at].name, rate: results[at].rate };
        }
    }
    return {
        best: best?.name,
        ratio: own && best && own.rate / best.rate,
        toBare: own && results[0] && own.rate / results[0].rate,
    };
}

function print(all, table, workers) {
    const width = Math.max(...all.map(({ name }) => name.length),
        'nwpool : best of the peers'.length);
    const row = (label, cells) => console.log([label.padEnd(width),
        ...cells.map((cell) => cell.padStart(16))].join('  ').trimEnd());
    const compared = table.map((results) => compare(all, results));
    const times = (ratio) => ratio === undefined ? '–' : ratio.toFixed(1);

    console.log(`tasks/s, ${workers} worker${workers === 1 ? '' : 's'}, `
        + `${flags.fastest ? 'fastest' : 'median'} of the rounds\n`);
    row('', lines.map(({ label }) => label));
    row('in flight', lines.map(({ inFlight }) => String(inFlight)));
    for (const [at, { name }] of all.entries()) {
        row(name, table.map((results) => results[at] === undefined ? 'failed'
            : `${Math.round(results[at].rate).toLocaleString('en')} ±${
                String(Math.round(results[at].spread * 100)).padStart(2)}%`));
    }
    row('nwpool : best of the peers',
        compared.map(({ ratio }) => times(ratio)));
    row('nwpool : bare', compared.map(({ toBare }) => times(toBare)));
    for (const [at, { best }] of compared.entries()) {
        console.log(`best of the peers, ${lines[at].label}, `
            + `${lines[at].inFlight} in flight: ${best ?? 'none'}`);
    }
    console.log();
}

// threads adds a listener for each task: what it costs counts, a warning about
// it for each sample does not.
EventEmitter.defaultMaxListeners = Infinity;

const { values: flags } = parseArgs({ options: {
    only: { type: 'string' },
    workers: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '120' },
    rounds: { type: 'string', default: '7' },
    fastest: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    require: { type: 'boolean', default: false },
} });
const { columns, missing } = await loadColumns(flags.only?.split(','));
const all = entrants(columns);
const rounds = Number(flags.rounds);
const sizes = [...new Set([1, Number(flags.workers)])];
const ms = Number(flags.seconds) * 1000
    / (sizes.length * lines.length * all.length * (rounds + WARM_UP_SHARE));
const machine = `Node.js ${process.version}, ${cpus()[0]?.model}, `
    + `${availableParallelism()} CPUs, `
    + `${rounds} rounds of ${Math.round(ms)} ms`;
const tables = [];

if (!flags.json) {
    console.log(machine);
    console.log([...new Set(columns.map(({ library, version }) =>
        `${library} ${version}`))].join(', '));
    if (missing.length > 0) {
        console.log(`not installed, left out: ${missing.join(', ')}`);
    }
    console.log();
}
for (const workers of sizes) {
    const table = await measure(all, workers, ms, rounds);
    tables.push(table);
    if (!flags.json) {
        print(all, table, workers);
    }
}
if (flags.json) {
    console.log(JSON.stringify({ machine, missing,
        tables: tables.map((table, i) => ({
            workers: sizes[i],
            lines: table.map((results, at) => ({
                label: lines[at].label,
                inFlight: lines[at].inFlight,
                ...compare(all, results),
                results: Object.fromEntries(all.map(({ name }, n) =>
                    [name, results[n] ?? null])),
            })),
        })) }, null, 2));
}
if (flags.require) {
    for (const [at, results] of tables[0].entries()) {
        const { least, label, inFlight } = lines[at];
        const { ratio } = compare(all, results);
        if (least !== undefined && !(ratio >= least)) {
            console.error(`${label}, ${inFlight} in flight: nwpool is not `
                + `${least} times as fast as the best of the peers`);
            process.exitCode = 1;
        }
    }
}
// Several of the pools would keep the process.
process.exit();

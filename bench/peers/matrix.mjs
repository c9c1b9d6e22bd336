// The crash matrix: what becomes of promises when a task or its worker goes
// wrong, for every library that is installed. README.md explains the words.
//
// usage: node matrix.mjs [--only LIB,LIB] [--row N] [--json] [--require nwpool]
//
// A cell is a process (cell.mjs) with a limit of time, as a library that hangs
// or dies must cost no more than its own cell. Cells run one after the other.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { loadColumns } from './adapters/index.mjs';
import { rows } from './rows.mjs';

const CELL_MS = 15000;
const EXIT_MS = 4000;
const LABEL_WIDTH = 22;
const CELL_WIDTH = 12;

const cell = fileURLToPath(new URL('cell.mjs', import.meta.url));

// Takes along the processes that the library has started.
function killGroup(child) {
    try {
        process.kill(-child.pid, 'SIGKILL');
    } catch {
        // The group is gone.
    }
}

function judge(row, answer, ended, timedOut) {
    if (answer === undefined) {
        return { right: false, text: timedOut ? 'no end of the cell'
            : `process died (${ended.signal ?? ended.code})` };
    }
    if (!row.open) {
        return answer;
    }
    if (!answer.right) {
        return { right: false, text: answer.text };
    }
    return timedOut ? { right: false, text: 'stays' }
        : { right: true, text: 'exits' };
}

function runCell(column, number) {
    const row = rows[number];

    return new Promise((resolve) => {
        const child = spawn(process.execPath, [cell, column.name, number], {
            detached: true,
            stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
        });
        let json = '';
        let errors = '';
        let timedOut = false;
        const expire = () => {
            timedOut = true;
            killGroup(child);
        };
        let timer = setTimeout(expire, CELL_MS);

        child.stderr.on('data', (data) => {
            errors = (errors + data).slice(-2000);
        });
        child.stdio[3].on('data', (data) => {
            json += data;
            clearTimeout(timer);
            timer = setTimeout(expire, EXIT_MS);
        });
        // The end of a cell ends what it has started, else that would hold the
        // pipes open.
        child.on('exit', () => {
            clearTimeout(timer);
            killGroup(child);
        });
        child.on('close', (code, signal) => {
            const answer = json === '' ? undefined : JSON.parse(json);
            resolve({
                ...judge(row, answer, { code, signal }, timedOut), errors,
            });
        });
    });
}

function has(column, row) {
    return row.needs === undefined
        || row.needs.some((feature) => column.can[feature]);
}

function wrap(text, width) {
    const lines = [];

    for (const word of text.split(' ')) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + 1 + word.length <= width) {
            lines[lines.length - 1] = `${last} ${word}`;
        } else {
            lines.push(word);
        }
    }
    return lines;
}

function printRow(label, texts) {
    const cells = [wrap(label, LABEL_WIDTH),
        ...texts.map((text) => wrap(text, CELL_WIDTH))];
    const height = Math.max(...cells.map((lines) => lines.length));

    for (let i = 0; i < height; i++) {
        console.log(cells.map((lines, at) => (lines[i] ?? '')
            .padEnd(at === 0 ? LABEL_WIDTH : CELL_WIDTH)).join('  ').trimEnd());
    }
    console.log();
}

const { values: flags } = parseArgs({ options: {
    only: { type: 'string' },
    row: { type: 'string' },
    json: { type: 'boolean', default: false },
    require: { type: 'string' },
} });
const { columns, missing } = await loadColumns(flags.only?.split(','));
const results = [];

if (!flags.json) {
    console.log(`Node.js ${process.version}, `
        + [...new Set(columns.map((column) =>
            `${column.library} ${column.version}`))].join(', '));
    if (missing.length > 0) {
        console.log(`not installed, left out: ${missing.join(', ')}`);
    }
    console.log();
    printRow('', columns.map((column) => column.name));
}

for (const [number, row] of rows.entries()) {
    if (flags.row !== undefined && number + 1 !== Number(flags.row)) {
        continue;
    }
    const cells = [];
    for (const column of columns) {
        const outcome = has(column, row) ? await runCell(column, number)
            : { text: '–', right: null };
        cells.push(outcome);
        results.push({ row: number + 1, label: row.label, column: column.name,
            version: column.version, ...outcome });
    }
    if (!flags.json) {
        printRow(`${number + 1} ${row.label}`, cells.map(
            ({ text, right }) => right === false ? `${text} ✗` : text));
    }
}

const sums = columns.map((column) => {
    const own = results.filter((result) => result.column === column.name
        && result.right !== null);
    return { column: column.name, rows: own.length,
        right: own.filter((result) => result.right).length };
});

if (flags.json) {
    console.log(JSON.stringify(
        { node: process.version, missing, results, sums }, null, 2));
} else {
    printRow('rows that are right',
        sums.map((sum) => `${sum.right} of ${sum.rows}`));
}

if (flags.require !== undefined) {
    const own = sums.filter((sum) => sum.column === flags.require);
    if (own.length === 0 || own.some((sum) => sum.right < sum.rows)) {
        console.error(`${flags.require} is not right in every row`);
        process.exitCode = 1;
    }
}

// The flat form beside V8's serializer: one value there and back, in one thread.
//
//   node binding/build.js --testing --output DIR
//   node bench/flat.mjs DIR/nwpool.node [ROUNDS]

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

import { makeRecord } from './peers/record.mjs';

const TRIPS = 20000; // A round of one way.

const require = createRequire(import.meta.url);
const addon = require(path.resolve(process.argv[2]));
const rounds = Number(process.argv[3] ?? 21);
const script = fileURLToPath(new URL('../src/js/flat.js', import.meta.url));

addon.openFlat(vm.compileFunction(
    `${fs.readFileSync(script, 'utf8')}return makeFlat;`, ['require'],
    { filename: script })(require));

const integers = Array.from({ length: 64 }, (_, i) => i);
const numbers = integers.map((i) => i + 0.1);

// Made anew each time, as a program would.
const values = {
    'object of 300 bytes': makeRecord,
    'two numbers': (x) => ({ x, y: 2 }),
    '20 rows': (id) => Array.from({ length: 20 },
        () => ({ id, name: 'somebody', sum: 1.5 })),
    '64 integers': () => integers.slice(),
    '64 numbers': () => numbers.slice(),
    'text of 8,000': (x) => ({ text: String(x).padEnd(8000) }),
    'no flat one': (x) => ({ id: x, at: new Date(x), name: 'somebody' }),
};

function measure(make, isFlat) {
    const trips = Math.ceil(TRIPS / (1 + JSON.stringify(make(0)).length / 300));
    const start = process.hrtime.bigint();

    for (let i = 0; i < trips; i++) {
        addon.trip(make(i), isFlat);
    }
    return Number(process.hrtime.bigint() - start) / trips;
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

console.log(`Node.js ${process.version}, ns there and back, median of ${
    rounds} rounds`);
for (const [name, make] of Object.entries(values)) {
    const flat = [];
    const v8 = [];
    for (let round = 0; round <= rounds; round++) {
        const times = [measure(make, true), measure(make, false)];
        if (round > 0) {
            flat.push(times[0]);
            v8.push(times[1]);
        }
    }
    console.log(`${name.padEnd(20)} flat ${median(flat).toFixed(0).padStart(6)}` +
        `  V8 ${median(v8).toFixed(0).padStart(6)}` +
        `  V8 : flat ${(median(v8) / median(flat)).toFixed(1)}`);
}

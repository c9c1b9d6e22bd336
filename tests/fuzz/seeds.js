// Writes the first inputs of the fuzzer into a directory: values as V8 writes
// them, and our own host objects byte by byte.
//
//   node seeds.js DIRECTORY

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const v8 = require('v8');

const { make } = require('../oracle/make.js');

const RANDOM = 400; // Most of them are dropped when the corpus is minimised.
const SIZE_MAX = 1024;

const directory = process.argv[2];

// See fuzz_wire.c for the first byte.
const save = (bytes, { values = 1, blobs = 0, refs = 0 } = {}) => {
    const input = Buffer.from([values - 1 + 4 * blobs + 16 * refs, ...bytes]);
    const name = crypto.createHash('sha1').update(input).digest('hex');
    if (input.length <= SIZE_MAX) {
        fs.writeFileSync(path.join(directory, name), input);
    }
};

const serialize = (values) => {
    const writer = new v8.Serializer();
    writer.writeHeader();
    for (const value of values) {
        writer.writeValue(value);
    }
    return writer.releaseBuffer();
};

const cyclic = { list: [] };
cyclic.list.push(cyclic);
const buffer = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer;
const failed = new RangeError('no', { cause: new TypeError('why') });
failed.stack = 'at';

const samples = [
    undefined, null, true, 1, -1, 2 ** 31, 0.5, -0, NaN, 'a', 'é', '€', '😀',
    [], [1, , 3], [1.5, 2], Object.assign([1], { a: 2 }), new Array(5),
    Object.assign(new Array(2000), { 7: 1 }), {}, { a: 1, 7: 2 }, cyclic,
    new Map([[1, cyclic], ['a', new Map()]]), new Set([1, 'a', {}]),
    0n, 1n, -(2n ** 70n), new Date(0), new Date(NaN), /a/g, /é/dgimsuy,
    Object(true), Object(false), Object(1), Object('a'), Object(1n),
    buffer, new Uint8Array(buffer), new Int16Array(buffer, 2, 2),
    [new Float64Array(buffer), new DataView(buffer, 1, 3), buffer],
    new BigInt64Array(buffer), failed, [failed, failed], new URIError(),
];

// A nested pair of quotes is a string, a number a byte.
const bytes = (...parts) => parts.flatMap((part) =>
    typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : part);
const text = (string) => bytes('"', string.length, string);
const record = (...rest) => bytes(0xFF, 15, '\\', 3, 'o', text('name'),
    text('MyError'), text('message'), text('m'), ...rest);

fs.mkdirSync(directory, { recursive: true });
for (const sample of samples) {
    save(serialize([sample]));
}
save(serialize([cyclic, cyclic.list, 'a']), { values: 3 });
for (let seed = 0; seed < RANDOM; seed++) {
    const values = make(seed, 1 + seed % 16);
    save(serialize(values), { values: values.length });
}

const header = [0xFF, 15];
const beside = { blobs: 3, refs: 4 };
save(bytes(header, '\\', 0, 'B', 2, 1, 2));
save(bytes(header, '\\', 0, 0, 2, 1, 2));
save(bytes(header, '\\', 0, 'w', 2, 1, 2));
save(bytes(header, 'A', 3, '\\', 1, 'B', 0, 0, 16, '\\', 1, 'B', 0, 2, 4,
    '\\', 1, 0, 1, 0, 16, '$', 0, 3), beside);
save(bytes(header, 'A', 2, 't', 0, 'V', 'B', 0, 16, 0, 't', 1, '$', 0, 2),
    beside);
save(bytes(header, 'A', 2, '\\', 2, 'B', 0, 2, 'B', 2, 1, 2, '\\', 2, 'b', 1, 1,
    '^', 2, '$', 0, 2));
save(bytes(header, '\\', 2, 'D', 4, 8, 'u', 0), beside);
save(bytes(header, 'u', 0, 'V', 'B', 0, 16, 0), beside);
save(bytes(header, 'A', 3, 'u', 0, 'u', 0, '^', 1, '$', 0, 3), beside);
save(bytes(header, '\\', 4, 1), beside);
save(bytes(header, '\\', 4, 3), beside);
save(bytes(header, 'w', 2), beside);
save(bytes(header, 'm', 2, 'u', 0), beside);
save(record('{', 2));
save(record(text('stack'), text('s'), text('code'), text('E'), text('cause'),
    'o{', 0, text('errors'), 'A', 1, '0$', 0, 1, text('properties'), 'o',
    text('a'), 'T{', 1, '{', 7));
save(record(text('cause'), record('{', 2).slice(2), '{', 3));

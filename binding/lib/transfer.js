// What moves instead of being copied.

'use strict';

// In a pool's worker, whose own marks are C's affair: how to look into one.
const own = globalThis.nwpool?.[Symbol.for('nwpool.own')];
const { invalid } = require('./options.js');

class Transfer {
    constructor(value, list) {
        this.value = value;
        this.list = list;
    }
}

// Marks a value, or what is listed of it, as one that moves: as an argument of a
// task here, as its result in a worker.
function transfer(value, list = [value]) {
    return globalThis.nwpool === undefined ? new Transfer(value, list) :
        globalThis.nwpool.transfer(value, list);
}

function bufferOf(item) {
    return ArrayBuffer.isView(item) ? item.buffer : item;
}

// [value, list] of a mark, undefined of anything else.
function partsOf(value) {
    return value instanceof Transfer ? [value.value, value.list] :
        own?.parts(value);
}

// The arguments without their marks; `list` grows by what moves.
function unwrap(args, list) {
    if (!Array.isArray(args)) {
        throw invalid('the arguments of a function are an array');
    }
    return args.map((arg) => {
        const parts = partsOf(arg);
        if (parts === undefined) {
            return arg;
        }
        list.push(...parts[1].map(bufferOf));
        return parts[0];
    });
}

module.exports = { partsOf, transfer, unwrap, bufferOf };

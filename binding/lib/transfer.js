// What moves instead of being copied.

'use strict';

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

// The arguments without their marks; `list` grows by what moves.
function unwrap(args, list) {
    return args.map((arg) => {
        if (!(arg instanceof Transfer)) {
            return arg;
        }
        list.push(...arg.list.map(bufferOf));
        return arg.value;
    });
}

module.exports = { Transfer, transfer, unwrap, bufferOf };

// Memory that several workers and C see at once.

'use strict';

const ints = (memory) =>
    new Int32Array(memory instanceof WebAssembly.Memory ? memory.buffer :
        memory.buffer ?? memory);

exports.add = (memory, index, times) => {
    for (let i = 0; i < times; i++) {
        Atomics.add(ints(memory), index, 1);
    }
    return Atomics.load(ints(memory), index);
};

// Until somebody else says so; "timed-out" if nobody can.
exports.wait = (memory) => Atomics.wait(ints(memory), 1, 0, 60000);

exports.notify = (memory) => {
    let woken = 0;
    while (woken === 0) {
        woken = Atomics.notify(ints(memory), 1);
    }
    return woken;
};

let kept;

exports.keep = (memory) => {
    kept = memory;
};

exports.make = (size) => {
    kept = new SharedArrayBuffer(size);
    return kept;
};

exports.makeMemory = () => {
    kept = new WebAssembly.Memory({ initial: 1, maximum: 3, shared: true });
    return kept;
};

exports.grow = () => kept.grow(1);
exports.sizeOf = (memory) => memory.buffer.byteLength;
exports.look = (index) => Atomics.load(ints(kept), index);

exports.forget = () => {
    kept = undefined;
    gc();
};

exports.collect = () => gc();

exports.kinds = (...values) =>
    values.map((value) => value.constructor.name).join();

// Two objects, one message: views and buffer of one memory stay one object.
exports.areOne = (memory, view, other) =>
    view.buffer === memory && other === memory;

// -- WebAssembly: (a, b) => a + b

const source = Uint8Array.of(
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // "\0asm", version 1
    0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, // (i32, i32) -> i32
    0x03, 0x02, 0x01, 0x00, // one function of that type
    0x07, 0x07, 0x01, 0x03, 0x61, 0x64, 0x64, 0x00, 0x00, // exported: "add"
    0x0a, 0x09, 0x01, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x6a, 0x0b);

exports.compile = () => new WebAssembly.Module(source);

exports.compileTwice = () => {
    const one = exports.compile();
    return [one, one, exports.compile()];
};

exports.run = (module, a, b) =>
    new WebAssembly.Instance(module).exports.add(a, b);

exports.areOneAndAnother = ([one, same, another]) =>
    one === same && one !== another;

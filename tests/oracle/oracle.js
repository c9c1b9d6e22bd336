// The other side of oracle.c: V8 itself, as this Node.js has it. Frames come
// on stdin and go to stdout, each a 32-bit size, little endian as all numbers
// here, and as many bytes:
//
//   read  'R', then messages                     -> replies
//   make  'M', then pairs of seed and budget     -> replies
//   message  number of values, size, bytes
//   reply    number of values, text, bytes, text of the values in the bytes;
//            each but the first a size and as many bytes
//
// "make" replies with the same text twice. A message that V8 does not read, or
// values that it does not write, give the text "! " and why.

'use strict';

const fs = require('fs');
const v8 = require('v8');

const { canon } = require('./canon.js');
const { make } = require('./make.js');

const TRIES_MAX = 100;

// -- V8's format

const views = {
    b: Int8Array, B: Uint8Array, C: Uint8ClampedArray, w: Int16Array,
    W: Uint16Array, d: Int32Array, D: Uint32Array, f: Float32Array,
    F: Float64Array, q: BigInt64Array, Q: BigUint64Array, '?': DataView,
};

const errors = { Error, EvalError, RangeError, ReferenceError, SyntaxError,
    TypeError, URIError, AggregateError };

const define = (object, key, value, enumerable = false) => {
    Object.defineProperty(object, key, {
        value, enumerable, configurable: true, writable: true });
};

// An Error of all that the record says, and of nothing else.
const errorFrom = (record) => {
    const name = record.name ?? 'Error';
    const Class = Object.hasOwn(errors, name) ? errors[name] : Error;
    const error = Class === AggregateError ? new Class([]) : new Class();
    for (const key of ['message', 'stack', 'errors', 'code', 'cause']) {
        delete error[key];
        if (Object.hasOwn(record, key)) {
            define(error, key, record[key]);
        }
    }
    if (error.name !== name) {
        define(error, 'name', name);
    }
    for (const key of Object.keys(record.properties ?? {})) {
        define(error, key, record.properties[key], true);
    }
    return error;
};

// Our own host objects, as src/wire.h has them, but for those with something
// beside the message.
class Reader extends v8.Deserializer {
    _readHostObject() {
        const kind = this.readUint32();
        switch (kind) {
        case 0:
            return this.copied();
        case 2:
            return this.over();
        case 3:
            return errorFrom(this.readValue());
        default:
            throw new Error(`host object of kind ${kind}`);
        }
    }

    copied() {
        const view = this.readUint32();
        const bytes = Uint8Array.from(this.readRawBytes(this.readUint32()));
        return view === 0
            ? bytes.buffer : this.view(view, bytes.buffer, 0, bytes.length);
    }

    over() {
        const view = this.readUint32();
        const offset = this.readUint32();
        const size = this.readUint32();
        return this.view(view, this.readValue(), offset, size);
    }

    view(tag, buffer, offset, size) {
        const View = views[String.fromCharCode(tag)];
        return new View(buffer, offset, size / (View.BYTES_PER_ELEMENT ?? 1));
    }
}

const deserialize = (bytes, count) => {
    // Copied, so that it begins where V8 wants two-byte strings to.
    const reader = new Reader(Buffer.from(bytes));
    reader.readHeader();
    return Array.from({ length: count }, () => reader.readValue());
};

const serialize = (values) => {
    const writer = new v8.Serializer();
    writer.writeHeader();
    for (const value of values) {
        writer.writeValue(value);
    }
    return writer.releaseBuffer();
};

// -- frames

const readFully = (size) => {
    const buffer = Buffer.allocUnsafe(size);
    for (let at = 0; at < size;) {
        const got = fs.readSync(0, buffer, at, size - at);
        if (got === 0) {
            process.exit(at === 0 ? 0 : 1);
        }
        at += got;
    }
    return buffer;
};

const writeFully = (buffer) => {
    for (let at = 0; at < buffer.length;) {
        at += fs.writeSync(1, buffer, at);
    }
};

class Frame {
    at = 1;

    constructor(buffer) {
        this.buffer = buffer;
    }

    get left() {
        return this.buffer.length - this.at;
    }

    number() {
        this.at += 4;
        return this.buffer.readUInt32LE(this.at - 4);
    }

    bytes() {
        const size = this.number();
        this.at += size;
        return this.buffer.subarray(this.at - size, this.at);
    }
}

const parts = [];

const putNumber = (number) => {
    const buffer = Buffer.allocUnsafe(4);
    buffer.writeUInt32LE(number);
    parts.push(buffer);
};

const putReply = (count, ...fields) => {
    putNumber(count);
    for (const field of fields) {
        const bytes = Buffer.from(field);
        putNumber(bytes.length);
        parts.push(bytes);
    }
};

const replyRead = (count, bytes) => {
    try {
        const values = deserialize(bytes, count);
        const text = canon(values);
        const written = serialize(values);
        putReply(count, text, written, canon(deserialize(written, count)));
    } catch (error) {
        putReply(count, `! ${error.stack}`, '', '');
    }
};

// Some values V8 writes but does not read, such as errors that are their own
// cause in some versions: then the next ones.
const replyMake = (seed, budget) => {
    for (let i = 0; ; i++) {
        try {
            const values = make(seed + i * 7919, budget);
            const bytes = serialize(values);
            const text = canon(deserialize(bytes, values.length));
            putReply(values.length, text, bytes, text);
            return;
        } catch (error) {
            if (i === TRIES_MAX) {
                putReply(0, `! ${error.stack}`, '', '');
                return;
            }
        }
    }
};

for (;;) {
    const frame = new Frame(readFully(readFully(4).readUInt32LE()));
    const isRead = frame.buffer[0] === 'R'.charCodeAt(0);
    while (frame.left > 0) {
        if (isRead) {
            replyRead(frame.number(), frame.bytes());
        } else {
            replyMake(frame.number(), frame.number());
        }
    }
    const reply = Buffer.concat(parts.splice(0));
    putNumber(reply.length);
    writeFully(Buffer.concat([...parts.splice(0), reply]));
}

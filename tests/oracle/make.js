// Random JavaScript values, with what C never makes: getters, instances of
// classes, strings and arrays in each of V8's inner forms, odd errors. The same
// seed, the same values.
//
// Never made here, because what V8 itself reads back is something else or
// because the type is not the oracle's: SharedArrayBuffer, functions, symbols,
// objects of Node.js. Lone surrogates are only in strings that stand as values;
// as keys two different ones would become the same.

'use strict';

const DEPTH_MAX = 10;
const WIDTH_MAX = 7;
const HUGE_LENGTH_MAX = 2 ** 24; // As long as the reader takes them.

// No frames: a seed means the same values wherever this file lies.
Error.stackTraceLimit = 0;

const major = Number(process.versions.node.split('.')[0]);

class Thing {
    constructor(maker, depth) {
        this.own = maker.any(depth + 1);
        Object.defineProperty(this, 'hidden', { value: 1 });
    }

    get inherited() {
        return 1;
    }
}

class List extends Array {}
class Table extends Map {}
class Failure extends RangeError {
    constructor(...rest) {
        super(...rest);
        this.own = 1;
    }
}

class Maker {
    made = [];

    constructor(seed, budget) {
        this.state = seed | 0;
        this.budget = budget;
    }

    // Mulberry32 (Tommy Ettinger).
    bits() {
        let z = this.state = this.state + 0x6D2B79F5 | 0;
        z = Math.imul(z ^ z >>> 15, z | 1);
        z ^= z + Math.imul(z ^ z >>> 7, z | 61);
        return (z ^ z >>> 14) >>> 0;
    }

    below(limit) {
        return this.bits() % limit;
    }

    oneIn(n) {
        return this.below(n) === 0;
    }

    pick(list) {
        return list[this.below(list.length)];
    }

    remember(value) {
        this.made.push(value);
        return value;
    }

    // -- primitives

    number() {
        switch (this.below(6)) {
        case 0:
            return this.pick([0, -0, NaN, Infinity, -Infinity, 2 ** 31,
                2 ** 31 - 1, -(2 ** 31), -(2 ** 31) - 1, 2 ** 30, 2 ** 30 - 1,
                -(2 ** 30), -(2 ** 30) - 1, 2 ** 32, 2 ** 32 - 1, 2 ** 53,
                -(2 ** 53), 5e-324, Number.MAX_VALUE, 0.1]);
        case 1:
            return this.below(200) - 100;
        case 2:
            return this.bits() | 0;
        case 3: // Whole, but not a small integer to V8.
            return [this.below(100) + 0.5].map((x) => x - 0.5)[0];
        default:
            return new Float64Array(
                Uint32Array.of(this.bits(), this.bits()).buffer)[0];
        }
    }

    bigint() {
        let value = 0n;
        const words = this.below(this.oneIn(8) ? 40 : 4);
        for (let i = 0; i < words; i++) {
            value = value << 32n | BigInt(this.oneIn(4) ? 0 : this.bits());
        }
        return this.oneIn(2) ? -value : value;
    }

    flat(limit) {
        const count = this.below(this.oneIn(12) ? 200 : 12);
        let text = '';
        for (let i = 0; i < count; i++) {
            let code = this.below(limit);
            if (code >= 0xD800 && code <= 0xDFFF) {
                code = 0xFFFD;
            }
            text += String.fromCodePoint(
                this.oneIn(2) ? 0x20 + this.below(0x5F) : code);
        }
        return text;
    }

    // Flat, as two halves that V8 has not joined yet, as a piece of another;
    // of one byte or two, or of one that is stored in two.
    text() {
        const limit = this.pick([0x80, 0x100, 0x10000, 0x110000]);
        const text = this.flat(limit);
        switch (this.below(6)) {
        case 0:
            return text + this.flat(limit) + text;
        case 1:
            return text.repeat(3).substring(1).replace(/[\uD800-\uDFFF]/g, '?');
        case 2:
            return `${text.replace(/[^]/gu, 'a')}\u{1F600}`.slice(0, -2);
        default:
            return text;
        }
    }

    string() {
        const text = this.text();
        return this.oneIn(20)
            ? text + String.fromCharCode(0xD800 + this.below(0x800)) + text
            : text;
    }

    key() {
        switch (this.below(6)) {
        case 0:
            return String(this.below(20));
        case 1:
            return String(this.bits() >>> this.below(32));
        case 2:
            return this.pick(['__proto__', 'constructor', 'length', 'toString',
                'then', '4294967294', '4294967295', '4294967296', '-1', '-0',
                '01', '1.5', '', 'Infinity', 'NaN', '9007199254740991',
                '9007199254740993', 'hasOwnProperty']);
        default:
            return this.text();
        }
    }

    primitive() {
        switch (this.below(8)) {
        case 0:
            return undefined;
        case 1:
            return null;
        case 2:
            return this.oneIn(2);
        case 3:
        case 4:
            return this.number();
        case 5:
            return this.bigint();
        default:
            return this.string();
        }
    }

    // -- what has parts

    width() {
        return this.below(this.oneIn(16) ? 40 : WIDTH_MAX);
    }

    fill(depth, make = () => this.any(depth + 1)) {
        return Array.from({ length: this.width() }, make);
    }

    // Packed, with holes, of small integers, of doubles, a dictionary, with
    // properties.
    array(depth) {
        const array = this.remember(this.oneIn(12) ? new List() : []);
        switch (this.below(9)) {
        case 0:
            array.push(...this.fill(depth, () => this.below(100)));
            break;
        case 1:
            array.push(...this.fill(depth, () => this.number()));
            break;
        case 2:
            array.push(...this.fill(depth, () => this.below(9) + 0.5));
            array.push(this.below(9));
            break;
        case 3:
            array.length = this.below(20);
            for (let i = this.below(5); i > 0; i--) {
                array[this.below(30)] = this.any(depth + 1);
            }
            break;
        case 4:
            array.length = this.oneIn(400)
                ? HUGE_LENGTH_MAX - this.below(3) : this.below(3000);
            for (let i = this.below(5); i > 0 && array.length > 0; i--) {
                array[this.below(array.length)] = this.any(depth + 1);
            }
            break;
        case 5: // V8 keeps what is not plain data in a dictionary.
            array.push(...this.fill(depth));
            Object.defineProperty(array, String(this.below(8)), {
                get: () => 7, enumerable: true, configurable: true });
            break;
        case 6: // Dense when V8 begins to write it, and not in the end.
            array.push({ get gone() { return delete array[1]; } }, 1, 2);
            break;
        default:
            array.push(...this.fill(depth));
        }
        if (this.oneIn(6)) {
            for (let i = this.below(4); i > 0; i--) {
                const key = this.oneIn(4)
                    ? this.pick(['4294967295', '-1', '01', '__proto__'])
                    : `$${this.text()}`;
                this.define(array, key, this.any(depth + 1));
            }
        }
        return array;
    }

    define(object, key, value) {
        Object.defineProperty(object, key, {
            value, enumerable: true, configurable: true, writable: true });
    }

    object(depth) {
        const kind = this.below(12);
        if (kind === 0) {
            return this.remember(new Thing(this, depth));
        }
        const object = this.remember(kind === 1 ? Object.create(null) : {});
        for (let i = this.width(); i > 0; i--) {
            const key = this.key();
            const value = this.any(depth + 1);
            if (this.oneIn(8)) {
                Object.defineProperty(object, key, {
                    get: () => value, enumerable: true, configurable: true });
            } else {
                this.define(object, key, value);
            }
        }
        if (kind === 2) { // A dictionary as well, once something is gone.
            this.define(object, 'a', 1);
            this.define(object, 'b', this.any(depth + 1));
            delete object.a;
        } else if (kind === 3) {
            Object.freeze(object);
        }
        return object;
    }

    map(depth) {
        const map = this.remember(this.oneIn(12) ? new Table() : new Map());
        for (let i = this.width(); i > 0; i--) {
            map.set(this.asKey(depth), this.any(depth + 1));
        }
        if (this.oneIn(6)) {
            map.delete(map.keys().next().value);
        }
        return map;
    }

    set(depth) {
        const set = this.remember(new Set());
        for (let i = this.width(); i > 0; i--) {
            set.add(this.asKey(depth));
        }
        return set;
    }

    asKey(depth) {
        const key = this.any(depth + 1);
        return typeof key === 'string' ? this.text() : key;
    }

    // -- bytes

    memory() {
        const size = this.below(this.oneIn(4) ? 300 : 33);
        const options = major >= 20 && this.oneIn(3)
            ? { maxByteLength: size + this.below(64) } : undefined;
        const buffer = new ArrayBuffer(size, options);
        const bytes = new Uint8Array(buffer);
        for (let i = 0; i < size; i++) {
            bytes[i] = this.bits();
        }
        return buffer;
    }

    buffer() {
        const made = this.made.filter((one) => one instanceof ArrayBuffer);
        return made.length > 0 && this.oneIn(2)
            ? this.pick(made) : this.remember(this.memory());
    }

    view() {
        const View = this.pick([Int8Array, Uint8Array, Uint8ClampedArray,
            Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array,
            Float64Array, BigInt64Array, BigUint64Array, DataView]);
        const buffer = this.buffer();
        const element = View.BYTES_PER_ELEMENT ?? 1;
        const all = Math.floor(buffer.byteLength / element);
        const offset = this.below(all + 1);
        const length = this.below(all - offset + 1);
        if (buffer.resizable && buffer.byteLength % element === 0 &&
            this.oneIn(2)) { // As long as its buffer.
            return this.remember(new View(buffer, offset * element));
        }
        return this.remember(new View(buffer, offset * element, length));
    }

    // -- the rest

    // In any class, with anything in the place of name, message and stack.
    error(depth) {
        const Class = this.pick([Error, TypeError, RangeError, SyntaxError,
            EvalError, ReferenceError, URIError, Failure]);
        const options = this.oneIn(2)
            ? { cause: this.any(depth + 1) } : undefined;
        const error = this.oneIn(6)
            ? new Class(undefined, options) : new Class(this.text(), options);

        switch (this.below(4)) {
        case 0:
            error.stack = this.string();
            break;
        case 1:
            delete error.stack;
            break;
        }
        if (this.oneIn(4)) {
            error.name = this.pick(['TypeError', 'URIError', 'Odd', '', 'Error',
                5, undefined, 'AggregateError']);
        }
        if (this.oneIn(6)) {
            error.message = this.pick([5, null, undefined, true]);
        }
        if (this.oneIn(4)) {
            error.code = 'E_LOST';
            error.lost = this.any(depth + 1);
        }
        if (this.oneIn(8)) {
            Object.defineProperty(error, 'message', { get: () => 'no data' });
        }
        // A long chain of causes, or an error that is its own cause.
        for (let i = this.oneIn(20) ? this.below(30) : 0, last = error; i > 0;
            i--) {
            last = last.cause = i === 1 && this.oneIn(2)
                ? error : new Error(String(i));
        }
        return this.remember(error);
    }

    regexp() {
        const source = this.pick(['a', '', '^[a-z]+$', '\\d{1,3}\\.\\u0041',
            'a/b', '\n|\r', '(?<year>\\d{4})', '\xE9+', '\u20AC', '\u{1F600}?',
            '.*?(?=x)', '(a)\\1[^\\]]']);
        let flags = '';
        for (const flag of 'dgimsy') {
            flags += this.oneIn(3) ? flag : '';
        }
        flags += this.pick(major >= 20 ? ['', 'u', 'v'] : ['', 'u']);
        const regexp = new RegExp(source, flags);
        regexp.lastIndex = this.below(2);
        return this.remember(regexp);
    }

    boxed() {
        switch (this.below(4)) {
        case 0:
            return this.remember(Object(this.oneIn(2)));
        case 1:
            return this.remember(Object(this.number()));
        case 2:
            return this.remember(Object(this.string()));
        default:
            return this.remember(Object(this.bigint()));
        }
    }

    date() {
        return this.remember(new Date(this.oneIn(3)
            ? this.pick([NaN, 8.64e15, -8.64e15, -0, -0.5, 1.5])
            : (this.bits() - 2 ** 31) * 1234.5));
    }

    chain() {
        let value = this.primitive();
        for (let i = this.below(600); i > 0; i--) {
            value = this.pick([
                (inner) => [inner],
                (inner) => ({ inner }),
                (inner) => new Map([[1, inner]]),
                (inner) => Object.assign([, 1], { inner }),
            ])(value);
        }
        return value;
    }

    structure(depth) {
        switch (this.below(16)) {
        case 0:
        case 1:
        case 2:
            return this.array(depth);
        case 3:
        case 4:
        case 5:
            return this.object(depth);
        case 6:
            return this.map(depth);
        case 7:
        case 8:
            return this.set(depth);
        case 9:
        case 10:
            return this.error(depth);
        case 11:
            return this.buffer();
        case 12:
            return this.view();
        case 13:
            return this.boxed();
        case 14:
            return this.regexp();
        default:
            return this.date();
        }
    }

    any(depth) {
        if (this.made.length > 0 && this.oneIn(10)) {
            return this.pick(this.made);
        }
        if (this.budget > 0 && depth < DEPTH_MAX && !this.oneIn(3)) {
            this.budget--;
            return this.structure(depth);
        }
        return this.primitive();
    }

    value() {
        if (this.budget > 8 && this.oneIn(500)) {
            return this.chain();
        }
        if (this.budget > 0 && !this.oneIn(8)) {
            this.budget--;
            return this.structure(0);
        }
        return this.any(0);
    }
}

// Up to three values.
exports.make = (seed, budget) => {
    const maker = new Maker(seed, budget);
    const values = [maker.value()];
    while (values.length < 3 && maker.oneIn(4)) {
        values.push(maker.value());
    }
    return values;
};

// A JavaScript value as canonical text; canon.h says what it looks like.

'use strict';

const CAUSES_MAX = 16;

const views = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array,
    Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array,
    BigInt64Array, BigUint64Array, DataView];

const bits = new DataView(new ArrayBuffer(8));

// UTF-8, in which C has all text, cannot express a lone surrogate.
const known = (code) => code >= 0xD800 && code <= 0xDFFF ? 0xFFFD : code;

const quote = (text) => {
    if (/^[ !#-[\]-~]*$/.test(text)) {
        return `"${text}"`;
    }
    let result = '"';
    for (const character of text) {
        const code = known(character.codePointAt(0));
        result += code >= 0x20 && code <= 0x7E && code !== 0x22 && code !== 0x5C
            ? character
            : `\\{${code.toString(16)}}`;
    }
    return `${result}"`;
};

const number = (value) => {
    if (value !== value) {
        return 'NaN';
    }
    if ((value | 0) === value) {
        return Object.is(value, -0) ? '-0' : String(value);
    }
    bits.setFloat64(0, value);
    return bits.getBigUint64(0).toString(16).padStart(16, '0');
};

const bigint = (value) => value < 0n
    ? `-0x${(-value).toString(16)}n`
    : `0x${value.toString(16)}n`;

const buffer = (value) =>
    `ArrayBuffer <${Buffer.from(value).toString('hex')}>`;

const is = (value, type) =>
    Object.prototype.toString.call(value) === `[object ${type}]`;

// What an nw_error says is NUL-terminated in C.
const untilNul = (text) => text.replace(/\0[^]*/, '');

const text = (value) => typeof value === 'string' ? untilNul(value) : '';

class Canon {
    ids = new Map();
    nextId = 0;
    parts = [];

    put(part) {
        this.parts.push(part);
    }

    // True when the object was met before.
    id(object) {
        const id = this.ids.get(object);
        if (id !== undefined) {
            this.put(`^${id}`);
            return true;
        }
        this.ids.set(object, this.nextId);
        this.put(`#${this.nextId++} `);
        return false;
    }

    value(value) {
        switch (typeof value) {
        case 'number':
            this.put(number(value));
            return;
        case 'string':
            this.put(quote(value));
            return;
        case 'bigint':
            this.put(bigint(value));
            return;
        case 'object':
            if (value !== null) {
                if (!this.id(value)) {
                    this.object(value);
                }
                return;
            }
        }
        this.put(String(value));
    }

    list(items, show) {
        let separator = '';
        for (const item of items) {
            this.put(separator);
            show(item);
            separator = ', ';
        }
    }

    members(object, keys) {
        this.list(keys, (key) => {
            this.put(`${quote(key)}: `);
            this.value(object[key]);
        });
    }

    array(array) {
        const keys = Object.keys(array);
        let next = 0;
        let separator = '';
        const holes = (end) => {
            if (end > next) {
                this.put(`${separator}hole*${end - next}`);
                separator = ', ';
            }
        };

        this.put('[');
        let count = 0;
        // The indices come first, in order.
        for (; count < keys.length; count++) {
            const index = Number(keys[count]);
            if (String(index >>> 0) !== keys[count] || index >= array.length) {
                break;
            }
            holes(index);
            this.put(separator);
            this.value(array[index]);
            separator = ', ';
            next = index + 1;
        }
        holes(array.length);
        if (count < keys.length) {
            this.put('; ');
            this.members(array, keys.slice(count));
        }
        this.put(']');
    }

    view(value) {
        const view = views.find((one) => value instanceof one);
        this.put(`${view.name} ${value.byteOffset}+${value.byteLength} of `);
        this.value(value.buffer);
    }

    error(error, chain = []) {
        chain = [...chain, error];
        this.put(`${quote(text(error.name))}(${quote(text(error.message))}`);
        this.put(`, stack ${quote(text(error.stack))}`);
        if (Object.hasOwn(error, 'code')) {
            this.put(`, code ${quote(untilNul(String(error.code)))}`);
        }
        if (Object.hasOwn(error, 'cause')) {
            this.cause(error.cause, chain);
        }
        if (Object.hasOwn(error, 'errors')) {
            this.put(', errors ');
            this.value(error.errors);
        }
        const taken = ['name', 'message', 'stack', 'code', 'cause', 'errors'];
        const keys = Object.keys(error).filter((key) => !taken.includes(key));
        if (keys.length > 0) {
            this.put(', properties {');
            this.members(error, keys);
            this.put('}');
        }
        this.put(')');
    }

    cause(cause, chain) {
        if (!is(cause, 'Error')) {
            this.put(', cause ');
            this.value(cause);
        } else if (chain.length < CAUSES_MAX && !chain.includes(cause)) {
            this.put(', cause ');
            this.error(cause, chain);
        }
    }

    object(value) {
        if (Array.isArray(value)) {
            this.array(value);
        } else if (ArrayBuffer.isView(value)) {
            this.view(value);
        } else if (value instanceof ArrayBuffer) {
            this.put(buffer(value));
        } else if (value instanceof Map) {
            this.put('Map{');
            this.list(value, ([key, item]) => {
                this.value(key);
                this.put(' => ');
                this.value(item);
            });
            this.put('}');
        } else if (value instanceof Set) {
            this.put('Set{');
            this.list(value, (item) => this.value(item));
            this.put('}');
        } else if (is(value, 'Error')) {
            this.error(value);
        } else if (value instanceof Date) {
            this.put(`Date(${number(value.getTime())})`);
        } else if (value instanceof RegExp) {
            this.put(`RegExp(${quote(value.source)}, ${quote(value.flags)})`);
        } else if (value instanceof Boolean || value instanceof Number ||
            value instanceof String || value instanceof BigInt) {
            this.put('Object(');
            this.value(value.valueOf());
            this.put(')');
        } else {
            this.put('{');
            this.members(value, Object.keys(value));
            this.put('}');
        }
    }
}

// One line for each value; objects that are in several are one.
exports.canon = (values) => {
    const canon = new Canon();
    for (const value of values) {
        canon.value(value);
        canon.put('\n');
    }
    return canon.parts.join('');
};

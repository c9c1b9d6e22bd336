// Values that are trees of plain objects, arrays, strings and numbers, which most
// arguments and results are, into a form that a script writes and reads several
// times as fast as V8's serializer: the flat form, which src/engine/flat.cc puts
// into messages. What it means is the same; what is not such a tree goes V8's
// way.
//
// The form is words of 32 bits and one text. Each value is a word: a tag in its
// lower four bits, what is said of it above, and for NUMBER a double in the next
// two words that begin at a multiple of its size. All strings stand one behind
// the other in the text, and all keys of an object are said by a number, that of
// its shape. An object's values follow it in the order of its keys, an array's
// items follow the array.
//
// A shape is a list of keys. Its number is the same in all environments of the
// process, and is given once the shape was seen a few times. The reader compiles
// a literal for each, which is what gives all objects of a shape one hidden class.

const FLAT = {
    // Tags.
    INTEGER: 0, NUMBER: 1, STRING: 2, OBJECT: 3, ARRAY: 4, TRUE: 5, FALSE: 6,
    NULL: 7, UNDEFINED: 8,

    // What arePlain() says of values; see flat.cc.
    OTHER: 0, PLAIN: 1, HOLEY: 2,

    // Integers beyond do not fit beside a tag.
    INTEGER_LIMIT: 2 ** 27,

    // Larger values go V8's way, which is faster where one item is like the other.
    // Each object is compared with all before it, and can be inside all of them.
    OBJECTS_MAX: 64,
    MEMBERS_MAX: 64,

    // Times that a shape is seen before it gets a number: one that is not seen
    // again is not worth any. And the lists of keys that are known meanwhile.
    SEEN_MIN: 8,
    NODES_MAX: 4096,
    KEY_LENGTH_MAX: 128,

    // A part of a string of up to SHORT characters is a copy in V8, a longer one
    // keeps the whole. Where that is more than KEPT characters and than KEPT_TIMES
    // the part, it is copied.
    SHORT: 12,
    KEPT_MAX: 256,
    KEPT_TIMES: 4,
};

// What is no number of a shape: it was not seen often enough; it gets none.
const UNKNOWN = -1;
const REFUSED = -2;

// What a script of the user replaces later must not change what arrives: of the
// methods of built-ins only those are used that were there first.
const uncurry = (method) => Function.prototype.call.bind(method);

// Shapes that begin alike share a node for each key. Most objects have the same
// next key as the one before.
class FlatNode {
    key = '__proto__'; // None has this one.
    next;
    others = { __proto__: null }; // By key: all that follow.
    keys;
    seen = 0;
    shape = UNKNOWN; // Its number.

    constructor(keys) {
        this.keys = keys;
    }
}

// `tools` is native.flatTools(). Returns what native.setFlat() takes.
function makeFlat(tools) {
    const { buffer, wordsMax, textMax, shapeOf, keysOf, arePlain } = tools;
    const { INTEGER, NUMBER, STRING, OBJECT, ARRAY, TRUE, FALSE, NULL, UNDEFINED,
        OTHER, PLAIN, HOLEY, INTEGER_LIMIT, OBJECTS_MAX, MEMBERS_MAX, SEEN_MIN,
        NODES_MAX, KEY_LENGTH_MAX, SHORT, KEPT_MAX, KEPT_TIMES } = FLAT;
    const { getPrototypeOf, hasOwn, setPrototypeOf } = Object;
    const { prototype: objectPrototype } = Object;
    const { isArray, prototype: arrayPrototype } = Array;
    const { stringify } = JSON;
    const { compileFunction } = require('vm');
    const substring = uncurry(String.prototype.substring);
    const latin1Slice = uncurry(Buffer.prototype.latin1Slice);
    const ucs2Slice = uncurry(Buffer.prototype.ucs2Slice);

    // The first two words are the header, which flat.cc fills: its own of
    // `words` as this says, then the characters of the text.
    const HEADER = 2;
    const words = new Int32Array(buffer);
    const bytes = Buffer.from(buffer);
    const limit = HEADER + wordsMax;
    const doubles = new Float64Array(buffer);

    let at; // In `words`.
    let text;

    // -- shapes

    let root = new FlatNode([]);
    let nodeCount = 1;

    // An integer comes before all other keys, wherever it was set; a literal
    // with __proto__ sets the prototype.
    function isUsual(key) {
        return key !== '__proto__' && key !== `${key >>> 0}` &&
            key.length <= KEY_LENGTH_MAX;
    }

    function extend(keys, key) {
        const longer = [];
        for (let i = 0; i < keys.length; i++) {
            longer[i] = keys[i];
        }
        longer[keys.length] = key;
        return longer;
    }

    // What follows `node` by another key than last time. Undefined: nothing can.
    function follow(node, key) {
        let next = node.others[key];
        if (next === undefined) {
            if (!isUsual(key) || node.keys.length === MEMBERS_MAX) {
                return undefined;
            }
            next = new FlatNode(extend(node.keys, key));
            node.others[key] = next;
            nodeCount++;
        }
        node.key = key;
        node.next = next;
        return next;
    }

    // False: it has no number (yet).
    function learn(node) {
        if (node.shape === UNKNOWN && ++node.seen >= SEEN_MIN) {
            const shape = shapeOf(node.keys);
            node.shape = shape < 0 ? REFUSED : shape;
        }
        return node.shape >= 0;
    }

    // -- writing

    const seen = new Array(OBJECTS_MAX).fill(undefined);
    let seenCount = 0;
    let isFlat; // Whether all is well so far.
    let isKnown; // Whether all shapes have numbers.

    // An object that is there twice, or in itself, is V8's.
    function isNew(object) {
        for (let i = 0; i < seenCount; i++) {
            if (seen[i] === object) {
                return false;
            }
        }
        if (seenCount === OBJECTS_MAX) {
            return false;
        }
        seen[seenCount++] = object;
        return true;
    }

    function writeNumber(value) {
        if ((value | 0) === value && value < INTEGER_LIMIT &&
            value >= -INTEGER_LIMIT && (value !== 0 || 1 / value > 0)) {
            words[at++] = value << 4 | INTEGER;
            return;
        }
        words[at++] = NUMBER;
        at = at + 1 & ~1;
        doubles[at >> 1] = value;
        at += 2;
    }

    function writeString(value) {
        if (text.length + value.length > textMax) {
            isFlat = false;
            return;
        }
        words[at++] = value.length << 4 | STRING;
        text += value;
    }

    function writeObject(object) {
        const place = at++;
        let node = root;
        for (const key in object) {
            node = node.key === key ? node.next : follow(node, key);
            if (node === undefined) {
                isFlat = false;
                return;
            }
            write(object[key]);
            if (!isFlat) {
                return;
            }
        }
        if (node.shape < 0 && !learn(node)) {
            isKnown = false;
        }
        words[place] = node.shape << 4 | OBJECT;
    }

    function writeArray(array) {
        const { length } = array;
        if (length > MEMBERS_MAX) {
            isFlat = false;
            return;
        }
        words[at++] = length << 4 | ARRAY;
        for (let i = 0; i < length && isFlat; i++) {
            const item = array[i];
            if (item === undefined && !hasOwn(array, i)) {
                isFlat = false;
                return;
            }
            write(item);
        }
    }

    function writeTree(object) {
        if (!isNew(object) || at > limit) {
            isFlat = false;
        } else if (isArray(object)) {
            writeArray(object);
        } else if (getPrototypeOf(object) === objectPrototype) {
            writeObject(object);
        } else {
            isFlat = false;
        }
    }

    function write(value) {
        switch (typeof value) {
        case 'number':
            writeNumber(value);
            return;
        case 'string':
            writeString(value);
            return;
        case 'boolean':
            words[at++] = value ? TRUE : FALSE;
            return;
        case 'undefined':
            words[at++] = UNDEFINED;
            return;
        case 'object':
            if (value !== null) {
                writeTree(value);
            } else {
                words[at++] = NULL;
            }
            return;
        default:
            isFlat = false;
        }
    }

    // No proxies, no objects with a content of their own, no arrays with other
    // keys than their items or another prototype: a script cannot tell.
    function allPlain() {
        let all = PLAIN;
        for (let i = 0; i < seenCount && all !== OTHER; i += 8) {
            const these = arePlain(seen[i], seen[i + 1], seen[i + 2],
                seen[i + 3], seen[i + 4], seen[i + 5], seen[i + 6], seen[i + 7]);
            all = these === PLAIN ? all : these;
        }
        // An item that is not there is what the prototype has in its place.
        return all === PLAIN || (all === HOLEY && isBare(arrayPrototype));
    }

    // Whether no object has keys from there.
    function isBare(prototype) {
        for (const key in prototype) {
            return false;
        }
        return true;
    }

    function forget() {
        while (seenCount > 0) {
            seen[--seenCount] = undefined;
        }
        text = '';
        if (nodeCount > NODES_MAX) {
            root = new FlatNode([]);
            nodeCount = 1;
        }
    }

    // The text, with the number of words in the first one. Undefined: it is none
    // of this. Getters may run, throw, and come here again: flat.cc knows whose
    // words they are in the end.
    function flatten(...values) {
        forget();
        at = HEADER;
        isFlat = isBare(objectPrototype);
        isKnown = true;
        try {
            for (let i = 0; i < values.length && isFlat; i++) {
                write(values[i]);
            }
            if (!isFlat || !isKnown || at > limit || !allPlain()) {
                return undefined;
            }
            words[0] = at - HEADER;
            return text;
        } finally {
            forget();
        }
    }

    // -- reading

    const makers = setPrototypeOf([], null); // By shape.
    let textAt;
    let textStart; // In `bytes`.
    let isWide;

    function makerOf(shape) {
        const keys = keysOf(shape);
        let members = '';
        for (let i = 0; i < keys.length; i++) {
            members += `${stringify(keys[i])}: read(), `;
        }
        makers[shape] = compileFunction(`return {${members}};`, ['read'],
            { __proto__: null, filename: 'nwpool:shape' });
        return makers[shape];
    }

    function copyText(from, to) {
        return isWide ?
            ucs2Slice(bytes, textStart + 2 * from, textStart + 2 * to) :
            latin1Slice(bytes, textStart + from, textStart + to);
    }

    function readString(length) {
        const from = textAt;
        textAt += length;
        return length <= SHORT || text.length <= KEPT_MAX ||
            text.length <= length * KEPT_TIMES ?
            substring(text, from, textAt) : copyText(from, textAt);
    }

    // Literals have room for what is in them and no more.
    function readArray(length) {
        switch (length) {
        case 0:
            return [];
        case 1:
            return [read()];
        case 2:
            return [read(), read()];
        case 3:
            return [read(), read(), read()];
        case 4:
            return [read(), read(), read(), read()];
        default: {
            const array = [];
            for (let i = 0; i < length && at < words.length; i++) {
                array[i] = read();
            }
            return array;
        }
        }
    }

    function read() {
        const word = words[at++];
        switch (word & 15) {
        case INTEGER:
            return word >> 4;
        case NUMBER:
            at = (at + 1 & ~1) + 2;
            return doubles[(at >> 1) - 1];
        case STRING:
            return readString(word >> 4);
        case OBJECT:
            return (makers[word >> 4] ?? makerOf(word >> 4))(read);
        case ARRAY:
            return readArray(word >> 4);
        case TRUE:
            return true;
        case FALSE:
            return false;
        case NULL:
            return null;
        case UNDEFINED:
            return undefined;
        default:
            throw new RangeError('malformed data');
        }
    }

    // What stands in `buffer`: one value, or an array of several.
    function unflatten(all, count) {
        at = HEADER;
        text = all;
        textAt = 0;
        const end = HEADER + (words[0] >>> 8);
        textStart = 4 * end;
        isWide = (words[0] & 255) === 2;
        const values = count === 1 ? read() : readArray(count);
        const isWhole = at === end && textAt === text.length;
        text = '';
        if (!isWhole) {
            throw new RangeError('malformed data');
        }
        return values;
    }

    return [flatten, unflatten, [[1], [1, , 1], [1.5], [1.5, , 1.5], [''],
        ['', , '']]];
}

// The cases of test_codec.c, behind src/js/record.js. Each throws to fail.

const assert = require('assert');
const { createSecretKey } = require('crypto');
const { MessageChannel } = require('worker_threads');

const native = process._linkedBinding('codec');

// Whatever can be written can be read; the C reader has tests of its own.
native.encodable = (value) => attempt(() => native.bytes(value)) !== undefined;
native.setBoxer((value) => boxErrors(value, native));

const loop = (value, transfer) => native.loop(value, transfer)[0];

// A message of one host object: version 15, its tag, and these bytes.
const host = (...bytes) => Buffer.from([0xff, 15, 0x5c, ...bytes]);

const VIEW_COPIED = 0, VIEW_TRANSFERRED = 1, VIEW_OF = 2, ERROR = 3, OBJECT = 4;
const UINT8 = 0x42, UINT16 = 0x57, UINT32 = 0x44;
const BUFFER = 0x42, REFERENCE = 0x5e, UNDEFINED = 0x5f;
const HUGE = [0xff, 0xff, 0xff, 0xff, 0x0f]; // 2 ** 32 - 1.

class HttpError extends Error {}

// Closes the ports of a test: an open one keeps the environment alive.
function withPorts(body) {
    const { port1, port2 } = new MessageChannel();
    try {
        body(port1, port2);
    } finally {
        port1.close();
    }
}

const cases = {
    views_share_their_buffer() {
        const buffer = new ArrayBuffer(300);
        const [bytes, view, same, none] = loop([new Uint8Array(buffer),
            new DataView(buffer), buffer, new Float64Array(buffer, 0, 0)]);
        assert(bytes.buffer === view.buffer && bytes.buffer === same);
        assert.strictEqual(bytes.length, 300);
        assert.strictEqual(none.length, 0);

        const memory = new SharedArrayBuffer(16);
        const [one, two] = loop([memory, new Int32Array(memory, 8, 1)]);
        assert(two.buffer === one && two.byteOffset === 8);
        two[0] = 5;
        assert.strictEqual(new Int32Array(memory)[2], 5);

        // Node's pool stays at home.
        assert(native.bytes(Buffer.from('hello')).length < 30);
    },

    memory_of_c_is_one() {
        const [[one, same], [other]] = native.lend(16);
        assert(one === same && one !== other);
        assert.strictEqual(one.byteLength, 16);
        new Uint8Array(one)[4] = 7;
        assert.strictEqual(new Uint8Array(other)[4], 7);
        assert.strictEqual(native.givenBack(), 0);

        assert.strictEqual(native.lend(0)[1][0].byteLength, 0);
        assert.strictEqual(native.givenBack(), 1);
        globalThis.kept = [one, other];
    },

    what_moves_leaves_javascript() {
        const bytes = new Uint8Array(100).fill(3);
        const [value, moved] = native.loop(
            { bytes, part: bytes.subarray(5, 7) }, [bytes]);
        assert.strictEqual(bytes.length, 0);
        assert(value.part.buffer === value.bytes.buffer);
        assert.strictEqual(value.part.byteOffset, 5);
        assert.strictEqual(moved.length, 1);
        assert(moved[0] === value.bytes.buffer);

        // It need not be part of the value.
        const other = new ArrayBuffer(8);
        assert.strictEqual(native.loop(5, [other])[1][0].byteLength, 8);
        assert.strictEqual(other.byteLength, 0);
        assert.strictEqual(native.loop([5])[1], undefined);

        // What cannot be detached is copied.
        const { buffer } = new WebAssembly.Memory({ initial: 1 });
        assert.strictEqual(loop(buffer, [buffer]).byteLength, 65536);
        assert.strictEqual(buffer.byteLength, 65536);
    },

    what_cannot_move_is_named() {
        const bytes = new Uint8Array(4);
        const gone = new ArrayBuffer(4);
        structuredClone(gone, { transfer: [gone] });
        for (const [list, text] of [
            [['text'], /item 0 of the transfer list is nothing that can move/],
            [[bytes, {}], /item 1 of .* is nothing that can move/],
            [[new SharedArrayBuffer(1)], /is shared memory/],
            [[new Uint8Array(new SharedArrayBuffer(1))], /is shared memory/],
            [[gone], /detached already/],
            [[bytes, bytes.buffer], /item 1 .* was in it before/],
            [[new Proxy({}, {})], /is nothing that can move/],
        ]) {
            assert.throws(() => loop(1, list),
                { code: 'NW_ECLONE', message: text });
        }
        assert.strictEqual(bytes.length, 4);
        withPorts((port) =>
            assert.throws(() => loop(1, [port, port]), /was in it before/));
    },

    a_failure_moves_nothing() {
        const bytes = new Uint8Array(100);
        assert.throws(() => loop([bytes, () => 1], [bytes]), /not be cloned/);
        const list = Object.defineProperty([bytes], 0, {
            get() {
                throw new Error('no item');
            },
        });
        assert.throws(() => loop(1, list), /no item/);
        assert.strictEqual(bytes.length, 100);

        const taken = {
            bytes,
            get late() {
                structuredClone(bytes, { transfer: [bytes.buffer] });
                return 1;
            },
        };
        assert.throws(() => loop(taken, [bytes]), /detached while/);
        assert.throws(() => loop(new Uint8Array(bytes.buffer)), /detached/);
    },

    objects_of_node_are_kept_and_fetched() {
        const key = createSecretKey(Buffer.from('secret'));
        withPorts((port1, port2) => {
            const memory = new SharedArrayBuffer(4);
            const error = Object.assign(new HttpError('with a port'), { port1 });
            const value = loop([port1, memory, { port1 }, key, error, port2]);
            assert(value[0] === port1 && value[2].port1 === port1);
            assert(value[3] === key && value[5] === port2);
            assert.strictEqual(value[1].byteLength, 4);
            assert(value[4].port1 === port1);
            assert.strictEqual(value[4].name, 'HttpError');
            assert.strictEqual(native.lastKept(), '3 of which 0 move');
        });
    },

    objects_that_are_listed_move() {
        withPorts((port1, port2) => {
            const bytes = new Uint8Array(10);
            const [value, moved] = native.loop(
                { port1, bytes }, [bytes, port2, port1]);
            assert(value.port1 === port1);
            assert.strictEqual(native.lastKept(), '2 of which 2 move');
            assert.deepStrictEqual(new Set(moved),
                new Set([value.bytes.buffer, port1, port2]));
            assert(native.loop(7, [port2])[1][0] === port2);
            assert.strictEqual(native.lastKept(), '1 of which 1 move');
        });
    },

    a_host_that_fails_undoes_all() {
        withPorts((port) => {
            const bytes = new Uint8Array(10);
            native.failKeep(true);
            assert.throws(() => loop([port, bytes, new SharedArrayBuffer(1)],
                [bytes]), /no room for them/);
            assert.strictEqual(bytes.length, 10);
            native.failKeep(false);
            assert(loop([port, bytes], [bytes])[0] === port);
            assert.strictEqual(bytes.length, 0);
        });
    },

    boxes_come_out_as_errors() {
        for (const name of ['Error', 'TypeError', 'RangeError', 'SyntaxError',
            'ReferenceError', 'EvalError', 'URIError', 'AggregateError']) {
            const error = loop(native.box({ name, message: 'm', stack: '' }));
            assert(error instanceof globalThis[name], name);
            assert.strictEqual(error.constructor, globalThis[name]);
            assert(!Object.hasOwn(error, 'name'));
            assert.strictEqual(error.stack, `${name}: m`);
            assert.deepStrictEqual(Object.keys(error), []);
        }
        const error = loop([new AggregateError([new HttpError('h'), 5], 'a',
            { cause: new TypeError('c') })])[0];
        assert(error instanceof AggregateError);
        assert(Array.isArray(error.errors) && error.errors[1] === 5);
        assert.strictEqual(error.errors[0].name, 'HttpError');
        assert(error.cause instanceof TypeError);
        for (const key of ['message', 'stack', 'cause', 'errors']) {
            assert(!Object.getOwnPropertyDescriptor(error, key).enumerable);
        }
    },

    subclasses_keep_what_they_are_made_from() {
        class DepthError extends RangeError {
            name = 'DepthError';
        }
        class ListError extends AggregateError {}
        const [depth, list, named] = loop([new DepthError('d'),
            new ListError([1], 'l'),
            Object.assign(new TypeError('t'), { name: 'Error' })]);
        assert(depth instanceof RangeError);
        assert.strictEqual(String(depth), 'DepthError: d');
        assert.deepStrictEqual(Object.keys(depth), []);
        assert(list instanceof AggregateError);
        assert.strictEqual(list.name, 'ListError');
        assert.deepStrictEqual(list.errors, [1]);
        assert(named instanceof TypeError);
        assert.strictEqual(named.name, 'Error');
        const hostile = new Proxy(new RangeError('p'), {
            getPrototypeOf() {
                throw new Error('not today');
            },
        });
        assert.throws(() => loop(hostile), /could not be cloned/);

        const error = loop(native.box(
            { name: 'Mine', message: 'm', stack: '', class: 'Nothing' }));
        assert.strictEqual(error.constructor, Error);
        assert.strictEqual(error.name, 'Mine');
        assert.strictEqual(error.stack, 'Mine: m');
    },

    records_may_be_anything() {
        for (const record of [5, null, [], new Date(), new Error('itself'),
            native.box({}), new Uint8Array(1), new Map()]) {
            assert.throws(() => loop(native.box(record)), /deserialize/);
        }
        const round = {};
        round.properties = { self: native.box(round) };
        assert.throws(() => loop(round.properties.self), /deserialize/);
        let deep = 0;
        for (let i = 0; i < 1e5; i++) {
            deep = native.box({ cause: deep });
        }
        assert.throws(() => loop(deep), /call stack/);

        const bare = loop(native.box(
            { name: 5, message: {}, stack: 1, errors: 5, properties: 7 }));
        assert.strictEqual(String(bare), 'Error');
        const properties = Object.defineProperty({ stack: 5, 0: 1, name: 'n' },
            '__proto__', { value: 3, enumerable: true });
        const odd = loop(native.box({ name: 'Odd', message: 'm', properties }));
        assert.strictEqual(odd.stack, 'Odd: m');
        assert(odd instanceof Error && odd[0] === 1 && odd.name === 'n');
        assert.strictEqual(
            Object.getOwnPropertyDescriptor(odd, '__proto__').value, 3);
    },

    a_failure_inside_a_box_keeps_its_text() {
        assert.throws(() => loop(native.box({ cause: () => 'no' })),
            /\(\) => 'no' could not be cloned/);
        const record = {
            get cause() {
                throw new TypeError('from within');
            },
        };
        assert.throws(() => loop([1, native.box(record)]), /from within/);
    },

    malformed_bytes_are_refused() {
        const whole = native.parse(host(VIEW_TRANSFERRED, 0, 0, 0, 16));
        assert.strictEqual(whole.byteLength, 16);
        const part = native.parse(
            host(VIEW_OF, UINT16, 2, 2, BUFFER, 4, 1, 2, 3, 4));
        assert(part instanceof Uint16Array && part.length === 1);

        for (const bytes of [
            [], [9], [VIEW_COPIED], [VIEW_COPIED, UINT8, 5, 1],
            [VIEW_COPIED, 7, 0], [VIEW_COPIED, UINT16, 3, 1, 2, 3],
            [VIEW_TRANSFERRED, UINT8, 1, 0, 1],
            [VIEW_TRANSFERRED, UINT8, 0, 0, 17],
            [VIEW_TRANSFERRED, UINT8, 0, 17, 0],
            [VIEW_TRANSFERRED, UINT8, 0, ...HUGE, 16],
            [VIEW_TRANSFERRED, UINT32, 0, 2, 4],
            [VIEW_TRANSFERRED, 0, 0, 0, 15], [VIEW_TRANSFERRED, 0, 0, 1, 15],
            [VIEW_OF, UINT8, 0, 1, UNDEFINED],
            [VIEW_OF, UINT8, 0, 1, REFERENCE, 0],
            [VIEW_OF, UINT8, 0, 5, BUFFER, 4, 1, 2, 3, 4],
            [VIEW_OF, UINT8, ...HUGE, 1, BUFFER, 4, 1, 2, 3, 4],
            [VIEW_OF, UINT8, 1, ...HUGE, BUFFER, 4, 1, 2, 3, 4],
            [VIEW_OF, UINT32, 1, 0, BUFFER, 4, 1, 2, 3, 4],
            [VIEW_OF, UINT8, 0, 1, 0x75, 0], [VIEW_OF, UINT8, 0, 1, 0x74, 9],
            [VIEW_OF, 7, 0, 1, BUFFER, 1, 1],
            [ERROR], [ERROR, UNDEFINED], [ERROR, REFERENCE, 0],
            [ERROR, 0x72, 0x2e], [ERROR, 0x41, 0, 0x24, 0, 0],
            [OBJECT], [OBJECT, 0], [OBJECT, ...HUGE],
        ]) {
            assert.throws(() => native.parse(host(...bytes)),
                { code: 'NW_ECLONE', message: /deserialize/ }, bytes.join());
        }
        // Shared memory and a module that are not beside the message.
        for (const tag of [0x75, 0x77]) {
            assert.throws(() => native.parse(Buffer.from([0xff, 15, tag, 0])),
                { code: 'NW_ECLONE' });
        }
    },

    random_damage_is_survived() {
        const seeds = [
            [new HttpError('x', { cause: [1] }), new Uint8Array(300)],
            { all: new AggregateError([new Error('q')]), at: new Date(1),
                map: new Map([[1, Object('s')]]), part: Buffer.from('abc') },
        ].map((value) => native.bytes(value));
        let state = 1;
        const random = (below) => {
            state = Math.imul(state, 1103515245) + 12345 >>> 0;
            return Math.floor(state / 2 ** 32 * below);
        };
        let read = 0;
        for (let i = 0; i < 40000; i++) {
            const bytes = Buffer.from(seeds[i % 2]);
            for (let k = 0; k <= i % 4; k++) {
                bytes[2 + random(bytes.length - 2)] = random(256);
            }
            try {
                native.parse(bytes);
                read++;
            } catch (error) {
                assert.strictEqual(error.code, 'NW_ECLONE');
            }
        }
        // Damage in a text is none; both ends must be reached.
        assert(read > 1000 && read < 39000, String(read));
    },

    flat_bytes_are_refused_where_nothing_is_flat() {
        const bytes = Buffer.from([1, 1, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0]);
        const malformed = { code: 'NW_ECLONE', message: /malformed data$/ };
        assert.throws(() => native.parse(bytes), malformed);
        native.openFlat(makeFlat);
        assert.strictEqual(native.parse(bytes), 1);
        for (const [at, byte] of [[1, 0], [1, 2], [2, 1], [3, 255], [4, 1],
            [7, 1], [7, 255]]) {
            const other = Buffer.from(bytes);
            other[at] = byte;
            assert.throws(() => native.parse(other), malformed, `${at} ${byte}`);
        }
        for (const word of [9, 15, 3, 3 + 16 * 1024, 3 - 16, 4 + 16, 2 + 16]) {
            const other = Buffer.from(bytes);
            other.writeInt32LE(word, 8);
            assert.throws(() => native.parse(other), malformed, `${word}`);
        }
        const longer = Buffer.concat([bytes, Buffer.from([0x20, 0, 0, 0])]);
        assert.throws(() => native.parse(longer), malformed);
        longer[1] = 2;
        assert.throws(() => native.parse(longer), malformed);
    },

    // Whatever is being written then has lost its buffer.
    flat_values_are_read_while_others_are_written() {
        native.openFlat(makeFlat);
        const bytes = Buffer.from([1, 1, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0]);
        for (let i = 0; i < 20; i++) {
            const { values: [copy] } = native.flatTrip({ one: [1, 'x'],
                get two() {
                    return native.parse(bytes);
                } });
            assert.deepStrictEqual(copy, { one: [1, 'x'], two: 1 });
        }
    },

    flat_damage_is_survived() {
        native.openFlat(makeFlat);
        const values = [{ a: [1, 2.5, 'text', { b: null }], c: 'x'.repeat(200) },
            [{ wide: '\u20ac'.repeat(200), list: Array(20).fill('thirteen char') }]];
        let seeds;
        for (let i = 0; i < 10; i++) {
            seeds = values.map((value) => native.flatTrip(value).bytes);
        }
        assert(seeds.every((bytes) => bytes[0] === 1 || bytes[0] === 2));
        let state = 1;
        const random = (below) => {
            state = Math.imul(state, 1103515245) + 12345 >>> 0;
            return Math.floor(state / 2 ** 32 * below);
        };
        let read = 0;
        for (let i = 0; i < 40000; i++) {
            const bytes = Buffer.from(seeds[i % 2]);
            for (let k = 0; k <= i % 4; k++) {
                bytes[random(i % 3 ? 80 : bytes.length)] = random(256);
            }
            try {
                native.parse(bytes);
                read++;
            } catch (error) {
                assert.strictEqual(error.code, 'NW_ECLONE');
            }
        }
        assert(read > 1000 && read < 39000, String(read));
    },
};

require('v8').setFlagsFromString('--expose-gc');
const gc = require('vm').runInNewContext('gc');

// Those of flat.js.
function flatCase(name) {
    native.openFlat(makeFlat);
    flatCases((...values) => {
        const trip = native.flatTrip(...values);
        return { values: trip.values, isFlat: trip.bytes[0] !== 0xff };
    }, assert)[name](gc);
}

try {
    (cases[native.caseName] ?? (() => flatCase(native.caseName)))();
    native.finish('');
} catch (error) {
    native.finish(String(error.stack));
}

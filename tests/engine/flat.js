// What the flat form of src/js/flat.js has to do, for whoever has a `trip`:
// (...values) => { values, isFlat }, there and back. In front of codec.js, and
// for each Node.js by tests/binding/codec.js.

function flatCases(trip, assert) {
    const SEEN_MIN = 8; // As in src/js/flat.js.

    // After many values that were not flat only some are tried; those that are
    // make up for them.
    function beTried() {
        for (let i = 0, flat = 0; flat < 20; i++) {
            flat = trip(['flat']).isFlat ? flat + 1 : 0;
            assert(i < 1000, 'nothing is flat any more');
        }
    }

    // As often as it takes for its shapes to be known.
    function repeat(make, times = SEEN_MIN + 1) {
        let last;
        beTried();
        for (let i = 0; i < times; i++) {
            const value = make();
            last = trip(value);
            assert.deepStrictEqual(last.values, [value]);
        }
        return last;
    }

    function isFlat(make, what) {
        assert(repeat(make).isFlat, `not flat: ${what ?? make}`);
    }

    function isNot(make, what) {
        assert(!repeat(make).isFlat, `flat: ${what ?? make}`);
    }

    function random(seed) {
        return (below) => {
            seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
            return (seed >>> 8) % below;
        };
    }

    const leaves = [0, -0, 1, -1, 2 ** 27 - 1, 2 ** 27, -(2 ** 27),
        -(2 ** 27) - 1, 2 ** 31, -(2 ** 31), 2 ** 53, 0.1, -1e300, 5e-324, NaN,
        Infinity, -Infinity, '', 'a', 'twelve chars', 'thirteen char',
        '\u00ff\u00fe', '\u20ac', '\ud800', '\u{1f600}', 'x'.repeat(300), true,
        false, null, undefined];

    function tree(pick, depth) {
        const kind = pick(depth > 4 ? 1 : 3);
        if (kind === 0) {
            return leaves[pick(leaves.length)];
        }
        const children = Array.from({ length: pick(6) },
            () => tree(pick, depth + 1));
        return kind === 1 ? children :
            Object.fromEntries(children.map((child, i) =>
                [`k${i}${pick(2)}`, child]));
    }

    return {
        flat_values_arrive_as_they_are() {
            for (const leaf of leaves) {
                isFlat(() => ({ leaf, list: [leaf, leaf] }), String(leaf));
            }
            isFlat(() => ({}));
            isFlat(() => []);
            isFlat(() => [[], [[]], {}]);
            isFlat(() => Array.from({ length: 64 }, (_, i) => i));
            isFlat(() => new Array(5).fill(1.5));
            isFlat(() => [undefined, 1]);
            isFlat(() => ({ '': 1, 'a b': 2, '"\\\n\u2028': 3, '\ud800': 4,
                'constructor': 5, 'toString': 6, '-1': 7, '1.5': 8 }));
            isFlat(() => Object.freeze({ a: Object.freeze({ b: 1 }) }));
            isFlat(() => {
                const { a, ...rest } = { a: 1, b: 2, c: 3 };
                const thin = { ...rest, d: a };
                delete thin.b;
                return thin;
            });
            isFlat(() => Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'b',
                { value: 3, enumerable: false }).a === 1 && { a: 1 });
        },

        flat_values_of_random_trees() {
            const pick = random(4711);
            let flat = 0;
            beTried();
            for (let i = 0; i < 20000; i++) {
                const value = { root: tree(pick, 0) };
                const result = trip(value);
                assert.deepStrictEqual(result.values, [value]);
                assert.strictEqual(JSON.stringify(result.values),
                    JSON.stringify([value]));
                flat += result.isFlat;
            }
            assert(flat > 1000, `only ${flat}`);
        },

        flat_values_of_one_message() {
            let result;
            for (let i = 0; i <= SEEN_MIN; i++) {
                const values = [1, { a: [i] }, 'text', undefined, { a: null }];
                result = trip(...values);
                assert.deepStrictEqual(result.values, values);
            }
            assert(result.isFlat);
            const shared = { a: [1] };
            const { values: [one, other] } = trip(shared, shared);
            assert.strictEqual(one, other);
            assert.deepStrictEqual(
                trip(...Array(64).fill('x')).values, Array(64).fill('x'));
        },

        flat_keys_keep_their_order() {
            const keys = ['one', 'two', 'three', 'four'];
            const pick = random(11);
            for (let i = 0; i < 2000; i++) {
                const value = {};
                for (let left = [...keys]; left.length > 0;) {
                    value[left.splice(pick(left.length), 1)[0]] = left.length;
                }
                const { values: [copy] } = trip(value);
                assert.deepStrictEqual(Object.entries(copy),
                    Object.entries(value));
            }
            // Members of a copy are as those of any other object.
            const { values: [copy] } = repeat(() => ({ a: 1, b: { c: 2 } }));
            assert.deepStrictEqual(Object.getOwnPropertyDescriptors(copy.b),
                Object.getOwnPropertyDescriptors({ c: 2 }));
            assert.strictEqual(Object.getPrototypeOf(copy), Object.prototype);
        },

        flat_texts_of_any_length() {
            for (const unit of ['a', '\u00e9', '\u20ac']) {
                for (const length of [0, 1, 11, 12, 13, 14, 255, 256, 257, 300,
                    4000, 8100]) {
                    isFlat(() => ({ first: unit, text: unit.repeat(length),
                        last: `${length} and more than twelve`,
                        end: 'a short one' }), `${length} of ${unit}`);
                }
                const list = () => Array.from({ length: 64 },
                    (_, i) => unit.repeat(i % 20));
                isFlat(list);
            }
            isNot(() => ({ text: 'a'.repeat(8193) }));
            isNot(() => ({ one: 'a'.repeat(8000), two: 'b'.repeat(8000) }));
        },

        // Each is V8's, and arrives as V8 sends it.
        flat_is_not_what_is_shared_or_large() {
            const item = { a: 1 };
            isNot(() => [item, item]);
            const { values: [copy] } = repeat(() => [[item], item]);
            assert.strictEqual(copy[0][0], copy[1]);

            const cycle = { list: [] };
            cycle.list.push(cycle);
            const { values: [round] } = trip(cycle);
            assert.strictEqual(round.list[0], round);

            let deep = {};
            for (let i = 0; i < 100; i++) {
                deep = { deep };
            }
            isNot(() => deep, 'deep');
            isNot(() => Array.from({ length: 65 }, () => ({})));
            isNot(() => Array.from({ length: 65 }, () => 1));
            isFlat(() => Array.from({ length: 64 }, () => 1.5));
            // A number takes 4 words, or 3; there are 4,096.
            const numbers = (count) => [...Array.from({ length: 15 },
                () => new Array(64).fill(1.5)), new Array(count).fill(1.5)];
            isFlat(() => numbers(59));
            isNot(() => numbers(64));
            isNot(() => Object.fromEntries(
                Array.from({ length: 65 }, (_, i) => [`key${i}`, i])));
            isFlat(() => Object.fromEntries(
                Array.from({ length: 64 }, (_, i) => [`key${i}`, i])));
            isFlat(() => Array.from({ length: 63 }, () => ({})));
        },

        flat_is_not_what_has_a_content_of_its_own() {
            class Point {
                x = 1;
            }
            class List extends Array {}
            const plain = (object) =>
                Object.setPrototypeOf(object, Object.prototype);
            const kinds = [new Map([[1, 2]]), new Set(['a']), new Date(5), /a/g,
                new Uint8Array(3), new ArrayBuffer(2), new Number(1),
                new String('s'), 2n ** 70n];
            for (const kind of kinds) {
                isNot(() => ({ kind }), String(kind));
            }
            for (const kind of kinds.slice(0, 6)) {
                const { values: [copy], isFlat: flat } =
                    trip({ kind: plain(structuredClone(kind)) });
                assert(!flat);
                assert.strictEqual(Object.prototype.toString.call(copy.kind),
                    Object.prototype.toString.call(kind));
            }
            for (const [object, expected] of [
                [new Point(), { x: 1 }],
                [Object.assign(Object.create(null), { y: 2 }), { y: 2 }],
                [Object.assign(Object.create({ inherited: 1 }), { z: 3 }),
                    { z: 3 }],
                [List.from([1, 2]), [1, 2]],
                [Object.setPrototypeOf([1], Object.prototype), [1]],
                [Object.setPrototypeOf({ a: 1 }, Array.prototype), { a: 1 }],
            ]) {
                for (let i = 0; i <= SEEN_MIN; i++) {
                    const { values, isFlat: flat } = trip({ object });
                    assert.deepStrictEqual(values, [{ object: expected }]);
                    assert(!flat);
                }
            }
            const { values: [{ error }] } =
                trip({ error: new RangeError('far') });
            assert(error instanceof Error);
            assert.strictEqual(error.message, 'far');
        },

        flat_is_not_what_cannot_be_cloned() {
            const uncloneable = [() => {}, Symbol('s'), new WeakMap(),
                new Proxy({}, {}), new Proxy([], {}), Promise.resolve(),
                Object.setPrototypeOf(Promise.resolve(), Object.prototype),
                (function* () {})()];
            for (const thing of uncloneable) {
                for (let i = 0; i <= SEEN_MIN; i++) {
                    assert.throws(() => trip({ thing }), /could not be cloned/);
                    assert.throws(() => trip([1, thing]), /could not be cloned/);
                }
            }
            const { proxy, revoke } = Proxy.revocable({}, {});
            revoke();
            for (const thing of [proxy, new Proxy({}, { ownKeys() {
                throw new Error('a trap');
            } })]) {
                assert.throws(() => trip({ thing }), /could not be cloned/);
            }
            isFlat(() => ({ thing: 1 }));
        },

        flat_is_no_array_with_holes_or_keys() {
            isNot(() => [1, , 3]);
            isNot(() => [1.5, , 3]);
            isNot(() => ['a', , 'b']);
            isNot(() => new Array(3));
            isNot(() => {
                const sparse = [];
                sparse[1e6] = 1;
                return sparse;
            });
            isNot(() => [...'abc'.match(/(?<x>b)/)] && 'abc'.match(/b/));
            isNot(() => Object.assign([1, 2], { key: 3 }));
            isNot(() => ({ list: Object.assign(['a'], { key: 3 }) }));
            isNot(() => Object.freeze([1, 2]));
        },

        flat_is_no_object_with_unusual_keys() {
            isNot(() => ({ a: 1, 5: 2 }));
            isNot(() => ({ 0: 2 }));
            isNot(() => ({ 4294967295: 2, b: 1 }));
            isNot(() => JSON.parse('{"__proto__": 1, "a": 2}'));
            isFlat(() => ({ ['k'.repeat(128)]: 1 }));
            isNot(() => ({ ['k'.repeat(129)]: 1 }));
            const { values: [copy] } = trip(JSON.parse('{"__proto__": 1}'));
            assert(Object.hasOwn(copy, '__proto__'));
        },

        flat_is_nothing_while_prototypes_are_changed() {
            isFlat(() => ({ changed: 1 }));
            Object.prototype.everywhere = 1;
            try {
                for (let i = 0; i <= SEEN_MIN; i++) {
                    const result = trip({ changed: 1 });
                    assert(!result.isFlat);
                    assert.deepStrictEqual(Object.keys(result.values[0]),
                        ['changed']);
                }
            } finally {
                delete Object.prototype.everywhere;
            }
            assert(trip({ changed: 1 }).isFlat);

            // A hole is a hole, whatever is behind it.
            const results = [];
            const sent = [{ list: [1, , 3] }, { list: [1, 2, 3] }];
            beTried();
            Array.prototype[1] = 5;
            for (let i = 0; i < 2 * SEEN_MIN; i++) {
                results[i] = trip(sent[i % 2]);
            }
            delete Array.prototype[1];
            for (let i = 0; i < 2 * SEEN_MIN; i++) {
                const { values: [copy], isFlat: flat } = results[i];
                assert.deepStrictEqual(copy, sent[i % 2]);
                assert(!flat || i % 2 === 1);
            }
            isFlat(() => ({ list: new Array(3).fill('x') }));
        },

        // Nothing that arrives depends on what was replaced meanwhile.
        flat_values_where_built_ins_are_replaced() {
            const places = [[Array.prototype, ['push', 'map', 'join', 'slice',
                Symbol.iterator, 'toJSON', 'forEach']],
            [Map.prototype, ['get', 'set']], [RegExp.prototype, ['exec', 'test']],
            [String.prototype, ['substring', 'slice', 'toJSON']],
            [Buffer.prototype, ['latin1Slice', 'ucs2Slice', 'toString']],
            [Object.prototype, ['toJSON']], [Object, ['keys', 'getPrototypeOf']],
            [Array, ['isArray']], [JSON, ['parse', 'stringify']]];
            const value = () => ({ replaced: [1, 'two', { three: 3.5 }, 4, 5, 6],
                text: 'longer than twelve characters'.repeat(20), b: 'next' });
            for (const first of [false, true]) {
                const saved = [];
                for (const [place, names] of places) {
                    for (const name of names) {
                        saved.push([place, name,
                            Object.getOwnPropertyDescriptor(place, name)]);
                    }
                }
                const results = [];
                const { defineProperty } = Object;
                beTried();
                for (let i = 0; i < saved.length; i++) {
                    defineProperty(saved[i][0], saved[i][1], { value() {
                        throw new Error('replaced');
                    }, configurable: true, writable: true });
                }
                for (let i = 0; i < 20; i++) {
                    const sent = value();
                    if (first) {
                        sent[`key${i >> 4}`] = i;
                    }
                    results[i] = [sent, trip(sent)];
                }
                for (let i = 0; i < saved.length; i++) {
                    if (saved[i][2] === undefined) {
                        delete saved[i][0][saved[i][1]];
                    } else {
                        defineProperty(saved[i][0], saved[i][1], saved[i][2]);
                    }
                }
                for (const [sent, { values }] of results) {
                    assert.deepStrictEqual(values, [sent]);
                }
                assert(results[15][1].isFlat);
            }
        },

        flat_values_with_getters() {
            isFlat(() => ({ get a() {
                return [1];
            }, b: 2 }));
            const broken = () => ({ a: 1, get b() {
                throw new Error('no b today');
            } });
            for (let i = 0; i <= SEEN_MIN; i++) {
                assert.throws(() => trip(broken()), /no b today/);
            }
            // One that sends something itself.
            for (let i = 0; i < 2 * SEEN_MIN; i++) {
                let inner;
                const outer = { first: 'before', get middle() {
                    inner = trip({ deep: ['inside', { of: 'it' }] });
                    return 'sent';
                }, last: { of: 'after' } };
                beTried();
                const { values: [copy] } = trip(outer);
                assert.deepStrictEqual(copy, { first: 'before',
                    middle: 'sent', last: { of: 'after' } });
                assert.deepStrictEqual(inner.values,
                    [{ deep: ['inside', { of: 'it' }] }]);
            }
            // One that is ended while it does.
            const { Script } = require('vm');
            const slow = new Script('globalThis.sendSlowly()');
            globalThis.sendSlowly = () => trip({ one: 'text', list: [1, 2],
                get two() {
                    for (;;) {
                        // Until it is ended.
                    }
                } });
            for (let i = 0; i < 2 * SEEN_MIN; i++) {
                beTried();
                const { values: [copy] } = trip({ first: 'before', get mid() {
                    try {
                        slow.runInThisContext({ timeout: 3 });
                    } catch {
                        // It was.
                    }
                    return 'sent';
                }, last: { of: 'after' } });
                assert.deepStrictEqual(copy, { first: 'before', mid: 'sent',
                    last: { of: 'after' } });
            }
            delete globalThis.sendSlowly;
            // One that goes on to the end of the stack, and sends there.
            for (let i = 0; i < 200; i++) {
                function down() {
                    try {
                        down();
                    } catch {
                        try {
                            trip({ at: 'the', end: i });
                        } catch {
                            // There is no room.
                        }
                    }
                }
                const value = { get two() {
                    if (i > 2 * SEEN_MIN) {
                        down();
                    }
                    return 'sent';
                }, three: 3, four: 44 };
                beTried();
                assert.deepStrictEqual(trip(value).values,
                    [{ two: 'sent', three: 3, four: 44 }]);
            }
            // One that fails to.
            for (let i = 0; i < 2 * SEEN_MIN; i++) {
                beTried();
                const { values: [copy] } = trip({ one: [1, 'x'], get two() {
                    assert.throws(() => trip({ a: Symbol('s') }));
                    return 2;
                } });
                assert.deepStrictEqual(copy, { one: [1, 'x'], two: 2 });
            }
            // One that removes what comes next, or makes an array shorter.
            for (let i = 0; i <= SEEN_MIN; i++) {
                const { values: [copy] } = trip({ get a() {
                    delete this.b;
                    return 1;
                }, b: 2, c: 3 });
                assert.deepStrictEqual(copy, { a: 1, c: 3 });
            }
        },

        // There is no end of keys, but of what is remembered of them.
        flat_values_with_ever_new_keys() {
            for (let i = 0; i < 30000; i++) {
                const value = { [`key ${i}`]: i, other: { [`k${i % 3000}`]: 1 } };
                assert.deepStrictEqual(trip(value).values, [value]);
            }
            isFlat(() => ({ known: 'again' }));
            for (let i = 0; i < 5000; i++) {
                beTried();
                trip({ [`another ${i}`]: i });
            }
            assert(!trip({ known: 'again' }).isFlat);
            isFlat(() => ({ known: 'again' }));
        },

        // A part of a long text would keep all of it.
        flat_texts_keep_no_others(gc) {
            const send = (i) => trip({ title: `a title of some length ${i}`,
                text: `${i}`.padEnd(8000) }).values[0].title;
            const kept = Array.from({ length: 200 }, (_, i) => send(i));
            gc();
            const before = process.memoryUsage().heapUsed;
            for (let i = 0; i < 2000; i++) {
                kept.push(send(i));
            }
            gc();
            const grown = process.memoryUsage().heapUsed - before;
            assert(grown < 4e6, `${kept.length} texts keep ${grown} bytes`);
        },

        // Last: no shape is learned after it.
        flat_shapes_have_an_end() {
            for (let i = 0; i < 1100; i++) {
                repeat(() => ({ [`shape ${i}`]: i }), SEEN_MIN + 1);
            }
            isFlat(() => ({ 'shape 1': 1 }));
            isNot(() => ({ 'one more': 1 }));
            isFlat(() => ({ 'shape 2': [] }));
        },
    };
}

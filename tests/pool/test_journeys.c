// Goal: whatever structured clone can carry goes from JavaScript to C and back
// and is what it was; and C can read of it what its headers promise.

#include "tests/pool/support.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

static nwpool *pool;

static void init(void)
{
    test_init();
    pool = pool_of("values.js", 1);
}

static void fini(void)
{
    must(nwpool_destroy(pool) == NW_OK, "the pool does not end");
    test_fini();
}

TestSuite(journeys, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// What the source evaluates to, as a value of C.
static nw_value *fetch(const char *source)
{
    const nw_result *result = call(pool, "evaluate", text(source), NULL);

    cr_assert(eq(int, result->status, NW_OK), "%s: %s", source,
              result->error->message);
    return (nw_value *)result->value;
}

static void expect_holds(nw_value *value, const char *function)
{
    const nw_result *result = call(pool, "hold", text(function), value, NULL);

    if (result->status != NW_OK) {
        cr_fail("%s: %s", function, result->error->message);
    }
}

// That the value comes back as what the source says.
static nw_value *expect_returns(const char *source)
{
    nw_value *value = fetch(source);
    const nw_result *result = call(pool, "check", value, text(source), NULL);

    if (result->status != NW_OK) {
        cr_fail("%s: %s", source, result->error->message);
    }
    return value;
}

static void expect_all_return(const char *const *sources)
{
    for (; *sources != NULL; sources++) {
        expect_returns(*sources);
    }
}

// -- types

Test(journeys, bigints)
{
    const char *const sources[] = {"0n",
                                   "1n",
                                   "-1n",
                                   "2n ** 63n",
                                   "-(2n ** 63n)",
                                   "2n ** 64n - 1n",
                                   "-(2n ** 64n)",
                                   "2n ** 4096n - 1n",
                                   "[10n, { a: -7n }]",
                                   NULL};
    const uint64_t *words;
    int64_t small;
    bool negative;
    size_t count;

    expect_all_return(sources);
    expect_status(nw_value_get_bigint(fetch("-5n"), &small), NW_OK);
    cr_expect(eq(i64, small, -5));
    words = nw_value_get_bigint_words(fetch("-(2n ** 64n)"), &negative, &count);
    cr_expect(negative);
    cr_assert(eq(sz, count, 2));
    cr_expect(words[0] == 0 && words[1] == 1);
}

Test(journeys, dates)
{
    const char *const sources[] = {"new Date(0)", "new Date(-1)",
                                   "new Date(8.64e15)",
                                   "[new Date(5), new Date(5)]", NULL};

    expect_all_return(sources);
    cr_expect(eq(dbl, nw_value_get_date(fetch("new Date(1234)")), 1234));
    cr_expect(isnan(nw_value_get_date(fetch("new Date(NaN)"))));
    expect_holds(fetch("new Date(NaN)"),
                 "(d) => d instanceof Date && Number.isNaN(d.getTime())");
}

Test(journeys, regular_expressions)
{
    const char *const sources[] = {"/a/",           "/(?<x>a)\\/b/dgimsuy",
                                   "/\\u03a9/u",    "new RegExp('')",
                                   "/\\u{1F600}/u", NULL};
    const char *flags;

    expect_all_return(sources);
    expect_string(nw_value_get_regexp(fetch("/a+/yg"), &flags), "a+");
    expect_string(flags, "gy");
}

Test(journeys, maps_and_sets)
{
    const char *const sources[] = {
        "new Map()",
        "new Map([[1, 'a'], ['1', 'b'], [null, new Map([[{}, []]])]])",
        "new Set()",
        "new Set([1, '1', NaN, new Set([undefined])])",
        "new Map([[new Set([1]), new Set([2])]])",
        NULL};
    nw_value *map;

    expect_all_return(sources);
    map = fetch("new Map([['a', 1], ['b', 2]])");
    cr_expect(eq(dbl, nw_value_get_number(nw_map_get(map, "b")), 2));
    cr_expect(eq(sz, nw_value_size(fetch("new Set([1, 2, 3])")), 3));
    expect_holds(fetch("(() => { const m = new Map(); m.set('m', m);"
                       " return m; })()"),
                 "(m) => m.get('m') === m");
}

Test(journeys, boxed_primitives)
{
    const char *const sources[] = {"new Boolean(true)", "new Boolean(false)",
                                   "new Number(-0)",    "new String('grüße')",
                                   "Object(2n ** 70n)", NULL};

    expect_all_return(sources);
    cr_expect(eq(dbl, nw_value_get_number(nw_value_unbox(fetch("Object(1.5)"))),
                 1.5));
}

Test(journeys, arrays_with_holes_and_names)
{
    const char *const sources[] = {
        "[1, , 3]",
        "[, , ,]",
        "Object.assign([1, 2], { name: 'n', more: [3] })",
        "Object.assign([1.5, , 2.5], { name: undefined })",
        "(() => { const a = []; a[100000] = 1; a.x = 2; return a; })()",
        NULL};
    nw_value *array;

    expect_all_return(sources);
    array = fetch("Object.assign([1, , 3], { name: 'n' })");
    cr_expect(nw_array_is_hole(array, 1));
    cr_expect(not(nw_array_is_hole(array, 0)));
    expect_string(nw_value_get_string(
                      nw_object_get(nw_array_properties(array), "name"), NULL),
                  "n");
}

Test(journeys, shared_and_circular_structure)
{
    expect_holds(fetch("(() => { const a = {}; a.list = [a, a, new Set([a])];"
                       " return a; })()"),
                 "(a) => a.list[0] === a && a.list[1] === a &&"
                 " a.list[2].has(a)");
    expect_holds(fetch("(() => { const d = new Date(3); return [d, { d }];"
                       " })()"),
                 "(v) => v[0] === v[1].d");
    expect_holds(fetch("(() => { const s = Object('s'), r = /x/;"
                       " return [s, s, r, r]; })()"),
                 "(v) => v[0] === v[1] && v[2] === v[3]");
}

// -- bytes

Test(journeys, every_view)
{
    static const struct {
        const char *name;
        nw_view view;
        size_t element;
    } views[] = {
        {"Uint8Array", NW_VIEW_UINT8, 1},
        {"Int8Array", NW_VIEW_INT8, 1},
        {"Uint8ClampedArray", NW_VIEW_UINT8_CLAMPED, 1},
        {"Int16Array", NW_VIEW_INT16, 2},
        {"Uint16Array", NW_VIEW_UINT16, 2},
        {"Int32Array", NW_VIEW_INT32, 4},
        {"Uint32Array", NW_VIEW_UINT32, 4},
        {"Float32Array", NW_VIEW_FLOAT32, 4},
        {"Float64Array", NW_VIEW_FLOAT64, 8},
        {"BigInt64Array", NW_VIEW_BIGINT64, 8},
        {"BigUint64Array", NW_VIEW_BIGUINT64, 8},
    };
    // Empty; on V8's heap; beyond it; a part; at an offset; shared.
    static const char *const makers[] = {
        "new %s(0)",
        "new %s(2).fill(new %s(1)[0])",
        "new %s(100)",
        "new %s(10).subarray(2, 5)",
        "new %s(new ArrayBuffer(64), 8, 3)",
    };
    char source[128];

    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        const char *name = views[i].name;
        nw_value *value;
        size_t size;

        for (size_t j = 0; j < sizeof(makers) / sizeof(makers[0]); j++) {
            snprintf(source, sizeof(source), makers[j], name, name);
            expect_returns(source);
        }
        snprintf(source, sizeof(source), "new %s(3)", name);
        value = fetch(source);
        cr_expect(eq(int, nw_value_view(value), views[i].view), "%s", name);
        nw_value_get_bytes(value, &size);
        cr_expect(eq(sz, size, 3 * views[i].element), "%s", name);
        snprintf(source, sizeof(source),
                 "new %s(new SharedArrayBuffer(64), 16, 2)", name);
        expect_holds(fetch(source),
                     "(v) => v.buffer instanceof SharedArrayBuffer &&"
                     " v.byteOffset === 16 && v.length === 2");
    }
    expect_returns("new DataView(new ArrayBuffer(8))");
    expect_returns("new DataView(new ArrayBuffer(8), 1, 3)");
    expect_returns("new ArrayBuffer(0)");
    expect_returns("new Uint8Array([1, 2, 3]).buffer");
}

Test(journeys, views_of_one_buffer_share_it_on_both_sides)
{
    nw_value *value = fetch("(() => { const b = new ArrayBuffer(128);"
                            " new Uint8Array(b)[64] = 9; return"
                            " [new Uint8Array(b), b, new DataView(b)]; })()");
    size_t offset;
    const nw_value *buffer = nw_value_buffer(nw_array_get(value, 0), &offset);

    cr_expect(eq(ptr, (void *)buffer, (void *)nw_array_get(value, 1)));
    cr_expect(eq(ptr, (void *)buffer,
                 (void *)nw_value_buffer(nw_array_get(value, 2), NULL)));
    cr_expect(eq(sz, offset, 0));
    expect_holds(value, "(v) => v[0].buffer === v[1] && v[2].buffer === v[1]"
                        " && v[0][64] === 9 && v[1].byteLength === 128");
}

Test(journeys, a_pooled_buffer_sends_its_slice_and_nothing_beside_it)
{
    nw_value *value = fetch("Buffer.from('only this')");
    size_t size, offset;
    const void *bytes = nw_value_get_bytes(value, &size);
    const nw_value *buffer = nw_value_buffer(value, &offset);

    cr_assert(eq(sz, size, 9));
    cr_expect(eq(int, memcmp(bytes, "only this", 9), 0));
    cr_expect(eq(ptr, (void *)buffer, NULL));
    expect_holds(value, "(v) => v.buffer.byteLength === 9");
}

Test(journeys, a_detached_buffer_is_refused)
{
    const nw_result *result = call(
        pool, "evaluate",
        text("(() => { const v = new Uint8Array(100);"
             " structuredClone(v, { transfer: [v.buffer] }); return v; })()"),
        NULL);

    expect_failure(result, NW_ECLONE, "detached");
}

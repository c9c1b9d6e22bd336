// Goal: every value means the same on both sides. JavaScript itself says what
// arrived there; C compares what came back with text.

#include "tests/pool/support.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

TestSuite(types, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// -- from C to JavaScript

// That the value arrives as what `source` evaluates to, and comes back as it
// was.
static void expect_arrives(nw_value *value, const char *source)
{
    const nw_result *result;

    cr_assert(ne(ptr, value, NULL), "%s", source);
    result = call(pool, "check", value, text(source), NULL);
    if (result->status != NW_OK) {
        cr_fail("%s: %s", source, result->error->message);
    }
    result = call(pool, "echo", value, NULL);
    cr_assert(eq(int, result->status, NW_OK), "%s", source);
    cr_expect(eq(str, (char *)nw_test_text(result->value),
                 (char *)nw_test_text(value)),
              "%s", source);
}

static nw_value *key_value(const char *key, nw_value *value)
{
    nw_value *object = nw_value_object(doc);

    cr_assert(eq(int, nw_object_set(object, key, value), NW_OK));
    return object;
}

Test(types, primitives_arrive)
{
    expect_arrives(nw_value_undefined(doc), "undefined");
    expect_arrives(nw_value_null(doc), "null");
    expect_arrives(nw_value_bool(doc, true), "true");
    expect_arrives(nw_value_bool(doc, false), "false");
}

Test(types, numbers_arrive)
{
    const struct {
        double number;
        const char *source;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {1.5, "1.5"},
        {NAN, "NaN"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {INT32_MAX, "2147483647"},
        {INT32_MIN, "-2147483648"},
        {2147483648.0, "2 ** 31"},
        {-2147483649.0, "-(2 ** 31) - 1"},
        {4294967295.0, "2 ** 32 - 1"},
        {4294967296.0, "2 ** 32"},
        {1073741823, "2 ** 30 - 1"}, // V8's small integers end here or
        {1073741824, "2 ** 30"},     // there, by its build.
        {-1073741825, "-(2 ** 30) - 1"},
        {9007199254740991.0, "Number.MAX_SAFE_INTEGER"},
        {9007199254740992.0, "2 ** 53"},
        {-9007199254740992.0, "-(2 ** 53)"},
        {DBL_MAX, "Number.MAX_VALUE"},
        {DBL_MIN, "2 ** -1022"},
        {4.9406564584124654e-324, "Number.MIN_VALUE"},
        {-4.9406564584124654e-324, "-Number.MIN_VALUE"},
        {DBL_EPSILON, "Number.EPSILON"},
        {0.1, "0.1"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_arrives(number(cases[i].number), cases[i].source);
    }
}

Test(types, text_arrives)
{
    expect_arrives(text(""), "''");
    expect_arrives(text("plain"), "'plain'");
    expect_arrives(text("grüße"), "'gr\\u00fc\\u00dfe'");
    expect_arrives(text("\xc2\x80\xc3\xbf"), "'\\u0080\\u00ff'");
    expect_arrives(text("Ω≠漢字"), "'\\u03a9\\u2260\\u6f22\\u5b57'");
    expect_arrives(text("\U0001F600\U0010FFFF"), "'\\u{1F600}\\u{10FFFF}'");
    expect_arrives(text("\xef\xbf\xbf\xef\xbb\xbf"), "'\\uffff\\ufeff'");
    expect_arrives(nw_value_string_n(doc, "a\0b\0", 4), "'a\\0b\\0'");
    expect_arrives(nw_value_string_n(doc, "\0ü\0", 4), "'\\0\\u00fc\\0'");
    expect_arrives(text("line\nend\r\t\"'\\"), "'line\\nend\\r\\t\"\\'\\\\'");
}

Test(types, long_text_arrives)
{
    const size_t size = 1 << 20;
    char *long_text = malloc(size + 1);
    const nw_result *result;
    size_t size_there;

    memset(long_text, 'x', size);
    long_text[size] = '\0';
    result = call(pool, "hold", text("(s) => s === 'x'.repeat(2 ** 20)"),
                  text(long_text), NULL);
    expect_value(result, "undefined");
    result = call(pool, "echo", text(long_text), NULL);
    cr_expect(eq(
        int, strcmp(nw_value_get_string(result->value, &size_there), long_text),
        0));
    cr_expect(eq(sz, size_there, size));

    // The same of two bytes a character.
    for (size_t i = 0; i < size; i += 2) {
        memcpy(long_text + i, "\xce\xa9", 2);
    }
    result = call(pool, "hold", text("(s) => s === '\\u03a9'.repeat(2 ** 19)"),
                  text(long_text), NULL);
    expect_value(result, "undefined");
    result = call(pool, "echo", text(long_text), NULL);
    cr_expect(eq(
        int, strcmp(nw_value_get_string(result->value, NULL), long_text), 0));
    free(long_text);
}

Test(types, containers_arrive)
{
    nw_value *object = nw_value_object(doc);

    expect_arrives(nw_value_array(doc), "[]");
    expect_arrives(nw_value_object(doc), "({})");
    expect_arrives(list(number(1), text("two"), nw_value_null(doc), NULL),
                   "[1, 'two', null]");
    expect_arrives(
        list(nw_value_array(doc), list(nw_value_array(doc), NULL), NULL),
        "[[], [[]]]");
    expect_arrives(list(nw_value_undefined(doc), NULL), "[undefined]");

    nw_object_set(object, "b", number(1));
    nw_object_set(object, "a", number(2));
    nw_object_set(object, "grüße", nw_value_bool(doc, true));
    nw_object_set(object, "", nw_value_undefined(doc));
    nw_object_set_n(object, "n\0l", 3, number(3));
    expect_arrives(object, "({b: 1, a: 2, 'gr\\u00fc\\u00dfe': true,"
                           " '': undefined, 'n\\0l': 3})");
    expect_value(call(pool, "hold",
                      text("(o) => Object.keys(o).join() ==="
                           " 'b,a,gr\\u00fc\\u00dfe,,n\\0l'"),
                      object, NULL),
                 "undefined");
    expect_arrives(key_value("a", key_value("b", list(object, NULL))),
                   "({a: {b: [{b: 1, a: 2, 'gr\\u00fc\\u00dfe': true,"
                   " '': undefined, 'n\\0l': 3}]}})");
}

Test(types, keys_that_mean_something_to_javascript_are_mere_keys)
{
    const char *const keys[] = {"__proto__", "constructor", "toString",
                                "length",    "then",        "prototype"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char source[256];

        snprintf(source, sizeof(source),
                 "(o) => Object.getPrototypeOf(o) === Object.prototype &&"
                 " Object.keys(o).join() === '%s' && o['%s'] === 5",
                 keys[i], keys[i]);
        expect_value(call(pool, "hold", text(source),
                          key_value(keys[i], number(5)), NULL),
                     "undefined");
        expect_value(call(pool, "echo", key_value(keys[i], number(5)), NULL),
                     nw_test_text(key_value(keys[i], number(5))));
    }
}

// JavaScript puts them first, in ascending order.
Test(types, keys_that_look_like_numbers_arrive)
{
    nw_value *object = nw_value_object(doc);

    nw_object_set(object, "z", number(0));
    nw_object_set(object, "10", number(1));
    nw_object_set(object, "2", number(2));
    nw_object_set(object, "-1", number(3));
    nw_object_set(object, "1.5", number(4));
    nw_object_set(object, "01", number(5));
    nw_object_set(object, "4294967294", number(6));
    nw_object_set(object, "4294967295", number(7));
    nw_object_set(object, "9007199254740993", number(8));
    expect_value(
        call(pool, "check", object,
             text("({z: 0, 10: 1, 2: 2, '-1': 3, '1.5': 4, '01': 5,"
                  " 4294967294: 6, 4294967295: 7, '9007199254740993': 8})"),
             NULL),
        "undefined");
    expect_value(call(pool, "echo", object, NULL),
                 "{\"2\": 2, \"10\": 1, \"4294967294\": 6, \"z\": 0, "
                 "\"-1\": 3, \"1.5\": 4, \"01\": 5, \"4294967295\": 7, "
                 "\"9007199254740993\": 8}");
}

Test(types, bytes_arrive)
{
    expect_arrives(nw_value_bytes(doc, "\x00\xff\x7f", 3),
                   "new Uint8Array([0, 255, 127])");
    expect_arrives(nw_value_bytes(doc, NULL, 0), "new Uint8Array()");
    expect_arrives(list(nw_value_bytes(doc, "a", 1), number(1), NULL),
                   "[new Uint8Array([97]), 1]");
}

Test(types, many_items_arrive)
{
    nw_value *array = nw_value_array(doc);
    nw_value *object = nw_value_object(doc);
    char key[16];
    const nw_result *result;

    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        nw_array_push(array, number(i));
        nw_object_set(object, key, number(i));
    }
    expect_value(call(pool, "hold",
                      text("(a) => a.length === 20000 &&"
                           " a.every((n, i) => n === i)"),
                      array, NULL),
                 "undefined");
    expect_value(call(pool, "hold",
                      text("(o) => Object.entries(o)"
                           ".every(([k, n], i) => n === i && k === 'k' + i)"),
                      object, NULL),
                 "undefined");
    result = call(pool, "echo", list(array, object, NULL), NULL);
    cr_expect(eq(sz, nw_value_size(nw_array_get(result->value, 0)), 20000));
    cr_expect(eq(dbl,
                 nw_value_get_number(
                     nw_object_get(nw_array_get(result->value, 1), "k19999")),
                 19999));
}

Test(types, several_arguments_share_what_they_share_in_c)
{
    nw_value *shared = list(number(1), NULL);

    expect_value(call(pool, "hold",
                      text("(a, b, c) => a === b && c.x === a &&"
                           " a !== c && a.length === 1"),
                      shared, shared, key_value("x", shared), NULL),
                 "undefined");
}

Test(types, values_that_repeat_are_one_on_the_other_side)
{
    nw_value *shared = key_value("n", number(1));
    nw_value *bytes = nw_value_bytes(doc, "ab", 2);
    const nw_result *result;

    expect_value(call(pool, "hold",
                      text("([a, b, c, d, e]) => a === b && a === c.deep &&"
                           " d instanceof Uint8Array && d === e[0]"),
                      list(shared, shared, key_value("deep", shared), bytes,
                           list(bytes, NULL), NULL),
                      NULL),
                 "undefined");
    result = call(pool, "echo", list(shared, shared, NULL), NULL);
    cr_expect(eq(ptr, (void *)nw_array_get(result->value, 0),
                 (void *)nw_array_get(result->value, 1)));
}

Test(types, a_value_may_contain_itself)
{
    nw_value *object = nw_value_object(doc);
    nw_value *array = list(object, NULL);
    const nw_result *result;
    const nw_value *back;

    nw_object_set(object, "array", array);
    nw_object_set(object, "self", object);
    nw_array_push(array, array);
    expect_value(call(pool, "hold",
                      text("(o) => o.self === o && o.array[0] === o &&"
                           " o.array[1] === o.array"),
                      object, NULL),
                 "undefined");
    result = call(pool, "echo", object, NULL);
    expect_value(result, "{\"array\": [^1, ^0], \"self\": ^0}");

    result = call(pool, "evaluate",
                  text("(() => { const o = {a: []}; o.a.push(o, o.a);"
                       " return o; })()"),
                  NULL);
    back = nw_object_get(result->value, "a");
    cr_expect(eq(ptr, (void *)nw_array_get(back, 0), (void *)result->value));
    cr_expect(eq(ptr, (void *)nw_array_get(back, 1), (void *)back));
}

// -- depth

static nw_value *nested(int depth)
{
    nw_value *value = nw_value_array(doc);

    for (int i = 1; i < depth; i++) {
        value = i % 2 == 0 ? list(value, NULL) : key_value("k", value);
    }
    return value;
}

Test(types, nesting_is_limited_and_not_before)
{
    struct outcome refused = {0};
    const nw_result *result =
        call(pool, "echo", nested(NW_VALUE_DEPTH_MAX), NULL);
    int depth = 0;

    cr_assert(eq(int, result->status, NW_OK));
    for (const nw_value *value = result->value; value != NULL; depth++) {
        value = nw_value_type(value) == NW_TYPE_ARRAY
                    ? nw_array_get(value, 0)
                    : nw_object_get(value, "k");
    }
    cr_expect(eq(int, depth, NW_VALUE_DEPTH_MAX));

    expect_status(
        submit_to(&refused, pool, "echo", nested(NW_VALUE_DEPTH_MAX + 1), NULL),
        NW_ELIMIT);
    cr_expect(eq(u64, stats_of(pool).submitted, 1));
    expect_value(call(pool, "echo", number(1), NULL), "1");
}

// -- from JavaScript to C

static void expect_comes(const char *source, const char *expected)
{
    const char *const functions[] = {"evaluate", "evaluateLater"};

    for (size_t i = 0; i < 2; i++) {
        const nw_result *result = call(pool, functions[i], text(source), NULL);

        if (result->status != NW_OK) {
            cr_fail("%s: %s", source, result->error->message);
            continue;
        }
        cr_expect(
            eq(str, (char *)nw_test_text(result->value), (char *)expected),
            "%s", source);
    }
}

Test(types, primitives_come)
{
    expect_comes("undefined", "undefined");
    expect_comes("null", "null");
    expect_comes("true", "true");
    expect_comes("false", "false");
    expect_comes("0", "0");
    expect_comes("-0", "-0");
    expect_comes("NaN", "NaN");
    expect_comes("-NaN", "NaN");
    expect_comes("Infinity", "inf");
    expect_comes("-Infinity", "-inf");
    expect_comes("2147483647", "2147483647");
    expect_comes("-2147483648", "-2147483648");
    expect_comes("2147483648", "2147483648");
    expect_comes("1073741823", "1073741823");
    expect_comes("1073741824", "1073741824");
    expect_comes("-1073741825", "-1073741825");
    expect_comes("2 ** 53", "9007199254740992");
    expect_comes("Number.MIN_VALUE", "4.9406564584124654e-324");
    expect_comes("Number.MAX_VALUE", "1.7976931348623157e+308");
    expect_comes("0.1", "0.10000000000000001");
}

Test(types, text_comes)
{
    expect_comes("''", "\"\"");
    expect_comes("'a'", "\"a\"");
    expect_comes("'\\u00ff'", "\"\\xc3\\xbf\"");
    expect_comes("'\\u03a9'", "\"\\xce\\xa9\"");
    expect_comes("'\\u{1F600}'", "\"\\xf0\\x9f\\x98\\x80\"");
    expect_comes("'a\\0b'", "\"a\\x00b\"");
    // What UTF-8 has no form for: U+FFFD.
    expect_comes("'\\ud800'", "\"\\xef\\xbf\\xbd\"");
    expect_comes("'a\\udc00b'", "\"a\\xef\\xbf\\xbdb\"");
    expect_comes("'\\udc00\\ud800'", "\"\\xef\\xbf\\xbd\\xef\\xbf\\xbd\"");
    expect_comes("'\\u{1F600}'.slice(0, 1)", "\"\\xef\\xbf\\xbd\"");
    // Parts and sums, which V8 keeps in forms of their own.
    expect_comes("'abcdefghijklmnopqrstuvwxyz'.slice(3, 20)",
                 "\"defghijklmnopqrst\"");
    expect_comes("'abcdefghijklmn' + String.fromCharCode(0x3a9)",
                 "\"abcdefghijklmn\\xce\\xa9\"");
}

Test(types, text_with_a_nul_has_its_size)
{
    const nw_result *result =
        call(pool, "evaluate", text("'a\\0\\u00ff'"), NULL);
    size_t size = 0;
    const char *there = nw_value_get_string(result->value, &size);

    cr_expect(eq(sz, size, 4));
    cr_expect(eq(int, memcmp(there, "a\0\xc3\xbf", 5), 0));
}

Test(types, containers_come)
{
    expect_comes("[]", "[]");
    expect_comes("({})", "{}");
    expect_comes("[1, 'a', null, undefined, [true]]",
                 "[1, \"a\", null, undefined, [true]]");
    expect_comes("({z: 1, a: {b: []}})", "{\"z\": 1, \"a\": {\"b\": []}}");
    expect_comes("({2: 'b', 1: 'a', x: 'c'})",
                 "{\"1\": \"a\", \"2\": \"b\", \"x\": \"c\"}");
    expect_comes("({a: undefined})", "{\"a\": undefined}");
    expect_comes("({['__proto__']: 1})", "{\"__proto__\": 1}");
    expect_comes("Object.assign(Object.create(null), {a: 1})", "{\"a\": 1}");
}

Test(types, holes_come_as_holes_and_read_as_undefined)
{
    const nw_result *result = call(pool, "evaluate", text("[1, , 3]"), NULL);

    cr_expect(eq(int, nw_value_type(nw_array_get(result->value, 1)),
                 NW_TYPE_UNDEFINED));
    expect_comes("[1, , 3]", "[1, -, 3]");
    expect_comes("[, ]", "[-]");
    expect_comes("new Array(3)", "[-, -, -]");
    expect_comes("(() => { const a = []; a[3] = 1; return a; })()",
                 "[-, -, -, 1]");
    expect_comes("[1.5, , 2.5]", "[1.5, -, 2.5]");
}

Test(types, an_array_with_a_far_item_is_not_filled)
{
    const nw_result *result =
        call(pool, "evaluate",
             text("(() => { const a = []; a[1e7] = 'far'; a[3] = 'near';"
                  " return a; })()"),
             NULL);

    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(eq(sz, nw_value_size(result->value), (size_t)1e7 + 1));
    expect_string(
        nw_value_get_string(nw_array_get(result->value, (size_t)1e7), NULL),
        "far");
    expect_string(nw_value_get_string(nw_array_get(result->value, 3), NULL),
                  "near");
    cr_expect(eq(int, nw_value_type(nw_array_get(result->value, 5)),
                 NW_TYPE_UNDEFINED));

    // Farther than anybody could mean.
    result =
        call(pool, "evaluate",
             text("(() => { const a = []; a[4e9] = 1; return a; })()"), NULL);
    expect_failure(result, NW_ELIMIT, "the result of evaluate()");
}

Test(types, an_object_of_a_class_comes_as_its_own_members)
{
    expect_comes("new (class A { a = 1; #b = 2; get c() { return 3; } })()",
                 "{\"a\": 1}");
    expect_comes("({get a() { return 5; }})", "{\"a\": 5}");
    expect_comes("({[Symbol('s')]: 1, t: 2})", "{\"t\": 2}");
    expect_comes("Object.create({inherited: 1}, {own: {value: 2,"
                 " enumerable: true}, hidden: {value: 3}})",
                 "{\"own\": 2}");
    expect_comes("Object.freeze({a: 1})", "{\"a\": 1}");
}

Test(types, views_that_repeat_come_as_one)
{
    const nw_result *result =
        call(pool, "evaluate",
             text("(() => { const b = new Uint8Array([1]);"
                  " return [b, b]; })()"),
             NULL);

    cr_expect(eq(ptr, (void *)nw_array_get(result->value, 0),
                 (void *)nw_array_get(result->value, 1)));
}

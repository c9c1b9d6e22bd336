// Goal: JSON goes in and out by the rules of JSON.parse and JSON.stringify,
// within the limits of depth, repetition and memory.

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>

#include <nwpool/error.h>
#include <nwpool/json.h>

#include "src/common.h"
#include "src/value.h"
#include "tests/unit/support.h"

#define FLAGS (JSON_COMPACT | JSON_ENCODE_ANY)

static nw_doc *doc;

static void setup(void)
{
    // Hash seeds are taken on first use, which must not be in a failure loop.
    json_object_seed(1);
    doc = nw_doc_create();
    cr_assert(ne(ptr, doc, NULL));
}

static void teardown(void)
{
    nw_doc_destroy(doc);
    nw_test_no_leaks();
}

TestSuite(json, .init = setup, .fini = teardown, .timeout = 60);

static nw_value *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    nw_value *value;

    cr_assert(ne(ptr, json, NULL), "%s", text);
    value = nw_value_from_json(doc, json);
    json_decref(json);
    return value;
}

static void expect_json(const nw_value *value, const char *expected)
{
    json_t *json;
    char *text;

    cr_assert(eq(int, nw_value_to_json(value, &json), NW_OK), "%s", expected);
    text = json_dumps(json, FLAGS);
    cr_assert(ne(ptr, text, NULL), "%s", expected);
    cr_expect(eq(str, text, (char *)expected));
    free(text);
    json_decref(json);
}

static void expect_failure(const nw_value *value, nw_status expected)
{
    json_t *json = (json_t *)&doc;

    cr_expect(eq(int, nw_value_to_json(value, &json), expected));
    cr_expect(eq(ptr, json, NULL));
}

// -- both ways

Test(json, text_comes_back_as_it_went_in)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-7",
        "1.5",
        "123456789",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740992",
        "\"\"",
        "\"h\xc3\xa9llo \xf0\x9f\x98\x80\"",
        "\"a\\u0000b\"",
        "[]",
        "{}",
        "[1,[2,[3,[]]],{}]",
        "{\"b\":1,\"a\":{\"c\":[null,true]},\"\":\"x\"}",
        "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(texts); i++) {
        expect_json(parse(texts[i]), texts[i]);
    }
}

Test(json, values_are_what_the_text_says)
{
    cr_expect(eq(str,
                 (char *)nw_test_text(
                     parse("{\"a\": [1, 2.5, -0.0, \"x\"], \"b\": null}")),
                 "{\"a\": [1, 2.5, -0, \"x\"], \"b\": null}"));
}

Test(json, wide_containers_are_copied_in_full)
{
    json_t *json = json_object();
    const nw_value *value;
    char key[16];

    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        json_object_set_new(json, key, json_integer(i));
    }
    value = nw_value_from_json(doc, json);
    cr_assert(eq(sz, nw_value_size(value), 5000));
    cr_expect(
        eq(dbl, nw_value_get_number(nw_object_get(value, "key4321")), 4321));
    json_decref(json);
}

// -- from JSON

Test(json, integers_beyond_2_53_become_the_nearest_double)
{
    cr_expect(eq(dbl, nw_value_get_number(parse("9007199254740993")),
                 9007199254740992.0));
    cr_expect(eq(dbl, nw_value_get_number(parse("9223372036854775807")),
                 9223372036854775808.0));
}

Test(json, no_json_is_a_failure)
{
    cr_expect(eq(ptr, nw_value_from_json(doc, NULL), NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_EINVAL));
    cr_expect(eq(ptr, nw_value_from_json(NULL, json_null()), NULL));
}

Test(json, unchecked_text_is_checked_here)
{
    json_t *json = json_array();

    json_array_append_new(json, json_string_nocheck("\xff"));
    cr_expect(eq(ptr, nw_value_from_json(doc, json), NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_EINVAL));
    json_decref(json);
}

static json_t *nested_json(int depth)
{
    json_t *json = json_array();

    for (int i = 1; i < depth; i++) {
        json_t *outer = i % 2 == 0 ? json_array() : json_object();

        if (i % 2 == 0) {
            json_array_append_new(outer, json);
        } else {
            json_object_set_new(outer, "k", json);
        }
        json = outer;
    }
    return json;
}

Test(json, depth_of_json_is_limited)
{
    json_t *deep = nested_json(NW_VALUE_DEPTH_MAX);
    json_t *deeper = nested_json(NW_VALUE_DEPTH_MAX + 1);

    cr_expect(ne(ptr, nw_value_from_json(doc, deep), NULL));
    cr_expect(eq(ptr, nw_value_from_json(doc, deeper), NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_ELIMIT));
    json_decref(deep);
    json_decref(deeper);
}

// -- to JSON

Test(json, undefined_is_left_out_of_objects_and_null_elsewhere)
{
    nw_value *object = nw_value_object(doc);
    nw_value *array = nw_value_array(doc);

    nw_array_push(array, nw_value_undefined(doc));
    nw_object_set(object, "a", nw_value_undefined(doc));
    nw_object_set(object, "b", array);
    expect_json(object, "{\"b\":[null]}");
    expect_json(nw_value_undefined(doc), "null");
}

Test(json, holes_become_null)
{
    nw_value *array = nw_value_array(doc);

    nw__array_make_sparse(array);
    nw__array_append_at(array, 1, nw_value_bool(doc, true));
    nw__array_end_sparse(array, 4);
    expect_json(array, "[null,true,null,null]");
}

Test(json, numbers_that_json_lacks_become_null)
{
    expect_json(nw_value_number(doc, NAN), "null");
    expect_json(nw_value_number(doc, INFINITY), "null");
    expect_json(nw_value_number(doc, -INFINITY), "null");
}

Test(json, whole_numbers_become_integers_up_to_2_53)
{
    json_t *json;

    expect_json(nw_value_number(doc, -0.0), "0");
    expect_json(nw_value_number(doc, 9007199254740992.0), "9007199254740992");
    nw_value_to_json(nw_value_number(doc, 9007199254740994.0), &json);
    cr_expect(eq(int, json_is_real(json), 1));
    json_decref(json);
}

Test(json, bytes_become_base64)
{
    static const char *const expected[] = {
        "\"\"",         "\"Zg==\"",     "\"Zm8=\"",    "\"Zm9v\"",
        "\"Zm9vYg==\"", "\"Zm9vYmE=\"", "\"Zm9vYmFy\""};

    // The test vectors of RFC 4648.
    for (size_t i = 0; i < NW_ARRAY_SIZE(expected); i++) {
        expect_json(nw_value_bytes(doc, "foobar", i), expected[i]);
    }
    expect_json(nw_value_bytes(doc, "\x00\xff\xfe\xfb", 4), "\"AP/++w==\"");
}

Test(json, bytes_of_every_view_become_base64)
{
    nw_value *buffer = nw_value_array_buffer(doc, "foobar", 6);

    expect_json(buffer, "\"Zm9vYmFy\"");
    expect_json(nw_value_view_of(buffer, NW_VIEW_INT16, 2, 4), "\"b2Jhcg==\"");
}

Test(json, dates_become_iso_strings)
{
    static const struct {
        double ms;
        const char *text;
    } cases[] = {
        {0, "\"1970-01-01T00:00:00.000Z\""},
        {-1, "\"1969-12-31T23:59:59.999Z\""},
        {951782400000.0, "\"2000-02-29T00:00:00.000Z\""},
        {4107542400000.0, "\"2100-03-01T00:00:00.000Z\""},
        {1709251199999.0, "\"2024-02-29T23:59:59.999Z\""},
        {1700000000123.0, "\"2023-11-14T22:13:20.123Z\""},
        {-62167219200000.0, "\"0000-01-01T00:00:00.000Z\""},
        {-62167219200001.0, "\"-000001-12-31T23:59:59.999Z\""},
        {253402300799999.0, "\"9999-12-31T23:59:59.999Z\""},
        {253402300800000.0, "\"+010000-01-01T00:00:00.000Z\""},
        {8.64e15, "\"+275760-09-13T00:00:00.000Z\""},
        {-8.64e15, "\"-271821-04-20T00:00:00.000Z\""},
        {NAN, "null"},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        expect_json(nw_value_date(doc, cases[i].ms), cases[i].text);
    }
}

Test(json, bigints_become_integers_up_to_2_53)
{
    const int64_t limit = INT64_C(1) << 53;

    expect_json(nw_value_bigint(doc, 0), "0");
    expect_json(nw_value_bigint(doc, limit), "9007199254740992");
    expect_json(nw_value_bigint(doc, -limit), "-9007199254740992");
    expect_failure(nw_value_bigint(doc, limit + 1), NW_ETYPE);
    expect_failure(nw_value_bigint(doc, -limit - 1), NW_ETYPE);
    expect_failure(nw_value_bigint_unsigned(doc, UINT64_MAX), NW_ETYPE);
}

Test(json, boxed_primitives_become_what_is_in_them)
{
    expect_json(nw_value_boxed(doc, nw_value_bool(doc, true)), "true");
    expect_json(nw_value_boxed(doc, nw_value_string(doc, "s")), "\"s\"");
    expect_json(nw_value_boxed(doc, nw_value_bigint(doc, 5)), "5");
}

Test(json, errors_become_objects)
{
    nw_value *error = nw_value_error(doc, "TypeError", "m");
    nw_value *errors = nw_value_array(doc);

    expect_json(error, "{\"name\":\"TypeError\",\"message\":\"m\","
                       "\"stack\":\"TypeError: m\"}");
    nw_error_set_stack(error, NULL);
    expect_json(error, "{\"name\":\"TypeError\",\"message\":\"m\"}");
    nw_error_set_code(error, "E");
    nw_error_set_stack(error, "at");
    nw_error_set_cause(error, nw_value_error(doc, "Error", "inner"));
    nw_error_set_errors(error, errors);
    nw_error_set_property(error, "path", nw_value_array(doc));
    expect_json(error,
                "{\"name\":\"TypeError\",\"message\":\"m\",\"code\":\"E\","
                "\"stack\":\"at\",\"cause\":{\"name\":\"Error\","
                "\"message\":\"inner\",\"stack\":\"Error: inner\"},"
                "\"errors\":[],\"path\":[]}");
    nw_array_push(errors, error);
    expect_failure(error, NW_ETYPE);
}

Test(json, nothing_is_lost_in_silence)
{
    nw_value *array = nw_value_array(doc);

    expect_failure(nw_value_map(doc), NW_ETYPE);
    expect_failure(nw_value_set(doc), NW_ETYPE);
    expect_failure(nw_value_regexp(doc, "a", NULL), NW_ETYPE);
    nw_array_push(array, nw_value_number(doc, 1));
    nw_array_push(array, nw_value_set(doc));
    expect_failure(array, NW_ETYPE);
}

Test(json, keys_may_contain_nul)
{
    nw_value *object = nw_value_object(doc);
    json_t *json;

    nw_object_set_n(object, "a\0b", 3, nw_value_number(doc, 1));
    cr_assert(eq(int, nw_value_to_json(object, &json), NW_OK));
    cr_expect(ne(ptr, json_object_getn(json, "a\0b", 3), NULL));
    json_decref(json);
}

Test(json, shared_values_are_written_at_each_place)
{
    nw_value *array = nw_value_array(doc);
    nw_value *object = nw_value_object(doc);

    nw_object_set(object, "x", nw_value_number(doc, 1));
    nw_array_push(array, object);
    nw_array_push(array, object);
    expect_json(array, "[{\"x\":1},{\"x\":1}]");
}

Test(json, value_that_contains_itself_is_refused)
{
    nw_value *root = nw_value_array(doc);
    nw_value *inner = nw_value_object(doc);

    nw_array_push(root, inner);
    nw_object_set(inner, "up", root);
    expect_failure(root, NW_ETYPE);
    expect_failure(inner, NW_ETYPE);

    nw_doc_reset(doc);
    root = nw_value_array(doc);
    inner = nw_value_object(doc);
    nw_array_push(root, inner);
    nw_object_set(inner, "self", inner);
    expect_failure(root, NW_ETYPE);
}

static nw_value *nested_value(int depth)
{
    nw_value *value = nw_value_array(doc);

    for (int i = 1; i < depth; i++) {
        nw_value *outer = nw_value_array(doc);

        nw_array_push(outer, value);
        value = outer;
    }
    return value;
}

Test(json, depth_of_values_is_limited)
{
    json_t *json;

    cr_assert(eq(int, nw_value_to_json(nested_value(NW_VALUE_DEPTH_MAX), &json),
                 NW_OK));
    json_decref(json);
    expect_failure(nested_value(NW_VALUE_DEPTH_MAX + 1), NW_ELIMIT);
}

Test(json, repetition_is_limited)
{
    nw_value *value = nw_value_array(doc);

    // 2^40 arrays, were they all written out.
    for (int i = 0; i < 40; i++) {
        nw_value *outer = nw_value_array(doc);

        nw_array_push(outer, value);
        nw_array_push(outer, value);
        value = outer;
    }
    expect_failure(value, NW_ELIMIT);
}

Test(json, wrong_arguments_are_refused)
{
    json_t *json = (json_t *)&doc;

    cr_expect(eq(int, nw_value_to_json(NULL, &json), NW_EINVAL));
    cr_expect(eq(ptr, json, NULL));
    cr_expect(eq(int, nw_value_to_json(nw_value_null(doc), NULL), NW_EINVAL));
}

// -- memory

#define TEXT                                                                   \
    "{\"a\":[1,2.5,\"text\",null,true,{\"b\":[[[[[[[[[[[[[[[[[[[1]]]]]]]]]"    \
    "]]]]]]]]]]}],\"c\":\"more text\"}"

// jansson's memory comes from here too, so that the knob reaches it.
Test(json, every_failed_allocation_is_survived)
{
    bool done = false;
    long n;

    json_set_alloc_funcs(nw__alloc, nw__free);
    for (n = 0; !done; n++) {
        json_t *from = json_loads(TEXT, 0, NULL);
        json_t *to = NULL;
        nw_status status = NW_ENOMEM;
        nw_doc *own;

        nw__alloc_fail_after(n);
        own = nw_doc_create();
        if (own != NULL) {
            nw_value *value = nw_value_from_json(own, from);

            nw_object_set(value, "bytes", nw_value_bytes(own, "12345", 5));
            nw_object_set(value, "date", nw_value_date(own, 0));
            nw_object_set(value, "error", nw_value_error(own, "E", "m"));
            status = nw_doc_status(own);
            if (status == NW_OK) {
                status = nw_value_to_json(value, &to);
            }
        }
        done = status == NW_OK;
        nw__alloc_fail_after(-1);
        cr_assert(done || status == NW_ENOMEM);
        cr_assert(eq(int, to != NULL, done));
        json_decref(to);
        json_decref(from);
        nw_doc_destroy(own);
        cr_assert(lt(int, (int)n, 2000));
    }
    cr_expect(gt(int, (int)n, 40));
}

// Goal: every type of JavaScript can be made and read back in C; what does not
// belong is refused with a reason; what is counted is dropped once.

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <nwpool/error.h>

#include "src/common.h"
#include "src/value.h"
#include "tests/unit/support.h"
#include "tests/unit/wire_support.h"

static nw_doc *doc;

static void setup(void)
{
    doc = nw_doc_create();
    cr_assert(ne(ptr, doc, NULL));
}

static void teardown(void)
{
    nw_doc_destroy(doc);
    nw_test_no_leaks();
}

TestSuite(value_types, .init = setup, .fini = teardown, .timeout = 20);

static void expect_text(const nw_value *value, const char *expected)
{
    cr_expect(eq(str, (char *)nw_test_text(value), (char *)expected));
}

// The maker returned none and the document says why; it is clean afterwards.
static void expect_failed(const nw_value *value, nw_status expected)
{
    cr_expect(eq(ptr, (void *)value, NULL));
    cr_expect(eq(int, nw_doc_status(doc), expected));
    nw_doc_reset(doc);
}

// -- BigInts

Test(value_types, bigints_keep_sign_and_magnitude)
{
    static const uint64_t words[] = {0, 1, 0, 0};

    expect_text(nw_value_bigint(doc, 0), "0n");
    expect_text(nw_value_bigint(doc, -7), "-7n");
    expect_text(nw_value_bigint(doc, INT64_MIN), "-9223372036854775808n");
    expect_text(nw_value_bigint_unsigned(doc, UINT64_MAX),
                "18446744073709551615n");
    expect_text(nw_value_bigint_words(doc, true, words, 4),
                "-0x10000000000000000n");
    expect_text(nw_value_bigint_words(doc, true, words, 1), "0n");
    expect_text(nw_value_bigint_words(doc, true, NULL, 0), "0n");
}

Test(value_types, bigints_are_read_as_integers_where_they_fit)
{
    static const struct {
        bool negative;
        uint64_t words[2];
        nw_status is_signed;
        nw_status is_unsigned;
    } cases[] = {
        {false, {0, 0}, NW_OK, NW_OK},
        {true, {5, 0}, NW_OK, NW_ELIMIT},
        {false, {INT64_MAX, 0}, NW_OK, NW_OK},
        {false, {(uint64_t)INT64_MAX + 1, 0}, NW_ELIMIT, NW_OK},
        {true, {(uint64_t)INT64_MAX + 1, 0}, NW_OK, NW_ELIMIT},
        {true, {(uint64_t)INT64_MAX + 2, 0}, NW_ELIMIT, NW_ELIMIT},
        {false, {0, 1}, NW_ELIMIT, NW_ELIMIT},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        const nw_value *value =
            nw_value_bigint_words(doc, cases[i].negative, cases[i].words, 2);
        int64_t number = 7;
        uint64_t positive = 7;

        cr_expect(
            eq(int, nw_value_get_bigint(value, &number), cases[i].is_signed));
        cr_expect(eq(int, nw_value_get_bigint_unsigned(value, &positive),
                     cases[i].is_unsigned));
        if (cases[i].is_signed == NW_OK) {
            uint64_t magnitude = cases[i].words[0];

            cr_expect(
                eq(i64, number,
                   (int64_t)(cases[i].negative ? 0 - magnitude : magnitude)));
        } else {
            cr_expect(eq(i64, number, 0));
        }
        cr_expect(eq(u64, positive,
                     cases[i].is_unsigned == NW_OK ? cases[i].words[0] : 0));
    }
    cr_expect(eq(int,
                 nw_value_get_bigint(nw_value_number(doc, 1), &(int64_t){0}),
                 NW_ETYPE));
    cr_expect(eq(int, nw_value_get_bigint(NULL, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_value_get_bigint_unsigned(NULL, NULL), NW_EINVAL));
}

Test(value_types, bigints_have_a_limit)
{
    size_t count = NW_BIGINT_WORDS_MAX + 1;
    uint64_t *words = calloc(count, sizeof(*words));
    size_t read;

    cr_assert(ne(ptr, words, NULL));
    words[count - 2] = 1;
    nw_value_get_bigint_words(nw_value_bigint_words(doc, false, words, count),
                              NULL, &read);
    cr_expect(eq(sz, read, NW_BIGINT_WORDS_MAX));
    words[count - 1] = 1;
    expect_failed(nw_value_bigint_words(doc, false, words, count), NW_ELIMIT);
    expect_failed(nw_value_bigint_words(doc, false, NULL, 1), NW_EINVAL);
    free(words);
}

// -- dates, expressions, boxes

Test(value_types, dates_are_cut_off_as_in_javascript)
{
    expect_text(nw_value_date(doc, 1.9), "Date(1)");
    expect_text(nw_value_date(doc, -1.9), "Date(-1)");
    expect_text(nw_value_date(doc, -0.5), "Date(0)");
    expect_text(nw_value_date(doc, 8.64e15), "Date(8640000000000000)");
    expect_text(nw_value_date(doc, 8.64e15 + 1), "Date(NaN)");
    expect_text(nw_value_date(doc, -INFINITY), "Date(NaN)");
    cr_expect(isnan(nw_value_get_date(nw_value_number(doc, 1))));
}

Test(value_types, regexps_have_each_flag_once)
{
    static const char *const wrong[] = {"gg", "x", "v", "gimsuydd", "G"};
    const char *flags = "x";

    expect_text(nw_value_regexp(doc, "a/b", "ygmi"), "/a/b/gimy");
    expect_text(nw_value_regexp(doc, "", NULL), "//");
    expect_text(nw_value_regexp(doc, "a", "dgimsuy"), "/a/dgimsuy");
    cr_expect(eq(ptr, (void *)nw_value_get_regexp(NULL, &flags), NULL));
    cr_expect(eq(ptr, (void *)flags, NULL));
    for (size_t i = 0; i < NW_ARRAY_SIZE(wrong); i++) {
        expect_failed(nw_value_regexp(doc, "a", wrong[i]), NW_EINVAL);
    }
    expect_failed(nw_value_regexp(doc, NULL, NULL), NW_EINVAL);
    expect_failed(nw_value_regexp(doc, "\xff", NULL), NW_EINVAL);
}

Test(value_types, only_primitives_with_a_class_are_boxed)
{
    nw_doc *other = nw_doc_create();

    expect_text(nw_value_boxed(doc, nw_value_bool(doc, true)), "Object(true)");
    expect_text(nw_value_boxed(doc, nw_value_string(doc, "s")),
                "Object(\"s\")");
    expect_failed(nw_value_boxed(doc, nw_value_null(doc)), NW_EINVAL);
    expect_failed(nw_value_boxed(doc, nw_value_array(doc)), NW_EINVAL);
    expect_failed(nw_value_boxed(doc, NULL), NW_EINVAL);
    expect_failed(nw_value_boxed(doc, nw_value_number(other, 1)), NW_EINVAL);
    nw_doc_destroy(other);
}

// -- maps, sets, arrays

Test(value_types, maps_keep_pairs_in_order)
{
    nw_value *map = nw_value_map(doc);
    const nw_value *key;

    nw_map_push(map, nw_value_string(doc, "a"), nw_value_number(doc, 1));
    nw_map_push(map, map, nw_value_null(doc));
    nw_map_push(map, nw_value_string(doc, "a"), nw_value_number(doc, 2));
    expect_text(map, "Map{\"a\" => 1, ^0 => null, \"a\" => 2}");
    cr_expect(eq(sz, nw_value_size(map), 3));
    expect_text(nw_map_get(map, "a"), "2");
    cr_expect(eq(ptr, (void *)nw_map_get(map, "b"), NULL));
    cr_expect(eq(ptr, (void *)nw_map_at(map, 3, &key), NULL));
    cr_expect(eq(ptr, (void *)key, NULL));
    for (int i = 0; i < 1000; i++) {
        nw_map_push(map, nw_value_number(doc, i), nw_value_number(doc, -i));
    }
    expect_text(nw_map_at(map, 1002, &key), "-999");
    expect_text(key, "999");
}

Test(value_types, sets_keep_items_in_order)
{
    nw_value *set = nw_value_set(doc);

    for (int i = 0; i < 1000; i++) {
        nw_set_push(set, nw_value_number(doc, i));
    }
    cr_expect(eq(sz, nw_value_size(set), 1000));
    expect_text(nw_set_at(set, 999), "999");
    cr_expect(eq(ptr, (void *)nw_set_at(set, 1000), NULL));
}

Test(value_types, collections_refuse_what_does_not_belong)
{
    nw_doc *other = nw_doc_create();
    nw_value *map = nw_value_map(doc);
    nw_value *set = nw_value_set(doc);
    nw_value *one = nw_value_number(doc, 1);
    nw_value *foreign = nw_value_number(other, 1);

    cr_expect(eq(int, nw_map_push(set, one, one), NW_EINVAL));
    cr_expect(eq(int, nw_set_push(map, one), NW_EINVAL));
    cr_expect(eq(int, nw_map_push(map, foreign, one), NW_EINVAL));
    cr_expect(eq(int, nw_map_push(map, one, foreign), NW_EINVAL));
    cr_expect(eq(int, nw_set_push(set, foreign), NW_EINVAL));
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
    cr_expect(eq(int, nw_set_push(set, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_doc_status(doc), NW_EINVAL));
    cr_expect(eq(sz, nw_value_size(map) + nw_value_size(set), 0));
    nw_doc_destroy(other);
}

Test(value_types, holes_are_no_undefined)
{
    nw_value *array = nw_value_array(doc);
    nw_value *object = nw_value_object(doc);

    nw_array_push_hole(array);
    nw_array_push(array, nw_value_undefined(doc));
    expect_text(array, "[-, undefined]");
    cr_expect(nw_array_is_hole(array, 0));
    cr_expect(not(nw_array_is_hole(array, 1)));
    cr_expect(not(nw_array_is_hole(array, 2)));
    // Read as undefined, it is undefined wherever it is put.
    nw_object_set(object, "a", (nw_value *)nw_array_get(array, 0));
    nw_array_push(array, (nw_value *)nw_array_get(array, 0));
    expect_text(object, "{\"a\": undefined}");
    cr_expect(not(nw_array_is_hole(array, 2)));
    cr_expect(eq(int, nw_array_push_hole(object), NW_EINVAL));
}

Test(value_types, arrays_may_have_named_properties)
{
    nw_value *arrays[100];

    cr_expect(eq(ptr, (void *)nw_array_properties(nw_value_array(doc)), NULL));
    for (size_t i = 0; i < NW_ARRAY_SIZE(arrays); i++) {
        arrays[i] = nw_value_array(doc);
        nw_array_set_property(arrays[i], "n", nw_value_number(doc, (double)i));
        nw_array_push(arrays[i], nw_value_null(doc));
        nw_array_set_property(arrays[i], "01", nw_value_null(doc));
    }
    expect_text(arrays[0], "[null, \"n\": 0, \"01\": null]");
    expect_text(arrays[99], "[null, \"n\": 99, \"01\": null]");
    cr_expect(eq(int, nw_array_set_property(arrays[0], "7", nw_value_null(doc)),
                 NW_EINVAL));
    nw_doc_reset(doc);
    expect_text(nw_value_array(doc), "[]");
}

Test(value_types, sparse_array_keeps_its_properties)
{
    nw_value *array = nw_value_array(doc);

    nw__array_make_sparse(array);
    for (uint32_t i = 0; i < 100; i++) {
        nw__array_append_at(array, i * 10, nw_value_number(doc, i));
    }
    nw_array_set_property(array, "k", nw_value_null(doc));
    nw__array_end_sparse(array, 1000);
    cr_expect(eq(sz, nw_value_size(nw_array_properties(array)), 1));
    expect_text(nw_array_get(array, 990), "99");
    cr_expect(nw_array_is_hole(array, 991));
    nw_array_push_hole(array);
    cr_expect(eq(sz, nw_value_size(array), 1001));
    cr_expect(nw_array_is_hole(array, 1000));
}

// -- bytes

Test(value_types, views_share_their_buffer)
{
    nw_value *buffer = nw_value_array_buffer(doc, "0123456789abcdef", 16);
    const nw_value *view = nw_value_view_of(buffer, NW_VIEW_UINT32, 4, 8);
    size_t offset = 0;

    expect_text(view, "Uint32Array<3435363738396162>");
    cr_expect(eq(ptr, (void *)nw_value_buffer(view, &offset), buffer));
    cr_expect(eq(sz, offset, 4));
    cr_expect(eq(ptr, (void *)nw_value_buffer(buffer, &offset), buffer));
    cr_expect(eq(sz, offset, 0));
    cr_expect(eq(
        ptr, (void *)nw_value_buffer(nw_value_bytes(doc, "a", 1), NULL), NULL));
    cr_expect(eq(int, nw_value_view(view), NW_VIEW_UINT32));
    cr_expect(eq(str, (char *)nw_view_name((nw_view)99), "unknown"));
}

Test(value_types, views_lie_inside_of_a_buffer)
{
    static const struct {
        nw_view view;
        size_t offset;
        size_t size;
    } wrong[] = {
        {NW_VIEW_UINT8, 0, 17},       {NW_VIEW_UINT8, 17, 0},
        {NW_VIEW_UINT8, SIZE_MAX, 2}, {NW_VIEW_INT16, 1, 2},
        {NW_VIEW_INT16, 0, 3},        {NW_VIEW_FLOAT64, 4, 8},
        {NW_VIEW_ARRAY_BUFFER, 0, 1}, {NW_VIEW_SHARED_ARRAY_BUFFER, 0, 1},
        {NW_VIEW_FLOAT16, 0, 2},      {(nw_view)99, 0, 1},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(wrong); i++) {
        nw_value *buffer = nw_value_array_buffer(doc, "0123456789abcdef", 16);

        expect_failed(nw_value_view_of(buffer, wrong[i].view, wrong[i].offset,
                                       wrong[i].size),
                      NW_EINVAL);
    }
    expect_failed(
        nw_value_view_of(nw_value_bytes(doc, "abcd", 4), NW_VIEW_INT8, 0, 1),
        NW_EINVAL);
    cr_expect(eq(ptr, nw_value_view_of(NULL, NW_VIEW_INT8, 0, 0), NULL));
    expect_text(nw_value_view_of(nw_value_array_buffer(doc, NULL, 0),
                                 NW_VIEW_INT8, 0, 0),
                "Int8Array<>");
}

Test(value_types, taken_buffer_leaves_its_views)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abcd", 4);
    const nw_value *view = nw_value_view_of(buffer, NW_VIEW_UINT8, 1, 2);
    nw_bytes bytes;

    cr_assert(eq(int, nw_value_take_bytes(buffer, &bytes), NW_OK));
    bytes.release(bytes.data, bytes.size, bytes.hint);
    expect_text(buffer, "ArrayBuffer<>");
    expect_text(view, "<6263>");
}

// -- what is counted

Test(value_types, shared_memory_lives_as_long_as_somebody_has_it)
{
    char memory[8] = "shared";
    int released = 0;
    nw_shared *shared;
    nw_value *value;
    size_t size;

    cr_assert(
        eq(int,
           nw_shared_lend(&shared, memory, 8, nw_test_count_release, &released),
           NW_OK));
    value = nw_value_shared(doc, shared);
    expect_text(value, "SharedArrayBuffer<7368617265640000>");
    value = nw_value_view_of(value, NW_VIEW_INT32, 4, 4);
    cr_expect(eq(ptr, nw_value_get_shared(value), shared));
    cr_expect(eq(ptr, nw_shared_data(shared, &size), memory));
    cr_expect(eq(sz, size, 8));
    cr_expect(eq(ptr, nw_shared_ref(shared), shared));
    nw_shared_unref(shared);
    nw_shared_unref(shared);
    cr_expect(eq(int, released, 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 1));
}

Test(value_types, new_shared_memory_is_zero_and_aligned)
{
    nw_shared *shared;
    size_t size;
    const char *data;

    cr_assert(eq(int, nw_shared_create(&shared, 100), NW_OK));
    data = nw_shared_data(shared, &size);
    cr_expect(eq(sz, size, 100));
    cr_expect(eq(sz, (uintptr_t)data % 16, 0));
    for (size_t i = 0; i < size; i++) {
        cr_assert(eq(chr, data[i], 0));
    }
    nw_shared_unref(shared);
    nw_shared_unref(NULL);
}

Test(value_types, shared_memory_refuses_wrong_arguments)
{
    nw_shared *shared = (nw_shared *)doc;
    char memory[1];

    cr_expect(eq(int, nw_shared_create(NULL, 1), NW_EINVAL));
    cr_expect(eq(int, nw_shared_create(&shared, (size_t)NW_VALUE_SIZE_MAX + 1),
                 NW_ELIMIT));
    cr_expect(eq(ptr, shared, NULL));
    cr_expect(eq(int, nw_shared_lend(&shared, NULL, 1, NULL, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_shared_lend(NULL, memory, 1, NULL, NULL), NW_EINVAL));
    for (long n = 0; n < 2; n++) {
        nw__alloc_fail_after(n);
        cr_expect(eq(int, nw_shared_create(&shared, 1), NW_ENOMEM));
        cr_expect(eq(ptr, shared, NULL));
    }
    nw__alloc_fail_after(-1);
    expect_failed(nw_value_shared(doc, NULL), NW_EINVAL);
}

// A stand-in for V8's: frees what it was told, once.
static void store_free(void *store)
{
    ++*(int *)store;
}

Test(value_types, memory_with_a_store_is_released_by_the_store)
{
    char memory[4];
    int released = 0;
    int stores = 0;
    nw_shared *shared;

    nw_shared_lend(&shared, memory, 4, nw_test_count_release, &released);
    shared->store = &stores;
    shared->store_free = store_free;
    nw_shared_unref(shared);
    cr_expect(eq(int, stores, 1));
    cr_expect(eq(int, released, 0));
    // A store without bytes releases nothing.
    nw_shared_lend(&shared, NULL, 0, nw_test_count_release, &released);
    shared->store = &stores;
    shared->store_free = store_free;
    nw_shared_unref(shared);
    cr_expect(eq(int, stores, 2));
    cr_expect(eq(int, released, 1));
}

Test(value_types, objects_of_node_say_what_they_are)
{
    int alive = 0;
    struct nw__host *key = nw_test_host("KeyObject", false, false, &alive);
    struct nw__host *port = nw_test_host("MessagePort", true, true, &alive);
    struct nw__ref *module = nw_test_module(&alive);
    nw_value *value = nw__value_of_ref(doc, &key->ref);

    cr_expect(eq(int, nw_value_type(value), NW_TYPE_HOST));
    cr_expect(eq(str, (char *)nw_value_get_host_type(value), "KeyObject"));
    cr_expect(eq(ptr, nw__value_ref(value), &key->ref));
    value = nw__value_of_ref(doc, &port->ref);
    cr_expect(eq(int, nw_value_type(value), NW_TYPE_PORT));
    cr_expect(eq(str, (char *)nw_value_get_host_type(value), "MessagePort"));
    value = nw__value_of_ref(doc, module);
    cr_expect(eq(int, nw_value_type(value), NW_TYPE_WASM_MODULE));
    cr_expect(eq(ptr, (void *)nw_value_get_host_type(value), NULL));
    cr_expect(eq(ptr, nw__value_ref(nw_value_null(doc)), NULL));
    nw__ref_put(&key->ref);
    nw__ref_put(&port->ref);
    nw__ref_put(module);
    cr_expect(eq(int, alive, 3));
    nw_doc_reset(doc);
    cr_expect(eq(int, alive, 0));
}

// -- errors

static int chain_length(const nw_error *error)
{
    int length = 0;

    for (; error != NULL; error = error->cause) {
        length++;
    }
    return length;
}

Test(value_types, error_says_what_was_set)
{
    nw_value *error = nw_value_error(doc, "RangeError", "too far");
    const nw_error *seen = nw_value_get_error(error);
    nw_value *errors = nw_value_array(doc);

    cr_expect(eq(str, (char *)seen->stack, "RangeError: too far"));
    cr_expect(eq(ptr, (void *)seen->code, NULL));
    cr_expect(eq(ptr, (void *)seen->properties, NULL));
    nw_array_push(errors, nw_value_null(doc));
    cr_assert(eq(int, nw_error_set_stack(error, NULL), NW_OK));
    cr_expect(eq(str, (char *)seen->stack, ""));
    cr_assert(eq(int, nw_error_set_stack(error, "at f"), NW_OK));
    cr_assert(eq(int, nw_error_set_code(error, "E1"), NW_OK));
    cr_assert(eq(int, nw_error_set_errors(error, errors), NW_OK));
    cr_assert(
        eq(int, nw_error_set_property(error, "path", nw_value_string(doc, "/")),
           NW_OK));
    expect_text(error, "RangeError(\"too far\", stack \"at f\", code E1, "
                       "errors [null], {\"path\": \"/\"})");
    // Its code is one, however it is set, and as text also if it is none.
    nw_error_set_property(error, "code", nw_value_number(doc, -2));
    cr_expect(eq(str, (char *)nw_value_get_error(error)->code, "-2"));
    cr_expect(eq(ptr, (void *)nw_value_get_error(errors), NULL));
}

Test(value_types, error_refuses_what_does_not_belong)
{
    nw_value *error = nw_value_error(doc, "Error", "m");
    nw_value *null = nw_value_null(doc);

    cr_expect(eq(int, nw_error_set_stack(null, "s"), NW_EINVAL));
    cr_expect(eq(int, nw_error_set_code(null, "s"), NW_EINVAL));
    cr_expect(eq(int, nw_error_set_cause(null, null), NW_EINVAL));
    cr_expect(eq(int, nw_error_set_errors(error, null), NW_EINVAL));
    cr_expect(eq(int, nw_error_set_property(null, "k", null), NW_EINVAL));
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
    cr_expect(eq(int, nw_error_set_stack(error, "\xff"), NW_EINVAL));
    nw_doc_reset(doc);
    expect_failed(nw_value_error(doc, NULL, "m"), NW_EINVAL);
    expect_failed(nw_value_error(doc, "Error", NULL), NW_EINVAL);
}

Test(value_types, chain_of_causes_follows_later_changes)
{
    nw_value *outer = nw_value_error(doc, "Error", "outer");
    nw_value *inner = nw_value_error(doc, "Error", "inner");

    nw_error_set_cause(outer, inner);
    cr_expect(eq(int, chain_length(nw_value_get_error(outer)), 2));
    nw_error_set_code(inner, "LATE");
    nw_error_set_cause(inner, nw_value_number(doc, 5));
    cr_assert(eq(int, chain_length(nw_value_get_error(outer)), 3));
    cr_expect(eq(str, (char *)nw_value_get_error(outer)->cause->code, "LATE"));
    cr_expect(eq(ptr, (void *)nw_value_get_error(outer)->cause->cause->thrown,
                 (void *)inner->as.error->cause));
}

Test(value_types, cause_that_is_no_error_has_its_text)
{
    nw_value *error = nw_value_error(doc, "Error", "m");
    nw_value *const causes[] = {
        nw_value_string(doc, "text"),
        nw_value_number(doc, 1.5),
        nw_value_number(doc, NAN),
        nw_value_bool(doc, true),
        nw_value_bigint(doc, -3),
        nw_value_undefined(doc),
        nw_value_null(doc),
        nw_value_array(doc),
        nw_value_number(doc, INFINITY),
    };
    static const char *const texts[] = {"text", "1.5",   "NaN",
                                        "true", "-3",    "undefined",
                                        "null", "array", "Infinity"};

    for (size_t i = 0; i < NW_ARRAY_SIZE(causes); i++) {
        const nw_error *cause;

        nw_error_set_cause(error, causes[i]);
        cause = nw_value_get_error(error)->cause;
        cr_assert(ne(ptr, (void *)cause, NULL));
        cr_expect(eq(str, (char *)cause->name, ""));
        cr_expect(eq(str, (char *)cause->message, (char *)texts[i]));
        cr_expect(eq(ptr, (void *)cause->thrown, causes[i]));
    }
}

Test(value_types, chain_of_causes_ends)
{
    nw_value *first = nw_value_error(doc, "Error", "0");
    nw_value *error = first;

    nw_error_set_cause(first, first);
    cr_expect(eq(int, chain_length(nw_value_get_error(first)), 1));
    for (int i = 0; i < 100; i++) {
        nw_value *outer = nw_value_error(doc, "Error", "n");

        nw_error_set_cause(outer, error);
        error = outer;
        if (i == 2) {
            nw_error_set_cause(first, outer);
            cr_expect(eq(int, chain_length(nw_value_get_error(outer)), 4));
        }
    }
    cr_expect(eq(int, chain_length(nw_value_get_error(error)), 17));
}

Test(value_types, error_is_one_also_without_memory_for_its_causes)
{
    nw_value *error = nw_value_error(doc, "Error", "m");

    nw_error_set_cause(error, nw_value_error(doc, "Error", "cause"));
    nw__doc_alloc(doc, (size_t)(doc->end - doc->at), 1);
    nw__alloc_fail_after(0);
    cr_expect(eq(int, chain_length(nw_value_get_error(error)), 1));
    cr_expect(eq(int, nw_doc_status(doc), NW_ENOMEM));
}

// -- nothing and nobody

Test(value_types, makers_take_the_document_that_could_not_be_made)
{
    uint64_t word = 1;

    cr_expect(eq(ptr, nw_value_bigint(NULL, 1), NULL));
    cr_expect(eq(ptr, nw_value_bigint_unsigned(NULL, 1), NULL));
    cr_expect(eq(ptr, nw_value_bigint_words(NULL, false, &word, 1), NULL));
    cr_expect(eq(ptr, nw_value_date(NULL, 1), NULL));
    cr_expect(eq(ptr, nw_value_regexp(NULL, "a", NULL), NULL));
    cr_expect(eq(ptr, nw_value_map(NULL), NULL));
    cr_expect(eq(ptr, nw_value_set(NULL), NULL));
    cr_expect(eq(ptr, nw_value_boxed(NULL, NULL), NULL));
    cr_expect(eq(ptr, nw_value_array_buffer(NULL, "a", 1), NULL));
    cr_expect(eq(ptr, nw_value_shared(NULL, NULL), NULL));
    cr_expect(eq(ptr, nw_value_error(NULL, "E", "m"), NULL));
    cr_expect(eq(int, nw_map_push(NULL, NULL, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_set_push(NULL, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_array_push_hole(NULL), NW_EINVAL));
    cr_expect(eq(int, nw_array_set_property(NULL, "k", NULL), NW_EINVAL));
    cr_expect(eq(int, nw_error_set_cause(NULL, NULL), NW_EINVAL));
}

Test(value_types, every_type_has_a_name)
{
    for (int type = 0; type <= NW_TYPE_WASM_MEMORY; type++) {
        cr_expect(ne(str, (char *)nw_type_name((nw_type)type), "unknown"));
    }
    for (int view = 0; view <= NW_VIEW_DATA_VIEW; view++) {
        cr_expect(ne(str, (char *)nw_view_name((nw_view)view), "unknown"));
    }
}

// -- nonsense

// One of each type that has readers of its own.
struct samples {
    nw_value *items[16];
    size_t count;
};

static struct samples samples_of_all(void)
{
    return (struct samples){
        .items =
            {
                NULL,
                nw_value_undefined(doc),
                nw_value_null(doc),
                nw_value_bool(doc, true),
                nw_value_number(doc, 1),
                nw_value_string(doc, "a"),
                nw_value_array(doc),
                nw_value_object(doc),
                nw_value_bytes(doc, "ab", 2),
                nw_value_bigint(doc, 5),
                nw_value_date(doc, 0),
                nw_value_regexp(doc, "a", "g"),
                nw_value_map(doc),
                nw_value_set(doc),
                nw_value_error(doc, "Error", "a"),
                nw_value_boxed(doc, nw_value_number(doc, 1)),
            },
        .count = 16,
    };
}

// That nothing but a value of `type` gives anything.
#define READ_ONLY_OF(type, reads)                                              \
    cr_expect(eq(int, (reads) != 0, nw_value_type(value) == (type)), "%s, %s", \
              #reads, nw_type_name(nw_value_type(value)))

static void read_all(const nw_value *value)
{
    uint64_t positive = 7;
    int64_t number = 7;
    bool negative = true;
    size_t size = 7;

    READ_ONLY_OF(NW_TYPE_BOOL, nw_value_get_bool(value));
    READ_ONLY_OF(NW_TYPE_NUMBER, !isnan(nw_value_get_number(value)));
    READ_ONLY_OF(NW_TYPE_NUMBER, nw_value_get_int64(value, &number) == NW_OK);
    READ_ONLY_OF(NW_TYPE_STRING, nw_value_get_string(value, &size) != NULL);
    READ_ONLY_OF(NW_TYPE_STRING, size);
    READ_ONLY_OF(NW_TYPE_BYTES, nw_value_get_bytes(value, &size) != NULL);
    READ_ONLY_OF(NW_TYPE_BYTES, size);
    READ_ONLY_OF(NW_TYPE_BIGINT,
                 nw_value_get_bigint_words(value, &negative, &size) != NULL);
    READ_ONLY_OF(NW_TYPE_BIGINT, size);
    cr_expect(not(negative));
    READ_ONLY_OF(NW_TYPE_BIGINT, nw_value_get_bigint(value, &number) == NW_OK);
    READ_ONLY_OF(NW_TYPE_BIGINT, number);
    READ_ONLY_OF(NW_TYPE_BIGINT,
                 nw_value_get_bigint_unsigned(value, &positive) == NW_OK);
    READ_ONLY_OF(NW_TYPE_BIGINT, positive);
    READ_ONLY_OF(NW_TYPE_DATE, !isnan(nw_value_get_date(value)));
    READ_ONLY_OF(NW_TYPE_REGEXP, nw_value_get_regexp(value, NULL) != NULL);
    READ_ONLY_OF(NW_TYPE_ERROR, nw_value_get_error(value) != NULL);
    READ_ONLY_OF(NW_TYPE_BOXED, nw_value_unbox(value) != NULL);
}

// That it is none of those that have something to hand out.
static void find_nothing(nw_value *value)
{
    const nw_value *key = value;
    const char *name = "a";
    size_t size = 7;
    nw_bytes bytes = {.size = 7};

    cr_expect(eq(sz, nw_value_size(value), 0));
    cr_expect(eq(ptr, (void *)nw_array_get(value, 0), NULL));
    cr_expect(not(nw_array_is_hole(value, 0)));
    cr_expect(eq(ptr, (void *)nw_array_properties(value), NULL));
    cr_expect(eq(ptr, (void *)nw_object_get(value, "a"), NULL));
    cr_expect(eq(ptr, (void *)nw_object_at(value, 0, &name, &size), NULL));
    cr_expect(eq(ptr, (void *)name, NULL));
    cr_expect(eq(sz, size, 0));
    cr_expect(eq(ptr, (void *)nw_map_at(value, 0, &key), NULL));
    cr_expect(eq(ptr, (void *)key, NULL));
    cr_expect(eq(ptr, (void *)nw_map_get(value, "a"), NULL));
    cr_expect(eq(ptr, (void *)nw_set_at(value, 0), NULL));
    cr_expect(eq(ptr, (void *)nw_value_buffer(value, &size), NULL));
    cr_expect(eq(ptr, (void *)nw_value_get_shared(value), NULL));
    cr_expect(eq(ptr, (void *)nw_value_get_host_type(value), NULL));
    cr_expect(eq(int, (int)nw_value_view(value), (int)NW_VIEW_UINT8));
    if (nw_value_type(value) != NW_TYPE_BYTES) {
        cr_expect(eq(int, nw_value_take_bytes(value, &bytes), NW_ETYPE));
        cr_expect(eq(sz, bytes.size, 0));
    }
    cr_expect(eq(int, nw_value_take_bytes(value, NULL), NW_EINVAL));
}

Test(value_types, readers_of_another_type_find_nothing)
{
    struct samples samples = samples_of_all();

    for (size_t i = 0; i < samples.count; i++) {
        read_all(samples.items[i]);
        find_nothing(samples.items[i]);
    }
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
}

Test(value_types, setters_refuse_what_has_no_such_thing)
{
    struct samples samples = samples_of_all();
    nw_value *one = nw_value_number(doc, 1);

    for (size_t i = 0; i < samples.count; i++) {
        nw_value *value = samples.items[i];
        nw_type type = nw_value_type(value);

#define SET_ONLY_OF(wanted, call)                                              \
    cr_expect(eq(int, (call) == NW_OK, type == (wanted)), "%s, %s", #call,     \
              nw_type_name(type))
        SET_ONLY_OF(NW_TYPE_ARRAY, nw_array_push(value, one));
        SET_ONLY_OF(NW_TYPE_ARRAY, nw_array_push_hole(value));
        SET_ONLY_OF(NW_TYPE_ARRAY, nw_array_set_property(value, "a", one));
        SET_ONLY_OF(NW_TYPE_OBJECT, nw_object_set(value, "a", one));
        SET_ONLY_OF(NW_TYPE_MAP, nw_map_push(value, one, one));
        SET_ONLY_OF(NW_TYPE_SET, nw_set_push(value, one));
        SET_ONLY_OF(NW_TYPE_ERROR, nw_error_set_stack(value, "a"));
        SET_ONLY_OF(NW_TYPE_ERROR, nw_error_set_code(value, "a"));
        SET_ONLY_OF(NW_TYPE_ERROR, nw_error_set_cause(value, one));
        SET_ONLY_OF(NW_TYPE_ERROR, nw_error_set_property(value, "a", one));
        SET_ONLY_OF(NW_TYPE_ERROR,
                    nw_error_set_errors(value, nw_value_array(doc)));
#undef SET_ONLY_OF
    }
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
}

// A key that cannot be one marks the document, as everything does that would
// otherwise be missing in silence.
Test(value_types, wrong_keys_mark_the_document)
{
    static const char *const keys[] = {NULL, "\xff", "7"};

    for (size_t i = 0; i < NW_ARRAY_SIZE(keys); i++) {
        cr_expect(eq(int,
                     nw_array_set_property(nw_value_array(doc), keys[i],
                                           nw_value_null(doc)),
                     NW_EINVAL));
        expect_failed(NULL, NW_EINVAL);
    }
    cr_expect(
        eq(int,
           nw_object_set_n(nw_value_object(doc), "a",
                           (size_t)NW_VALUE_SIZE_MAX + 1, nw_value_null(doc)),
           NW_ELIMIT));
    expect_failed(NULL, NW_ELIMIT);
}

Test(value_types, makers_refuse_what_is_no_argument)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abcdefgh", 8);

    cr_expect(
        eq(ptr, (void *)nw_value_view_of(NULL, NW_VIEW_INT8, 0, 0), NULL));
    expect_failed(nw_value_view_of(buffer, (nw_view)-1, 0, 8), NW_EINVAL);
    expect_failed(nw_value_bytes(doc, NULL, 1), NW_EINVAL);
    expect_failed(nw_value_array_buffer(doc, NULL, 1), NW_EINVAL);
    expect_failed(nw_value_bytes_lend(doc, NULL, 1, NULL, NULL), NW_EINVAL);
    expect_failed(nw_value_string(doc, NULL), NW_EINVAL);
    expect_failed(nw_value_string_n(doc, NULL, 1), NW_EINVAL);
    expect_failed(nw_value_bigint_words(doc, false, NULL, 1), NW_EINVAL);
    expect_failed(nw_value_regexp(doc, NULL, NULL), NW_EINVAL);
    expect_failed(nw_value_regexp(doc, "a", "x"), NW_EINVAL);
    expect_failed(nw_value_boxed(doc, NULL), NW_EINVAL);
    expect_failed(nw_value_error(doc, NULL, "a"), NW_EINVAL);
    expect_failed(nw_value_error(doc, "Error", NULL), NW_EINVAL);
    expect_failed(nw_value_shared(doc, NULL), NW_EINVAL);
    // Of nothing, these are fine.
    expect_text(nw_value_string_n(doc, NULL, 0), "\"\"");
    expect_text(nw_value_bytes(doc, NULL, 0), "<>");
}

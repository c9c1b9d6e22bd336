// Goal: a document owns everything in it and gives everything back once; a
// maker that fails leaves a mark and nothing else; containers keep order,
// identity and holes.

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/value.h"
#include "tests/unit/support.h"

static nw_doc *doc;

static void setup(void)
{
    doc = nw_doc_create();
    cr_assert(ne(ptr, doc, NULL));
}

static void teardown(void)
{
    nw_doc_destroy(doc);
    doc = NULL;
    nw_test_no_leaks();
}

TestSuite(value, .init = setup, .fini = teardown, .timeout = 20);

static void expect_text(const nw_value *value, const char *expected)
{
    cr_expect(eq(str, (char *)nw_test_text(value), (char *)expected));
}

static nw_value *text_item(const char *text)
{
    return nw_value_string(doc, text);
}

static nw_value *number_item(double number)
{
    return nw_value_number(doc, number);
}

// -- scalars

Test(value, makers_keep_what_they_are_given)
{
    expect_text(nw_value_undefined(doc), "undefined");
    expect_text(nw_value_null(doc), "null");
    expect_text(nw_value_bool(doc, true), "true");
    expect_text(nw_value_bool(doc, false), "false");
    expect_text(number_item(-1.25), "-1.25");
    expect_text(number_item(-0.0), "-0");
    expect_text(text_item("text"), "\"text\"");
    expect_text(nw_value_bytes(doc, "\x01\xff", 2), "<01ff>");
    expect_text(nw_value_array(doc), "[]");
    expect_text(nw_value_object(doc), "{}");
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
}

Test(value, types_have_names)
{
    cr_expect(
        eq(str, (char *)nw_type_name(nw_value_type(number_item(1))), "number"));
    cr_expect(eq(str, (char *)nw_type_name(NW_TYPE_BYTES), "bytes"));
    cr_expect(eq(str, (char *)nw_type_name((nw_type)99), "unknown"));
}

Test(value, readers_of_another_type_find_nothing)
{
    const nw_value *number = number_item(1);
    nw_value *array = nw_value_array(doc);
    size_t size = 5;

    nw_array_push(array, array);
    cr_expect(not(nw_value_get_bool(number)));
    cr_expect(isnan(nw_value_get_number(nw_value_null(doc))));
    cr_expect(eq(ptr, (void *)nw_value_get_string(array, &size), NULL));
    cr_expect(eq(sz, size, 0));
    size = 5;
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(array, &size), NULL));
    cr_expect(eq(sz, size, 0));
    cr_expect(eq(sz, nw_value_size(text_item("abc")), 0));
    cr_expect(eq(ptr, (void *)nw_array_get(nw_value_object(doc), 0), NULL));
    cr_expect(eq(ptr, (void *)nw_object_get(nw_value_array(doc), "a"), NULL));
}

Test(value, null_pointers_read_as_undefined)
{
    cr_expect(eq(int, nw_value_type(NULL), NW_TYPE_UNDEFINED));
    cr_expect(not(nw_value_get_bool(NULL)));
    cr_expect(isnan(nw_value_get_number(NULL)));
    cr_expect(eq(ptr, (void *)nw_value_get_string(NULL, NULL), NULL));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(NULL, NULL), NULL));
    cr_expect(eq(sz, nw_value_size(NULL), 0));
    cr_expect(eq(ptr, (void *)nw_array_get(NULL, 0), NULL));
    cr_expect(eq(ptr, (void *)nw_object_get(NULL, "a"), NULL));
    cr_expect(eq(ptr, (void *)nw_object_at(NULL, 0, NULL, NULL), NULL));
}

Test(value, integers_are_exact_up_to_2_53)
{
    static const struct {
        double number;
        nw_status status;
        int64_t integer;
    } cases[] = {
        {0, NW_OK, 0},
        {-0.0, NW_OK, 0},
        {9007199254740992.0, NW_OK, INT64_C(9007199254740992)},
        {-9007199254740992.0, NW_OK, -INT64_C(9007199254740992)},
        {9007199254740994.0, NW_ETYPE, 0},
        {1.5, NW_ETYPE, 0},
        {NAN, NW_ETYPE, 0},
        {INFINITY, NW_ETYPE, 0},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        int64_t integer = 77;

        cr_expect(eq(int,
                     nw_value_get_int64(number_item(cases[i].number), &integer),
                     cases[i].status));
        cr_expect(eq(i64, integer, cases[i].integer));
    }
    cr_expect(eq(int, nw_value_get_int64(number_item(1), NULL), NW_EINVAL));
    cr_expect(
        eq(int, nw_value_get_int64(text_item("1"), &(int64_t){0}), NW_ETYPE));
}

// -- text

Test(value, strings_may_contain_nul)
{
    const nw_value *value = nw_value_string_n(doc, "a\0b", 3);
    const char *text;
    size_t size;

    text = nw_value_get_string(value, &size);
    cr_assert(eq(sz, size, 3));
    cr_expect(eq(int, memcmp(text, "a\0b", 4), 0));
}

Test(value, only_utf_8_is_text)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ASCII, longer than a machine word", true},
        {"\x7f", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xc3", false},
        {"\xc3 ", false},
        {"\xe0\x9f\xbf", false},
        {"\xe2\x82", false},
        {"\xe2\x82(", false},
        {"\xf0\x90\x80(", false},
        {"\xed\xa0\x80", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf0\x9f\x98", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"12345678\xff", false},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        nw_value *value = text_item(cases[i].text);

        cr_expect(eq(int, value != NULL, cases[i].valid), "case %zu", i);
        cr_expect(
            eq(int, nw_doc_status(doc), cases[i].valid ? NW_OK : NW_EINVAL),
            "case %zu", i);
        nw_doc_reset(doc);
    }
}

Test(value, what_is_too_large_is_refused_before_it_is_touched)
{
    size_t size = (size_t)NW_VALUE_SIZE_MAX + 1;
    int released = 0;
    char byte = 'x';

    cr_expect(eq(ptr, nw_value_bytes(doc, &byte, size), NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_ELIMIT));
    nw_doc_reset(doc);
    cr_expect(eq(ptr, nw_value_string_n(doc, &byte, size), NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_ELIMIT));
    nw_doc_reset(doc);
    cr_expect(eq(
        ptr,
        nw_value_bytes_lend(doc, &byte, size, nw_test_count_release, &released),
        NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_ELIMIT));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 0));
}

// -- the failure mark

Test(value, failure_marks_the_document_until_the_reset)
{
    nw_value *array = nw_value_array(doc);

    cr_expect(eq(ptr, nw_value_string(doc, NULL), NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_EINVAL));
    cr_expect(eq(int, nw_array_push(array, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_array_push(array, number_item(1)), NW_OK));
    cr_expect(eq(int, nw_doc_status(doc), NW_EINVAL));
    nw_doc_reset(doc);
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
}

Test(value, first_failure_is_the_one_that_is_kept)
{
    nw_value_string(doc, NULL);
    nw_value_bytes(doc, "", (size_t)NW_VALUE_SIZE_MAX + 1);
    cr_expect(eq(int, nw_doc_status(doc), NW_EINVAL));
}

Test(value, makers_take_the_document_that_could_not_be_made)
{
    nw__alloc_fail_after(0);
    cr_expect(eq(ptr, nw_doc_create(), NULL));

    cr_expect(eq(ptr, nw_value_undefined(NULL), NULL));
    cr_expect(eq(ptr, nw_value_null(NULL), NULL));
    cr_expect(eq(ptr, nw_value_bool(NULL, true), NULL));
    cr_expect(eq(ptr, nw_value_number(NULL, 1), NULL));
    cr_expect(eq(ptr, nw_value_string(NULL, "a"), NULL));
    cr_expect(eq(ptr, nw_value_string(NULL, NULL), NULL));
    cr_expect(eq(ptr, nw_value_bytes(NULL, "a", 1), NULL));
    cr_expect(eq(ptr, nw_value_bytes_lend(NULL, NULL, 0, NULL, NULL), NULL));
    cr_expect(eq(ptr, nw_value_array(NULL), NULL));
    cr_expect(eq(ptr, nw_value_object(NULL), NULL));
    cr_expect(eq(int, nw_array_push(NULL, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_object_set(NULL, "a", NULL), NW_EINVAL));
    cr_expect(eq(int, nw_doc_status(NULL), NW_ENOMEM));
    nw_doc_reset(NULL);
    nw_doc_destroy(NULL);
}

// -- arrays

Test(value, array_keeps_order_over_many_growths)
{
    nw_value *array = nw_value_array(doc);

    for (int i = 0; i < 100000; i++) {
        cr_assert(eq(int, nw_array_push(array, number_item(i)), NW_OK));
    }
    cr_expect(eq(sz, nw_value_size(array), 100000));
    for (size_t i = 0; i < 100000; i++) {
        if (nw_value_get_number(nw_array_get(array, i)) != (double)i) {
            cr_fatal("item %zu", i);
        }
    }
    cr_expect(eq(ptr, (void *)nw_array_get(array, 100000), NULL));
}

Test(value, push_refuses_what_does_not_belong)
{
    nw_doc *other = nw_doc_create();
    nw_value *array = nw_value_array(doc);

    cr_expect(eq(int, nw_array_push(nw_value_object(doc), number_item(1)),
                 NW_EINVAL));
    cr_expect(
        eq(int, nw_array_push(array, nw_value_number(other, 1)), NW_EINVAL));
    cr_expect(eq(int, nw_array_push(array, nw_value_null(other)), NW_EINVAL));
    cr_expect(eq(sz, nw_value_size(array), 0));
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
    nw_doc_destroy(other);
}

Test(value, value_may_stand_in_several_places_and_in_itself)
{
    nw_value *array = nw_value_array(doc);
    nw_value *object = nw_value_object(doc);

    nw_array_push(array, object);
    nw_array_push(array, object);
    nw_object_set(object, "up", array);
    expect_text(array, "[{\"up\": ^1}, {\"up\": ^1}]");
}

Test(value, sparse_array_reads_holes_as_undefined)
{
    nw_value *array = nw_value_array(doc);

    nw__array_make_sparse(array);
    nw__array_append_at(array, 2, number_item(2));
    nw__array_append_at(array, 10, number_item(10));
    cr_assert(eq(int, nw__array_end_sparse(array, 1000000), NW_OK));

    cr_expect(eq(sz, nw_value_size(array), 1000000));
    expect_text(nw_array_get(array, 0), "undefined");
    expect_text(nw_array_get(array, 2), "2");
    expect_text(nw_array_get(array, 3), "undefined");
    expect_text(nw_array_get(array, 10), "10");
    expect_text(nw_array_get(array, 999999), "undefined");
    cr_expect(eq(ptr, (void *)nw_array_get(array, 1000000), NULL));
}

Test(value, sparse_array_can_be_pushed_to)
{
    nw_value *array = nw_value_array(doc);

    nw__array_make_sparse(array);
    nw__array_end_sparse(array, 1000);
    cr_assert(eq(int, nw_array_push(array, number_item(7)), NW_OK));
    cr_expect(eq(sz, nw_value_size(array), 1001));
    expect_text(nw_array_get(array, 1000), "7");
}

Test(value, array_with_few_holes_becomes_a_plain_one)
{
    nw_value *array = nw_value_array(doc);

    nw__array_make_sparse(array);
    nw__array_append_at(array, 1, number_item(1));
    nw__array_append_at(array, 3, number_item(3));
    nw__array_end_sparse(array, 5);
    cr_expect(eq(int, array->flags &NW__VALUE_SPARSE, 0));
    nw_array_push(array, number_item(5));
    expect_text(array, "[-, 1, -, 3, -, 5]");
}

// -- objects

Test(value, object_keeps_insertion_order)
{
    nw_value *object = nw_value_object(doc);

    nw_object_set(object, "b", number_item(1));
    nw_object_set(object, "a", number_item(2));
    nw_object_set(object, "", nw_value_null(doc));
    nw_object_set_n(object, "a\0b", 3, number_item(3));
    nw_object_set(object, "b", number_item(4));
    expect_text(object, "{\"b\": 4, \"a\": 2, \"\": null, \"a\\x00b\": 3}");
}

Test(value, object_finds_each_of_many_members)
{
    nw_value *object = nw_value_object(doc);
    char key[16];

    // Each size on the way, so that both sides of each growth are seen.
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        cr_assert(eq(int, nw_object_set(object, key, number_item(i)), NW_OK));
        snprintf(key, sizeof(key), "key%d", i / 2);
        if (nw_value_get_number(nw_object_get(object, key)) != i / 2) {
            cr_fatal("%s among %d", key, i);
        }
        snprintf(key, sizeof(key), "key%d", i + 1);
        cr_assert(eq(ptr, (void *)nw_object_get(object, key), NULL));
    }
    nw_object_set(object, "key1234", number_item(-1));
    cr_expect(eq(sz, nw_value_size(object), 2000));
    expect_text(nw_object_get(object, "key1234"), "-1");
    expect_text(nw_object_at(object, 1234, NULL, NULL), "-1");
}

Test(value, set_refuses_what_does_not_belong)
{
    nw_value *object = nw_value_object(doc);

    cr_expect(
        eq(int, nw_object_set(nw_value_array(doc), "a", object), NW_EINVAL));
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
    cr_expect(
        eq(int, nw_object_set(object, "\xff", number_item(1)), NW_EINVAL));
    cr_expect(eq(int, nw_doc_status(doc), NW_EINVAL));
    nw_doc_reset(doc);
    object = nw_value_object(doc);
    cr_expect(eq(int, nw_object_set(object, NULL, number_item(1)), NW_EINVAL));
    cr_expect(eq(sz, nw_value_size(object), 0));
}

Test(value, member_past_the_end_is_none)
{
    nw_value *object = nw_value_object(doc);
    const char *key = "x";
    size_t size = 1;

    cr_expect(eq(ptr, (void *)nw_object_at(object, 0, &key, &size), NULL));
    cr_expect(eq(ptr, (void *)key, NULL));
    cr_expect(eq(sz, size, 0));
    cr_expect(eq(ptr, (void *)nw_object_get(object, NULL), NULL));
}

// -- bytes

Test(value, copied_bytes_are_aligned_for_any_element)
{
    for (size_t size = 1; size < 100; size += 7) {
        const nw_value *value;

        text_item("x"); // Unaligns the arena.
        value = nw_value_bytes(doc,
                               "0123456789012345678901234567890123456789"
                               "0123456789012345678901234567890123456789"
                               "01234567890123456789",
                               size);
        cr_expect(eq(sz, (uintptr_t)nw_value_get_bytes(value, NULL) % 16, 0));
    }
}

Test(value, empty_bytes_have_no_address)
{
    size_t size = 1;
    char memory[1];
    const nw_value *lent = nw_value_bytes_lend(doc, memory, 0, NULL, NULL);

    cr_expect(eq(ptr, (void *)nw_value_get_bytes(lent, NULL), NULL));
    cr_expect(
        eq(ptr, (void *)nw_value_get_bytes(nw_value_bytes(doc, NULL, 0), &size),
           NULL));
    cr_expect(eq(sz, size, 0));
}

Test(value, lent_bytes_are_released_by_destroy_or_reset_once)
{
    int released = 0;
    char memory[4];

    nw_value_bytes_lend(doc, memory, 4, nw_test_count_release, &released);
    nw_value_bytes_lend(doc, NULL, 0, nw_test_count_release, &released);
    nw_value_bytes_lend(doc, memory, 4, NULL, NULL);
    cr_expect(eq(int, released, 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 2));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 2));
    nw_value_bytes_lend(doc, memory, 4, nw_test_count_release, &released);
    nw_doc_destroy(doc);
    doc = NULL;
    cr_expect(eq(int, released, 3));
}

Test(value, lent_bytes_are_not_copied)
{
    char memory[] = "lent";
    const nw_value *value;
    size_t size;

    value = nw_value_bytes_lend(doc, memory, 4, NULL, NULL);
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(value, &size), memory));
    cr_expect(eq(sz, size, 4));
}

Test(value, taking_lent_bytes_moves_them)
{
    int released = 0;
    char memory[4] = {0};
    nw_value *value;
    nw_bytes bytes;
    size_t size;

    value =
        nw_value_bytes_lend(doc, memory, 4, nw_test_count_release, &released);
    cr_assert(eq(int, nw_value_take_bytes(value, &bytes), NW_OK));
    cr_expect(eq(ptr, bytes.data, memory));
    cr_expect(eq(sz, bytes.size, 4));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(value, &size), NULL));
    cr_expect(eq(sz, size, 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 0));
    bytes.release(bytes.data, bytes.size, bytes.hint);
    cr_expect(eq(int, released, 1));
}

Test(value, taking_memory_without_release_still_gives_one)
{
    char memory[4];
    nw_bytes bytes;

    nw_value_take_bytes(nw_value_bytes_lend(doc, memory, 4, NULL, NULL),
                        &bytes);
    cr_assert(ne(ptr, (void *)(uintptr_t)bytes.release, NULL));
    bytes.release(bytes.data, bytes.size, bytes.hint);
}

Test(value, taking_copied_bytes_copies_them)
{
    nw_value *value = nw_value_bytes(doc, "abc", 3);
    nw_bytes bytes;

    cr_assert(eq(int, nw_value_take_bytes(value, &bytes), NW_OK));
    nw_doc_reset(doc);
    cr_expect(eq(int, memcmp(bytes.data, "abc", 3), 0));
    bytes.release(bytes.data, bytes.size, bytes.hint);
}

Test(value, bytes_can_be_taken_once)
{
    nw_value *value = nw_value_bytes(doc, "abc", 3);
    nw_bytes bytes;

    nw_value_take_bytes(value, &bytes);
    bytes.release(bytes.data, bytes.size, bytes.hint);
    cr_expect(eq(int, nw_value_take_bytes(value, &bytes), NW_ETYPE));
    cr_expect(eq(ptr, bytes.data, NULL));
    cr_expect(eq(int, nw_value_take_bytes(number_item(1), &bytes), NW_ETYPE));
    cr_expect(eq(int, nw_value_take_bytes(NULL, &bytes), NW_ETYPE));
    cr_expect(eq(int, nw_value_take_bytes(value, NULL), NW_EINVAL));
}

Test(value, take_without_memory_leaves_the_bytes)
{
    nw_value *value = nw_value_bytes(doc, "abc", 3);
    nw_bytes bytes;

    nw__alloc_fail_after(0);
    cr_expect(eq(int, nw_value_take_bytes(value, &bytes), NW_ENOMEM));
    expect_text(value, "<616263>");
}

// Two values over one blob, as a task sends two views of one buffer.
static struct nw__holding *hold(void *data, size_t size, int *released)
{
    struct nw__message message = {0};
    struct nw__adopted adopted;

    nw__message_reserve_beside(&message, 1, 0);
    message.beside->blobs[0] =
        (struct nw__blob){data, size, nw_test_count_release, released};
    cr_assert(eq(int, nw__doc_adopt(doc, &message, &adopted), NW_OK));
    nw__message_fini(&message);
    return adopted.holdings;
}

Test(value, taking_one_of_two_views_leaves_the_other)
{
    char memory[] = "memory";
    nw_value *array = nw_value_array(doc);
    int released = 0;
    struct nw__holding *holding = hold(memory, 6, &released);
    nw_value *whole = nw__value_buffer_held(doc, holding);
    nw_value *part = nw_value_view_of(whole, NW_VIEW_UINT8, 2, 3);
    nw_bytes bytes;

    nw_array_push(array, whole);
    nw_array_push(array, part);
    cr_assert(eq(int, nw_value_take_bytes(whole, &bytes), NW_OK));
    cr_expect(ne(ptr, bytes.data, memory));
    bytes.release(bytes.data, bytes.size, bytes.hint);
    expect_text(array, "[ArrayBuffer<>, <6d6f72>]");
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 1));
}

Test(value, taking_the_only_view_of_a_blob_moves_it)
{
    char memory[] = "memory";
    int released = 0;
    struct nw__holding *holding = hold(memory, 6, &released);
    nw_value *whole = nw__value_buffer_held(doc, holding);
    nw_bytes bytes;

    // In two places, but still one value.
    nw_array_push(nw_value_array(doc), whole);
    nw_array_push(nw_value_array(doc), whole);
    cr_assert(eq(int, nw_value_take_bytes(whole, &bytes), NW_OK));
    cr_expect(eq(ptr, bytes.data, memory));
}

// -- memory

static nw_value *build(void)
{
    nw_value *object = nw_value_object(doc);
    nw_value *array = nw_value_array(doc);
    char key[16];

    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        nw_object_set(object, key, number_item(i));
        nw_array_push(array, text_item("h\xc3\xa9llo"));
        nw_array_push(array, nw_value_bytes(doc, "0123456789abcdef", 16));
    }
    nw_array_push(array, object);
    nw_array_push(object, array); // Wrong on purpose; must change nothing.
    nw_object_set(object, "array", array);
    return object;
}

Test(value, reset_document_makes_small_values_without_allocating)
{
    build();
    nw_doc_reset(doc);
    nw__alloc_fail_after(0);
    for (int i = 0; i < 20; i++) {
        cr_expect(ne(ptr, number_item(i), NULL));
    }
    cr_expect(ne(ptr, build(), NULL));
    cr_expect(eq(int, nw_doc_status(doc), NW_OK));
    nw__alloc_fail_after(-1);
}

// For the leak check: the block that a reset keeps is the document's.
Test(value, reset_document_can_be_destroyed)
{
    build();
    nw_doc_reset(doc);
    cr_expect(ne(ptr, doc->spare, NULL));
}

Test(value, new_document_makes_small_values_without_allocating)
{
    nw__alloc_fail_after(0);
    for (int i = 0; i < 50; i++) {
        cr_expect(ne(ptr, number_item(i), NULL));
    }
    nw__alloc_fail_after(-1);
}

Test(value, large_value_does_not_end_the_block_in_use)
{
    const char *first;
    const char *second;
    static char large[100000];

    first = nw_value_get_string(text_item("first"), NULL);
    nw_value_bytes(doc, large, sizeof(large));
    second = nw_value_get_string(text_item("second"), NULL);
    cr_expect(lt(sz, (size_t)(second - first), 256));
}

Test(value, every_failed_allocation_is_survived_and_marked)
{
    static char large[20000];
    int released = 0;
    char memory[1];
    bool failed = true;

    for (long n = 0; failed; n++) {
        nw_doc *own = doc;
        nw_value *lent;

        nw__alloc_fail_after(n);
        doc = nw_doc_create();
        build();
        nw_value_bytes(doc, large, sizeof(large)); // Has a block to itself.
        lent = nw_value_bytes_lend(doc, memory, 1, nw_test_count_release,
                                   &released);
        build();
        nw__alloc_fail_after(-1);
        failed = nw_doc_status(doc) != NW_OK;
        if (failed) {
            cr_assert(eq(int, nw_doc_status(doc), NW_ENOMEM));
        }
        released = 0;
        nw_doc_destroy(doc);
        cr_assert(eq(int, released, lent != NULL));
        doc = own;
        cr_assert(lt(int, (int)n, 1000));
    }
}

// Goal: what V8 writes is read as what it means, and what we write is what V8
// writes. The bytes that V8 writes are in wire_samples.h.

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/value.h"
#include "src/wire.h"
#include "tests/unit/support.h"
#include "tests/unit/wire_samples.h"
#include "tests/unit/wire_support.h"

static nw_doc *doc;
static struct nw__message message;

static void setup(void)
{
    doc = nw_doc_create();
    cr_assert(ne(ptr, doc, NULL));
    nw__message_init(&message);
}

static void teardown(void)
{
    nw__message_fini(&message);
    nw_doc_destroy(doc);
    nw_test_no_leaks();
}

TestSuite(wire, .init = setup, .fini = teardown, .timeout = 20);

// Reads literal bytes as one value.
static nw_status read_bytes(const void *data, size_t size,
                            const nw_value **value, const char **detail)
{
    nw__message_fini(&message);
    nw_test_message(&message, data, size);
    return nw__wire_read(doc, &message, value, 1, detail);
}

static void expect_read(const void *data, size_t size, const char *text)
{
    const nw_value *value;
    const char *detail;
    nw_status status = read_bytes(data, size, &value, &detail);

    cr_assert(eq(int, status, NW_OK), "%s", detail);
    cr_expect(eq(str, (char *)nw_test_text(value), (char *)text));
}

static void expect_refused(const void *data, size_t size, nw_status expected,
                           const char *text)
{
    const nw_value *value;
    const char *detail = NULL;

    cr_expect(eq(int, read_bytes(data, size, &value, &detail), expected));
    cr_assert(ne(ptr, (void *)detail, NULL));
    cr_expect(eq(str, (char *)detail, (char *)text));
    cr_expect(eq(ptr, (void *)value, NULL));
}

static nw_status write_one(const nw_value *value)
{
    nw__message_fini(&message);
    return nw__wire_write(&message, &value, 1, NULL, NULL);
}

static void expect_written(const nw_value *value, const void *data, size_t size)
{
    cr_assert(eq(int, write_one(value), NW_OK));
    cr_assert(eq(sz, message.size, size));
    cr_expect(eq(int, memcmp(message.data, data, size), 0));
    cr_expect(eq(u32, message.value_count, 1));
}

static nw_value *number(double value)
{
    return nw_value_number(doc, value);
}

// -- reading

Test(wire, reads_what_v8_writes)
{
    for (size_t i = 0; i < NW_ARRAY_SIZE(samples); i++) {
        const struct sample *sample = &samples[i];
        const nw_value *value;
        const char *detail;
        nw_status status;

        nw_doc_reset(doc);
        status = read_bytes(sample->data, sample->size, &value, &detail);
        cr_expect(eq(int, status, NW_OK), "%s: %s", sample->name, detail);
        cr_expect(eq(str, (char *)nw_test_text(value), (char *)sample->text),
                  "%s", sample->name);
        cr_expect(eq(ptr, (void *)detail, NULL), "%s", sample->name);
    }
}

Test(wire, names_the_type_it_cannot_read)
{
    expect_refused(BYTES(V15 "p\x00"), NW_ETYPE, "shared object");
    expect_refused(BYTES(V15 "\\\x07"), NW_ETYPE, "host object");
}

Test(wire, reads_forms_that_v8_wrote_in_other_versions)
{
    // Unsigned integers, UTF-8, counts of objects, padding anywhere.
    expect_read(BYTES(V15 "U\xff\xff\xff\xff\x0f"), "4294967295");
    expect_read(BYTES(V15 "S\x03\xe2\x82\xac"), "\"\\xe2\\x82\\xac\"");
    expect_read(BYTES(V15 "?\x01?\x05I\x02"), "1");
    expect_read(BYTES(V15 "\0\0I\x02\0\0"), "1");
    expect_read(BYTES(V15 "A\x02-\0-$\x00\x02"), "[-, -]");
    // Resizable buffers of Node.js 20, and a view that follows their length.
    expect_read(BYTES(V15 "~\x02\x08\x01\x02"), "ArrayBuffer<0102>");
    expect_read(BYTES(V15 "~\x02\x08\x01\x02VB\x00\x00\x03"), "<0102>");
}

Test(wire, views_have_flags_since_version_14)
{
    expect_read(BYTES("\xff\x0d"
                      "B\x01\x07VB\x00\x01"),
                "<07>");
    expect_read(BYTES("\xff\x0e"
                      "B\x01\x07VB\x00\x01\x00"),
                "<07>");
}

Test(wire, refuses_other_versions)
{
    expect_refused(BYTES("\xff\x0c_"), NW_EPROTO, "unknown version");
    expect_refused(BYTES("\xff\x10_"), NW_EPROTO, "unknown version");
    expect_refused(BYTES("_"), NW_EPROTO, "no version");
    expect_refused(BYTES(""), NW_EPROTO, "truncated value");
}

Test(wire, numbers_are_read_where_they_lie)
{
    // One byte in front of the double, then two: never aligned twice.
    expect_read(BYTES(V15 "A\x01N\x00\x00\x00\x00\x00\x00\xf8?$\x00\x01"),
                "[1.5]");
}

Test(wire, every_nan_is_the_same)
{
    const nw_value *value;

    read_bytes(BYTES(V15 "N\x01\x00\x00\x00\x00\x00\xf8\xff"), &value, NULL);
    cr_expect(eq(str, (char *)nw_test_text(value), "NaN"));
    expect_written(value, BYTES(V15 "N\x00\x00\x00\x00\x00\x00\xf8\x7f"));
}

Test(wire, surrogates_are_paired_only_high_before_low)
{
    expect_read(BYTES(V15 "c\x04\x00\xdc\x00\xdc"),
                "\"\\xef\\xbf\\xbd\\xef\\xbf\\xbd\"");
    expect_read(BYTES(V15 "c\x04\x00\xd8\x00\xd8"),
                "\"\\xef\\xbf\\xbd\\xef\\xbf\\xbd\"");
    expect_read(BYTES(V15 "c\x04\xff\xdb\xff\xdf"), "\"\\xf4\\x8f\\xbf\\xbf\"");
}

Test(wire, object_keys_may_be_numbers)
{
    expect_read(BYTES(V15 "oI\x01_U\x05_N\x00\x00\x00\x00\x00\x00\xf0\x41_"
                          "N\x00\x00\x00\x00\x00\x00\x00\x80_{\x04"),
                "{\"-1\": undefined, \"5\": undefined, "
                "\"4294967296\": undefined, \"0\": undefined}");
    expect_refused(BYTES(V15 "oN\x00\x00\x00\x00\x00\x00\xf8?_{\x01"),
                   NW_EPROTO, "property key that is no whole number");
    expect_refused(BYTES(V15 "oN\x00\x00\x00\x00\x00\x00\xf8\x7f_{\x01"),
                   NW_EPROTO, "property key that is no whole number");
    expect_refused(BYTES(V15 "oT_{\x01"), NW_EPROTO,
                   "property key of a wrong type");
}

Test(wire, last_of_equal_keys_counts)
{
    // V8 writes none, but lone surrogates all become U+FFFD.
    expect_read(BYTES(V15 "oc\x02\x00\xd8I\x02"
                          "c\x02\x01\xd8I\x04{\x02"),
                "{\"\\xef\\xbf\\xbd\": 2}");
}

Test(wire, sparse_array_may_be_long_and_costs_nothing)
{
    const nw_value *value;

    // 2^24 items, none of them there.
    cr_assert(eq(int,
                 read_bytes(BYTES(V15 "a\x80\x80\x80\x08@\x00"
                                      "\x80\x80\x80\x08"),
                            &value, NULL),
                 NW_OK));
    cr_expect(eq(sz, nw_value_size(value), (size_t)1 << 24));
    cr_expect(eq(ptr, (void *)doc->blocks, NULL));
    expect_refused(BYTES(V15 "a\x81\x80\x80\x08@\x00\x81\x80\x80\x08"),
                   NW_ELIMIT, "sparse array too long");
    expect_refused(BYTES(V15 "a\xff\xff\xff\xff\x0f@\x00\xff\xff\xff\xff\x0f"),
                   NW_ELIMIT, "sparse array too long");
}

Test(wire, far_index_is_found)
{
    const nw_value *value;

    // const a = []; a[70000] = 1
    cr_assert(eq(int,
                 read_bytes(BYTES(V15 "a\xf1\xa2\x04I\xe0\xc5\x08I\x02@\x01"
                                      "\xf1\xa2\x04"),
                            &value, NULL),
                 NW_OK));
    cr_expect(eq(sz, nw_value_size(value), 70001));
    cr_expect(eq(dbl, nw_value_get_number(nw_array_get(value, 70000)), 1));
    cr_expect(
        eq(int, nw_value_type(nw_array_get(value, 69999)), NW_TYPE_UNDEFINED));
    expect_written(value, BYTES(V15 "a\xf1\xa2\x04I\xe0\xc5\x08I\x02@\x01"
                                    "\xf1\xa2\x04"));
}

Test(wire, references_count_as_v8_counts)
{
    // Buffer 1, view 2, object 3: the last item names the object.
    expect_read(BYTES(V15 "A\x03"
                          "B\x01\x07VB\x00\x01\x00o{\x00^\x03$\x00\x03"),
                "[<07>, {}, {}]");
    // Our own host objects take one id.
    expect_read(BYTES(V15 "A\x03\\\x00\x42\x01\x07o{\x00^\x02$\x00\x03"),
                "[<07>, {}, {}]");
    // A reference to a buffer, and a view of a buffer that was referred to.
    expect_read(BYTES(V15 "A\x03"
                          "B\x02\x07\x08^\x01^\x01VB\x01\x01\x00$\x00\x03"),
                "[ArrayBuffer<0708>, ArrayBuffer<0708>, <08>]");
}

Test(wire, references_keep_identity)
{
    const nw_value *value;

    cr_assert(eq(
        int, read_bytes(BYTES(V15 "A\x02o{\x00^\x01$\x00\x02"), &value, NULL),
        NW_OK));
    cr_expect(eq(ptr, (void *)nw_array_get(value, 0),
                 (void *)nw_array_get(value, 1)));
}

Test(wire, several_values_share_their_references)
{
    const nw_value *values[4];

    nw_test_message(&message, BYTES(V15 "o{\x00I\x02^\x00"));
    message.value_count = 3;
    cr_assert(eq(int, nw__wire_read(doc, &message, values, 4, NULL), NW_OK));
    cr_expect(eq(ptr, (void *)values[0], (void *)values[2]));
    cr_expect(eq(dbl, nw_value_get_number(values[1]), 1));
    cr_expect(eq(int, nw_value_type(values[3]), NW_TYPE_UNDEFINED));
    cr_expect(ne(ptr, (void *)values[3], NULL));
}

Test(wire, values_nobody_asks_for_are_checked_all_the_same)
{
    const nw_value *value;

    nw_test_message(&message, BYTES(V15 "I\x02!"));
    message.value_count = 2;
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_EPROTO));
}

Test(wire, empty_message_is_undefined)
{
    const nw_value *value;

    cr_assert(eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_OK));
    cr_expect(eq(int, nw_value_type(value), NW_TYPE_UNDEFINED));
    cr_expect(ne(ptr, (void *)value, NULL));
}

Test(wire, one_number_is_read_without_allocating)
{
    const nw_value *value;
    nw_status status;

    nw_test_message(&message, BYTES(V15 "I\x54"));
    nw__alloc_fail_after(0);
    for (int i = 0; i < 1000; i++) {
        nw_doc_reset(doc);
        status = nw__wire_read(doc, &message, &value, 1, NULL);
        if (status != NW_OK || nw_value_get_number(value) != 42) {
            cr_fatal("read %d", i);
        }
    }
    nw__alloc_fail_after(-1);
}

Test(wire, only_as_many_values_are_handed_out_as_were_asked_for)
{
    const nw_value *values[2] = {NULL, NULL};

    nw_test_message(&message, BYTES(V15 "I\x02I\x04"));
    message.value_count = 2;
    cr_assert(eq(int, nw__wire_read(doc, &message, values, 1, NULL), NW_OK));
    cr_expect(eq(dbl, nw_value_get_number(values[0]), 1));
    cr_expect(eq(ptr, (void *)values[1], NULL));
}

Test(wire, view_stands_behind_a_buffer_only)
{
    expect_refused(BYTES(V15 "A\x02"
                             "B\x02\x07\x08VB\x01\x01\x00^\x02VB\x00\x01\x00"
                             "$\x00\x02"),
                   NW_EPROTO, "property key of a wrong type");
    expect_refused(BYTES(V15 "o{\x00VB\x00\x00\x00"), NW_EPROTO,
                   "bytes behind the last value");
}

// -- blobs

Test(wire, blob_shared_by_two_values_of_a_message_stays)
{
    char memory[] = "memory";
    int released = 0;
    const nw_value *values[2];
    nw_bytes bytes;

    nw_test_message(&message, BYTES(V15 "t\x00VB\x00\x06\x00"
                                        "^\x00VB\x00\x06\x00"));
    message.value_count = 2;
    nw_test_add_blob(&message, memory, 6, &released);
    cr_assert(eq(int, nw__wire_read(doc, &message, values, 2, NULL), NW_OK));
    nw_value_take_bytes((nw_value *)values[0], &bytes);
    bytes.release(bytes.data, bytes.size, bytes.hint);
    cr_expect(eq(int, released, 0));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(values[1], NULL), memory));
}

Test(wire, transferred_buffers_are_not_copied)
{
    char memory[] = "memory";
    int released = 0;
    const nw_value *value;
    nw_bytes bytes;

    nw_test_message(&message, BYTES(V15 "t\x00VB\x00\x06\x00"));
    nw_test_add_blob(&message, memory, 6, &released);
    cr_assert(eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_OK));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(value, NULL), memory));
    cr_expect(eq(u32, nw__message_blob_count(&message), 0));

    // The buffer below the view does not count as a second user.
    cr_assert(eq(int, nw_value_take_bytes((nw_value *)value, &bytes), NW_OK));
    cr_expect(eq(ptr, bytes.data, memory));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 0));
}

Test(wire, our_own_views_are_read)
{
    char memory[] = "0123456789abcdef";
    int released = 0;
    const nw_value *value;

    nw_test_message(&message, BYTES(V15 "A\x05"
                                        "\\\x01"
                                        "B\x00\x00\x04"          // Uint8Array
                                        "\\\x01\x00\x01\x00\x0c" // ArrayBuffer
                                        "\\\x01"
                                        "d\x01\x04\x04" // Int32Array
                                        "\\\x00"
                                        "W\x02xy"         // Uint16Array, copied
                                        "\\\x00\x00\x01z" // ArrayBuffer, copied
                                        "$\x00\x05"));
    nw_test_add_blob(&message, memory, 4, &released);
    nw_test_add_blob(&message, memory + 4, 12, &released);
    cr_assert(eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_OK));
    cr_expect(eq(str, (char *)nw_test_text(value),
                 "[<30313233>, ArrayBuffer<343536373839616263646566>, "
                 "Int32Array<38396162>, Uint16Array<7879>, ArrayBuffer<7a>]"));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(nw_array_get(value, 2), NULL),
                 memory + 8));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 2));
}

Test(wire, blobs_belong_to_the_document_even_after_a_failure)
{
    char memory[4];
    int released = 0;
    const nw_value *value;

    nw_test_message(&message, BYTES(V15 "!"));
    nw_test_add_blob(&message, memory, 4, &released);
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_EPROTO));
    cr_expect(eq(u32, nw__message_blob_count(&message), 0));
    nw__message_fini(&message);
    cr_expect(eq(int, released, 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 1));
}

Test(wire, blobs_are_released_at_once_when_there_is_no_memory_to_hold_them)
{
    char memory[4];
    int released = 0;
    const nw_value *value;

    nw_test_message(&message, BYTES(V15 "_"));
    for (int i = 0; i < 200; i++) {
        nw_test_add_blob(&message, memory, 4, &released);
    }
    nw__alloc_fail_after(0);
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_ENOMEM));
    cr_expect(eq(int, released, 200));
    cr_expect(eq(u32, nw__message_blob_count(&message), 0));
}

Test(wire, views_must_lie_inside_of_their_buffer)
{
    static const struct {
        const char *data;
        size_t size;
        const char *detail;
    } cases[] = {
        {BYTES(V15 "t\x01"), "buffer that was not sent"},
        {BYTES(V15 "\\\x01\x42\x01\x00\x00"), "buffer that was not sent"},
        {BYTES(V15 "t\x00VB\x00\x05\x00"), "view outside of its buffer"},
        {BYTES(V15 "t\x00VB\x05\x00\x00"), "view outside of its buffer"},
        {BYTES(V15 "t\x00VB\x04\x01\x00"), "view outside of its buffer"},
        {BYTES(V15 "t\x00VB\x02\xff\xff\xff\xff\x0f\x00"),
         "view outside of its buffer"},
        {BYTES(V15 "\\\x01\x42\x00\x01\xff\xff\xff\xff\x0f"),
         "view outside of its buffer"},
        {BYTES(V15 "t\x00Vd\x01\x00\x00"), "view of parts of elements"},
        {BYTES(V15 "t\x00Vd\x00\x03\x00"), "view of parts of elements"},
        {BYTES(V15 "t\x00VX\x00\x00\x00"), "unknown view"},
        {BYTES(V15 "\\\x00\x57\x01z"), "view of parts of elements"},
        {BYTES(V15 "\\\x00\x58\x01z"), "unknown view"},
        {BYTES(V15 "B\x04"), "truncated buffer"},
        {BYTES(V15 "~\x02\x01zz"), "buffer beyond its maximum"},
    };
    char memory[4];
    int released = 0;

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        const nw_value *value;
        const char *detail;

        nw_test_message(&message, cases[i].data, cases[i].size);
        nw_test_add_blob(&message, memory, 4, &released);
        cr_expect(eq(int, nw__wire_read(doc, &message, &value, 1, &detail),
                     NW_EPROTO),
                  "case %zu", i);
        cr_assert(ne(ptr, (void *)detail, NULL), "case %zu", i);
        cr_expect(eq(str, (char *)detail, (char *)cases[i].detail), "case %zu",
                  i);
        nw__message_fini(&message);
    }
}

// -- writing

Test(wire, writes_what_v8_writes)
{
    for (size_t i = 0; i < NW_ARRAY_SIZE(samples); i++) {
        const struct sample *sample = &samples[i];
        struct nw__message again = {0};
        const nw_value *value;

        nw_doc_reset(doc);
        read_bytes(sample->data, sample->size, &value, NULL);
        cr_assert(eq(int, nw__wire_write(&again, &value, 1, NULL, NULL), NW_OK),
                  "%s", sample->name);
        cr_expect(eq(int,
                     again.size == sample->size &&
                         memcmp(again.data, sample->data, again.size) == 0,
                     sample->same),
                  "%s", sample->name);
        nw__message_fini(&again);
    }
}

Test(wire, what_is_written_is_read_as_the_same)
{
    for (size_t i = 0; i < NW_ARRAY_SIZE(samples); i++) {
        const struct sample *sample = &samples[i];
        const nw_value *value;

        nw_doc_reset(doc);
        read_bytes(sample->data, sample->size, &value, NULL);
        cr_assert(eq(int, write_one(value), NW_OK), "%s", sample->name);
        cr_assert(
            eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_OK));
        cr_expect(eq(str, (char *)nw_test_text(value), (char *)sample->text),
                  "%s", sample->name);
    }
}

Test(wire, integers_are_written_short)
{
    expect_written(number(63), BYTES(V15 "I\x7e"));
    expect_written(number(64), BYTES(V15 "I\x80\x01"));
    expect_written(number(-64), BYTES(V15 "I\x7f"));
    expect_written(number(2147483647), BYTES(V15 "I\xfe\xff\xff\xff\x0f"));
    expect_written(number(-2147483648.0), BYTES(V15 "I\xff\xff\xff\xff\x0f"));
    expect_written(number(-2147483649.0),
                   BYTES(V15 "N\x00\x00\x20\x00\x00\x00\xe0\xc1"));
    expect_written(number(0.5), BYTES(V15 "N\x00\x00\x00\x00\x00\x00\xe0?"));
}

Test(wire, two_byte_strings_start_at_even_offsets)
{
    nw_value *array = nw_value_array(doc);

    nw_array_push(array, nw_value_string(doc, "\xe2\x82\xac"));
    nw_array_push(array, nw_value_bool(doc, true));
    nw_array_push(array, nw_value_string(doc, "\xe2\x82\xac"));
    expect_written(array, BYTES(V15 "A\x03"
                                    "c\x02\xac\x20T\0"
                                    "c\x02\xac\x20$\x00\x03"));
}

Test(wire, lent_bytes_travel_beside_the_message)
{
    char memory[] = "memory";
    int released = 0;
    nw_value *array = nw_value_array(doc);
    nw_value *lent =
        nw_value_bytes_lend(doc, memory, 6, nw_test_count_release, &released);
    nw_value *empty =
        nw_value_bytes_lend(doc, NULL, 0, nw_test_count_release, &released);

    nw_array_push(array, lent);
    nw_array_push(array, empty);
    nw_array_push(array, lent);
    expect_written(array, BYTES(V15 "A\x03t\x00VB\x00\x06\x00t\x01VB\x00\x00"
                                    "\x00^\x02$\x00\x03"));
    cr_assert(eq(u32, nw__message_blob_count(&message), 2));
    cr_expect(eq(ptr, message.beside->blobs[0].data, memory));
    cr_expect(eq(sz, message.beside->blobs[0].size, 6));

    nw_doc_reset(doc);
    cr_expect(eq(int, released, 0));
    nw__message_fini(&message);
    cr_expect(eq(int, released, 2));
}

Test(wire, lent_bytes_can_be_sent_once)
{
    char memory[] = "memory";
    int released = 0;
    nw_value *array = nw_value_array(doc);
    nw_value *lent =
        nw_value_bytes_lend(doc, memory, 6, nw_test_count_release, &released);
    nw_bytes bytes;

    nw_array_push(array, lent);
    cr_assert(eq(int, write_one(lent), NW_OK));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(lent, NULL), NULL));
    cr_expect(eq(int, nw_value_take_bytes(lent, &bytes), NW_ETYPE));
    cr_expect(eq(int, write_one(lent), NW_EINVAL));
    cr_expect(eq(int, write_one(array), NW_EINVAL));
    cr_expect(eq(int, released, 1));
}

Test(wire, taken_bytes_cannot_be_sent)
{
    nw_value *value = nw_value_bytes(doc, "abc", 3);
    nw_bytes bytes;

    nw_value_take_bytes(value, &bytes);
    bytes.release(bytes.data, bytes.size, bytes.hint);
    cr_expect(eq(int, write_one(value), NW_EINVAL));
}

Test(wire, failed_write_leaves_lent_bytes_and_message)
{
    char memory[] = "memory";
    int released = 0;
    const nw_value *values[2];

    values[0] =
        nw_value_bytes_lend(doc, memory, 6, nw_test_count_release, &released);
    values[1] = NULL;
    cr_expect(
        eq(int, nw__wire_write(&message, values, 2, NULL, NULL), NW_EINVAL));
    cr_expect(eq(ptr, message.data, NULL));
    cr_expect(eq(ptr, message.beside, NULL));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(values[0], NULL), memory));
    cr_expect(eq(int, nw__wire_write(&message, values, 1, NULL, NULL), NW_OK));
}

Test(wire, received_blobs_are_copied_when_they_are_sent_on)
{
    char memory[] = "memory";
    int released = 0;
    const nw_value *value;

    nw_test_message(&message, BYTES(V15 "t\x00VB\x00\x06\x00"));
    nw_test_add_blob(&message, memory, 6, &released);
    nw__wire_read(doc, &message, &value, 1, NULL);
    expect_written(value, BYTES(V15 "B\x06memoryVB\x00\x06\x00"));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(value, NULL), memory));
}

Test(wire, several_values_are_written_behind_one_header)
{
    nw_value *object = nw_value_object(doc);
    nw_value *array = nw_value_array(doc);
    const nw_value *values[3] = {object, array, object};

    nw_array_push(array, object);
    cr_assert(eq(int, nw__wire_write(&message, values, 3, NULL, NULL), NW_OK));
    cr_expect(eq(u32, message.value_count, 3));
    cr_assert(eq(sz, message.size,
                 sizeof(V15 "o{\x00"
                            "A\x01^\x00$\x00\x01^\x00") -
                     1));
    cr_expect(eq(int,
                 memcmp(message.data,
                        V15 "o{\x00"
                            "A\x01^\x00$\x00\x01^\x00",
                        message.size),
                 0));
}

Test(wire, cycle_is_written_from_any_of_its_members)
{
    nw_value *first = nw_value_object(doc);
    nw_value *second = nw_value_object(doc);

    nw_object_set(first, "n", second);
    nw_object_set(second, "n", first);
    expect_written(first, BYTES(V15 "o\"\x01no\"\x01n^\x00{\x01{\x01"));
    expect_written(second, BYTES(V15 "o\"\x01no\"\x01n^\x00{\x01{\x01"));
}

Test(wire, buffers_and_views_take_an_id_each)
{
    nw_value *array = nw_value_array(doc);
    nw_value *object = nw_value_object(doc);

    nw_array_push(array, nw_value_bytes(doc, "x", 1));
    nw_array_push(array, object);
    nw_array_push(array, object);
    expect_written(array, BYTES(V15 "A\x03"
                                    "B\x01xVB\x00\x01\x00o{\x00^\x03$\x00"
                                    "\x03"));
}

Test(wire, many_shared_values_keep_their_ids)
{
    nw_value *array = nw_value_array(doc);
    const nw_value *back;

    for (int i = 0; i < 1000; i++) {
        nw_value *item = nw_value_array(doc);

        nw_array_push(item, number(i));
        nw_array_push(array, item);
        nw_array_push(array, item);
    }
    cr_assert(eq(int, write_one(array), NW_OK));
    cr_assert(eq(int, nw__wire_read(doc, &message, &back, 1, NULL), NW_OK));
    for (size_t i = 0; i < 1000; i++) {
        const nw_value *item = nw_array_get(back, 2 * i);

        cr_assert(eq(ptr, (void *)nw_array_get(back, 2 * i + 1), (void *)item));
        cr_assert(
            eq(dbl, nw_value_get_number(nw_array_get(item, 0)), (double)i));
    }
}

Test(wire, marked_document_is_not_written)
{
    nw_value *array = nw_value_array(doc);

    nw_value_string(doc, "\xff");
    cr_expect(eq(int, write_one(array), NW_EINVAL));
    cr_expect(eq(ptr, message.data, NULL));
}

Test(wire, marked_document_is_not_read_into)
{
    const nw_value *value;

    nw_value_string(doc, "\xff");
    cr_expect(eq(int, read_bytes(BYTES(V15 "_"), &value, NULL), NW_EINVAL));
}

// -- messages

Test(wire, short_message_lives_in_its_struct_and_survives_a_move)
{
    struct nw__message to = {0};

    cr_assert(eq(int, write_one(number(1)), NW_OK));
    cr_expect(eq(ptr, message.data, message.small));
    nw__message_move(&to, &message);
    cr_expect(eq(ptr, to.data, to.small));
    cr_expect(eq(ptr, message.data, NULL));
    cr_expect(eq(u32, to.value_count, 1));
    cr_expect(eq(int, memcmp(to.data, V15 "I\x02", 4), 0));
    nw__message_fini(&to);
}

Test(wire, long_message_is_moved_by_its_pointer)
{
    struct nw__message to = {0};
    char text[1000];
    uint8_t *data;

    memset(text, 'x', sizeof(text));
    cr_assert(
        eq(int, write_one(nw_value_string_n(doc, text, sizeof(text))), NW_OK));
    data = message.data;
    nw__message_move(&to, &message);
    cr_expect(eq(ptr, to.data, data));
    nw__message_fini(&to);
}

Test(wire, adopted_bytes_are_kept_or_copied_by_size)
{
    uint8_t *data = nw__alloc(NW__MESSAGE_INLINE + 1);

    nw__message_adopt(&message, data, NW__MESSAGE_INLINE + 1);
    cr_expect(eq(ptr, message.data, data));
    nw__message_fini(&message);

    data = nw__alloc(NW__MESSAGE_INLINE);
    memset(data, 7, NW__MESSAGE_INLINE);
    nw__message_adopt(&message, data, NW__MESSAGE_INLINE);
    cr_expect(eq(ptr, message.data, message.small));
    cr_expect(eq(u8, message.data[31], 7));
}

Test(wire, reserved_room_is_in_the_struct_as_long_as_it_fits)
{
    cr_assert(eq(int, nw__message_reserve(&message, 32), NW_OK));
    cr_expect(eq(ptr, message.data, message.small));
    nw__message_fini(&message);
    cr_assert(eq(int, nw__message_reserve(&message, 33), NW_OK));
    cr_expect(ne(ptr, message.data, message.small));
    nw__message_fini(&message);
    nw__alloc_fail_after(0);
    cr_expect(eq(int, nw__message_reserve(&message, 33), NW_ENOMEM));
    cr_expect(eq(ptr, message.data, NULL));
}

Test(wire_misuse, move_onto_a_message_with_content_aborts, .init = setup,
     .signal = SIGABRT)
{
    struct nw__message from = {0};

    nw__message_reserve(&message, 4);
    nw__message_move(&message, &from);
}

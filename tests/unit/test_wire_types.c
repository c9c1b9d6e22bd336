// Goal: what has identity, what is counted and what moves crosses the wire as
// what it is; a write that fails has moved nothing; errors lose nothing.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <nwpool/error.h>

#include "src/common.h"
#include "src/value.h"
#include "src/wire.h"
#include "tests/unit/support.h"
#include "tests/unit/wire_samples.h"
#include "tests/unit/wire_support.h"

static nw_doc *doc;
static struct nw__message message;
static int alive; // References that nobody dropped yet.

static void setup(void)
{
    doc = nw_doc_create();
    cr_assert(ne(ptr, doc, NULL));
    nw__message_init(&message);
    alive = 0;
}

static void teardown(void)
{
    nw__message_fini(&message);
    nw_doc_destroy(doc);
    cr_expect(eq(int, alive, 0));
    nw_test_no_leaks();
}

TestSuite(wire_types, .init = setup, .fini = teardown, .timeout = 20);

static void expect_text(const nw_value *value, const char *expected)
{
    cr_expect(eq(str, (char *)nw_test_text(value), (char *)expected));
}

static nw_status write_with(const nw_value *value, const nw_value *const *items,
                            size_t count, const char **detail)
{
    const struct nw__wire_transfer transfer = {items, count};

    nw__message_fini(&message);
    return nw__wire_write(&message, &value, 1, &transfer, detail);
}

static void expect_written(const nw_value *value, const void *data, size_t size)
{
    const char *detail;

    cr_assert(eq(int, write_with(value, NULL, 0, &detail), NW_OK), "%s",
              detail);
    cr_assert(eq(sz, message.size, size));
    cr_expect(eq(int, memcmp(message.data, data, size), 0));
}

// Fails with that sentence and leaves the message empty.
static void expect_not_written(const nw_value *value,
                               const nw_value *const *items, size_t count,
                               nw_status status, const char *text)
{
    const char *detail = NULL;

    cr_expect(eq(int, write_with(value, items, count, &detail), status));
    cr_assert(ne(ptr, (void *)detail, NULL), "%s", text);
    cr_expect(eq(str, (char *)detail, (char *)text));
    cr_expect(eq(ptr, message.data, NULL));
    cr_expect(eq(ptr, message.beside, NULL));
}

static const nw_value *read_back(void)
{
    const nw_value *value;
    const char *detail;

    cr_assert(eq(int, nw__wire_read(doc, &message, &value, 1, &detail), NW_OK),
              "%s", detail);
    return value;
}

static void expect_read(const void *data, size_t size, const char *text)
{
    nw__message_fini(&message);
    nw_test_message(&message, data, size);
    expect_text(read_back(), text);
}

static void expect_malformed(const char *data, size_t size, const char *text)
{
    const nw_value *value;
    const char *detail = NULL;

    nw__message_fini(&message);
    nw_test_message(&message, data, size);
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, &detail), NW_EPROTO));
    cr_assert(ne(ptr, (void *)detail, NULL));
    cr_expect(eq(str, (char *)detail, (char *)text));
}

static nw_value *host_value(bool is_port, bool must_move,
                            struct nw__host **host)
{
    nw_value *value;

    *host = nw_test_host("KeyObject", is_port, must_move, &alive);
    value = nw__value_of_ref(doc, &(*host)->ref);
    nw__ref_put(&(*host)->ref); // The document's from here on.
    return value;
}

// -- reading: identity

Test(wire_types, views_of_one_buffer_point_to_it)
{
    const nw_value *array;
    const nw_value *buffer;
    size_t offset;

    nw_test_message(&message,
                    BYTES(V15 "A\x03"
                              "B\x04\x01\x02\x03\x04VB\x00\x02\x00^\x01VW\x02"
                              "\x02\x00^\x01$\x00\x03"));
    array = read_back();
    expect_text(array, "[<0102>, Uint16Array<0304>, ArrayBuffer<01020304>]");
    buffer = nw_array_get(array, 2);
    cr_expect(eq(ptr, (void *)nw_value_buffer(nw_array_get(array, 0), NULL),
                 (void *)buffer));
    cr_expect(eq(ptr, (void *)nw_value_buffer(nw_array_get(array, 1), &offset),
                 (void *)buffer));
    cr_expect(eq(sz, offset, 2));
}

Test(wire_types, views_take_their_id_behind_their_buffer)
{
    nw_value *array = nw_value_array(doc);
    nw_value *buffer = nw_value_array_buffer(doc, "ab", 2);
    nw_value *early = nw_value_view_of(buffer, NW_VIEW_UINT8, 0, 1);
    nw_value *late = nw_value_view_of(buffer, NW_VIEW_INT8, 1, 1);

    nw_array_push(array, early);
    nw_array_push(array, early);
    nw_array_push(array, late);
    nw_array_push(array, late);
    expect_written(array, BYTES(V15 "A\x04"
                                    "B\x02"
                                    "abVB\x00\x01\x00^\x02^\x01Vb\x01\x01\x00"
                                    "^\x03$\x00\x04"));
    expect_text(read_back(), "[<61>, <61>, Int8Array<62>, Int8Array<62>]");
}

Test(wire_types, our_views_of_a_buffer_are_read)
{
    char memory[4] = "abcd";
    int released = 0;
    const nw_value *array;

    // The view takes its id before its buffer.
    expect_read(BYTES(V15 "A\x04\\\x02"
                          "B\x01\x02"
                          "B\x04"
                          "abcd\\\x02W\x00\x04^\x02^\x01^\x02$\x00\x04"),
                "[<6263>, Uint16Array<61626364>, <6263>, "
                "ArrayBuffer<61626364>]");
    nw__message_fini(&message);
    nw_test_message(&message, BYTES(V15 "A\x03\\\x02"
                                        "B\x00\x02t\x00\\\x01"
                                        "B\x00\x01\x02\\\x01\x00\x00\x00\x04$"
                                        "\x00\x03"));
    nw_test_add_blob(&message, memory, 4, &released);
    array = read_back();
    expect_text(array, "[<6162>, <6263>, ArrayBuffer<61626364>]");
    for (size_t i = 0; i < 3; i++) {
        cr_expect(eq(ptr, (void *)nw_value_buffer(nw_array_get(array, i), NULL),
                     (void *)nw_array_get(array, 2)));
    }
}

Test(wire_types, view_that_follows_a_resizable_buffer_has_its_size)
{
    expect_read(BYTES(V15 "~\x05\x08"
                          "abcdeVB\x01\x00\x03"),
                "<62636465>");
    expect_read(BYTES(V15 "~\x05\x08"
                          "abcdeVW\x02\x00\x03"),
                "Uint16Array<6364>");
    expect_read(BYTES(V15 "~\x05\x08"
                          "abcdeVB\x01\x02\x02"),
                "<6263>");
    expect_malformed(BYTES(V15 "~\x05\x08"
                               "abcdeVB\x06\x00\x03"),
                     "view outside of its buffer");
}

Test(wire_types, malformed_specials_are_refused)
{
    static const struct {
        const char *data;
        size_t size;
        const char *detail;
    } cases[] = {
        {BYTES(V15 "Z\x10\x01"), "truncated data"},
        {BYTES(V15 "D\x01"), "truncated double"},
        {BYTES(V15 "R_\x00"), "no string where one must be"},
        {BYTES(V15 "R\"\x01"
                   "a\x40"),
         "unknown regexp flags"},
        {BYTES(V15 "R\"\x01"
                   "a\x80\x04"),
         "unknown regexp flags"},
        {BYTES(V15 "R\"\x01"
                   "a\x90\x02"),
         "unknown regexp flags"},
        {BYTES(V15 "s_"), "no string where one must be"},
        {BYTES(V15 "n\x01"), "truncated double"},
        {BYTES(V15 ";:\x02"), "counts do not match"},
        {BYTES(V15 ";_:\x02"), "unknown tag"},
        {BYTES(V15 ";_"), "truncated value"},
        {BYTES(V15 ";__:\x01"), "counts do not match"},
        {BYTES(V15 "'_,\x02"), "counts do not match"},
        {BYTES(V15 "'_:\x01"), "unknown tag"},
        {BYTES(V15 "r"), "truncated number"},
        {BYTES(V15 "rX."), "unknown part of an error"},
        {BYTES(V15 "rm_."), "no string where one must be"},
        {BYTES(V15 "rc^\x00."), "error that contains itself"},
        {BYTES(V15 "\\\x03_"), "error without a record"},
        {BYTES(V15 "\\\x03o\"\x05"
                   "cause^\x00{\x01"),
         "error that contains itself"},
        {BYTES(V15 "\\\x02"
                   "B\x00\x01_"),
         "view without a buffer"},
        {BYTES(V15 "\\\x02"
                   "B\x00\x00^\x00"),
         "reference to nothing"},
        {BYTES(V15 "A\x02o{\x00\\\x02"
                   "B\x00\x00^\x01$\x00\x02"),
         "view without a buffer"},
        {BYTES(V15 "\\\x02"
                   "B\x00\x02"
                   "B\x01x"),
         "view outside of its buffer"},
        {BYTES(V15 "A\x00\"\x01"
                   "5_$\x01\x00"),
         "array index out of order"},
        {BYTES(V15 "u\x00"), "shared memory that was not sent"},
        {BYTES(V15 "w\x00"), "module that was not sent"},
        {BYTES(V15 "\\\x04\x00"), "object that was not sent"},
        {BYTES(V15 "m\x04u\x00"), "shared memory that was not sent"},
        {BYTES(V15 "m\x04"
                   "B\x00"),
         "memory without shared memory"},
        {BYTES(V15 "m\x04^\x00"), "reference to nothing"},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        expect_malformed(cases[i].data, cases[i].size, cases[i].detail);
    }
}

Test(wire_types, part_of_a_blob_is_no_bare_buffer)
{
    char memory[4];
    int released = 0;
    const nw_value *value;
    const char *detail;

    nw_test_message(&message, BYTES(V15 "\\\x01\x00\x00\x00\x03"));
    nw_test_add_blob(&message, memory, 4, &released);
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, &detail), NW_EPROTO));
    cr_expect(eq(str, (char *)detail, "part of a buffer"));
}

Test(wire_types, bigint_beyond_the_limit_is_refused)
{
    size_t size = 8 * NW_BIGINT_WORDS_MAX + 8;
    char *data = calloc(1, size + 7);
    const nw_value *value;

    // 2^21 + 8 bytes, then 2^21 of them.
    memcpy(data, V15 "Z\x90\x80\x80\x02", 7);
    data[7 + size - 1] = 1;
    nw_test_message(&message, data, 7 + size);
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_ELIMIT));
    nw__message_fini(&message);
    memcpy(data, V15 "Z\x80\x80\x80\x02", 7);
    nw_test_message(&message, data, 7 + size - 8);
    cr_expect(eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_OK));
    free(data);
}

// -- references

Test(wire_types, references_are_checked_for_their_kind)
{
    static const char *const texts[] = {"u\x01", "w\x02", "\\\x04\x03"};
    const nw_value *value;

    for (size_t i = 0; i < 3; i++) {
        for (uint8_t index = 0; index < 4; index++) {
            uint8_t data[5] = V15;
            size_t size = 2 + strlen(texts[i]);
            nw_shared *shared;

            memcpy(data + 2, texts[i], 3);
            data[size - 1] = index;
            nw_test_message(&message, data, size);
            nw_shared_create(&shared, 4);
            nw_test_add_ref(&message, &shared->ref);
            nw_test_add_ref(&message, nw_test_module(&alive));
            nw_test_add_ref(&message,
                            &nw_test_host("Blob", false, false, &alive)->ref);
            cr_expect(eq(int, nw__wire_read(doc, &message, &value, 1, NULL),
                         index == i ? NW_OK : NW_EPROTO));
            cr_expect(eq(u32, nw__message_ref_count(&message), 0));
            nw__message_fini(&message);
            cr_expect(eq(int, alive, 2));
            nw_doc_reset(doc);
            cr_expect(eq(int, alive, 0));
        }
    }
}

Test(wire_types, references_are_dropped_when_there_is_no_memory_for_them)
{
    const nw_value *value;

    nw_test_message(&message, BYTES(V15 "_"));
    for (int i = 0; i < 200; i++) {
        nw_test_add_ref(&message, nw_test_module(&alive));
    }
    nw__alloc_fail_after(0);
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_ENOMEM));
    cr_expect(eq(int, alive, 0));
    cr_expect(eq(u32, nw__message_ref_count(&message), 0));
}

Test(wire_types, memories_share_their_buffer)
{
    nw_shared *shared;
    nw_value *array = nw_value_array(doc);
    nw_value *buffer;
    nw_value *memory;
    const nw_value *back;

    nw_shared_create(&shared, 8);
    buffer = nw_value_shared(doc, shared);
    nw_shared_unref(shared);
    memory = nw__value_memory(buffer, -2);
    nw_array_push(array, memory);
    nw_array_push(array, buffer);
    nw_array_push(array, memory);
    expect_written(array, BYTES(V15 "A\x03m\x03u\x00^\x02^\x01$\x00\x03"));
    cr_expect(eq(u32, nw__message_ref_count(&message), 1));
    back = read_back();
    cr_expect(eq(ptr, nw_value_get_shared(nw_array_get(back, 0)), shared));
    cr_expect(eq(int, nw_array_get(back, 0)->as.memory.pages_max, -2));

    // V8 10 reads no reference within a memory.
    array = nw_value_array(doc);
    nw_array_push(array, buffer);
    nw_array_push(array, memory);
    nw_array_push(array, nw_value_view_of(buffer, NW_VIEW_UINT8, 1, 2));
    nw_array_push(array, buffer);
    expect_written(array, BYTES(V15 "A\x04u\x00m\x03u\x00^\x01VB\x01\x02\x00^"
                                    "\x01$\x00\x04"));
    back = read_back();
    cr_expect(eq(ptr, (void *)nw_array_get(back, 0),
                 (void *)nw_array_get(back, 1)->as.memory.buffer));
}

Test(wire_types, references_travel_once_and_are_counted)
{
    struct nw__host *host;
    nw_value *array = nw_value_array(doc);
    nw_value *value = host_value(false, false, &host);
    struct nw__ref *module = nw_test_module(&alive);

    nw_array_push(array, value);
    nw_array_push(array, nw__value_of_ref(doc, &host->ref));
    nw_array_push(array, value);
    nw_array_push(array, nw__value_of_ref(doc, module));
    nw__ref_put(module);
    expect_written(array, BYTES(V15 "A\x04\\\x04\x00\\\x04\x00^\x01w\x01$\x00"
                                    "\x04"));
    cr_assert(eq(u32, nw__message_ref_count(&message), 2));
    cr_expect(not(message.beside->refs[0].transfer));
    nw_doc_reset(doc);
    cr_expect(eq(int, alive, 2));
    expect_text(read_back(), "[#KeyObject, #KeyObject, #KeyObject, #Module]");
    nw__message_fini(&message);
    cr_expect(eq(int, alive, 2));
    nw_doc_reset(doc);
    cr_expect(eq(int, alive, 0));
}

// -- the transfer list

Test(wire_types, listed_buffer_moves_with_all_its_views)
{
    nw_value *array = nw_value_array(doc);
    nw_value *buffer = nw_value_array_buffer(doc, "abcd", 4);
    nw_value *view = nw_value_view_of(buffer, NW_VIEW_INT16, 2, 2);
    const nw_value *items[] = {view};

    nw_array_push(array, view);
    nw_array_push(array, buffer);
    cr_assert(eq(int, write_with(array, items, 1, NULL), NW_OK));
    cr_assert(eq(u32, nw__message_blob_count(&message), 1));
    cr_expect(eq(int, memcmp(message.beside->blobs[0].data, "abcd", 4), 0));
    expect_text(array, "[Int16Array<>, ArrayBuffer<>]");
    cr_expect(eq(int, write_with(array, NULL, 0, NULL), NW_EINVAL));
    nw_doc_reset(doc);

    array = nw_value_array(doc);
    buffer = nw_value_array_buffer(doc, "abcd", 4);
    view = nw_value_view_of(buffer, NW_VIEW_INT16, 2, 2);
    nw_array_push(array, view);
    nw_array_push(array, buffer);
    items[0] = buffer;
    cr_assert(eq(int, write_with(array, items, 1, NULL), NW_OK));
    expect_text(read_back(), "[Int16Array<6364>, ArrayBuffer<61626364>]");
}

Test(wire_types, listed_things_need_not_be_part_of_the_value)
{
    struct nw__host *host;
    nw_value *bytes = nw_value_bytes(doc, "abc", 3);
    const nw_value *items[] = {bytes, host_value(true, true, &host)};

    cr_assert(eq(int, write_with(nw_value_null(doc), items, 2, NULL), NW_OK));
    cr_expect(eq(u32, nw__message_blob_count(&message), 1));
    cr_assert(eq(u32, nw__message_ref_count(&message), 1));
    cr_expect(message.beside->refs[0].transfer);
    cr_expect(eq(u32, host->gone, 1));
    expect_text(bytes, "<>");
}

Test(wire_types, received_blob_moves_on_without_a_copy)
{
    char memory[] = "memory";
    int released = 0;
    const nw_value *value;

    nw_test_message(&message, BYTES(V15 "t\x00VB\x00\x06\x00"));
    nw_test_add_blob(&message, memory, 6, &released);
    value = read_back();
    cr_assert(eq(int, write_with(value, &value, 1, NULL), NW_OK));
    cr_expect(eq(ptr, message.beside->blobs[0].data, memory));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 0));
    nw__message_fini(&message);
    cr_expect(eq(int, released, 1));
}

Test(wire_types, lent_bytes_may_be_listed_too)
{
    static char memory[] = "memory"; // Given back when the document dies.
    static int released;
    nw_value *array = nw_value_array(doc);
    const nw_value *lent =
        nw_value_bytes_lend(doc, memory, 6, nw_test_count_release, &released);
    nw_value *other =
        nw_value_bytes_lend(doc, memory, 3, nw_test_count_release, &released);

    nw_array_push(array, other);
    nw_array_push(array, (nw_value *)lent);
    cr_assert(eq(int, write_with(array, &lent, 1, NULL), NW_OK));
    cr_assert(eq(u32, nw__message_blob_count(&message), 2));
    cr_expect(eq(sz, message.beside->blobs[0].size, 6));
    expect_text(read_back(), "[<6d656d>, <6d656d6f7279>]");
}

Test(wire_types, list_refuses_what_cannot_move)
{
    char memory[4];
    struct nw__host *host;
    nw_shared *shared;
    nw_value *null = nw_value_null(doc);
    nw_value *buffer = nw_value_array_buffer(doc, "abcd", 4);
    nw_value *taken = nw_value_bytes(doc, "abcd", 4);
    const nw_value *items[3] = {nw_value_bytes_lend(doc, memory, 4, NULL, NULL),
                                NULL, NULL};
    nw_bytes bytes;

    nw_value_take_bytes(taken, &bytes);
    bytes.release(bytes.data, bytes.size, bytes.hint);
    nw_shared_create(&shared, 4);

    expect_not_written(null, items, 2, NW_EINVAL,
                       "an item to transfer is NULL");
    items[1] = null;
    expect_not_written(null, items, 2, NW_EINVAL,
                       "a value of this type cannot be transferred");
    items[1] = nw_value_shared(doc, shared);
    nw_shared_unref(shared);
    expect_not_written(null, items, 2, NW_EINVAL,
                       "shared memory cannot be transferred");
    items[1] = taken;
    expect_not_written(null, items, 2, NW_EINVAL,
                       "bytes that were handed over already");
    items[1] = buffer;
    items[2] = nw_value_view_of(buffer, NW_VIEW_UINT8, 0, 1);
    expect_not_written(null, items, 3, NW_EINVAL, "a buffer is listed twice");
    items[1] = host_value(true, true, &host);
    items[2] = nw__value_of_ref(doc, &host->ref);
    expect_not_written(null, items, 3, NW_EINVAL, "an object is listed twice");
    cr_expect(eq(u32, host->gone, 0));
    host->gone = 1;
    expect_not_written(null, items, 2, NW_ECLONE,
                       "an object was transferred already");
    expect_not_written(items[1], NULL, 0, NW_ECLONE,
                       "an object was transferred already");
    // None of it touched what stood first in the list.
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(items[0], NULL), memory));
}

Test(wire_types, port_must_be_listed)
{
    struct nw__host *host;
    const nw_value *port = host_value(true, true, &host);

    expect_not_written(port, NULL, 0, NW_ECLONE,
                       "a MessagePort, or another object that can only be "
                       "transferred, is not in the transfer list");
    cr_assert(eq(int, write_with(port, &port, 1, NULL), NW_OK));
    cr_expect(eq(u32, host->gone, 1));
    cr_expect(eq(sz, message.size, 5));
    expect_text(read_back(), "#MessagePort");
}

// Somebody else may be faster between the look at a host and its departure;
// here it stands in two documents and two lists, of which one can succeed.
Test(wire_types, object_that_others_took_leaves_all_where_it_was)
{
    struct nw__host *first;
    struct nw__host *second;
    const nw_value *items[] = {host_value(true, true, &first),
                               host_value(true, true, &second)};

    cr_assert(eq(int, write_with(items[1], items + 1, 1, NULL), NW_OK));
    expect_not_written(nw_value_null(doc), items, 2, NW_ECLONE,
                       "an object was transferred already");
    cr_expect(eq(u32, first->gone, 0));
    cr_expect(eq(u32, second->gone, 1));
}

// Two writers that list the same objects in opposite order: many, so that each
// takes some before they meet; and much to write, so that both have looked at
// their lists before one is done.
#define RACES      500
#define RACE_HOSTS 1024
#define RACE_TEXT  (256 << 10)

struct racer {
    pthread_barrier_t *barrier;
    struct nw__host **hosts;
    bool backwards;
    bool won;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    nw_doc *own = nw_doc_create();
    const nw_value *items[RACE_HOSTS];
    const struct nw__wire_transfer transfer = {items, RACE_HOSTS};
    static const char text[RACE_TEXT];
    const nw_value *value = nw_value_string_n(own, text, RACE_TEXT);

    for (size_t i = 0; i < RACE_HOSTS; i++) {
        size_t at = racer->backwards ? RACE_HOSTS - 1 - i : i;

        items[i] = nw__value_of_ref(own, &racer->hosts[at]->ref);
    }
    for (int i = 0; i < RACES; i++) {
        struct nw__message sent = {0};

        pthread_barrier_wait(racer->barrier);
        racer->won = nw__wire_write(&sent, &value, 1, &transfer, NULL) == NW_OK;
        nw__message_fini(&sent);
        pthread_barrier_wait(racer->barrier);
        pthread_barrier_wait(racer->barrier); // The judge is done.
    }
    nw_doc_destroy(own);
    return NULL;
}

// Both may have been in each other's way; then all is as before.
static void judge(struct nw__host **hosts, const struct racer *racers)
{
    uint32_t won = (uint32_t)racers[0].won + racers[1].won;

    for (size_t i = 0; i < RACE_HOSTS; i++) {
        if (won > 1 || hosts[i]->gone != won) {
            cr_fatal("%u won, %zu is %u", won, i, hosts[i]->gone);
        }
        hosts[i]->gone = 0;
    }
}

Test(wire_types, of_two_that_transfer_the_same_at_most_one_does)
{
    struct nw__host *hosts[RACE_HOSTS];
    pthread_barrier_t barrier;
    struct racer racers[] = {
        {&barrier, hosts, false, false},
        {&barrier, hosts, true, false},
    };
    pthread_t threads[2];

    for (size_t i = 0; i < RACE_HOSTS; i++) {
        hosts[i] = nw_test_host("Key", false, true, &alive);
    }
    pthread_barrier_init(&barrier, NULL, 3);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(
            eq(int, pthread_create(&threads[i], NULL, race, &racers[i]), 0));
    }
    for (int i = 0; i < RACES; i++) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        judge(hosts, racers);
        pthread_barrier_wait(&barrier);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_barrier_destroy(&barrier);
    for (size_t i = 0; i < RACE_HOSTS; i++) {
        nw__ref_put(&hosts[i]->ref);
    }
}

// -- errors

static nw_value *error_make(const char *name)
{
    nw_value *error = nw_value_error(doc, name, "m");

    nw_error_set_stack(error, NULL);
    return error;
}

Test(wire_types, plain_error_has_v8s_form)
{
    nw_value *error = error_make("RangeError");

    expect_written(error, BYTES(V15 "rRm\"\x01m."));
    nw_error_set_stack(error, "s");
    nw_error_set_cause(error, nw_value_number(doc, 1));
    expect_written(error, BYTES(V15 "rRm\"\x01ms\"\x01scI\x02."));
    expect_text(read_back(), "RangeError(\"m\", stack \"s\", cause 1)");
}

Test(wire_types, rich_error_has_our_form)
{
    nw_value *error = error_make("MyError");
    nw_value *array = nw_value_array(doc);

    expect_written(error, BYTES(V15 "\\\x03o\"\x04name\"\x07MyError\"\x07"
                                    "message\"\x01m{\x02"));
    expect_text(read_back(), "MyError(\"m\")");
    error = error_make("Error");
    nw_error_set_property(error, "code", nw_value_number(doc, 5));
    nw_error_set_property(error, "k", nw_value_map(doc));
    nw_error_set_errors(error, nw_value_array(doc));
    nw_error_set_cause(error, error_make("Error"));
    // Error, record, cause, errors, properties and map take an id each.
    nw_array_push(array, error);
    nw_array_push(array, array);
    nw_array_push(array, nw_value_object(doc));
    nw_array_push(array, (nw_value *)nw_array_get(array, 2));
    cr_assert(eq(int, write_with(array, NULL, 0, NULL), NW_OK));
    cr_expect(eq(int,
                 memcmp(message.data + message.size - 10,
                        "^\x00o{\x00^\x07$\x00\x04", 10),
                 0));
    expect_text(read_back(),
                "[Error(\"m\", code 5, cause Error(\"m\"), errors [], "
                "{\"k\": Map{}}), ^0, {}, {}]");
}

Test(wire_types, wrong_members_of_an_error_are_left_out)
{
    expect_read(BYTES(V15 "\\\x03o\"\x04nameI\x02\"\x07messageo{\x00\"\x05"
                          "stack_\"\x04"
                          "codeT\"\x06"
                          "errors_\"\x0a"
                          "properties_\"\x05other_{\x07"),
                "Error(\"\")");
    expect_read(BYTES(V15 "\\\x03o{\x00"), "Error(\"\")");
}

Test(wire_types, parts_of_an_error_come_in_any_order)
{
    expect_read(BYTES(V15 "rcI\x02s\"\x01sm\"\x01xT."),
                "TypeError(\"x\", stack \"s\", cause 1)");
    expect_read(BYTES(V15 "r."), "Error(\"\")");
}

Test(wire_types, error_that_contains_itself_cannot_be_written)
{
    nw_value *plain = error_make("Error");
    nw_value *rich = error_make("MyError");
    nw_value *array = nw_value_array(doc);

    nw_error_set_cause(plain, plain);
    expect_not_written(plain, NULL, 0, NW_ECLONE, "an error contains itself");
    nw_array_push(array, rich);
    nw_error_set_property(rich, "k", array);
    expect_not_written(rich, NULL, 0, NW_ECLONE, "an error contains itself");
    // What contains the error may stand in it.
    cr_assert(eq(int, write_with(array, NULL, 0, NULL), NW_OK));
    expect_text(read_back(), "[MyError(\"m\", {\"k\": ^2})]");
    // Behind its end it may come again.
    array = nw_value_array(doc);
    nw_array_push(array, error_make("MyError"));
    nw_array_push(array, (nw_value *)nw_array_get(array, 0));
    cr_assert(eq(int, write_with(array, NULL, 0, NULL), NW_OK));
    array = (nw_value *)read_back();
    cr_expect(eq(ptr, (void *)nw_array_get(array, 0),
                 (void *)nw_array_get(array, 1)));
}

static nw_value *nest(int depth, int kind)
{
    nw_value *value = nw_value_map(doc);

    for (int i = 1; i < depth; i++) {
        nw_value *outer = kind == 0 ? nw_value_map(doc) : nw_value_set(doc);

        if (kind == 0) {
            nw_map_push(outer, nw_value_null(doc), value);
        } else if (kind == 1) {
            nw_set_push(outer, value);
        } else {
            outer = error_make(kind == 2 ? "Error" : "MyError");
            nw_error_set_cause(outer, value);
        }
        value = outer;
    }
    return value;
}

Test(wire_types, depth_is_limited_in_every_container)
{
    for (int kind = 0; kind < 4; kind++) {
        nw_doc_reset(doc);
        cr_assert(eq(int,
                     write_with(nest(NW_VALUE_DEPTH_MAX, kind), NULL, 0, NULL),
                     NW_OK));
        read_back();
        expect_not_written(nest(NW_VALUE_DEPTH_MAX + 1, kind), NULL, 0,
                           NW_ELIMIT, "nested too deeply");
    }
}

Test(wire_types, depth_of_errors_is_limited_in_reading)
{
    static uint8_t data[2 + 8 * (NW_VALUE_DEPTH_MAX + 1)] = V15;
    const nw_value *value;
    size_t size = 2;

    for (int i = 0; i <= NW_VALUE_DEPTH_MAX; i++) {
        memcpy(data + size, "rc", 2);
        size += 2;
    }
    nw_test_message(&message, data, size);
    cr_expect(
        eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_ELIMIT));
}

// -- looking for errors

Test(wire_types, errors_are_found_where_they_are)
{
    static const struct {
        const char *data;
        size_t size;
        bool found;
    } cases[] = {
        {BYTES(V15 "rm\"\x01x."), true},
        {BYTES(V15 "r."), true},
        {BYTES(V15 "A\x01r.$\x00\x01"), true},
        {BYTES(V15 "I\x02r."), true}, // Two values behind one header.
        {BYTES(V15 "\"\x02rmr."), true},
        {BYTES(V15 "\"\x02rm"), false},
        {BYTES(V15 "c\x02rm"), false},
        {BYTES(V15 "o\"\x02rm_{\x01"), false},
        {BYTES(V15 "B\x02rmVB\x00\x02\x00"), false},
        {BYTES("\xff\x0d"
               "B\x02rmVB\x00\x02r."),
         true},
        {BYTES(V15 "~\x02\x02rm"), false},
        {BYTES(V15 "D......rm"), false},
        {BYTES(V15 "Nrrrrrrrm"), false},
        {BYTES(V15 "Z\x04rm"), false},
        {BYTES(V15 "z\x05rmr."), true},
        {BYTES(V15 "R\"\x02rmr."), false}, // Flags 'r'.
        {BYTES(V15 "R\"\x02rm\x01r."), true},
        {BYTES(V15 "s\"\x02rm"), false},
        {BYTES(V15 ";\"\x02rmr.:\x02"), true},
        {BYTES(V15 "'-,\x01?\x01yx-_0TFIrm"), false},
        {BYTES(V15 "^rI.u\x01t\x01w\x01p\x01"), false},
        {BYTES(V15 "m\x04u\x00r."), true},
        {BYTES(V15 "a\x01I\x00r.@\x01\x01"), true},
        {BYTES(V15 "A\x00$r.T"), false},
        {BYTES(V15 "\\\x00rmr."), false},
        {BYTES(V15 "\\\x00r\x02rm"), false},
        {BYTES(V15 "\\\x00r\x02rmr."), true},
        {BYTES(V15 "\\\x01"
                   "Brrmr."),
         true},
        {BYTES(V15 "\\\x02"
                   "Br.B\x02rm"),
         false},
        {BYTES(V15 "\\\x02"
                   "Br.B\x02rmr."),
         true},
        {BYTES(V15 "\\\x03o\"\x05"
                   "cause\"\x02rm{\x01"),
         false},
        {BYTES(V15 "\\\x03o\"\x05"
                   "causer.{\x01"),
         true},
        {BYTES(V15 "\\\x04rm"), false},
        {BYTES(V15 "\\\x04rr."), true},
        {BYTES(V15 "\\\x05r."), false},
        {BYTES(V15 "!r."), false},
        {BYTES(V15 "\"\xffr."), false},
        {BYTES("r."), false},
        {BYTES(V15 "r"), false},
        {BYTES(V15 "rx"), false},
        {BYTES(""), false},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        cr_expect(eq(int,
                     nw__wire_has_error((const uint8_t *)cases[i].data,
                                        cases[i].size),
                     cases[i].found),
                  "case %zu", i);
    }
}

Test(wire_types, errors_are_found_in_what_v8_writes)
{
    for (size_t i = 0; i < NW_ARRAY_SIZE(samples); i++) {
        const struct sample *sample = &samples[i];
        bool found =
            nw__wire_has_error((const uint8_t *)sample->data, sample->size);

        cr_expect(eq(int, found, strstr(sample->text, "Error(") != NULL), "%s",
                  sample->name);
    }
}

// -- everything at once, and memory

struct world {
    struct nw_test_refs refs;
    int released;
};

static void world_make(struct world *world)
{
    cr_assert(eq(int, nw_shared_create(&world->refs.shared, 8), NW_OK));
    world->refs.host = nw_test_host("KeyObject", false, false, &alive);
    world->refs.port = nw_test_host("MessagePort", true, true, &alive);
    world->refs.module = nw_test_module(&alive);
    world->released = 0;
}

static void world_drop(struct world *world)
{
    nw_shared_unref(world->refs.shared);
    nw__ref_put(&world->refs.host->ref);
    nw__ref_put(&world->refs.port->ref);
    nw__ref_put(world->refs.module);
}

// The port and the buffer of the value of all types.
static size_t list_of(const nw_value *value, const nw_value **items)
{
    size_t count = 0;

    for (size_t i = 0; i < nw_value_size(value); i++) {
        const nw_value *item = nw_array_get(value, i);

        if (nw_value_type(item) == NW_TYPE_PORT ||
            (nw_value_type(item) == NW_TYPE_BYTES &&
             nw_value_view(item) == NW_VIEW_ARRAY_BUFFER)) {
            items[count++] = item;
        }
    }
    return count;
}

Test(wire_types, every_type_survives_the_way)
{
    struct world world;
    const nw_value *value;
    const nw_value *items[4];
    char text[4096];

    world_make(&world);
    value = nw_test_all_types(doc, &world.refs, &world.released);
    cr_assert(ne(ptr, (void *)value, NULL));
    snprintf(text, sizeof(text), "%s", nw_test_text(value));
    cr_assert(
        eq(int, write_with(value, items, list_of(value, items), NULL), NW_OK));
    expect_text(read_back(), text);
    world_drop(&world);
}

// Builds, writes with a transfer list, and reads. A write that fails leaves
// the value as it was.
static bool round_trip(struct world *world, long fail_after)
{
    nw_doc *from = nw_doc_create();
    nw_doc *to = nw_doc_create();
    const nw_value *items[4];
    const nw_value *value;
    struct nw__wire_transfer transfer = {items, 0};
    struct nw__message sent = {0};
    nw_status status;
    char text[4096];

    value = nw_test_all_types(from, &world->refs, &world->released);
    transfer.count = list_of(value, items);
    snprintf(text, sizeof(text), "%s", nw_test_text(value));
    nw__alloc_fail_after(fail_after);
    status = nw__wire_write(&sent, &value, 1, &transfer, NULL);
    if (status == NW_OK) {
        status = nw__wire_read(to, &sent, &value, 1, NULL);
        nw__alloc_fail_after(-1);
        cr_assert(eq(u32, world->refs.port->gone, 1));
    } else {
        nw__alloc_fail_after(-1);
        expect_text(value, text);
        cr_assert(eq(u32, world->refs.port->gone, 0));
        cr_assert(eq(ptr, sent.data, NULL));
        cr_assert(eq(ptr, sent.beside, NULL));
    }
    cr_assert(status == NW_OK || status == NW_ENOMEM);
    nw__message_fini(&sent);
    nw_doc_destroy(from);
    nw_doc_destroy(to);
    world->refs.port->gone = 0;
    cr_assert(eq(int, world->released, 1));
    world->released = 0;
    return status == NW_OK;
}

Test(wire_types, every_failed_allocation_of_the_codec_is_survived)
{
    struct world world;
    long n = 0;

    world_make(&world);
    while (!round_trip(&world, n)) {
        n++;
        cr_assert(lt(int, (int)n, 1000));
    }
    cr_expect(gt(int, (int)n, 8));
    world_drop(&world);
}

Test(wire_types, every_failed_allocation_of_the_makers_is_survived)
{
    struct world world;
    const nw_value *value = NULL;

    world_make(&world);
    for (size_t left = 0; value == NULL; left += 8) {
        nw_doc *own = nw_doc_create();

        // So many bytes in the document, and no memory for more.
        cr_assert(lt(sz, left, 100000));
        if (left < (size_t)(own->end - own->at)) {
            nw__doc_alloc(own, (size_t)(own->end - own->at) - left, 1);
            nw__alloc_fail_after(0);
        } else {
            nw__alloc_fail_after((long)(left % 64) / 8);
        }
        world.released = 0;
        value = nw_test_all_types(own, &world.refs, &world.released);
        nw__alloc_fail_after(-1);
        if (value == NULL) {
            cr_assert(eq(int, nw_doc_status(own), NW_ENOMEM));
        }
        nw_doc_destroy(own);
        cr_assert(eq(int, alive, 3));
    }
    world_drop(&world);
}

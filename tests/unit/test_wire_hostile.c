// Goal: no sequence of bytes makes the reader read past its input, allocate
// more than in proportion to it, recurse, loop or leak; and no failed
// allocation in the writer or the reader loses anything.

#include <pthread.h>
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

#define BLOBS     2
#define BLOB_SIZE 8

static nw_doc *doc;
static char memory[BLOBS * BLOB_SIZE];

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

TestSuite(wire_hostile, .init = setup, .fini = teardown, .timeout = 60);

// More than V8's samples: what its reader accepts and our engine writes.
static const struct sample more_samples[] = {
    {"blob", BYTES(V15 "t\x01VB\x00\x08\x00"), NULL, false},
    {"our views",
     BYTES(V15 "A\x02\\\x01"
               "B\x00\x02\x04\\\x00"
               "d\x04xxxx$\x00\x02"),
     NULL, false},
    {"resizable", BYTES(V15 "~\x02\x08\x01\x02VB\x00\x02\x03"), NULL, false},
    {"utf-8", BYTES(V15 "S\x06\xe2\x82\xac\xc3\xa9!"), NULL, false},
    {"counts",
     BYTES(V15 "?\x05"
               "A\x02-U\x80\x01$\x00\x02"),
     NULL, false},
    {"sparse",
     BYTES(V15 "a\x90\x4eI\x04I\x02I\xa0\x8d\x06_\"\x01k_@\x03\x90\x4e"), NULL,
     false},
    {"our view",
     BYTES(V15 "A\x02\\\x02"
               "B\x01\x02"
               "B\x03"
               "abc\\\x02"
               "B\x00\x04^\x02$\x00\x02"),
     NULL, false},
    {"our error",
     BYTES(V15 "\\\x03o\"\x04"
               "code\"\x01"
               "E\"\x05"
               "causerm\"\x01x.\"\x06"
               "errorsA\x00$\x00\x00{\x03"),
     NULL, false},
    {"references",
     BYTES(V15 "A\x06u\x00VB\x00\x04\x00^\x01w\x01\\\x04\x02m\x04^\x01m"
               "\x04u\x00$\x00\x06"),
     NULL, false},
    {"version 13",
     BYTES("\xff\x0d"
           "B\x01\x07VB\x00\x01"),
     NULL, false},
};

// Reads hostile bytes, with blobs beside them. What can be read must also be
// writable and readable again. True when it could be read.
static bool try_bytes(const uint8_t *data, size_t size)
{
    struct nw__message message;
    int released = 0;
    int alive = 0;
    nw_shared *shared;
    const nw_value *value;
    nw_status status;

    nw_test_message(&message, data, size);
    cr_assert(eq(int, nw_shared_create(&shared, BLOB_SIZE), NW_OK));
    nw_test_add_ref(&message, &shared->ref);
    nw_test_add_ref(&message, nw_test_module(&alive));
    nw_test_add_ref(&message, &nw_test_host("Key", false, false, &alive)->ref);
    for (int i = 0; i < BLOBS; i++) {
        nw_test_add_blob(&message, memory + i * BLOB_SIZE, BLOB_SIZE,
                         &released);
    }
    nw__wire_has_error(message.data, message.size);
    status = nw__wire_read(doc, &message, &value, 1, NULL);
    nw__message_fini(&message);
    if (status == NW_OK) {
        // An error's unknown members are left out, and what they hold may then
        // first come up within an error that it contains.
        status = nw__wire_write(&message, &value, 1, NULL, NULL);
        cr_assert(status == NW_OK || status == NW_ECLONE);
        if (status == NW_OK) {
            cr_assert(
                eq(int, nw__wire_read(doc, &message, &value, 1, NULL), NW_OK));
        }
        status = NW_OK;
        nw__message_fini(&message);
    } else if (status != NW_EPROTO && status != NW_ETYPE &&
               status != NW_ELIMIT) {
        cr_fatal("status %d", status);
    }
    nw_doc_reset(doc);
    if (released != BLOBS || alive != 0) {
        cr_fatal("%d blobs released, %d references left", released, alive);
    }
    return status == NW_OK;
}

static void each_sample(void (*visit)(const struct sample *))
{
    for (size_t i = 0; i < NW_ARRAY_SIZE(samples); i++) {
        visit(&samples[i]);
    }
    for (size_t i = 0; i < NW_ARRAY_SIZE(more_samples); i++) {
        visit(&more_samples[i]);
    }
}

static void truncate_sample(const struct sample *sample)
{
    const uint8_t *data = (const uint8_t *)sample->data;

    for (size_t size = 0; size < sample->size; size++) {
        if (try_bytes(data, size)) {
            // An ArrayBuffer is complete before the view behind it.
            cr_expect(sample->size > size &&
                          (data[2] == 'B' || data[2] == 't' || data[2] == '~'),
                      "%s cut to %zu", sample->name, size);
        }
    }
}

Test(wire_hostile, every_truncation_is_refused)
{
    each_sample(truncate_sample);
}

static void mutate_sample(const struct sample *sample)
{
    uint8_t data[256];

    cr_assert(le(sz, sample->size, sizeof(data)));
    memcpy(data, sample->data, sample->size);
    for (size_t i = 0; i < sample->size; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            data[i] = (uint8_t)byte;
            try_bytes(data, sample->size);
        }
        data[i] = (uint8_t)sample->data[i];
    }
}

Test(wire_hostile, every_change_of_a_byte_is_survived)
{
    each_sample(mutate_sample);
}

static void append_to_sample(const struct sample *sample)
{
    uint8_t data[256 + 1];

    memcpy(data, sample->data, sample->size);
    data[sample->size] = 'T';
    cr_expect(not(try_bytes(data, sample->size + 1)), "%s", sample->name);
}

Test(wire_hostile, bytes_behind_the_value_are_refused)
{
    each_sample(append_to_sample);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return *state >> 8;
}

Test(wire_hostile, random_sequences_of_tags_are_survived)
{
    static const char tags[] = "_0TFIUN\"cS^o{a@A$B~tV\\-?\0\x01\x02\x05"
                               ";:',rmsc.ETDZzRyxnuwm\x03\x04";
    uint32_t state = 1;
    uint8_t data[64] = V15;

    for (int round = 0; round < 200000; round++) {
        size_t size = 3 + next_random(&state) % (sizeof(data) - 3);

        for (size_t i = 2; i < size; i++) {
            data[i] = (uint8_t)tags[next_random(&state) % (sizeof(tags) - 1)];
        }
        try_bytes(data, size);
    }
}

// -- sizes and depths

static nw_status status_of(const void *data, size_t size, const char **detail)
{
    struct nw__message message;
    const nw_value *value;
    nw_status status;

    nw_test_message(&message, data, size);
    status = nw__wire_read(doc, &message, &value, 1, detail);
    nw__message_fini(&message);
    return status;
}

Test(wire_hostile, announced_sizes_are_not_believed)
{
    static const struct {
        const char *data;
        size_t size;
        const char *detail;
    } cases[] = {
        {BYTES(V15 "\"\xff\xff\xff\xff\x0f"
                   "a"),
         "truncated data"},
        {BYTES(V15 "c\xfe\xff\xff\xff\x0f"
                   "a"),
         "truncated data"},
        {BYTES(V15 "S\xff\xff\xff\xff\x0f"
                   "a"),
         "truncated data"},
        {BYTES(V15 "B\xff\xff\xff\xff\x0f"
                   "a"),
         "truncated buffer"},
        {BYTES(V15 "\\\x00\x42\xff\xff\xff\xff\x0f"
                   "a"),
         "truncated data"},
        {BYTES(V15 "A\xff\xff\xff\xff\x0f"), "array longer than the message"},
        // The outer array needs nine of the ten bytes that the inner one wants.
        {BYTES(V15 "A\x0a"
                   "A\x0a__________"),
         "array longer than the message"},
        {BYTES(V15 "I\xff\xff\xff\xff\x1f"), "number too long"},
        {BYTES(V15 "I\xff\xff\xff\xff\xff\x01"), "number too long"},
        {BYTES(V15 "c\x03"
                   "abc"),
         "odd size of a two-byte string"},
        {BYTES(V15 "S\x01\xff"), "malformed UTF-8"},
        {BYTES(V15 "^\x00"), "reference to nothing"},
        {BYTES(V15 "-"), "unknown tag"},
        {BYTES(V15 "V"), "unknown tag"},
        {BYTES(V15 "{"), "unknown tag"},
        {BYTES(V15 "o{\x01"), "counts do not match"},
        {BYTES(V15 "A\x00$\x01\x00"), "counts do not match"},
        {BYTES(V15 "A\x00$\x00\x01"), "counts do not match"},
        {BYTES(V15 "a\x01@\x00\x00"), "counts do not match"},
        {BYTES(V15 "a\x02I\x00_I\x00_@\x02\x02"), "array index out of order"},
        {BYTES(V15 "a\x02I\x02_I\x00_@\x02\x02"), "array index out of order"},
        {BYTES(V15 "a\x02I\x04_@\x01\x02"), "array index out of order"},
        {BYTES(V15 "a\x02I\x01_@\x01\x02"), "array index out of order"},
        {BYTES(V15 "A\x00I\x00_$\x01\x00"), "array index out of order"},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        const char *detail = NULL;

        cr_expect(eq(int, status_of(cases[i].data, cases[i].size, &detail),
                     NW_EPROTO),
                  "case %zu", i);
        cr_assert(ne(ptr, (void *)detail, NULL), "case %zu", i);
        cr_expect(eq(str, (char *)detail, (char *)cases[i].detail), "case %zu",
                  i);
    }
}

// `depth` containers, each in the one before, as V8 writes them.
static size_t put_nested(uint8_t *data, size_t depth, const char *begin,
                         const char *end, size_t end_size)
{
    size_t size = 2;

    memcpy(data, V15, 2);
    for (size_t i = 0; i < depth; i++) {
        // The innermost is empty.
        const char *part = i + 1 < depth ? begin : "o{";
        size_t part_size = i + 1 < depth ? strlen(begin) : 3;

        memcpy(data + size, part, part_size);
        size += part_size;
    }
    for (size_t i = 0; i + 1 < depth; i++) {
        memcpy(data + size, end, end_size);
        size += end_size;
    }
    return size;
}

Test(wire_hostile, depth_is_limited)
{
    static uint8_t data[20 * NW_VALUE_DEPTH_MAX];
    const char *detail;
    size_t size;

    size = put_nested(data, NW_VALUE_DEPTH_MAX, "A\x01", "$\x00\x01", 3);
    cr_expect(eq(int, status_of(data, size, NULL), NW_OK));
    size = put_nested(data, NW_VALUE_DEPTH_MAX + 1, "A\x01", "$\x00\x01", 3);
    cr_expect(eq(int, status_of(data, size, &detail), NW_ELIMIT));
    cr_expect(eq(str, (char *)detail, "nested too deeply"));
    size = put_nested(data, NW_VALUE_DEPTH_MAX, "o\"\x01k", "{\x01", 2);
    cr_expect(eq(int, status_of(data, size, NULL), NW_OK));
    size = put_nested(data, NW_VALUE_DEPTH_MAX + 1, "o\"\x01k", "{\x01", 2);
    cr_expect(eq(int, status_of(data, size, NULL), NW_ELIMIT));
}

static nw_value *nested_arrays(int depth)
{
    nw_value *value = nw_value_array(doc);

    for (int i = 1; i < depth; i++) {
        nw_value *outer = nw_value_array(doc);

        nw_array_push(outer, value);
        value = outer;
    }
    return value;
}

Test(wire_hostile, writer_limits_depth_in_the_same_way)
{
    const nw_value *deep = nested_arrays(NW_VALUE_DEPTH_MAX);
    const nw_value *deeper = nested_arrays(NW_VALUE_DEPTH_MAX + 1);
    struct nw__message message = {0};
    const nw_value *back;

    cr_assert(eq(int, nw__wire_write(&message, &deep, 1, NULL, NULL), NW_OK));
    cr_expect(eq(int, nw__wire_read(doc, &message, &back, 1, NULL), NW_OK));
    nw__message_fini(&message);
    cr_expect(
        eq(int, nw__wire_write(&message, &deeper, 1, NULL, NULL), NW_ELIMIT));
    cr_expect(eq(ptr, message.data, NULL));
}

// Reading and writing at full depth on the smallest stack there is.
static void *read_deep(void *argument)
{
    const nw_value *deep = argument;
    struct nw__message message = {0};
    const nw_value *back;
    bool ok;

    ok = nw__wire_write(&message, &deep, 1, NULL, NULL) == NW_OK &&
         nw__wire_read(doc, &message, &back, 1, NULL) == NW_OK;
    nw__message_fini(&message);
    return ok ? argument : NULL;
}

Test(wire_hostile, small_stack_is_enough)
{
    nw_value *deep = nested_arrays(NW_VALUE_DEPTH_MAX);
    pthread_t thread;
    void *result;

    cr_assert(eq(int,
                 nw__thread_start(&thread, "nw-small", (size_t)64 << 10,
                                  read_deep, deep),
                 NW_OK));
    pthread_join(thread, &result);
    cr_expect(eq(ptr, result, deep));
}

// -- memory

static nw_value *build(nw_doc *into, int *released)
{
    nw_value *object = nw_value_object(into);
    nw_value *array = nw_value_array(into);
    nw_value *deep = nw_value_array(into);
    char key[16];

    for (int i = 0; i < 40; i++) {
        nw_value *outer = nw_value_array(into);

        nw_array_push(outer, deep);
        deep = outer;
        snprintf(key, sizeof(key), "key%d", i);
        nw_object_set(object, key, nw_value_number(into, i * 1.5));
        nw_array_push(array, nw_value_string(into, "text \xe2\x82\xac"));
        nw_array_push(array,
                      nw_value_bytes_lend(into, memory, sizeof(memory),
                                          nw_test_count_release, released));
        nw_array_push(array, outer);
        nw_array_push(array, nw_value_bytes(into, memory, sizeof(memory)));
    }
    nw_object_set(object, "array", array);
    nw_object_set(object, "deep", deep);
    nw_object_set(object, "self", object);
    return object;
}

// Builds, writes and reads; true when nothing failed.
static bool round_trip(long fail_after, int *released)
{
    nw_doc *from;
    nw_doc *to;
    struct nw__message message = {0};
    const nw_value *value;
    nw_status status = NW_ENOMEM;

    nw__alloc_fail_after(fail_after);
    from = nw_doc_create();
    to = nw_doc_create();
    if (from != NULL && to != NULL) {
        value = build(from, released);
        status = nw_doc_status(from);
        if (status == NW_OK) {
            status = nw__wire_write(&message, &value, 1, NULL, NULL);
        }
        if (status == NW_OK) {
            status = nw__wire_read(to, &message, &value, 1, NULL);
        }
    }
    nw__alloc_fail_after(-1);
    cr_assert(status == NW_OK || status == NW_ENOMEM);
    nw__message_fini(&message);
    nw_doc_destroy(from);
    nw_doc_destroy(to);
    return status == NW_OK;
}

Test(wire_hostile, every_failed_allocation_is_survived)
{
    int released = 0;
    long n = 0;

    while (!round_trip(n, &released)) {
        n++;
        cr_assert(lt(int, (int)n, 1000));
    }
    // It did go through many different failures.
    cr_expect(gt(int, (int)n, 10));
    released = 0;
    round_trip(-1, &released);
    cr_expect(eq(int, released, 40));
}

// A message that is put together on the stack is allocated last.
Test(wire_hostile, write_that_fails_at_the_end_gives_nothing_away)
{
    nw_value *array = nw_value_array(doc);
    const nw_value *root = array;
    struct nw__message message = {0};
    int released = 0;
    long n = 0;

    nw_array_push(array, nw_value_string(doc, "longer than fits inside of the "
                                              "message itself"));
    nw_array_push(array, nw_value_bytes_lend(doc, memory, sizeof(memory),
                                             nw_test_count_release, &released));
    for (;; n++) {
        nw__alloc_fail_after(n);
        if (nw__wire_write(&message, &root, 1, NULL, NULL) == NW_OK) {
            break;
        }
        cr_assert(eq(ptr, message.data, NULL));
        cr_assert(eq(ptr, message.beside, NULL));
        cr_assert(lt(int, (int)n, 10));
    }
    nw__alloc_fail_after(-1);
    cr_expect(gt(int, (int)n, 2));
    nw__message_fini(&message);
    cr_expect(eq(int, released, 1));
}

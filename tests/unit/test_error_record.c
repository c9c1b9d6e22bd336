// Goal: an error always arrives as one, whatever the record says; its chain of
// causes ends; nothing of it points outside of its document.

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/error_record.h"
#include "src/value.h"
#include "src/wire.h"
#include "tests/unit/support.h"
#include "tests/unit/wire_samples.h"
#include "tests/unit/wire_support.h"

static nw_doc *source; // Where records are built.
static nw_doc *doc;    // Where they are read.

static void setup(void)
{
    source = nw_doc_create();
    doc = nw_doc_create();
    cr_assert(source != NULL && doc != NULL);
}

static void teardown(void)
{
    nw_doc_destroy(source);
    nw_doc_destroy(doc);
    nw_test_no_leaks();
}

TestSuite(error_record, .init = setup, .fini = teardown, .timeout = 20);

static nw_value *text(const char *string)
{
    return nw_value_string(source, string);
}

static nw_value *record_make(const char *name, const char *message)
{
    nw_value *record = nw_value_object(source);

    nw_object_set(record, "name", text(name));
    nw_object_set(record, "message", text(message));
    return record;
}

// Sends the record; afterwards its own document is empty.
static const nw_error *transmit(const nw_value *record)
{
    struct nw__message message = {0};
    const nw_error *error;

    cr_assert(eq(int, nw__wire_write(&message, &record, 1, NULL, NULL), NW_OK));
    nw_doc_reset(source);
    error = nw__error_read(doc, &message);
    memset(message.small, 0xAA, sizeof(message.small));
    nw__message_fini(&message);
    return error;
}

static void expect_text(const char *actual, const char *expected)
{
    cr_assert(ne(ptr, (void *)actual, NULL), "%s", expected);
    cr_expect(eq(str, (char *)actual, (char *)expected));
}

Test(error_record, all_of_a_record_arrives)
{
    nw_value *record = record_make("TypeError", "x is not a function");
    nw_value *properties = nw_value_object(source);
    const nw_error *error;

    nw_object_set(record, "stack", text("TypeError: x\n    at f"));
    nw_object_set(record, "code", text("ERR_X"));
    nw_object_set(properties, "path", text("/etc"));
    nw_object_set(record, "properties", properties);
    nw_object_set(record, "cause", record_make("Error", "inner"));

    error = transmit(record);
    cr_assert(ne(ptr, (void *)error, NULL));
    expect_text(error->name, "TypeError");
    expect_text(error->message, "x is not a function");
    expect_text(error->stack, "TypeError: x\n    at f");
    expect_text(error->code, "ERR_X");
    expect_text(nw_test_text(error->properties), "{\"path\": \"/etc\"}");
    cr_expect(eq(ptr, (void *)error->thrown, NULL));
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_text(error->cause->message, "inner");
    cr_expect(eq(ptr, (void *)error->cause->cause, NULL));
}

Test(error_record, missing_members_have_defaults)
{
    const nw_error *error = transmit(nw_value_object(source));

    expect_text(error->name, "Error");
    expect_text(error->message, "");
    expect_text(error->stack, "");
    cr_expect(eq(ptr, (void *)error->code, NULL));
    cr_expect(eq(ptr, (void *)error->cause, NULL));
    cr_expect(eq(ptr, (void *)error->properties, NULL));
    cr_expect(eq(ptr, (void *)error->thrown, NULL));
}

Test(error_record, members_of_wrong_types_count_as_missing)
{
    nw_value *record = nw_value_object(source);
    const nw_error *error;

    nw_object_set(record, "name", nw_value_number(source, 1));
    nw_object_set(record, "message", nw_value_array(source));
    nw_object_set(record, "stack", nw_value_undefined(source));
    nw_object_set(record, "code", nw_value_bool(source, true));
    nw_object_set(record, "cause", text("no record"));
    nw_object_set(record, "properties", text("no object"));
    error = transmit(record);
    expect_text(error->name, "Error");
    expect_text(error->message, "");
    expect_text(error->stack, "");
    cr_expect(eq(ptr, (void *)error->code, NULL));
    cr_expect(eq(ptr, (void *)error->cause, NULL));
    cr_expect(eq(ptr, (void *)error->properties, NULL));
}

Test(error_record, properties_are_an_object_with_members_or_none)
{
    nw_value *record = record_make("Error", "m");
    nw_value *array;

    nw_object_set(record, "properties", nw_value_object(source));
    cr_expect(eq(ptr, (void *)transmit(record)->properties, NULL));

    record = record_make("Error", "m");
    array = nw_value_array(source);
    nw_array_push(array, text("item"));
    nw_object_set(record, "properties", array);
    cr_expect(eq(ptr, (void *)transmit(record)->properties, NULL));
}

Test(error_record, thrown_value_arrives_even_if_undefined)
{
    nw_value *record = record_make("", "undefined");
    const nw_error *error;

    nw_object_set(record, "thrown", nw_value_undefined(source));
    error = transmit(record);
    expect_text(error->name, "");
    cr_assert(ne(ptr, (void *)error->thrown, NULL));
    expect_text(nw_test_text(error->thrown), "undefined");
}

Test(error_record, numeric_code_becomes_text)
{
    static const struct {
        double code;
        const char *text;
    } cases[] = {{-2, "-2"}, {0.5, "0.5"}, {1e300, "1.0000000000000001e+300"}};

    for (size_t i = 0; i < NW_ARRAY_SIZE(cases); i++) {
        nw_value *record = record_make("Error", "m");

        nw_object_set(record, "code", nw_value_number(source, cases[i].code));
        expect_text(transmit(record)->code, cases[i].text);
    }
}

static int chain_length(const nw_error *error)
{
    int length = 0;

    for (; error != NULL; error = error->cause) {
        length++;
    }
    return length;
}

Test(error_record, chain_of_causes_is_cut_off)
{
    nw_value *record = record_make("Error", "last");

    for (int i = 0; i < 100; i++) {
        nw_value *outer = record_make("Error", "outer");

        nw_object_set(outer, "cause", record);
        record = outer;
    }
    cr_expect(
        eq(int, chain_length(transmit(record)), 1 + NW__ERROR_CAUSES_MAX));
}

Test(error_record, error_that_is_its_own_cause_ends)
{
    nw_value *record = record_make("Error", "again");

    nw_object_set(record, "cause", record);
    cr_expect(
        eq(int, chain_length(transmit(record)), 1 + NW__ERROR_CAUSES_MAX));
}

// -- the newer form: a value of type Error, or what was thrown instead

Test(error_record, error_value_in_a_record_arrives)
{
    nw_value *record = nw_value_object(source);
    nw_value *value = nw_value_error(source, "MyError", "m");
    nw_value *errors = nw_value_array(source);
    const nw_error *error;

    nw_error_set_code(value, "E");
    nw_array_push(errors, text("first"));
    nw_error_set_errors(value, errors);
    nw_error_set_cause(value, nw_value_number(source, 5));
    nw_object_set(record, "error", value);
    error = transmit(record);
    expect_text(error->name, "MyError");
    expect_text(error->code, "E");
    expect_text(nw_test_text(error->errors), "[\"first\"]");
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_text(error->cause->message, "5");
    expect_text(nw_test_text(error->cause->thrown), "5");
}

Test(error_record, record_of_what_was_no_error_has_no_name)
{
    nw_value *record = nw_value_object(source);
    const nw_error *error;

    nw_object_set(record, "message", text("5"));
    nw_object_set(record, "thrown", nw_value_number(source, 5));
    error = transmit(record);
    expect_text(error->name, "");
    expect_text(error->message, "5");
    expect_text(nw_test_text(error->thrown), "5");

    record = nw_value_object(source);
    nw_object_set(record, "message", text("a function"));
    error = transmit(record);
    expect_text(error->name, "");
    cr_expect(eq(ptr, (void *)error->thrown, NULL));
}

Test(error_record, errors_of_an_older_record_arrive)
{
    nw_value *record = record_make("AggregateError", "m");
    nw_value *errors = nw_value_array(source);

    nw_array_push(errors, record_make("Error", "first"));
    nw_object_set(record, "errors", errors);
    cr_assert(eq(sz, nw_value_size(transmit(record)->errors), 1));
    record = record_make("Error", "m");
    nw_object_set(record, "errors", text("none"));
    cr_expect(eq(ptr, (void *)transmit(record)->errors, NULL));
}

Test(error_record, chain_through_both_forms_is_cut_off)
{
    nw_value *value = nw_value_error(source, "Error", "last");
    nw_value *record = nw_value_object(source);

    for (int i = 0; i < 20; i++) {
        nw_value *outer = nw_value_error(source, "Error", "outer");

        nw_error_set_cause(outer, value);
        value = outer;
    }
    nw_object_set(record, "error", value);
    for (int i = 0; i < 5; i++) {
        nw_value *outer = record_make("Error", "outer");

        nw_object_set(outer, "cause", record);
        record = outer;
    }
    cr_expect(
        eq(int, chain_length(transmit(record)), 1 + NW__ERROR_CAUSES_MAX));
}

static void expect_unreadable(const void *data, size_t size, const char *why)
{
    struct nw__message message;
    const nw_error *error;

    nw_test_message(&message, data, size);
    error = nw__error_read(doc, &message);
    nw__message_fini(&message);
    cr_assert(ne(ptr, (void *)error, NULL));
    expect_text(error->name, "Error");
    expect_text(error->message, why);
}

Test(error_record, what_is_no_record_becomes_an_error_that_says_so)
{
    expect_unreadable(BYTES(V15 "!"),
                      "the error could not be read: unknown tag");
    expect_unreadable(BYTES(V15 "o"),
                      "the error could not be read: truncated value");
    expect_unreadable(BYTES(V15 "p\0"),
                      "the error could not be read: shared object");
    expect_unreadable(BYTES(V15 "I\x02"),
                      "the error could not be read: not a record");
}

Test(error_record, blobs_move_into_the_document)
{
    static char memory[4];
    nw_value *record = record_make("Error", "m");
    int released = 0;
    const nw_error *error;

    nw_object_set(record, "thrown",
                  nw_value_bytes_lend(source, memory, 4, nw_test_count_release,
                                      &released));
    error = transmit(record);
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(error->thrown, NULL), memory));
    cr_expect(eq(int, released, 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released, 1));
}

Test(error_record, own_errors_copy_their_text)
{
    char name[] = "Name";
    char message[] = "message";
    const nw_error *error = nw__error_make(doc, name, "CODE", message);

    memset(name, 0, sizeof(name));
    memset(message, 0, sizeof(message));
    expect_text(error->name, "Name");
    expect_text(error->message, "message");
    expect_text(error->code, "CODE");
    expect_text(error->stack, "");
    cr_expect(eq(ptr, (void *)nw__error_make(doc, "N", NULL, "m")->code, NULL));
}

// What the pool reports is written as a record and read like a worker's.
static const nw_error *written(nw_status status, const char *message,
                               const struct nw__message *cause)
{
    struct nw__message record = {0};
    const nw_error *error;

    nw__error_write(&record, status, message, cause);
    error = nw__error_read(doc, &record);
    nw__message_fini(&record);
    cr_assert(ne(ptr, (void *)error, NULL));
    return error;
}

Test(error_record, written_error_has_its_status_as_code)
{
    const nw_error *error = written(NW_ETIMEDOUT, "too late", NULL);

    expect_text(error->name, "Error");
    expect_text(error->message, "too late");
    expect_text(error->code, "NW_ETIMEDOUT");
    cr_expect(eq(ptr, (void *)error->cause, NULL));
}

Test(error_record, written_error_keeps_its_cause)
{
    struct nw__message cause = {0};
    const nw_error *error;

    nw__error_write(&cause, NW_ECRASHED, "inner", NULL);
    error = written(NW_EFAILED, "outer", &cause);
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_text(error->cause->message, "inner");
    cr_expect(gt(sz, cause.size, 0));
    nw__message_fini(&cause);
}

Test(error_record, written_error_keeps_a_cause_of_the_newer_form)
{
    nw_value *record = nw_value_object(source);
    const nw_value *root = record;
    struct nw__message cause = {0};
    const nw_error *error;

    nw_object_set(record, "error", nw_value_error(source, "MyError", "inner"));
    cr_assert(eq(int, nw__wire_write(&cause, &root, 1, NULL, NULL), NW_OK));
    error = written(NW_EFAILED, "outer", &cause);
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_text(error->cause->name, "MyError");
    nw__message_fini(&cause);
}

// What lies beside a cause stays there, so it can only be left out.
Test(error_record, cause_that_needs_what_lies_beside_it_is_left_out)
{
    static char memory[4];
    struct nw__message cause;
    int released = 0;

    nw_test_message(&cause, BYTES(V15 "o\"\x06thrownt\x00{\x01"));
    nw_test_add_blob(&cause, memory, 4, &released);
    cr_expect(
        eq(ptr, (void *)written(NW_EFAILED, "outer", &cause)->cause, NULL));
    cr_expect(eq(int, released, 0));
    nw__message_fini(&cause);
    cr_expect(eq(int, released, 1));
}

Test(error_record, written_text_that_is_cut_within_a_character_is_readable)
{
    expect_text(written(NW_EIO, "a\xe2\x82", NULL)->message, "a??");
    expect_text(written(NW_EIO, "\xc3\xa9\xff\xe2\x82\xac", NULL)->message,
                "\xc3\xa9?\xe2\x82\xac");
}

Test(error_record, error_written_without_memory_reads_as_unreadable)
{
    nw__alloc_fail_after(0);
    expect_text(written(NW_EIO, "lost", NULL)->message,
                "the error could not be read: not a record");
}

// Leaves so many bytes in the document, and no memory for more.
static void starve(size_t left)
{
    nw_doc_destroy(doc);
    doc = nw_doc_create();
    nw__doc_alloc(doc, (size_t)(doc->end - doc->at) - left, 1);
    nw__alloc_fail_after(0);
}

Test(error_record, reading_without_memory_gives_none)
{
    const nw_error *error = NULL;
    size_t left;

    for (left = 0; error == NULL; left += 4) {
        struct nw__message message = {0};
        const nw_value *value = record_make("Error", "message");

        nw_object_set((nw_value *)value, "code", nw_value_number(source, 1));
        nw_object_set((nw_value *)value, "cause", record_make("Error", "m"));
        cr_assert(
            eq(int, nw__wire_write(&message, &value, 1, NULL, NULL), NW_OK));
        starve(left);
        error = nw__error_read(doc, &message);
        nw__alloc_fail_after(-1);
        nw__message_fini(&message);
        nw_doc_reset(source);
        cr_assert(lt(sz, left, 1800));
    }
    cr_expect(eq(int, chain_length(error), 2));
    expect_text(error->code, "1");
}

Test(error_record, making_without_memory_gives_none)
{
    const nw_error *error = NULL;
    size_t left;

    for (left = 0; error == NULL; left += 4) {
        starve(left);
        error = nw__error_make(doc, "Name", "CODE", "message");
        nw__alloc_fail_after(-1);
        cr_assert(lt(sz, left, 400));
    }
    expect_text(error->code, "CODE");
}

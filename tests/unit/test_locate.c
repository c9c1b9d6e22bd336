// Goal: every value of a JSON text is found at the line and column where it
// begins, whatever the text looks like, and a syntax error points at the token
// that is wrong.

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>

#include "batch/base.h"
#include "batch/locate.h"
#include "batch/syntax.h"
#include "tests/unit/support.h"

TestSuite(locate, .fini = nw_test_no_leaks, .timeout = 20);

static void expect_place(const char *text, const char *pointer, size_t line,
                         size_t column)
{
    struct nwpool_batch_place place;
    bool found;

    found = nwpool_batch_locate(text, strlen(text), pointer,
                                NWPOOL_BATCH_LOCATE_VALUE, &place);
    cr_expect(found, "%s is not found in %s", pointer, text);
    cr_expect(place.line == line && place.column == column,
              "%s is at %zu:%zu of %s, not at %zu:%zu", pointer, place.line,
              place.column, text, line, column);
}

static void expect_absent(const char *text, const char *pointer)
{
    struct nwpool_batch_place place;

    cr_expect(not(nwpool_batch_locate(text, strlen(text), pointer,
                                      NWPOOL_BATCH_LOCATE_VALUE, &place)),
              "%s is found in %s", pointer, text);
    cr_expect(eq(sz, place.line, 1));
    cr_expect(eq(sz, place.column, 1));
}

Test(locate, finds_members_and_items)
{
    const char *text = "{\n"
                       "  \"module\": \"./a.js\",\n"
                       "  \"input\": {\"files\": [\"a\",\n"
                       "    \"b\"]}, \"n\" :\t-1.5e3\n"
                       "}\n";

    expect_place(text, "", 1, 1);
    expect_place(text, "/module", 2, 13);
    expect_place(text, "/input", 3, 12);
    expect_place(text, "/input/files", 3, 22);
    expect_place(text, "/input/files/0", 3, 23);
    expect_place(text, "/input/files/1", 4, 5);
    expect_place(text, "/n", 4, 18);
    expect_absent(text, "/input/files/2");
    expect_absent(text, "/other");
    expect_absent(text, "/module/x");
    expect_absent(text, "/input/files/x");
}

Test(locate, finds_the_key_of_a_member)
{
    const char *text = "{\"a\": {\n \"b\" : 1}}";
    struct nwpool_batch_place place;

    cr_assert(nwpool_batch_locate(text, strlen(text), "/a/b",
                                  NWPOOL_BATCH_LOCATE_KEY, &place));
    cr_expect(eq(sz, place.line, 2));
    cr_expect(eq(sz, place.column, 2));
}

Test(locate, keys_may_need_escapes_in_text_and_pointer)
{
    const char *text = "{\"a/b\": 1, \"c~d\": 2, \"\\u0065\\n\": 3, \"\": 4,"
                       " \"\\ud83d\\ude00\": 5, \"\\u00e9\\u20ac\": 6,"
                       " \"q\\\"}\": 7}";

    expect_place(text, "/a~1b", 1, 9);
    expect_place(text, "/c~0d", 1, 19);
    expect_place(text, "/e\n", 1, 34);
    expect_place(text, "/", 1, 41);
    expect_place(text, "/\xf0\x9f\x98\x80", 1, 60);
    expect_place(text, "/\xc3\xa9\xe2\x82\xac", 1, 79);
    expect_place(text, "/q\"}", 1, 90);
}

Test(locate, skips_values_whatever_they_hold)
{
    const char *text =
        "[{\"x\": [1, {\"y\": \"]}\\\\\"}], \"z\": {}}, [], \"\\\"\","
        " null, true, -0.5, [[[]]], 8]";

    expect_place(text, "/1", 1, 38);
    expect_place(text, "/2", 1, 42);
    expect_place(text, "/5", 1, 60);
    expect_place(text, "/7", 1, 74);
}

Test(locate, columns_count_characters_not_bytes)
{
    expect_place("[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\", 1]", "/1", 1, 9);
}

Test(locate, offset_of_the_end_and_beyond)
{
    struct nwpool_batch_place place;

    place = nwpool_batch_locate_offset("ab\ncd", 5, 5);
    cr_expect(eq(sz, place.line, 2));
    cr_expect(eq(sz, place.column, 3));
    place = nwpool_batch_locate_offset("ab\ncd", 5, 99);
    cr_expect(eq(sz, place.column, 3));
}

// -- against jansson: at the place of a value, that value can be read

// The bytes from a place on.
static const char *text_at(const char *text, struct nwpool_batch_place place)
{
    for (; place.line > 1; place.line--) {
        text = strchr(text, '\n') + 1;
    }
    for (; place.column > 1; place.column--) {
        do {
            text++;
        } while (((unsigned char)*text & 0xc0) == 0x80);
    }
    return text;
}

// Checks `value`, which stands at `pointer`, and all that it holds. Returns how
// many values that are.
static int check_value(const char *text, const char *pointer,
                       const json_t *value)
{
    struct nwpool_batch_place place;
    const char *at;
    const char *key;
    char *below;
    json_t *read;
    json_t *item;
    size_t index;
    int count = 1;

    cr_assert(nwpool_batch_locate(text, strlen(text), pointer,
                                  NWPOOL_BATCH_LOCATE_VALUE, &place),
              "%s is not found", pointer);
    at = text_at(text, place);
    read = json_loads(at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
    cr_expect(json_equal(read, value), "%s is not at %.20s", pointer, at);
    json_decref(read);

    json_array_foreach((json_t *)value, index, item)
    {
        below = nwpool_batch_format("%s/%zu", pointer, index);
        count += check_value(text, below, item);
        free(below);
    }
    json_object_foreach((json_t *)value, key, item)
    {
        below = nwpool_batch_format("%s/%s", pointer, key);
        count += check_value(text, below, item);
        free(below);
    }
    return count;
}

// A small generator; its own, so that a failure can be repeated.
static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245 + 12345;
    return *state >> 16 & 0x7fff;
}

static void make_space(struct nwpool_batch_text *out, unsigned *state)
{
    static const char *const spaces[] = {"", "", " ", "\n", "\t", "\r\n  "};

    nwpool_batch_text_puts(out, spaces[next_random(state) % 6]);
}

static void make_value(struct nwpool_batch_text *out, unsigned *state,
                       int depth)
{
    static const char *const scalars[] = {
        "1",    "-2.5e-3", "true", "null",          "\"x\"",
        "\"\"", "\"]\"",   "{}",   "\"\\\"}\\\\\"", "\"\xe2\x82\xac\""};
    unsigned kind = next_random(state) % 4;
    unsigned size = next_random(state) % 5;

    make_space(out, state);
    if (depth == 0 || kind > 1 || size == 0) {
        nwpool_batch_text_puts(out, scalars[next_random(state) % 10]);
        make_space(out, state);
        return;
    }
    nwpool_batch_text_puts(out, kind == 0 ? "[" : "{");
    for (unsigned i = 0; i < size; i++) {
        nwpool_batch_text_puts(out, i > 0 ? "," : "");
        if (kind == 1) {
            make_space(out, state);
            nwpool_batch_text_printf(out, "\"k\xc3\xa9%u\"", i);
            make_space(out, state);
            nwpool_batch_text_puts(out, ":");
        }
        make_value(out, state, depth - 1);
    }
    nwpool_batch_text_puts(out, kind == 0 ? "]" : "}");
    make_space(out, state);
}

Test(locate, agrees_with_jansson_on_random_documents)
{
    unsigned state = 1;
    int values = 0;

    for (int i = 0; i < 500; i++) {
        struct nwpool_batch_text text = {0};
        json_t *json;

        make_value(&text, &state, 6);
        json = json_loads(text.data, JSON_DECODE_ANY, NULL);
        cr_assert(json != NULL, "the generator made %s", text.data);
        values += check_value(text.data, "", json);
        json_decref(json);
        nwpool_batch_text_fini(&text);
    }
    cr_expect(values > 2000, "only %d values were checked", values);
}

// A job file is parsed before it is walked, but nothing relies on that.
Test(locate, reads_nothing_beyond_the_end_of_a_torn_text)
{
    const char *text = "{\"a\": [1, {\"b\\u00e9\\ud83d\\ude00\": \"c\\\"\"}],"
                       " \"d\": \"e\"}";
    const char *const pointers[] = {"/a/1/b\xc3\xa9\xf0\x9f\x98\x80", "/d",
                                    "/a/7", "/x", "/a/0/0"};
    struct nwpool_batch_place place;

    for (size_t size = 0; size <= strlen(text); size++) {
        // A copy of just that size lets a sanitizer or valgrind see.
        char *torn = memcpy(nwpool_batch_alloc(size), text, size);

        for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
            nwpool_batch_locate(torn, size, pointers[i],
                                NWPOOL_BATCH_LOCATE_KEY, &place);
        }
        for (size_t end = 0; end <= size + 1; end++) {
            cr_expect(nwpool_batch_locate_token(torn, size, end) <= size);
        }
        free(torn);
    }
}

// -- syntax errors

static void expect_error(const char *text, size_t line, size_t column,
                         const char *message)
{
    struct nwpool_batch_syntax_error error;
    json_t *json = nwpool_batch_syntax_parse(text, strlen(text),
                                             JSON_REJECT_DUPLICATES, &error);

    cr_assert(json == NULL, "no error in %s", text);
    cr_expect(error.place.line == line && error.place.column == column,
              "the error in %s is at %zu:%zu, not at %zu:%zu", text,
              error.place.line, error.place.column, line, column);
    cr_expect(strstr(error.message, message) != NULL,
              "the error in %s is \"%s\", not \"%s\"", text, error.message,
              message);
    free(error.message);
}

Test(locate, syntax_errors_point_at_the_token_that_is_wrong)
{
    expect_error("{\n  \"a\": tru\n}", 2, 8, "no JSON value near 'tru'");
    expect_error("{\"a\":1 \"bcd\":2}", 1, 8, "',' or '}' is expected");
    expect_error("[1 2]", 1, 4, "',' or ']' is expected near '2'");
    expect_error("{\"a\" 1}", 1, 6, "':' is expected");
    expect_error("{a:1}", 1, 2, "a key in double quotes");
    expect_error("{'a':1}", 1, 2, "a key in double quotes");
    expect_error("{\"a\":1,}", 1, 8, "no comma before '}'");
    expect_error("[1,]", 1, 4, "no comma before ']'");
    expect_error("{\"a\":1,\n // x\n \"b\":2}", 2, 2, "no comments");
    expect_error("[1, // x\n2]", 1, 5, "no comments");
    expect_error("{\"ab\":1,\n \"ab\":2}", 2, 2, "duplicate key near '\"ab\"'");
    expect_error("{} x", 1, 4, "more text than one JSON value");
    expect_error("\xc3\xa9", 1, 1, "no JSON value");
    expect_error("[18446744073709551616]", 1, 2, "too big integer");
}

Test(locate, an_error_inside_a_string_points_into_it)
{
    expect_error("[\"x\\q\"]", 1, 5, "invalid escape");
    expect_error("[\"a\tb\"]", 1, 3, "control character");
    expect_error("[\"abc\n\"]", 1, 5, "its quote is missing");
    expect_error("[\"ab\xff\"]", 1, 4, "unable to decode byte 0xff");
}

Test(locate, a_text_that_ends_early_points_at_its_end)
{
    expect_error("{\n  \"a\": 1\n\n", 2, 9, "',' or '}' is expected");
    expect_error("[\"abc", 1, 6, "the text ends inside a string");
    expect_error("", 1, 1, "a value is expected");
    expect_error(" \n ", 1, 1, "a value is expected");
}

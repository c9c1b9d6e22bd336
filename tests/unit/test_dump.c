// Goal: what is written is JSON, on one line, and reads back as the same
// value; numbers look as people write them.

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "batch/dump.h"
#include "tests/unit/support.h"

TestSuite(dump, .fini = nw_test_no_leaks, .timeout = 20);

// Takes over `json`.
static void expect_dump(json_t *json, const char *expected)
{
    struct nwpool_batch_text text = {0};

    nwpool_batch_dump(&text, json);
    cr_expect(eq(str, text.data, (char *)expected));
    nwpool_batch_text_fini(&text);
    json_decref(json);
}

static void expect_string(const char *data, size_t size, const char *expected)
{
    struct nwpool_batch_text text = {0};

    nwpool_batch_dump_string(&text, data, size);
    cr_expect(eq(str, text.data, (char *)expected));
    nwpool_batch_text_fini(&text);
}

Test(dump, every_type)
{
    expect_dump(json_loads("{\"b\": [1, -2.5, true, false, null, \"x\", [], "
                           "{}], \"a\": {\"\": 9007199254740993}}",
                           0, NULL),
                "{\"b\":[1,-2.5,true,false,null,\"x\",[],{}],"
                "\"a\":{\"\":9007199254740993}}");
}

Test(dump, numbers_have_no_needless_digits)
{
    expect_dump(json_real(0.1), "0.1");
    expect_dump(json_real(1), "1");
    expect_dump(json_real(-0.0), "-0");
    expect_dump(json_real(1.0 / 3), "0.3333333333333333");
    expect_dump(json_real(1e21), "1e+21");
    expect_dump(json_real(18446744073709551616.0), "1.8446744073709552e+19");
}

Test(dump, numbers_read_back_as_they_were)
{
    uint64_t state = 1;

    for (int i = 0; i < 200000; i++) {
        struct nwpool_batch_text text = {0};
        double number;
        json_t *json;

        state = state * 6364136223846793005 + 1442695040888963407;
        memcpy(&number, &state, sizeof(number));
        if (!isfinite(number)) {
            continue;
        }
        json = json_real(number);
        nwpool_batch_dump(&text, json);
        cr_assert(eq(dbl, strtod(text.data, NULL), number), "%s", text.data);
        json_decref(json);
        nwpool_batch_text_fini(&text);
    }
}

Test(dump, strings_are_escaped_where_json_wants_it)
{
    expect_string("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    expect_string("\b\f\n\r\t\v\x01\x1f\x7f", 9,
                  "\"\\b\\f\\n\\r\\t\\u000b\\u0001\\u001f\x7f\"");
    expect_string("a\0b", 3, "\"a\\u0000b\"");
    expect_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    expect_string("", 0, "\"\"");
}

#define U "\xef\xbf\xbd"

Test(dump, what_is_no_utf8_is_replaced)
{
    expect_string("a\xff"
                  "b",
                  3, "\"a" U "b\"");
    expect_string("\xc3", 1, "\"" U "\"");
    expect_string("\xe2\x82", 2, "\"" U U "\"");
    expect_string("\xc0\x80", 2, "\"" U U "\"");             // Overlong.
    expect_string("\xe0\x9f\xbf", 3, "\"" U U U "\"");       // Overlong.
    expect_string("\xed\xa0\x80", 3, "\"" U U U "\"");       // A surrogate.
    expect_string("\xf4\x90\x80\x80", 4, "\"" U U U U "\""); // Too large.
    expect_string("\xf5", 1, "\"" U "\"");
}

// Strings of random bytes: jansson, which is strict, must read them.
Test(dump, random_bytes_become_valid_json)
{
    unsigned state = 7;

    for (int i = 0; i < 50000; i++) {
        struct nwpool_batch_text text = {0};
        char bytes[12];
        json_t *json;

        for (size_t j = 0; j < sizeof(bytes); j++) {
            state = state * 1103515245 + 12345;
            // Mostly lead and continuation bytes.
            bytes[j] = (char)((state >> 16 & 0xff) | (state >> 8 & 0x80));
        }
        nwpool_batch_dump_string(&text, bytes, sizeof(bytes));
        json = json_loads(text.data, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        cr_assert(ne(ptr, json, NULL), "%s", text.data);
        json_decref(json);
        nwpool_batch_text_fini(&text);
    }
}

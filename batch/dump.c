// JSON text from json_t, on one line.
//
// Recursion is bounded: jansson refuses to read, and the library to convert,
// what is nested deeper than a thousand or two.

#include "batch/dump.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

// Bytes of the UTF-8 character at `at`, or 0 when there is none.
static size_t utf8_size(const unsigned char *at, size_t left)
{
    size_t size;

    if (at[0] < 0x80) {
        return 1;
    }
    size = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    // Overlong forms, surrogates, and what lies beyond U+10FFFF.
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return size;
}

static void dump_escape(struct nwpool_batch_text *out, unsigned char byte)
{
    static const char letters[] = "btnvfr"; // 8 to 13; JSON has no \v.

    if (byte == '"' || byte == '\\') {
        nwpool_batch_text_printf(out, "\\%c", byte);
    } else if (byte >= 8 && byte <= 13 && byte != 11) {
        nwpool_batch_text_printf(out, "\\%c", letters[byte - 8]);
    } else {
        nwpool_batch_text_printf(out, "\\u%04x", byte);
    }
}

void nwpool_batch_dump_string(struct nwpool_batch_text *out, const char *data,
                              size_t size)
{
    const unsigned char *at = (const unsigned char *)data;
    const unsigned char *end = at + size;
    const unsigned char *plain = at; // Not written yet, needs no escape.
    size_t step;

    nwpool_batch_text_append(out, "\"", 1);
    while (at < end) {
        step = utf8_size(at, (size_t)(end - at));
        if (step > 0 && *at >= 0x20 && *at != '"' && *at != '\\') {
            at += step;
            continue;
        }
        nwpool_batch_text_append(out, plain, (size_t)(at - plain));
        if (step == 0) {
            nwpool_batch_text_puts(out, replacement);
        } else {
            dump_escape(out, *at);
        }
        at++;
        plain = at;
    }
    nwpool_batch_text_append(out, plain, (size_t)(at - plain));
    nwpool_batch_text_append(out, "\"", 1);
}

static void dump_real(struct nwpool_batch_text *out, double number)
{
    char digits[40];

    if (!isfinite(number)) {
        nwpool_batch_text_puts(out, "null");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, number);
        if (strtod(digits, NULL) == number) {
            break;
        }
    }
    nwpool_batch_text_puts(out, digits);
}

static void dump_array(struct nwpool_batch_text *out, const json_t *array)
{
    size_t index;
    json_t *item;

    nwpool_batch_text_puts(out, "[");
    json_array_foreach((json_t *)array, index, item)
    {
        if (index > 0) {
            nwpool_batch_text_puts(out, ",");
        }
        nwpool_batch_dump(out, item);
    }
    nwpool_batch_text_puts(out, "]");
}

static void dump_object(struct nwpool_batch_text *out, const json_t *object)
{
    const char *separator = "";
    const char *key;
    size_t key_size;
    json_t *value;

    nwpool_batch_text_puts(out, "{");
    json_object_keylen_foreach((json_t *)object, key, key_size, value)
    {
        nwpool_batch_text_puts(out, separator);
        separator = ",";
        nwpool_batch_dump_string(out, key, key_size);
        nwpool_batch_text_puts(out, ":");
        nwpool_batch_dump(out, value);
    }
    nwpool_batch_text_puts(out, "}");
}

void nwpool_batch_dump(struct nwpool_batch_text *out, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        dump_object(out, json);
        break;
    case JSON_ARRAY:
        dump_array(out, json);
        break;
    case JSON_STRING:
        nwpool_batch_dump_string(out, json_string_value(json),
                                 json_string_length(json));
        break;
    case JSON_INTEGER:
        nwpool_batch_text_printf(out, "%lld",
                                 (long long)json_integer_value(json));
        break;
    case JSON_REAL:
        dump_real(out, json_real_value(json));
        break;
    case JSON_TRUE:
        nwpool_batch_text_puts(out, "true");
        break;
    case JSON_FALSE:
        nwpool_batch_text_puts(out, "false");
        break;
    case JSON_NULL:
        nwpool_batch_text_puts(out, "null");
        break;
    }
}

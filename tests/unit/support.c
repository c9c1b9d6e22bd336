#include "tests/unit/support.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define TEXT_SIZE 65536
#define DEPTH_MAX 64

struct sink {
    char text[TEXT_SIZE];
    size_t size;
    const nw_value *path[DEPTH_MAX];
    size_t depth;
};

// Present only in a build with AddressSanitizer.
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void put(struct sink *sink, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct sink *sink, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(sink->text + sink->size, TEXT_SIZE - sink->size, format,
                     arguments);
    va_end(arguments);
    cr_assert(size >= 0 && (size_t)size < TEXT_SIZE - sink->size);
    sink->size += (size_t)size;
}

static void put_quoted(struct sink *sink, const char *text, size_t size)
{
    put(sink, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\') {
            put(sink, "%c", byte);
        } else {
            put(sink, "\\x%02x", byte);
        }
    }
    put(sink, "\"");
}

static void put_number(struct sink *sink, double number)
{
    if (number == 0 && signbit(number)) {
        put(sink, "-0");
    } else if (isnan(number)) {
        put(sink, "NaN");
    } else {
        put(sink, "%.17g", number);
    }
}

static void put_value(struct sink *sink, const nw_value *value);

static void put_children(struct sink *sink, const nw_value *value)
{
    bool is_object = nw_value_type(value) == NW_TYPE_OBJECT;

    put(sink, is_object ? "{" : "[");
    for (size_t i = 0; i < nw_value_size(value); i++) {
        put(sink, i == 0 ? "" : ", ");
        if (is_object) {
            const char *key;
            size_t key_size;
            const nw_value *member = nw_object_at(value, i, &key, &key_size);

            put_quoted(sink, key, key_size);
            put(sink, ": ");
            put_value(sink, member);
        } else {
            put_value(sink, nw_array_get(value, i));
        }
    }
    put(sink, is_object ? "}" : "]");
}

static void put_container(struct sink *sink, const nw_value *value)
{
    for (size_t i = sink->depth; i > 0; i--) {
        if (sink->path[i - 1] == value) {
            put(sink, "^%zu", sink->depth - i);
            return;
        }
    }
    cr_assert(lt(sz, sink->depth, DEPTH_MAX));
    sink->path[sink->depth++] = value;
    put_children(sink, value);
    sink->depth--;
}

static void put_bytes(struct sink *sink, const nw_value *value)
{
    size_t size;
    const uint8_t *bytes = nw_value_get_bytes(value, &size);

    put(sink, "<");
    for (size_t i = 0; i < size; i++) {
        put(sink, "%02x", bytes[i]);
    }
    put(sink, ">");
}

static void put_value(struct sink *sink, const nw_value *value)
{
    const char *text;
    size_t size;

    switch (nw_value_type(value)) {
    case NW_TYPE_UNDEFINED:
        put(sink, value == NULL ? "(none)" : "undefined");
        return;
    case NW_TYPE_NULL:
        put(sink, "null");
        return;
    case NW_TYPE_BOOL:
        put(sink, nw_value_get_bool(value) ? "true" : "false");
        return;
    case NW_TYPE_NUMBER:
        put_number(sink, nw_value_get_number(value));
        return;
    case NW_TYPE_STRING:
        text = nw_value_get_string(value, &size);
        put_quoted(sink, text, size);
        return;
    case NW_TYPE_BYTES:
        put_bytes(sink, value);
        return;
    case NW_TYPE_ARRAY:
    case NW_TYPE_OBJECT:
        put_container(sink, value);
        return;
    }
    cr_fatal("a value of no type");
}

const char *nw_test_text(const nw_value *value)
{
    // Two, so that the texts of two values can be compared.
    static struct sink sinks[2];
    static unsigned calls;
    struct sink *sink = &sinks[calls++ % 2];

    sink->size = 0;
    sink->depth = 0;
    put_value(sink, value);
    return sink->text;
}

void nw_test_no_leaks(void)
{
    if (__lsan_do_recoverable_leak_check != NULL &&
        __lsan_do_recoverable_leak_check() != 0) {
        // Criterion counts no assertion behind the end of a test, but a crash
        // there makes the program fail.
        abort();
    }
}

void nw_test_count_release(void *data, size_t size, void *hint)
{
    (void)data;
    (void)size;
    (*(int *)hint)++;
}

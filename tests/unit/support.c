#include "tests/unit/support.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <nwpool/error.h>

#include "src/value.h"

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

static void put_members(struct sink *sink, const nw_value *object,
                        const char *separator)
{
    for (size_t i = 0; i < nw_value_size(object); i++) {
        const char *key;
        size_t key_size;
        const nw_value *member = nw_object_at(object, i, &key, &key_size);

        put(sink, "%s", i == 0 ? separator : ", ");
        put_quoted(sink, key, key_size);
        put(sink, ": ");
        put_value(sink, member);
    }
}

static void put_array(struct sink *sink, const nw_value *array)
{
    size_t size = nw_value_size(array);

    put(sink, "[");
    for (size_t i = 0; i < size; i++) {
        put(sink, i == 0 ? "" : ", ");
        if (nw_array_is_hole(array, i)) {
            put(sink, "-");
        } else {
            put_value(sink, nw_array_get(array, i));
        }
    }
    put_members(sink, nw_array_properties(array), size == 0 ? "" : ", ");
    put(sink, "]");
}

static void put_map(struct sink *sink, const nw_value *map)
{
    put(sink, "Map{");
    for (size_t i = 0; i < nw_value_size(map); i++) {
        const nw_value *key;
        const nw_value *value = nw_map_at(map, i, &key);

        put(sink, i == 0 ? "" : ", ");
        put_value(sink, key);
        put(sink, " => ");
        put_value(sink, value);
    }
    put(sink, "}");
}

static void put_set(struct sink *sink, const nw_value *set)
{
    put(sink, "Set{");
    for (size_t i = 0; i < nw_value_size(set); i++) {
        put(sink, i == 0 ? "" : ", ");
        put_value(sink, nw_set_at(set, i));
    }
    put(sink, "}");
}

// The chain of causes hides what a cause is, so the parts are shown.
static void put_error(struct sink *sink, const nw_value *value)
{
    const nw_error *error = nw_value_get_error(value);
    const nw_value *cause = value->as.error->cause;

    put(sink, "%s(", error->name);
    put_quoted(sink, error->message, strlen(error->message));
    if (error->stack[0] != '\0') {
        put(sink, ", stack ");
        put_quoted(sink, error->stack, strlen(error->stack));
    }
    if (error->code != NULL) {
        put(sink, ", code %s", error->code);
    }
    if (cause != NULL) {
        put(sink, ", cause ");
        put_value(sink, cause);
    }
    if (error->errors != NULL) {
        put(sink, ", errors ");
        put_value(sink, error->errors);
    }
    if (error->properties != NULL) {
        put(sink, ", ");
        put_value(sink, error->properties);
    }
    put(sink, ")");
}

static void put_children(struct sink *sink, const nw_value *value)
{
    switch (nw_value_type(value)) {
    case NW_TYPE_ARRAY:
        put_array(sink, value);
        return;
    case NW_TYPE_MAP:
        put_map(sink, value);
        return;
    case NW_TYPE_SET:
        put_set(sink, value);
        return;
    case NW_TYPE_ERROR:
        put_error(sink, value);
        return;
    default:
        put(sink, "{");
        put_members(sink, value, "");
        put(sink, "}");
        return;
    }
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

    // Uint8Array is what most bytes are.
    if (nw_value_view(value) != NW_VIEW_UINT8) {
        put(sink, "%s", nw_view_name(nw_value_view(value)));
    }
    put(sink, "<");
    for (size_t i = 0; i < size; i++) {
        put(sink, "%02x", bytes[i]);
    }
    put(sink, ">");
}

static void put_bigint(struct sink *sink, const nw_value *value)
{
    bool negative;
    size_t count;
    const uint64_t *words = nw_value_get_bigint_words(value, &negative, &count);

    put(sink, negative ? "-" : "");
    if (count <= 1) {
        put(sink, "%" PRIu64 "n", count == 0 ? 0 : words[0]);
        return;
    }
    put(sink, "0x%" PRIx64, words[count - 1]);
    for (size_t i = count - 1; i > 0; i--) {
        put(sink, "%016" PRIx64, words[i - 1]);
    }
    put(sink, "n");
}

static void put_value(struct sink *sink, const nw_value *value)
{
    const char *flags;
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
    case NW_TYPE_MAP:
    case NW_TYPE_SET:
    case NW_TYPE_ERROR:
        put_container(sink, value);
        return;
    case NW_TYPE_BIGINT:
        put_bigint(sink, value);
        return;
    case NW_TYPE_DATE:
        put(sink, "Date(");
        put_number(sink, nw_value_get_date(value));
        put(sink, ")");
        return;
    case NW_TYPE_REGEXP:
        text = nw_value_get_regexp(value, &flags);
        put(sink, "/%s/%s", text, flags);
        return;
    case NW_TYPE_BOXED:
        put(sink, "Object(");
        put_value(sink, nw_value_unbox(value));
        put(sink, ")");
        return;
    case NW_TYPE_PORT:
    case NW_TYPE_HOST:
        put(sink, "#%s", nw_value_get_host_type(value));
        return;
    case NW_TYPE_WASM_MODULE:
        put(sink, "#Module");
        return;
    case NW_TYPE_WASM_MEMORY:
        nw_shared_data(nw_value_get_shared(value), &size);
        put(sink, "#Memory(%zu)", size);
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

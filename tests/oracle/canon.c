#include "tests/oracle/canon.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nwpool/error.h>

#define CAUSES_MAX  16
#define INDEX_LIMIT UINT32_MAX // Array indices are less than this.

struct nw_canon_slot {
    const void *object; // NULL: free.
    size_t id;
};

static void show(struct nw_canon *canon, const nw_value *value);

// -- text

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void put_n(struct nw_canon *canon, const char *text, size_t size)
{
    if (canon->capacity - canon->size <= size) {
        canon->capacity = 2 * (canon->size + size) + 256;
        canon->text = need(realloc(canon->text, canon->capacity));
    }
    memcpy(canon->text + canon->size, text, size);
    canon->size += size;
    canon->text[canon->size] = '\0';
}

static void put(struct nw_canon *canon, const char *text)
{
    put_n(canon, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void
put_format(struct nw_canon *canon, const char *format, ...)
{
    char text[128];
    va_list arguments;

    va_start(arguments, format);
    put_n(canon, text,
          (size_t)vsnprintf(text, sizeof(text), format, arguments));
    va_end(arguments);
}

static void put_hex(struct nw_canon *canon, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        char pair[] = {digits[data[i] >> 4], digits[data[i] & 15]};

        put_n(canon, pair, sizeof(pair));
    }
}

// The code point at `text`, which is valid UTF-8; its size in *size.
static uint32_t code_point(const uint8_t *text, size_t *size)
{
    static const uint8_t sizes[16] = {1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 2, 2, 3, 4};
    uint32_t code = text[0];

    *size = sizes[code >> 4];
    if (*size > 1) {
        code &= 0xFFu >> (*size + 1);
    }
    for (size_t i = 1; i < *size; i++) {
        code = code << 6 | (text[i] & 0x3Fu);
    }
    return code;
}

static void put_quoted(struct nw_canon *canon, const char *text, size_t size)
{
    size_t step;

    put(canon, "\"");
    for (size_t i = 0; i < size; i += step) {
        uint32_t code = code_point((const uint8_t *)text + i, &step);

        if (code >= ' ' && code <= '~' && code != '"' && code != '\\') {
            put_n(canon, text + i, 1);
        } else {
            put_format(canon, "\\{%" PRIx32 "}", code);
        }
    }
    put(canon, "\"");
}

static void put_quoted_text(struct nw_canon *canon, const char *text)
{
    put_quoted(canon, text, strlen(text));
}

static void put_number(struct nw_canon *canon, double number)
{
    uint64_t bits;

    if (isnan(number)) {
        put(canon, "NaN");
    } else if (number >= INT32_MIN && number <= INT32_MAX &&
               number == trunc(number)) {
        put_format(canon, signbit(number) && number == 0 ? "-0" : "%.0f",
                   number);
    } else {
        memcpy(&bits, &number, sizeof(bits));
        put_format(canon, "%016" PRIx64, bits);
    }
}

// -- identity

static struct nw_canon_slot *slot_of(const struct nw_canon *canon,
                                     const void *object)
{
    size_t mask = canon->slot_capacity - 1;
    size_t at =
        (uint64_t)(uintptr_t)object * UINT64_C(0x9E3779B97F4A7C15) >> 40 & mask;

    while (canon->slots[at].object != NULL &&
           canon->slots[at].object != object) {
        at = (at + 1) & mask;
    }
    return &canon->slots[at];
}

static void slots_grow(struct nw_canon *canon)
{
    struct nw_canon_slot *old = canon->slots;
    size_t old_capacity = canon->slot_capacity;

    canon->slot_capacity = old_capacity == 0 ? 64 : 2 * old_capacity;
    canon->slots = need(calloc(canon->slot_capacity, sizeof(*old)));
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].object != NULL) {
            *slot_of(canon, old[i].object) = old[i];
        }
    }
    free(old);
}

// Shows the id of the object; true when it was met before.
static bool show_id(struct nw_canon *canon, const void *object)
{
    struct nw_canon_slot *slot;

    if (2 * canon->slot_count >= canon->slot_capacity) {
        slots_grow(canon);
    }
    slot = slot_of(canon, object);
    if (slot->object != NULL) {
        put_format(canon, "^%zu", slot->id);
        return true;
    }
    *slot = (struct nw_canon_slot){object, canon->next_id++};
    canon->slot_count++;
    put_format(canon, "#%zu ", slot->id);
    return false;
}

// -- what has parts

static void show_separator(struct nw_canon *canon, size_t index)
{
    if (index > 0) {
        put(canon, ", ");
    }
}

struct member {
    const char *key;
    size_t key_size;
    const nw_value *value;
    uint64_t index; // INDEX_LIMIT for a key that is none.
    size_t order;
};

static uint64_t index_of(const char *key, size_t size)
{
    uint64_t index = 0;

    if (size == 0 || size > 10 || (key[0] == '0' && size > 1)) {
        return INDEX_LIMIT;
    }
    for (size_t i = 0; i < size; i++) {
        if (key[i] < '0' || key[i] > '9') {
            return INDEX_LIMIT;
        }
        index = index * 10 + (uint64_t)(key[i] - '0');
    }
    return index < INDEX_LIMIT ? index : INDEX_LIMIT;
}

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;

    if (a->index != b->index) {
        return a->index < b->index ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

static void show_members(struct nw_canon *canon, const nw_value *object)
{
    size_t count = nw_value_size(object);
    struct member *members = need(calloc(count + 1, sizeof(*members)));

    for (size_t i = 0; i < count; i++) {
        struct member *member = &members[i];

        member->value =
            nw_object_at(object, i, &member->key, &member->key_size);
        member->index = index_of(member->key, member->key_size);
        member->order = i;
    }
    qsort(members, count, sizeof(*members), compare_members);
    for (size_t i = 0; i < count; i++) {
        show_separator(canon, i);
        put_quoted(canon, members[i].key, members[i].key_size);
        put(canon, ": ");
        show(canon, members[i].value);
    }
    free(members);
}

static void show_items(struct nw_canon *canon, const nw_value *array)
{
    size_t count = nw_value_size(array);
    size_t holes;

    canon->items += count;
    for (size_t i = 0; i<count; i += holes> 0 ? holes : 1) {
        if (i > canon->items_max && i < count - canon->items_max) {
            put(canon, ", ...");
            i = count - canon->items_max;
        }
        show_separator(canon, i);
        for (holes = 0; i + holes < count && holes <= canon->items_max &&
                        nw_array_is_hole(array, i + holes);) {
            holes++;
        }
        if (holes > 0) {
            put_format(canon, "hole*%zu", holes);
        } else {
            show(canon, nw_array_get(array, i));
        }
    }
}

static void show_array(struct nw_canon *canon, const nw_value *array)
{
    const nw_value *properties = nw_array_properties(array);

    put(canon, "[");
    show_items(canon, array);
    if (properties != NULL && nw_value_size(properties) > 0) {
        put(canon, "; ");
        show_members(canon, properties);
    }
    put(canon, "]");
}

static void show_map(struct nw_canon *canon, const nw_value *map)
{
    const nw_value *key;

    put(canon, "Map{");
    for (size_t i = 0; i < nw_value_size(map); i++) {
        const nw_value *value = nw_map_at(map, i, &key);

        show_separator(canon, i);
        show(canon, key);
        put(canon, " => ");
        show(canon, value);
    }
    put(canon, "}");
}

static void show_set(struct nw_canon *canon, const nw_value *set)
{
    put(canon, "Set{");
    for (size_t i = 0; i < nw_value_size(set); i++) {
        show_separator(canon, i);
        show(canon, nw_set_at(set, i));
    }
    put(canon, "}");
}

// -- bytes

static void show_buffer(struct nw_canon *canon, const nw_value *value)
{
    size_t size;
    const uint8_t *data = nw_value_get_bytes(value, &size);

    put(canon, nw_view_name(nw_value_view(value)));
    put(canon, " <");
    put_hex(canon, data, size);
    put(canon, ">");
}

static void show_bytes(struct nw_canon *canon, const nw_value *value)
{
    nw_view view = nw_value_view(value);
    size_t offset = 0;
    const nw_value *buffer = nw_value_buffer(value, &offset);
    size_t size;
    const uint8_t *data = nw_value_get_bytes(value, &size);

    if (view == NW_VIEW_ARRAY_BUFFER || view == NW_VIEW_SHARED_ARRAY_BUFFER) {
        show_buffer(canon, value);
        return;
    }
    put_format(canon, "%s %zu+%zu of ", nw_view_name(view), offset, size);
    if (buffer != NULL) {
        if (!show_id(canon, buffer)) {
            show_buffer(canon, buffer);
        }
        return;
    }
    // In JavaScript it has a buffer, which nobody else knows.
    put_format(canon, "#%zu ArrayBuffer <", canon->next_id++);
    put_hex(canon, data, size);
    put(canon, ">");
}

// -- errors

struct chain {
    const struct chain *outer;
    const nw_error *error;
    int length;
};

static bool is_in_chain(const struct chain *chain, const nw_error *error)
{
    for (; chain != NULL; chain = chain->outer) {
        if (chain->error == error) {
            return true;
        }
    }
    return false;
}

static void show_error(struct nw_canon *canon, const nw_error *error,
                       const struct chain *outer)
{
    const struct chain chain = {outer, error,
                                outer == NULL ? 1 : outer->length + 1};
    const nw_error *cause = error->cause;

    canon->errors++;
    put_quoted_text(canon, error->name);
    put(canon, "(");
    put_quoted_text(canon, error->message);
    put(canon, ", stack ");
    put_quoted_text(canon, error->stack);
    if (error->code != NULL) {
        put(canon, ", code ");
        put_quoted_text(canon, error->code);
    }
    if (cause != NULL && cause->thrown != NULL) {
        put(canon, ", cause ");
        show(canon, cause->thrown);
    } else if (cause != NULL && chain.length < CAUSES_MAX &&
               !is_in_chain(&chain, cause)) {
        put(canon, ", cause ");
        show_error(canon, cause, &chain);
    }
    if (error->errors != NULL) {
        put(canon, ", errors ");
        show(canon, error->errors);
    }
    if (error->properties != NULL) {
        put(canon, ", properties {");
        show_members(canon, error->properties);
        put(canon, "}");
    }
    put(canon, ")");
}

// -- everything

static void show_bigint(struct nw_canon *canon, const nw_value *value)
{
    bool negative;
    size_t count;
    const uint64_t *words = nw_value_get_bigint_words(value, &negative, &count);

    put(canon, negative ? "-0x" : "0x");
    if (count == 0) {
        put(canon, "0");
    }
    for (size_t i = count; i-- > 0;) {
        put_format(canon, i + 1 == count ? "%" PRIx64 : "%016" PRIx64,
                   words[i]);
    }
    put(canon, "n");
}

static void show_regexp(struct nw_canon *canon, const nw_value *value)
{
    const char *flags;
    const char *source = nw_value_get_regexp(value, &flags);

    put(canon, "RegExp(");
    put_quoted_text(canon, source);
    put(canon, ", ");
    put_quoted_text(canon, flags);
    put(canon, ")");
}

static void show_object(struct nw_canon *canon, const nw_value *value)
{
    switch (nw_value_type(value)) {
    case NW_TYPE_ARRAY:
        show_array(canon, value);
        return;
    case NW_TYPE_OBJECT:
        put(canon, "{");
        show_members(canon, value);
        put(canon, "}");
        return;
    case NW_TYPE_BYTES:
        show_bytes(canon, value);
        return;
    case NW_TYPE_DATE:
        put(canon, "Date(");
        put_number(canon, nw_value_get_date(value));
        put(canon, ")");
        return;
    case NW_TYPE_REGEXP:
        show_regexp(canon, value);
        return;
    case NW_TYPE_MAP:
        show_map(canon, value);
        return;
    case NW_TYPE_SET:
        show_set(canon, value);
        return;
    case NW_TYPE_ERROR:
        show_error(canon, nw_value_get_error(value), NULL);
        return;
    case NW_TYPE_BOXED:
        put(canon, "Object(");
        show(canon, nw_value_unbox(value));
        put(canon, ")");
        return;
    default:
        put(canon, nw_type_name(nw_value_type(value)));
        return;
    }
}

static void show(struct nw_canon *canon, const nw_value *value)
{
    const char *text;
    size_t size;

    switch (nw_value_type(value)) {
    case NW_TYPE_UNDEFINED:
    case NW_TYPE_NULL:
        put(canon, nw_type_name(nw_value_type(value)));
        return;
    case NW_TYPE_BOOL:
        put(canon, nw_value_get_bool(value) ? "true" : "false");
        return;
    case NW_TYPE_NUMBER:
        put_number(canon, nw_value_get_number(value));
        return;
    case NW_TYPE_STRING:
        text = nw_value_get_string(value, &size);
        put_quoted(canon, text, size);
        return;
    case NW_TYPE_BIGINT:
        show_bigint(canon, value);
        return;
    default:
        if (!show_id(canon, value)) {
            show_object(canon, value);
        }
        return;
    }
}

void nw_canon_init(struct nw_canon *canon)
{
    memset(canon, 0, sizeof(*canon));
    canon->items_max = SIZE_MAX / 2;
}

void nw_canon_fini(struct nw_canon *canon)
{
    free(canon->text);
    free(canon->slots);
}

const char *nw_canon_text(struct nw_canon *canon, const nw_value *const *values,
                          size_t count)
{
    canon->size = 0;
    canon->items = 0;
    canon->errors = 0;
    canon->slot_count = 0;
    canon->next_id = 0;
    if (canon->slot_capacity > 0) {
        memset(canon->slots, 0, canon->slot_capacity * sizeof(*canon->slots));
    }
    put(canon, "");
    for (size_t i = 0; i < count; i++) {
        show(canon, values[i]);
        put(canon, "\n");
    }
    return canon->text;
}

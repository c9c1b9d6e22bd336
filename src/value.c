// Values: makers and readers of what has no parts. Bytes are in bytes.c, BigInts
// in bigint.c, containers in container.c and collection.c, errors in
// error_value.c.
//
// Invariants
//   A maker either returns a value or marks the document; there is no third
//   outcome, so that makers can be nested unchecked.
//   Text is valid UTF-8 without exception: it is checked where it enters, and
//   everything behind relies on it.
//   Constants (undefined, null, booleans) are one value per document.

#include "src/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/common.h"
#include "src/text.h"

#define NUMBER_INTEGER_MAX 9007199254740992.0 // 2^53
#define DATE_MS_MAX        8.64e15
#define NUMBER_TEXT_SIZE   32 // Enough for every double.

// All flags of a RegExp, in alphabetical order.
#define REGEXP_FLAGS "dgimsuvy"

// -- makers

// Static, for the sake of the makers here: they are what a message consists of.
static inline nw_value *value_new(nw_doc *doc, nw_type type)
{
    nw_value *value;

    if (doc == NULL) {
        return NULL;
    }
    value = nw__doc_alloc(doc, sizeof(*value), _Alignof(nw_value));
    if (value != NULL) {
        value->doc = doc;
        value->type = (uint8_t)type;
        value->view = 0;
        value->flags = 0;
        value->size = 0;
        doc->value_count++;
    }
    return value;
}

nw_value *nw__value_new(nw_doc *doc, nw_type type)
{
    return value_new(doc, type);
}

nw_value *nw__value_fail(nw_doc *doc, nw_status status)
{
    if (doc != NULL) {
        nw__doc_fail(doc, status);
    }
    return NULL;
}

nw_value *nw_value_undefined(nw_doc *doc)
{
    return doc == NULL ? NULL : &doc->undefined;
}

nw_value *nw_value_null(nw_doc *doc)
{
    return doc == NULL ? NULL : &doc->null;
}

nw_value *nw_value_bool(nw_doc *doc, bool boolean)
{
    return doc == NULL ? NULL : &doc->booleans[boolean];
}

nw_value *nw_value_number(nw_doc *doc, double number)
{
    nw_value *value = value_new(doc, NW_TYPE_NUMBER);

    if (value != NULL) {
        value->as.number = number;
    }
    return value;
}

nw_value *nw__value_string_room(nw_doc *doc, size_t size, bool ascii,
                                char **text)
{
    nw_value *value;

    *text = NULL;
    if (size > NW_VALUE_SIZE_MAX) {
        return nw__value_fail(doc, NW_ELIMIT);
    }
    value = value_new(doc, NW_TYPE_STRING);
    if (value == NULL) {
        return NULL;
    }
    *text = nw__doc_alloc(doc, size + 1, 1);
    if (*text == NULL) {
        return NULL;
    }
    (*text)[size] = '\0';
    value->size = (uint32_t)size;
    value->flags = ascii ? NW__VALUE_ASCII : 0;
    value->as.text = *text;
    return value;
}

nw_value *nw_value_string(nw_doc *doc, const char *text)
{
    if (text == NULL) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    return nw_value_string_n(doc, text, strlen(text));
}

nw_value *nw_value_string_n(nw_doc *doc, const char *text, size_t size)
{
    nw_value *value;
    bool ascii;
    char *room;

    if (text == NULL && size > 0) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    if (size > NW_VALUE_SIZE_MAX) {
        return nw__value_fail(doc, NW_ELIMIT);
    }
    ascii = nw__text_is_ascii(text, size);
    if (!ascii && !nw__utf8_is_valid(text, size)) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    value = nw__value_string_room(doc, size, ascii, &room);
    if (value != NULL && size > 0) {
        memcpy(room, text, size);
    }
    return value;
}

nw_value *nw_value_array(nw_doc *doc)
{
    nw_value *value = value_new(doc, NW_TYPE_ARRAY);

    if (value != NULL) {
        value->as.array.items = NULL;
        value->as.array.capacity = 0;
        value->as.array.properties = 0;
    }
    return value;
}

nw_value *nw_value_object(nw_doc *doc)
{
    nw_value *value = value_new(doc, NW_TYPE_OBJECT);

    if (value != NULL) {
        value->as.object.members = NULL;
        value->as.object.capacity = 0;
    }
    return value;
}

nw_value *nw_value_date(nw_doc *doc, double ms)
{
    nw_value *value = value_new(doc, NW_TYPE_DATE);

    if (value != NULL) {
        // As JavaScript: no fraction, no minus zero, and NaN beyond the limit,
        // which NaN itself fails.
        value->as.number =
            fabs(ms) <= DATE_MS_MAX ? trunc(ms) + 0.0 : (double)NAN;
    }
    return value;
}

// Copies the flags in alphabetical order. False when one is unknown or comes
// twice, or "u" meets "v".
static bool regexp_flags_sort(const char *flags, char *sorted)
{
    size_t count = 0;

    for (const char *flag = REGEXP_FLAGS; *flag != '\0'; flag++) {
        if (strchr(flags, *flag) != NULL) {
            sorted[count++] = *flag;
        }
    }
    sorted[count] = '\0';
    return count == strlen(flags) &&
           (strchr(sorted, 'u') == NULL || strchr(sorted, 'v') == NULL);
}

nw_value *nw__value_regexp(nw_doc *doc, const char *source, size_t size,
                           const char *flags)
{
    char sorted[sizeof(REGEXP_FLAGS)];
    nw_value *value;

    if (!regexp_flags_sort(flags, sorted)) {
        return NULL;
    }
    value = value_new(doc, NW_TYPE_REGEXP);
    if (value == NULL) {
        return NULL;
    }
    value->size = (uint32_t)size;
    value->as.regexp.source = nw__doc_text(doc, source, size);
    if (value->as.regexp.source == NULL) {
        return NULL;
    }
    value->as.regexp.flags = nw__doc_text(doc, sorted, strlen(sorted));
    return value->as.regexp.flags == NULL ? NULL : value;
}

nw_value *nw_value_regexp(nw_doc *doc, const char *source, const char *flags)
{
    size_t size = source == NULL ? 0 : strlen(source);
    nw_value *value;

    if (doc == NULL) {
        return NULL;
    }
    flags = flags == NULL ? "" : flags;
    if (source == NULL || !nw__utf8_is_valid(source, size) ||
        strchr(flags, 'v') != NULL) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    if (size > NW_VALUE_SIZE_MAX) {
        return nw__value_fail(doc, NW_ELIMIT);
    }
    value = nw__value_regexp(doc, source, size, flags);
    if (value == NULL && doc->status == NW_OK) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    return value;
}

nw_value *nw_value_boxed(nw_doc *doc, nw_value *primitive)
{
    nw_value *value;

    if (doc == NULL) {
        return NULL;
    }
    switch (nw_value_type(primitive)) {
    case NW_TYPE_BOOL:
    case NW_TYPE_NUMBER:
    case NW_TYPE_STRING:
    case NW_TYPE_BIGINT:
        break;
    default:
        return nw__value_fail(doc, NW_EINVAL);
    }
    if (primitive->doc != doc) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    value = value_new(doc, NW_TYPE_BOXED);
    if (value != NULL) {
        value->as.boxed = primitive;
    }
    return value;
}

// -- of references

static nw_value *value_over_ref(nw_doc *doc, struct nw__ref *ref)
{
    struct nw_shared *shared = (struct nw_shared *)(void *)ref;
    struct nw__host *host = (struct nw__host *)(void *)ref;
    nw_value *value;

    switch (ref->type) {
    case NW__REF_SHARED:
        if (shared->size > NW_VALUE_SIZE_MAX) {
            return nw__value_fail(doc, NW_ELIMIT);
        }
        value = value_new(doc, NW_TYPE_BYTES);
        if (value != NULL) {
            value->view = NW_VIEW_SHARED_ARRAY_BUFFER;
            value->flags = NW__VALUE_BUFFER;
            value->size = (uint32_t)shared->size;
            value->as.bytes.data = shared->data;
            value->as.bytes.of.shared = shared;
        }
        return value;
    case NW__REF_MODULE:
        value = value_new(doc, NW_TYPE_WASM_MODULE);
        break;
    case NW__REF_HOST:
    default:
        value = nw__value_new(doc, host->is_port ? NW_TYPE_PORT : NW_TYPE_HOST);
        break;
    }
    if (value != NULL) {
        value->as.ref = ref;
    }
    return value;
}

nw_value *nw__value_of_held(nw_doc *doc, struct nw__held *held)
{
    if (held->value == NULL) {
        held->value = value_over_ref(doc, held->ref);
    }
    return held->value;
}

nw_value *nw__value_of_ref(nw_doc *doc, struct nw__ref *ref)
{
    nw_value *value;

    if (doc == NULL) {
        return NULL;
    }
    value = value_over_ref(doc, ref);
    if (value == NULL || nw__doc_hold(doc, ref) != NW_OK) {
        return NULL;
    }
    return value;
}

nw_value *nw__value_memory(nw_value *buffer, int32_t pages_max)
{
    nw_value *value = value_new(buffer->doc, NW_TYPE_WASM_MEMORY);

    if (value != NULL) {
        value->as.memory.buffer = buffer;
        value->as.memory.pages_max = pages_max;
        nw__value_show(buffer);
    }
    return value;
}

struct nw__ref *nw__value_ref(const nw_value *value)
{
    switch (nw_value_type(value)) {
    case NW_TYPE_PORT:
    case NW_TYPE_HOST:
    case NW_TYPE_WASM_MODULE:
        return value->as.ref;
    case NW_TYPE_WASM_MEMORY:
        return &value->as.memory.buffer->as.bytes.of.shared->ref;
    case NW_TYPE_BYTES:
        return value->view == NW_VIEW_SHARED_ARRAY_BUFFER
                   ? &value->as.bytes.of.shared->ref
                   : NULL;
    default:
        return NULL;
    }
}

// -- readers

nw_type nw_value_type(const nw_value *value)
{
    return value == NULL ? NW_TYPE_UNDEFINED : (nw_type)value->type;
}

const char *nw_type_name(nw_type type)
{
    static const char *const names[] = {
        [NW_TYPE_UNDEFINED] = "undefined",
        [NW_TYPE_NULL] = "null",
        [NW_TYPE_BOOL] = "boolean",
        [NW_TYPE_NUMBER] = "number",
        [NW_TYPE_STRING] = "string",
        [NW_TYPE_ARRAY] = "array",
        [NW_TYPE_OBJECT] = "object",
        [NW_TYPE_BYTES] = "bytes",
        [NW_TYPE_BIGINT] = "bigint",
        [NW_TYPE_DATE] = "date",
        [NW_TYPE_REGEXP] = "regexp",
        [NW_TYPE_MAP] = "map",
        [NW_TYPE_SET] = "set",
        [NW_TYPE_ERROR] = "error",
        [NW_TYPE_BOXED] = "boxed primitive",
        [NW_TYPE_PORT] = "port",
        [NW_TYPE_HOST] = "host object",
        [NW_TYPE_WASM_MODULE] = "WebAssembly module",
        [NW_TYPE_WASM_MEMORY] = "WebAssembly memory",
    };

    return (size_t)type < NW_ARRAY_SIZE(names) ? names[type] : "unknown";
}

bool nw_value_get_bool(const nw_value *value)
{
    return nw_value_type(value) == NW_TYPE_BOOL && value->as.boolean;
}

double nw_value_get_number(const nw_value *value)
{
    return nw_value_type(value) == NW_TYPE_NUMBER ? value->as.number : NAN;
}

nw_status nw_value_get_int64(const nw_value *value, int64_t *out)
{
    double number = nw_value_get_number(value);

    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = 0;
    // NaN is not equal to itself.
    if (fabs(number) > NUMBER_INTEGER_MAX || number != trunc(number)) {
        return NW_ETYPE;
    }
    *out = (int64_t)number;
    return NW_OK;
}

const char *nw_value_get_string(const nw_value *value, size_t *size)
{
    bool is_string = nw_value_type(value) == NW_TYPE_STRING;

    if (size != NULL) {
        *size = is_string ? value->size : 0;
    }
    return is_string ? value->as.text : NULL;
}

double nw_value_get_date(const nw_value *value)
{
    return nw_value_type(value) == NW_TYPE_DATE ? value->as.number : NAN;
}

const char *nw_value_get_regexp(const nw_value *value, const char **flags)
{
    bool is_regexp = nw_value_type(value) == NW_TYPE_REGEXP;

    if (flags != NULL) {
        *flags = is_regexp ? value->as.regexp.flags : NULL;
    }
    return is_regexp ? value->as.regexp.source : NULL;
}

const nw_value *nw_value_unbox(const nw_value *value)
{
    return nw_value_type(value) == NW_TYPE_BOXED ? value->as.boxed : NULL;
}

const char *nw_value_get_host_type(const nw_value *value)
{
    switch (nw_value_type(value)) {
    case NW_TYPE_PORT:
        return "MessagePort";
    case NW_TYPE_HOST:
        return ((const struct nw__host *)(const void *)value->as.ref)->name;
    default:
        return NULL;
    }
}

// -- as text

const char *nw__number_text(nw_doc *doc, double number)
{
    char text[NUMBER_TEXT_SIZE];

    if (isnan(number)) {
        snprintf(text, sizeof(text), "NaN");
    } else if (isinf(number)) {
        snprintf(text, sizeof(text), number < 0 ? "-Infinity" : "Infinity");
    } else if (number == trunc(number) && fabs(number) < 1e15) {
        snprintf(text, sizeof(text), "%.0f", number + 0.0);
    } else {
        snprintf(text, sizeof(text), "%.17g", number);
    }
    return nw__doc_text(doc, text, strlen(text));
}

static const char *bigint_text(nw_doc *doc, const nw_value *value)
{
    char text[NUMBER_TEXT_SIZE];
    uint64_t magnitude = value->size == 0 ? 0 : value->as.bigint.words[0];

    if (value->size > 1) {
        return nw_type_name(NW_TYPE_BIGINT);
    }
    snprintf(text, sizeof(text), "%s%llu", value->as.bigint.negative ? "-" : "",
             (unsigned long long)magnitude);
    return nw__doc_text(doc, text, strlen(text));
}

const char *nw__value_short_text(nw_doc *doc, const nw_value *value)
{
    switch (nw_value_type(value)) {
    case NW_TYPE_BOOL:
        return value->as.boolean ? "true" : "false";
    case NW_TYPE_NUMBER:
        return nw__number_text(doc, value->as.number);
    case NW_TYPE_STRING:
        return value->as.text;
    case NW_TYPE_BIGINT:
        return bigint_text(doc, value);
    default:
        return nw_type_name(nw_value_type(value));
    }
}

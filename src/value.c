// Values: makers and readers of everything but containers, which are in
// container.c.
//
// Invariants
//   A maker either returns a value or marks the document; there is no third
//   outcome, so that makers can be nested unchecked.
//   Text is valid UTF-8 without exception: it is checked where it enters, and
//   everything behind relies on it.
//   Constants (undefined, null, booleans) are one value per document.
//   Whether bytes are still there is asked of the value and of its holding,
//   because several values may show parts of one holding.

#include "src/value.h"

#include <math.h>
#include <string.h>

#include "src/common.h"
#include "src/text.h"

#define NUMBER_INTEGER_MAX 9007199254740992.0 // 2^53

// -- makers

static nw_value *value_new(nw_doc *doc, nw_type type)
{
    nw_value *value;

    if (doc == NULL) {
        return NULL;
    }
    value = nw__doc_alloc(doc, sizeof(*value), _Alignof(nw_value));
    if (value != NULL) {
        value->doc = doc;
        value->type = (uint8_t)type;
        value->flags = 0;
        value->size = 0;
        doc->value_count++;
    }
    return value;
}

// NULL, with the document (if there is one) marked.
static nw_value *value_fail(nw_doc *doc, nw_status status)
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
        return value_fail(doc, NW_ELIMIT);
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
        return value_fail(doc, NW_EINVAL);
    }
    return nw_value_string_n(doc, text, strlen(text));
}

nw_value *nw_value_string_n(nw_doc *doc, const char *text, size_t size)
{
    nw_value *value;
    bool ascii;
    char *room;

    if (text == NULL && size > 0) {
        return value_fail(doc, NW_EINVAL);
    }
    ascii = nw__text_is_ascii(text, size);
    if (!ascii && !nw__utf8_is_valid(text, size)) {
        return value_fail(doc, NW_EINVAL);
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

static nw_value *value_bytes_over(nw_doc *doc, const void *data, size_t size,
                                  struct nw__holding *holding)
{
    nw_value *value = value_new(doc, NW_TYPE_BYTES);

    if (value != NULL) {
        value->size = (uint32_t)size;
        value->as.bytes.data = data;
        value->as.bytes.holding = holding;
    }
    return value;
}

nw_value *nw_value_bytes(nw_doc *doc, const void *data, size_t size)
{
    void *copy = NULL;

    if (doc == NULL) {
        return NULL;
    }
    if (size > NW_VALUE_SIZE_MAX) {
        return value_fail(doc, NW_ELIMIT);
    }
    if (size > 0) {
        if (data == NULL) {
            return value_fail(doc, NW_EINVAL);
        }
        copy = nw__doc_alloc(doc, size, 16);
        if (copy == NULL) {
            return NULL;
        }
        memcpy(copy, data, size);
    }
    return value_bytes_over(doc, copy, size, NULL);
}

nw_value *nw_value_bytes_lend(nw_doc *doc, void *data, size_t size,
                              nw_release_cb *release, void *hint)
{
    struct nw__holding *holding;
    nw_value *value;

    if (doc == NULL) {
        return NULL;
    }
    if (size > NW_VALUE_SIZE_MAX) {
        return value_fail(doc, NW_ELIMIT);
    }
    if (data == NULL && size > 0) {
        return value_fail(doc, NW_EINVAL);
    }
    holding = nw__doc_alloc(doc, sizeof(*holding), sizeof(void *));
    if (holding == NULL) {
        return NULL;
    }
    value = value_bytes_over(doc, data, size, holding);
    if (value == NULL) {
        return NULL;
    }
    // Linked last: until here the memory is still the caller's.
    *holding = (struct nw__holding){
        .next = doc->holdings,
        .blob = {data, size, release, hint},
        .lent = true,
    };
    doc->holdings = holding;
    return value;
}

nw_value *nw__value_bytes_held(nw_doc *doc, struct nw__holding *holding,
                               size_t offset, size_t size)
{
    const uint8_t *data = holding->blob.data;

    NW_ASSERT(offset <= holding->blob.size);
    NW_ASSERT(size <= holding->blob.size - offset);
    if (size > NW_VALUE_SIZE_MAX) {
        return value_fail(doc, NW_ELIMIT);
    }
    return value_bytes_over(doc, data == NULL ? NULL : data + offset, size,
                            holding);
}

nw_value *nw__value_bytes_part(nw_value *whole, size_t offset, size_t size)
{
    const uint8_t *data = whole->as.bytes.data;

    NW_ASSERT(offset <= whole->size && size <= whole->size - offset);
    return value_bytes_over(whole->doc, data == NULL ? NULL : data + offset,
                            size, whole->as.bytes.holding);
}

// -- readers

nw_type nw_value_type(const nw_value *value)
{
    return value == NULL ? NW_TYPE_UNDEFINED : (nw_type)value->type;
}

const char *nw_type_name(nw_type type)
{
    static const char *const names[] = {
        [NW_TYPE_UNDEFINED] = "undefined", [NW_TYPE_NULL] = "null",
        [NW_TYPE_BOOL] = "boolean",        [NW_TYPE_NUMBER] = "number",
        [NW_TYPE_STRING] = "string",       [NW_TYPE_ARRAY] = "array",
        [NW_TYPE_OBJECT] = "object",       [NW_TYPE_BYTES] = "bytes",
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

bool nw__value_has_bytes(const nw_value *value)
{
    const struct nw__holding *holding = value->as.bytes.holding;

    return (value->flags & NW__VALUE_GONE) == 0 &&
           (holding == NULL || !holding->gone);
}

const void *nw_value_get_bytes(const nw_value *value, size_t *size)
{
    bool some = nw_value_type(value) == NW_TYPE_BYTES &&
                nw__value_has_bytes(value) && value->size > 0;

    if (size != NULL) {
        *size = some ? value->size : 0;
    }
    return some ? value->as.bytes.data : NULL;
}

// -- taking bytes out

static void release_copy(void *data, size_t size, void *hint)
{
    (void)size;
    (void)hint;
    nw__free(data);
}

static nw_status bytes_copy_out(const nw_value *value, nw_bytes *out)
{
    void *copy = nw__alloc(value->size);

    if (copy == NULL) {
        return NW_ENOMEM;
    }
    if (value->size > 0) {
        memcpy(copy, value->as.bytes.data, value->size);
    }
    *out = (nw_bytes){copy, value->size, release_copy, NULL};
    return NW_OK;
}

// A release function is what the receiver calls, whoever lent the memory.
static void release_nothing(void *data, size_t size, void *hint)
{
    (void)data;
    (void)size;
    (void)hint;
}

static void bytes_move_out(struct nw__holding *holding, nw_bytes *out)
{
    const struct nw__blob *blob = &holding->blob;

    *out = (nw_bytes){blob->data, blob->size, blob->release, blob->hint};
    if (out->release == NULL) {
        out->release = release_nothing;
    }
    holding->gone = true;
}

nw_status nw_value_take_bytes(nw_value *value, nw_bytes *out)
{
    struct nw__holding *holding;
    nw_status status = NW_OK;

    if (out == NULL) {
        return NW_EINVAL;
    }
    memset(out, 0, sizeof(*out));
    if (nw_value_type(value) != NW_TYPE_BYTES || !nw__value_has_bytes(value)) {
        return NW_ETYPE;
    }
    holding = value->as.bytes.holding;
    // Where other values show parts of the same blob, they keep it.
    if (holding != NULL && holding->views <= 1 &&
        holding->blob.size == value->size) {
        bytes_move_out(holding, out);
    } else {
        status = bytes_copy_out(value, out);
    }
    if (status == NW_OK) {
        value->flags |= NW__VALUE_GONE;
    }
    return status;
}

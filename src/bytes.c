// Bytes: buffers, views of them, and memory that is lent, shared or taken.
//
// Invariants
//   A holding has one value over all of it: the lent value, or its one
//   ArrayBuffer. So the root of some bytes (their buffer, else themselves)
//   tells which memory they lie in.
//   Whether bytes are still there is asked of the value and of its root: taking
//   a copy empties the value alone, handing the memory over empties all that
//   show it.

#include <string.h>

#include "src/common.h"
#include "src/value.h"

// -- makers

static nw_value *bytes_over(nw_doc *doc, nw_view view, const void *data,
                            size_t size)
{
    nw_value *value = nw__value_new(doc, NW_TYPE_BYTES);

    if (value != NULL) {
        value->view = (uint8_t)view;
        value->flags = view == NW_VIEW_ARRAY_BUFFER ? NW__VALUE_BUFFER : 0;
        value->size = (uint32_t)size;
        value->as.bytes.data = data;
        value->as.bytes.of.holding = NULL;
    }
    return value;
}

nw_value *nw__value_bytes_copied(nw_doc *doc, nw_view view, const void *data,
                                 size_t size)
{
    void *copy = NULL;

    if (doc == NULL) {
        return NULL;
    }
    if (size > NW_VALUE_SIZE_MAX) {
        return nw__value_fail(doc, NW_ELIMIT);
    }
    if (size > 0) {
        if (data == NULL) {
            return nw__value_fail(doc, NW_EINVAL);
        }
        copy = nw__doc_alloc(doc, size, 16);
        if (copy == NULL) {
            return NULL;
        }
        memcpy(copy, data, size);
    }
    return bytes_over(doc, view, copy, size);
}

nw_value *nw_value_bytes(nw_doc *doc, const void *data, size_t size)
{
    return nw__value_bytes_copied(doc, NW_VIEW_UINT8, data, size);
}

nw_value *nw_value_array_buffer(nw_doc *doc, const void *data, size_t size)
{
    return nw__value_bytes_copied(doc, NW_VIEW_ARRAY_BUFFER, data, size);
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
        return nw__value_fail(doc, NW_ELIMIT);
    }
    if (data == NULL && size > 0) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    holding = nw__doc_alloc(doc, sizeof(*holding), sizeof(void *));
    if (holding == NULL) {
        return NULL;
    }
    value = bytes_over(doc, NW_VIEW_UINT8, data, size);
    if (value == NULL) {
        return NULL;
    }
    // Linked last: until here the memory is still the caller's.
    *holding = (struct nw__holding){
        .next = doc->holdings,
        .blob = {data, size, release, hint},
        .lent = true,
    };
    value->as.bytes.of.holding = holding;
    doc->holdings = holding;
    return value;
}

nw_value *nw__value_buffer_held(nw_doc *doc, struct nw__holding *holding)
{
    nw_value *buffer = holding->buffer;

    if (buffer != NULL) {
        return buffer;
    }
    if (holding->blob.size > NW_VALUE_SIZE_MAX) {
        return nw__value_fail(doc, NW_ELIMIT);
    }
    buffer = bytes_over(doc, NW_VIEW_ARRAY_BUFFER, holding->blob.data,
                        holding->blob.size);
    if (buffer != NULL) {
        buffer->as.bytes.of.holding = holding;
        holding->buffer = buffer;
    }
    return buffer;
}

// -- views

size_t nw__view_element_size(nw_view view)
{
    switch (view) {
    case NW_VIEW_INT16:
    case NW_VIEW_UINT16:
    case NW_VIEW_FLOAT16:
        return 2;
    case NW_VIEW_INT32:
    case NW_VIEW_UINT32:
    case NW_VIEW_FLOAT32:
        return 4;
    case NW_VIEW_FLOAT64:
    case NW_VIEW_BIGINT64:
    case NW_VIEW_BIGUINT64:
        return 8;
    case NW_VIEW_UINT8:
    case NW_VIEW_ARRAY_BUFFER:
    case NW_VIEW_SHARED_ARRAY_BUFFER:
    case NW_VIEW_INT8:
    case NW_VIEW_UINT8_CLAMPED:
    case NW_VIEW_DATA_VIEW:
        break;
    }
    return 1;
}

nw_value *nw__value_view_made(nw_value *buffer, nw_view view, size_t offset,
                              size_t size)
{
    const uint8_t *data = buffer->as.bytes.data;
    nw_value *value;

    NW_ASSERT((buffer->flags & NW__VALUE_BUFFER) != 0);
    NW_ASSERT(offset <= buffer->size && size <= buffer->size - offset);
    value = bytes_over(buffer->doc, view, data == NULL ? NULL : data + offset,
                       size);
    if (value != NULL) {
        value->flags = NW__VALUE_VIEW;
        value->as.bytes.of.buffer = buffer;
        nw__value_show(buffer);
    }
    return value;
}

nw_value *nw_value_view_of(nw_value *buffer, nw_view view, size_t offset,
                           size_t size)
{
    size_t element_size = nw__view_element_size(view);

    if (buffer == NULL) {
        return NULL; // What its maker returned, which marked the document.
    }
    if ((unsigned)view > NW_VIEW_DATA_VIEW || view == NW_VIEW_ARRAY_BUFFER ||
        view == NW_VIEW_SHARED_ARRAY_BUFFER || view == NW_VIEW_FLOAT16 ||
        buffer->type != NW_TYPE_BYTES ||
        (buffer->flags & NW__VALUE_BUFFER) == 0 ||
        !nw__value_has_bytes(buffer)) {
        return nw__value_fail(buffer->doc, NW_EINVAL);
    }
    if (offset > buffer->size || size > buffer->size - offset ||
        offset % element_size != 0 || size % element_size != 0) {
        return nw__value_fail(buffer->doc, NW_EINVAL);
    }
    return nw__value_view_made(buffer, view, offset, size);
}

nw_value *nw_value_shared(nw_doc *doc, nw_shared *shared)
{
    if (shared == NULL) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    return nw__value_of_ref(doc, &shared->ref);
}

// -- readers

nw_value *nw__value_root(const nw_value *value)
{
    return (value->flags & NW__VALUE_VIEW) != 0 ? value->as.bytes.of.buffer
                                                : (nw_value *)value;
}

// NULL for bytes in the arena and for shared memory.
static struct nw__holding *bytes_holding(const nw_value *value)
{
    const nw_value *root = nw__value_root(value);

    return root->view == NW_VIEW_SHARED_ARRAY_BUFFER
               ? NULL
               : root->as.bytes.of.holding;
}

bool nw__value_has_bytes(const nw_value *value)
{
    const struct nw__holding *holding = bytes_holding(value);

    return (value->flags & NW__VALUE_GONE) == 0 &&
           (nw__value_root(value)->flags & NW__VALUE_MOVED) == 0 &&
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

nw_view nw_value_view(const nw_value *value)
{
    return nw_value_type(value) == NW_TYPE_BYTES ? (nw_view)value->view
                                                 : NW_VIEW_UINT8;
}

const char *nw_view_name(nw_view view)
{
    static const char *const names[] = {
        [NW_VIEW_UINT8] = "Uint8Array",
        [NW_VIEW_ARRAY_BUFFER] = "ArrayBuffer",
        [NW_VIEW_SHARED_ARRAY_BUFFER] = "SharedArrayBuffer",
        [NW_VIEW_INT8] = "Int8Array",
        [NW_VIEW_UINT8_CLAMPED] = "Uint8ClampedArray",
        [NW_VIEW_INT16] = "Int16Array",
        [NW_VIEW_UINT16] = "Uint16Array",
        [NW_VIEW_INT32] = "Int32Array",
        [NW_VIEW_UINT32] = "Uint32Array",
        [NW_VIEW_FLOAT16] = "Float16Array",
        [NW_VIEW_FLOAT32] = "Float32Array",
        [NW_VIEW_FLOAT64] = "Float64Array",
        [NW_VIEW_BIGINT64] = "BigInt64Array",
        [NW_VIEW_BIGUINT64] = "BigUint64Array",
        [NW_VIEW_DATA_VIEW] = "DataView",
    };

    return (size_t)view < NW_ARRAY_SIZE(names) ? names[view] : "unknown";
}

const nw_value *nw_value_buffer(const nw_value *value, size_t *offset)
{
    const nw_value *buffer = NULL;

    if (offset != NULL) {
        *offset = 0;
    }
    if (nw_value_type(value) != NW_TYPE_BYTES) {
        return NULL;
    }
    if ((value->flags & NW__VALUE_BUFFER) != 0) {
        return value;
    }
    if ((value->flags & NW__VALUE_VIEW) == 0) {
        return NULL;
    }
    buffer = value->as.bytes.of.buffer;
    // An empty buffer may have no address.
    if (offset != NULL && value->as.bytes.data != NULL) {
        *offset = (size_t)(value->as.bytes.data - buffer->as.bytes.data);
    }
    return buffer;
}

nw_shared *nw_value_get_shared(const nw_value *value)
{
    if (nw_value_type(value) == NW_TYPE_WASM_MEMORY) {
        value = value->as.memory.buffer;
    } else if (nw_value_type(value) == NW_TYPE_BYTES) {
        value = nw__value_root(value);
    } else {
        return NULL;
    }
    return value->view == NW_VIEW_SHARED_ARRAY_BUFFER
               ? value->as.bytes.of.shared
               : NULL;
}

// -- where bytes stand

void nw__value_show(nw_value *buffer)
{
    if ((buffer->flags & (NW__VALUE_PLACED | NW__VALUE_SHOWN)) != 0) {
        buffer->flags |= NW__VALUE_SHARED;
    }
    buffer->flags |= NW__VALUE_SHOWN;
}

void nw__value_place_bytes(nw_value *value)
{
    struct nw__holding *holding = bytes_holding(value);

    if ((value->flags & NW__VALUE_SHOWN) != 0) {
        value->flags |= NW__VALUE_SHARED;
    }
    if (holding != NULL) {
        holding->views++;
    }
}

// -- taking bytes out

static void release_copy(void *data, size_t size, void *hint)
{
    (void)size;
    (void)hint;
    nw__free(data);
}

nw_status nw__bytes_copy(const nw_value *value, struct nw__blob *out)
{
    void *copy = nw__alloc(value->size);

    if (copy == NULL) {
        return NW_ENOMEM;
    }
    if (value->size > 0) {
        memcpy(copy, value->as.bytes.data, value->size);
    }
    *out = (struct nw__blob){copy, value->size, release_copy, NULL};
    return NW_OK;
}

static nw_status bytes_copy_out(const nw_value *value, nw_bytes *out)
{
    struct nw__blob blob;
    nw_status status = nw__bytes_copy(value, &blob);

    if (status == NW_OK) {
        *out = (nw_bytes){blob.data, blob.size, blob.release, blob.hint};
    }
    return status;
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
    holding = bytes_holding(value);
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

// Looking for errors in the bytes of a message without reading it.
//
// Every tag says where the next one is, so one pass over the tags needs neither
// a stack nor memory. What is inside of what does not matter here; nor is all
// of the message checked, that is the reader's work.

#include "src/wire.h"

#include <string.h>

#include "src/wire_input.h"

// What may follow the tag of an error: its class or one of its parts.
static const char error_parts[] = "ERFSTUmcs.";

static bool is_error_part(uint8_t byte)
{
    return byte != '\0' && strchr(error_parts, byte) != NULL;
}

// False when no error can be there, whatever the bytes mean.
static bool may_have_error(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    const uint8_t *at = data;

    while ((at = memchr(at, NW__TAG_ERROR, (size_t)(end - at))) != NULL) {
        at++;
        if (at == end) {
            return false;
        }
        if (is_error_part(*at)) {
            return true;
        }
    }
    return false;
}

static nw_status skip_varints(struct nw__input *input, int count)
{
    uint32_t ignored;
    nw_status status = NW_OK;

    for (; count > 0 && status == NW_OK; count--) {
        status = nw__input_varint(input, &ignored);
    }
    return status;
}

static nw_status skip_bytes(struct nw__input *input, size_t size)
{
    if (size > nw__input_left(input)) {
        return NW_EPROTO;
    }
    input->at += size;
    return NW_OK;
}

// A varint, of which some low bits are no part of the size; then the bytes.
static nw_status skip_sized(struct nw__input *input, unsigned shift,
                            int varints_between)
{
    uint32_t size;
    nw_status status = nw__input_varint(input, &size);

    if (status == NW_OK) {
        status = skip_varints(input, varints_between);
    }
    return status == NW_OK ? skip_bytes(input, size >> shift) : status;
}

static nw_status skip_regexp(struct nw__input *input)
{
    uint8_t tag;
    nw_status status = nw__input_tag(input, &tag);

    if (status == NW_OK) {
        status = skip_sized(input, 0, 0);
    }
    return status == NW_OK ? skip_varints(input, 1) : status;
}

static nw_status skip_host(struct nw__input *input)
{
    uint32_t kind;
    nw_status status = nw__input_varint(input, &kind);

    if (status != NW_OK) {
        return status;
    }
    switch (kind) {
    case NW__WIRE_VIEW_COPIED:
        status = skip_varints(input, 1);
        return status == NW_OK ? skip_sized(input, 0, 0) : status;
    case NW__WIRE_VIEW_TRANSFERRED:
        return skip_varints(input, 4);
    case NW__WIRE_VIEW_OF:
        return skip_varints(input, 3); // Its buffer has a tag.
    case NW__WIRE_ERROR:
        return NW_OK; // So has its record.
    case NW__WIRE_HOST_OBJECT:
        return skip_varints(input, 1);
    default:
        return NW_EPROTO;
    }
}

// Skips what belongs to a tag up to the next one.
static nw_status skip_tagged(struct nw__input *input, uint8_t tag, int flags)
{
    switch (tag) {
    case NW__TAG_HOLE:
    case NW__TAG_UNDEFINED:
    case NW__TAG_NULL:
    case NW__TAG_TRUE:
    case NW__TAG_FALSE:
    case NW__TAG_OBJECT_BEGIN:
    case NW__TAG_MAP:
    case NW__TAG_SET:
    case NW__TAG_BOXED_TRUE:
    case NW__TAG_BOXED_FALSE:
    case NW__TAG_BOXED_STRING: // A string follows.
        return NW_OK;
    case NW__TAG_OBJECT_COUNT:
    case NW__TAG_INT32:
    case NW__TAG_UINT32:
    case NW__TAG_REFERENCE:
    case NW__TAG_OBJECT_END:
    case NW__TAG_SPARSE_BEGIN:
    case NW__TAG_DENSE_BEGIN:
    case NW__TAG_MAP_END:
    case NW__TAG_SET_END:
    case NW__TAG_BUFFER_TRANSFER:
    case NW__TAG_BUFFER_SHARED:
    case NW__TAG_SHARED_OBJECT:
    case NW__TAG_WASM_MODULE:
    case NW__TAG_WASM_MEMORY: // Its buffer follows.
        return skip_varints(input, 1);
    case NW__TAG_SPARSE_END:
    case NW__TAG_DENSE_END:
        return skip_varints(input, 2);
    case NW__TAG_VIEW:
        return skip_varints(input, 3 + flags);
    case NW__TAG_DOUBLE:
    case NW__TAG_DATE:
    case NW__TAG_BOXED_NUMBER:
        return skip_bytes(input, sizeof(double));
    case NW__TAG_STRING_UTF8:
    case NW__TAG_STRING_ONE_BYTE:
    case NW__TAG_STRING_TWO_BYTE:
    case NW__TAG_BUFFER:
        return skip_sized(input, 0, 0);
    case NW__TAG_BUFFER_RESIZABLE:
        return skip_sized(input, 0, 1);
    case NW__TAG_BIGINT:
    case NW__TAG_BOXED_BIGINT:
        return skip_sized(input, 1, 0);
    case NW__TAG_REGEXP:
        return skip_regexp(input);
    case NW__TAG_HOST_OBJECT:
        return skip_host(input);
    default:
        return NW_EPROTO;
    }
}

bool nw__wire_has_error(const uint8_t *data, size_t size)
{
    struct nw__input input = {.at = data};
    uint32_t version;
    uint8_t tag;

    if (size == 0 || !may_have_error(data, size)) {
        return false;
    }
    input.end = data + size;
    if (nw__input_tag(&input, &tag) != NW_OK || tag != NW__TAG_VERSION ||
        nw__input_varint(&input, &version) != NW_OK) {
        return false;
    }
    while (nw__input_tag(&input, &tag) == NW_OK) {
        if (tag == NW__TAG_ERROR) {
            return input.at < input.end && is_error_part(*input.at);
        }
        if (skip_tagged(&input, tag, version >= 14) != NW_OK) {
            return false;
        }
    }
    return false;
}

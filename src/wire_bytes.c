// The reader's part for bytes and for what lies beside a message: buffers,
// views, shared memory, modules, objects of Node.js.
//
// Invariants
//   A buffer is one value, however many tags name it, so that views of one
//   buffer agree about it.

#include "src/wire.h"

#include "src/common.h"
#include "src/wire_reader.h"

// -- views

// False for no view that V8 knows.
static bool view_of_tag(uint32_t tag, nw_view *view)
{
    switch (tag) {
    case NW__VIEW_INT8:
        *view = NW_VIEW_INT8;
        return true;
    case NW__VIEW_UINT8:
        *view = NW_VIEW_UINT8;
        return true;
    case NW__VIEW_UINT8_CLAMPED:
        *view = NW_VIEW_UINT8_CLAMPED;
        return true;
    case NW__VIEW_DATA_VIEW:
        *view = NW_VIEW_DATA_VIEW;
        return true;
    case NW__VIEW_INT16:
        *view = NW_VIEW_INT16;
        return true;
    case NW__VIEW_UINT16:
        *view = NW_VIEW_UINT16;
        return true;
    case NW__VIEW_FLOAT16:
        *view = NW_VIEW_FLOAT16;
        return true;
    case NW__VIEW_INT32:
        *view = NW_VIEW_INT32;
        return true;
    case NW__VIEW_UINT32:
        *view = NW_VIEW_UINT32;
        return true;
    case NW__VIEW_FLOAT32:
        *view = NW_VIEW_FLOAT32;
        return true;
    case NW__VIEW_FLOAT64:
        *view = NW_VIEW_FLOAT64;
        return true;
    case NW__VIEW_BIGINT64:
        *view = NW_VIEW_BIGINT64;
        return true;
    case NW__VIEW_BIGUINT64:
        *view = NW_VIEW_BIGUINT64;
        return true;
    default:
        return false;
    }
}

static nw_status check_view(struct nw__reader *reader, uint32_t tag,
                            uint32_t offset, uint32_t size, nw_view *view)
{
    size_t element_size;

    if (!view_of_tag(tag, view)) {
        return nw__input_malformed(&reader->input, "unknown view");
    }
    element_size = nw__view_element_size(*view);
    if (offset % element_size != 0 || size % element_size != 0) {
        return nw__input_malformed(&reader->input, "view of parts of elements");
    }
    return NW_OK;
}

// A view of the buffer, all of it checked.
static nw_status make_view(struct nw__reader *reader, nw_value *buffer,
                           uint32_t tag, uint32_t offset, uint32_t size,
                           nw_value **out)
{
    nw_view view;
    nw_status status = check_view(reader, tag, offset, size, &view);

    if (status != NW_OK) {
        return status;
    }
    if (offset > buffer->size || size > buffer->size - offset) {
        return nw__input_malformed(&reader->input,
                                   "view outside of its buffer");
    }
    *out = nw__value_view_made(buffer, view, offset, size);
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

nw_status nw__reader_view(struct nw__reader *reader, nw_value *buffer,
                          nw_value **out)
{
    struct nw__input *input = &reader->input;
    uint32_t tag;
    uint32_t offset;
    uint32_t size;
    uint32_t flags = 0;
    nw_status status = nw__input_varint(input, &tag);

    if (status == NW_OK) {
        status = nw__input_varint(input, &offset);
    }
    if (status == NW_OK) {
        status = nw__input_varint(input, &size);
    }
    if (status == NW_OK && reader->version >= 14) {
        status = nw__input_varint(input, &flags);
    }
    if (status != NW_OK) {
        return status;
    }
    if ((flags & NW__VIEW_TRACKS_LENGTH) != 0 && offset <= buffer->size) {
        nw_view view;

        // It announces no size of its own: it ends with its buffer.
        size = buffer->size - offset;
        if (view_of_tag(tag, &view)) {
            size -= size % (uint32_t)nw__view_element_size(view);
        }
    }
    status = make_view(reader, buffer, tag, offset, size, out);
    return status == NW_OK ? nw__reader_add_id(reader, *out) : status;
}

// -- buffers

static nw_status too_many_bytes(struct nw__reader *reader)
{
    return nw__input_fail(&reader->input, NW_ELIMIT, "too many bytes");
}

nw_status nw__reader_buffer(struct nw__reader *reader, bool resizable,
                            nw_value **out)
{
    uint32_t size;
    uint32_t size_max;
    const uint8_t *data;
    nw_status status = nw__input_varint(&reader->input, &size);

    if (status != NW_OK) {
        return status;
    }
    if (resizable) {
        status = nw__input_varint(&reader->input, &size_max);
        if (status != NW_OK) {
            return status;
        }
        if (size > size_max) {
            return nw__input_malformed(&reader->input,
                                       "buffer beyond its maximum");
        }
    }
    if (size > nw__input_left(&reader->input)) {
        return nw__input_malformed(&reader->input, "truncated buffer");
    }
    data = reader->input.at;
    reader->input.at += size;
    if (size > NW_VALUE_SIZE_MAX) {
        return too_many_bytes(reader);
    }
    return nw__reader_identify(
        reader, nw_value_array_buffer(reader->doc, data, size), out);
}

// The buffer over the blob whose index comes next.
static nw_status read_blob(struct nw__reader *reader, nw_value **out)
{
    struct nw__holding *holding;
    uint32_t index;
    nw_status status = nw__input_varint(&reader->input, &index);

    if (status != NW_OK) {
        return status;
    }
    if (index >= reader->adopted.holding_count) {
        return nw__input_malformed(&reader->input, "buffer that was not sent");
    }
    holding = &reader->adopted.holdings[index];
    if (holding->blob.size > NW_VALUE_SIZE_MAX) {
        return too_many_bytes(reader);
    }
    *out = nw__value_buffer_held(reader->doc, holding);
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

nw_status nw__reader_transferred(struct nw__reader *reader, nw_value **out)
{
    nw_status status = read_blob(reader, out);

    return status == NW_OK ? nw__reader_add_id(reader, *out) : status;
}

// -- references

// The value for the reference whose index comes next.
static nw_status read_ref(struct nw__reader *reader, enum nw__ref_type type,
                          const char *missing, nw_value **out)
{
    struct nw__held *held;
    uint32_t index;
    nw_status status = nw__input_varint(&reader->input, &index);

    if (status != NW_OK) {
        return status;
    }
    if (index >= reader->adopted.held_count) {
        return nw__input_malformed(&reader->input, missing);
    }
    held = &reader->adopted.helds[index];
    if (held->ref->type != type) {
        return nw__input_malformed(&reader->input, missing);
    }
    return nw__reader_identify(reader, nw__value_of_held(reader->doc, held),
                               out);
}

nw_status nw__reader_shared(struct nw__reader *reader, nw_value **out)
{
    return read_ref(reader, NW__REF_SHARED, "shared memory that was not sent",
                    out);
}

nw_status nw__reader_module(struct nw__reader *reader, nw_value **out)
{
    return read_ref(reader, NW__REF_MODULE, "module that was not sent", out);
}

// Takes the next id for a value that is made when its content is known.
static nw_status reserve_id(struct nw__reader *reader, uint32_t *id)
{
    *id = reader->ids_count;
    return nw__reader_add_id(reader, NULL);
}

nw_status nw__reader_memory(struct nw__reader *reader, nw_value **out)
{
    nw_value *buffer = NULL;
    uint32_t zigzag;
    uint32_t id;
    uint8_t tag;
    nw_status status = reserve_id(reader, &id);

    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &zigzag);
    }
    if (status == NW_OK) {
        status = nw__input_tag(&reader->input, &tag);
    }
    if (status != NW_OK) {
        return status;
    }
    if (tag == NW__TAG_BUFFER_SHARED) {
        status = nw__reader_shared(reader, &buffer);
    } else if (tag == NW__TAG_REFERENCE) {
        status = nw__reader_reference(reader, &buffer);
    }
    if (status != NW_OK) {
        return status;
    }
    if (buffer == NULL || buffer->type != NW_TYPE_BYTES ||
        buffer->view != NW_VIEW_SHARED_ARRAY_BUFFER) {
        return nw__input_malformed(&reader->input,
                                   "memory without shared memory");
    }
    *out =
        nw__value_memory(buffer, (int32_t)(zigzag >> 1 ^ (0 - (zigzag & 1))));
    reader->ids[id] = *out;
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

// -- host objects of ours

static nw_status read_host_copied(struct nw__reader *reader, nw_value **out)
{
    nw_view view = NW_VIEW_ARRAY_BUFFER;
    uint32_t tag;
    const uint8_t *data;
    uint32_t size;
    nw_status status = nw__input_varint(&reader->input, &tag);

    if (status == NW_OK) {
        status = nw__input_sized(&reader->input, &data, &size);
    }
    if (status == NW_OK && tag != NW__WIRE_VIEW_ARRAY_BUFFER) {
        status = check_view(reader, tag, 0, size, &view);
    }
    if (status != NW_OK) {
        return status;
    }
    if (size > NW_VALUE_SIZE_MAX) {
        return too_many_bytes(reader);
    }
    return nw__reader_identify(
        reader, nw__value_bytes_copied(reader->doc, view, data, size), out);
}

static nw_status read_host_transferred(struct nw__reader *reader,
                                       nw_value **out)
{
    nw_value *buffer;
    uint32_t tag;
    uint32_t offset;
    uint32_t size;
    nw_status status = nw__input_varint(&reader->input, &tag);

    if (status == NW_OK) {
        status = read_blob(reader, &buffer);
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &offset);
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &size);
    }
    if (status != NW_OK) {
        return status;
    }
    if (tag != NW__WIRE_VIEW_ARRAY_BUFFER) {
        status = make_view(reader, buffer, tag, offset, size, out);
    } else if (offset != 0 || size != buffer->size) {
        return nw__input_malformed(&reader->input, "part of a buffer");
    } else {
        *out = buffer;
    }
    return status == NW_OK ? nw__reader_add_id(reader, *out) : status;
}

// A buffer that stands where no other value may.
static nw_status read_inner_buffer(struct nw__reader *reader, nw_value **out)
{
    uint8_t tag;
    nw_status status = nw__input_tag(&reader->input, &tag);

    *out = NULL;
    if (status != NW_OK) {
        return status;
    }
    switch (tag) {
    case NW__TAG_BUFFER:
        return nw__reader_buffer(reader, false, out);
    case NW__TAG_BUFFER_RESIZABLE:
        return nw__reader_buffer(reader, true, out);
    case NW__TAG_BUFFER_TRANSFER:
        return nw__reader_transferred(reader, out);
    case NW__TAG_BUFFER_SHARED:
        return nw__reader_shared(reader, out);
    case NW__TAG_REFERENCE:
        status = nw__reader_reference(reader, out);
        break;
    default:
        break;
    }
    if (status == NW_OK &&
        (*out == NULL || ((*out)->flags & NW__VALUE_BUFFER) == 0)) {
        return nw__input_malformed(&reader->input, "view without a buffer");
    }
    return status;
}

static nw_status read_host_view(struct nw__reader *reader, nw_value **out)
{
    nw_value *buffer;
    uint32_t tag;
    uint32_t offset;
    uint32_t size;
    uint32_t id;
    nw_status status = reserve_id(reader, &id);

    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &tag);
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &offset);
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &size);
    }
    if (status == NW_OK) {
        status = read_inner_buffer(reader, &buffer);
    }
    if (status == NW_OK) {
        status = make_view(reader, buffer, tag, offset, size, out);
    }
    if (status == NW_OK) {
        reader->ids[id] = *out;
    }
    return status;
}

nw_status nw__reader_host(struct nw__reader *reader, nw_value **out)
{
    uint32_t kind;
    nw_status status = nw__input_varint(&reader->input, &kind);

    if (status != NW_OK) {
        return status;
    }
    switch (kind) {
    case NW__WIRE_VIEW_COPIED:
        return read_host_copied(reader, out);
    case NW__WIRE_VIEW_TRANSFERRED:
        return read_host_transferred(reader, out);
    case NW__WIRE_VIEW_OF:
        return read_host_view(reader, out);
    case NW__WIRE_ERROR:
        return nw__reader_open_record(reader, out);
    case NW__WIRE_HOST_OBJECT:
        return read_ref(reader, NW__REF_HOST, "object that was not sent", out);
    default:
        return nw__input_fail(&reader->input, NW_ETYPE, "host object");
    }
}

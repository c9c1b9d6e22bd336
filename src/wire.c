// The reader: V8's wire format to values. Bytes are in wire_bytes.c, containers
// in wire_container.c.
//
// Invariants
//   The input is hostile. Nothing is read past `end`; nothing is allocated for
//   a count or length that the rest of the input could not hold; the work done
//   is proportional to the input.
//   Ids count everything that has identity in the order in which V8 counts it,
//   whether or not C can see a difference. Strings and BigInts have none.
//   No recursion: open containers are a list of frames in the document.
//
// What is lost: lone surrogates, and that a buffer could be resized.
//
// Design notes
//   Checking each array's length against the bytes that are left is not enough:
//   a thousand nested arrays could each claim all of them. `owed` is the sum of
//   items that open arrays still expect; each needs a byte of its own.

#include "src/wire.h"

#include <string.h>

#include "src/common.h"
#include "src/value.h"
#include "src/wire_input.h"
#include "src/wire_reader.h"
#include "src/wire_tag.h"

// -- identity

nw_status nw__reader_grow_ids(struct nw__reader *reader)
{
    uint32_t capacity = reader->ids_capacity;
    nw_value **ids;

    if (capacity > UINT32_MAX / 2) {
        return nw__input_fail(&reader->input, NW_ELIMIT, "too many objects");
    }
    // Not nw__doc_grow() for the first step: the old array is not in the
    // document.
    ids = nw__doc_alloc(reader->doc, (size_t)capacity * 2 * sizeof(*ids),
                        sizeof(*ids));
    if (ids == NULL) {
        return NW_ENOMEM;
    }
    memcpy(ids, reader->ids, capacity * sizeof(*ids));
    reader->ids = ids;
    reader->ids_capacity = 2 * capacity;
    return NW_OK;
}

nw_status nw__reader_reference(struct nw__reader *reader, nw_value **out)
{
    uint32_t id;
    nw_status status = nw__input_varint(&reader->input, &id);

    if (status != NW_OK) {
        return status;
    }
    if (id >= reader->ids_count || reader->ids[id] == NULL) {
        return nw__input_malformed(&reader->input, "reference to nothing");
    }
    if ((reader->ids[id]->flags & NW__VALUE_OPEN) != 0) {
        return nw__input_malformed(&reader->input,
                                   "error that contains itself");
    }
    *out = reader->ids[id];
    return NW_OK;
}

// -- values without parts

static nw_status read_string(struct nw__reader *reader, uint8_t tag,
                             nw_value **out)
{
    struct nw__wire_text text;
    nw_status status = nw__input_text(&reader->input, tag, &text);
    char *room;

    if (status != NW_OK) {
        return status;
    }
    *out = nw__value_string_room(reader->doc, text.size, text.ascii, &room);
    if (*out == NULL) {
        return NW_ENOMEM;
    }
    nw__wire_text_convert(&text, room);
    return NW_OK;
}

nw_status nw__reader_tagged_string(struct nw__reader *reader, nw_value **out)
{
    uint8_t tag;
    nw_status status = nw__input_tag(&reader->input, &tag);

    if (status != NW_OK) {
        return status;
    }
    switch (tag) {
    case NW__TAG_STRING_UTF8:
    case NW__TAG_STRING_ONE_BYTE:
    case NW__TAG_STRING_TWO_BYTE:
        return read_string(reader, tag, out);
    default:
        return nw__input_malformed(&reader->input,
                                   "no string where one must be");
    }
}

static nw_status make_constant(nw_value *constant, nw_value **out)
{
    *out = constant;
    return NW_OK;
}

static nw_status read_number_value(struct nw__reader *reader, uint8_t tag,
                                   nw_value **out)
{
    double number;
    nw_status status = nw__input_number(&reader->input, tag, &number);

    if (status != NW_OK) {
        return status;
    }
    *out = nw_value_number(reader->doc, number);
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

static nw_status read_bigint(struct nw__reader *reader, nw_value **out)
{
    uint32_t bits;
    uint32_t size;
    const uint8_t *bytes;
    nw_status status = nw__input_varint(&reader->input, &bits);

    if (status != NW_OK) {
        return status;
    }
    size = bits >> 1; // The lowest bit is the sign.
    if (size > nw__input_left(&reader->input)) {
        return nw__input_malformed(&reader->input, "truncated data");
    }
    if (size > NW_BIGINT_WORDS_MAX * sizeof(uint64_t)) {
        return nw__input_fail(&reader->input, NW_ELIMIT, "BigInt too large");
    }
    bytes = reader->input.at;
    reader->input.at += size;
    *out = nw__value_bigint_bytes(reader->doc, (bits & 1) != 0, bytes, size);
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

static nw_status read_date(struct nw__reader *reader, nw_value **out)
{
    double ms;
    nw_status status = nw__input_double(&reader->input, &ms);

    return status == NW_OK ? nw__reader_identify(
                                 reader, nw_value_date(reader->doc, ms), out)
                           : status;
}

static nw_status read_regexp(struct nw__reader *reader, nw_value **out)
{
    // By bit. The one that is missing asks for another regexp engine.
    static const char letters[] = "gimyus\0dv";
    char flags[sizeof(letters)];
    size_t count = 0;
    nw_value *source;
    uint32_t bits;
    nw_status status = nw__reader_tagged_string(reader, &source);

    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &bits);
    }
    if (status != NW_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof(letters) - 1; i++) {
        if ((bits >> i & 1) != 0 && letters[i] != '\0') {
            flags[count++] = letters[i];
            bits &= ~(UINT32_C(1) << i);
        }
    }
    flags[count] = '\0';
    *out = NULL;
    if (bits == 0) {
        *out =
            nw__value_regexp(reader->doc, source->as.text, source->size, flags);
    }
    if (*out == NULL && reader->doc->status == NW_OK) {
        return nw__input_malformed(&reader->input, "unknown regexp flags");
    }
    return nw__reader_identify(reader, *out, out);
}

static nw_status read_boxed(struct nw__reader *reader, uint8_t tag,
                            nw_value **out)
{
    nw_value *primitive = &reader->doc->booleans[tag == NW__TAG_BOXED_TRUE];
    nw_status status = NW_OK;

    if (tag == NW__TAG_BOXED_NUMBER) {
        status = read_number_value(reader, NW__TAG_DOUBLE, &primitive);
    } else if (tag == NW__TAG_BOXED_BIGINT) {
        status = read_bigint(reader, &primitive);
    } else if (tag == NW__TAG_BOXED_STRING) {
        status = nw__reader_tagged_string(reader, &primitive);
    }
    if (status != NW_OK) {
        return status;
    }
    return nw__reader_identify(reader, nw_value_boxed(reader->doc, primitive),
                               out);
}

// -- one value

// What has identity but no properties that could be written one by one.
static nw_status read_special(struct nw__reader *reader, uint8_t tag,
                              nw_value **out)
{
    switch (tag) {
    case NW__TAG_BIGINT:
        return read_bigint(reader, out);
    case NW__TAG_DATE:
        return read_date(reader, out);
    case NW__TAG_REGEXP:
        return read_regexp(reader, out);
    case NW__TAG_MAP:
        return nw__reader_open_map(reader, out);
    case NW__TAG_SET:
        return nw__reader_open_set(reader, out);
    case NW__TAG_ERROR:
        return nw__reader_open_error(reader, out);
    case NW__TAG_BOXED_TRUE:
    case NW__TAG_BOXED_FALSE:
    case NW__TAG_BOXED_NUMBER:
    case NW__TAG_BOXED_BIGINT:
    case NW__TAG_BOXED_STRING:
        return read_boxed(reader, tag, out);
    case NW__TAG_BUFFER_SHARED:
        return nw__reader_shared(reader, out);
    case NW__TAG_WASM_MODULE:
        return nw__reader_module(reader, out);
    case NW__TAG_WASM_MEMORY:
        return nw__reader_memory(reader, out);
    case NW__TAG_SHARED_OBJECT:
        return nw__input_fail(&reader->input, NW_ETYPE, "shared object");
    default:
        return nw__input_malformed(&reader->input, "unknown tag");
    }
}

// The value behind `tag`; of a container only its beginning, with a frame for
// the rest.
static nw_status read_tagged(struct nw__reader *reader, uint8_t tag,
                             nw_value **out)
{
    switch (tag) {
    case NW__TAG_UNDEFINED:
        return make_constant(&reader->doc->undefined, out);
    case NW__TAG_NULL:
        return make_constant(&reader->doc->null, out);
    case NW__TAG_TRUE:
        return make_constant(&reader->doc->booleans[true], out);
    case NW__TAG_FALSE:
        return make_constant(&reader->doc->booleans[false], out);
    case NW__TAG_INT32:
    case NW__TAG_UINT32:
    case NW__TAG_DOUBLE:
        return read_number_value(reader, tag, out);
    case NW__TAG_STRING_UTF8:
    case NW__TAG_STRING_ONE_BYTE:
    case NW__TAG_STRING_TWO_BYTE:
        return read_string(reader, tag, out);
    case NW__TAG_REFERENCE:
        return nw__reader_reference(reader, out);
    case NW__TAG_OBJECT_BEGIN:
        return nw__reader_open_object(reader, out);
    case NW__TAG_DENSE_BEGIN:
        return nw__reader_open_dense(reader, out);
    case NW__TAG_SPARSE_BEGIN:
        return nw__reader_open_sparse(reader, out);
    case NW__TAG_BUFFER:
        return nw__reader_buffer(reader, false, out);
    case NW__TAG_BUFFER_RESIZABLE:
        return nw__reader_buffer(reader, true, out);
    case NW__TAG_BUFFER_TRANSFER:
        return nw__reader_transferred(reader, out);
    case NW__TAG_HOST_OBJECT:
        return nw__reader_host(reader, out);
    default:
        return read_special(reader, tag, out);
    }
}

// Puts a value where the frame wants it; the outermost ones (NULL) go nowhere.
static nw_status place_value(struct nw__reader_frame *frame, nw_value *value)
{
    if (frame == NULL) {
        nw__value_place(value);
        return NW_OK;
    }
    switch (frame->place) {
    case NW__PLACE_ITEM:
        return nw__array_append(frame->container, value);
    case NW__PLACE_INDEX:
        return nw__array_append_at(frame->container, frame->index, value);
    case NW__PLACE_MEMBER:
        return nw__object_put(frame->container, frame->key, frame->key_size,
                              value);
    case NW__PLACE_PROPERTY:
        return nw__array_put_property(frame->container, frame->key,
                                      frame->key_size, value);
    case NW__PLACE_KEY:
        frame->map_key = value;
        frame->place = NW__PLACE_VALUE;
        return NW_OK;
    case NW__PLACE_VALUE:
        frame->place = NW__PLACE_KEY;
        return nw__map_append(frame->container, frame->map_key, value);
    case NW__PLACE_SET:
        return nw__set_append(frame->container, value);
    case NW__PLACE_CAUSE:
        frame->container->as.error->cause = value;
        nw__value_place(value);
        break;
    }
    return NW_OK;
}

nw_status nw__reader_value(struct nw__reader *reader, nw_value **out)
{
    struct nw__reader_frame *frame = reader->top;
    uint8_t tag;
    nw_status status = nw__input_tag(&reader->input, &tag);

    while (status == NW_OK && tag == NW__TAG_OBJECT_COUNT) {
        uint32_t count;

        status = nw__input_varint(&reader->input, &count);
        if (status == NW_OK) {
            status = nw__input_tag(&reader->input, &tag);
        }
    }
    if (status == NW_OK) {
        status = read_tagged(reader, tag, out);
    }
    if (status == NW_OK && ((*out)->flags & NW__VALUE_BUFFER) != 0 &&
        nw__input_skip_tag(&reader->input, NW__TAG_VIEW)) {
        status = nw__reader_view(reader, *out, out);
    }
    return status == NW_OK ? place_value(frame, *out) : status;
}

// -- the whole

static nw_status read_header(struct nw__reader *reader)
{
    uint8_t tag;
    nw_status status = nw__input_tag(&reader->input, &tag);

    if (status == NW_OK && tag != NW__TAG_VERSION) {
        return nw__input_malformed(&reader->input, "no version");
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &reader->version);
    }
    if (status == NW_OK && (reader->version < NW__WIRE_VERSION_MIN ||
                            reader->version > NW__WIRE_VERSION)) {
        return nw__input_malformed(&reader->input, "unknown version");
    }
    return status;
}

static nw_status read_tree(struct nw__reader *reader, nw_value **out)
{
    nw_status status = nw__reader_value(reader, out);

    return status == NW_OK ? nw__reader_finish(reader) : status;
}

static nw_status read_all(struct nw__reader *reader, uint32_t value_count,
                          const nw_value **values, size_t count)
{
    nw_status status = NW_OK;
    nw_value *value;

    if (value_count > 0 || nw__input_left(&reader->input) > 0) {
        status = read_header(reader);
    }
    for (uint32_t i = 0; i < value_count && status == NW_OK; i++) {
        status = read_tree(reader, &value);
        if (status == NW_OK && i < count) {
            values[i] = value;
        }
    }
    if (status != NW_OK) {
        return status;
    }
    nw__input_skip_padding(&reader->input);
    if (nw__input_left(&reader->input) > 0) {
        return nw__input_malformed(&reader->input,
                                   "bytes behind the last value");
    }
    return NW_OK;
}

static void reader_init(struct nw__reader *reader, nw_doc *doc,
                        const struct nw__message *message)
{
    // Not the whole of it: the inline ids need no zeroes.
    memset(reader, 0, offsetof(struct nw__reader, ids_small));
    reader->input.at = message->data;
    reader->input.end = message->data;
    if (message->size > 0) {
        reader->input.end += message->size;
    }
    reader->doc = doc;
    reader->ids = reader->ids_small;
    reader->ids_capacity = NW__READER_IDS_INLINE;
}

nw_status nw__wire_read(nw_doc *doc, struct nw__message *message,
                        const nw_value **values, size_t count,
                        const char **detail)
{
    struct nw__reader reader;
    nw_status status;

    for (size_t i = 0; i < count; i++) {
        values[i] = &doc->undefined;
    }
    reader_init(&reader, doc, message);
    // First of all, and also into a document that is marked: from here on what
    // lies beside the message is the document's.
    status = nw__doc_adopt(doc, message, &reader.adopted);
    if (status == NW_OK) {
        status = doc->status;
    }
    if (status == NW_OK) {
        status = read_all(&reader, message->value_count, values, count);
    }
    if (status != NW_OK) {
        for (size_t i = 0; i < count; i++) {
            values[i] = NULL;
        }
    }
    if (detail != NULL) {
        *detail = status == NW_OK || reader.input.detail != NULL
                      ? reader.input.detail
                      : nw_status_message(status);
    }
    return status;
}

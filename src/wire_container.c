// The reader's part for containers: arrays, objects, maps, sets and errors.
//
// Invariants
//   A container is a value with an id from its first byte on, so that what is
//   in it can refer to it; errors cannot be referred to before their end,
//   because V8 makes them only there.

#include "src/wire.h"

#include <math.h>
#include <stdio.h>

#include "src/common.h"
#include "src/wire_reader.h"

// JavaScript writes an array of any length with a handful of bytes, and C code
// goes through what it gets item by item.
#define SPARSE_LENGTH_MAX (UINT32_C(1) << 24)

// Property keys are at most 2^53 when they are whole numbers.
#define NUMBER_INTEGER_MAX 9007199254740992.0
#define NUMBER_TEXT_SIZE   24

static nw_status frame_open(struct nw__reader *reader, nw_value *container,
                            struct nw__reader_frame **out)
{
    struct nw__reader_frame *frame = reader->unused;

    if (reader->depth == NW_VALUE_DEPTH_MAX) {
        return nw__input_fail(&reader->input, NW_ELIMIT, "nested too deeply");
    }
    if (frame != NULL) {
        reader->unused = frame->outer;
    } else {
        frame = nw__doc_alloc(reader->doc, sizeof(*frame), sizeof(void *));
        if (frame == NULL) {
            return NW_ENOMEM;
        }
    }
    memset(frame, 0, sizeof(*frame));
    frame->outer = reader->top;
    frame->container = container;
    reader->top = frame;
    reader->depth++;
    *out = frame;
    return NW_OK;
}

static void frame_close(struct nw__reader *reader)
{
    struct nw__reader_frame *frame = reader->top;

    reader->top = frame->outer;
    reader->depth--;
    frame->outer = reader->unused;
    reader->unused = frame;
}

// -- beginnings

nw_status nw__reader_open_object(struct nw__reader *reader, nw_value **out)
{
    struct nw__reader_frame *frame;
    nw_status status =
        nw__reader_identify(reader, nw_value_object(reader->doc), out);

    return status == NW_OK ? frame_open(reader, *out, &frame) : status;
}

nw_status nw__reader_open_dense(struct nw__reader *reader, nw_value **out)
{
    struct nw__reader_frame *frame;
    uint32_t length;
    nw_status status = nw__input_varint(&reader->input, &length);

    if (status != NW_OK) {
        return status;
    }
    if (reader->owed + length > nw__input_left(&reader->input)) {
        return nw__input_malformed(&reader->input,
                                   "array longer than the message");
    }
    status = nw__reader_identify(reader, nw_value_array(reader->doc), out);
    if (status == NW_OK) {
        status = nw__array_reserve(*out, length);
    }
    if (status == NW_OK) {
        status = frame_open(reader, *out, &frame);
    }
    if (status == NW_OK) {
        frame->length = length;
        frame->items_left = length;
        reader->owed += length;
    }
    return status;
}

nw_status nw__reader_open_sparse(struct nw__reader *reader, nw_value **out)
{
    struct nw__reader_frame *frame;
    uint32_t length;
    nw_status status = nw__input_varint(&reader->input, &length);

    if (status != NW_OK) {
        return status;
    }
    if (length > SPARSE_LENGTH_MAX) {
        return nw__input_fail(&reader->input, NW_ELIMIT,
                              "sparse array too long");
    }
    status = nw__reader_identify(reader, nw_value_array(reader->doc), out);
    if (status == NW_OK) {
        status = frame_open(reader, *out, &frame);
    }
    if (status == NW_OK) {
        nw__array_make_sparse(*out);
        frame->length = length;
    }
    return status;
}

static nw_status open_collection(struct nw__reader *reader, nw_value *value,
                                 enum nw__place place, nw_value **out)
{
    struct nw__reader_frame *frame;
    nw_status status = nw__reader_identify(reader, value, out);

    if (status == NW_OK) {
        status = frame_open(reader, value, &frame);
    }
    if (status == NW_OK) {
        frame->place = place;
    }
    return status;
}

nw_status nw__reader_open_map(struct nw__reader *reader, nw_value **out)
{
    return open_collection(reader, nw_value_map(reader->doc), NW__PLACE_KEY,
                           out);
}

nw_status nw__reader_open_set(struct nw__reader *reader, nw_value **out)
{
    return open_collection(reader, nw_value_set(reader->doc), NW__PLACE_SET,
                           out);
}

nw_status nw__reader_open_error(struct nw__reader *reader, nw_value **out)
{
    nw_status status = open_collection(reader, nw__value_error(reader->doc),
                                       NW__PLACE_CAUSE, out);

    if (status == NW_OK) {
        (*out)->flags |= NW__VALUE_OPEN;
    }
    return status;
}

nw_status nw__reader_open_record(struct nw__reader *reader, nw_value **out)
{
    nw_value *record;
    uint8_t tag;
    nw_status status =
        nw__reader_identify(reader, nw__value_error(reader->doc), out);

    if (status == NW_OK) {
        (*out)->flags |= NW__VALUE_OPEN;
        status = nw__input_tag(&reader->input, &tag);
    }
    if (status != NW_OK) {
        return status;
    }
    if (tag != NW__TAG_OBJECT_BEGIN) {
        return nw__input_malformed(&reader->input, "error without a record");
    }
    status = nw__reader_open_object(reader, &record);
    if (status == NW_OK) {
        reader->top->error = *out;
        // No value of its own: its parts would stand in two places.
        reader->ids[reader->ids_count - 1] = NULL;
    }
    return status;
}

// -- what is inside

// V8 writes indices in ascending order, and none in a dense array, which is
// full when its properties are read.
static nw_status place_at_index(struct nw__reader *reader,
                                struct nw__reader_frame *frame, double index)
{
    if (index < frame->container->size || index >= frame->length) {
        return nw__input_malformed(&reader->input, "array index out of order");
    }
    frame->place = NW__PLACE_INDEX;
    frame->index = (uint32_t)index;
    return NW_OK;
}

// A number as key: the index in a sparse array, else its text.
static nw_status read_number_key(struct nw__reader *reader,
                                 struct nw__reader_frame *frame, uint8_t tag)
{
    char digits[NUMBER_TEXT_SIZE];
    double number;
    nw_status status = nw__input_number(&reader->input, tag, &number);
    int size;

    if (status != NW_OK) {
        return status;
    }
    // NaN is not equal to itself.
    if (fabs(number) > NUMBER_INTEGER_MAX || number != trunc(number)) {
        return nw__input_malformed(&reader->input,
                                   "property key that is no whole number");
    }
    if (frame->container->type == NW_TYPE_ARRAY) {
        return place_at_index(reader, frame, number);
    }
    // Plus zero, because the name of -0 is "0".
    size = snprintf(digits, sizeof(digits), "%.0f", number + 0.0);
    frame->place = NW__PLACE_MEMBER;
    frame->key_size = (uint32_t)size;
    frame->key = nw__doc_text(reader->doc, digits, (size_t)size);
    return frame->key == NULL ? NW_ENOMEM : NW_OK;
}

static nw_status read_text_key(struct nw__reader *reader,
                               struct nw__reader_frame *frame, uint8_t tag)
{
    struct nw__wire_text text;
    nw_status status = nw__input_text(&reader->input, tag, &text);
    char *key;

    if (status != NW_OK) {
        return status;
    }
    key = nw__doc_alloc(reader->doc, text.size + 1, 1);
    if (key == NULL) {
        return NW_ENOMEM;
    }
    nw__wire_text_convert(&text, key);
    key[text.size] = '\0';
    frame->place = NW__PLACE_MEMBER;
    frame->key = key;
    frame->key_size = (uint32_t)text.size;
    if (frame->container->type == NW_TYPE_ARRAY) {
        frame->place = NW__PLACE_PROPERTY;
        // V8 would make an item of it, and writes none like that.
        if (nw__key_is_index(key, text.size)) {
            return nw__input_malformed(&reader->input,
                                       "array index out of order");
        }
    }
    return NW_OK;
}

static nw_status read_key(struct nw__reader *reader,
                          struct nw__reader_frame *frame)
{
    uint8_t tag;
    nw_status status = nw__input_tag(&reader->input, &tag);

    if (status != NW_OK) {
        return status;
    }
    switch (tag) {
    case NW__TAG_INT32:
    case NW__TAG_UINT32:
    case NW__TAG_DOUBLE:
        return read_number_key(reader, frame, tag);
    case NW__TAG_STRING_UTF8:
    case NW__TAG_STRING_ONE_BYTE:
    case NW__TAG_STRING_TWO_BYTE:
        return read_text_key(reader, frame, tag);
    default:
        return nw__input_malformed(&reader->input,
                                   "property key of a wrong type");
    }
}

static nw_status counts_do_not_match(struct nw__reader *reader)
{
    return nw__input_malformed(&reader->input, "counts do not match");
}

// All of an error is there: from now on it can be referred to.
static nw_status error_end(nw_value *error, nw_status status)
{
    error->flags &= (uint16_t)~NW__VALUE_OPEN;
    return status;
}

// The end tag has been read. The counts behind it repeat what we know.
static nw_status read_end(struct nw__reader *reader,
                          struct nw__reader_frame *frame)
{
    nw_value *container = frame->container;
    uint32_t pairs;
    uint32_t length = frame->length;
    nw_status status = nw__input_varint(&reader->input, &pairs);

    if (status == NW_OK && container->type == NW_TYPE_ARRAY) {
        status = nw__input_varint(&reader->input, &length);
    }
    if (status != NW_OK) {
        return status;
    }
    if (pairs != frame->pairs || length != frame->length) {
        return counts_do_not_match(reader);
    }
    if ((container->flags & NW__VALUE_SPARSE) != 0) {
        status = nw__array_end_sparse(container, length);
    }
    if (frame->error != NULL) {
        status = error_end(frame->error,
                           nw__error_set_record(frame->error, container));
    }
    frame_close(reader);
    return status;
}

static uint8_t end_tag(const nw_value *container)
{
    if (container->type == NW_TYPE_OBJECT) {
        return NW__TAG_OBJECT_END;
    }
    return (container->flags & NW__VALUE_SPARSE) != 0 ? NW__TAG_SPARSE_END
                                                      : NW__TAG_DENSE_END;
}

static nw_status read_item(struct nw__reader *reader,
                           struct nw__reader_frame *frame)
{
    nw_value *item;

    frame->items_left--;
    reader->owed--;
    if (nw__input_skip_tag(&reader->input, NW__TAG_HOLE)) {
        return nw__array_append(frame->container, &reader->doc->hole);
    }
    frame->place = NW__PLACE_ITEM;
    return nw__reader_value(reader, &item);
}

// Behind the end tag of a map or set is the number of values in it.
static nw_status read_collection_end(struct nw__reader *reader, uint32_t width)
{
    uint32_t count;
    nw_status status = nw__input_varint(&reader->input, &count);

    if (status != NW_OK) {
        return status;
    }
    if (count != (uint64_t)reader->top->container->size * width) {
        return counts_do_not_match(reader);
    }
    frame_close(reader);
    return NW_OK;
}

// The end can only come where a key could.
static nw_status inside_map(struct nw__reader *reader,
                            struct nw__reader_frame *frame)
{
    nw_value *value;

    if (frame->place == NW__PLACE_KEY &&
        nw__input_skip_tag(&reader->input, NW__TAG_MAP_END)) {
        return read_collection_end(reader, 2);
    }
    return nw__reader_value(reader, &value);
}

static nw_status inside_set(struct nw__reader *reader)
{
    nw_value *value;

    if (nw__input_skip_tag(&reader->input, NW__TAG_SET_END)) {
        return read_collection_end(reader, 1);
    }
    return nw__reader_value(reader, &value);
}

// One part of an error in V8's own form; they come in any order.
static nw_status inside_error(struct nw__reader *reader,
                              struct nw__reader_frame *frame)
{
    nw_value *error = frame->container;
    nw_value *cause;
    uint8_t part;

    if (nw__input_left(&reader->input) == 0) {
        return nw__input_malformed(&reader->input, "truncated number");
    }
    // To V8 it is a number, of which it writes only small ones.
    part = *reader->input.at++;
    switch (part) {
    case NW__ERROR_MESSAGE:
        return nw__reader_tagged_string(reader, &error->as.error->message);
    case NW__ERROR_STACK:
        return nw__reader_tagged_string(reader, &error->as.error->stack);
    case NW__ERROR_CAUSE:
        return nw__reader_value(reader, &cause);
    case NW__ERROR_END:
        frame_close(reader);
        return error_end(error, nw__error_show(error));
    default:
        break;
    }
    if (!nw__error_set_class(error, part)) {
        return nw__input_malformed(&reader->input, "unknown part of an error");
    }
    return error->as.error->name == NULL ? NW_ENOMEM : NW_OK;
}

// Reads the next thing inside the innermost container: an item, a pair, or its
// end.
static nw_status read_inside(struct nw__reader *reader)
{
    struct nw__reader_frame *frame = reader->top;
    nw_value *value;
    nw_status status;

    if (frame->items_left > 0) {
        return read_item(reader, frame);
    }
    switch (frame->container->type) {
    case NW_TYPE_MAP:
        return inside_map(reader, frame);
    case NW_TYPE_SET:
        return inside_set(reader);
    case NW_TYPE_ERROR:
        return inside_error(reader, frame);
    default:
        break;
    }
    if (nw__input_skip_tag(&reader->input, end_tag(frame->container))) {
        return read_end(reader, frame);
    }
    status = read_key(reader, frame);
    if (status != NW_OK) {
        return status;
    }
    frame->pairs++;
    return nw__reader_value(reader, &value);
}

nw_status nw__reader_finish(struct nw__reader *reader)
{
    nw_status status = NW_OK;

    while (status == NW_OK && reader->top != NULL) {
        status = read_inside(reader);
    }
    return status;
}

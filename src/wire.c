// The reader: V8's wire format to values.
//
// Invariants
//   The input is hostile. Nothing is read past `end`; nothing is allocated for
//   a count or length that the rest of the input could not hold; the work done
//   is proportional to the input.
//   Ids count every object, buffer, view and host object in the order in which
//   V8 counts them, whether or not C can see a difference between them.
//   No recursion: open containers are a list of frames in the document.
//
// What is lost: properties of an array other than its items, the kind of a
// typed array, the difference between a hole and undefined.
//
// Design notes
//   Checking each array's length against the bytes that are left is not enough:
//   a thousand nested arrays could each claim all of them. `owed` is the sum of
//   items that open arrays still expect; each needs a byte of its own.

#include "src/wire.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/common.h"
#include "src/value.h"
#include "src/wire_input.h"
#include "src/wire_tag.h"

#define IDS_INLINE 16

// JavaScript writes an array of any length with a handful of bytes, and C code
// goes through what it gets item by item.
#define SPARSE_LENGTH_MAX (UINT32_C(1) << 24)

// Property keys are at most 2^53 when they are whole numbers.
#define NUMBER_INTEGER_MAX 9007199254740992.0
#define NUMBER_TEXT_SIZE   24

// Where the value that comes next belongs.
enum place {
    PLACE_ITEM,   // At the end of a dense array.
    PLACE_INDEX,  // At `index` of a sparse array.
    PLACE_MEMBER, // At `key` of an object.
    PLACE_NONE,   // Nowhere: a property of an array.
};

struct frame {
    struct frame *outer;
    nw_value *container;
    uint32_t length;     // Announced, of an array.
    uint32_t items_left; // Of a dense array.
    uint32_t pairs;      // Of key and value, so far.
    enum place place;
    uint32_t index;
    uint32_t key_size;
    const char *key;
};

struct reader {
    struct nw__input input;
    nw_doc *doc;
    struct nw__holding *holdings; // One for each blob of the message.
    uint32_t holding_count;
    uint32_t version;
    uint64_t owed;

    struct frame *top;
    struct frame *unused; // Closed ones, for reuse.
    uint32_t depth;

    nw_value **ids; // == ids_small, or in the document.
    uint32_t ids_count;
    uint32_t ids_capacity;
    nw_value *ids_small[IDS_INLINE];
};

// -- identity

static nw_status ids_add(struct reader *reader, nw_value *value)
{
    uint32_t capacity = reader->ids_capacity;
    nw_value **ids = reader->ids;

    if (reader->ids_count == capacity) {
        if (capacity > UINT32_MAX / 2) {
            return nw__input_fail(&reader->input, NW_ELIMIT,
                                  "too many objects");
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
    }
    ids[reader->ids_count++] = value;
    return NW_OK;
}

// Gives the value the next id and hands it on.
static nw_status identified(struct reader *reader, nw_value *value,
                            nw_value **out)
{
    *out = value;
    return value == NULL ? NW_ENOMEM : ids_add(reader, value);
}

static nw_status read_reference(struct reader *reader, nw_value **out)
{
    uint32_t id;
    nw_status status = nw__input_varint(&reader->input, &id);

    if (status != NW_OK) {
        return status;
    }
    if (id >= reader->ids_count) {
        return nw__input_malformed(&reader->input, "reference to nothing");
    }
    *out = reader->ids[id];
    return NW_OK;
}

// -- text

static nw_status read_string(struct reader *reader, uint8_t tag, nw_value **out)
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

// -- bytes

// Bytes per element, or 0 for no view that V8 knows.
static uint32_t view_element_size(uint32_t view)
{
    switch (view) {
    case NW__VIEW_INT8:
    case NW__VIEW_UINT8:
    case NW__VIEW_UINT8_CLAMPED:
    case NW__VIEW_DATA_VIEW:
        return 1;
    case NW__VIEW_INT16:
    case NW__VIEW_UINT16:
    case NW__VIEW_FLOAT16:
        return 2;
    case NW__VIEW_INT32:
    case NW__VIEW_UINT32:
    case NW__VIEW_FLOAT32:
        return 4;
    case NW__VIEW_FLOAT64:
    case NW__VIEW_BIGINT64:
    case NW__VIEW_BIGUINT64:
        return 8;
    default:
        return 0;
    }
}

static nw_status check_view(struct reader *reader, uint32_t view,
                            uint32_t offset, uint32_t size)
{
    uint32_t element_size = view_element_size(view);

    if (element_size == 0) {
        return nw__input_malformed(&reader->input, "unknown view");
    }
    if (offset % element_size != 0 || size % element_size != 0) {
        return nw__input_malformed(&reader->input, "view of parts of elements");
    }
    return NW_OK;
}

static nw_status make_copied(struct reader *reader, const uint8_t *data,
                             uint32_t size, nw_value **out)
{
    if (size > NW_VALUE_SIZE_MAX) {
        return nw__input_fail(&reader->input, NW_ELIMIT, "too many bytes");
    }
    return identified(reader, nw_value_bytes(reader->doc, data, size), out);
}

static nw_status make_held(struct reader *reader, uint32_t index, size_t offset,
                           size_t size, nw_value **out)
{
    struct nw__holding *holding = &reader->holdings[index];

    if (size > NW_VALUE_SIZE_MAX) {
        return nw__input_fail(&reader->input, NW_ELIMIT, "too many bytes");
    }
    return identified(
        reader, nw__value_bytes_held(reader->doc, holding, offset, size), out);
}

// Behind such a value a view may follow.
static nw_status mark_buffer(nw_value *value)
{
    value->flags |= NW__VALUE_BUFFER;
    return NW_OK;
}

static nw_status read_buffer(struct reader *reader, bool resizable,
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
    status = make_copied(reader, data, size, out);
    return status == NW_OK ? mark_buffer(*out) : status;
}

static nw_status read_blob_index(struct reader *reader, uint32_t *index)
{
    nw_status status = nw__input_varint(&reader->input, index);

    if (status != NW_OK) {
        return status;
    }
    if (*index >= reader->holding_count) {
        return nw__input_malformed(&reader->input, "buffer that was not sent");
    }
    return NW_OK;
}

static nw_status read_transferred(struct reader *reader, nw_value **out)
{
    uint32_t index;
    nw_status status = read_blob_index(reader, &index);

    if (status != NW_OK) {
        return status;
    }
    status =
        make_held(reader, index, 0, reader->holdings[index].blob.size, out);
    return status == NW_OK ? mark_buffer(*out) : status;
}

// The view behind a buffer; its tag has been read.
static nw_status read_view(struct reader *reader, nw_value *buffer,
                           nw_value **out)
{
    uint32_t view;
    uint32_t offset;
    uint32_t size;
    uint32_t flags; // About resizing, which nobody can do here.
    nw_status status = nw__input_varint(&reader->input, &view);

    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &offset);
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &size);
    }
    if (status == NW_OK && reader->version >= 14) {
        status = nw__input_varint(&reader->input, &flags);
    }
    if (status == NW_OK) {
        status = check_view(reader, view, offset, size);
    }
    if (status != NW_OK) {
        return status;
    }
    if (offset > buffer->size || size > buffer->size - offset) {
        return nw__input_malformed(&reader->input,
                                   "view outside of its buffer");
    }
    return identified(reader, nw__value_bytes_part(buffer, offset, size), out);
}

// One of our own; see wire.h.
static nw_status read_host_copied(struct reader *reader, nw_value **out)
{
    uint32_t view;
    const uint8_t *data;
    uint32_t size;
    nw_status status = nw__input_varint(&reader->input, &view);

    if (status == NW_OK) {
        status = nw__input_sized(&reader->input, &data, &size);
    }
    if (status == NW_OK && view != NW__WIRE_VIEW_ARRAY_BUFFER) {
        status = check_view(reader, view, 0, size);
    }
    return status == NW_OK ? make_copied(reader, data, size, out) : status;
}

static nw_status read_host_transferred(struct reader *reader, nw_value **out)
{
    uint32_t view;
    uint32_t index;
    uint32_t offset;
    uint32_t size;
    size_t blob_size;
    nw_status status = nw__input_varint(&reader->input, &view);

    if (status == NW_OK) {
        status = read_blob_index(reader, &index);
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &offset);
    }
    if (status == NW_OK) {
        status = nw__input_varint(&reader->input, &size);
    }
    if (status == NW_OK && view != NW__WIRE_VIEW_ARRAY_BUFFER) {
        status = check_view(reader, view, offset, size);
    }
    if (status != NW_OK) {
        return status;
    }
    blob_size = reader->holdings[index].blob.size;
    if (offset > blob_size || size > blob_size - offset) {
        return nw__input_malformed(&reader->input,
                                   "view outside of its buffer");
    }
    return make_held(reader, index, offset, size, out);
}

static nw_status read_host_object(struct reader *reader, nw_value **out)
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
    default:
        return nw__input_fail(&reader->input, NW_ETYPE, "host object");
    }
}

// -- containers

static nw_status frame_open(struct reader *reader, nw_value *container,
                            struct frame **out)
{
    struct frame *frame = reader->unused;

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

static void frame_close(struct reader *reader)
{
    struct frame *frame = reader->top;

    reader->top = frame->outer;
    reader->depth--;
    frame->outer = reader->unused;
    reader->unused = frame;
}

static nw_status open_object(struct reader *reader, nw_value **out)
{
    struct frame *frame;
    nw_status status = identified(reader, nw_value_object(reader->doc), out);

    return status == NW_OK ? frame_open(reader, *out, &frame) : status;
}

static nw_status open_dense(struct reader *reader, nw_value **out)
{
    struct frame *frame;
    uint32_t length;
    nw_status status = nw__input_varint(&reader->input, &length);

    if (status != NW_OK) {
        return status;
    }
    if (reader->owed + length > nw__input_left(&reader->input)) {
        return nw__input_malformed(&reader->input,
                                   "array longer than the message");
    }
    status = identified(reader, nw_value_array(reader->doc), out);
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

static nw_status open_sparse(struct reader *reader, nw_value **out)
{
    struct frame *frame;
    uint32_t length;
    nw_status status = nw__input_varint(&reader->input, &length);

    if (status != NW_OK) {
        return status;
    }
    if (length > SPARSE_LENGTH_MAX) {
        return nw__input_fail(&reader->input, NW_ELIMIT,
                              "sparse array too long");
    }
    status = identified(reader, nw_value_array(reader->doc), out);
    if (status == NW_OK) {
        status = frame_open(reader, *out, &frame);
    }
    if (status == NW_OK) {
        nw__array_make_sparse(*out);
        frame->length = length;
    }
    return status;
}

// -- one value

// What V8 can send and C cannot hold, or NULL.
static const char *foreign_type(uint8_t tag)
{
    switch (tag) {
    case NW__TAG_BIGINT:
        return "BigInt";
    case NW__TAG_DATE:
        return "Date";
    case NW__TAG_REGEXP:
        return "RegExp";
    case NW__TAG_MAP:
        return "Map";
    case NW__TAG_SET:
        return "Set";
    case NW__TAG_ERROR:
        return "Error";
    case NW__TAG_BOXED_TRUE:
    case NW__TAG_BOXED_FALSE:
        return "Boolean object";
    case NW__TAG_BOXED_NUMBER:
        return "Number object";
    case NW__TAG_BOXED_BIGINT:
        return "BigInt object";
    case NW__TAG_BOXED_STRING:
        return "String object";
    case NW__TAG_BUFFER_SHARED:
        return "SharedArrayBuffer";
    case NW__TAG_SHARED_OBJECT:
        return "shared object";
    case NW__TAG_WASM_MODULE:
        return "WebAssembly.Module";
    case NW__TAG_WASM_MEMORY:
        return "WebAssembly.Memory";
    default:
        return NULL;
    }
}

static nw_status read_unreadable(struct reader *reader, uint8_t tag)
{
    const char *name = foreign_type(tag);

    if (name == NULL) {
        return nw__input_malformed(&reader->input, "unknown tag");
    }
    return nw__input_fail(&reader->input, NW_ETYPE, name);
}

static nw_status make_constant(nw_value *constant, nw_value **out)
{
    *out = constant;
    return NW_OK;
}

static nw_status read_number_value(struct reader *reader, uint8_t tag,
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

// The value behind `tag`; of a container only its beginning, with a frame for
// the rest.
static nw_status read_tagged(struct reader *reader, uint8_t tag, nw_value **out)
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
        return read_reference(reader, out);
    case NW__TAG_OBJECT_BEGIN:
        return open_object(reader, out);
    case NW__TAG_DENSE_BEGIN:
        return open_dense(reader, out);
    case NW__TAG_SPARSE_BEGIN:
        return open_sparse(reader, out);
    case NW__TAG_BUFFER:
        return read_buffer(reader, false, out);
    case NW__TAG_BUFFER_RESIZABLE:
        return read_buffer(reader, true, out);
    case NW__TAG_BUFFER_TRANSFER:
        return read_transferred(reader, out);
    case NW__TAG_HOST_OBJECT:
        return read_host_object(reader, out);
    default:
        return read_unreadable(reader, tag);
    }
}

// Puts a value where the frame wants it; the outermost ones go nowhere.
static nw_status place_value(struct frame *frame, nw_value *value)
{
    if (frame == NULL) {
        nw__value_place(value);
        return NW_OK;
    }
    switch (frame->place) {
    case PLACE_ITEM:
        return nw__array_append(frame->container, value);
    case PLACE_INDEX:
        return nw__array_append_at(frame->container, frame->index, value);
    case PLACE_MEMBER:
        return nw__object_put(frame->container, frame->key, frame->key_size,
                              value);
    case PLACE_NONE:
        break;
    }
    return NW_OK;
}

static nw_status read_value(struct reader *reader, nw_value **out)
{
    struct frame *frame = reader->top;
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
        status = read_view(reader, *out, out);
    }
    return status == NW_OK ? place_value(frame, *out) : status;
}

// -- what is inside a container

// V8 writes indices in ascending order, and none in a dense array, which is
// full when its properties are read.
static nw_status place_at_index(struct reader *reader, struct frame *frame,
                                double index)
{
    if (index < frame->container->size || index >= frame->length) {
        return nw__input_malformed(&reader->input, "array index out of order");
    }
    frame->place = PLACE_INDEX;
    frame->index = (uint32_t)index;
    return NW_OK;
}

// A number as key: the index in a sparse array, else its text.
static nw_status read_number_key(struct reader *reader, struct frame *frame,
                                 uint8_t tag)
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
    frame->place = PLACE_MEMBER;
    frame->key_size = (uint32_t)size;
    frame->key = nw__doc_text(reader->doc, digits, (size_t)size);
    return frame->key == NULL ? NW_ENOMEM : NW_OK;
}

static nw_status read_text_key(struct reader *reader, struct frame *frame,
                               uint8_t tag)
{
    struct nw__wire_text text;
    nw_status status = nw__input_text(&reader->input, tag, &text);
    char *key;

    if (status != NW_OK) {
        return status;
    }
    if (frame->container->type == NW_TYPE_ARRAY) {
        frame->place = PLACE_NONE;
        return NW_OK;
    }
    key = nw__doc_alloc(reader->doc, text.size + 1, 1);
    if (key == NULL) {
        return NW_ENOMEM;
    }
    nw__wire_text_convert(&text, key);
    key[text.size] = '\0';
    frame->place = PLACE_MEMBER;
    frame->key = key;
    frame->key_size = (uint32_t)text.size;
    return NW_OK;
}

static nw_status read_key(struct reader *reader, struct frame *frame)
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

// The end tag has been read. The counts behind it repeat what we know.
static nw_status read_end(struct reader *reader, struct frame *frame)
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
        return nw__input_malformed(&reader->input, "counts do not match");
    }
    if ((container->flags & NW__VALUE_SPARSE) != 0) {
        status = nw__array_end_sparse(container, length);
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

static nw_status read_item(struct reader *reader, struct frame *frame)
{
    nw_value *item;

    frame->items_left--;
    reader->owed--;
    if (nw__input_skip_tag(&reader->input, NW__TAG_HOLE)) {
        return nw__array_append(frame->container, &reader->doc->undefined);
    }
    frame->place = PLACE_ITEM;
    return read_value(reader, &item);
}

// Reads the next thing inside the innermost container: an item, a pair, or its
// end.
static nw_status read_inside(struct reader *reader)
{
    struct frame *frame = reader->top;
    nw_value *value;
    nw_status status;

    if (frame->items_left > 0) {
        return read_item(reader, frame);
    }
    if (nw__input_skip_tag(&reader->input, end_tag(frame->container))) {
        return read_end(reader, frame);
    }
    status = read_key(reader, frame);
    if (status != NW_OK) {
        return status;
    }
    frame->pairs++;
    return read_value(reader, &value);
}

// -- the whole

static nw_status read_header(struct reader *reader)
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

static nw_status read_tree(struct reader *reader, nw_value **out)
{
    nw_status status = read_value(reader, out);

    while (status == NW_OK && reader->top != NULL) {
        status = read_inside(reader);
    }
    return status;
}

static nw_status read_all(struct reader *reader, uint32_t value_count,
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

static void reader_init(struct reader *reader, nw_doc *doc,
                        const struct nw__message *message)
{
    // Not the whole of it: the inline ids need no zeroes.
    memset(reader, 0, offsetof(struct reader, ids_small));
    reader->input.at = message->data;
    reader->input.end = message->data;
    if (message->size > 0) {
        reader->input.end += message->size;
    }
    reader->doc = doc;
    reader->ids = reader->ids_small;
    reader->ids_capacity = IDS_INLINE;
    reader->holding_count = message->blob_count;
}

nw_status nw__wire_read(nw_doc *doc, struct nw__message *message,
                        const nw_value **values, size_t count,
                        const char **detail)
{
    struct reader reader;
    nw_status status;

    for (size_t i = 0; i < count; i++) {
        values[i] = &doc->undefined;
    }
    reader_init(&reader, doc, message);
    // First of all, and also into a document that is marked: from here on the
    // blobs are the document's.
    status = nw__doc_adopt_blobs(doc, message, &reader.holdings);
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

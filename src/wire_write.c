// The writer: values to V8's wire format.
//
// Invariants
//   What is written is what V8 itself writes for the same value, byte for
//   byte, with two exceptions: V8 writes whole numbers as doubles where its
//   array happens to hold doubles, and a key such as "7" as a number, before
//   the others. It reads both.
//   Ids count every array, object, buffer and view in the order of their first
//   byte, repeated or not, because V8's reader counts like that.
//   Lent memory changes hands in the last step only, which cannot fail.
//
// Design notes
//   A value can come up twice only if it stands in two places, or is what the
//   walk began with, or if several values are written at once. Others are not
//   remembered at all: a plain tree costs no look-up.

#include "src/wire.h"

#include <math.h>
#include <string.h>

#include "src/common.h"
#include "src/text.h"
#include "src/value.h"
#include "src/walk.h"
#include "src/wire_tag.h"

// Messages up to here are put together on the stack.
#define WRITER_INLINE 512

// Of a whole message, apart from what travels beside it.
#define MESSAGE_SIZE_MAX ((size_t)UINT32_MAX)

#define IDS_CAPACITY_MIN  32
#define LENT_CAPACITY_MIN 8

struct id_slot {
    const nw_value *value; // NULL: free.
    uint32_t id;
};

struct writer {
    uint8_t *data; // == small, or of nw__alloc.
    size_t size;
    size_t capacity;
    nw_status status; // The first failure; what follows is thrown away.

    uint32_t next_id;
    const nw_value *root;
    bool remember_all;
    struct id_slot *ids; // Hash table by address; NULL until needed.
    uint32_t ids_count;
    uint32_t ids_capacity; // A power of two.

    struct nw__holding **lent; // In the order of their blob index.
    uint32_t lent_count;
    uint32_t lent_capacity;

    struct nw__walk walk;
    uint8_t small[WRITER_INLINE];
};

static void writer_init(struct writer *writer, bool remember_all)
{
    // Not the whole of it: the two inline buffers are larger than the rest.
    memset(writer, 0, offsetof(struct writer, walk));
    nw__walk_init(&writer->walk);
    writer->data = writer->small;
    writer->capacity = sizeof(writer->small);
    writer->remember_all = remember_all;
}

static void writer_fini(struct writer *writer)
{
    nw__walk_fini(&writer->walk);
    nw__free(writer->ids);
    nw__free(writer->lent);
    if (writer->data != writer->small) {
        nw__free(writer->data);
    }
}

static void writer_fail(struct writer *writer, nw_status status)
{
    if (writer->status == NW_OK) {
        writer->status = status;
    }
}

// -- bytes

static bool writer_grow(struct writer *writer, size_t size)
{
    size_t capacity = writer->capacity * 2;
    uint8_t *data;

    // Bytes that show the same buffer many times could ask for any amount.
    if (writer->size + size > MESSAGE_SIZE_MAX) {
        writer_fail(writer, NW_ELIMIT);
        return false;
    }
    if (capacity - writer->size < size) {
        capacity = writer->size + size;
    }
    if (writer->data == writer->small) {
        data = nw__alloc(capacity);
        if (data != NULL) {
            memcpy(data, writer->small, writer->size);
        }
    } else {
        data = nw__realloc(writer->data, capacity);
    }
    if (data == NULL) {
        writer_fail(writer, NW_ENOMEM);
        return false;
    }
    writer->data = data;
    writer->capacity = capacity;
    return true;
}

// Room for `size` bytes at the end, or NULL.
static uint8_t *put_room(struct writer *writer, size_t size)
{
    uint8_t *at;

    if (writer->capacity - writer->size < size && !writer_grow(writer, size)) {
        return NULL;
    }
    at = writer->data + writer->size;
    writer->size += size;
    return at;
}

static void put_byte(struct writer *writer, uint8_t byte)
{
    uint8_t *at = put_room(writer, 1);

    if (at != NULL) {
        *at = byte;
    }
}

static void put_bytes(struct writer *writer, const void *data, size_t size)
{
    uint8_t *at = put_room(writer, size);

    if (at != NULL && size > 0) {
        memcpy(at, data, size);
    }
}

static void put_varint(struct writer *writer, uint32_t number)
{
    uint8_t bytes[NW__VARINT_SIZE_MAX];
    size_t size = 0;

    while (number >= 0x80) {
        bytes[size++] = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    bytes[size++] = (uint8_t)number;
    put_bytes(writer, bytes, size);
}

static size_t varint_size(uint32_t number)
{
    size_t size = 1;

    while (number >= 0x80) {
        number >>= 7;
        size++;
    }
    return size;
}

// -- values without parts

static void put_number(struct writer *writer, double number)
{
    int32_t whole;

    if (number >= INT32_MIN && number <= INT32_MAX) {
        whole = (int32_t)number;
        // Minus zero is no integer to JavaScript.
        if (whole == number && !(whole == 0 && signbit(number))) {
            put_byte(writer, NW__TAG_INT32);
            put_varint(writer,
                       (uint32_t)whole << 1 ^ (whole < 0 ? UINT32_MAX : 0));
            return;
        }
    }
    put_byte(writer, NW__TAG_DOUBLE);
    put_bytes(writer, &number, sizeof(number));
}

static void put_two_byte_text(struct writer *writer, const char *text,
                              size_t size, size_t units)
{
    uint32_t wide_size = (uint32_t)(2 * units);
    uint8_t *at;

    // V8 writes the characters at an even offset, and reads keys fastest there.
    if ((writer->size + 1 + varint_size(wide_size)) % 2 != 0) {
        put_byte(writer, NW__TAG_PADDING);
    }
    put_byte(writer, NW__TAG_STRING_TWO_BYTE);
    put_varint(writer, wide_size);
    at = put_room(writer, wide_size);
    if (at != NULL) {
        nw__utf8_to_utf16(at, text, size);
    }
}

static void put_text(struct writer *writer, const char *text, size_t size,
                     bool ascii)
{
    struct nw__utf8_shape shape = {.units = size, .one_byte = true};
    uint8_t *at;

    if (!ascii) {
        shape = nw__utf8_measure(text, size);
    }
    if (!shape.one_byte) {
        put_two_byte_text(writer, text, size, shape.units);
        return;
    }
    put_byte(writer, NW__TAG_STRING_ONE_BYTE);
    put_varint(writer, (uint32_t)shape.units);
    if (ascii) {
        put_bytes(writer, text, size);
        return;
    }
    at = put_room(writer, shape.units);
    if (at != NULL) {
        nw__utf8_to_latin1(at, text, size);
    }
}

// -- identity

static uint32_t id_hash(const nw_value *value)
{
    uint64_t bits = (uint64_t)(uintptr_t)value / sizeof(*value);

    return (uint32_t)(bits * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

// The slot of the value, or the free one where it belongs.
static struct id_slot *ids_find(const struct writer *writer,
                                const nw_value *value)
{
    uint32_t mask = writer->ids_capacity - 1;
    uint32_t at = id_hash(value) & mask;

    while (writer->ids[at].value != NULL && writer->ids[at].value != value) {
        at = (at + 1) & mask;
    }
    return &writer->ids[at];
}

static bool ids_grow(struct writer *writer)
{
    struct id_slot *old = writer->ids;
    uint32_t old_capacity = writer->ids_capacity;
    uint32_t capacity = old == NULL ? IDS_CAPACITY_MIN : old_capacity * 2;
    struct id_slot *ids = nw__alloc_zero(capacity * sizeof(*ids));

    if (ids == NULL) {
        return false;
    }
    writer->ids = ids;
    writer->ids_capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].value != NULL) {
            *ids_find(writer, old[i].value) = old[i];
        }
    }
    nw__free(old);
    return true;
}

static bool may_repeat(const struct writer *writer, const nw_value *value)
{
    return writer->remember_all || (value->flags & NW__VALUE_SHARED) != 0 ||
           (value == writer->root && (value->flags & NW__VALUE_PLACED) != 0);
}

// True when the value has been written before: then a reference now stands for
// it. Otherwise `id` will be its id.
static bool put_reference(struct writer *writer, const nw_value *value,
                          uint32_t id)
{
    struct id_slot *slot;

    if (!may_repeat(writer, value)) {
        return false;
    }
    if (writer->ids_count >= writer->ids_capacity / 2 && !ids_grow(writer)) {
        writer_fail(writer, NW_ENOMEM);
        return false;
    }
    slot = ids_find(writer, value);
    if (slot->value != NULL) {
        put_byte(writer, NW__TAG_REFERENCE);
        put_varint(writer, slot->id);
        return true;
    }
    *slot = (struct id_slot){.value = value, .id = id};
    writer->ids_count++;
    return false;
}

// -- values with parts

// The blob index that the holding will have, in *index.
static bool lent_add(struct writer *writer, struct nw__holding *holding)
{
    uint32_t capacity = writer->lent_capacity;
    struct nw__holding **lent;

    if (writer->lent_count == capacity) {
        capacity = capacity == 0 ? LENT_CAPACITY_MIN : capacity * 2;
        lent = nw__realloc(writer->lent, capacity * sizeof(*lent));
        if (lent == NULL) {
            return false;
        }
        writer->lent = lent;
        writer->lent_capacity = capacity;
    }
    writer->lent[writer->lent_count++] = holding;
    return true;
}

// Lent bytes travel beside the message, all others inside it.
static void put_buffer(struct writer *writer, const nw_value *value)
{
    struct nw__holding *holding = value->as.bytes.holding;

    if (holding != NULL && holding->lent) {
        if (!lent_add(writer, holding)) {
            writer_fail(writer, NW_ENOMEM);
            return;
        }
        put_byte(writer, NW__TAG_BUFFER_TRANSFER);
        put_varint(writer, writer->lent_count - 1);
    } else {
        put_byte(writer, NW__TAG_BUFFER);
        put_varint(writer, value->size);
        put_bytes(writer, value->as.bytes.data, value->size);
    }
}

static void put_byte_view(struct writer *writer, const nw_value *value)
{
    // To V8 the buffer is an object of its own and comes first.
    if (put_reference(writer, value, writer->next_id + 1)) {
        return;
    }
    if (!nw__value_has_bytes(value)) {
        writer_fail(writer, NW_EINVAL);
        return;
    }
    writer->next_id += 2;
    put_buffer(writer, value);
    put_byte(writer, NW__TAG_VIEW);
    put_byte(writer, NW__VIEW_UINT8);
    put_varint(writer, 0);
    put_varint(writer, value->size);
    put_varint(writer, 0);
}

static void open_container(struct writer *writer, const nw_value *value)
{
    struct nw__walk_frame *frame;
    nw_status status;

    if (put_reference(writer, value, writer->next_id)) {
        return;
    }
    status = nw__walk_push(&writer->walk, &frame);
    if (status != NW_OK) {
        writer_fail(writer, status);
        return;
    }
    frame->container = value;
    writer->next_id++;
    if (value->type == NW_TYPE_OBJECT) {
        put_byte(writer, NW__TAG_OBJECT_BEGIN);
        return;
    }
    put_byte(writer, (value->flags & NW__VALUE_SPARSE) != 0
                         ? NW__TAG_SPARSE_BEGIN
                         : NW__TAG_DENSE_BEGIN);
    put_varint(writer, value->size);
}

// Writes a value, of a container only its beginning.
static void put_value(struct writer *writer, const nw_value *value)
{
    switch ((nw_type)value->type) {
    case NW_TYPE_UNDEFINED:
        put_byte(writer, NW__TAG_UNDEFINED);
        return;
    case NW_TYPE_NULL:
        put_byte(writer, NW__TAG_NULL);
        return;
    case NW_TYPE_BOOL:
        put_byte(writer, value->as.boolean ? NW__TAG_TRUE : NW__TAG_FALSE);
        return;
    case NW_TYPE_NUMBER:
        put_number(writer, value->as.number);
        return;
    case NW_TYPE_STRING:
        put_text(writer, value->as.text, value->size,
                 (value->flags & NW__VALUE_ASCII) != 0);
        return;
    case NW_TYPE_BYTES:
        put_byte_view(writer, value);
        return;
    case NW_TYPE_ARRAY:
    case NW_TYPE_OBJECT:
        open_container(writer, value);
        return;
    }
}

// The next child of an object, its key already written; NULL behind the last.
static const nw_value *next_of_object(struct writer *writer,
                                      struct nw__walk_frame *frame)
{
    const nw_value *object = frame->container;
    const struct nw__member *member;

    if (frame->index == object->size) {
        put_byte(writer, NW__TAG_OBJECT_END);
        put_varint(writer, object->size);
        return NULL;
    }
    member = &object->as.object.members[frame->index++];
    put_text(writer, member->key, member->key_size,
             nw__text_is_ascii(member->key, member->key_size));
    return member->value;
}

static const nw_value *next_of_sparse(struct writer *writer,
                                      struct nw__walk_frame *frame)
{
    const nw_value *array = frame->container;
    const struct nw__entry *entry;

    if (frame->index == array->as.sparse.count) {
        put_byte(writer, NW__TAG_SPARSE_END);
        put_varint(writer, array->as.sparse.count);
        put_varint(writer, array->size);
        return NULL;
    }
    entry = &array->as.sparse.entries[frame->index++];
    put_number(writer, entry->index);
    return entry->value;
}

static const nw_value *next_of_dense(struct writer *writer,
                                     struct nw__walk_frame *frame)
{
    const nw_value *array = frame->container;

    if (frame->index == array->size) {
        put_byte(writer, NW__TAG_DENSE_END);
        put_varint(writer, 0); // No properties besides the items.
        put_varint(writer, array->size);
        return NULL;
    }
    return array->as.array.items[frame->index++];
}

static const nw_value *next_child(struct writer *writer,
                                  struct nw__walk_frame *frame)
{
    if (frame->container->type == NW_TYPE_OBJECT) {
        return next_of_object(writer, frame);
    }
    if ((frame->container->flags & NW__VALUE_SPARSE) != 0) {
        return next_of_sparse(writer, frame);
    }
    return next_of_dense(writer, frame);
}

static nw_status put_tree(struct writer *writer, const nw_value *root)
{
    struct nw__walk_frame *frame;

    writer->root = root;
    put_value(writer, root);
    while (writer->status == NW_OK &&
           (frame = nw__walk_top(&writer->walk)) != NULL) {
        const nw_value *child = next_child(writer, frame);

        if (child == NULL) {
            nw__walk_pop(&writer->walk);
        } else {
            put_value(writer, child);
        }
    }
    return writer->status;
}

static nw_status put_all(struct writer *writer, const nw_value *const *values,
                         size_t count)
{
    nw_status status = NW_OK;

    put_byte(writer, NW__TAG_VERSION);
    put_varint(writer, NW__WIRE_VERSION);
    for (size_t i = 0; i < count && status == NW_OK; i++) {
        if (values[i] == NULL) {
            return NW_EINVAL;
        }
        status = values[i]->doc->status;
        if (status == NW_OK) {
            status = put_tree(writer, values[i]);
        }
    }
    return status;
}

// Gives the bytes to the message.
static nw_status writer_hand_over(struct writer *writer,
                                  struct nw__message *message)
{
    uint8_t *fitted;

    if (writer->data == writer->small) {
        if (nw__message_reserve(message, writer->size) != NW_OK) {
            return NW_ENOMEM;
        }
        memcpy(message->data, writer->small, writer->size);
        return NW_OK;
    }
    // A queue may hold many messages: give back what doubling took too much.
    // If that fails, the message is merely larger than it need be.
    if (writer->capacity - writer->size > writer->size / 4) {
        fitted = nw__realloc(writer->data, writer->size);
        if (fitted != NULL) {
            writer->data = fitted;
        }
    }
    nw__message_adopt(message, writer->data, writer->size);
    writer->data = writer->small;
    return NW_OK;
}

static nw_status writer_finish(struct writer *writer,
                               struct nw__message *message)
{
    uint32_t count = writer->lent_count;
    struct nw__blob *blobs = NULL;

    if (count > 0) {
        blobs = nw__alloc(count * sizeof(*blobs));
        if (blobs == NULL) {
            return NW_ENOMEM;
        }
    }
    if (writer_hand_over(writer, message) != NW_OK) {
        nw__free(blobs);
        return NW_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        blobs[i] = writer->lent[i]->blob;
        writer->lent[i]->gone = true;
    }
    message->blobs = blobs;
    message->blob_count = count;
    return NW_OK;
}

nw_status nw__wire_write(struct nw__message *message,
                         const nw_value *const *values, size_t count)
{
    struct writer writer;
    nw_status status;

    NW_ASSERT(message->data == NULL && message->blobs == NULL);

    if (count > UINT32_MAX) {
        return NW_ELIMIT;
    }
    writer_init(&writer, count > 1);
    status = put_all(&writer, values, count);
    if (status == NW_OK) {
        status = writer.status;
    }
    if (status == NW_OK) {
        status = writer_finish(&writer, message);
    }
    if (status == NW_OK) {
        message->value_count = (uint32_t)count;
    }
    writer_fini(&writer);
    return status;
}

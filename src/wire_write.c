// The writer: values to V8's wire format.
//
// Invariants
//   What is written is what V8 itself writes for the same value, byte for
//   byte, with these exceptions: V8 writes whole numbers as doubles where its
//   array happens to hold doubles; a key such as "7" as a number, before the
//   others; an array with holes as a sparse one; the stack of an error behind
//   its cause; and a memory whose buffer came before it with a reference, which
//   Node.js 18 cannot read back. It reads what is written here.
//   Ids count everything that has identity in the order of its first byte,
//   repeated or not, because V8's reader counts like that.
//   What moves changes hands in the last step only, which cannot fail.
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
#include "src/wire_writer.h"

// Of a whole message, apart from what travels beside it.
#define MESSAGE_SIZE_MAX ((size_t)UINT32_MAX)

static void writer_init(struct nw__writer *writer, bool remember_all)
{
    // Not the whole of it: the two inline buffers are larger than the rest.
    memset(writer, 0, offsetof(struct nw__writer, walk));
    nw__walk_init(&writer->walk);
    writer->data = writer->small;
    writer->capacity = sizeof(writer->small);
    writer->remember_all = remember_all;
}

static void writer_fini(struct nw__writer *writer)
{
    nw__walk_fini(&writer->walk);
    nw__pointer_map_fini(&writer->ids);
    nw__cargo_fini(&writer->cargo);
    if (writer->data != writer->small) {
        nw__free(writer->data);
    }
}

bool nw__writer_grow(struct nw__writer *writer, size_t size)
{
    size_t capacity = writer->capacity * 2;
    uint8_t *data;

    // Bytes that show the same buffer many times could ask for any amount.
    if (writer->size + size > MESSAGE_SIZE_MAX) {
        nw__writer_fail(writer, NW_ELIMIT, "message too large");
        return false;
    }
    if (capacity - writer->size < size) {
        // A little more: what closes the value must not move a large one.
        capacity = writer->size + size + NW__WRITER_INLINE;
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
        nw__writer_fail(writer, NW_ENOMEM, NULL);
        return false;
    }
    writer->data = data;
    writer->capacity = capacity;
    return true;
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

static void put_number(struct nw__writer *writer, double number)
{
    int32_t whole;

    if (number >= INT32_MIN && number <= INT32_MAX) {
        whole = (int32_t)number;
        // Minus zero is no integer to JavaScript.
        if (whole == number && !(whole == 0 && signbit(number))) {
            nw__put_byte(writer, NW__TAG_INT32);
            nw__put_varint(writer,
                           (uint32_t)whole << 1 ^ (whole < 0 ? UINT32_MAX : 0));
            return;
        }
    }
    nw__put_byte(writer, NW__TAG_DOUBLE);
    nw__put_bytes(writer, &number, sizeof(number));
}

static void put_two_byte_text(struct nw__writer *writer, const char *text,
                              size_t size, size_t units)
{
    uint32_t wide_size = (uint32_t)(2 * units);
    uint8_t *at;

    // V8 writes the characters at an even offset, and reads keys fastest there.
    if ((writer->size + 1 + varint_size(wide_size)) % 2 != 0) {
        nw__put_byte(writer, NW__TAG_PADDING);
    }
    nw__put_byte(writer, NW__TAG_STRING_TWO_BYTE);
    nw__put_varint(writer, wide_size);
    at = nw__put_room(writer, wide_size);
    if (at != NULL) {
        nw__utf8_to_utf16(at, text, size);
    }
}

static void put_text(struct nw__writer *writer, const char *text, size_t size,
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
    nw__put_byte(writer, NW__TAG_STRING_ONE_BYTE);
    nw__put_varint(writer, (uint32_t)shape.units);
    if (ascii) {
        nw__put_bytes(writer, text, size);
        return;
    }
    at = nw__put_room(writer, shape.units);
    if (at != NULL) {
        nw__utf8_to_latin1(at, text, size);
    }
}

static void put_string(struct nw__writer *writer, const nw_value *string)
{
    put_text(writer, string->as.text, string->size,
             (string->flags & NW__VALUE_ASCII) != 0);
}

static void put_bigint(struct nw__writer *writer, uint8_t tag,
                       const nw_value *value)
{
    uint32_t size = value->size * (uint32_t)sizeof(uint64_t);

    nw__put_byte(writer, tag);
    nw__put_varint(writer, size << 1 | value->as.bigint.negative);
    nw__put_bytes(writer, value->as.bigint.words, size);
}

static void put_double(struct nw__writer *writer, uint8_t tag, double number)
{
    nw__put_byte(writer, tag);
    nw__put_bytes(writer, &number, sizeof(number));
}

static void put_regexp(struct nw__writer *writer, const nw_value *value)
{
    // By bit, as V8 numbers them; the seventh is no letter.
    static const char letters[] = "gimyus-dv";
    const char *source = value->as.regexp.source;
    uint32_t bits = 0;

    for (const char *flag = value->as.regexp.flags; *flag != '\0'; flag++) {
        bits |= UINT32_C(1) << (strchr(letters, *flag) - letters);
    }
    nw__put_byte(writer, NW__TAG_REGEXP);
    put_text(writer, source, value->size,
             nw__text_is_ascii(source, value->size));
    nw__put_varint(writer, bits);
}

static void put_boxed(struct nw__writer *writer, const nw_value *primitive)
{
    switch (primitive->type) {
    case NW_TYPE_BOOL:
        nw__put_byte(writer, primitive->as.boolean ? NW__TAG_BOXED_TRUE
                                                   : NW__TAG_BOXED_FALSE);
        return;
    case NW_TYPE_NUMBER:
        put_double(writer, NW__TAG_BOXED_NUMBER, primitive->as.number);
        return;
    case NW_TYPE_BIGINT:
        put_bigint(writer, NW__TAG_BOXED_BIGINT, primitive);
        return;
    default:
        nw__put_byte(writer, NW__TAG_BOXED_STRING);
        put_string(writer, primitive);
        return;
    }
}

// -- identity

bool nw__writer_may_repeat(const struct nw__writer *writer,
                           const nw_value *value)
{
    return writer->remember_all || (value->flags & NW__VALUE_SHARED) != 0 ||
           (value == writer->root && (value->flags & NW__VALUE_PLACED) != 0);
}

bool nw__put_reference(struct nw__writer *writer, const nw_value *value,
                       uint32_t id)
{
    struct nw__pointer_slot *slot;
    bool is_new;

    if (!nw__writer_may_repeat(writer, value)) {
        return false;
    }
    slot = nw__pointer_map_add(&writer->ids, value, &is_new);
    if (slot == NULL) {
        nw__writer_fail(writer, NW_ENOMEM, NULL);
        return false;
    }
    if (is_new) {
        slot->number = id;
        return false;
    }
    if (slot->open) {
        nw__writer_fail(writer, NW_ECLONE, "an error contains itself");
    }
    nw__put_byte(writer, NW__TAG_REFERENCE);
    nw__put_varint(writer, slot->number);
    return true;
}

bool nw__put_known(struct nw__writer *writer, const nw_value *value)
{
    if (nw__put_reference(writer, value, writer->next_id)) {
        return true;
    }
    writer->next_id++;
    return false;
}

// -- values with parts

static void put_member_text(struct nw__writer *writer, const char *key,
                            const nw_value *text)
{
    if (text != NULL) {
        put_text(writer, key, strlen(key), true);
        put_string(writer, text);
    }
}

// The beginning of an error in V8's own form: all but its cause.
static void put_plain_error(struct nw__writer *writer,
                            const struct nw__error_parts *parts,
                            uint8_t class_byte)
{
    nw__put_byte(writer, NW__TAG_ERROR);
    if (class_byte != 0) {
        nw__put_byte(writer, class_byte);
    }
    if (parts->message != NULL) {
        nw__put_byte(writer, NW__ERROR_MESSAGE);
        put_string(writer, parts->message);
    }
    if (parts->stack != NULL) {
        nw__put_byte(writer, NW__ERROR_STACK);
        put_string(writer, parts->stack);
    }
}

// The beginning of an error in our form: what of its record is text.
static void put_error_record(struct nw__writer *writer,
                             const struct nw__error_parts *parts)
{
    nw__put_byte(writer, NW__TAG_HOST_OBJECT);
    nw__put_varint(writer, NW__WIRE_ERROR);
    nw__put_byte(writer, NW__TAG_OBJECT_BEGIN);
    writer->next_id++; // The record.
    put_member_text(writer, "name", parts->name);
    put_member_text(writer, "message", parts->message);
    put_member_text(writer, "stack", parts->stack);
    if (nw_value_type(parts->code) == NW_TYPE_NUMBER) {
        put_text(writer, "code", 4, true);
        put_number(writer, parts->code->as.number);
    } else {
        put_member_text(writer, "code", parts->code);
    }
}

// Nobody can refer to an error before its end: readers make it there.
static void error_set_open(struct nw__writer *writer, const nw_value *error,
                           bool open)
{
    struct nw__pointer_slot *slot = nw__pointer_map_find(&writer->ids, error);

    if (slot != NULL) {
        slot->open = open;
    }
}

static void put_error_begin(struct nw__writer *writer, const nw_value *value)
{
    const struct nw__error_parts *parts = value->as.error;
    int class_byte = nw__error_plain_class(parts);

    error_set_open(writer, value, true);
    if (class_byte >= 0) {
        put_plain_error(writer, parts, (uint8_t)class_byte);
    } else {
        put_error_record(writer, parts);
    }
}

static void put_begin(struct nw__writer *writer, const nw_value *value)
{
    switch (value->type) {
    case NW_TYPE_OBJECT:
        nw__put_byte(writer, NW__TAG_OBJECT_BEGIN);
        return;
    case NW_TYPE_MAP:
        nw__put_byte(writer, NW__TAG_MAP);
        return;
    case NW_TYPE_SET:
        nw__put_byte(writer, NW__TAG_SET);
        return;
    case NW_TYPE_ERROR:
        put_error_begin(writer, value);
        return;
    default:
        nw__put_byte(writer, (value->flags & NW__VALUE_SPARSE) != 0
                                 ? NW__TAG_SPARSE_BEGIN
                                 : NW__TAG_DENSE_BEGIN);
        nw__put_varint(writer, value->size);
        return;
    }
}

static void open_container(struct nw__writer *writer, const nw_value *value)
{
    struct nw__walk_frame *frame;
    nw_status status;

    if (nw__put_known(writer, value)) {
        return;
    }
    status = nw__walk_push(&writer->walk, &frame);
    if (status != NW_OK) {
        nw__writer_fail(writer, status,
                        status == NW_ELIMIT ? "nested too deeply" : NULL);
        return;
    }
    frame->container = value;
    put_begin(writer, value);
}

// Writes a value, of a container only its beginning.
static void put_value(struct nw__writer *writer, const nw_value *value)
{
    switch ((nw_type)value->type) {
    case NW_TYPE_UNDEFINED:
        nw__put_byte(writer, NW__TAG_UNDEFINED);
        return;
    case NW_TYPE_NULL:
        nw__put_byte(writer, NW__TAG_NULL);
        return;
    case NW_TYPE_BOOL:
        nw__put_byte(writer, value->as.boolean ? NW__TAG_TRUE : NW__TAG_FALSE);
        return;
    case NW_TYPE_NUMBER:
        put_number(writer, value->as.number);
        return;
    case NW_TYPE_STRING:
        put_string(writer, value);
        return;
    case NW_TYPE_BIGINT:
        put_bigint(writer, NW__TAG_BIGINT, value);
        return;
    case NW_TYPE_BYTES:
        nw__put_bytes_value(writer, value);
        return;
    case NW_TYPE_ARRAY:
    case NW_TYPE_OBJECT:
    case NW_TYPE_MAP:
    case NW_TYPE_SET:
    case NW_TYPE_ERROR:
        open_container(writer, value);
        return;
    case NW_TYPE_DATE:
        if (!nw__put_known(writer, value)) {
            put_double(writer, NW__TAG_DATE, value->as.number);
        }
        return;
    case NW_TYPE_REGEXP:
        if (!nw__put_known(writer, value)) {
            put_regexp(writer, value);
        }
        return;
    case NW_TYPE_BOXED:
        if (!nw__put_known(writer, value)) {
            put_boxed(writer, value->as.boxed);
        }
        return;
    case NW_TYPE_PORT:
    case NW_TYPE_HOST:
        nw__put_host(writer, value);
        return;
    case NW_TYPE_WASM_MODULE:
        nw__put_module(writer, value);
        return;
    case NW_TYPE_WASM_MEMORY:
        nw__put_memory(writer, value);
        return;
    }
}

// The next member of an object at `index`, its key already written.
static const nw_value *put_key(struct nw__writer *writer,
                               const nw_value *object, size_t index)
{
    const struct nw__member *member = &object->as.object.members[index];

    put_text(writer, member->key, member->key_size,
             nw__text_is_ascii(member->key, member->key_size));
    return member->value;
}

// These return the next child, what goes before it already written; NULL, with
// the end written, behind the last.

static const nw_value *next_of_object(struct nw__writer *writer,
                                      struct nw__walk_frame *frame)
{
    const nw_value *object = frame->container;

    if (frame->index == object->size) {
        nw__put_byte(writer, NW__TAG_OBJECT_END);
        nw__put_varint(writer, object->size);
        return NULL;
    }
    return put_key(writer, object, frame->index++);
}

// Named properties, `count` items being done; then the end.
static const nw_value *next_of_properties(struct nw__writer *writer,
                                          struct nw__walk_frame *frame,
                                          uint32_t count, uint8_t end)
{
    const nw_value *array = frame->container;
    uint32_t size = 0;

    if (array->as.array.properties != 0) {
        const nw_value *properties = nw_array_properties(array);

        size = properties->size;
        if (frame->index - count < size) {
            return put_key(writer, properties, frame->index++ - count);
        }
    }
    nw__put_byte(writer, end);
    nw__put_varint(writer, end == NW__TAG_SPARSE_END ? count + size : size);
    nw__put_varint(writer, array->size);
    return NULL;
}

static const nw_value *next_of_sparse(struct nw__writer *writer,
                                      struct nw__walk_frame *frame)
{
    const nw_value *array = frame->container;
    const struct nw__entry *entry;

    if (frame->index >= array->as.sparse.count) {
        return next_of_properties(writer, frame, array->as.sparse.count,
                                  NW__TAG_SPARSE_END);
    }
    entry = &array->as.sparse.entries[frame->index++];
    put_number(writer, entry->index);
    return entry->value;
}

static const nw_value *next_of_dense(struct nw__writer *writer,
                                     struct nw__walk_frame *frame)
{
    const nw_value *array = frame->container;

    while (frame->index < array->size) {
        const nw_value *item = array->as.array.items[frame->index++];

        if (item != &array->doc->hole) {
            return item;
        }
        nw__put_byte(writer, NW__TAG_HOLE);
    }
    return next_of_properties(writer, frame, array->size, NW__TAG_DENSE_END);
}

static const nw_value *next_of_collection(struct nw__writer *writer,
                                          struct nw__walk_frame *frame)
{
    const nw_value *collection = frame->container;
    bool is_map = collection->type == NW_TYPE_MAP;
    size_t count = (size_t)collection->size * (is_map ? 2 : 1);

    if (frame->index == count) {
        nw__put_byte(writer, is_map ? NW__TAG_MAP_END : NW__TAG_SET_END);
        nw__put_varint(writer, (uint32_t)count);
        return NULL;
    }
    return collection->as.collection.items[frame->index++];
}

static uint32_t error_member_count(const struct nw__error_parts *parts)
{
    return (uint32_t)(parts->name != NULL) + (parts->message != NULL) +
           (parts->stack != NULL) + (parts->code != NULL) +
           (parts->cause != NULL) + (parts->errors != NULL) +
           (parts->properties != NULL);
}

static const nw_value *next_of_record(struct nw__writer *writer,
                                      struct nw__walk_frame *frame)
{
    const struct nw__error_parts *parts = frame->container->as.error;
    const struct {
        const char *key;
        const nw_value *value;
    } members[] = {
        {"cause", parts->cause},
        {"errors", parts->errors},
        {"properties", parts->properties},
    };

    while (frame->index < NW_ARRAY_SIZE(members)) {
        size_t at = frame->index++;

        if (members[at].value != NULL) {
            put_text(writer, members[at].key, strlen(members[at].key), true);
            return members[at].value;
        }
    }
    nw__put_byte(writer, NW__TAG_OBJECT_END);
    nw__put_varint(writer, error_member_count(parts));
    return NULL;
}

static const nw_value *next_of_error(struct nw__writer *writer,
                                     struct nw__walk_frame *frame)
{
    const nw_value *error = frame->container;
    const nw_value *child = NULL;

    if (nw__error_plain_class(error->as.error) < 0) {
        child = next_of_record(writer, frame);
    } else if (frame->index == 0 && error->as.error->cause != NULL) {
        frame->index++;
        nw__put_byte(writer, NW__ERROR_CAUSE);
        child = error->as.error->cause;
    } else {
        nw__put_byte(writer, NW__ERROR_END);
    }
    if (child == NULL) {
        error_set_open(writer, error, false);
    }
    return child;
}

static const nw_value *next_child(struct nw__writer *writer,
                                  struct nw__walk_frame *frame)
{
    switch (frame->container->type) {
    case NW_TYPE_OBJECT:
        return next_of_object(writer, frame);
    case NW_TYPE_MAP:
    case NW_TYPE_SET:
        return next_of_collection(writer, frame);
    case NW_TYPE_ERROR:
        return next_of_error(writer, frame);
    default:
        break;
    }
    if ((frame->container->flags & NW__VALUE_SPARSE) != 0) {
        return next_of_sparse(writer, frame);
    }
    return next_of_dense(writer, frame);
}

static void put_tree(struct nw__writer *writer, const nw_value *root)
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
}

static void put_all(struct nw__writer *writer, const nw_value *const *values,
                    size_t count)
{
    nw__put_byte(writer, NW__TAG_VERSION);
    nw__put_varint(writer, NW__WIRE_VERSION);
    for (size_t i = 0; i < count && writer->status == NW_OK; i++) {
        if (values[i] == NULL) {
            nw__writer_fail(writer, NW_EINVAL, "a value is NULL");
        } else if (values[i]->doc->status != NW_OK) {
            nw__writer_fail(writer, values[i]->doc->status, NULL);
        } else {
            put_tree(writer, values[i]);
        }
    }
}

// Gives the bytes to the message.
static nw_status writer_hand_over(struct nw__writer *writer,
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

static void writer_finish(struct nw__writer *writer,
                          struct nw__message *message)
{
    const char *detail = NULL;
    nw_status status = writer_hand_over(writer, message);

    if (status == NW_OK) {
        status = nw__cargo_load(&writer->cargo, message, &detail);
    }
    if (status != NW_OK) {
        nw__writer_fail(writer, status, detail);
        nw__message_fini(message);
    }
}

nw_status nw__wire_write(struct nw__message *message,
                         const nw_value *const *values, size_t count,
                         const struct nw__wire_transfer *transfer,
                         const char **detail)
{
    struct nw__writer writer;

    NW_ASSERT(message->data == NULL && message->beside == NULL);

    writer_init(&writer, count > 1);
    if (count > UINT32_MAX) {
        nw__writer_fail(&writer, NW_ELIMIT, "too many values");
    }
    if (transfer != NULL) {
        const char *why;
        nw_status status = nw__cargo_list(&writer.cargo, transfer, &why);

        if (status != NW_OK) {
            nw__writer_fail(&writer, status, why);
        }
    }
    if (writer.status == NW_OK) {
        put_all(&writer, values, count);
    }
    if (writer.status == NW_OK) {
        writer_finish(&writer, message);
    }
    if (writer.status == NW_OK) {
        message->value_count = (uint32_t)count;
    }
    if (detail != NULL) {
        *detail = writer.status == NW_OK || writer.detail != NULL
                      ? writer.detail
                      : nw_status_message(writer.status);
    }
    writer_fini(&writer);
    return writer.status;
}

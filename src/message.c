// Ownership of message bytes and of the blobs beside them.
//
// Invariants
//   data is NULL, or `small`, or memory of nw__alloc that the message owns.
//   After reserve and adopt, data == small exactly when the size fits there.
//   That is why a message is moved with nw__message_move() and never with an
//   assignment: a pointer into itself must be re-aimed.
//   A blob without memory and without release function is one that was taken.

#include "src/message.h"

#include <string.h>

#include "src/common.h"

// One cache line per message is what keeps a task record small.
_Static_assert(sizeof(struct nw__message) == 64, "message grew");

void nw__message_init(struct nw__message *message)
{
    memset(message, 0, sizeof(*message));
}

static bool message_is_empty(const struct nw__message *message)
{
    return message->data == NULL && message->beside == NULL;
}

static void blob_release(struct nw__blob *blob)
{
    if (blob->release != NULL) {
        blob->release(blob->data, blob->size, blob->hint);
    }
    memset(blob, 0, sizeof(*blob));
}

static void beside_destroy(struct nw__beside *beside)
{
    if (beside == NULL) {
        return;
    }
    for (uint32_t i = 0; i < beside->blob_count; i++) {
        blob_release(&beside->blobs[i]);
    }
    for (uint32_t i = 0; i < beside->ref_count; i++) {
        nw__ref_put(beside->refs[i].ref);
    }
    nw__free(beside);
}

// One allocation holds the struct and both lists.
nw_status nw__message_reserve_beside(struct nw__message *message,
                                     uint32_t blob_count, uint32_t ref_count)
{
    size_t blobs_size = (size_t)blob_count * sizeof(struct nw__blob);
    size_t refs_size = (size_t)ref_count * sizeof(struct nw__attached);
    struct nw__beside *beside;

    NW_ASSERT(message->beside == NULL);

    if (blob_count == 0 && ref_count == 0) {
        return NW_OK;
    }
    beside = nw__alloc_zero(sizeof(*beside) + blobs_size + refs_size);
    if (beside == NULL) {
        return NW_ENOMEM;
    }
    beside->blobs = (struct nw__blob *)(void *)(beside + 1);
    beside->refs = (struct nw__attached *)(void *)(beside->blobs + blob_count);
    beside->blob_count = blob_count;
    beside->ref_count = ref_count;
    message->beside = beside;
    return NW_OK;
}

void nw__message_fini(struct nw__message *message)
{
    beside_destroy(message->beside);
    if (message->data != message->small) {
        nw__free(message->data);
    }
    nw__message_init(message);
}

void nw__message_move(struct nw__message *to, struct nw__message *from)
{
    NW_ASSERT(message_is_empty(to));

    *to = *from;
    if (from->data == from->small) {
        to->data = to->small;
    }
    nw__message_init(from);
}

nw_status nw__message_reserve(struct nw__message *message, size_t size)
{
    NW_ASSERT(message->data == NULL);

    if (size <= NW__MESSAGE_INLINE) {
        message->data = message->small;
    } else {
        message->data = nw__alloc(size);
        if (message->data == NULL) {
            return NW_ENOMEM;
        }
    }
    message->size = size;
    return NW_OK;
}

void nw__message_adopt(struct nw__message *message, uint8_t *data, size_t size)
{
    NW_ASSERT(message->data == NULL);

    if (size <= NW__MESSAGE_INLINE) {
        if (size > 0) {
            memcpy(message->small, data, size);
        }
        nw__free(data);
        message->data = message->small;
    } else {
        message->data = data;
    }
    message->size = size;
}

nw_status nw__message_copy(struct nw__message *to,
                           const struct nw__message *from)
{
    uint32_t count = nw__message_ref_count(from);

    NW_ASSERT(nw__message_blob_count(from) == 0);
    if (nw__message_reserve_beside(to, 0, count) != NW_OK ||
        nw__message_reserve(to, from->size) != NW_OK) {
        nw__message_fini(to);
        return NW_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        to->beside->refs[i].ref = nw__ref_get(from->beside->refs[i].ref);
    }
    if (from->size > 0) {
        memcpy(to->data, from->data, from->size);
    }
    to->value_count = from->value_count;
    return NW_OK;
}

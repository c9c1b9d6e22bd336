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
    return message->data == NULL && message->blobs == NULL;
}

static void blob_release(struct nw__blob *blob)
{
    if (blob->release != NULL) {
        blob->release(blob->data, blob->size, blob->hint);
    }
    memset(blob, 0, sizeof(*blob));
}

void nw__message_fini(struct nw__message *message)
{
    for (uint32_t i = 0; i < message->blob_count; i++) {
        blob_release(&message->blobs[i]);
    }
    nw__free(message->blobs);
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
    NW_ASSERT(from->blob_count == 0);
    if (nw__message_reserve(to, from->size) != NW_OK) {
        return NW_ENOMEM;
    }
    if (from->size > 0) {
        memcpy(to->data, from->data, from->size);
    }
    to->value_count = from->value_count;
    return NW_OK;
}

#include "tests/unit/wire_support.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "tests/unit/support.h"

void nw_test_message(struct nw__message *message, const void *data, size_t size)
{
    nw__message_init(message);
    // Not nw__message_reserve(): in the struct, a few bytes too many would go
    // unseen.
    message->data = nw__alloc(size);
    cr_assert(ne(ptr, message->data, NULL));
    if (size > 0) {
        memcpy(message->data, data, size);
    }
    message->size = size;
    message->value_count = 1;
}

void nw_test_add_blob(struct nw__message *message, void *data, size_t size,
                      int *released)
{
    struct nw__blob *blobs;

    blobs =
        nw__realloc(message->blobs, (message->blob_count + 1) * sizeof(*blobs));
    cr_assert(ne(ptr, blobs, NULL));
    blobs[message->blob_count++] =
        (struct nw__blob){data, size, nw_test_count_release, released};
    message->blobs = blobs;
}

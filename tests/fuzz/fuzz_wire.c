// Fuzz target for the wire format: whatever can be read can also be written,
// and what was written can be read again.
//
//   clang -fsanitize=fuzzer,address,undefined   LLVMFuzzerTestOneInput()
//   any compiler, -DNW_FUZZ_MAIN                a main() that replays files
//
// The first byte of the input says how many values follow and how many blobs
// lie beside the message.

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "src/common.h"
#include "src/wire.h"

#define VALUES_MAX 4
#define BLOBS_MAX  4
#define BLOB_SIZE  16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_release(void *data, size_t size, void *hint)
{
    (void)data;
    (void)size;
    (*(uint32_t *)hint)++;
}

static void message_make(struct nw__message *message, const uint8_t *data,
                         size_t size, uint32_t *released)
{
    static uint8_t memory[BLOB_SIZE];

    nw__message_init(message);
    message->value_count = 1 + data[0] % VALUES_MAX;
    message->blob_count = data[0] / VALUES_MAX % BLOBS_MAX;
    // Exactly as large as the input, for AddressSanitizer's sake.
    message->data = nw__alloc(size - 1);
    message->size = size - 1;
    message->blobs = nw__alloc(message->blob_count * sizeof(*message->blobs));
    NW_ASSERT(message->data != NULL && message->blobs != NULL);
    memcpy(message->data, data + 1, size - 1);
    for (uint32_t i = 0; i < message->blob_count; i++) {
        message->blobs[i] =
            (struct nw__blob){memory, BLOB_SIZE, count_release, released};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nw_value *values[VALUES_MAX];
    struct nw__message message;
    uint32_t released = 0;
    uint32_t blob_count;
    uint32_t count;
    nw_doc *doc;

    if (size == 0) {
        return 0;
    }
    doc = nw_doc_create();
    NW_ASSERT(doc != NULL);
    message_make(&message, data, size, &released);
    blob_count = message.blob_count;
    count = message.value_count;
    if (nw__wire_read(doc, &message, values, count, NULL) == NW_OK) {
        nw__message_fini(&message);
        NW_ASSERT(nw__wire_write(&message, values, count) == NW_OK);
        NW_ASSERT(nw__wire_read(doc, &message, values, count, NULL) == NW_OK);
    }
    nw__message_fini(&message);
    nw_doc_destroy(doc);
    NW_ASSERT(released == blob_count);
    return 0;
}

#ifdef NW_FUZZ_MAIN
int main(int argc, char **argv)
{
    static uint8_t data[1 << 20];

    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        size_t size;

        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    return 0;
}
#endif

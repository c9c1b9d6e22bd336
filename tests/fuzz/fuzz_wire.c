// Fuzz target for the wire format. Of whatever the reader accepts:
//
//   - the writer takes it, or says that it contains what cannot be written;
//   - what it wrote reads as the same value, by its canonical text, and is
//     written again as the same bytes;
//   - every blob and reference beside the message is given back once;
//   - nw__wire_has_error() finds the errors that are there, and nothing it is
//     given harms it;
//   - its JSON is made or refused, and freed.
//
// Two builds:
//
//   -fsanitize=fuzzer   LLVMFuzzerTestOneInput(); see scripts/fuzz
//   -DNW_FUZZ_MAIN      a main() that replays files and whole directories
//
// The first byte of the input says how many values follow, and how many blobs
// and references lie beside the message.

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nwpool/json.h>

#include "src/common.h"
#include "src/wire.h"
#include "tests/oracle/canon.h"

#define VALUES_MAX 4
#define BLOBS_MAX  4
#define REFS_MAX   4
#define BLOB_SIZE  16

// A few bytes can mean an array of millions of holes: of longer ones only the
// ends are compared, and no JSON is made.
#define ITEMS_MAX 1000

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// -- what lies beside the message

static uint32_t released; // Blobs and references so far.

static void count_release(void *data, size_t size, void *hint)
{
    (void)data;
    (void)size;
    (void)hint;
    released++;
}

static void host_destroy(struct nw__ref *ref)
{
    nw__free(ref);
    released++;
}

static struct nw__ref *host_make(const char *name, bool is_port)
{
    struct nw__host *host = nw__alloc_zero(sizeof(*host));

    NW_ASSERT(host != NULL);
    nw__ref_init(&host->ref, NW__REF_HOST, host_destroy);
    host->id = 1;
    host->is_port = is_port;
    host->must_move = is_port;
    snprintf(host->name, sizeof(host->name), "%s", name);
    return &host->ref;
}

static struct nw__ref *ref_make(uint32_t index)
{
    static uint8_t memory[BLOB_SIZE];
    nw_shared *shared;
    struct nw__ref *ref;

    switch (index) {
    case 0:
        NW_ASSERT(nw_shared_lend(&shared, memory, sizeof(memory), count_release,
                                 NULL) == NW_OK);
        return &shared->ref;
    case 1:
        return host_make("KeyObject", false);
    case 2: // The engine's own: nobody here may look into it.
        ref = nw__alloc_zero(sizeof(*ref));
        NW_ASSERT(ref != NULL);
        nw__ref_init(ref, NW__REF_MODULE, host_destroy);
        return ref;
    default:
        return host_make("MessagePort", true);
    }
}

static void message_make(struct nw__message *message, const uint8_t *data,
                         size_t size)
{
    static uint8_t memory[BLOB_SIZE];
    uint32_t blob_count = data[0] / VALUES_MAX % BLOBS_MAX;
    uint32_t ref_count = data[0] / VALUES_MAX / BLOBS_MAX % (REFS_MAX + 1);

    nw__message_init(message);
    message->value_count = 1 + data[0] % VALUES_MAX;
    // Exactly as large as the input, for AddressSanitizer's sake.
    message->data = nw__alloc(size - 1);
    message->size = size - 1;
    NW_ASSERT(message->data != NULL);
    memcpy(message->data, data + 1, size - 1);
    NW_ASSERT(nw__message_reserve_beside(message, blob_count, ref_count) ==
              NW_OK);
    for (uint32_t i = 0; i < blob_count; i++) {
        message->beside->blobs[i] =
            (struct nw__blob){memory, BLOB_SIZE, count_release, NULL};
    }
    for (uint32_t i = 0; i < ref_count; i++) {
        message->beside->refs[i].ref = ref_make(i);
    }
}

// -- what is read

// True when the bytes hold something that looks like an Error of our own kind,
// which is none in V8's form.
static bool may_have_record(const uint8_t *data, size_t size)
{
    static const uint8_t tag[] = {'\\', NW__WIRE_ERROR};

    return memmem(data, size, tag, sizeof(tag)) != NULL;
}

static void check_json(const nw_value *const *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        json_t *json;
        nw_status status = nw_value_to_json(values[i], &json);

        NW_ASSERT((status == NW_OK) == (json != NULL));
        NW_ASSERT(status == NW_OK || status == NW_ETYPE || status == NW_ELIMIT);
        json_decref(json);
    }
}

// Writes the values and reads what was written.
static void check_again(const nw_value *const *values, uint32_t count,
                        const struct nw_canon *canon)
{
    const nw_value *others[VALUES_MAX];
    struct nw_canon again;
    struct nw__message message;
    struct nw__message last;
    nw_status status;
    nw_doc *doc;

    nw__message_init(&message);
    status = nw__wire_write(&message, values, count, NULL, NULL);
    if (status != NW_OK) {
        // A port that nobody transfers; or unknown members of an error, which
        // are left out: what they held then comes up first deeper, or within
        // an error that it contains.
        NW_ASSERT(status == NW_ELIMIT || status == NW_ECLONE);
        NW_ASSERT(message.data == NULL && message.beside == NULL);
        return;
    }
    doc = nw_doc_create();
    NW_ASSERT(doc != NULL);
    NW_ASSERT(nw__wire_read(doc, &message, others, count, NULL) == NW_OK);
    nw_canon_init(&again);
    again.items_max = canon->items_max;
    NW_ASSERT(strcmp(nw_canon_text(&again, others, count), canon->text) == 0);
    nw_canon_fini(&again);
    nw__message_init(&last);
    NW_ASSERT(nw__wire_write(&last, others, count, NULL, NULL) == NW_OK);
    NW_ASSERT(last.size == message.size &&
              memcmp(last.data, message.data, last.size) == 0);
    nw__message_fini(&last);
    nw__message_fini(&message);
    nw_doc_destroy(doc);
}

static void check_read(const nw_value *const *values, uint32_t count,
                       const uint8_t *data, size_t size)
{
    struct nw_canon canon;

    nw_canon_init(&canon);
    canon.items_max = ITEMS_MAX;
    nw_canon_text(&canon, values, count);
    if (canon.errors > 0 && !may_have_record(data, size)) {
        NW_ASSERT(nw__wire_has_error(data, size));
    }
    if (canon.items <= ITEMS_MAX) {
        check_json(values, count);
    }
    check_again(values, count, &canon);
    nw_canon_fini(&canon);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nw_value *values[VALUES_MAX];
    struct nw__message message;
    uint32_t beside_count;
    uint32_t count;
    nw_doc *doc;

    if (size == 0) {
        return 0;
    }
    doc = nw_doc_create();
    NW_ASSERT(doc != NULL);
    released = 0;
    message_make(&message, data, size);
    beside_count =
        nw__message_blob_count(&message) + nw__message_ref_count(&message);
    count = message.value_count;
    if (nw__wire_has_error(message.data, message.size)) {
        NW_ASSERT(memchr(message.data, 'r', message.size) != NULL);
    }
    if (nw__wire_read(doc, &message, values, count, NULL) == NW_OK) {
        check_read(values, count, data + 1, size - 1);
    }
    nw__message_fini(&message);
    nw_doc_destroy(doc);
    NW_ASSERT(released == beside_count);
    return 0;
}

#ifdef NW_FUZZ_MAIN

static int replayed;

static void replay_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size = fread(data, 1, sizeof(data), file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    replayed++;
}

static void replay_directory(DIR *directory, const char *path)
{
    struct dirent *entry;
    char name[4096];

    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            replay_file(name);
        }
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);

        if (directory != NULL) {
            replay_directory(directory, argv[i]);
            closedir(directory);
        } else {
            replay_file(argv[i]);
        }
    }
    printf("%d inputs replayed\n", replayed);
    return replayed > 0 ? 0 : 1;
}

#endif

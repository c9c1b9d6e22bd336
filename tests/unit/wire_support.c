#include "tests/unit/wire_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/value.h"
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

// Gives the message room for more beside it and moves what was there.
static void beside_grow(struct nw__message *message, uint32_t blobs,
                        uint32_t refs)
{
    struct nw__beside *old = message->beside;
    uint32_t blob_count = nw__message_blob_count(message);
    uint32_t ref_count = nw__message_ref_count(message);

    message->beside = NULL;
    cr_assert(eq(int,
                 nw__message_reserve_beside(message, blob_count + blobs,
                                            ref_count + refs),
                 NW_OK));
    if (old != NULL) {
        memcpy(message->beside->blobs, old->blobs,
               blob_count * sizeof(*old->blobs));
        memcpy(message->beside->refs, old->refs,
               ref_count * sizeof(*old->refs));
    }
    nw__free(old);
}

void nw_test_add_blob(struct nw__message *message, void *data, size_t size,
                      int *released)
{
    uint32_t at = nw__message_blob_count(message);

    beside_grow(message, 1, 0);
    message->beside->blobs[at] =
        (struct nw__blob){data, size, nw_test_count_release, released};
}

void nw_test_add_ref(struct nw__message *message, struct nw__ref *ref)
{
    uint32_t at = nw__message_ref_count(message);

    beside_grow(message, 0, 1);
    message->beside->refs[at].ref = ref;
}

struct counted_host {
    struct nw__host host;
    int *alive;
};

static void host_destroy(struct nw__ref *ref)
{
    struct counted_host *counted =
        NW_CONTAINER_OF(ref, struct counted_host, host.ref);

    --*counted->alive;
    free(counted);
}

struct nw__host *nw_test_host(const char *name, bool is_port, bool must_move,
                              int *alive)
{
    // Not of nw__alloc(): the knob is not meant for it.
    struct counted_host *counted = calloc(1, sizeof(*counted));

    cr_assert(ne(ptr, counted, NULL));
    nw__ref_init(&counted->host.ref, NW__REF_HOST, host_destroy);
    counted->host.is_port = is_port;
    counted->host.must_move = must_move;
    snprintf(counted->host.name, sizeof(counted->host.name), "%s", name);
    counted->alive = alive;
    ++*alive;
    return &counted->host;
}

struct counted_module {
    struct nw__ref ref;
    int *alive;
};

static void module_destroy(struct nw__ref *ref)
{
    struct counted_module *counted =
        NW_CONTAINER_OF(ref, struct counted_module, ref);

    --*counted->alive;
    free(counted);
}

struct nw__ref *nw_test_module(int *alive)
{
    struct counted_module *counted = calloc(1, sizeof(*counted));

    cr_assert(ne(ptr, counted, NULL));
    nw__ref_init(&counted->ref, NW__REF_MODULE, module_destroy);
    counted->alive = alive;
    ++*alive;
    return &counted->ref;
}

static void put_errors(nw_doc *doc, nw_value *array)
{
    nw_value *plain = nw_value_error(doc, "TypeError", "plain");
    nw_value *rich = nw_value_error(doc, "AggregateError", "rich");
    nw_value *errors = nw_value_array(doc);

    nw_error_set_stack(plain, "at");
    nw_error_set_cause(plain, array);
    nw_array_push(errors, plain);
    nw_error_set_code(rich, "E");
    nw_error_set_errors(rich, errors);
    nw_error_set_cause(rich, plain);
    nw_error_set_property(rich, "key", nw_value_number(doc, 1));
    nw_array_push(array, rich);
    nw_array_push(array, plain);
}

static void put_references(nw_doc *doc, nw_value *array,
                           const struct nw_test_refs *refs)
{
    nw_value *shared = nw_value_shared(doc, refs->shared);

    nw_array_push(array, shared);
    nw_array_push(array, nw_value_view_of(shared, NW_VIEW_INT32, 4, 4));
    if (shared != NULL) {
        nw_array_push(array, nw__value_memory(shared, 2));
    }
    nw_array_push(array, nw__value_of_ref(doc, &refs->host->ref));
    nw_array_push(array, nw__value_of_ref(doc, &refs->port->ref));
    nw_array_push(array, nw__value_of_ref(doc, refs->module));
}

nw_value *nw_test_all_types(nw_doc *doc, const struct nw_test_refs *refs,
                            int *released)
{
    static char memory[16];
    static const uint64_t words[] = {1, 2, 3};
    nw_value *array = nw_value_array(doc);
    nw_value *map = nw_value_map(doc);
    nw_value *set = nw_value_set(doc);
    nw_value *object = nw_value_object(doc);
    nw_value *buffer = nw_value_array_buffer(doc, memory, 16);

    nw_array_push(array, nw_value_undefined(doc));
    nw_array_push(array, nw_value_null(doc));
    nw_array_push(array, nw_value_bool(doc, true));
    nw_array_push(array, nw_value_number(doc, 1.5));
    nw_array_push(array, nw_value_string(doc, "text \xe2\x82\xac"));
    nw_array_push_hole(array);
    nw_array_set_property(array, "name", object);
    nw_array_push(array, object);
    nw_object_set(object, "array", array);
    nw_array_push(array, nw_value_bigint_words(doc, true, words, 3));
    nw_array_push(array, nw_value_boxed(doc, nw_value_bigint(doc, -1)));
    nw_array_push(array, nw_value_boxed(doc, nw_value_string(doc, "boxed")));
    nw_array_push(array, nw_value_date(doc, 1));
    nw_array_push(array, nw_value_regexp(doc, "a", "gi"));
    nw_map_push(map, map, set);
    nw_set_push(set, map);
    nw_array_push(array, map);
    nw_array_push(array, buffer);
    nw_array_push(array, nw_value_view_of(buffer, NW_VIEW_UINT16, 2, 4));
    nw_array_push(array, nw_value_bytes(doc, memory, 3));
    nw_array_push(array, nw_value_bytes_lend(doc, memory, sizeof(memory),
                                             nw_test_count_release, released));
    put_errors(doc, array);
    put_references(doc, array, refs);
    return nw_doc_status(doc) == NW_OK ? array : NULL;
}

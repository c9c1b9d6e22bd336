// Design notes.
//
// A buffer is known by its root (value.h), so that a view in the list stands
// for it. Lent bytes that nobody listed come up once, and are not looked for
// again: a message with nothing else beside it needs no table.

#include "src/wire_cargo.h"

#include "src/common.h"

#define LIST_CAPACITY_MIN 8

#define GONE_TEXT "an object was transferred already"

void nw__cargo_fini(struct nw__cargo *cargo)
{
    nw__pointer_map_fini(&cargo->indices);
    nw__free(cargo->moving);
    nw__free(cargo->refs);
}

static void *list_grow(void *list, uint32_t count, uint32_t *capacity,
                       size_t item_size)
{
    uint32_t larger;

    if (count < *capacity) {
        return list;
    }
    larger = *capacity == 0 ? LIST_CAPACITY_MIN : *capacity * 2;
    list = nw__realloc(list, larger * item_size);
    if (list != NULL) {
        *capacity = larger;
    }
    return list;
}

// Appends bytes that move. NW_ENOMEM.
static nw_status moving_add(struct nw__cargo *cargo, nw_value *root)
{
    nw_value **moving = list_grow(cargo->moving, cargo->moving_count,
                                  &cargo->moving_capacity, sizeof(*moving));

    if (moving == NULL) {
        return NW_ENOMEM;
    }
    cargo->moving = moving;
    moving[cargo->moving_count++] = root;
    return NW_OK;
}

// The index of the reference, which is appended if it is new. NW_ENOMEM.
static nw_status ref_add(struct nw__cargo *cargo, struct nw__ref *ref,
                         uint32_t *index, bool *is_new)
{
    struct nw__pointer_slot *slot;
    struct nw__attached *refs = list_grow(cargo->refs, cargo->refs_count,
                                          &cargo->refs_capacity, sizeof(*refs));

    if (refs == NULL) {
        return NW_ENOMEM;
    }
    cargo->refs = refs;
    slot = nw__pointer_map_add(&cargo->indices, ref, is_new);
    if (slot == NULL) {
        return NW_ENOMEM;
    }
    if (*is_new) {
        slot->number = cargo->refs_count;
        refs[cargo->refs_count++] = (struct nw__attached){.ref = ref};
    }
    *index = slot->number;
    return NW_OK;
}

nw_status nw__cargo_take_ref(struct nw__cargo *cargo, struct nw__ref *ref,
                             uint32_t *index)
{
    bool is_new;

    return ref_add(cargo, ref, index, &is_new);
}

nw_status nw__cargo_take_bytes(struct nw__cargo *cargo, const nw_value *root,
                               bool *moves, uint32_t *index)
{
    const struct nw__holding *holding = root->as.bytes.of.holding;
    struct nw__pointer_slot *slot = nw__pointer_map_find(&cargo->indices, root);

    *moves = slot != NULL || (holding != NULL && holding->lent);
    *index = slot != NULL ? slot->number : cargo->moving_count;
    return *moves && slot == NULL ? moving_add(cargo, (nw_value *)root) : NW_OK;
}

// -- the transfer list

static struct nw__host *host_of(struct nw__ref *ref)
{
    return NW_CONTAINER_OF(ref, struct nw__host, ref);
}

static bool host_is_gone(const struct nw__host *host)
{
    return __atomic_load_n(&host->gone, __ATOMIC_ACQUIRE) != 0;
}

nw_status nw__cargo_check_host(const struct nw__cargo *cargo,
                               const nw_value *value, const char **detail)
{
    const struct nw__host *host = host_of(value->as.ref);
    struct nw__pointer_slot *slot =
        nw__pointer_map_find(&cargo->indices, value->as.ref);
    bool moves = slot != NULL && cargo->refs[slot->number].transfer;

    if (host_is_gone(host)) {
        *detail = GONE_TEXT;
        return NW_ECLONE;
    }
    if (host->must_move && !moves) {
        *detail = "a MessagePort, or another object that can only be "
                  "transferred, is not in the transfer list";
        return NW_ECLONE;
    }
    return NW_OK;
}

static nw_status list_bytes(struct nw__cargo *cargo, const nw_value *value,
                            const char **detail)
{
    nw_value *root = nw__value_root(value);
    struct nw__pointer_slot *slot;
    bool is_new;

    if (root->view == NW_VIEW_SHARED_ARRAY_BUFFER) {
        *detail = "shared memory cannot be transferred";
        return NW_EINVAL;
    }
    if (!nw__value_has_bytes(value)) {
        *detail = "bytes that were handed over already";
        return NW_EINVAL;
    }
    slot = nw__pointer_map_add(&cargo->indices, root, &is_new);
    if (slot == NULL) {
        return NW_ENOMEM;
    }
    if (!is_new) {
        *detail = "a buffer is listed twice";
        return NW_EINVAL;
    }
    slot->number = cargo->moving_count;
    return moving_add(cargo, root);
}

static nw_status list_host(struct nw__cargo *cargo, const nw_value *value,
                           const char **detail)
{
    uint32_t index;
    bool is_new;

    if (host_is_gone(host_of(value->as.ref))) {
        *detail = GONE_TEXT;
        return NW_ECLONE;
    }
    if (ref_add(cargo, value->as.ref, &index, &is_new) != NW_OK) {
        return NW_ENOMEM;
    }
    if (!is_new) {
        *detail = "an object is listed twice";
        return NW_EINVAL;
    }
    cargo->refs[index].transfer = true;
    return NW_OK;
}

static nw_status list_one(struct nw__cargo *cargo, const nw_value *value,
                          const char **detail)
{
    if (value == NULL) {
        *detail = "an item to transfer is NULL";
        return NW_EINVAL;
    }
    if (value->doc->status != NW_OK) {
        return value->doc->status;
    }
    switch (value->type) {
    case NW_TYPE_BYTES:
        return list_bytes(cargo, value, detail);
    case NW_TYPE_PORT:
    case NW_TYPE_HOST:
        return list_host(cargo, value, detail);
    default:
        *detail = "a value of this type cannot be transferred";
        return NW_EINVAL;
    }
}

nw_status nw__cargo_list(struct nw__cargo *cargo,
                         const struct nw__wire_transfer *transfer,
                         const char **detail)
{
    nw_status status = NW_OK;

    *detail = NULL;
    for (size_t i = 0; i < transfer->count && status == NW_OK; i++) {
        status = list_one(cargo, transfer->items[i], detail);
    }
    return status;
}

// -- the last step

// NULL for bytes in a document's arena.
static struct nw__holding *holding_of(const nw_value *root)
{
    return root->as.bytes.of.holding;
}

// Everything that can fail for want of memory.
static nw_status cargo_prepare(const struct nw__cargo *cargo,
                               struct nw__message *message)
{
    nw_status status = nw__message_reserve_beside(message, cargo->moving_count,
                                                  cargo->refs_count);

    for (uint32_t i = 0; i < cargo->moving_count && status == NW_OK; i++) {
        if (holding_of(cargo->moving[i]) == NULL) {
            status =
                nw__bytes_copy(cargo->moving[i], &message->beside->blobs[i]);
        }
    }
    return status;
}

static bool host_depart(struct nw__host *host)
{
    uint32_t expected = 0;

    return __atomic_compare_exchange_n(&host->gone, &expected, 1, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

// Marks the listed objects as gone: all of them or, when somebody else was
// faster with one, none.
static bool hosts_depart(const struct nw__cargo *cargo)
{
    uint32_t i = 0;

    while (i < cargo->refs_count &&
           (!cargo->refs[i].transfer ||
            host_depart(host_of(cargo->refs[i].ref)))) {
        i++;
    }
    if (i == cargo->refs_count) {
        return true;
    }
    while (i-- > 0) {
        if (cargo->refs[i].transfer) {
            __atomic_store_n(&host_of(cargo->refs[i].ref)->gone, 0,
                             __ATOMIC_RELEASE);
        }
    }
    return false;
}

nw_status nw__cargo_load(struct nw__cargo *cargo, struct nw__message *message,
                         const char **detail)
{
    *detail = NULL;
    if (cargo_prepare(cargo, message) != NW_OK) {
        return NW_ENOMEM;
    }
    if (!hosts_depart(cargo)) {
        *detail = GONE_TEXT;
        return NW_ECLONE;
    }
    for (uint32_t i = 0; i < cargo->moving_count; i++) {
        nw_value *root = cargo->moving[i];
        struct nw__holding *holding = holding_of(root);

        if (holding != NULL) {
            message->beside->blobs[i] = holding->blob;
            holding->gone = true;
        }
        root->flags |= NW__VALUE_MOVED;
    }
    for (uint32_t i = 0; i < cargo->refs_count; i++) {
        message->beside->refs[i] = cargo->refs[i];
        nw__ref_get(cargo->refs[i].ref);
    }
    return NW_OK;
}

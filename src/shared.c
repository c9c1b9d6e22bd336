// Memory of SharedArrayBuffers. Values of it are in bytes.c.

#include <nwpool/value.h>

#include "src/common.h"
#include "src/ref.h"

static void shared_destroy(struct nw__ref *ref)
{
    struct nw_shared *shared = NW_CONTAINER_OF(ref, struct nw_shared, ref);
    bool released = false;

    if (shared->store != NULL) {
        // V8 calls no deleter for a store without bytes.
        released = shared->size > 0;
        shared->store_free(shared->store);
    }
    if (!released && shared->release != NULL) {
        shared->release(shared->data, shared->size, shared->hint);
    }
    nw__free(shared);
}

static void release_own(void *data, size_t size, void *hint)
{
    (void)size;
    (void)hint;
    nw__free(data);
}

nw_status nw_shared_lend(nw_shared **out, void *data, size_t size,
                         nw_release_cb *release, void *hint)
{
    nw_shared *shared;

    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    if (data == NULL && size > 0) {
        return NW_EINVAL;
    }
    if (size > NW_VALUE_SIZE_MAX) {
        return NW_ELIMIT;
    }
    shared = nw__alloc_zero(sizeof(*shared));
    if (shared == NULL) {
        return NW_ENOMEM;
    }
    nw__ref_init(&shared->ref, NW__REF_SHARED, shared_destroy);
    shared->data = data;
    shared->size = size;
    shared->release = release;
    shared->hint = hint;
    *out = shared;
    return NW_OK;
}

nw_status nw_shared_create(nw_shared **out, size_t size)
{
    nw_status status;
    void *data;

    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    if (size > NW_VALUE_SIZE_MAX) {
        return NW_ELIMIT;
    }
    data = nw__alloc_zero(size);
    if (data == NULL) {
        return NW_ENOMEM;
    }
    status = nw_shared_lend(out, data, size, release_own, NULL);
    if (status != NW_OK) {
        nw__free(data);
    }
    return status;
}

nw_shared *nw_shared_ref(nw_shared *shared)
{
    if (shared != NULL) {
        nw__ref_get(&shared->ref);
    }
    return shared;
}

void nw_shared_unref(nw_shared *shared)
{
    if (shared != NULL) {
        nw__ref_put(&shared->ref);
    }
}

void *nw_shared_data(const nw_shared *shared, size_t *size)
{
    if (size != NULL) {
        *size = shared == NULL ? 0 : shared->size;
    }
    return shared == NULL ? NULL : shared->data;
}

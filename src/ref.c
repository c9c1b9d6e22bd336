#include "src/ref.h"

#include "src/common.h"

void nw__ref_init(struct nw__ref *ref, enum nw__ref_type type,
                  void (*destroy)(struct nw__ref *ref))
{
    ref->count = 1;
    ref->type = type;
    ref->destroy = destroy;
}

struct nw__ref *nw__ref_get(struct nw__ref *ref)
{
    uint32_t before = __atomic_fetch_add(&ref->count, 1, __ATOMIC_RELAXED);

    NW_ASSERT(before > 0 && before < UINT32_MAX);
    return ref;
}

void nw__ref_put(struct nw__ref *ref)
{
    // Whoever is last must see what the others did before they let go.
    if (ref != NULL &&
        __atomic_fetch_sub(&ref->count, 1, __ATOMIC_ACQ_REL) == 1) {
        ref->destroy(ref);
    }
}

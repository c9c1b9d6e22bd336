#include "src/host.h"

#include <stdatomic.h>

#include "src/common.h"
#include "src/control.h"
#include "src/runtime.h"

static atomic_uint_fast64_t last_number;

struct held {
    struct nw__host host;     // First.
    struct nw__command *drop; // Made beforehand: letting go cannot fail.
};

uint64_t nw__host_numbers(uint32_t count)
{
    return atomic_fetch_add(&last_number, count) + 1;
}

static void destroy(struct nw__ref *ref)
{
    struct held *held = (struct held *)(void *)ref;

    if (nw__runtime_forked()) {
        nw__command_destroy(held->drop); // Nobody would ever take it.
    } else {
        nw__control_send(held->drop);
    }
    nw__free(held);
}

struct nw__host *nw__host_create(uint64_t id, uint32_t worker,
                                 struct nw__control *control)
{
    struct held *held = nw__alloc_zero(sizeof(*held));

    if (held == NULL) {
        return NULL;
    }
    held->drop = nw__command_create(NW__COMMAND_DROP, id);
    if (held->drop == NULL) {
        nw__free(held);
        return NULL;
    }
    nw__command_address(held->drop, control);
    held->drop->argument = worker;
    nw__ref_init(&held->host.ref, NW__REF_HOST, destroy);
    held->host.id = id;
    held->host.worker = worker;
    return &held->host;
}

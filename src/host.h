// Objects of Node.js that C holds on to: ports, keys, blobs. The object itself
// stays in JavaScript, in the control environment's table; C has its number.
//
// A worker that sends one in a result posts it on its link, an internal
// MessagePort, before it publishes the message that names it. It stays in that
// port's queue, which loses nothing, until the control environment is asked for
// it: for a message to another worker, or to drop it.

#ifndef NW_SRC_HOST_H
#define NW_SRC_HOST_H

#include "src/control.h"
#include "src/ref.h"

// The first of `count` numbers in a row, never reused. Thread: any.
uint64_t nw__host_numbers(uint32_t count);

// One reference. `worker` is whose link carries it, 0 when it is in the table.
// The rest is the caller's to fill in before anybody else sees it. When the
// last reference goes the control environment is told to drop the object. NULL
// without memory. Thread: any.
// `control` is the environment with that table.
struct nw__host *nw__host_create(uint64_t id, uint32_t worker,
                                 struct nw__control *control);

static inline struct nw__host *nw__host_of(struct nw__ref *ref)
{
    return (struct nw__host *)(void *)ref;
}

#endif

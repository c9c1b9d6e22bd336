// What messages and values share and what outlives both: memory of a
// SharedArrayBuffer, a compiled WebAssembly module, an object of Node.js that
// stays in the environment it lives in.
//
// Counted. The count may be raised and dropped on any thread; `destroy` runs on
// the thread that drops the last reference, with no lock held.

#ifndef NW_SRC_REF_H
#define NW_SRC_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nwpool/value.h>

NW_EXTERN_C_BEGIN // codec.cc is C++.

enum nw__ref_type {
    NW__REF_SHARED, // struct nw_shared
    NW__REF_MODULE, // The engine's own.
    NW__REF_HOST,   // struct nw__host
};

// First member of whatever is counted.
struct nw__ref {
    uint32_t count; // By __atomic builtins: stdatomic.h is not C++.
    enum nw__ref_type type;
    void (*destroy)(struct nw__ref *ref);
};

void nw__ref_init(struct nw__ref *ref, enum nw__ref_type type,
                  void (*destroy)(struct nw__ref *ref));
struct nw__ref *nw__ref_get(struct nw__ref *ref); // Returns `ref`.
void nw__ref_put(struct nw__ref *ref);            // NULL is ignored.

// -- shared memory

struct nw_shared {
    struct nw__ref ref;

    // -- immutable
    void *data;
    size_t size;
    nw_release_cb *release; // May be NULL.
    void *hint;

    // -- protected by the engine's lock
    void *store; // V8's view of the same memory, one for all isolates; NULL
                 // until the first needs it. From then on `release` is the
                 // store's to call, unless `size` is 0.
    void (*store_free)(void *store);
};

// -- objects of Node.js

#define NW__HOST_NAME_MAX 31

// An object that stays where it lives: in the control environment's table, or
// in the queue of the link of the worker that sent it, from which the control
// environment takes it when somebody asks. See host.h.
struct nw__host {
    struct nw__ref ref;

    // -- immutable
    uint64_t id;     // Never reused.
    uint32_t worker; // Whose link carries it; 0: in the table already.
    bool is_port;    // A MessagePort.
    bool must_move;  // Cannot be cloned, only transferred.
    char name[NW__HOST_NAME_MAX + 1]; // Class name.

    uint32_t gone;  // By __atomic builtins: it was transferred.
    uint32_t taken; // The same: C has made a port of it.
};

NW_EXTERN_C_END

#endif

// The C functions that scripts can call, by name. Engine-free; the calls are in
// binding_functions.c.
//
// Properties
//   A function is taken away once, and `release` is called once, by whoever
//   ends its last use: a call that runs, or a promise that waits.
//   A use can only begin while the function is registered.
//   The record itself lives longer, while an environment remembers it, so that
//   a call needs no look-up and no lock.

#ifndef NW_SRC_FUNCTIONS_H
#define NW_SRC_FUNCTIONS_H

#include <stdatomic.h>

#include <nwpool/function.h>

struct nw__function {
    // -- immutable
    nw_function_cb *call;
    void *user_data;
    void (*release)(void *user_data);
    bool promise;

    atomic_uint uses;    // Twice their number, plus 1 while it is registered.
    atomic_uint holders; // Of the record; all uses together are one.

    // -- protected by the registry's lock
    struct nw__function *bucket_next;
    struct nw__function *previous; // In the order of registration.
    struct nw__function *next;

    char name[];
};

// The function of that name, held for the caller; NULL when there is none.
struct nw__function *nw__function_find(const char *name);
void nw__function_hold(struct nw__function *function);
void nw__function_drop(struct nw__function *function); // NULL is ignored.

// A use begins; false when the function was taken away.
bool nw__function_begin(struct nw__function *function);
// One more, of somebody who has one.
void nw__function_use(struct nw__function *function);
// May call `release`: hold no lock.
void nw__function_end(struct nw__function *function);

// The names, in the order of registration, one NUL-terminated string behind the
// other. To be freed with nw__free(). False without memory.
bool nw__function_names(char **names, size_t *count);

#endif

// What the files for C functions share: binding_functions.c makes the object
// that scripts find them in, binding_call.c calls, binding_promise.c settles.

#ifndef NW_SRC_BINDING_FUNCTIONS_H
#define NW_SRC_BINDING_FUNCTIONS_H

#include <nwpool/function.h>

#include "src/binding.h"
#include "src/functions.h"

struct nw__promise_queue;

// All of it belongs to the environment's thread.
struct nw__binding_functions {
    struct nw__binding *binding;
    nw_doc *doc; // Reused from call to call.
    bool doc_used;

    // Of functions.js.
    napi_ref object;
    napi_ref wait;
    napi_ref settle;

    struct nw__promise_queue *promises; // NULL before the first.
};

// What a JavaScript function remembers.
struct nw__remembered {
    struct nw__binding_functions *state;
    struct nw__function *function; // Held.
};

// The callback of every function; its data is a struct nw__remembered.
napi_value nw__binding_call(napi_env env, napi_callback_info info);

// Throws what fits the status; nothing when the environment goes down. Returns
// NULL.
napi_value nw__binding_throw_status(napi_env env, nw_status status,
                                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// What somebody settles, for a new promise, which keeps the event loop going;
// the function stays in use until then. NULL, maybe with an exception.
nw_deferred *nw__promise_create(struct nw__binding_functions *state,
                                struct nw__function *function,
                                napi_value *promise);

// From the environment's cleanup hook. NULL is ignored.
void nw__promise_queue_close(struct nw__promise_queue *queue);

#endif

// What a handle with callbacks (a worker, a port) has in common: references,
// an end of its callbacks for good, and the part it has in keeping its inbox
// going.
//
// Callbacks come one after the other while the inbox stays the same. After it
// was changed one of each may run at once, or one inside the other.
//
// Lock order: listener.lock > the inbox's own. Callbacks run without either.

#ifndef NW_SRC_LISTENER_H
#define NW_SRC_LISTENER_H

#include <nwpool/error.h>

#include "src/common.h"
#include "src/inbox.h"
#include "src/message.h"

// A callback that runs, on the stack of the thread that runs it.
struct nw__listener_call {
    struct nw__listener_call *next;
    pthread_t thread;
    nw_doc *doc; // For what the callback is given.
};

// First member of the handle.
struct nw__listener {
    // -- immutable after init
    void (*destroy)(struct nw__listener *listener); // With the last reference.
    nw_doc *doc; // For the first who is inside a callback.

    nw__mutex lock; // Of the whole handle.
    nw__cond changed;

    // -- protected by lock
    nw_inbox *inbox; // NULL: the events thread.
    uint32_t references;
    struct nw__listener_call *calls; // That run.
    bool muted;                      // None any more.
    bool alive;                      // There may still be events.
    bool refd; // The user wants it to keep the inbox going.
};

// One reference; neither alive nor ref'd. False without memory.
bool nw__listener_init(struct nw__listener *listener,
                       void (*destroy)(struct nw__listener *listener));
// For `destroy`.
void nw__listener_fini(struct nw__listener *listener);

void nw__listener_get(struct nw__listener *listener);
void nw__listener_put(struct nw__listener *listener);

// Around a callback; `call` is filled in. False: nobody wants to hear.
bool nw__listener_enter(struct nw__listener *listener,
                        struct nw__listener_call *call);
void nw__listener_leave(struct nw__listener *listener,
                        struct nw__listener_call *call);

// What a callback is given, in its document, which leave() empties.
//
// The value of a message; NULL with `*error` when it cannot be read. Memory that
// is short for a while delays a message and does not lose it: reading is tried
// again, NW__READ_TRIES times, unless something that moved came with it.
const nw_value *nw__listener_read(nw_doc *doc, struct nw__message *message,
                                  const nw_error **error);
// Never NULL.
const nw_error *nw__listener_read_error(nw_doc *doc,
                                        struct nw__message *record);

#define NW__READ_TRIES    100
#define NW__READ_PAUSE_MS 10

// No callback runs when this returns, and none will; but for those that it was
// called from.
void nw__listener_mute(struct nw__listener *listener);

// The three things that decide whether it keeps its inbox going. Caller does
// not hold the lock.
void nw__listener_set_alive(struct nw__listener *listener, bool alive);
void nw__listener_set_ref(struct nw__listener *listener, bool ref);
void nw__listener_set_inbox(struct nw__listener *listener, nw_inbox *inbox);

// The last of them in steps, for who has more to change with it: `inbox` was
// acquired before, what is returned is to be released after. Caller holds the
// lock.
nw_inbox *nw__listener_swap_inbox(struct nw__listener *listener,
                                  nw_inbox *inbox);

bool nw__listener_has_ref(struct nw__listener *listener);

#endif

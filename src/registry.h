// Who wants to know about which worker thread.
//
// A worker is entered here before its thread is asked for and leaves with its
// exit, which always comes: from the control environment, or when that itself
// ends. Owners keep themselves alive until then.

#ifndef NW_SRC_REGISTRY_H
#define NW_SRC_REGISTRY_H

#include "src/message.h"

struct nw__lane;

// Called on the control thread with no lock held. Messages are moved out of if
// wanted.
struct nw__worker_sink {
    void (*online)(void *owner);
    void (*message)(void *owner, struct nw__message *message);
    // The message could not be decoded.
    void (*message_error)(void *owner, struct nw__message *record);
    void (*error)(void *owner, struct nw__message *record);
    void (*exited)(void *owner, int exit_code); // Last.
};

struct nw__worker_spec {
    const struct nw__worker_sink *sink;
    void *owner;

    // One of the three. Strings are copied.
    const char *file;
    const char *source;
    struct nw__lane *lane; // Its own reference is taken by the worker.

    const char *directory; // Where relative paths start; copied.
    uint32_t delay_ms;
};

// The working directory, which the host may change later; NULL without memory.
// To be freed. Node.js itself would remember the first one for ever.
char *nw__worker_directory(void);

// A number for a worker: never reused in this process, from 1. Thread: any.
uint32_t nw__worker_number(void);

// Asks for a thread. NW_OK: `exited` will be called, once. NW_ENOMEM,
// NW_ESTOPPED: nothing will be called. Thread: any.
nw_status nw__worker_spawn(uint32_t number,
                           const struct nw__worker_spec *spec);

// Asks for its end; does nothing if it has ended. Thread: any.
nw_status nw__worker_terminate(uint32_t number);

// The lane of a worker that is alive, or NULL. Thread: any.
struct nw__lane *nw__worker_lane(uint32_t number);

// -- the control thread's side

void nw__worker_online(uint32_t number);
void nw__worker_message(uint32_t number, struct nw__message *message);
void nw__worker_message_error(uint32_t number, struct nw__message *record);
void nw__worker_error(uint32_t number, struct nw__message *record);
void nw__worker_exited(uint32_t number, int exit_code);

// The control environment is gone: every worker that is left has ended.
void nw__worker_all_exited(int exit_code);

#endif

// What a worker's handle is made of, for the files that implement
// <nwpool/worker.h>:
//
//   worker.c        create, post, end
//   worker_event.c  what comes back: events, output, the exit
//   worker_query.c  stdin, and what a worker can be asked
//   heap_snapshot.c a snapshot of its heap
//   worker_spec.c   the options
//
// A handle has holders: the caller, until nw_worker_destroy(), the thread, until
// its EXIT was delivered or dropped, and each event on its way. The last one
// frees it.
//
// Lock order: listener.lock > runtime.lock and the inbox's; callbacks run
// without it.

#ifndef NW_SRC_WORKER_HANDLE_H
#define NW_SRC_WORKER_HANDLE_H

#include <nwpool/worker.h>

#include "src/listener.h"
#include "src/registry.h"

struct nw__worker_event;

struct nw_worker {
    struct nw__listener listener; // First; `lock` is its.

    // -- immutable after create
    uint32_t number;
    nw_worker_event_cb *on_event;
    void *user_data;
    nw_output modes[2]; // Of descriptors 1 and 2.

    // -- protected by lock
    bool described;    // The next is known: events may be quicker than that.
    int64_t thread_id; // -1 without memory to read it.
    bool announced;    // ONLINE was posted.
    bool exited;       // The thread is gone.
    int exit_code;
    bool delivered; // So is its EXIT.
    bool abandoned; // Destroyed: its events go nowhere.
    bool released;  // See nw__worker_take_release().
    bool stdin_open;
    size_t stdin_waiting;  // Bytes on their way.
    size_t output_waiting; // Bytes in events.

    // -- events thread only
    struct nw__worker_event *exit_event; // Made beforehand: EXIT always comes.
};

// -- worker_event.c

// What the registry tells of the worker.
extern const struct nw__worker_sink nw__worker_events;

// The event that always comes, made beforehand. NULL without memory.
struct nw__worker_event *nw__worker_exit_event(nw_worker *worker);

// Whose it is to end the use of the runtime: the thread's when it exits, or
// destroy()'s when that gives up on the thread. True for the first who asks.
bool nw__worker_take_release(nw_worker *worker);

bool nw__worker_has_exited(nw_worker *worker);

// So many bytes of its stdin have arrived, or will not.
void nw__worker_stdin_taken(nw_worker *worker, size_t size);

#endif

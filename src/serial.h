// A thread that runs events one after the other, in the order in which they
// were posted.

#ifndef NW_SRC_SERIAL_H
#define NW_SRC_SERIAL_H

#include "src/common.h"

// Embed it; `run` owns the memory.
struct nw__event {
    struct nw__event *next;
    void (*run)(struct nw__event *event);
};

// Static, with `lock` initialised; never freed.
struct nw__serial {
    nw__mutex lock;
    nw__cond changed;

    // -- protected by lock
    pthread_t thread;
    struct nw__event *head;
    struct nw__event *tail;
    bool initialised;
    bool running;
    bool joined;
    bool stopping;
};

// Also after a stop. NW_ENOMEM.
nw_status nw__serial_start(struct nw__serial *serial, const char *name);

// Never fails; runs only while the thread is there. Thread: any.
void nw__serial_post(struct nw__serial *serial, struct nw__event *event);

// True on the thread itself. Thread: any.
bool nw__serial_is_current(struct nw__serial *serial);

// Runs what was posted, then ends the thread. False when it did not end by
// `deadline_ns`. Fine if it never started. Thread: any but itself. Blocks.
bool nw__serial_stop(struct nw__serial *serial, uint64_t deadline_ns);

#endif

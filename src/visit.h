// Errands on a worker's own thread: run when its event loop turns, or at the next
// place where its script can be interrupted.

#ifndef NW_SRC_VISIT_H
#define NW_SRC_VISIT_H

#include <stdbool.h>
#include <stdint.h>

// Embed it. One of the two is called, once, with no lock held; it owns the
// memory then.
struct nw__visit {
    struct nw__visit *next;
    // Thread: the worker's, inside its isolate and perhaps in the middle of its
    // script. No JavaScript may run.
    void (*run)(struct nw__visit *visit);
    // The worker ended first. Thread: control.
    void (*miss)(struct nw__visit *visit);
};

// One that is still starting is visited when it has. False: it has ended, and
// nothing will be called. Thread: any.
bool nw__worker_visit(uint32_t number, struct nw__visit *visit);

// -- the worker's own thread

// `poke` is called from any thread, under a lock that `no_more_visits` takes as
// well, to have nw__worker_receive() called here.
void nw__worker_take_visits(uint32_t number, void (*poke)(void *context),
                            void *context);
void nw__worker_no_more_visits(uint32_t number);
void nw__worker_receive(uint32_t number);

#endif

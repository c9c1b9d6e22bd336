// Commands to the control environment, from any thread, in order.
//
// The queue outlives the environment: what comes too early waits for it, what
// comes too late is refused.

#ifndef NW_SRC_CONTROL_H
#define NW_SRC_CONTROL_H

#include <stdbool.h>

#include "src/message.h"

struct nw__lane;

enum nw__command_type {
    NW__COMMAND_START,
    NW__COMMAND_POST,
    NW__COMMAND_TERMINATE,
};

struct nw__command {
    struct nw__command *next;
    enum nw__command_type type;
    uint32_t worker;

    // START: one of the three.
    char *file;             // Owned.
    char *source;           // Owned.
    const char *module;     // Borrowed: the pool's, and there is a lane.
    char *directory;        // Where relative paths start. Owned.
    uint32_t delay_ms;

    struct nw__message message; // POST.
};

// NULL without memory.
struct nw__command *nw__command_create(enum nw__command_type type,
                                       uint32_t worker);
void nw__command_destroy(struct nw__command *command);

// Takes the command in any case. NW_ESTOPPED: the environment is gone and the
// command was destroyed. Thread: any.
nw_status nw__control_send(struct nw__command *command);

// -- the environment's side. Thread: control, `wake` from any.

void nw__control_attach(void (*wake)(void *context), void *context);

// All that is waiting, oldest first; NULL when there is nothing.
struct nw__command *nw__control_take(void);

// No wake comes after this returns; what is waiting is destroyed.
void nw__control_detach(void);

#endif

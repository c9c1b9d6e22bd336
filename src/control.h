// Commands to a control environment, from any thread, in order; and calls,
// which are commands that wait for an answer.
//
// The queue outlives the environment: what comes too early waits for it, what
// comes too late is refused. A process that embeds Node.js has one, which the
// library makes; as a guest of a Node.js program there is one for each of its
// environments that use the library.

#ifndef NW_SRC_CONTROL_H
#define NW_SRC_CONTROL_H

#include <stdbool.h>

#include "src/message.h"
#include "src/wire.h"

// Each is a handler of glue.js, by its name there, called with the command's
// number (a worker's, or the id of a host object), its argument, what moves with
// the message (undefined, or an array), and the values of the message.
#define NW__COMMAND_MAP(X)                                                     \
    X(START, "start")       /* spec, workerData */                             \
    X(REHEARSE, "rehearse") /* spec: what is wrong with it? */                 \
    X(POST, "post")         /* value */                                        \
    X(TERMINATE, "terminate")                                                  \
    X(WRITE, "write") /* bytes; argument: how many */                          \
    X(END, "end")                                                              \
    X(LIMITS, "limits")                                                        \
    X(UTILIZATION, "utilization")                                              \
    X(SET_DATA, "setData")    /* key, value */                                 \
    X(GET_DATA, "getData")    /* key */                                        \
    X(CHANNEL, "channel")     /* argument: distance of the other id */         \
    X(BROADCAST, "broadcast") /* name */                                       \
    X(ADOPT, "adopt")         /* argument: home worker */                      \
    X(LISTEN, "listen")       /* argument: whether */                          \
    X(START_PORT, "startPort")                                                 \
    X(POST_PORT, "postPort") /* value */                                       \
    X(RECEIVE, "receive")                                                      \
    X(CLOSE, "close")                                                          \
    X(DROP, "drop")   /* argument: home worker */                              \
    X(FETCH, "fetch") /* of a worker: [id, home worker, moves, ...] */

enum nw__command_type {
#define NW_X(name, handler) NW__COMMAND_##name,
    NW__COMMAND_MAP(NW_X)
#undef NW_X
        NW__COMMAND_TYPES
};

struct nw__control;

struct nw__command {
    struct nw__command *next;
    struct nw__control *control; // Whose it is, one reference.
    enum nw__command_type type;
    uint64_t number;
    uint32_t argument;
    uint64_t request;           // Of a call; 0: nobody waits.
    uint32_t tries;             // That failed for lack of memory.
    struct nw__message message; // Arguments of the handler.
};

// That of the process; it is always there.
struct nw__control *nw__control_main(void);

// One more, with one reference. NULL without memory.
struct nw__control *nw__control_create(void);

// Returns `control`. Thread: any.
struct nw__control *nw__control_ref(struct nw__control *control);
void nw__control_unref(struct nw__control *control); // NULL is ignored.

// For the control environment of the process, until it is addressed to another.
// NULL without memory.
struct nw__command *nw__command_create(enum nw__command_type type,
                                       uint64_t number);
void nw__command_destroy(struct nw__command *command);
void nw__command_address(struct nw__command *command,
                         struct nw__control *control);

// The same with `values` as its message; what `transfer`, which may be NULL, lists
// moves. On failure `*out` is NULL, nothing has moved, and nw_status_detail() has
// the writer's sentence if there is one.
nw_status nw__command_write(struct nw__command **out,
                            enum nw__command_type type, uint64_t number,
                            const nw_value *const *values, size_t count,
                            const struct nw__wire_transfer *transfer);

// Takes the command in any case. NW_ESTOPPED: the environment is gone and the
// command was destroyed. Thread: any.
nw_status nw__control_send(struct nw__command *command);

// Whether the thread that waits is to end: asked now and then, without a lock.
struct nw__stopping {
    bool (*ask)(void *context);
    void *context;
};

// Sends it and waits for the handler's answer, in `reply` (empty before; to be
// freed by the caller). Takes the command in any case. NW_ESTOPPED: the
// environment is gone, or `stopping`, which may be NULL, says so. What the
// handler refused with, with its sentence as nw_status_detail(). Thread: any
// but control. Blocks.
nw_status nw__control_call(struct nw__command *command,
                           struct nw__message *reply,
                           const struct nw__stopping *stopping);

// The same with no answer but the status.
nw_status nw__control_ask(struct nw__command *command,
                          const struct nw__stopping *stopping);

// -- the environment's side. Thread: control, `wake` from any.

void nw__control_attach(struct nw__control *control,
                        void (*wake)(void *context), void *context);

// All that is waiting, oldest first; NULL when there is nothing.
struct nw__command *nw__control_take(struct nw__control *control);

// Puts back what could not be run, in front of what has come since, and has the
// environment woken for it.
void nw__control_put_back(struct nw__control *control,
                          struct nw__command *first);

// Answers a call, once; does nothing when nobody waits any more. The reply is
// moved out; `detail` may be NULL.
void nw__control_reply(struct nw__control *control, uint64_t request,
                       nw_status status, struct nw__message *reply,
                       const char *detail);

// No wake comes after this returns; what is waiting is destroyed, calls end with
// NW_ESTOPPED. Harmless when it is called again. Thread: control.
void nw__control_detach(struct nw__control *control);

#endif

// The tasks that a lane's worker runs: one is inside its synchronous call, the
// others returned promises. binding_lane.c starts them, pool.js ends them, by
// their ids.

#ifndef NW_SRC_BINDING_TASK_H
#define NW_SRC_BINDING_TASK_H

#include "src/binding.h"

// A task that returned a promise.
struct nw__pending {
    struct nw__job *job; // A name to settle it by.
    uint64_t id;
    const char *function_name;
};

// A value that waits for room at the source.
struct nw__unsent {
    struct nw__unsent *next;
    uint64_t id; // Of its task.
    struct nw__message message;
};

// Memory for so many that have returned promises. False without; what there is
// stays.
bool nw__tasks_reserve(struct nw__binding *binding, uint32_t count);

// Forgets all of them: the lane has handed them over.
void nw__tasks_close(struct nw__binding *binding);

// Ends the task that is inside its call, with what it returned or with a text
// of ours. Does nothing when there is none.
void nw__task_finish(struct nw__binding *binding, napi_value value);
void nw__task_fail(struct nw__binding *binding, nw_status status,
                   const char *text);

// Ends a task whose script was interrupted at `stack`, if it has not ended, with
// NW_ECANCELED.
void nw__task_interrupted(struct nw__binding *binding, uint64_t id,
                          const char *stack);

#endif

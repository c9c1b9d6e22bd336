// A lane: the road of a pool's tasks into one worker and of its results back,
// with no other environment in between. Engine-free; src/binding.c is the end
// that runs JavaScript, the pool is the other.
//
// Properties
//   A job is in exactly one place: with the pool, in a lane's list (assigned:
//   not started, can be taken back), or in a lane's `running` slot. Whoever
//   takes it out of there owns it, and owns ending it: that is what makes a
//   task end exactly once.
//   A lane that was closed hands out nothing and publishes nothing: a thread
//   that comes back late finds its job gone and drops what it computed.
// Operation
//   The worker pulls: when its list is empty it asks the source for a batch.
//   The source answers with none and remembers the lane as idle, and wakes it
//   when there is something again. So there is one wake for a batch.
// Safety
//   `lock` is a leaf but for the wake function, which only pokes an event
//   loop. It may be taken while the source's own lock is held, never the
//   other way round.

#ifndef NW_SRC_LANE_H
#define NW_SRC_LANE_H

#include <stdbool.h>

#include "src/common.h"
#include "src/message.h"

struct nw__lane;

// One task on its way. The pool embeds it in its own record.
struct nw__job {
    struct nw__job *next;
    uint64_t id;
    const char *function_name; // Of the source; lives as long as the process.
    uint32_t function;         // Its number in the source.
    uint32_t worker;           // Number of the worker that started it, or 0.
    uint64_t started_ns;       // 0: never started.
    uint64_t ended_ns;
    nw_status status;
    int exit_code;
    struct nw__message message; // Arguments until it starts; then its result
                                // or error record.
};

// What a worker knows of the job it runs. The job itself can be taken away from
// it at any moment, when the pool is destroyed, so it never looks into it.
struct nw__run {
    struct nw__job *job; // A name to settle it by; NULL when there is none.
    uint64_t id;
    const char *function_name;
    uint32_t function;
    uint64_t started_ns;
    struct nw__message arguments;
};

struct nw__job_list {
    struct nw__job *head;
    struct nw__job *tail;
    uint32_t count;
};

void nw__job_list_push(struct nw__job_list *list, struct nw__job *job);
struct nw__job *nw__job_list_pop(struct nw__job_list *list);
// Moves all of `from` behind, or in front of, what `list` holds.
void nw__job_list_append(struct nw__job_list *list, struct nw__job_list *from);
void nw__job_list_prepend(struct nw__job_list *list, struct nw__job_list *from);
// Moves the last `count` jobs of `from` to the end of `to`.
void nw__job_list_split_tail(struct nw__job_list *from, uint32_t count,
                             struct nw__job_list *to);

// Whom a lane works for. All of it is called on the worker's thread with no
// lock held.
struct nw__lane_source {
    // Moves jobs into the lane with nw__lane_push(); false if there are none,
    // and the lane counts as idle from then on, until it is woken.
    bool (*pull)(void *owner, struct nw__lane *lane);
    // A job ended: it belongs to the source again.
    void (*settled)(void *owner, struct nw__lane *lane, struct nw__job *job);
    // The module is loaded; pull comes next.
    void (*ready)(void *owner, struct nw__lane *lane);
    // The module cannot be loaded; the worker ends by itself after this.
    // `record` is an error record, to be moved out.
    void (*boot_failed)(void *owner, struct nw__lane *lane,
                        struct nw__message *record);
    // The worker's environment is going down: `assigned` never started,
    // `running` (may be NULL) did; both belong to the source again.
    void (*died)(void *owner, struct nw__lane *lane,
                 struct nw__job_list *assigned, struct nw__job *running);
};

struct nw__lane {
    // -- immutable after create
    uint32_t number; // Of the worker.
    const char *module;
    const char *pool_name;
    const struct nw__lane_source *source;
    void *owner;

    nw__mutex lock;

    // -- protected by lock
    struct nw__job_list assigned;
    struct nw__job *running;
    void (*wake)(void *context); // NULL: not attached, or gone.
    void *wake_context;
    bool closed;
    uint32_t references; // The pool's and the worker environment's.

    // -- source only, under the source's lock
    struct nw__lane *idle_next;
    bool idle;

    // -- the worker's thread, inside the source
    uint32_t task_ns; // Smoothed run time of its tasks.
    uint64_t done;    // Tasks that ended.
};

// Strings are borrowed and outlive the lane. NULL without memory. The result
// carries one reference.
struct nw__lane *nw__lane_create(uint32_t number, const char *module,
                                 const char *pool_name,
                                 const struct nw__lane_source *source,
                                 void *owner);

void nw__lane_ref(struct nw__lane *lane);
void nw__lane_unref(struct nw__lane *lane);

// -- the source's side. Thread: any.

// Assigns jobs. False, with the list untouched, when the lane is closed.
bool nw__lane_push(struct nw__lane *lane, struct nw__job_list *jobs);

// Takes back up to half of what is assigned, the youngest first. The job that
// is next in line stays if it is the only one, unless `all` is set.
void nw__lane_steal(struct nw__lane *lane, bool all, struct nw__job_list *out);

// Makes the worker look for jobs. Safe on a lane that is gone.
void nw__lane_wake(struct nw__lane *lane);

// Adds what it holds to the two counts.
void nw__lane_count(struct nw__lane *lane, uint64_t *assigned,
                    uint64_t *running);

// Closes the lane and takes everything out of it, for a pool that ends.
void nw__lane_close(struct nw__lane *lane, struct nw__job_list *assigned,
                    struct nw__job **running);

// -- the worker's side. Thread: the worker's.

// `wake` is called from any thread under the lane's lock. False when the lane
// was closed or attached before.
bool nw__lane_attach(struct nw__lane *lane, void (*wake)(void *context),
                     void *context);

// The next job, which is now running; false when there is none or the lane is
// closed. `now_ns` is a recent time; the arguments of `out` must be empty, and
// are the caller's afterwards. Never blocks for long.
bool nw__lane_next(struct nw__lane *lane, uint64_t now_ns, struct nw__run *out);

// Ends the running job with `outcome`, which is left empty. False, with nothing
// changed, when it was taken away meanwhile.
bool nw__lane_settle(struct nw__lane *lane, struct nw__job *job,
                     nw_status status, struct nw__message *outcome,
                     uint64_t now_ns);

// The environment goes down: no wake comes after this returns.
void nw__lane_detach(struct nw__lane *lane);

#endif

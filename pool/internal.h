// The pool's own structures. What each file owns:
//
//   pool.c        create, close, drain, destroy, numbers
//   submit.c      the way in: validation, encoding, the queue
//   dispatch.c    jobs to lanes: pull, steal, wake
//   slot.c        a worker's place: start, death, replacement
//   completion.c  the way out: callbacks, kept results, waiting
//   output.c      what tasks print, on its way to a callback
//   functions.c   names of functions to numbers
//   histogram.c   how long things took
//
// A task is in exactly one place at any time: the queue, a lane (assigned or
// running), a slot's `orphan` (its worker died, the cause is not known yet),
// the list of finished tasks, or the table of kept results. Whoever takes it
// out of a place puts it into the next one or ends it.
//
// Lock order: pool.lock > lane.lock. Nothing of the user's and nothing of the
// engine is ever called with pool.lock held.

#ifndef NW_POOL_INTERNAL_H
#define NW_POOL_INTERNAL_H

#include <stdatomic.h>

#include <nwpool/pool.h>

#include "src/common.h"
#include "src/lane.h"
#include "src/registry.h"

// Records kept for reuse; more are given back to the allocator.
#define NWPOOL__FREE_TASKS_MAX 4096

// First and longest pause before a worker that died without having done
// anything is replaced; doubles each time.
#define NWPOOL__RESTART_DELAY_MS     50
#define NWPOOL__RESTART_DELAY_MAX_MS 10000

// -- tasks

struct nwpool__waiter;

struct nwpool__task {
    struct nw__job job; // First: a job of ours is a task.

    // -- immutable after submission
    nw_result_cb *on_done; // NULL: the result is kept.
    void *user_data;
    uint64_t accepted_ns;

    // -- protected by pool.lock
    struct nwpool__task *kept_next; // In its bucket of the table.
    struct nwpool__waiter *waiter;
    bool finished;
};

static inline struct nwpool__task *nwpool__task_of(struct nw__job *job)
{
    return NW_CONTAINER_OF(job, struct nwpool__task, job);
}

// -- functions

struct nwpool__functions {
    char **names; // Interned for the life of the process: results and traces
                  // point at them.
    uint32_t count;
    uint32_t capacity;
    uint32_t *table; // Open addressing; number + 1, 0 is empty.
    uint32_t table_size;
};

// The number of a name, a new one if need be. NW_ELIMIT, NW_ENOMEM.
// Caller holds the lock.
nw_status nwpool__function_number(struct nwpool__functions *functions,
                                  const char *name, uint32_t *out);
void nwpool__functions_fini(struct nwpool__functions *functions);

// -- slots

enum nwpool__slot_state {
    NWPOOL__SLOT_EMPTY,    // No worker, none on its way.
    NWPOOL__SLOT_STARTING, // Asked for, module not loaded yet.
    NWPOOL__SLOT_READY,
    NWPOOL__SLOT_DYING // Its environment went down, its exit is on the way.
};

// A place for a worker. Whoever sits in it changes, the place stays.
struct nwpool__slot {
    // -- immutable
    struct nwpool *pool;

    // -- protected by pool.lock
    enum nwpool__slot_state state;
    struct nw__lane *lane; // One reference; NULL when empty.
    struct nw__job *orphan;
    struct nw__message record; // Why it is dying, if it said so.
    bool boot_failed;          // `record` is about the module.
    bool was_ready;            // Before it was dying.
    bool boot_failing;         // Its last worker was of no use, nor any since.
    uint32_t delay_ms;         // Before the next replacement.
};

// -- pool

struct nwpool__waiter {
    nw__cond finished;
};

#define NWPOOL__KEPT_BUCKETS 256 // First size; grows with what is kept.

struct nwpool {
    // -- immutable after create
    char *module;
    char *directory; // Where the module's path starts, if it is relative.
    char *name;
    uint32_t queue_max;
    uint32_t slot_count;
    struct nwpool__slot *slots;
    pthread_t completion_thread;
    nw_doc *completion_doc;  // That thread's; NULL: it was not started.
    nw_output_cb *on_output; // NULL: the host's descriptors get it.
    void *output_data;

    // Finished tasks with a callback, newest first. Pushed by any thread,
    // taken whole by the completion thread.
    _Atomic(struct nw__job *) finished;
    nw__mutex finished_lock; // To sleep on `finished_changed`, and for output.
    nw__cond finished_changed;
    atomic_bool completion_stopping;

    // -- protected by finished_lock
    struct nwpool__printed *printed; // Oldest first.
    struct nwpool__printed *printed_last;
    size_t printed_bytes; // Not delivered yet.

    // Tasks accepted whose result was neither delivered nor taken: what
    // queue_max bounds. Raised only with the lock held.
    atomic_uint_fast64_t held;

    nw__mutex lock;
    nw__cond changed; // A worker ended, or the last task.

    // -- protected by lock
    struct nw__job_list queue;
    struct nw__lane *idle; // Stack: the one that slept least is woken first.
    uint32_t ready_count;
    uint32_t live_count; // Workers whose exit is still to come.
    uint32_t references; // The owner's and one for each live worker.

    struct nwpool__functions functions;
    struct nw__job *free_tasks;
    uint32_t free_count;

    struct nwpool__task **kept; // Tasks without a callback, by id.
    uint32_t kept_buckets;
    uint32_t kept_count; // In the table.

    bool closed;
    bool destroying;
    bool failed;
    uint32_t boot_failures;     // In a row, without a sign of success.
    uint64_t ended_before;      // Tasks that had ended at the last of them.
    struct nw__message failure; // Record of the first one of them. Does not
                                // change any more once `failed` is set.
    bool failure_is_module;

    uint64_t submitted;
    uint64_t done;
    uint64_t failed_tasks;
    uint64_t restarts;
    uint64_t outstanding; // Accepted; not yet delivered, or not yet kept.
};

// -- dispatch.c

extern const struct nw__lane_source nwpool__lane_source;

// Takes an idle lane to be woken with nw__lane_wake() once the lock is
// released; NULL if there is none. Caller holds the lock.
struct nw__lane *nwpool__idle_pop(nwpool *pool);

// Takes a lane out of the idle stack if it is there. Caller holds the lock.
void nwpool__idle_remove(nwpool *pool, struct nw__lane *lane);

// -- completion.c

// NW_ENOMEM. Thread: owner.
nw_status nwpool__completion_start(nwpool *pool);

// Delivers what is finished, then ends the thread. Blocks.
void nwpool__completion_stop(nwpool *pool);

bool nwpool__completion_is_current(const nwpool *pool);

// Ends a task that left its lane, with what its job says. Exactly once for
// each; the caller owned it and does not any more. Thread: any, no lock held.
void nwpool__finish(nwpool *pool, struct nw__job *job);

// A task without a callback can be found by its id until its result is taken.
// Caller holds the lock.
void nwpool__kept_insert(nwpool *pool, struct nwpool__task *task);

// Frees the results nobody took. Thread: owner, the last to touch the pool.
void nwpool__kept_fini(nwpool *pool);

// -- output.c

// What a worker printed. False: too much is waiting, try later. Thread: the
// worker's.
bool nwpool__print(nwpool *pool, uint32_t worker,
                   const struct nw__printed *printed);

// Takes what was printed so far; NULL: nothing. Delivers it.
struct nwpool__printed *nwpool__printed_take(nwpool *pool);
void nwpool__printed_deliver(nwpool *pool, struct nwpool__printed *printed);

// Frees what a worker that was left behind printed. Thread: the last to touch
// the pool.
void nwpool__printed_fini(nwpool *pool);

// Whether there is any. Caller holds finished_lock.
bool nwpool__printed_any(const nwpool *pool);

// -- submit.c

// A record to be filled in, all zero. NULL without memory. Caller holds the
// lock.
struct nwpool__task *nwpool__task_acquire(nwpool *pool);

// Takes back a task whose message is empty. Caller holds the lock.
void nwpool__task_release(nwpool *pool, struct nwpool__task *task);

// -- slot.c

// Asks for a worker for an empty slot. Thread: any, no lock held.
nw_status nwpool__slot_start(struct nwpool__slot *slot, uint32_t delay_ms);

// Forgets the boot failures so far. Caller holds the lock.
void nwpool__forgive(nwpool *pool);

// Ends jobs that nobody will run: because the pool is destroyed, or for the
// reason for which it has failed. Thread: any, no lock held.
void nwpool__cancel_jobs(nwpool *pool, struct nw__job_list *jobs);
void nwpool__fail_jobs(nwpool *pool, struct nw__job_list *jobs);

// One of the two, for a pool that the caller saw failed or being destroyed.
void nwpool__end_jobs(nwpool *pool, struct nw__job_list *jobs);

// -- pool.c

// Drops one reference; frees with the last. Caller does not hold the lock.
void nwpool__unref(nwpool *pool);

#endif

// A lane: the road of a pool's tasks into one worker and of their results back,
// with no other environment in between. Engine-free; src/binding_lane.c is the
// end that runs JavaScript, the pool is the other.
//
// Properties
//   A job is in exactly one place: with the pool, in a lane's list (assigned:
//   not started, can be taken back), or among a lane's running ones. Whoever
//   takes it out of there owns it, and owns ending it: that is what makes a
//   task end exactly once.
//   A lane that was closed hands out nothing and publishes nothing. The same
//   for one job that was taken: a thread that comes back late finds it gone and
//   drops what it computed.
// Operation
//   The worker pulls: when its list is empty and it may run one more it asks
//   the source for a batch. The source answers with none and remembers the lane
//   as idle, and wakes it when there is something again. So there is one wake
//   for a batch.
//   What the source wants of the worker besides, an abort say, it leaves as a
//   request; the worker takes all of them before it starts the next task.
// Safety
//   `lock` is a leaf but for the wake and script functions, which only poke
//   an event loop or an isolate. It may be taken while the source's own lock is
//   held, never the other way round.

#ifndef NW_SRC_LANE_H
#define NW_SRC_LANE_H

#include <stdbool.h>

#include "src/common.h"
#include "src/message.h"

struct nw__lane;

// One task on its way. The pool embeds it in its own record.
struct nw__job {
    struct nw__job *next; // In the list that it is in.
    struct nw__job *previous;
    uint64_t id;
    const char *function_name; // Of the source; lives as long as the process.
    uint32_t function;         // Its number in the source.
    uint32_t worker;           // Number of the worker that started it, or 0.
    uint64_t started_ns;       // 0: never started.
    uint64_t ended_ns;
    nw_status status;
    int exit_code;
    bool pinned;                // To the lane it is assigned to: not stolen.
    bool interruptible;         // Its script may be interrupted.
    struct nw__message message; // Arguments until it starts; then its result
                                // or error record.
};

// What a worker knows of a job it runs. The job itself can be taken away from
// it at any moment, so it never looks into it.
struct nw__run {
    struct nw__job *job; // A name to settle it by; NULL when there is none.
    uint64_t id;
    const char *function_name;
    uint32_t function;
    uint64_t started_ns;
    struct nw__message arguments;
};

// Doubly linked, so that a job in the middle can be taken out.
struct nw__job_list {
    struct nw__job *head;
    struct nw__job *tail;
    uint32_t count;
};

void nw__job_list_push(struct nw__job_list *list, struct nw__job *job);
struct nw__job *nw__job_list_pop(struct nw__job_list *list);
// `job` is in the list.
void nw__job_list_remove(struct nw__job_list *list, struct nw__job *job);
// Moves all of `from` behind, or in front of, what `list` holds.
void nw__job_list_append(struct nw__job_list *list, struct nw__job_list *from);
void nw__job_list_prepend(struct nw__job_list *list, struct nw__job_list *from);
// Moves the last `count` jobs of `from` to the end of `to`.
void nw__job_list_split_tail(struct nw__job_list *from, uint32_t count,
                             struct nw__job_list *to);

// What the pool asks of the worker besides running jobs. Kept by the lane until
// the worker takes it, which one that still loads its module does as well.
enum nw__lane_request_type {
    NW__LANE_ABORT, // Task `id`: its AbortSignal fires, with `reason`.
    NW__LANE_ROOM,  // Task `id` may send again.
    NW__LANE_END    // Tear down, then end the worker. Nothing is assigned or
                    // running, and nothing will be.
};

#define NW__LANE_REASON_MAX 127

// Allocated by whoever asks.
struct nw__lane_request {
    struct nw__lane_request *next;
    enum nw__lane_request_type type;
    uint64_t id;
    char reason[NW__LANE_REASON_MAX + 1]; // UTF-8; may be cut within a
                                          // character.
};

// Whom a lane works for. All of it is called on the worker's thread with no
// lock held.
struct nw__lane_source {
    // Moves jobs into the lane with nw__lane_push(); false if there are none,
    // and the lane counts as idle from then on, until it is woken.
    bool (*pull)(void *owner, struct nw__lane *lane);
    // A job ended: it belongs to the source again.
    void (*settled)(void *owner, struct nw__lane *lane, struct nw__job *job);
    // Task `id`, which runs, sends a value, which is moved out. NW_OK: go on;
    // NW_EFULL: it was taken, wait for NW__LANE_ROOM before the next;
    // NW_ENOENT: the task has been taken away, and the value may be left;
    // NW_ENOMEM: not taken.
    nw_status (*sent)(void *owner, struct nw__lane *lane, uint64_t id,
                      struct nw__message *value);
    // The module is loaded and set up; pull comes next.
    void (*ready)(void *owner, struct nw__lane *lane);
    // The module cannot be loaded or set up; the worker ends by itself after
    // this. `record` is an error record, to be moved out.
    void (*boot_failed)(void *owner, struct nw__lane *lane,
                        struct nw__message *record);
    // The worker's environment is going down: `assigned` never started,
    // `running` did; both may be empty and belong to the source again.
    void (*died)(void *owner, struct nw__lane *lane,
                 struct nw__job_list *assigned, struct nw__job_list *running);
    // The same for a thread that never goes on, as its heap is exhausted: no
    // exit follows. `parked` is how many there are in the process.
    void (*parked)(void *owner, struct nw__lane *lane,
                   struct nw__job_list *assigned, struct nw__job_list *running,
                   uint32_t parked);
};

// What can be done to a script from outside, by the worker's environment. Called
// under the lane's lock, with the context of `wake`, from any thread; none of
// them waits for the script.
struct nw__lane_script {
    // Terminates it if it is inside that task now, and can be left there.
    void (*interrupt)(void *context, uint64_t id);
    // Takes its stack if it is inside that task when this is seen.
    void (*sample)(void *context, uint64_t id);
    // The text of that stack. False: there is none yet.
    bool (*copy_sample)(void *context, uint64_t id, char *text, size_t size);
};

struct nw__lane_options {
    uint32_t number; // Of the worker.
    const char *module;
    const char *pool_name;
    const char *set_up;    // Export to be called before the first task; NULL.
    const char *tear_down; // And after the last; NULL.
    uint32_t concurrency;  // Tasks that may run at a time, from 1. Those beyond
                           // the first are found one by one: not thousands.
    const struct nw__lane_source *source;
    void *owner;
};

struct nw__lane {
    // -- immutable after create
    uint32_t number;
    uint32_t concurrency;
    const char *module;
    const char *pool_name;
    const char *set_up;
    const char *tear_down;
    const struct nw__lane_source *source;
    void *owner;

    nw__mutex lock;

    // -- protected by lock
    struct nw__job_list assigned;
    struct nw__job_list running;
    struct nw__lane_request *requests; // Oldest first.
    struct nw__lane_request *requests_last;
    void (*wake)(void *context);          // NULL: not attached, or gone.
    const struct nw__lane_script *script; // NULL: nobody reaches it.
    void *wake_context;                   // Of both.
    bool closed;
    uint32_t references; // The pool's and the worker environment's.
    uint32_t busy; // Jobs started and not settled, taken ones as well. Written
                   // by the worker's thread only, which reads it without.

    // -- source only, under the source's lock
    struct nw__lane *idle_next;
    bool idle;

    // -- the worker's thread, inside the source
    uint32_t task_ns; // Smoothed run time of its tasks.
    uint64_t done;    // Tasks that ended.
    uint32_t nested;  // Tasks that its own wait for: so many more may run.
    uint64_t memory;  // Bytes of its heap and beside it, as seen last.
};

// Whether one more may run. Thread: the worker's.
static inline bool nw__lane_has_room(const struct nw__lane *lane)
{
    return lane->busy < lane->concurrency + lane->nested;
}

// Strings are borrowed and outlive the lane. NULL without memory. The result
// carries one reference.
struct nw__lane *nw__lane_create(const struct nw__lane_options *options);

void nw__lane_ref(struct nw__lane *lane);
void nw__lane_unref(struct nw__lane *lane);

// -- the source's side. Thread: any.

// Assigns jobs. False, with the list untouched, when the lane is closed.
bool nw__lane_push(struct nw__lane *lane, struct nw__job_list *jobs);

// Takes back up to half of what is assigned and not pinned, the youngest first.
// The job that is next in line stays if the worker is free, unless `all` is
// set.
void nw__lane_steal(struct nw__lane *lane, bool all, struct nw__job_list *out);

// Takes one job away that is assigned and has not started, or one that runs.
// False when it is not there (any more). A task whose job was taken while it
// ran goes on, and keeps its room in the worker, until it comes to its own end.
bool nw__lane_take_assigned(struct nw__lane *lane, struct nw__job *job);
bool nw__lane_take_running(struct nw__lane *lane, struct nw__job *job);

// Whether the job runs in this lane, and since when (may be NULL).
bool nw__lane_started(struct nw__lane *lane, const struct nw__job *job,
                      uint64_t *started_ns);

// Leaves a request, which is taken in any case, and wakes the worker. Dropped
// when the lane is closed. Whoever takes a running job away asks for the abort
// first, so that a task which finds itself gone has the reason already.
void nw__lane_ask(struct nw__lane *lane, struct nw__lane_request *request);

// As the lane's script does; nothing happens, and there is no sample, where it
// has none.
void nw__lane_interrupt(struct nw__lane *lane, uint64_t id);
void nw__lane_sample(struct nw__lane *lane, uint64_t id);
bool nw__lane_copy_sample(struct nw__lane *lane, uint64_t id, char *text,
                          size_t size);

// Makes the worker look for jobs. Safe on a lane that is gone.
void nw__lane_wake(struct nw__lane *lane);

// Whether nothing is assigned and nothing runs, taken jobs neither.
bool nw__lane_is_free(struct nw__lane *lane);

// Adds what it holds to the two counts.
void nw__lane_count(struct nw__lane *lane, uint64_t *assigned,
                    uint64_t *running);

// Closes the lane and takes everything out of it, for a pool that ends.
void nw__lane_close(struct nw__lane *lane, struct nw__job_list *assigned,
                    struct nw__job_list *running);

// -- the worker's side. Thread: the worker's.

// `wake` is called from any thread under the lane's lock. False when the lane
// was closed or attached before.
bool nw__lane_attach(struct nw__lane *lane, void (*wake)(void *context),
                     void *context);

// Who reaches scripts from now on. The lane is attached.
void nw__lane_set_script(struct nw__lane *lane,
                         const struct nw__lane_script *script);

// The next job, which is now running; false when there is none, when as many
// run as may, or when the lane is closed. `now_ns` is a recent time; the
// arguments of `out` must be empty, and are the caller's afterwards. Never
// blocks for long.
bool nw__lane_next(struct nw__lane *lane, uint64_t now_ns, struct nw__run *out);

// Ends the running job with `outcome`, which is left empty. False, with nothing
// changed, when it was taken away meanwhile. To be called once for every job
// that nw__lane_next() gave, as only this makes room for the next. `job` may
// be another task's by now, so `id` has to agree.
bool nw__lane_settle(struct nw__lane *lane, struct nw__job *job, uint64_t id,
                     nw_status status, struct nw__message *outcome,
                     uint64_t now_ns);

// All that was asked, oldest first; each to be freed with nw__free().
struct nw__lane_request *nw__lane_requests(struct nw__lane *lane);

// The environment goes down: no wake comes after this returns.
void nw__lane_detach(struct nw__lane *lane);

// This thread never goes on: the lane is closed and what it held handed over.
void nw__lane_park(struct nw__lane *lane, uint32_t parked);

#endif

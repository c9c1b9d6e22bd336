// The pool's own structures. What each file owns:
//
//   options.c     what a pool is asked for, checked and made whole
//   pool.c        create, warm up, close, drain, destroy
//   submit.c      the way in: validation, encoding, room
//   queue.c       tasks that wait, by priority and age
//   tasks.c       records, the table by id, listing
//   dispatch.c    jobs to lanes: pull, steal, wake; what comes back
//   workers.c     one worker: start, end, death
//   balance.c     how many there are: growth, spares, recycling, reload
//   ending.c      tasks that have to end: canceled, expired, past their limit
//   clock.c       when to look at what
//   completion.c  the way out: callbacks, kept results, waiting
//   notices.c     what is told before results: output, values sent, events
//   stats.c       numbers
//   functions.c   names of functions to numbers
//
// A task is in exactly one place at any time: the queue, a lane (assigned or
// running), a worker's `orphans` (it died, the cause is not known yet), the
// list of finished tasks, or, finished, the table alone. Whoever takes it out
// of a place puts it into the next one or ends it. The table has all of them,
// from acceptance until the record is released.
//
// Lock order: pool.lock > lane.lock, pool.lock > finished_lock > an inbox's, and
// pool.lock > the timers' lock, the registry's and the control queue's. The last
// of each are leaves.
// Nothing of the user's is ever called with pool.lock held, nor does a task end
// under it: both are left to be done as an errand.

#ifndef NW_POOL_INTERNAL_H
#define NW_POOL_INTERNAL_H

#include <stdatomic.h>

#include <nwpool/pool.h>

#include "pool/histogram.h"
#include "src/common.h"
#include "src/lane.h"
#include "src/registry.h"
#include "src/serial.h"
#include "src/timers.h"

// Records kept for reuse; more are given back to the allocator.
#define NWPOOL__FREE_TASKS_MAX 4096

// First and longest pause before a worker is started after several in a row
// died without having done anything; doubles each time. Up to a quarter more is
// added, so that pools that fail together do not try together.
#define NWPOOL__RESTART_DELAY_MS     50
#define NWPOOL__RESTART_DELAY_MAX_MS 10000

// A worker that could not be asked for, for lack of memory, is tried again.
#define NWPOOL__RETRY_START_MS 100

// How long the oldest task has to have waited, with no worker free, for the pool
// to grow; each time it does, at most to double its size.
#define NWPOOL__GROW_MS 5

// More than so many deaths in so long are DEGRADED; none in so long are
// RECOVERED.
#define NWPOOL__DEATHS_MAX 5
#define NWPOOL__HEALTH_MS  2000

// So many parked threads in the process (see src/engine/guard.h), and a pool that
// has one more fails.
#define NWPOOL__PARKED_MAX 8

// Most tasks that a worker takes at a time.
#define NWPOOL__BATCH_MAX 128

// How long a script that cannot be interrupted just now is left alone.
#define NWPOOL__INTERRUPT_AGAIN_US 500

// How long after there was no memory to end a task that is past its limit it is
// tried again.
#define NWPOOL__NO_MEMORY_MS 10

// How long a script may take to say where it is before its worker is ended; and
// how often it is looked whether it has.
#define NWPOOL__SAMPLE_MAX_MS 10
#define NWPOOL__SAMPLE_US     200

#define NWPOOL__TEXT_MAX  512
#define NWPOOL__STACK_MAX 2048

// -- tasks

struct nwpool__waiter;

enum nwpool__place {
    NWPOOL__QUEUED,
    NWPOOL__IN_LANE, // Or settled by it, and on the way to its end.
    NWPOOL__ORPHANED,
    NWPOOL__ENDED
};

// What few tasks need.
struct nwpool__extra {
    // -- immutable after submission
    uint32_t retries;
    nw_sent_cb *on_sent;
    struct nw__message arguments; // A copy, if it may be run again.

    // -- protected by pool.lock
    uint32_t escalation_ms;
    uint64_t give_up_ns;   // This step of its end; the next one follows.
    uint8_t step;          // An nw_cancel, once it is `ending`.
    bool is_ending;        // The first step was taken.
    bool step_armed;       // The clock has an entry for the next.
    uint32_t sent_waiting; // Values that wait for the callback.
    size_t sent_bytes;     // And their bytes.
    uint64_t sent_count;   // All of them.
    bool sender_waits;
};

// Where the outcome of a task of a worker's own goes: any thread, no lock held.
// As nwpool__host.done.
struct nwpool__task;
typedef void nwpool__forward(struct nwpool__task *task);

struct nwpool__task {
    struct nw__job job; // First: a job of ours is a task.

    // -- immutable after submission
    bool kept;      // Its result, for nwpool_wait().
    bool forwarded; // To `forward`.
    int8_t priority;
    uint8_t room;          // Entries of the clock that are its own.
    uint8_t crashes;       // Workers that died of it, perhaps. By pool.lock.
    uint32_t run_limit_ms; // 0: none.
    uint64_t accepted_ns;
    uint32_t bytes;  // Of its arguments, at most UINT32_MAX.
    uint32_t worker; // In whose lane it is or was. By pool.lock.
    void *user_data;
    union {
        nw_result_cb *on_done;
        struct nwpool__waiter *waiter; // If it is `kept`. By pool.lock.
        nwpool__forward *forward;      // If it is `forwarded`.
    };

    // -- protected by pool.lock
    struct nwpool__extra *extra; // NULL: none of it.
    struct nwpool__task *table_next;
    uint8_t place;
    bool finished : 1;     // Kept, to be taken.
    bool taken : 1;        // By nwpool_wait(), which still reads it.
    bool result_waits : 1; // Until what it has sent is delivered.
    bool suspect : 1;      // To be run alone.
    bool limit_armed : 1;  // The clock has an entry for its limit.

    // -- by themselves
    _Atomic bool settled; // Its worker is done with it.
    _Atomic int ending;   // The status it is to end with, or NW_OK.
};

static inline struct nwpool__task *nwpool__task_of(struct nw__job *job)
{
    return NW_CONTAINER_OF(job, struct nwpool__task, job);
}

struct nwpool__waiter {
    nw__cond finished;
};

// -- the queue: a list for each priority, oldest first

#define NWPOOL__LEVELS (NW_PRIORITY_MAX - NW_PRIORITY_MIN + 1)

struct nwpool__queue {
    struct nw__job_list levels[NWPOOL__LEVELS];
    uint32_t used; // A bit for each list that is not empty.
    uint32_t count;
};

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

// -- workers

enum nwpool__worker_state {
    NWPOOL__STARTING, // Asked for, module not loaded and set up yet.
    NWPOOL__SPARE,    // Ready, and takes no tasks yet.
    NWPOOL__READY,
    NWPOOL__RETIRING, // Takes no more tasks.
    NWPOOL__LEAVING,  // Was told to end.
    NWPOOL__DYING,    // Its environment went down, its exit is on the way.
    NWPOOL__WEDGED,   // Does not end; nobody waits for it.
    NWPOOL__WORKER_STATES
};

struct nwpool__worker {
    // -- immutable after start
    struct nwpool *pool;
    uint32_t number;
    uint32_t generation;
    uint64_t order;        // Of its start among all of the pool's.
    struct nw__lane *lane; // One reference.

    // -- protected by pool.lock
    struct nwpool__worker *next;
    struct nwpool__worker *previous;
    enum nwpool__worker_state state;
    struct nw__job_list orphans;
    struct nw__message record; // Why it is dying, if it said so.
    bool boot_failed;          // `record` is about the module.
    bool was_ready;
    bool was_spare;
    bool told;       // To tear down and end.
    bool timed;      // The clock has an entry to give it up.
    bool mourned;    // Among those in pool.mourned_count.
    bool alone;      // Runs a suspect, and nothing beside it.
    bool parked;     // Its heap is exhausted; its thread never goes on.
    const char *due; // Which limit it has reached; NULL: none.
    uint64_t ready_ns;
    uint64_t idle_ns;                     // Since when, while its lane is idle.
    bool idle_armed;                      // The clock has an entry for that.
    struct nw__lane_request *end_request; // Made beforehand.
    char reason[NWPOOL__TEXT_MAX]; // Why the pool ends it; "": by itself.
};

// -- deadlines

// At most 16: see below.
enum nwpool__deadline_type {
    NWPOOL__AT_EXPIRY,    // id: task
    NWPOOL__AT_LIMIT,     // task
    NWPOOL__AT_ESCALATE,  // task
    NWPOOL__AT_INTERRUPT, // task
    NWPOOL__AT_END,       // task: its worker is to be ended
    NWPOOL__AT_BOOT,      // worker
    NWPOOL__AT_LEAVE,     // worker: it was told to tear down
    NWPOOL__AT_WEDGED,    // worker: it was terminated
    NWPOOL__AT_IDLE,      // worker
    NWPOOL__AT_AGE,       // worker
    NWPOOL__AT_GROW,
    NWPOOL__AT_RESTART,
    NWPOOL__AT_HEALTH
};

// Small, as there can be one for each task that waits.
struct nwpool__deadline {
    uint64_t at_ns;
    uint64_t type : 4; // An nwpool__deadline_type.
    uint64_t id : 60;  // A million tasks a second reach that in 36,000 years.
};

// A binary heap. Entries of what is over stay until their time or until room is
// needed.
struct nwpool__clock {
    struct nwpool__deadline *heap;
    uint32_t count;
    uint32_t capacity;
    struct nw__timer timer;
};

// -- pool

#define NWPOOL__TABLE_BUCKETS 256 // First size; grows with the tasks.

// Workers that are gone and not replaced, for REPLACED; more are not told.
#define NWPOOL__VACANT_MAX 64

// A pool whose owner is a JavaScript environment: the one that makes its workers,
// submits its tasks and takes their results. Messages reach it as they are, and
// nothing that waits is ever called there. Every pool of it has an inbox, which
// is on that environment's loop. All of these run on its thread.
struct nwpool__host {
    struct nw__control *control;
    uint32_t number; // By which its scripts know the pool.

    // Enters JavaScript, calls nwpool__deliver(), and leaves it again.
    void (*deliver)(void *context);

    // In the place of on_done: the task has ended, with job->status and what
    // job->message holds, which may be moved out of.
    void (*done)(void *context, struct nwpool__task *task);

    // In the place of on_sent: the same with a value. True: it has been taken;
    // false: nwpool__sent_taken() will tell.
    bool (*sent)(void *context, void *user_data, uint64_t index,
                 struct nw__message *value, size_t bytes);
    void *context;
};

struct nwpool {
    // -- immutable after create
    const struct nwpool__host *host; // NULL: the owner is C. Not ours.
    nwpool_options options;          // Made whole; its strings are ours.
    char *directory; // Where the module's path starts, if it is relative.
    uint64_t high_count, low_count;
    uint64_t high_bytes, low_bytes;
    pthread_t completion_thread;
    nw_doc *completion_doc; // For whoever delivers.
    bool has_thread;

    // Finished tasks with a callback, newest first. Pushed by any thread,
    // taken whole by who delivers.
    _Atomic(struct nw__job *) finished;
    nw__mutex finished_lock; // To sleep on `finished_changed`, and for notices.
    nw__cond finished_changed;
    atomic_bool completion_stopping;
    atomic_bool poked; // `delivery` is in the inbox, or about to be.
    struct nw__event delivery;

    // -- protected by finished_lock
    struct nwpool__notice *notices; // Oldest first.
    struct nwpool__notice *notices_last;
    size_t printed_bytes;  // Not delivered yet.
    uint32_t events_count; // The same of events.
    bool is_over;          // No task is left, and who delivers may wait for it.
    bool delivering;
    pthread_t deliverer; // Valid while `delivering`.

    // Tasks accepted whose result was neither delivered nor taken: what
    // queue_max bounds; and the bytes of their arguments. Raised only with the
    // lock held.
    atomic_uint_fast64_t held;
    atomic_uint_fast64_t held_bytes;
    atomic_uint_fast32_t room_waiters;
    atomic_bool is_high; // HIGH_WATER was told. Changed with the lock held.
    atomic_uint_fast64_t refused;
    atomic_uint references; // The owner's, one for each live worker, and one
                            // while `delivery` is in the inbox.

    nw__mutex lock;
    nw__cond changed; // A worker ended or is ready, or the last task ended.
    nw__cond room;    // There may be, for a task.

    // -- protected by lock
    struct nwpool__queue queue;
    struct nw__job_list suspects; // That wait to be run alone.
    uint32_t drainer; // Number of the worker that makes room for one; 0: none.
    struct nw__lane *idle; // Stack: the one that slept least is woken first.
    struct nwpool__worker *workers; // Oldest first.
    struct nwpool__worker *workers_last;
    uint32_t counts[NWPOOL__WORKER_STATES];
    uint32_t target;        // Workers there should be, without spares.
    uint32_t mourned_count; // Workers that died, whose exit decides what next.
    uint32_t due_count;  // Workers that wait for somebody to take their place.
    uint32_t live_count; // Workers whose exit is still to come.
    uint32_t vacant[NWPOOL__VACANT_MAX];
    uint32_t vacant_count;

    struct nwpool__clock clock;
    uint32_t clock_room; // Entries that tasks have room of their own for.
    bool grow_armed;
    bool restart_armed;
    bool health_armed;

    struct nwpool__functions functions;
    struct nw__job *free_tasks;
    uint32_t free_count;
    struct nwpool__task **table; // By id.
    uint32_t table_buckets;
    uint32_t table_count;

    char *module;       // Of workers that start from now on.
    char **old_modules; // That workers may still name.
    uint32_t old_count;
    uint32_t generation; // Raised by a reload.
    bool reloading;
    bool reload_failed;

    bool closed;
    bool destroying;
    bool failed;
    bool degraded;
    uint64_t last_order;
    uint32_t boot_failures;     // In a row, without a sign of success.
    uint64_t streak_order;      // Workers after this were started since.
    uint64_t ended_before;      // Tasks that had run at the last of them.
    struct nw__message failure; // Record of the first one of them. Does not
                                // change any more once `failed` is set.
    bool failure_is_module;
    uint32_t restart_delay_ms;
    uint64_t restart_at_ns;
    uint64_t death_ns[NWPOOL__DEATHS_MAX]; // Of the last ones, in turn.
    uint64_t last_death_ns;
    uint32_t deaths;

    uint64_t submitted;
    uint64_t done;
    uint64_t failed_tasks;
    uint64_t failed_by[5]; // Thrown, crashed, timed out, expired, canceled.
    uint64_t restarts;
    uint64_t recycled;
    uint64_t retried;
    uint64_t events_lost;
    uint64_t outstanding; // Accepted; not yet delivered, or not yet kept.
    struct nwpool__histogram wait_times;
    struct nwpool__histogram run_times;
};

// -- errands: what is to be done once the lock is released

#define NWPOOL__WAKES_MAX 8

struct nwpool__errands {
    struct nw__job_list ended; // With their status and message.
    struct nw__lane *wakes[NWPOOL__WAKES_MAX];
    uint32_t wake_count;
};

// Caller holds the lock. Wakes beyond NWPOOL__WAKES_MAX are done at once.
void nwpool__errand_wake(struct nwpool__errands *errands,
                         struct nw__lane *lane);
// Caller does not hold the lock.
void nwpool__errands_run(nwpool *pool, struct nwpool__errands *errands);

// -- options.c

// Checks what the caller gave and fills in the defaults; strings are borrowed.
// NW_EINVAL, with the sentence.
nw_status nwpool__options_resolve(nwpool_options *out,
                                  const nwpool_options *given);

// -- queue.c. Caller holds the lock.

void nwpool__queue_push(nwpool *pool, struct nwpool__task *task);
// Puts back what was taken from it, in front.
void nwpool__queue_put_back(nwpool *pool, struct nw__job_list *jobs);
// The one that is next; NULL: none.
struct nw__job *nwpool__queue_pop(nwpool *pool);
void nwpool__queue_remove(nwpool *pool, struct nwpool__task *task);
// Moves all that wait, suspects too.
void nwpool__queue_take_all(nwpool *pool, struct nw__job_list *out);
// When the oldest was accepted; NW__NEVER when it is empty.
uint64_t nwpool__queue_oldest_ns(const nwpool *pool);
static inline bool nwpool__has_waiting(const nwpool *pool)
{
    return pool->queue.count > 0 || pool->suspects.count > 0;
}

// -- submit.c

// Tells of high or low water if it has come to that. Caller holds the lock.
void nwpool__look_at_water(nwpool *pool);

// Arguments that are not an nw_task_spec's. `encode` fills an empty message; with
// `moves` it takes something away from the caller, so it is called only when the
// task is as good as accepted. What it returns besides NW_OK refuses the task.
struct nwpool__cargo {
    nw_status (*encode)(void *context, struct nw__message *out);
    void *context;
    bool moves;
    nwpool__forward *forward; // NULL: as the pool does it.
};

// As nwpool_submit() and nwpool_submit_each(), whose text they leave in
// nw_status_detail(). Caller does not hold the lock.
nw_status nwpool__submit(nwpool *pool, const nw_task_spec *spec,
                         const struct nwpool__cargo *cargo, nw_task_id *out);
nw_status nwpool__submit_each(nwpool *pool, const nw_task_spec *spec,
                              const struct nwpool__cargo *cargo,
                              nw_task_id *out, size_t max, size_t *count);

// A task with nothing but a function and arguments.
struct nwpool__plain {
    const char *function; // A name that was checked before.
    void *user_data;
    struct nw__message arguments; // Moved out when it is accepted.
    nw_status status;             // What became of it, as nwpool_submit() says.
};

// The same for many, of a pool with a host: one lock and one wake for all.
void nwpool__submit_plain(nwpool *pool, struct nwpool__plain *tasks,
                          size_t count);

// What nwpool_warm_up() does before it waits: sees to it that there will be so
// many workers, spares included. 0 becomes their number. NW_EINVAL. Caller does
// not hold the lock.
nw_status nwpool__warm_up_begin(nwpool *pool, uint32_t *workers);

// -- tasks.c. Caller holds the lock.

// A record to be filled in, all zero. NULL without memory.
struct nwpool__task *nwpool__task_acquire(nwpool *pool);
// Takes back a task whose message is empty, out of the table if it is there.
void nwpool__task_release(nwpool *pool, struct nwpool__task *task);
// NULL without memory.
struct nwpool__extra *nwpool__task_extra(struct nwpool__task *task);
void nwpool__table_insert(nwpool *pool, struct nwpool__task *task);
struct nwpool__task *nwpool__table_find(const nwpool *pool, uint64_t id);
// Frees the table and the results nobody took. The last to touch the pool.
void nwpool__table_fini(nwpool *pool);
uint32_t nwpool__message_bytes(const struct nw__message *message);

// -- dispatch.c

extern const struct nw__lane_source nwpool__lane_source;

// Takes an idle lane to be woken; NULL if there is none. Caller holds the lock.
struct nw__lane *nwpool__idle_pop(nwpool *pool);
// Takes a lane out of the idle stack if it is there. Caller holds the lock.
void nwpool__idle_remove(nwpool *pool, struct nw__lane *lane);
// Puts a task into `out`, which is for the worker's lane, and arms its limit.
// `now_ns` is 0 until somebody needs it. Caller holds the lock.
void nwpool__assign(struct nwpool__worker *worker, struct nw__job *job,
                    uint64_t *now_ns, struct nw__job_list *out);
// There is something to be done: wakes an idle worker. Caller holds the lock.
void nwpool__wake_one(nwpool *pool, struct nwpool__errands *errands);

// -- workers.c. Caller holds the lock.

// Asks for one. NW_ENOMEM, NW_ESTOPPED.
nw_status nwpool__worker_start(nwpool *pool);
struct nwpool__worker *nwpool__worker_find(const nwpool *pool, uint32_t number);
void nwpool__worker_set_state(struct nwpool__worker *worker,
                              enum nwpool__worker_state state);
// Ends it now, with a reason; its running tasks are orphaned when it dies.
void nwpool__worker_terminate(struct nwpool__worker *worker, const char *format,
                              ...) __attribute__((format(printf, 2, 3)));
// It takes no more tasks, and leaves when what it runs has ended. What it has
// not started goes back.
void nwpool__worker_retire(struct nwpool__worker *worker);
// Tells one that retires and runs nothing to tear down and end.
void nwpool__worker_tell(struct nwpool__worker *worker);
// Its heap is exhausted and its thread goes on no more: what it had is dealt
// with as at a death.
void nwpool__worker_parked(struct nwpool__worker *worker,
                           struct nw__job_list *assigned,
                           struct nw__job_list *running, uint32_t parked,
                           struct nwpool__errands *errands);
// It was told, or terminated, and does not end.
void nwpool__worker_give_up(struct nwpool__worker *worker,
                            struct nwpool__errands *errands);
void nwpool__worker_took_too_long(struct nwpool__worker *worker);
// Its environment went down.
void nwpool__worker_gone(struct nwpool__worker *worker,
                         const struct nw__job_list *running);
void nwpool__look_at_health(nwpool *pool, uint64_t now_ns);
// Forgets the boot failures so far.
void nwpool__forgive(nwpool *pool);
// Nobody will run what waits, nor anything later. `record` is moved out.
void nwpool__fail(nwpool *pool, struct nwpool__errands *errands);

// -- balance.c. Caller holds the lock.

// Starts, promotes and retires workers until there are as many as there should
// be.
void nwpool__balance(nwpool *pool, struct nwpool__errands *errands);
// A task was put into the queue and no worker is free.
void nwpool__grow(nwpool *pool, uint64_t now_ns,
                  struct nwpool__errands *errands);
void nwpool__look_at_idle(struct nwpool__worker *worker, uint64_t now_ns,
                          struct nwpool__errands *errands);
// It is to be replaced; true when it should retire now.
bool nwpool__is_due(struct nwpool__worker *worker, uint64_t now_ns,
                    struct nwpool__errands *errands);
// A worker of the new generation cannot load the module.
void nwpool__abandon_reload(nwpool *pool, const struct nw__message *record);
// Somebody left without a successor yet.
void nwpool__note_vacant(nwpool *pool, uint32_t number);

// -- ending.c. Caller holds the lock.

// Ends a task that is in no place any more: fills in its outcome and leaves it
// to the errands. `cause`, a record, may be NULL.
void nwpool__end_task(struct nwpool__task *task, nw_status status,
                      const char *text, const struct nw__message *cause,
                      struct nwpool__errands *errands);
// Jobs that nobody will run: the pool has failed or is being destroyed.
void nwpool__end_unrun(nwpool *pool, struct nw__job_list *jobs,
                       struct nwpool__errands *errands);
// Of what a worker had not started, the tasks that are for it alone.
void nwpool__end_pinned(struct nw__job_list *assigned,
                        struct nwpool__errands *errands);
// Entries of the clock.
void nwpool__on_expiry(nwpool *pool, uint64_t id,
                       struct nwpool__errands *errands);
void nwpool__on_limit(nwpool *pool, uint64_t id, uint64_t now_ns,
                      struct nwpool__errands *errands);
void nwpool__on_escalate(nwpool *pool, uint64_t id, uint64_t now_ns,
                         struct nwpool__errands *errands);
void nwpool__on_interrupt(nwpool *pool, uint64_t id, uint64_t now_ns,
                          struct nwpool__errands *errands);
void nwpool__on_end(nwpool *pool, uint64_t id, uint64_t now_ns,
                    struct nwpool__errands *errands);
// What the outcome of a task that was to end is. Any thread, no lock held.
void nwpool__settle_ending(struct nwpool__task *task);
// What a task that is to end ends with.
void nwpool__ending_text(const struct nwpool__task *task, char *text,
                         size_t size);

// -- clock.c. Caller holds the lock.

// Makes sure that all entries that tasks need, `more` than now, and those of one
// worker more, have room. False without memory.
bool nwpool__clock_reserve(nwpool *pool, uint32_t more);
void nwpool__clock_add(nwpool *pool, uint64_t at_ns,
                       enum nwpool__deadline_type type, uint64_t id);
// Takes out the step of a task's end that is armed. Linear.
void nwpool__clock_drop_step(nwpool *pool, uint64_t id);
void nwpool__clock_init(nwpool *pool);
// Caller does not hold the lock. After this setting the timer cannot fail. As
// nw__timer_set().
nw_status nwpool__clock_start(nwpool *pool);
// Caller does not hold the lock. Afterwards nothing is looked at any more.
void nwpool__clock_stop(nwpool *pool);
void nwpool__clock_fini(nwpool *pool);

// -- completion.c

// NW_ENOMEM. Thread: owner.
nw_status nwpool__completion_start(nwpool *pool);

// Delivers what is finished, then ends the thread. Blocks.
void nwpool__completion_stop(nwpool *pool);

// Delivers what there is, on this thread. False: there was nothing.
bool nwpool__deliver(nwpool *pool);
// Waits until there may be something to deliver. False: not in time.
bool nwpool__wait_delivery(nwpool *pool, uint64_t deadline_ns);
// There is something to deliver. Caller does not hold finished_lock.
void nwpool__poke(nwpool *pool);
// One task less is outstanding. Caller holds the lock.
void nwpool__note_over(nwpool *pool);
// A value that the task has sent was delivered. Caller holds the lock.
void nwpool__note_sent_delivered(nwpool *pool, struct nwpool__task *task);

// The owner of the pool has taken a value, of so many bytes, that it did not take
// at once. Caller does not hold the lock.
void nwpool__sent_taken(nwpool *pool, uint64_t id, size_t bytes);

bool nwpool__completion_is_current(nwpool *pool);

// Ends a task that left its lane, with what its job says. Exactly once for
// each; the caller owned it and does not any more. Thread: any, no lock held.
void nwpool__finish(nwpool *pool, struct nw__job *job);

// -- notices.c

// What a worker printed. False: too much is waiting, try later. Thread: the
// worker's.
bool nwpool__print(nwpool *pool, uint32_t worker,
                   const struct nw__printed *printed);

// What a task sends. See nw__lane_source. Thread: the worker's.
nw_status nwpool__sent(nwpool *pool, uint64_t id, struct nw__message *value);

// An event; `reason` is copied, `record` (may be NULL) too. Caller holds the
// lock.
struct nwpool__happening {
    nwpool_event_type type;
    uint32_t worker;
    uint32_t replacement;
    int exit_code;
    uint64_t task;
    const char *reason;
    const struct nw__message *record;
};
void nwpool__tell(nwpool *pool, const struct nwpool__happening *happening);

// Takes what is to be told so far; NULL: nothing. Tells it.
struct nwpool__notice *nwpool__notices_take(nwpool *pool);
void nwpool__notices_deliver(nwpool *pool, struct nwpool__notice *notice);

// Frees what a worker that was left behind printed. Thread: the last to touch
// the pool.
void nwpool__notices_fini(nwpool *pool);

// -- stats.c. Caller holds the lock.

void nwpool__count_end(nwpool *pool, const struct nwpool__task *task);

// -- pool.c

// Drops one reference; frees with the last. Caller holds no lock, unless it has
// another reference.
void nwpool__unref(nwpool *pool);

// As nwpool_create(). `host` outlives the pool; NULL: the owner is C.
nw_status nwpool__create(nwpool **out, const nwpool_options *options,
                         const struct nwpool__host *host);

// nwpool_destroy() in steps that do not wait for workers, for an owner that makes
// and ends them on its own thread. Caller does not hold the lock. First: nothing
// is accepted or started any more, and idle workers are told to tear down; returns
// how many that do. Then every task ends, and workers are terminated.
// How many are still to come, without those that were given up. At last what is
// left is delivered by nwpool__deliver() and the pool is gone; as nwpool_destroy().
uint32_t nwpool__destroy_begin(nwpool *pool);
uint32_t nwpool__destroy_told(nwpool *pool);
void nwpool__destroy_tasks(nwpool *pool);
uint32_t nwpool__destroy_left(nwpool *pool);
nw_status nwpool__destroy_end(nwpool *pool);

#endif

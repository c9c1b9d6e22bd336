// One worker: how it is asked for, how it leaves, and what happens when it dies.
//
// The order at a death is always the same: the environment goes down (died() in
// dispatch.c, on the worker's own thread: tasks that never started go back at
// once), then the control environment reports the error, if there was one, then
// the exit. Only then is the cause known, and the tasks that were running are
// failed with it, or run again. A worker that could not even load its module
// takes the same road, and so does one that the pool ends.
//
// One that does not end is given up: its lane is closed, so that it can do no
// more harm, its tasks end, and nobody waits for it.
//
// Lock order: see internal.h.

#include "pool/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/error_record.h"
#include "src/worker_spec.h"

// -- the list. Callers hold the lock.

static void insert(struct nwpool__worker *worker)
{
    nwpool *pool = worker->pool;

    worker->previous = pool->workers_last;
    worker->next = NULL;
    if (pool->workers_last != NULL) {
        pool->workers_last->next = worker;
    } else {
        pool->workers = worker;
    }
    pool->workers_last = worker;
    pool->counts[worker->state]++;
}

static void extract(struct nwpool__worker *worker)
{
    nwpool *pool = worker->pool;

    if (worker->previous != NULL) {
        worker->previous->next = worker->next;
    } else {
        pool->workers = worker->next;
    }
    if (worker->next != NULL) {
        worker->next->previous = worker->previous;
    } else {
        pool->workers_last = worker->previous;
    }
    pool->counts[worker->state]--;
}

struct nwpool__worker *nwpool__worker_find(const nwpool *pool, uint32_t number)
{
    struct nwpool__worker *worker = pool->workers;

    while (worker != NULL && worker->number != number) {
        worker = worker->next;
    }
    return worker;
}

void nwpool__worker_set_state(struct nwpool__worker *worker,
                              enum nwpool__worker_state state)
{
    worker->pool->counts[worker->state]--;
    worker->state = state;
    worker->pool->counts[state]++;
}

static void note_death(nwpool *pool, const struct nw__message *record);
static void mourn(struct nwpool__worker *worker, int exit_code,
                  struct nwpool__errands *errands);

static void tell(struct nwpool__worker *worker, nwpool_event_type type,
                 const char *reason)
{
    nwpool__tell(worker->pool,
                 &(struct nwpool__happening){
                     .type = type, .worker = worker->number, .reason = reason});
}

// -- leaving

static void arm_wedged(struct nwpool__worker *worker)
{
    if (!worker->timed) {
        worker->timed = true;
        nwpool__clock_add(worker->pool,
                          nw__now_ns() + NW_POOL_WEDGE_MS * NW__NS_PER_MS,
                          NWPOOL__AT_WEDGED, worker->number);
    }
}

static void terminate(struct nwpool__worker *worker)
{
    nwpool *pool = worker->pool;

    // Without memory for the command the clock asks again.
    if (nw__worker_terminate(worker->number) == NW_OK) {
        arm_wedged(worker);
    } else {
        nwpool__clock_add(pool, nw__now_ns() + NW__NS_PER_MS, NWPOOL__AT_LEAVE,
                          worker->number);
    }
}

// It works no more, and somebody has to take its place.
static void vacate(struct nwpool__worker *worker)
{
    nwpool *pool = worker->pool;

    if (worker->state == NWPOOL__READY) {
        worker->was_ready = true;
        nwpool__note_vacant(pool, worker->number);
    } else if (worker->state == NWPOOL__SPARE) {
        worker->was_ready = true;
        worker->was_spare = true;
    }
    if (worker->due != NULL) {
        worker->due = NULL;
        pool->due_count--;
    }
    if (pool->drainer == worker->number) {
        pool->drainer = 0;
    }
    nwpool__idle_remove(pool, worker->lane);
}

void nwpool__worker_terminate(struct nwpool__worker *worker, const char *format,
                              ...)
{
    va_list arguments;

    if (worker->state >= NWPOOL__LEAVING) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(worker->reason, sizeof(worker->reason), format, arguments);
    va_end(arguments);
    vacate(worker);
    nwpool__worker_set_state(worker, NWPOOL__LEAVING);
    terminate(worker);
}

void nwpool__worker_tell(struct nwpool__worker *worker)
{
    if (worker->told) {
        return;
    }
    worker->told = true;
    nwpool__worker_set_state(worker, NWPOOL__LEAVING);
    nw__lane_ask(worker->lane, worker->end_request);
    worker->end_request = NULL;
    nwpool__clock_add(worker->pool,
                      nw__now_ns() +
                          worker->pool->options.tear_down_ms * NW__NS_PER_MS,
                      NWPOOL__AT_LEAVE, worker->number);
}

void nwpool__worker_retire(struct nwpool__worker *worker)
{
    struct nw__job_list assigned = {0};
    bool rests = worker->lane->idle || worker->state == NWPOOL__SPARE;

    vacate(worker);
    nwpool__worker_set_state(worker, NWPOOL__RETIRING);
    nw__lane_steal(worker->lane, true, &assigned);
    nwpool__queue_put_back(worker->pool, &assigned);
    // One that rests may have tasks that await, or that are for it alone: it is
    // told when it asks for the next.
    if (rests && nw__lane_is_free(worker->lane)) {
        nwpool__worker_tell(worker);
    }
}

void nwpool__worker_took_too_long(struct nwpool__worker *worker)
{
    if (worker->state == NWPOOL__LEAVING) {
        if (worker->reason[0] == '\0') {
            snprintf(worker->reason, sizeof(worker->reason),
                     "its tear-down took longer than %u ms",
                     worker->pool->options.tear_down_ms);
        }
        terminate(worker);
    }
}

void nwpool__worker_gone(struct nwpool__worker *worker,
                         const struct nw__job_list *running)
{
    vacate(worker);
    nwpool__worker_set_state(worker, NWPOOL__DYING);
    // Its thread can be stuck after that, in the clean-up of an addon.
    arm_wedged(worker);
    // One that was of no use may have to be replaced after a pause, which is
    // known with its exit.
    if (worker->lane->done == 0 && running->head == NULL && !worker->told &&
        worker->reason[0] == '\0') {
        worker->mourned = true;
        worker->pool->mourned_count++;
    }
}

// -- the end of its tasks. Callers hold the lock.

static void orphan_text(const struct nwpool__worker *worker,
                        const struct nw__job *orphan, int exit_code, char *text,
                        size_t size)
{
    if (worker->state == NWPOOL__WEDGED && !worker->parked) {
        snprintf(text, size,
                 "worker %u is stuck in native code and was given up while it "
                 "ran task %llu (%s)%s%s",
                 worker->number, (unsigned long long)orphan->id,
                 orphan->function_name, worker->reason[0] != '\0' ? ": " : "",
                 worker->reason);
    } else if (worker->reason[0] != '\0') {
        snprintf(text, size,
                 "worker %u was ended while it ran task %llu (%s): %s",
                 worker->number, (unsigned long long)orphan->id,
                 orphan->function_name, worker->reason);
    } else {
        snprintf(text, size,
                 "worker %u exited with code %d while it ran task %llu (%s)",
                 worker->number, exit_code, (unsigned long long)orphan->id,
                 orphan->function_name);
    }
}

static void tell_task(struct nwpool__task *task, nwpool *pool,
                      nwpool_event_type type, const char *reason)
{
    nwpool__tell(pool, &(struct nwpool__happening){.type = type,
                                                   .worker = task->job.worker,
                                                   .task = task->job.id,
                                                   .reason = reason});
}

// False: it is not to be run again.
static bool retry(nwpool *pool, struct nwpool__task *task)
{
    struct nwpool__extra *extra = task->extra;
    struct nw__job_list one = {0};

    // No crash is counted where the pool ended the worker.
    if (extra == NULL || extra->retries == 0 ||
        task->crashes > extra->retries || atomic_load(&task->ending) != NW_OK ||
        pool->destroying || pool->failed ||
        nw__message_copy(&task->job.message, &extra->arguments) != NW_OK) {
        return false;
    }
    task->suspect = true;
    task->job.worker = 0;
    nw__job_list_push(&one, &task->job);
    nwpool__queue_put_back(pool, &one);
    pool->retried++;
    tell_task(task, pool, NWPOOL_TASK_RETRIED,
              "its worker died; it runs again, alone");
    return true;
}

static void end_orphan(struct nwpool__worker *worker, struct nwpool__task *task,
                       int exit_code, bool was_alone,
                       struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;
    nw_status status = (nw_status)atomic_load(&task->ending);
    char text[NWPOOL__TEXT_MAX * 2];

    // A death that the pool brought about is nobody's crash.
    if ((worker->reason[0] == '\0' || worker->parked) &&
        task->crashes < UINT8_MAX) {
        task->crashes++;
    }
    nw__message_fini(&task->job.message);
    if (retry(pool, task)) {
        return;
    }
    if (was_alone && task->extra != NULL && task->extra->retries > 0) {
        tell_task(task, pool, NWPOOL_TASK_QUARANTINED,
                  "it ran alone when its worker died, and is not run again");
    }
    orphan_text(worker, &task->job, exit_code, text, sizeof(text));
    if (status == NW_OK) {
        status = worker->state == NWPOOL__WEDGED && !worker->parked
                     ? NW_EWEDGED
                     : NW_ECRASHED;
    } else {
        nwpool__ending_text(task, text, sizeof(text));
    }
    task->job.exit_code = exit_code;
    nwpool__end_task(task, status, text, &worker->record, errands);
}

static void end_orphans(struct nwpool__worker *worker, int exit_code,
                        struct nwpool__errands *errands)
{
    bool was_alone = worker->orphans.count == 1 && worker->alone;
    struct nw__job *job;

    while ((job = nw__job_list_pop(&worker->orphans)) != NULL) {
        end_orphan(worker, nwpool__task_of(job), exit_code, was_alone, errands);
    }
}

void nwpool__worker_give_up(struct nwpool__worker *worker,
                            struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;
    struct nw__job_list assigned;
    struct nw__job_list running;

    if (worker->state < NWPOOL__LEAVING || worker->state == NWPOOL__WEDGED) {
        return;
    }
    nw__lane_close(worker->lane, &assigned, &running);
    if (pool->failed) {
        nwpool__end_unrun(pool, &assigned, errands);
    } else {
        nwpool__end_pinned(&assigned, errands);
        nwpool__queue_put_back(pool, &assigned);
    }
    nw__job_list_append(&worker->orphans, &running);
    pool->mourned_count -= worker->mourned ? 1 : 0;
    worker->mourned = false;
    nwpool__worker_set_state(worker, NWPOOL__WEDGED);
    tell(worker, NWPOOL_WORKER_WEDGED,
         worker->reason[0] != '\0' ? worker->reason
                                   : "it was told to end and does not");
    if (!pool->destroying && !pool->failed) {
        mourn(worker, -1, errands);
    }
    end_orphans(worker, -1, errands);
    nwpool__balance(pool, errands);
    nwpool__wake_one(pool, errands);
    nw__cond_wake_all(&pool->changed);
}

void nwpool__worker_parked(struct nwpool__worker *worker,
                           struct nw__job_list *assigned,
                           struct nw__job_list *running, uint32_t parked,
                           struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;

    snprintf(worker->reason, sizeof(worker->reason),
             "its heap limit was reached where V8 would end the process; its "
             "thread is parked for good, one of %u",
             parked);
    worker->parked = true;
    vacate(worker);
    nwpool__worker_set_state(worker, NWPOOL__WEDGED);
    tell(worker, NWPOOL_WORKER_WEDGED, worker->reason);
    nwpool__queue_put_back(pool, assigned);
    nw__job_list_append(&worker->orphans, running);
    if (!pool->destroying && !pool->failed) {
        note_death(pool, &worker->record);
        pool->restarts++;
        // Threads and heaps that never come back: not without end.
        if (parked >= NWPOOL__PARKED_MAX) {
            nw__message_fini(&pool->failure);
            nw__error_write(&pool->failure, NW_EFAILED, worker->reason, NULL);
            nwpool__fail(pool, errands);
        }
    }
    end_orphans(worker, 1, errands);
    nwpool__balance(pool, errands);
    nwpool__wake_one(pool, errands);
    nw__cond_wake_all(&pool->changed);
}

// -- death

void nwpool__forgive(nwpool *pool)
{
    pool->boot_failures = 0;
}

// It died without having started a task: because its module cannot be loaded, or
// although there were tasks. Its thread is over, and `busy` counts those that were
// taken away as well. Caller holds the lock.
static bool was_useless(const struct nwpool__worker *worker)
{
    return worker->lane->done == 0 && worker->lane->busy == 0 &&
           (!worker->was_ready ||
            (!worker->was_spare && nwpool__has_waiting(worker->pool)));
}

// Caller holds the lock.
static void note_boot_failure(struct nwpool__worker *worker, int exit_code)
{
    nwpool *pool = worker->pool;
    // Those that ran: others end without a worker, expired say.
    uint64_t ended = nwpool__histogram_count(&pool->run_times);
    char text[NWPOOL__TEXT_MAX];

    if (ended > pool->ended_before) {
        nwpool__forgive(pool);
    }
    pool->ended_before = ended;
    if (pool->boot_failures++ > 0) {
        return;
    }
    pool->streak_order = pool->last_order;
    nw__message_fini(&pool->failure);
    pool->failure_is_module = worker->boot_failed;
    if (worker->record.size > 0) {
        // Kept whole; the next worker may fail with a mere consequence.
        nw__message_move(&pool->failure, &worker->record);
        return;
    }
    if (worker->reason[0] != '\0') {
        snprintf(text, sizeof(text), "worker %u was ended: %.400s",
                 worker->number, worker->reason);
    } else {
        snprintf(text, sizeof(text),
                 "the worker exited with code %d before it ran a task",
                 exit_code);
    }
    nw__error_write(&pool->failure, NW_EFAILED, text, NULL);
}

// Enough failures in a row, and no worker that runs or that may still do
// better. Caller holds the lock.
static bool is_hopeless(const nwpool *pool)
{
    if (pool->counts[NWPOOL__READY] + pool->counts[NWPOOL__SPARE] > 0 ||
        pool->boot_failures < NW_POOL_BOOT_FAILURES_MAX) {
        return false;
    }
    for (const struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->state == NWPOOL__STARTING &&
            worker->order <= pool->streak_order) {
            return false;
        }
    }
    return true;
}

void nwpool__fail(nwpool *pool, struct nwpool__errands *errands)
{
    struct nw__job_list doomed = {0};

    pool->failed = true;
    nwpool__queue_take_all(pool, &doomed);
    nwpool__end_unrun(pool, &doomed, errands);
    nwpool__tell(
        pool, &(struct nwpool__happening){.type = NWPOOL_FAILED,
                                          .reason = "no worker can be started",
                                          .record = &pool->failure});
    nw__cond_wake_all(&pool->changed);
    nw__cond_wake_all(&pool->room);
}

// -- health. Callers hold the lock.

static void note_death(nwpool *pool, const struct nw__message *record)
{
    uint64_t now_ns = nw__now_ns();
    uint64_t *oldest_ns = &pool->death_ns[pool->deaths % NWPOOL__DEATHS_MAX];
    bool often = pool->deaths >= NWPOOL__DEATHS_MAX &&
                 now_ns - *oldest_ns < NWPOOL__HEALTH_MS * NW__NS_PER_MS;

    *oldest_ns = now_ns;
    pool->deaths++;
    pool->last_death_ns = now_ns;
    if (!pool->degraded && (often || pool->boot_failures > 1)) {
        pool->degraded = true;
        nwpool__tell(pool,
                     &(struct nwpool__happening){
                         .type = NWPOOL_DEGRADED,
                         .reason = often ? "workers die again and again"
                                         : "workers die before they have run "
                                           "a task",
                         .record = record});
    }
    if (pool->degraded && !pool->health_armed) {
        pool->health_armed = true;
        nwpool__clock_add(pool, now_ns + NWPOOL__HEALTH_MS * NW__NS_PER_MS,
                          NWPOOL__AT_HEALTH, 0);
    }
}

void nwpool__look_at_health(nwpool *pool, uint64_t now_ns)
{
    uint64_t well_ns = pool->last_death_ns + NWPOOL__HEALTH_MS * NW__NS_PER_MS;

    if (!pool->degraded || pool->failed) {
        return;
    }
    if (now_ns < well_ns || pool->counts[NWPOOL__READY] < pool->target) {
        pool->health_armed = true;
        nwpool__clock_add(pool,
                          (now_ns < well_ns ? well_ns : now_ns) +
                              NWPOOL__GROW_MS * NW__NS_PER_MS,
                          NWPOOL__AT_HEALTH, 0);
        return;
    }
    pool->degraded = false;
    nwpool__tell(pool, &(struct nwpool__happening){.type = NWPOOL_RECOVERED,
                                                   .reason = ""});
}

// Doubles from death to death; a worker that did something starts over. Caller
// holds the lock.
static void delay_restart(struct nwpool__worker *worker)
{
    nwpool *pool = worker->pool;
    uint32_t delay_ms = pool->restart_delay_ms;

    if (worker->lane->done > 0 || worker->orphans.count > 0) {
        pool->restart_delay_ms = 0;
        return;
    }
    pool->restart_at_ns =
        nw__now_ns() + delay_ms * NW__NS_PER_MS +
        (uint64_t)(random() % (delay_ms / 4 + 1)) * NW__NS_PER_MS;
    pool->restart_delay_ms =
        delay_ms == 0 ? NWPOOL__RESTART_DELAY_MS : delay_ms * 2;
    if (pool->restart_delay_ms > NWPOOL__RESTART_DELAY_MAX_MS) {
        pool->restart_delay_ms = NWPOOL__RESTART_DELAY_MAX_MS;
    }
}

// It died by itself, or had to be ended. Caller holds the lock.
static void mourn(struct nwpool__worker *worker, int exit_code,
                  struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;

    if (worker->reason[0] == '\0') {
        delay_restart(worker);
    }
    if (was_useless(worker)) {
        if (pool->reloading && worker->generation == pool->generation &&
            pool->generation > 0) {
            nwpool__abandon_reload(pool, &worker->record);
            return;
        }
        note_boot_failure(worker, exit_code);
        if (is_hopeless(pool)) {
            nwpool__fail(pool, errands);
        }
    }
    if (!pool->failed) {
        note_death(pool,
                   worker->record.size > 0 ? &worker->record : &pool->failure);
    }
    pool->restarts += pool->failed ? 0 : 1;
}

// Caller holds the lock.
static void bury(struct nwpool__worker *worker, int exit_code,
                 struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;
    bool expected =
        worker->told && worker->reason[0] == '\0' && worker->record.size == 0;

    // Not so when the control environment died and never saw the lane close.
    vacate(worker);
    pool->mourned_count -= worker->mourned ? 1 : 0;
    nwpool__tell(pool, &(struct nwpool__happening){
                           .type = NWPOOL_WORKER_EXITED,
                           .worker = worker->number,
                           .exit_code = exit_code,
                           .reason = worker->reason[0] != '\0' ? worker->reason
                                     : expected ? "it had done its share"
                                                : "it ended by itself",
                           .record = &worker->record});
    if (!pool->destroying && !pool->failed && !expected &&
        worker->state != NWPOOL__WEDGED) {
        mourn(worker, exit_code, errands);
    }
    end_orphans(worker, exit_code, errands);
    extract(worker);
    nwpool__balance(pool, errands);
    nwpool__wake_one(pool, errands);
}

static void free_worker(struct nwpool__worker *worker)
{
    nw__message_fini(&worker->record);
    nw__free(worker->end_request);
    nw__lane_unref(worker->lane);
    nw__free(worker);
}

static void on_exited(void *owner, int exit_code)
{
    struct nwpool__worker *worker = owner;
    nwpool *pool = worker->pool;
    struct nwpool__errands errands = {0};
    struct nw__job_list assigned;
    struct nw__job_list running;

    // Normally long closed by died(); never attached, or the control
    // environment went first, otherwise.
    nw__lane_close(worker->lane, &assigned, &running);
    NW_ASSERT(assigned.head == NULL && running.head == NULL);

    nw__mutex_lock(&pool->lock);
    bury(worker, exit_code, &errands);
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
    free_worker(worker);

    // After its tasks were ended: nobody who sees it gone finds a task missing.
    nw__mutex_lock(&pool->lock);
    pool->live_count--;
    nw__cond_wake_all(&pool->changed);
    nw__mutex_unlock(&pool->lock);
    nwpool__unref(pool);
}

static bool on_error(void *owner, struct nw__message *record)
{
    struct nwpool__worker *worker = owner;

    nw__mutex_lock(&worker->pool->lock);
    // What the module's loading said is better than its consequence.
    if (worker->record.size == 0) {
        nw__message_move(&worker->record, record);
    }
    nw__mutex_unlock(&worker->pool->lock);
    return true;
}

static bool on_online(void *owner)
{
    (void)owner;
    return true;
}

// A task may post to its parent; nobody listens there.
static bool on_message(void *owner, struct nw__message *message)
{
    (void)owner;
    (void)message;
    return true;
}

static bool on_printed(void *owner, const struct nw__printed *printed)
{
    struct nwpool__worker *worker = owner;

    return nwpool__print(worker->pool, worker->number, printed);
}

static const struct nw__worker_sink sink = {
    .online = on_online,
    .message = on_message,
    .message_error = on_message,
    .error = on_error,
    .exited = on_exited,
    .printed = on_printed,
};

// -- start

// NULL without memory.
static struct nwpool__worker *create(nwpool *pool)
{
    struct nwpool__worker *worker = nw__alloc_zero(sizeof(*worker));
    const struct nw__lane_options options = {
        .number = nw__worker_number(),
        .module = pool->module,
        .pool_name = pool->options.name,
        .set_up = pool->options.set_up,
        .tear_down = pool->options.tear_down,
        .concurrency = pool->options.concurrency,
        .source = &nwpool__lane_source,
        .owner = worker,
    };

    if (worker == NULL) {
        return NULL;
    }
    worker->pool = pool;
    worker->number = options.number;
    worker->generation = pool->generation;
    worker->state = NWPOOL__STARTING;
    worker->end_request = nw__alloc_zero(sizeof(*worker->end_request));
    worker->lane = nw__lane_create(&options);
    if (worker->end_request == NULL || worker->lane == NULL) {
        free_worker(worker);
        return NULL;
    }
    worker->end_request->type = NW__LANE_END;
    return worker;
}

nw_status nwpool__worker_start(nwpool *pool)
{
    struct nwpool__worker *worker;
    struct nw__worker_spec spec = {.sink = &sink};
    struct nw__command *start;
    nw_status status;

    if (!nwpool__clock_reserve(pool, 0)) {
        return NW_ENOMEM;
    }
    worker = create(pool);
    if (worker == NULL) {
        return NW_ENOMEM;
    }
    start = nw__start_lane_command(worker->number, pool->module,
                                   pool->directory, &pool->options.limits,
                                   pool->options.on_output != NULL,
                                   pool->host != NULL ? pool->host->number : 0);
    if (start == NULL) {
        free_worker(worker);
        return NW_ENOMEM;
    }
    worker->order = ++pool->last_order;
    insert(worker);
    pool->live_count++;
    atomic_fetch_add(&pool->references, 1);
    spec.owner = worker;
    spec.lane = worker->lane;
    spec.control = pool->host != NULL ? pool->host->control : NULL;
    status = nw__worker_spawn(worker->number, &spec, start);
    if (status != NW_OK) {
        extract(worker);
        free_worker(worker);
        pool->live_count--;
        atomic_fetch_sub(&pool->references, 1);
        return status;
    }
    nwpool__clock_add(pool,
                      nw__now_ns() + pool->options.set_up_ms * NW__NS_PER_MS,
                      NWPOOL__AT_BOOT, worker->number);
    tell(worker, NWPOOL_WORKER_STARTED, "");
    return NW_OK;
}

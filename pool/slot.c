// Places for workers, and what happens when one dies.
//
// The order at a death is always the same: the environment goes down (died(),
// on the worker's own thread: tasks that never started go back at once), then
// the control environment reports the error, if there was one, then the exit.
// Only then is the cause known, and the task that was running is failed with
// it. A worker that could not even load its module takes the same road.
//
// Lock order: pool.lock is not held while a worker is asked for or a task is
// ended.

#include "pool/internal.h"

#include <stdio.h>

#include "src/error_record.h"
#include "src/registry.h"
#include "src/worker_spec.h"

#define MESSAGE_MAX 512

// -- the end of tasks that nobody runs

static void fail_orphan(struct nwpool__slot *slot, struct nw__job *orphan,
                        const struct nw__message *cause, int exit_code)
{
    char text[MESSAGE_MAX];

    snprintf(text, sizeof(text),
             "worker %u exited with code %d while it ran task %llu (%s)",
             orphan->worker, exit_code, (unsigned long long)orphan->id,
             orphan->function_name);
    nw__message_fini(&orphan->message);
    nw__error_write(&orphan->message, NW_ECRASHED, text, cause);
    orphan->status = NW_ECRASHED;
    orphan->exit_code = exit_code;
    orphan->ended_ns = nw__now_ns();
    nwpool__finish(slot->pool, orphan);
}

static void end_jobs(nwpool *pool, struct nw__job_list *jobs, nw_status status,
                     const struct nw__message *record)
{
    struct nw__job *job;

    while ((job = nw__job_list_pop(jobs)) != NULL) {
        nw__message_fini(&job->message);
        // Without memory it stays empty, which reads as an unknown error.
        nw__message_copy(&job->message, record);
        job->status = status;
        job->ended_ns = nw__now_ns();
        nwpool__finish(pool, job);
    }
}

void nwpool__cancel_jobs(nwpool *pool, struct nw__job_list *jobs)
{
    struct nw__message record = {0};

    nw__error_write(&record, NW_ECANCELED,
                    "the pool was destroyed before the task had ended", NULL);
    end_jobs(pool, jobs, NW_ECANCELED, &record);
    nw__message_fini(&record);
}

void nwpool__fail_jobs(nwpool *pool, struct nw__job_list *jobs)
{
    end_jobs(pool, jobs, pool->failure_is_module ? NW_EMODULE : NW_EFAILED,
             &pool->failure);
}

void nwpool__end_jobs(nwpool *pool, struct nw__job_list *jobs)
{
    // Neither a failed pool nor one that is being destroyed changes this.
    if (pool->failed) {
        nwpool__fail_jobs(pool, jobs);
    } else {
        nwpool__cancel_jobs(pool, jobs);
    }
}

// -- death

// What is left to do for a dead worker once the lock is released.
struct funeral {
    struct nw__lane *lane;
    struct nw__job *orphan;
    struct nw__message record;
    struct nw__job_list doomed; // The queue, if the pool failed just now.
    bool restart;
    uint32_t delay_ms;
};

void nwpool__forgive(nwpool *pool)
{
    pool->boot_failures = 0;
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        pool->slots[i].boot_failing = false;
    }
}

// A worker that died without having started a task: because its module cannot
// be loaded, or although there were tasks. Caller holds the lock.
static bool was_useless(const struct nwpool__slot *slot)
{
    return slot->lane->done == 0 && slot->orphan == NULL &&
           (!slot->was_ready || slot->pool->queue.head != NULL);
}

// Caller holds the lock.
static void note_boot_failure(nwpool *pool, struct nwpool__slot *slot,
                              int exit_code)
{
    uint64_t ended = pool->done + pool->failed_tasks;
    char text[MESSAGE_MAX];

    if (ended > pool->ended_before) {
        nwpool__forgive(pool);
    }
    pool->ended_before = ended;
    slot->boot_failing = true;
    if (pool->boot_failures++ > 0) {
        return;
    }
    nw__message_fini(&pool->failure);
    pool->failure_is_module = slot->boot_failed;
    if (slot->record.size > 0) {
        // Kept whole; the next worker may fail with a mere consequence.
        nw__message_move(&pool->failure, &slot->record);
        return;
    }
    snprintf(text, sizeof(text),
             "the worker exited with code %d before it ran a task", exit_code);
    nw__error_write(&pool->failure, NW_EFAILED, text, NULL);
}

// Enough failures in a row, and no worker that runs or that may still do
// better. Caller holds the lock.
static bool is_hopeless(const nwpool *pool)
{
    bool hopeless = pool->ready_count == 0 &&
                    pool->boot_failures >= NW_POOL_BOOT_FAILURES_MAX;

    for (uint32_t i = 0; i < pool->slot_count; i++) {
        hopeless = hopeless && pool->slots[i].boot_failing;
    }
    return hopeless;
}

// Caller holds the lock.
static void fail_pool(nwpool *pool, struct funeral *out)
{
    pool->failed = true;
    nw__job_list_append(&out->doomed, &pool->queue);
}

// Doubles from death to death; a worker that did something starts over.
static uint32_t next_delay(struct nwpool__slot *slot)
{
    uint32_t delay_ms = slot->delay_ms;

    if (slot->lane->done > 0 || slot->orphan != NULL) {
        slot->delay_ms = 0;
        return 0;
    }
    slot->delay_ms = delay_ms == 0 ? NWPOOL__RESTART_DELAY_MS : delay_ms * 2;
    if (slot->delay_ms > NWPOOL__RESTART_DELAY_MAX_MS) {
        slot->delay_ms = NWPOOL__RESTART_DELAY_MAX_MS;
    }
    return delay_ms;
}

// Caller holds the lock.
static void bury(struct nwpool__slot *slot, int exit_code, struct funeral *out)
{
    nwpool *pool = slot->pool;

    if (slot->state == NWPOOL__SLOT_READY) {
        // The control environment died and never saw the lane close.
        pool->ready_count--;
        slot->was_ready = true;
    }
    if (!pool->destroying) {
        out->delay_ms = next_delay(slot);
        if (was_useless(slot) && !pool->failed) {
            note_boot_failure(pool, slot, exit_code);
            if (is_hopeless(pool)) {
                fail_pool(pool, out);
            }
        }
        out->restart = !pool->failed;
    }
    nwpool__idle_remove(pool, slot->lane);
    out->lane = slot->lane;
    out->orphan = slot->orphan;
    nw__message_move(&out->record, &slot->record);
    slot->state = NWPOOL__SLOT_EMPTY;
    slot->lane = NULL;
    slot->orphan = NULL;
    slot->boot_failed = false;
    slot->was_ready = false;
}

static void restart(struct nwpool__slot *slot, uint32_t delay_ms)
{
    nwpool *pool = slot->pool;
    struct funeral last = {0};
    nw_status status = nwpool__slot_start(slot, delay_ms);
    char text[MESSAGE_MAX];

    nw__mutex_lock(&pool->lock);
    if (status == NW_OK) {
        pool->restarts++;
    } else if (pool->live_count == 0 && !pool->destroying && !pool->failed) {
        // Node.js is gone, or memory. With no worker nothing would ever end.
        if (pool->failure.size == 0) {
            snprintf(text, sizeof(text), "no worker can be started: %s",
                     nw_status_message(status));
            nw__error_write(&pool->failure, NW_EFAILED, text, NULL);
        }
        fail_pool(pool, &last);
    }
    nw__mutex_unlock(&pool->lock);
    nwpool__fail_jobs(pool, &last.doomed);
}

static void on_exited(void *owner, int exit_code)
{
    struct nwpool__slot *slot = owner;
    nwpool *pool = slot->pool;
    struct funeral funeral = {0};
    struct nw__job_list assigned;
    struct nw__job_list running;

    // Normally long closed by died(); never attached, or the control
    // environment went first, otherwise.
    nw__lane_close(slot->lane, &assigned, &running);
    NW_ASSERT(assigned.head == NULL && running.head == NULL);

    nw__mutex_lock(&pool->lock);
    bury(slot, exit_code, &funeral);
    nw__mutex_unlock(&pool->lock);

    if (funeral.orphan != NULL) {
        fail_orphan(slot, funeral.orphan, &funeral.record, exit_code);
    }
    nw__message_fini(&funeral.record);
    nwpool__fail_jobs(pool, &funeral.doomed);
    nw__lane_unref(funeral.lane);

    // After its task was ended: nobody who sees it gone finds a task missing.
    nw__mutex_lock(&pool->lock);
    pool->live_count--;
    nw__cond_wake_all(&pool->changed);
    nw__mutex_unlock(&pool->lock);

    if (funeral.restart) {
        restart(slot, funeral.delay_ms);
    }
    nwpool__unref(pool);
}

static bool on_error(void *owner, struct nw__message *record)
{
    struct nwpool__slot *slot = owner;

    nw__mutex_lock(&slot->pool->lock);
    // What the module's loading said is better than its consequence.
    if (slot->record.size == 0) {
        nw__message_move(&slot->record, record);
    }
    nw__mutex_unlock(&slot->pool->lock);
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
    struct nwpool__slot *slot = owner;

    return nwpool__print(slot->pool, slot->lane->number, printed);
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

// nwpool_destroy() ends the workers it sees; this one may have been asked for
// after that, with a delay that would make it wait.
static void end_if_too_late(nwpool *pool, uint32_t number)
{
    bool destroying;

    nw__mutex_lock(&pool->lock);
    destroying = pool->destroying;
    nw__mutex_unlock(&pool->lock);
    if (destroying) {
        nw__worker_terminate(number);
    }
}

nw_status nwpool__slot_start(struct nwpool__slot *slot, uint32_t delay_ms)
{
    nwpool *pool = slot->pool;
    struct nw__worker_spec spec = {.sink = &sink, .owner = slot};
    uint32_t number = nw__worker_number();
    const struct nw__lane_options options = {.number = number,
                                             .module = pool->module,
                                             .pool_name = pool->name,
                                             .concurrency = 1,
                                             .source = &nwpool__lane_source,
                                             .owner = slot};
    struct nw__command *start;
    nw_status status = NW_OK;

    spec.lane = nw__lane_create(&options);
    if (spec.lane == NULL) {
        return NW_ENOMEM;
    }
    start = nw__start_lane_command(number, pool->module, pool->directory,
                                   delay_ms, pool->on_output != NULL);
    if (start == NULL) {
        nw__lane_unref(spec.lane);
        return NW_ENOMEM;
    }
    nw__mutex_lock(&pool->lock);
    if (pool->destroying) {
        status = NW_ECLOSED;
    } else {
        slot->lane = spec.lane;
        slot->state = NWPOOL__SLOT_STARTING;
        pool->live_count++;
        pool->references++;
    }
    nw__mutex_unlock(&pool->lock);
    if (status != NW_OK) {
        nw__command_destroy(start);
        nw__lane_unref(spec.lane);
        return status;
    }

    status = nw__worker_spawn(number, &spec, start);
    if (status != NW_OK) {
        nw__mutex_lock(&pool->lock);
        slot->lane = NULL;
        slot->state = NWPOOL__SLOT_EMPTY;
        pool->live_count--;
        nw__cond_wake_all(&pool->changed);
        nw__mutex_unlock(&pool->lock);
        nw__lane_unref(spec.lane);
        nwpool__unref(pool);
        return status;
    }
    end_if_too_late(pool, number);
    return NW_OK;
}

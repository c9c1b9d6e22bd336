// The way out: each task that ends is either delivered to its callback by the
// completion thread or kept until somebody takes its result.
//
// Design notes. Finished tasks go through a stack that is pushed to with one
// atomic operation and taken whole. Only the push that finds it empty wakes
// the thread, so a busy pool pays no wake for most of its tasks; reversing
// what was taken restores the order in which tasks ended.
//
// They are delivered by the pool's own thread, or by whoever runs its inbox; the
// inbox gets one event for all that is there when it runs.
//
// Lock order: pool.lock > finished_lock, which guards sleeping and the notices.
// Callbacks run with no lock held.

#include "pool/internal.h"

#include <stdio.h>
#include <string.h>

#include "src/error_record.h"
#include "src/hooks.h"
#include "src/inbox.h"
#include "src/runtime.h"
#include "src/wire.h"

// Callbacks of the user run on it: give it a usual stack.
#define STACK_SIZE ((size_t)8 << 20)

// -- from a finished job to a result

static const nw_error no_memory = {
    .name = "Error",
    .message = "out of memory while the result was read",
    .stack = "",
    .code = "NW_ENOMEM",
};

#define UNREADABLE_MAX 512

// Deliveries to a host in one turn of its loop, whose other handles wait meanwhile.
#define HOST_TURNS 8

// The result arrived and C cannot read it. NULL without memory.
static const nw_error *unreadable(nw_doc *doc, const struct nw__job *job,
                                  nw_status status, const char *detail)
{
    struct nw__message record = {0};
    char text[UNREADABLE_MAX];
    const nw_error *error;

    if (status == NW_ETYPE) {
        snprintf(text, sizeof(text),
                 "the result of %s() is or contains a %s, which C cannot read",
                 job->function_name, detail);
    } else {
        snprintf(text, sizeof(text), "the result of %s() cannot be read: %s",
                 job->function_name,
                 detail != NULL ? detail : nw_status_message(status));
    }
    nw__error_write(&record, status, text, NULL);
    error = nw__error_read(doc, &record);
    nw__message_fini(&record);
    return error;
}

// Reads what the job's message holds into `doc`; everything in `result` points
// there or into `error`, which is the caller's.
static void read_outcome(struct nw__job *job, nw_doc *doc, nw_result *result,
                         nw_error *error)
{
    const char *detail = NULL;
    const nw_error *read;

    result->status = job->status;
    if (job->status == NW_OK) {
        result->status =
            nw__wire_read(doc, &job->message, &result->value, 1, &detail);
        if (result->status == NW_OK) {
            return;
        }
        result->value = NULL;
        read = unreadable(doc, job, result->status, detail);
    } else {
        read = nw__error_read(doc, &job->message);
    }
    *error = read != NULL ? *read : no_memory;
    error->task = job->id;
    result->error = error;
}

static void fill(struct nwpool__task *task, nw_doc *doc, nw_result *result,
                 nw_error *error)
{
    struct nw__job *job = &task->job;
    uint64_t started_ns =
        job->started_ns != 0 ? job->started_ns : job->ended_ns;

    result->task.value = job->id;
    result->function = job->function_name;
    result->exit_code = job->exit_code;
    result->worker = job->worker;
    result->crashes = task->crashes;
    // A batch's clock can be a little older than a task that joined it.
    result->wait_ns =
        started_ns > task->accepted_ns ? started_ns - task->accepted_ns : 0;
    result->run_ns =
        job->ended_ns > started_ns ? job->ended_ns - started_ns : 0;
    read_outcome(job, doc, result, error);
}

// -- tasks end

void nwpool__poke(nwpool *pool)
{
    nw_inbox *inbox = pool->options.inbox;

    if (inbox == NULL || atomic_exchange(&pool->poked, true)) {
        return;
    }
    // A worker that was left behind may end when the inbox is gone.
    nw__mutex_lock(&pool->finished_lock);
    if (!atomic_load(&pool->completion_stopping)) {
        // The event may still be there when the pool is gone.
        atomic_fetch_add(&pool->references, 1);
        nw__inbox_post(inbox, &pool->delivery);
    }
    nw__mutex_unlock(&pool->finished_lock);
}

static void push_finished(nwpool *pool, struct nw__job *job)
{
    struct nw__job *top =
        atomic_load_explicit(&pool->finished, memory_order_relaxed);

    do {
        job->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&pool->finished, &top, job,
                                                    memory_order_release,
                                                    memory_order_relaxed));

    if (top == NULL) {
        nw__mutex_lock(&pool->finished_lock);
        nw__cond_wake_one(&pool->finished_changed);
        nw__mutex_unlock(&pool->finished_lock);
        nwpool__poke(pool);
    }
}

// With an inbox the thread that drains sleeps where it is woken for deliveries,
// and there may be none.
void nwpool__note_over(nwpool *pool)
{
    pool->outstanding--;
    if (pool->outstanding > 0) {
        return;
    }
    nw__cond_wake_all(&pool->changed);
    if (pool->options.inbox != NULL) {
        nw__inbox_unref(pool->options.inbox);
        nw__mutex_lock(&pool->finished_lock);
        pool->is_over = true;
        nw__cond_wake_one(&pool->finished_changed);
        nw__mutex_unlock(&pool->finished_lock);
    }
}

// Caller holds the lock.
static void finish_kept(nwpool *pool, struct nwpool__task *task)
{
    NW_ASSERT(!task->finished);
    task->place = NWPOOL__ENDED;
    task->finished = true;
    if (task->waiter != NULL) {
        nw__cond_wake_one(&task->waiter->finished);
    }
    nwpool__count_end(pool, task);
    nwpool__note_over(pool);
}

void nwpool__note_sent_delivered(nwpool *pool, struct nwpool__task *task)
{
    if (task->result_waits && task->extra->sent_waiting == 0) {
        task->result_waits = false;
        finish_kept(pool, task);
    }
}

static void keep(nwpool *pool, struct nwpool__task *task)
{
    nw__mutex_lock(&pool->lock);
    if (task->extra != NULL && task->extra->sent_waiting > 0) {
        task->place = NWPOOL__ENDED;
        task->result_waits = true; // For what it has sent.
    } else {
        finish_kept(pool, task);
    }
    nw__mutex_unlock(&pool->lock);
}

// -- room

// Caller does not hold the lock. One that was told of high water is told when it
// is low again; those that wait for room look again.
static void give_room(nwpool *pool, struct nwpool__task *task)
{
    uint64_t held = atomic_fetch_sub(&pool->held, 1) - 1;
    uint64_t bytes =
        atomic_fetch_sub(&pool->held_bytes, task->bytes) - task->bytes;

    if (atomic_load(&pool->room_waiters) > 0) {
        nw__mutex_lock(&pool->lock);
        nw__cond_wake_all(&pool->room);
        nw__mutex_unlock(&pool->lock);
    }
    if (atomic_load(&pool->is_high) && held <= pool->low_count &&
        bytes <= pool->low_bytes) {
        nw__mutex_lock(&pool->lock);
        nwpool__look_at_water(pool);
        nw__mutex_unlock(&pool->lock);
    }
}

// -- the end of a task

// It is counted before anybody knows that it has ended, and outstanding until
// that is told.
static void forward(nwpool *pool, struct nwpool__task *task)
{
    give_room(pool, task);
    nw__mutex_lock(&pool->lock);
    nwpool__count_end(pool, task);
    nw__mutex_unlock(&pool->lock);
    task->forward(task);
    nw__message_fini(&task->job.message);
    nw__mutex_lock(&pool->lock);
    nwpool__note_over(pool);
    nwpool__task_release(pool, task);
    nw__mutex_unlock(&pool->lock);
}

void nwpool__finish(nwpool *pool, struct nw__job *job)
{
    struct nwpool__task *task = nwpool__task_of(job);
    const struct nw__hooks *hooks = nw__hooks();

    if (hooks != NULL) {
        hooks->task_ended(job->id, job->function_name, job->worker, job->status,
                          job->ended_ns);
    }
    if (task->kept) {
        keep(pool, task);
    } else if (task->forwarded) {
        forward(pool, task);
    } else {
        push_finished(pool, job);
    }
}

// -- delivery

static void deliver_result(nwpool *pool, struct nwpool__task *task)
{
    const struct nw__hooks *hooks = nw__hooks();
    uint64_t begin_ns = hooks != NULL ? nw__now_ns() : 0;
    nw_doc *doc = pool->completion_doc;
    nw_result result = {0};
    nw_error error;

    if (pool->host != NULL) {
        give_room(pool, task);
        pool->host->done(pool->host->context, task);
        nw__message_fini(&task->job.message);
        return;
    }
    fill(task, doc, &result, &error);
    // Before the callback: it may submit the next task in place of this one.
    give_room(pool, task);
    // When the process ends, what the callback uses may be gone.
    if (!nw__runtime_exiting()) {
        task->on_done(&result, task->user_data);
    }
    if (hooks != NULL) {
        hooks->task_delivered(task->job.id, task->job.function_name,
                              result.status, begin_ns, nw__now_ns());
    }
    task->job.status = result.status;
    nw__message_fini(&task->job.message);
    nw_doc_reset(doc);
}

static struct nw__job *reverse(struct nw__job *job)
{
    struct nw__job *reversed = NULL;

    while (job != NULL) {
        struct nw__job *next = job->next;

        job->next = reversed;
        reversed = job;
        job = next;
    }
    return reversed;
}

static void deliver_batch(nwpool *pool, struct nw__job *batch)
{
    for (struct nw__job *job = batch; job != NULL; job = job->next) {
        deliver_result(pool, nwpool__task_of(job));
    }
    nw__mutex_lock(&pool->lock);
    while (batch != NULL) {
        struct nw__job *next = batch->next;

        nwpool__count_end(pool, nwpool__task_of(batch));
        nwpool__note_over(pool);
        nwpool__task_release(pool, nwpool__task_of(batch));
        batch = next;
    }
    nw__mutex_unlock(&pool->lock);
}

static void set_delivering(nwpool *pool, bool delivering)
{
    nw__mutex_lock(&pool->finished_lock);
    pool->delivering = delivering;
    pool->deliverer = pthread_self();
    nw__mutex_unlock(&pool->finished_lock);
}

bool nwpool__deliver(nwpool *pool)
{
    struct nw__job *batch =
        atomic_exchange_explicit(&pool->finished, NULL, memory_order_acquire);
    // Taken later and delivered first: before the results of the tasks that
    // printed or sent it.
    struct nwpool__notice *notices = nwpool__notices_take(pool);

    if (batch == NULL && notices == NULL) {
        return false;
    }
    set_delivering(pool, true);
    nwpool__notices_deliver(pool, notices);
    deliver_batch(pool, reverse(batch));
    set_delivering(pool, false);
    return true;
}

// Caller holds finished_lock.
static bool has_any(nwpool *pool)
{
    return atomic_load(&pool->finished) != NULL || pool->notices != NULL ||
           pool->is_over;
}

bool nwpool__wait_delivery(nwpool *pool, uint64_t deadline_ns)
{
    bool in_time = true;

    nw__mutex_lock(&pool->finished_lock);
    if (!has_any(pool) && !atomic_load(&pool->completion_stopping)) {
        in_time = nw__cond_wait_until(&pool->finished_changed,
                                      &pool->finished_lock, deadline_ns);
    }
    pool->is_over = false;
    nw__mutex_unlock(&pool->finished_lock);
    return in_time;
}

// -- the pool's own thread

static void *completion_main(void *argument)
{
    nwpool *pool = argument;

    for (;;) {
        bool stopping = atomic_load(&pool->completion_stopping);

        if (!nwpool__deliver(pool)) {
            if (stopping) {
                return NULL;
            }
            nwpool__wait_delivery(pool, NW__NEVER);
        }
    }
}

// -- the thread of an inbox

static bool has_more(nwpool *pool)
{
    bool has;

    if (atomic_load(&pool->completion_stopping)) {
        return false;
    }
    if (atomic_load(&pool->finished) != NULL) {
        return true;
    }
    nw__mutex_lock(&pool->finished_lock);
    has = pool->notices != NULL;
    nw__mutex_unlock(&pool->finished_lock);
    return has;
}

// What comes while its owner's script runs is delivered in the same turn of the
// loop, some times over: whoever brings it need not wake a thread that is awake.
static void deliver_to_host(nwpool *pool)
{
    for (int turns = 0; turns < HOST_TURNS; turns++) {
        pool->host->deliver(pool->host->context);
        if (!has_more(pool)) {
            break;
        }
    }
    // Exchanged, as whoever found it set has made sure to be seen from here.
    atomic_exchange(&pool->poked, false);
    if (has_more(pool)) {
        nwpool__poke(pool);
    }
}

// Once more where it came too late: the pool may have been destroyed meanwhile,
// and has nothing to deliver then.
static void run_delivery(struct nw__event *event)
{
    nwpool *pool = NW_CONTAINER_OF(event, nwpool, delivery);

    if (atomic_load(&pool->completion_stopping)) {
        atomic_store(&pool->poked, false);
    } else if (pool->host != NULL) {
        deliver_to_host(pool);
    } else {
        atomic_store(&pool->poked, false);
        nwpool__deliver(pool);
    }
    nwpool__unref(pool);
}

nw_status nwpool__completion_start(nwpool *pool)
{
    nw_status status = NW_OK;

    pool->completion_doc = nw_doc_create();
    if (pool->completion_doc == NULL) {
        return NW_ENOMEM;
    }
    pool->delivery.run = run_delivery;
    if (pool->options.inbox != NULL) {
        nw__inbox_acquire(pool->options.inbox);
        return NW_OK;
    }
    status = nw__thread_start(&pool->completion_thread, "nwpool-results",
                              STACK_SIZE, completion_main, pool);
    if (status != NW_OK) {
        nw_doc_destroy(pool->completion_doc);
        pool->completion_doc = NULL;
    }
    pool->has_thread = status == NW_OK;
    return status;
}

void nwpool__completion_stop(nwpool *pool)
{
    if (pool->completion_doc == NULL) {
        return;
    }
    if (pool->has_thread) {
        atomic_store(&pool->completion_stopping, true);
        nw__mutex_lock(&pool->finished_lock);
        nw__cond_wake_one(&pool->finished_changed);
        nw__mutex_unlock(&pool->finished_lock);
        pthread_join(pool->completion_thread, NULL);
    } else {
        while (nwpool__deliver(pool)) {
        }
        nw__mutex_lock(&pool->finished_lock);
        atomic_store(&pool->completion_stopping, true);
        nw__mutex_unlock(&pool->finished_lock);
        nw__inbox_release(pool->options.inbox);
    }
    nw_doc_destroy(pool->completion_doc);
    pool->completion_doc = NULL;
}

bool nwpool__completion_is_current(nwpool *pool)
{
    bool current;

    nw__mutex_lock(&pool->finished_lock);
    current =
        pool->delivering && pthread_equal(pool->deliverer, pthread_self());
    nw__mutex_unlock(&pool->finished_lock);

    return current || (pool->has_thread &&
                       pthread_equal(pool->completion_thread, pthread_self()));
}

// -- waiting

// A result that lives by itself.
struct taken {
    nw_result result; // First: what the user holds.
    nw_error error;
    nw_doc *doc;
};

static void taken_free(struct taken *taken)
{
    if (taken != NULL) {
        nw_doc_destroy(taken->doc);
        nw__free(taken);
    }
}

static struct taken *taken_create(void)
{
    struct taken *taken = nw__alloc_zero(sizeof(*taken));

    if (taken != NULL) {
        taken->doc = nw_doc_create();
        if (taken->doc == NULL) {
            taken_free(taken);
            return NULL;
        }
    }
    return taken;
}

// Caller holds the lock. One with a callback is nobody's to take.
static struct nwpool__task *kept_find(const nwpool *pool, uint64_t id)
{
    struct nwpool__task *task = nwpool__table_find(pool, id);

    return task != NULL && task->kept && !task->taken ? task : NULL;
}

// Caller holds the lock, and owns the task with NW_OK.
static nw_status wait_locked(nwpool *pool, uint64_t id, uint64_t deadline_ns,
                             struct nwpool__task **out)
{
    struct nwpool__task *task = kept_find(pool, id);
    struct nwpool__waiter waiter;
    bool in_time = true;

    if (task == NULL) {
        return NW_ENOENT;
    }
    if (task->waiter != NULL) {
        return NW_EBUSY;
    }
    if (!task->finished) {
        nw__cond_init(&waiter.finished);
        task->waiter = &waiter;
        while (!task->finished && in_time) {
            in_time =
                nw__cond_wait_until(&waiter.finished, &pool->lock, deadline_ns);
        }
        task->waiter = NULL;
        nw__cond_fini(&waiter.finished);
    }
    if (!task->finished) {
        return NW_ETIMEDOUT;
    }
    task->taken = true;
    *out = task;
    return NW_OK;
}

static void trace_taken(const struct nwpool__task *task, nw_status status)
{
    const struct nw__hooks *hooks = nw__hooks();
    uint64_t now_ns;

    if (hooks != NULL) {
        now_ns = nw__now_ns();
        hooks->task_delivered(task->job.id, task->job.function_name, status,
                              now_ns, now_ns);
    }
}

nw_status nwpool_wait(nwpool *pool, nw_task_id id, uint32_t timeout_ms,
                      nw_result **out)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    struct nwpool__task *task = NULL;
    struct taken *taken;
    nw_status status;

    if (out != NULL) {
        *out = NULL;
    }
    if (pool == NULL || out == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__runtime_exiting()) {
        return NW_ESTOPPED;
    }
    NW_ASSERT(!nwpool__completion_is_current(pool));

    taken = taken_create();
    if (taken == NULL) {
        return NW_ENOMEM;
    }
    nw__mutex_lock(&pool->lock);
    status = wait_locked(pool, id.value, deadline_ns, &task);
    nw__mutex_unlock(&pool->lock);
    if (status != NW_OK) {
        taken_free(taken);
        return status;
    }

    fill(task, taken->doc, &taken->result, &taken->error);
    trace_taken(task, taken->result.status);
    nw__message_fini(&task->job.message);
    give_room(pool, task);
    nw__mutex_lock(&pool->lock);
    nwpool__task_release(pool, task);
    nw__mutex_unlock(&pool->lock);
    *out = &taken->result;
    return NW_OK;
}

void nwpool_result_free(nw_result *result)
{
    if (result != NULL) {
        taken_free(NW_CONTAINER_OF(result, struct taken, result));
    }
}

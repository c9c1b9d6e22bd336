// The way out: each task that ends is either delivered to its callback by the
// completion thread or kept until somebody takes its result.
//
// Design notes. Finished tasks go through a stack that is pushed to with one
// atomic operation and taken whole. Only the push that finds it empty wakes
// the thread, so a busy pool pays no wake for most of its tasks; reversing
// what was taken restores the order in which tasks ended.
//
// Lock order: finished_lock is a leaf and guards nothing but sleeping.
// Callbacks run with no lock held.

#include "pool/internal.h"

#include <stdio.h>
#include <string.h>

#include "src/error_record.h"
#include "src/hooks.h"
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
    // A batch's clock can be a little older than a task that joined it.
    result->wait_ns =
        started_ns > task->accepted_ns ? started_ns - task->accepted_ns : 0;
    result->run_ns =
        job->ended_ns > started_ns ? job->ended_ns - started_ns : 0;
    read_outcome(job, doc, result, error);
}

// -- tasks end

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
    }
}

// Caller holds the lock.
static void count_end(nwpool *pool, nw_status status)
{
    if (status == NW_OK) {
        pool->done++;
    } else {
        pool->failed_tasks++;
    }
    pool->outstanding--;
    if (pool->outstanding == 0) {
        nw__cond_wake_all(&pool->changed);
    }
}

static void keep(nwpool *pool, struct nwpool__task *task)
{
    nw__mutex_lock(&pool->lock);
    NW_ASSERT(!task->finished);
    task->finished = true;
    if (task->waiter != NULL) {
        nw__cond_wake_one(&task->waiter->finished);
    }
    count_end(pool, task->job.status);
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
    if (task->on_done != NULL) {
        push_finished(pool, job);
    } else {
        keep(pool, task);
    }
}

// -- completion thread

static void deliver(nwpool *pool, struct nwpool__task *task, nw_doc *doc)
{
    const struct nw__hooks *hooks = nw__hooks();
    uint64_t begin_ns = hooks != NULL ? nw__now_ns() : 0;
    nw_result result = {0};
    nw_error error;

    fill(task, doc, &result, &error);
    // Before the callback: it may submit the next task in place of this one.
    atomic_fetch_sub(&pool->held, 1);
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

static void deliver_batch(nwpool *pool, struct nw__job *batch, nw_doc *doc)
{
    for (struct nw__job *job = batch; job != NULL; job = job->next) {
        deliver(pool, nwpool__task_of(job), doc);
    }
    nw__mutex_lock(&pool->lock);
    while (batch != NULL) {
        struct nw__job *next = batch->next;

        count_end(pool, batch->status);
        nwpool__task_release(pool, nwpool__task_of(batch));
        batch = next;
    }
    nw__mutex_unlock(&pool->lock);
}

// Blocks until there is something to deliver, or the thread is to stop.
static void wait_finished(nwpool *pool)
{
    nw__mutex_lock(&pool->finished_lock);
    if (atomic_load(&pool->finished) == NULL && !nwpool__printed_any(pool) &&
        !atomic_load(&pool->completion_stopping)) {
        nw__cond_wait(&pool->finished_changed, &pool->finished_lock);
    }
    nw__mutex_unlock(&pool->finished_lock);
}

static void *completion_main(void *argument)
{
    nwpool *pool = argument;

    for (;;) {
        bool stopping = atomic_load(&pool->completion_stopping);
        struct nw__job *batch = atomic_exchange_explicit(&pool->finished, NULL,
                                                         memory_order_acquire);
        // Taken later and delivered first: before the results of the tasks
        // that printed it.
        struct nwpool__printed *printed =
            pool->on_output != NULL ? nwpool__printed_take(pool) : NULL;

        nwpool__printed_deliver(pool, printed);
        if (batch != NULL) {
            deliver_batch(pool, reverse(batch), pool->completion_doc);
        } else if (printed == NULL && stopping) {
            return NULL;
        } else if (printed == NULL) {
            wait_finished(pool);
        }
    }
}

nw_status nwpool__completion_start(nwpool *pool)
{
    nw_status status;

    pool->completion_doc = nw_doc_create();
    if (pool->completion_doc == NULL) {
        return NW_ENOMEM;
    }
    status = nw__thread_start(&pool->completion_thread, "nwpool-results",
                              STACK_SIZE, completion_main, pool);
    if (status != NW_OK) {
        nw_doc_destroy(pool->completion_doc);
        pool->completion_doc = NULL;
    }
    return status;
}

void nwpool__completion_stop(nwpool *pool)
{
    if (pool->completion_doc == NULL) {
        return;
    }
    atomic_store(&pool->completion_stopping, true);
    nw__mutex_lock(&pool->finished_lock);
    nw__cond_wake_one(&pool->finished_changed);
    nw__mutex_unlock(&pool->finished_lock);
    pthread_join(pool->completion_thread, NULL);
    nw_doc_destroy(pool->completion_doc);
    pool->completion_doc = NULL;
}

bool nwpool__completion_is_current(const nwpool *pool)
{
    return pool->completion_doc != NULL &&
           pthread_equal(pool->completion_thread, pthread_self());
}

// -- kept results

// Ids are handed out one after the other, so a power of two spreads them
// evenly.
static struct nwpool__task **bucket_of(const nwpool *pool, uint64_t id)
{
    return &pool->kept[id & (pool->kept_buckets - 1)];
}

// Longer chains are slower but right, so a failure is nobody's problem.
static void kept_grow(nwpool *pool)
{
    uint32_t old_count = pool->kept_buckets;
    struct nwpool__task **old = pool->kept;
    struct nwpool__task **larger =
        nw__alloc_zero((size_t)old_count * 2 * sizeof(struct nwpool__task *));

    if (larger == NULL) {
        return;
    }
    pool->kept = larger;
    pool->kept_buckets = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        struct nwpool__task *task = old[i];

        while (task != NULL) {
            struct nwpool__task *next = task->kept_next;
            struct nwpool__task **bucket = bucket_of(pool, task->job.id);

            task->kept_next = *bucket;
            *bucket = task;
            task = next;
        }
    }
    nw__free(old);
}

void nwpool__kept_insert(nwpool *pool, struct nwpool__task *task)
{
    struct nwpool__task **bucket;

    if (pool->kept_count == pool->kept_buckets) {
        kept_grow(pool);
    }
    bucket = bucket_of(pool, task->job.id);
    task->kept_next = *bucket;
    *bucket = task;
    pool->kept_count++;
}

static struct nwpool__task *kept_find(const nwpool *pool, uint64_t id)
{
    struct nwpool__task *task = *bucket_of(pool, id);

    while (task != NULL && task->job.id != id) {
        task = task->kept_next;
    }
    return task;
}

static void kept_remove(nwpool *pool, struct nwpool__task *task)
{
    struct nwpool__task **link = bucket_of(pool, task->job.id);

    while (*link != task) {
        link = &(*link)->kept_next;
    }
    *link = task->kept_next;
    pool->kept_count--;
    atomic_fetch_sub(&pool->held, 1);
}

void nwpool__kept_fini(nwpool *pool)
{
    for (uint32_t i = 0; i < pool->kept_buckets; i++) {
        struct nwpool__task *task = pool->kept[i];

        while (task != NULL) {
            struct nwpool__task *next = task->kept_next;

            nw__message_fini(&task->job.message);
            nw__free(task);
            task = next;
        }
    }
    nw__free(pool->kept);
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

// Caller holds the lock, and gets the task out of the table with NW_OK.
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
    kept_remove(pool, task);
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

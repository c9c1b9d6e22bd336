// Tasks that have to end: canceled, expired, past their limit.
//
// One that waits ends at once. One that runs is asked, then interrupted, then
// its worker is ended; the caller, or the clock, says where to begin and how
// long each step gets. Until the last step the task stays where it is and ends by
// itself, by what its function makes of the signal or by the interrupt; its
// outcome then says why (nwpool__settle_ending). At the last step it is taken
// away and ended here, and the worker is terminated.
//
// `ending` is set before anything is done to the task, so whoever gets it back
// from its lane sees it.

#include "pool/internal.h"

#include <stdio.h>
#include <string.h>

#include "src/detail.h"
#include "src/error_record.h"
#include "src/runtime.h"

// -- outcomes

void nwpool__ending_text(const struct nwpool__task *task, char *text,
                         size_t size)
{
    int status = atomic_load(&task->ending);

    if (status == NW_ETIMEDOUT) {
        snprintf(text, size,
                 "task %llu (%s) ran longer than its limit of %u ms",
                 (unsigned long long)task->job.id, task->job.function_name,
                 task->run_limit_ms);
    } else {
        snprintf(text, size, "task %llu (%s) was canceled",
                 (unsigned long long)task->job.id, task->job.function_name);
    }
}

void nwpool__end_task(struct nwpool__task *task, nw_status status,
                      const char *text, const struct nw__message *cause,
                      struct nwpool__errands *errands)
{
    struct nw__job *job = &task->job;

    nw__message_fini(&job->message);
    nw__error_write(&job->message, status, text, cause);
    job->status = status;
    job->ended_ns = nw__now_ns();
    task->place = NWPOOL__ENDED;
    nw__job_list_push(&errands->ended, job);
}

// With the status and the sentence of why it had to end.
static void end_now(struct nwpool__task *task, nw_status status,
                    struct nwpool__errands *errands)
{
    char text[NWPOOL__TEXT_MAX];

    atomic_store(&task->ending, status);
    nwpool__ending_text(task, text, sizeof(text));
    nwpool__end_task(task, status, text, NULL, errands);
}

void nwpool__end_unrun(nwpool *pool, struct nw__job_list *jobs,
                       struct nwpool__errands *errands)
{
    struct nw__job *job;

    while ((job = nw__job_list_pop(jobs)) != NULL) {
        struct nwpool__task *task = nwpool__task_of(job);

        if (!pool->failed) {
            nwpool__end_task(task, NW_ECANCELED,
                             "the pool was destroyed before the task had ended",
                             NULL, errands);
            continue;
        }
        nw__message_fini(&job->message);
        // Without memory it stays empty, which reads as an unknown error.
        nw__message_copy(&job->message, &pool->failure);
        job->status = pool->failure_is_module ? NW_EMODULE : NW_EFAILED;
        job->ended_ns = nw__now_ns();
        task->place = NWPOOL__ENDED;
        nw__job_list_push(&errands->ended, job);
    }
}

void nwpool__end_pinned(struct nw__job_list *assigned,
                        struct nwpool__errands *errands)
{
    for (struct nw__job *job = assigned->head; job != NULL;) {
        struct nw__job *next = job->next;

        if (job->pinned) {
            nw__job_list_remove(assigned, job);
            nwpool__end_task(nwpool__task_of(job), NW_ECRASHED,
                             "the worker that it was for ended before it "
                             "started",
                             NULL, errands);
        }
        job = next;
    }
}

// The stack in a record, which stays whole.
static void copy_stack(const struct nw__message *record, char *stack,
                       size_t size)
{
    nw_doc *doc = nw_doc_create();
    struct nw__message copy = {0};
    const nw_error *error = NULL;

    stack[0] = '\0';
    if (doc != NULL && nw__message_copy(&copy, record) == NW_OK) {
        error = nw__error_read(doc, &copy);
    }
    if (error != NULL) {
        snprintf(stack, size, "%s", error->stack);
    }
    nw__message_fini(&copy);
    nw_doc_destroy(doc);
}

// An interrupted script leaves where it was. What a task throws when it is asked
// is the cause; one that returns all the same has returned.
void nwpool__settle_ending(struct nwpool__task *task)
{
    nw_status status = (nw_status)atomic_load(&task->ending);
    struct nw__message record = {0};
    char text[NWPOOL__TEXT_MAX];
    char stack[NWPOOL__STACK_MAX];

    if (status == NW_OK || task->job.status == NW_OK) {
        return;
    }
    nwpool__ending_text(task, text, sizeof(text));
    nw__message_move(&record, &task->job.message);
    if (task->job.status == NW_ECANCELED) {
        copy_stack(&record, stack, sizeof(stack));
        nw__error_write_at(&task->job.message, status, text, stack);
    } else {
        nw__error_write(&task->job.message, status, text, &record);
    }
    nw__message_fini(&record);
    task->job.status = status;
}

// -- steps. Caller holds the lock.

// False without memory.
static bool ask(struct nwpool__task *task, struct nwpool__worker *worker)
{
    struct nw__lane_request *request = nw__alloc_zero(sizeof(*request));
    char text[NWPOOL__TEXT_MAX];

    if (request == NULL) {
        return false;
    }
    nwpool__ending_text(task, text, sizeof(text));
    request->type = NW__LANE_ABORT;
    request->id = task->job.id;
    snprintf(request->reason, sizeof(request->reason), "%.*s",
             NW__LANE_REASON_MAX, text);
    nw__lane_ask(worker->lane, request);
    return true;
}

// At most one at a time, however often it is canceled: there is room for no
// more.
static void arm_step(nwpool *pool, struct nwpool__task *task, uint64_t at_ns,
                     enum nwpool__deadline_type type)
{
    if (task->extra->step_armed) {
        nwpool__clock_drop_step(pool, task->job.id);
    }
    task->extra->step_armed = true;
    nwpool__clock_add(pool, at_ns, type, task->job.id);
}

static void interrupt(struct nwpool__task *task, struct nwpool__worker *worker,
                      uint64_t now_ns)
{
    nw__lane_interrupt(worker->lane, task->job.id);
    arm_step(worker->pool, task, now_ns + NWPOOL__INTERRUPT_AGAIN_US * 1000,
             NWPOOL__AT_INTERRUPT);
}

// The last step: first it is asked where it is, then its worker is ended. What
// waits does not wait for that: somebody takes the worker's place now.
static void end_worker_soon(struct nwpool__task *task,
                            struct nwpool__worker *worker, uint64_t now_ns,
                            struct nwpool__errands *errands)
{
    nw__lane_sample(worker->lane, task->job.id);
    task->extra->step = NW_CANCEL_END;
    task->extra->give_up_ns = now_ns + NWPOOL__SAMPLE_MAX_MS * NW__NS_PER_MS;
    arm_step(worker->pool, task, now_ns + NWPOOL__SAMPLE_US * 1000,
             NWPOOL__AT_END);
    if (worker->state == NWPOOL__READY) {
        nwpool__worker_retire(worker);
        nwpool__balance(worker->pool, errands);
        nwpool__wake_one(worker->pool, errands);
    }
}

// A task that ended just now is on its way.
static void end_worker_of(struct nwpool__task *task,
                          struct nwpool__worker *worker, const char *stack,
                          struct nwpool__errands *errands)
{
    nw_status status = (nw_status)atomic_load(&task->ending);
    char text[NWPOOL__TEXT_MAX];

    if (!nw__lane_take_running(worker->lane, &task->job)) {
        return;
    }
    nwpool__ending_text(task, text, sizeof(text));
    nwpool__end_task(task, status, text, NULL, errands);
    if (stack[0] != '\0') {
        nw__message_fini(&task->job.message);
        nw__error_write_at(&task->job.message, status, text, stack);
    }
    nwpool__worker_terminate(worker, "%s", text);
    nwpool__balance(worker->pool, errands);
    nwpool__wake_one(worker->pool, errands);
}

// Whether a task is at that step already, or further; and it will not be there
// for longer than `next_ns`.
static bool has_begun(const struct nwpool__extra *extra, nw_cancel step,
                      uint64_t next_ns)
{
    if (!extra->is_ending || step > extra->step) {
        return false;
    }
    return step < extra->step || step == NW_CANCEL_END ||
           next_ns >= extra->give_up_ns;
}

// A running task has to end. False without memory to ask it.
static bool begin_end(struct nwpool__task *task, struct nwpool__worker *worker,
                      nw_cancel step, uint32_t escalation_ms, uint64_t now_ns,
                      struct nwpool__errands *errands)
{
    struct nwpool__extra *extra = task->extra;
    uint64_t next_ns = escalation_ms == NW_WAIT_FOREVER
                           ? NW__NEVER
                           : now_ns + escalation_ms * NW__NS_PER_MS;

    if (step == NW_CANCEL_INTERRUPT && !task->job.interruptible) {
        step = NW_CANCEL_END;
    }
    if (has_begun(extra, step, next_ns)) {
        return true;
    }
    // Of one that awaits the signal is all there is to interrupt; it may be
    // without memory.
    if (step != NW_CANCEL_END && !ask(task, worker) && step == NW_CANCEL_ASK) {
        return false;
    }
    extra->is_ending = true;
    extra->step = step;
    extra->escalation_ms = escalation_ms;
    extra->give_up_ns = next_ns;
    switch (step) {
    case NW_CANCEL_ASK:
        if (next_ns != NW__NEVER) {
            arm_step(worker->pool, task, next_ns, NWPOOL__AT_ESCALATE);
        }
        break;
    case NW_CANCEL_INTERRUPT:
        interrupt(task, worker, now_ns);
        break;
    case NW_CANCEL_END:
        end_worker_soon(task, worker, now_ns, errands);
        break;
    }
    return true;
}

// The worker in whose lane a task is, or NULL if it is not with one that can be
// told anything.
static struct nwpool__worker *worker_of(const nwpool *pool,
                                        const struct nwpool__task *task)
{
    return task->place == NWPOOL__IN_LANE
               ? nwpool__worker_find(pool, task->worker)
               : NULL;
}

// -- entries of the clock

void nwpool__on_expiry(nwpool *pool, uint64_t id,
                       struct nwpool__errands *errands)
{
    struct nwpool__task *task = nwpool__table_find(pool, id);
    struct nwpool__worker *worker;
    char text[NWPOOL__TEXT_MAX];

    if (task == NULL) {
        return;
    }
    worker = worker_of(pool, task);
    if (task->suspect) {
        return; // Run again after a crash: it has been in time once.
    }
    if (task->place == NWPOOL__QUEUED) {
        nwpool__queue_remove(pool, task);
    } else if (worker == NULL ||
               !nw__lane_take_assigned(worker->lane, &task->job)) {
        return;
    }
    snprintf(text, sizeof(text),
             "task %llu (%s) expired before a worker could start it",
             (unsigned long long)id, task->job.function_name);
    nwpool__end_task(task, NW_EEXPIRED, text, NULL, errands);
}

static void arm_limit(nwpool *pool, struct nwpool__task *task, uint64_t at_ns)
{
    task->limit_armed = true;
    nwpool__clock_add(pool, at_ns, NWPOOL__AT_LIMIT, task->job.id);
}

void nwpool__on_limit(nwpool *pool, uint64_t id, uint64_t now_ns,
                      struct nwpool__errands *errands)
{
    struct nwpool__task *task = nwpool__table_find(pool, id);
    struct nwpool__worker *worker;
    uint64_t limit_ns, started_ns;
    int none = NW_OK;

    if (task == NULL) {
        return;
    }
    task->limit_armed = false;
    worker = worker_of(pool, task);
    if (worker == NULL) {
        return;
    }
    limit_ns = task->run_limit_ms * NW__NS_PER_MS;
    if (!nw__lane_started(worker->lane, &task->job, &started_ns)) {
        started_ns = now_ns; // Not yet, or it has just ended.
    }
    if (now_ns < started_ns + limit_ns) {
        arm_limit(pool, task, started_ns + limit_ns);
        return;
    }
    if (nwpool__task_extra(task) == NULL) {
        arm_limit(pool, task, now_ns + NWPOOL__NO_MEMORY_MS * NW__NS_PER_MS);
        return;
    }
    // One that was only asked to end does not run on for ever either.
    atomic_compare_exchange_strong(&task->ending, &none, NW_ETIMEDOUT);
    begin_end(task, worker, NW_CANCEL_INTERRUPT, pool->options.escalation_ms,
              now_ns, errands);
}

// The task whose next step is due; NULL when it is over.
static struct nwpool__task *take_step(nwpool *pool, uint64_t id)
{
    struct nwpool__task *task = nwpool__table_find(pool, id);

    if (task != NULL) {
        task->extra->step_armed = false;
    }
    return task;
}

// It was asked and has not ended.
void nwpool__on_escalate(nwpool *pool, uint64_t id, uint64_t now_ns,
                         struct nwpool__errands *errands)
{
    struct nwpool__task *task = take_step(pool, id);
    struct nwpool__worker *worker = task != NULL ? worker_of(pool, task) : NULL;

    if (worker != NULL) {
        begin_end(task, worker, NW_CANCEL_INTERRUPT, task->extra->escalation_ms,
                  now_ns, errands);
    }
}

// It was interrupted, and either cannot be just now or is not inside a script.
void nwpool__on_interrupt(nwpool *pool, uint64_t id, uint64_t now_ns,
                          struct nwpool__errands *errands)
{
    struct nwpool__task *task = take_step(pool, id);
    struct nwpool__worker *worker = task != NULL ? worker_of(pool, task) : NULL;

    if (worker == NULL) {
        return;
    }
    if (now_ns >= task->extra->give_up_ns) {
        end_worker_soon(task, worker, now_ns, errands);
    } else {
        interrupt(task, worker, now_ns);
    }
}

void nwpool__on_end(nwpool *pool, uint64_t id, uint64_t now_ns,
                    struct nwpool__errands *errands)
{
    struct nwpool__task *task = take_step(pool, id);
    struct nwpool__worker *worker = task != NULL ? worker_of(pool, task) : NULL;
    char stack[NWPOOL__STACK_MAX] = "";

    if (worker == NULL) {
        return;
    }
    if (!nw__lane_copy_sample(worker->lane, id, stack, sizeof(stack)) &&
        now_ns < task->extra->give_up_ns) {
        arm_step(pool, task, now_ns + NWPOOL__SAMPLE_US * 1000, NWPOOL__AT_END);
        return;
    }
    end_worker_of(task, worker, stack, errands);
}

// -- cancel

// Caller holds the lock. NW_ENOENT when it cannot be kept from its end.
static nw_status cancel(nwpool *pool, struct nwpool__task *task, nw_cancel how,
                        uint32_t escalation_ms, struct nwpool__errands *errands)
{
    struct nwpool__worker *worker = worker_of(pool, task);
    int none = NW_OK;
    bool is_first;

    if (task->place == NWPOOL__QUEUED) {
        nwpool__queue_remove(pool, task);
        end_now(task, NW_ECANCELED, errands);
        return NW_OK;
    }
    if (task->place == NWPOOL__ORPHANED) {
        // Its worker's exit is on the way, and would have it run again.
        atomic_compare_exchange_strong(&task->ending, &none, NW_ECANCELED);
        return NW_OK;
    }
    if (worker == NULL) {
        return NW_ENOENT;
    }
    if (nw__lane_take_assigned(worker->lane, &task->job)) {
        end_now(task, NW_ECANCELED, errands);
        return NW_OK;
    }
    if (!nw__lane_started(worker->lane, &task->job, NULL)) {
        return NW_ENOENT; // It has ended and is on its way.
    }
    if (nwpool__task_extra(task) == NULL) {
        return NW_ENOMEM;
    }
    is_first =
        atomic_compare_exchange_strong(&task->ending, &none, NW_ECANCELED);
    if (begin_end(task, worker, how, escalation_ms, nw__now_ns(), errands)) {
        return NW_OK;
    }
    if (is_first) {
        atomic_store(&task->ending, NW_OK);
    }
    return NW_ENOMEM;
}

nw_status nwpool_cancel(nwpool *pool, nw_task_id id, nw_cancel how,
                        uint32_t escalation_ms)
{
    struct nwpool__errands errands = {0};
    struct nwpool__task *task;
    nw_status status = NW_ENOENT;

    nw__detail_clear();
    if (pool == NULL || (unsigned)how > NW_CANCEL_END ||
        (how == NW_CANCEL_INTERRUPT && escalation_ms == NW_WAIT_FOREVER)) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (escalation_ms == 0) {
        escalation_ms = pool->options.escalation_ms;
    }
    nw__mutex_lock(&pool->lock);
    task = nwpool__table_find(pool, id.value);
    if (task != NULL && task->place != NWPOOL__ENDED) {
        status = cancel(pool, task, how, escalation_ms, &errands);
    }
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
    return status;
}

// The way in. A task is refused before anything of it has changed: a place is
// reserved first when its arguments hold lent memory or it lists what moves,
// because encoding moves that; otherwise encoding comes first and one lock is enough.

#include "pool/internal.h"

#include <string.h>

#include "src/detail.h"
#include "src/hooks.h"
#include "src/options.h"
#include "src/runtime.h"
#include "src/value.h"
#include "src/wire.h"

// Ids are process-wide so that one trace can hold several pools.
static atomic_uint_fast64_t last_id;

struct nwpool__task *nwpool__task_acquire(nwpool *pool)
{
    struct nw__job *job = pool->free_tasks;

    if (job == NULL) {
        return nw__alloc_zero(sizeof(struct nwpool__task));
    }
    pool->free_tasks = job->next;
    pool->free_count--;
    memset(nwpool__task_of(job), 0, sizeof(struct nwpool__task));
    return nwpool__task_of(job);
}

void nwpool__task_release(nwpool *pool, struct nwpool__task *task)
{
    if (pool->free_count == NWPOOL__FREE_TASKS_MAX) {
        nw__free(task);
        return;
    }
    task->job.next = pool->free_tasks;
    pool->free_tasks = &task->job;
    pool->free_count++;
}

// Everything that can be refused is refused here; what follows is accepted.
// Caller holds the lock.
static nw_status reserve(nwpool *pool, const nw_task_spec *spec,
                         struct nwpool__task **out)
{
    const char *name = spec->function != NULL ? spec->function : "default";
    struct nwpool__task *task;
    uint32_t number = 0;
    nw_status status;

    if (pool->closed) {
        return NW_ECLOSED;
    }
    if (pool->failed) {
        return NW_EFAILED;
    }
    if (atomic_load(&pool->held) >= pool->queue_max) {
        return NW_EFULL;
    }
    status = nwpool__function_number(&pool->functions, name, &number);
    if (status != NW_OK) {
        return status;
    }
    task = nwpool__task_acquire(pool);
    if (task == NULL) {
        return NW_ENOMEM;
    }
    task->job.function = number;
    task->job.function_name = pool->functions.names[number];
    task->on_done = spec->on_done;
    task->user_data = spec->user_data;
    atomic_fetch_add(&pool->held, 1);
    pool->outstanding++;
    pool->submitted++;
    *out = task;
    return NW_OK;
}

// Takes a reservation back. Caller holds the lock.
static void cancel(nwpool *pool, struct nwpool__task *task)
{
    atomic_fetch_sub(&pool->held, 1);
    pool->outstanding--;
    pool->submitted--;
    nwpool__task_release(pool, task);
}

// False: the pool failed or is being destroyed by now, the caller has to end the
// task. Caller holds the lock.
static bool enqueue(nwpool *pool, struct nwpool__task *task, uint64_t now_ns)
{
    task->job.id = atomic_fetch_add(&last_id, 1) + 1;
    task->accepted_ns = now_ns;
    if (task->on_done == NULL) {
        nwpool__kept_insert(pool, task);
    }
    if (pool->failed || pool->destroying) {
        return false;
    }
    nw__job_list_push(&pool->queue, &task->job);
    return true;
}

// What happens to a task once it is accepted.
struct accepted {
    uint64_t id;
    const char *function;
    struct nw__lane *wake;    // A lane to be woken.
    struct nw__job_list dead; // The task itself, if nobody will run it.
};

// Caller holds the lock.
static void accept(nwpool *pool, struct nwpool__task *task, uint64_t now_ns,
                   struct accepted *out)
{
    if (enqueue(pool, task, now_ns)) {
        out->wake = nwpool__idle_pop(pool);
    } else {
        nw__job_list_push(&out->dead, &task->job);
    }
    out->id = task->job.id;
    out->function = task->job.function_name;
}

static nw_status encode(struct nw__message *message, const nw_task_spec *spec)
{
    const struct nw__wire_transfer moving = {spec->transfer,
                                             spec->transfer_count};
    const char *detail = NULL;
    nw_status status = nw__wire_write(message, spec->arguments,
                                      spec->argument_count, &moving, &detail);

    return detail != NULL ? nw__fail(status, "%s", detail) : status;
}

static nw_status submit_plain(nwpool *pool, const nw_task_spec *spec,
                              uint64_t now_ns, struct accepted *out)
{
    struct nw__message message = {0};
    struct nwpool__task *task;
    nw_status status;

    status = encode(&message, spec);
    if (status != NW_OK) {
        return status;
    }
    nw__mutex_lock(&pool->lock);
    status = reserve(pool, spec, &task);
    if (status == NW_OK) {
        nw__message_move(&task->job.message, &message);
        accept(pool, task, now_ns, out);
    }
    nw__mutex_unlock(&pool->lock);

    nw__message_fini(&message);
    return status;
}

static nw_status submit_moving(nwpool *pool, const nw_task_spec *spec,
                               uint64_t now_ns, struct accepted *out)
{
    struct nwpool__task *task;
    nw_status status;

    nw__mutex_lock(&pool->lock);
    status = reserve(pool, spec, &task);
    nw__mutex_unlock(&pool->lock);
    if (status != NW_OK) {
        return status;
    }

    status = encode(&task->job.message, spec);

    nw__mutex_lock(&pool->lock);
    if (status == NW_OK) {
        accept(pool, task, now_ns, out);
    } else {
        cancel(pool, task);
        if (pool->outstanding == 0) {
            nw__cond_wake_all(&pool->changed);
        }
    }
    nw__mutex_unlock(&pool->lock);
    return status;
}

static bool is_name(const char *function)
{
    size_t size = strnlen(function, NW_FUNCTION_NAME_MAX + 1);

    return size > 0 && size <= NW_FUNCTION_NAME_MAX;
}

static nw_status validate(const nw_task_spec *spec, const nw_task_id *out)
{
    if ((spec->on_done == NULL && out == NULL) ||
        spec->argument_count > NW_TASK_ARGUMENTS_MAX ||
        (spec->argument_count > 0 && spec->arguments == NULL) ||
        (spec->transfer_count > 0 && spec->transfer == NULL) ||
        (spec->function != NULL && !is_name(spec->function))) {
        return NW_EINVAL;
    }
    for (size_t i = 0; i < spec->argument_count; i++) {
        // A maker that failed returned it.
        if (spec->arguments[i] == NULL) {
            return NW_ENOMEM;
        }
    }
    return NW_OK;
}

// Whether encoding takes something away from the caller.
static bool moves(const nw_task_spec *spec)
{
    if (spec->transfer_count > 0) {
        return true;
    }
    for (size_t i = 0; i < spec->argument_count; i++) {
        if (spec->arguments[i]->doc->holdings != NULL) {
            return true;
        }
    }
    return false;
}

nw_status nwpool_submit(nwpool *pool, const nw_task_spec *spec, nw_task_id *out)
{
    const struct nw__hooks *hooks = nw__hooks();
    uint64_t begin_ns = nw__now_ns();
    struct accepted accepted = {0};
    nw_task_spec given;
    nw_status status;

    nw__detail_clear();
    if (out != NULL) {
        out->value = 0;
    }
    if (pool == NULL || spec == NULL ||
        nw__options_copy(&given, sizeof(given), spec) != NW_OK) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__runtime_exiting()) {
        return NW_ESTOPPED;
    }
    status = validate(&given, out);
    if (status != NW_OK) {
        return status;
    }
    status = moves(&given) ? submit_moving(pool, &given, begin_ns, &accepted)
                           : submit_plain(pool, &given, begin_ns, &accepted);
    if (status != NW_OK) {
        return status;
    }
    if (out != NULL) {
        out->value = accepted.id;
    }
    if (hooks != NULL) {
        hooks->task_submitted(accepted.id, accepted.function, begin_ns,
                              nw__now_ns());
    }
    if (accepted.wake != NULL) {
        nw__lane_wake(accepted.wake);
        nw__lane_unref(accepted.wake);
    }
    if (accepted.dead.head != NULL) {
        nwpool__end_jobs(pool, &accepted.dead);
    }
    return NW_OK;
}

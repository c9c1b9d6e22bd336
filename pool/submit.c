// The way in. A task is refused before anything of it has changed: a place is
// reserved first when its arguments hold lent memory or it lists what moves,
// because encoding moves that, and when the caller would wait for room; otherwise
// encoding comes first and one lock is enough.

#include "pool/internal.h"

#include <string.h>

#include "src/detail.h"
#include "src/hooks.h"
#include "src/inbox.h"
#include "src/options.h"
#include "src/runtime.h"
#include "src/value.h"
#include "src/wire.h"

// Ids are process-wide so that one trace can hold several pools.
static atomic_uint_fast64_t last_id;

// -- water

static void tell_water(nwpool *pool, nwpool_event_type type)
{
    nwpool__tell(pool, &(struct nwpool__happening){.type = type, .reason = ""});
}

void nwpool__look_at_water(nwpool *pool)
{
    uint64_t held = atomic_load(&pool->held);
    uint64_t bytes = atomic_load(&pool->held_bytes);

    if (!atomic_load(&pool->is_high)) {
        if (held >= pool->high_count || bytes >= pool->high_bytes) {
            atomic_store(&pool->is_high, true);
            tell_water(pool, NWPOOL_HIGH_WATER);
            // Who gave room meanwhile did not see the mark.
            held = atomic_load(&pool->held);
            bytes = atomic_load(&pool->held_bytes);
        }
    }
    if (atomic_load(&pool->is_high) && held <= pool->low_count &&
        bytes <= pool->low_bytes) {
        atomic_store(&pool->is_high, false);
        tell_water(pool, NWPOOL_LOW_WATER);
    }
}

// -- room. Callers hold the lock.

// One task is taken however large it is when nothing else is there.
static bool has_room(nwpool *pool, uint64_t bytes)
{
    uint64_t held = atomic_load(&pool->held);

    return held < pool->options.queue_max &&
           (held == 0 || atomic_load(&pool->held_bytes) + bytes <=
                             pool->options.queue_bytes_max);
}

static nw_status check_open(const nwpool *pool)
{
    if (pool->closed) {
        return NW_ECLOSED;
    }
    return pool->failed ? NW_EFAILED : NW_OK;
}

// NW_EFULL when there is none in time.
static nw_status wait_for_room(nwpool *pool, uint64_t bytes, uint32_t wait_ms)
{
    uint64_t deadline_ns = wait_ms > 0 ? nw__deadline_ns(wait_ms) : 0;
    nw_status status = check_open(pool);

    if (status != NW_OK || has_room(pool, bytes)) {
        return status;
    }
    // Before it looks again: who gives room looks at this after that.
    atomic_fetch_add(&pool->room_waiters, 1);
    while (status == NW_OK && !has_room(pool, bytes)) {
        if (wait_ms == 0 ||
            !nw__cond_wait_until(&pool->room, &pool->lock, deadline_ns)) {
            status = NW_EFULL;
        }
        if (status == NW_OK || check_open(pool) != NW_OK) {
            status = check_open(pool);
        }
    }
    atomic_fetch_sub(&pool->room_waiters, 1);
    if (status == NW_EFULL) {
        atomic_fetch_add(&pool->refused, 1);
    }
    return status;
}

// -- acceptance. Callers hold the lock.

static bool needs_extra(const nw_task_spec *spec)
{
    return spec->retries > 0 || spec->on_sent != NULL;
}

static nw_status fill_extra(const nw_task_spec *spec, struct nwpool__task *task)
{
    if (needs_extra(spec)) {
        struct nwpool__extra *extra = nwpool__task_extra(task);

        if (extra == NULL) {
            return NW_ENOMEM;
        }
        extra->retries = spec->retries;
        extra->on_sent = spec->on_sent;
    }
    return NW_OK;
}

// What is pinned is with its worker beside all that the worker takes itself.
static nw_status reserve_clock(nwpool *pool, struct nwpool__task *task,
                               const nw_task_spec *spec, bool is_pinned)
{
    uint32_t room =
        (spec->expiry_ms != NW_WAIT_FOREVER ? 1 : 0) + (is_pinned ? 2 : 0);

    if (room > 0 && !nwpool__clock_reserve(pool, room)) {
        return NW_ENOMEM;
    }
    task->room = (uint8_t)room;
    pool->clock_room += room;
    return NW_OK;
}

// Everything that can be refused is refused here; what follows is accepted.
static nw_status reserve(nwpool *pool, const nw_task_spec *spec, uint64_t bytes,
                         bool is_pinned, struct nwpool__task **out)
{
    const char *name = spec->function != NULL ? spec->function : "default";
    struct nwpool__task *task;
    uint32_t number = 0;
    nw_status status;

    status = wait_for_room(pool, bytes, spec->wait_ms);
    if (status == NW_OK) {
        status = nwpool__function_number(&pool->functions, name, &number);
    }
    if (status != NW_OK) {
        return status;
    }
    task = nwpool__task_acquire(pool);
    if (task == NULL) {
        return NW_ENOMEM;
    }
    status = fill_extra(spec, task);
    if (status == NW_OK) {
        status = reserve_clock(pool, task, spec, is_pinned);
    }
    if (status != NW_OK) {
        nwpool__task_release(pool, task);
        return status;
    }
    task->job.function = number;
    task->job.function_name = pool->functions.names[number];
    task->job.interruptible = spec->interruptible == NW_INTERRUPT_AS_POOL
                                  ? pool->options.interruptible
                                  : spec->interruptible == NW_INTERRUPT_YES;
    task->run_limit_ms =
        spec->run_limit_ms == NW_WAIT_FOREVER ? 0 : spec->run_limit_ms;
    task->kept = spec->on_done == NULL;
    task->on_done = spec->on_done;
    task->user_data = spec->user_data;
    task->priority = (int8_t)spec->priority;
    atomic_fetch_add(&pool->held, 1);
    if (pool->outstanding++ == 0) {
        nw__inbox_ref(pool->options.inbox);
    }
    pool->submitted++;
    *out = task;
    return NW_OK;
}

// Takes a reservation back.
static void cancel(nwpool *pool, struct nwpool__task *task)
{
    atomic_fetch_sub(&pool->held, 1);
    nwpool__note_over(pool);
    pool->submitted--;
    nwpool__task_release(pool, task);
    if (atomic_load(&pool->room_waiters) > 0) {
        nw__cond_wake_all(&pool->room);
    }
}

// What happens to a task once it is accepted.
struct accepted {
    uint64_t id;
    const char *function;
    struct nwpool__errands errands;
};

// Gives it its id and its place among those that are not over.
static void enter(nwpool *pool, struct nwpool__task *task,
                  const nw_task_spec *spec, uint64_t now_ns,
                  struct accepted *out)
{
    task->job.id = atomic_fetch_add(&last_id, 1) + 1;
    task->accepted_ns = now_ns;
    task->bytes = nwpool__message_bytes(&task->job.message);
    atomic_fetch_add(&pool->held_bytes, task->bytes);
    nwpool__table_insert(pool, task);
    if (spec->expiry_ms != NW_WAIT_FOREVER) {
        nwpool__clock_add(pool, now_ns + spec->expiry_ms * NW__NS_PER_MS,
                          NWPOOL__AT_EXPIRY, task->job.id);
    }
    nwpool__look_at_water(pool);
    out->id = task->job.id;
    out->function = task->job.function_name;
}

static void accept(nwpool *pool, struct nwpool__task *task,
                   const nw_task_spec *spec, uint64_t now_ns,
                   struct accepted *out)
{
    struct nw__lane *idle;

    enter(pool, task, spec, now_ns, out);
    if (pool->failed || pool->destroying) {
        struct nw__job_list dead = {0};

        nw__job_list_push(&dead, &task->job);
        nwpool__end_unrun(pool, &dead, &out->errands);
        return;
    }
    nwpool__queue_push(pool, task);
    idle = nwpool__idle_pop(pool);
    if (idle != NULL) {
        nwpool__errand_wake(&out->errands, idle);
        nw__lane_unref(idle);
    } else if (pool->target < pool->options.workers) {
        nwpool__grow(pool, now_ns, &out->errands);
    }
}

// -- ways in

static nw_status encode(void *context, struct nw__message *message)
{
    const nw_task_spec *spec = context;
    const struct nw__wire_transfer moving = {spec->transfer,
                                             spec->transfer_count};
    const char *detail = NULL;
    nw_status status = nw__wire_write(message, spec->arguments,
                                      spec->argument_count, &moving, &detail);

    return detail != NULL ? nw__fail(status, "%s", detail) : status;
}

static void set_forward(struct nwpool__task *task,
                        const struct nwpool__cargo *cargo)
{
    if (cargo->forward != NULL) {
        task->forwarded = true;
        task->forward = cargo->forward;
    }
}

static nw_status submit_plain(nwpool *pool, const nw_task_spec *spec,
                              const struct nwpool__cargo *cargo,
                              uint64_t now_ns, struct accepted *out)
{
    struct nw__message message = {0};
    struct nwpool__task *task = NULL;
    nw_status status;

    status = cargo->encode(cargo->context, &message);
    if (status != NW_OK) {
        return status;
    }
    nw__mutex_lock(&pool->lock);
    status = reserve(pool, spec, nwpool__message_bytes(&message), false, &task);
    if (status == NW_OK && spec->retries > 0) {
        status = nw__message_copy(&task->extra->arguments, &message);
        if (status != NW_OK) {
            cancel(pool, task);
        }
    }
    if (status == NW_OK) {
        nw__message_move(&task->job.message, &message);
        set_forward(task, cargo);
        accept(pool, task, spec, spec->wait_ms > 0 ? nw__now_ns() : now_ns,
               out);
    }
    nw__mutex_unlock(&pool->lock);

    nw__message_fini(&message);
    return status;
}

// How much it would be is only known when it has moved: it counts as nothing
// until then.
static nw_status submit_moving(nwpool *pool, const nw_task_spec *spec,
                               const struct nwpool__cargo *cargo,
                               struct accepted *out)
{
    struct nwpool__task *task;
    nw_status status;

    nw__mutex_lock(&pool->lock);
    status = reserve(pool, spec, 0, false, &task);
    nw__mutex_unlock(&pool->lock);
    if (status != NW_OK) {
        return status;
    }

    status = cargo->encode(cargo->context, &task->job.message);

    nw__mutex_lock(&pool->lock);
    if (status == NW_OK) {
        set_forward(task, cargo);
        accept(pool, task, spec, nw__now_ns(), out);
    } else {
        cancel(pool, task);
    }
    nw__mutex_unlock(&pool->lock);
    return status;
}

// -- checks

static bool is_name(const char *function)
{
    size_t size = strnlen(function, NW_FUNCTION_NAME_MAX + 1);

    return size > 0 && size <= NW_FUNCTION_NAME_MAX;
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

static nw_status check_arguments(const nw_task_spec *spec)
{
    if (spec->argument_count > NW_TASK_ARGUMENTS_MAX) {
        return nw__fail(NW_EINVAL, "argument_count is %zu; the most is %d",
                        spec->argument_count, NW_TASK_ARGUMENTS_MAX);
    }
    if ((spec->argument_count > 0 && spec->arguments == NULL) ||
        (spec->transfer_count > 0 && spec->transfer == NULL)) {
        return nw__fail(NW_EINVAL, "a count without its list");
    }
    for (size_t i = 0; i < spec->argument_count; i++) {
        // A maker that failed returned it.
        if (spec->arguments[i] == NULL) {
            return nw__fail(NW_ENOMEM, "argument %zu is NULL", i);
        }
    }
    return NW_OK;
}

static nw_status validate(const nw_task_spec *spec, const nw_task_id *out)
{
    if (spec->on_done == NULL && out == NULL) {
        return nw__fail(NW_EINVAL, "neither on_done nor out: nobody could "
                                   "have the result");
    }
    if (spec->function != NULL && !is_name(spec->function)) {
        return nw__fail(NW_EINVAL, "function is empty or longer than %d bytes",
                        NW_FUNCTION_NAME_MAX);
    }
    if (spec->priority < NW_PRIORITY_MIN || spec->priority > NW_PRIORITY_MAX) {
        return nw__fail(NW_EINVAL, "priority is %d, not from %d to %d",
                        spec->priority, NW_PRIORITY_MIN, NW_PRIORITY_MAX);
    }
    if ((unsigned)spec->interruptible > NW_INTERRUPT_YES) {
        return nw__fail(NW_EINVAL, "interruptible is no nw_interruptible");
    }
    if (spec->retries > NW_TASK_RETRIES_MAX) {
        return nw__fail(NW_EINVAL, "retries is %u; the most is %d",
                        spec->retries, NW_TASK_RETRIES_MAX);
    }
    return check_arguments(spec);
}

static nw_status check_moving(const nw_task_spec *spec, bool is_moving)
{
    if (spec->retries > 0 && is_moving) {
        return nw__fail(NW_EINVAL, "retries with something that moves: it "
                                   "would be gone the second time");
    }
    return NW_OK;
}

// What every way in asks first; `spec` is made whole.
static nw_status prepare(nwpool *pool, const nw_task_spec *given,
                         const nw_task_id *out, nw_task_spec *spec)
{
    nw_status status;

    nw__detail_clear();
    if (pool == NULL || given == NULL ||
        nw__options_copy(spec, sizeof(*spec), given) != NW_OK) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__runtime_exiting()) {
        return NW_ESTOPPED;
    }
    status = validate(spec, out);
    if (spec->expiry_ms == 0) {
        spec->expiry_ms = pool->options.expiry_ms;
    }
    if (spec->run_limit_ms == 0) {
        spec->run_limit_ms = pool->options.run_limit_ms;
    }
    return status;
}

static nw_status submit(nwpool *pool, const nw_task_spec *spec,
                        const struct nwpool__cargo *cargo, nw_task_id *out)
{
    const struct nw__hooks *hooks = nw__hooks();
    uint64_t begin_ns = nw__now_ns();
    struct accepted accepted = {0};
    nw_status status = check_moving(spec, cargo->moves);

    if (status == NW_OK) {
        status = cargo->moves
                     ? submit_moving(pool, spec, cargo, &accepted)
                     : submit_plain(pool, spec, cargo, begin_ns, &accepted);
    }
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
    nwpool__errands_run(pool, &accepted.errands);
    return NW_OK;
}

nw_status nwpool_submit(nwpool *pool, const nw_task_spec *given,
                        nw_task_id *out)
{
    struct nwpool__cargo cargo = {.encode = encode};
    nw_task_spec spec;
    nw_status status;

    if (out != NULL) {
        out->value = 0;
    }
    status = prepare(pool, given, out, &spec);
    if (status != NW_OK) {
        return status;
    }
    NW_ASSERT(spec.wait_ms == 0 || !nwpool__completion_is_current(pool));
    cargo.context = &spec;
    cargo.moves = moves(&spec);
    return submit(pool, &spec, &cargo, out);
}

nw_status nwpool__submit(nwpool *pool, const nw_task_spec *given,
                         const struct nwpool__cargo *cargo, nw_task_id *out)
{
    nw_task_spec spec;
    nw_status status = prepare(pool, given, out, &spec);

    return status == NW_OK ? submit(pool, &spec, cargo, out) : status;
}

static void accept_plain(nwpool *pool, nw_task_spec *spec,
                         struct nwpool__plain *plain, uint64_t now_ns,
                         struct accepted *accepted)
{
    struct nwpool__task *task;

    spec->function = plain->function;
    plain->status = reserve(
        pool, spec, nwpool__message_bytes(&plain->arguments), false, &task);
    if (plain->status == NW_OK) {
        task->kept = false;
        task->user_data = plain->user_data;
        nw__message_move(&task->job.message, &plain->arguments);
        accept(pool, task, spec, now_ns, accepted);
    }
}

void nwpool__submit_plain(nwpool *pool, struct nwpool__plain *tasks,
                          size_t count)
{
    uint64_t now_ns = nw__now_ns();
    struct accepted accepted = {0};
    nw_task_spec spec = {
        .expiry_ms = pool->options.expiry_ms,
        .run_limit_ms = pool->options.run_limit_ms,
    };

    NW_ASSERT(pool->host != NULL);
    nw__mutex_lock(&pool->lock);
    for (size_t i = 0; i < count; i++) {
        accept_plain(pool, &spec, &tasks[i], now_ns, &accepted);
    }
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &accepted.errands);
}

// -- for each worker

// Caller holds the lock. The worker is ready or a spare.
static void pin(struct nwpool__worker *worker, struct nwpool__task *task,
                uint64_t now_ns, struct nwpool__errands *errands)
{
    struct nw__job_list one = {0};

    task->job.pinned = true;
    nwpool__assign(worker, &task->job, &now_ns, &one);
    if (!nw__lane_push(worker->lane, &one)) {
        nwpool__end_task(task, NW_ECRASHED,
                         "the worker that it was for ended before it started",
                         NULL, errands);
        return;
    }
    nwpool__idle_remove(worker->pool, worker->lane);
    nwpool__errand_wake(errands, worker->lane);
}

static bool takes_pinned(const struct nwpool__worker *worker)
{
    return worker->state == NWPOOL__READY || worker->state == NWPOOL__SPARE;
}

// Caller holds the lock. All or none.
static nw_status reserve_each(nwpool *pool, const nw_task_spec *spec,
                              const struct nw__message *message,
                              struct nwpool__task **tasks, size_t count)
{
    nw_status status = NW_OK;
    size_t i = 0;

    for (; i < count && status == NW_OK; i++) {
        // Their bytes are counted when all are accepted.
        status = reserve(pool, spec, (uint64_t)message->size * (i + 1), true,
                         &tasks[i]);
        if (status == NW_OK) {
            status = nw__message_copy(&tasks[i]->job.message, message);
            if (status != NW_OK) {
                cancel(pool, tasks[i]);
            }
        }
    }
    if (status != NW_OK) {
        for (size_t k = 0; k + 1 < i; k++) {
            nw__message_fini(&tasks[k]->job.message);
            cancel(pool, tasks[k]);
        }
    }
    return status;
}

// Caller holds the lock.
static void accept_each(nwpool *pool, const nw_task_spec *spec,
                        struct nwpool__task **tasks, nw_task_id *out,
                        struct nwpool__errands *errands)
{
    uint64_t now_ns = nw__now_ns();
    size_t i = 0;

    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        struct accepted accepted = {0};

        if (!takes_pinned(worker)) {
            continue;
        }
        enter(pool, tasks[i], spec, now_ns, &accepted);
        if (out != NULL) {
            out[i].value = accepted.id;
        }
        pin(worker, tasks[i], now_ns, errands);
        i++;
    }
}

static nw_status submit_each(nwpool *pool, const nw_task_spec *spec,
                             const struct nw__message *message, nw_task_id *out,
                             size_t max, size_t *count,
                             struct nwpool__errands *errands)
{
    size_t workers = pool->counts[NWPOOL__READY] + pool->counts[NWPOOL__SPARE];
    struct nwpool__task **tasks;
    nw_status status = check_open(pool);

    if (status != NW_OK || workers == 0) {
        return status;
    }
    if (workers > max) {
        return nw__fail(NW_ELIMIT, "there are %zu workers and room for %zu",
                        workers, max);
    }
    tasks = nw__alloc(workers * sizeof(struct nwpool__task *));
    if (tasks == NULL) {
        return NW_ENOMEM;
    }
    status = reserve_each(pool, spec, message, tasks, workers);
    if (status == NW_OK) {
        accept_each(pool, spec, tasks, out, errands);
        *count = workers;
    }
    nw__free(tasks);
    return status;
}

static nw_status send_to_each(nwpool *pool, const nw_task_spec *spec,
                              const struct nwpool__cargo *cargo,
                              nw_task_id *out, size_t max, size_t *count)
{
    struct nwpool__errands errands = {0};
    struct nw__message message = {0};
    nw_status status;

    if (count == NULL || cargo->moves || spec->retries > 0 ||
        spec->wait_ms > 0) {
        return nw__fail(NW_EINVAL, "count is NULL, or the task has something "
                                   "that moves, retries or wait_ms");
    }
    status = cargo->encode(cargo->context, &message);
    if (status == NW_OK) {
        nw__mutex_lock(&pool->lock);
        status = submit_each(pool, spec, &message, out, max, count, &errands);
        nw__mutex_unlock(&pool->lock);
    }
    nwpool__errands_run(pool, &errands);
    nw__message_fini(&message);
    return status;
}

nw_status nwpool_submit_each(nwpool *pool, const nw_task_spec *given,
                             nw_task_id *out, size_t max, size_t *count)
{
    struct nwpool__cargo cargo = {.encode = encode};
    nw_task_spec spec;
    nw_status status;

    if (count != NULL) {
        *count = 0;
    }
    status = prepare(pool, given, out, &spec);
    if (status != NW_OK) {
        return status;
    }
    cargo.context = &spec;
    cargo.moves = moves(&spec);
    return send_to_each(pool, &spec, &cargo, out, max, count);
}

nw_status nwpool__submit_each(nwpool *pool, const nw_task_spec *given,
                              const struct nwpool__cargo *cargo,
                              nw_task_id *out, size_t max, size_t *count)
{
    nw_task_spec spec;
    nw_status status = prepare(pool, given, out, &spec);

    *count = 0;
    return status == NW_OK ? send_to_each(pool, &spec, cargo, out, max, count)
                           : status;
}

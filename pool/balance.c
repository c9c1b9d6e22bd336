// How many workers there are. `target` says how many should work; whatever
// changes it, or takes a worker away, calls nwpool__balance(), which alone starts
// and promotes workers.
//
//   working   READY, at most `target`
//   spare     ready as well, and takes no tasks until it is promoted
//   due       READY, but done with its share (of tasks, age, memory) or of an old
//             generation: it works on until a spare can take its place, for which
//             one worker more is started at a time
//
// Lock order: see internal.h. Callers hold the lock.

#include "pool/internal.h"

#include <stdio.h>
#include <string.h>

#include "src/detail.h"
#include "src/error_record.h"
#include "src/runtime.h"

static void tell(nwpool *pool, nwpool_event_type type, uint32_t worker,
                 uint32_t replacement, const char *reason)
{
    nwpool__tell(pool, &(struct nwpool__happening){.type = type,
                                                   .worker = worker,
                                                   .replacement = replacement,
                                                   .reason = reason});
}

// -- successors

void nwpool__note_vacant(nwpool *pool, uint32_t number)
{
    if (pool->vacant_count < NWPOOL__VACANT_MAX) {
        pool->vacant[pool->vacant_count++] = number;
    }
}

static void take_place(nwpool *pool, uint32_t replacement)
{
    if (pool->vacant_count > 0) {
        uint32_t worker = pool->vacant[0];

        pool->vacant_count--;
        memmove(&pool->vacant[0], &pool->vacant[1],
                pool->vacant_count * sizeof(pool->vacant[0]));
        tell(pool, NWPOOL_WORKER_REPLACED, worker, replacement, "");
    }
}

static struct nwpool__worker *find_state(nwpool *pool,
                                         enum nwpool__worker_state state)
{
    struct nwpool__worker *worker = pool->workers;

    while (worker != NULL && worker->state != state) {
        worker = worker->next;
    }
    return worker;
}

// Of the newest generation there is.
static struct nwpool__worker *best_spare(nwpool *pool)
{
    struct nwpool__worker *best = NULL;

    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->state == NWPOOL__SPARE &&
            (best == NULL || worker->generation > best->generation)) {
            best = worker;
        }
    }
    return best;
}

static void promote(struct nwpool__worker *worker,
                    struct nwpool__errands *errands)
{
    nwpool__worker_set_state(worker, NWPOOL__READY);
    take_place(worker->pool, worker->number);
    nwpool__errand_wake(errands, worker->lane); // It looks for tasks.
}

// -- balance

static void arm_restart(nwpool *pool, uint64_t at_ns)
{
    if (!pool->restart_armed) {
        pool->restart_armed = true;
        nwpool__clock_add(pool, at_ns, NWPOOL__AT_RESTART, 0);
    }
}

// With no worker at all, and none to be had, nothing would ever end.
static void note_no_start(nwpool *pool, nw_status status,
                          struct nwpool__errands *errands)
{
    char text[NWPOOL__TEXT_MAX];

    if (pool->live_count > pool->counts[NWPOOL__WEDGED]) {
        arm_restart(pool,
                    nw__now_ns() + NWPOOL__RETRY_START_MS * NW__NS_PER_MS);
        return;
    }
    if (pool->failure.size == 0) {
        snprintf(text, sizeof(text), "no worker can be started: %s",
                 nw_status_message(status));
        nw__error_write(&pool->failure, NW_EFAILED, text, NULL);
    }
    nwpool__fail(pool, errands);
}

static uint32_t wanted(const nwpool *pool)
{
    return pool->target + pool->options.spares + (pool->due_count > 0 ? 1 : 0);
}

static uint32_t present(const nwpool *pool)
{
    return pool->counts[NWPOOL__STARTING] + pool->counts[NWPOOL__SPARE] +
           pool->counts[NWPOOL__READY] + pool->mourned_count;
}

static void start_missing(nwpool *pool, struct nwpool__errands *errands)
{
    while (present(pool) < wanted(pool)) {
        nw_status status;

        if (pool->restart_at_ns > nw__now_ns()) {
            arm_restart(pool, pool->restart_at_ns);
            return;
        }
        status = nwpool__worker_start(pool);
        if (status != NW_OK) {
            note_no_start(pool, status, errands);
            return;
        }
        if (pool->restart_delay_ms > 0) {
            // One at a time, while it is not known whether it will do better.
            pool->restart_at_ns =
                nw__now_ns() + pool->restart_delay_ms * NW__NS_PER_MS;
        }
    }
}

// Spares of a module that is being replaced are of no use: those that were on the
// way when it began.
static void drop_old_spares(nwpool *pool)
{
    for (struct nwpool__worker *worker = pool->workers; worker != NULL;) {
        struct nwpool__worker *next = worker->next;

        if (worker->state == NWPOOL__SPARE &&
            worker->generation < pool->generation) {
            nwpool__worker_retire(worker);
        }
        worker = next;
    }
}

// A due worker that is busy looks for itself, between two tasks.
static void wake_due(nwpool *pool)
{
    if (pool->due_count == 0 || pool->counts[NWPOOL__SPARE] == 0) {
        return;
    }
    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->due != NULL && worker->lane->idle) {
            nwpool__idle_remove(pool, worker->lane);
            nw__lane_wake(worker->lane);
            return;
        }
    }
}

static void note_reloaded(nwpool *pool)
{
    if (!pool->reloading) {
        return;
    }
    for (const struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->state <= NWPOOL__READY &&
            worker->generation < pool->generation) {
            return;
        }
    }
    if (pool->counts[NWPOOL__READY] >= pool->target) {
        pool->reloading = false;
        tell(pool, NWPOOL_RELOADED, 0, 0, "");
    }
}

void nwpool__balance(nwpool *pool, struct nwpool__errands *errands)
{
    if (pool->destroying || pool->failed) {
        return;
    }
    // The last place may be given up while a worker that leaves still runs
    // something, which then comes back.
    if (pool->target == 0 && nwpool__has_waiting(pool)) {
        pool->target = 1;
    }
    while (pool->counts[NWPOOL__READY] < pool->target &&
           pool->counts[NWPOOL__SPARE] > 0) {
        promote(best_spare(pool), errands);
    }
    if (pool->reloading) {
        drop_old_spares(pool);
    }
    start_missing(pool, errands);
    note_reloaded(pool);
    wake_due(pool);
}

// -- growth

static void arm_grow(nwpool *pool, uint64_t at_ns)
{
    if (!pool->grow_armed) {
        pool->grow_armed = true;
        nwpool__clock_add(pool, at_ns, NWPOOL__AT_GROW, 0);
    }
}

void nwpool__grow(nwpool *pool, uint64_t now_ns,
                  struct nwpool__errands *errands)
{
    const uint64_t pause_ns = NWPOOL__GROW_MS * NW__NS_PER_MS;
    uint64_t oldest_ns = nwpool__queue_oldest_ns(pool);
    uint32_t starting = pool->counts[NWPOOL__STARTING];
    uint32_t more = pool->target;

    if (pool->target >= pool->options.workers || pool->failed ||
        pool->destroying) {
        return;
    }
    if (pool->target > 0 &&
        (oldest_ns == NW__NEVER || now_ns < oldest_ns + pause_ns)) {
        arm_grow(pool,
                 (oldest_ns == NW__NEVER ? now_ns : oldest_ns) + pause_ns);
        return;
    }
    // Not more than there are tasks for.
    if (pool->queue.count <= starting && pool->target > 0) {
        arm_grow(pool, now_ns + pause_ns);
        return;
    }
    if (more > pool->queue.count - starting) {
        more = pool->queue.count - starting;
    }
    if (more > pool->options.workers - pool->target) {
        more = pool->options.workers - pool->target;
    }
    pool->target += more > 0 ? more : 1;
    nwpool__balance(pool, errands);
    arm_grow(pool, now_ns + pause_ns);
}

void nwpool__look_at_idle(struct nwpool__worker *worker, uint64_t now_ns,
                          struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;
    const uint64_t idle_ns = pool->options.idle_ms * NW__NS_PER_MS;

    // With tasks that await it asks again when they end.
    if (worker->state != NWPOOL__READY || !worker->lane->idle ||
        !nw__lane_is_free(worker->lane) ||
        pool->target <= pool->options.workers_min) {
        return;
    }
    if (now_ns < worker->idle_ns + idle_ns) {
        worker->idle_armed = true;
        nwpool__clock_add(pool, worker->idle_ns + idle_ns, NWPOOL__AT_IDLE,
                          worker->number);
        return;
    }
    pool->target--;
    nwpool__worker_retire(worker);
    // Nobody takes its place.
    pool->vacant_count -= pool->vacant_count > 0 ? 1 : 0;
    nwpool__balance(pool, errands);
}

// -- recycling

// Which limit the worker has reached; NULL: none.
static const char *recycle_reason(const struct nwpool__worker *worker,
                                  uint64_t now_ns)
{
    const nwpool_options *options = &worker->pool->options;

    if (worker->generation < worker->pool->generation &&
        !worker->pool->reload_failed) {
        return "the module is loaded anew";
    }
    if (options->recycle_tasks > 0 &&
        worker->lane->done >= options->recycle_tasks) {
        return "it has done its number of tasks";
    }
    if (options->recycle_ms > 0 &&
        now_ns >= worker->ready_ns + options->recycle_ms * NW__NS_PER_MS) {
        return "it has reached its age";
    }
    if (options->recycle_bytes > 0 &&
        worker->lane->memory >= options->recycle_bytes) {
        return "its heap and external memory have reached their size";
    }
    return NULL;
}

bool nwpool__is_due(struct nwpool__worker *worker, uint64_t now_ns,
                    struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;
    const char *reason = worker->due;

    if (reason == NULL) {
        reason = recycle_reason(worker, now_ns);
        if (reason == NULL) {
            return false;
        }
        worker->due = reason;
        pool->due_count++;
        nwpool__balance(pool, errands);
    }
    if (pool->counts[NWPOOL__SPARE] == 0 || pool->failed || pool->destroying) {
        return false;
    }
    if (worker->generation == pool->generation) {
        pool->recycled++;
    }
    tell(pool, NWPOOL_WORKER_RECYCLED, worker->number, 0, reason);
    nwpool__worker_retire(worker);
    nwpool__balance(pool, errands);
    return true;
}

// -- reload

void nwpool__abandon_reload(nwpool *pool, const struct nw__message *record)
{
    char *module = pool->module;

    pool->reload_failed = true;
    pool->reloading = false;
    // Other workers of the new generation may be on their way.
    pool->module = pool->old_modules[pool->old_count - 1];
    pool->old_modules[pool->old_count - 1] = module;
    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->due != NULL && worker->generation < pool->generation) {
            worker->due = NULL;
            pool->due_count--;
        }
    }
    nwpool__tell(pool, &(struct nwpool__happening){
                           .type = NWPOOL_RELOAD_FAILED,
                           .reason = "the new module cannot be loaded; the "
                                     "old workers go on",
                           .record = record});
}

// Workers point at the name of their module for as long as they live: old names
// are kept until the pool goes.
static nw_status change_module(nwpool *pool, const char *module)
{
    char *name = nw__strdup(module != NULL ? module : pool->module);
    char **names =
        nw__realloc(pool->old_modules, (pool->old_count + 1) * sizeof(*names));

    if (names != NULL) {
        pool->old_modules = names;
    }
    if (name == NULL || names == NULL) {
        nw__free(name);
        return NW_ENOMEM;
    }
    pool->old_modules[pool->old_count++] = pool->module;
    pool->module = name;
    return NW_OK;
}

static void mark_old(nwpool *pool)
{
    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->state == NWPOOL__READY && worker->due == NULL) {
            worker->due = "the module is loaded anew";
            pool->due_count++;
        }
    }
}

static nw_status reload(nwpool *pool, const char *module,
                        struct nwpool__errands *errands)
{
    nw_status status = NW_OK;

    if (pool->closed) {
        return NW_ECLOSED;
    }
    if (pool->failed) {
        return NW_EFAILED;
    }
    if (pool->reloading) {
        return NW_EBUSY;
    }
    status = change_module(pool, module);
    if (status != NW_OK) {
        return status;
    }
    pool->generation++;
    pool->reloading = true;
    pool->reload_failed = false;
    mark_old(pool);
    // One more than there should be, of the new generation.
    while (find_state(pool, NWPOOL__SPARE) != NULL) {
        nwpool__worker_retire(find_state(pool, NWPOOL__SPARE));
    }
    nwpool__balance(pool, errands);
    return NW_OK;
}

nw_status nwpool_reload(nwpool *pool, const char *module)
{
    struct nwpool__errands errands = {0};
    nw_status status;

    nw__detail_clear();
    if (pool == NULL || (module != NULL && module[0] == '\0')) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&pool->lock);
    status = reload(pool, module, &errands);
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
    return status;
}

// Life of a pool.
//
// A pool is held by its owner and by each worker of it that has not exited:
// a worker that never ends, stuck in native code, keeps the memory it might
// still touch, and nothing else.
//
// Lock order: see internal.h.

#include "pool/internal.h"

#include <stdio.h>

#include "src/detail.h"
#include "src/registry.h"
#include "src/runtime.h"

// -- make and free

static void free_strings(nwpool *pool)
{
    for (uint32_t i = 0; i < pool->old_count; i++) {
        nw__free(pool->old_modules[i]);
    }
    nw__free(pool->old_modules);
    nw__free(pool->module);
    nw__free(pool->directory);
    nw__free((char *)pool->options.name);
    nw__free((char *)pool->options.set_up);
    nw__free((char *)pool->options.tear_down);
}

static void free_pool(nwpool *pool)
{
    struct nw__job *job;

    NW_ASSERT(!nwpool__has_waiting(pool) && pool->live_count == 0);
    while ((job = pool->free_tasks) != NULL) {
        pool->free_tasks = job->next;
        nw__free(nwpool__task_of(job));
    }
    nwpool__table_fini(pool);
    nwpool__clock_fini(pool);
    nwpool__notices_fini(pool);
    nwpool__functions_fini(&pool->functions);
    nw__message_fini(&pool->failure);
    nw__cond_fini(&pool->changed);
    nw__cond_fini(&pool->room);
    nw__cond_fini(&pool->finished_changed);
    nw__mutex_fini(&pool->finished_lock);
    nw__mutex_fini(&pool->lock);
    free_strings(pool);
    nw__free(pool);
}

void nwpool__unref(nwpool *pool)
{
    if (atomic_fetch_sub(&pool->references, 1) == 1) {
        free_pool(pool);
    }
}

// False without memory. The options' strings are ours from then on.
static bool copy_strings(nwpool *pool)
{
    nwpool_options *options = &pool->options;
    const char *set_up = options->set_up;
    const char *tear_down = options->tear_down;

    pool->module = nw__strdup(options->module);
    pool->directory = nw__worker_directory();
    options->module = NULL;
    options->name = nw__strdup(options->name);
    options->set_up = set_up != NULL ? nw__strdup(set_up) : NULL;
    options->tear_down = tear_down != NULL ? nw__strdup(tear_down) : NULL;
    return pool->module != NULL && pool->directory != NULL &&
           options->name != NULL &&
           (set_up == NULL || options->set_up != NULL) &&
           (tear_down == NULL || options->tear_down != NULL);
}

static void set_marks(nwpool *pool)
{
    const nwpool_options *options = &pool->options;
    uint64_t high = options->queue_max;

    // At least one, so that an empty pool is not at its high mark.
    high = high * options->high_water / 100;
    pool->high_count = high > 0 ? high : 1;
    pool->low_count = (uint64_t)options->queue_max * options->low_water / 100;
    if (pool->low_count >= pool->high_count) {
        pool->low_count = pool->high_count - 1;
    }
    pool->high_bytes = options->queue_bytes_max / 100 * options->high_water + 1;
    pool->low_bytes = options->queue_bytes_max / 100 * options->low_water;
}

// NULL without memory.
static nwpool *allocate(const nwpool_options *options,
                        const struct nwpool__host *host)
{
    nwpool *pool = nw__alloc_zero(sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    nw__mutex_init(&pool->lock);
    nw__mutex_init(&pool->finished_lock);
    nw__cond_init(&pool->changed);
    nw__cond_init(&pool->room);
    nw__cond_init(&pool->finished_changed);
    atomic_init(&pool->references, 1);
    pool->host = host;
    pool->options = *options;
    pool->target = options->workers_min;
    set_marks(pool);
    nwpool__clock_init(pool);
    pool->table =
        nw__alloc_zero(NWPOOL__TABLE_BUCKETS * sizeof(struct nwpool__task *));
    pool->table_buckets = pool->table != NULL ? NWPOOL__TABLE_BUCKETS : 0;
    if (!copy_strings(pool) || pool->table == NULL ||
        !nwpool__clock_reserve(pool, 0)) {
        free_pool(pool);
        return NULL;
    }
    return pool;
}

static nw_status start_workers(nwpool *pool)
{
    uint32_t count = pool->target + pool->options.spares;
    nw_status status = NW_OK;

    nw__mutex_lock(&pool->lock);
    for (uint32_t i = 0; i < count && status == NW_OK; i++) {
        status = nwpool__worker_start(pool);
    }
    nw__mutex_unlock(&pool->lock);
    return status;
}

nw_status nwpool_create(nwpool **out, const nwpool_options *options)
{
    return nwpool__create(out, options, NULL);
}

nw_status nwpool__create(nwpool **out, const nwpool_options *options,
                         const struct nwpool__host *host)
{
    nwpool_options resolved;
    nwpool *pool = NULL;
    nw_status status;

    nw__detail_clear();
    if (out == NULL) {
        return nw__fail(NW_EINVAL, "out is NULL");
    }
    *out = NULL;
    status = nwpool__options_resolve(&resolved, options);
    if (status == NW_OK) {
        status = nw__runtime_acquire();
    }
    if (status != NW_OK) {
        return status;
    }
    pool = allocate(&resolved, host);
    status = NW_ENOMEM;
    if (pool != NULL) {
        status = nwpool__clock_start(pool);
        if (status == NW_OK) {
            status = nwpool__completion_start(pool);
        }
        if (status != NW_OK) {
            nwpool__clock_stop(pool);
            nwpool__unref(pool);
        }
    }
    if (status != NW_OK) {
        nw__runtime_release();
        return status;
    }
    status = start_workers(pool);
    if (status != NW_OK) {
        nwpool_destroy(pool);
        return status;
    }
    *out = pool;
    return NW_OK;
}

// -- warm

// Caller holds the lock.
static nw_status wait_ready(nwpool *pool, uint32_t workers,
                            uint64_t deadline_ns)
{
    bool in_time = true;

    for (;;) {
        if (pool->counts[NWPOOL__READY] + pool->counts[NWPOOL__SPARE] >=
            workers) {
            return NW_OK;
        }
        if (pool->failed) {
            return NW_EFAILED;
        }
        if (pool->destroying) {
            return NW_ECLOSED;
        }
        if (!in_time) {
            return NW_ETIMEDOUT;
        }
        in_time = nw__cond_wait_until(&pool->changed, &pool->lock, deadline_ns);
    }
}

nw_status nwpool__warm_up_begin(nwpool *pool, uint32_t *workers)
{
    struct nwpool__errands errands = {0};
    const uint32_t spares = pool->options.spares;

    if (*workers > pool->options.workers + spares) {
        return nw__fail(NW_EINVAL, "the pool has %u workers at most",
                        pool->options.workers + spares);
    }
    nw__mutex_lock(&pool->lock);
    if (*workers == 0) {
        *workers = pool->target + spares;
    } else if (*workers > pool->target + spares) {
        pool->target = *workers - spares;
        nwpool__balance(pool, &errands);
    }
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
    return NW_OK;
}

nw_status nwpool_warm_up(nwpool *pool, uint32_t workers, uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    nw_status status;

    nw__detail_clear();
    if (pool == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__runtime_exiting()) {
        return NW_ESTOPPED;
    }
    NW_ASSERT(!nwpool__completion_is_current(pool));
    status = nwpool__warm_up_begin(pool, &workers);
    if (status != NW_OK) {
        return status;
    }
    nw__mutex_lock(&pool->lock);
    status = wait_ready(pool, workers, deadline_ns);
    nw__mutex_unlock(&pool->lock);
    return status;
}

// -- end

void nwpool_close(nwpool *pool)
{
    if (pool == NULL || nw__runtime_forked()) {
        return;
    }
    nw__mutex_lock(&pool->lock);
    pool->closed = true;
    nw__cond_wake_all(&pool->room);
    nw__mutex_unlock(&pool->lock);
}

// With an inbox this thread is the one that delivers. False: not in time.
static bool wait_outstanding(nwpool *pool, uint64_t deadline_ns)
{
    bool in_time = true;
    bool done;

    for (;;) {
        if (!pool->has_thread) {
            while (nwpool__deliver(pool)) {
            }
        }
        nw__mutex_lock(&pool->lock);
        if (pool->has_thread) {
            while (pool->outstanding > 0 && in_time) {
                in_time = nw__cond_wait_until(&pool->changed, &pool->lock,
                                              deadline_ns);
            }
        }
        done = pool->outstanding == 0;
        nw__mutex_unlock(&pool->lock);
        if (done || !in_time) {
            return done;
        }
        in_time = nwpool__wait_delivery(pool, deadline_ns);
    }
}

nw_status nwpool_drain(nwpool *pool, uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);

    if (pool == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__runtime_exiting()) {
        return NW_ESTOPPED;
    }
    NW_ASSERT(!nwpool__completion_is_current(pool));
    return wait_outstanding(pool, deadline_ns) ? NW_OK : NW_ETIMEDOUT;
}

// Takes every task that has not ended out of its place. Nothing is started or
// restarted afterwards. Caller holds the lock.
static void take_everything(nwpool *pool, struct nw__job_list *out)
{
    nwpool__queue_take_all(pool, out);
    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        struct nw__job_list assigned;
        struct nw__job_list running;

        if (worker->state == NWPOOL__LEAVING && worker->told) {
            continue; // It has none, and tears down.
        }
        nw__lane_close(worker->lane, &assigned, &running);
        nw__job_list_append(out, &assigned);
        nw__job_list_append(out, &running);
        nw__job_list_append(out, &worker->orphans);
    }
    nw__cond_wake_all(&pool->room);
    nw__cond_wake_all(&pool->changed);
}

// Those that tear down, or are about to: where no task is left, a worker that
// retires is told when it looks for the next. Caller holds the lock.
static uint32_t count_told(const nwpool *pool)
{
    uint32_t told = 0;

    for (const struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        told += worker->told || (worker->state == NWPOOL__RETIRING &&
                                 pool->outstanding == 0)
                    ? 1
                    : 0;
    }
    return told;
}

// Those that have nothing to do leave as they should, if there is something to be
// done for that. A result is delivered before its worker is idle again. Caller
// holds the lock.
static uint32_t tell_idle(nwpool *pool)
{
    if (pool->options.tear_down == NULL) {
        return 0;
    }
    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->state == NWPOOL__SPARE ||
            (worker->state == NWPOOL__READY &&
             (worker->lane->idle || pool->outstanding == 0))) {
            nwpool__worker_retire(worker);
        }
    }
    return count_told(pool);
}

// Caller holds the lock.
static void wait_told(nwpool *pool)
{
    uint64_t deadline_ns = nw__deadline_ns(pool->options.tear_down_ms);

    while (count_told(pool) > 0 &&
           nw__cond_wait_until(&pool->changed, &pool->lock, deadline_ns)) {
    }
}

// Caller holds the lock.
static void terminate_all(nwpool *pool)
{
    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        if (worker->reason[0] == '\0' && !worker->told) {
            snprintf(worker->reason, sizeof(worker->reason),
                     "its pool was destroyed");
        }
        nw__worker_terminate(worker->number);
    }
}

// Caller holds the lock. Those that were given up before are not waited for.
static void wait_live(nwpool *pool)
{
    uint64_t deadline_ns = nw__deadline_ns(NW_POOL_DESTROY_TIMEOUT_MS);
    bool in_time = true;

    while (pool->live_count > pool->counts[NWPOOL__WEDGED] && in_time) {
        in_time = nw__cond_wait_until(&pool->changed, &pool->lock, deadline_ns);
    }
}

// Caller holds the lock. NW_EWEDGED, with the sentence, when some are left.
static nw_status name_left(const nwpool *pool)
{
    char text[NWPOOL__TEXT_MAX];
    int size;

    if (pool->live_count == 0) {
        return NW_OK;
    }
    size = snprintf(text, sizeof(text),
                    "%u of the pool's threads did not end and were left "
                    "behind, stuck in native code or without memory:",
                    pool->live_count);
    for (const struct nwpool__worker *worker = pool->workers;
         worker != NULL && size < (int)sizeof(text); worker = worker->next) {
        size += snprintf(text + size, sizeof(text) - (size_t)size,
                         " worker %u%s", worker->number,
                         worker->parked ? " (parked, its heap is exhausted)"
                                        : "");
    }
    return nw__fail(NW_EWEDGED, "%s", text);
}

uint32_t nwpool__destroy_begin(nwpool *pool)
{
    uint32_t told;

    nw__mutex_lock(&pool->lock);
    // From here on nobody takes the place of a worker that leaves.
    pool->closed = true;
    pool->destroying = true;
    told = tell_idle(pool);
    nw__mutex_unlock(&pool->lock);
    return told;
}

uint32_t nwpool__destroy_told(nwpool *pool)
{
    uint32_t told;

    nw__mutex_lock(&pool->lock);
    told = count_told(pool);
    nw__mutex_unlock(&pool->lock);
    return told;
}

void nwpool__destroy_tasks(nwpool *pool)
{
    struct nwpool__errands errands = {0};
    struct nw__job_list left = {0};

    nw__mutex_lock(&pool->lock);
    take_everything(pool, &left);
    nwpool__end_unrun(pool, &left, &errands);
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
    nwpool__clock_stop(pool);

    nw__mutex_lock(&pool->lock);
    terminate_all(pool);
    nw__mutex_unlock(&pool->lock);
}

uint32_t nwpool__destroy_left(nwpool *pool)
{
    uint32_t left;

    nw__mutex_lock(&pool->lock);
    left = pool->live_count - pool->counts[NWPOOL__WEDGED];
    nw__mutex_unlock(&pool->lock);
    return left;
}

nw_status nwpool__destroy_end(nwpool *pool)
{
    nw_status status;

    // Tasks do not depend on a worker any more: their number has to come down.
    wait_outstanding(pool, NW__NEVER);
    nwpool__completion_stop(pool);
    nw__mutex_lock(&pool->lock);
    status = name_left(pool);
    nw__mutex_unlock(&pool->lock);
    nwpool__unref(pool);
    nw__runtime_release();
    return status;
}

nw_status nwpool_destroy(nwpool *pool)
{
    nw__detail_clear();
    if (pool == NULL) {
        return NW_OK;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__runtime_exiting()) {
        // An exit handler that runs after Node.js has been stopped. Nothing
        // is called back any more, so there is nothing to wait for.
        return NW_OK;
    }
    NW_ASSERT(!nwpool__completion_is_current(pool));

    if (nwpool__destroy_begin(pool) > 0) {
        nw__mutex_lock(&pool->lock);
        wait_told(pool);
        nw__mutex_unlock(&pool->lock);
    }
    nwpool__destroy_tasks(pool);
    nw__mutex_lock(&pool->lock);
    wait_live(pool);
    nw__mutex_unlock(&pool->lock);
    return nwpool__destroy_end(pool);
}

// Life of a pool.
//
// A pool is held by its owner and by each worker of it that has not exited:
// a worker that never ends, stuck in native code, keeps the memory it might
// still touch, and nothing else.
//
// Lock order: see internal.h.

#include "pool/internal.h"

#include <string.h>

#include "src/machine.h"
#include "src/options.h"
#include "src/registry.h"
#include "src/runtime.h"

// -- make and free

static nw_status resolve(nwpool_options *options)
{
    if (options->module == NULL || options->module[0] == '\0' ||
        options->workers > NW_POOL_WORKERS_MAX) {
        return NW_EINVAL;
    }
    if (options->workers == 0) {
        options->workers = nw__machine_cpus();
        if (options->workers > NW_POOL_WORKERS_MAX) {
            options->workers = NW_POOL_WORKERS_MAX;
        }
    }
    if (options->queue_max == 0) {
        options->queue_max = NW_POOL_QUEUE_DEFAULT;
    }
    if (options->name == NULL || options->name[0] == '\0') {
        options->name = "nwpool";
    }
    return NW_OK;
}

static void free_pool(nwpool *pool)
{
    struct nw__job *job;

    if (pool == NULL) {
        return;
    }
    NW_ASSERT(pool->queue.head == NULL && pool->live_count == 0);
    while ((job = pool->free_tasks) != NULL) {
        pool->free_tasks = job->next;
        nw__free(nwpool__task_of(job));
    }
    nwpool__kept_fini(pool);
    nwpool__printed_fini(pool);
    nwpool__functions_fini(&pool->functions);
    nw__message_fini(&pool->failure);
    nw__cond_fini(&pool->changed);
    nw__cond_fini(&pool->finished_changed);
    nw__mutex_fini(&pool->finished_lock);
    nw__mutex_fini(&pool->lock);
    nw__free(pool->slots);
    nw__free(pool->module);
    nw__free(pool->directory);
    nw__free(pool->name);
    nw__free(pool);
}

void nwpool__unref(nwpool *pool)
{
    uint32_t left;

    nw__mutex_lock(&pool->lock);
    left = --pool->references;
    nw__mutex_unlock(&pool->lock);
    if (left == 0) {
        free_pool(pool);
    }
}

static nwpool *allocate(const nwpool_options *options)
{
    nwpool *pool = nw__alloc_zero(sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    nw__mutex_init(&pool->lock);
    nw__mutex_init(&pool->finished_lock);
    nw__cond_init(&pool->changed);
    nw__cond_init(&pool->finished_changed);
    pool->references = 1;
    pool->queue_max = options->queue_max;
    pool->slot_count = options->workers;
    pool->on_output = options->on_output;
    pool->output_data = options->output_data;
    pool->module = nw__strdup(options->module);
    pool->directory = nw__worker_directory();
    pool->name = nw__strdup(options->name);
    pool->slots = nw__alloc_zero(options->workers * sizeof(*pool->slots));
    pool->kept_buckets = NWPOOL__KEPT_BUCKETS;
    pool->kept =
        nw__alloc_zero(NWPOOL__KEPT_BUCKETS * sizeof(struct nwpool__task *));
    if (pool->module == NULL || pool->directory == NULL || pool->name == NULL ||
        pool->slots == NULL || pool->kept == NULL) {
        pool->kept_buckets = pool->kept != NULL ? NWPOOL__KEPT_BUCKETS : 0;
        free_pool(pool);
        return NULL;
    }
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        pool->slots[i].pool = pool;
    }
    return pool;
}

nw_status nwpool_create(nwpool **out, const nwpool_options *options)
{
    nwpool_options given;
    nwpool *pool = NULL;
    nw_status status;

    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    if (options == NULL ||
        nw__options_copy(&given, sizeof(given), options) != NW_OK ||
        resolve(&given) != NW_OK) {
        return NW_EINVAL;
    }
    status = nw__runtime_acquire();
    if (status != NW_OK) {
        return status;
    }
    pool = allocate(&given);
    status = pool != NULL ? nwpool__completion_start(pool) : NW_ENOMEM;
    if (status != NW_OK) {
        free_pool(pool);
        nw__runtime_release();
        return status;
    }
    for (uint32_t i = 0; i < pool->slot_count && status == NW_OK; i++) {
        status = nwpool__slot_start(&pool->slots[i], 0);
    }
    if (status != NW_OK) {
        nwpool_destroy(pool);
        return status;
    }
    *out = pool;
    return NW_OK;
}

// -- end

void nwpool_close(nwpool *pool)
{
    if (pool == NULL || nw__runtime_forked()) {
        return;
    }
    nw__mutex_lock(&pool->lock);
    pool->closed = true;
    nw__mutex_unlock(&pool->lock);
}

nw_status nwpool_drain(nwpool *pool, uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    bool in_time = true;
    bool drained;

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

    nw__mutex_lock(&pool->lock);
    while (pool->outstanding > 0 && in_time) {
        in_time = nw__cond_wait_until(&pool->changed, &pool->lock, deadline_ns);
    }
    drained = pool->outstanding == 0;
    nw__mutex_unlock(&pool->lock);
    return drained ? NW_OK : NW_ETIMEDOUT;
}

// Takes every task that has not ended out of its place. Nothing is started or
// restarted afterwards. Caller holds the lock.
static void take_everything(nwpool *pool, struct nw__job_list *out)
{
    pool->closed = true;
    pool->destroying = true;
    nw__job_list_append(out, &pool->queue);
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        struct nwpool__slot *slot = &pool->slots[i];
        struct nw__job_list assigned;
        struct nw__job_list running;

        if (slot->lane != NULL) {
            nw__lane_close(slot->lane, &assigned, &running);
            nw__job_list_append(out, &assigned);
            nw__job_list_append(out, &running);
        }
        if (slot->orphan != NULL) {
            nw__job_list_push(out, slot->orphan);
            slot->orphan = NULL;
        }
    }
}

static void terminate_workers(nwpool *pool)
{
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        uint32_t number = 0;

        nw__mutex_lock(&pool->lock);
        if (pool->slots[i].lane != NULL) {
            number = pool->slots[i].lane->number;
        }
        nw__mutex_unlock(&pool->lock);
        if (number != 0) {
            nw__worker_terminate(number);
        }
    }
}

// False when a worker did not end in time.
static bool wait_for_end(nwpool *pool)
{
    uint64_t deadline_ns = nw__deadline_ns(NW_POOL_DESTROY_TIMEOUT_MS);
    bool in_time = true;

    nw__mutex_lock(&pool->lock);
    while (pool->live_count > 0 && in_time) {
        in_time = nw__cond_wait_until(&pool->changed, &pool->lock, deadline_ns);
    }
    // Tasks do not depend on a worker any more: their number has to come down.
    while (pool->outstanding > 0) {
        nw__cond_wait(&pool->changed, &pool->lock);
    }
    in_time = pool->live_count == 0;
    nw__mutex_unlock(&pool->lock);
    return in_time;
}

nw_status nwpool_destroy(nwpool *pool)
{
    struct nw__job_list left = {0};
    bool ended;

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

    nw__mutex_lock(&pool->lock);
    take_everything(pool, &left);
    nw__mutex_unlock(&pool->lock);
    nwpool__cancel_jobs(pool, &left);
    terminate_workers(pool);
    ended = wait_for_end(pool);
    nwpool__completion_stop(pool);
    nwpool__unref(pool);
    nw__runtime_release();
    return ended ? NW_OK : NW_EWEDGED;
}

// -- numbers

nw_status nwpool_get_stats(nwpool *pool, nwpool_stats *stats)
{
    nwpool_stats now = {0};
    uint64_t assigned = 0;

    if (pool == NULL || stats == NULL ||
        stats->struct_size < sizeof(stats->struct_size)) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&pool->lock);
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i].lane != NULL) {
            nw__lane_count(pool->slots[i].lane, &assigned, &now.running);
        }
    }
    now.submitted = pool->submitted;
    now.done = pool->done;
    now.failed = pool->failed_tasks;
    now.waiting = pool->queue.count + assigned;
    now.restarts = pool->restarts;
    now.workers = pool->ready_count;
    nw__mutex_unlock(&pool->lock);

    now.struct_size =
        stats->struct_size < sizeof(now) ? stats->struct_size : sizeof(now);
    memcpy(stats, &now, now.struct_size);
    return NW_OK;
}

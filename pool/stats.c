// Numbers of a pool. Counters and histograms are kept under the pool's lock,
// where it is held anyway when a task ends.

#include "pool/internal.h"

#include <string.h>

#include "src/runtime.h"

static int kind_of(nw_status status)
{
    switch (status) {
    case NW_ETHROWN:
        return 0;
    case NW_ECRASHED:
    case NW_EWEDGED:
        return 1;
    case NW_ETIMEDOUT:
        return 2;
    case NW_EEXPIRED:
        return 3;
    case NW_ECANCELED:
        return 4;
    default:
        return -1;
    }
}

static void count_times(nwpool *pool, const struct nwpool__task *task)
{
    const struct nw__job *job = &task->job;
    uint64_t started_ns =
        job->started_ns != 0 ? job->started_ns : job->ended_ns;

    // A batch's clock can be a little older than a task that joined it.
    nwpool__histogram_record(
        &pool->wait_times,
        started_ns > task->accepted_ns ? started_ns - task->accepted_ns : 0);
    if (job->started_ns != 0) {
        nwpool__histogram_record(
            &pool->run_times,
            job->ended_ns > started_ns ? job->ended_ns - started_ns : 0);
    }
}

void nwpool__count_end(nwpool *pool, const struct nwpool__task *task)
{
    int kind = kind_of(task->job.status);

    if (task->job.status == NW_OK) {
        pool->done++;
    } else {
        pool->failed_tasks++;
        pool->failed_by[kind >= 0 ? kind : 0] += kind >= 0 ? 1 : 0;
    }
    count_times(pool, task);
}

static nw_times times_of(const struct nwpool__histogram *histogram)
{
    return (nw_times){
        .count = nwpool__histogram_count(histogram),
        .mean = nwpool__histogram_mean(histogram),
        .p50 = nwpool__histogram_percentile(histogram, 50),
        .p95 = nwpool__histogram_percentile(histogram, 95),
        .p99 = nwpool__histogram_percentile(histogram, 99),
        .p999 = nwpool__histogram_percentile(histogram, 99.9),
        .max = nwpool__histogram_max(histogram),
    };
}

// Caller holds the lock.
static void read_tasks(nwpool *pool, nwpool_stats *out)
{
    uint64_t assigned = 0;

    for (struct nwpool__worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        nw__lane_count(worker->lane, &assigned, &out->running);
        out->running += worker->orphans.count;
    }
    out->submitted = pool->submitted;
    out->done = pool->done;
    out->failed = pool->failed_tasks;
    out->waiting = pool->queue.count + pool->suspects.count + assigned;
    out->waiting_bytes = atomic_load(&pool->held_bytes);
    out->refused = atomic_load(&pool->refused);
    out->failed_thrown = pool->failed_by[0];
    out->failed_crashed = pool->failed_by[1];
    out->failed_timed_out = pool->failed_by[2];
    out->failed_expired = pool->failed_by[3];
    out->failed_canceled = pool->failed_by[4];
    out->retried = pool->retried;
}

// Caller holds the lock.
static void read_workers(const nwpool *pool, nwpool_stats *out)
{
    out->restarts = pool->restarts;
    out->workers = pool->counts[NWPOOL__READY];
    out->spares = pool->counts[NWPOOL__SPARE];
    out->starting = pool->counts[NWPOOL__STARTING];
    out->wedged = pool->counts[NWPOOL__WEDGED];
    out->recycled = pool->recycled;
    out->events_lost = pool->events_lost;
    out->degraded = pool->degraded;
    out->has_failed = pool->failed;
}

nw_status nwpool_get_stats(nwpool *pool, nwpool_stats *stats)
{
    nwpool_stats now = {0};

    if (pool == NULL || stats == NULL ||
        stats->struct_size < sizeof(stats->struct_size)) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&pool->lock);
    read_tasks(pool, &now);
    read_workers(pool, &now);
    now.wait_times = times_of(&pool->wait_times);
    now.run_times = times_of(&pool->run_times);
    nw__mutex_unlock(&pool->lock);

    now.struct_size =
        stats->struct_size < sizeof(now) ? stats->struct_size : sizeof(now);
    memcpy(stats, &now, now.struct_size);
    return NW_OK;
}

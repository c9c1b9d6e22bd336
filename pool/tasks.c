// Records of tasks, and the table that finds them by id.
//
// Ids are handed out one after the other, so a power of two spreads them evenly
// over the table's chains.
//
// Lock order: see internal.h.

#include "pool/internal.h"

#include <stdlib.h>
#include <string.h>

#include "src/detail.h"
#include "src/runtime.h"

// -- records

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

static void free_extra(struct nwpool__task *task)
{
    if (task->extra != NULL) {
        nw__message_fini(&task->extra->arguments);
        nw__free(task->extra);
        task->extra = NULL;
    }
}

struct nwpool__extra *nwpool__task_extra(struct nwpool__task *task)
{
    if (task->extra == NULL) {
        task->extra = nw__alloc_zero(sizeof(*task->extra));
    }
    return task->extra;
}

static struct nwpool__task **bucket_of(const nwpool *pool, uint64_t id)
{
    return &pool->table[id & (pool->table_buckets - 1)];
}

static void table_remove(nwpool *pool, struct nwpool__task *task)
{
    struct nwpool__task **link = bucket_of(pool, task->job.id);

    while (*link != NULL && *link != task) {
        link = &(*link)->table_next;
    }
    if (*link != NULL) {
        *link = task->table_next;
        pool->table_count--;
    }
}

void nwpool__task_release(nwpool *pool, struct nwpool__task *task)
{
    if (task->job.id != 0) {
        table_remove(pool, task);
    }
    pool->clock_room -= task->room;
    free_extra(task);
    if (pool->free_count == NWPOOL__FREE_TASKS_MAX) {
        nw__free(task);
        return;
    }
    task->job.next = pool->free_tasks;
    pool->free_tasks = &task->job;
    pool->free_count++;
}

static uint64_t blob_bytes(const struct nw__message *message)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < nw__message_blob_count(message); i++) {
        bytes += message->beside->blobs[i].size;
    }
    return bytes;
}

uint32_t nwpool__message_bytes(const struct nw__message *message)
{
    uint64_t bytes = message->size + blob_bytes(message);

    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

// -- the table

// Longer chains are slower but right, so a failure is nobody's problem.
static void grow(nwpool *pool)
{
    uint32_t old_count = pool->table_buckets;
    struct nwpool__task **old = pool->table;
    struct nwpool__task **larger =
        nw__alloc_zero((size_t)old_count * 2 * sizeof(struct nwpool__task *));

    if (larger == NULL) {
        return;
    }
    pool->table = larger;
    pool->table_buckets = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        struct nwpool__task *task = old[i];

        while (task != NULL) {
            struct nwpool__task *next = task->table_next;
            struct nwpool__task **bucket = bucket_of(pool, task->job.id);

            task->table_next = *bucket;
            *bucket = task;
            task = next;
        }
    }
    nw__free(old);
}

void nwpool__table_insert(nwpool *pool, struct nwpool__task *task)
{
    struct nwpool__task **bucket;

    if (pool->table_count == pool->table_buckets) {
        grow(pool);
    }
    bucket = bucket_of(pool, task->job.id);
    task->table_next = *bucket;
    *bucket = task;
    pool->table_count++;
}

struct nwpool__task *nwpool__table_find(const nwpool *pool, uint64_t id)
{
    struct nwpool__task *task = *bucket_of(pool, id);

    while (task != NULL && task->job.id != id) {
        task = task->table_next;
    }
    return task;
}

void nwpool__table_fini(nwpool *pool)
{
    for (uint32_t i = 0; i < pool->table_buckets; i++) {
        struct nwpool__task *task = pool->table[i];

        while (task != NULL) {
            struct nwpool__task *next = task->table_next;

            nw__message_fini(&task->job.message);
            free_extra(task);
            nw__free(task);
            task = next;
        }
    }
    nw__free(pool->table);
}

// -- listing

// Caller holds the lock.
static void describe(const nwpool *pool, const struct nwpool__task *task,
                     uint64_t now_ns, nw_task_info *out)
{
    uint64_t started_ns = 0;

    *out = (nw_task_info){
        .task = {task->job.id},
        .function = task->job.function_name,
        .priority = task->priority,
        .age_ns = now_ns > task->accepted_ns ? now_ns - task->accepted_ns : 0,
    };
    switch ((enum nwpool__place)task->place) {
    case NWPOOL__QUEUED:
        out->state = NW_TASK_QUEUED;
        return;
    case NWPOOL__IN_LANE: {
        struct nwpool__worker *worker = nwpool__worker_find(pool, task->worker);
        bool running = false;

        if (worker != NULL) {
            running = nw__lane_started(worker->lane, &task->job, &started_ns);
        }
        out->worker = task->worker;
        out->state = NW_TASK_ASSIGNED;
        if (running) {
            out->state = atomic_load(&task->ending) != NW_OK ? NW_TASK_ENDING
                                                             : NW_TASK_RUNNING;
        }
        break;
    }
    case NWPOOL__ORPHANED:
        out->worker = task->worker;
        out->state = NW_TASK_ENDING;
        started_ns = task->job.started_ns;
        break;
    case NWPOOL__ENDED:
        out->worker = task->worker;
        out->state = NW_TASK_FINISHED;
        return;
    }
    if (started_ns != 0 && now_ns > started_ns) {
        out->run_ns = now_ns - started_ns;
    }
}

// Caller holds the lock.
static void list(const nwpool *pool, nw_task_info *out)
{
    uint64_t now_ns = nw__now_ns();
    size_t count = 0;

    for (uint32_t i = 0; i < pool->table_buckets; i++) {
        for (const struct nwpool__task *task = pool->table[i]; task != NULL;
             task = task->table_next) {
            describe(pool, task, now_ns, &out[count++]);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t first = ((const nw_task_info *)a)->task.value;
    uint64_t second = ((const nw_task_info *)b)->task.value;

    return (first > second) - (first < second);
}

nw_status nwpool_list_tasks(nwpool *pool, nw_task_info *out, size_t max,
                            size_t *count)
{
    nw_task_info *all;
    size_t total;

    nw__detail_clear();
    if (count != NULL) {
        *count = 0;
    }
    if (pool == NULL || count == NULL || (out == NULL && max > 0)) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&pool->lock);
    total = pool->table_count;
    all = max > 0 ? nw__alloc((total + 1) * sizeof(*all)) : NULL;
    if (all != NULL) {
        list(pool, all);
    }
    nw__mutex_unlock(&pool->lock);

    if (max > 0 && all == NULL) {
        return NW_ENOMEM;
    }
    if (all != NULL) {
        qsort(all, total, sizeof(*all), compare);
        memcpy(out, all, (total < max ? total : max) * sizeof(*all));
        nw__free(all);
    }
    *count = total;
    return NW_OK;
}

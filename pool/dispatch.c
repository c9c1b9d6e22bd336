// Design notes.
//
// One queue, and workers that pull from it. How much a worker takes at a time
// is what it will be done with soon, by the smoothed run time of its tasks,
// and never more than its share: short tasks amortise the lock over a batch,
// long ones are taken singly, and what was taken too early is stolen.
//
// A lane goes idle only while the lock is held and there is nothing in the
// queue and nothing to steal, and a submitter looks for idle lanes under the
// same lock: no wake can be missed.
//
// Lock order: pool.lock > lane.lock.

#include "pool/internal.h"

#include "src/hooks.h"

// Work that a lane takes at a time.
#define BATCH_NS  100000
#define BATCH_MAX 128

// -- idle lanes. Each holds a reference of its own while it is in the stack.

static void idle_push(nwpool *pool, struct nw__lane *lane)
{
    if (!lane->idle) {
        nw__lane_ref(lane);
        lane->idle = true;
        lane->idle_next = pool->idle;
        pool->idle = lane;
    }
}

struct nw__lane *nwpool__idle_pop(nwpool *pool)
{
    struct nw__lane *lane = pool->idle;

    if (lane != NULL) {
        pool->idle = lane->idle_next;
        lane->idle_next = NULL;
        lane->idle = false;
    }
    return lane;
}

void nwpool__idle_remove(nwpool *pool, struct nw__lane *lane)
{
    struct nw__lane **link = &pool->idle;

    if (!lane->idle) {
        return;
    }
    while (*link != lane) {
        link = &(*link)->idle_next;
    }
    *link = lane->idle_next;
    lane->idle_next = NULL;
    lane->idle = false;
    nw__lane_unref(lane);
}

// -- batches

static uint32_t batch_size(const nwpool *pool, const struct nw__lane *lane)
{
    uint32_t workers = pool->ready_count > 0 ? pool->ready_count : 1;
    uint32_t share = (pool->queue.count + workers - 1) / workers;
    uint32_t size = lane->task_ns > 0 ? BATCH_NS / lane->task_ns : 1;

    if (size > BATCH_MAX) {
        size = BATCH_MAX;
    }
    if (size > share) {
        size = share;
    }
    return size > 0 ? size : 1;
}

// Caller holds the lock.
static void take_from_queue(nwpool *pool, uint32_t count,
                            struct nw__job_list *out)
{
    for (; count > 0 && pool->queue.head != NULL; count--) {
        nw__job_list_push(out, nw__job_list_pop(&pool->queue));
    }
}

// Caller holds the lock.
static void steal(nwpool *pool, const struct nw__lane *thief,
                  struct nw__job_list *out)
{
    for (uint32_t i = 0; i < pool->slot_count && out->head == NULL; i++) {
        struct nw__lane *victim = pool->slots[i].lane;

        if (victim != NULL && victim != thief) {
            nw__lane_steal(victim, false, out);
        }
    }
}

static bool pull(void *owner, struct nw__lane *lane)
{
    struct nwpool__slot *slot = owner;
    nwpool *pool = slot->pool;
    struct nw__job_list jobs = {0};
    struct nw__lane *wake = NULL;
    bool pulled = false;

    nw__mutex_lock(&pool->lock);
    if (slot->state == NWPOOL__SLOT_READY && slot->lane == lane) {
        take_from_queue(pool, batch_size(pool, lane), &jobs);
        if (jobs.head == NULL) {
            steal(pool, lane, &jobs);
        }
        // Another lane may find work: in the queue, or in what this one took.
        if (pool->queue.head != NULL || jobs.count > 1) {
            wake = nwpool__idle_pop(pool);
        }
        if (jobs.head == NULL) {
            idle_push(pool, lane);
        } else if (nw__lane_push(lane, &jobs)) {
            pulled = true;
        } else {
            nw__job_list_prepend(&pool->queue, &jobs);
        }
    }
    nw__mutex_unlock(&pool->lock);

    if (wake != NULL) {
        nw__lane_wake(wake);
        nw__lane_unref(wake);
    }
    return pulled;
}

static void settled(void *owner, struct nw__lane *lane, struct nw__job *job)
{
    struct nwpool__slot *slot = owner;
    uint64_t run_ns = job->ended_ns - job->started_ns;

    if (run_ns > UINT32_MAX) {
        run_ns = UINT32_MAX;
    }
    // Half of what was and half of what is: long tasks after short ones show
    // at once, which is when a large batch would hurt.
    lane->task_ns = (uint32_t)(lane->task_ns / 2 + run_ns / 2 + 1);
    lane->done++;
    nwpool__finish(slot->pool, job);
}

// Nobody listens yet.
static nw_status sent(void *owner, struct nw__lane *lane, uint64_t id,
                      struct nw__message *value)
{
    (void)owner;
    (void)lane;
    (void)id;
    nw__message_fini(value);
    return NW_OK;
}

static void ready(void *owner, struct nw__lane *lane)
{
    struct nwpool__slot *slot = owner;
    nwpool *pool = slot->pool;

    nw__mutex_lock(&pool->lock);
    // A pool that failed meanwhile stays failed.
    if (slot->lane == lane && slot->state == NWPOOL__SLOT_STARTING &&
        !pool->failed) {
        slot->state = NWPOOL__SLOT_READY;
        pool->ready_count++;
        // With tasks waiting it has yet to show that it can run them.
        if (pool->queue.head == NULL) {
            nwpool__forgive(pool);
        }
    }
    nw__mutex_unlock(&pool->lock);
}

static void boot_failed(void *owner, struct nw__lane *lane,
                        struct nw__message *record)
{
    struct nwpool__slot *slot = owner;

    nw__mutex_lock(&slot->pool->lock);
    if (slot->lane == lane) {
        slot->boot_failed = true;
        nw__message_fini(&slot->record);
        nw__message_move(&slot->record, record);
    }
    nw__mutex_unlock(&slot->pool->lock);
}

static void died(void *owner, struct nw__lane *lane,
                 struct nw__job_list *assigned, struct nw__job_list *running)
{
    struct nwpool__slot *slot = owner;
    nwpool *pool = slot->pool;
    struct nw__job_list doomed = {0};
    struct nw__lane *wake = NULL;

    nw__mutex_lock(&pool->lock);
    NW_ASSERT(slot->lane == lane);
    if (slot->state == NWPOOL__SLOT_READY) {
        pool->ready_count--;
        slot->was_ready = true;
    }
    slot->state = NWPOOL__SLOT_DYING;
    nwpool__idle_remove(pool, lane);
    if (pool->destroying || pool->failed) {
        // Whoever ended the pool has emptied the queue and will not look
        // again; what this lane still held ends here.
        nw__job_list_append(&doomed, assigned);
        nw__job_list_append(&doomed, running);
    } else {
        slot->orphan = nw__job_list_pop(running); // One at a time.
        nw__job_list_prepend(&pool->queue, assigned);
        if (pool->queue.head != NULL) {
            wake = nwpool__idle_pop(pool);
        }
    }
    nw__mutex_unlock(&pool->lock);

    nwpool__end_jobs(pool, &doomed);
    if (wake != NULL) {
        nw__lane_wake(wake);
        nw__lane_unref(wake);
    }
}

const struct nw__lane_source nwpool__lane_source = {
    .pull = pull,
    .settled = settled,
    .sent = sent,
    .ready = ready,
    .boot_failed = boot_failed,
    .died = died,
};

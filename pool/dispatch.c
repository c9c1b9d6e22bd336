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
// A worker that may run several tasks at a time takes them one by one once it
// runs any: what it took beside one that computes would wait for that.
//
// Lock order: pool.lock > lane.lock.

#include "pool/internal.h"

#include "src/hooks.h"

// Work that a lane takes at a time.
#define BATCH_NS 100000

// -- errands

void nwpool__errand_wake(struct nwpool__errands *errands, struct nw__lane *lane)
{
    if (errands->wake_count == NWPOOL__WAKES_MAX) {
        nw__lane_wake(lane);
        return;
    }
    nw__lane_ref(lane);
    errands->wakes[errands->wake_count++] = lane;
}

void nwpool__errands_run(nwpool *pool, struct nwpool__errands *errands)
{
    struct nw__job *job;

    for (uint32_t i = 0; i < errands->wake_count; i++) {
        nw__lane_wake(errands->wakes[i]);
        nw__lane_unref(errands->wakes[i]);
    }
    errands->wake_count = 0;
    while ((job = nw__job_list_pop(&errands->ended)) != NULL) {
        nwpool__finish(pool, job);
    }
}

// -- idle lanes. Each holds a reference of its own while it is in the stack.

static void idle_push(struct nwpool__worker *worker)
{
    nwpool *pool = worker->pool;
    struct nw__lane *lane = worker->lane;

    // One with tasks that await asks again while it is there.
    if (!lane->idle) {
        nw__lane_ref(lane);
        lane->idle = true;
        lane->idle_next = pool->idle;
        pool->idle = lane;
    }
    if (pool->target > pool->options.workers_min) {
        worker->idle_ns = nw__now_ns();
        if (!worker->idle_armed) {
            worker->idle_armed = true;
            nwpool__clock_add(
                pool, worker->idle_ns + pool->options.idle_ms * NW__NS_PER_MS,
                NWPOOL__AT_IDLE, worker->number);
        }
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

// One that runs nothing. Caller holds the lock.
static struct nw__lane *idle_pop_free(nwpool *pool)
{
    struct nw__lane *lane = pool->idle;

    while (lane != NULL && !nw__lane_is_free(lane)) {
        lane = lane->idle_next;
    }
    if (lane != NULL) {
        nw__lane_ref(lane);
        nwpool__idle_remove(pool, lane);
    }
    return lane;
}

// Where only tasks wait that are to be run alone, one that has others beside
// could do nothing but wake the next like it.
void nwpool__wake_one(nwpool *pool, struct nwpool__errands *errands)
{
    struct nw__lane *lane = NULL;

    if (pool->queue.count > 0) {
        lane = nwpool__idle_pop(pool);
    } else if (pool->suspects.count > 0) {
        lane = idle_pop_free(pool);
    }
    if (lane != NULL) {
        nwpool__errand_wake(errands, lane);
        nw__lane_unref(lane);
    }
}

// -- batches

static uint32_t batch_size(const nwpool *pool, const struct nw__lane *lane)
{
    uint32_t ready = pool->counts[NWPOOL__READY];
    uint32_t workers = ready > 0 ? ready : 1;
    uint32_t share = (pool->queue.count + workers - 1) / workers;
    uint32_t size = lane->task_ns > 0 ? BATCH_NS / lane->task_ns : 1;

    if (lane->busy > 0 || size == 0) {
        return 1;
    }
    if (size > NWPOOL__BATCH_MAX) {
        size = NWPOOL__BATCH_MAX;
    }
    return size < share ? size : (share > 0 ? share : 1);
}

void nwpool__assign(struct nwpool__worker *worker, struct nw__job *job,
                    uint64_t *now_ns, struct nw__job_list *out)
{
    struct nwpool__task *task = nwpool__task_of(job);

    task->place = NWPOOL__IN_LANE;
    task->worker = worker->number;
    nw__job_list_push(out, job);
    if (task->run_limit_ms == 0 || task->limit_armed) {
        return;
    }
    if (*now_ns == 0) {
        *now_ns = nw__now_ns();
    }
    task->limit_armed = true;
    nwpool__clock_add(worker->pool,
                      *now_ns + task->run_limit_ms * NW__NS_PER_MS,
                      NWPOOL__AT_LIMIT, job->id);
}

// Caller holds the lock.
static void take(struct nwpool__worker *worker, struct nw__job_list *out)
{
    nwpool *pool = worker->pool;
    uint64_t now_ns = 0;

    if (pool->suspects.head != NULL && worker->lane->busy == 0) {
        worker->alone = true;
        nwpool__assign(worker, nw__job_list_pop(&pool->suspects), &now_ns, out);
        return;
    }
    for (uint32_t count = batch_size(pool, worker->lane);
         count > 0 && pool->queue.count > 0; count--) {
        nwpool__assign(worker, nwpool__queue_pop(pool), &now_ns, out);
    }
}

// Caller holds the lock.
static void steal(struct nwpool__worker *thief, struct nw__job_list *out)
{
    for (struct nwpool__worker *victim = thief->pool->workers;
         victim != NULL && out->head == NULL; victim = victim->next) {
        if (victim != thief) {
            nw__lane_steal(victim->lane, false, out);
        }
    }
    for (struct nw__job *job = out->head; job != NULL; job = job->next) {
        nwpool__task_of(job)->worker = thief->number;
    }
}

// Whether the worker takes nothing more until what it runs has ended, for the
// sake of a task that has to run alone: one worker at a time does, so that such a
// task does not wait for ever where all are always busy. Caller holds the lock.
static bool makes_room(struct nwpool__worker *worker)
{
    nwpool *pool = worker->pool;

    if (pool->suspects.head == NULL || worker->lane->busy == 0) {
        if (pool->drainer == worker->number) {
            pool->drainer = 0;
        }
        return false;
    }
    if (pool->drainer == 0) {
        pool->drainer = worker->number;
    }
    return pool->drainer == worker->number;
}

// Caller holds the lock. False: nothing, and the lane is idle.
static bool pull_ready(struct nwpool__worker *worker,
                       struct nwpool__errands *errands)
{
    nwpool *pool = worker->pool;
    struct nw__job_list jobs = {0};

    if ((worker->alone && worker->lane->busy > 0) || makes_room(worker)) {
        return false; // It is asked again when a task of it has ended.
    }
    worker->alone = false;
    take(worker, &jobs);
    if (jobs.head == NULL) {
        steal(worker, &jobs);
    }
    // Another lane may find work: in the queue, or in what this one took.
    if (jobs.count > 1) {
        struct nw__lane *other = nwpool__idle_pop(pool);

        if (other != NULL) {
            nwpool__errand_wake(errands, other);
            nw__lane_unref(other);
        }
    } else {
        nwpool__wake_one(pool, errands);
    }
    if (jobs.head == NULL) {
        idle_push(worker);
        return false;
    }
    if (nw__lane_push(worker->lane, &jobs)) {
        return true;
    }
    nwpool__queue_put_back(pool, &jobs);
    return false;
}

static bool wants_clock(const nwpool *pool)
{
    return pool->options.recycle_ms > 0;
}

static bool pull(void *owner, struct nw__lane *lane)
{
    struct nwpool__worker *worker = owner;
    nwpool *pool = worker->pool;
    uint64_t now_ns = wants_clock(pool) ? nw__now_ns() : 0;
    struct nwpool__errands errands = {0};
    bool pulled = false;

    nw__mutex_lock(&pool->lock);
    if (worker->state == NWPOOL__READY &&
        !nwpool__is_due(worker, now_ns, &errands)) {
        pulled = pull_ready(worker, &errands);
    }
    if (worker->state == NWPOOL__RETIRING && nw__lane_is_free(lane)) {
        nwpool__worker_tell(worker);
    }
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
    return pulled;
}

static void settled(void *owner, struct nw__lane *lane, struct nw__job *job)
{
    struct nwpool__worker *worker = owner;
    uint64_t run_ns = job->ended_ns - job->started_ns;

    if (run_ns > UINT32_MAX) {
        run_ns = UINT32_MAX;
    }
    // Half of what was and half of what is: long tasks after short ones show
    // at once, which is when a large batch would hurt.
    lane->task_ns = (uint32_t)(lane->task_ns / 2 + run_ns / 2 + 1);
    lane->done++;
    atomic_store(&nwpool__task_of(job)->settled, true);
    nwpool__settle_ending(nwpool__task_of(job));
    nwpool__finish(worker->pool, job);
}

static nw_status sent(void *owner, struct nw__lane *lane, uint64_t id,
                      struct nw__message *value)
{
    struct nwpool__worker *worker = owner;

    (void)lane;
    return nwpool__sent(worker->pool, id, value);
}

static void ready(void *owner, struct nw__lane *lane)
{
    struct nwpool__worker *worker = owner;
    nwpool *pool = worker->pool;
    struct nwpool__errands errands = {0};

    (void)lane;
    nw__mutex_lock(&pool->lock);
    // A pool that failed meanwhile stays failed.
    if (worker->state == NWPOOL__STARTING && !pool->failed &&
        !pool->destroying) {
        worker->ready_ns = nw__now_ns();
        nwpool__worker_set_state(worker, NWPOOL__SPARE);
        nwpool__tell(pool,
                     &(struct nwpool__happening){.type = NWPOOL_WORKER_READY,
                                                 .worker = worker->number,
                                                 .reason = ""});
        if (pool->options.recycle_ms > 0) {
            nwpool__clock_add(pool,
                              worker->ready_ns +
                                  pool->options.recycle_ms * NW__NS_PER_MS,
                              NWPOOL__AT_AGE, worker->number);
        }
        // With tasks waiting it has yet to show that it can run them.
        if (!nwpool__has_waiting(pool)) {
            nwpool__forgive(pool);
        }
        nwpool__balance(pool, &errands);
        nw__cond_wake_all(&pool->changed);
    }
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
}

static void boot_failed(void *owner, struct nw__lane *lane,
                        struct nw__message *record)
{
    struct nwpool__worker *worker = owner;

    (void)lane;
    nw__mutex_lock(&worker->pool->lock);
    worker->boot_failed = true;
    nw__message_fini(&worker->record);
    nw__message_move(&worker->record, record);
    nw__mutex_unlock(&worker->pool->lock);
}

static void died(void *owner, struct nw__lane *lane,
                 struct nw__job_list *assigned, struct nw__job_list *running)
{
    struct nwpool__worker *worker = owner;
    nwpool *pool = worker->pool;
    struct nwpool__errands errands = {0};

    (void)lane;
    nw__mutex_lock(&pool->lock);
    nwpool__worker_gone(worker, running);
    if (pool->destroying || pool->failed) {
        // Whoever ended the pool has emptied the queue and will not look
        // again; what this lane still held ends here.
        nw__job_list_append(assigned, running);
        nwpool__end_unrun(pool, assigned, &errands);
    } else {
        nwpool__end_pinned(assigned, &errands);
        for (struct nw__job *job = running->head; job != NULL;
             job = job->next) {
            nwpool__task_of(job)->place = NWPOOL__ORPHANED;
        }
        nw__job_list_append(&worker->orphans, running);
        nwpool__queue_put_back(pool, assigned);
        nwpool__balance(pool, &errands);
        nwpool__wake_one(pool, &errands);
    }
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
}

static void parked(void *owner, struct nw__lane *lane,
                   struct nw__job_list *assigned, struct nw__job_list *running,
                   uint32_t parked)
{
    struct nwpool__worker *worker = owner;
    nwpool *pool = worker->pool;
    struct nwpool__errands errands = {0};

    (void)lane;
    nw__mutex_lock(&pool->lock);
    if (pool->destroying || pool->failed) {
        nw__job_list_append(assigned, running);
        nwpool__end_unrun(pool, assigned, &errands);
    } else {
        nwpool__end_pinned(assigned, &errands);
    }
    nwpool__worker_parked(worker, assigned, running, parked, &errands);
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
}

const struct nw__lane_source nwpool__lane_source = {
    .pull = pull,
    .settled = settled,
    .sent = sent,
    .ready = ready,
    .boot_failed = boot_failed,
    .died = died,
    .parked = parked,
};

// When to look at what. One heap of deadlines for a pool and one timer that is
// set to the first of them. An entry names a task or a worker by its number; when
// its time has come whoever looks finds it gone, or not in that state any more,
// and nothing happens. So nothing has to be taken out, and nothing points at
// what may be freed.
//
// Room for the entries is made when a task is accepted or a worker started, so
// that adding one never fails: those of what is gone make place when it is
// needed. Limits and steps are for tasks that are with a worker, so their room is
// the worker's, and what waits costs an entry only if it can expire.
//
// Lock order: pool.lock > the timers' own.

#include "pool/internal.h"

// Most entries that are of any use: for a task with a worker its limit and one
// step of its end, for a worker each type once, and those that have no id.
#define ENTRIES_OF_WORKER 5
#define ENTRIES_OF_POOL   8

#define CAPACITY_MIN 64

static void swap(struct nwpool__deadline *a, struct nwpool__deadline *b)
{
    struct nwpool__deadline old = *a;

    *a = *b;
    *b = old;
}

static void sift_up(struct nwpool__clock *clock, uint32_t index)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;

        if (clock->heap[parent].at_ns <= clock->heap[index].at_ns) {
            return;
        }
        swap(&clock->heap[parent], &clock->heap[index]);
        index = parent;
    }
}

static void sift_down(struct nwpool__clock *clock, uint32_t index)
{
    for (;;) {
        uint32_t first = index;

        for (uint32_t child = 2 * index + 1; child <= 2 * index + 2; child++) {
            if (child < clock->count &&
                clock->heap[child].at_ns < clock->heap[first].at_ns) {
                first = child;
            }
        }
        if (first == index) {
            return;
        }
        swap(&clock->heap[index], &clock->heap[first]);
        index = first;
    }
}

static struct nwpool__deadline pop(struct nwpool__clock *clock)
{
    struct nwpool__deadline first = clock->heap[0];

    clock->heap[0] = clock->heap[--clock->count];
    sift_down(clock, 0);
    return first;
}

// -- room

static bool is_step(enum nwpool__deadline_type type)
{
    return type == NWPOOL__AT_ESCALATE || type == NWPOOL__AT_INTERRUPT ||
           type == NWPOOL__AT_END;
}

static bool is_of_task(enum nwpool__deadline_type type)
{
    return type == NWPOOL__AT_EXPIRY || type == NWPOOL__AT_LIMIT ||
           is_step(type);
}

static bool is_of_worker(enum nwpool__deadline_type type)
{
    return type == NWPOOL__AT_BOOT || type == NWPOOL__AT_LEAVE ||
           type == NWPOOL__AT_WEDGED || type == NWPOOL__AT_IDLE ||
           type == NWPOOL__AT_AGE;
}

// One that is of none is forgotten: the task knows of it no more.
static bool is_of_use(const nwpool *pool,
                      const struct nwpool__deadline *deadline)
{
    struct nwpool__task *task;

    if (is_of_worker(deadline->type)) {
        return nwpool__worker_find(pool, (uint32_t)deadline->id) != NULL;
    }
    if (!is_of_task(deadline->type)) {
        return true;
    }
    task = nwpool__table_find(pool, deadline->id);
    if (task == NULL || task->place == NWPOOL__ENDED ||
        atomic_load(&task->settled)) {
        return false;
    }
    if (deadline->type == NWPOOL__AT_EXPIRY) {
        return !task->suspect;
    }
    if (task->place == NWPOOL__IN_LANE) {
        return true;
    }
    if (deadline->type == NWPOOL__AT_LIMIT) {
        task->limit_armed = false;
    } else {
        task->extra->step_armed = false;
    }
    return false;
}

static void compact(nwpool *pool)
{
    struct nwpool__clock *clock = &pool->clock;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < clock->count; i++) {
        if (is_of_use(pool, &clock->heap[i])) {
            clock->heap[kept++] = clock->heap[i];
        }
    }
    clock->count = kept;
    for (uint32_t i = kept / 2; i-- > 0;) {
        sift_down(clock, i);
    }
}

bool nwpool__clock_reserve(nwpool *pool, uint32_t more)
{
    struct nwpool__clock *clock = &pool->clock;
    uint64_t of_worker = ENTRIES_OF_WORKER + 2 * ((uint64_t)NWPOOL__BATCH_MAX +
                                                  pool->options.concurrency);
    uint64_t of_use = (uint64_t)pool->clock_room + more + ENTRIES_OF_POOL +
                      of_worker * (pool->live_count + 1);
    // A quarter more: so much at least is free after a compaction, which
    // therefore looks at five entries or fewer for each that was added.
    uint64_t needed = of_use + of_use / 4;
    uint64_t capacity = clock->capacity + clock->capacity / 4;
    struct nwpool__deadline *larger;

    if (needed <= clock->capacity) {
        return true;
    }
    if (capacity < needed) {
        capacity = needed > CAPACITY_MIN ? needed : CAPACITY_MIN;
    }
    larger = nw__realloc(clock->heap, (size_t)capacity * sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    clock->heap = larger;
    clock->capacity = (uint32_t)capacity;
    return true;
}

// -- entries

// Not any more once the pool is being destroyed, which has stopped it for good.
static void set_timer(nwpool *pool)
{
    if (pool->clock.count > 0 && !pool->destroying) {
        nw__timer_set(&pool->clock.timer, pool->clock.heap[0].at_ns);
    }
}

void nwpool__clock_add(nwpool *pool, uint64_t at_ns,
                       enum nwpool__deadline_type type, uint64_t id)
{
    struct nwpool__clock *clock = &pool->clock;

    if (clock->count == clock->capacity) {
        compact(pool);
    }
    NW_ASSERT(clock->count < clock->capacity);
    clock->heap[clock->count] =
        (struct nwpool__deadline){.at_ns = at_ns, .type = type, .id = id};
    clock->count++;
    sift_up(clock, clock->count - 1);
    if (clock->heap[0].type == type && clock->heap[0].id == id) {
        set_timer(pool);
    }
}

void nwpool__clock_drop_step(nwpool *pool, uint64_t id)
{
    struct nwpool__clock *clock = &pool->clock;
    uint32_t index = 0;

    while (index < clock->count &&
           !(is_step(clock->heap[index].type) && clock->heap[index].id == id)) {
        index++;
    }
    if (index < clock->count) {
        clock->heap[index] = clock->heap[--clock->count];
        if (index < clock->count) {
            sift_up(clock, index);
            sift_down(clock, index);
        }
    }
}

// -- what is due

static void look_at_worker(nwpool *pool, const struct nwpool__deadline *due,
                           uint64_t now_ns, struct nwpool__errands *errands)
{
    struct nwpool__worker *worker =
        nwpool__worker_find(pool, (uint32_t)due->id);

    if (worker == NULL) {
        return;
    }
    switch (due->type) {
    case NWPOOL__AT_BOOT:
        if (worker->state == NWPOOL__STARTING) {
            nwpool__worker_terminate(
                worker, "its module was not loaded and set up in %u ms",
                pool->options.set_up_ms);
            nwpool__balance(pool, errands);
        }
        break;
    case NWPOOL__AT_LEAVE:
        nwpool__worker_took_too_long(worker);
        break;
    case NWPOOL__AT_WEDGED:
        nwpool__worker_give_up(worker, errands);
        break;
    case NWPOOL__AT_IDLE:
        worker->idle_armed = false;
        nwpool__look_at_idle(worker, now_ns, errands);
        break;
    case NWPOOL__AT_AGE:
        // It looks itself, between two tasks.
        if (worker->lane->idle) {
            nwpool__idle_remove(pool, worker->lane);
            nw__lane_wake(worker->lane);
        }
        break;
    default:
        break;
    }
}

static void look_at_pool(nwpool *pool, enum nwpool__deadline_type type,
                         uint64_t now_ns, struct nwpool__errands *errands)
{
    if (type == NWPOOL__AT_GROW) {
        pool->grow_armed = false;
        if (nwpool__has_waiting(pool) && pool->idle == NULL) {
            nwpool__grow(pool, now_ns, errands);
        }
    } else if (type == NWPOOL__AT_RESTART) {
        pool->restart_armed = false;
        nwpool__balance(pool, errands);
    }
}

static void look_at(nwpool *pool, const struct nwpool__deadline *due,
                    uint64_t now_ns, struct nwpool__errands *errands)
{
    switch (due->type) {
    case NWPOOL__AT_EXPIRY:
        nwpool__on_expiry(pool, due->id, errands);
        break;
    case NWPOOL__AT_LIMIT:
        nwpool__on_limit(pool, due->id, now_ns, errands);
        break;
    case NWPOOL__AT_ESCALATE:
        nwpool__on_escalate(pool, due->id, now_ns, errands);
        break;
    case NWPOOL__AT_INTERRUPT:
        nwpool__on_interrupt(pool, due->id, now_ns, errands);
        break;
    case NWPOOL__AT_END:
        nwpool__on_end(pool, due->id, now_ns, errands);
        break;
    case NWPOOL__AT_HEALTH:
        pool->health_armed = false;
        nwpool__look_at_health(pool, now_ns);
        break;
    default:
        if (is_of_worker(due->type)) {
            look_at_worker(pool, due, now_ns, errands);
        } else {
            look_at_pool(pool, due->type, now_ns, errands);
        }
        break;
    }
}

// The timers' thread.
static void tick(struct nw__timer *timer)
{
    nwpool *pool = NW_CONTAINER_OF(timer, nwpool, clock.timer);
    struct nwpool__errands errands = {0};
    uint64_t now_ns = nw__now_ns();

    nw__mutex_lock(&pool->lock);
    while (pool->clock.count > 0 && pool->clock.heap[0].at_ns <= now_ns &&
           !pool->destroying) {
        struct nwpool__deadline due = pop(&pool->clock);

        look_at(pool, &due, now_ns, &errands);
    }
    set_timer(pool);
    nw__mutex_unlock(&pool->lock);
    nwpool__errands_run(pool, &errands);
}

void nwpool__clock_init(nwpool *pool)
{
    nw__timer_init(&pool->clock.timer, tick);
}

nw_status nwpool__clock_start(nwpool *pool)
{
    return nw__timer_set(&pool->clock.timer, nw__now_ns());
}

void nwpool__clock_stop(nwpool *pool)
{
    nw__timer_cancel_wait(&pool->clock.timer);
}

void nwpool__clock_fini(nwpool *pool)
{
    nw__free(pool->clock.heap);
}

// Design notes.
//
// Pull, not push: a submitter does not choose a worker, so a batch is cut when
// a worker is there to run it, nothing waits behind a slow neighbour for
// longer than it takes an idle worker to steal it, and the submit path has one
// lock and at most one wake.
//
// Lock order: source's lock > lane.lock. The wake function is called under
// lane.lock, which is what makes it safe against the end of the environment.

#include "src/lane.h"

void nw__job_list_push(struct nw__job_list *list, struct nw__job *job)
{
    job->next = NULL;
    if (list->tail != NULL) {
        list->tail->next = job;
    } else {
        list->head = job;
    }
    list->tail = job;
    list->count++;
}

struct nw__job *nw__job_list_pop(struct nw__job_list *list)
{
    struct nw__job *job = list->head;

    if (job != NULL) {
        list->head = job->next;
        if (list->head == NULL) {
            list->tail = NULL;
        }
        job->next = NULL;
        list->count--;
    }
    return job;
}

void nw__job_list_append(struct nw__job_list *list, struct nw__job_list *from)
{
    if (from->head == NULL) {
        return;
    }
    if (list->tail != NULL) {
        list->tail->next = from->head;
    } else {
        list->head = from->head;
    }
    list->tail = from->tail;
    list->count += from->count;
    *from = (struct nw__job_list){0};
}

void nw__job_list_prepend(struct nw__job_list *list, struct nw__job_list *from)
{
    nw__job_list_append(from, list);
    *list = *from;
    *from = (struct nw__job_list){0};
}

void nw__job_list_split_tail(struct nw__job_list *from, uint32_t count,
                             struct nw__job_list *to)
{
    struct nw__job_list tail = {0};
    struct nw__job *last = NULL;
    struct nw__job *job = from->head;

    NW_ASSERT(count <= from->count);
    for (uint32_t keep = from->count - count; keep > 0; keep--) {
        last = job;
        job = job->next;
    }
    if (count > 0) {
        tail = (struct nw__job_list){job, from->tail, count};
        from->tail = last;
        from->count -= count;
        if (last != NULL) {
            last->next = NULL;
        } else {
            from->head = NULL;
        }
    }
    nw__job_list_append(to, &tail);
}

struct nw__lane *nw__lane_create(uint32_t number, const char *module,
                                 const char *pool_name,
                                 const struct nw__lane_source *source,
                                 void *owner)
{
    struct nw__lane *lane = nw__alloc_zero(sizeof(*lane));

    if (lane == NULL) {
        return NULL;
    }
    nw__mutex_init(&lane->lock);
    lane->number = number;
    lane->module = module;
    lane->pool_name = pool_name;
    lane->source = source;
    lane->owner = owner;
    lane->references = 1;
    return lane;
}

void nw__lane_ref(struct nw__lane *lane)
{
    nw__mutex_lock(&lane->lock);
    lane->references++;
    nw__mutex_unlock(&lane->lock);
}

void nw__lane_unref(struct nw__lane *lane)
{
    uint32_t left;

    if (lane == NULL) {
        return;
    }
    nw__mutex_lock(&lane->lock);
    left = --lane->references;
    nw__mutex_unlock(&lane->lock);

    if (left == 0) {
        NW_ASSERT(lane->assigned.head == NULL && lane->running == NULL);
        nw__mutex_fini(&lane->lock);
        nw__free(lane);
    }
}

bool nw__lane_push(struct nw__lane *lane, struct nw__job_list *jobs)
{
    bool open;

    nw__mutex_lock(&lane->lock);
    open = !lane->closed;
    if (open) {
        nw__job_list_append(&lane->assigned, jobs);
    }
    nw__mutex_unlock(&lane->lock);

    return open;
}

void nw__lane_steal(struct nw__lane *lane, bool all, struct nw__job_list *out)
{
    uint32_t count;

    nw__mutex_lock(&lane->lock);
    count = lane->assigned.count;
    if (!all) {
        // With nothing running, the only job is about to be started.
        count = lane->running != NULL ? (count + 1) / 2 : count / 2;
    }
    nw__job_list_split_tail(&lane->assigned, count, out);
    nw__mutex_unlock(&lane->lock);
}

void nw__lane_wake(struct nw__lane *lane)
{
    nw__mutex_lock(&lane->lock);
    if (lane->wake != NULL) {
        lane->wake(lane->wake_context);
    }
    nw__mutex_unlock(&lane->lock);
}

void nw__lane_count(struct nw__lane *lane, uint64_t *assigned,
                    uint64_t *running)
{
    nw__mutex_lock(&lane->lock);
    *assigned += lane->assigned.count;
    *running += lane->running != NULL ? 1 : 0;
    nw__mutex_unlock(&lane->lock);
}

// Caller holds the lock.
static void take_all(struct nw__lane *lane, struct nw__job_list *assigned,
                     struct nw__job **running)
{
    lane->closed = true;
    *assigned = lane->assigned;
    *running = lane->running;
    lane->assigned = (struct nw__job_list){0};
    lane->running = NULL;
}

void nw__lane_close(struct nw__lane *lane, struct nw__job_list *assigned,
                    struct nw__job **running)
{
    nw__mutex_lock(&lane->lock);
    take_all(lane, assigned, running);
    nw__mutex_unlock(&lane->lock);
}

bool nw__lane_attach(struct nw__lane *lane, void (*wake)(void *context),
                     void *context)
{
    bool attached = false;

    nw__mutex_lock(&lane->lock);
    if (!lane->closed && lane->wake == NULL) {
        lane->wake = wake;
        lane->wake_context = context;
        lane->references++;
        attached = true;
    }
    nw__mutex_unlock(&lane->lock);

    return attached;
}

// Caller holds the lock.
static void start_job(struct nw__lane *lane, struct nw__job *job,
                      uint64_t now_ns, struct nw__run *out)
{
    lane->running = job;
    job->worker = lane->number;
    job->started_ns = now_ns;

    out->job = job;
    out->id = job->id;
    out->function_name = job->function_name;
    out->function = job->function;
    out->started_ns = now_ns;
    nw__message_move(&out->arguments, &job->message);
}

// False when nothing is assigned.
static bool start_assigned(struct nw__lane *lane, uint64_t now_ns,
                           struct nw__run *out)
{
    struct nw__job *job = NULL;

    nw__mutex_lock(&lane->lock);
    NW_ASSERT(lane->running == NULL);
    if (!lane->closed) {
        job = nw__job_list_pop(&lane->assigned);
    }
    if (job != NULL) {
        start_job(lane, job, now_ns, out);
    }
    nw__mutex_unlock(&lane->lock);

    return job != NULL;
}

bool nw__lane_next(struct nw__lane *lane, uint64_t now_ns, struct nw__run *out)
{
    bool started = start_assigned(lane, now_ns, out);

    // A batch that was pulled can be stolen again before we start on it.
    while (!started && lane->source->pull(lane->owner, lane)) {
        started = start_assigned(lane, nw__now_ns(), out);
    }
    return started;
}

bool nw__lane_settle(struct nw__lane *lane, struct nw__job *job,
                     nw_status status, struct nw__message *outcome,
                     uint64_t now_ns)
{
    bool mine;

    nw__mutex_lock(&lane->lock);
    mine = job != NULL && lane->running == job;
    if (mine) {
        lane->running = NULL;
    }
    nw__mutex_unlock(&lane->lock);

    if (!mine) {
        return false;
    }
    nw__message_move(&job->message, outcome);
    job->status = status;
    job->ended_ns = now_ns;
    lane->source->settled(lane->owner, lane, job);
    return true;
}

void nw__lane_detach(struct nw__lane *lane)
{
    struct nw__job_list assigned;
    struct nw__job *running;
    bool first;

    nw__mutex_lock(&lane->lock);
    first = !lane->closed;
    lane->wake = NULL;
    take_all(lane, &assigned, &running);
    nw__mutex_unlock(&lane->lock);

    if (first) {
        lane->source->died(lane->owner, lane, &assigned, running);
    }
    nw__lane_unref(lane);
}

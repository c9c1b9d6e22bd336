// Design notes.
//
// Pull, not push: a submitter does not choose a worker, so a batch is cut when
// a worker is there to run it, nothing waits behind a slow neighbour for
// longer than it takes an idle worker to steal it, and the submit path has one
// lock and at most one wake.
//
// A job that settles is looked for among the running ones, never into: its
// record may be freed or another task's by then. Plain functions, the hot ones,
// are always the youngest.
//
// Lock order: source's lock > lane.lock. The wake and script functions are called
// under lane.lock, which is what makes them safe against the end of the
// environment.

#include "src/lane.h"

// -- lists

void nw__job_list_push(struct nw__job_list *list, struct nw__job *job)
{
    job->next = NULL;
    job->previous = list->tail;
    if (list->tail != NULL) {
        list->tail->next = job;
    } else {
        list->head = job;
    }
    list->tail = job;
    list->count++;
}

void nw__job_list_remove(struct nw__job_list *list, struct nw__job *job)
{
    if (job->previous != NULL) {
        job->previous->next = job->next;
    } else {
        list->head = job->next;
    }
    if (job->next != NULL) {
        job->next->previous = job->previous;
    } else {
        list->tail = job->previous;
    }
    job->next = NULL;
    job->previous = NULL;
    list->count--;
}

struct nw__job *nw__job_list_pop(struct nw__job_list *list)
{
    struct nw__job *job = list->head;

    if (job != NULL) {
        nw__job_list_remove(list, job);
    }
    return job;
}

void nw__job_list_append(struct nw__job_list *list, struct nw__job_list *from)
{
    if (from->head == NULL) {
        return;
    }
    from->head->previous = list->tail;
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
    struct nw__job_list tail = {NULL, from->tail, count};
    struct nw__job *last = from->tail; // That stays.

    NW_ASSERT(count <= from->count);
    for (uint32_t left = count; left > 0; left--) {
        tail.head = last;
        last = last->previous;
    }
    if (count > 0) {
        tail.head->previous = NULL;
        from->tail = last;
        from->count -= count;
        if (last != NULL) {
            last->next = NULL;
        } else {
            from->head = NULL;
        }
        nw__job_list_append(to, &tail);
    }
}

// Whether `job`, a mere name, is in the list.
static bool list_has(const struct nw__job_list *list, const struct nw__job *job)
{
    const struct nw__job *at = list->head;

    if (list->tail == job) {
        return job != NULL;
    }
    while (at != NULL && at != job) {
        at = at->next;
    }
    return at != NULL;
}

// -- life

struct nw__lane *nw__lane_create(const struct nw__lane_options *options)
{
    struct nw__lane *lane = nw__alloc_zero(sizeof(*lane));

    NW_ASSERT(options->concurrency > 0);
    if (lane == NULL) {
        return NULL;
    }
    nw__mutex_init(&lane->lock);
    lane->number = options->number;
    lane->concurrency = options->concurrency;
    lane->module = options->module;
    lane->pool_name = options->pool_name;
    lane->set_up = options->set_up;
    lane->tear_down = options->tear_down;
    lane->source = options->source;
    lane->owner = options->owner;
    lane->references = 1;
    return lane;
}

void nw__lane_ref(struct nw__lane *lane)
{
    nw__mutex_lock(&lane->lock);
    lane->references++;
    nw__mutex_unlock(&lane->lock);
}

static void free_requests(struct nw__lane_request *requests)
{
    while (requests != NULL) {
        struct nw__lane_request *next = requests->next;

        nw__free(requests);
        requests = next;
    }
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
        NW_ASSERT(lane->assigned.head == NULL && lane->running.head == NULL);
        free_requests(lane->requests);
        nw__mutex_fini(&lane->lock);
        nw__free(lane);
    }
}

// -- the source's side

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

static uint32_t count_loose(const struct nw__job *job)
{
    uint32_t count = 0;

    for (; job != NULL; job = job->next) {
        count += job->pinned ? 0 : 1;
    }
    return count;
}

// Moves the last `count` jobs that are not pinned to the end of `out`.
static void take_loose(struct nw__job_list *list, uint32_t count,
                       struct nw__job_list *out)
{
    struct nw__job_list taken = {0};
    struct nw__job *job = list->tail;

    while (count > 0) {
        struct nw__job *previous = job->previous;

        if (!job->pinned) {
            struct nw__job_list one = {0};

            nw__job_list_remove(list, job);
            nw__job_list_push(&one, job);
            nw__job_list_prepend(&taken, &one);
            count--;
        }
        job = previous;
    }
    nw__job_list_append(out, &taken);
}

void nw__lane_steal(struct nw__lane *lane, bool all, struct nw__job_list *out)
{
    const struct nw__job *first;
    uint32_t count;

    nw__mutex_lock(&lane->lock);
    first = lane->assigned.head;
    if (first != NULL && !all && lane->busy == 0) {
        first = first->next; // It is about to be started.
    }
    count = count_loose(first);
    take_loose(&lane->assigned, all ? count : (count + 1) / 2, out);
    nw__mutex_unlock(&lane->lock);
}

bool nw__lane_take_assigned(struct nw__lane *lane, struct nw__job *job)
{
    bool found;

    nw__mutex_lock(&lane->lock);
    found = list_has(&lane->assigned, job);
    if (found) {
        nw__job_list_remove(&lane->assigned, job);
    }
    nw__mutex_unlock(&lane->lock);

    return found;
}

bool nw__lane_take_running(struct nw__lane *lane, struct nw__job *job)
{
    bool found;

    nw__mutex_lock(&lane->lock);
    found = list_has(&lane->running, job);
    if (found) {
        nw__job_list_remove(&lane->running, job);
    }
    nw__mutex_unlock(&lane->lock);

    return found;
}

bool nw__lane_started(struct nw__lane *lane, const struct nw__job *job,
                      uint64_t *started_ns)
{
    const struct nw__job *running;

    nw__mutex_lock(&lane->lock);
    running = lane->running.head;
    while (running != NULL && running != job) {
        running = running->next;
    }
    if (running != NULL && started_ns != NULL) {
        *started_ns = running->started_ns;
    }
    nw__mutex_unlock(&lane->lock);

    return running != NULL;
}

void nw__lane_ask(struct nw__lane *lane, struct nw__lane_request *request)
{
    bool open;

    request->next = NULL;
    nw__mutex_lock(&lane->lock);
    open = !lane->closed;
    if (open) {
        if (lane->requests_last != NULL) {
            lane->requests_last->next = request;
        } else {
            lane->requests = request;
        }
        lane->requests_last = request;
        if (lane->wake != NULL) {
            lane->wake(lane->wake_context);
        }
    }
    nw__mutex_unlock(&lane->lock);

    if (!open) {
        nw__free(request);
    }
}

void nw__lane_interrupt(struct nw__lane *lane, uint64_t id)
{
    nw__mutex_lock(&lane->lock);
    if (lane->script != NULL) {
        lane->script->interrupt(lane->wake_context, id);
    }
    nw__mutex_unlock(&lane->lock);
}

void nw__lane_sample(struct nw__lane *lane, uint64_t id)
{
    nw__mutex_lock(&lane->lock);
    if (lane->script != NULL) {
        lane->script->sample(lane->wake_context, id);
    }
    nw__mutex_unlock(&lane->lock);
}

bool nw__lane_copy_sample(struct nw__lane *lane, uint64_t id, char *text,
                          size_t size)
{
    bool copied = false;

    nw__mutex_lock(&lane->lock);
    if (lane->script != NULL) {
        copied = lane->script->copy_sample(lane->wake_context, id, text, size);
    }
    nw__mutex_unlock(&lane->lock);

    return copied;
}

void nw__lane_wake(struct nw__lane *lane)
{
    nw__mutex_lock(&lane->lock);
    if (lane->wake != NULL) {
        lane->wake(lane->wake_context);
    }
    nw__mutex_unlock(&lane->lock);
}

bool nw__lane_is_free(struct nw__lane *lane)
{
    bool is_free;

    nw__mutex_lock(&lane->lock);
    is_free = lane->busy == 0 && lane->assigned.head == NULL;
    nw__mutex_unlock(&lane->lock);

    return is_free;
}

void nw__lane_count(struct nw__lane *lane, uint64_t *assigned,
                    uint64_t *running)
{
    nw__mutex_lock(&lane->lock);
    *assigned += lane->assigned.count;
    *running += lane->running.count;
    nw__mutex_unlock(&lane->lock);
}

// Caller holds the lock.
static struct nw__lane_request *take_requests(struct nw__lane *lane)
{
    struct nw__lane_request *requests = lane->requests;

    lane->requests = NULL;
    lane->requests_last = NULL;
    return requests;
}

// Returns the requests that nobody will see, to be freed. Caller holds the
// lock.
static struct nw__lane_request *take_all(struct nw__lane *lane,
                                         struct nw__job_list *assigned,
                                         struct nw__job_list *running)
{
    lane->closed = true;
    *assigned = lane->assigned;
    *running = lane->running;
    lane->assigned = (struct nw__job_list){0};
    lane->running = (struct nw__job_list){0};
    return take_requests(lane);
}

void nw__lane_close(struct nw__lane *lane, struct nw__job_list *assigned,
                    struct nw__job_list *running)
{
    struct nw__lane_request *requests;

    nw__mutex_lock(&lane->lock);
    requests = take_all(lane, assigned, running);
    nw__mutex_unlock(&lane->lock);

    free_requests(requests);
}

// -- the worker's side

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

void nw__lane_set_script(struct nw__lane *lane,
                         const struct nw__lane_script *script)
{
    nw__mutex_lock(&lane->lock);
    NW_ASSERT(lane->wake != NULL);
    lane->script = script;
    nw__mutex_unlock(&lane->lock);
}

// Caller holds the lock.
static void start_job(struct nw__lane *lane, struct nw__job *job,
                      uint64_t now_ns, struct nw__run *out)
{
    nw__job_list_push(&lane->running, job);
    lane->busy++;
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
    bool started;

    if (!nw__lane_has_room(lane)) {
        return false;
    }
    started = start_assigned(lane, now_ns, out);
    // A batch that was pulled can be stolen again before we start on it.
    while (!started && lane->source->pull(lane->owner, lane)) {
        started = start_assigned(lane, nw__now_ns(), out);
    }
    return started;
}

bool nw__lane_settle(struct nw__lane *lane, struct nw__job *job, uint64_t id,
                     nw_status status, struct nw__message *outcome,
                     uint64_t now_ns)
{
    bool mine;

    nw__mutex_lock(&lane->lock);
    NW_ASSERT(lane->busy > 0);
    lane->busy--;
    mine = list_has(&lane->running, job) && job->id == id;
    if (mine) {
        nw__job_list_remove(&lane->running, job);
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

struct nw__lane_request *nw__lane_requests(struct nw__lane *lane)
{
    struct nw__lane_request *requests;

    nw__mutex_lock(&lane->lock);
    requests = take_requests(lane);
    nw__mutex_unlock(&lane->lock);

    return requests;
}

// Nobody reaches the worker any more. False when its jobs were taken before.
static bool cut_off(struct nw__lane *lane, struct nw__job_list *assigned,
                    struct nw__job_list *running)
{
    struct nw__lane_request *requests;
    bool first;

    nw__mutex_lock(&lane->lock);
    first = !lane->closed;
    lane->wake = NULL;
    lane->script = NULL;
    requests = take_all(lane, assigned, running);
    nw__mutex_unlock(&lane->lock);

    free_requests(requests);
    return first;
}

void nw__lane_detach(struct nw__lane *lane)
{
    struct nw__job_list assigned;
    struct nw__job_list running;

    if (cut_off(lane, &assigned, &running)) {
        lane->source->died(lane->owner, lane, &assigned, &running);
    }
    nw__lane_unref(lane);
}

void nw__lane_park(struct nw__lane *lane, uint32_t parked)
{
    struct nw__job_list assigned;
    struct nw__job_list running;

    if (cut_off(lane, &assigned, &running)) {
        lane->source->parked(lane->owner, lane, &assigned, &running, parked);
    }
}

// What is told before results: what tasks print and send, and what happens in
// the pool. One list, in the order in which it happened; who delivers takes it
// after it took what is finished and delivers it first, so that what a task did
// is told before its result.
//
// Each kind has a limit of its own. What a worker prints waits in the worker
// beyond it, a task that sends waits in its script, and events are counted.
//
// Lock order: pool.lock > finished_lock.

#include "pool/internal.h"

#include <string.h>

#include "src/error_record.h"
#include "src/events.h"
#include "src/runtime.h"
#include "src/wire.h"

enum notice_type { PRINTED, SENT, EVENT };

struct nwpool__notice {
    struct nwpool__notice *next;
    enum notice_type type;
    union {
        nw_task_output output; // Its data lies behind.
        struct {
            uint64_t task;
            uint64_t index;
            nw_sent_cb *on_sent;
            void *user_data;
            size_t bytes;
        } sent;
        nwpool_event event; // Its reason lies behind.
    } as;
    struct nw__message message; // What was sent, or the record of an error.
    char data[];
};

static struct nwpool__notice *create(enum notice_type type, const void *data,
                                     size_t size)
{
    struct nwpool__notice *notice = nw__alloc(sizeof(*notice) + size);

    if (notice != NULL) {
        memset(notice, 0, sizeof(*notice));
        notice->type = type;
        if (size > 0) {
            memcpy(notice->data, data, size);
        }
    }
    return notice;
}

static void destroy(struct nwpool__notice *notice)
{
    if (notice != NULL) {
        nw__message_fini(&notice->message);
        nw__free(notice);
    }
}

// Caller holds finished_lock.
static void push(nwpool *pool, struct nwpool__notice *notice)
{
    if (pool->notices == NULL) {
        pool->notices = notice;
    } else {
        pool->notices_last->next = notice;
    }
    pool->notices_last = notice;
    nw__cond_wake_one(&pool->finished_changed);
}

// -- output

// Caller holds finished_lock.
static bool has_room(const nwpool *pool, const struct nw__printed *printed)
{
    return printed->force || pool->printed_bytes == 0 ||
           pool->printed_bytes + printed->size <= NW__OUTPUT_BYTES_MAX;
}

bool nwpool__print(nwpool *pool, uint32_t worker,
                   const struct nw__printed *printed)
{
    struct nwpool__notice *notice;
    bool taken;

    if (pool->options.on_output == NULL) {
        return nw__output(printed->fd, printed->data, printed->size,
                          printed->force);
    }
    notice = create(PRINTED, printed->data, printed->size);
    if (notice == NULL) {
        return false;
    }
    notice->as.output = (nw_task_output){
        .task = {printed->task},
        .worker = worker,
        .fd = printed->fd,
        .data = notice->data,
        .data_size = printed->size,
    };
    nw__mutex_lock(&pool->finished_lock);
    taken = has_room(pool, printed);
    if (taken) {
        pool->printed_bytes += printed->size;
        push(pool, notice);
    }
    nw__mutex_unlock(&pool->finished_lock);

    if (taken) {
        nwpool__poke(pool);
    } else {
        destroy(notice);
    }
    return taken;
}

// -- values that tasks send

// Caller holds the pool's lock.
static nw_status count_sent(nwpool *pool, struct nwpool__task *task,
                            struct nwpool__notice *notice)
{
    struct nwpool__extra *extra = task->extra;

    notice->as.sent.task = task->job.id;
    notice->as.sent.index = extra->sent_count++;
    notice->as.sent.on_sent = extra->on_sent;
    notice->as.sent.user_data = task->user_data;
    extra->sent_waiting++;
    extra->sent_bytes += notice->as.sent.bytes;
    nw__mutex_lock(&pool->finished_lock);
    push(pool, notice);
    nw__mutex_unlock(&pool->finished_lock);
    extra->sender_waits = extra->sent_waiting >= NW_TASK_SENT_MAX ||
                          extra->sent_bytes >= NW_TASK_SENT_BYTES_MAX;
    return extra->sender_waits ? NW_EFULL : NW_OK;
}

nw_status nwpool__sent(nwpool *pool, uint64_t id, struct nw__message *value)
{
    struct nwpool__notice *notice = create(SENT, NULL, 0);
    struct nwpool__task *task;
    nw_status status = NW_ENOENT;

    if (notice == NULL) {
        return NW_ENOMEM;
    }
    nw__mutex_lock(&pool->lock);
    task = nwpool__table_find(pool, id);
    if (task != NULL && task->place == NWPOOL__IN_LANE) {
        status = NW_OK;
        if (task->extra != NULL && task->extra->on_sent != NULL) {
            notice->as.sent.bytes = nwpool__message_bytes(value);
            nw__message_move(&notice->message, value);
            status = count_sent(pool, task, notice);
            notice = NULL;
        }
    }
    nw__mutex_unlock(&pool->lock);

    if (notice == NULL) {
        nwpool__poke(pool);
    }
    destroy(notice);
    return status;
}

// Caller holds the lock. There is room again when half of it is.
static void make_room(nwpool *pool, struct nwpool__task *task, size_t bytes)
{
    struct nwpool__extra *extra = task->extra;
    struct nw__lane_request *request;
    struct nwpool__worker *worker;

    extra->sent_waiting--;
    extra->sent_bytes -= bytes;
    if (!extra->sender_waits || extra->sent_waiting > NW_TASK_SENT_MAX / 2 ||
        extra->sent_bytes > NW_TASK_SENT_BYTES_MAX / 2) {
        return;
    }
    worker = task->place == NWPOOL__IN_LANE
                 ? nwpool__worker_find(pool, task->worker)
                 : NULL;
    request = worker != NULL ? nw__alloc_zero(sizeof(*request)) : NULL;
    if (request == NULL) {
        return; // Without memory the next one delivered tries again.
    }
    extra->sender_waits = false;
    request->type = NW__LANE_ROOM;
    request->id = task->job.id;
    nw__lane_ask(worker->lane, request);
}

void nwpool__sent_taken(nwpool *pool, uint64_t id, size_t bytes)
{
    struct nwpool__task *task;

    nw__mutex_lock(&pool->lock);
    task = nwpool__table_find(pool, id);
    if (task != NULL) {
        make_room(pool, task, bytes);
        nwpool__note_sent_delivered(pool, task);
    }
    nw__mutex_unlock(&pool->lock);
}

static void read_sent(nwpool *pool, struct nwpool__notice *notice)
{
    nw_doc *doc = pool->completion_doc;
    nw_sent sent = {.task = {notice->as.sent.task},
                    .index = notice->as.sent.index};
    const char *detail = NULL;
    nw_status status;

    status = nw__wire_read(doc, &notice->message, &sent.value, 1, &detail);
    if (status != NW_OK) {
        sent.value = NULL;
        sent.error =
            nw__error_make(doc, "Error", nw_status_name(status),
                           detail != NULL ? detail : nw_status_message(status));
    }
    if (!nw__runtime_exiting()) {
        notice->as.sent.on_sent(&sent, notice->as.sent.user_data);
    }
    nw_doc_reset(doc);
}

static void deliver_sent(nwpool *pool, struct nwpool__notice *notice)
{
    const struct nwpool__host *host = pool->host;
    bool taken = true;

    if (host != NULL) {
        taken = host->sent(host->context, notice->as.sent.user_data,
                           notice->as.sent.index, &notice->message,
                           notice->as.sent.bytes);
    } else {
        read_sent(pool, notice);
    }
    if (taken) {
        nwpool__sent_taken(pool, notice->as.sent.task, notice->as.sent.bytes);
    }
}

// -- events

void nwpool__tell(nwpool *pool, const struct nwpool__happening *happening)
{
    struct nwpool__notice *notice;
    bool taken;

    if (pool->options.on_event == NULL) {
        return;
    }
    notice = create(EVENT, happening->reason, strlen(happening->reason) + 1);
    if (notice == NULL) {
        pool->events_lost++;
        return;
    }
    notice->as.event = (nwpool_event){
        .type = happening->type,
        .worker = happening->worker,
        .replacement = happening->replacement,
        .exit_code = happening->exit_code,
        .reason = notice->data,
        .task = {happening->task},
        .time_ns = nw__now_ns(),
    };
    if (happening->record != NULL) {
        // Without memory the event is told without its error.
        nw__message_copy(&notice->message, happening->record);
    }
    nw__mutex_lock(&pool->finished_lock);
    taken = pool->events_count < NWPOOL_EVENTS_MAX;
    if (taken) {
        pool->events_count++;
        push(pool, notice);
    }
    nw__mutex_unlock(&pool->finished_lock);
    if (taken) {
        nwpool__poke(pool);
    } else {
        pool->events_lost++;
        destroy(notice);
    }
}

static void deliver_event(nwpool *pool, struct nwpool__notice *notice)
{
    nw_doc *doc = pool->completion_doc;
    nwpool_event *event = &notice->as.event;

    if (notice->message.size > 0) {
        event->error = nw__error_read(doc, &notice->message);
    }
    if (!nw__runtime_exiting()) {
        pool->options.on_event(event, pool->options.event_data);
    }
    nw_doc_reset(doc);
    nw__mutex_lock(&pool->finished_lock);
    pool->events_count--;
    nw__mutex_unlock(&pool->finished_lock);
}

static void deliver_output(nwpool *pool, struct nwpool__notice *notice)
{
    if (!nw__runtime_exiting()) {
        pool->options.on_output(&notice->as.output, pool->options.output_data);
    }
    nw__mutex_lock(&pool->finished_lock);
    pool->printed_bytes -= notice->as.output.data_size;
    nw__mutex_unlock(&pool->finished_lock);
}

// -- all of them

struct nwpool__notice *nwpool__notices_take(nwpool *pool)
{
    struct nwpool__notice *first;

    nw__mutex_lock(&pool->finished_lock);
    first = pool->notices;
    pool->notices = NULL;
    pool->notices_last = NULL;
    nw__mutex_unlock(&pool->finished_lock);

    return first;
}

void nwpool__notices_deliver(nwpool *pool, struct nwpool__notice *notice)
{
    while (notice != NULL) {
        struct nwpool__notice *next = notice->next;

        switch (notice->type) {
        case PRINTED:
            deliver_output(pool, notice);
            break;
        case SENT:
            deliver_sent(pool, notice);
            break;
        case EVENT:
            deliver_event(pool, notice);
            break;
        }
        destroy(notice);
        notice = next;
    }
}

void nwpool__notices_fini(nwpool *pool)
{
    struct nwpool__notice *notice = nwpool__notices_take(pool);

    while (notice != NULL) {
        struct nwpool__notice *next = notice->next;

        destroy(notice);
        notice = next;
    }
}

// What comes back from a worker: events to where its callbacks run, what it
// prints, its exit. The sink's functions run on the control thread, those for
// messages and output also on the worker's own.

#include "src/worker_handle.h"

#include <string.h>

#include "src/error_record.h"
#include "src/events.h"
#include "src/runtime.h"

struct nw__worker_event {
    struct nw__event event;
    nw_worker *worker; // One reference; EXIT's is the thread's.
    nw_worker_event_type type;
    int exit_code;
    int fd;
    struct nw__message message;
    size_t data_size;
    char data[];
};

// -- where events run

static void fill(nw_worker_event *out, struct nw__worker_event *event,
                 nw_doc *doc)
{
    out->type = event->type;
    out->worker = event->worker;
    out->exit_code = event->exit_code;
    switch (event->type) {
    case NW_WORKER_ERROR:
    case NW_WORKER_MESSAGE_ERROR:
        out->error = nw__listener_read_error(doc, &event->message);
        break;
    case NW_WORKER_MESSAGE:
        out->value = nw__listener_read(doc, &event->message, &out->error);
        if (out->value == NULL) {
            out->type = NW_WORKER_MESSAGE_ERROR;
        }
        break;
    case NW_WORKER_OUTPUT:
        out->fd = event->fd;
        out->data = event->data;
        out->data_size = event->data_size;
        break;
    case NW_WORKER_ONLINE:
    case NW_WORKER_EXIT:
        break;
    }
}

static void call(struct nw__worker_event *event)
{
    nw_worker *worker = event->worker;
    struct nw__listener_call frame;
    nw_worker_event out = {0};

    if (worker->on_event == NULL ||
        !nw__listener_enter(&worker->listener, &frame)) {
        return;
    }
    fill(&out, event, frame.doc);
    worker->on_event(&out, worker->user_data);
    nw__listener_leave(&worker->listener, &frame);
}

static void free_output(nw_worker *worker, size_t size)
{
    nw__mutex_lock(&worker->listener.lock);
    worker->output_waiting -= size;
    nw__mutex_unlock(&worker->listener.lock);
}

static void run_event(struct nw__event *base)
{
    struct nw__worker_event *event =
        NW_CONTAINER_OF(base, struct nw__worker_event, event);
    nw_worker *worker = event->worker;
    nw_worker_event_type type = event->type;

    if (type == NW_WORKER_OUTPUT) {
        free_output(worker, event->data_size);
    }
    if (type == NW_WORKER_EXIT) {
        nw__listener_set_alive(&worker->listener, false);
    }
    call(event);
    nw__message_fini(&event->message);
    if (type != NW_WORKER_EXIT) {
        nw__free(event);
        nw__listener_put(&worker->listener);
        return;
    }
    nw__mutex_lock(&worker->listener.lock);
    worker->delivered = true;
    nw__cond_wake_all(&worker->listener.changed);
    nw__mutex_unlock(&worker->listener.lock);
    nw__listener_put(&worker->listener);
}

// Under the lock, so that the inbox of a worker that is given up meanwhile is
// not touched any more. False: it was, and nobody hears the rest; the event is
// to be run after the lock. Caller holds the lock.
static bool post_locked(struct nw__worker_event *event)
{
    nw_worker *worker = event->worker;

    if (event->type != NW_WORKER_EXIT) {
        worker->listener.references++;
    }
    if (!worker->abandoned) {
        nw__inbox_post(worker->listener.inbox, &event->event);
    }
    return !worker->abandoned;
}

static void post_event(struct nw__worker_event *event)
{
    nw_worker *worker = event->worker;
    bool posted;

    nw__mutex_lock(&worker->listener.lock);
    posted = post_locked(event);
    nw__mutex_unlock(&worker->listener.lock);

    if (!posted) {
        run_event(&event->event);
    }
}

static struct nw__worker_event *
event_create(nw_worker *worker, nw_worker_event_type type, size_t data_size)
{
    struct nw__worker_event *event = nw__alloc(sizeof(*event) + data_size);

    if (event != NULL) {
        memset(event, 0, sizeof(*event));
        event->event.run = run_event;
        event->worker = worker;
        event->type = type;
        event->data_size = data_size;
    }
    return event;
}

struct nw__worker_event *nw__worker_exit_event(nw_worker *worker)
{
    return event_create(worker, NW_WORKER_EXIT, 0);
}

// -- state

bool nw__worker_has_exited(nw_worker *worker)
{
    bool exited;

    nw__mutex_lock(&worker->listener.lock);
    exited = worker->exited;
    nw__mutex_unlock(&worker->listener.lock);

    return exited;
}

bool nw__worker_take_release(nw_worker *worker)
{
    bool first;

    nw__mutex_lock(&worker->listener.lock);
    first = !worker->released;
    worker->released = true;
    nw__mutex_unlock(&worker->listener.lock);

    return first;
}

void nw__worker_stdin_taken(nw_worker *worker, size_t size)
{
    nw__mutex_lock(&worker->listener.lock);
    worker->stdin_waiting -= size;
    nw__cond_wake_all(&worker->listener.changed);
    nw__mutex_unlock(&worker->listener.lock);
}

// -- the sink: control thread, for messages also the worker's

static bool post(nw_worker *worker, nw_worker_event_type type,
                 struct nw__message *message)
{
    struct nw__worker_event *event = event_create(worker, type, 0);

    if (event == NULL) {
        return false;
    }
    if (message != NULL) {
        nw__message_move(&event->message, message);
    }
    post_event(event);
    return true;
}

// Node.js tells of it by way of the control thread, where a message from the
// worker's own thread may be quicker.
static bool on_online(void *owner)
{
    nw_worker *worker = owner;
    struct nw__worker_event *event = event_create(worker, NW_WORKER_ONLINE, 0);
    bool first;
    bool posted = true;

    if (event == NULL) {
        return false;
    }
    // In one step: nothing of the other thread may come in between.
    nw__mutex_lock(&worker->listener.lock);
    first = !worker->announced;
    worker->announced = true;
    if (first) {
        posted = post_locked(event);
    }
    nw__mutex_unlock(&worker->listener.lock);

    if (!first) {
        nw__free(event);
    } else if (!posted) {
        run_event(&event->event);
    }
    return true;
}

static bool is_announced(nw_worker *worker)
{
    bool announced;

    nw__mutex_lock(&worker->listener.lock);
    announced = worker->announced;
    nw__mutex_unlock(&worker->listener.lock);

    return announced;
}

static bool on_message(void *owner, struct nw__message *message)
{
    return (is_announced(owner) || on_online(owner)) &&
           post(owner, NW_WORKER_MESSAGE, message);
}

static bool on_message_error(void *owner, struct nw__message *record)
{
    return post(owner, NW_WORKER_MESSAGE_ERROR, record);
}

static bool on_error(void *owner, struct nw__message *record)
{
    return post(owner, NW_WORKER_ERROR, record);
}

static void on_written(void *owner, size_t size)
{
    nw__worker_stdin_taken(owner, size);
}

static void on_exited(void *owner, int exit_code)
{
    nw_worker *worker = owner;
    struct nw__worker_event *event = worker->exit_event;

    // First of all: nw_worker_destroy() may return as soon as the worker is
    // seen to have exited, and the runtime may be stopped then.
    if (nw__worker_take_release(worker)) {
        nw__runtime_release();
    }
    nw__mutex_lock(&worker->listener.lock);
    worker->exited = true;
    worker->exit_code = exit_code;
    worker->stdin_open = false;
    nw__cond_wake_all(&worker->listener.changed);
    nw__mutex_unlock(&worker->listener.lock);

    event->exit_code = exit_code;
    post_event(event);
}

// -- the worker's thread

// Room for output that waits in events.
static bool reserve_output(nw_worker *worker, const struct nw__printed *printed)
{
    bool room;

    nw__mutex_lock(&worker->listener.lock);
    room = printed->force || worker->output_waiting == 0 ||
           worker->output_waiting + printed->size <= NW__OUTPUT_BYTES_MAX;
    if (room) {
        worker->output_waiting += printed->size;
    }
    nw__mutex_unlock(&worker->listener.lock);

    return room;
}

static bool on_printed(void *owner, const struct nw__printed *printed)
{
    nw_worker *worker = owner;
    nw_output mode = worker->modes[printed->fd - 1];
    struct nw__worker_event *event;

    if (mode == NW_OUTPUT_PASS) {
        return nw__output(printed->fd, printed->data, printed->size,
                          printed->force);
    }
    if (!reserve_output(worker, printed)) {
        return false;
    }
    event = event_create(worker, NW_WORKER_OUTPUT, printed->size);
    if (event == NULL || (mode == NW_OUTPUT_BOTH &&
                          !nw__output(printed->fd, printed->data, printed->size,
                                      printed->force))) {
        free_output(worker, printed->size);
        nw__free(event);
        return false;
    }
    event->fd = printed->fd;
    if (printed->size > 0) {
        memcpy(event->data, printed->data, printed->size);
    }
    post_event(event);
    return true;
}

const struct nw__worker_sink nw__worker_events = {
    .online = on_online,
    .message = on_message,
    .message_error = on_message_error,
    .error = on_error,
    .exited = on_exited,
    .printed = on_printed,
    .written = on_written,
};

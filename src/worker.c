// The public face of one worker thread.
//
// A handle has two holders: the caller, until nw_worker_destroy(), and the
// thread, until its EXIT was delivered or dropped. The last one frees it.
//
// Lock order: worker.lock is a leaf; callbacks run without it.

#include <nwpool/worker.h>

#include <string.h>

#include "src/common.h"
#include "src/control.h"
#include "src/error_record.h"
#include "src/events.h"
#include "src/options.h"
#include "src/registry.h"
#include "src/runtime.h"
#include "src/wire.h"

struct nw_worker {
    // -- immutable after create
    uint32_t number;
    nw_worker_event_cb *on_event;
    void *user_data;

    nw__mutex lock;
    nw__cond changed;

    // -- protected by lock
    uint32_t references;
    bool exited;    // The thread is gone.
    bool delivered; // So is its EXIT.
    bool calling;   // A callback is running.
    bool destroyed; // No callback any more.

    // -- events thread only
    struct worker_event *exit_event; // Made beforehand: EXIT always comes.
};

struct worker_event {
    struct nw__event event;
    nw_worker *worker;
    nw_worker_event_type type;
    bool is_record; // `message` is an error record.
    int exit_code;
    struct nw__message message;
};

static void unref(nw_worker *worker)
{
    uint32_t left;

    nw__mutex_lock(&worker->lock);
    left = --worker->references;
    nw__mutex_unlock(&worker->lock);

    if (left == 0) {
        nw__free(worker->exit_event);
        nw__cond_fini(&worker->changed);
        nw__mutex_fini(&worker->lock);
        nw__free(worker);
    }
}

// -- events thread

static void fill(nw_worker_event *out, struct worker_event *event, nw_doc *doc)
{
    const char *detail = NULL;

    out->type = event->type;
    out->worker = event->worker;
    out->exit_code = event->exit_code;
    if (event->is_record) {
        out->error = nw__error_read(doc, &event->message);
    } else if (event->type == NW_WORKER_MESSAGE) {
        nw_status status =
            nw__wire_read(doc, &event->message, &out->value, 1, &detail);

        if (status != NW_OK) {
            out->value = NULL;
            out->error = nw__error_make(
                doc, "Error", nw_status_name(status),
                detail != NULL ? detail : nw_status_message(status));
        }
    }
}

// False: nobody wants to hear of it.
static bool begin_call(nw_worker *worker)
{
    bool wanted = worker->on_event != NULL && !nw__runtime_exiting();

    nw__mutex_lock(&worker->lock);
    worker->calling = wanted && !worker->destroyed;
    wanted = worker->calling;
    nw__mutex_unlock(&worker->lock);

    return wanted;
}

static void end_call(nw_worker *worker)
{
    nw__mutex_lock(&worker->lock);
    worker->calling = false;
    nw__cond_wake_all(&worker->changed);
    nw__mutex_unlock(&worker->lock);
}

static void call(struct worker_event *event)
{
    nw_worker *worker = event->worker;
    nw_worker_event out = {0};
    nw_doc *doc;

    if (!begin_call(worker)) {
        return;
    }
    doc = nw_doc_create();
    if (doc != NULL) {
        fill(&out, event, doc);
        worker->on_event(&out, worker->user_data);
    }
    nw_doc_destroy(doc);
    end_call(worker);
}

static void run_event(struct nw__event *base)
{
    struct worker_event *event =
        NW_CONTAINER_OF(base, struct worker_event, event);
    nw_worker *worker = event->worker;

    call(event);
    nw__message_fini(&event->message);
    if (event->type != NW_WORKER_EXIT) {
        nw__free(event);
        return;
    }
    nw__mutex_lock(&worker->lock);
    worker->delivered = true;
    nw__cond_wake_all(&worker->changed);
    nw__mutex_unlock(&worker->lock);
    unref(worker);
}

// -- control thread: the sink

static void post(nw_worker *worker, nw_worker_event_type type,
                 struct nw__message *message, bool is_record)
{
    struct worker_event *event = nw__alloc_zero(sizeof(*event));

    if (event == NULL) {
        return;
    }
    event->event.run = run_event;
    event->worker = worker;
    event->type = type;
    event->is_record = is_record;
    if (message != NULL) {
        nw__message_move(&event->message, message);
    }
    nw__events_post(&event->event);
}

static void on_online(void *owner)
{
    post(owner, NW_WORKER_ONLINE, NULL, false);
}

static void on_message(void *owner, struct nw__message *message)
{
    post(owner, NW_WORKER_MESSAGE, message, false);
}

static void on_message_error(void *owner, struct nw__message *record)
{
    post(owner, NW_WORKER_MESSAGE, record, true);
}

static void on_error(void *owner, struct nw__message *record)
{
    post(owner, NW_WORKER_ERROR, record, true);
}

static void on_exited(void *owner, int exit_code)
{
    nw_worker *worker = owner;
    struct worker_event *event = worker->exit_event;
    bool release;

    nw__mutex_lock(&worker->lock);
    worker->exited = true;
    release = !worker->destroyed;
    nw__mutex_unlock(&worker->lock);

    // Before the EXIT: nw_worker_destroy() may return as soon as it ran, and
    // the runtime may be stopped then.
    if (release) {
        nw__runtime_release();
    }
    event->exit_code = exit_code;
    nw__events_post(&event->event);
}

static const struct nw__worker_sink sink = {
    .online = on_online,
    .message = on_message,
    .message_error = on_message_error,
    .error = on_error,
    .exited = on_exited,
};

// -- public

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool is_path(const char *file)
{
    return file[0] == '/' || strncmp(file, "./", 2) == 0 ||
           strncmp(file, "../", 3) == 0;
}

static nw_worker *allocate(const nw_worker_options *options)
{
    nw_worker *worker = nw__alloc_zero(sizeof(*worker));
    struct worker_event *event = nw__alloc_zero(sizeof(*event));

    if (worker == NULL || event == NULL) {
        nw__free(worker);
        nw__free(event);
        return NULL;
    }
    nw__mutex_init(&worker->lock);
    nw__cond_init(&worker->changed);
    worker->number = nw__worker_number();
    worker->on_event = options->on_event;
    worker->user_data = options->user_data;
    worker->references = 2;
    worker->exit_event = event;
    event->event.run = run_event;
    event->worker = worker;
    event->type = NW_WORKER_EXIT;
    return worker;
}

nw_status nw_worker_create(nw_worker **out, const nw_worker_options *options)
{
    nw_worker_options given;
    struct nw__worker_spec spec = {.sink = &sink};
    nw_worker *worker;
    char *directory;
    nw_status status;

    if (out == NULL || options == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    if (nw__options_copy(&given, sizeof(given), options) != NW_OK ||
        is_set(given.file) == is_set(given.source) ||
        (is_set(given.file) && !is_path(given.file))) {
        return NW_EINVAL;
    }
    status = nw__runtime_acquire();
    if (status != NW_OK) {
        return status;
    }
    worker = allocate(&given);
    if (worker == NULL) {
        nw__runtime_release();
        return NW_ENOMEM;
    }
    directory = nw__worker_directory();
    spec.owner = worker;
    spec.file = is_set(given.file) ? given.file : NULL;
    spec.source = is_set(given.source) ? given.source : NULL;
    spec.directory = directory;
    status = directory != NULL ? nw__worker_spawn(worker->number, &spec)
                               : NW_ENOMEM;
    nw__free(directory);
    if (status != NW_OK) {
        nw__runtime_release();
        worker->references = 1;
        unref(worker);
        return status;
    }
    *out = worker;
    return NW_OK;
}

nw_status nw_worker_post(nw_worker *worker, const nw_value *value)
{
    struct nw__command *command;
    nw_status status;
    bool exited;

    if (worker == NULL || value == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&worker->lock);
    exited = worker->exited;
    nw__mutex_unlock(&worker->lock);
    if (exited) {
        return NW_ECLOSED;
    }

    command = nw__command_create(NW__COMMAND_POST, worker->number);
    if (command == NULL) {
        return NW_ENOMEM;
    }
    status = nw__wire_write(&command->message, &value, 1);
    if (status != NW_OK) {
        nw__command_destroy(command);
        return status;
    }
    return nw__control_send(command) == NW_OK ? NW_OK : NW_ECLOSED;
}

nw_status nw_worker_terminate(nw_worker *worker)
{
    if (worker == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    return nw__worker_terminate(worker->number);
}

nw_status nw_worker_destroy(nw_worker *worker)
{
    uint64_t deadline_ns = nw__deadline_ns(NW_WORKER_DESTROY_TIMEOUT_MS);
    bool delivered;
    bool release;

    if (worker == NULL) {
        return NW_OK;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    NW_ASSERT(!nw__events_is_current());
    if (nw__runtime_exiting()) {
        return NW_OK; // See nwpool_destroy().
    }

    nw__worker_terminate(worker->number);
    nw__mutex_lock(&worker->lock);
    while (!worker->delivered &&
           nw__cond_wait_until(&worker->changed, &worker->lock, deadline_ns)) {
    }
    delivered = worker->delivered;
    // From here on a thread that is left behind is nobody's.
    worker->destroyed = true;
    release = !worker->exited;
    while (worker->calling) {
        nw__cond_wait(&worker->changed, &worker->lock);
    }
    nw__mutex_unlock(&worker->lock);

    if (release) {
        nw__runtime_release();
    }
    unref(worker);
    return delivered ? NW_OK : NW_EWEDGED;
}

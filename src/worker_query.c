// What a worker can be told and asked besides messages: its stdin, numbers of
// its engine and event loop.

#include "src/worker_handle.h"

#include <string.h>

#include "src/control.h"
#include "src/detail.h"
#include "src/runtime.h"
#include "src/wire.h"
#include "src/worker_spec.h"

// -- stdin

// NW_OK: there is room, which is taken.
static nw_status reserve_stdin(nw_worker *worker, size_t size,
                               uint64_t deadline_ns)
{
    struct nw__listener *listener = &worker->listener;
    nw_status status = NW_OK;
    bool in_time = true;

    nw__mutex_lock(&listener->lock);
    while (worker->stdin_open && in_time && worker->stdin_waiting > 0 &&
           worker->stdin_waiting + size > NW_WORKER_STDIN_MAX) {
        in_time = nw__cond_wait_until(&listener->changed, &listener->lock,
                                      deadline_ns);
    }
    if (!worker->stdin_open) {
        status = NW_ECLOSED;
    } else if (!in_time) {
        status = NW_EFULL;
    } else {
        worker->stdin_waiting += size;
    }
    nw__mutex_unlock(&listener->lock);

    return status;
}

static nw_status write_stdin(nw_worker *worker, const void *data, size_t size)
{
    struct nw__command *command =
        nw__command_create(NW__COMMAND_WRITE, worker->number);
    nw_doc *doc = nw_doc_create();
    const nw_value *bytes =
        doc != NULL ? nw_value_bytes(doc, data, size) : NULL;
    nw_status status = NW_ENOMEM;

    if (command != NULL && bytes != NULL) {
        command->argument = (uint32_t)size;
        status = nw__wire_write(&command->message, &bytes, 1, NULL, NULL);
    } else if (doc != NULL && nw_doc_status(doc) != NW_OK) {
        status = nw_doc_status(doc);
    }
    if (status == NW_OK) {
        status = nw__control_send(command) == NW_OK ? NW_OK : NW_ECLOSED;
    } else {
        nw__command_destroy(command);
    }
    nw_doc_destroy(doc);
    return status;
}

nw_status nw_worker_write(nw_worker *worker, const void *data, size_t size,
                          uint32_t timeout_ms)
{
    nw_status status;

    nw__detail_clear();
    if (worker == NULL || (data == NULL && size > 0)) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    status = reserve_stdin(worker, size, nw__deadline_ns(timeout_ms));
    if (status == NW_OK && size > 0) {
        status = write_stdin(worker, data, size);
        if (status != NW_OK) {
            nw__worker_stdin_taken(worker, size);
        }
    }
    return status;
}

nw_status nw_worker_end(nw_worker *worker)
{
    struct nw__command *command;
    bool open;

    nw__detail_clear();
    if (worker == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    command = nw__command_create(NW__COMMAND_END, worker->number);
    if (command == NULL) {
        return NW_ENOMEM;
    }
    nw__mutex_lock(&worker->listener.lock);
    open = worker->stdin_open;
    worker->stdin_open = false;
    nw__mutex_unlock(&worker->listener.lock);
    if (!open) {
        nw__command_destroy(command);
        return NW_ECLOSED;
    }
    return nw__control_send(command) == NW_OK ? NW_OK : NW_ECLOSED;
}

// -- what it is

int64_t nw_worker_thread_id(nw_worker *worker)
{
    int64_t id;

    if (worker == NULL || nw__runtime_forked()) {
        return -1;
    }
    nw__mutex_lock(&worker->listener.lock);
    // A callback may ask before nw_worker_create() has returned.
    while (!worker->described && !worker->exited) {
        nw__cond_wait(&worker->listener.changed, &worker->listener.lock);
    }
    id = worker->exited ? -1 : worker->thread_id;
    nw__mutex_unlock(&worker->listener.lock);

    return id;
}

static nw_status set_ref(nw_worker *worker, bool ref)
{
    nw__detail_clear();
    if (worker == NULL) {
        return NW_EINVAL;
    }
    nw__listener_set_ref(&worker->listener, ref);
    return NW_OK;
}

nw_status nw_worker_ref(nw_worker *worker)
{
    return set_ref(worker, true);
}

nw_status nw_worker_unref(nw_worker *worker)
{
    return set_ref(worker, false);
}

bool nw_worker_has_ref(const nw_worker *worker)
{
    return worker != NULL &&
           nw__listener_has_ref((struct nw__listener *)&worker->listener);
}

// Asks the control environment about the worker. The answer is an object, or
// undefined once it has ended.
static nw_status ask(nw_worker *worker, enum nw__command_type type, nw_doc *doc,
                     const nw_value **out)
{
    struct nw__command *command = nw__command_create(type, worker->number);
    struct nw__message reply = {0};
    nw_status status = NW_ENOMEM;

    if (command != NULL && doc != NULL) {
        status = nw__control_call(command, &reply, NULL);
    } else {
        nw__command_destroy(command);
    }
    if (status == NW_OK) {
        status = nw__wire_read(doc, &reply, out, 1, NULL);
    }
    nw__message_fini(&reply);
    return status;
}

nw_status nw_worker_get_resource_limits(nw_worker *worker,
                                        nw_resource_limits *out)
{
    const nw_value *answer;
    nw_doc *doc;
    nw_status status;

    nw__detail_clear();
    if (worker == NULL || out == NULL) {
        return NW_EINVAL;
    }
    memset(out, 0, sizeof(*out));
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__worker_has_exited(worker)) {
        return NW_OK;
    }
    doc = nw_doc_create();
    status = ask(worker, NW__COMMAND_LIMITS, doc, &answer);
    if (status == NW_OK) {
        nw__limits_read(answer, out);
    }
    nw_doc_destroy(doc);
    return status;
}

nw_status nw_worker_get_event_loop_utilization(nw_worker *worker,
                                               nw_event_loop_utilization *out)
{
    const nw_value *answer;
    nw_doc *doc;
    nw_status status;

    nw__detail_clear();
    if (worker == NULL || out == NULL) {
        return NW_EINVAL;
    }
    memset(out, 0, sizeof(*out));
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    doc = nw_doc_create();
    status = ask(worker, NW__COMMAND_UTILIZATION, doc, &answer);
    if (status == NW_OK && nw_value_type(answer) == NW_TYPE_OBJECT) {
        out->idle = nw_value_get_number(nw_object_get(answer, "idle"));
        out->active = nw_value_get_number(nw_object_get(answer, "active"));
        out->utilization =
            nw_value_get_number(nw_object_get(answer, "utilization"));
    }
    nw_doc_destroy(doc);
    return status;
}

// Workers: how they are made, what is posted to them, how they end.

#include "src/worker_handle.h"

#include <string.h>

#include "src/detail.h"
#include "src/events.h"
#include "src/runtime.h"
#include "src/wire.h"
#include "src/worker_spec.h"

static nw_worker *worker_of(struct nw__listener *listener)
{
    return (nw_worker *)(void *)listener;
}

static void destroy(struct nw__listener *listener)
{
    nw_worker *worker = worker_of(listener);

    nw__free(worker->exit_event);
    nw__listener_fini(listener);
    nw__free(worker);
}

// -- create

// NULL without memory.
static nw_worker *allocate(const nw_worker_options *options)
{
    nw_worker *worker = nw__alloc_zero(sizeof(*worker));

    if (worker == NULL) {
        return NULL;
    }
    worker->exit_event = nw__worker_exit_event(worker);
    if (worker->exit_event == NULL) {
        nw__free(worker);
        return NULL;
    }
    if (!nw__listener_init(&worker->listener, destroy)) {
        nw__free(worker->exit_event);
        nw__free(worker);
        return NULL;
    }
    nw__listener_get(&worker->listener); // The thread's.
    worker->listener.alive = true;
    nw__listener_set_inbox(&worker->listener, options->inbox);
    nw__listener_set_ref(&worker->listener, true);
    worker->number = nw__worker_number();
    worker->on_event = options->on_event;
    worker->user_data = options->user_data;
    worker->modes[0] = options->stdout_mode;
    worker->modes[1] = options->stderr_mode;
    worker->stdin_open = options->stdin_pipe;
    return worker;
}

// The caller's part of the handle goes. Its events, if there will be any, run
// and find nobody.
static void give_up(nw_worker *worker)
{
    nw_inbox *inbox = worker->listener.inbox;

    nw__listener_set_alive(&worker->listener, false);
    nw__inbox_release(inbox);
    nw__listener_put(&worker->listener);
}

// What the glue answers: the thread's id.
static void read_answer(nw_worker *worker, struct nw__message *reply)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *answer;
    int64_t id = -1;

    // Without memory the worker is there and merely does not know its id.
    if (doc != NULL && nw__wire_read(doc, reply, &answer, 1, NULL) == NW_OK) {
        nw_value_get_int64(answer, &id);
    }
    nw_doc_destroy(doc);
    nw__mutex_lock(&worker->listener.lock);
    worker->thread_id = id;
    worker->described = true;
    nw__cond_wake_all(&worker->listener.changed);
    nw__mutex_unlock(&worker->listener.lock);
}

static nw_status spawn(nw_worker *worker, const nw_worker_options *options)
{
    const struct nw__worker_spec spec = {
        .sink = &nw__worker_events,
        .owner = worker,
        .body = options->body,
        .body_data = options->user_data,
    };
    struct nw__message reply = {0};
    struct nw__command *start;
    nw_status status;

    status = nw__start_command(worker->number, options, &start);
    if (status != NW_OK) {
        return status;
    }
    status = nw__worker_spawn_call(worker->number, &spec, start, &reply);
    if (status == NW_OK) {
        read_answer(worker, &reply);
    }
    nw__message_fini(&reply);
    return status;
}

nw_status nw_worker_create(nw_worker **out, const nw_worker_options *options)
{
    nw_worker_options given;
    nw_worker *worker;
    nw_status status;

    nw__detail_clear();
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || options == NULL) {
        return nw__fail(NW_EINVAL, "out or options is NULL");
    }
    status = nw__worker_options_check(&given, options);
    if (status != NW_OK) {
        return status;
    }
    status = nw__runtime_acquire();
    if (status != NW_OK) {
        return nw__fail(status, "%s",
                        status == NW_ENODE ? nw_runtime_error()
                                           : nw_status_message(status));
    }
    worker = allocate(&given);
    status = worker != NULL ? spawn(worker, &given) : NW_ENOMEM;
    if (status != NW_OK) {
        nw__runtime_release();
        if (worker != NULL) {
            give_up(worker);
            nw__listener_put(&worker->listener); // There is no thread.
        }
        return status;
    }
    *out = worker;
    return NW_OK;
}

// -- messages

nw_status nw_worker_post(nw_worker *worker, const nw_value *value,
                         const nw_value *const *transfer, size_t transfer_count)
{
    const struct nw__wire_transfer moving = {transfer, transfer_count};
    struct nw__command *command;
    nw_status status;

    nw__detail_clear();
    if (worker == NULL || value == NULL) {
        return nw__fail(NW_EINVAL, "the worker or the value is NULL");
    }
    if (transfer == NULL && transfer_count > 0) {
        return nw__fail(NW_EINVAL, "transfer_count without transfer");
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__worker_has_exited(worker)) {
        return nw__fail(NW_ECLOSED, "the worker has ended");
    }
    status = nw__command_write(&command, NW__COMMAND_POST, worker->number,
                               &value, 1, &moving);
    if (status != NW_OK) {
        return status;
    }
    return nw__control_send(command) == NW_OK ? NW_OK : NW_ECLOSED;
}

// -- end

nw_status nw_worker_terminate(nw_worker *worker)
{
    nw__detail_clear();
    if (worker == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw__worker_has_exited(worker)) {
        return NW_ECLOSED;
    }
    return nw__worker_terminate(worker->number);
}

nw_status nw_worker_wait(nw_worker *worker, uint32_t timeout_ms, int *exit_code)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    bool exited;

    nw__detail_clear();
    if (worker == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&worker->listener.lock);
    while (!worker->exited &&
           nw__cond_wait_until(&worker->listener.changed,
                               &worker->listener.lock, deadline_ns)) {
    }
    exited = worker->exited;
    if (exited && exit_code != NULL) {
        *exit_code = worker->exit_code;
    }
    nw__mutex_unlock(&worker->listener.lock);

    return exited ? NW_OK : NW_ETIMEDOUT;
}

// The events thread delivers what is left; an inbox may never be polled again.
// Caller holds the lock.
static bool is_over(const nw_worker *worker)
{
    return worker->listener.inbox != NULL ? worker->exited : worker->delivered;
}

nw_status nw_worker_destroy(nw_worker *worker)
{
    uint64_t deadline_ns = nw__deadline_ns(NW_WORKER_DESTROY_TIMEOUT_MS);
    bool over;

    nw__detail_clear();
    if (worker == NULL) {
        return NW_OK;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    NW_ASSERT(worker->listener.inbox != NULL || !nw__events_is_current());
    if (nw__runtime_exiting()) {
        return NW_OK; // See nwpool_destroy().
    }

    nw__worker_terminate(worker->number);
    nw__mutex_lock(&worker->listener.lock);
    while (!is_over(worker) &&
           nw__cond_wait_until(&worker->listener.changed,
                               &worker->listener.lock, deadline_ns)) {
    }
    over = is_over(worker);
    // From here on a thread that is left behind is nobody's.
    worker->abandoned = true;
    nw__mutex_unlock(&worker->listener.lock);

    nw__listener_mute(&worker->listener);
    if (nw__worker_take_release(worker)) {
        nw__runtime_release();
    }
    give_up(worker);
    return over ? NW_OK : NW_EWEDGED;
}

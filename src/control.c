// Design notes.
//
// A call lives on its caller's stack and is found by its number, so that an
// answer that comes after the caller gave up finds nothing.
//
// Lock order: control.lock is a leaf. The wake function, called under it, only
// pokes the event loop.

#include "src/control.h"

#include <stdatomic.h>
#include <stdio.h>

#include "src/common.h"
#include "src/detail.h"

struct request {
    struct request *next;
    uint64_t number;
    nw__cond answered;
    bool done;
    nw_status status;
    struct nw__message *reply;
    char detail[NW__DETAIL_MAX];
};

struct nw__control {
    atomic_uint references;

    nw__mutex lock;

    // -- protected by lock
    struct nw__command *head;
    struct nw__command *tail;
    struct request *requests; // That wait.
    uint64_t last_request;
    void (*wake)(void *context);
    void *wake_context;
    bool gone;
};

static struct nw__control main_control = {.references = 1,
                                          .lock = NW__MUTEX_INIT};

struct nw__control *nw__control_main(void)
{
    return &main_control;
}

struct nw__control *nw__control_create(void)
{
    struct nw__control *control = nw__alloc_zero(sizeof(*control));

    if (control != NULL) {
        atomic_init(&control->references, 1);
        nw__mutex_init(&control->lock);
    }
    return control;
}

struct nw__control *nw__control_ref(struct nw__control *control)
{
    atomic_fetch_add(&control->references, 1);
    return control;
}

// The reference of the process's own is never given back.
void nw__control_unref(struct nw__control *control)
{
    if (control != NULL && atomic_fetch_sub(&control->references, 1) == 1) {
        nw__mutex_fini(&control->lock);
        nw__free(control);
    }
}

struct nw__command *nw__command_create(enum nw__command_type type,
                                       uint64_t number)
{
    struct nw__command *command = nw__alloc_zero(sizeof(*command));

    if (command != NULL) {
        command->control = nw__control_ref(&main_control);
        command->type = type;
        command->number = number;
    }
    return command;
}

void nw__command_destroy(struct nw__command *command)
{
    if (command != NULL) {
        nw__message_fini(&command->message);
        nw__control_unref(command->control);
        nw__free(command);
    }
}

void nw__command_address(struct nw__command *command,
                         struct nw__control *control)
{
    nw__control_ref(control);
    nw__control_unref(command->control);
    command->control = control;
}

nw_status nw__command_write(struct nw__command **out,
                            enum nw__command_type type, uint64_t number,
                            const nw_value *const *values, size_t count,
                            const struct nw__wire_transfer *transfer)
{
    struct nw__command *command = nw__command_create(type, number);
    const char *detail = NULL;
    nw_status status = NW_ENOMEM;

    if (command != NULL) {
        status =
            nw__wire_write(&command->message, values, count, transfer, &detail);
    }
    if (status != NW_OK) {
        nw__command_destroy(command);
        command = NULL;
        if (detail != NULL) {
            nw__fail(status, "%s", detail);
        }
    }
    *out = command;
    return status;
}

// False: there is no control environment any more. Caller holds the lock.
static bool append(struct nw__command *command)
{
    struct nw__control *control = command->control;
    bool first = control->head == NULL;

    if (control->gone) {
        return false;
    }
    if (first) {
        control->head = command;
    } else {
        control->tail->next = command;
    }
    control->tail = command;
    if (first && control->wake != NULL) {
        control->wake(control->wake_context);
    }
    return true;
}

nw_status nw__control_send(struct nw__command *command)
{
    // The command, and with it the control, may be gone before the lock is left.
    struct nw__control *control = nw__control_ref(command->control);
    bool sent;

    nw__mutex_lock(&control->lock);
    sent = append(command);
    nw__mutex_unlock(&control->lock);

    nw__control_unref(control);
    if (!sent) {
        nw__command_destroy(command);
    }
    return sent ? NW_OK : NW_ESTOPPED;
}

// -- calls

// Takes the call out of those that wait; NULL if it is not there. Caller holds
// the lock.
static struct request *extract(struct nw__control *control, uint64_t number)
{
    struct request **link = &control->requests;
    struct request *found;

    while (*link != NULL && (*link)->number != number) {
        link = &(*link)->next;
    }
    found = *link;
    if (found != NULL) {
        *link = found->next;
    }
    return found;
}

// Caller holds the lock.
static void finish(struct request *request, nw_status status)
{
    request->status = status;
    request->done = true;
    nw__cond_wake_all(&request->answered);
}

// How soon a caller notices that it is to end.
#define STOPPING_NS (20 * NW__NS_PER_MS)

// False: the caller is to end. Caller holds the lock.
static bool wait_for(struct request *request, struct nw__control *control,
                     const struct nw__stopping *stopping)
{
    bool is_stopping;

    if (stopping == NULL) {
        nw__cond_wait(&request->answered, &control->lock);
        return true;
    }
    if (nw__cond_wait_until(&request->answered, &control->lock,
                            nw__now_ns() + STOPPING_NS)) {
        return true;
    }
    nw__mutex_unlock(&control->lock);
    is_stopping = stopping->ask(stopping->context);
    nw__mutex_lock(&control->lock);
    return !is_stopping;
}

nw_status nw__control_call(struct nw__command *command,
                           struct nw__message *reply,
                           const struct nw__stopping *stopping)
{
    struct nw__control *control = nw__control_ref(command->control);
    struct request request = {.status = NW_ESTOPPED, .reply = reply};
    bool sent;

    nw__cond_init(&request.answered);
    nw__mutex_lock(&control->lock);
    request.number = ++control->last_request;
    command->request = request.number;
    sent = append(command);
    if (sent) {
        request.next = control->requests;
        control->requests = &request;
    }
    while (sent && !request.done && wait_for(&request, control, stopping)) {
    }
    if (sent && !request.done) {
        extract(control, request.number);
    }
    nw__mutex_unlock(&control->lock);

    nw__cond_fini(&request.answered);
    nw__control_unref(control);
    if (!sent) {
        nw__command_destroy(command);
        return NW_ESTOPPED;
    }
    if (request.detail[0] != '\0') {
        nw__fail(request.status, "%s", request.detail);
    }
    return request.status;
}

nw_status nw__control_ask(struct nw__command *command,
                          const struct nw__stopping *stopping)
{
    struct nw__message reply = {0};
    nw_status status = nw__control_call(command, &reply, stopping);

    nw__message_fini(&reply);
    return status;
}

void nw__control_reply(struct nw__control *control, uint64_t number,
                       nw_status status, struct nw__message *reply,
                       const char *detail)
{
    struct request *request;

    nw__mutex_lock(&control->lock);
    request = extract(control, number);
    if (request != NULL) {
        if (reply != NULL) {
            nw__message_move(request->reply, reply);
        }
        if (detail != NULL) {
            snprintf(request->detail, sizeof(request->detail), "%s", detail);
        }
        finish(request, status);
    }
    nw__mutex_unlock(&control->lock);
}

// -- the environment's side

void nw__control_attach(struct nw__control *control,
                        void (*wake)(void *context), void *context)
{
    nw__mutex_lock(&control->lock);
    control->wake = wake;
    control->wake_context = context;
    if (control->head != NULL) {
        wake(context);
    }
    nw__mutex_unlock(&control->lock);
}

struct nw__command *nw__control_take(struct nw__control *control)
{
    struct nw__command *head;

    nw__mutex_lock(&control->lock);
    head = control->head;
    control->head = NULL;
    control->tail = NULL;
    nw__mutex_unlock(&control->lock);

    return head;
}

void nw__control_put_back(struct nw__control *control,
                          struct nw__command *first)
{
    struct nw__command *last = first;

    while (last->next != NULL) {
        last = last->next;
    }
    nw__mutex_lock(&control->lock);
    last->next = control->head;
    if (control->head == NULL) {
        control->tail = last;
    }
    control->head = first;
    if (control->wake != NULL) {
        control->wake(control->wake_context);
    }
    nw__mutex_unlock(&control->lock);
}

void nw__control_detach(struct nw__control *control)
{
    struct nw__command *command;

    nw__mutex_lock(&control->lock);
    control->gone = true;
    control->wake = NULL;
    command = control->head;
    control->head = NULL;
    control->tail = NULL;
    while (control->requests != NULL) {
        finish(extract(control, control->requests->number), NW_ESTOPPED);
    }
    nw__mutex_unlock(&control->lock);

    while (command != NULL) {
        struct nw__command *next = command->next;

        nw__command_destroy(command);
        command = next;
    }
}

// Ends of channels that C keeps: made, taken out of values, used, destroyed.

#include "src/port_handle.h"

#include <string.h>

#include "src/control.h"
#include "src/detail.h"
#include "src/events.h"
#include "src/runtime.h"
#include "src/value.h"
#include "src/wire.h"

static nw_port *port_of(struct nw__listener *listener)
{
    return (nw_port *)(void *)listener;
}

static void destroy(struct nw__listener *listener)
{
    nw_port *port = port_of(listener);

    nw__message_fini(&port->unread);
    nw__ref_put(&port->host->ref);
    nw__listener_fini(listener);
    nw__free(port);
}

// -- making and taking

// Takes the reference to the host in any case. NULL without memory.
static nw_port *port_create(struct nw__host *host)
{
    nw_port *port = nw__alloc_zero(sizeof(*port));

    if (port == NULL) {
        nw__ref_put(&host->ref);
        return NULL;
    }
    if (!nw__listener_init(&port->listener, destroy)) {
        nw__free(port);
        nw__ref_put(&host->ref);
        return NULL;
    }
    port->listener.alive = true;
    port->host = host;
    nw__port_insert(port);
    return port;
}

// A port for an object that the control environment is about to make.
static nw_port *port_expect(void)
{
    struct nw__host *host =
        nw__host_create(nw__host_numbers(1), 0, nw__control_main());

    if (host == NULL) {
        return NULL;
    }
    host->is_port = true;
    host->must_move = true;
    host->taken = 1;
    strcpy(host->name, "MessagePort");
    return port_create(host);
}

static bool is_gone(const nw_port *port)
{
    return __atomic_load_n(&port->host->gone, __ATOMIC_ACQUIRE) != 0;
}

// Frees without a word to the other side.
static void port_forget(nw_port *port)
{
    if (port != NULL) {
        nw__port_extract(port);
        nw__listener_put(&port->listener);
    }
}

static nw_status channel_open(nw_port *port1, nw_port *port2)
{
    struct nw__command *command;

    if (port1 == NULL || port2 == NULL) {
        return NW_ENOMEM;
    }
    command = nw__command_create(NW__COMMAND_CHANNEL, port1->host->id);
    if (command == NULL) {
        return NW_ENOMEM;
    }
    command->argument = (uint32_t)(port2->host->id - port1->host->id);
    return nw__control_ask(command, NULL);
}

nw_status nw_channel_create(nw_port **port1, nw_port **port2)
{
    nw_port *first, *second;
    nw_status status;

    nw__detail_clear();
    if (port1 != NULL) {
        *port1 = NULL;
    }
    if (port2 != NULL) {
        *port2 = NULL;
    }
    if (port1 == NULL || port2 == NULL || port1 == port2) {
        return NW_EINVAL;
    }
    status = nw__runtime_acquire();
    if (status == NW_OK) {
        status = nw__runtime_acquire(); // Each port counts.
        if (status != NW_OK) {
            nw__runtime_release();
        }
    }
    if (status != NW_OK) {
        return status;
    }
    first = port_expect();
    second = port_expect();
    status = channel_open(first, second);
    if (status != NW_OK) {
        port_forget(first);
        port_forget(second);
        nw__runtime_release();
        nw__runtime_release();
        return status;
    }
    *port1 = first;
    *port2 = second;
    return NW_OK;
}

static nw_status broadcast_open(nw_port *port, const char *name)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *text = doc != NULL ? nw_value_string(doc, name) : NULL;
    struct nw__command *command;
    nw_status status = doc != NULL ? nw_doc_status(doc) : NW_ENOMEM;

    if (status == NW_OK) {
        status = nw__command_write(&command, NW__COMMAND_BROADCAST,
                                   port->host->id, &text, 1, NULL);
    }
    nw_doc_destroy(doc);
    return status == NW_OK ? nw__control_ask(command, NULL) : status;
}

nw_status nw_broadcast_create(nw_port **out, const char *name)
{
    nw_port *port;
    nw_status status;

    nw__detail_clear();
    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    if (name == NULL) {
        return NW_EINVAL;
    }
    status = nw__runtime_acquire();
    if (status != NW_OK) {
        return status;
    }
    port = port_expect();
    status = NW_ENOMEM;
    if (port != NULL) {
        port->is_broadcast = true;
        status = broadcast_open(port, name);
    }
    if (status != NW_OK) {
        port_forget(port);
        nw__runtime_release();
        return status;
    }
    *out = port;
    return NW_OK;
}

// Tells the control environment that C owns the port from now on.
static nw_status adopt(const struct nw__host *host)
{
    struct nw__command *command =
        nw__command_create(NW__COMMAND_ADOPT, host->id);

    if (command == NULL) {
        return NW_ENOMEM;
    }
    command->argument = host->worker;
    nw__control_send(command); // Too late means closed, which it will hear.
    return NW_OK;
}

// Several values may stand for one object, and one handle is its owner.
static bool take(struct nw__host *host)
{
    return __atomic_exchange_n(&host->taken, 1, __ATOMIC_ACQ_REL) == 0;
}

static void untake(struct nw__host *host)
{
    __atomic_store_n(&host->taken, 0, __ATOMIC_RELEASE);
}

nw_status nw_value_take_port(nw_value *value, nw_port **out)
{
    struct nw__host *host;
    nw_port *port;
    nw_status status;

    nw__detail_clear();
    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (nw_value_type(value) != NW_TYPE_PORT ||
        (value->flags & NW__VALUE_GONE) != 0) {
        return NW_ETYPE;
    }
    host = nw__host_of(nw__value_ref(value));
    if (__atomic_load_n(&host->gone, __ATOMIC_ACQUIRE) != 0) {
        return NW_ETYPE;
    }
    status = nw__runtime_acquire();
    if (status != NW_OK) {
        return status;
    }
    if (!take(host)) {
        nw__runtime_release();
        return NW_ETYPE;
    }
    nw__ref_get(&host->ref);
    port = port_create(host);
    status = port != NULL ? adopt(host) : NW_ENOMEM;
    if (status != NW_OK) {
        untake(host);
        port_forget(port);
        nw__runtime_release();
        return status;
    }
    value->flags |= NW__VALUE_GONE;
    *out = port;
    return NW_OK;
}

static bool is_closed(nw_port *port)
{
    bool closed;

    nw__mutex_lock(&port->listener.lock);
    closed = port->closed || port->closing;
    nw__mutex_unlock(&port->listener.lock);

    return closed || is_gone(port);
}

nw_value *nw_value_port(nw_doc *doc, nw_port *port)
{
    if (doc == NULL) {
        return NULL;
    }
    if (port == NULL || port->is_broadcast || is_closed(port)) {
        nw__doc_fail(doc, NW_EINVAL);
        return NULL;
    }
    return nw__value_of_ref(doc, &port->host->ref);
}

// -- use

// What every call on a port asks first.
static nw_status check(nw_port *port)
{
    nw__detail_clear();
    if (port == NULL) {
        return nw__fail(NW_EINVAL, "the port is NULL");
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (is_gone(port)) {
        return nw__fail(NW_ECLOSED, "the port was transferred");
    }
    return is_closed(port) ? nw__fail(NW_ECLOSED, "the port is closed") : NW_OK;
}

static nw_status send(nw_port *port, enum nw__command_type type,
                      uint32_t argument)
{
    struct nw__command *command = nw__command_create(type, port->host->id);

    if (command == NULL) {
        return NW_ENOMEM;
    }
    command->argument = argument;
    return nw__control_send(command) == NW_OK ? NW_OK : NW_ECLOSED;
}

// Who hears, and where, in one step. NW_ECLOSED: the other side was quicker.
static nw_status set_callback(nw_port *port, nw_port_event_cb *on_event,
                              void *user_data, nw_inbox *inbox)
{
    nw_inbox *old = inbox;
    bool closed;

    nw__inbox_acquire(inbox);
    nw__mutex_lock(&port->listener.lock);
    closed = port->closed;
    if (!closed) {
        port->on_event = on_event;
        port->user_data = user_data;
        port->listens++;
        old = nw__listener_swap_inbox(&port->listener, inbox);
    }
    nw__mutex_unlock(&port->listener.lock);
    nw__inbox_release(old);

    return closed ? nw__fail(NW_ECLOSED, "the port is closed") : NW_OK;
}

static nw_status begin_to_listen(nw_port *port, struct nw__command *command,
                                 nw_port_event_cb *on_event, void *user_data,
                                 nw_inbox *inbox)
{
    nw_status status = set_callback(port, on_event, user_data, inbox);

    if (status != NW_OK) {
        nw__command_destroy(command);
        return status;
    }
    nw__listener_set_ref(&port->listener, true);
    return nw__control_send(command) == NW_OK ? NW_OK : NW_ECLOSED;
}

// The callback stays until the control environment has stopped: what that was
// quicker to tell is not lost.
static nw_status stop_listening(nw_port *port, struct nw__command *command)
{
    uint32_t listens;
    nw_inbox *inbox = NULL;
    nw_status status;

    nw__mutex_lock(&port->listener.lock);
    listens = port->listens;
    nw__mutex_unlock(&port->listener.lock);

    nw__listener_set_ref(&port->listener, false);
    status = nw__control_ask(command, NULL);
    nw__mutex_lock(&port->listener.lock);
    if (port->listens == listens) {
        port->on_event = NULL;
        inbox = nw__listener_swap_inbox(&port->listener, NULL);
    }
    nw__mutex_unlock(&port->listener.lock);
    nw__inbox_release(inbox);

    return status == NW_ESTOPPED ? NW_ECLOSED : status;
}

nw_status nw_port_listen(nw_port *port, nw_port_event_cb *on_event,
                         void *user_data, nw_inbox *inbox)
{
    struct nw__command *command;
    nw_status status = check(port);

    if (status != NW_OK) {
        return status;
    }
    command = nw__command_create(NW__COMMAND_LISTEN, port->host->id);
    if (command == NULL) {
        return NW_ENOMEM;
    }
    command->argument = on_event != NULL;
    return on_event != NULL
               ? begin_to_listen(port, command, on_event, user_data, inbox)
               : stop_listening(port, command);
}

nw_status nw_port_start(nw_port *port)
{
    nw_status status = check(port);

    return status == NW_OK ? send(port, NW__COMMAND_START_PORT, 0) : status;
}

// Through itself it would never arrive.
static bool lists_itself(const nw_port *port, const nw_value *const *transfer,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (nw_value_type(transfer[i]) == NW_TYPE_PORT &&
            nw__value_ref(transfer[i]) == &port->host->ref) {
            return true;
        }
    }
    return false;
}

nw_status nw_port_post(nw_port *port, const nw_value *value,
                       const nw_value *const *transfer, size_t transfer_count)
{
    const struct nw__wire_transfer moving = {transfer, transfer_count};
    struct nw__command *command;
    nw_status status = check(port);

    if (status != NW_OK) {
        return status;
    }
    if (value == NULL) {
        return nw__fail(NW_EINVAL, "the value is NULL");
    }
    if (transfer == NULL && transfer_count > 0) {
        return nw__fail(NW_EINVAL, "transfer_count without transfer");
    }
    if (lists_itself(port, transfer, transfer_count)) {
        return nw__fail(NW_ECLONE, "a port cannot be sent through itself");
    }
    status = nw__command_write(&command, NW__COMMAND_POST_PORT, port->host->id,
                               &value, 1, &moving);
    if (status != NW_OK) {
        return status;
    }
    return nw__control_send(command) == NW_OK ? NW_OK : NW_ECLOSED;
}

// The oldest message as the glue answers it, or an empty one.
static nw_status receive(nw_port *port, struct nw__message *out)
{
    struct nw__command *command;
    nw_status status;

    nw__mutex_lock(&port->listener.lock);
    nw__message_move(out, &port->unread);
    nw__mutex_unlock(&port->listener.lock);
    if (out->size > 0) {
        return NW_OK;
    }
    command = nw__command_create(NW__COMMAND_RECEIVE, port->host->id);
    if (command == NULL) {
        return NW_ENOMEM;
    }
    status = nw__control_call(command, out, NULL);
    return status == NW_ESTOPPED ? NW_ECLOSED : status;
}

// For the next try. What moved with a message has moved into the document.
static void keep_unread(nw_port *port, struct nw__message *message)
{
    nw__mutex_lock(&port->listener.lock);
    if (message->beside == NULL && port->unread.size == 0) {
        nw__message_move(&port->unread, message);
    }
    nw__mutex_unlock(&port->listener.lock);
}

nw_status nw_port_receive(nw_port *port, nw_doc *doc, const nw_value **out)
{
    struct nw__message message = {0};
    const nw_value *answer = NULL;
    const char *detail = NULL;
    nw_status status;

    if (out != NULL) {
        *out = NULL;
    }
    status = check(port);
    if (status != NW_OK) {
        return status;
    }
    if (doc == NULL || out == NULL) {
        return NW_EINVAL;
    }
    status = receive(port, &message);
    if (status == NW_OK) {
        status = nw__wire_read(doc, &message, &answer, 1, &detail);
        if (detail != NULL) {
            nw__fail(status, "%s", detail);
        }
        if (status == NW_ENOMEM) {
            keep_unread(port, &message);
        }
    }
    nw__message_fini(&message);
    if (status == NW_OK) {
        *out = nw_object_get(answer, "message");
        status = *out != NULL ? NW_OK : NW_ENOENT;
    }
    return status;
}

nw_status nw_port_close(nw_port *port)
{
    nw_status status = check(port);

    if (status == NW_ECLOSED && !is_gone(port)) {
        return NW_OK;
    }
    if (status == NW_OK) {
        status = send(port, NW__COMMAND_CLOSE, 0);
    }
    if (status == NW_OK) {
        nw__mutex_lock(&port->listener.lock);
        port->closing = true;
        nw__mutex_unlock(&port->listener.lock);
    }
    return status;
}

static nw_status set_ref(nw_port *port, bool ref)
{
    nw_status status = check(port);

    if (status == NW_OK) {
        nw__listener_set_ref(&port->listener, ref);
    }
    return status;
}

nw_status nw_port_ref(nw_port *port)
{
    return set_ref(port, true);
}

nw_status nw_port_unref(nw_port *port)
{
    return set_ref(port, false);
}

bool nw_port_has_ref(const nw_port *port)
{
    return port != NULL && !is_gone(port) &&
           nw__listener_has_ref((struct nw__listener *)&port->listener);
}

nw_status nw_port_destroy(nw_port *port)
{
    if (port == NULL) {
        return NW_OK;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    NW_ASSERT(port->listener.inbox != NULL || !nw__events_is_current());
    if (nw__runtime_exiting()) {
        return NW_OK; // See nwpool_destroy().
    }
    nw__port_extract(port);
    if (!is_closed(port)) {
        // Without memory the last reference to the object closes it.
        send(port, NW__COMMAND_CLOSE, 0);
    }
    nw__listener_mute(&port->listener);
    nw__listener_set_alive(&port->listener, false);
    nw__listener_set_inbox(&port->listener, NULL);
    nw__runtime_release();
    nw__listener_put(&port->listener);
    return NW_OK;
}

// What happens at ports that C keeps: from the control environment, by the number
// of their host object, to where their callbacks run.

#include "src/port_events.h"

#include <string.h>

#include "src/error_record.h"
#include "src/port_handle.h"

#define BUCKETS 256

struct port_event {
    struct nw__event event;
    nw_port *port; // One reference.
    nw_port_event_type type;
    nw_port_event_cb *on_event; // Of the time when it happened.
    void *user_data;
    struct nw__message message;
};

static struct {
    nw__mutex lock;

    // -- protected by lock
    nw_port *buckets[BUCKETS];
} table = {.lock = NW__MUTEX_INIT};

// -- the table

void nw__port_insert(nw_port *port)
{
    nw_port **bucket = &table.buckets[port->host->id % BUCKETS];

    nw__mutex_lock(&table.lock);
    port->next = *bucket;
    *bucket = port;
    nw__mutex_unlock(&table.lock);
}

void nw__port_extract(nw_port *port)
{
    nw_port **link = &table.buckets[port->host->id % BUCKETS];

    nw__mutex_lock(&table.lock);
    while (*link != NULL && *link != port) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = port->next;
    }
    nw__mutex_unlock(&table.lock);
}

// With a reference of its own; NULL if there is none.
static nw_port *find(uint64_t id)
{
    nw_port *port;

    nw__mutex_lock(&table.lock);
    port = table.buckets[id % BUCKETS];
    while (port != NULL && port->host->id != id) {
        port = port->next;
    }
    if (port != NULL) {
        nw__listener_get(&port->listener);
    }
    nw__mutex_unlock(&table.lock);

    return port;
}

// -- where events run

static void call(struct port_event *event, nw_doc *doc)
{
    nw_port_event out = {.type = event->type, .port = event->port};

    if (event->type == NW_PORT_MESSAGE) {
        out.value = nw__listener_read(doc, &event->message, &out.error);
        if (out.value == NULL) {
            out.type = NW_PORT_MESSAGE_ERROR;
        }
    } else if (event->type == NW_PORT_MESSAGE_ERROR) {
        out.error = nw__listener_read_error(doc, &event->message);
    }
    event->on_event(&out, event->user_data);
}

static void run_event(struct nw__event *base)
{
    struct port_event *event = NW_CONTAINER_OF(base, struct port_event, event);
    struct nw__listener *listener = &event->port->listener;
    struct nw__listener_call frame;

    if (event->type == NW_PORT_CLOSE) {
        nw__listener_set_alive(listener, false);
    }
    if (event->on_event != NULL && nw__listener_enter(listener, &frame)) {
        call(event, frame.doc);
        nw__listener_leave(listener, &frame);
    }
    nw__message_fini(&event->message);
    nw__free(event);
    nw__listener_put(listener);
}

// -- control thread

// False without memory.
static bool post(nw_port *port, nw_port_event_type type,
                 struct nw__message *message)
{
    struct port_event *event = nw__alloc_zero(sizeof(*event));

    if (event == NULL) {
        return false;
    }
    event->event.run = run_event;
    event->port = port;
    event->type = type;
    if (message != NULL) {
        nw__message_move(&event->message, message);
    }
    // Under the lock: a port that is being destroyed lets go of its inbox; and
    // who begins to listen either hears of the close or is told at once.
    nw__mutex_lock(&port->listener.lock);
    port->closed = port->closed || type == NW_PORT_CLOSE;
    event->on_event = port->on_event;
    event->user_data = port->user_data;
    port->listener.references++;
    if (!port->listener.muted) {
        nw__inbox_post(port->listener.inbox, &event->event);
        event = NULL;
    }
    nw__mutex_unlock(&port->listener.lock);

    if (event != NULL) {
        run_event(&event->event);
    }
    return true;
}

static bool post_to(uint64_t id, nw_port_event_type type,
                    struct nw__message *message)
{
    nw_port *port = find(id);
    bool taken = true;

    if (port != NULL) {
        taken = post(port, type, message);
        nw__listener_put(&port->listener);
    }
    return taken;
}

bool nw__port_message(uint64_t id, struct nw__message *message)
{
    return post_to(id, NW_PORT_MESSAGE, message);
}

bool nw__port_message_error(uint64_t id, struct nw__message *record)
{
    return post_to(id, NW_PORT_MESSAGE_ERROR, record);
}

static bool set_closed(nw_port *port)
{
    bool first;

    nw__mutex_lock(&port->listener.lock);
    first = !port->closed;
    nw__mutex_unlock(&port->listener.lock);

    return !first || post(port, NW_PORT_CLOSE, NULL);
}

bool nw__port_closed(uint64_t id)
{
    nw_port *port = find(id);
    bool taken = true;

    if (port != NULL) {
        taken = set_closed(port);
        nw__listener_put(&port->listener);
    }
    return taken;
}

bool nw__port_moved(uint64_t id)
{
    nw_port *port = find(id);

    if (port != NULL) {
        nw__listener_set_alive(&port->listener, false);
        nw__listener_put(&port->listener);
    }
    return true;
}

void nw__port_all_closed(void)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        nw_port *port;

        nw__mutex_lock(&table.lock);
        port = table.buckets[i];
        if (port != NULL) {
            table.buckets[i] = port->next;
            nw__listener_get(&port->listener);
        }
        nw__mutex_unlock(&table.lock);
        if (port != NULL) {
            set_closed(port);
            nw__listener_put(&port->listener);
            i--; // Until the chain is empty.
        }
    }
}

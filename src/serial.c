// Lock order: serial.lock is a leaf; events run without it.

#include "src/serial.h"

// The user's callbacks may run here: give them a usual stack.
#define STACK_SIZE ((size_t)8 << 20)

// Blocks. NULL: stopped and drained.
static struct nw__event *take(struct nw__serial *serial)
{
    struct nw__event *event;

    nw__mutex_lock(&serial->lock);
    while (serial->head == NULL && !serial->stopping) {
        nw__cond_wait(&serial->changed, &serial->lock);
    }
    event = serial->head;
    if (event != NULL) {
        serial->head = event->next;
        if (serial->head == NULL) {
            serial->tail = NULL;
        }
    }
    nw__mutex_unlock(&serial->lock);

    return event;
}

static void *serial_main(void *argument)
{
    struct nw__serial *serial = argument;
    struct nw__event *event;

    while ((event = take(serial)) != NULL) {
        event->run(event);
    }
    nw__mutex_lock(&serial->lock);
    serial->running = false;
    nw__cond_wake_all(&serial->changed);
    nw__mutex_unlock(&serial->lock);
    return NULL;
}

nw_status nw__serial_start(struct nw__serial *serial, const char *name)
{
    nw_status status;

    nw__mutex_lock(&serial->lock);
    if (!serial->initialised) {
        nw__cond_init(&serial->changed);
        serial->initialised = true;
    }
    serial->stopping = false;
    status = nw__thread_start(&serial->thread, name, STACK_SIZE, serial_main,
                              serial);
    serial->running = status == NW_OK;
    serial->joined = !serial->running;
    nw__mutex_unlock(&serial->lock);

    return status;
}

void nw__serial_post(struct nw__serial *serial, struct nw__event *event)
{
    event->next = NULL;
    nw__mutex_lock(&serial->lock);
    if (serial->tail != NULL) {
        serial->tail->next = event;
    } else {
        serial->head = event;
    }
    serial->tail = event;
    nw__cond_wake_all(&serial->changed);
    nw__mutex_unlock(&serial->lock);
}

bool nw__serial_is_current(struct nw__serial *serial)
{
    bool current;

    nw__mutex_lock(&serial->lock);
    current = serial->running && pthread_equal(serial->thread, pthread_self());
    nw__mutex_unlock(&serial->lock);

    return current;
}

bool nw__serial_stop(struct nw__serial *serial, uint64_t deadline_ns)
{
    bool in_time = true;
    bool ended;
    bool join;

    nw__mutex_lock(&serial->lock);
    serial->stopping = true;
    if (serial->running) {
        nw__cond_wake_all(&serial->changed);
    }
    while (serial->running && in_time) {
        in_time =
            nw__cond_wait_until(&serial->changed, &serial->lock, deadline_ns);
    }
    ended = !serial->running;
    join = ended && serial->initialised && !serial->joined;
    serial->joined = serial->joined || join;
    nw__mutex_unlock(&serial->lock);

    if (join) {
        pthread_join(serial->thread, NULL);
    }
    return ended;
}

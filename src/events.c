// Lock order: output_lock is a leaf; nothing is called with it held.

#include "src/events.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct nw__serial events = {.lock = NW__MUTEX_INIT};
static struct nw__serial outputs = {.lock = NW__MUTEX_INIT};

static nw__mutex output_lock = NW__MUTEX_INIT;

// -- protected by output_lock
static size_t output_bytes;

struct output {
    struct nw__event event;
    int fd;
    size_t size;
    char data[];
};

nw_status nw__events_start(void)
{
    nw_status status = nw__serial_start(&events, "nwpool-events");

    if (status == NW_OK) {
        status = nw__serial_start(&outputs, "nwpool-output");
        if (status != NW_OK) {
            nw__serial_stop(&events, NW__NEVER);
        }
    }
    return status;
}

void nw__events_post(struct nw__event *event)
{
    nw__serial_post(&events, event);
}

bool nw__events_is_current(void)
{
    return nw__serial_is_current(&events);
}

bool nw__events_stop(uint64_t deadline_ns)
{
    bool ended = nw__serial_stop(&events, deadline_ns);

    return nw__serial_stop(&outputs, deadline_ns) && ended;
}

// A descriptor that takes nothing any more (closed, EPIPE) swallows the rest:
// what a worker prints must never harm a task.
static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written < 0 && errno == EAGAIN) {
            usleep(1000); // The host itself made it non-blocking.
        } else if (written < 0 && errno != EINTR) {
            return;
        } else if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
}

static void run_output(struct nw__event *event)
{
    struct output *output = NW_CONTAINER_OF(event, struct output, event);

    write_all(output->fd, output->data, output->size);
    nw__mutex_lock(&output_lock);
    output_bytes -= output->size;
    nw__mutex_unlock(&output_lock);
    nw__free(output);
}

// One chunk larger than all that may wait is taken when nothing does.
static bool reserve(size_t size, bool force)
{
    bool room;

    nw__mutex_lock(&output_lock);
    room = force || output_bytes == 0 ||
           output_bytes + size <= NW__OUTPUT_BYTES_MAX;
    if (room) {
        output_bytes += size;
    }
    nw__mutex_unlock(&output_lock);

    return room;
}

bool nw__output(int fd, const void *data, size_t size, bool force)
{
    struct output *output;

    if (!reserve(size, force)) {
        return false;
    }
    output = nw__alloc(sizeof(*output) + size);
    if (output == NULL) {
        nw__mutex_lock(&output_lock);
        output_bytes -= size;
        nw__mutex_unlock(&output_lock);
        return false;
    }
    output->event.run = run_output;
    output->fd = fd;
    output->size = size;
    if (size > 0) {
        memcpy(output->data, data, size);
    }
    nw__serial_post(&outputs, &output->event);
    return true;
}

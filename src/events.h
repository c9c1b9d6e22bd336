// What may block or run the user's code on behalf of workers, so that neither
// the control thread nor a worker does: the events of workers on one thread,
// what workers print on another. A process has one of each.

#ifndef NW_SRC_EVENTS_H
#define NW_SRC_EVENTS_H

#include "src/serial.h"

// Output that may wait to be written before workers have to keep theirs.
#define NW__OUTPUT_BYTES_MAX ((size_t)1 << 20)

// Starts both threads. NW_ENOMEM. Thread: control's starter.
nw_status nw__events_start(void);

// Posts a worker's event. Never fails. Thread: any.
void nw__events_post(struct nw__event *event);

// True on the events thread: where waiting for an event would never end.
bool nw__events_is_current(void);

// Queues bytes for descriptor 1 or 2 of the host; copied. False, with nothing
// taken, while NW__OUTPUT_BYTES_MAX are waiting: try again later. With `force`
// they may be more. Written with
// plain blocking calls, so the descriptors keep their modes, and what the host
// has closed swallows it. Thread: any.
bool nw__output(int fd, const void *data, size_t size, bool force);

// Runs and writes what is queued, then ends both threads. False when they did
// not end by `deadline_ns`. Thread: any but the two. Blocks.
bool nw__events_stop(uint64_t deadline_ns);

#endif

// Per-thread event rings: what trace/ records into and exports from.
//
// A thread writes only to its own ring, between nw__recorder_pin() and
// nw__recorder_unpin(), and takes no lock for it. nw__recorder_stop() hands
// all rings of a recording to its caller, who is then alone with them.

#ifndef NW_TRACE_RECORDER_H
#define NW_TRACE_RECORDER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include <nwpool/status.h>

// Longer names are cut.
#define NW__TRACE_NAME_SIZE 128

enum nw__trace_kind {
    NW__TRACE_SUBMIT,   // begin_ns to end_ns: the call that submitted.
    NW__TRACE_RUN,      // From begin_ns to end_ns, which is 0 until it ended.
    NW__TRACE_ASYNC_ID, // Only async_id; when it came apart from its RUN.
    NW__TRACE_END,      // At end_ns; when it came apart from its RUN.
    NW__TRACE_DELIVER,  // begin_ns to end_ns: the callback.
    NW__TRACE_EXIT      // Of a worker, at end_ns.
};

// A start, its async id and its end usually come one after the other on one
// thread and share one event: a ring then holds three times as many tasks.
struct nw__trace_event {
    uint64_t task; // 0 for EXIT.
    const char *function;
    uint64_t begin_ns;
    uint64_t end_ns;
    union {
        double async_id; // RUN, ASYNC_ID; 0 when it is not known.
        int exit_code;   // EXIT.
    };
    uint32_t worker;
    int16_t status; // A nw_status; DELIVER, END, and RUN once it ended.
    uint8_t kind;   // An enum nw__trace_kind.
};

_Static_assert(sizeof(struct nw__trace_event) == 48, "events stay compact");

struct nw__trace_ring {
    // -- any thread
    _Atomic(uint32_t) pins;

    // -- the thread that recorded while it pins; who stopped afterwards
    uint64_t count; // Events ever appended; those kept are the last ones.
    uint64_t mask;  // Capacity - 1.
    struct nw__trace_event **chunks; // Each allocated at its first event.
    struct nw__trace_event *newest;  // Of the events kept, or NULL.
    uint64_t lost;                   // Never appended, for want of memory.
    uint32_t worker;                 // Number of the worker, or 0.
    pid_t tid;
    char name[NW__TRACE_NAME_SIZE]; // The row's.

    // -- protected by the recorder's lock
    struct nw__trace_ring *next;
};

// What was recorded. Owned by who stopped, until nw__recording_free().
struct nw__recording {
    struct nw__trace_ring *rings; // Linked by next.
    uint64_t lost;                // Events of threads that got no ring.
};

// Only one recording at a time; the caller sees to it.
void nw__recorder_start(uint32_t events_max);

// Blocks for as long as another thread is inside a hook.
void nw__recorder_stop(struct nw__recording *out);

void nw__recording_free(struct nw__recording *recording);

// The calling thread's ring; NULL when nothing is being recorded (any more) or
// there is no memory. Must be unpinned soon: stopping waits for it.
struct nw__trace_ring *nw__recorder_pin(void);
void nw__recorder_unpin(struct nw__trace_ring *ring);

// A zeroed event of that kind, in the place of the oldest one when the ring is
// full; NULL without memory. Caller has pinned the ring.
struct nw__trace_event *nw__ring_append(struct nw__trace_ring *ring,
                                        enum nw__trace_kind kind);

// -- readers, for the owner of the recording. Event numbers run from
// nw__ring_first() to ring->count - 1, oldest first.

uint64_t nw__ring_first(const struct nw__trace_ring *ring);
const struct nw__trace_event *nw__ring_at(const struct nw__trace_ring *ring,
                                          uint64_t number);

#endif

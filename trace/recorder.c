// Design notes.
//
// One ring a thread, made at the thread's first event and found through a
// thread-local pointer. The list of the recording owns the rings, so a thread
// may end at any time; nothing runs when it does (a destructor would be called
// into code that might have been unloaded).
//
// Why a ring is never written after the recording was stopped
//   A hook can be late: its thread read the hook table, slept, and goes on
//   when the recording was stopped or the next one runs. So each write is
//   bracketed: the thread adds 1 to the ring's pins and only then looks
//   whether `generation` is still the one its pointer belongs to. Stopping
//   first changes the generation and then looks at the pins. All four accesses
//   are sequentially consistent, so they have one order: either the pin comes
//   before the change, then stopping sees it and waits until it is gone, or
//   the look comes after the change, then the thread sees it and writes
//   nothing. The release in the unpin, read by stopping, makes everything that
//   was written visible.
//
// Why a stale pointer is harmless
//   Generations are never reused, so a thread whose pointer is from an earlier
//   recording finds out before it touches anything but `pins`. For those it
//   may be too late to know: therefore rings are never freed, only their
//   events; they wait in `idle` for the next recording. And therefore pins are
//   counted: the stale thread may add and subtract 1 while the ring's new
//   thread has pinned it. That delays a stop, and breaks nothing.
//
// Locks: `lock` only, for the lists, at a thread's first event and at start
// and stop. Nothing is called with it held but the allocator.

#include "trace/recorder.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/common.h"

// Events are allocated in chunks of this many, so that a thread that records
// little needs little. 48 KiB: below what malloc would map and unmap.
#define CHUNK_EVENTS UINT64_C(1024)

// A pin lasts tens of nanoseconds, or a time slice when its thread was put to
// sleep. A thread that takes longer than this is not coming back.
#define PIN_WAIT_NS (2000 * NW__NS_PER_MS)
#define PIN_POLL_NS 20000

static struct {
    // -- any thread. 0 while nothing is being recorded.
    _Atomic(uint64_t) generation;

    nw__mutex lock;

    // -- protected by lock
    uint64_t generation_last;
    uint64_t capacity;
    struct nw__recording current;
    struct nw__trace_ring *idle;  // To be used again.
    struct nw__trace_ring *stuck; // Pinned by a thread that never came back.
} recorder = {.lock = NW__MUTEX_INIT};

// The calling thread's ring and the recording that it belongs to.
static _Thread_local struct {
    struct nw__trace_ring *ring;
    uint64_t generation;
} mine;

static uint64_t chunk_size(const struct nw__trace_ring *ring)
{
    return ring->mask < CHUNK_EVENTS ? ring->mask + 1 : CHUNK_EVENTS;
}

static uint64_t chunk_count(const struct nw__trace_ring *ring)
{
    return ring->mask / CHUNK_EVENTS + 1;
}

// Caller holds the lock. NULL without memory.
static struct nw__trace_ring *ring_obtain(void)
{
    struct nw__trace_ring *ring = recorder.idle;

    if (ring != NULL) {
        recorder.idle = ring->next;
        return ring;
    }
    return nw__alloc_zero(sizeof(*ring));
}

// Caller holds the lock.
static void ring_push(struct nw__trace_ring **list, struct nw__trace_ring *ring)
{
    ring->next = *list;
    *list = ring;
}

// Caller holds the lock. Everything but the pins starts anew: those may be
// touched by the thread that had the ring before.
static bool ring_init(struct nw__trace_ring *ring)
{
    ring->count = 0;
    ring->mask = recorder.capacity - 1;
    ring->newest = NULL;
    ring->lost = 0;
    ring->worker = 0;
    ring->tid = gettid();
    if (pthread_getname_np(pthread_self(), ring->name, sizeof(ring->name))) {
        snprintf(ring->name, sizeof(ring->name), "thread");
    }
    ring->chunks = nw__alloc_zero(chunk_count(ring) * sizeof(*ring->chunks));
    return ring->chunks != NULL;
}

// Gives the calling thread a ring of the current recording. False when there
// is no recording or no memory.
static bool thread_register(void)
{
    struct nw__trace_ring *ring = NULL;
    uint64_t generation;
    bool registered = false;

    nw__mutex_lock(&recorder.lock);
    generation = atomic_load(&recorder.generation);
    if (generation != 0) {
        ring = ring_obtain();
        registered = ring != NULL && ring_init(ring);
        if (registered) {
            ring_push(&recorder.current.rings, ring);
        } else {
            recorder.current.lost++;
            if (ring != NULL) {
                ring_push(&recorder.idle, ring);
            }
        }
    }
    nw__mutex_unlock(&recorder.lock);

    if (registered) {
        mine.ring = ring;
        mine.generation = generation;
    }
    return registered;
}

struct nw__trace_ring *nw__recorder_pin(void)
{
    uint64_t generation =
        atomic_load_explicit(&recorder.generation, memory_order_relaxed);

    if (generation == 0) {
        return NULL;
    }
    if (mine.generation != generation && !thread_register()) {
        return NULL;
    }
    atomic_fetch_add(&mine.ring->pins, 1);
    if (atomic_load(&recorder.generation) != mine.generation) {
        nw__recorder_unpin(mine.ring);
        return NULL;
    }
    return mine.ring;
}

void nw__recorder_unpin(struct nw__trace_ring *ring)
{
    atomic_fetch_sub_explicit(&ring->pins, 1, memory_order_release);
}

struct nw__trace_event *nw__ring_append(struct nw__trace_ring *ring,
                                        enum nw__trace_kind kind)
{
    uint64_t index = ring->count & ring->mask;
    struct nw__trace_event **chunk = &ring->chunks[index / CHUNK_EVENTS];
    struct nw__trace_event *event;

    if (*chunk == NULL) {
        *chunk = nw__alloc(chunk_size(ring) * sizeof(*event));
        if (*chunk == NULL) {
            ring->lost++;
            return NULL;
        }
    }
    event = &(*chunk)[index % CHUNK_EVENTS];
    *event = (struct nw__trace_event){.kind = (uint8_t)kind};
    ring->newest = event;
    ring->count++;
    return event;
}

void nw__recorder_start(uint32_t events_max)
{
    uint64_t capacity = 1;

    while (capacity < events_max) {
        capacity *= 2;
    }
    nw__mutex_lock(&recorder.lock);
    NW_ASSERT(atomic_load(&recorder.generation) == 0);
    recorder.capacity = capacity;
    recorder.generation_last++;
    atomic_store(&recorder.generation, recorder.generation_last);
    nw__mutex_unlock(&recorder.lock);
}

// False when the ring is still pinned at the deadline.
static bool wait_unpinned(struct nw__trace_ring *ring, uint64_t deadline_ns)
{
    const struct timespec pause = {.tv_nsec = PIN_POLL_NS};

    while (atomic_load(&ring->pins) != 0) {
        if (nw__now_ns() >= deadline_ns) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

void nw__recorder_stop(struct nw__recording *out)
{
    uint64_t deadline_ns = nw__now_ns() + PIN_WAIT_NS;
    struct nw__trace_ring **link = &out->rings;

    // Before the lists are taken: a thread that registers from now on finds
    // no recording, so no ring is added behind our back.
    atomic_store(&recorder.generation, 0);

    nw__mutex_lock(&recorder.lock);
    *out = recorder.current;
    recorder.current = (struct nw__recording){0};
    nw__mutex_unlock(&recorder.lock);

    while (*link != NULL) {
        struct nw__trace_ring *ring = *link;

        if (wait_unpinned(ring, deadline_ns)) {
            link = &ring->next;
            continue;
        }
        // What it recorded cannot be read safely, nor the ring used again.
        *link = ring->next;
        out->lost++;
        nw__mutex_lock(&recorder.lock);
        ring_push(&recorder.stuck, ring);
        nw__mutex_unlock(&recorder.lock);
    }
}

static void ring_free_events(struct nw__trace_ring *ring)
{
    for (uint64_t i = 0; i < chunk_count(ring); i++) {
        nw__free(ring->chunks[i]);
    }
    nw__free(ring->chunks);
    ring->chunks = NULL;
    ring->newest = NULL;
}

void nw__recording_free(struct nw__recording *recording)
{
    while (recording->rings != NULL) {
        struct nw__trace_ring *ring = recording->rings;

        recording->rings = ring->next;
        ring_free_events(ring);
        nw__mutex_lock(&recorder.lock);
        ring_push(&recorder.idle, ring);
        nw__mutex_unlock(&recorder.lock);
    }
}

uint64_t nw__ring_first(const struct nw__trace_ring *ring)
{
    return ring->count > ring->mask ? ring->count - ring->mask - 1 : 0;
}

const struct nw__trace_event *nw__ring_at(const struct nw__trace_ring *ring,
                                          uint64_t number)
{
    uint64_t index = number & ring->mask;

    return &ring->chunks[index / CHUNK_EVENTS][index % CHUNK_EVENTS];
}

// Timers, all run by one thread of the process, "nwpool-timers", which starts
// with the first that is set.
//
// A timer is embedded in what it is for and owned by that: setting it allocates
// nothing. It runs once for each time that it was set, unless it was set again
// or cancelled before. Timers run one after the other in the order of their
// deadlines, never early, those with the same deadline in the order in which
// they were set. No lock is held meanwhile: they may set and cancel timers,
// take any lock, and free what they are embedded in. They should be quick, as
// there is one thread for all of them.

#ifndef NW_SRC_TIMERS_H
#define NW_SRC_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include <nwpool/status.h>

struct nw__timer {
    // -- immutable after init
    void (*run)(struct nw__timer *timer);

    // -- protected by the lock of timers.c
    uint64_t deadline_ns;
    uint64_t number; // Counts what was set.
    struct nw__timer *parent;
    struct nw__timer *left;
    struct nw__timer *right;
    uint32_t rank; // 0: not set.
};

// Nothing has to be undone but what nw__timer_set() does.
void nw__timer_init(struct nw__timer *timer,
                    void (*run)(struct nw__timer *timer));

// Lets it run at `deadline_ns` of nw__now_ns(); NW__NEVER is never. If it is
// set already it is moved, and if it is running it will run again. Logarithmic
// in the number of timers that are set.
//
// NW_ENOMEM when the thread is not there and cannot be started, which can
// happen to the first one only; NW_ESTOPPED after nw__timers_stop();
// NW_EFORKED. It stays as it was then. Thread: any.
nw_status nw__timer_set(struct nw__timer *timer, uint64_t deadline_ns);

// True when it was set, and now is not. False: it is not, but may just be
// running. Logarithmic. Thread: any, also where timers are stopped; it does
// nothing in a fork() child.
bool nw__timer_cancel(struct nw__timer *timer);

// The same, and it is not running either when this returns, unless this is
// called from inside it. Whoever sets it while this waits, `run` included, has
// set it for nothing. The caller must not hold what `run` waits for.
// Thread: any. Blocks.
bool nw__timer_cancel_wait(struct nw__timer *timer);

// True on the thread that runs timers. Thread: any.
bool nw__timers_is_current(void);

// Ends the thread for good; a timer that is running ends first, those that are
// set stay so and never run. False when it did not end by `deadline_ns`. Fine
// if it never started, and again. Thread: any but its own. Blocks.
bool nw__timers_stop(uint64_t deadline_ns);

#endif

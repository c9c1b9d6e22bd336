// A recording put in order: which events belong to which task, and what can be
// drawn on which thread's row.

#ifndef NW_TRACE_TIMELINE_H
#define NW_TRACE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nwpool/status.h>

#include "trace/recorder.h"

// In the order in which viewers show the rows.
enum nw__trace_group {
    NW__TRACE_SUBMITTERS,
    NW__TRACE_COMPLETION,
    NW__TRACE_WORKERS
};

struct nw__trace_row {
    const struct nw__trace_ring *ring;
    enum nw__trace_group group;
    bool drawn;             // False: a thread that only told of others.
    uint64_t dropped;       // Events that were recorded but are not kept.
    uint64_t kept_since_ns; // From then on none is missing on this row.
};

struct nw__trace_span {
    uint64_t begin_ns;
    uint64_t end_ns;
    bool known; // False: nothing to draw.
    bool open;  // It had not ended when the recording did.
};

// In the order in which a task goes through them.
enum nw__trace_stage {
    NW__TRACE_SUBMITTING,
    NW__TRACE_RUNNING,
    NW__TRACE_DELIVERING,
    NW__TRACE_STAGES
};

struct nw__trace_place {
    pid_t tid;
    uint64_t at_ns;
};

// All that is known of one task. What was overwritten in its ring, or happened
// before or after the recording, is not.
struct nw__trace_task {
    uint64_t id;
    const char *function;
    double async_id; // 0 when it is not known.
    uint32_t worker; // 0 when it never ran, as far as is known.
    nw_status status;
    bool ended;                 // The status is known.
    struct nw__trace_span life; // From submission to delivery.
    struct nw__trace_span wait; // Inside life: from acceptance to start.

    unsigned stages; // Bit 1 << stage: has a slice that fits its row.
    struct nw__trace_place places[NW__TRACE_STAGES]; // Where they begin.
};

// A slice of a row, or what would be one if it nested there.
struct nw__trace_slice {
    struct nw__trace_task *task;
    uint64_t begin_ns;
    uint64_t end_ns;
    pid_t tid;
    enum nw__trace_stage stage;
    bool open;
    bool overlaps; // Does not nest with an earlier one.
};

struct nw__timeline {
    uint64_t stop_ns;
    uint64_t dropped;
    struct nw__trace_row *rows;
    size_t row_count;
    struct nw__trace_task *tasks; // By id.
    size_t task_count;
    struct nw__trace_slice *slices; // By thread, then outer before inner.
    size_t slice_count;
};

// Borrows the recording. Without memory, NW_ENOMEM and an empty timeline.
nw_status nw__timeline_init(struct nw__timeline *timeline,
                            const struct nw__recording *recording,
                            uint64_t stop_ns);

// Takes one that was never filled, too, if it is zeroed.
void nw__timeline_fini(struct nw__timeline *timeline);

#endif

// Writes a timeline as trace-event JSON.

#ifndef NW_TRACE_TRACE_EVENT_H
#define NW_TRACE_TRACE_EVENT_H

#include "trace/out.h"
#include "trace/timeline.h"

// Errors stay in `out`, which is flushed.
void nw__trace_event_write(struct nw__out *out,
                           const struct nw__timeline *timeline);

#endif

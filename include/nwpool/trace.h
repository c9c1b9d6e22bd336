/**
 * @file nwpool/trace.h
 * Record what tasks do and write it as trace-event JSON, which Perfetto,
 * Chrome's DevTools and speedscope open.
 *
 * Which thread
 *   Each thread records into a ring of its own; nothing is shared while
 *   recording. When a ring is full its oldest events go, and the file says how
 *   many.
 */
#ifndef NWPOOL_TRACE_H
#define NWPOOL_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include <nwpool/status.h>

NW_EXTERN_C_BEGIN

/** Default of nw_trace_options.events_max. */
#define NW_TRACE_EVENTS_DEFAULT 262144

/** Settings for nw_trace_start(). Zero means default. */
typedef struct nw_trace_options {
    size_t struct_size;  /**< sizeof(nw_trace_options). */
    const char *file;    /**< Where the trace goes. Required; copied. */
    uint32_t events_max; /**< Events kept for each thread. */
} nw_trace_options;

/**
 * Start recording. Call it before the first pool is created: workers that run
 * already record no asyncId.
 *
 * @return NW_OK; NW_EBUSY while a trace is being recorded; NW_EIO when
 *         `file`.tmp cannot be created (errno says why); NW_EINVAL; NW_ENOMEM;
 *         NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nw_trace_start(const nw_trace_options *options);

/**
 * Stop recording and write the file: to `file`.tmp first, then renamed, so
 * that `file` is never half written.
 *
 * @return NW_OK; NW_ENOENT when nothing is being recorded; NW_EIO; NW_ENOMEM:
 *         there is no file then.
 * Thread: any. Blocks while it writes. Pools should be drained: tasks that
 * have not ended appear as open.
 */
NW_API nw_status nw_trace_stop(void);

NW_EXTERN_C_END

#endif

// Design notes.
//
// The format is Chrome's trace-event JSON, in the dialect that Perfetto,
// DevTools and speedscope all read; docs/tracing.md says what is drawn. What
// they insist on, and what this file therefore keeps to:
//
//   Every event, metadata too, has ph, pid, tid and ts (speedscope refuses
//   the file otherwise).
//   X events nest on each row (Perfetto drops what does not). A slice that
//   does not nest becomes an async pair of the category "nwpool.overlap".
//   A flow event has the category, row and ts of the slice it belongs to, and
//   of all events that have them the slice comes first in the file; the events
//   of one flow come in the order of their times (DevTools looks no further).
//   Async pairs with one id nest, and come in the order of their times.
//   Ids are strings: JSON numbers lose the low bits of a 64-bit id.
//   Times are CLOCK_MONOTONIC and pid and tid the real ones, as in the files
//   of node --trace-event-categories, so that both fit one timeline.

#include "trace/trace_event.h"

#include <errno.h>
#include <unistd.h>

#define CATEGORY         "nwpool"
#define CATEGORY_OVERLAP "nwpool.overlap"

// What the exporter needs to know in every function.
struct writer {
    struct nw__out *out;
    uint64_t pid;
    bool any; // An event was written, so the next one needs a comma.
};

// -- pieces. An event is opened, gets members, each with a comma in front, and
// is closed.

static void event_open(struct writer *writer, const char *phase, pid_t tid,
                       uint64_t at_ns)
{
    struct nw__out *out = writer->out;

    nw__out_text(out, writer->any ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    nw__out_text(out, phase);
    nw__out_text(out, "\",\"pid\":");
    nw__out_u64(out, writer->pid);
    nw__out_text(out, ",\"tid\":");
    nw__out_u64(out, (uint64_t)tid);
    nw__out_text(out, ",\"ts\":");
    nw__out_us(out, at_ns);
    writer->any = true;
}

static void event_close(struct writer *writer)
{
    nw__out_text(writer->out, "}");
}

// The name is in two parts; only the second needs escapes.
static void event_name(struct writer *writer, const char *category,
                       const char *prefix, const char *name)
{
    nw__out_text(writer->out, ",\"cat\":\"");
    nw__out_text(writer->out, category);
    nw__out_text(writer->out, "\",\"name\":\"");
    nw__out_text(writer->out, prefix);
    nw__out_escaped(writer->out, name);
    nw__out_text(writer->out, "\"");
}

static void event_id(struct writer *writer, uint64_t id)
{
    nw__out_text(writer->out, ",\"id\":");
    nw__out_hex(writer->out, id);
}

// -- metadata

static void metadata_name(struct writer *writer, const char *event, pid_t tid,
                          const char *name)
{
    event_open(writer, "M", tid, 0);
    nw__out_text(writer->out, ",\"name\":\"");
    nw__out_text(writer->out, event);
    nw__out_text(writer->out, "\",\"args\":{\"name\":\"");
    nw__out_escaped(writer->out, name);
    nw__out_text(writer->out, "\"}");
    event_close(writer);
}

static void metadata_rows(struct writer *writer,
                          const struct nw__timeline *timeline)
{
    metadata_name(writer, "process_name", (pid_t)writer->pid,
                  program_invocation_short_name);
    for (size_t i = 0; i < timeline->row_count; i++) {
        const struct nw__trace_ring *ring = timeline->rows[i].ring;

        if (!timeline->rows[i].drawn) {
            continue;
        }
        metadata_name(writer, "thread_name", ring->tid, ring->name);
        event_open(writer, "M", ring->tid, 0);
        nw__out_text(writer->out, ",\"name\":\"thread_sort_index\",\"args\":"
                                  "{\"sort_index\":");
        nw__out_u64(writer->out, i);
        nw__out_text(writer->out, "}");
        event_close(writer);
    }
}

// -- slices

static const char *const stage_prefix[NW__TRACE_STAGES] = {
    [NW__TRACE_SUBMITTING] = "submit ",
    [NW__TRACE_RUNNING] = "",
    [NW__TRACE_DELIVERING] = "result ",
};

static void slice_args(struct writer *writer,
                       const struct nw__trace_slice *slice)
{
    const struct nw__trace_task *task = slice->task;
    struct nw__out *out = writer->out;

    nw__out_text(out, ",\"args\":{\"task\":");
    nw__out_hex(out, task->id);
    if (slice->stage == NW__TRACE_RUNNING) {
        nw__out_text(out, ",\"worker\":");
        nw__out_u64(out, task->worker);
        // Whole and exact below 2^53, as Node's ids are. The comparison is
        // false for NaN.
        if (task->async_id >= 1 && task->async_id < 9007199254740992.0) {
            nw__out_text(out, ",\"async_id\":");
            nw__out_u64(out, (uint64_t)task->async_id);
        }
    }
    if (slice->stage != NW__TRACE_SUBMITTING && task->ended) {
        nw__out_text(out, ",\"status\":\"");
        nw__out_text(out, nw_status_name(task->status));
        nw__out_text(out, "\"");
    }
    nw__out_text(out, slice->open ? ",\"open\":true}" : "}");
}

static void write_row_slice(struct writer *writer,
                            const struct nw__trace_slice *slice)
{
    event_open(writer, "X", slice->tid, slice->begin_ns);
    nw__out_text(writer->out, ",\"dur\":");
    nw__out_us(writer->out, slice->end_ns - slice->begin_ns);
    event_name(writer, CATEGORY, stage_prefix[slice->stage],
               slice->task->function);
    slice_args(writer, slice);
    event_close(writer);
}

// A category of its own: pairs of one category and id would have to nest.
static void write_overlapping_slice(struct writer *writer,
                                    const struct nw__trace_slice *slice)
{
    const struct nw__trace_task *task = slice->task;

    event_open(writer, "b", slice->tid, slice->begin_ns);
    event_name(writer, CATEGORY_OVERLAP, stage_prefix[slice->stage],
               task->function);
    event_id(writer, task->id);
    slice_args(writer, slice);
    event_close(writer);

    event_open(writer, "e", slice->tid, slice->end_ns);
    event_name(writer, CATEGORY_OVERLAP, stage_prefix[slice->stage],
               task->function);
    event_id(writer, task->id);
    event_close(writer);
}

static void write_slices(struct writer *writer,
                         const struct nw__timeline *timeline)
{
    for (size_t i = 0; i < timeline->slice_count; i++) {
        const struct nw__trace_slice *slice = &timeline->slices[i];

        if (slice->overlaps) {
            write_overlapping_slice(writer, slice);
        } else {
            write_row_slice(writer, slice);
        }
    }
}

// -- flows

// The chain goes through whatever slices the task has on its rows: from the
// first (s) to the last (f). A single one has nothing to point to.
static const char *flow_phase(const struct nw__trace_task *task,
                              enum nw__trace_stage stage)
{
    unsigned bit = 1U << stage;

    if ((task->stages & bit) == 0 || task->stages == bit) {
        return NULL;
    }
    if ((task->stages & (bit - 1)) == 0) {
        return "s";
    }
    return task->stages < bit * 2 ? "f" : "t";
}

static void write_flow(struct writer *writer, const struct nw__trace_task *task)
{
    for (unsigned stage = 0; stage < NW__TRACE_STAGES; stage++) {
        const struct nw__trace_place *place = &task->places[stage];
        const char *phase = flow_phase(task, stage);

        if (phase == NULL) {
            continue;
        }
        event_open(writer, phase, place->tid, place->at_ns);
        event_name(writer, CATEGORY, "", "task");
        event_id(writer, task->id);
        if (phase[0] == 'f') {
            nw__out_text(writer->out, ",\"bp\":\"e\"");
        }
        event_close(writer);
    }
}

// -- async pairs

static void write_span_begin(struct writer *writer,
                             const struct nw__trace_task *task,
                             const char *name, uint64_t at_ns)
{
    event_open(writer, "b", task->places[NW__TRACE_SUBMITTING].tid, at_ns);
    event_name(writer, CATEGORY, "", name);
    event_id(writer, task->id);
    event_close(writer);
}

static void write_span_end(struct writer *writer,
                           const struct nw__trace_task *task, const char *name,
                           const struct nw__trace_span *span)
{
    event_open(writer, "e", task->places[NW__TRACE_SUBMITTING].tid,
               span->end_ns);
    event_name(writer, CATEGORY, "", name);
    event_id(writer, task->id);
    if (span->open) {
        nw__out_text(writer->out, ",\"args\":{\"open\":true}");
    }
    event_close(writer);
}

static void write_spans(struct writer *writer,
                        const struct nw__trace_task *task)
{
    if (!task->life.known) {
        return;
    }
    write_span_begin(writer, task, task->function, task->life.begin_ns);
    if (task->wait.known) {
        write_span_begin(writer, task, "wait", task->wait.begin_ns);
        write_span_end(writer, task, "wait", &task->wait);
    }
    write_span_end(writer, task, task->function, &task->life);
}

// -- what concerns no task

// A step on the row of its own: from here on nothing is missing.
static void write_dropped(struct writer *writer,
                          const struct nw__timeline *timeline,
                          const struct nw__trace_row *row)
{
    uint64_t since_ns = row->kept_since_ns < timeline->stop_ns
                            ? row->kept_since_ns
                            : timeline->stop_ns;

    event_open(writer, "C", row->ring->tid, since_ns);
    event_name(writer, CATEGORY, "", "nwpool_trace_dropped");
    event_id(writer, (uint64_t)row->ring->tid);
    nw__out_text(writer->out, ",\"args\":{\"dropped\":");
    nw__out_u64(writer->out, row->dropped);
    nw__out_text(writer->out, "}");
    event_close(writer);
}

static const struct nw__trace_row *
worker_row(const struct nw__timeline *timeline, uint32_t worker)
{
    for (size_t i = 0; i < timeline->row_count; i++) {
        if (timeline->rows[i].ring->worker == worker) {
            return &timeline->rows[i];
        }
    }
    return NULL;
}

static void write_exit(struct writer *writer,
                       const struct nw__timeline *timeline,
                       const struct nw__trace_event *event)
{
    const struct nw__trace_row *row = worker_row(timeline, event->worker);

    // A worker that recorded nothing has no row to end.
    if (row == NULL) {
        return;
    }
    event_open(writer, "i", row->ring->tid, event->end_ns);
    event_name(writer, CATEGORY, "", "worker exit");
    nw__out_text(writer->out, ",\"s\":\"t\",\"args\":{\"worker\":");
    nw__out_u64(writer->out, event->worker);
    nw__out_text(writer->out, ",\"exit_code\":");
    nw__out_i64(writer->out, event->exit_code);
    nw__out_text(writer->out, "}");
    event_close(writer);
}

static void write_rows(struct writer *writer,
                       const struct nw__timeline *timeline)
{
    for (size_t i = 0; i < timeline->row_count; i++) {
        const struct nw__trace_row *row = &timeline->rows[i];

        if (row->dropped > 0) {
            write_dropped(writer, timeline, row);
        }
        for (uint64_t n = nw__ring_first(row->ring); n < row->ring->count;
             n++) {
            const struct nw__trace_event *event = nw__ring_at(row->ring, n);

            if (event->kind == NW__TRACE_EXIT) {
                write_exit(writer, timeline, event);
            }
        }
    }
}

void nw__trace_event_write(struct nw__out *out,
                           const struct nw__timeline *timeline)
{
    struct writer writer = {.out = out, .pid = (uint64_t)getpid()};

    nw__out_text(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{"
                      "\"producer\":\"nwpool\","
                      "\"clock\":\"CLOCK_MONOTONIC\",\"dropped\":");
    nw__out_u64(out, timeline->dropped);
    nw__out_text(out, "},\"traceEvents\":[");
    metadata_rows(&writer, timeline);
    write_slices(&writer, timeline);
    for (size_t i = 0; i < timeline->task_count; i++) {
        write_flow(&writer, &timeline->tasks[i]);
        write_spans(&writer, &timeline->tasks[i]);
    }
    write_rows(&writer, timeline);
    nw__out_text(out, "\n]}\n");
    nw__out_flush(out);
}

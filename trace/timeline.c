// Design notes.
//
// All events that name a task are sorted by its id; each run of them becomes
// one task, each task up to three slices; the slices are sorted into rows, and
// those that do not nest there are marked. Memory is a small multiple of the
// rings', which are bounded.
//
// What an absent event means
//   Either it has not happened, or it was dropped. A ring drops its oldest
//   events, so every one that is younger than the oldest kept event of each
//   ring that dropped any is there: `kept_since_ns`. Of a task that began
//   after that moment nothing was dropped, and what is absent has not
//   happened. Of an older one nobody knows, so nothing is drawn for it that
//   rests on an absent event.

#include "trace/timeline.h"

#include <stdlib.h>

#include "src/common.h"

struct event_ref {
    uint64_t task;
    const struct nw__trace_event *event;
    pid_t tid;
};

// The events of one task, NULL where there is none.
struct task_events {
    const struct nw__trace_event *submit;
    const struct nw__trace_event *run;
    const struct nw__trace_event *async_id;
    const struct nw__trace_event *end;
    const struct nw__trace_event *deliver;
    pid_t submit_tid;
    pid_t run_tid;
    pid_t deliver_tid;
};

static uint64_t u64_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t u64_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// -- rows

// When it was appended. The end of a run is filled in later.
static uint64_t event_recorded_ns(const struct nw__trace_event *event)
{
    return event->kind == NW__TRACE_RUN ? event->begin_ns : event->end_ns;
}

// Whoever waits for a result records a delivery that takes no time; a callback
// takes some.
static void row_classify(struct nw__trace_row *row)
{
    const struct nw__trace_ring *ring = row->ring;

    row->group = NW__TRACE_SUBMITTERS;
    for (uint64_t n = nw__ring_first(ring); n < ring->count; n++) {
        const struct nw__trace_event *event = nw__ring_at(ring, n);

        if (event->kind == NW__TRACE_SUBMIT ||
            event->kind == NW__TRACE_DELIVER) {
            row->drawn = true;
        }
        if (event->kind == NW__TRACE_DELIVER &&
            event->begin_ns != event->end_ns) {
            row->group = NW__TRACE_COMPLETION;
        }
    }
    if (ring->worker != 0) {
        row->group = NW__TRACE_WORKERS;
        row->drawn = true;
    }
}

static void row_init(struct nw__trace_row *row,
                     const struct nw__trace_ring *ring)
{
    uint64_t first = nw__ring_first(ring);

    *row = (struct nw__trace_row){
        .ring = ring,
        .dropped = first + ring->lost,
    };
    row_classify(row);
    if (row->dropped > 0) {
        row->drawn = true;
    }
    if (ring->lost > 0) {
        // Lost for want of memory, and nobody knows when.
        row->kept_since_ns = UINT64_MAX;
    } else if (first > 0) {
        row->kept_since_ns = event_recorded_ns(nw__ring_at(ring, first));
    }
}

static int row_compare(const void *left, const void *right)
{
    const struct nw__trace_row *a = left;
    const struct nw__trace_row *b = right;

    if (a->group != b->group) {
        return a->group < b->group ? -1 : 1;
    }
    if (a->ring->worker != b->ring->worker) {
        return a->ring->worker < b->ring->worker ? -1 : 1;
    }
    return (a->ring->tid > b->ring->tid) - (a->ring->tid < b->ring->tid);
}

static bool rows_init(struct nw__timeline *timeline,
                      const struct nw__recording *recording)
{
    size_t count = 0;

    for (const struct nw__trace_ring *ring = recording->rings; ring != NULL;
         ring = ring->next) {
        count++;
    }
    timeline->rows = nw__alloc(count * sizeof(*timeline->rows));
    if (timeline->rows == NULL) {
        return false;
    }
    timeline->dropped = recording->lost;
    for (const struct nw__trace_ring *ring = recording->rings; ring != NULL;
         ring = ring->next) {
        struct nw__trace_row *row = &timeline->rows[timeline->row_count++];

        row_init(row, ring);
        timeline->dropped += row->dropped;
    }
    qsort(timeline->rows, count, sizeof(*timeline->rows), row_compare);
    return true;
}

static uint64_t kept_since_ns(const struct nw__timeline *timeline,
                              const struct nw__recording *recording)
{
    uint64_t since_ns = recording->lost > 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < timeline->row_count; i++) {
        since_ns = u64_max(since_ns, timeline->rows[i].kept_since_ns);
    }
    return since_ns;
}

// -- events by task

static int ref_compare(const void *left, const void *right)
{
    const struct event_ref *a = left;
    const struct event_ref *b = right;

    return (a->task > b->task) - (a->task < b->task);
}

// NULL without memory.
static struct event_ref *refs_make(const struct nw__timeline *timeline,
                                   size_t *count)
{
    struct event_ref *refs;
    size_t most = 0;

    for (size_t i = 0; i < timeline->row_count; i++) {
        const struct nw__trace_ring *ring = timeline->rows[i].ring;

        most += ring->count - nw__ring_first(ring);
    }
    refs = nw__alloc(most * sizeof(*refs));
    if (refs == NULL) {
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < timeline->row_count; i++) {
        const struct nw__trace_ring *ring = timeline->rows[i].ring;

        for (uint64_t n = nw__ring_first(ring); n < ring->count; n++) {
            const struct nw__trace_event *event = nw__ring_at(ring, n);

            if (event->kind != NW__TRACE_EXIT) {
                refs[(*count)++] =
                    (struct event_ref){event->task, event, ring->tid};
            }
        }
    }
    qsort(refs, *count, sizeof(*refs), ref_compare);
    return refs;
}

static size_t refs_count_tasks(const struct event_ref *refs, size_t count)
{
    size_t tasks = 0;

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || refs[i].task != refs[i - 1].task) {
            tasks++;
        }
    }
    return tasks;
}

static void task_add_event(struct nw__trace_task *task,
                           struct task_events *events,
                           const struct event_ref *ref)
{
    switch ((enum nw__trace_kind)ref->event->kind) {
    case NW__TRACE_SUBMIT:
        events->submit = ref->event;
        events->submit_tid = ref->tid;
        break;
    case NW__TRACE_RUN:
        events->run = ref->event;
        events->run_tid = ref->tid;
        break;
    case NW__TRACE_ASYNC_ID:
        events->async_id = ref->event;
        break;
    case NW__TRACE_END:
        events->end = ref->event;
        break;
    case NW__TRACE_DELIVER:
        events->deliver = ref->event;
        events->deliver_tid = ref->tid;
        break;
    case NW__TRACE_EXIT:
        break;
    }
    if (ref->event->function != NULL) {
        task->function = ref->event->function;
    }
}

// -- one task

static void task_set_outcome(struct nw__trace_task *task,
                             const struct task_events *events)
{
    const struct nw__trace_event *last = events->deliver;

    if (events->end != NULL) {
        last = events->end;
    } else if (events->run != NULL && events->run->end_ns != 0) {
        last = events->run;
    }
    task->ended = last != NULL;
    if (task->ended) {
        task->status = (nw_status)last->status;
    }
    if (events->run != NULL) {
        task->worker = events->run->worker;
        task->async_id = events->run->async_id;
    }
    if (events->async_id != NULL) {
        task->async_id = events->async_id->async_id;
    }
}

// The whole of it, if both of its ends are known, or it has none yet.
static struct nw__trace_span task_life(const struct nw__timeline *timeline,
                                       const struct task_events *events,
                                       uint64_t since_ns)
{
    struct nw__trace_span life = {0};

    if (events->submit == NULL) {
        return life;
    }
    life.begin_ns = events->submit->begin_ns;
    if (events->deliver != NULL) {
        life.end_ns = events->deliver->begin_ns;
        life.known = true;
    } else if (life.begin_ns >= since_ns) {
        life.end_ns = timeline->stop_ns;
        life.known = true;
        life.open = true;
    }
    life.end_ns = u64_max(life.begin_ns, life.end_ns);
    return life;
}

// A worker may start a task before the call that submitted it has returned:
// the wait is empty then.
static struct nw__trace_span task_wait(const struct nw__trace_span *life,
                                       const struct task_events *events,
                                       uint64_t since_ns)
{
    struct nw__trace_span wait = {.known = life->known};

    if (!life->known) {
        return wait;
    }
    if (events->run != NULL) {
        wait.end_ns = events->run->begin_ns;
    } else if (events->end != NULL && events->end->worker == 0) {
        wait.end_ns = events->end->end_ns;
    } else if (life->begin_ns >= since_ns) {
        wait.end_ns = life->end_ns;
        wait.open = life->open;
    } else {
        wait.known = false;
    }
    wait.end_ns = u64_min(u64_max(wait.end_ns, life->begin_ns), life->end_ns);
    wait.begin_ns = u64_min(events->submit->end_ns, wait.end_ns);
    wait.begin_ns = u64_max(wait.begin_ns, life->begin_ns);
    return wait;
}

static struct nw__trace_span task_run(const struct nw__timeline *timeline,
                                      const struct task_events *events,
                                      uint64_t since_ns)
{
    struct nw__trace_span run = {0};

    if (events->run == NULL) {
        return run;
    }
    run.begin_ns = events->run->begin_ns;
    run.known = true;
    if (events->run->end_ns != 0) {
        run.end_ns = events->run->end_ns;
    } else if (events->end != NULL) {
        run.end_ns = events->end->end_ns;
    } else if (run.begin_ns < since_ns) {
        run.known = false;
    } else if (events->deliver != NULL) {
        // The worker was still on its way to the hook when recording ended.
        run.end_ns = events->deliver->begin_ns;
    } else {
        run.end_ns = timeline->stop_ns;
        run.open = true;
    }
    return run;
}

static struct nw__trace_span event_span(const struct nw__trace_event *event)
{
    struct nw__trace_span span = {0};

    if (event != NULL) {
        span.begin_ns = event->begin_ns;
        span.end_ns = event->end_ns;
        span.known = true;
    }
    return span;
}

static void slice_add(struct nw__timeline *timeline,
                      struct nw__trace_task *task, enum nw__trace_stage stage,
                      pid_t tid, struct nw__trace_span span)
{
    if (span.known) {
        task->stages |= 1U << stage;
        task->places[stage] = (struct nw__trace_place){tid, span.begin_ns};
        timeline->slices[timeline->slice_count++] = (struct nw__trace_slice){
            .task = task,
            .begin_ns = span.begin_ns,
            .end_ns = u64_max(span.begin_ns, span.end_ns),
            .tid = tid,
            .stage = stage,
            .open = span.open,
        };
    }
}

// Takes the run of `refs` that name one task. Returns how many it took.
static size_t task_make(struct nw__timeline *timeline,
                        const struct event_ref *refs, size_t count,
                        uint64_t since_ns)
{
    struct nw__trace_task *task = &timeline->tasks[timeline->task_count++];
    struct task_events events = {0};
    size_t taken = 0;

    *task = (struct nw__trace_task){.id = refs[0].task, .function = ""};
    while (taken < count && refs[taken].task == task->id) {
        task_add_event(task, &events, &refs[taken]);
        taken++;
    }
    task_set_outcome(task, &events);
    task->life = task_life(timeline, &events, since_ns);
    task->wait = task_wait(&task->life, &events, since_ns);

    slice_add(timeline, task, NW__TRACE_SUBMITTING, events.submit_tid,
              event_span(events.submit));
    slice_add(timeline, task, NW__TRACE_RUNNING, events.run_tid,
              task_run(timeline, &events, since_ns));
    slice_add(timeline, task, NW__TRACE_DELIVERING, events.deliver_tid,
              event_span(events.deliver));
    return taken;
}

static bool tasks_init(struct nw__timeline *timeline,
                       const struct event_ref *refs, size_t count,
                       uint64_t since_ns)
{
    size_t most = refs_count_tasks(refs, count);

    timeline->tasks = nw__alloc(most * sizeof(*timeline->tasks));
    timeline->slices =
        nw__alloc(most * NW__TRACE_STAGES * sizeof(*timeline->slices));
    if (timeline->tasks == NULL || timeline->slices == NULL) {
        return false;
    }
    for (size_t done = 0; done < count;) {
        done += task_make(timeline, refs + done, count - done, since_ns);
    }
    return true;
}

// -- slices

static int slice_compare(const void *left, const void *right)
{
    const struct nw__trace_slice *a = left;
    const struct nw__trace_slice *b = right;

    if (a->tid != b->tid) {
        return a->tid < b->tid ? -1 : 1;
    }
    if (a->begin_ns != b->begin_ns) {
        return a->begin_ns < b->begin_ns ? -1 : 1;
    }
    return (a->end_ns < b->end_ns) - (a->end_ns > b->end_ns);
}

// Marks what does not nest. `open` is a stack: the slices that enclose the
// current one, outermost first.
static bool slices_mark_overlaps(struct nw__timeline *timeline)
{
    size_t *open = nw__alloc(timeline->slice_count * sizeof(*open));
    size_t depth = 0;

    if (open == NULL) {
        return false;
    }
    for (size_t i = 0; i < timeline->slice_count; i++) {
        struct nw__trace_slice *slice = &timeline->slices[i];

        while (depth > 0) {
            const struct nw__trace_slice *outer =
                &timeline->slices[open[depth - 1]];

            if (outer->tid == slice->tid && outer->end_ns > slice->begin_ns) {
                slice->overlaps = outer->end_ns < slice->end_ns;
                break;
            }
            depth--;
        }
        if (slice->overlaps) {
            slice->task->stages &= ~(1U << slice->stage);
        } else {
            open[depth++] = i;
        }
    }
    nw__free(open);
    return true;
}

nw_status nw__timeline_init(struct nw__timeline *timeline,
                            const struct nw__recording *recording,
                            uint64_t stop_ns)
{
    struct event_ref *refs = NULL;
    size_t count = 0;
    bool made;

    *timeline = (struct nw__timeline){.stop_ns = stop_ns};
    made = rows_init(timeline, recording);
    if (made) {
        refs = refs_make(timeline, &count);
        made = refs != NULL && tasks_init(timeline, refs, count,
                                          kept_since_ns(timeline, recording));
        nw__free(refs);
    }
    if (made) {
        qsort(timeline->slices, timeline->slice_count,
              sizeof(*timeline->slices), slice_compare);
        made = slices_mark_overlaps(timeline);
    }
    if (!made) {
        nw__timeline_fini(timeline);
        return NW_ENOMEM;
    }
    return NW_OK;
}

void nw__timeline_fini(struct nw__timeline *timeline)
{
    nw__free(timeline->rows);
    nw__free(timeline->tasks);
    nw__free(timeline->slices);
    *timeline = (struct nw__timeline){0};
}

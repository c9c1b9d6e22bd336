// Carries inputs through a pool.
//
// Invariants
//   Every input that is taken has exactly one line handed to the output, and
//   is counted once; the report at the end checks it.
//   At most job->queue inputs are between being read and being written, so
//   memory is bounded however many there are.
//   The first reason to stop is the one that counts.
//
// How far ahead of the workers tasks are submitted is adapted to how long they
// wait there: enough to keep the workers busy, but little enough that an
// interrupted run, which finishes what it has submitted, ends soon.
//
// Lock order: flow.lock is taken alone. The pool and the output are called
// without it.

#include "batch/flow.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <nwpool/json.h>

#include "batch/record.h"

// Tasks that wait less than this for a worker: submit further ahead. More than
// the other: less far. Waking a thread takes a tenth of a millisecond, so this
// leaves no worker idle.
#define WAIT_SHORT_NS UINT64_C(5000000)
#define WAIT_LONG_NS  UINT64_C(20000000)

// How long a full pool is left alone if no task ends meanwhile.
#define FULL_RETRY_MS 100

// Lines of a stack that are shown when the module cannot be run.
#define STACK_LINES_MAX 12

struct nwpool_batch_flow {
    // -- immutable once feeding
    const struct nwpool_batch_job *job;
    nwpool *pool;
    struct nwpool_batch_output *output;
    int wake; // An eventfd: readable when the feeder is to stop reading.
    uint32_t depth_min;

    // -- feeder only
    struct nwpool_batch_input *input;
    nw_doc *doc;

    pthread_mutex_t lock;
    pthread_cond_t changed;

    // -- protected by lock
    struct nwpool_batch_outcome outcome;
    uint64_t lines_out; // Lines that left the output's ring.
    double fraction;    // Of the input that was read.
    uint32_t depth;     // Inputs between being read and being ended, at most.
    bool module_works;  // A task has got as far as running.
};

// What a task carries.
struct task {
    struct nwpool_batch_flow *flow;
    uint64_t index;
    char *echo;
};

// CPUs that this process may run on: the pool has no more workers by default.
static uint32_t count_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    return (uint32_t)CPU_COUNT(&set);
}

struct nwpool_batch_flow *
nwpool_batch_flow_create(const struct nwpool_batch_job *job,
                         struct nwpool_batch_input *input)
{
    struct nwpool_batch_flow *flow = nwpool_batch_alloc_zero(sizeof(*flow));
    pthread_condattr_t clock;

    flow->job = job;
    flow->input = input;
    flow->fraction = -1;
    flow->depth_min = job->workers != 0 ? job->workers : count_cpus();
    if (flow->depth_min > job->queue) {
        flow->depth_min = job->queue;
    }
    flow->depth = flow->depth_min;
    flow->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    flow->doc = nw_doc_create();
    if (flow->doc == NULL) {
        nwpool_batch_out_of_memory();
    }
    pthread_mutex_init(&flow->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&flow->changed, &clock);
    pthread_condattr_destroy(&clock);
    return flow;
}

void nwpool_batch_flow_destroy(struct nwpool_batch_flow *flow)
{
    if (flow == NULL) {
        return;
    }
    nwpool_batch_outcome_fini(&flow->outcome);
    nw_doc_destroy(flow->doc);
    close(flow->wake);
    pthread_mutex_destroy(&flow->lock);
    pthread_cond_destroy(&flow->changed);
    free(flow);
}

// -- stopping

// Makes the feeder stop reading. The first reason stays.
//
// Caller holds the lock.
static void stop_feeding(struct nwpool_batch_flow *flow,
                         enum nwpool_batch_stop reason)
{
    const uint64_t one = 1;
    ssize_t written;

    if (flow->outcome.stop == NWPOOL_BATCH_STOP_NOT) {
        flow->outcome.stop = reason;
        written = write(flow->wake, &one, sizeof(one));
        (void)written;
        pthread_cond_broadcast(&flow->changed);
    }
}

void nwpool_batch_flow_interrupt(struct nwpool_batch_flow *flow, int number)
{
    pthread_mutex_lock(&flow->lock);
    flow->outcome.signal = number;
    stop_feeding(flow, NWPOOL_BATCH_STOP_SIGNAL);
    pthread_mutex_unlock(&flow->lock);
}

bool nwpool_batch_flow_interrupted(struct nwpool_batch_flow *flow)
{
    bool interrupted;

    pthread_mutex_lock(&flow->lock);
    interrupted = flow->outcome.stop == NWPOOL_BATCH_STOP_SIGNAL;
    pthread_mutex_unlock(&flow->lock);
    return interrupted;
}

void nwpool_batch_flow_lines_out(struct nwpool_batch_flow *flow, uint64_t taken,
                                 int error)
{
    pthread_mutex_lock(&flow->lock);
    flow->lines_out = taken;
    if (error != 0) {
        flow->outcome.output_error = error;
        stop_feeding(flow, NWPOOL_BATCH_STOP_OUTPUT);
    }
    pthread_cond_broadcast(&flow->changed);
    pthread_mutex_unlock(&flow->lock);
}

// -- results

// A line of a stack that names only Node.js itself.
static bool is_internal_frame(const char *line, size_t size)
{
    static const char start[] = "    at ";
    static const char place[] = "node:internal/";

    return strncmp(line, start, sizeof(start) - 1) == 0 &&
           memmem(line, size, place, sizeof(place) - 1) != NULL;
}

// Appends an error for people: the first lines of its stack, which name the
// place, or its message.
static void describe_error(struct nwpool_batch_text *out, const nw_error *error)
{
    const char *rest = error->stack;
    const char *separator = "";

    // A stack begins with the message, as a rule.
    if (strstr(error->stack, error->message) == NULL) {
        nwpool_batch_text_printf(out, "%s%s%s", error->name,
                                 error->name[0] != '\0' ? ": " : "",
                                 error->message);
        separator = "\n";
    }
    for (int lines = 0; *rest != '\0' && lines < STACK_LINES_MAX;) {
        size_t size = strcspn(rest, "\n");

        if (!is_internal_frame(rest, size)) {
            nwpool_batch_text_puts(out, separator);
            nwpool_batch_text_append(out, rest, size);
            separator = "\n";
            lines++;
        }
        rest += size + (rest[size] == '\n');
    }
}

// The error and what caused it.
static char *describe_errors(const nw_error *error)
{
    struct nwpool_batch_text out = {0};

    describe_error(&out, error);
    for (int i = 0; error->cause != NULL && i < NWPOOL_BATCH_CAUSES_MAX; i++) {
        error = error->cause;
        nwpool_batch_text_puts(&out, "\ncaused by ");
        describe_error(&out, error);
    }
    return nwpool_batch_text_take(&out);
}

// Finds out from a result whether the pool can do its work at all.
//
// Caller holds the lock.
static void judge_pool(struct nwpool_batch_flow *flow, const nw_result *result)
{
    bool hopeless = result->status == NW_EFAILED ||
                    (result->status == NW_EMODULE && !flow->module_works);

    if (result->status != NW_EMODULE && result->worker != 0) {
        flow->module_works = true;
    }
    if (hopeless && flow->outcome.pool_error == NULL) {
        flow->outcome.pool_error = describe_errors(result->error);
        stop_feeding(flow, NWPOOL_BATCH_STOP_POOL);
    }
}

// Caller holds the lock.
static void adapt_depth(struct nwpool_batch_flow *flow, const nw_result *result)
{
    if (result->worker == 0) {
        return;
    }
    if (result->wait_ns < WAIT_SHORT_NS && flow->depth < flow->job->queue) {
        flow->depth++;
    } else if (result->wait_ns > WAIT_LONG_NS &&
               flow->depth > flow->depth_min) {
        flow->depth--;
    }
}

// Hands the line of an input to the output and leaves `line` empty.
static void put_line(struct nwpool_batch_flow *flow, uint64_t index,
                     struct nwpool_batch_text *line)
{
    size_t size = line->size;

    nwpool_batch_output_put(flow->output, index, nwpool_batch_text_take(line),
                            size);
}

// Thread: the pool's completion thread.
static void on_done(const nw_result *result, void *user_data)
{
    struct task *task = user_data;
    struct nwpool_batch_flow *flow = task->flow;
    struct nwpool_batch_text line = {0};
    const nw_error *error;
    nw_status status;

    status = nwpool_batch_record_result(&line, task->index, task->echo, result,
                                        &error);
    put_line(flow, task->index, &line);

    pthread_mutex_lock(&flow->lock);
    flow->outcome.ended++;
    if (status == NW_OK) {
        nwpool_batch_tally_add_ok(&flow->outcome.tally);
    } else {
        nwpool_batch_tally_add_failure(&flow->outcome.tally, task->index,
                                       task->echo, status, error);
    }
    judge_pool(flow, result);
    adapt_depth(flow, result);
    pthread_cond_broadcast(&flow->changed);
    pthread_mutex_unlock(&flow->lock);

    free(task->echo);
    free(task);
}

// -- feeding

// An input that never becomes a task ends here.
static void bad_input(struct nwpool_batch_flow *flow,
                      const struct nwpool_batch_item *item)
{
    struct nwpool_batch_text line = {0};

    nwpool_batch_record_bad_input(&line, item);
    put_line(flow, item->index, &line);

    pthread_mutex_lock(&flow->lock);
    flow->outcome.ended++;
    nwpool_batch_tally_add_bad_input(&flow->outcome.tally, item);
    pthread_mutex_unlock(&flow->lock);
}

// So does one whose task the pool refuses for good.
static void refused(struct nwpool_batch_flow *flow,
                    const struct nwpool_batch_item *item, nw_status status)
{
    struct nwpool_batch_text line = {0};

    nwpool_batch_record_refusal(&line, item->index, item->echo, status);
    put_line(flow, item->index, &line);

    pthread_mutex_lock(&flow->lock);
    flow->outcome.ended++;
    nwpool_batch_tally_add_failure(&flow->outcome.tally, item->index,
                                   item->echo, status, NULL);
    if (status == NW_EFAILED || status == NW_ECLOSED) {
        if (flow->outcome.pool_error == NULL) {
            flow->outcome.pool_error =
                nwpool_batch_strdup(nw_status_message(status));
        }
        stop_feeding(flow, NWPOOL_BATCH_STOP_POOL);
    }
    pthread_mutex_unlock(&flow->lock);
}

// Waits until an input ends, or a little while.
static void wait_for_end(struct nwpool_batch_flow *flow)
{
    struct timespec until;
    uint64_t ended;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += FULL_RETRY_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;

    pthread_mutex_lock(&flow->lock);
    ended = flow->outcome.ended;
    while (flow->outcome.ended == ended && result == 0) {
        result = pthread_cond_timedwait(&flow->changed, &flow->lock, &until);
    }
    pthread_mutex_unlock(&flow->lock);
}

// Submits a task; gives up only when the pool does.
static nw_status submit(struct nwpool_batch_flow *flow,
                        const struct nwpool_batch_item *item,
                        const nw_value *argument)
{
    struct task *task = nwpool_batch_alloc(sizeof(*task));
    const nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = flow->job->function,
        .arguments = &argument,
        .argument_count = 1,
        .on_done = on_done,
        .user_data = task,
    };
    nw_status status;

    *task = (struct task){
        .flow = flow,
        .index = item->index,
        .echo = nwpool_batch_strdup(item->echo),
    };
    // Nobody else uses this pool, so it empties by itself.
    while ((status = nwpool_submit(flow->pool, &spec, NULL)) == NW_EFULL) {
        wait_for_end(flow);
    }
    if (status != NW_OK) {
        free(task->echo);
        free(task);
    }
    return status;
}

// True when `json` is nested `levels` deep. The parser bounds the recursion.
static bool is_nested(const json_t *json, int levels)
{
    bool nested = levels <= 0;
    const char *key;
    json_t *below;
    size_t index;

    json_array_foreach((json_t *)json, index, below)
    {
        nested = nested || is_nested(below, levels - 1);
    }
    json_object_foreach((json_t *)json, key, below)
    {
        nested = nested || is_nested(below, levels - 1);
    }
    return nested;
}

static void start_task(struct nwpool_batch_flow *flow,
                       const struct nwpool_batch_item *item)
{
    const nw_value *argument;
    nw_status status;

    nw_doc_reset(flow->doc);
    argument = nw_value_from_json(flow->doc, item->value);
    if (argument != NULL) {
        status = submit(flow, item, argument);
    } else {
        status =
            is_nested(item->value, NW_VALUE_DEPTH_MAX) ? NW_ELIMIT : NW_ENOMEM;
    }
    if (status != NW_OK) {
        refused(flow, item, status);
    }
}

// Waits until another input may be read. False when no more shall be.
static bool wait_for_room(struct nwpool_batch_flow *flow)
{
    const struct nwpool_batch_outcome *outcome = &flow->outcome;
    bool go_on;

    pthread_mutex_lock(&flow->lock);
    while (outcome->stop == NWPOOL_BATCH_STOP_NOT &&
           (outcome->taken - outcome->ended >= flow->depth ||
            outcome->taken - flow->lines_out >= flow->job->queue)) {
        pthread_cond_wait(&flow->changed, &flow->lock);
    }
    go_on = outcome->stop == NWPOOL_BATCH_STOP_NOT;
    pthread_mutex_unlock(&flow->lock);
    return go_on;
}

// Counts an input before anything is done with it.
static void count_taken(struct nwpool_batch_flow *flow)
{
    pthread_mutex_lock(&flow->lock);
    flow->outcome.taken++;
    flow->fraction = nwpool_batch_input_fraction(flow->input);
    pthread_mutex_unlock(&flow->lock);
}

void nwpool_batch_flow_feed(struct nwpool_batch_flow *flow, nwpool *pool,
                            struct nwpool_batch_output *output)
{
    enum nwpool_batch_next next = NWPOOL_BATCH_NEXT_ITEM;
    struct nwpool_batch_item item;

    flow->pool = pool;
    flow->output = output;
    while (wait_for_room(flow)) {
        next = nwpool_batch_input_next(flow->input, flow->wake, &item);
        if (next != NWPOOL_BATCH_NEXT_ITEM) {
            break;
        }
        count_taken(flow);
        if (item.value == NULL) {
            bad_input(flow, &item);
        } else {
            start_task(flow, &item);
        }
        nwpool_batch_item_fini(&item);
    }

    pthread_mutex_lock(&flow->lock);
    flow->outcome.input_over = next == NWPOOL_BATCH_NEXT_END;
    if (next == NWPOOL_BATCH_NEXT_FAILED) {
        stop_feeding(flow, NWPOOL_BATCH_STOP_INPUT);
    }
    pthread_mutex_unlock(&flow->lock);
}

// -- looking at it

void nwpool_batch_flow_counts(struct nwpool_batch_flow *flow,
                              struct nwpool_batch_counts *counts)
{
    counts->total = nwpool_batch_input_total(flow->input);
    pthread_mutex_lock(&flow->lock);
    counts->done = flow->outcome.ended;
    counts->failed = flow->outcome.tally.failed;
    counts->taken = flow->outcome.taken;
    counts->fraction = flow->fraction;
    pthread_mutex_unlock(&flow->lock);
}

struct nwpool_batch_outcome *
nwpool_batch_flow_outcome(struct nwpool_batch_flow *flow)
{
    return &flow->outcome;
}

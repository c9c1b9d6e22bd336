// Goal: what is recorded comes out as a trace that viewers can read: each task
// on the right rows, nothing claimed that was not seen, whatever was lost,
// late, overlapping or still open. No Node.js is started in this file; the
// hooks are called as the core calls them.

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>

#include <nwpool/trace.h>

#include "src/common.h"
#include "src/hooks.h"
#include "trace/out.h"
#include "trace/recorder.h"

// Well before now, so that open slices, which end now, end after they begin.
#define T0 UINT64_C(1000000)

static char directory[] = "/tmp/nwpool-trace-XXXXXX";
static char file[64];
static char file_temporary[80];
static json_t *trace;

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(directory), NULL));
    snprintf(file, sizeof(file), "%s/trace.json", directory);
    snprintf(file_temporary, sizeof(file_temporary), "%s.tmp", file);
}

static void teardown(void)
{
    json_decref(trace);
    unlink(file);
    unlink(file_temporary);
    rmdir(directory);
}

TestSuite(trace, .init = setup, .fini = teardown, .timeout = 60);

// -- recording

static nw_status start(uint32_t events_max)
{
    nw_trace_options options = {
        .struct_size = sizeof(options), .file = file, .events_max = events_max};

    return nw_trace_start(&options);
}

static void must_start(uint32_t events_max)
{
    cr_assert(eq(int, start(events_max), NW_OK));
}

// Stops and reads the file.
static void must_stop(void)
{
    json_error_t error;

    cr_assert(eq(int, nw_trace_stop(), NW_OK));
    json_decref(trace);
    trace = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    cr_assert(ne(ptr, trace, NULL), "line %d: %s", error.line, error.text);
}

struct named_body {
    const char *name;
    void (*body)(void);
};

static void *named_main(void *data)
{
    struct named_body *named = data;

    pthread_setname_np(pthread_self(), named->name);
    named->body();
    return NULL;
}

// Runs `body` on a thread of its own, which has ended when this returns.
static void on_thread(const char *name, void (*body)(void))
{
    struct named_body named = {name, body};
    pthread_t thread;

    cr_assert(eq(int, pthread_create(&thread, NULL, named_main, &named), 0));
    pthread_join(thread, NULL);
}

static void submit(uint64_t task, uint64_t at_ns)
{
    nw__hooks()->task_submitted(task, "f", at_ns, at_ns + 10);
}

static void deliver(uint64_t task, uint64_t at_ns)
{
    nw__hooks()->task_delivered(task, "f", NW_OK, at_ns, at_ns + 10);
}

static void run(uint64_t task, uint64_t begin_ns, uint64_t end_ns)
{
    nw__hooks()->task_started(task, "f", 1, begin_ns);
    nw__hooks()->task_async_id(task, 40.0 + (double)task);
    nw__hooks()->task_ended(task, "f", 1, NW_OK, end_ns);
}

// -- reading

static const char *text(const json_t *event, const char *key)
{
    const char *value = json_string_value(json_object_get(event, key));

    return value != NULL ? value : "";
}

static const char *arg_text(const json_t *event, const char *key)
{
    return text(json_object_get(event, "args"), key);
}

static json_int_t arg_int(const json_t *event, const char *key)
{
    return json_integer_value(
        json_object_get(json_object_get(event, "args"), key));
}

static bool is_open(const json_t *event)
{
    return json_is_true(
        json_object_get(json_object_get(event, "args"), "open"));
}

static json_int_t tid_of(const json_t *event)
{
    return json_integer_value(json_object_get(event, "tid"));
}

// In whole nanoseconds.
static uint64_t ns_of(const json_t *event, const char *key)
{
    double us = json_number_value(json_object_get(event, key));

    return (uint64_t)(us * 1000 + 0.5);
}

static bool matches(const json_t *event, const char *phase, const char *name)
{
    return strcmp(text(event, "ph"), phase) == 0 &&
           (name == NULL || strcmp(text(event, "name"), name) == 0);
}

// The events of that phase, and of that name unless it is NULL.
static size_t count_events(const char *phase, const char *name)
{
    size_t count = 0;
    size_t index;
    json_t *event;

    json_array_foreach(json_object_get(trace, "traceEvents"), index, event)
    {
        count += matches(event, phase, name);
    }
    return count;
}

// Number `nth` of them, from 0; fails the test when there are not as many.
static const json_t *find(const char *phase, const char *name, size_t nth)
{
    size_t index;
    json_t *event;

    json_array_foreach(json_object_get(trace, "traceEvents"), index, event)
    {
        if (matches(event, phase, name) && nth-- == 0) {
            return event;
        }
    }
    cr_fatal("there is no %s %s", phase, name != NULL ? name : "event");
    return NULL;
}

// The name of the row that an event is on.
static const char *row_of(const json_t *of)
{
    size_t index;
    json_t *event;

    json_array_foreach(json_object_get(trace, "traceEvents"), index, event)
    {
        if (matches(event, "M", "thread_name") && tid_of(event) == tid_of(of)) {
            return arg_text(event, "name");
        }
    }
    return "";
}

static json_int_t total_dropped(void)
{
    return json_integer_value(
        json_object_get(json_object_get(trace, "otherData"), "dropped"));
}

// -- start and stop

Test(trace, start_refuses_options_without_a_file_or_a_size)
{
    nw_trace_options options = {.struct_size = sizeof(options)};

    cr_expect(eq(int, nw_trace_start(NULL), NW_EINVAL));
    cr_expect(eq(int, nw_trace_start(&options), NW_EINVAL));
    options.file = "";
    cr_expect(eq(int, nw_trace_start(&options), NW_EINVAL));
    options.file = file;
    options.struct_size = 0;
    cr_expect(eq(int, nw_trace_start(&options), NW_EINVAL));
    cr_expect(eq(int, nw_trace_stop(), NW_ENOENT));
}

Test(trace, start_fails_at_once_when_the_file_cannot_be_created)
{
    nw_trace_options options = {.struct_size = sizeof(options),
                                .file = "/nonexistent/trace.json"};

    cr_expect(eq(int, nw_trace_start(&options), NW_EIO));
    cr_expect(eq(int, errno, ENOENT));
    cr_expect(eq(ptr, (void *)nw__hooks(), NULL));
    cr_expect(eq(int, nw_trace_stop(), NW_ENOENT));
    cr_expect(eq(int, start(0), NW_OK));
    cr_expect(eq(int, nw_trace_stop(), NW_OK));
}

Test(trace, only_one_recording_at_a_time)
{
    must_start(0);
    cr_expect(eq(int, start(0), NW_EBUSY));
    must_stop();
    cr_expect(eq(int, nw_trace_stop(), NW_ENOENT));
}

Test(trace, file_appears_whole_when_recording_stops)
{
    must_start(0);
    cr_expect(ne(int, access(file, F_OK), 0));
    cr_expect(eq(int, access(file_temporary, F_OK), 0));

    must_stop();
    cr_expect(eq(int, access(file, F_OK), 0));
    cr_expect(ne(int, access(file_temporary, F_OK), 0));
    cr_expect(eq(str, (char *)text(trace, "displayTimeUnit"), "ns"));
    cr_expect(eq(sz, count_events("M", "process_name"), 1));
}

Test(trace, relative_file_stays_where_it_was_meant_to_be)
{
    char *before = getcwd(NULL, 0);
    nw_trace_options options = {.struct_size = sizeof(options),
                                .file = "trace.json"};

    cr_assert(eq(int, chdir(directory), 0));
    cr_assert(eq(int, nw_trace_start(&options), NW_OK));
    cr_assert(eq(int, chdir(before), 0));
    must_stop();
    free(before);
}

// -- tasks

static void worker_runs_one(void)
{
    nw__hooks()->worker_started(1, "pool");
    run(0x2a, T0 + 1000, T0 + 3500);
}

static void completion_delivers_one(void)
{
    nw__hooks()->task_delivered(0x2a, "f", NW_OK, T0 + 4000, T0 + 4001);
}

static void record_one_task(void)
{
    must_start(0);
    nw__hooks()->task_submitted(0x2a, "f", T0, T0 + 900);
    on_thread("worker", worker_runs_one);
    on_thread("completion", completion_delivers_one);
    must_stop();
}

Test(trace, task_has_a_slice_on_each_row_it_touches)
{
    const json_t *slice;

    record_one_task();
    cr_expect(eq(sz, count_events("X", NULL), 3));

    slice = find("X", "submit f", 0);
    cr_expect(eq(int, (int)tid_of(slice), gettid()));
    cr_expect(eq(u64, ns_of(slice, "ts"), T0));
    cr_expect(eq(u64, ns_of(slice, "dur"), 900));
    cr_expect(eq(str, (char *)arg_text(slice, "task"), "0x2a"));

    slice = find("X", "f", 0);
    cr_expect(eq(str, (char *)row_of(slice), "worker 1 (pool)"));
    cr_expect(eq(u64, ns_of(slice, "ts"), T0 + 1000));
    cr_expect(eq(u64, ns_of(slice, "dur"), 2500));
    cr_expect(eq(str, (char *)arg_text(slice, "task"), "0x2a"));
    cr_expect(eq(str, (char *)arg_text(slice, "status"), "NW_OK"));
    cr_expect(eq(int, (int)arg_int(slice, "worker"), 1));
    cr_expect(eq(int, (int)arg_int(slice, "async_id"), 40 + 0x2a));

    slice = find("X", "result f", 0);
    cr_expect(eq(str, (char *)row_of(slice), "completion"));
    cr_expect(eq(u64, ns_of(slice, "ts"), T0 + 4000));
    cr_expect(eq(u64, ns_of(slice, "dur"), 1));
}

Test(trace, task_has_an_async_pair_with_its_wait_inside)
{
    record_one_task();
    cr_expect(eq(sz, count_events("b", NULL), 2));
    cr_expect(eq(sz, count_events("e", NULL), 2));
    cr_expect(eq(u64, ns_of(find("b", "f", 0), "ts"), T0));
    cr_expect(eq(u64, ns_of(find("b", "wait", 0), "ts"), T0 + 900));
    cr_expect(eq(u64, ns_of(find("e", "wait", 0), "ts"), T0 + 1000));
    cr_expect(eq(u64, ns_of(find("e", "f", 0), "ts"), T0 + 4000));
    cr_expect(eq(str, (char *)text(find("b", "f", 0), "id"), "0x2a"));
    cr_expect(not(is_open(find("e", "f", 0))));
}

// DevTools draws an arrow only between slices whose place it has exactly.
Test(trace, flow_events_stand_at_the_start_of_their_slices)
{
    static const char *const stages[][2] = {
        {"s", "submit f"}, {"t", "f"}, {"f", "result f"}};

    record_one_task();
    for (size_t i = 0; i < 3; i++) {
        const json_t *flow = find(stages[i][0], "task", 0);
        const json_t *slice = find("X", stages[i][1], 0);

        cr_expect(eq(int, (int)tid_of(flow), (int)tid_of(slice)));
        cr_expect(eq(u64, ns_of(flow, "ts"), ns_of(slice, "ts")));
        cr_expect(
            eq(str, (char *)text(flow, "cat"), (char *)text(slice, "cat")));
        cr_expect(eq(str, (char *)text(flow, "id"), "0x2a"));
        cr_expect(eq(sz, count_events(stages[i][0], "task"), 1));
    }
    cr_expect(eq(str, (char *)text(find("f", "task", 0), "bp"), "e"));
}

static void submit_and_wait(void)
{
    submit(1, T0);
    nw__hooks()->task_delivered(1, "f", NW_OK, T0 + 9, T0 + 9);
}

// They appear in the file in the order of their sort index.
Test(trace, rows_are_submitters_then_completion_then_workers)
{
    static const char *const names[] = {"waiter", "completion",
                                        "worker 1 (pool)"};

    must_start(0);
    on_thread("completion", completion_delivers_one);
    on_thread("waiter", submit_and_wait);
    on_thread("worker", worker_runs_one);
    must_stop();

    cr_assert(eq(sz, count_events("M", "thread_name"), 3));
    for (size_t i = 0; i < 3; i++) {
        const json_t *name = find("M", "thread_name", i);
        const json_t *sort = find("M", "thread_sort_index", i);

        cr_expect(eq(str, (char *)arg_text(name, "name"), (char *)names[i]));
        cr_expect(eq(int, (int)arg_int(sort, "sort_index"), (int)i));
        cr_expect(eq(int, (int)tid_of(sort), (int)tid_of(name)));
    }
}

static void worker_runs_unannounced(void)
{
    run(1, T0, T0 + 1);
}

Test(trace, worker_that_started_before_the_recording_has_a_row)
{
    must_start(0);
    on_thread("node", worker_runs_unannounced);
    must_stop();
    cr_expect(eq(str, (char *)row_of(find("X", "f", 0)), "worker 1"));
}

Test(trace, worker_may_start_a_task_before_its_submission_returns)
{
    must_start(0);
    nw__hooks()->task_submitted(0x2a, "f", T0, T0 + 2000);
    on_thread("worker", worker_runs_one);
    deliver(0x2a, T0 + 4000);
    must_stop();
    cr_expect(eq(u64, ns_of(find("b", "wait", 0), "ts"), T0 + 1000));
    cr_expect(eq(u64, ns_of(find("e", "wait", 0), "ts"), T0 + 1000));
}

Test(trace, task_that_never_ran_flows_from_submit_to_result)
{
    must_start(0);
    submit(1, T0);
    nw__hooks()->task_ended(1, "f", 0, NW_ECANCELED, T0 + 500);
    nw__hooks()->task_delivered(1, "f", NW_ECANCELED, T0 + 600, T0 + 700);
    must_stop();

    cr_expect(eq(sz, count_events("X", NULL), 2));
    cr_expect(eq(sz, count_events("s", NULL), 1));
    cr_expect(eq(sz, count_events("t", NULL), 0));
    cr_expect(eq(sz, count_events("f", NULL), 1));
    cr_expect(eq(u64, ns_of(find("e", "wait", 0), "ts"), T0 + 500));
    cr_expect(eq(str, (char *)arg_text(find("X", "result f", 0), "status"),
                 "NW_ECANCELED"));
}

static void worker_starts_one(void)
{
    nw__hooks()->worker_started(1, "pool");
    nw__hooks()->task_started(1, "f", 1, T0 + 100);
}

Test(trace, crashed_task_stays_on_the_row_of_its_worker)
{
    const json_t *slice;

    must_start(0);
    submit(1, T0);
    on_thread("worker", worker_starts_one);
    nw__hooks()->task_ended(1, "f", 1, NW_ECRASHED, T0 + 300);
    nw__hooks()->worker_exited(1, -3);
    must_stop();

    slice = find("X", "f", 0);
    cr_expect(eq(str, (char *)row_of(slice), "worker 1 (pool)"));
    cr_expect(eq(u64, ns_of(slice, "dur"), 200));
    cr_expect(eq(str, (char *)arg_text(slice, "status"), "NW_ECRASHED"));
    cr_expect(not(is_open(slice)));
    cr_expect(eq(str, (char *)row_of(find("i", "worker exit", 0)),
                 "worker 1 (pool)"));
    cr_expect(
        eq(int, (int)arg_int(find("i", "worker exit", 0), "exit_code"), -3));
}

Test(trace, what_has_not_ended_is_open_until_the_stop)
{
    uint64_t before_ns = nw__now_ns();

    must_start(0);
    submit(1, T0);
    submit(2, T0 + 50);
    on_thread("worker", worker_starts_one);
    must_stop();

    // Task 1 runs, task 2 waits.
    cr_expect(eq(sz, count_events("b", NULL), count_events("e", NULL)));
    cr_expect(is_open(find("X", "f", 0)));
    cr_expect(is_open(find("e", "f", 0)));
    cr_expect(is_open(find("e", "f", 1)));
    cr_expect(not(is_open(find("e", "wait", 0))));
    cr_expect(is_open(find("e", "wait", 1)));
    cr_expect(ge(u64, ns_of(find("e", "f", 0), "ts"), before_ns));
    cr_expect(eq(str, (char *)arg_text(find("X", "f", 0), "status"), ""));
}

static void worker_overlaps(void)
{
    nw__hooks()->task_started(1, "f", 1, T0);
    nw__hooks()->task_started(2, "f", 1, T0 + 100);
    nw__hooks()->task_async_id(1, 7);
    nw__hooks()->task_ended(1, "f", 1, NW_OK, T0 + 200);
    nw__hooks()->task_ended(2, "f", 1, NW_OK, T0 + 300);
}

Test(trace, runs_that_overlap_on_one_row_are_drawn_as_pairs)
{
    must_start(0);
    on_thread("worker", worker_overlaps);
    deliver(1, T0 + 1000);
    deliver(2, T0 + 2000);
    must_stop();

    cr_expect(eq(sz, count_events("X", "f"), 1));
    cr_expect(eq(int, (int)arg_int(find("X", "f", 0), "async_id"), 7));
    cr_expect(eq(sz, count_events("b", "f"), 1));
    cr_expect(eq(str, (char *)text(find("b", "f", 0), "id"), "0x2"));
    cr_expect(eq(u64, ns_of(find("b", "f", 0), "ts"), T0 + 100));
    cr_expect(eq(u64, ns_of(find("e", "f", 0), "ts"), T0 + 300));
    // Only task 1 has two slices to point from and to.
    cr_expect(eq(sz, count_events("s", NULL), 1));
    cr_expect(eq(sz, count_events("f", NULL), 1));
    cr_expect(eq(str, (char *)text(find("s", NULL, 0), "id"), "0x1"));
}

Test(trace, submission_from_a_callback_nests_in_its_result)
{
    must_start(0);
    submit(2, T0 + 100);
    nw__hooks()->task_delivered(1, "f", NW_OK, T0 + 100, T0 + 200);
    must_stop();
    cr_expect(eq(sz, count_events("X", NULL), 2));
    cr_expect(eq(str, (char *)text(find("X", NULL, 0), "name"), "result f"));
}

// -- what was dropped

static void run_ten(void)
{
    for (uint64_t task = 1; task <= 10; task++) {
        run(task, T0 + task * 100, T0 + task * 100 + 50);
    }
}

Test(trace, full_ring_drops_its_oldest_events_and_says_how_many)
{
    must_start(3); // Rounded up to 4.
    for (uint64_t task = 1; task <= 10; task++) {
        submit(task, T0 + task * 10);
    }
    on_thread("worker", run_ten);
    must_stop();

    cr_expect(eq(sz, count_events("X", "submit f"), 4));
    cr_expect(eq(sz, count_events("X", "f"), 4));
    cr_expect(eq(str, (char *)arg_text(find("X", "f", 0), "task"), "0x7"));
    cr_expect(eq(int, (int)total_dropped(), 12));
    cr_expect(eq(sz, count_events("C", "nwpool_trace_dropped"), 2));
    for (size_t i = 0; i < 2; i++) {
        const json_t *counter = find("C", "nwpool_trace_dropped", i);

        cr_expect(eq(int, (int)arg_int(counter, "dropped"), 6));
    }
}

static void deliver_ten(void)
{
    for (uint64_t task = 1; task <= 10; task++) {
        deliver(task, T0 + 5000 + task * 10);
    }
}

// The deliveries of tasks 1 to 6 are lost, the submissions of all are there.
Test(trace, nothing_is_claimed_that_rests_on_a_dropped_event)
{
    must_start(4);
    for (uint64_t task = 7; task <= 9; task++) {
        submit(task, T0 + task * 10);
    }
    on_thread("completion", deliver_ten);
    on_thread("worker", worker_starts_one);
    submit(1, T0 + 10);
    must_stop();

    // Tasks 7 to 9 are known from end to end but for their run. Task 1 was
    // submitted, started, and whether it is still open nobody knows.
    cr_expect(eq(sz, count_events("b", "f"), 3));
    cr_expect(eq(sz, count_events("b", "wait"), 0));
    cr_expect(eq(sz, count_events("X", "f"), 0));
    cr_expect(eq(sz, count_events("X", "submit f"), 4));
    // Task 10: a result, and nowhere that it came from.
    cr_expect(eq(sz, count_events("s", NULL), 3));
    cr_expect(eq(sz, count_events("f", NULL), 3));
}

Test(trace, task_younger_than_all_that_was_dropped_is_open_for_certain)
{
    must_start(4);
    on_thread("completion", deliver_ten);
    submit(11, T0 + 6000);
    must_stop();
    cr_expect(eq(sz, count_events("e", "f"), 1));
    cr_expect(is_open(find("e", "f", 0)));
}

// -- names

Test(trace, names_are_escaped_and_made_valid)
{
    static const char *const given[] = {
        "quote\" slash\\ line\n unit\x1f",
        "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
        // A stray byte, overlong slashes, a surrogate, a number that is too
        // large, a cut sequence.
        "\x80|\xc0\xaf|\xe0\x80\xaf|\xed\xa0\x80|\xf5\x80\x80\x80|\xe2\x82",
    };
    static const char *const expected[] = {
        "submit quote\" slash\\ line\n unit\x1f",
        "submit gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
        "submit \xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
        "\xef\xbf\xbd\xef\xbf\xbd",
    };

    must_start(0);
    for (size_t i = 0; i < 3; i++) {
        nw__hooks()->task_submitted(i + 1, given[i], T0 + i, T0 + i);
    }
    must_stop();
    for (size_t i = 0; i < 3; i++) {
        cr_expect(eq(str, (char *)text(find("X", NULL, i), "name"),
                     (char *)expected[i]));
    }
}

Test(trace, ids_are_hexadecimal_and_times_exact_at_the_limits)
{
    must_start(0);
    nw__hooks()->task_submitted(UINT64_MAX, "f", 7, 1000000000000007);
    must_stop();
    cr_expect(
        eq(str, (char *)text(find("b", "f", 0), "id"), "0xffffffffffffffff"));
    cr_expect(eq(u64, ns_of(find("X", NULL, 0), "ts"), 7));
    cr_expect(eq(u64, ns_of(find("X", NULL, 0), "dur"), 1000000000000000));
}

// -- recordings one after the other, and late hooks

// The second has the first one's rings, which must not show.
Test(trace, second_recording_starts_empty)
{
    char name[16];

    must_start(0);
    submit(1, T0);
    on_thread("worker", worker_runs_one);
    must_stop();
    must_start(2);
    on_thread("waiter", submit_and_wait);
    submit(2, T0);
    must_stop();

    cr_expect(eq(sz, count_events("X", NULL), 3));
    cr_expect(eq(sz, count_events("X", "f"), 0));
    cr_expect(eq(int, (int)total_dropped(), 0));
    pthread_getname_np(pthread_self(), name, sizeof(name));
    cr_expect(
        eq(str, (char *)arg_text(find("M", "thread_name", 0), "name"), name));
    cr_expect(eq(str, (char *)arg_text(find("M", "thread_name", 1), "name"),
                 "waiter"));
}

static const struct nw__hooks *late;

static void call_late_hooks(void)
{
    late->task_submitted(2, "f", T0, T0 + 1);
    late->task_started(2, "f", 1, T0 + 2);
    late->task_async_id(2, 5);
    late->task_ended(2, "f", 1, NW_OK, T0 + 3);
    late->task_delivered(2, "f", NW_OK, T0 + 4, T0 + 5);
    late->worker_started(1, "pool");
    late->worker_exited(1, 0);
}

// From a thread that has recorded and from one that never did.
Test(trace, late_hooks_record_nothing)
{
    must_start(0);
    submit(1, T0);
    late = nw__hooks();
    must_stop();
    cr_expect(eq(ptr, (void *)nw__hooks(), NULL));

    call_late_hooks();
    on_thread("late", call_late_hooks);
    must_start(0);
    must_stop();
    cr_expect(eq(sz, count_events("M", "thread_name"), 0));
    cr_expect(eq(sz, count_events("X", NULL), 0));
}

static _Atomic(bool) stress_ends;
static _Atomic(uint64_t) stress_task;

static void *stress_main(void *unused)
{
    while (!atomic_load(&stress_ends)) {
        const struct nw__hooks *hooks = nw__hooks();
        uint64_t task = atomic_fetch_add(&stress_task, 1) + 1;

        if (hooks != NULL) {
            uint64_t now_ns = nw__now_ns();

            hooks->task_submitted(task, "f", now_ns, now_ns);
            hooks->task_delivered(task, "f", NW_OK, now_ns, now_ns);
        }
    }
    return unused;
}

static void wait_for_tasks(uint64_t more)
{
    uint64_t until = atomic_load(&stress_task) + more;

    while (atomic_load(&stress_task) < until) {
        sched_yield();
    }
}

// Two threads of every round are gone when it stops, two live through all.
Test(trace, threads_may_come_and_go_while_recordings_do)
{
    pthread_t lasting[2];

    for (size_t i = 0; i < 2; i++) {
        pthread_create(&lasting[i], NULL, stress_main, NULL);
    }
    for (int round = 0; round < 30; round++) {
        must_start(64);
        on_thread("brief", submit_and_wait);
        on_thread("brief", submit_and_wait);
        wait_for_tasks(100);
        must_stop();
        cr_expect(eq(sz, count_events("b", NULL), count_events("e", NULL)));
        cr_expect(ge(sz, count_events("X", NULL), 4));
    }
    atomic_store(&stress_ends, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(lasting[i], NULL);
    }
}

// Stands for a thread that was put to sleep inside a hook for good.
Test(trace, thread_stuck_in_a_hook_does_not_block_the_stop_for_ever)
{
    struct nw__trace_ring *ring;

    must_start(0);
    submit(1, T0);
    ring = nw__recorder_pin();
    cr_assert(ne(ptr, ring, NULL));
    must_stop();
    cr_expect(eq(sz, count_events("X", NULL), 0));
    cr_expect(eq(int, (int)total_dropped(), 1));

    nw__recorder_unpin(ring);
    must_start(0);
    submit(2, T0);
    must_stop();
    cr_expect(eq(sz, count_events("X", NULL), 1));
}

// -- failures

Test(trace, write_error_is_reported_and_leaves_no_file)
{
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    must_start(0);
    for (uint64_t task = 1; task <= 1000; task++) {
        submit(task, T0 + task);
    }
    cr_assert(eq(int, setrlimit(RLIMIT_FSIZE, &limit), 0));
    cr_expect(eq(int, nw_trace_stop(), NW_EIO));
    cr_expect(eq(int, errno, EFBIG));
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert(eq(int, setrlimit(RLIMIT_FSIZE, &limit), 0));

    cr_expect(ne(int, access(file, F_OK), 0));
    cr_expect(ne(int, access(file_temporary, F_OK), 0));
    must_start(0);
    must_stop();
}

Test(trace, target_that_cannot_be_replaced_is_reported)
{
    cr_assert(eq(int, mkdir(file, 0777), 0));
    must_start(0);
    cr_expect(eq(int, nw_trace_stop(), NW_EIO));
    cr_expect(eq(int, errno, EISDIR));
    cr_expect(ne(int, access(file_temporary, F_OK), 0));
    rmdir(file);
}

Test(trace, out_of_memory_anywhere_costs_events_or_is_reported)
{
    nw_status stopped = NW_ENOMEM;
    long countdown = 0;

    while (stopped != NW_OK || total_dropped() > 0) {
        nw_status started;

        nw__alloc_fail_after(countdown++);
        started = start(0);
        if (started != NW_OK) {
            cr_expect(eq(int, started, NW_ENOMEM));
            continue;
        }
        submit(1, T0);
        on_thread("worker", worker_runs_one);
        stopped = nw_trace_stop();
        nw__alloc_fail_after(-1);
        cr_assert(stopped == NW_OK || stopped == NW_ENOMEM);
        cr_expect(ne(int, access(file_temporary, F_OK), 0));
        json_decref(trace);
        trace = json_load_file(file, 0, NULL);
        cr_assert(countdown < 100);
    }
    cr_expect(gt(long, countdown, 5));
    cr_expect(eq(sz, count_events("X", NULL), 2));
}

// Runs `body` in a child process and expects it to return true.
static void expect_in_child(bool (*body)(void))
{
    int child_status = -1;
    pid_t child = fork();

    if (child == 0) {
        _exit(body() ? 0 : 1);
    }
    cr_assert(eq(int, waitpid(child, &child_status, 0), child));
    cr_expect(eq(int, child_status, 0));
}

static bool recording_is_refused(void)
{
    return nw_trace_stop() == NW_ENOENT && start(0) == NW_EFORKED;
}

static bool recording_works(void)
{
    return start(0) == NW_OK && nw_trace_stop() == NW_OK;
}

Test(trace, child_of_fork_leaves_the_recording_alone)
{
    must_start(0);
    submit(1, T0);
    expect_in_child(recording_is_refused);
    must_stop();
    cr_expect(eq(sz, count_events("X", NULL), 1));
    expect_in_child(recording_works);
}

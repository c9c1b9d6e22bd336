// Goal: a pool's worker runs as many tasks as it may, each knows which one it
// is, hears of its abort and can be taken away; the worker is set up before the
// first and torn down after the last, and hands over what it had when it dies.
// No pool: this file plays it, over a lane.

#include "tests/pool/support.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nwpool/function.h>

#include "tests/pool/lane_source.h"
#include "tests/unit/support.h"

static int pipe_ends[2];

static void setup(void)
{
    test_init();
    cr_assert(eq(int, pipe(pipe_ends), 0));
}

static void teardown(void)
{
    lane_fini();
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    test_fini();
}

TestSuite(lane_tasks, .init = setup, .fini = teardown,
          .timeout = SUITE_TIMEOUT);

static void start(uint32_t concurrency)
{
    lane_start((struct lane_setting){.concurrency = concurrency});
}

// -- several at a time

Test(lane_tasks, one_runs_at_a_time_unless_more_may)
{
    struct lane_task *tasks[3];

    start(1);
    for (int i = 0; i < 3; i++) {
        tasks[i] = lane_submit("overlap", NULL);
    }
    for (int i = 0; i < 3; i++) {
        expect_lane_value(tasks[i], "1");
    }
}

Test(lane_tasks, as_many_overlap_as_may)
{
    struct lane_task *tasks[9];

    start(3);
    for (int i = 0; i < 9; i++) {
        tasks[i] = lane_submit("overlap", NULL);
    }
    for (int i = 0; i < 9; i++) {
        cr_expect(le(dbl, nw_value_get_number(lane_value(tasks[i])), 3));
    }
    expect_lane_value(tasks[8], "3");
}

Test(lane_tasks, two_can_wait_for_one_another)
{
    struct lane_task *first, *second;

    start(2);
    first = lane_submit("meet", number(2), NULL);
    lane_running(first);
    second = lane_submit("meet", number(2), NULL);
    expect_lane_value(first, "2");
    expect_lane_value(second, "2");
}

Test(lane_tasks, plain_ones_run_beside_those_that_wait)
{
    struct lane_task *waiting[3];

    start(4);
    for (int i = 0; i < 3; i++) {
        waiting[i] = lane_submit("wait", text("a"), NULL);
    }
    for (int i = 0; i < 1000; i++) {
        struct lane_task *plain = lane_submit("inc", number(i), NULL);

        if (i % 100 == 0) {
            cr_expect(eq(dbl, nw_value_get_number(lane_value(plain)), i + 1));
        }
    }
    expect_says(lane_error(lane_submit("throws", NULL), NW_ETHROWN)->message,
                "at once");
    expect_says(lane_error(lane_submit("nothing", NULL), NW_EMODULE)->message,
                "no function \"nothing\"");
    expect_says(lane_error(lane_submit("badLater", NULL), NW_ECLONE)->message,
                "the result of badLater() cannot be cloned");
    for (int i = 0; i < 3; i++) {
        cr_expect(not(lane_ended(waiting[i])));
    }
    lane_submit("open", text("a"), NULL);
    for (int i = 0; i < 3; i++) {
        expect_lane_value(waiting[i], "\"waited for a\"");
    }
}

Test(lane_tasks, those_that_wait_end_in_any_order)
{
    struct lane_task *first, *second, *third;

    start(4);
    first = lane_submit("wait", text("a"), NULL);
    second = lane_submit("rejectAfter", text("b"), NULL);
    third = lane_submit("wait", text("c"), NULL);
    lane_submit("open", text("b"), NULL);
    expect_says(lane_error(second, NW_ETHROWN)->message, "after b");
    lane_submit("open", text("c"), NULL);
    expect_lane_value(third, "\"waited for c\"");
    cr_expect(not(lane_ended(first)));
    lane_submit("open", text("a"), NULL);
    expect_lane_value(first, "\"waited for a\"");
}

Test(lane_tasks, many_in_turn_through_few_places)
{
    struct lane_task *tasks[500];

    start(3);
    for (int i = 0; i < 500; i++) {
        tasks[i] = i % 5 == 0 ? lane_submit("ids", NULL)
                              : lane_submit("inc", number(i), NULL);
    }
    for (int i = 0; i < 500; i++) {
        eventually(lane_ended(tasks[i]));
        expect_status(tasks[i]->job.status, NW_OK);
    }
}

// -- who it is

static void expect_ids(uint32_t concurrency, bool tells_tasks)
{
    struct lane_task *tasks[30];

    lane_start((struct lane_setting){.concurrency = concurrency,
                                     .tells_tasks = tells_tasks});
    expect_lane_value(lane_submit("id", NULL), "1");
    for (int i = 0; i < 30; i++) {
        tasks[i] = lane_submit(i % 3 == 2 ? "id" : "ids", NULL);
    }
    for (int i = 0; i < 30; i++) {
        const nw_value *value = lane_value(tasks[i]);
        double id = (double)tasks[i]->job.id;

        if (i % 3 == 2) {
            cr_expect(eq(dbl, nw_value_get_number(value), id));
            continue;
        }
        cr_expect(eq(sz, nw_value_size(value), 8));
        for (uint32_t k = 0; k < nw_value_size(value); k++) {
            cr_expect(eq(dbl, nw_value_get_number(nw_array_get(value, k)), id),
                      "%u of %d", k, i);
        }
        nw_doc_reset(doc);
    }
    // At the top level of the module there was no task.
    expect_lane_value(lane_submit("outside", NULL), "[undefined]");
}

Test(lane_tasks, each_knows_which_it_is)
{
    expect_ids(1, false);
}

Test(lane_tasks, each_of_several_knows_which_it_is)
{
    expect_ids(3, false);
}

Test(lane_tasks, each_knows_which_it_is_when_its_output_is_told)
{
    expect_ids(1, true);
}

static nw_value *whose(const nw_call *call, void *user_data)
{
    (void)user_data;
    return nw_value_number(call->doc, (double)call->task);
}

static void expect_ids_in_c(uint32_t concurrency)
{
    const nw_function_options options = {.struct_size = sizeof(options),
                                         .function = whose};
    struct lane_task *tasks[20];

    expect_status(nw_function_register("whose", &options), NW_OK);
    start(concurrency);
    for (int i = 0; i < 20; i++) {
        tasks[i] = lane_submit("idsInC", NULL);
    }
    for (int i = 0; i < 20; i++) {
        int id = (int)tasks[i]->job.id;
        char expected[64];

        snprintf(expected, sizeof(expected), "[%d, %d, %d]", id, id, id);
        expect_lane_value(tasks[i], expected);
    }
    expect_status(nw_function_unregister("whose"), NW_OK);
}

Test(lane_tasks, c_functions_know_whose_call_it_is)
{
    expect_ids_in_c(1);
}

Test(lane_tasks, c_functions_know_which_of_several_calls)
{
    expect_ids_in_c(3);
}

Test(lane_tasks, what_they_see_of_themselves)
{
    start(1);
    expect_lane_value(
        lane_submit("describe", NULL),
        "[[\"id\", \"signal\", \"send\"], true, true, true, true, false]");
}

static void expect_nobody_left(uint32_t concurrency)
{
    start(concurrency);
    lane_value(lane_submit("leave", NULL));
    expect_log("[\"nobody\"]");
    lane_value(lane_submit("leaveSending", NULL));
    expect_log("[\"NW_ENOENT\"]");
}

Test(lane_tasks, what_they_leave_behind_is_nobodys)
{
    expect_nobody_left(1);
}

Test(lane_tasks, what_several_leave_behind_is_nobodys)
{
    expect_nobody_left(2);
}

// -- aborts

static void expect_reason(struct lane_task *task, const char *message)
{
    char expected[256];

    snprintf(expected, sizeof(expected),
             "[true, true, \"AbortError\", \"ABORT_ERR\", \"%s\", %d]", message,
             (int)task->job.id);
    expect_lane_value(task, expected);
}

static void expect_aborts(uint32_t concurrency)
{
    struct lane_task *first;

    start(concurrency);
    first = lane_submit("untilAborted", NULL);
    lane_running(first);
    lane_ask(NW__LANE_ABORT, first, "canceled by the test");
    expect_reason(first, "canceled by the test");
    lane_ask(NW__LANE_ABORT, first, "too late");
    lane_ask(NW__LANE_ABORT, NULL, "nobody");

    first = lane_submit("abortedPause", NULL);
    lane_running(first);
    lane_ask(NW__LANE_ABORT, first, "wake up");
    expect_lane_value(first, "[\"AbortError\", \"wake up\"]");

    first = lane_submit("throwsWhenAborted", NULL);
    lane_running(first);
    lane_ask(NW__LANE_ABORT, first, "throw");
    {
        const nw_error *error = lane_error(first, NW_ETHROWN);

        expect_string(error->name, "AbortError");
        expect_string(error->code, "ABORT_ERR");
        expect_string(error->message, "throw");
    }
}

Test(lane_tasks, their_signal_fires)
{
    expect_aborts(1);
}

Test(lane_tasks, the_signal_of_one_of_several_fires)
{
    expect_aborts(3);
}

Test(lane_tasks, only_the_signal_of_the_one_that_is_meant_fires)
{
    struct lane_task *tasks[3];

    start(3);
    for (int i = 0; i < 3; i++) {
        tasks[i] = lane_submit("untilAborted", NULL);
        lane_running(tasks[i]);
    }
    lane_ask(NW__LANE_ABORT, tasks[1], "the second");
    expect_reason(tasks[1], "the second");
    cr_expect(not(lane_ended(tasks[0])));
    cr_expect(not(lane_ended(tasks[2])));
    lane_ask(NW__LANE_ABORT, tasks[2], "the third");
    lane_ask(NW__LANE_ABORT, tasks[0], "the first");
    lane_ask(NW__LANE_ABORT, tasks[0], "again");
    expect_reason(tasks[2], "the third");
    expect_reason(tasks[0], "the first");
}

Test(lane_tasks, a_signal_that_is_looked_at_late_has_fired)
{
    struct lane_task *task;

    start(2);
    task = lane_submit("abortedBefore", text("a"), NULL);
    lane_running(task);
    lane_ask(NW__LANE_ABORT, task, "before");
    lane_submit("open", text("a"), NULL);
    expect_reason(task, "before");
}

Test(lane_tasks, a_task_may_ignore_its_abort)
{
    struct lane_task *task;

    start(2);
    task = lane_submit("ignoresAbort", text("a"), NULL);
    lane_running(task);
    lane_ask(NW__LANE_ABORT, task, "in vain");
    lane_submit("open", text("a"), NULL);
    expect_lane_value(task, "true");
}

Test(lane_tasks, a_listener_that_throws_is_an_uncaught_error)
{
    struct lane_task *task;

    start(1);
    task = lane_submit("throwsInListener", NULL);
    lane_running(task);
    lane_ask(NW__LANE_ABORT, task, "now");
    expect_exit(1);
    expect_says(lane_worker_error()->message, "in the listener");
    cr_expect(eq(ptr, lane_next_dead(true), task));
}

// -- taken away

static void expect_dropped(uint32_t concurrency)
{
    char byte = '!';
    struct lane_task *taken, *next[2];

    start(concurrency);
    taken = lane_submit("openOn", text("a"), number(pipe_ends[0]), NULL);
    lane_running(taken);
    lane_take(taken);
    for (int i = 0; i < 2; i++) {
        next[i] = lane_submit("wait", text("a"), NULL);
    }
    if (concurrency == 1) {
        // It keeps its room.
        pause_ms(20);
        cr_expect(eq(u64, next[0]->job.started_ns, 0));
    } else {
        lane_running(next[0]);
        cr_expect(eq(u64, next[1]->job.started_ns, 0));
    }
    cr_assert(write(pipe_ends[1], &byte, 1) == 1);
    for (int i = 0; i < 2; i++) {
        expect_lane_value(next[i], "\"waited for a\"");
    }
    cr_expect(not(lane_ended(taken)));
    cr_expect(eq(sz, taken->job.message.size, 0));
    expect_status(taken->job.status, NW_OK);
    expect_lane_value(lane_submit("inc", number(1), NULL), "2");
}

Test(lane_tasks, the_late_end_of_one_that_was_taken_is_dropped)
{
    expect_dropped(1);
}

Test(lane_tasks, the_late_end_of_one_of_several_is_dropped)
{
    expect_dropped(2);
}

Test(lane_tasks, one_that_was_taken_is_aborted_too)
{
    struct lane_task *task;

    start(1);
    task = lane_submit("untilAborted", NULL);
    lane_running(task);
    lane_ask(NW__LANE_ABORT, task, "taken");
    lane_take(task);
    expect_lane_value(lane_submit("inc", number(1), NULL), "2");
    cr_expect(not(lane_ended(task)));
}

// -- everything at once

#define MANY 1200

static struct lane_task *submit_any(int i)
{
    switch (i % 6) {
    case 0:
        return lane_submit("inc", number(i), NULL);
    case 1:
        return lane_submit("ids", NULL);
    case 2:
        return lane_submit("sends", number(1), number(2), NULL);
    case 3:
        return lane_submit("countsSlowly", number(3), NULL);
    case 4:
        return lane_submit("abortedPause", NULL);
    default:
        return lane_submit("throws", NULL);
    }
}

// Each ends once, or not at all when it was taken; lane_source.c looks.
static void expect_order_in_chaos(uint32_t concurrency)
{
    static struct lane_task *tasks[MANY];
    unsigned random = 1;
    bool all_ended = false;
    int taken = 0;

    start(concurrency);
    for (int i = 0; i < MANY; i++) {
        tasks[i] = submit_any(i);
    }
    // Those of one kind end by nothing but an abort.
    while (!all_ended) {
        all_ended = true;
        for (int i = 0; i < MANY; i++) {
            if (lane_ended(tasks[i]) || tasks[i]->taken) {
                continue;
            }
            all_ended = false;
            random = random * 1103515245 + 12345;
            if ((random >> 16 & 3) == 0) {
                lane_ask(NW__LANE_ABORT, tasks[i], "at random");
                if ((random >> 18 & 1) != 0 && lane_try_take(tasks[i])) {
                    taken++;
                    // It may have started just now, and been deaf before.
                    lane_ask(NW__LANE_ABORT, tasks[i], "again");
                }
            }
        }
        pause_ms(1);
    }
    cr_expect(gt(int, taken, 0));
    expect_lane_value(lane_submit("inc", number(1), NULL), "2");
    lane_ask(NW__LANE_END, NULL, NULL);
    expect_exit(0);
    cr_expect(eq(ptr, lane_next_dead(true), NULL));
    cr_expect(eq(ptr, lane_next_dead(false), NULL));
}

Test(lane_tasks, each_ends_once_in_spite_of_all)
{
    expect_order_in_chaos(1);
}

Test(lane_tasks, each_of_several_ends_once_in_spite_of_all)
{
    expect_order_in_chaos(5);
}

// -- death

Test(lane_tasks, a_worker_that_exits_hands_over_all_it_ran)
{
    struct lane_task *waiting[3], *killer, *dead;

    start(4);
    for (int i = 0; i < 3; i++) {
        waiting[i] = lane_submit("wait", text("never"), NULL);
        lane_running(waiting[i]);
    }
    lane_take(waiting[1]);
    killer = lane_submit("exit", number(7), NULL);
    expect_exit(7);
    cr_expect(eq(ptr, lane_next_dead(true), waiting[0]));
    cr_expect(eq(ptr, lane_next_dead(true), waiting[2]));
    dead = lane_next_dead(true);
    cr_expect(eq(ptr, dead, killer));
    cr_expect(gt(u64, dead->job.started_ns, 0));
    cr_expect(eq(ptr, lane_next_dead(true), NULL));
    cr_expect(eq(ptr, lane_next_dead(false), NULL));
}

Test(lane_tasks, a_worker_that_exits_later_hands_over_all_it_had)
{
    struct lane_task *running[2], *assigned[3];

    start(2);
    running[0] = lane_submit("wait", text("never"), NULL);
    lane_running(running[0]);
    running[1] = lane_submit("exitLater", number(3), NULL);
    for (int i = 0; i < 3; i++) {
        assigned[i] = lane_submit("inc", number(1), NULL);
    }
    expect_exit(3);
    cr_expect(eq(ptr, lane_next_dead(true), running[0]));
    cr_expect(eq(ptr, lane_next_dead(true), running[1]));
    cr_expect(eq(ptr, lane_next_dead(true), NULL));
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(u64, assigned[i]->job.started_ns, 0));
    }
}

// -- set-up

Test(lane_tasks, a_worker_is_set_up_before_its_first_task)
{
    lane_start((struct lane_setting){.set_up = "setsUp"});
    expect_lane_value(lane_submit("outside", NULL),
                      "[undefined, undefined, undefined, \"set up\"]");
}

static const nw_error *fail_to_boot(struct lane_setting setting)
{
    const nw_error *error;

    lane_start(setting);
    error = lane_boot_error();
    expect_exit(1);
    expect_string(error->code, "NW_EMODULE");
    return error;
}

Test(lane_tasks, a_set_up_that_rejects_is_the_end_of_the_worker)
{
    const nw_error *error =
        fail_to_boot((struct lane_setting){.set_up = "failsUp"});

    expect_says(error->message, "the set-up function \"failsUp\" of ");
    expect_says(error->message, "lane.js failed: not up");
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_string(error->cause->name, "RangeError");
    expect_string(error->cause->code, "EUP");
    expect_says(error->cause->stack, "lane.js:");
}

Test(lane_tasks, a_set_up_that_throws_is_the_end_of_the_worker)
{
    const nw_error *error =
        fail_to_boot((struct lane_setting){.set_up = "throwsUp"});

    expect_says(error->message, "failed: a text");
}

Test(lane_tasks, a_set_up_that_is_not_there_is_the_end_of_the_worker)
{
    const nw_error *error =
        fail_to_boot((struct lane_setting){.set_up = "nowhere"});

    expect_says(error->message, "the set-up function is missing: ");
    expect_says(error->message, "lane.js exports no function \"nowhere\"");
}

Test(lane_tasks, a_set_up_that_is_no_function_is_the_end_of_the_worker)
{
    fail_to_boot((struct lane_setting){.set_up = "notAFunction"});
}

Test(lane_tasks, a_tear_down_that_is_not_there_is_found_at_once)
{
    const nw_error *error =
        fail_to_boot((struct lane_setting){.tear_down = "nowhere"});

    expect_says(error->message, "the tear-down function is missing: ");
}

// -- tear-down

// What was written before the worker ended.
static void expect_written(const char *expected)
{
    struct pollfd poller = {.fd = pipe_ends[0], .events = POLLIN};
    char buffer[256] = "";
    ssize_t size = 0;

    if (poll(&poller, 1, 0) == 1) {
        size = read(pipe_ends[0], buffer, sizeof(buffer) - 1);
    }
    cr_assert(ge(i64, size, 0));
    expect_string(buffer, expected);
}

static void start_to_end(const char *tear_down)
{
    lane_start((struct lane_setting){.tear_down = tear_down});
    lane_value(lane_submit("endsOn", number(pipe_ends[1]), NULL));
}

Test(lane_tasks, a_worker_is_torn_down_after_its_last_task)
{
    start_to_end("tearsDown");
    lane_ask(NW__LANE_END, NULL, NULL);
    lane_ask(NW__LANE_END, NULL, NULL);
    expect_exit(0);
    expect_written("down,later,exit 0.");
    cr_expect(eq(ptr, (void *)lane_worker_error(), NULL));
    cr_expect(eq(ptr, lane_next_dead(true), NULL));
}

Test(lane_tasks, a_worker_without_a_tear_down_just_ends)
{
    start_to_end(NULL);
    lane_ask(NW__LANE_END, NULL, NULL);
    expect_exit(0);
    expect_written("exit 0.");
}

static void expect_failed_tear_down(void)
{
    const nw_error *error;

    lane_ask(NW__LANE_END, NULL, NULL);
    expect_exit(1);
    expect_written("exit 1.");
    error = lane_worker_error();
    cr_assert(ne(ptr, (void *)error, NULL));
    expect_string(error->name, "RangeError");
    expect_string(error->code, "EDOWN");
    expect_string(error->message, "not down");
}

Test(lane_tasks, a_tear_down_that_fails_is_an_uncaught_error)
{
    start_to_end("failsDown");
    expect_failed_tear_down();
}

Test(lane_tasks, a_tear_down_that_fails_is_not_caught_by_the_module)
{
    start_to_end("failsDown");
    lane_value(lane_submit("catchesAll", NULL));
    expect_failed_tear_down();
}

// One that was taken away may still run.
Test(lane_tasks, the_end_waits_for_nothing)
{
    struct lane_task *task;

    lane_start(
        (struct lane_setting){.concurrency = 2, .tear_down = "tearsDown"});
    lane_value(lane_submit("endsOn", number(pipe_ends[1]), NULL));
    task = lane_submit("wait", text("never"), NULL);
    lane_running(task);
    lane_take(task);
    lane_ask(NW__LANE_END, NULL, NULL);
    expect_exit(0);
    expect_written("down,later,exit 0.");
}

Test(lane_tasks, nothing_is_started_after_the_end)
{
    struct lane_task *task;

    start_to_end("tearsDown");
    lane_ask(NW__LANE_END, NULL, NULL);
    task = lane_submit("inc", number(1), NULL);
    expect_exit(0);
    cr_expect(eq(u64, task->job.started_ns, 0));
}

Test(lane_tasks, a_worker_that_loads_for_ever_ends_when_it_is_asked)
{
    lane_start((struct lane_setting){.module = "loads_for_ever.mjs"});
    pause_ms(200);
    lane_ask(NW__LANE_END, NULL, NULL);
    expect_exit(0);
}

Test(lane_tasks, a_worker_that_is_set_up_for_ever_ends_when_it_is_asked)
{
    lane_start((struct lane_setting){.set_up = "hangsUp"});
    lane_ask(NW__LANE_END, NULL, NULL); // Most likely before it is attached.
    expect_exit(0);
}

Test(lane_tasks, requests_that_nobody_sees_are_dropped)
{
    start(1);
    lane_ready();
    for (int i = 0; i < 10; i++) {
        struct lane_task *task = lane_submit("exit", number(0), NULL);

        lane_ask(NW__LANE_ABORT, task, "no matter");
    }
    expect_exit(0);
    lane_ask(NW__LANE_ROOM, NULL, NULL);
}

// Goal: what a task sends while it runs arrives in order, before its outcome
// and no faster than there is room; or the task is told that it does not.
// Iterators send by themselves. No pool: this file plays it, over a lane.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

#include "tests/pool/lane_source.h"
#include "tests/unit/support.h"

static void teardown(void)
{
    lane_fini();
    test_fini();
}

TestSuite(lane_sends, .init = test_init, .fini = teardown,
          .timeout = SUITE_TIMEOUT);

// Room for so many values.
static void start(uint32_t concurrency, uint32_t room)
{
    lane_start((struct lane_setting){.concurrency = concurrency});
    lane_set_room(room);
}

static void expect_numbers(const struct lane_task *task, int from, int to)
{
    for (int i = from; i < to; i++) {
        char expected[16];

        snprintf(expected, sizeof(expected), "%d", i);
        expect_sent(task, expected);
    }
}

// -- values

Test(lane_sends, values_arrive_in_order)
{
    struct lane_task *task;

    start(1, 0);
    task = lane_submit("sends", number(1), text("two"),
                       list(number(3), text("x"), NULL), NULL);
    expect_lane_value(task, "3");
    cr_expect(eq(u32, lane_sent(), 3));
    expect_sent(task, "1");
    expect_sent(task, "\"two\"");
    expect_sent(task, "[3, \"x\"]");
}

Test(lane_sends, values_of_several_are_told_apart)
{
    struct lane_task *tasks[10];
    int next[10] = {0};

    start(5, 0);
    for (int i = 0; i < 10; i++) {
        tasks[i] = lane_submit("sends", number(0), number(1), number(2), NULL);
    }
    for (int i = 0; i < 10; i++) {
        lane_value(tasks[i]);
    }
    cr_expect(eq(u32, lane_sent(), 30));
    for (int i = 0; i < 30; i++) {
        uint64_t id;
        double value = nw_value_get_number(lane_any_sent(&id));

        cr_assert(id >= 1 && id <= 10);
        cr_expect(eq(dbl, value, next[id - 1]++));
    }
}

Test(lane_sends, plain_functions_send_too)
{
    struct lane_task *task;

    start(1, 0);
    task = lane_submit("sendsAtOnce", number(100), NULL);
    expect_lane_value(task, "\"returned\"");
    cr_expect(eq(u32, lane_sent(), 100));
    expect_numbers(task, 0, 100);
}

Test(lane_sends, errors_keep_what_they_are)
{
    struct lane_task *task;
    const nw_error *error;

    start(1, 0);
    task = lane_submit("sendsError", NULL);
    error = nw_value_get_error(nw_object_get(lane_next_sent(task), "error"));
    cr_assert(ne(ptr, (void *)error, NULL));
    expect_string(error->name, "HttpError");
    expect_string(error->code, "E410");
    expect_string(error->message, "gone");
    lane_value(task);
}

Test(lane_sends, buffers_move_when_they_are_listed)
{
    struct lane_task *task;

    start(1, 0);
    task = lane_submit("sendsBuffer", NULL);
    expect_lane_value(task, "[3, 0, 0]");
    expect_sent(task, "<010203>");
    expect_sent(task, "{\"moved\": <040506>}");
    expect_sent(task, "<07>");
}

Test(lane_sends, what_cannot_be_cloned_is_refused)
{
    struct lane_task *task;
    const nw_error *error;

    start(1, 0);
    task = lane_submit("sendsFunction", NULL);
    expect_lane_value(task,
                      "[\"NW_ECLONE\", \"a value that sendsFunction() sends "
                      "cannot be cloned: () => {} could not be cloned.\"]");
    error = lane_error(lane_submit("sendsFunctionAtOnce", NULL), NW_ETHROWN);
    expect_string(error->code, "NW_ECLONE");
    expect_says(
        lane_error(lane_submit("throwsOfGetter", NULL), NW_ETHROWN)->message,
        "of the getter");
    cr_expect(eq(u32, lane_sent(), 0));
}

// -- room

Test(lane_sends, a_task_waits_until_there_is_room)
{
    struct lane_task *task;

    start(2, 1);
    task = lane_submit("sends", number(0), number(1), number(2), NULL);
    for (int i = 0; i < 3; i++) {
        char expected[16];

        expect_numbers(task, i, i + 1);
        snprintf(expected, sizeof(expected), "%d", i);
        for (int k = 0; k < 3; k++) {
            expect_lane_value(lane_submit("progress", NULL), expected);
        }
        cr_expect(eq(u32, lane_sent(), (uint32_t)i + 1));
        cr_expect(not(lane_ended(task)));
        lane_give_room(task, 1);
    }
    expect_lane_value(task, "3");
}

Test(lane_sends, room_for_several_is_used)
{
    struct lane_task *task;

    start(2, 2);
    task = lane_submit("sends", number(0), number(1), number(2), number(3),
                       number(4), NULL);
    expect_numbers(task, 0, 2);
    expect_lane_value(lane_submit("progress", NULL), "1");
    lane_give_room(task, 2);
    expect_numbers(task, 2, 4);
    lane_give_room(NULL, 2);
    lane_give_room(task, 2);
    expect_lane_value(task, "5");
    expect_numbers(task, 4, 5);
}

// It does not wait, so what it sends does; and its outcome behind that.
static void expect_all_of(const char *function, bool throws)
{
    struct lane_task *task;

    start(1, 2);
    task = lane_submit(function, number(7), NULL);
    for (int i = 0; i < 6; i += 2) {
        expect_numbers(task, i, i + 2);
        pause_ms(2);
        cr_expect(eq(u32, lane_sent(), (uint32_t)i + 2));
        cr_expect(not(lane_ended(task)));
        lane_give_room(task, 2);
    }
    expect_numbers(task, 6, 7);
    if (throws) {
        expect_says(lane_error(task, NW_ETHROWN)->message, "thrown");
    } else {
        expect_lane_value(task, "\"returned\"");
    }
    cr_expect(eq(u32, lane_sent(), 7));
    expect_lane_value(lane_submit("inc", number(1), NULL), "2");
}

Test(lane_sends, a_task_that_does_not_wait_loses_nothing)
{
    expect_all_of("sendsAtOnce", false);
}

Test(lane_sends, a_task_that_throws_loses_nothing)
{
    expect_all_of("sendsAndThrows", true);
}

Test(lane_sends, a_task_that_rejects_loses_nothing)
{
    expect_all_of("sendsAndRejects", true);
}

Test(lane_sends, a_value_is_what_it_was_when_it_was_sent)
{
    struct lane_task *task;

    start(1, 1);
    task = lane_submit("sendsOneObject", NULL);
    expect_sent(task, "{\"n\": 0}");
    lane_give_room(task, 1);
    expect_sent(task, "{\"n\": 1}");
    lane_give_room(task, 1);
    expect_sent(task, "{\"n\": 2}");
    expect_lane_value(task, "{\"n\": 3}");
}

Test(lane_sends, there_is_a_limit_to_what_waits)
{
    struct lane_task *task;

    start(1, 1);
    task = lane_submit("sendsTooMuch", NULL);
    for (int i = 0; i < 1025; i++) {
        expect_numbers(task, i, i + 1);
        lane_give_room(task, 1);
    }
    expect_lane_value(task, "\"NW_EFULL\"");
}

// -- aborted, or taken away

static void expect_rejection(struct lane_task *task, const char *message)
{
    char expected[128];

    snprintf(expected, sizeof(expected),
             "[\"AbortError\", \"ABORT_ERR\", \"%s\", true]", message);
    expect_lane_value(task, expected);
}

Test(lane_sends, an_abort_ends_the_wait)
{
    struct lane_task *task;

    start(1, 1);
    task = lane_submit("sendsUntilAborted", NULL);
    expect_numbers(task, 0, 1);
    lane_ask(NW__LANE_ABORT, task, "enough");
    expect_rejection(task, "enough");
    cr_expect(eq(u32, lane_sent(), 1));
}

// The event loop turns although it never has to wait.
Test(lane_sends, an_abort_reaches_a_task_that_sends_and_sends)
{
    struct lane_task *task;

    start(1, 0);
    task = lane_submit("sendsUntilAborted", NULL);
    eventually(lane_sent() > 0);
    lane_ask(NW__LANE_ABORT, task, "enough");
    expect_rejection(task, "enough");
}

// The first send after that finds out.
static void expect_taken(bool tell, const char *logged)
{
    struct lane_task *task;

    start(2, 1);
    task = lane_submit("sendsAndLogs", NULL);
    expect_numbers(task, 0, 1);
    if (tell) {
        lane_ask(NW__LANE_ABORT, task, "taken by the test");
    }
    lane_take(task);
    lane_give_room(task, 1);
    expect_log(logged);
    cr_expect(eq(u32, lane_sent(), 1));
    cr_expect(not(lane_ended(task)));
}

Test(lane_sends, a_task_that_was_taken_finds_out)
{
    expect_taken(false, "[\"AbortError\", \"the task was taken away\", true]");
}

Test(lane_sends, a_task_that_was_taken_is_told_why)
{
    expect_taken(true, "[\"AbortError\", \"taken by the test\", true]");
}

Test(lane_sends, values_that_wait_are_dropped_with_their_task)
{
    struct lane_task *task;

    start(1, 1);
    task = lane_submit("sendsAtOnce", number(5), NULL);
    expect_numbers(task, 0, 1);
    lane_take(task);
    lane_give_room(task, 1);
    expect_lane_value(lane_submit("inc", number(1), NULL), "2");
    cr_expect(eq(u32, lane_sent(), 1));
    cr_expect(not(lane_ended(task)));
}

// Its values are lost, so it did not succeed.
Test(lane_sends, an_abort_fails_a_task_whose_values_wait)
{
    struct lane_task *task, *careless;
    const nw_error *error;

    start(3, 1);
    task = lane_submit("sendsAtOnce", number(5), NULL);
    expect_numbers(task, 0, 1);
    lane_ask(NW__LANE_ABORT, task, "lost");
    error = lane_error(task, NW_ETHROWN);
    expect_string(error->code, "ABORT_ERR");
    expect_string(error->message, "lost");

    // The same before it returns. Nobody looks after the promises.
    careless = lane_submit("sendsCarelessly", number(5), text("a"), NULL);
    expect_numbers(careless, 0, 1);
    lane_ask(NW__LANE_ABORT, careless, "lost too");
    lane_submit("open", text("a"), NULL);
    expect_says(lane_error(careless, NW_ETHROWN)->message, "lost too");
    expect_lane_value(lane_submit("inc", number(1), NULL), "2");
    cr_expect(eq(u32, lane_sent(), 2));
}

Test(lane_sends, a_worker_that_dies_takes_what_waits_with_it)
{
    struct lane_task *task;

    start(2, 1);
    task = lane_submit("sendsCarelessly", number(5), text("never"), NULL);
    expect_numbers(task, 0, 1);
    lane_submit("exit", number(4), NULL);
    expect_exit(4);
    cr_expect(eq(ptr, lane_next_dead(true), task));
}

// -- iterators

static void expect_stream(const char *function, int count, const char *result)
{
    struct lane_task *task = lane_submit(function, number(count), NULL);

    expect_numbers(task, 0, count);
    expect_lane_value(task, result);
}

Test(lane_sends, generators_send_what_they_yield)
{
    start(1, 0);
    expect_stream("counts", 5, "\"counted\"");
    expect_stream("countsSlowly", 5, "<05>");
    expect_stream("countsLater", 5, "\"counted\"");
    expect_stream("counts", 0, "\"counted\"");
    expect_stream("iterator", 2, "2");
    expect_log("[\"counted\", \"counted slowly\", \"counted\", \"counted\"]");
}

Test(lane_sends, long_generators_do_too)
{
    start(1, 0);
    expect_stream("counts", 3000, "\"counted\"");
}

Test(lane_sends, other_iterators_of_themselves_send)
{
    struct lane_task *task;

    start(1, 0);
    task = lane_submit("values", NULL);
    expect_sent(task, "2");
    expect_sent(task, "4");
    expect_lane_value(task, "undefined");
}

Test(lane_sends, what_can_only_be_iterated_is_a_value)
{
    start(1, 0);
    expect_lane_value(lane_submit("iterable", NULL),
                      "[[1, 2], Set{3}, \"text\"]");
    expect_lane_value(lane_submit("looksAlike", NULL),
                      "{\"next\": 1, \"done\": true}");
    cr_expect(eq(u32, lane_sent(), 0));
}

Test(lane_sends, a_generator_knows_its_task)
{
    struct lane_task *tasks[3];

    start(3, 0);
    for (int i = 0; i < 3; i++) {
        tasks[i] = lane_submit("yieldsIds", NULL);
    }
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(dbl, nw_value_get_number(lane_value(tasks[i])),
                     (double)tasks[i]->job.id));
    }
    cr_expect(eq(u32, lane_sent(), 6));
    for (int i = 0; i < 6; i++) {
        uint64_t id;
        double value = nw_value_get_number(lane_any_sent(&id));

        cr_expect(eq(dbl, value, (double)id));
    }
}

Test(lane_sends, a_generator_waits_for_room)
{
    const char *const functions[] = {"counts", "countsSlowly"};

    start(2, 1);
    for (int k = 0; k < 2; k++) {
        struct lane_task *task = lane_submit(functions[k], number(4), NULL);
        uint32_t before = (uint32_t)k * 4;

        for (int i = 0; i < 4; i++) {
            expect_numbers(task, i, i + 1);
            pause_ms(5);
            cr_expect(eq(u32, lane_sent(), before + (uint32_t)i + 1));
            cr_expect(not(lane_ended(task)));
            lane_give_room(task, 1);
        }
        lane_value(task);
    }
}

Test(lane_sends, promises_that_a_generator_yields_are_awaited)
{
    struct lane_task *task;

    start(1, 0);
    task = lane_submit("yieldsPromises", NULL);
    expect_sent(task, "\"a\"");
    expect_sent(task, "\"b\"");
    expect_sent(task, "\"c\"");
    lane_value(task);
}

static const nw_error *fail_stream(const char *function)
{
    struct lane_task *task = lane_submit(function, NULL);

    expect_sent(task, "1");
    return lane_error(task, NW_ETHROWN);
}

Test(lane_sends, a_generator_that_fails_fails_its_task)
{
    start(1, 0);
    expect_says(fail_stream("yieldsAndThrows")->message, "thrown");
    expect_says(fail_stream("yieldsRejection")->message, "rejected");
    expect_string(fail_stream("yieldsFunction")->code, "NW_ECLONE");
    expect_says(
        lane_error(lane_submit("throwsAtOnce", NULL), NW_ETHROWN)->message,
        "at once");
    // Those that did not throw themselves were closed.
    expect_log("[\"closed\", \"closed\"]");
}

static void expect_aborted(struct lane_task *task, const char *logged)
{
    const nw_error *error;

    lane_ask(NW__LANE_ABORT, task, "enough");
    error = lane_error(task, NW_ETHROWN);
    expect_string(error->name, "AbortError");
    expect_string(error->message, "enough");
    expect_log(logged);
}

Test(lane_sends, a_generator_that_is_aborted_is_closed)
{
    struct lane_task *task;

    start(1, 0);
    // Busy all the time.
    task = lane_submit("counts", number(1e9), NULL);
    eventually(lane_sent() > 0);
    expect_aborted(task, "[\"counted\"]");
}

Test(lane_sends, a_generator_that_is_aborted_while_it_waits_is_closed)
{
    struct lane_task *task;

    // For room.
    start(1, 1);
    task = lane_submit("counts", number(1e9), NULL);
    expect_numbers(task, 0, 1);
    expect_aborted(task, "[\"counted\"]");

    // For something of its own, which its signal ends.
    lane_set_room(0);
    task = lane_submit("waitsAndYields", NULL);
    expect_numbers(task, 0, 1);
    expect_aborted(task, "[\"told\", \"cleaned up\"]");

    // In next(), which its return() ends.
    task = lane_submit("hangs", NULL);
    lane_running(task);
    pause_ms(5);
    expect_aborted(task, "[\"return()\"]");
}

Test(lane_sends, a_generator_that_is_taken_away_is_closed)
{
    struct lane_task *task;

    start(1, 1);
    task = lane_submit("counts", number(1e9), NULL);
    expect_numbers(task, 0, 1);
    lane_take(task);
    lane_give_room(task, 1);
    expect_log("[\"counted\"]");
    cr_expect(not(lane_ended(task)));
}

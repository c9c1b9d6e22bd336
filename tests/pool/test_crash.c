// Goal: a worker that dies takes its running task with it and nothing else; a
// new one takes over, and whoever waits learns why.

#include "tests/pool/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS 1000

TestSuite(crash, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// -- one among many

static struct outcome outcomes[TASKS];

// The one in the middle dies, the others count.
static const char *function_at(int i, const char *deadly)
{
    return i == TASKS / 2 ? deadly : "inc";
}

static void expect_death(int exit_code, const nw_error *error, int expected)
{
    cr_expect(eq(int, exit_code, expected));
    expect_says(error->message, "worker ");
    expect_says(error->message, "exited with code");
    expect_string(error->code, "NW_ECRASHED");
}

static void check_outcomes(const char *deadly, int exit_code)
{
    for (int i = 0; i < TASKS; i++) {
        const struct outcome *outcome = &outcomes[i];

        cr_assert(eq(int, outcome->calls, 1), "task %d", i);
        if (i == TASKS / 2) {
            expect_status(outcome->status, NW_ECRASHED);
            cr_expect(eq(int, outcome->exit_code, exit_code));
            expect_says(outcome->message, deadly);
        } else {
            cr_assert(eq(int, outcome->status, NW_OK), "task %d: %s", i,
                      outcome->message);
            cr_expect(eq(dbl, outcome->number, i + 1));
        }
    }
}

static void die_among_callbacks(uint32_t workers, const char *deadly)
{
    nwpool *pool = pool_of("tasks.js", workers);

    memset(outcomes, 0, sizeof(outcomes));
    for (int i = 0; i < TASKS; i++) {
        const char *function = function_at(i, deadly);
        double argument = i == TASKS / 2 ? 3 : i;

        cr_assert(
            eq(int,
               submit_to(&outcomes[i], pool, function, number(argument), NULL),
               NW_OK));
    }
    drain(pool);
    check_outcomes(deadly, 3);
    eventually(stats_of(pool).restarts == 1);
    cr_expect(eq(u64, stats_of(pool).done, TASKS - 1));
    cr_expect(eq(u64, stats_of(pool).failed, 1));
    destroy(pool);
}

static void die_among_waits(uint32_t workers, const char *deadly)
{
    nwpool *pool = pool_of("tasks.js", workers);
    static nw_task_id tasks[TASKS];

    for (int i = 0; i < TASKS; i++) {
        double argument = i == TASKS / 2 ? 3 : i;

        tasks[i] = submit(pool, function_at(i, deadly), number(argument), NULL);
    }
    for (int i = 0; i < TASKS; i++) {
        const nw_result *result = take(pool, tasks[i]);

        if (i == TASKS / 2) {
            expect_status(result->status, NW_ECRASHED);
            expect_death(result->exit_code, result->error, 3);
        } else {
            cr_assert(eq(int, result->status, NW_OK), "task %d: %s", i,
                      result->error->message);
            cr_expect(eq(dbl, nw_value_get_number(result->value), i + 1));
        }
    }
    destroy(pool);
}

Test(crash, exit_ends_one_task_of_many_with_callbacks_and_one_worker)
{
    die_among_callbacks(1, "exit");
    die_among_callbacks(1, "exitLater");
    die_among_callbacks(1, "exitInTimer");
}

Test(crash, exit_ends_one_task_of_many_with_callbacks_and_two_workers)
{
    die_among_callbacks(2, "exit");
    die_among_callbacks(2, "exitLater");
    die_among_callbacks(2, "exitInTimer");
}

Test(crash, exit_ends_one_task_of_many_with_waits_and_one_worker)
{
    die_among_waits(1, "exit");
    die_among_waits(1, "exitLater");
}

Test(crash, exit_ends_one_task_of_many_with_waits_and_two_workers)
{
    die_among_waits(2, "exit");
    die_among_waits(2, "exitLater");
}

// A task that has its result cannot lose it, and no other pays for it: those
// that wait behind it have not started.
static void die_after(const char *function)
{
    nwpool *pool = pool_of("tasks.js", 1);

    for (int round = 0; round < 10; round++) {
        memset(outcomes, 0, sizeof(outcomes));
        for (int i = 0; i < 100; i++) {
            submit_to(&outcomes[i], pool, i % 25 == 24 ? function : "inc",
                      number(i), NULL);
        }
        drain(pool);
        for (int i = 0; i < 100; i++) {
            cr_assert(eq(int, outcomes[i].calls, 1));
            cr_expect(eq(int, outcomes[i].status, NW_OK), "%d: %s", i,
                      outcomes[i].message);
        }
    }
    destroy(pool);
}

Test(crash, a_worker_that_dies_between_tasks_costs_none)
{
    die_after("exitAfter");
}

struct order {
    int calls;
    int out_of_order;
    uint64_t last;
};

static void note_order(const nw_result *result, void *user_data)
{
    struct order *order = user_data;

    order->calls++;
    order->out_of_order += result->task.value < order->last;
    order->last = result->task.value;
}

Test(crash, a_worker_may_die_again_and_again)
{
    nwpool *pool = pool_of("tasks.js", 2);

    memset(outcomes, 0, sizeof(outcomes));
    for (int i = 0; i < 200; i++) {
        submit_to(&outcomes[i], pool, i % 10 == 9 ? "exit" : "inc", number(i),
                  NULL);
    }
    drain(pool);
    for (int i = 0; i < 200; i++) {
        cr_assert(eq(int, outcomes[i].calls, 1));
        expect_status(outcomes[i].status, i % 10 == 9 ? NW_ECRASHED : NW_OK);
        if (i % 10 == 9) {
            cr_expect(eq(int, outcomes[i].exit_code, i));
        }
    }
    eventually(stats_of(pool).restarts == 20);
    destroy(pool);
}

// What a worker had taken and not started goes back to where it came from: to
// the head of the queue.
Test(crash, tasks_keep_their_order_across_a_death)
{
    nwpool *pool = pool_of("tasks.js", 1);
    struct order order = {0};
    nw_task_spec spec = {.on_done = note_order, .user_data = &order};

    for (int i = 0; i < TASKS; i++) {
        const nw_value *argument = number(i % 100);

        spec.function = i % 100 == 99 ? "exit" : "inc";
        spec.arguments = &argument;
        spec.argument_count = 1;
        cr_assert(eq(int, submit_spec(pool, spec, NULL), NW_OK));
    }
    drain(pool);
    cr_expect(eq(int, order.calls, TASKS));
    cr_expect(eq(int, order.out_of_order, 0));
    destroy(pool);
}

// -- what is told

Test(crash, the_error_names_worker_exit_code_task_and_function)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_id before = submit(pool, "inc", number(1), NULL);
    nw_task_id deadly = submit(pool, "exitInTimer", number(77), NULL);
    nw_task_id after = submit(pool, "inc", number(1), NULL);
    const nw_result *result = take(pool, deadly);
    char expected[64];

    expect_status(result->status, NW_ECRASHED);
    expect_death(result->exit_code, result->error, 77);
    snprintf(expected, sizeof(expected), "worker %u ", result->worker);
    expect_says(result->error->message, expected);
    expect_says(result->error->message, "code 77");
    snprintf(expected, sizeof(expected), "task %llu ",
             (unsigned long long)deadly.value);
    expect_says(result->error->message, expected);
    expect_says(result->error->message, "exitInTimer");
    cr_expect(eq(u32, result->worker, take(pool, before)->worker));
    // A replacement is another worker.
    cr_expect(gt(u32, take(pool, after)->worker, result->worker));
    destroy(pool);
}

// -- errors outside of tasks

static const nw_result *fail_outside(nwpool *pool, const char *function,
                                     nw_value *argument)
{
    const nw_result *result;

    expect_status(call(pool, function, argument, NULL)->status, NW_OK);
    result = call(pool, "never", NULL);
    expect_status(result->status, NW_ECRASHED);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    return result;
}

Test(crash, an_exception_outside_of_tasks_is_the_cause_of_the_death)
{
    nwpool *pool = pool_of("outside.js", 1);
    const nw_result *result =
        fail_outside(pool, "throwLater", text("out of the blue"));

    cr_expect(eq(int, result->exit_code, 1));
    cr_assert(ne(ptr, (void *)result->error->cause, NULL));
    expect_string(result->error->cause->name, "TypeError");
    expect_string(result->error->cause->message, "out of the blue");
    expect_says(result->error->cause->stack, "outside.js");
    destroy(pool);
}

Test(crash, an_unhandled_rejection_is_the_cause_of_the_death)
{
    nwpool *pool = pool_of("outside.js", 1);
    const nw_result *result =
        fail_outside(pool, "rejectLater", text("nobody cared"));

    cr_expect(eq(int, result->exit_code, 1));
    cr_assert(ne(ptr, (void *)result->error->cause, NULL));
    expect_string(result->error->cause->name, "RangeError");
    expect_string(result->error->cause->message, "nobody cared");
    destroy(pool);
}

Test(crash, a_death_by_null_is_told)
{
    nwpool *pool = pool_of("outside.js", 1);
    const nw_result *result =
        fail_outside(pool, "throwNull", nw_value_null(doc));

    cr_assert(ne(ptr, (void *)result->error->cause, NULL));
    expect_string(result->error->cause->name, "");
    expect_string(result->error->cause->message, "null");
    destroy(pool);
}

Test(crash, an_exit_outside_of_tasks_has_its_code)
{
    nwpool *pool = pool_of("outside.js", 1);
    const nw_result *result = fail_outside(pool, "exitLater", number(33));

    cr_expect(eq(int, result->exit_code, 33));
    cr_expect(eq(ptr, (void *)result->error->cause, NULL));
    destroy(pool);
}

Test(crash, an_error_may_come_with_a_code_of_the_users_own)
{
    nwpool *pool = pool_of("outside.js", 1);
    const nw_result *result = fail_outside(pool, "exitCodeOfError", number(9));

    cr_expect(eq(int, result->exit_code, 9));
    expect_string(result->error->cause->message, "with another code");
    destroy(pool);
}

// -- in places where the user's code runs unexpectedly

static void expect_exit(nwpool *pool, const char *function, int exit_code)
{
    const nw_result *result = call(pool, function, number(exit_code), NULL);

    cr_expect(eq(int, result->status, NW_ECRASHED), "%s: %s", function,
              nw_status_name(result->status));
    cr_expect(eq(int, result->exit_code, exit_code), "%s", function);
    expect_value(call(pool, "inc", number(1), NULL), "2");
}

Test(crash, exit_in_a_getter_of_the_result_or_the_error_is_an_exit)
{
    nwpool *pool = pool_of("outside.js", 1);

    expect_exit(pool, "exitInGetter", 6);
    expect_exit(pool, "exitInError", 7);
    expect_exit(pool, "exitInThen", 8);
    expect_exit(pool, "abortLoudly", 9);
    destroy(pool);
}

// The result is there when the exit comes; nobody else may pay for it.
static void exit_after_result(const char *function)
{
    nwpool *pool = pool_of("outside.js", 1);

    for (int round = 0; round < 5; round++) {
        memset(outcomes, 0, sizeof(outcomes));
        for (int i = 0; i < 60; i++) {
            submit_to(&outcomes[i], pool, i % 20 == 5 ? function : "inc",
                      number(i), NULL);
        }
        drain(pool);
        for (int i = 0; i < 60; i++) {
            cr_assert(eq(int, outcomes[i].calls, 1));
            cr_expect(eq(int, outcomes[i].status, NW_OK), "%s, %d: %s",
                      function, i, outcomes[i].message);
        }
    }
    destroy(pool);
}

Test(crash, a_result_is_safe_before_the_microtasks_run)
{
    exit_after_result("exitInBatch");
    exit_after_result("exitInTick");
}

Test(crash, an_exception_that_is_caught_by_a_handler_kills_nobody)
{
    nwpool *pool = pool_of("outside.js", 1);

    expect_status(call(pool, "survive", NULL)->status, NW_OK);
    for (int i = 0; i < 10; i++) {
        expect_value(call(pool, "throwNow", text("x"), NULL), "\"survived\"");
    }
    cr_expect(eq(u64, stats_of(pool).restarts, 0));
    destroy(pool);
}

Test(crash, an_exception_in_the_trampoline_fails_the_task_alone)
{
    nwpool *pool = pool_of("outside.js", 1);

    expect_failure(call(pool, "patch", NULL), NW_ETHROWN, "trampoline");
    expect_value(call(pool, "inc", number(1), NULL), "2");
    cr_expect(eq(u64, stats_of(pool).restarts, 0));
    destroy(pool);
}

Test(crash, a_worker_inside_a_worker_may_die)
{
    nwpool *pool = pool_of("outside.js", 1);

    expect_value(call(pool, "nestedWorker", NULL), "12");
    cr_expect(eq(u64, stats_of(pool).restarts, 0));
    destroy(pool);
}

// -- workers that die without a task

Test(crash, a_crash_loop_does_not_spin)
{
    nwpool *pool = pool_of("idle_exit.js", 1);
    uint64_t start_ms = now_ms();

    // 0, 50, 100, 200, 400 and 800 ms of pauses, and the starts of seven
    // workers. The seventh restart is counted when its pause begins.
    eventually(stats_of(pool).restarts >= 7);
    cr_expect(now_ms() - start_ms >= 1550, "%d ms", (int)(now_ms() - start_ms));

    // A worker that waits for its time, 1.6 s, is not waited for.
    start_ms = now_ms();
    destroy(pool);
    cr_expect(now_ms() - start_ms < 1000, "%d ms", (int)(now_ms() - start_ms));
}

Test(crash, a_crash_loop_still_runs_tasks)
{
    nwpool *pool = pool_of("idle_exit.js", 1);

    for (uint64_t i = 0; i < 4; i++) {
        // The timer may hit at any moment but that of a running task.
        for (int k = 0; k < 10; k++) {
            expect_value(call(pool, "inc", number(1), NULL), "2");
        }
        eventually(stats_of(pool).restarts > i);
    }
    destroy(pool);
}

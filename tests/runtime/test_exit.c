// Goal: however the process ends and whatever workers are doing, it ends soon,
// with the status it was given and no signal.

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/process.h"

TestSuite(exit, .timeout = 60);

static void expect_status(const char *mode, int status)
{
    char argument[16];
    struct outcome outcome;

    snprintf(argument, sizeof(argument), "%d", status);
    outcome = run_host(mode, argument);
    cr_expect(outcome.status == status, "%s ended with %s", mode,
              outcome_text(&outcome));
}

// Without the guard about four of ten crash.
Test(exit, main_returns_with_two_busy_workers)
{
    for (int i = 1; i <= 20; i++) {
        expect_status("return-busy", i);
    }
}

Test(exit, exit_is_called_on_another_thread)
{
    expect_status("exit-on-thread", 7);
}

Test(exit, exit_is_called_in_a_result_callback)
{
    expect_status("exit-in-result-callback", 8);
}

Test(exit, exit_is_called_in_an_event_callback)
{
    expect_status("exit-in-event-callback", 9);
}

Test(exit, underscore_exit_asks_nobody)
{
    expect_status("underscore-exit", 10);
}

Test(exit, main_returns_while_node_starts)
{
    for (int i = 1; i <= 10; i++) {
        expect_status("return-while-starting", i);
    }
}

Test(exit, main_returns_after_a_failed_start)
{
    struct outcome outcome = run_host("fail-to-start", "3");

    cr_expect(eq(int, outcome.status, 3), "%s", outcome_text(&outcome));
    cr_expect(eq(str, outcome.out, "handler ran\n"));
}

// The time-out of the guard is 300 ms here instead of two seconds; starting
// takes the rest.
Test(exit, main_returns_with_a_worker_stuck_in_exec_sync)
{
    struct outcome outcome = run_host("return-stuck", "6");

    cr_expect(outcome.status == 6, "%s", outcome_text(&outcome));
    cr_expect(outcome.took_ms >= 300, "it did not wait for the worker: %s",
              outcome_text(&outcome));
    cr_expect(outcome.took_ms < 2000, "%s", outcome_text(&outcome));
}

Test(exit, buffered_text_of_the_host_is_written_when_a_worker_is_stuck)
{
    struct outcome outcome = run_host("return-stuck-with-buffered-text", NULL);

    cr_expect(eq(int, outcome.status, 6), "%s", outcome_text(&outcome));
    cr_expect(eq(str, outcome.out, "buffered out"));
    cr_expect(eq(str, outcome.err, "buffered err"));
}

// One of eight threads has the id that the control thread had, and must not be
// taken for it.
Test(exit, handlers_of_the_host_run_when_a_late_thread_exits)
{
    for (int i = 0; i < 8; i++) {
        char number[16];
        struct outcome outcome;

        snprintf(number, sizeof(number), "%d", i);
        outcome = run_host("exit-on-thread-after-stop", number);
        cr_expect(eq(int, outcome.status, 12), "%s", outcome_text(&outcome));
        cr_expect(eq(str, outcome.out, "handler ran\n"));
    }
}

Test(exit, exit_handlers_may_destroy_pools_and_workers)
{
    static const char *const modes[] = {"destroy-before-the-guard",
                                        "destroy-after-the-guard"};

    for (int i = 0; i < 2; i++) {
        struct outcome outcome = run_host(modes[i], "4");

        cr_expect(eq(int, outcome.status, 4), "%s: %s", modes[i],
                  outcome_text(&outcome));
        cr_expect(eq(str, outcome.out, "destroyed\n"));
    }
}

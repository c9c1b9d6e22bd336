// Goal: the exit status and the last words of a run say how it went, and a
// count that does not add up never passes for success.

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>

#include "batch/report.h"
#include "tests/unit/support.h"

static struct nwpool_batch_outcome outcome;
static struct nwpool_batch_subject subject;

// 10 inputs, all well.
static void setup(void)
{
    cr_redirect_stderr();
    outcome = (struct nwpool_batch_outcome){
        .taken = 10, .ended = 10, .written = 10, .input_over = true};
    for (int i = 0; i < 10; i++) {
        nwpool_batch_tally_add_ok(&outcome.tally);
    }
    subject = (struct nwpool_batch_subject){
        .module = "/m.js",
        .output = "/out.jsonl",
        .input_error = "",
        .total = 10,
        .elapsed_s = 2,
    };
}

static void teardown(void)
{
    nwpool_batch_outcome_fini(&outcome);
}

TestSuite(report, .init = setup, .fini = teardown, .timeout = 20);

// Four more inputs that failed in three ways.
static void add_failures(void)
{
    const nw_error cause = {.name = "Error", .message = "root", .stack = ""};
    const nw_error error = {.name = "TypeError",
                            .message = "bad\nsecond line",
                            .stack = "",
                            .cause = &cause};
    const struct nwpool_batch_item item = {
        .index = 12, .problem = (char *)"in.jsonl:3:9: no JSON value"};

    nwpool_batch_tally_add_failure(&outcome.tally, 10, "\"x\x1b[2J\"",
                                   NW_ETHROWN, &error);
    nwpool_batch_tally_add_failure(&outcome.tally, 11, "1", NW_ECRASHED, NULL);
    nwpool_batch_tally_add_bad_input(&outcome.tally, &item);
    nwpool_batch_tally_add_failure(&outcome.tally, 13, "3", NW_ETHROWN, &error);
    outcome.taken = 14;
    outcome.ended = 14;
    outcome.written = 14;
    subject.total = 14;
}

Test(report, all_well_is_status_0)
{
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, true), 0));
    fflush(stderr);
    cr_expect_stderr_eq_str(
        "nwpool: 10 inputs in 2.00 s (5.0/s): 10 ok, 0 failed\n"
        "nwpool: results in /out.jsonl\n",
        "");
}

Test(report, failures_are_counted_and_the_first_are_shown)
{
    add_failures();
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, true), 1));
    fflush(stderr);
    cr_expect_stderr_eq_str(
        "nwpool: 14 inputs in 2.00 s (7.0/s): 10 ok, 4 failed\n"
        "nwpool: 1 failed with NW_ECRASHED: the worker died while running the "
        "task\n"
        "nwpool: 2 failed with NW_ETHROWN: the task threw or rejected\n"
        "nwpool: 1 failed with BAD_INPUT: the input cannot be read\n"
        "nwpool:   input 10, \"x [2J\": TypeError: bad... (cause: root)\n"
        "nwpool:   input 11, 1: the worker died while running the task\n"
        "nwpool:   input 12, in.jsonl:3:9: no JSON value\n"
        "nwpool:   and 1 more\n"
        "nwpool: results in /out.jsonl\n",
        "");
}

Test(report, quiet_says_nothing_when_nothing_stopped)
{
    add_failures();
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false), 1));
    fflush(stderr);
    cr_expect_stderr_eq_str("", "");
}

Test(report, a_signal_is_128_and_its_number)
{
    outcome.stop = NWPOOL_BATCH_STOP_SIGNAL;
    outcome.signal = SIGTERM;
    outcome.input_over = false;
    subject.total = 25;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false), 143));
    fflush(stderr);
    cr_expect_stderr_eq_str(
        "nwpool: interrupted by SIGTERM; 15 of 25 inputs were not run\n", "");
}

Test(report, a_signal_after_the_last_input_left_nothing_out)
{
    outcome.stop = NWPOOL_BATCH_STOP_SIGNAL;
    outcome.signal = SIGINT;
    subject.total = -1;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false), 130));
    fflush(stderr);
    cr_expect_stderr_eq_str(
        "nwpool: interrupted by SIGINT; every input was run\n", "");
}

Test(report, a_pool_that_cannot_work_is_4_with_the_reason_indented)
{
    outcome.stop = NWPOOL_BATCH_STOP_POOL;
    outcome.input_over = false;
    outcome.pool_error = strdup("Error: boom\n    at m.js:1");
    subject.total = -1;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false), 4));
    fflush(stderr);
    cr_expect_stderr_eq_str("nwpool: cannot run /m.js; the rest of the input "
                            "was not run. The reason:\n"
                            "nwpool:   Error: boom\n"
                            "nwpool:       at m.js:1\n",
                            "");
}

Test(report, an_output_that_failed_is_5)
{
    outcome.stop = NWPOOL_BATCH_STOP_OUTPUT;
    outcome.output_error = ENOSPC;
    outcome.written = 7;
    subject.output = NULL;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false), 5));
    fflush(stderr);
    cr_expect_stderr_eq_str(
        "nwpool: cannot write to standard output: No space left on device; 7 "
        "of 10 lines are out, every input was run\n",
        "");
}

Test(report, an_input_that_failed_is_5)
{
    outcome.stop = NWPOOL_BATCH_STOP_INPUT;
    outcome.input_over = false;
    subject.input_error = "cannot read in: Input/output error";
    subject.total = -1;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false), 5));
    fflush(stderr);
    cr_expect_stderr_eq_str("nwpool: cannot read in: Input/output error; the "
                            "rest of the input was not run\n",
                            "");
}

Test(report, a_line_too_few_is_a_bug)
{
    outcome.written = 9;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false),
                 NWPOOL_BATCH_EXIT_BUG));
}

Test(report, an_input_that_never_ended_is_a_bug)
{
    outcome.taken = 11;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false),
                 NWPOOL_BATCH_EXIT_BUG));
}

Test(report, a_result_that_was_not_counted_is_a_bug)
{
    outcome.tally.ok = 9;
    cr_expect(eq(int, nwpool_batch_report(&outcome, &subject, false),
                 NWPOOL_BATCH_EXIT_BUG));
}

// Goal: standard streams stay as the host has them, and what workers print
// arrives there without ever being in the way of a task.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/process.h"

TestSuite(stdio, .timeout = 60);

// The part of a text from its first line that starts with `start`, up to the
// first one that does not.
static char *lines_of(const char *text, const char *start)
{
    char *found = calloc(1, strlen(text) + 1);

    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        size_t size = end != NULL ? (size_t)(end - text) + 1 : strlen(text);

        if (strncmp(text, start, strlen(start)) == 0) {
            strncat(found, text + strlen(start), size - strlen(start));
        }
        text += size;
    }
    return found;
}

// Standard input becomes a pipe as well, and one with flags of its own.
static void make_pipe_of_input(void *unused)
{
    int ends[2];

    (void)unused;
    if (pipe(ends) == 0) {
        dup2(ends[0], 0);
        fcntl(0, F_SETFD, FD_CLOEXEC & 0);
    }
}

Test(stdio, descriptor_flags_and_buffering_stay)
{
    struct program program = {
        .arguments = {RUNTIME_HOST, "print-and-report-flags"},
        .prepare = make_pipe_of_input,
    };
    struct outcome outcome = run_program(&program);
    char *before = lines_of(outcome.err, "before ");
    char *after = lines_of(outcome.err, "after ");

    cr_assert(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    cr_assert(strchr(before, '\n') != NULL);
    cr_expect(eq(str, after, before));
    cr_expect(strstr(outcome.err, "buffer kept\n") != NULL);
    cr_expect(strstr(outcome.out, "of the host, in one piece\n") != NULL);
    cr_expect(strstr(outcome.out, "of the worker\n") != NULL);
    cr_expect(strstr(outcome.err, "Warning: careful\n") != NULL);
    free(before);
    free(after);
}

// Fails unless the text is "<stream> 0 ...", "<stream> 1 ..." and so on.
static void expect_numbered(const char *text, const char *stream, int count)
{
    int found = 0;

    while (*text != '\0') {
        char expected[64];
        const char *end = strchr(text, '\n');

        snprintf(expected, sizeof(expected), "%s %d", stream, found);
        if (strncmp(text, expected, strlen(expected)) != 0 || end == NULL) {
            break;
        }
        found++;
        text = end + 1;
    }
    cr_expect(eq(int, found, count), "the next line of %s is \"%.60s\"", stream,
              text);
}

Test(stdio, output_of_a_worker_that_ends_is_complete_and_in_order)
{
    struct outcome outcome = run_host("print-in-worker", "3000");

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    expect_numbered(outcome.out, "out", 3000);
    expect_numbered(outcome.err, "err", 3000);
}

// Some 10 MB, more than may wait to be written.
Test(stdio, much_output_of_a_worker_that_ends_is_complete_and_in_order)
{
    struct outcome outcome = run_host("print-in-worker", "20000");

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    expect_numbered(outcome.out, "out", 20000);
    expect_numbered(outcome.err, "err", 20000);
}

// The host returns from main as soon as it has the task's result.
Test(stdio, output_of_a_task_that_ended_is_complete_when_the_host_ends)
{
    struct outcome outcome = run_host("print-in-task", "3000");

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    expect_numbered(outcome.out, "out", 3000);
}

static void make_full_pipe_of_output(void *unused)
{
    int ends[2];

    (void)unused;
    if (pipe(ends) == 0) {
        dup2(ends[1], 1);
    }
}

// 200 tasks that print 64 KiB each; a pipe holds as much as one of them.
Test(stdio, output_that_nobody_reads_holds_up_no_task)
{
    struct program program = {
        .arguments = {RUNTIME_HOST, "print-into-full-pipe", "200"},
        .prepare = make_full_pipe_of_output,
        .keep_stdio = true,
    };
    struct outcome outcome = run_program(&program);

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    cr_expect(eq(str, outcome.err, "200 done\n"));
}

static void close_streams(void *unused)
{
    (void)unused;
    close(0);
    close(1);
    close(2);
}

// Their numbers are taken by /dev/null then: libuv aborts when it is given one
// of them, and nothing that a worker prints may end up in another file.
Test(stdio, host_without_standard_streams_gets_dev_null)
{
    struct program program = {
        .arguments = {RUNTIME_HOST, "closed-streams"},
        .prepare = close_streams,
        .keep_stdio = true,
    };
    struct outcome outcome = run_program(&program);

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    cr_expect(eq(str, outcome.err,
                 "0: /dev/null 1\n1: /dev/null 1\n2: /dev/null 1\ndone\n"));
}

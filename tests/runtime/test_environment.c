// Goal: environment variables that were meant for another Node.js do nothing
// here, and are still there for the host.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/client.h"
#include "tests/runtime/process.h"

TestSuite(environment, .timeout = 60);

static void expect_line(const struct outcome *outcome, const char *line)
{
    cr_expect(strstr(outcome->err, line) != NULL, "no \"%s\" in %s", line,
              outcome_text(outcome));
}

static void set_node_options(void *value)
{
    setenv("NODE_OPTIONS", value, 1);
}

static void expect_ignored(char *options)
{
    struct program program = {
        .arguments = {RUNTIME_HOST, "environment"},
        .prepare = set_node_options,
        .data = options,
    };
    struct outcome outcome = run_program(&program);
    char line[1024];

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    expect_line(&outcome, "worker: undefined undefined undefined\n");
    snprintf(line, sizeof(line), "host: (unset) (unset) %s (unset)\n", options);
    expect_line(&outcome, line);
    cr_expect(strstr(outcome.err, "was loaded") == NULL, "%s", outcome.err);
}

Test(environment, node_options_with_a_wrong_option_are_ignored)
{
    expect_ignored("--bogus");
}

Test(environment, node_options_that_load_a_file_are_ignored)
{
    char options[600];

    snprintf(options, sizeof(options), "--require=%s",
             client_fixture("loud.js"));
    expect_ignored(options);
}

// As a host finds it that was itself started by child_process.fork().
static void give_channel(void *data)
{
    dup2(*(int *)data, 3);
    fcntl(3, F_SETFD, 0);
    setenv("NODE_CHANNEL_FD", "3", 1);
    setenv("NODE_UNIQUE_ID", "5", 1);
}

Test(environment, channel_of_a_parent_node_is_not_touched)
{
    int ends[2];
    struct program program = {
        .arguments = {RUNTIME_HOST, "environment"},
        .prepare = give_channel,
        .data = &ends[1],
    };
    struct outcome outcome;
    char byte;

    cr_assert(
        eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0));
    outcome = run_program(&program);
    close(ends[1]);

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    expect_line(&outcome,
                "task: undefined undefined undefined undefined undefined "
                "undefined\n");
    expect_line(&outcome, "worker: undefined undefined undefined\n");
    expect_line(&outcome, "host: 3 5 (unset) (unset)\n");
    expect_line(&outcome, "fd 3: 2 0\n"); // O_RDWR, and still open.
    // Nothing was sent to the parent.
    cr_expect(eq(long, recv(ends[0], &byte, 1, MSG_DONTWAIT), 0));
    close(ends[0]);
}

static void ask_for_coverage(void *directory)
{
    setenv("NODE_V8_COVERAGE", directory, 1);
}

Test(environment, coverage_is_not_written)
{
    char directory[] = "/tmp/nwpool-coverage-XXXXXX";
    struct program program = {
        .arguments = {RUNTIME_HOST, "environment"},
        .prepare = ask_for_coverage,
        .data = directory,
    };
    struct outcome outcome;
    char line[256];

    cr_assert(mkdtemp(directory) != NULL);
    outcome = run_program(&program);

    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    snprintf(line, sizeof(line), "host: (unset) (unset) (unset) %s\n",
             directory);
    expect_line(&outcome, line);
    // Fails if anything was written into it.
    cr_expect(eq(int, rmdir(directory), 0));
}

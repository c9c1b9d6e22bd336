// Goal: in a fork() child nothing works and nothing hangs: every call returns
// NW_EFORKED, the child ends with the status it wants, the parent goes on.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <nwpool/trace.h>

#include "tests/runtime/client.h"
#include "tests/runtime/process.h"

TestSuite(fork, .timeout = 60);

// Status with which `child` ended; -1 for anything but exit().
static int end_of(pid_t child)
{
    int status = wait_child(child, 5000);

    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// -- what calls return

static void call_pools(nwpool *pool, nw_task_id task)
{
    nwpool_options options = {
        .struct_size = sizeof(options),
        .module = client_fixture("tasks.js"),
    };
    nw_task_spec spec = {.struct_size = sizeof(spec), .function = "increment"};
    nwpool_stats stats = {.struct_size = sizeof(stats)};
    nw_result *result = (nw_result *)1;
    nwpool *other = (nwpool *)1;

    client_expect("nwpool_create", nwpool_create(&other, &options), NW_EFORKED);
    client_expect("nwpool_submit", nwpool_submit(pool, &spec, &task),
                  NW_EFORKED);
    client_expect("nwpool_wait", nwpool_wait(pool, task, 1000, &result),
                  NW_EFORKED);
    client_expect("nwpool_drain", nwpool_drain(pool, 1000), NW_EFORKED);
    client_expect("nwpool_get_stats", nwpool_get_stats(pool, &stats),
                  NW_EFORKED);
    nwpool_close(pool);
    client_expect("nwpool_destroy", nwpool_destroy(pool), NW_EFORKED);
    if (other != NULL || result != NULL) {
        client_fail("an output argument was left as it was");
    }
}

static void call_workers(nw_worker *worker)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "0",
    };
    nw_doc *doc = nw_doc_create(); // Values need no Node.js.
    nw_worker *other = (nw_worker *)1;

    client_expect("nw_worker_create", nw_worker_create(&other, &options),
                  NW_EFORKED);
    client_expect("nw_worker_post",
                  nw_worker_post(worker, nw_value_number(doc, 1), NULL, 0), NW_EFORKED);
    client_expect("nw_worker_terminate", nw_worker_terminate(worker),
                  NW_EFORKED);
    client_expect("nw_worker_destroy", nw_worker_destroy(worker), NW_EFORKED);
    nw_doc_destroy(doc);
    if (other != NULL) {
        client_fail("an output argument was left as it was");
    }
}

static void call_runtime(void)
{
    client_expect("nw_runtime_start", nw_runtime_start(NULL), NW_EFORKED);
    client_expect("nw_runtime_stop", nw_runtime_stop(1000), NW_EFORKED);
    if (nw_runtime_get_state() != NW_RUNTIME_STOPPED ||
        nw_runtime_error()[0] != '\0' ||
        strncmp(nw_runtime_node_version(), "v18.", 4) != 0) {
        client_fail("the runtime gives a wrong account of itself");
    }
}

static const char *const endless =
    "require('worker_threads').parentPort.on('message', () => 0)";

Test(fork, every_call_in_the_child_says_so)
{
    nwpool *pool = client_pool("tasks.js", 1);
    struct watch watch;
    nw_worker *worker = client_worker(&watch, endless);
    nw_task_id task = client_submit(pool, "increment", 1);
    nw_result *result;
    pid_t child;

    client_await(&watch, NW_WORKER_ONLINE, 1);
    child = fork();
    if (child == 0) {
        call_runtime();
        call_pools(pool, task);
        call_workers(worker);
        _exit(0);
    }
    cr_expect(eq(int, end_of(child), 0));

    cr_assert(
        eq(int, nwpool_wait(pool, task, CLIENT_TIMEOUT_MS, &result), NW_OK));
    cr_expect(eq(dbl, nw_value_get_number(result->value), 2));
    nwpool_result_free(result);
    cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
    cr_expect(eq(int, nwpool_destroy(pool), NW_OK));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

// -- how it ends

// Ten of each, because locks are held at random moments.
Test(fork, child_ends_with_its_own_status_while_workers_are_busy)
{
    nwpool *pool = client_pool("tasks.js", 3);

    client_keep_busy(pool, "hash");
    client_keep_busy(pool, "hash");
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();

        if (child == 0) {
            if (i % 2 == 0) {
                exit(40 + i);
            }
            _exit(40 + i);
        }
        cr_expect(eq(int, end_of(child), 40 + i));
    }
    cr_expect(eq(dbl, client_number(pool, "increment", 1), 2));
    cr_expect(eq(int, nwpool_destroy(pool), NW_OK));
}

Test(fork, grandchild_ends_as_well)
{
    pid_t child;

    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    child = fork();
    if (child == 0) {
        pid_t grandchild = fork();

        if (grandchild == 0) {
            exit(nw_runtime_start(NULL) == NW_EFORKED ? 7 : 8);
        }
        exit(end_of(grandchild));
    }
    cr_expect(eq(int, end_of(child), 7));
}

static void on_done_fork(const nw_result *result, void *user_data)
{
    pid_t child = fork();

    (void)result;
    if (child == 0) {
        exit(21);
    }
    *(int *)user_data = end_of(child);
}

Test(fork, child_of_a_result_callback_ends_as_well)
{
    nwpool *pool = client_pool("tasks.js", 1);
    int status = 0;
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "increment",
        .on_done = on_done_fork,
        .user_data = &status,
    };

    cr_assert(eq(int, nwpool_submit(pool, &spec, NULL), NW_OK));
    cr_assert(eq(int, nwpool_drain(pool, CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, status, 21));
    nwpool_destroy(pool);
}

static void say_early(void)
{
    printf("registered before the start\n");
}

static void say_late(void)
{
    printf("registered after the start\n");
}

// Node's own exit handlers lie between the two and would wait for threads that
// the child does not have.
Test(fork, exit_of_the_child_flushes_and_runs_the_later_handlers)
{
    char text[256] = "";
    int ends[2];
    pid_t child;

    cr_assert(eq(int, pipe(ends), 0));
    atexit(say_early);
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        atexit(say_late);
        printf("buffered\n");
        exit(0);
    }
    cr_expect(eq(int, end_of(child), 0));
    close(ends[1]);
    cr_assert(ge(long, read(ends[0], text, sizeof(text) - 1), 0));
    cr_expect(eq(str, text, "buffered\nregistered after the start\n"));
    // What this process says at its own end is of no interest.
    dup2(open("/dev/null", O_WRONLY), 1);
}

// -- what is possible

Test(fork, both_sides_may_start_after_the_fork)
{
    pid_t child = fork();

    if (child == 0) {
        nwpool *pool = client_pool("tasks.js", 1);

        exit((int)client_number(pool, "increment", 30));
    }
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    cr_expect(eq(int, end_of(child), 31));
}

Test(fork, host_starts_programs_while_node_runs)
{
    nwpool *pool = client_pool("tasks.js", 2);

    client_keep_busy(pool, "hash");
    cr_expect(eq(int, system("exit 3"), 3 << 8));
    cr_expect(eq(dbl, client_number(pool, "increment", 1), 2));
    nwpool_destroy(pool);
}

// A trace that the parent records is the parent's to write.
Test(fork, child_does_not_write_the_trace_of_its_parent)
{
    char file[] = "/tmp/nwpool-trace-XXXXXX";
    nw_trace_options options = {
        .struct_size = sizeof(options),
        .file = file,
    };
    pid_t child;

    close(mkstemp(file));
    unlink(file);
    cr_assert(eq(int, nw_trace_start(&options), NW_OK));
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    child = fork();
    if (child == 0) {
        nw_trace_stop();
        exit(0);
    }
    cr_expect(eq(int, end_of(child), 0));
    cr_expect(eq(int, access(file, F_OK), -1));
    cr_expect(eq(int, nw_trace_stop(), NW_OK));
    cr_expect(eq(int, unlink(file), 0));
}

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

#include <nwpool/function.h>
#include <nwpool/port.h>
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
                  nw_worker_post(worker, nw_value_number(doc, 1), NULL, 0),
                  NW_EFORKED);
    client_expect("nw_worker_terminate", nw_worker_terminate(worker),
                  NW_EFORKED);
    client_expect("nw_worker_destroy", nw_worker_destroy(worker), NW_EFORKED);
    nw_doc_destroy(doc);
    if (other != NULL) {
        client_fail("an output argument was left as it was");
    }
}

static void ask_workers(nw_worker *worker)
{
    nw_resource_limits limits;
    nw_event_loop_utilization utilization;
    int code;

    client_expect("nw_worker_wait", nw_worker_wait(worker, 1000, &code),
                  NW_EFORKED);
    client_expect("nw_worker_write", nw_worker_write(worker, "x", 1, 1000),
                  NW_EFORKED);
    client_expect("nw_worker_end", nw_worker_end(worker), NW_EFORKED);
    client_expect("nw_worker_heap_snapshot",
                  nw_worker_heap_snapshot(worker, "/tmp/x", 1000), NW_EFORKED);
    client_expect("nw_worker_get_resource_limits",
                  nw_worker_get_resource_limits(worker, &limits), NW_EFORKED);
    client_expect("nw_worker_get_event_loop_utilization",
                  nw_worker_get_event_loop_utilization(worker, &utilization),
                  NW_EFORKED);
    if (nw_worker_thread_id(worker) != -1) {
        client_fail("the worker has a thread in the child");
    }
}

static void on_port(const nw_port_event *event, void *user_data)
{
    (void)event;
    (void)user_data;
}

static void make_ports(void)
{
    nw_port *one = (nw_port *)1;
    nw_port *two = (nw_port *)1;

    client_expect("nw_channel_create", nw_channel_create(&one, &two),
                  NW_EFORKED);
    if (one != NULL || two != NULL) {
        client_fail("an output argument was left as it was");
    }
    one = (nw_port *)1;
    client_expect("nw_broadcast_create", nw_broadcast_create(&one, "b"),
                  NW_EFORKED);
    if (one != NULL) {
        client_fail("an output argument was left as it was");
    }
}

static void call_ports(nw_port *port)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *value;

    make_ports();
    client_expect("nw_port_listen", nw_port_listen(port, on_port, NULL, NULL),
                  NW_EFORKED);
    client_expect("nw_port_listen", nw_port_listen(port, NULL, NULL, NULL),
                  NW_EFORKED);
    client_expect("nw_port_start", nw_port_start(port), NW_EFORKED);
    client_expect("nw_port_post",
                  nw_port_post(port, nw_value_number(doc, 1), NULL, 0),
                  NW_EFORKED);
    client_expect("nw_port_receive", nw_port_receive(port, doc, &value),
                  NW_EFORKED);
    client_expect("nw_port_ref", nw_port_ref(port), NW_EFORKED);
    client_expect("nw_port_unref", nw_port_unref(port), NW_EFORKED);
    client_expect("nw_port_close", nw_port_close(port), NW_EFORKED);
    client_expect("nw_port_destroy", nw_port_destroy(port), NW_EFORKED);
    nw_doc_destroy(doc);
}

static nw_value *nothing(const nw_call *call, void *user_data)
{
    (void)call;
    (void)user_data;
    return NULL;
}

static void call_the_rest(void)
{
    const nw_function_options options = {.struct_size = sizeof(options),
                                         .function = nothing};
    nw_doc *doc = nw_doc_create();
    nw_value *key = nw_value_number(doc, 1);
    const nw_value *value;

    client_expect("nw_function_register", nw_function_register("f", &options),
                  NW_EFORKED);
    client_expect("nw_function_unregister", nw_function_unregister("f"),
                  NW_EFORKED);
    client_expect("nw_environment_data_set", nw_environment_data_set(key, key),
                  NW_EFORKED);
    client_expect("nw_environment_data_get",
                  nw_environment_data_get(key, doc, &value), NW_EFORKED);
    nw_doc_destroy(doc);
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
    nw_port *port, *other;
    nw_result *result;
    pid_t child;

    client_await(&watch, NW_WORKER_ONLINE, 1);
    cr_assert(eq(int, nw_channel_create(&port, &other), NW_OK));
    child = fork();
    if (child == 0) {
        call_runtime();
        call_pools(pool, task);
        ask_workers(worker);
        call_workers(worker);
        call_ports(port);
        call_the_rest();
        _exit(0);
    }
    cr_expect(eq(int, end_of(child), 0));

    cr_assert(
        eq(int, nwpool_wait(pool, task, CLIENT_TIMEOUT_MS, &result), NW_OK));
    cr_expect(eq(dbl, nw_value_get_number(result->value), 2));
    nwpool_result_free(result);
    cr_expect(eq(int, nw_port_destroy(port), NW_OK));
    cr_expect(eq(int, nw_port_destroy(other), NW_OK));
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

static void *keep_posting(void *argument)
{
    nw_port *port = argument;
    nw_doc *doc = nw_doc_create();
    nw_value *value = nw_value_null(doc);

    while (nw_port_post(port, value, NULL, 0) == NW_OK) {
        usleep(1); // The other side keeps up.
    }
    nw_doc_destroy(doc);
    return NULL;
}

// The object that the document holds is nobody's in the child, which tells
// nobody of it: a lock that another thread held at the fork stays locked.
Test(fork, child_empties_documents_that_hold_ports)
{
    struct watch watch;
    nw_worker *worker = client_worker(
        &watch, "const { parentPort } = require('worker_threads');"
                "parentPort.once('message', (port) => {"
                "    const { port1, port2 } = new MessageChannel();"
                "    port.postMessage(port1, [port1]);"
                "    port2.on('message', () => {});"
                "});");
    nw_doc *doc = nw_doc_create();
    const nw_value *value = NULL;
    nw_port *port, *other, *busy, *end;
    const nw_value *moving[1];
    pthread_t thread;

    cr_assert(eq(int, nw_channel_create(&port, &other), NW_OK));
    cr_assert(eq(int, nw_channel_create(&busy, &end), NW_OK));
    cr_assert(eq(int, nw_port_start(end), NW_OK));
    moving[0] = nw_value_port(doc, other);
    cr_assert(eq(int, nw_worker_post(worker, moving[0], moving, 1), NW_OK));
    while (nw_port_receive(port, doc, &value) == NW_ENOENT) {
        usleep(1000);
    }
    cr_assert(eq(int, nw_value_type(value), NW_TYPE_PORT));
    cr_assert(eq(int, pthread_create(&thread, NULL, keep_posting, busy), 0));
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();

        if (child == 0) {
            nw_doc_reset(doc);
            _exit(9);
        }
        cr_expect(eq(int, end_of(child), 9));
    }
    cr_expect(eq(int, nw_port_close(busy), NW_OK));
    pthread_join(thread, NULL);
    nw_doc_destroy(doc);
    nw_port_destroy(port);
    nw_port_destroy(other);
    nw_port_destroy(busy);
    nw_port_destroy(end);
    cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
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

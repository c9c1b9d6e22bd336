// A host program in many modes, for tests that need a process of their own:
// they look at how it ends, or at descriptors that a test runner uses itself.
//
// What a mode finds goes to REPORT_FD, which the runner captures whatever is
// done to standard output and error.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/runtime/client.h"
#include "tests/runtime/process.h"

#define EXIT_TIMEOUT_MS 300

static void start_with_short_exit(void)
{
    nw_runtime_options options = {
        .struct_size = sizeof(options),
        .exit_timeout_ms = EXIT_TIMEOUT_MS,
    };

    client_expect("nw_runtime_start", nw_runtime_start(&options), NW_OK);
}

static nwpool *busy_pool(uint32_t workers, const char *function)
{
    nwpool *pool = client_pool("tasks.js", workers);

    for (uint32_t i = 0; i < workers; i++) {
        client_keep_busy(pool, function);
    }
    return pool;
}

// -- ends of the process

static int return_busy(const char *argument)
{
    busy_pool(2, "hash");
    return atoi(argument);
}

static void *exit_body(void *data)
{
    exit(*(int *)data);
}

static int exit_on_thread(const char *argument)
{
    int status = atoi(argument);

    busy_pool(2, "hash");
    client_on_thread(0, exit_body, &status);
    return CLIENT_FAILED;
}

static void on_done_exit(const nw_result *result, void *user_data)
{
    (void)result;
    exit(*(int *)user_data);
}

static _Noreturn void wait_for_the_end(void)
{
    for (;;) {
        pause();
    }
}

static int exit_in_result_callback(const char *argument)
{
    int status = atoi(argument);
    nwpool *pool = client_pool("tasks.js", 3);
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "increment",
        .on_done = on_done_exit,
        .user_data = &status,
    };

    client_keep_busy(pool, "hash");
    client_keep_busy(pool, "hash");
    client_expect("nwpool_submit", nwpool_submit(pool, &spec, NULL), NW_OK);
    wait_for_the_end();
}

static void on_event_exit(const nw_worker_event *event, void *user_data)
{
    if (event->type == NW_WORKER_MESSAGE) {
        exit(*(int *)user_data);
    }
}

static int exit_in_event_callback(const char *argument)
{
    int status = atoi(argument);
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "require('worker_threads').parentPort.postMessage(1);"
                  "for (;;);",
        .on_event = on_event_exit,
        .user_data = &status,
    };
    nw_worker *worker;

    busy_pool(1, "hash");
    client_expect("nw_worker_create", nw_worker_create(&worker, &options),
                  NW_OK);
    wait_for_the_end();
}

static int underscore_exit(const char *argument)
{
    busy_pool(2, "hash");
    _exit(atoi(argument));
}

static int return_stuck(const char *argument)
{
    start_with_short_exit();
    busy_pool(1, "stuck");
    return atoi(argument);
}

// Both streams are buffered in full: they are pipes, and this sees to it for
// the second.
static int return_stuck_with_buffered_text(const char *argument)
{
    static char buffer[4096];

    (void)argument;
    setvbuf(stderr, buffer, _IOFBF, sizeof(buffer));
    printf("buffered out");
    fprintf(stderr, "buffered err");
    start_with_short_exit();
    busy_pool(1, "stuck");
    return 6;
}

static void *start_body(void *unused)
{
    (void)unused;
    nw_runtime_start(NULL);
    return NULL;
}

static int return_while_starting(const char *argument)
{
    pthread_t thread;

    pthread_create(&thread, NULL, start_body, NULL);
    pthread_detach(thread);
    while (client_threads_named("nwpool-control") == 0) {
        sched_yield();
    }
    return atoi(argument);
}

static void say_handler(void)
{
    printf("handler ran\n");
}

#define LATE_THREADS 8

static pthread_barrier_t late_barrier;

static void *late_body(void *data)
{
    pthread_barrier_wait(&late_barrier);
    if (data == NULL) {
        wait_for_the_end();
    }
    exit(*(int *)data);
}

// Threads that start after the stop get the ids of those that have ended. One
// of them, the one with the number `argument`, calls exit().
static int exit_on_thread_after_stop(const char *argument)
{
    int status = 12;

    atexit(say_handler);
    client_expect("nw_runtime_start", nw_runtime_start(NULL), NW_OK);
    client_expect("nw_runtime_stop", nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK);
    pthread_barrier_init(&late_barrier, NULL, LATE_THREADS);
    for (int i = 0; i < LATE_THREADS; i++) {
        pthread_t thread;

        pthread_create(&thread, NULL, late_body,
                       i == atoi(argument) ? &status : NULL);
    }
    wait_for_the_end();
}

static nwpool *pool_at_exit;
static nw_worker *worker_at_exit;

static void destroy_handler(void)
{
    client_expect("nw_worker_destroy", nw_worker_destroy(worker_at_exit),
                  NW_OK);
    client_expect("nwpool_destroy", nwpool_destroy(pool_at_exit), NW_OK);
    client_expect("nw_runtime_stop", nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK);
    printf("destroyed\n");
}

// Nothing that could be waited for will happen any more.
static void drain_handler(void)
{
    client_expect("nwpool_drain", nwpool_drain(pool_at_exit, NW_WAIT_FOREVER),
                  NW_ESTOPPED);
    destroy_handler();
}

static void on_done_nothing(const nw_result *result, void *user_data)
{
    (void)result;
    (void)user_data;
}

static void submit_some(nwpool *pool)
{
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "increment",
        .on_done = on_done_nothing,
    };

    for (int i = 0; i < 1000; i++) {
        client_expect("nwpool_submit", nwpool_submit(pool, &spec, NULL), NW_OK);
    }
}

static void make_what_exit_destroys(void)
{
    static struct watch watch;

    pool_at_exit = client_pool("tasks.js", 3);
    worker_at_exit = client_worker(
        &watch, "require('worker_threads').parentPort.on('message', () => 0)");
    client_await(&watch, NW_WORKER_ONLINE, 1);
    client_keep_busy(pool_at_exit, "hash");
    submit_some(pool_at_exit);
}

// As the destructor of a static C++ object does it: registered before Node.js
// started, so it runs when the guard has stopped everything.
static int destroy_after_the_guard(const char *argument)
{
    atexit(drain_handler);
    make_what_exit_destroys();
    return atoi(argument);
}

static int destroy_before_the_guard(const char *argument)
{
    make_what_exit_destroys();
    atexit(destroy_handler);
    return atoi(argument);
}

static int fail_to_start(const char *argument)
{
    const char *const list[] = {"--no-such-option", NULL};
    nw_runtime_options options = {
        .struct_size = sizeof(options),
        .node_options = list,
    };

    atexit(say_handler);
    client_expect("nw_runtime_start", nw_runtime_start(&options), NW_ENODE);
    return atoi(argument);
}

// -- workers that do not end

static void report_call(const char *what, nw_status status, uint64_t begin_ms)
{
    dprintf(REPORT_FD, "%s %s after %llu ms\n", what, nw_status_name(status),
            (unsigned long long)(client_now_ms() - begin_ms));
}

static int canceled;

static void on_done_count(const nw_result *result, void *user_data)
{
    (void)user_data;
    canceled += result->status == NW_ECANCELED ? 1 : 0;
}

static void stop_and_report(void)
{
    uint64_t begin_ms = client_now_ms();

    report_call("nw_runtime_stop", nw_runtime_stop(200), begin_ms);
}

static int destroy_stuck_pool(const char *argument)
{
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "increment",
        .on_done = on_done_count,
    };
    uint64_t begin_ms;
    nwpool *pool;

    start_with_short_exit();
    pool = busy_pool(1, "stuck");
    client_expect("nwpool_submit", nwpool_submit(pool, &spec, NULL), NW_OK);
    begin_ms = client_now_ms();
    report_call("nwpool_destroy", nwpool_destroy(pool), begin_ms);
    dprintf(REPORT_FD, "canceled %d\n", canceled);
    stop_and_report();
    return atoi(argument);
}

// `cat` says that it runs, then reads from the host, which writes nothing.
static int destroy_stuck_worker(const char *argument)
{
    char source[256];
    struct watch watch;
    nw_worker *worker;
    uint64_t begin_ms;
    int ends[2];
    char byte;

    start_with_short_exit();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        client_fail("socketpair: %s", strerror(errno));
    }
    snprintf(source, sizeof(source),
             "require('child_process').execSync('printf .; exec cat',"
             "  { stdio: [%d, %d, 'ignore'] });",
             ends[1], ends[1]);
    worker = client_worker(&watch, source);
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
    }
    begin_ms = client_now_ms();
    report_call("nw_worker_destroy", nw_worker_destroy(worker), begin_ms);
    stop_and_report();
    return atoi(argument);
}

// -- standard streams

static void report_descriptors(const char *when)
{
    for (int fd = 0; fd < 3; fd++) {
        dprintf(REPORT_FD, "%s %d %x %x\n", when, fd,
                (unsigned)fcntl(fd, F_GETFL), (unsigned)fcntl(fd, F_GETFD));
    }
}

static int print_and_report_flags(const char *argument)
{
    struct watch watch;
    nw_worker *worker;
    nwpool *pool;
    size_t buffer;

    (void)argument;
    printf("of the host, ");
    buffer = __fbufsize(stdout);
    report_descriptors("before");
    pool = client_pool("tasks.js", 2);
    client_number(pool, "printBoth", 1000);
    worker = client_worker(&watch, "console.log('of the worker');"
                                   "process.emitWarning('careful');"
                                   "process.stdin.on('data', () => {});"
                                   "process.stdin.resume();");
    client_await(&watch, NW_WORKER_EXIT, 1);
    client_expect("nw_worker_destroy", nw_worker_destroy(worker), NW_OK);
    client_expect("nwpool_destroy", nwpool_destroy(pool), NW_OK);
    client_expect("nw_runtime_stop", nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK);
    report_descriptors("after");
    dprintf(REPORT_FD, "buffer %s\n",
            buffer == __fbufsize(stdout) && __flbf(stdout) == 0 ? "kept"
                                                                : "changed");
    printf("in one piece\n");
    return 0;
}

static int print_in_worker(const char *argument)
{
    char source[512];
    struct watch watch;
    nw_worker *worker;

    snprintf(source, sizeof(source),
             "for (let i = 0; i < %s; i++) {"
             "  console.log(`out ${i} ${'x'.repeat(i %% 1000)}`);"
             "  console.error(`err ${i}`);"
             "}",
             argument);
    worker = client_worker(&watch, source);
    client_await(&watch, NW_WORKER_EXIT, 1);
    client_expect("nw_worker_destroy", nw_worker_destroy(worker), NW_OK);
    client_expect("nw_runtime_stop", nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK);
    return watch.exit_code;
}

static int print_in_task(const char *argument)
{
    nwpool *pool = client_pool("tasks.js", 1);

    client_number(pool, "printBoth", atoi(argument));
    return 0;
}

static int print_into_full_pipe(const char *argument)
{
    nwpool *pool;
    int done = 0;

    start_with_short_exit();
    pool = client_pool("tasks.js", 2);
    for (int i = 0; i < atoi(argument); i++) {
        done += client_number(pool, "print", 64) == 64 ? 1 : 0;
    }
    dprintf(REPORT_FD, "%d done\n", done);
    return 0;
}

static int closed_streams(const char *argument)
{
    nwpool *pool;

    (void)argument;
    client_expect("nw_runtime_start", nw_runtime_start(NULL), NW_OK);
    for (int fd = 0; fd < 3; fd++) {
        char path[32], file[64] = "nothing";

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, file, sizeof(file) - 1) < 0) {
            continue;
        }
        dprintf(REPORT_FD, "%d: %s %x\n", fd, file,
                (unsigned)fcntl(fd, F_GETFD));
    }
    pool = client_pool("tasks.js", 2);
    for (int i = 0; i < 10; i++) {
        client_number(pool, "printBoth", 10);
        client_number(pool, "everything", i);
    }
    client_expect("nwpool_destroy", nwpool_destroy(pool), NW_OK);
    client_expect("nw_runtime_stop", nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK);
    dprintf(REPORT_FD, "done\n");
    return 0;
}

// -- environment variables

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "(unset)";
}

static int environment(const char *argument)
{
    nwpool *pool = client_pool("tasks.js", 1);
    struct watch watch;
    nw_worker *worker = client_worker(
        &watch, "require('worker_threads').parentPort.postMessage("
                "`${typeof process.send} ${process.env.NODE_CHANNEL_FD} "
                "${process.env.NODE_OPTIONS}`)");
    char *text = client_text(pool, "ipc", 0);

    (void)argument;
    client_await(&watch, NW_WORKER_EXIT, 1);
    dprintf(REPORT_FD, "task: %s\nworker: %s\n", text, watch.text);
    dprintf(REPORT_FD, "host: %s %s %s %s\n", variable("NODE_CHANNEL_FD"),
            variable("NODE_UNIQUE_ID"), variable("NODE_OPTIONS"),
            variable("NODE_V8_COVERAGE"));
    dprintf(REPORT_FD, "fd 3: %x %x\n", (unsigned)fcntl(3, F_GETFL),
            (unsigned)fcntl(3, F_GETFD));
    nw_worker_destroy(worker);
    free(text);
    nwpool_destroy(pool);
    client_expect("nw_runtime_stop", nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK);
    return 0;
}

// -- choice

static const struct {
    const char *name;
    int (*run)(const char *argument);
} modes[] = {
    {"return-busy", return_busy},
    {"exit-on-thread", exit_on_thread},
    {"exit-in-result-callback", exit_in_result_callback},
    {"exit-in-event-callback", exit_in_event_callback},
    {"underscore-exit", underscore_exit},
    {"return-stuck", return_stuck},
    {"return-stuck-with-buffered-text", return_stuck_with_buffered_text},
    {"return-while-starting", return_while_starting},
    {"exit-on-thread-after-stop", exit_on_thread_after_stop},
    {"destroy-after-the-guard", destroy_after_the_guard},
    {"destroy-before-the-guard", destroy_before_the_guard},
    {"fail-to-start", fail_to_start},
    {"destroy-stuck-pool", destroy_stuck_pool},
    {"destroy-stuck-worker", destroy_stuck_worker},
    {"print-and-report-flags", print_and_report_flags},
    {"print-in-worker", print_in_worker},
    {"print-in-task", print_in_task},
    {"print-into-full-pipe", print_into_full_pipe},
    {"closed-streams", closed_streams},
    {"environment", environment},
};

int main(int count, char **arguments)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (count > 1 && strcmp(arguments[1], modes[i].name) == 0) {
            return modes[i].run(count > 2 ? arguments[2] : "0");
        }
    }
    client_fail("no such mode");
}

// Goal: what belongs to the process stays the host's: signals, masks, limits,
// descriptors. Each test compares before and after.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/client.h"

// Tasks print, and nobody wants to read it here.
static void silence(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    dup2(null, 1);
    close(null);
}

TestSuite(host, .init = silence, .timeout = 60);

// Everything a worker does without asking for it, and most that it may do.
static void run_tasks(void)
{
    nwpool *pool = client_pool("tasks.js", 2);

    for (int i = 0; i < 10; i++) {
        cr_assert(eq(dbl, client_number(pool, "everything", i), i + 1));
    }
    cr_assert(eq(int, nwpool_destroy(pool), NW_OK));
}

// -- signal dispositions

#define SIGNALS 64

// As the kernel has it, also for the two that the C library hides.
struct disposition {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static void get_dispositions(struct disposition *out)
{
    for (int number = 1; number <= SIGNALS; number++) {
        cr_assert(eq(long,
                     syscall(SYS_rt_sigaction, number, NULL, &out[number - 1],
                             sizeof(uint64_t)),
                     0));
    }
}

static void handler(int number)
{
    (void)number;
}

// Handlers with flags and masks that could not come about by chance; some
// stay as they are, SIGPIPE in particular.
static void set_dispositions(void)
{
    static const int numbers[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                  SIGUSR1, SIGCHLD, SIGWINCH};
    struct sigaction action = {.sa_flags = SA_RESTART | SA_ONSTACK};

    action.sa_handler = handler;
    sigaddset(&action.sa_mask, SIGUSR2);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        cr_assert(eq(int, sigaction(numbers[i], &action, NULL), 0));
    }
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
}

static void expect_dispositions(const struct disposition *expected,
                                const char *when)
{
    struct disposition now[SIGNALS];

    get_dispositions(now);
    for (int i = 0; i < SIGNALS; i++) {
        cr_expect(memcmp(&now[i], &expected[i], sizeof(now[i])) == 0,
                  "signal %d is not what it was, %s", i + 1, when);
    }
}

static void expect_mask(const sigset_t *expected, const char *when)
{
    sigset_t now;

    pthread_sigmask(SIG_SETMASK, NULL, &now);
    for (int number = 1; number <= SIGNALS; number++) {
        cr_expect(sigismember(&now, number) == sigismember(expected, number),
                  "signal %d is not blocked as it was, %s", number, when);
    }
}

Test(host, signal_dispositions_and_mask_stay)
{
    struct disposition before[SIGNALS];
    sigset_t mask;

    set_dispositions();
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigaddset(&mask, SIGRTMIN + 3);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    get_dispositions(before);

    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    expect_dispositions(before, "after start");
    expect_mask(&mask, "after start");

    run_tasks();
    expect_dispositions(before, "after tasks");
    expect_mask(&mask, "after tasks");

    cr_assert(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    expect_dispositions(before, "after stop");
    expect_mask(&mask, "after stop");
}

// libuv takes SIGCHLD while a task waits for a child process, and does not
// give it back. Nothing can be done about that, but it is all that it takes.
Test(host, child_process_in_a_task_takes_sigchld_and_nothing_else)
{
    struct disposition before[SIGNALS], after[SIGNALS];
    nwpool *pool;
    char *status;

    set_dispositions();
    get_dispositions(before);
    pool = client_pool("tasks.js", 1);
    status = client_text(pool, "child", 0);
    nwpool_destroy(pool);
    get_dispositions(after);

    after[SIGCHLD - 1] = before[SIGCHLD - 1];
    cr_expect(memcmp(before, after, sizeof(before)) == 0);

    // Nor does the child see that our threads block signals.
    cr_expect(strstr(status, "SigBlk:\t0000000000000000\n") != NULL, "%s",
              status);
    free(status);
}

// -- who takes a signal

static volatile sig_atomic_t taken_by;
static volatile sig_atomic_t taken_count;

static void take(int number)
{
    (void)number;
    taken_by = (sig_atomic_t)syscall(SYS_gettid);
    taken_count++;
}

static const int handled[] = {SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGPIPE};

#define HANDLED (sizeof(handled) / sizeof(handled[0]))

static void block_handled(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < HANDLED; i++) {
        sigaddset(&set, handled[i]);
    }
    pthread_sigmask(how, &set, NULL);
}

// While the only thread of the host blocks them they stay pending, which they
// would not if one of ours could take them.
Test(host, handlers_of_the_host_run_on_its_own_thread)
{
    nwpool *pool = client_pool("tasks.js", 2);
    struct sigaction action = {0};
    sigset_t pending;

    action.sa_handler = take;
    for (size_t i = 0; i < HANDLED; i++) {
        sigaction(handled[i], &action, NULL);
    }
    cr_assert(eq(dbl, client_number(pool, "everything", 1), 2));
    client_keep_busy(pool, "hash");

    block_handled(SIG_BLOCK);
    for (size_t i = 0; i < HANDLED; i++) {
        kill(getpid(), handled[i]);
    }
    cr_assert(eq(dbl, client_number(pool, "everything", 1), 2));
    sigpending(&pending);
    for (size_t i = 0; i < HANDLED; i++) {
        cr_expect(sigismember(&pending, handled[i]) == 1,
                  "signal %d was taken by a thread of the library", handled[i]);
    }
    cr_expect(eq(int, taken_count, 0));

    block_handled(SIG_UNBLOCK);
    cr_expect(eq(int, taken_count, (int)HANDLED));
    cr_expect(eq(int, taken_by, (int)syscall(SYS_gettid)));
    nwpool_destroy(pool);
}

// The value of a line of /proc/self/task/<thread>/status, or 0.
static uint64_t status_hex(const char *thread, const char *key)
{
    char path[300], line[256];
    uint64_t value = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            value = strtoull(line + strlen(key), NULL, 16);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return value;
}

Test(host, no_thread_but_the_hosts_takes_asynchronous_signals)
{
    nwpool *pool = client_pool("tasks.js", 2);
    DIR *tasks;
    struct dirent *entry;
    int seen = 0;

    cr_assert(eq(dbl, client_number(pool, "everything", 1), 2));
    tasks = opendir("/proc/self/task");
    while ((entry = readdir(tasks)) != NULL) {
        uint64_t blocked = status_hex(entry->d_name, "SigBlk:");

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid()) {
            continue;
        }
        seen++;
        for (int number = 1; number <= SIGNALS; number++) {
            switch (number) {
            case SIGSEGV: // What a thread must take itself,
            case SIGBUS:
            case SIGFPE:
            case SIGILL:
            case SIGTRAP:
            case SIGSYS:
            case SIGABRT:
            case SIGPROF: // what profilers send to each,
            case SIGKILL: // and what cannot be blocked.
            case SIGSTOP:
            case 32:
            case 33:
                break;
            default:
                cr_expect(blocked >> (number - 1) & 1,
                          "thread %s takes signal %d", entry->d_name, number);
            }
        }
    }
    closedir(tasks);
    // Control, events, results, two workers, V8's four and libuv's four.
    cr_expect(ge(int, seen, 9));
    nwpool_destroy(pool);
}

// -- SIGPIPE

Test(host, worker_that_writes_to_a_closed_pipe_gets_epipe)
{
    nwpool *pool = client_pool("tasks.js", 1);
    int ends[2];
    char *text;

    signal(SIGPIPE, SIG_DFL);
    cr_assert(eq(int, pipe(ends), 0));
    close(ends[0]);

    text = client_text(pool, "brokenPipe", ends[1]);
    cr_expect(eq(str, text, "Error EPIPE EPIPE: broken pipe, write"));
    free(text);
    text = client_text(pool, "brokenPipeAsync", ends[1]);
    cr_expect(eq(str, text, "EPIPE"));
    free(text);

    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    close(ends[0]);
    text = client_text(pool, "brokenSocket", ends[1]);
    cr_expect(eq(str, text, "EPIPE"));
    free(text);
    nwpool_destroy(pool);
}

// -- limits

Test(host, resource_limits_stay)
{
    struct rlimit files = {512, 512};
    struct rlimit before[RLIM_NLIMITS], after;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = 512;
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &files), 0));
    for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
        getrlimit(i, &before[i]);
    }
    run_tasks();
    for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
        getrlimit(i, &after);
        cr_expect(after.rlim_cur == before[i].rlim_cur &&
                      after.rlim_max == before[i].rlim_max,
                  "resource limit %d changed", i);
    }
    getrlimit(RLIMIT_NOFILE, &after);
    cr_expect(eq(ulong, after.rlim_cur, 512));
}

// -- descriptors

#define DESCRIPTORS 1024

static int list_descriptors(char list[DESCRIPTORS][64])
{
    int count = 0;

    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        char path[64];
        ssize_t size;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        size = readlink(path, list[fd], sizeof(list[fd]) - 1);
        list[fd][size > 0 ? size : 0] = '\0';
        count += size > 0 ? 1 : 0;
    }
    return count;
}

// After a stop the descriptors are those from before the start. The first use
// of libuv opens two ends of a pipe for signals, and its destructor closes
// them when the process ends; there is no earlier way to do so.
Test(host, descriptors_are_closed_after_stop)
{
    static char before[DESCRIPTORS][64], after[DESCRIPTORS][64];
    int left = 0;

    list_descriptors(before);
    run_tasks();
    cr_assert(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    list_descriptors(after);
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (strcmp(before[fd], after[fd]) != 0) {
            left++;
            cr_expect(before[fd][0] == '\0' &&
                          strncmp(after[fd], "pipe:", 5) == 0,
                      "descriptor %d was \"%s\" and is \"%s\"", fd, before[fd],
                      after[fd]);
        }
    }
    cr_expect(le(int, left, 2));
}

// What the library opens is not handed on to programs that the host starts.
Test(host, descriptors_of_the_library_are_close_on_exec)
{
    static char before[DESCRIPTORS][64], during[DESCRIPTORS][64];
    nwpool *pool;
    int opened = 0;

    list_descriptors(before);
    pool = client_pool("tasks.js", 1);
    cr_assert(eq(dbl, client_number(pool, "everything", 1), 2));
    list_descriptors(during);
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (before[fd][0] == '\0' && during[fd][0] != '\0') {
            opened++;
            cr_expect(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
        }
    }
    cr_expect(gt(int, opened, 0));
    nwpool_destroy(pool);
}

// -- threads

Test(host, threads_have_names_and_end_with_the_runtime)
{
    nwpool *pool = client_pool("tasks.js", 2);

    cr_assert(eq(dbl, client_number(pool, "increment", 1), 2));
    // V8's threads are started by the control thread and carry its name.
    cr_expect(ge(int, client_threads_named("nwpool-control"), 5));
    // One of them has run the task, the other may still be starting.
    cr_expect(ge(int,
                 client_threads_named("nwpool-w1") +
                     client_threads_named("nwpool-w2"),
                 1));
    cr_expect(eq(int, client_threads_named("nwpool-output"), 1));
    cr_expect(eq(int, client_threads_named("nwpool-events"), 1));
    cr_expect(eq(int, client_threads_named("nwpool-results"), 1));

    nwpool_destroy(pool);
    cr_expect(eq(int, client_threads_named("nwpool-results"), 0));
    cr_expect(eq(int, client_threads_named("nwpool-w1"), 0));
    cr_expect(eq(int, client_threads_named("nwpool-w2"), 0));
    cr_assert(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, client_threads_named("nwpool-control"), 0));
    cr_expect(eq(int, client_threads_named("nwpool-events"), 0));
    cr_expect(eq(int, client_threads_named("nwpool-output"), 0));
}

// -- everything else that a process has one of

struct process {
    char locale[64];
    char directory[256];
    char command[256];
    char name[16];
    mode_t mask;
    int dumpable;
    int priority;
    int policy;
};

static void read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, size - 1);

    text[got > 0 ? got : 0] = '\0';
    close(fd);
}

static void get_process(struct process *out)
{
    memset(out, 0, sizeof(*out));
    snprintf(out->locale, sizeof(out->locale), "%s", setlocale(LC_ALL, NULL));
    cr_assert(getcwd(out->directory, sizeof(out->directory)) != NULL);
    read_file("/proc/self/cmdline", out->command, sizeof(out->command));
    pthread_getname_np(pthread_self(), out->name, sizeof(out->name));
    out->mask = umask(0);
    umask(out->mask);
    out->dumpable = prctl(PR_GET_DUMPABLE);
    out->priority = getpriority(PRIO_PROCESS, 0);
    out->policy = sched_getscheduler(0);
}

Test(host, locale_umask_directory_names_and_priority_stay)
{
    struct process before, after;

    setlocale(LC_ALL, "C.UTF-8");
    umask(0137);
    cr_assert(eq(int, chdir("/usr"), 0));
    get_process(&before);
    run_tasks();
    cr_assert(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    get_process(&after);

    cr_expect(eq(str, after.locale, before.locale));
    cr_expect(eq(str, after.directory, before.directory));
    cr_expect(eq(str, after.command, before.command));
    cr_expect(eq(str, after.name, before.name));
    cr_expect(memcmp(&before, &after, sizeof(before)) == 0);
}

// -- WebAssembly without a SIGSEGV handler

Test(host, wasm_access_out_of_bounds_is_a_runtime_error)
{
    nwpool *pool = client_pool("tasks.js", 1);
    char *text = client_text(pool, "wasmOutOfBounds", 0);

    cr_expect(eq(str, text, "RuntimeError  memory access out of bounds"));
    free(text);
    nwpool_destroy(pool);
}

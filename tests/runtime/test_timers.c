// Goal: the timers' thread ends with Node.js, is not there in a fork() child,
// and holds up no end of the process.

#include <semaphore.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/timers.h"
#include "tests/runtime/client.h"
#include "tests/runtime/process.h"

#define HOUR_NS         (3600 * 1000 * NW__NS_PER_MS)
#define EXIT_TIMEOUT_MS 300

TestSuite(timers, .timeout = 60);

static struct nw__timer timer;
static sem_t running;
static int ends[2]; // Of a pipe.

static void set(void (*run)(struct nw__timer *timer), uint64_t deadline_ns)
{
    nw__timer_init(&timer, run);
    client_expect("nw__timer_set", nw__timer_set(&timer, deadline_ns), NW_OK);
}

static void run_nothing(struct nw__timer *unused)
{
    (void)unused;
}

Test(timers, end_with_the_runtime)
{
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    cr_expect(eq(int, client_threads_named("nwpool-timers"), 0));
    set(run_nothing, nw__now_ns() + HOUR_NS);
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, client_threads_named("nwpool-timers"), 0));
    cr_expect(eq(int, nw__timer_set(&timer, 0), NW_ESTOPPED));
    cr_expect(nw__timer_cancel_wait(&timer));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

static void run_until_read(struct nw__timer *unused)
{
    char byte;

    (void)unused;
    sem_post(&running);
    while (read(ends[0], &byte, 1) != 1) {
    }
}

Test(timers, stop_waits_for_one_that_runs)
{
    cr_assert(eq(int, pipe(ends), 0));
    sem_init(&running, 0, 0);
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    set(run_until_read, 0);
    sem_wait(&running);
    cr_expect(eq(int, nw_runtime_stop(100), NW_ETIMEDOUT));
    cr_assert(eq(long, write(ends[1], "x", 1), 1));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, client_threads_named("nwpool-timers"), 0));
}

// -- fork()

// Status with which `child` ended; -1 for anything but exit().
static int end_of(pid_t child)
{
    int status = wait_child(child, 5000);

    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void use_in_child(void)
{
    client_expect("nw__timer_set", nw__timer_set(&timer, 0), NW_EFORKED);
    if (nw__timer_cancel(&timer) || nw__timer_cancel_wait(&timer)) {
        client_fail("a timer of the parent was cancelled");
    }
    exit(7);
}

static void run_again(struct nw__timer *again)
{
    nw__timer_set(again, 0);
}

// Twenty, because the lock is held at random moments.
Test(timers, nothing_is_set_in_a_fork_child)
{
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    set(run_again, 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();

        if (child == 0) {
            use_in_child();
        }
        cr_expect(eq(int, end_of(child), 7));
    }
    nw__timer_cancel_wait(&timer);
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

static int child_status;

static void run_fork(struct nw__timer *unused)
{
    pid_t child = fork();

    (void)unused;
    if (child == 0) {
        use_in_child();
    }
    child_status = end_of(child);
    sem_post(&running);
}

Test(timers, may_fork)
{
    sem_init(&running, 0, 0);
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    set(run_fork, 0);
    sem_wait(&running);
    cr_expect(eq(int, child_status, 7));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

// -- the end of the process, which is a child that starts its own Node.js

static void start_in_child(void)
{
    nw_runtime_options options = {
        .struct_size = sizeof(options),
        .exit_timeout_ms = EXIT_TIMEOUT_MS,
    };

    sem_init(&running, 0, 0);
    client_expect("nw_runtime_start", nw_runtime_start(&options), NW_OK);
}

static void run_write(struct nw__timer *unused)
{
    (void)unused;
    sem_post(&running);
    usleep(50000);
    if (write(ends[1], "x", 1) != 1) {
        client_fail("no byte was written");
    }
}

Test(timers, exit_waits_for_one_that_runs)
{
    char byte = '?';
    pid_t child;

    cr_assert(eq(int, pipe(ends), 0));
    child = fork();
    if (child == 0) {
        start_in_child();
        set(run_write, 0);
        sem_wait(&running);
        exit(11);
    }
    close(ends[1]);
    cr_expect(eq(int, end_of(child), 11));
    cr_expect(eq(long, read(ends[0], &byte, 1), 1));
}

static void run_for_ever(struct nw__timer *unused)
{
    (void)unused;
    sem_post(&running);
    for (;;) {
        pause();
    }
}

Test(timers, exit_does_not_wait_for_ever)
{
    uint64_t begin_ms = client_now_ms();
    pid_t child = fork();

    if (child == 0) {
        start_in_child();
        set(run_for_ever, 0);
        sem_wait(&running);
        exit(12);
    }
    cr_expect(eq(int, end_of(child), 12));
    cr_expect(ge(u64, client_now_ms() - begin_ms, EXIT_TIMEOUT_MS));
}

static void run_exit(struct nw__timer *unused)
{
    (void)unused;
    exit(13);
}

Test(timers, exit_is_called_in_a_timer)
{
    pid_t child = fork();

    if (child == 0) {
        start_in_child();
        set(run_exit, 0);
        for (;;) {
            pause();
        }
    }
    cr_expect(eq(int, end_of(child), 13));
}

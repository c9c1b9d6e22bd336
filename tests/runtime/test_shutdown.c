// Goal: whatever workers do, ending them takes a bounded time, and nothing is
// heard of them afterwards.

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/client.h"
#include "tests/runtime/process.h"

TestSuite(shutdown, .timeout = 60);

// -- what can be interrupted ends at once

#define AT_ONCE_MS 3000 // Far below the time-outs, far above what it takes.

Test(shutdown, pool_with_busy_workers_is_destroyed_at_once)
{
    nwpool *pool = client_pool("tasks.js", 2);
    uint64_t begin_ms;

    client_keep_busy(pool, "spin");
    client_keep_busy(pool, "hash");
    begin_ms = client_now_ms();
    cr_expect(eq(int, nwpool_destroy(pool), NW_OK));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(lt(u64, client_now_ms() - begin_ms, AT_ONCE_MS));
}

static void expect_destroyed_at_once(const char *source)
{
    struct watch watch;
    nw_worker *worker = client_worker(&watch, source);
    uint64_t begin_ms;

    client_await(&watch, NW_WORKER_MESSAGE, 1);
    begin_ms = client_now_ms();
    cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
    cr_expect(lt(u64, client_now_ms() - begin_ms, AT_ONCE_MS));
    cr_expect(eq(u32, watch.count[NW_WORKER_EXIT], 1));
    cr_expect(eq(int, watch.exit_code, 1));
}

#define SAY "require('worker_threads').parentPort.postMessage('');"

Test(shutdown, worker_in_an_endless_loop_is_destroyed_at_once)
{
    expect_destroyed_at_once(SAY "for (;;);");
}

Test(shutdown, worker_in_atomics_wait_is_destroyed_at_once)
{
    expect_destroyed_at_once(
        SAY "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);");
}

Test(shutdown, worker_that_waits_for_messages_is_destroyed_at_once)
{
    expect_destroyed_at_once(
        SAY "require('worker_threads').parentPort.on('message', () => 0);");
}

Test(shutdown, worker_that_ignores_everything_is_destroyed_at_once)
{
    expect_destroyed_at_once(
        SAY "process.on('exit', () => { for (;;); });"
            "for (;;) { try { for (;;); } finally { for (;;); } }");
}

// Not started yet, or just about to be.
Test(shutdown, workers_are_destroyed_as_soon_as_created)
{
    for (int i = 0; i < 20; i++) {
        struct watch watch;
        nw_worker *worker = client_worker(&watch, "for (;;);");

        cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
        cr_expect(eq(u32, watch.count[NW_WORKER_EXIT], 1));
    }
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

// -- what cannot be interrupted is left behind

// "<what> <status> after <ms>" as the host reports it.
static void expect_call(const struct outcome *outcome, const char *what,
                        const char *expected, unsigned long least_ms,
                        unsigned long most_ms)
{
    const char *line = strstr(outcome->err, what);
    char status[32] = "";
    unsigned long took_ms = 0;

    cr_assert(line != NULL, "%s", outcome_text(outcome));
    cr_expect(eq(
        int, sscanf(line + strlen(what), " %31s after %lu", status, &took_ms),
        2));
    cr_expect(eq(str, status, (char *)expected), "%s", what);
    cr_expect(took_ms >= least_ms && took_ms < most_ms, "%s took %lu ms", what,
              took_ms);
}

// 5 s for the object, 200 ms for the stop, 300 ms for the guard at exit.
static void expect_left_behind(const char *mode, const char *what)
{
    struct outcome outcome = run_host(mode, "6");

    cr_expect(eq(int, outcome.status, 6), "%s", outcome_text(&outcome));
    expect_call(&outcome, what, "NW_EWEDGED", NW_POOL_DESTROY_TIMEOUT_MS - 10,
                NW_POOL_DESTROY_TIMEOUT_MS + 2000);
    expect_call(&outcome, "nw_runtime_stop", "NW_ETIMEDOUT", 190, 2000);
    cr_expect(lt(u64, outcome.took_ms, 10000));
    cr_expect(strstr(outcome.err, "canceled 1\n") != NULL ||
                  strcmp(mode, "destroy-stuck-worker") == 0,
              "%s", outcome_text(&outcome));
}

Test(shutdown, pool_with_a_stuck_worker_is_destroyed_in_bounded_time)
{
    expect_left_behind("destroy-stuck-pool", "nwpool_destroy");
}

Test(shutdown, stuck_worker_is_destroyed_in_bounded_time)
{
    expect_left_behind("destroy-stuck-worker", "nw_worker_destroy");
}

// -- silence afterwards

struct chatter {
    atomic_uint events;
    atomic_bool destroyed;
    atomic_uint late;
};

static void count_event(const nw_worker_event *event, void *user_data)
{
    struct chatter *chatter = user_data;

    (void)event;
    atomic_fetch_add(&chatter->events, 1);
    if (atomic_load(&chatter->destroyed)) {
        atomic_fetch_add(&chatter->late, 1);
    }
}

Test(shutdown, no_event_comes_after_destroy)
{
    struct chatter chatter = {0};
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "const { parentPort } = require('worker_threads');"
                  "for (;;) { parentPort.postMessage('chatter'); }",
        .on_event = count_event,
        .user_data = &chatter,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    while (atomic_load(&chatter.events) < 100) {
        sched_yield();
    }
    cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
    atomic_store(&chatter.destroyed, true);
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(u32, atomic_load(&chatter.late), 0));
}

static sem_t released;
static atomic_bool returned;

static void wait_for_release(const nw_worker_event *event, void *user_data)
{
    atomic_uint *calls = user_data;

    (void)event;
    atomic_fetch_add(calls, 1);
    while (sem_wait(&released) != 0) {
    }
    atomic_store(&returned, true);
}

static void *release_after_the_timeout(void *unused)
{
    usleep((NW_WORKER_DESTROY_TIMEOUT_MS + 300) * 1000);
    sem_post(&released);
    return unused;
}

// Destroy does not wait for a worker any longer than it says. But a callback
// that runs may use what the caller frees next, so that is waited for.
Test(shutdown, destroy_waits_for_a_callback_that_runs)
{
    atomic_uint calls = 0;
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "0",
        .on_event = wait_for_release,
        .user_data = &calls,
    };
    nw_worker *worker;
    pthread_t thread;

    sem_init(&released, 0, 0);
    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    while (atomic_load(&calls) == 0) {
        sched_yield();
    }
    pthread_create(&thread, NULL, release_after_the_timeout, NULL);
    cr_expect(eq(int, nw_worker_destroy(worker), NW_EWEDGED));
    cr_expect(atomic_load(&returned));
    pthread_join(thread, NULL);
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(u32, atomic_load(&calls), 1));
}

// -- misuse: waiting for oneself

static void on_event_stop(const nw_worker_event *event, void *user_data)
{
    (void)event;
    (void)user_data;
    nw_runtime_stop(1000);
}

Test(shutdown, runtime_stopped_in_a_callback_aborts, .signal = SIGABRT)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "0",
        .on_event = on_event_stop,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    pause();
}

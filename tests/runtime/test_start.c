// Goal: Node.js starts once in a process, whoever asks, stops once, and every
// other wish is answered with a status and not with an abort.

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/client.h"

TestSuite(start, .timeout = 60);

static nw_status create_pool(nwpool **pool)
{
    nwpool_options options = {
        .struct_size = sizeof(options),
        .module = client_fixture("tasks.js"),
        .workers = 1,
    };

    return nwpool_create(pool, &options);
}

static nw_status create_worker(nw_worker **worker)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "0",
    };

    return nw_worker_create(worker, &options);
}

// -- how often

Test(start, second_start_says_already)
{
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_NEW));
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_RUNNING));

    cr_expect(eq(int, nw_runtime_start(NULL), NW_EALREADY));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_RUNNING));
    cr_expect(eq(str, (char *)nw_runtime_error(), ""));
}

Test(start, first_pool_starts_it)
{
    nwpool *pool = client_pool("tasks.js", 1);

    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_RUNNING));
    cr_expect(eq(int, nw_runtime_start(NULL), NW_EALREADY));
    cr_expect(eq(dbl, client_number(pool, "increment", 1), 2));
    nwpool_destroy(pool);
}

Test(start, nothing_starts_after_stop)
{
    nwpool *pool;
    nw_worker *worker;

    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    cr_assert(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_STOPPED));

    cr_expect(eq(int, nw_runtime_start(NULL), NW_ESTOPPED));
    cr_expect(eq(int, create_pool(&pool), NW_ESTOPPED));
    cr_expect(eq(ptr, pool, NULL));
    cr_expect(eq(int, create_worker(&worker), NW_ESTOPPED));
    cr_expect(eq(ptr, worker, NULL));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

Test(start, stop_of_what_never_ran_is_final)
{
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_STOPPED));
    cr_expect(eq(int, nw_runtime_start(NULL), NW_ESTOPPED));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

Test(start, stop_without_time_can_be_repeated)
{
    nw_status status;

    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    status = nw_runtime_stop(0);
    cr_expect(status == NW_OK || status == NW_ETIMEDOUT);
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_STOPPED));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

Test(start, stop_with_a_pool_left_is_busy)
{
    nwpool *pool = client_pool("tasks.js", 1);

    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_EBUSY));
    cr_expect(eq(dbl, client_number(pool, "increment", 1), 2));

    cr_expect(eq(int, nwpool_destroy(pool), NW_OK));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

Test(start, stop_with_a_worker_left_is_busy)
{
    struct watch watch;
    nw_worker *worker = client_worker(
        &watch, "require('worker_threads').parentPort.once('message', "
                "() => 0)");

    client_await(&watch, NW_WORKER_ONLINE, 1);
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_EBUSY));

    cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
    cr_expect(eq(u32, watch.count[NW_WORKER_EXIT], 1));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

// A worker that ended by itself holds nothing up, destroyed or not.
Test(start, stop_with_an_ended_worker_is_fine)
{
    struct watch watch;
    nw_worker *worker = client_worker(&watch, "process.exitCode = 4");

    client_await(&watch, NW_WORKER_EXIT, 1);
    cr_expect(eq(int, watch.exit_code, 4));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
}

// -- from several threads

#define THREADS 8

static pthread_barrier_t barrier;
static nw_status statuses[THREADS];
static nwpool *pools[THREADS];

static void run_threads(int count, void *(*body)(void *))
{
    pthread_t threads[THREADS];

    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (intptr_t i = 0; i < count; i++) {
        cr_assert(
            eq(int, pthread_create(&threads[i], NULL, body, (void *)i), 0));
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
}

static int count_of(nw_status status, int count)
{
    int found = 0;

    for (int i = 0; i < count; i++) {
        found += statuses[i] == status ? 1 : 0;
    }
    return found;
}

static void *start_body(void *data)
{
    pthread_barrier_wait(&barrier);
    statuses[(intptr_t)data] = nw_runtime_start(NULL);
    return NULL;
}

Test(start, of_two_threads_one_starts_it)
{
    run_threads(2, start_body);
    cr_expect(eq(int, count_of(NW_OK, 2), 1));
    cr_expect(eq(int, count_of(NW_EALREADY, 2), 1));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_RUNNING));
}

static void *pool_body(void *data)
{
    intptr_t i = (intptr_t)data;

    pthread_barrier_wait(&barrier);
    statuses[i] = create_pool(&pools[i]);
    if (statuses[i] == NW_OK) {
        client_number(pools[i], "increment", 1);
        statuses[i] = nwpool_destroy(pools[i]);
    }
    return NULL;
}

Test(start, eight_threads_create_pools_at_once)
{
    run_threads(THREADS, pool_body);
    cr_expect(eq(int, count_of(NW_OK, THREADS), THREADS));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

static void *stop_body(void *data)
{
    pthread_barrier_wait(&barrier);
    statuses[(intptr_t)data] = nw_runtime_stop(CLIENT_TIMEOUT_MS);
    return NULL;
}

Test(start, of_eight_threads_that_stop_it_all_see_it_stopped)
{
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    run_threads(THREADS, stop_body);
    cr_expect(eq(int, count_of(NW_OK, THREADS), THREADS));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_STOPPED));
}

static void *start_or_stop_body(void *data)
{
    intptr_t i = (intptr_t)data;

    if (i == 0) {
        statuses[i] = nw_runtime_start(NULL);
        return NULL;
    }
    while (client_threads_named("nwpool-control") == 0) {
        sched_yield();
    }
    statuses[i] = nw_runtime_stop(CLIENT_TIMEOUT_MS);
    return NULL;
}

Test(start, stop_during_start_waits_for_it_and_stops_it)
{
    run_threads(2, start_or_stop_body);
    cr_expect(eq(int, statuses[0], NW_OK));
    cr_expect(eq(int, statuses[1], NW_OK));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_STOPPED));
}

static void *worker_body(void *data)
{
    intptr_t i = (intptr_t)data;
    nw_worker *worker;

    pthread_barrier_wait(&barrier);
    if (i == 0) {
        do {
            statuses[i] = nw_runtime_stop(CLIENT_TIMEOUT_MS);
        } while (statuses[i] == NW_EBUSY);
        return NULL;
    }
    do {
        statuses[i] = create_worker(&worker);
        if (statuses[i] == NW_OK) {
            statuses[i] = nw_worker_destroy(worker);
        }
    } while (statuses[i] == NW_OK);
    return NULL;
}

// Three threads make and destroy workers until a fourth has found a moment
// without one.
Test(start, stop_against_creation_of_workers_ends_in_stopped)
{
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));
    run_threads(4, worker_body);
    cr_expect(eq(int, statuses[0], NW_OK));
    cr_expect(eq(int, count_of(NW_ESTOPPED, 4), 3));
}

// -- settings

Test(start, wrong_settings_change_nothing)
{
    nw_runtime_options threads = {
        .struct_size = sizeof(threads),
        .platform_threads = 65,
    };
    struct {
        nw_runtime_options known;
        uint64_t unknown;
    } newer = {.known = {.struct_size = sizeof(newer)}, .unknown = 1};
    nw_runtime_options none = {0};

    cr_expect(eq(int, nw_runtime_start(&threads), NW_EINVAL));
    cr_expect(eq(int, nw_runtime_start(&newer.known), NW_EINVAL));
    cr_expect(eq(int, nw_runtime_start(&none), NW_EINVAL));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_NEW));
    cr_expect(eq(int, nw_runtime_start(NULL), NW_OK));
}

Test(start, node_options_reach_workers)
{
    const char *const list[] = {"--stack-trace-limit=3", NULL};
    nw_runtime_options options = {
        .struct_size = sizeof(options),
        .node_options = list,
    };
    nwpool *pool;

    cr_assert(eq(int, nw_runtime_start(&options), NW_OK));
    pool = client_pool("tasks.js", 1);
    cr_expect(eq(dbl, client_number(pool, "stackLimit", 0), 3));
    nwpool_destroy(pool);
}

Test(start, bad_node_option_is_reported_and_the_process_lives)
{
    const char *const list[] = {"--no-such-option", NULL};
    nw_runtime_options options = {
        .struct_size = sizeof(options),
        .node_options = list,
    };
    nwpool *pool;

    cr_expect(eq(int, nw_runtime_start(&options), NW_ENODE));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_FAILED));
    cr_expect(eq(str, (char *)nw_runtime_error(),
                 "Node.js could not start: bad option: --no-such-option"));

    cr_expect(eq(int, nw_runtime_start(NULL), NW_ENODE));
    cr_expect(eq(int, create_pool(&pool), NW_ENODE));
    cr_expect(eq(ptr, pool, NULL));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_FAILED));
}

// A host that has used up its descriptors: Node.js would abort it.
Test(start, too_few_descriptors_are_reported_and_the_process_lives)
{
    struct rlimit limit, few;
    int highest = dup(0);

    getrlimit(RLIMIT_NOFILE, &limit);
    few = limit;
    few.rlim_cur = (rlim_t)highest + 8;
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &few), 0));
    cr_expect(eq(int, nw_runtime_start(NULL), NW_ENODE));
    setrlimit(RLIMIT_NOFILE, &limit);

    cr_expect(strstr(nw_runtime_error(), "it needs 24 file descriptors") !=
                  NULL,
              "%s", nw_runtime_error());
    cr_expect(eq(int, dup(0), highest + 1), "a descriptor was left open");
}

Test(start, empty_environment_is_fine)
{
    nwpool *pool;

    clearenv();
    pool = client_pool("tasks.js", 1);
    cr_expect(eq(dbl, client_number(pool, "increment", 1), 2));
    cr_expect(getenv("PATH") == NULL);
    nwpool_destroy(pool);
}

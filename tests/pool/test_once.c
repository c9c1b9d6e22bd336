// Goal: every accepted task ends exactly once, with its own result, whoever
// submits and however full the queue is.

#include "tests/pool/support.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

TestSuite(once, .init = test_init, .fini = test_fini, .timeout = SUITE_TIMEOUT);

#define THREADS 8
#define TASKS   100000

// Ids are handed out one after the other, and nothing else runs here.
static atomic_uchar id_seen[TASKS + 1];
static atomic_uchar ended[TASKS];

static struct {
    nwpool *pool;
    atomic_int next;
    atomic_int wrong;
    atomic_int full;
    atomic_bool broken; // Something that cannot be gone on with.
} shared;

static void check(const nw_result *result, long i)
{
    uint64_t id = result->task.value;
    bool right = result->status == NW_OK && id >= 1 && id <= TASKS &&
                 nw_value_get_number(result->value) == (double)(i + 1);

    atomic_fetch_add(&shared.wrong, !right);
    if (id <= TASKS) {
        atomic_fetch_add(&id_seen[id], 1);
    }
    atomic_fetch_add(&ended[i], 1);
}

static void on_done(const nw_result *result, void *user_data)
{
    check(result, (long)((atomic_uchar *)user_data - ended));
}

static nw_status submit_number(long i, bool wait, nw_task_id *task)
{
    nw_doc *arguments = nw_doc_create();
    const nw_value *argument = nw_value_number(arguments, (double)i);
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = i % 7 == 0 ? "incLater" : "inc",
        .arguments = &argument,
        .argument_count = 1,
        .on_done = wait ? NULL : on_done,
        .user_data = &ended[i],
    };
    nw_status status = nwpool_submit(shared.pool, &spec, task);

    nw_doc_destroy(arguments);
    return status;
}

static void run_one(long i, bool wait)
{
    nw_result *result;
    nw_task_id task;
    nw_status status;

    while ((status = submit_number(i, wait, &task)) == NW_EFULL) {
        atomic_fetch_add(&shared.full, 1);
        sched_yield();
    }
    if (status != NW_OK) {
        atomic_store(&shared.broken, true);
        return;
    }
    if (wait) {
        if (nwpool_wait(shared.pool, task, DEADLINE_MS, &result) == NW_OK) {
            check(result, i);
            nwpool_result_free(result);
        }
    }
}

// Half of the threads submit by callback, the others now and then wait.
static void *submit_many(void *argument)
{
    bool waits = (uintptr_t)argument % 2 == 1;
    int i;

    while ((i = atomic_fetch_add(&shared.next, 1)) < TASKS &&
           !atomic_load(&shared.broken)) {
        run_one(i, waits && i % 10 == 0);
    }
    return NULL;
}

static void run_all(uint32_t queue_max)
{
    pthread_t threads[THREADS];

    shared.pool = pool_with(module_path("once.js"), 2, queue_max);
    for (uintptr_t i = 0; i < THREADS; i++) {
        cr_assert(eq(
            int, pthread_create(&threads[i], NULL, submit_many, (void *)i), 0));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect(not(atomic_load(&shared.broken)));
    drain(shared.pool);
    for (int i = 0; i < TASKS; i++) {
        cr_assert(eq(int, atomic_load(&ended[i]), 1), "task %d", i);
        cr_assert(eq(int, atomic_load(&id_seen[i + 1]), 1), "id %d", i + 1);
    }
    cr_expect(eq(int, atomic_load(&shared.wrong), 0));
    cr_expect(eq(u64, stats_of(shared.pool).submitted, TASKS));
    cr_expect(eq(u64, stats_of(shared.pool).done, TASKS));
    cr_expect(eq(u64, stats_of(shared.pool).failed, 0));
    destroy(shared.pool);
}

Test(once, a_hundred_thousand_tasks_of_eight_threads_end_once_each)
{
    run_all(0);
}

Test(once, a_hundred_thousand_tasks_pass_a_queue_that_is_always_full)
{
    run_all(32);
    cr_expect(gt(int, atomic_load(&shared.full), 0));
}

// -- submitting from callbacks

struct source {
    nwpool *pool;
    atomic_int left;
    atomic_int calls;
    atomic_int refused;
};

static void submit_two_more(const nw_result *result, void *user_data)
{
    struct source *source = user_data;
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "none",
        .on_done = submit_two_more,
        .user_data = source,
    };

    (void)result;
    atomic_fetch_add(&source->calls, 1);
    for (int i = 0; i < 2; i++) {
        if (atomic_fetch_sub(&source->left, 1) > 0) {
            atomic_fetch_add(&source->refused,
                             nwpool_submit(source->pool, &spec, NULL) != NW_OK);
        }
    }
}

Test(once, tasks_that_callbacks_submit_end_once_each)
{
    struct source source = {.pool = pool_of("once.js", 2)};
    nw_task_spec spec = {
        .function = "none", .on_done = submit_two_more, .user_data = &source};

    atomic_store(&source.left, 20000);
    cr_assert(eq(int, submit_spec(source.pool, spec, NULL), NW_OK));
    drain(source.pool);
    cr_expect(eq(int, atomic_load(&source.calls), 20001));
    cr_expect(eq(int, atomic_load(&source.refused), 0));
    destroy(source.pool);
}

// -- several pools

Test(once, pools_live_beside_each_other)
{
    enum { POOLS = 6, EACH = 1000 };
    static struct outcome outcomes[POOLS][EACH];
    nwpool *pools[POOLS];

    for (int p = 0; p < POOLS; p++) {
        pools[p] = pool_of(p % 2 == 0 ? "once.js" : "tasks.js", 1);
    }
    for (int i = 0; i < EACH; i++) {
        for (int p = 0; p < POOLS; p++) {
            cr_assert(eq(int,
                         submit_to(&outcomes[p][i], pools[p], "inc",
                                   number(p * EACH + i), NULL),
                         NW_OK));
        }
    }
    // One goes early; the others do not mind.
    drain(pools[2]);
    destroy(pools[2]);
    for (int p = 0; p < POOLS; p++) {
        if (p != 2) {
            drain(pools[p]);
            destroy(pools[p]);
        }
        for (int i = 0; i < EACH; i++) {
            cr_assert(eq(int, outcomes[p][i].calls, 1));
            cr_assert(eq(dbl, outcomes[p][i].number, p * EACH + i + 1));
        }
    }
}

static void *use_own_pool(void *argument)
{
    atomic_int *good = argument;
    nwpool_options options = {
        .struct_size = sizeof(options),
        .module = NW_TEST_MODULES "/once.js",
        .workers = 1,
    };
    nwpool *pool;

    // Without a word to anybody: the first one starts Node.js.
    if (nwpool_create(&pool, &options) == NW_OK) {
        nw_task_spec spec = {.struct_size = sizeof(spec), .function = "none"};
        nw_result *result;
        nw_task_id task;

        if (nwpool_submit(pool, &spec, &task) == NW_OK &&
            nwpool_wait(pool, task, DEADLINE_MS, &result) == NW_OK) {
            atomic_fetch_add(good, result->status == NW_OK);
            nwpool_result_free(result);
        }
        atomic_fetch_add(good, nwpool_destroy(pool) == NW_OK);
    }
    return NULL;
}

Test(once, threads_may_create_and_destroy_pools_at_the_same_time)
{
    pthread_t threads[THREADS];
    atomic_int good = 0;

    for (int i = 0; i < THREADS; i++) {
        cr_assert(
            eq(int, pthread_create(&threads[i], NULL, use_own_pool, &good), 0));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect(eq(int, atomic_load(&good), 2 * THREADS));
}

// -- all workers take part

Test(once, as_many_tasks_run_at_once_as_there_are_workers)
{
    nwpool *pool = pool_of("tasks.js", 3);
    struct outcome outcomes[3] = {0};
    struct gate gate;

    gate_init(&gate);
    for (int i = 0; i < 3; i++) {
        submit_to(&outcomes[i], pool, "hold", gate_started(&gate),
                  gate_release(&gate), NULL);
    }
    // None of them ends before all have started.
    for (int i = 0; i < 3; i++) {
        gate_wait(&gate);
    }
    cr_expect(eq(u64, stats_of(pool).running, 3));
    gate_let_go(&gate, 3);
    drain(pool);
    cr_expect(ne(u32, outcomes[0].worker, outcomes[1].worker));
    cr_expect(ne(u32, outcomes[1].worker, outcomes[2].worker));
    cr_expect(ne(u32, outcomes[0].worker, outcomes[2].worker));
    destroy(pool);
    gate_fini(&gate);
}

// A worker that took a batch of short tasks meets a long one in it: the other
// worker takes what waits behind.
Test(once, nothing_waits_behind_a_long_task_while_a_worker_is_idle)
{
    nwpool *pool = pool_of("tasks.js", 2);
    static struct outcome outcomes[500];
    struct outcome held = {0};
    struct gate gate;

    gate_init(&gate);
    for (int round = 0; round < 10; round++) {
        memset(outcomes, 0, sizeof(outcomes));
        for (int i = 0; i < 500; i++) {
            if (i == 250) {
                submit_to(&held, pool, "hold", gate_started(&gate),
                          gate_release(&gate), NULL);
            }
            submit_to(&outcomes[i], pool, "inc", number(i), NULL);
        }
        // All but the one that is held come to their end before it.
        eventually(stats_of(pool).waiting == 0 && stats_of(pool).running == 1);
        gate_wait(&gate);
        gate_let_go(&gate, 1);
        drain(pool);
        for (int i = 0; i < 500; i++) {
            cr_assert(eq(int, outcomes[i].calls, 1));
        }
    }
    cr_expect(eq(int, held.calls, 10));
    destroy(pool);
    gate_fini(&gate);
}

// Goal: tasks start in the order that their age and priority give, however many
// there are; some are for each worker; several share one worker.

#include "tests/pool/support.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(priorities, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

static struct gate gate;
static int notes[2];

// A pool of one worker that is held.
static nwpool *held_pool(nwpool_options options)
{
    nwpool *pool;

    options.workers = 1;
    pool = pool_like("tasks.js", options);
    gate_init(&gate);
    cr_assert(eq(int, pipe(notes), 0));
    hold(pool, &gate);
    return pool;
}

static void done(const nw_result *result, void *user_data)
{
    char *order = user_data;

    expect_status(result->status, NW_OK);
    strcat(order, nw_value_get_string(result->value, NULL));
}

static void submit_named(nwpool *pool, const char *name, int priority,
                         char *order)
{
    const nw_value *argument = text(name);

    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = "echo",
                                             .arguments = &argument,
                                             .argument_count = 1,
                                             .on_done = done,
                                             .user_data = order,
                                             .priority = priority},
                              NULL),
                  NW_OK);
}

static void finish(nwpool *pool)
{
    gate_let_go(&gate, 1);
    drain(pool);
    destroy(pool);
    gate_fini(&gate);
    close(notes[0]);
    close(notes[1]);
}

Test(priorities, the_more_urgent_comes_first_and_equals_keep_their_order)
{
    char order[64] = "";
    nwpool *pool = held_pool((nwpool_options){.ageing_ms = 60000});

    submit_named(pool, "a", 0, order);
    submit_named(pool, "b", -8, order);
    submit_named(pool, "c", 7, order);
    submit_named(pool, "d", 0, order);
    submit_named(pool, "e", 7, order);
    submit_named(pool, "f", 3, order);
    submit_named(pool, "g", -8, order);
    submit_named(pool, "h", 0, order);
    finish(pool);
    expect_string(order, "cefadhbg");
}

Test(priorities, an_urgent_task_passes_any_number)
{
    char order[64] = "";
    nwpool *pool =
        held_pool((nwpool_options){.queue_max = 20000, .ageing_ms = 60000});

    for (int i = 0; i < 10000; i++) {
        struct outcome *none = NULL;

        submit(pool, "inc", number(i), NULL);
        (void)none;
    }
    submit_named(pool, "u", 1, order);
    gate_let_go(&gate, 1);
    eventually(order[0] != '\0');
    cr_expect(gt(u64, stats_of(pool).waiting + 1000, 10));
    destroy(pool);
    gate_fini(&gate);
    close(notes[0]);
    close(notes[1]);
}

// One step is worth so long a wait; so nothing waits for ever.
Test(priorities, age_makes_up_for_priority)
{
    char order[64] = "";
    nwpool *pool = held_pool((nwpool_options){.ageing_ms = 30});

    submit_named(pool, "old", 0, order);
    pause_ms(100);
    submit_named(pool, "one", 1, order);
    submit_named(pool, "six", 6, order);
    finish(pool);
    expect_string(order, "sixoldone");
}

Test(priorities, nonsense_is_refused_with_a_sentence)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_id id;

    expect_status(submit_spec(pool, (nw_task_spec){.priority = 8}, &id),
                  NW_EINVAL);
    expect_says(nw_status_detail(), "priority is 8");
    expect_status(submit_spec(pool, (nw_task_spec){.priority = -9}, &id),
                  NW_EINVAL);
    destroy(pool);
}

static void count(const nw_result *result, void *user_data)
{
    (void)result;
    ++*(int *)user_data;
}

// -- linear: ten times as many take about ten times as long

static uint64_t drain_ns(int tasks, int *ended)
{
    nwpool *pool = pool_like(
        "tasks.js", (nwpool_options){.workers = 1, .queue_max = 200000});
    const nw_value *argument = number(1);
    uint64_t start_ms;

    gate_init(&gate);
    hold(pool, &gate);
    for (int i = 0; i < tasks; i++) {
        expect_status(submit_spec(pool,
                                  (nw_task_spec){.function = "inc",
                                                 .arguments = &argument,
                                                 .argument_count = 1,
                                                 .on_done = count,
                                                 .user_data = ended,
                                                 .priority = i % 3},
                                  NULL),
                      NW_OK);
    }
    start_ms = now_ms();
    gate_let_go(&gate, 1);
    drain(pool);
    start_ms = now_ms() - start_ms;
    destroy(pool);
    gate_fini(&gate);
    return start_ms;
}

Test(priorities, a_hundred_thousand_queued_tasks_drain)
{
    int ended = 0;
    uint64_t ms = drain_ns(100000, &ended);

    cr_expect(eq(int, ended, 100000));
    printf("100,000 queued tasks drained in %d ms\n", (int)ms);
}

// -- for each worker

Test(priorities, a_task_for_each_worker_runs_once_on_each)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 3, .spares = 1});
    nw_task_id ids[8];
    size_t accepted = 0;
    bool seen[256] = {false};

    expect_status(nwpool_warm_up(pool, 0, DEADLINE_MS), NW_OK);
    expect_status(
        nwpool_submit_each(pool,
                           &(nw_task_spec){.struct_size = sizeof(nw_task_spec),
                                           .function = "thread"},
                           ids, 8, &accepted),
        NW_OK);
    cr_assert(eq(sz, accepted, 4));
    for (size_t i = 0; i < accepted; i++) {
        const nw_result *result = take(pool, ids[i]);
        int thread;

        expect_status(result->status, NW_OK);
        thread = (int)nw_value_get_number(result->value);
        cr_expect(not(seen[thread]));
        seen[thread] = true;
    }
    expect_status(
        nwpool_submit_each(pool,
                           &(nw_task_spec){.struct_size = sizeof(nw_task_spec),
                                           .function = "thread"},
                           ids, 3, &accepted),
        NW_ELIMIT);
    cr_expect(eq(sz, accepted, 0));
    cr_expect(eq(u64, stats_of(pool).submitted, 4));
    destroy(pool);
}

Test(priorities, a_task_for_a_worker_that_dies_fails_and_no_other_runs_it)
{
    nwpool *pool = pool_of("service.js", 1);
    nw_task_id ids[1], deadly;
    size_t accepted;
    const nw_result *result;

    expect_status(nwpool_warm_up(pool, 1, DEADLINE_MS), NW_OK);
    gate_init(&gate);
    deadly = submit(pool, "busy", number(50), NULL);
    expect_status(
        nwpool_submit_each(pool,
                           &(nw_task_spec){.struct_size = sizeof(nw_task_spec),
                                           .function = "sleep"},
                           ids, 1, &accepted),
        NW_OK);
    expect_status(nwpool_cancel(pool, deadly, NW_CANCEL_END, 0), NW_OK);
    result = take(pool, ids[0]);
    if (result->status != NW_OK) { // It had ended the other one already.
        expect_failure(result, NW_ECRASHED, "ended before it started");
    }
    take(pool, deadly);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);
    gate_fini(&gate);
}

// -- several on one worker

Test(priorities, tasks_that_await_share_a_worker)
{
    nwpool *pool = pool_like("service.js",
                             (nwpool_options){.workers = 1, .concurrency = 10});
    nw_task_id ids[10];
    uint64_t start_ms;

    call(pool, "inc", number(1), NULL);
    start_ms = now_ms();
    for (int i = 0; i < 10; i++) {
        ids[i] = submit(pool, "sleep", number(200), NULL);
    }
    eventually(stats_of(pool).running == 10);
    for (int i = 0; i < 10; i++) {
        expect_value(take(pool, ids[i]), "200");
    }
    cr_expect(now_ms() - start_ms < 2000, "%d", (int)(now_ms() - start_ms));
    destroy(pool);
}

// What was assigned behind a long task is taken back by a worker that is free.
Test(priorities, a_long_task_holds_nobody_back)
{
    nwpool *pool = pool_of("service.js", 2);
    nw_task_id ids[200], slow;

    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    for (int i = 0; i < 2000; i++) {
        take(pool, submit(pool, "inc", number(i), NULL));
        free_results();
    }
    slow = submit(pool, "busy", number(1500), NULL);
    for (int i = 0; i < 200; i++) {
        ids[i] = submit(pool, "inc", number(i), NULL);
    }
    for (int i = 0; i < 200; i++) {
        take(pool, ids[i]);
    }
    cr_expect(eq(u64, stats_of(pool).running, 1));
    take(pool, slow);
    destroy(pool);
}

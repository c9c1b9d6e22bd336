// Goal: what is accepted ends, with the right status, whatever happens to the
// workers and whoever asks for an end again and again.

#include "tests/pool/support.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(lives, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

Test(lives, a_worker_with_tasks_that_await_is_not_idle)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 2,
                                                 .workers_min = NW_POOL_NO_MIN,
                                                 .concurrency = 2,
                                                 .idle_ms = 50});

    expect_value(call(pool, "sleep", number(500), NULL), "500");
    eventually(stats_of(pool).workers == 0);
    cr_expect(eq(u64, stats_of(pool).restarts, 0));
    destroy(pool);
}

// Submits a call for each worker, of a function with one number.
static void submit_each(nwpool *pool, nw_task_spec spec, double argument,
                        nw_task_id *ids, size_t count)
{
    const nw_value *arguments[] = {number(argument)};
    size_t accepted;

    spec.struct_size = sizeof(spec);
    spec.arguments = arguments;
    spec.argument_count = 1;
    expect_status(nwpool_submit_each(pool, &spec, ids, count, &accepted),
                  NW_OK);
    cr_assert(eq(sz, accepted, count));
}

Test(lives, a_spare_that_runs_a_task_of_its_own_ends_it_first)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 1, .spares = 1});
    nw_task_id ids[2];

    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    submit_each(pool, (nw_task_spec){.function = "sleep"}, 300, ids, 2);
    pause_ms(50);
    expect_status(nwpool_reload(pool, NULL), NW_OK);
    expect_value(take(pool, ids[0]), "300");
    expect_value(take(pool, ids[1]), "300");
    destroy(pool);
}

Test(lives, tasks_for_each_worker_have_their_limit)
{
    nwpool *pool = pool_of("service.js", 2);
    nw_task_id ids[2];

    expect_status(nwpool_warm_up(pool, 0, DEADLINE_MS), NW_OK);
    submit_each(pool, (nw_task_spec){.function = "sleep", .run_limit_ms = 50},
                20000, ids, 2);
    expect_failure(take(pool, ids[0]), NW_ETIMEDOUT, "limit");
    expect_failure(take(pool, ids[1]), NW_ETIMEDOUT, "limit");
    destroy(pool);
}

// The worker is stuck in the kernel, and nobody else may run what is for it.
Test(lives, what_is_for_a_worker_that_is_given_up_ends_with_it)
{
    nwpool *pool = pool_of("service.js", 1);
    struct jam jam;
    nw_task_id stuck, id;

    jam_init(&jam);
    expect_status(nwpool_warm_up(pool, 0, DEADLINE_MS), NW_OK);
    stuck = submit(pool, "jam", number(jam.pipe[1]), number(JAM_SIZE), NULL);
    jam_wait(&jam);
    submit_each(pool, (nw_task_spec){.function = "inc"}, 1, &id, 1);
    expect_status(nwpool_cancel(pool, stuck, NW_CANCEL_END, 0), NW_OK);
    expect_failure(take(pool, id), NW_ECRASHED, "that it was for");
    expect_failure(take(pool, stuck), NW_ECANCELED, "canceled");
    jam_clear(&jam);
    eventually(stats_of(pool).wedged == 0);
    destroy(pool);
    jam_fini(&jam);
}

Test(lives, a_task_is_canceled_as_often_as_one_likes)
{
    nwpool *pool = pool_of("service.js", 1);
    struct gate gate;
    nw_task_id id;

    gate_init(&gate);
    id = submit(pool, "ignore", gate_started(&gate), NULL);
    gate_wait(&gate);
    for (uint32_t i = 0; i < 2000; i++) {
        expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, 1000000 - i),
                      NW_OK);
    }
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, NW_WAIT_FOREVER),
                  NW_OK);
    for (int i = 0; i < 2000; i++) {
        nwpool_cancel(pool, id, NW_CANCEL_END, 0);
    }
    // Not back to an earlier step.
    nwpool_cancel(pool, id, NW_CANCEL_ASK, NW_WAIT_FOREVER);
    expect_failure(take(pool, id), NW_ECANCELED, "canceled");
    destroy(pool);
    gate_fini(&gate);
}

Test(lives, a_task_that_was_only_asked_has_its_limit_still)
{
    nwpool *pool = pool_like(
        "service.js", (nwpool_options){.workers = 1, .run_limit_ms = 300});
    struct gate gate;
    nw_task_id id;

    gate_init(&gate);
    id = submit(pool, "ignore", gate_started(&gate), NULL);
    gate_wait(&gate);
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, NW_WAIT_FOREVER),
                  NW_OK);
    expect_failure(take(pool, id), NW_ECANCELED, "canceled");
    destroy(pool);
    gate_fini(&gate);
}

// -- with an inbox

Test(lives, a_drain_on_an_inbox_sees_results_that_are_kept)
{
    nw_inbox *inbox = NULL;
    nwpool *pool;
    nw_task_id id;

    expect_status(nw_inbox_create(&inbox), NW_OK);
    pool =
        pool_like("service.js", (nwpool_options){.workers = 1, .inbox = inbox});
    for (int i = 0; i < 20; i++) {
        id = submit(pool, "sleep", number(i), NULL);
        expect_status(nwpool_drain(pool, DEADLINE_MS), NW_OK);
        take(pool, id);
    }
    destroy(pool);
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

// What it does afterwards is told to nobody.
Test(lives, a_worker_that_was_left_behind_outlives_its_inbox, .timeout = 60)
{
    nw_inbox *inbox = NULL;
    nwpool *pool;
    struct jam jam;

    jam_init(&jam);
    expect_status(nw_inbox_create(&inbox), NW_OK);
    pool = pool_like("service.js", (nwpool_options){.workers = 1,
                                                    .inbox = inbox,
                                                    .on_event = on_pool_event});
    submit(pool, "jam", number(jam.pipe[1]), number(JAM_SIZE), NULL);
    jam_wait(&jam);
    expect_status(nwpool_destroy(pool), NW_EWEDGED);
    expect_status(nw_inbox_destroy(inbox), NW_OK);
    jam_clear(&jam);
    jam_fini(&jam);
}

// -- pools that cannot work

Test(lives, tasks_that_expire_do_not_keep_a_pool_from_failing)
{
    nwpool *pool = pool_like("throws_at_load.js",
                             (nwpool_options){.workers = 1, .expiry_ms = 1});
    nw_task_spec spec = {.struct_size = sizeof(spec), .expiry_ms = 1};
    nw_task_id id;

    for (uint64_t end_ms = now_ms() + 10000;
         nwpool_submit(pool, &spec, &id) == NW_OK;) {
        cr_assert(now_ms() < end_ms, "it does not fail");
        take(pool, id);
        free_results();
    }
    cr_expect(stats_of(pool).has_failed);
    destroy(pool);
}

Test(lives, workers_that_are_stuck_while_they_load_are_the_end_of_a_pool)
{
    struct jam jam;
    nwpool *pool;
    char fd[16];

    jam_init(&jam);
    snprintf(fd, sizeof(fd), "%d", jam.pipe[1]);
    setenv("NW_TEST_FD", fd, 1);
    pool = pool_like("jams_at_load.js",
                     (nwpool_options){.workers = 1,
                                      .set_up_ms = 700,
                                      .on_event = on_pool_event});
    expect_failure(take(pool, submit(pool, "inc", NULL)), NW_EFAILED,
                   "loaded and set up");
    // Others had been started while these were waited for.
    expect_told(NWPOOL_FAILED, 0);
    for (size_t left = told_of(NWPOOL_WORKER_STARTED); left > 0; left--) {
        jam_clear(&jam);
    }
    eventually(stats_of(pool).wedged == 0);
    destroy(pool);
    jam_fini(&jam);
}

// -- reload and destroy

Test(lives, a_reload_ends_where_spares_were_still_starting)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 1,
                                                 .workers_min = NW_POOL_NO_MIN,
                                                 .spares = 1,
                                                 .on_event = on_pool_event});

    expect_status(nwpool_reload(pool, NULL), NW_OK);
    expect_told(NWPOOL_RELOADED, 0);
    expect_status(nwpool_reload(pool, NULL), NW_OK);
    destroy(pool);
}

Test(lives, a_pool_that_is_destroyed_starts_no_more_workers)
{
    nwpool *pool;

    setenv("NW_TEST_FD", "2", 1);
    pool = pool_like("service.js", (nwpool_options){.workers = 2,
                                                    .tear_down = "tearDown",
                                                    .on_event = on_pool_event});
    expect_status(nwpool_warm_up(pool, 0, DEADLINE_MS), NW_OK);
    destroy(pool);
    cr_expect(eq(sz, told_of(NWPOOL_WORKER_STARTED), 2));
}

// Goal: what is accepted ends, with the right status, whatever happens to the
// workers and whoever asks for an end again and again.

#include "tests/pool/support.h"

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

Test(lives, a_spare_that_runs_a_task_of_its_own_ends_it_first)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 1, .spares = 1});
    nw_value *arguments[] = {number(300)};
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "sleep",
        .arguments = (const nw_value *const *)arguments,
        .argument_count = 1,
    };
    nw_task_id ids[2];
    size_t count;

    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    expect_status(nwpool_submit_each(pool, &spec, ids, 2, &count), NW_OK);
    cr_assert(eq(sz, count, 2));
    pause_ms(50);
    expect_status(nwpool_reload(pool, NULL), NW_OK);
    expect_value(take(pool, ids[0]), "300");
    expect_value(take(pool, ids[1]), "300");
    destroy(pool);
}

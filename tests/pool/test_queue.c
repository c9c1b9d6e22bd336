// Goal: a pool takes as many tasks as it said and not one more; what it
// refuses never runs, what it accepts does, also after it was closed.

#include "tests/pool/support.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_MAX 10

TestSuite(queue, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

static struct gate gate;

// A pool of one worker that is busy until the gate lets it go.
static nwpool *busy_pool(uint32_t queue_max, struct outcome *holder)
{
    nwpool *pool = pool_with(module_path("tasks.js"), 1, queue_max);

    gate_init(&gate);
    cr_assert(eq(int,
                 submit_to(holder, pool, "hold", gate_started(&gate),
                           gate_release(&gate), NULL),
                 NW_OK));
    gate_wait(&gate);
    return pool;
}

// How many tasks of mark() have run.
static unsigned marks_in(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    unsigned marks = 0;
    char byte;

    while (poll(&poller, 1, 0) == 1 && read(fd, &byte, 1) == 1) {
        marks++;
    }
    return marks;
}

Test(queue, as_many_as_it_holds_are_accepted_and_the_next_never_runs)
{
    struct outcome outcomes[QUEUE_MAX + 1] = {0};
    struct outcome holder = {0};
    struct outcome refused = {0};
    nwpool *pool = busy_pool(QUEUE_MAX + 1, &holder);
    nwpool_stats stats;
    int marks[2];

    cr_assert(eq(int, pipe(marks), 0));
    for (int i = 0; i < QUEUE_MAX; i++) {
        expect_status(
            submit_to(&outcomes[i], pool, "mark", number(marks[1]), NULL),
            NW_OK);
    }
    for (int i = 0; i < 100; i++) {
        expect_status(submit_to(&refused, pool, "mark", number(marks[1]), NULL),
                      NW_EFULL);
    }
    stats = stats_of(pool);
    cr_expect(eq(u64, stats.submitted, QUEUE_MAX + 1));
    cr_expect(eq(u64, stats.waiting, QUEUE_MAX));
    cr_expect(eq(u64, stats.running, 1));
    cr_expect(eq(u64, stats.done, 0));
    cr_expect(eq(u32, stats.workers, 1));

    gate_let_go(&gate, 1);
    drain(pool);
    for (int i = 0; i < QUEUE_MAX; i++) {
        cr_expect(eq(int, outcomes[i].calls, 1));
        expect_status(outcomes[i].status, NW_OK);
    }
    cr_expect(eq(int, holder.calls, 1));
    cr_expect(eq(u32, marks_in(marks[0]), QUEUE_MAX));

    // There is room again.
    expect_status(
        submit_to(&outcomes[QUEUE_MAX], pool, "mark", number(marks[1]), NULL),
        NW_OK);
    drain(pool);
    cr_expect(eq(int, outcomes[QUEUE_MAX].calls, 1));
    cr_expect(eq(u32, marks_in(marks[0]), 1));
    cr_expect(eq(int, refused.calls, 0));
    stats = stats_of(pool);
    cr_expect(eq(u64, stats.submitted, QUEUE_MAX + 2));
    cr_expect(eq(u64, stats.done, QUEUE_MAX + 2));
    cr_expect(eq(u64, stats.failed, 0));
    cr_expect(eq(u64, stats.waiting, 0));
    cr_expect(eq(u64, stats.running, 0));
    destroy(pool);
    cr_expect(eq(int, refused.calls, 0));
}

Test(queue, one_task_beside_the_running_one_works)
{
    struct outcome outcomes[2] = {0};
    struct outcome holder = {0};
    nwpool *pool = busy_pool(2, &holder);

    expect_status(submit_to(&outcomes[0], pool, "inc", number(1), NULL), NW_OK);
    expect_status(submit_to(&outcomes[1], pool, "inc", number(1), NULL),
                  NW_EFULL);
    gate_let_go(&gate, 1);
    drain(pool);
    expect_status(submit_to(&outcomes[1], pool, "inc", number(1), NULL), NW_OK);
    destroy(pool);
    cr_expect(eq(int, outcomes[0].calls, 1));
    cr_expect(eq(int, outcomes[1].calls, 1));
}

Test(queue, tasks_wait_while_the_workers_start)
{
    nwpool *pool = pool_with(module_path("tasks.js"), 1, QUEUE_MAX);
    struct outcome outcomes[QUEUE_MAX] = {0};

    // Faster than any worker loads its module, or as fast as it takes them:
    // all are accepted in either case.
    for (int i = 0; i < QUEUE_MAX; i++) {
        expect_status(submit_to(&outcomes[i], pool, "inc", number(i), NULL),
                      NW_OK);
    }
    drain(pool);
    for (int i = 0; i < QUEUE_MAX; i++) {
        cr_expect(eq(dbl, outcomes[i].number, i + 1));
    }
    destroy(pool);
}

Test(queue, results_that_nobody_took_fill_the_queue)
{
    nwpool *pool = pool_with(module_path("tasks.js"), 1, QUEUE_MAX);
    struct outcome outcome = {0};
    nw_task_id tasks[QUEUE_MAX];
    nw_task_id extra, refused;
    nw_task_spec spec = {.function = "inc"};

    for (int i = 0; i < QUEUE_MAX; i++) {
        tasks[i] = submit(pool, "inc", number(i), NULL);
    }
    drain(pool);
    expect_status(submit_spec(pool, spec, &refused), NW_EFULL);
    expect_status(submit_to(&outcome, pool, "inc", number(1), NULL), NW_EFULL);

    take(pool, tasks[3]);
    expect_status(submit_to(&outcome, pool, "inc", number(1), NULL), NW_OK);
    drain(pool);
    expect_status(submit_spec(pool, spec, &extra), NW_OK);
    expect_status(submit_spec(pool, spec, &refused), NW_EFULL);
    cr_expect(eq(u64, refused.value, 0));
    take(pool, extra);
    for (int i = 0; i < QUEUE_MAX; i++) {
        if (i != 3) {
            take(pool, tasks[i]);
        }
    }
    for (int i = 0; i < QUEUE_MAX; i++) {
        tasks[i] = submit(pool, "inc", number(i), NULL);
    }
    destroy(pool);
}

// -- close

Test(queue, a_closed_pool_refuses_and_finishes)
{
    struct outcome outcomes[QUEUE_MAX] = {0};
    struct outcome holder = {0};
    struct outcome refused = {0};
    nwpool *pool = busy_pool(QUEUE_MAX + 1, &holder);

    for (int i = 0; i < QUEUE_MAX; i++) {
        submit_to(&outcomes[i], pool, "inc", number(i), NULL);
    }
    nwpool_close(pool);
    nwpool_close(pool);
    expect_status(submit_to(&refused, pool, "inc", number(1), NULL),
                  NW_ECLOSED);
    cr_expect(eq(int, holder.calls, 0));
    gate_let_go(&gate, 1);
    drain(pool);
    expect_status(submit_to(&refused, pool, "inc", number(1), NULL),
                  NW_ECLOSED);
    destroy(pool);
    for (int i = 0; i < QUEUE_MAX; i++) {
        cr_expect(eq(int, outcomes[i].calls, 1));
        cr_expect(eq(dbl, outcomes[i].number, i + 1));
    }
    cr_expect(eq(int, refused.calls, 0));
}

Test(queue, a_worker_that_dies_in_a_closed_pool_is_replaced)
{
    nwpool *pool = pool_of("tasks.js", 1);
    struct outcome outcomes[20] = {0};

    for (int i = 0; i < 20; i++) {
        submit_to(&outcomes[i], pool, i % 5 == 0 ? "exit" : "inc", number(i),
                  NULL);
    }
    nwpool_close(pool);
    drain(pool);
    for (int i = 0; i < 20; i++) {
        expect_status(outcomes[i].status, i % 5 == 0 ? NW_ECRASHED : NW_OK);
    }
    destroy(pool);
}

Test(queue, closing_nothing_is_fine)
{
    nwpool_close(NULL);
}

// -- drain

Test(queue, drain_gives_up_when_told_to)
{
    struct outcome holder = {0};
    nwpool *pool = busy_pool(0, &holder);
    uint64_t start_ms = now_ms();

    expect_status(nwpool_drain(pool, 0), NW_ETIMEDOUT);
    expect_status(nwpool_drain(pool, 50), NW_ETIMEDOUT);
    cr_expect(now_ms() - start_ms >= 49);
    cr_expect(eq(int, holder.calls, 0));
    gate_let_go(&gate, 1);
    expect_status(nwpool_drain(pool, NW_WAIT_FOREVER), NW_OK);
    cr_expect(eq(int, holder.calls, 1));
    destroy(pool);
}

Test(queue, draining_an_empty_pool_is_quick)
{
    nwpool *pool = pool_of("tasks.js", 1);

    expect_status(nwpool_drain(pool, 0), NW_OK);
    expect_status(nwpool_drain(NULL, 0), NW_EINVAL);
    destroy(pool);
}

// -- numbers

Test(queue, the_numbers_of_a_pool_are_those_the_caller_knows)
{
    nwpool *pool = pool_of("tasks.js", 2);
    struct {
        size_t struct_size;
        uint64_t submitted;
        uint64_t beyond;
    } old = {.struct_size = 16, .beyond = 42};
    nwpool_stats stats = {0};

    expect_status(nwpool_get_stats(pool, NULL), NW_EINVAL);
    expect_status(nwpool_get_stats(NULL, &stats), NW_EINVAL);
    expect_status(nwpool_get_stats(pool, &stats), NW_EINVAL);
    call(pool, "inc", number(1), NULL);
    call(pool, "fail", text("x"), NULL);
    eventually(stats_of(pool).workers == 2);
    cr_expect(eq(u64, stats_of(pool).done, 1));
    cr_expect(eq(u64, stats_of(pool).failed, 1));
    expect_status(nwpool_get_stats(pool, (nwpool_stats *)&old), NW_OK);
    cr_expect(eq(u64, old.submitted, 2));
    cr_expect(eq(u64, old.beyond, 42));
    cr_expect(eq(sz, old.struct_size, 16));
    destroy(pool);
}

// Goal: what is refused, what waits for room, and what expires; by number and by
// bytes, with marks that are pool_told.

#include "tests/pool/support.h"

#include <string.h>
#include <unistd.h>

TestSuite(flow, .init = test_init, .fini = test_fini, .timeout = SUITE_TIMEOUT);

static struct gate gate;

static nwpool *held_pool(nwpool_options options)
{
    nwpool *pool;

    options.workers = 1;
    pool = pool_like("tasks.js", options);
    expect_status(nwpool_warm_up(pool, 1, DEADLINE_MS), NW_OK);
    gate_init(&gate);
    hold(pool, &gate);
    return pool;
}

static void end(nwpool *pool)
{
    destroy(pool);
    gate_fini(&gate);
}

static nw_status submit_waiting(nwpool *pool, uint32_t wait_ms, nw_task_id *out)
{
    const nw_value *argument = number(1);

    return submit_spec(pool,
                       (nw_task_spec){.function = "inc",
                                      .arguments = &argument,
                                      .argument_count = 1,
                                      .wait_ms = wait_ms},
                       out);
}

Test(flow, bytes_are_limited_as_well)
{
    nwpool *pool = held_pool((nwpool_options){.queue_bytes_max = 100000});
    char *data = calloc(1, 40000);
    struct outcome outcomes[4] = {0};

    for (int i = 0; i < 2; i++) {
        expect_status(submit_to(&outcomes[i], pool, "echo",
                                nw_value_bytes(doc, data, 40000), NULL),
                      NW_OK);
    }
    expect_status(submit_to(&outcomes[2], pool, "echo",
                            nw_value_bytes(doc, data, 40000), NULL),
                  NW_EFULL);
    expect_status(submit_to(&outcomes[2], pool, "inc", number(1), NULL), NW_OK);
    cr_expect(gt(u64, stats_of(pool).waiting_bytes, 80000));
    cr_expect(eq(u64, stats_of(pool).refused, 1));
    gate_let_go(&gate, 1);
    for (int i = 0; i < 3; i++) {
        eventually(outcomes[i].calls == 1);
    }
    free(data);
    end(pool);
}

// One is taken however large it is when nothing else is there.
Test(flow, one_that_is_larger_than_all_is_taken_alone)
{
    nwpool *pool = pool_like(
        "tasks.js", (nwpool_options){.workers = 1, .queue_bytes_max = 1000});
    char *data = calloc(1, 40000);

    expect_status(
        call(pool, "echo", nw_value_bytes(doc, data, 40000), NULL)->status,
        NW_OK);
    free(data);
    free_results();
    destroy(pool);
}

Test(flow, lent_bytes_count_too)
{
    nwpool *pool = held_pool((nwpool_options){.queue_bytes_max = 100000});
    struct lender lenders[2] = {0};
    struct outcome outcomes[3] = {0};

    expect_status(
        submit_to(&outcomes[0], pool, "echo", lend(&lenders[0], 150000), NULL),
        NW_OK);
    expect_status(
        submit_to(&outcomes[1], pool, "echo", lend(&lenders[1], 1000), NULL),
        NW_EFULL);
    cr_expect(eq(int, atomic_load(&lenders[1].released), 0));
    gate_let_go(&gate, 1);
    eventually(outcomes[0].calls == 1);
    nw_doc_reset(doc); // What was refused is the document's still.
    end(pool);
}

static void *let_go_soon(void *argument)
{
    pause_ms(100);
    gate_let_go(&gate, 1);
    return argument;
}

Test(flow, a_submitter_may_wait_for_room)
{
    nwpool *pool = held_pool((nwpool_options){.queue_max = 2});
    nw_task_id first, second;
    pthread_t thread;
    uint64_t start_ms = now_ms();

    expect_status(submit_waiting(pool, 0, &first), NW_OK);
    expect_status(submit_waiting(pool, 0, &second), NW_EFULL);
    expect_status(submit_waiting(pool, 50, &second), NW_EFULL);
    cr_expect(now_ms() - start_ms >= 50);
    cr_expect(eq(u64, second.value, 0));
    cr_expect(eq(u64, stats_of(pool).refused, 2));

    cr_assert(eq(int, pthread_create(&thread, NULL, let_go_soon, NULL), 0));
    // hold() has no callback: its result has to be taken for room.
    take(pool, (nw_task_id){first.value - 1});
    expect_status(submit_waiting(pool, NW_WAIT_FOREVER, &second), NW_OK);
    pthread_join(thread, NULL);
    expect_value(take(pool, second), "2");
    expect_value(take(pool, first), "2");
    end(pool);
}

static void *close_soon(void *pool)
{
    pause_ms(100);
    nwpool_close(pool);
    return NULL;
}

Test(flow, who_waits_for_room_is_told_of_the_end)
{
    nwpool *pool = held_pool((nwpool_options){.queue_max = 1});
    pthread_t thread;
    nw_task_id id;

    cr_assert(eq(int, pthread_create(&thread, NULL, close_soon, pool), 0));
    expect_status(submit_waiting(pool, NW_WAIT_FOREVER, &id), NW_ECLOSED);
    pthread_join(thread, NULL);
    gate_let_go(&gate, 1);
    end(pool);
}

// Four threads that wait, one place: nobody is forgotten.
#define WAITERS 4
#define EACH    200

static void *submit_many(void *argument)
{
    nwpool *pool = argument;
    nw_doc *own = nw_doc_create();

    for (int i = 0; i < EACH; i++) {
        const nw_value *value = nw_value_number(own, i);
        nw_task_spec spec = {.struct_size = sizeof(spec),
                             .function = "inc",
                             .arguments = &value,
                             .argument_count = 1,
                             .wait_ms = DEADLINE_MS};
        nw_result *result = NULL;
        nw_task_id id;

        cr_assert(eq(int, nwpool_submit(pool, &spec, &id), NW_OK));
        cr_assert(eq(int, nwpool_wait(pool, id, DEADLINE_MS, &result), NW_OK));
        nwpool_result_free(result);
        nw_doc_reset(own);
    }
    nw_doc_destroy(own);
    return NULL;
}

Test(flow, many_wait_for_one_place)
{
    nwpool *pool =
        pool_like("tasks.js", (nwpool_options){.workers = 2, .queue_max = 1});
    pthread_t threads[WAITERS];

    for (int i = 0; i < WAITERS; i++) {
        cr_assert(
            eq(int, pthread_create(&threads[i], NULL, submit_many, pool), 0));
    }
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect(eq(u64, stats_of(pool).done, WAITERS * EACH));
    destroy(pool);
}

Test(flow, marks_are_told_once_each_way)
{
    struct outcome outcomes[20] = {0};
    nwpool *pool = held_pool((nwpool_options){.queue_max = 20,
                                              .high_water = 50,
                                              .low_water = 25,
                                              .on_event = on_pool_event});
    size_t high;

    pool_told.water = true;
    for (int i = 0; i < 8; i++) {
        submit_to(&outcomes[i], pool, "inc", number(i), NULL);
    }
    cr_expect(eq(sz, told_of(NWPOOL_HIGH_WATER), 0));
    for (int i = 8; i < 15; i++) {
        submit_to(&outcomes[i], pool, "inc", number(i), NULL);
    }
    high = expect_told(NWPOOL_HIGH_WATER, 0);
    gate_let_go(&gate, 1);
    expect_told(NWPOOL_LOW_WATER, high);
    cr_expect(eq(sz, told_of(NWPOOL_HIGH_WATER), 1));
    cr_expect(eq(sz, told_of(NWPOOL_LOW_WATER), 1));
    end(pool);
}

// -- expiry

static void on_expired(const nw_result *result, void *user_data)
{
    on_outcome(result, user_data);
}

static nw_status submit_expiring(struct outcome *outcome, nwpool *pool,
                                 uint32_t expiry_ms, int fd)
{
    const nw_value *argument = number(fd);

    return submit_spec(pool,
                       (nw_task_spec){.function = "mark",
                                      .arguments = &argument,
                                      .argument_count = 1,
                                      .on_done = on_expired,
                                      .user_data = outcome,
                                      .expiry_ms = expiry_ms},
                       NULL);
}

Test(flow, what_waits_too_long_expires_and_never_runs)
{
    nwpool *pool = held_pool((nwpool_options){.expiry_ms = 50});
    struct outcome early = {0}, late = {0}, never = {0};
    int marks[2];
    char bytes[8];

    cr_assert(eq(int, pipe(marks), 0));
    expect_status(submit_expiring(&early, pool, 0, marks[1]), NW_OK);
    expect_status(submit_expiring(&late, pool, 200, marks[1]), NW_OK);
    expect_status(submit_expiring(&never, pool, NW_WAIT_FOREVER, marks[1]),
                  NW_OK);
    eventually(early.calls == 1);
    expect_status(early.status, NW_EEXPIRED);
    expect_says(early.message, "expired before a worker could start it");
    cr_expect(eq(u32, early.worker, 0));
    cr_expect(eq(int, late.calls, 0));
    eventually(late.calls == 1);
    expect_status(late.status, NW_EEXPIRED);
    cr_expect(eq(u64, stats_of(pool).failed_expired, 2));
    gate_let_go(&gate, 1);
    eventually(never.calls == 1);
    expect_status(never.status, NW_OK);
    cr_expect(eq(int, (int)read(marks[0], bytes, sizeof(bytes)), 1));
    end(pool);
}

// Many that end long before they would expire leave nothing behind.
Test(flow, what_ends_in_time_does_not_expire)
{
    nwpool *pool = pool_like(
        "tasks.js", (nwpool_options){.workers = 1, .expiry_ms = 100000});

    for (int i = 0; i < 5000; i++) {
        expect_status(call(pool, "inc", number(i), NULL)->status, NW_OK);
        free_results();
    }
    cr_expect(eq(u64, stats_of(pool).failed, 0));
    destroy(pool);
}

// -- listing

Test(flow, tasks_that_are_not_over_can_be_listed)
{
    nwpool *pool = held_pool((nwpool_options){0});
    nw_task_info infos[8];
    nw_task_id a = submit(pool, "inc", number(1), NULL);
    nw_task_id b = submit(pool, "echo", number(1), NULL);
    size_t count;

    pause_ms(20);
    expect_status(nwpool_list_tasks(pool, NULL, 0, &count), NW_OK);
    cr_assert(eq(sz, count, 3));
    expect_status(nwpool_list_tasks(pool, infos, 8, &count), NW_OK);
    cr_assert(eq(sz, count, 3));
    expect_string(infos[0].function, "hold");
    cr_expect(eq(int, (int)infos[0].state, (int)NW_TASK_RUNNING));
    cr_expect(gt(u64, infos[0].run_ns, 10000000));
    cr_expect(gt(u32, infos[0].worker, 0));
    cr_expect(eq(u64, infos[1].task.value, a.value));
    expect_string(infos[1].function, "inc");
    cr_expect(infos[1].state == NW_TASK_QUEUED ||
              infos[1].state == NW_TASK_ASSIGNED);
    cr_expect(gt(u64, infos[1].age_ns, 10000000));
    cr_expect(eq(u64, infos[2].task.value, b.value));
    expect_status(nwpool_list_tasks(pool, infos, 1, &count), NW_OK);
    cr_expect(eq(sz, count, 3));
    gate_let_go(&gate, 1);
    eventually(stats_of(pool).done == 3);
    expect_status(nwpool_list_tasks(pool, infos, 8, &count), NW_OK);
    cr_assert(eq(sz, count, 3));
    cr_expect(eq(int, (int)infos[2].state, (int)NW_TASK_FINISHED));
    take(pool, a);
    expect_status(nwpool_list_tasks(pool, NULL, 0, &count), NW_OK);
    cr_expect(eq(sz, count, 2));
    expect_status(nwpool_list_tasks(pool, NULL, 0, NULL), NW_EINVAL);
    expect_status(nwpool_list_tasks(NULL, infos, 8, &count), NW_EINVAL);
    end(pool);
}

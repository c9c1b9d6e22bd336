// Goal: what becomes of workers is told and counted; what may be run again is,
// alone; what tasks send arrives in order and before their result; callbacks come
// where they were asked for.

#include "tests/pool/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(supervision, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// -- events

Test(supervision, the_life_of_a_worker_is_told)
{
    nwpool *pool =
        pool_like("service.js",
                  (nwpool_options){.workers = 1, .on_event = on_pool_event});
    uint32_t first = call(pool, "inc", number(1), NULL)->worker;
    size_t at = expect_told(NWPOOL_WORKER_STARTED, 0);

    cr_expect(eq(u32, pool_told.events[at].worker, first));
    at = expect_told(NWPOOL_WORKER_READY, at);
    cr_expect(eq(u32, pool_told.events[at].worker, first));
    call(pool, "throwLater", NULL);
    call(pool, "inc", number(1), NULL);
    at = expect_told(NWPOOL_WORKER_EXITED, at);
    cr_expect(eq(u32, pool_told.events[at].worker, first));
    cr_expect(eq(int, pool_told.events[at].exit_code, 1));
    expect_string(pool_told.events[at].reason, "it ended by itself");
    expect_string(pool_told.events[at].error, "out of the blue");
    at = expect_told(NWPOOL_WORKER_REPLACED, 0);
    cr_expect(eq(u32, pool_told.events[at].worker, first));
    cr_expect(gt(u32, pool_told.events[at].replacement, first));
    cr_expect(eq(u64, stats_of(pool).restarts, 1));
    destroy(pool);
}

Test(supervision, a_pool_in_trouble_says_so_and_when_it_is_over)
{
    nwpool *pool =
        pool_like("service.js",
                  (nwpool_options){.workers = 1, .on_event = on_pool_event});
    size_t at;

    for (int i = 0; i < 10; i++) {
        expect_status(call(pool, "exit", number(i), NULL)->status, NW_ECRASHED);
    }
    at = expect_told(NWPOOL_DEGRADED, 0);
    cr_expect(stats_of(pool).degraded);
    expect_says(pool_told.events[at].reason, "again and again");
    expect_told(NWPOOL_RECOVERED, at);
    cr_expect(not(stats_of(pool).degraded));
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);
}

Test(supervision, a_pool_that_fails_says_why)
{
    nwpool *pool =
        pool_like("throws_at_load.js",
                  (nwpool_options){.workers = 1, .on_event = on_pool_event});
    size_t at = expect_told(NWPOOL_FAILED, 0);

    expect_says(pool_told.events[at].error, "not today");
    cr_expect(stats_of(pool).has_failed);
    destroy(pool);
}

Test(supervision, times_are_counted)
{
    nwpool *pool = pool_like("service.js", (nwpool_options){.workers = 1});
    nwpool_stats stats;

    for (int i = 0; i < 20; i++) {
        call(pool, "busy", number(5), NULL);
    }
    stats = stats_of(pool);
    cr_expect(eq(u64, stats.run_times.count, 20));
    cr_expect(eq(u64, stats.wait_times.count, 20));
    cr_expect(ge(u64, stats.run_times.p50, 4000000));
    cr_expect(ge(u64, stats.run_times.max, stats.run_times.p50));
    cr_expect(ge(u64, stats.run_times.p99, stats.run_times.p50));
    cr_expect(ge(u64, stats.run_times.mean, 4000000));
    destroy(pool);
}

// -- heap limits

Test(supervision, a_full_heap_ends_one_worker)
{
    nwpool *pool = pool_like(
        "heap.js", (nwpool_options){.workers = 1,
                                    .limits.max_old_generation_size_mb = 40});
    const nw_result *result = call(pool, "fill", NULL);

    expect_failure(result, NW_ECRASHED, "while it ran task");
    cr_assert(ne(ptr, (void *)result->error->cause, NULL));
    expect_string(result->error->cause->code, "ERR_WORKER_OUT_OF_MEMORY");
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);
}

// The threads that are parked are there until the end.
static void parked_fini(void)
{
    free_results();
    nw_doc_destroy(doc);
    must(nw_runtime_stop(DEADLINE_MS) == NW_EWEDGED, "nobody is parked");
}

TestSuite(parked, .init = test_init, .fini = parked_fini,
          .timeout = SUITE_TIMEOUT);

// Where V8 would end the process; the thread is parked.
Test(parked, a_heap_that_v8_would_die_of_leaves_the_host_alive)
{
    nwpool *pool = pool_like(
        "heap.js", (nwpool_options){.workers = 1,
                                    .limits.max_old_generation_size_mb = 40,
                                    .on_event = on_pool_event});
    const nw_result *result = call(pool, "bigArray", NULL);

    expect_failure(result, NW_ECRASHED, "its heap limit was reached");
    expect_value(call(pool, "inc", number(1), NULL), "2");
    expect_told(NWPOOL_WORKER_WEDGED, 0);
    result = call(pool, "bigJson", NULL);
    expect_failure(result, NW_ECRASHED, "its heap limit was reached");
    expect_value(call(pool, "inc", number(1), NULL), "2");
    cr_expect(eq(u32, stats_of(pool).wedged, 2));
    expect_status(nwpool_destroy(pool), NW_EWEDGED);
}

// -- retries

static char scratch_file[] = "/tmp/nwpool-test-XXXXXX";

static nw_task_id submit_crashing(nwpool *pool, int times, uint32_t retries)
{
    const nw_value *arguments[2];
    nw_task_id id;

    close(mkstemp(strcpy(scratch_file, "/tmp/nwpool-test-XXXXXX")));
    arguments[0] = text(scratch_file);
    arguments[1] = number(times);
    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = "exitTimes",
                                             .arguments = arguments,
                                             .argument_count = 2,
                                             .retries = retries},
                              &id),
                  NW_OK);
    return id;
}

Test(supervision, what_may_happen_twice_is_run_again)
{
    nwpool *pool =
        pool_like("service.js",
                  (nwpool_options){.workers = 1, .on_event = on_pool_event});
    const nw_result *result = take(pool, submit_crashing(pool, 2, 3));

    expect_value(result, "3");
    cr_expect(eq(u32, result->crashes, 2));
    cr_expect(eq(u64, stats_of(pool).retried, 2));
    cr_expect(eq(sz, told_of(NWPOOL_TASK_RETRIED), 2));
    unlink(scratch_file);

    // Not more often than was said.
    result = take(pool, submit_crashing(pool, 100, 2));
    expect_status(result->status, NW_ECRASHED);
    cr_expect(eq(u32, result->crashes, 3));
    expect_told(NWPOOL_TASK_QUARANTINED, 0);
    unlink(scratch_file);

    // And not at all unless it was said.
    result = take(pool, submit_crashing(pool, 1, 0));
    expect_status(result->status, NW_ECRASHED);
    cr_expect(eq(u32, result->crashes, 1));
    unlink(scratch_file);
    destroy(pool);
}

// The others of its worker are run again and have nothing to fear.
Test(supervision, suspects_run_alone_and_the_culprit_is_found)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 1,
                                                 .concurrency = 5,
                                                 .on_event = on_pool_event});
    const nw_value *ms = number(30);
    nw_task_id others[4], culprit;
    const nw_result *result;
    size_t at;

    call(pool, "inc", number(1), NULL);
    for (int i = 0; i < 4; i++) {
        expect_status(submit_spec(pool,
                                  (nw_task_spec){.function = "sleep",
                                                 .arguments = &ms,
                                                 .argument_count = 1,
                                                 .retries = 1},
                                  &others[i]),
                      NW_OK);
    }
    culprit = submit_crashing(pool, 100, 1);
    for (int i = 0; i < 4; i++) {
        result = take(pool, others[i]);
        expect_value(result, "30");
        cr_expect(eq(u32, result->crashes, 1));
    }
    result = take(pool, culprit);
    expect_status(result->status, NW_ECRASHED);
    cr_expect(eq(u32, result->crashes, 2));
    at = expect_told(NWPOOL_TASK_QUARANTINED, 0);
    cr_expect(eq(u64, pool_told.events[at].task, culprit.value));
    cr_expect(eq(sz, told_of(NWPOOL_TASK_QUARANTINED), 1));
    unlink(scratch_file);
    destroy(pool);
}

// Neither do they wait for ever where a worker is never without a task.

static atomic_bool steady;

static void submit_steady(nwpool *pool);

static void on_steady(const nw_result *result, void *user_data)
{
    (void)result;
    if (atomic_load(&steady)) {
        submit_steady(user_data);
    }
}

static void submit_steady(nwpool *pool)
{
    static atomic_int turn; // They are never at their end at one time.
    nw_doc *own = nw_doc_create();
    const nw_value *ms =
        nw_value_number(own, 20 + 13 * (atomic_fetch_add(&turn, 1) % 6));

    submit_spec(pool,
                (nw_task_spec){.function = "sleep",
                               .arguments = &ms,
                               .argument_count = 1,
                               .on_done = on_steady,
                               .user_data = pool},
                NULL);
    nw_doc_destroy(own);
}

Test(supervision, a_suspect_gets_its_turn_where_all_are_always_busy)
{
    nwpool *pool = pool_like(
        "service.js",
        (nwpool_options){.workers = 1, .concurrency = 32, .spares = 1});

    // The spare that takes over is busy before the cause of the death is known.
    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    atomic_store(&steady, true);
    for (int i = 0; i < 60; i++) {
        submit_steady(pool);
        pause_ms(1);
    }
    expect_value(take(pool, submit_crashing(pool, 1, 1)), "2");
    atomic_store(&steady, false);
    unlink(scratch_file);
    drain(pool);
    destroy(pool);
}

Test(supervision, what_moves_cannot_be_run_again)
{
    nwpool *pool = pool_of("service.js", 1);
    struct lender lender = {0};
    const nw_value *bytes = lend(&lender, 4);
    nw_task_id id;

    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = "inc",
                                             .arguments = &bytes,
                                             .argument_count = 1,
                                             .retries = 1},
                              &id),
                  NW_EINVAL);
    expect_says(nw_status_detail(), "retries");
    cr_expect(eq(int, atomic_load(&lender.released), 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, atomic_load(&lender.released), 1));
    destroy(pool);
}

// -- what tasks send

struct stream {
    int count;
    int wrong;
    int ended_at; // How many had come when the result did.
    char result[64];
};

static void on_sent(const nw_sent *sent, void *user_data)
{
    struct stream *stream = user_data;
    const nw_value *value = sent->value;

    if (nw_value_type(value) == NW_TYPE_OBJECT) {
        value = nw_object_get(value, "i");
    }
    stream->wrong += nw_value_get_number(value) != stream->count ||
                     sent->index != (uint64_t)stream->count;
    stream->count++;
}

static void on_slow(const nw_sent *sent, void *user_data)
{
    on_sent(sent, user_data);
    pause_ms(1);
}

static void on_end(const nw_result *result, void *user_data)
{
    struct stream *stream = user_data;

    stream->ended_at = stream->count;
    snprintf(stream->result, sizeof(stream->result), "%s",
             result->status == NW_OK
                 ? nw_value_get_string(result->value, NULL) != NULL
                       ? nw_value_get_string(result->value, NULL)
                       : "undefined"
                 : nw_status_name(result->status));
}

static nw_task_id submit_stream(nwpool *pool, const char *function,
                                double argument, struct stream *stream,
                                nw_sent_cb *callback)
{
    const nw_value *value = number(argument);
    nw_task_id id;

    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = function,
                                             .arguments = &value,
                                             .argument_count = 1,
                                             .on_done = on_end,
                                             .on_sent = callback,
                                             .user_data = stream},
                              &id),
                  NW_OK);
    return id;
}

static void expect_stream(const struct stream *stream, int count,
                          const char *result)
{
    cr_expect(eq(int, stream->count, count));
    cr_expect(eq(int, stream->wrong, 0));
    cr_expect(eq(int, stream->ended_at, count));
    expect_string(stream->result, result);
}

Test(supervision, values_come_in_order_and_before_the_result)
{
    nwpool *pool = pool_of("service.js", 1);
    struct stream streams[4] = {0};

    submit_stream(pool, "count", 500, &streams[0], on_sent);
    submit_stream(pool, "generate", 500, &streams[1], on_sent);
    submit_stream(pool, "stream", 500, &streams[2], on_sent);
    submit_stream(pool, "count", 200, &streams[3], on_slow);
    drain(pool);
    expect_stream(&streams[0], 500, "counted");
    expect_stream(&streams[1], 500, "generated");
    expect_stream(&streams[2], 500, "undefined");
    expect_stream(&streams[3], 200, "counted");
    destroy(pool);
}

Test(supervision, a_result_that_is_kept_waits_for_what_was_sent)
{
    nwpool *pool = pool_of("service.js", 1);
    struct stream stream = {0};
    const nw_value *value = number(50);
    nw_task_id id;

    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = "count",
                                             .arguments = &value,
                                             .argument_count = 1,
                                             .on_sent = on_slow,
                                             .user_data = &stream},
                              &id),
                  NW_OK);
    expect_value(take(pool, id), "\"counted\"");
    cr_expect(eq(int, stream.count, 50));
    cr_expect(eq(int, stream.wrong, 0));
    destroy(pool);
}

static atomic_bool held;

static void on_held(const nw_sent *sent, void *user_data)
{
    on_sent(sent, user_data);
    while (atomic_load(&held)) {
        pause_ms(1);
    }
}

// One that sends faster than it is heard is made to wait.
Test(supervision, a_task_that_sends_waits_for_who_listens)
{
    nwpool *pool = pool_of("service.js", 1);
    struct stream stream = {0};
    int marks[2];
    nw_task_id id;
    char bytes[1000];

    cr_assert(eq(int, pipe(marks), 0));
    atomic_store(&held, true);
    id = submit_stream(pool, "flood", marks[1], &stream, on_held);
    eventually(stream.count == 1);
    pause_ms(200);
    cr_expect(le(int, (int)read(marks[0], bytes, sizeof(bytes)),
                 NW_TASK_SENT_MAX + 2));
    cr_expect(eq(int, stream.count, 1));
    atomic_store(&held, false);
    eventually(stream.count > 500);
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, NW_WAIT_FOREVER),
                  NW_OK);
    drain(pool);
    cr_expect(eq(int, stream.wrong, 0));
    destroy(pool);
    close(marks[0]);
    close(marks[1]);
}

// -- where callbacks run

struct place {
    pthread_t thread;
    int calls;
    int elsewhere;
};

static void on_place(const nw_result *result, void *user_data)
{
    struct place *place = user_data;

    (void)result;
    place->calls++;
    place->elsewhere += !pthread_equal(place->thread, pthread_self());
}

static void submit_place(nwpool *pool, struct place *place)
{
    const nw_value *argument = number(1);

    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = "inc",
                                             .arguments = &argument,
                                             .argument_count = 1,
                                             .on_done = on_place,
                                             .user_data = place},
                              NULL),
                  NW_OK);
}

Test(supervision, results_come_to_the_thread_that_polls)
{
    struct place place = {.thread = pthread_self()};
    nw_inbox *inbox;
    nwpool *pool;

    expect_status(nw_inbox_create(&inbox), NW_OK);
    pool =
        pool_like("service.js", (nwpool_options){.workers = 2, .inbox = inbox});
    for (int i = 0; i < 1000; i++) {
        submit_place(pool, &place);
    }
    cr_expect(nw_inbox_is_alive(inbox));
    expect_status(nw_inbox_run(inbox, DEADLINE_MS), NW_OK);
    cr_expect(eq(int, place.calls, 1000));
    cr_expect(eq(int, place.elsewhere, 0));
    cr_expect(not(nw_inbox_is_alive(inbox)));
    expect_status(nw_inbox_destroy(inbox), NW_EBUSY);

    // Draining and destroying deliver as well, on this thread.
    for (int i = 0; i < 100; i++) {
        submit_place(pool, &place);
    }
    expect_status(nwpool_drain(pool, DEADLINE_MS), NW_OK);
    cr_expect(eq(int, place.calls, 1100));
    for (int i = 0; i < 100; i++) {
        submit_place(pool, &place);
    }
    destroy(pool);
    cr_expect(eq(int, place.calls, 1200));
    cr_expect(eq(int, place.elsewhere, 0));
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

// An inbox whose pool is gone has nothing left that could harm.
Test(supervision, pools_come_and_go_at_one_inbox)
{
    struct place place = {.thread = pthread_self()};
    nw_inbox *inbox;

    expect_status(nw_inbox_create(&inbox), NW_OK);
    for (int i = 0; i < 10; i++) {
        nwpool *pool = pool_like("service.js",
                                 (nwpool_options){.workers = 1,
                                                  .inbox = inbox,
                                                  .on_event = on_pool_event});

        for (int k = 0; k < 50; k++) {
            submit_place(pool, &place);
        }
        if (i % 3 == 0) {
            nw_inbox_poll(inbox, 20);
        }
        destroy(pool);
    }
    cr_expect(eq(int, place.calls, 500));
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

// Goal: a result is had exactly once, by its callback or by whoever waits for
// it, and waiting ends when it said it would.

#include "tests/pool/support.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(results, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

static nw_status wait_for(nwpool *pool, nw_task_id task, uint32_t timeout_ms)
{
    nw_result *result = (nw_result *)pool;
    nw_status status = nwpool_wait(pool, task, timeout_ms, &result);

    if (status == NW_OK) {
        cr_assert(ne(ptr, result, NULL));
        nwpool_result_free(result);
    } else {
        cr_expect(eq(ptr, result, NULL));
    }
    return status;
}

// -- waiting

Test(results, waiting_ends_when_its_time_is_over)
{
    nwpool *pool = pool_of("tasks.js", 1);
    struct gate gate;
    nw_task_id task;
    uint64_t start_ms;

    gate_init(&gate);
    task = hold(pool, &gate);

    expect_status(wait_for(pool, task, 0), NW_ETIMEDOUT);
    start_ms = now_ms();
    expect_status(wait_for(pool, task, 50), NW_ETIMEDOUT);
    cr_expect(now_ms() - start_ms >= 49);
    expect_status(wait_for(pool, task, 1), NW_ETIMEDOUT);

    gate_let_go(&gate, 1);
    expect_value(take(pool, task), "\"held\"");
    destroy(pool);
    gate_fini(&gate);
}

Test(results, waiting_for_ever_ends_with_the_result)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_id task = submit(pool, "sleep", number(20), NULL);

    expect_status(wait_for(pool, task, NW_WAIT_FOREVER), NW_OK);
    destroy(pool);
}

Test(results, a_look_finds_a_result_that_is_there)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_id task = submit(pool, "inc", number(1), NULL);

    drain(pool);
    expect_status(wait_for(pool, task, 0), NW_OK);
    destroy(pool);
}

Test(results, a_result_is_taken_once)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_id task = submit(pool, "inc", number(1), NULL);

    expect_status(wait_for(pool, task, DEADLINE_MS), NW_OK);
    expect_status(wait_for(pool, task, DEADLINE_MS), NW_ENOENT);
    expect_status(wait_for(pool, task, 0), NW_ENOENT);
    destroy(pool);
}

Test(results, nobody_waits_for_a_task_that_is_not_there)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nwpool *other = pool_of("tasks.js", 1);
    struct outcome outcome = {0};
    nw_task_id task;
    nw_task_spec spec = {
        .function = "inc", .on_done = on_outcome, .user_data = &outcome};

    expect_status(wait_for(pool, (nw_task_id){0}, DEADLINE_MS), NW_ENOENT);
    expect_status(wait_for(pool, (nw_task_id){UINT64_MAX}, DEADLINE_MS),
                  NW_ENOENT);
    // One with a callback has its taker.
    cr_assert(eq(int, submit_spec(pool, spec, &task), NW_OK));
    cr_expect(ne(u64, task.value, 0));
    expect_status(wait_for(pool, task, DEADLINE_MS), NW_ENOENT);
    // One of another pool is none of ours.
    task = submit(other, "inc", number(1), NULL);
    expect_status(wait_for(pool, task, DEADLINE_MS), NW_ENOENT);
    expect_status(wait_for(other, task, DEADLINE_MS), NW_OK);
    destroy(pool);
    destroy(other);
    cr_expect(eq(int, outcome.calls, 1));
}

Test(results, wrong_waits_are_refused)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_id task = submit(pool, "inc", number(1), NULL);
    nw_result *result = (nw_result *)pool;

    expect_status(nwpool_wait(NULL, task, 0, &result), NW_EINVAL);
    cr_expect(eq(ptr, result, NULL));
    expect_status(nwpool_wait(pool, task, 0, NULL), NW_EINVAL);
    nwpool_result_free(NULL);
    expect_status(wait_for(pool, task, DEADLINE_MS), NW_OK);
    destroy(pool);
}

struct waiter {
    nwpool *pool;
    nw_task_id task;
    nw_status status;
    double number;
};

static void *wait_in_thread(void *argument)
{
    struct waiter *waiter = argument;
    nw_result *result;

    // Busy while the other thread takes a look.
    do {
        waiter->status =
            nwpool_wait(waiter->pool, waiter->task, DEADLINE_MS, &result);
    } while (waiter->status == NW_EBUSY);
    if (waiter->status == NW_OK) {
        waiter->number = nw_value_get_number(result->value);
        nwpool_result_free(result);
    }
    return NULL;
}

Test(results, one_thread_at_a_time_waits_for_a_task)
{
    nwpool *pool = pool_of("tasks.js", 1);
    struct gate gate;
    struct waiter waiter = {.pool = pool};
    pthread_t thread;

    gate_init(&gate);
    waiter.task = hold(pool, &gate);
    cr_assert(
        eq(int, pthread_create(&thread, NULL, wait_in_thread, &waiter), 0));

    eventually(wait_for(pool, waiter.task, 0) == NW_EBUSY);
    expect_status(wait_for(pool, waiter.task, DEADLINE_MS), NW_EBUSY);
    gate_let_go(&gate, 1);
    pthread_join(thread, NULL);
    expect_status(waiter.status, NW_OK);
    expect_status(wait_for(pool, waiter.task, 0), NW_ENOENT);
    destroy(pool);
    gate_fini(&gate);
}

Test(results, many_threads_wait_for_a_task_each)
{
    nwpool *pool = pool_of("tasks.js", 2);
    struct waiter waiters[50];
    pthread_t threads[50];

    for (int i = 0; i < 50; i++) {
        waiters[i] = (struct waiter){.pool = pool};
        waiters[i].task = i % 2 == 0
                              ? submit(pool, "inc", number(i), NULL)
                              : submit(pool, "sleep", number(i % 5), NULL);
        cr_assert(eq(
            int, pthread_create(&threads[i], NULL, wait_in_thread, &waiters[i]),
            0));
    }
    for (int i = 0; i < 50; i++) {
        pthread_join(threads[i], NULL);
        expect_status(waiters[i].status, NW_OK);
        cr_expect(eq(dbl, waiters[i].number, i % 2 == 0 ? i + 1 : i % 5));
    }
    destroy(pool);
}

// -- what a result says

Test(results, a_result_says_what_ran_where_and_how_long)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_id first = submit(pool, "busy", number(30), NULL);
    nw_task_id second = submit(pool, "inc", number(1), NULL);
    const nw_result *result = take(pool, first);

    cr_expect(gt(u64, second.value, first.value));
    expect_string(result->function, "busy");
    cr_expect(gt(u32, result->worker, 0));
    cr_expect(eq(int, result->exit_code, 0));
    cr_expect(result->run_ns >= 29 * 1000000 && result->run_ns < 30000000000);
    cr_expect(result->wait_ns < 60000000000);

    result = take(pool, second);
    expect_string(result->function, "inc");
    // It waited for the worker to start, and for the other task.
    cr_expect(ge(u64, result->wait_ns, 29 * 1000000));
    destroy(pool);
}

Test(results, ids_are_never_used_again)
{
    uint64_t last = 0;

    for (int round = 0; round < 3; round++) {
        nwpool *pool = pool_of("tasks.js", 1);

        for (int i = 0; i < 100; i++) {
            nw_task_id task = submit(pool, "inc", number(i), NULL);

            cr_expect(gt(u64, task.value, last));
            last = task.value;
        }
        destroy(pool);
    }
}

Test(results, a_result_outlives_its_pool)
{
    nwpool *pool = pool_of("tasks.js", 1);
    const nw_result *value = call(pool, "echo", list(text("a"), NULL), NULL);
    const nw_result *error = call(pool, "fail", text("kept"), NULL);

    destroy(pool);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    expect_value(value, "[\"a\"]");
    expect_failure(error, NW_ETHROWN, "kept");
    expect_string(error->function, "fail");
}

Test(results, results_that_nobody_takes_end_with_the_pool)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_value *large = list(text("some text that is not small at all"), NULL);

    for (int i = 0; i < 1000; i++) {
        submit(pool, i % 3 == 0 ? "fail" : "echo", large, NULL);
    }
    drain(pool);
    destroy(pool);
}

// -- callbacks

struct thread_log {
    pthread_t submitter;
    pthread_t last;
    int calls;
    int on_submitter;
    int on_others;
    uint64_t last_task;
    int out_of_order;
};

static void log_thread(const nw_result *result, void *user_data)
{
    struct thread_log *log = user_data;

    log->on_submitter += pthread_equal(pthread_self(), log->submitter) != 0;
    if (log->calls > 0) {
        log->on_others += pthread_equal(pthread_self(), log->last) == 0;
        log->out_of_order += result->task.value < log->last_task;
    }
    log->last = pthread_self();
    log->last_task = result->task.value;
    log->calls++;
}

Test(results, callbacks_come_from_one_thread_in_the_order_of_the_ends)
{
    nwpool *pool = pool_of("tasks.js", 1);
    struct thread_log log = {.submitter = pthread_self()};
    nw_task_spec spec = {
        .function = "inc", .on_done = log_thread, .user_data = &log};

    for (int i = 0; i < 1000; i++) {
        cr_assert(eq(int, submit_spec(pool, spec, NULL), NW_OK));
    }
    drain(pool);
    cr_expect(eq(int, log.calls, 1000));
    cr_expect(eq(int, log.on_submitter, 0));
    cr_expect(eq(int, log.on_others, 0));
    cr_expect(eq(int, log.out_of_order, 0));
    destroy(pool);
}

struct chain {
    nwpool *pool;
    int left;
    int calls;
    int refused;
};

static void submit_next(const nw_result *result, void *user_data)
{
    struct chain *chain = user_data;
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "inc",
        .on_done = submit_next,
        .user_data = chain,
    };

    (void)result;
    chain->calls++;
    if (chain->left-- > 0) {
        chain->refused += nwpool_submit(chain->pool, &spec, NULL) != NW_OK;
    }
}

Test(results, a_callback_may_submit)
{
    nwpool *pool = pool_of("tasks.js", 2);
    struct chain chain = {.pool = pool, .left = 2000};
    nw_task_spec spec = {
        .function = "inc", .on_done = submit_next, .user_data = &chain};

    cr_assert(eq(int, submit_spec(pool, spec, NULL), NW_OK));
    drain(pool);
    cr_expect(eq(int, chain.calls, 2001));
    cr_expect(eq(int, chain.refused, 0));
    destroy(pool);
}

Test(results, drain_returns_when_the_last_callback_has)
{
    nwpool *pool = pool_of("tasks.js", 1);
    struct outcome outcome = {0};

    for (int i = 1; i <= 300; i++) {
        submit_to(&outcome, pool, "inc", number(i), NULL);
        drain(pool);
        cr_assert(eq(int, outcome.calls, i));
    }
    destroy(pool);
}

// -- misuse: what would wait for itself

static void wait_in_callback(const nw_result *result, void *user_data)
{
    nw_result *other;

    nwpool_wait(user_data, result->task, 0, &other);
}

static void drain_in_callback(const nw_result *result, void *user_data)
{
    (void)result;
    nwpool_drain(user_data, 0);
}

static void destroy_in_callback(const nw_result *result, void *user_data)
{
    (void)result;
    nwpool_destroy(user_data);
}

static void misuse(nw_result_cb *callback)
{
    nwpool *pool = pool_of("tasks.js", 1);
    nw_task_spec spec = {
        .function = "inc", .on_done = callback, .user_data = pool};

    cr_assert(eq(int, submit_spec(pool, spec, NULL), NW_OK));
    drain(pool);
}

TestSuite(results_misuse, .init = test_init, .timeout = SUITE_TIMEOUT);

Test(results_misuse, waiting_in_a_callback_aborts, .signal = SIGABRT)
{
    misuse(wait_in_callback);
}

Test(results_misuse, draining_in_a_callback_aborts, .signal = SIGABRT)
{
    misuse(drain_in_callback);
}

Test(results_misuse, destroying_in_a_callback_aborts, .signal = SIGABRT)
{
    misuse(destroy_in_callback);
}

// Goal: a task that has to end does: in the queue at once, running as it was
// asked for; and no other task is harmed that does not share its worker.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(cancel, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// For a step that must not come, however slow the machine is.
#define PATIENT_MS 20000

static struct gate gate;

static nwpool *pool_for(nwpool_options options)
{
    gate_init(&gate);
    if (options.workers == 0) {
        options.workers = 1;
    }
    return pool_like("service.js", options);
}

static void end(nwpool *pool)
{
    destroy(pool);
    gate_fini(&gate);
}

// A task that says that it runs, and does.
static nw_task_id start(nwpool *pool, const char *function)
{
    nw_task_id id = submit(pool, function, gate_started(&gate), NULL);

    gate_wait(&gate);
    return id;
}

static void expect_canceled(const nw_result *result)
{
    expect_failure(result, NW_ECANCELED, "was canceled");
}

Test(cancel, what_waits_ends_at_once_and_never_runs)
{
    nwpool *pool = pool_for((nwpool_options){0});
    nw_task_id busy = start(pool, "spin");
    int marks[2];
    nw_task_id waiting;
    nw_task_id next;
    const nw_result *result;

    cr_assert(eq(int, pipe(marks), 0));
    waiting = submit(pool, "mark", number(marks[1]), NULL);
    next = submit(pool, "inc", number(1), NULL);
    expect_status(nwpool_cancel(pool, waiting, NW_CANCEL_ASK, 0), NW_OK);
    result = take(pool, waiting);
    expect_canceled(result);
    cr_expect(eq(u32, result->worker, 0));
    expect_status(nwpool_cancel(pool, waiting, NW_CANCEL_ASK, 0), NW_ENOENT);
    expect_status(nwpool_cancel(pool, busy, NW_CANCEL_END, 0), NW_OK);
    expect_canceled(take(pool, busy));
    expect_value(take(pool, next), "2");
    cr_expect(eq(u64, stats_of(pool).failed_canceled, 2));
    close(marks[1]);
    cr_expect(eq(int, (int)read(marks[0], &(char){0}, 1), 0));
    close(marks[0]);
    end(pool);
}

Test(cancel, one_that_listens_ends_by_itself_and_its_worker_lives)
{
    nwpool *pool = pool_for((nwpool_options){0});
    nw_task_id id = start(pool, "obey");
    const nw_result *result;
    uint32_t worker;

    expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, NW_WAIT_FOREVER),
                  NW_OK);
    result = take(pool, id);
    expect_canceled(result);
    worker = result->worker;
    cr_assert(ne(ptr, (void *)result->error->cause, NULL));
    expect_string(result->error->cause->name, "AbortError");
    expect_says(result->error->cause->message, "was canceled");
    result = call(pool, "inc", number(1), NULL);
    expect_value(result, "2");
    cr_expect(eq(u32, result->worker, worker));
    end(pool);
}

Test(cancel, one_that_was_asked_may_still_return)
{
    nwpool *pool = pool_for((nwpool_options){0});
    nw_task_id id = start(pool, "yieldValue");

    expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, NW_WAIT_FOREVER),
                  NW_OK);
    expect_value(take(pool, id), "\"in time\"");
    end(pool);
}

Test(cancel, one_that_does_not_listen_ends_with_its_worker)
{
    nwpool *pool = pool_for((nwpool_options){0});
    nw_task_id id = start(pool, "ignore");
    uint64_t start_ms = now_ms();
    const nw_result *result;
    uint32_t worker;

    expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, 100), NW_OK);
    result = take(pool, id);
    expect_canceled(result);
    worker = result->worker;
    cr_expect(now_ms() - start_ms >= 100);
    result = call(pool, "inc", number(1), NULL);
    expect_value(result, "2");
    cr_expect(gt(u32, result->worker, worker));
    end(pool);
}

Test(cancel, who_shares_a_worker_that_has_to_end_is_told_why)
{
    nwpool *pool = pool_for((nwpool_options){.concurrency = 4});
    nw_task_id others[2] = {start(pool, "ignore"), start(pool, "ignore")};
    nw_task_id id = start(pool, "ignore");
    const nw_result *result;

    expect_status(nwpool_cancel(pool, id, NW_CANCEL_END, 0), NW_OK);
    expect_canceled(take(pool, id));
    for (int i = 0; i < 2; i++) {
        result = take(pool, others[i]);
        expect_failure(result, NW_ECRASHED, "was ended while it ran task");
        expect_says(result->error->message, "(ignore) was canceled");
    }
    expect_value(call(pool, "inc", number(1), NULL), "2");
    end(pool);
}

Test(cancel, a_worker_that_is_to_end_gets_no_more_tasks)
{
    nwpool *pool = pool_for((nwpool_options){.spares = 1});
    nw_task_id id, next;
    const nw_result *result;
    uint32_t worker;
    struct jam jam;

    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    jam_init(&jam);
    id = submit(pool, "jam", number(jam.pipe[1]), number(JAM_SIZE), NULL);
    jam_wait(&jam);
    next = submit(pool, "inc", number(1), NULL);
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_END, 0), NW_OK);
    // It ends by itself, perhaps before its worker does.
    jam_clear(&jam);
    result = take(pool, id);
    cr_expect(result->status == NW_ECANCELED || result->status == NW_OK);
    worker = result->worker;
    result = take(pool, next);
    expect_value(result, "2");
    cr_expect(ne(u32, result->worker, worker));
    eventually(stats_of(pool).workers == 1 && stats_of(pool).spares == 1);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    jam_fini(&jam);
    end(pool);
}

Test(cancel, asking_one_of_several_harms_no_other)
{
    nwpool *pool = pool_for((nwpool_options){.concurrency = 4});
    nw_task_id other = submit(pool, "sleep", number(300), NULL);
    nw_task_id id = start(pool, "obey");

    expect_status(nwpool_cancel(pool, id, NW_CANCEL_ASK, NW_WAIT_FOREVER),
                  NW_OK);
    expect_canceled(take(pool, id));
    expect_value(take(pool, other), "300");
    end(pool);
}

Test(cancel, what_is_over_is_not_there_to_be_canceled)
{
    nwpool *pool = pool_for((nwpool_options){0});
    nw_task_id id = submit(pool, "inc", number(1), NULL);

    eventually(stats_of(pool).done == 1);
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_END, 0), NW_ENOENT);
    expect_value(take(pool, id), "2");
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_END, 0), NW_ENOENT);
    expect_status(nwpool_cancel(pool, (nw_task_id){0}, NW_CANCEL_END, 0),
                  NW_ENOENT);
    expect_status(nwpool_cancel(NULL, id, NW_CANCEL_END, 0), NW_EINVAL);
    expect_status(nwpool_cancel(pool, id, (nw_cancel)3, 0), NW_EINVAL);
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_INTERRUPT, NW_WAIT_FOREVER),
                  NW_EINVAL);
    end(pool);
}

// -- limits

static nw_task_id submit_limited(nwpool *pool, const char *function,
                                 uint32_t limit_ms, nw_interruptible how)
{
    const nw_value *argument = gate_started(&gate);
    nw_task_id id;

    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = function,
                                             .arguments = &argument,
                                             .argument_count = 1,
                                             .run_limit_ms = limit_ms,
                                             .interruptible = how},
                              &id),
                  NW_OK);
    return id;
}

static void expect_limit(const nw_result *result)
{
    expect_failure(result, NW_ETIMEDOUT, "ran longer than its limit of 50 ms");
}

Test(cancel, a_limit_ends_the_worker_where_nothing_else_is_allowed)
{
    nwpool *pool = pool_for((nwpool_options){0});
    nw_task_id id, next;
    const nw_result *result;
    uint32_t worker;

    call(pool, "inc", number(1), NULL);
    id = submit_limited(pool, "spin", 50, NW_INTERRUPT_NO);
    next = submit(pool, "inc", number(1), NULL);
    result = take(pool, id);
    expect_limit(result);
    worker = result->worker;
    cr_expect(ge(u64, result->run_ns, 50000000));
    result = take(pool, next);
    expect_value(result, "2");
    cr_expect(gt(u32, result->worker, worker));
    cr_expect(eq(u64, stats_of(pool).failed_timed_out, 1));
    end(pool);
}

// If it says so in its time, which is short on a busy machine.
Test(cancel, a_script_that_is_ended_says_where_it_was)
{
    nwpool *pool = pool_for((nwpool_options){0});
    bool said = false;

    for (int i = 0; i < 50 && !said; i++) {
        const nw_result *result =
            take(pool, submit_limited(pool, "spin", 50, NW_INTERRUPT_NO));

        expect_limit(result);
        said = says(result->error->stack, "at exports.spin");
    }
    cr_expect(said);
    end(pool);
}

Test(cancel, an_interruptible_script_leaves_its_worker_alive)
{
    static const char *const scripts[] = {"spin", "spinCatching"};
    nwpool *pool = pool_for(
        (nwpool_options){.interruptible = true, .escalation_ms = PATIENT_MS});
    uint32_t worker = call(pool, "inc", number(1), NULL)->worker;

    for (int i = 0; i < 2; i++) {
        nw_task_id id =
            submit_limited(pool, scripts[i], 50, NW_INTERRUPT_AS_POOL);
        const nw_result *result = take(pool, id);

        expect_limit(result);
        cr_expect(eq(u32, result->worker, worker));
        expect_says(result->error->stack, scripts[i]);
        expect_says(result->error->stack, "service.js");
        result = call(pool, "inc", number(1), NULL);
        expect_value(result, "2");
        cr_expect(eq(u32, result->worker, worker));
    }
    // Nor did `finally` run.
    expect_value(call(pool, "isSetUp", NULL), "0");
    end(pool);
}

// What spins behind an await cannot be interrupted, and ends with its worker.
Test(cancel, what_cannot_be_interrupted_ends_with_its_worker)
{
    nwpool *pool = pool_for((nwpool_options){.interruptible = true});
    nw_task_id id =
        submit_limited(pool, "spinAfterAwait", 50, NW_INTERRUPT_YES);

    expect_limit(take(pool, id));
    expect_value(call(pool, "inc", number(1), NULL), "2");
    end(pool);
}

Test(cancel, a_limit_is_for_running_and_not_for_waiting)
{
    nwpool *pool = pool_for((nwpool_options){.run_limit_ms = 1000});
    nw_task_id ids[15];

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        ids[i] = submit(pool, "busy", number(100), NULL);
    }
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        expect_value(take(pool, ids[i]), "100");
    }
    end(pool);
}

Test(cancel, a_limit_tells_one_that_listens)
{
    nwpool *pool = pool_for(
        (nwpool_options){.interruptible = true, .escalation_ms = PATIENT_MS});
    uint32_t worker = call(pool, "inc", number(1), NULL)->worker;
    nw_task_id id = submit_limited(pool, "obey", 50, NW_INTERRUPT_AS_POOL);
    const nw_result *result = take(pool, id);

    expect_limit(result);
    expect_string(result->error->cause->name, "AbortError");
    cr_expect(eq(u32, call(pool, "inc", number(1), NULL)->worker, worker));
    end(pool);
}

// -- stuck in native code

Test(cancel, a_worker_stuck_in_native_code_is_given_up)
{
    nwpool *pool =
        pool_for((nwpool_options){.on_event = on_pool_event, .concurrency = 1});
    struct jam jam;
    nw_task_id id, next;
    const nw_result *result;
    size_t wedged;

    jam_init(&jam);
    id = submit(pool, "jam", number(jam.pipe[1]), number(JAM_SIZE), NULL);
    jam_wait(&jam);
    next = submit(pool, "inc", number(1), NULL);
    expect_status(nwpool_cancel(pool, id, NW_CANCEL_END, 0), NW_OK);
    expect_canceled(take(pool, id));
    // Somebody else works in its place, long before it is given up.
    expect_value(take(pool, next), "2");
    wedged = expect_told(NWPOOL_WORKER_WEDGED, 0);
    expect_says(pool_told.events[wedged].reason, "was canceled");
    cr_expect(eq(u32, stats_of(pool).wedged, 1));
    result = call(pool, "inc", number(1), NULL);
    expect_value(result, "2");
    // It comes back, and nobody is harmed.
    jam_clear(&jam);
    eventually(stats_of(pool).wedged == 0);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    jam_fini(&jam);
    end(pool);
}

Test(cancel, destroy_names_a_worker_that_is_left_behind)
{
    nwpool *pool = pool_for((nwpool_options){0});
    struct jam jam;
    uint64_t start_ms;
    nw_status status;
    char name[64];

    jam_init(&jam);
    submit(pool, "jam", number(jam.pipe[1]), number(JAM_SIZE), NULL);
    jam_wait(&jam);
    start_ms = now_ms();
    status = nwpool_destroy(pool);
    expect_status(status, NW_EWEDGED);
    cr_expect(now_ms() - start_ms < NW_POOL_DESTROY_TIMEOUT_MS + 3000);
    snprintf(name, sizeof(name), "worker ");
    expect_says(nw_status_detail(), name);
    expect_says(nw_status_detail(), "stuck in native code");
    jam_clear(&jam);
    jam_fini(&jam);
    gate_fini(&gate);
}

// Goal: a pool can be destroyed in any state, ends every task exactly once
// before it is gone, and leaves nothing behind.

#include "tests/pool/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(destroy, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// -- what was accepted is canceled

#define WAITING 500

static void destroy_with(const char *function, uint32_t workers)
{
    static struct outcome running[2], waiting[WAITING];
    nwpool *pool = pool_of("tasks.js", workers);
    struct gate gate;

    memset(running, 0, sizeof(running));
    memset(waiting, 0, sizeof(waiting));
    gate_init(&gate);
    for (uint32_t i = 0; i < workers; i++) {
        submit_to(&running[i], pool, function, gate_started(&gate),
                  gate_release(&gate), NULL);
        gate_wait(&gate);
    }
    for (int i = 0; i < WAITING; i++) {
        submit_to(&waiting[i], pool, "inc", number(i), NULL);
    }
    destroy(pool);

    for (uint32_t i = 0; i < workers; i++) {
        cr_expect(eq(int, running[i].calls, 1));
        expect_status(running[i].status, NW_ECANCELED);
        expect_says(running[i].message, "destroyed");
        cr_expect(ne(u32, running[i].worker, 0));
        cr_expect(eq(u64, running[i].error_task, running[i].task));
    }
    for (int i = 0; i < WAITING; i++) {
        cr_assert(eq(int, waiting[i].calls, 1));
        expect_status(waiting[i].status, NW_ECANCELED);
        cr_expect(eq(u32, waiting[i].worker, 0));
    }
    gate_fini(&gate);
}

Test(destroy, a_task_that_spins_is_canceled)
{
    destroy_with("spin", 1);
    destroy_with("spin", 2);
}

Test(destroy, a_task_that_awaits_for_ever_is_canceled)
{
    destroy_with("never", 1);
    destroy_with("never", 2);
}

Test(destroy, a_task_that_awaits_a_timer_is_canceled)
{
    destroy_with("wait", 2);
}

Test(destroy, tasks_without_a_taker_are_canceled)
{
    nwpool *pool = pool_of("tasks.js", 2);
    struct gate gate;

    gate_init(&gate);
    for (int i = 0; i < 100; i++) {
        submit(pool, "inc", text("some text to be freed once"), NULL);
    }
    submit(pool, "spin", gate_started(&gate), NULL);
    gate_wait(&gate);
    for (int i = 0; i < 100; i++) {
        submit(pool, "fail", text("some text to be freed once"), NULL);
    }
    destroy(pool);
    gate_fini(&gate);
}

// Whether a task had ended when the pool was destroyed is a matter of luck;
// that it ends once is not.
Test(destroy, a_pool_in_full_swing_ends_every_task_once)
{
    static struct outcome outcomes[2000];
    const char *const functions[] = {"inc", "sleep", "fail", "failLater",
                                     "busy"};
    int canceled = 0;

    for (int round = 0; round < 20; round++) {
        nwpool *pool = pool_of("tasks.js", 2);

        memset(outcomes, 0, sizeof(outcomes));
        if (round % 2 == 0) {
            call(pool, "inc", number(1), NULL);
        }
        for (int i = 0; i < 2000; i++) {
            submit_to(&outcomes[i], pool, functions[i % 5], number(i % 3),
                      NULL);
        }
        pause_ms((unsigned)round);
        destroy(pool);
        for (int i = 0; i < 2000; i++) {
            cr_assert(eq(int, outcomes[i].calls, 1));
            canceled += outcomes[i].status == NW_ECANCELED;
            cr_assert(outcomes[i].status == NW_ECANCELED ||
                      outcomes[i].status == NW_ETHROWN ||
                      outcomes[i].status == NW_OK);
        }
    }
    cr_expect(gt(int, canceled, 0));
}

// The worker is in the middle of the arguments when the task is taken from it.
Test(destroy, a_pool_may_be_destroyed_while_arguments_arrive)
{
    nw_value *large = nw_value_array(doc);

    for (int i = 0; i < 200000; i++) {
        nw_array_push(large, text("some text of an array that is large"));
    }
    for (int round = 0; round < 10; round++) {
        nwpool *pool = pool_of("tasks.js", 1);
        struct outcome outcome = {0};

        call(pool, "inc", number(1), NULL);
        submit_to(&outcome, pool, "echo", large, NULL);
        eventually(stats_of(pool).running == 1);
        pause_ms((unsigned)round % 3);
        destroy(pool);
        cr_expect(eq(int, outcome.calls, 1));
        expect_status(outcome.status, NW_ECANCELED);
    }
}

// -- submitting meanwhile, from a callback

struct resubmitter {
    nwpool *pool;
    atomic_int callbacks;
    atomic_int accepted;
    atomic_int released;
    atomic_int lent;
    nw_doc *large; // Takes a while to be encoded.
};

static char lent_memory[16];

static void count_release(void *data, size_t size, void *hint)
{
    (void)data;
    (void)size;
    atomic_fetch_add((atomic_int *)hint, 1);
}

static void submit_lent_again(const nw_result *result, void *user_data)
{
    struct resubmitter *self = user_data;
    nw_doc *arguments = nw_doc_create();
    nw_value *array = nw_value_array(arguments);
    const nw_value *argument = array;
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "echo",
        .arguments = &argument,
        .argument_count = 1,
        .on_done = submit_lent_again,
        .user_data = self,
    };

    (void)result;
    atomic_fetch_add(&self->callbacks, 1);
    atomic_fetch_add(&self->lent, 1);
    nw_array_push(array, nw_value_bytes_lend(arguments, lent_memory,
                                             sizeof(lent_memory), count_release,
                                             &self->released));
    for (int i = 0; i < 20000; i++) {
        nw_array_push(array, nw_value_number(arguments, i));
    }
    if (nwpool_submit(self->pool, &spec, NULL) == NW_OK) {
        atomic_fetch_add(&self->accepted, 1);
    }
    nw_doc_destroy(arguments);
}

// The callback may be anywhere inside nwpool_submit() when everything that was
// accepted is canceled; memory that it lends comes back in any case.
Test(destroy, a_callback_may_submit_while_its_pool_is_destroyed)
{
    for (int round = 0; round < 40; round++) {
        struct resubmitter self = {.pool = pool_of("tasks.js", 1)};
        nw_task_spec spec = {.function = "inc",
                             .on_done = submit_lent_again,
                             .user_data = &self};

        atomic_store(&self.accepted, 8);
        for (int i = 0; i < 8; i++) {
            cr_assert(eq(int, submit_spec(self.pool, spec, NULL), NW_OK));
        }
        eventually(atomic_load(&self.callbacks) >= 8 + round % 8);
        destroy(self.pool);
        cr_expect(
            eq(int, atomic_load(&self.callbacks), atomic_load(&self.accepted)));
        cr_expect(
            eq(int, atomic_load(&self.released), atomic_load(&self.lent)));
    }
}

// -- in any state

Test(destroy, nothing_is_destroyed_easily)
{
    expect_status(nwpool_destroy(NULL), NW_OK);
}

Test(destroy, a_pool_may_be_destroyed_before_its_workers_are_there)
{
    for (int i = 0; i < 10; i++) {
        destroy(pool_of("tasks.js", 4));
    }
}

Test(destroy, a_pool_may_be_destroyed_while_its_workers_come_up)
{
    for (int i = 0; i < 30; i++) {
        nwpool *pool = pool_of(i % 3 == 0 ? "esm/index.js" : "tasks.js", 2);
        struct outcome outcome = {0};

        submit_to(&outcome, pool, "inc", number(1), NULL);
        pause_ms((unsigned)i);
        destroy(pool);
        cr_expect(eq(int, outcome.calls, 1));
    }
}

Test(destroy, a_pool_may_be_destroyed_while_its_workers_die)
{
    for (int i = 0; i < 30; i++) {
        nwpool *pool = pool_of("tasks.js", 2);
        struct outcome outcomes[10] = {0};

        for (int k = 0; k < 10; k++) {
            submit_to(&outcomes[k], pool, k % 2 == 0 ? "exit" : "exitAfter",
                      number(k), NULL);
        }
        pause_ms((unsigned)i * 2);
        destroy(pool);
        for (int k = 0; k < 10; k++) {
            cr_expect(eq(int, outcomes[k].calls, 1));
        }
    }
}

Test(destroy, a_failed_pool_can_be_destroyed)
{
    nwpool *pool = pool_of("no such module", 2);
    struct outcome outcome = {0};

    eventually(submit_to(&outcome, pool, "x", NULL) == NW_EFAILED);
    destroy(pool);
}

// -- what is left: nothing

Test(destroy, threads_descriptors_and_memory_come_back)
{
    unsigned threads = 0;
    unsigned descriptors = 0;
    size_t resident = 0;

    for (int i = 0; i < 30; i++) {
        nwpool *pool = pool_of("tasks.js", 2);

        expect_status(call(pool, "inc", number(i), NULL)->status, NW_OK);
        free_results();
        destroy(pool);
        if (i == 9) {
            // What the first ones set up once is there by now.
            threads = thread_count();
            descriptors = descriptor_count();
            resident = resident_kib();
        }
    }
    cr_expect(eq(u32, thread_count(), threads));
    cr_expect(eq(u32, descriptor_count(), descriptors));
    // Forty isolates would be some 200 MiB.
    cr_expect(lt(sz, resident_kib(), resident + 40 * 1024));
}

// -- a worker that cannot be ended

Test(destroy, a_worker_stuck_in_native_code_is_left_behind)
{
    struct outcome outcome = {0};
    struct outcome waiting = {0};
    nwpool *pool = pool_of("tasks.js", 1);
    struct jam jam;
    uint64_t start_ms;

    jam_init(&jam);
    submit_to(&outcome, pool, "jam", number(jam.pipe[1]), number(JAM_SIZE),
              NULL);
    jam_wait(&jam);
    submit_to(&waiting, pool, "inc", number(1), NULL);

    start_ms = now_ms();
    expect_status(nwpool_destroy(pool), NW_EWEDGED);
    cr_expect(now_ms() - start_ms >= NW_POOL_DESTROY_TIMEOUT_MS - 1);
    cr_expect(now_ms() - start_ms < 4 * NW_POOL_DESTROY_TIMEOUT_MS);
    cr_expect(eq(int, outcome.calls, 1));
    expect_status(outcome.status, NW_ECANCELED);
    cr_expect(eq(int, waiting.calls, 1));

    // It may go on; what it does is nobody's business any more.
    jam_clear(&jam);
    pool = pool_of("tasks.js", 1);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(int, outcome.calls, 1));
    jam_fini(&jam);
}

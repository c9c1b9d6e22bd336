// Goal: a worker can be ended, waited for and destroyed at any moment, and its
// handle tells the truth before and after.

#include "tests/pool/ear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ear ear;

static void init(void)
{
    test_init();
    ear_init(&ear);
}

static void fini(void)
{
    ear_fini(&ear);
    test_fini();
}

TestSuite(lifetime, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// -- the end

static void expect_terminated(const char *source)
{
    nw_worker *worker;
    int code = -1;

    ear_fini(&ear);
    ear_init(&ear);
    worker = worker_of(&ear, source);
    expect_heard(&ear, 1, NW_WORKER_MESSAGE, "1");
    expect_status(nw_worker_terminate(worker), NW_OK);
    expect_status(nw_worker_wait(worker, DEADLINE_MS, &code), NW_OK);
    cr_expect(eq(int, code, 1), "%s", source);
    expect_exit(&ear, 1);
    cr_expect(eq(sz, ear_count(&ear, NW_WORKER_ERROR), 0), "%s", source);
    expect_status(nw_worker_terminate(worker), NW_ECLOSED);
    end_worker(worker);
}

Test(lifetime, whatever_runs_can_be_terminated)
{
    expect_terminated(SCRIPT "parentPort.postMessage(1); for (;;);");
    expect_terminated(SCRIPT "parentPort.postMessage(1);"
                             "for (;;) try { for (;;); } catch {}");
    expect_terminated(SCRIPT "parentPort.postMessage(1);"
                             "setInterval(() => {}, 1)");
    expect_terminated(
        SCRIPT "parentPort.postMessage(1);"
               "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)");
    expect_terminated(SCRIPT "parentPort.postMessage(1);"
                             "parentPort.on('message', () => {})");
    expect_terminated(SCRIPT "parentPort.postMessage(1);"
                             "process.on('exit', () => { for (;;); });"
                             "parentPort.on('message', () => {})");
    expect_terminated(SCRIPT
                      "parentPort.postMessage(1);"
                      "(function again() { Promise.resolve().then(again) })()");
}

Test(lifetime, an_ended_worker_stays_as_it_ended)
{
    nw_resource_limits limits;
    nw_worker *worker = worker_of(&ear, "process.exit(3)");
    int code = -1;

    expect_exit(&ear, 3);
    for (int i = 0; i < 2; i++) {
        expect_status(nw_worker_wait(worker, 0, &code), NW_OK);
        cr_expect(eq(int, code, 3));
    }
    expect_status(nw_worker_wait(worker, NW_WAIT_FOREVER, NULL), NW_OK);
    expect_status(nw_worker_terminate(worker), NW_ECLOSED);
    expect_status(post(worker, number(1)), NW_ECLOSED);
    cr_expect(eq(i64, nw_worker_thread_id(worker), -1));
    cr_expect(not(nw_worker_has_ref(worker)));
    expect_status(nw_worker_get_resource_limits(worker, &limits), NW_OK);
    cr_expect(eq(dbl, limits.stack_size_mb, 0));
    end_worker(worker);
}

Test(lifetime, waiting_has_a_bound)
{
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);
    uint64_t start_ms = now_ms();
    int code = 77;

    expect_status(nw_worker_wait(worker, 0, &code), NW_ETIMEDOUT);
    expect_status(nw_worker_wait(worker, 100, &code), NW_ETIMEDOUT);
    cr_expect(ge(u64, now_ms() - start_ms, 95));
    expect_status(nw_worker_wait(NULL, 0, NULL), NW_EINVAL);
    end_worker(worker);
}

static void *wait_for_code(void *worker)
{
    int code = -1;

    return nw_worker_wait(worker, DEADLINE_MS, &code) == NW_OK && code == 1
               ? worker
               : NULL;
}

Test(lifetime, many_threads_may_wait)
{
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);
    pthread_t threads[8];

    for (int i = 0; i < 8; i++) {
        pthread_create(&threads[i], NULL, wait_for_code, worker);
    }
    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    expect_status(nw_worker_terminate(worker), NW_OK);
    for (int i = 0; i < 8; i++) {
        void *result;

        pthread_join(threads[i], &result);
        cr_expect(eq(ptr, result, worker));
    }
    end_worker(worker);
}

Test(lifetime, a_worker_ends_itself_when_nothing_is_left_to_do)
{
    nw_worker *worker =
        worker_of(&ear, SCRIPT "parentPort.on('message', (m) => {"
                               "  if (m === 'close') parentPort.close();"
                               "  else parentPort.unref(); })");

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    expect_status(post(worker, text("close")), NW_OK);
    expect_exit(&ear, 0);
    end_worker(worker);
}

// -- ids

Test(lifetime, thread_ids_are_those_inside)
{
    struct ear other;
    nw_worker *first, *second;

    ear_init(&other);
    first = worker_of(&ear, SCRIPT "parentPort.postMessage(wt.threadId);"
                                   "parentPort.on('message', () => {})");
    second = worker_of(&other, SCRIPT "parentPort.postMessage(wt.threadId);"
                                      "parentPort.on('message', () => {})");
    cr_expect(eq(i64, nw_worker_thread_id(first),
                 strtoll(ear_at(&ear, 1)->text, NULL, 10)));
    cr_expect(eq(i64, nw_worker_thread_id(second),
                 strtoll(ear_at(&other, 1)->text, NULL, 10)));
    cr_expect(ne(i64, nw_worker_thread_id(first), nw_worker_thread_id(second)));
    cr_expect(gt(i64, nw_worker_thread_id(first), 0));
    nw_worker_terminate(first);
    ear_end(&ear);
    cr_expect(eq(i64, nw_worker_thread_id(first), -1));
    cr_expect(gt(i64, nw_worker_thread_id(second), 0));
    cr_expect(eq(i64, nw_worker_thread_id(NULL), -1));
    end_worker(first);
    end_worker(second);
    ear_fini(&other);
}

static void ask_where(struct ear *one, const nw_value *value)
{
    (void)value;
    *(bool *)one->data = nw_is_main_thread() && nw_thread_id() == 0;
}

Test(lifetime, no_thread_of_the_host_is_a_workers)
{
    bool main_there = false;
    nw_worker *worker;

    cr_expect(nw_is_main_thread());
    cr_expect(eq(i64, nw_thread_id(), 0));
    ear.on_value = ask_where;
    ear.data = &main_there;
    worker = worker_of(&ear, SCRIPT "parentPort.postMessage(1)");
    ear_end(&ear);
    cr_expect(main_there);
    cr_expect(nw_is_main_thread());
    end_worker(worker);
}

// -- destroying

Test(lifetime, a_worker_can_be_destroyed_in_any_state)
{
    const char *const sources[] = {
        ";",
        "for (;;);",
        "setInterval(() => {}, 1)",
        "throw 1",
        "process.exit(3)",
        "process.stdin.resume()",
        "for (;;) console.log('more')",
        SCRIPT "for (;;) parentPort.postMessage('more')",
        SCRIPT "new wt.Worker('for (;;);', { eval: true })",
        "require('fs').readFile('/dev/zero', () => {})",
    };

    expect_status(nw_worker_destroy(NULL), NW_OK);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
            nw_worker *worker = worker_with(
                NULL, (nw_worker_options){.source = sources[i],
                                          .stdout_mode = NW_OUTPUT_EVENT,
                                          .stdin_pipe = true});

            pause_ms(round * 20);
            end_worker(worker);
        }
    }
}

Test(lifetime, the_last_event_comes_before_destroy_returns)
{
    for (int i = 0; i < 10; i++) {
        nw_worker *worker;

        ear_fini(&ear);
        ear_init(&ear);
        worker = worker_of(&ear, "for (;;);");
        pause_ms((unsigned)i * 5);
        end_worker(worker);
        cr_expect(ear.over);
        cr_expect(not(ear.late));
    }
}

Test(lifetime, a_worker_stuck_in_native_code_is_left_behind)
{
    struct jam jam;
    char source[256];
    nw_worker *worker;
    uint64_t took_ms;
    size_t count;
    bool over;

    jam_init(&jam);
    snprintf(source, sizeof(source),
             "require('fs').writeSync(%d, Buffer.alloc(%d));", jam.pipe[1],
             JAM_SIZE);
    worker = worker_of(&ear, source);
    jam_wait(&jam);
    took_ms = now_ms();
    expect_status(nw_worker_destroy(worker), NW_EWEDGED);
    took_ms = now_ms() - took_ms;
    cr_expect(ge(u64, took_ms, NW_WORKER_DESTROY_TIMEOUT_MS - 1));
    cr_expect(lt(u64, took_ms, NW_WORKER_DESTROY_TIMEOUT_MS + 2000));
    count = ear.count;
    over = ear.over;

    // Others are not held up by it.
    end_worker(worker_of(NULL, ";"));

    jam_clear(&jam);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(sz, ear.count, count));
    cr_expect(eq(int, ear.over, over));
    jam_fini(&jam);
}

// -- from inside a callback

static void post_again(const nw_worker_event *event, void *user_data)
{
    if (event->type == NW_WORKER_MESSAGE) {
        double value = nw_value_get_number(event->value);
        nw_doc *message = nw_doc_create();

        if (value < 100) {
            post(event->worker, nw_value_number(message, value + 1));
        } else {
            nw_worker_terminate(event->worker);
        }
        nw_doc_destroy(message);
    }
    if (event->type == NW_WORKER_EXIT) {
        atomic_store((atomic_int *)user_data, 1);
    }
}

Test(lifetime, a_callback_may_post_and_terminate)
{
    atomic_int exited = 0;
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = ECHO_SCRIPT,
        .on_event = post_again,
        .user_data = &exited,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    expect_status(post(worker, number(0)), NW_OK);
    eventually(atomic_load(&exited) == 1);
    end_worker(worker);
}

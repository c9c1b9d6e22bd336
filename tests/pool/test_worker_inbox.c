// Goal: with an inbox, callbacks of workers and ports run where and when its
// owner says: in poll, in run, behind a descriptor or on a libuv loop.

#include "tests/pool/ear.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

static nw_inbox *inbox;
static struct ear ear;

static void init(void)
{
    test_init();
    ear_init(&ear);
    cr_assert(eq(int, nw_inbox_create(&inbox), NW_OK));
    ear.inbox = inbox;
}

static void fini(void)
{
    must(nw_inbox_destroy(inbox) == NW_OK, "the inbox is busy");
    ear_fini(&ear);
    test_fini();
}

TestSuite(inbox, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// Until there is nothing left, wanted or not.
static void poll_all(void)
{
    while (nw_inbox_poll(inbox, 50) == NW_OK) {
    }
}

// -- polling

static pthread_t heard_on;

static void note_thread(struct ear *one, const nw_value *value)
{
    (void)one;
    (void)value;
    heard_on = pthread_self();
}

Test(inbox, callbacks_run_in_poll_and_nowhere_else)
{
    nw_worker *worker;

    ear.on_value = note_thread;
    worker = worker_of(&ear, SCRIPT "parentPort.postMessage(1)");
    expect_status(nw_worker_wait(worker, DEADLINE_MS, NULL), NW_OK);
    cr_expect(eq(sz, ear.count, 0));
    expect_exit(&ear, 0);
    cr_expect(eq(sz, ear.count, 3));
    cr_expect(pthread_equal(heard_on, pthread_self()));
    expect_status(nw_inbox_poll(inbox, 0), NW_ETIMEDOUT);
    end_worker(worker);
}

Test(inbox, polling_has_a_bound)
{
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);
    uint64_t start_ms;

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    expect_status(nw_inbox_poll(inbox, 0), NW_ETIMEDOUT);
    start_ms = now_ms();
    expect_status(nw_inbox_poll(inbox, 100), NW_ETIMEDOUT);
    cr_expect(ge(u64, now_ms() - start_ms, 95));
    end_worker(worker);
}

Test(inbox, output_comes_there_too)
{
    nw_worker *worker =
        worker_with(&ear, (nw_worker_options){.source = "console.log('line')",
                                              .stdout_mode = NW_OUTPUT_EVENT});

    expect_exit(&ear, 0);
    expect_output(&ear, 1, "line\n");
    end_worker(worker);
}

Test(inbox, a_descriptor_says_that_callbacks_wait)
{
    struct pollfd poller = {.fd = nw_inbox_fd(inbox), .events = POLLIN};
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);

    cr_assert(ge(int, poller.fd, 0));
    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    cr_expect(eq(int, poll(&poller, 1, 0), 0));
    for (int i = 0; i < 20; i++) {
        expect_status(post(worker, number(i)), NW_OK);
        cr_expect(eq(int, poll(&poller, 1, DEADLINE_MS), 1));
        expect_status(nw_inbox_poll(inbox, 0), NW_OK);
        cr_expect(eq(int, poll(&poller, 1, 0), 0));
    }
    cr_expect(eq(sz, ear.messages, 20));
    end_worker(worker);
}

Test(inbox, several_share_one)
{
    struct ear others[3];
    nw_worker *workers[3];
    nw_port *ports[2];

    for (int i = 0; i < 3; i++) {
        ear_init(&others[i]);
        others[i].inbox = inbox;
        workers[i] = worker_of(&others[i], ECHO_SCRIPT);
        expect_status(post(workers[i], number(i)), NW_OK);
    }
    channel(&ports[0], &ports[1]);
    expect_status(nw_port_listen(ports[0], ear_port, &ear, inbox), NW_OK);
    expect_status(port_post(ports[1], text("hello")), NW_OK);
    expect_heard(&ear, 0, NW_PORT_MESSAGE, "\"hello\"");
    expect_said(&others[0], "0");
    expect_said(&others[1], "1");
    expect_said(&others[2], "2");
    for (int i = 0; i < 3; i++) {
        end_worker(workers[i]);
        ear_fini(&others[i]);
    }
    expect_status(nw_port_destroy(ports[0]), NW_OK);
    expect_status(nw_port_destroy(ports[1]), NW_OK);
}

// -- running until nothing is left

Test(inbox, run_ends_when_the_last_worker_has_ended)
{
    nw_worker *worker =
        worker_of(&ear, SCRIPT "parentPort.once('message', (m) => "
                               "parentPort.postMessage(m))");

    cr_expect(nw_inbox_is_alive(inbox));
    cr_expect(nw_worker_has_ref(worker));
    expect_status(nw_inbox_run(inbox, 50), NW_ETIMEDOUT);
    expect_status(post(worker, text("go")), NW_OK);
    expect_status(nw_inbox_run(inbox, DEADLINE_MS), NW_OK);
    cr_expect(ear.over);
    cr_expect(eq(sz, ear.messages, 1));
    cr_expect(not(nw_inbox_is_alive(inbox)));
    expect_status(nw_inbox_run(inbox, 0), NW_OK);
    end_worker(worker);
}

Test(inbox, what_is_unrefd_does_not_keep_run_going)
{
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);

    expect_status(nw_worker_unref(worker), NW_OK);
    expect_status(nw_worker_unref(worker), NW_OK);
    cr_expect(not(nw_worker_has_ref(worker)));
    cr_expect(not(nw_inbox_is_alive(inbox)));
    expect_status(nw_inbox_run(inbox, DEADLINE_MS), NW_OK);
    cr_expect(not(ear.over));

    expect_status(nw_worker_ref(worker), NW_OK);
    expect_status(nw_worker_ref(worker), NW_OK);
    cr_expect(nw_worker_has_ref(worker));
    expect_status(nw_inbox_run(inbox, 20), NW_ETIMEDOUT);
    expect_status(nw_worker_terminate(worker), NW_OK);
    expect_status(nw_inbox_run(inbox, DEADLINE_MS), NW_OK);
    cr_expect(ear.over);
    end_worker(worker);
}

Test(inbox, a_port_keeps_run_going_while_it_is_listened_to)
{
    nw_port *ports[2];

    channel(&ports[0], &ports[1]);
    cr_expect(not(nw_port_has_ref(ports[0])));
    expect_status(nw_inbox_run(inbox, 0), NW_OK);
    expect_status(nw_port_listen(ports[0], ear_port, &ear, inbox), NW_OK);
    cr_expect(nw_port_has_ref(ports[0]));
    expect_status(nw_inbox_run(inbox, 20), NW_ETIMEDOUT);
    expect_status(nw_port_unref(ports[0]), NW_OK);
    cr_expect(not(nw_port_has_ref(ports[0])));
    expect_status(nw_inbox_run(inbox, DEADLINE_MS), NW_OK);
    expect_status(nw_port_ref(ports[0]), NW_OK);
    expect_status(nw_port_close(ports[1]), NW_OK);
    expect_status(nw_inbox_run(inbox, DEADLINE_MS), NW_OK);
    cr_expect(ear.over);
    cr_expect(not(nw_port_has_ref(ports[0])));
    expect_status(nw_port_destroy(ports[0]), NW_OK);
    expect_status(nw_port_destroy(ports[1]), NW_OK);
}

// -- a libuv loop

static int loop_until_over(uv_loop_t *loop)
{
    int alive = 1;

    for (uint64_t end_ms = now_ms() + DEADLINE_MS;
         alive && now_ms() < end_ms;) {
        alive = uv_run(loop, UV_RUN_ONCE);
    }
    return alive;
}

Test(inbox, a_loop_runs_the_callbacks_and_ends_with_them)
{
    uv_loop_t loop;
    nw_worker *worker;

    cr_assert(eq(int, uv_loop_init(&loop), 0));
    expect_status(nw_inbox_attach(inbox, &loop), NW_OK);
    expect_status(nw_inbox_attach(inbox, &loop), NW_EALREADY);
    // Nothing delivers: the loop has nothing to stay for.
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));

    ear.on_value = note_thread;
    worker = worker_of(&ear, SCRIPT "parentPort.postMessage(1)");
    cr_expect(eq(int, loop_until_over(&loop), 0));
    cr_expect(ear.over);
    cr_expect(pthread_equal(heard_on, pthread_self()));
    end_worker(worker);

    worker = worker_of(&ear, ECHO_SCRIPT);
    expect_status(nw_worker_unref(worker), NW_OK);
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    end_worker(worker);

    expect_status(nw_inbox_attach(inbox, NULL), NW_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0));
    // Off the loop it is polled again.
    ear_fini(&ear);
    ear_init(&ear);
    ear.inbox = inbox;
    worker = worker_of(&ear, ";");
    expect_exit(&ear, 0);
    end_worker(worker);
}

// -- from inside a callback

struct destroyer {
    int calls;
    nw_status poll;
    nw_status destroy_inbox;
    nw_status destroy;
};

static void destroy_worker(const nw_worker_event *event, void *user_data)
{
    struct destroyer *destroyer = user_data;

    destroyer->calls++;
    destroyer->poll = nw_inbox_poll(inbox, 0);
    destroyer->destroy_inbox = nw_inbox_destroy(inbox);
    destroyer->destroy = nw_worker_destroy(event->worker);
}

Test(inbox, a_worker_may_be_destroyed_in_its_callback)
{
    struct destroyer destroyer = {0};
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = SCRIPT "for (;;) parentPort.postMessage('more')",
        .on_event = destroy_worker,
        .user_data = &destroyer,
        .inbox = inbox,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    pause_ms(300); // So that many messages wait behind the first.
    expect_status(nw_inbox_poll(inbox, DEADLINE_MS), NW_OK);
    cr_expect(eq(int, destroyer.calls, 1));
    expect_status(destroyer.poll, NW_EBUSY);
    expect_status(destroyer.destroy_inbox, NW_EBUSY);
    expect_status(destroyer.destroy, NW_OK);
    poll_all();
    cr_expect(eq(int, destroyer.calls, 1));
}

static void destroy_port(const nw_port_event *event, void *user_data)
{
    struct destroyer *destroyer = user_data;

    destroyer->calls++;
    destroyer->destroy = nw_port_destroy(event->port);
}

Test(inbox, a_port_may_be_destroyed_in_its_callback)
{
    struct destroyer destroyer = {0};
    nw_port *ports[2];

    channel(&ports[0], &ports[1]);
    for (int i = 0; i < 10; i++) {
        expect_status(port_post(ports[1], number(i)), NW_OK);
    }
    expect_status(nw_port_listen(ports[0], destroy_port, &destroyer, inbox),
                  NW_OK);
    expect_status(nw_inbox_poll(inbox, DEADLINE_MS), NW_OK);
    expect_status(destroyer.destroy, NW_OK);
    poll_all();
    cr_expect(eq(int, destroyer.calls, 1));
    expect_status(nw_port_destroy(ports[1]), NW_OK);
}

Test(inbox, what_waits_for_a_destroyed_worker_is_dropped)
{
    nw_worker *worker = worker_of(&ear, SCRIPT "parentPort.postMessage(1)");

    expect_status(nw_worker_wait(worker, DEADLINE_MS, NULL), NW_OK);
    expect_status(nw_inbox_destroy(inbox), NW_EBUSY);
    end_worker(worker);
    poll_all();
    cr_expect(eq(sz, ear.count, 0));
}

static void *poll_there(void *unused)
{
    (void)unused;
    return nw_inbox_poll(inbox, 500) == NW_ETIMEDOUT ? inbox : NULL;
}

Test(inbox, one_thread_polls_at_a_time)
{
    pthread_t thread;
    void *result;

    pthread_create(&thread, NULL, poll_there, NULL);
    pause_ms(100);
    expect_status(nw_inbox_poll(inbox, 0), NW_EBUSY);
    expect_status(nw_inbox_destroy(inbox), NW_EBUSY);
    pthread_join(thread, &result);
    cr_expect(eq(ptr, result, inbox));
}

// Goal: a port of C is a MessagePort: messages arrive in order, are received or
// heard, wait while nobody listens, and closing is told on both sides.

#include "tests/pool/ear.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

static nw_port *here, *there;
static struct ear ear;

static void init(void)
{
    test_init();
    ear_init(&ear);
    channel(&here, &there);
}

static void fini(void)
{
    must(nw_port_destroy(here) == NW_OK, "a port is not destroyed");
    must(nw_port_destroy(there) == NW_OK, "a port is not destroyed");
    ear_fini(&ear);
    test_fini();
}

TestSuite(messages, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

static void listen_to(nw_port *port, struct ear *one)
{
    expect_status(nw_port_listen(port, ear_port, one, one->inbox), NW_OK);
}

static void expect_nothing(nw_port *port)
{
    const nw_value *value = number(1);

    expect_status(nw_port_receive(port, doc, &value), NW_ENOENT);
    cr_expect(eq(ptr, (void *)value, NULL));
}

// -- hearing

Test(messages, both_ends_hear_each_other)
{
    struct ear other;

    ear_init(&other);
    listen_to(here, &ear);
    listen_to(there, &other);
    expect_status(port_post(here, text("to there")), NW_OK);
    expect_status(port_post(there, text("to here")), NW_OK);
    expect_heard(&other, 0, NW_PORT_MESSAGE, "\"to there\"");
    expect_heard(&ear, 0, NW_PORT_MESSAGE, "\"to here\"");
    expect_status(nw_port_close(here), NW_OK);
    ear_end(&ear);
    ear_end(&other);
    ear_fini(&other);
}

static void expect_passes(nw_value *value)
{
    char expected[4096];
    char received[4096];

    snprintf(expected, sizeof(expected), "%s", nw_test_text(value));
    expect_status(port_post(there, value), NW_OK);
    snprintf(received, sizeof(received), "%s",
             nw_test_text(port_receive(here)));
    expect_string(received, expected);
}

Test(messages, any_value_passes)
{
    nw_value *cycle = nw_value_object(doc);

    nw_object_set(cycle, "foo", cycle);
    expect_passes(nw_value_undefined(doc));
    expect_passes(nw_value_null(doc));
    expect_passes(nw_value_bool(doc, true));
    expect_passes(number(-0.0));
    expect_passes(number(NAN));
    expect_passes(text("gr\u00fc\u00dfe \u65e5\u672c \U0001F600"));
    expect_passes(nw_value_bytes(doc, "\0\xff", 2));
    expect_passes(list(number(1), list(text("x"), NULL), NULL));
    expect_passes(cycle);
}

// -- receiving

Test(messages, receiving_takes_the_oldest)
{
    expect_nothing(here);
    expect_status(port_post(there, number(1)), NW_OK);
    expect_status(port_post(there, number(2)), NW_OK);
    expect_received(here, "1");
    expect_received(here, "2");
    expect_nothing(here);
    expect_nothing(there);
}

Test(messages, no_callback_comes_for_what_was_received)
{
    expect_status(port_post(there, number(1)), NW_OK);
    expect_status(port_post(there, number(2)), NW_OK);
    expect_received(here, "1");
    listen_to(here, &ear);
    expect_heard(&ear, 0, NW_PORT_MESSAGE, "2");
    pause_ms(50);
    cr_expect(eq(sz, ear.count, 1));
    expect_nothing(here);
}

// -- listening

Test(messages, they_wait_until_somebody_listens)
{
    for (int i = 0; i < 10; i++) {
        expect_status(port_post(there, number(i)), NW_OK);
    }
    pause_ms(50);
    listen_to(here, &ear);
    ear_messages(&ear, 10);
    expect_heard(&ear, 0, NW_PORT_MESSAGE, "0");
    expect_heard(&ear, 9, NW_PORT_MESSAGE, "9");
}

Test(messages, they_wait_again_when_nobody_listens_any_more)
{
    listen_to(here, &ear);
    expect_status(port_post(there, number(1)), NW_OK);
    expect_heard(&ear, 0, NW_PORT_MESSAGE, "1");
    expect_status(nw_port_listen(here, NULL, NULL, NULL), NW_OK);
    cr_expect(not(nw_port_has_ref(here)));
    expect_status(port_post(there, number(2)), NW_OK);
    expect_status(port_post(there, number(3)), NW_OK);
    pause_ms(50);
    cr_expect(eq(sz, ear.count, 1));
    expect_received(here, "2");
    listen_to(here, &ear);
    expect_heard(&ear, 1, NW_PORT_MESSAGE, "3");
}

Test(messages, a_port_that_is_started_drops_what_nobody_hears)
{
    expect_status(port_post(there, number(1)), NW_OK);
    expect_status(nw_port_start(here), NW_OK);
    expect_status(port_post(there, number(2)), NW_OK);
    pause_ms(100);
    expect_nothing(here);
    listen_to(here, &ear);
    expect_status(port_post(there, number(3)), NW_OK);
    expect_heard(&ear, 0, NW_PORT_MESSAGE, "3");
}

Test(messages, a_new_listener_takes_over)
{
    struct ear other;

    ear_init(&other);
    listen_to(here, &ear);
    expect_status(port_post(there, number(1)), NW_OK);
    expect_heard(&ear, 0, NW_PORT_MESSAGE, "1");
    listen_to(here, &other);
    expect_status(port_post(there, number(2)), NW_OK);
    expect_heard(&other, 0, NW_PORT_MESSAGE, "2");
    cr_expect(eq(sz, ear.count, 1));
    expect_status(nw_port_listen(here, NULL, NULL, NULL), NW_OK);
    ear_fini(&other);
}

// -- closing

Test(messages, what_was_posted_before_a_close_arrives_before_it)
{
    struct ear other;

    ear_init(&other);
    listen_to(here, &ear);
    listen_to(there, &other);
    for (int i = 0; i < 20; i++) {
        expect_status(port_post(there, number(i)), NW_OK);
    }
    expect_status(nw_port_close(there), NW_OK);
    expect_status(port_post(there, number(99)), NW_ECLOSED);
    ear_end(&ear);
    ear_end(&other);
    cr_expect(eq(sz, ear.messages, 20));
    cr_expect(eq(sz, ear_count(&ear, NW_PORT_CLOSE), 1));
    cr_expect(eq(sz, other.count, 1));
    ear_fini(&other);
}

Test(messages, what_is_posted_after_the_other_end_closed_goes_nowhere)
{
    nw_status status;

    listen_to(here, &ear);
    expect_status(nw_port_close(there), NW_OK);
    ear_end(&ear);
    status = port_post(here, number(1));
    cr_expect(status == NW_OK || status == NW_ECLOSED, "%s",
              nw_status_name(status));
}

Test(messages, a_closed_port_says_so)
{
    const nw_value *value;
    nw_doc *own = nw_doc_create();

    listen_to(here, &ear);
    expect_status(nw_port_close(here), NW_OK);
    expect_status(nw_port_close(here), NW_OK);
    ear_end(&ear);
    expect_status(nw_port_close(here), NW_OK);
    expect_status(port_post(here, number(1)), NW_ECLOSED);
    expect_status(nw_port_receive(here, doc, &value), NW_ECLOSED);
    expect_status(nw_port_start(here), NW_ECLOSED);
    expect_status(nw_port_listen(here, ear_port, &ear, NULL), NW_ECLOSED);
    expect_status(nw_port_ref(here), NW_ECLOSED);
    expect_status(nw_port_unref(here), NW_ECLOSED);
    cr_expect(not(nw_port_has_ref(here)));
    cr_expect(eq(ptr, nw_value_port(own, here), NULL));
    expect_status(nw_doc_status(own), NW_EINVAL);
    nw_doc_destroy(own);
}

Test(messages, destroying_an_end_closes_the_other)
{
    nw_port *one, *two;

    channel(&one, &two);
    listen_to(two, &ear);
    expect_status(port_post(one, number(1)), NW_OK);
    expect_status(nw_port_destroy(one), NW_OK);
    ear_end(&ear);
    cr_expect(eq(sz, ear.messages, 1));
    expect_status(nw_port_destroy(two), NW_OK);
    expect_status(nw_port_destroy(NULL), NW_OK);
}

Test(messages, a_worker_that_ends_closes_its_end)
{
    nw_value *port = nw_value_port(doc, there);
    nw_worker *worker = worker_of(NULL, ECHO_SCRIPT);

    listen_to(here, &ear);
    expect_status(nw_worker_post(worker, port, (const nw_value *[]){port}, 1),
                  NW_OK);
    end_worker(worker);
    ear_end(&ear);
}

// -- referring

Test(messages, a_port_is_refd_while_it_is_listened_to)
{
    cr_expect(not(nw_port_has_ref(here)));
    expect_status(nw_port_ref(here), NW_OK);
    cr_expect(nw_port_has_ref(here));
    expect_status(nw_port_unref(here), NW_OK);
    expect_status(nw_port_unref(here), NW_OK);
    cr_expect(not(nw_port_has_ref(here)));
    listen_to(here, &ear);
    cr_expect(nw_port_has_ref(here));
    expect_status(nw_port_listen(here, NULL, NULL, NULL), NW_OK);
    cr_expect(not(nw_port_has_ref(here)));
    cr_expect(not(nw_port_has_ref(NULL)));
}

// -- many

#define MANY 10000

static struct {
    atomic_int count;
    atomic_int wrong;
} order;

static void check_order(const nw_port_event *event, void *user_data)
{
    if (event->type == NW_PORT_MESSAGE) {
        int expected = atomic_fetch_add(&order.count, 1);

        atomic_fetch_add(&order.wrong,
                         nw_value_get_number(event->value) != expected);
    }
    (void)user_data;
}

Test(messages, ten_thousand_each_way_keep_their_order)
{
    nw_value *port = nw_value_port(doc, there);
    nw_worker *worker =
        worker_of(NULL, SCRIPT "parentPort.once('message', (port) =>"
                               "  port.on('message', (m) => "
                               "    port.postMessage(m)));");
    nw_doc *own = nw_doc_create();

    expect_status(nw_worker_post(worker, port, (const nw_value *[]){port}, 1),
                  NW_OK);
    expect_status(nw_port_listen(here, check_order, NULL, NULL), NW_OK);
    for (int i = 0; i < MANY; i++) {
        cr_assert(eq(int, port_post(here, nw_value_number(own, i)), NW_OK));
        nw_doc_reset(own);
    }
    eventually(atomic_load(&order.count) == MANY);
    cr_expect(eq(int, atomic_load(&order.wrong), 0));
    nw_doc_destroy(own);
    end_worker(worker);
}

static void *post_many(void *port)
{
    nw_doc *own = nw_doc_create();
    nw_status status = NW_OK;

    for (int i = 0; i < MANY / 10 && status == NW_OK; i++) {
        status = port_post(port, nw_value_number(own, i));
        nw_doc_reset(own);
    }
    nw_doc_destroy(own);
    return status == NW_OK ? port : NULL;
}

Test(messages, several_threads_may_post)
{
    pthread_t threads[4];

    expect_status(nw_port_listen(here, check_order, NULL, NULL), NW_OK);
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, post_many, there);
    }
    for (int i = 0; i < 4; i++) {
        void *result;

        pthread_join(threads[i], &result);
        cr_expect(eq(ptr, result, there));
    }
    eventually(atomic_load(&order.count) == 4 * (MANY / 10));
}

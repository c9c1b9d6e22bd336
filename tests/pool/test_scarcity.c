// Goal: an allocation of ours that fails, whichever it is, is told to whoever
// asked, and never leaks, crashes or loses a message.
//
// The knob counts down over all threads of the process, so every run hits
// another place: in the caller, on the control thread, in the worker, on the
// events thread. What was refused with NW_ENOMEM is tried again; then everything
// must have arrived, once and in order.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

#include <nwpool/port.h>
#include <nwpool/worker.h>

#include "src/common.h"

TestSuite(scarcity, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

#define CREATE_STEPS  150 // More than a worker's start allocates.
#define MESSAGE_STEPS 300
#define MESSAGES      4
#define LENDERS       120
#define TRIES         1000

// Tries again while memory is short; the knob fails one call only.
#define must_work_again(call)                                                  \
    do {                                                                       \
        nw_status status_ = NW_ENOMEM;                                         \
        for (int i_ = 0; i_ < TRIES && status_ == NW_ENOMEM; i_++) {           \
            status_ = (call);                                                  \
        }                                                                      \
        expect_status(status_, NW_OK);                                         \
    } while (0)

// Echoes, and tries again where C had no memory for an answer.
static const char echo_script[] =
    "const { parentPort } = require('worker_threads');\n"
    "function post(port, message) {\n"
    "  for (;;) {\n"
    "    try { port.postMessage(message); return; } catch (error) {\n"
    "      if (!/memory/.test(error.message)) throw error;\n"
    "    }\n"
    "  }\n"
    "}\n"
    "parentPort.on('message', (m) => {\n"
    "  if (m.port) m.port.on('message', (n) => post(m.port, n));\n"
    "  else post(parentPort, m);\n"
    "});\n";

// What arrived, by the events thread.
static struct {
    atomic_int count;
    atomic_int wrong; // Out of order, or no message.
    atomic_int errors;
    atomic_bool exited;
} heard;

static void note(const nw_value *value, const nw_error *error)
{
    int count = atomic_load(&heard.count);

    if (value == NULL) {
        fprintf(stderr, "scarcity: %s\n", error->message);
        atomic_fetch_add(&heard.errors, 1);
    } else if (nw_value_get_number(nw_object_get(value, "n")) != count) {
        atomic_fetch_add(&heard.wrong, 1);
    }
    atomic_store(&heard.count, count + 1);
}

static void on_worker(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    switch (event->type) {
    case NW_WORKER_MESSAGE:
    case NW_WORKER_MESSAGE_ERROR:
    case NW_WORKER_ERROR:
        note(event->value, event->error);
        break;
    case NW_WORKER_EXIT:
        atomic_store(&heard.exited, true);
        break;
    default:
        break;
    }
}

static void on_port(const nw_port_event *event, void *user_data)
{
    (void)user_data;
    if (event->type != NW_PORT_CLOSE) {
        note(event->value, event->error);
    }
}

static void forget(void)
{
    atomic_store(&heard.count, 0);
    atomic_store(&heard.wrong, 0);
    atomic_store(&heard.errors, 0);
    atomic_store(&heard.exited, false);
}

static void expect_all(int step)
{
    eventually(atomic_load(&heard.count) == MESSAGES);
    cr_assert(eq(int, atomic_load(&heard.wrong), 0), "step %d", step);
    cr_assert(eq(int, atomic_load(&heard.errors), 0), "step %d", step);
}

// A message whose documents are as large as a message wants: made before the
// knob is set, for the test's own allocations are not what is tested.
static nw_value *message_of(int number)
{
    nw_value *message = nw_value_object(doc);
    char filler[700];

    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    nw_object_set(message, "n", nw_value_number(doc, number));
    nw_object_set(message, "filler", nw_value_string(doc, filler));
    return message;
}

static nw_worker *worker_again(void)
{
    const nw_worker_options options = {.struct_size = sizeof(options),
                                       .source = echo_script,
                                       .on_event = on_worker};
    nw_worker *worker = NULL;

    must_work_again(nw_worker_create(&worker, &options));
    cr_assert(ne(ptr, worker, NULL));
    return worker;
}

Test(scarcity, a_worker_is_created_or_refused)
{
    nw_value *messages[MESSAGES];

    for (int i = 0; i < MESSAGES; i++) {
        messages[i] = message_of(i);
    }
    for (int step = 0; step < CREATE_STEPS; step++) {
        nw_worker *worker;

        forget();
        nw__alloc_fail_after(step);
        worker = worker_again();
        for (int i = 0; i < MESSAGES; i++) {
            must_work_again(nw_worker_post(worker, messages[i], NULL, 0));
        }
        nw__alloc_fail_after(-1);
        expect_all(step);
        expect_status(nw_worker_destroy(worker), NW_OK);
        cr_assert(atomic_load(&heard.exited));
    }
}

Test(scarcity, messages_of_a_worker_all_arrive)
{
    nw_worker *worker = worker_again();
    nw_value *messages[MESSAGES];

    for (int i = 0; i < MESSAGES; i++) {
        messages[i] = message_of(i);
    }
    for (int step = 0; step < MESSAGE_STEPS; step++) {
        forget();
        nw__alloc_fail_after(step % 60);
        for (int i = 0; i < MESSAGES; i++) {
            must_work_again(nw_worker_post(worker, messages[i], NULL, 0));
        }
        expect_all(step);
        nw__alloc_fail_after(-1);
    }
    expect_status(nw_worker_destroy(worker), NW_OK);
}

// One end stays here, the other goes to the worker, which echoes.
static nw_port *open_port(nw_worker *worker)
{
    nw_port *near = NULL;
    nw_port *far = NULL;
    nw_value *message = nw_value_object(doc);
    const nw_value *moving;

    must_work_again(nw_channel_create(&near, &far));
    cr_assert(ne(ptr, near, NULL));
    moving = nw_value_port(doc, far);
    cr_assert(ne(ptr, (void *)moving, NULL));
    nw_object_set(message, "port", (nw_value *)moving);
    must_work_again(nw_worker_post(worker, message, &moving, 1));
    expect_status(nw_port_destroy(far), NW_OK);
    must_work_again(nw_port_listen(near, on_port, NULL, NULL));
    return near;
}

Test(scarcity, messages_of_a_port_all_arrive)
{
    nw_worker *worker = worker_again();
    nw_value *messages[MESSAGES];

    for (int i = 0; i < MESSAGES; i++) {
        messages[i] = message_of(i);
    }
    for (int step = 0; step < MESSAGE_STEPS; step++) {
        nw_port *port = open_port(worker);

        forget();
        nw__alloc_fail_after(step % 60);
        for (int i = 0; i < MESSAGES; i++) {
            must_work_again(nw_port_post(port, messages[i], NULL, 0));
        }
        expect_all(step);
        nw__alloc_fail_after(-1);
        expect_status(nw_port_destroy(port), NW_OK);
    }
    expect_status(nw_worker_destroy(worker), NW_OK);
}

// What a refused post was to move has not moved.
Test(scarcity, what_is_refused_has_not_moved)
{
    static struct lender lenders[LENDERS];
    nw_worker *worker = worker_again();

    for (int step = 0; step < LENDERS; step++) {
        nw_value *bytes = lend(&lenders[step], 100);
        nw_status status;

        nw__alloc_fail_after(step % 40);
        status = nw_worker_post(worker, bytes, NULL, 0);
        nw__alloc_fail_after(-1);
        if (status != NW_OK) {
            expect_status(status, NW_ENOMEM);
            cr_assert(ne(ptr, (void *)nw_value_get_bytes(bytes, NULL), NULL));
            cr_assert(eq(int, atomic_load(&lenders[step].released), 0));
            must_work_again(nw_worker_post(worker, bytes, NULL, 0));
        }
    }
    expect_status(nw_worker_destroy(worker), NW_OK);
    for (int step = 0; step < LENDERS; step++) {
        eventually(atomic_load(&lenders[step].released) == 1);
    }
}

Test(scarcity, ports_are_made_taken_and_destroyed_or_refused)
{
    for (int step = 0; step < 100; step++) {
        nw_doc *received = nw_doc_create();
        nw_port *near = NULL, *far = NULL, *inner = NULL, *outer = NULL;
        nw_port *taken = NULL;
        const nw_value *moving, *value = NULL;

        nw__alloc_fail_after(step);
        must_work_again(nw_channel_create(&near, &far));
        must_work_again(nw_channel_create(&inner, &outer));
        moving = nw_value_port(doc, inner);
        if (moving == NULL) { // The document is marked; start over.
            nw__alloc_fail_after(-1);
            nw_doc_reset(doc);
            moving = nw_value_port(doc, inner);
        }
        must_work_again(nw_port_post(near, moving, &moving, 1));
        while (nw_port_receive(far, received, &value) == NW_ENOMEM) {
            nw_doc_reset(received); // It is marked.
        }
        nw__alloc_fail_after(-1);
        expect_status(nw_value_take_port((nw_value *)value, &taken), NW_OK);
        expect_status(nw_port_destroy(taken), NW_OK);
        expect_status(nw_port_destroy(inner), NW_OK);
        expect_status(nw_port_destroy(outer), NW_OK);
        expect_status(nw_port_destroy(near), NW_OK);
        expect_status(nw_port_destroy(far), NW_OK);
        nw_doc_destroy(received);
    }
}

// Goal: ports and bytes move from one side to the other and are empty where
// they were; what may not move stays, with everything around it.

#include "tests/pool/ear.h"

#include <stdio.h>
#include <string.h>

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

TestSuite(transfer, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// {name: port}, and that port in its transfer list.
static nw_status post_port(nw_worker *worker, const char *name, nw_port *port)
{
    nw_value *value = nw_value_port(doc, port);
    nw_value *message = nw_value_object(doc);

    nw_object_set(message, name, value);
    return nw_worker_post(worker, message, (const nw_value *[]){value}, 1);
}

static nw_status send_port(nw_port *through, nw_port *port)
{
    nw_value *value = nw_value_port(doc, port);

    return nw_port_post(through, value, (const nw_value *[]){value}, 1);
}

static nw_port *take_port(const nw_value *value)
{
    nw_port *port = NULL;

    cr_expect(eq(int, (int)nw_value_type(value), (int)NW_TYPE_PORT));
    expect_string(nw_value_get_host_type(value), "MessagePort");
    cr_assert(eq(int, nw_value_take_port((nw_value *)value, &port), NW_OK));
    return port;
}

static void drop(nw_port *port)
{
    expect_status(nw_port_destroy(port), NW_OK);
}

// -- ports to workers

#define PORT_ECHO                                                              \
    SCRIPT "parentPort.on('message', ({ port }) => {"                          \
           "  parentPort.postMessage(port instanceof wt.MessagePort);"         \
           "  port.on('message', (m) => port.postMessage(['echo', m]));"       \
           "})"

Test(transfer, a_worker_talks_over_a_port_it_was_given)
{
    nw_worker *worker = worker_of(&ear, PORT_ECHO);

    expect_status(post_port(worker, "port", there), NW_OK);
    expect_status(port_post(here, number(1)), NW_OK);
    expect_received(here, "[\"echo\", 1]");
    expect_said(&ear, "true");
    expect_status(port_post(there, number(1)), NW_ECLOSED);
    expect_status(nw_port_listen(there, ear_port, &ear, NULL), NW_ECLOSED);
    expect_status(nw_port_close(there), NW_ECLOSED);
    expect_status(port_post(here, number(2)), NW_OK);
    expect_received(here, "[\"echo\", 2]");
    end_worker(worker);
}

Test(transfer, what_was_posted_before_a_port_moved_moves_with_it)
{
    nw_worker *worker = worker_of(&ear, PORT_ECHO);

    expect_status(port_post(here, number(1)), NW_OK);
    expect_status(port_post(here, number(2)), NW_OK);
    expect_status(post_port(worker, "port", there), NW_OK);
    expect_received(here, "[\"echo\", 1]");
    expect_received(here, "[\"echo\", 2]");
    end_worker(worker);
}

Test(transfer, a_port_may_be_in_worker_data)
{
    nw_value *port = nw_value_port(doc, there);
    nw_worker *worker = worker_with(
        &ear, (nw_worker_options){.source = SCRIPT
                                  "workerData[0].postMessage('from inside');"
                                  "workerData[0].close()",
                                  .worker_data = list(port, NULL),
                                  .transfer = (const nw_value *[]){port},
                                  .transfer_count = 1});

    expect_received(here, "\"from inside\"");
    expect_exit(&ear, 0);
    expect_status(port_post(there, number(1)), NW_ECLOSED);
    end_worker(worker);
}

Test(transfer, two_workers_talk_without_c)
{
    struct ear other;
    nw_worker *first, *second;

    ear_init(&other);
    first = worker_of(&ear, SCRIPT "parentPort.once('message', ({ port }) => {"
                                   "  port.postMessage('a secret');"
                                   "  port.once('message', (m) => {"
                                   "    parentPort.postMessage(m);"
                                   "    port.close(); }) })");
    second = worker_of(&other, SCRIPT "parentPort.once('message', ({ port }) =>"
                                      "  port.on('message', (m) =>"
                                      "    port.postMessage(m + '!')))");
    expect_status(post_port(first, "port", here), NW_OK);
    expect_status(post_port(second, "port", there), NW_OK);
    expect_said(&ear, "\"a secret!\"");
    expect_exit(&ear, 0);
    expect_exit(&other, 0);
    cr_expect(eq(sz, other.messages, 0));
    end_worker(first);
    end_worker(second);
    ear_fini(&other);
}

// -- ports to C

Test(transfer, a_worker_gives_c_a_port)
{
    nw_worker *worker = worker_of(
        &ear, SCRIPT "parentPort.once('message', ({ port }) => {"
                     "  const { port1, port2 } = new wt.MessageChannel();"
                     "  port.postMessage(port1, [port1]);"
                     "  port2.on('message', (m) => {"
                     "    port2.postMessage(['echo', m]); }) })");
    const nw_value *value;
    nw_port *given;

    expect_status(post_port(worker, "port", there), NW_OK);
    value = port_receive(here);
    given = take_port(value);
    expect_status(nw_value_take_port((nw_value *)value, &(nw_port *){NULL}),
                  NW_ETYPE);
    expect_status(port_post(given, text("hi")), NW_OK);
    expect_received(given, "[\"echo\", \"hi\"]");
    drop(given);
    end_worker(worker);
}

static void take_from_event(struct ear *one, const nw_value *value)
{
    nw_value_take_port((nw_value *)nw_object_get(value, "port"), one->data);
}

Test(transfer, a_port_can_be_taken_in_a_callback)
{
    nw_port *given = NULL;
    nw_worker *worker;

    ear.on_value = take_from_event;
    ear.data = &given;
    worker = worker_of(&ear, SCRIPT
                       "const { port1, port2 } = new wt.MessageChannel();"
                       "parentPort.postMessage({ port: port1 }, [port1]);"
                       "port2.postMessage('waiting for you')");
    ear_messages(&ear, 1);
    cr_assert(ne(ptr, given, NULL));
    expect_received(given, "\"waiting for you\"");
    drop(given);
    end_worker(worker);
}

Test(transfer, a_port_passes_through_a_port)
{
    nw_port *one, *two, *arrived;

    channel(&one, &two);
    expect_status(port_post(two, text("early")), NW_OK);
    expect_status(send_port(there, one), NW_OK);
    expect_status(port_post(one, number(1)), NW_ECLOSED);
    arrived = take_port(port_receive(here));
    expect_received(arrived, "\"early\"");
    expect_status(port_post(two, text("late")), NW_OK);
    expect_received(arrived, "\"late\"");
    expect_status(port_post(arrived, text("back")), NW_OK);
    expect_received(two, "\"back\"");
    drop(one);
    drop(two);
    drop(arrived);
}

Test(transfer, a_port_that_nobody_takes_is_closed)
{
    nw_port *one, *two;

    channel(&one, &two);
    expect_status(nw_port_listen(two, ear_port, &ear, NULL), NW_OK);
    expect_status(send_port(there, one), NW_OK);
    port_receive(here);
    nw_doc_reset(doc);
    ear_end(&ear);
    drop(one);
    drop(two);
}

// -- tasks

Test(transfer, ports_go_into_tasks_and_come_back)
{
    nwpool *pool = pool_of("ports.js", 1);
    nw_value *port = nw_value_port(doc, there);
    const nw_value *arguments[] = {port, text("of a task")};
    nw_task_id task;
    const nw_result *result;
    nw_port *given;

    expect_status(
        submit_spec(pool,
                    (nw_task_spec){.function = "say",
                                   .arguments = arguments,
                                   .argument_count = 2,
                                   .transfer = (const nw_value *[]){port},
                                   .transfer_count = 1},
                    &task),
        NW_OK);
    expect_value(take(pool, task), "\"said\"");
    expect_received(here, "\"of a task\"");
    expect_status(port_post(there, number(1)), NW_ECLOSED);

    result = call(pool, "give", NULL);
    cr_assert(eq(int, result->status, NW_OK), "%s",
              result->error != NULL ? result->error->message : "");
    given = take_port(result->value);
    expect_received(given, "\"from give\"");
    expect_status(port_post(given, number(5)), NW_OK);
    expect_received(given, "[\"echo\", 5]");
    drop(given);
    destroy(pool);
}

// -- what may not move

static size_t size_of(const nw_value *value)
{
    size_t size;

    nw_value_get_bytes(value, &size);
    return size;
}

Test(transfer, a_port_that_is_not_listed_holds_up_everything)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    nw_value *message = list(nw_value_port(doc, there), buffer, NULL);
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);

    expect_status(
        nw_worker_post(worker, message, (const nw_value *[]){buffer}, 1),
        NW_ECLONE);
    expect_says(nw_status_detail(), "transfer");
    cr_expect(eq(sz, size_of(buffer), 3));
    expect_refusal((nw_worker_options){.source = ";", .worker_data = message},
                   NW_ECLONE, "transfer");
    // The port is as it was.
    expect_status(port_post(there, text("still here")), NW_OK);
    expect_received(here, "\"still here\"");
    end_worker(worker);
}

Test(transfer, a_port_cannot_be_sent_through_itself)
{
    expect_status(send_port(there, there), NW_ECLONE);
    cr_expect(ne(str, (char *)nw_status_detail(), ""));
    expect_status(port_post(there, text("still here")), NW_OK);
    expect_received(here, "\"still here\"");
}

Test(transfer, what_is_listed_moves_also_when_it_is_not_contained)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    nw_port *one, *two;

    channel(&one, &two);
    expect_status(nw_port_listen(two, ear_port, &ear, NULL), NW_OK);
    expect_status(
        nw_port_post(there, text("alone"),
                     (const nw_value *[]){buffer, nw_value_port(doc, one)}, 2),
        NW_OK);
    expect_received(here, "\"alone\"");
    cr_expect(eq(sz, size_of(buffer), 0));
    expect_status(port_post(one, number(1)), NW_ECLOSED);
    drop(one);
    drop(two);
}

Test(transfer, what_cannot_move_is_refused)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    nw_value *port = nw_value_port(doc, there);
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);
    nw_shared *shared;

    cr_assert(eq(int, nw_shared_create(&shared, 8), NW_OK));
    // Twice.
    expect_status(
        nw_worker_post(worker, buffer, (const nw_value *[]){buffer, buffer}, 2),
        NW_EINVAL);
    expect_status(
        nw_worker_post(worker, port, (const nw_value *[]){port, port}, 2),
        NW_EINVAL);
    // Nothing that could move.
    expect_status(
        nw_worker_post(worker, buffer, (const nw_value *[]){text("x")}, 1),
        NW_EINVAL);
    expect_status(
        nw_worker_post(worker, buffer,
                       (const nw_value *[]){nw_value_shared(doc, shared)}, 1),
        NW_EINVAL);
    expect_status(nw_worker_post(worker, buffer, (const nw_value *[]){NULL}, 1),
                  NW_EINVAL);
    expect_status(nw_worker_post(worker, buffer, NULL, 1), NW_EINVAL);
    cr_expect(eq(sz, size_of(buffer), 3));
    expect_status(port_post(there, text("still here")), NW_OK);
    expect_received(here, "\"still here\"");
    nw_shared_unref(shared);
    end_worker(worker);
}

// -- bytes

Test(transfer, transferred_bytes_arrive_and_are_empty_here)
{
    struct lender lender;
    nw_value *lent = lend(&lender, 1 << 20);
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    nw_value *view = nw_value_view_of(buffer, NW_VIEW_UINT8, 1, 2);
    const unsigned char *bytes;
    const nw_value *value;
    size_t size;

    expect_status(nw_port_post(there, list(view, lent, NULL),
                               (const nw_value *[]){buffer}, 1),
                  NW_OK);
    cr_expect(eq(sz, size_of(buffer), 0));
    cr_expect(eq(sz, size_of(view), 0));
    cr_expect(eq(sz, size_of(lent), 0));
    value = port_receive(here);
    bytes = nw_value_get_bytes(nw_array_get(value, 0), &size);
    cr_assert(eq(sz, size, 2));
    cr_expect(memcmp(bytes, "bc", 2) == 0);
    bytes = nw_value_get_bytes(nw_array_get(value, 1), &size);
    cr_assert(eq(sz, size, 1 << 20));
    for (size_t i = 0; i < size; i++) {
        cr_assert(eq(int, bytes[i], (int)(i & 255)));
    }
    nw_doc_reset(doc);
    eventually(atomic_load(&lender.released) == 1);
}

Test(transfer, bytes_that_are_not_listed_are_copied)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);

    expect_status(port_post(there, buffer), NW_OK);
    cr_expect(eq(sz, size_of(buffer), 3));
    expect_status(port_post(there, buffer), NW_OK);
    expect_received(here, "ArrayBuffer<616263>");
    expect_received(here, "ArrayBuffer<616263>");
}

// From a worker through C to another one, always the same memory.
Test(transfer, relayed_bytes_keep_their_address)
{
    nw_port *one, *two;
    const nw_value *bytes, *again;
    const void *address;
    nw_worker *first, *second;

    channel(&one, &two);
    first = worker_of(NULL, SCRIPT "parentPort.once('message', ({ port }) => {"
                                   "  const b = new Uint8Array(1e6).fill(7);"
                                   "  port.postMessage(b, [b.buffer]); })");
    second = worker_of(NULL, SCRIPT "parentPort.once('message', ({ port }) =>"
                                    "  port.on('message', (b) =>"
                                    "    port.postMessage(b, [b.buffer])))");
    expect_status(post_port(first, "port", there), NW_OK);
    expect_status(post_port(second, "port", two), NW_OK);
    bytes = port_receive(here);
    address = nw_value_get_bytes(bytes, NULL);
    cr_assert(eq(sz, size_of(bytes), 1000000));
    expect_status(nw_port_post(one, bytes, &bytes, 1), NW_OK);
    cr_expect(eq(sz, size_of(bytes), 0));
    again = port_receive(one);
    cr_expect(
        eq(ptr, (void *)nw_value_get_bytes(again, NULL), (void *)address));
    cr_expect(eq(sz, size_of(again), 1000000));
    end_worker(first);
    end_worker(second);
    drop(one);
    drop(two);
}

Test(transfer, shared_memory_is_one_for_all)
{
    nw_shared *shared;
    nw_worker *worker =
        worker_of(&ear, SCRIPT "parentPort.on('message', (b) => {"
                               "  Atomics.add(new Int32Array(b), 0, 5);"
                               "  parentPort.postMessage(b); })");
    int32_t *cell;

    cr_assert(eq(int, nw_shared_create(&shared, 16), NW_OK));
    cell = nw_shared_data(shared, NULL);
    __atomic_store_n(cell, 1, __ATOMIC_SEQ_CST);
    expect_status(post(worker, nw_value_shared(doc, shared)), NW_OK);
    ear_messages(&ear, 1);
    cr_expect(eq(int, __atomic_load_n(cell, __ATOMIC_SEQ_CST), 6));
    expect_status(port_post(there, nw_value_shared(doc, shared)), NW_OK);
    cr_expect(eq(ptr,
                 nw_shared_data(nw_value_get_shared(port_receive(here)), NULL),
                 cell));
    end_worker(worker);
    nw_shared_unref(shared);
}

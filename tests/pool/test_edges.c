// Goal: workers and ports at the edges of their lives: what is taken twice,
// closed before it is looked at, refused on the way, or destroyed by the very
// callback that runs.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

#include <nwpool/port.h>
#include <nwpool/worker.h>

#include "tests/unit/support.h"

TestSuite(edges, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// -- what most of them need

static nw_worker_options of_source(const char *source)
{
    return (nw_worker_options){.struct_size = sizeof(nw_worker_options),
                               .source = source};
}

// A worker whose workerData is one end of a channel; the other is returned.
static nw_port *start_with_port(nw_worker **worker, const char *source)
{
    nw_worker_options options = of_source(source);
    nw_port *ours, *theirs;
    const nw_value *transfer[1];

    cr_assert(eq(int, nw_channel_create(&ours, &theirs), NW_OK));
    options.worker_data = transfer[0] = nw_value_port(doc, theirs);
    options.transfer = transfer;
    options.transfer_count = 1;
    cr_assert(eq(int, nw_worker_create(worker, &options), NW_OK));
    expect_status(nw_port_destroy(theirs), NW_OK);
    return ours;
}

// The next message, which must come, in `doc`.
static nw_value *await_message(nw_port *port)
{
    const nw_value *value = NULL;

    eventually(nw_port_receive(port, doc, &value) == NW_OK);
    return (nw_value *)value;
}

static void on_port(const nw_port_event *event, void *user_data)
{
    atomic_int *closes = user_data;

    if (event->type == NW_PORT_CLOSE) {
        atomic_fetch_add(closes, 1);
    }
}

static nw_port *channel(nw_port **other)
{
    nw_port *port;

    cr_assert(eq(int, nw_channel_create(&port, other), NW_OK));
    return port;
}

// -- ports

Test(edges, a_port_is_taken_once_whatever_stands_for_it)
{
    nw_worker *worker;
    nw_port *port = start_with_port(
        &worker, "const { MessageChannel, workerData } ="
                 "    require('worker_threads');"
                 "const { port1 } = new MessageChannel();"
                 "workerData.postMessage([port1, { again: port1 }], [port1]);");
    nw_value *both = await_message(port);
    nw_value *first = (nw_value *)nw_array_get(both, 0);
    nw_value *again = (nw_value *)nw_object_get(nw_array_get(both, 1), "again");
    nw_port *taken, *twice;

    expect_status(nw_value_take_port(first, &taken), NW_OK);
    expect_status(nw_value_take_port(again, &twice), NW_ETYPE);
    cr_expect(eq(ptr, twice, NULL));

    // Nor is one that C has made.
    expect_status(nw_value_take_port(nw_value_port(doc, port), &twice),
                  NW_ETYPE);
    nw_port_destroy(taken);
    nw_port_destroy(port);
    nw_worker_destroy(worker);
}

Test(edges, a_port_that_closed_before_it_was_taken_says_so)
{
    nw_worker *worker;
    nw_port *port = start_with_port(
        &worker, "const { MessageChannel, workerData } ="
                 "    require('worker_threads');"
                 "const kept = [new MessageChannel(), new MessageChannel()];"
                 "for (const { port1 } of kept) {"
                 "    workerData.postMessage(port1, [port1]);"
                 "}"
                 "workerData.once('message', () => {"
                 "    kept[1].port2.close();"
                 "    workerData.postMessage('closed');"
                 "});");
    nw_value *first = await_message(port);
    nw_value *second = await_message(port);
    nw_port *one, *other;
    atomic_int closes = 0;
    nw_status status;

    // Both are fetched with the first.
    expect_status(nw_value_take_port(first, &one), NW_OK);
    expect_status(nw_port_post(port, number(1), NULL, 0), NW_OK);
    await_message(port);
    pause_ms(100); // The end of the second is closed behind the message.

    expect_status(nw_value_take_port(second, &other), NW_OK);
    status = nw_port_listen(other, on_port, &closes, NULL);
    if (status == NW_OK) {
        eventually(atomic_load(&closes) == 1);
    } else {
        expect_status(status, NW_ECLOSED);
    }
    nw_port_destroy(one);
    nw_port_destroy(other);
    nw_port_destroy(port);
    nw_worker_destroy(worker);
}

Test(edges, what_cannot_be_sent_together_is_closed_and_not_forgotten)
{
    nw_port *there, *closing, *to;
    nw_port *here = channel(&there);
    nw_port *closed = channel(&closing);
    nw_port *from = channel(&to);
    const nw_value *transfer[] = {nw_value_port(doc, here),
                                  nw_value_port(doc, closed)};
    nw_value *both = list((nw_value *)transfer[0], transfer[1], NULL);
    atomic_int closes = 0;

    expect_status(nw_port_listen(there, on_port, &closes, NULL), NW_OK);
    expect_status(nw_port_close(closing), NW_OK);
    eventually(nw_port_start(closed) == NW_ECLOSED);

    expect_status(nw_port_post(from, both, transfer, 2), NW_OK);
    eventually(atomic_load(&closes) == 1);
    nw_port_destroy(here);
    nw_port_destroy(there);
    nw_port_destroy(closed);
    nw_port_destroy(closing);
    nw_port_destroy(from);
    nw_port_destroy(to);
}

#define MESSAGES 20000

struct counter {
    int next;
    int wrong;
};

static void on_number(const nw_port_event *event, void *user_data)
{
    struct counter *counter = user_data;

    if (event->type == NW_PORT_MESSAGE) {
        counter->wrong += nw_value_get_number(event->value) != counter->next;
        counter->next++;
    }
}

// Posts while the other end listens now and then.
static void *post_numbers(void *port)
{
    nw_doc *own = nw_doc_create();

    for (int i = 0; i < MESSAGES; i++) {
        nw_port_post(port, nw_value_number(own, i), NULL, 0);
        nw_doc_reset(own);
    }
    nw_doc_destroy(own);
    return NULL;
}

Test(edges, who_listens_now_and_then_misses_nothing)
{
    struct counter counter = {0};
    nw_port *to;
    nw_port *from = channel(&to);
    nw_inbox *inbox;
    pthread_t poster;

    expect_status(nw_inbox_create(&inbox), NW_OK);
    cr_assert(eq(int, pthread_create(&poster, NULL, post_numbers, from), 0));
    for (int i = 0; i < 200; i++) {
        expect_status(nw_port_listen(to, on_number, &counter, inbox), NW_OK);
        nw_inbox_poll(inbox, 10);
        expect_status(nw_port_listen(to, NULL, NULL, NULL), NW_OK);
        // What was told before that still waits there.
        nw_inbox_poll(inbox, 0);
    }
    pthread_join(poster, NULL);
    expect_status(nw_port_listen(to, on_number, &counter, inbox), NW_OK);
    while (counter.next < MESSAGES && nw_inbox_poll(inbox, 5000) == NW_OK) {
    }
    cr_expect(eq(int, counter.next, MESSAGES));
    cr_expect(eq(int, counter.wrong, 0));
    nw_port_destroy(to);
    nw_port_destroy(from);
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

// A callback that moves its port to another inbox and runs that.

struct nest {
    nw_port *from;
    nw_inbox *inner;
    int depth;
    int seen;
    bool spoiled;
};

static void on_nested(const nw_port_event *event, void *user_data)
{
    struct nest *nest = user_data;
    double before = nw_value_get_number(event->value);

    if (event->type != NW_PORT_MESSAGE) {
        return;
    }
    nest->seen++;
    if (nest->depth++ == 0) {
        nw_port_listen(event->port, on_nested, nest, nest->inner);
        nw_port_post(nest->from, number(2), NULL, 0);
        nw_port_post(nest->from, number(3), NULL, 0);
        while (nest->seen < 3) {
            nw_inbox_poll(nest->inner, DEADLINE_MS);
        }
        nest->spoiled = nw_value_get_number(event->value) != before;
    }
    nest->depth--;
}

Test(edges, a_value_lives_as_long_as_its_callback)
{
    struct nest nest = {0};
    nw_inbox *outer;
    nw_port *to;
    nw_port *from = channel(&to);

    nest.from = from;
    expect_status(nw_inbox_create(&outer), NW_OK);
    expect_status(nw_inbox_create(&nest.inner), NW_OK);
    expect_status(nw_port_listen(to, on_nested, &nest, outer), NW_OK);
    expect_status(nw_port_post(from, number(1), NULL, 0), NW_OK);
    nw_inbox_poll(outer, DEADLINE_MS);
    cr_expect(eq(int, nest.seen, 3));
    cr_expect(not(nest.spoiled));
    nw_port_destroy(to);
    nw_port_destroy(from);
    expect_status(nw_inbox_destroy(nest.inner), NW_OK);
    expect_status(nw_inbox_destroy(outer), NW_OK);
}

// -- workers

Test(edges, a_worker_that_is_refused_takes_nothing_with_it)
{
    static const char *const wrong[] = {"--no-such-option", NULL};
    nw_worker_options options = of_source("0");
    struct lender lender = {0};
    nw_value *bytes = lend(&lender, 4);
    nw_port *other;
    nw_port *port = channel(&other);
    const nw_value *transfer[] = {nw_value_port(doc, port)};
    nw_worker *worker;

    options.exec_argv = wrong;
    options.worker_data = list((nw_value *)transfer[0], bytes, NULL);
    options.transfer = transfer;
    options.transfer_count = 1;
    expect_status(nw_worker_create(&worker, &options), NW_EINVAL);
    cr_expect(eq(ptr, worker, NULL));

    cr_expect(ne(ptr, (void *)nw_value_get_bytes(bytes, NULL), NULL));
    expect_status(nw_port_post(port, number(1), NULL, 0), NW_OK);
    cr_expect(eq(dbl, nw_value_get_number(await_message(other)), 1));
    nw_port_destroy(port);
    nw_port_destroy(other);
    nw_doc_reset(doc);
    cr_expect(eq(int, atomic_load(&lender.released), 1));
}

static void ask_id(const nw_worker_event *event, void *user_data)
{
    atomic_llong *told = user_data;

    if (event->type == NW_WORKER_ONLINE) {
        atomic_store(told, nw_worker_thread_id(event->worker));
    }
}

Test(edges, a_worker_knows_its_thread_from_the_first_event_on)
{
    nw_worker_options options = of_source("setInterval(() => {}, 1000)");

    options.on_event = ask_id;
    for (int i = 0; i < 20; i++) {
        atomic_llong told = -1;
        nw_worker *worker;

        options.user_data = &told;
        cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
        eventually(atomic_load(&told) != -1);
        cr_expect(gt(llong, atomic_load(&told), 0));
        cr_expect(eq(llong, atomic_load(&told), nw_worker_thread_id(worker)));
        nw_worker_destroy(worker);
    }
}

static void destroy_it(const nw_worker_event *event, void *user_data)
{
    int *calls = user_data;

    if (event->type == NW_WORKER_MESSAGE) {
        expect_status(nw_worker_destroy(event->worker), NW_OK);
        pause_ms(2); // The thread's end is told meanwhile.
        (*calls)++;
    }
}

Test(edges, a_callback_may_destroy_its_worker)
{
    nw_worker_options options =
        of_source("require('worker_threads').parentPort.postMessage(1);"
                  "setInterval(() => {}, 1000)");
    nw_inbox *inbox;

    expect_status(nw_inbox_create(&inbox), NW_OK);
    options.on_event = destroy_it;
    options.inbox = inbox;
    for (int i = 0; i < 20; i++) {
        int calls = 0;
        nw_worker *worker;

        options.user_data = &calls;
        cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
        while (calls == 0) {
            nw_inbox_poll(inbox, DEADLINE_MS);
        }
    }
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

// The marks by which Node.js knows how to make an object anew are there for
// every script to bend.
Test(edges, no_worker_can_send_what_breaks_the_others)
{
    nw_worker *worker;
    nw_port *port = start_with_port(
        &worker,
        "const { workerData } = require('worker_threads');"
        "const { open } = require('fs').promises;"
        "open(process.execPath).then((file) => {"
        "    const proto = Object.getPrototypeOf(file);"
        "    for (let p = proto; p; p = Object.getPrototypeOf(p)) {"
        "        for (const s of Object.getOwnPropertySymbols(p)) {"
        "            if (s.description === 'messaging_transfer_symbol') {"
        "                const old = p[s];"
        "                p[s] = function() {"
        "                    return { ...old.call(this),"
        "                        deserializeInfo: 'fs:nonsense' };"
        "                };"
        "            }"
        "        }"
        "    }"
        "    const { parentPort } = require('worker_threads');"
        "    parentPort.postMessage(file, [file]);"
        "    workerData.postMessage('done');"
        "});");

    expect_string(nw_value_get_string(await_message(port), NULL), "done");
    nw_worker_destroy(worker);
    nw_port_destroy(port);

    // The control environment lives.
    port = start_with_port(&worker, "require('worker_threads')"
                                    ".workerData.postMessage(1)");
    cr_expect(eq(dbl, nw_value_get_number(await_message(port)), 1));
    nw_worker_destroy(worker);
    nw_port_destroy(port);
}

// -- parentPort

static struct {
    pthread_mutex_t lock;
    char said[32][256];
    int count;
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_said(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    pthread_mutex_lock(&heard.lock);
    if (event->type == NW_WORKER_MESSAGE && heard.count < 32) {
        snprintf(heard.said[heard.count++], sizeof(heard.said[0]), "%s",
                 nw_test_text(event->value));
    }
    pthread_mutex_unlock(&heard.lock);
}

static void expect_said(const char *source, const char *const *said)
{
    nw_worker_options options = of_source(source);
    nw_worker *worker;
    int count = 0;

    options.on_event = on_said;
    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    expect_status(nw_worker_wait(worker, DEADLINE_MS, NULL), NW_OK);
    expect_status(nw_worker_destroy(worker), NW_OK);
    while (said[count] != NULL) {
        expect_string(heard.said[count], said[count]);
        count++;
    }
    cr_expect(eq(int, heard.count, count));
}

// Each as MessagePort.prototype.postMessage() of Node.js does it.
Test(edges, post_message_checks_its_arguments_as_nodes_does)
{
    static const char *const said[] = {"\"TypeError ERR_MISSING_ARGS\"",
                                       "1",
                                       "2",
                                       "3",
                                       "\"TypeError ERR_INVALID_ARG_TYPE\"",
                                       "\"TypeError ERR_INVALID_ARG_TYPE\"",
                                       "\"DataCloneError 25\"",
                                       "10",
                                       "0",
                                       "11",
                                       "0",
                                       NULL};

    expect_said("const { parentPort } = require('worker_threads');"
                "const post = (...list) => {"
                "    try { parentPort.postMessage(...list); }"
                "    catch (error) {"
                "        parentPort.postMessage("
                "            `${error.name} ${error.code}`);"
                "    }"
                "};"
                "post();"
                "post(1, null);"
                "post(2, {});"
                "post(3, { transfer: undefined });"
                "post(4, 5);"
                "post(4, { transfer: 5 });"
                "post(4, [parentPort]);"
                "const one = new ArrayBuffer(1);"
                "post(10, new Set([one]));"
                "post(one.byteLength);"
                "const two = new ArrayBuffer(1);"
                "post(11, { transfer: new Set([two]) });"
                "post(two.byteLength);",
                said);
}

// Goal: a script finds inside what Node.js promises it there: who it is, its
// parent, workers of its own, and channels to all others.

#include "tests/pool/ear.h"

#include <stdio.h>
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

TestSuite(inside, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

static void expect_tells(const char *source, const char *said)
{
    nw_worker *worker;

    ear_fini(&ear);
    ear_init(&ear);
    worker = worker_of(&ear, source);
    expect_said(&ear, said);
    end_worker(worker);
}

Test(inside, a_worker_knows_that_it_is_one)
{
    expect_tells(SCRIPT
                 "parentPort.postMessage([wt.isMainThread, wt.threadId > 0,"
                 "  parentPort instanceof wt.MessagePort,"
                 "  workerData === undefined, typeof wt.SHARE_ENV,"
                 "  wt.resourceLimits.stackSizeMb].join())",
                 "\"false,true,true,true,symbol,4\"");
}

Test(inside, a_module_knows_it_too)
{
    nw_worker *worker = worker_with(
        &ear,
        (nw_worker_options){
            .url = "data:text/javascript,"
                   "import { isMainThread, parentPort, workerData } "
                   "from 'worker_threads';"
                   "parentPort.postMessage([isMainThread, workerData].join())",
            .worker_data = number(5)});

    expect_said(&ear, "\"false,5\"");
    end_worker(worker);
}

// What is ours is not in the way of what is the script's.
Test(inside, nothing_of_ours_is_left_lying_about)
{
    expect_tells(SCRIPT
                 "parentPort.postMessage([parentPort.listenerCount('message'),"
                 "  process.listenerCount('uncaughtException'),"
                 "  Object.keys(require.cache).length].join())",
                 "\"0,0,0\"");
}

Test(inside, workers_start_workers)
{
    nw_worker *worker =
        worker_of(&ear, SCRIPT
                  "const inner = new wt.Worker(`"
                  "const { parentPort } = require('worker_threads');"
                  "parentPort.on('message', (m) => parentPort.postMessage(m))`,"
                  "{ eval: true });"
                  "inner.on('message', (m) => parentPort.postMessage(m));"
                  "parentPort.on('message', (m) => inner.postMessage(m));");

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    for (int i = 0; i < 20; i++) {
        expect_status(post(worker, list(number(i), NULL)), NW_OK);
    }
    ear_messages(&ear, 20);
    expect_heard(&ear, 20, NW_WORKER_MESSAGE, "[19]");
    end_worker(worker);
}

Test(inside, an_error_of_an_inner_worker_is_the_scripts)
{
    expect_tells(SCRIPT
                 "new wt.Worker(\"throw new TypeError('inner')\","
                 "{ eval: true }).on('error', (e) => parentPort.postMessage("
                 "[e instanceof TypeError, e.message].join()))",
                 "\"true,inner\"");
}

Test(inside, a_port_can_be_moved_to_another_context)
{
    expect_tells(SCRIPT
                 "const context = require('vm').createContext({});"
                 "const { port1, port2 } = new wt.MessageChannel();"
                 "const moved = wt.moveMessagePortToContext(port1, context);"
                 "moved.onmessage = (e) => { parentPort.postMessage(["
                 "  e.data.hello, e.data instanceof Object,"
                 "  moved instanceof Object, typeof moved.on].join());"
                 "  moved.close(); };"
                 "moved.start();"
                 "port2.postMessage({ hello: 'world' });",
                 "\"world,false,false,undefined\"");
}

Test(inside, messages_can_be_received_at_once)
{
    expect_tells(SCRIPT "const { port1, port2 } = new wt.MessageChannel();"
                        "port1.postMessage({ hello: 'world' });"
                        "parentPort.postMessage(["
                        "wt.receiveMessageOnPort(port2),"
                        "wt.receiveMessageOnPort(port2)])",
                 "[{\"message\": {\"hello\": \"world\"}}, undefined]");
}

Test(inside, the_parent_can_be_asked_synchronously)
{
    nw_worker *worker = worker_of(
        &ear, SCRIPT "let got;"
                     "while (!(got = wt.receiveMessageOnPort(parentPort)));"
                     "parentPort.postMessage(got.message)");

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    expect_status(post(worker, text("now")), NW_OK);
    expect_heard(&ear, 1, NW_WORKER_MESSAGE, "\"now\"");
    end_worker(worker);
}

Test(inside, parent_port_has_both_interfaces)
{
    nw_worker *worker =
        worker_of(&ear, SCRIPT
                  "parentPort.once('message', (m) => {"
                  "  parentPort.onmessage = (e) => {"
                  "    parentPort.onmessage = null;"
                  "    parentPort.addEventListener('message', (f) =>"
                  "      parentPort.postMessage([m, e.data, f.data].join()));"
                  "  }; });");

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    for (int i = 1; i <= 3; i++) {
        expect_status(post(worker, number(i)), NW_OK);
        pause_ms(20);
    }
    expect_heard(&ear, 1, NW_WORKER_MESSAGE, "\"1,2,3\"");
    end_worker(worker);
}

Test(inside, what_is_marked_is_not_transferred_but_copied)
{
    nw_worker *worker = worker_of(
        &ear, SCRIPT "const marked = new ArrayBuffer(3);"
                     "wt.markAsUntransferable(marked);"
                     "parentPort.postMessage(new Uint8Array(marked), [marked]);"
                     "parentPort.postMessage(marked.byteLength)");

    expect_heard(&ear, 1, NW_WORKER_MESSAGE, "<000000>");
    expect_heard(&ear, 2, NW_WORKER_MESSAGE, "3");
    end_worker(worker);
}

// -- broadcast channels

#define BROADCASTER                                                            \
    SCRIPT "const channel = new wt.BroadcastChannel('news');"                  \
           "channel.onmessage = (e) => parentPort.postMessage(e.data);"        \
           "parentPort.on('message', (m) => channel.postMessage(m));"          \
           "parentPort.postMessage('ready');"

Test(inside, a_broadcast_reaches_all_others)
{
    struct ear ears[2];
    struct ear host, second;
    nw_worker *workers[2];
    nw_port *port, *other, *elsewhere;

    ear_init(&host);
    ear_init(&second);
    for (int i = 0; i < 2; i++) {
        ear_init(&ears[i]);
        workers[i] = worker_of(&ears[i], BROADCASTER);
        expect_said(&ears[i], "\"ready\"");
    }
    cr_assert(eq(int, nw_broadcast_create(&port, "news"), NW_OK));
    cr_assert(eq(int, nw_broadcast_create(&other, "news"), NW_OK));
    cr_assert(eq(int, nw_broadcast_create(&elsewhere, "sports"), NW_OK));
    expect_status(nw_port_listen(port, ear_port, &host, NULL), NW_OK);
    expect_status(nw_port_listen(other, ear_port, &second, NULL), NW_OK);

    expect_status(port_post(port, text("from c")), NW_OK);
    expect_heard(&ears[0], 2, NW_WORKER_MESSAGE, "\"from c\"");
    expect_heard(&ears[1], 2, NW_WORKER_MESSAGE, "\"from c\"");
    expect_heard(&second, 0, NW_PORT_MESSAGE, "\"from c\"");

    expect_status(post(workers[0], text("from a worker")), NW_OK);
    expect_heard(&ears[1], 3, NW_WORKER_MESSAGE, "\"from a worker\"");
    expect_heard(&host, 0, NW_PORT_MESSAGE, "\"from a worker\"");
    expect_heard(&second, 1, NW_PORT_MESSAGE, "\"from a worker\"");
    cr_expect(eq(sz, ears[0].count, 3));
    cr_expect(eq(sz, host.count, 1));
    expect_status(nw_port_receive(elsewhere, doc, &(const nw_value *){NULL}),
                  NW_ENOENT);

    expect_status(nw_port_close(port), NW_OK);
    ear_end(&host);
    expect_status(port_post(port, number(1)), NW_ECLOSED);
    expect_status(port_post(other, text("after")), NW_OK);
    expect_heard(&ears[0], 3, NW_WORKER_MESSAGE, "\"after\"");
    for (int i = 0; i < 2; i++) {
        end_worker(workers[i]);
        ear_fini(&ears[i]);
    }
    expect_status(nw_port_destroy(port), NW_OK);
    expect_status(nw_port_destroy(other), NW_OK);
    expect_status(nw_port_destroy(elsewhere), NW_OK);
    ear_fini(&host);
}

Test(inside, a_broadcast_channel_cannot_be_handed_over)
{
    nw_doc *own = nw_doc_create();
    nw_port *port;

    cr_assert(eq(int, nw_broadcast_create(&port, "news"), NW_OK));
    cr_expect(eq(ptr, nw_value_port(own, port), NULL));
    expect_status(nw_doc_status(own), NW_EINVAL);
    expect_status(nw_port_destroy(port), NW_OK);
    nw_doc_destroy(own);
}

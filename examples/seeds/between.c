// Two workers that talk to each other, and not through C: each of them gets one
// end of a channel as its workerData.
//
// Prints:
//   ping, pong

#include <nwpool/port.h>

#include "check.h"

static const char asks[] =
    "const { parentPort, workerData } = require('node:worker_threads');\n"
    "workerData.once('message', (answer) => {\n"
    "    parentPort.postMessage(answer);\n"
    "    workerData.close();\n"
    "});\n"
    "workerData.postMessage('ping');\n";

static const char answers[] =
    "const { workerData } = require('node:worker_threads');\n"
    "workerData.once('message', (question) => {\n"
    "    workerData.postMessage(`${question}, pong`);\n"
    "});\n";

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check_event(event);
    if (event->type == NW_WORKER_MESSAGE) {
        puts(nw_value_get_string(event->value, NULL));
    }
}

static nw_worker *start(const char *script, nw_port *port, nw_inbox *inbox)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *end = nw_value_port(doc, port);
    const nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .worker_data = end,
        .transfer = &end, // A port can only be moved.
        .transfer_count = 1,
        .on_event = on_event,
        .inbox = inbox,
    };
    nw_worker *worker;

    check(nw_worker_create(&worker, &options));
    nw_doc_destroy(doc);
    return worker;
}

int main(void)
{
    nw_port *port1, *port2;
    nw_worker *worker1, *worker2;
    nw_inbox *inbox;

    check(nw_inbox_create(&inbox));
    check(nw_channel_create(&port1, &port2));
    worker1 = start(asks, port1, inbox);
    worker2 = start(answers, port2, inbox);
    // Until both have ended.
    check(nw_inbox_run(inbox, NW_WAIT_FOREVER));

    check(nw_worker_destroy(worker1));
    check(nw_worker_destroy(worker2));
    check(nw_port_destroy(port1));
    check(nw_port_destroy(port2));
    check(nw_inbox_destroy(inbox));
    return 0;
}

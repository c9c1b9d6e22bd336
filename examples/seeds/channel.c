// A channel of one's own: one of its ends goes to a worker, in a message, and C
// listens at the other.
//
// Prints:
//   received: the worker is sending this

#include <nwpool/port.h>

#include "check.h"

static const char script[] =
    "const assert = require('node:assert');\n"
    "const { MessagePort, parentPort } = require('node:worker_threads');\n"
    "parentPort.once('message', (value) => {\n"
    "    assert(value.hereIsYourPort instanceof MessagePort);\n"
    "    value.hereIsYourPort.postMessage('the worker is sending this');\n"
    "    value.hereIsYourPort.close();\n"
    "});\n";

static void on_worker(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check_event(event);
}

static void on_port(const nw_port_event *event, void *user_data)
{
    (void)user_data;
    check_error(event->error);
    if (event->type == NW_PORT_MESSAGE) {
        printf("received: %s\n", nw_value_get_string(event->value, NULL));
    }
}

static void send_port(nw_worker *worker, nw_port *port)
{
    nw_doc *doc = nw_doc_create();
    nw_value *message = nw_value_object(doc);
    nw_value *end = nw_value_port(doc, port);
    const nw_value *transfer[] = {end};

    check(nw_object_set(message, "hereIsYourPort", end));
    check(nw_worker_post(worker, message, transfer, 1));
    nw_doc_destroy(doc);
}

int main(void)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .on_event = on_worker,
    };
    nw_worker *worker;
    nw_port *port1, *port2;

    check(nw_inbox_create(&options.inbox));
    check(nw_worker_create(&worker, &options));
    check(nw_channel_create(&port1, &port2));
    send_port(worker, port1);
    check(nw_port_listen(port2, on_port, NULL, options.inbox));
    // Until the worker has ended and the channel is closed.
    check(nw_inbox_run(options.inbox, NW_WAIT_FOREVER));

    check(nw_port_destroy(port1));
    check(nw_port_destroy(port2));
    check(nw_worker_destroy(worker));
    check(nw_inbox_destroy(options.inbox));
    return 0;
}

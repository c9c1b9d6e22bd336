// A worker that sends back what it receives. C waits for it to be online, posts
// a message, and ends the worker when the answer is there.
//
// Prints:
//   hello

#include "check.h"

static const char script[] =
    "const { parentPort } = require('node:worker_threads');\n"
    "parentPort.on('message', (msg) => {\n"
    "    parentPort.postMessage(msg); // echo\n"
    "});\n";

static void say_hello(nw_worker *worker)
{
    nw_doc *doc = nw_doc_create();

    check(nw_worker_post(worker, nw_value_string(doc, "hello"), NULL, 0));
    nw_doc_destroy(doc); // It was copied.
}

static void on_event(const nw_worker_event *event, void *user_data)
{
    bool *echoed = user_data;

    switch (event->type) {
    case NW_WORKER_ONLINE:
        say_hello(event->worker);
        break;
    case NW_WORKER_MESSAGE:
        *echoed = true;
        puts(nw_value_get_string(event->value, NULL));
        // It would listen for ever.
        check(nw_worker_terminate(event->worker));
        break;
    case NW_WORKER_EXIT:
        if (!*echoed) {
            fputs("The worker ended without an echo.\n", stderr);
            exit(1);
        }
        break;
    default:
        check_event(event);
    }
}

int main(void)
{
    bool echoed = false;
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .on_event = on_event,
        .user_data = &echoed,
    };
    nw_worker *worker;

    check(nw_inbox_create(&options.inbox));
    check(nw_worker_create(&worker, &options));
    // Calls on_event() here, until the worker has ended.
    check(nw_inbox_run(options.inbox, NW_WAIT_FOREVER));

    check(nw_worker_destroy(worker));
    check(nw_inbox_destroy(options.inbox));
    return 0;
}

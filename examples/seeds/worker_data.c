// A value that a worker is started with: a clone of it is its workerData.
//
// Prints:
//   Hello, world!

#include "check.h"

static const char script[] =
    "const { workerData } = require('node:worker_threads');\n"
    "console.log(workerData);\n";

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check_event(event);
}

int main(void)
{
    nw_doc *doc = nw_doc_create();
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .worker_data = nw_value_string(doc, "Hello, world!"),
        .on_event = on_event,
    };
    nw_worker *worker;

    check(nw_doc_status(doc)); // The text was made.
    check(nw_inbox_create(&options.inbox));
    check(nw_worker_create(&worker, &options));
    check(nw_inbox_run(options.inbox, NW_WAIT_FOREVER));

    check(nw_worker_destroy(worker));
    check(nw_inbox_destroy(options.inbox));
    nw_doc_destroy(doc);
    return 0;
}

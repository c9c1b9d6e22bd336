// A script, given as text, that finds out that it runs in a worker. If the
// assertion failed, that would be an uncaught error of the worker.
//
// Prints:
//   Inside Worker!
//   false

#include "check.h"

static const char script[] =
    "const assert = require('node:assert');\n"
    "const { isMainThread } = require('node:worker_threads');\n"
    "assert(!isMainThread); // This script is running as a worker.\n"
    "console.log('Inside Worker!');\n"
    "console.log(isMainThread);\n";

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check_event(event);
}

int main(void)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .on_event = on_event,
    };
    nw_worker *worker;

    check(nw_inbox_create(&options.inbox));
    check(nw_worker_create(&worker, &options));
    check(nw_inbox_run(options.inbox, NW_WAIT_FOREVER));

    check(nw_worker_destroy(worker));
    check(nw_inbox_destroy(options.inbox));
    return 0;
}

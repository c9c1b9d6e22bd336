// Memory that C and a worker both see: a SharedArrayBuffer. The worker reads
// what C put there, and C reads what the worker put there.
//
// Prints:
//   1 2 3 4
//   10 20 30 40

#include <string.h>

#include "check.h"

static const char script[] =
    "const { workerData } = require('node:worker_threads');\n"
    "workerData.forEach((number, i) => { workerData[i] = number * 10; });\n";

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check_event(event);
}

static void show(const unsigned char *bytes)
{
    printf("%d %d %d %d\n", bytes[0], bytes[1], bytes[2], bytes[3]);
}

int main(void)
{
    static const unsigned char numbers[] = {1, 2, 3, 4};
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .on_event = on_event,
    };
    nw_doc *doc = nw_doc_create();
    nw_worker *worker;
    nw_shared *shared;
    unsigned char *bytes;

    check(nw_shared_create(&shared, sizeof(numbers)));
    bytes = nw_shared_data(shared, NULL);
    memcpy(bytes, numbers, sizeof(numbers));
    show(bytes);

    // A Uint8Array over all of it.
    options.worker_data = nw_value_view_of(nw_value_shared(doc, shared),
                                           NW_VIEW_UINT8, 0, sizeof(numbers));
    check(nw_doc_status(doc));
    check(nw_inbox_create(&options.inbox));
    check(nw_worker_create(&worker, &options));
    check(nw_inbox_run(options.inbox, NW_WAIT_FOREVER));
    // The worker has ended; while it runs, both sides would need atomics.
    show(bytes);

    check(nw_worker_destroy(worker));
    check(nw_inbox_destroy(options.inbox));
    nw_doc_destroy(doc);
    nw_shared_unref(shared);
    return 0;
}

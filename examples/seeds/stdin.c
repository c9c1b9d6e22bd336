// Writes to a worker's process.stdin, and receives what it writes to its
// process.stdout as events.
//
// Prints:
//   HELLO
//   WORLD

#include <string.h>

#include "check.h"

static const char script[] =
    "process.stdin.on('data', (data) => {\n"
    "    process.stdout.write(String(data).toUpperCase());\n"
    "});\n";

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check_event(event);
    if (event->type == NW_WORKER_OUTPUT) {
        // In pieces of any size, and without a NUL.
        fwrite(event->data, 1, event->data_size, stdout);
    }
}

static void feed(nw_worker *worker, const char *text)
{
    check(nw_worker_write(worker, text, strlen(text), NW_WAIT_FOREVER));
}

int main(void)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .on_event = on_event,
        .stdin_pipe = true,
        .stdout_mode = NW_OUTPUT_EVENT,
    };
    nw_worker *worker;

    check(nw_inbox_create(&options.inbox));
    check(nw_worker_create(&worker, &options));
    feed(worker, "hello\n");
    feed(worker, "world\n");
    check(nw_worker_end(worker));
    check(nw_inbox_run(options.inbox, NW_WAIT_FOREVER));

    check(nw_worker_destroy(worker));
    check(nw_inbox_destroy(options.inbox));
    return 0;
}

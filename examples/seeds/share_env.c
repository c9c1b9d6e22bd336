// A worker that shares the environment of the process: what it sets, getenv()
// sees. Without `share_env` it would have a copy.
//
// Prints:
//   foo

#include "check.h"

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check_event(event);
    if (event->type == NW_WORKER_EXIT) {
        const char *value = getenv("SET_IN_WORKER");

        puts(value != NULL ? value : "not set");
    }
}

int main(void)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "process.env.SET_IN_WORKER = 'foo'",
        .share_env = true,
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

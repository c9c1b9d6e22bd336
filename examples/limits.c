// Tasks that do not end by themselves: one is over its limit, one is canceled, one
// sends until it is told to stop. The worker lives through all of it.
//
// Usage: limits [MODULE], where MODULE is the limits.js beside this file.

#include <stdio.h>
#include <stdlib.h>

#include <nwpool/pool.h>

static nwpool *pool;

static void check(nw_status status)
{
    if (status != NW_OK) {
        fprintf(stderr, "%s: %s\n", nw_status_message(status),
                nw_status_detail());
        exit(1);
    }
}

// The pool's completion thread, all three of them.

static void on_event(const nwpool_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == NWPOOL_WORKER_EXITED) {
        printf("worker %u ended: %s\n", event->worker, event->reason);
    }
}

static void on_sent(const nw_sent *sent, void *user_data)
{
    (void)user_data;
    if (sent->index == 3) {
        // Enough.
        nwpool_cancel(pool, sent->task, NW_CANCEL_ASK, 1000);
    }
}

static void on_done(const nw_result *result, void *name)
{
    printf("%s: %s\n", (char *)name, nw_status_name(result->status));
}

static nw_task_id submit(const char *function, uint32_t run_limit_ms)
{
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = function,
                               .on_done = on_done,
                               .user_data = (void *)function,
                               .on_sent = on_sent,
                               .run_limit_ms = run_limit_ms};
    nw_task_id task;

    check(nwpool_submit(pool, &spec, &task));
    return task;
}

int main(int argc, char **argv)
{
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module =
                                        argc > 1 ? argv[1] : "./limits.js",
                                    .workers = 1,
                                    .interruptible = true,
                                    .on_event = on_event};

    check(nwpool_create(&pool, &options));
    submit("spin", 50);
    submit("count", 0);
    check(nwpool_cancel(pool, submit("quick", 0), NW_CANCEL_ASK, 0));
    submit("quick", 0);
    nwpool_close(pool);
    check(nwpool_drain(pool, NW_WAIT_FOREVER));
    puts("all have ended, and no worker had to");
    nwpool_destroy(pool);
    return 0;
}

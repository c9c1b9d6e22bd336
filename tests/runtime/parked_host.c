// A host with a worker whose heap was exhausted and whose thread is parked, in
// two modes:
//
//   parked_host return STATUS   returns from main()
//   parked_host stop STATUS     stops the runtime before that

#include <node_api.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nwpool/function.h>
#include <nwpool/runtime.h>

#include "src/engine/guard.h"
#include "tests/runtime/client.h"
#include "tests/runtime/process.h"

static sem_t parked;

static uint64_t running(void *unused)
{
    (void)unused;
    return 0;
}

static void out_of_memory(void *unused)
{
    (void)unused;
    sem_post(&parked);
}

static void exhaust(const nw_body *body, void *unused)
{
    const struct nw__guard_hooks hooks = {running, out_of_memory, NULL};
    napi_value script, result;

    (void)unused;
    if (nw__engine_guard_create(body->env, &hooks) == NULL) {
        client_fail("no guard");
    }
    napi_create_string_utf8(body->env, "new Array(2 ** 27).fill(1.5).length",
                            NAPI_AUTO_LENGTH, &script);
    napi_run_script(body->env, script, &result);
    client_fail("the heap was not exhausted");
}

static void on_event(const nw_worker_event *event, void *unused)
{
    (void)event;
    (void)unused;
}

static nw_worker *start_exhausted(void)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .body = exhaust,
        .on_event = on_event,
        .limits.max_old_generation_size_mb = 40,
    };
    nw_worker *worker;

    sem_init(&parked, 0, 0);
    client_expect("nw_worker_create", nw_worker_create(&worker, &options),
                  NW_OK);
    while (sem_wait(&parked) != 0) {
    }
    return worker;
}

static void stop(nw_worker *worker)
{
    uint64_t begin_ms;
    nw_status status;

    client_expect("nw_worker_destroy", nw_worker_destroy(worker), NW_EWEDGED);
    begin_ms = client_now_ms();
    status = nw_runtime_stop(CLIENT_TIMEOUT_MS);
    dprintf(REPORT_FD, "%s after %llu ms\n", nw_status_name(status),
            (unsigned long long)(client_now_ms() - begin_ms));
}

static void say_handler(void)
{
    printf(", handler");
}

int main(int argc, char **argv)
{
    struct watch watch;
    nw_worker *worker;
    nwpool *pool;

    if (argc != 3) {
        return CLIENT_FAILED;
    }
    worker = start_exhausted();
    atexit(say_handler);
    printf("buffered");
    // The others go on.
    pool = client_pool("tasks.js", 1);
    if (client_number(pool, "increment", 1) != 2) {
        client_fail("the pool does not work");
    }
    if (strcmp(argv[1], "stop") == 0) {
        client_expect("nwpool_destroy", nwpool_destroy(pool), NW_OK);
        stop(worker);
    } else {
        client_keep_busy(pool, "hash");
        client_worker(&watch, "for (;;);");
    }
    return atoi(argv[2]);
}

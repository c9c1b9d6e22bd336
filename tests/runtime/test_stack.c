// Goal: a thread with a tiny stack may call everything, and a script that
// recurses without end gets an exception, not the process a SIGSEGV.

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/client.h"

// The instrumentation makes every frame several times as large.
#if defined(__SANITIZE_ADDRESS__)
#define TINY ((size_t)256 << 10)
#else
#define TINY ((size_t)PTHREAD_STACK_MIN)
#endif

TestSuite(stack, .timeout = 60);

static void *start_body(void *data)
{
    *(nw_status *)data = nw_runtime_start(NULL);
    return NULL;
}

Test(stack, runtime_starts_from_a_tiny_stack)
{
    nw_status status = NW_EINVAL;

    client_on_thread(TINY, start_body, &status);
    cr_expect(eq(int, status, NW_OK));
}

// A task with a value nested as deeply as values may be: neither encoding it
// nor reading it back may recurse.
static void *pool_body(void *data)
{
    nwpool *pool = client_pool("tasks.js", 1);
    nw_doc *doc = nw_doc_create();
    nw_value *value = nw_value_number(doc, 1);
    const nw_value *argument;
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "identity",
        .arguments = &argument,
        .argument_count = 1,
    };
    nw_task_id task;
    nw_result *result;

    for (int i = 0; i < NW_VALUE_DEPTH_MAX - 1; i++) {
        nw_value *outer = nw_value_array(doc);

        nw_array_push(outer, value);
        value = outer;
    }
    argument = value;
    client_expect("nwpool_submit", nwpool_submit(pool, &spec, &task), NW_OK);
    client_expect("nwpool_wait",
                  nwpool_wait(pool, task, CLIENT_TIMEOUT_MS, &result), NW_OK);
    *(nw_status *)data = result->status;
    nwpool_result_free(result);
    nw_doc_destroy(doc);
    client_expect("nwpool_drain", nwpool_drain(pool, CLIENT_TIMEOUT_MS), NW_OK);
    nwpool_close(pool);
    client_expect("nwpool_destroy", nwpool_destroy(pool), NW_OK);
    return NULL;
}

Test(stack, pool_is_used_from_a_tiny_stack)
{
    nw_status status = NW_EINVAL;

    client_on_thread(TINY, pool_body, &status);
    cr_expect(eq(int, status, NW_OK));
}

static void *worker_body(void *data)
{
    static struct watch watch;
    nw_worker *worker = client_worker(
        &watch, "const { parentPort } = require('worker_threads');"
                "parentPort.once('message', (m) =>"
                "  parentPort.postMessage('got ' + m));");
    nw_doc *doc = nw_doc_create();

    client_expect("nw_worker_post",
                  nw_worker_post(worker, nw_value_number(doc, 5), NULL, 0),
                  NW_OK);
    nw_doc_destroy(doc);
    client_await(&watch, NW_WORKER_EXIT, 1);
    client_expect("nw_worker_terminate", nw_worker_terminate(worker),
                  NW_ECLOSED);
    client_expect("nw_worker_destroy", nw_worker_destroy(worker), NW_OK);
    client_expect("nw_runtime_stop", nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK);
    *(bool *)data = strcmp(watch.text, "got 5") == 0;
    return NULL;
}

Test(stack, worker_is_used_from_a_tiny_stack)
{
    bool answered = false;

    client_on_thread(TINY, worker_body, &answered);
    cr_expect(answered);
}

Test(stack, endless_recursion_in_a_task_is_a_range_error)
{
    nwpool *pool = client_pool("tasks.js", 1);
    char *text = client_text(pool, "deep", 0);

    cr_expect(eq(str, text, "RangeError  Maximum call stack size exceeded"));
    free(text);
    cr_expect(eq(dbl, client_number(pool, "increment", 1), 2));
    nwpool_destroy(pool);
}

Test(stack, endless_recursion_in_a_worker_is_an_error_event)
{
    struct watch watch;
    nw_worker *worker =
        client_worker(&watch, "(function deeper() { deeper(); })()");

    client_await(&watch, NW_WORKER_EXIT, 1);
    cr_expect(eq(u32, watch.count[NW_WORKER_ERROR], 1));
    cr_expect(eq(str, watch.text, "Maximum call stack size exceeded"));
    cr_expect(eq(int, watch.exit_code, 1));
    nw_worker_destroy(worker);
}

// Goal: a start that fails for lack of memory has changed nothing and can be
// tried again.

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "tests/runtime/client.h"

TestSuite(memory, .timeout = 60);

// Allocations of a start up to the point from where there is no way back.
#define ALLOCATIONS 5

Test(memory, start_without_memory_can_be_repeated)
{
    struct watch watch;
    nw_worker *worker;

    for (int i = 0; i < ALLOCATIONS; i++) {
        nw__alloc_fail_after(i);
        cr_expect(eq(int, nw_runtime_start(NULL), NW_ENOMEM),
                  "with %d allocations", i);
        cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_NEW));
        cr_expect(eq(int, client_threads_named("nwpool-events"), 0));
    }
    nw__alloc_fail_after(-1);
    cr_assert(eq(int, nw_runtime_start(NULL), NW_OK));

    // The events thread is not one that was told to end.
    worker = client_worker(&watch, "0");
    client_await(&watch, NW_WORKER_EXIT, 1);
    cr_expect(eq(int, nw_worker_destroy(worker), NW_OK));
    cr_expect(eq(int, nw_runtime_stop(CLIENT_TIMEOUT_MS), NW_OK));
}

// Goal: workers that come and go leave nothing behind. Fifty rounds of create,
// use and terminate, after a few that warm everything up, leave threads and
// descriptors where they were, and memory within what an allocator keeps.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

#include <nwpool/inbox.h>
#include <nwpool/port.h>
#include <nwpool/worker.h>

TestSuite(rounds, .init = test_init, .fini = test_fini,
          .timeout = 2 * SUITE_TIMEOUT);

#define WARM_UP_ROUNDS 10
#define ROUNDS         50

// A worker has some 8 MiB; one in ten rounds that stayed would be far above. The
// sanitizer keeps freed memory for a while.
#ifdef __SANITIZE_ADDRESS__
#define ALLOWANCE_KIB (600 * 1024)
#else
#define ALLOWANCE_KIB (24 * 1024)
#endif

static const char script[] =
    "const { parentPort, workerData } = require('worker_threads');\n"
    "process.stdin.on('data', (d) => process.stdout.write(d));\n"
    "parentPort.on('message', (message) => {\n"
    "  Atomics.add(new Int32Array(workerData), 0, 1);\n"
    "  if (message.port) {\n"
    "    message.port.on('message', (m) => message.port.postMessage(m));\n"
    "  } else {\n"
    "    parentPort.postMessage(message);\n"
    "  }\n"
    "});\n";

static nw_inbox *inbox;

// The inbox's thread, which is the test's.
static struct {
    int messages;
    int echoes;
    size_t printed;
    bool exited;
} heard;

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    heard.messages += event->type == NW_WORKER_MESSAGE;
    heard.printed += event->data_size;
    heard.exited = heard.exited || event->type == NW_WORKER_EXIT;
    cr_assert(eq(ptr, (void *)event->error, NULL));
}

static void on_port(const nw_port_event *event, void *user_data)
{
    (void)user_data;
    heard.echoes += event->type == NW_PORT_MESSAGE;
}

static void poll(void)
{
    expect_status(nw_inbox_poll(inbox, DEADLINE_MS), NW_OK);
}

static nw_worker *start(nw_shared *shared)
{
    const nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = script,
        .worker_data = nw_value_shared(doc, shared),
        .on_event = on_event,
        .inbox = inbox,
        .stdin_pipe = true,
        .stdout_mode = NW_OUTPUT_EVENT,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK), "%s",
              nw_status_detail());
    return worker;
}

// Gives one end of a channel to the worker and listens to the other.
static nw_port *connect_to(nw_worker *worker)
{
    nw_value *message = nw_value_object(doc);
    nw_port *near, *far;
    nw_value *port;

    cr_assert(eq(int, nw_channel_create(&near, &far), NW_OK));
    port = nw_value_port(doc, far);
    nw_object_set(message, "port", port);
    expect_status(
        nw_worker_post(worker, message, (const nw_value *const[]){port}, 1),
        NW_OK);
    expect_status(nw_port_listen(near, on_port, NULL, inbox), NW_OK);
    expect_status(nw_port_destroy(far), NW_OK);
    return near;
}

// Every second worker is terminated and waited for, the others destroyed as
// they are.
static void one_round(int number)
{
    static const char bytes[500];
    nw_shared *shared;
    nw_worker *worker;
    nw_port *port;

    memset(&heard, 0, sizeof(heard));
    cr_assert(eq(int, nw_shared_create(&shared, 64), NW_OK));
    worker = start(shared);
    port = connect_to(worker);
    for (int i = 0; i < 3; i++) {
        expect_status(nw_worker_post(worker,
                                     nw_value_bytes(doc, bytes, sizeof(bytes)),
                                     NULL, 0),
                      NW_OK);
        expect_status(nw_port_post(port, nw_value_bigint(doc, i), NULL, 0),
                      NW_OK);
    }
    expect_status(nw_worker_write(worker, "hello", 5, DEADLINE_MS), NW_OK);
    while (heard.messages < 3 || heard.echoes < 3 || heard.printed < 5) {
        poll();
    }
    cr_expect(eq(int, *(int *)nw_shared_data(shared, NULL), 4));
    if (number % 2 == 0) {
        expect_status(nw_worker_terminate(worker), NW_OK);
        while (!heard.exited) {
            poll();
        }
    }
    expect_status(nw_port_destroy(port), NW_OK);
    expect_status(nw_worker_destroy(worker), NW_OK);
    nw_shared_unref(shared);
    nw_doc_reset(doc);
}

Test(rounds, of_create_use_terminate_leave_nothing_behind)
{
    unsigned threads, descriptors;
    size_t resident;

    cr_assert(eq(int, nw_inbox_create(&inbox), NW_OK));
    for (int i = 0; i < WARM_UP_ROUNDS; i++) {
        one_round(i);
    }
    eventually(thread_count() <= 16);
    threads = thread_count();
    descriptors = descriptor_count();
    resident = resident_kib();
    for (int i = 0; i < ROUNDS; i++) {
        one_round(i);
    }
    eventually(thread_count() == threads);
    eventually(descriptor_count() == descriptors);
    printf("after %d more rounds: %u threads, %u descriptors, %+ld KiB "
           "resident\n",
           ROUNDS, thread_count(), descriptor_count(),
           (long)resident_kib() - (long)resident);
    cr_expect(lt(sz, resident_kib(), resident + ALLOWANCE_KIB));
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

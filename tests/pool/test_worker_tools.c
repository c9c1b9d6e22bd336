// Goal: what surrounds a worker: heap snapshots, event loop utilization and
// environment data.

#include "tests/pool/ear.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ear ear;

static void init(void)
{
    test_init();
    scratch_init();
    ear_init(&ear);
}

static void fini(void)
{
    ear_fini(&ear);
    scratch_fini();
    test_fini();
}

TestSuite(tools, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// -- heap snapshots

// What a worker finds in that file.
static void expect_snapshot(const char *path)
{
    struct ear one;
    nw_worker *worker;

    ear_init(&one);
    worker = worker_with(
        &one, (nw_worker_options){
                  .source = SCRIPT
                  "const s = JSON.parse(require('fs').readFileSync("
                  "workerData)); parentPort.postMessage("
                  "s.snapshot.node_count * s.snapshot.meta.node_fields.length"
                  " === s.nodes.length && s.nodes.length > 1000 &&"
                  " s.strings.includes('FindMeInTheHeap'))",
                  .worker_data = text(path)});
    expect_said(&one, "true");
    end_worker(worker);
    ear_fini(&one);
}

#define FIND_ME                                                                \
    "class FindMeInTheHeap {}; globalThis.kept = new FindMeInTheHeap();"

Test(tools, a_heap_snapshot_is_one)
{
    const char *path = scratch("it.heapsnapshot");
    nw_worker *worker = worker_of(&ear, FIND_ME ECHO_SCRIPT);

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    expect_status(post(worker, number(1)), NW_OK);
    expect_said(&ear, "1");
    expect_status(nw_worker_heap_snapshot(worker, path, DEADLINE_MS), NW_OK);
    expect_snapshot(path);
    // The worker is as it was, and a second one replaces the first.
    expect_status(post(worker, number(2)), NW_OK);
    expect_heard(&ear, 2, NW_WORKER_MESSAGE, "2");
    expect_status(nw_worker_heap_snapshot(worker, path, DEADLINE_MS), NW_OK);
    expect_snapshot(path);
    end_worker(worker);
}

Test(tools, a_snapshot_that_cannot_be_written_says_why)
{
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);
    nw_status status;

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    status =
        nw_worker_heap_snapshot(worker, scratch("no/where.json"), DEADLINE_MS);
    expect_status(status, NW_EIO);
    expect_says(nw_status_detail(), "no/where.json");
    expect_status(nw_worker_heap_snapshot(worker, "", DEADLINE_MS), NW_EINVAL);
    expect_status(nw_worker_heap_snapshot(worker, NULL, DEADLINE_MS),
                  NW_EINVAL);
    nw_worker_terminate(worker);
    ear_end(&ear);
    expect_status(
        nw_worker_heap_snapshot(worker, scratch("late.json"), DEADLINE_MS),
        NW_ECLOSED);
    cr_expect(ne(int, access(scratch("late.json"), F_OK), 0));
    end_worker(worker);
}

Test(tools, a_busy_worker_is_snapped_or_the_wait_ends)
{
    nw_worker *worker =
        worker_of(&ear, SCRIPT "parentPort.postMessage(1); for (;;);");
    uint64_t start_ms;
    nw_status status;

    expect_said(&ear, "1");
    start_ms = now_ms();
    status = nw_worker_heap_snapshot(worker, scratch("busy.json"), 1000);
    cr_expect(status == NW_OK || status == NW_ETIMEDOUT, "%s",
              nw_status_name(status));
    cr_expect(lt(u64, now_ms() - start_ms, 5000));
    end_worker(worker);
}

struct asked {
    nw_worker *worker;
    nw_status status;
};

static void *ask_for_snapshot(void *argument)
{
    struct asked *asked = argument;

    asked->status = nw_worker_heap_snapshot(asked->worker,
                                            scratch("dying.json"), DEADLINE_MS);
    return NULL;
}

// It waits for a worker that hears nothing and then ends.
Test(tools, a_snapshot_of_a_worker_that_ends_is_none)
{
    static const unsigned pauses_ms[] = {0, 200}; // Not yet online, or is.

    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        struct asked asked = {
            .worker = worker_of(NULL, "Atomics.wait(new Int32Array("
                                      "new SharedArrayBuffer(4)), 0, 0)"),
        };
        pthread_t thread;

        cr_assert(eq(
            int, pthread_create(&thread, NULL, ask_for_snapshot, &asked), 0));
        pause_ms(pauses_ms[i]);
        expect_status(nw_worker_terminate(asked.worker), NW_OK);
        pthread_join(thread, NULL);
        cr_expect(asked.status == NW_ECLOSED || asked.status == NW_OK, "%s",
                  nw_status_name(asked.status));
        end_worker(asked.worker);
    }
}

// -- event loop utilization

static double utilization(nw_worker *worker)
{
    nw_event_loop_utilization before, after;
    double idle, active;

    expect_status(nw_worker_get_event_loop_utilization(worker, &before), NW_OK);
    pause_ms(300);
    expect_status(nw_worker_get_event_loop_utilization(worker, &after), NW_OK);
    idle = after.idle - before.idle;
    active = after.active - before.active;
    cr_expect(ge(dbl, idle, 0));
    cr_expect(gt(dbl, idle + active, 200), "%g + %g", idle, active);
    cr_expect(ge(dbl, after.utilization, 0));
    cr_expect(le(dbl, after.utilization, 1));
    return active / (idle + active);
}

Test(tools, an_idle_worker_is_idle_and_a_busy_one_busy)
{
    nw_event_loop_utilization ended;
    nw_worker *worker = worker_of(
        &ear, SCRIPT "parentPort.on('message', () => {"
                     "  parentPort.postMessage('busy');"
                     "  for (const end = Date.now() + 2000; Date.now() < end;);"
                     "});"
                     "parentPort.postMessage('idle')");

    expect_heard(&ear, 1, NW_WORKER_MESSAGE, "\"idle\"");
    pause_ms(50);
    cr_expect(lt(dbl, utilization(worker), 0.2));
    expect_status(post(worker, number(1)), NW_OK);
    expect_heard(&ear, 2, NW_WORKER_MESSAGE, "\"busy\"");
    cr_expect(gt(dbl, utilization(worker), 0.8));
    nw_worker_terminate(worker);
    ear_end(&ear);
    expect_status(nw_worker_get_event_loop_utilization(worker, &ended), NW_OK);
    cr_expect(eq(dbl, ended.idle, 0));
    cr_expect(eq(dbl, ended.active, 0));
    cr_expect(eq(dbl, ended.utilization, 0));
    end_worker(worker);
}

// -- environment data

#define TELL_KEY                                                               \
    SCRIPT "parentPort.postMessage(require('util').inspect("                   \
           "wt.getEnvironmentData(workerData)))"

static void expect_key(const nw_value *key, const char *said)
{
    struct ear one;
    nw_worker *worker;

    ear_init(&one);
    worker = worker_with(
        &one, (nw_worker_options){.source = TELL_KEY, .worker_data = key});
    expect_said(&one, said);
    end_worker(worker);
    ear_fini(&one);
}

Test(tools, environment_data_reaches_workers_that_start_later)
{
    nw_value *key = text("key");
    nw_value *map = nw_value_map(doc);
    const nw_value *found;
    nw_worker *early = worker_of(
        &ear, SCRIPT "parentPort.on('message', (k) => parentPort.postMessage("
                     "String(wt.getEnvironmentData(k))))");

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    nw_map_push(map, text("a"), nw_value_bigint(doc, 1));
    expect_status(nw_environment_data_get(key, doc, &found), NW_OK);
    cr_expect(eq(int, (int)nw_value_type(found), (int)NW_TYPE_UNDEFINED));
    expect_status(nw_environment_data_set(key, map), NW_OK);
    expect_status(nw_environment_data_set(number(5), text("five")), NW_OK);
    expect_status(nw_environment_data_get(key, doc, &found), NW_OK);
    cr_assert(eq(int, (int)nw_value_type(found), (int)NW_TYPE_MAP));
    cr_expect(eq(sz, nw_value_size(found), 1));
    expect_key(key, "\"Map(1) { 'a' => 1n }\"");
    expect_key(number(5), "\"'five'\"");

    expect_status(post(early, key), NW_OK);
    expect_heard(&ear, 1, NW_WORKER_MESSAGE, "\"undefined\"");

    expect_status(nw_environment_data_set(key, text("other")), NW_OK);
    expect_key(key, "\"'other'\"");
    expect_status(nw_environment_data_set(key, NULL), NW_OK);
    expect_key(key, "\"undefined\"");
    expect_status(nw_environment_data_get(key, doc, &found), NW_OK);
    cr_expect(eq(int, (int)nw_value_type(found), (int)NW_TYPE_UNDEFINED));
    end_worker(early);
}

Test(tools, environment_data_reaches_pools_and_nested_workers)
{
    const char *module = scratch_file(
        "data.js", "const wt = require('worker_threads');"
                   "exports.data = (key) => wt.getEnvironmentData(key);");
    nw_worker *worker;
    nwpool *pool;

    expect_status(nw_environment_data_set(text("key"), text("value")), NW_OK);
    pool = pool_with(module, 1, 0);
    expect_value(call(pool, "data", text("key"), NULL), "\"value\"");
    destroy(pool);
    worker = worker_of(
        &ear, SCRIPT
        "new wt.Worker(`const wt = require('worker_threads');"
        "wt.parentPort.postMessage(wt.getEnvironmentData('key'))`,"
        "{ eval: true }).on('message', (m) => parentPort.postMessage(m))");
    expect_said(&ear, "\"value\"");
    end_worker(worker);
}

Test(tools, environment_data_that_cannot_be_cloned_is_refused)
{
    nw_port *ports[2];
    const nw_value *found;

    channel(&ports[0], &ports[1]);
    expect_status(
        nw_environment_data_set(text("port"), nw_value_port(doc, ports[0])),
        NW_ECLONE);
    expect_status(nw_environment_data_get(text("port"), doc, &found), NW_OK);
    cr_expect(eq(int, (int)nw_value_type(found), (int)NW_TYPE_UNDEFINED));
    expect_status(nw_environment_data_set(NULL, number(1)), NW_EINVAL);
    expect_status(nw_environment_data_get(NULL, doc, &found), NW_EINVAL);
    expect_status(nw_environment_data_get(text("port"), NULL, &found),
                  NW_EINVAL);
    expect_status(nw_environment_data_get(text("port"), doc, NULL), NW_EINVAL);
    expect_status(nw_port_destroy(ports[0]), NW_OK);
    expect_status(nw_port_destroy(ports[1]), NW_OK);
}

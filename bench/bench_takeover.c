// How long tasks wait when their worker ends and a spare one is ready: from the
// moment of the end to the start of the next task, on the spare.
//
//   build/bench_takeover [ROUNDS]
//
// The dying task reads the clock just before, the next one first of all. Where
// C ends the worker it reads the clock before it asks for that. All ways to end
// are taken in turn. Fails when the next task runs on the same worker or when
// one does not end as it should.

#include <stdatomic.h>

#include <nwpool/pool.h>

#include "bench.h"

#define ROUNDS_MAX 1000
#define WAIT_MS    10000

// For the machine to be quiet after a spare or a task has started.
#define SETTLE_US 20000

struct way {
    const char *label;
    const char *function;
    bool is_canceled; // By us, when it runs.
    nw_status status;
    int exit_code;
};

static const struct way ways[] = {
    {"process.exit()", "exit", false, NW_ECRASHED, 3},
    {"error outside of a task", "throwOutside", false, NW_ECRASHED, 1},
    {"NW_CANCEL_END, inside a loop", "spin", true, NW_ECANCELED, 0},
    {"NW_CANCEL_END, awaits", "wait", true, NW_ECANCELED, 0},
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static nwpool *pool;
static const nw_value *argument;
static _Atomic uint64_t *stamps; // As in takeover.js.

static void die(const char *what, nw_status status)
{
    fprintf(stderr, "bench_takeover: %s: %s %s\n", what,
            nw_status_message(status), nw_status_detail());
    exit(1);
}

static nw_task_id submit(const char *function)
{
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = function,
                               .arguments = &argument,
                               .argument_count = 1};
    nw_task_id id;
    nw_status status = nwpool_submit(pool, &spec, &id);

    if (status != NW_OK) {
        die("submit", status);
    }
    return id;
}

// Returns the worker that ran it.
static uint32_t expect(nw_task_id id, nw_status expected, int exit_code)
{
    nw_result *result;
    nw_status status = nwpool_wait(pool, id, WAIT_MS, &result);
    uint32_t worker;

    if (status != NW_OK) {
        die("wait", status);
    }
    if (result->status != expected || result->exit_code != exit_code) {
        fprintf(
            stderr, "bench_takeover: %s() ended with %s, exit code %d: %s\n",
            result->function, nw_status_name(result->status), result->exit_code,
            result->error != NULL ? result->error->message : "");
        exit(1);
    }
    worker = result->worker;
    nwpool_result_free(result);
    return worker;
}

static void wait_until_it_runs(void)
{
    double end = bench_now() + WAIT_MS * 1e-3;

    while (atomic_load(&stamps[0]) == 0) {
        if (bench_now() > end) {
            die("the task does not start", NW_ETIMEDOUT);
        }
        usleep(100);
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Microseconds.
static double take_over(const struct way *way)
{
    nw_status status = nwpool_warm_up(pool, 2, WAIT_MS);
    nw_task_id dying, next;
    uint32_t first, second;

    if (status != NW_OK) {
        die("warm up", status);
    }
    usleep(SETTLE_US);
    atomic_store(&stamps[0], 0);
    dying = submit(way->function);
    next = submit("next");
    if (way->is_canceled) {
        wait_until_it_runs();
        usleep(SETTLE_US); // One that awaits has come to that by then.
        atomic_store(&stamps[0], now_ns());
        status = nwpool_cancel(pool, dying, NW_CANCEL_END, 0);
        if (status != NW_OK) {
            die("cancel", status);
        }
    }
    second = expect(next, NW_OK, 0);
    first = expect(dying, way->status, way->exit_code);
    if (first == second) {
        die("the next task ran on the worker that ended", NW_EPROTO);
    }
    return (double)(atomic_load(&stamps[1]) - atomic_load(&stamps[0])) * 1e-3;
}

int main(int argc, char **argv)
{
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module = NW_BENCH_MODULES "/takeover.js",
                                    .workers = 1,
                                    .spares = 1};
    static double times[WAYS][ROUNDS_MAX];
    int rounds = argc > 1 ? atoi(argv[1]) : 50;
    nw_doc *doc = nw_doc_create();
    nw_shared *shared;
    nw_status status;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_takeover [ROUNDS], 1 to %d\n",
                ROUNDS_MAX);
        return 2;
    }
    status = nw_shared_create(&shared, 2 * sizeof(*stamps));
    if (status != NW_OK) {
        die("shared memory", status);
    }
    stamps = nw_shared_data(shared, NULL);
    argument = nw_value_shared(doc, shared);
    status = nwpool_create(&pool, &options);
    if (status != NW_OK) {
        die("pool", status);
    }
    bench_print_machine();
    printf("Node.js %s, from the end of a worker to the next task, %d rounds\n",
           nw_runtime_node_version(), rounds);
    for (int i = 0; i < rounds; i++) {
        for (size_t way = 0; way < WAYS; way++) {
            times[way][i] = take_over(&ways[way]);
        }
    }
    for (size_t way = 0; way < WAYS; way++) {
        bench_print_tail(ways[way].label, times[way], (size_t)rounds, "us");
    }
    nwpool_destroy(pool);
    nw_shared_unref(shared);
    nw_doc_destroy(doc);
    return 0;
}

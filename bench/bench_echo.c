// The trivial task through a pool of one worker, beside a bare MessageChannel
// echo between two Node.js threads, in one process and in turn.
//
//   build/bench_echo [ROUNDS]
//
// Both keep 1,024 in flight. The echo has no promise, no id and no queue: it
// is the floor of what any pool on MessagePort can do. The last line is the
// ratio of the medians.

#include <pthread.h>

#include <nwpool/pool.h>
#include <nwpool/worker.h>

#include "bench.h"

#define WINDOW      1024
#define TASKS       400000
#define ECHOES      200000
#define ROUND_TRIPS 5000
#define ROUNDS_MAX  99

static const char echo_script[] =
    "const { parentPort, Worker, MessageChannel } =\n"
    "  require('worker_threads');\n"
    "const child = new Worker(`\n"
    "  require('worker_threads').parentPort.once('message', (port) => {\n"
    "    port.on('message', (n) => port.postMessage(n + 1));\n"
    "  })`, { eval: true });\n"
    "const { port1, port2 } = new MessageChannel();\n"
    "child.postMessage(port2, [port2]);\n"
    "let sent, got, total, begin;\n"
    "port1.on('message', () => {\n"
    "  got++;\n"
    "  if (sent < total) { sent++; port1.postMessage(41); }\n"
    "  if (got === total) {\n"
    "    const ns = Number(process.hrtime.bigint() - begin);\n"
    "    parentPort.postMessage(total / ns * 1e9);\n"
    "  }\n"
    "});\n"
    "parentPort.on('message', (count) => {\n"
    "  sent = Math.min(1024, count); got = 0; total = count;\n"
    "  begin = process.hrtime.bigint();\n"
    "  for (let i = 0; i < sent; i++) port1.postMessage(41);\n"
    "});\n";

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    double echo_rate; // 0: not there yet.
    bool done;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER};

static nwpool *pool;
static nw_task_spec spec = {.struct_size = sizeof(spec), .function = "inc"};
static long left_to_send; // Completion thread, while a round runs.
static long left_to_get;

static void die(const char *what, nw_status status)
{
    fprintf(stderr, "bench_echo: %s: %s %s\n", what, nw_status_message(status),
            nw_runtime_error());
    exit(1);
}

static void submit(void)
{
    nw_status status = nwpool_submit(pool, &spec, NULL);

    if (status != NW_OK) {
        die("submit", status);
    }
}

static void on_done(const nw_result *result, void *user_data)
{
    (void)user_data;
    if (nw_value_get_number(result->value) != 42) {
        die("wrong result", result->status);
    }
    if (left_to_send > 0) {
        left_to_send--;
        submit();
    }
    if (--left_to_get == 0) {
        pthread_mutex_lock(&shared.lock);
        shared.done = true;
        pthread_cond_signal(&shared.changed);
        pthread_mutex_unlock(&shared.lock);
    }
}

static void wait_done(void)
{
    pthread_mutex_lock(&shared.lock);
    while (!shared.done) {
        pthread_cond_wait(&shared.changed, &shared.lock);
    }
    shared.done = false;
    pthread_mutex_unlock(&shared.lock);
}

// The first task of a round submits the rest of the window, so that one
// thread at a time counts.
static void on_first(const nw_result *result, void *user_data)
{
    spec.on_done = on_done;
    for (int i = 0; i < WINDOW; i++) {
        left_to_send--;
        submit();
    }
    left_to_send--;
    on_done(result, user_data);
    left_to_send++;
}

static double pool_round(void)
{
    double begin = bench_now();

    left_to_send = TASKS;
    left_to_get = TASKS;
    spec.on_done = on_first;
    submit();
    wait_done();
    return TASKS / (bench_now() - begin);
}

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == NW_WORKER_ERROR) {
        fprintf(stderr, "bench_echo: %s\n", event->error->message);
        exit(1);
    }
    if (event->type == NW_WORKER_MESSAGE) {
        pthread_mutex_lock(&shared.lock);
        shared.echo_rate = nw_value_get_number(event->value);
        pthread_cond_signal(&shared.changed);
        pthread_mutex_unlock(&shared.lock);
    }
}

static double echo_round(nw_worker *worker, const nw_value *count)
{
    nw_status status = nw_worker_post(worker, count, NULL, 0);
    double rate;

    if (status != NW_OK) {
        die("post", status);
    }
    pthread_mutex_lock(&shared.lock);
    while (shared.echo_rate == 0) {
        pthread_cond_wait(&shared.changed, &shared.lock);
    }
    rate = shared.echo_rate;
    shared.echo_rate = 0;
    pthread_mutex_unlock(&shared.lock);
    return rate;
}

// One at a time, without a pause: the time of one hand-over there and back.
static void round_trips(void)
{
    static double times[ROUND_TRIPS];
    nw_result *result;
    nw_task_id id;

    spec.on_done = NULL;
    for (int i = 0; i < ROUND_TRIPS; i++) {
        double begin = bench_now();
        nw_status status = nwpool_submit(pool, &spec, &id);

        if (status == NW_OK) {
            status = nwpool_wait(pool, id, NW_WAIT_FOREVER, &result);
        }
        if (status != NW_OK) {
            die("wait", status);
        }
        nwpool_result_free(result);
        times[i] = (bench_now() - begin) * 1e9;
    }
    bench_print("task, one at a time, no pause", times, ROUND_TRIPS, "ns");
}

int main(int argc, char **argv)
{
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module = NW_BENCH_MODULE,
                                    .workers = 1};
    const nw_worker_options worker_options = {.struct_size =
                                                  sizeof(worker_options),
                                              .source = echo_script,
                                              .on_event = on_event};
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    double pool_rates[ROUNDS_MAX], echo_rates[ROUNDS_MAX];
    double pool_median, echo_median;
    nw_doc *doc = nw_doc_create();
    const nw_value *argument = nw_value_number(doc, 41);
    const nw_value *echoes = nw_value_number(doc, ECHOES);
    nw_worker *worker;
    nw_status status;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_echo [ROUNDS], 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    spec.arguments = &argument;
    spec.argument_count = 1;
    status = nwpool_create(&pool, &options);
    if (status != NW_OK) {
        die("pool", status);
    }
    status = nw_worker_create(&worker, &worker_options);
    if (status != NW_OK) {
        die("worker", status);
    }
    bench_print_machine();
    printf("Node.js %s, %d in flight, median of %d rounds (min to max)\n",
           nw_runtime_node_version(), WINDOW, rounds);

    pool_round(); // Warm both up.
    echo_round(worker, echoes);
    for (int i = 0; i < rounds; i++) {
        pool_rates[i] = pool_round();
        echo_rates[i] = echo_round(worker, echoes);
    }
    pool_median = bench_print("pool: n => n + 1, one worker, from C",
                              pool_rates, (size_t)rounds, "tasks/s");
    echo_median = bench_print("bare MessageChannel echo", echo_rates,
                              (size_t)rounds, "echoes/s");
    round_trips();
    printf("ratio pool / echo: %.2f\n", pool_median / echo_median);

    nw_worker_destroy(worker);
    nwpool_destroy(pool);
    nw_doc_destroy(doc);
    return 0;
}

// A small message from C to a worker and back, beside Node's own echo from one
// JavaScript thread to a Worker and back, in one process and in turn.
//
//   build/bench_worker [ROUNDS]
//
// One at a time, and 64 in flight. Node's echo is `worker.postMessage()` and
// `worker.on('message')` in a script; ours is nw_worker_post() and a callback.
// The last lines are ratios of medians: how many times Node's own time we need.

#include <pthread.h>

#include <nwpool/worker.h>

#include "bench.h"

#define WINDOW     64
#define ALONE      2000  // Echoes a round, one at a time.
#define TOGETHER   40000 // Echoes a round, WINDOW in flight.
#define ROUNDS_MAX 99

static const char echo_script[] =
    "const { parentPort } = require('worker_threads');\n"
    "parentPort.on('message', (message) => parentPort.postMessage(message));\n";

// Answers [count, window] with the seconds that took.
static const char node_script[] =
    "const { parentPort, Worker } = require('worker_threads');\n"
    "const child = new Worker(`\n"
    "  const { parentPort } = require('worker_threads');\n"
    "  parentPort.on('message', (m) => parentPort.postMessage(m));\n"
    "`, { eval: true });\n"
    "let left, sent, total, begin;\n"
    "const message = { n: 41, s: 'hello' };\n"
    "child.on('message', () => {\n"
    "  if (sent < total) { sent++; child.postMessage(message); }\n"
    "  if (--left === 0) {\n"
    "    const ns = Number(process.hrtime.bigint() - begin);\n"
    "    parentPort.postMessage(ns / 1e9);\n"
    "  }\n"
    "});\n"
    "parentPort.on('message', ([count, window]) => {\n"
    "  left = total = count; sent = window;\n"
    "  begin = process.hrtime.bigint();\n"
    "  for (let i = 0; i < window; i++) child.postMessage(message);\n"
    "});\n";

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    double seconds; // 0: not there yet.
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER};

// Events thread, while a round of ours runs.
static nw_worker *echo;
static const nw_value *message;
static long left_to_send;
static long left_to_get;
static double begin;

static void die(const char *what, nw_status status)
{
    fprintf(stderr, "bench_worker: %s: %s %s\n", what,
            nw_status_message(status), nw_status_detail());
    exit(1);
}

static void tell(double seconds)
{
    pthread_mutex_lock(&shared.lock);
    shared.seconds = seconds;
    pthread_cond_signal(&shared.changed);
    pthread_mutex_unlock(&shared.lock);
}

static double wait_told(void)
{
    double seconds;

    pthread_mutex_lock(&shared.lock);
    while (shared.seconds == 0) {
        pthread_cond_wait(&shared.changed, &shared.lock);
    }
    seconds = shared.seconds;
    shared.seconds = 0;
    pthread_mutex_unlock(&shared.lock);
    return seconds;
}

static void post(void)
{
    nw_status status = nw_worker_post(echo, message, NULL, 0);

    if (status != NW_OK) {
        die("post", status);
    }
}

static void check(const nw_worker_event *event)
{
    if (event->error != NULL) {
        fprintf(stderr, "bench_worker: %s\n", event->error->stack);
        exit(1);
    }
}

static void on_echo(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check(event);
    if (event->type != NW_WORKER_MESSAGE) {
        return;
    }
    if (left_to_send > 0) {
        left_to_send--;
        post();
    }
    if (--left_to_get == 0) {
        tell(bench_now() - begin);
    }
}

static void on_node(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    check(event);
    if (event->type == NW_WORKER_MESSAGE) {
        tell(nw_value_get_number(event->value));
    }
}

static double our_round(long count, long window)
{
    left_to_get = count;
    left_to_send = count - window;
    begin = bench_now();
    for (long i = 0; i < window; i++) {
        post();
    }
    return wait_told() / (double)count * 1e9;
}

static double node_round(nw_worker *node, nw_doc *doc, long count, long window)
{
    nw_value *pair = nw_value_array(doc);
    nw_status status;

    nw_array_push(pair, nw_value_number(doc, (double)count));
    nw_array_push(pair, nw_value_number(doc, (double)window));
    status = nw_worker_post(node, pair, NULL, 0);
    if (status != NW_OK) {
        die("post", status);
    }
    return wait_told() / (double)count * 1e9;
}

static nw_worker *start(const char *source, nw_worker_event_cb *on_event)
{
    const nw_worker_options options = {
        .struct_size = sizeof(options), .source = source, .on_event = on_event};
    nw_worker *worker;
    nw_status status = nw_worker_create(&worker, &options);

    if (status != NW_OK) {
        die("worker", status);
    }
    return worker;
}

static double compare(nw_worker *node, nw_doc *doc, int rounds, long count,
                      long window, const char *what)
{
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
    double our_median, their_median;
    char label[64];

    our_round(count, window); // Warm both up.
    node_round(node, doc, count, window);
    for (int i = 0; i < rounds; i++) {
        ours[i] = our_round(count, window);
        theirs[i] = node_round(node, doc, count, window);
    }
    snprintf(label, sizeof(label), "C, worker, C: %s", what);
    our_median = bench_print(label, ours, (size_t)rounds, "ns/echo");
    snprintf(label, sizeof(label), "Node, worker, Node: %s", what);
    their_median = bench_print(label, theirs, (size_t)rounds, "ns/echo");
    return our_median / their_median;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    nw_doc *doc = nw_doc_create();
    nw_value *object = nw_value_object(doc);
    nw_worker *node;
    double alone, together;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_worker [ROUNDS], 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    nw_object_set(object, "n", nw_value_number(doc, 41));
    nw_object_set(object, "s", nw_value_string(doc, "hello"));
    message = object;
    echo = start(echo_script, on_echo);
    node = start(node_script, on_node);

    bench_print_machine();
    printf("Node.js %s, {n: 41, s: 'hello'}, median of %d rounds "
           "(min to max)\n",
           nw_runtime_node_version(), rounds);
    alone = compare(node, doc, rounds, ALONE, 1, "one at a time");
    together = compare(node, doc, rounds, TOGETHER, WINDOW, "64 in flight");
    printf("ratio one at a time: %.2f\n", alone);
    printf("ratio 64 in flight: %.2f\n", together);

    nw_worker_destroy(echo);
    nw_worker_destroy(node);
    nw_doc_destroy(doc);
    return 0;
}

// Workers, channels and messages under random fire from several threads. A plain
// program, so that every sanitizer can run it.
//
//   soak_workers [ROUNDS [SEED]]
//
// Each thread opens channels to workers that live for the whole run, posts
// through them and counts what comes back: every message once, in order. Beside
// that it starts workers of its own, writes to them, and ends them at any
// moment, with messages, ports and output under way; those it does not count.
// The last line says how much was done, and with which seed.

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <nwpool/port.h>
#include <nwpool/worker.h>

#include "../random.h"

#define THREADS        4
#define ROUNDS_DEFAULT 60 // Of each thread.
#define LASTING        2  // Workers of the whole run.
#define MESSAGES_MAX   40
#define WAIT_S         60

static const char script[] =
    "const { parentPort } = require('worker_threads');\n"
    "process.stdin.on('data', (d) => process.stdout.write(d)).unref?.();\n"
    "parentPort.on('message', (message) => {\n"
    "  const { port } = message;\n"
    "  if (port === undefined) {\n"
    "    parentPort.postMessage(message);\n"
    "    return;\n"
    "  }\n"
    "  port.on('message', (m) => port.postMessage(m));\n"
    "});\n";

static nw_worker *lasting[LASTING];
static atomic_long echoed, started, channels;
static uint64_t seed;

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "soak_workers: %s (%s), seed %llu\n", what,
                nw_status_detail(), (unsigned long long)seed);
        exit(1);
    }
}

static unsigned below(uint64_t *state, unsigned n)
{
    return (unsigned)(random_next(state) % n);
}

// What comes back through one port.
struct line {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    // -- protected by lock
    int count;
    bool wrong;
    bool closed;
};

static void on_port(const nw_port_event *event, void *user_data)
{
    struct line *line = user_data;

    pthread_mutex_lock(&line->lock);
    if (event->type == NW_PORT_MESSAGE) {
        line->wrong = line->wrong || line->closed ||
                      nw_value_get_number(event->value) != line->count;
        line->count++;
    } else {
        line->wrong = line->wrong || event->type != NW_PORT_CLOSE;
        line->closed = true;
    }
    pthread_cond_signal(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

static bool wait_for(struct line *line, int count)
{
    struct timespec until;
    bool in_time = true;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&line->lock);
    while (line->count < count && !line->wrong && in_time) {
        in_time =
            pthread_cond_timedwait(&line->changed, &line->lock, &until) == 0;
    }
    in_time = line->count == count && !line->wrong;
    pthread_mutex_unlock(&line->lock);
    return in_time;
}

// Hands one end of a new channel to the worker; the other stays.
static nw_port *open_channel(nw_worker *worker, nw_doc *doc)
{
    nw_value *message = nw_value_object(doc);
    nw_port *near, *far;
    const nw_value *port;
    nw_status status;

    must(nw_channel_create(&near, &far) == NW_OK, "no channel");
    port = nw_value_port(doc, far);
    nw_object_set(message, "port", (nw_value *)port);
    status = nw_worker_post(worker, message, &port, 1);
    must(status == NW_OK || status == NW_ECLOSED, "a port was not posted");
    nw_port_destroy(far);
    atomic_fetch_add(&channels, 1);
    return near;
}

static void post_numbers(nw_port *port, nw_doc *doc, int from, int to)
{
    for (int i = from; i < to; i++) {
        nw_status status = nw_port_post(port, nw_value_number(doc, i), NULL, 0);

        must(status == NW_OK || status == NW_ECLOSED, "a number not posted");
    }
}

// Every message comes back once and in order, listened to or taken.
static void count_echoes(uint64_t *state, nw_doc *doc)
{
    struct line line = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER};
    int total = 1 + (int)below(state, MESSAGES_MAX);
    int half = (int)below(state, (unsigned)total);
    nw_port *port = open_channel(lasting[below(state, LASTING)], doc);

    post_numbers(port, doc, 0, half);
    must(nw_port_listen(port, on_port, &line, NULL) == NW_OK, "no listener");
    post_numbers(port, doc, half, total);
    must(wait_for(&line, total), "messages are missing or out of order");
    atomic_fetch_add(&echoed, total);
    if (below(state, 2) == 0) {
        nw_port_close(port);
    }
    must(nw_port_destroy(port) == NW_OK, "a port was not destroyed");
}

// A worker that ends while everything is under way.
static void burn_worker(uint64_t *state, nw_doc *doc)
{
    const nw_worker_options options = {.struct_size = sizeof(options),
                                       .source = script,
                                       .stdin_pipe = true,
                                       .stdout_mode = NW_OUTPUT_EVENT};
    struct line line = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER};
    nw_worker *worker;
    nw_port *port;

    must(nw_worker_create(&worker, &options) == NW_OK, "no worker");
    atomic_fetch_add(&started, 1);
    port = open_channel(worker, doc);
    must(nw_port_listen(port, on_port, &line, NULL) == NW_OK, "no listener");
    for (unsigned i = below(state, 20); i > 0; i--) {
        nw_worker_post(worker, nw_value_number(doc, i), NULL, 0);
        nw_worker_write(worker, "soak\n", 5, 0);
        post_numbers(port, doc, 0, 1);
    }
    if (below(state, 2) == 0) {
        nw_worker_terminate(worker);
    }
    if (below(state, 2) == 0) {
        nw_port_destroy(port);
        port = NULL;
    }
    must(nw_worker_destroy(worker) == NW_OK, "a worker was not destroyed");
    nw_port_destroy(port);
}

static long rounds = ROUNDS_DEFAULT;

static void *run(void *argument)
{
    uint64_t state = seed + (uint64_t)(uintptr_t)argument;
    nw_doc *doc = nw_doc_create();

    for (long i = 0; i < rounds; i++) {
        if (below(&state, 8) == 0) {
            burn_worker(&state, doc);
        } else {
            count_echoes(&state, doc);
        }
        nw_doc_reset(doc);
    }
    nw_doc_destroy(doc);
    return NULL;
}

int main(int argc, char **argv)
{
    const nw_worker_options options = {.struct_size = sizeof(options),
                                       .source = script};
    pthread_t threads[THREADS];

    rounds = argc > 1 ? atol(argv[1]) : ROUNDS_DEFAULT;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    for (int i = 0; i < LASTING; i++) {
        must(nw_worker_create(&lasting[i], &options) == NW_OK, "no worker");
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, run, (void *)(i + 1)) == 0,
             "no thread");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < LASTING; i++) {
        must(nw_worker_destroy(lasting[i]) == NW_OK, "a worker is stuck");
    }
    must(nw_runtime_stop(10000) == NW_OK, "something was left behind");
    printf("%ld messages echoed over %ld channels, %ld workers burnt, "
           "seed %llu\n",
           atomic_load(&echoed), atomic_load(&channels), atomic_load(&started),
           (unsigned long long)seed);
    return 0;
}

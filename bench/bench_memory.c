// What a task costs in memory while it waits, and whether memory grows with the
// number of tasks that have run.
//
//   build/bench_memory [MILLIONS]
//
// First the only worker is held and 100,000 tasks with a number as argument are
// queued: the bytes for each, as the allocator counts them and as the system
// does, in a second turn so that what is kept for reuse is there; plain, with a
// run limit, and with an expiry. Then MILLIONS million plain tasks run, 1,024 at
// a time, with the resident memory after each tenth of them.

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include <nwpool/pool.h>

#include "bench.h"
#include "pool/internal.h"

#define QUEUED  100000
#define WINDOW  1024
#define TENTHS  10
#define WAIT_MS 120000

static nwpool *pool;
static nw_doc *doc;
static const nw_value *number;
static _Atomic int32_t *released; // As in memory.js.
static const nw_value *release_argument;

static void die(const char *what, nw_status status)
{
    fprintf(stderr, "bench_memory: %s: %s %s\n", what,
            nw_status_message(status), nw_status_detail());
    exit(1);
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) {
        die("/proc/self/statm", NW_EFAILED);
    }
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd);
}

static void submit(nw_task_spec *spec)
{
    nw_status status = nwpool_submit(pool, spec, NULL);

    if (status != NW_OK) {
        die("submit", status);
    }
}

// -- tasks that wait

static void on_done(const nw_result *result, void *user_data)
{
    (void)user_data;
    if (result->status != NW_OK || (nw_value_get_number(result->value) != 42 &&
                                    strcmp(result->function, "hold") != 0)) {
        die(result->function, result->status);
    }
}

static void drain(void)
{
    nw_status status = nwpool_drain(pool, WAIT_MS);

    if (status != NW_OK) {
        die("drain", status);
    }
}

// Its worker is in it before anything is measured.
static void hold(void)
{
    nw_task_spec spec = {.struct_size = sizeof(spec),
                         .function = "hold",
                         .arguments = &release_argument,
                         .argument_count = 1,
                         .on_done = on_done};
    nwpool_stats stats = {.struct_size = sizeof(stats)};

    atomic_store(released, 0);
    submit(&spec);
    do {
        usleep(1000);
        nwpool_get_stats(pool, &stats);
    } while (stats.running == 0);
}

static void queue_many(uint32_t run_limit_ms, uint32_t expiry_ms,
                       double *allocated, double *resident)
{
    nw_task_spec spec = {.struct_size = sizeof(spec),
                         .function = "inc",
                         .arguments = &number,
                         .argument_count = 1,
                         .run_limit_ms = run_limit_ms,
                         .expiry_ms = expiry_ms,
                         .on_done = on_done};

    hold();
    malloc_trim(0);
    *allocated = allocated_bytes();
    *resident = resident_bytes();
    for (int i = 0; i < QUEUED; i++) {
        submit(&spec);
    }
    malloc_trim(0);
    *allocated = (allocated_bytes() - *allocated) / QUEUED;
    *resident = (resident_bytes() - *resident) / QUEUED;
    atomic_store(released, 1);
    drain();
}

static void queued(const char *label, uint32_t run_limit_ms, uint32_t expiry_ms)
{
    double first, again, resident, ignored;

    queue_many(run_limit_ms, expiry_ms, &first, &resident);
    queue_many(run_limit_ms, expiry_ms, &again, &ignored);
    printf("%-44s %9.0f bytes, resident %.0f; the second time %.0f more\n",
           label, first, resident, again);
}

// -- tasks that run

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER};

static nw_task_spec flow = {
    .struct_size = sizeof(flow), .function = "inc", .argument_count = 1};
static uint64_t left_to_send; // Completion thread, while they run.
static uint64_t left_to_get;

static void on_flow(const nw_result *result, void *user_data)
{
    on_done(result, user_data);
    if (left_to_send > 0) {
        left_to_send--;
        submit(&flow);
    }
    if (--left_to_get == 0) {
        pthread_mutex_lock(&shared.lock);
        shared.done = true;
        pthread_cond_signal(&shared.changed);
        pthread_mutex_unlock(&shared.lock);
    }
}

// The first submits the rest of the window, so that one thread at a time
// counts.
static void on_first(const nw_result *result, void *user_data)
{
    flow.on_done = on_flow;
    for (int i = 1; i < WINDOW; i++) {
        left_to_send--;
        submit(&flow);
    }
    on_flow(result, user_data);
}

static void run(uint64_t tasks)
{
    left_to_get = tasks;
    left_to_send = tasks - 1;
    flow.arguments = &number;
    flow.on_done = on_first;
    submit(&flow);
    pthread_mutex_lock(&shared.lock);
    while (!shared.done) {
        pthread_cond_wait(&shared.changed, &shared.lock);
    }
    shared.done = false;
    pthread_mutex_unlock(&shared.lock);
}

static void flat(long millions)
{
    printf("resident memory after each tenth of %ld million tasks, MiB:\n ",
           millions);
    for (int i = 0; i <= TENTHS; i++) {
        printf(" %.1f", resident_bytes() / 0x1p20);
        fflush(stdout);
        if (i < TENTHS) {
            run((uint64_t)millions * 1000000 / TENTHS);
        }
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module = NW_BENCH_MODULES "/memory.js",
                                    .workers = 1,
                                    .queue_max = QUEUED + 1};
    long millions = argc > 1 ? atol(argv[1]) : 1;
    nw_shared *memory;
    nw_status status;

    if (millions < 1) {
        fprintf(stderr, "usage: bench_memory [MILLIONS], from 1\n");
        return 2;
    }
    status = nw_shared_create(&memory, sizeof(*released));
    if (status != NW_OK) {
        die("shared memory", status);
    }
    doc = nw_doc_create();
    number = nw_value_number(doc, 41);
    release_argument = nw_value_shared(doc, memory);
    released = nw_shared_data(memory, NULL);
    status = nwpool_create(&pool, &options);
    if (status != NW_OK) {
        die("pool", status);
    }
    bench_print_machine();
    printf("Node.js %s; the record of a task: %zu bytes\n",
           nw_runtime_node_version(), sizeof(struct nwpool__task));
    queued("a plain task that waits", 0, 0);
    queued("one with a run limit", 1000, 0);
    queued("one that expires", 0, WAIT_MS);
    flat(millions);
    nwpool_destroy(pool);
    nw_shared_unref(memory);
    nw_doc_destroy(doc);
    return 0;
}

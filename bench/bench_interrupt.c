// Tasks that are interrupted: how soon, and whether ever the wrong one is.
//
//   build/bench_interrupt [TASKS [SEED]]
//
// First a task that never ends, with a limit of 50 ms: the time from submission
// to its result, and whether the next task runs on the same worker. Then TASKS
// short tasks of many kinds on two workers, each with a limit of 1 to 3 ms,
// canceled at a random moment, or both. Each has to end with its own value or
// with what was done to it, and workers may end by escalation only; anything
// else is printed, and the program fails.

#include <pthread.h>

#include <nwpool/pool.h>

#include "bench.h"

#define LIMIT_MS 50
#define ROUNDS   50
#define WAIT_MS  60000

#define KINDS    10 // As in interrupt.js.
#define WINDOW   3
#define WORK_US  3000 // Longest.
#define PAUSE_US 1500 // Longest between two cancellations.

static nwpool *pool;

static void die(const char *what, nw_status status)
{
    fprintf(stderr, "bench_interrupt: %s: %s %s\n", what,
            nw_status_message(status), nw_status_detail());
    exit(1);
}

// -- one that never ends

static nw_result *run(const char *function, uint32_t run_limit_ms)
{
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = function,
                               .run_limit_ms = run_limit_ms};
    nw_result *result = NULL;
    nw_task_id id;
    nw_status status = nwpool_submit(pool, &spec, &id);

    if (status == NW_OK) {
        status = nwpool_wait(pool, id, WAIT_MS, &result);
    }
    if (status != NW_OK) {
        die(function, status);
    }
    return result;
}

static uint32_t expect(nw_result *result, nw_status expected)
{
    uint32_t worker = result->worker;

    if (result->status != expected) {
        die(result->function, result->status);
    }
    nwpool_result_free(result);
    return worker;
}

static void limits(void)
{
    static double times[ROUNDS];
    int same = 0;

    expect(run("next", 0), NW_OK);
    for (int i = 0; i < ROUNDS; i++) {
        double begin = bench_now();
        nw_result *result = run("spin", LIMIT_MS);
        uint32_t worker;

        times[i] = (bench_now() - begin) * 1e6;
        worker = expect(result, NW_ETIMEDOUT);
        same += expect(run("next", 0), NW_OK) == worker;
    }
    bench_print_tail("endless task, limit of 50 ms, to its result", times,
                     ROUNDS, "us");
    printf("next task on the same worker: %d of %d\n", same, ROUNDS);
}

// -- many short ones

struct slot {
    bool used;
    bool canceled; // By us, if it was to be found.
    uint32_t run_limit_ms;
    bool cancelable;
    uint64_t token;
    nw_task_id id; // 0: not known yet.
};

enum outcome {
    FINISHED,      // Nothing was done to it, or it came too late.
    TIMED_OUT,     // Interrupted, or ended with its worker.
    CANCELED,      // The same.
    NEVER_STARTED, // Canceled before.
    WRONG,
    OUTCOMES
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    // -- protected by lock
    struct slot slots[WINDOW];
    uint32_t left; // In flight.
    uint64_t outcomes[OUTCOMES];
    uint64_t escalations;
    uint64_t lost; // Workers that ended otherwise.
    bool over;     // The pool is being destroyed.
} storm = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .changed = PTHREAD_COND_INITIALIZER};

static uint64_t random_state;

// xorshift64: the same everywhere for one seed.
static uint32_t below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

// An outcome names its own task.
static bool is_about(const nw_result *result)
{
    char begin[64];

    snprintf(begin, sizeof(begin), "task %llu (",
             (unsigned long long)result->task.value);
    return result->error->task == result->task.value &&
           strncmp(result->error->message, begin, strlen(begin)) == 0;
}

static enum outcome outcome_of(const struct slot *slot, const nw_result *result)
{
    if (slot->id.value != 0 && slot->id.value != result->task.value) {
        return WRONG;
    }
    switch (result->status) {
    case NW_OK:
        return nw_value_get_number(result->value) == (double)slot->token
                   ? FINISHED
                   : WRONG;
    case NW_ETIMEDOUT:
        return slot->run_limit_ms != 0 && is_about(result) ? TIMED_OUT : WRONG;
    case NW_ECANCELED:
        if (!slot->canceled || !is_about(result)) {
            return WRONG;
        }
        return result->worker != 0 ? CANCELED : NEVER_STARTED;
    default:
        return WRONG;
    }
}

static void on_done(const nw_result *result, void *user_data)
{
    struct slot *slot = user_data;
    enum outcome outcome;

    pthread_mutex_lock(&storm.lock);
    outcome = outcome_of(slot, result);
    storm.outcomes[outcome]++;
    if (outcome == WRONG) {
        fprintf(stderr, "bench_interrupt: task %llu, token %llu: %s %s\n",
                (unsigned long long)result->task.value,
                (unsigned long long)slot->token, nw_status_name(result->status),
                result->error != NULL ? result->error->message : "");
    }
    slot->used = false;
    storm.left--;
    pthread_cond_signal(&storm.changed);
    pthread_mutex_unlock(&storm.lock);
}

// What the pool says of a worker that it ends for a task's sake; and of one that
// it was about to end when the task ended after all, which takes its leave.
static bool is_escalation(const nwpool_event *event)
{
    return strncmp(event->reason, "task ", strlen("task ")) == 0 ||
           strcmp(event->reason, "it had done its share") == 0;
}

static void on_event(const nwpool_event *event, void *user_data)
{
    (void)user_data;
    if (event->type != NWPOOL_WORKER_EXITED) {
        return;
    }
    pthread_mutex_lock(&storm.lock);
    if (is_escalation(event)) {
        storm.escalations++;
    } else if (!storm.over) {
        storm.lost++;
        fprintf(stderr, "bench_interrupt: worker %u, exit code %d: %s: %s\n",
                event->worker, event->exit_code, event->reason,
                event->error != NULL ? event->error->stack : "");
    }
    pthread_mutex_unlock(&storm.lock);
}

// Caller holds the lock.
static struct slot *find_free(void)
{
    for (int i = 0; i < WINDOW; i++) {
        if (!storm.slots[i].used) {
            return &storm.slots[i];
        }
    }
    return NULL;
}

static void submit(struct slot *slot, nw_doc *doc, uint64_t token)
{
    uint32_t what = below(3); // A limit, a cancellation, both.
    const nw_value *arguments[3] = {
        nw_value_number(doc, below(KINDS)),
        nw_value_number(doc, below(WORK_US) * 1e-3),
        nw_value_number(doc, (double)token),
    };
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = "work",
                               .arguments = arguments,
                               .argument_count = 3,
                               .run_limit_ms = what != 1 ? 1 + below(3) : 0,
                               .on_done = on_done,
                               .user_data = slot};
    nw_task_id id;
    nw_status status;

    *slot = (struct slot){.used = true,
                          .run_limit_ms = spec.run_limit_ms,
                          .cancelable = what != 0,
                          .token = token};
    status = nwpool_submit(pool, &spec, &id);
    if (status != NW_OK) {
        die("submit", status);
    }
    pthread_mutex_lock(&storm.lock);
    if (slot->used && slot->token == token) {
        slot->id = id;
    }
    pthread_mutex_unlock(&storm.lock);
    nw_doc_reset(doc);
}

// One of those in flight, so that most of them run at that moment.
static void cancel_any(void)
{
    struct slot *slot = &storm.slots[below(WINDOW)];
    nw_task_id id = {0};

    pthread_mutex_lock(&storm.lock);
    if (slot->used && slot->cancelable && !slot->canceled) {
        slot->canceled = slot->id.value != 0;
        id = slot->id;
    }
    pthread_mutex_unlock(&storm.lock);
    if (id.value != 0) {
        nw_status status = nwpool_cancel(pool, id, NW_CANCEL_INTERRUPT, 0);

        if (status != NW_OK && status != NW_ENOENT) {
            die("cancel", status);
        }
    }
}

static void wait_none_left(void)
{
    nw_status status = nwpool_drain(pool, WAIT_MS);

    if (status != NW_OK) {
        fprintf(stderr, "bench_interrupt: %u tasks never ended\n", storm.left);
        die("drain", status);
    }
}

static void run_storm(uint64_t tasks)
{
    nw_doc *doc = nw_doc_create();
    uint64_t sent = 0;

    while (sent < tasks) {
        struct slot *slot;

        pthread_mutex_lock(&storm.lock);
        slot = find_free();
        storm.left += slot != NULL ? 1 : 0;
        pthread_mutex_unlock(&storm.lock);
        if (slot != NULL) {
            submit(slot, doc, ++sent);
        } else {
            usleep(below(PAUSE_US));
            cancel_any();
        }
    }
    wait_none_left();
    nw_doc_destroy(doc);
}

static nw_status open_pool(uint32_t workers)
{
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module = NW_BENCH_MODULES "/interrupt.js",
                                    .workers = workers,
                                    .interruptible = true,
                                    .on_event = on_event};

    return nwpool_create(&pool, &options);
}

static void close_pool(void)
{
    pthread_mutex_lock(&storm.lock);
    storm.over = true;
    pthread_mutex_unlock(&storm.lock);
    nwpool_destroy(pool);
    storm.over = false;
}

static int report(uint64_t tasks, uint64_t seed, double seconds)
{
    static const char *const labels[OUTCOMES] = {
        [FINISHED] = "misses: ended with their own value",
        [TIMED_OUT] = "hits: timed out",
        [CANCELED] = "hits: canceled while they ran",
        [NEVER_STARTED] = "canceled before they ran",
        [WRONG] = "wrong",
    };
    uint64_t sum = 0;

    printf("%llu tasks in %.1f s, seed %llu\n", (unsigned long long)tasks,
           seconds, (unsigned long long)seed);
    for (int i = 0; i < OUTCOMES; i++) {
        printf("%-44s %9llu\n", labels[i],
               (unsigned long long)storm.outcomes[i]);
        sum += storm.outcomes[i];
    }
    printf("%-44s %9llu\n", "workers ended by escalation",
           (unsigned long long)storm.escalations);
    printf("%-44s %9llu\n", "workers that ended otherwise",
           (unsigned long long)storm.lost);
    return sum != tasks || storm.outcomes[WRONG] > 0 || storm.lost > 0;
}

int main(int argc, char **argv)
{
    uint64_t tasks = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000;
    uint64_t seed =
        argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)(bench_now() * 1e6);
    nw_status status;
    double begin;

    if (tasks == 0 || seed == 0) {
        fprintf(stderr, "usage: bench_interrupt [TASKS [SEED]], from 1\n");
        return 2;
    }
    random_state = seed;
    status = open_pool(1);
    if (status != NW_OK) {
        die("pool", status);
    }
    bench_print_machine();
    printf("Node.js %s\n", nw_runtime_node_version());
    limits();
    close_pool();

    status = open_pool(2);
    if (status != NW_OK) {
        die("pool", status);
    }
    begin = bench_now();
    run_storm(tasks);
    begin = bench_now() - begin;
    close_pool();
    return report(tasks, seed, begin);
}

// What a pool can do, under random fire: priorities, waits for room, expiry,
// limits, cancellation, retries, values that are sent, tasks for each worker,
// reloads; in pools of every shape, with an inbox and without.
//
//   soak_pool [OPERATIONS [SEED]]
//
// Each accepted task must end exactly once, with a status that was asked for or
// that its kind allows; without retries it must have been started at most once,
// and not at all if its result says so. What it sends must come in order and
// before its result.
//
// Lock order: `world` is held for reading by whoever uses the pool and for
// writing by the keeper, the main thread, who replaces it and runs the inbox;
// nothing else is locked.

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nwpool/pool.h>

#include "../random.h"

#define THREADS            4
#define OPERATIONS_DEFAULT 10000
#define OPERATIONS_MAX     10000000
#define QUEUE_MAX          64
#define WAIT_MS_MAX        30000
#define RECENT             64 // Tasks that others may cancel.
#define EACH_MAX           8

enum kind {
    VALUE,
    LATER,
    BUSY,
    STREAM,
    GENERATE,
    BOOM,
    SPIN,
    NEVER,
    OBEY,
    EXIT,
    LUCK,
    DOOM
};

static const struct {
    const char *function;
    nw_status status;
    unsigned weight; // In a thousand.
    bool sends;
    bool is_endless; // Has a limit.
} kinds[] = {
    [VALUE] = {"value", NW_OK, 548, false, false},
    [LATER] = {"later", NW_OK, 120, false, false},
    [BUSY] = {"busy", NW_OK, 60, false, false},
    [STREAM] = {"stream", NW_OK, 80, true, false},
    [GENERATE] = {"generate", NW_OK, 60, true, false},
    [BOOM] = {"boom", NW_ETHROWN, 100, false, false},
    [SPIN] = {"spin", NW_ETIMEDOUT, 7, false, true},
    [NEVER] = {"never", NW_ETIMEDOUT, 3, false, true},
    [OBEY] = {"obey", NW_ETIMEDOUT, 10, false, true},
    [EXIT] = {"exit", NW_ECRASHED, 4, false, false},
    [LUCK] = {"luck", NW_OK, 6, false, false},
    [DOOM] = {"doom", NW_OK, 2, false, false},
};

struct task {
    atomic_int ended;
    atomic_int sent;
    atomic_bool canceled; // By somebody, perhaps.
    atomic_uint_fast64_t id;
    enum kind kind;
    double number;
    uint32_t accepted;   // How many tasks that were.
    atomic_int expected; // How often it has to end before somebody.
    uint32_t retries;
    bool expires;
    bool is_limited;
    bool listens;
    atomic_bool never_ran;
    atomic_bool has_run;
    uint32_t marks;
};

static nwpool *pool;
static nw_inbox *inbox;
static pthread_rwlock_t world = PTHREAD_RWLOCK_INITIALIZER;
static atomic_bool destroying; // NW_ECANCELED is right while it is set.
static atomic_bool replace_wanted;
static atomic_int firing; // Threads that are not done.

static struct task *tasks;
static long operations = OPERATIONS_DEFAULT;
static atomic_long next_task;
static _Atomic uint64_t random_state;
static int marks; // Of the file.

static atomic_long ends[32]; // By status, negated.
static atomic_long refused, abandoned, replaced, reloads, values;
static atomic_int problems;

static void problem(const struct task *task, const char *what,
                    const nw_result *result)
{
    atomic_fetch_add(&problems, 1);
    fprintf(stderr, "soak_pool: operation %td (%s): %s: %s%s%s\n", task - tasks,
            kinds[task->kind].function, what,
            result != NULL ? nw_status_name(result->status) : "no result",
            result != NULL && result->error != NULL ? ": " : "",
            result != NULL && result->error != NULL ? result->error->message
                                                    : "");
}

static void complain(const char *what, const char *detail)
{
    atomic_fetch_add(&problems, 1);
    fprintf(stderr, "soak_pool: %s%s\n", what, detail);
}

static uint64_t random_number(void)
{
    return random_next_shared(&random_state);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(random_number() % n);
}

static bool once_in(uint32_t n)
{
    return below(n) == 0;
}

static enum kind random_kind(void)
{
    unsigned point = below(1000);
    size_t kind = 0;

    while (point >= kinds[kind].weight) {
        point -= kinds[kind].weight;
        kind++;
    }
    return (enum kind)kind;
}

static void pause_us(long us)
{
    nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

// -- how a task may end

static bool is_allowed(const struct task *task, const nw_result *result)
{
    switch (result->status) {
    case NW_ECRASHED:
        // Any task can meet the end of a worker that another one doomed.
        return true;
    case NW_ECANCELED:
        return atomic_load(&destroying) || atomic_load(&task->canceled);
    case NW_EEXPIRED:
        return task->expires && result->worker == 0;
    case NW_ETIMEDOUT:
        return task->is_limited;
    default:
        return result->status == kinds[task->kind].status;
    }
}

static void check_sent(const struct task *task, const nw_result *result)
{
    if (result->status == NW_OK && task->listens && task->retries == 0 &&
        atomic_load(&task->sent) != (int)task->number % 100) {
        problem(task, "not all that it sent came before its result", result);
    }
}

static void check(struct task *task, const nw_result *result)
{
    if (atomic_fetch_add(&task->ended, 1) >= task->expected) {
        problem(task, "ended too often, or refused", result);
    }
    atomic_fetch_add(&ends[-result->status % 32], 1);
    if (!is_allowed(task, result)) {
        problem(task, "wrong status", result);
    }
    if (result->status == NW_OK &&
        nw_value_get_number(result->value) != task->number) {
        problem(task, "wrong value", result);
    }
    if (result->status == NW_OK) {
        atomic_store(&task->has_run, true);
    } else if (result->worker == 0 && task->retries == 0) {
        atomic_store(&task->never_ran, true);
    }
    check_sent(task, result);
}

static void on_done(const nw_result *result, void *user_data)
{
    check(user_data, result);
}

// A task that is run again starts its values anew, and counts on.
static void on_sent(const nw_sent *sent, void *user_data)
{
    struct task *task = user_data;
    int index = atomic_fetch_add(&task->sent, 1);

    atomic_fetch_add(&values, 1);
    if (sent->index != (uint64_t)index) {
        problem(task, "a value out of order", NULL);
    }
    if (task->retries == 0 && nw_value_get_number(sent->value) != index) {
        problem(task, "a wrong value was sent", NULL);
    }
    if (atomic_load(&task->ended) != 0) {
        problem(task, "a value after the result", NULL);
    }
}

// -- operations; each holds `world` for reading

static void wait_for(struct task *task, nw_task_id id)
{
    nw_status status = NW_ETIMEDOUT;
    nw_result *result = NULL;

    for (uint32_t ms = below(3); status == NW_ETIMEDOUT && ms <= WAIT_MS_MAX;
         ms = ms * 4 + 1) {
        status = nwpool_wait(pool, id, ms, &result);
    }
    if (status != NW_OK) {
        problem(task, nw_status_name(status), NULL);
        return;
    }
    check(task, result);
    nwpool_result_free(result);
}

static void cancel_recent(long number)
{
    struct task *task = &tasks[number - below(number < RECENT ? 1 : RECENT)];
    nw_task_id id = {atomic_load(&task->id)};
    nw_status status;

    if (id.value == 0) {
        return;
    }
    atomic_store(&task->canceled, true);
    status = nwpool_cancel(pool, id, (nw_cancel)below(3), 1 + below(10));
    if (status != NW_OK && status != NW_ENOENT) {
        problem(task, nw_status_name(status), NULL);
    }
}

static void reload(void)
{
    nw_status status = nwpool_reload(pool, NULL);

    atomic_fetch_add(&reloads, status == NW_OK);
    if (status != NW_OK && status != NW_EBUSY) {
        complain("a reload: ", nw_status_name(status));
    }
}

static void choose(struct task *task, nw_task_spec *spec)
{
    task->kind = random_kind();
    task->number = below(1000);
    task->retries = once_in(4) ? below(4) : 0;
    task->expires = once_in(10);
    task->is_limited = kinds[task->kind].is_endless || once_in(40);
    task->listens = kinds[task->kind].sends && !once_in(4);
    spec->function = kinds[task->kind].function;
    spec->user_data = task;
    spec->priority = (int)below(16) + NW_PRIORITY_MIN;
    spec->wait_ms = once_in(3) ? 1 + below(20) : 0;
    spec->expiry_ms = task->expires ? 1 + below(30) : 0;
    spec->run_limit_ms = task->is_limited ? 5 + below(20) : 0;
    spec->interruptible = (nw_interruptible)below(3);
    spec->retries = task->retries;
    spec->on_sent = task->listens ? on_sent : NULL;
}

static void submit_each(struct task *task, nw_task_spec *spec)
{
    size_t count = 0;
    nw_status status;

    task->kind = VALUE;
    task->retries = 0;
    task->listens = false;
    task->expected = EACH_MAX; // At most, before anybody can call back.
    spec->function = "value";
    spec->retries = 0;
    spec->wait_ms = 0;
    spec->on_sent = NULL;
    spec->on_done = on_done;
    status = nwpool_submit_each(pool, spec, NULL, EACH_MAX, &count);
    if (status != NW_OK && status != NW_EFULL) {
        problem(task, nw_status_name(status), NULL);
    }
    task->expected = (int)count;
    task->accepted = (uint32_t)count;
}

static void submit_one(struct task *task, nw_task_spec *spec)
{
    bool kept = once_in(4);
    nw_task_id id;
    nw_status status;

    task->expected = 1;
    task->accepted = 1;
    spec->on_done = kept ? NULL : on_done;
    status = nwpool_submit(pool, spec, &id);
    if (status != NW_OK) {
        task->expected = 0;
        task->accepted = 0;
        atomic_fetch_add(&refused, 1);
        if (status != NW_EFULL) {
            problem(task, nw_status_name(status), NULL);
        }
        pause_us(1000);
        return;
    }
    atomic_store(&task->id, id.value);
    if (kept && once_in(20)) {
        // Nobody comes for it; the pool frees it in the end.
        atomic_fetch_add(&abandoned, 1);
        task->expected = 0;
    } else if (kept) {
        wait_for(task, id);
    }
}

static void operate(long number, nw_doc *doc)
{
    struct task *task = &tasks[number];
    const nw_value *arguments[3];
    nw_task_spec spec = {.struct_size = sizeof(spec),
                         .arguments = arguments,
                         .argument_count = 3};

    choose(task, &spec);
    nw_doc_reset(doc);
    arguments[0] = nw_value_number(doc, marks);
    arguments[1] = nw_value_number(doc, (double)number);
    arguments[2] = nw_value_number(doc, task->number);
    if (once_in(150)) {
        submit_each(task, &spec);
    } else {
        submit_one(task, &spec);
    }
    if (once_in(8)) {
        cancel_recent(number);
    }
    if (once_in(400)) {
        reload();
    }
}

static void *fire(void *unused)
{
    nw_doc *doc = nw_doc_create();
    long number;

    (void)unused;
    while ((number = atomic_fetch_add(&next_task, 1)) < operations) {
        while (atomic_load(&replace_wanted)) {
            pause_us(100);
        }
        pthread_rwlock_rdlock(&world);
        operate(number, doc);
        pthread_rwlock_unlock(&world);
        if (once_in(400)) {
            atomic_store(&replace_wanted, true);
        }
    }
    nw_doc_destroy(doc);
    atomic_fetch_sub(&firing, 1);
    return NULL;
}

// -- the keeper

static nwpool *create_pool(void)
{
    uint32_t workers = 1 + below(3);
    const nwpool_options options = {
        .struct_size = sizeof(options),
        .module = NW_SOAK_POOL,
        .workers = workers,
        .workers_min = once_in(3) ? NW_POOL_NO_MIN : 1 + below(workers),
        .spares = below(2),
        .concurrency = once_in(2) ? 1 : 4,
        .idle_ms = 10 + below(50),
        .queue_max = 4 + below(QUEUE_MAX),
        .ageing_ms = 10,
        .interruptible = once_in(2),
        .escalation_ms = 5 + below(20),
        .recycle_tasks = once_in(2) ? 20 + below(200) : 0,
        .recycle_ms = once_in(8) ? 50 : 0,
        .inbox = once_in(2) ? inbox : NULL,
    };
    nwpool *created;
    nw_status status = nwpool_create(&created, &options);

    if (status != NW_OK) {
        fprintf(stderr, "soak_pool: no pool: %s %s\n",
                nw_status_message(status), nw_runtime_error());
        exit(1);
    }
    return created;
}

static void end_pool(bool in_order)
{
    nwpool_stats stats = {.struct_size = sizeof(stats)};

    if (in_order) {
        nwpool_close(pool);
        if (nwpool_drain(pool, WAIT_MS_MAX) != NW_OK) {
            complain("a closed pool does not drain", "");
        }
        nwpool_get_stats(pool, &stats);
        if (stats.done + stats.failed != stats.submitted) {
            complain("the numbers of a drained pool do not agree", "");
        }
    }
    atomic_store(&destroying, true);
    if (nwpool_destroy(pool) != NW_OK) {
        complain("a pool does not end: ", nw_status_detail());
    }
    atomic_store(&destroying, false);
}

// Who waits inside the pool may need its inbox to be run: this does not wait for
// them.
static void replace_pool(void)
{
    if (pthread_rwlock_trywrlock(&world) != 0) {
        return;
    }
    end_pool(once_in(2));
    pool = create_pool();
    atomic_fetch_add(&replaced, 1);
    atomic_store(&replace_wanted, false);
    pthread_rwlock_unlock(&world);
}

static void keep(void)
{
    while (atomic_load(&firing) > 0) {
        nw_inbox_poll(inbox, 1);
        if (atomic_load(&replace_wanted)) {
            replace_pool();
        }
    }
}

// -- afterwards

static void read_marks(void)
{
    unsigned char bytes[4];

    lseek(marks, 0, SEEK_SET);
    while (read(marks, bytes, sizeof(bytes)) == sizeof(bytes)) {
        long number =
            bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (long)bytes[3] << 24;

        if (number < operations) {
            tasks[number].marks++;
        } else {
            complain("a mark of nobody", "");
        }
    }
}

static void verify(const struct task *task)
{
    uint32_t most = task->accepted * (task->retries + 1);

    if (atomic_load(&task->ended) != task->expected) {
        problem(task, "did not end as often as it should", NULL);
    }
    if (task->marks > most) {
        problem(task, "was started too often", NULL);
    }
    if (task->expected != 1) {
        return;
    }
    if (atomic_load(&task->never_ran) && task->marks > 0) {
        problem(task, "was started, and its result says no", NULL);
    }
    if (atomic_load(&task->has_run) && task->marks == 0) {
        problem(task, "has a result and was never started", NULL);
    }
}

static void open_marks(void)
{
    char file[] = "/tmp/nwpool-soak-XXXXXX";

    marks = mkostemp(file, O_APPEND);
    if (marks < 0) {
        perror("soak_pool");
        exit(1);
    }
    unlink(file);
}

static void report(void)
{
    printf("soak_pool: %ld refused, %ld abandoned, %ld reloads, %ld values, "
           "%ld pools replaced;",
           atomic_load(&refused), atomic_load(&abandoned),
           atomic_load(&reloads), atomic_load(&values), atomic_load(&replaced));
    for (int i = 0; i < 32; i++) {
        if (atomic_load(&ends[i]) > 0) {
            printf(" %s %ld", nw_status_name((nw_status)-i),
                   atomic_load(&ends[i]));
        }
    }
    printf(": %d problems\n", atomic_load(&problems));
}

static void run(void)
{
    pthread_t threads[THREADS];

    atomic_store(&firing, THREADS);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, fire, NULL);
    }
    keep();
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    end_pool(true);
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)time(NULL);

    if (argc > 1) {
        operations = atol(argv[1]);
    }
    if (argc > 2) {
        seed = strtoull(argv[2], NULL, 10);
    }
    if (operations < 1 || operations > OPERATIONS_MAX || argc > 3) {
        fprintf(stderr, "usage: soak_pool [OPERATIONS [SEED]], 1 to %d\n",
                OPERATIONS_MAX);
        return 2;
    }
    printf("soak_pool: %ld operations, seed %" PRIu64 "\n", operations, seed);
    fflush(stdout);
    atomic_store(&random_state, seed);
    tasks = calloc((size_t)operations, sizeof(*tasks));
    open_marks();
    if (tasks == NULL || nw_inbox_create(&inbox) != NW_OK) {
        return 1;
    }
    pool = create_pool();
    run();
    if (nw_inbox_destroy(inbox) != NW_OK) {
        complain("the inbox does not end", "");
    }
    if (nw_runtime_stop(WAIT_MS_MAX) != NW_OK) {
        complain("Node.js does not stop", "");
    }
    read_marks();
    for (long i = 0; i < operations; i++) {
        verify(&tasks[i]);
    }
    report();
    free(tasks);
    close(marks);
    return atomic_load(&problems) == 0 ? 0 : 1;
}

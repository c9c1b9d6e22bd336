// Exactly once, under random fire: threads submit tasks that end in every way
// there is, by callback and by waiting, while pools come and go.
//
//   soak [OPERATIONS [SEED]]
//
// Each accepted task must end exactly once, with a status its kind allows; a
// refused one never. Memory that was lent must come back exactly once, whatever
// became of its task. A plain program, so that every sanitizer can run it.
//
// Lock order: `world` is held for reading by whoever uses the pool and for
// writing by whoever replaces it; nothing else is locked.

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nwpool/pool.h>

#include "../random.h"

#define THREADS            4
#define OPERATIONS_DEFAULT 10000
#define OPERATIONS_MAX     10000000
#define QUEUE_MAX          64
#define WAIT_MS_MAX        30000

#define LENT_SIZE_MAX 5000

enum kind {
    VALUE,
    LATER,
    SOON,
    BIG,
    GIVE,
    KEEP,
    BOOM,
    REJECT,
    UNCLONABLE,
    EXIT,
    DOOM
};

static const struct {
    const char *function;
    nw_status status;
    unsigned weight; // In a thousand.
} kinds[] = {
    [VALUE] = {"value", NW_OK, 400},
    [LATER] = {"later", NW_OK, 100},
    [SOON] = {"soon", NW_OK, 150},
    [BIG] = {"big", NW_OK, 60},
    [GIVE] = {"give", NW_OK, 60},
    [KEEP] = {"keep", NW_OK, 40},
    [BOOM] = {"boom", NW_ETHROWN, 80},
    [REJECT] = {"reject", NW_ETHROWN, 80},
    [UNCLONABLE] = {"unclonable", NW_ECLONE, 23},
    [EXIT] = {"exit", NW_ECRASHED, 4},
    [DOOM] = {"doom", NW_OK, 3},
};

struct task {
    atomic_int ended;
    atomic_int released; // Of `memory`.
    void *memory;        // Lent; NULL for most kinds.
    enum kind kind;
    double number;
    bool accepted;
    bool kept;
};

static nwpool *pool;
static pthread_rwlock_t world = PTHREAD_RWLOCK_INITIALIZER;
static atomic_bool destroying; // NW_ECANCELED is right while it is set.

static struct task *tasks;
static long operations = OPERATIONS_DEFAULT;
static atomic_long next_task;
static _Atomic uint64_t random_state;

static atomic_long refused, canceled, crashed, abandoned, replaced, timeouts;
static atomic_int problems;

static void problem(const struct task *task, const char *what,
                    const nw_result *result)
{
    atomic_fetch_add(&problems, 1);
    fprintf(stderr, "soak: operation %td (%s): %s: %s%s%s\n", task - tasks,
            kinds[task->kind].function, what,
            result != NULL ? nw_status_name(result->status) : "no result",
            result != NULL && result->error != NULL ? ": " : "",
            result != NULL && result->error != NULL ? result->error->message
                                                    : "");
}

static uint64_t random_number(void)
{
    return random_next_shared(&random_state);
}

static bool once_in(unsigned n)
{
    return random_number() % n == 0;
}

static enum kind random_kind(void)
{
    unsigned point = (unsigned)(random_number() % 1000);
    size_t kind = 0;

    while (point >= kinds[kind].weight) {
        point -= kinds[kind].weight;
        kind++;
    }
    return (enum kind)kind;
}

// -- how a task may end

// The very memory that was lent, not given back yet.
static bool is_memory_of(const struct task *task, const nw_value *value)
{
    size_t size;
    const void *there = nw_value_get_bytes(value, &size);

    return size == (size_t)task->number && atomic_load(&task->released) == 0 &&
           (there == task->memory || size == 0);
}

static bool value_is_right(struct task *task, const nw_value *value)
{
    switch (task->kind) {
    case GIVE:
        // V8 has no use for memory of no size and gives it back at once.
        return task->number == 0 || is_memory_of(task, value);
    case BIG:
        value = nw_object_get(value, "n");
        return nw_value_get_number(value) == task->number;
    case DOOM:
        return nw_value_type(value) == NW_TYPE_UNDEFINED;
    default:
        return nw_value_get_number(value) == task->number;
    }
}

static void check(struct task *task, const nw_result *result)
{
    if (atomic_fetch_add(&task->ended, 1) != 0) {
        problem(task, "ended twice", result);
    }
    if (!task->accepted) {
        problem(task, "refused, and ended all the same", result);
    }
    switch (result->status) {
    case NW_OK:
        if (kinds[task->kind].status != NW_OK ||
            !value_is_right(task, result->value)) {
            problem(task, "wrong value", result);
        }
        return;
    case NW_ECRASHED:
        // Any task can meet the end of a worker that another one doomed.
        atomic_fetch_add(&crashed, 1);
        if (task->kind == EXIT &&
            result->exit_code != (int)task->number % 100 + 1 &&
            result->exit_code != 1) {
            problem(task, "wrong exit code", result);
        }
        return;
    case NW_ECANCELED:
        atomic_fetch_add(&canceled, 1);
        if (!atomic_load(&destroying)) {
            problem(task, "canceled by nobody", result);
        }
        return;
    default:
        if (result->status != kinds[task->kind].status) {
            problem(task, "wrong status", result);
        }
        return;
    }
}

static void on_done(const nw_result *result, void *user_data)
{
    check(user_data, result);
}

// -- operations; each holds `world` for reading

static void wait_for(struct task *task, nw_task_id id)
{
    nw_status status = NW_ETIMEDOUT;
    nw_result *result = NULL;

    for (uint32_t ms = (uint32_t)(random_number() % 3);
         status == NW_ETIMEDOUT && ms <= WAIT_MS_MAX; ms = ms * 4 + 1) {
        status = nwpool_wait(pool, id, ms, &result);
        atomic_fetch_add(&timeouts, status == NW_ETIMEDOUT);
    }
    if (status != NW_OK) {
        problem(task, nw_status_name(status), NULL);
        return;
    }
    check(task, result);
    nwpool_result_free(result);
    if (nwpool_wait(pool, id, 0, &result) != NW_ENOENT) {
        problem(task, "a result that was taken is still there", NULL);
    }
}

static void on_release(void *data, size_t size, void *hint)
{
    struct task *task = hint;

    if (data != task->memory || size != (size_t)task->number) {
        problem(task, "other memory came back", NULL);
    }
    if (atomic_fetch_add(&task->released, 1) == 0) {
        free(data);
    }
}

static nw_value *make_argument(struct task *task, nw_doc *doc)
{
    if (task->kind != GIVE && task->kind != KEEP) {
        return nw_value_number(doc, task->number);
    }
    task->number = (double)(random_number() % LENT_SIZE_MAX);
    task->memory = calloc(1, (size_t)task->number + 1);
    return nw_value_bytes_lend(doc, task->memory, (size_t)task->number,
                               on_release, task);
}

static void submit(struct task *task, nw_doc *doc)
{
    const nw_value *argument;
    nw_task_spec spec = {.struct_size = sizeof(spec)};
    nw_task_id id;
    nw_status status;

    task->kind = random_kind();
    task->number = (double)(random_number() % 1000);
    task->kept = once_in(4);
    task->accepted = true; // Before anybody can call back.
    nw_doc_reset(doc);
    argument = make_argument(task, doc);
    spec.function = kinds[task->kind].function;
    spec.arguments = &argument;
    spec.argument_count = 1;
    spec.on_done = task->kept ? NULL : on_done;
    spec.user_data = task;
    status = nwpool_submit(pool, &spec, &id);
    if (status == NW_EFULL) {
        task->accepted = false;
        atomic_fetch_add(&refused, 1);
        nwpool_drain(pool, 1);
    } else if (status != NW_OK) {
        problem(task, nw_status_name(status), NULL);
    } else if (task->kept && once_in(20)) {
        // Nobody comes for it; the pool frees it in the end.
        atomic_fetch_add(&abandoned, 1);
        atomic_fetch_add(&task->ended, 1);
    } else if (task->kept) {
        wait_for(task, id);
    }
}

static nwpool *create_pool(void)
{
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module = NW_SOAK_MODULE,
                                    .workers =
                                        1 + (uint32_t)(random_number() % 3),
                                    .queue_max = QUEUE_MAX};
    nwpool *created;
    nw_status status = nwpool_create(&created, &options);

    if (status != NW_OK) {
        fprintf(stderr, "soak: no pool: %s %s\n", nw_status_message(status),
                nw_runtime_error());
        exit(1);
    }
    return created;
}

// With or without finishing what was accepted.
static void replace_pool(void)
{
    pthread_rwlock_wrlock(&world);
    if (once_in(2)) {
        nwpool_close(pool);
        if (nwpool_drain(pool, WAIT_MS_MAX) != NW_OK) {
            atomic_fetch_add(&problems, 1);
            fprintf(stderr, "soak: a closed pool does not drain\n");
        }
    }
    atomic_store(&destroying, true);
    if (nwpool_destroy(pool) != NW_OK) {
        atomic_fetch_add(&problems, 1);
        fprintf(stderr, "soak: a pool does not end\n");
    }
    atomic_store(&destroying, false);
    atomic_fetch_add(&replaced, 1);
    pool = create_pool();
    pthread_rwlock_unlock(&world);
}

static void *fire(void *unused)
{
    nw_doc *doc = nw_doc_create();
    long number;

    (void)unused;
    while ((number = atomic_fetch_add(&next_task, 1)) < operations) {
        if (once_in(1000)) {
            replace_pool();
        }
        pthread_rwlock_rdlock(&world);
        submit(&tasks[number], doc);
        pthread_rwlock_unlock(&world);
    }
    nw_doc_destroy(doc);
    return NULL;
}

static void verify(void)
{
    for (long i = 0; i < operations; i++) {
        int expected = tasks[i].accepted ? 1 : 0;
        int lent = tasks[i].memory != NULL ? 1 : 0;

        if (atomic_load(&tasks[i].released) != lent) {
            problem(&tasks[i], "memory did not come back once", NULL);
        }
        if (atomic_load(&tasks[i].ended) != expected) {
            problem(&tasks[i], expected ? "never ended" : "ended", NULL);
        }
    }
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    uint64_t seed = (uint64_t)time(NULL);

    if (argc > 1) {
        operations = atol(argv[1]);
    }
    if (argc > 2) {
        seed = strtoull(argv[2], NULL, 10);
    }
    if (operations < 1 || operations > OPERATIONS_MAX || argc > 3) {
        fprintf(stderr, "usage: soak [OPERATIONS [SEED]], 1 to %d\n",
                OPERATIONS_MAX);
        return 2;
    }
    printf("soak: %ld operations, seed %" PRIu64 "\n", operations, seed);
    fflush(stdout);
    atomic_store(&random_state, seed);
    tasks = calloc((size_t)operations, sizeof(*tasks));
    pool = create_pool();
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, fire, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    nwpool_close(pool);
    if (nwpool_drain(pool, WAIT_MS_MAX) != NW_OK) {
        fprintf(stderr, "soak: tasks are left after %d ms\n", WAIT_MS_MAX);
        return 1;
    }
    nwpool_destroy(pool);
    if (nw_runtime_stop(WAIT_MS_MAX) != NW_OK) {
        fprintf(stderr, "soak: Node.js does not stop\n");
        return 1;
    }
    verify();
    printf("soak: %ld refused, %ld crashed, %ld canceled, %ld abandoned, "
           "%ld waits timed out, %ld pools replaced: %d problems\n",
           atomic_load(&refused), atomic_load(&crashed), atomic_load(&canceled),
           atomic_load(&abandoned), atomic_load(&timeouts),
           atomic_load(&replaced), atomic_load(&problems));
    free(tasks);
    return atomic_load(&problems) == 0 ? 0 : 1;
}

// The pool in a storm: threads that do at random all that can be done to pools,
// whose workers are scripted and fail in every way there is.
//
//   storm [OPERATIONS [SEED]]
//
// NW_SEED is the seed as well. Each accepted task must end exactly once, with a
// status that its kind and what was done to it allow; a refused one never. What
// a task sends must arrive in order and before its result. A pool must be
// destroyed in the time that it promises. A plain program without Node.js, so
// that every sanitizer sees all of it.
//
// Two pools at a time: one delivers on its own thread, the other one to an
// inbox that a thread polls, which also replaces that pool.
//
// Lock order: `world` of a place is held for reading by whoever uses its pool
// and for writing by whoever replaces it; nothing else is locked.

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nwpool/pool.h>

#include "src/common.h"
#include "tests/random.h"
#include "tests/script/engine.h"

#define THREADS            4
#define PLACES             2
#define OPERATIONS_DEFAULT 20000
#define OPERATIONS_MAX     10000000
#define CONCURRENCY_MAX    4
#define QUEUE_MAX          64
#define WAIT_MS_MAX        30000
#define WORKERS_MAX        8
#define RECENT             64
#define TIMES_CANCELED_MAX 100
#define LISTED_MAX         32

// More than the pool allows itself: a sanitizer's machine may be slow.
#define DESTROY_MS_MAX (NW_POOL_DESTROY_TIMEOUT_MS + 3000)

// A pool is replaced after about so many operations.
#define REPLACED_IN 500

// Threads that park are never given back.
#define PARKS_MAX 4

enum kind {
    VALUE,
    LATER,
    DEAF,
    THROW,
    EXIT,
    SPIN,
    HANG,
    PARK,
    SEND,
    PRINT,
    MISSING
};

static const struct {
    const char *function;
    nw_status status; // How it ends when nothing is done to it.
    unsigned weight;  // In a thousand.
    bool endless;     // It has to be ended.
} kinds[] = {
    [VALUE] = {"value", NW_OK, 470, false},
    [LATER] = {"later", NW_OK, 150, false},
    [DEAF] = {"deaf", NW_ECANCELED, 20, true},
    [THROW] = {"throw", NW_ETHROWN, 80, false},
    [EXIT] = {"exit", NW_ECRASHED, 8, false},
    [SPIN] = {"spin", NW_ECANCELED, 50, true},
    [HANG] = {"hang", NW_OK, 1, true},
    [PARK] = {"park", NW_ECRASHED, 1, false},
    [SEND] = {"send", NW_OK, 130, false},
    [PRINT] = {"print", NW_OK, 60, false},
    [MISSING] = {"missing", NW_EMODULE, 30, false},
};

struct place;

struct task {
    // -- immutable after submission
    struct place *place;
    enum kind kind;
    double number;
    uint32_t expiry_ms;
    uint32_t run_limit_ms;
    bool kept;
    bool each;

    atomic_int expected; // Ends.
    atomic_int ended;
    atomic_bool canceled; // Before it was.

    // -- delivering thread only
    double sent;
    uint32_t workers[WORKERS_MAX]; // Of `each`.
    uint32_t worker_count;
};

struct recent {
    atomic_uint_fast64_t id;
    _Atomic(struct task *) task;
};

static struct place {
    pthread_rwlock_t world;
    nwpool *pool;     // By `world`.
    nw_inbox *inbox;  // Or NULL: the pool has a thread.
    uint32_t workers; // Of this pool, spares too.
    struct recent recent[RECENT];
    atomic_uint last_recent;
    atomic_bool wanted;     // By who replaces it: readers stay away.
    atomic_bool useless;    // It has failed.
    atomic_bool destroying; // NW_ECANCELED is right while it is set.
} places[PLACES];

static struct task *tasks;
static long operations = OPERATIONS_DEFAULT;
static atomic_long next_task;
static atomic_bool over;
static _Atomic uint64_t random_state;

static atomic_long ends[32]; // By status.
static atomic_long events[32];
static atomic_long refused, cancels, replaced, left_behind, lines, values,
    parks;
static atomic_int problems;

static void complain(const char *what, const char *detail)
{
    atomic_fetch_add(&problems, 1);
    fprintf(stderr, "storm: %s: %s\n", what, detail);
}

static void problem(const struct task *task, const char *what,
                    const nw_result *result)
{
    atomic_fetch_add(&problems, 1);
    fprintf(stderr, "storm: operation %td (%s): %s: %s%s%s\n", task - tasks,
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
    if (kind == PARK && atomic_fetch_add(&parks, 1) >= PARKS_MAX) {
        return VALUE;
    }
    return (enum kind)kind;
}

// -- how a task may end

static bool value_is_right(const struct task *task, const nw_result *result)
{
    return kinds[task->kind].status == NW_OK &&
           nw_value_get_number(result->value) == task->number &&
           (task->kind != SEND || task->kept || task->sent == task->number);
}

static bool has_failed(struct place *place)
{
    nwpool_stats stats = {.struct_size = sizeof(stats)};

    return nwpool_get_stats(place->pool, &stats) == NW_OK && stats.has_failed;
}

static bool status_is_right(const struct task *task, nw_status status)
{
    switch (status) {
    case NW_ECRASHED:
    case NW_EWEDGED:
        return true; // Any task can share the fate of another one.
    case NW_ECANCELED:
        return atomic_load(&task->canceled) ||
               atomic_load(&task->place->destroying);
    case NW_ETIMEDOUT:
        return task->run_limit_ms > 0;
    case NW_EEXPIRED:
        return task->expiry_ms > 0;
    case NW_EMODULE:
    case NW_EFAILED:
        return task->kind == MISSING || has_failed(task->place);
    default:
        return status == kinds[task->kind].status;
    }
}

// Each of those that were submitted together runs on another worker.
static void check_worker(struct task *task, const nw_result *result)
{
    for (uint32_t i = 0; i < task->worker_count; i++) {
        if (task->workers[i] == result->worker) {
            problem(task, "ran twice on one worker", result);
        }
    }
    if (task->worker_count < WORKERS_MAX) {
        task->workers[task->worker_count++] = result->worker;
    }
}

static void check(struct task *task, const nw_result *result)
{
    atomic_fetch_add(&ends[-result->status], 1);
    if (atomic_fetch_add(&task->ended, 1) > 0 && !task->each) {
        problem(task, "ended twice", result);
    }
    if (result->status == NW_OK ? !value_is_right(task, result)
                                : !status_is_right(task, result->status)) {
        problem(task, "wrong outcome", result);
    }
    if (task->each && result->status == NW_OK) {
        check_worker(task, result);
    }
}

static void cancel_any(struct place *place);

static void on_done(const nw_result *result, void *user_data)
{
    struct task *task = user_data;

    check(task, result);
    if (once_in(50)) {
        cancel_any(task->place);
    }
}

static void on_sent(const nw_sent *sent, void *user_data)
{
    struct task *task = user_data;

    atomic_fetch_add(&values, 1);
    if (atomic_load(&task->ended) != 0) {
        problem(task, "a value after the result", NULL);
    }
    if ((double)sent->index != task->sent || sent->value == NULL ||
        nw_value_get_number(sent->value) != task->sent) {
        problem(task, "a value out of turn", NULL);
    }
    task->sent++;
}

static void on_output(const nw_task_output *output, void *user_data)
{
    (void)user_data;
    atomic_fetch_add(&lines, 1);
    if (output->data_size != strlen(NW__SCRIPT_LINE) ||
        memcmp(output->data, NW__SCRIPT_LINE, output->data_size) != 0) {
        complain("output", "another line than was printed");
    }
}

static void on_event(const nwpool_event *event, void *user_data)
{
    (void)user_data;
    atomic_fetch_add(&events[event->type], 1);
}

// -- operations; each holds `world` for reading

static void remember(struct place *place, struct task *task, nw_task_id id)
{
    struct recent *recent =
        &place->recent[atomic_fetch_add(&place->last_recent, 1) % RECENT];

    // Whoever finds the new task with the old id cancels nothing.
    atomic_store(&recent->id, 0);
    atomic_store(&recent->task, task);
    atomic_store(&recent->id, id.value);
}

static void cancel_task(struct place *place, struct task *task, nw_task_id id)
{
    static const uint32_t escalations[] = {0, 1, 5, 1000, NW_WAIT_FOREVER};
    nw_cancel how = (nw_cancel)below(3);
    uint32_t escalation_ms = escalations[below(5)];
    nw_status status;

    if (escalation_ms == NW_WAIT_FOREVER &&
        (how == NW_CANCEL_INTERRUPT || kinds[task->kind].endless)) {
        escalation_ms = 1;
    }
    atomic_store(&task->canceled, true);
    atomic_fetch_add(&cancels, 1);
    status = nwpool_cancel(place->pool, id, how, escalation_ms);
    if (status != NW_OK && status != NW_ENOENT) {
        complain("cancel", nw_status_name(status));
    }
}

static void cancel_any(struct place *place)
{
    struct recent *recent = &place->recent[below(RECENT)];
    uint64_t id = atomic_load(&recent->id);
    struct task *task = atomic_load(&recent->task);

    if (id == 0 || task == NULL || id != atomic_load(&recent->id)) {
        return;
    }
    for (uint32_t times = once_in(20) ? TIMES_CANCELED_MAX : 1; times > 0;
         times--) {
        cancel_task(place, task, (nw_task_id){id});
    }
}

static void wait_for(struct place *place, struct task *task, nw_task_id id)
{
    nw_status status = NW_ETIMEDOUT;
    nw_result *result = NULL;

    for (uint32_t ms = below(3); status == NW_ETIMEDOUT && ms <= WAIT_MS_MAX;
         ms = ms * 4 + 1) {
        status = nwpool_wait(place->pool, id, ms, &result);
    }
    if (status != NW_OK) {
        problem(task, nw_status_name(status), NULL);
        return;
    }
    check(task, result);
    nwpool_result_free(result);
    if (nwpool_wait(place->pool, id, 0, &result) != NW_ENOENT) {
        problem(task, "a result that was taken is still there", NULL);
    }
}

static void make_spec(struct place *place, struct task *task,
                      nw_task_spec *spec)
{
    *spec = (nw_task_spec){.struct_size = sizeof(*spec)};
    task->place = place;
    task->kind = random_kind();
    task->number = task->kind == LATER  ? below(4)
                   : task->kind == SEND ? below(200)
                                        : below(1000);
    task->expiry_ms = once_in(10) ? 1 + below(20) : 0;
    task->run_limit_ms =
        kinds[task->kind].endless || once_in(10) ? 1 + below(20) : 0;
    task->kept = once_in(4);
    spec->function = kinds[task->kind].function;
    spec->on_done = task->kept ? NULL : on_done;
    spec->user_data = task;
    spec->priority = NW_PRIORITY_MIN + (int)below(16);
    spec->wait_ms = once_in(2) ? below(3) : 0;
    spec->expiry_ms = task->expiry_ms;
    spec->run_limit_ms = task->run_limit_ms;
    spec->interruptible = (nw_interruptible)below(3);
    if (task->kind == SEND) {
        spec->on_sent = once_in(10) && task->kept ? NULL : on_sent;
    } else {
        spec->retries = once_in(4) ? below(3) : 0;
    }
}

static void note_refusal(struct place *place, struct task *task,
                         nw_status status)
{
    atomic_store(&task->expected, 0);
    atomic_fetch_add(&refused, 1);
    if (status == NW_EFAILED) {
        atomic_store(&place->useless, true);
    }
    if (status == NW_EFAILED ? !has_failed(place)
                             : status != NW_EFULL && status != NW_ELIMIT) {
        problem(task, nw_status_name(status), NULL);
    }
}

static void submit_each(struct place *place, struct task *task,
                        nw_task_spec *spec)
{
    nw_task_id ids[WORKERS_MAX];
    size_t count;
    nw_status status;

    task->each = true;
    task->kept = false;
    task->kind = once_in(2) ? VALUE : LATER;
    spec->function = kinds[task->kind].function;
    spec->on_done = on_done;
    spec->on_sent = NULL;
    spec->retries = 0;
    spec->wait_ms = 0;
    status = nwpool_submit_each(place->pool, spec, ids, WORKERS_MAX, &count);
    if (status != NW_OK) {
        note_refusal(place, task, status);
        return;
    }
    atomic_store(&task->expected, (int)count);
    for (size_t i = 0; i < count; i++) {
        remember(place, task, ids[i]);
    }
}

static void submit(struct place *place, struct task *task, nw_doc *doc)
{
    const nw_value *argument;
    nw_task_spec spec;
    nw_task_id id;
    nw_status status;

    make_spec(place, task, &spec);
    nw_doc_reset(doc);
    spec.arguments = &argument;
    spec.argument_count = 1;
    argument = nw_value_number(doc, task->number);
    if (once_in(40)) {
        task->number = below(4);
        argument = nw_value_number(doc, task->number);
        submit_each(place, task, &spec);
        return;
    }
    atomic_store(&task->expected, 1); // Before anybody can call back.
    status = nwpool_submit(place->pool, &spec, &id);
    if (status != NW_OK) {
        note_refusal(place, task, status);
        return;
    }
    remember(place, task, id);
    if (once_in(10)) {
        cancel_task(place, task, id);
    }
    if (task->kept && once_in(20)) {
        atomic_store(&task->expected, 0); // Nobody comes for it.
    } else if (task->kept) {
        wait_for(place, task, id);
    }
}

static void look(struct place *place)
{
    nw_task_info infos[LISTED_MAX];
    nwpool_stats stats = {.struct_size = sizeof(stats)};
    size_t count;

    if (nwpool_list_tasks(place->pool, infos, LISTED_MAX, &count) != NW_OK ||
        nwpool_get_stats(place->pool, &stats) != NW_OK) {
        complain("look", "a pool has no numbers");
        return;
    }
    for (size_t i = 1; i < count && i < LISTED_MAX; i++) {
        if (infos[i].task.value <= infos[i - 1].task.value) {
            complain("list", "tasks out of order");
        }
    }
}

static void disturb(struct place *place)
{
    switch (below(12)) {
    case 0:
        nwpool_reload(place->pool, once_in(3) ? "a broken module" : "a module");
        break;
    case 1:
        nwpool_warm_up(place->pool, below(place->workers + 1), below(10));
        break;
    case 2:
    case 3:
    case 4:
        look(place);
        break;
    default:
        cancel_any(place);
        break;
    }
}

// -- pools

static void create_pool(struct place *place)
{
    const uint32_t most = 1 + below(4);
    const uint32_t spares = below(3);
    const nwpool_options options = {
        .struct_size = sizeof(options),
        .module = "a module",
        .workers = most,
        .workers_min = once_in(3)   ? NW_POOL_NO_MIN
                       : once_in(2) ? 1 + below(most)
                                    : 0,
        .idle_ms = 1 + below(20),
        .spares = spares,
        .concurrency = 1 + below(CONCURRENCY_MAX),
        .queue_max = 8 + below(QUEUE_MAX),
        .interruptible = once_in(2),
        .escalation_ms = 1 + below(10),
        .tear_down = once_in(2) ? "value" : NULL,
        .set_up_ms = once_in(4) ? 10 : 0,
        .tear_down_ms = 20,
        .recycle_tasks = once_in(3) ? 1 + below(100) : 0,
        .recycle_ms = once_in(3) ? 5 + below(50) : 0,
        .ageing_ms = once_in(2) ? 1 : 0,
        .on_event = on_event,
        .on_output = on_output,
        .inbox = place->inbox,
    };
    nw_status status = nwpool_create(&place->pool, &options);

    if (status != NW_OK) {
        fprintf(stderr, "storm: no pool: %s %s\n", nw_status_message(status),
                nw_runtime_error());
        exit(1);
    }
    place->workers = most + spares;
    for (size_t i = 0; i < RECENT; i++) {
        atomic_store(&place->recent[i].id, 0);
    }
}

static void show_tasks(struct place *place)
{
    nw_task_info infos[LISTED_MAX];
    size_t count = 0;

    nwpool_list_tasks(place->pool, infos, LISTED_MAX, &count);
    for (size_t i = 0; i < count && i < LISTED_MAX; i++) {
        fprintf(stderr,
                "storm: task %" PRIu64 " (%s) state %d worker %u, %" PRIu64
                " ms old, runs for %" PRIu64 " ms\n",
                infos[i].task.value, infos[i].function, (int)infos[i].state,
                infos[i].worker, infos[i].age_ns / NW__NS_PER_MS,
                infos[i].run_ns / NW__NS_PER_MS);
    }
}

static void drain(struct place *place)
{
    nwpool_stats stats = {.struct_size = sizeof(stats)};

    nwpool_close(place->pool);
    if (nwpool_drain(place->pool, WAIT_MS_MAX) != NW_OK) {
        complain("drain", "a closed pool does not drain");
        show_tasks(place);
        return;
    }
    nwpool_get_stats(place->pool, &stats);
    if (stats.submitted != stats.done + stats.failed || stats.waiting != 0 ||
        stats.running != 0) {
        complain("drain", "tasks are left in the numbers");
    }
}

// The caller alone uses the place.
static void destroy(struct place *place)
{
    uint64_t begin_ns = nw__now_ns();
    nw_status status;

    atomic_store(&place->destroying, true);
    status = nwpool_destroy(place->pool);
    atomic_store(&place->destroying, false);
    atomic_store(&place->useless, false);
    if (nw__now_ns() - begin_ns > DESTROY_MS_MAX * NW__NS_PER_MS) {
        complain("destroy", "it took too long");
    }
    if (status == NW_EWEDGED) {
        atomic_fetch_add(&left_behind, 1);
    } else if (status != NW_OK) {
        complain("destroy", nw_status_name(status));
    }
    atomic_fetch_add(&replaced, 1);
}

// With or without finishing what was accepted.
static void replace_pool(struct place *place)
{
    if (once_in(2)) {
        drain(place);
    }
    destroy(place);
    create_pool(place);
}

static bool is_to_be_replaced(struct place *place)
{
    return once_in(REPLACED_IN) || atomic_load(&place->useless);
}

// -- threads

static void enter(struct place *place)
{
    while (atomic_load(&place->wanted)) {
        nanosleep(&(struct timespec){.tv_nsec = NW__NS_PER_MS}, NULL);
    }
    pthread_rwlock_rdlock(&place->world);
}

static void *fire(void *unused)
{
    nw_doc *doc = nw_doc_create();
    long number;

    (void)unused;
    while ((number = atomic_fetch_add(&next_task, 1)) < operations) {
        struct place *place = &places[below(PLACES)];

        enter(place);
        submit(place, &tasks[number], doc);
        if (once_in(5)) {
            disturb(place);
        }
        pthread_rwlock_unlock(&place->world);
        if (place->inbox == NULL && is_to_be_replaced(place)) {
            atomic_store(&place->wanted, true);
            pthread_rwlock_wrlock(&place->world);
            replace_pool(place);
            atomic_store(&place->wanted, false);
            pthread_rwlock_unlock(&place->world);
        }
    }
    nw_doc_destroy(doc);
    return NULL;
}

// Of the place with an inbox: those who hold the world may wait for what only
// this thread delivers.
static void *poll_inbox(void *argument)
{
    struct place *place = argument;

    while (!atomic_load(&over)) {
        nw_inbox_poll(place->inbox, 1);
        if (!is_to_be_replaced(place)) {
            continue;
        }
        atomic_store(&place->wanted, true);
        while (pthread_rwlock_trywrlock(&place->world) != 0) {
            nw_inbox_poll(place->inbox, 1);
        }
        replace_pool(place);
        atomic_store(&place->wanted, false);
        pthread_rwlock_unlock(&place->world);
    }
    drain(place);
    destroy(place);
    while (nw_inbox_poll(place->inbox, 0) == NW_OK) {
    }
    if (nw_inbox_destroy(place->inbox) != NW_OK) {
        complain("inbox", "somebody still delivers to it");
    }
    return NULL;
}

// Who hangs is let go of sooner or later: before it is given up, or after.
static void *release(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        uint64_t end_ns = nw__now_ns() + below(3000) * NW__NS_PER_MS;

        while (!atomic_load(&over) && nw__now_ns() < end_ns) {
            nanosleep(&(struct timespec){.tv_nsec = 20 * NW__NS_PER_MS}, NULL);
        }
        nw__script_release(false);
    }
    nw__script_release(true);
    return NULL;
}

static void verify(void)
{
    for (long i = 0; i < operations; i++) {
        if (atomic_load(&tasks[i].ended) != atomic_load(&tasks[i].expected)) {
            problem(&tasks[i], "ended not as often as it was accepted", NULL);
        }
    }
}

static void summarize(void)
{
    printf("storm: %ld refused, %ld cancels, %ld pools (%ld left threads "
           "behind), %ld values, %ld lines\nstorm:",
           atomic_load(&refused), atomic_load(&cancels), atomic_load(&replaced),
           atomic_load(&left_behind), atomic_load(&values),
           atomic_load(&lines));
    for (int i = 0; i < 32; i++) {
        if (atomic_load(&ends[i]) > 0) {
            printf(" %s %ld", nw_status_name((nw_status)-i),
                   atomic_load(&ends[i]));
        }
    }
    printf("\nstorm: events");
    for (int i = 0; i <= NWPOOL_TASK_QUARANTINED; i++) {
        printf(" %ld", atomic_load(&events[i]));
    }
    printf("\nstorm: %d problems\n", atomic_load(&problems));
}

static uint64_t choose_seed(int argc, char **argv)
{
    const char *given = argc > 2 ? argv[2] : getenv("NW_SEED");

    return given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
}

static void storm(void)
{
    pthread_t threads[THREADS];
    pthread_t poller, releaser;

    for (int i = 0; i < PLACES; i++) {
        pthread_rwlock_init(&places[i].world, NULL);
        if (i == 1) {
            nw_inbox_create(&places[i].inbox);
        }
        create_pool(&places[i]);
    }
    pthread_create(&poller, NULL, poll_inbox, &places[1]);
    pthread_create(&releaser, NULL, release, NULL);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, fire, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&over, true);
    pthread_join(releaser, NULL);
    pthread_join(poller, NULL);
    drain(&places[0]);
    destroy(&places[0]);
}

int main(int argc, char **argv)
{
    uint64_t seed = choose_seed(argc, argv);

    if (argc > 1) {
        operations = atol(argv[1]);
    }
    if (operations < 1 || operations > OPERATIONS_MAX || argc > 3) {
        fprintf(stderr, "usage: storm [OPERATIONS [SEED]], 1 to %d\n",
                OPERATIONS_MAX);
        return 2;
    }
    printf("storm: %ld operations, seed %" PRIu64 "\n", operations, seed);
    fflush(stdout);
    atomic_store(&random_state, seed);
    nw__script_seed(seed);
    tasks = calloc((size_t)operations, sizeof(*tasks));
    storm();
    if (nw_runtime_stop(WAIT_MS_MAX) != NW_OK) {
        complain("stop", "the runtime does not stop");
    }
    verify();
    summarize();
    free(tasks);
    return atomic_load(&problems) == 0 ? 0 : 1;
}

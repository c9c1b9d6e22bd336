// Goal: whatever a task, its module or its caller does, in whatever state the
// pool is, every accepted task ends exactly once with a status that its kind
// allows, and the pool works afterwards or says that it has failed.

#include "tests/pool/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nwpool/inbox.h>

TestSuite(faults, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// -- the ways to go wrong

enum how { BY_ITSELF, BY_LIMIT, BY_CANCEL, AT_LOAD, IN_SET_UP, IN_TEAR_DOWN };

struct fault {
    const char *function; // Of the task; what loading does for AT_LOAD.
    nw_status status;     // The task ends with.
    enum how how;
    double argument;
};

static const struct fault deaths[] = {
    {"exit", NW_ECRASHED, BY_ITSELF, 0},
    {"exitAfterAwait", NW_ECRASHED, BY_ITSELF, 0},
    {"exitInTimer", NW_ECRASHED, BY_ITSELF, 0},
    {"throwOutside", NW_ECRASHED, BY_ITSELF, 0},
    {"rejectOutside", NW_ECRASHED, BY_ITSELF, 0},
};

static const struct fault ends[] = {
    {"fillHeap", NW_ECRASHED, BY_ITSELF, 0},
    {"spin", NW_ETIMEDOUT, BY_LIMIT, 0},
    {"spin", NW_ECANCELED, BY_CANCEL, 0},
};

static const struct fault failures[] = {
    {"recurse", NW_ETHROWN, BY_ITSELF, 0},
    {"abort", NW_ETHROWN, BY_ITSELF, 0},
    {"cannotClone", NW_ECLONE, BY_ITSELF, 0},
    {"throwValue", NW_ETHROWN, BY_ITSELF, 0},
    {"throwValue", NW_ETHROWN, BY_ITSELF, 1},
    {"throwValue", NW_ETHROWN, BY_ITSELF, 2},
    {"throwValue", NW_ETHROWN, BY_ITSELF, 3},
    {"throwValue", NW_ETHROWN, BY_ITSELF, 4},
    {"throwValue", NW_ETHROWN, BY_ITSELF, 5},
    {"throwValue", NW_ETHROWN, BY_ITSELF, 6},
    {"rejectValue", NW_ETHROWN, BY_ITSELF, 1},
    {"rejectValue", NW_ETHROWN, BY_ITSELF, 6},
};

static const struct fault boots[] = {
    {"throw", NW_EMODULE, AT_LOAD, 0},
    {"throwTheSecondTime", NW_OK, AT_LOAD, 0},
    {"throwLater", NW_OK, AT_LOAD, 0},
    {"exitInSetUp", NW_EFAILED, IN_SET_UP, 0},
    {"exitInTearDown", NW_OK, IN_TEAR_DOWN, 0},
};

// -- the states they meet

struct state {
    uint32_t workers_min;
    uint32_t concurrency;
    bool noise; // Another thread submits, cancels and closes.
};

static const struct state states[] = {
    {NW_POOL_NO_MIN, 1, false},
    {NW_POOL_NO_MIN, 1, true},
    {NW_POOL_NO_MIN, 4, false},
    {NW_POOL_NO_MIN, 4, true},
    {2, 1, false},
    {2, 1, true},
    {2, 4, false},
    {2, 4, true},
};

#define WARM_TASKS  40 // They are short: then several are taken at a time.
#define SLEEPERS    6  // They run beside it.
#define BEHIND      30 // Assigned to its worker, and queued.
#define OTHERS      (WARM_TASKS + SLEEPERS + BEHIND)
#define NOISE_TASKS 60

static const struct fault *fault;
static const struct state *state;
static struct outcome others[OTHERS];
static struct outcome noises[NOISE_TASKS];
static struct outcome deadly;
static struct gate gate;

// -- what is allowed

static bool pool_may_fail(void)
{
    return fault->how == AT_LOAD || fault->how == IN_SET_UP;
}

// Whether a task that did nothing wrong may have been on a worker that was ended.
static bool may_share(void)
{
    return state->concurrency > 1 || fault->how == AT_LOAD;
}

static bool is_allowed(const struct outcome *outcome, nw_status status)
{
    return outcome->status == status ||
           (outcome->status == NW_ECRASHED && may_share()) ||
           ((outcome->status == NW_EMODULE || outcome->status == NW_EFAILED) &&
            pool_may_fail());
}

static void check(const struct outcome *outcome, nw_status status,
                  const char *what)
{
    cr_expect(eq(int, outcome->calls, 1),
              "%s: %s ended so often, with min %u, concurrency %u%s",
              fault->function, what, state->workers_min, state->concurrency,
              state->noise ? " and noise" : "");
    cr_expect(is_allowed(outcome, status), "%s(%g), min %u, %u%s: %s: %s %s",
              fault->function, fault->argument, state->workers_min,
              state->concurrency, state->noise ? ", noise" : "", what,
              nw_status_name(outcome->status), outcome->message);
}

// -- noise

static atomic_bool may_close;
static atomic_int wrongly_refused;

static void note_refusal(nw_status status, struct outcome *outcome)
{
    outcome->calls = 1; // As one that ended.
    outcome->status = NW_OK;
    if (status != NW_EFAILED || !pool_may_fail()) {
        atomic_fetch_add(&wrongly_refused, 1);
    }
}

static void submit_noise(nwpool *pool, int i, const nw_value *argument,
                         nw_task_id *out)
{
    nw_status status =
        submit_spec(pool,
                    (nw_task_spec){.function = i % 3 == 0 ? "sleep" : "inc",
                                   .arguments = &argument,
                                   .argument_count = 1,
                                   .on_done = on_outcome,
                                   .user_data = &noises[i]},
                    out);

    if (status != NW_OK) {
        note_refusal(status, &noises[i]);
    }
}

static void *make_noise(void *argument)
{
    nwpool *pool = argument;
    nw_doc *own = nw_doc_create();
    const nw_value *one = nw_value_number(own, 1);
    nw_task_id ids[NOISE_TASKS];

    for (int i = 0; i < NOISE_TASKS; i++) {
        submit_noise(pool, i, one, &ids[i]);
        nwpool_cancel(pool, ids[i * 7 % (i + 1)], (nw_cancel)(i % 3), 1);
        pause_ms(i % 8 == 7 ? 2 : 0);
    }
    for (int ms = 0; !atomic_load(&may_close) && ms < DEADLINE_MS; ms++) {
        pause_ms(1);
    }
    nwpool_close(pool);
    nw_doc_destroy(own);
    return NULL;
}

// -- one combination

static nwpool *make_pool(void)
{
    nwpool_options options = {.workers = 2,
                              .workers_min = state->workers_min,
                              .concurrency = state->concurrency,
                              .escalation_ms = 10};

    setenv("NW_TEST_LOAD", fault->how == AT_LOAD ? fault->function : "", 1);
    if (fault->how == IN_SET_UP) {
        options.set_up = fault->function;
    } else if (fault->how == IN_TEAR_DOWN) {
        options.tear_down = fault->function;
        options.recycle_tasks = 10;
    } else if (strcmp(fault->function, "fillHeap") == 0) {
        options.limits.max_old_generation_size_mb = 16;
    }
    return pool_like("faults.js", options);
}

static void submit_others(nwpool *pool, const char *function, int from,
                          int count)
{
    for (int i = from; i < from + count; i++) {
        nw_status status =
            submit_to(&others[i], pool, function, number(3), NULL);

        if (status != NW_OK) {
            note_refusal(status, &others[i]);
        }
    }
}

static void submit_deadly(nwpool *pool)
{
    const nw_value *argument =
        fault->how == BY_CANCEL ? gate_started(&gate) : number(fault->argument);
    nw_task_id id;
    nw_status status = submit_spec(
        pool,
        (nw_task_spec){.function =
                           fault->how <= BY_CANCEL ? fault->function : "inc",
                       .arguments = &argument,
                       .argument_count = 1,
                       .on_done = on_outcome,
                       .user_data = &deadly,
                       .run_limit_ms = fault->how == BY_LIMIT ? 20 : 0},
        &id);

    if (status != NW_OK) {
        note_refusal(status, &deadly);
    }
    if (fault->how == BY_CANCEL) {
        gate_wait(&gate);
        nwpool_cancel(pool, id, NW_CANCEL_END, 0);
    }
}

// While others run, are assigned, and wait.
static void go_wrong(nwpool *pool)
{
    pthread_t thread;

    memset(others, 0, sizeof(others));
    memset(noises, 0, sizeof(noises));
    memset(&deadly, 0, sizeof(deadly));
    atomic_store(&may_close, false);
    if (state->noise) {
        cr_assert(pthread_create(&thread, NULL, make_noise, pool) == 0);
    }
    submit_others(pool, "inc", 0, WARM_TASKS);
    submit_others(pool, "sleep", WARM_TASKS, SLEEPERS);
    submit_deadly(pool);
    submit_others(pool, "inc", WARM_TASKS + SLEEPERS, BEHIND);
    atomic_store(&may_close, true);
    if (state->noise) {
        pthread_join(thread, NULL);
    }
    drain(pool);
}

static void check_all(void)
{
    check(&deadly, fault->status, "it");
    for (int i = 0; i < OTHERS; i++) {
        check(&others[i], NW_OK, "another");
    }
    for (int i = 0; i < NOISE_TASKS && state->noise; i++) {
        // What is canceled may have ended before.
        check(&noises[i],
              noises[i].status == NW_ECANCELED ? NW_ECANCELED : NW_OK, "noise");
    }
    cr_expect(eq(int, atomic_load(&wrongly_refused), 0));
}

static void expect_usable(nwpool *pool)
{
    struct outcome outcome = {0};
    nw_status status = submit_to(&outcome, pool, "inc", number(1), NULL);

    drain(pool);
    if (status == NW_OK) {
        check(&outcome, NW_OK, "afterwards");
    } else if (status == NW_EFAILED) {
        cr_expect(pool_may_fail(), "%s", fault->function);
    } else {
        cr_expect(status == NW_ECLOSED && state->noise);
    }
}

static void meet(const struct fault *the_fault, const struct state *the_state)
{
    char file[] = "/tmp/nwpool-test-XXXXXX";
    nwpool *pool;

    close(mkstemp(file));
    setenv("NW_TEST_FILE", file, 1);
    gate_init(&gate);
    fault = the_fault;
    state = the_state;
    pool = make_pool();
    go_wrong(pool);
    check_all();
    expect_usable(pool);
    destroy(pool);
    gate_fini(&gate);
    unlink(file);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void meet_all(const struct fault *faults, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < COUNT(states); k++) {
            meet(&faults[i], &states[k]);
        }
    }
}

Test(faults, a_worker_that_dies_of_its_task)
{
    meet_all(deaths, COUNT(deaths));
}

Test(faults, a_task_that_has_to_be_ended)
{
    meet_all(ends, COUNT(ends));
}

Test(faults, a_module_that_fails_at_its_loading_or_its_end)
{
    meet_all(boots, COUNT(boots));
}

// Two at a time are enough for those that harm nobody.
Test(faults, a_task_that_fails_alone)
{
    for (size_t i = 0; i < COUNT(failures); i++) {
        meet(&failures[i], &states[1 + i % 2 * 6]);
        meet(&failures[i], &states[3 + i % 2 * 2]);
    }
    cr_expect(eq(int, deadly.exit_code, 0));
}

// -- with an inbox that nobody runs: ends are counted late

#define SPINNING 6

static nwpool *pool_with_inbox(nw_inbox **inbox)
{
    setenv("NW_TEST_LOAD", "", 1);
    cr_assert(eq(int, nw_inbox_create(inbox), NW_OK));
    return pool_like("faults.js",
                     (nwpool_options){.workers = 1, .inbox = *inbox});
}

static void end_with_inbox(nwpool *pool, nw_inbox *inbox)
{
    destroy(pool);
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

// A worker whose first task had to be ended has done nothing wrong.
Test(faults, first_tasks_that_are_ended_do_not_fail_the_pool)
{
    struct outcome spinning[SPINNING] = {0};
    const nw_value *argument = number(0);
    nw_inbox *inbox;
    nwpool *pool = pool_with_inbox(&inbox);
    nw_task_id last;

    for (int i = 0; i < SPINNING; i++) {
        expect_status(submit_spec(pool,
                                  (nw_task_spec){.function = "spin",
                                                 .arguments = &argument,
                                                 .argument_count = 1,
                                                 .on_done = on_outcome,
                                                 .user_data = &spinning[i],
                                                 .run_limit_ms = 10},
                                  NULL),
                      NW_OK);
    }
    last = submit(pool, "inc", number(1), NULL);
    expect_value(take(pool, last), "2");
    cr_expect(stats_of(pool).has_failed == false);
    drain(pool);
    for (int i = 0; i < SPINNING; i++) {
        expect_status(spinning[i].status, NW_ETIMEDOUT);
    }
    end_with_inbox(pool, inbox);
}

// Goal: a pool has as many workers as it needs: it grows and shrinks, holds spares
// ready, renews workers between tasks, and takes a new module without losing one.

#include "tests/pool/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(sizes, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

static int log_pipe[2];

// What set-up and tear-down have written.
static void open_log(void)
{
    char fd[16];

    cr_assert(eq(int, pipe2(log_pipe, O_NONBLOCK), 0));
    snprintf(fd, sizeof(fd), "%d", log_pipe[1]);
    setenv("NW_TEST_FD", fd, 1);
}

static const char *log_so_far(void)
{
    static char text[4096];
    static size_t size;
    ssize_t got = read(log_pipe[0], text + size, sizeof(text) - 1 - size);

    size += got > 0 ? (size_t)got : 0;
    text[size] = '\0';
    return text;
}

static size_t count_of(const char *log, char what)
{
    size_t count = 0;

    for (; *log != '\0'; log++) {
        count += *log == what;
    }
    return count;
}

// -- growth

Test(sizes, it_begins_small_grows_under_load_and_shrinks_when_idle)
{
    nwpool *pool = pool_like(
        "service.js",
        (nwpool_options){.workers = 4, .workers_min = 1, .idle_ms = 200});
    nw_task_id ids[40];

    expect_status(nwpool_warm_up(pool, 0, DEADLINE_MS), NW_OK);
    cr_expect(eq(u32, stats_of(pool).workers, 1));
    for (int i = 0; i < 40; i++) {
        ids[i] = submit(pool, "sleep", number(50), NULL);
    }
    eventually(stats_of(pool).workers == 4);
    for (int i = 0; i < 40; i++) {
        take(pool, ids[i]);
    }
    eventually(stats_of(pool).workers == 1);
    pause_ms(300);
    cr_expect(eq(u32, stats_of(pool).workers, 1));
    expect_value(call(pool, "inc", number(1), NULL), "2");
    cr_expect(eq(u64, stats_of(pool).restarts, 0));
    destroy(pool);
}

Test(sizes, a_worker_whose_task_awaits_is_not_idle)
{
    nwpool *pool = pool_like("service.js", (nwpool_options){.workers = 2,
                                                            .workers_min = 1,
                                                            .concurrency = 2,
                                                            .idle_ms = 100});
    const nw_value *argument = number(500);
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = "sleep",
                               .arguments = &argument,
                               .argument_count = 1};
    nw_task_id ids[4], awaiting[2];
    size_t count;

    for (int i = 0; i < 4; i++) {
        ids[i] = submit(pool, "busy", number(40), NULL);
    }
    eventually(stats_of(pool).workers == 2);
    // Longer than one that is idle would live.
    expect_status(nwpool_submit_each(pool, &spec, awaiting, 2, &count), NW_OK);
    cr_assert(eq(sz, count, 2));
    for (int i = 0; i < 4; i++) {
        expect_status(take(pool, ids[i])->status, NW_OK);
    }
    expect_status(take(pool, awaiting[0])->status, NW_OK);
    expect_status(take(pool, awaiting[1])->status, NW_OK);
    eventually(stats_of(pool).workers == 1);
    cr_expect(eq(u64, stats_of(pool).restarts, 0));
    destroy(pool);
}

Test(sizes, short_tasks_are_no_reason_to_grow)
{
    nwpool *pool = pool_like("service.js",
                             (nwpool_options){.workers = 8, .workers_min = 1});

    for (int i = 0; i < 2000; i++) {
        expect_status(call(pool, "inc", number(i), NULL)->status, NW_OK);
        free_results();
    }
    // A thread that gets no CPU for 5 ms makes it grow by one or another.
    cr_expect(lt(u32, stats_of(pool).workers, 8));
    destroy(pool);
}

Test(sizes, none_at_all_until_there_is_a_task)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 2,
                                                 .workers_min = NW_POOL_NO_MIN,
                                                 .idle_ms = 100});

    pause_ms(50);
    cr_expect(eq(u32, stats_of(pool).workers + stats_of(pool).starting, 0));
    expect_value(call(pool, "inc", number(1), NULL), "2");
    eventually(stats_of(pool).workers == 0);
    // A death with nothing left: the next task has a worker all the same.
    expect_status(call(pool, "exit", number(3), NULL)->status, NW_ECRASHED);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    // And one with tasks behind it.
    submit(pool, "exit", number(3), NULL);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);
}

Test(sizes, a_burst_on_a_cold_pool_is_shared)
{
    nwpool *pool = pool_like(
        "service.js",
        (nwpool_options){.workers = 3, .workers_min = NW_POOL_NO_MIN});
    nw_task_id ids[9];
    bool seen[256] = {false};
    int workers = 0;

    for (int i = 0; i < 9; i++) {
        ids[i] = submit(pool, "busy", number(60), NULL);
    }
    for (int i = 0; i < 9; i++) {
        uint32_t worker = take(pool, ids[i])->worker % 256;

        workers += !seen[worker];
        seen[worker] = true;
    }
    cr_expect(ge(int, workers, 2));
    destroy(pool);
}

// -- spares

Test(sizes, a_spare_takes_over_at_once)
{
    nwpool *pool = pool_like(
        "service.js",
        (nwpool_options){.workers = 1, .spares = 1, .on_event = on_pool_event});
    size_t at;
    uint32_t dead;

    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    cr_expect(eq(u32, stats_of(pool).workers, 1));
    cr_expect(eq(u32, stats_of(pool).spares, 1));
    dead = call(pool, "inc", number(1), NULL)->worker;
    expect_status(call(pool, "exit", number(3), NULL)->status, NW_ECRASHED);
    cr_expect(ne(u32, call(pool, "inc", number(1), NULL)->worker, dead));
    at = expect_told(NWPOOL_WORKER_REPLACED, 0);
    cr_expect(eq(u32, pool_told.events[at].worker, dead));
    eventually(stats_of(pool).spares == 1);
    destroy(pool);
}

Test(sizes, warm_up_knows_its_limits)
{
    nwpool *pool = pool_like("service.js", (nwpool_options){.workers = 2});

    expect_status(nwpool_warm_up(NULL, 0, 0), NW_EINVAL);
    expect_status(nwpool_warm_up(pool, 3, 0), NW_EINVAL);
    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    destroy(pool);
    pool = pool_like("throws_at_load.js", (nwpool_options){.workers = 1});
    expect_status(nwpool_warm_up(pool, 1, DEADLINE_MS), NW_EFAILED);
    destroy(pool);
    pool = pool_like("service.js",
                     (nwpool_options){.workers = 1, .set_up = "setUpNever"});
    expect_status(nwpool_warm_up(pool, 1, 100), NW_ETIMEDOUT);
    destroy(pool);
}

// -- set-up and tear-down

Test(sizes, set_up_comes_before_the_first_task_and_tear_down_after_the_last)
{
    nwpool *pool;
    nw_task_id ids[10];

    open_log();
    pool = pool_like("service.js", (nwpool_options){.workers = 2,
                                                    .set_up = "setUp",
                                                    .tear_down = "tearDown"});
    for (int i = 0; i < 10; i++) {
        ids[i] = submit(pool, "isSetUp", NULL);
    }
    for (int i = 0; i < 10; i++) {
        expect_value(take(pool, ids[i]), "1");
    }
    expect_status(nwpool_warm_up(pool, 2, DEADLINE_MS), NW_OK);
    destroy(pool);
    cr_expect(eq(sz, count_of(log_so_far(), 'u'), 2));
    cr_expect(eq(sz, count_of(log_so_far(), 'd'), 2));
}

Test(sizes, a_worker_that_has_just_ended_its_task_tears_down)
{
    open_log();
    for (int i = 0; i < 10; i++) {
        nwpool *pool = pool_like(
            "service.js",
            (nwpool_options){.workers = 1, .tear_down = "tearDown"});

        call(pool, "inc", number(1), NULL);
        destroy(pool);
    }
    cr_expect(eq(sz, count_of(log_so_far(), 'd'), 10));
}

Test(sizes, a_set_up_that_fails_is_why_the_tasks_fail)
{
    nwpool *pool = pool_like(
        "service.js", (nwpool_options){.workers = 1, .set_up = "setUpFails"});
    const nw_result *result = call(pool, "inc", number(1), NULL);

    expect_failure(result, NW_EMODULE, "no database today");
    destroy(pool);
    pool = pool_like("service.js",
                     (nwpool_options){.workers = 1, .set_up = "nobody"});
    expect_failure(call(pool, "inc", number(1), NULL), NW_EMODULE, "nobody");
    destroy(pool);
}

Test(sizes, a_set_up_that_never_ends_is_ended)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 1,
                                                 .set_up = "setUpNever",
                                                 .set_up_ms = 100});

    expect_failure(call(pool, "inc", number(1), NULL), NW_EFAILED,
                   "not loaded and set up in 100 ms");
    destroy(pool);
}

Test(sizes, a_tear_down_that_never_ends_is_ended)
{
    nwpool *pool;
    uint64_t start_ms;

    open_log();
    pool =
        pool_like("service.js", (nwpool_options){.workers = 1,
                                                 .tear_down = "tearDownNever",
                                                 .tear_down_ms = 100});
    call(pool, "inc", number(1), NULL);
    start_ms = now_ms();
    destroy(pool);
    cr_expect(now_ms() - start_ms < 2000, "%d", (int)(now_ms() - start_ms));
    expect_string(log_so_far(), "n");
}

Test(sizes, a_tear_down_that_throws_is_told)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 1,
                                                 .workers_min = NW_POOL_NO_MIN,
                                                 .idle_ms = 50,
                                                 .tear_down = "tearDownThrows",
                                                 .on_event = on_pool_event});
    size_t at;

    call(pool, "inc", number(1), NULL);
    at = expect_told(NWPOOL_WORKER_EXITED, 0);
    expect_says(pool_told.events[at].error, "cannot be torn");
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);
}

// -- recycling

static void expect_recycled(nwpool_options options, const char *reason)
{
    nwpool *pool;
    size_t at;
    bool seen[256] = {false};
    int workers = 0;

    options.workers = 1;
    options.on_event = on_pool_event;
    pool = pool_like("service.js", options);
    for (int i = 0; workers < 3; i++) {
        const nw_result *result = call(pool, "inc", number(i), NULL);
        uint32_t worker = result->worker % 256;

        cr_assert(eq(int, result->status, NW_OK));
        workers += !seen[worker];
        seen[worker] = true;
        free_results();
        cr_assert(i < 1000000);
    }
    at = expect_told(NWPOOL_WORKER_RECYCLED, 0);
    expect_says(pool_told.events[at].reason, reason);
    cr_expect(ge(u64, stats_of(pool).recycled, 2));
    cr_expect(eq(u64, stats_of(pool).restarts, 0));
    cr_expect(eq(u64, stats_of(pool).failed, 0));
    destroy(pool);
}

Test(sizes, a_worker_is_renewed_after_its_number_of_tasks)
{
    expect_recycled((nwpool_options){.recycle_tasks = 10},
                    "its number of tasks");
}

Test(sizes, a_worker_is_renewed_at_its_age)
{
    expect_recycled((nwpool_options){.recycle_ms = 100}, "its age");
}

Test(sizes, a_worker_is_renewed_when_it_is_large)
{
    nwpool *pool =
        pool_like("service.js", (nwpool_options){.workers = 1,
                                                 .recycle_bytes = 100u << 20,
                                                 .on_event = on_pool_event});
    uint32_t first = call(pool, "inc", number(1), NULL)->worker;
    uint64_t give_up_ms = now_ms() + DEADLINE_MS / 4;
    const nw_result *result;

    call(pool, "hoard", number(150), NULL);
    do {
        free_results();
        result = call(pool, "inc", number(1), NULL);
        cr_assert(now_ms() < give_up_ms, "it is not renewed");
    } while (result->worker == first);
    expect_value(call(pool, "hoard", number(1), NULL), "1");
    expect_says(pool_told.events[expect_told(NWPOOL_WORKER_RECYCLED, 0)].reason,
                "memory");
    free_results();
    destroy(pool);
}

// -- reload

static void write_module(const char *file, const char *text)
{
    FILE *stream = fopen(file, "w");

    cr_assert(ne(ptr, stream, NULL));
    fputs(text, stream);
    fclose(stream);
}

static void ended(const nw_result *result, void *user_data)
{
    int *counts = user_data;

    counts[result->status == NW_OK ? (int)nw_value_get_number(result->value)
                                   : 0]++;
}

static void submit_version(nwpool *pool, int *counts)
{
    expect_status(submit_spec(pool,
                              (nw_task_spec){.function = "version",
                                             .on_done = ended,
                                             .user_data = counts,
                                             .wait_ms = DEADLINE_MS},
                              NULL),
                  NW_OK);
}

// Spares that are on their way then have the old module.
Test(sizes, a_reload_ends_when_spares_come_late)
{
    nwpool *pool = pool_like(
        "service.js",
        (nwpool_options){.workers = 1, .spares = 2, .on_event = on_pool_event});
    nw_task_id id;

    expect_status(nwpool_warm_up(pool, 1, DEADLINE_MS), NW_OK);
    id = submit(pool, "sleep", number(500), NULL);
    expect_status(nwpool_reload(pool, NULL), NW_OK);
    expect_value(take(pool, id), "500");
    eventually(told_of(NWPOOL_RELOADED) == 1);
    eventually(stats_of(pool).spares == 2);
    destroy(pool);
}

static void reload_under_load(uint32_t spares)
{
    char file[] = "/tmp/nwpool-test-XXXXXX.js";
    nwpool_options options = {.struct_size = sizeof(options),
                              .module = file,
                              .workers = 2,
                              .spares = spares,
                              .queue_max = 100,
                              .on_event = on_pool_event};
    int counts[4] = {0};
    int submitted = 0;
    nwpool *pool;
    size_t at;

    close(mkstemps(file, 3));
    write_module(file, "exports.version = () => 1");
    cr_assert(eq(int, nwpool_create(&pool, &options), NW_OK));
    expect_status(nwpool_warm_up(pool, 0, DEADLINE_MS), NW_OK);
    for (; submitted < 100; submitted++) {
        submit_version(pool, counts);
    }
    write_module(file, "exports.version = () => 2");
    expect_status(nwpool_reload(pool, NULL), NW_OK);
    expect_status(nwpool_reload(pool, NULL), NW_EBUSY);
    while (told_of(NWPOOL_RELOADED) == 0) {
        submit_version(pool, counts);
        submitted++;
    }
    drain(pool);
    expect_value(call(pool, "version", NULL), "2");

    // One that cannot be loaded changes nothing.
    write_module(file, "throw new Error('version three')");
    expect_status(nwpool_reload(pool, NULL), NW_OK);
    while (told_of(NWPOOL_RELOAD_FAILED) == 0) {
        submit_version(pool, counts);
        submitted++;
    }
    at = expect_told(NWPOOL_RELOAD_FAILED, 0);
    expect_says(pool_told.events[at].error, "version three");
    drain(pool);
    expect_value(call(pool, "version", NULL), "2");
    write_module(file, "exports.version = () => 3");
    expect_status(nwpool_reload(pool, NULL), NW_OK);
    eventually(told_of(NWPOOL_RELOADED) == 2);
    expect_value(call(pool, "version", NULL), "3");
    drain(pool);
    cr_expect(eq(int, counts[0], 0));
    cr_expect(eq(int, counts[1] + counts[2], submitted));
    cr_expect(gt(int, counts[2], 0));
    cr_expect(eq(u32, stats_of(pool).workers, 2));
    destroy(pool);
    unlink(file);
}

Test(sizes, a_new_version_takes_over_and_no_task_is_lost)
{
    reload_under_load(0);
}

Test(sizes, a_new_version_takes_over_with_spares)
{
    reload_under_load(1);
}

// -- options

Test(sizes, nonsense_is_refused_with_a_sentence)
{
    static const struct {
        nwpool_options options;
        const char *says;
    } cases[] = {
        {{.workers = 1025}, "workers is 1025"},
        {{.workers = 2, .workers_min = 3}, "workers_min is 3"},
        {{.spares = 2000}, "spares is 2000"},
        {{.concurrency = 2000}, "concurrency is 2000"},
        {{.high_water = 101}, "percentages"},
        {{.high_water = 10, .low_water = 20}, "low_water"},
        {{.set_up = ""}, "set_up"},
        {{.escalation_ms = NW_WAIT_FOREVER}, "escalation_ms"},
        {{.limits.stack_size_mb = -1}, "limits"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nwpool_options options = cases[i].options;
        nwpool *pool;

        options.struct_size = sizeof(options);
        options.module = module_path("service.js");
        expect_status(nwpool_create(&pool, &options), NW_EINVAL);
        cr_expect(eq(ptr, pool, NULL));
        expect_says(nw_status_detail(), cases[i].says);
    }
}

// Goal: in a worker each task is an asynchronous resource of its own, and what
// tasks leave behind runs when Node.js would run it.

#include "tests/pool/support.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

TestSuite(async, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

static double field(const nw_result *result, const char *name)
{
    return nw_value_get_number(nw_object_get(result->value, name));
}

// -- hooks

// Runs `count` tasks and asks how each hook saw them.
static void expect_hooks(nwpool *pool, const char *function, int count)
{
    const nw_result *result;

    expect_status(call(pool, "reset", NULL)->status, NW_OK);
    for (int i = 0; i < count; i++) {
        nw_task_id task = submit(pool, function, NULL);

        if (i % 10 == 9) {
            take(pool, task);
        }
    }
    drain(pool);
    result = call(pool, "told", NULL);
    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(eq(dbl, field(result, "tasks"), count), "%s", function);
    cr_expect(eq(dbl, field(result, "init"), count), "%s", function);
    cr_expect(eq(dbl, field(result, "before"), count), "%s", function);
    cr_expect(eq(dbl, field(result, "after"), count), "%s", function);
    cr_expect(eq(dbl, field(result, "destroy"), count), "%s", function);
    cr_expect(eq(dbl, field(result, "odd"), 0), "%s", function);
}

Test(async, hooks_see_each_task_once)
{
    const char *const functions[] = {"plain",      "throws",   "resolved",
                                     "rejected",   "awaiting", "thenable",
                                     "uncloneable"};
    nwpool *pool = pool_of("hooks.js", 1);

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        expect_hooks(pool, functions[i], 200);
    }
    destroy(pool);
}

// Some parse, some do not.
Test(async, hooks_see_each_task_of_the_demo_once)
{
    nwpool *pool = pool_of("demo.js", 1);
    const nw_result *result;
    glob_t files;

    cr_assert(
        eq(int, glob("/usr/share/nodejs/acorn*/*/*.js", 0, NULL, &files), 0));
    cr_assert(gt(sz, files.gl_pathc, 0));
    expect_status(call(pool, "reset", NULL)->status, NW_OK);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        submit(pool, "parse", text(files.gl_pathv[i]), NULL);
        submit(pool, "parse", text(module_path("syntax.js")), NULL);
    }
    drain(pool);
    cr_expect(eq(u64, stats_of(pool).failed, files.gl_pathc));
    result = call(pool, "told", NULL);
    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(eq(dbl, field(result, "tasks"), (double)files.gl_pathc * 2));
    cr_expect(eq(dbl, field(result, "odd"), 0));
    globfree(&files);
    destroy(pool);
}

Test(async, each_task_runs_in_its_own_resource)
{
    nwpool *pool = pool_of("hooks.js", 1);
    const nw_result *result;

    expect_status(call(pool, "reset", NULL)->status, NW_OK);
    for (int i = 0; i < 10; i++) {
        expect_value(call(pool, "plain", NULL), "true");
        expect_failure(call(pool, "throws", NULL), NW_ETHROWN, "true");
        expect_value(call(pool, "resolved", NULL), "true");
        expect_failure(call(pool, "rejected", NULL), NW_ETHROWN, "true");
        expect_value(call(pool, "awaiting", NULL), "true");
    }
    result = call(pool, "told", NULL);
    cr_expect(eq(dbl, field(result, "ids"), 50));
    destroy(pool);
}

Test(async, the_resource_of_a_task_can_be_seen_from_inside)
{
    nwpool *pool = pool_of("hooks.js", 1);

    expect_value(call(pool, "resource", NULL), "\"AsyncResource\"");
    destroy(pool);
}

// -- AsyncLocalStorage

Test(async, what_one_task_stores_the_next_does_not_see)
{
    nwpool *pool = pool_of("hooks.js", 1);
    nw_task_id tasks[60];

    // One after the other, and in one batch.
    for (int i = 0; i < 5; i++) {
        expect_value(call(pool, "enter", text("mine"), NULL), "null");
        expect_value(call(pool, "store", NULL), "null");
        expect_value(call(pool, "enterLater", text("mine"), NULL),
                     "[null, \"mine\"]");
        expect_value(call(pool, "storeLater", NULL), "null");
    }
    for (int i = 0; i < 60; i++) {
        const char *const functions[] = {"enter", "store", "enterLater",
                                         "storeLater"};

        tasks[i] = submit(pool, functions[i % 4], number(i), NULL);
    }
    for (int i = 0; i < 60; i++) {
        char expected[32] = "null";

        if (i % 4 == 2) {
            snprintf(expected, sizeof(expected), "[null, %d]", i);
        }
        expect_value(take(pool, tasks[i]), expected);
    }
    destroy(pool);
}

Test(async, what_a_task_stores_survives_its_awaits)
{
    nwpool *pool = pool_of("hooks.js", 2);

    for (int i = 0; i < 10; i++) {
        expect_value(call(pool, "survives", text("s"), NULL),
                     "[\"s\", \"s\", \"s\", \"s\", \"s\"]");
    }
    destroy(pool);
}

// -- what tasks leave behind

Test(async, microtasks_and_ticks_run_before_long)
{
    nwpool *pool = pool_of("turns.js", 1);

    // A scope that serves several tasks is closed after a millisecond or so:
    // here, where each takes longer, after every one.
    submit(pool, "leave", text("a"), NULL);
    submit(pool, "leave", text("b"), NULL);
    drain(pool);
    expect_value(call(pool, "take", NULL),
                 "[\"task a\", \"tick a\", \"microtask a\", \"promise a\", "
                 "\"task b\", \"tick b\", \"microtask b\", \"promise b\"]");
    destroy(pool);
}

Test(async, timers_tick_between_tasks)
{
    nwpool *pool = pool_of("turns.js", 1);

    expect_status(call(pool, "startTicking", number(2), NULL)->status, NW_OK);
    eventually(nw_value_get_number(call(pool, "ticks", NULL)->value) >= 5);
    destroy(pool);
}

// Half a second of tasks without a gap.
static void expect_ticks_under_load(const char *function, double argument)
{
    nwpool *pool = pool_of("turns.js", 1);
    static struct outcome outcome;
    uint64_t end_ms;
    double before, ticks;

    expect_status(call(pool, "startTicking", number(2), NULL)->status, NW_OK);
    before = nw_value_get_number(call(pool, "ticks", NULL)->value);
    end_ms = now_ms() + 500;
    while (now_ms() < end_ms) {
        // As many as keep it busy, and not so many that draining takes long.
        if (stats_of(pool).waiting < 50) {
            submit_to(&outcome, pool, function, number(argument), NULL);
        }
        nw_doc_reset(doc);
    }
    ticks = nw_value_get_number(call(pool, "ticks", NULL)->value) - before;
    cr_expect(ticks >= 10, "%s: %f ticks", function, ticks);
    destroy(pool);
}

Test(async, timers_tick_while_the_pool_is_saturated)
{
    expect_ticks_under_load("inc", 1);
    expect_ticks_under_load("busy", 3);
    expect_ticks_under_load("resume", 1);
}

// -- asynchronous tasks among others

Test(async, an_asynchronous_task_ends_before_those_behind_it_begin)
{
    nwpool *pool = pool_of("turns.js", 1);

    submit(pool, "resume", text("a"), NULL);
    submit(pool, "work", text("b"), NULL);
    submit(pool, "resume", text("c"), NULL);
    submit(pool, "resume", text("d"), NULL);
    submit(pool, "work", text("e"), NULL);
    drain(pool);
    expect_value(call(pool, "take", NULL),
                 "[\"begin a\", \"middle a\", \"end a\", \"work b\", "
                 "\"begin c\", \"middle c\", \"end c\", "
                 "\"begin d\", \"middle d\", \"end d\", \"work e\"]");
    destroy(pool);
}

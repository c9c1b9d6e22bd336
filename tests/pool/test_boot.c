// Goal: a module that cannot be loaded ends every task with the reason, then
// refuses new ones; nothing hangs and nothing spins.

#include "tests/pool/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(boot, .init = test_init, .fini = test_fini, .timeout = SUITE_TIMEOUT);

// Tasks that were accepted before the failure was known end with `status` and
// an error that says `part`; later ones are refused.
static const nw_result *expect_no_start(const char *module, uint32_t workers,
                                        nw_status status, const char *part)
{
    static struct outcome outcomes[100];
    nwpool *pool = pool_with(module, workers, 0);
    struct outcome late = {0};
    int accepted = 0;
    const nw_result *result;
    nw_task_id kept = submit(pool, "inc", number(1), NULL);

    memset(outcomes, 0, sizeof(outcomes));
    while (accepted < 100 && submit_to(&outcomes[accepted], pool, "inc",
                                       number(1), NULL) == NW_OK) {
        accepted++;
    }
    result = take(pool, kept);
    expect_failure(result, status, part);
    cr_expect(eq(u32, result->worker, 0));
    drain(pool);
    for (int i = 0; i < accepted; i++) {
        cr_expect(eq(int, outcomes[i].calls, 1));
        expect_status(outcomes[i].status, status);
        expect_says(outcomes[i].message, part);
    }
    expect_status(submit_to(&late, pool, "inc", number(1), NULL), NW_EFAILED);
    cr_expect(eq(u32, stats_of(pool).workers, 0));
    cr_expect(eq(u64, stats_of(pool).failed, accepted + 1));
    expect_status(submit_to(&late, pool, "inc", number(1), NULL), NW_EFAILED);
    destroy(pool);
    cr_expect(eq(int, late.calls, 0));
    return result;
}

Test(boot, a_module_that_throws_fails_every_task_with_its_error)
{
    const nw_result *result = expect_no_start(module_path("throws_at_load.js"),
                                              1, NW_EMODULE, "not today");

    expect_string(result->error->name, "TypeError");
    expect_says(result->error->stack, "throws_at_load.js:1");

    result = expect_no_start(module_path("throws_at_load.mjs"), 2, NW_EMODULE,
                             "not today either");
    expect_says(result->error->stack, "throws_at_load.mjs:2");

    expect_no_start(module_path("rejects_at_load.mjs"), 1, NW_EMODULE,
                    "plain text");
}

Test(boot, a_module_with_a_syntax_error_is_told_with_its_place)
{
    const nw_result *result = expect_no_start(
        module_path("syntax.js"), 2, NW_EMODULE, "Unexpected strict mode");

    expect_string(result->error->name, "SyntaxError");
    expect_says(result->error->stack, "syntax.js:4");

    result = expect_no_start(module_path("syntax.mjs"), 1, NW_EMODULE, "");
    expect_string(result->error->name, "SyntaxError");
    expect_says(result->error->stack, "syntax.mjs");
}

Test(boot, a_module_that_is_not_there_is_named)
{
    expect_no_start(module_path("absent.js"), 1, NW_EMODULE, "absent.js");
    expect_no_start("./absent.js", 1, NW_EMODULE, "absent.js");
    expect_no_start("no-such-package", 2, NW_EMODULE, "no-such-package");
    expect_no_start("/", 1, NW_EMODULE, "");
}

Test(boot, a_module_whose_own_imports_are_missing_names_them)
{
    expect_no_start(module_path("imports_missing.mjs"), 1, NW_EMODULE,
                    "does_not_exist.mjs");
    expect_no_start(module_path("requires_missing.js"), 1, NW_EMODULE,
                    "does_not_exist.js");
}

Test(boot, a_module_that_exits_fails_every_task_with_the_code)
{
    expect_no_start(module_path("exits_at_load.js"), 1, NW_EFAILED, "code 21");
    expect_no_start(module_path("exits_at_load.js"), 2, NW_EFAILED, "code 21");
    expect_no_start(module_path("exits_at_load.mjs"), 1, NW_EFAILED, "code 22");
}

Test(boot, an_exception_beside_the_loading_is_the_reason)
{
    expect_no_start(module_path("throws_beside_load.mjs"), 1, NW_EFAILED,
                    "beside");
}

Test(boot, a_failed_pool_does_not_spin)
{
    nwpool *pool = pool_of("throws_at_load.js", 1);
    struct outcome outcome = {0};
    nwpool_stats stats;

    eventually(submit_to(&outcome, pool, "x", NULL) == NW_EFAILED);
    drain(pool);
    stats = stats_of(pool);
    cr_expect(le(u64, stats.restarts, NW_POOL_BOOT_FAILURES_MAX));
    pause_ms(300);
    cr_expect(eq(u64, stats_of(pool).restarts, stats.restarts));
    destroy(pool);
}

// The host may have gone elsewhere by the time a worker is replaced.
Test(boot, a_replacement_loads_the_same_module)
{
    char directory[] = "/tmp/nwpool-test-XXXXXX";
    nwpool *pool;

    cr_assert(ne(ptr, mkdtemp(directory), NULL));
    cr_assert(eq(int, chdir(NW_TEST_MODULES), 0));
    pool = pool_with("tasks.js", 1, 0);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    cr_assert(eq(int, chdir(directory), 0));
    expect_status(call(pool, "exit", number(1), NULL)->status, NW_ECRASHED);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);

    cr_assert(eq(int, chdir("/"), 0));
    cr_expect(eq(int, rmdir(directory), 0));
}

Test(boot, one_failure_is_none)
{
    char file[] = "/tmp/nwpool-test-XXXXXX";
    nwpool *pool;

    close(mkstemp(file));
    setenv("NW_TEST_FILE", file, 1);
    pool = pool_of("fails_once.js", 1);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    cr_expect(eq(u64, stats_of(pool).restarts, 1));
    cr_expect(eq(int, access(file, F_OK), -1));
    destroy(pool);
}

Test(boot, other_pools_are_not_touched)
{
    nwpool *good = pool_of("tasks.js", 1);
    nwpool *bad = pool_of("throws_at_load.js", 2);
    nwpool *late;

    expect_failure(call(bad, "inc", number(1), NULL), NW_EMODULE, "not today");
    expect_value(call(good, "inc", number(1), NULL), "2");
    late = pool_of("tasks.js", 1);
    destroy(bad);
    expect_value(call(good, "inc", number(2), NULL), "3");
    expect_value(call(late, "inc", number(3), NULL), "4");
    destroy(good);
    destroy(late);
}

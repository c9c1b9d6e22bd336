// Goal: a worker finds what the configured node would find, in whatever host
// program it lives, and loads native addons however that program loaded us.

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/client.h"
#include "tests/runtime/process.h"

TestSuite(modules, .timeout = 60);

// Of an acorn that was found.
static void expect_version(const char *text)
{
    cr_expect(text[0] >= '0' && text[0] <= '9', "%s", text);
}

// Node.js looks beside the program it runs in, and beside /usr/bin it would
// find everything anyway.
static void setup(void)
{
    char path[PATH_MAX] = "";

    cr_assert(gt(long, readlink("/proc/self/exe", path, sizeof(path) - 1), 0));
    cr_assert(strncmp(path, "/usr/", 5) != 0);
    unsetenv("NODE_PATH");
}

static void expect_acorn_in_pool(void)
{
    nwpool *pool = client_pool("tasks.js", 1);
    char *text = client_text(pool, "requireAcorn", 0);

    expect_version(text);
    free(text);
    nwpool_destroy(pool);
}

Test(modules, task_requires_an_installed_package, .init = setup)
{
    expect_acorn_in_pool();
}

Test(modules, worker_from_source_requires_an_installed_package, .init = setup)
{
    struct watch watch;
    nw_worker *worker =
        client_worker(&watch, "require('worker_threads').parentPort"
                              ".postMessage(require('acorn').version)");

    client_await(&watch, NW_WORKER_EXIT, 1);
    expect_version(watch.text);
    nw_worker_destroy(worker);
}

Test(modules, worker_from_file_requires_an_installed_package, .init = setup)
{
    struct watch watch;
    nw_worker *worker =
        client_worker_file(&watch, client_fixture("acorn_worker.js"));

    client_await(&watch, NW_WORKER_EXIT, 1);
    expect_version(watch.text);
    nw_worker_destroy(worker);
}

static void start_with_node(const char *path)
{
    nw_runtime_options options = {
        .struct_size = sizeof(options),
        .node_path = path,
    };

    client_expect("nw_runtime_start", nw_runtime_start(&options), NW_OK);
}

// Where packages are follows from where node would be.
Test(modules, configured_node_need_not_exist, .init = setup)
{
    start_with_node("/usr/bin/there-is-no-such-node");
    expect_acorn_in_pool();
}

Test(modules, configured_node_decides_what_is_found, .init = setup)
{
    nwpool *pool;
    char *text;

    start_with_node("/nonexistent/bin/node");
    pool = client_pool("tasks.js", 1);
    text = client_text(pool, "requireAcorn", 0);
    cr_expect(strncmp(text, "Error MODULE_NOT_FOUND ", 23) == 0, "%s", text);
    free(text);
    nwpool_destroy(pool);
}

Test(modules, exec_path_of_a_task_is_the_configured_node_if_it_exists,
     .init = setup)
{
    nwpool *pool;
    char *text;

    start_with_node("/bin/sh");
    pool = client_pool("tasks.js", 1);
    text = client_text(pool, "execPath", 0);
    cr_expect(eq(str, text, "/bin/sh"));
    free(text);
    nwpool_destroy(pool);
}

Test(modules, native_addon_loads_in_a_worker)
{
    nwpool *pool;
    char *text;

    setenv("RUNTIME_ADDON", RUNTIME_ADDON, 1);
    pool = client_pool("tasks.js", 1);
    text = client_text(pool, "addon", 0);
    cr_expect(eq(str, text, "42"));
    free(text);
    nwpool_destroy(pool);
}

// Where the addon found no Node-API the process would end with status 127.
Test(modules, native_addon_loads_in_a_host_that_opened_us_with_rtld_local)
{
    struct program program = {
        .arguments = {RUNTIME_LOCAL_HOST, RUNTIME_LIBRARY,
                      client_fixture("tasks.js"), "addon"},
    };
    struct outcome outcome;

    setenv("RUNTIME_ADDON", RUNTIME_ADDON, 1);
    outcome = run_program(&program);
    cr_expect(eq(int, outcome.status, 0), "%s", outcome_text(&outcome));
    cr_expect(eq(str, outcome.out, "42\n"));
}

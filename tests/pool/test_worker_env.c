// Goal: a worker has a copy of the environment, a set of its own, or the
// host's itself; and NODE_OPTIONS of the host never acts unless asked to.

#include "tests/pool/ear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ear ear;

static void init(void)
{
    test_init();
    scratch_init();
    ear_init(&ear);
}

static void fini(void)
{
    ear_fini(&ear);
    scratch_fini();
    test_fini();
}

TestSuite(env, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// -- a copy

Test(env, it_is_a_copy_by_default)
{
    setenv("NW_TEST_HOST", "from the host", 1);
    expect_says_so(
        (nw_worker_options){.source = SCRIPT
                            "parentPort.postMessage(process.env.NW_TEST_HOST);"
                            "process.env.NW_TEST_HOST = 'changed';"
                            "process.env.NW_TEST_INSIDE = 'set';"
                            "delete process.env.PATH;"},
        "\"from the host\"");
    expect_string(getenv("NW_TEST_HOST"), "from the host");
    cr_expect(eq(ptr, getenv("NW_TEST_INSIDE"), NULL));
    cr_expect(ne(ptr, getenv("PATH"), NULL));
    // What one worker changed the next one does not see, and what the host
    // changed it does.
    setenv("NW_TEST_HOST", "anew", 1);
    expect_says_so(
        (nw_worker_options){
            .source = SCRIPT
            "parentPort.postMessage([process.env.NW_TEST_HOST,"
            "process.env.NW_TEST_INSIDE, !!process.env.PATH].join())"},
        "\"anew,,true\"");
}

Test(env, what_is_meant_for_another_node_is_hidden)
{
    setenv("NODE_OPTIONS", "--no-warnings", 1);
    setenv("NODE_CHANNEL_FD", "99", 1);
    setenv("NODE_CHANNEL_SERIALIZATION_MODE", "json", 1);
    setenv("NODE_UNIQUE_ID", "1", 1);
    setenv("NODE_V8_COVERAGE", scratch("coverage"), 1);
    expect_says_so(
        (nw_worker_options){.source = SCRIPT
                            "parentPort.postMessage(Object.keys(process.env)"
                            ".filter((k) => /^NODE_(OPTIONS|CHANNEL|UNIQUE|V8)/"
                            ".test(k)).join())"},
        "\"\"");
    expect_string(getenv("NODE_UNIQUE_ID"), "1");
    cr_expect(ne(int, access(scratch("coverage"), F_OK), 0));
}

// -- a set of its own

#define TELL_ALL                                                               \
    SCRIPT "parentPort.postMessage(Object.entries(process.env).sort()"         \
           ".map((e) => e.join('=')).join('|'))"

Test(env, a_set_of_its_own_is_all_there_is)
{
    const char *const some[] = {"B=x=y", "A=1", "EMPTY=", "\u00dc=\u65e5",
                                NULL};
    const char *const none[] = {NULL};

    setenv("NW_TEST_HOST", "from the host", 1);
    expect_says_so((nw_worker_options){.source = TELL_ALL, .env = some},
                   "\"A=1|B=x=y|EMPTY=|\\xc3\\x9c=\\xe6\\x97\\xa5\"");
    expect_says_so((nw_worker_options){.source = TELL_ALL, .env = none},
                   "\"\"");
}

static void expect_bad_env(const char *entry, const char *part)
{
    const char *const set[] = {"GOOD=1", entry, NULL};

    expect_refusal((nw_worker_options){.source = ";", .env = set}, NW_EINVAL,
                   part);
}

Test(env, what_is_no_variable_is_refused)
{
    const char *const set[] = {"A=1", NULL};

    expect_bad_env("NOTHING", "NOTHING");
    expect_bad_env("=value", "=value");
    expect_bad_env("", "env");
    expect_bad_env("A=\xff", "env");
    expect_refusal(
        (nw_worker_options){.source = ";", .env = set, .share_env = true},
        NW_EINVAL, "share_env");
}

// -- the host's own

Test(env, a_shared_one_is_the_hosts_own)
{
    nw_worker *worker;

    setenv("NW_TEST_HOST", "at first", 1);
    worker = worker_with(
        &ear, (nw_worker_options){.source = SCRIPT
                                  "parentPort.on('message', (name) => {"
                                  "  process.env.NW_TEST_INSIDE = 'set';"
                                  "  delete process.env.NW_TEST_GONE;"
                                  "  parentPort.postMessage("
                                  "    String(process.env[name]));"
                                  "});",
                                  .share_env = true});
    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    setenv("NW_TEST_HOST", "later", 1);
    setenv("NW_TEST_GONE", "here", 1);
    expect_status(post(worker, text("NW_TEST_HOST")), NW_OK);
    expect_heard(&ear, 1, NW_WORKER_MESSAGE, "\"later\"");
    cr_assert(ne(ptr, getenv("NW_TEST_INSIDE"), NULL));
    expect_string(getenv("NW_TEST_INSIDE"), "set");
    cr_expect(eq(ptr, getenv("NW_TEST_GONE"), NULL));
    unsetenv("NW_TEST_HOST");
    expect_status(post(worker, text("NW_TEST_HOST")), NW_OK);
    expect_heard(&ear, 2, NW_WORKER_MESSAGE, "\"undefined\"");
    end_worker(worker);
}

// -- NODE_OPTIONS

// A file that writes into `trace` when a Node.js environment loads it, and the
// option that makes one do so.
static const char *traced_option(void)
{
    static char option[4200];
    char script[8192];

    snprintf(script, sizeof(script),
             "require('fs').appendFileSync('%s', "
             "require('worker_threads').threadId + ' ')",
             scratch("trace"));
    snprintf(option, sizeof(option), "--require=%s",
             scratch_file("before.js", script));
    return option;
}

static bool traced(void)
{
    bool there = access(scratch("trace"), F_OK) == 0;

    unlink(scratch("trace"));
    return there;
}

#define NESTED                                                                 \
    SCRIPT "new wt.Worker(';', { eval: true })"                                \
           ".on('exit', () => parentPort.postMessage(1));"

static void expect_no_trace(nw_worker_options options)
{
    options.source = NESTED;
    expect_says_so(options, "1");
    cr_expect(not(traced()));
}

Test(env, node_options_of_the_host_act_nowhere)
{
    const char *const set[] = {"A=1", NULL};
    const char *const arguments[] = {"--no-warnings", NULL};
    nwpool *pool;

    setenv("NODE_OPTIONS", traced_option(), 1);
    expect_no_trace((nw_worker_options){0});
    expect_no_trace((nw_worker_options){.env = set});
    expect_no_trace((nw_worker_options){.exec_argv = arguments});
    expect_no_trace((nw_worker_options){.share_env = true});
    expect_no_trace(
        (nw_worker_options){.share_env = true, .exec_argv = arguments});
    expect_no_trace((nw_worker_options){.env = set, .use_node_options = true});
    pool = pool_of("tasks.js", 1);
    expect_value(call(pool, "inc", number(1), NULL), "2");
    destroy(pool);
    cr_expect(not(traced()));
    expect_string(getenv("NODE_OPTIONS"), traced_option());
}

Test(env, node_options_of_its_own_set_act_only_if_asked_to)
{
    char variable[4300];
    const char *const set[] = {variable, NULL};

    snprintf(variable, sizeof(variable), "NODE_OPTIONS=%s", traced_option());
    expect_says_so(
        (nw_worker_options){.source = SCRIPT "parentPort.postMessage(1)",
                            .env = set},
        "1");
    cr_expect(not(traced()));
    expect_says_so(
        (nw_worker_options){.source = SCRIPT "parentPort.postMessage(1)",
                            .env = set,
                            .use_node_options = true},
        "1");
    cr_expect(traced());
}

Test(env, node_options_of_the_host_act_if_asked_to)
{
    const char *const arguments[] = {"--no-warnings", NULL};
    const char *const plain = SCRIPT "parentPort.postMessage(1)";

    setenv("NODE_OPTIONS", traced_option(), 1);
    expect_says_so(
        (nw_worker_options){.source = plain, .use_node_options = true}, "1");
    cr_expect(traced(), "default environment");
    expect_says_so((nw_worker_options){.source = plain,
                                       .share_env = true,
                                       .use_node_options = true},
                   "1");
    cr_expect(traced(), "shared environment");
    expect_says_so((nw_worker_options){.source = plain,
                                       .exec_argv = arguments,
                                       .use_node_options = true},
                   "1");
    cr_expect(traced(), "with exec_argv");
}

Test(env, node_options_that_do_not_exist_are_named)
{
    const char *const set[] = {"NODE_OPTIONS=--no-such-option", NULL};

    expect_status(nw_runtime_start(NULL), NW_OK);
    expect_refusal((nw_worker_options){.source = ";",
                                       .env = set,
                                       .use_node_options = true},
                   NW_EINVAL, "--no-such-option");
}

// Goal: every option of a worker does what it says, and one that cannot be met
// is refused with a sentence before a thread starts.

#include "tests/pool/ear.h"

#include <fcntl.h>
#include <math.h>
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

TestSuite(options, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// -- where the script is

#define COMMON_JS                                                              \
    "require('worker_threads').parentPort.postMessage(typeof module)"
#define ES_MODULE                                                              \
    "import { parentPort } from 'worker_threads';"                             \
    "await null; parentPort.postMessage(typeof module)"

static void expect_file(const char *file, const char *said)
{
    expect_says_so((nw_worker_options){.file = file}, said);
}

static void expect_url(const char *url, const char *said)
{
    expect_says_so((nw_worker_options){.url = url}, said);
}

Test(options, a_file_may_have_any_name)
{
    expect_file(scratch_file("a b.js", COMMON_JS), "\"object\"");
    expect_file(scratch_file("#1.js", COMMON_JS), "\"object\"");
    expect_file(scratch_file("50%25?.js", COMMON_JS), "\"object\"");
    expect_file(
        scratch_file("gr\u00fc\u00dfe \u65e5\u672c/\u00fc.mjs", ES_MODULE),
        "\"undefined\"");
    expect_file(scratch_file("#1 %41?.mjs", ES_MODULE), "\"undefined\"");
    expect_file(scratch_file("back\\slash'\".js", COMMON_JS), "\"object\"");
}

Test(options, a_file_may_be_relative_to_the_working_directory)
{
    scratch_file("a #.js", COMMON_JS);
    scratch_file("below/b.mjs", ES_MODULE);
    cr_assert(eq(int, chdir(scratch("below")), 0));
    expect_file("./b.mjs", "\"undefined\"");
    expect_file("../a #.js", "\"object\"");
    expect_file("./../below/b.mjs", "\"undefined\"");
}

Test(options, extension_and_package_say_what_kind_of_module_it_is)
{
    scratch_file("package/package.json", "{\"type\": \"module\"}");
    expect_file(scratch_file("package/a.js", ES_MODULE), "\"undefined\"");
    expect_file(scratch_file("package/a.cjs", COMMON_JS), "\"object\"");
    scratch_file("plain/package.json", "{\"type\": \"commonjs\"}");
    expect_file(scratch_file("plain/a.js", COMMON_JS), "\"object\"");
    expect_file(scratch_file("plain/a.mjs", ES_MODULE), "\"undefined\"");
}

Test(options, a_script_may_be_a_url)
{
    char url[8192];

    scratch_file("a b#c%.mjs", ES_MODULE);
    snprintf(url, sizeof(url), "file://%s", scratch("a%20b%23c%25.mjs"));
    expect_url(url, "\"undefined\"");
    snprintf(url, sizeof(url), "file://%s", scratch_file("c.js", COMMON_JS));
    expect_url(url, "\"object\"");
    expect_url("data:text/javascript,import { parentPort } from "
               "'worker_threads'; parentPort.postMessage(typeof module)",
               "\"undefined\"");
    // import { parentPort as p } from 'worker_threads'; p.postMessage(1)
    expect_url(
        "data:text/javascript;base64,"
        "aW1wb3J0IHsgcGFyZW50UG9ydCBhcyBwIH0gZnJvbSAnd29ya2VyX3RocmVhZHMn"
        "OyBwLnBvc3RNZXNzYWdlKDEp",
        "1");
}

Test(options, a_data_url_of_another_kind_is_an_error_of_the_worker)
{
    nw_worker *worker =
        worker_with(&ear, (nw_worker_options){.url = "data:text/plain,1"});

    expect_exit(&ear, 1);
    cr_assert(ne(ptr, (void *)ear_first(&ear, NW_WORKER_ERROR), NULL));
    expect_says(ear_first(&ear, NW_WORKER_ERROR)->text, "text/plain");
    end_worker(worker);
}

Test(options, a_file_that_is_not_there_is_named_in_the_error)
{
    nw_worker *worker =
        worker_with(&ear, (nw_worker_options){.file = scratch("absent #1.js")});

    expect_exit(&ear, 1);
    cr_expect(eq(sz, ear_count(&ear, NW_WORKER_ERROR), 1));
    expect_says(ear_at(&ear, ear.count - 2)->text, "absent #1.js");
    end_worker(worker);
}

static nw_worker_options of(const char *file, const char *source,
                            const char *url)
{
    return (nw_worker_options){.file = file, .source = source, .url = url};
}

// A worker that has been, so that no thread of the library is yet to come.
static void warm_up(void)
{
    struct ear one;

    ear_init(&one);
    end_worker(worker_of(&one, ";"));
    ear_fini(&one);
}

Test(options, a_refusal_says_what_is_wrong_before_a_thread_starts)
{
    warm_up();
    expect_refusal(of(NULL, NULL, NULL), NW_EINVAL, "file");
    expect_refusal(of("./a.js", "1", NULL), NW_EINVAL, "one of");
    expect_refusal(of("./a.js", NULL, "file:///a.js"), NW_EINVAL, "one of");
    expect_refusal(of("", NULL, NULL), NW_EINVAL, "empty");
    expect_refusal(of(NULL, "", NULL), NW_EINVAL, "empty");
    expect_refusal(of(NULL, NULL, ""), NW_EINVAL, "empty");
    expect_refusal(of("bare.js", NULL, NULL), NW_EINVAL, "bare.js");
    expect_refusal(of("below/bare.js", NULL, NULL), NW_EINVAL, "below/bare.js");
    expect_refusal(of("file:///a.js", NULL, NULL), NW_EINVAL, "file:///a.js");
    expect_refusal(of(NULL, NULL, "http://host/a.js"), NW_EINVAL, "http:");
    expect_refusal(of(NULL, NULL, "node:fs"), NW_EINVAL, "node:");
    expect_refusal(of(NULL, NULL, "/a.js"), NW_EINVAL, "/a.js");
    expect_refusal(of(NULL, NULL, "file://host/a.js"), NW_EINVAL, "host");
    expect_refusal(of(NULL, "'\xff'", NULL), NW_EINVAL, "UTF-8");
}

// -- workerData

#define TELL_DATA                                                              \
    SCRIPT "const tell = (v) => require('util').inspect(v, {depth: 9});"       \
           "parentPort.postMessage(tell(workerData));"

static void expect_data(const nw_value *value, const char *said)
{
    expect_says_so(
        (nw_worker_options){.source = TELL_DATA, .worker_data = value}, said);
}

Test(options, worker_data_may_be_any_value)
{
    nw_value *map = nw_value_map(doc);
    nw_value *set = nw_value_set(doc);
    nw_value *self = nw_value_object(doc);
    nw_value *error = nw_value_error(doc, "RangeError", "far");

    nw_map_push(map, nw_value_bigint(doc, 7), nw_value_date(doc, 0));
    nw_set_push(set, nw_value_regexp(doc, "a/b", "gi"));
    nw_object_set(self, "self", self);
    expect_data(NULL, "\"undefined\"");
    expect_data(nw_value_null(doc), "\"null\"");
    expect_data(number(-0.0), "\"-0\"");
    expect_data(text("\u65e5\u672c"), "\"'\\xe6\\x97\\xa5\\xe6\\x9c\\xac'\"");
    expect_data(map, "\"Map(1) { 7n => 1970-01-01T00:00:00.000Z }\"");
    expect_data(set, "\"Set(1) { /a\\x5c/b/gi }\"");
    expect_data(self, "\"<ref *1> { self: [Circular *1] }\"");
    expect_data(list(nw_value_bytes(doc, "\1\2", 2), NULL),
                "\"[ Uint8Array(2) [ 1, 2 ] ]\"");
    nw_error_set_stack(error, "of mine");
    expect_data(error, "\"[of mine]\"");
}

Test(options, what_is_transferred_with_worker_data_moves)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    nw_value *copied = nw_value_array_buffer(doc, "de", 2);
    nw_value *data = list(buffer, copied, NULL);
    const nw_value *transfer[] = {buffer};
    size_t size;

    expect_says_so(
        (nw_worker_options){.source = SCRIPT
                            "parentPort.postMessage(workerData.map("
                            "(b) => Buffer.from(b).toString()).join())",
                            .worker_data = data,
                            .transfer = transfer,
                            .transfer_count = 1},
        "\"abc,de\"");
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(buffer, &size), NULL));
    cr_expect(eq(sz, size, 0));
    cr_expect(ne(ptr, (void *)nw_value_get_bytes(copied, &size), NULL));
}

Test(options, nothing_moves_into_a_worker_that_is_refused)
{
    const char *const bad[] = {"--no-such-option", NULL};
    static struct lender lender; // Outlives the document.
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    nw_value *lent = lend(&lender, 3);
    const nw_value *transfer[] = {buffer};
    size_t size;

    warm_up();
    expect_refusal((nw_worker_options){.source = ";",
                                       .worker_data = list(buffer, lent, NULL),
                                       .transfer = transfer,
                                       .transfer_count = 1,
                                       .exec_argv = bad},
                   NW_EINVAL, "--no-such-option");
    nw_value_get_bytes(buffer, &size);
    cr_expect(eq(sz, size, 3));
    nw_value_get_bytes(lent, &size);
    cr_expect(eq(sz, size, 3));
    cr_expect(eq(int, atomic_load(&lender.released), 0));
}

// -- arguments

#define TELL(what) SCRIPT "parentPort.postMessage(" what ")"

Test(options, argv_is_appended)
{
    const char *const arguments[] = {"one", "--two", "", "dr\u00fcben", NULL};
    const char *const none[] = {NULL};
    const char *const broken[] = {"\xff", NULL};

    expect_says_so(
        (nw_worker_options){.source = TELL("process.argv.slice(2).join('|')"),
                            .argv = arguments},
        "\"one|--two||dr\\xc3\\xbcben\"");
    expect_says_so((nw_worker_options){.source = TELL("process.argv.length"),
                                       .argv = none},
                   "2");
    expect_says_so(
        (nw_worker_options){
            .file =
                scratch_file("a.js", TELL("process.argv[1] === __filename && "
                                          "process.argv[2]")),
            .argv = arguments},
        "\"one\"");
    expect_refusal((nw_worker_options){.source = ";", .argv = broken},
                   NW_EINVAL, "argv");
}

Test(options, exec_argv_holds_for_the_worker_alone)
{
    char option[4200];
    const char *const arguments[] = {option, "--no-deprecation", NULL};

    snprintf(option, sizeof(option), "--require=%s",
             scratch_file("before.js", "globalThis.before = 'loaded'"));
    expect_says_so(
        (nw_worker_options){.source = TELL("[globalThis.before, "
                                           "process.noDeprecation, "
                                           "process.execArgv.length].join()"),
                            .exec_argv = arguments},
        "\"loaded,true,2\"");
    expect_says_so(
        (nw_worker_options){.source = TELL("[globalThis.before, "
                                           "process.noDeprecation, "
                                           "process.execArgv.length].join()")},
        "\",,0\"");
}

static void expect_bad_exec_argv(const char *option)
{
    const char *const arguments[] = {"--no-warnings", option, NULL};

    expect_refusal((nw_worker_options){.source = ";", .exec_argv = arguments},
                   NW_EINVAL, option);
}

Test(options, exec_argv_that_is_not_for_a_worker_is_named)
{
    warm_up();
    expect_bad_exec_argv("--max-old-space-size=10");
    expect_bad_exec_argv("--expose-gc");
    expect_bad_exec_argv("--title=mine");
    expect_bad_exec_argv("--no-such-option");
    expect_bad_exec_argv("--no-such-option=3");
    expect_refusal(
        (nw_worker_options){.source = ";",
                            .exec_argv =
                                (const char *const[]){"nonsense", NULL}},
        NW_EINVAL, "nonsense");
}

Test(options, a_worker_may_have_a_name)
{
    expect_says_so((nw_worker_options){.source = TELL("1"),
                                       .name = "a name, l\u00e4nger als 15"},
                   "1");
    expect_refusal((nw_worker_options){.source = ";", .name = "\xff"},
                   NW_EINVAL, "name");
}

// -- limits

// A worker that waits, with these limits.
static nw_worker *waiting(nw_resource_limits limits)
{
    return worker_with(
        &ear, (nw_worker_options){
                  .source = SCRIPT
                  "parentPort.postMessage(JSON.stringify(wt.resourceLimits));"
                  "parentPort.once('message', () => {})",
                  .limits = limits});
}

static void expect_limits(nw_worker *worker, const char *said)
{
    nw_resource_limits limits;
    char told[256];

    expect_status(nw_worker_get_resource_limits(worker, &limits), NW_OK);
    snprintf(told, sizeof(told),
             "\"{\\x22maxYoungGenerationSizeMb\\x22:%g,"
             "\\x22maxOldGenerationSizeMb\\x22:%g,"
             "\\x22codeRangeSizeMb\\x22:%g,\\x22stackSizeMb\\x22:%g}\"",
             limits.max_young_generation_size_mb,
             limits.max_old_generation_size_mb, limits.code_range_size_mb,
             limits.stack_size_mb);
    expect_string(said, told);
}

Test(options, limits_can_be_read_on_both_sides)
{
    nw_resource_limits limits;
    nw_worker *worker = waiting((nw_resource_limits){
        .max_old_generation_size_mb = 64, .stack_size_mb = 2});

    expect_limits(worker, ear_at(&ear, 1)->text);
    expect_status(nw_worker_get_resource_limits(worker, &limits), NW_OK);
    cr_expect(eq(dbl, limits.max_old_generation_size_mb, 64));
    cr_expect(eq(dbl, limits.stack_size_mb, 2));
    cr_expect(gt(dbl, limits.max_young_generation_size_mb, 0));
    expect_status(post(worker, number(1)), NW_OK);
    expect_exit(&ear, 0);
    expect_status(nw_worker_get_resource_limits(worker, &limits), NW_OK);
    cr_expect(eq(dbl, limits.max_old_generation_size_mb, 0));
    cr_expect(eq(dbl, limits.max_young_generation_size_mb, 0));
    cr_expect(eq(dbl, limits.stack_size_mb, 0));
    end_worker(worker);
}

Test(options, limits_have_defaults)
{
    nw_resource_limits limits;
    nw_worker *worker = waiting((nw_resource_limits){0});

    expect_limits(worker, ear_at(&ear, 1)->text);
    expect_status(nw_worker_get_resource_limits(worker, &limits), NW_OK);
    cr_expect(gt(dbl, limits.max_old_generation_size_mb, 64));
    cr_expect(eq(dbl, limits.stack_size_mb, 4));
    end_worker(worker);
}

Test(options, a_full_heap_ends_the_worker_alone)
{
    struct ear other;
    nw_worker *lives, *dies;

    ear_init(&other);
    lives = worker_of(&other, ECHO_SCRIPT);
    dies = worker_with(
        &ear, (nw_worker_options){
                  .source = "const kept = [];"
                            "for (;;) kept.push({ at: [kept.length] });",
                  .limits = {.max_old_generation_size_mb = 16,
                             .max_young_generation_size_mb = 4}});
    expect_exit(&ear, 1);
    cr_assert(ne(ptr, (void *)ear_first(&ear, NW_WORKER_ERROR), NULL));
    expect_string(ear_first(&ear, NW_WORKER_ERROR)->code,
                  "ERR_WORKER_OUT_OF_MEMORY");
    expect_status(post(lives, number(5)), NW_OK);
    expect_said(&other, "5");
    end_worker(dies);
    end_worker(lives);
    ear_fini(&other);
}

static double depth_with(double stack_mb)
{
    struct ear one;
    nw_worker *worker;
    double depth;

    ear_init(&one);
    worker = worker_with(
        &one, (nw_worker_options){
                  .source = SCRIPT
                  "let depth = 0; const f = () => { depth++; f(); };"
                  "try { f(); } catch {} parentPort.postMessage(depth)",
                  .limits = {.stack_size_mb = stack_mb}});
    depth = strtod(ear_at(&one, 1)->text, NULL);
    end_worker(worker);
    ear_fini(&one);
    return depth;
}

Test(options, a_larger_stack_is_larger)
{
    double small = depth_with(1);

    cr_expect(gt(dbl, small, 1000));
    cr_expect(gt(dbl, depth_with(8), 4 * small));
}

Test(options, limits_that_are_none_are_refused)
{
    expect_refusal(
        (nw_worker_options){.source = ";", .limits = {.stack_size_mb = -1}},
        NW_EINVAL, "stack_size_mb");
    expect_refusal(
        (nw_worker_options){.source = ";",
                            .limits = {.max_old_generation_size_mb = NAN}},
        NW_EINVAL, "max_old_generation_size_mb");
}

// -- descriptors that a script leaves open

static int left_open(bool keep)
{
    struct ear one;
    nw_worker *worker;
    int fd;

    ear_init(&one);
    worker = worker_with(
        &one, (nw_worker_options){.source = SCRIPT
                                  "parentPort.postMessage("
                                  "require('fs').openSync('/dev/null'))",
                                  .keep_unmanaged_fds = keep});
    fd = atoi(ear_at(&one, 1)->text);
    expect_exit(&one, 0);
    end_worker(worker);
    ear_fini(&one);
    return fd;
}

Test(options, descriptors_are_closed_unless_they_are_kept)
{
    char target[64] = "";
    char path[64];
    int fd;

    warm_up();
    fd = left_open(false);
    cr_expect(fcntl(fd, F_GETFD) < 0);
    fd = left_open(true);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    cr_expect(readlink(path, target, sizeof(target) - 1) > 0);
    expect_string(target, "/dev/null");
    close(fd);
}

Test(options, closing_what_was_not_opened_warns_as_in_node)
{
    nw_worker *worker = worker_with(
        &ear, (nw_worker_options){
                  .source = SCRIPT
                  "process.on('warning', (w) => parentPort.postMessage("
                  "w.message.replace(/[0-9]+/, 'N')));"
                  "const fd = require('fs').openSync('/dev/null');"
                  "require('fs').closeSync(workerData);"
                  "require('fs').closeSync(fd);",
                  .worker_data = number(open("/dev/null", O_RDONLY)),
                  .stderr_mode = NW_OUTPUT_EVENT});

    expect_said(
        &ear, "\"File descriptor N closed but not opened in unmanaged mode\"");
    expect_exit(&ear, 0);
    end_worker(worker);
}

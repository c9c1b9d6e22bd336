// Goal: every form of module that Node.js knows can be a pool's, and every
// function it exports, and nothing else, can be a task.

#include "tests/pool/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(functions, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// -- modules

static void expect_form(const char *module, const char *expected)
{
    nwpool *pool = pool_with(module, 1, 0);
    const nw_result *result = call(pool, "form", NULL);

    if (result->status == NW_OK) {
        expect_string(nw_value_get_string(result->value, NULL), expected);
    } else {
        cr_fail("%s: %s", module, result->error->message);
    }
    destroy(pool);
}

Test(functions, commonjs_and_es_modules_of_every_extension_are_loaded)
{
    expect_form(module_path("script.js"), "commonjs");
    expect_form(module_path("script.cjs"), "commonjs");
    expect_form(module_path("module.mjs"), "module");
    expect_form(module_path("esm/index.js"), "module");
}

Test(functions, a_path_may_leave_out_what_require_finds)
{
    expect_form(module_path("script"), "commonjs");
    expect_form(module_path("esm"), "module");
}

Test(functions, a_path_may_be_relative_to_the_working_directory)
{
    cr_assert(eq(int, chdir(NW_TEST_MODULES), 0));

    expect_form("script.js", "commonjs");
    expect_form("./script.js", "commonjs");
    expect_form("../modules/script.js", "commonjs");
    expect_form("esm/index.js", "module");
    cr_assert(eq(int, chdir("esm"), 0));
    expect_form("index.js", "module");
    expect_form("..//script.js", "commonjs");
}

Test(functions, a_path_may_be_any_text)
{
    expect_form(module_path("größe 日本/módulo #1%20?.js"), "unicode");
    expect_form(module_path("größe 日本/módulo #1%20?.mjs"), "unicode module");
}

Test(functions, an_installed_package_is_found_by_its_name)
{
    nwpool *pool = pool_with("acorn", 1, 0);
    const nw_result *result =
        call(pool, "parse", text("let a = 1"), nw_value_object(doc), NULL);

    // A tree of class instances: what C sees is their properties.
    cr_assert(eq(int, result->status, NW_OK), "%s", result->error->message);
    expect_string(
        nw_value_get_string(nw_object_get(result->value, "type"), NULL),
        "Program");
    destroy(pool);
}

Test(functions, a_module_of_node_itself_is_found_by_its_name)
{
    nwpool *pool = pool_with("path", 1, 0);

    expect_value(call(pool, "basename", text("/a/b"), NULL), "\"b\"");
    destroy(pool);

    pool = pool_with("node:path", 1, 0);
    expect_value(call(pool, "basename", text("/a/c"), NULL), "\"c\"");
    destroy(pool);
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    cr_assert(ne(ptr, file, NULL), "%s", path);
    fputs(content, file);
    fclose(file);
}

Test(functions, a_package_beside_the_program_may_be_for_import_alone)
{
    char directory[] = "/tmp/nwpool-test-XXXXXX";
    char command[64];

    cr_assert(ne(ptr, mkdtemp(directory), NULL));
    cr_assert(eq(int, chdir(directory), 0));
    cr_assert(eq(int, mkdir("node_modules", 0700), 0));
    cr_assert(eq(int, mkdir("node_modules/plain", 0700), 0));
    cr_assert(eq(int, mkdir("node_modules/modern", 0700), 0));
    write_file("node_modules/plain/package.json", "{\"main\": \"main.js\"}");
    write_file("node_modules/plain/main.js",
               "exports.form = () => 'plain package'");
    write_file("node_modules/modern/package.json",
               "{\"type\": \"module\","
               " \"exports\": {\"import\": \"./main.js\"}}");
    write_file("node_modules/modern/main.js",
               "export const form = () => 'modern package'");

    expect_form("plain", "plain package");
    expect_form("modern", "modern package");

    snprintf(command, sizeof(command), "rm -r %s", directory);
    cr_expect(eq(int, system(command), 0));
}

Test(functions, commonjs_names_are_not_visible_in_an_es_module)
{
    nwpool *pool = pool_of("module.mjs", 1);

    expect_value(call(pool, "names", NULL),
                 "[\"undefined\", \"undefined\", \"undefined\", "
                 "\"undefined\", \"undefined\"]");
    expect_value(call(pool, "here", NULL), "\"module.mjs\"");
    destroy(pool);

    pool = pool_of("script.js", 1);
    expect_value(call(pool, "names", NULL), "[true, \"function\", \"object\"]");
    destroy(pool);
}

// -- the default export

Test(functions, no_name_means_the_default_export)
{
    struct {
        const char *module;
        const char *product;
    } modules[] = {
        {"module.mjs", "14"},
        {"callable.js", "21"},
        {"transpiled.js", "28"},
    };

    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        nwpool *pool = pool_of(modules[i].module, 1);
        const nw_result *result = call(pool, NULL, number(7), NULL);

        expect_value(result, modules[i].product);
        expect_string(result->function, "default");
        expect_value(call(pool, "default", number(7), NULL),
                     modules[i].product);
        destroy(pool);
    }
}

Test(functions, a_callable_module_has_named_exports_as_well)
{
    nwpool *pool = pool_of("callable.js", 1);

    expect_value(call(pool, "other", NULL), "\"other\"");
    destroy(pool);
}

Test(functions, a_module_without_a_default_says_so)
{
    nwpool *pool = pool_of("script.cjs", 1);
    const nw_result *result = call(pool, NULL, NULL);

    expect_failure(result, NW_EMODULE, "no function \"default\"");
    expect_failure(result, NW_EMODULE, "\"form\"");
    destroy(pool);

    pool = pool_of("empty.js", 1);
    expect_failure(call(pool, NULL, NULL), NW_EMODULE, "no functions at all");
    destroy(pool);
}

// -- names

Test(functions, a_name_may_be_any_text)
{
    nwpool *pool = pool_of("script.js", 1);

    expect_value(call(pool, "größe", NULL), "\"gr\\xc3\\xb6\\xc3\\x9fe\"");
    expect_value(call(pool, "名前", NULL),
                 "\"\\xe5\\x90\\x8d\\xe5\\x89\\x8d\"");
    expect_value(call(pool, "with space", NULL), "\"with space\"");
    destroy(pool);
}

Test(functions, an_unknown_name_fails_and_lists_what_there_is)
{
    nwpool *pool = pool_of("module.mjs", 1);
    const nw_result *result = call(pool, "fom", NULL);

    expect_failure(result, NW_EMODULE, "module.mjs");
    expect_failure(result, NW_EMODULE, "\"fom\"");
    expect_failure(result, NW_EMODULE, "\"form\"");
    expect_failure(result, NW_EMODULE, "\"default\"");
    cr_expect(not(says(result->error->message, "\"number\"")));
    expect_string(result->error->code, "NW_EMODULE");
    expect_string(result->function, "fom");

    // Once more: the worker remembers what it found, not what it missed.
    expect_failure(call(pool, "fom", NULL), NW_EMODULE, "\"fom\"");
    expect_value(call(pool, "form", NULL), "\"module\"");
    destroy(pool);
}

Test(functions, an_export_that_is_no_function_is_no_task)
{
    nwpool *pool = pool_of("script.js", 1);

    expect_failure(call(pool, "text", NULL), NW_EMODULE, "\"text\"");
    expect_failure(call(pool, "nothing", NULL), NW_EMODULE, "\"nothing\"");
    destroy(pool);

    pool = pool_of("module.mjs", 1);
    expect_failure(call(pool, "number", NULL), NW_EMODULE, "\"number\"");
    destroy(pool);

    pool = pool_of("data.json", 1);
    expect_failure(call(pool, "form", NULL), NW_EMODULE, "at all");
    destroy(pool);
}

// What every object has is not what the module exports.
Test(functions, inherited_names_are_no_exports)
{
    const char *const modules[] = {"script.cjs", "callable.js", "module.mjs",
                                   "empty.js"};
    const char *const names[] = {
        "toString",         "constructor",      "__proto__", "valueOf",
        "hasOwnProperty",   "__defineGetter__", "call",      "apply",
        "__lookupSetter__", "prototype",        "bind",
    };

    for (size_t m = 0; m < sizeof(modules) / sizeof(modules[0]); m++) {
        nwpool *pool = pool_of(modules[m], 1);

        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            const nw_result *result = call(pool, names[n], NULL);

            cr_expect(eq(int, result->status, NW_EMODULE), "%s of %s", names[n],
                      modules[m]);
        }
        destroy(pool);
    }
}

Test(functions, a_name_that_every_object_has_can_be_exported)
{
    nwpool *pool = pool_of("script.js", 1);

    expect_value(call(pool, "toString", NULL), "\"my own\"");
    destroy(pool);
}

Test(functions, a_getter_among_the_exports_may_throw)
{
    nwpool *pool = pool_of("class.js", 1);
    const nw_result *result = call(pool, "missing", NULL);

    expect_failure(call(pool, "lazy", NULL), NW_EMODULE,
                   "the lazy export is broken");
    // The list of what there is must not stumble over it.
    expect_failure(result, NW_EMODULE, "no function \"missing\"");
    expect_failure(result, NW_EMODULE, "\"bound\"");
    destroy(pool);
}

Test(functions, a_class_cannot_be_called_and_the_task_says_so)
{
    nwpool *pool = pool_of("class.js", 1);

    expect_failure(call(pool, "Thing", NULL), NW_ETHROWN, "'new'");
    expect_value(call(pool, "bound", number(1), number(3), NULL), "3");
    destroy(pool);
}

Test(functions, the_number_of_names_is_limited)
{
    nwpool *pool = pool_of("script.js", 1);
    struct outcome outcome = {0};
    char name[32];

    for (int i = 0; i < NW_POOL_FUNCTIONS_MAX; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        cr_assert(eq(int, submit_to(&outcome, pool, name, NULL), NW_OK));
    }
    expect_status(submit_to(&outcome, pool, "form", NULL), NW_ELIMIT);
    cr_expect(ne(ptr, strstr(nw_status_detail(), "4096 functions"), NULL));
    drain(pool);
    cr_expect(eq(int, outcome.calls, NW_POOL_FUNCTIONS_MAX));
    expect_status(outcome.status, NW_EMODULE);
    expect_status(submit_to(&outcome, pool, "name7", NULL), NW_OK);
    destroy(pool);
}

// -- arguments

Test(functions, any_number_of_arguments_up_to_the_limit_arrives)
{
    nwpool *pool = pool_of("script.js", 1);
    const nw_value *many[NW_TASK_ARGUMENTS_MAX + 1];
    nw_task_spec spec = {.function = "sum", .arguments = many};
    nw_task_id task;

    for (size_t i = 0; i < NW_TASK_ARGUMENTS_MAX + 1; i++) {
        many[i] = number((double)i);
    }
    for (size_t count = 0; count <= NW_TASK_ARGUMENTS_MAX; count++) {
        const nw_result *result;

        spec.argument_count = count;
        cr_assert(eq(int, submit_spec(pool, spec, &task), NW_OK));
        result = take(pool, task);
        cr_assert(eq(int, result->status, NW_OK));
        // 0 + 1 + ... + (count - 1)
        cr_expect(eq(dbl, nw_value_get_number(result->value),
                     (double)(count * (count > 0 ? count - 1 : 0) / 2)));
    }
    spec.argument_count = NW_TASK_ARGUMENTS_MAX + 1;
    expect_status(submit_spec(pool, spec, &task), NW_EINVAL);
    cr_expect(eq(u64, task.value, 0));
    destroy(pool);
}

Test(functions, no_argument_is_not_undefined)
{
    nwpool *pool = pool_of("script.js", 1);

    expect_value(call(pool, "count", NULL), "0");
    expect_value(call(pool, "count", nw_value_undefined(doc), NULL), "1");
    expect_value(
        call(pool, "count", nw_value_undefined(doc), nw_value_null(doc), NULL),
        "2");
    destroy(pool);
}

// -- ways to give a result

Test(functions, a_promise_and_anything_like_one_is_awaited)
{
    nwpool *pool = pool_of("script.js", 1);

    expect_value(call(pool, "plain", NULL), "1");
    expect_value(call(pool, "later", NULL), "2");
    expect_value(call(pool, "promise", NULL), "3");
    expect_value(call(pool, "thenable", NULL), "4");
    expect_value(call(pool, "slowThenable", NULL), "5");
    expect_value(call(pool, "functionThenable", NULL), "6");
    expect_value(call(pool, "twice", NULL), "7");
    expect_value(call(pool, "notThenable", NULL), "{\"then\": 9}");
    destroy(pool);
}

Test(functions, a_promise_and_anything_like_one_may_fail)
{
    nwpool *pool = pool_of("script.js", 1);

    expect_failure(call(pool, "rejectingThenable", NULL), NW_ETHROWN, "no");
    expect_failure(call(pool, "throwingThen", NULL), NW_ETHROWN, "then threw");
    expect_failure(call(pool, "throwingGetter", NULL), NW_ETHROWN,
                   "the getter threw");
    expect_value(call(pool, "plain", NULL), "1");
    destroy(pool);
}

// -- what is refused at once

Test(functions, wrong_options_are_refused_before_anything_starts)
{
    const char *module = module_path("script.js");
    nwpool_options options = {.struct_size = sizeof(options)};
    nwpool *pool = (nwpool *)&options;
    struct {
        nwpool_options known;
        uint64_t unknown;
    } newer = {0};

    expect_status(nwpool_create(NULL, &options), NW_EINVAL);
    expect_status(nwpool_create(&pool, NULL), NW_EINVAL);
    expect_status(nwpool_create(&pool, &options), NW_EINVAL);
    cr_expect(eq(ptr, pool, NULL));
    options.module = "";
    expect_status(nwpool_create(&pool, &options), NW_EINVAL);
    options.module = module;
    options.workers = NW_POOL_WORKERS_MAX + 1;
    expect_status(nwpool_create(&pool, &options), NW_EINVAL);
    options.workers = 1;
    options.struct_size = 0;
    expect_status(nwpool_create(&pool, &options), NW_EINVAL);
    newer.known = options;
    newer.known.struct_size = sizeof(newer);
    newer.unknown = 1;
    expect_status(nwpool_create(&pool, &newer.known), NW_EINVAL);
    cr_expect(eq(int, (int)nw_runtime_get_state(), (int)NW_RUNTIME_NEW));
}

Test(functions, wrong_tasks_are_refused)
{
    nwpool *pool = pool_of("script.js", 1);
    const nw_value *none[1] = {NULL};
    nw_task_id task;
    nwpool_stats stats;

    expect_status(nwpool_submit(pool, NULL, &task), NW_EINVAL);
    expect_status(nwpool_submit(NULL, &(nw_task_spec){0}, &task), NW_EINVAL);
    expect_status(nwpool_submit(pool, &(nw_task_spec){0}, &task), NW_EINVAL);
    // Neither a callback nor an id: nobody could ever learn of the end.
    expect_status(submit_spec(pool, (nw_task_spec){0}, NULL), NW_EINVAL);
    expect_status(submit_spec(pool, (nw_task_spec){.function = ""}, &task),
                  NW_EINVAL);
    expect_status(submit_spec(pool, (nw_task_spec){.argument_count = 1}, &task),
                  NW_EINVAL);
    cr_expect(submit_spec(
                  pool, (nw_task_spec){.argument_count = 1, .arguments = none},
                  &task) != NW_OK);
    cr_expect(eq(u64, task.value, 0));

    stats = stats_of(pool);
    cr_expect(eq(u64, stats.submitted, 0));
    destroy(pool);
}

Test(functions, a_document_that_failed_is_refused)
{
    nwpool *pool = pool_of("script.js", 1);
    nw_doc *broken = nw_doc_create();
    const nw_value *argument = nw_value_number(broken, 1);
    nw_task_spec spec = {
        .function = "count", .arguments = &argument, .argument_count = 1};
    nw_task_id task;

    nw_value_string(broken, "\xff");
    expect_status(submit_spec(pool, spec, &task), NW_EINVAL);
    nw_doc_destroy(broken);
    destroy(pool);
}

// Goal: whatever a task throws arrives as an error that says where and why,
// and never harms the worker.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

static nwpool *pool;

static void init(void)
{
    test_init();
    pool = pool_of("errors.js", 1);
}

// Every test leaves the worker it began with, in working order.
static void fini(void)
{
    must(call(pool, "fine", NULL)->status == NW_OK, "the worker is damaged");
    must(stats_of(pool).restarts == 0, "the worker was replaced");
    must(nwpool_destroy(pool) == NW_OK, "the pool does not end");
    test_fini();
}

TestSuite(errors, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

static const nw_error *error_of(const char *function, nw_value *argument)
{
    const nw_result *result = argument != NULL
                                  ? call(pool, function, argument, NULL)
                                  : call(pool, function, NULL);

    cr_assert(eq(int, result->status, NW_ETHROWN), "%s: %s", function,
              nw_status_name(result->status));
    cr_expect(eq(u64, result->error->task, result->task.value));
    return result->error;
}

// -- errors

Test(errors, an_error_has_its_class_message_and_stack)
{
    const nw_error *error = error_of("outer", text("out of luck"));

    expect_string(error->name, "TypeError");
    expect_string(error->message, "out of luck");
    expect_says(error->stack, "TypeError: out of luck");
    expect_says(error->stack, "innermost (/");
    expect_says(error->stack, "errors.js:");
    expect_says(error->stack, "at outer (/");
    cr_expect(eq(ptr, (void *)error->code, NULL));
    cr_expect(eq(ptr, (void *)error->cause, NULL));
    cr_expect(eq(ptr, (void *)error->thrown, NULL));
    cr_expect(eq(ptr, (void *)error->properties, NULL));
}

// The call came from C: what lies between is no news to anybody.
static void expect_no_frames_of_ours(const nw_error *error)
{
    cr_expect(not(says(error->stack, "worker eval")), "%s", error->stack);
    cr_expect(not(says(error->stack, "runInAsyncScope")), "%s", error->stack);
    cr_expect(not(says(error->stack, "node:async_hooks")), "%s", error->stack);
    cr_expect(not(says(error->stack, "settle")), "%s", error->stack);
}

Test(errors, a_stack_ends_where_the_users_code_begins)
{
    expect_no_frames_of_ours(error_of("outer", text("x")));
    expect_no_frames_of_ours(error_of("asynchronous", text("x")));
    expect_no_frames_of_ours(error_of("syntax", NULL));
    expect_no_frames_of_ours(error_of("odd", NULL));
    expect_no_frames_of_ours(error_of("cause", NULL)->cause);
}

Test(errors, a_rejection_is_an_error_like_any_other)
{
    const nw_error *error = error_of("asynchronous", text("later"));

    expect_string(error->name, "RangeError");
    expect_string(error->message, "later");
    expect_says(error->stack, "errors.js:");
    expect_says(error->stack, "asynchronous");
}

Test(errors, a_message_is_not_taken_for_a_frame)
{
    const nw_error *error = error_of("tagged", NULL);

    expect_string(error->message, "in [worker eval]: not ours");
    expect_says(error->stack, "errors.js:");
}

Test(errors, an_error_of_the_users_own_keeps_name_and_properties)
{
    const nw_error *error = error_of("odd", NULL);

    expect_string(error->name, "OddError");
    expect_string(error->message, "odd");
    expect_says(error->stack, "odd");
    // Without what cannot be sent: a function.
    cr_assert(eq(sz, nw_value_size(error->properties), 3));
    expect_string(
        nw_value_get_string(nw_object_get(error->properties, "colour"), NULL),
        "red");
    expect_string(nw_test_text(nw_object_get(error->properties, "list")),
                  "[1, {\"two\": 2}]");
    cr_expect(eq(
        dbl, nw_value_get_date(nw_object_get(error->properties, "when")), 0));
}

Test(errors, a_code_is_text_whatever_it_was)
{
    expect_string(error_of("code", text("E_SOME"))->code, "E_SOME");
    expect_string(error_of("code", number(42))->code, "42");
    cr_expect(
        eq(ptr, (void *)error_of("code", nw_value_null(doc))->code, NULL));
    cr_expect(
        eq(ptr, (void *)error_of("code", nw_value_undefined(doc))->code, NULL));
}

Test(errors, a_system_error_says_what_failed)
{
    const nw_error *error = error_of("system", NULL);

    expect_string(error->code, "ENOENT");
    expect_says(error->message, "/does/not/exist");
    expect_string(
        nw_value_get_string(nw_object_get(error->properties, "syscall"), NULL),
        "open");
    cr_expect(eq(dbl,
                 nw_value_get_number(nw_object_get(error->properties, "errno")),
                 -2));
}

Test(errors, causes_form_a_chain)
{
    const nw_error *error = error_of("cause", NULL);

    expect_string(error->message, "the top");
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_string(error->cause->name, "TypeError");
    expect_string(error->cause->message, "the middle");
    cr_assert(ne(ptr, (void *)error->cause->cause, NULL));
    expect_string(error->cause->cause->name, "RangeError");
    expect_string(error->cause->cause->message, "the root");
    expect_string(error->cause->cause->code, "E_ROOT");
    expect_says(error->cause->cause->stack, "errors.js:");
    cr_expect(eq(ptr, (void *)error->cause->cause->cause, NULL));
}

Test(errors, a_cause_may_be_any_value)
{
    const nw_error *error = error_of("plainCause", NULL);

    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_string(error->cause->name, "");
    expect_string(error->cause->message, "only text");
    expect_string(nw_test_text(error->cause->thrown), "\"only text\"");

    error = error_of("undefinedCause", NULL);
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_string(error->cause->message, "undefined");
}

static int chain_length(const nw_error *error)
{
    int length = 0;

    for (; error != NULL; error = error->cause) {
        length++;
    }
    return length;
}

Test(errors, a_chain_of_causes_has_an_end)
{
    const nw_error *error = error_of("deepCause", number(5));
    int length;

    cr_expect(eq(int, chain_length(error), 6));
    error = error_of("deepCause", number(5000));
    expect_string(error->message, "5000");
    expect_string(error->cause->message, "4999");
    length = chain_length(error);
    cr_expect(length >= 16 && length < 5000, "%d", length);
}

Test(errors, an_error_of_another_realm_is_an_error)
{
    const nw_error *error = error_of("otherRealm", NULL);

    expect_string(error->name, "TypeError");
    expect_string(error->message, "from elsewhere");
    cr_expect(eq(ptr, (void *)error->thrown, NULL));
}

Test(errors, an_abort_is_an_error)
{
    const nw_error *error = error_of("abort", NULL);

    expect_string(error->name, "AbortError");
    expect_says(error->message, "aborted");
    expect_string(error->code, "20");
}

Test(errors, running_out_of_stack_is_an_error)
{
    const nw_error *error = error_of("recurse", NULL);

    expect_string(error->name, "RangeError");
    expect_says(error->message, "Maximum call stack size");
}

Test(errors, a_long_message_stays_whole)
{
    const nw_error *error = error_of("long", number(1 << 20));

    cr_expect(eq(sz, strlen(error->message), (size_t)1 << 20));
}

// -- what is no error

static void expect_thrown(const char *source, const char *message,
                          const char *thrown)
{
    const char *const functions[] = {"raise", "raiseLater"};

    for (size_t i = 0; i < 2; i++) {
        const nw_error *error = error_of(functions[i], text(source));

        expect_string(error->name, "");
        expect_string(error->message, message);
        expect_string(error->stack, "");
        expect_string(nw_test_text(error->thrown), thrown);
    }
}

Test(errors, anything_may_be_thrown)
{
    expect_thrown("null", "null", "null");
    expect_thrown("undefined", "undefined", "undefined");
    expect_thrown("0", "0", "0");
    expect_thrown("-0", "0", "-0");
    expect_thrown("5", "5", "5");
    expect_thrown("false", "false", "false");
    expect_thrown("''", "", "\"\"");
    expect_thrown("'text'", "text", "\"text\"");
    expect_thrown("[1, 2]", "1,2", "[1, 2]");
}

Test(errors, a_thrown_object_shows_what_it_holds)
{
    const nw_error *error = error_of("raise", text("({a: 1})"));

    expect_string(error->name, "");
    expect_string(nw_test_text(error->thrown), "{\"a\": 1}");

    error = error_of("raise", text("({message: 'of its own', code: 7})"));
    expect_string(nw_test_text(error->thrown),
                  "{\"message\": \"of its own\", \"code\": 7}");
}

Test(errors, what_cannot_be_sent_is_told_as_text)
{
    const nw_error *error = error_of("raise", text("Symbol('s')"));

    expect_string(error->message, "Symbol(s)");
    expect_string(nw_test_text(error->thrown), "(none)");
    error = error_of("raise", text("() => 5"));
    expect_string(error->message, "() => 5");
    error = error_of("raise", text("10n"));
    expect_string(error->message, "10");
    cr_expect(eq(int, nw_value_type(error->thrown), NW_TYPE_BIGINT));
}

// -- hostile ones

Test(errors, a_hostile_error_is_told_as_far_as_it_lets)
{
    const char *const names[] = {
        "getters",   "proxy",         "revoked",     "circular",
        "types",     "fickle",        "nested",      "prepare",
        "primitive", "nullPrototype", "thrownProxy",
    };
    char function[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(function, sizeof(function), "hostile_%s", names[i]);
        error_of(function, NULL);
        snprintf(function, sizeof(function), "hostileLater_%s", names[i]);
        error_of(function, NULL);
    }
}

Test(errors, an_error_that_is_its_own_cause_is_cut_there)
{
    const nw_error *error = error_of("hostile_circular", NULL);

    expect_string(error->message, "round");
    cr_expect(eq(int, chain_length(error), 1));
    cr_expect(eq(ptr, (void *)error->properties, NULL));
}

Test(errors, an_error_whose_properties_change_keeps_its_message)
{
    expect_string(error_of("hostile_fickle", NULL)->message, "fickle");
}

// -- results that cannot be sent

static void expect_uncloneable(const char *source, const char *part)
{
    const char *const functions[] = {"uncloneable", "uncloneableLater"};

    for (size_t i = 0; i < 2; i++) {
        const nw_result *result = call(pool, functions[i], text(source), NULL);

        cr_expect(eq(int, result->status, NW_ECLONE), "%s: %s", source,
                  nw_status_name(result->status));
        if (result->error != NULL) {
            char name[64];

            snprintf(name, sizeof(name), "the result of %s()", functions[i]);
            expect_says(result->error->message, name);
            expect_says(result->error->message, part);
            expect_string(result->error->code, "NW_ECLONE");
        }
    }
}

Test(errors, a_result_that_cannot_be_cloned_fails_the_task_by_name)
{
    expect_uncloneable("() => 1", "() => 1 could not be cloned");
    expect_uncloneable("({deep: [class A {}]})", "class A {}");
    expect_uncloneable("Symbol('s')", "Symbol(s) could not be cloned");
    expect_uncloneable("[Symbol.iterator]", "could not be cloned");
    expect_uncloneable("new Proxy({}, {})", "could not be cloned");
    expect_uncloneable("new WeakMap()", "could not be cloned");
    expect_uncloneable("new MessageChannel().port1", "transferList");
    expect_uncloneable("({ get a() { throw new Error('sorry') } })", "sorry");
    expect_uncloneable("({ get a() { throw null } })", "null");
    expect_uncloneable("({ get a() { return this.a } })", "call stack");
}

// A text that is cut is not cut within a character.
Test(errors, a_long_reason_stays_readable)
{
    char source[2048];

    for (size_t shift = 0; shift < 4; shift++) {
        size_t size = (size_t)snprintf(source, sizeof(source), "() => '%.*s",
                                       (int)shift, "aaa");

        while (size < 1000) {
            strcpy(source + size, "\U0001F600");
            size += 4;
        }
        strcpy(source + size, "'");
        expect_uncloneable(source, "\U0001F600\U0001F600");
    }
}

Test(errors, a_long_function_name_stays_readable)
{
    char name[NW_FUNCTION_NAME_MAX + 1];
    size_t size = 0;

    for (size_t shift = 0; shift < 4; shift++) {
        const nw_result *result;

        memset(name, 'a', shift);
        for (size = shift; size + 4 < sizeof(name); size += 4) {
            strcpy(name + size, "\U0001F600");
        }
        result = call(pool, name, NULL);
        expect_failure(result, NW_EMODULE, name);
        expect_string(result->function, name);
    }
}

// -- results that are too deep

Test(errors, a_result_that_is_nested_too_deep_is_refused)
{
    const char *source = "let deep = []; for (let i = 0; i < %d; i++) "
                         "{ deep = [deep]; } deep";
    char text_of[128];
    const nw_result *result;

    snprintf(text_of, sizeof(text_of), source, NW_VALUE_DEPTH_MAX - 1);
    result = call(pool, "uncloneable", text(text_of), NULL);
    expect_status(result->status, NW_OK);

    snprintf(text_of, sizeof(text_of), source, NW_VALUE_DEPTH_MAX);
    result = call(pool, "uncloneable", text(text_of), NULL);
    expect_status(result->status, NW_ELIMIT);

    // Deeper than V8's own stack reaches.
    snprintf(text_of, sizeof(text_of), source, 1000000);
    result = call(pool, "uncloneable", text(text_of), NULL);
    expect_status(result->status, NW_ECLONE);
}

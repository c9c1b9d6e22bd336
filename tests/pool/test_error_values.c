// Goal: an Error that is part of a value keeps what it says on its way to C and
// back, at any depth: class, text, code, causes, errors and own properties, each
// on its own.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

static nwpool *pool;

static void init(void)
{
    test_init();
    pool = pool_of("error_values.js", 1);
}

static void fini(void)
{
    must(stats_of(pool).restarts == 0, "the worker was replaced");
    must(nwpool_destroy(pool) == NW_OK, "the pool does not end");
    test_fini();
}

TestSuite(error_values, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

static nw_value *fetch(const char *function)
{
    const nw_result *result = call(pool, function, NULL);

    cr_assert(eq(int, result->status, NW_OK), "%s: %s", function,
              result->error->message);
    return (nw_value *)result->value;
}

static const nw_error *error_in(const nw_value *value)
{
    const nw_error *error = nw_value_get_error(value);

    cr_assert(ne(ptr, (void *)error, NULL));
    return error;
}

static void expect_holds(nw_value *value, const char *function)
{
    const nw_result *result = call(pool, "hold", text(function), value, NULL);

    if (result->status != NW_OK) {
        cr_fail("%s: %s", function, result->error->message);
    }
}

// -- to C

Test(error_values, a_returned_error_is_a_value)
{
    const nw_result *result = call(pool, "plain", text("mild"), NULL);
    const nw_error *error;

    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(eq(int, nw_value_type(result->value), NW_TYPE_ERROR));
    error = error_in(result->value);
    expect_string(error->name, "TypeError");
    expect_string(error->message, "mild");
    expect_says(error->stack, "error_values.js:");
    cr_expect(not(says(error->stack, "worker eval")), "%s", error->stack);
    cr_expect(eq(ptr, (void *)error->code, NULL));
    cr_expect(eq(ptr, (void *)error->cause, NULL));
    cr_expect(eq(ptr, (void *)error->errors, NULL));
    cr_expect(eq(ptr, (void *)error->properties, NULL));
}

static void expect_odd(const nw_error *error, const char *message)
{
    const nw_value *inner;

    expect_string(error->name, "OddError");
    expect_string(error->message, message);
    expect_string(error->code, "E_ODD");
    // Without the function and the one that threw.
    cr_assert(eq(sz, nw_value_size(error->properties), 3));
    expect_string(
        nw_value_get_string(nw_object_get(error->properties, "colour"), NULL),
        "red");
    cr_expect(eq(
        dbl, nw_value_get_date(nw_object_get(error->properties, "when")), 7));
    inner = nw_object_get(nw_object_get(error->properties, "inner"), "error");
    expect_string(error_in(inner)->name, "RangeError");
    expect_string(error_in(inner)->message, "inner");
}

Test(error_values, own_properties_come_each_on_its_own)
{
    const nw_result *thrown = call(pool, "throwsOdd", NULL);

    expect_odd(error_in(fetch("odd")), "odd");
    expect_status(thrown->status, NW_ETHROWN);
    expect_odd(thrown->error, "thrown");
}

Test(error_values, errors_come_from_any_depth)
{
    const nw_value *map = nw_array_get(nw_object_get(fetch("deep"), "list"), 1);

    expect_odd(error_in(nw_set_at(nw_map_get(map, "e"), 0)), "deep");
}

Test(error_values, a_subclass_has_its_name_though_nobody_set_it)
{
    expect_string(error_in(fetch("http"))->name, "HttpError");
}

Test(error_values, an_error_that_stands_twice_is_one)
{
    nw_value *value = fetch("twice");
    const nw_value *first = nw_array_get(value, 0);

    cr_expect(eq(ptr, (void *)first,
                 (void *)nw_object_get(nw_array_get(value, 1), "error")));
    cr_expect(ne(ptr, (void *)first, (void *)nw_array_get(value, 2)));
    expect_holds(value, "(v) => v[0] === v[1].error && v[0] !== v[2]");
}

static void expect_aggregate(const nw_error *error)
{
    expect_string(error->name, "AggregateError");
    expect_string(error->message, "all of them");
    cr_assert(eq(sz, nw_value_size(error->errors), 4));
    expect_string(error_in(nw_array_get(error->errors, 0))->name, "TypeError");
    expect_string(nw_value_get_string(nw_array_get(error->errors, 1), NULL),
                  "second");
    expect_string(error_in(nw_array_get(error->errors, 2))->name, "HttpError");
    expect_string(nw_value_get_string(nw_array_get(error->errors, 3), NULL),
                  "() => 4");
}

Test(error_values, an_aggregate_keeps_its_errors)
{
    const nw_result *thrown = call(pool, "throwsAggregate", NULL);

    expect_aggregate(error_in(fetch("aggregate")));
    expect_status(thrown->status, NW_ETHROWN);
    expect_aggregate(thrown->error);
}

Test(error_values, causes_may_be_errors_and_anything_else)
{
    const nw_error *error = error_in(fetch("causes"));

    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_string(error->cause->name, "RangeError");
    cr_assert(ne(ptr, (void *)error->cause->cause, NULL));
    cr_expect(eq(
        dbl,
        nw_value_get_number(nw_object_get(error->cause->cause->thrown, "code")),
        5));
    error = error_in(fetch("causeWithout"));
    cr_assert(ne(ptr, (void *)error->cause, NULL));
    expect_string(error->cause->message, "() => 'text of it'");
}

Test(error_values, an_error_that_contains_itself_is_cut_there)
{
    const nw_error *error = error_in(nw_array_get(fetch("ownCause"), 0));

    expect_string(error->message, "round");
    cr_expect(eq(ptr, (void *)error->cause, NULL));
    expect_string(nw_test_text(error->properties),
                  "{\"more\": {\"error\": undefined, \"kept\": 1}}");
}

Test(error_values, an_error_may_lead_back_to_what_holds_it)
{
    expect_holds(fetch("inRequest"), "(v) => v.failures[0] === v.failures[1] &&"
                                     " v.failures[0].request === v");
}

Test(error_values, an_error_of_another_realm_is_an_error)
{
    expect_string(error_in(nw_array_get(fetch("realm"), 0))->name, "TypeError");
}

Test(error_values, what_stands_beside_an_error_is_as_it_was)
{
    expect_holds(fetch("structure"),
                 "(v) => v.self === v && v.again === v.array &&"
                 " v.array.length === 3 && !(1 in v.array) &&"
                 " v.array.name === 'n' && v.array[2] instanceof Error &&"
                 " v.date.getTime() === 3 && v.pattern.flags === 'g' &&"
                 " v.bytes[1] === 2 && v.map.get(v.array) === v.array &&"
                 " Object.getOwnPropertyDescriptor(v, '__proto__')"
                 ".value.message === 'odd key'");
}

// Once to see that there is an error, once to copy.
Test(error_values, getters_run_at_most_twice)
{
    nw_value *value = fetch("getter");
    const nw_result *result = call(pool, "reads", NULL);

    cr_expect(nw_value_get_number(result->value) <= 2);
    cr_expect(eq(dbl, nw_value_get_number(nw_object_get(value, "value")),
                 nw_value_get_number(result->value)));
}

// Once exponential: each of them leads to all the others.
Test(error_values, many_errors_that_know_each_other_take_no_time)
{
    const nw_result *result = call(pool, "mutual", number(40), NULL);

    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(eq(sz, nw_value_size(result->value), 40));
}

Test(error_values, what_cannot_be_cloned_beside_an_error_fails_as_ever)
{
    const struct {
        const char *function;
        const char *part;
    } cases[] = {
        {"hostile_getterBeside", "sorry"},
        {"hostile_function", "could not be cloned"},
        {"hostile_proxy", "could not be cloned"},
        {"hostile_weak", "could not be cloned"},
        {"hostile_deep", "call stack"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_failure(call(pool, cases[i].function, NULL), NW_ECLONE,
                       cases[i].part);
    }
}

// -- to JavaScript

Test(error_values, an_error_of_c_is_of_its_class)
{
    const char *const names[] = {"Error",       "TypeError",      "RangeError",
                                 "SyntaxError", "ReferenceError", "EvalError",
                                 "URIError",    "AggregateError"};
    char source[512];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(source, sizeof(source),
                 "(e) => e instanceof %s && e.constructor === %s &&"
                 " e.name === '%s' && !Object.hasOwn(e, 'name') &&"
                 " e.message === 'told' && e.stack === '%s: told' &&"
                 " Object.keys(e).length === 0 && !Object.hasOwn(e, 'cause')",
                 names[i], names[i], names[i], names[i]);
        expect_holds(nw_value_error(doc, names[i], "told"), source);
    }
    expect_holds(nw_value_error(doc, "HttpError", "x"),
                 "(e) => e.constructor === Error && e.name === 'HttpError' &&"
                 " Object.keys(e).length === 0 &&"
                 " String(e) === 'HttpError: x'");
    expect_holds(nw_value_error(doc, "AggregateError", "x"),
                 "(e) => Array.isArray(e.errors) && e.errors.length === 0");
}

Test(error_values, an_error_of_c_has_all_that_was_set)
{
    nw_value *error = nw_value_error(doc, "AggregateError", "top");
    nw_value *cause = nw_value_error(doc, "RangeError", "below");

    nw_error_set_stack(error, "AggregateError: top\n    at somewhere");
    nw_error_set_code(error, "E_TOP");
    nw_error_set_cause(error, cause);
    nw_error_set_errors(error, list(cause, number(5), NULL));
    nw_error_set_property(error, "colour", text("red"));
    cr_assert(eq(int, nw_doc_status(doc), NW_OK));
    expect_holds(list(error, cause, NULL),
                 "([e, c]) => e instanceof AggregateError &&"
                 " e.stack.endsWith('at somewhere') && e.code === 'E_TOP' &&"
                 " e.cause === c && c instanceof RangeError &&"
                 " Array.isArray(e.errors) && e.errors[0] === c &&"
                 " e.errors[1] === 5 && e.colour === 'red' &&"
                 " Object.keys(e).sort().join() === 'code,colour' &&"
                 " ['message', 'stack', 'cause', 'errors'].every((key) =>"
                 " !Object.getOwnPropertyDescriptor(e, key).enumerable)");
}

Test(error_values, an_error_returns_as_it_was)
{
    expect_odd(error_in(call(pool, "echo", fetch("odd"), NULL)->value), "odd");
    expect_aggregate(
        error_in(call(pool, "echo", fetch("aggregate"), NULL)->value));
}

// V8 would end the process.
Test(error_values, making_an_error_runs_no_code_of_the_user)
{
    call(pool, "arm", NULL);
    expect_value(
        call(pool, "message", nw_value_error(doc, "TypeError", "safe"), NULL),
        "\"safe\"");
    expect_value(call(pool, "message",
                      nw_value_error(doc, "AggregateError", "too"), NULL),
                 "\"too\"");
    call(pool, "disarm", NULL);
}

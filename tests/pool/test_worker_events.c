// Goal: a worker says in order what became of it: that it runs, what it posts,
// what went wrong with all that belongs to an error, and how it ended.

#include "tests/pool/ear.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

static struct ear ear;

static void init(void)
{
    test_init();
    ear_init(&ear);
}

static void fini(void)
{
    ear_fini(&ear);
    test_fini();
}

TestSuite(events, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

// The worker must have ended. Everything about a short life at once.
static void run(const char *source)
{
    nw_worker *worker;

    ear_fini(&ear);
    ear_init(&ear);
    worker = worker_of(&ear, source);
    ear_end(&ear);
    end_worker(worker);
}

// -- order

Test(events, online_is_first_and_exit_last)
{
    run(SCRIPT "for (let i = 0; i < 10; i++) parentPort.postMessage(i);"
               "throw new Error('last words')");
    cr_assert(eq(sz, ear.count, 13));
    cr_expect(eq(int, ear.heard[0].type, NW_WORKER_ONLINE));
    cr_expect(eq(int, ear.heard[12].type, NW_WORKER_EXIT));
    cr_expect(eq(sz, ear_count(&ear, NW_WORKER_MESSAGE), 10));
    cr_expect(eq(sz, ear_count(&ear, NW_WORKER_ERROR), 1));
    cr_expect(eq(sz, ear_count(&ear, NW_WORKER_ONLINE), 1));
}

Test(events, all_messages_come_before_the_exit)
{
    run(SCRIPT "for (let i = 0; i < 5000; i++) parentPort.postMessage(i);"
               "process.exit(0)");
    cr_expect(eq(sz, ear.messages, 5000));
    run(SCRIPT "process.on('exit', () => parentPort.postMessage('bye'))");
    cr_expect(eq(sz, ear.messages, 1));
}

// -- exit codes

static void expect_code(const char *source, int code, size_t errors)
{
    run(source);
    cr_expect(eq(int, ear.exit_code, code), "%s", source);
    cr_expect(eq(sz, ear_count(&ear, NW_WORKER_ERROR), errors), "%s", source);
}

Test(events, exit_codes_are_nodes)
{
    expect_code(";", 0, 0);
    expect_code("setTimeout(() => {}, 1)", 0, 0);
    expect_code("process.exit(7)", 7, 0);
    expect_code("process.exit()", 0, 0);
    expect_code("process.exitCode = 9", 9, 0);
    expect_code("setTimeout(() => process.exit(8), 1)", 8, 0);
    expect_code("process.on('exit', () => { process.exitCode = 5 })", 5, 0);
    expect_code("throw 1", 1, 1);
    expect_code("Promise.reject(new Error('unhandled'))", 1, 1);
    expect_code("process.on('uncaughtException', () => process.exit(6));"
                "throw 1",
                6, 0);
    expect_code("process.on('uncaughtException', () => {}); throw 1", 0, 0);
}

Test(events, what_a_worker_may_not_do_throws_inside)
{
    run(SCRIPT "const code = (f) => { try { f() } catch (e) { return e.code }"
               "};"
               "parentPort.postMessage(["
               "  () => process.chdir('/'), () => process.abort(),"
               "  () => process.setuid(1), () => process.umask(0)"
               "].map(code).every((c) => c === "
               "'ERR_WORKER_UNSUPPORTED_OPERATION'))");
    expect_string(ear.heard[1].text, "true");
    cr_expect(eq(int, ear.exit_code, 0));
}

// -- errors

static const struct heard *error_of(const char *source)
{
    const struct heard *error;

    run(source);
    cr_expect(eq(int, ear.exit_code, 1), "%s", source);
    cr_assert(eq(sz, ear_count(&ear, NW_WORKER_ERROR), 1), "%s", source);
    error = ear_first(&ear, NW_WORKER_ERROR);
    return error;
}

#define HTTP_ERROR                                                             \
    "class HttpError extends Error {"                                          \
    "  constructor(status, message, options) {"                                \
    "    super(message, options);"                                             \
    "    this.status = status; this.code = 'E_HTTP';"                          \
    "    this.headers = { retry: [1, 2] };"                                    \
    "  }"                                                                      \
    "}"                                                                        \
    "const error = new HttpError(503, 'unavailable', {"                        \
    "  cause: new TypeError('no route') });"

static void expect_http_error(const struct heard *error)
{
    expect_string(error->name, "HttpError");
    expect_string(error->text, "unavailable");
    expect_string(error->code, "E_HTTP");
    expect_string(error->cause, "no route");
    expect_says(error->properties, "\"status\": 503");
    expect_says(error->properties, "\"headers\": {\"retry\": [1, 2]}");
}

Test(events, an_uncaught_error_keeps_what_it_is)
{
    expect_http_error(error_of(HTTP_ERROR "throw error"));
    expect_http_error(error_of(HTTP_ERROR "Promise.reject(error)"));
    expect_http_error(
        error_of(HTTP_ERROR "setImmediate(() => { throw error })"));
    expect_http_error(error_of(HTTP_ERROR SCRIPT
                               "parentPort.on('message', () => {});"
                               "process.nextTick(() => { throw error })"));
}

Test(events, whatever_is_thrown_is_told)
{
    expect_string(error_of("throw 'a string'")->text, "a string");
    expect_string(error_of("throw null")->text, "null");
    expect_string(error_of("throw { toString() { throw 1 } }")->name, "");
    expect_string(error_of("let let = 1")->name, "SyntaxError");
    expect_says(error_of("require('no-such-package')")->code,
                "MODULE_NOT_FOUND");
    expect_string(error_of("function f() { f() } f()")->name, "RangeError");
    expect_string(
        error_of("throw Object.defineProperty(new Error('x'), 'stack', "
                 "{ get() { throw 2 } })")
            ->text,
        "x");
    // Something of an error that cannot be cloned is left out.
    expect_string(error_of("const e = new Error('with'); e.f = () => {};"
                           "e.n = 1; throw e")
                      ->text,
                  "with");
    expect_says(ear_first(&ear, NW_WORKER_ERROR)->properties, "\"n\": 1");
}

struct stack {
    char text[4096];
    atomic_bool over;
};

static void keep_stack(const nw_worker_event *event, void *user_data)
{
    struct stack *stack = user_data;

    if (event->type == NW_WORKER_ERROR) {
        snprintf(stack->text, sizeof(stack->text), "%s", event->error->stack);
    }
    atomic_store(&stack->over, event->type == NW_WORKER_EXIT);
}

Test(events, an_error_has_its_stack_and_no_frame_of_ours)
{
    struct stack stack = {.text = ""};
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "function inner() { throw new Error('deep') }\ninner();",
        .on_event = keep_stack,
        .user_data = &stack,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    eventually(atomic_load(&stack.over));
    expect_says(stack.text, "Error: deep");
    expect_says(stack.text, "at inner");
    end_worker(worker);
}

// -- messages that cannot be read

#define NEST                                                                   \
    "const nest = (n) => { let v = 0; while (n-- > 0) v = [v]; return v };"

Test(events, a_message_too_deep_for_c_is_told_and_the_next_ones_arrive)
{
    nw_worker *worker =
        worker_of(&ear, SCRIPT NEST "parentPort.postMessage(nest(2000));"
                                    "parentPort.postMessage('next');"
                                    "parentPort.once('message', () => {})");

    expect_heard(&ear, 0, NW_WORKER_ONLINE, "");
    cr_expect(eq(int, ear_at(&ear, 1)->type, NW_WORKER_MESSAGE_ERROR));
    cr_expect(ne(str, (char *)ear_at(&ear, 1)->text, ""));
    expect_heard(&ear, 2, NW_WORKER_MESSAGE, "\"next\"");
    expect_status(post(worker, number(1)), NW_OK);
    expect_exit(&ear, 0);
    end_worker(worker);
}

Test(events, a_message_too_deep_is_refused_and_the_next_ones_arrive)
{
    nw_value *nested = list(number(0), NULL);
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);

    for (int i = 0; i < NW_VALUE_DEPTH_MAX + 1; i++) {
        nested = list(nested, NULL);
    }
    expect_status(post(worker, nested), NW_ELIMIT);
    cr_expect(ne(str, (char *)nw_status_detail(), ""));
    expect_status(post(worker, text("next")), NW_OK);
    expect_said(&ear, "\"next\"");
    end_worker(worker);
}

Test(events, what_cannot_be_cloned_throws_inside)
{
    run(SCRIPT "try { parentPort.postMessage(() => {}) } catch (e) {"
               "  parentPort.postMessage(e.name) }");
    expect_string(ear.heard[1].text, "\"DataCloneError\"");
}

// Goal: a C function can be what a worker runs: it has require, import, its
// data and its port, leaves things behind that go on being called, and ends as
// a script ends.

#include <node_api.h>

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

#include <nwpool/function.h>
#include <nwpool/inbox.h>

#include "tests/unit/support.h"

// -- a worker whose events come to this thread

#define MESSAGES_MAX 8

static struct {
    nw_inbox *inbox;
    nw_worker *worker;
    char messages[MESSAGES_MAX][256];
    size_t count;
    char error[256];
    int exit_code;
    int exits;
} ear;

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == NW_WORKER_MESSAGE && ear.count < MESSAGES_MAX) {
        snprintf(ear.messages[ear.count++], sizeof(ear.messages[0]), "%s",
                 nw_test_text(event->value));
    } else if (event->type == NW_WORKER_ERROR) {
        snprintf(ear.error, sizeof(ear.error), "%s", event->error->message);
    } else if (event->type == NW_WORKER_EXIT) {
        ear.exit_code = event->exit_code;
        ear.exits++;
    }
}

static void setup(void)
{
    test_init();
    cr_assert(eq(int, nw_inbox_create(&ear.inbox), NW_OK));
}

static void teardown(void)
{
    must(nw_worker_destroy(ear.worker) == NW_OK, "the worker is stuck");
    must(nw_inbox_destroy(ear.inbox) == NW_OK, "the inbox is in use");
    test_fini();
}

TestSuite(body, .init = setup, .fini = teardown, .timeout = SUITE_TIMEOUT);

static void start_with(nw_worker_body_cb *body, void *user_data,
                       const nw_value *data)
{
    const nw_worker_options options = {
        .struct_size = sizeof(options),
        .body = body,
        .user_data = user_data,
        .on_event = on_event,
        .inbox = ear.inbox,
        .worker_data = data,
    };

    cr_assert(eq(int, nw_worker_create(&ear.worker, &options), NW_OK), "%s",
              nw_status_detail());
}

static void start(nw_worker_body_cb *body)
{
    start_with(body, NULL, NULL);
}

static void run_to_the_end(void)
{
    expect_status(nw_inbox_run(ear.inbox, DEADLINE_MS), NW_OK);
    cr_expect(eq(int, ear.exits, 1));
}

// -- what bodies do, by Node-API

static napi_value string(napi_env env, const char *chars)
{
    napi_value value = NULL;

    napi_create_string_utf8(env, chars, NAPI_AUTO_LENGTH, &value);
    return value;
}

static napi_value get(napi_env env, napi_value object, const char *key)
{
    napi_value value = NULL;

    napi_get_named_property(env, object, key, &value);
    return value;
}

static napi_value global(napi_env env, const char *key)
{
    napi_value object;

    napi_get_global(env, &object);
    return get(env, object, key);
}

// Calls a method with up to two arguments.
static napi_value method(napi_env env, napi_value object, const char *name,
                         napi_value first, napi_value second)
{
    napi_value arguments[] = {first, second};
    size_t count = first == NULL ? 0 : second == NULL ? 1 : 2;
    napi_value result = NULL;

    napi_call_function(env, object, get(env, object, name), count, arguments,
                       &result);
    return result;
}

static napi_value require(const nw_body *body, const char *specifier)
{
    napi_value argument = string(body->env, specifier);
    napi_value receiver, result = NULL;

    napi_get_undefined(body->env, &receiver);
    napi_call_function(body->env, receiver, body->require, 1, &argument,
                       &result);
    return result;
}

static napi_value function(napi_env env, napi_callback callback, void *data)
{
    napi_value value = NULL;

    napi_create_function(env, NULL, 0, callback, data, &value);
    return value;
}

// Data of a callback that posts: it must not need the body's handles.
static napi_ref port_reference;

static void keep_port(const nw_body *body)
{
    napi_create_reference(body->env, body->parent_port, 1, &port_reference);
}

static void post_kept(napi_env env, napi_value value)
{
    napi_value port;

    napi_get_reference_value(env, port_reference, &port);
    method(env, port, "postMessage", value, NULL);
}

// -- tests

static void post_everything(const nw_body *body, void *user_data)
{
    napi_env env = body->env;
    napi_value array, number;

    napi_create_array(env, &array);
    napi_set_element(env, array, 0, body->worker_data);
    napi_create_uint32(env, body->worker, &number);
    napi_set_element(env, array, 1, number);
    napi_set_element(env, array, 2, string(env, user_data));
    napi_get_boolean(env, nw_is_main_thread(), &number);
    napi_set_element(env, array, 3, number);
    napi_create_int64(env, nw_thread_id(), &number);
    napi_set_element(env, array, 4,
                     get(env, require(body, "worker_threads"), "threadId"));
    napi_set_element(env, array, 5, number);
    method(env, body->parent_port, "postMessage", array, NULL);
}

Test(body, gets_its_data_its_number_and_its_port)
{
    nw_value *data = nw_value_object(doc);

    nw_object_set(data, "a", number(1));
    start_with(post_everything, (char *)"user data", data);
    run_to_the_end();
    expect_string(ear.messages[0],
                  "[{\"a\": 1}, 1, \"user data\", false, 1, 1]");
    cr_expect(eq(int, ear.exit_code, 0));
}

static napi_value on_imported(napi_env env, napi_callback_info info)
{
    napi_value namespace;
    size_t count = 1;

    napi_get_cb_info(env, info, &count, &namespace, NULL, NULL);
    post_kept(env,
              method(env, namespace, "basename", string(env, "/a/b.js"), NULL));
    return NULL;
}

static void use_modules(const nw_body *body, void *user_data)
{
    napi_env env = body->env;
    napi_value path = require(body, "path");
    napi_value specifier = string(env, "node:path");
    napi_value receiver, promise;

    (void)user_data;
    keep_port(body);
    post_kept(env, method(env, path, "dirname", string(env, "/a/b.js"), NULL));
    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, body->import, 1, &specifier, &promise);
    method(env, promise, "then", function(env, on_imported, NULL), NULL);
}

Test(body, requires_and_imports_modules)
{
    start(use_modules);
    run_to_the_end();
    expect_string(ear.messages[0], "\"/a\"");
    expect_string(ear.messages[1], "\"b.js\"");
    cr_expect(eq(int, ear.exit_code, 0));
}

static napi_value on_timer(napi_env env, napi_callback_info info)
{
    (void)info;
    post_kept(env, string(env, "timer"));
    return NULL;
}

static void set_timer(const nw_body *body, void *user_data)
{
    napi_env env = body->env;
    napi_value set_timeout = global(env, "setTimeout");
    napi_value arguments[2] = {function(env, on_timer, NULL)};
    napi_value receiver, result;

    (void)user_data;
    keep_port(body);
    napi_create_uint32(env, 20, &arguments[1]);
    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, set_timeout, 2, arguments, &result);
    post_kept(env, string(env, "returns"));
}

Test(body, leaves_timers_that_fire_after_it_returned)
{
    start(set_timer);
    run_to_the_end();
    expect_string(ear.messages[0], "\"returns\"");
    expect_string(ear.messages[1], "\"timer\"");
    cr_expect(eq(int, ear.exit_code, 0));
}

// Echoes until it gets null; then it closes the port.
static napi_value on_message(napi_env env, napi_callback_info info)
{
    napi_value value, port;
    napi_valuetype type;
    size_t count = 1;

    napi_get_cb_info(env, info, &count, &value, NULL, NULL);
    napi_typeof(env, value, &type);
    if (type == napi_null) {
        napi_get_reference_value(env, port_reference, &port);
        method(env, port, "close", NULL, NULL);
    } else {
        post_kept(env, value);
    }
    return NULL;
}

static void listen_and_echo(const nw_body *body, void *user_data)
{
    (void)user_data;
    keep_port(body);
    method(body->env, body->parent_port, "on", string(body->env, "message"),
           function(body->env, on_message, NULL));
}

Test(body, listens_to_its_port)
{
    start(listen_and_echo);
    expect_status(nw_worker_post(ear.worker, number(1), NULL, 0), NW_OK);
    expect_status(nw_worker_post(ear.worker, text("two"), NULL, 0), NW_OK);
    expect_status(nw_worker_post(ear.worker, nw_value_null(doc), NULL, 0),
                  NW_OK);
    run_to_the_end();
    cr_expect(eq(sz, ear.count, 2));
    expect_string(ear.messages[0], "1");
    expect_string(ear.messages[1], "\"two\"");
    cr_expect(eq(int, ear.exit_code, 0));
}

Test(body, is_terminated_while_its_loop_runs)
{
    start(listen_and_echo);
    expect_status(nw_worker_post(ear.worker, number(1), NULL, 0), NW_OK);
    while (ear.count == 0) {
        cr_assert(eq(int, nw_inbox_poll(ear.inbox, DEADLINE_MS), NW_OK));
    }
    expect_status(nw_worker_terminate(ear.worker), NW_OK);
    run_to_the_end();
    cr_expect(eq(int, ear.exit_code, 1));
    expect_string(ear.error, "");
}

static void throw_type_error(const nw_body *body, void *user_data)
{
    (void)user_data;
    napi_throw_type_error(body->env, "EBODY", "thrown by the body");
}

Test(body, an_exception_that_it_leaves_is_an_error_of_the_worker)
{
    start(throw_type_error);
    run_to_the_end();
    expect_string(ear.error, "thrown by the body");
    cr_expect(eq(int, ear.exit_code, 1));
}

static void exit_three(const nw_body *body, void *user_data)
{
    napi_value code;

    (void)user_data;
    napi_create_uint32(body->env, 3, &code);
    method(body->env, global(body->env, "process"), "exit", code, NULL);
}

Test(body, may_exit)
{
    start(exit_three);
    run_to_the_end();
    cr_expect(eq(int, ear.exit_code, 3));
    expect_string(ear.error, "");
}

// What an addon would do: the environment's instance data is the body's.
static void use_instance_data(const nw_body *body, void *user_data)
{
    static int mine;
    void *found = &mine;

    (void)user_data;
    napi_get_instance_data(body->env, &found);
    cr_assert(eq(ptr, found, NULL));
    napi_set_instance_data(body->env, &mine, NULL, NULL);
    keep_port(body);
    post_kept(body->env,
              get(body->env, global(body->env, "nwpool"), "transfer") != NULL
                  ? string(body->env, "fine")
                  : string(body->env, "gone"));
    napi_get_instance_data(body->env, &found);
    cr_assert(eq(ptr, found, &mine));
}

Test(body, owns_the_instance_data_of_its_environment)
{
    start(use_instance_data);
    run_to_the_end();
    expect_string(ear.messages[0], "\"fine\"");
    cr_expect(eq(int, ear.exit_code, 0));
}

static nw_value *double_it(const nw_call *call, void *user_data)
{
    (void)user_data;
    return nw_value_number(call->doc,
                           2 * nw_value_get_number(call->arguments[0]));
}

static void call_c(const nw_body *body, void *user_data)
{
    napi_value functions =
        get(body->env, global(body->env, "nwpool"), "functions");
    napi_value argument;

    (void)user_data;
    napi_create_uint32(body->env, 21, &argument);
    method(body->env, body->parent_port, "postMessage",
           method(body->env, functions, "double", argument, NULL), NULL);
}

Test(body, calls_C_functions_as_scripts_do)
{
    const nw_function_options options = {
        .struct_size = sizeof(options),
        .function = double_it,
    };

    expect_status(nw_function_register("double", &options), NW_OK);
    start(call_c);
    run_to_the_end();
    expect_string(ear.messages[0], "42");
    expect_status(nw_function_unregister("double"), NW_OK);
}

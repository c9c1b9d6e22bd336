// A worker whose body is a C function: it compresses what it is sent with
// Node's own zlib, until it is told to stop.

#include <node_api.h>

#include <stdio.h>

#include <nwpool/function.h>
#include <nwpool/worker.h>

// Enough for an example; real code looks at what napi functions return.
static napi_value get(napi_env env, napi_value object, const char *key)
{
    napi_value value = NULL;

    napi_get_named_property(env, object, key, &value);
    return value;
}

static napi_value call(napi_env env, napi_value object, const char *name,
                       size_t count, const napi_value *arguments)
{
    napi_value result = NULL;

    napi_call_function(env, object, get(env, object, name), count, arguments,
                       &result);
    return result;
}

static napi_value text(napi_env env, const char *chars)
{
    napi_value value = NULL;

    napi_create_string_utf8(env, chars, NAPI_AUTO_LENGTH, &value);
    return value;
}

// parentPort.on('message', ...), with parentPort as `this`.
static napi_value on_message(napi_env env, napi_callback_info info)
{
    napi_ref *zlib = NULL;
    napi_value value, port, module;
    napi_valuetype type;
    size_t count = 1;

    napi_get_cb_info(env, info, &count, &value, &port, (void **)&zlib);
    napi_typeof(env, value, &type);
    if (type == napi_null) {
        call(env, port, "close", 0, NULL);
        return NULL;
    }
    napi_get_reference_value(env, *zlib, &module);
    value = call(env, module, "deflateSync", 1, &value);
    return call(env, port, "postMessage", 1, &value);
}

static void body(const nw_body *given, void *user_data)
{
    napi_ref *zlib = user_data;
    napi_env env = given->env;
    napi_value name = text(env, "zlib");
    napi_value module, receiver, arguments[2];

    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, given->require, 1, &name, &module);
    napi_create_reference(env, module, 1, zlib);
    arguments[0] = text(env, "message");
    napi_create_function(env, NULL, 0, on_message, zlib, &arguments[1]);
    call(env, given->parent_port, "on", 2, arguments);
}

static void on_event(const nw_worker_event *event, void *user_data)
{
    size_t size;

    (void)user_data;
    if (event->type == NW_WORKER_MESSAGE) {
        nw_value_get_bytes(event->value, &size);
        printf("compressed to %zu bytes\n", size);
    } else if (event->type == NW_WORKER_ERROR) {
        printf("%s\n", event->error->message);
    } else if (event->type == NW_WORKER_EXIT) {
        printf("exit code %d\n", event->exit_code);
    }
}

int main(void)
{
    static char letters[10000];
    napi_ref zlib = NULL;
    nw_doc *doc = nw_doc_create();
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .body = body,
        .on_event = on_event,
        .user_data = &zlib,
    };
    nw_worker *worker = NULL;
    int failed = 1;

    if (nw_inbox_create(&options.inbox) == NW_OK &&
        nw_worker_create(&worker, &options) == NW_OK) {
        nw_worker_post(worker, nw_value_bytes(doc, letters, sizeof(letters)),
                       NULL, 0);
        nw_worker_post(worker, nw_value_null(doc), NULL, 0);
        // Callbacks run here, until the worker has ended.
        failed = nw_inbox_run(options.inbox, NW_WAIT_FOREVER) != NW_OK;
    } else {
        puts(nw_status_detail());
    }
    nw_worker_destroy(worker);
    nw_inbox_destroy(options.inbox);
    nw_doc_destroy(doc);
    return failed;
}

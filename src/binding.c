// Invariants
//   Every uv handle is closed by an environment cleanup hook, and no JavaScript
//   runs once those have begun. The state is freed by its own hook, the last of
//   ours, or by the close callback of a handle, whichever comes second.

#include "src/binding.h"

#include <stdio.h>
#include <string.h>

#include "src/js/scripts.h"
#include "src/registry.h"
#include "src/runtime.h"
#include "src/wire.h"

const char *const nw__hidden_variables[] = {
    "NODE_OPTIONS",   "NODE_CHANNEL_FD",  "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID", "NODE_V8_COVERAGE", NULL};

// -- small helpers

napi_value nw__binding_throw(napi_env env, const char *code,
                             const char *message)
{
    bool pending = false;

    napi_is_exception_pending(env, &pending);
    if (!pending) {
        napi_throw_error(env, code, message);
    }
    return NULL;
}

struct nw__binding *nw__binding_arguments(napi_env env, napi_callback_info info,
                                          size_t needed, size_t max,
                                          napi_value *values)
{
    struct nw__binding *binding = NULL;
    size_t count = max;

    if (napi_get_cb_info(env, info, &count, values, NULL, (void **)&binding) !=
            napi_ok ||
        binding == NULL) {
        return NULL;
    }
    if (count < needed) {
        nw__binding_throw(env, "NW_EINVAL", "too few arguments");
        return NULL;
    }
    return binding;
}

bool nw__binding_get_number(napi_env env, napi_value value, uint32_t *out)
{
    return napi_get_value_uint32(env, value, out) == napi_ok;
}

bool nw__binding_get_id(napi_env env, napi_value value, uint64_t *out)
{
    int64_t number;

    if (napi_get_value_int64(env, value, &number) != napi_ok || number < 0) {
        return false;
    }
    *out = (uint64_t)number;
    return true;
}

void nw__binding_set_string(napi_env env, napi_value object, const char *key,
                            const char *text)
{
    napi_value value;

    if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) ==
        napi_ok) {
        napi_set_named_property(env, object, key, value);
    }
}

void nw__binding_set_number(napi_env env, napi_value object, const char *key,
                            uint32_t number)
{
    napi_value value;

    if (napi_create_uint32(env, number, &value) == napi_ok) {
        napi_set_named_property(env, object, key, value);
    }
}

// Asked by the cheapest function that refuses then; it does so with an exception
// pending as well.
bool nw__binding_is_stopping(napi_env env)
{
    napi_value value, ignored;

    return napi_get_boolean(env, true, &value) != napi_ok ||
           napi_coerce_to_bool(env, value, &ignored) != napi_ok;
}

void nw__binding_drop_exception(napi_env env)
{
    bool pending = false;
    napi_value ignored;

    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
        napi_get_and_clear_last_exception(env, &ignored);
    }
}

bool nw__binding_take_exception(napi_env env, char *text, size_t size)
{
    bool pending = false;
    napi_value exception, message;

    if (size > 0) {
        snprintf(text, size, "unknown error");
    }
    napi_is_exception_pending(env, &pending);
    if (pending) {
        napi_get_and_clear_last_exception(env, &exception);
    }
    if (nw__binding_is_stopping(env)) {
        return false;
    }
    if (pending && size > 0 &&
        napi_get_named_property(env, exception, "message", &message) ==
            napi_ok) {
        napi_get_value_string_utf8(env, message, text, size, NULL);
    }
    nw__binding_drop_exception(env);
    return true;
}

void nw__binding_delete_reference(napi_env env, napi_ref *reference)
{
    if (*reference != NULL) {
        napi_delete_reference(env, *reference);
        *reference = NULL;
    }
}

// -- life of the state

void nw__binding_ref(struct nw__binding *binding)
{
    binding->references++;
}

void nw__binding_unref(struct nw__binding *binding)
{
    if (--binding->references == 0) {
        nw__control_unref(binding->control);
        nw__free(binding);
    }
}

static void on_cleanup(void *data)
{
    struct nw__binding *binding = data;

    binding->stopping = true;
    nw__binding_delete_reference(binding->env, &binding->keep);
    nw__binding_delete_reference(binding->env, &binding->fetch);
    nw__engine_codec_destroy(binding->codec);
    binding->codec = NULL;
    nw__binding_unref(binding);
}

// -- waking

static void on_async_closed(uv_handle_t *handle)
{
    nw__binding_unref(handle->data);
}

void nw__binding_close_async(struct nw__binding *binding)
{
    if (binding->context != NULL) {
        napi_async_destroy(binding->env, binding->context);
        binding->context = NULL;
    }
    nw__binding_delete_reference(binding->env, &binding->resource);
    if (binding->async_open) {
        binding->async_open = false;
        uv_close((uv_handle_t *)&binding->async, on_async_closed);
    }
}

bool nw__binding_open_async(struct nw__binding *binding, const char *name,
                            uv_async_cb callback)
{
    napi_env env = binding->env;
    uv_loop_t *loop;
    napi_value label, resource;

    if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
        napi_create_object(env, &resource) != napi_ok ||
        napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &label) !=
            napi_ok ||
        napi_create_reference(env, resource, 1, &binding->resource) !=
            napi_ok ||
        napi_async_init(env, resource, label, &binding->context) != napi_ok ||
        uv_async_init(loop, &binding->async, callback) != 0) {
        return false;
    }
    binding->async.data = binding;
    binding->async_open = true;
    nw__binding_ref(binding);
    return true;
}

void nw__binding_wake(void *binding)
{
    uv_async_send(&((struct nw__binding *)binding)->async);
}

napi_callback_scope nw__binding_enter(struct nw__binding *binding)
{
    napi_value resource;
    napi_callback_scope scope = NULL;

    if (napi_get_reference_value(binding->env, binding->resource, &resource) ==
        napi_ok) {
        napi_open_callback_scope(binding->env, resource, binding->context,
                                 &scope);
    }
    return scope;
}

void nw__binding_leave(struct nw__binding *binding, napi_callback_scope scope)
{
    if (scope != NULL) {
        napi_close_callback_scope(binding->env, scope);
    }
}

// -- what all scripts call

// Whether C can read the value, which is not all that JavaScript can clone.
static bool is_readable(struct nw__binding *binding, napi_value value)
{
    struct nw__message message = {0};
    const nw_value *read;
    nw_doc *doc = NULL;
    bool readable = false;

    if (nw__engine_encode(binding->codec, value, NULL, &message, NULL, 0) ==
        NW_OK) {
        doc = nw_doc_create();
        readable = doc != NULL &&
                   nw__wire_read(doc, &message, &read, 1, NULL) == NW_OK;
    }
    nw_doc_destroy(doc);
    nw__message_fini(&message);
    return readable;
}

// encodable(value)
static napi_value js_encodable(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    napi_value result = NULL;
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 1, 1, values);

    if (binding != NULL) {
        napi_get_boolean(env, is_readable(binding, values[0]), &result);
    }
    return result;
}

// output(fd, buffer, force, task): pass on what was printed. False: not taken,
// try later. With `force` it is always taken.
static napi_value js_output(napi_env env, napi_callback_info info)
{
    napi_value values[4];
    napi_value result = NULL;
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 2, 4, values);
    struct nw__printed printed = {0};
    uint32_t fd;
    void *data;

    if (binding == NULL || !nw__binding_get_number(env, values[0], &fd) ||
        fd < 1 || fd > 2 ||
        napi_get_buffer_info(env, values[1], &data, &printed.size) != napi_ok) {
        return nw__binding_throw(env, "NW_EINVAL", "output(fd, buffer)");
    }
    printed.fd = (int)fd;
    printed.data = data;
    napi_get_value_bool(env, values[2], &printed.force);
    nw__binding_get_id(env, values[3], &printed.task);
    napi_get_boolean(env, nw__worker_printed(binding->worker, &printed),
                     &result);
    return result;
}

// post(value, transfer): a message from this worker to C.
static napi_value js_post(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 1, 2, values);
    struct nw__message message = {0};
    char why[NW__ERROR_TEXT_MAX] = "";
    bool moves = false;
    nw_status status;

    if (binding == NULL || binding->worker == 0) {
        return nw__binding_throw(env, "NW_EINVAL", "not a worker of C");
    }
    napi_is_array(env, values[1], &moves);
    status =
        nw__engine_encode(binding->codec, values[0], moves ? values[1] : NULL,
                          &message, why, sizeof(why));
    if (status == NW_OK && !nw__worker_message(binding->worker, &message)) {
        status = NW_ENOMEM;
    }
    if (status != NW_OK && status != NW_ESTOPPED) {
        nw__binding_throw(env, nw_status_name(status),
                          why[0] != '\0' ? why : nw_status_message(status));
    }
    nw__message_fini(&message);
    return NULL;
}

// uncaught(record): what the worker is about to die of, unless somebody there
// handles it.
static napi_value js_uncaught(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 1, 1, values);
    struct nw__message record = {0};

    if (binding != NULL && binding->worker != 0) {
        nw__engine_encode(binding->codec, values[0], NULL, &record, NULL, 0);
        nw__worker_uncaught(binding->worker, &record);
        nw__message_fini(&record);
    }
    return NULL;
}

// worker(number, threadId): this environment is that worker.
static napi_value js_worker(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 2, 2, values);
    uint32_t number, thread;

    if (binding == NULL || binding->worker != 0 ||
        !nw__binding_get_number(env, values[0], &number) ||
        !nw__binding_get_number(env, values[1], &thread)) {
        return nw__binding_throw(env, "NW_EINVAL", "worker(number, threadId)");
    }
    binding->worker = number;
    nw__control_unref(binding->control);
    binding->control = nw__worker_control(number);
    nw__thread_is_worker(number, thread);
    if (!nw__binding_open_visits(binding)) {
        return nw__binding_throw(env, "NW_ENOMEM", "out of memory");
    }
    return NULL;
}

// setUp(): runs the worker's script; for a text of the user's.
static napi_value js_set_up(napi_env env, napi_callback_info info)
{
    napi_value script, ignored;

    (void)info;
    if (napi_create_string_utf8(env, nw__script_worker, NAPI_AUTO_LENGTH,
                                &script) == napi_ok) {
        napi_run_script(env, script, &ignored);
    }
    return NULL;
}

// setBoxer(function): see nw__engine_set_boxer().
static napi_value js_set_boxer(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 1, 1, values);

    if (binding != NULL &&
        nw__engine_set_boxer(binding->codec, values[0]) != NW_OK) {
        return nw__binding_throw(env, "NW_EINVAL", "setBoxer(function)");
    }
    return NULL;
}

// flatTools(): what makeFlat() takes.
static napi_value js_flat_tools(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = nw__binding_arguments(env, info, 0, 0, NULL);
    napi_value tools = NULL;

    if (binding != NULL) {
        tools = nw__engine_flat_tools(binding->codec);
        if (tools == NULL) {
            return nw__binding_throw(env, "NW_ENOMEM", "out of memory");
        }
    }
    return tools;
}

// setFlat(flatten, unflatten, arrays): what makeFlat() returned.
static napi_value js_set_flat(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 3, 3, values);

    if (binding != NULL && nw__engine_set_flat(binding->codec, values[0],
                                               values[1], values[2]) != NW_OK) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "setFlat(flatten, unflatten, arrays)");
    }
    return NULL;
}

// box(record): what stands for an Error in a value that is encoded.
static napi_value js_box(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 1, 1, values);
    napi_value box = NULL;

    if (binding != NULL) {
        box = nw__engine_box_error(binding->codec, values[0]);
        if (box == NULL) {
            return nw__binding_throw(env, "NW_ENOMEM", "out of memory");
        }
    }
    return box;
}

// isPlain(value): whether structured clone copies it member by member.
static napi_value js_is_plain(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    napi_value result = NULL;

    if (nw__binding_arguments(env, info, 1, 1, values) != NULL) {
        napi_get_boolean(env, nw__engine_is_plain(values[0]), &result);
    }
    return result;
}

// -- init

static void define_hidden_variables(napi_env env, napi_value exports)
{
    napi_value array, name;

    if (napi_create_array(env, &array) != napi_ok) {
        return;
    }
    for (uint32_t i = 0; nw__hidden_variables[i] != NULL; i++) {
        napi_create_string_utf8(env, nw__hidden_variables[i], NAPI_AUTO_LENGTH,
                                &name);
        napi_set_element(env, array, i, name);
    }
    napi_set_named_property(env, exports, "hiddenVariables", array);
}

void nw__binding_define(struct nw__binding *binding, napi_value object,
                        const struct nw__binding_function *functions,
                        size_t count)
{
    napi_env env = binding->env;

    for (size_t i = 0; i < count; i++) {
        napi_value function;

        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                                 functions[i].callback, binding,
                                 &function) == napi_ok) {
            napi_set_named_property(env, object, functions[i].name, function);
        }
    }
}

static void define_all(struct nw__binding *binding, napi_value exports)
{
    static const struct nw__binding_function functions[] = {
        {"encodable", js_encodable}, {"output", js_output},
        {"post", js_post},           {"uncaught", js_uncaught},
        {"worker", js_worker},       {"setUp", js_set_up},
        {"setBoxer", js_set_boxer},  {"box", js_box},
        {"isPlain", js_is_plain},    {"flatTools", js_flat_tools},
        {"setFlat", js_set_flat},
    };
    napi_env env = binding->env;

    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
    nw__binding_define_hosts(binding, exports);
    nw__binding_define_lane(binding, exports);
    nw__binding_define_tasks(binding, exports);
    nw__binding_define_control(binding, exports);
    nw__binding_define_functions(binding, exports);
    define_hidden_variables(env, exports);
    nw__binding_set_string(env, exports, "glueScript", nw__script_glue);
    nw__binding_set_string(env, exports, "poolScript", nw__script_pool);
    nw__binding_set_string(env, exports, "workerScript", nw__script_worker);
    nw__binding_set_string(env, exports, "nodePath", nw__runtime_node_path());
}

struct nw__binding *nw__binding_create(napi_env env, napi_value exports)
{
    struct nw__binding *binding = nw__alloc_zero(sizeof(*binding));
    struct nw__engine_hosts hosts = nw__binding_hosts;

    if (binding != NULL) {
        hosts.context = binding;
        binding->env = env;
        binding->control = nw__control_ref(nw__control_main());
        binding->references = 1;
        binding->codec = nw__engine_codec_create(env, &hosts);
    }
    if (binding == NULL || binding->codec == NULL) {
        if (binding != NULL) {
            nw__control_unref(binding->control);
        }
        nw__free(binding);
        nw__binding_throw(env, "NW_ENOMEM", "out of memory");
        return NULL;
    }
    napi_add_env_cleanup_hook(env, on_cleanup, binding);
    define_all(binding, exports);
    return binding;
}

napi_value nw__binding_init(napi_env env, napi_value exports)
{
    return nw__binding_create(env, exports) != NULL ? exports : NULL;
}

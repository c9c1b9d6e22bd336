// The object `nwpool.functions`, which functions.js makes for each environment
// that asks for it, and C functions that are a worker's body.

#include <string.h>

#include "src/binding_functions.h"
#include "src/js/scripts.h"
#include "src/registry.h"

// -- what functions.js asks

static void forget(napi_env env, void *data, void *hint)
{
    struct nw__remembered *remembered = data;

    (void)env;
    (void)hint;
    nw__function_drop(remembered->function);
    nw__free(remembered);
}

// The function that a name argument means, held; NULL when there is none.
static struct nw__function *find(napi_env env, napi_callback_info info,
                                 struct nw__binding_functions **state)
{
    char name[NW_FUNCTION_NAME_BYTES_MAX + 2];
    napi_value value;
    size_t count = 1;
    size_t size = 0;

    if (napi_get_cb_info(env, info, &count, &value, NULL, (void **)state) !=
            napi_ok ||
        napi_get_value_string_utf8(env, value, name, sizeof(name), &size) !=
            napi_ok ||
        size > NW_FUNCTION_NAME_BYTES_MAX || strlen(name) != size) {
        return NULL;
    }
    return nw__function_find(name);
}

// make(name)
static napi_value js_make(napi_env env, napi_callback_info info)
{
    struct nw__binding_functions *state;
    struct nw__function *function = find(env, info, &state);
    struct nw__remembered *remembered;
    napi_value made;

    if (function == NULL) {
        return NULL;
    }
    remembered = nw__alloc(sizeof(*remembered));
    if (remembered == NULL) {
        nw__function_drop(function);
        return nw__binding_throw(env, "NW_ENOMEM", "out of memory");
    }
    remembered->state = state;
    remembered->function = function;
    if (napi_create_function(env, function->name, NAPI_AUTO_LENGTH,
                             nw__binding_call, remembered, &made) != napi_ok ||
        napi_add_finalizer(env, made, remembered, forget, NULL, NULL) !=
            napi_ok) {
        forget(env, remembered, NULL);
        return NULL;
    }
    return made;
}

// has(name)
static napi_value js_has(napi_env env, napi_callback_info info)
{
    struct nw__binding_functions *state;
    struct nw__function *function = find(env, info, &state);
    napi_value result = NULL;

    napi_get_boolean(env, function != NULL, &result);
    nw__function_drop(function);
    return result;
}

// names()
static napi_value js_names(napi_env env, napi_callback_info info)
{
    napi_value array = NULL;
    napi_value name;
    char *names;
    size_t count;
    const char *at;

    (void)info;
    if (!nw__function_names(&names, &count)) {
        return nw__binding_throw(env, "NW_ENOMEM", "out of memory");
    }
    napi_create_array_with_length(env, count, &array);
    at = names;
    for (uint32_t i = 0; i < count && array != NULL; i++) {
        if (napi_create_string_utf8(env, at, NAPI_AUTO_LENGTH, &name) ==
            napi_ok) {
            napi_set_element(env, array, i, name);
        }
        at += strlen(at) + 1;
    }
    nw__free(names);
    return array;
}

// -- the object

static void on_cleanup(void *data)
{
    struct nw__binding_functions *state = data;
    napi_env env = state->binding->env;

    state->binding->functions = NULL;
    nw__binding_delete_reference(env, &state->object);
    nw__binding_delete_reference(env, &state->wait);
    nw__binding_delete_reference(env, &state->settle);
    nw__promise_queue_close(state->promises);
    nw_doc_destroy(state->doc);
    nw__free(state);
}

// What functions.js is given.
static bool make_native(struct nw__binding_functions *state, napi_value *out)
{
    static const struct nw__binding_function callbacks[] = {
        {"make", js_make},
        {"has", js_has},
        {"names", js_names},
    };
    napi_env env = state->binding->env;

    if (napi_create_object(env, out) != napi_ok) {
        return false;
    }
    for (size_t i = 0; i < NW_ARRAY_SIZE(callbacks); i++) {
        napi_value function;

        if (napi_create_function(env, callbacks[i].name, NAPI_AUTO_LENGTH,
                                 callbacks[i].callback, state,
                                 &function) != napi_ok ||
            napi_set_named_property(env, *out, callbacks[i].name, function) !=
                napi_ok) {
            return false;
        }
    }
    return true;
}

// Runs functions.js. False, maybe with an exception.
static bool run_script(struct nw__binding_functions *state)
{
    napi_env env = state->binding->env;
    napi_ref *const references[] = {&state->object, &state->wait,
                                    &state->settle};
    napi_value text, begin_script, native, receiver, parts, part;

    if (!make_native(state, &native) ||
        napi_create_string_utf8(env, nw__script_functions, NAPI_AUTO_LENGTH,
                                &text) != napi_ok ||
        napi_run_script(env, text, &begin_script) != napi_ok ||
        napi_get_undefined(env, &receiver) != napi_ok ||
        napi_call_function(env, receiver, begin_script, 1, &native, &parts) !=
            napi_ok) {
        return false;
    }
    for (uint32_t i = 0; i < NW_ARRAY_SIZE(references); i++) {
        if (napi_get_element(env, parts, i, &part) != napi_ok ||
            napi_create_reference(env, part, 1, references[i]) != napi_ok) {
            return false;
        }
    }
    return true;
}

// Makes it for the first who asks. False, maybe with an exception.
static bool open_functions(struct nw__binding *binding)
{
    struct nw__binding_functions *state = nw__alloc_zero(sizeof(*state));

    if (state == NULL) {
        nw__binding_throw(binding->env, "NW_ENOMEM", "out of memory");
        return false;
    }
    state->binding = binding;
    if (!run_script(state)) {
        on_cleanup(state);
        return false;
    }
    binding->functions = state;
    napi_add_env_cleanup_hook(binding->env, on_cleanup, state);
    return true;
}

static napi_value js_functions(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = nw__binding_arguments(env, info, 0, 0, NULL);
    napi_value object = NULL;

    if (binding != NULL &&
        (binding->functions != NULL || open_functions(binding))) {
        napi_get_reference_value(env, binding->functions->object, &object);
    }
    return object;
}

// -- bodies

// body(require, import, workerData, parentPort): runs it, in the scope of this
// call. What it left pending is thrown by the return.
static napi_value js_body(napi_env env, napi_callback_info info)
{
    napi_value values[4];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 4, 4, values);
    struct nw_body body = {.struct_size = sizeof(body), .env = env};
    nw__worker_body *run = NULL;
    void *user_data = NULL;

    if (binding == NULL) {
        return NULL;
    }
    if (binding->worker != 0) {
        run = nw__worker_body_of(binding->worker, &user_data);
    }
    if (run == NULL) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "this worker's body is not in C");
    }
    body.require = values[0];
    body.import = values[1];
    body.worker_data = values[2];
    body.parent_port = values[3];
    body.worker = binding->worker;
    run(&body, user_data);
    return NULL;
}

void nw__binding_define_functions(struct nw__binding *binding,
                                  napi_value exports)
{
    static const struct nw__binding_function functions[] = {
        {"body", js_body},
    };
    const napi_property_descriptor property = {
        .utf8name = "functions",
        .getter = js_functions,
        .attributes = napi_enumerable,
        .data = binding,
    };

    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
    napi_define_properties(binding->env, exports, 1, &property);
}

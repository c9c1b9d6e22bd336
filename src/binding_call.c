// A call of a C function. Primitives go across by Node-API, all else by the
// codec, the objects among the arguments together, so that what they share
// stays shared. The document is the environment's; a call that comes while
// another's arguments are read, from a getter in them, has one of its own.

#include <stdarg.h>
#include <stdio.h>

#include "src/binding_functions.h"
#include "src/wire.h"

// As many as NW_TASK_ARGUMENTS_MAX, which is the pool's to know.
#define ARGUMENTS_MAX 64

// Most calls have no more, and asking for more costs time.
#define ARGUMENTS_FEW 8

// Strings up to this many bytes need no allocation on their way.
#define STRING_SHORT 256

struct call {
    nw_call call;
    bool throws;
    nw_value *thrown;
    const nw_value *arguments[ARGUMENTS_MAX];
};

// -- exceptions

napi_value nw__binding_throw_status(napi_env env, nw_status status,
                                    const char *format, ...)
{
    char text[NW__ERROR_TEXT_MAX + NW_FUNCTION_NAME_BYTES_MAX + 128];
    const char *code = nw_status_name(status);
    va_list arguments;

    if (status == NW_ESTOPPED) {
        return NULL;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (status == NW_ECLONE || status == NW_ETYPE || status == NW_EINVAL ||
        status == NW_ENOENT) {
        napi_throw_type_error(env, code, text);
    } else if (status == NW_ELIMIT) {
        napi_throw_range_error(env, code, text);
    } else {
        napi_throw_error(env, code, text);
    }
    return NULL;
}

static const char *reason(nw_status status, const char *detail)
{
    return detail != NULL && detail[0] != '\0' ? detail
                                               : nw_status_message(status);
}

// -- documents

static nw_doc *doc_take(struct nw__binding_functions *state)
{
    if (state->doc_used) {
        return nw_doc_create();
    }
    if (state->doc == NULL) {
        state->doc = nw_doc_create();
    }
    state->doc_used = state->doc != NULL;
    return state->doc;
}

static void doc_give(struct nw__binding_functions *state, nw_doc *doc)
{
    if (doc == state->doc) {
        nw_doc_reset(doc);
        state->doc_used = false;
    } else {
        nw_doc_destroy(doc);
    }
}

// -- arguments

static nw_value *read_string(napi_env env, nw_doc *doc, napi_value value)
{
    char few[STRING_SHORT];
    size_t size = 0;
    nw_value *read;
    char *text;

    napi_get_value_string_utf8(env, value, few, sizeof(few), &size);
    // A character that did not fit may have left up to three bytes unused.
    if (size + 4 < sizeof(few)) {
        return nw_value_string_n(doc, few, size);
    }
    napi_get_value_string_utf8(env, value, NULL, 0, &size);
    text = nw__alloc(size + 1);
    if (text == NULL) {
        return NULL;
    }
    napi_get_value_string_utf8(env, value, text, size + 1, &size);
    read = nw_value_string_n(doc, text, size);
    nw__free(text);
    return read;
}

// False: it is none, and `*out` is as it was. NULL in `*out`: no memory.
static bool read_primitive(napi_env env, nw_doc *doc, napi_value value,
                           const nw_value **out)
{
    napi_valuetype type = napi_object;
    bool boolean = false;
    double number = 0;

    napi_typeof(env, value, &type);
    switch (type) {
    case napi_undefined:
        *out = nw_value_undefined(doc);
        return true;
    case napi_null:
        *out = nw_value_null(doc);
        return true;
    case napi_boolean:
        napi_get_value_bool(env, value, &boolean);
        *out = nw_value_bool(doc, boolean);
        return true;
    case napi_number:
        napi_get_value_double(env, value, &number);
        *out = nw_value_number(doc, number);
        return true;
    case napi_string:
        *out = read_string(env, doc, value);
        return true;
    default:
        return false;
    }
}

// One value by the codec. `error` has NW__ERROR_TEXT_MAX bytes.
static nw_status read_object(struct nw__binding *binding, nw_doc *doc,
                             napi_value value, const nw_value **out,
                             char *error)
{
    struct nw__message message = {0};
    const char *detail = NULL;
    nw_status status;

    error[0] = '\0';
    status = nw__engine_encode(binding->codec, value, NULL, &message, error,
                               NW__ERROR_TEXT_MAX);
    if (status == NW_OK) {
        status = nw__wire_read(doc, &message, out, 1, &detail);
        if (status != NW_OK && detail != NULL) {
            snprintf(error, NW__ERROR_TEXT_MAX, "%s", detail);
        }
    }
    nw__message_fini(&message);
    return status;
}

// Those of `values` that are no primitives, as one array of `count`.
static nw_status read_objects(struct nw__binding *binding, struct call *call,
                              const napi_value *values, size_t count,
                              char *error)
{
    napi_env env = binding->env;
    const nw_value *read;
    napi_value array;
    nw_status status;
    uint32_t at = 0;

    if (napi_create_array_with_length(env, count, &array) != napi_ok) {
        return NW_ESTOPPED;
    }
    for (size_t i = 0; i < call->call.argument_count; i++) {
        if (call->arguments[i] == NULL) {
            napi_set_element(env, array, at++, values[i]);
        }
    }
    status = read_object(binding, call->call.doc, array, &read, error);
    at = 0;
    for (size_t i = 0; status == NW_OK && i < call->call.argument_count; i++) {
        if (call->arguments[i] == NULL) {
            call->arguments[i] = nw_array_get(read, at++);
        }
    }
    return status;
}

// False: with an exception.
static bool read_arguments(struct nw__binding *binding, struct call *call,
                           const napi_value *values)
{
    char error[NW__ERROR_TEXT_MAX];
    nw_status status = NW_OK;
    size_t objects = 0;
    size_t object = 0; // Index of the last.

    for (size_t i = 0; i < call->call.argument_count; i++) {
        call->arguments[i] = NULL;
        if (!read_primitive(binding->env, call->call.doc, values[i],
                            &call->arguments[i])) {
            object = i;
            objects++;
        } else if (call->arguments[i] == NULL) {
            nw__binding_throw_status(binding->env, NW_ENOMEM, "%s(): %s",
                                     call->call.function,
                                     nw_status_message(NW_ENOMEM));
            return false;
        }
    }
    if (objects == 1) {
        status = read_object(binding, call->call.doc, values[object],
                             &call->arguments[object], error);
    } else if (objects > 1) {
        status = read_objects(binding, call, values, objects, error);
    }
    if (status != NW_OK && objects == 1) {
        nw__binding_throw_status(
            binding->env, status,
            "argument %zu of %s() cannot be passed to C: %s", object + 1,
            call->call.function, reason(status, error));
    } else if (status != NW_OK) {
        nw__binding_throw_status(
            binding->env, status,
            "the arguments of %s() cannot be passed to C: %s",
            call->call.function, reason(status, error));
    }
    return status == NW_OK;
}

// -- results

// NULL: it is no primitive.
static napi_value write_primitive(napi_env env, const nw_value *value)
{
    napi_value written = NULL;
    const char *text;
    size_t size;

    switch (nw_value_type(value)) {
    case NW_TYPE_UNDEFINED:
        napi_get_undefined(env, &written);
        break;
    case NW_TYPE_NULL:
        napi_get_null(env, &written);
        break;
    case NW_TYPE_BOOL:
        napi_get_boolean(env, nw_value_get_bool(value), &written);
        break;
    case NW_TYPE_NUMBER:
        napi_create_double(env, nw_value_get_number(value), &written);
        break;
    case NW_TYPE_STRING:
        text = nw_value_get_string(value, &size);
        napi_create_string_utf8(env, text, size, &written);
        break;
    default:
        break;
    }
    return written;
}

// NULL, with an exception, when the value cannot be had in JavaScript.
static napi_value write_value(struct nw__binding *binding,
                              const struct call *call, const nw_value *value)
{
    napi_value written = write_primitive(binding->env, value);
    struct nw__message message = {0};
    char error[NW__ERROR_TEXT_MAX] = "";
    const char *detail = NULL;
    nw_status status;

    if (written != NULL) {
        return written;
    }
    status = nw__wire_write(&message, &value, 1, NULL, &detail);
    if (status == NW_OK) {
        detail = error;
        status = nw__engine_decode(binding->codec, &message, &written, 1, NULL,
                                   error, sizeof(error));
    }
    nw__message_fini(&message);
    if (status != NW_OK) {
        return nw__binding_throw_status(
            binding->env, status,
            "the result of %s() cannot be passed to JavaScript: %s",
            call->call.function, reason(status, detail));
    }
    return written;
}

// What the function left behind, as a value or an exception.
static napi_value finish(struct nw__binding *binding, const struct call *call,
                         const nw_value *result)
{
    nw_status status = nw_doc_status(call->call.doc);
    napi_value value;

    if (status != NW_OK) {
        return nw__binding_throw_status(
            binding->env, status, "%s() could not make its result: %s",
            call->call.function, nw_status_message(status));
    }
    if (!call->throws) {
        return result != NULL ? write_value(binding, call, result) : NULL;
    }
    value = write_value(binding, call, call->thrown);
    if (value != NULL) {
        napi_throw(binding->env, value);
    }
    return NULL;
}

nw_value *nw_call_throw_value(const nw_call *call, nw_value *value)
{
    struct call *whole;

    if (call != NULL && call->deferred == NULL) {
        whole = NW_CONTAINER_OF(call, struct call, call);
        whole->throws = true;
        whole->thrown = value != NULL ? value : nw_value_undefined(call->doc);
    }
    return NULL;
}

nw_value *nw_call_throw(const nw_call *call, const char *name, const char *code,
                        const char *message)
{
    nw_value *error;

    if (call == NULL) {
        return NULL;
    }
    error = nw_value_error(call->doc, name, message);
    if (error != NULL && code != NULL) {
        nw_error_set_code(error, code);
    }
    return nw_call_throw_value(call, error);
}

// -- calls

// NULL when there is none of that name any more. A function that took its place
// is remembered from now on.
static struct nw__function *begin(struct nw__remembered *remembered)
{
    struct nw__function *function = remembered->function;
    struct nw__function *successor;

    if (nw__function_begin(function)) {
        return function;
    }
    successor = nw__function_find(function->name);
    if (successor == NULL) {
        return NULL;
    }
    remembered->function = successor;
    nw__function_drop(function);
    return nw__function_begin(successor) ? successor : NULL;
}

static napi_value call_function(struct nw__binding_functions *state,
                                struct nw__function *function, nw_doc *doc,
                                const napi_value *values, size_t count)
{
    struct nw__binding *binding = state->binding;
    struct call call;
    napi_value promise;
    nw_value *result;

    call.throws = false;
    call.call = (nw_call){
        .function = function->name,
        .arguments = call.arguments,
        .argument_count = count,
        .doc = doc,
        .task = nw__binding_task(binding),
        .worker = binding->worker,
    };
    if (!read_arguments(binding, &call, values)) {
        return NULL;
    }
    if (function->promise) {
        call.call.deferred = nw__promise_create(state, function, &promise);
        if (call.call.deferred != NULL) {
            function->call(&call.call, function->user_data);
        }
        return call.call.deferred != NULL ? promise : NULL;
    }
    result = function->call(&call.call, function->user_data);
    return finish(binding, &call, result);
}

napi_value nw__binding_call(napi_env env, napi_callback_info info)
{
    napi_value values[ARGUMENTS_MAX];
    size_t count = ARGUMENTS_FEW;
    struct nw__remembered *remembered = NULL;
    struct nw__function *function;
    napi_value result = NULL;
    nw_doc *doc;

    napi_get_cb_info(env, info, &count, values, NULL, (void **)&remembered);
    if (count > ARGUMENTS_MAX) {
        return nw__binding_throw_status(
            env, NW_ELIMIT,
            "%s() was called with %zu arguments; C takes at "
            "most %d",
            remembered->function->name, count, ARGUMENTS_MAX);
    }
    if (count > ARGUMENTS_FEW) {
        napi_get_cb_info(env, info, &count, values, NULL, NULL);
    }
    function = begin(remembered);
    if (function == NULL) {
        return nw__binding_throw_status(
            env, NW_ENOENT,
            "there is no C function \"%s\"; register it with "
            "nw_function_register()",
            remembered->function->name);
    }
    doc = doc_take(remembered->state);
    if (doc == NULL) {
        nw__binding_throw_status(env, NW_ENOMEM, "%s(): %s", function->name,
                                 nw_status_message(NW_ENOMEM));
    } else {
        result = call_function(remembered->state, function, doc, values, count);
        doc_give(remembered->state, doc);
    }
    nw__function_end(function);
    return result;
}

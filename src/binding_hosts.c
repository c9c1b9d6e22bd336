// Objects of Node.js beside a message. The scripts say where they go, with
// hosts(keep, fetch):
//   keep(objects, first, transfer) puts objects[i] where it can be had by the
//   number first + i, and returns for each its class name and its flags;
//   fetch(list) returns the objects of [number, home worker, ...] in order.
// In the control environment that is its table. In a worker keep() posts on the
// worker's link, and fetch() takes from there what the control environment was
// asked to post: src/host.h tells the story.

#include <stdio.h>
#include <string.h>

#include "src/binding.h"
#include "src/detail.h"
#include "src/host.h"
#include "src/value.h"
#include "src/wire.h"

// Flags of keep()'s answer.
enum { KEPT_IS_PORT = 1, KEPT_MUST_MOVE = 2 };

// Calls one of the two. NW_ECLONE, with the reason in `error`: there is none, or
// it threw. NW_ESTOPPED: the worker ends.
static nw_status call(struct nw__binding *binding, napi_ref function,
                      size_t count, napi_value *values, napi_value *result,
                      char *error, size_t error_size)
{
    napi_env env = binding->env;
    napi_value receiver, callee;

    if (function == NULL) {
        if (error != NULL) {
            snprintf(error, error_size,
                     "an object of Node.js can only be sent to C by the "
                     "workers that C has made");
        }
        return NW_ECLONE;
    }
    napi_get_undefined(env, &receiver);
    if (napi_get_reference_value(env, function, &callee) == napi_ok &&
        napi_call_function(env, receiver, callee, count, values, result) ==
            napi_ok) {
        return NW_OK;
    }
    return nw__binding_take_exception(env, error,
                                      error != NULL ? error_size : 0)
               ? NW_ECLONE
               : NW_ESTOPPED;
}

static void describe(napi_env env, napi_value answer, uint32_t index,
                     struct nw__host *host)
{
    napi_value name, flags;
    uint32_t bits = 0;

    if (napi_get_element(env, answer, 2 * index, &name) == napi_ok &&
        napi_get_element(env, answer, 2 * index + 1, &flags) == napi_ok) {
        napi_get_value_string_utf8(env, name, host->name, sizeof(host->name),
                                   NULL);
        napi_get_value_uint32(env, flags, &bits);
    }
    host->is_port = (bits & KEPT_IS_PORT) != 0;
    host->must_move = (bits & KEPT_MUST_MOVE) != 0;
}

static nw_status make_hosts(struct nw__binding *binding, uint64_t first,
                            uint32_t count, struct nw__attached *out)
{
    for (uint32_t i = 0; i < count; i++) {
        struct nw__host *host =
            nw__host_create(first + i, binding->worker, binding->control);

        out[i].ref = host != NULL ? &host->ref : NULL;
        if (host == NULL) {
            return NW_ENOMEM;
        }
    }
    return NW_OK;
}

static nw_status keep(void *context, napi_value objects, uint32_t count,
                      napi_value transfer, struct nw__attached *out,
                      char *error, size_t error_size)
{
    struct nw__binding *binding = context;
    napi_env env = binding->env;
    uint64_t first = nw__host_numbers(count);
    napi_value values[3] = {objects, NULL, transfer};
    napi_value answer;
    nw_status status;

    memset(out, 0, count * sizeof(*out));
    status = make_hosts(binding, first, count, out);
    if (status == NW_OK) {
        napi_create_int64(env, (int64_t)first, &values[1]);
        if (transfer == NULL) {
            napi_get_undefined(env, &values[2]);
        }
        status =
            call(binding, binding->keep, 3, values, &answer, error, error_size);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (status != NW_OK) {
            nw__ref_put(out[i].ref);
            out[i].ref = NULL;
        } else {
            describe(env, answer, i, nw__host_of(out[i].ref));
            // Or it would not have come here: keep() refuses it.
            out[i].transfer = nw__host_of(out[i].ref)->must_move;
        }
    }
    return status;
}

// [number, home worker, whether it moves, ...]
static nw_value *list_hosts(nw_doc *doc, const struct nw__attached *const *refs,
                            uint32_t count)
{
    nw_value *list = nw_value_array(doc);

    for (uint32_t i = 0; i < count && list != NULL; i++) {
        const struct nw__host *host = nw__host_of(refs[i]->ref);

        nw_array_push(list, nw_value_number(doc, (double)host->id));
        nw_array_push(list, nw_value_number(doc, host->worker));
        nw_array_push(list, nw_value_bool(doc, refs[i]->transfer));
    }
    return list;
}

static bool is_stopping(void *env)
{
    return nw__binding_is_stopping(env);
}

// Has the control environment post the objects on this worker's link.
static nw_status ask_for(struct nw__binding *binding, const nw_value *list)
{
    // Whoever would answer may be joining this thread.
    const struct nw__stopping stopping = {is_stopping, binding->env};
    struct nw__command *command;
    nw_status status = nw__command_write(&command, NW__COMMAND_FETCH,
                                         binding->worker, &list, 1, NULL);

    if (status != NW_OK) {
        return status;
    }
    nw__command_address(command, binding->control);
    return nw__control_ask(command, &stopping);
}

static nw_status fetch(void *context, const struct nw__attached *const *refs,
                       uint32_t count, napi_value *objects, char *error,
                       size_t error_size)
{
    struct nw__binding *binding = context;
    struct nw__message message = {0};
    nw_doc *doc = nw_doc_create();
    const nw_value *list = doc != NULL ? list_hosts(doc, refs, count) : NULL;
    nw_status status = list != NULL ? NW_OK : NW_ENOMEM;
    napi_value value;

    if (status == NW_OK && binding->worker != 0) {
        status = ask_for(binding, list);
        if (status != NW_OK && error != NULL) {
            snprintf(error, error_size, "%s", nw_status_detail());
        }
    }
    if (status == NW_OK) {
        status = nw__wire_write(&message, &list, 1, NULL, NULL);
    }
    if (status == NW_OK) {
        status = nw__engine_decode(binding->codec, &message, &value, 1, NULL,
                                   error, error_size);
    }
    if (status == NW_OK) {
        status = call(binding, binding->fetch, 1, &value, objects, error,
                      error_size);
    }
    nw__message_fini(&message);
    nw_doc_destroy(doc);
    return status;
}

const struct nw__engine_hosts nw__binding_hosts = {
    .keep = keep,
    .fetch = fetch,
};

// hosts(keep, fetch): once for each environment.
static napi_value js_hosts(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 2, 2, values);

    if (binding == NULL || binding->keep != NULL ||
        napi_create_reference(env, values[0], 1, &binding->keep) != napi_ok ||
        napi_create_reference(env, values[1], 1, &binding->fetch) != napi_ok) {
        return nw__binding_throw(env, "NW_EINVAL", "hosts(keep, fetch)");
    }
    return NULL;
}

void nw__binding_define_hosts(struct nw__binding *binding, napi_value exports)
{
    static const struct nw__binding_function functions[] = {
        {"hosts", js_hosts},
    };
    napi_env env = binding->env;
    napi_value flags;

    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
    if (napi_create_object(env, &flags) == napi_ok) {
        nw__binding_set_number(env, flags, "PORT", KEPT_IS_PORT);
        nw__binding_set_number(env, flags, "MUST_MOVE", KEPT_MUST_MOVE);
        napi_set_named_property(env, exports, "KEPT", flags);
    }
}

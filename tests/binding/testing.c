// What codec.js asks of an addon that was built with `build.js --testing`: a
// value there and back, and a script that is interrupted. The product has no
// way to do either without a pool.

#include "binding/testing.h"

#include <unistd.h>

#include "src/binding.h"
#include "src/host.h"

#define ERROR_MAX 256

// One task is all there ever is.
#define TASK 1

// -- there and back

// The objects of Node.js in one message.
struct kept {
    napi_env env;
    napi_ref objects; // An array; NULL: there are none.
};

static void destroy_host(struct nw__ref *ref)
{
    nw__free(nw__host_of(ref));
}

static nw_status keep(void *context, napi_value objects, uint32_t count,
                      napi_value transfer, struct nw__attached *out,
                      char *error, size_t error_size)
{
    struct kept *kept = context;

    (void)transfer;
    (void)error;
    (void)error_size;
    napi_create_reference(kept->env, objects, 1, &kept->objects);
    for (uint32_t i = 0; i < count; i++) {
        struct nw__host *host = nw__alloc_zero(sizeof(*host));

        NW_ASSERT(host != NULL);
        nw__ref_init(&host->ref, NW__REF_HOST, destroy_host);
        host->id = i;
        out[i].ref = &host->ref;
    }
    return NW_OK;
}

static nw_status fetch(void *context, const struct nw__attached *const *refs,
                       uint32_t count, napi_value *objects, char *error,
                       size_t error_size)
{
    struct kept *kept = context;
    napi_env env = kept->env;
    napi_value all, object;

    (void)error;
    (void)error_size;
    napi_get_reference_value(env, kept->objects, &all);
    napi_create_array(env, objects);
    for (uint32_t i = 0; i < count; i++) {
        napi_get_element(env, all, (uint32_t)nw__host_of(refs[i]->ref)->id,
                         &object);
        napi_set_element(env, *objects, i, object);
    }
    return NW_OK;
}

static napi_value answer(napi_env env, napi_value value, uint32_t hosts)
{
    napi_value result, count;

    napi_create_object(env, &result);
    napi_set_named_property(env, result, "value", value);
    napi_create_uint32(env, hosts, &count);
    napi_set_named_property(env, result, "hosts", count);
    return result;
}

// roundTrip(value, transfer): { value, hosts }, the number of objects of
// Node.js that went beside it.
static napi_value js_round_trip(napi_env env, napi_callback_info info)
{
    struct kept kept = {.env = env};
    const struct nw__engine_hosts hosts = {keep, fetch, &kept};
    struct nw__engine_codec *codec = nw__engine_codec_create(env, &hosts);
    struct nw__message message = {0};
    napi_value values[2], result = NULL;
    char error[ERROR_MAX] = "";
    bool moves = false;
    size_t count = 2;
    nw_status status;

    NW_ASSERT(codec != NULL);
    napi_get_cb_info(env, info, &count, values, NULL, NULL);
    napi_is_array(env, values[1], &moves);
    status = nw__engine_encode(codec, values[0], moves ? values[1] : NULL,
                               &message, error, sizeof(error));
    if (status == NW_OK) {
        uint32_t objects = nw__message_ref_count(&message);

        status = nw__engine_decode(codec, &message, &result, 1, NULL, error,
                                   sizeof(error));
        if (status == NW_OK) {
            result = answer(env, result, objects);
        }
    }
    nw__message_fini(&message);
    nw__engine_codec_destroy(codec);
    nw__binding_delete_reference(env, &kept.objects);
    return status == NW_OK || status == NW_ESTOPPED
               ? result
               : nw__binding_throw(env, nw_status_name(status), error);
}

// -- the flat form. Of each environment one codec that has it.

static _Thread_local struct nw__engine_codec *flat_codec;

static void drop_flat_codec(void *data)
{
    (void)data;
    nw__engine_codec_destroy(flat_codec);
    flat_codec = NULL;
}

// openFlat(makeFlat)
static napi_value js_open_flat(napi_env env, napi_callback_info info)
{
    static const struct nw__engine_hosts hosts = {keep, fetch, NULL};
    napi_value make, tools, flat, undefined;
    napi_value parts[3];
    size_t count = 1;

    flat_codec = nw__engine_codec_create(env, &hosts);
    NW_ASSERT(flat_codec != NULL);
    napi_add_env_cleanup_hook(env, drop_flat_codec, NULL);
    tools = nw__engine_flat_tools(flat_codec);
    napi_get_cb_info(env, info, &count, &make, NULL, NULL);
    napi_get_undefined(env, &undefined);
    napi_call_function(env, undefined, make, 1, &tools, &flat);
    for (uint32_t i = 0; i < 3; i++) {
        napi_get_element(env, flat, i, &parts[i]);
    }
    NW_ASSERT(nw__engine_set_flat(flat_codec, parts[0], parts[1], parts[2]) ==
              NW_OK);
    return NULL;
}

// flatTrip(...values): { values, isFlat }
static napi_value js_flat_trip(napi_env env, napi_callback_info info)
{
    struct nw__message message = {0};
    napi_value values[NW__ENGINE_VALUES_MAX], list, is_flat;
    napi_value result = NULL;
    size_t count = NW__ENGINE_VALUES_MAX;
    char error[ERROR_MAX] = "";
    nw_status status;
    bool flat;

    napi_get_cb_info(env, info, &count, values, NULL, NULL);
    status = nw__engine_encode_flat(flat_codec, values, count, NULL, &message,
                                    error, sizeof(error));
    flat = status == NW_OK && message.data[0] != 0xFF;
    if (status == NW_OK) {
        status = nw__engine_decode(flat_codec, &message, values, count, NULL,
                                   error, sizeof(error));
    }
    nw__message_fini(&message);
    if (status == NW_OK) {
        napi_create_array(env, &list);
        for (uint32_t i = 0; i < count; i++) {
            napi_set_element(env, list, i, values[i]);
        }
        napi_get_boolean(env, flat, &is_flat);
        napi_create_object(env, &result);
        napi_set_named_property(env, result, "values", list);
        napi_set_named_property(env, result, "isFlat", is_flat);
    }
    return status == NW_OK || status == NW_ESTOPPED
               ? result
               : nw__binding_throw(env, nw_status_name(status), error);
}

// trip(value, isFlat): for measuring.
static napi_value js_trip(napi_env env, napi_callback_info info)
{
    struct nw__message message = {0};
    napi_value values[2];
    napi_value result = NULL;
    bool is_flat = false;
    size_t count = 2;
    nw_status status;

    napi_get_cb_info(env, info, &count, values, NULL, NULL);
    napi_get_value_bool(env, values[1], &is_flat);
    status = is_flat ? nw__engine_encode_flat(flat_codec, values, 1, NULL,
                                              &message, NULL, 0)
                     : nw__engine_encode(flat_codec, values[0], NULL, &message,
                                         NULL, 0);
    if (status == NW_OK) {
        status =
            nw__engine_decode(flat_codec, &message, &result, 1, NULL, NULL, 0);
    }
    nw__message_fini(&message);
    return status == NW_OK ? result
                           : nw__binding_throw(env, nw_status_name(status), "");
}

// -- interrupting

// From a callback of the event loop, as in a pool's worker: with no JavaScript
// below.
struct interruption {
    napi_env env;
    napi_ref function;
    napi_ref done;
    uv_async_t async;
    struct nw__engine_guard *guard;
    nw__mutex lock;

    // -- protected by lock
    bool over;
};

static uint64_t running(void *context)
{
    (void)context;
    return TASK;
}

static void *ask_again_and_again(void *data)
{
    struct interruption *interruption = data;
    bool over = false;

    // At once it would be hit before its first line.
    while (!over) {
        usleep(10000);
        nw__mutex_lock(&interruption->lock);
        over = interruption->over;
        if (!over) {
            nw__engine_guard_interrupt(interruption->guard, TASK);
        }
        nw__mutex_unlock(&interruption->lock);
    }
    return NULL;
}

static const char *name_of(enum nw__hit hit)
{
    switch (hit) {
    case NW__HIT_TAKEN:
        return "taken";
    case NW__HIT_BROKEN:
        return "broken";
    default:
        return "none";
    }
}

// Calls one function with at most one argument in a callback scope of its own.
static enum nw__hit call(struct interruption *interruption, napi_ref reference,
                         napi_value argument, char *stack)
{
    napi_env env = interruption->env;
    napi_value function, receiver, name, ignored;
    napi_async_context context;
    napi_callback_scope scope;
    enum nw__hit hit = NW__HIT_NONE;

    napi_get_reference_value(env, reference, &function);
    napi_create_object(env, &receiver);
    napi_create_string_utf8(env, "test", NAPI_AUTO_LENGTH, &name);
    napi_async_init(env, receiver, name, &context);
    napi_open_callback_scope(env, receiver, context, &scope);
    napi_call_function(env, receiver, function, argument != NULL, &argument,
                       &ignored);
    if (interruption->guard != NULL) {
        nw__mutex_lock(&interruption->lock);
        interruption->over = true;
        nw__mutex_unlock(&interruption->lock);
        hit = nw__engine_guard_take_hit(interruption->guard, stack,
                                        NW__STACK_TEXT_MAX);
    }
    napi_close_callback_scope(env, scope);
    napi_async_destroy(env, context);
    return hit;
}

static void on_closed(uv_handle_t *handle)
{
    nw__free(handle->data);
}

static void on_async(uv_async_t *async)
{
    const struct nw__guard_hooks hooks = {.running = running};
    struct interruption *interruption = async->data;
    napi_env env = interruption->env;
    char stack[NW__STACK_TEXT_MAX] = "";
    napi_handle_scope scope;
    napi_value result;
    enum nw__hit hit;
    pthread_t thread;

    napi_open_handle_scope(env, &scope);
    interruption->guard = nw__engine_guard_create(env, &hooks);
    NW_ASSERT(interruption->guard != NULL);
    NW_ASSERT(nw__thread_start(&thread, "test", 1 << 18, ask_again_and_again,
                               interruption) == NW_OK);
    hit = call(interruption, interruption->function, NULL, stack);
    pthread_join(thread, NULL);
    nw__engine_guard_destroy(interruption->guard);
    interruption->guard = NULL;

    napi_create_object(env, &result);
    nw__binding_set_string(env, result, "hit", name_of(hit));
    nw__binding_set_string(env, result, "stack", stack);
    call(interruption, interruption->done, result, NULL);
    nw__binding_delete_reference(env, &interruption->function);
    nw__binding_delete_reference(env, &interruption->done);
    napi_close_handle_scope(env, scope);
    uv_close((uv_handle_t *)async, on_closed);
}

// interrupt(function, done): calls the function as a pool's worker does, and
// interrupts it until it ends; then done({ hit, stack }): how it ended, and
// where it was.
static napi_value js_interrupt(napi_env env, napi_callback_info info)
{
    struct interruption *interruption = nw__alloc_zero(sizeof(*interruption));
    napi_value functions[2];
    size_t count = 2;
    uv_loop_t *loop;

    NW_ASSERT(interruption != NULL);
    interruption->env = env;
    nw__mutex_init(&interruption->lock);
    napi_get_cb_info(env, info, &count, functions, NULL, NULL);
    napi_create_reference(env, functions[0], 1, &interruption->function);
    napi_create_reference(env, functions[1], 1, &interruption->done);
    napi_get_uv_event_loop(env, &loop);
    uv_async_init(loop, &interruption->async, on_async);
    interruption->async.data = interruption;
    uv_async_send(&interruption->async);
    return NULL;
}

void nw__testing_define(napi_env env, napi_value exports)
{
    static const struct {
        const char *name;
        napi_callback callback;
    } functions[] = {{"roundTrip", js_round_trip},
                     {"interrupt", js_interrupt},
                     {"openFlat", js_open_flat},
                     {"flatTrip", js_flat_trip},
                     {"trip", js_trip}};
    napi_value function;

    for (size_t i = 0; i < NW_ARRAY_SIZE(functions); i++) {
        napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                             functions[i].callback, NULL, &function);
        napi_set_named_property(env, exports, functions[i].name, function);
    }
}

// Promises that C settles.
//
// Invariants
//   A deferred belongs to whoever settles it, then to the queue of its
//   environment, then to that environment's thread, which ends it. If the
//   environment is gone, whoever settles it ends it.
//   A queue outlives its environment while deferreds name it. It is alive
//   until the environment's cleanup hook, and its handle is poked under the
//   lock and only then.
//   The handle keeps the event loop going exactly while promises wait.
//   C holds the number of a promise and no handle to it, so an environment
//   that ends while promises wait leaves nothing behind.
//
// Lock order: queue.lock is a leaf but for uv_async_send().

#include "src/binding_functions.h"
#include "src/detail.h"
#include "src/runtime.h"
#include "src/wire.h"

struct nw__promise_queue {
    // -- the environment's thread
    struct nw__binding_functions *state;
    napi_async_context context;
    napi_ref resource;
    uint64_t last_number;
    uint64_t waiting;

    uv_async_t async;

    nw__mutex lock;

    // -- protected by lock
    uint32_t references; // The handle's, and one for each deferred.
    bool alive;
    nw_deferred *head;
    nw_deferred *tail;
};

struct nw_deferred {
    nw_deferred *next;
    struct nw__promise_queue *queue;
    struct nw__function *function; // In use until this is settled.
    uint64_t number;               // Of the promise in functions.js.
    bool rejected;
    bool has_value; // Else it is undefined.
    struct nw__message message;
};

// -- any thread

static void queue_get(struct nw__promise_queue *queue)
{
    nw__mutex_lock(&queue->lock);
    queue->references++;
    nw__mutex_unlock(&queue->lock);
}

static void queue_put(struct nw__promise_queue *queue)
{
    uint32_t left;

    nw__mutex_lock(&queue->lock);
    left = --queue->references;
    nw__mutex_unlock(&queue->lock);

    if (left == 0) {
        nw__mutex_fini(&queue->lock);
        nw__free(queue);
    }
}

static void deferred_free(nw_deferred *deferred)
{
    nw__message_fini(&deferred->message);
    queue_put(deferred->queue);
    nw__free(deferred);
}

// False: the environment is gone, and the deferred is still the caller's.
static bool queue_push(struct nw__promise_queue *queue, nw_deferred *deferred)
{
    bool alive;

    nw__mutex_lock(&queue->lock);
    alive = queue->alive;
    if (alive) {
        if (queue->tail != NULL) {
            queue->tail->next = deferred;
        } else {
            queue->head = deferred;
            uv_async_send(&queue->async);
        }
        queue->tail = deferred;
    }
    nw__mutex_unlock(&queue->lock);

    return alive;
}

static nw_deferred *queue_take_all(struct nw__promise_queue *queue)
{
    nw_deferred *all;

    nw__mutex_lock(&queue->lock);
    all = queue->head;
    queue->head = NULL;
    queue->tail = NULL;
    nw__mutex_unlock(&queue->lock);

    return all;
}

static nw_status settle(nw_deferred *deferred, const nw_value *value,
                        bool rejected)
{
    struct nw__function *function;
    const char *detail = NULL;
    nw_status status = NW_OK;

    nw__detail_clear();
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (deferred == NULL) {
        return NW_EINVAL;
    }
    if (value != NULL) {
        status = nw__wire_write(&deferred->message, &value, 1, NULL, &detail);
    }
    if (status != NW_OK) {
        return detail != NULL ? nw__fail(status, "%s", detail) : status;
    }
    deferred->has_value = value != NULL;
    deferred->rejected = rejected;
    function = deferred->function;
    if (!queue_push(deferred->queue, deferred)) {
        deferred_free(deferred);
    }
    nw__function_end(function);
    return NW_OK;
}

nw_status nw_deferred_resolve(nw_deferred *deferred, const nw_value *value)
{
    return settle(deferred, value, false);
}

nw_status nw_deferred_reject(nw_deferred *deferred, const nw_value *reason)
{
    return settle(deferred, reason, true);
}

// -- the environment's thread: settling

static void count_waiting(struct nw__promise_queue *queue, bool one_more)
{
    if (one_more && queue->waiting++ == 0) {
        uv_ref((uv_handle_t *)&queue->async);
    } else if (!one_more && --queue->waiting == 0) {
        uv_unref((uv_handle_t *)&queue->async);
    }
}

// What the promise is settled with; an Error, and a rejection, when that cannot
// be had here. NULL: the environment goes down.
static napi_value outcome(struct nw__binding *binding, nw_deferred *deferred)
{
    napi_env env = binding->env;
    char error[NW__ERROR_TEXT_MAX] = "";
    napi_value value = NULL;
    napi_value text;
    nw_status status;

    if (!deferred->has_value) {
        napi_get_undefined(env, &value);
        return value;
    }
    status = nw__engine_decode(binding->codec, &deferred->message, &value, 1,
                               NULL, error, sizeof(error));
    if (status == NW_OK || status == NW_ESTOPPED) {
        return status == NW_OK ? value : NULL;
    }
    deferred->rejected = true;
    value = NULL;
    if (napi_create_string_utf8(
            env, error[0] != '\0' ? error : nw_status_message(status),
            NAPI_AUTO_LENGTH, &text) == napi_ok) {
        napi_create_error(env, NULL, text, &value);
    }
    return value;
}

static void settle_here(struct nw__binding_functions *state,
                        nw_deferred *deferred)
{
    napi_env env = state->binding->env;
    napi_value values[3], receiver, function;
    napi_handle_scope scope;

    if (napi_open_handle_scope(env, &scope) != napi_ok) {
        return;
    }
    values[2] = outcome(state->binding, deferred);
    if (values[2] != NULL &&
        napi_create_int64(env, (int64_t)deferred->number, &values[0]) ==
            napi_ok &&
        napi_get_boolean(env, deferred->rejected, &values[1]) == napi_ok &&
        napi_get_undefined(env, &receiver) == napi_ok &&
        napi_get_reference_value(env, state->settle, &function) == napi_ok) {
        napi_call_function(env, receiver, function, 3, values, NULL);
        nw__binding_drop_exception(env);
    }
    napi_close_handle_scope(env, scope);
}

static void settle_all(struct nw__promise_queue *queue, bool in_scope)
{
    nw_deferred *deferred = queue_take_all(queue);

    while (deferred != NULL) {
        nw_deferred *next = deferred->next;

        if (in_scope) {
            settle_here(queue->state, deferred);
        }
        count_waiting(queue, false);
        deferred_free(deferred);
        deferred = next;
    }
}

static void on_poked(uv_async_t *async)
{
    struct nw__promise_queue *queue = async->data;
    napi_env env = queue->state->binding->env;
    napi_callback_scope scope = NULL;
    napi_handle_scope handles;
    napi_value resource;

    if (napi_open_handle_scope(env, &handles) != napi_ok) {
        return; // The cleanup hook takes what waits.
    }
    if (napi_get_reference_value(env, queue->resource, &resource) == napi_ok) {
        napi_open_callback_scope(env, resource, queue->context, &scope);
    }
    settle_all(queue, scope != NULL);
    // Runs what waited for the promises; the environment may end there.
    if (scope != NULL) {
        napi_close_callback_scope(env, scope);
    }
    napi_close_handle_scope(env, handles);
}

// -- the environment's thread: life

static void on_closed(uv_handle_t *handle)
{
    queue_put(handle->data);
}

void nw__promise_queue_close(struct nw__promise_queue *queue)
{
    napi_env env;

    if (queue == NULL) {
        return;
    }
    env = queue->state->binding->env;
    nw__mutex_lock(&queue->lock);
    queue->alive = false;
    nw__mutex_unlock(&queue->lock);

    settle_all(queue, false);
    nw__binding_delete_reference(env, &queue->resource);
    napi_async_destroy(env, queue->context);
    uv_close((uv_handle_t *)&queue->async, on_closed);
}

static bool open_context(struct nw__promise_queue *queue, napi_env env)
{
    napi_value label, resource;

    return napi_create_object(env, &resource) == napi_ok &&
           napi_create_string_utf8(env, "NWPOOL_PROMISE", NAPI_AUTO_LENGTH,
                                   &label) == napi_ok &&
           napi_create_reference(env, resource, 1, &queue->resource) ==
               napi_ok &&
           napi_async_init(env, resource, label, &queue->context) == napi_ok;
}

// NULL without memory, or in an environment that goes down.
static struct nw__promise_queue *queue_open(struct nw__binding_functions *state)
{
    struct nw__promise_queue *queue = nw__alloc_zero(sizeof(*queue));
    napi_env env = state->binding->env;
    uv_loop_t *loop;

    if (queue == NULL) {
        return NULL;
    }
    if (!open_context(queue, env) ||
        napi_get_uv_event_loop(env, &loop) != napi_ok ||
        uv_async_init(loop, &queue->async, on_poked) != 0) {
        if (queue->context != NULL) {
            napi_async_destroy(env, queue->context);
        }
        nw__binding_delete_reference(env, &queue->resource);
        nw__free(queue);
        return NULL;
    }
    queue->state = state;
    queue->async.data = queue;
    uv_unref((uv_handle_t *)&queue->async);
    nw__mutex_init(&queue->lock);
    queue->references = 1;
    queue->alive = true;
    return queue;
}

// False in an environment that goes down.
static bool make_promise(struct nw__binding_functions *state, uint64_t number,
                         napi_value *promise)
{
    napi_env env = state->binding->env;
    napi_value receiver, wait, value;

    return napi_create_int64(env, (int64_t)number, &value) == napi_ok &&
           napi_get_undefined(env, &receiver) == napi_ok &&
           napi_get_reference_value(env, state->wait, &wait) == napi_ok &&
           napi_call_function(env, receiver, wait, 1, &value, promise) ==
               napi_ok;
}

nw_deferred *nw__promise_create(struct nw__binding_functions *state,
                                struct nw__function *function,
                                napi_value *promise)
{
    nw_deferred *deferred = nw__alloc_zero(sizeof(*deferred));

    if (deferred != NULL && state->promises == NULL) {
        state->promises = queue_open(state);
    }
    if (deferred == NULL || state->promises == NULL) {
        nw__free(deferred);
        nw__binding_throw_status(state->binding->env, NW_ENOMEM, "%s(): %s",
                                 function->name, nw_status_message(NW_ENOMEM));
        return NULL;
    }
    deferred->queue = state->promises;
    deferred->function = function;
    deferred->number = ++state->promises->last_number;
    queue_get(deferred->queue);
    if (!make_promise(state, deferred->number, promise)) {
        deferred_free(deferred);
        return NULL;
    }
    nw__function_use(function);
    count_waiting(deferred->queue, true);
    return deferred;
}

// The worker of a lane: what the trampoline in pool.js calls, and the pump
// that calls it.
//
// Invariants
//   `current` has a job from the moment its function is called until its
//   result, error or the end of the worker has been published. It is only
//   touched on the worker's thread, and the job itself never: a pool that is
//   destroyed takes it away.
//   After `stopping` was seen no JavaScript is called any more: every call
//   would fail, and the job that was running stays in the lane for the
//   cleanup hook.

#include <stdio.h>

#include "src/binding.h"
#include "src/error_record.h"
#include "src/hooks.h"
#include "src/registry.h"

// How long one callback scope may hold back the microtasks and next-ticks of
// the tasks in it, and the event loop its timers and sockets.
#define SCOPE_NS (1 * NW__NS_PER_MS)

// As many as NW_TASK_ARGUMENTS_MAX, which is the pool's to know.
#define ARGUMENTS_MAX 64

// The pool's answer for the job that `current` is.
static void settle(struct nw__binding *binding, nw_status status,
                   struct nw__message *outcome)
{
    struct nw__job *job = binding->current.job;

    binding->current.job = NULL;
    binding->pending = false;
    binding->now_ns = nw__now_ns();
    if (!nw__lane_settle(binding->lane, job, binding->current.id, status,
                         outcome, binding->now_ns)) {
        nw__message_fini(outcome);
    }
}

static void settle_failure(struct nw__binding *binding, nw_status status,
                           const char *text)
{
    struct nw__message outcome = {0};

    nw__error_write(&outcome, status, text, NULL);
    settle(binding, status, &outcome);
}

// Publishes what the current task returned.
static void settle_value(struct nw__binding *binding, napi_value value,
                         napi_value transfer)
{
    struct nw__message outcome = {0};
    char why[NW__ERROR_TEXT_MAX];
    char text[NW__ERROR_TEXT_MAX + 128];
    nw_status status;

    status = nw__engine_encode(binding->codec, value, transfer, &outcome, why,
                               sizeof(why));
    switch (status) {
    case NW_OK:
        settle(binding, NW_OK, &outcome);
        return;
    case NW_ESTOPPED:
        binding->stopping = true;
        break;
    case NW_ECLONE:
        snprintf(text, sizeof(text), "the result of %s() cannot be cloned: %s",
                 binding->current.function_name, why);
        settle_failure(binding, status, text);
        break;
    default:
        settle_failure(binding, status, nw_status_message(status));
        break;
    }
    nw__message_fini(&outcome);
}

// Fills `values` with the arguments of the current job. False: it has ended.
static bool decode_arguments(struct nw__binding *binding, napi_value *values)
{
    struct nw__message *arguments = &binding->current.arguments;
    char why[NW__ERROR_TEXT_MAX];
    nw_status status;

    status = nw__engine_decode(binding->codec, arguments, values, ARGUMENTS_MAX,
                               NULL, why, sizeof(why));
    nw__message_fini(arguments);
    if (status == NW_OK) {
        return true;
    }
    if (status == NW_ESTOPPED) {
        binding->stopping = true;
    } else {
        settle_failure(binding, status, why);
    }
    return false;
}

static void call_run(struct nw__binding *binding)
{
    napi_env env = binding->env;
    napi_value run, receiver, result;
    napi_value values[1 + ARGUMENTS_MAX];
    uint32_t count = binding->current.arguments.value_count;

    if (!decode_arguments(binding, values + 1)) {
        return;
    }
    napi_get_reference_value(env, binding->run, &run);
    napi_get_undefined(env, &receiver);
    napi_create_uint32(env, binding->current.function, &values[0]);
    if (napi_call_function(env, receiver, run, 1 + count, values, &result) !=
        napi_ok) {
        // run() catches everything a task can throw, so this is the end of the
        // worker, or an exception in our own script.
        nw__binding_drop_exception(env);
        binding->stopping = nw__binding_is_stopping(env);
        if (!binding->stopping && binding->current.job != NULL) {
            settle_failure(binding, NW_ETHROWN, "the task's trampoline threw");
        }
        return;
    }
    if (binding->current.job != NULL && !binding->pending) {
        settle_value(binding, result, NULL);
    }
}

static void run_current(struct nw__binding *binding)
{
    const struct nw__run *run = &binding->current;
    const struct nw__hooks *hooks = nw__hooks();
    napi_handle_scope scope;

    if (hooks != NULL) {
        hooks->task_started(run->id, run->function_name, binding->lane->number,
                            run->started_ns);
    }
    if (napi_open_handle_scope(binding->env, &scope) != napi_ok) {
        binding->stopping = true;
        return;
    }
    call_run(binding);
    napi_close_handle_scope(binding->env, scope);
}

// Runs jobs until one is pending, there are none, or the scope is old enough.
// True: there may be more.
static bool run_batch(struct nw__binding *binding, uint64_t end_ns)
{
    while (!binding->stopping) {
        if (!nw__lane_next(binding->lane, binding->now_ns, &binding->current)) {
            return false;
        }
        run_current(binding);
        if (binding->pending) {
            return true;
        }
        // The job is the pool's again; its end is the cheapest clock.
        if (binding->now_ns >= end_ns) {
            return true;
        }
    }
    return false;
}

// One turn of the event loop's worth of tasks.
static void pump_turn(struct nw__binding *binding)
{
    uint64_t end_ns;
    bool more = true;

    binding->now_ns = nw__now_ns();
    end_ns = binding->now_ns + SCOPE_NS;

    while (more && !binding->stopping && binding->current.job == NULL) {
        napi_callback_scope scope = nw__binding_enter(binding);

        // What the last scope left behind may have ended the worker: a job
        // that was started now would be lost with it.
        binding->stopping =
            scope == NULL || nw__binding_is_stopping(binding->env);
        more = run_batch(binding, end_ns);
        nw__binding_leave(binding, scope);
        binding->now_ns = nw__now_ns();
        if (binding->now_ns >= end_ns) {
            break;
        }
    }
    // A pending task pumps again when it settles.
    if (more && binding->current.job == NULL && binding->async_open) {
        uv_async_send(&binding->async);
    }
}

static void pump(uv_async_t *async)
{
    struct nw__binding *binding = async->data;
    napi_handle_scope scope;

    if (binding->stopping || binding->current.job != NULL ||
        binding->run == NULL) {
        return;
    }
    if (napi_open_handle_scope(binding->env, &scope) != napi_ok) {
        return;
    }
    binding->pumping = true;
    pump_turn(binding);
    binding->pumping = false;
    napi_close_handle_scope(binding->env, scope);
}

static void after_settled(struct nw__binding *binding)
{
    // From inside pump() the loop there goes on by itself.
    if (binding->current.job == NULL && !binding->pumping &&
        !binding->stopping && binding->async_open) {
        uv_async_send(&binding->async);
    }
}

// -- lane: what pool.js calls

static void on_lane_cleanup(void *data)
{
    struct nw__binding *binding = data;

    binding->stopping = true;
    binding->current.job = NULL;
    nw__message_fini(&binding->current.arguments);
    nw__lane_detach(binding->lane);
    binding->lane = NULL;
    nw__binding_delete_reference(binding->env, &binding->run);
    nw__binding_close_async(binding);
}

// For debuggers and top -H; the thread has its creator's name otherwise.
static void name_thread(uint32_t number)
{
    char name[16]; // All that the kernel keeps.

    snprintf(name, sizeof(name), "nwpool-w%u", number % 1000000);
    pthread_setname_np(pthread_self(), name);
}

// attach(number, run): this environment is the worker of that lane.
static napi_value js_attach(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 2, 2, values);
    const struct nw__hooks *hooks = nw__hooks();
    struct nw__lane *lane;
    uint32_t number;

    if (binding == NULL || !nw__binding_get_number(env, values[0], &number)) {
        return nw__binding_throw(env, "NW_EINVAL", "attach(number, run)");
    }
    lane = nw__worker_lane(number);
    if (lane == NULL || binding->async_open) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "there is no such lane to take");
    }
    if (!nw__binding_open_async(binding, "NWPOOL_LANE", pump) ||
        napi_create_reference(env, values[1], 1, &binding->run) != napi_ok ||
        !nw__lane_attach(lane, nw__binding_wake, binding)) {
        nw__binding_delete_reference(env, &binding->run);
        nw__binding_close_async(binding);
        return nw__binding_throw(env, "NW_ECLOSED", "the lane is closed");
    }
    binding->lane = lane;
    name_thread(lane->number);
    napi_add_env_cleanup_hook(env, on_lane_cleanup, binding);
    if (hooks != NULL) {
        hooks->worker_started(lane->number, lane->pool_name);
    }
    return NULL;
}

static struct nw__binding *lane_arguments(napi_env env, napi_callback_info info,
                                          size_t needed, size_t max,
                                          napi_value *values)
{
    struct nw__binding *binding =
        nw__binding_arguments(env, info, needed, max, values);

    if (binding != NULL && binding->lane == NULL) {
        nw__binding_throw(env, "NW_EINVAL", "not the worker of a pool");
        return NULL;
    }
    return binding;
}

// The same for what speaks of the running task.
static struct nw__binding *task_arguments(napi_env env, napi_callback_info info,
                                          size_t needed, size_t max,
                                          napi_value *values)
{
    struct nw__binding *binding =
        lane_arguments(env, info, needed, max, values);

    return binding != NULL && binding->current.job != NULL ? binding : NULL;
}

// ready(): the module is loaded.
static napi_value js_ready(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = lane_arguments(env, info, 0, 0, NULL);

    if (binding != NULL) {
        binding->lane->source->ready(binding->lane->owner, binding->lane);
        uv_async_send(&binding->async);
    }
    return NULL;
}

// Encodes a record that is a plain object by construction. An empty message
// reads as "unknown error" later.
static void encode_record(struct nw__binding *binding, napi_value record,
                          struct nw__message *out)
{
    nw__engine_encode(binding->codec, record, NULL, out, NULL, 0);
}

// bootFailed(record)
static napi_value js_boot_failed(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding = lane_arguments(env, info, 1, 1, values);
    struct nw__message record = {0};

    if (binding != NULL) {
        encode_record(binding, values[0], &record);
        binding->lane->source->boot_failed(binding->lane->owner, binding->lane,
                                           &record);
        nw__message_fini(&record);
    }
    return NULL;
}

static napi_value fail_with(napi_env env, napi_callback_info info,
                            nw_status status)
{
    napi_value values[1];
    struct nw__binding *binding = task_arguments(env, info, 1, 1, values);
    struct nw__message record = {0};

    if (binding != NULL) {
        encode_record(binding, values[0], &record);
        settle(binding, status, &record);
        after_settled(binding);
    }
    return NULL;
}

// fail(record): the running task threw or rejected.
static napi_value js_fail(napi_env env, napi_callback_info info)
{
    return fail_with(env, info, NW_ETHROWN);
}

// missing(record): there is no such function.
static napi_value js_missing(napi_env env, napi_callback_info info)
{
    return fail_with(env, info, NW_EMODULE);
}

// done(value[, transfer]): the running task has this result.
static napi_value js_done(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    struct nw__binding *binding = task_arguments(env, info, 1, 2, values);
    bool is_array = false;

    if (binding != NULL) {
        napi_is_array(env, values[1], &is_array);
        settle_value(binding, values[0], is_array ? values[1] : NULL);
        after_settled(binding);
    }
    return NULL;
}

// pending(): the running task returned a promise; done or fail follows.
static napi_value js_pending(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = task_arguments(env, info, 0, 0, NULL);

    if (binding != NULL) {
        binding->pending = true;
    }
    return NULL;
}

// functionName(): of the running task.
static napi_value js_function_name(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = task_arguments(env, info, 0, 0, NULL);
    napi_value name = NULL;

    if (binding != NULL) {
        napi_create_string_utf8(env, binding->current.function_name,
                                NAPI_AUTO_LENGTH, &name);
    }
    return name;
}

// taskId(): of the running task.
static napi_value js_task_id(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = task_arguments(env, info, 0, 0, NULL);
    napi_value id = NULL;

    if (binding != NULL) {
        napi_create_int64(env, (int64_t)binding->current.id, &id);
    }
    return id;
}

// asyncId(id): of the running task's AsyncResource; only while tracing.
static napi_value js_async_id(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding = task_arguments(env, info, 1, 1, values);
    const struct nw__hooks *hooks = nw__hooks();
    double id;

    if (binding != NULL && hooks != NULL &&
        napi_get_value_double(env, values[0], &id) == napi_ok) {
        hooks->task_async_id(binding->current.id, id);
    }
    return NULL;
}

// tracing(): whether asyncId() is wanted.
static napi_value js_tracing(napi_env env, napi_callback_info info)
{
    napi_value result = NULL;

    (void)info;
    napi_get_boolean(env, nw__hooks() != NULL, &result);
    return result;
}

void nw__binding_define_lane(struct nw__binding *binding, napi_value exports)
{
    static const struct nw__binding_function functions[] = {
        {"attach", js_attach},          {"ready", js_ready},
        {"bootFailed", js_boot_failed}, {"fail", js_fail},
        {"missing", js_missing},        {"done", js_done},
        {"pending", js_pending},        {"functionName", js_function_name},
        {"taskId", js_task_id},         {"asyncId", js_async_id},
        {"tracing", js_tracing},
    };

    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
}

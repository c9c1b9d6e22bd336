// What process._linkedBinding("nwpool") is, in two roles: `control()` makes
// the caller the control environment, `attach()` makes it the worker of a
// lane. Each works once for each environment; anybody else who calls them gets
// an exception.
//
// Invariants
//   `current` has a job from the moment its function is called until its
//   result, error or the end of the worker has been published. It is only
//   touched on the worker's thread, and the job itself never: a pool that is
//   destroyed takes it away.
//   After `stopping` was seen no JavaScript is called any more: every call
//   would fail, and the job that was running stays in the lane for the
//   cleanup hook.
//   Every uv handle is closed by an environment cleanup hook. The order at the
//   end is cleanup hook, instance finalizer, close callback; the state is
//   freed by whichever of the last two comes second.

#include "src/binding.h"

#include <stdatomic.h>
#include <stdio.h>
#include <uv.h>

#include "src/common.h"
#include "src/control.h"
#include "src/engine/engine.h"
#include "src/error_record.h"
#include "src/events.h"
#include "src/hooks.h"
#include "src/js/scripts.h"
#include "src/lane.h"
#include "src/registry.h"
#include "src/runtime.h"
#include "src/wire.h"

// How long one callback scope may hold back the microtasks and next-ticks of
// the tasks in it, and the event loop its timers and sockets.
#define SCOPE_NS (1 * NW__NS_PER_MS)

#define ERROR_TEXT_MAX 512

// As many as NW_TASK_ARGUMENTS_MAX, which is the pool's to know.
#define ARGUMENTS_MAX 64

const char *const nw__hidden_variables[] = {
    "NODE_OPTIONS",   "NODE_CHANNEL_FD",  "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID", "NODE_V8_COVERAGE", NULL};

enum event_type {
    EVENT_ONLINE,
    EVENT_MESSAGE,
    EVENT_MESSAGE_ERROR,
    EVENT_ERROR,
    EVENT_EXIT,
};

// One for each environment; all of it belongs to that environment's thread.
struct binding {
    napi_env env;
    uint32_t references; // Finalizer's, and the open uv handle's.

    uv_async_t async;
    bool async_open;
    napi_async_context context;
    napi_ref resource;

    // -- control environment
    napi_ref handlers;

    // -- worker of a lane
    struct nw__lane *lane;
    napi_ref run;
    struct nw__run current;
    uint64_t now_ns; // When the last job ended.
    bool pending;  // `current` returned a promise.
    bool pumping;  // pump() is on the stack.
    bool stopping; // The environment is going down.
};

// -- small helpers

// Throws unless a better exception is pending already.
static napi_value throw_error(napi_env env, const char *code,
                              const char *message)
{
    bool pending = false;

    napi_is_exception_pending(env, &pending);
    if (!pending) {
        napi_throw_error(env, code, message);
    }
    return NULL;
}

// NULL with an exception when there are fewer than `needed` arguments.
static struct binding *arguments(napi_env env, napi_callback_info info,
                                 size_t needed, size_t max, napi_value *values)
{
    struct binding *binding = NULL;
    size_t count = max;

    if (napi_get_cb_info(env, info, &count, values, NULL, NULL) != napi_ok ||
        napi_get_instance_data(env, (void **)&binding) != napi_ok ||
        binding == NULL) {
        return NULL;
    }
    if (count < needed) {
        throw_error(env, "NW_EINVAL", "too few arguments");
        return NULL;
    }
    return binding;
}

static bool get_number(napi_env env, napi_value value, uint32_t *out)
{
    return napi_get_value_uint32(env, value, out) == napi_ok;
}

static void set_string(napi_env env, napi_value object, const char *key,
                       const char *text)
{
    napi_value value;

    if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) ==
        napi_ok) {
        napi_set_named_property(env, object, key, value);
    }
}

static void set_number(napi_env env, napi_value object, const char *key,
                       uint32_t number)
{
    napi_value value;

    if (napi_create_uint32(env, number, &value) == napi_ok) {
        napi_set_named_property(env, object, key, value);
    }
}

// Is the environment being torn down? A call that failed because its script
// threw and one whose script was terminated look alike otherwise. Asked by the
// cheapest function that refuses then; it does so with an exception pending as
// well.
static bool is_stopping(napi_env env)
{
    napi_value value, ignored;

    return napi_get_boolean(env, true, &value) != napi_ok ||
           napi_coerce_to_bool(env, value, &ignored) != napi_ok;
}

static void drop_exception(napi_env env)
{
    bool pending = false;
    napi_value ignored;

    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
        napi_get_and_clear_last_exception(env, &ignored);
    }
}

// -- life of the state

static void unref(struct binding *binding)
{
    if (--binding->references == 0) {
        nw__free(binding);
    }
}

static void finalize(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    unref(data);
}

static void on_async_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void delete_reference(napi_env env, napi_ref *reference)
{
    if (*reference != NULL) {
        napi_delete_reference(env, *reference);
        *reference = NULL;
    }
}

static void close_async(struct binding *binding)
{
    if (binding->context != NULL) {
        napi_async_destroy(binding->env, binding->context);
        binding->context = NULL;
    }
    delete_reference(binding->env, &binding->resource);
    delete_reference(binding->env, &binding->handlers);
    delete_reference(binding->env, &binding->run);
    if (binding->async_open) {
        binding->async_open = false;
        uv_close((uv_handle_t *)&binding->async, on_async_closed);
    }
}

// An event loop handle to be woken through, and an async context in which to
// enter JavaScript from it.
static bool open_async(struct binding *binding, const char *name,
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
    binding->references++;
    return true;
}

static napi_callback_scope enter(struct binding *binding)
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

// Runs next-ticks and microtasks, where the environment may end.
static void leave(struct binding *binding, napi_callback_scope scope)
{
    if (scope != NULL) {
        napi_close_callback_scope(binding->env, scope);
    }
}

static void wake_async(void *context)
{
    uv_async_send(&((struct binding *)context)->async);
}

// -- lane: running tasks

// The pool's answer for the job that `current` is.
static void settle(struct binding *binding, nw_status status,
                   struct nw__message *outcome)
{
    struct nw__job *job = binding->current.job;

    binding->current.job = NULL;
    binding->pending = false;
    binding->now_ns = nw__now_ns();
    if (!nw__lane_settle(binding->lane, job, status, outcome,
                         binding->now_ns)) {
        nw__message_fini(outcome);
    }
}

static void settle_failure(struct binding *binding, nw_status status,
                           const char *text)
{
    struct nw__message outcome = {0};

    nw__error_write(&outcome, status, text, NULL);
    settle(binding, status, &outcome);
}

// Publishes what the current task returned.
static void settle_value(struct binding *binding, napi_value value,
                         napi_value transfer)
{
    struct nw__message outcome = {0};
    char why[ERROR_TEXT_MAX];
    char text[ERROR_TEXT_MAX + 128];
    nw_status status;

    status = nw__engine_encode(binding->env, value, transfer, &outcome, why,
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
static bool decode_arguments(struct binding *binding, napi_value *values)
{
    struct nw__message *arguments = &binding->current.arguments;
    char why[ERROR_TEXT_MAX];
    nw_status status;

    status = nw__engine_decode(binding->env, arguments, values, ARGUMENTS_MAX,
                               why, sizeof(why));
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

static void call_run(struct binding *binding)
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
        // worker, or an exception in our own bootstrap.
        drop_exception(env);
        binding->stopping = is_stopping(env);
        if (!binding->stopping && binding->current.job != NULL) {
            settle_failure(binding, NW_ETHROWN, "the task's trampoline threw");
        }
        return;
    }
    if (binding->current.job != NULL && !binding->pending) {
        settle_value(binding, result, NULL);
    }
}

static void run_current(struct binding *binding)
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
static bool run_batch(struct binding *binding, uint64_t end_ns)
{
    while (!binding->stopping) {
        if (!nw__lane_next(binding->lane, binding->now_ns,
                           &binding->current)) {
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
static void pump_turn(struct binding *binding)
{
    uint64_t end_ns;
    bool more = true;

    binding->now_ns = nw__now_ns();
    end_ns = binding->now_ns + SCOPE_NS;

    while (more && !binding->stopping && binding->current.job == NULL) {
        napi_callback_scope scope = enter(binding);

        // What the last scope left behind may have ended the worker: a job
        // that was started now would be lost with it.
        binding->stopping = scope == NULL || is_stopping(binding->env);
        more = run_batch(binding, end_ns);
        leave(binding, scope);
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
    struct binding *binding = async->data;
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

static void after_settled(struct binding *binding)
{
    // From inside pump() the loop there goes on by itself.
    if (binding->current.job == NULL && !binding->pumping &&
        !binding->stopping && binding->async_open) {
        uv_async_send(&binding->async);
    }
}

// -- lane: what bootstrap.js calls

static void on_lane_cleanup(void *data)
{
    struct binding *binding = data;

    binding->stopping = true;
    binding->current.job = NULL;
    nw__message_fini(&binding->current.arguments);
    nw__lane_detach(binding->lane);
    binding->lane = NULL;
    close_async(binding);
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
    struct binding *binding = arguments(env, info, 2, 2, values);
    const struct nw__hooks *hooks = nw__hooks();
    struct nw__lane *lane;
    uint32_t number;

    if (binding == NULL || !get_number(env, values[0], &number)) {
        return throw_error(env, "NW_EINVAL", "attach(number, run)");
    }
    lane = nw__worker_lane(number);
    if (lane == NULL || binding->async_open) {
        return throw_error(env, "NW_EINVAL", "there is no such lane to take");
    }
    if (!open_async(binding, "NWPOOL_LANE", pump) ||
        napi_create_reference(env, values[1], 1, &binding->run) != napi_ok ||
        !nw__lane_attach(lane, wake_async, binding)) {
        close_async(binding);
        return throw_error(env, "NW_ECLOSED", "the lane is closed");
    }
    binding->lane = lane;
    name_thread(lane->number);
    napi_add_env_cleanup_hook(env, on_lane_cleanup, binding);
    if (hooks != NULL) {
        hooks->worker_started(lane->number, lane->pool_name);
    }
    return NULL;
}

static struct binding *lane_arguments(napi_env env, napi_callback_info info,
                                      size_t needed, size_t max,
                                      napi_value *values)
{
    struct binding *binding = arguments(env, info, needed, max, values);

    if (binding != NULL && binding->lane == NULL) {
        throw_error(env, "NW_EINVAL", "not the worker of a pool");
        return NULL;
    }
    return binding;
}

// The same for what speaks of the running task.
static struct binding *task_arguments(napi_env env, napi_callback_info info,
                                      size_t needed, size_t max,
                                      napi_value *values)
{
    struct binding *binding = lane_arguments(env, info, needed, max, values);

    return binding != NULL && binding->current.job != NULL ? binding : NULL;
}

// ready(): the module is loaded.
static napi_value js_ready(napi_env env, napi_callback_info info)
{
    struct binding *binding = lane_arguments(env, info, 0, 0, NULL);

    if (binding != NULL) {
        binding->lane->source->ready(binding->lane->owner, binding->lane);
        uv_async_send(&binding->async);
    }
    return NULL;
}

// Encodes a record that is a plain object by construction. An empty message
// reads as "unknown error" later.
static void encode_record(napi_env env, napi_value record,
                          struct nw__message *out)
{
    nw__engine_encode(env, record, NULL, out, NULL, 0);
}

// bootFailed(record)
static napi_value js_boot_failed(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct binding *binding = lane_arguments(env, info, 1, 1, values);
    struct nw__message record = {0};

    if (binding != NULL) {
        encode_record(env, values[0], &record);
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
    struct binding *binding = task_arguments(env, info, 1, 1, values);
    struct nw__message record = {0};

    if (binding != NULL) {
        encode_record(env, values[0], &record);
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
    struct binding *binding = task_arguments(env, info, 1, 2, values);
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
    struct binding *binding = task_arguments(env, info, 0, 0, NULL);

    if (binding != NULL) {
        binding->pending = true;
    }
    return NULL;
}

// functionName(): of the running task.
static napi_value js_function_name(napi_env env, napi_callback_info info)
{
    struct binding *binding = task_arguments(env, info, 0, 0, NULL);
    napi_value name = NULL;

    if (binding != NULL) {
        napi_create_string_utf8(env, binding->current.function_name,
                                NAPI_AUTO_LENGTH, &name);
    }
    return name;
}

// asyncId(id): of the running task's AsyncResource; only while tracing.
static napi_value js_async_id(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct binding *binding = task_arguments(env, info, 1, 1, values);
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

// -- what both scripts call

// Whether C can read the value, which is not all that JavaScript can clone.
static bool is_readable(napi_env env, napi_value value)
{
    struct nw__message message = {0};
    const nw_value *read;
    nw_doc *doc = NULL;
    bool readable = false;

    if (nw__engine_encode(env, value, NULL, &message, NULL, 0) == NW_OK) {
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

    if (arguments(env, info, 1, 1, values) != NULL) {
        napi_get_boolean(env, is_readable(env, values[0]), &result);
    }
    return result;
}

// For what only the control environment may do, whoever else can call it.
static struct binding *control_arguments(napi_env env, napi_callback_info info,
                                         size_t needed, napi_value *values)
{
    struct binding *binding = arguments(env, info, needed, needed, values);

    if (binding != NULL && binding->handlers == NULL) {
        throw_error(env, "NW_EINVAL", "not the control environment");
        return NULL;
    }
    return binding;
}

// output(fd, buffer): pass on what was printed. False: not taken, try later.
static napi_value js_output(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    napi_value result = NULL;
    uint32_t fd;
    void *data;
    size_t size;

    if (arguments(env, info, 2, 2, values) == NULL ||
        !get_number(env, values[0], &fd) || fd < 1 || fd > 2 ||
        napi_get_buffer_info(env, values[1], &data, &size) != napi_ok) {
        return throw_error(env, "NW_EINVAL", "output(fd, buffer)");
    }
    napi_get_boolean(env, nw__output((int)fd, data, size), &result);
    return result;
}

// -- control environment

// event(number, type, payload)
static napi_value js_event(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    struct nw__message message = {0};
    char why[ERROR_TEXT_MAX];
    uint32_t number, type;
    int32_t code = 0;

    if (control_arguments(env, info, 3, values) == NULL ||
        !get_number(env, values[0], &number) ||
        !get_number(env, values[1], &type)) {
        return throw_error(env, "NW_EINVAL", "event(number, type, payload)");
    }
    if (type == EVENT_EXIT) {
        napi_get_value_int32(env, values[2], &code);
    } else if (nw__engine_encode(env, values[2], NULL, &message, why,
                                 sizeof(why)) == NW_ECLONE) {
        // Cloneable between workers, but not to C.
        type = EVENT_MESSAGE_ERROR;
        nw__error_write(&message, NW_ECLONE, why, NULL);
    }
    switch ((enum event_type)type) {
    case EVENT_ONLINE:
        nw__worker_online(number);
        break;
    case EVENT_MESSAGE:
        nw__worker_message(number, &message);
        break;
    case EVENT_MESSAGE_ERROR:
        nw__worker_message_error(number, &message);
        break;
    case EVENT_ERROR:
        nw__worker_error(number, &message);
        break;
    case EVENT_EXIT:
        nw__worker_exited(number, code);
        break;
    }
    nw__message_fini(&message);
    return NULL;
}

static napi_value start_spec(napi_env env, const struct nw__command *command)
{
    napi_value spec, is_lane;

    if (napi_create_object(env, &spec) != napi_ok) {
        return NULL;
    }
    napi_get_boolean(env, command->module != NULL, &is_lane);
    napi_set_named_property(env, spec, "lane", is_lane);
    if (command->module != NULL) {
        set_string(env, spec, "module", command->module);
    } else if (command->file != NULL) {
        set_string(env, spec, "file", command->file);
    } else {
        set_string(env, spec, "source", command->source);
    }
    set_string(env, spec, "directory", command->directory);
    set_number(env, spec, "delay", command->delay_ms);
    return spec;
}

// The glue's handler for a command and its second argument.
static const char *prepare(napi_env env, struct nw__command *command,
                           napi_value *argument)
{
    char why[ERROR_TEXT_MAX];

    napi_get_undefined(env, argument);
    switch (command->type) {
    case NW__COMMAND_START:
        *argument = start_spec(env, command);
        return "start";
    case NW__COMMAND_POST:
        if (nw__engine_decode(env, &command->message, argument, 1, why,
                              sizeof(why)) != NW_OK) {
            return NULL;
        }
        return "post";
    case NW__COMMAND_TERMINATE:
        return "terminate";
    }
    return NULL;
}

static void run_command(struct binding *binding, struct nw__command *command)
{
    napi_env env = binding->env;
    napi_value handlers, handler, values[2], ignored;
    napi_handle_scope scope;
    const char *name;

    if (napi_open_handle_scope(env, &scope) != napi_ok) {
        return;
    }
    name = prepare(env, command, &values[1]);
    if (name != NULL && values[1] != NULL &&
        napi_get_reference_value(env, binding->handlers, &handlers) ==
            napi_ok &&
        napi_get_named_property(env, handlers, name, &handler) == napi_ok &&
        napi_create_uint32(env, command->worker, &values[0]) == napi_ok) {
        napi_call_function(env, handlers, handler, 2, values, &ignored);
    }
    // An error of one command must not meet the next.
    drop_exception(env);
    napi_close_handle_scope(env, scope);
}

static void run_commands(uv_async_t *async)
{
    struct binding *binding = async->data;
    napi_handle_scope handles;
    napi_callback_scope scope;
    struct nw__command *command;

    if (binding->stopping ||
        napi_open_handle_scope(binding->env, &handles) != napi_ok) {
        return;
    }
    scope = enter(binding);
    command = nw__control_take();
    while (command != NULL) {
        struct nw__command *next = command->next;

        if (scope != NULL) {
            run_command(binding, command);
        }
        nw__command_destroy(command);
        command = next;
    }
    leave(binding, scope);
    napi_close_handle_scope(binding->env, handles);
}

static void on_control_cleanup(void *data)
{
    struct binding *binding = data;

    binding->stopping = true;
    nw__control_detach();
    close_async(binding);
}

// control(handlers): this environment takes the commands. Only the first one.
static napi_value js_control(napi_env env, napi_callback_info info)
{
    static atomic_bool taken;
    napi_value values[1];
    struct binding *binding = arguments(env, info, 1, 1, values);

    if (binding == NULL || atomic_exchange(&taken, true)) {
        return throw_error(env, "NW_EINVAL", "there is a control environment");
    }
    if (!open_async(binding, "NWPOOL_CONTROL", run_commands) ||
        napi_create_reference(env, values[0], 1, &binding->handlers) !=
            napi_ok) {
        close_async(binding);
        return throw_error(env, "NW_ENOMEM", "out of memory");
    }
    napi_add_env_cleanup_hook(env, on_control_cleanup, binding);
    nw__control_attach(wake_async, binding);
    return NULL;
}

// -- init

static void define_event_types(napi_env env, napi_value exports)
{
    static const struct {
        const char *name;
        enum event_type type;
    } types[] = {
        {"ONLINE", EVENT_ONLINE},
        {"MESSAGE", EVENT_MESSAGE},
        {"MESSAGE_ERROR", EVENT_MESSAGE_ERROR},
        {"ERROR", EVENT_ERROR},
        {"EXIT", EVENT_EXIT},
    };
    napi_value object;

    if (napi_create_object(env, &object) != napi_ok) {
        return;
    }
    for (size_t i = 0; i < NW_ARRAY_SIZE(types); i++) {
        set_number(env, object, types[i].name, types[i].type);
    }
    napi_set_named_property(env, exports, "EVENT", object);
}

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

static void define_functions(napi_env env, napi_value exports)
{
    static const struct {
        const char *name;
        napi_callback callback;
    } functions[] = {
        {"control", js_control},
        {"event", js_event},
        {"output", js_output},
        {"encodable", js_encodable},
        {"attach", js_attach},
        {"ready", js_ready},
        {"bootFailed", js_boot_failed},
        {"fail", js_fail},
        {"missing", js_missing},
        {"done", js_done},
        {"pending", js_pending},
        {"functionName", js_function_name},
        {"asyncId", js_async_id},
        {"tracing", js_tracing},
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(functions); i++) {
        napi_value function;

        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                                 functions[i].callback, NULL,
                                 &function) == napi_ok) {
            napi_set_named_property(env, exports, functions[i].name, function);
        }
    }
}

napi_value nw__binding_init(napi_env env, napi_value exports)
{
    struct binding *binding = nw__alloc_zero(sizeof(*binding));

    if (binding == NULL) {
        return throw_error(env, "NW_ENOMEM", "out of memory");
    }
    binding->env = env;
    binding->references = 1;
    if (napi_set_instance_data(env, binding, finalize, NULL) != napi_ok) {
        nw__free(binding);
        return throw_error(env, "NW_ENOMEM", "out of memory");
    }
    define_functions(env, exports);
    define_event_types(env, exports);
    define_hidden_variables(env, exports);
    set_string(env, exports, "bootstrap", nw__script_bootstrap);
    set_string(env, exports, "nodePath", nw__runtime_node_path());
    return exports;
}

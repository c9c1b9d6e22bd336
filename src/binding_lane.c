// The worker of a lane: the pump that calls the trampoline in pool.js, and what
// the pool asks besides.
//
// Invariants
//   Requests are answered before the next task is started, and from the moment
//   the lane is attached. Tasks are started between ready() and the request to
//   end.
//   After `stopping` was seen no JavaScript is called any more: every call
//   would fail, and the jobs that were running stay in the lane for the
//   cleanup hook.

#include <stdio.h>

#include "src/binding_task.h"
#include "src/hooks.h"
#include "src/registry.h"

// How long one callback scope may hold back the microtasks and next-ticks of
// the tasks in it, and the event loop its timers and sockets.
#define SCOPE_NS (1 * NW__NS_PER_MS)

// As many as NW_TASK_ARGUMENTS_MAX, which is the pool's to know.
#define ARGUMENTS_MAX 64

// -- running tasks

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
        nw__task_fail(binding, status, why);
    }
    return false;
}

// The call came back without a value, and nobody interrupted it. run() catches
// everything a task can throw, so this is the end of the worker, or an exception
// in our own script.
static void note_failed_call(struct nw__binding *binding)
{
    nw__binding_drop_exception(binding->env);
    binding->stopping = nw__binding_is_stopping(binding->env);
    if (!binding->stopping) {
        nw__task_fail(binding, NW_ETHROWN, "the task's trampoline threw");
    }
}

// Until this has said that nothing was hit, a call that failed does not mean
// that the environment goes down.
static void end_call(struct nw__binding *binding, uint64_t id,
                     napi_status status)
{
    char stack[NW__STACK_TEXT_MAX];
    enum nw__hit hit;

    binding->inside = 0;
    hit = nw__engine_guard_take_hit(binding->guard, stack, sizeof(stack));
    if (hit == NW__HIT_NONE) {
        if (status != napi_ok) {
            note_failed_call(binding);
        }
        return;
    }
    binding->stopping = hit == NW__HIT_BROKEN;
    binding->was_hit = true;
    nw__task_interrupted(binding, id, stack);
}

static void call_run(struct nw__binding *binding)
{
    napi_env env = binding->env;
    uint64_t id = binding->current.id;
    napi_value run, receiver, result;
    napi_value values[1 + ARGUMENTS_MAX];
    uint32_t count = binding->current.arguments.value_count;
    napi_status status;

    if (!decode_arguments(binding, values + 1)) {
        return;
    }
    napi_get_reference_value(env, binding->run, &run);
    napi_get_undefined(env, &receiver);
    napi_create_uint32(env, binding->current.function, &values[0]);
    binding->inside = id;
    status = napi_call_function(env, receiver, run, 1 + count, values, &result);
    if (status == napi_ok) {
        nw__task_finish(binding, result);
    }
    end_call(binding, id, status);
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
// True: there may be more. There is room for one.
static bool run_batch(struct nw__binding *binding, uint64_t end_ns)
{
    uint32_t pending = binding->pending_count;

    while (!binding->stopping) {
        if (!nw__lane_next(binding->lane, binding->now_ns, &binding->current)) {
            return false;
        }
        run_current(binding);
        if (binding->pending_count > pending || binding->was_hit) {
            return true;
        }
        // The job is the pool's again; its end is the cheapest clock.
        if (binding->now_ns >= end_ns) {
            return true;
        }
    }
    return false;
}

static bool has_room(const struct nw__binding *binding)
{
    return nw__lane_has_room(binding->lane);
}

static void note_memory(struct nw__binding *binding)
{
    uint64_t heap_bytes, external_bytes;

    nw__engine_guard_memory(binding->guard, &heap_bytes, &external_bytes);
    binding->lane->memory = heap_bytes + external_bytes;
}

// One turn of the event loop's worth of tasks.
static void pump_turn(struct nw__binding *binding)
{
    uint64_t end_ns;
    bool more = true;

    binding->now_ns = nw__now_ns();
    end_ns = binding->now_ns + SCOPE_NS;
    note_memory(binding);

    while (more && !binding->stopping && has_room(binding)) {
        napi_callback_scope scope = nw__binding_enter(binding);

        // What the last scope left behind may have ended the worker: a job
        // that was started now would be lost with it.
        binding->stopping =
            scope == NULL || nw__binding_is_stopping(binding->env);
        more = run_batch(binding, end_ns);
        nw__binding_leave(binding, scope);
        binding->was_hit = false;
        binding->now_ns = nw__now_ns();
        if (binding->now_ns >= end_ns) {
            break;
        }
    }
    // With no room, the task that makes some pumps again.
    if (more && has_room(binding) && binding->async_open) {
        uv_async_send(&binding->async);
    }
}

// -- requests

// Calls the function of pool.js that is for it.
static void answer_request(struct nw__binding *binding,
                           const struct nw__lane_request *request)
{
    static const char *const names[] = {
        [NW__LANE_ABORT] = "abort",
        [NW__LANE_ROOM] = "room",
        [NW__LANE_END] = "end",
    };
    napi_env env = binding->env;
    napi_value asked, function, ignored;
    napi_value values[2];

    if (request->type == NW__LANE_END) {
        binding->ready = false;
    }
    if (napi_get_reference_value(env, binding->asked, &asked) != napi_ok ||
        napi_get_named_property(env, asked, names[request->type], &function) !=
            napi_ok ||
        napi_create_int64(env, (int64_t)request->id, &values[0]) != napi_ok ||
        napi_create_string_utf8(env, request->reason, NAPI_AUTO_LENGTH,
                                &values[1]) != napi_ok ||
        napi_call_function(env, asked, function, 2, values, &ignored) !=
            napi_ok) {
        nw__binding_drop_exception(env);
        binding->stopping = nw__binding_is_stopping(env);
    }
}

static void answer_requests(struct nw__binding *binding)
{
    struct nw__lane_request *requests = nw__lane_requests(binding->lane);
    napi_callback_scope scope;

    if (requests == NULL) {
        return;
    }
    scope = nw__binding_enter(binding);
    binding->stopping = scope == NULL || nw__binding_is_stopping(binding->env);
    while (requests != NULL) {
        struct nw__lane_request *next = requests->next;

        if (!binding->stopping) {
            answer_request(binding, requests);
        }
        nw__free(requests);
        requests = next;
    }
    nw__binding_leave(binding, scope);
}

static void pump(uv_async_t *async)
{
    struct nw__binding *binding = async->data;
    napi_handle_scope scope;

    if (binding->stopping || binding->run == NULL ||
        napi_open_handle_scope(binding->env, &scope) != napi_ok) {
        return;
    }
    binding->pumping = true;
    answer_requests(binding);
    if (binding->ready && !binding->stopping) {
        pump_turn(binding);
    }
    binding->pumping = false;
    napi_close_handle_scope(binding->env, scope);
}

// -- the guard. The first three under the lane's lock, on any thread.

static void on_interrupt(void *context, uint64_t id)
{
    nw__engine_guard_interrupt(((struct nw__binding *)context)->guard, id);
}

static void on_sample(void *context, uint64_t id)
{
    nw__engine_guard_sample(((struct nw__binding *)context)->guard, id);
}

static bool on_copy_sample(void *context, uint64_t id, char *text, size_t size)
{
    return nw__engine_guard_copy_sample(((struct nw__binding *)context)->guard,
                                        id, text, size);
}

static const struct nw__lane_script script = {
    .interrupt = on_interrupt,
    .sample = on_sample,
    .copy_sample = on_copy_sample,
};

// This thread, inside JavaScript.
static uint64_t running(void *context)
{
    return ((struct nw__binding *)context)->inside;
}

// This thread, which goes on no more.
static void on_out_of_memory(void *context)
{
    struct nw__binding *binding = context;

    binding->stopping = true;
    if (binding->lane != NULL) {
        nw__lane_park(binding->lane, nw__engine_guard_parked());
    }
}

static bool open_guard(struct nw__binding *binding)
{
    const struct nw__guard_hooks hooks = {
        .running = running,
        .out_of_memory = on_out_of_memory,
        .context = binding,
    };

    binding->guard = nw__engine_guard_create(binding->env, &hooks);
    return binding->guard != NULL;
}

// -- what pool.js calls

static void close_lane(struct nw__binding *binding)
{
    nw__tasks_close(binding);
    nw__engine_guard_destroy(binding->guard);
    binding->guard = NULL;
    binding->lane = NULL;
    nw__binding_delete_reference(binding->env, &binding->run);
    nw__binding_delete_reference(binding->env, &binding->asked);
    nw__binding_close_async(binding);
}

static void on_lane_cleanup(void *data)
{
    struct nw__binding *binding = data;

    binding->stopping = true;
    nw__lane_detach(binding->lane);
    close_lane(binding);
}

// For debuggers and top -H; the thread has its creator's name otherwise.
static void name_thread(uint32_t number)
{
    char name[16]; // All that the kernel keeps.

    snprintf(name, sizeof(name), "nwpool-w%u", number % 1000000);
    pthread_setname_np(pthread_self(), name);
}

// What pool.js wants to know of its lane.
static napi_value describe_lane(napi_env env, const struct nw__lane *lane)
{
    napi_value object = NULL;

    if (napi_create_object(env, &object) != napi_ok) {
        return NULL;
    }
    nw__binding_set_number(env, object, "concurrency", lane->concurrency);
    if (lane->set_up != NULL) {
        nw__binding_set_string(env, object, "setUp", lane->set_up);
    }
    if (lane->tear_down != NULL) {
        nw__binding_set_string(env, object, "tearDown", lane->tear_down);
    }
    return object;
}

// attach(number, run, asked): this environment is the worker of that lane,
// which is described. `asked` has the functions abort(id, reason), room(id),
// end() and taskId(), for nw__binding_task().
static napi_value js_attach(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 3, 3, values);
    const struct nw__hooks *hooks = nw__hooks();
    struct nw__lane *lane;
    uint32_t number;

    if (binding == NULL || !nw__binding_get_number(env, values[0], &number)) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "attach(number, run, asked)");
    }
    lane = nw__worker_lane(number);
    if (lane == NULL || binding->async_open) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "there is no such lane to take");
    }
    binding->lane = lane;
    if (!nw__tasks_reserve(binding, binding->lane->concurrency) ||
        !open_guard(binding) ||
        !nw__binding_open_async(binding, "NWPOOL_LANE", pump) ||
        napi_create_reference(env, values[1], 1, &binding->run) != napi_ok ||
        napi_create_reference(env, values[2], 1, &binding->asked) != napi_ok ||
        !nw__lane_attach(lane, nw__binding_wake, binding)) {
        close_lane(binding);
        return nw__binding_throw(env, "NW_ECLOSED", "the lane is closed");
    }
    nw__lane_set_script(lane, &script);
    name_thread(lane->number);
    napi_add_env_cleanup_hook(env, on_lane_cleanup, binding);
    if (hooks != NULL) {
        hooks->worker_started(lane->number, lane->pool_name);
    }
    uv_async_send(&binding->async); // For what was asked before.
    return describe_lane(env, lane);
}

static struct nw__binding *lane_arguments(napi_env env, napi_callback_info info,
                                          size_t count, napi_value *values)
{
    struct nw__binding *binding =
        nw__binding_arguments(env, info, count, count, values);

    if (binding != NULL && binding->lane == NULL) {
        nw__binding_throw(env, "NW_EINVAL", "not the worker of a pool");
        return NULL;
    }
    return binding;
}

// ready(): the module is loaded and set up.
static napi_value js_ready(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = lane_arguments(env, info, 0, NULL);

    if (binding != NULL) {
        binding->lane->source->ready(binding->lane->owner, binding->lane);
        binding->ready = true;
        uv_async_send(&binding->async);
    }
    return NULL;
}

// bootFailed(record)
static napi_value js_boot_failed(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding = lane_arguments(env, info, 1, values);
    struct nw__message record = {0};

    if (binding != NULL) {
        // A plain object by construction.
        nw__engine_encode(binding->codec, values[0], NULL, &record, NULL, 0);
        binding->lane->source->boot_failed(binding->lane->owner, binding->lane,
                                           &record);
        nw__message_fini(&record);
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
        {"attach", js_attach},
        {"ready", js_ready},
        {"bootFailed", js_boot_failed},
        {"tracing", js_tracing},
    };

    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
}

// A pool here is a C pool whose owner is this environment (pool/internal.h):
// arguments are encoded and results decoded on its thread, by V8, and nothing on
// the way is read in between. Results come in batches: one call of settle() has
// up to BATCH of them.
//
// Invariants
//   A pool is in the state's list from its creation until nwpool__destroy_end(),
//   which is called once, by destroyEnd() or by the environment's cleanup. The
//   struct lives as long as its handle in JavaScript, too.
//   After `stopping` no JavaScript is called: what is still delivered is dropped.
//
// Lock order: none is held here, but that of the sources, a leaf.

#include "binding/host.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pool/internal.h"
#include "src/binding_task.h"
#include "src/detail.h"
#include "src/registry.h"

// Results that one call brings to JavaScript, and handles that are open at once.
#define BATCH 64

#define LIST_MAX 1024 // Tasks that list() describes.

struct host_state {
    struct nw__binding *binding;
    nw_inbox *inbox;
    napi_async_context context;
    napi_ref resource;
    napi_ref settle; // (slot, value, slot, value, ...)
    napi_ref fail;   // (slot, status, exit code, worker, crashes, task, record)
    napi_ref sent;   // (slot, value, bytes, error text)
    napi_ref event;  // (pool, an event)
    napi_ref output; // (pool, task, fd, a buffer)
    struct host_pool *pools;
    char **names; // Of functions, by the number that define() gave.
    uint32_t name_count;
    bool stopping;
    struct post *post; // Of a worker: what its own tasks came to.

    // The batch that is being collected.
    napi_handle_scope scope;
    napi_value values[2 * BATCH];
    uint32_t count;
};

struct host_pool {
    struct nwpool__host host;
    struct host_state *state;
    struct host_pool *next;
    nwpool *pool; // NULL: it is gone.
    bool has_handle;

    // Plain tasks that flush() submits, all with one lock and one wake.
    struct nwpool__plain plain[BATCH];
    uint32_t plain_count;
};

// -- sources of functions that were given as text, for workers to compile

#define SOURCE_BUCKETS 64

struct source {
    struct source *next;
    char *name;
    char *text;
    size_t size;
};

static struct {
    nw__mutex lock;

    // -- protected by lock
    struct source *buckets[SOURCE_BUCKETS];
} sources = {.lock = NW__MUTEX_INIT};

static uint32_t hash(const char *name)
{
    uint32_t value = 2166136261u; // FNV-1a

    while (*name != '\0') {
        value = (value ^ (uint8_t)*name++) * 16777619u;
    }
    return value;
}

// Caller holds the lock.
static struct source *source_find(const char *name)
{
    struct source *source = sources.buckets[hash(name) % SOURCE_BUCKETS];

    while (source != NULL && strcmp(source->name, name) != 0) {
        source = source->next;
    }
    return source;
}

// Takes both. Sources live as long as the process: a worker may ask at any time.
static void source_add(char *name, char *text, size_t size)
{
    struct source *source = nw__alloc_zero(sizeof(*source));
    struct source **bucket = &sources.buckets[hash(name) % SOURCE_BUCKETS];

    nw__mutex_lock(&sources.lock);
    if (source != NULL && source_find(name) == NULL) {
        *source = (struct source){*bucket, name, text, size};
        *bucket = source;
        source = NULL;
        name = NULL;
        text = NULL;
    }
    nw__mutex_unlock(&sources.lock);
    nw__free(name);
    nw__free(text);
    nw__free(source);
}

// -- small helpers

static napi_value fail_with(napi_env env, nw_status status)
{
    const char *detail = nw_status_detail();

    return nw__binding_throw(env, nw_status_name(status),
                             detail[0] != '\0' ? detail
                                               : nw_status_message(status));
}

// To be freed; NULL with an exception.
static char *get_text(napi_env env, napi_value value, size_t *out_size)
{
    size_t size = 0;
    char *text;

    if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) {
        nw__binding_throw(env, "NW_EINVAL", "a string was expected");
        return NULL;
    }
    text = nw__alloc(size + 1);
    if (text == NULL) {
        nw__binding_throw(env, "NW_ENOMEM", "out of memory");
        return NULL;
    }
    napi_get_value_string_utf8(env, value, text, size + 1, &size);
    if (out_size != NULL) {
        *out_size = size;
    }
    return text;
}

static bool is_undefined(napi_env env, napi_value value)
{
    napi_valuetype type = napi_undefined;

    napi_typeof(env, value, &type);
    return type == napi_undefined;
}

// A number of an options object; `fallback` when it is not there.
static double get_option(napi_env env, napi_value options, const char *key,
                         double fallback)
{
    napi_value value;
    double number = fallback;

    if (napi_get_named_property(env, options, key, &value) == napi_ok) {
        napi_get_value_double(env, value, &number);
    }
    return number;
}

static bool get_flag(napi_env env, napi_value options, const char *key)
{
    napi_value value;
    bool flag = false;

    if (napi_get_named_property(env, options, key, &value) == napi_ok) {
        napi_get_value_bool(env, value, &flag);
    }
    return flag;
}

// As get_text(); NULL without an exception when it is not there.
static char *get_text_option(napi_env env, napi_value options, const char *key)
{
    napi_value value;

    if (napi_get_named_property(env, options, key, &value) != napi_ok ||
        is_undefined(env, value)) {
        return NULL;
    }
    return get_text(env, value, NULL);
}

static struct host_state *state_of(struct nw__binding *binding)
{
    return binding != NULL ? binding->host : NULL;
}

// The pool of a call's first argument. NULL with an exception: none, or gone.
static struct host_pool *pool_of(napi_env env, napi_value value)
{
    struct host_pool *pool = NULL;

    if (napi_get_value_external(env, value, (void **)&pool) != napi_ok) {
        nw__binding_throw(env, "NW_EINVAL", "not a pool");
        return NULL;
    }
    if (pool->pool == NULL) {
        nw__binding_throw(env, "NW_ECLOSED", "the pool is closed");
        return NULL;
    }
    return pool;
}

// Of a call with nothing but a pool.
static struct host_pool *pool_argument(napi_env env, napi_callback_info info)
{
    napi_value values[1];

    return nw__binding_arguments(env, info, 1, 1, values) != NULL
               ? pool_of(env, values[0])
               : NULL;
}

// -- delivery

// Calls one of the functions of host(). An exception there is a mistake of our own
// script or of a listener: it is the program's, as one in any callback.
static void call(struct host_state *state, napi_ref function, size_t count,
                 napi_value *values)
{
    napi_env env = state->binding->env;
    napi_value receiver, callee, ignored, exception;

    if (state->stopping ||
        napi_get_reference_value(env, function, &callee) != napi_ok ||
        napi_get_undefined(env, &receiver) != napi_ok) {
        return;
    }
    if (napi_call_function(env, receiver, callee, count, values, &ignored) !=
            napi_pending_exception ||
        napi_get_and_clear_last_exception(env, &exception) != napi_ok) {
        return;
    }
    // With an exception every environment seems to stop: it is cleared by now.
    if (nw__binding_is_stopping(env)) {
        state->stopping = true;
    } else {
        napi_fatal_exception(env, exception);
    }
}

static void flush(struct host_state *state)
{
    uint32_t count = state->count;

    state->count = 0;
    if (count > 0) {
        call(state, state->settle, count, state->values);
    }
    if (state->scope != NULL) {
        napi_close_handle_scope(state->binding->env, state->scope);
        state->scope = NULL;
    }
}

// Within it values can be made until the next flush().
static bool open_batch(struct host_state *state)
{
    if (state->stopping) {
        return false;
    }
    if (state->count == 2 * BATCH) {
        flush(state);
    }
    return state->scope != NULL ||
           napi_open_handle_scope(state->binding->env, &state->scope) ==
               napi_ok;
}

static nw_status decode(struct host_state *state, struct nw__message *message,
                        napi_value *value, char *why, size_t size)
{
    return nw__engine_decode(state->binding->codec, message, value, 1, NULL,
                             why, size);
}

// How a task ended, for whoever waits for it here.
struct outcome {
    int64_t slot;
    nw_status status;
    int exit_code;
    uint32_t worker;
    uint32_t crashes;
    uint64_t task;
    struct nw__message *message; // To be moved out of, or not.
};

static struct outcome outcome_of(struct nwpool__task *task, int64_t slot)
{
    return (struct outcome){
        .slot = slot,
        .status = task->job.status,
        .exit_code = task->job.exit_code,
        .worker = task->job.worker,
        .crashes = task->crashes,
        .task = task->job.id,
        .message = &task->job.message,
    };
}

static void fail(struct host_state *state, const struct outcome *outcome,
                 nw_status status, const char *text)
{
    napi_env env = state->binding->env;
    char why[NW__ERROR_TEXT_MAX];
    napi_value values[8];

    flush(state);
    if (!open_batch(state)) {
        return;
    }
    if (text != NULL || decode(state, outcome->message, &values[6], why,
                               sizeof(why)) != NW_OK) {
        napi_get_undefined(env, &values[6]);
    }
    napi_create_int64(env, outcome->slot, &values[0]);
    napi_create_string_utf8(env, nw_status_name(status), NAPI_AUTO_LENGTH,
                            &values[1]);
    napi_create_int32(env, outcome->exit_code, &values[2]);
    napi_create_uint32(env, outcome->worker, &values[3]);
    napi_create_uint32(env, outcome->crashes, &values[4]);
    napi_create_int64(env, (int64_t)outcome->task, &values[5]);
    napi_create_string_utf8(env, text != NULL ? text : "", NAPI_AUTO_LENGTH,
                            &values[7]);
    call(state, state->fail, 8, values);
    flush(state);
}

static void tell(struct host_state *state, const struct outcome *outcome)
{
    char why[NW__ERROR_TEXT_MAX] = "";
    nw_status status = outcome->status;

    if (!open_batch(state)) {
        return;
    }
    if (status != NW_OK) {
        fail(state, outcome, status, NULL);
        return;
    }
    status = decode(state, outcome->message, &state->values[state->count + 1],
                    why, sizeof(why));
    if (status == NW_ESTOPPED) {
        state->stopping = true;
        return;
    }
    if (status != NW_OK) {
        fail(state, outcome, status, why);
        return;
    }
    napi_create_int64(state->binding->env, outcome->slot,
                      &state->values[state->count]);
    state->count += 2;
}

static void done(void *context, struct nwpool__task *task)
{
    struct host_pool *pool = context;
    const struct outcome outcome =
        outcome_of(task, (int64_t)(intptr_t)task->user_data);

    tell(pool->state, &outcome);
}

static bool sent(void *context, void *user_data, uint64_t index,
                 struct nw__message *value, size_t bytes)
{
    struct host_pool *pool = context;
    struct host_state *state = pool->state;
    char why[NW__ERROR_TEXT_MAX] = "";
    napi_env env = state->binding->env;
    napi_value values[4];

    (void)index;
    flush(state);
    if (!open_batch(state)) {
        return true;
    }
    napi_get_undefined(env, &values[3]);
    if (decode(state, value, &values[1], why, sizeof(why)) != NW_OK) {
        napi_get_undefined(env, &values[1]);
        napi_create_string_utf8(env, why, NAPI_AUTO_LENGTH, &values[3]);
    }
    napi_create_int64(env, (int64_t)(intptr_t)user_data, &values[0]);
    napi_create_int64(env, (int64_t)bytes, &values[2]);
    call(state, state->sent, 4, values);
    flush(state);
    return false;
}

static const char *const event_names[] = {
    [NWPOOL_WORKER_STARTED] = "workerStarted",
    [NWPOOL_WORKER_READY] = "workerReady",
    [NWPOOL_WORKER_EXITED] = "workerExited",
    [NWPOOL_WORKER_REPLACED] = "workerReplaced",
    [NWPOOL_WORKER_WEDGED] = "workerWedged",
    [NWPOOL_WORKER_RECYCLED] = "workerRecycled",
    [NWPOOL_DEGRADED] = "degraded",
    [NWPOOL_RECOVERED] = "recovered",
    [NWPOOL_FAILED] = "failed",
    [NWPOOL_HIGH_WATER] = "highWater",
    [NWPOOL_LOW_WATER] = "lowWater",
    [NWPOOL_RELOADED] = "reloaded",
    [NWPOOL_RELOAD_FAILED] = "reloadFailed",
    [NWPOOL_TASK_RETRIED] = "taskRetried",
    [NWPOOL_TASK_QUARANTINED] = "taskQuarantined",
};

static void set_double(napi_env env, napi_value object, const char *key,
                       double number)
{
    napi_value value;

    if (napi_create_double(env, number, &value) == napi_ok) {
        napi_set_named_property(env, object, key, value);
    }
}

static void on_event(const nwpool_event *event, void *user_data)
{
    struct host_pool *pool = user_data;
    struct host_state *state = pool->state;
    napi_env env = state->binding->env;
    napi_value values[2];

    flush(state);
    if (!open_batch(state)) {
        return;
    }
    napi_create_uint32(env, pool->host.number, &values[0]);
    napi_create_object(env, &values[1]);
    nw__binding_set_string(env, values[1], "type", event_names[event->type]);
    nw__binding_set_number(env, values[1], "worker", event->worker);
    nw__binding_set_number(env, values[1], "replacement", event->replacement);
    set_double(env, values[1], "exitCode", event->exit_code);
    set_double(env, values[1], "task", (double)event->task.value);
    nw__binding_set_string(env, values[1], "reason", event->reason);
    if (event->error != NULL) {
        nw__binding_set_string(env, values[1], "errorName", event->error->name);
        nw__binding_set_string(env, values[1], "errorMessage",
                               event->error->message);
        nw__binding_set_string(env, values[1], "errorStack",
                               event->error->stack);
    }
    call(state, state->event, 2, values);
    flush(state);
}

static void on_output(const nw_task_output *output, void *user_data)
{
    struct host_pool *pool = user_data;
    struct host_state *state = pool->state;
    napi_env env = state->binding->env;
    napi_value values[4];
    void *ignored;

    flush(state);
    if (!open_batch(state)) {
        return;
    }
    napi_create_uint32(env, pool->host.number, &values[0]);
    napi_create_int64(env, (int64_t)output->task.value, &values[1]);
    napi_create_int32(env, output->fd, &values[2]);
    if (napi_create_buffer_copy(env, output->data_size, output->data, &ignored,
                                &values[3]) == napi_ok) {
        call(state, state->output, 4, values);
    }
    flush(state);
}

// Runs `action` where JavaScript can be called.
static void enter(struct host_state *state, void (*action)(void *context),
                  void *context)
{
    napi_env env = state->binding->env;
    napi_handle_scope handles;
    napi_callback_scope scope = NULL;
    napi_value resource;

    if (state->stopping || napi_open_handle_scope(env, &handles) != napi_ok) {
        return;
    }
    if (napi_get_reference_value(env, state->resource, &resource) == napi_ok) {
        napi_open_callback_scope(env, resource, state->context, &scope);
    }
    action(context);
    flush(state);
    if (scope != NULL) {
        napi_close_callback_scope(env, scope);
    }
    napi_close_handle_scope(env, handles);
}

static void deliver_pool(void *context)
{
    nwpool__deliver(((struct host_pool *)context)->pool);
}

static void deliver(void *context)
{
    enter(((struct host_pool *)context)->state, deliver_pool, context);
}

static void never(const nw_result *result, void *user_data)
{
    (void)result;
    (void)user_data;
    NW_ASSERT(!"a result of a pool with a host");
}

// Any but NULL: what a task sends goes to the host.
static void never_sent(const nw_sent *value, void *user_data)
{
    (void)value;
    (void)user_data;
    NW_ASSERT(!"a value of a pool with a host");
}

// -- pools

static void pool_free(struct host_pool *pool)
{
    if (pool->pool == NULL && !pool->has_handle) {
        nw__free(pool);
    }
}

static void on_handle_gone(napi_env env, void *data, void *hint)
{
    struct host_pool *pool = data;

    (void)env;
    (void)hint;
    pool->has_handle = false;
    pool_free(pool);
}

static void read_options(napi_env env, napi_value from, nwpool_options *out)
{
    napi_value limits;

#define NUMBER(field, key)                                                     \
    out->field = (__typeof__(out->field))get_option(env, from, key, 0)
    NUMBER(workers, "maxWorkers");
    NUMBER(queue_max, "queueMax");
    NUMBER(idle_ms, "idleTimeout");
    NUMBER(spares, "spares");
    NUMBER(concurrency, "concurrency");
    NUMBER(queue_bytes_max, "queueBytesMax");
    NUMBER(high_water, "highWater");
    NUMBER(low_water, "lowWater");
    NUMBER(ageing_ms, "ageing");
    NUMBER(expiry_ms, "expiry");
    NUMBER(run_limit_ms, "runLimit");
    NUMBER(escalation_ms, "escalation");
    NUMBER(set_up_ms, "setUpTimeout");
    NUMBER(tear_down_ms, "tearDownTimeout");
    NUMBER(recycle_tasks, "recycleTasks");
    NUMBER(recycle_ms, "recycleAge");
    NUMBER(recycle_bytes, "recycleMemory");
    NUMBER(workers_min, "minWorkers");
#undef NUMBER
    // Not there is "as many as maxWorkers", and 0 is none.
    if (get_option(env, from, "minWorkers", -1) == 0) {
        out->workers_min = NW_POOL_NO_MIN;
    }
    out->interruptible = get_flag(env, from, "interruptible");
    if (napi_get_named_property(env, from, "resourceLimits", &limits) ==
            napi_ok &&
        !is_undefined(env, limits)) {
        out->limits = (nw_resource_limits){
            .max_old_generation_size_mb =
                get_option(env, limits, "maxOldGenerationSizeMb", 0),
            .max_young_generation_size_mb =
                get_option(env, limits, "maxYoungGenerationSizeMb", 0),
            .code_range_size_mb = get_option(env, limits, "codeRangeSizeMb", 0),
            .stack_size_mb = get_option(env, limits, "stackSizeMb", 0),
        };
    }
}

static nw_status create(struct host_state *state, napi_value from,
                        struct host_pool *pool)
{
    napi_env env = state->binding->env;
    nwpool_options options = {.struct_size = sizeof(options)};
    char *module = get_text_option(env, from, "module");
    char *name = get_text_option(env, from, "name");
    char *set_up = get_text_option(env, from, "setUp");
    char *tear_down = get_text_option(env, from, "tearDown");
    nw_status status;

    read_options(env, from, &options);
    options.module = module;
    options.name = name;
    options.set_up = set_up;
    options.tear_down = tear_down;
    options.on_event = on_event;
    options.event_data = pool;
    options.on_output = on_output;
    options.output_data = pool;
    options.inbox = state->inbox;
    pool->state = state;
    pool->host = (struct nwpool__host){
        .control = state->binding->control,
        .number = (uint32_t)get_option(env, from, "number", 0),
        .deliver = deliver,
        .done = done,
        .sent = sent,
        .context = pool,
    };
    status = nwpool__create(&pool->pool, &options, &pool->host);
    nw__free(module);
    nw__free(name);
    nw__free(set_up);
    nw__free(tear_down);
    return status;
}

// createPool(options): a handle.
static napi_value js_create_pool(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct host_state *state =
        state_of(nw__binding_arguments(env, info, 1, 1, values));
    struct host_pool *pool;
    napi_value handle = NULL;
    nw_status status;

    if (state == NULL || state->inbox == NULL) {
        return nw__binding_throw(env, "NW_EINVAL", "createPool(options)");
    }
    pool = nw__alloc_zero(sizeof(*pool));
    if (pool == NULL) {
        return fail_with(env, NW_ENOMEM);
    }
    status = create(state, values[0], pool);
    if (status != NW_OK) {
        nw__free(pool);
        return fail_with(env, status);
    }
    pool->next = state->pools;
    state->pools = pool;
    pool->has_handle = true;
    if (napi_create_external(env, pool, on_handle_gone, NULL, &handle) !=
        napi_ok) {
        pool->has_handle = false; // The cleanup has it.
        return fail_with(env, NW_ENOMEM);
    }
    return handle;
}

// -- tasks

// define(name): the number of a function's name.
static napi_value js_define(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct host_state *state =
        state_of(nw__binding_arguments(env, info, 1, 1, values));
    napi_value result = NULL;
    char **names;
    char *name;

    if (state == NULL) {
        return nw__binding_throw(env, "NW_EINVAL", "define(name)");
    }
    name = get_text(env, values[0], NULL);
    if (name == NULL) {
        return NULL;
    }
    names = nw__realloc(state->names,
                        (state->name_count + 1) * sizeof(*state->names));
    if (names == NULL) {
        nw__free(name);
        return fail_with(env, NW_ENOMEM);
    }
    state->names = names;
    names[state->name_count] = name;
    napi_create_uint32(env, state->name_count++, &result);
    return result;
}

// What encode() needs, on the caller's stack.
struct arguments {
    struct host_state *state;
    const napi_value *values;
    size_t count;
    napi_value transfer;
    char *why;
    size_t why_size;
};

static nw_status encode(void *context, struct nw__message *out)
{
    struct arguments *arguments = context;

    return nw__engine_encode_flat(
        arguments->state->binding->codec, arguments->values, arguments->count,
        arguments->transfer, out, arguments->why, arguments->why_size);
}

static void read_spec(napi_env env, napi_value from, nw_task_spec *spec)
{
    double interruptible = get_option(env, from, "interruptible", 0);

    spec->priority = (int)get_option(env, from, "priority", 0);
    spec->expiry_ms = (uint32_t)get_option(env, from, "expiry", 0);
    spec->run_limit_ms = (uint32_t)get_option(env, from, "runLimit", 0);
    spec->retries = (uint32_t)get_option(env, from, "retries", 0);
    spec->interruptible = (nw_interruptible)interruptible;
    spec->on_sent = get_flag(env, from, "sends") ? never_sent : NULL;
}

// Of submit() and submitEach(): pool, function, slot, transfer, spec, and then the
// arguments of the task.
#define FIXED 5

struct call {
    struct host_pool *pool;
    napi_value values[FIXED + NW_TASK_ARGUMENTS_MAX];
    nw_task_spec spec;
    struct arguments arguments;
    struct nwpool__cargo cargo;
    char why[NW__ERROR_TEXT_MAX];
};

static bool read_call(napi_env env, napi_callback_info info, bool is_own,
                      struct call *out)
{
    // One's own pool needs no name, so the first is left out.
    size_t first = is_own ? 1 : 0;
    size_t count = FIXED + NW_TASK_ARGUMENTS_MAX - first;
    const napi_value *values = out->values;
    struct nw__binding *binding = NULL;
    struct host_state *state;
    uint32_t function;
    int64_t slot;
    bool moves = false;

    if (napi_get_cb_info(env, info, &count, out->values + first, NULL,
                         (void **)&binding) != napi_ok) {
        return false;
    }
    count += first;
    if (count > FIXED + NW_TASK_ARGUMENTS_MAX) {
        nw__binding_throw(env, "NW_EINVAL", "a task has 64 arguments at most");
        return false;
    }
    state = state_of(binding);
    out->pool = state != NULL && !is_own ? pool_of(env, values[0]) : NULL;
    if (state == NULL || (out->pool == NULL && !is_own)) {
        return false;
    }
    if (!nw__binding_get_number(env, values[1], &function) ||
        function >= state->name_count ||
        napi_get_value_int64(env, values[2], &slot) != napi_ok) {
        nw__binding_throw(env, "NW_EINVAL",
                          "submit(pool, function, slot, ...)");
        return false;
    }
    out->spec = (nw_task_spec){
        .struct_size = sizeof(out->spec),
        .function = state->names[function],
        .on_done = never,
        .user_data = (void *)(intptr_t)slot,
    };
    napi_is_array(env, values[3], &moves);
    if (!is_undefined(env, values[4])) {
        read_spec(env, values[4], &out->spec);
    }
    out->why[0] = '\0';
    out->arguments = (struct arguments){
        .state = state,
        .values = values + FIXED,
        .count = count > FIXED ? count - FIXED : 0,
        .transfer = moves ? values[3] : NULL,
        .why = out->why,
        .why_size = sizeof(out->why),
    };
    out->cargo = (struct nwpool__cargo){
        .encode = encode, .context = &out->arguments, .moves = moves};
    return true;
}

static napi_value refused(napi_env env, const struct call *call,
                          nw_status status)
{
    const char *text = call->why[0] != '\0' ? call->why : nw_status_detail();

    return nw__binding_throw(env, nw_status_name(status),
                             text[0] != '\0' ? text
                                             : nw_status_message(status));
}

// -- plain tasks

// Into the array that flush() returns: slot, status, sentence, and so on.
static void note_refused(napi_env env, napi_value *list,
                         const struct nwpool__plain *plain)
{
    // The only limit that such a task can run into has a sentence of its own.
    const char *text = plain->status == NW_ELIMIT
                           ? nw_status_detail()
                           : nw_status_message(plain->status);
    napi_value value;
    uint32_t length = 0;

    if (*list == NULL && napi_create_array(env, list) != napi_ok) {
        return;
    }
    napi_get_array_length(env, *list, &length);
    napi_create_int64(env, (int64_t)(intptr_t)plain->user_data, &value);
    napi_set_element(env, *list, length, value);
    napi_create_string_utf8(env, nw_status_name(plain->status),
                            NAPI_AUTO_LENGTH, &value);
    napi_set_element(env, *list, length + 1, value);
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    napi_set_element(env, *list, length + 2, value);
}

// What was refused, or NULL.
static napi_value flush_plain(struct host_pool *pool)
{
    napi_env env = pool->state->binding->env;
    napi_value list = NULL;

    if (pool->plain_count == 0) {
        return NULL;
    }
    nwpool__submit_plain(pool->pool, pool->plain, pool->plain_count);
    for (uint32_t i = 0; i < pool->plain_count; i++) {
        if (pool->plain[i].status != NW_OK) {
            nw__message_fini(&pool->plain[i].arguments);
            note_refused(env, &list, &pool->plain[i]);
        }
    }
    pool->plain_count = 0;
    return list;
}

// flush(pool): [slot, status, sentence, ...] of what was refused; undefined when
// all that was added is accepted.
static napi_value js_flush(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);

    if (pool == NULL) {
        return NULL;
    }
    return flush_plain(pool);
}

// add(pool, function, slot, argument): a task that flush() submits. Returns true
// when that must come next. Throws what cannot be cloned.
static napi_value js_add(napi_env env, napi_callback_info info)
{
    size_t count = 4;
    napi_value values[4];
    struct nw__binding *binding = NULL;
    struct host_state *state;
    struct host_pool *pool;
    struct nwpool__plain *plain;
    struct nw__message message = {0};
    char why[NW__ERROR_TEXT_MAX] = "";
    uint32_t function;
    int64_t slot;
    nw_status status;
    napi_value result = NULL;

    napi_get_cb_info(env, info, &count, values, NULL, (void **)&binding);
    state = state_of(binding);
    pool = state != NULL ? pool_of(env, values[0]) : NULL;
    if (pool == NULL) {
        return NULL;
    }
    if (pool->plain_count == BATCH || count < 4 ||
        !nw__binding_get_number(env, values[1], &function) ||
        function >= state->name_count ||
        napi_get_value_int64(env, values[2], &slot) != napi_ok) {
        return nw__binding_throw(env, "NW_EINVAL", "add(pool, function, ...)");
    }
    status = nw__engine_encode_flat(binding->codec, &values[3], 1, NULL,
                                    &message, why, sizeof(why));
    // A getter of the argument may have added others, or closed the pool.
    if (status == NW_OK && (pool->pool == NULL || pool->plain_count == BATCH)) {
        nw__message_fini(&message);
        status = pool->pool == NULL ? NW_ECLOSED : NW_EFULL;
    }
    if (status != NW_OK) {
        return nw__binding_throw(env, nw_status_name(status),
                                 why[0] != '\0' ? why
                                                : nw_status_message(status));
    }
    plain = &pool->plain[pool->plain_count++];
    *plain = (struct nwpool__plain){.function = state->names[function],
                                    .user_data = (void *)(intptr_t)slot};
    nw__message_move(&plain->arguments, &message);
    if (pool->plain_count == BATCH) {
        napi_get_boolean(env, true, &result);
    }
    return result;
}

// submit(pool, function, slot, transfer, spec, ...arguments): the task's id. Throws
// what the pool refuses; 0 for one that is full.
static napi_value js_submit(napi_env env, napi_callback_info info)
{
    napi_value result = NULL;
    nw_task_id id = {0};
    struct call call;
    nw_status status;

    if (!read_call(env, info, false, &call)) {
        return NULL;
    }
    status = nwpool__submit(call.pool->pool, &call.spec, &call.cargo, &id);
    if (status != NW_OK && status != NW_EFULL) {
        return refused(env, &call, status);
    }
    napi_create_int64(env, (int64_t)id.value, &result);
    return result;
}

// submitEach(...): the same for each worker; how many there are.
static napi_value js_submit_each(napi_env env, napi_callback_info info)
{
    napi_value result = NULL;
    struct call call;
    size_t count = 0;
    nw_status status;

    if (!read_call(env, info, false, &call)) {
        return NULL;
    }
    status = nwpool__submit_each(call.pool->pool, &call.spec, &call.cargo, NULL,
                                 NW_POOL_WORKERS_MAX, &count);
    if (status != NW_OK) {
        return refused(env, &call, status);
    }
    napi_create_uint32(env, (uint32_t)count, &result);
    return result;
}

// cancel(pool, id, how, escalation): whether there is such a task.
static napi_value js_cancel(napi_env env, napi_callback_info info)
{
    napi_value values[4];
    struct host_pool *pool;
    uint64_t id;
    uint32_t how, escalation_ms;
    napi_value result = NULL;
    nw_status status;

    if (nw__binding_arguments(env, info, 4, 4, values) == NULL ||
        (pool = pool_of(env, values[0])) == NULL) {
        return NULL;
    }
    if (!nw__binding_get_id(env, values[1], &id) ||
        !nw__binding_get_number(env, values[2], &how) ||
        !nw__binding_get_number(env, values[3], &escalation_ms)) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "cancel(pool, id, how, escalation)");
    }
    status = nwpool_cancel(pool->pool, (nw_task_id){id}, (nw_cancel)how,
                           escalation_ms);
    if (status != NW_OK && status != NW_ENOENT) {
        return fail_with(env, status);
    }
    napi_get_boolean(env, status == NW_OK, &result);
    return result;
}

// taken(pool, id, bytes): a value that sent() brought.
static napi_value js_taken(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    struct host_pool *pool = NULL;
    uint64_t id, bytes;

    if (nw__binding_arguments(env, info, 3, 3, values) == NULL ||
        napi_get_value_external(env, values[0], (void **)&pool) != napi_ok ||
        !nw__binding_get_id(env, values[1], &id) ||
        !nw__binding_get_id(env, values[2], &bytes)) {
        return nw__binding_throw(env, "NW_EINVAL", "taken(pool, id, bytes)");
    }
    if (pool->pool != NULL) {
        nwpool__sent_taken(pool->pool, id, bytes);
    }
    return NULL;
}

// warmUp(pool, workers): how many to wait for, 0 being as many as it has without
// a load.
static napi_value js_warm_up(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    napi_value result = NULL;
    struct host_pool *pool;
    uint32_t workers;
    nw_status status;

    if (nw__binding_arguments(env, info, 2, 2, values) == NULL ||
        (pool = pool_of(env, values[0])) == NULL) {
        return NULL;
    }
    if (!nw__binding_get_number(env, values[1], &workers)) {
        return nw__binding_throw(env, "NW_EINVAL", "warmUp(pool, workers)");
    }
    nw__detail_clear();
    status = nwpool__warm_up_begin(pool->pool, &workers);
    if (status != NW_OK) {
        return fail_with(env, status);
    }
    napi_create_uint32(env, workers, &result);
    return result;
}

// -- what a pool says of itself

static void set_times(napi_env env, napi_value stats, const char *key,
                      const nw_times *times)
{
    napi_value object;

    if (napi_create_object(env, &object) != napi_ok) {
        return;
    }
    set_double(env, object, "count", (double)times->count);
    set_double(env, object, "mean", (double)times->mean / 1e6);
    set_double(env, object, "p50", (double)times->p50 / 1e6);
    set_double(env, object, "p95", (double)times->p95 / 1e6);
    set_double(env, object, "p99", (double)times->p99 / 1e6);
    set_double(env, object, "p999", (double)times->p999 / 1e6);
    set_double(env, object, "max", (double)times->max / 1e6);
    napi_set_named_property(env, stats, key, object);
}

// stats(pool): times are in milliseconds.
static napi_value js_stats(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);
    napi_value result = NULL;
    napi_value flag;
    nwpool_stats stats = {.struct_size = sizeof(stats)};

    if (pool == NULL || napi_create_object(env, &result) != napi_ok) {
        return NULL;
    }
    nwpool_get_stats(pool->pool, &stats);
#define SET(key, field) set_double(env, result, key, (double)stats.field)
    SET("submitted", submitted);
    SET("done", done);
    SET("failed", failed);
    SET("waiting", waiting);
    SET("waitingBytes", waiting_bytes);
    SET("running", running);
    SET("workers", workers);
    SET("spares", spares);
    SET("starting", starting);
    SET("wedged", wedged);
    SET("restarts", restarts);
    SET("recycled", recycled);
    SET("refused", refused);
    SET("retried", retried);
    SET("thrown", failed_thrown);
    SET("crashed", failed_crashed);
    SET("timedOut", failed_timed_out);
    SET("expired", failed_expired);
    SET("canceled", failed_canceled);
    SET("eventsLost", events_lost);
#undef SET
    napi_get_boolean(env, stats.degraded, &flag);
    napi_set_named_property(env, result, "isDegraded", flag);
    napi_get_boolean(env, stats.has_failed, &flag);
    napi_set_named_property(env, result, "hasFailed", flag);
    set_times(env, result, "waitTimes", &stats.wait_times);
    set_times(env, result, "runTimes", &stats.run_times);
    return result;
}

static napi_value describe(napi_env env, const nw_task_info *info)
{
    static const char *const states[] = {
        [NW_TASK_QUEUED] = "queued",     [NW_TASK_ASSIGNED] = "assigned",
        [NW_TASK_RUNNING] = "running",   [NW_TASK_ENDING] = "ending",
        [NW_TASK_FINISHED] = "finished",
    };
    napi_value object = NULL;

    if (napi_create_object(env, &object) == napi_ok) {
        set_double(env, object, "id", (double)info->task.value);
        nw__binding_set_string(env, object, "name", info->function);
        nw__binding_set_string(env, object, "state", states[info->state]);
        set_double(env, object, "priority", info->priority);
        nw__binding_set_number(env, object, "worker", info->worker);
        set_double(env, object, "age", (double)info->age_ns / 1e6);
        set_double(env, object, "runTime", (double)info->run_ns / 1e6);
    }
    return object;
}

// list(pool): the first LIST_MAX tasks that are not over.
static napi_value js_list(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);
    napi_value result = NULL;
    nw_task_info *tasks;
    size_t count = 0;
    nw_status status;

    if (pool == NULL) {
        return NULL;
    }
    tasks = nw__alloc(LIST_MAX * sizeof(*tasks));
    status = tasks != NULL
                 ? nwpool_list_tasks(pool->pool, tasks, LIST_MAX, &count)
                 : NW_ENOMEM;
    if (status == NW_OK && napi_create_array(env, &result) == napi_ok) {
        for (uint32_t i = 0; i < count && i < LIST_MAX; i++) {
            napi_set_element(env, result, i, describe(env, &tasks[i]));
        }
    }
    nw__free(tasks);
    return status == NW_OK ? result : fail_with(env, status);
}

// reload(pool, module): undefined is the same one.
static napi_value js_reload(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    struct host_pool *pool;
    char *module = NULL;
    nw_status status;

    if (nw__binding_arguments(env, info, 1, 2, values) == NULL ||
        (pool = pool_of(env, values[0])) == NULL) {
        return NULL;
    }
    if (!is_undefined(env, values[1])) {
        module = get_text(env, values[1], NULL);
        if (module == NULL) {
            return NULL;
        }
    }
    status = nwpool_reload(pool->pool, module);
    nw__free(module);
    return status == NW_OK ? NULL : fail_with(env, status);
}

// -- the end of a pool. See nwpool__destroy_begin().

static napi_value number(napi_env env, uint32_t value)
{
    napi_value result = NULL;

    napi_create_uint32(env, value, &result);
    return result;
}

// close(pool): nothing is accepted any more.
static napi_value js_close(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);

    if (pool != NULL) {
        nwpool_close(pool->pool);
    }
    return NULL;
}

// destroyBegin(pool): how many workers tear down.
static napi_value js_destroy_begin(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);

    if (pool == NULL) {
        return NULL;
    }
    return number(env, nwpool__destroy_begin(pool->pool));
}

// destroyTold(pool): how many of those are still at it.
static napi_value js_destroy_told(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);

    if (pool == NULL) {
        return NULL;
    }
    return number(env, nwpool__destroy_told(pool->pool));
}

// destroyTasks(pool): every task ends, every worker is terminated.
static napi_value js_destroy_tasks(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);

    if (pool != NULL) {
        nwpool__destroy_tasks(pool->pool);
    }
    return NULL;
}

// destroyLeft(pool): how many workers are still there.
static napi_value js_destroy_left(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);

    if (pool == NULL) {
        return NULL;
    }
    return number(env, nwpool__destroy_left(pool->pool));
}

static nw_status end_pool(struct host_pool *pool)
{
    struct host_pool **link = &pool->state->pools;
    nw_status status = nwpool__destroy_end(pool->pool);

    // Of an environment that ends; otherwise there are none.
    while (pool->plain_count > 0) {
        nw__message_fini(&pool->plain[--pool->plain_count].arguments);
    }

    flush(pool->state);
    while (*link != pool) {
        link = &(*link)->next;
    }
    *link = pool->next;
    pool->pool = NULL;
    pool_free(pool);
    return status;
}

// destroyEnd(pool): the last results, and the end. Throws NW_EWEDGED, with the
// numbers of the workers that were left behind.
static napi_value js_destroy_end(napi_env env, napi_callback_info info)
{
    struct host_pool *pool = pool_argument(env, info);
    nw_status status;

    if (pool == NULL) {
        return NULL;
    }
    status = end_pool(pool);
    return status == NW_OK ? NULL : fail_with(env, status);
}

// -- tasks that a worker submits to its own pool. They end on whatever thread they
// end; their outcomes wait in the worker's post until its loop turns.

// What came of one. Made before it is submitted, so that its end cannot fail.
struct parcel {
    struct parcel *next;
    struct post *post; // One reference.
    struct outcome outcome;
    struct nw__message message;
};

struct post {
    atomic_uint references; // The environment's, and one for each parcel.
    uv_async_t async;       // Closed before the environment's reference goes.
    struct host_state *state;

    nw__mutex lock;

    // -- protected by lock
    struct parcel *head;
    struct parcel *tail;
    bool alive; // Somebody will take them.
};

static void post_unref(struct post *post)
{
    if (atomic_fetch_sub(&post->references, 1) == 1) {
        nw__mutex_fini(&post->lock);
        nw__free(post);
    }
}

static void parcel_free(struct parcel *parcel)
{
    nw__message_fini(&parcel->message);
    post_unref(parcel->post);
    nw__free(parcel);
}

static struct parcel *parcel_create(struct post *post, int64_t slot)
{
    struct parcel *parcel = nw__alloc_zero(sizeof(*parcel));

    if (parcel != NULL) {
        atomic_fetch_add(&post->references, 1);
        parcel->post = post;
        parcel->outcome.slot = slot;
    }
    return parcel;
}

// Any thread.
static void post_outcome(struct nwpool__task *task)
{
    struct parcel *parcel = task->user_data;
    struct post *post = parcel->post;
    bool alive;

    parcel->outcome = outcome_of(task, parcel->outcome.slot);
    parcel->outcome.message = &parcel->message;
    nw__message_move(&parcel->message, &task->job.message);
    nw__mutex_lock(&post->lock);
    alive = post->alive;
    if (alive) {
        if (post->head == NULL) {
            post->head = parcel;
            uv_async_send(&post->async);
        } else {
            post->tail->next = parcel;
        }
        post->tail = parcel;
    }
    nw__mutex_unlock(&post->lock);
    if (!alive) {
        parcel_free(parcel);
    }
}

static struct parcel *post_take(struct post *post)
{
    struct parcel *head;

    nw__mutex_lock(&post->lock);
    head = post->head;
    post->head = NULL;
    nw__mutex_unlock(&post->lock);
    return head;
}

static void note_nested(struct host_state *state, int change)
{
    struct nw__binding *binding = state->binding;

    if (binding->lane != NULL) {
        binding->lane->nested += (uint32_t)change;
    }
}

static void tell_parcels(void *context)
{
    struct post *post = context;
    struct parcel *parcel = post_take(post);

    while (parcel != NULL) {
        struct parcel *next = parcel->next;

        note_nested(post->state, -1);
        tell(post->state, &parcel->outcome);
        parcel_free(parcel);
        parcel = next;
    }
}

static void on_post(uv_async_t *async)
{
    struct post *post = async->data;

    enter(post->state, tell_parcels, post);
}

static void on_post_closed(uv_handle_t *handle)
{
    post_unref(handle->data);
}

static void post_close(struct post *post)
{
    struct parcel *parcel;

    nw__mutex_lock(&post->lock);
    post->alive = false;
    nw__mutex_unlock(&post->lock);
    parcel = post_take(post);
    while (parcel != NULL) {
        struct parcel *next = parcel->next;

        parcel_free(parcel);
        parcel = next;
    }
    uv_close((uv_handle_t *)&post->async, on_post_closed);
}

static bool post_open(struct host_state *state)
{
    struct post *post = nw__alloc_zero(sizeof(*post));
    uv_loop_t *loop;

    if (post == NULL) {
        return false;
    }
    if (napi_get_uv_event_loop(state->binding->env, &loop) != napi_ok ||
        uv_async_init(loop, &post->async, on_post) != 0) {
        nw__free(post);
        return false;
    }
    nw__mutex_init(&post->lock);
    atomic_init(&post->references, 1);
    post->async.data = post;
    post->state = state;
    post->alive = true;
    state->post = post;
    return true;
}

static nwpool *own_pool(const struct host_state *state)
{
    const struct nw__lane *lane = state->binding->lane;

    return lane != NULL ? ((struct nwpool__worker *)lane->owner)->pool : NULL;
}

// Room for what may run while a task waits, until note_nested() takes it back.
static bool make_room(struct host_state *state)
{
    struct nw__binding *binding = state->binding;
    uint32_t room = binding->lane->concurrency + binding->lane->nested + 1;

    if (!nw__tasks_reserve(binding, room)) {
        return false;
    }
    note_nested(state, 1);
    return true;
}

static nw_status submit_own(nwpool *pool, struct call *call, nw_task_id *id)
{
    struct host_state *state = call->arguments.state;
    struct parcel *parcel =
        parcel_create(state->post, (int64_t)(intptr_t)call->spec.user_data);
    nw_status status;

    if (parcel == NULL) {
        return NW_ENOMEM;
    }
    if (!make_room(state)) {
        parcel_free(parcel);
        return NW_ENOMEM;
    }
    call->spec.user_data = parcel;
    call->cargo.forward = post_outcome;
    status = nwpool__submit(pool, &call->spec, &call->cargo, id);
    if (status != NW_OK) {
        note_nested(state, -1);
        parcel_free(parcel);
        return status;
    }
    // The worker may take it itself.
    if (state->binding->async_open) {
        uv_async_send(&state->binding->async);
    }
    return NW_OK;
}

// submitOwn(function, slot, transfer, spec, ...arguments): the id of a task of
// this worker's own pool. Throws what the pool refuses.
static napi_value js_submit_own(napi_env env, napi_callback_info info)
{
    struct call call;
    nw_task_id id = {0};
    napi_value result = NULL;
    nwpool *pool;
    nw_status status;

    if (!read_call(env, info, true, &call)) {
        return NULL;
    }
    pool = own_pool(call.arguments.state);
    status = pool != NULL ? submit_own(pool, &call, &id) : NW_ECLOSED;
    if (status != NW_OK) {
        return refused(env, &call, status);
    }
    napi_create_int64(env, (int64_t)id.value, &result);
    return result;
}

// cancelOwn(id, how, escalation)
static napi_value js_cancel_own(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    struct host_state *state =
        state_of(nw__binding_arguments(env, info, 3, 3, values));
    nwpool *pool = state != NULL ? own_pool(state) : NULL;
    uint64_t id;
    uint32_t how, escalation_ms;

    if (pool != NULL && nw__binding_get_id(env, values[0], &id) &&
        nw__binding_get_number(env, values[1], &how) &&
        nw__binding_get_number(env, values[2], &escalation_ms)) {
        nwpool_cancel(pool, (nw_task_id){id}, (nw_cancel)how, escalation_ms);
    }
    return NULL;
}

// -- sources

// addSource(name, text)
static napi_value js_add_source(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    char *name, *text;
    size_t size = 0;

    if (nw__binding_arguments(env, info, 2, 2, values) == NULL ||
        (name = get_text(env, values[0], NULL)) == NULL) {
        return NULL;
    }
    text = get_text(env, values[1], &size);
    if (text == NULL) {
        nw__free(name);
        return NULL;
    }
    source_add(name, text, size);
    return NULL;
}

// source(name): the text, or undefined.
static napi_value js_source(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    napi_value result = NULL;
    struct source *source;
    char *name;

    if (nw__binding_arguments(env, info, 1, 1, values) == NULL ||
        (name = get_text(env, values[0], NULL)) == NULL) {
        return NULL;
    }
    nw__mutex_lock(&sources.lock);
    source = source_find(name);
    nw__mutex_unlock(&sources.lock);
    nw__free(name);
    if (source != NULL) {
        napi_create_string_utf8(env, source->text, source->size, &result);
    }
    return result;
}

// -- the end of the process

// parked(): threads whose heap is exhausted, which never end.
static napi_value js_parked(napi_env env, napi_callback_info info)
{
    (void)info;
    return number(env, nw__engine_guard_parked());
}

// leave(code): ends the process at once. Node.js would wait for parked threads.
static napi_value js_leave(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    int32_t code = 1;

    if (nw__binding_arguments(env, info, 1, 1, values) != NULL) {
        napi_get_value_int32(env, values[0], &code);
    }
    fflush(NULL);
    _exit(code);
}

// -- the environment

static void state_free(struct host_state *state)
{
    napi_env env = state->binding->env;

    if (state->context != NULL) {
        napi_async_destroy(env, state->context);
    }
    nw__binding_delete_reference(env, &state->resource);
    nw__binding_delete_reference(env, &state->settle);
    nw__binding_delete_reference(env, &state->fail);
    nw__binding_delete_reference(env, &state->sent);
    nw__binding_delete_reference(env, &state->event);
    nw__binding_delete_reference(env, &state->output);
    if (state->post != NULL) {
        post_close(state->post);
    }
    nw_inbox_destroy(state->inbox);
    for (uint32_t i = 0; i < state->name_count; i++) {
        nw__free(state->names[i]);
    }
    nw__free(state->names);
    state->binding->host = NULL;
    nw__free(state);
}

// Node.js has ended and joined this environment's workers by now, without a word
// to its scripts.
static void on_cleanup(void *data)
{
    struct host_state *state = data;

    state->stopping = true;
    if (state->inbox != NULL) {
        nw__control_detach(state->binding->control);
        nw__worker_all_exited(state->binding->control, 1);
    }
    while (state->pools != NULL) {
        nwpool__destroy_begin(state->pools->pool);
        nwpool__destroy_tasks(state->pools->pool);
        end_pool(state->pools);
    }
    state_free(state);
}

static bool open_state(struct host_state *state, napi_value handlers)
{
    static const char *const names[] = {"settle", "fail", "sent", "event",
                                        "output"};
    napi_ref *const references[] = {&state->settle, &state->fail, &state->sent,
                                    &state->event, &state->output};
    napi_env env = state->binding->env;
    napi_value function, resource, label;
    uv_loop_t *loop;

    for (size_t i = 0; i < NW_ARRAY_SIZE(names); i++) {
        if (napi_get_named_property(env, handlers, names[i], &function) !=
                napi_ok ||
            napi_create_reference(env, function, 1, references[i]) != napi_ok) {
            return false;
        }
    }
    return napi_create_object(env, &resource) == napi_ok &&
           napi_create_reference(env, resource, 1, &state->resource) ==
               napi_ok &&
           napi_create_string_utf8(env, "NWPOOL_RESULTS", NAPI_AUTO_LENGTH,
                                   &label) == napi_ok &&
           napi_async_init(env, resource, label, &state->context) == napi_ok &&
           napi_get_uv_event_loop(env, &loop) == napi_ok &&
           (state->binding->worker != 0
                ? post_open(state)
                : nw_inbox_create(&state->inbox) == NW_OK &&
                      nw_inbox_attach(state->inbox, loop) == NW_OK);
}

// host({ settle, fail, sent, event, output }): once, and after control(); or by a
// worker, for tasks of its own pool.
static napi_value js_host(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 1, 1, values);
    struct host_state *state;

    if (binding == NULL || binding->host != NULL ||
        (binding->answer == NULL && binding->worker == 0)) {
        return nw__binding_throw(env, "NW_EINVAL", "host(handlers)");
    }
    state = nw__alloc_zero(sizeof(*state));
    if (state == NULL) {
        return fail_with(env, NW_ENOMEM);
    }
    state->binding = binding;
    binding->host = state;
    if (!open_state(state, values[0])) {
        state_free(state);
        return fail_with(env, NW_ENOMEM);
    }
    napi_add_env_cleanup_hook(env, on_cleanup, state);
    return NULL;
}

void nw__host_define(struct nw__binding *binding, napi_value exports)
{
    static const struct nw__binding_function functions[] = {
        {"host", js_host},
        {"createPool", js_create_pool},
        {"define", js_define},
        {"add", js_add},
        {"flush", js_flush},
        {"submit", js_submit},
        {"submitEach", js_submit_each},
        {"cancel", js_cancel},
        {"submitOwn", js_submit_own},
        {"cancelOwn", js_cancel_own},
        {"taken", js_taken},
        {"warmUp", js_warm_up},
        {"stats", js_stats},
        {"list", js_list},
        {"reload", js_reload},
        {"close", js_close},
        {"destroyBegin", js_destroy_begin},
        {"destroyTold", js_destroy_told},
        {"destroyTasks", js_destroy_tasks},
        {"destroyLeft", js_destroy_left},
        {"destroyEnd", js_destroy_end},
        {"addSource", js_add_source},
        {"parked", js_parked},
        {"leave", js_leave},
        {"source", js_source},
    };

    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
}

// Lock order: world.lock > the guard's own.

#include "tests/engine/guard_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "src/engine/engine.h"

#define COMMANDS_MAX 64
#define STACK_SIZE   ((size_t)8 << 20)

struct lane {
    // -- the worker's thread only
    napi_env env;
    uv_async_t async;
    napi_ref run;
    napi_ref resource;
    napi_async_context context;
    struct task *current;
    uint64_t inside; // What running() says.
    bool pending;
    bool stopping;
    uint32_t references; // The environment's, and the handle's.
    uint32_t number;

    // -- protected by the world's lock
    struct nw__engine_guard *guard;
    struct task *head;
    uint64_t heap;
    uint64_t external;
};

struct command {
    const char *verb;
    uint32_t number;
    uint32_t argument;
};

static struct {
    pthread_t thread;

    nw__mutex lock;
    nw__cond changed;

    // -- protected by lock
    uint64_t last_id;
    struct lane *lanes[WORKERS_MAX]; // NULL: not attached, or gone.
    bool exited[WORKERS_MAX];
    bool swept[WORKERS_MAX]; // By out_of_memory().
    int codes[WORKERS_MAX];
    struct command commands[COMMANDS_MAX];
    uint32_t command_count;
    uint64_t idle_polls; // Of the glue that found no command.
    bool open;
    bool closed;
} world = {.lock = NW__MUTEX_INIT};

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "guard: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _Exit(1);
}

void world_lock(void)
{
    nw__mutex_lock(&world.lock);
}

void world_unlock(void)
{
    nw__mutex_unlock(&world.lock);
}

// Waits, with the lock held, for something that is going to happen.
#define AWAIT(condition, ...)                                                  \
    do {                                                                       \
        uint64_t deadline_ns = nw__deadline_ns(WAIT_MS);                       \
        while (!(condition)) {                                                 \
            if (!nw__cond_wait_until(&world.changed, &world.lock,              \
                                     deadline_ns)) {                           \
                fail(__VA_ARGS__);                                             \
            }                                                                  \
        }                                                                      \
    } while (0)

// Caller holds the lock.
static void command(const char *verb, uint32_t number, uint32_t argument)
{
    if (world.command_count == COMMANDS_MAX) {
        fail("too many commands");
    }
    world.commands[world.command_count++] =
        (struct command){verb, number, argument};
}

// -- tasks. Caller holds the lock.

static void end_task(struct task *task, enum end end, const char *text)
{
    task->ends++;
    task->end = end;
    task->ended_ns = nw__now_ns();
    snprintf(task->text, sizeof(task->text), "%s", text);
    if (task->ends > 1) {
        fail("task %s ended twice", task->name);
    }
    nw__cond_wake_all(&world.changed);
}

static void sweep(struct lane *lane)
{
    if (lane->current != NULL) {
        end_task(lane->current, END_DIED, "");
        lane->current = NULL;
    }
    while (lane->head != NULL) {
        struct task *task = lane->head;

        lane->head = task->next;
        end_task(task, END_SWEPT, "");
    }
    world.lanes[lane->number] = NULL;
}

// -- hooks of the guard

static uint64_t running(void *context)
{
    return ((struct lane *)context)->inside;
}

static void out_of_memory(void *context)
{
    struct lane *lane = context;

    world_lock();
    sweep(lane);
    world.swept[lane->number] = true;
    world_unlock();
}

// -- the pump

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

    napi_is_exception_pending(env, &pending);
    if (pending) {
        napi_get_and_clear_last_exception(env, &ignored);
    }
}

static void settle(struct lane *lane, enum end end, const char *text,
                   const char *stack)
{
    struct task *task = lane->current;

    lane->pending = false;
    lane->inside = 0;
    if (task == NULL) {
        return;
    }
    lane->current = NULL;
    world_lock();
    snprintf(task->stack, sizeof(task->stack), "%s", stack);
    end_task(task, end, text);
    world_unlock();
}

static struct task *next_task(struct lane *lane)
{
    struct task *task;

    world_lock();
    task = lane->head;
    if (task != NULL) {
        lane->head = task->next;
        task->started = true;
        lane->current = task;
    }
    nw__engine_guard_memory(lane->guard, &lane->heap, &lane->external);
    world_unlock();
    return task;
}

static napi_status call_run(struct lane *lane, const struct task *task,
                            napi_value *result)
{
    napi_env env = lane->env;
    napi_value run, receiver, values[3];

    napi_get_reference_value(env, lane->run, &run);
    napi_get_undefined(env, &receiver);
    napi_create_int64(env, (int64_t)task->id, &values[0]);
    napi_create_string_utf8(env, task->name, NAPI_AUTO_LENGTH, &values[1]);
    napi_create_int32(env, task->argument, &values[2]);
    return napi_call_function(env, receiver, run, 3, values, result);
}

// True: the callback scope has to be closed, as the task was hit.
static bool run_task(struct lane *lane, struct task *task)
{
    char text[sizeof(task->text)] = "";
    char stack[NW__STACK_TEXT_MAX] = "";
    napi_value result, string;
    napi_status status;

    lane->inside = task->id;
    status = call_run(lane, task, &result);
    // What stands for encoding runs the user's toString().
    if (status == napi_ok && lane->current != NULL && !lane->pending) {
        status = napi_coerce_to_string(lane->env, result, &string);
        if (status == napi_ok) {
            napi_get_value_string_utf8(lane->env, string, text, sizeof(text),
                                       NULL);
        }
    }
    lane->inside = 0;
    switch (nw__engine_guard_take_hit(lane->guard, stack, sizeof(stack))) {
    case NW__HIT_TAKEN:
        settle(lane, END_HIT, "", stack);
        return true;
    case NW__HIT_BROKEN:
        settle(lane, END_BROKEN, "", stack);
        lane->stopping = true;
        return true;
    case NW__HIT_NONE:
        break;
    }
    drop_exception(lane->env);
    if (status != napi_ok) {
        lane->stopping = is_stopping(lane->env);
        if (!lane->stopping) {
            settle(lane, END_THROWN, "the call failed", "");
        }
    } else if (lane->current != NULL && !lane->pending) {
        settle(lane, END_VALUE, text, "");
    }
    return false;
}

static void run_batch(struct lane *lane)
{
    struct task *task;

    while (!lane->stopping && lane->current == NULL &&
           (task = next_task(lane)) != NULL) {
        if (run_task(lane, task)) {
            uv_async_send(&lane->async);
            break;
        }
    }
}

static void pump(uv_async_t *async)
{
    struct lane *lane = async->data;
    napi_handle_scope handle_scope;
    napi_callback_scope scope;
    napi_value resource;

    if (lane->stopping || lane->current != NULL ||
        napi_open_handle_scope(lane->env, &handle_scope) != napi_ok) {
        return;
    }
    napi_get_reference_value(lane->env, lane->resource, &resource);
    if (napi_open_callback_scope(lane->env, resource, lane->context, &scope) ==
        napi_ok) {
        lane->stopping = is_stopping(lane->env);
        run_batch(lane);
        napi_close_callback_scope(lane->env, scope);
    }
    napi_close_handle_scope(lane->env, handle_scope);
}

// -- what scripts call

static struct lane *arguments(napi_env env, napi_callback_info info,
                              size_t count, napi_value *values)
{
    struct lane *lane = NULL;

    napi_get_cb_info(env, info, &count, values, NULL, NULL);
    napi_get_instance_data(env, (void **)&lane);
    return lane;
}

// Whether the call is about the task that runs: one that was hit may still come.
static bool is_current(struct lane *lane, napi_value id)
{
    int64_t number = 0;

    napi_get_value_int64(lane->env, id, &number);
    return lane->current != NULL && lane->current->id == (uint64_t)number;
}

static napi_value js_settle(napi_env env, napi_callback_info info, enum end end)
{
    napi_value values[2];
    struct lane *lane = arguments(env, info, 2, values);
    char text[256] = "";

    if (is_current(lane, values[0])) {
        napi_get_value_string_utf8(env, values[1], text, sizeof(text), NULL);
        settle(lane, end, text, "");
        uv_async_send(&lane->async);
    }
    return NULL;
}

static napi_value js_done(napi_env env, napi_callback_info info)
{
    return js_settle(env, info, END_VALUE);
}

static napi_value js_fail(napi_env env, napi_callback_info info)
{
    return js_settle(env, info, END_THROWN);
}

static napi_value js_pending(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct lane *lane = arguments(env, info, 1, values);

    if (is_current(lane, values[0])) {
        lane->pending = true;
        lane->inside = 0;
    }
    return NULL;
}

static napi_value js_reached(napi_env env, napi_callback_info info)
{
    struct lane *lane = arguments(env, info, 0, NULL);

    if (lane->current != NULL) {
        world_lock();
        lane->current->reached = true;
        nw__cond_wake_all(&world.changed);
        world_unlock();
    }
    return NULL;
}

// call(function): like an addon that does not look at what came back, and goes
// on calling.
static napi_value js_call(napi_env env, napi_callback_info info)
{
    napi_value function, receiver, result;

    arguments(env, info, 1, &function);
    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, function, 0, NULL, &result);
    napi_call_function(env, receiver, function, 0, NULL, &result);
    return NULL;
}

// callThenTerminate(function): and when this returns Node.js has ended the
// worker as well.
static napi_value js_call_then_terminate(napi_env env, napi_callback_info info)
{
    napi_value function, receiver, result;
    struct lane *lane = arguments(env, info, 1, &function);
    uint64_t polls;

    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, function, 0, NULL, &result);
    world_lock();
    command("terminate", lane->number, 0);
    AWAIT(world.command_count == 0, "nobody took a command");
    polls = world.idle_polls;
    AWAIT(world.idle_polls > polls, "the command was not carried out");
    world_unlock();
    return NULL;
}

static void lane_unref(struct lane *lane)
{
    if (--lane->references == 0) {
        free(lane);
    }
}

static void on_async_closed(uv_handle_t *handle)
{
    lane_unref(handle->data);
}

static void on_cleanup(void *data)
{
    struct lane *lane = data;
    struct nw__engine_guard *guard;

    lane->stopping = true;
    world_lock();
    guard = lane->guard;
    lane->guard = NULL;
    sweep(lane);
    nw__cond_wake_all(&world.changed);
    world_unlock();

    nw__engine_guard_destroy(guard);
    napi_async_destroy(lane->env, lane->context);
    napi_delete_reference(lane->env, lane->run);
    napi_delete_reference(lane->env, lane->resource);
    uv_close((uv_handle_t *)&lane->async, on_async_closed);
    lane_unref(lane);
}

static napi_value js_attach(napi_env env, napi_callback_info info)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    struct nw__guard_hooks hooks = {running, out_of_memory, lane};
    napi_value values[2], label, resource;
    uv_loop_t *loop;

    arguments(env, info, 2, values);
    lane->env = env;
    lane->references = 2;
    napi_get_value_uint32(env, values[0], &lane->number);
    napi_create_reference(env, values[1], 1, &lane->run);
    napi_create_object(env, &resource);
    napi_create_reference(env, resource, 1, &lane->resource);
    napi_create_string_utf8(env, "GUARD", NAPI_AUTO_LENGTH, &label);
    napi_async_init(env, resource, label, &lane->context);
    napi_get_uv_event_loop(env, &loop);
    uv_async_init(loop, &lane->async, pump);
    lane->async.data = lane;
    napi_set_instance_data(env, lane, NULL, NULL);
    napi_add_env_cleanup_hook(env, on_cleanup, lane);
    lane->guard = nw__engine_guard_create(env, &hooks);
    if (lane->guard == NULL || nw__engine_guard_create(env, &hooks) != NULL) {
        fail("there is not one guard");
    }
    world_lock();
    world.lanes[lane->number] = lane;
    nw__cond_wake_all(&world.changed);
    world_unlock();
    return NULL;
}

// -- what the glue calls

// command(): [verb, number, argument], or undefined.
static napi_value js_command(napi_env env, napi_callback_info info)
{
    struct command command = {0};
    napi_value array, value;

    (void)info;
    world_lock();
    if (world.command_count > 0) {
        command = world.commands[0];
        world.command_count--;
        memmove(world.commands, world.commands + 1,
                world.command_count * sizeof(command));
    }
    if (command.verb == NULL) {
        world.idle_polls++;
        nw__cond_wake_all(&world.changed);
    }
    world_unlock();
    if (command.verb == NULL) {
        return NULL;
    }
    napi_create_array(env, &array);
    napi_create_string_utf8(env, command.verb, NAPI_AUTO_LENGTH, &value);
    napi_set_element(env, array, 0, value);
    napi_create_uint32(env, command.number, &value);
    napi_set_element(env, array, 1, value);
    napi_create_uint32(env, command.argument, &value);
    napi_set_element(env, array, 2, value);
    return array;
}

static napi_value js_exit_event(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    uint32_t number = 0;

    arguments(env, info, 2, values);
    napi_get_value_uint32(env, values[0], &number);
    world_lock();
    world.exited[number] = true;
    napi_get_value_int32(env, values[1], &world.codes[number]);
    nw__cond_wake_all(&world.changed);
    world_unlock();
    return NULL;
}

static napi_value js_error_event(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    char text[512] = "";

    arguments(env, info, 2, values);
    napi_get_value_string_utf8(env, values[1], text, sizeof(text), NULL);
    if (strstr(text, "ERR_WORKER_OUT_OF_MEMORY") == NULL) {
        fail("a worker died of %s", text);
    }
    return NULL;
}

// -- the engine

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 16);

    if (file == NULL || fread(text, 1, (1 << 16) - 1, file) == 0) {
        fail("cannot read %s", path);
    }
    fclose(file);
    return text;
}

static napi_value binding_init(napi_env env, napi_value exports)
{
    static const struct {
        const char *name;
        napi_callback callback;
    } functions[] = {
        {"attach", js_attach},
        {"done", js_done},
        {"fail", js_fail},
        {"pending", js_pending},
        {"reached", js_reached},
        {"call", js_call},
        {"command", js_command},
        {"exitEvent", js_exit_event},
        {"errorEvent", js_error_event},
        {"callThenTerminate", js_call_then_terminate},
    };
    char *script = read_file(NW_GUARD_DIR "/guard_worker.js");
    napi_value value;

    for (size_t i = 0; i < NW_ARRAY_SIZE(functions); i++) {
        napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                             functions[i].callback, NULL, &value);
        napi_set_named_property(env, exports, functions[i].name, value);
    }
    napi_create_string_utf8(env, script, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, exports, "workerScript", value);
    napi_create_string_utf8(env, NW_GUARD_DIR "/guard_tasks.js",
                            NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, exports, "tasks", value);
    free(script);
    return exports;
}

static void *control_main(void *unused)
{
    char *glue = read_file(NW_GUARD_DIR "/guard_glue.js");
    struct nw__engine_options options = {
        .glue = glue,
        .binding_name = "guard",
        .binding_init = binding_init,
        .platform_threads = 2,
    };
    char error[512] = "";
    bool closed;

    (void)unused;
    if (nw__engine_open(&options, error, sizeof(error)) != NW_OK) {
        fail("%s", error);
    }
    world_lock();
    world.open = true;
    nw__cond_wake_all(&world.changed);
    world_unlock();
    nw__engine_run();
    closed = nw__engine_close();
    world_lock();
    world.closed = closed;
    world_unlock();
    free(glue);
    return NULL;
}

void world_open(void)
{
    nw__cond_init(&world.changed);
    if (nw__thread_start(&world.thread, "control", STACK_SIZE, control_main,
                         NULL) != NW_OK) {
        fail("no thread");
    }
    world_lock();
    AWAIT(world.open, "the engine did not open");
    world_unlock();
}

bool world_close(void)
{
    nw__engine_interrupt();
    pthread_join(world.thread, NULL);
    return world.closed;
}

// -- workers

void worker_start(uint32_t number, uint32_t heap_mb)
{
    world_lock();
    command("start", number, heap_mb);
    AWAIT(world.lanes[number] != NULL, "worker %u did not start", number);
    world_unlock();
}

void worker_terminate(uint32_t number)
{
    world_lock();
    command("terminate", number, 0);
    world_unlock();
}

void worker_await_exit(uint32_t number, int code)
{
    world_lock();
    AWAIT(world.exited[number], "worker %u did not exit", number);
    if (world.codes[number] != code) {
        fail("worker %u exited with %d, not %d", number, world.codes[number],
             code);
    }
    world_unlock();
}

void worker_await_parked(uint32_t number)
{
    world_lock();
    AWAIT(world.swept[number], "worker %u was not swept", number);
    world_unlock();
}

bool worker_is_alive(uint32_t number)
{
    bool alive;

    world_lock();
    alive = world.lanes[number] != NULL;
    world_unlock();
    return alive;
}

struct nw__engine_guard *worker_guard(uint32_t number)
{
    return world.lanes[number] != NULL ? world.lanes[number]->guard : NULL;
}

void worker_memory(uint32_t worker, uint64_t *heap, uint64_t *external)
{
    // It is looked at before each task.
    run_expecting(worker, "sync", 1, "1");
    world_lock();
    *heap = world.lanes[worker]->heap;
    *external = world.lanes[worker]->external;
    world_unlock();
}

// -- tasks from outside

bool task_submit(struct task *task, uint32_t worker, const char *name,
                 int argument)
{
    struct lane *lane;

    *task = (struct task){.name = name, .argument = argument};
    world_lock();
    task->id = ++world.last_id;
    lane = world.lanes[worker];
    if (lane != NULL) {
        struct task **end = &lane->head;

        while (*end != NULL) {
            end = &(*end)->next;
        }
        *end = task;
        uv_async_send(&lane->async);
    } else {
        end_task(task, END_SWEPT, "");
    }
    world_unlock();
    return lane != NULL;
}

bool task_wait(struct task *task, uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    bool ended;

    world_lock();
    while (task->ends == 0 &&
           nw__cond_wait_until(&world.changed, &world.lock, deadline_ns)) {
    }
    ended = task->ends > 0;
    world_unlock();
    return ended;
}

void task_await_reached(struct task *task)
{
    world_lock();
    AWAIT(task->reached || task->ends > 0, "%s was not reached", task->name);
    if (!task->reached) {
        fail("%s ended before its point: %d %s", task->name, task->end,
             task->text);
    }
    world_unlock();
}

void task_expect(struct task *task, enum end end, const char *text)
{
    if (!task_wait(task, WAIT_MS)) {
        fail("%s(%d) did not end", task->name, task->argument);
    }
    if (task->end != end || (text != NULL && strcmp(task->text, text) != 0)) {
        fail("%s(%d) ended with %d \"%s\", not %d \"%s\"", task->name,
             task->argument, task->end, task->text, end,
             text != NULL ? text : "*");
    }
}

void run_expecting(uint32_t worker, const char *name, int argument,
                   const char *text)
{
    struct task task;

    task_submit(&task, worker, name, argument);
    task_expect(&task, END_VALUE, text);
}

enum nw__answer task_interrupt(struct task *task, uint32_t worker)
{
    struct nw__engine_guard *guard;
    enum nw__answer answer = NW__ANSWER_NONE;

    world_lock();
    guard = worker_guard(worker);
    if (guard != NULL) {
        answer = nw__engine_guard_answer(guard, task->id);
        if (!task->asked) {
            task->asked = true;
            task->asked_ns = nw__now_ns();
        }
        nw__engine_guard_interrupt(guard, task->id);
    }
    world_unlock();
    return answer;
}

bool task_interrupt_until_ended(struct task *task, uint32_t worker,
                                uint32_t timeout_ms, uint32_t answers[4])
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    bool ended = false;

    while (!ended && nw__now_ns() < deadline_ns) {
        enum nw__answer answer = task_interrupt(task, worker);

        if (answers != NULL) {
            answers[answer]++;
        }
        world_lock();
        if (task->ends == 0) {
            nw__cond_wait_until(&world.changed, &world.lock,
                                nw__now_ns() + NW__INTERRUPT_RETRY_NS);
        }
        ended = task->ends > 0;
        world_unlock();
    }
    return ended;
}

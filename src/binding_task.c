// Invariants
//   `current` has a job from the moment its arguments are decoded until its
//   result, error or promise is there. `inside` says the same of its script.
//   A task that returned a promise is in `pending` until that has settled and
//   the outcome is published, whether or not the job was taken away meanwhile:
//   there is room for all that the lane starts.
//   Jobs are never looked into: a pool takes them away as it likes.
//   Values that wait for room belong to a task in one of the two.

#include "src/binding_task.h"

#include <stdio.h>

#include "src/error_record.h"
#include "src/hooks.h"

// A turn of the event loop that is longer than this should come to its end
// before a task goes on sending.
#define TURN_MS 2

bool nw__tasks_reserve(struct nw__binding *binding, uint32_t count)
{
    struct nw__pending *larger;

    if (count <= binding->pending_max) {
        return true;
    }
    if (count < 2 * binding->pending_max) {
        count = 2 * binding->pending_max;
    }
    larger = nw__realloc(binding->pending, count * sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    binding->pending = larger;
    binding->pending_max = count;
    return true;
}

// -- finding them

// True, with a copy of what is known of it, when the task still runs.
static bool find(const struct nw__binding *binding, uint64_t id,
                 struct nw__pending *out)
{
    const struct nw__run *current = &binding->current;

    if (current->job != NULL && current->id == id) {
        *out = (struct nw__pending){current->job, id, current->function_name};
        return true;
    }
    for (uint32_t i = 0; i < binding->pending_count; i++) {
        if (binding->pending[i].id == id) {
            *out = binding->pending[i];
            return true;
        }
    }
    return false;
}

static void leave_current(struct nw__binding *binding)
{
    binding->current.job = NULL;
    binding->inside = 0;
}

// `id` is one that was found.
static void forget(struct nw__binding *binding, uint64_t id)
{
    struct nw__pending *pending = binding->pending;

    if (binding->current.job != NULL && binding->current.id == id) {
        leave_current(binding);
        return;
    }
    while (pending->id != id) {
        pending++;
    }
    *pending = binding->pending[--binding->pending_count];
}

// -- values that wait for room

static void hold(struct nw__binding *binding, struct nw__unsent *unsent)
{
    unsent->next = NULL;
    *binding->unsent_end = unsent;
    binding->unsent_end = &unsent->next;
}

// The oldest of a task's, taken out; NULL when there is none.
static struct nw__unsent *take_unsent(struct nw__binding *binding, uint64_t id)
{
    struct nw__unsent **link = &binding->unsent;
    struct nw__unsent *found;

    while (*link != NULL && (*link)->id != id) {
        link = &(*link)->next;
    }
    found = *link;
    if (found != NULL) {
        *link = found->next;
        if (*link == NULL) {
            binding->unsent_end = link;
        }
    }
    return found;
}

static void free_unsent(struct nw__unsent *unsent)
{
    nw__message_fini(&unsent->message);
    nw__free(unsent);
}

static void drop_unsent(struct nw__binding *binding, uint64_t id)
{
    struct nw__unsent *unsent;

    while ((unsent = take_unsent(binding, id)) != NULL) {
        free_unsent(unsent);
    }
}

void nw__tasks_close(struct nw__binding *binding)
{
    leave_current(binding);
    nw__message_fini(&binding->current.arguments);
    while (binding->unsent != NULL) {
        drop_unsent(binding, binding->unsent->id);
    }
    nw__free(binding->pending);
    binding->pending = NULL;
    binding->pending_count = 0;
    binding->pending_max = 0;
}

// -- outcomes

// The pool's answer for one task.
static void settle(struct nw__binding *binding, uint64_t id, nw_status status,
                   struct nw__message *outcome)
{
    struct nw__pending task;

    // What the outcome is made of may have run scripts.
    if (!find(binding, id, &task)) {
        nw__message_fini(outcome);
        return;
    }
    forget(binding, id);
    if (binding->unsent != NULL) {
        drop_unsent(binding, id);
    }
    binding->now_ns = nw__now_ns();
    if (!nw__lane_settle(binding->lane, task.job, id, status, outcome,
                         binding->now_ns)) {
        nw__message_fini(outcome);
    }
    // From inside pump() the loop there goes on by itself.
    if (!binding->pumping && !binding->stopping && binding->async_open) {
        uv_async_send(&binding->async);
    }
}

static void settle_failure(struct nw__binding *binding, uint64_t id,
                           nw_status status, const char *text)
{
    struct nw__message outcome = {0};

    nw__error_write(&outcome, status, text, NULL);
    settle(binding, id, status, &outcome);
}

// Publishes what a task returned.
static void settle_value(struct nw__binding *binding,
                         const struct nw__pending *task, napi_value value,
                         napi_value transfer)
{
    struct nw__message outcome = {0};
    char why[NW__ERROR_TEXT_MAX];
    char text[NW__ERROR_TEXT_MAX + 128];
    nw_status status;

    status = nw__engine_encode_flat(binding->codec, &value, 1, transfer,
                                    &outcome, why, sizeof(why));
    switch (status) {
    case NW_OK:
        settle(binding, task->id, NW_OK, &outcome);
        return;
    case NW_ESTOPPED:
        binding->stopping = true;
        break;
    case NW_ECLONE:
        snprintf(text, sizeof(text), "the result of %s() cannot be cloned: %s",
                 task->function_name, why);
        settle_failure(binding, task->id, status, text);
        break;
    default:
        settle_failure(binding, task->id, status, nw_status_message(status));
        break;
    }
    nw__message_fini(&outcome);
}

void nw__task_finish(struct nw__binding *binding, napi_value value)
{
    const struct nw__run *current = &binding->current;

    if (current->job != NULL) {
        const struct nw__pending task = {current->job, current->id,
                                         current->function_name};

        settle_value(binding, &task, value, NULL);
    }
}

void nw__task_fail(struct nw__binding *binding, nw_status status,
                   const char *text)
{
    if (binding->current.job != NULL) {
        settle_failure(binding, binding->current.id, status, text);
    }
}

void nw__task_interrupted(struct nw__binding *binding, uint64_t id,
                          const char *stack)
{
    struct nw__message outcome = {0};

    nw__error_write_at(&outcome, NW_ECANCELED, "the script was interrupted",
                       stack);
    settle(binding, id, NW_ECANCELED, &outcome);
}

// -- whose turn it is

// pool.js follows tasks through their awaits when there are several.
static uint64_t ask_task(struct nw__binding *binding)
{
    napi_env env = binding->env;
    napi_value asked, task, id;
    uint64_t number = 0;

    if (napi_get_reference_value(env, binding->asked, &asked) != napi_ok ||
        napi_get_named_property(env, asked, "taskId", &task) != napi_ok ||
        napi_call_function(env, asked, task, 0, NULL, &id) != napi_ok ||
        !nw__binding_get_id(env, id, &number)) {
        nw__binding_drop_exception(env);
    }
    return number;
}

uint64_t nw__binding_task(struct nw__binding *binding)
{
    if (binding->current.job != NULL) {
        return binding->current.id;
    }
    if (binding->pending_count == 0) {
        return 0;
    }
    return binding->lane->concurrency == 1 && binding->pending_count == 1
               ? binding->pending[0].id
               : ask_task(binding);
}

// -- what pool.js calls. Ids that are not (any more) those of a task here are
// ignored.

// The task that the first argument names. False: none.
static struct nw__binding *task_arguments(napi_env env, napi_callback_info info,
                                          size_t needed, size_t max,
                                          napi_value *values,
                                          struct nw__pending *task)
{
    struct nw__binding *binding =
        nw__binding_arguments(env, info, needed, max, values);
    uint64_t id;

    if (binding == NULL || !nw__binding_get_id(env, values[0], &id) ||
        !find(binding, id, task)) {
        return NULL;
    }
    return binding;
}

// The same for what speaks of the task inside its synchronous call.
static struct nw__binding *current_arguments(napi_env env,
                                             napi_callback_info info,
                                             size_t needed, napi_value *values)
{
    struct nw__binding *binding =
        nw__binding_arguments(env, info, needed, needed, values);

    return binding != NULL && binding->current.job != NULL ? binding : NULL;
}

static napi_value fail_with(napi_env env, napi_callback_info info,
                            nw_status status)
{
    napi_value values[2];
    struct nw__pending task;
    struct nw__binding *binding =
        task_arguments(env, info, 2, 2, values, &task);
    struct nw__message record = {0};

    if (binding != NULL) {
        // A plain object by construction. An empty message reads as "unknown
        // error" later.
        nw__engine_encode(binding->codec, values[1], NULL, &record, NULL, 0);
        settle(binding, task.id, status, &record);
    }
    return NULL;
}

// fail(id, record): it threw or rejected.
static napi_value js_fail(napi_env env, napi_callback_info info)
{
    return fail_with(env, info, NW_ETHROWN);
}

// missing(id, record): there is no such function.
static napi_value js_missing(napi_env env, napi_callback_info info)
{
    return fail_with(env, info, NW_EMODULE);
}

// done(id, value[, transfer]): its result.
static napi_value js_done(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    struct nw__pending task;
    struct nw__binding *binding =
        task_arguments(env, info, 2, 3, values, &task);
    bool moves = false;

    if (binding != NULL) {
        napi_is_array(env, values[2], &moves);
        settle_value(binding, &task, values[1], moves ? values[2] : NULL);
    }
    return NULL;
}

static napi_value id_value(struct nw__binding *binding, uint64_t id)
{
    napi_value value = NULL;

    napi_create_int64(binding->env, (int64_t)id, &value);
    return value;
}

// pending(): the current task returned a promise; done or fail follows, with
// the id that this returns.
static napi_value js_pending(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = current_arguments(env, info, 0, NULL);
    struct nw__run *current;

    if (binding == NULL) {
        return NULL;
    }
    current = &binding->current;
    NW_ASSERT(binding->pending_count < binding->pending_max);
    binding->pending[binding->pending_count++] =
        (struct nw__pending){current->job, current->id, current->function_name};
    leave_current(binding);
    return id_value(binding, current->id);
}

// functionName(): of the current task.
static napi_value js_function_name(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = current_arguments(env, info, 0, NULL);
    napi_value name = NULL;

    if (binding != NULL) {
        napi_create_string_utf8(env, binding->current.function_name,
                                NAPI_AUTO_LENGTH, &name);
    }
    return name;
}

// taskId(): of the current task.
static napi_value js_task_id(napi_env env, napi_callback_info info)
{
    struct nw__binding *binding = current_arguments(env, info, 0, NULL);

    return binding != NULL ? id_value(binding, binding->current.id) : NULL;
}

// asyncId(id): of the current task's AsyncResource; only while tracing.
static napi_value js_async_id(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__binding *binding = current_arguments(env, info, 1, values);
    const struct nw__hooks *hooks = nw__hooks();
    double id;

    if (binding != NULL && hooks != NULL &&
        napi_get_value_double(env, values[0], &id) == napi_ok) {
        hooks->task_async_id(binding->current.id, id);
    }
    return NULL;
}

// -- sending

// The loop's time is that of the beginning of its turn.
static bool is_turn_long(struct nw__binding *binding)
{
    uint64_t began_ms = uv_now(binding->async.loop);

    return nw__now_ns() / NW__NS_PER_MS >= began_ms + TURN_MS;
}

// Hands a value to the source. NW_EBUSY: it was taken, but let the event loop
// turn before the next.
static nw_status pass(struct nw__binding *binding, uint64_t id,
                      struct nw__message *message)
{
    struct nw__lane *lane = binding->lane;
    nw_status status = lane->source->sent(lane->owner, lane, id, message);

    return status == NW_OK && is_turn_long(binding) ? NW_EBUSY : status;
}

static nw_status keep_unsent(struct nw__binding *binding, uint64_t id,
                             struct nw__message *message)
{
    struct nw__unsent *unsent = nw__alloc_zero(sizeof(*unsent));

    if (unsent == NULL) {
        return NW_ENOMEM;
    }
    unsent->id = id;
    nw__message_move(&unsent->message, message);
    hold(binding, unsent);
    return NW_OK;
}

// The status for pool.js; NULL with an exception for what it is not to know.
static napi_value answer(struct nw__binding *binding, nw_status status,
                         const char *text)
{
    napi_value value = NULL;

    switch (status) {
    case NW_OK:
    case NW_EBUSY:
    case NW_EFULL:
    case NW_ENOENT:
        napi_create_int32(binding->env, status, &value);
        break;
    case NW_ESTOPPED:
        break;
    default:
        nw__binding_throw(binding->env, nw_status_name(status), text);
        break;
    }
    return value;
}

// send(id, value, transfer, wait): a value of a task's, or, with `wait`, one
// that is kept until resend(). Returns a status: OK, EBUSY (take a breath),
// EFULL (taken; wait for room), ENOENT (the task is gone).
static napi_value js_send(napi_env env, napi_callback_info info)
{
    napi_value values[4];
    struct nw__pending task;
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 4, 4, values);
    struct nw__message message = {0};
    char why[NW__ERROR_TEXT_MAX] = "";
    char text[NW__ERROR_TEXT_MAX + 128];
    bool moves = false;
    bool wait = false;
    nw_status status;
    uint64_t id;

    if (binding == NULL || !nw__binding_get_id(env, values[0], &id) ||
        !find(binding, id, &task)) {
        return binding != NULL ? answer(binding, NW_ENOENT, NULL) : NULL;
    }
    napi_is_array(env, values[2], &moves);
    napi_get_value_bool(env, values[3], &wait);
    status = nw__engine_encode_flat(binding->codec, &values[1], 1,
                                    moves ? values[2] : NULL, &message, why,
                                    sizeof(why));
    if (status == NW_OK) {
        status = wait ? keep_unsent(binding, id, &message)
                      : pass(binding, id, &message);
    } else if (status == NW_ECLONE) {
        snprintf(text, sizeof(text),
                 "a value that %s() sends cannot be cloned: %s",
                 task.function_name, why);
    }
    nw__message_fini(&message);
    return answer(binding, status,
                  status == NW_ECLONE ? text : nw_status_message(status));
}

// resend(id): the oldest value that waits is sent. As send().
static napi_value js_resend(napi_env env, napi_callback_info info)
{
    napi_value values[1];
    struct nw__pending task;
    struct nw__binding *binding =
        task_arguments(env, info, 1, 1, values, &task);
    struct nw__unsent *unsent =
        binding != NULL ? take_unsent(binding, task.id) : NULL;
    nw_status status;

    if (unsent == NULL) {
        return NULL;
    }
    status = pass(binding, task.id, &unsent->message);
    free_unsent(unsent);
    return answer(binding, status, nw_status_message(status));
}

void nw__binding_define_tasks(struct nw__binding *binding, napi_value exports)
{
    static const struct nw__binding_function functions[] = {
        {"fail", js_fail},
        {"missing", js_missing},
        {"done", js_done},
        {"pending", js_pending},
        {"functionName", js_function_name},
        {"taskId", js_task_id},
        {"asyncId", js_async_id},
        {"send", js_send},
        {"resend", js_resend},
    };

    binding->unsent_end = &binding->unsent;
    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
}

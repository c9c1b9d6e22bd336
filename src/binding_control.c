// The control environment: runs the commands of control.h with the handlers of
// glue.js, and carries what those report back to C.

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "src/binding.h"
#include "src/error_record.h"
#include "src/port_events.h"
#include "src/registry.h"
#include "src/runtime.h"

// A command for which there is no memory is tried again, with a pause, so often;
// those behind it wait, for none may overtake.
#define TRIES    100
#define PAUSE_MS 10

// Most values of one command.
#define VALUES_MAX 4

// Of a worker and of a port. The scripts have them by name.
#define EVENT_MAP(X)                                                           \
    X(ONLINE)                                                                  \
    X(MESSAGE)                                                                 \
    X(MESSAGE_ERROR)                                                           \
    X(ERROR)                                                                   \
    X(UNCAUGHT)                                                                \
    X(WRITTEN)                                                                 \
    X(EXIT)                                                                    \
    X(CLOSE)                                                                   \
    X(MOVED)

enum event_type {
#define NW_X(name) EVENT_##name,
    EVENT_MAP(NW_X)
#undef NW_X
};

// For what only the control environment may do, whoever else can call it.
static struct nw__binding *control_arguments(napi_env env,
                                             napi_callback_info info,
                                             size_t needed, napi_value *values)
{
    struct nw__binding *binding =
        nw__binding_arguments(env, info, needed, needed, values);

    if (binding != NULL && binding->answer == NULL) {
        nw__binding_throw(env, "NW_EINVAL", "not the control environment");
        return NULL;
    }
    return binding;
}

// -- events

// The payload of an event; what is cloneable between workers but not to C makes
// an error event of it. `*type` follows. False without memory.
// `buffers` is an array of what may move, or not an array.
static bool encode_payload(struct nw__binding *binding, napi_value payload,
                           napi_value buffers, uint32_t *type,
                           struct nw__message *out)
{
    char why[NW__ERROR_TEXT_MAX] = "out of memory";
    bool moves = false;
    nw_status status;

    napi_is_array(binding->env, buffers, &moves);
    status = nw__engine_encode(binding->codec, payload, moves ? buffers : NULL,
                               out, why, sizeof(why));
    if (status != NW_OK && status != NW_ENOMEM) {
        *type = EVENT_MESSAGE_ERROR;
        nw__error_write(out, status, why, NULL);
    }
    return status != NW_ENOMEM;
}

static napi_value boolean(napi_env env, bool value)
{
    napi_value result = NULL;

    napi_get_boolean(env, value, &result);
    return result;
}

static bool tell_worker(uint32_t number, enum event_type type,
                        struct nw__message *message, int code)
{
    switch (type) {
    case EVENT_ONLINE:
        return nw__worker_online(number);
    case EVENT_MESSAGE:
        return nw__worker_message(number, message);
    case EVENT_MESSAGE_ERROR:
        return nw__worker_message_error(number, message);
    case EVENT_ERROR:
        return nw__worker_error(number, message);
    case EVENT_UNCAUGHT:
        return nw__worker_died_uncaught(number, message);
    case EVENT_WRITTEN:
        nw__worker_written(number, (size_t)code);
        break;
    case EVENT_EXIT:
        nw__worker_exited(number, code);
        break;
    case EVENT_CLOSE:
    case EVENT_MOVED:
        break;
    }
    return true;
}

// event(worker, type, payload, buffers). False: there was no memory for it, try
// again.
static napi_value js_event(napi_env env, napi_callback_info info)
{
    napi_value values[4];
    struct nw__binding *binding = control_arguments(env, info, 4, values);
    struct nw__message message = {0};
    uint32_t number, type;
    int32_t code = 0;
    bool taken = true;

    if (binding == NULL || !nw__binding_get_number(env, values[0], &number) ||
        !nw__binding_get_number(env, values[1], &type)) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "event(worker, type, payload, buffers)");
    }
    if (type == EVENT_EXIT || type == EVENT_WRITTEN) {
        napi_get_value_int32(env, values[2], &code);
    } else {
        taken = encode_payload(binding, values[2], values[3], &type, &message);
    }
    taken = taken && tell_worker(number, (enum event_type)type, &message, code);
    nw__message_fini(&message);
    return boolean(env, taken);
}

static bool tell_port(uint64_t id, enum event_type type,
                      struct nw__message *message)
{
    switch (type) {
    case EVENT_MESSAGE:
        return nw__port_message(id, message);
    case EVENT_CLOSE:
        return nw__port_closed(id);
    case EVENT_MOVED:
        return nw__port_moved(id);
    default:
        return nw__port_message_error(id, message);
    }
}

// portEvent(id, type, payload, buffers). As above.
static napi_value js_port_event(napi_env env, napi_callback_info info)
{
    napi_value values[4];
    struct nw__binding *binding = control_arguments(env, info, 4, values);
    struct nw__message message = {0};
    uint64_t id;
    uint32_t type;
    bool taken;

    if (binding == NULL || !nw__binding_get_id(env, values[0], &id) ||
        !nw__binding_get_number(env, values[1], &type)) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "portEvent(id, type, payload, buffers)");
    }
    taken = encode_payload(binding, values[2], values[3], &type, &message) &&
            tell_port(id, (enum event_type)type, &message);
    nw__message_fini(&message);
    return boolean(env, taken);
}

// -- answers

// reply(request, value, buffers). False: there was no memory for it, try again.
static napi_value js_reply(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    struct nw__binding *binding = control_arguments(env, info, 3, values);
    struct nw__message message = {0};
    char why[NW__ERROR_TEXT_MAX] = "";
    uint64_t request;
    bool moves = false;
    nw_status status;

    if (binding == NULL || !nw__binding_get_id(env, values[0], &request)) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "reply(request, value, buffers)");
    }
    napi_is_array(env, values[2], &moves);
    status =
        nw__engine_encode(binding->codec, values[1], moves ? values[2] : NULL,
                          &message, why, sizeof(why));
    if (status != NW_ENOMEM) {
        nw__control_reply(binding->control, request, status, &message, why);
    }
    nw__message_fini(&message);
    return boolean(env, status != NW_ENOMEM);
}

// refuse(request, status, text)
static napi_value js_refuse(napi_env env, napi_callback_info info)
{
    napi_value values[3];
    char text[NW__ERROR_TEXT_MAX] = "";
    uint64_t request;
    int32_t status = NW_EINVAL;
    struct nw__binding *binding = control_arguments(env, info, 3, values);

    if (binding == NULL || !nw__binding_get_id(env, values[0], &request)) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "refuse(request, status, text)");
    }
    napi_get_value_int32(env, values[1], &status);
    napi_get_value_string_utf8(env, values[2], text, sizeof(text), NULL);
    nw__control_reply(binding->control, request, (nw_status)status, NULL, text);
    return NULL;
}

// -- commands

// Values of a call to a handler: number, argument, what moves, the message's.
#define FIXED 3

struct prepared {
    napi_value values[2 + FIXED + VALUES_MAX];
    size_t first; // A call's begin with the handler and the request.
    size_t count;
};

// NW_OK: `out` has the arguments. Else `why` says what is wrong.
static nw_status prepare(struct nw__binding *binding,
                         struct nw__command *command, struct prepared *out,
                         char *why, size_t why_size)
{
    napi_env env = binding->env;
    napi_value *values = out->values + 2;
    napi_value transfer = NULL;
    uint32_t count = command->message.value_count;
    nw_status status = NW_OK;

    NW_ASSERT(count <= VALUES_MAX);

    if (count > 0) {
        status =
            nw__engine_decode(binding->codec, &command->message, values + FIXED,
                              VALUES_MAX, &transfer, why, why_size);
    }
    if (status != NW_OK) {
        return status;
    }
    if (transfer == NULL) {
        napi_get_undefined(env, &transfer);
    }
    napi_create_int64(env, (int64_t)command->number, &values[0]);
    napi_create_uint32(env, command->argument, &values[1]);
    values[2] = transfer;
    out->first = 2;
    out->count = FIXED + count;
    return NW_OK;
}

static void call(struct nw__binding *binding, struct nw__command *command,
                 struct prepared *prepared)
{
    napi_env env = binding->env;
    napi_ref reference = binding->handlers[command->type];
    napi_value receiver, function, ignored;

    if (napi_get_reference_value(env, reference, &function) != napi_ok) {
        return;
    }
    if (command->request != 0) {
        // answer(handler, request, ...) of the glue sees to the rest.
        prepared->first = 0;
        prepared->count += 2;
        prepared->values[0] = function;
        napi_create_int64(env, (int64_t)command->request, &prepared->values[1]);
        napi_get_reference_value(env, binding->answer, &function);
    }
    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, function, prepared->count,
                       prepared->values + prepared->first, &ignored);
}

// A message that cannot even be read has no handler to report it.
static void report(struct nw__command *command, nw_status status,
                   const char *why)
{
    struct nw__message record = {0};

    if (command->request != 0) {
        nw__control_reply(command->control, command->request, status, NULL,
                          why);
        return;
    }
    nw__error_write(&record, status, why, NULL);
    if (command->type == NW__COMMAND_WRITE) {
        nw__worker_written((uint32_t)command->number, command->argument);
    }
    if (command->type == NW__COMMAND_POST ||
        command->type == NW__COMMAND_WRITE) {
        nw__worker_message_error((uint32_t)command->number, &record);
    } else if (command->type == NW__COMMAND_POST_PORT) {
        nw__port_message_error(command->number, &record);
    }
    nw__message_fini(&record);
}

// False: memory was short, and it shall be tried again.
static bool run_command(struct nw__binding *binding,
                        struct nw__command *command)
{
    napi_env env = binding->env;
    struct prepared prepared;
    napi_handle_scope scope;
    char why[NW__ERROR_TEXT_MAX] = "";
    nw_status status;
    bool again;

    if (napi_open_handle_scope(env, &scope) != napi_ok) {
        return true;
    }
    status = prepare(binding, command, &prepared, why, sizeof(why));
    again = status == NW_ENOMEM && ++command->tries < TRIES;
    if (status == NW_OK) {
        call(binding, command, &prepared);
    } else if (!again) {
        report(command, status, why);
    }
    // An error of one command must not meet the next.
    nw__binding_drop_exception(env);
    napi_close_handle_scope(env, scope);
    return !again;
}

static void run_commands(uv_async_t *async)
{
    struct nw__binding *binding = async->data;
    napi_handle_scope handles;
    napi_callback_scope scope;
    struct nw__command *command;

    if (binding->stopping ||
        napi_open_handle_scope(binding->env, &handles) != napi_ok) {
        return;
    }
    scope = nw__binding_enter(binding);
    command = nw__control_take(binding->control);
    while (command != NULL) {
        struct nw__command *next = command->next;

        if (scope != NULL && !run_command(binding, command)) {
            usleep(PAUSE_MS * 1000);
            nw__control_put_back(binding->control, command);
            break;
        }
        nw__command_destroy(command);
        command = next;
    }
    nw__binding_leave(binding, scope);
    napi_close_handle_scope(binding->env, handles);
}

// -- life

static void release(struct nw__binding *binding)
{
    for (size_t i = 0; i < NW__COMMAND_TYPES; i++) {
        nw__binding_delete_reference(binding->env, &binding->handlers[i]);
    }
    nw__binding_delete_reference(binding->env, &binding->answer);
    nw__binding_close_async(binding);
}

static void on_cleanup(void *data)
{
    struct nw__binding *binding = data;

    binding->stopping = true;
    nw__control_detach(binding->control);
    release(binding);
}

static bool keep_handlers(struct nw__binding *binding, napi_value handlers)
{
    static const char *const names[] = {
#define NW_X(name, handler) handler,
        NW__COMMAND_MAP(NW_X)
#undef NW_X
    };
    napi_env env = binding->env;
    napi_value function;

    for (size_t i = 0; i < NW__COMMAND_TYPES; i++) {
        if (napi_get_named_property(env, handlers, names[i], &function) !=
                napi_ok ||
            napi_create_reference(env, function, 1, &binding->handlers[i]) !=
                napi_ok) {
            return false;
        }
    }
    return true;
}

// control(handlers, answer): this environment takes the commands.
static napi_value js_control(napi_env env, napi_callback_info info)
{
    napi_value values[2];
    struct nw__binding *binding =
        nw__binding_arguments(env, info, 2, 2, values);

    struct nw__control *control = NULL;

    if (binding != NULL && binding->answer == NULL && binding->worker == 0) {
        control = nw__runtime_take_control();
    }
    if (control == NULL) {
        return nw__binding_throw(env, "NW_EINVAL",
                                 "there is a control environment");
    }
    nw__control_unref(binding->control);
    binding->control = control;
    if (!nw__binding_open_async(binding, "NWPOOL_CONTROL", run_commands) ||
        !keep_handlers(binding, values[0]) ||
        napi_create_reference(env, values[1], 1, &binding->answer) != napi_ok) {
        release(binding);
        return nw__binding_throw(env, "NW_ENOMEM", "out of memory");
    }
    // A guest does not keep the program running.
    if (control != nw__control_main()) {
        uv_unref((uv_handle_t *)&binding->async);
    }
    napi_add_env_cleanup_hook(env, on_cleanup, binding);
    nw__control_attach(binding->control, nw__binding_wake, binding);
    return NULL;
}

static void define_numbers(napi_env env, napi_value exports)
{
    napi_value events, statuses;

    if (napi_create_object(env, &events) != napi_ok ||
        napi_create_object(env, &statuses) != napi_ok) {
        return;
    }
#define NW_X(name) nw__binding_set_number(env, events, #name, EVENT_##name);
    EVENT_MAP(NW_X)
#undef NW_X
#define NW_X(name, number, message)                                            \
    {                                                                          \
        napi_value status;                                                     \
        napi_create_int32(env, number, &status);                               \
        napi_set_named_property(env, statuses, #name, status);                 \
    }
    NW_STATUS_MAP(NW_X)
#undef NW_X
    napi_set_named_property(env, exports, "EVENT", events);
    napi_set_named_property(env, exports, "STATUS", statuses);
}

void nw__binding_define_control(struct nw__binding *binding, napi_value exports)
{
    static const struct nw__binding_function functions[] = {
        {"control", js_control},      {"event", js_event},
        {"portEvent", js_port_event}, {"reply", js_reply},
        {"refuse", js_refuse},
    };

    nw__binding_define(binding, exports, functions, NW_ARRAY_SIZE(functions));
    define_numbers(binding->env, exports);
}

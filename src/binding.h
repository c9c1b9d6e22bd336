// process._linkedBinding("nwpool"): what our scripts find of C. One state for
// each environment that asks, in one of four roles: the control environment,
// a worker of a pool (it has a lane), a worker of nw_worker_create(), or
// somebody else's worker, which gets the functions for everybody only.
//
//   binding.c           the state, its life, and the helpers below
//   binding_lane.c      a pool's worker: starting tasks, what the pool asks
//   binding_task.c      its tasks: their ends, and what they send
//   binding_control.c   the control environment: commands in, events out
//   binding_hosts.c     objects of Node.js beside messages
//   binding_functions.c C functions: the object, and bodies
//   binding_call.c      their calls
//   binding_promise.c   promises that they settle
//   binding_visit.c     a worker's thread, reached from others

#ifndef NW_SRC_BINDING_H
#define NW_SRC_BINDING_H

#include <node_api.h>
#include <uv.h>

#include "src/common.h"
#include "src/control.h"
#include "src/engine/engine.h"
#include "src/engine/guard.h"
#include "src/lane.h"

#define NW__BINDING_NAME "nwpool"

// Texts of exceptions are cut here.
#define NW__ERROR_TEXT_MAX 512

struct host_state;
struct nw__binding_functions;
struct nw__pending;
struct nw__unsent;

// All of it belongs to the environment's thread.
struct nw__binding {
    napi_env env;
    struct nw__engine_codec *codec;
    uint32_t references; // The environment's, and one for each open uv handle.
    bool stopping;       // The environment is going down.

    // A handle to be woken through, and an async context in which to enter
    // JavaScript from it. One role at most needs them.
    uv_async_t async;
    bool async_open;
    napi_async_context context;
    napi_ref resource;

    uint32_t worker; // Its number; 0: control, or somebody else's worker.
    struct nw__control *control; // Of this environment, or of who made it.

    // -- objects beside messages; see binding_hosts.c
    napi_ref keep;
    napi_ref fetch;

    // -- control environment
    napi_ref handlers[NW__COMMAND_TYPES];
    napi_ref answer;

    // -- worker of a lane; see binding_task.h
    struct nw__lane *lane;
    struct nw__engine_guard *guard;
    napi_ref run;
    napi_ref asked;         // Functions of pool.js, for requests.
    struct nw__run current; // In its synchronous call; no job: none is.
    uint64_t inside; // The same task, by its id, while a script of its own may
                     // be on the stack; 0: none is.
    struct nw__pending *pending; // Those that returned promises.
    uint32_t pending_count;
    uint32_t pending_max;
    struct nw__unsent *unsent; // Values that wait for room, oldest first.
    struct nw__unsent **unsent_end;
    uint64_t now_ns; // When the last job ended.
    bool ready;      // The module is loaded and set up, and not torn down.
    bool pumping;    // The pump is on the stack.
    bool was_hit;    // A script was interrupted in this callback scope.

    struct nw__binding_functions *functions;

    struct host_state
        *host; // Of binding/host.c, which a C program does not have.
};

// Lets others visit this worker's thread, see visit.h. False without memory.
bool nw__binding_open_visits(struct nw__binding *binding);

// Environment variables that are for another Node.js, ended by NULL.
extern const char *const nw__hidden_variables[];

// The addon's init function. Thread: any JavaScript thread.
napi_value nw__binding_init(napi_env env, napi_value exports);

// The same, for more to be defined; NULL with an exception.
struct nw__binding *nw__binding_create(napi_env env, napi_value exports);

// -- for the other files of the binding. Thread: the environment's.

// Defines functions on an object. Each carries the state: the environment's
// instance data is left to C functions that are a worker's body.
struct nw__binding_function {
    const char *name;
    napi_callback callback;
};
void nw__binding_define(struct nw__binding *binding, napi_value object,
                        const struct nw__binding_function *functions,
                        size_t count);
void nw__binding_define_lane(struct nw__binding *binding, napi_value exports);
void nw__binding_define_tasks(struct nw__binding *binding, napi_value exports);
void nw__binding_define_control(struct nw__binding *binding,
                                napi_value exports);
void nw__binding_define_hosts(struct nw__binding *binding, napi_value exports);
void nw__binding_define_functions(struct nw__binding *binding,
                                  napi_value exports);

// The state of the environment and the arguments of a call; NULL with an
// exception when there are fewer than `needed` of them. Missing ones up to
// `max` are undefined.
struct nw__binding *nw__binding_arguments(napi_env env, napi_callback_info info,
                                          size_t needed, size_t max,
                                          napi_value *values);

// The id of the pool's task that runs; 0: none. May ask pool.js.
uint64_t nw__binding_task(struct nw__binding *binding);

// Throws unless an exception is pending already. Returns NULL.
napi_value nw__binding_throw(napi_env env, const char *code,
                             const char *message);

bool nw__binding_get_number(napi_env env, napi_value value, uint32_t *out);
bool nw__binding_get_id(napi_env env, napi_value value, uint64_t *out);
void nw__binding_set_string(napi_env env, napi_value object, const char *key,
                            const char *text);
void nw__binding_set_number(napi_env env, napi_value object, const char *key,
                            uint32_t number);

// Is the environment being torn down? A call that failed because its script
// threw and one whose script was terminated look alike otherwise.
bool nw__binding_is_stopping(napi_env env);

void nw__binding_drop_exception(napi_env env);

// The text of the exception that is pending, which is taken. False: the
// environment is being torn down instead.
bool nw__binding_take_exception(napi_env env, char *text, size_t size);

// The wake-up handle; false without memory or in an environment that goes down.
bool nw__binding_open_async(struct nw__binding *binding, const char *name,
                            uv_async_cb callback);
void nw__binding_close_async(struct nw__binding *binding);
// For uv_async_send() from any thread, under a lock of the caller that its
// cleanup takes as well.
void nw__binding_wake(void *binding);

// A callback scope for what follows; NULL in an environment that goes down.
// Closing it runs next-ticks and microtasks, where the environment may end.
napi_callback_scope nw__binding_enter(struct nw__binding *binding);
void nw__binding_leave(struct nw__binding *binding, napi_callback_scope scope);

// One open uv handle more, or less; the last one frees the state.
void nw__binding_ref(struct nw__binding *binding);
void nw__binding_unref(struct nw__binding *binding);

void nw__binding_delete_reference(napi_env env, napi_ref *reference);

// What the codec calls; see engine.h. `context` is the binding.
extern const struct nw__engine_hosts nw__binding_hosts;

#endif

// The engine: the two things that only C++ can do with libnode, behind a C
// face. Start and stop the one Node.js of a process, and carry values across.
//
// Nothing here knows pools, lanes or workers. Everything else that touches
// JavaScript uses Node-API. A scripted engine for tests implements this header
// instead of engine.cc and codec.cc.

#ifndef NW_SRC_ENGINE_ENGINE_H
#define NW_SRC_ENGINE_ENGINE_H

#include <node_api.h>

#include "src/message.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nw__engine_options {
    const char *glue;         // Script of the control environment.
    const char *binding_name; // For process._linkedBinding(); static storage.
    napi_addon_register_func binding_init; // Once for each environment.
    const char *const *node_options;       // NULL-terminated; may be NULL.
    uint32_t platform_threads;
};

// Node's version and its NODE_MODULE_VERSION as this library was built.
const char *nw__engine_version(void);
int nw__engine_module_version(void);

// Starts Node.js and loads the glue. Once in the life of a process, on the
// thread that will run it, which needs a stack of 2 MiB or more. On failure
// `error` receives one sentence and the engine cannot be opened again.
//
// NW_ENODE. Thread: control.
nw_status nw__engine_open(const struct nw__engine_options *options,
                          char *error, size_t error_size);

// Runs the control environment until nw__engine_interrupt() or its own end;
// returns its exit code. Thread: control. Blocks.
int nw__engine_run(void);

// Ends workers and environment, joins their threads, disposes of V8. A worker
// stuck in native code keeps it from returning. Thread: control. Blocks.
void nw__engine_close(void);

// Makes nw__engine_run() return soon. Thread: any, between a successful open
// and close; harmless outside.
void nw__engine_interrupt(void);

// -- values. Thread: the JavaScript thread of `env`, inside a handle scope.

// How an encode or decode ended besides NW_OK.
//   NW_ECLONE   the value cannot be cloned, a getter threw, or the message is
//               malformed; `error`, if not NULL, receives the text.
//   NW_ESTOPPED the environment is being torn down; call no more JavaScript.
//   NW_ENOMEM
//
// No JavaScript exception is left pending.

// Decodes message->value_count values behind one header. `values` receives at
// most `count` of them. Blobs become array buffers over the same memory and
// leave the message.
nw_status nw__engine_decode(napi_env env, struct nw__message *message,
                            napi_value *values, size_t count, char *error,
                            size_t error_size);

// Encodes one value. `transfer` is an array of the array buffers to move
// instead of copy, or NULL. They leave JavaScript only when all succeeded.
nw_status nw__engine_encode(napi_env env, napi_value value,
                            napi_value transfer, struct nw__message *message,
                            char *error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif

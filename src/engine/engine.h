// The engine: the two things that only C++ can do with libnode, behind a C
// face. Start and stop the one Node.js of a process, and carry values across.
//
// Nothing here knows pools, lanes or workers. Everything else that touches
// JavaScript uses Node-API. A scripted engine for tests implements this header
// instead of engine.cc and codec.cc.

#ifndef NW_SRC_ENGINE_ENGINE_H
#define NW_SRC_ENGINE_ENGINE_H

#include <stdbool.h>

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
nw_status nw__engine_open(const struct nw__engine_options *options, char *error,
                          size_t error_size);

// Runs the control environment until nw__engine_interrupt() or its own end;
// returns its exit code. Thread: control. Blocks.
int nw__engine_run(void);

// Ends workers and environment, joins their threads, disposes of V8. A worker
// stuck in native code keeps it from returning. False: threads are parked for
// ever (see guard.h), so nothing was joined or disposed of. Then the workers
// with a guard have been ended, and the process must end by _exit(): exit
// handlers and static destructors of Node.js crash while its threads are there.
//
// Thread: control. Blocks.
bool nw__engine_close(void);

// Makes nw__engine_run() return soon. Thread: any, between a successful open
// and close; harmless outside.
void nw__engine_interrupt(void);

// -- isolates

// That of the current thread. Thread: a JavaScript thread.
void *nw__engine_isolate(void);

// Has `call(data)` called on the isolate's thread at the next place where its
// script can be interrupted; never, if it runs none before it is disposed of.
// It must not run JavaScript. All calls in a process name the same function.
// Thread: any, while the isolate lives.
void nw__engine_interrupt_soon(void *isolate, void (*call)(void *data),
                               void *data);

// Takes a snapshot of the heap of the current thread's isolate and hands it, as
// JSON, to `write`, which returns false to break off. NW_OK; NW_EIO; NW_ENOMEM.
// Thread: a JavaScript thread, also inside an interrupt. Blocks.
nw_status nw__engine_heap_snapshot(bool (*write)(void *context,
                                                 const char *data, size_t size),
                                   void *context);

// -- values. Thread: the JavaScript thread of the codec's environment, inside a
// handle scope, for everything below.

// Where the objects of Node.js (ports, keys, blobs, ...) in a message go. Both
// run JavaScript; neither leaves an exception pending. They return NW_OK, or
// NW_ECLONE with a text in `error`, NW_ENOMEM, NW_ESTOPPED.
struct nw__engine_hosts {
    // The `count` objects in the array `objects` are part of a message: keep
    // them, and fill `out[i].ref` with a reference for each. `transfer` is an
    // array of those among them that must move, or NULL; set `out[i].transfer`
    // for them. On failure nothing is kept or moved.
    nw_status (*keep)(void *context, napi_value objects, uint32_t count,
                      napi_value transfer, struct nw__attached *out,
                      char *error, size_t error_size);
    // The objects behind `refs`, all of type NW__REF_HOST, as an array in the
    // same order.
    nw_status (*fetch)(void *context, const struct nw__attached *const *refs,
                       uint32_t count, napi_value *objects, char *error,
                       size_t error_size);
    void *context;
};

// The codec of one environment. `hosts` is copied.
struct nw__engine_codec;

// NULL without memory.
struct nw__engine_codec *
nw__engine_codec_create(napi_env env, const struct nw__engine_hosts *hosts);

// From the environment's cleanup hook, or later on its thread. NULL is ignored.
void nw__engine_codec_destroy(struct nw__engine_codec *codec);

// V8's own form of an Error keeps neither class nor own properties. `function`
// is called with a value that contains Errors, at any depth, and returns a copy
// in which each is replaced by nw__engine_box_error(); see js/record.js. Until
// it is set errors are written as V8 writes them. NW_OK; NW_EINVAL.
nw_status nw__engine_set_boxer(struct nw__engine_codec *codec,
                               napi_value function);

// An object that encode writes as NW__WIRE_ERROR with `record` (a plain object)
// behind it. NULL without memory, or when the environment is being torn down.
napi_value nw__engine_box_error(struct nw__engine_codec *codec,
                                napi_value record);

// Whether structured clone copies the value member by member: a plain object
// or an instance of a class; no built-in with a content of its own, no proxy
// and no object of Node.js.
bool nw__engine_is_plain(napi_value value);

// How an encode or decode ended besides NW_OK.
//   NW_ECLONE   the value cannot be cloned, a getter threw, or the message is
//               malformed; `error`, if not NULL, receives the text.
//   NW_ESTOPPED the environment is being torn down; call no more JavaScript.
//   NW_ENOMEM
//
// No JavaScript exception is left pending.

// Decodes message->value_count values behind one header. `values` receives at
// most `count` of them. Blobs become array buffers over the same memory and
// leave the message. `transfer`, if not NULL, receives an array of all that
// moved with the message (those array buffers, and host objects that were
// marked), to be given to a postMessage(); NULL when there is nothing.
nw_status nw__engine_decode(struct nw__engine_codec *codec,
                            struct nw__message *message, napi_value *values,
                            size_t count, napi_value *transfer, char *error,
                            size_t error_size);

// Encodes one value into an empty message. `transfer` is an array of what moves
// instead of being copied (array buffers; views stand for their buffer; host
// objects), or NULL. It leaves JavaScript only when all succeeded.
nw_status nw__engine_encode(struct nw__engine_codec *codec, napi_value value,
                            napi_value transfer, struct nw__message *message,
                            char *error, size_t error_size);

// Several values, for another environment of this process. Where
// nw__engine_set_flat() was called, and nothing is transferred, that may be the
// flat form, which nw__engine_decode() reads and C does not.
#define NW__ENGINE_VALUES_MAX 64
nw_status nw__engine_encode_flat(struct nw__engine_codec *codec,
                                 const napi_value *values, size_t count,
                                 napi_value transfer,
                                 struct nw__message *message, char *error,
                                 size_t error_size);

// What makeFlat() of js/flat.js takes, and what it returns: two functions and
// the array of plain arrays. NULL without memory; NW_OK, NW_EINVAL.
napi_value nw__engine_flat_tools(struct nw__engine_codec *codec);
nw_status nw__engine_set_flat(struct nw__engine_codec *codec,
                              napi_value flatten, napi_value unflatten,
                              napi_value arrays);

#ifdef __cplusplus
}
#endif

#endif

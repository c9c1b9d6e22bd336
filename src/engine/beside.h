// What travels beside the bytes of a message, as V8 sees it: array buffers,
// shared memory, compiled modules.

#ifndef NW_SRC_ENGINE_BESIDE_H
#define NW_SRC_ENGINE_BESIDE_H

#include <v8.h>

#include "src/message.h"

namespace nw {

// A buffer over the memory of a blob, which is empty afterwards. V8 gives the
// memory back when it drops the buffer, on any thread.
v8::Local<v8::ArrayBuffer> lend(v8::Isolate *isolate, nw__blob *blob);

// The memory of a buffer as a blob; the buffer keeps it too until the caller
// detaches it.
nw__blob borrow(v8::Local<v8::ArrayBuffer> buffer);

// One reference to the memory, or to the module; NULL without memory.
nw__ref *shared_ref(v8::Local<v8::SharedArrayBuffer> buffer);
nw__ref *module_ref(v8::Local<v8::WasmModuleObject> module);

// And back. A module can fail to come about, with or without an exception.
v8::Local<v8::SharedArrayBuffer> shared_buffer(v8::Isolate *isolate,
                                               nw_shared *shared);
v8::MaybeLocal<v8::Object> module_object(v8::Isolate *isolate, nw__ref *ref);

// Lets go of every compiled module, wherever the references are: V8 must not be
// disposed of before. Thread: control, when there is no isolate any more.
void drop_modules();

} // namespace nw

#endif

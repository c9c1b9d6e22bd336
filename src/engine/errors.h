// Errors out of the record that stands for them on the wire (src/wire.h).

#ifndef NW_SRC_ENGINE_ERRORS_H
#define NW_SRC_ENGINE_ERRORS_H

#include <v8.h>

#include "src/engine/codec.h"

namespace nw {

// An Error of the class that the record names. Empty when it is no record.
// Runs no JavaScript: the deserializer, on whose stack this is, forbids it.
v8::MaybeLocal<v8::Object> make_error(const nw__engine_codec *codec,
                                      v8::Isolate *isolate,
                                      v8::Local<v8::Value> record);

} // namespace nw

#endif

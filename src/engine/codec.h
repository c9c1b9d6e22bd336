// What the parts of the value codec share. C++; the face to everybody else is
// engine.h.
//
//   codec.cc      one environment's codec, its box for Errors
//   encode.cc     a value into a message, by V8's serializer
//   decode.cc     and back
//   primitive.cc  both for what needs no serializer
//   flat.cc       both for trees of plain objects, by js/flat.js
//   views.cc      typed arrays and DataViews
//   beside.cc     buffers, shared memory and modules beside the bytes
//   errors.cc     Errors out of their record
//   host_object.cc  which objects are Node's own

#ifndef NW_SRC_ENGINE_CODEC_H
#define NW_SRC_ENGINE_CODEC_H

#include <string.h>

#include <v8.h>

#include "src/engine/alloc.h"
#include "src/engine/engine.h"

// Error classes that V8's API cannot make; see errors.cc.
enum nw__error_class {
    NW__ERROR_EVAL,
    NW__ERROR_URI,
    NW__ERROR_AGGREGATE,
    NW__ERROR_CLASSES,
};

namespace nw {

// What is_host_object() found out about prototypes. Of two with the same place
// the later one stays; weak, as user code may make classes without end.
struct Prototypes {
    struct Entry {
        v8::Global<v8::Object> prototype;
        bool is_host;
    };
    static constexpr size_t count = 64;
    Entry entries[count];
};

// What encode_flat() and decode_flat() have.
struct Flat {
    v8::Global<v8::Function> flatten; // Empty until set_flat(), as are all.
    v8::Global<v8::Function> unflatten;
    // One for each kind of items that V8 keeps apart.
    static constexpr size_t kinds = 6;
    v8::Global<v8::Array> arrays[kinds];
    v8::Global<v8::ArrayBuffer> buffer;
    uint8_t *bytes; // Of `buffer`.
    uint32_t turn;  // Of the latest call.
    uint32_t failures;
    uint32_t skipped;
};

} // namespace nw

// The handles go with the environment, which may be before the codec does: a
// worker's last uv callbacks run when its isolate is gone already.
struct nw__engine_codec {
    napi_env env; // NULL when it was torn down.
    nw__engine_hosts hosts;
    v8::Global<v8::Function> boxer;       // Empty until it is set.
    v8::Global<v8::FunctionTemplate> box; // Of what box_error() makes.
    // As they were before any script of the user ran; empty if there were none.
    v8::Global<v8::Object> prototypes[NW__ERROR_CLASSES];
    nw::Prototypes known;
    nw::Flat flat;
};

namespace nw {

// Node-API's handles are V8's; Node itself relies on it.
static_assert(sizeof(v8::Local<v8::Value>) == sizeof(napi_value),
              "handle layout");

inline v8::Local<v8::Value> from_napi(napi_value value)
{
    v8::Local<v8::Value> local;

    memcpy(static_cast<void *>(&local), &value, sizeof(value));
    return local;
}

inline napi_value to_napi(v8::Local<v8::Value> local)
{
    napi_value value;

    memcpy(&value, static_cast<void *>(&local), sizeof(value));
    return value;
}

// A text of ours, ASCII, as a string.
inline v8::Local<v8::String> string(v8::Isolate *isolate, const char *text)
{
    return v8::String::NewFromUtf8(isolate, text).ToLocalChecked();
}

// Where the text of a failure goes; `text` may be NULL.
struct Failure {
    char *text;
    size_t size;

    // Writes the sentence; NW_ECLONE.
    nw_status say(const char *sentence) const;

    // What was caught becomes NW_ECLONE, or NW_ESTOPPED.
    nw_status caught(v8::Isolate *isolate, const v8::TryCatch &caught) const;
};

// Whether it is an object of Node.js (or the box of an Error), which only its
// own means can clone. `known` may be NULL: it only saves time.
bool is_host_object(Prototypes *known, v8::Local<v8::Object> object);

// See nw__engine_is_plain().
bool is_plain(v8::Local<v8::Value> value);

// A call back into the serializer from one of its delegates. An exception must
// be thrown again there: the TryCatch around it all would swallow it half way.
// False: it failed; `*terminated` is set when that was the end of the worker.
template <typename Call>
bool nested(v8::Isolate *isolate, bool *terminated, Call call)
{
    v8::TryCatch caught(isolate);

    if (call()) {
        return true;
    }
    if (caught.HasTerminated()) {
        *terminated = true;
    } else {
        caught.ReThrow();
    }
    return false;
}

// -- primitive.cc

// False: use the serializer; nothing has happened.
bool encode_primitives(const v8::Local<v8::Value> *values, size_t count,
                       nw__message *message);

// Reads all values of a message if they are nothing but primitives. False, with
// some of `values` set: use the deserializer, which knows what is malformed.
bool decode_primitives(v8::Isolate *isolate, const nw__message *message,
                       napi_value *values);

// -- flat.cc

// False: use the serializer, unless `*status` is something else than NW_OK.
bool encode_flat(nw__engine_codec *codec, v8::Isolate *isolate,
                 v8::Local<v8::Value> *values, size_t count,
                 nw__message *message, nw_status *status);

bool is_flat(const nw__message *message);

nw_status decode_flat(nw__engine_codec *codec, v8::Isolate *isolate,
                      const nw__message *message, napi_value *values,
                      size_t count, const Failure &failure);

void drop_flat(Flat *flat);

} // namespace nw

#endif

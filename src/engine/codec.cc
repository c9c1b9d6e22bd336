// The codec of one environment: what encode.cc and decode.cc need of it.
//
// An Error is boxed by an object of a template of ours. It has an internal
// field, which is what makes V8 hand it to the serializer's delegate, and only
// the template tells it from Node's own objects, which have such fields too.

#include "src/engine/codec.h"

#include <new>

#include <stdio.h>

namespace {

using v8::Isolate;
using v8::Local;
using v8::Object;
using v8::Value;

// Internal fields of a box.
constexpr int box_fields = 1;

// The text of what was caught, without running user code to get it.
void describe(Isolate *isolate, const v8::TryCatch &caught, char *error,
              size_t size)
{
    Local<v8::Message> message = caught.Message();
    if (message.IsEmpty()) {
        snprintf(error, size, "unknown error");
        return;
    }
    v8::String::Utf8Value text(isolate, message->Get());
    const char *start = *text ? *text : "unknown error";
    // V8 puts this before the text of every exception that nobody caught.
    for (const char *prefix : {"Uncaught ", "Error: ", "DataCloneError: "}) {
        if (strncmp(start, prefix, strlen(prefix)) == 0) {
            start += strlen(prefix);
        }
    }
    snprintf(error, size, "%s", start);
}

void drop_handles(void *data)
{
    auto *codec = static_cast<nw__engine_codec *>(data);

    codec->env = nullptr;
    codec->boxer.Reset();
    codec->box.Reset();
    for (v8::Global<Object> &prototype : codec->prototypes) {
        prototype.Reset();
    }
    for (nw::Prototypes::Entry &entry : codec->known.entries) {
        entry.prototype.Reset();
    }
    nw::drop_flat(&codec->flat);
}

// The prototype of a global class; empty when it is not what it should be.
Local<Object> prototype_of(Isolate *isolate, Local<v8::Context> context,
                           const char *name)
{
    v8::TryCatch ignored(isolate);
    Local<Value> constructor, prototype;

    if (context->Global()
            ->Get(context, nw::string(isolate, name))
            .ToLocal(&constructor) &&
        constructor->IsObject() &&
        constructor.As<Object>()
            ->Get(context, nw::string(isolate, "prototype"))
            .ToLocal(&prototype) &&
        prototype->IsObject()) {
        return prototype.As<Object>();
    }
    return Local<Object>();
}

} // namespace

nw_status nw::Failure::say(const char *sentence) const
{
    if (text != nullptr) {
        snprintf(text, size, "%s", sentence);
    }
    return NW_ECLONE;
}

nw_status nw::Failure::caught(Isolate *isolate,
                              const v8::TryCatch &caught) const
{
    if (caught.HasTerminated()) {
        return NW_ESTOPPED;
    }
    if (text != nullptr) {
        describe(isolate, caught, text, size);
    }
    return NW_ECLONE;
}

bool nw::is_plain(Local<Value> value)
{
    return value->IsObject() &&
           !is_host_object(nullptr, value.As<Object>()) && !value->IsArray() &&
           !value->IsFunction() && !value->IsProxy() &&
           !value->IsNativeError() && !value->IsDate() && !value->IsRegExp() &&
           !value->IsMap() && !value->IsSet() && !value->IsBooleanObject() &&
           !value->IsNumberObject() && !value->IsStringObject() &&
           !value->IsBigIntObject() && !value->IsSymbolObject() &&
           !value->IsArrayBuffer() && !value->IsSharedArrayBuffer() &&
           !value->IsArrayBufferView() && !value->IsPromise() &&
           !value->IsWeakMap() && !value->IsWeakSet() &&
           !value->IsMapIterator() && !value->IsSetIterator() &&
           !value->IsGeneratorObject() && !value->IsModuleNamespaceObject() &&
           !value->IsWasmModuleObject() && !value->IsWasmMemoryObject() &&
           !value->IsExternal();
}

bool nw__engine_is_plain(napi_value value)
{
    return nw::is_plain(nw::from_napi(value));
}

nw__engine_codec *nw__engine_codec_create(napi_env env,
                                          const nw__engine_hosts *hosts)
{
    static const char *const classes[NW__ERROR_CLASSES] = {
        "EvalError", "URIError", "AggregateError"};
    Isolate *isolate = Isolate::GetCurrent();
    v8::HandleScope handle_scope(isolate);
    Local<v8::Context> context = isolate->GetCurrentContext();
    void *memory = nw__alloc(sizeof(nw__engine_codec));

    if (memory == nullptr) {
        return nullptr;
    }
    if (napi_add_env_cleanup_hook(env, drop_handles, memory) != napi_ok) {
        nw__free(memory);
        return nullptr;
    }
    auto *codec = new (memory) nw__engine_codec{env, *hosts, {}, {}, {}, {}, {}};
    Local<v8::FunctionTemplate> box = v8::FunctionTemplate::New(isolate);

    box->InstanceTemplate()->SetInternalFieldCount(box_fields);
    codec->box.Reset(isolate, box);
    for (int i = 0; i < NW__ERROR_CLASSES; i++) {
        codec->prototypes[i].Reset(
            isolate, prototype_of(isolate, context, classes[i]));
    }
    return codec;
}

void nw__engine_codec_destroy(nw__engine_codec *codec)
{
    if (codec == nullptr) {
        return;
    }
    if (codec->env != nullptr) {
        napi_remove_env_cleanup_hook(codec->env, drop_handles, codec);
        drop_handles(codec);
    }
    codec->~nw__engine_codec();
    nw__free(codec);
}

nw_status nw__engine_set_boxer(nw__engine_codec *codec, napi_value function)
{
    Local<Value> local = nw::from_napi(function);

    if (!local->IsFunction()) {
        return NW_EINVAL;
    }
    codec->boxer.Reset(Isolate::GetCurrent(), local.As<v8::Function>());
    return NW_OK;
}

napi_value nw__engine_box_error(nw__engine_codec *codec, napi_value record)
{
    Isolate *isolate = Isolate::GetCurrent();
    v8::EscapableHandleScope handle_scope(isolate);
    v8::TryCatch caught(isolate);
    Local<Object> box;

    if (codec->env == nullptr) {
        return nullptr;
    }
    if (!codec->box.Get(isolate)
             ->InstanceTemplate()
             ->NewInstance(isolate->GetCurrentContext())
             .ToLocal(&box)) {
        return nullptr;
    }
    box->SetInternalField(0, nw::from_napi(record));
    return nw::to_napi(handle_scope.Escape(Local<Value>(box)));
}

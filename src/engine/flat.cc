// The flat form of js/flat.js in messages, for values that go from one
// environment of the process to another.
//
// A message of it is 32-bit words: a header of two, then those of the script,
// then the text, a byte for each character or two.
//   0  the tag in the lowest byte, how many words follow the header above it
//   1  characters of the text
// What V8 writes begins with 0xFF, which is no tag.
//
// The script cannot see everything. A proxy looks like what is behind it, and
// an array with further keys like one without. Both have a hidden class (map)
// that tells, and V8's headers say where that is.
//
// User code can run in flatten(), in getters. It cannot in unflatten().
//
// Invariants
//   `bytes` of the environment are those of the latest call of the script. One
//   that is not the latest any more when it returns, as a getter of its value
//   sent something itself, has lost them: `turn` tells.

#include <algorithm>
#include <vector>

#include "src/engine/codec.h"
#include "src/shapes.h"

namespace
{

using nw::Failure;
using nw::Flat;
using v8::Isolate;
using v8::Local;
using v8::Object;
using v8::String;
using v8::Value;
using Address = v8::internal::Address;
using Internals = v8::internal::Internals;

// First byte of a message: how wide a character is.
constexpr uint32_t tag_narrow = 1;
constexpr uint32_t tag_wide = 2;

constexpr const char *malformed = "malformed data";

constexpr size_t header_words = 2;
constexpr size_t header_bytes = header_words * sizeof(uint32_t);

// Larger values go V8's way, which costs little by comparison.
constexpr size_t words_max = 4096;
constexpr size_t text_max = 8192;
constexpr size_t buffer_bytes =
    header_bytes + words_max * sizeof(uint32_t) + text_max * sizeof(uint16_t);

// Of values that mostly are not of this form only one in so many is tried. One
// that is makes up for some that are not.
constexpr uint32_t failures_max = 64;
constexpr uint32_t retry_every = 32;
constexpr uint32_t success_worth = 8;

// -- what V8's objects are

Address address_of(Local<Value> value)
{
    Address *slot;

    static_assert(sizeof(slot) == sizeof(value), "handle layout");
    memcpy(static_cast<void *>(&slot), static_cast<void *>(&value),
           sizeof(slot));
    return *slot;
}

Address map_of(Local<Value> value)
{
    return Internals::ReadRawField<Address>(address_of(value),
                                            Internals::kHeapObjectMapOffset);
}

// What arePlain() says, in js/flat.js as well. An array that can have holes may
// have none.
constexpr int plain_other = 0;
constexpr int plain = 1;
constexpr int plain_holey = 2;

// An array is plain that has the hidden class of a literal: with items and no
// other keys. The script lists those by turns, without holes and with.
int kind_of(const Flat *flat, Isolate *isolate, Local<Value> value)
{
    if (!value->IsObject()) {
        return value->IsUndefined() ? plain : plain_other;
    }
    if (Internals::GetInstanceType(address_of(value)) ==
        Internals::kJSObjectType) {
        return plain;
    }
    Address map = map_of(value);
    for (size_t i = 0; i < Flat::kinds; i++) {
        if (map_of(flat->arrays[i].Get(isolate)) == map) {
            return i % 2 == 0 ? plain : plain_holey;
        }
    }
    return plain_other;
}

// -- characters

void write_narrow(Isolate *isolate, Local<String> text, uint8_t *out)
{
#if V8_MAJOR_VERSION >= 13
    text->WriteOneByteV2(isolate, 0, static_cast<uint32_t>(text->Length()),
                         out);
#else
    text->WriteOneByte(isolate, out, 0, text->Length(),
                       String::NO_NULL_TERMINATION);
#endif
}

void write_wide(Isolate *isolate, Local<String> text, uint16_t *out)
{
#if V8_MAJOR_VERSION >= 13
    text->WriteV2(isolate, 0, static_cast<uint32_t>(text->Length()), out);
#else
    text->Write(isolate, out, 0, text->Length(), String::NO_NULL_TERMINATION);
#endif
}

// -- what the script calls

nw__engine_codec *codec_of(const v8::FunctionCallbackInfo<Value> &info)
{
    return static_cast<nw__engine_codec *>(
        info.Data().As<v8::External>()->Value());
}

// arePlain(...values): whether all are plain objects, plain arrays or undefined.
void are_plain(const v8::FunctionCallbackInfo<Value> &info)
{
    const Flat *flat = &codec_of(info)->flat;
    int all = plain;

    for (int i = 0; i < info.Length() && all != plain_other; i++) {
        int kind = kind_of(flat, info.GetIsolate(), info[i]);
        all = kind == plain ? all : kind;
    }
    info.GetReturnValue().Set(all);
}

// A list of keys in the registry: how many, and of each its length and its
// characters.
using Keys = std::vector<uint16_t>;

bool append_key(Isolate *isolate, Local<String> key, Keys *keys)
{
    size_t length = static_cast<size_t>(key->Length());
    size_t at = keys->size() + 1;

    if (length > NW__SHAPE_BYTES_MAX) {
        return false;
    }
    keys->push_back(static_cast<uint16_t>(length));
    keys->resize(at + length);
    write_wide(isolate, key, keys->data() + at);
    return true;
}

// shapeOf(keys): their number, or -1.
void shape_of(const v8::FunctionCallbackInfo<Value> &info)
{
    Isolate *isolate = info.GetIsolate();
    Local<v8::Array> list = info[0].As<v8::Array>();
    Keys keys(1, static_cast<uint16_t>(list->Length()));

    info.GetReturnValue().Set(-1);
    for (uint32_t i = 0; i < list->Length(); i++) {
        Local<Value> key;
        if (!list->Get(isolate->GetCurrentContext(), i).ToLocal(&key) ||
            !key->IsString() || !append_key(isolate, key.As<String>(), &keys)) {
            return;
        }
    }
    info.GetReturnValue().Set(
        nw__shape_number(keys.data(), keys.size() * sizeof(keys[0])));
}

// keysOf(shape): what shapeOf() was given.
void keys_of(const v8::FunctionCallbackInfo<Value> &info)
{
    Isolate *isolate = info.GetIsolate();
    std::vector<Local<Value>> list;
    size_t size = 0;
    const void *bytes =
        info[0]->IsInt32()
            ? nw__shape_keys(info[0].As<v8::Int32>()->Value(), &size)
            : nullptr;

    if (bytes == nullptr) {
        isolate->ThrowException(
            v8::Exception::Error(nw::string(isolate, malformed)));
        return;
    }
    Keys keys(size / sizeof(uint16_t));
    memcpy(keys.data(), bytes, size);
    for (size_t at = 1; at < keys.size(); at += 1 + keys[at]) {
        Local<String> key;
        if (!String::NewFromTwoByte(isolate, keys.data() + at + 1,
                                    v8::NewStringType::kInternalized, keys[at])
                 .ToLocal(&key)) {
            return;
        }
        list.push_back(key);
    }
    info.GetReturnValue().Set(
        v8::Array::New(isolate, list.data(), list.size()));
}

// -- messages

bool write_message(const Flat *flat, Isolate *isolate, Local<String> text,
                   nw__message *message)
{
    uint32_t header[header_words];
    int length = text->Length();
    bool narrow = text->IsOneByte();
    size_t text_size =
        static_cast<size_t>(length) * (narrow ? 1 : sizeof(uint16_t));
    size_t words_size;

    memcpy(&header[0], flat->bytes, sizeof(header[0]));
    words_size = header[0] * sizeof(uint32_t);
    if (nw__message_reserve(message, header_bytes + words_size + text_size) !=
        NW_OK) {
        return false;
    }
    header[0] = header[0] << 8 | (narrow ? tag_narrow : tag_wide);
    header[1] = static_cast<uint32_t>(length);
    memcpy(message->data, header, header_bytes);
    memcpy(message->data + header_bytes, flat->bytes + header_bytes,
           words_size);
    uint8_t *out = message->data + header_bytes + words_size;
    if (narrow) {
        write_narrow(isolate, text, out);
    } else {
        write_wide(isolate, text, reinterpret_cast<uint16_t *>(out));
    }
    return true;
}

v8::MaybeLocal<String> read_text(Isolate *isolate, const nw__message *message)
{
    uint32_t header[header_words];

    memcpy(header, message->data, header_bytes);
    size_t words_size = static_cast<size_t>(header[0] >> 8) * sizeof(uint32_t);
    size_t length = header[1];
    bool narrow = (header[0] & 0xFF) == tag_narrow;
    size_t text_size = length * (narrow ? 1 : sizeof(uint16_t));

    if (length > text_max ||
        header_bytes + words_size + text_size != message->size) {
        return v8::MaybeLocal<String>();
    }
    const uint8_t *text = message->data + header_bytes + words_size;
    return narrow ? String::NewFromOneByte(isolate, text,
                                           v8::NewStringType::kNormal,
                                           static_cast<int>(length))
                  : String::NewFromTwoByte(
                        isolate, reinterpret_cast<const uint16_t *>(text),
                        v8::NewStringType::kNormal, static_cast<int>(length));
}

void set(Local<v8::Context> context, Local<Object> object, const char *name,
         Local<Value> value)
{
    Isolate *isolate = Isolate::GetCurrent();

    object->Set(context, nw::string(isolate, name), value).Check();
}

} // namespace

bool nw::encode_flat(nw__engine_codec *codec, Isolate *isolate,
                     Local<Value> *values, size_t count, nw__message *message,
                     nw_status *status)
{
    Flat *flat = &codec->flat;

    if (flat->flatten.IsEmpty() || count == 0 ||
        (flat->failures > failures_max && ++flat->skipped % retry_every != 0)) {
        return false;
    }
    v8::TryCatch caught(isolate);
    Local<Value> text;
    uint32_t turn = ++flat->turn;
    if (!flat->flatten.Get(isolate)
             ->Call(isolate->GetCurrentContext(), v8::Undefined(isolate),
                    static_cast<int>(count), values)
             .ToLocal(&text)) {
        // What a getter throws it throws again, for V8 to tell.
        if (caught.HasTerminated()) {
            *status = NW_ESTOPPED;
        }
        return false;
    }
    if (!text->IsString() || flat->turn != turn) {
        flat->failures += flat->failures <= failures_max + retry_every ? 1 : 0;
        return false;
    }
    flat->failures -= std::min(flat->failures, success_worth);
    if (!write_message(flat, isolate, text.As<String>(), message)) {
        *status = NW_ENOMEM;
        return false;
    }
    message->value_count = static_cast<uint32_t>(count);
    return true;
}

bool nw::is_flat(const nw__message *message)
{
    return message->size >= header_bytes &&
           (message->data[0] == tag_narrow || message->data[0] == tag_wide);
}

nw_status nw::decode_flat(nw__engine_codec *codec, Isolate *isolate,
                          const nw__message *message, napi_value *values,
                          size_t count, const Failure &failure)
{
    Flat *flat = &codec->flat;
    Local<v8::Context> context = isolate->GetCurrentContext();
    v8::TryCatch caught(isolate);
    Local<String> text;
    Local<Value> read;

    if (flat->unflatten.IsEmpty() || message->size > buffer_bytes ||
        !read_text(isolate, message).ToLocal(&text)) {
        return failure.say(malformed);
    }
    flat->turn++;
    memcpy(flat->bytes, message->data, message->size);
    Local<Value> arguments[] = {
        text, v8::Integer::NewFromUnsigned(isolate, message->value_count)};
    if (!flat->unflatten.Get(isolate)
             ->Call(context, v8::Undefined(isolate), 2, arguments)
             .ToLocal(&read)) {
        return failure.caught(isolate, caught);
    }
    if (message->value_count == 1) {
        if (count > 0) {
            values[0] = nw::to_napi(read);
        }
        return NW_OK;
    }
    for (uint32_t i = 0; i < message->value_count && i < count; i++) {
        Local<Value> value;
        if (!read.As<v8::Array>()->Get(context, i).ToLocal(&value)) {
            return failure.caught(isolate, caught);
        }
        values[i] = nw::to_napi(value);
    }
    return NW_OK;
}

void nw::drop_flat(Flat *flat)
{
    flat->flatten.Reset();
    flat->unflatten.Reset();
    for (v8::Global<v8::Array> &array : flat->arrays) {
        array.Reset();
    }
    flat->buffer.Reset();
}

napi_value nw__engine_flat_tools(nw__engine_codec *codec)
{
    Isolate *isolate = Isolate::GetCurrent();
    v8::EscapableHandleScope handle_scope(isolate);
    Local<v8::Context> context = isolate->GetCurrentContext();
    Local<v8::ArrayBuffer> buffer = v8::ArrayBuffer::New(isolate, buffer_bytes);
    Local<Value> data = v8::External::New(isolate, codec);
    Local<Object> tools = Object::New(isolate);
    const struct {
        const char *name;
        v8::FunctionCallback callback;
    } functions[] = {
        {"arePlain", are_plain}, {"shapeOf", shape_of}, {"keysOf", keys_of}};

    codec->flat.buffer.Reset(isolate, buffer);
    codec->flat.bytes = static_cast<uint8_t *>(buffer->Data());
    for (const auto &function : functions) {
        Local<v8::Function> made;
        if (!v8::Function::New(context, function.callback, data)
                 .ToLocal(&made)) {
            return nullptr;
        }
        set(context, tools, function.name, made);
    }
    set(context, tools, "buffer", buffer);
    set(context, tools, "wordsMax",
        v8::Integer::New(isolate, static_cast<int>(words_max)));
    set(context, tools, "textMax",
        v8::Integer::New(isolate, static_cast<int>(text_max)));
    return nw::to_napi(handle_scope.Escape(Local<Value>(tools)));
}

nw_status nw__engine_set_flat(nw__engine_codec *codec, napi_value flatten,
                              napi_value unflatten, napi_value arrays)
{
    Isolate *isolate = Isolate::GetCurrent();
    v8::HandleScope handle_scope(isolate);
    Local<v8::Context> context = isolate->GetCurrentContext();
    Local<Value> writer = nw::from_napi(flatten);
    Local<Value> reader = nw::from_napi(unflatten);
    Local<Value> list = nw::from_napi(arrays);

    if (!writer->IsFunction() || !reader->IsFunction() || !list->IsArray() ||
        list.As<v8::Array>()->Length() != Flat::kinds ||
        codec->flat.buffer.IsEmpty()) {
        return NW_EINVAL;
    }
    for (uint32_t i = 0; i < Flat::kinds; i++) {
        Local<Value> array;
        if (!list.As<v8::Array>()->Get(context, i).ToLocal(&array) ||
            !array->IsArray()) {
            return NW_EINVAL;
        }
        codec->flat.arrays[i].Reset(isolate, array.As<v8::Array>());
    }
    codec->flat.flatten.Reset(isolate, writer.As<v8::Function>());
    codec->flat.unflatten.Reset(isolate, reader.As<v8::Function>());
    return NW_OK;
}

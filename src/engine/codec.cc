// Values in and out of an isolate, by V8's own serializer. Native speed and
// every JavaScript type; src/wire.c is the same format without V8.
//
// Two things differ from plain postMessage. Views are written as their slice
// (src/wire.h has the layout): a Buffer would otherwise carry Node's whole
// buffer pool with it. And primitives skip the serializer: setting one up
// costs more than a whole task of one number.
//
// User code can run here, in getters and proxies of a result. It may throw and
// it may end the worker; both come back as a status with nothing pending.

#include "src/engine/engine.h"

#include <memory>
#include <vector>

#include <stdio.h>
#include <string.h>
#include <v8.h>

#include "src/wire.h"

extern "C" {
// common.h is C11; these two are all that is needed of it here.
void *nw__alloc(size_t size);
void *nw__realloc(void *old, size_t size);
void nw__free(void *memory);
}

namespace {

using v8::ArrayBuffer;
using v8::ArrayBufferView;
using v8::Isolate;
using v8::Just;
using v8::Local;
using v8::Maybe;
using v8::MaybeLocal;
using v8::Nothing;
using v8::Object;
using v8::Value;

// Node-API's handles are V8's; Node itself relies on it.
static_assert(sizeof(Local<Value>) == sizeof(napi_value), "handle layout");

Local<Value> from_napi(napi_value value)
{
    Local<Value> local;

    memcpy(static_cast<void *>(&local), &value, sizeof(value));
    return local;
}

napi_value to_napi(Local<Value> local)
{
    napi_value value;

    memcpy(&value, static_cast<void *>(&local), sizeof(value));
    return value;
}

// The text of what was caught, without running user code to get it.
void describe(Isolate *isolate, const v8::TryCatch &caught, char *error,
              size_t size)
{
    if (error == nullptr) {
        return;
    }
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

nw_status caught_status(Isolate *isolate, const v8::TryCatch &caught,
                        char *error, size_t size)
{
    if (caught.HasTerminated()) {
        return NW_ESTOPPED;
    }
    describe(isolate, caught, error, size);
    return NW_ECLONE;
}

// -- views

struct ViewKind {
    uint8_t tag;
    size_t element;
    bool (Value::*is)() const;
};

// V8's sub-tags of ArrayBufferView. Uint8Array first: it is the common one.
const ViewKind view_kinds[] = {
    {'B', 1, &Value::IsUint8Array},   {'b', 1, &Value::IsInt8Array},
    {'C', 1, &Value::IsUint8ClampedArray}, {'w', 2, &Value::IsInt16Array},
    {'W', 2, &Value::IsUint16Array},  {'d', 4, &Value::IsInt32Array},
    {'D', 4, &Value::IsUint32Array},  {'f', 4, &Value::IsFloat32Array},
    {'F', 8, &Value::IsFloat64Array}, {'q', 8, &Value::IsBigInt64Array},
    {'Q', 8, &Value::IsBigUint64Array}, {'?', 1, &Value::IsDataView},
};

const ViewKind *kind_of(Local<Value> view)
{
    for (const ViewKind &kind : view_kinds) {
        if (((**view).*kind.is)()) {
            return &kind;
        }
    }
    return nullptr;
}

const ViewKind *kind_of(uint32_t tag)
{
    for (const ViewKind &kind : view_kinds) {
        if (kind.tag == tag) {
            return &kind;
        }
    }
    return nullptr;
}

Local<Object> make_view(uint32_t tag, Local<ArrayBuffer> buffer, size_t offset,
                        size_t size)
{
    switch (tag) {
    case 'B':
        return v8::Uint8Array::New(buffer, offset, size);
    case 'b':
        return v8::Int8Array::New(buffer, offset, size);
    case 'C':
        return v8::Uint8ClampedArray::New(buffer, offset, size);
    case 'w':
        return v8::Int16Array::New(buffer, offset, size / 2);
    case 'W':
        return v8::Uint16Array::New(buffer, offset, size / 2);
    case 'd':
        return v8::Int32Array::New(buffer, offset, size / 4);
    case 'D':
        return v8::Uint32Array::New(buffer, offset, size / 4);
    case 'f':
        return v8::Float32Array::New(buffer, offset, size / 4);
    case 'F':
        return v8::Float64Array::New(buffer, offset, size / 8);
    case 'q':
        return v8::BigInt64Array::New(buffer, offset, size / 8);
    case 'Q':
        return v8::BigUint64Array::New(buffer, offset, size / 8);
    default:
        return v8::DataView::New(buffer, offset, size);
    }
}

// -- encode

// Most messages fit into this and need no allocation while they are written.
constexpr size_t scratch_size = 1024;

class Writer : public v8::ValueSerializer::Delegate
{
  public:
    explicit Writer(Isolate *isolate) : isolate_(isolate) {}

    void attach(v8::ValueSerializer *serializer)
    {
        serializer_ = serializer;
    }

    void add_transfer(Local<ArrayBuffer> buffer)
    {
        serializer_->TransferArrayBuffer(
            static_cast<uint32_t>(transfers.size()), buffer);
        transfers.push_back(buffer);
    }

    void ThrowDataCloneError(Local<v8::String> message) override
    {
        isolate_->ThrowException(v8::Exception::Error(message));
    }

    Maybe<bool> WriteHostObject(Isolate *isolate, Local<Object> object) override
    {
        const ViewKind *kind = kind_of(Local<Value>(object));

        if (kind == nullptr) {
            return refuse("an object of Node.js cannot be sent to C");
        }
        return write_view(kind, object.As<ArrayBufferView>());
    }

    Maybe<uint32_t>
    GetSharedArrayBufferId(Isolate *isolate,
                           Local<v8::SharedArrayBuffer> shared) override
    {
        refuse("a SharedArrayBuffer cannot be sent to C");
        return Nothing<uint32_t>();
    }

    void *ReallocateBufferMemory(void *old, size_t size,
                                 size_t *actual) override
    {
        void *memory;

        if (old == nullptr && size <= scratch_size) {
            *actual = scratch_size;
            return scratch_;
        }
        memory = nw__realloc(is_scratch(old) ? nullptr : old, size);
        if (memory == nullptr) {
            *actual = 0;
            return nullptr;
        }
        if (is_scratch(old)) {
            memcpy(memory, old, scratch_size);
        }
        *actual = size;
        return memory;
    }

    void FreeBufferMemory(void *memory) override
    {
        if (!is_scratch(memory)) {
            nw__free(memory);
        }
    }

    bool is_scratch(const void *memory) const
    {
        return memory == scratch_;
    }

    std::vector<Local<ArrayBuffer>> transfers;

  private:
    Maybe<bool> refuse(const char *why)
    {
        ThrowDataCloneError(
            v8::String::NewFromUtf8(isolate_, why).ToLocalChecked());
        return Nothing<bool>();
    }

    Maybe<bool> write_view(const ViewKind *kind, Local<ArrayBufferView> view)
    {
        size_t size = view->ByteLength();

        if (size > NW_VALUE_SIZE_MAX) {
            return refuse("a view is larger than NW_VALUE_SIZE_MAX");
        }
        if (view->HasBuffer()) {
            Local<ArrayBuffer> buffer = view->Buffer();
            for (size_t i = 0; i < transfers.size(); i++) {
                if (transfers[i] == buffer) {
                    write_head(NW__WIRE_VIEW_TRANSFERRED, kind);
                    serializer_->WriteUint32(static_cast<uint32_t>(i));
                    serializer_->WriteUint32(
                        static_cast<uint32_t>(view->ByteOffset()));
                    serializer_->WriteUint32(static_cast<uint32_t>(size));
                    return Just(true);
                }
            }
        }
        write_head(NW__WIRE_VIEW_COPIED, kind);
        serializer_->WriteUint32(static_cast<uint32_t>(size));
        write_bytes(view, size);
        return Just(true);
    }

    void write_head(nw__wire_view_kind how, const ViewKind *kind)
    {
        serializer_->WriteUint32(how);
        serializer_->WriteUint32(kind->tag);
    }

    void write_bytes(Local<ArrayBufferView> view, size_t size)
    {
        uint8_t on_heap[64];

        // Small views live on V8's heap; Buffer() would move them off it.
        if (!view->HasBuffer() && size <= sizeof(on_heap)) {
            view->CopyContents(on_heap, size);
            serializer_->WriteRawBytes(on_heap, size);
            return;
        }
        std::shared_ptr<v8::BackingStore> store =
            view->Buffer()->GetBackingStore();
        if (size > 0) {
            serializer_->WriteRawBytes(
                static_cast<uint8_t *>(store->Data()) + view->ByteOffset(),
                size);
        }
    }

    Isolate *isolate_;
    v8::ValueSerializer *serializer_ = nullptr;
    alignas(8) uint8_t scratch_[scratch_size];
};

// A buffer of JavaScript that C holds on to.
void release_store(void *data, size_t size, void *hint)
{
    delete static_cast<std::shared_ptr<v8::BackingStore> *>(hint);
}

nw_status move_transfers(const std::vector<Local<ArrayBuffer>> &transfers,
                         nw__message *message)
{
    if (transfers.empty()) {
        return NW_OK;
    }
    message->blobs = static_cast<nw__blob *>(
        nw__alloc(transfers.size() * sizeof(nw__blob)));
    if (message->blobs == nullptr) {
        return NW_ENOMEM;
    }
    message->blob_count = static_cast<uint32_t>(transfers.size());
    for (size_t i = 0; i < transfers.size(); i++) {
        auto *store = new std::shared_ptr<v8::BackingStore>(
            transfers[i]->GetBackingStore());

        transfers[i]->Detach();
        message->blobs[i].data = (*store)->Data();
        message->blobs[i].size = (*store)->ByteLength();
        message->blobs[i].release = release_store;
        message->blobs[i].hint = store;
    }
    return NW_OK;
}

nw_status adopt(Writer *writer, std::pair<uint8_t *, size_t> bytes,
                nw__message *message)
{
    nw_status status = NW_OK;

    if (bytes.first == nullptr) {
        return NW_ENOMEM;
    }
    if (!writer->is_scratch(bytes.first)) {
        nw__message_adopt(message, bytes.first, bytes.second);
        return NW_OK;
    }
    status = nw__message_reserve(message, bytes.second);
    if (status == NW_OK) {
        memcpy(message->data, bytes.first, bytes.second);
    }
    return status;
}

// What needs no serializer. False: use it.
bool encode_primitive(Local<Value> value, nw__message *message)
{
    uint8_t bytes[2 + 1 + 10];
    size_t size = 0;

    bytes[size++] = 0xFF;
    bytes[size++] = NW__WIRE_VERSION;
    if (value->IsInt32()) {
        int32_t number = value.As<v8::Int32>()->Value();
        uint32_t zigzag = (static_cast<uint32_t>(number) << 1) ^
                          static_cast<uint32_t>(number >> 31);
        bytes[size++] = 'I';
        for (; zigzag >= 0x80; zigzag >>= 7) {
            bytes[size++] = static_cast<uint8_t>(zigzag | 0x80);
        }
        bytes[size++] = static_cast<uint8_t>(zigzag);
    } else if (value->IsUndefined()) {
        bytes[size++] = '_';
    } else if (value->IsNull()) {
        bytes[size++] = '0';
    } else if (value->IsBoolean()) {
        bytes[size++] = value->IsTrue() ? 'T' : 'F';
    } else if (value->IsNumber()) {
        double number = value.As<v8::Number>()->Value();
        bytes[size++] = 'N';
        memcpy(bytes + size, &number, sizeof(number));
        size += sizeof(number);
    } else {
        return false;
    }
    // Fits the inline part, so it cannot fail.
    nw__message_reserve(message, size);
    memcpy(message->data, bytes, size);
    message->value_count = 1;
    return true;
}

// -- decode

class Reader : public v8::ValueDeserializer::Delegate
{
  public:
    void attach(v8::ValueDeserializer *deserializer)
    {
        deserializer_ = deserializer;
    }

    MaybeLocal<Object> ReadHostObject(Isolate *isolate) override
    {
        uint32_t how, tag;

        if (deserializer_->ReadUint32(&how) &&
            deserializer_->ReadUint32(&tag)) {
            const ViewKind *kind = kind_of(tag);
            if (kind != nullptr && how == NW__WIRE_VIEW_COPIED) {
                return read_copied(isolate, kind);
            }
            if (kind != nullptr && how == NW__WIRE_VIEW_TRANSFERRED) {
                return read_transferred(kind);
            }
        }
        return MaybeLocal<Object>();
    }

    std::vector<Local<ArrayBuffer>> transfers;

  private:
    MaybeLocal<Object> read_copied(Isolate *isolate, const ViewKind *kind)
    {
        uint32_t size;
        const void *bytes;

        if (!deserializer_->ReadUint32(&size) || size % kind->element != 0 ||
            !deserializer_->ReadRawBytes(size, &bytes)) {
            return MaybeLocal<Object>();
        }
        Local<ArrayBuffer> buffer = ArrayBuffer::New(isolate, size);
        if (size > 0) {
            memcpy(buffer->GetBackingStore()->Data(), bytes, size);
        }
        return make_view(kind->tag, buffer, 0, size);
    }

    MaybeLocal<Object> read_transferred(const ViewKind *kind)
    {
        uint32_t index, offset, size;

        if (!deserializer_->ReadUint32(&index) ||
            !deserializer_->ReadUint32(&offset) ||
            !deserializer_->ReadUint32(&size) || index >= transfers.size() ||
            size % kind->element != 0 || offset % kind->element != 0) {
            return MaybeLocal<Object>();
        }
        size_t total = transfers[index]->ByteLength();
        if (offset > total || size > total - offset) {
            return MaybeLocal<Object>();
        }
        return make_view(kind->tag, transfers[index], offset, size);
    }

    v8::ValueDeserializer *deserializer_ = nullptr;
};

// Whom to give C memory back to when V8 drops it, on any thread.
struct Lender {
    nw_release_cb *release;
    void *hint;
};

void return_to_lender(void *data, size_t size, void *context)
{
    Lender *lender = static_cast<Lender *>(context);

    if (lender->release != nullptr) {
        lender->release(data, size, lender->hint);
    }
    delete lender;
}

Local<ArrayBuffer> lend(Isolate *isolate, nw__blob *blob)
{
    if (blob->size == 0) {
        // V8 never calls the deleter of an empty store.
        if (blob->release != nullptr) {
            blob->release(blob->data, 0, blob->hint);
        }
        memset(blob, 0, sizeof(*blob));
        return ArrayBuffer::New(isolate, 0);
    }
    Lender *lender = new Lender{blob->release, blob->hint};
    std::shared_ptr<v8::BackingStore> store = ArrayBuffer::NewBackingStore(
        blob->data, blob->size, return_to_lender, lender);
    memset(blob, 0, sizeof(*blob));
    return ArrayBuffer::New(isolate, std::move(store));
}

// Reads one primitive at `*at`. False, with `*at` as it was: it is something
// else, or malformed, and the deserializer shall say so.
bool decode_primitive(Isolate *isolate, const nw__message *message, size_t *at,
                      Local<Value> *out)
{
    const uint8_t *data = message->data;
    size_t position = *at;

    if (position >= message->size) {
        return false;
    }
    switch (data[position++]) {
    case '_':
        *out = v8::Undefined(isolate);
        break;
    case '0':
        *out = v8::Null(isolate);
        break;
    case 'T':
        *out = v8::True(isolate);
        break;
    case 'F':
        *out = v8::False(isolate);
        break;
    case 'I': {
        uint32_t zigzag = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (position >= message->size || shift > 28) {
                return false;
            }
            uint8_t byte = data[position++];
            zigzag |= static_cast<uint32_t>(byte & 0x7F) << shift;
            if ((byte & 0x80) == 0) {
                break;
            }
        }
        *out = v8::Integer::New(
            isolate, static_cast<int32_t>((zigzag >> 1) ^ -(zigzag & 1)));
        break;
    }
    case 'N': {
        double number;
        if (message->size - position < sizeof(number)) {
            return false;
        }
        memcpy(&number, data + position, sizeof(number));
        position += sizeof(number);
        *out = v8::Number::New(isolate, number);
        break;
    }
    default:
        return false;
    }
    *at = position;
    return true;
}

bool decode_primitives(Isolate *isolate, const nw__message *message,
                       napi_value *values)
{
    size_t at = 2;

    if (message->size < 2 || message->data[0] != 0xFF ||
        message->data[1] != NW__WIRE_VERSION) {
        return false;
    }
    for (uint32_t i = 0; i < message->value_count; i++) {
        Local<Value> value;
        if (!decode_primitive(isolate, message, &at, &value)) {
            return false;
        }
        values[i] = to_napi(value);
    }
    return at == message->size;
}

} // namespace

nw_status nw__engine_encode(napi_env env, napi_value value,
                            napi_value transfer, nw__message *message,
                            char *error, size_t error_size)
{
    Isolate *isolate = Isolate::GetCurrent();
    v8::HandleScope handle_scope(isolate);
    Local<v8::Context> context = isolate->GetCurrentContext();
    Local<Value> local = from_napi(value);

    if (encode_primitive(local, message)) {
        return NW_OK;
    }

    v8::TryCatch caught(isolate);
    Writer writer(isolate);
    v8::ValueSerializer serializer(isolate, &writer);
    writer.attach(&serializer);
    serializer.SetTreatArrayBufferViewsAsHostObjects(true);
    if (transfer != nullptr) {
        Local<v8::Array> list = from_napi(transfer).As<v8::Array>();
        for (uint32_t i = 0; i < list->Length(); i++) {
            Local<Value> item;
            if (!list->Get(context, i).ToLocal(&item)) {
                return caught_status(isolate, caught, error, error_size);
            }
            // What V8 cannot detach (WebAssembly memory) is copied.
            if (item->IsArrayBuffer() &&
                item.As<ArrayBuffer>()->IsDetachable()) {
                writer.add_transfer(item.As<ArrayBuffer>());
            }
        }
    }
    serializer.WriteHeader();
    if (!serializer.WriteValue(context, local).FromMaybe(false)) {
        return caught_status(isolate, caught, error, error_size);
    }

    nw_status status = adopt(&writer, serializer.Release(), message);
    if (status == NW_OK) {
        message->value_count = 1;
        status = move_transfers(writer.transfers, message);
    }
    return status;
}

nw_status nw__engine_decode(napi_env env, nw__message *message,
                            napi_value *values, size_t count, char *error,
                            size_t error_size)
{
    Isolate *isolate = Isolate::GetCurrent();

    if (count >= message->value_count &&
        decode_primitives(isolate, message, values)) {
        return NW_OK;
    }

    Local<v8::Context> context = isolate->GetCurrentContext();
    v8::TryCatch caught(isolate);
    Reader reader;
    v8::ValueDeserializer deserializer(isolate, message->data, message->size,
                                       &reader);
    reader.attach(&deserializer);
    for (uint32_t i = 0; i < message->blob_count; i++) {
        Local<ArrayBuffer> buffer = lend(isolate, &message->blobs[i]);
        reader.transfers.push_back(buffer);
        deserializer.TransferArrayBuffer(i, buffer);
    }
    if (!deserializer.ReadHeader(context).FromMaybe(false)) {
        return caught_status(isolate, caught, error, error_size);
    }
    for (uint32_t i = 0; i < message->value_count; i++) {
        Local<Value> value;
        if (!deserializer.ReadValue(context).ToLocal(&value)) {
            return caught_status(isolate, caught, error, error_size);
        }
        if (i < count) {
            values[i] = to_napi(value);
        }
    }
    return NW_OK;
}

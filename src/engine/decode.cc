// A message into values, by V8's own deserializer.
//
// The bytes may be anything: every index, offset and type is checked before V8
// sees it, for V8 aborts where it trusts.
//
// Invariants
//   All that travels beside the message is made before the first byte is read:
//   no JavaScript may run below the deserializer, and a handle made there dies
//   with it.

#include <vector>

#include "src/engine/beside.h"
#include "src/engine/codec.h"
#include "src/engine/errors.h"
#include "src/engine/views.h"
#include "src/wire.h"

namespace {

using nw::Failure;
using nw::ViewKind;
using v8::ArrayBuffer;
using v8::Isolate;
using v8::Local;
using v8::MaybeLocal;
using v8::Object;
using v8::Value;

class Reader : public v8::ValueDeserializer::Delegate
{
  public:
    Reader(const nw__engine_codec *codec, Isolate *isolate,
           nw__message *message, const Failure &failure)
        : codec_(codec), isolate_(isolate), message_(message),
          failure_(failure),
          deserializer_(isolate, message->data, message->size, this)
    {
    }

    nw_status read(napi_value *values, size_t count)
    {
        v8::TryCatch caught(isolate_);
        Local<v8::Context> context = isolate_->GetCurrentContext();
        nw_status status = attach_beside(caught);

        if (status != NW_OK) {
            return status;
        }
        if (!deserializer_.ReadHeader(context).FromMaybe(false)) {
            return failure_.caught(isolate_, caught);
        }
        for (uint32_t i = 0; i < message_->value_count; i++) {
            Local<Value> value;
            if (!deserializer_.ReadValue(context).ToLocal(&value)) {
                return terminated_ ? NW_ESTOPPED
                                   : failure_.caught(isolate_, caught);
            }
            if (i < count) {
                values[i] = nw::to_napi(value);
            }
        }
        return NW_OK;
    }

    // All that moved with the message; NULL when there is nothing.
    napi_value moved()
    {
        std::vector<Local<Value>> all(buffers_.begin(), buffers_.end());

        for (size_t i = 0; i < objects_.size(); i++) {
            if (attached(i)->transfer) {
                all.push_back(objects_[i]);
            }
        }
        return all.empty() ? nullptr
                           : nw::to_napi(v8::Array::New(isolate_, all.data(),
                                                        all.size()));
    }

    // -- for the deserializer

    MaybeLocal<Object> ReadHostObject(Isolate *isolate) override
    {
        uint32_t kind;

        if (!deserializer_.ReadUint32(&kind)) {
            return MaybeLocal<Object>();
        }
        switch (kind) {
        case NW__WIRE_VIEW_COPIED:
            return read_copied();
        case NW__WIRE_VIEW_TRANSFERRED:
            return read_transferred();
        case NW__WIRE_VIEW_OF:
            return read_view_of();
        case NW__WIRE_ERROR:
            return read_error();
        case NW__WIRE_HOST_OBJECT:
            return read_object();
        default:
            return MaybeLocal<Object>();
        }
    }

    MaybeLocal<v8::SharedArrayBuffer>
    GetSharedArrayBufferFromId(Isolate *isolate, uint32_t id) override
    {
        if (!is_attached(id, NW__REF_SHARED)) {
            return MaybeLocal<v8::SharedArrayBuffer>();
        }
        return Local<Value>(objects_[id]).As<v8::SharedArrayBuffer>();
    }

    MaybeLocal<v8::WasmModuleObject>
    GetWasmModuleFromId(Isolate *isolate, uint32_t id) override
    {
        if (!is_attached(id, NW__REF_MODULE)) {
            return MaybeLocal<v8::WasmModuleObject>();
        }
        return objects_[id].As<v8::WasmModuleObject>();
    }

  private:
    // -- what travels beside

    const nw__attached *attached(size_t index) const
    {
        return &message_->beside->refs[index];
    }

    bool is_attached(uint32_t index, nw__ref_type type) const
    {
        return index < objects_.size() && attached(index)->ref->type == type;
    }

    // All of it is made, used or not: what moves must move.
    nw_status attach_beside(const v8::TryCatch &caught)
    {
        nw_status status = fetch_objects();

        if (status != NW_OK) {
            return status;
        }
        objects_.resize(nw__message_ref_count(message_));
        for (uint32_t i = 0, host = 0; i < objects_.size(); i++) {
            if (attached(i)->ref->type == NW__REF_HOST) {
                objects_[i] = fetched_[host++];
            } else if (!attach(attached(i)->ref).ToLocal(&objects_[i])) {
                return caught.HasCaught()
                           ? failure_.caught(isolate_, caught)
                           : failure_.say("a WebAssembly module is gone");
            }
        }
        for (uint32_t i = 0; i < nw__message_blob_count(message_); i++) {
            buffers_.push_back(
                nw::lend(isolate_, &message_->beside->blobs[i]));
            deserializer_.TransferArrayBuffer(i, buffers_.back());
        }
        return NW_OK;
    }

    MaybeLocal<Object> attach(nw__ref *ref)
    {
        if (ref->type == NW__REF_MODULE) {
            return nw::module_object(isolate_, ref);
        }
        return nw::shared_buffer(isolate_, reinterpret_cast<nw_shared *>(ref))
            .As<Object>();
    }

    // In one call, as each may mean a wait.
    nw_status fetch_objects()
    {
        std::vector<const nw__attached *> wanted;
        napi_value objects = nullptr;

        for (uint32_t i = 0; i < nw__message_ref_count(message_); i++) {
            if (attached(i)->ref->type == NW__REF_HOST) {
                wanted.push_back(attached(i));
            }
        }
        if (wanted.empty()) {
            return NW_OK;
        }
        if (codec_->hosts.fetch == nullptr) {
            return failure_.say("an object of Node.js cannot be received here");
        }
        nw_status status = codec_->hosts.fetch(
            codec_->hosts.context, wanted.data(),
            static_cast<uint32_t>(wanted.size()), &objects, failure_.text,
            failure_.size);
        return status == NW_OK
                   ? take_fetched(nw::from_napi(objects),
                                  static_cast<uint32_t>(wanted.size()))
                   : status;
    }

    nw_status take_fetched(Local<Value> objects, uint32_t count)
    {
        Local<v8::Context> context = isolate_->GetCurrentContext();

        for (uint32_t i = 0; i < count; i++) {
            Local<Value> object;
            if (!objects->IsArray() ||
                !objects.As<v8::Array>()->Get(context, i).ToLocal(&object) ||
                !object->IsObject() || object->IsProxy()) {
                return failure_.say("an object of Node.js did not arrive");
            }
            fetched_.push_back(object.As<Object>());
        }
        return NW_OK;
    }

    // -- host objects. Empty: malformed.

    const ViewKind *read_kind()
    {
        uint32_t tag;

        return deserializer_.ReadUint32(&tag) ? nw::view_kind(tag) : nullptr;
    }

    MaybeLocal<Value> read_nested()
    {
        Local<Value> value;

        nw::nested(isolate_, &terminated_, [&] {
            return deserializer_.ReadValue(isolate_->GetCurrentContext())
                .ToLocal(&value);
        });
        return value;
    }

    MaybeLocal<Object> read_copied()
    {
        const ViewKind *kind = read_kind();
        uint32_t size;
        const void *bytes;

        if (kind == nullptr || !deserializer_.ReadUint32(&size) ||
            size % kind->element != 0 ||
            !deserializer_.ReadRawBytes(size, &bytes)) {
            return MaybeLocal<Object>();
        }
        Local<ArrayBuffer> buffer = ArrayBuffer::New(isolate_, size);
        if (size > 0) {
            memcpy(buffer->GetBackingStore()->Data(), bytes, size);
        }
        return nw::make_view(kind, buffer, 0, size);
    }

    // C writes a bare buffer as this, too.
    MaybeLocal<Object> read_transferred()
    {
        uint32_t tag, index, offset, size;

        if (!deserializer_.ReadUint32(&tag) ||
            !deserializer_.ReadUint32(&index) ||
            !deserializer_.ReadUint32(&offset) ||
            !deserializer_.ReadUint32(&size) || index >= buffers_.size()) {
            return MaybeLocal<Object>();
        }
        if (tag == NW__WIRE_VIEW_ARRAY_BUFFER) {
            bool whole = offset == 0 && size == buffers_[index]->ByteLength();
            return whole ? MaybeLocal<Object>(buffers_[index])
                         : MaybeLocal<Object>();
        }
        const ViewKind *kind = nw::view_kind(tag);
        return kind == nullptr ? MaybeLocal<Object>()
                               : nw::make_view(kind, buffers_[index], offset,
                                               size);
    }

    MaybeLocal<Object> read_view_of()
    {
        const ViewKind *kind = read_kind();
        uint32_t offset, size;
        Local<Value> buffer;

        if (kind == nullptr || !deserializer_.ReadUint32(&offset) ||
            !deserializer_.ReadUint32(&size) ||
            !read_nested().ToLocal(&buffer)) {
            return MaybeLocal<Object>();
        }
        return nw::make_view(kind, buffer, offset, size);
    }

    MaybeLocal<Object> read_error()
    {
        Local<Value> record;

        if (!read_nested().ToLocal(&record)) {
            return MaybeLocal<Object>();
        }
        return nw::make_error(codec_, isolate_, record);
    }

    MaybeLocal<Object> read_object()
    {
        uint32_t index;

        if (!deserializer_.ReadUint32(&index) ||
            !is_attached(index, NW__REF_HOST)) {
            return MaybeLocal<Object>();
        }
        return objects_[index];
    }

    const nw__engine_codec *codec_;
    Isolate *isolate_;
    nw__message *message_;
    const Failure &failure_;

    std::vector<Local<ArrayBuffer>> buffers_; // By index of the blob.
    std::vector<Local<Object>> fetched_;
    std::vector<Local<Object>> objects_; // By index of the reference.
    bool terminated_ = false;
    v8::ValueDeserializer deserializer_;
};

} // namespace

nw_status nw__engine_decode(nw__engine_codec *codec, nw__message *message,
                            napi_value *values, size_t count,
                            napi_value *transfer, char *error,
                            size_t error_size)
{
    Isolate *isolate = Isolate::GetCurrent();
    const Failure failure = {error, error_size};

    if (transfer != nullptr) {
        *transfer = nullptr;
    }
    if (codec->env == nullptr) {
        return NW_ESTOPPED;
    }
    if (message->beside == nullptr && count >= message->value_count &&
        nw::decode_primitives(isolate, message, values)) {
        return NW_OK;
    }
    if (nw::is_flat(message)) {
        return nw::decode_flat(codec, isolate, message, values, count, failure);
    }
    Reader reader(codec, isolate, message, failure);
    nw_status status = reader.read(values, count);
    if (status == NW_OK && transfer != nullptr) {
        *transfer = reader.moved();
    }
    return status;
}

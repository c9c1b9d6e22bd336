// A value into a message, by V8's own serializer: native speed and every
// JavaScript type; src/wire.c is the same format without V8.
//
// What differs from plain postMessage is in src/wire.h. Views that show a part
// of their buffer are written as their slice: a Buffer would otherwise carry
// Node's whole buffer pool with it.
//
// User code can run here, in getters and proxies of a result. It may throw and
// it may end the worker; both come back as a status with nothing pending.
//
// Invariants
//   Until the very end nothing has left JavaScript: a value that turns out to
//   contain Errors is written a second time, and a failure undoes all.
//   No handle made inside a delegate outlives it. V8 asks once for each object,
//   as it numbers them, so nothing is counted twice.

#include <memory>
#include <unordered_map>
#include <vector>

#include <stdio.h>

#include "src/engine/beside.h"
#include "src/engine/codec.h"
#include "src/engine/views.h"
#include "src/wire.h"

namespace
{

using nw::Failure;
using nw::ViewKind;
using v8::ArrayBuffer;
using v8::ArrayBufferView;
using v8::Isolate;
using v8::Just;
using v8::Local;
using v8::Maybe;
using v8::Nothing;
using v8::Object;
using v8::Value;

// Most messages fit into this and need no allocation while they are written.
constexpr size_t scratch_size = 1024;

// What moves with a message, in the order of the list.
class Transfers
{
  public:
    explicit Transfers(nw::Prototypes *known) : known_(known)
    {
    }

    // Reads the list: user code may run. On failure the text says which item.
    nw_status read(Isolate *isolate, Local<v8::Array> list,
                   const Failure &failure)
    {
        Local<v8::Context> context = isolate->GetCurrentContext();
        v8::TryCatch caught(isolate);

        for (uint32_t i = 0; i < list->Length(); i++) {
            Local<Value> item;
            if (!list->Get(context, i).ToLocal(&item)) {
                return failure.caught(isolate, caught);
            }
            const char *problem = add(item);
            if (problem != nullptr) {
                char text[128];
                snprintf(text, sizeof(text), "item %u of the transfer list %s",
                         static_cast<unsigned>(i), problem);
                return failure.say(text);
            }
        }
        return NW_OK;
    }

    // The index among the buffers, or -1.
    int64_t find(Local<ArrayBuffer> buffer) const
    {
        return buffers.empty() ? -1 : index_of(buffer);
    }

    std::vector<Local<ArrayBuffer>> buffers;
    std::vector<Local<Object>> objects; // Of Node.js.

  private:
    // NULL, or why it cannot move.
    const char *add(Local<Value> item)
    {
        if (item->IsArrayBufferView()) {
            item = item.As<ArrayBufferView>()->Buffer();
        }
        if (item->IsSharedArrayBuffer()) {
            return "is shared memory, which cannot move";
        }
        if (item->IsArrayBuffer()) {
            Local<ArrayBuffer> buffer = item.As<ArrayBuffer>();
            if (buffer->WasDetached()) {
                return "is a buffer that was detached already";
            }
            // What V8 cannot detach (WebAssembly memory) is copied.
            return !buffer->IsDetachable() ? nullptr : append(&buffers, buffer);
        }
        if (!item->IsObject() ||
            !nw::is_host_object(known_, item.As<Object>())) {
            return "is nothing that can move";
        }
        return append(&objects, item.As<Object>());
    }

    template <typename T>
    const char *append(std::vector<Local<T>> *list, Local<T> item)
    {
        if (index_of(item) >= 0) {
            return "was in it before";
        }
        by_hash_.emplace(item->GetIdentityHash(),
                         Entry{item, static_cast<uint32_t>(list->size())});
        list->push_back(item);
        return nullptr;
    }

    int64_t index_of(Local<Object> item) const
    {
        auto range = by_hash_.equal_range(item->GetIdentityHash());

        for (auto at = range.first; at != range.second; ++at) {
            if (at->second.object == item) {
                return at->second.index;
            }
        }
        return -1;
    }

    struct Entry {
        Local<Object> object;
        uint32_t index;
    };
    nw::Prototypes *known_;
    std::unordered_multimap<int, Entry> by_hash_;
};

class Writer : public v8::ValueSerializer::Delegate
{
  public:
    Writer(nw__engine_codec *codec, Isolate *isolate, const Failure &failure,
           Transfers *transfers)
        : codec_(codec), isolate_(isolate), failure_(failure),
          transfers_(transfers), serializer_(isolate, this)
    {
    }

    ~Writer() override
    {
        for (nw__attached &attached : refs_) {
            nw__ref_put(attached.ref);
        }
        FreeBufferMemory(bytes_);
    }

    // Writes the values; then nothing has left JavaScript yet.
    nw_status write(const Local<Value> *values, size_t count)
    {
        v8::TryCatch caught(isolate_);

        serializer_.SetTreatArrayBufferViewsAsHostObjects(true);
        for (size_t i = 0; i < transfers_->buffers.size(); i++) {
            serializer_.TransferArrayBuffer(static_cast<uint32_t>(i),
                                            transfers_->buffers[i]);
        }
        serializer_.WriteHeader();
        bool written = true;
        for (size_t i = 0; i < count && written; i++) {
            written =
                serializer_.WriteValue(isolate_->GetCurrentContext(), values[i])
                    .FromMaybe(false);
        }
        count_ = static_cast<uint32_t>(count);
        if (terminated_) {
            return NW_ESTOPPED;
        }
        if (out_of_memory_) {
            return NW_ENOMEM;
        }
        if (!written) {
            return failure_.caught(isolate_, caught);
        }
        std::pair<uint8_t *, size_t> bytes = serializer_.Release();
        bytes_ = bytes.first;
        size_ = bytes.second;
        return NW_OK;
    }

    bool has_error() const
    {
        return nw__wire_has_error(bytes_, size_);
    }

    // Moves all into the message, which is empty again on failure.
    nw_status finish(nw__message *message)
    {
        nw_status status = check_buffers();

        if (status == NW_OK) {
            status = move_bytes(message);
        }
        if (status == NW_OK) {
            status = add_movers();
        }
        if (status == NW_OK) {
            status = nw__message_reserve_beside(
                message, static_cast<uint32_t>(transfers_->buffers.size()),
                static_cast<uint32_t>(refs_.size()));
        }
        if (status == NW_OK) {
            status = move_beside(message);
        }
        if (status != NW_OK) {
            nw__message_fini(message);
            return status;
        }
        for (Local<ArrayBuffer> buffer : transfers_->buffers) {
            buffer->Detach();
        }
        message->value_count = count_;
        return NW_OK;
    }

    // -- for the serializer

    void ThrowDataCloneError(Local<v8::String> message) override
    {
        isolate_->ThrowException(v8::Exception::Error(message));
    }

#if V8_MAJOR_VERSION >= 12
    bool HasCustomHostObject(Isolate *isolate) override
    {
        return true;
    }

    Maybe<bool> IsHostObject(Isolate *isolate, Local<Object> object) override
    {
        return Just(nw::is_host_object(&codec_->known, object));
    }
#endif

    Maybe<bool> WriteHostObject(Isolate *isolate, Local<Object> object) override
    {
        const ViewKind *kind = nw::view_kind(Local<Value>(object));

        if (kind != nullptr) {
            return write_view(kind, object.As<ArrayBufferView>());
        }
        if (codec_->box.Get(isolate)->HasInstance(object)) {
            serializer_.WriteUint32(NW__WIRE_ERROR);
            return write_nested(object->GetInternalField(0).As<Value>());
        }
        if (codec_->hosts.keep == nullptr) {
            return refuse(no_objects);
        }
        serializer_.WriteUint32(NW__WIRE_HOST_OBJECT);
        serializer_.WriteUint32(add_object(object));
        return Just(true);
    }

    Maybe<uint32_t>
    GetSharedArrayBufferId(Isolate *isolate,
                           Local<v8::SharedArrayBuffer> shared) override
    {
        return add_ref(nw::shared_ref(shared));
    }

    Maybe<uint32_t>
    GetWasmModuleTransferId(Isolate *isolate,
                            Local<v8::WasmModuleObject> module) override
    {
        return add_ref(nw::module_ref(module));
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
            out_of_memory_ = true;
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

  private:
    static constexpr const char *no_objects =
        "an object of Node.js cannot be sent to C";

    bool is_scratch(const void *memory) const
    {
        return memory == scratch_;
    }

    Maybe<bool> refuse(const char *why)
    {
        ThrowDataCloneError(nw::string(isolate_, why));
        return Nothing<bool>();
    }

    Maybe<bool> write_nested(Local<Value> value)
    {
        bool written = nw::nested(isolate_, &terminated_, [&] {
            return serializer_.WriteValue(isolate_->GetCurrentContext(), value)
                .FromMaybe(false);
        });

        return written ? Just(true) : Nothing<bool>();
    }

    // -- what travels beside

    Maybe<uint32_t> add_ref(nw__ref *ref)
    {
        if (ref == nullptr) {
            out_of_memory_ = true;
            refuse("out of memory");
            return Nothing<uint32_t>();
        }
        refs_.push_back(nw__attached{ref, false});
        return Just(static_cast<uint32_t>(refs_.size() - 1));
    }

    // Its place among the references is filled by keep_objects().
    uint32_t add_object(Local<Object> object)
    {
        uint32_t index = static_cast<uint32_t>(refs_.size());

        objects_.emplace_back(isolate_, object);
        object_refs_.push_back(index);
        refs_.push_back(nw__attached{nullptr, false});
        return index;
    }

    // What is listed, but not part of the value, moves all the same.
    nw_status add_movers()
    {
        size_t written = objects_.size();

        if (transfers_->objects.empty()) {
            return NW_OK;
        }
        if (codec_->hosts.keep == nullptr) {
            return failure_.say(no_objects);
        }
        std::unordered_multimap<int, size_t> by_hash;
        for (size_t i = 0; i < written; i++) {
            by_hash.emplace(objects_[i].Get(isolate_)->GetIdentityHash(), i);
        }
        for (Local<Object> object : transfers_->objects) {
            auto range = by_hash.equal_range(object->GetIdentityHash());
            bool there = false;
            for (auto at = range.first; at != range.second; ++at) {
                there = there || objects_[at->second] == object;
            }
            if (!there) {
                add_object(object);
            }
        }
        return NW_OK;
    }

    // A getter of the value may have taken one away.
    nw_status check_buffers()
    {
        for (Local<ArrayBuffer> buffer : transfers_->buffers) {
            if (buffer->WasDetached()) {
                return failure_.say("a buffer of the transfer list was "
                                    "detached while the value was read");
            }
        }
        return NW_OK;
    }

    nw_status move_bytes(nw__message *message)
    {
        if (bytes_ == nullptr) {
            return NW_ENOMEM;
        }
        if (!is_scratch(bytes_)) {
            nw__message_adopt(message, bytes_, size_);
            bytes_ = nullptr;
            return NW_OK;
        }
        if (nw__message_reserve(message, size_) != NW_OK) {
            return NW_ENOMEM;
        }
        memcpy(message->data, bytes_, size_);
        return NW_OK;
    }

    nw_status move_beside(nw__message *message)
    {
        nw__beside *beside = message->beside;

        for (size_t i = 0; i < transfers_->buffers.size(); i++) {
            beside->blobs[i] = nw::borrow(transfers_->buffers[i]);
        }
        for (size_t i = 0; i < refs_.size(); i++) {
            beside->refs[i] = refs_[i];
            refs_[i].ref = nullptr;
        }
        return objects_.empty() ? NW_OK : keep_objects(beside);
    }

    Local<v8::Array> array_of(const std::vector<Local<Object>> &objects)
    {
        std::vector<Local<Value>> values(objects.begin(), objects.end());

        return v8::Array::New(isolate_, values.data(), values.size());
    }

    nw_status keep_objects(nw__beside *beside)
    {
        uint32_t count = static_cast<uint32_t>(objects_.size());
        std::vector<nw__attached> kept(count, nw__attached{nullptr, false});
        std::vector<Local<Object>> objects;

        for (const v8::Global<Object> &object : objects_) {
            objects.push_back(object.Get(isolate_));
        }
        napi_value movers = transfers_->objects.empty()
                                ? nullptr
                                : nw::to_napi(array_of(transfers_->objects));
        nw_status status = codec_->hosts.keep(
            codec_->hosts.context, nw::to_napi(array_of(objects)), count,
            movers, kept.data(), failure_.text, failure_.size);
        for (uint32_t i = 0; i < count && status == NW_OK; i++) {
            beside->refs[object_refs_[i]] = kept[i];
        }
        return status;
    }

    // -- views

    Maybe<bool> write_view(const ViewKind *kind, Local<ArrayBufferView> view)
    {
        size_t size = view->ByteLength();

        if (size > NW_VALUE_SIZE_MAX) {
            return refuse("a view is larger than NW_VALUE_SIZE_MAX");
        }
        // Small views live on V8's heap; Buffer() would move them off it.
        if (!view->HasBuffer()) {
            return write_copied(kind, view, size);
        }
        Local<ArrayBuffer> buffer = view->Buffer();
        bool shared = Local<Value>(buffer)->IsSharedArrayBuffer();
        int64_t index = shared ? -1 : transfers_->find(buffer);
        if (index < 0 && !shared && size < buffer->ByteLength()) {
            return write_copied(kind, view, size);
        }
        if (view->ByteOffset() > UINT32_MAX) {
            return refuse("a view begins beyond 4 GiB of its buffer");
        }
        uint32_t offset = static_cast<uint32_t>(view->ByteOffset());
        if (index >= 0) {
            write_head(NW__WIRE_VIEW_TRANSFERRED, kind);
            serializer_.WriteUint32(static_cast<uint32_t>(index));
            write_range(offset, size);
            return Just(true);
        }
        write_head(NW__WIRE_VIEW_OF, kind);
        write_range(offset, size);
        return write_nested(buffer);
    }

    Maybe<bool> write_copied(const ViewKind *kind, Local<ArrayBufferView> view,
                             size_t size)
    {
        uint8_t on_heap[64];

        write_head(NW__WIRE_VIEW_COPIED, kind);
        serializer_.WriteUint32(static_cast<uint32_t>(size));
        if (!view->HasBuffer() && size <= sizeof(on_heap)) {
            view->CopyContents(on_heap, size);
            serializer_.WriteRawBytes(on_heap, size);
        } else if (size > 0) {
            std::shared_ptr<v8::BackingStore> store =
                view->Buffer()->GetBackingStore();
            serializer_.WriteRawBytes(static_cast<uint8_t *>(store->Data()) +
                                          view->ByteOffset(),
                                      size);
        }
        return Just(true);
    }

    void write_head(nw__wire_host_kind how, const ViewKind *kind)
    {
        serializer_.WriteUint32(how);
        serializer_.WriteUint32(kind->tag);
    }

    void write_range(uint32_t offset, size_t size)
    {
        serializer_.WriteUint32(offset);
        serializer_.WriteUint32(static_cast<uint32_t>(size));
    }

    nw__engine_codec *codec_;
    Isolate *isolate_;
    const Failure &failure_;
    Transfers *transfers_;

    std::vector<nw__attached> refs_; // NULL where an object is not kept yet.
    std::vector<v8::Global<Object>> objects_;
    std::vector<uint32_t> object_refs_; // Where in `refs_` each belongs.
    uint8_t *bytes_ = nullptr;
    size_t size_ = 0;
    uint32_t count_ = 0;
    bool out_of_memory_ = false;
    bool terminated_ = false;
    alignas(8) uint8_t scratch_[scratch_size];
    v8::ValueSerializer serializer_; // Last: it frees through this delegate.
};

// Replaces each value by a copy of it in which every Error is boxed.
nw_status box_errors(nw__engine_codec *codec, Isolate *isolate,
                     Local<Value> *values, size_t count, const Failure &failure)
{
    v8::TryCatch caught(isolate);

    for (size_t i = 0; i < count; i++) {
        if (!codec->boxer.Get(isolate)
                 ->Call(isolate->GetCurrentContext(), v8::Undefined(isolate), 1,
                        &values[i])
                 .ToLocal(&values[i])) {
            return failure.caught(isolate, caught);
        }
    }
    return NW_OK;
}

} // namespace

// Not flat: by V8, or by hand.
static nw_status encode_list(nw__engine_codec *codec, Isolate *isolate,
                             Local<Value> *values, size_t count,
                             napi_value transfer, nw__message *message,
                             const Failure &failure)
{
    nw_status status = NW_OK;
    Transfers transfers(&codec->known);

    if (transfer != nullptr) {
        status = transfers.read(
            isolate, nw::from_napi(transfer).As<v8::Array>(), failure);
    }
    bool boxing = !codec->boxer.IsEmpty();
    if (status == NW_OK && boxing && count == 1 && values[0]->IsNativeError()) {
        boxing = false;
        status = box_errors(codec, isolate, values, count, failure);
    }
    while (status == NW_OK) {
        Writer writer(codec, isolate, failure, &transfers);
        status = writer.write(values, count);
        if (status != NW_OK) {
            break;
        }
        if (!boxing || !writer.has_error()) {
            return writer.finish(message);
        }
        boxing = false;
        status = box_errors(codec, isolate, values, count, failure);
    }
    return status;
}

nw_status nw__engine_encode(nw__engine_codec *codec, napi_value value,
                            napi_value transfer, nw__message *message,
                            char *error, size_t error_size)
{
    Isolate *isolate = Isolate::GetCurrent();
    v8::HandleScope handle_scope(isolate);
    Local<Value> local = nw::from_napi(value);
    const Failure failure = {error, error_size};

    if (codec->env == nullptr) {
        return NW_ESTOPPED;
    }
    if (transfer == nullptr && nw::encode_primitives(&local, 1, message)) {
        return NW_OK;
    }
    return encode_list(codec, isolate, &local, 1, transfer, message, failure);
}

nw_status nw__engine_encode_flat(nw__engine_codec *codec,
                                 const napi_value *list, size_t count,
                                 napi_value transfer, nw__message *message,
                                 char *error, size_t error_size)
{
    Isolate *isolate = Isolate::GetCurrent();
    v8::HandleScope handle_scope(isolate);
    Local<Value> values[NW__ENGINE_VALUES_MAX];
    const Failure failure = {error, error_size};
    nw_status status = NW_OK;

    if (codec->env == nullptr) {
        return NW_ESTOPPED;
    }
    if (count > NW__ENGINE_VALUES_MAX) {
        return NW_ELIMIT;
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = nw::from_napi(list[i]);
    }
    if (transfer == nullptr &&
        (nw::encode_primitives(values, count, message) ||
         nw::encode_flat(codec, isolate, values, count, message, &status) ||
         status != NW_OK)) {
        return status;
    }
    return encode_list(codec, isolate, values, count, transfer, message,
                       failure);
}

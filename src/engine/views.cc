#include "src/engine/views.h"

#include "src/wire_tag.h"

namespace {

using nw::ViewKind;
using v8::Local;
using v8::MaybeLocal;
using v8::Object;
using v8::Value;

// Uint8Array first: it is the common one.
const ViewKind kinds[] = {
    {NW__VIEW_UINT8, 1, &Value::IsUint8Array},
    {NW__VIEW_INT8, 1, &Value::IsInt8Array},
    {NW__VIEW_UINT8_CLAMPED, 1, &Value::IsUint8ClampedArray},
    {NW__VIEW_INT16, 2, &Value::IsInt16Array},
    {NW__VIEW_UINT16, 2, &Value::IsUint16Array},
    {NW__VIEW_INT32, 4, &Value::IsInt32Array},
    {NW__VIEW_UINT32, 4, &Value::IsUint32Array},
    {NW__VIEW_FLOAT32, 4, &Value::IsFloat32Array},
    {NW__VIEW_FLOAT64, 8, &Value::IsFloat64Array},
    {NW__VIEW_BIGINT64, 8, &Value::IsBigInt64Array},
    {NW__VIEW_BIGUINT64, 8, &Value::IsBigUint64Array},
    {NW__VIEW_DATA_VIEW, 1, &Value::IsDataView},
#if V8_MAJOR_VERSION >= 13
    {NW__VIEW_FLOAT16, 2, &Value::IsFloat16Array},
#endif
};

// `count` in elements. `Buffer` is one of the two kinds.
template <typename Buffer>
Local<Object> construct(uint8_t tag, Local<Buffer> buffer, size_t offset,
                        size_t count)
{
    switch (tag) {
    case NW__VIEW_UINT8:
        return v8::Uint8Array::New(buffer, offset, count);
    case NW__VIEW_INT8:
        return v8::Int8Array::New(buffer, offset, count);
    case NW__VIEW_UINT8_CLAMPED:
        return v8::Uint8ClampedArray::New(buffer, offset, count);
    case NW__VIEW_INT16:
        return v8::Int16Array::New(buffer, offset, count);
    case NW__VIEW_UINT16:
        return v8::Uint16Array::New(buffer, offset, count);
    case NW__VIEW_INT32:
        return v8::Int32Array::New(buffer, offset, count);
    case NW__VIEW_UINT32:
        return v8::Uint32Array::New(buffer, offset, count);
#if V8_MAJOR_VERSION >= 13
    case NW__VIEW_FLOAT16:
        return v8::Float16Array::New(buffer, offset, count);
#endif
    case NW__VIEW_FLOAT32:
        return v8::Float32Array::New(buffer, offset, count);
    case NW__VIEW_FLOAT64:
        return v8::Float64Array::New(buffer, offset, count);
    case NW__VIEW_BIGINT64:
        return v8::BigInt64Array::New(buffer, offset, count);
    case NW__VIEW_BIGUINT64:
        return v8::BigUint64Array::New(buffer, offset, count);
    default:
        return v8::DataView::New(buffer, offset, count);
    }
}

template <typename Buffer>
MaybeLocal<Object> construct_within(const ViewKind *kind, Local<Buffer> buffer,
                                    uint32_t offset, uint32_t size)
{
    size_t total = buffer->ByteLength();

    if (offset > total || size > total - offset ||
        offset % kind->element != 0 || size % kind->element != 0) {
        return MaybeLocal<Object>();
    }
    return construct(kind->tag, buffer, offset, size / kind->element);
}

} // namespace

const ViewKind *nw::view_kind(Local<Value> value)
{
    for (const ViewKind &kind : kinds) {
        if (((**value).*kind.is)()) {
            return &kind;
        }
    }
    return nullptr;
}

const ViewKind *nw::view_kind(uint32_t tag)
{
    for (const ViewKind &kind : kinds) {
        if (kind.tag == tag) {
            return &kind;
        }
    }
    return nullptr;
}

MaybeLocal<Object> nw::make_view(const ViewKind *kind, Local<Value> buffer,
                                 uint32_t offset, uint32_t size)
{
    if (buffer->IsArrayBuffer()) {
        return construct_within(kind, buffer.As<v8::ArrayBuffer>(), offset,
                                size);
    }
    if (buffer->IsSharedArrayBuffer()) {
        return construct_within(kind, buffer.As<v8::SharedArrayBuffer>(),
                                offset, size);
    }
    return MaybeLocal<Object>();
}

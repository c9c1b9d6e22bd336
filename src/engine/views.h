// Typed arrays and DataViews: V8's sub-tags for them, and making one over a
// buffer. Ours, as the serializer's own way would carry a whole buffer where a
// view shows a part.

#ifndef NW_SRC_ENGINE_VIEWS_H
#define NW_SRC_ENGINE_VIEWS_H

#include <v8.h>

namespace nw {

struct ViewKind {
    uint8_t tag;
    size_t element; // Size in bytes.
    bool (v8::Value::*is)() const;
};

// NULL: it is no view.
const ViewKind *view_kind(v8::Local<v8::Value> value);
const ViewKind *view_kind(uint32_t tag);

// A view of `size` bytes over an ArrayBuffer or SharedArrayBuffer. Empty, where
// V8 would abort, unless the buffer is one and holds what is asked for.
v8::MaybeLocal<v8::Object> make_view(const ViewKind *kind,
                                     v8::Local<v8::Value> buffer,
                                     uint32_t offset, uint32_t size);

} // namespace nw

#endif

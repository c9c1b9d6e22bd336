// Which objects are Node's own; see codec.h.
//
// Up to Node.js 20 they have internal fields, all of them. Later many do not:
// what marks those is a private symbol, which nobody else can look at. But the
// classes of such objects have methods under symbols of Node's, and are found
// by the names of these. An object of a user's class that has the same is
// handed to Node.js, which knows better, and clones it as any other.
//
// Nothing here runs JavaScript: no serializer allows it where it asks.

#include "src/engine/codec.h"

namespace {

using v8::Isolate;
using v8::Local;
using v8::Object;
using v8::Value;

#if V8_MAJOR_VERSION >= 12

// Empty at the end of a chain, and where a proxy would be asked.
Local<Object> prototype_of(Local<Object> object)
{
#if V8_MAJOR_VERSION >= 13
    Local<Value> prototype = object->GetPrototypeV2();
#else
    Local<Value> prototype = object->GetPrototype();
#endif
    return prototype->IsObject() && !prototype->IsProxy()
               ? prototype.As<Object>()
               : Local<Object>();
}

bool is_mark(Isolate *isolate, Local<Value> symbol)
{
    Local<Value> name = symbol.As<v8::Symbol>()->Description(isolate);

    for (const char *mark :
         {"messaging_clone_symbol", "messaging_transfer_symbol"}) {
        if (name->StrictEquals(nw::string(isolate, mark))) {
            return true;
        }
    }
    return false;
}

bool has_mark(Isolate *isolate, Local<Object> prototype)
{
    v8::TryCatch ignored(isolate);
    Local<v8::Context> context = isolate->GetCurrentContext();
    Local<v8::Array> symbols;
    Local<Value> symbol;

    if (!prototype
             ->GetPropertyNames(context, v8::KeyCollectionMode::kOwnOnly,
                                v8::SKIP_STRINGS, v8::IndexFilter::kSkipIndices)
             .ToLocal(&symbols)) {
        return false;
    }
    for (uint32_t i = 0; i < symbols->Length(); i++) {
        if (symbols->Get(context, i).ToLocal(&symbol) &&
            is_mark(isolate, symbol)) {
            return true;
        }
    }
    return false;
}

// Of all objects with this prototype.
bool decide(Isolate *isolate, Local<Object> prototype)
{
    Local<Object> at = prototype;

    for (; !at.IsEmpty(); at = prototype_of(at)) {
        if (has_mark(isolate, at)) {
            return true;
        }
    }
    // This one has no such methods in every version.
    return prototype->GetConstructorName()->StringEquals(
        nw::string(isolate, "CryptoKey"));
}

bool is_marked(nw::Prototypes *known, Isolate *isolate, Local<Object> object)
{
    Local<Object> prototype = prototype_of(object);

    // Of a chain as short as that of {} nothing can be Node's.
    if (prototype.IsEmpty() || prototype_of(prototype).IsEmpty()) {
        return false;
    }
    if (known == nullptr) {
        return decide(isolate, prototype);
    }
    size_t hash = static_cast<size_t>(prototype->GetIdentityHash());
    nw::Prototypes::Entry *entry =
        &known->entries[hash % nw::Prototypes::count];
    if (entry->prototype != prototype) {
        entry->is_host = decide(isolate, prototype);
        entry->prototype.Reset(isolate, prototype);
        entry->prototype.SetWeak();
    }
    return entry->is_host;
}

#else

bool is_marked(nw::Prototypes *, Isolate *, Local<Object>)
{
    return false;
}

#endif

} // namespace

bool nw::is_host_object(Prototypes *known, Local<Object> object)
{
    if (object->InternalFieldCount() > 0) {
        return true;
    }
    Isolate *isolate = Isolate::GetCurrent();
    v8::HandleScope handle_scope(isolate);

    return !object->IsProxy() && is_marked(known, isolate, object);
}

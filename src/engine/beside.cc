// Invariants
//   Each memory has one BackingStore in all isolates: Atomics.wait() and
//   notify() find each other by its address. Memory that V8 allocated has one
//   by nature; for memory of C it is made once, under `stores_lock`.
//   V8 never calls the deleter of an empty store, so whoever made the memory
//   gives back an empty one.
//   Every reference to a module is in `modules`: a module that C holds on to
//   beyond the end of V8 must be let go before it.
//
// Locks: both are leaves. No JavaScript runs under them.

#include "src/engine/beside.h"

#include <memory>
#include <mutex>
#include <new>

#include "src/engine/codec.h"

namespace {

using v8::ArrayBuffer;
using v8::BackingStore;
using v8::Isolate;
using v8::Local;
using v8::SharedArrayBuffer;

using Store = std::shared_ptr<BackingStore>;

// -- memory of C in V8

// Whom to give C memory back to.
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

// -- memory of V8 in C

void free_store(void *store)
{
    delete static_cast<Store *>(store);
}

void release_store(void *data, size_t size, void *hint)
{
    free_store(hint);
}

// Only of what shared_ref() made; C's own knows itself.
void destroy_shared(nw__ref *ref)
{
    nw_shared *shared = reinterpret_cast<nw_shared *>(ref);

    free_store(shared->store);
    nw__free(shared);
}

std::mutex stores_lock;

Store store_of(nw_shared *shared)
{
    std::lock_guard<std::mutex> guard(stores_lock);

    if (shared->store == nullptr) {
        // An empty one has no deleter to call, and needs none.
        auto deleter = shared->size > 0 ? return_to_lender
                                        : BackingStore::EmptyDeleter;
        Lender *lender = shared->size > 0
                             ? new Lender{shared->release, shared->hint}
                             : nullptr;
        shared->store = new Store(SharedArrayBuffer::NewBackingStore(
            shared->data, shared->size, deleter, lender));
        shared->store_free = free_store;
    }
    return *static_cast<Store *>(shared->store);
}

// -- modules

struct Module {
    nw__ref ref;

    // -- protected by modules_lock
    Module *previous;
    Module *next;
    v8::CompiledWasmModule *compiled; // NULL: V8 is gone.
};

std::mutex modules_lock;
Module *modules; // The first of all. Protected by modules_lock.

// The compiled module goes under the lock: drop_modules() must not return
// while somebody else is still at it.
void destroy_module(nw__ref *ref)
{
    Module *module = reinterpret_cast<Module *>(ref);
    std::lock_guard<std::mutex> guard(modules_lock);

    (module->previous != nullptr ? module->previous->next : modules) =
        module->next;
    if (module->next != nullptr) {
        module->next->previous = module->previous;
    }
    delete module->compiled;
    nw__free(module);
}

} // namespace

Local<ArrayBuffer> nw::lend(Isolate *isolate, nw__blob *blob)
{
    if (blob->size == 0) {
        if (blob->release != nullptr) {
            blob->release(blob->data, 0, blob->hint);
        }
        memset(blob, 0, sizeof(*blob));
        return ArrayBuffer::New(isolate, 0);
    }
    Lender *lender = new Lender{blob->release, blob->hint};
    Store store = ArrayBuffer::NewBackingStore(blob->data, blob->size,
                                               return_to_lender, lender);
    memset(blob, 0, sizeof(*blob));
    return ArrayBuffer::New(isolate, std::move(store));
}

nw__blob nw::borrow(Local<ArrayBuffer> buffer)
{
    Store *store = new Store(buffer->GetBackingStore());

    return nw__blob{(*store)->Data(), (*store)->ByteLength(), release_store,
                    store};
}

nw__ref *nw::shared_ref(Local<SharedArrayBuffer> buffer)
{
    auto *shared = static_cast<nw_shared *>(nw__alloc(sizeof(nw_shared)));

    if (shared == nullptr) {
        return nullptr;
    }
    Store *store = new Store(buffer->GetBackingStore());

    memset(shared, 0, sizeof(*shared));
    nw__ref_init(&shared->ref, NW__REF_SHARED, destroy_shared);
    shared->data = (*store)->Data();
    shared->size = (*store)->ByteLength();
    shared->store = store;
    shared->store_free = free_store;
    return &shared->ref;
}

Local<SharedArrayBuffer> nw::shared_buffer(Isolate *isolate, nw_shared *shared)
{
    return SharedArrayBuffer::New(isolate, store_of(shared));
}

nw__ref *nw::module_ref(Local<v8::WasmModuleObject> object)
{
    auto *module = static_cast<Module *>(nw__alloc(sizeof(Module)));

    if (module == nullptr) {
        return nullptr;
    }
    nw__ref_init(&module->ref, NW__REF_MODULE, destroy_module);
    module->compiled = new v8::CompiledWasmModule(object->GetCompiledModule());

    std::lock_guard<std::mutex> guard(modules_lock);
    module->previous = nullptr;
    module->next = modules;
    if (modules != nullptr) {
        modules->previous = module;
    }
    modules = module;
    return &module->ref;
}

// Without the lock: while there is an isolate nobody drops the module.
v8::MaybeLocal<v8::Object> nw::module_object(Isolate *isolate, nw__ref *ref)
{
    Module *module = reinterpret_cast<Module *>(ref);
    Local<v8::WasmModuleObject> object;

    if (!v8::WasmModuleObject::FromCompiledModule(isolate, *module->compiled)
             .ToLocal(&object)) {
        return v8::MaybeLocal<v8::Object>();
    }
    return object.As<v8::Object>();
}

void nw::drop_modules()
{
    std::lock_guard<std::mutex> guard(modules_lock);

    for (Module *module = modules; module != nullptr; module = module->next) {
        delete module->compiled;
        module->compiled = nullptr;
    }
}

// What other threads may do to an isolate, and what it can say of its heap. And
// of which Node.js all this is: what engine.cc has is for those who start it.

#include <node_version.h>
#include <v8-profiler.h>
#include <v8.h>

#include "src/engine/engine.h"

extern "C" const char *nw__engine_version(void)
{
    return NODE_VERSION;
}

extern "C" int nw__engine_module_version(void)
{
    return NODE_MODULE_VERSION;
}

extern "C" void *nw__engine_isolate(void)
{
    return v8::Isolate::GetCurrent();
}

// An interrupt carries one pointer, and may never be delivered: it must not own
// memory.
static void (*interrupt_call)(void *data);

static void on_interrupt(v8::Isolate *, void *data)
{
    __atomic_load_n(&interrupt_call, __ATOMIC_ACQUIRE)(data);
}

extern "C" void nw__engine_interrupt_soon(void *isolate,
                                          void (*call)(void *data), void *data)
{
    __atomic_store_n(&interrupt_call, call, __ATOMIC_RELEASE);
    static_cast<v8::Isolate *>(isolate)->RequestInterrupt(on_interrupt, data);
}

namespace
{

class Stream : public v8::OutputStream
{
  public:
    Stream(bool (*write)(void *, const char *, size_t), void *context)
        : write_(write), context_(context)
    {
    }

    void EndOfStream() override
    {
        complete_ = true;
    }

    int GetChunkSize() override
    {
        return 1 << 16;
    }

    WriteResult WriteAsciiChunk(char *data, int size) override
    {
        return write_(context_, data, static_cast<size_t>(size)) ? kContinue
                                                                 : kAbort;
    }

    bool complete() const
    {
        return complete_;
    }

  private:
    bool (*write_)(void *, const char *, size_t);
    void *context_;
    bool complete_ = false;
};

} // namespace

extern "C" nw_status nw__engine_heap_snapshot(
    bool (*write)(void *context, const char *data, size_t size), void *context)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    v8::HandleScope scope(isolate);
    const v8::HeapSnapshot *snapshot =
        isolate->GetHeapProfiler()->TakeHeapSnapshot();
    Stream stream(write, context);

    if (snapshot == nullptr) {
        return NW_ENOMEM;
    }
    snapshot->Serialize(&stream, v8::HeapSnapshot::kJSON);
    const_cast<v8::HeapSnapshot *>(snapshot)->Delete();
    return stream.complete() ? NW_OK : NW_EIO;
}

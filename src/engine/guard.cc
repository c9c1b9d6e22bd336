// What interrupts, samples and outlives a worker; see guard.h.
//
// Invariants
//   A script is judged and terminated on its own thread, from inside V8's
//   interrupt callback, so nothing can happen between the two.
//   A request has no data: the callback finds the guard through its thread,
//   where it is not any more once it was destroyed.
//   Under `lock` and the list's lock no JavaScript runs and nothing is
//   allocated, so a thread that is parked holds neither.
//
// What is safe to terminate. Node.js does not expect its own JavaScript to stop
// half way: `performance` that was being loaded is undefined for ever. And
// callbacks that Node.js starts (timers, next-ticks) end the process when they
// are terminated, as the stack of async ids is not what it should be then. So
// there may be no frame of Node's above the trampoline, which the pump calls,
// and below it nothing but its own; what it pushed is taken from the stack of
// ids by reset().
//
// Lock order: the caller's > `lock`; the list's lock is a leaf.

#include "src/engine/guard.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>

#include <node.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <v8.h>

#include "src/engine/alloc.h"
#include "src/js/scripts.h"

using v8::Isolate;
using v8::Local;
using v8::StackFrame;
using v8::StackTrace;
using v8::String;

struct nw__engine_guard {
    // -- immutable
    napi_env env;
    Isolate *isolate;
    node::Environment *environment;
    nw__guard_hooks hooks;

    // -- the environment's thread only
    napi_ref reset; // Of guard.js.
    bool hit;       // And not taken yet.
    bool taking;
    char hit_stack[NW__STACK_TEXT_MAX];

    std::mutex lock;
    // -- protected by lock
    bool requested;  // V8 has a request of ours.
    uint64_t to_hit; // Task; 0: none.
    bool sampling;
    uint64_t to_sample;
    uint64_t answered; // Task.
    nw__answer answer;
    bool sampled;
    uint64_t sample_task; // As it was asked for.
    char sample[NW__STACK_TEXT_MAX];

    // -- protected by the list's lock
    nw__engine_guard *next;
    nw__engine_guard *previous;
};

namespace {

// As many as an Error shows.
constexpr int text_frames = 10;

// Enough to tell one kind of script from another.
constexpr int name_size = 64;

struct Thread {
    nw__engine_guard *guard;
    bool guarded; // It had one, though that may be gone.
};

thread_local Thread this_thread;

std::atomic<uint32_t> parked_threads;

// Guards whose environment may be ended from outside.
struct List {
    std::mutex lock;
    std::condition_variable emptied;
    // -- protected by lock
    nw__engine_guard *head = nullptr;
};

// Never destroyed: threads may outlive static destructors at process exit.
List *list()
{
    static List *instance = new List();
    return instance;
}

void enlist(nw__engine_guard *guard)
{
    std::lock_guard<std::mutex> held(list()->lock);

    guard->next = list()->head;
    if (guard->next != nullptr) {
        guard->next->previous = guard;
    }
    list()->head = guard;
}

void unlist(nw__engine_guard *guard)
{
    std::lock_guard<std::mutex> held(list()->lock);

    if (guard->previous != nullptr) {
        guard->previous->next = guard->next;
    } else if (list()->head == guard) {
        list()->head = guard->next;
    }
    if (guard->next != nullptr) {
        guard->next->previous = guard->previous;
    }
    guard->next = guard->previous = nullptr;
    if (list()->head == nullptr) {
        list()->emptied.notify_all();
    }
}

// -- stacks

enum class Kind {
    user,
    node,
    trampoline,
    ours,        // Another script of ours.
    async_hooks, // Node's, which the trampoline calls through; since Node.js 22
                 // in more than one file.
};

Kind kind_of(const char *name)
{
    static const struct {
        const char *name;
        Kind kind;
    } exact[] = {
        {"nwpool:pool", Kind::trampoline},
        {"nwpool:worker", Kind::ours},
        {"nwpool:glue", Kind::ours},
        {"node:async_hooks", Kind::async_hooks},
        {"node:internal/async_local_storage/async_hooks", Kind::async_hooks},
        {"node:internal/async_local_storage/async_context_frame",
         Kind::async_hooks},
    };

    for (const auto &known : exact) {
        if (strcmp(name, known.name) == 0) {
            return known.kind;
        }
    }
    return strncmp(name, "node:", strlen("node:")) == 0 ? Kind::node
                                                        : Kind::user;
}

// As much as there is room for, with its end; allocates nothing of ours,
// however long the string is.
size_t copy(Isolate *isolate, Local<String> string, char *text, size_t size)
{
    int length = 0;

    if (!string.IsEmpty()) {
        length = string->WriteUtf8(
            isolate, text, static_cast<int>(size) - 1, nullptr,
            String::NO_NULL_TERMINATION | String::REPLACE_INVALID_UTF8);
    }
    text[length] = '\0';
    return static_cast<size_t>(length);
}

Kind kind_at(Isolate *isolate, Local<StackTrace> stack, int index)
{
    v8::HandleScope handle_scope(isolate);
    char name[name_size];

    copy(isolate,
         stack->GetFrame(isolate, static_cast<uint32_t>(index))
             ->GetScriptNameOrSourceURL(),
         name, sizeof(name));
    return kind_of(name);
}

// The index of the frame at which the trampoline begins, seen from the top: it
// is all at the bottom, and calls through async_hooks. The number of frames
// when there is none, as while a result is encoded.
int find_trampoline(Isolate *isolate, Local<StackTrace> stack)
{
    int top = stack->GetFrameCount();

    for (int i = top - 1; i >= 0; i--) {
        Kind kind = kind_at(isolate, stack, i);

        if (kind == Kind::trampoline) {
            top = i;
        } else if (kind != Kind::async_hooks) {
            break;
        }
    }
    return top;
}

// Whether the script can be terminated where it is. Other code of ours, called
// by the user's, is no better than Node's: it is not the trampoline then.
bool is_safe(Isolate *isolate, Local<StackTrace> stack)
{
    int top;

    if (stack->GetFrameCount() >= NW__STACK_FRAMES_MAX) {
        return false;
    }
    top = find_trampoline(isolate, stack);
    for (int i = 0; i < top; i++) {
        if (kind_at(isolate, stack, i) != Kind::user) {
            return false;
        }
    }
    return true;
}

// Appends "    at name (file:line:column)" as V8 writes it. 0: no room.
size_t write_frame(Isolate *isolate, Local<StackFrame> frame, char *text,
                   size_t size)
{
    char function[128], file[512];
    bool named =
        copy(isolate, frame->GetFunctionName(), function, sizeof(function)) > 0;
    int length;

    if (copy(isolate, frame->GetScriptNameOrSourceURL(), file, sizeof(file)) ==
        0) {
        snprintf(file, sizeof(file), "%s",
                 frame->IsEval() ? "eval" : "<anonymous>");
    }
    length =
        snprintf(text, size, "    at %s%s%s%s:%d:%d%s\n",
                 named && frame->IsConstructor() ? "new " : "",
                 named ? function : "", named ? " (" : "", file,
                 frame->GetLineNumber(), frame->GetColumn(), named ? ")" : "");
    return length > 0 && static_cast<size_t>(length) < size
               ? static_cast<size_t>(length)
               : 0;
}

// Without our own frames on top, and up to those that are below: what the user
// wrote.
void write_stack(Isolate *isolate, Local<StackTrace> stack, char *text)
{
    size_t used = 0;
    int written = 0;

    for (int i = 0; i < stack->GetFrameCount() && written < text_frames; i++) {
        v8::HandleScope handle_scope(isolate);
        Kind kind = kind_at(isolate, stack, i);
        size_t length;

        if (kind == Kind::trampoline || kind == Kind::ours) {
            if (written > 0) {
                break;
            }
            continue;
        }
        length = write_frame(isolate,
                             stack->GetFrame(isolate, static_cast<uint32_t>(i)),
                             text + used, NW__STACK_TEXT_MAX - used);
        if (length == 0) {
            break;
        }
        used += length;
        written++;
    }
    // No line break at the end, as in error.stack.
    text[used > 0 ? used - 1 : 0] = '\0';
}

// -- the callback

struct Request {
    uint64_t to_hit;
    bool sampling;
    uint64_t to_sample;
};

Request take_request(nw__engine_guard *guard)
{
    std::lock_guard<std::mutex> held(guard->lock);
    Request request = {guard->to_hit, guard->sampling, guard->to_sample};

    guard->requested = false;
    guard->to_hit = 0;
    guard->sampling = false;
    return request;
}

Local<StackTrace> current_stack(Isolate *isolate)
{
    // Those of other contexts count as well.
    return StackTrace::CurrentStackTrace(
        isolate, NW__STACK_FRAMES_MAX,
        static_cast<StackTrace::StackTraceOptions>(
            StackTrace::kDetailed |
            StackTrace::kExposeFramesAcrossSecurityOrigins));
}

void take_sample(nw__engine_guard *guard, Local<StackTrace> stack,
                 uint64_t task)
{
    char text[NW__STACK_TEXT_MAX];

    write_stack(guard->isolate, stack, text);

    std::lock_guard<std::mutex> held(guard->lock);
    memcpy(guard->sample, text, sizeof(text));
    guard->sample_task = task;
    guard->sampled = true;
}

void set_answer(nw__engine_guard *guard, uint64_t task, nw__answer answer)
{
    std::lock_guard<std::mutex> held(guard->lock);

    guard->answered = task;
    guard->answer = answer;
}

void hit(nw__engine_guard *guard, Local<StackTrace> stack, uint64_t task)
{
    if (!is_safe(guard->isolate, stack)) {
        set_answer(guard, task, NW__ANSWER_UNSAFE);
        return;
    }
    write_stack(guard->isolate, stack, guard->hit_stack);
    guard->hit = true;
    set_answer(guard, task, NW__ANSWER_HIT);
    // Also for a script that was hit before: a time-out of vm's own can have
    // taken that back.
    guard->isolate->TerminateExecution();
}

void on_interrupt(Isolate *isolate, void *)
{
    nw__engine_guard *guard = this_thread.guard;
    Request request;
    uint64_t running;
    bool sampling, hitting;

    if (guard == nullptr || guard->isolate != isolate) {
        return;
    }
    request = take_request(guard);
    running = guard->taking ? 0 : guard->hooks.running(guard->hooks.context);
    sampling = request.sampling &&
               (request.to_sample == 0 || request.to_sample == running);
    hitting = request.to_hit != 0 && request.to_hit == running;
    if (sampling || hitting) {
        v8::HandleScope handle_scope(isolate);
        Local<StackTrace> stack = current_stack(isolate);

        if (sampling) {
            take_sample(guard, stack, request.to_sample);
        }
        if (hitting) {
            hit(guard, stack, request.to_hit);
        }
    }
    if (request.to_hit != 0 && !hitting) {
        set_answer(guard, request.to_hit, NW__ANSWER_ELSEWHERE);
    }
}

// Called after what is wanted was written down. V8 has one request at a time.
void request_interrupt(nw__engine_guard *guard, bool requested)
{
    if (!requested) {
        guard->isolate->RequestInterrupt(on_interrupt, nullptr);
    }
}

// -- the heap

// V8 ends the process when this returns. On a thread of V8's own it does: a
// worker cannot be told from there, nor can it go on.
// The second parameter depends on V8's version.
template <typename Details> void on_out_of_memory(const char *, Details)
{
    nw__engine_guard *guard = this_thread.guard;

    if (!this_thread.guarded) {
        return;
    }
    parked_threads.fetch_add(1);
    if (guard != nullptr) {
        unlist(guard);
        if (guard->hooks.out_of_memory != nullptr) {
            guard->hooks.out_of_memory(guard->hooks.context);
        }
    }
    for (;;) {
        pause();
    }
}

// -- Node-API

void drop_exception(napi_env env)
{
    bool pending = false;
    napi_value ignored;

    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
        napi_get_and_clear_last_exception(env, &ignored);
    }
}

// As nw__binding_is_stopping().
bool is_stopping(napi_env env)
{
    napi_value value, ignored;

    return napi_get_boolean(env, true, &value) != napi_ok ||
           napi_coerce_to_bool(env, value, &ignored) != napi_ok;
}

// fail(), for guard.js.
napi_value js_fail(napi_env env, napi_callback_info)
{
    napi_value text, error;

    if (napi_create_string_utf8(env, "a task was interrupted", NAPI_AUTO_LENGTH,
                                &text) == napi_ok &&
        napi_create_error(env, nullptr, text, &error) == napi_ok) {
        napi_fatal_exception(env, error);
    }
    return nullptr;
}

bool make_reset(nw__engine_guard *guard)
{
    napi_env env = guard->env;
    napi_value text, make, fail, receiver, reset;
    bool made =
        napi_create_string_utf8(env, nw__script_guard, NAPI_AUTO_LENGTH,
                                &text) == napi_ok &&
        napi_run_script(env, text, &make) == napi_ok &&
        napi_create_function(env, "fail", NAPI_AUTO_LENGTH, js_fail, nullptr,
                             &fail) == napi_ok &&
        napi_get_undefined(env, &receiver) == napi_ok &&
        napi_call_function(env, receiver, make, 1, &fail, &reset) == napi_ok &&
        napi_create_reference(env, reset, 1, &guard->reset) == napi_ok;

    drop_exception(env);
    return made;
}

// False: the stack of async ids is not empty.
bool reset_async_ids(nw__engine_guard *guard)
{
    napi_env env = guard->env;
    napi_value reset, receiver, result;
    bool done = false;

    if (napi_get_reference_value(env, guard->reset, &reset) == napi_ok &&
        napi_get_undefined(env, &receiver) == napi_ok &&
        napi_call_function(env, receiver, reset, 0, nullptr, &result) ==
            napi_ok) {
        napi_get_value_bool(env, result, &done);
    }
    drop_exception(env);
    return done && node::AsyncHooksGetExecutionAsyncId(guard->isolate) == 0;
}

} // namespace

nw__engine_guard *nw__engine_guard_create(napi_env env,
                                          const nw__guard_hooks *hooks)
{
    Isolate *isolate = Isolate::GetCurrent();
    void *memory = nw__alloc(sizeof(nw__engine_guard));
    nw__engine_guard *guard;

    if (memory == nullptr) {
        return nullptr;
    }
    guard = new (memory) nw__engine_guard{};
    guard->env = env;
    guard->isolate = isolate;
    guard->environment =
        node::GetCurrentEnvironment(isolate->GetCurrentContext());
    guard->hooks = *hooks;
    if (this_thread.guard != nullptr || !make_reset(guard)) {
        guard->~nw__engine_guard();
        nw__free(guard);
        return nullptr;
    }
    enlist(guard);
    this_thread = {guard, true};
    isolate->SetOOMErrorHandler(on_out_of_memory);
    return guard;
}

void nw__engine_guard_destroy(nw__engine_guard *guard)
{
    if (guard == nullptr) {
        return;
    }
    this_thread.guard = nullptr;
    napi_delete_reference(guard->env, guard->reset);
    unlist(guard);
    guard->~nw__engine_guard();
    nw__free(guard);
}

void nw__engine_guard_interrupt(nw__engine_guard *guard, uint64_t task)
{
    bool requested;

    {
        std::lock_guard<std::mutex> held(guard->lock);

        requested = guard->requested;
        guard->requested = true;
        guard->to_hit = task;
        if (guard->answered != task) {
            guard->answered = task;
            guard->answer = NW__ANSWER_NONE;
        }
    }
    request_interrupt(guard, requested);
}

nw__answer nw__engine_guard_answer(nw__engine_guard *guard, uint64_t task)
{
    std::lock_guard<std::mutex> held(guard->lock);

    return guard->answered == task ? guard->answer : NW__ANSWER_NONE;
}

void nw__engine_guard_sample(nw__engine_guard *guard, uint64_t task)
{
    bool requested;

    {
        std::lock_guard<std::mutex> held(guard->lock);

        requested = guard->requested;
        guard->requested = true;
        guard->sampling = true;
        guard->to_sample = task;
        guard->sampled = false;
    }
    request_interrupt(guard, requested);
}

bool nw__engine_guard_copy_sample(nw__engine_guard *guard, uint64_t task,
                                  char *text, size_t size)
{
    std::lock_guard<std::mutex> held(guard->lock);
    bool found = guard->sampled && guard->sample_task == task;

    snprintf(text, size, "%s", found ? guard->sample : "");
    return found;
}

nw__hit nw__engine_guard_take_hit(nw__engine_guard *guard, char *stack,
                                  size_t size)
{
    bool usable;

    if (!guard->hit) {
        return NW__HIT_NONE;
    }
    guard->hit = false;
    guard->taking = true;
    snprintf(stack, size, "%s", guard->hit_stack);
    guard->isolate->CancelTerminateExecution();
    drop_exception(guard->env);
    usable = !is_stopping(guard->env) && reset_async_ids(guard);
    guard->taking = false;
    if (!usable && is_stopping(guard->env)) {
        // Node.js says so before it terminates, so either this is seen here or
        // its termination comes after ours was taken back.
        guard->isolate->TerminateExecution();
        return NW__HIT_NONE;
    }
    if (!usable) {
        // The callback scope would end the process when it is closed, unless
        // the environment is on its way down.
        node::Stop(guard->environment);
        return NW__HIT_BROKEN;
    }
    return NW__HIT_TAKEN;
}

void nw__engine_guard_memory(nw__engine_guard *guard, uint64_t *heap_bytes,
                             uint64_t *external_bytes)
{
    v8::HeapStatistics statistics;

    guard->isolate->GetHeapStatistics(&statistics);
    *heap_bytes = statistics.used_heap_size();
    *external_bytes = statistics.external_memory();
}

uint32_t nw__engine_guard_parked(void)
{
    return parked_threads.load();
}

bool nw__engine_guard_end_all(uint32_t timeout_ms)
{
    std::unique_lock<std::mutex> held(list()->lock);

    for (nw__engine_guard *guard = list()->head; guard != nullptr;
         guard = guard->next) {
        node::Stop(guard->environment);
    }
    return list()->emptied.wait_for(held, std::chrono::milliseconds(timeout_ms),
                                    []() { return list()->head == nullptr; });
}

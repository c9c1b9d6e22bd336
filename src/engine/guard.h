// The guard of one worker environment: what only V8's C++ API can do about a
// script that runs too long or needs too much. It interrupts a task so that its
// worker lives, tells where a script is stuck, keeps an exhausted heap from
// ending the process, and says how much memory there is in use.
//
// Properties
//   A task is hit only while it is inside its synchronous script, and where the
//   script can be left without harm to Node.js: no frame of Node's own above
//   the trampoline (nwpool:pool). A request that comes too early or too late
//   does nothing, whatever runs then.
//   Termination by Node.js (exit, terminate(), heap limit) is never taken back.
//   What a request leaves behind in V8 is no pointer: the isolate may die with
//   requests pending, the guard may be destroyed with requests pending.
//
// How to use it from the pump
//
//   on attach          guard = nw__engine_guard_create(env, &hooks);
//                      publish it under the lane's lock.
//   a task             inside = id;                 // hooks.running() is this
//                      status = napi_call_function(...);
//                      encode the result, if any;   // runs getters
//                      inside = 0;
//                      switch (nw__engine_guard_take_hit(guard, ...)) {
//                      case NW__HIT_NONE:   publish, as without a guard.
//                      case NW__HIT_TAKEN:  settle as timed out; close the
//                                           callback scope, go on in another.
//                      case NW__HIT_BROKEN: settle as timed out; leave, this
//                                           worker is ending.
//                      }
//                      It is asked after every call, with the callback scope
//                      open. Until it has answered NW__HIT_NONE an NW_ESTOPPED
//                      or a failed call does not mean that the environment
//                      goes down.
//   a task that told its end or its promise by a call into C meanwhile
//                      running() is 0 from then on. It may have been hit just
//                      before: then there is nothing left to settle, or the
//                      promise is dropped with all that comes of it.
//   the supervisor     under the lane's lock, if there is a guard: interrupt()
//                      for the task that is over its limit, again every
//                      NW__INTERRUPT_RETRY_NS until it has ended or patience
//                      has; answer() tells why it has not yet. Then sample(),
//                      copy_sample(), and end the worker.
//   in the cleanup hook take it from the lane under the lane's lock, then
//                      nw__engine_guard_destroy(guard).
//
// `inside` is 0 for a task that awaits: its continuations run below Node's own
// frames or none at all, where an interrupt would end the process. Such a task
// can only be ended with its worker.

#ifndef NW_SRC_ENGINE_GUARD_H
#define NW_SRC_ENGINE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <node_api.h>

#ifdef __cplusplus
extern "C" {
#endif

// When to ask again for a task that could not be hit where it was.
#define NW__INTERRUPT_RETRY_NS UINT64_C(500000)

// Bytes of a stack as text, its end included.
#define NW__STACK_TEXT_MAX 2048

// A script deeper than this is not hit: where its stack begins is not seen.
#define NW__STACK_FRAMES_MAX 4096

// Threads parked because their heap was exhausted; see below. Each keeps its
// thread and its heap until the process ends, so at this many it is better to
// give up than to start workers again. Nothing here enforces it.
#define NW__PARKED_MAX 8

struct nw__engine_guard;

// Called on the environment's thread, with no lock of the guard held.
struct nw__guard_hooks {
    // Which task is inside its synchronous script now; 0: none. Called inside
    // JavaScript: it must not touch the engine.
    uint64_t (*running)(void *context);
    // The heap is exhausted and this thread never goes on: what it was to do
    // must be taken from it here. The environment is gone for good; there are
    // neither cleanup hooks nor an 'exit' event to come. Allocates as little as
    // it can, and must not touch the engine. NULL: nobody wants to know.
    void (*out_of_memory)(void *context);
    void *context;
};

// What became of the last request for a task.
enum nw__answer {
    NW__ANSWER_NONE,      // There was none, or it has not been seen yet.
    NW__ANSWER_HIT,       // It is being terminated; take_hit() follows.
    NW__ANSWER_UNSAFE,    // Inside Node's own code: ask again.
    NW__ANSWER_ELSEWHERE, // Another task was inside, or none.
};

enum nw__hit {
    NW__HIT_NONE,   // It was not hit, or the environment goes down anyway.
    NW__HIT_TAKEN,  // It was hit; the environment is as good as before.
    NW__HIT_BROKEN, // It was hit and Node's state cannot be put right: the user
                    // owns process.setUncaughtExceptionCaptureCallback(). The
                    // environment is going down, as by terminate().
};

// One for each environment, before its user's code runs: what the guard needs
// of `process` must still be Node's. `hooks` is copied. NULL without memory, or
// when the environment goes down. From here on an exhausted heap calls
// hooks.out_of_memory() instead of ending the process.
//
// Thread: the environment's, inside a handle scope.
struct nw__engine_guard *
nw__engine_guard_create(napi_env env, const struct nw__guard_hooks *hooks);

// From the environment's cleanup hook; nobody may be inside a call with it, or
// begin one. NULL is ignored. Thread: the environment's.
void nw__engine_guard_destroy(struct nw__engine_guard *guard);

// -- from outside. The caller holds a lock that keeps nw__engine_guard_destroy()
// away. None of them waits for the script. Thread: any.

// Terminates the task if it is inside its script when this is seen, which is as
// soon as JavaScript runs: some 10 µs for a busy worker, never for an idle one.
// The latest request replaces one for another task that was not seen yet.
void nw__engine_guard_interrupt(struct nw__engine_guard *guard, uint64_t task);

enum nw__answer nw__engine_guard_answer(struct nw__engine_guard *guard,
                                        uint64_t task);

// Takes the stack of the task as text, if it is inside its script when this is
// seen; 0: of whatever runs then, a continuation too. Harms nothing.
void nw__engine_guard_sample(struct nw__engine_guard *guard, uint64_t task);

// The text of the last sample that was asked for with `task`: lines as in
// error.stack, without its first line and without our own frames. False, and
// "", when there is none yet.
bool nw__engine_guard_copy_sample(struct nw__engine_guard *guard, uint64_t task,
                                  char *text, size_t size);

// -- for the pump. Thread: the environment's, inside a handle scope.

// After every call into JavaScript: was its task hit? Then the termination is
// taken back, an exception that is pending is dropped, Node's async stack is
// emptied, and `stack` has where the script was. running() must not name the
// task any more. Costs nothing when nothing was hit.
enum nw__hit nw__engine_guard_take_hit(struct nw__engine_guard *guard,
                                       char *stack, size_t size);

// Bytes in use in V8's heap, and outside it on behalf of JavaScript (buffers).
// Runs no JavaScript; takes less than 1 µs.
void nw__engine_guard_memory(struct nw__engine_guard *guard,
                             uint64_t *heap_bytes, uint64_t *external_bytes);

// -- all of them. Thread: any.

// Threads that are parked for ever.
uint32_t nw__engine_guard_parked(void);

// Ends every environment that has a guard and is not parked, and waits until
// their guards are gone; for nw__engine_close(). False: not in time.
bool nw__engine_guard_end_all(uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif

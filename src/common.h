// What every source file here may use: assertions, allocation, locks, the
// clock. Nothing in here knows JavaScript.

#ifndef NW_SRC_COMMON_H
#define NW_SRC_COMMON_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nwpool/status.h>

// For our own bugs, in every build type. A caller's mistake is a status.
#define NW_ASSERT(condition)                                                   \
    ((condition) ? (void)0 : nw__assert_failed(#condition, __FILE__, __LINE__))

_Noreturn void nw__assert_failed(const char *condition, const char *file,
                                 int line);

#define NW_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

// The struct that holds `member`, from a pointer to that member.
#define NW_CONTAINER_OF(pointer, type, member)                                 \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

// -- allocation. All of the library's own memory goes through these, so that
// a test can make the N-th call fail.

void *nw__alloc(size_t size);
void *nw__alloc_zero(size_t size);
void *nw__realloc(void *old, size_t size);
void nw__free(void *memory);
char *nw__strdup(const char *text);

// Test knob: the call after `countdown` more successes fails, once; a negative
// number switches it off. Thread: any.
void nw__alloc_fail_after(long countdown);

// -- locks. Wrappers that assert instead of returning errors nobody can act
// on. Conditions use CLOCK_MONOTONIC.

typedef pthread_mutex_t nw__mutex;
typedef pthread_cond_t nw__cond;

#define NW__MUTEX_INIT PTHREAD_MUTEX_INITIALIZER

void nw__mutex_init(nw__mutex *mutex);
void nw__mutex_fini(nw__mutex *mutex);
void nw__mutex_lock(nw__mutex *mutex);
void nw__mutex_unlock(nw__mutex *mutex);

void nw__cond_init(nw__cond *cond);
void nw__cond_fini(nw__cond *cond);
void nw__cond_wait(nw__cond *cond, nw__mutex *mutex);
// False when `deadline_ns` (of nw__now_ns) has passed.
bool nw__cond_wait_until(nw__cond *cond, nw__mutex *mutex,
                         uint64_t deadline_ns);
void nw__cond_wake_one(nw__cond *cond);
void nw__cond_wake_all(nw__cond *cond);

// -- time

#define NW__NS_PER_MS UINT64_C(1000000)
#define NW__NEVER     UINT64_MAX

// CLOCK_MONOTONIC in nanoseconds: the clock that V8's own trace files use.
uint64_t nw__now_ns(void);

// Now plus `timeout_ms`; NW_WAIT_FOREVER gives NW__NEVER.
uint64_t nw__deadline_ns(uint32_t timeout_ms);

// -- threads

// Starts a thread of ours: it gets `stack_size` bytes of stack whatever the
// caller's limits are, a name for debuggers, and no asynchronous signal, so
// that the host's handlers keep running on the host's threads.
nw_status nw__thread_start(pthread_t *thread, const char *name,
                           size_t stack_size, void *(*body)(void *),
                           void *argument);

#endif

// Assertions, allocation, locks, time and threads: thin wrappers over libc.
//
// Invariants
//   A lock operation that fails is a bug of ours and aborts; callers never
//   see an error they cannot act on.
//   Conditions and deadlines use one clock, CLOCK_MONOTONIC.
//   The allocation counter is process wide; it is there for tests and costs
//   one relaxed load when it is off.

#include "src/common.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

// Linux allows 15 characters and a NUL, and refuses longer names.
#define THREAD_NAME_SIZE 16

// Negative: off. Otherwise the number of calls that still succeed.
static atomic_long allocs_until_failure = -1;

_Noreturn void nw__assert_failed(const char *condition, const char *file,
                                 int line)
{
    fprintf(stderr, "nwpool: assertion failed: %s (%s:%d)\n", condition, file,
            line);
    fflush(stderr);
    abort();
}

// -- allocation

// True when the test knob says that this call fails.
static bool alloc_must_fail(void)
{
    long left;

    left = atomic_load_explicit(&allocs_until_failure, memory_order_relaxed);
    while (left >= 0) {
        // From 0 the counter goes to -1, which switches the knob off: exactly
        // one call fails.
        if (atomic_compare_exchange_weak_explicit(
                &allocs_until_failure, &left, left - 1, memory_order_relaxed,
                memory_order_relaxed)) {
            return left == 0;
        }
    }
    return false;
}

// malloc(0) may return NULL, which callers would take for a failure.
static size_t size_at_least_one(size_t size)
{
    return size == 0 ? 1 : size;
}

void *nw__alloc(size_t size)
{
    return alloc_must_fail() ? NULL : malloc(size_at_least_one(size));
}

void *nw__alloc_zero(size_t size)
{
    return alloc_must_fail() ? NULL : calloc(1, size_at_least_one(size));
}

void *nw__realloc(void *old, size_t size)
{
    return alloc_must_fail() ? NULL : realloc(old, size_at_least_one(size));
}

void nw__free(void *memory)
{
    free(memory);
}

char *nw__strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = nw__alloc(size);

    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

void nw__alloc_fail_after(long countdown)
{
    atomic_store_explicit(&allocs_until_failure, countdown < 0 ? -1 : countdown,
                          memory_order_relaxed);
}

// -- locks. NW_ASSERT stays in every build, so that calls may stand inside.

void nw__mutex_init(nw__mutex *mutex)
{
    NW_ASSERT(pthread_mutex_init(mutex, NULL) == 0);
}

void nw__mutex_fini(nw__mutex *mutex)
{
    NW_ASSERT(pthread_mutex_destroy(mutex) == 0);
}

void nw__mutex_lock(nw__mutex *mutex)
{
    NW_ASSERT(pthread_mutex_lock(mutex) == 0);
}

void nw__mutex_unlock(nw__mutex *mutex)
{
    NW_ASSERT(pthread_mutex_unlock(mutex) == 0);
}

void nw__cond_init(nw__cond *cond)
{
    pthread_condattr_t attributes;

    NW_ASSERT(pthread_condattr_init(&attributes) == 0);
    NW_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    NW_ASSERT(pthread_cond_init(cond, &attributes) == 0);
    NW_ASSERT(pthread_condattr_destroy(&attributes) == 0);
}

void nw__cond_fini(nw__cond *cond)
{
    NW_ASSERT(pthread_cond_destroy(cond) == 0);
}

void nw__cond_wait(nw__cond *cond, nw__mutex *mutex)
{
    NW_ASSERT(pthread_cond_wait(cond, mutex) == 0);
}

bool nw__cond_wait_until(nw__cond *cond, nw__mutex *mutex, uint64_t deadline_ns)
{
    struct timespec at;
    int result;

    // NW__NEVER is past the end of the kernel's own clock arithmetic.
    if (deadline_ns == NW__NEVER) {
        nw__cond_wait(cond, mutex);
        return true;
    }
    at.tv_sec = (time_t)(deadline_ns / NS_PER_S);
    at.tv_nsec = (long)(deadline_ns % NS_PER_S);
    result = pthread_cond_timedwait(cond, mutex, &at);
    NW_ASSERT(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

void nw__cond_wake_one(nw__cond *cond)
{
    NW_ASSERT(pthread_cond_signal(cond) == 0);
}

void nw__cond_wake_all(nw__cond *cond)
{
    NW_ASSERT(pthread_cond_broadcast(cond) == 0);
}

// -- time

uint64_t nw__now_ns(void)
{
    struct timespec now;

    NW_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t nw__deadline_ns(uint32_t timeout_ms)
{
    if (timeout_ms == NW_WAIT_FOREVER) {
        return NW__NEVER;
    }
    return nw__now_ns() + timeout_ms * NW__NS_PER_MS;
}

// -- threads

struct thread_start {
    void *(*body)(void *);
    void *argument;
    char name[THREAD_NAME_SIZE];
};

// What stays open: signals that the faulting thread itself must take, where
// blocking them would turn a handler into sudden death, and SIGPROF, by which
// profilers sample each thread.
static void signals_for_thread(sigset_t *blocked)
{
    static const int open[] = {
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF,
    };

    sigfillset(blocked);
    for (size_t i = 0; i < NW_ARRAY_SIZE(open); i++) {
        sigdelset(blocked, open[i]);
    }
}

// pthread_attr_setstacksize() refuses a size below the minimum, and on some
// systems one that is no multiple of the page size.
static size_t stack_size_valid(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t least = (size_t)PTHREAD_STACK_MIN;

    size = size < least ? least : size;
    return (size + page - 1) / page * page;
}

// Names itself: the creator cannot name a thread that may already be gone. The
// mask is exact only from here on: the creator may have had more blocked.
static void *thread_main(void *data)
{
    struct thread_start start = *(struct thread_start *)data;
    sigset_t blocked;

    nw__free(data);
    signals_for_thread(&blocked);
    NW_ASSERT(pthread_sigmask(SIG_SETMASK, &blocked, NULL) == 0);
    pthread_setname_np(pthread_self(), start.name);
    return start.body(start.argument);
}

// The new thread inherits the mask of its creator, so the mask is widened here
// and put back: there is no moment at which the thread could take a signal.
// Only ever widened, because a signal that the host holds back must not reach
// the host's thread through us.
static int thread_create_masked(pthread_t *thread,
                                const pthread_attr_t *attributes,
                                struct thread_start *start)
{
    sigset_t blocked;
    sigset_t before;
    int result;

    signals_for_thread(&blocked);
    NW_ASSERT(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
    result = pthread_create(thread, attributes, thread_main, start);
    NW_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return result;
}

nw_status nw__thread_start(pthread_t *thread, const char *name,
                           size_t stack_size, void *(*body)(void *),
                           void *argument)
{
    struct thread_start *start = nw__alloc(sizeof(*start));
    pthread_attr_t attributes;
    int result;

    if (start == NULL) {
        return NW_ENOMEM;
    }
    start->body = body;
    start->argument = argument;
    snprintf(start->name, sizeof(start->name), "%s", name);

    result = pthread_attr_init(&attributes);
    if (result == 0) {
        result = pthread_attr_setstacksize(&attributes,
                                           stack_size_valid(stack_size));
        if (result == 0) {
            result = thread_create_masked(thread, &attributes, start);
        }
        NW_ASSERT(pthread_attr_destroy(&attributes) == 0);
    }
    if (result != 0) {
        // EAGAIN or ENOMEM: either way the system has no room for a thread.
        nw__free(start);
        return NW_ENOMEM;
    }
    return NW_OK;
}

// Goal: the thin layer over libc keeps its promises: a thread of ours takes no
// signal meant for the host and leaves the creator's mask alone, a wait ends
// at its deadline, and the allocation knob fails exactly one call.

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "tests/unit/support.h"

TestSuite(common, .fini = nw_test_no_leaks, .timeout = 10);

struct report {
    sigset_t mask;
    char name[16];
    size_t stack_size;
};

static void *report_self(void *argument)
{
    struct report *report = argument;
    pthread_attr_t attributes;

    pthread_sigmask(SIG_SETMASK, NULL, &report->mask);
    pthread_getname_np(pthread_self(), report->name, sizeof(report->name));
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &report->stack_size);
    pthread_attr_destroy(&attributes);
    return report;
}

static void run_report(struct report *report, const char *name)
{
    pthread_t thread;
    void *result = NULL;

    cr_assert(eq(
        int,
        nw__thread_start(&thread, name, (size_t)2 << 20, report_self, report),
        NW_OK));
    cr_assert(eq(int, pthread_join(thread, &result), 0));
    cr_assert(eq(ptr, result, report));
}

Test(common, thread_blocks_all_but_fatal_signals_and_sigprof)
{
    static const int blocked[] = {SIGTERM, SIGINT,  SIGUSR1,
                                  SIGCHLD, SIGALRM, SIGPIPE};
    static const int open[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,
                               SIGTRAP, SIGABRT, SIGPROF, SIGSYS};
    struct report report;

    run_report(&report, "nw-test");
    for (size_t i = 0; i < NW_ARRAY_SIZE(blocked); i++) {
        cr_expect(eq(int, sigismember(&report.mask, blocked[i]), 1));
    }
    for (size_t i = 0; i < NW_ARRAY_SIZE(open); i++) {
        cr_expect(eq(int, sigismember(&report.mask, open[i]), 0));
    }
}

Test(common, thread_mask_does_not_depend_on_its_creator)
{
    struct report report;
    sigset_t all;
    sigset_t after;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    run_report(&report, "nw-test");
    pthread_sigmask(SIG_SETMASK, NULL, &after);

    cr_expect(eq(int, sigismember(&report.mask, SIGSEGV), 0));
    cr_expect(eq(int, sigismember(&after, SIGSEGV), 1));
}

Test(common, thread_start_leaves_the_mask_of_its_creator)
{
    struct report report;
    sigset_t before;
    sigset_t after;

    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    run_report(&report, "nw-test");
    pthread_sigmask(SIG_SETMASK, NULL, &after);

    for (int number = 1; number < 32; number++) {
        cr_expect(eq(int, sigismember(&after, number), number == SIGUSR2));
    }
}

Test(common, thread_has_the_name_and_the_stack_asked_for)
{
    struct report report;

    run_report(&report, "a name longer than Linux allows");
    cr_expect(eq(str, report.name, "a name longer t"));
    cr_expect(ge(sz, report.stack_size, (size_t)2 << 20));
}

Test(common, thread_start_without_memory_starts_nothing)
{
    struct report report;
    pthread_t thread;

    nw__alloc_fail_after(0);
    cr_expect(eq(int,
                 nw__thread_start(&thread, "nw-test", 0, report_self, &report),
                 NW_ENOMEM));
}

Test(common, knob_fails_one_call_and_no_other)
{
    void *memory[5];

    nw__alloc_fail_after(2);
    for (size_t i = 0; i < NW_ARRAY_SIZE(memory); i++) {
        memory[i] = nw__alloc(8);
        cr_expect(eq(int, memory[i] == NULL, i == 2));
    }
    for (size_t i = 0; i < NW_ARRAY_SIZE(memory); i++) {
        nw__free(memory[i]);
    }
}

Test(common, knob_reaches_every_kind_of_allocation)
{
    char *text = nw__strdup("kept");

    cr_assert(ne(ptr, text, NULL));
    nw__alloc_fail_after(0);
    cr_expect(eq(ptr, nw__alloc_zero(8), NULL));
    nw__alloc_fail_after(0);
    cr_expect(eq(ptr, nw__strdup("lost"), NULL));
    nw__alloc_fail_after(0);
    cr_expect(eq(ptr, nw__realloc(text, 100), NULL));
    cr_expect(eq(str, text, "kept"));
    nw__free(text);
}

Test(common, knob_switched_off_fails_nothing)
{
    void *memory;

    nw__alloc_fail_after(0);
    nw__alloc_fail_after(-1);
    memory = nw__alloc(0);
    cr_expect(ne(ptr, memory, NULL));
    nw__free(memory);
}

Test(common, wait_ends_at_its_deadline)
{
    uint64_t start = nw__now_ns();
    uint64_t deadline = nw__deadline_ns(20);
    nw__mutex mutex;
    nw__cond cond;
    bool woken = true;

    nw__mutex_init(&mutex);
    nw__cond_init(&cond);
    nw__mutex_lock(&mutex);
    while (woken) { // Conditions may wake without a reason.
        woken = nw__cond_wait_until(&cond, &mutex, deadline);
    }
    nw__mutex_unlock(&mutex);
    cr_expect(ge(u64, nw__now_ns() - start, 20 * NW__NS_PER_MS));
    nw__cond_fini(&cond);
    nw__mutex_fini(&mutex);
}

Test(common, forever_is_never)
{
    cr_expect(eq(u64, nw__deadline_ns(NW_WAIT_FOREVER), NW__NEVER));
    cr_expect(lt(u64, nw__deadline_ns(NW_WAIT_FOREVER - 1), NW__NEVER));
}

struct latch {
    nw__mutex mutex;
    nw__cond cond;
    bool set;
};

static void *set_latch(void *argument)
{
    struct latch *latch = argument;

    nw__mutex_lock(&latch->mutex);
    latch->set = true;
    nw__cond_wake_all(&latch->cond);
    nw__mutex_unlock(&latch->mutex);
    return NULL;
}

Test(common, endless_wait_ends_when_woken)
{
    struct latch latch = {.mutex = NW__MUTEX_INIT, .set = false};
    pthread_t thread;
    bool in_time = true;

    nw__cond_init(&latch.cond);
    nw__mutex_lock(&latch.mutex);
    cr_assert(eq(int,
                 nw__thread_start(&thread, "nw-latch", 0, set_latch, &latch),
                 NW_OK));
    while (!latch.set && in_time) {
        in_time = nw__cond_wait_until(&latch.cond, &latch.mutex,
                                      nw__deadline_ns(NW_WAIT_FOREVER));
    }
    nw__mutex_unlock(&latch.mutex);
    pthread_join(thread, NULL);
    cr_expect(latch.set && in_time);
    nw__cond_fini(&latch.cond);
    nw__mutex_fini(&latch.mutex);
}

Test(common, every_status_has_a_name_and_a_message)
{
#define NW_X(name, number, message)                                            \
    cr_expect(eq(int, NW_##name, number));                                     \
    cr_expect(eq(str, (char *)nw_status_name(NW_##name), "NW_" #name));        \
    cr_expect(eq(str, (char *)nw_status_message(NW_##name), message));
    NW_STATUS_MAP(NW_X)
#undef NW_X
}

Test(common, unknown_status_is_said_to_be_unknown)
{
    cr_expect(
        eq(str, (char *)nw_status_message((nw_status)-1000), "unknown status"));
    cr_expect(eq(str, (char *)nw_status_name((nw_status)7), "NW_UNKNOWN"));
}

Test(common_misuse, failed_assertion_aborts, .signal = SIGABRT)
{
    NW_ASSERT(1 + 1 == 3);
}

Test(common_misuse, fini_of_a_locked_mutex_aborts, .signal = SIGABRT)
{
    nw__mutex mutex;

    nw__mutex_init(&mutex);
    nw__mutex_lock(&mutex);
    nw__mutex_fini(&mutex);
}

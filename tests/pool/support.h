// What the tests of pools and workers share: modules to run, values in a
// document of the test, calls that wait for their result, gates that hold a
// task, and what the process has of threads and descriptors.

#ifndef NW_TESTS_POOL_SUPPORT_H
#define NW_TESTS_POOL_SUPPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <nwpool/pool.h>

// The end of every wait that should be short: a test that gets here has hung.
#define DEADLINE_MS 60000

// For TestSuite: Criterion kills a test that takes longer, in seconds.
#define SUITE_TIMEOUT 120

// The comparison of strings, free of casts.
#define expect_string(actual, expected)                                        \
    cr_expect(eq(str, (char *)(actual), (char *)(expected)))

// That a text says something, somewhere.
#define expect_says(whole, part)                                               \
    cr_expect(says((whole), (part)), "\"%s\" should say \"%s\"", (whole),      \
              (part))

#define expect_status(actual, expected)                                        \
    expect_string(nw_status_name(actual), nw_status_name(expected))

// Waits for something that no call can wait for; fails after DEADLINE_MS.
#define eventually(condition)                                                  \
    do {                                                                       \
        uint64_t give_up_ms = now_ms() + DEADLINE_MS;                          \
        while (!(condition)) {                                                 \
            cr_assert(now_ms() < give_up_ms, "never: %s", #condition);         \
            pause_ms(1);                                                       \
        }                                                                      \
    } while (0)

bool says(const char *whole, const char *part);
uint64_t now_ms(void);
void pause_ms(unsigned ms);

// -- each test. The suites' .init and .fini.

extern nw_doc *doc; // Of the running test.

void test_init(void);

// Everything the test made must be gone: the runtime stops, which it refuses
// while there is a pool or a worker, and nothing has leaked.
void test_fini(void);

// For .fini, whose assertions Criterion does not count: ends the test program
// unless the condition holds.
void must(bool condition, const char *what);

// -- values, in `doc`

nw_value *number(double value);
nw_value *text(const char *value);

// An array of the given items, ended by NULL.
nw_value *list(nw_value *first, ...) __attribute__((sentinel));

// -- modules and pools

// The path of tests/pool/modules/<name>. Static; good for four more calls.
const char *module_path(const char *name);

// A pool of that module, which must come about.
nwpool *pool_of(const char *module, uint32_t workers);
nwpool *pool_with(const char *module, uint32_t workers, uint32_t queue_max);
// The same with whatever `options` say; `module` is of tests/pool/modules.
nwpool *pool_like(const char *module, nwpool_options options);

void destroy(nwpool *pool);

// -- calls; arguments are values, ended by NULL

// Submits without a callback; must be accepted.
nw_task_id submit(nwpool *pool, const char *function, ...)
    __attribute__((sentinel));

// Submits whatever `spec` says with struct_size filled in.
nw_status submit_spec(nwpool *pool, nw_task_spec spec, nw_task_id *out);

// The result of a task without a callback; it must come. Freed by test_fini()
// or free_results().
const nw_result *take(nwpool *pool, nw_task_id task);

// Submits and takes.
const nw_result *call(nwpool *pool, const char *function, ...)
    __attribute__((sentinel));

void free_results(void);

// That the result is a value, written as nw_test_text() writes it.
void expect_value(const nw_result *result, const char *expected);

// That it is a failure of that status whose message says so.
void expect_failure(const nw_result *result, nw_status status,
                    const char *part);

// -- results by callback

// What became of one task. Read it when the pool is drained or destroyed.
struct outcome {
    int calls;
    nw_status status;
    double number; // NaN when the value is none.
    int exit_code;
    uint32_t worker;
    uint64_t task;
    uint64_t error_task;
    char message[256]; // Of the error, "" when there is none.
    char cause[256];   // Of its cause.
};

// A callback: user_data is the task's outcome.
void on_outcome(const nw_result *result, void *user_data);

// Submits with on_outcome(); returns what nwpool_submit() did.
nw_status submit_to(struct outcome *outcome, nwpool *pool, const char *function,
                    ...) __attribute__((sentinel));

void drain(nwpool *pool);

// -- events of a pool

#define TOLD_MAX 512

// What a pool has told, oldest first. One for each test: cleared by test_init().
struct told {
    bool water; // HIGH_WATER and LOW_WATER are wanted, which come often.

    pthread_mutex_t lock;

    // -- protected by lock
    size_t count; // Also of those that have no room.
    struct {
        nwpool_event_type type;
        uint32_t worker;
        uint32_t replacement;
        int exit_code;
        uint64_t task;
        char reason[256];
        char error[256];
    } events[TOLD_MAX];
};

extern struct told pool_told;

// For on_event.
void on_pool_event(const nwpool_event *event, void *user_data);

// How many of that type there are.
size_t told_of(nwpool_event_type type);
// The index of the first such event from `from` on; fails if none comes.
size_t expect_told(nwpool_event_type type, size_t from);

// -- gates. hold(started, release) of tasks.js says that it runs and goes on
// when it may.

struct gate {
    int started[2];
    int release[2];
};

void gate_init(struct gate *gate);
void gate_fini(struct gate *gate);
nw_value *gate_started(const struct gate *gate);
nw_value *gate_release(const struct gate *gate);
void gate_wait(const struct gate *gate); // Until one more task runs.
void gate_let_go(const struct gate *gate, unsigned count);

// Submits hold() and waits until it runs.
nw_task_id hold(nwpool *pool, const struct gate *gate);

// -- jams. A thread that writes more to a pipe than it holds is stuck in the
// kernel until somebody reads: no terminate() reaches it there.

#define JAM_SIZE (4 << 20)

struct jam {
    int pipe[2];
};

void jam_init(struct jam *jam);
void jam_fini(struct jam *jam);
void jam_wait(const struct jam *jam);  // Until a writer is stuck.
void jam_clear(const struct jam *jam); // Lets one writer go.

// -- lent memory

// Counts the calls of release_lent(), on any thread.
struct lender {
    atomic_int released;
    void *data;
    size_t size;
};

void release_lent(void *data, size_t size, void *hint);

// Lends `size` bytes of malloc, each with the low byte of its index.
nw_value *lend(struct lender *lender, size_t size);

// -- the process

unsigned thread_count(void);
unsigned descriptor_count(void);
size_t resident_kib(void);
nwpool_stats stats_of(nwpool *pool);

#endif

// A user of the library with as little ceremony as possible, for tests that
// look at the process around it. Anything unexpected says what it was on
// standard error and ends the process with CLIENT_FAILED, through _exit().

#ifndef NW_TESTS_RUNTIME_CLIENT_H
#define NW_TESTS_RUNTIME_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <nwpool/pool.h>
#include <nwpool/worker.h>

#define CLIENT_FAILED 99

// How long anything may take before it counts as hanging.
#define CLIENT_TIMEOUT_MS 20000

_Noreturn void client_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

// Fails unless a call returned what it should.
void client_expect(const char *what, nw_status status, nw_status expected);

uint64_t client_now_ms(void);

// Runs `body` on a thread with a stack of that size (0: the usual one) and
// waits for its end.
void client_on_thread(size_t stack_size, void *(*body)(void *), void *data);

// How many threads of this process have that name, as /proc shows it.
int client_threads_named(const char *name);

// -- pools. `fixture` is a file in tests/runtime/fixtures.

const char *client_fixture(const char *name);
nwpool *client_pool(const char *fixture, uint32_t workers);

// Submits function(argument); the result is kept.
nw_task_id client_submit(nwpool *pool, const char *function, double argument);

// The same, waits, and fails unless the task returned a number, or a text; the
// text is the caller's to free.
double client_number(nwpool *pool, const char *function, double argument);
char *client_text(nwpool *pool, const char *function, double argument);

// Submits function(fd), which writes one byte to that socket before it does
// what never ends, and waits for that byte. Nothing else is ever written into
// it.
void client_keep_busy(nwpool *pool, const char *function);

// -- workers

// What a worker has said so far.
struct watch {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    // -- protected by lock
    unsigned count[4]; // By event type.
    int exit_code;
    char text[65536]; // The last message that was a string.
};

// Starts a worker whose events go to `watch`, which outlives it.
nw_worker *client_worker(struct watch *watch, const char *source);
nw_worker *client_worker_file(struct watch *watch, const char *file);

// Waits until `count` events of that type have come.
void client_await(struct watch *watch, nw_worker_event_type type,
                  unsigned count);

#endif

// A small pool for the guard's tests: the engine, workers with a guard each, and
// a pump like the one in src/binding_lane.c. One lock for everything, which is
// also the one that keeps a guard alive while others use it.

#ifndef NW_TESTS_ENGINE_GUARD_WORLD_H
#define NW_TESTS_ENGINE_GUARD_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "src/common.h"
#include "src/engine/guard.h"

#define WORKERS_MAX 256
#define WAIT_MS     20000

enum end {
    END_NONE,
    END_VALUE,
    END_THROWN,
    END_HIT,
    END_BROKEN,
    END_DIED,  // With its worker.
    END_SWEPT, // It had not been started when the worker died.
};

struct task {
    struct task *next;
    uint64_t id;
    const char *name;
    int argument;

    // -- protected by the world's lock
    bool started;
    bool reached; // It said so.
    bool asked;   // For its interruption.
    uint32_t ends;
    enum end end;
    uint64_t asked_ns; // First.
    uint64_t ended_ns;
    char text[256]; // Of its value or exception.
    char stack[NW__STACK_TEXT_MAX];
};

// Prints what went wrong and ends the process with status 1.
_Noreturn void fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

void world_open(void);
// What nw__engine_close() said.
bool world_close(void);

void world_lock(void);
void world_unlock(void);

// Worker `number`, counted from 0, each once. `heap_mb`: 0 for the default.
// Waits until it can run tasks.
void worker_start(uint32_t number, uint32_t heap_mb);
void worker_terminate(uint32_t number);
void worker_await_exit(uint32_t number, int code);
// Waits until the worker was swept by out_of_memory().
void worker_await_parked(uint32_t number);
bool worker_is_alive(uint32_t number);

// Puts a task into the queue of the worker. False: it has none any more, and
// the task has ended.
bool task_submit(struct task *task, uint32_t worker, const char *name,
                 int argument);
bool task_wait(struct task *task, uint32_t timeout_ms);
void task_await_reached(struct task *task);
void task_expect(struct task *task, enum end end, const char *text);

// Runs a task to its end. END_VALUE with `text` is expected.
void run_expecting(uint32_t worker, const char *name, int argument,
                   const char *text);

// One request. The answer to the last one is returned.
enum nw__answer task_interrupt(struct task *task, uint32_t worker);

// Requests until it has ended or `timeout_ms` have passed; false then. Counts
// answers by kind in `answers`, if not NULL.
bool task_interrupt_until_ended(struct task *task, uint32_t worker,
                                uint32_t timeout_ms, uint32_t answers[4]);

// With the world's lock held: the guard, or NULL.
struct nw__engine_guard *worker_guard(uint32_t number);

// Memory as the worker says.
void worker_memory(uint32_t worker, uint64_t *heap, uint64_t *external);

#endif

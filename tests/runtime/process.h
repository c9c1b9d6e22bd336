// Programs that tests run from outside: started, watched and, if they hang,
// killed.

#ifndef NW_TESTS_RUNTIME_PROCESS_H
#define NW_TESTS_RUNTIME_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// What a program writes there is captured with its standard error, even when
// it has none.
#define REPORT_FD 100

// How a program ended.
struct outcome {
    int status;       // Of exit(); -1 when it did not exit.
    int signal;       // That killed it; 0 when none did.
    bool hung;        // It had to be killed by us.
    uint64_t took_ms; // From start to end.
    char *out;        // What came from its standard output and error,
    size_t out_size;  // NUL-terminated;
    char *err;        // empty when they were not captured.
};

struct program {
    // The path and at most seven arguments, then NULL.
    const char *arguments[9];

    // In the new process before the program starts. May be NULL.
    void (*prepare)(void *data);
    void *data;

    // Leave standard output and error as `prepare` made them.
    bool keep_stdio;

    uint32_t timeout_ms; // 0: 20 seconds.
};

// Runs a program to its end. The strings in the result live until the next
// call. Blocks.
struct outcome run_program(const struct program *program);

// The short way: RUNTIME_HOST with a mode and an argument that may be NULL.
struct outcome run_host(const char *mode, const char *argument);

// "exit status 3", "signal 11", "a hang", with what it printed on standard
// error; for messages. Lives until the next call.
const char *outcome_text(const struct outcome *outcome);

// Waits for a child of this process. -1: it did not end in time, and was
// killed; otherwise a status as waitpid() gives it.
int wait_child(pid_t child, uint32_t timeout_ms);

#endif

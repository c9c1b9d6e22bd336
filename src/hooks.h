// The hook table through which trace/ watches the core. The core never calls
// trace/ by name, and runs the same with no table installed.
//
// A hook runs on the thread where the thing happens, with no lock of ours
// held, must be quick and must not call back into the library.

#ifndef NW_SRC_HOOKS_H
#define NW_SRC_HOOKS_H

#include <stdatomic.h>
#include <stdint.h>

#include <nwpool/status.h>

// `task` is the id, `function` a string that lives as long as the process,
// `worker` the worker's number in the process (never reused, from 1). Times
// are nw__now_ns(). `async_id` is the task's NWPOOL_TASK resource in its
// worker, or 0 when it is not known.
struct nw__hooks {
    // Submitter's thread, after the task was accepted. `begin_ns` is when
    // nwpool_submit was entered.
    void (*task_submitted)(uint64_t task, const char *function,
                           uint64_t begin_ns, uint64_t end_ns);
    // Worker's thread.
    void (*task_started)(uint64_t task, const char *function, uint32_t worker,
                         uint64_t at_ns);
    void (*task_async_id)(uint64_t task, double async_id);
    // Worker's thread, or for a crashed or canceled task any other. A task
    // that never started gets no task_started. `worker` is 0 then.
    void (*task_ended)(uint64_t task, const char *function, uint32_t worker,
                       nw_status status, uint64_t at_ns);
    // Completion thread after the callback returned, or the waiter's thread
    // when it took the result (begin_ns == end_ns then).
    void (*task_delivered)(uint64_t task, const char *function,
                           nw_status status, uint64_t begin_ns,
                           uint64_t end_ns);
    // Worker's thread, before its first task; its row gets this name.
    void (*worker_started)(uint32_t worker, const char *pool_name);
    // Any thread; exit_code as Node gave it.
    void (*worker_exited)(uint32_t worker, int exit_code);
};

// NULL, or a table that is never freed or changed while it is installed. A
// reader may use a table for a short while after it was taken out, so hooks
// must tolerate late calls.
extern _Atomic(const struct nw__hooks *) nw__hooks_installed;

// The table, or NULL. Cheap enough for every task.
static inline const struct nw__hooks *nw__hooks(void)
{
    return atomic_load_explicit(&nw__hooks_installed, memory_order_acquire);
}

#endif

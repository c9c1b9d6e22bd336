/**
 * @file nwpool/pool.h
 * Run JavaScript functions on a bounded set of Node.js workers.
 *
 * A pool belongs to one module. A task is a call of one of the functions that
 * module exports; it may return a promise. Every task that is accepted ends
 * exactly once, always asynchronously; a task that is refused never runs.
 *
 * Who owns what
 *   A pool owns its workers and every task. The caller owns the pool.
 * Which thread
 *   "Thread: any" functions may be called at the same time, on one pool too.
 *   Callbacks come one after the other, from one thread: the pool's completion
 *   thread, or the one that runs nwpool_options.inbox.
 * At most once
 *   Nothing is run twice unless nw_task_spec.retries says so. When a worker
 *   dies, the tasks it was running fail with NW_ECRASHED; tasks it had not
 *   started run on another worker.
 * What it does to your process
 *   The first pool starts Node.js, which can be done once per process. See
 *   nwpool/runtime.h and docs/embedding.md.
 */
#ifndef NWPOOL_POOL_H
#define NWPOOL_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <nwpool/error.h>
#include <nwpool/inbox.h>
#include <nwpool/runtime.h>
#include <nwpool/value.h>
#include <nwpool/worker.h>

NW_EXTERN_C_BEGIN

/** A pool. Opaque; make one with nwpool_create(). */
typedef struct nwpool nwpool;

/**
 * Names one accepted task, in the whole process. Ids are never reused, so a
 * stale one is harmless: it fails with NW_ENOENT. 0 is no task. The struct
 * stops a bare integer from passing.
 */
typedef struct nw_task_id {
    uint64_t value;
} nw_task_id;

/* -- results */

/**
 * How one task ended. Borrowed: from a callback, dead once it returns; from
 * nwpool_wait(), until nwpool_result_free(). New fields are appended.
 */
typedef struct nw_result {
    nw_task_id task;
    const char *function; /**< The name it was submitted with. */

    /**
     * NW_OK: `value` is what the function returned, awaited. Otherwise `value`
     * is NULL and `error` says what happened:
     *   NW_ETHROWN   it threw, or its promise was rejected
     *   NW_ECLONE    its result cannot be cloned (a function, say, or a port
     *                that nwpool.transfer() does not list), or an argument
     *                cannot be made there (a malformed RegExp)
     *   NW_ETYPE     its result is of a type that C cannot read; Node.js 18
     *                has none
     *   NW_ELIMIT    its result is nested too deeply for C to read, or has a
     *                sparse array of more than 2^24 items
     *   NW_EPROTO    its result cannot be read for another reason
     *   NW_EMODULE   the module cannot be loaded or exports no such function
     *   NW_ECRASHED  its worker died while it ran, or had to be ended for
     *                another task's sake; see exit_code and the error
     *   NW_ETIMEDOUT it ran longer than its limit; the error's stack, if there
     *                is one, is where it was then
     *   NW_EEXPIRED  it could not start in its time
     *   NW_ECANCELED it was canceled, or the pool was destroyed first
     *   NW_EWEDGED   its worker is stuck in native code and was given up
     *   NW_EFAILED   the pool has failed (its workers cannot start)
     *   NW_ENOMEM    out of memory
     */
    nw_status status;
    const nw_value *value;
    const nw_error *error; /**< Never NULL unless status is NW_OK. */
    int exit_code;         /**< NW_ECRASHED: exit code of the worker. */
    uint32_t worker;       /**< Number of the worker that ran it, from 1; a
                                replacement has a new one. 0: it never ran. */
    uint64_t wait_ns;      /**< From acceptance to start, or to the end. */
    uint64_t run_ns;       /**< From start to end. */
    uint32_t crashes;      /**< Workers that died while they ran it. */
} nw_result;

/**
 * Receives a result. Called exactly once for every task that
 * nwpool_submit() accepted with this callback, never from inside
 * nwpool_submit(), and with no lock held.
 *
 * Thread: the pool's completion thread. Submitting and canceling from here is
 * fine; nwpool_destroy(), nwpool_drain() and nwpool_wait() are not: they would
 * wait for this very callback, and abort the process instead.
 */
typedef void nw_result_cb(const nw_result *result, void *user_data);

/** A value that a task has sent before its end, with `nwpool.task.send()` or by
 *  being a generator. Borrowed: dead once the callback returns. */
typedef struct nw_sent {
    nw_task_id task;
    const nw_value *value; /**< NULL: it cannot be read, see `error`. */
    const nw_error *error;
    uint64_t index; /**< Of this task's, from 0. */
} nw_sent;

/** Receives what a task sends, in order, and all of it before its result. A
 *  task that sends faster than this returns is made to wait. Thread: as
 *  nw_result_cb. */
typedef void nw_sent_cb(const nw_sent *sent, void *user_data);

/* -- tasks */

/** Priorities. One step is worth nwpool_options.ageing_ms of waiting. */
#define NW_PRIORITY_MIN (-8)
#define NW_PRIORITY_MAX 7

/** What may be done to a task that has to end while its script runs. */
typedef enum nw_interruptible {
    NW_INTERRUPT_AS_POOL, /**< As nwpool_options.interruptible says. */
    NW_INTERRUPT_NO,      /**< Its worker is ended. */
    NW_INTERRUPT_YES      /**< Its script is interrupted and the worker lives:
                               `finally` blocks do not run and the module's own
                               state may be half written. */
} nw_interruptible;

/** One call of a function. Zero in an optional field means its default. */
typedef struct nw_task_spec {
    size_t struct_size; /**< sizeof(nw_task_spec). */

    /** Name of the export; copied. Default: "default", which for a CommonJS
     *  module is module.exports itself. */
    const char *function;

    /** Arguments, at most NW_TASK_ARGUMENTS_MAX; copied. Lent bytes in them
     *  move when the task is accepted, see nw_value_bytes_lend(). */
    const nw_value *const *arguments;
    size_t argument_count;

    /** NULL: the result is kept until nwpool_wait() takes it. */
    nw_result_cb *on_done;
    void *user_data; /**< Handed to on_done and on_sent untouched. */

    /** What moves with the arguments instead of being copied: bytes, ports and
     *  other objects that allow it, as in nw_worker_post(). Ports and the like
     *  in the arguments must be listed. What has moved is gone with the task,
     *  also when that is canceled or crashes: ports close. */
    const nw_value *const *transfer;
    size_t transfer_count;

    int priority; /**< NW_PRIORITY_MIN to NW_PRIORITY_MAX, larger is sooner. */

    /** How long to wait for room when the pool is full. 0: not at all, it is
     *  NW_EFULL; NW_WAIT_FOREVER: without a bound. */
    uint32_t wait_ms;

    /** It ends with NW_EEXPIRED if it has not started so long after it was
     *  accepted. 0: as nwpool_options.expiry_ms; NW_WAIT_FOREVER: never. */
    uint32_t expiry_ms;

    /** It ends with NW_ETIMEDOUT if it runs longer. 0: as
     *  nwpool_options.run_limit_ms; NW_WAIT_FOREVER: no limit. */
    uint32_t run_limit_ms;

    nw_interruptible interruptible;

    /** How often it may be run again after its worker died: only for what may
     *  happen twice. After a death all tasks that had been running on that
     *  worker run alone, so that the one that kills is found; it ends with
     *  NW_ECRASHED. Together with `transfer` or lent bytes it is NW_EINVAL. */
    uint32_t retries;

    nw_sent_cb *on_sent; /**< NULL: what it sends is dropped. */
} nw_task_spec;

/** Most arguments of one task. */
#define NW_TASK_ARGUMENTS_MAX 64

/** Longest name of a function, in bytes. */
#define NW_FUNCTION_NAME_MAX 255

/** Most retries of one task. */
#define NW_TASK_RETRIES_MAX 100

/** Values of one task that wait for on_sent, at most, before it has to wait;
 *  and their bytes. One value is always taken. */
#define NW_TASK_SENT_MAX       64
#define NW_TASK_SENT_BYTES_MAX ((size_t)1 << 20)

/* -- pools */

/** Most workers of one pool, and most tasks at a time on one of them. */
#define NW_POOL_WORKERS_MAX     1024
#define NW_POOL_CONCURRENCY_MAX 1024

/** Most different function names that tasks of one pool may use. */
#define NW_POOL_FUNCTIONS_MAX 4096

/** Defaults of nwpool_options. */
#define NW_POOL_QUEUE_DEFAULT          65536
#define NW_POOL_QUEUE_BYTES_DEFAULT    ((uint64_t)256 << 20)
#define NW_POOL_AGEING_DEFAULT_MS      1000
#define NW_POOL_IDLE_DEFAULT_MS        60000
#define NW_POOL_SET_UP_DEFAULT_MS      30000
#define NW_POOL_TEAR_DOWN_DEFAULT_MS   1000
#define NW_POOL_ESCALATION_DEFAULT_MS  100
#define NW_POOL_HEAP_SHARE_PERCENT     60 /**< See nwpool_options.limits. */

/** Workers in a row that die before they ran a task, while none is ready,
 *  before a pool fails. */
#define NW_POOL_BOOT_FAILURES_MAX 3

/** How long a worker may take to end once it was told to, or has begun to end
 *  by itself, before it is given up. */
#define NW_POOL_WEDGE_MS 2000

/** What a task printed to process.stdout or process.stderr. Borrowed: dead once
 *  the callback returns. New fields are appended. */
typedef struct nw_task_output {
    nw_task_id task;  /**< Whose it is, through awaits and timers; 0: printed
                           outside of tasks. */
    uint32_t worker;  /**< As nw_result.worker. */
    int fd;           /**< 1 or 2. */
    const char *data; /**< Bytes as written, not NUL-terminated. */
    size_t data_size;
} nw_task_output;

/**
 * Receives what tasks print, in the order in which each worker printed it, and
 * before the result of the task: also what a task printed that ends its worker.
 *
 * Thread: the pool's completion thread, as nw_result_cb.
 */
typedef void nw_output_cb(const nw_task_output *output, void *user_data);

/** What happened in a pool. New events are appended. */
typedef enum nwpool_event_type {
    NWPOOL_WORKER_STARTED,   /**< A thread was asked for. */
    NWPOOL_WORKER_READY,     /**< It has loaded the module; spares too. */
    NWPOOL_WORKER_EXITED,    /**< It ended; `reason`, `exit_code`, `error`. */
    NWPOOL_WORKER_REPLACED,  /**< `replacement` works in its place. */
    NWPOOL_WORKER_WEDGED,    /**< It does not end and was given up. */
    NWPOOL_WORKER_RECYCLED,  /**< It is to end, having done its share;
                                  `reason` says which limit. */
    NWPOOL_DEGRADED,         /**< Workers die faster than is usual, or cannot
                                  start; `error` is the last cause. */
    NWPOOL_RECOVERED,        /**< It works as it should again. */
    NWPOOL_FAILED,           /**< It will not work any more; `error`. */
    NWPOOL_HIGH_WATER,       /**< Tasks or bytes reached their high mark. */
    NWPOOL_LOW_WATER,        /**< Both are down at their low mark again. */
    NWPOOL_RELOADED,         /**< All workers have the new module. */
    NWPOOL_RELOAD_FAILED,    /**< The new module does not load: the old
                                  workers go on; `error`. */
    NWPOOL_TASK_RETRIED,     /**< `task` is to run again, alone. */
    NWPOOL_TASK_QUARANTINED  /**< `task` killed a worker that ran nothing else,
                                  and is not run again. */
} nwpool_event_type;

/** An event. Borrowed: dead once the callback returns. New fields are
 *  appended. */
typedef struct nwpool_event {
    nwpool_event_type type;
    uint32_t worker;       /**< Number of the worker, or 0. */
    uint32_t replacement;  /**< REPLACED: number of the other one. */
    int exit_code;         /**< EXITED. */
    const char *reason;    /**< A sentence; never NULL. */
    const nw_error *error; /**< What it died of, or NULL. */
    nw_task_id task;
    uint64_t time_ns; /**< CLOCK_MONOTONIC, when it happened. */
} nwpool_event;

/** Receives events in the order in which they happened. Thread: as
 *  nw_result_cb. At most NWPOOL_EVENTS_MAX wait; what comes then is counted in
 *  nwpool_stats.events_lost. */
typedef void nwpool_event_cb(const nwpool_event *event, void *user_data);

#define NWPOOL_EVENTS_MAX 4096

/** Settings for nwpool_create(). Zero in any field means its default. */
typedef struct nwpool_options {
    size_t struct_size; /**< sizeof(nwpool_options). */

    /** The module: a path, absolute or relative to the working directory,
     *  CommonJS or ES module, or the name of an installed package.
     *  Required; copied. */
    const char *module;

    /** Most worker threads. Default: the CPUs this process may use, by its
     *  affinity and its cgroup. */
    uint32_t workers;

    /** Tasks that are accepted and not over, at most; submission beyond is
     *  refused with NW_EFULL. A task is over when its callback is called or
     *  nwpool_wait() has taken its result, so slow callbacks and results that
     *  nobody takes cannot pile up either. Default NW_POOL_QUEUE_DEFAULT. */
    uint32_t queue_max;

    /** Name in traces; copied. Default: "nwpool". */
    const char *name;

    /** Gets what tasks print; NULL: the host's stdout and stderr do. At most
     *  1 MiB waits for it, then the workers keep theirs; of a worker that ends
     *  everything is taken. */
    nw_output_cb *on_output;
    void *output_data; /**< Handed to on_output untouched. */

    /* -- size */

    /** Fewest worker threads, NW_POOL_NO_MIN for none. Default: as many as
     *  `workers`, a fixed size. Between the two the pool grows when tasks have
     *  waited for 5 ms with no worker free, and shrinks when a worker was idle
     *  for idle_ms. */
    uint32_t workers_min;
    uint32_t idle_ms;

    /** Workers beyond those, ready, that take the place of one that ends. */
    uint32_t spares;

    /** Tasks that may run on one worker at a time: those that await. Default
     *  1. */
    uint32_t concurrency;

    /* -- flow control */

    uint64_t queue_bytes_max; /**< Bytes of arguments, as queue_max. */
    /** Marks for NWPOOL_HIGH_WATER and NWPOOL_LOW_WATER, in percent of
     *  queue_max and queue_bytes_max. Default 80 and 50. */
    uint32_t high_water;
    uint32_t low_water;
    uint32_t ageing_ms;    /**< See NW_PRIORITY_MIN. */
    uint32_t expiry_ms;    /**< See nw_task_spec; default: never. */
    uint32_t run_limit_ms; /**< See nw_task_spec; default: none. */

    /** A script that passes its limit or is canceled is interrupted, and the
     *  worker lives; see NW_INTERRUPT_YES. */
    bool interruptible;

    /** A script that could not be interrupted in this time is ended with its
     *  worker. */
    uint32_t escalation_ms;

    /* -- workers */

    /** Functions of the module: called, and awaited, before a worker's first
     *  task and after its last one. Copied. */
    const char *set_up;
    const char *tear_down;
    uint32_t set_up_ms;    /**< Longest loading and set-up together. */
    uint32_t tear_down_ms; /**< Longest tear-down. */

    /** When a worker is replaced by a fresh one, between tasks, as soon as that
     *  is ready. 0: never. */
    uint32_t recycle_tasks;     /**< So many tasks done. */
    uint32_t recycle_ms;        /**< So old. */
    uint64_t recycle_bytes;     /**< Heap and external memory together. */

    /** Limits of each worker's JavaScript engine. Default of the heap: what is
     *  V8's own, or less where NW_POOL_HEAP_SHARE_PERCENT of the memory this
     *  process may use, by its cgroup, is less for all workers together. */
    nw_resource_limits limits;

    /* -- what is told, and where */

    nwpool_event_cb *on_event;
    void *event_data; /**< Handed to on_event untouched. */

    /** Where callbacks run: on the thread that polls it, or on its uv_loop_t.
     *  NULL: the pool's own completion thread. The pool keeps nw_inbox_run()
     *  and that loop going while tasks have not ended. */
    nw_inbox *inbox;
} nwpool_options;

/** For workers_min: the pool may shrink to no worker at all. */
#define NW_POOL_NO_MIN UINT32_MAX

/**
 * Create a pool and start its workers. Starts the runtime if it does not run.
 * Returns before the workers are ready; tasks submitted meanwhile wait.
 *
 * @param out      receives the pool, NULL on failure.
 * @param options  copied in full.
 * @return NW_OK; NW_EINVAL, with a sentence in nw_status_detail(); NW_ENOMEM;
 *         and what nw_runtime_start() returns. A module that cannot be loaded
 *         is found out later: tasks then end with NW_EMODULE and the reason.
 * Thread: any. Blocks while the runtime starts.
 */
NW_API nw_status nwpool_create(nwpool **out, const nwpool_options *options);

/**
 * Wait until so many workers are ready, spares included, so that the first
 * tasks find them warm.
 *
 * @param workers  0: as many as the pool has without a load.
 * @return NW_OK; NW_ETIMEDOUT; NW_EFAILED when the pool has failed; NW_ECLOSED
 *         when it is being destroyed; NW_EINVAL, also for more than it may
 *         have; NW_EFORKED; NW_ESTOPPED while the process ends.
 * Thread: any but the completion thread. Blocks.
 */
NW_API nw_status nwpool_warm_up(nwpool *pool, uint32_t workers,
                                uint32_t timeout_ms);

/**
 * Queue a task. Never blocks for long, unless spec->wait_ms says so, and never
 * runs JavaScript on the caller's thread.
 *
 * @param spec  copied in full; yours again when the call returns.
 * @param out   receives the id. May be NULL if there is a callback. The
 *              callback may run before this is written.
 * @return NW_OK: the task is accepted and will end exactly once. Anything
 *         else: it will never run, no callback will come, and nothing in
 *         `spec` has moved. NW_EINVAL; NW_ECLONE when a port or the like is
 *         not listed or gone; NW_EFULL, after wait_ms; NW_ECLOSED after
 *         nwpool_close(); NW_EFAILED when the pool has failed; NW_ELIMIT (too
 *         deep, too large, too many function names); NW_ENOMEM; NW_EFORKED;
 *         NW_ESTOPPED while the process ends; the mark of a document.
 * Thread: any. With wait_ms any but the completion thread.
 */
NW_API nw_status nwpool_submit(nwpool *pool, const nw_task_spec *spec,
                               nw_task_id *out);

/**
 * Queue a task for each worker there is now, spares included, to be run by that
 * very one, before what waits in the queue: to fill or to flush a cache. Each
 * ends once, as any task; NW_ECRASHED if its worker ends first.
 *
 * @param spec   as for nwpool_submit(); without transfer, lent bytes, retries
 *               and wait_ms.
 * @param out    receives the ids, in no order. May be NULL if there is a
 *               callback.
 * @param max    room in `out`, or most tasks that are accepted.
 * @param count  receives how many were accepted.
 * @return NW_OK, also for no worker at all; NW_ELIMIT when there are more
 *         than `max`, and what nwpool_submit() returns: none was accepted.
 * Thread: any.
 */
NW_API nw_status nwpool_submit_each(nwpool *pool, const nw_task_spec *spec,
                                    nw_task_id *out, size_t max,
                                    size_t *count);

/**
 * Wait for one task that was submitted without a callback, and take its
 * result.
 *
 * @param timeout_ms  0 only looks; NW_WAIT_FOREVER waits without a bound.
 * @param out         receives the result, to be freed with
 *                    nwpool_result_free(); NULL on failure.
 * @return NW_OK: `*out` holds the result, which may be a failure of the task.
 *         NW_ETIMEDOUT: it has not ended yet; wait again. NW_ENOENT: no such
 *         task in this pool, or its result was taken already, or it has a
 *         callback. NW_EBUSY: another thread waits for it. NW_EINVAL;
 *         NW_ENOMEM; NW_EFORKED; NW_ESTOPPED while the process ends.
 * Thread: any but the completion thread. Blocks.
 */
NW_API nw_status nwpool_wait(nwpool *pool, nw_task_id task, uint32_t timeout_ms,
                             nw_result **out);

/** Free a result of nwpool_wait(). NULL is ignored. Thread: any. */
NW_API void nwpool_result_free(nw_result *result);

/** How a task that runs is made to end. One that waits ends at once. */
typedef enum nw_cancel {
    NW_CANCEL_ASK,       /**< Its AbortSignal fires. */
    NW_CANCEL_INTERRUPT, /**< Its script is interrupted, as soon as it is inside
                              one that can be; its AbortSignal fires too. As END
                              at once where it is not interruptible. */
    NW_CANCEL_END        /**< Its worker is ended. */
} nw_cancel;

/**
 * Cancel a task. It ends with NW_ECANCELED, unless it returns a value before it
 * is made to end, or was past its limit already. No other task is harmed, but
 * for those that run on a worker that has to be ended, which fail with
 * NW_ECRASHED and that cause. Canceled again, it ends by what comes first.
 *
 * @param how            where to begin.
 * @param escalation_ms  after so long the next one is tried. 0: as
 *                       nwpool_options.escalation_ms; NW_WAIT_FOREVER: never,
 *                       it stays at ASK, and is NW_EINVAL with INTERRUPT.
 * @return NW_OK: it was canceled or is going to be; NW_ENOENT: it has ended, or
 *         never was; NW_EINVAL; NW_ENOMEM; NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nwpool_cancel(nwpool *pool, nw_task_id task, nw_cancel how,
                               uint32_t escalation_ms);

/** Where a task is. New ones are appended. */
typedef enum nw_task_state {
    NW_TASK_QUEUED,   /**< Waits in the pool. */
    NW_TASK_ASSIGNED, /**< A worker has taken it and not started. */
    NW_TASK_RUNNING,
    NW_TASK_ENDING,  /**< It runs, and was canceled or is past its limit; or its
                          worker died and the cause is not known yet. */
    NW_TASK_FINISHED /**< Its result waits for its callback, or to be taken. */
} nw_task_state;

/** One task that is not over. New fields are appended. */
typedef struct nw_task_info {
    nw_task_id task;
    const char *function; /**< Lives as long as the process. */
    nw_task_state state;
    int priority;
    uint32_t worker; /**< ASSIGNED and later; 0: none. */
    uint64_t age_ns; /**< Since it was accepted. */
    uint64_t run_ns; /**< Since it was started; 0: it was not. */
} nw_task_info;

/**
 * List the tasks that are not over, in the order of their ids.
 *
 * @param out    receives the first `max` of them; may be NULL with 0.
 * @param count  receives how many there are, which may be more than `max`.
 * @return NW_OK; NW_EINVAL; NW_ENOMEM; NW_EFORKED.
 * Thread: any. Holds up the pool for a moment for each task that there is.
 */
NW_API nw_status nwpool_list_tasks(nwpool *pool, nw_task_info *out, size_t max,
                                   size_t *count);

/**
 * Load the module anew: a fresh worker is started for each old one and takes
 * its place between tasks, one after the other. No task is lost or refused. If
 * the new module does not load the old workers stay; events tell how it went.
 *
 * @param module  another module; copied. NULL: the same, as it is now.
 * @return NW_OK: it has begun; NW_EBUSY while one goes on; NW_ECLOSED;
 *         NW_EFAILED; NW_EINVAL; NW_ENOMEM; NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nwpool_reload(nwpool *pool, const char *module);

/**
 * Refuse new tasks from now on; what was accepted still runs. Returns at once.
 * Closing twice is fine.
 *
 * Thread: any.
 */
NW_API void nwpool_close(nwpool *pool);

/**
 * Wait until no task is waiting or running and every callback has returned.
 * Usually after nwpool_close(); without it others may go on submitting.
 *
 * @return NW_OK; NW_ETIMEDOUT: tasks are left, nothing was changed;
 *         NW_EINVAL; NW_EFORKED; NW_ESTOPPED while the process ends.
 * Thread: any but the completion thread. With an inbox: the inbox's, whose
 * callbacks it runs. Blocks.
 */
NW_API nw_status nwpool_drain(nwpool *pool, uint32_t timeout_ms);

/** A worker that does not end in this time when its pool is destroyed is left
 *  behind: it is stuck in native code. */
#define NW_POOL_DESTROY_TIMEOUT_MS 5000

/**
 * Close, end every task that has not ended with NW_ECANCELED, end the workers,
 * wait for the last callback, then free everything. NULL is ignored. For an
 * orderly end call nwpool_close() and nwpool_drain() first: workers that are
 * idle then run their tear-down.
 *
 * No other thread may be inside a call on this pool or make one afterwards.
 *
 * @return NW_OK; NW_EWEDGED when a worker stuck in native code did not end
 *         within NW_POOL_DESTROY_TIMEOUT_MS: the pool is gone all the same
 *         and every task has ended, that thread is left behind, and
 *         nw_status_detail() names it; NW_EFORKED, and nothing was done.
 * Thread: any but the completion thread. With an inbox: the inbox's, whose
 * callbacks it runs. Blocks.
 */
NW_API nw_status nwpool_destroy(nwpool *pool);

/* -- numbers */

/** Times, in nanoseconds; each but `max` and `mean` at most 1/16 too large. */
typedef struct nw_times {
    uint64_t count;
    uint64_t mean;
    uint64_t p50;
    uint64_t p95;
    uint64_t p99;
    uint64_t p999;
    uint64_t max;
} nw_times;

/** Numbers of a pool at one moment. New fields are appended. */
typedef struct nwpool_stats {
    size_t struct_size; /**< Set by the caller: sizeof(nwpool_stats). */
    uint64_t submitted; /**< Tasks accepted. */
    uint64_t done;      /**< Ended with NW_OK. */
    uint64_t failed;    /**< Ended with anything else. */
    uint64_t waiting;   /**< Accepted, not started. */
    uint64_t running;   /**< Started, not ended. */
    uint64_t restarts;  /**< Workers that died and were replaced. */
    uint32_t workers;   /**< Workers that are ready, but for spares. */

    uint32_t spares;         /**< Ready, and waiting for a place. */
    uint32_t starting;       /**< Workers that are not ready yet. */
    uint32_t wedged;         /**< Threads that were given up. */
    uint64_t waiting_bytes;  /**< Of arguments of tasks that are not over. */
    uint64_t refused;        /**< Submissions that ended with NW_EFULL. */
    uint64_t failed_thrown;  /**< Of `failed`: NW_ETHROWN. */
    uint64_t failed_crashed; /**< NW_ECRASHED and NW_EWEDGED. */
    uint64_t failed_timed_out;
    uint64_t failed_expired;
    uint64_t failed_canceled;
    uint64_t recycled; /**< Workers that had done their share. */
    uint64_t retried;  /**< Tasks that were put back after a death. */
    uint64_t events_lost;
    bool degraded;
    bool has_failed;

    nw_times wait_times; /**< From acceptance to start, of tasks that ended. */
    nw_times run_times;  /**< From start to end. */
} nwpool_stats;

/** Fill `stats`. NW_OK; NW_EINVAL; NW_EFORKED. Thread: any. */
NW_API nw_status nwpool_get_stats(nwpool *pool, nwpool_stats *stats);

NW_EXTERN_C_END

#endif

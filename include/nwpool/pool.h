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
 *   Result callbacks come from one thread of the pool, its completion thread,
 *   one after the other.
 * At most once
 *   Nothing is run twice. When a worker dies, the task it was running fails
 *   with NW_ECRASHED; tasks it had not started run on another worker.
 * What it does to your process
 *   The first pool starts Node.js, which can be done once per process. See
 *   nwpool/runtime.h and docs/embedding.md.
 */
#ifndef NWPOOL_POOL_H
#define NWPOOL_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <nwpool/error.h>
#include <nwpool/runtime.h>
#include <nwpool/value.h>

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

/**
 * How one task ended. Borrowed: from a callback, dead once it returns; from
 * nwpool_wait(), until nwpool_result_free().
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
     *   NW_ECRASHED  its worker died while it ran; see exit_code
     *   NW_ECANCELED the pool was destroyed before it had ended
     *   NW_EFAILED   the pool has failed (its workers cannot start)
     *   NW_ENOMEM    out of memory
     */
    nw_status status;
    const nw_value *value;
    const nw_error *error; /**< Never NULL unless status is NW_OK. */
    int exit_code;         /**< NW_ECRASHED: exit code of the worker. */
    uint32_t worker; /**< Number of the worker that ran it, from 1; a
                          replacement has a new one. 0: it never ran. */
    uint64_t wait_ns; /**< From acceptance to start, or to the end. */
    uint64_t run_ns;  /**< From start to end. */
} nw_result;

/**
 * Receives a result. Called exactly once for every task that
 * nwpool_submit() accepted with this callback, never from inside
 * nwpool_submit(), and with no lock held.
 *
 * Thread: the pool's completion thread. Submitting from here is fine;
 * nwpool_destroy(), nwpool_drain() and nwpool_wait() are not: they would wait
 * for this very callback, and abort the process instead.
 */
typedef void nw_result_cb(const nw_result *result, void *user_data);

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
    void *user_data; /**< Handed to on_done untouched. */

    /** What moves with the arguments instead of being copied: bytes, ports and
     *  other objects that allow it, as in nw_worker_post(). Ports and the like
     *  in the arguments must be listed. What has moved is gone with the task,
     *  also when that is canceled or crashes: ports close. */
    const nw_value *const *transfer;
    size_t transfer_count;
} nw_task_spec;

/** Most arguments of one task. */
#define NW_TASK_ARGUMENTS_MAX 64

/** Longest name of a function, in bytes. */
#define NW_FUNCTION_NAME_MAX 255

/** Most workers of one pool. */
#define NW_POOL_WORKERS_MAX 1024

/** Most different function names that tasks of one pool may use. */
#define NW_POOL_FUNCTIONS_MAX 4096

/** Default of nwpool_options.queue_max. */
#define NW_POOL_QUEUE_DEFAULT 65536

/** Workers in a row that die before they ran a task, while none is ready,
 *  before a pool fails. */
#define NW_POOL_BOOT_FAILURES_MAX 3

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

/** Settings for nwpool_create(). Zero in any field means its default. */
typedef struct nwpool_options {
    size_t struct_size; /**< sizeof(nwpool_options). */

    /** The module: a path, absolute or relative to the working directory,
     *  CommonJS or ES module, or the name of an installed package.
     *  Required; copied. */
    const char *module;

    /** Worker threads. Default: the CPUs this process may use, by its affinity
     *  and the CPU quota of its cgroups. */
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
} nwpool_options;

/**
 * Create a pool and start its workers. Starts the runtime if it does not run.
 * Returns before the workers are ready; tasks submitted meanwhile wait.
 *
 * @param out      receives the pool, NULL on failure.
 * @param options  copied in full.
 * @return NW_OK; NW_EINVAL; NW_ENOMEM; and what nw_runtime_start() returns.
 *         A module that cannot be loaded is found out later: tasks then end
 *         with NW_EMODULE and the reason.
 * Thread: any. Blocks while the runtime starts.
 */
NW_API nw_status nwpool_create(nwpool **out, const nwpool_options *options);

/**
 * Queue a task. Never blocks for long and never runs JavaScript on the
 * caller's thread.
 *
 * @param spec  copied in full; yours again when the call returns.
 * @param out   receives the id. May be NULL if there is a callback. The
 *              callback may run before this is written.
 * @return NW_OK: the task is accepted and will end exactly once. Anything
 *         else: it will never run, no callback will come, and nothing in
 *         `spec` has moved. NW_EINVAL; NW_ECLONE when a port or the like is
 *         not listed or gone; NW_EFULL; NW_ECLOSED after nwpool_close();
 *         NW_EFAILED when the pool has failed; NW_ELIMIT (too deep, too large,
 *         too many function names); NW_ENOMEM; NW_EFORKED; NW_ESTOPPED while
 *         the process ends; the mark of a document.
 * Thread: any.
 */
NW_API nw_status nwpool_submit(nwpool *pool, const nw_task_spec *spec,
                               nw_task_id *out);

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
NW_API nw_status nwpool_wait(nwpool *pool, nw_task_id task,
                             uint32_t timeout_ms, nw_result **out);

/** Free a result of nwpool_wait(). NULL is ignored. Thread: any. */
NW_API void nwpool_result_free(nw_result *result);

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
 * Thread: any but the completion thread. Blocks.
 */
NW_API nw_status nwpool_drain(nwpool *pool, uint32_t timeout_ms);

/** A worker that does not end in this time when its pool is destroyed is left
 *  behind: it is stuck in native code. */
#define NW_POOL_DESTROY_TIMEOUT_MS 5000

/**
 * Close, end every task that has not ended with NW_ECANCELED, end the workers,
 * wait for the last callback, then free everything. NULL is ignored. For an
 * orderly end call nwpool_close() and nwpool_drain() first.
 *
 * No other thread may be inside a call on this pool or make one afterwards.
 *
 * @return NW_OK; NW_EWEDGED when a worker stuck in native code did not end
 *         within NW_POOL_DESTROY_TIMEOUT_MS: the pool is gone all the same
 *         and every task has ended, that thread is left behind; NW_EFORKED,
 *         and nothing was done.
 * Thread: any but the completion thread. Blocks.
 */
NW_API nw_status nwpool_destroy(nwpool *pool);

/** Numbers of a pool at one moment. New fields are appended. */
typedef struct nwpool_stats {
    size_t struct_size; /**< Set by the caller: sizeof(nwpool_stats). */
    uint64_t submitted; /**< Tasks accepted. */
    uint64_t done;      /**< Ended with NW_OK. */
    uint64_t failed;    /**< Ended with anything else. */
    uint64_t waiting;   /**< Accepted, not started. */
    uint64_t running;   /**< Started, not ended. */
    uint64_t restarts;  /**< Workers that died and were replaced. */
    uint32_t workers;   /**< Workers that are ready. */
} nwpool_stats;

/** Fill `stats`. NW_OK; NW_EINVAL; NW_EFORKED. Thread: any. */
NW_API nw_status nwpool_get_stats(nwpool *pool, nwpool_stats *stats);

NW_EXTERN_C_END

#endif

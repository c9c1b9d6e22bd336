/**
 * @file nwpool/worker.h
 * One Node.js worker thread, as `new Worker()` makes it, driven from C.
 *
 * For tasks use a pool (nwpool/pool.h); this is the layer below it. What a
 * script finds inside is Node's own: parentPort, workerData, process.
 *
 * Who owns what
 *   The caller owns the handle from create to destroy; the thread behind it
 *   may end earlier, by itself.
 * Which thread
 *   Everything may be called from any thread, unless it says otherwise. What
 *   waits for the end of a worker must not be called on that worker's own
 *   thread, by a C function or body.
 *   Callbacks come from one events thread, one after the other, or from the
 *   inbox that was named (nwpool/inbox.h), and never from inside a call.
 */
#ifndef NWPOOL_WORKER_H
#define NWPOOL_WORKER_H

#include <nwpool/error.h>
#include <nwpool/inbox.h>
#include <nwpool/runtime.h>
#include <nwpool/value.h>

NW_EXTERN_C_BEGIN

/** A worker. Opaque; make one with nw_worker_create(). */
typedef struct nw_worker nw_worker;

/** What happened to a worker. New events are appended. */
typedef enum nw_worker_event_type {
    NW_WORKER_ONLINE,        /**< Its script is about to run. */
    NW_WORKER_MESSAGE,       /**< parentPort.postMessage(value). */
    NW_WORKER_ERROR,         /**< An uncaught error; EXIT follows. */
    NW_WORKER_EXIT,          /**< It ended; the last event, always delivered. */
    NW_WORKER_MESSAGE_ERROR, /**< A message that cannot be read here, or one of
                                  ours that could not be posted; `error` says
                                  which and why. */
    NW_WORKER_OUTPUT         /**< It printed `data`. */
} nw_worker_event_type;

/** An event. Borrowed: dead once the callback returns. */
typedef struct nw_worker_event {
    nw_worker_event_type type;
    nw_worker *worker;
    const nw_value *value; /**< MESSAGE: what was posted, else NULL. */
    const nw_error *error; /**< ERROR and MESSAGE_ERROR, else NULL. */
    int exit_code;         /**< EXIT. */
    int fd;                /**< OUTPUT: 1 for stdout, 2 for stderr. */
    const char *data;      /**< OUTPUT: bytes, not NUL-terminated. */
    size_t data_size;
} nw_worker_event;

/**
 * Receives a worker's events. ONLINE, if it comes, is first but for OUTPUT;
 * EXIT is last. All messages and all output come before EXIT. Between them,
 * and between messages and ERROR, the order is not fixed, in Node.js neither.
 *
 * Thread: the events thread or the inbox's, with no lock held. Any function of
 * this library may be called but, on the events thread, those that would wait
 * for this very callback: nw_worker_destroy() and nw_runtime_stop().
 */
typedef void nw_worker_event_cb(const nw_worker_event *event, void *user_data);

/** What becomes of what a worker prints. */
typedef enum nw_output {
    NW_OUTPUT_PASS,  /**< Written to the host's stdout or stderr. */
    NW_OUTPUT_EVENT, /**< OUTPUT events, and not written. */
    NW_OUTPUT_BOTH   /**< Both. */
} nw_output;

/** Limits of one worker's JavaScript engine, in MiB; 0: V8's default. */
typedef struct nw_resource_limits {
    double max_old_generation_size_mb; /**< The heap; V8 takes 2 at least. */
    double max_young_generation_size_mb;
    double code_range_size_mb;
    double stack_size_mb; /**< Default 4. */
} nw_resource_limits;

/** What a C function that is a worker's body gets; see nwpool/function.h. */
typedef struct nw_body nw_body;
typedef void nw_worker_body_cb(const nw_body *body, void *user_data);

/** Settings for nw_worker_create(). Zero means default. Set exactly one of
 *  file, source, url and body. Everything is copied. */
typedef struct nw_worker_options {
    size_t struct_size; /**< sizeof(nw_worker_options). */

    const char *file;   /**< Script: absolute, or starting with ./ or ../ and
                             then relative to the working directory. `.mjs`
                             is a module. */
    const char *source; /**< Or its text, CommonJS (`eval: true`). */

    nw_worker_event_cb *on_event; /**< May be NULL: events are dropped. */
    void *user_data;              /**< For on_event and body. */

    const char *url;         /**< Or a file: or data: URL. */
    nw_worker_body_cb *body; /**< Or a C function, called on the worker's
                                  thread. */

    nw_inbox *inbox; /**< Where events run; NULL: the events thread. */

    const nw_value *worker_data;     /**< workerData; NULL: undefined. */
    const nw_value *const *transfer; /**< Moves with worker_data, as in
                                          nw_worker_post(). */
    size_t transfer_count;

    const char *const *argv; /**< Appended to process.argv; NULL-terminated. */

    /** Node options for this worker alone, NULL-terminated. Options of V8 and
     *  of the process are NW_EINVAL. */
    const char *const *exec_argv;

    const char *name; /**< For Node's inspector and its own trace events. */

    nw_resource_limits limits;

    /** process.env: "NAME=value" and so on, NULL-terminated, and nothing else.
     *  NULL: a copy of the host's. Either is without NODE_OPTIONS and its like
     *  (see docs/embedding.md). */
    const char *const *env;

    /** The host's environment itself: what the worker sets, getenv() sees
     *  (SHARE_ENV); it is no safer than setenv() beside other threads. Together
     *  with `env` it is NW_EINVAL. */
    bool share_env;

    /** Leave NODE_OPTIONS where it is, in the host's environment or in `env`,
     *  and let it act on this worker. */
    bool use_node_options;

    /** Do not close descriptors of fs.open() that the script leaves open
     *  (`trackUnmanagedFds: false`). */
    bool keep_unmanaged_fds;

    bool stdin_pipe; /**< process.stdin reads what nw_worker_write() writes;
                          without it, it is empty. */
    nw_output stdout_mode;
    nw_output stderr_mode;
} nw_worker_options;

/**
 * Start a worker thread. Starts the runtime if it does not run.
 *
 * @param out      receives the worker, NULL on failure.
 * @param options  copied in full.
 * @return NW_OK: EXIT will be delivered, once, even if the script cannot be
 *         loaded (ERROR comes first then). NW_EINVAL: not exactly one of file,
 *         source, url and body, an empty one, a path that is neither absolute
 *         nor relative, an URL of another kind, an option that does not exist
 *         or is not for a worker, env together with share_env, a limit that is
 *         none, text that is not UTF-8; NW_ECLONE: something in worker_data
 *         must be transferred and is not listed; NW_ELIMIT; NW_ENOMEM, and the
 *         failures of nw_runtime_start(). No thread was started then, nothing
 *         has moved; nw_status_detail() has the sentence, where there is more
 *         to say than the status does.
 * Thread: any. Blocks while the runtime starts, and for a turn of the control
 * thread.
 */
NW_API nw_status nw_worker_create(nw_worker **out,
                                  const nw_worker_options *options);

/**
 * Post a message, as worker.postMessage(value, transferList) does. Messages
 * keep their order; those that the worker has not received when it ends are
 * lost, as in Node.js.
 *
 * @param value     copied; lent bytes in it move, see nw_value_bytes_lend().
 * @param transfer  `transfer_count` values that move instead of being copied:
 *                  bytes, ports, and other objects that allow it. They are
 *                  empty on this side afterwards, also when `value` does not
 *                  contain them. May be NULL.
 * @return NW_OK; NW_ECLOSED after the worker ended; NW_ECLONE when a port or
 *         the like in `value` is not listed or was transferred already, or an
 *         Error contains itself; NW_EINVAL, also for something in the list that
 *         cannot move or stands there twice; NW_ELIMIT; NW_ENOMEM; NW_EFORKED;
 *         the mark of the document. On failure nothing has moved;
 *         nw_status_detail() as above.
 * Thread: any that owns the documents.
 */
NW_API nw_status nw_worker_post(nw_worker *worker, const nw_value *value,
                                const nw_value *const *transfer,
                                size_t transfer_count);

/**
 * Ask for the end of the worker, as worker.terminate() does: its script is
 * interrupted, EXIT follows. nw_worker_wait() tells with which code. A C
 * function that runs is not interrupted.
 *
 * @return NW_OK; NW_ECLOSED: it had ended already; NW_EINVAL for NULL;
 *         NW_ENOMEM; NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nw_worker_terminate(nw_worker *worker);

/**
 * Wait until the thread has ended.
 *
 * @param exit_code  receives its exit code; may be NULL.
 * @return NW_OK; NW_ETIMEDOUT: it runs; NW_EINVAL; NW_EFORKED.
 * Thread: any but the worker's own. Blocks. EXIT may still be on its way to its
 * callback.
 */
NW_API nw_status nw_worker_wait(nw_worker *worker, uint32_t timeout_ms,
                                int *exit_code);

/** `worker.threadId`: what `threadId` is inside; -1 once it has ended, for
 *  NULL, and in a fork() child. Thread: any. */
NW_API int64_t nw_worker_thread_id(nw_worker *worker);

/** `worker.resourceLimits`: what is in force, defaults filled in from ONLINE
 *  on; all 0 once it has ended. NW_OK; NW_EINVAL; NW_ENOMEM; NW_EFORKED;
 *  NW_ESTOPPED. Thread: any. Blocks for a turn of the control thread. */
NW_API nw_status nw_worker_get_resource_limits(nw_worker *worker,
                                               nw_resource_limits *out);

/** Whether the worker keeps nw_inbox_run(), or the loop of its inbox, going;
 *  see there. It does from the start until its EXIT. NW_OK; NW_EINVAL.
 *  Thread: any. */
NW_API nw_status nw_worker_ref(nw_worker *worker);
NW_API nw_status nw_worker_unref(nw_worker *worker);
NW_API bool nw_worker_has_ref(const nw_worker *worker);

/** Most bytes on their way to a worker's stdin. */
#define NW_WORKER_STDIN_MAX ((size_t)1 << 20)

/**
 * Write to the worker's process.stdin.
 *
 * @param data        copied. A piece larger than NW_WORKER_STDIN_MAX is taken
 *                    when nothing else is waiting; above NW_VALUE_SIZE_MAX it
 *                    is NW_ELIMIT.
 * @param timeout_ms  how long to wait for room; 0 does not wait.
 * @return NW_OK: all of it is on its way; NW_EFULL: NW_WORKER_STDIN_MAX bytes
 *         are waiting, nothing was taken; NW_ECLOSED after nw_worker_end(),
 *         after the worker ended, or without stdin_pipe; NW_EINVAL; NW_ELIMIT;
 *         NW_ENOMEM; NW_EFORKED.
 * Thread: any. Blocks up to `timeout_ms`.
 */
NW_API nw_status nw_worker_write(nw_worker *worker, const void *data,
                                 size_t size, uint32_t timeout_ms);

/** End of its stdin, behind what was written. NW_OK; NW_ECLOSED; NW_EINVAL;
 *  NW_ENOMEM; NW_EFORKED. Thread: any. */
NW_API nw_status nw_worker_end(nw_worker *worker);

/**
 * `worker.getHeapSnapshot()` into a file, for DevTools. The file appears under
 * its name when it is complete.
 *
 * @return NW_OK; NW_ETIMEDOUT: it may still be written later; NW_ECLOSED after
 *         the worker ended; NW_EIO: nw_status_detail() says why; NW_EINVAL;
 *         NW_ENOMEM; NW_EFORKED.
 * Thread: any but the worker's own, which it needs and holds up. Blocks.
 */
NW_API nw_status nw_worker_heap_snapshot(nw_worker *worker, const char *path,
                                         uint32_t timeout_ms);

/** Times of a worker's event loop since it began, in milliseconds. */
typedef struct nw_event_loop_utilization {
    double idle;
    double active;
    double utilization; /**< active / (idle + active), 0 to 1. */
} nw_event_loop_utilization;

/** `worker.performance.eventLoopUtilization()`. All 0 before it began and once
 *  it ended. NW_OK; NW_EINVAL; NW_ENOMEM; NW_EFORKED; NW_ESTOPPED. Thread: any.
 *  Blocks for a turn of the control thread. */
NW_API nw_status nw_worker_get_event_loop_utilization(
    nw_worker *worker, nw_event_loop_utilization *out);

/** Worker termination that has not happened after this long is given up. */
#define NW_WORKER_DESTROY_TIMEOUT_MS 5000

/**
 * Terminate the worker if it runs, wait for its end, and free the handle. On
 * the events thread's side its last event is delivered before this returns;
 * what waits in an inbox is dropped. No callback runs or will run afterwards.
 * NULL is ignored.
 *
 * @return NW_OK; NW_EWEDGED when the thread, stuck in native code, did not
 *         end within NW_WORKER_DESTROY_TIMEOUT_MS: the handle is gone all the
 *         same and no callback will come, the thread is left behind;
 *         NW_EFORKED, and nothing was done.
 * Thread: the inbox's if it has one, also from inside a callback; else any but
 * the events thread. Not the worker's own. Blocks, also while a callback of it
 * runs elsewhere.
 */
NW_API nw_status nw_worker_destroy(nw_worker *worker);

/* -- environment data: what getEnvironmentData() gives in workers that are
 *    started afterwards. Thread: any. Block for a turn of
 *    the control thread. */

/** `setEnvironmentData(key, value)`; NULL, or undefined, as value takes the key
 *  away. NW_OK; NW_EINVAL; NW_ECLONE; NW_ELIMIT; NW_ENOMEM; and the failures of
 *  nw_runtime_start(). */
NW_API nw_status nw_environment_data_set(const nw_value *key,
                                         const nw_value *value);

/** `getEnvironmentData(key)` into `doc`; undefined when there is none. NW_OK;
 *  NW_EINVAL; NW_ENOMEM; and as nw_environment_data_set(). */
NW_API nw_status nw_environment_data_get(const nw_value *key, nw_doc *doc,
                                         const nw_value **out);

/* -- the calling thread */

/** `isMainThread`: false on the thread of a worker, in a C function or body.
 *  Workers that scripts start are not told apart: true there. */
NW_API bool nw_is_main_thread(void);

/** `threadId` of the worker whose thread this is; 0 on all others, those of
 *  workers that scripts start included. */
NW_API int64_t nw_thread_id(void);

NW_EXTERN_C_END

#endif

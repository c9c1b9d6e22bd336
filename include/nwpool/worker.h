/**
 * @file nwpool/worker.h
 * One Node.js worker thread, as `new Worker()` makes it, driven from C.
 *
 * For tasks use a pool (nwpool/pool.h); this is the layer below it.
 *
 * Who owns what
 *   The caller owns the handle from create to destroy; the thread behind it
 *   may end earlier, by itself.
 * Which thread
 *   Everything may be called from any thread. Callbacks of all workers come
 *   from one events thread, one after the other, and never from inside a call.
 */
#ifndef NWPOOL_WORKER_H
#define NWPOOL_WORKER_H

#include <nwpool/error.h>
#include <nwpool/runtime.h>
#include <nwpool/value.h>

NW_EXTERN_C_BEGIN

/** A worker. Opaque; make one with nw_worker_create(). */
typedef struct nw_worker nw_worker;

/** What happened to a worker. New events are appended. */
typedef enum nw_worker_event_type {
    NW_WORKER_ONLINE,  /**< Its script is about to run. */
    NW_WORKER_MESSAGE, /**< parentPort.postMessage(value). */
    NW_WORKER_ERROR,   /**< An uncaught error; EXIT follows. */
    NW_WORKER_EXIT     /**< It ended; the last event, always delivered. */
} nw_worker_event_type;

/** An event. Borrowed: dead once the callback returns. */
typedef struct nw_worker_event {
    nw_worker_event_type type;
    nw_worker *worker;
    const nw_value *value; /**< MESSAGE: what was posted, else NULL. */
    const nw_error *error; /**< ERROR, and MESSAGE with a value that C cannot
                                read: what went wrong. Else NULL. */
    int exit_code;         /**< EXIT. */
} nw_worker_event;

/**
 * Receives a worker's events. ONLINE, if it comes, is first; EXIT is last.
 * All messages come before EXIT; whether they come before ERROR is not fixed,
 * in Node.js neither.
 *
 * Thread: the events thread, with no lock held. Any function of this library
 * may be called but nw_worker_destroy() and nw_runtime_stop(), which would
 * wait for this very callback.
 */
typedef void nw_worker_event_cb(const nw_worker_event *event, void *user_data);

/** Settings for nw_worker_create(). Zero means default. Set file or source. */
typedef struct nw_worker_options {
    size_t struct_size; /**< sizeof(nw_worker_options). */

    const char *file;   /**< Script: absolute, or starting with ./ or ../ and
                             then relative to the working directory. `.mjs`
                             is a module. Copied. */
    const char *source; /**< Or its text, CommonJS. Copied. */

    nw_worker_event_cb *on_event; /**< May be NULL: events are dropped. */
    void *user_data;
} nw_worker_options;

/**
 * Start a worker thread. Starts the runtime if it does not run.
 *
 * @param out      receives the worker, NULL on failure.
 * @param options  copied in full.
 * @return NW_OK: EXIT will be delivered, once, even if the script cannot be
 *         loaded (ERROR comes first then). NW_EINVAL: neither or both of file
 *         and source, an empty one, or a path that is neither absolute nor
 *         relative; no thread was started. NW_ENOMEM, and what
 *         nw_runtime_start() returns.
 * Thread: any. Blocks while the runtime starts.
 */
NW_API nw_status nw_worker_create(nw_worker **out,
                                  const nw_worker_options *options);

/**
 * Post a message, as worker.postMessage(value) does. Messages keep their
 * order; those that the worker has not received when it ends are lost, as in
 * Node.js.
 *
 * @param value  copied; lent bytes in it move, see nw_value_bytes_lend().
 * @return NW_OK; NW_ECLOSED after the worker ended; NW_EINVAL; NW_ENOMEM;
 *         NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nw_worker_post(nw_worker *worker, const nw_value *value);

/**
 * Ask for the end of the worker, as worker.terminate() does: its script is
 * interrupted, EXIT follows. A worker that has ended is left alone.
 *
 * @return NW_OK; NW_EINVAL for NULL; NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nw_worker_terminate(nw_worker *worker);

/** Worker termination that has not happened after this long is given up. */
#define NW_WORKER_DESTROY_TIMEOUT_MS 5000

/**
 * Terminate the worker if it runs, wait until its last event was delivered
 * and a callback that is running has returned, and free the handle. NULL is
 * ignored.
 *
 * @return NW_OK; NW_EWEDGED when the thread, stuck in native code, did not
 *         end within NW_WORKER_DESTROY_TIMEOUT_MS: the handle is gone all the
 *         same and no callback will come, the thread is left behind;
 *         NW_EFORKED, and nothing was done.
 * Thread: any but the events thread. Blocks.
 */
NW_API nw_status nw_worker_destroy(nw_worker *worker);

NW_EXTERN_C_END

#endif

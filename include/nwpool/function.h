/**
 * @file nwpool/function.h
 * C on a JavaScript thread: functions that scripts call, and workers whose body
 * is a C function.
 *
 * A registered function is there in every worker of every pool and of
 * nw_worker_create(), as `nwpool.functions.NAME(...)`; workers that scripts
 * start themselves find it in `process._linkedBinding('nwpool').functions`.
 * A name that is not registered is a TypeError, but for `then` and `toJSON`,
 * which JavaScript itself looks for; `NAME in nwpool.functions` and
 * Object.keys() say what there is. A call with more than NW_TASK_ARGUMENTS_MAX
 * (64) arguments, or nested too deeply, is a RangeError, one with a value that
 * cannot be passed a TypeError, thrown at once also where a promise would be
 * returned.
 *
 * Arguments and results may be of any type, but there is no transfer list:
 * bytes are copied, lent ones in a result move, and ports and other objects
 * that must be transferred are refused.
 *
 * Who owns what
 *   Arguments are borrowed for the call. A result is made in the call's own
 *   document.
 * Which thread
 *   A function runs on the thread of the worker that calls it, several at the
 *   same time if several workers call. While it runs that worker does nothing
 *   else: no timer, no message, and terminate() cannot reach it. Functions of
 *   this library that wait for that worker must not be called there.
 */
#ifndef NWPOOL_FUNCTION_H
#define NWPOOL_FUNCTION_H

#include <nwpool/error.h>
#include <nwpool/value.h>
#include <nwpool/worker.h>

NW_EXTERN_C_BEGIN

/** The outcome that a promise waits for. Opaque; see nw_call.deferred. */
typedef struct nw_deferred nw_deferred;

/** One call of a C function. Borrowed: dead once the function returns. */
typedef struct nw_call {
    const char *function; /**< The name it was called by. */
    const nw_value *const *arguments;
    size_t argument_count;
    nw_doc *doc;     /**< Holds the arguments; make the result here. */
    uint64_t task;   /**< Id of the pool's task that runs; 0: none. */
    uint32_t worker; /**< Number of the worker, as nw_result.worker has it;
                          0 in a worker that a script started. */

    /** NULL unless the function was registered with `promise`. Then JavaScript
     *  has got a promise, and somebody must settle this exactly once, with
     *  nw_deferred_resolve() or nw_deferred_reject(), on any thread, at any
     *  time, also before the function returns, also after the worker ended.
     *  Until then the worker is kept alive as by any pending work. One that is
     *  never settled is never freed, and its function never released. */
    nw_deferred *deferred;
} nw_call;

/**
 * A function that scripts can call.
 *
 * @return the result, a value of `call->doc`; NULL is undefined, or an
 *         exception if the document is marked as failed. With `promise` it is
 *         ignored.
 * Thread: of the worker that calls it, with no lock held.
 */
typedef nw_value *nw_function_cb(const nw_call *call, void *user_data);

/** What a function is registered with. Zero means default. */
typedef struct nw_function_options {
    size_t struct_size;       /**< sizeof(nw_function_options). */
    nw_function_cb *function; /**< Required. */
    void *user_data;
    bool promise; /**< Calls return a promise; see nw_call.deferred. */

    /** Called once, with user_data, when the function was taken away, no call
     *  of it runs any more and no promise of it waits. May be NULL. Thread:
     *  any. */
    void (*release)(void *user_data);
} nw_function_options;

/** Longest name of a function, in bytes. */
#define NW_FUNCTION_NAME_BYTES_MAX 255

/** Most functions at a time. */
#define NW_FUNCTIONS_MAX 4096

/**
 * Register a function under a name. It is there at once, also in workers that
 * run already.
 *
 * @param name  a JavaScript property name, UTF-8; copied.
 * @return NW_OK; NW_EALREADY when the name is taken: unregister it first;
 *         NW_EINVAL: no function, a name that is NULL, empty or not UTF-8;
 *         NW_ELIMIT: a name that is too long, or too many functions; NW_ENOMEM;
 *         NW_EFORKED. nw_status_detail() has the sentence.
 * Thread: any.
 */
NW_API nw_status nw_function_register(const char *name,
                                      const nw_function_options *options);

/**
 * Take a function away. Scripts that call it from now on get a TypeError; calls
 * that run go on, and promises that wait can still be settled.
 *
 * @return NW_OK; NW_ENOENT when there is none of that name; NW_EINVAL;
 *         NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nw_function_unregister(const char *name);

/**
 * In a function that is no promise: let its call throw an Error of that class
 * (see nw_value_error()). `code` may be NULL. In one that is a promise it does
 * nothing: reject the promise.
 *
 * @return NULL, for `return nw_call_throw(...)`.
 * Thread: of the call.
 */
NW_API nw_value *nw_call_throw(const nw_call *call, const char *name,
                               const char *code, const char *message);

/** The same with a value, of `call->doc`, that is thrown as it is. */
NW_API nw_value *nw_call_throw_value(const nw_call *call, nw_value *value);

/**
 * Settle a promise. `value` (NULL: undefined) is copied; lent bytes in it move.
 * The deferred is gone afterwards, unless this fails. When the worker has ended
 * meanwhile the value is dropped.
 *
 * @return NW_OK; NW_EINVAL for NULL; NW_EINVAL, NW_ELIMIT, NW_ECLONE, NW_ENOMEM
 *         or the mark of the document: nothing happened, settle it again or
 *         otherwise; NW_EFORKED.
 * Thread: any.
 */
NW_API nw_status nw_deferred_resolve(nw_deferred *deferred,
                                     const nw_value *value);

/** Reject it with any value, usually of nw_value_error(). As above. */
NW_API nw_status nw_deferred_reject(nw_deferred *deferred,
                                    const nw_value *reason);

/* -- C functions as the body of a worker */

/** Node-API's types; <node_api.h> declares the same. */
typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;

/**
 * What a worker's body works with (nw_worker_options.body). It runs on the
 * worker's thread, inside a handle scope, once, in the place of a script: when
 * it returns the event loop runs until nothing keeps it alive, and what it
 * left there (timers, listeners, functions made with Node-API) goes on being
 * called. An exception that is pending when it returns is an uncaught error of
 * the worker.
 *
 * Values are valid until the body returns; keep them with
 * napi_create_reference().
 */
struct nw_body {
    size_t struct_size;
    napi_env env;
    napi_value require;     /**< Function: require(specifier). */
    napi_value import;      /**< Function: import(specifier), a promise. */
    napi_value worker_data; /**< workerData. */
    napi_value parent_port; /**< parentPort. */
    uint32_t worker;        /**< Number, as nw_call.worker. */
};

NW_EXTERN_C_END

#endif

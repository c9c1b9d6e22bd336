/**
 * @file nwpool/runtime.h
 * The one Node.js runtime of a process.
 *
 * Who owns what
 *   There is one runtime a process. It starts with the first pool, worker or
 *   channel, or explicitly, and stays until the process ends or
 *   nw_runtime_stop().
 *   Every library in the process that uses nwpool shares it.
 * What it does to your process
 *   See docs/embedding.md: threads, signals, descriptors, environment, fork(),
 *   exit. In short: threads of its own, signals and stdio left alone, nothing
 *   works in a fork() child, and returning from main() with busy workers is
 *   fine.
 */
#ifndef NWPOOL_RUNTIME_H
#define NWPOOL_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include <nwpool/status.h>

NW_EXTERN_C_BEGIN

/** Settings of the runtime. Zero in any field means its default. */
typedef struct nw_runtime_options {
    size_t struct_size; /**< sizeof(nw_runtime_options). */

    /** The `node` whose installed packages require() finds and that
     *  child_process.fork() runs. Default: the one found when nwpool was
     *  built, normally /usr/bin/node. Need not exist. */
    const char *node_path;

    /** V8's helper threads, shared by all workers. Default 4, at most 64. */
    uint32_t platform_threads;

    /** NULL-terminated list of Node or V8 options, such as
     *  "--stack-trace-limit=50". They hold for the whole process, so they can
     *  be given only here. Default: none; NODE_OPTIONS is ignored. */
    const char *const *node_options;

    /** How long the end of the process waits for busy workers before it goes
     *  on without them, in milliseconds. Default 2000. */
    uint32_t exit_timeout_ms;
} nw_runtime_options;

/** Where the runtime is in its one life. */
typedef enum nw_runtime_state {
    NW_RUNTIME_NEW,     /**< Never started. */
    NW_RUNTIME_RUNNING, /**< Started. */
    NW_RUNTIME_FAILED,  /**< Could not start; nw_runtime_error() says why. */
    NW_RUNTIME_STOPPED  /**< Stopped, or stopping: cannot start again. */
} nw_runtime_state;

/**
 * Start Node.js now instead of at first use, or with other options than the
 * default ones. Takes some 100 ms.
 *
 * @param options  copied; NULL for the defaults.
 * @return NW_OK; NW_EALREADY when it runs already, which is harmless: the
 *         running one serves everybody, with the options it was started with;
 *         NW_ESTOPPED after a stop; NW_EFORKED in a fork() child; NW_ENODE
 *         when Node.js could not start, with the reason in nw_runtime_error();
 *         NW_EINVAL; NW_ENOMEM.
 * Thread: any. Blocks.
 */
NW_API nw_status nw_runtime_start(const nw_runtime_options *options);

/**
 * Stop Node.js for good. Not needed before the process ends.
 *
 * @return NW_OK, also when it never ran; NW_EBUSY while pools, ports, or
 *         workers that have not ended are left: destroy them first;
 *         NW_ETIMEDOUT when a worker stuck in native code does not end within
 *         `timeout_ms`; it is left behind then; NW_EWEDGED when everything has
 *         stopped but workers whose heap was exhausted, which stay until the
 *         process ends; NW_EFORKED.
 * Thread: any, but not from inside a callback. Blocks.
 */
NW_API nw_status nw_runtime_stop(uint32_t timeout_ms);

/** Where the runtime is. Thread: any. */
NW_API nw_runtime_state nw_runtime_get_state(void);

/**
 * One sentence on why the runtime could not start, "" if nothing failed. It
 * is written once and stays. Thread: any.
 */
NW_API const char *nw_runtime_error(void);

/** Version of Node.js that this library runs, such as "v18.20.4".
 *  Thread: any. */
NW_API const char *nw_runtime_node_version(void);

NW_EXTERN_C_END

#endif

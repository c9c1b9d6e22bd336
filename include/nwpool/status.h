/**
 * @file nwpool/status.h
 * What a call returned, and how a task ended.
 */
#ifndef NWPOOL_STATUS_H
#define NWPOOL_STATUS_H

#include <stdint.h>

#include <nwpool/export.h>

NW_EXTERN_C_BEGIN

/** A timeout in milliseconds that never ends. */
#define NW_WAIT_FOREVER UINT32_MAX

/**
 * Every status, its number and its message, in one table. Numbers are part of
 * the ABI: append, never renumber. Zero is success; every failure is negative.
 */
#define NW_STATUS_MAP(X)                                                       \
    X(OK, 0, "success")                                                        \
    X(EINVAL, -1, "invalid argument")                                          \
    X(ENOMEM, -2, "out of memory")                                             \
    X(EFULL, -3, "the queue is full")                                          \
    X(ECLOSED, -4, "the pool, worker or port is closed")                       \
    X(ENOENT, -5, "no such task, function or message")                         \
    X(EBUSY, -6, "still in use")                                               \
    X(ECRASHED, -7, "the worker died while running the task")                  \
    X(ETIMEDOUT, -8, "timed out")                                              \
    X(ECANCELED, -9, "canceled")                                               \
    X(ETHROWN, -10, "the task threw or rejected")                              \
    X(ECLONE, -11, "the value cannot be cloned")                               \
    X(EMODULE, -12, "the module or function cannot be loaded")                 \
    X(EFAILED, -13, "the pool has failed")                                     \
    X(EALREADY, -14, "already running, registered or attached")                \
    X(ESTOPPED, -15, "Node.js was stopped and cannot start again")             \
    X(EFORKED, -16, "the process was forked after Node.js had started")        \
    X(ENODE, -17, "Node.js could not start")                                   \
    X(EPROTO, -18, "malformed message")                                        \
    X(ETYPE, -19, "a value of this type is not supported here")                \
    X(ELIMIT, -20, "a fixed limit was exceeded")                               \
    X(EIO, -21, "input or output error")                                       \
    X(EWEDGED, -22, "a thread is stuck in native code and was left behind")    \
    X(EEXPIRED, -23, "expired before it could start")

/** Success or the kind of failure; see NW_STATUS_MAP for the texts. */
typedef enum nw_status {
#define NW_X(name, number, message) NW_##name = number,
    NW_STATUS_MAP(NW_X)
#undef NW_X
} nw_status;

/**
 * The message of a status, in English, without a full stop; never NULL.
 * An unknown number gives "unknown status".
 *
 * Thread: any.
 */
NW_API const char *nw_status_message(nw_status status);

/**
 * The name of a status as in the source, such as "NW_EFULL"; never NULL.
 *
 * Thread: any.
 */
NW_API const char *nw_status_name(nw_status status);

/**
 * One sentence on why the last call of this library that failed on this thread
 * did so: what was wrong, where, and what to do. "" when there is nothing to
 * add to nw_status_message(). Read it before the next call.
 *
 * Thread: any; each has its own.
 */
NW_API const char *nw_status_detail(void);

NW_EXTERN_C_END

#endif

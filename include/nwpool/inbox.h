/**
 * @file nwpool/inbox.h
 * Where the callbacks of workers and ports run.
 *
 * Without an inbox they come from one events thread of the library. An inbox
 * brings them to a thread of yours instead: one that polls, one that waits in
 * epoll for a descriptor, or one that runs a libuv loop.
 *
 * Who owns what
 *   The caller owns the inbox. Workers and ports that deliver to it keep it
 *   busy: destroy them first.
 * Which thread
 *   One thread at a time may poll, run or dispatch an inbox; callbacks run
 *   there. Everything else is for any thread.
 */
#ifndef NWPOOL_INBOX_H
#define NWPOOL_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include <nwpool/status.h>

NW_EXTERN_C_BEGIN

/** An inbox. Opaque; make one with nw_inbox_create(). */
typedef struct nw_inbox nw_inbox;

/** A libuv loop, `uv_loop_t` of <uv.h>. */
struct uv_loop_s;

/** A new, empty inbox. NW_OK; NW_EINVAL; NW_ENOMEM; NW_EIO without a
 *  descriptor. Thread: any. */
NW_API nw_status nw_inbox_create(nw_inbox **out);

/**
 * Run the callbacks that are waiting; if there are none, wait for the first.
 *
 * @param timeout_ms  0 only looks; NW_WAIT_FOREVER waits without a bound.
 * @return NW_OK: at least one ran, or was found to be wanted by nobody any
 *         more. NW_ETIMEDOUT: none came. NW_EBUSY: another thread, or a
 *         callback of this one, polls it. NW_EINVAL; NW_EFORKED.
 * Thread: the inbox's. Blocks.
 */
NW_API nw_status nw_inbox_poll(nw_inbox *inbox, uint32_t timeout_ms);

/**
 * Run callbacks until nothing that is ref'd delivers here any more: workers
 * that have not ended, ports that are listened to and not closed. This is how
 * Node.js decides when a program is over; nw_worker_unref() and nw_port_unref()
 * take something out of the count.
 *
 * @return NW_OK: nothing is left. NW_ETIMEDOUT. NW_EBUSY; NW_EINVAL;
 *         NW_EFORKED as nw_inbox_poll().
 * Thread: the inbox's. Blocks.
 */
NW_API nw_status nw_inbox_run(nw_inbox *inbox, uint32_t timeout_ms);

/**
 * A descriptor that is readable while callbacks are waiting: for epoll, poll or
 * select. Call nw_inbox_poll(inbox, 0) then; do not read or close it. -1 for
 * NULL. Thread: any.
 */
NW_API int nw_inbox_fd(const nw_inbox *inbox);

/**
 * Run the callbacks on a libuv loop instead of polling. The loop is kept alive
 * while something that is ref'd delivers here, as nw_inbox_run() is.
 *
 * @param loop  NULL: leave the loop again. The loop must run once more for
 *              libuv to forget the handle, as with any handle that is closed.
 * @return NW_OK; NW_EALREADY when it is on a loop; NW_EINVAL; NW_ENOMEM;
 *         NW_EIO when libuv refuses; NW_EFORKED.
 * Thread: the loop's, which is the inbox's from then on.
 */
NW_API nw_status nw_inbox_attach(nw_inbox *inbox, struct uv_loop_s *loop);

/** True while something that is ref'd delivers here; false in a fork() child.
 *  Thread: any. */
NW_API bool nw_inbox_is_alive(const nw_inbox *inbox);

/**
 * Free an inbox, and leave its loop if it is on one, as nw_inbox_attach() with
 * NULL does. NULL is ignored.
 *
 * @return NW_OK; NW_EBUSY while a worker or port delivers to it, or while it
 *         is polled, and NW_EFORKED: nothing was done.
 * Thread: the inbox's.
 */
NW_API nw_status nw_inbox_destroy(nw_inbox *inbox);

NW_EXTERN_C_END

#endif

/**
 * @file nwpool/port.h
 * Ends of a MessageChannel, driven from C.
 *
 * Both ends are Node's own MessagePorts. An end that C keeps lives in the
 * library's control environment; one that is handed over in a message, in a
 * worker's workerData or in a task is an ordinary MessagePort there. Two ends
 * that were given to two workers talk to each other without passing through C.
 *
 * Who owns what
 *   The caller owns a port from create or take to destroy, and must destroy it
 *   before nw_runtime_stop(), also when it is closed. A port that was
 *   transferred is empty: every call but destroy returns NW_ECLOSED.
 * Order
 *   Messages of one port arrive in the order in which they were posted, each
 *   once. Messages posted before a close arrive before it.
 * Which thread
 *   Everything may be called from any thread. Callbacks come from the events
 *   thread, or from the inbox that was named, and never from inside a call.
 */
#ifndef NWPOOL_PORT_H
#define NWPOOL_PORT_H

#include <nwpool/error.h>
#include <nwpool/inbox.h>
#include <nwpool/value.h>

NW_EXTERN_C_BEGIN

/** One end of a channel. Opaque. */
typedef struct nw_port nw_port;

/** What happened at a port. New events are appended. */
typedef enum nw_port_event_type {
    NW_PORT_MESSAGE,       /**< The other end posted `value`. */
    NW_PORT_MESSAGE_ERROR, /**< A message that cannot be read here, or one of
                                ours that could not be posted; `error` says
                                which and why. */
    NW_PORT_CLOSE          /**< The channel is closed; the last event. */
} nw_port_event_type;

/** An event. Borrowed: dead once the callback returns. */
typedef struct nw_port_event {
    nw_port_event_type type;
    nw_port *port;
    const nw_value *value;
    const nw_error *error;
} nw_port_event;

/**
 * Receives a port's events.
 *
 * Thread: the events thread or the inbox's, with no lock held. Any function may
 * be called; on the events thread not nw_port_destroy(), which would wait for
 * this very callback.
 */
typedef void nw_port_event_cb(const nw_port_event *event, void *user_data);

/**
 * `new MessageChannel()`: two ports, linked to each other. Starts the runtime
 * if it does not run.
 *
 * @return NW_OK; NW_EINVAL; NW_ENOMEM; and what nw_runtime_start() returns.
 *         Both are NULL on failure.
 * Thread: any. Blocks for a turn of the control thread.
 */
NW_API nw_status nw_channel_create(nw_port **port1, nw_port **port2);

/**
 * `new BroadcastChannel(name)`: what is posted reaches all others of that name,
 * in every worker. It behaves as a port but cannot be transferred, and receives
 * from the start, as in Node.js: what comes while nobody listens is dropped.
 *
 * Returns and thread as nw_channel_create().
 */
NW_API nw_status nw_broadcast_create(nw_port **out, const char *name);

/**
 * A port that arrived in a message, result or argument. The value is empty
 * afterwards.
 *
 * @return NW_OK; NW_ETYPE when it is no port, or was taken or transferred
 *         already; NW_EINVAL; NW_ENOMEM; NW_EFORKED; NW_ESTOPPED.
 * Thread: owner of the document.
 */
NW_API nw_status nw_value_take_port(nw_value *value, nw_port **out);

/**
 * A value that stands for a port of C's, to be put into a message, a worker's
 * workerData or a task's arguments, and into its transfer list. The port stays
 * the caller's to destroy. Calls of C functions have no such list.
 *
 * NULL and the mark NW_EINVAL for a port that is closed, transferred or a
 * BroadcastChannel.
 * Thread: owner of the document.
 */
NW_API nw_value *nw_value_port(nw_doc *doc, nw_port *port);

/**
 * Say who hears of the port's events, and start it, as `port.on('message')`
 * does. Until then its messages wait. The port is ref'd from then on.
 *
 * @param on_event  NULL: nobody; the port is unref'd and messages wait again.
 * @param inbox     where it runs; NULL: the events thread.
 * @return NW_OK; NW_ECLOSED; NW_EINVAL; NW_ENOMEM; NW_EFORKED.
 * Events that were on their way to an earlier callback may still reach that, on
 * its inbox.
 * Thread: any. Blocks for a turn of the control thread with NULL.
 */
NW_API nw_status nw_port_listen(nw_port *port, nw_port_event_cb *on_event,
                                void *user_data, nw_inbox *inbox);

/** `port.start()`: messages are received from now on, and dropped while nobody
 *  listens. NW_OK; NW_ECLOSED; NW_EINVAL; NW_ENOMEM; NW_EFORKED.
 *  Thread: any. */
NW_API nw_status nw_port_start(nw_port *port);

/**
 * `port.postMessage(value, transferList)`.
 *
 * @param value     copied; lent bytes in it move, see nw_value_bytes_lend().
 * @param transfer  `transfer_count` values that move instead of being copied:
 *                  bytes, ports, and other objects that allow it. They are
 *                  empty on this side afterwards, also when `value` does not
 *                  contain them. May be NULL.
 * @return NW_OK; NW_ECLOSED for a port that is closed here or transferred (the
 *         other end may have closed meanwhile: that is an event); NW_ECLONE
 *         when the port is sent through itself, and NW_EINVAL, NW_ELIMIT,
 *         NW_ENOMEM, NW_EFORKED and others as nw_worker_post(). On failure
 *         nothing has moved; nw_status_detail() has the sentence, where there
 *         is more to say than the status does. A channel whose other end is
 *         sent through it is lost, as in Node.js.
 * Thread: any that owns the documents.
 */
NW_API nw_status nw_port_post(nw_port *port, const nw_value *value,
                              const nw_value *const *transfer,
                              size_t transfer_count);

/**
 * `receiveMessageOnPort(port)`: take the oldest message now. No callback is
 * called for it.
 *
 * @param doc  receives the message; not emptied before.
 * @param out  the message in it, NULL on failure.
 * @return NW_OK; NW_ENOENT: there is none; NW_ENOMEM: call again, with a
 *         document that is not marked (only what moves with a message is lost);
 *         NW_ECLOSED; NW_EINVAL; NW_EFORKED; and what reading a message may
 *         give: NW_ETYPE, NW_ELIMIT, NW_EPROTO. Then that message is gone.
 * Thread: any. Blocks for a turn of the control thread.
 */
NW_API nw_status nw_port_receive(nw_port *port, nw_doc *doc,
                                 const nw_value **out);

/** `port.close()`: no message is sent from now on at either end; what was
 *  posted before still arrives at the other. CLOSE follows at both. NW_OK, also
 *  when it is closed; NW_ECLOSED when it was transferred; NW_EINVAL; NW_ENOMEM;
 *  NW_EFORKED. Thread: any. */
NW_API nw_status nw_port_close(nw_port *port);

/** Whether the port keeps nw_inbox_run(), or the loop of its inbox, going; see
 *  there. NW_OK; NW_ECLOSED; NW_EINVAL; NW_EFORKED. Thread: any. */
NW_API nw_status nw_port_ref(nw_port *port);
NW_API nw_status nw_port_unref(nw_port *port);

/** True when it is ref'd; false for a port that is closed. Thread: any. */
NW_API bool nw_port_has_ref(const nw_port *port);

/**
 * Close the port unless it was transferred, and free it. When this returns no
 * callback of it runs or will run. NULL is ignored. NW_OK; NW_EFORKED, and
 * nothing was done.
 *
 * Thread: the inbox's if it has one, also from inside a callback; else any but
 * the events thread. Blocks while its callback runs on the events thread.
 */
NW_API nw_status nw_port_destroy(nw_port *port);

NW_EXTERN_C_END

#endif

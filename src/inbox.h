// Where events go: to an inbox of the user's, or, for NULL, to the events
// thread. All of these take NULL. Thread: any.

#ifndef NW_SRC_INBOX_H
#define NW_SRC_INBOX_H

#include <nwpool/inbox.h>

#include "src/serial.h"

// Never fails. Events of one poster run in the order in which they came.
void nw__inbox_post(nw_inbox *inbox, struct nw__event *event);

// True where waiting for an event would never end: on the thread that runs one
// of this inbox, or on the events thread.
bool nw__inbox_is_current(nw_inbox *inbox);

// Somebody delivers here, or does no more: an inbox in use is not destroyed.
// Events that were posted before the last release still run, at the latest when
// the inbox is destroyed; they see that nobody wants them.
void nw__inbox_acquire(nw_inbox *inbox);
void nw__inbox_release(nw_inbox *inbox);

// One more, or one less, that keeps nw_inbox_run() and the inbox's loop going.
void nw__inbox_ref(nw_inbox *inbox);
void nw__inbox_unref(nw_inbox *inbox);

#endif

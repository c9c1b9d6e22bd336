// SIGINT and SIGTERM: the first asks a run to come to an end, the second ends
// the process.

#ifndef NWPOOL_BATCH_SIGNALS_H
#define NWPOOL_BATCH_SIGNALS_H

// Called once, with the number of the first signal.
//
// Thread: the signals thread, with no lock held.
typedef void nwpool_batch_signals_cb(int number, void *user_data);

// Blocks both signals in this thread, and so in all that it will start, and
// starts a thread that waits for them. Call it before any other thread is
// started. What the process was started to ignore (as under nohup) stays
// ignored. 0 or an errno.
int nwpool_batch_signals_start(nwpool_batch_signals_cb *on_signal,
                               void *user_data);

// Ends the waiting: no callback comes from now on, and a signal ends the
// process again.
void nwpool_batch_signals_stop(void);

#endif

// One line on a terminal that says how far the run is.

#ifndef NWPOOL_BATCH_PROGRESS_H
#define NWPOOL_BATCH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "batch/base.h"

// Where a run stands.
struct nwpool_batch_counts {
    uint64_t done; // Failed ones included.
    uint64_t failed;
    uint64_t running;
    uint64_t taken;  // Inputs read.
    int64_t total;   // Of inputs; -1 when unknown.
    double fraction; // Of the input that was read, 0 to 1; -1 when unknown.
};

// Fills in the counts. Thread: the progress thread, with no lock held.
typedef void nwpool_batch_counts_cb(struct nwpool_batch_counts *counts,
                                    void *user_data);

struct nwpool_batch_progress;

// Starts to draw on `file` ten times a second. NULL when that cannot be done;
// the others take NULL and draw nothing.
struct nwpool_batch_progress *
nwpool_batch_progress_start(FILE *file, nwpool_batch_counts_cb *read_counts,
                            void *user_data);

// Erases the line and ends the drawing. Frees it.
void nwpool_batch_progress_stop(struct nwpool_batch_progress *progress);

// Erases the line so that something else can be printed; it comes back with
// the next drawing. Thread: any.
void nwpool_batch_progress_erase(struct nwpool_batch_progress *progress);

// The line for these counts, at most `width` characters: what matters less is
// left out when it would not fit. `rate` is inputs a second, 0 when unknown.
void nwpool_batch_progress_format(struct nwpool_batch_text *out,
                                  const struct nwpool_batch_counts *counts,
                                  double rate, size_t width);

// "0.34 s", "12 s", "3:07" or "2:03:07".
void nwpool_batch_duration_format(struct nwpool_batch_text *out,
                                  double seconds);

// "0.3/s", "17/s", "12,345/s": as many digits as mean something.
void nwpool_batch_rate_format(struct nwpool_batch_text *out, double rate);

#endif

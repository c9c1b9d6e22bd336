// Where lines go: a ring that puts them in order, and a thread that writes
// them to a file, a pipe or a terminal.

#ifndef NWPOOL_BATCH_OUTPUT_H
#define NWPOOL_BATCH_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/job.h"

// Says that lines have left the ring: `taken` of them since the beginning.
// `error` is an errno as soon as one could not be written; lines are dropped
// from then on.
//
// Thread: the writer, with no lock held.
typedef void nwpool_batch_output_cb(uint64_t taken, int error, void *user_data);

struct nwpool_batch_output;

struct nwpool_batch_output_options {
    int fd; // Stays the caller's.
    enum nwpool_batch_order order;
    uint32_t lines_max; // The ring's size.
    nwpool_batch_output_cb *on_taken;
    void *user_data;
};

// Starts the writer. NULL and errno on failure.
struct nwpool_batch_output *
nwpool_batch_output_create(const struct nwpool_batch_output_options *options);

// Hands in the line of input `index`, which the output frees. No line may be
// handed in whose index is `lines_max` or more beyond what was taken, nor two
// of one index; that is asserted. Thread: any.
void nwpool_batch_output_put(struct nwpool_batch_output *output, uint64_t index,
                             char *line, size_t size);

// Waits until every line that was handed in has been written, and ends the
// writer. Returns how many lines are out, in full. Blocks.
uint64_t nwpool_batch_output_finish(struct nwpool_batch_output *output);

// Only after nwpool_batch_output_finish().
void nwpool_batch_output_destroy(struct nwpool_batch_output *output);

#endif

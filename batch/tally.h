// What a run has to say at its end: how many inputs ended how.

#ifndef NWPOOL_BATCH_TALLY_H
#define NWPOOL_BATCH_TALLY_H

#include <stdint.h>

#include <nwpool/pool.h>

#include "batch/base.h"
#include "batch/input.h"

// Failures that the summary shows; all are in the output.
#define NWPOOL_BATCH_TALLY_SHOWN 3

// Room for every status: their numbers run from 0 to -(this - 1).
#define NWPOOL_BATCH_TALLY_STATUSES 32

struct nwpool_batch_tally {
    uint64_t ok;
    uint64_t failed; // Bad inputs included.
    uint64_t bad_inputs;
    uint64_t by_status[NWPOOL_BATCH_TALLY_STATUSES];
    char *shown[NWPOOL_BATCH_TALLY_SHOWN]; // The first failures.
};

void nwpool_batch_tally_fini(struct nwpool_batch_tally *tally);

void nwpool_batch_tally_add_ok(struct nwpool_batch_tally *tally);

// `error` may be NULL: the status says it all then.
void nwpool_batch_tally_add_failure(struct nwpool_batch_tally *tally,
                                    uint64_t index, const char *echo,
                                    nw_status status, const nw_error *error);

void nwpool_batch_tally_add_bad_input(struct nwpool_batch_tally *tally,
                                      const struct nwpool_batch_item *item);

// Appends the summary's lines about failures; none if there were none. With
// `details` the first ones follow their number.
void nwpool_batch_tally_format(struct nwpool_batch_text *out,
                               const struct nwpool_batch_tally *tally,
                               bool details);

#endif

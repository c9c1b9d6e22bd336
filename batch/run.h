// Runs a job: inputs become tasks, results become output lines.

#ifndef NWPOOL_BATCH_RUN_H
#define NWPOOL_BATCH_RUN_H

#include <stdbool.h>

#include "batch/input.h"
#include "batch/job.h"

struct nwpool_batch_run_options {
    const char *trace; // File, or NULL.
    bool progress;     // If standard error is a terminal.
    bool summary;
};

// Runs a valid job on an open input and says on standard error how it went.
// Returns the exit status (enum nwpool_batch_exit, or 128 plus the number of
// the signal that interrupted it). Blocks.
int nwpool_batch_run(const struct nwpool_batch_job *job,
                     struct nwpool_batch_input *input,
                     const struct nwpool_batch_run_options *options);

#endif

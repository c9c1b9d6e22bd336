// What a run says on standard error when it is over, and its exit status.

#ifndef NWPOOL_BATCH_REPORT_H
#define NWPOOL_BATCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/tally.h"

// Why a run read no further than it did.
enum nwpool_batch_stop {
    NWPOOL_BATCH_STOP_NOT,
    NWPOOL_BATCH_STOP_SIGNAL,
    NWPOOL_BATCH_STOP_POOL,  // It cannot run the module.
    NWPOOL_BATCH_STOP_INPUT, // It cannot be read.
    NWPOOL_BATCH_STOP_OUTPUT // It cannot be written.
};

// How a run went.
struct nwpool_batch_outcome {
    uint64_t taken;   // Inputs read.
    uint64_t ended;   // Inputs whose line was handed to the output.
    uint64_t written; // Lines that are out.
    struct nwpool_batch_tally tally;

    enum nwpool_batch_stop stop;
    bool input_over;  // The last input has been read.
    int signal;       // STOP_SIGNAL: its number.
    int output_error; // An errno, or 0.
    char *pool_error; // STOP_POOL: the reason; owned.
};

// What the report speaks about.
struct nwpool_batch_subject {
    const char *module;
    const char *output;      // NULL: standard output.
    const char *input_error; // STOP_INPUT.
    int64_t total;           // Inputs; -1 when unknown.
    double elapsed_s;
};

void nwpool_batch_outcome_fini(struct nwpool_batch_outcome *outcome);

// Prints counts and failures, then why the run was stopped, if it was; with
// `summary` false only the latter. Returns the exit status.
int nwpool_batch_report(const struct nwpool_batch_outcome *outcome,
                        const struct nwpool_batch_subject *subject,
                        bool summary);

// Prints "nwpool: " and a line; returns `status`.
int nwpool_batch_complain(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

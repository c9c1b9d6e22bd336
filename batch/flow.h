// Carries inputs through a pool: reads them, submits a task for each, and
// makes an output line of what comes back.

#ifndef NWPOOL_BATCH_FLOW_H
#define NWPOOL_BATCH_FLOW_H

#include <nwpool/pool.h>

#include "batch/input.h"
#include "batch/job.h"
#include "batch/output.h"
#include "batch/progress.h"
#include "batch/report.h"

struct nwpool_batch_flow;

// Never NULL. `job` and `input` must outlive the flow.
struct nwpool_batch_flow *
nwpool_batch_flow_create(const struct nwpool_batch_job *job,
                         struct nwpool_batch_input *input);

// Only when no task and no line is under way any more.
void nwpool_batch_flow_destroy(struct nwpool_batch_flow *flow);

// Reads and submits until the input ends or the flow is stopped, and returns;
// tasks are under way then. `output` is to report its lines to
// nwpool_batch_flow_lines_out(). Blocks.
void nwpool_batch_flow_feed(struct nwpool_batch_flow *flow, nwpool *pool,
                            struct nwpool_batch_output *output);

// Makes nwpool_batch_flow_feed() return, because of the signal `number`.
// Thread: any.
void nwpool_batch_flow_interrupt(struct nwpool_batch_flow *flow, int number);

// True once that has happened. Thread: any.
bool nwpool_batch_flow_interrupted(struct nwpool_batch_flow *flow);

// Says that lines have left the output: `taken` since the beginning. `error`
// is the errno of a failed write, or 0. Thread: the output's writer.
void nwpool_batch_flow_lines_out(struct nwpool_batch_flow *flow, uint64_t taken,
                                 int error);

// All counts but that of running tasks. Thread: any.
void nwpool_batch_flow_counts(struct nwpool_batch_flow *flow,
                              struct nwpool_batch_counts *counts);

// How it went so far. The caller may complete it, and owns it together with
// the flow, once the pool is drained and the output finished.
struct nwpool_batch_outcome *
nwpool_batch_flow_outcome(struct nwpool_batch_flow *flow);

#endif

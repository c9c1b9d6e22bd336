// The lines of the output: what became of one input, as JSON.
//
//   {"index":0,"ok":true,"input":...,"result":...}
//   {"index":1,"ok":false,"input":...,"status":"NW_ETHROWN","task":2,
//    "error":{"name":"SyntaxError","message":"...","stack":"..."}}
//
// Nothing in a line depends on which worker ran the task or how long it took,
// so that two runs of one job can be compared.

#ifndef NWPOOL_BATCH_RECORD_H
#define NWPOOL_BATCH_RECORD_H

#include <stdint.h>

#include <nwpool/pool.h>

#include "batch/base.h"
#include "batch/input.h"

// Status in the line of an input that never became a task.
#define NWPOOL_BATCH_BAD_INPUT "BAD_INPUT"

// How deep causes of causes are followed.
#define NWPOOL_BATCH_CAUSES_MAX 16

// Appends the line of a task that ended. Returns the status that the line
// tells: not NW_OK for a result that JSON cannot express. `*error` is the error
// that it tells, NULL with NW_OK; as long-lived as `result`.
nw_status nwpool_batch_record_result(struct nwpool_batch_text *out,
                                     uint64_t index, const char *echo,
                                     const nw_result *result,
                                     const nw_error **error);

// Appends the line of an input whose task the pool refused.
void nwpool_batch_record_refusal(struct nwpool_batch_text *out, uint64_t index,
                                 const char *echo, nw_status status);

// Appends the line of a bad input.
void nwpool_batch_record_bad_input(struct nwpool_batch_text *out,
                                   const struct nwpool_batch_item *item);

#endif

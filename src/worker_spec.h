// nw_worker_options as the glue wants them, and what is wrong with them.

#ifndef NW_SRC_WORKER_SPEC_H
#define NW_SRC_WORKER_SPEC_H

#include <nwpool/worker.h>

#include "src/control.h"

// Copies what the caller's struct has into `out`, which still borrows its
// strings. NW_EINVAL, with the sentence.
nw_status nw__worker_options_check(nw_worker_options *out,
                                   const nw_worker_options *options);

// The START command of a worker. What moves with workerData has moved into it
// on success. NW_ENOMEM, and what nw__wire_write() returns, with the sentence.
nw_status nw__start_command(uint32_t number, const nw_worker_options *options,
                            struct nw__command **out);

// The START command of a pool's worker. `pool` is the number by which scripts of
// its owner know it, 0 if that is C. NULL without memory.
struct nw__command *nw__start_lane_command(uint32_t number, const char *module,
                                           const char *directory,
                                           const nw_resource_limits *limits,
                                           bool tells_tasks, uint32_t pool);

// From the object that Node.js calls resourceLimits; 0 for what is not there.
void nw__limits_read(const nw_value *value, nw_resource_limits *out);

// `path` as seen from the working directory of now. To be freed. NW_ENOMEM.
nw_status nw__absolute_path(const char *path, char **out);

#endif

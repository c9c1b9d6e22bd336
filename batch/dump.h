// JSON text from json_t, on one line.

#ifndef NWPOOL_BATCH_DUMP_H
#define NWPOOL_BATCH_DUMP_H

#include <stddef.h>

#include <jansson.h>

#include "batch/base.h"

// Appends `json` without spaces, as JSON.stringify() does. A number has as few
// digits, from 15 on, as read back as the same double; jansson always writes
// 17, and so 0.1 as 0.10000000000000001.
void nwpool_batch_dump(struct nwpool_batch_text *out, const json_t *json);

// Appends a JSON string. Bytes that are no UTF-8 become U+FFFD, so what is
// written is always valid.
void nwpool_batch_dump_string(struct nwpool_batch_text *out, const char *data,
                              size_t size);

#endif

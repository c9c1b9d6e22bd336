// Where tasks come from: a list in the job file, lines of a file or of
// standard input, or names of files.

#ifndef NWPOOL_BATCH_INPUT_H
#define NWPOOL_BATCH_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "batch/job.h"
#include "batch/locate.h"

// Longest line that is read; a longer one is a bad input, not an end.
#define NWPOOL_BATCH_LINE_MAX ((size_t)256 << 20)

// How much of a line that cannot be read its output line shows, in bytes.
#define NWPOOL_BATCH_EXCERPT_MAX 200

// One input: the argument of a task, or why there is none.
struct nwpool_batch_item {
    uint64_t index; // From 0, in input order; bad inputs count.
    char *echo;     // JSON text of the input for its output line; owned.
    json_t *value;  // The argument; owned. NULL for a bad input.

    // -- a bad input only
    char *problem; // One sentence, with the place; owned.
    const char *source;
    struct nwpool_batch_place place; // Line 0: it has none.
    char *excerpt;                   // JSON string; owned.
};

void nwpool_batch_item_fini(struct nwpool_batch_item *item);

enum nwpool_batch_next {
    NWPOOL_BATCH_NEXT_ITEM,
    NWPOOL_BATCH_NEXT_END,
    NWPOOL_BATCH_NEXT_WOKEN, // `wake` became readable while waiting.
    NWPOOL_BATCH_NEXT_FAILED // nwpool_batch_input_error() says why.
};

struct nwpool_batch_input;

// Opens the input of a valid job: expands its patterns, or opens its file.
// NULL when that fails, and `problems` says why. `job` must outlive it.
struct nwpool_batch_input *
nwpool_batch_input_open(const struct nwpool_batch_job *job,
                        struct nwpool_batch_problems *problems);

void nwpool_batch_input_destroy(struct nwpool_batch_input *input);

// Reads the next input. `wake` is a descriptor that ends the wait for one when
// it becomes readable, or -1. Blocks.
enum nwpool_batch_next nwpool_batch_input_next(struct nwpool_batch_input *input,
                                               int wake,
                                               struct nwpool_batch_item *item);

// How many inputs there are in all, or -1 if only reading them will tell.
int64_t nwpool_batch_input_total(const struct nwpool_batch_input *input);

// True when the inputs can be read only once: they come from a pipe.
bool nwpool_batch_input_is_stream(const struct nwpool_batch_input *input);

// The name of what lines come from, for messages; "" for other inputs.
const char *nwpool_batch_input_name(const struct nwpool_batch_input *input);

// How much has been read, 0 to 1, or -1 where that is unknown.
double nwpool_batch_input_fraction(const struct nwpool_batch_input *input);

const char *nwpool_batch_input_error(const struct nwpool_batch_input *input);

#endif

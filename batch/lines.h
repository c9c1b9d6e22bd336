// Reads a file or a pipe line by line.

#ifndef NWPOOL_BATCH_LINES_H
#define NWPOOL_BATCH_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "batch/input.h"

// A line without its end. Borrowed: dead at the next call.
struct nwpool_batch_line {
    const char *data; // Followed by a NUL that is not part of it.
    size_t size;
    size_t number; // From 1.
    bool is_blank;
    bool is_too_long; // `data` is only its beginning, valid UTF-8 or not.
};

struct nwpool_batch_lines;

// "-" is standard input. Lines longer than `size_max` are not kept whole. NULL
// and errno on failure.
struct nwpool_batch_lines *nwpool_batch_lines_open(const char *file,
                                                   size_t size_max);

void nwpool_batch_lines_destroy(struct nwpool_batch_lines *lines);

// As nwpool_batch_input_next(). Blocks.
enum nwpool_batch_next nwpool_batch_lines_next(struct nwpool_batch_lines *lines,
                                               int wake,
                                               struct nwpool_batch_line *line);

// The name for messages.
const char *nwpool_batch_lines_name(const struct nwpool_batch_lines *lines);

// True for a file that can be read again, false for a pipe or a terminal.
bool nwpool_batch_lines_is_file(const struct nwpool_batch_lines *lines);

// How much of a file has been handed out, 0 to 1, or -1.
double nwpool_batch_lines_fraction(const struct nwpool_batch_lines *lines);

// Why reading failed; "" if it did not.
const char *nwpool_batch_lines_error(const struct nwpool_batch_lines *lines);

#endif

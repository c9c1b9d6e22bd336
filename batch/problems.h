// What is wrong with a job file, collected so that one look shows it all.

#ifndef NWPOOL_BATCH_PROBLEMS_H
#define NWPOOL_BATCH_PROBLEMS_H

#include <stddef.h>
#include <stdio.h>

#include "batch/base.h"
#include "batch/locate.h"

// Problems beyond this many are counted, not kept.
#define NWPOOL_BATCH_PROBLEMS_MAX 20

struct nwpool_batch_problem {
    struct nwpool_batch_place place; // Line 0: it has none.
    char *text;
};

// Zero-initialized is empty. In the order of their places; those without one
// come last, in the order in which they were added.
struct nwpool_batch_problems {
    struct nwpool_batch_problem kept[NWPOOL_BATCH_PROBLEMS_MAX];
    size_t count; // May be more than are kept.
};

void nwpool_batch_problems_fini(struct nwpool_batch_problems *problems);

// Adds "SOURCE:LINE:COLUMN: MESSAGE"; without a place "SOURCE: MESSAGE".
void nwpool_batch_problems_add(struct nwpool_batch_problems *problems,
                               const char *source,
                               const struct nwpool_batch_place *place,
                               const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Adds a problem that names its own place.
void nwpool_batch_problems_add_text(struct nwpool_batch_problems *problems,
                                    const char *text);

// All of them, one a line, and how many were not kept.
void nwpool_batch_problems_print(const struct nwpool_batch_problems *problems,
                                 FILE *file);

#endif

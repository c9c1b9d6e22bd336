// Parsing JSON text with errors that a person can act on.

#ifndef NWPOOL_BATCH_SYNTAX_H
#define NWPOOL_BATCH_SYNTAX_H

#include <stddef.h>

#include <jansson.h>

#include "batch/locate.h"

// Why a text is no JSON. `message` is the caller's to free.
struct nwpool_batch_syntax_error {
    struct nwpool_batch_place place;
    char *message;
};

// Any JSON value, an object or array as well as a bare number. `flags` are
// jansson's, added to what is always set. A new reference, or NULL and
// `error` filled; `error` is not touched otherwise.
json_t *nwpool_batch_syntax_parse(const char *text, size_t size, size_t flags,
                                  struct nwpool_batch_syntax_error *error);

#endif

// File names that match a pattern.

#ifndef NWPOOL_BATCH_PATHS_H
#define NWPOOL_BATCH_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "batch/base.h"

// A list of paths. Zero-initialized is empty.
struct nwpool_batch_paths {
    char **items;
    size_t count;
    size_t capacity;
};

void nwpool_batch_paths_fini(struct nwpool_batch_paths *paths);

// Takes over `path`.
void nwpool_batch_paths_push(struct nwpool_batch_paths *paths, char *path);

// Puts the paths in byte order and drops those that are there twice.
void nwpool_batch_paths_sort(struct nwpool_batch_paths *paths);

// Adds every regular file that matches `pattern`, in no order. A relative
// pattern is seen from `directory`, which is absolute and taken as it is, with
// no wildcards in it.
//
//   *  any characters of a name   ?  one character   [a-z]  one of a set
//   ** as a whole segment: any number of directories, none included
//   \  takes away the meaning of the character behind it
//
// A wildcard matches a leading dot too, as in `find -name`. Symbolic links are
// followed up to the first "**" and skipped from there on, so a link to a
// parent directory cannot make the walk endless.
//
// False and `error` filled when a directory cannot be read; a directory that
// is not there is no match.
bool nwpool_batch_paths_match(struct nwpool_batch_paths *paths,
                              const char *directory, const char *pattern,
                              struct nwpool_batch_text *error);

#endif

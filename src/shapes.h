// The shapes of the flat form (src/engine/flat.cc): lists of keys, known by a
// number to all environments of the process.

#ifndef NW_SRC_SHAPES_H
#define NW_SRC_SHAPES_H

#include <stddef.h>
#include <stdint.h>

#include <nwpool/export.h>

NW_EXTERN_C_BEGIN // flat.cc is C++.

// They stay until the process ends, as messages may name them.
#define NW__SHAPES_MAX      1024
#define NW__SHAPE_BYTES_MAX 4096

// The number of a list of keys, in whatever form, given now if it has none yet.
// -1: there are too many, it is too long, or there is no memory. Thread: any.
int32_t nw__shape_number(const void *keys, size_t size);

// The list, with its size; it stays. NULL: there is no such shape. Thread: any.
const void *nw__shape_keys(int32_t number, size_t *size);

NW_EXTERN_C_END

#endif

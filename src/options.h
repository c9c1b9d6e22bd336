// Options structs that start with `struct_size`, from callers of any age.

#ifndef NW_SRC_OPTIONS_H
#define NW_SRC_OPTIONS_H

#include <string.h>

#include <nwpool/status.h>

// No options struct will ever be larger; a larger number is garbage.
#define NW__OPTIONS_SIZE_MAX 4096

// Copies what the caller's struct has and zeroes the rest. A caller built
// against newer headers may have fields that we do not know: fine while they
// are zero, which means their default, else NW_EINVAL.
static inline nw_status nw__options_copy(void *to, size_t size,
                                         const void *from)
{
    const unsigned char *bytes = from;
    size_t given;

    memset(to, 0, size);
    if (from == NULL) {
        return NW_OK;
    }
    memcpy(&given, from, sizeof(given));
    if (given < sizeof(given) || given > NW__OPTIONS_SIZE_MAX) {
        return NW_EINVAL;
    }
    for (size_t i = size; i < given; i++) {
        if (bytes[i] != 0) {
            return NW_EINVAL;
        }
    }
    memcpy(to, from, given < size ? given : size);
    return NW_OK;
}

#endif

// common.h is C11; these are all that C++ needs of it.

#ifndef NW_SRC_ENGINE_ALLOC_H
#define NW_SRC_ENGINE_ALLOC_H

#include <stddef.h>

extern "C" {
void *nw__alloc(size_t size);
void *nw__realloc(void *old, size_t size);
void nw__free(void *memory);
}

#endif

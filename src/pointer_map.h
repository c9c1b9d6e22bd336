// A hash table from addresses to small numbers, for as long as one call lasts.
// An all-zero one is empty and has allocated nothing.

#ifndef NW_SRC_POINTER_MAP_H
#define NW_SRC_POINTER_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct nw__pointer_slot {
    const void *key; // NULL: free.
    uint32_t number;
    bool open; // For the owner's use.
};

struct nw__pointer_map {
    struct nw__pointer_slot *slots;
    uint32_t count;
    uint32_t capacity; // A power of two.
};

void nw__pointer_map_fini(struct nw__pointer_map *map);

// The slot of `key`, or NULL.
struct nw__pointer_slot *nw__pointer_map_find(const struct nw__pointer_map *map,
                                              const void *key);

// The slot of `key`; `*is_new` tells whether it was made, all zero but for the
// key. Valid until the next call of this. NULL without memory.
struct nw__pointer_slot *nw__pointer_map_add(struct nw__pointer_map *map,
                                             const void *key, bool *is_new);

#endif

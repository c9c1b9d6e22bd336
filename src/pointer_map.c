// Design notes.
//
// Open addressing, at most half full. Keys are addresses of things of 32 bytes
// and more, so their lowest bits say nothing.

#include "src/pointer_map.h"

#include <stddef.h>

#include "src/common.h"

#define CAPACITY_MIN 32
#define KEY_SHIFT    5

void nw__pointer_map_fini(struct nw__pointer_map *map)
{
    nw__free(map->slots);
}

// The slot of the key, or the free one where it belongs.
static struct nw__pointer_slot *slot_of(const struct nw__pointer_map *map,
                                        const void *key)
{
    uint64_t bits = (uint64_t)(uintptr_t)key >> KEY_SHIFT;
    uint32_t mask = map->capacity - 1;
    uint32_t at = (uint32_t)(bits * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;

    while (map->slots[at].key != NULL && map->slots[at].key != key) {
        at = (at + 1) & mask;
    }
    return &map->slots[at];
}

struct nw__pointer_slot *nw__pointer_map_find(const struct nw__pointer_map *map,
                                              const void *key)
{
    struct nw__pointer_slot *slot;

    if (map->count == 0) {
        return NULL;
    }
    slot = slot_of(map, key);
    return slot->key == NULL ? NULL : slot;
}

static bool map_grow(struct nw__pointer_map *map)
{
    struct nw__pointer_map larger = {.count = map->count};

    larger.capacity = map->capacity == 0 ? CAPACITY_MIN : map->capacity * 2;
    larger.slots =
        nw__alloc_zero((size_t)larger.capacity * sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].key != NULL) {
            *slot_of(&larger, map->slots[i].key) = map->slots[i];
        }
    }
    nw__free(map->slots);
    *map = larger;
    return true;
}

struct nw__pointer_slot *nw__pointer_map_add(struct nw__pointer_map *map,
                                             const void *key, bool *is_new)
{
    struct nw__pointer_slot *slot;

    if (map->count >= map->capacity / 2 && !map_grow(map)) {
        return NULL;
    }
    slot = slot_of(map, key);
    *is_new = slot->key == NULL;
    if (*is_new) {
        slot->key = key;
        map->count++;
    }
    return slot;
}

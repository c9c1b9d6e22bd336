// Maps and sets: lists in insertion order. Keys and items are not compared,
// for what equals what is JavaScript's affair; whoever receives them does.

#include <string.h>

#include "src/common.h"
#include "src/value.h"

static nw_value *collection_make(nw_doc *doc, nw_type type)
{
    nw_value *value = nw__value_new(doc, type);

    if (value != NULL) {
        value->as.collection.items = NULL;
        value->as.collection.capacity = 0;
    }
    return value;
}

nw_value *nw_value_map(nw_doc *doc)
{
    return collection_make(doc, NW_TYPE_MAP);
}

nw_value *nw_value_set(nw_doc *doc)
{
    return collection_make(doc, NW_TYPE_SET);
}

// Room for one more, of `width` values.
static nw_status collection_grow(nw_value *collection, size_t width)
{
    uint32_t capacity = collection->as.collection.capacity;
    size_t size = width * sizeof(nw_value *);
    nw_value **items;
    uint32_t next;

    if (collection->size < capacity) {
        return NW_OK;
    }
    next = nw__capacity_next(capacity);
    if (next == 0) {
        return nw__doc_fail(collection->doc, NW_ELIMIT);
    }
    items = nw__doc_grow(collection->doc, collection->as.collection.items,
                         capacity * size, next * size);
    if (items == NULL) {
        return NW_ENOMEM;
    }
    collection->as.collection.items = items;
    collection->as.collection.capacity = next;
    return NW_OK;
}

nw_status nw__map_append(nw_value *map, nw_value *key, nw_value *value)
{
    nw_status status = collection_grow(map, 2);
    size_t at = (size_t)map->size * 2;

    if (status == NW_OK) {
        map->as.collection.items[at] = key;
        map->as.collection.items[at + 1] = value;
        map->size++;
        nw__value_place(key);
        nw__value_place(value);
    }
    return status;
}

nw_status nw__set_append(nw_value *set, nw_value *item)
{
    nw_status status = collection_grow(set, 1);

    if (status == NW_OK) {
        set->as.collection.items[set->size++] = item;
        nw__value_place(item);
    }
    return status;
}

nw_status nw_map_push(nw_value *map, nw_value *key, nw_value *value)
{
    nw_status status = nw__child_check(map, NW_TYPE_MAP, key);

    if (status == NW_OK) {
        status = nw__child_check(map, NW_TYPE_MAP, value);
    }
    return status == NW_OK ? nw__map_append(map, key, value) : status;
}

nw_status nw_set_push(nw_value *set, nw_value *item)
{
    nw_status status = nw__child_check(set, NW_TYPE_SET, item);

    return status == NW_OK ? nw__set_append(set, item) : status;
}

const nw_value *nw_map_at(const nw_value *map, size_t index,
                          const nw_value **key)
{
    bool some = nw_value_type(map) == NW_TYPE_MAP && index < map->size;

    if (key != NULL) {
        *key = some ? map->as.collection.items[2 * index] : NULL;
    }
    return some ? map->as.collection.items[2 * index + 1] : NULL;
}

// From the last to the first: of equal keys the later pair wins.
const nw_value *nw_map_get(const nw_value *map, const char *key)
{
    size_t size = key == NULL ? 0 : strlen(key);

    if (key == NULL || nw_value_type(map) != NW_TYPE_MAP) {
        return NULL;
    }
    for (size_t i = map->size; i > 0; i--) {
        const nw_value *found = map->as.collection.items[2 * (i - 1)];

        if (found->type == NW_TYPE_STRING && found->size == size &&
            memcmp(found->as.text, key, size) == 0) {
            return map->as.collection.items[2 * (i - 1) + 1];
        }
    }
    return NULL;
}

const nw_value *nw_set_at(const nw_value *set, size_t index)
{
    return nw_value_type(set) == NW_TYPE_SET && index < set->size
               ? set->as.collection.items[index]
               : NULL;
}

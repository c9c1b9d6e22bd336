// Lock order: lock is a leaf.
//
// Each environment asks once for each shape, and remembers what it was told: the
// list is searched from its beginning.

#include "src/shapes.h"

#include <string.h>

#include "src/common.h"

struct shape {
    size_t size;
    char keys[];
};

static nw__mutex lock = NW__MUTEX_INIT;

// -- protected by lock; what is in it does not change any more.
static struct shape *shapes[NW__SHAPES_MAX];
static int32_t shape_count;

static int32_t find(const void *keys, size_t size)
{
    for (int32_t i = 0; i < shape_count; i++) {
        if (shapes[i]->size == size &&
            memcmp(shapes[i]->keys, keys, size) == 0) {
            return i;
        }
    }
    return -1;
}

static int32_t append(const void *keys, size_t size)
{
    struct shape *shape;

    if (shape_count == NW__SHAPES_MAX || size > NW__SHAPE_BYTES_MAX) {
        return -1;
    }
    shape = nw__alloc(sizeof(*shape) + size);
    if (shape == NULL) {
        return -1;
    }
    shape->size = size;
    memcpy(shape->keys, keys, size);
    shapes[shape_count] = shape;
    return shape_count++;
}

int32_t nw__shape_number(const void *keys, size_t size)
{
    int32_t number;

    nw__mutex_lock(&lock);
    number = find(keys, size);
    if (number < 0) {
        number = append(keys, size);
    }
    nw__mutex_unlock(&lock);
    return number;
}

const void *nw__shape_keys(int32_t number, size_t *size)
{
    const struct shape *shape = NULL;

    nw__mutex_lock(&lock);
    if (number >= 0 && number < shape_count) {
        shape = shapes[number];
    }
    nw__mutex_unlock(&lock);
    if (shape == NULL) {
        return NULL;
    }
    *size = shape->size;
    return shape->keys;
}

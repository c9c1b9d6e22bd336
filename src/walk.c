// Design notes.
//
// The frames move when the stack grows, so a pointer to a frame is valid only
// until the next push.

#include "src/walk.h"

#include <string.h>

#include "src/common.h"

void nw__walk_init(struct nw__walk *walk)
{
    walk->frames = walk->small;
    walk->count = 0;
    walk->capacity = NW__WALK_INLINE;
}

void nw__walk_fini(struct nw__walk *walk)
{
    if (walk->frames != walk->small) {
        nw__free(walk->frames);
    }
}

static nw_status walk_grow(struct nw__walk *walk)
{
    size_t size = walk->capacity * sizeof(*walk->frames);
    struct nw__walk_frame *frames;

    if (walk->frames == walk->small) {
        frames = nw__alloc(size * 4);
    } else {
        frames = nw__realloc(walk->frames, size * 4);
    }
    if (frames == NULL) {
        return NW_ENOMEM;
    }
    if (walk->frames == walk->small) {
        memcpy(frames, walk->small, size);
    }
    walk->frames = frames;
    walk->capacity *= 4;
    return NW_OK;
}

nw_status nw__walk_push(struct nw__walk *walk, struct nw__walk_frame **out)
{
    if (walk->count == NW_VALUE_DEPTH_MAX) {
        return NW_ELIMIT;
    }
    if (walk->count == walk->capacity && walk_grow(walk) != NW_OK) {
        return NW_ENOMEM;
    }
    *out = &walk->frames[walk->count++];
    memset(*out, 0, sizeof(**out));
    return NW_OK;
}

struct nw__walk_frame *nw__walk_top(struct nw__walk *walk)
{
    return walk->count == 0 ? NULL : &walk->frames[walk->count - 1];
}

void nw__walk_pop(struct nw__walk *walk)
{
    NW_ASSERT(walk->count > 0);

    walk->count--;
}

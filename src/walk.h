// A stack of open containers, for code that goes through a value without
// recursion: the thread of a caller may have a small stack.

#ifndef NW_SRC_WALK_H
#define NW_SRC_WALK_H

#include <nwpool/value.h>

struct nw__walk_frame {
    const nw_value *container;
    size_t index;  // Of the next child.
    void *partner; // What the container is converted to or from.
    void *cursor;  // The next child, where an index would not find it.
};

// Deep enough for almost all values, small enough for the caller's stack.
#define NW__WALK_INLINE 16

struct nw__walk {
    struct nw__walk_frame *frames; // == small, or of nw__alloc.
    uint32_t count;
    uint32_t capacity;
    struct nw__walk_frame small[NW__WALK_INLINE];
};

void nw__walk_init(struct nw__walk *walk);
void nw__walk_fini(struct nw__walk *walk);

// Pushes an empty frame. NW_ELIMIT beyond NW_VALUE_DEPTH_MAX, NW_ENOMEM.
nw_status nw__walk_push(struct nw__walk *walk, struct nw__walk_frame **out);

// The innermost frame, or NULL.
struct nw__walk_frame *nw__walk_top(struct nw__walk *walk);

void nw__walk_pop(struct nw__walk *walk);

#endif

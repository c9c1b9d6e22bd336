// What will travel beside a message that is being written: bytes that move
// instead of being copied, and references.
//
// Until nw__cargo_load() nothing has changed hands.

#ifndef NW_SRC_WIRE_CARGO_H
#define NW_SRC_WIRE_CARGO_H

#include "src/pointer_map.h"
#include "src/value.h"
#include "src/wire.h"

// All-zero is empty.
struct nw__cargo {
    nw_value **moving; // Roots of bytes, in the order of their blob index.
    uint32_t moving_count;
    uint32_t moving_capacity;
    struct nw__attached *refs; // In the order of their index; not counted yet.
    uint32_t refs_count;
    uint32_t refs_capacity;
    struct nw__pointer_map indices; // Of roots that were listed, and of refs.
};

void nw__cargo_fini(struct nw__cargo *cargo);

// Takes what the list names. Returns as nw__wire_write(); *detail is set on
// failure, or NULL when the status says it all.
nw_status nw__cargo_list(struct nw__cargo *cargo,
                         const struct nw__wire_transfer *transfer,
                         const char **detail);

// Finds out whether bytes move, because they are listed or lent: then *moves is
// true and *index their place. Once for each lent value. NW_ENOMEM.
nw_status nw__cargo_take_bytes(struct nw__cargo *cargo, const nw_value *root,
                               bool *moves, uint32_t *index);

// The index of a reference, which joins if it is new. NW_ENOMEM.
nw_status nw__cargo_take_ref(struct nw__cargo *cargo, struct nw__ref *ref,
                             uint32_t *index);

// NW_OK when the object may be part of the message; NW_ECLONE and *detail when
// it is gone, or must move and is not listed.
nw_status nw__cargo_check_host(const struct nw__cargo *cargo,
                               const nw_value *value, const char **detail);

// Gives all of it to a message with nothing beside it, and with nobody but the
// message from then on. NW_ENOMEM, or NW_ECLONE (somebody else was faster with
// an object): nothing changed hands, and nothing is beside the message that its
// fini would not free.
nw_status nw__cargo_load(struct nw__cargo *cargo, struct nw__message *message,
                         const char **detail);

#endif

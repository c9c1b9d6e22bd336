// A message: bytes in V8's structured-clone format plus what travels beside
// them. It owns both. Position independent: nothing in `data` points anywhere.
//
// Small messages live inside the struct; a task of a few numbers costs no
// allocation beyond its own record.

#ifndef NW_SRC_MESSAGE_H
#define NW_SRC_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <nwpool/value.h>

#include "src/ref.h"

NW_EXTERN_C_BEGIN // codec.cc is C++.

// Chosen so that nw__message is 64 bytes, one cache line.
#define NW__MESSAGE_INLINE 32

// An array buffer beside the message, named by its index in the wire's
// ArrayBufferTransfer tag. After fini or a move its data is NULL.
struct nw__blob {
    void *data;
    size_t size;
    nw_release_cb *release; // May be NULL: nothing to give back.
    void *hint;
};

// What is named on the wire by its index here: by SharedArrayBuffer and
// WebAssembly tags, and by host objects of kind NW__WIRE_HOST_OBJECT. Each entry
// holds one reference.
struct nw__attached {
    struct nw__ref *ref;
    bool transfer; // A host object that moves with the message.
};

// What travels beside the bytes. Most messages have none of it.
struct nw__beside {
    struct nw__blob *blobs;
    struct nw__attached *refs;
    uint32_t blob_count;
    uint32_t ref_count;
};

struct nw__message {
    uint8_t *data; // == small for a short message.
    size_t size;
    struct nw__beside *beside; // NULL: nothing.
    uint32_t value_count;      // Values one after the other behind one header.
    uint32_t reserved;
    uint8_t small[NW__MESSAGE_INLINE];
};

// How many there are; 0 without a `beside`.
static inline uint32_t nw__message_blob_count(const struct nw__message *message)
{
    return message->beside == NULL ? 0 : message->beside->blob_count;
}

static inline uint32_t nw__message_ref_count(const struct nw__message *message)
{
    return message->beside == NULL ? 0 : message->beside->ref_count;
}

// Gives an empty message room for what will travel beside it, all zero; the
// counts are set. None of either: nothing is allocated. NW_ENOMEM.
nw_status nw__message_reserve_beside(struct nw__message *message,
                                     uint32_t blob_count, uint32_t ref_count);

// An all-zero message is empty and valid for fini.
void nw__message_init(struct nw__message *message);

// Releases every blob that is still there and drops every reference. Takes an
// all-zero message.
void nw__message_fini(struct nw__message *message);

// Moves; `from` is empty afterwards. `to` must be empty.
void nw__message_move(struct nw__message *to, struct nw__message *from);

// A copy of a message without blobs. It shares what the other refers to, and moves
// none of it. `to` must be empty. NW_ENOMEM.
nw_status nw__message_copy(struct nw__message *to,
                           const struct nw__message *from);

// Makes room for `size` bytes in an empty message. NW_ENOMEM.
nw_status nw__message_reserve(struct nw__message *message, size_t size);

// Takes malloc'ed bytes (of nw__alloc) as they are, or copies short ones into
// the struct and frees them.
void nw__message_adopt(struct nw__message *message, uint8_t *data, size_t size);

NW_EXTERN_C_END

#endif

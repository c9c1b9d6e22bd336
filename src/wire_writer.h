// What the parts of the writer share: its state, the bytes it puts, and who
// writes what. The invariants are at the top of wire_write.c.

#ifndef NW_SRC_WIRE_WRITER_H
#define NW_SRC_WIRE_WRITER_H

#include <string.h>

#include "src/pointer_map.h"
#include "src/value.h"
#include "src/walk.h"
#include "src/wire_cargo.h"
#include "src/wire_tag.h"

// Messages up to here are put together on the stack.
#define NW__WRITER_INLINE 512

struct nw__writer {
    uint8_t *data; // == small, or of nw__alloc.
    size_t size;
    size_t capacity;
    nw_status status; // The first failure; what follows is thrown away.
    const char *detail;

    uint32_t next_id;
    const nw_value *root;
    bool remember_all;
    struct nw__pointer_map ids;
    struct nw__cargo cargo;

    struct nw__walk walk;
    uint8_t small[NW__WRITER_INLINE];
};

// -- wire_write.c

// Makes room for `size` more bytes; false when that failed.
bool nw__writer_grow(struct nw__writer *writer, size_t size);

bool nw__writer_may_repeat(const struct nw__writer *writer,
                           const nw_value *value);

// True when the value has been written before: then a reference now stands for
// it. Otherwise `id` will be its id.
bool nw__put_reference(struct nw__writer *writer, const nw_value *value,
                       uint32_t id);

// The same for what takes the next id: true means that this is all of it.
bool nw__put_known(struct nw__writer *writer, const nw_value *value);

// -- wire_write_bytes.c

void nw__put_bytes_value(struct nw__writer *writer, const nw_value *value);
void nw__put_host(struct nw__writer *writer, const nw_value *value);
void nw__put_module(struct nw__writer *writer, const nw_value *value);
void nw__put_memory(struct nw__writer *writer, const nw_value *value);

// -- bytes

// `detail` may be NULL: the text of the status says it.
static inline void nw__writer_fail(struct nw__writer *writer, nw_status status,
                                   const char *detail)
{
    if (writer->status == NW_OK) {
        writer->status = status;
        writer->detail = detail;
    }
}

// These four are most of what the writer does, and small: inlined they make it
// a third faster.

// Room for `size` bytes at the end, or NULL.
static inline uint8_t *nw__put_room(struct nw__writer *writer, size_t size)
{
    uint8_t *at;

    if (writer->capacity - writer->size < size &&
        !nw__writer_grow(writer, size)) {
        return NULL;
    }
    at = writer->data + writer->size;
    writer->size += size;
    return at;
}

static inline void nw__put_byte(struct nw__writer *writer, uint8_t byte)
{
    uint8_t *at = nw__put_room(writer, 1);

    if (at != NULL) {
        *at = byte;
    }
}

static inline void nw__put_bytes(struct nw__writer *writer, const void *data,
                                 size_t size)
{
    uint8_t *at = nw__put_room(writer, size);

    if (at != NULL && size > 0) {
        memcpy(at, data, size);
    }
}

static inline void nw__put_varint(struct nw__writer *writer, uint32_t number)
{
    uint8_t bytes[NW__VARINT_SIZE_MAX];
    size_t size = 0;

    while (number >= 0x80) {
        bytes[size++] = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    bytes[size++] = (uint8_t)number;
    nw__put_bytes(writer, bytes, size);
}

#endif

// What a value and a document are made of. For doc.c, value.c, container.c and
// the codecs; everybody else uses <nwpool/value.h>.
//
// A value is 32 bytes and never moves. Everything it points to lies in its
// document's arena, except bytes that were lent or came beside a message:
// those are blobs, and the document keeps the list of them.

#ifndef NW_SRC_VALUE_H
#define NW_SRC_VALUE_H

#include <nwpool/value.h>

#include "src/message.h"

enum nw__value_flag {
    // How often the value was put somewhere: once, more than once. Codecs use
    // this to leave alone the great many values that cannot repeat. A value
    // that was replaced keeps its marks: too many are harmless.
    NW__VALUE_PLACED = 1 << 0,
    NW__VALUE_SHARED = 1 << 1,
    NW__VALUE_ASCII = 1 << 2,  // Strings: no byte above 0x7F.
    NW__VALUE_SPARSE = 1 << 3, // Arrays: `sparse`, not `array`, is in use.
    NW__VALUE_GONE = 1 << 4,   // Bytes: taken out of the document.
    NW__VALUE_BUFFER = 1 << 5, // Bytes: a bare ArrayBuffer, which the reader
                               // must know from a view.
};

// A blob that a document owns until somebody takes it.
struct nw__holding {
    struct nw__holding *next;
    struct nw__blob blob;
    uint32_t views; // Values over it that were put somewhere.
    bool lent;      // By C, to be handed on; else it came with a message.
    bool gone;
};

struct nw__entry {
    nw_value *value;
    uint32_t index;
};

struct nw__member {
    const char *key; // NUL-terminated as well.
    nw_value *value;
    uint32_t key_size;
    uint32_t hash; // Valid only while the object has an index.
};

struct nw_value {
    nw_doc *doc;
    uint8_t type;  // An nw_type.
    uint8_t flags; // Of nw__value_flag.
    uint32_t size; // Bytes of text or bytes; items; members.
    union {
        bool boolean;
        double number;
        const char *text;
        struct {
            const uint8_t *data;
            struct nw__holding *holding; // NULL for bytes in the arena.
        } bytes;
        struct {
            nw_value **items;
            uint32_t capacity;
        } array;
        struct {
            struct nw__entry *entries; // By ascending index.
            uint32_t count;
            uint32_t capacity;
        } sparse;
        struct {
            // From a certain capacity on, a hash index lies behind them.
            struct nw__member *members;
            uint32_t capacity;
        } object;
    } as;
};

#define NW__DOC_SIZE 2048

struct nw__block;

struct nw_doc {
    // The free part of the newest block, or of `first`.
    uint8_t *at;
    uint8_t *end;
    struct nw__block *blocks; // Newest first.
    struct nw__block *spare;  // Empty; kept by a reset.
    struct nw__holding *holdings;
    size_t block_size; // Of the next block.
    size_t value_count;
    nw_status status; // The first failure; sticky until a reset.
    // One value each serves all uses, for they have no identity.
    nw_value undefined;
    nw_value null;
    nw_value booleans[2];
    _Alignas(16) uint8_t first[];
};

_Static_assert(sizeof(nw_value) == 32, "nw_value grew");

// -- doc.c

// Memory that lives as long as the document's content; NULL marks it.
// `alignment` is a power of two up to 16.
void *nw__doc_alloc(nw_doc *doc, size_t size, size_t alignment);

// A larger array in place of `old`, which may be NULL; the content is copied,
// the rest is not initialised.
void *nw__doc_grow(nw_doc *doc, void *old, size_t old_size, size_t size);

// A copy of `size` bytes with a NUL behind them.
char *nw__doc_text(nw_doc *doc, const char *text, size_t size);

// Marks the document, unless it is marked already; returns the mark.
nw_status nw__doc_fail(nw_doc *doc, nw_status status);

// Moves every blob of the message into the document; *holdings receives one
// record per blob. Without memory the blobs are released: the message has none
// afterwards in either case.
nw_status nw__doc_adopt_blobs(nw_doc *doc, struct nw__message *message,
                              struct nw__holding **holdings);

// -- value.c and container.c. These trust their arguments; a failure marks the
// document.

// A string of `size` bytes whose text the caller fills in through `text`; the
// NUL is there. NW_ELIMIT marks the document when it is too long.
nw_value *nw__value_string_room(nw_doc *doc, size_t size, bool ascii,
                                char **text);

// Bytes over a part of a holding that the caller has checked.
nw_value *nw__value_bytes_held(nw_doc *doc, struct nw__holding *holding,
                               size_t offset, size_t size);

// Bytes over a part of other bytes, which stay as they are.
nw_value *nw__value_bytes_part(nw_value *whole, size_t offset, size_t size);

// Counts one more place at which the value stands.
void nw__value_place(nw_value *value);

// True when the bytes are there: neither handed over nor taken.
bool nw__value_has_bytes(const nw_value *value);

// Room for exactly `count` items in an empty array.
nw_status nw__array_reserve(nw_value *array, uint32_t count);

nw_status nw__array_append(nw_value *array, nw_value *item);

// Turns an empty array into one that stores only what is there.
void nw__array_make_sparse(nw_value *array);

// Adds an item behind all that are there; `index` must be larger than theirs.
nw_status nw__array_append_at(nw_value *array, uint32_t index, nw_value *item);

// Sets the length. An array of which most is there becomes an ordinary one.
nw_status nw__array_end_sparse(nw_value *array, uint32_t length);

// Sets a member whose key lies in the arena already.
nw_status nw__object_put(nw_value *object, const char *key, uint32_t key_size,
                         nw_value *value);

#endif

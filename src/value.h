// What a value and a document are made of. For the makers and readers of values
// and for the codecs; everybody else uses <nwpool/value.h>.
//
// A value is 32 bytes and never moves. Everything it points to lies in its
// document's arena, except bytes that were lent or came beside a message, and
// what is counted (ref.h): the document keeps a list of either.

#ifndef NW_SRC_VALUE_H
#define NW_SRC_VALUE_H

#include <nwpool/error.h>
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
    NW__VALUE_GONE = 1 << 4,   // Bytes: this value was taken or handed over.
    NW__VALUE_MOVED = 1 << 5,  // Bytes: the memory itself was handed over, and
                               // whatever shows a part of it is empty.
    NW__VALUE_BUFFER = 1 << 6, // Bytes: an ArrayBuffer or SharedArrayBuffer.
    NW__VALUE_VIEW = 1 << 7,   // Bytes: a view; `buffer` is in use.
    NW__VALUE_SHOWN = 1 << 8,  // Buffers: a view of it exists, or a memory.
    NW__VALUE_OPEN = 1 << 9,   // Errors: the reader does not have all of it.
};

// A blob that a document owns until somebody takes it.
struct nw__holding {
    struct nw__holding *next;
    struct nw__blob blob;
    nw_value *buffer; // The one ArrayBuffer over it, or NULL.
    uint32_t views;   // Values over it that were put somewhere.
    bool lent;        // By C, to be handed on; else it came with a message.
    bool gone;
};

// A reference that a document holds until it dies.
struct nw__held {
    struct nw__held *next;
    struct nw__ref *ref;
    nw_value *value; // The one value over it that the reader made, or NULL.
};

// What an error consists of. All but `shown` may be NULL.
struct nw__error_parts {
    nw_error shown; // Without a cause unless `chained` is of now.
    uint64_t chained;
    nw_value *name; // These three are strings.
    nw_value *message;
    nw_value *stack;
    nw_value *code; // A string or number.
    nw_value *cause;
    nw_value *errors;     // An array.
    nw_value *properties; // An object.
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
    uint8_t type;   // An nw_type.
    uint8_t view;   // Of bytes, an nw_view.
    uint16_t flags; // Of nw__value_flag.
    uint32_t size;  // Bytes of text or bytes; items; pairs; members; words.
    union {
        bool boolean;
        double number;
        const char *text;
        struct {
            const uint8_t *data;
            union {
                struct nw__holding *holding; // NULL for bytes in the arena.
                nw_value *buffer;            // Of a view.
                struct nw_shared *shared;    // Of a SharedArrayBuffer.
            } of;
        } bytes;
        struct {
            nw_value **items;
            uint32_t capacity;
            uint32_t properties; // As in `sparse`.
        } array;
        struct {
            struct nw__entry *entries; // By ascending index.
            uint32_t count;
            // Number in the document's table plus 1; 0: none. The same place as
            // in `array`: which of the two is in use can change.
            uint32_t properties;
        } sparse;
        struct {
            // Of a set its items, of a map key, value, key, value.
            nw_value **items;
            uint32_t capacity; // Of items, or of pairs.
        } collection;
        struct {
            const uint64_t *words; // `size` of them, the last one not 0.
            bool negative;
        } bigint;
        struct {
            const char *source; // `size` bytes and a NUL.
            const char *flags;
        } regexp;
        struct {
            nw_value *buffer; // A SharedArrayBuffer.
            int32_t pages_max;
        } memory;
        const nw_value *boxed;
        struct nw__error_parts *error;
        struct nw__ref *ref; // Ports, host objects, modules.
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
    struct nw__held *helds;
    size_t block_size; // Of the next block.
    size_t value_count;
    // Named properties of arrays: rare, so that arrays have a number only.
    nw_value **properties;
    uint32_t properties_count;
    uint32_t properties_capacity;
    nw_status status;       // The first failure; sticky until a reset.
    uint64_t error_changes; // Grows whenever any error of it changes.
    // One value each serves all uses, for they have no identity.
    nw_value undefined;
    nw_value hole; // Never seen outside of an array's items.
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

// What came beside a message, in the order of the indices on the wire.
struct nw__adopted {
    struct nw__holding *holdings;
    struct nw__held *helds;
    uint32_t holding_count;
    uint32_t held_count;
};

// Moves all that lies beside the message into the document. Without memory it
// is released: the message has nothing beside it afterwards in either case.
nw_status nw__doc_adopt(nw_doc *doc, struct nw__message *message,
                        struct nw__adopted *out);

// Makes the document hold a reference of its own. NW_ENOMEM, and the mark.
nw_status nw__doc_hold(nw_doc *doc, struct nw__ref *ref);

// -- makers, readers and containers. These trust their arguments; a failure
// marks the document.

// A value of that type whose content the caller sets.
nw_value *nw__value_new(nw_doc *doc, nw_type type);

// NULL, with the document (if there is one) marked.
nw_value *nw__value_fail(nw_doc *doc, nw_status status);

// A string of `size` bytes whose text the caller fills in through `text`; the
// NUL is there. NW_ELIMIT marks the document when it is too long.
nw_value *nw__value_string_room(nw_doc *doc, size_t size, bool ascii,
                                char **text);

// A RegExp. NULL with the document unmarked: `flags` are not valid; "v", which
// only newer JavaScript has, is accepted.
nw_value *nw__value_regexp(nw_doc *doc, const char *source, size_t size,
                           const char *flags);

// The value of a string, number, boolean, null, undefined or BigInt as short
// text; of anything else the name of its type. NULL without memory.
const char *nw__value_short_text(nw_doc *doc, const nw_value *value);

// A number as text, as short as it can be without losing anything that is
// usual. In the arena; NULL without memory.
const char *nw__number_text(nw_doc *doc, double number);

// The ArrayBuffer over all of a holding: one, however often it is asked for.
nw_value *nw__value_buffer_held(nw_doc *doc, struct nw__holding *holding);

// Bytes of their own that JavaScript shows as `view`, copied.
nw_value *nw__value_bytes_copied(nw_doc *doc, nw_view view, const void *data,
                                 size_t size);

// A view whose place in its buffer the caller has checked.
nw_value *nw__value_view_made(nw_value *buffer, nw_view view, size_t offset,
                              size_t size);

// Bytes per element of a view; 1 of a buffer.
size_t nw__view_element_size(nw_view view);

// What the bytes lie in: the buffer of a view, else the value itself.
nw_value *nw__value_root(const nw_value *value);

// The value for a reference, of which the document gets one of its own.
nw_value *nw__value_of_ref(nw_doc *doc, struct nw__ref *ref);

// The value for a reference that the document holds: one, however often it is
// asked for. NW_ELIMIT marks the document for shared memory that is too large.
nw_value *nw__value_of_held(nw_doc *doc, struct nw__held *held);

// The reference in a port, a host object, a module, a SharedArrayBuffer or a
// memory; else NULL.
struct nw__ref *nw__value_ref(const nw_value *value);

// A shared WebAssembly.Memory over a SharedArrayBuffer.
nw_value *nw__value_memory(nw_value *buffer, int32_t pages_max);

// A BigInt of `size` bytes, least significant first, which are not checked
// against NW_BIGINT_WORDS_MAX.
nw_value *nw__value_bigint_bytes(nw_doc *doc, bool negative,
                                 const uint8_t *bytes, size_t size);

// An error without any parts.
nw_value *nw__value_error(nw_doc *doc);

// Sets the parts that `record` (see wire.h) has, leaving out what is of a wrong
// type.
nw_status nw__error_set_record(nw_value *error, const nw_value *record);

// The built-in class that V8's own form has for the error when that form loses
// nothing: its byte there, 0 for Error; -1 when it would lose something.
int nw__error_plain_class(const struct nw__error_parts *parts);

// Sets the name by the byte of V8's own form; false for one that is none.
bool nw__error_set_class(nw_value *error, uint32_t class_byte);

// Makes `shown` of parts that were set by hand. NW_ENOMEM, and the mark.
nw_status nw__error_show(nw_value *error);

// Counts one more place at which the value stands.
void nw__value_place(nw_value *value);

// Notes that a view of the buffer exists, or a memory over it.
void nw__value_show(nw_value *buffer);

// The part of nw__value_place() that is about bytes.
void nw__value_place_bytes(nw_value *value);

// A copy outside of any document, with its release function. NW_ENOMEM.
nw_status nw__bytes_copy(const nw_value *value, struct nw__blob *out);

// True when the bytes are there: neither handed over nor taken.
bool nw__value_has_bytes(const nw_value *value);

// The next capacity for a container that is full, or 0 when it cannot grow.
uint32_t nw__capacity_next(uint32_t capacity);

// What every container asks of a child, in the order of the header.
nw_status nw__child_check(const nw_value *container, nw_type type,
                          const nw_value *child);

// Room for exactly `count` items in an empty array.
nw_status nw__array_reserve(nw_value *array, uint32_t count);

nw_status nw__array_append(nw_value *array, nw_value *item);

// Turns an empty array into one that stores only what is there.
void nw__array_make_sparse(nw_value *array);

// Adds an item behind all that are there; `index` must be larger than theirs.
nw_status nw__array_append_at(nw_value *array, uint32_t index, nw_value *item);

// Sets the length. An array of which most is there becomes an ordinary one.
nw_status nw__array_end_sparse(nw_value *array, uint32_t length);

// Sets a named property whose key lies in the arena already.
nw_status nw__array_put_property(nw_value *array, const char *key,
                                 uint32_t key_size, nw_value *value);

// True for the text of an array index, such as "0" or "42".
bool nw__key_is_index(const char *key, size_t size);

nw_status nw__map_append(nw_value *map, nw_value *key, nw_value *value);
nw_status nw__set_append(nw_value *set, nw_value *item);

// Sets a member whose key lies in the arena already.
nw_status nw__object_put(nw_value *object, const char *key, uint32_t key_size,
                         nw_value *value);

#endif

// The bytes of the wire format that writer and reader must agree on. The names
// follow V8's value-serializer.cc.

#ifndef NW_SRC_WIRE_TAG_H
#define NW_SRC_WIRE_TAG_H

enum nw__wire_tag {
    NW__TAG_VERSION = 0xFF, // Varint version; once, at the beginning.
    NW__TAG_PADDING = '\0',
    NW__TAG_OBJECT_COUNT = '?', // Varint, ignored.

    NW__TAG_HOLE = '-', // Only as an item of a dense array.
    NW__TAG_UNDEFINED = '_',
    NW__TAG_NULL = '0',
    NW__TAG_TRUE = 'T',
    NW__TAG_FALSE = 'F',
    NW__TAG_INT32 = 'I',  // Zigzag varint.
    NW__TAG_UINT32 = 'U', // Varint.
    NW__TAG_DOUBLE = 'N', // Eight bytes in host order, unaligned.

    // Varint size in bytes, then as many.
    NW__TAG_STRING_UTF8 = 'S',
    NW__TAG_STRING_ONE_BYTE = '"',
    NW__TAG_STRING_TWO_BYTE = 'c',

    NW__TAG_REFERENCE = '^', // Varint id.

    // Pairs of key and value, then the end tag and varint count of pairs.
    NW__TAG_OBJECT_BEGIN = 'o',
    NW__TAG_OBJECT_END = '{',
    // Varint length; pairs; end tag, count of pairs, length again.
    NW__TAG_SPARSE_BEGIN = 'a',
    NW__TAG_SPARSE_END = '@',
    // Varint length; as many items; then as a sparse array.
    NW__TAG_DENSE_BEGIN = 'A',
    NW__TAG_DENSE_END = '$',

    NW__TAG_BUFFER = 'B',           // Varint size, then as many bytes.
    NW__TAG_BUFFER_RESIZABLE = '~', // The same, with a maximum after the size.
    NW__TAG_BUFFER_TRANSFER = 't',  // Varint index of the blob.
    NW__TAG_BUFFER_SHARED = 'u',    // Varint index of the reference.
    // Behind a buffer or a reference to one, which it replaces: varint subtag,
    // offset, size, and since version 14 flags.
    NW__TAG_VIEW = 'V',
    NW__TAG_HOST_OBJECT = '\\', // Ours; see wire.h.

    // Varint: the sign in the lowest bit, above it the size in bytes; then as
    // many, least significant first. No id.
    NW__TAG_BIGINT = 'Z',
    NW__TAG_DATE = 'D',   // A double.
    NW__TAG_REGEXP = 'R', // The source, a string with its tag; varint flags.
    NW__TAG_MAP = ';',    // Keys and values; end tag, how many of both.
    NW__TAG_MAP_END = ':',
    NW__TAG_SET = '\'', // Items; end tag, how many.
    NW__TAG_SET_END = ',',
    NW__TAG_ERROR = 'r', // Parts of enum nw__wire_error.
    NW__TAG_BOXED_TRUE = 'y',
    NW__TAG_BOXED_FALSE = 'x',
    NW__TAG_BOXED_NUMBER = 'n', // A double.
    NW__TAG_BOXED_BIGINT = 'z', // As a BigInt.
    NW__TAG_BOXED_STRING = 's', // A string with its tag.
    NW__TAG_SHARED_OBJECT = 'p',
    NW__TAG_WASM_MODULE = 'w', // Varint index.
    // Zigzag varint of the maximum in pages; then a SharedArrayBuffer, which
    // takes its id behind the memory's own.
    NW__TAG_WASM_MEMORY = 'm',
};

// What an error consists of, varints; besides them the bytes of its class.
enum nw__wire_error {
    NW__ERROR_MESSAGE = 'm', // A string with its tag.
    NW__ERROR_STACK = 's',   // The same.
    NW__ERROR_CAUSE = 'c',   // Any value.
    NW__ERROR_END = '.',
};

// Of a view's flags: it shows all from its offset on, and says no size.
#define NW__VIEW_TRACKS_LENGTH 1

// What a view shows its bytes as.
enum nw__wire_view {
    NW__VIEW_INT8 = 'b',
    NW__VIEW_UINT8 = 'B',
    NW__VIEW_UINT8_CLAMPED = 'C',
    NW__VIEW_INT16 = 'w',
    NW__VIEW_UINT16 = 'W',
    NW__VIEW_FLOAT16 = 'h',
    NW__VIEW_INT32 = 'd',
    NW__VIEW_UINT32 = 'D',
    NW__VIEW_FLOAT32 = 'f',
    NW__VIEW_FLOAT64 = 'F',
    NW__VIEW_BIGINT64 = 'q',
    NW__VIEW_BIGUINT64 = 'Q',
    NW__VIEW_DATA_VIEW = '?',
};

// The index in a property key or the length of an array takes 32 bits, and a
// 32-bit varint at most this many bytes.
#define NW__VARINT_SIZE_MAX 5

#endif

// V8's structured-clone wire format, version 15, in C: what a C program means
// is written, what V8 writes is read, without an isolate.
//
// Input is hostile until proven otherwise: every length, count, depth and
// index is checked before it is used, and nothing is allocated on the say-so
// of a length that the rest of the input could not hold.

#ifndef NW_SRC_WIRE_H
#define NW_SRC_WIRE_H

#include "src/message.h"

NW_EXTERN_C_BEGIN // codec.cc is C++.

// Version byte that we write. Readers accept NW__WIRE_VERSION_MIN up to this.
#define NW__WIRE_VERSION     15
#define NW__WIRE_VERSION_MIN 13

// What V8's format has no room for is written as a host object: tag '\\', then
// a varint kind, then as below. A view is a varint V8 view subtag.
//   VIEW_COPIED       view, varint size, the bytes. A view that shows only a
//                     part of its buffer is sent as its slice, not with what
//                     lies around it; it arrives with a buffer of its own.
//   VIEW_TRANSFERRED  view, varint blob index, varint offset, varint size.
//                     Subtag NW__WIRE_VIEW_ARRAY_BUFFER: a bare ArrayBuffer.
//   VIEW_OF           view, varint offset, varint size, then a buffer as a
//                     value of its own (tags 'B', 't', 'u' or '^'): a view that
//                     shows all of an ArrayBuffer, or some of a
//                     SharedArrayBuffer, or that C made over a buffer. Views of
//                     one buffer share it on the other side.
//   ERROR             an Error with more than V8's own format keeps; one value
//                     follows, a plain object: name, message, stack, class?,
//                     code?, cause?, errors? (array), properties? (object).
//                     `class` is the built-in one, where the name is another;
//                     C does not read it. An error must not contain itself:
//                     readers make it when they have all of it.
//   OBJECT            varint index in the message's refs: a host object.
enum nw__wire_host_kind {
    NW__WIRE_VIEW_COPIED = 0,
    NW__WIRE_VIEW_TRANSFERRED = 1,
    NW__WIRE_VIEW_OF = 2,
    NW__WIRE_ERROR = 3,
    NW__WIRE_HOST_OBJECT = 4,
};
#define NW__WIRE_VIEW_ARRAY_BUFFER 0

// What moves instead of being copied: buffers (or views, which stand for their
// buffer), ports and other host objects. They need not be part of a value.
struct nw__wire_transfer {
    const nw_value *const *items;
    size_t count;
};

// Writes a header and `count` values behind it into an empty message. Lent
// bytes, and what `transfer` (may be NULL) lists, move into the message only on
// success; on failure everything is as before. One value may appear several
// times; values may be of several documents. Shared memory and modules gain a
// reference. Bytes that are transferred become blobs, copied first if they lie
// in their document's arena, and are empty in the document afterwards.
//
// NW_EINVAL (a NULL value, bytes already handed over, something in the list
// that cannot move or stands there twice), NW_ECLONE (a host object that must
// move and is not listed; one that is gone; an error that contains itself),
// NW_ENOMEM, NW_ELIMIT (too deep, too large), or the mark of a document.
// `*detail`, if not NULL, receives a static sentence about it, NULL with NW_OK.
nw_status nw__wire_write(struct nw__message *message,
                         const nw_value *const *values, size_t count,
                         const struct nw__wire_transfer *transfer,
                         const char **detail);

// Reads message->value_count values into `doc`; values[0..count) receive the
// first `count` of them, undefined where there are fewer. What lies beside the
// message moves into the document, even on failure, so that nobody has to ask
// who owns it.
//
// NW_EPROTO (truncated, malformed), NW_ETYPE (well-formed, but of a type that
// C cannot read: shared structs of later V8s), NW_ELIMIT, NW_ENOMEM. `*detail`,
// if not NULL, receives a static text that says what was wrong, such as
// "truncated data" or, with NW_ETYPE, the name of the type; NULL with NW_OK. On
// failure `values` are NULL.
nw_status nw__wire_read(nw_doc *doc, struct nw__message *message,
                        const nw_value **values, size_t count,
                        const char **detail);

// True when the bytes of a message contain an Error in V8's own form: what V8
// wrote has lost its class, code and properties. Looks at the structure, not at
// the text in it; false for malformed bytes. Fast: it skips what it can.
bool nw__wire_has_error(const uint8_t *data, size_t size);

NW_EXTERN_C_END

#endif

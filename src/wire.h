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

// Views are sent as their slice, not with the whole buffer behind them. Our
// delegate writes them as host objects: tag '\\', then a varint kind, then
//   COPIED:      varint V8 view subtag, varint size, the bytes
//   TRANSFERRED: varint V8 view subtag, varint blob index, varint offset,
//                varint size
// Subtag NW__WIRE_VIEW_ARRAY_BUFFER stands for a bare ArrayBuffer.
enum nw__wire_view_kind {
    NW__WIRE_VIEW_COPIED = 0,
    NW__WIRE_VIEW_TRANSFERRED = 1,
};
#define NW__WIRE_VIEW_ARRAY_BUFFER 0

// Writes a header and `count` values behind it into an empty message. Lent
// bytes move into the message's blobs only on success; on failure `values` are
// as before. One value may appear several times.
//
// NW_EINVAL (a NULL value, bytes already handed over), NW_ENOMEM, NW_ELIMIT (too
// deep, too large), or the mark of a document.
nw_status nw__wire_write(struct nw__message *message,
                         const nw_value *const *values, size_t count);

// Reads message->value_count values into `doc`; values[0..count) receive the
// first `count` of them, undefined where there are fewer. Blobs move into the
// document, even on failure, so that nobody has to ask who owns them.
//
// NW_EPROTO (truncated, malformed), NW_ETYPE (well-formed, but of a type that
// C cannot read), NW_ELIMIT, NW_ENOMEM. `*detail`, if not NULL, receives a
// static text that says what was wrong, such as "truncated data" or, with
// NW_ETYPE, the name of the type, such as "Date"; NULL with NW_OK. On failure
// `values` are NULL.
nw_status nw__wire_read(nw_doc *doc, struct nw__message *message,
                        const nw_value **values, size_t count,
                        const char **detail);

NW_EXTERN_C_END

#endif

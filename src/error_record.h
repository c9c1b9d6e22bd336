// Errors on the wire. The worker's script (js/record.js) turns whatever was
// thrown into a record, a plain object:
//
//   { error }              an Error, as a value of that type
//   { message, thrown? }   what was no Error: its text and, if it can be
//                          cloned, the thing itself
//   { name, message, stack, code?, cause?, errors?, properties?, thrown? }
//                          either of them in parts; `cause` is a record again,
//                          `thrown` is there, with name "", for no Error

#ifndef NW_SRC_ERROR_RECORD_H
#define NW_SRC_ERROR_RECORD_H

#include <nwpool/error.h>

#include "src/message.h"

// Causes beyond this many are cut off.
#define NW__ERROR_CAUSES_MAX 16

// Reads a record into `doc`; the result and all it points to live there. NULL
// only without memory: a record that cannot be read becomes an error that
// says so. The message's blobs move into the document.
const nw_error *nw__error_read(nw_doc *doc, struct nw__message *record);

// Writes a record of our own into an empty message: an Error with that text and
// the name of `status` as its code. What of the text is not UTF-8 becomes "?".
// `cause`, a record, may be NULL or empty. Without memory the message stays
// empty, which reads as an error that could not be read.
void nw__error_write(struct nw__message *record, nw_status status,
                     const char *text, const struct nw__message *cause);

// The same with a stack, where a script was.
void nw__error_write_at(struct nw__message *record, nw_status status,
                        const char *text, const char *stack);

// An error of our own in `doc`. `code` may be NULL. NULL without memory.
const nw_error *nw__error_make(nw_doc *doc, const char *name, const char *code,
                               const char *message);

#endif

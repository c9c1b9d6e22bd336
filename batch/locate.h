// Where in a JSON text something stands: jansson's values do not know.

#ifndef NWPOOL_BATCH_LOCATE_H
#define NWPOOL_BATCH_LOCATE_H

#include <stdbool.h>
#include <stddef.h>

// A place for people: both count from 1, columns in characters, a tab as one.
struct nwpool_batch_place {
    size_t line;
    size_t column;
};

enum nwpool_batch_locate_what {
    NWPOOL_BATCH_LOCATE_VALUE,
    NWPOOL_BATCH_LOCATE_KEY // The member's key; for an item, the item.
};

// The place where the value named by a JSON pointer (RFC 6901: "" is the whole
// document, "/input/files/0" an item) begins, or its key. `text` must be
// well-formed JSON. False, and place 1:1, when there is no such value.
bool nwpool_batch_locate(const char *text, size_t size, const char *pointer,
                         enum nwpool_batch_locate_what what,
                         struct nwpool_batch_place *out);

// The place of the byte at `offset`, or of the end.
struct nwpool_batch_place
nwpool_batch_locate_offset(const char *text, size_t size, size_t offset);

// Where the token begins that a parser had just read when it stopped at `end`,
// the offset behind it. If no token ends there (it stopped inside a string,
// say): the last byte that it read. `text` need not be well-formed.
size_t nwpool_batch_locate_token(const char *text, size_t size, size_t end);

#endif

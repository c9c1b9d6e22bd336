// What the tests of the wire format share: a message made of literal bytes,
// and a value made of them.

#ifndef NW_TESTS_UNIT_WIRE_SUPPORT_H
#define NW_TESTS_UNIT_WIRE_SUPPORT_H

#include "src/wire.h"

// A message of one value that owns a copy of the bytes, of exactly that size,
// so that AddressSanitizer sees a read past the end.
void nw_test_message(struct nw__message *message, const void *data,
                     size_t size);

// Adds a blob whose release counts in *released.
void nw_test_add_blob(struct nw__message *message, void *data, size_t size,
                      int *released);

#endif

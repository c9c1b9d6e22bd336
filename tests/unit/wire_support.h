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

// A reference that counts itself in *alive until it is dropped.
struct nw__host *nw_test_host(const char *name, bool is_port, bool must_move,
                              int *alive);
struct nw__ref *nw_test_module(int *alive);

// Adds a reference, which becomes the message's.
void nw_test_add_ref(struct nw__message *message, struct nw__ref *ref);

// A value that holds every type once and some of them twice: containers that
// contain themselves, views of one buffer, lent bytes whose release counts in
// *released, shared memory, and the references. NULL when the document failed.
struct nw_test_refs {
    nw_shared *shared;
    struct nw__host *host;
    struct nw__host *port;
    struct nw__ref *module;
};
nw_value *nw_test_all_types(nw_doc *doc, const struct nw_test_refs *refs,
                            int *released);

#endif

// Random values of every type that C can make; the same seed, the same values.
//
// Public headers only.

#ifndef NW_TESTS_ORACLE_MAKE_H
#define NW_TESTS_ORACLE_MAKE_H

#include <nwpool/value.h>

#define NW_MAKE_MADE_MAX 128

struct nw_maker {
    nw_doc *doc;
    uint64_t state;  // Of the random numbers.
    unsigned budget; // How many more values may be made inside of others.
    // Only what a worker hands back as it was. It sends a view of a part of its
    // buffer as that part alone. It sends an error piece by piece: without
    // properties that are undefined, with a list of `errors` of its own, and
    // with a stack in any case.
    bool for_worker;

    nw_value *made[NW_MAKE_MADE_MAX]; // Objects that may stand here again.
    size_t made_count;
    size_t made_from; // Those before would close a cycle through an error.
    nw_value *buffers[NW_MAKE_MADE_MAX];
    size_t buffer_count;
};

void nw_maker_init(struct nw_maker *maker, nw_doc *doc, uint64_t seed,
                   unsigned budget);

// A whole value of about `budget` parts. May share parts with earlier ones of
// the same maker.
nw_value *nw_make_value(struct nw_maker *maker);

// The random numbers that all of it comes from.
uint64_t nw_make_bits(struct nw_maker *maker);
unsigned nw_make_below(struct nw_maker *maker, unsigned limit);

#endif

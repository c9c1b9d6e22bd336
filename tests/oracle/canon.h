// Values as canonical text: two values have the same text exactly when a
// JavaScript program could not tell them apart, and canon.js makes the same
// text of the same value on the other side.
//
//   undefined null true 1 -0 NaN 3ff8000000000000 "text\{e9}" -0x1fn
//   #0 [1, hole*2, "x"; "named": 1]     #0 {"a": 1, "b": ^0}
//   #0 Map{"k" => 1}  #0 Set{1}  #0 Date(0)  #0 RegExp("a", "g")
//   #0 Object(1)  #0 ArrayBuffer <00ff>
//   #0 Uint8Array 0+2 of #1 ArrayBuffer <00ff>
//   #0 TypeError("message", stack "...", code "E", cause ..., errors ...,
//      properties {...})
//
// Numbers that are no 32-bit integers are shown by their bits. #N is the Nth
// object on the way, ^N stands for the same object once more.
//
// What does not count, because it is documented to get lost:
//   - A lone surrogate is U+FFFD; canon.js shows it so too.
//   - Name, message, stack and code of an error end at a NUL: in C they are
//     plain strings.
//   - The keys of an object that are indices come first, by number: JavaScript
//     has no other order. C keeps the order in which they were set.
//   - An error in the chain of causes is shown in full each time, at most 16
//     of them, until one is met that is in the chain already: C has a copy of
//     each there, not the value.
//
// Public headers only.

#ifndef NW_TESTS_ORACLE_CANON_H
#define NW_TESTS_ORACLE_CANON_H

#include <nwpool/value.h>

struct nw_canon_slot;

struct nw_canon {
    char *text; // NUL-terminated.
    size_t size;
    size_t capacity;
    size_t items_max; // Of an array; the middle of longer ones is left out.
    size_t items;     // How many of all arrays there are, holes included.
    size_t errors;    // How many Errors were met.
    struct nw_canon_slot *slots;
    size_t slot_count;
    size_t slot_capacity;
    size_t next_id;
};

void nw_canon_init(struct nw_canon *canon);
void nw_canon_fini(struct nw_canon *canon);

// The text of all values, one a line; objects that are in several are one.
// Lives until the next call. What was counted begins anew.
const char *nw_canon_text(struct nw_canon *canon, const nw_value *const *values,
                          size_t count);

#endif

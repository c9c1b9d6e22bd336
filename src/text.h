// Text between the encodings that meet here: UTF-8 in C, Latin-1 and UTF-16 on
// V8's side. Sizes are in bytes; `data` may be unaligned; UTF-16 is in host
// order, as V8 writes it.

#ifndef NW_SRC_TEXT_H
#define NW_SRC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool nw__text_is_ascii(const void *data, size_t size);

// Strict: no surrogates, no overlong forms, nothing above U+10FFFF.
bool nw__utf8_is_valid(const void *data, size_t size);

// What valid UTF-8 becomes in JavaScript.
struct nw__utf8_shape {
    size_t units;  // UTF-16 code units, which is `length` in JavaScript.
    bool one_byte; // All code points are at most U+00FF.
};

struct nw__utf8_shape nw__utf8_measure(const char *text, size_t size);

// Write exactly `units` bytes, or 2 * `units` bytes, of valid UTF-8 `text`.
void nw__utf8_to_latin1(uint8_t *to, const char *text, size_t size);
void nw__utf8_to_utf16(uint8_t *to, const char *text, size_t size);

// The other way: first the size, then the conversion into that many bytes.
// A lone surrogate becomes U+FFFD.
size_t nw__latin1_utf8_size(const uint8_t *data, size_t size);
void nw__latin1_to_utf8(char *to, const uint8_t *data, size_t size);
size_t nw__utf16_utf8_size(const uint8_t *data, size_t units);
void nw__utf16_to_utf8(char *to, const uint8_t *data, size_t units);

#endif

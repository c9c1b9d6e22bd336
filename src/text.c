// Conversions between UTF-8, Latin-1 and UTF-16.
//
// Nothing here allocates. Every converter has a measuring twin; the caller
// provides a buffer of just that size, so the two must agree on each unit.
// The conversions *from* UTF-8 trust nw__utf8_is_valid() to have been asked
// before; those *to* UTF-8 accept anything.

#include "src/text.h"

#include <string.h>

#define REPLACEMENT 0xFFFD

bool nw__text_is_ascii(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    size_t i = 0;

    for (; size - i >= 8; i += 8) {
        uint64_t word;

        memcpy(&word, bytes + i, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            return false;
        }
    }
    for (; i < size; i++) {
        if (bytes[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

// -- from UTF-8

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

// Bytes of the sequence at `at`, or 0 when it is malformed. The second byte's
// range carries all the special rules (Unicode, table 3-7).
static size_t sequence_size(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t size;

    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] < 0xC2 || at[0] > 0xF4) {
        return 0;
    }
    size = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    switch (at[0]) {
    case 0xE0:
        low = 0xA0;
        break;
    case 0xED:
        high = 0x9F;
        break;
    case 0xF0:
        low = 0x90;
        break;
    case 0xF4:
        high = 0x8F;
        break;
    }
    if (left < size || at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (!is_continuation(at[i])) {
            return 0;
        }
    }
    return size;
}

bool nw__utf8_is_valid(const void *data, size_t size)
{
    const uint8_t *at = data;
    const uint8_t *end = at + size;

    while (at < end) {
        size_t step = sequence_size(at, end);

        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

struct nw__utf8_shape nw__utf8_measure(const char *text, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    struct nw__utf8_shape shape = {.units = 0, .one_byte = true};

    for (size_t i = 0; i < size; i++) {
        shape.units += !is_continuation(bytes[i]);
        // Four bytes are a surrogate pair.
        shape.units += bytes[i] >= 0xF0;
        // 0xC3 leads the last sequence of the Latin-1 range.
        if (bytes[i] > 0xC3) {
            shape.one_byte = false;
        }
    }
    return shape;
}

// Decodes one sequence of valid UTF-8 and moves `*at` past it.
static uint32_t decode(const uint8_t **at)
{
    const uint8_t *b = *at;

    if (b[0] < 0x80) {
        *at += 1;
        return b[0];
    }
    if (b[0] < 0xE0) {
        *at += 2;
        return (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu);
    }
    if (b[0] < 0xF0) {
        *at += 3;
        return (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
    }
    *at += 4;
    return (b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 |
           (b[3] & 0x3Fu);
}

void nw__utf8_to_latin1(uint8_t *to, const char *text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + size;

    while (at < end) {
        *to++ = (uint8_t)decode(&at);
    }
}

static uint8_t *put_unit(uint8_t *to, uint32_t unit)
{
    uint16_t narrow = (uint16_t)unit;

    memcpy(to, &narrow, sizeof(narrow));
    return to + sizeof(narrow);
}

void nw__utf8_to_utf16(uint8_t *to, const char *text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + size;

    while (at < end) {
        uint32_t point = decode(&at);

        if (point < 0x10000) {
            to = put_unit(to, point);
        } else {
            to = put_unit(to, 0xD7C0 + (point >> 10));
            to = put_unit(to, 0xDC00 + (point & 0x3FF));
        }
    }
}

// -- to UTF-8

size_t nw__latin1_utf8_size(const uint8_t *data, size_t size)
{
    size_t result = size;

    for (size_t i = 0; i < size; i++) {
        result += data[i] >> 7;
    }
    return result;
}

void nw__latin1_to_utf8(char *to, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 0x80) {
            *to++ = (char)data[i];
        } else {
            *to++ = (char)(0xC0 | data[i] >> 6);
            *to++ = (char)(0x80 | (data[i] & 0x3F));
        }
    }
}

static uint32_t unit_at(const uint8_t *data, size_t index)
{
    uint16_t unit;

    memcpy(&unit, data + index * sizeof(unit), sizeof(unit));
    return unit;
}

// The code point at `*index`, which moves past it.
static uint32_t next_point(const uint8_t *data, size_t units, size_t *index)
{
    uint32_t unit = unit_at(data, (*index)++);
    uint32_t low;

    if ((unit & 0xF800) != 0xD800) {
        return unit;
    }
    if (unit >= 0xDC00 || *index == units) {
        return REPLACEMENT;
    }
    low = unit_at(data, *index);
    if ((low & 0xFC00) != 0xDC00) {
        return REPLACEMENT;
    }
    (*index)++;
    return 0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF);
}

size_t nw__utf16_utf8_size(const uint8_t *data, size_t units)
{
    size_t size = 0;

    for (size_t i = 0; i < units;) {
        uint32_t point = next_point(data, units, &i);

        size += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    }
    return size;
}

void nw__utf16_to_utf8(char *to, const uint8_t *data, size_t units)
{
    for (size_t i = 0; i < units;) {
        uint32_t point = next_point(data, units, &i);

        if (point < 0x80) {
            *to++ = (char)point;
            continue;
        }
        if (point < 0x800) {
            *to++ = (char)(0xC0 | point >> 6);
        } else {
            if (point < 0x10000) {
                *to++ = (char)(0xE0 | point >> 12);
            } else {
                *to++ = (char)(0xF0 | point >> 18);
                *to++ = (char)(0x80 | (point >> 12 & 0x3F));
            }
            *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        }
        *to++ = (char)(0x80 | (point & 0x3F));
    }
}

// Invariants
//   The first error sticks: everything after it is dropped, and
//   nw__out_flush() reports it. So callers check once, at the end.
//   What comes out of nw__out_escaped() is valid UTF-8 whatever went in.

#include "trace/out.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

void nw__out_init(struct nw__out *out, int fd)
{
    out->fd = fd;
    out->error = 0;
    out->size = 0;
}

int nw__out_flush(struct nw__out *out)
{
    size_t done = 0;

    while (out->error == 0 && done < out->size) {
        ssize_t written = write(out->fd, out->buffer + done, out->size - done);

        if (written > 0) {
            done += (size_t)written;
        } else if (written == 0) {
            out->error = EIO;
        } else if (errno != EINTR) {
            out->error = errno;
        }
    }
    out->size = 0;
    return out->error;
}

static void out_bytes(struct nw__out *out, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t room = sizeof(out->buffer) - out->size;
        size_t part = size < room ? size : room;

        memcpy(out->buffer + out->size, bytes, part);
        out->size += part;
        bytes += part;
        size -= part;
        if (out->size == sizeof(out->buffer)) {
            nw__out_flush(out);
        }
    }
}

void nw__out_text(struct nw__out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

// Digits of `number`, at least `width` of them.
static void out_digits(struct nw__out *out, uint64_t number, unsigned base,
                       size_t width)
{
    char digits[20]; // UINT64_MAX has 20 of them.
    size_t first = sizeof(digits);

    while (number != 0 || sizeof(digits) - first < width) {
        digits[--first] = "0123456789abcdef"[number % base];
        number /= base;
    }
    out_bytes(out, digits + first, sizeof(digits) - first);
}

void nw__out_u64(struct nw__out *out, uint64_t number)
{
    out_digits(out, number, 10, 1);
}

void nw__out_i64(struct nw__out *out, int64_t number)
{
    if (number < 0) {
        nw__out_text(out, "-");
    }
    // Negating as unsigned is right for INT64_MIN too.
    nw__out_u64(out, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void nw__out_hex(struct nw__out *out, uint64_t number)
{
    nw__out_text(out, "\"0x");
    out_digits(out, number, 16, 1);
    nw__out_text(out, "\"");
}

void nw__out_us(struct nw__out *out, uint64_t ns)
{
    nw__out_u64(out, ns / 1000);
    nw__out_text(out, ".");
    out_digits(out, ns % 1000, 10, 3);
}

static bool in_range(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

// Length of the UTF-8 sequence at the start of `text`; 0 when it is none. The
// table is that of the Unicode standard: it leaves out overlong forms,
// surrogates and what lies beyond U+10FFFF. A NUL ends every sequence.
static size_t utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0x01, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t form = 0;

    while (!in_range(text[0], forms[form].first_low, forms[form].first_high)) {
        form++;
        if (form == sizeof(forms) / sizeof(forms[0])) {
            return 0;
        }
    }
    if (forms[form].length > 1 &&
        !in_range(text[1], forms[form].second_low, forms[form].second_high)) {
        return 0;
    }
    for (size_t seen = 2; seen < forms[form].length; seen++) {
        if (!in_range(text[seen], 0x80, 0xbf)) {
            return 0;
        }
    }
    return forms[form].length;
}

static void out_control(struct nw__out *out, unsigned char byte)
{
    nw__out_text(out, "\\u");
    out_digits(out, byte, 16, 4);
}

void nw__out_escaped(struct nw__out *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0') {
        size_t length = utf8_length(at);

        if (length == 0) {
            nw__out_text(out, "\xef\xbf\xbd");
            at++;
            continue;
        }
        if (*at == '"' || *at == '\\') {
            nw__out_text(out, "\\");
        }
        if (*at < 0x20) {
            out_control(out, *at);
        } else {
            out_bytes(out, (const char *)at, length);
        }
        at += length;
    }
}

// A buffered file that JSON is written to piece by piece.
//
// Not a FILE: a process that forks and exits while one is being written would
// write its copy of the buffer too.

#ifndef NW_TRACE_OUT_H
#define NW_TRACE_OUT_H

#include <stddef.h>
#include <stdint.h>

#define NW__OUT_BUFFER_SIZE 65536

struct nw__out {
    int fd;
    int error; // errno of the first write that failed; then nothing is written.
    size_t size;
    char buffer[NW__OUT_BUFFER_SIZE];
};

void nw__out_init(struct nw__out *out, int fd);

// Writes what is buffered. 0, or the errno of the first failure.
int nw__out_flush(struct nw__out *out);

void nw__out_text(struct nw__out *out, const char *text);
void nw__out_u64(struct nw__out *out, uint64_t number);
void nw__out_i64(struct nw__out *out, int64_t number);

// As a JSON string, "0x2a".
void nw__out_hex(struct nw__out *out, uint64_t number);

// Nanoseconds as microseconds with three decimals: 1234567 is 1234.567.
void nw__out_us(struct nw__out *out, uint64_t ns);

// The inside of a JSON string. Bytes that are no UTF-8 become U+FFFD.
void nw__out_escaped(struct nw__out *out, const char *text);

#endif

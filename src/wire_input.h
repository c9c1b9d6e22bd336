// A place in the bytes of a message, and what can be read there that is no
// value yet: tags, numbers, text.
//
// Nothing is read past `end`. Every function says with a status whether it
// could read, and with `detail` why not.
//
// In a header, because a message is many small things: the calls would cost
// more than what they do.

#ifndef NW_SRC_WIRE_INPUT_H
#define NW_SRC_WIRE_INPUT_H

#include <math.h>
#include <string.h>

#include <nwpool/value.h>

#include "src/text.h"
#include "src/wire_tag.h"

struct nw__input {
    const uint8_t *at;
    const uint8_t *end;
    const char *detail; // Static text.
};

static inline nw_status nw__input_fail(struct nw__input *input,
                                       nw_status status, const char *detail)
{
    input->detail = detail;
    return status;
}

static inline nw_status nw__input_malformed(struct nw__input *input,
                                            const char *detail)
{
    return nw__input_fail(input, NW_EPROTO, detail);
}

static inline size_t nw__input_left(const struct nw__input *input)
{
    return (size_t)(input->end - input->at);
}

static inline nw_status nw__input_varint(struct nw__input *input, uint32_t *out)
{
    uint32_t value = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte;

        if (input->at == input->end) {
            return nw__input_malformed(input, "truncated number");
        }
        byte = *input->at++;
        // The fifth byte has room for four bits.
        if (shift == 28 && byte > 0x0F) {
            break;
        }
        value |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = value;
            return NW_OK;
        }
    }
    return nw__input_malformed(input, "number too long");
}

// A varint size and as many bytes, which stay in the message.
static inline nw_status nw__input_sized(struct nw__input *input,
                                        const uint8_t **data, uint32_t *size)
{
    nw_status status = nw__input_varint(input, size);

    if (status != NW_OK) {
        return status;
    }
    if (*size > nw__input_left(input)) {
        return nw__input_malformed(input, "truncated data");
    }
    *data = input->at;
    input->at += *size;
    return NW_OK;
}

static inline void nw__input_skip_padding(struct nw__input *input)
{
    while (input->at < input->end && *input->at == NW__TAG_PADDING) {
        input->at++;
    }
}

static inline nw_status nw__input_tag(struct nw__input *input, uint8_t *tag)
{
    nw__input_skip_padding(input);
    if (input->at == input->end) {
        return nw__input_malformed(input, "truncated value");
    }
    *tag = *input->at++;
    return NW_OK;
}

// Reads the tag if it is the next one.
static inline bool nw__input_skip_tag(struct nw__input *input, uint8_t tag)
{
    nw__input_skip_padding(input);
    if (input->at == input->end || *input->at != tag) {
        return false;
    }
    input->at++;
    return true;
}

static inline nw_status nw__input_int32(struct nw__input *input, double *number)
{
    uint32_t zigzag;
    nw_status status = nw__input_varint(input, &zigzag);

    if (status == NW_OK) {
        *number = (int32_t)(zigzag >> 1 ^ (0 - (zigzag & 1)));
    }
    return status;
}

static inline nw_status nw__input_uint32(struct nw__input *input,
                                         double *number)
{
    uint32_t value;
    nw_status status = nw__input_varint(input, &value);

    if (status == NW_OK) {
        *number = value;
    }
    return status;
}

static inline nw_status nw__input_double(struct nw__input *input,
                                         double *number)
{
    if (nw__input_left(input) < sizeof(*number)) {
        return nw__input_malformed(input, "truncated double");
    }
    memcpy(number, input->at, sizeof(*number));
    input->at += sizeof(*number);
    if (isnan(*number)) {
        *number = NAN; // No payload of the sender's choosing.
    }
    return NW_OK;
}

static inline nw_status nw__input_number(struct nw__input *input, uint8_t tag,
                                         double *number)
{
    switch (tag) {
    case NW__TAG_INT32:
        return nw__input_int32(input, number);
    case NW__TAG_UINT32:
        return nw__input_uint32(input, number);
    default:
        return nw__input_double(input, number);
    }
}

// Text as it lies in the message, and what it will be in UTF-8.
struct nw__wire_text {
    uint8_t tag;
    const uint8_t *data;
    uint32_t data_size;
    size_t size;
    bool ascii;
};

static inline nw_status nw__input_text(struct nw__input *input, uint8_t tag,
                                       struct nw__wire_text *text)
{
    nw_status status;

    text->tag = tag;
    status = nw__input_sized(input, &text->data, &text->data_size);
    if (status != NW_OK) {
        return status;
    }
    text->ascii = tag != NW__TAG_STRING_TWO_BYTE &&
                  nw__text_is_ascii(text->data, text->data_size);
    text->size = text->data_size;
    if (tag == NW__TAG_STRING_TWO_BYTE) {
        if (text->data_size % 2 != 0) {
            return nw__input_malformed(input, "odd size of a two-byte string");
        }
        text->size = nw__utf16_utf8_size(text->data, text->data_size / 2);
        text->ascii = text->size == text->data_size / 2;
    } else if (!text->ascii && tag == NW__TAG_STRING_ONE_BYTE) {
        text->size = nw__latin1_utf8_size(text->data, text->data_size);
    } else if (!text->ascii && !nw__utf8_is_valid(text->data, text->size)) {
        return nw__input_malformed(input, "malformed UTF-8");
    }
    if (text->size > NW_VALUE_SIZE_MAX) {
        return nw__input_fail(input, NW_ELIMIT, "string too long");
    }
    return NW_OK;
}

static inline void nw__wire_text_convert(const struct nw__wire_text *text,
                                         char *to)
{
    if (text->tag == NW__TAG_STRING_TWO_BYTE) {
        nw__utf16_to_utf8(to, text->data, text->data_size / 2);
    } else if (text->ascii || text->tag == NW__TAG_STRING_UTF8) {
        if (text->size > 0) {
            memcpy(to, text->data, text->size);
        }
    } else {
        nw__latin1_to_utf8(to, text->data, text->data_size);
    }
}

#endif

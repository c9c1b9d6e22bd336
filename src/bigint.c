// BigInts: sign and magnitude in words of 64 bits.
//
// Invariants
//   The most significant word is never 0, and zero has no words and no sign:
//   equal numbers are equal words.

#include <string.h>

#include "src/common.h"
#include "src/value.h"

#define WORD_SIZE sizeof(uint64_t)

// Takes words that lie in the arena already.
static nw_value *bigint_over(nw_doc *doc, bool negative, const uint64_t *words,
                             size_t count)
{
    nw_value *value = nw__value_new(doc, NW_TYPE_BIGINT);

    while (count > 0 && words[count - 1] == 0) {
        count--;
    }
    if (value != NULL) {
        value->size = (uint32_t)count;
        value->as.bigint.words = words;
        value->as.bigint.negative = negative && count > 0;
    }
    return value;
}

nw_value *nw_value_bigint_words(nw_doc *doc, bool negative,
                                const uint64_t *words, size_t count)
{
    uint64_t *copy = NULL;

    if (doc == NULL) {
        return NULL;
    }
    if (words == NULL && count > 0) {
        return nw__value_fail(doc, NW_EINVAL);
    }
    while (count > 0 && words[count - 1] == 0) {
        count--;
    }
    if (count > NW_BIGINT_WORDS_MAX) {
        return nw__value_fail(doc, NW_ELIMIT);
    }
    if (count > 0) {
        copy = nw__doc_alloc(doc, count * WORD_SIZE, WORD_SIZE);
        if (copy == NULL) {
            return NULL;
        }
        memcpy(copy, words, count * WORD_SIZE);
    }
    return bigint_over(doc, negative, copy, count);
}

nw_value *nw_value_bigint(nw_doc *doc, int64_t number)
{
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    return nw_value_bigint_words(doc, number < 0, &magnitude, 1);
}

nw_value *nw_value_bigint_unsigned(nw_doc *doc, uint64_t number)
{
    return nw_value_bigint_words(doc, false, &number, 1);
}

nw_value *nw__value_bigint_bytes(nw_doc *doc, bool negative,
                                 const uint8_t *bytes, size_t size)
{
    size_t count = (size + WORD_SIZE - 1) / WORD_SIZE;
    uint64_t *words = NULL;

    if (count > 0) {
        words = nw__doc_alloc(doc, count * WORD_SIZE, WORD_SIZE);
        if (words == NULL) {
            return NULL;
        }
        words[count - 1] = 0; // The bytes need not fill it.
        memcpy(words, bytes, size);
    }
    return bigint_over(doc, negative, words, count);
}

const uint64_t *nw_value_get_bigint_words(const nw_value *value, bool *negative,
                                          size_t *count)
{
    bool some = nw_value_type(value) == NW_TYPE_BIGINT && value->size > 0;

    if (negative != NULL) {
        *negative = some && value->as.bigint.negative;
    }
    if (count != NULL) {
        *count = some ? value->size : 0;
    }
    return some ? value->as.bigint.words : NULL;
}

// The magnitude, if one word holds it.
static nw_status bigint_word(const nw_value *value, uint64_t *word,
                             bool *negative)
{
    size_t count;
    const uint64_t *words = nw_value_get_bigint_words(value, negative, &count);

    if (nw_value_type(value) != NW_TYPE_BIGINT) {
        return NW_ETYPE;
    }
    *word = count == 0 ? 0 : words[0];
    return count > 1 ? NW_ELIMIT : NW_OK;
}

nw_status nw_value_get_bigint(const nw_value *value, int64_t *out)
{
    bool negative;
    uint64_t word;
    nw_status status;

    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = 0;
    status = bigint_word(value, &word, &negative);
    if (status != NW_OK) {
        return status;
    }
    // There is one negative number more than there are positive ones.
    if (word > (uint64_t)INT64_MAX + negative) {
        return NW_ELIMIT;
    }
    *out = negative ? -1 - (int64_t)(word - 1) : (int64_t)word;
    return NW_OK;
}

nw_status nw_value_get_bigint_unsigned(const nw_value *value, uint64_t *out)
{
    bool negative;
    uint64_t word;
    nw_status status;

    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = 0;
    status = bigint_word(value, &word, &negative);
    if (status == NW_OK && negative) {
        status = NW_ELIMIT;
    }
    if (status == NW_OK) {
        *out = word;
    }
    return status;
}

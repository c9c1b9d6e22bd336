// Goal: any value that C can build comes back from JavaScript as it was, with
// everything that is one value still one.
//
// NW_SEED=n repeats a run; the seed is printed when something differs.

#include "tests/pool/support.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUES    2000
#define DEPTH_MAX 7
#define WIDTH_MAX 6
#define MADE_MAX  256
#define PAIRS_MAX 4096

TestSuite(random, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

static uint64_t seed;
static uint64_t state;

static void start_random(void)
{
    const char *given = getenv("NW_SEED");

    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    state = seed;
    printf("NW_SEED=%" PRIu64 "\n", seed);
}

// splitmix64 (Steele, Lea, Flood).
static uint64_t random_bits(void)
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(random_bits() % n);
}

// -- making

static nw_value *made[MADE_MAX]; // Containers and bytes that may repeat.
static size_t made_count;

static nw_value *remember(nw_value *value)
{
    if (made_count < MADE_MAX) {
        made[made_count++] = value;
    }
    return value;
}

static double any_number(void)
{
    static const double special[] = {0,          -0.0,        NAN,
                                     INFINITY,   -INFINITY,   2147483647,
                                     2147483648, -2147483648, 9007199254740992,
                                     5e-324,     1073741824,  -1073741825};
    uint64_t bits = random_bits();
    double number;

    switch (below(4)) {
    case 0:
        return special[below(sizeof(special) / sizeof(special[0]))];
    case 1:
        return (int)below(200) - 100;
    case 2:
        return (int32_t)bits;
    default:
        memcpy(&number, &bits, sizeof(number));
        return isnan(number) ? NAN : number;
    }
}

// UTF-8 of any Unicode scalar value, of a length drawn first so that short ones
// are common.
static size_t put_character(char *to)
{
    static const uint32_t limits[] = {0x80, 0x100, 0x800, 0x10000, 0x110000};
    uint32_t code = below(limits[below(5)]);

    if (code >= 0xD800 && code < 0xE000) {
        code = 0xFFFD;
    }
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xC0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xE0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3F));
        to[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3F));
    to[2] = (char)(0x80 | (code >> 6 & 0x3F));
    to[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static size_t any_text(char *to, size_t size_max)
{
    size_t characters = below(8) == 0 ? below(200) : below(12);
    bool ascii = below(2) == 0;
    size_t size = 0;

    for (size_t i = 0; i < characters && size + 4 <= size_max; i++) {
        if (ascii) {
            to[size++] = (char)(' ' + below(95));
        } else {
            size += put_character(to + size);
        }
    }
    return size;
}

static size_t any_key(char *to, size_t size_max)
{
    switch (below(6)) {
    case 0:
        return (size_t)snprintf(to, size_max, "%u", below(20));
    case 1:
        return (size_t)snprintf(to, size_max, "%" PRIu64,
                                random_bits() >> below(64));
    case 2:
        return (size_t)snprintf(to, size_max, "%s",
                                below(2) == 0 ? "__proto__" : "length");
    default:
        return any_text(to, size_max);
    }
}

static nw_value *any_value(unsigned depth);

static nw_value *any_array(unsigned depth)
{
    nw_value *array = remember(nw_value_array(doc));
    unsigned width = below(WIDTH_MAX);

    for (unsigned i = 0; i < width; i++) {
        nw_array_push(array, any_value(depth + 1));
    }
    return array;
}

static nw_value *any_object(unsigned depth)
{
    nw_value *object = remember(nw_value_object(doc));
    unsigned width = below(WIDTH_MAX);
    char key[1024];

    for (unsigned i = 0; i < width; i++) {
        size_t size = any_key(key, sizeof(key));

        nw_object_set_n(object, key, size, any_value(depth + 1));
    }
    return object;
}

static nw_value *any_bytes(void)
{
    uint8_t data[300];
    size_t size = below(4) == 0 ? below(sizeof(data)) : below(10);

    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)random_bits();
    }
    return remember(nw_value_bytes(doc, data, size));
}

static nw_value *any_value(unsigned depth)
{
    char buffer[1024];
    size_t size;

    if (made_count > 0 && below(12) == 0) {
        return made[below((unsigned)made_count)];
    }
    switch (below(depth < DEPTH_MAX ? 10 : 6)) {
    case 0:
        return nw_value_undefined(doc);
    case 1:
        return nw_value_null(doc);
    case 2:
        return nw_value_bool(doc, below(2) == 0);
    case 3:
        return number(any_number());
    case 4:
        size = any_text(buffer, sizeof(buffer));
        return nw_value_string_n(doc, buffer, size);
    case 5:
        return any_bytes();
    case 6:
    case 7:
        return any_array(depth);
    default:
        return any_object(depth);
    }
}

// -- comparing

// Which value there stands for which value here; a value that is one here has
// to be one there, and the other way round.
static struct {
    const nw_value *here;
    const nw_value *there;
} pairs[PAIRS_MAX];
static size_t pair_count;

// 1: known pair. 0: new, and noted. -1: not the same.
static int note_pair(const nw_value *here, const nw_value *there)
{
    for (size_t i = 0; i < pair_count; i++) {
        if (pairs[i].here == here || pairs[i].there == there) {
            return pairs[i].here == here && pairs[i].there == there ? 1 : -1;
        }
    }
    if (pair_count == PAIRS_MAX) {
        return -1;
    }
    pairs[pair_count].here = here;
    pairs[pair_count].there = there;
    pair_count++;
    return 0;
}

static bool is_same(const nw_value *here, const nw_value *there);

static bool same_bits(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static bool same_array(const nw_value *here, const nw_value *there)
{
    if (nw_value_size(here) != nw_value_size(there)) {
        return false;
    }
    for (size_t i = 0; i < nw_value_size(here); i++) {
        if (!is_same(nw_array_get(here, i), nw_array_get(there, i))) {
            return false;
        }
    }
    return true;
}

// By key: JavaScript has an order of its own for those that look like indices.
static const nw_value *member(const nw_value *object, const char *key,
                              size_t size)
{
    for (size_t i = 0; i < nw_value_size(object); i++) {
        const char *other;
        size_t other_size;
        const nw_value *value = nw_object_at(object, i, &other, &other_size);

        if (other_size == size && memcmp(other, key, size) == 0) {
            return value;
        }
    }
    return NULL;
}

static bool same_object(const nw_value *here, const nw_value *there)
{
    if (nw_value_size(here) != nw_value_size(there)) {
        return false;
    }
    for (size_t i = 0; i < nw_value_size(here); i++) {
        const char *key;
        size_t size;
        const nw_value *value = nw_object_at(here, i, &key, &size);
        const nw_value *other = member(there, key, size);

        if (other == NULL || !is_same(value, other)) {
            return false;
        }
    }
    return true;
}

static bool same_memory(const void *a, size_t a_size, const void *b,
                        size_t b_size)
{
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static bool same_content(const nw_value *here, const nw_value *there)
{
    size_t size, other_size;
    const void *data, *other;

    switch (nw_value_type(here)) {
    case NW_TYPE_BOOL:
        return nw_value_get_bool(here) == nw_value_get_bool(there);
    case NW_TYPE_NUMBER:
        return same_bits(nw_value_get_number(here), nw_value_get_number(there));
    case NW_TYPE_STRING:
        data = nw_value_get_string(here, &size);
        other = nw_value_get_string(there, &other_size);
        return same_memory(data, size, other, other_size);
    case NW_TYPE_BYTES:
        data = nw_value_get_bytes(here, &size);
        other = nw_value_get_bytes(there, &other_size);
        return same_memory(data, size, other, other_size);
    case NW_TYPE_ARRAY:
        return same_array(here, there);
    case NW_TYPE_OBJECT:
        return same_object(here, there);
    default:
        return true;
    }
}

static bool is_same(const nw_value *here, const nw_value *there)
{
    nw_type type = nw_value_type(here);
    int known = 0;

    if (type != nw_value_type(there)) {
        return false;
    }
    if (type == NW_TYPE_ARRAY || type == NW_TYPE_OBJECT ||
        type == NW_TYPE_BYTES) {
        known = note_pair(here, there);
    }
    return known == 1 || (known == 0 && same_content(here, there));
}

// -- the test

static void echo_once(nwpool *pool, int i)
{
    const nw_value *value;
    const nw_result *result;

    nw_doc_reset(doc);
    made_count = 0;
    pair_count = 0;
    value = any_value(0);
    result = call(pool, i % 2 == 0 ? "echo" : "echoLater", value, NULL);
    cr_assert(eq(int, result->status, NW_OK), "value %d, NW_SEED=%" PRIu64, i,
              seed);
    cr_assert(is_same(value, result->value),
              "value %d differs, NW_SEED=%" PRIu64, i, seed);
    free_results();
}

Test(random, any_value_comes_back_as_it_was)
{
    nwpool *pool = pool_of("values.js", 1);

    start_random();
    for (int i = 0; i < VALUES; i++) {
        echo_once(pool, i);
    }
    destroy(pool);
}

// Several values at once, as arguments that may share parts.
Test(random, any_arguments_come_back_as_they_were)
{
    nwpool *pool = pool_of("values.js", 2);

    start_random();
    for (int i = 0; i < VALUES / 10; i++) {
        const nw_value *values[3];
        nw_task_spec spec = {
            .function = "all", .arguments = values, .argument_count = 3};
        const nw_result *result;
        nw_task_id task;

        nw_doc_reset(doc);
        made_count = 0;
        pair_count = 0;
        for (int k = 0; k < 3; k++) {
            values[k] = any_value(2);
        }
        cr_assert(eq(int, submit_spec(pool, spec, &task), NW_OK));
        result = take(pool, task);
        cr_assert(eq(int, result->status, NW_OK));
        for (size_t k = 0; k < 3; k++) {
            cr_assert(is_same(values[k], nw_array_get(result->value, k)),
                      "arguments %d, NW_SEED=%" PRIu64, i, seed);
        }
        free_results();
    }
    destroy(pool);
}

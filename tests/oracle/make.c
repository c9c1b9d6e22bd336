#include "tests/oracle/make.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <nwpool/error.h>

#include "tests/random.h"

#define DEPTH_MAX      10
#define WIDTH_MAX      7
#define TEXT_SIZE      1024
#define WORDS_MAX      40
#define LONG_HOLES_MAX 20000
#define CAUSES_MAX     30
#define CHAIN_MAX      600 // Containers in one another: half of the limit.

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static nw_value *any(struct nw_maker *maker, unsigned depth);

// -- numbers

uint64_t nw_make_bits(struct nw_maker *maker)
{
    return random_next(&maker->state);
}

unsigned nw_make_below(struct nw_maker *maker, unsigned limit)
{
    return (unsigned)(nw_make_bits(maker) % limit);
}

static bool one_in(struct nw_maker *maker, unsigned n)
{
    return nw_make_below(maker, n) == 0;
}

static double any_number(struct nw_maker *maker)
{
    static const double special[] = {0,
                                     -0.0,
                                     NAN,
                                     INFINITY,
                                     -INFINITY,
                                     2147483647,
                                     2147483648,
                                     -2147483648,
                                     -2147483649,
                                     4294967295,
                                     4294967296,
                                     1073741823,
                                     1073741824,
                                     -1073741824,
                                     -1073741825,
                                     9007199254740991,
                                     9007199254740992,
                                     -9007199254740992,
                                     5e-324,
                                     1.7976931348623157e308,
                                     0.5,
                                     63,
                                     64,
                                     -64,
                                     -65,
                                     8191,
                                     8192};
    uint64_t bits = nw_make_bits(maker);
    double number;

    switch (nw_make_below(maker, 4)) {
    case 0:
        return special[nw_make_below(maker, COUNT(special))];
    case 1:
        return (int)nw_make_below(maker, 200) - 100;
    case 2:
        return (int32_t)(uint32_t)(bits >> nw_make_below(maker, 33));
    default:
        memcpy(&number, &bits, sizeof(number));
        return isnan(number) ? NAN : number;
    }
}

static nw_value *any_bigint(struct nw_maker *maker)
{
    uint64_t words[WORDS_MAX];
    unsigned count = one_in(maker, 8) ? nw_make_below(maker, WORDS_MAX)
                                      : nw_make_below(maker, 4);

    switch (nw_make_below(maker, 4)) {
    case 0:
        return nw_value_bigint(maker->doc, (int64_t)nw_make_bits(maker));
    case 1:
        return nw_value_bigint_unsigned(
            maker->doc, nw_make_bits(maker) >> nw_make_below(maker, 64));
    case 2:
        return nw_value_bigint(maker->doc,
                               one_in(maker, 2) ? INT64_MIN : INT64_MAX);
    default:
        for (unsigned i = 0; i < count; i++) {
            words[i] = one_in(maker, 4) ? 0 : nw_make_bits(maker);
        }
        return nw_value_bigint_words(maker->doc, one_in(maker, 2), words,
                                     count);
    }
}

// Milliseconds; V8's limit on both sides, fractions, invalid ones.
static double any_time(struct nw_maker *maker)
{
    static const double special[] = {8.64e15,  -8.64e15, 8.64e15 + 2, NAN,
                                     INFINITY, -0.0,     -0.5,        1.5};

    if (one_in(maker, 3)) {
        return special[nw_make_below(maker, COUNT(special))];
    }
    return (double)(int64_t)nw_make_bits(maker) / 1024;
}

// -- text

static size_t put_utf8(uint32_t code, char *to)
{
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

// A text of one kind throughout: ASCII, Latin-1, two-byte, or beyond that; V8
// has a form of its own for each. No NUL in `plain` text.
static size_t any_text(struct nw_maker *maker, char *to, bool plain)
{
    static const uint32_t limits[] = {0x7F, 0x100, 0x10000, 0x110000};
    uint32_t limit = limits[one_in(maker, 2) ? 0 : nw_make_below(maker, 4)];
    unsigned count = one_in(maker, 12) ? nw_make_below(maker, TEXT_SIZE / 4)
                                       : nw_make_below(maker, 12);
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        uint32_t code = nw_make_below(maker, limit);

        if (one_in(maker, 2)) {
            code = ' ' + nw_make_below(maker, '~' - ' ');
        }
        if (code >= 0xD800 && code < 0xE000) {
            code = 0xFFFD;
        }
        size += put_utf8(code == 0 && plain ? '0' : code, to + size);
    }
    to[size] = '\0';
    return size;
}

static nw_value *any_string(struct nw_maker *maker)
{
    char text[TEXT_SIZE + 1];
    size_t size = any_text(maker, text, false);

    return nw_value_string_n(maker->doc, text, size);
}

static size_t any_key(struct nw_maker *maker, char *to)
{
    static const char *const special[] = {
        "__proto__", "constructor", "length",     "toString",
        "then",      "4294967294",  "4294967295", "4294967296",
        "-1",        "-0",          "01",         "1.5",
        "",          "Infinity",    "NaN",        "9007199254740993"};

    switch (nw_make_below(maker, 6)) {
    case 0:
        return (size_t)snprintf(to, TEXT_SIZE, "%u", nw_make_below(maker, 20));
    case 1:
        return (size_t)snprintf(to, TEXT_SIZE, "%" PRIu64,
                                nw_make_bits(maker) >>
                                    nw_make_below(maker, 64));
    case 2:
        return (size_t)snprintf(to, TEXT_SIZE, "%s",
                                special[nw_make_below(maker, COUNT(special))]);
    default:
        return any_text(maker, to, false);
    }
}

// Sources that are valid with any flags, and which JavaScript spells as they
// are: it would escape a slash or a line feed, and show an empty one as "(?:)".
static nw_value *any_regexp(struct nw_maker *maker)
{
    static const char *const sources[] = {"a",
                                          "(?:)",
                                          "^[a-z]+$",
                                          "\\d{1,3}\\.\\u0041",
                                          "a\\/b",
                                          "\\n|\\r",
                                          "(?<year>\\d{4})",
                                          "\xC3\xA9+",
                                          "\xE2\x82\xAC",
                                          "\xF0\x9F\x98\x80?",
                                          ".*?(?=x)",
                                          "(a)\\1[^\\]]"};
    static const char all[] = "dgimsuy";
    char flags[sizeof(all)];
    size_t count = 0;

    for (size_t i = 0; i < sizeof(all) - 1; i++) {
        if (one_in(maker, 3)) {
            flags[count++] = all[i];
        }
    }
    flags[count] = '\0';
    return nw_value_regexp(
        maker->doc, sources[nw_make_below(maker, COUNT(sources))], flags);
}

// -- objects

static nw_value *remember(struct nw_maker *maker, nw_value *value)
{
    if (maker->made_count < NW_MAKE_MADE_MAX) {
        maker->made[maker->made_count++] = value;
    }
    return value;
}

static unsigned any_width(struct nw_maker *maker)
{
    return one_in(maker, 16) ? nw_make_below(maker, 40)
                             : nw_make_below(maker, WIDTH_MAX);
}

static void push_holes(struct nw_maker *maker, nw_value *array)
{
    unsigned count = 1 + nw_make_below(maker, 3);

    if (one_in(maker, 16)) {
        count = nw_make_below(maker, one_in(maker, 16) ? LONG_HOLES_MAX : 600);
    }
    for (unsigned i = 0; i < count; i++) {
        nw_array_push_hole(array);
    }
}

// Named ones: a key that is an index would be an item, and the length of an
// array is not to be set like this.
static void set_properties(struct nw_maker *maker, nw_value *array,
                           unsigned depth)
{
    char key[TEXT_SIZE + 8];

    for (unsigned i = nw_make_below(maker, 3); i > 0; i--) {
        if (one_in(maker, 4)) {
            snprintf(key, sizeof(key), "%s",
                     one_in(maker, 2) ? "4294967295" : "-1");
        } else {
            key[0] = '$';
            any_text(maker, key + 1, true);
        }
        nw_array_set_property(array, key, any(maker, depth + 1));
    }
}

static nw_value *any_array(struct nw_maker *maker, unsigned depth)
{
    nw_value *array = remember(maker, nw_value_array(maker->doc));
    bool holey = one_in(maker, 4);

    for (unsigned i = any_width(maker); i > 0; i--) {
        if (holey && one_in(maker, 3)) {
            push_holes(maker, array);
        } else {
            nw_array_push(array, any(maker, depth + 1));
        }
    }
    if (one_in(maker, 6)) {
        set_properties(maker, array, depth);
    }
    return array;
}

static nw_value *any_object(struct nw_maker *maker, unsigned depth)
{
    nw_value *object = remember(maker, nw_value_object(maker->doc));
    char key[TEXT_SIZE + 1];

    for (unsigned i = any_width(maker); i > 0; i--) {
        size_t size = any_key(maker, key);

        nw_object_set_n(object, key, size, any(maker, depth + 1));
    }
    return object;
}

// True for what a Map or Set takes for the same, as far as it matters here.
// Minus zero would become zero.
static bool is_same_key(const nw_value *a, const nw_value *b)
{
    size_t a_size, b_size;
    const char *a_text, *b_text;
    const uint64_t *a_words, *b_words;
    bool a_negative, b_negative;

    if (a == b) {
        return true;
    }
    if (nw_value_type(a) != nw_value_type(b)) {
        return false;
    }
    switch (nw_value_type(a)) {
    case NW_TYPE_UNDEFINED:
    case NW_TYPE_NULL:
        return true;
    case NW_TYPE_BOOL:
        return nw_value_get_bool(a) == nw_value_get_bool(b);
    case NW_TYPE_NUMBER:
        return nw_value_get_number(a) == nw_value_get_number(b) ||
               (isnan(nw_value_get_number(a)) && isnan(nw_value_get_number(b)));
    case NW_TYPE_STRING:
        a_text = nw_value_get_string(a, &a_size);
        b_text = nw_value_get_string(b, &b_size);
        return a_size == b_size && memcmp(a_text, b_text, a_size) == 0;
    case NW_TYPE_BIGINT:
        a_words = nw_value_get_bigint_words(a, &a_negative, &a_size);
        b_words = nw_value_get_bigint_words(b, &b_negative, &b_size);
        return a_negative == b_negative && a_size == b_size &&
               (a_size == 0 || memcmp(a_words, b_words, 8 * a_size) == 0);
    default:
        return false;
    }
}

static bool is_minus_zero(const nw_value *value)
{
    return nw_value_type(value) == NW_TYPE_NUMBER &&
           nw_value_get_number(value) == 0 &&
           signbit(nw_value_get_number(value));
}

static nw_value *any_map(struct nw_maker *maker, unsigned depth)
{
    nw_value *map = remember(maker, nw_value_map(maker->doc));

    for (unsigned i = any_width(maker); i > 0; i--) {
        nw_value *key = any(maker, depth + 1);
        const nw_value *other;
        bool is_new = !is_minus_zero(key);

        for (size_t k = 0; is_new && k < nw_value_size(map); k++) {
            nw_map_at(map, k, &other);
            is_new = !is_same_key(key, other);
        }
        if (is_new) {
            nw_map_push(map, key, any(maker, depth + 1));
        }
    }
    return map;
}

static nw_value *any_set(struct nw_maker *maker, unsigned depth)
{
    nw_value *set = remember(maker, nw_value_set(maker->doc));

    for (unsigned i = any_width(maker); i > 0; i--) {
        nw_value *item = any(maker, depth + 1);
        bool is_new = !is_minus_zero(item);

        for (size_t k = 0; is_new && k < nw_value_size(set); k++) {
            is_new = !is_same_key(item, nw_set_at(set, k));
        }
        if (is_new) {
            nw_set_push(set, item);
        }
    }
    return set;
}

static nw_value *any_boxed(struct nw_maker *maker)
{
    nw_value *primitive;

    switch (nw_make_below(maker, 4)) {
    case 0:
        primitive = nw_value_bool(maker->doc, one_in(maker, 2));
        break;
    case 1:
        primitive = nw_value_number(maker->doc, any_number(maker));
        break;
    case 2:
        primitive = any_string(maker);
        break;
    default:
        primitive = any_bigint(maker);
        break;
    }
    return remember(maker, nw_value_boxed(maker->doc, primitive));
}

// -- bytes

static nw_value *any_bytes(struct nw_maker *maker)
{
    uint8_t data[300];
    size_t size = nw_make_below(maker, one_in(maker, 4) ? sizeof(data) : 33);

    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)nw_make_bits(maker);
    }
    if (one_in(maker, 2)) {
        return remember(maker, nw_value_bytes(maker->doc, data, size));
    }
    // A multiple of every element, so that it can be shown as a whole.
    return remember(maker,
                    nw_value_array_buffer(maker->doc, data, size / 8 * 8));
}

static nw_value *any_buffer(struct nw_maker *maker)
{
    nw_value *buffer;

    if (maker->buffer_count > 0 && one_in(maker, 2)) {
        return maker
            ->buffers[nw_make_below(maker, (unsigned)maker->buffer_count)];
    }
    do {
        buffer = any_bytes(maker);
    } while (nw_value_view(buffer) != NW_VIEW_ARRAY_BUFFER);
    if (maker->buffer_count < NW_MAKE_MADE_MAX) {
        maker->buffers[maker->buffer_count++] = buffer;
    }
    return buffer;
}

static nw_value *any_view(struct nw_maker *maker)
{
    static const struct {
        nw_view view;
        unsigned element;
    } kinds[] = {{NW_VIEW_INT8, 1},          {NW_VIEW_UINT8, 1},
                 {NW_VIEW_UINT8_CLAMPED, 1}, {NW_VIEW_INT16, 2},
                 {NW_VIEW_UINT16, 2},        {NW_VIEW_INT32, 4},
                 {NW_VIEW_UINT32, 4},        {NW_VIEW_FLOAT32, 4},
                 {NW_VIEW_FLOAT64, 8},       {NW_VIEW_BIGINT64, 8},
                 {NW_VIEW_BIGUINT64, 8},     {NW_VIEW_DATA_VIEW, 1}};
    unsigned kind = nw_make_below(maker, COUNT(kinds));
    unsigned element = kinds[kind].element;
    nw_value *buffer = any_buffer(maker);
    size_t offset = 0;
    size_t size;

    nw_value_get_bytes(buffer, &size);
    if (!maker->for_worker && one_in(maker, 2)) {
        offset = nw_make_below(maker, (unsigned)(size / element + 1)) * element;
        size = nw_make_below(maker, (unsigned)((size - offset) / element + 1)) *
               element;
    }
    return remember(maker,
                    nw_value_view_of(buffer, kinds[kind].view, offset, size));
}

// -- errors

// Anything, or a chain of errors that is longer than what is read.
static nw_value *any_cause(struct nw_maker *maker, unsigned depth)
{
    nw_value *cause = any(maker, depth);

    if (one_in(maker, 20)) {
        for (unsigned i = nw_make_below(maker, CAUSES_MAX); i > 0; i--) {
            nw_value *error = nw_value_error(maker->doc, "Error", "link");

            if (maker->for_worker || one_in(maker, 2)) {
                nw_error_set_stack(error, "@");
            }
            nw_error_set_cause(error, cause);
            cause = error;
        }
    }
    return cause;
}

// The `errors` of an error.
static nw_value *any_errors(struct nw_maker *maker, unsigned depth)
{
    nw_value *errors;

    if (!maker->for_worker) {
        return any_array(maker, depth);
    }
    errors = nw_value_array(maker->doc);
    for (unsigned i = any_width(maker); i > 0; i--) {
        nw_array_push(errors, any(maker, depth));
    }
    return errors;
}

static nw_value *any_property(struct nw_maker *maker, unsigned depth)
{
    nw_value *value = any(maker, depth);

    return maker->for_worker && nw_value_type(value) == NW_TYPE_UNDEFINED
               ? nw_value_null(maker->doc)
               : value;
}

static nw_value *any_error(struct nw_maker *maker, unsigned depth)
{
    static const char *const names[] = {
        "Error",     "TypeError",      "RangeError", "SyntaxError",
        "EvalError", "ReferenceError", "URIError",   "AggregateError",
        "MyError",   "AbortError"};
    const char *name = names[nw_make_below(maker, COUNT(names))];
    bool needs_errors =
        maker->for_worker && strcmp(name, "AggregateError") == 0;
    size_t made_from = maker->made_from;
    char text[TEXT_SIZE + 2];
    nw_value *error;

    // Nothing in it may lead back to it.
    maker->made_from = maker->made_count;
    any_text(maker, text, true);
    error = nw_value_error(maker->doc, name, text);
    if (maker->for_worker || one_in(maker, 2)) {
        text[0] = '@';
        any_text(maker, text + 1, true);
        nw_error_set_stack(error, text);
    }
    if (one_in(maker, 2)) {
        nw_error_set_cause(error, any_cause(maker, depth + 1));
    }
    if (one_in(maker, 4)) {
        any_text(maker, text, true);
        nw_error_set_code(error, text);
    }
    if (needs_errors || one_in(maker, 6)) {
        nw_error_set_errors(error, any_errors(maker, depth + 1));
    }
    if (one_in(maker, 4)) {
        nw_error_set_property(error, "status", any_property(maker, depth + 1));
        nw_error_set_property(error, "7", any_property(maker, depth + 1));
    }
    maker->made_from = made_from;
    return remember(maker, error);
}

// -- everything

static nw_value *any_primitive(struct nw_maker *maker)
{
    switch (nw_make_below(maker, 8)) {
    case 0:
        return nw_value_undefined(maker->doc);
    case 1:
        return nw_value_null(maker->doc);
    case 2:
        return nw_value_bool(maker->doc, one_in(maker, 2));
    case 3:
    case 4:
        return nw_value_number(maker->doc, any_number(maker));
    case 5:
        return any_bigint(maker);
    default:
        return any_string(maker);
    }
}

// Containers in one another, deeper than anything else here.
static nw_value *any_chain(struct nw_maker *maker)
{
    nw_value *value = any_primitive(maker);

    if (is_minus_zero(value)) {
        value = nw_value_number(maker->doc, 0); // As a set would have it.
    }
    for (unsigned i = nw_make_below(maker, CHAIN_MAX); i > 0; i--) {
        nw_value *inner = value;

        switch (nw_make_below(maker, 3)) {
        case 0:
            value = nw_value_array(maker->doc);
            nw_array_push(value, inner);
            break;
        case 1:
            value = nw_value_object(maker->doc);
            nw_object_set(value, "in", inner);
            break;
        default:
            value = nw_value_set(maker->doc);
            nw_set_push(value, inner);
            break;
        }
    }
    return value;
}

static nw_value *any_structure(struct nw_maker *maker, unsigned depth)
{
    switch (nw_make_below(maker, 16)) {
    case 0:
    case 1:
    case 2:
        return any_array(maker, depth);
    case 3:
    case 4:
    case 5:
        return any_object(maker, depth);
    case 6:
    case 7:
        return any_map(maker, depth);
    case 8:
    case 9:
        return any_set(maker, depth);
    case 10:
        return any_error(maker, depth);
    case 11:
        return any_bytes(maker);
    case 12:
        return any_view(maker);
    case 13:
        return any_boxed(maker);
    case 14:
        return remember(maker, any_regexp(maker));
    default:
        return remember(maker, nw_value_date(maker->doc, any_time(maker)));
    }
}

static nw_value *any(struct nw_maker *maker, unsigned depth)
{
    unsigned reusable = (unsigned)(maker->made_count - maker->made_from);

    if (reusable > 0 && one_in(maker, 10)) {
        return maker->made[maker->made_from + nw_make_below(maker, reusable)];
    }
    if (maker->budget > 0 && depth < DEPTH_MAX && !one_in(maker, 3)) {
        maker->budget--;
        return any_structure(maker, depth);
    }
    return any_primitive(maker);
}

void nw_maker_init(struct nw_maker *maker, nw_doc *doc, uint64_t seed,
                   unsigned budget)
{
    *maker = (struct nw_maker){.doc = doc, .state = seed, .budget = budget};
}

nw_value *nw_make_value(struct nw_maker *maker)
{
    if (maker->budget > 8 && one_in(maker, 500)) {
        return any_chain(maker);
    }
    // Most values here should have something in them.
    if (maker->budget > 0 && !one_in(maker, 8)) {
        maker->budget--;
        return any_structure(maker, 0);
    }
    return any(maker, 0);
}

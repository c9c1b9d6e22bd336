// Values to and from jansson's json_t.
//
// Invariants
//   No recursion of ours in either direction, and nothing deeper than
//   NW_VALUE_DEPTH_MAX. (jansson itself recurses when it frees.)
//   A json_t that is built belongs to its parent from the moment it exists, so
//   that on failure one reference, the root's, frees everything.
//
// Design notes
//   A shared value is written out at each of its places, as JSON.stringify
//   does. A few dozen values that contain each other twice would become 2^n of
//   them, hence the budget.

#include <nwpool/json.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/common.h"
#include "src/value.h"
#include "src/walk.h"

// JSON values that one value may become: what a document can hold many times
// over, and a limit to what it can be made to repeat.
#define NODES_MIN       ((size_t)1 << 20)
#define NODES_PER_VALUE 64

#define NUMBER_INTEGER_MAX 9007199254740992.0 // 2^53

#define MS_PER_DAY     INT64_C(86400000)
#define DATE_TEXT_SIZE 96 // More than any, so that compilers see it.

// -- from JSON

// The value for `json`, of a container only an empty one; NULL marks the
// document.
static nw_value *value_from(nw_doc *doc, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_NULL:
        return nw_value_null(doc);
    case JSON_FALSE:
        return nw_value_bool(doc, false);
    case JSON_TRUE:
        return nw_value_bool(doc, true);
    case JSON_INTEGER:
        return nw_value_number(doc, (double)json_integer_value(json));
    case JSON_REAL:
        return nw_value_number(doc, json_real_value(json));
    case JSON_STRING:
        return nw_value_string_n(doc, json_string_value(json),
                                 json_string_length(json));
    case JSON_ARRAY:
        return nw_value_array(doc);
    case JSON_OBJECT:
        return nw_value_object(doc);
    }
    nw__doc_fail(doc, NW_EINVAL);
    return NULL;
}

// The value for `json`, with a frame for its content if it is a container.
static nw_value *from_json_open(struct nw__walk *walk, nw_doc *doc,
                                const json_t *json)
{
    nw_value *value = value_from(doc, json);
    struct nw__walk_frame *frame;
    nw_status status;

    if (value == NULL || (!json_is_array(json) && !json_is_object(json))) {
        return value;
    }
    status = nw__walk_push(walk, &frame);
    if (status != NW_OK) {
        nw__doc_fail(doc, status);
        return NULL;
    }
    frame->container = value;
    frame->partner = (json_t *)json; // Only read; jansson's iterators want it.
    if (json_is_object(json)) {
        frame->cursor = json_object_iter(frame->partner);
    }
    return value;
}

// Copies the next child; a failure is in the document's status.
static void from_json_step(struct nw__walk *walk, nw_doc *doc)
{
    struct nw__walk_frame *frame = nw__walk_top(walk);
    nw_value *container = (nw_value *)frame->container;
    json_t *json = frame->partner;
    void *at = frame->cursor;
    nw_value *child;

    if (json_is_array(json)) {
        if (frame->index == json_array_size(json)) {
            nw__walk_pop(walk);
            return;
        }
        child = from_json_open(walk, doc, json_array_get(json, frame->index++));
        nw_array_push(container, child);
        return;
    }
    if (at == NULL) {
        nw__walk_pop(walk);
        return;
    }
    frame->cursor = json_object_iter_next(json, at);
    child = from_json_open(walk, doc, json_object_iter_value(at));
    nw_object_set_n(container, json_object_iter_key(at),
                    json_object_iter_key_len(at), child);
}

nw_value *nw_value_from_json(nw_doc *doc, const json_t *json)
{
    struct nw__walk walk;
    nw_value *root;

    if (doc == NULL) {
        return NULL;
    }
    if (json == NULL) {
        nw__doc_fail(doc, NW_EINVAL);
    }
    if (doc->status != NW_OK) {
        return NULL;
    }
    nw__walk_init(&walk);
    root = from_json_open(&walk, doc, json);
    while (doc->status == NW_OK && nw__walk_top(&walk) != NULL) {
        from_json_step(&walk, doc);
    }
    nw__walk_fini(&walk);
    return doc->status == NW_OK ? root : NULL;
}

// -- to JSON

static json_t *json_from_number(double number)
{
    if (!isfinite(number)) {
        return json_null();
    }
    if (fabs(number) <= NUMBER_INTEGER_MAX && number == trunc(number)) {
        return json_integer((json_int_t)number);
    }
    return json_real(number);
}

static size_t base64_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

static void base64_encode(char *to, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16;

        group |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
        group |= i + 2 < size ? (uint32_t)data[i + 2] : 0;
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 0x3F];
        *to++ = i + 1 < size ? digits[group >> 6 & 0x3F] : '=';
        *to++ = i + 2 < size ? digits[group & 0x3F] : '=';
    }
}

static json_t *json_from_bytes(const nw_value *value)
{
    size_t size;
    const void *data = nw_value_get_bytes(value, &size);
    char *text = nw__alloc(base64_size(size));
    json_t *json = NULL;

    if (text != NULL) {
        base64_encode(text, data, size);
        json = json_stringn_nocheck(text, base64_size(size));
        nw__free(text);
    }
    return json;
}

// The civil date of a day since 1970, by the Gregorian calendar. Years begin in
// March here, so that the day of a leap year is the last one; an era is 400
// years.
static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t shifted = days + 719468; // Since 0000-03-01.
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year =
        of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3
                                         : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

// As Date.prototype.toJSON().
static json_t *json_from_date(double date)
{
    char text[DATE_TEXT_SIZE];
    int64_t ms;
    int64_t days;
    int64_t year;
    int month;
    int day;
    int rest;

    if (isnan(date)) {
        return json_null();
    }
    ms = (int64_t)date;
    days = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0);
    rest = (int)(ms - days * MS_PER_DAY);
    civil_from_days(days, &year, &month, &day);
    snprintf(text, sizeof(text),
             year >= 0 && year <= 9999
                 ? "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ"
                 : "%+07" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ",
             year, month, day, rest / 3600000, rest / 60000 % 60,
             rest / 1000 % 60, rest % 1000);
    return json_string_nocheck(text);
}

// NW_ETYPE beyond what a double, and so every reader of JSON, holds exactly.
static nw_status json_from_bigint(const nw_value *value, json_t **out)
{
    int64_t number;

    if (nw_value_get_bigint(value, &number) != NW_OK ||
        number > (int64_t)NUMBER_INTEGER_MAX ||
        number < -(int64_t)NUMBER_INTEGER_MAX) {
        return NW_ETYPE;
    }
    *out = json_integer(number);
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

// Sets a member that is text, or leaves it out if there is none.
static int set_text(json_t *json, const char *key, const nw_value *text)
{
    if (nw_value_type(text) == NW_TYPE_NUMBER) {
        return json_object_set_new_nocheck(json, key,
                                           json_from_number(text->as.number));
    }
    return text == NULL ? 0
                        : json_object_set_new_nocheck(
                              json, key,
                              json_stringn_nocheck(text->as.text, text->size));
}

// What of an error is no container.
static json_t *json_from_error(const nw_value *value)
{
    const struct nw__error_parts *parts = value->as.error;
    json_t *json = json_object();

    if (json == NULL) {
        return NULL;
    }
    if (json_object_set_new_nocheck(
            json, "name", json_string_nocheck(parts->shown.name)) != 0 ||
        json_object_set_new_nocheck(
            json, "message", json_string_nocheck(parts->shown.message)) != 0 ||
        set_text(json, "code", parts->code) != 0 ||
        set_text(json, "stack", parts->stack) != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

// Makes the JSON for `value`, of a container only its beginning. NW_ENOMEM;
// NW_ETYPE for what JSON has nothing for.
static nw_status json_from(const nw_value *value, json_t **out)
{
    switch ((nw_type)value->type) {
    case NW_TYPE_UNDEFINED:
    case NW_TYPE_NULL:
        *out = json_null();
        break;
    case NW_TYPE_BOOL:
        *out = json_boolean(value->as.boolean);
        break;
    case NW_TYPE_NUMBER:
        *out = json_from_number(value->as.number);
        break;
    case NW_TYPE_STRING:
        *out = json_stringn_nocheck(value->as.text, value->size);
        break;
    case NW_TYPE_ARRAY:
        *out = json_array();
        break;
    case NW_TYPE_OBJECT:
        *out = json_object();
        break;
    case NW_TYPE_BYTES:
        *out = json_from_bytes(value);
        break;
    case NW_TYPE_DATE:
        *out = json_from_date(value->as.number);
        break;
    case NW_TYPE_ERROR:
        *out = json_from_error(value);
        break;
    case NW_TYPE_BIGINT:
        return json_from_bigint(value, out);
    case NW_TYPE_BOXED:
        // A primitive, so this goes no deeper.
        return json_from(value->as.boxed, out);
    case NW_TYPE_REGEXP:
    case NW_TYPE_MAP:
    case NW_TYPE_SET:
    case NW_TYPE_PORT:
    case NW_TYPE_HOST:
    case NW_TYPE_WASM_MODULE:
    case NW_TYPE_WASM_MEMORY:
        return NW_ETYPE;
    }
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

// True when the value is open already, that is, contains itself. Most values
// stand in one place and need not be looked for.
static bool is_open(const struct nw__walk *walk, const nw_value *value)
{
    if (walk->count == 0 || ((value->flags & NW__VALUE_SHARED) == 0 &&
                             value != walk->frames[0].container)) {
        return false;
    }
    for (uint32_t i = 0; i < walk->count; i++) {
        if (walk->frames[i].container == value) {
            return true;
        }
    }
    return false;
}

struct to_json {
    struct nw__walk walk;
    size_t nodes_left;
};

// Makes the JSON of `value`, with a frame for its content if it is a
// container.
static nw_status to_json_open(struct to_json *state, const nw_value *value,
                              json_t **out)
{
    struct nw__walk_frame *frame;
    nw_status status;

    *out = NULL;
    if (is_open(&state->walk, value)) {
        return NW_ETYPE;
    }
    if (state->nodes_left == 0) {
        return NW_ELIMIT;
    }
    state->nodes_left--;
    status = json_from(value, out);
    if (status != NW_OK) {
        return status;
    }
    if (value->type != NW_TYPE_ARRAY && value->type != NW_TYPE_OBJECT &&
        value->type != NW_TYPE_ERROR) {
        return NW_OK;
    }
    status = nw__walk_push(&state->walk, &frame);
    if (status == NW_OK) {
        frame->container = value;
        frame->partner = *out;
    } else {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

// The next child of a container, NULL behind the last; `key` is NULL for an
// item of an array.
static const nw_value *next_child(struct nw__walk_frame *frame,
                                  const char **key, size_t *key_size)
{
    const nw_value *container = frame->container;
    size_t index = frame->index++;

    *key = NULL;
    *key_size = 0;
    if (container->type == NW_TYPE_ARRAY) {
        return nw_array_get(container, index);
    }
    if (container->type == NW_TYPE_OBJECT) {
        return nw_object_at(container, index, key, key_size);
    }
    if (index < 2) {
        const struct nw__error_parts *parts = container->as.error;
        const nw_value *part = index == 0 ? parts->cause : parts->errors;

        *key = index == 0 ? "cause" : "errors";
        *key_size = strlen(*key);
        // Undefined is left out.
        return part == NULL ? &container->doc->undefined : part;
    }
    return nw_object_at(container->as.error->properties, index - 2, key,
                        key_size);
}

// Converts the next child. What is set into `json` is the container's even if
// that fails: jansson's "new" functions take the reference in any case.
static nw_status to_json_step(struct to_json *state)
{
    struct nw__walk_frame *frame = nw__walk_top(&state->walk);
    json_t *json = frame->partner;
    const char *key;
    size_t key_size;
    const nw_value *child = next_child(frame, &key, &key_size);
    json_t *part;
    nw_status status;
    int failed;

    if (child == NULL) {
        nw__walk_pop(&state->walk);
        return NW_OK;
    }
    if (key != NULL && child->type == NW_TYPE_UNDEFINED) {
        return NW_OK;
    }
    status = to_json_open(state, child, &part);
    if (status != NW_OK) {
        return status;
    }
    failed = key == NULL
                 ? json_array_append_new(json, part)
                 : json_object_setn_new_nocheck(json, key, key_size, part);
    return failed != 0 ? NW_ENOMEM : NW_OK;
}

nw_status nw_value_to_json(const nw_value *value, json_t **out)
{
    struct to_json state;
    nw_status status;

    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    if (value == NULL) {
        return NW_EINVAL;
    }
    nw__walk_init(&state.walk);
    state.nodes_left = NODES_MIN + NODES_PER_VALUE * value->doc->value_count;
    status = to_json_open(&state, value, out);
    while (status == NW_OK && nw__walk_top(&state.walk) != NULL) {
        status = to_json_step(&state);
    }
    if (status != NW_OK) {
        json_decref(*out);
        *out = NULL;
    }
    nw__walk_fini(&state.walk);
    return status;
}

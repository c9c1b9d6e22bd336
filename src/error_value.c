// Errors as values.
//
// Invariants
//   The parts of an error are values, so that any text survives; `shown` says
//   the same in the form that <nwpool/error.h> has.
//   The chain of causes is made of copies, because each error of it has a chain
//   of its own, and made when somebody asks, because a cause may still change.
//   `error_changes` of the document tells whether a chain is of now.

#include <stdio.h>
#include <string.h>

#include "src/common.h"
#include "src/error_record.h"
#include "src/value.h"

// The built-in classes that V8's own form of an error has, each with its byte.
// Error itself has none.
static const struct {
    const char *name;
    uint8_t byte;
} classes[] = {
    {"Error", 0},         {"EvalError", 'E'},
    {"RangeError", 'R'},  {"ReferenceError", 'F'},
    {"SyntaxError", 'S'}, {"TypeError", 'T'},
    {"URIError", 'U'},
};

nw_value *nw__value_error(nw_doc *doc)
{
    nw_value *value = nw__value_new(doc, NW_TYPE_ERROR);
    struct nw__error_parts *parts;

    if (value == NULL) {
        return NULL;
    }
    parts = nw__doc_alloc(doc, sizeof(*parts), sizeof(void *));
    if (parts == NULL) {
        return NULL;
    }
    *parts = (struct nw__error_parts){
        .shown = {.name = "Error", .message = "", .stack = ""},
    };
    value->as.error = parts;
    return value;
}

// Tells chains that lead through the error.
static void error_changed(nw_value *error)
{
    error->as.error->shown.cause = NULL;
    error->as.error->chained = 0;
    error->doc->error_changes++;
}

static const char *text_or(const nw_value *string, const char *otherwise)
{
    const char *text = nw_value_get_string(string, NULL);

    return text == NULL ? otherwise : text;
}

// Codes are strings by custom; system errors of old have numbers.
nw_status nw__error_show(nw_value *error)
{
    struct nw__error_parts *parts = error->as.error;
    const char *code = nw_value_get_string(parts->code, NULL);

    if (nw_value_type(parts->code) == NW_TYPE_NUMBER) {
        code = nw__number_text(error->doc, parts->code->as.number);
        if (code == NULL) {
            return NW_ENOMEM;
        }
    }
    parts->shown.name = text_or(parts->name, "Error");
    parts->shown.message = text_or(parts->message, "");
    parts->shown.stack = text_or(parts->stack, "");
    parts->shown.code = code;
    parts->shown.errors = parts->errors;
    parts->shown.properties =
        nw_value_size(parts->properties) > 0 ? parts->properties : NULL;
    error_changed(error);
    return NW_OK;
}

// -- setting parts

// The first line of a stack, as V8 writes it: "name: message", or what there is
// of the two.
static nw_value *head_of_stack(nw_doc *doc, const char *name,
                               const char *message)
{
    bool both = name[0] != '\0' && message[0] != '\0';
    size_t size = strlen(name) + strlen(message) + 3;
    char *text = nw__doc_alloc(doc, size, 1);

    if (text == NULL) {
        return NULL;
    }
    snprintf(text, size, "%s%s%s", name, both ? ": " : "", message);
    return nw_value_string(doc, text);
}

nw_value *nw_value_error(nw_doc *doc, const char *name, const char *message)
{
    nw_value *error = nw__value_error(doc);
    struct nw__error_parts *parts;

    if (error == NULL) {
        return NULL;
    }
    parts = error->as.error;
    parts->name = nw_value_string(doc, name);
    parts->message = nw_value_string(doc, message);
    if (parts->name == NULL || parts->message == NULL) {
        return NULL;
    }
    // Code that prints or cuts stacks does not expect an Error without one.
    parts->stack = head_of_stack(doc, name, message);
    if (parts->stack == NULL) {
        return NULL;
    }
    nw__error_show(error);
    return error;
}

// Replaces one part; the old one stays when that fails.
static nw_status part_set(nw_value *error, nw_value **part, nw_value *value)
{
    nw_value *before = *part;
    nw_status status;

    *part = value;
    status = nw__error_show(error);
    if (status != NW_OK) {
        *part = before;
        return status;
    }
    nw__value_place(value);
    return NW_OK;
}

static nw_status text_set(nw_value *error, nw_value **part, const char *text)
{
    nw_value *value = nw_value_string(error->doc, text);

    return value == NULL ? error->doc->status : part_set(error, part, value);
}

nw_status nw_error_set_stack(nw_value *error, const char *stack)
{
    if (nw_value_type(error) != NW_TYPE_ERROR) {
        return NW_EINVAL;
    }
    if (stack == NULL) {
        error->as.error->stack = NULL;
        return nw__error_show(error);
    }
    return text_set(error, &error->as.error->stack, stack);
}

nw_status nw_error_set_code(nw_value *error, const char *code)
{
    if (nw_value_type(error) != NW_TYPE_ERROR) {
        return NW_EINVAL;
    }
    return text_set(error, &error->as.error->code, code);
}

nw_status nw_error_set_cause(nw_value *error, nw_value *cause)
{
    nw_status status = nw__child_check(error, NW_TYPE_ERROR, cause);

    return status == NW_OK ? part_set(error, &error->as.error->cause, cause)
                           : status;
}

nw_status nw_error_set_errors(nw_value *error, nw_value *errors)
{
    nw_status status = nw__child_check(error, NW_TYPE_ERROR, errors);

    if (status == NW_OK && errors->type != NW_TYPE_ARRAY) {
        return NW_EINVAL;
    }
    return status == NW_OK ? part_set(error, &error->as.error->errors, errors)
                           : status;
}

static bool is_code(const nw_value *value)
{
    return value->type == NW_TYPE_STRING || value->type == NW_TYPE_NUMBER;
}

nw_status nw_error_set_property(nw_value *error, const char *key,
                                nw_value *value)
{
    nw_status status = nw__child_check(error, NW_TYPE_ERROR, value);
    struct nw__error_parts *parts;

    if (status != NW_OK) {
        return status;
    }
    parts = error->as.error;
    if (key != NULL && strcmp(key, "code") == 0 && is_code(value)) {
        return part_set(error, &parts->code, value);
    }
    if (parts->properties == NULL) {
        parts->properties = nw_value_object(error->doc);
        if (parts->properties == NULL) {
            return NW_ENOMEM;
        }
    }
    status = nw_object_set(parts->properties, key, value);
    return status == NW_OK ? nw__error_show(error) : status;
}

// -- what the codecs need

bool nw__error_set_class(nw_value *error, uint32_t class_byte)
{
    for (size_t i = 1; i < NW_ARRAY_SIZE(classes); i++) {
        if (classes[i].byte == class_byte) {
            error->as.error->name =
                nw_value_string(error->doc, classes[i].name);
            return true;
        }
    }
    return false;
}

int nw__error_plain_class(const struct nw__error_parts *parts)
{
    size_t size;
    const char *name;

    if (parts->code != NULL || parts->errors != NULL ||
        nw_value_size(parts->properties) > 0) {
        return -1;
    }
    name = nw_value_get_string(parts->name, &size);
    if (name == NULL) {
        return 0;
    }
    for (size_t i = 0; i < NW_ARRAY_SIZE(classes); i++) {
        if (size == strlen(classes[i].name) &&
            memcmp(name, classes[i].name, size) == 0) {
            return classes[i].byte;
        }
    }
    return -1;
}

static nw_value *member_of(const nw_value *record, const char *key,
                           nw_type type)
{
    const nw_value *member = nw_object_get(record, key);

    return member != NULL && member->type == type ? (nw_value *)member : NULL;
}

nw_status nw__error_set_record(nw_value *error, const nw_value *record)
{
    struct nw__error_parts *parts = error->as.error;
    const nw_value *code = nw_object_get(record, "code");

    parts->name = member_of(record, "name", NW_TYPE_STRING);
    parts->message = member_of(record, "message", NW_TYPE_STRING);
    parts->stack = member_of(record, "stack", NW_TYPE_STRING);
    parts->code = code != NULL && is_code(code) ? (nw_value *)code : NULL;
    parts->cause = (nw_value *)nw_object_get(record, "cause");
    parts->errors = member_of(record, "errors", NW_TYPE_ARRAY);
    parts->properties = member_of(record, "properties", NW_TYPE_OBJECT);
    return nw__error_show(error);
}

// -- the chain of causes

// The link for a cause that is no Error.
static nw_error link_of_value(nw_doc *doc, const nw_value *cause)
{
    const char *text = nw__value_short_text(doc, cause);

    return (nw_error){
        .name = "",
        .message = text == NULL ? "" : text,
        .stack = "",
        .thrown = cause,
    };
}

static bool chain_has(const nw_value *const *chain, int count,
                      const nw_value *value)
{
    for (int i = 0; i < count; i++) {
        if (chain[i] == value) {
            return true;
        }
    }
    return false;
}

static void chain_make(nw_doc *doc, const nw_value *error)
{
    const nw_value *chain[1 + NW__ERROR_CAUSES_MAX];
    const nw_error **end = &error->as.error->shown.cause;
    const nw_value *cause = error;
    int count = 0;

    *end = NULL;
    while (count < NW__ERROR_CAUSES_MAX && cause->type == NW_TYPE_ERROR) {
        nw_error *link;

        chain[count++] = cause;
        cause = cause->as.error->cause;
        if (cause == NULL || chain_has(chain, count, cause)) {
            break;
        }
        link = nw__doc_alloc(doc, sizeof(*link), sizeof(void *));
        if (link == NULL) {
            break; // The document is marked; what is there is true.
        }
        if (cause->type == NW_TYPE_ERROR) {
            *link = cause->as.error->shown;
            link->cause = NULL;
        } else {
            *link = link_of_value(doc, cause);
        }
        *end = link;
        end = &link->cause;
    }
}

const nw_error *nw_value_get_error(const nw_value *value)
{
    struct nw__error_parts *parts;
    uint64_t now;

    if (nw_value_type(value) != NW_TYPE_ERROR) {
        return NULL;
    }
    parts = value->as.error;
    now = value->doc->error_changes + 1; // 0 is none.
    if (parts->cause != NULL && parts->chained != now) {
        chain_make(value->doc, value);
        parts->chained = now;
    }
    return &parts->shown;
}

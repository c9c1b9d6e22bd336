// Errors: from the record on the wire, or made here.
//
// Invariants
//   Reading never fails for what a record says, only without memory: whoever
//   reports an error must not get another one to report.
//   Strings of an nw_error are never NULL but for `code`.
//   Records come from a worker, so any member may have any type, and a cause
//   may be its own cause.

#include "src/error_record.h"

#include <stdio.h>
#include <string.h>

#include "src/common.h"
#include "src/text.h"
#include "src/value.h"
#include "src/wire.h"

#define UNREADABLE "the error could not be read: "

// Enough for every detail of the reader.
#define DETAIL_TEXT_SIZE 128

static const char *text_or(const nw_value *record, const char *key,
                           const char *otherwise)
{
    const char *text = nw_value_get_string(nw_object_get(record, key), NULL);

    return text == NULL ? otherwise : text;
}

// Codes are strings by custom; system errors of old have numbers.
static nw_status code_read(nw_doc *doc, const nw_value *record,
                           const char **code)
{
    const nw_value *value = nw_object_get(record, "code");

    *code = nw_value_get_string(value, NULL);
    if (nw_value_type(value) != NW_TYPE_NUMBER) {
        return NW_OK;
    }
    *code = nw__number_text(doc, nw_value_get_number(value));
    return *code == NULL ? NW_ENOMEM : NW_OK;
}

// The member if it is of that type and not empty, else NULL.
static const nw_value *some_of(const nw_value *record, const char *key,
                               nw_type type)
{
    const nw_value *member = nw_object_get(record, key);

    return nw_value_type(member) == type && nw_value_size(member) > 0 ? member
                                                                      : NULL;
}

// What was thrown was no Error: there is a message, but nothing of an Error's.
static bool is_of_thrown(const nw_value *record)
{
    return nw_object_get(record, "name") == NULL &&
           nw_object_get(record, "stack") == NULL &&
           nw_object_get(record, "message") != NULL;
}

// One link of the chain, its cause left out.
static nw_error *error_from(nw_doc *doc, const nw_value *record)
{
    nw_error *error = nw__doc_alloc(doc, sizeof(*error), sizeof(void *));

    if (error == NULL) {
        return NULL;
    }
    *error = (nw_error){
        .name = text_or(record, "name", is_of_thrown(record) ? "" : "Error"),
        .message = text_or(record, "message", ""),
        .stack = text_or(record, "stack", ""),
        .properties = some_of(record, "properties", NW_TYPE_OBJECT),
        .thrown = nw_object_get(record, "thrown"),
        .errors = some_of(record, "errors", NW_TYPE_ARRAY),
    };
    return code_read(doc, record, &error->code) == NW_OK ? error : NULL;
}

// The Error that a record of the newer form holds, or NULL.
static const nw_value *error_in(const nw_value *record)
{
    const nw_value *value = nw_object_get(record, "error");

    if (nw_value_type(record) == NW_TYPE_ERROR) {
        return record;
    }
    return nw_value_type(value) == NW_TYPE_ERROR ? value : NULL;
}

// A copy of at most `room` links that ends where they do.
static nw_status chain_copy(nw_doc *doc, const nw_error *from, int room,
                            const nw_error **link)
{
    for (; from != NULL && room > 0; from = from->cause, room--) {
        nw_error *copy = nw__doc_alloc(doc, sizeof(*copy), sizeof(void *));

        if (copy == NULL) {
            return NW_ENOMEM;
        }
        *copy = *from;
        copy->cause = NULL;
        *link = copy;
        link = &copy->cause;
    }
    return NW_OK;
}

static const nw_error *chain_from(nw_doc *doc, const nw_value *record)
{
    const nw_error *first = NULL;
    const nw_error **link = &first;

    for (int i = 0; i <= NW__ERROR_CAUSES_MAX; i++) {
        const nw_value *value = error_in(record);
        nw_error *error;

        if (value != NULL) {
            int room = 1 + NW__ERROR_CAUSES_MAX - i;

            if (chain_copy(doc, nw_value_get_error(value), room, link) !=
                NW_OK) {
                return NULL;
            }
            break;
        }
        if (nw_value_type(record) != NW_TYPE_OBJECT) {
            break;
        }
        error = error_from(doc, record);
        if (error == NULL) {
            return NULL;
        }
        *link = error;
        link = &error->cause;
        record = nw_object_get(record, "cause");
    }
    return first;
}

const nw_error *nw__error_read(nw_doc *doc, struct nw__message *record)
{
    char text[DETAIL_TEXT_SIZE];
    const nw_value *value;
    const char *detail;
    nw_status status;

    status = nw__wire_read(doc, record, &value, 1, &detail);
    if (status == NW_ENOMEM) {
        return NULL;
    }
    if (status == NW_OK) {
        if (nw_value_type(value) == NW_TYPE_OBJECT || error_in(value) != NULL) {
            return chain_from(doc, value);
        }
        detail = "not a record";
    }
    snprintf(text, sizeof(text), UNREADABLE "%s", detail);
    return nw__error_make(doc, "Error", NULL, text);
}

// Such a text may hold names of the user's that were cut within a character.
static nw_value *readable_text(nw_doc *doc, const char *text)
{
    size_t size = strlen(text);
    char *copy = nw__doc_text(doc, text, size);

    for (size_t at = 0; copy != NULL && at < size;) {
        size_t length = 1;

        while (length < 4 && at + length < size &&
               !nw__utf8_is_valid(copy + at, length)) {
            length++;
        }
        if (!nw__utf8_is_valid(copy + at, length)) {
            copy[at] = '?';
            length = 1;
        }
        at += length;
    }
    return copy != NULL ? nw_value_string_n(doc, copy, size) : NULL;
}

// `cause` is a record, or NULL.
static nw_status record_write(struct nw__message *record, nw_status status,
                              const char *text, const char *stack,
                              const struct nw__message *cause)
{
    nw_doc *doc = nw_doc_create();
    nw_value *object = doc != NULL ? nw_value_object(doc) : NULL;
    const nw_value *root = object;
    const nw_value *inner = NULL;
    nw_status result = NW_ENOMEM;

    if (object != NULL) {
        nw_object_set(object, "name", nw_value_string(doc, "Error"));
        nw_object_set(object, "message", readable_text(doc, text));
        nw_object_set(object, "stack", readable_text(doc, stack));
        nw_object_set(object, "code",
                      nw_value_string(doc, nw_status_name(status)));
        if (cause != NULL && cause->size > 0) {
            struct nw__message copy = *cause;

            // The cause stays whole, so the copy owns nothing. One that cannot
            // be read without what lies beside it is left out.
            copy.beside = NULL;
            if (nw__wire_read(doc, &copy, &inner, 1, NULL) == NW_OK) {
                nw_object_set(object, "cause", (nw_value *)inner);
            }
        }
        result = nw__wire_write(record, &root, 1, NULL, NULL);
    }
    nw_doc_destroy(doc);
    return result;
}

void nw__error_write(struct nw__message *record, nw_status status,
                     const char *text, const struct nw__message *cause)
{
    // Below our text a cause can be too deep that was not so by itself.
    if (record_write(record, status, text, "", cause) != NW_OK &&
        cause != NULL) {
        record_write(record, status, text, "", NULL);
    }
}

void nw__error_write_at(struct nw__message *record, nw_status status,
                        const char *text, const char *stack)
{
    record_write(record, status, text, stack, NULL);
}

// Text of our own is UTF-8; only its memory can be missing.
static nw_status text_copy(nw_doc *doc, const char *text, const char **out)
{
    *out = nw__doc_text(doc, text, strlen(text));
    return *out == NULL ? NW_ENOMEM : NW_OK;
}

const nw_error *nw__error_make(nw_doc *doc, const char *name, const char *code,
                               const char *message)
{
    nw_error *error = nw__doc_alloc(doc, sizeof(*error), sizeof(void *));

    if (error == NULL) {
        return NULL;
    }
    *error = (nw_error){.stack = ""};
    if (text_copy(doc, name, &error->name) != NW_OK ||
        text_copy(doc, message, &error->message) != NW_OK) {
        return NULL;
    }
    if (code != NULL && text_copy(doc, code, &error->code) != NW_OK) {
        return NULL;
    }
    return error;
}

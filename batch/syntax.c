// Parsing JSON text with errors that a person can act on.
//
// jansson decides what is JSON; this file only improves what it says. Its
// place is the end of the token it stopped at, ours the beginning; some of its
// sentences name only one of the things that might have followed.

#include "batch/syntax.h"

#include <stdlib.h>
#include <string.h>

#include "batch/base.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char near_end[] = "near end of file";

// A sentence of jansson's that begins with `theirs` begins with `ours` here.
struct rewording {
    const char *theirs;
    const char *ours;
};

// The first that fits is taken, so the longer of two goes first.
static const struct rewording rewordings[] = {
    {"string or '}' expected near '}'",
     "a key is missing behind the comma; JSON allows no comma before '}'"},
    {"string or '}' expected near '/'",
     "a key in double quotes is expected near '/'; JSON has no comments"},
    {"string or '}' expected", "a key in double quotes or '}' is expected"},
    {"unexpected token near ']'",
     "a value is missing; JSON allows no comma before ']'"},
    {"unexpected token near end of file",
     "a value is expected near end of file"},
    {"unexpected token", "a value is expected"},
    {"invalid token near '/'",
     "a value is expected near '/'; JSON has no comments"},
    {"invalid token", "no JSON value"},
    {"'}' expected", "',' or '}' is expected"},
    {"']' expected", "',' or ']' is expected"},
    {"':' expected", "':' is expected"},
    {"end of file expected", "more text than one JSON value"},
    {"duplicate object key", "duplicate key"},
    {"unexpected newline", "a string ends with the line; its quote is missing"},
    {"premature end of input", "the text ends inside a string"},
    {"maximum parsing depth reached", "nested too deep"},
};

static char *reword(const char *theirs)
{
    for (size_t i = 0; i < COUNT(rewordings); i++) {
        size_t size = strlen(rewordings[i].theirs);

        if (strncmp(theirs, rewordings[i].theirs, size) == 0) {
            return nwpool_batch_format("%s%s", rewordings[i].ours,
                                       theirs + size);
        }
    }
    return nwpool_batch_strdup(theirs);
}

// Behind the last character that is no space: where the text should go on.
static size_t text_end(const char *text, size_t size)
{
    while (size > 0 && memchr(" \t\r\n", text[size - 1], 4) != NULL) {
        size--;
    }
    return size;
}

static size_t error_offset(const char *text, size_t size,
                           const json_error_t *theirs)
{
    size_t end = theirs->position < 0 ? 0 : (size_t)theirs->position;

    if (json_error_code(theirs) == json_error_premature_end_of_input ||
        strstr(theirs->text, near_end) != NULL) {
        return text_end(text, size);
    }
    return nwpool_batch_locate_token(text, size, end);
}

json_t *nwpool_batch_syntax_parse(const char *text, size_t size, size_t flags,
                                  struct nwpool_batch_syntax_error *error)
{
    // jansson takes a NUL for the end and would hide what is behind it.
    const char *nul = memchr(text, '\0', size);
    json_error_t theirs;
    json_t *json;

    if (nul != NULL) {
        error->place =
            nwpool_batch_locate_offset(text, size, (size_t)(nul - text));
        error->message = nwpool_batch_strdup("a NUL byte; JSON has none");
        return NULL;
    }
    json = json_loadb(text, size, flags | JSON_DECODE_ANY | JSON_ALLOW_NUL,
                      &theirs);
    if (json != NULL) {
        return json;
    }
    if (json_error_code(&theirs) == json_error_out_of_memory) {
        nwpool_batch_out_of_memory();
    }
    error->place = nwpool_batch_locate_offset(
        text, size, error_offset(text, size, &theirs));
    error->message = reword(theirs.text);
    return NULL;
}

// Finds the place of a value in a JSON text by walking the text again.
//
// Nothing is kept between calls: a place is wanted for an error message only,
// so a second walk is cheaper than a map over every value of a large job.
//
// Invariants
//   No function reads at or beyond `end`, whatever the text holds.
//   No recursion: nesting costs no stack.

#include "batch/locate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "batch/base.h"

struct scanner {
    const char *at;
    const char *end;
};

static bool scanner_sees(const struct scanner *scanner, char wanted)
{
    return scanner->at < scanner->end && *scanner->at == wanted;
}

static void skip_space(struct scanner *scanner)
{
    while (scanner->at < scanner->end &&
           memchr(" \t\r\n", *scanner->at, 4) != NULL) {
        scanner->at++;
    }
}

// From the opening quote to behind the closing one.
static void skip_string(struct scanner *scanner)
{
    scanner->at++;
    while (scanner->at < scanner->end && *scanner->at != '"') {
        if (*scanner->at == '\\' && scanner->end - scanner->at > 1) {
            scanner->at++;
        }
        scanner->at++;
    }
    if (scanner->at < scanner->end) {
        scanner->at++;
    }
}

// A number or a word. Whatever it is, at least one byte is passed.
static void skip_word(struct scanner *scanner)
{
    do {
        scanner->at++;
    } while (scanner->at < scanner->end &&
             memchr(" \t\r\n{}[]:,\"", *scanner->at, 11) == NULL);
}

// Passes one token, which is what `at` stands on.
static void skip_token(struct scanner *scanner)
{
    if (*scanner->at == '"') {
        skip_string(scanner);
    } else if (memchr("{}[]:,", *scanner->at, 6) != NULL) {
        scanner->at++;
    } else {
        skip_word(scanner);
    }
}

// Passes a whole value, containers with all they hold.
static void skip_value(struct scanner *scanner)
{
    size_t depth = 0;

    do {
        skip_space(scanner);
        if (scanner->at == scanner->end) {
            return;
        }
        if (*scanner->at == '{' || *scanner->at == '[') {
            depth++;
        } else if (*scanner->at == '}' || *scanner->at == ']') {
            if (depth == 0) {
                return;
            }
            depth--;
        }
        skip_token(scanner);
    } while (depth > 0);
}

// -- keys

static void append_utf8(struct nwpool_batch_text *out, uint32_t code)
{
    char bytes[4];
    size_t size = 0;

    if (code < 0x80) {
        bytes[size++] = (char)code;
    } else if (code < 0x800) {
        bytes[size++] = (char)(0xc0 | code >> 6);
        bytes[size++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        bytes[size++] = (char)(0xe0 | code >> 12);
        bytes[size++] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (code & 0x3f));
    } else {
        bytes[size++] = (char)(0xf0 | code >> 18);
        bytes[size++] = (char)(0x80 | (code >> 12 & 0x3f));
        bytes[size++] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (code & 0x3f));
    }
    nwpool_batch_text_append(out, bytes, size);
}

// The four hexadecimal digits at `at`, or 0 when the text ends before.
static uint32_t read_hex4(const char *at, const char *end)
{
    char digits[5] = {0};

    if (end - at < 4) {
        return 0;
    }
    memcpy(digits, at, 4);
    return (uint32_t)strtoul(digits, NULL, 16);
}

// Reads the escape behind a backslash, returns what follows it.
static const char *append_escape(struct nwpool_batch_text *out, const char *at,
                                 const char *end)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    const char *letter;
    uint32_t code;
    uint32_t low;

    if (*at != 'u') {
        letter = strchr(letters, *at);
        nwpool_batch_text_append(
            out, letter != NULL ? &meanings[letter - letters] : at, 1);
        return at + 1;
    }

    code = read_hex4(at + 1, end);
    at += end - at < 5 ? end - at : 5;
    if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\') {
        low = read_hex4(at + 2, end);
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    append_utf8(out, code);
    return at;
}

// The string that `raw` holds between its quotes, without escapes.
static void decode_string(struct nwpool_batch_text *out, const char *raw,
                          const char *end)
{
    while (raw < end) {
        if (*raw == '\\' && end - raw > 1) {
            raw = append_escape(out, raw + 1, end);
        } else {
            nwpool_batch_text_append(out, raw, 1);
            raw++;
        }
    }
}

// True when the string between `open`, its opening quote, and `close`, behind
// its closing one, is `segment`.
static bool key_equals(const char *open, const char *close,
                       const struct nwpool_batch_text *segment)
{
    struct nwpool_batch_text key = {0};
    bool equal;

    if (close - open < 2) {
        return false;
    }
    decode_string(&key, open + 1, close - 1);
    equal = key.size == segment->size &&
            (key.size == 0 || memcmp(key.data, segment->data, key.size) == 0);
    nwpool_batch_text_fini(&key);
    return equal;
}

// -- pointers

// Cuts the first segment, "~1" and "~0" resolved, off a pointer that begins
// with a slash; returns the rest.
static const char *pointer_segment(const char *pointer,
                                   struct nwpool_batch_text *out)
{
    pointer++;
    out->size = 0;
    while (*pointer != '\0' && *pointer != '/') {
        if (pointer[0] == '~' && (pointer[1] == '0' || pointer[1] == '1')) {
            nwpool_batch_text_puts(out, pointer[1] == '0' ? "~" : "/");
            pointer += 2;
        } else {
            nwpool_batch_text_append(out, pointer, 1);
            pointer++;
        }
    }
    return pointer;
}

// Inside an object, behind its brace: stops on the value of the member named
// `segment`, and tells where its key is.
static bool enter_member(struct scanner *scanner,
                         const struct nwpool_batch_text *segment,
                         const char **key)
{
    const char *open;
    bool found;

    for (;;) {
        skip_space(scanner);
        if (!scanner_sees(scanner, '"')) {
            return false;
        }
        open = scanner->at;
        skip_string(scanner);
        found = key_equals(open, scanner->at, segment);

        skip_space(scanner);
        if (!scanner_sees(scanner, ':')) {
            return false;
        }
        scanner->at++;
        skip_space(scanner);
        if (found) {
            *key = open;
            return scanner->at < scanner->end;
        }

        skip_value(scanner);
        skip_space(scanner);
        if (!scanner_sees(scanner, ',')) {
            return false;
        }
        scanner->at++;
    }
}

// Inside an array, behind its bracket: stops on item `index`.
static bool enter_item(struct scanner *scanner, unsigned long index)
{
    for (; index > 0; index--) {
        skip_value(scanner);
        skip_space(scanner);
        if (!scanner_sees(scanner, ',')) {
            return false;
        }
        scanner->at++;
    }
    skip_space(scanner);
    return scanner->at < scanner->end && *scanner->at != ']';
}

// Steps into the container at `scanner`.
static bool enter(struct scanner *scanner,
                  const struct nwpool_batch_text *segment, const char **key)
{
    const char *digits = segment->data != NULL ? segment->data : "";

    if (scanner_sees(scanner, '{')) {
        scanner->at++;
        return enter_member(scanner, segment, key);
    }
    if (scanner_sees(scanner, '[') && segment->size > 0 &&
        strspn(digits, "0123456789") == segment->size) {
        scanner->at++;
        if (!enter_item(scanner, strtoul(digits, NULL, 10))) {
            return false;
        }
        *key = scanner->at;
        return true;
    }
    return false;
}

bool nwpool_batch_locate(const char *text, size_t size, const char *pointer,
                         enum nwpool_batch_locate_what what,
                         struct nwpool_batch_place *out)
{
    struct scanner scanner = {.at = text, .end = text + size};
    struct nwpool_batch_text segment = {0};
    const char *key;
    bool found = true;

    *out = (struct nwpool_batch_place){.line = 1, .column = 1};
    skip_space(&scanner);
    key = scanner.at;
    while (found && *pointer == '/') {
        pointer = pointer_segment(pointer, &segment);
        found = enter(&scanner, &segment, &key);
    }
    nwpool_batch_text_fini(&segment);

    if (found) {
        const char *at = what == NWPOOL_BATCH_LOCATE_KEY ? key : scanner.at;

        *out = nwpool_batch_locate_offset(text, size, (size_t)(at - text));
    }
    return found;
}

// -- offsets

struct nwpool_batch_place nwpool_batch_locate_offset(const char *text,
                                                     size_t size, size_t offset)
{
    struct nwpool_batch_place place = {.line = 1, .column = 1};

    if (offset > size) {
        offset = size;
    }
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            // Bytes 10xxxxxx continue a UTF-8 character.
            place.column++;
        }
    }
    // The offset may fall inside a character, which has been counted then.
    if (offset < size && ((unsigned char)text[offset] & 0xc0) == 0x80 &&
        place.column > 1) {
        place.column--;
    }
    return place;
}

size_t nwpool_batch_locate_token(const char *text, size_t size, size_t end)
{
    struct scanner scanner = {.at = text, .end = text + size};
    const char *start;

    if (end > size) {
        end = size;
    }
    for (;;) {
        skip_space(&scanner);
        if (scanner.at == scanner.end || scanner.at >= text + end) {
            break;
        }
        start = scanner.at;
        skip_token(&scanner);
        if (scanner.at == text + end) {
            return (size_t)(start - text);
        }
    }
    return end > 0 ? end - 1 : 0;
}

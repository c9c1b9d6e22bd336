// Goal: our codec and V8's own serializer agree. Random values made in C go to
// V8 and come back, random values made in JavaScript come here and go back, and
// each side says in canonical text (canon.h) what it sees.
//
//   oracle NODE [VALUES]
//
// NODE runs oracle.js beside this file. NW_SEED repeats a run; what differs is
// printed with its seed, and looked for once more among smaller values.

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/common.h"
#include "src/wire.h"
#include "tests/oracle/canon.h"
#include "tests/oracle/make.h"

#define MESSAGES     20000 // Half of them made on each side.
#define BATCH        50
#define VALUES_MAX   3
#define BUDGET_MAX   24
#define SHRINK_TRIES 200
#define HEX_MAX      400
#define SHOWN_MAX    600 // Of a text, from a little before it differs.
#define SHOWN_BEFORE 200

extern char **environ;

// -- the other side

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t at; // Of what is read next.
};

static pid_t child;
static int to_child;
static int from_child;
static struct buffer frame;

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "oracle: %s\n", what);
    exit(1);
}

static void child_start(char *node)
{
    char *arguments[] = {node, NW_ORACLE_JS, NULL};
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    if (pipe(in) != 0 || pipe(out) != 0) {
        die("no pipes");
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    if (posix_spawn(&child, node, &actions, NULL, arguments, environ) != 0) {
        die("node does not start");
    }
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    to_child = in[1];
    from_child = out[0];
}

static void child_stop(void)
{
    int status;

    close(to_child);
    close(from_child);
    if (waitpid(child, &status, 0) != child || status != 0) {
        die("node did not end well");
    }
}

static void buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->capacity < size) {
        buffer->capacity = 2 * size;
        buffer->data = realloc(buffer->data, buffer->capacity);
        NW_ASSERT(buffer->data != NULL);
    }
}

static void frame_put(const void *data, size_t size)
{
    buffer_reserve(&frame, frame.size + size);
    if (size > 0) {
        memcpy(frame.data + frame.size, data, size);
    }
    frame.size += size;
}

static void frame_put_number(uint32_t number)
{
    frame_put(&number, sizeof(number));
}

static void frame_begin(char kind)
{
    frame.size = 0;
    frame_put_number(0);
    frame_put(&kind, 1);
}

static void write_fully(const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(to_child, data, size);

        if (written < 0) {
            die("node is gone");
        }
        data += written;
        size -= (size_t)written;
    }
}

static void read_fully(uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t got = read(from_child, data, size);

        if (got <= 0) {
            die("node is gone");
        }
        data += got;
        size -= (size_t)got;
    }
}

// Sends the frame; the reply is in its place afterwards.
static void frame_exchange(void)
{
    uint32_t size = (uint32_t)(frame.size - sizeof(size));

    memcpy(frame.data, &size, sizeof(size));
    write_fully(frame.data, frame.size);
    read_fully((uint8_t *)&size, sizeof(size));
    buffer_reserve(&frame, size);
    read_fully(frame.data, size);
    frame.size = size;
    frame.at = 0;
}

static uint32_t frame_number(void)
{
    uint32_t number;

    NW_ASSERT(frame.size - frame.at >= sizeof(number));
    memcpy(&number, frame.data + frame.at, sizeof(number));
    frame.at += sizeof(number);
    return number;
}

struct span {
    const uint8_t *data;
    size_t size;
};

static struct span frame_span(void)
{
    struct span span = {.size = frame_number()};

    NW_ASSERT(frame.size - frame.at >= span.size);
    span.data = frame.data + frame.at;
    frame.at += span.size;
    return span;
}

// -- one message on its way

struct item {
    bool from_c;
    uint32_t seed;
    uint32_t budget;

    nw_doc *doc;
    const nw_value *values[VALUES_MAX];
    size_t count;
    struct nw__message message;
    char *text;
    bool skipped; // Cannot be read or go back; docs/codec.md says why.

    // What went wrong first; NULL: nothing.
    const char *wrong;
    char *seen;
    uint8_t *bytes;
    size_t bytes_size;
};

static struct nw_canon canon;

static char *copy_of(const void *data, size_t size)
{
    char *copy = malloc(size + 1);

    NW_ASSERT(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

static void item_wrong(struct item *item, const char *what, const void *seen,
                       size_t seen_size, struct span bytes)
{
    if (item->wrong == NULL) {
        item->wrong = what;
        item->seen = copy_of(seen, seen_size);
        item->bytes = (uint8_t *)copy_of(bytes.data, bytes.size);
        item->bytes_size = bytes.size;
    }
}

static void item_fini(struct item *item)
{
    nw_doc_destroy(item->doc);
    nw__message_fini(&item->message);
    free(item->text);
    free(item->seen);
    free(item->bytes);
}

// Reads what V8 wrote; the values must be what `text` says.
static void item_read(struct item *item, nw_doc *doc, const nw_value **values,
                      size_t count, struct span text, struct span bytes)
{
    struct nw__message message;
    const char *detail;
    const char *seen;
    nw_status status;

    nw__message_init(&message);
    // Exactly as large as it is, for AddressSanitizer's sake.
    nw__message_adopt(&message, nw__alloc(bytes.size), bytes.size);
    memcpy(message.data, bytes.data, bytes.size);
    message.value_count = (uint32_t)count;
    status = nw__wire_read(doc, &message, values, count, &detail);
    nw__message_fini(&message);
    // Node.js 22 reads such errors, its elders and C do not.
    if (status == NW_EPROTO && !item->from_c &&
        strcmp(detail, "error that contains itself") == 0) {
        item->skipped = true;
        return;
    }
    if (status != NW_OK) {
        item_wrong(item, "C does not read what V8 wrote", detail,
                   strlen(detail), bytes);
        return;
    }
    seen = nw_canon_text(&canon, values, count);
    if (canon.size != text.size || memcmp(seen, text.data, text.size) != 0) {
        item_wrong(item, "C reads something else than V8 wrote", seen,
                   canon.size, bytes);
    }
    if (nw__wire_has_error(bytes.data, bytes.size) != (canon.errors > 0)) {
        item_wrong(item, "nw__wire_has_error() is wrong", seen, canon.size,
                   bytes);
    }
}

static void item_write(struct item *item)
{
    const char *detail;
    nw_status status = nw__wire_write(&item->message, item->values, item->count,
                                      NULL, &detail);

    // An Error that contains itself can be read and not be written.
    if (status == NW_ECLONE && !item->from_c) {
        item->skipped = true;
    } else if (status != NW_OK) {
        detail = detail != NULL ? detail : nw_status_message(status);
        item_wrong(item, "C does not write it", detail, strlen(detail),
                   (struct span){NULL, 0});
    }
}

static void item_make(struct item *item)
{
    struct nw_maker maker;
    const char *text;

    nw_maker_init(&maker, item->doc, item->seed, item->budget);
    do {
        item->values[item->count++] = nw_make_value(&maker);
    } while (item->count < VALUES_MAX && nw_make_below(&maker, 4) == 0);
    text = nw_canon_text(&canon, item->values, item->count);
    item->text = copy_of(text, canon.size);
    item_write(item);
}

// What JavaScript made, from the frame.
static void item_receive(struct item *item)
{
    struct span text, bytes;

    item->count = frame_number();
    text = frame_span();
    bytes = frame_span();
    frame_span(); // The same text.
    item->text = copy_of(text.data, text.size);
    if (item->count == 0) {
        item_wrong(item, "V8 makes nothing of this seed", text.data, text.size,
                   bytes);
        return;
    }
    item_read(item, item->doc, item->values, item->count, text, bytes);
    if (item->wrong == NULL && !item->skipped) {
        item_write(item);
    }
}

// What V8 says to what we wrote, from the frame.
static void item_check(struct item *item)
{
    const nw_value *values[VALUES_MAX];
    struct span written = {item->message.data, item->message.size};
    struct span text, bytes, text_again;
    nw_doc *doc;

    frame_number();
    text = frame_span();
    bytes = frame_span();
    text_again = frame_span();
    if (text.size != strlen(item->text) ||
        memcmp(text.data, item->text, text.size) != 0) {
        item_wrong(item, "V8 reads something else than C wrote", text.data,
                   text.size, written);
        return;
    }
    doc = nw_doc_create();
    NW_ASSERT(doc != NULL);
    item_read(item, doc, values, item->count, text_again, bytes);
    nw_doc_destroy(doc);
}

// -- many at once

static void batch_run(struct item *items, size_t count)
{
    frame_begin('M');
    for (size_t i = 0; i < count; i++) {
        items[i].doc = nw_doc_create();
        NW_ASSERT(items[i].doc != NULL);
        if (!items[i].from_c) {
            frame_put_number(items[i].seed);
            frame_put_number(items[i].budget);
        }
    }
    frame_exchange();
    for (size_t i = 0; i < count; i++) {
        if (items[i].from_c) {
            item_make(&items[i]);
        } else {
            item_receive(&items[i]);
        }
    }
    frame_begin('R');
    for (size_t i = 0; i < count; i++) {
        if (items[i].wrong == NULL && !items[i].skipped) {
            frame_put_number((uint32_t)items[i].count);
            frame_put_number((uint32_t)items[i].message.size);
            frame_put(items[i].message.data, items[i].message.size);
        }
    }
    frame_exchange();
    for (size_t i = 0; i < count; i++) {
        if (items[i].wrong == NULL && !items[i].skipped) {
            item_check(&items[i]);
        }
    }
}

static size_t common_size(const char *a, const char *b)
{
    size_t size = 0;

    while (a[size] != '\0' && a[size] == b[size]) {
        size++;
    }
    return size;
}

static void print_item(const struct item *item, size_t index)
{
    size_t from = common_size(item->text, item->seen);

    from = from > SHOWN_BEFORE ? from - SHOWN_BEFORE : 0;
    printf("%s\n  made in %s, message %zu, seed %" PRIu32 ", budget %" PRIu32
           "; the texts from character %zu on:\n"
           "  is    %.*s\n  seen  %.*s\n  bytes ",
           item->wrong, item->from_c ? "C" : "JavaScript", index, item->seed,
           item->budget, from, SHOWN_MAX, item->text + from, SHOWN_MAX,
           item->seen + from);
    for (size_t i = 0; i < item->bytes_size && i < HEX_MAX; i++) {
        printf("%02x", item->bytes[i]);
    }
    printf("%s\n", item->bytes_size > HEX_MAX ? "..." : "");
}

// Prints the smallest of some other values with which the same goes wrong.
static void print_smaller(const struct item *failed)
{
    for (uint32_t i = 0; i < SHRINK_TRIES; i++) {
        struct item item = {.from_c = failed->from_c,
                            .seed = failed->seed + i,
                            .budget = 1 + i * failed->budget / SHRINK_TRIES};
        bool found;

        nw__message_init(&item.message);
        batch_run(&item, 1);
        found = item.wrong != NULL && strcmp(item.wrong, failed->wrong) == 0;
        if (found) {
            printf("smaller: ");
            print_item(&item, 0);
        }
        item_fini(&item);
        if (found) {
            return;
        }
    }
}

static uint32_t mix(uint64_t seed, uint64_t index)
{
    struct nw_maker maker = {.state = seed + index * 0xD1B54A32D192ED03u};

    return (uint32_t)nw_make_bits(&maker);
}

struct totals {
    size_t values;
    size_t skipped;
    size_t failures;
};

// The messages from `first` on, half of them from each side.
static void run_some(uint64_t seed, size_t first, struct totals *totals)
{
    struct item items[BATCH] = {0};

    for (size_t i = 0; i < BATCH; i++) {
        items[i].from_c = i % 2 == 0;
        items[i].seed = mix(seed, first + i);
        items[i].budget = 1 + items[i].seed / 7 % BUDGET_MAX;
        nw__message_init(&items[i].message);
    }
    batch_run(items, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        totals->values += items[i].count;
        totals->skipped += items[i].skipped;
        if (items[i].wrong != NULL && totals->failures++ == 0) {
            print_item(&items[i], first + i);
            print_smaller(&items[i]);
        }
        item_fini(&items[i]);
    }
}

int main(int argc, char **argv)
{
    const char *given = getenv("NW_SEED");
    uint64_t seed =
        given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    size_t messages = argc > 2 ? strtoul(argv[2], NULL, 10) : MESSAGES;
    struct totals totals = {0};

    if (argc < 2) {
        die("usage: oracle NODE [MESSAGES]");
    }
    printf("NW_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    nw_canon_init(&canon);
    child_start(argv[1]);
    for (size_t i = 0; i < messages && totals.failures == 0; i += BATCH) {
        run_some(seed, i, &totals);
    }
    child_stop();
    nw_canon_fini(&canon);
    free(frame.data);
    printf("%zu values, %zu messages not sent back, %s\n", totals.values,
           totals.skipped, totals.failures == 0 ? "no difference" : "FAILED");
    return totals.failures == 0 ? 0 : 1;
}

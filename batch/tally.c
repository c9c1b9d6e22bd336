// What a run has to say at its end.

#include "batch/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// An input or a message longer than this is cut: a summary is for reading.
#define SHOWN_MAX 100

void nwpool_batch_tally_fini(struct nwpool_batch_tally *tally)
{
    for (size_t i = 0; i < NWPOOL_BATCH_TALLY_SHOWN; i++) {
        free(tally->shown[i]);
    }
    *tally = (struct nwpool_batch_tally){0};
}

// Appends the first line of `text`, and of that what fits. Control characters,
// which could play tricks on a terminal, become spaces.
static void put_short(struct nwpool_batch_text *out, const char *text)
{
    size_t whole = strcspn(text, "\n");
    size_t size = whole < SHOWN_MAX ? whole : SHOWN_MAX;

    while (size > 0 && size < whole &&
           ((unsigned char)text[size] & 0xc0) == 0x80) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];

        nwpool_batch_text_append(
            out, byte < 0x20 || byte == 0x7f ? " " : text + i, 1);
    }
    if (size < strlen(text)) {
        nwpool_batch_text_puts(out, "...");
    }
}

// The next free place for a failure to show, or NULL.
static char **shown_slot(struct nwpool_batch_tally *tally)
{
    for (size_t i = 0; i < NWPOOL_BATCH_TALLY_SHOWN; i++) {
        if (tally->shown[i] == NULL) {
            return &tally->shown[i];
        }
    }
    return NULL;
}

void nwpool_batch_tally_add_ok(struct nwpool_batch_tally *tally)
{
    tally->ok++;
}

void nwpool_batch_tally_add_failure(struct nwpool_batch_tally *tally,
                                    uint64_t index, const char *echo,
                                    nw_status status, const nw_error *error)
{
    struct nwpool_batch_text text = {0};
    char **slot = shown_slot(tally);

    tally->failed++;
    if (-status > 0 && -status < NWPOOL_BATCH_TALLY_STATUSES) {
        tally->by_status[-status]++;
    }
    if (slot == NULL) {
        return;
    }
    nwpool_batch_text_printf(&text, "input %" PRIu64 ", ", index);
    put_short(&text, echo);
    nwpool_batch_text_puts(&text, ": ");
    if (error == NULL) {
        nwpool_batch_text_puts(&text, nw_status_message(status));
    } else {
        nwpool_batch_text_printf(&text, "%s%s", error->name,
                                 error->name[0] != '\0' ? ": " : "");
        put_short(&text, error->message);
        if (error->cause != NULL) {
            nwpool_batch_text_puts(&text, " (cause: ");
            put_short(&text, error->cause->message);
            nwpool_batch_text_puts(&text, ")");
        }
    }
    *slot = nwpool_batch_text_take(&text);
}

void nwpool_batch_tally_add_bad_input(struct nwpool_batch_tally *tally,
                                      const struct nwpool_batch_item *item)
{
    struct nwpool_batch_text text = {0};
    char **slot = shown_slot(tally);

    tally->failed++;
    tally->bad_inputs++;
    if (slot != NULL) {
        nwpool_batch_text_printf(&text, "input %" PRIu64 ", ", item->index);
        put_short(&text, item->problem);
        *slot = nwpool_batch_text_take(&text);
    }
}

void nwpool_batch_tally_format(struct nwpool_batch_text *out,
                               const struct nwpool_batch_tally *tally,
                               bool details)
{
    uint64_t shown = 0;

    for (int i = 1; i < NWPOOL_BATCH_TALLY_STATUSES; i++) {
        if (tally->by_status[i] > 0) {
            nwpool_batch_text_printf(
                out, "nwpool: %" PRIu64 " failed with %s: %s\n",
                tally->by_status[i], nw_status_name((nw_status)-i),
                nw_status_message((nw_status)-i));
        }
    }
    if (tally->bad_inputs > 0) {
        nwpool_batch_text_printf(out,
                                 "nwpool: %" PRIu64 " failed with BAD_INPUT: "
                                 "the input cannot be read\n",
                                 tally->bad_inputs);
    }
    if (!details) {
        return;
    }
    for (; shown < NWPOOL_BATCH_TALLY_SHOWN && tally->shown[shown] != NULL;
         shown++) {
        nwpool_batch_text_printf(out, "nwpool:   %s\n", tally->shown[shown]);
    }
    if (tally->failed > shown) {
        nwpool_batch_text_printf(out, "nwpool:   and %" PRIu64 " more\n",
                                 tally->failed - shown);
    }
}

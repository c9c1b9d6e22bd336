// What is wrong with a job file.

#include "batch/problems.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static size_t count_kept(const struct nwpool_batch_problems *problems)
{
    return problems->count < NWPOOL_BATCH_PROBLEMS_MAX
               ? problems->count
               : NWPOOL_BATCH_PROBLEMS_MAX;
}

void nwpool_batch_problems_fini(struct nwpool_batch_problems *problems)
{
    for (size_t i = 0; i < count_kept(problems); i++) {
        free(problems->kept[i].text);
    }
    problems->count = 0;
}

static bool comes_before(const struct nwpool_batch_place *left,
                         const struct nwpool_batch_place *right)
{
    if (left->line == 0 || right->line == 0) {
        return left->line != 0 && right->line == 0;
    }
    return left->line < right->line ||
           (left->line == right->line && left->column < right->column);
}

// Takes over `text`.
static void keep(struct nwpool_batch_problems *problems,
                 struct nwpool_batch_place place, char *text)
{
    size_t at = problems->count;

    problems->count++;
    if (at >= NWPOOL_BATCH_PROBLEMS_MAX) {
        free(text);
        return;
    }
    while (at > 0 && comes_before(&place, &problems->kept[at - 1].place)) {
        problems->kept[at] = problems->kept[at - 1];
        at--;
    }
    problems->kept[at] =
        (struct nwpool_batch_problem){.place = place, .text = text};
}

void nwpool_batch_problems_add(struct nwpool_batch_problems *problems,
                               const char *source,
                               const struct nwpool_batch_place *place,
                               const char *format, ...)
{
    struct nwpool_batch_text text = {0};
    va_list arguments;

    nwpool_batch_text_puts(&text, source);
    if (place != NULL) {
        nwpool_batch_text_printf(&text, ":%zu:%zu", place->line, place->column);
    }
    nwpool_batch_text_puts(&text, ": ");
    va_start(arguments, format);
    nwpool_batch_text_vprintf(&text, format, arguments);
    va_end(arguments);
    keep(problems,
         place != NULL ? *place : (struct nwpool_batch_place){.line = 0},
         nwpool_batch_text_take(&text));
}

void nwpool_batch_problems_add_text(struct nwpool_batch_problems *problems,
                                    const char *text)
{
    keep(problems, (struct nwpool_batch_place){.line = 0},
         nwpool_batch_strdup(text));
}

void nwpool_batch_problems_print(const struct nwpool_batch_problems *problems,
                                 FILE *file)
{
    for (size_t i = 0; i < count_kept(problems); i++) {
        fprintf(file, "%s\n", problems->kept[i].text);
    }
    if (problems->count > NWPOOL_BATCH_PROBLEMS_MAX) {
        fprintf(file, "nwpool: and %zu problems more\n",
                problems->count - NWPOOL_BATCH_PROBLEMS_MAX);
    }
}

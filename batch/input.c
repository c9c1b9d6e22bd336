// Where tasks come from.
//
// Lines are read as they are wanted: a file may be larger than memory, and a
// pipe may never end. Names of files are collected first, because they are
// handed out in order.
//
// Invariants
//   Each input has one index; a bad line has one too, an empty line none.
//   After END or FAILED the answer stays the same.

#include "batch/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/dump.h"
#include "batch/lines.h"
#include "batch/paths.h"
#include "batch/syntax.h"

struct nwpool_batch_input {
    const struct nwpool_batch_job *job;
    uint64_t next; // Index of the next input.

    struct nwpool_batch_paths paths;  // FILES
    struct nwpool_batch_lines *lines; // LINES
};

// -- opening

static bool add_pattern(struct nwpool_batch_input *input, const json_t *json,
                        const char *pointer,
                        struct nwpool_batch_problems *problems)
{
    const struct nwpool_batch_job *job = input->job;
    const char *pattern = json_string_value(json);
    size_t before = input->paths.count;
    struct nwpool_batch_text error = {0};
    bool ok;

    ok = nwpool_batch_paths_match(&input->paths, job->directory, pattern,
                                  &error);
    if (!ok) {
        nwpool_batch_job_problem(job, problems, pointer, "%s", error.data);
    } else if (input->paths.count == before) {
        nwpool_batch_job_problem(job, problems, pointer,
                                 "no file matches \"%s\"%s%s", pattern,
                                 pattern[0] == '/' ? "" : " in ",
                                 pattern[0] == '/' ? "" : job->directory);
        ok = false;
    }
    nwpool_batch_text_fini(&error);
    return ok;
}

// An earlier run's results must not be this run's input and be lost.
static bool check_paths_output(const struct nwpool_batch_input *input,
                               struct nwpool_batch_problems *problems)
{
    const struct nwpool_batch_job *job = input->job;
    const char *name = job->output != NULL ? strrchr(job->output, '/') : NULL;
    const char *path;
    char *message;

    for (size_t i = 0; name != NULL && i < input->paths.count; i++) {
        path = input->paths.items[i];
        // Comparing names first saves a look at every file.
        if (strcmp(strrchr(path, '/'), name) != 0 ||
            !nwpool_batch_job_output_is(job, path)) {
            continue;
        }
        message = nwpool_batch_format("%s: this is one of the input files, "
                                      "which must not be overwritten",
                                      path);
        nwpool_batch_job_output_problem(job, problems, message);
        free(message);
        return false;
    }
    return true;
}

static bool open_files(struct nwpool_batch_input *input,
                       struct nwpool_batch_problems *problems)
{
    const json_t *patterns = input->job->patterns;
    bool ok = true;
    size_t index;
    json_t *pattern;
    char *pointer;

    if (json_is_string(patterns)) {
        ok = add_pattern(input, patterns, "/input/files", problems);
    }
    json_array_foreach((json_t *)patterns, index, pattern)
    {
        pointer = nwpool_batch_format("/input/files/%zu", index);
        ok = add_pattern(input, pattern, pointer, problems) && ok;
        free(pointer);
    }
    nwpool_batch_paths_sort(&input->paths);
    return ok && check_paths_output(input, problems);
}

static bool open_lines(struct nwpool_batch_input *input,
                       struct nwpool_batch_problems *problems)
{
    const struct nwpool_batch_job *job = input->job;
    char *message;

    if (nwpool_batch_job_output_is(job, job->lines)) {
        message = nwpool_batch_format(
            "%s: these are the input lines, which must not be overwritten",
            job->output);
        nwpool_batch_job_output_problem(job, problems, message);
        free(message);
        return false;
    }
    input->lines = nwpool_batch_lines_open(job->lines, NWPOOL_BATCH_LINE_MAX);
    if (input->lines == NULL) {
        nwpool_batch_job_problem(job, problems, "/input/lines",
                                 "\"lines\": cannot read %s: %s", job->lines,
                                 strerror(errno));
        return false;
    }
    return true;
}

struct nwpool_batch_input *
nwpool_batch_input_open(const struct nwpool_batch_job *job,
                        struct nwpool_batch_problems *problems)
{
    struct nwpool_batch_input *input = nwpool_batch_alloc_zero(sizeof(*input));
    bool ok = true;

    input->job = job;
    switch (job->input) {
    case NWPOOL_BATCH_INPUT_VALUES:
        break;
    case NWPOOL_BATCH_INPUT_LINES:
        ok = open_lines(input, problems);
        break;
    case NWPOOL_BATCH_INPUT_FILES:
        ok = open_files(input, problems);
        break;
    }
    if (!ok) {
        nwpool_batch_input_destroy(input);
        return NULL;
    }
    return input;
}

void nwpool_batch_input_destroy(struct nwpool_batch_input *input)
{
    if (input != NULL) {
        nwpool_batch_paths_fini(&input->paths);
        nwpool_batch_lines_destroy(input->lines);
        free(input);
    }
}

// -- reading

void nwpool_batch_item_fini(struct nwpool_batch_item *item)
{
    free(item->echo);
    free(item->problem);
    free(item->excerpt);
    json_decref(item->value);
    *item = (struct nwpool_batch_item){0};
}

static char *json_text(const char *data, size_t size)
{
    struct nwpool_batch_text out = {0};

    nwpool_batch_dump_string(&out, data, size);
    return nwpool_batch_text_take(&out);
}

static enum nwpool_batch_next next_value(struct nwpool_batch_input *input,
                                         struct nwpool_batch_item *item)
{
    struct nwpool_batch_text echo = {0};
    json_t *value = json_array_get(input->job->values, (size_t)input->next);

    if (value == NULL) {
        return NWPOOL_BATCH_NEXT_END;
    }
    nwpool_batch_dump(&echo, value);
    item->echo = nwpool_batch_text_take(&echo);
    item->value = json_incref(value);
    return NWPOOL_BATCH_NEXT_ITEM;
}

static enum nwpool_batch_next next_file(struct nwpool_batch_input *input,
                                        struct nwpool_batch_item *item)
{
    const char *path;

    if (input->next >= input->paths.count) {
        return NWPOOL_BATCH_NEXT_END;
    }
    path = input->paths.items[input->next];
    item->echo = json_text(path, strlen(path));
    item->value = json_string(path);
    if (item->value == NULL) {
        // JavaScript could not open a file by such a string.
        item->source = path;
        item->problem = nwpool_batch_format(
            "%s: the name of this file is no valid UTF-8", path);
    }
    return NWPOOL_BATCH_NEXT_ITEM;
}

// Fills in what is wrong with a line; takes over `message`.
static void bad_line(const struct nwpool_batch_input *input,
                     const struct nwpool_batch_line *line, size_t column,
                     char *message, struct nwpool_batch_item *item)
{
    size_t size = line->size < NWPOOL_BATCH_EXCERPT_MAX
                      ? line->size
                      : NWPOOL_BATCH_EXCERPT_MAX;

    // A character must not be cut in two.
    while (size > 0 && size < line->size &&
           ((unsigned char)line->data[size] & 0xc0) == 0x80) {
        size--;
    }
    item->source = nwpool_batch_lines_name(input->lines);
    item->place = (struct nwpool_batch_place){line->number, column};
    item->problem = nwpool_batch_format("%s:%zu:%zu: %s", item->source,
                                        line->number, column, message);
    item->excerpt = json_text(line->data, size);
    item->echo = nwpool_batch_strdup("null");
    free(message);
}

// The line as it stands is what the output repeats: exact, and numbers keep
// the form they were written in.
static char *line_echo(const struct nwpool_batch_line *line)
{
    struct nwpool_batch_text echo = {0};
    const char *data = line->data;
    size_t size = line->size;

    while (size > 0 && memchr(" \t\r", data[size - 1], 3) != NULL) {
        size--;
    }
    while (size > 0 && memchr(" \t\r", data[0], 3) != NULL) {
        data++;
        size--;
    }
    nwpool_batch_text_append(&echo, data, size);
    return nwpool_batch_text_take(&echo);
}

static enum nwpool_batch_next next_line(struct nwpool_batch_input *input,
                                        int wake,
                                        struct nwpool_batch_item *item)
{
    struct nwpool_batch_syntax_error error;
    struct nwpool_batch_line line;
    enum nwpool_batch_next next;

    do {
        next = nwpool_batch_lines_next(input->lines, wake, &line);
    } while (next == NWPOOL_BATCH_NEXT_ITEM && line.is_blank);
    if (next != NWPOOL_BATCH_NEXT_ITEM) {
        return next;
    }

    if (line.is_too_long) {
        bad_line(input, &line, 1,
                 nwpool_batch_format("a line longer than %zu MiB",
                                     NWPOOL_BATCH_LINE_MAX >> 20),
                 item);
        return NWPOOL_BATCH_NEXT_ITEM;
    }
    // All numbers are doubles in JavaScript. Saying so here keeps integers
    // beyond 64 bits, which jansson would refuse.
    item->value = nwpool_batch_syntax_parse(line.data, line.size,
                                            JSON_DECODE_INT_AS_REAL, &error);
    if (item->value == NULL) {
        bad_line(input, &line, error.place.column, error.message, item);
    } else {
        item->echo = line_echo(&line);
    }
    return NWPOOL_BATCH_NEXT_ITEM;
}

enum nwpool_batch_next nwpool_batch_input_next(struct nwpool_batch_input *input,
                                               int wake,
                                               struct nwpool_batch_item *item)
{
    enum nwpool_batch_next next = NWPOOL_BATCH_NEXT_END;

    *item = (struct nwpool_batch_item){0};
    switch (input->job->input) {
    case NWPOOL_BATCH_INPUT_VALUES:
        next = next_value(input, item);
        break;
    case NWPOOL_BATCH_INPUT_LINES:
        next = next_line(input, wake, item);
        break;
    case NWPOOL_BATCH_INPUT_FILES:
        next = next_file(input, item);
        break;
    }
    if (next == NWPOOL_BATCH_NEXT_ITEM) {
        item->index = input->next++;
    }
    return next;
}

int64_t nwpool_batch_input_total(const struct nwpool_batch_input *input)
{
    switch (input->job->input) {
    case NWPOOL_BATCH_INPUT_VALUES:
        return (int64_t)json_array_size(input->job->values);
    case NWPOOL_BATCH_INPUT_FILES:
        return (int64_t)input->paths.count;
    case NWPOOL_BATCH_INPUT_LINES:
        break;
    }
    return -1;
}

bool nwpool_batch_input_is_stream(const struct nwpool_batch_input *input)
{
    return input->lines != NULL && !nwpool_batch_lines_is_file(input->lines);
}

const char *nwpool_batch_input_name(const struct nwpool_batch_input *input)
{
    return input->lines != NULL ? nwpool_batch_lines_name(input->lines) : "";
}

double nwpool_batch_input_fraction(const struct nwpool_batch_input *input)
{
    int64_t total = nwpool_batch_input_total(input);

    if (input->lines != NULL) {
        return nwpool_batch_lines_fraction(input->lines);
    }
    return total > 0 ? (double)input->next / (double)total : 1;
}

const char *nwpool_batch_input_error(const struct nwpool_batch_input *input)
{
    return input->lines != NULL ? nwpool_batch_lines_error(input->lines) : "";
}

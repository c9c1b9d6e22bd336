// Reading and validating a job file.
//
// All that is wrong is collected, not only the first thing: each check adds
// its problems and goes on. A job with a problem is never run, so a field that
// failed its check may be left at its default.

#include "batch/job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nwpool/pool.h>

#include "batch/dump.h"
#include "batch/module.h"
#include "batch/suggest.h"
#include "batch/syntax.h"

static const char *const job_keys[] = {"module", "function", "workers", "queue",
                                       "input",  "output",   "order",   NULL};
static const char *const input_keys[] = {"values", "lines", "files", NULL};
static const char *const order_names[] = {"input", "completion", NULL};

// What is being filled, and where its problems go.
struct parser {
    struct nwpool_batch_job *job;
    struct nwpool_batch_problems *problems;
};

// -- problems

static void job_problem_at(const struct nwpool_batch_job *job,
                           struct nwpool_batch_problems *problems,
                           const char *pointer,
                           enum nwpool_batch_locate_what what,
                           const char *message)
{
    struct nwpool_batch_place place;

    nwpool_batch_locate(job->text.data, job->text.size, pointer, what, &place);
    nwpool_batch_problems_add(problems, job->file, &place, "%s", message);
}

void nwpool_batch_job_problem(const struct nwpool_batch_job *job,
                              struct nwpool_batch_problems *problems,
                              const char *pointer, const char *format, ...)
{
    struct nwpool_batch_text message = {0};
    va_list arguments;

    va_start(arguments, format);
    nwpool_batch_text_vprintf(&message, format, arguments);
    va_end(arguments);
    job_problem_at(job, problems, pointer, NWPOOL_BATCH_LOCATE_VALUE,
                   message.data);
    nwpool_batch_text_fini(&message);
}

void nwpool_batch_job_output_problem(const struct nwpool_batch_job *job,
                                     struct nwpool_batch_problems *problems,
                                     const char *message)
{
    // An output that the command line named has no place in the job file.
    if (job->output_is_option) {
        nwpool_batch_problems_add(problems, "nwpool", NULL, "--output: %s",
                                  message);
    } else {
        nwpool_batch_job_problem(job, problems, "/output", "\"output\": %s",
                                 message);
    }
}

// A JSON pointer to a member of `pointer`.
static char *pointer_member(const char *pointer, const char *key)
{
    struct nwpool_batch_text out = {0};

    nwpool_batch_text_printf(&out, "%s/", pointer);
    for (; *key != '\0'; key++) {
        if (*key == '~' || *key == '/') {
            nwpool_batch_text_puts(&out, *key == '~' ? "~0" : "~1");
        } else {
            nwpool_batch_text_append(&out, key, 1);
        }
    }
    return nwpool_batch_text_take(&out);
}

// What somebody wrote instead: its type, and for a number its value too.
static char *describe(const json_t *json)
{
    struct nwpool_batch_text out = {0};

    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return nwpool_batch_strdup("an object");
    case JSON_ARRAY:
        return nwpool_batch_strdup("an array");
    case JSON_STRING:
        return nwpool_batch_strdup("a string");
    default:
        nwpool_batch_dump(&out, json);
        return nwpool_batch_text_take(&out);
    }
}

// What a message calls the value at `pointer`: its key, in quotes.
static char *value_name(const char *pointer)
{
    const char *key = strrchr(pointer, '/') + 1;

    // "/input/files/2" has no key of its own.
    if (strspn(key, "0123456789") == strlen(key)) {
        return nwpool_batch_strdup("this item");
    }
    return nwpool_batch_format("\"%s\"", key);
}

static void wrong_type(const struct parser *parser, const char *pointer,
                       const char *wanted, const json_t *json)
{
    char *name = value_name(pointer);
    char *got = describe(json);

    nwpool_batch_job_problem(parser->job, parser->problems, pointer,
                             "%s must be %s, got %s", name, wanted, got);
    free(got);
    free(name);
}

static void check_keys(const struct parser *parser, const json_t *object,
                       const char *pointer, const char *const *keys)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        struct nwpool_batch_text message = {0};
        const char *meant = nwpool_batch_suggest(key, keys);
        const char *const *known = keys;
        char *place;

        while (*known != NULL && strcmp(*known, key) != 0) {
            known++;
        }
        if (*known != NULL) {
            continue;
        }
        place = pointer_member(pointer, key);
        nwpool_batch_text_puts(&message, "unknown key ");
        nwpool_batch_dump_string(&message, key, strlen(key));
        if (meant != NULL) {
            nwpool_batch_text_printf(&message, ", did you mean \"%s\"?", meant);
        }
        job_problem_at(parser->job, parser->problems, place,
                       NWPOOL_BATCH_LOCATE_KEY, message.data);
        nwpool_batch_text_fini(&message);
        free(place);
    }
}

// -- values

// The string at `pointer`, fit for a file name; NULL and a problem otherwise.
static const char *check_string(const struct parser *parser, const json_t *json,
                                const char *pointer)
{
    const char *text = json_string_value(json);
    const char *problem = NULL;
    char *name;

    if (text == NULL) {
        wrong_type(parser, pointer, "a string", json);
        return NULL;
    }
    if (text[0] == '\0') {
        problem = "must not be empty";
    } else if (strlen(text) != json_string_length(json)) {
        problem = "must not contain \\u0000";
    }
    if (problem != NULL) {
        name = value_name(pointer);
        nwpool_batch_job_problem(parser->job, parser->problems, pointer,
                                 "%s %s", name, problem);
        free(name);
        return NULL;
    }
    return text;
}

// The string member `key`, or NULL when it is not there or wrong.
static const char *read_string(const struct parser *parser, const char *key)
{
    const json_t *json = json_object_get(parser->job->json, key);
    const char *text = NULL;
    char *pointer;

    if (json != NULL) {
        pointer = pointer_member("", key);
        text = check_string(parser, json, pointer);
        free(pointer);
    }
    return text;
}

// The integer member `key` from 1 to `max`, or `otherwise`.
static uint32_t read_count(const struct parser *parser, const char *key,
                           uint32_t max, uint32_t otherwise)
{
    const json_t *json = json_object_get(parser->job->json, key);
    json_int_t value = json_integer_value(json);
    char *pointer;
    char *wanted;

    if (json == NULL) {
        return otherwise;
    }
    if (json_is_integer(json) && value >= 1 && value <= (json_int_t)max) {
        return (uint32_t)value;
    }
    pointer = pointer_member("", key);
    wanted = nwpool_batch_format("an integer from 1 to %u", max);
    wrong_type(parser, pointer, wanted, json);
    free(wanted);
    free(pointer);
    return otherwise;
}

static void read_order(const struct parser *parser)
{
    const json_t *json = json_object_get(parser->job->json, "order");
    const char *text = json_string_value(json);
    const char *meant;

    parser->job->order = NWPOOL_BATCH_ORDER_INPUT;
    if (json == NULL || (text != NULL && strcmp(text, "input") == 0)) {
        return;
    }
    if (text == NULL) {
        wrong_type(parser, "/order", "\"input\" or \"completion\"", json);
        return;
    }
    if (strcmp(text, "completion") == 0) {
        parser->job->order = NWPOOL_BATCH_ORDER_COMPLETION;
        return;
    }
    meant = nwpool_batch_suggest(text, order_names);
    nwpool_batch_job_problem(
        parser->job, parser->problems, "/order",
        "\"order\" must be \"input\" or \"completion\", got \"%s\"%s%s%s", text,
        meant != NULL ? "; did you mean \"" : "", meant != NULL ? meant : "",
        meant != NULL ? "\"?" : "");
}

static void read_module(const struct parser *parser)
{
    const char *name = read_string(parser, "module");
    struct nwpool_batch_job *job = parser->job;

    if (json_object_get(job->json, "module") == NULL) {
        nwpool_batch_job_problem(job, parser->problems, "",
                                 "\"module\" is missing: the JavaScript file "
                                 "whose function is to be run");
    }
    if (name != NULL) {
        job->module = nwpool_batch_module_resolve(job->directory, name);
    }
}

// -- input

static void read_patterns(const struct parser *parser, const json_t *json)
{
    size_t index;
    json_t *item;
    char *pointer;

    if (json_is_string(json)) {
        check_string(parser, json, "/input/files");
    } else if (json_is_array(json) && json_array_size(json) > 0) {
        json_array_foreach((json_t *)json, index, item)
        {
            pointer = nwpool_batch_format("/input/files/%zu", index);
            check_string(parser, item, pointer);
            free(pointer);
        }
    } else if (json_is_array(json)) {
        nwpool_batch_job_problem(parser->job, parser->problems, "/input/files",
                                 "\"files\" must name at least one pattern");
    } else {
        wrong_type(parser, "/input/files", "a file pattern or an array of them",
                   json);
    }
    parser->job->patterns = json;
}

static void read_lines(const struct parser *parser, const json_t *json)
{
    const char *name = check_string(parser, json, "/input/lines");
    struct nwpool_batch_job *job = parser->job;

    if (name == NULL) {
        return;
    }
    if (strcmp(name, "-") != 0) {
        job->lines = nwpool_batch_path_join(job->directory, name);
        return;
    }
    job->lines = nwpool_batch_strdup(name);
    if (job->is_stdin) {
        nwpool_batch_job_problem(
            job, parser->problems, "/input/lines",
            "standard input cannot be both the job and its input lines: "
            "put the job into a file");
    }
}

static void read_values(const struct parser *parser, const json_t *json)
{
    if (!json_is_array(json)) {
        wrong_type(parser, "/input/values", "an array", json);
    }
    parser->job->values = json;
}

static void read_input(const struct parser *parser)
{
    const json_t *input = json_object_get(parser->job->json, "input");
    const json_t *values = json_object_get(input, "values");
    const json_t *lines = json_object_get(input, "lines");
    const json_t *files = json_object_get(input, "files");
    int count = (values != NULL) + (lines != NULL) + (files != NULL);

    if (input == NULL) {
        nwpool_batch_job_problem(
            parser->job, parser->problems, "",
            "\"input\" is missing: an object with one of \"values\", "
            "\"lines\" and \"files\"");
        return;
    }
    if (!json_is_object(input)) {
        wrong_type(parser, "/input", "an object", input);
        return;
    }
    check_keys(parser, input, "/input", input_keys);
    if (count != 1) {
        nwpool_batch_job_problem(
            parser->job, parser->problems, "/input",
            "\"input\" must have exactly one of \"values\", \"lines\" and "
            "\"files\", got %s",
            count == 0 ? "none" : "more than one");
        return;
    }
    if (values != NULL) {
        parser->job->input = NWPOOL_BATCH_INPUT_VALUES;
        read_values(parser, values);
    } else if (lines != NULL) {
        parser->job->input = NWPOOL_BATCH_INPUT_LINES;
        read_lines(parser, lines);
    } else {
        parser->job->input = NWPOOL_BATCH_INPUT_FILES;
        read_patterns(parser, files);
    }
}

// -- the whole

static void read_job(const struct parser *parser)
{
    struct nwpool_batch_job *job = parser->job;
    const char *text;

    check_keys(parser, job->json, "", job_keys);
    read_module(parser);
    text = read_string(parser, "function");
    job->function = nwpool_batch_strdup(text != NULL ? text : "default");
    job->workers = read_count(parser, "workers", NW_POOL_WORKERS_MAX, 0);
    job->queue = read_count(parser, "queue", NWPOOL_BATCH_QUEUE_MAX,
                            NWPOOL_BATCH_QUEUE_DEFAULT);
    read_order(parser);
    text = read_string(parser, "output");
    if (text != NULL && strcmp(text, "-") != 0) {
        job->output = nwpool_batch_path_join(job->directory, text);
    }
    read_input(parser);
}

// Editors on some systems begin a file with U+FEFF, which is no JSON.
static void drop_byte_order_mark(struct nwpool_batch_text *text)
{
    if (text->size >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0) {
        text->size -= 3;
        memmove(text->data, text->data + 3, text->size + 1);
    }
}

bool nwpool_batch_job_parse(struct nwpool_batch_job *job, const char *file,
                            const char *directory,
                            struct nwpool_batch_text *text,
                            struct nwpool_batch_problems *problems)
{
    struct parser parser = {.job = job, .problems = problems};
    struct nwpool_batch_syntax_error error;
    size_t before = problems->count;
    char *got;

    *job = (struct nwpool_batch_job){
        .file = nwpool_batch_strdup(strcmp(file, "-") == 0 ? "<stdin>" : file),
        .directory = nwpool_batch_strdup(directory),
        .text = *text,
        .is_stdin = strcmp(file, "-") == 0,
    };
    *text = (struct nwpool_batch_text){0};
    nwpool_batch_text_puts(&job->text, "");
    drop_byte_order_mark(&job->text);

    job->json = nwpool_batch_syntax_parse(job->text.data, job->text.size,
                                          JSON_REJECT_DUPLICATES, &error);
    if (job->json == NULL) {
        nwpool_batch_problems_add(problems, job->file, &error.place, "%s",
                                  error.message);
        free(error.message);
    } else if (!json_is_object(job->json)) {
        got = describe(job->json);
        nwpool_batch_job_problem(job, problems, "",
                                 "a job must be a JSON object, got %s", got);
        free(got);
    } else {
        read_job(&parser);
    }
    return problems->count == before;
}

// Reads all of a file. False and errno on failure.
static bool read_file(const char *file, struct nwpool_batch_text *out)
{
    int fd = strcmp(file, "-") == 0 ? dup(STDIN_FILENO)
                                    : open(file, O_RDONLY | O_CLOEXEC);
    char chunk[65536];
    ssize_t got;
    int error;

    if (fd < 0) {
        return false;
    }
    do {
        got = read(fd, chunk, sizeof(chunk));
        if (got > 0) {
            nwpool_batch_text_append(out, chunk, (size_t)got);
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    error = errno;
    close(fd);
    errno = error;
    return got == 0;
}

// The absolute directory that `file` is in; NULL and errno on failure. What is
// no regular file, such as "-" or a shell's <(...), has the working directory.
static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *directory;
    char *absolute;

    if (slash == NULL) {
        return realpath(".", NULL);
    }
    directory = nwpool_batch_format("%.*s/", (int)(slash - file), file);
    absolute = realpath(directory, NULL);
    free(directory);
    return absolute;
}

bool nwpool_batch_job_load(struct nwpool_batch_job *job, const char *file,
                           struct nwpool_batch_problems *problems)
{
    struct nwpool_batch_text text = {0};
    char *directory = NULL;
    struct stat info;
    bool ok;

    *job = (struct nwpool_batch_job){0};
    if (!read_file(file, &text) ||
        (directory = directory_of(
             stat(file, &info) == 0 && S_ISREG(info.st_mode) ? file : ".")) ==
            NULL) {
        nwpool_batch_problems_add(problems, file, NULL,
                                  "cannot read the job file: %s",
                                  strerror(errno));
        nwpool_batch_text_fini(&text);
        return false;
    }
    ok = nwpool_batch_job_parse(job, file, directory, &text, problems);
    free(directory);
    return ok;
}

void nwpool_batch_job_fini(struct nwpool_batch_job *job)
{
    free(job->file);
    free(job->directory);
    free(job->module);
    free(job->function);
    free(job->output);
    free(job->lines);
    json_decref(job->json);
    nwpool_batch_text_fini(&job->text);
    *job = (struct nwpool_batch_job){0};
}

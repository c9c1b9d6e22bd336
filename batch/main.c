// The nwpool command: its options and subcommands.

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nwpool/pool.h>

#include "batch/input.h"
#include "batch/job.h"
#include "batch/run.h"
#include "batch/suggest.h"

#ifndef NWPOOL_VERSION
#define NWPOOL_VERSION "unknown version"
#endif

static const char *const commands[] = {"run", "check", "help", NULL};

static const char help_nwpool[] =
    "Run a JavaScript function on many inputs, on a pool of Node.js workers.\n"
    "\n"
    "  nwpool run [OPTIONS] FILE   run the job that FILE describes\n"
    "  nwpool check FILE           say what is wrong with it, run nothing\n"
    "  nwpool help [COMMAND]       explain a command\n"
    "  nwpool --version\n"
    "\n"
    "A job file is JSON:\n"
    "\n"
    "  {\n"
    "    \"module\": \"./parse.js\",\n"
    "    \"function\": \"parse\",\n"
    "    \"input\": {\"files\": \"src/**/*.js\"},\n"
    "    \"output\": \"results.jsonl\"\n"
    "  }\n"
    "\n"
    "See `nwpool help run`, and docs/batch.md for all keys.\n";

static const char help_run[] =
    "Usage: nwpool run [OPTIONS] FILE\n"
    "\n"
    "Run the job that FILE describes (- is standard input) and write one line\n"
    "of JSON for each input.\n"
    "\n"
    "  --workers N     worker threads, 1 to 1024; overrides \"workers\"\n"
    "  --output FILE   where the lines go, - is standard output; overrides\n"
    "                  \"output\"\n"
    "  --trace FILE    record what tasks do, for Perfetto or Chrome\n"
    "  --no-progress   no progress line, even on a terminal\n"
    "  -q, --quiet     no progress line and no summary, only errors\n"
    "\n"
    "Keys of a job file; paths are seen from the directory it is in:\n"
    "\n"
    "  module    JavaScript file or package (required)\n"
    "  function  the export to call with each input (\"default\")\n"
    "  input     exactly one of (required)\n"
    "              {\"values\": [...]}         these values\n"
    "              {\"lines\": \"in.jsonl\"}     a JSON value a line, - is\n"
    "                                        standard input\n"
    "              {\"files\": \"src/**/*.js\"}  names of files; an array of\n"
    "                                        patterns, too\n"
    "  output    file for the results (\"-\", standard output)\n"
    "  order     of lines: \"input\" or \"completion\" (\"input\")\n"
    "  workers   worker threads (as many as CPUs)\n"
    "  queue     inputs that are under way at most (1024)\n"
    "\n"
    "Exit status: 0 all went well, 1 some tasks failed, 2 bad usage or job\n"
    "file, 4 the module cannot be run, 5 an input or the output failed,\n"
    "130 or 143 interrupted.\n";

static const char help_check[] =
    "Usage: nwpool check FILE\n"
    "\n"
    "Look for everything that can be wrong with a job file (- is standard\n"
    "input), its module, its inputs and its output, without running any\n"
    "JavaScript. Exit status: 0 nothing was found, 2 otherwise.\n";

// What the command line of `run` says.
struct arguments {
    const char *file;
    const char *workers;
    const char *output;
    struct nwpool_batch_run_options run;
    bool help;
};

// -- command line

static int usage_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static int usage_error(const char *format, ...)
{
    va_list arguments;

    fputs("nwpool: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    return NWPOOL_BATCH_EXIT_CONFIG;
}

static int print(const char *text)
{
    fputs(text, stdout);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "nwpool: cannot write to standard output: %s\n",
                strerror(errno));
        return NWPOOL_BATCH_EXIT_IO;
    }
    return NWPOOL_BATCH_EXIT_OK;
}

enum option_number {
    OPTION_WORKERS = 256,
    OPTION_OUTPUT,
    OPTION_TRACE,
    OPTION_NO_PROGRESS
};

static const struct option run_options[] = {
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"trace", required_argument, NULL, OPTION_TRACE},
    {"no-progress", no_argument, NULL, OPTION_NO_PROGRESS},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const struct option check_options[] = {
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

// What getopt_long() did not like, in our words.
static int bad_option(const char *command, char **argv, int got)
{
    const char *last = argv[optind - 1];

    if (got == ':') {
        return usage_error("%s needs a value; see nwpool help %s", last,
                           command);
    }
    // Of a long option that is known, optopt is the number.
    if (strncmp(last, "--", 2) == 0) {
        return usage_error("%s %s; see nwpool help %s",
                           optopt == 0 ? "unknown option" : last,
                           optopt == 0 ? last : "takes no value", command);
    }
    return usage_error("unknown option -%c; see nwpool help %s", optopt,
                       command);
}

// 0, or an exit status when a message was printed.
static int parse_arguments(int argc, char **argv, const char *command,
                           const struct option *options, struct arguments *out)
{
    int got;

    *out = (struct arguments){.run = {.progress = true, .summary = true}};
    while ((got = getopt_long(argc, argv, ":qh", options, NULL)) != -1) {
        switch (got) {
        case OPTION_WORKERS:
            out->workers = optarg;
            break;
        case OPTION_OUTPUT:
            out->output = optarg;
            break;
        case OPTION_TRACE:
            out->run.trace = optarg;
            break;
        case OPTION_NO_PROGRESS:
            out->run.progress = false;
            break;
        case 'q':
            out->run.progress = false;
            out->run.summary = false;
            break;
        case 'h':
            out->help = true;
            return 0;
        default:
            return bad_option(command, argv, got);
        }
    }
    if (argc - optind != 1) {
        return usage_error("%s; see nwpool help %s",
                           argc == optind ? "no job file is given"
                                          : "more than one job file is given",
                           command);
    }
    out->file = argv[optind];
    return 0;
}

// -- run

static int apply_workers(struct nwpool_batch_job *job, const char *text)
{
    char *end;
    long workers;

    errno = 0;
    workers = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || workers < 1 ||
        workers > NW_POOL_WORKERS_MAX) {
        return usage_error("--workers must be an integer from 1 to %d, "
                           "got \"%s\"",
                           NW_POOL_WORKERS_MAX, text);
    }
    job->workers = (uint32_t)workers;
    return 0;
}

// The trace is renamed into place at the end, over whatever is there.
static bool trace_is_output(const struct nwpool_batch_job *job,
                            const char *trace)
{
    char *here = realpath(".", NULL);
    char *path = nwpool_batch_path_join(here != NULL ? here : "", trace);
    bool same = job->output != NULL && (strcmp(path, job->output) == 0 ||
                                        nwpool_batch_job_output_is(job, path));

    free(path);
    free(here);
    return same;
}

static int apply_arguments(struct nwpool_batch_job *job,
                           const struct arguments *arguments)
{
    const char *output = arguments->output;
    const char *trace = arguments->run.trace;

    if (output != NULL && output[0] == '\0') {
        return usage_error("--output needs the name of a file");
    }
    if (trace != NULL && (trace[0] == '\0' || strcmp(trace, "-") == 0)) {
        return usage_error("--trace needs the name of a file");
    }
    if (output != NULL && !nwpool_batch_job_set_output(job, output)) {
        return usage_error("cannot find the working directory: %s",
                           strerror(errno));
    }
    if (trace != NULL && trace_is_output(job, trace)) {
        return usage_error("--trace: %s is where the results go", trace);
    }
    return arguments->workers != NULL ? apply_workers(job, arguments->workers)
                                      : 0;
}

// Loads a job with all its arguments and opens its input: everything that can
// be wrong is said here. NULL when something was.
static struct nwpool_batch_input *prepare(struct nwpool_batch_job *job,
                                          const struct arguments *arguments)
{
    struct nwpool_batch_problems problems = {0};
    struct nwpool_batch_input *input = NULL;

    if (nwpool_batch_job_load(job, arguments->file, &problems) &&
        apply_arguments(job, arguments) == 0) {
        nwpool_batch_job_check(job, &problems);
        input = nwpool_batch_input_open(job, &problems);
    }
    nwpool_batch_problems_print(&problems, stderr);
    if (problems.count > 0) {
        nwpool_batch_input_destroy(input);
        input = NULL;
    }
    nwpool_batch_problems_fini(&problems);
    return input;
}

static int command_run(int argc, char **argv)
{
    struct nwpool_batch_job job = {0};
    struct nwpool_batch_input *input;
    struct arguments arguments;
    int status;

    status = parse_arguments(argc, argv, "run", run_options, &arguments);
    if (status != 0 || arguments.help) {
        return status != 0 ? status : print(help_run);
    }
    status = NWPOOL_BATCH_EXIT_CONFIG;
    input = prepare(&job, &arguments);
    if (input != NULL) {
        status = nwpool_batch_run(&job, input, &arguments.run);
    }
    nwpool_batch_input_destroy(input);
    nwpool_batch_job_fini(&job);
    return status;
}

// -- check

// Reads every line of a file; bad ones become problems. Returns how many lines
// are inputs.
static uint64_t check_lines(struct nwpool_batch_input *input,
                            struct nwpool_batch_problems *problems)
{
    struct nwpool_batch_item item;
    enum nwpool_batch_next next;
    uint64_t count = 0;

    while ((next = nwpool_batch_input_next(input, -1, &item)) ==
           NWPOOL_BATCH_NEXT_ITEM) {
        count++;
        if (item.value == NULL) {
            nwpool_batch_problems_add_text(problems, item.problem);
        }
        nwpool_batch_item_fini(&item);
    }
    if (next == NWPOOL_BATCH_NEXT_FAILED) {
        nwpool_batch_problems_add_text(problems,
                                       nwpool_batch_input_error(input));
    }
    return count;
}

static int report_check(const struct nwpool_batch_job *job, const char *inputs)
{
    char *text =
        nwpool_batch_format("%s: ok (%s, module %s, function \"%s\")\n",
                            job->file, inputs, job->module, job->function);
    int status = print(text);

    free(text);
    return status;
}

static int check_input(const struct nwpool_batch_job *job,
                       struct nwpool_batch_input *input)
{
    struct nwpool_batch_problems problems = {0};
    int64_t total = nwpool_batch_input_total(input);
    char *inputs;
    int status;

    if (total < 0 && nwpool_batch_input_is_stream(input)) {
        inputs = nwpool_batch_format("inputs from %s",
                                     nwpool_batch_input_name(input));
    } else {
        if (total < 0) {
            total = (int64_t)check_lines(input, &problems);
        }
        inputs = nwpool_batch_format("%" PRId64 " %s", total,
                                     total == 1 ? "input" : "inputs");
    }
    nwpool_batch_problems_print(&problems, stderr);
    status = problems.count > 0 ? NWPOOL_BATCH_EXIT_CONFIG
                                : report_check(job, inputs);
    nwpool_batch_problems_fini(&problems);
    free(inputs);
    return status;
}

static int command_check(int argc, char **argv)
{
    struct nwpool_batch_job job = {0};
    struct nwpool_batch_input *input;
    struct arguments arguments;
    int status;

    status = parse_arguments(argc, argv, "check", check_options, &arguments);
    if (status != 0 || arguments.help) {
        return status != 0 ? status : print(help_check);
    }
    status = NWPOOL_BATCH_EXIT_CONFIG;
    input = prepare(&job, &arguments);
    if (input != NULL) {
        status = check_input(&job, input);
    }
    nwpool_batch_input_destroy(input);
    nwpool_batch_job_fini(&job);
    return status;
}

// -- nwpool

static int unknown_command(const char *name)
{
    const char *meant = nwpool_batch_suggest(name, commands);

    if (meant != NULL) {
        return usage_error("unknown command \"%s\", did you mean \"%s\"?", name,
                           meant);
    }
    return usage_error("unknown command \"%s\"; see nwpool --help", name);
}

static int command_help(const char *name)
{
    if (name == NULL || strcmp(name, "help") == 0) {
        return print(help_nwpool);
    }
    if (strcmp(name, "run") == 0) {
        return print(help_run);
    }
    if (strcmp(name, "check") == 0) {
        return print(help_check);
    }
    return unknown_command(name);
}

static int print_version(void)
{
    char *text = nwpool_batch_format("nwpool %s (Node.js %s)\n", NWPOOL_VERSION,
                                     nw_runtime_node_version());
    int status = print(text);

    free(text);
    return status;
}

// A descriptor 0, 1 or 2 that the caller has closed would be taken by the next
// file that is opened, and messages would go there. What takes it here cannot
// be used the way round that it is meant, so using it is an error.
static void occupy_standard_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    occupy_standard_descriptors();
    if (name == NULL) {
        fputs(help_nwpool, stderr);
        return NWPOOL_BATCH_EXIT_CONFIG;
    }
    if (strcmp(name, "run") == 0) {
        return command_run(argc - 1, argv + 1);
    }
    if (strcmp(name, "check") == 0) {
        return command_check(argc - 1, argv + 1);
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 ||
        strcmp(name, "-h") == 0) {
        return command_help(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        return print_version();
    }
    if (name[0] == '-') {
        return usage_error("unknown option %s; see nwpool --help", name);
    }
    return unknown_command(name);
}

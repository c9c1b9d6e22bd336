// A job file: what to run, on which inputs, and where the results go.
//
// Paths in a job file are seen from the directory it is in; paths on the
// command line from the working directory.

#ifndef NWPOOL_BATCH_JOB_H
#define NWPOOL_BATCH_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "batch/problems.h"

#define NWPOOL_BATCH_QUEUE_DEFAULT 1024
#define NWPOOL_BATCH_QUEUE_MAX     1000000

enum nwpool_batch_input_kind {
    NWPOOL_BATCH_INPUT_VALUES,
    NWPOOL_BATCH_INPUT_LINES,
    NWPOOL_BATCH_INPUT_FILES
};

enum nwpool_batch_order {
    NWPOOL_BATCH_ORDER_INPUT,
    NWPOOL_BATCH_ORDER_COMPLETION
};

struct nwpool_batch_job {
    char *file; // Its name for messages.
    bool is_stdin;
    char *directory; // Absolute.
    struct nwpool_batch_text text;
    json_t *json; // `text` parsed; owns `values` and `patterns`.

    char *module; // Absolute path or package name.
    char *function;
    uint32_t workers; // 0: as many as there are CPUs.
    uint32_t queue;
    enum nwpool_batch_order order;
    char *output;          // Absolute path; NULL is standard output.
    bool output_is_option; // The command line named it, not the job file.

    enum nwpool_batch_input_kind input;
    const json_t *values;   // VALUES: an array.
    char *lines;            // LINES: absolute path, or "-".
    const json_t *patterns; // FILES: a string or an array of strings.
};

// Reads and validates a job file; "-" is standard input. False when something
// is wrong, and `problems` says what; `job` needs nwpool_batch_job_fini() in
// either case.
//
// Nothing but the job file itself is looked at; nwpool_batch_job_check() and
// the opening of the input do the rest.
bool nwpool_batch_job_load(struct nwpool_batch_job *job, const char *file,
                           struct nwpool_batch_problems *problems);

// The same for a text that is already there.
bool nwpool_batch_job_parse(struct nwpool_batch_job *job, const char *file,
                            const char *directory,
                            struct nwpool_batch_text *text,
                            struct nwpool_batch_problems *problems);

void nwpool_batch_job_fini(struct nwpool_batch_job *job);

// Overrides the output with that of the command line; "-" is standard output.
// False and errno when the working directory is gone.
bool nwpool_batch_job_set_output(struct nwpool_batch_job *job,
                                 const char *output);

// Looks whether the module is there and the output can be written, without
// running or creating anything. False and `problems` as above.
bool nwpool_batch_job_check(const struct nwpool_batch_job *job,
                            struct nwpool_batch_problems *problems);

// Adds a problem at the value that a JSON pointer names.
void nwpool_batch_job_problem(const struct nwpool_batch_job *job,
                              struct nwpool_batch_problems *problems,
                              const char *pointer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// True when the output, a regular file, is the file at `path`: it must not be
// overwritten then. `path` may be missing.
bool nwpool_batch_job_output_is(const struct nwpool_batch_job *job,
                                const char *path);

// The same where the output was named: the job file or the command line.
void nwpool_batch_job_output_problem(const struct nwpool_batch_job *job,
                                     struct nwpool_batch_problems *problems,
                                     const char *message);

#endif

// What can be said about a job's module and output without running anything.

#include "batch/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const extensions[] = {".js", ".cjs", ".mjs", NULL};

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

// -- module

// The module that is meant by a path without its extension, or NULL.
static char *module_with_extension(const char *path)
{
    for (const char *const *end = extensions; *end != NULL; end++) {
        char *longer = nwpool_batch_format("%s%s", path, *end);

        if (access(longer, F_OK) == 0) {
            return longer;
        }
        free(longer);
    }
    return NULL;
}

static void module_absent(const struct nwpool_batch_job *job,
                          struct nwpool_batch_problems *problems)
{
    char *meant = module_with_extension(job->module);

    if (meant != NULL) {
        nwpool_batch_job_problem(
            job, problems, "/module",
            "\"module\": there is no file %s, did you mean %s?", job->module,
            meant);
    } else {
        nwpool_batch_job_problem(job, problems, "/module",
                                 "\"module\": there is no file %s",
                                 job->module);
    }
    free(meant);
}

// True for a directory that require() can load.
static bool is_package(const char *directory)
{
    static const char *const mains[] = {"package.json", "index.js", NULL};
    bool found = false;

    for (const char *const *name = mains; *name != NULL && !found; name++) {
        char *path = nwpool_batch_path_join(directory, *name);

        found = access(path, F_OK) == 0;
        free(path);
    }
    return found;
}

static void check_module_path(const struct nwpool_batch_job *job,
                              struct nwpool_batch_problems *problems)
{
    const char *problem = NULL;
    struct stat info;

    if (stat(job->module, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            module_absent(job, problems);
            return;
        }
        problem = strerror(errno);
    } else if (S_ISDIR(info.st_mode)) {
        problem =
            is_package(job->module)
                ? NULL
                : "this is a directory and no package; name the file in it";
    } else if (!S_ISREG(info.st_mode)) {
        problem = "this is no regular file";
    } else if (access(job->module, R_OK) != 0) {
        problem = strerror(errno);
    }
    if (problem != NULL) {
        nwpool_batch_job_problem(job, problems, "/module", "\"module\": %s: %s",
                                 job->module, problem);
    }
}

// "parse.js" without a slash may name a package, but hardly ever does.
static void check_module_name(const struct nwpool_batch_job *job,
                              struct nwpool_batch_problems *problems)
{
    if (strchr(job->module, '/') != NULL) {
        return;
    }
    for (const char *const *end = extensions; *end != NULL; end++) {
        if (ends_with(job->module, *end)) {
            nwpool_batch_job_problem(
                job, problems, "/module",
                "\"module\": there is no file \"%s\" in %s; a package of that "
                "name has to be given by its path",
                job->module, job->directory);
        }
    }
}

// -- output

// The directory that a file is to be created in.
static void check_output_directory(const struct nwpool_batch_job *job,
                                   struct nwpool_batch_problems *problems)
{
    const char *slash = strrchr(job->output, '/');
    char *directory;
    char *message;

    directory = slash == job->output
                    ? nwpool_batch_strdup("/")
                    : nwpool_batch_format("%.*s", (int)(slash - job->output),
                                          job->output);
    if (access(directory, W_OK | X_OK) != 0) {
        message = nwpool_batch_format("cannot create a file in %s: %s",
                                      directory, strerror(errno));
        nwpool_batch_job_output_problem(job, problems, message);
        free(message);
    }
    free(directory);
}

static void check_output(const struct nwpool_batch_job *job,
                         struct nwpool_batch_problems *problems)
{
    const char *problem = NULL;
    char *message;
    struct stat info;

    if (stat(job->output, &info) != 0) {
        if (errno == ENOENT) {
            check_output_directory(job, problems);
            return;
        }
        problem = strerror(errno);
    } else if (S_ISDIR(info.st_mode)) {
        problem = "this is a directory";
    } else if (access(job->output, W_OK) != 0) {
        problem = strerror(errno);
    } else if (nwpool_batch_job_output_is(job, job->module)) {
        problem = "this is the module, which must not be overwritten";
    } else if (nwpool_batch_job_output_is(job, job->file)) {
        problem = "this is the job file, which must not be overwritten";
    }
    if (problem != NULL) {
        message = nwpool_batch_format("%s: %s", job->output, problem);
        nwpool_batch_job_output_problem(job, problems, message);
        free(message);
    }
}

bool nwpool_batch_job_output_is(const struct nwpool_batch_job *job,
                                const char *path)
{
    struct stat output;
    struct stat other;

    return job->output != NULL && stat(job->output, &output) == 0 &&
           S_ISREG(output.st_mode) && stat(path, &other) == 0 &&
           output.st_dev == other.st_dev && output.st_ino == other.st_ino;
}

bool nwpool_batch_job_set_output(struct nwpool_batch_job *job,
                                 const char *output)
{
    char *directory;

    free(job->output);
    job->output = NULL;
    job->output_is_option = true;
    if (strcmp(output, "-") == 0) {
        return true;
    }
    directory = realpath(".", NULL);
    if (directory == NULL) {
        return false;
    }
    job->output = nwpool_batch_path_join(directory, output);
    free(directory);
    return true;
}

bool nwpool_batch_job_check(const struct nwpool_batch_job *job,
                            struct nwpool_batch_problems *problems)
{
    size_t before = problems->count;

    if (job->module[0] == '/') {
        check_module_path(job, problems);
    } else {
        check_module_name(job, problems);
    }
    if (job->output != NULL) {
        check_output(job, problems);
    }
    return problems->count == before;
}

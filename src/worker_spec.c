// Invariants
//   Names in the object are those of glue.js and, below `limits`, of Node.js.
//   What is not given is not there: Node.js takes an undefined for a value.

#include "src/worker_spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/common.h"
#include "src/detail.h"
#include "src/options.h"
#include "src/registry.h"
#include "src/text.h"
#include "src/value.h"
#include "src/wire.h"

// -- checks

static bool is_path(const char *file)
{
    return file[0] == '/' || strncmp(file, "./", 2) == 0 ||
           strncmp(file, "../", 3) == 0;
}

static bool is_url(const char *url)
{
    return strncmp(url, "file:", 5) == 0 || strncmp(url, "data:", 5) == 0;
}

static nw_status check_script(const nw_worker_options *options)
{
    int count = (options->file != NULL) + (options->source != NULL) +
                (options->url != NULL) + (options->body != NULL);

    if (count != 1) {
        return nw__fail(NW_EINVAL,
                        "%s of file, source, url and body is set; set exactly "
                        "one of them",
                        count == 0 ? "none" : "more than one");
    }
    if ((options->file != NULL && options->file[0] == '\0') ||
        (options->source != NULL && options->source[0] == '\0') ||
        (options->url != NULL && options->url[0] == '\0')) {
        return nw__fail(NW_EINVAL, "the worker's script is empty");
    }
    if (options->file != NULL && !is_path(options->file)) {
        return nw__fail(NW_EINVAL,
                        "file \"%.200s\" is neither absolute nor begins with "
                        "./ or ../",
                        options->file);
    }
    if (options->url != NULL && !is_url(options->url)) {
        return nw__fail(NW_EINVAL,
                        "url \"%.200s\" is neither a file: nor a data: URL",
                        options->url);
    }
    return NW_OK;
}

// What a text is called in the sentence; `index` is negative for a single one.
static nw_status check_text(const char *name, long index, const char *text)
{
    if (text == NULL || nw__utf8_is_valid(text, strlen(text))) {
        return NW_OK;
    }
    if (index < 0) {
        return nw__fail(NW_EINVAL, "%s is not UTF-8", name);
    }
    return nw__fail(NW_EINVAL, "%s[%ld] is not UTF-8", name, index);
}

static nw_status check_list(const char *name, const char *const *list)
{
    nw_status status = NW_OK;

    for (long i = 0; list != NULL && list[i] != NULL && status == NW_OK; i++) {
        status = check_text(name, i, list[i]);
    }
    return status;
}

static nw_status check_texts(const nw_worker_options *options)
{
    const struct {
        const char *name;
        const char *text;
    } texts[] = {{"file", options->file},
                 {"source", options->source},
                 {"url", options->url},
                 {"name", options->name}};
    nw_status status = NW_OK;

    for (size_t i = 0; i < NW_ARRAY_SIZE(texts) && status == NW_OK; i++) {
        status = check_text(texts[i].name, -1, texts[i].text);
    }
    if (status == NW_OK) {
        status = check_list("argv", options->argv);
    }
    if (status == NW_OK) {
        status = check_list("exec_argv", options->exec_argv);
    }
    return status == NW_OK ? check_list("env", options->env) : status;
}

static nw_status check_env(const nw_worker_options *options)
{
    if (options->env == NULL) {
        return NW_OK;
    }
    if (options->share_env) {
        return nw__fail(NW_EINVAL,
                        "env and share_env exclude each other; set one");
    }
    for (size_t i = 0; options->env[i] != NULL; i++) {
        if (strchr(options->env[i], '=') == NULL || options->env[i][0] == '=') {
            return nw__fail(NW_EINVAL, "env[%zu] \"%.200s\" is no NAME=value",
                            i, options->env[i]);
        }
    }
    return NW_OK;
}

static nw_status check_limit(const char *name, double limit)
{
    if (isfinite(limit) && limit >= 0) {
        return NW_OK;
    }
    return nw__fail(NW_EINVAL, "limits.%s is no size in MiB", name);
}

static nw_status check_limits(const nw_resource_limits *limits)
{
    nw_status status = check_limit("max_old_generation_size_mb",
                                   limits->max_old_generation_size_mb);

    if (status == NW_OK) {
        status = check_limit("max_young_generation_size_mb",
                             limits->max_young_generation_size_mb);
    }
    if (status == NW_OK) {
        status = check_limit("code_range_size_mb", limits->code_range_size_mb);
    }
    if (status == NW_OK) {
        status = check_limit("stack_size_mb", limits->stack_size_mb);
    }
    return status;
}

// Node.js ignores what is no option, and all that follows it.
static nw_status check_exec_argv(const char *const *list)
{
    if (list != NULL && list[0] != NULL && list[0][0] != '-') {
        return nw__fail(NW_EINVAL, "exec_argv[0] \"%.200s\" is no option",
                        list[0]);
    }
    return NW_OK;
}

static nw_status check_rest(const nw_worker_options *options)
{
    if (options->transfer == NULL && options->transfer_count > 0) {
        return nw__fail(NW_EINVAL, "transfer_count without transfer");
    }
    if ((unsigned)options->stdout_mode > NW_OUTPUT_BOTH ||
        (unsigned)options->stderr_mode > NW_OUTPUT_BOTH) {
        return nw__fail(NW_EINVAL,
                        "stdout_mode or stderr_mode is no nw_output");
    }
    return NW_OK;
}

nw_status nw__worker_options_check(nw_worker_options *out,
                                   const nw_worker_options *options)
{
    nw_status status = nw__options_copy(out, sizeof(*out), options);

    if (status != NW_OK) {
        return nw__fail(status, "struct_size is not the size of "
                                "nw_worker_options, or fields beyond it that "
                                "this version does not know are set");
    }
    status = check_script(out);
    if (status == NW_OK) {
        status = check_texts(out);
    }
    if (status == NW_OK) {
        status = check_env(out);
    }
    if (status == NW_OK) {
        status = check_exec_argv(out->exec_argv);
    }
    if (status == NW_OK) {
        status = check_limits(&out->limits);
    }
    return status == NW_OK ? check_rest(out) : status;
}

// -- the object. What fails marks the document.

static void set_text(nw_value *spec, const char *key, const char *text)
{
    if (text != NULL) {
        nw_object_set(spec, key, nw_value_string(spec->doc, text));
    }
}

static void set_flag(nw_value *spec, const char *key, bool flag)
{
    if (flag) {
        nw_object_set(spec, key, nw_value_bool(spec->doc, true));
    }
}

static void set_list(nw_value *spec, const char *key, const char *const *list)
{
    nw_value *array;

    if (list == NULL) {
        return;
    }
    array = nw_value_array(spec->doc);
    for (size_t i = 0; list[i] != NULL && array != NULL; i++) {
        nw_array_push(array, nw_value_string(spec->doc, list[i]));
    }
    nw_object_set(spec, key, array);
}

static void set_env(nw_value *spec, const char *const *env)
{
    nw_value *object;

    if (env == NULL) {
        return;
    }
    object = nw_value_object(spec->doc);
    for (size_t i = 0; env[i] != NULL && object != NULL; i++) {
        const char *equals = strchr(env[i], '=');

        nw_object_set_n(object, env[i], (size_t)(equals - env[i]),
                        nw_value_string(spec->doc, equals + 1));
    }
    nw_object_set(spec, "env", object);
}

static void set_limit(nw_value *limits, const char *key, double limit)
{
    if (limit > 0) {
        nw_object_set(limits, key, nw_value_number(limits->doc, limit));
    }
}

static void set_limits(nw_value *spec, const nw_resource_limits *limits)
{
    nw_value *object = nw_value_object(spec->doc);

    if (object == NULL) {
        return;
    }
    set_limit(object, "maxOldGenerationSizeMb",
              limits->max_old_generation_size_mb);
    set_limit(object, "maxYoungGenerationSizeMb",
              limits->max_young_generation_size_mb);
    set_limit(object, "codeRangeSizeMb", limits->code_range_size_mb);
    set_limit(object, "stackSizeMb", limits->stack_size_mb);
    nw_object_set(spec, "limits", object);
}

static void fill(nw_value *spec, const nw_worker_options *options,
                 const char *directory)
{
    set_text(spec, "directory", directory);
    set_text(spec, "file", options->file);
    set_text(spec, "source", options->source);
    set_text(spec, "url", options->url);
    set_text(spec, "name", options->name);
    set_list(spec, "argv", options->argv);
    set_list(spec, "execArgv", options->exec_argv);
    set_env(spec, options->env);
    set_limits(spec, &options->limits);
    set_flag(spec, "shareEnv", options->share_env);
    set_flag(spec, "useNodeOptions", options->use_node_options);
    set_flag(spec, "keepUnmanagedFds", options->keep_unmanaged_fds);
    set_flag(spec, "stdin", options->stdin_pipe);
}

static nw_status write_start(struct nw__command *command, nw_value *spec,
                             const nw_worker_options *options)
{
    const struct nw__wire_transfer moving = {options->transfer,
                                             options->transfer_count};
    const nw_value *values[2] = {spec, options->worker_data};
    const char *detail = NULL;
    nw_status status;

    if (values[1] == NULL) {
        values[1] = nw_value_undefined(spec->doc);
    }
    status = nw__wire_write(&command->message, values, 2, &moving, &detail);
    return detail != NULL ? nw__fail(status, "workerData: %s", detail) : status;
}

static bool moves(const nw_worker_options *options)
{
    return options->transfer_count > 0 ||
           (options->worker_data != NULL &&
            options->worker_data->doc->holdings != NULL);
}

// Only Node.js can say what is wrong with the rest of the options. It is asked
// beforehand where workerData would have moved when it does.
static nw_status rehearse(const nw_value *spec)
{
    struct nw__command *command;
    nw_status status =
        nw__command_write(&command, NW__COMMAND_REHEARSE, 0, &spec, 1, NULL);

    return status == NW_OK ? nw__control_ask(command, NULL) : status;
}

nw_status nw__start_command(uint32_t number, const nw_worker_options *options,
                            struct nw__command **out)
{
    struct nw__command *command = nw__command_create(NW__COMMAND_START, number);
    char *directory = nw__worker_directory();
    nw_doc *doc = nw_doc_create();
    nw_value *spec = doc != NULL ? nw_value_object(doc) : NULL;
    nw_status status = NW_ENOMEM;

    if (command != NULL && directory != NULL && spec != NULL) {
        fill(spec, options, directory);
        status = nw_doc_status(doc);
    }
    if (status == NW_OK && moves(options)) {
        status = rehearse(spec);
    }
    if (status == NW_OK) {
        status = write_start(command, spec, options);
    }
    nw_doc_destroy(doc);
    nw__free(directory);
    if (status != NW_OK) {
        nw__command_destroy(command);
        command = NULL;
    }
    *out = command;
    return status;
}

struct nw__command *nw__start_lane_command(uint32_t number, const char *module,
                                           const char *directory,
                                           const nw_resource_limits *limits,
                                           bool tells_tasks, uint32_t pool)
{
    struct nw__command *command = nw__command_create(NW__COMMAND_START, number);
    nw_doc *doc = nw_doc_create();
    nw_value *spec = doc != NULL ? nw_value_object(doc) : NULL;
    const nw_value *root = spec;
    nw_status status = NW_ENOMEM;

    if (command != NULL && spec != NULL) {
        set_text(spec, "module", module);
        set_text(spec, "directory", directory);
        set_flag(spec, "tellsTasks", tells_tasks);
        set_limits(spec, limits);
        nw_object_set(spec, "pool", nw_value_number(doc, pool));
        status = nw__wire_write(&command->message, &root, 1, NULL, NULL);
    }
    nw_doc_destroy(doc);
    if (status != NW_OK) {
        nw__command_destroy(command);
        return NULL;
    }
    return command;
}

// -- back

static double get_limit(const nw_value *limits, const char *key)
{
    double limit = nw_value_get_number(nw_object_get(limits, key));

    // Not there, or -1 until the thread has chosen it.
    return limit > 0 ? limit : 0;
}

void nw__limits_read(const nw_value *value, nw_resource_limits *out)
{
    *out = (nw_resource_limits){
        .max_old_generation_size_mb =
            get_limit(value, "maxOldGenerationSizeMb"),
        .max_young_generation_size_mb =
            get_limit(value, "maxYoungGenerationSizeMb"),
        .code_range_size_mb = get_limit(value, "codeRangeSizeMb"),
        .stack_size_mb = get_limit(value, "stackSizeMb"),
    };
}

nw_status nw__absolute_path(const char *path, char **out)
{
    char *directory = path[0] == '/' ? NULL : nw__worker_directory();
    size_t size = strlen(path) + 2;

    *out = NULL;
    if (path[0] == '/') {
        *out = nw__strdup(path);
    } else if (directory != NULL) {
        size += strlen(directory);
        *out = nw__alloc(size);
        if (*out != NULL) {
            snprintf(*out, size, "%s/%s", directory, path);
        }
    }
    nw__free(directory);
    return *out != NULL ? NW_OK : NW_ENOMEM;
}

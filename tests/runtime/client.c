#include "tests/runtime/client.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn void client_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _exit(CLIENT_FAILED);
}

void client_expect(const char *what, nw_status status, nw_status expected)
{
    if (status != expected) {
        client_fail("%s returned %s and not %s%s%s", what,
                    nw_status_name(status), nw_status_name(expected),
                    nw_runtime_error()[0] != '\0' ? ": " : "",
                    nw_runtime_error());
    }
}

uint64_t client_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void client_on_thread(size_t stack_size, void *(*body)(void *), void *data)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    if (stack_size != 0 &&
        pthread_attr_setstacksize(&attributes, stack_size) != 0) {
        client_fail("a stack of %zu bytes is not possible", stack_size);
    }
    if (pthread_create(&thread, &attributes, body, data) != 0) {
        client_fail("a thread with %zu bytes cannot start", stack_size);
    }
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

int client_threads_named(const char *name)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(tasks)) != NULL) {
        char path[300], comm[32] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (file != NULL) {
            if (fgets(comm, sizeof(comm), file) != NULL) {
                comm[strcspn(comm, "\n")] = '\0';
            }
            fclose(file);
        }
        count += strcmp(comm, name) == 0 ? 1 : 0;
    }
    closedir(tasks);
    return count;
}

// -- pools

const char *client_fixture(const char *name)
{
    static _Thread_local char path[512];

    snprintf(path, sizeof(path), "%s/%s", RUNTIME_FIXTURES, name);
    return path;
}

nwpool *client_pool(const char *fixture, uint32_t workers)
{
    nwpool_options options = {
        .struct_size = sizeof(options),
        .module = client_fixture(fixture),
        .workers = workers,
    };
    nwpool *pool;

    client_expect("nwpool_create", nwpool_create(&pool, &options), NW_OK);
    return pool;
}

nw_task_id client_submit(nwpool *pool, const char *function, double argument)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *value = nw_value_number(doc, argument);
    nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = function,
        .arguments = &value,
        .argument_count = 1,
    };
    nw_task_id task;

    client_expect("nwpool_submit", nwpool_submit(pool, &spec, &task), NW_OK);
    nw_doc_destroy(doc);
    return task;
}

static nw_result *call(nwpool *pool, const char *function, double argument,
                       nw_type type)
{
    nw_task_id task = client_submit(pool, function, argument);
    nw_result *result;

    client_expect("nwpool_wait",
                  nwpool_wait(pool, task, CLIENT_TIMEOUT_MS, &result), NW_OK);
    if (result->status != NW_OK) {
        client_fail("%s() ended with %s: %s\n%s", function,
                    nw_status_name(result->status), result->error->message,
                    result->error->stack);
    }
    if (nw_value_type(result->value) != type) {
        client_fail("%s() returned %s", function,
                    nw_type_name(nw_value_type(result->value)));
    }
    return result;
}

double client_number(nwpool *pool, const char *function, double argument)
{
    nw_result *result = call(pool, function, argument, NW_TYPE_NUMBER);
    double number = nw_value_get_number(result->value);

    nwpool_result_free(result);
    return number;
}

char *client_text(nwpool *pool, const char *function, double argument)
{
    nw_result *result = call(pool, function, argument, NW_TYPE_STRING);
    char *text = strdup(nw_value_get_string(result->value, NULL));

    nwpool_result_free(result);
    return text;
}

void client_keep_busy(nwpool *pool, const char *function)
{
    int ends[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        client_fail("socketpair: %s", strerror(errno));
    }
    client_submit(pool, function, ends[1]);
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
    }
    // Both ends stay open: the task may hold on to them for ever.
}

// -- workers

static void on_event(const nw_worker_event *event, void *user_data)
{
    struct watch *watch = user_data;
    const char *text = nw_value_get_string(event->value, NULL);

    if (event->error != NULL) {
        text = event->error->message;
    }
    pthread_mutex_lock(&watch->lock);
    watch->count[event->type]++;
    if (event->type == NW_WORKER_EXIT) {
        watch->exit_code = event->exit_code;
    }
    if (text != NULL) {
        snprintf(watch->text, sizeof(watch->text), "%s", text);
    }
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

static nw_worker *create(struct watch *watch, nw_worker_options *options)
{
    pthread_condattr_t attributes;
    nw_worker *worker;

    memset(watch, 0, sizeof(*watch));
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &attributes);
    options->struct_size = sizeof(*options);
    options->on_event = on_event;
    options->user_data = watch;
    client_expect("nw_worker_create", nw_worker_create(&worker, options),
                  NW_OK);
    return worker;
}

nw_worker *client_worker(struct watch *watch, const char *source)
{
    nw_worker_options options = {.source = source};

    return create(watch, &options);
}

nw_worker *client_worker_file(struct watch *watch, const char *file)
{
    nw_worker_options options = {.file = file};

    return create(watch, &options);
}

void client_await(struct watch *watch, nw_worker_event_type type,
                  unsigned count)
{
    struct timespec until;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CLIENT_TIMEOUT_MS / 1000;
    pthread_mutex_lock(&watch->lock);
    while (watch->count[type] < count && result == 0) {
        result = pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
    }
    if (watch->count[type] < count) {
        client_fail("only %u of %u events of type %d came; the last text: %s",
                    watch->count[type], count, (int)type, watch->text);
    }
    pthread_mutex_unlock(&watch->lock);
}

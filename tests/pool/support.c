#include "tests/pool/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/support.h"

#define RESULTS_MAX 8192

nw_doc *doc;

static nw_result *results[RESULTS_MAX];
static size_t result_count;

bool says(const char *whole, const char *part)
{
    return whole != NULL && strstr(whole, part) != NULL;
}

uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void pause_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&time, NULL);
}

// -- each test

void test_init(void)
{
    doc = nw_doc_create();
    cr_assert(ne(ptr, doc, NULL));
}

void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "after the test: %s\n", what);
        abort();
    }
}

void test_fini(void)
{
    free_results();
    nw_doc_destroy(doc);
    must(nw_runtime_stop(DEADLINE_MS) == NW_OK, "Node.js does not stop");
    nw_test_no_leaks();
}

// -- values

nw_value *number(double value)
{
    return nw_value_number(doc, value);
}

nw_value *text(const char *value)
{
    return nw_value_string(doc, value);
}

nw_value *list(nw_value *first, ...)
{
    nw_value *array = nw_value_array(doc);
    va_list items;

    va_start(items, first);
    for (nw_value *item = first; item != NULL; item = va_arg(items, void *)) {
        cr_assert(eq(int, nw_array_push(array, item), NW_OK));
    }
    va_end(items);
    return array;
}

// -- modules and pools

const char *module_path(const char *name)
{
    static char paths[5][4096];
    static unsigned calls;
    char *path = paths[calls++ % 5];

    snprintf(path, sizeof(paths[0]), "%s/%s", NW_TEST_MODULES, name);
    return path;
}

nwpool *pool_with(const char *module, uint32_t workers, uint32_t queue_max)
{
    nwpool_options options = {
        .struct_size = sizeof(options),
        .module = module,
        .workers = workers,
        .queue_max = queue_max,
    };
    nwpool *pool;
    nw_status status = nwpool_create(&pool, &options);

    cr_assert(eq(int, status, NW_OK), "%s %s", nw_status_name(status),
              nw_runtime_error());
    return pool;
}

nwpool *pool_like(const char *module, nwpool_options options)
{
    nwpool *pool;
    nw_status status;

    options.struct_size = sizeof(options);
    options.module = module_path(module);
    status = nwpool_create(&pool, &options);
    cr_assert(eq(int, status, NW_OK), "%s %s %s", nw_status_name(status),
              nw_status_detail(), nw_runtime_error());
    return pool;
}

nwpool *pool_of(const char *module, uint32_t workers)
{
    return pool_with(module_path(module), workers, 0);
}

void destroy(nwpool *pool)
{
    expect_status(nwpool_destroy(pool), NW_OK);
}

// -- calls

// The arguments of a call that takes them one by one.
struct arguments {
    const nw_value *values[NW_TASK_ARGUMENTS_MAX];
    size_t count;
};

static void collect(struct arguments *arguments, va_list values)
{
    const nw_value *value = va_arg(values, const nw_value *);

    arguments->count = 0;
    while (value != NULL) {
        cr_assert(lt(sz, arguments->count, (size_t)NW_TASK_ARGUMENTS_MAX));
        arguments->values[arguments->count++] = value;
        value = va_arg(values, const nw_value *);
    }
    cr_assert(eq(int, nw_doc_status(doc), NW_OK));
}

nw_status submit_spec(nwpool *pool, nw_task_spec spec, nw_task_id *out)
{
    spec.struct_size = sizeof(spec);
    return nwpool_submit(pool, &spec, out);
}

static nw_task_id submit_arguments(nwpool *pool, const char *function,
                                   const struct arguments *arguments)
{
    nw_task_spec spec = {
        .function = function,
        .arguments = arguments->values,
        .argument_count = arguments->count,
    };
    nw_task_id task;
    nw_status status = submit_spec(pool, spec, &task);

    cr_assert(eq(int, status, NW_OK), "%s: %s", function,
              nw_status_name(status));
    return task;
}

nw_task_id submit(nwpool *pool, const char *function, ...)
{
    struct arguments arguments;
    va_list values;

    va_start(values, function);
    collect(&arguments, values);
    va_end(values);
    return submit_arguments(pool, function, &arguments);
}

const nw_result *take(nwpool *pool, nw_task_id task)
{
    nw_result *result;
    nw_status status = nwpool_wait(pool, task, DEADLINE_MS, &result);

    cr_assert(eq(int, status, NW_OK), "%s", nw_status_name(status));
    cr_assert(lt(sz, result_count, (size_t)RESULTS_MAX));
    results[result_count++] = result;
    cr_expect(eq(u64, result->task.value, task.value));
    cr_expect(result->status == NW_OK ? !result->error : !!result->error);
    cr_expect(result->status == NW_OK ? !!result->value : !result->value);
    if (result->error != NULL) {
        cr_expect(eq(u64, result->error->task, task.value));
    }
    return result;
}

const nw_result *call(nwpool *pool, const char *function, ...)
{
    struct arguments arguments;
    va_list values;

    va_start(values, function);
    collect(&arguments, values);
    va_end(values);
    return take(pool, submit_arguments(pool, function, &arguments));
}

void free_results(void)
{
    while (result_count > 0) {
        nwpool_result_free(results[--result_count]);
    }
}

void expect_value(const nw_result *result, const char *expected)
{
    if (result->status != NW_OK) {
        cr_fail("%s failed with %s: %s", result->function,
                nw_status_name(result->status), result->error->message);
        return;
    }
    expect_string(nw_test_text(result->value), expected);
}

void expect_failure(const nw_result *result, nw_status status, const char *part)
{
    expect_status(result->status, status);
    if (result->error != NULL) {
        expect_says(result->error->message, part);
    }
}

// -- results by callback

static void copy_text(char *to, size_t size, const nw_error *error)
{
    snprintf(to, size, "%s", error != NULL ? error->message : "");
}

void on_outcome(const nw_result *result, void *user_data)
{
    struct outcome *outcome = user_data;
    const nw_error *error = result->error;

    outcome->calls++;
    outcome->status = result->status;
    outcome->number = nw_value_get_number(result->value);
    outcome->exit_code = result->exit_code;
    outcome->worker = result->worker;
    outcome->task = result->task.value;
    outcome->error_task = error != NULL ? error->task : 0;
    copy_text(outcome->message, sizeof(outcome->message), error);
    copy_text(outcome->cause, sizeof(outcome->cause),
              error != NULL ? error->cause : NULL);
}

nw_status submit_to(struct outcome *outcome, nwpool *pool, const char *function,
                    ...)
{
    struct arguments arguments;
    va_list values;

    va_start(values, function);
    collect(&arguments, values);
    va_end(values);
    return submit_spec(pool,
                       (nw_task_spec){
                           .function = function,
                           .arguments = arguments.values,
                           .argument_count = arguments.count,
                           .on_done = on_outcome,
                           .user_data = outcome,
                       },
                       NULL);
}

void drain(nwpool *pool)
{
    expect_status(nwpool_drain(pool, DEADLINE_MS), NW_OK);
}

// -- events of a pool

struct told pool_told = {.lock = PTHREAD_MUTEX_INITIALIZER};

void on_pool_event(const nwpool_event *event, void *user_data)
{
    (void)user_data;
    if (!pool_told.water &&
        (event->type == NWPOOL_HIGH_WATER || event->type == NWPOOL_LOW_WATER)) {
        return;
    }
    pthread_mutex_lock(&pool_told.lock);
    if (pool_told.count < TOLD_MAX) {
        size_t i = pool_told.count;

        pool_told.events[i].type = event->type;
        pool_told.events[i].worker = event->worker;
        pool_told.events[i].replacement = event->replacement;
        pool_told.events[i].exit_code = event->exit_code;
        pool_told.events[i].task = event->task.value;
        snprintf(pool_told.events[i].reason, sizeof(pool_told.events[i].reason),
                 "%s", event->reason);
        snprintf(pool_told.events[i].error, sizeof(pool_told.events[i].error),
                 "%s", event->error != NULL ? event->error->message : "");
    }
    pool_told.count++;
    pthread_mutex_unlock(&pool_told.lock);
}

static size_t find_told(nwpool_event_type type, size_t from)
{
    size_t i = from;

    pthread_mutex_lock(&pool_told.lock);
    while (i < pool_told.count && i < TOLD_MAX &&
           pool_told.events[i].type != type) {
        i++;
    }
    i = i < pool_told.count && i < TOLD_MAX ? i : TOLD_MAX;
    pthread_mutex_unlock(&pool_told.lock);
    return i;
}

size_t told_of(nwpool_event_type type)
{
    size_t count = 0;

    for (size_t i = find_told(type, 0); i < TOLD_MAX;
         i = find_told(type, i + 1)) {
        count++;
    }
    return count;
}

size_t expect_told(nwpool_event_type type, size_t from)
{
    eventually(find_told(type, from) < TOLD_MAX);
    return find_told(type, from);
}

// -- gates

void gate_init(struct gate *gate)
{
    cr_assert(eq(int, pipe(gate->started), 0));
    cr_assert(eq(int, pipe(gate->release), 0));
}

void gate_fini(struct gate *gate)
{
    for (int i = 0; i < 2; i++) {
        close(gate->started[i]);
        close(gate->release[i]);
    }
}

nw_value *gate_started(const struct gate *gate)
{
    return number(gate->started[1]);
}

nw_value *gate_release(const struct gate *gate)
{
    return number(gate->release[0]);
}

void gate_wait(const struct gate *gate)
{
    struct pollfd poller = {.fd = gate->started[0], .events = POLLIN};
    char byte;

    cr_assert(eq(int, poll(&poller, 1, DEADLINE_MS), 1), "no task started");
    cr_assert(read(gate->started[0], &byte, 1) == 1);
}

void gate_let_go(const struct gate *gate, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cr_assert(write(gate->release[1], "!", 1) == 1);
    }
}

nw_task_id hold(nwpool *pool, const struct gate *gate)
{
    nw_task_id task =
        submit(pool, "hold", gate_started(gate), gate_release(gate), NULL);

    gate_wait(gate);
    return task;
}

// -- jams

void jam_init(struct jam *jam)
{
    cr_assert(eq(int, pipe(jam->pipe), 0));
}

void jam_fini(struct jam *jam)
{
    close(jam->pipe[0]);
    close(jam->pipe[1]);
}

static int bytes_in(const struct jam *jam)
{
    int size = 0;

    cr_assert(eq(int, ioctl(jam->pipe[0], FIONREAD, &size), 0));
    return size;
}

void jam_wait(const struct jam *jam)
{
    int capacity = fcntl(jam->pipe[0], F_GETPIPE_SZ);

    cr_assert(capacity > 0 && capacity < JAM_SIZE);
    eventually(bytes_in(jam) == capacity);
}

void jam_clear(const struct jam *jam)
{
    char buffer[65536];

    for (ssize_t left = JAM_SIZE; left > 0;) {
        ssize_t size = read(jam->pipe[0], buffer, sizeof(buffer));

        cr_assert(size > 0);
        left -= size;
    }
}

// -- lent memory

void release_lent(void *data, size_t size, void *hint)
{
    struct lender *lender = hint;

    // Anything else would be somebody else's memory.
    if (data == lender->data && size == lender->size) {
        atomic_fetch_add(&lender->released, 1);
        free(data);
    } else {
        atomic_fetch_add(&lender->released, 1000);
    }
}

nw_value *lend(struct lender *lender, size_t size)
{
    unsigned char *data = malloc(size > 0 ? size : 1);
    nw_value *value;

    cr_assert(ne(ptr, data, NULL));
    for (size_t i = 0; i < size; i++) {
        data[i] = (unsigned char)i;
    }
    atomic_init(&lender->released, 0);
    lender->data = data;
    lender->size = size;
    value = nw_value_bytes_lend(doc, data, size, release_lent, lender);
    cr_assert(ne(ptr, value, NULL));
    return value;
}

// -- the process

static unsigned entries_of(const char *path)
{
    DIR *directory = opendir(path);
    unsigned count = 0;

    cr_assert(ne(ptr, directory, NULL));
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count - 2; // "." and ".."
}

unsigned thread_count(void)
{
    return entries_of("/proc/self/task");
}

unsigned descriptor_count(void)
{
    return entries_of("/proc/self/fd") - 1; // The directory itself.
}

size_t resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long total, resident = 0;

    cr_assert(ne(ptr, file, NULL));
    cr_assert(eq(int, fscanf(file, "%lu %lu", &total, &resident), 2));
    fclose(file);
    return resident * ((size_t)sysconf(_SC_PAGESIZE) / 1024);
}

nwpool_stats stats_of(nwpool *pool)
{
    nwpool_stats stats = {.struct_size = sizeof(stats)};

    cr_assert(eq(int, nwpool_get_stats(pool, &stats), NW_OK));
    return stats;
}

#include "tests/pool/lane_source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/error_record.h"
#include "src/registry.h"
#include "src/runtime.h"
#include "src/wire.h"
#include "src/worker_spec.h"
#include "tests/pool/support.h"
#include "tests/unit/support.h"

#define FUNCTIONS_MAX 64

// More are taken and forgotten.
#define LANE_SENT_MAX 65536

struct sent {
    uint64_t id;
    struct nw__message value;
};

struct nw__lane *lane;

static struct {
    nw__mutex lock;

    // -- protected by lock
    struct lane_task tasks[LANE_TASKS_MAX];
    uint32_t task_count;
    struct nw__job_list waiting;
    struct nw__job_list dead_assigned;
    struct nw__job_list dead_running;
    struct sent sent[LANE_SENT_MAX];
    uint32_t sent_count;
    uint32_t room; // 0: any number.
    struct nw__message boot_record;
    struct nw__message error_record;
    bool ready;
    bool boot_failed;
    bool exited;
    int exit_code;

    // -- the test's thread
    const char *functions[FUNCTIONS_MAX];
    uint32_t sent_seen;
    uint32_t number;
} place;

static void lock(void)
{
    nw__mutex_lock(&place.lock);
}

static void unlock(void)
{
    nw__mutex_unlock(&place.lock);
}

static bool locked(const bool *flag)
{
    bool value;

    lock();
    value = *flag;
    unlock();
    return value;
}

// -- what the lane calls

static bool pull(void *owner, struct nw__lane *puller)
{
    bool pulled;

    (void)owner;
    lock();
    pulled =
        place.waiting.head != NULL && nw__lane_push(puller, &place.waiting);
    unlock();
    return pulled;
}

static void settled(void *owner, struct nw__lane *from, struct nw__job *job)
{
    struct lane_task *task = (struct lane_task *)job;

    (void)owner;
    (void)from;
    lock();
    must(!task->ended, "a task has ended twice");
    must(!task->taken, "a task has ended that was taken away");
    task->ended = true;
    unlock();
}

static struct lane_task *task_of(uint64_t id)
{
    must(id > 0 && id <= place.task_count, "there is no such task");
    return &place.tasks[id - 1];
}

static nw_status sent(void *owner, struct nw__lane *from, uint64_t id,
                      struct nw__message *value)
{
    nw_status status = NW_OK;

    (void)owner;
    (void)from;
    lock();
    must(!task_of(id)->ended, "a task sends that has ended");
    if (task_of(id)->taken) {
        status = NW_ENOENT;
    } else if (place.sent_count < LANE_SENT_MAX) {
        place.sent[place.sent_count].id = id;
        nw__message_move(&place.sent[place.sent_count++].value, value);
        if (place.room > 0 && --place.room == 0) {
            place.room = 1; // Who does not wait finds it as full again.
            status = NW_EFULL;
        }
    }
    unlock();
    return status;
}

static void ready(void *owner, struct nw__lane *from)
{
    (void)owner;
    (void)from;
    lock();
    place.ready = true;
    unlock();
}

static void boot_failed(void *owner, struct nw__lane *from,
                        struct nw__message *record)
{
    (void)owner;
    (void)from;
    lock();
    place.boot_failed = true;
    nw__message_move(&place.boot_record, record);
    unlock();
}

static void died(void *owner, struct nw__lane *from,
                 struct nw__job_list *assigned, struct nw__job_list *running)
{
    (void)owner;
    (void)from;
    lock();
    nw__job_list_append(&place.dead_assigned, assigned);
    nw__job_list_append(&place.dead_running, running);
    unlock();
}

static const struct nw__lane_source source = {
    .pull = pull,
    .settled = settled,
    .sent = sent,
    .ready = ready,
    .boot_failed = boot_failed,
    .died = died,
};

// -- what the control thread calls

static bool on_online(void *owner)
{
    (void)owner;
    return true;
}

static bool on_message(void *owner, struct nw__message *message)
{
    (void)owner;
    (void)message;
    return true;
}

static bool on_error(void *owner, struct nw__message *record)
{
    (void)owner;
    lock();
    nw__message_fini(&place.error_record);
    nw__message_move(&place.error_record, record);
    unlock();
    return true;
}

static void on_exited(void *owner, int exit_code)
{
    (void)owner;
    lock();
    place.exited = true;
    place.exit_code = exit_code;
    unlock();
}

static const struct nw__worker_sink sink = {
    .online = on_online,
    .message = on_message,
    .message_error = on_message,
    .error = on_error,
    .exited = on_exited,
};

// -- life

void lane_start(struct lane_setting setting)
{
    const char *module = setting.module != NULL ? setting.module : "lane.js";
    const struct nw__lane_options options = {
        .number = nw__worker_number(),
        .module = module_path(module),
        .pool_name = "test",
        .set_up = setting.set_up,
        .tear_down = setting.tear_down,
        .concurrency = setting.concurrency > 0 ? setting.concurrency : 1,
        .source = &source};
    struct nw__worker_spec spec = {.sink = &sink};

    nw__mutex_init(&place.lock);
    expect_status(nw__runtime_acquire(), NW_OK);
    lane = nw__lane_create(&options);
    cr_assert(ne(ptr, lane, NULL));
    place.number = options.number;
    spec.lane = lane;
    expect_status(
        nw__worker_spawn(place.number, &spec,
                         nw__start_lane_command(place.number, options.module,
                                                "/", &(nw_resource_limits){0},
                                                setting.tells_tasks, 0)),
        NW_OK);
}

void lane_fini(void)
{
    struct nw__job_list assigned, running;

    if (lane == NULL) {
        return;
    }
    nw__worker_terminate(place.number);
    eventually(locked(&place.exited));
    nw__lane_close(lane, &assigned, &running);
    must(assigned.head == NULL && running.head == NULL,
         "the lane of a dead worker holds jobs");
    nw__lane_unref(lane);
    for (uint32_t i = 0; i < place.task_count; i++) {
        nw__message_fini(&place.tasks[i].job.message);
    }
    for (uint32_t i = 0; i < place.sent_count; i++) {
        nw__message_fini(&place.sent[i].value);
    }
    nw__message_fini(&place.boot_record);
    nw__message_fini(&place.error_record);
    nw__mutex_fini(&place.lock);
    nw__runtime_release();
}

// -- tasks

static uint32_t function_number(const char *name)
{
    uint32_t i = 0;

    while (place.functions[i] != NULL &&
           strcmp(place.functions[i], name) != 0) {
        i++;
    }
    cr_assert(lt(u32, i, FUNCTIONS_MAX - 1));
    place.functions[i] = name;
    return i;
}

struct lane_task *lane_submit(const char *function, ...)
{
    const nw_value *values[8];
    struct lane_task *task;
    size_t count = 0;
    va_list arguments;

    va_start(arguments, function);
    while ((values[count] = va_arg(arguments, const nw_value *)) != NULL) {
        count++;
    }
    va_end(arguments);
    lock();
    cr_assert(lt(u32, place.task_count, LANE_TASKS_MAX));
    task = &place.tasks[place.task_count++];
    task->job.id = place.task_count;
    task->job.function_name = function;
    task->job.function = function_number(function);
    cr_assert(eq(int,
                 nw__wire_write(&task->job.message, values, count, NULL, NULL),
                 NW_OK));
    nw__job_list_push(&place.waiting, &task->job);
    unlock();
    nw__lane_wake(lane);
    return task;
}

bool lane_ended(const struct lane_task *task)
{
    return locked(&task->ended);
}

static bool is_running(const struct lane_task *task)
{
    bool found = false;

    nw__mutex_lock(&lane->lock);
    for (const struct nw__job *job = lane->running.head; job != NULL;
         job = job->next) {
        found = found || job == &task->job;
    }
    nw__mutex_unlock(&lane->lock);
    return found;
}

void lane_running(const struct lane_task *task)
{
    eventually(is_running(task));
}

static const nw_value *read_value(struct nw__message *message)
{
    const nw_value *value = NULL;

    expect_status(nw__wire_read(doc, message, &value, 1, NULL), NW_OK);
    return value;
}

const nw_value *lane_value(struct lane_task *task)
{
    eventually(lane_ended(task));
    if (task->job.status != NW_OK) {
        cr_fail("%s failed with %s: %s", task->job.function_name,
                nw_status_name(task->job.status),
                nw__error_read(doc, &task->job.message)->message);
        return NULL;
    }
    return read_value(&task->job.message);
}

const nw_error *lane_error(struct lane_task *task, nw_status status)
{
    eventually(lane_ended(task));
    cr_assert(eq(int, task->job.status, status), "%s: %s",
              task->job.function_name, nw_status_name(task->job.status));
    return nw__error_read(doc, &task->job.message);
}

void expect_lane_value(struct lane_task *task, const char *expected)
{
    const nw_value *value = lane_value(task);

    if (value != NULL) {
        expect_string(nw_test_text(value), expected);
    }
}

bool lane_try_take(struct lane_task *task)
{
    bool taken;

    lock();
    taken = nw__lane_take_running(lane, &task->job);
    task->taken = task->taken || taken;
    unlock();
    return taken;
}

void lane_take(struct lane_task *task)
{
    cr_assert(lane_try_take(task));
}

void expect_log(const char *expected)
{
    const nw_value *value;

    do {
        pause_ms(2);
        value = lane_value(lane_submit("log", NULL));
    } while (nw_value_size(value) == 0);
    expect_string(nw_test_text(value), expected);
}

// -- what they send

void lane_set_room(uint32_t values)
{
    lock();
    place.room = values;
    unlock();
}

uint32_t lane_sent(void)
{
    uint32_t count;

    lock();
    count = place.sent_count;
    unlock();
    return count;
}

const nw_value *lane_any_sent(uint64_t *id)
{
    struct sent *next = &place.sent[place.sent_seen];

    eventually(lane_sent() > place.sent_seen);
    place.sent_seen++;
    *id = next->id;
    return read_value(&next->value);
}

const nw_value *lane_next_sent(const struct lane_task *task)
{
    uint64_t id;
    const nw_value *value = lane_any_sent(&id);

    cr_expect(eq(u64, id, task->job.id));
    return value;
}

void expect_sent(const struct lane_task *task, const char *expected)
{
    expect_string(nw_test_text(lane_next_sent(task)), expected);
}

// -- requests

void lane_ask(enum nw__lane_request_type type, const struct lane_task *task,
              const char *reason)
{
    struct nw__lane_request *request = nw__alloc_zero(sizeof(*request));

    cr_assert(ne(ptr, request, NULL));
    request->type = type;
    request->id = task != NULL ? task->job.id : 0;
    snprintf(request->reason, sizeof(request->reason), "%s",
             reason != NULL ? reason : "");
    nw__lane_ask(lane, request);
}

void lane_give_room(const struct lane_task *task, uint32_t values)
{
    lane_set_room(values);
    lane_ask(NW__LANE_ROOM, task, NULL);
}

// -- the worker's life

void lane_ready(void)
{
    eventually(locked(&place.ready));
}

void expect_exit(int exit_code)
{
    eventually(locked(&place.exited));
    cr_expect(eq(int, place.exit_code, exit_code));
}

const nw_error *lane_boot_error(void)
{
    eventually(locked(&place.exited));
    cr_assert(place.boot_failed);
    cr_expect(not(place.ready));
    return nw__error_read(doc, &place.boot_record);
}

const nw_error *lane_worker_error(void)
{
    eventually(locked(&place.exited));
    return place.error_record.size > 0
               ? nw__error_read(doc, &place.error_record)
               : NULL;
}

struct lane_task *lane_next_dead(bool running)
{
    eventually(locked(&place.exited));
    return (struct lane_task *)nw__job_list_pop(running ? &place.dead_running
                                                        : &place.dead_assigned);
}

// Records a make-believe pool and writes its trace, for check.js to check.
//
//   sample FILE [TASKS]
//
// Two submitters, two workers and a completion thread call the hooks as the
// core does, on real threads at real times, so that this is also the program
// to run under ThreadSanitizer. Some tasks are submitted from result callbacks,
// some crash with their worker, some are canceled before they start. All
// recordings but the last are cut short in the middle, so that threads are late
// for their end.

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <nwpool/trace.h>

#include "src/common.h"
#include "src/hooks.h"

#define TASKS_DEFAULT 1000
#define TASKS_MAX     1000000
#define SUBMITTERS    2
#define WORKERS       2
#define ROUNDS        10 // The last is the one that is left in the file.

struct task {
    struct task *next;
    uint64_t id;
    nw_status status;
};

// Bounded by the number of tasks; closed when all have ended.
struct queue {
    nw__mutex lock;
    nw__cond changed;
    struct task *head;
    struct task **tail;
    bool closed;
};

static struct queue accepted;
static struct queue ended;
static struct task *tasks;
static uint64_t task_count;
static _Atomic(uint64_t) next_task;
static _Atomic(uint32_t) next_worker;

static void queue_init(struct queue *queue)
{
    nw__mutex_init(&queue->lock);
    nw__cond_init(&queue->changed);
    queue->head = NULL;
    queue->tail = &queue->head;
    queue->closed = false;
}

static void queue_fini(struct queue *queue)
{
    nw__mutex_fini(&queue->lock);
    nw__cond_fini(&queue->changed);
}

static void queue_push(struct queue *queue, struct task *task)
{
    nw__mutex_lock(&queue->lock);
    task->next = NULL;
    *queue->tail = task;
    queue->tail = &task->next;
    nw__cond_wake_one(&queue->changed);
    nw__mutex_unlock(&queue->lock);
}

static void queue_close(struct queue *queue)
{
    nw__mutex_lock(&queue->lock);
    queue->closed = true;
    nw__cond_wake_all(&queue->changed);
    nw__mutex_unlock(&queue->lock);
}

// Blocks. NULL when the queue is closed and empty.
static struct task *queue_pop(struct queue *queue)
{
    struct task *task;

    nw__mutex_lock(&queue->lock);
    while (queue->head == NULL && !queue->closed) {
        nw__cond_wait(&queue->changed, &queue->lock);
    }
    task = queue->head;
    if (task != NULL) {
        queue->head = task->next;
        if (queue->head == NULL) {
            queue->tail = &queue->head;
        }
    }
    nw__mutex_unlock(&queue->lock);
    return task;
}

// False when all tasks were submitted.
static bool submit_next(void)
{
    uint64_t begin_ns = nw__now_ns();
    uint64_t index = atomic_fetch_add(&next_task, 1);
    const struct nw__hooks *hooks;
    uint64_t id = index + 1;

    if (index >= task_count) {
        return false;
    }
    tasks[index] = (struct task){.id = id};
    queue_push(&accepted, &tasks[index]);
    hooks = nw__hooks();
    if (hooks != NULL) {
        // Not tasks[index].id: the task may be long gone.
        hooks->task_submitted(id, "parse", begin_ns, nw__now_ns());
    }
    return true;
}

static void *submitter_main(void *unused)
{
    pthread_setname_np(pthread_self(), "submitter");
    while (submit_next()) {
    }
    return unused;
}

static void task_end(struct task *task, uint32_t worker, nw_status status)
{
    const struct nw__hooks *hooks = nw__hooks();

    task->status = status;
    if (hooks != NULL) {
        hooks->task_ended(task->id, "parse", worker, status, nw__now_ns());
    }
    queue_push(&ended, task);
}

// False when the worker crashed: its end is then for somebody else to tell.
static bool task_run(struct task *task, uint32_t worker)
{
    const struct nw__hooks *hooks = nw__hooks();

    if (hooks != NULL) {
        hooks->task_started(task->id, "parse", worker, nw__now_ns());
        hooks->task_async_id(task->id, (double)task->id + 5);
    }
    if (task->id % 1000 == 500) {
        return false;
    }
    task_end(task, worker, task->id % 50 == 0 ? NW_ETHROWN : NW_OK);
    return true;
}

struct worker {
    pthread_t thread;
    uint32_t number;
    struct task *crashed; // The task that it died of, or NULL.
};

static void *worker_main(void *data)
{
    struct worker *worker = data;
    const struct nw__hooks *hooks = nw__hooks();
    struct task *task;

    if (hooks != NULL) {
        hooks->worker_started(worker->number, "sample \"pool\"");
    }
    while ((task = queue_pop(&accepted)) != NULL) {
        if (task->id % 200 == 100) {
            task_end(task, 0, NW_ECANCELED);
        } else if (!task_run(task, worker->number)) {
            worker->crashed = task;
            return NULL;
        }
    }
    return NULL;
}

// Starts a worker, and another one for as long as they crash.
static void *supervisor_main(void *unused)
{
    struct worker worker;

    do {
        const struct nw__hooks *hooks;

        worker = (struct worker){.number = atomic_fetch_add(&next_worker, 1)};
        pthread_create(&worker.thread, NULL, worker_main, &worker);
        pthread_join(worker.thread, NULL);
        if (worker.crashed != NULL) {
            task_end(worker.crashed, worker.number, NW_ECRASHED);
        }
        hooks = nw__hooks();
        if (hooks != NULL) {
            hooks->worker_exited(worker.number, worker.crashed != NULL);
        }
    } while (worker.crashed != NULL);
    return unused;
}

static void task_deliver(const struct task *task)
{
    uint64_t begin_ns = nw__now_ns();
    const struct nw__hooks *hooks;

    if (task->id % 10 == 0) {
        submit_next();
    }
    hooks = nw__hooks();
    if (hooks != NULL) {
        hooks->task_delivered(task->id, "parse", task->status, begin_ns,
                              nw__now_ns());
    }
}

static void *completion_main(void *unused)
{
    pthread_setname_np(pthread_self(), "completion");
    for (uint64_t delivered = 0; delivered < task_count; delivered++) {
        task_deliver(queue_pop(&ended));
    }
    queue_close(&accepted);
    return unused;
}

// What a pool does not do today: two tasks at a time on one worker. And one
// that is still running when the recording stops.
static void *odd_worker_main(void *unused)
{
    const struct nw__hooks *hooks = nw__hooks();
    uint32_t worker = atomic_fetch_add(&next_worker, 1);
    uint64_t id = task_count + 1;
    uint64_t now_ns = nw__now_ns();

    for (uint64_t i = 0; i < 3; i++) {
        uint64_t at_ns = now_ns + i * 1000;

        hooks->task_submitted(id + i, "odd", at_ns, at_ns + 10);
        hooks->task_started(id + i, "odd", worker, at_ns + 20);
    }
    for (uint64_t i = 0; i < 2; i++) {
        hooks->task_async_id(id + i, (double)i);
        hooks->task_ended(id + i, "odd", worker, NW_OK, now_ns + 5000 + i);
        hooks->task_delivered(id + i, "odd", NW_OK, now_ns + 9000 + i,
                              now_ns + 9000 + i);
    }
    return unused;
}

// Runs all tasks. With `cut_short`, recording stops while they do.
static nw_status record(const char *file, bool cut_short)
{
    nw_trace_options options = {.struct_size = sizeof(options), .file = file};
    pthread_t submitters[SUBMITTERS];
    pthread_t supervisors[WORKERS];
    pthread_t completion;
    pthread_t odd_worker;
    nw_status status = nw_trace_start(&options);

    if (status != NW_OK) {
        return status;
    }
    atomic_store(&next_task, 0);
    atomic_store(&next_worker, 1);
    queue_init(&accepted);
    queue_init(&ended);
    pthread_create(&completion, NULL, completion_main, NULL);
    for (int i = 0; i < WORKERS; i++) {
        pthread_create(&supervisors[i], NULL, supervisor_main, NULL);
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        pthread_create(&submitters[i], NULL, submitter_main, NULL);
    }
    if (cut_short) {
        while (atomic_load(&next_task) < task_count / 2) {
            sched_yield();
        }
        status = nw_trace_stop();
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        pthread_join(submitters[i], NULL);
    }
    pthread_join(completion, NULL);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(supervisors[i], NULL);
    }
    queue_fini(&accepted);
    queue_fini(&ended);
    if (!cut_short) {
        pthread_create(&odd_worker, NULL, odd_worker_main, NULL);
        pthread_join(odd_worker, NULL);
        status = nw_trace_stop();
    }
    return status;
}

int main(int argc, char **argv)
{
    nw_status status;

    task_count = argc > 2 ? strtoull(argv[2], NULL, 10) : TASKS_DEFAULT;
    if (argc < 2 || argc > 3 || task_count < 1 || task_count > TASKS_MAX) {
        fprintf(stderr, "usage: sample FILE [TASKS]\n");
        return 2;
    }
    tasks = nw__alloc_zero(task_count * sizeof(*tasks));
    if (tasks == NULL) {
        return 1;
    }
    status = NW_OK;
    for (int round = 0; round < ROUNDS && status == NW_OK; round++) {
        status = record(argv[1], round < ROUNDS - 1);
    }
    if (status != NW_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], nw_status_message(status));
    }
    nw__free(tasks);
    return status == NW_OK ? 0 : 1;
}

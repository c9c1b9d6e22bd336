// C functions called by workers that come and go, while threads settle their
// promises and a thread registers and unregisters. A plain program, so that
// every sanitizer can run it.
//
//   soak_calls [TASKS]

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <nwpool/function.h>
#include <nwpool/pool.h>

#define SETTLERS      3
#define CALLS         50 // Of a task.
#define TASKS_DEFAULT 200
#define DIES_EVERY    20

struct open_call {
    struct open_call *next;
    nw_deferred *deferred;
    double number;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    // -- protected by lock
    struct open_call *first;
    bool over;
} desk = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static atomic_long registered, released;
static atomic_bool over;

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "soak_calls: %s\n", what);
        exit(1);
    }
}

static nw_value *add(const nw_call *call, void *user_data)
{
    (void)user_data;
    return nw_value_number(call->doc,
                           nw_value_get_number(call->arguments[0]) +
                               nw_value_get_number(call->arguments[1]));
}

static nw_value *later(const nw_call *call, void *user_data)
{
    struct open_call *open = malloc(sizeof(*open));

    (void)user_data;
    must(open != NULL, "out of memory");
    open->deferred = call->deferred;
    open->number = nw_value_get_number(call->arguments[0]);
    pthread_mutex_lock(&desk.lock);
    open->next = desk.first;
    desk.first = open;
    pthread_cond_signal(&desk.changed);
    pthread_mutex_unlock(&desk.lock);
    return NULL;
}

// NULL: there are none, and no more will come.
static struct open_call *take(void)
{
    struct open_call *open;

    pthread_mutex_lock(&desk.lock);
    while (desk.first == NULL && !desk.over) {
        pthread_cond_wait(&desk.changed, &desk.lock);
    }
    open = desk.first;
    if (open != NULL) {
        desk.first = open->next;
    }
    pthread_mutex_unlock(&desk.lock);
    return open;
}

static void *settle(void *unused)
{
    struct open_call *open;

    (void)unused;
    while ((open = take()) != NULL) {
        nw_doc *doc = nw_doc_create();

        must(nw_deferred_resolve(open->deferred,
                                 nw_value_number(doc, open->number)) == NW_OK,
             "a promise was not settled");
        nw_doc_destroy(doc);
        free(open);
    }
    return NULL;
}

static void on_release(void *user_data)
{
    (void)user_data;
    atomic_fetch_add(&released, 1);
}

static void put(const char *name, nw_function_cb *function, bool promise)
{
    const nw_function_options options = {
        .struct_size = sizeof(options),
        .function = function,
        .promise = promise,
        .release = on_release,
    };

    must(nw_function_register(name, &options) == NW_OK, "not registered");
    atomic_fetch_add(&registered, 1);
}

static void *come_and_go(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        put("other", add, false);
        must(nw_function_unregister("other") == NW_OK, "not there");
    }
    return NULL;
}

static void run_task(nwpool *pool, long number)
{
    bool dies = number % DIES_EVERY == DIES_EVERY - 1;
    nw_doc *doc = nw_doc_create();
    const nw_value *arguments[] = {nw_value_number(doc, CALLS),
                                   nw_value_bool(doc, dies)};
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = "turn",
                               .arguments = arguments,
                               .argument_count = 2};
    nw_result *result;
    nw_task_id task;

    must(nwpool_submit(pool, &spec, &task) == NW_OK, "not accepted");
    must(nwpool_wait(pool, task, NW_WAIT_FOREVER, &result) == NW_OK, "lost");
    if (dies) {
        must(result->status == NW_ECRASHED, "it did not die");
    } else {
        must(result->status == NW_OK, "it failed");
        must(nw_value_get_number(result->value) == CALLS * (CALLS + 1) / 2,
             "a wrong sum");
    }
    nwpool_result_free(result);
    nw_doc_destroy(doc);
}

int main(int count, char **arguments)
{
    const nwpool_options options = {
        .struct_size = sizeof(options), .module = NW_SOAK_CALLS, .workers = 2};
    long tasks = count > 1 ? strtol(arguments[1], NULL, 10) : TASKS_DEFAULT;
    pthread_t threads[SETTLERS + 1];
    nwpool *pool;

    put("add", add, false);
    put("later", later, true);
    must(nwpool_create(&pool, &options) == NW_OK, "no pool");
    for (size_t i = 0; i < SETTLERS; i++) {
        must(pthread_create(&threads[i], NULL, settle, NULL) == 0, "no thread");
    }
    must(pthread_create(&threads[SETTLERS], NULL, come_and_go, NULL) == 0,
         "no thread");
    for (long i = 0; i < tasks; i++) {
        run_task(pool, i);
    }
    nwpool_destroy(pool);

    atomic_store(&over, true);
    pthread_mutex_lock(&desk.lock);
    desk.over = true;
    pthread_cond_broadcast(&desk.changed);
    pthread_mutex_unlock(&desk.lock);
    for (size_t i = 0; i <= SETTLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    nw_function_unregister("add");
    nw_function_unregister("later");
    must(atomic_load(&registered) == atomic_load(&released),
         "a function was not released");
    printf("soak_calls: %ld tasks, %ld functions\n", tasks,
           atomic_load(&registered));
    return 0;
}

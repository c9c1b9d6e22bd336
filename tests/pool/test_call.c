// Goal: scripts call C functions as they call any other: values go in and come
// out, exceptions are thrown, promises settle, in every kind of worker; and a
// function that was taken away is released once, when nobody uses it any more.

#include "tests/pool/support.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nwpool/function.h>
#include <nwpool/inbox.h>

#include "tests/unit/support.h"

static atomic_int releases;
static nwpool *pool;

// -- functions

static void count_release(void *user_data)
{
    (void)user_data;
    atomic_fetch_add(&releases, 1);
}

static nw_value *echo(const nw_call *call, void *user_data)
{
    (void)user_data;
    return call->argument_count > 0 ? (nw_value *)call->arguments[0] : NULL;
}

static nw_value *list_arguments(const nw_call *call, void *user_data)
{
    nw_value *array = nw_value_array(call->doc);

    (void)user_data;
    for (size_t i = 0; i < call->argument_count; i++) {
        nw_array_push(array, (nw_value *)call->arguments[i]);
    }
    return array;
}

static nw_value *one(const nw_call *call, void *user_data)
{
    (void)user_data;
    return nw_value_number(call->doc, 1);
}

static nw_value *two(const nw_call *call, void *user_data)
{
    (void)user_data;
    return nw_value_number(call->doc, 2);
}

// [task, worker, name, user_data as text]
static nw_value *where(const nw_call *call, void *user_data)
{
    nw_value *array = nw_value_array(call->doc);

    nw_array_push(array, nw_value_number(call->doc, (double)call->task));
    nw_array_push(array, nw_value_number(call->doc, call->worker));
    nw_array_push(array, nw_value_string(call->doc, call->function));
    nw_array_push(array, nw_value_string(call->doc, user_data));
    nw_array_push(array, nw_value_bool(call->doc, nw_is_main_thread()));
    nw_array_push(array, nw_value_number(call->doc, (double)nw_thread_id()));
    return array;
}

static nw_value *throw_error(const nw_call *call, void *user_data)
{
    (void)user_data;
    return nw_call_throw(call, "RangeError", "EFAR", "that is too far");
}

static nw_value *throw_value(const nw_call *call, void *user_data)
{
    nw_value *object = nw_value_object(call->doc);

    (void)user_data;
    nw_object_set(object, "five", nw_value_number(call->doc, 5));
    return nw_call_throw_value(call, object);
}

static nw_value *make_bad_value(const nw_call *call, void *user_data)
{
    (void)user_data;
    nw_value_string(call->doc, "\xff");
    return nw_value_number(call->doc, 1);
}

// -- promises

#define LATER_MAX 10000

static struct {
    pthread_mutex_t lock;

    // -- protected by lock
    nw_deferred *waiting[LATER_MAX];
    uint32_t numbers[LATER_MAX];
    size_t count;
} desk = {.lock = PTHREAD_MUTEX_INITIALIZER};

// Somebody else settles it.
static nw_value *later(const nw_call *call, void *user_data)
{
    (void)user_data;
    pthread_mutex_lock(&desk.lock);
    desk.waiting[desk.count] = call->deferred;
    desk.numbers[desk.count++] =
        (uint32_t)nw_value_get_number(call->arguments[0]);
    pthread_mutex_unlock(&desk.lock);
    return NULL;
}

static size_t desk_count(void)
{
    size_t count;

    pthread_mutex_lock(&desk.lock);
    count = desk.count;
    pthread_mutex_unlock(&desk.lock);
    return count;
}

// Settled before the function returns.
static nw_value *soon(const nw_call *call, void *user_data)
{
    (void)user_data;
    cr_assert(eq(int, nw_deferred_resolve(call->deferred, call->arguments[0]),
                 NW_OK));
    return NULL;
}

static nw_value *refuse(const nw_call *call, void *user_data)
{
    (void)user_data;
    nw_deferred_reject(call->deferred,
                       nw_value_error(call->doc, "TypeError", "not today"));
    return NULL;
}

// The one that is left there after a value that cannot be sent.
static nw_value *settle_twice(const nw_call *call, void *user_data)
{
    nw_doc *marked = nw_doc_create();
    nw_value *value = nw_value_array(marked);

    (void)user_data;
    nw_value_string(marked, "\xff");
    expect_status(nw_deferred_resolve(call->deferred, value), NW_EINVAL);
    expect_status(nw_deferred_resolve(call->deferred, NULL), NW_OK);
    nw_doc_destroy(marked);
    return NULL;
}

// -- each test

static void add_with(const char *name, nw_function_cb *function, bool promise,
                     void *user_data)
{
    const nw_function_options options = {
        .struct_size = sizeof(options),
        .function = function,
        .user_data = user_data,
        .promise = promise,
        .release = count_release,
    };

    expect_status(nw_function_register(name, &options), NW_OK);
}

static void add(const char *name, nw_function_cb *function)
{
    add_with(name, function, false, NULL);
}

static void add_promise(const char *name, nw_function_cb *function)
{
    add_with(name, function, true, NULL);
}

static const char *const names[] = {
    "echo", "list", "one",   "where",  "throwError", "throwValue",
    "bad",  "soon", "later", "refuse", "twice",
};

#define NAMES (sizeof(names) / sizeof(names[0]))

static void setup(void)
{
    test_init();
    add("echo", echo);
    add("list", list_arguments);
    add("one", one);
    add_with("where", where, false, (char *)"data");
    add("throwError", throw_error);
    add("throwValue", throw_value);
    add("bad", make_bad_value);
    add_promise("soon", soon);
    add_promise("later", later);
    add_promise("refuse", refuse);
    add_promise("twice", settle_twice);
    pool = pool_of("calls.js", 2);
}

static void teardown(void)
{
    int before = atomic_load(&releases);

    nwpool_destroy(pool);
    for (size_t i = 0; i < NAMES; i++) {
        must(nw_function_unregister(names[i]) == NW_OK, "no such function");
    }
    must(atomic_load(&releases) - before == NAMES, "not all were released");
    test_fini();
}

TestSuite(call, .init = setup, .fini = teardown, .timeout = SUITE_TIMEOUT);

static void expect_text(const nw_result *result, const char *expected)
{
    char quoted[512];

    snprintf(quoted, sizeof(quoted), "\"%s\"", expected);
    expect_value(result, quoted);
}

// -- values

Test(call, primitives_go_in_and_come_out)
{
    expect_value(call(pool, "primitives", NULL), "22");
    expect_value(call(pool, "surrogate", NULL), "true");
}

Test(call, objects_go_in_and_come_out)
{
    expect_value(call(pool, "objects", NULL), "6");
}

Test(call, every_kind_of_value_goes_in_and_comes_out)
{
    expect_value(call(pool, "kinds", NULL), "12");
}

Test(call, an_object_that_is_given_twice_is_one_object)
{
    expect_value(call(pool, "identity", NULL), "true");
}

Test(call, there_is_a_limit_of_arguments)
{
    expect_value(call(pool, "count", number(0), NULL), "0");
    expect_value(call(pool, "count", number(8), NULL), "8");
    expect_value(call(pool, "count", number(9), NULL), "9");
    expect_value(call(pool, "count", number(64), NULL), "64");
    expect_failure(call(pool, "count", number(65), NULL), NW_ETHROWN,
                   "list() was called with 65 arguments; C takes at most 64");
}

Test(call, what_C_cannot_read_is_a_TypeError)
{
    const nw_result *result = call(pool, "unreadable", text("function"), NULL);

    expect_says(nw_test_text(result->value),
                "TypeError TypeError NW_ECLONE: argument 1 of echo() cannot be "
                "passed to C: ");
    result = call(pool, "unreadable", text("symbol"), NULL);
    expect_says(nw_test_text(result->value), "TypeError");
    result = call(pool, "unreadable", text("inside"), NULL);
    expect_says(nw_test_text(result->value), "argument 1 of echo()");
    result = call(pool, "unreadable", text("getter"), NULL);
    expect_says(nw_test_text(result->value), "from the getter");
    result = call(pool, "unreadableOfTwo", NULL);
    expect_says(nw_test_text(result->value), "the arguments of echo()");
}

Test(call, a_getter_in_an_argument_may_call)
{
    expect_value(call(pool, "nested", NULL),
                 "[\"first\", {\"a\": {\"b\": \"inner\"}}]");
}

// -- exceptions

Test(call, a_function_throws_an_error)
{
    expect_text(call(pool, "thrown", text("throwError"), NULL),
                "RangeError RangeError EFAR: that is too far");
}

Test(call, a_function_throws_any_value)
{
    expect_text(call(pool, "thrown", text("throwValue"), NULL),
                "object {\\x22five\\x22:5}");
}

Test(call, a_document_that_failed_is_an_exception)
{
    const nw_result *result = call(pool, "thrown", text("bad"), NULL);

    expect_says(nw_test_text(result->value),
                "NW_EINVAL: bad() could not make its result: ");
    // The next call finds the document as new.
    expect_value(call(pool, "call", text("one"), NULL), "1");
}

Test(call, a_name_that_is_not_there_is_a_TypeError)
{
    expect_text(call(pool, "thrown", text("nope"), NULL),
                "TypeError TypeError undefined: there is no C function "
                "\\x22nope\\x22; register it with nw_function_register()");
}

// -- names

Test(call, the_object_lists_what_is_registered)
{
    const nw_result *result = call(pool, "listed", NULL);

    expect_value(result,
                 "[[\"echo\", \"list\", \"one\", \"where\", \"throwError\", "
                 "\"throwValue\", \"bad\", \"soon\", \"later\", \"refuse\", "
                 "\"twice\"], true, false, false, \"undefined\", "
                 "\"undefined\", \"{\\x22c\\x22:{}}\", true]");
}

Test(call, scripts_cannot_change_the_object)
{
    expect_value(call(pool, "frozen", NULL),
                 "[\"TypeError\", \"TypeError\", \"TypeError\"]");
    expect_value(call(pool, "call", text("one"), NULL), "1");
}

Test(call, a_function_comes_and_goes_while_workers_run)
{
    nwpool *single = pool_of("calls.js", 1);

    expect_failure(call(single, "call", text("late"), NULL), NW_ETHROWN,
                   "there is no C function");
    add("late", one);
    expect_value(call(single, "call", text("late"), NULL), "1");
    expect_value(call(single, "keep", text("late"), NULL), "undefined");
    expect_status(nw_function_unregister("late"), NW_OK);
    expect_failure(call(single, "call", text("late"), NULL), NW_ETHROWN,
                   "there is no C function \"late\"");
    expect_failure(call(single, "callKept", text("late"), NULL), NW_ETHROWN,
                   "there is no C function \"late\"");
    add("late", two);
    expect_value(call(single, "call", text("late"), NULL), "2");
    expect_value(call(single, "callKept", text("late"), NULL), "2");
    expect_status(nw_function_unregister("late"), NW_OK);
    destroy(single);
    cr_expect(eq(int, atomic_load(&releases), 2));
}

static sem_t entered, leave;

static nw_value *block(const nw_call *call, void *user_data)
{
    (void)call;
    (void)user_data;
    sem_post(&entered);
    sem_wait(&leave);
    return NULL;
}

Test(call, a_call_that_runs_keeps_its_function)
{
    nw_task_id first, second;

    sem_init(&entered, 0, 0);
    sem_init(&leave, 0, 0);
    add("block", block);
    first = submit(pool, "call", text("block"), NULL);
    second = submit(pool, "call", text("block"), NULL);
    sem_wait(&entered);
    sem_wait(&entered);
    expect_status(nw_function_unregister("block"), NW_OK);
    expect_status(nw_function_unregister("block"), NW_ENOENT);
    cr_expect(eq(int, atomic_load(&releases), 0));
    sem_post(&leave);
    sem_post(&leave);
    expect_value(take(pool, first), "undefined");
    expect_value(take(pool, second), "undefined");
    cr_expect(eq(int, atomic_load(&releases), 1));
}

// -- where

Test(call, a_function_knows_the_task_and_the_worker)
{
    const nw_result *result = call(pool, "where", NULL);
    char expected[128];

    snprintf(expected, sizeof(expected), "[%llu, %u, \"where\", \"data\", ",
             (unsigned long long)result->task.value, result->worker);
    expect_says(nw_test_text(result->value), expected);
    expect_says(nw_test_text(nw_array_get(result->value, 4)), "false");
    cr_expect(gt(dbl, nw_value_get_number(nw_array_get(result->value, 5)), 0));
    cr_expect(nw_is_main_thread());
    cr_expect(eq(i64, nw_thread_id(), 0));
}

Test(call, workers_that_scripts_start_have_the_functions_too)
{
    expect_value(call(pool, "nestedWorker", NULL), "[{\"a\": 1}, 0, 5]");
}

// -- workers of nw_worker_create(): their events come to this thread

static struct {
    nw_inbox *inbox;
    nw_worker *worker;
    char message[256];
    char error[256];
    int exit_code;
} ear;

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == NW_WORKER_MESSAGE) {
        snprintf(ear.message, sizeof(ear.message), "%s",
                 nw_test_text(event->value));
    } else if (event->type == NW_WORKER_ERROR) {
        snprintf(ear.error, sizeof(ear.error), "%s", event->error->message);
    } else if (event->type == NW_WORKER_EXIT) {
        ear.exit_code = event->exit_code;
    }
}

static void start(const char *source)
{
    const nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = source,
        .on_event = on_event,
    };
    nw_worker_options with_inbox = options;

    cr_assert(eq(int, nw_inbox_create(&ear.inbox), NW_OK));
    with_inbox.inbox = ear.inbox;
    ear.exit_code = -1;
    cr_assert(eq(int, nw_worker_create(&ear.worker, &with_inbox), NW_OK), "%s",
              nw_status_detail());
}

static void end(void)
{
    expect_status(nw_worker_destroy(ear.worker), NW_OK);
    expect_status(nw_inbox_destroy(ear.inbox), NW_OK);
}

Test(call, workers_of_their_own_have_the_functions)
{
    start("const { parentPort } = require('worker_threads');"
          "parentPort.postMessage([nwpool.functions.one(),"
          "    ...nwpool.functions.where().slice(0, 1)]);");
    expect_status(nw_inbox_run(ear.inbox, DEADLINE_MS), NW_OK);
    expect_string(ear.message, "[1, 0]");
    cr_expect(eq(int, ear.exit_code, 0));
    end();
}

Test(call, an_exception_that_nobody_catches_ends_a_worker)
{
    start("nwpool.functions.throwError();");
    expect_status(nw_inbox_run(ear.inbox, DEADLINE_MS), NW_OK);
    expect_says(ear.error, "that is too far");
    cr_expect(eq(int, ear.exit_code, 1));
    end();
}

// -- promises

#define SETTLERS 4

static atomic_bool settling;

// Takes one at random, so that no order is kept.
static nw_deferred *desk_take(unsigned *seed, uint32_t *number_of)
{
    nw_deferred *deferred = NULL;

    pthread_mutex_lock(&desk.lock);
    if (desk.count > 0) {
        size_t at = (size_t)rand_r(seed) % desk.count;

        deferred = desk.waiting[at];
        *number_of = desk.numbers[at];
        desk.count--;
        desk.waiting[at] = desk.waiting[desk.count];
        desk.numbers[at] = desk.numbers[desk.count];
    }
    pthread_mutex_unlock(&desk.lock);
    return deferred;
}

// Every tenth is rejected. Goes on until there are none and no more will come.
static void *settler(void *index)
{
    unsigned seed = (unsigned)(uintptr_t)index;
    nw_doc *own = nw_doc_create();
    nw_deferred *deferred;
    uint32_t n;

    for (;;) {
        bool more = atomic_load(&settling);

        while ((deferred = desk_take(&seed, &n)) != NULL) {
            nw_value *value = nw_value_number(own, n);
            nw_status status = n % 10 == 0
                                   ? nw_deferred_reject(deferred, value)
                                   : nw_deferred_resolve(deferred, value);

            cr_assert(eq(int, status, NW_OK));
            nw_doc_reset(own);
        }
        if (!more) {
            break;
        }
        pause_ms(1);
    }
    nw_doc_destroy(own);
    return NULL;
}

static pthread_t settlers[SETTLERS];

static void settle_start(void)
{
    atomic_store(&settling, true);
    for (uintptr_t i = 0; i < SETTLERS; i++) {
        pthread_create(&settlers[i], NULL, settler, (void *)i);
    }
}

static void settle_stop(void)
{
    atomic_store(&settling, false);
    for (size_t i = 0; i < SETTLERS; i++) {
        pthread_join(settlers[i], NULL);
    }
}

Test(call, promises_are_settled_by_any_thread_in_any_order)
{
    // 0 + 1 + ... + 4999 without the multiples of ten.
    const char *expected = "11250000";
    nw_task_id first = submit(pool, "sum", number(5000), NULL);
    nw_task_id second = submit(pool, "sum", number(5000), NULL);

    settle_start();
    expect_value(take(pool, first), expected);
    expect_value(take(pool, second), expected);
    settle_stop();
}

Test(call, a_promise_may_be_settled_before_its_function_returns)
{
    expect_value(call(pool, "order", NULL),
                 "[\"sync\", \"tick\", \"a\", \"b\"]");
}

Test(call, what_waits_for_a_promise_keeps_its_context)
{
    expect_value(call(pool, "context", NULL), "[1, 2, 3]");
}

Test(call, a_promise_is_rejected_with_an_error)
{
    expect_text(call(pool, "rejection", NULL), "TypeError: not today");
}

Test(call, a_promise_that_could_not_be_settled_can_be_settled_otherwise)
{
    expect_value(call(pool, "call", text("twice"), NULL), "undefined");
    expect_status(nw_deferred_resolve(NULL, NULL), NW_EINVAL);
    expect_status(nw_deferred_reject(NULL, NULL), NW_EINVAL);
}

Test(call, a_promise_that_waits_keeps_its_worker_and_its_function)
{
    const nw_function_options options = {
        .struct_size = sizeof(options),
        .function = later,
        .promise = true,
        .release = count_release,
    };

    expect_status(nw_function_register("slow", &options), NW_OK);
    start("const { parentPort } = require('worker_threads');"
          "nwpool.functions.slow(1).then((x) => parentPort.postMessage(x));");
    eventually(desk_count() == 1);
    expect_status(nw_function_unregister("slow"), NW_OK);
    expect_status(nw_inbox_run(ear.inbox, 100), NW_ETIMEDOUT);
    cr_expect(eq(int, atomic_load(&releases), 0));

    expect_status(nw_deferred_resolve(desk.waiting[0], text("done")), NW_OK);
    cr_expect(eq(int, atomic_load(&releases), 1));
    expect_status(nw_inbox_run(ear.inbox, DEADLINE_MS), NW_OK);
    expect_string(ear.message, "\"done\"");
    cr_expect(eq(int, ear.exit_code, 0));
    end();
}

// Lent bytes in a value that nobody will get come back as well.
Test(call, a_promise_may_outlive_its_worker)
{
    struct lender lender = {0};

    start("nwpool.functions.later(1); nwpool.functions.later(2);");
    eventually(desk_count() == 2);
    end();
    expect_status(nw_deferred_resolve(desk.waiting[0], lend(&lender, 5)),
                  NW_OK);
    expect_status(nw_deferred_reject(desk.waiting[1], NULL), NW_OK);
    cr_expect(eq(int, atomic_load(&lender.released), 1));
}

// Promises are made, settled and lost with their workers, all at once.
Test(call, workers_may_end_while_their_promises_are_settled)
{
    settle_start();
    for (int i = 0; i < 8; i++) {
        start("const turn = () => {"
              "    for (let i = 0; i < 50; i++) {"
              "        nwpool.functions.later(1 + i % 5);"
              "    }"
              "    setImmediate(turn);"
              "};"
              "turn();");
        nw_inbox_run(ear.inbox, 5 * (uint32_t)i);
        end();
    }
    settle_stop();
    cr_expect(eq(sz, desk_count(), 0));
}

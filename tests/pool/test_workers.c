// Goal: a worker does from C what `new Worker()` does: it runs a script, posts
// and receives messages in order, and always says how it ended.

#include "tests/pool/support.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nwpool/worker.h>

#include "tests/unit/support.h"

TestSuite(workers, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

// -- a worker and what was heard of it

#define EVENTS_MAX 64

struct heard {
    nw_worker_event_type type;
    char text[1024]; // Of the value, or the error's message.
    char name[64];   // Of the error.
    char code[64];
    int exit_code;
    bool has_error;
};

static struct {
    nw_worker *worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    // -- protected by lock
    struct heard events[EVENTS_MAX];
    size_t count;
    bool exited;
    bool late; // Something came after EXIT.
    bool strange_worker;
} ear = {.lock = PTHREAD_MUTEX_INITIALIZER,
         .changed = PTHREAD_COND_INITIALIZER};

static void note(struct heard *heard, const nw_worker_event *event)
{
    const nw_error *error = event->error;

    heard->type = event->type;
    heard->exit_code = event->exit_code;
    heard->has_error = error != NULL;
    if (error != NULL) {
        snprintf(heard->text, sizeof(heard->text), "%s", error->message);
        snprintf(heard->name, sizeof(heard->name), "%s", error->name);
        snprintf(heard->code, sizeof(heard->code), "%s",
                 error->code != NULL ? error->code : "");
    } else if (event->value != NULL) {
        snprintf(heard->text, sizeof(heard->text), "%s",
                 nw_test_text(event->value));
    }
}

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    pthread_mutex_lock(&ear.lock);
    if (ear.count < EVENTS_MAX) {
        note(&ear.events[ear.count++], event);
    }
    ear.strange_worker = ear.strange_worker || event->worker != ear.worker;
    ear.late = ear.late || ear.exited;
    ear.exited = event->type == NW_WORKER_EXIT;
    pthread_cond_broadcast(&ear.changed);
    pthread_mutex_unlock(&ear.lock);
}

static bool wait_for_change(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    return pthread_cond_timedwait(&ear.changed, &ear.lock, &until) == 0;
}

// Event `index`, which must come.
static const struct heard *event_at(size_t index)
{
    bool in_time = true;

    pthread_mutex_lock(&ear.lock);
    while (ear.count <= index && in_time) {
        in_time = wait_for_change();
    }
    pthread_mutex_unlock(&ear.lock);
    cr_assert(in_time, "event %zu never came", index);
    return &ear.events[index];
}

// The exit, which must come, and be the last. `*index` is which event it was.
static const struct heard *await_exit(size_t *index)
{
    bool in_time = true;

    pthread_mutex_lock(&ear.lock);
    while (!ear.exited && in_time) {
        in_time = wait_for_change();
    }
    pthread_mutex_unlock(&ear.lock);
    cr_assert(in_time, "no exit");
    cr_expect(not(ear.late));
    cr_expect(not(ear.strange_worker));
    if (index != NULL) {
        *index = ear.count - 1;
    }
    return &ear.events[ear.count - 1];
}

// Events wait until `ear.worker` is set.
static void start(const char *file, const char *source)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .file = file,
        .source = source,
        .on_event = on_event,
    };
    nw_status status;

    pthread_mutex_lock(&ear.lock);
    ear.count = 0;
    ear.exited = false;
    status = nw_worker_create(&ear.worker, &options);
    pthread_mutex_unlock(&ear.lock);
    cr_assert(eq(int, status, NW_OK), "%s", nw_status_name(status));
}

static void start_file(const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "workers/%s", name);
    start(module_path(path), NULL);
}

static void end(void)
{
    expect_status(nw_worker_destroy(ear.worker), NW_OK);
    cr_expect(ear.exited);
    cr_expect(not(ear.late));
}

static void expect_event(size_t index, nw_worker_event_type type,
                         const char *said)
{
    const struct heard *heard = event_at(index);

    cr_expect(eq(int, (int)heard->type, (int)type), "event %zu: %s", index,
              heard->text);
    expect_string(heard->text, said);
}

// -- scripts

static void expect_echo(const char *file)
{
    start(file, NULL);
    expect_event(0, NW_WORKER_ONLINE, "");
    expect_status(nw_worker_post(ear.worker, text("hello"), NULL, 0), NW_OK);
    expect_event(1, NW_WORKER_MESSAGE, "\"hello\"");
    end();
}

Test(workers, a_script_is_found_by_its_path)
{
    expect_echo(module_path("workers/echo.js"));
    expect_echo(module_path("workers/echo.mjs"));
    cr_assert(eq(int, chdir(NW_TEST_MODULES "/workers"), 0));
    expect_echo("./echo.js");
    expect_echo("./echo.mjs");
    expect_echo("../workers/echo.js");
    cr_assert(eq(int, chdir(".."), 0));
    expect_echo("./workers/echo.js");
}

Test(workers, a_script_knows_where_it_is)
{
    start_file("where.js");
    expect_event(1, NW_WORKER_MESSAGE,
                 "{\"file\": \"where.js\", \"main\": false, "
                 "\"require\": \"function\", \"data\": true}");
    await_exit(NULL);
    end();
}

Test(workers, a_script_may_be_text)
{
    start(NULL, "require('worker_threads').parentPort.postMessage("
                "typeof require + typeof module + isNaN(NaN))");
    expect_event(0, NW_WORKER_ONLINE, "");
    expect_event(1, NW_WORKER_MESSAGE, "\"functionobjecttrue\"");
    cr_expect(eq(int, await_exit(NULL)->exit_code, 0));
    end();
}

static void expect_refused(const char *file, const char *source)
{
    nw_worker_options options = {
        .struct_size = sizeof(options), .file = file, .source = source};
    nw_worker *worker = (nw_worker *)&options;

    expect_status(nw_worker_create(&worker, &options), NW_EINVAL);
    cr_expect(eq(ptr, worker, NULL));
}

Test(workers, what_is_no_script_is_refused_before_anything_starts)
{
    nw_worker_options options = {.struct_size = sizeof(options), .source = ";"};
    struct {
        nw_worker_options known;
        uint64_t unknown;
    } newer = {0};
    nw_worker *worker;

    expect_refused(NULL, NULL);
    expect_refused("", NULL);
    expect_refused(NULL, "");
    expect_refused("./a.js", "1");
    // As in Node.js: a bare name might be meant as a package.
    expect_refused("echo.js", NULL);
    expect_refused("workers/echo.js", NULL);
    expect_refused(".hidden.js", NULL);
    expect_refused("file:///echo.js", NULL);
    expect_status(nw_worker_create(NULL, &options), NW_EINVAL);
    expect_status(nw_worker_create(&worker, NULL), NW_EINVAL);
    newer.known = options;
    newer.known.struct_size = sizeof(newer);
    newer.unknown = 1;
    expect_status(nw_worker_create(&worker, &newer.known), NW_EINVAL);
    cr_expect(eq(int, (int)nw_runtime_get_state(), (int)NW_RUNTIME_NEW));
}

// -- messages

// As text that shows every difference.
static void expect_round_trip(size_t *index, nw_value *value)
{
    expect_status(nw_worker_post(ear.worker, value, NULL, 0), NW_OK);
    expect_event(++*index, NW_WORKER_MESSAGE, nw_test_text(value));
}

Test(workers, messages_of_every_type_go_both_ways)
{
    nw_value *object = nw_value_object(doc);
    nw_value *cycle = list(number(1), NULL);
    size_t index = 0;

    start_file("echo.js");
    expect_round_trip(&index, nw_value_undefined(doc));
    expect_round_trip(&index, nw_value_null(doc));
    expect_round_trip(&index, nw_value_bool(doc, true));
    expect_round_trip(&index, nw_value_bool(doc, false));
    expect_round_trip(&index, number(-0.0));
    expect_round_trip(&index, number(NAN));
    expect_round_trip(&index, number(-INFINITY));
    expect_round_trip(&index, number(2147483648.0));
    expect_round_trip(&index, number(0.1));
    expect_round_trip(&index, text(""));
    expect_round_trip(&index, text("grüße 漢字 \U0001F600"));
    expect_round_trip(&index, nw_value_string_n(doc, "a\0b", 3));
    expect_round_trip(&index, nw_value_bytes(doc, "\x00\xff", 2));
    expect_round_trip(&index, nw_value_bytes(doc, "", 0));
    expect_round_trip(&index, nw_value_array(doc));
    expect_round_trip(&index, object);
    nw_object_set(object, "b", number(1));
    nw_object_set(object, "a", list(object, text("x"), NULL));
    expect_round_trip(&index, object);
    nw_array_push(cycle, cycle);
    expect_round_trip(&index, cycle);
    end();
}

#define MANY 10000

static struct {
    atomic_int count;
    atomic_int wrong;
} order;

static void check_order(const nw_worker_event *event, void *user_data)
{
    if (event->type == NW_WORKER_MESSAGE) {
        int expected = atomic_fetch_add(&order.count, 1);

        atomic_fetch_add(&order.wrong,
                         nw_value_get_number(event->value) != expected);
    }
    *(atomic_int *)user_data = (int)event->type;
}

Test(workers, messages_keep_their_order)
{
    static atomic_int last = -1;
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .file = module_path("workers/echo.js"),
        .on_event = check_order,
        .user_data = &last,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    for (int i = 0; i < MANY; i++) {
        cr_assert(eq(int, nw_worker_post(worker, number(i), NULL, 0), NW_OK));
    }
    eventually(atomic_load(&order.count) == MANY);
    expect_status(nw_worker_destroy(worker), NW_OK);
    cr_expect(eq(int, atomic_load(&order.wrong), 0));
    cr_expect(eq(int, atomic_load(&last), (int)NW_WORKER_EXIT));
}

Test(workers, what_is_posted_before_the_script_runs_arrives)
{
    size_t index;

    start(NULL, "const { parentPort } = require('worker_threads');"
                "for (const end = Date.now() + 50; Date.now() < end;);"
                "parentPort.on('message', (m) => {"
                "  parentPort.postMessage(m);"
                "  if (m === 3) parentPort.close(); });");
    for (int i = 1; i <= 3; i++) {
        expect_status(nw_worker_post(ear.worker, number(i), NULL, 0), NW_OK);
    }
    expect_event(1, NW_WORKER_MESSAGE, "1");
    expect_event(2, NW_WORKER_MESSAGE, "2");
    expect_event(3, NW_WORKER_MESSAGE, "3");
    await_exit(&index);
    cr_expect(eq(sz, index, 4));
    end();
}

Test(workers, all_messages_come_before_the_exit)
{
    size_t index;

    start(NULL, "const { parentPort } = require('worker_threads');"
                "for (let i = 0; i < 50; i++) parentPort.postMessage(i);"
                "process.exit(7)");
    cr_expect(eq(int, await_exit(&index)->exit_code, 7));
    cr_expect(eq(sz, index, 51));
    expect_event(50, NW_WORKER_MESSAGE, "49");
    end();
}

Test(workers, what_cannot_be_posted_is_told_to_whoever_posts)
{
    size_t index;

    start(NULL, "const { parentPort } = require('worker_threads');"
                "try { parentPort.postMessage(() => 1); } catch (error) {"
                "  parentPort.postMessage([error.name, error.code]);"
                "}"
                "const tried = (list) => {"
                "  try { parentPort.postMessage(1, list); return 'sent'; }"
                "  catch (error) { return error.code; }"
                "};"
                "const buffer = new ArrayBuffer(8);"
                "parentPort.postMessage([tried(5), tried({ transfer: 5 }),"
                "  tried([parentPort]), tried([{}]),"
                "  tried(new Set([buffer])), buffer.byteLength]);"
                "parentPort.postMessage('fine');");
    expect_event(1, NW_WORKER_MESSAGE, "[\"DataCloneError\", 25]");
    expect_event(2, NW_WORKER_MESSAGE, "1"); // The one that was sent.
    expect_event(3, NW_WORKER_MESSAGE,
                 "[\"ERR_INVALID_ARG_TYPE\", \"ERR_INVALID_ARG_TYPE\", 25, 25, "
                 "\"sent\", 0]");
    expect_event(4, NW_WORKER_MESSAGE, "\"fine\"");
    cr_expect(eq(int, await_exit(&index)->exit_code, 0));
    end();
}

Test(workers, lent_memory_in_a_message_is_given_back_once)
{
    struct lender posted, unposted;
    nw_value *bytes = lend(&posted, 1000);
    nw_value *late = lend(&unposted, 10);

    start_file("echo.js");
    expect_status(nw_worker_post(ear.worker, bytes, NULL, 0), NW_OK);
    expect_status(nw_worker_post(ear.worker, bytes, NULL, 0), NW_EINVAL);
    cr_expect(eq(int, (int)event_at(1)->type, (int)NW_WORKER_MESSAGE));
    end();

    start(NULL, ";");
    await_exit(NULL);
    expect_status(nw_worker_post(ear.worker, late, NULL, 0), NW_ECLOSED);
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(late, NULL), unposted.data));
    end();
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(int, atomic_load(&posted.released), 1));
    cr_expect(eq(int, atomic_load(&unposted.released), 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, atomic_load(&unposted.released), 1));
}

Test(workers, wrong_messages_are_refused)
{
    nw_value *deep = nw_value_array(doc);

    start_file("echo.js");
    expect_status(nw_worker_post(NULL, number(1), NULL, 0), NW_EINVAL);
    expect_status(nw_worker_post(ear.worker, NULL, NULL, 0), NW_EINVAL);
    for (int i = 0; i < NW_VALUE_DEPTH_MAX; i++) {
        deep = list(deep, NULL);
    }
    expect_status(nw_worker_post(ear.worker, deep, NULL, 0), NW_ELIMIT);
    expect_status(nw_worker_post(ear.worker, number(5), NULL, 0), NW_OK);
    expect_event(1, NW_WORKER_MESSAGE, "5");
    end();
}

// -- ends

static void expect_exit(const char *source, int exit_code)
{
    size_t index;

    start(NULL, source);
    cr_expect(eq(int, await_exit(&index)->exit_code, exit_code), "%s", source);
    cr_expect(eq(sz, index, 1), "%s", source);
    cr_expect(eq(int, (int)ear.events[0].type, (int)NW_WORKER_ONLINE));
    end();
}

Test(workers, the_exit_code_is_nodes)
{
    expect_exit(";", 0);
    expect_exit("process.exit(5)", 5);
    expect_exit("process.exit(0)", 0);
    expect_exit("process.exitCode = 6", 6);
    expect_exit("setTimeout(() => process.exit(8), 1)", 8);
}

static void expect_error(const char *source, const char *name, const char *part)
{
    size_t index;
    const struct heard *error;

    start(NULL, source);
    cr_expect(eq(int, await_exit(&index)->exit_code, 1), "%s", source);
    cr_assert(eq(sz, index, 2), "%s", source);
    error = &ear.events[1];
    cr_expect(eq(int, (int)error->type, (int)NW_WORKER_ERROR), "%s", source);
    expect_string(error->name, name);
    expect_says(error->text, part);
    end();
}

Test(workers, an_uncaught_error_is_told_before_the_exit)
{
    expect_error("throw new TypeError('oh')", "TypeError", "oh");
    expect_error("setTimeout(() => { throw new RangeError('later') }, 1)",
                 "RangeError", "later");
    expect_error("Promise.reject(new Error('rejected'))", "Error", "rejected");
    expect_error("throw 5", "", "5");
    expect_error("throw null", "", "null");
    expect_error("throw undefined", "", "undefined");
    expect_error("let let = 1", "SyntaxError", "");
}

Test(workers, an_error_keeps_code_and_class)
{
    start(NULL, "const e = new Error('coded'); e.code = 'E_MINE';"
                "throw e;");
    await_exit(NULL);
    expect_string(ear.events[1].code, "E_MINE");
    end();
}

Test(workers, a_script_that_is_not_there_is_an_error)
{
    size_t index;

    start_file("absent.js");
    cr_expect(eq(int, await_exit(&index)->exit_code, 1));
    cr_assert(ge(sz, index, 1));
    cr_expect(eq(int, (int)ear.events[index - 1].type, (int)NW_WORKER_ERROR));
    expect_says(ear.events[index - 1].text, "absent.js");
    end();

    start_file("absent.mjs");
    cr_expect(eq(int, await_exit(&index)->exit_code, 1));
    cr_assert(ge(sz, index, 1));
    expect_says(ear.events[index - 1].text, "absent.mjs");
    end();
}

Test(workers, a_script_that_cannot_be_parsed_is_an_error)
{
    size_t index;

    start_file("syntax.js");
    cr_expect(eq(int, await_exit(&index)->exit_code, 1));
    cr_assert(ge(sz, index, 1));
    expect_string(ear.events[index - 1].name, "SyntaxError");
    end();
}

Test(workers, a_worker_that_spins_can_be_terminated)
{
    start(NULL, "require('worker_threads').parentPort.postMessage(1);"
                "for (;;);");
    expect_event(1, NW_WORKER_MESSAGE, "1");
    expect_status(nw_worker_terminate(ear.worker), NW_OK);
    expect_status(nw_worker_terminate(ear.worker), NW_OK);
    cr_expect(eq(int, await_exit(NULL)->exit_code, 1));
    expect_status(nw_worker_terminate(ear.worker), NW_ECLOSED);
    expect_status(nw_worker_terminate(NULL), NW_EINVAL);
    end();
}

Test(workers, nothing_is_posted_after_the_end)
{
    start(NULL, ";");
    await_exit(NULL);
    expect_status(nw_worker_post(ear.worker, number(1), NULL, 0), NW_ECLOSED);
    end();
}

Test(workers, a_worker_can_be_destroyed_in_any_state)
{
    const char *const sources[] = {
        ";",       "for (;;);",       "setInterval(() => {}, 1)",
        "throw 1", "process.exit(3)", "process.stdin.resume()",
    };

    expect_status(nw_worker_destroy(NULL), NW_OK);
    for (unsigned round = 0; round < 4; round++) {
        for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
            start(NULL, sources[i]);
            pause_ms(round * 10);
            end();
        }
    }
}

Test(workers, events_that_nobody_wants_are_dropped)
{
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "require('worker_threads').parentPort.postMessage(1);"
                  "throw new Error('unheard')"};
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    eventually(nw_worker_post(worker, number(1), NULL, 0) == NW_ECLOSED);
    expect_status(nw_worker_destroy(worker), NW_OK);
}

Test(workers, workers_come_and_go_without_a_trace)
{
    unsigned threads = 0;
    unsigned descriptors = 0;

    for (int i = 0; i < 30; i++) {
        start_file("echo.js");
        expect_event(0, NW_WORKER_ONLINE, "");
        end();
        if (i == 4) {
            threads = thread_count();
            descriptors = descriptor_count();
        }
    }
    cr_expect(eq(u32, thread_count(), threads));
    cr_expect(eq(u32, descriptor_count(), descriptors));
}

Test(workers, workers_and_pools_live_beside_each_other)
{
    nwpool *pool = pool_of("tasks.js", 1);

    start_file("echo.js");
    expect_value(call(pool, "inc", number(1), NULL), "2");
    expect_status(nw_worker_post(ear.worker, number(1), NULL, 0), NW_OK);
    expect_event(1, NW_WORKER_MESSAGE, "1");
    expect_status(call(pool, "exit", number(1), NULL)->status, NW_ECRASHED);
    expect_status(nw_worker_post(ear.worker, number(2), NULL, 0), NW_OK);
    expect_event(2, NW_WORKER_MESSAGE, "2");
    end();
    expect_value(call(pool, "inc", number(2), NULL), "3");
    destroy(pool);
}

// -- from inside a callback

static void post_again(const nw_worker_event *event, void *user_data)
{
    if (event->type == NW_WORKER_MESSAGE) {
        double value = nw_value_get_number(event->value);
        nw_doc *message = nw_doc_create();

        if (value < 100) {
            nw_worker_post(event->worker, nw_value_number(message, value + 1),
                           NULL, 0);
        } else {
            nw_worker_terminate(event->worker);
        }
        nw_doc_destroy(message);
    }
    if (event->type == NW_WORKER_EXIT) {
        atomic_store((atomic_int *)user_data, 1);
    }
}

Test(workers, a_callback_may_post_and_terminate)
{
    atomic_int exited = 0;
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .file = module_path("workers/echo.js"),
        .on_event = post_again,
        .user_data = &exited,
    };
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    expect_status(nw_worker_post(worker, number(0), NULL, 0), NW_OK);
    eventually(atomic_load(&exited) == 1);
    expect_status(nw_worker_destroy(worker), NW_OK);
}

static void destroy_in_callback(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    nw_worker_destroy(event->worker);
}

TestSuite(workers_misuse, .init = test_init, .timeout = SUITE_TIMEOUT);

Test(workers_misuse, destroying_in_a_callback_aborts, .signal = SIGABRT)
{
    nw_worker_options options = {.struct_size = sizeof(options),
                                 .source = ";",
                                 .on_event = destroy_in_callback};
    nw_worker *worker;

    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    pause_ms(DEADLINE_MS);
}

// -- a worker that cannot be ended

Test(workers, a_worker_stuck_in_native_code_is_left_behind)
{
    struct jam jam;
    char source[256];
    uint64_t start_ms;
    size_t count;

    jam_init(&jam);
    snprintf(source, sizeof(source),
             "require('fs').writeSync(%d, Buffer.alloc(%d));", jam.pipe[1],
             JAM_SIZE);
    start(NULL, source);
    jam_wait(&jam);
    start_ms = now_ms();
    expect_status(nw_worker_destroy(ear.worker), NW_EWEDGED);
    cr_expect(now_ms() - start_ms >= NW_WORKER_DESTROY_TIMEOUT_MS - 1);
    count = ear.count;

    jam_clear(&jam);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(sz, ear.count, count));
    jam_fini(&jam);
}

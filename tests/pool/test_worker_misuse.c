// Goal: whoever calls with nonsense, too early or too late gets a status, and a
// sentence where one is promised; nothing else happens and nothing stays.

#include "tests/pool/ear.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <nwpool/function.h>

static struct ear ear;

static void init(void)
{
    test_init();
    ear_init(&ear);
}

static void fini(void)
{
    ear_fini(&ear);
    test_fini();
}

TestSuite(misuse, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

#define NO_TEXT "\xff"

// What the last call but one was refused for.
#define STALE "of another call"

static void leave_stale_detail(void)
{
    nw_function_unregister(STALE);
    expect_says(nw_status_detail(), STALE);
}

// The call is refused, and what is said about it is not about another one.
#define refused(call, status)                                                  \
    do {                                                                       \
        leave_stale_detail();                                                  \
        expect_status(call, status);                                           \
        cr_expect(not(says(nw_status_detail(), STALE)), "%s keeps it", #call); \
    } while (0)

// And there is a sentence.
#define refused_why(call, status)                                              \
    do {                                                                       \
        refused(call, status);                                                 \
        cr_expect(ne(str, (char *)nw_status_detail(), ""), "%s is silent",     \
                  #call);                                                      \
    } while (0)

// The maker returns nothing and marks the document, which is emptied.
#define marked(maker, status)                                                  \
    do {                                                                       \
        cr_expect(eq(ptr, (void *)(maker), NULL), "%s", #maker);               \
        expect_status(nw_doc_status(doc), status);                             \
        nw_doc_reset(doc);                                                     \
    } while (0)

// -- values that cannot be sent

// Of that many arrays in each other.
static nw_value *nested(unsigned depth)
{
    nw_value *value = nw_value_array(doc);

    for (unsigned i = 1; i < depth; i++) {
        value = list(value, NULL);
    }
    return value;
}

// What is sent of a document in which a maker failed.
static nw_value *of_marked_document(void)
{
    nw_value *value = nw_value_array(doc);

    nw_array_push(value, nw_value_bytes(doc, "", NW_VALUE_SIZE_MAX + 1));
    expect_status(nw_doc_status(doc), NW_ELIMIT);
    return value;
}

// -- options structs

// A newer one of which this version knows a part.
struct newer {
    union {
        nw_worker_options worker;
        nw_function_options function;
        nw_runtime_options runtime;
    } known;
    char unknown[64];
};

static const size_t wrong_sizes[] = {0, 1, sizeof(size_t) - 1, 4097, SIZE_MAX};

#define SIZE_COUNT (sizeof(wrong_sizes) / sizeof(wrong_sizes[0]))

Test(misuse, worker_options_of_another_size)
{
    struct newer newer = {.known.worker.source = ";"};
    nw_worker *worker;

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        newer.known.worker.struct_size = wrong_sizes[i];
        worker = (nw_worker *)&ear;
        refused_why(nw_worker_create(&worker, &newer.known.worker), NW_EINVAL);
        cr_expect(eq(ptr, worker, NULL));
    }
    // Nothing but the size: no script.
    newer.known.worker.struct_size = sizeof(size_t);
    refused_why(nw_worker_create(&worker, &newer.known.worker), NW_EINVAL);
    newer.known.worker.struct_size = sizeof(newer);
    newer.unknown[0] = 1;
    refused_why(nw_worker_create(&worker, &newer.known.worker), NW_EINVAL);
    newer.unknown[0] = 0;
    cr_assert(eq(int, nw_worker_create(&worker, &newer.known.worker), NW_OK));
    end_worker(worker);
}

static nw_value *nothing(const nw_call *one, void *user_data)
{
    (void)one;
    (void)user_data;
    return NULL;
}

Test(misuse, function_options_of_another_size)
{
    struct newer newer = {.known.function.function = nothing};

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        newer.known.function.struct_size = wrong_sizes[i];
        refused_why(nw_function_register("f", &newer.known.function),
                    NW_EINVAL);
    }
    newer.known.function.struct_size = sizeof(size_t);
    refused_why(nw_function_register("f", &newer.known.function), NW_EINVAL);
    newer.known.function.struct_size = sizeof(newer);
    newer.unknown[63] = 1;
    refused_why(nw_function_register("f", &newer.known.function), NW_EINVAL);
    newer.unknown[63] = 0;
    expect_status(nw_function_register("f", &newer.known.function), NW_OK);
    expect_status(nw_function_unregister("f"), NW_OK);
}

Test(misuse, runtime_options_of_another_size)
{
    struct newer newer = {0};

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        newer.known.runtime.struct_size = wrong_sizes[i];
        refused(nw_runtime_start(&newer.known.runtime), NW_EINVAL);
    }
    newer.known.runtime.struct_size = sizeof(newer);
    newer.unknown[0] = 1;
    refused(nw_runtime_start(&newer.known.runtime), NW_EINVAL);
    newer.unknown[0] = 0;
    newer.known.runtime.platform_threads = 65;
    refused(nw_runtime_start(&newer.known.runtime), NW_EINVAL);
    cr_expect(eq(int, (int)nw_runtime_get_state(), (int)NW_RUNTIME_NEW));
    expect_string(nw_runtime_error(), "");
    newer.known.runtime.platform_threads = 1;
    expect_status(nw_runtime_start(&newer.known.runtime), NW_OK);
    refused(nw_runtime_start(&newer.known.runtime), NW_EALREADY);
}

// -- the runtime

Test(misuse, runtime_that_is_used_or_over)
{
    nw_worker *worker = worker_of(NULL, ECHO_SCRIPT);
    nw_port *one, *two;

    refused(nw_runtime_stop(0), NW_EBUSY);
    end_worker(worker);
    channel(&one, &two);
    refused(nw_runtime_stop(0), NW_EBUSY);
    nw_port_destroy(one);
    nw_port_destroy(two);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    expect_status(nw_runtime_stop(0), NW_OK);
    cr_expect(eq(int, (int)nw_runtime_get_state(), (int)NW_RUNTIME_STOPPED));
    refused(nw_runtime_start(NULL), NW_ESTOPPED);
    refused_why(nw_worker_create(&worker,
                                 &(nw_worker_options){
                                     .struct_size = sizeof(nw_worker_options),
                                     .source = ";"}),
                NW_ESTOPPED);
    cr_expect(eq(ptr, worker, NULL));
    one = two = (nw_port *)&ear;
    refused(nw_channel_create(&one, &two), NW_ESTOPPED);
    cr_expect(eq(ptr, one, NULL));
    cr_expect(eq(ptr, two, NULL));
    one = (nw_port *)&ear;
    refused(nw_broadcast_create(&one, "b"), NW_ESTOPPED);
    cr_expect(eq(ptr, one, NULL));
    refused(nw_environment_data_set(number(1), number(2)), NW_ESTOPPED);
    refused(nw_environment_data_get(number(1), doc, &(const nw_value *){NULL}),
            NW_ESTOPPED);
}

// -- workers

Test(misuse, workers_that_are_none)
{
    const nw_worker_options options = {.struct_size = sizeof(options),
                                       .source = ";"};
    nw_worker *worker = (nw_worker *)&ear;
    nw_resource_limits limits;
    nw_event_loop_utilization utilization;

    refused_why(nw_worker_create(NULL, &options), NW_EINVAL);
    refused_why(nw_worker_create(&worker, NULL), NW_EINVAL);
    cr_expect(eq(ptr, worker, NULL));
    refused_why(nw_worker_post(NULL, number(1), NULL, 0), NW_EINVAL);
    refused(nw_worker_terminate(NULL), NW_EINVAL);
    refused(nw_worker_wait(NULL, 0, NULL), NW_EINVAL);
    refused(nw_worker_ref(NULL), NW_EINVAL);
    refused(nw_worker_unref(NULL), NW_EINVAL);
    refused(nw_worker_write(NULL, "x", 1, 0), NW_EINVAL);
    refused(nw_worker_end(NULL), NW_EINVAL);
    refused(nw_worker_heap_snapshot(NULL, "/x", 0), NW_EINVAL);
    refused(nw_worker_get_resource_limits(NULL, &limits), NW_EINVAL);
    refused(nw_worker_get_event_loop_utilization(NULL, &utilization),
            NW_EINVAL);
    cr_expect(eq(i64, nw_worker_thread_id(NULL), -1));
    cr_expect(not(nw_worker_has_ref(NULL)));
    expect_status(nw_worker_destroy(NULL), NW_OK);
    cr_expect(eq(int, (int)nw_runtime_get_state(), (int)NW_RUNTIME_NEW));
    cr_expect(nw_is_main_thread());
    cr_expect(eq(i64, nw_thread_id(), 0));
}

static void body(const nw_body *unused, void *user_data)
{
    (void)unused;
    (void)user_data;
}

Test(misuse, workers_of_wrong_scripts)
{
    expect_status(nw_runtime_start(NULL), NW_OK);
    expect_refusal((nw_worker_options){0}, NW_EINVAL, "exactly one");
    expect_refusal((nw_worker_options){.source = ";", .file = "/x.js"},
                   NW_EINVAL, "exactly one");
    expect_refusal((nw_worker_options){.source = ";", .body = body}, NW_EINVAL,
                   "exactly one");
    expect_refusal((nw_worker_options){.url = "data:,", .body = body},
                   NW_EINVAL, "exactly one");
    expect_refusal((nw_worker_options){.file = ""}, NW_EINVAL, "empty");
    expect_refusal((nw_worker_options){.source = ""}, NW_EINVAL, "empty");
    expect_refusal((nw_worker_options){.url = ""}, NW_EINVAL, "empty");
    expect_refusal((nw_worker_options){.file = "x.js"}, NW_EINVAL, "x.js");
    expect_refusal((nw_worker_options){.url = "http://x"}, NW_EINVAL, "http:");
    expect_refusal((nw_worker_options){.file = "/" NO_TEXT}, NW_EINVAL,
                   "file is not UTF-8");
    expect_refusal((nw_worker_options){.source = NO_TEXT}, NW_EINVAL,
                   "source is not UTF-8");
    expect_refusal((nw_worker_options){.url = "data:" NO_TEXT}, NW_EINVAL,
                   "url is not UTF-8");
}

Test(misuse, workers_of_wrong_settings)
{
    const char *const texts[] = {"A=b", NO_TEXT "=1", NULL};
    const char *const pairs[] = {"A=b", "no pair", NULL};
    const char *const heap[] = {"--max-old-space-size=10", NULL};
    const char *const unknown[] = {"--no-such-option", NULL};

    expect_status(nw_runtime_start(NULL), NW_OK);
    expect_refusal((nw_worker_options){.source = ";", .name = NO_TEXT},
                   NW_EINVAL, "name is not UTF-8");
    expect_refusal((nw_worker_options){.source = ";", .argv = texts}, NW_EINVAL,
                   "argv[1] is not UTF-8");
    expect_refusal((nw_worker_options){.source = ";", .exec_argv = texts},
                   NW_EINVAL, "exec_argv[1] is not UTF-8");
    expect_refusal((nw_worker_options){.source = ";", .env = texts}, NW_EINVAL,
                   "env[1] is not UTF-8");
    expect_refusal((nw_worker_options){.source = ";", .env = pairs}, NW_EINVAL,
                   "no pair");
    expect_refusal((nw_worker_options){.source = ";",
                                       .env = (const char *const[]){NULL},
                                       .share_env = 1},
                   NW_EINVAL, "share_env");
    expect_refusal((nw_worker_options){.source = ";", .exec_argv = heap},
                   NW_EINVAL, "--max-old-space-size");
    expect_refusal((nw_worker_options){.source = ";", .exec_argv = unknown},
                   NW_EINVAL, "--no-such-option");
    expect_refusal(
        (nw_worker_options){.source = ";", .limits.stack_size_mb = -1},
        NW_EINVAL, "stack_size_mb");
    expect_refusal(
        (nw_worker_options){.source = ";", .limits.code_range_size_mb = NAN},
        NW_EINVAL, "code_range_size_mb");
    expect_refusal(
        (nw_worker_options){.source = ";", .stdout_mode = (nw_output)3},
        NW_EINVAL, "nw_output");
    expect_refusal(
        (nw_worker_options){.source = ";", .stderr_mode = (nw_output)-1},
        NW_EINVAL, "nw_output");
}

Test(misuse, workers_of_wrong_worker_data)
{
    const nw_value *item = NULL;
    nw_value *deep = nested(NW_VALUE_DEPTH_MAX + 1);

    expect_status(nw_runtime_start(NULL), NW_OK);
    expect_refusal((nw_worker_options){.source = ";", .transfer_count = 1},
                   NW_EINVAL, "transfer");
    expect_refusal((nw_worker_options){.source = ";",
                                       .transfer = &item,
                                       .transfer_count = 1},
                   NW_EINVAL, "NULL");
    item = number(1);
    expect_refusal((nw_worker_options){.source = ";",
                                       .transfer = &item,
                                       .transfer_count = 1},
                   NW_EINVAL, "cannot be transferred");
    expect_refusal((nw_worker_options){.source = ";", .worker_data = deep},
                   NW_ELIMIT, "workerData");
    expect_refusal(
        (nw_worker_options){.source = ";", .worker_data = of_marked_document()},
        NW_ELIMIT, "");
}

Test(misuse, messages_that_cannot_be_posted)
{
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);
    const nw_value *none = NULL;
    const nw_value *item = number(1);

    refused_why(nw_worker_post(worker, NULL, NULL, 0), NW_EINVAL);
    refused_why(nw_worker_post(worker, item, NULL, 1), NW_EINVAL);
    refused_why(nw_worker_post(worker, item, &none, 1), NW_EINVAL);
    refused_why(nw_worker_post(worker, item, &item, 1), NW_EINVAL);
    refused_why(post(worker, nested(NW_VALUE_DEPTH_MAX + 1)), NW_ELIMIT);
    refused_why(post(worker, of_marked_document()), NW_ELIMIT);
    nw_doc_reset(doc);
    item = list(text("no number"), NULL);
    cr_expect(eq(ptr, text(NO_TEXT), NULL));
    refused_why(post(worker, item), NW_EINVAL);
    nw_doc_reset(doc);
    expect_status(post(worker, text("fine")), NW_OK);
    expect_said(&ear, "\"fine\"");
    end_worker(worker);
}

Test(misuse, what_a_running_worker_refuses)
{
    nw_worker *worker = worker_of(&ear, ECHO_SCRIPT);
    int code = 77;

    refused(nw_worker_wait(worker, 0, &code), NW_ETIMEDOUT);
    cr_expect(eq(int, code, 77));
    refused(nw_worker_write(worker, "x", 1, 0), NW_ECLOSED); // No stdin_pipe.
    refused(nw_worker_write(worker, NULL, 1, 0), NW_EINVAL);
    refused(nw_worker_end(worker), NW_ECLOSED);
    refused(nw_worker_heap_snapshot(worker, NULL, 0), NW_EINVAL);
    refused(nw_worker_heap_snapshot(worker, "", 0), NW_EINVAL);
    refused_why(nw_worker_heap_snapshot(worker, "/no/such/place", DEADLINE_MS),
                NW_EIO);
    refused(nw_worker_get_resource_limits(worker, NULL), NW_EINVAL);
    refused(nw_worker_get_event_loop_utilization(worker, NULL), NW_EINVAL);
    end_worker(worker);
}

Test(misuse, what_an_ended_worker_refuses)
{
    nw_worker *worker = worker_of(&ear, "process.exit(3)");
    nw_resource_limits limits = {1, 1, 1, 1};
    nw_event_loop_utilization utilization = {1, 1, 1};
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    const nw_value *moving = buffer;
    size_t size;
    int code;

    expect_exit(&ear, 3);
    refused_why(nw_worker_post(worker, buffer, &moving, 1), NW_ECLOSED);
    nw_value_get_bytes(buffer, &size);
    cr_expect(eq(sz, size, 3));
    refused(nw_worker_terminate(worker), NW_ECLOSED);
    refused(nw_worker_write(worker, "x", 1, 0), NW_ECLOSED);
    refused(nw_worker_end(worker), NW_ECLOSED);
    refused(nw_worker_heap_snapshot(worker, "/x", 0), NW_ECLOSED);
    expect_status(nw_worker_wait(worker, 0, &code), NW_OK);
    expect_status(nw_worker_wait(worker, 0, NULL), NW_OK);
    cr_expect(eq(int, code, 3));
    cr_expect(eq(i64, nw_worker_thread_id(worker), -1));
    expect_status(nw_worker_get_resource_limits(worker, &limits), NW_OK);
    cr_expect(eq(dbl, limits.max_old_generation_size_mb, 0));
    cr_expect(eq(dbl, limits.stack_size_mb, 0));
    expect_status(nw_worker_get_event_loop_utilization(worker, &utilization),
                  NW_OK);
    cr_expect(eq(dbl, utilization.active, 0));
    expect_status(nw_worker_ref(worker), NW_OK);
    cr_expect(not(nw_worker_has_ref(worker)));
    end_worker(worker);
}

Test(misuse, environment_data)
{
    const nw_value *value = doc != NULL ? number(1) : NULL;
    nw_port *one, *two;

    refused(nw_environment_data_set(NULL, value), NW_EINVAL);
    refused(nw_environment_data_get(NULL, doc, &value), NW_EINVAL);
    cr_expect(eq(ptr, (void *)value, NULL));
    refused(nw_environment_data_get(number(1), NULL, &value), NW_EINVAL);
    refused(nw_environment_data_get(number(1), doc, NULL), NW_EINVAL);
    refused(nw_environment_data_set(text("k"), nested(NW_VALUE_DEPTH_MAX + 1)),
            NW_ELIMIT);
    channel(&one, &two);
    refused(nw_environment_data_set(text("k"), nw_value_port(doc, one)),
            NW_ECLONE);
    refused(nw_environment_data_set(text("k"), of_marked_document()),
            NW_ELIMIT);
    nw_doc_reset(doc);
    expect_status(nw_environment_data_get(text("k"), doc, &value), NW_OK);
    cr_expect(eq(int, (int)nw_value_type(value), (int)NW_TYPE_UNDEFINED));
    nw_port_destroy(one);
    nw_port_destroy(two);
}

// -- ports

Test(misuse, ports_that_are_none)
{
    nw_port *port = (nw_port *)&ear;
    const nw_value *value = number(1);

    refused(nw_channel_create(NULL, &port), NW_EINVAL);
    port = (nw_port *)&ear;
    refused(nw_channel_create(&port, NULL), NW_EINVAL);
    cr_expect(eq(ptr, port, NULL));
    refused(nw_broadcast_create(NULL, "b"), NW_EINVAL);
    port = (nw_port *)&ear;
    refused(nw_broadcast_create(&port, NULL), NW_EINVAL);
    cr_expect(eq(ptr, port, NULL));
    refused(nw_broadcast_create(&port, NO_TEXT), NW_EINVAL);
    refused(nw_port_listen(NULL, ear_port, &ear, NULL), NW_EINVAL);
    refused(nw_port_start(NULL), NW_EINVAL);
    refused_why(nw_port_post(NULL, value, NULL, 0), NW_EINVAL);
    refused(nw_port_receive(NULL, doc, &value), NW_EINVAL);
    cr_expect(eq(ptr, (void *)value, NULL));
    refused(nw_port_close(NULL), NW_EINVAL);
    refused(nw_port_ref(NULL), NW_EINVAL);
    refused(nw_port_unref(NULL), NW_EINVAL);
    cr_expect(not(nw_port_has_ref(NULL)));
    expect_status(nw_port_destroy(NULL), NW_OK);
    cr_expect(eq(ptr, (void *)nw_value_port(NULL, NULL), NULL));
    marked(nw_value_port(doc, NULL), NW_EINVAL);
    refused(nw_value_take_port(NULL, &port), NW_ETYPE);
    refused(nw_value_take_port(number(1), &port), NW_ETYPE);
    cr_expect(eq(ptr, port, NULL));
    refused(nw_value_take_port(number(1), NULL), NW_EINVAL);
}

Test(misuse, what_an_open_port_refuses)
{
    nw_port *one, *two, *broadcast;
    const nw_value *value = number(1);
    const nw_value *none = NULL;

    channel(&one, &two);
    refused_why(nw_port_post(one, NULL, NULL, 0), NW_EINVAL);
    refused_why(nw_port_post(one, value, NULL, 1), NW_EINVAL);
    refused_why(nw_port_post(one, value, &none, 1), NW_EINVAL);
    refused_why(nw_port_post(one, value, &value, 1), NW_EINVAL);
    refused_why(port_post(one, nested(NW_VALUE_DEPTH_MAX + 1)), NW_ELIMIT);
    refused_why(port_post(one, of_marked_document()), NW_ELIMIT);
    nw_doc_reset(doc);
    refused(nw_port_receive(two, NULL, &value), NW_EINVAL);
    cr_expect(eq(ptr, (void *)value, NULL));
    refused(nw_port_receive(two, doc, NULL), NW_EINVAL);
    refused(nw_port_receive(two, doc, &value), NW_ENOENT);
    cr_assert(eq(int, nw_broadcast_create(&broadcast, ""), NW_OK));
    marked(nw_value_port(doc, broadcast), NW_EINVAL);
    nw_port_destroy(one);
    nw_port_destroy(two);
    nw_port_destroy(broadcast);
}

Test(misuse, what_a_closed_port_refuses)
{
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    const nw_value *value = buffer;
    nw_port *one, *two;
    size_t size;

    channel(&one, &two);
    expect_status(nw_port_close(one), NW_OK);
    expect_status(nw_port_close(one), NW_OK);
    refused_why(nw_port_post(one, buffer, &value, 1), NW_ECLOSED);
    nw_value_get_bytes(buffer, &size);
    cr_expect(eq(sz, size, 3));
    refused(nw_port_listen(one, ear_port, &ear, NULL), NW_ECLOSED);
    refused(nw_port_start(one), NW_ECLOSED);
    refused(nw_port_receive(one, doc, &value), NW_ECLOSED);
    cr_expect(eq(ptr, (void *)value, NULL));
    refused(nw_port_ref(one), NW_ECLOSED);
    refused(nw_port_unref(one), NW_ECLOSED);
    cr_expect(not(nw_port_has_ref(one)));
    marked(nw_value_port(doc, one), NW_EINVAL);
    nw_port_destroy(one);
    nw_port_destroy(two);
    cr_expect(eq(sz, ear.count, 0));
}

// -- inboxes

Test(misuse, inboxes)
{
    nw_inbox *inbox;
    nw_port *one, *two;

    refused(nw_inbox_create(NULL), NW_EINVAL);
    refused(nw_inbox_poll(NULL, 0), NW_EINVAL);
    refused(nw_inbox_run(NULL, 0), NW_EINVAL);
    refused(nw_inbox_attach(NULL, NULL), NW_EINVAL);
    cr_expect(eq(int, nw_inbox_fd(NULL), -1));
    cr_expect(not(nw_inbox_is_alive(NULL)));
    expect_status(nw_inbox_destroy(NULL), NW_OK);

    cr_assert(eq(int, nw_inbox_create(&inbox), NW_OK));
    refused(nw_inbox_poll(inbox, 0), NW_ETIMEDOUT);
    expect_status(nw_inbox_run(inbox, 0), NW_OK);
    expect_status(nw_inbox_attach(inbox, NULL), NW_OK);
    channel(&one, &two);
    expect_status(nw_port_listen(one, ear_port, &ear, inbox), NW_OK);
    refused(nw_inbox_destroy(inbox), NW_EBUSY);
    refused(nw_inbox_run(inbox, 0), NW_ETIMEDOUT);
    nw_port_destroy(one);
    nw_port_destroy(two);
    expect_status(nw_inbox_destroy(inbox), NW_OK);
}

// -- functions

static void register_many(void)
{
    const nw_function_options options = {.struct_size = sizeof(options),
                                         .function = nothing};
    char name[16];

    for (int i = 0; i < NW_FUNCTIONS_MAX; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        cr_assert(eq(int, nw_function_register(name, &options), NW_OK));
    }
    refused_why(nw_function_register("more", &options), NW_ELIMIT);
    for (int i = 0; i < NW_FUNCTIONS_MAX; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        cr_assert(eq(int, nw_function_unregister(name), NW_OK));
    }
}

static void count_release(void *count)
{
    ++*(int *)count;
}

Test(misuse, functions)
{
    int released = 0;
    const nw_function_options options = {.struct_size = sizeof(options),
                                         .function = nothing,
                                         .user_data = &released,
                                         .release = count_release};
    nw_function_options none = options;
    char name[NW_FUNCTION_NAME_BYTES_MAX + 2];

    none.function = NULL;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    refused_why(nw_function_register(NULL, &options), NW_EINVAL);
    refused_why(nw_function_register("", &options), NW_EINVAL);
    refused_why(nw_function_register(NO_TEXT, &options), NW_EINVAL);
    refused_why(nw_function_register(name, &options), NW_ELIMIT);
    refused_why(nw_function_register("f", NULL), NW_EINVAL);
    refused_why(nw_function_register("f", &none), NW_EINVAL);
    refused(nw_function_unregister(NULL), NW_EINVAL);
    expect_status(nw_function_unregister(""), NW_ENOENT);
    expect_status(nw_function_unregister(name), NW_ENOENT);
    register_many();
    cr_expect(eq(int, released, 0));
    name[sizeof(name) - 2] = '\0';
    expect_status(nw_function_register(name, &options), NW_OK);
    refused_why(nw_function_register(name, &options), NW_EALREADY);
    cr_expect(eq(int, released, 0));
    expect_status(nw_function_unregister(name), NW_OK);
    cr_expect(eq(int, released, 1));
    expect_status(nw_function_unregister(name), NW_ENOENT);
    cr_expect(eq(int, released, 1));
}

// Goal: objects of Node.js that C cannot look into pass through it from one
// worker to another and work there; nobody has to want them.

#include "tests/pool/ear.h"

#include <stdio.h>
#include <string.h>

static const struct kind {
    const char *name;
    const char *type; // As C sees it.
    const char *used; // What using it says.
    bool moves;       // It cannot be copied.
} kinds[] = {
    {"KeyObject", "SecretKeyObject", "\"a secret\"", false},
    {"Blob", "Blob", "\"in pieces\"", false},
    {"X509Certificate", "X509Certificate", "\"CN=nwpool test\"", false},
    {"BlockList", "BlockList", "\"true,false\"", false},
    {"Histogram", "RecordableHistogram", "\"2 of 5 to 7\"", false},
    {"FileHandle", "FileHandle", "\"// Objects of Node.js\"", true},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *file = &kinds[KIND_COUNT - 1];

static struct ear ear;      // Of the maker, when it has one.
static struct ear user_ear; // Of the user.

static void init(void)
{
    test_init();
    ear_init(&ear);
    ear_init(&user_ear);
}

static void fini(void)
{
    ear_fini(&ear);
    ear_fini(&user_ear);
    test_fini();
}

TestSuite(objects, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

#define MODULE_SCRIPT                                                          \
    SCRIPT "const objects = require(workerData.module ?? workerData);"

static nw_worker *module_worker(struct ear *one, const char *source)
{
    return worker_with(
        one,
        (nw_worker_options){.source = source,
                            .worker_data = text(module_path("objects.js"))});
}

// Makes what is named to it and posts it to C.
static nw_worker *maker_of(struct ear *one)
{
    return module_worker(one, MODULE_SCRIPT "objects.makeFor(parentPort)");
}

// Says what comes of using what is posted to it.
static nw_worker *user_of(void)
{
    return module_worker(&user_ear, MODULE_SCRIPT "objects.useFor(parentPort)");
}

static const nw_value *object_of(const nw_value *message)
{
    return nw_object_get(message, "object");
}

static void expect_host(const nw_value *message, const struct kind *kind)
{
    const nw_value *object = object_of(message);

    cr_expect(eq(int, (int)nw_value_type(object), (int)NW_TYPE_HOST));
    expect_string(nw_value_get_host_type(object), kind->type);
}

// With what must move listed.
static nw_status hand_on(nw_worker *worker, const nw_value *message,
                         const struct kind *kind)
{
    const nw_value *object = object_of(message);

    return nw_worker_post(worker, message, &object, kind->moves ? 1 : 0);
}

static void expect_used(size_t index, const char *what)
{
    expect_heard(&user_ear, index + 1, NW_WORKER_MESSAGE, what);
}

// -- a maker whose objects come to `here` and stay in `doc`

static nw_port *here, *there;

static nw_worker *maker_at_port(void)
{
    nw_value *port, *data;
    nw_worker *worker;

    channel(&here, &there);
    port = nw_value_port(doc, there);
    data = nw_value_object(doc);
    nw_object_set(data, "module", text(module_path("objects.js")));
    nw_object_set(data, "port", port);
    worker = worker_with(
        &ear, (nw_worker_options){.source = MODULE_SCRIPT
                                  "objects.makeFor(workerData.port)",
                                  .worker_data = data,
                                  .transfer = (const nw_value *[]){port},
                                  .transfer_count = 1});
    return worker;
}

static void end_maker_at_port(nw_worker *worker)
{
    expect_status(nw_port_destroy(here), NW_OK);
    expect_status(nw_port_destroy(there), NW_OK);
    end_worker(worker);
}

static const nw_value *make_at_port(const char *what)
{
    expect_status(port_post(here, text(what)), NW_OK);
    return port_receive(here);
}

// -- from worker to worker

struct relay {
    nw_worker *to;
    const struct kind *kind;
    nw_status unlisted; // What posting said without and with a list.
    nw_status listed;
};

static void relay_value(struct ear *one, const nw_value *value)
{
    struct relay *relay = one->data;

    expect_host(value, relay->kind);
    if (relay->kind->moves) {
        relay->unlisted = post(relay->to, value);
    }
    relay->listed = hand_on(relay->to, value, relay->kind);
}

Test(objects, pass_from_worker_to_worker)
{
    struct relay relay = {.to = user_of()};
    nw_worker *maker;

    ear.on_value = relay_value;
    ear.data = &relay;
    maker = maker_of(&ear);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        relay.kind = &kinds[i];
        relay.unlisted = NW_ECLONE;
        expect_status(post(maker, text(kinds[i].name)), NW_OK);
        ear_messages(&ear, i + 1);
        expect_status(relay.unlisted, NW_ECLONE);
        expect_status(relay.listed, NW_OK);
        expect_used(i, kinds[i].used);
    }
    end_worker(maker);
    end_worker(relay.to);
}

Test(objects, pass_through_channels)
{
    nw_worker *maker = maker_at_port();
    nw_worker *user = user_of();
    nw_port *one, *two;

    channel(&one, &two);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        const nw_value *message = make_at_port(kinds[i].name);
        const nw_value *object = object_of(message);
        size_t count = kinds[i].moves ? 1 : 0;

        expect_host(message, &kinds[i]);
        expect_status(nw_port_post(one, message, &object, count), NW_OK);
        message = port_receive(two);
        expect_host(message, &kinds[i]);
        expect_status(hand_on(user, message, &kinds[i]), NW_OK);
        expect_used(i, kinds[i].used);
    }
    expect_status(nw_port_destroy(one), NW_OK);
    expect_status(nw_port_destroy(two), NW_OK);
    end_worker(user);
    end_maker_at_port(maker);
}

Test(objects, may_be_in_worker_data)
{
    nw_worker *maker = maker_at_port();

    for (size_t i = 0; i < KIND_COUNT; i++) {
        const nw_value *message = make_at_port(kinds[i].name);
        const nw_value *object = object_of(message);
        const char *path = module_path("objects.js");
        nw_worker_options options = {
            .source = SCRIPT
            "Promise.resolve(require(process.argv[2]).use(workerData))"
            "  .then((m) => parentPort.postMessage(m))",
            .argv = (const char *const[]){path, NULL},
            .worker_data = message,
            .transfer = &object,
        };
        struct ear one;
        nw_worker *worker;

        if (kinds[i].moves) {
            expect_refusal(options, NW_ECLONE, "transfer");
        }
        options.transfer_count = kinds[i].moves ? 1 : 0;
        ear_init(&one);
        worker = worker_with(&one, options);
        expect_said(&one, kinds[i].used);
        expect_exit(&one, 0);
        end_worker(worker);
        ear_fini(&one);
    }
    end_maker_at_port(maker);
}

// -- tasks

static nw_status submit_message(nwpool *pool, const char *function,
                                const nw_value *message, bool moves,
                                nw_task_id *task)
{
    const nw_value *object = object_of(message);

    return submit_spec(pool,
                       (nw_task_spec){.function = function,
                                      .arguments = &message,
                                      .argument_count = 1,
                                      .transfer = &object,
                                      .transfer_count = moves ? 1 : 0},
                       task);
}

Test(objects, are_arguments_and_results_of_tasks)
{
    nwpool *makers = pool_of("objects.js", 1);
    nwpool *users = pool_of("objects.js", 1);

    for (size_t i = 0; i < KIND_COUNT; i++) {
        const struct kind *kind = &kinds[i];
        const nw_result *made = call(makers, "make", text(kind->name), NULL);
        const nw_result *passed;
        nw_task_id task;

        cr_assert(eq(int, made->status, NW_OK), "%s: %s", kind->name,
                  made->status != NW_OK ? made->error->message : "");
        expect_host(made->value, kind);
        if (kind->moves) {
            expect_status(
                submit_message(users, "pass", made->value, false, &task),
                NW_ECLONE);
        }
        expect_status(
            submit_message(users, "pass", made->value, kind->moves, &task),
            NW_OK);
        passed = take(users, task);
        cr_assert(eq(int, passed->status, NW_OK), "%s", kind->name);
        expect_host(passed->value, kind);
        expect_status(
            submit_message(makers, "use", passed->value, kind->moves, &task),
            NW_OK);
        expect_value(take(makers, task), kind->used);
    }
    destroy(makers);
    destroy(users);
}

// -- which may be had twice

Test(objects, twice_in_a_message_are_one)
{
    nw_worker *maker = maker_at_port();
    nw_worker *user = user_of();

    for (size_t i = 0; i < KIND_COUNT; i++) {
        char pair[64];
        const nw_value *message;

        snprintf(pair, sizeof(pair), "%s pair", kinds[i].name);
        message = make_at_port(pair);
        expect_host(message, &kinds[i]);
        expect_status(hand_on(user, message, &kinds[i]), NW_OK);
        expect_used(i, "true");
    }
    end_worker(user);
    end_maker_at_port(maker);
}

Test(objects, that_can_be_copied_are_sent_again)
{
    nw_worker *maker = maker_at_port();
    nw_worker *user = user_of();
    size_t used = 0;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        const nw_value *message = make_at_port(kinds[i].name);

        for (int turn = 0; turn < 2 && !kinds[i].moves; turn++) {
            expect_status(post(user, message), NW_OK);
            expect_used(used++, kinds[i].used);
        }
    }
    end_worker(user);
    end_maker_at_port(maker);
}

Test(objects, that_have_moved_are_gone_here)
{
    nw_worker *maker = maker_at_port();
    nw_worker *user = user_of();
    const nw_value *message = make_at_port(file->name);
    const nw_value *object = object_of(message);
    nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    const nw_value *both[] = {buffer, object};
    size_t size;

    expect_status(hand_on(user, message, file), NW_OK);
    expect_used(0, file->used);
    expect_status(hand_on(user, message, file), NW_ECLONE);
    expect_says(nw_status_detail(), "transferred already");
    expect_status(post(user, message), NW_ECLONE);
    expect_says(nw_status_detail(), "transferred already");
    // And nothing goes where it cannot go.
    expect_status(nw_worker_post(user, message, both, 2), NW_ECLONE);
    nw_value_get_bytes(buffer, &size);
    cr_expect(eq(sz, size, 3));
    end_worker(user);
    end_maker_at_port(maker);
}

Test(objects, that_must_move_hold_up_everything_unless_listed)
{
    nw_worker *maker = maker_at_port();
    nw_worker *user = user_of();
    const nw_value *message = make_at_port(file->name);
    const nw_value *buffer = nw_value_array_buffer(doc, "abc", 3);
    size_t size;

    expect_status(nw_worker_post(user, message, &buffer, 1), NW_ECLONE);
    expect_says(nw_status_detail(), "transfer");
    expect_status(nw_port_post(here, message, &buffer, 1), NW_ECLONE);
    expect_says(nw_status_detail(), "transfer");
    nw_value_get_bytes(buffer, &size);
    cr_expect(eq(sz, size, 3));
    expect_status(hand_on(user, message, file), NW_OK);
    expect_used(0, file->used);
    end_worker(user);
    end_maker_at_port(maker);
}

// -- whose maker is gone

Test(objects, outlive_the_worker_that_made_them)
{
    const nw_value *messages[KIND_COUNT];
    nw_worker *maker = maker_at_port();
    nw_worker *user;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        messages[i] = make_at_port(kinds[i].name);
    }
    end_maker_at_port(maker);
    user = user_of();
    for (size_t i = 0; i < KIND_COUNT; i++) {
        expect_host(messages[i], &kinds[i]);
        expect_status(hand_on(user, messages[i], &kinds[i]), NW_OK);
        expect_used(i, kinds[i].used);
    }
    end_worker(user);
}

// What a task returns waits in its worker for somebody to ask.
Test(objects, outlive_the_pool_whose_tasks_made_them)
{
    const nw_result *made[KIND_COUNT];
    nwpool *makers = pool_of("objects.js", 1);
    nw_worker *user = user_of();

    for (size_t i = 0; i < KIND_COUNT; i++) {
        made[i] = call(makers, "make", text(kinds[i].name), NULL);
        cr_assert(eq(int, made[i]->status, NW_OK));
    }
    destroy(makers);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        expect_host(made[i]->value, &kinds[i]);
        expect_status(hand_on(user, made[i]->value, &kinds[i]), NW_OK);
        expect_used(i, kinds[i].used);
    }
    end_worker(user);
}

// -- that nobody wants

static void make_and_drop(int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < KIND_COUNT; i++) {
            expect_host(make_at_port(kinds[i].name), &kinds[i]);
        }
        nw_doc_reset(doc);
    }
}

Test(objects, that_nobody_uses_leave_nothing)
{
    nw_worker *maker = maker_at_port();
    unsigned descriptors, threads;

    make_and_drop(5);
    descriptors = descriptor_count();
    threads = thread_count();
    make_and_drop(100);
    // No garbage collector is waited for.
    cr_expect(lt(u32, descriptor_count(), descriptors + 50));
    eventually(descriptor_count() <= descriptors);
    cr_expect(le(u32, thread_count(), threads));
    end_maker_at_port(maker);
}

Test(objects, that_nobody_uses_close_their_other_end)
{
    nw_worker *worker =
        worker_of(&user_ear, SCRIPT
                  "const { port1, port2 } = new wt.MessageChannel();"
                  "port2.on('message', () => {});" // It waits.
                  "port2.on('close', () => parentPort.postMessage('closed'));"
                  "parentPort.postMessage({ object: port1 }, [port1])");

    expect_used(0, "{\"object\": #MessagePort}");
    expect_used(1, "\"closed\"");
    expect_exit(&user_ear, 0);
    end_worker(worker);
}

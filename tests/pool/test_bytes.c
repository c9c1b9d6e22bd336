// Goal: lent memory reaches JavaScript and comes back without a copy, and is
// given back exactly once whatever becomes of the task; what JavaScript did not
// give away it keeps.

#include "tests/pool/support.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

// The garbage collector is called by tests that wait for a release.
static void start_runtime(void)
{
    const char *const node_options[] = {"--expose-gc", NULL};
    nw_runtime_options options = {.struct_size = sizeof(options),
                                  .node_options = node_options};

    cr_assert(eq(int, nw_runtime_start(&options), NW_OK));
}

static void init(void)
{
    test_init();
    start_runtime();
}

TestSuite(bytes, .init = init, .fini = test_fini, .timeout = SUITE_TIMEOUT);

static int released(struct lender *lender)
{
    return atomic_load(&lender->released);
}

// -- there and back

Test(bytes, lent_memory_goes_to_javascript_and_back_without_a_copy)
{
    nwpool *pool = pool_of("values.js", 1);
    const size_t size = 1 << 20;
    struct lender lender;
    nw_value *bytes = lend(&lender, size);
    const nw_result *result;
    nw_bytes taken;
    size_t size_there;
    const uint8_t *there;

    result = call(pool, "invert", bytes, NULL);
    cr_assert(eq(int, result->status, NW_OK));
    there = nw_value_get_bytes(result->value, &size_there);
    cr_expect(eq(ptr, (void *)there, lender.data));
    cr_expect(eq(sz, size_there, size));
    for (size_t i = 0; i < size; i++) {
        cr_assert(eq(int, there[i], (uint8_t)~i));
    }
    cr_expect(eq(int, released(&lender), 0));

    cr_assert(
        eq(int, nw_value_take_bytes((nw_value *)result->value, &taken), NW_OK));
    cr_expect(eq(ptr, taken.data, lender.data));
    cr_expect(eq(sz, taken.size, size));
    free_results();
    destroy(pool);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);

    // Ours until we say so, Node.js or not.
    cr_expect(eq(int, released(&lender), 0));
    ((uint8_t *)taken.data)[size - 1] = 1;
    taken.release(taken.data, taken.size, taken.hint);
    cr_expect(eq(int, released(&lender), 1));
}

Test(bytes, lent_memory_can_make_many_journeys)
{
    nwpool *pool = pool_of("values.js", 2);
    struct lender lender;
    nw_value *bytes = lend(&lender, 4096);
    nw_doc *journey = nw_doc_create();
    nw_bytes taken = {0};

    for (int i = 0; i < 50; i++) {
        const nw_result *result = call(pool, "invert", bytes, NULL);

        cr_assert(eq(int,
                     nw_value_take_bytes((nw_value *)result->value, &taken),
                     NW_OK));
        cr_assert(eq(ptr, taken.data, lender.data));
        free_results();
        bytes = nw_value_bytes_lend(doc, taken.data, taken.size, taken.release,
                                    taken.hint);
    }
    // An even number of inversions.
    cr_expect(eq(int, ((uint8_t *)taken.data)[200], 200));
    nw_doc_destroy(journey);
    destroy(pool);
    cr_expect(eq(int, released(&lender), 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released(&lender), 1));
}

Test(bytes, lent_memory_is_a_uint8array_of_its_own)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lenders[2];

    expect_value(call(pool, "describe", lend(&lenders[0], 1000), NULL),
                 "[\"Uint8Array\", 0, 1000, 1000]");
    expect_value(call(pool, "sum", lend(&lenders[1], 100), NULL), "4950");
    destroy(pool);
    cr_expect(eq(int, released(&lenders[0]), 1));
    cr_expect(eq(int, released(&lenders[1]), 1));
}

Test(bytes, lent_memory_that_stands_in_two_places_is_one)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lender;
    nw_value *bytes = lend(&lender, 10);
    const nw_result *result =
        call(pool, "hold", text("(a, b) => a === b[0] && a.length === 10"),
             bytes, list(bytes, NULL), NULL);

    expect_value(result, "undefined");
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
}

Test(bytes, a_result_that_is_not_taken_gives_the_memory_back)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lender;

    call(pool, "invert", lend(&lender, 1000), NULL);
    cr_expect(eq(int, released(&lender), 0));
    free_results();
    cr_expect(eq(int, released(&lender), 1));
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
}

// -- given back exactly once

Test(bytes, memory_that_javascript_forgets_comes_back_while_the_worker_lives)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lender;

    expect_value(call(pool, "keep", lend(&lender, 1000), NULL), "1000");
    call(pool, "collect", NULL);
    cr_expect(eq(int, released(&lender), 0));
    eventually(
        (call(pool, "forget", NULL), free_results(), released(&lender) == 1));
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
}

Test(bytes, memory_that_javascript_keeps_comes_back_with_its_worker)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lender;

    expect_value(call(pool, "keep", lend(&lender, 1000), NULL), "1000");
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
}

Test(bytes, a_task_that_fails_gives_its_memory_back)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lenders[2];

    expect_failure(call(pool, "throwWith", lend(&lenders[0], 7), NULL),
                   NW_ETHROWN, "7");
    expect_failure(call(pool, "missing", lend(&lenders[1], 7), NULL),
                   NW_EMODULE, "missing");
    destroy(pool);
    cr_expect(eq(int, released(&lenders[0]), 1));
    cr_expect(eq(int, released(&lenders[1]), 1));
}

Test(bytes, a_worker_that_dies_gives_its_memory_back)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lender;
    const nw_result *result = call(pool, "keepAndExit", lend(&lender, 5), NULL);

    expect_status(result->status, NW_ECRASHED);
    cr_expect(eq(int, result->exit_code, 5));
    eventually(released(&lender) == 1);
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
}

static void cancel_with_memory(const char *function)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender running, waiting[10];
    struct outcome outcomes[11] = {0};
    struct gate gate;

    gate_init(&gate);
    submit_to(&outcomes[10], pool, function, gate_started(&gate),
              lend(&running, 100000), NULL);
    gate_wait(&gate);
    for (int i = 0; i < 10; i++) {
        submit_to(&outcomes[i], pool, "sum", lend(&waiting[i], 1000), NULL);
    }
    cr_expect(eq(int, released(&running), 0));
    cr_expect(eq(int, released(&waiting[3]), 0));
    destroy(pool);
    cr_expect(eq(int, released(&running), 1));
    expect_status(outcomes[10].status, NW_ECANCELED);
    for (int i = 0; i < 10; i++) {
        cr_expect(eq(int, released(&waiting[i]), 1));
        expect_status(outcomes[i].status, NW_ECANCELED);
    }
    gate_fini(&gate);
}

Test(bytes, tasks_that_are_canceled_give_their_memory_back)
{
    cancel_with_memory("keepAndSpin");
    cancel_with_memory("keepAndWait");
}

Test(bytes, a_pool_that_fails_gives_the_memory_of_its_tasks_back)
{
    nwpool *pool = pool_of("throws_at_load.js", 1);
    struct lender lender;

    expect_failure(call(pool, "sum", lend(&lender, 10), NULL), NW_EMODULE, "");
    cr_expect(eq(int, released(&lender), 1));
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
}

Test(bytes, a_document_that_is_never_sent_gives_its_memory_back)
{
    struct lender lender;

    lend(&lender, 10);
    cr_expect(eq(int, released(&lender), 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released(&lender), 1));
}

Test(bytes, no_memory_at_all_is_given_back_as_well)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender sent, unsent, back;
    const nw_result *result;

    expect_value(call(pool, "describe", lend(&sent, 0), NULL),
                 "[\"Uint8Array\", 0, 0, 0]");
    result = call(pool, "invert", lend(&back, 0), NULL);
    expect_value(result, "<>");
    lend(&unsent, 0);
    destroy(pool);
    nw_doc_reset(doc);
    cr_expect(eq(int, released(&sent), 1));
    cr_expect(eq(int, released(&back), 1));
    cr_expect(eq(int, released(&unsent), 1));
}

// -- refused: the memory stays where it is

static void expect_whole(const nw_value *bytes, struct lender *lender)
{
    size_t size;

    cr_expect(eq(ptr, (void *)nw_value_get_bytes(bytes, &size), lender->data));
    cr_expect(eq(sz, size, lender->size));
    cr_expect(eq(int, released(lender), 0));
}

Test(bytes, a_refused_task_leaves_the_memory_to_be_sent_later)
{
    nwpool *pool = pool_with(module_path("values.js"), 1, 1);
    nwpool *closed = pool_of("values.js", 1);
    nwpool *failed = pool_of("throws_at_load.js", 1);
    struct lender lender;
    struct outcome outcomes[2] = {0};
    struct outcome refused = {0};
    struct gate gate;
    nw_value *bytes = lend(&lender, 100);
    nw_value *deep = list(bytes, NULL);
    const nw_result *result;

    gate_init(&gate);
    submit_to(&outcomes[0], pool, "keepAndWait", gate_started(&gate), text("x"),
              NULL);
    gate_wait(&gate);
    submit_to(&outcomes[1], pool, "echo", NULL);
    expect_status(submit_to(&refused, pool, "sum", bytes, NULL), NW_EFULL);
    expect_whole(bytes, &lender);
    destroy(pool);

    nwpool_close(closed);
    expect_status(submit_to(&refused, closed, "sum", bytes, NULL), NW_ECLOSED);
    expect_whole(bytes, &lender);
    destroy(closed);

    expect_status(call(failed, "sum", NULL)->status, NW_EMODULE);
    expect_status(submit_to(&refused, failed, "sum", bytes, NULL), NW_EFAILED);
    expect_whole(bytes, &lender);
    destroy(failed);

    // Found out only while the arguments are encoded.
    for (int i = 0; i < NW_VALUE_DEPTH_MAX; i++) {
        deep = list(deep, NULL);
    }
    pool = pool_of("values.js", 1);
    expect_status(submit_to(&refused, pool, "echo", bytes, deep, NULL),
                  NW_ELIMIT);
    expect_whole(bytes, &lender);

    result = call(pool, "sum", bytes, NULL);
    expect_value(result, "4950");
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
    cr_expect(eq(int, refused.calls, 0));
    gate_fini(&gate);
}

Test(bytes, memory_is_sent_once)
{
    nwpool *pool = pool_of("values.js", 1);
    struct lender lender;
    struct outcome refused = {0};
    nw_value *bytes = lend(&lender, 100);
    size_t size = 1;
    nw_bytes taken;

    expect_value(call(pool, "sum", bytes, NULL), "4950");
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(bytes, &size), NULL));
    cr_expect(eq(sz, size, 0));
    expect_status(nw_value_take_bytes(bytes, &taken), NW_ETYPE);
    expect_status(submit_to(&refused, pool, "sum", bytes, NULL), NW_EINVAL);
    destroy(pool);
    cr_expect(eq(int, released(&lender), 1));
    cr_expect(eq(int, refused.calls, 0));
}

// -- what comes from JavaScript

static const char zeros[8];

static void expect_bytes(nwpool *pool, const char *source, const char *expected)
{
    const nw_result *result = call(pool, "evaluate", text(source), NULL);

    if (result->status != NW_OK) {
        cr_fail("%s: %s", source, result->error->message);
        return;
    }
    cr_expect(eq(int, nw_value_type(result->value), NW_TYPE_BYTES), "%s",
              source);
    cr_expect(eq(str, (char *)nw_test_text(result->value), (char *)expected),
              "%s", source);
}

Test(bytes, every_kind_of_buffer_and_view_reads_as_its_bytes)
{
    nwpool *pool = pool_of("values.js", 1);

    expect_bytes(pool, "Buffer.from('hi')", "<6869>");
    expect_bytes(pool, "Buffer.alloc(0)", "<>");
    expect_bytes(pool, "new Uint8Array([1, 2, 255])", "<0102ff>");
    expect_bytes(pool, "new Uint8Array(0)", "<>");
    expect_bytes(pool, "new Uint8Array([1, 2, 3, 4]).subarray(1, 3)", "<0203>");
    expect_bytes(pool, "new Uint8Array([1, 2, 3]).buffer",
                 "ArrayBuffer<010203>");
    expect_bytes(pool, "new ArrayBuffer(0)", "ArrayBuffer<>");
    expect_bytes(pool, "new DataView(new Uint8Array([1, 2, 3]).buffer, 1)",
                 "DataView<0203>");
    expect_bytes(pool, "new Int8Array([-1, 1])", "Int8Array<ff01>");
    expect_bytes(pool, "new Uint8ClampedArray([300, 5])",
                 "Uint8ClampedArray<ff05>");
    expect_bytes(pool, "new Int16Array([1, -2])", "Int16Array<0100feff>");
    expect_bytes(pool, "new Uint16Array([258])", "Uint16Array<0201>");
    expect_bytes(pool, "new Int32Array([-1])", "Int32Array<ffffffff>");
    expect_bytes(pool, "new Uint32Array([1])", "Uint32Array<01000000>");
    expect_bytes(pool, "new Float32Array([1.5])", "Float32Array<0000c03f>");
    expect_bytes(pool, "new Float64Array([-2])",
                 "Float64Array<00000000000000c0>");
    expect_bytes(pool, "new BigInt64Array([-1n])",
                 "BigInt64Array<ffffffffffffffff>");
    expect_bytes(pool, "new BigUint64Array([2n])",
                 "BigUint64Array<0200000000000000>");
    expect_bytes(pool,
                 "new Uint16Array(new Uint8Array([1, 2, 3, 4, 5, 6]).buffer,"
                 " 2, 1)",
                 "Uint16Array<0304>");
    destroy(pool);
}

Test(bytes, a_view_into_nodes_pool_is_sent_as_its_slice)
{
    nwpool *pool = pool_of("values.js", 1);
    const nw_result *result =
        call(pool, "evaluate", text("Buffer.from('hi')"), NULL);
    size_t size = 0;

    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(ne(ptr, (void *)nw_value_get_bytes(result->value, &size), NULL));
    cr_expect(eq(sz, size, 2));
    destroy(pool);
}

Test(bytes, views_of_one_buffer_read_as_they_are)
{
    nwpool *pool = pool_of("values.js", 1);
    const nw_result *result =
        call(pool, "evaluate",
             text("(() => { const b = new Uint8Array([1, 2, 3, 4]).buffer;"
                  " return [new Uint8Array(b), new Uint8Array(b, 2), b]; })()"),
             NULL);

    expect_value(result, "[<01020304>, <0304>, ArrayBuffer<01020304>]");
    destroy(pool);
}

Test(bytes, large_bytes_come_whole)
{
    nwpool *pool = pool_of("values.js", 1);
    const nw_result *result =
        call(pool, "evaluate", text("new Uint8Array(16 * 1024 * 1024).fill(5)"),
             NULL);
    size_t size = 0;
    const uint8_t *bytes = nw_value_get_bytes(result->value, &size);
    nw_bytes taken;

    cr_assert(eq(sz, size, (size_t)16 << 20));
    cr_expect(eq(int, bytes[0], 5));
    cr_expect(eq(int, bytes[size - 1], 5));
    cr_assert(
        eq(int, nw_value_take_bytes((nw_value *)result->value, &taken), NW_OK));
    cr_expect(eq(ptr, (void *)nw_value_get_bytes(result->value, &size), NULL));
    free_results();
    destroy(pool);
    cr_expect(eq(int, ((uint8_t *)taken.data)[taken.size - 1], 5));
    taken.release(taken.data, taken.size, taken.hint);
}

Test(bytes, bytes_that_c_copied_arrive_whole)
{
    nwpool *pool = pool_of("values.js", 1);
    size_t size = 3 << 20;
    uint8_t *data = calloc(1, size);

    data[size - 1] = 9;
    expect_value(call(pool, "sum", nw_value_bytes(doc, data, size), NULL), "9");
    expect_value(call(pool, "copy", nw_value_bytes(doc, zeros, 8), NULL),
                 "<0000000000000000>");
    expect_value(call(pool, "copy", nw_value_bytes(doc, NULL, 0), NULL), "<>");
    free(data);
    destroy(pool);
}

// -- what a task gives away, and what it keeps

Test(bytes, nodes_pool_of_buffers_is_never_moved)
{
    nwpool *pool = pool_of("values.js", 1);

    for (int i = 0; i < 20; i++) {
        expect_value(call(pool, "transferSmall", text("x"), NULL), "<78>");
        expect_value(call(pool, "transferUnsafe", number(3), NULL), "<070707>");
        // Not even when it is asked for.
        expect_value(call(pool, "transferOf", text("[]"),
                          text("[Buffer.from('x').buffer]"), NULL),
                     "[]");
        expect_value(call(pool, "poolIsWhole", NULL), "true");
    }
    destroy(pool);
}

Test(bytes, a_promise_may_give_bytes_away)
{
    nwpool *pool = pool_of("values.js", 1);

    expect_value(call(pool, "transferLater", number(3), NULL), "<090909>");
    destroy(pool);
}

// `watch` are the buffers whose sizes are told after the task.
static void expect_transfer(nwpool *pool, const char *source,
                            const char *expected, const char *lengths)
{
    const nw_result *result = call(pool, "transferAndTell", text(source), NULL);

    if (result->status != NW_OK) {
        cr_fail("%s: %s", source, result->error->message);
        return;
    }
    cr_expect(eq(str, (char *)nw_test_text(result->value), (char *)expected),
              "%s", source);
    result = call(pool, "lengths", NULL);
    cr_expect(eq(str, (char *)nw_test_text(result->value), (char *)lengths),
              "%s", source);
}

Test(bytes, what_is_marked_and_whole_is_moved_and_the_rest_copied)
{
    nwpool *pool = pool_of("values.js", 1);

    // A whole view, and a bare buffer.
    expect_transfer(pool,
                    "(() => { const a = new Uint8Array([1, 2]);"
                    " return { result: a, watch: [a] }; })()",
                    "<0102>", "[0]");
    expect_transfer(pool,
                    "(() => { const a = new Uint8Array([1, 2]).buffer;"
                    " return { result: a, watch: [a] }; })()",
                    "ArrayBuffer<0102>", "[0]");
    // A part of a buffer stays with its owner.
    expect_transfer(pool,
                    "(() => { const a = new Uint8Array([1, 2, 3]);"
                    " return { result: a.subarray(1), watch: [a] }; })()",
                    "<0203>", "[3]");
    // Inside of something, only when it is listed.
    expect_transfer(pool,
                    "(() => { const a = new Uint8Array([1]),"
                    " b = new Uint8Array([2]);"
                    " return { result: { a, b }, list: [a],"
                    " watch: [a, b] }; })()",
                    "{\"a\": <01>, \"b\": <02>}", "[0, 1]");
    // Twice, by view and buffer.
    expect_transfer(pool,
                    "(() => { const a = new Uint8Array([1]);"
                    " return { result: [a, a.buffer], list: [a, a, a.buffer],"
                    " watch: [a] }; })()",
                    "[<01>, ArrayBuffer<01>]", "[0]");
    // Listed, but not part of the result: gone all the same.
    expect_transfer(pool,
                    "(() => { const a = new Uint8Array([1]);"
                    " return { result: {}, list: [a], watch: [a] }; })()",
                    "{}", "[0]");
    // What cannot be moved is copied.
    expect_transfer(pool,
                    "(() => { const m = new WebAssembly.Memory({initial: 1});"
                    " const a = new Uint8Array(m.buffer);"
                    " return { result: a.subarray(0, 2), list: [m.buffer],"
                    " watch: [a] }; })()",
                    "<0000>", "[65536]");
    expect_transfer(pool,
                    "({ result: 'text', list: ['text', 5, null, undefined,"
                    " {}], watch: [] })",
                    "\"text\"", "[]");
    destroy(pool);
}

Test(bytes, a_result_that_fails_moves_nothing)
{
    nwpool *pool = pool_of("values.js", 1);
    const nw_result *result = call(
        pool, "transferAndTell",
        text("(() => { const a = new Uint8Array([1, 2]);"
             " return { result: [a, () => 1], list: [a], watch: [a] }; })()"),
        NULL);

    expect_failure(result, NW_ECLONE, "could not be cloned");
    expect_value(call(pool, "lengths", NULL), "[2]");
    destroy(pool);
}

Test(bytes, a_moved_buffer_and_its_views_stay_one)
{
    nwpool *pool = pool_of("values.js", 1);
    const nw_result *result = call(
        pool, "transferOf",
        text("(() => { globalThis.b = new Uint8Array([1, 2, 3, 4]).buffer;"
             " return [new Uint8Array(b), new Uint16Array(b, 2), b]; })()"),
        text("[b]"), NULL);

    expect_value(result,
                 "[<01020304>, Uint16Array<0304>, ArrayBuffer<01020304>]");
    cr_expect(eq(
        ptr, (void *)nw_value_get_bytes(nw_array_get(result->value, 0), NULL),
        (void *)nw_value_get_bytes(nw_array_get(result->value, 2), NULL)));
    destroy(pool);
}

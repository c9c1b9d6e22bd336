// Goal: shared memory is one memory for C and all workers, wherever it was
// made and whichever way it went, and it is given back exactly once, when the
// last of them has let go. The same for compiled WebAssembly modules.

#include "tests/pool/support.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#define MEMORY_SIZE 64

// The garbage collector is called by tests that wait for a release.
static void init(void)
{
    const char *const node_options[] = {"--expose-gc", NULL};
    nw_runtime_options options = {.struct_size = sizeof(options),
                                  .node_options = node_options};

    test_init();
    cr_assert(eq(int, nw_runtime_start(&options), NW_OK));
}

TestSuite(shared, .init = init, .fini = test_fini, .timeout = SUITE_TIMEOUT);

static nw_shared *create(size_t size)
{
    nw_shared *memory;

    cr_assert(eq(int, nw_shared_create(&memory, size), NW_OK));
    return memory;
}

// Memory of the lender's.
static nw_shared *lend_shared(struct lender *lender, size_t size)
{
    nw_shared *memory;

    atomic_init(&lender->released, 0);
    lender->size = size;
    lender->data = calloc(1, size > 0 ? size : 1);
    cr_assert(ne(ptr, lender->data, NULL));
    cr_assert(eq(
        int, nw_shared_lend(&memory, lender->data, size, release_lent, lender),
        NW_OK));
    return memory;
}

static int released(struct lender *lender)
{
    return atomic_load(&lender->released);
}

static int32_t at(const nw_shared *memory, size_t index)
{
    int32_t *numbers = nw_shared_data(memory, NULL);

    return __atomic_load_n(&numbers[index], __ATOMIC_SEQ_CST);
}

static void set(const nw_shared *memory, size_t index, int32_t number_there)
{
    int32_t *numbers = nw_shared_data(memory, NULL);

    __atomic_store_n(&numbers[index], number_there, __ATOMIC_SEQ_CST);
}

// -- one memory

Test(shared, c_and_two_workers_count_in_the_same_place)
{
    nwpool *pool = pool_of("shared.js", 2);
    nw_shared *memory = create(MEMORY_SIZE);
    nw_value *value = nw_value_shared(doc, memory);
    nw_task_id tasks[4];

    set(memory, 0, 1000);
    for (size_t i = 0; i < 4; i++) {
        tasks[i] = submit(pool, "add", value, number(0), number(20000), NULL);
    }
    for (int i = 0; i < 10000; i++) {
        __atomic_fetch_add((int32_t *)nw_shared_data(memory, NULL), 1,
                           __ATOMIC_SEQ_CST);
    }
    for (size_t i = 0; i < 4; i++) {
        expect_status(take(pool, tasks[i])->status, NW_OK);
    }
    cr_expect(eq(int, at(memory, 0), 91000));
    destroy(pool);
    nw_shared_unref(memory);
}

// Atomics.wait() and notify() meet only if V8 sees one memory.
static void expect_wakes(nw_value *value)
{
    nwpool *pool = pool_of("shared.js", 2);
    nw_task_id waits = submit(pool, "wait", value, NULL);
    nw_task_id notifies = submit(pool, "notify", value, NULL);

    expect_value(take(pool, notifies), "1");
    expect_value(take(pool, waits), "\"ok\"");
    destroy(pool);
}

Test(shared, a_worker_wakes_another_in_memory_of_c)
{
    nw_shared *memory = create(MEMORY_SIZE);

    expect_wakes(nw_value_shared(doc, memory));
    nw_shared_unref(memory);
}

Test(shared, a_worker_wakes_another_in_memory_that_c_lent)
{
    struct lender lender;
    nw_shared *memory = lend_shared(&lender, MEMORY_SIZE);

    expect_wakes(nw_value_shared(doc, memory));
    nw_shared_unref(memory);
    nw_doc_reset(doc);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(int, released(&lender), 1));
}

Test(shared, a_worker_wakes_another_in_memory_of_javascript)
{
    nwpool *pool = pool_of("shared.js", 1);
    const nw_result *result = call(pool, "make", number(MEMORY_SIZE), NULL);

    cr_assert(eq(int, result->status, NW_OK));
    expect_wakes((nw_value *)result->value);
    destroy(pool);
}

Test(shared, memory_of_javascript_is_memory_of_c)
{
    nwpool *pool = pool_of("shared.js", 1);
    const nw_result *result = call(pool, "make", number(MEMORY_SIZE), NULL);
    nw_shared *memory = nw_value_get_shared(result->value);
    size_t size;

    cr_assert(ne(ptr, memory, NULL));
    nw_shared_data(memory, &size);
    cr_expect(eq(sz, size, (size_t)MEMORY_SIZE));
    set(memory, 3, 77);
    expect_value(call(pool, "look", number(3), NULL), "77");
    // There and back it is still the same.
    expect_value(call(pool, "add", (nw_value *)result->value, number(3),
                      number(1), NULL),
                 "78");
    cr_expect(eq(int, at(memory, 3), 78));
    expect_value(call(pool, "look", number(3), NULL), "78");
    destroy(pool);
}

Test(shared, buffer_and_views_of_one_message_are_one_object)
{
    nwpool *pool = pool_of("shared.js", 1);
    nw_shared *memory = create(MEMORY_SIZE);
    nw_value *value = nw_value_shared(doc, memory);
    nw_value *view = nw_value_view_of(value, NW_VIEW_INT16, 8, 16);

    expect_value(call(pool, "areOne", value, view, value, NULL), "true");
    expect_value(call(pool, "kinds", value, view, NULL),
                 "\"SharedArrayBuffer,Int16Array\"");
    destroy(pool);
    nw_shared_unref(memory);
}

// -- given back exactly once

Test(shared, lent_memory_comes_back_when_the_last_lets_go)
{
    nwpool *pool = pool_of("shared.js", 1);
    struct lender lender;
    nw_shared *memory = lend_shared(&lender, MEMORY_SIZE);

    call(pool, "keep", nw_value_shared(doc, memory), NULL);
    nw_shared_unref(memory);
    nw_doc_reset(doc);
    free_results();
    cr_expect(eq(int, released(&lender), 0));

    // The worker's was the last; the collector may need more than one turn.
    call(pool, "forget", NULL);
    for (int i = 0; i < 1000 && released(&lender) == 0; i++) {
        call(pool, "collect", NULL);
    }
    cr_expect(eq(int, released(&lender), 1));
    destroy(pool);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(int, released(&lender), 1));
}

Test(shared, lent_memory_outlives_node_as_long_as_c_holds_it)
{
    nwpool *pool = pool_of("shared.js", 2);
    struct lender lender;
    nw_shared *memory = lend_shared(&lender, MEMORY_SIZE);

    call(pool, "add", nw_value_shared(doc, memory), number(2), number(5), NULL);
    destroy(pool);
    nw_doc_reset(doc);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(int, released(&lender), 0));
    cr_expect(eq(int, at(memory, 2), 5));
    nw_shared_unref(memory);
    cr_expect(eq(int, released(&lender), 1));
}

Test(shared, memory_of_javascript_outlives_node_as_long_as_c_holds_it)
{
    nwpool *pool = pool_of("shared.js", 1);
    const nw_result *result = call(pool, "make", number(1 << 20), NULL);
    nw_shared *memory = nw_shared_ref(nw_value_get_shared(result->value));

    free_results();
    destroy(pool);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    memset(nw_shared_data(memory, NULL), 1, 1 << 20);
    cr_expect(eq(int, at(memory, 0), 0x01010101));
    nw_shared_unref(memory);
}

Test(shared, empty_memory_comes_back_too)
{
    nwpool *pool = pool_of("shared.js", 2);
    struct lender lender;
    nw_shared *memory = lend_shared(&lender, 0);
    nw_value *value = nw_value_shared(doc, memory);

    expect_value(call(pool, "kinds", value, NULL), "\"SharedArrayBuffer\"");
    expect_value(call(pool, "kinds", value, NULL), "\"SharedArrayBuffer\"");
    destroy(pool);
    nw_shared_unref(memory);
    cr_expect(eq(int, released(&lender), 0));
    nw_doc_reset(doc);
    cr_expect(eq(int, released(&lender), 1));
}

// -- WebAssembly

Test(shared, a_shared_webassembly_memory_is_one_and_grows)
{
    nwpool *pool = pool_of("shared.js", 1);
    const nw_result *result = call(pool, "makeMemory", NULL);
    nw_value *value = (nw_value *)result->value;
    nwpool *other = pool_of("shared.js", 1);

    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(eq(int, nw_value_type(value), NW_TYPE_WASM_MEMORY));
    expect_value(call(other, "add", value, number(9), number(3), NULL), "3");
    cr_expect(eq(int, at(nw_value_get_shared(value), 9), 3));
    expect_value(call(pool, "look", number(9), NULL), "3");
    expect_value(call(pool, "grow", NULL), "1");
    expect_value(call(other, "sizeOf", value, NULL), "131072");
    destroy(pool);
    destroy(other);
    // Beyond the end of Node.js, by the document of the result.
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(int, at(nw_value_get_shared(value), 9), 3));
}

Test(shared, a_compiled_module_is_instantiated_in_another_worker)
{
    nwpool *pool = pool_of("shared.js", 1);
    const nw_result *result = call(pool, "compile", NULL);
    nw_value *module = (nw_value *)result->value;
    nwpool *other = pool_of("shared.js", 1);

    cr_assert(eq(int, result->status, NW_OK));
    cr_expect(eq(int, nw_value_type(module), NW_TYPE_WASM_MODULE));
    // Where it was compiled is gone already.
    destroy(pool);
    expect_value(call(other, "run", module, number(40), number(2), NULL), "42");
    expect_value(call(other, "run", module, number(-1), number(1), NULL), "0");
    destroy(other);
}

Test(shared, a_module_that_stands_in_two_places_is_one)
{
    nwpool *pool = pool_of("shared.js", 1);
    const nw_result *result = call(pool, "compileTwice", NULL);

    cr_assert(eq(int, result->status, NW_OK));
    expect_value(
        call(pool, "areOneAndAnother", (nw_value *)result->value, NULL),
        "true");
    destroy(pool);
}

Test(shared, a_module_may_be_held_longer_than_node_lives)
{
    nwpool *pool = pool_of("shared.js", 1);
    const nw_result *result = call(pool, "compile", NULL);

    cr_assert(eq(int, result->status, NW_OK));
    destroy(pool);
    expect_status(nw_runtime_stop(DEADLINE_MS), NW_OK);
    cr_expect(eq(int, nw_value_type(result->value), NW_TYPE_WASM_MODULE));
    free_results();
}

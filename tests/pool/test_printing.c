// Goal: what a task prints reaches on_output whole, with the task's id, and
// before the task's result.

#include "tests/pool/support.h"

#include <stdio.h>
#include <string.h>

TestSuite(printing, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

#define LINES 5000 // Of 1,000 bytes: more than may wait.

// Completion thread; read it when the pool is drained.
static struct {
    char text[4096]; // "fd:task:data;" of each.
    size_t bytes;
    uint64_t task;
    bool mixed; // More than one task printed.
    bool late;  // Something came after a result.
    bool ended; // A result came.
} heard;

static void on_output(const nw_task_output *output, void *user_data)
{
    size_t used = strlen(heard.text);

    cr_assert(eq(ptr, user_data, &heard));
    cr_assert(ne(u32, output->worker, 0));
    if (heard.bytes == 0) {
        heard.task = output->task.value;
    }
    heard.mixed = heard.mixed || heard.task != output->task.value;
    heard.bytes += output->data_size;
    heard.late = heard.late || heard.ended;
    snprintf(heard.text + used, sizeof(heard.text) - used, "%d:%u:%.*s;",
             output->fd, (unsigned)output->task.value, (int)output->data_size,
             output->data);
}

static void on_done(const nw_result *result, void *user_data)
{
    (void)result;
    (void)user_data;
    heard.ended = true;
}

static nwpool *pool_with_output(void)
{
    const nwpool_options options = {
        .struct_size = sizeof(options),
        .module = module_path("prints.js"),
        .workers = 1,
        .on_output = on_output,
        .output_data = &heard,
    };
    nwpool *pool;

    memset(&heard, 0, sizeof(heard));
    cr_assert(eq(int, nwpool_create(&pool, &options), NW_OK));
    return pool;
}

// Runs one function to its end; returns the task's id.
static unsigned run(nwpool *pool, const char *function, const nw_value *value,
                    const nw_value *other)
{
    const nw_value *arguments[] = {value, other};
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = function,
                               .arguments = arguments,
                               .argument_count = other != NULL ? 2 : 1,
                               .on_done = on_done};
    nw_task_id task;

    cr_assert(eq(int, nwpool_submit(pool, &spec, &task), NW_OK));
    drain(pool);
    return (unsigned)task.value;
}

Test(printing, has_its_id_and_comes_before_its_result)
{
    nwpool *pool = pool_with_output();
    char expected[128];
    unsigned task = run(pool, "prints", text("hello"), NULL);

    snprintf(expected, sizeof(expected), "1:%u:hello;2:%u:hello!;", task, task);
    expect_string(heard.text, expected);
    cr_expect(not(heard.late));
    destroy(pool);
}

Test(printing, is_told_by_its_task_behind_an_await)
{
    nwpool *pool = pool_with_output();
    char expected[128];
    unsigned task = run(pool, "printsLater", text("a"), number(5));

    snprintf(expected, sizeof(expected), "1:%u:a;1:%u:a;", task, task);
    expect_string(heard.text, expected);
    destroy(pool);
}

Test(printing, that_a_task_left_behind_is_still_its_own)
{
    nwpool *pool = pool_with_output();
    char expected[128];
    unsigned task = run(pool, "printsBehind", text("b"), NULL);

    eventually(heard.bytes > 0);
    snprintf(expected, sizeof(expected), "1:%u:b;", task);
    expect_string(heard.text, expected);
    destroy(pool);
}

Test(printing, of_a_task_that_exits_arrives)
{
    nwpool *pool = pool_with_output();
    char expected[128];
    unsigned task = run(pool, "printsAndExits", text("last words"), NULL);

    snprintf(expected, sizeof(expected), "1:%u:last words;", task);
    expect_string(heard.text, expected);
    cr_expect(not(heard.late));
    destroy(pool);
}

Test(printing, larger_than_what_may_wait_arrives_whole)
{
    nwpool *pool = pool_with_output();

    run(pool, "printsLines", number(LINES), NULL);
    cr_expect(eq(sz, heard.bytes, (size_t)LINES * 1000));
    cr_expect(not(heard.mixed));
    cr_expect(not(heard.late));
    destroy(pool);
}

Test(printing, that_nobody_waits_for_is_dropped_with_the_pool)
{
    nwpool *pool = pool_with_output();

    submit(pool, "printsLater", text("never"), number(10000), NULL);
    destroy(pool);
    cr_expect(eq(sz, heard.bytes, 0));
}

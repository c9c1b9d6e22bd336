// Goal: any value that C can build comes back from JavaScript as it was, with
// everything that is one value still one. The values and the text by which they
// are compared are the oracle's; see docs/codec.md.
//
// NW_SEED=n repeats a run; the seed is printed when something differs.

#include "tests/pool/support.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/oracle/canon.h"
#include "tests/oracle/make.h"

#define VALUES        18000
#define CALLS         700 // Of several values each.
#define ARGUMENTS_MAX 4
#define BUDGET_MAX    24
#define SHOWN_MAX     400 // Of what differs, from a little before it does.
#define SHOWN_BEFORE  300

TestSuite(random, .init = test_init, .fini = test_fini,
          .timeout = SUITE_TIMEOUT);

static uint64_t seed;
static struct nw_maker maker;
static struct nw_canon expected;
static struct nw_canon seen;

static void start_random(void)
{
    const char *given = getenv("NW_SEED");

    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("NW_SEED=%" PRIu64 "\n", seed);
    nw_maker_init(&maker, doc, seed, 0);
    nw_canon_init(&expected);
    nw_canon_init(&seen);
}

static void end_random(void)
{
    nw_canon_fini(&expected);
    nw_canon_fini(&seen);
}

// The next values may be made, in an empty document.
static void next_random(void)
{
    uint64_t state = nw_make_bits(&maker);

    nw_doc_reset(doc);
    nw_maker_init(&maker, doc, state, 1 + nw_make_below(&maker, BUDGET_MAX));
    maker.for_worker = true;
}

static void expect_same(const char *what, int index,
                        const nw_value *const *values, size_t count)
{
    const char *text = nw_canon_text(&seen, values, count);
    size_t at = 0;

    while (text[at] != '\0' && text[at] == expected.text[at]) {
        at++;
    }
    at = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0;
    cr_assert(strcmp(text, expected.text) == 0,
              "%s %d differs, NW_SEED=%" PRIu64 "\n  is    %.*s\n  seen  %.*s",
              what, index, seed, SHOWN_MAX, expected.text + at, SHOWN_MAX,
              text + at);
}

static void echo_once(nwpool *pool, int i)
{
    const nw_value *value;
    const nw_result *result;

    next_random();
    value = nw_make_value(&maker);
    nw_canon_text(&expected, &value, 1);
    result = call(pool, i % 2 == 0 ? "echo" : "echoLater", value, NULL);
    cr_assert(eq(int, result->status, NW_OK), "value %d, NW_SEED=%" PRIu64, i,
              seed);
    expect_same("value", i, &result->value, 1);
    free_results();
}

Test(random, any_value_comes_back_as_it_was)
{
    nwpool *pool = pool_of("values.js", 1);

    start_random();
    for (int i = 0; i < VALUES; i++) {
        echo_once(pool, i);
    }
    end_random();
    destroy(pool);
}

static void call_once(nwpool *pool, int i)
{
    const nw_value *values[ARGUMENTS_MAX];
    const nw_value *others[ARGUMENTS_MAX];
    nw_task_spec spec = {.function = "all", .arguments = values};
    const nw_result *result;
    nw_task_id task;

    next_random();
    spec.argument_count = 2 + nw_make_below(&maker, ARGUMENTS_MAX - 1);
    for (size_t k = 0; k < spec.argument_count; k++) {
        values[k] = nw_make_value(&maker);
    }
    nw_canon_text(&expected, values, spec.argument_count);
    cr_assert(eq(int, submit_spec(pool, spec, &task), NW_OK));
    result = take(pool, task);
    cr_assert(eq(int, result->status, NW_OK), "call %d, NW_SEED=%" PRIu64, i,
              seed);
    for (size_t k = 0; k < spec.argument_count; k++) {
        others[k] = nw_array_get(result->value, k);
    }
    expect_same("call", i, others, spec.argument_count);
    free_results();
}

// Several values at once, as arguments that may share parts.
Test(random, any_arguments_come_back_as_they_were)
{
    nwpool *pool = pool_of("values.js", 2);

    start_random();
    for (int i = 0; i < CALLS; i++) {
        call_once(pool, i);
    }
    end_random();
    destroy(pool);
}

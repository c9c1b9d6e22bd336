// Goal: a process with a thread that is parked for ever, as its heap was
// exhausted, works on, and ends soon and with the status it was given.

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/runtime/process.h"

TestSuite(parked, .timeout = 60);

static struct outcome run_parked(const char *mode, const char *status)
{
    struct program program = {
        .arguments = {RUNTIME_PARKED_HOST, mode, status},
    };

    return run_program(&program);
}

// Nothing is waited for that cannot come: far below the time-out at exit, which
// is two seconds, but for the start and for filling the heap.
Test(parked, main_returns_at_once_and_with_its_status)
{
    struct outcome outcome = run_parked("return", "6");

    cr_expect(eq(int, outcome.status, 6), "%s", outcome_text(&outcome));
    cr_expect(eq(str, outcome.out, "buffered, handler"));
}

Test(parked, the_runtime_stops_and_says_who_stayed)
{
    struct outcome outcome = run_parked("stop", "7");
    const char *line = strstr(outcome.err, "NW_EWEDGED after ");
    unsigned long took_ms = 0;

    cr_expect(eq(int, outcome.status, 7), "%s", outcome_text(&outcome));
    cr_expect(eq(str, outcome.out, "buffered, handler"));
    cr_assert(line != NULL, "%s", outcome_text(&outcome));
    cr_expect(eq(int, sscanf(line, "NW_EWEDGED after %lu", &took_ms), 1));
    cr_expect(took_ms < 1500, "it took %lu ms", took_ms);
}

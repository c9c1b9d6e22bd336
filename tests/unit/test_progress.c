// Goal: the progress line says what matters first, never more than fits, and
// promises nothing that it does not know.

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "batch/progress.h"
#include "tests/unit/support.h"

TestSuite(progress, .fini = nw_test_no_leaks, .timeout = 20);

static void expect_line(struct nwpool_batch_counts counts, double rate,
                        size_t width, const char *expected)
{
    struct nwpool_batch_text line = {0};

    nwpool_batch_progress_format(&line, &counts, rate, width);
    cr_expect(eq(str, line.data, (char *)expected));
    cr_expect(le(sz, line.size, width));
    nwpool_batch_text_fini(&line);
}

Test(progress, a_known_total_gives_percent_and_time_left)
{
    const struct nwpool_batch_counts counts = {.done = 250,
                                               .taken = 300,
                                               .total = 1000,
                                               .fraction = 0.3,
                                               .running = 2};

    expect_line(counts, 50, 79, "250/1000  25%  ETA 15 s  50/s  2 running");
}

Test(progress, an_unknown_total_promises_nothing)
{
    const struct nwpool_batch_counts counts = {.done = 1234,
                                               .failed = 3,
                                               .taken = 1240,
                                               .total = -1,
                                               .fraction = -1,
                                               .running = 4};

    expect_line(counts, 12345.6, 79,
                "1234 done  3 failed  12,346/s  4 running");
}

Test(progress, the_share_of_a_file_stands_in_for_a_total)
{
    const struct nwpool_batch_counts counts = {
        .done = 100, .taken = 200, .total = -1, .fraction = 0.1, .running = 2};

    expect_line(counts, 10, 79, "100 done  5%  ETA 3:10  10/s  2 running");
}

Test(progress, one_hundred_percent_is_for_the_end)
{
    struct nwpool_batch_counts counts = {.done = 9999,
                                         .taken = 10000,
                                         .total = 10000,
                                         .fraction = 1,
                                         .running = 1};

    expect_line(counts, 100, 79, "9999/10000  99%  ETA 0 s  100/s  1 running");
    counts.done = 10000;
    counts.running = 0;
    expect_line(counts, 100, 79, "10000/10000  100%  100/s  0 running");
}

Test(progress, nothing_done_yet_is_no_rate)
{
    const struct nwpool_batch_counts counts = {
        .total = 10, .running = 2, .taken = 2, .fraction = 0.2};

    expect_line(counts, 0, 79, "0/10  0%  2 running");
}

Test(progress, a_narrow_terminal_gets_what_matters_first)
{
    const struct nwpool_batch_counts counts = {.done = 250,
                                               .failed = 7,
                                               .taken = 300,
                                               .total = 1000,
                                               .fraction = 0.3,
                                               .running = 2};

    expect_line(counts, 50, 30, "250/1000  25%  7 failed  50/s");
    expect_line(counts, 50, 14, "250/1000  25%");
    expect_line(counts, 50, 8, "250/1000");
}

static void expect_duration(double seconds, const char *expected)
{
    struct nwpool_batch_text text = {0};

    nwpool_batch_duration_format(&text, seconds);
    cr_expect(eq(str, text.data, (char *)expected));
    nwpool_batch_text_fini(&text);
}

Test(progress, durations_are_as_exact_as_they_are_long)
{
    expect_duration(0.344, "0.34 s");
    expect_duration(9.99, "9.99 s");
    expect_duration(9.996, "10 s");
    expect_duration(59.4, "59 s");
    expect_duration(59.6, "1:00");
    expect_duration(187, "3:07");
    expect_duration(3599.6, "1:00:00");
    expect_duration(7387, "2:03:07");
}

static void expect_rate(double rate, const char *expected)
{
    struct nwpool_batch_text text = {0};

    nwpool_batch_rate_format(&text, rate);
    cr_expect(eq(str, text.data, (char *)expected));
    nwpool_batch_text_fini(&text);
}

Test(progress, rates_have_digits_that_mean_something)
{
    expect_rate(0.34, "0.3/s");
    expect_rate(9.96, "10/s");
    expect_rate(999.4, "999/s");
    expect_rate(1000, "1,000/s");
    expect_rate(1234567.8, "1,234,568/s");
}

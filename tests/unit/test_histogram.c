// Goal: a histogram says of any durations what their sorted list would say, to
// within a sixteenth.
//
// NW_SEED=n repeats a run; the seed is printed.

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "pool/histogram.h"
#include "src/common.h"
#include "tests/random.h"

#define US      UINT64_C(1000)
#define MS      UINT64_C(1000000)
#define HOUR_NS (3600 * 1000 * MS)

static struct nwpool__histogram histogram; // Criterion: a process for each.

TestSuite(histogram, .timeout = 60);

static void record(uint64_t ns, unsigned times)
{
    for (; times > 0; times--) {
        nwpool__histogram_record(&histogram, ns);
    }
}

static uint64_t percentile(double percent)
{
    return nwpool__histogram_percentile(&histogram, percent);
}

// As the header promises; in integers, so that nothing is rounded.
static bool is_near(uint64_t seen, uint64_t exact)
{
    uint64_t error = seen > exact ? seen - exact : exact - seen;

    return exact < 64 ? error <= 4 : error <= exact / 16;
}

static void expect_percentile(double percent, uint64_t exact)
{
    uint64_t seen = percentile(percent);

    cr_expect(is_near(seen, exact), "%g %%: %" PRIu64 " instead of %" PRIu64,
              percent, seen, exact);
}

static void expect_extremes(uint64_t count, uint64_t min, uint64_t max)
{
    cr_expect(eq(u64, nwpool__histogram_count(&histogram), count));
    cr_expect(eq(u64, nwpool__histogram_min(&histogram), min));
    cr_expect(eq(u64, nwpool__histogram_max(&histogram), max));
}

static void expect_mean(double mean)
{
    double seen = nwpool__histogram_mean(&histogram);

    cr_expect(le(dbl, fabs(seen - mean), mean * 1e-9), "%g, not %g", seen,
              mean);
}

// -- known answers

Test(histogram, empty_is_all_zero)
{
    expect_extremes(0, 0, 0);
    cr_expect(eq(dbl, nwpool__histogram_mean(&histogram), 0));
    cr_expect(eq(u64, percentile(0), 0));
    cr_expect(eq(u64, percentile(50), 0));
    cr_expect(eq(u64, percentile(100), 0));
}

Test(histogram, takes_less_than_four_kibibytes)
{
    cr_expect(le(sz, sizeof(histogram), 2432));
}

Test(histogram, constant_durations_are_told_exactly)
{
    record(12345, 1000);
    expect_extremes(1000, 12345, 12345);
    cr_expect(eq(dbl, nwpool__histogram_mean(&histogram), 12345));
    cr_expect(eq(u64, percentile(0), 12345));
    cr_expect(eq(u64, percentile(50), 12345));
    cr_expect(eq(u64, percentile(99.9), 12345));
    cr_expect(eq(u64, percentile(100), 12345));
}

Test(histogram, one_slow_one_in_a_hundred)
{
    record(100 * US, 99);
    record(50 * MS, 1);
    expect_extremes(100, 100 * US, 50 * MS);
    expect_mean((99 * 100e3 + 50e6) / 100);
    expect_percentile(50, 100 * US);
    expect_percentile(99, 100 * US);
    expect_percentile(99.01, 50 * MS);
    cr_expect(eq(u64, percentile(100), 50 * MS));
}

Test(histogram, uniform_durations)
{
    for (uint64_t i = 1; i <= 100000; i++) {
        record(i * US, 1);
    }
    expect_extremes(100000, US, 100000 * US);
    expect_mean(50000.5 * 1000);
    for (uint64_t i = 1; i < 1000; i++) {
        expect_percentile((double)i / 10, i * 100 * US);
    }
}

Test(histogram, percentiles_have_an_end_on_both_sides)
{
    record(1 * MS, 1);
    record(2 * MS, 1);
    record(3 * MS, 1);
    cr_expect(eq(u64, percentile(0), percentile(33)));
    cr_expect(eq(u64, percentile(-1), percentile(0)));
    cr_expect(eq(u64, percentile(-INFINITY), percentile(0)));
    cr_expect(eq(u64, percentile(NAN), percentile(0)));
    cr_expect(eq(u64, percentile(101), percentile(100)));
    cr_expect(eq(u64, percentile(INFINITY), percentile(100)));
    expect_percentile(0, 1 * MS);
    expect_percentile(50, 2 * MS);
    expect_percentile(100, 3 * MS);
}

// Neither percentage is what its decimals say, and 7 / 100 * 100 is not 7.
Test(histogram, a_rank_that_is_whole_is_not_the_next_one)
{
    record(MS, 999);
    record(1000 * MS, 1);
    expect_percentile(99.9, MS);
    expect_percentile(99.91, 1000 * MS);
    for (unsigned first = 1; first < 100; first++) {
        nwpool__histogram_reset(&histogram);
        record(MS, first);
        record(1000 * MS, 100 - first);
        expect_percentile(first, MS);
        expect_percentile(first + 0.001, 1000 * MS);
    }
}

Test(histogram, what_takes_more_than_an_hour_is_counted_too)
{
    record(MS, 1);
    record(HOUR_NS, 1);
    expect_percentile(100, HOUR_NS);
    record(NWPOOL__HISTOGRAM_OVERFLOW_NS - 1, 1);
    record(NWPOOL__HISTOGRAM_OVERFLOW_NS, 1);
    record(100 * HOUR_NS, 1);
    expect_extremes(5, MS, 100 * HOUR_NS);
    expect_percentile(40, HOUR_NS);
    expect_percentile(60, NWPOOL__HISTOGRAM_OVERFLOW_NS - 1);
    // The greatest stands for all that are in the last bucket.
    cr_expect(eq(u64, percentile(80), 100 * HOUR_NS));
    cr_expect(eq(u64, percentile(100), 100 * HOUR_NS));
    expect_mean((1e6 + 3600e9 + 2 * 0x1p42 + 360000e9) / 5);
}

Test(histogram, the_sum_does_not_overflow)
{
    record(UINT64_MAX, 3);
    record(0, 1);
    expect_extremes(4, 0, UINT64_MAX);
    expect_mean(0x1p64 / 4 * 3);
    cr_expect(eq(u64, percentile(50), UINT64_MAX));
}

// Each alone among much smaller and much larger ones, which otherwise correct
// what is wrong.
Test(histogram, borders_of_buckets_are_in_their_place)
{
    for (uint64_t power = 1; power < NWPOOL__HISTOGRAM_OVERFLOW_NS;
         power *= 2) {
        for (uint64_t eighths = 8; eighths < 16; eighths++) {
            uint64_t border = power * eighths / 8;

            for (uint64_t ns = border - 1; ns <= border + 1; ns++) {
                nwpool__histogram_reset(&histogram);
                record(0, 1);
                record(ns, 1);
                record(UINT64_MAX, 1);
                if (ns < NWPOOL__HISTOGRAM_OVERFLOW_NS) {
                    expect_percentile(50, ns);
                }
            }
        }
    }
}

// -- life

Test(histogram, reset_empties_it)
{
    record(5 * MS, 10);
    record(HOUR_NS * 2, 10);
    nwpool__histogram_reset(&histogram);
    expect_extremes(0, 0, 0);
    record(7 * MS, 1);
    expect_extremes(1, 7 * MS, 7 * MS);
    cr_expect(eq(u64, percentile(50), 7 * MS));
    cr_expect(eq(dbl, nwpool__histogram_mean(&histogram), 7e6));
}

Test(histogram, a_copy_is_a_snapshot)
{
    struct nwpool__histogram snapshot;

    record(5 * MS, 10);
    snapshot = histogram;
    record(90 * MS, 1000);
    cr_expect(eq(u64, nwpool__histogram_count(&snapshot), 10));
    cr_expect(eq(u64, nwpool__histogram_max(&snapshot), 5 * MS));
    cr_expect(eq(u64, nwpool__histogram_percentile(&snapshot, 99), 5 * MS));
    cr_expect(eq(dbl, nwpool__histogram_mean(&snapshot), 5e6));
}

// -- random durations against their sorted list

#define ROUNDS    300
#define COUNT_MAX 3000
#define LOOKS     50

static uint64_t random_state;

static uint64_t random_number(void)
{
    return random_next(&random_state);
}

static int compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a;
    uint64_t two = *(const uint64_t *)b;

    return (one > two) - (one < two);
}

// Of any magnitude below `bits` bits.
static uint64_t random_duration(unsigned bits)
{
    return random_number() >> (64 - 1 - random_number() % bits);
}

// `thousandths` of a percent.
static void compare_at(const uint64_t *sorted, uint64_t count,
                       uint64_t thousandths)
{
    uint64_t rank = (thousandths * count + 99999) / 100000;
    uint64_t exact = sorted[rank > 0 ? rank - 1 : 0];
    uint64_t seen = percentile((double)thousandths / 1000);

    if (exact >= NWPOOL__HISTOGRAM_OVERFLOW_NS) {
        cr_expect(eq(u64, seen, sorted[count - 1]));
        return;
    }
    cr_expect(is_near(seen, exact),
              "%g %% of %" PRIu64 ": %" PRIu64 " instead of %" PRIu64,
              (double)thousandths / 1000, count, seen, exact);
    cr_expect(ge(u64, seen, sorted[0]));
    cr_expect(le(u64, seen, sorted[count - 1]));
}

static void compare_round(void)
{
    static uint64_t durations[COUNT_MAX];
    uint64_t count = 1 + random_number() % COUNT_MAX;
    unsigned bits = 1 + (unsigned)(random_number() % 44);
    double sum = 0;

    nwpool__histogram_reset(&histogram);
    for (uint64_t i = 0; i < count; i++) {
        durations[i] = random_duration(bits);
        sum += (double)durations[i];
        record(durations[i], 1);
    }
    qsort(durations, count, sizeof(durations[0]), compare);
    expect_extremes(count, durations[0], durations[count - 1]);
    expect_mean(sum / (double)count);
    for (int i = 0; i < LOOKS; i++) {
        compare_at(durations, count, random_number() % 100001);
    }
    compare_at(durations, count, 0);
    compare_at(durations, count, 100000);
}

Test(histogram, random_durations_are_as_in_their_sorted_list)
{
    const char *given = getenv("NW_SEED");

    random_state =
        given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("NW_SEED=%" PRIu64 "\n", random_state);
    for (int i = 0; i < ROUNDS; i++) {
        compare_round();
    }
}

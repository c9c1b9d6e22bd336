// A histogram of durations: how many took how long, in fixed memory.
//
// Buckets are as wide as an eighth of the power of two that they begin with:
// a percentile is off by at most a sixteenth, whatever was recorded. From 64 ns
// to 73 minutes; below that to within 4 ns. 2.4 KiB each.
//
// All zero is empty, so there is nothing to initialise, and a copy by
// assignment is a snapshot. There is no lock in it: the caller holds the one
// that protects the histogram, also to read it. Thread: any.

#ifndef NW_POOL_HISTOGRAM_H
#define NW_POOL_HISTOGRAM_H

#include <stdint.h>

// Durations from here on, 2^42 ns, are in one bucket.
#define NWPOOL__HISTOGRAM_OVERFLOW_NS (UINT64_C(1) << 42)

// 8 buckets below 64 ns, 8 for each of the 36 powers of two from there to
// 2^42 ns, and the one for all else.
#define NWPOOL__HISTOGRAM_BUCKETS (8 + 36 * 8 + 1)

struct nwpool__histogram {
    uint64_t count;
    uint64_t min;
    uint64_t max;
    uint64_t sum_low; // 128 bits: a queue waits many years a day.
    uint64_t sum_high;
    uint64_t buckets[NWPOOL__HISTOGRAM_BUCKETS];
};

void nwpool__histogram_record(struct nwpool__histogram *histogram, uint64_t ns);
void nwpool__histogram_reset(struct nwpool__histogram *histogram);

// All of these are 0 when nothing was recorded; the first three are exact.
uint64_t nwpool__histogram_count(const struct nwpool__histogram *histogram);
uint64_t nwpool__histogram_min(const struct nwpool__histogram *histogram);
uint64_t nwpool__histogram_max(const struct nwpool__histogram *histogram);
double nwpool__histogram_mean(const struct nwpool__histogram *histogram);

// The duration that `percent` of those recorded did not exceed: of N, sorted,
// the one at rank percent / 100 * N, rounded up, at least the first and at most
// the last. The answer is off from that one by at most a sixteenth of it, or by
// 4 ns below 64 ns, and never less than the least recorded or more than the
// greatest; the first and the last are exact. From 2^42 ns on it is the
// greatest.
uint64_t nwpool__histogram_percentile(const struct nwpool__histogram *histogram,
                                      double percent);

#endif

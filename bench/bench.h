// What every benchmark needs: a clock, a median, a word about the machine.
// Programs here print and never judge; nothing in the tests depends on them.

#ifndef NW_BENCH_BENCH_H
#define NW_BENCH_BENCH_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

// Sorts `values` and prints their median, minimum and maximum. Returns the
// median.
static inline double bench_print(const char *what, double *values, size_t count,
                                 const char *unit)
{
    double median;

    qsort(values, count, sizeof(*values), bench_compare);
    median = values[count / 2];
    printf("%-44s %12.0f %s  (%.0f to %.0f)\n", what, median, unit, values[0],
           values[count - 1]);
    return median;
}

// The same with what the slow ones took.
static inline double bench_print_tail(const char *what, double *values,
                                      size_t count, const char *unit)
{
    qsort(values, count, sizeof(*values), bench_compare);
    printf("%-44s %9.0f %s  (min %.0f, p90 %.0f, max %.0f)\n", what,
           values[count / 2], unit, values[0], values[count * 9 / 10],
           values[count - 1]);
    return values[count / 2];
}

static inline void bench_print_machine(void)
{
    char model[128] = "unknown processor";
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    printf("%s, %ld CPUs online\n", model, sysconf(_SC_NPROCESSORS_ONLN));
}

#endif

// What tracing costs: nanoseconds for each hook call, off and on, and the time
// to write 100,000 tasks. Medians of several rounds.
//
//   bench_trace [DIRECTORY]
//
// Each round records into new rings, so that the cost of growing them is part
// of the figures. The clock is not: the core has read it for reasons of its
// own. Where it has not, add one nw__now_ns(), which is shown for comparison.
// The trace is written to DIRECTORY, by default /tmp, and removed.

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nwpool/trace.h>

#include "src/common.h"
#include "src/hooks.h"

#define TASKS  100000
#define ROUNDS 7

enum figure {
    FIGURE_CLOCK,
    FIGURE_OFF,
    FIGURE_SUBMIT,
    FIGURE_RUN, // Three calls: started, async id, ended.
    FIGURE_DELIVER,
    FIGURE_WRITE,
    FIGURES
};

static double figures[FIGURES][ROUNDS];

static void record_submits(void)
{
    for (uint64_t task = 1; task <= TASKS; task++) {
        const struct nw__hooks *hooks = nw__hooks();

        if (hooks != NULL) {
            hooks->task_submitted(task, "f", task * 1000, task * 1000 + 100);
        }
    }
}

static void record_runs(void)
{
    for (uint64_t task = 1; task <= TASKS; task++) {
        const struct nw__hooks *hooks = nw__hooks();

        if (hooks != NULL) {
            hooks->task_started(task, "f", 1, task * 1000 + 300);
        }
        hooks = nw__hooks();
        if (hooks != NULL) {
            hooks->task_async_id(task, (double)task);
        }
        hooks = nw__hooks();
        if (hooks != NULL) {
            hooks->task_ended(task, "f", 1, NW_OK, task * 1000 + 600);
        }
    }
}

static void record_deliveries(void)
{
    for (uint64_t task = 1; task <= TASKS; task++) {
        const struct nw__hooks *hooks = nw__hooks();

        if (hooks != NULL) {
            hooks->task_delivered(task, "f", NW_OK, task * 1000 + 700,
                                  task * 1000 + 800);
        }
    }
}

static void read_clock(void)
{
    for (uint64_t task = 1; task <= TASKS; task++) {
        nw__now_ns();
    }
}

static uint64_t time_ns(void (*body)(void))
{
    uint64_t begin_ns = nw__now_ns();

    body();
    return nw__now_ns() - begin_ns;
}

static void run_round(const char *file, int round)
{
    // All on one thread: room for the three events that each task leaves.
    nw_trace_options options = {
        .struct_size = sizeof(options), .file = file, .events_max = 4 * TASKS};
    uint64_t begin_ns;
    nw_status status;

    figures[FIGURE_CLOCK][round] = (double)time_ns(read_clock) / TASKS;
    figures[FIGURE_OFF][round] = (double)time_ns(record_submits) / TASKS;

    status = nw_trace_start(&options);
    if (status == NW_OK) {
        figures[FIGURE_SUBMIT][round] = (double)time_ns(record_submits) / TASKS;
        figures[FIGURE_RUN][round] = (double)time_ns(record_runs) / TASKS / 3;
        figures[FIGURE_DELIVER][round] =
            (double)time_ns(record_deliveries) / TASKS;
        begin_ns = nw__now_ns();
        status = nw_trace_stop();
        figures[FIGURE_WRITE][round] =
            (double)(nw__now_ns() - begin_ns) / (double)NW__NS_PER_MS;
    }
    if (status != NW_OK) {
        fprintf(stderr, "%s: %s\n", file, nw_status_message(status));
        exit(1);
    }
}

static int double_compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(*values), double_compare);
    return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    static const char *const names[FIGURES] = {
        [FIGURE_CLOCK] = "clock, for comparison",
        [FIGURE_OFF] = "off: hook not installed",
        [FIGURE_SUBMIT] = "on: task_submitted",
        [FIGURE_RUN] = "on: started, async_id, ended",
        [FIGURE_DELIVER] = "on: task_delivered",
        [FIGURE_WRITE] = "nw_trace_stop(), 100,000 tasks",
    };
    char file[4096];

    snprintf(file, sizeof(file), "%s/bench_trace.%d.json",
             argc > 1 ? argv[1] : "/tmp", (int)getpid());
    for (int round = 0; round < ROUNDS; round++) {
        run_round(file, round);
    }
    unlink(file);
    for (int i = 0; i < FIGURES; i++) {
        printf("%-32s %8.1f %s\n", names[i], median(figures[i]),
               i == FIGURE_WRITE ? "ms" : "ns/event");
    }
    return 0;
}

// Runs a job: starts what is needed, feeds, and settles in reverse order.
//
//   main thread        reads inputs, submits tasks       (flow.c)
//   completion thread  of the pool; makes output lines   (flow.c)
//   writer thread      writes them                       (output.c)
//   signals thread     asks for an end                   (signals.c)
//   progress thread    draws a line                      (progress.c)
//
// No lock here.

#include "batch/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nwpool/pool.h>
#include <nwpool/trace.h>

#include "batch/flow.h"
#include "batch/output.h"
#include "batch/progress.h"
#include "batch/report.h"
#include "batch/signals.h"

struct run {
    // -- immutable once feeding
    const struct nwpool_batch_job *job;
    const struct nwpool_batch_run_options *options;
    struct nwpool_batch_input *input;
    double started_s;
    struct nwpool_batch_flow *flow;
    int output_fd;
    bool tracing;
    nwpool *pool;
    struct nwpool_batch_output *output;
    struct nwpool_batch_progress *progress;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// -- what the other threads tell

static void on_signal(int number, void *user_data)
{
    struct run *run = user_data;

    nwpool_batch_flow_interrupt(run->flow, number);
}

// Nobody reads standard output any more: the usual end of a tool in a pipe.
static _Noreturn void end_by_pipe(struct run *run)
{
    sigset_t set;

    nwpool_batch_progress_erase(run->progress);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(SIGPIPE);
    _exit(NWPOOL_BATCH_EXIT_SIGNAL + SIGPIPE);
}

static void on_lines_taken(uint64_t taken, int error, void *user_data)
{
    struct run *run = user_data;

    if (error == EPIPE && run->job->output == NULL) {
        end_by_pipe(run);
    }
    nwpool_batch_flow_lines_out(run->flow, taken, error);
}

static void read_counts(struct nwpool_batch_counts *counts, void *user_data)
{
    struct run *run = user_data;
    nwpool_stats stats = {.struct_size = sizeof(stats)};

    nwpool_get_stats(run->pool, &stats);
    nwpool_batch_flow_counts(run->flow, counts);
    counts->running = stats.running;
}

// -- start

static int thread_failed(int error)
{
    return nwpool_batch_complain(NWPOOL_BATCH_EXIT_IO,
                                 "cannot start a thread: %s", strerror(error));
}

// Keeps what tasks print away from the results: with results on standard
// output, whatever else is written there goes to standard error.
static int claim_stdout(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

    if (fd >= 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
    }
    return fd;
}

static int open_output(struct run *run)
{
    const char *file = run->job->output;

    if (file == NULL) {
        run->output_fd = claim_stdout();
    } else {
        run->output_fd =
            open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    if (run->output_fd < 0) {
        return nwpool_batch_complain(
            NWPOOL_BATCH_EXIT_IO, "cannot write to %s: %s",
            file != NULL ? file : "standard output", strerror(errno));
    }
    return NWPOOL_BATCH_EXIT_OK;
}

static int start_signals(struct run *run)
{
    int error;

    // Tasks may write to sockets that their peer has closed.
    signal(SIGPIPE, SIG_IGN);
    error = nwpool_batch_signals_start(on_signal, run);
    return error != 0 ? thread_failed(error) : NWPOOL_BATCH_EXIT_OK;
}

static int trace_failed(const struct run *run, const char *why)
{
    return nwpool_batch_complain(NWPOOL_BATCH_EXIT_IO,
                                 "cannot write the trace %s: %s",
                                 run->options->trace, why);
}

// Before the pool: its workers must know that they are traced.
static int start_trace(struct run *run)
{
    const nw_trace_options options = {
        .struct_size = sizeof(options),
        .file = run->options->trace,
    };
    nw_status status;

    if (options.file == NULL) {
        return NWPOOL_BATCH_EXIT_OK;
    }
    status = nw_trace_start(&options);
    if (status != NW_OK) {
        return trace_failed(run, status == NW_EIO ? strerror(errno)
                                                  : nw_status_message(status));
    }
    run->tracing = true;
    return NWPOOL_BATCH_EXIT_OK;
}

static int start_pool(struct run *run)
{
    const nwpool_options options = {
        .struct_size = sizeof(options),
        .module = run->job->module,
        .workers = run->job->workers,
        .queue_max = run->job->queue,
    };
    nw_status status = nwpool_create(&run->pool, &options);

    if (status == NW_ENODE) {
        return nwpool_batch_complain(NWPOOL_BATCH_EXIT_POOL,
                                     "Node.js cannot start: %s",
                                     nw_runtime_error());
    }
    if (status != NW_OK) {
        return nwpool_batch_complain(NWPOOL_BATCH_EXIT_POOL,
                                     "the worker pool cannot start: %s",
                                     nw_status_message(status));
    }
    return NWPOOL_BATCH_EXIT_OK;
}

static int start_output(struct run *run)
{
    const struct nwpool_batch_output_options options = {
        .fd = run->output_fd,
        .order = run->job->order,
        .lines_max = run->job->queue,
        .on_taken = on_lines_taken,
        .user_data = run,
    };

    run->output = nwpool_batch_output_create(&options);
    return run->output == NULL ? thread_failed(errno) : NWPOOL_BATCH_EXIT_OK;
}

static int start(struct run *run)
{
    static int (*const steps[])(struct run *) = {
        open_output, start_signals, start_trace, start_pool, start_output,
    };
    int status = NWPOOL_BATCH_EXIT_OK;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        status = steps[i](run);
        if (status != NWPOOL_BATCH_EXIT_OK) {
            return status;
        }
    }
    if (run->options->progress && isatty(STDERR_FILENO)) {
        run->progress = nwpool_batch_progress_start(stderr, read_counts, run);
    }
    return status;
}

// -- end

// Says at once that a signal was understood: tasks may take their time.
static void announce_interrupt(struct run *run)
{
    struct nwpool_batch_counts counts;

    if (nwpool_batch_flow_interrupted(run->flow) && run->options->summary) {
        nwpool_batch_flow_counts(run->flow, &counts);
        nwpool_batch_progress_erase(run->progress);
        nwpool_batch_complain(0,
                              "interrupted: finishing %" PRIu64
                              " tasks; a second signal ends at once",
                              counts.taken - counts.done);
    }
}

// Some file systems say only now that there was no room.
static void close_output(struct run *run, struct nwpool_batch_outcome *outcome)
{
    if (close(run->output_fd) != 0 && outcome->output_error == 0) {
        outcome->output_error = errno;
        if (outcome->stop == NWPOOL_BATCH_STOP_NOT) {
            outcome->stop = NWPOOL_BATCH_STOP_OUTPUT;
        }
    }
    run->output_fd = -1;
}

static int stop_trace(struct run *run)
{
    nw_status status;

    if (!run->tracing) {
        return NWPOOL_BATCH_EXIT_OK;
    }
    run->tracing = false;
    status = nw_trace_stop();
    return status == NW_OK ? NWPOOL_BATCH_EXIT_OK
                           : trace_failed(run, nw_status_message(status));
}

// Waits for what was submitted, writes it, and says how it all went.
static int finish(struct run *run)
{
    struct nwpool_batch_outcome *outcome = nwpool_batch_flow_outcome(run->flow);
    struct nwpool_batch_subject subject = {
        .module = run->job->module,
        .output = run->job->output,
        .input_error = nwpool_batch_input_error(run->input),
        .total = nwpool_batch_input_total(run->input),
    };
    int trace_status;
    int status;

    announce_interrupt(run);
    nwpool_close(run->pool);
    nwpool_drain(run->pool, NW_WAIT_FOREVER);
    outcome->written = nwpool_batch_output_finish(run->output);
    nwpool_batch_progress_stop(run->progress);
    nwpool_batch_signals_stop();

    close_output(run, outcome);
    subject.elapsed_s = now_s() - run->started_s;
    trace_status = stop_trace(run);
    status = nwpool_batch_report(outcome, &subject, run->options->summary);
    // A lost trace is worse than failed tasks, which the output tells about.
    return status <= NWPOOL_BATCH_EXIT_TASKS && trace_status != 0 ? trace_status
                                                                  : status;
}

// Also of a run that could not start.
static void run_fini(struct run *run)
{
    nwpool_batch_signals_stop();
    nwpool_destroy(run->pool);
    stop_trace(run);
    nwpool_batch_output_destroy(run->output);
    nwpool_batch_flow_destroy(run->flow);
    if (run->output_fd >= 0) {
        close(run->output_fd);
    }
}

int nwpool_batch_run(const struct nwpool_batch_job *job,
                     struct nwpool_batch_input *input,
                     const struct nwpool_batch_run_options *options)
{
    struct run run = {
        .job = job,
        .options = options,
        .input = input,
        .started_s = now_s(),
        .flow = nwpool_batch_flow_create(job, input),
        .output_fd = -1,
    };
    int status = start(&run);

    if (status == NWPOOL_BATCH_EXIT_OK) {
        nwpool_batch_flow_feed(run.flow, run.pool, run.output);
        status = finish(&run);
    }
    run_fini(&run);
    return status;
}

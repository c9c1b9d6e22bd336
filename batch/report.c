// What a run says when it is over.
//
// The summary comes first and the reason for a stop last, because the last
// line is what people read.

#include "batch/report.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/progress.h"

void nwpool_batch_outcome_fini(struct nwpool_batch_outcome *outcome)
{
    nwpool_batch_tally_fini(&outcome->tally);
    free(outcome->pool_error);
    outcome->pool_error = NULL;
}

int nwpool_batch_complain(int status, const char *format, ...)
{
    struct nwpool_batch_text line = {0};
    va_list arguments;

    nwpool_batch_text_puts(&line, "nwpool: ");
    va_start(arguments, format);
    nwpool_batch_text_vprintf(&line, format, arguments);
    va_end(arguments);
    nwpool_batch_text_puts(&line, "\n");
    // One write, so that nothing of a task's own output gets in between.
    fputs(line.data, stderr);
    nwpool_batch_text_fini(&line);
    return status;
}

static const char *output_name(const struct nwpool_batch_subject *subject)
{
    return subject->output != NULL ? subject->output : "standard output";
}

static void print_summary(const struct nwpool_batch_outcome *outcome,
                          const struct nwpool_batch_subject *subject)
{
    struct nwpool_batch_text out = {0};

    nwpool_batch_text_printf(&out, "nwpool: %" PRIu64 " %s in ", outcome->taken,
                             outcome->taken == 1 ? "input" : "inputs");
    nwpool_batch_duration_format(&out, subject->elapsed_s);
    nwpool_batch_text_puts(&out, " (");
    nwpool_batch_rate_format(&out, (double)outcome->taken / subject->elapsed_s);
    nwpool_batch_text_printf(&out, "): %" PRIu64 " ok, %" PRIu64 " failed\n",
                             outcome->tally.ok, outcome->tally.failed);
    // What keeps the pool from working is said once, by report_stop().
    nwpool_batch_tally_format(&out, &outcome->tally,
                              outcome->stop != NWPOOL_BATCH_STOP_POOL);
    if (subject->output != NULL) {
        nwpool_batch_text_printf(&out, "nwpool: results in %s\n",
                                 subject->output);
    }
    fputs(out.data, stderr);
    nwpool_batch_text_fini(&out);
}

// What became of the inputs that a stopped run had not read yet.
static char *describe_rest(const struct nwpool_batch_outcome *outcome,
                           const struct nwpool_batch_subject *subject)
{
    if (outcome->input_over || (int64_t)outcome->taken == subject->total) {
        return nwpool_batch_strdup("every input was run");
    }
    if (subject->total < 0) {
        return nwpool_batch_strdup("the rest of the input was not run");
    }
    return nwpool_batch_format("%" PRId64 " of %" PRId64 " inputs were not run",
                               subject->total - (int64_t)outcome->taken,
                               subject->total);
}

static void print_indented(const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");

        nwpool_batch_complain(0, "  %.*s", (int)size, text);
        text += size + (text[size] == '\n');
    }
}

static int report_stop(const struct nwpool_batch_outcome *outcome,
                       const struct nwpool_batch_subject *subject)
{
    char *rest = describe_rest(outcome, subject);
    int status = NWPOOL_BATCH_EXIT_OK;

    switch (outcome->stop) {
    case NWPOOL_BATCH_STOP_NOT:
        break;
    case NWPOOL_BATCH_STOP_SIGNAL:
        status = nwpool_batch_complain(
            NWPOOL_BATCH_EXIT_SIGNAL + outcome->signal, "interrupted by %s; %s",
            outcome->signal == SIGINT ? "SIGINT" : "SIGTERM", rest);
        break;
    case NWPOOL_BATCH_STOP_POOL:
        status = nwpool_batch_complain(
            NWPOOL_BATCH_EXIT_POOL,
            "cannot run %s; %s. The reason:", subject->module, rest);
        print_indented(outcome->pool_error);
        break;
    case NWPOOL_BATCH_STOP_INPUT:
        status = nwpool_batch_complain(NWPOOL_BATCH_EXIT_IO, "%s; %s",
                                       subject->input_error, rest);
        break;
    case NWPOOL_BATCH_STOP_OUTPUT:
        status = nwpool_batch_complain(NWPOOL_BATCH_EXIT_IO,
                                       "cannot write to %s: %s; %" PRIu64
                                       " of %" PRIu64 " lines are out, %s",
                                       output_name(subject),
                                       strerror(outcome->output_error),
                                       outcome->written, outcome->ended, rest);
        break;
    }
    free(rest);
    return status;
}

// Every input that was taken has one line and was counted once.
static bool adds_up(const struct nwpool_batch_outcome *outcome)
{
    const struct nwpool_batch_tally *tally = &outcome->tally;

    return outcome->ended == outcome->taken &&
           tally->ok + tally->failed == outcome->taken &&
           (outcome->output_error != 0 || outcome->written == outcome->taken);
}

int nwpool_batch_report(const struct nwpool_batch_outcome *outcome,
                        const struct nwpool_batch_subject *subject,
                        bool summary)
{
    int status;

    if (summary) {
        print_summary(outcome, subject);
    }
    status = report_stop(outcome, subject);
    if (!adds_up(outcome)) {
        return nwpool_batch_complain(
            NWPOOL_BATCH_EXIT_BUG,
            "internal error: %" PRIu64 " inputs, %" PRIu64 " ended, %" PRIu64
            " counted, %" PRIu64 " lines",
            outcome->taken, outcome->ended,
            outcome->tally.ok + outcome->tally.failed, outcome->written);
    }
    if (status == NWPOOL_BATCH_EXIT_OK && outcome->tally.failed > 0) {
        status = NWPOOL_BATCH_EXIT_TASKS;
    }
    return status;
}

// One line on a terminal that says how far the run is.
//
// The line is erased by overwriting it with spaces, which every terminal can
// do, so nothing depends on TERM; there are no colours. It never reaches the
// last column: terminals disagree about what happens there.
//
// Lock order: progress.lock is taken alone; the counts are read without it.

#include "batch/progress.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define DRAW_INTERVAL_MS 100
#define WIDTH_DEFAULT    80

// Runs this short are over before anybody could read a line.
#define FIRST_DRAW_MS 200

// The rate shown is that of about the last so many seconds.
#define RATE_WINDOW_S 3.0

struct nwpool_batch_progress {
    // -- immutable
    FILE *file;
    nwpool_batch_counts_cb *read_counts;
    void *user_data;
    pthread_t thread;

    // -- progress thread only
    double started_s;
    double last_s;
    uint64_t last_done;
    double rate;

    pthread_mutex_t lock;
    pthread_cond_t stop;

    // -- protected by lock
    bool stopping;
    size_t drawn; // Characters on the line.
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// -- text

void nwpool_batch_duration_format(struct nwpool_batch_text *out, double seconds)
{
    uint64_t whole;

    if (seconds < 9.995) {
        nwpool_batch_text_printf(out, "%.2f s", seconds);
    } else if (seconds < 59.5) {
        nwpool_batch_text_printf(out, "%.0f s", seconds);
    } else {
        whole = (uint64_t)(seconds + 0.5);
        if (whole >= 3600) {
            nwpool_batch_text_printf(out, "%" PRIu64 ":%02d:%02d", whole / 3600,
                                     (int)(whole / 60 % 60), (int)(whole % 60));
        } else {
            nwpool_batch_text_printf(out, "%d:%02d", (int)(whole / 60),
                                     (int)(whole % 60));
        }
    }
}

void nwpool_batch_rate_format(struct nwpool_batch_text *out, double rate)
{
    char digits[32];
    size_t size;

    if (rate < 9.95) {
        nwpool_batch_text_printf(out, "%.1f/s", rate);
        return;
    }
    snprintf(digits, sizeof(digits), "%.0f", rate);
    size = strlen(digits);
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) {
            nwpool_batch_text_puts(out, ",");
        }
        nwpool_batch_text_append(out, &digits[i], 1);
    }
    nwpool_batch_text_puts(out, "/s");
}

// How many inputs there will be; 0 when that cannot be told. Not exact where
// only the share of the file that was read is known.
static double expected_total(const struct nwpool_batch_counts *counts)
{
    if (counts->total >= 0) {
        return (double)counts->total;
    }
    return counts->fraction > 0 ? (double)counts->taken / counts->fraction : 0;
}

// Appends a part of the line unless that would make it longer than `width`.
static void add_part(struct nwpool_batch_text *out, size_t width,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_part(struct nwpool_batch_text *out, size_t width,
                     const char *format, ...)
{
    size_t gap = out->size > 0 ? 2 : 0;
    struct nwpool_batch_text part = {0};
    va_list arguments;

    va_start(arguments, format);
    nwpool_batch_text_vprintf(&part, format, arguments);
    va_end(arguments);
    if (out->size + gap + part.size <= width) {
        nwpool_batch_text_append(out, "  ", gap);
        nwpool_batch_text_append(out, part.data, part.size);
    }
    nwpool_batch_text_fini(&part);
}

static void add_eta(struct nwpool_batch_text *out, size_t width, double seconds)
{
    struct nwpool_batch_text text = {0};

    if (seconds < 59.5) {
        // Hundredths of a second would only flicker.
        nwpool_batch_text_printf(&text, "%.0f s", seconds);
    } else {
        nwpool_batch_duration_format(&text, seconds);
    }
    add_part(out, width, "ETA %s", text.data);
    nwpool_batch_text_fini(&text);
}

static void add_rate(struct nwpool_batch_text *out, size_t width, double rate)
{
    struct nwpool_batch_text text = {0};

    nwpool_batch_rate_format(&text, rate);
    add_part(out, width, "%s", text.data);
    nwpool_batch_text_fini(&text);
}

void nwpool_batch_progress_format(struct nwpool_batch_text *out,
                                  const struct nwpool_batch_counts *counts,
                                  double rate, size_t width)
{
    double total = expected_total(counts);
    double left = total - (double)counts->done;

    if (counts->total >= 0) {
        add_part(out, width, "%" PRIu64 "/%" PRId64, counts->done,
                 counts->total);
    } else {
        add_part(out, width, "%" PRIu64 " done", counts->done);
    }
    if (total > 0) {
        // Rounded down, so 100 % is for the end only.
        add_part(out, width, "%d%%", (int)(100 * (double)counts->done / total));
    }
    if (counts->failed > 0) {
        add_part(out, width, "%" PRIu64 " failed", counts->failed);
    }
    if (left > 0 && rate > 0) {
        add_eta(out, width, left / rate);
    }
    if (rate > 0) {
        add_rate(out, width, rate);
    }
    add_part(out, width, "%" PRIu64 " running", counts->running);
}

// -- drawing

// Caller holds the lock.
static void erase(struct nwpool_batch_progress *progress)
{
    if (progress->drawn > 0) {
        fprintf(progress->file, "\r%*s\r", (int)progress->drawn, "");
        fflush(progress->file);
        progress->drawn = 0;
    }
}

static size_t terminal_width(FILE *file)
{
    struct winsize window;

    if (ioctl(fileno(file), TIOCGWINSZ, &window) != 0 || window.ws_col == 0) {
        return WIDTH_DEFAULT;
    }
    return window.ws_col;
}

// A running mean that forgets: smooth enough to read, quick enough to show
// that something has stalled.
static void update_rate(struct nwpool_batch_progress *progress, uint64_t done)
{
    double now = now_s();
    double step = now - progress->last_s;
    double current;
    double weight;

    if (step < DRAW_INTERVAL_MS / 2000.0) {
        return;
    }
    current = (double)(done - progress->last_done) / step;
    // Until the window is filled, this is the mean since the start.
    weight = fmax(1 - exp(-step / RATE_WINDOW_S),
                  step / (now - progress->started_s));
    progress->rate += (current - progress->rate) * weight;
    progress->last_s = now;
    progress->last_done = done;
}

static void draw(struct nwpool_batch_progress *progress)
{
    struct nwpool_batch_counts counts = {.total = -1, .fraction = -1};
    struct nwpool_batch_text line = {0};
    size_t width = terminal_width(progress->file);
    size_t shown;

    progress->read_counts(&counts, progress->user_data);
    update_rate(progress, counts.done);
    nwpool_batch_progress_format(&line, &counts, progress->rate, width - 1);

    pthread_mutex_lock(&progress->lock);
    shown = progress->drawn < width ? progress->drawn : width - 1;
    if (!progress->stopping) {
        fprintf(progress->file, "\r%s%*s", line.data != NULL ? line.data : "",
                (int)(shown > line.size ? shown - line.size : 0), "");
        fflush(progress->file);
        progress->drawn = line.size;
    }
    pthread_mutex_unlock(&progress->lock);
    nwpool_batch_text_fini(&line);
}

// Sleeps between two drawings. False when it is time to stop.
static bool sleep_ms(struct nwpool_batch_progress *progress, long duration_ms)
{
    struct timespec until;
    bool stopping;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += duration_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;

    pthread_mutex_lock(&progress->lock);
    while (!progress->stopping && result == 0) {
        result =
            pthread_cond_timedwait(&progress->stop, &progress->lock, &until);
    }
    stopping = progress->stopping;
    pthread_mutex_unlock(&progress->lock);
    return !stopping;
}

static void *progress_main(void *argument)
{
    struct nwpool_batch_progress *progress = argument;
    long wait_ms = FIRST_DRAW_MS;

    progress->started_s = now_s();
    progress->last_s = progress->started_s;
    while (sleep_ms(progress, wait_ms)) {
        draw(progress);
        wait_ms = DRAW_INTERVAL_MS;
    }
    return NULL;
}

// -- the outside

static void progress_free(struct nwpool_batch_progress *progress)
{
    pthread_mutex_destroy(&progress->lock);
    pthread_cond_destroy(&progress->stop);
    free(progress);
}

struct nwpool_batch_progress *
nwpool_batch_progress_start(FILE *file, nwpool_batch_counts_cb *read_counts,
                            void *user_data)
{
    struct nwpool_batch_progress *progress =
        nwpool_batch_alloc_zero(sizeof(*progress));
    pthread_condattr_t clock;

    progress->file = file;
    progress->read_counts = read_counts;
    progress->user_data = user_data;
    pthread_mutex_init(&progress->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->stop, &clock);
    pthread_condattr_destroy(&clock);
    if (pthread_create(&progress->thread, NULL, progress_main, progress) != 0) {
        progress_free(progress);
        return NULL;
    }
    return progress;
}

void nwpool_batch_progress_erase(struct nwpool_batch_progress *progress)
{
    if (progress != NULL) {
        pthread_mutex_lock(&progress->lock);
        erase(progress);
        pthread_mutex_unlock(&progress->lock);
    }
}

void nwpool_batch_progress_stop(struct nwpool_batch_progress *progress)
{
    if (progress == NULL) {
        return;
    }
    pthread_mutex_lock(&progress->lock);
    progress->stopping = true;
    erase(progress);
    pthread_cond_signal(&progress->stop);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    progress_free(progress);
}

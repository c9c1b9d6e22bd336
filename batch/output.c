// Puts lines in order and writes them.
//
// A line waits in the ring at the slot of its position: the index of its input
// or, in order of completion, the number of lines handed in before. The writer
// takes all lines that follow each other, writes them in one go, and sleeps
// only when the next one is not there. So a pipe sees a line at once, and a
// file gets large writes when lines come fast.
//
// Invariants
//   Slots [taken, taken + lines_max) are usable; the one at `taken` is the
//   next to be written.
//   A regular file holds whole lines only, also when a write fails midway.
//
// Lock order: output.lock is taken last; no callback is made with it held.

#include "batch/output.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// More than this is not collected for one write.
#define WRITE_SIZE_MAX ((size_t)1 << 20)

struct slot {
    char *line; // NULL: not there yet.
    size_t size;
};

struct nwpool_batch_output {
    // -- immutable
    int fd;
    enum nwpool_batch_order order;
    uint32_t lines_max;
    nwpool_batch_output_cb *on_taken;
    void *user_data;
    pthread_t writer;

    // -- writer only, until it has ended
    uint64_t written; // Lines.
    int error;

    pthread_mutex_t lock;
    pthread_cond_t filled;

    // -- protected by lock
    struct slot *ring;
    uint64_t put;   // Lines handed in.
    uint64_t taken; // Lines that left the ring.
    bool finishing;
};

// Our own bugs end the process: a lost or doubled line must not pass.
static void output_assert(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "nwpool: internal error: %s\n", what);
        _exit(NWPOOL_BATCH_EXIT_BUG);
    }
}

// -- writing

// Waits until a descriptor that somebody else has made non-blocking takes more.
static void wait_writable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};

    while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
    }
}

// Returns how much was written; less than `size` only with errno set.
static size_t write_all(int fd, const char *data, size_t size)
{
    size_t done = 0;
    ssize_t step;

    while (done < size) {
        step = write(fd, data + done, size - done);
        if (step >= 0) {
            done += (size_t)step;
        } else if (errno == EAGAIN) {
            wait_writable(fd);
        } else if (errno != EINTR) {
            break;
        }
    }
    return done;
}

static uint64_t count_lines(const char *data, size_t size)
{
    uint64_t count = 0;

    for (size_t i = 0; i < size; i++) {
        count += data[i] == '\n';
    }
    return count;
}

// After a failed write: takes a torn line off the end of a regular file.
static void drop_torn_line(int fd, const char *data, size_t done)
{
    size_t whole = done;
    off_t end = lseek(fd, 0, SEEK_CUR);
    struct stat info;

    while (whole > 0 && data[whole - 1] != '\n') {
        whole--;
    }
    if (whole == done || end < 0 || fstat(fd, &info) != 0 ||
        !S_ISREG(info.st_mode)) {
        return;
    }
    // Only what this run wrote: somebody else may share the file.
    end -= (off_t)(done - whole);
    if (info.st_size == end + (off_t)(done - whole) &&
        ftruncate(fd, end) == 0) {
        lseek(fd, end, SEEK_SET);
    }
}

static void write_lines(struct nwpool_batch_output *output,
                        const struct nwpool_batch_text *lines)
{
    size_t done;

    if (output->error != 0) {
        return;
    }
    done = write_all(output->fd, lines->data, lines->size);
    if (done < lines->size) {
        output->error = errno;
        drop_torn_line(output->fd, lines->data, done);
    }
    output->written += count_lines(lines->data, done);
}

// Moves the lines that are next in order out of the ring.
//
// Caller holds the lock.
static void take_lines(struct nwpool_batch_output *output,
                       struct nwpool_batch_text *lines)
{
    struct slot *slot = &output->ring[output->taken % output->lines_max];

    lines->size = 0;
    while (slot->line != NULL && lines->size < WRITE_SIZE_MAX) {
        nwpool_batch_text_append(lines, slot->line, slot->size);
        free(slot->line);
        slot->line = NULL;
        output->taken++;
        slot = &output->ring[output->taken % output->lines_max];
    }
}

static void *writer_main(void *argument)
{
    struct nwpool_batch_output *output = argument;
    struct nwpool_batch_text lines = {0};
    uint64_t taken;
    bool over;

    do {
        pthread_mutex_lock(&output->lock);
        take_lines(output, &lines);
        while (lines.size == 0 && !output->finishing) {
            pthread_cond_wait(&output->filled, &output->lock);
            take_lines(output, &lines);
        }
        taken = output->taken;
        over = lines.size == 0;
        pthread_mutex_unlock(&output->lock);

        if (!over) {
            write_lines(output, &lines);
            output->on_taken(taken, output->error, output->user_data);
        }
    } while (!over);
    nwpool_batch_text_fini(&lines);
    return NULL;
}

// -- the outside

struct nwpool_batch_output *
nwpool_batch_output_create(const struct nwpool_batch_output_options *options)
{
    struct nwpool_batch_output *output =
        nwpool_batch_alloc_zero(sizeof(*output));
    int error;

    output->fd = options->fd;
    output->order = options->order;
    output->lines_max = options->lines_max;
    output->on_taken = options->on_taken;
    output->user_data = options->user_data;
    output->ring =
        nwpool_batch_alloc_zero(options->lines_max * sizeof(*output->ring));
    pthread_mutex_init(&output->lock, NULL);
    pthread_cond_init(&output->filled, NULL);
    error = pthread_create(&output->writer, NULL, writer_main, output);
    if (error != 0) {
        nwpool_batch_output_destroy(output);
        errno = error;
        return NULL;
    }
    return output;
}

void nwpool_batch_output_put(struct nwpool_batch_output *output, uint64_t index,
                             char *line, size_t size)
{
    struct slot *slot;
    uint64_t position;

    pthread_mutex_lock(&output->lock);
    position = output->order == NWPOOL_BATCH_ORDER_INPUT ? index : output->put;
    output_assert(position >= output->taken &&
                      position - output->taken < output->lines_max,
                  "an output line has no place");
    slot = &output->ring[position % output->lines_max];
    output_assert(slot->line == NULL, "an output line came twice");
    slot->line = line;
    slot->size = size;
    output->put++;
    if (position == output->taken) {
        pthread_cond_signal(&output->filled);
    }
    pthread_mutex_unlock(&output->lock);
}

uint64_t nwpool_batch_output_finish(struct nwpool_batch_output *output)
{
    pthread_mutex_lock(&output->lock);
    output->finishing = true;
    pthread_cond_signal(&output->filled);
    pthread_mutex_unlock(&output->lock);
    pthread_join(output->writer, NULL);
    return output->written;
}

void nwpool_batch_output_destroy(struct nwpool_batch_output *output)
{
    if (output == NULL) {
        return;
    }
    for (uint32_t i = 0; i < output->lines_max; i++) {
        free(output->ring[i].line);
    }
    pthread_mutex_destroy(&output->lock);
    pthread_cond_destroy(&output->filled);
    free(output->ring);
    free(output);
}

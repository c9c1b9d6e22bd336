// Reads a file or a pipe line by line.
//
// One buffer holds what was read and not handed out; it grows to the longest
// line and not far beyond the longest that is allowed. read(2) and poll(2)
// instead of stdio: a wait for a pipe must end when somebody wants the run to
// stop.

#include "batch/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE ((size_t)64 << 10)

struct nwpool_batch_lines {
    char *name;
    int fd;
    size_t size_max;
    bool is_file;
    size_t file_size; // When it was opened.

    char *buffer; // Always with room for a NUL behind `end`.
    size_t capacity;
    size_t start; // Of the next line.
    size_t seen;  // Up to here there is no end of line.
    size_t end;   // Of what was read.

    size_t number;   // Lines handed out.
    size_t consumed; // Bytes handed out.
    bool is_over;    // Nothing more to read.
    char *excerpt;   // Of the last line that was too long.
    char *error;
};

struct nwpool_batch_lines *nwpool_batch_lines_open(const char *file,
                                                   size_t size_max)
{
    bool is_stdin = strcmp(file, "-") == 0;
    struct nwpool_batch_lines *lines;
    struct stat info;
    int fd;

    fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                  : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &info) != 0 || S_ISDIR(info.st_mode)) {
        close(fd);
        errno = EISDIR;
        return NULL;
    }
    lines = nwpool_batch_alloc_zero(sizeof(*lines));
    lines->name = nwpool_batch_strdup(is_stdin ? "<stdin>" : file);
    lines->fd = fd;
    lines->size_max = size_max;
    lines->is_file = S_ISREG(info.st_mode);
    lines->file_size = (size_t)info.st_size;
    lines->capacity = CHUNK_SIZE + 1;
    lines->buffer = nwpool_batch_alloc(lines->capacity);
    return lines;
}

void nwpool_batch_lines_destroy(struct nwpool_batch_lines *lines)
{
    if (lines != NULL) {
        close(lines->fd);
        free(lines->name);
        free(lines->buffer);
        free(lines->excerpt);
        free(lines->error);
        free(lines);
    }
}

static enum nwpool_batch_next lines_failed(struct nwpool_batch_lines *lines)
{
    lines->error =
        nwpool_batch_format("cannot read %s: %s", lines->name, strerror(errno));
    return NWPOOL_BATCH_NEXT_FAILED;
}

// Room for one more chunk: first by moving what is left to the front.
static void make_room(struct nwpool_batch_lines *lines)
{
    if (lines->start > 0) {
        memmove(lines->buffer, lines->buffer + lines->start,
                lines->end - lines->start);
        lines->seen -= lines->start;
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->capacity - lines->end <= CHUNK_SIZE / 2) {
        lines->capacity *= 2;
        lines->buffer = nwpool_batch_realloc(lines->buffer, lines->capacity);
    }
}

// Waits until there is something to read. False when `wake` ends the wait.
static bool wait_readable(const struct nwpool_batch_lines *lines, int wake)
{
    struct pollfd fds[2] = {
        {.fd = wake, .events = POLLIN},
        {.fd = lines->fd, .events = POLLIN},
    };

    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    return fds[0].revents == 0;
}

// Reads some more. ITEM means that it did.
static enum nwpool_batch_next fill(struct nwpool_batch_lines *lines, int wake)
{
    ssize_t got;

    make_room(lines);
    do {
        if (!wait_readable(lines, wake)) {
            return NWPOOL_BATCH_NEXT_WOKEN;
        }
        got = read(lines->fd, lines->buffer + lines->end,
                   lines->capacity - lines->end - 1);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0) {
        return lines_failed(lines);
    }
    if (got == 0) {
        lines->is_over = true;
        return NWPOOL_BATCH_NEXT_END;
    }
    lines->end += (size_t)got;
    return NWPOOL_BATCH_NEXT_ITEM;
}

// Hands out the bytes from `start` up to `stop`, and passes `skip` bytes more.
static void take_line(struct nwpool_batch_lines *lines, size_t stop,
                      size_t skip, struct nwpool_batch_line *line)
{
    static const char mark[] = "\xef\xbb\xbf";
    char *data = lines->buffer + lines->start;
    size_t size = stop - lines->start;
    size_t i = 0;

    lines->number++;
    lines->consumed += size + skip;
    lines->start = stop + skip;
    lines->seen = lines->start;

    // The line's end may be overwritten: it has been handed out with it.
    data[size] = '\0';
    // A byte order mark is no part of the first line.
    if (lines->number == 1 && size >= 3 && memcmp(data, mark, 3) == 0) {
        data += 3;
        size -= 3;
    }
    while (i < size && memchr(" \t\r", data[i], 3) != NULL) {
        i++;
    }
    *line = (struct nwpool_batch_line){
        .data = data,
        .size = size,
        .number = lines->number,
        .is_blank = i == size,
    };
}

// Passes what is left of a line that is too long.
static enum nwpool_batch_next skip_line(struct nwpool_batch_lines *lines,
                                        int wake)
{
    enum nwpool_batch_next next = NWPOOL_BATCH_NEXT_ITEM;
    char *found = NULL;

    while (next == NWPOOL_BATCH_NEXT_ITEM && found == NULL) {
        found = memchr(lines->buffer + lines->start, '\n',
                       lines->end - lines->start);
        if (found == NULL) {
            lines->consumed += lines->end - lines->start;
            lines->start = lines->end;
            lines->seen = lines->end;
            next = fill(lines, wake);
        } else {
            size_t behind = (size_t)(found - lines->buffer) + 1;

            lines->consumed += behind - lines->start;
            lines->start = behind;
            lines->seen = behind;
        }
    }
    return next;
}

// The beginning of a line that is too long, copied to the front because the
// rest is read over it.
static enum nwpool_batch_next take_long_line(struct nwpool_batch_lines *lines,
                                             int wake,
                                             struct nwpool_batch_line *line)
{
    size_t kept = lines->seen - lines->start;
    enum nwpool_batch_next next;

    if (kept > NWPOOL_BATCH_EXCERPT_MAX) {
        kept = NWPOOL_BATCH_EXCERPT_MAX;
    }
    free(lines->excerpt);
    lines->excerpt = nwpool_batch_alloc(kept + 1);
    memcpy(lines->excerpt, lines->buffer + lines->start, kept);
    lines->excerpt[kept] = '\0';
    lines->number++;
    next = skip_line(lines, wake);
    *line = (struct nwpool_batch_line){
        .data = lines->excerpt,
        .size = kept,
        .number = lines->number,
        .is_too_long = true,
    };
    // The end of the file also ends the line.
    return next == NWPOOL_BATCH_NEXT_END ? NWPOOL_BATCH_NEXT_ITEM : next;
}

enum nwpool_batch_next nwpool_batch_lines_next(struct nwpool_batch_lines *lines,
                                               int wake,
                                               struct nwpool_batch_line *line)
{
    enum nwpool_batch_next next = NWPOOL_BATCH_NEXT_ITEM;
    char *found;

    if (lines->error != NULL) {
        return NWPOOL_BATCH_NEXT_FAILED;
    }
    for (;;) {
        found =
            memchr(lines->buffer + lines->seen, '\n', lines->end - lines->seen);
        lines->seen =
            found != NULL ? (size_t)(found - lines->buffer) : lines->end;
        if (lines->seen - lines->start > lines->size_max) {
            return take_long_line(lines, wake, line);
        }
        if (found != NULL) {
            take_line(lines, lines->seen, 1, line);
            return NWPOOL_BATCH_NEXT_ITEM;
        }
        if (!lines->is_over) {
            next = fill(lines, wake);
        }
        if (lines->is_over) {
            break;
        }
        if (next != NWPOOL_BATCH_NEXT_ITEM) {
            return next;
        }
    }
    // The last line need not have an end.
    if (lines->start < lines->end) {
        take_line(lines, lines->end, 0, line);
        return NWPOOL_BATCH_NEXT_ITEM;
    }
    return NWPOOL_BATCH_NEXT_END;
}

const char *nwpool_batch_lines_name(const struct nwpool_batch_lines *lines)
{
    return lines->name;
}

bool nwpool_batch_lines_is_file(const struct nwpool_batch_lines *lines)
{
    return lines->is_file;
}

double nwpool_batch_lines_fraction(const struct nwpool_batch_lines *lines)
{
    if (!lines->is_file) {
        return -1;
    }
    if (lines->consumed >= lines->file_size) {
        return 1;
    }
    return (double)lines->consumed / (double)lines->file_size;
}

const char *nwpool_batch_lines_error(const struct nwpool_batch_lines *lines)
{
    return lines->error != NULL ? lines->error : "";
}

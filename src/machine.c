// Design notes.
//
// A limit of a cgroup holds for all below it, so the smallest on the way from
// the mount to the process's own group counts. The way is walked down with
// openat(), which needs no buffer for a path: callers may have a stack of
// PTHREAD_STACK_MIN, and no allocation of ours may fail here, since there is
// no status to say so with.
//
// Both versions of cgroups are asked: in a hybrid layout the second one is
// mounted too, but without the controllers, so its files are not there.
//
// A mount may show only a part of its hierarchy (a container without a
// namespace of its own), and a namespace may hide where the process is in it
// ("/../..") or where the mount is. Then the root of the mount is the nearest
// thing that can be known.

#include "src/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/common.h"

// A longer line is no mount of a cgroup, or none that we can read; a longer
// path has no limits for us.
#define LINE_SIZE 4096
#define PATH_SIZE 2048

// Of mountinfo: some ten thousand mounts. What comes later is not seen.
#define READ_MAX ((size_t)4 << 20)

// "max", or two numbers of 20 digits.
#define TEXT_SIZE 64

// Version 1 says "unlimited" with the largest number of whole pages.
#define MEMORY_MAX (UINT64_C(1) << 62)

// CPU_SETSIZE, 1024, times this: twice as many as Linux can be built for.
#define CPU_SETS 16

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// -- files

static int open_at(int directory, const char *name, int flags)
{
    return openat(directory, name, flags | O_CLOEXEC);
}

// An empty name is the parent itself.
static int open_directory(int parent, const char *name)
{
    return open_at(parent, name[0] != '\0' ? name : ".", O_PATH | O_DIRECTORY);
}

// Non-blocking, in case that it is no file.
static int open_file(int directory, const char *name)
{
    return open_at(directory, name, O_RDONLY | O_NONBLOCK);
}

// 0: the end, or an error.
static size_t read_some(int fd, char *data, size_t size)
{
    ssize_t count;

    do {
        count = read(fd, data, size);
    } while (count < 0 && errno == EINTR);
    return count > 0 ? (size_t)count : 0;
}

// False when it is not there, empty or too long.
static bool read_text(int directory, const char *name, char text[TEXT_SIZE])
{
    int fd = open_file(directory, name);
    size_t size;

    if (fd < 0) {
        return false;
    }
    size = read_some(fd, text, TEXT_SIZE);
    close(fd);
    if (size == 0 || size == TEXT_SIZE) {
        return false;
    }
    text[size] = '\0';
    return true;
}

// A file by its lines, but for those that are too long.
struct lines {
    int fd;
    size_t left; // Bytes that may still be read.
    size_t begin;
    size_t end; // Read and not taken yet: from begin to end.
    bool skipping;
    char bytes[LINE_SIZE];
};

static bool lines_open(struct lines *lines, int root, const char *name)
{
    lines->fd = open_file(root, name);
    lines->left = READ_MAX;
    lines->begin = 0;
    lines->end = 0;
    lines->skipping = false;
    return lines->fd >= 0;
}

// False at the end.
static bool lines_fill(struct lines *lines)
{
    size_t size;

    memmove(lines->bytes, lines->bytes + lines->begin,
            lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = 0;
    if (lines->end == LINE_SIZE) {
        lines->skipping = true;
        lines->end = 0;
    }
    size = LINE_SIZE - lines->end;
    size = size < lines->left ? size : lines->left;
    size = read_some(lines->fd, lines->bytes + lines->end, size);
    lines->end += size;
    lines->left -= size;
    return size > 0;
}

// Valid until the next call. NULL at the end.
static char *lines_next(struct lines *lines)
{
    for (;;) {
        char *line = lines->bytes + lines->begin;
        char *newline = memchr(line, '\n', lines->end - lines->begin);
        bool skip = lines->skipping;

        if (newline != NULL) {
            *newline = '\0';
            lines->begin = (size_t)(newline - lines->bytes) + 1;
            lines->skipping = false;
            if (!skip) {
                return line;
            }
        } else if (!lines_fill(lines)) {
            return NULL;
        }
    }
}

// -- limits of one group

static bool take_number(const char **text, uint64_t *number)
{
    const char *at = *text;
    uint64_t value = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (at == *text) {
        return false;
    }
    *text = at;
    *number = value;
    return true;
}

static bool is_end(const char *text)
{
    return text[0] == '\0' || (text[0] == '\n' && text[1] == '\0');
}

// False when it is no number, such as "max" or "-1".
static bool read_number(int directory, const char *name, uint64_t *number)
{
    char text[TEXT_SIZE];
    const char *at = text;

    return read_text(directory, name, text) && take_number(&at, number) &&
           is_end(at);
}

// A group without any time or memory could not run us: 0 is no limit either.
static uint64_t cpus_of(uint64_t quota, uint64_t period)
{
    if (quota == 0 || period == 0) {
        return NW__NO_LIMIT;
    }
    return quota / period + (quota % period != 0);
}

static uint64_t cpus_v2(int directory)
{
    char text[TEXT_SIZE];
    const char *at = text;
    uint64_t quota;
    uint64_t period;

    if (!read_text(directory, "cpu.max", text) || !take_number(&at, &quota) ||
        *at++ != ' ' || !take_number(&at, &period) || !is_end(at)) {
        return NW__NO_LIMIT;
    }
    return cpus_of(quota, period);
}

static uint64_t cpus_v1(int directory)
{
    uint64_t quota;
    uint64_t period;

    if (!read_number(directory, "cpu.cfs_quota_us", &quota) ||
        !read_number(directory, "cpu.cfs_period_us", &period)) {
        return NW__NO_LIMIT;
    }
    return cpus_of(quota, period);
}

static uint64_t bytes_in(int directory, const char *name)
{
    uint64_t bytes;

    if (!read_number(directory, name, &bytes) || bytes == 0 ||
        bytes >= MEMORY_MAX) {
        return NW__NO_LIMIT;
    }
    return bytes;
}

static uint64_t memory_v2(int directory)
{
    return least_of(bytes_in(directory, "memory.max"),
                    bytes_in(directory, "memory.high"));
}

static uint64_t memory_v1(int directory)
{
    return bytes_in(directory, "memory.limit_in_bytes");
}

// -- where the process's group is

// One hierarchy of cgroups, and what it says of one thing.
struct hierarchy {
    const char *controller; // NULL: the one of version 2.
    uint64_t (*limit)(int directory);
};

static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);

    for (;;) {
        size_t length = strcspn(list, ",");

        if (length == size && memcmp(list, word, size) == 0) {
            return true;
        }
        if (list[length] == '\0') {
            return false;
        }
        list += length + 1;
    }
}

// "4:cpu,cpuacct:/some/group", or "0::/some/group" for version 2.
static bool read_path(int root, const char *controller, char path[PATH_SIZE])
{
    struct lines lines;
    bool found = false;
    char *line;

    if (!lines_open(&lines, root, "proc/self/cgroup")) {
        return false;
    }
    while (!found && (line = lines_next(&lines)) != NULL) {
        const char *controllers;

        strsep(&line, ":");
        controllers = strsep(&line, ":");
        found = line != NULL && line[0] == '/' && strlen(line) < PATH_SIZE &&
                (controller == NULL ? controllers[0] == '\0'
                                    : has_word(controllers, controller));
        if (found) {
            strcpy(path, line);
        }
    }
    close(lines.fd);
    return found;
}

struct mount {
    char *root; // What of the hierarchy it shows.
    char *point;
    char *type;
    char *options;
};

// Blanks and the like are "\040" in mountinfo.
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
            from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
            from[3] <= '7') {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 +
                         (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

// "31 23 0:28 ROOT POINT rw,relatime TAG... - TYPE source OPTIONS"
static bool parse_mount(char *line, struct mount *mount)
{
    char *tail = strstr(line, " - ");

    if (tail == NULL) {
        return false;
    }
    *tail = '\0';
    tail += 3;
    for (int i = 0; i < 3; i++) {
        strsep(&line, " ");
    }
    mount->root = strsep(&line, " ");
    mount->point = strsep(&line, " ");
    mount->type = strsep(&tail, " ");
    strsep(&tail, " ");
    mount->options = strsep(&tail, " ");
    if (mount->point == NULL || mount->point[0] != '/' ||
        mount->options == NULL) {
        return false;
    }
    unescape(mount->root);
    unescape(mount->point);
    return true;
}

static bool is_mount_of(const struct mount *mount, const char *controller)
{
    if (controller == NULL) {
        return strcmp(mount->type, "cgroup2") == 0;
    }
    return strcmp(mount->type, "cgroup") == 0 &&
           has_word(mount->options, controller);
}

static bool goes_up(const char *path)
{
    for (;;) {
        size_t size = strcspn(path, "/");

        if (size == 2 && path[0] == '.' && path[1] == '.') {
            return true;
        }
        if (path[size] == '\0') {
            return false;
        }
        path += size + 1;
    }
}

static char *skip_slashes(char *path)
{
    return path + strspn(path, "/");
}

// What of `path` is below `root`, another one of the same hierarchy; NULL if it
// is not.
static char *path_below(char *path, const char *root)
{
    size_t size = strcmp(root, "/") == 0 ? 0 : strlen(root);

    if (strncmp(path, root, size) != 0 ||
        (path[size] != '/' && path[size] != '\0')) {
        return NULL;
    }
    path = skip_slashes(path + size);
    return goes_up(path) ? NULL : path;
}

static bool is_there(int directory, const char *path)
{
    int fd = open_directory(directory, path);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

// What a mount shows.
enum sight {
    SEES_NOTHING,
    SEES_OTHERS,    // Or we cannot tell.
    SEES_ANCESTORS, // The group would be below, but is not.
    SEES_GROUP,
};

struct view {
    enum sight sight;
    int fd; // Unless it sees nothing.
    size_t root_size;
    char *below; // From the mount to the group, if it is there.
};

static void close_view(struct view *view)
{
    if (view->sight != SEES_NOTHING) {
        close(view->fd);
    }
}

// The better view is one of the group itself, and of as many above it as
// possible. Of those that say little the first one counts: another one may be
// of a container that has nothing to do with us.
static bool is_better(const struct view *view, const struct view *best)
{
    if (view->sight != best->sight) {
        return view->sight > best->sight;
    }
    return view->sight > SEES_OTHERS && view->root_size < best->root_size;
}

static void look_through(struct view *best, int root, const struct mount *mount,
                         char *path)
{
    struct view view = {
        .sight = SEES_OTHERS,
        .fd = open_directory(root, skip_slashes(mount->point)),
        .root_size = strlen(mount->root),
        .below = path_below(path, mount->root),
    };

    if (view.fd < 0) {
        return;
    }
    if (view.below != NULL) {
        view.sight = SEES_GROUP;
        if (!is_there(view.fd, view.below)) {
            view.sight = SEES_ANCESTORS;
            view.below = NULL;
        }
    }
    if (is_better(&view, best)) {
        close_view(best);
        *best = view;
    } else {
        close_view(&view);
    }
}

static struct view find_view(int root, const char *controller, char *path)
{
    struct view best = {.sight = SEES_NOTHING};
    struct mount mount;
    struct lines lines;
    char *line;

    if (!lines_open(&lines, root, "proc/self/mountinfo")) {
        return best;
    }
    while ((line = lines_next(&lines)) != NULL) {
        if (parse_mount(line, &mount) && is_mount_of(&mount, controller)) {
            look_through(&best, root, &mount, path);
        }
    }
    close(lines.fd);
    return best;
}

// -- all of them

// From the mount down to the group. Closes the view.
static uint64_t least_in(struct view *view, const struct hierarchy *hierarchy)
{
    uint64_t least = hierarchy->limit(view->fd);
    const char *name;

    while ((name = strsep(&view->below, "/")) != NULL) {
        int next = open_directory(view->fd, name);

        if (next < 0) {
            break;
        }
        close(view->fd);
        view->fd = next;
        least = least_of(least, hierarchy->limit(view->fd));
    }
    return least;
}

static uint64_t limit_in(int root, const struct hierarchy *hierarchy)
{
    uint64_t least = NW__NO_LIMIT;
    char path[PATH_SIZE];
    struct view view;

    if (!read_path(root, hierarchy->controller, path)) {
        return least;
    }
    view = find_view(root, hierarchy->controller, path);
    if (view.sight != SEES_NOTHING) {
        least = least_in(&view, hierarchy);
    }
    close_view(&view);
    return least;
}

static uint64_t least_limit(const char *root, const struct hierarchy *v1,
                            const struct hierarchy *v2)
{
    int fd = open_directory(AT_FDCWD, root);
    uint64_t least;

    if (fd < 0) {
        return NW__NO_LIMIT;
    }
    least = least_of(limit_in(fd, v1), limit_in(fd, v2));
    close(fd);
    return least;
}

uint64_t nw__machine_cpu_quota(const char *root)
{
    static const struct hierarchy v1 = {"cpu", cpus_v1};
    static const struct hierarchy v2 = {NULL, cpus_v2};

    return least_limit(root, &v1, &v2);
}

uint64_t nw__machine_memory_limit(const char *root)
{
    static const struct hierarchy v1 = {"memory", memory_v1};
    static const struct hierarchy v2 = {NULL, memory_v2};

    return least_limit(root, &v1, &v2);
}

// -- what the process may use

static uint64_t affinity(void)
{
    cpu_set_t sets[CPU_SETS];
    long online;

    if (sched_getaffinity(0, sizeof(sets), sets) == 0) {
        return (uint64_t)CPU_COUNT_S(sizeof(sets), sets);
    }
    online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint64_t)online : 1;
}

uint32_t nw__machine_cpus(void)
{
    uint64_t count = least_of(affinity(), nw__machine_cpu_quota("/"));

    return count > 0 ? (uint32_t)count : 1;
}

static uint64_t physical_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGESIZE);

    if (pages <= 0 || page_size <= 0) {
        return NW__NO_LIMIT;
    }
    return (uint64_t)pages * (uint64_t)page_size;
}

static uint64_t address_space(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return NW__NO_LIMIT;
    }
    return limit.rlim_cur;
}

uint64_t nw__machine_memory(void)
{
    uint64_t limit = nw__machine_memory_limit("/");

    return least_of(least_of(physical_memory(), address_space()), limit);
}

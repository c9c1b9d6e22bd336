// Walks the directories that a pattern can match.
//
// Invariants
//   One directory is open at a time: its names are read before anything below
//   it is visited, so the depth of a tree costs no descriptors.
//   The walk recurses once for each segment of a path, which the system
//   bounds (PATH_MAX).
// glob(3) is not used: it has no "**" and follows every link.

#include "batch/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct walk {
    struct nwpool_batch_paths *found;
    struct nwpool_batch_text *error;

    char **segments; // Of the pattern; NULL-terminated.
    struct nwpool_batch_text path;
    bool links_followed; // Until the first "**".
};

// -- lists

void nwpool_batch_paths_fini(struct nwpool_batch_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->items[i]);
    }
    free(paths->items);
    *paths = (struct nwpool_batch_paths){0};
}

void nwpool_batch_paths_push(struct nwpool_batch_paths *paths, char *path)
{
    if (paths->count == paths->capacity) {
        paths->capacity = paths->capacity == 0 ? 64 : paths->capacity * 2;
        paths->items = nwpool_batch_realloc(
            paths->items, paths->capacity * sizeof(*paths->items));
    }
    paths->items[paths->count++] = path;
}

static int path_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void nwpool_batch_paths_sort(struct nwpool_batch_paths *paths)
{
    size_t kept = 0;

    if (paths->count == 0) {
        return;
    }
    qsort(paths->items, paths->count, sizeof(*paths->items), path_compare);
    for (size_t i = 1; i < paths->count; i++) {
        if (strcmp(paths->items[kept], paths->items[i]) == 0) {
            free(paths->items[i]);
        } else {
            paths->items[++kept] = paths->items[i];
        }
    }
    paths->count = kept + 1;
}

// -- the walk

static bool walk_failed(struct walk *walk, const char *what, int error)
{
    nwpool_batch_text_printf(walk->error, "cannot %s %s: %s", what,
                             walk->path.size > 0 ? walk->path.data : "/",
                             strerror(error));
    return false;
}

// A name that is simply not there is no failure of the walk.
static bool error_is_absence(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

// What `walk->path` names, links followed or not as the walk stands. 0 when
// there is nothing; -1 is an error.
static int walk_stat(struct walk *walk, mode_t *mode)
{
    const char *path = walk->path.size > 0 ? walk->path.data : "/";
    struct stat info;
    int failed;

    failed = walk->links_followed ? stat(path, &info) : lstat(path, &info);
    if (failed == 0) {
        *mode = info.st_mode;
        return 1;
    }
    // A link that leads to itself is as good as one that leads nowhere.
    if (error_is_absence(errno) || errno == ELOOP) {
        return 0;
    }
    walk_failed(walk, "look at", errno);
    return -1;
}

// Appends a segment to the path and returns the size to go back to.
static size_t path_enter(struct walk *walk, const char *name)
{
    size_t size = walk->path.size;

    nwpool_batch_text_puts(&walk->path, "/");
    nwpool_batch_text_puts(&walk->path, name);
    return size;
}

static void path_leave(struct walk *walk, size_t size)
{
    walk->path.size = size;
    walk->path.data[size] = '\0';
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

// The names in the directory at `walk->path`, without "." and "..".
static bool read_names(struct walk *walk, struct nwpool_batch_paths *names)
{
    DIR *directory = opendir(walk->path.size > 0 ? walk->path.data : "/");
    struct dirent *entry;
    int error;

    if (directory == NULL) {
        return error_is_absence(errno)
                   ? true
                   : walk_failed(walk, "read directory", errno);
    }
    errno = 0;
    while ((entry = readdir(directory)) != NULL) {
        if (!is_dots(entry->d_name)) {
            nwpool_batch_paths_push(names, nwpool_batch_strdup(entry->d_name));
        }
    }
    error = errno;
    closedir(directory);
    return error == 0 ? true : walk_failed(walk, "read directory", error);
}

static bool walk_segments(struct walk *walk, size_t index);

// Matches the segments from `index` on against `name` in this directory.
static bool walk_name(struct walk *walk, size_t index, const char *name)
{
    size_t size;
    bool ok;

    if (fnmatch(walk->segments[index], name, 0) != 0) {
        return true;
    }
    size = path_enter(walk, name);
    ok = walk_segments(walk, index + 1);
    path_leave(walk, size);
    return ok;
}

// "**" stands at `index`: `name` may be a directory that it swallows.
static bool walk_below(struct walk *walk, size_t index, const char *name)
{
    size_t size = path_enter(walk, name);
    mode_t mode = 0;
    int there = walk_stat(walk, &mode);
    bool ok = there >= 0;

    if (there > 0 && S_ISDIR(mode)) {
        ok = walk_segments(walk, index);
    }
    path_leave(walk, size);
    return ok;
}

static bool walk_directory(struct walk *walk, size_t index)
{
    bool any_depth = strcmp(walk->segments[index], "**") == 0;
    struct nwpool_batch_paths names = {0};
    bool links_followed = walk->links_followed;
    bool ok;

    if (any_depth) {
        walk->links_followed = false;
    }
    ok = read_names(walk, &names);
    for (size_t i = 0; ok && i < names.count; i++) {
        ok = any_depth ? walk_below(walk, index, names.items[i])
                       : walk_name(walk, index, names.items[i]);
    }
    // No directory at all is also a number of directories.
    if (ok && any_depth) {
        ok = walk_segments(walk, index + 1);
    }
    walk->links_followed = links_followed;
    nwpool_batch_paths_fini(&names);
    return ok;
}

static bool walk_literal(struct walk *walk, size_t index)
{
    size_t size = path_enter(walk, walk->segments[index]);
    mode_t mode = S_IFDIR;
    bool ok = true;
    int there = 1;

    // Behind a "**" a link must not be passed through on the way either.
    if (!walk->links_followed && walk->segments[index + 1] != NULL) {
        there = walk_stat(walk, &mode);
        ok = there >= 0;
    }
    if (there > 0 && S_ISDIR(mode)) {
        ok = walk_segments(walk, index + 1);
    }
    path_leave(walk, size);
    return ok;
}

// `walk->path` has matched the segments before `index`.
static bool walk_segments(struct walk *walk, size_t index)
{
    const char *segment = walk->segments[index];
    mode_t mode = 0;
    int there;

    if (segment != NULL && strpbrk(segment, "*?[\\") == NULL) {
        return walk_literal(walk, index);
    }
    there = walk_stat(walk, &mode);
    if (there <= 0) {
        return there == 0;
    }
    if (segment != NULL) {
        return S_ISDIR(mode) ? walk_directory(walk, index) : true;
    }
    if (S_ISREG(mode)) {
        nwpool_batch_paths_push(walk->found,
                                nwpool_batch_strdup(walk->path.data));
    }
    return true;
}

// Cuts `pattern` at its slashes; what changes nothing is left out: an empty
// segment, ".", and "**" behind "**".
static char **split(char *pattern)
{
    size_t count = 0;
    char **segments;
    char *rest = NULL;

    segments =
        nwpool_batch_alloc((strlen(pattern) / 2 + 2) * sizeof(*segments));
    for (char *segment = strtok_r(pattern, "/", &rest); segment != NULL;
         segment = strtok_r(NULL, "/", &rest)) {
        if (strcmp(segment, ".") == 0 ||
            (count > 0 && strcmp(segment, "**") == 0 &&
             strcmp(segments[count - 1], "**") == 0)) {
            continue;
        }
        segments[count++] = segment;
    }
    // "dir/**" means the files below dir.
    if (count > 0 && strcmp(segments[count - 1], "**") == 0) {
        segments[count++] = (char *)"*";
    }
    segments[count] = NULL;
    return segments;
}

bool nwpool_batch_paths_match(struct nwpool_batch_paths *paths,
                              const char *directory, const char *pattern,
                              struct nwpool_batch_text *error)
{
    char *copy = nwpool_batch_strdup(pattern);
    struct walk walk = {
        .found = paths,
        .error = error,
        .segments = split(copy),
        .links_followed = true,
    };
    bool ok;

    // The path is built by adding "/name", so the root is the empty path.
    if (pattern[0] != '/' && strcmp(directory, "/") != 0) {
        nwpool_batch_text_puts(&walk.path, directory);
    }
    ok = walk_segments(&walk, 0);

    nwpool_batch_text_fini(&walk.path);
    free(walk.segments);
    free(copy);
    return ok;
}

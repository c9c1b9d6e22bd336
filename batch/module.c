// What a job means by the name of its module.
//
// The library looks for packages from the working directory. A job file may
// lie elsewhere, and whoever wrote it means the packages beside it.

#include "batch/module.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/base.h"

// True for a name that starts like a path; any other may be a package.
static bool is_path(const char *name)
{
    return name[0] == '/' || strncmp(name, "./", 2) == 0 ||
           strncmp(name, "../", 3) == 0;
}

static bool is_file(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

// The package `name` in the node_modules of `directory` or of the nearest
// directory above it that has one. NULL when there is none.
static char *find_package(const char *directory, const char *name)
{
    size_t size = strlen(directory);

    for (;;) {
        char *package = nwpool_batch_format("%.*s/node_modules/%s", (int)size,
                                            directory, name);

        if (access(package, F_OK) == 0) {
            return package;
        }
        free(package);
        if (size == 0) {
            return NULL;
        }
        do {
            size--;
        } while (size > 0 && directory[size] != '/');
    }
}

// The same package from the working directory.
static bool is_found_from_here(const char *package, const char *name)
{
    char *here = realpath(".", NULL);
    char *other = here != NULL ? find_package(here, name) : NULL;
    bool same = other != NULL && strcmp(package, other) == 0;

    free(other);
    free(here);
    return same;
}

char *nwpool_batch_module_resolve(const char *directory, const char *name)
{
    char *path = nwpool_batch_path_join(directory, name);

    if (is_path(name) || is_file(path)) {
        return path;
    }
    free(path);
    path = find_package(directory, name);
    // By its name Node.js knows more ways to find a package's main file.
    if (path != NULL && !is_found_from_here(path, name)) {
        return path;
    }
    free(path);
    return nwpool_batch_strdup(name);
}

// A host that loads the library as plugin hosts and language bindings do: with
// dlopen() and RTLD_LOCAL, which hides libnode's symbols from native addons.
//
//   runtime_local_host LIBRARY MODULE FUNCTION
//
// Runs the function once and prints the text that it returns.

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <nwpool/pool.h>

static void *library;

static void *find(const char *name)
{
    void *found = dlsym(library, name);

    if (found == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return found;
}

// A pointer to a function from one to an object, which C has no cast for.
#define FIND(function) (*(void **)&function##_found = find(#function))

int main(int count, char **arguments)
{
    nw_status (*nwpool_create_found)(nwpool **, const nwpool_options *);
    nw_status (*nwpool_submit_found)(nwpool *, const nw_task_spec *,
                                     nw_task_id *);
    nw_status (*nwpool_wait_found)(nwpool *, nw_task_id, uint32_t,
                                   nw_result **);
    void (*nwpool_result_free_found)(nw_result *);
    nw_status (*nwpool_destroy_found)(nwpool *);
    const char *(*nw_value_get_string_found)(const nw_value *, size_t *);
    nwpool_options options = {.struct_size = sizeof(options), .workers = 1};
    nw_task_spec spec = {.struct_size = sizeof(spec)};
    nw_result *result;
    nw_task_id task;
    nwpool *pool;

    library = count == 4 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        fprintf(stderr, "%s\n", count == 4 ? dlerror() : "three arguments");
        return 1;
    }
    FIND(nwpool_create);
    FIND(nwpool_submit);
    FIND(nwpool_wait);
    FIND(nwpool_result_free);
    FIND(nwpool_destroy);
    FIND(nw_value_get_string);

    options.module = arguments[2];
    spec.function = arguments[3];
    if (nwpool_create_found(&pool, &options) != NW_OK ||
        nwpool_submit_found(pool, &spec, &task) != NW_OK ||
        nwpool_wait_found(pool, task, 15000, &result) != NW_OK) {
        fprintf(stderr, "a call failed\n");
        return 2;
    }
    if (result->status != NW_OK) {
        fprintf(stderr, "%s\n", result->error->message);
        return 3;
    }
    printf("%s\n", nw_value_get_string_found(result->value, NULL));
    nwpool_result_free_found(result);
    return nwpool_destroy_found(pool) == NW_OK ? 0 : 4;
}

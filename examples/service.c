// A service in small: two threads submit tasks to one pool, and results are
// printed as they come.
//
// Usage: service [MODULE], where MODULE is the service.js beside this file.

#include <pthread.h>
#include <stdio.h>

#include <nwpool/pool.h>

static nwpool *pool;

// Runs on the pool's completion thread, one result after the other.
static void on_done(const nw_result *result, void *client)
{
    if (result->status != NW_OK) {
        printf("%s: failed: %s\n", (char *)client, result->error->message);
        return;
    }
    printf("%s: %.0f primes up to %.0f\n", (char *)client,
           nw_value_get_number(nw_object_get(result->value, "count")),
           nw_value_get_number(nw_object_get(result->value, "limit")));
}

static void *client_main(void *client)
{
    nw_doc *doc = nw_doc_create();

    for (int limit = -1; limit <= 1000000; limit = (limit + 2) * 10) {
        const nw_value *argument = nw_value_number(doc, limit);
        const nw_task_spec spec = {.struct_size = sizeof(spec),
                                   .function = "countPrimes",
                                   .arguments = &argument,
                                   .argument_count = 1,
                                   .on_done = on_done,
                                   .user_data = client};
        nw_status status = nwpool_submit(pool, &spec, NULL);

        if (status != NW_OK) {
            fprintf(stderr, "refused: %s\n", nw_status_message(status));
        }
    }
    nw_doc_destroy(doc);
    return NULL;
}

int main(int argc, char **argv)
{
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module =
                                        argc > 1 ? argv[1] : "./service.js"};
    nw_status status = nwpool_create(&pool, &options);
    pthread_t clients[2];

    if (status != NW_OK) {
        fprintf(stderr, "no pool: %s\n", nw_status_message(status));
        return 1;
    }
    pthread_create(&clients[0], NULL, client_main, "first client");
    pthread_create(&clients[1], NULL, client_main, "second client");
    pthread_join(clients[0], NULL);
    pthread_join(clients[1], NULL);

    nwpool_close(pool);
    nwpool_drain(pool, NW_WAIT_FOREVER);
    nwpool_destroy(pool);
    return 0;
}

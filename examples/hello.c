// Calls a JavaScript function on a worker thread and prints what it returns.
// The module is one of Node.js here; your own is a path: "./hello.js".

#include <stdio.h>

#include <nwpool/pool.h>

int main(void)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *arguments[] = {nw_value_string(doc, "Hello from %s!"),
                                   nw_value_string(doc, "a worker")};
    const nwpool_options options = {.struct_size = sizeof(options),
                                    .module = "node:util"};
    const nw_task_spec spec = {.struct_size = sizeof(spec),
                               .function = "format",
                               .arguments = arguments,
                               .argument_count = 2};
    nw_result *result = NULL;
    nw_task_id task;
    nwpool *pool;
    int failed = 1;

    if (nwpool_create(&pool, &options) == NW_OK &&
        nwpool_submit(pool, &spec, &task) == NW_OK &&
        nwpool_wait(pool, task, NW_WAIT_FOREVER, &result) == NW_OK) {
        failed = result->status != NW_OK;
        puts(failed ? result->error->message
                    : nw_value_get_string(result->value, NULL));
    }
    nwpool_result_free(result);
    nwpool_destroy(pool);
    nw_doc_destroy(doc);
    return failed;
}

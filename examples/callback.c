// A task that calls C functions: one that returns, and one whose promise is
// settled by another thread.
//
//   example_callback [MODULE]    default: ./callback.js

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nwpool/function.h>
#include <nwpool/pool.h>

static const char *const dictionary[][2] = {
    {"good", "guten"},
    {"morning", "Morgen"},
};

static const char *find(const char *word)
{
    for (size_t i = 0; i < sizeof(dictionary) / sizeof(dictionary[0]); i++) {
        if (word != NULL && strcmp(dictionary[i][0], word) == 0) {
            return dictionary[i][1];
        }
    }
    return NULL;
}

// On the thread of the worker.
static nw_value *look_up(const nw_call *call, void *user_data)
{
    const char *word = call->argument_count > 0
                           ? nw_value_get_string(call->arguments[0], NULL)
                           : NULL;
    const char *found = find(word);

    (void)user_data;
    if (found == NULL) {
        return nw_call_throw(call, "RangeError", "ENOWORD", "no such word");
    }
    return nw_value_string(call->doc, found);
}

struct request {
    nw_deferred *deferred;
    char word[32];
};

// On any thread, at any time.
static void *answer(void *data)
{
    struct request *request = data;
    const char *found = find(request->word);
    nw_doc *doc = nw_doc_create();

    nw_deferred_resolve(request->deferred,
                        found != NULL ? nw_value_string(doc, found) : NULL);
    nw_doc_destroy(doc);
    free(request);
    return NULL;
}

static nw_value *look_up_slowly(const nw_call *call, void *user_data)
{
    struct request *request = calloc(1, sizeof(*request));
    const char *word = call->argument_count > 0
                           ? nw_value_get_string(call->arguments[0], NULL)
                           : NULL;
    pthread_t thread;

    (void)user_data;
    if (request != NULL) {
        request->deferred = call->deferred;
        snprintf(request->word, sizeof(request->word), "%s",
                 word != NULL ? word : "");
        if (pthread_create(&thread, NULL, answer, request) == 0) {
            pthread_detach(thread);
            return NULL;
        }
        free(request);
    }
    nw_deferred_reject(call->deferred,
                       nw_value_string(call->doc, "out of memory"));
    return NULL;
}

static nw_status add_functions(void)
{
    nw_function_options options = {.struct_size = sizeof(options)};
    nw_status status;

    options.function = look_up;
    status = nw_function_register("lookUp", &options);
    if (status == NW_OK) {
        options.function = look_up_slowly;
        options.promise = true;
        status = nw_function_register("lookUpSlowly", &options);
    }
    return status;
}

int main(int count, char **arguments)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *text = nw_value_string(doc, "good morning");
    const nwpool_options options = {
        .struct_size = sizeof(options),
        .module = count > 1 ? arguments[1] : "./callback.js",
    };
    const nw_task_spec spec = {
        .struct_size = sizeof(spec),
        .function = "translate",
        .arguments = &text,
        .argument_count = 1,
    };
    nw_result *result = NULL;
    nw_task_id task;
    nwpool *pool = NULL;
    int failed = 1;

    if (add_functions() == NW_OK && nwpool_create(&pool, &options) == NW_OK &&
        nwpool_submit(pool, &spec, &task) == NW_OK &&
        nwpool_wait(pool, task, NW_WAIT_FOREVER, &result) == NW_OK) {
        failed = result->status != NW_OK;
        puts(failed ? result->error->message
                    : nw_value_get_string(result->value, NULL));
    }
    nwpool_result_free(result);
    nwpool_destroy(pool);
    nw_function_unregister("lookUp");
    nw_function_unregister("lookUpSlowly");
    nw_doc_destroy(doc);
    return failed;
}

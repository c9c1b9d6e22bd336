// Parses scripts in workers, a worker for each of them, all at the same time.
// What a worker posts is the syntax tree; one that throws, or ends without an
// answer, has failed. (For many scripts use a pool: nwpool/pool.h.)
//
// Usage: parse [WORKER]    default: ./parse_worker.js
//
// Prints:
//   3 statements in: let a = 1; f(a); f(2);
//   2 statements in: function f() {} f();
//   SyntaxError: Unexpected token (1:3) in: 1 +

#include "check.h"

struct job {
    const char *script;
    nw_worker *worker;
    char outcome[64]; // Its answer, or why there is none.
};

static void on_event(const nw_worker_event *event, void *user_data)
{
    struct job *job = user_data;

    if (event->type == NW_WORKER_MESSAGE) {
        snprintf(job->outcome, sizeof(job->outcome), "%zu statements",
                 nw_value_size(nw_object_get(event->value, "body")));
    } else if (event->type == NW_WORKER_ERROR) {
        snprintf(job->outcome, sizeof(job->outcome), "%s: %s",
                 event->error->name, event->error->message);
    } else if (event->type == NW_WORKER_EXIT && job->outcome[0] == '\0') {
        // By process.exit(), say.
        snprintf(job->outcome, sizeof(job->outcome),
                 "stopped with exit code %d", event->exit_code);
    }
}

static void parse(struct job *job, const char *file, nw_inbox *inbox)
{
    nw_doc *doc = nw_doc_create();
    const nw_worker_options options = {
        .struct_size = sizeof(options),
        .file = file,
        .worker_data = nw_value_string(doc, job->script),
        .on_event = on_event,
        .user_data = job,
        .inbox = inbox,
    };

    check(nw_doc_status(doc));
    check(nw_worker_create(&job->worker, &options));
    nw_doc_destroy(doc);
}

int main(int count, char **arguments)
{
    struct job jobs[] = {
        {.script = "let a = 1; f(a); f(2);"},
        {.script = "function f() {} f();"},
        {.script = "1 +"}, // Has an error.
    };
    const size_t jobs_count = sizeof(jobs) / sizeof(jobs[0]);
    nw_inbox *inbox;

    check(nw_inbox_create(&inbox));
    for (size_t i = 0; i < jobs_count; i++) {
        parse(&jobs[i], count > 1 ? arguments[1] : "./parse_worker.js", inbox);
    }
    // Returns when all have ended.
    check(nw_inbox_run(inbox, NW_WAIT_FOREVER));

    for (size_t i = 0; i < jobs_count; i++) {
        printf("%s in: %s\n", jobs[i].outcome, jobs[i].script);
        check(nw_worker_destroy(jobs[i].worker));
    }
    check(nw_inbox_destroy(inbox));
    return 0;
}

// What the examples of this directory do when something fails: say why on
// stderr, and end with 1. Workers that still run end with the process.

#ifndef SEEDS_CHECK_H
#define SEEDS_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include <nwpool/status.h>
#include <nwpool/worker.h>

// For everything of the library that returns a status.
static inline void check(nw_status status)
{
    const char *detail = nw_status_detail(); // May be "".

    if (status != NW_OK) {
        fprintf(stderr, "%s%s%s\n", nw_status_message(status),
                detail[0] != '\0' ? ": " : "", detail);
        exit(1);
    }
}

// For the error of an event; NULL is none.
static inline void check_error(const nw_error *error)
{
    if (error != NULL) {
        fprintf(stderr, "%s: %s\n", error->name, error->message);
        exit(1);
    }
}

// For every event of a worker that is to end well: no uncaught error, and exit
// code 0.
static inline void check_event(const nw_worker_event *event)
{
    check_error(event->error);
    if (event->type == NW_WORKER_EXIT && event->exit_code != 0) {
        fprintf(stderr, "the worker ended with %d\n", event->exit_code);
        exit(1);
    }
}

#endif

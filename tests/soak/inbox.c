// Threads post, ref and unref while one thread polls, runs, or loops: each
// event runs once, in the order of its poster. A plain program, so that
// ThreadSanitizer can run it.
//
//   soak_inbox [EVENTS]

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "src/common.h"
#include "src/inbox.h"

#define POSTERS        4
#define EVENTS_DEFAULT 20000
#define EVENTS_MAX     100000000

struct ticket {
    struct nw__event event;
    unsigned poster;
    long number;
};

static nw_inbox *inbox;
static long events;
static long ran[POSTERS]; // By the thread that runs the inbox.

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "soak_inbox: %s\n", what);
        exit(1);
    }
}

static void run_ticket(struct nw__event *event)
{
    struct ticket *ticket = NW_CONTAINER_OF(event, struct ticket, event);

    must(ticket->number == ran[ticket->poster], "out of order");
    ran[ticket->poster]++;
    nw__inbox_unref(inbox);
    free(ticket);
}

// A ref for each event, as a worker holds one until its last.
static void *poster(void *index)
{
    for (long i = 0; i < events; i++) {
        struct ticket *ticket = malloc(sizeof(*ticket));

        must(ticket != NULL, "out of memory");
        ticket->event.run = run_ticket;
        ticket->poster = (unsigned)(uintptr_t)index;
        ticket->number = i;
        nw__inbox_ref(inbox);
        nw__inbox_post(inbox, &ticket->event);
    }
    nw__inbox_unref(inbox); // Its own: see start().
    nw__inbox_release(inbox);
    return NULL;
}

static void start(pthread_t *threads)
{
    must(nw_inbox_create(&inbox) == NW_OK, "no inbox");
    for (uintptr_t i = 0; i < POSTERS; i++) {
        ran[i] = 0;
        nw__inbox_acquire(inbox);
        nw__inbox_ref(inbox);
        must(pthread_create(&threads[i], NULL, poster, (void *)i) == 0,
             "no thread");
    }
}

static void finish(pthread_t *threads)
{
    for (size_t i = 0; i < POSTERS; i++) {
        must(ran[i] == events, "an event was lost");
    }
    must(!nw_inbox_is_alive(inbox), "it is still alive");
    for (size_t i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    must(nw_inbox_destroy(inbox) == NW_OK, "it is in use");
}

static void with_poll(void)
{
    pthread_t threads[POSTERS];

    start(threads);
    while (nw_inbox_is_alive(inbox)) {
        nw_inbox_poll(inbox, 1);
    }
    finish(threads);
}

static void with_run(void)
{
    pthread_t threads[POSTERS];

    start(threads);
    must(nw_inbox_run(inbox, NW_WAIT_FOREVER) == NW_OK, "run failed");
    finish(threads);
}

static void with_loop(void)
{
    pthread_t threads[POSTERS];
    uv_loop_t loop;

    must(uv_loop_init(&loop) == 0, "no loop");
    start(threads);
    must(nw_inbox_attach(inbox, &loop) == NW_OK, "not on the loop");
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(threads);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop) == 0, "something is left on the loop");
}

int main(int count, char **arguments)
{
    events = count > 1 ? strtol(arguments[1], NULL, 10) : EVENTS_DEFAULT;
    must(events > 0 && events <= EVENTS_MAX, "EVENTS: 1 to 100000000");
    with_poll();
    with_run();
    with_loop();
    printf("soak_inbox: %ld events of %d threads, three times\n", events,
           POSTERS);
    return 0;
}

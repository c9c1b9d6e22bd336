// Threads set, move, cancel and free timers at random, which do the same to
// each other while they run: each runs once for each time that it was set or is
// cancelled, and never after cancel_wait. A plain program, so that
// ThreadSanitizer can run it.
//
//   soak_timers [OPERATIONS [SEED]]
//
// OPERATIONS is for each thread; the seed is printed, NW_SEED sets it as well.

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "src/common.h"
#include "src/timers.h"
#include "tests/random.h"

#define THREADS            4
#define OPERATIONS_DEFAULT 20000
#define OPERATIONS_MAX     100000000
#define OBJECTS            64 // Of each thread.
#define SHARED             8
#define DELAY_NS_MAX       UINT64_C(500000)
#define PAUSE_US_MAX       500 // Of a thread now and then, so that some run.

// What happens to an object's timer.
enum kind {
    ONCE,   // Set only when it is over: all can be counted.
    MOVED,  // Set at any time.
    RETURN, // Sets itself again, for ever.
    KINDS,
};

// Fields without a lock: cancel_wait is what orders the accesses.
struct object {
    struct nw__timer timer;
    enum kind kind;
    uint64_t deadline_ns; // Of ONCE.
    uint64_t runs;
    uint64_t sets;
    uint64_t cancelled;
};

static long operations;
static _Atomic uint64_t random_state;
static atomic_uint_fast64_t total_runs;
static atomic_bool busy; // A timer is running.

// Belong to nobody; every thread and every timer plays with them.
static struct nw__timer shared[SHARED];

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "soak_timers: %s\n", what);
        exit(1);
    }
}

static uint64_t random_number(void)
{
    return random_next_shared(&random_state);
}

// Mostly soon, sometimes over already, sometimes never.
static uint64_t random_deadline(void)
{
    switch (random_number() % 8) {
    case 0:
        return 0;
    case 1:
        return NW__NEVER;
    default:
        return nw__now_ns() + random_number() % DELAY_NS_MAX;
    }
}

static void set(struct nw__timer *timer, uint64_t deadline_ns)
{
    must(nw__timer_set(timer, deadline_ns) == NW_OK, "it cannot be set");
}

static void play(void)
{
    struct nw__timer *timer = &shared[random_number() % SHARED];

    switch (random_number() % 3) {
    case 0:
        set(timer, random_deadline());
        break;
    case 1:
        nw__timer_cancel(timer);
        break;
    default:
        nw__timer_cancel_wait(timer);
        break;
    }
}

// -- on the timers' thread

static void begin(void)
{
    must(!atomic_exchange(&busy, true), "two run at once");
    must(nw__timers_is_current(), "it runs on a wrong thread");
    atomic_fetch_add(&total_runs, 1);
}

static void end(void)
{
    atomic_store(&busy, false);
}

static void run_shared(struct nw__timer *timer)
{
    (void)timer;
    begin();
    play();
    end();
}

static void run_object(struct nw__timer *timer)
{
    struct object *object = NW_CONTAINER_OF(timer, struct object, timer);

    begin();
    object->runs++;
    if (object->kind == ONCE) {
        must(nw__now_ns() >= object->deadline_ns, "it runs early");
    } else if (object->kind == RETURN) {
        set(timer, random_deadline());
    }
    if (random_number() % 4 == 0) {
        play();
    }
    end();
}

// -- on the others

static struct object *create(void)
{
    struct object *object = calloc(1, sizeof(*object));

    must(object != NULL, "out of memory");
    object->kind = (enum kind)(random_number() % KINDS);
    nw__timer_init(&object->timer, run_object);
    return object;
}

// Afterwards the object is the caller's alone.
static void finish(struct object *object)
{
    object->cancelled += nw__timer_cancel_wait(&object->timer);
    switch (object->kind) {
    case ONCE:
        must(object->runs + object->cancelled == object->sets,
             "it was lost, or ran twice");
        break;
    case MOVED:
        must(object->runs + object->cancelled <= object->sets, "it ran twice");
        break;
    default:
        break;
    }
}

static void operate(struct object *object)
{
    switch (random_number() % 4) {
    case 0:
        object->cancelled += nw__timer_cancel(&object->timer);
        break;
    case 1:
        finish(object);
        break;
    default:
        if (object->kind == ONCE) {
            finish(object);
            object->deadline_ns = random_deadline();
            set(&object->timer, object->deadline_ns);
        } else {
            set(&object->timer, random_deadline());
        }
        object->sets++;
        break;
    }
}

static void *work(void *unused)
{
    struct object *objects[OBJECTS] = {NULL};

    (void)unused;
    for (long i = 0; i < operations; i++) {
        struct object **object = &objects[random_number() % OBJECTS];

        if (*object == NULL) {
            *object = create();
        }
        operate(*object);
        if (random_number() % 16 == 0) {
            finish(*object);
            free(*object);
            *object = NULL;
        }
        if (random_number() % 4 == 0) {
            play();
        }
        if (random_number() % 32 == 0) {
            usleep((useconds_t)(random_number() % PAUSE_US_MAX));
        }
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        if (objects[i] != NULL) {
            finish(objects[i]);
            free(objects[i]);
        }
    }
    return NULL;
}

// Cancelled by a thread, another may be set again by a timer: all go at once.
static void stop(void)
{
    uint64_t runs;

    must(nw__timers_stop(NW__NEVER), "the thread does not end");
    runs = atomic_load(&total_runs);
    must(nw__timer_set(&shared[0], 0) == NW_ESTOPPED, "it is set, and stopped");
    for (size_t i = 0; i < SHARED; i++) {
        nw__timer_cancel_wait(&shared[i]);
        must(!nw__timer_cancel(&shared[i]), "it is set, and cancelled");
    }
    must(atomic_load(&total_runs) == runs, "it ran after the end");
}

int main(int count, char **arguments)
{
    const char *chosen = count > 2 ? arguments[2] : getenv("NW_SEED");
    uint64_t seed =
        chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)time(NULL);
    pthread_t threads[THREADS];

    operations =
        count > 1 ? strtol(arguments[1], NULL, 10) : OPERATIONS_DEFAULT;
    must(operations > 0 && operations <= OPERATIONS_MAX,
         "OPERATIONS: 1 to 100000000");
    printf("soak_timers: %ld operations of %d threads, NW_SEED=%" PRIu64 "\n",
           operations, THREADS, seed);
    fflush(stdout);
    atomic_store(&random_state, seed);
    for (size_t i = 0; i < SHARED; i++) {
        nw__timer_init(&shared[i], run_shared);
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, work, NULL) == 0, "no thread");
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    stop();
    printf("soak_timers: %" PRIuFAST64 " ran\n", atomic_load(&total_runs));
    return 0;
}

// Goal: a timer runs once for each time that it was set, in its turn and never
// early; one that was cancelled does not; and after cancel_wait it is over. No
// Node.js is started in this file.

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/timers.h"
#include "tests/random.h"
#include "tests/unit/support.h"

#define HOUR_NS (3600 * 1000 * NW__NS_PER_MS)

// Of a deadline in the past, in the order of these.
#define PAST(n) ((uint64_t)(n))

static sem_t ended;   // Once for each note that ran.
static sem_t entered; // The gate's.
static sem_t go;
static sem_t all_due;

static void setup(void)
{
    sem_init(&ended, 0, 0);
    sem_init(&entered, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&all_due, 0, 0);
}

static void teardown(void)
{
    if (!nw__timers_stop(NW__NEVER)) {
        abort();
    }
    nw_test_no_leaks();
}

TestSuite(timers, .init = setup, .fini = teardown, .timeout = 60);

static void wait_for(sem_t *semaphore, unsigned times)
{
    for (; times > 0; times--) {
        while (sem_wait(semaphore) != 0) {
        }
    }
}

// -- timers that leave a note

struct note {
    struct nw__timer timer;
    char name;
    void (*action)(struct note *note); // May be NULL.
    unsigned runs;
    uint64_t at_ns;
};

// The names of those that ran, in order. By the timers' thread, read after
// wait_for().
static char ran[64];
static size_t ran_count;

static void note_down(char name)
{
    ran[ran_count++ % (sizeof(ran) - 1)] = name;
}

static void run_note(struct nw__timer *timer)
{
    struct note *note = NW_CONTAINER_OF(timer, struct note, timer);

    note->at_ns = nw__now_ns();
    note->runs++;
    note_down(note->name);
    if (note->action != NULL) {
        note->action(note);
    }
    sem_post(&ended);
}

static struct note *note_action(struct note *note, char name,
                                void (*action)(struct note *note))
{
    *note = (struct note){.name = name, .action = action};
    nw__timer_init(&note->timer, run_note);
    return note;
}

static struct note *note_init(struct note *note, char name)
{
    return note_action(note, name, NULL);
}

static void set(struct note *note, uint64_t deadline_ns)
{
    cr_assert(eq(int, nw__timer_set(&note->timer, deadline_ns), NW_OK));
}

static bool cancel(struct note *note)
{
    return nw__timer_cancel(&note->timer);
}

#define expect_ran(names) cr_expect(eq(str, ran, (char *)(names)))

// What is set between the two runs afterwards, all of it at once.
static struct nw__timer gate;

static void run_gate(struct nw__timer *timer)
{
    (void)timer;
    sem_post(&entered);
    wait_for(&go, 1);
}

static void close_gate(void)
{
    nw__timer_init(&gate, run_gate);
    cr_assert(eq(int, nw__timer_set(&gate, 0), NW_OK));
    wait_for(&entered, 1);
}

static void open_gate(void)
{
    sem_post(&go);
}

static void run_last(struct nw__timer *timer)
{
    (void)timer;
    note_down('.');
    sem_post(&all_due);
}

// Everything that is due has run when this returns.
static void run_all_due(void)
{
    struct nw__timer last;

    nw__timer_init(&last, run_last);
    cr_assert(eq(int, nw__timer_set(&last, nw__now_ns()), NW_OK));
    wait_for(&all_due, 1);
    nw__timer_cancel_wait(&last);
}

// -- when

static bool current_inside;
static char name_inside[16];

static void look_around(struct note *note)
{
    (void)note;
    current_inside = nw__timers_is_current();
    pthread_getname_np(pthread_self(), name_inside, sizeof(name_inside));
}

Test(timers, run_once_on_their_own_thread_and_never_early)
{
    struct note note;
    uint64_t deadline_ns = nw__deadline_ns(20);

    set(note_action(&note, 'a', look_around), deadline_ns);
    cr_expect(not(nw__timers_is_current()));
    wait_for(&ended, 1);
    cr_expect(ge(u64, note.at_ns, deadline_ns));
    cr_expect(current_inside);
    cr_expect(eq(str, name_inside, "nwpool-timers"));
    run_all_due();
    expect_ran("a.");
    cr_expect(not(cancel(&note)));
}

Test(timers, what_is_due_already_runs_at_once)
{
    struct note note;

    set(note_init(&note, 'a'), 0);
    wait_for(&ended, 1);
    set(&note, nw__now_ns());
    wait_for(&ended, 1);
    expect_ran("aa");
}

Test(timers, run_by_their_deadlines_whenever_they_were_set)
{
    struct note notes[5];
    static const uint64_t order[] = {3, 1, 5, 2, 4};

    close_gate();
    for (unsigned i = 0; i < 5; i++) {
        set(note_init(&notes[i], (char)('0' + order[i])), PAST(order[i]));
    }
    open_gate();
    wait_for(&ended, 5);
    expect_ran("12345");
}

Test(timers, of_one_deadline_run_in_the_order_in_which_they_were_set)
{
    struct note notes[26];

    close_gate();
    for (int i = 0; i < 26; i++) {
        set(note_init(&notes[i], (char)('a' + i)), PAST(7));
    }
    set(&notes[0], PAST(7)); // It had been the first.
    open_gate();
    wait_for(&ended, 26);
    expect_ran("bcdefghijklmnopqrstuvwxyza");
}

Test(timers, an_earlier_one_does_not_wait_for_a_later_one)
{
    struct note later;
    struct note sooner;

    set(note_init(&later, 'b'), nw__now_ns() + HOUR_NS);
    set(note_init(&sooner, 'a'), nw__deadline_ns(10));
    wait_for(&ended, 1);
    cr_expect(ge(u64, sooner.at_ns, sooner.timer.deadline_ns));
    expect_ran("a");
    cr_expect(cancel(&later));
}

// While the thread is busy with one the next has almost come.
Test(timers, that_come_close_together_are_not_early_either)
{
    static struct note notes[500];
    uint64_t begin_ns = nw__deadline_ns(20);

    for (unsigned i = 0; i < NW_ARRAY_SIZE(notes); i++) {
        set(note_init(&notes[i], 'a'), begin_ns + i * 20000);
    }
    wait_for(&ended, NW_ARRAY_SIZE(notes));
    for (unsigned i = 0; i < NW_ARRAY_SIZE(notes); i++) {
        cr_expect(ge(u64, notes[i].at_ns, notes[i].timer.deadline_ns));
    }
}

Test(timers, never_is_never)
{
    struct note note;

    set(note_init(&note, 'a'), NW__NEVER);
    run_all_due();
    expect_ran(".");
    cr_expect(cancel(&note));
    set(&note, NW__NEVER - 1);
    run_all_due();
    expect_ran("..");
    cr_expect(cancel(&note));
}

// -- set again

Test(timers, that_are_set_again_are_moved)
{
    struct note a, b, c;

    close_gate();
    set(note_init(&a, 'a'), PAST(1));
    set(note_init(&b, 'b'), PAST(2));
    set(note_init(&c, 'c'), PAST(3));
    set(&c, PAST(0)); // To the front,
    set(&a, PAST(9)); // from the front to the back.
    open_gate();
    wait_for(&ended, 3);
    run_all_due();
    expect_ran("cba.");
}

Test(timers, that_are_moved_away_do_not_run)
{
    struct note note;

    close_gate();
    set(note_init(&note, 'a'), 0);
    set(&note, nw__now_ns() + HOUR_NS);
    open_gate();
    run_all_due();
    expect_ran(".");
    cr_expect(cancel(&note));
}

static void set_again(struct note *note)
{
    if (note->runs < 5) {
        set(note, note->runs % 2 == 0 ? 0 : nw__deadline_ns(1));
    }
}

Test(timers, may_set_themselves_again)
{
    struct note note;

    set(note_action(&note, 'a', set_again), 0);
    wait_for(&ended, 5);
    run_all_due();
    expect_ran("aaaaa.");
}

static struct note other;

static void set_other(struct note *note)
{
    set(&other, 0);
    set(note, HOUR_NS * 24 * 365 * 200);
}

Test(timers, may_set_others)
{
    struct note note;

    note_init(&other, 'b');
    set(note_action(&note, 'a', set_other), 0);
    wait_for(&ended, 2);
    run_all_due();
    expect_ran("ab.");
    cr_expect(cancel(&note));
}

// -- cancel

Test(timers, cancel_says_whether_it_was_set)
{
    struct note note;

    note_init(&note, 'a');
    cr_expect(not(cancel(&note)));
    set(&note, nw__now_ns() + HOUR_NS);
    cr_expect(cancel(&note));
    cr_expect(not(cancel(&note)));
    cr_expect(not(nw__timer_cancel_wait(&note.timer)));
    set(&note, nw__now_ns() + HOUR_NS);
    cr_expect(nw__timer_cancel_wait(&note.timer));
    run_all_due();
    expect_ran(".");
}

// At the front, in the middle and at the back.
Test(timers, that_were_cancelled_do_not_run)
{
    struct note notes[9];

    close_gate();
    for (int i = 0; i < 9; i++) {
        set(note_init(&notes[i], (char)('1' + i)), PAST(i));
    }
    cr_expect(cancel(&notes[0]));
    cr_expect(cancel(&notes[4]));
    cr_expect(nw__timer_cancel_wait(&notes[8].timer));
    open_gate();
    wait_for(&ended, 6);
    run_all_due();
    expect_ran("234678.");
}

static bool inside[4];

static void cancel_itself(struct note *note)
{
    inside[0] = cancel(note);
    set(note, 0);
    inside[1] = cancel(note);
    set(note, 0);
    inside[2] = nw__timer_cancel_wait(&note->timer);
    inside[3] = nw__timer_cancel_wait(&note->timer);
}

Test(timers, may_cancel_themselves_without_waiting)
{
    struct note note;

    set(note_action(&note, 'a', cancel_itself), 0);
    wait_for(&ended, 1);
    run_all_due();
    expect_ran("a.");
    cr_expect(not(inside[0]));
    cr_expect(inside[1]);
    cr_expect(inside[2]);
    cr_expect(not(inside[3]));
}

static void cancel_other(struct note *note)
{
    (void)note;
    inside[0] = nw__timer_cancel_wait(&other.timer);
    inside[1] = nw__timer_cancel_wait(&other.timer);
}

Test(timers, may_cancel_others)
{
    struct note note;

    close_gate();
    set(note_action(&note, 'a', cancel_other), PAST(1));
    set(note_init(&other, 'b'), PAST(2));
    open_gate();
    wait_for(&ended, 1);
    run_all_due();
    expect_ran("a.");
    cr_expect(inside[0]);
    cr_expect(not(inside[1]));
}

static void run_free(struct nw__timer *timer)
{
    free(timer);
    sem_post(&ended);
}

Test(timers, may_free_what_they_are_in)
{
    for (int i = 0; i < 100; i++) {
        struct nw__timer *timer = malloc(sizeof(*timer));

        cr_assert(ne(ptr, timer, NULL));
        nw__timer_init(timer, run_free);
        cr_assert(eq(int, nw__timer_set(timer, PAST(100 - i)), NW_OK));
    }
    wait_for(&ended, 100);
}

// -- cancel, and wait

static atomic_bool is_over;

static void take_long(struct note *note)
{
    (void)note;
    sem_post(&entered);
    usleep(20000);
    atomic_store(&is_over, true);
}

Test(timers, cancel_does_not_wait_for_one_that_runs)
{
    close_gate();
    cr_expect(not(nw__timer_cancel(&gate)));
    open_gate();
}

Test(timers, cancel_wait_waits_for_one_that_runs)
{
    struct note note;

    set(note_action(&note, 'a', take_long), 0);
    wait_for(&entered, 1);
    cr_expect(not(nw__timer_cancel_wait(&note.timer)));
    cr_expect(atomic_load(&is_over));
    run_all_due();
    expect_ran("a.");
}

Test(timers, cancel_wait_does_not_wait_for_another)
{
    struct note note;

    note_init(&note, 'a');
    close_gate();
    cr_expect(not(nw__timer_cancel_wait(&note.timer)));
    set(&note, 0);
    cr_expect(nw__timer_cancel_wait(&note.timer));
    open_gate();
    run_all_due();
    expect_ran(".");
}

static void set_again_late(struct note *note)
{
    take_long(note);
    set(note, 0);
}

// The timer sets itself for ever, also while somebody waits.
Test(timers, cancel_wait_ends_one_that_sets_itself_again)
{
    struct note note;
    unsigned runs;

    set(note_action(&note, 'a', set_again_late), 0);
    wait_for(&entered, 1);
    nw__timer_cancel_wait(&note.timer);
    runs = note.runs;
    run_all_due();
    cr_expect(eq(uint, note.runs, runs));
    cr_expect(not(cancel(&note)));
}

static void *cancel_and_wait(void *timer)
{
    nw__timer_cancel_wait(timer);
    cr_expect(atomic_load(&is_over));
    return NULL;
}

Test(timers, several_may_wait_for_one)
{
    struct note note;
    pthread_t threads[4];

    set(note_action(&note, 'a', set_again_late), 0);
    wait_for(&entered, 1);
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, cancel_and_wait, &note.timer);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    // The last of them may have come later than the one run, or the other.
    cr_expect(not(cancel(&note)));
}

// Whoever waited for the first run must not cost the second timer its turn.
Test(timers, a_wait_is_for_one_run_only)
{
    struct note note;
    struct note next;

    for (int i = 0; i < 50; i++) {
        atomic_store(&is_over, false);
        set(note_action(&note, 'a', take_long), 0);
        wait_for(&entered, 1);
        set(note_action(&next, 'b', set_again), 0);
        nw__timer_cancel_wait(&note.timer);
        wait_for(&ended, 6);
        cr_expect(eq(uint, next.runs, 5));
        nw__timer_cancel_wait(&next.timer);
    }
}

// -- many

#define MANY 100000

static struct nw__timer many[MANY];
static atomic_uint many_ran;
static uint64_t last_deadline_ns;
static bool out_of_order;

static uint64_t random_state = 1;

static uint64_t random_number(void)
{
    return random_next(&random_state);
}

static void run_many(struct nw__timer *timer)
{
    out_of_order = out_of_order || timer->deadline_ns < last_deadline_ns;
    last_deadline_ns = timer->deadline_ns;
    atomic_fetch_add(&many_ran, 1);
}

static void set_many(uint64_t (*deadline_of)(unsigned i))
{
    close_gate();
    last_deadline_ns = 0;
    for (unsigned i = 0; i < MANY; i++) {
        nw__timer_init(&many[i], run_many);
        cr_assert(eq(int, nw__timer_set(&many[i], deadline_of(i)), NW_OK));
    }
}

static void expect_many(unsigned count)
{
    open_gate();
    run_all_due();
    cr_expect(eq(uint, atomic_exchange(&many_ran, 0), count));
    cr_expect(not(out_of_order));
}

static uint64_t rising(unsigned i)
{
    return i;
}

static uint64_t falling(unsigned i)
{
    return MANY - i;
}

static uint64_t random_deadline(unsigned i)
{
    (void)i;
    return random_number() % (MANY / 2);
}

Test(timers, many_run_in_order)
{
    set_many(rising);
    expect_many(MANY);
    set_many(falling);
    expect_many(MANY);
    set_many(random_deadline);
    expect_many(MANY);
}

// Most deadlines are never missed.
Test(timers, most_of_many_are_cancelled)
{
    unsigned left = MANY;

    set_many(random_deadline);
    for (unsigned i = 0; i < MANY; i++) {
        if (random_number() % 100 != 0) {
            cr_assert(nw__timer_cancel(&many[i]));
            left--;
        }
    }
    expect_many(left);
}

static uint32_t rank_of(const struct nw__timer *timer)
{
    return timer != NULL ? timer->rank : 0;
}

static bool is_child(const struct nw__timer *timer,
                     const struct nw__timer *parent)
{
    return timer == NULL || (timer->parent == parent &&
                             timer->deadline_ns >= parent->deadline_ns);
}

// A heap whose ways to the right are as short as its ranks say, or it would be
// in order and slow.
static bool is_in_its_place(const struct nw__timer *timer)
{
    return is_child(timer->left, timer) && is_child(timer->right, timer) &&
           rank_of(timer->left) >= rank_of(timer->right) &&
           timer->rank == rank_of(timer->right) + 1;
}

Test(timers, many_are_moved_and_cancelled_at_random)
{
    unsigned left = 0;

    set_many(random_deadline);
    for (unsigned i = 0; i < MANY * 3; i++) {
        struct nw__timer *timer = &many[random_number() % MANY];

        if (random_number() % 2 == 0) {
            nw__timer_cancel(timer);
        } else {
            nw__timer_set(timer, random_deadline(0));
        }
    }
    for (unsigned i = 0; i < MANY; i++) {
        if (many[i].rank != 0) {
            left++;
            cr_assert(is_in_its_place(&many[i]));
        }
    }
    cr_expect(gt(uint, left, MANY / 4));
    expect_many(left);
}

#define STORM_THREADS 4
#define STORM_ROUNDS  2000
#define STORM_TIMERS  50

struct storm {
    struct nw__timer timers[STORM_TIMERS];
    atomic_uint ran;
    unsigned sets;
    unsigned cancelled;
};

static struct storm storms[STORM_THREADS];

static void run_storm(struct nw__timer *timer)
{
    size_t offset = (size_t)((char *)timer - (char *)storms);

    atomic_fetch_add(&storms[offset / sizeof(storms[0])].ran, 1);
}

static void *storm(void *data)
{
    struct storm *mine = data;

    for (int i = 0; i < STORM_TIMERS; i++) {
        nw__timer_init(&mine->timers[i], run_storm);
    }
    for (int round = 0; round < STORM_ROUNDS; round++) {
        struct nw__timer *timer = &mine->timers[round % STORM_TIMERS];

        mine->cancelled += nw__timer_cancel_wait(timer);
        nw__timer_set(timer, nw__now_ns() + (unsigned)round * 7919u % 1000000);
        mine->sets++;
    }
    for (int i = 0; i < STORM_TIMERS; i++) {
        mine->cancelled += nw__timer_cancel_wait(&mine->timers[i]);
    }
    return NULL;
}

Test(timers, each_one_of_a_storm_runs_or_is_cancelled)
{
    pthread_t threads[STORM_THREADS];

    for (int i = 0; i < STORM_THREADS; i++) {
        pthread_create(&threads[i], NULL, storm, &storms[i]);
    }
    for (int i = 0; i < STORM_THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_expect(eq(uint, storms[i].sets, STORM_ROUNDS));
        cr_expect(eq(uint, atomic_load(&storms[i].ran) + storms[i].cancelled,
                     STORM_ROUNDS));
    }
}

// -- the thread

// Its id, or 0.
static int find_thread(void)
{
    DIR *directory = opendir("/proc/self/task");
    struct dirent *entry;
    int found = 0;

    cr_assert(ne(ptr, directory, NULL));
    while ((entry = readdir(directory)) != NULL) {
        char path[300];
        char name[32] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "r");
        if (file != NULL) {
            if (fgets(name, sizeof(name), file) != NULL &&
                strcmp(name, "nwpool-timers\n") == 0) {
                found = atoi(entry->d_name);
            }
            fclose(file);
        }
    }
    closedir(directory);
    return found;
}

// How often it went to sleep, once it sleeps.
static long sleeps_of(int thread)
{
    char state = '?';
    long sleeps = -1;

    while (state != 'S') {
        char path[64];
        char line[128];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
        file = fopen(path, "r");
        cr_assert(ne(ptr, file, NULL));
        while (fgets(line, sizeof(line), file) != NULL) {
            sscanf(line, "State: %c", &state);
            sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
        }
        fclose(file);
        usleep(1000);
    }
    return sleeps;
}

Test(timers, the_thread_comes_with_the_first_one)
{
    struct note note;

    note_init(&note, 'a');
    cancel(&note);
    nw__timer_cancel_wait(&note.timer);
    cr_expect(eq(int, find_thread(), 0));
    cr_expect(not(nw__timers_is_current()));
    set(&note, 0);
    wait_for(&ended, 1);
    cr_expect(ne(int, find_thread(), 0));
}

Test(timers, the_thread_sleeps_on_when_nothing_comes_sooner)
{
    struct note first;
    struct note note;
    int thread;
    long before;

    set(note_init(&first, 'a'), nw__now_ns() + HOUR_NS);
    run_all_due();
    thread = find_thread();
    before = sleeps_of(thread);
    note_init(&note, 'b');
    for (int i = 0; i < 50; i++) {
        set(&note, nw__now_ns() + HOUR_NS * 2);
        usleep(1000); // It would take that long to wake up and sleep again.
        cancel(&note);
    }
    cr_expect(lt(long, sleeps_of(thread) - before, 10));
    // Nor when the first one goes.
    for (int i = 0; i < 50; i++) {
        cancel(&first);
        set(&first, nw__now_ns() + HOUR_NS * 3);
        usleep(1000);
    }
    cr_expect(lt(long, sleeps_of(thread) - before, 10));
    cancel(&first);
}

Test(timers, the_thread_sleeps_when_all_are_cancelled)
{
    struct note note;
    long before;

    run_all_due();
    set(note_init(&note, 'a'), nw__now_ns() + HOUR_NS);
    cancel(&note);
    before = sleeps_of(find_thread());
    usleep(20000);
    cr_expect(le(long, sleeps_of(find_thread()) - before, 1));
}

Test(timers, without_memory_the_first_one_is_not_set)
{
    struct note note;

    note_init(&note, 'a');
    nw__alloc_fail_after(0);
    cr_expect(eq(int, nw__timer_set(&note.timer, 0), NW_ENOMEM));
    cr_expect(not(cancel(&note)));
    cr_expect(eq(int, find_thread(), 0));
    set(&note, 0);
    wait_for(&ended, 1);
    // From then on none needs memory.
    nw__alloc_fail_after(0);
    set(&note, 0);
    wait_for(&ended, 1);
    nw__alloc_fail_after(-1);
    expect_ran("aa");
}

// -- stop

Test(timers, stop_without_a_thread_and_more_than_once)
{
    struct note note;

    cr_expect(nw__timers_stop(0));
    cr_expect(nw__timers_stop(NW__NEVER));
    note_init(&note, 'a');
    cr_expect(eq(int, nw__timer_set(&note.timer, 0), NW_ESTOPPED));
    cr_expect(not(cancel(&note)));
    cr_expect(not(nw__timer_cancel_wait(&note.timer)));
    cr_expect(eq(int, find_thread(), 0));
}

Test(timers, what_is_set_when_it_stops_never_runs)
{
    struct note due;
    struct note later;

    note_init(&due, 'a');
    set(note_init(&later, 'b'), nw__now_ns() + HOUR_NS);
    close_gate();
    set(&due, 0);
    // It runs, so this cannot end in time, but the next timer is none any more.
    cr_expect(not(nw__timers_stop(nw__now_ns())));
    cr_expect(eq(int, nw__timer_set(&due.timer, 0), NW_ESTOPPED));
    open_gate();
    cr_expect(nw__timers_stop(NW__NEVER));
    cr_expect(eq(int, find_thread(), 0));
    expect_ran("");
    cr_expect(cancel(&due));
    cr_expect(nw__timer_cancel_wait(&later.timer));
    cr_expect(nw__timers_stop(NW__NEVER));
}

static void *stop(void *unused)
{
    (void)unused;
    cr_expect(nw__timers_stop(NW__NEVER));
    cr_expect(atomic_load(&is_over));
    return NULL;
}

Test(timers, stop_waits_for_one_that_runs_also_for_several)
{
    struct note note;
    pthread_t threads[4];

    set(note_action(&note, 'a', take_long), 0);
    wait_for(&entered, 1);
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, stop, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    expect_ran("a");
}

static void stop_inside(struct note *note)
{
    (void)note;
    nw__timers_stop(NW__NEVER);
}

TestSuite(timers_misuse, .init = setup, .timeout = 20);

Test(timers_misuse, a_timer_that_stops_its_own_thread_aborts, .signal = SIGABRT)
{
    struct note note;

    set(note_action(&note, 'a', stop_inside), 0);
    wait_for(&ended, 1);
}

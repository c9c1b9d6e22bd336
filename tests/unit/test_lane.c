// Goal: a job is in one place at any time, and whoever takes it out of there
// ends it. No Node.js: this file plays both the pool and the worker.

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/lane.h"
#include "tests/unit/support.h"

#define JOBS 8

static struct nw__job jobs[JOBS];
static struct nw__job_list waiting; // What pull() hands out, all at once.
static struct nw__lane *lane;

static int pulls, settlements, deaths, wakes;
static struct nw__job *settled_job;
static struct nw__job *dead_running;
static struct nw__job_list dead_assigned;

static bool on_pull(void *owner, struct nw__lane *puller)
{
    bool pulled = waiting.head != NULL;

    cr_assert(eq(ptr, owner, &waiting));
    pulls++;
    return pulled && nw__lane_push(puller, &waiting);
}

static void on_settled(void *owner, struct nw__lane *from, struct nw__job *job)
{
    (void)owner;
    (void)from;
    settlements++;
    settled_job = job;
}

static void on_died(void *owner, struct nw__lane *dead,
                    struct nw__job_list *assigned, struct nw__job *running)
{
    (void)owner;
    cr_assert(eq(ptr, dead, lane));
    deaths++;
    dead_running = running;
    nw__job_list_append(&dead_assigned, assigned);
}

static const struct nw__lane_source source = {
    .pull = on_pull,
    .settled = on_settled,
    .died = on_died,
};

static void on_wake(void *context)
{
    (*(int *)context)++;
}

static void setup(void)
{
    memset(jobs, 0, sizeof(jobs));
    for (uint64_t i = 0; i < JOBS; i++) {
        jobs[i].id = i + 1;
        jobs[i].function = (uint32_t)i * 10;
        jobs[i].function_name = "work";
    }
    lane = nw__lane_create(7, "module", "pool", &source, &waiting);
    cr_assert(ne(ptr, lane, NULL));
}

// Nothing may be left in the lane, nor any reference to it.
static void teardown(void)
{
    struct nw__job_list assigned;
    struct nw__job *running;

    nw__lane_close(lane, &assigned, &running);
    nw__lane_unref(lane);
    nw_test_no_leaks();
}

TestSuite(lane, .init = setup, .fini = teardown, .timeout = 20);
TestSuite(job_list, .init = setup, .fini = teardown, .timeout = 20);

// -- lists

static struct nw__job_list list_of(size_t first, size_t count)
{
    struct nw__job_list list = {0};

    for (size_t i = 0; i < count; i++) {
        nw__job_list_push(&list, &jobs[first + i]);
    }
    return list;
}

// That the list holds these jobs, by id, in this order; it is empty then.
static void expect_jobs(struct nw__job_list *list, const char *ids)
{
    cr_expect(eq(sz, list->count, strlen(ids)), "%s", ids);
    for (; *ids != '\0'; ids++) {
        struct nw__job *job = nw__job_list_pop(list);

        cr_assert(ne(ptr, job, NULL));
        cr_expect(eq(u64, job->id, (uint64_t)(*ids - '0')));
        cr_expect(eq(ptr, job->next, NULL));
    }
    cr_expect(eq(ptr, nw__job_list_pop(list), NULL));
    cr_expect(eq(ptr, list->head, NULL));
    cr_expect(eq(ptr, list->tail, NULL));
    cr_expect(eq(u32, list->count, 0));
}

Test(job_list, keeps_the_order)
{
    struct nw__job_list list = list_of(0, 3);

    expect_jobs(&list, "123");
    nw__job_list_push(&list, &jobs[4]);
    expect_jobs(&list, "5");
}

Test(job_list, goes_behind_and_in_front_of_another)
{
    struct nw__job_list list = list_of(0, 2);
    struct nw__job_list other = list_of(2, 2);

    nw__job_list_append(&list, &other);
    expect_jobs(&other, "");
    expect_jobs(&list, "1234");

    list = list_of(0, 2);
    other = list_of(2, 2);
    nw__job_list_prepend(&list, &other);
    expect_jobs(&other, "");
    expect_jobs(&list, "3412");
}

Test(job_list, may_be_empty_wherever_it_goes)
{
    struct nw__job_list empty = {0};
    struct nw__job_list list = list_of(0, 2);

    nw__job_list_append(&list, &empty);
    nw__job_list_prepend(&list, &empty);
    nw__job_list_append(&empty, &list);
    expect_jobs(&list, "");
    expect_jobs(&empty, "12");

    list = list_of(0, 1);
    nw__job_list_prepend(&empty, &list);
    expect_jobs(&empty, "1");
    nw__job_list_append(&empty, &list);
    expect_jobs(&empty, "");
}

Test(job_list, is_split_anywhere)
{
    struct nw__job_list list = list_of(0, 4);
    struct nw__job_list tail = list_of(6, 1);

    nw__job_list_split_tail(&list, 0, &tail);
    cr_expect(eq(u32, list.count, 4));
    nw__job_list_split_tail(&list, 1, &tail);
    nw__job_list_split_tail(&list, 2, &tail);
    expect_jobs(&tail, "7423");
    cr_expect(eq(u32, list.count, 1));
    nw__job_list_split_tail(&list, 1, &tail);
    expect_jobs(&tail, "1");
    expect_jobs(&list, "");
}

// -- jobs through a lane

static void push(size_t first, size_t count)
{
    struct nw__job_list list = list_of(first, count);

    cr_assert(nw__lane_push(lane, &list));
    cr_expect(eq(u32, list.count, 0));
}

static void start_next(struct nw__run *run)
{
    memset(run, 0, sizeof(*run));
    cr_assert(nw__lane_next(lane, 1000, run));
}

static bool settle(const struct nw__run *run)
{
    struct nw__message outcome = {0};
    bool mine;

    cr_assert(eq(int, nw__message_reserve(&outcome, 100), NW_OK));
    mine = nw__lane_settle(lane, run->job, NW_ETHROWN, &outcome, 2000);
    if (!mine) {
        // Left as it was: the caller's to be freed.
        cr_expect(eq(sz, outcome.size, 100));
    }
    nw__message_fini(&outcome);
    return mine;
}

static void free_message(struct nw__job *job)
{
    nw__message_fini(&job->message);
}

Test(lane, runs_what_was_assigned_in_order)
{
    struct nw__run run;

    push(0, 2);
    push(2, 1);
    for (uint64_t id = 1; id <= 3; id++) {
        start_next(&run);
        cr_expect(eq(u64, run.id, id));
        cr_expect(eq(ptr, run.job, &jobs[id - 1]));
        cr_expect(eq(u32, run.function, (uint32_t)(id - 1) * 10));
        cr_expect(eq(u64, run.started_ns, 1000));
        cr_expect(eq(u32, jobs[id - 1].worker, 7));
        cr_expect(eq(u64, jobs[id - 1].started_ns, 1000));

        cr_expect(settle(&run));
        cr_expect(eq(int, settlements, (int)id));
        cr_expect(eq(ptr, settled_job, &jobs[id - 1]));
        cr_expect(eq(int, settled_job->status, NW_ETHROWN));
        cr_expect(eq(u64, settled_job->ended_ns, 2000));
        cr_expect(eq(sz, settled_job->message.size, 100));
        free_message(settled_job);
    }
    cr_expect(eq(int, pulls, 0));
}

Test(lane, pulls_when_it_has_nothing)
{
    struct nw__run run = {0};

    cr_expect(not(nw__lane_next(lane, 0, &run)));
    cr_expect(eq(int, pulls, 1));
    cr_expect(eq(ptr, run.job, NULL));

    waiting = list_of(0, 2);
    start_next(&run);
    cr_expect(eq(int, pulls, 2));
    cr_expect(eq(u64, run.id, 1));
    settle(&run);
    free_message(&jobs[0]);
    start_next(&run);
    cr_expect(eq(int, pulls, 2));
    cr_expect(eq(u64, run.id, 2));
    settle(&run);
    free_message(&jobs[1]);
}

Test(lane, hands_the_arguments_to_the_worker)
{
    struct nw__run run;
    int released = 0;

    cr_assert(eq(int, nw__message_reserve(&jobs[0].message, 5), NW_OK));
    memcpy(jobs[0].message.data, "hello", 5);
    nw__message_reserve_beside(&jobs[0].message, 1, 0);
    jobs[0].message.beside->blobs[0] =
        (struct nw__blob){.release = nw_test_count_release, .hint = &released};
    push(0, 1);
    start_next(&run);
    cr_expect(eq(sz, jobs[0].message.size, 0));
    cr_expect(eq(ptr, jobs[0].message.beside, NULL));
    cr_expect(eq(int, memcmp(run.arguments.data, "hello", 5), 0));

    // Still the worker's when the job is taken away from it.
    nw__lane_close(lane, &(struct nw__job_list){0}, &(struct nw__job *){0});
    cr_expect(eq(int, released, 0));
    nw__message_fini(&run.arguments);
    cr_expect(eq(int, released, 1));
}

// -- taken back

Test(lane, gives_back_half_of_what_waits_the_youngest_first)
{
    struct nw__job_list stolen = {0};
    struct nw__run run;

    push(0, 5);
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "45");

    // The first is running now: of the two that wait, one is enough.
    start_next(&run);
    cr_expect(eq(u64, run.id, 1));
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "3");
    // The last one goes too: it waits behind what runs.
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "2");
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "");
    settle(&run);
    free_message(&jobs[0]);
}

Test(lane, keeps_the_job_it_is_about_to_start)
{
    struct nw__job_list stolen = {0};

    push(0, 1);
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "");
    nw__lane_steal(lane, true, &stolen);
    expect_jobs(&stolen, "1");
}

Test(lane, counts_what_it_holds)
{
    uint64_t assigned = 10, running = 10;
    struct nw__run run;

    push(0, 3);
    nw__lane_count(lane, &assigned, &running);
    cr_expect(eq(u64, assigned, 13));
    cr_expect(eq(u64, running, 10));
    start_next(&run);
    nw__lane_count(lane, &assigned, &running);
    cr_expect(eq(u64, assigned, 15));
    cr_expect(eq(u64, running, 11));
    settle(&run);
    free_message(&jobs[0]);
}

// -- closing

Test(lane, gives_everything_away_when_it_closes)
{
    struct nw__job_list assigned;
    struct nw__job *running;
    struct nw__job_list late;
    struct nw__run run;
    struct nw__run none = {0};

    push(0, 3);
    start_next(&run);
    nw__lane_close(lane, &assigned, &running);
    cr_expect(eq(ptr, running, &jobs[0]));
    expect_jobs(&assigned, "23");

    // The worker comes back late with what it computed.
    cr_expect(not(settle(&run)));
    cr_expect(eq(int, settlements, 0));
    cr_expect(eq(sz, jobs[0].message.size, 0));
    cr_expect(eq(int, jobs[0].status, 0));

    late = list_of(4, 2);
    cr_expect(not(nw__lane_push(lane, &late)));
    expect_jobs(&late, "56");
    waiting = list_of(4, 1);
    cr_expect(not(nw__lane_next(lane, 0, &none)));
    expect_jobs(&waiting, "5");

    nw__lane_close(lane, &assigned, &running);
    cr_expect(eq(ptr, running, NULL));
    expect_jobs(&assigned, "");
}

// -- the worker comes and goes

Test(lane, is_attached_once)
{
    int other = 0;

    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    cr_expect(not(nw__lane_attach(lane, on_wake, &other)));
    nw__lane_wake(lane);
    nw__lane_wake(lane);
    cr_expect(eq(int, wakes, 2));
    cr_expect(eq(int, other, 0));
    nw__lane_detach(lane);
    nw__lane_wake(lane);
    cr_expect(eq(int, wakes, 2));
    cr_expect(not(nw__lane_attach(lane, on_wake, &other)));
}

Test(lane, is_not_attached_when_it_is_closed)
{
    nw__lane_close(lane, &(struct nw__job_list){0}, &(struct nw__job *){0});
    cr_expect(not(nw__lane_attach(lane, on_wake, &wakes)));
    nw__lane_wake(lane);
    cr_expect(eq(int, wakes, 0));
}

Test(lane, tells_of_its_death_with_what_it_held)
{
    struct nw__run run;

    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    push(0, 3);
    start_next(&run);
    nw__lane_detach(lane);
    cr_expect(eq(int, deaths, 1));
    cr_expect(eq(ptr, dead_running, &jobs[0]));
    expect_jobs(&dead_assigned, "23");
    cr_expect(not(settle(&run)));
    cr_expect(eq(int, settlements, 0));
}

Test(lane, tells_of_its_death_without_a_running_job)
{
    struct nw__run run;

    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    push(0, 1);
    start_next(&run);
    settle(&run);
    free_message(&jobs[0]);
    nw__lane_detach(lane);
    cr_expect(eq(int, deaths, 1));
    cr_expect(eq(ptr, dead_running, NULL));
    expect_jobs(&dead_assigned, "");
}

Test(lane, says_nothing_of_its_death_when_it_was_closed_before)
{
    struct nw__job_list assigned;
    struct nw__job *running;

    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    push(0, 2);
    nw__lane_close(lane, &assigned, &running);
    expect_jobs(&assigned, "12");
    nw__lane_detach(lane);
    cr_expect(eq(int, deaths, 0));
}

Test(lane, lives_as_long_as_somebody_holds_it)
{
    nw__lane_ref(lane);
    nw__lane_unref(lane);
    nw__lane_unref(NULL);
    push(0, 1);
    nw__lane_close(lane, &(struct nw__job_list){0}, &(struct nw__job *){0});
}

// -- threads: each job ends once, by the worker or by a thief, and the lane is
// closed in the middle of it

#define MANY 20000

static struct nw__job many[MANY];
static atomic_int ends[MANY];
static atomic_int next_job;
static atomic_bool closing;

static bool pull_one(void *owner, struct nw__lane *puller)
{
    struct nw__job_list list = {0};
    int i = atomic_fetch_add(&next_job, 3);

    (void)owner;
    for (int k = i; k < i + 3 && k < MANY; k++) {
        nw__job_list_push(&list, &many[k]);
    }
    if (list.head == NULL) {
        return false;
    }
    if (!nw__lane_push(puller, &list)) {
        while (list.head != NULL) {
            atomic_fetch_add(&ends[nw__job_list_pop(&list) - many], 1);
        }
        return false;
    }
    return true;
}

static void end_one(void *owner, struct nw__lane *from, struct nw__job *job)
{
    (void)owner;
    (void)from;
    atomic_fetch_add(&ends[job - many], 1);
}

static const struct nw__lane_source racing = {
    .pull = pull_one,
    .settled = end_one,
};

static void *work(void *argument)
{
    struct nw__lane *mine = argument;
    struct nw__message outcome = {0};
    struct nw__run run = {0};

    while (nw__lane_next(mine, 1, &run)) {
        nw__lane_settle(mine, run.job, NW_OK, &outcome, 2);
    }
    return NULL;
}

static void *steal(void *argument)
{
    struct nw__lane *victim = argument;

    while (!atomic_load(&closing)) {
        struct nw__job_list stolen = {0};

        nw__lane_steal(victim, false, &stolen);
        while (stolen.head != NULL) {
            atomic_fetch_add(&ends[nw__job_list_pop(&stolen) - many], 1);
        }
        nw__lane_wake(victim);
    }
    return NULL;
}

static void race(int close_after)
{
    struct nw__lane *raced = nw__lane_create(1, "m", "p", &racing, NULL);
    struct nw__job_list left;
    struct nw__job *running;
    pthread_t worker, thief;

    memset(many, 0, sizeof(many));
    memset(ends, 0, sizeof(ends));
    atomic_store(&next_job, 0);
    atomic_store(&closing, false);
    pthread_create(&worker, NULL, work, raced);
    pthread_create(&thief, NULL, steal, raced);
    while (atomic_load(&next_job) < close_after) {
    }
    nw__lane_close(raced, &left, &running);
    atomic_store(&closing, true);
    pthread_join(worker, NULL);
    pthread_join(thief, NULL);
    while (left.head != NULL) {
        atomic_fetch_add(&ends[nw__job_list_pop(&left) - many], 1);
    }
    if (running != NULL) {
        atomic_fetch_add(&ends[running - many], 1);
    }
    for (int i = 0; i < MANY; i++) {
        int expected = i < atomic_load(&next_job) ? 1 : 0;

        cr_assert(eq(int, atomic_load(&ends[i]), expected), "job %d", i);
    }
    nw__lane_unref(raced);
}

Test(lane, ends_each_job_once_among_threads)
{
    for (int close_after = 1; close_after < MANY; close_after += 997) {
        race(close_after);
    }
}

// Goal: a job is in one place at any time, and whoever takes it out of there
// ends it; what is asked of the worker arrives. No Node.js: this file plays both
// the pool and the worker.

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <stdio.h>

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
static struct nw__job_list dead_running;
static struct nw__job_list dead_assigned;
static uint64_t interrupted;

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
                    struct nw__job_list *assigned, struct nw__job_list *running)
{
    (void)owner;
    cr_assert(eq(ptr, dead, lane));
    deaths++;
    nw__job_list_append(&dead_running, running);
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

static void on_interrupt(void *context, uint64_t id)
{
    cr_assert(eq(ptr, context, &wakes));
    interrupted = id;
}

static bool on_copy(void *context, uint64_t id, char *text, size_t size)
{
    (void)context;
    snprintf(text, size, "stack of %d", (int)id);
    return true;
}

static const struct nw__lane_script script = {
    .interrupt = on_interrupt,
    .sample = on_interrupt,
    .copy_sample = on_copy,
};

static struct nw__lane *make_lane(uint32_t concurrency)
{
    const struct nw__lane_options options = {.number = 7,
                                             .module = "module",
                                             .pool_name = "pool",
                                             .concurrency = concurrency,
                                             .source = &source,
                                             .owner = &waiting};
    struct nw__lane *made = nw__lane_create(&options);

    cr_assert(ne(ptr, made, NULL));
    return made;
}

static void setup(void)
{
    memset(jobs, 0, sizeof(jobs));
    for (uint64_t i = 0; i < JOBS; i++) {
        jobs[i].id = i + 1;
        jobs[i].function = (uint32_t)i * 10;
        jobs[i].function_name = "work";
    }
    lane = make_lane(1);
}

// The lane of the test, from now on, that runs several.
static void run_several(uint32_t concurrency)
{
    nw__lane_unref(lane);
    lane = make_lane(concurrency);
}

// Nothing may be left in the lane, nor any reference to it.
static void teardown(void)
{
    struct nw__job_list assigned;
    struct nw__job_list running;

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

// That the list holds these jobs, by id, in this order, seen from both ends; it
// is empty then.
static void expect_jobs(struct nw__job_list *list, const char *ids)
{
    const struct nw__job *job = list->tail;

    cr_expect(eq(sz, list->count, strlen(ids)), "%s", ids);
    for (size_t i = strlen(ids); i > 0; i--) {
        cr_assert(ne(ptr, (void *)job, NULL), "%s", ids);
        cr_expect(eq(u64, job->id, (uint64_t)(ids[i - 1] - '0')), "%s", ids);
        job = job->previous;
    }
    cr_expect(eq(ptr, (void *)job, NULL), "%s", ids);
    for (; *ids != '\0'; ids++) {
        struct nw__job *first = nw__job_list_pop(list);

        cr_assert(ne(ptr, first, NULL));
        cr_expect(eq(u64, first->id, (uint64_t)(*ids - '0')));
        cr_expect(eq(ptr, first->next, NULL));
        cr_expect(eq(ptr, first->previous, NULL));
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

Test(job_list, gives_a_job_from_anywhere)
{
    struct nw__job_list list = list_of(0, 5);

    nw__job_list_remove(&list, &jobs[2]);
    cr_expect(eq(ptr, jobs[2].next, NULL));
    cr_expect(eq(ptr, jobs[2].previous, NULL));
    nw__job_list_remove(&list, &jobs[0]);
    nw__job_list_remove(&list, &jobs[4]);
    nw__job_list_push(&list, &jobs[2]);
    expect_jobs(&list, "243");
    list = list_of(0, 1);
    nw__job_list_remove(&list, &jobs[0]);
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
    mine = nw__lane_settle(lane, run->job, run->id, NW_ETHROWN, &outcome, 2000);
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
    nw__lane_close(lane, &(struct nw__job_list){0}, &(struct nw__job_list){0});
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

static void pin(const char *ids)
{
    for (; *ids != '\0'; ids++) {
        jobs[*ids - '1'].pinned = true;
    }
}

Test(lane, gives_back_no_job_that_is_pinned)
{
    struct nw__job_list stolen = {0};
    struct nw__job_list late;
    struct nw__run run;

    pin("257");
    push(0, 7);
    // Of 3, 4 and 6, for 1 is about to start.
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "46");
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "3");
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "");
    nw__lane_steal(lane, true, &stolen);
    expect_jobs(&stolen, "1");
    nw__lane_steal(lane, true, &stolen);
    expect_jobs(&stolen, "");

    // One behind a pinned one goes, though it is the only one that can.
    late = list_of(7, 1);
    cr_assert(nw__lane_push(lane, &late));
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "8");
    start_next(&run);
    cr_expect(eq(u64, run.id, 2));
    settle(&run);
    free_message(&jobs[1]);
}

Test(lane, gives_back_one_job_by_name)
{
    struct nw__job_list left;
    struct nw__run run;

    push(0, 4);
    start_next(&run);
    cr_expect(not(nw__lane_take_assigned(lane, &jobs[0])));
    cr_expect(nw__lane_take_assigned(lane, &jobs[2]));
    cr_expect(not(nw__lane_take_assigned(lane, &jobs[2])));
    cr_expect(not(nw__lane_take_running(lane, &jobs[1])));
    pin("4");
    cr_expect(nw__lane_take_assigned(lane, &jobs[3]));
    cr_expect(settle(&run));
    free_message(&jobs[0]);
    cr_expect(not(nw__lane_take_running(lane, &jobs[0])));
    nw__lane_close(lane, &left, &(struct nw__job_list){0});
    expect_jobs(&left, "2");
    cr_expect(not(nw__lane_take_assigned(lane, &jobs[1])));
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

// -- several at a time

Test(lane, runs_as_many_as_it_may)
{
    uint64_t assigned = 0, running = 0;
    struct nw__run runs[3];
    struct nw__run none = {0};

    run_several(3);
    push(0, 3);
    waiting = list_of(3, 2);
    for (int i = 0; i < 3; i++) {
        start_next(&runs[i]);
    }
    // It does not even ask: it would count as idle.
    cr_expect(not(nw__lane_next(lane, 0, &none)));
    cr_expect(eq(int, pulls, 0));
    cr_expect(eq(ptr, none.job, NULL));
    nw__lane_count(lane, &assigned, &running);
    cr_expect(eq(u64, assigned, 0));
    cr_expect(eq(u64, running, 3));

    // They end in any order.
    cr_expect(settle(&runs[1]));
    cr_expect(eq(ptr, settled_job, &jobs[1]));
    free_message(&jobs[1]);
    start_next(&runs[1]);
    cr_expect(eq(u64, runs[1].id, 4));
    cr_expect(eq(int, pulls, 1));
    for (int i = 2; i >= 0; i--) {
        cr_expect(settle(&runs[i]));
        cr_expect(eq(ptr, settled_job, runs[i].job));
        free_message(runs[i].job);
    }
    cr_expect(eq(int, settlements, 4));
}

Test(lane, keeps_the_room_of_a_job_that_was_taken)
{
    uint64_t assigned = 0, running = 0;
    struct nw__job_list stolen = {0};
    struct nw__run runs[2];
    struct nw__run none = {0};

    run_several(2);
    push(0, 3);
    start_next(&runs[0]);
    start_next(&runs[1]);
    cr_expect(nw__lane_take_running(lane, &jobs[0]));
    cr_expect(not(nw__lane_take_running(lane, &jobs[0])));
    nw__lane_count(lane, &assigned, &running);
    cr_expect(eq(u64, assigned, 1));
    cr_expect(eq(u64, running, 1));
    cr_expect(not(nw__lane_next(lane, 0, &none)));

    // The other way round as well: it waits behind something.
    cr_expect(nw__lane_take_running(lane, &jobs[1]));
    nw__lane_steal(lane, false, &stolen);
    expect_jobs(&stolen, "3");
    push(2, 1);

    // Its late end is worth nothing but the room.
    cr_expect(not(settle(&runs[0])));
    cr_expect(eq(int, settlements, 0));
    cr_expect(eq(int, jobs[0].status, 0));
    start_next(&runs[0]);
    cr_expect(eq(u64, runs[0].id, 3));
    cr_expect(not(settle(&runs[1])));
    cr_expect(settle(&runs[0]));
    free_message(&jobs[2]);
    cr_expect(eq(int, settlements, 1));
}

// The pool uses its records again.
Test(lane, takes_a_new_task_in_an_old_record_for_another)
{
    struct nw__run old, new;

    run_several(2);
    push(0, 1);
    start_next(&old);
    cr_expect(nw__lane_take_running(lane, &jobs[0]));
    jobs[0].id = 9;
    push(0, 1);
    start_next(&new);
    cr_expect(eq(ptr, new.job, old.job));

    cr_expect(not(settle(&old)));
    cr_expect(eq(int, settlements, 0));
    cr_expect(settle(&new));
    cr_expect(eq(int, settlements, 1));
    free_message(&jobs[0]);
}

Test(lane, tells_of_its_death_with_all_that_ran)
{
    struct nw__run runs[3];

    run_several(4);
    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    push(0, 5);
    for (int i = 0; i < 3; i++) {
        start_next(&runs[i]);
    }
    cr_expect(nw__lane_take_running(lane, &jobs[1]));
    nw__lane_detach(lane);
    cr_expect(eq(int, deaths, 1));
    expect_jobs(&dead_running, "13");
    expect_jobs(&dead_assigned, "45");
    for (int i = 0; i < 3; i++) {
        cr_expect(not(settle(&runs[i])));
    }
}

// -- requests

static struct nw__lane_request *request(enum nw__lane_request_type type,
                                        uint64_t id)
{
    struct nw__lane_request *made = nw__alloc_zero(sizeof(*made));

    cr_assert(ne(ptr, made, NULL));
    made->type = type;
    made->id = id;
    strcpy(made->reason, "why");
    return made;
}

static void expect_request(struct nw__lane_request **requests,
                           enum nw__lane_request_type type, uint64_t id)
{
    struct nw__lane_request *first = *requests;

    cr_assert(ne(ptr, first, NULL));
    cr_expect(eq(int, first->type, type));
    cr_expect(eq(u64, first->id, id));
    cr_expect(eq(str, first->reason, "why"));
    *requests = first->next;
    nw__free(first);
}

Test(lane, keeps_what_is_asked_until_the_worker_looks)
{
    struct nw__lane_request *requests;

    cr_expect(eq(ptr, nw__lane_requests(lane), NULL));
    nw__lane_ask(lane, request(NW__LANE_ABORT, 3)); // Before it is attached.
    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    cr_expect(eq(int, wakes, 0));
    nw__lane_ask(lane, request(NW__LANE_ROOM, 2));
    nw__lane_ask(lane, request(NW__LANE_END, 0));
    cr_expect(eq(int, wakes, 2));

    requests = nw__lane_requests(lane);
    expect_request(&requests, NW__LANE_ABORT, 3);
    expect_request(&requests, NW__LANE_ROOM, 2);
    expect_request(&requests, NW__LANE_END, 0);
    cr_expect(eq(ptr, requests, NULL));
    cr_expect(eq(ptr, nw__lane_requests(lane), NULL));

    nw__lane_ask(lane, request(NW__LANE_ROOM, 4));
    requests = nw__lane_requests(lane);
    expect_request(&requests, NW__LANE_ROOM, 4);
    cr_expect(eq(ptr, requests, NULL));
    nw__lane_detach(lane);
}

// The end of each test looks for leaks.
Test(lane, drops_what_is_asked_when_nobody_will_look)
{
    nw__lane_ask(lane, request(NW__LANE_ABORT, 1));
    nw__lane_ask(lane, request(NW__LANE_ABORT, 2));
    nw__lane_close(lane, &(struct nw__job_list){0}, &(struct nw__job_list){0});
    cr_expect(eq(ptr, nw__lane_requests(lane), NULL));
    nw__lane_ask(lane, request(NW__LANE_END, 0));
    cr_expect(eq(ptr, nw__lane_requests(lane), NULL));

    run_several(2);
    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    nw__lane_ask(lane, request(NW__LANE_ROOM, 1));
    nw__lane_detach(lane);
    cr_expect(eq(ptr, nw__lane_requests(lane), NULL));

    run_several(2);
    nw__lane_ask(lane, request(NW__LANE_ROOM, 1));
    run_several(2);
}

Test(lane, interrupts_while_somebody_can)
{
    nw__lane_interrupt(lane, 1);
    cr_assert(nw__lane_attach(lane, on_wake, &wakes));
    nw__lane_interrupt(lane, 2);
    cr_expect(eq(u64, interrupted, 0));
    nw__lane_set_script(lane, &script);
    nw__lane_interrupt(lane, 3);
    cr_expect(eq(u64, interrupted, 3));
    nw__lane_set_script(lane, NULL);
    nw__lane_interrupt(lane, 4);
    nw__lane_set_script(lane, &script);
    nw__lane_detach(lane);
    nw__lane_interrupt(lane, 5);
    cr_expect(eq(u64, interrupted, 3));
    cr_expect(eq(int, wakes, 0));
}

// -- closing

Test(lane, gives_everything_away_when_it_closes)
{
    struct nw__job_list assigned;
    struct nw__job_list running;
    struct nw__job_list late;
    struct nw__run run;
    struct nw__run none = {0};

    push(0, 3);
    start_next(&run);
    nw__lane_close(lane, &assigned, &running);
    expect_jobs(&running, "1");
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
    expect_jobs(&running, "");
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
    nw__lane_close(lane, &(struct nw__job_list){0}, &(struct nw__job_list){0});
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
    expect_jobs(&dead_running, "1");
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
    expect_jobs(&dead_running, "");
    expect_jobs(&dead_assigned, "");
}

Test(lane, says_nothing_of_its_death_when_it_was_closed_before)
{
    struct nw__job_list assigned;
    struct nw__job_list running;

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
    nw__lane_close(lane, &(struct nw__job_list){0}, &(struct nw__job_list){0});
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

// Holds up to as many as it may, and ends them out of order.
static void *work(void *argument)
{
    struct nw__lane *mine = argument;
    struct nw__message outcome = {0};
    struct nw__run runs[4] = {0};
    uint32_t count = 0;

    for (bool more = true; more || count > 0;) {
        more = more && nw__lane_next(mine, 1, &runs[count]);
        count += more ? 1 : 0;
        if (count > 0 && (!more || count == mine->concurrency)) {
            struct nw__run *one = &runs[count / 2];

            nw__lane_settle(mine, one->job, one->id, NW_OK, &outcome, 2);
            *one = runs[--count];
        }
    }
    return NULL;
}

// Whatever it does now: one of those that were pulled last.
static void take_one(struct nw__lane *victim, int i)
{
    if (i >= 0 && i < MANY &&
        (nw__lane_take_running(victim, &many[i]) ||
         nw__lane_take_assigned(victim, &many[i]))) {
        atomic_fetch_add(&ends[i], 1);
    }
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
        take_one(victim, atomic_load(&next_job) - 6);
        nw__lane_wake(victim);
    }
    return NULL;
}

static void race(int close_after, uint32_t concurrency)
{
    const struct nw__lane_options options = {
        .number = 1, .concurrency = concurrency, .source = &racing};
    struct nw__lane *raced = nw__lane_create(&options);
    struct nw__job_list left;
    struct nw__job_list running;
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
    while (running.head != NULL) {
        atomic_fetch_add(&ends[nw__job_list_pop(&running) - many], 1);
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
        race(close_after, 1 + (uint32_t)close_after % 4);
    }
}

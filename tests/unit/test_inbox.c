// Goal: an event that was posted to an inbox runs once, in order, on the thread
// that polls, runs or loops; waiting ends when it should; nothing is freed
// while somebody uses it. No Node.js is started in this file.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/inbox.h"
#include "tests/unit/support.h"

#define LONG_MS 10000 // Longer than anything here takes.

static nw_inbox *inbox;
static char ran[64]; // The names of the events that ran, in order.
static size_t ran_count;

static void setup(void)
{
    cr_assert(eq(int, nw_inbox_create(&inbox), NW_OK));
}

static void teardown(void)
{
    if (nw_inbox_destroy(inbox) != NW_OK) {
        abort();
    }
    nw_test_no_leaks();
}

TestSuite(inbox, .init = setup, .fini = teardown, .timeout = 20);

// -- events

struct note {
    struct nw__event event;
    char name;
    void (*action)(void); // May be NULL.
};

static void run_note(struct nw__event *event)
{
    struct note *note = NW_CONTAINER_OF(event, struct note, event);
    void (*action)(void) = note->action;

    ran[ran_count++] = note->name;
    ran[ran_count] = '\0';
    free(note);
    if (action != NULL) {
        action();
    }
}

static void post_action(char name, void (*action)(void))
{
    struct note *note = malloc(sizeof(*note));

    cr_assert(ne(ptr, note, NULL));
    note->event.run = run_note;
    note->name = name;
    note->action = action;
    nw__inbox_post(inbox, &note->event);
}

static void post(char name)
{
    post_action(name, NULL);
}

static bool readable(void)
{
    struct pollfd polled = {.fd = nw_inbox_fd(inbox), .events = POLLIN};

    return poll(&polled, 1, 0) == 1;
}

#define expect_ran(names) cr_expect(eq(str, ran, (char *)(names)))

// -- polling

Test(inbox, events_run_in_the_order_in_which_they_were_posted)
{
    post('a');
    post('b');
    post('c');
    expect_ran("");
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
    expect_ran("abc");
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_ETIMEDOUT));
}

static void post_d(void)
{
    post('d');
}

Test(inbox, what_comes_while_a_poll_runs_is_for_the_next)
{
    post_action('a', post_d);
    post('b');
    cr_expect(eq(int, nw_inbox_poll(inbox, LONG_MS), NW_OK));
    expect_ran("ab");
    cr_expect(readable());
    cr_expect(eq(int, nw_inbox_poll(inbox, LONG_MS), NW_OK));
    expect_ran("abd");
}

Test(inbox, waits_no_longer_than_it_may)
{
    uint64_t start_ns = nw__now_ns();
    uint64_t ms;

    cr_expect(eq(int, nw_inbox_poll(inbox, 50), NW_ETIMEDOUT));
    ms = (nw__now_ns() - start_ns) / NW__NS_PER_MS;
    cr_expect(ge(u64, ms, 50));
    cr_expect(lt(u64, ms, LONG_MS));
}

static void *post_late(void *unused)
{
    (void)unused;
    usleep(20000);
    post('a');
    return NULL;
}

Test(inbox, a_wait_ends_with_the_first_event)
{
    pthread_t thread;

    pthread_create(&thread, NULL, post_late, NULL);
    cr_expect(eq(int, nw_inbox_poll(inbox, NW_WAIT_FOREVER), NW_OK));
    expect_ran("a");
    pthread_join(thread, NULL);
}

static nw_status nested[4];

static void use_again(void)
{
    nested[0] = nw_inbox_poll(inbox, LONG_MS);
    nested[1] = nw_inbox_run(inbox, LONG_MS);
    nested[2] = nw_inbox_destroy(inbox);
    cr_expect(nw__inbox_is_current(inbox));
}

Test(inbox, a_callback_cannot_poll_or_destroy_the_inbox_it_runs_in)
{
    post_action('a', use_again);
    post('b');
    cr_expect(not(nw__inbox_is_current(inbox)));
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
    for (size_t i = 0; i < 3; i++) {
        cr_expect(eq(int, nested[i], NW_EBUSY));
    }
    expect_ran("ab");
    cr_expect(not(nw__inbox_is_current(inbox)));
}

static void *poll_elsewhere(void *status)
{
    *(nw_status *)status = nw_inbox_poll(inbox, NW_WAIT_FOREVER);
    return NULL;
}

// Until the other thread is in its poll, ours is the one that comes in.
static void wait_until_busy(void)
{
    while (nw_inbox_poll(inbox, 0) != NW_EBUSY) {
        usleep(1000);
    }
}

Test(inbox, two_threads_cannot_poll_at_once)
{
    nw_status status = NW_EINVAL;
    pthread_t thread;

    pthread_create(&thread, NULL, poll_elsewhere, &status);
    wait_until_busy();
    cr_expect(eq(int, nw_inbox_run(inbox, LONG_MS), NW_EBUSY));
    cr_expect(eq(int, nw_inbox_destroy(inbox), NW_EBUSY));
    cr_expect(not(nw__inbox_is_current(inbox)));
    post('a');
    pthread_join(thread, NULL);
    cr_expect(eq(int, status, NW_OK));
    expect_ran("a");
}

// -- the descriptor

Test(inbox, the_descriptor_is_readable_exactly_while_something_waits)
{
    int fd = nw_inbox_fd(inbox);

    cr_expect(not(readable()));
    post('a');
    post('b');
    cr_expect(readable());
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
    cr_expect(not(readable()));
    post('c');
    cr_expect(readable());
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
    cr_expect(not(readable()));

    cr_expect(eq(int, nw_inbox_fd(inbox), fd));
    cr_expect(ne(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, 0));
    cr_expect(ne(int, fcntl(fd, F_GETFL) & O_NONBLOCK, 0));
}

static bool readable_inside;

static void look(void)
{
    readable_inside = readable();
}

Test(inbox, the_descriptor_is_quiet_in_the_last_callback_only)
{
    post_action('a', look);
    post('b');
    nw_inbox_poll(inbox, 0);
    cr_expect(readable_inside);
    post_action('c', look);
    nw_inbox_poll(inbox, 0);
    cr_expect(not(readable_inside));
}

// -- run

static void unref(void)
{
    nw__inbox_unref(inbox);
}

Test(inbox, run_ends_when_nothing_is_refd_any_more)
{
    nw__inbox_ref(inbox);
    nw__inbox_ref(inbox);
    cr_expect(nw_inbox_is_alive(inbox));
    post_action('a', unref);
    post_action('b', post_d);
    post_action('c', unref);
    cr_expect(eq(int, nw_inbox_run(inbox, NW_WAIT_FOREVER), NW_OK));
    cr_expect(not(nw_inbox_is_alive(inbox)));
    expect_ran("abc");
    // 'd' came when nothing was left.
    cr_expect(eq(int, nw_inbox_run(inbox, NW_WAIT_FOREVER), NW_OK));
    expect_ran("abcd");
}

static void *unref_late(void *unused)
{
    (void)unused;
    usleep(20000);
    nw__inbox_unref(inbox);
    return NULL;
}

Test(inbox, run_ends_when_another_thread_drops_the_last_ref)
{
    pthread_t thread;

    nw__inbox_ref(inbox);
    pthread_create(&thread, NULL, unref_late, NULL);
    cr_expect(eq(int, nw_inbox_run(inbox, NW_WAIT_FOREVER), NW_OK));
    pthread_join(thread, NULL);
}

static bool enough;
static size_t turns;

static void post_itself(void)
{
    ran_count = 0;
    turns++;
    if (!enough) {
        post_action('a', post_itself);
    }
}

Test(inbox, run_has_a_deadline_also_when_callbacks_post_for_ever)
{
    nw__inbox_ref(inbox);
    cr_expect(eq(int, nw_inbox_run(inbox, 20), NW_ETIMEDOUT));
    post_action('a', post_itself);
    cr_expect(eq(int, nw_inbox_run(inbox, 20), NW_ETIMEDOUT));
    cr_expect(gt(sz, turns, 0));
    enough = true;
    nw__inbox_unref(inbox);
}

// -- destroy

Test(inbox, an_inbox_in_use_is_not_destroyed)
{
    nw__inbox_acquire(inbox);
    nw__inbox_acquire(inbox);
    post('a');
    cr_expect(eq(int, nw_inbox_destroy(inbox), NW_EBUSY));
    nw__inbox_release(inbox);
    cr_expect(eq(int, nw_inbox_destroy(inbox), NW_EBUSY));
    nw__inbox_release(inbox);
    expect_ran("");
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
}

Test(inbox, what_is_left_runs_when_the_inbox_is_destroyed)
{
    post('a');
    post('b');
    cr_expect(eq(int, nw_inbox_destroy(inbox), NW_OK));
    inbox = NULL;
    expect_ran("ab");
}

Test(inbox, bad_arguments_are_refused)
{
    uv_loop_t loop;

    cr_expect(eq(int, nw_inbox_create(NULL), NW_EINVAL));
    cr_expect(eq(int, nw_inbox_poll(NULL, 0), NW_EINVAL));
    cr_expect(eq(int, nw_inbox_run(NULL, 0), NW_EINVAL));
    cr_expect(eq(int, nw_inbox_attach(NULL, &loop), NW_EINVAL));
    cr_expect(eq(int, nw_inbox_attach(NULL, NULL), NW_EINVAL));
    cr_expect(eq(int, nw_inbox_destroy(NULL), NW_OK));
    cr_expect(eq(int, nw_inbox_fd(NULL), -1));
    cr_expect(not(nw_inbox_is_alive(NULL)));
}

Test(inbox, without_an_inbox_nothing_is_counted)
{
    nw__inbox_acquire(NULL);
    nw__inbox_ref(NULL);
    nw__inbox_unref(NULL);
    nw__inbox_release(NULL);
    cr_expect(not(nw__inbox_is_current(NULL)));
}

Test(inbox, without_memory_there_is_none)
{
    nw_inbox *other = inbox;

    nw__alloc_fail_after(0);
    cr_expect(eq(int, nw_inbox_create(&other), NW_ENOMEM));
    cr_expect(eq(ptr, other, NULL));
}

Test(inbox, without_a_descriptor_there_is_none)
{
    struct rlimit limit;
    struct rlimit none = {0};
    nw_inbox *other = inbox;

    cr_assert(eq(int, getrlimit(RLIMIT_NOFILE, &limit), 0));
    none.rlim_max = limit.rlim_max;
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &none), 0));
    cr_expect(eq(int, nw_inbox_create(&other), NW_EIO));
    cr_expect(eq(ptr, other, NULL));
    setrlimit(RLIMIT_NOFILE, &limit);
}

// -- on a loop

static uv_loop_t loop;

static void setup_loop(void)
{
    setup();
    cr_assert(eq(int, uv_loop_init(&loop), 0));
}

// The loop must be able to go: nothing of the inbox is left on it.
static void teardown_loop(void)
{
    if (nw_inbox_destroy(inbox) != NW_OK) {
        abort();
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0) {
        abort();
    }
    nw_test_no_leaks();
}

TestSuite(inbox_loop, .init = setup_loop, .fini = teardown_loop, .timeout = 20);

Test(inbox_loop, what_was_posted_before_the_loop_runs_on_it)
{
    post('a');
    cr_expect(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    post('b');
    expect_ran("");
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    expect_ran("ab");
    cr_expect(not(readable()));
}

Test(inbox_loop, it_is_kept_alive_while_something_is_refd)
{
    pthread_t thread;

    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    nw__inbox_ref(inbox);
    pthread_create(&thread, NULL, post_late, NULL);
    cr_expect(ne(int, uv_run(&loop, UV_RUN_ONCE), 0));
    expect_ran("a");
    pthread_join(thread, NULL);
    post_action('b', unref);
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    expect_ran("ab");
}

Test(inbox_loop, another_thread_can_drop_the_last_ref)
{
    pthread_t thread;

    nw__inbox_ref(inbox);
    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    pthread_create(&thread, NULL, unref_late, NULL);
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    pthread_join(thread, NULL);
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

static void *ref_and_post(void *unused)
{
    (void)unused;
    nw__inbox_ref(inbox);
    post('a');
    return NULL;
}

static void unref_soon(uv_timer_t *timer)
{
    nw__inbox_unref(inbox);
    uv_close((uv_handle_t *)timer, NULL);
}

// A thread that refs while the loop has other work keeps it alive after that.
Test(inbox_loop, another_thread_can_ref_while_the_loop_is_alive)
{
    uv_timer_t timer;
    uv_timer_t later;
    pthread_t thread;

    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_timer, LONG_MS, 0);
    pthread_create(&thread, NULL, ref_and_post, NULL);
    pthread_join(thread, NULL);
    cr_expect(ne(int, uv_run(&loop, UV_RUN_ONCE), 0));
    expect_ran("a");
    uv_close((uv_handle_t *)&timer, NULL);
    uv_timer_init(&loop, &later);
    uv_unref((uv_handle_t *)&later);
    uv_timer_start(&later, unref_soon, 20, 0);
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    cr_expect(not(nw_inbox_is_alive(inbox)));
}

Test(inbox_loop, what_comes_while_it_dispatches_runs_in_a_later_turn)
{
    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    nw__inbox_ref(inbox);
    post_action('a', post_d);
    post('b');
    cr_expect(ne(int, uv_run(&loop, UV_RUN_ONCE), 0));
    expect_ran("ab");
    cr_expect(ne(int, uv_run(&loop, UV_RUN_ONCE), 0));
    expect_ran("abd");
    nw__inbox_unref(inbox);
}

static void leave(void)
{
    cr_expect(eq(int, nw_inbox_attach(inbox, NULL), NW_OK));
}

Test(inbox_loop, a_callback_may_leave_the_loop)
{
    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    nw__inbox_ref(inbox);
    post_action('a', leave);
    post('b');
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    expect_ran("ab");
    post('c');
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    expect_ran("ab");
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
    expect_ran("abc");
    nw__inbox_unref(inbox);
}

static void change_handle(void)
{
    leave();
    cr_expect(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    post('d');
}

Test(inbox_loop, it_can_leave_and_come_back)
{
    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    cr_expect(eq(int, nw_inbox_attach(inbox, &loop), NW_EALREADY));
    leave();
    leave();
    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    post_action('a', change_handle);
    cr_expect(eq(int, uv_run(&loop, UV_RUN_DEFAULT), 0));
    expect_ran("ad");
}

static void run_loop(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

// The loop finds the inbox busy; what waits must not be forgotten.
Test(inbox_loop, a_loop_inside_a_callback_runs_nothing)
{
    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    post_action('a', run_loop);
    post_action('b', post_d);
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
    expect_ran("ab");
    nw__inbox_ref(inbox);
    cr_expect(ne(int, uv_run(&loop, UV_RUN_ONCE), 0));
    expect_ran("abd");
    nw__inbox_unref(inbox);
}

Test(inbox_loop, destroy_leaves_the_loop)
{
    cr_assert(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
    post('a');
    cr_expect(eq(int, nw_inbox_destroy(inbox), NW_OK));
    inbox = NULL;
    expect_ran("a");
}

Test(inbox_loop, without_memory_it_stays_where_it_is)
{
    nw__alloc_fail_after(0);
    cr_expect(eq(int, nw_inbox_attach(inbox, &loop), NW_ENOMEM));
    post('a');
    cr_expect(eq(int, nw_inbox_poll(inbox, 0), NW_OK));
    cr_expect(eq(int, nw_inbox_attach(inbox, &loop), NW_OK));
}

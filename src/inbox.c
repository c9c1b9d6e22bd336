// A list of events that a thread of the user's runs.
//
// Invariants
//   `fd` is readable exactly while the list is not empty: both change under
//   the lock.
//   `running` is set by the one thread that runs events, for as long as it does
//   or waits for one; an inbox that runs is not destroyed.
//   Events leave the list one by one, so what a poll does not get to, because
//   a callback left the loop or destroyed a worker, is there for the next.
//   A link belongs to its loop: it is made, ref'd, unref'd and closed on the
//   loop's thread, and its close callback frees it. Other threads only poke
//   it, under the lock and while the inbox names it, so they cannot poke a
//   closed one.
//   The handle of a link starts ref'd and poked: the first dispatch on the
//   loop runs what was posted before, and then lets go if nothing is ref'd.
//
// Lock order: inbox.lock is a leaf but for uv_async_send(), uv_ref() and
// uv_unref(), which take none. Events run without it.

#include "src/inbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "src/common.h"
#include "src/detail.h"
#include "src/events.h"
#include "src/runtime.h"

// What is on the loop in the name of an inbox.
struct link {
    uv_async_t async;
    nw_inbox *inbox; // Valid until the handle closes.
    pthread_t thread;
};

struct nw_inbox {
    // -- immutable after create
    int fd;

    nw__mutex lock;
    nw__cond changed; // Something waits, or nothing is ref'd any more.

    // -- protected by lock
    struct nw__event *head;
    struct nw__event *tail;
    size_t count;
    uint32_t users;
    uint32_t refs;
    struct link *link; // NULL: on no loop.
    bool running;
    pthread_t runner; // Valid while `running`.
};

// -- the descriptor

// The counter goes from 0 to 1 and back, so neither call can block.
static void fd_set_readable(nw_inbox *inbox)
{
    uint64_t one = 1;
    ssize_t size;

    do {
        size = write(inbox->fd, &one, sizeof(one));
    } while (size < 0 && errno == EINTR);
}

static void fd_set_quiet(nw_inbox *inbox)
{
    uint64_t count;
    ssize_t size;

    do {
        size = read(inbox->fd, &count, sizeof(count));
    } while (size < 0 && errno == EINTR);
}

// -- the loop

// Caller holds the lock, on the loop's thread.
static void link_update(nw_inbox *inbox)
{
    uv_handle_t *handle = (uv_handle_t *)&inbox->link->async;

    if (inbox->refs > 0) {
        uv_ref(handle);
    } else {
        uv_unref(handle);
    }
}

// Caller holds the lock. The number of refs became 0, or more than that. A
// loop looks whether it is alive before it looks whether it was poked, so its
// own thread must not wait for the poke.
static void link_refs_changed(nw_inbox *inbox)
{
    struct link *link = inbox->link;

    if (link == NULL) {
        return;
    }
    if (pthread_equal(link->thread, pthread_self())) {
        link_update(inbox);
    } else {
        uv_async_send(&link->async);
    }
}

// -- posting

// Caller holds the lock.
static void push(nw_inbox *inbox, struct nw__event *event)
{
    event->next = NULL;
    if (inbox->tail != NULL) {
        inbox->tail->next = event;
    } else {
        inbox->head = event;
    }
    inbox->tail = event;
    inbox->count++;
    if (inbox->count == 1) {
        fd_set_readable(inbox);
        nw__cond_wake_all(&inbox->changed);
        if (inbox->link != NULL) {
            uv_async_send(&inbox->link->async);
        }
    }
}

// Caller holds the lock. NULL: empty.
static struct nw__event *pop(nw_inbox *inbox)
{
    struct nw__event *event = inbox->head;

    if (event != NULL) {
        inbox->head = event->next;
        if (inbox->head == NULL) {
            inbox->tail = NULL;
            fd_set_quiet(inbox);
        }
        inbox->count--;
    }
    return event;
}

void nw__inbox_post(nw_inbox *inbox, struct nw__event *event)
{
    if (inbox == NULL) {
        nw__events_post(event);
        return;
    }
    nw__mutex_lock(&inbox->lock);
    push(inbox, event);
    nw__mutex_unlock(&inbox->lock);
}

bool nw__inbox_is_current(nw_inbox *inbox)
{
    bool current;

    if (inbox == NULL) {
        return nw__events_is_current();
    }
    nw__mutex_lock(&inbox->lock);
    current = inbox->running && pthread_equal(inbox->runner, pthread_self());
    nw__mutex_unlock(&inbox->lock);

    return current;
}

void nw__inbox_acquire(nw_inbox *inbox)
{
    if (inbox != NULL) {
        nw__mutex_lock(&inbox->lock);
        inbox->users++;
        nw__mutex_unlock(&inbox->lock);
    }
}

void nw__inbox_release(nw_inbox *inbox)
{
    if (inbox != NULL) {
        nw__mutex_lock(&inbox->lock);
        NW_ASSERT(inbox->users > 0);
        inbox->users--;
        nw__mutex_unlock(&inbox->lock);
    }
}

void nw__inbox_ref(nw_inbox *inbox)
{
    if (inbox != NULL) {
        nw__mutex_lock(&inbox->lock);
        inbox->refs++;
        if (inbox->refs == 1) {
            link_refs_changed(inbox);
        }
        nw__mutex_unlock(&inbox->lock);
    }
}

void nw__inbox_unref(nw_inbox *inbox)
{
    if (inbox != NULL) {
        nw__mutex_lock(&inbox->lock);
        NW_ASSERT(inbox->refs > 0);
        inbox->refs--;
        if (inbox->refs == 0) {
            nw__cond_wake_all(&inbox->changed);
            link_refs_changed(inbox);
        }
        nw__mutex_unlock(&inbox->lock);
    }
}

// -- running

// Caller holds the lock. False: somebody runs it already.
static bool begin(nw_inbox *inbox)
{
    if (inbox->running) {
        return false;
    }
    inbox->running = true;
    inbox->runner = pthread_self();
    return true;
}

// Caller holds the lock. A loop that was kept from looking has to look now.
static void end(nw_inbox *inbox)
{
    inbox->running = false;
    if (inbox->link != NULL && inbox->count > 0) {
        uv_async_send(&inbox->link->async);
    }
}

// Caller holds the lock, which is given up around each event. Runs what was
// waiting and not what comes meanwhile. False: nothing was.
static bool run_waiting(nw_inbox *inbox)
{
    size_t count = inbox->count;

    for (size_t i = 0; i < count; i++) {
        struct nw__event *event = pop(inbox);

        nw__mutex_unlock(&inbox->lock);
        event->run(event);
        nw__mutex_lock(&inbox->lock);
    }
    return count > 0;
}

nw_status nw_inbox_poll(nw_inbox *inbox, uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    nw_status status = NW_EBUSY;

    nw__detail_clear();
    if (inbox == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&inbox->lock);
    if (begin(inbox)) {
        while (
            inbox->count == 0 && timeout_ms > 0 &&
            nw__cond_wait_until(&inbox->changed, &inbox->lock, deadline_ns)) {
        }
        status = run_waiting(inbox) ? NW_OK : NW_ETIMEDOUT;
        end(inbox);
    }
    nw__mutex_unlock(&inbox->lock);

    return status;
}

// Caller holds the lock.
static nw_status run_until_idle(nw_inbox *inbox, uint64_t deadline_ns)
{
    run_waiting(inbox);
    while (inbox->refs > 0) {
        // Callbacks that post for ever must not outlast the deadline.
        if (inbox->count > 0
                ? nw__now_ns() >= deadline_ns
                : !nw__cond_wait_until(&inbox->changed, &inbox->lock,
                                       deadline_ns)) {
            return NW_ETIMEDOUT;
        }
        run_waiting(inbox);
    }
    return NW_OK;
}

nw_status nw_inbox_run(nw_inbox *inbox, uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    nw_status status = NW_EBUSY;

    nw__detail_clear();
    if (inbox == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&inbox->lock);
    if (begin(inbox)) {
        status = run_until_idle(inbox, deadline_ns);
        end(inbox);
    }
    nw__mutex_unlock(&inbox->lock);

    return status;
}

int nw_inbox_fd(const nw_inbox *inbox)
{
    return inbox != NULL ? inbox->fd : -1;
}

bool nw_inbox_is_alive(const nw_inbox *inbox)
{
    // The lock is no part of what const promises.
    nw_inbox *unlocked = (nw_inbox *)inbox;
    bool alive;

    if (inbox == NULL || nw__runtime_forked()) {
        return false;
    }
    nw__mutex_lock(&unlocked->lock);
    alive = unlocked->refs > 0;
    nw__mutex_unlock(&unlocked->lock);

    return alive;
}

// -- on a loop

static void on_async(uv_async_t *async)
{
    struct link *link = async->data;
    nw_inbox *inbox = link->inbox;

    nw__mutex_lock(&inbox->lock);
    if (begin(inbox)) {
        run_waiting(inbox);
        end(inbox);
    }
    // A callback may have left the loop, or gone to another.
    if (inbox->link == link) {
        link_update(inbox);
    }
    nw__mutex_unlock(&inbox->lock);
}

static void on_closed(uv_handle_t *handle)
{
    nw__free(handle->data);
}

static nw_status attach(nw_inbox *inbox, uv_loop_t *loop)
{
    struct link *link = nw__alloc_zero(sizeof(*link));

    if (link == NULL) {
        return NW_ENOMEM;
    }
    if (uv_async_init(loop, &link->async, on_async) != 0) {
        nw__free(link);
        return NW_EIO;
    }
    link->async.data = link;
    link->inbox = inbox;
    link->thread = pthread_self();

    nw__mutex_lock(&inbox->lock);
    inbox->link = link;
    uv_async_send(&link->async);
    nw__mutex_unlock(&inbox->lock);

    return NW_OK;
}

static void detach(nw_inbox *inbox)
{
    struct link *link;

    nw__mutex_lock(&inbox->lock);
    link = inbox->link;
    inbox->link = NULL;
    nw__mutex_unlock(&inbox->lock);

    if (link != NULL) {
        uv_close((uv_handle_t *)&link->async, on_closed);
    }
}

nw_status nw_inbox_attach(nw_inbox *inbox, struct uv_loop_s *loop)
{
    bool attached;

    nw__detail_clear();
    if (inbox == NULL) {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (loop == NULL) {
        detach(inbox);
        return NW_OK;
    }
    nw__mutex_lock(&inbox->lock);
    attached = inbox->link != NULL;
    nw__mutex_unlock(&inbox->lock);

    return attached ? NW_EALREADY : attach(inbox, loop);
}

// -- life

nw_status nw_inbox_create(nw_inbox **out)
{
    nw_inbox *inbox;

    nw__detail_clear();
    if (out == NULL) {
        return NW_EINVAL;
    }
    *out = NULL;
    inbox = nw__alloc_zero(sizeof(*inbox));
    if (inbox == NULL) {
        return NW_ENOMEM;
    }
    inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (inbox->fd < 0) {
        nw__free(inbox);
        return NW_EIO;
    }
    nw__mutex_init(&inbox->lock);
    nw__cond_init(&inbox->changed);
    *out = inbox;
    return NW_OK;
}

nw_status nw_inbox_destroy(nw_inbox *inbox)
{
    bool busy;

    nw__detail_clear();
    if (inbox == NULL) {
        return NW_OK;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    nw__mutex_lock(&inbox->lock);
    busy = inbox->users > 0 || !begin(inbox);
    nw__mutex_unlock(&inbox->lock);
    if (busy) {
        return NW_EBUSY;
    }

    detach(inbox);
    // What is left was posted for somebody who has released the inbox since:
    // each event only frees itself.
    nw__mutex_lock(&inbox->lock);
    while (run_waiting(inbox)) {
    }
    nw__mutex_unlock(&inbox->lock);
    close(inbox->fd);
    nw__cond_fini(&inbox->changed);
    nw__mutex_fini(&inbox->lock);
    nw__free(inbox);
    return NW_OK;
}

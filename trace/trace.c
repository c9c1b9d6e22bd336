// The public interface of the recorder, and the hooks through which the core
// feeds it.
//
// Invariants
//   One recording at a time, from a start that returned NW_OK to the end of
//   the stop that took it; a start in between is refused.
//   A stop ends the recording even when it cannot write the file; the
//   temporary file is then removed.
//   In a child of fork() the parent's recording does not exist: neither its
//   file nor its locks are touched.
//
// Lock order: session.lock > the recorder's lock. Neither is held while the
// file is written.

#include <nwpool/trace.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/common.h"
#include "src/hooks.h"
#include "trace/out.h"
#include "trace/recorder.h"
#include "trace/timeline.h"
#include "trace/trace_event.h"

// The file of a recording, open under its temporary name.
struct target {
    int fd;
    char *path;
    char *path_temporary;
};

static struct {
    // -- any thread. The process that records; 0 when none does.
    _Atomic(pid_t) pid;

    nw__mutex lock;

    // -- protected by lock
    bool busy;      // From a start to the end of its stop.
    bool recording; // The part of it that a stop may end.
    struct target target;
} session = {.lock = NW__MUTEX_INIT};

// -- hooks

static void on_task_submitted(uint64_t task, const char *function,
                              uint64_t begin_ns, uint64_t end_ns)
{
    struct nw__trace_ring *ring = nw__recorder_pin();
    struct nw__trace_event *event;

    if (ring == NULL) {
        return;
    }
    event = nw__ring_append(ring, NW__TRACE_SUBMIT);
    if (event != NULL) {
        event->task = task;
        event->function = function;
        event->begin_ns = begin_ns;
        event->end_ns = end_ns;
    }
    nw__recorder_unpin(ring);
}

// Caller has pinned the ring. The row of a worker that started before the
// recording has to do without the name of its pool.
static void ring_set_worker(struct nw__trace_ring *ring, uint32_t worker,
                            const char *pool_name)
{
    ring->worker = worker;
    if (pool_name != NULL) {
        snprintf(ring->name, sizeof(ring->name), "worker %u (%s)", worker,
                 pool_name);
    } else {
        snprintf(ring->name, sizeof(ring->name), "worker %u", worker);
    }
}

static void on_task_started(uint64_t task, const char *function,
                            uint32_t worker, uint64_t at_ns)
{
    struct nw__trace_ring *ring = nw__recorder_pin();
    struct nw__trace_event *event;

    if (ring == NULL) {
        return;
    }
    if (ring->worker != worker) {
        ring_set_worker(ring, worker, NULL);
    }
    event = nw__ring_append(ring, NW__TRACE_RUN);
    if (event != NULL) {
        event->task = task;
        event->function = function;
        event->begin_ns = at_ns;
        event->worker = worker;
    }
    nw__recorder_unpin(ring);
}

// Caller has pinned the ring. The start of `task` if nothing was recorded
// since and it has not ended; NULL otherwise.
static struct nw__trace_event *ring_running(struct nw__trace_ring *ring,
                                            uint64_t task)
{
    struct nw__trace_event *event = ring->newest;

    if (event != NULL && event->kind == NW__TRACE_RUN && event->task == task &&
        event->end_ns == 0) {
        return event;
    }
    return NULL;
}

static void on_task_async_id(uint64_t task, double async_id)
{
    struct nw__trace_ring *ring = nw__recorder_pin();
    struct nw__trace_event *event;

    if (ring == NULL) {
        return;
    }
    event = ring_running(ring, task);
    if (event == NULL) {
        event = nw__ring_append(ring, NW__TRACE_ASYNC_ID);
    }
    if (event != NULL) {
        event->task = task;
        event->async_id = async_id;
    }
    nw__recorder_unpin(ring);
}

static void on_task_ended(uint64_t task, const char *function, uint32_t worker,
                          nw_status status, uint64_t at_ns)
{
    struct nw__trace_ring *ring = nw__recorder_pin();
    struct nw__trace_event *event;

    if (ring == NULL) {
        return;
    }
    event = ring_running(ring, task);
    if (event == NULL) {
        event = nw__ring_append(ring, NW__TRACE_END);
    }
    if (event != NULL) {
        event->task = task;
        event->function = function;
        event->worker = worker;
        event->status = (int16_t)status;
        event->end_ns = at_ns;
    }
    nw__recorder_unpin(ring);
}

static void on_task_delivered(uint64_t task, const char *function,
                              nw_status status, uint64_t begin_ns,
                              uint64_t end_ns)
{
    struct nw__trace_ring *ring = nw__recorder_pin();
    struct nw__trace_event *event;

    if (ring == NULL) {
        return;
    }
    event = nw__ring_append(ring, NW__TRACE_DELIVER);
    if (event != NULL) {
        event->task = task;
        event->function = function;
        event->status = (int16_t)status;
        event->begin_ns = begin_ns;
        event->end_ns = end_ns;
    }
    nw__recorder_unpin(ring);
}

static void on_worker_started(uint32_t worker, const char *pool_name)
{
    struct nw__trace_ring *ring = nw__recorder_pin();

    if (ring != NULL) {
        ring_set_worker(ring, worker, pool_name);
        nw__recorder_unpin(ring);
    }
}

static void on_worker_exited(uint32_t worker, int exit_code)
{
    struct nw__trace_ring *ring = nw__recorder_pin();
    struct nw__trace_event *event;

    if (ring == NULL) {
        return;
    }
    event = nw__ring_append(ring, NW__TRACE_EXIT);
    if (event != NULL) {
        event->worker = worker;
        event->exit_code = exit_code;
        event->end_ns = nw__now_ns();
    }
    nw__recorder_unpin(ring);
}

// Static, because a late reader may use it after it was taken out.
static const struct nw__hooks hooks = {
    .task_submitted = on_task_submitted,
    .task_started = on_task_started,
    .task_async_id = on_task_async_id,
    .task_ended = on_task_ended,
    .task_delivered = on_task_delivered,
    .worker_started = on_worker_started,
    .worker_exited = on_worker_exited,
};

// -- the file

// "DIRECTORY/FILE SUFFIX", or without the directory when it is NULL. NULL
// without memory.
static char *path_join(const char *directory, const char *file,
                       const char *suffix)
{
    size_t size = strlen(file) + strlen(suffix) + 1;
    char *path;

    if (directory != NULL) {
        size += strlen(directory) + 1;
    }
    path = nw__alloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s%s%s%s", directory != NULL ? directory : "",
                 directory != NULL ? "/" : "", file, suffix);
    }
    return path;
}

static void target_fini(struct target *target)
{
    nw__free(target->path);
    nw__free(target->path_temporary);
    *target = (struct target){.fd = -1};
}

static nw_status target_init(struct target *target, const char *file)
{
    // The process may be in another directory when the recording ends.
    char *directory = file[0] == '/' ? NULL : getcwd(NULL, 0);
    nw_status status = NW_OK;
    int error;

    target->path = path_join(directory, file, "");
    target->path_temporary = path_join(directory, file, ".tmp");
    free(directory);
    if (target->path == NULL || target->path_temporary == NULL) {
        status = NW_ENOMEM;
        goto fail;
    }
    target->fd = open(target->path_temporary,
                      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (target->fd < 0) {
        status = NW_EIO;
        goto fail;
    }
    return NW_OK;

fail:
    error = errno;
    target_fini(target);
    errno = error;
    return status;
}

// Ends what target_init() began, with the file in its place or removed.
static nw_status target_write(struct target *target,
                              const struct nw__timeline *timeline)
{
    struct nw__out *out = nw__alloc(sizeof(*out));
    int error = ENOMEM;

    if (out != NULL) {
        nw__out_init(out, target->fd);
        nw__trace_event_write(out, timeline);
        error = out->error;
        nw__free(out);
    }
    // Some file systems report a full disk only here.
    if (close(target->fd) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && rename(target->path_temporary, target->path) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(target->path_temporary);
        errno = error;
        return error == ENOMEM ? NW_ENOMEM : NW_EIO;
    }
    return NW_OK;
}

// -- the public interface

// True in a child of fork() whose parent was recording. There, the lock may be
// held by a thread that does not exist.
static bool forked(void)
{
    pid_t pid = atomic_load(&session.pid);

    return pid != 0 && pid != getpid();
}

// Caller holds the lock.
static nw_status session_start(const char *file, uint32_t events_max)
{
    nw_status status;

    if (session.busy) {
        return NW_EBUSY;
    }
    status = target_init(&session.target, file);
    if (status != NW_OK) {
        return status;
    }
    session.busy = true;
    session.recording = true;
    atomic_store(&session.pid, getpid());
    nw__recorder_start(events_max);
    atomic_store(&nw__hooks_installed, &hooks);
    return NW_OK;
}

nw_status nw_trace_start(const nw_trace_options *options)
{
    uint32_t events_max;
    nw_status status;

    if (options == NULL || options->struct_size < sizeof(*options) ||
        options->file == NULL || options->file[0] == '\0') {
        return NW_EINVAL;
    }
    if (forked()) {
        return NW_EFORKED;
    }
    events_max = options->events_max;
    if (events_max == 0) {
        events_max = NW_TRACE_EVENTS_DEFAULT;
    }
    nw__mutex_lock(&session.lock);
    status = session_start(options->file, events_max);
    nw__mutex_unlock(&session.lock);
    return status;
}

// Writes what was recorded. The stop time comes last, so that nothing in the
// file is younger.
static nw_status recording_write(const struct nw__recording *recording,
                                 struct target *target)
{
    struct nw__timeline timeline;
    nw_status status;

    status = nw__timeline_init(&timeline, recording, nw__now_ns());
    if (status != NW_OK) {
        close(target->fd);
        unlink(target->path_temporary);
        return status;
    }
    status = target_write(target, &timeline);
    nw__timeline_fini(&timeline);
    return status;
}

// Takes the recording from the session; it stays busy. False when there is
// none.
static bool session_take(struct target *target)
{
    bool taken;

    nw__mutex_lock(&session.lock);
    taken = session.recording;
    if (taken) {
        session.recording = false;
        *target = session.target;
        session.target = (struct target){.fd = -1};
    }
    nw__mutex_unlock(&session.lock);
    return taken;
}

nw_status nw_trace_stop(void)
{
    struct nw__recording recording;
    struct target target;
    nw_status status;
    int error;

    if (forked() || !session_take(&target)) {
        return NW_ENOENT;
    }
    atomic_store(&nw__hooks_installed, NULL);
    nw__recorder_stop(&recording);
    status = recording_write(&recording, &target);
    error = errno;
    nw__recording_free(&recording);
    target_fini(&target);

    nw__mutex_lock(&session.lock);
    session.busy = false;
    atomic_store(&session.pid, 0);
    nw__mutex_unlock(&session.lock);

    errno = error;
    return status;
}

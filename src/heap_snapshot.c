// nw_worker_heap_snapshot(): taken and written on the worker's own thread, between
// two steps of its script. Node's own way writes from another thread what dies
// with the worker's isolate.
//
// The file gets its name when it is complete: no half of it is taken for the
// whole.
//
// Lock order: snapshots.lock is a leaf.

#include "src/worker_handle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/detail.h"
#include "src/engine/engine.h"
#include "src/runtime.h"
#include "src/visit.h"
#include "src/worker_spec.h"

// Held by whoever waits and by the worker that is asked.
struct snapshot {
    struct nw__visit visit;

    // -- immutable after create
    char *path;

    // -- protected by snapshots.lock
    uint32_t references;
    nw__cond changed;
    bool done;
    nw_status status;
    char detail[NW__DETAIL_MAX];
};

static struct {
    nw__mutex lock;
} snapshots = {.lock = NW__MUTEX_INIT};

static void put(struct snapshot *snapshot)
{
    uint32_t left;

    nw__mutex_lock(&snapshots.lock);
    left = --snapshot->references;
    nw__mutex_unlock(&snapshots.lock);
    if (left == 0) {
        nw__cond_fini(&snapshot->changed);
        nw__free(snapshot->path);
        nw__free(snapshot);
    }
}

// The worker's part ends. `error` may be NULL.
static void finish(struct snapshot *snapshot, nw_status status,
                   const char *error)
{
    nw__mutex_lock(&snapshots.lock);
    snapshot->done = true;
    snapshot->status = status;
    if (error != NULL) {
        snprintf(snapshot->detail, sizeof(snapshot->detail),
                 "cannot write %s: %s", snapshot->path, error);
    }
    nw__cond_wake_all(&snapshot->changed);
    nw__mutex_unlock(&snapshots.lock);
    put(snapshot);
}

// -- the worker's thread

static bool write_chunk(void *file, const char *data, size_t size)
{
    return fwrite(data, 1, size, file) == size;
}

// errno of the failure, or 0.
static int write_file(const char *path)
{
    FILE *file = fopen(path, "we");
    nw_status status;
    int error = 0;

    if (file == NULL) {
        return errno;
    }
    status = nw__engine_heap_snapshot(write_chunk, file);
    if (status != NW_OK) {
        error = status == NW_ENOMEM ? ENOMEM : errno;
    }
    if (fclose(file) != 0 && error == 0) {
        error = errno;
    }
    return error;
}

static int write_whole_file(const char *path)
{
    size_t size = strlen(path) + sizeof(".4294967295.partial");
    char *partial = nw__alloc(size);
    int error = ENOMEM;

    if (partial != NULL) {
        snprintf(partial, size, "%s.%u.partial", path, (unsigned)getpid());
        error = write_file(partial);
        if (error == 0 && rename(partial, path) != 0) {
            error = errno;
        }
        if (error != 0) {
            unlink(partial);
        }
        nw__free(partial);
    }
    return error;
}

static void run(struct nw__visit *visit)
{
    struct snapshot *snapshot = NW_CONTAINER_OF(visit, struct snapshot, visit);
    int error = write_whole_file(snapshot->path);

    finish(snapshot, error == 0 ? NW_OK : NW_EIO,
           error == 0 ? NULL : strerror(error));
}

static void miss(struct nw__visit *visit)
{
    finish(NW_CONTAINER_OF(visit, struct snapshot, visit), NW_ECLOSED, NULL);
}

// -- whoever asks

static nw_status create(struct snapshot **out, const char *path)
{
    struct snapshot *snapshot = nw__alloc_zero(sizeof(*snapshot));
    nw_status status = NW_ENOMEM;

    if (snapshot != NULL) {
        status = nw__absolute_path(path, &snapshot->path);
    }
    if (status != NW_OK) {
        nw__free(snapshot);
        return status;
    }
    snapshot->visit.run = run;
    snapshot->visit.miss = miss;
    snapshot->references = 2;
    nw__cond_init(&snapshot->changed);
    *out = snapshot;
    return NW_OK;
}

static nw_status await(struct snapshot *snapshot, uint64_t deadline_ns)
{
    nw_status status = NW_ETIMEDOUT;

    nw__mutex_lock(&snapshots.lock);
    while (
        !snapshot->done &&
        nw__cond_wait_until(&snapshot->changed, &snapshots.lock, deadline_ns)) {
    }
    if (snapshot->done) {
        status = snapshot->status;
        if (snapshot->detail[0] != '\0') {
            nw__fail(status, "%s", snapshot->detail);
        }
    }
    nw__mutex_unlock(&snapshots.lock);

    return status;
}

nw_status nw_worker_heap_snapshot(nw_worker *worker, const char *path,
                                  uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    struct snapshot *snapshot;
    nw_status status;

    nw__detail_clear();
    if (worker == NULL || path == NULL || path[0] == '\0') {
        return NW_EINVAL;
    }
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    status = create(&snapshot, path);
    if (status != NW_OK) {
        return status;
    }
    if (nw__worker_visit(worker->number, &snapshot->visit)) {
        status = await(snapshot, deadline_ns);
    } else {
        miss(&snapshot->visit);
        status = NW_ECLOSED;
    }
    put(snapshot);
    return status;
}

// What tasks print, when the user wants to hear it: from the worker's thread to
// the completion thread, in order. It is delivered before the result of a task
// that ended later.
//
// Lock order: finished_lock is a leaf.

#include "pool/internal.h"

#include <string.h>

#include "src/events.h"
#include "src/runtime.h"

struct nwpool__printed {
    struct nwpool__printed *next;
    nw_task_output output;
    char data[];
};

static struct nwpool__printed *copy(uint32_t worker,
                                    const struct nw__printed *printed)
{
    struct nwpool__printed *copy = nw__alloc(sizeof(*copy) + printed->size);

    if (copy != NULL) {
        copy->next = NULL;
        copy->output = (nw_task_output){
            .task = {printed->task},
            .worker = worker,
            .fd = printed->fd,
            .data = copy->data,
            .data_size = printed->size,
        };
        if (printed->size > 0) {
            memcpy(copy->data, printed->data, printed->size);
        }
    }
    return copy;
}

// Caller holds finished_lock.
static bool has_room(const nwpool *pool, const struct nw__printed *printed)
{
    return printed->force || pool->printed_bytes == 0 ||
           pool->printed_bytes + printed->size <= NW__OUTPUT_BYTES_MAX;
}

bool nwpool__print(nwpool *pool, uint32_t worker,
                   const struct nw__printed *printed)
{
    struct nwpool__printed *entry;
    bool taken;

    if (pool->on_output == NULL) {
        return nw__output(printed->fd, printed->data, printed->size,
                          printed->force);
    }
    entry = copy(worker, printed);
    if (entry == NULL) {
        return false;
    }
    nw__mutex_lock(&pool->finished_lock);
    taken = has_room(pool, printed);
    if (taken) {
        if (pool->printed == NULL) {
            pool->printed = entry;
        } else {
            pool->printed_last->next = entry;
        }
        pool->printed_last = entry;
        pool->printed_bytes += printed->size;
        nw__cond_wake_one(&pool->finished_changed);
    }
    nw__mutex_unlock(&pool->finished_lock);

    if (!taken) {
        nw__free(entry);
    }
    return taken;
}

bool nwpool__printed_any(const nwpool *pool)
{
    return pool->printed != NULL;
}

struct nwpool__printed *nwpool__printed_take(nwpool *pool)
{
    struct nwpool__printed *first;

    nw__mutex_lock(&pool->finished_lock);
    first = pool->printed;
    pool->printed = NULL;
    pool->printed_last = NULL;
    nw__mutex_unlock(&pool->finished_lock);

    return first;
}

void nwpool__printed_deliver(nwpool *pool, struct nwpool__printed *printed)
{
    while (printed != NULL) {
        struct nwpool__printed *next = printed->next;

        if (!nw__runtime_exiting()) {
            pool->on_output(&printed->output, pool->output_data);
        }
        nw__mutex_lock(&pool->finished_lock);
        pool->printed_bytes -= printed->output.data_size;
        nw__mutex_unlock(&pool->finished_lock);
        nw__free(printed);
        printed = next;
    }
}

void nwpool__printed_fini(nwpool *pool)
{
    struct nwpool__printed *printed = nwpool__printed_take(pool);

    while (printed != NULL) {
        struct nwpool__printed *next = printed->next;

        nw__free(printed);
        printed = next;
    }
}

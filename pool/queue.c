// Tasks that wait. One list for each priority, oldest first, so that tasks of
// one priority keep their order; of the lists' heads the one is next that was
// accepted first, where each step of priority counts as so much time of waiting.
// That is all there is to ageing: an old task of low priority passes younger
// ones of a high one, and nothing is ever moved.
//
// Constant cost, for each number of tasks.

#include "pool/internal.h"

static struct nw__job_list *level_of(struct nwpool__queue *queue,
                                     const struct nwpool__task *task)
{
    return &queue->levels[task->priority - NW_PRIORITY_MIN];
}

static void note_used(struct nwpool__queue *queue,
                      const struct nw__job_list *level)
{
    uint32_t bit = 1u << (level - queue->levels);

    if (level->head != NULL) {
        queue->used |= bit;
    } else {
        queue->used &= ~bit;
    }
}

void nwpool__queue_push(nwpool *pool, struct nwpool__task *task)
{
    struct nw__job_list *level = level_of(&pool->queue, task);

    task->place = NWPOOL__QUEUED;
    nw__job_list_push(level, &task->job);
    note_used(&pool->queue, level);
    pool->queue.count++;
}

void nwpool__queue_put_back(nwpool *pool, struct nw__job_list *jobs)
{
    // From the last on, each in front of those of its priority.
    while (jobs->tail != NULL) {
        struct nw__job_list one = {0};
        struct nwpool__task *task = nwpool__task_of(jobs->tail);
        struct nw__job_list *level = level_of(&pool->queue, task);

        nw__job_list_remove(jobs, &task->job);
        nw__job_list_push(&one, &task->job);
        task->place = NWPOOL__QUEUED;
        if (task->suspect) {
            nw__job_list_prepend(&pool->suspects, &one);
            continue;
        }
        nw__job_list_prepend(level, &one);
        note_used(&pool->queue, level);
        pool->queue.count++;
    }
}

// Before all others, as if it had been accepted then.
static int64_t rank_of(const nwpool *pool, const struct nw__job *job)
{
    const struct nwpool__task *task =
        NW_CONTAINER_OF(job, const struct nwpool__task, job);

    return (int64_t)task->accepted_ns - (int64_t)task->priority *
                                            pool->options.ageing_ms *
                                            (int64_t)NW__NS_PER_MS;
}

static struct nw__job_list *next_level(nwpool *pool)
{
    struct nw__job_list *best = NULL;
    int64_t best_rank = 0;

    // From the highest on, which wins where two are equal.
    for (uint32_t left = pool->queue.used; left != 0;) {
        uint32_t index = 31 - (uint32_t)__builtin_clz(left);
        struct nw__job_list *level = &pool->queue.levels[index];
        int64_t rank = rank_of(pool, level->head);

        if (best == NULL || rank < best_rank) {
            best = level;
            best_rank = rank;
        }
        left &= ~(1u << index);
    }
    return best;
}

struct nw__job *nwpool__queue_pop(nwpool *pool)
{
    struct nw__job_list *level = next_level(pool);
    struct nw__job *job = NULL;

    if (level != NULL) {
        job = nw__job_list_pop(level);
        note_used(&pool->queue, level);
        pool->queue.count--;
    }
    return job;
}

void nwpool__queue_remove(nwpool *pool, struct nwpool__task *task)
{
    struct nw__job_list *level = level_of(&pool->queue, task);

    if (task->suspect) {
        nw__job_list_remove(&pool->suspects, &task->job);
        return;
    }
    nw__job_list_remove(level, &task->job);
    note_used(&pool->queue, level);
    pool->queue.count--;
}

void nwpool__queue_take_all(nwpool *pool, struct nw__job_list *out)
{
    nw__job_list_append(out, &pool->suspects);
    for (size_t i = 0; i < NWPOOL__LEVELS; i++) {
        nw__job_list_append(out, &pool->queue.levels[i]);
    }
    pool->queue.used = 0;
    pool->queue.count = 0;
}

uint64_t nwpool__queue_oldest_ns(const nwpool *pool)
{
    uint64_t oldest_ns = NW__NEVER;

    for (size_t i = 0; i < NWPOOL__LEVELS; i++) {
        struct nw__job *head = pool->queue.levels[i].head;

        if (head != NULL && nwpool__task_of(head)->accepted_ns < oldest_ns) {
            oldest_ns = nwpool__task_of(head)->accepted_ns;
        }
    }
    return oldest_ns;
}

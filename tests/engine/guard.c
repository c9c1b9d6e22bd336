// Goal: a task is hit where that is safe and nowhere else, its worker goes on as
// if nothing had been, and an exhausted heap ends no process. A plain program,
// so that ThreadSanitizer can run it.
//
//   guard shapes | random [INTERRUPTS] | heap
//
// NW_SEED=N repeats a random run.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/engine/guard_world.h"

#define BELOW_MS 150

static void pause_us(unsigned us)
{
    struct timespec time = {0, (long)us * 1000};

    nanosleep(&time, NULL);
}

static void expect(bool condition, const char *what)
{
    if (!condition) {
        fail("%s", what);
    }
}

// The worker does everything that it did before.
static void expect_intact(uint32_t worker)
{
    run_expecting(worker, "intact", 0, "intact");
    run_expecting(worker, "sync", 7, "7");
}

// -- where a task is hit

static void hit_once(uint32_t worker, const char *name, const char *frame)
{
    struct task task;

    task_submit(&task, worker, name, 0);
    task_await_reached(&task);
    if (!task_interrupt_until_ended(&task, worker, WAIT_MS, NULL)) {
        fail("%s was not hit", name);
    }
    task_expect(&task, END_HIT, "");
    if (strstr(task.stack, frame) == NULL ||
        strncmp(task.stack, "    at ", strlen("    at ")) != 0 ||
        strstr(task.stack, "nwpool:") != NULL) {
        fail("%s was hit at\n%s", name, task.stack);
    }
    expect_intact(worker);
}

static void hit_in_every_shape(void)
{
    static const struct {
        const char *name;
        const char *frame;
    } shapes[] = {
        {"loop", "at spin ("},
        {"tryCatchFinally", "at tryCatchFinally ("},
        {"regexp", "at regexp ("},
        {"atomicsWait", "at atomicsWait ("},
        {"directEval", "at directEval ("},
        {"functionOfText", "at functionOfText ("},
        {"callbacks", "at callbacks ("},
        {"callbackOfC", "at callbackOfC ("},
        {"callbackOfCThatIsCaught", "callbackOfCThatIsCaught ("},
        {"getter", "at getter ("},
        {"proxy", "at proxy ("},
        {"generator", "at generator ("},
        {"construction", "at new Spinner ("},
        {"reviver", "at reviver ("},
        {"deep", "at recurse ("},
        {"webAssembly", "at webAssembly ("},
        {"startOfAsync", "at startOfAsync ("},
        {"whileEncoding", "at spin ("},
        {"storeInUse", "at storeInUse ("},
        {"hooksInUse", "at hooksInUse ("},
        {"monitored", "at monitored ("},
    };

    // The last ones change the worker; the others share theirs.
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < NW_ARRAY_SIZE(shapes); i++) {
            hit_once(0, shapes[i].name, shapes[i].frame);
        }
    }
    expect(worker_is_alive(0), "the worker died of being hit");
}

// -- where it is not

static void below_node_nothing_is_hit(void)
{
    static const char *const names[] = {
        "emitter",      "eventTarget", "store",      "resource",
        "outsideStore", "vmTimeout",   "inspection",
    };

    for (size_t i = 0; i < NW_ARRAY_SIZE(names); i++) {
        uint32_t answers[4] = {0};
        struct task task;

        task_submit(&task, 0, names[i], BELOW_MS);
        task_await_reached(&task);
        expect(task_interrupt_until_ended(&task, 0, WAIT_MS, answers),
               names[i]);
        // When Node's function has returned the task's own may be hit.
        if (task.end == END_HIT && strstr(task.stack, "spinFor") == NULL) {
            answers[NW__ANSWER_HIT] = 0;
        } else {
            task_expect(&task, END_VALUE, NULL);
        }
        if (answers[NW__ANSWER_UNSAFE] < 2 || answers[NW__ANSWER_HIT] > 0) {
            fail("%s: unsafe %u times, hit %u times", names[i],
                 answers[NW__ANSWER_UNSAFE], answers[NW__ANSWER_HIT]);
        }
        expect_intact(0);
    }
}

static void continuations_are_not_hit(void)
{
    static const char *const names[] = {"timer", "immediate", "tick",
                                        "microtask", "file"};

    for (size_t i = 0; i < NW_ARRAY_SIZE(names); i++) {
        uint32_t answers[4] = {0};
        struct task task;

        task_submit(&task, 0, names[i], BELOW_MS);
        task_await_reached(&task);
        expect(task_interrupt_until_ended(&task, 0, WAIT_MS, answers),
               names[i]);
        task_expect(&task, END_VALUE, "spun");
        if (answers[NW__ANSWER_ELSEWHERE] < 2 || answers[NW__ANSWER_HIT] > 0) {
            fail("%s: elsewhere %u times, hit %u times", names[i],
                 answers[NW__ANSWER_ELSEWHERE], answers[NW__ANSWER_HIT]);
        }
        expect_intact(0);
    }
}

// Requests that nobody waits for meet whatever comes after their task.
static void late_requests_do_nothing(void)
{
    struct task gone, next;

    for (int i = 0; i < 200; i++) {
        task_submit(&gone, 0, "work", i % 20);
        if (i % 2 == 0) {
            task_expect(&gone, END_VALUE, NULL);
        }
        task_submit(&next, 0, "sync", i);
        task_expect(&gone, END_VALUE, NULL);
        for (int k = 0; k < 5; k++) {
            task_interrupt(&gone, 0);
        }
        task_expect(&next, END_VALUE, NULL);
    }
    // An idle worker sees a request when it runs again.
    task_interrupt(&next, 0);
    expect_intact(0);
    world_lock();
    expect(nw__engine_guard_answer(worker_guard(0), next.id) ==
               NW__ANSWER_ELSEWHERE,
           "a late request was not answered");
    world_unlock();
}

// -- what the user can do to the reset

static void what_cannot_be_reset_ends(uint32_t worker, const char *name,
                                      const char *text)
{
    struct task task, next;

    worker_start(worker, 0);
    run_expecting(worker, name, 0, text);
    task_submit(&task, worker, "loop", 0);
    task_submit(&next, worker, "sync", 1);
    task_await_reached(&task);
    expect(task_interrupt_until_ended(&task, worker, WAIT_MS, NULL), name);
    task_expect(&task, END_BROKEN, "");
    task_expect(&next, END_SWEPT, "");
    worker_await_exit(worker, 0);
}

// -- samples

static void a_sample_tells_where_it_is_stuck(void)
{
    static const char *const names[] = {"emitter", "timer"};
    char text[NW__STACK_TEXT_MAX];

    for (size_t i = 0; i < NW_ARRAY_SIZE(names); i++) {
        // A continuation is no task's: whatever runs.
        bool any = i == 1;
        bool found = false;
        uint64_t deadline_ns = nw__deadline_ns(WAIT_MS);
        struct task task;

        task_submit(&task, 0, names[i], BELOW_MS);
        task_await_reached(&task);
        world_lock();
        nw__engine_guard_sample(worker_guard(0), any ? 0 : task.id);
        while (!found && nw__now_ns() < deadline_ns) {
            found = nw__engine_guard_copy_sample(
                worker_guard(0), any ? 0 : task.id, text, sizeof(text));
            world_unlock();
            pause_us(100);
            world_lock();
        }
        expect(!nw__engine_guard_copy_sample(worker_guard(0), task.id + 1, text,
                                             1) &&
                   text[0] == '\0',
               "a sample of another task");
        nw__engine_guard_copy_sample(worker_guard(0), any ? 0 : task.id, text,
                                     sizeof(text));
        world_unlock();
        if (strncmp(text, "    at spinFor (", strlen("    at spinFor (")) !=
                0 ||
            strstr(text, "nwpool:") != NULL) {
            fail("%s was sampled at\n%s", names[i], text);
        }
        task_expect(&task, END_VALUE, "spun");
        expect_intact(0);
    }
}

// -- memory

static void memory_is_counted(void)
{
    uint64_t heap, external, heap_then, external_then;

    worker_memory(0, &heap, &external);
    expect(heap > (1 << 20) && heap < ((uint64_t)1 << 30), "heap in use");
    run_expecting(0, "keep", 64, "kept");
    worker_memory(0, &heap_then, &external_then);
    // What was there before may be gone by now.
    expect(external < ((uint64_t)64 << 20) &&
               external_then >= ((uint64_t)64 << 20),
           "a buffer is not counted");
    run_expecting(0, "keepObjects", 500000, "kept");
    worker_memory(0, &heap_then, &external_then);
    expect(heap_then > heap + (8 << 20), "objects are not counted");
}

// -- Node's own terminations

static void node_ends_what_it_ends(void)
{
    struct task task;

    worker_start(2, 0);
    task_submit(&task, 2, "exit", 10);
    task_await_reached(&task);
    task_interrupt_until_ended(&task, 2, WAIT_MS, NULL);
    task_expect(&task, END_DIED, "");
    worker_await_exit(2, 3);

    // Ours and then Node's, before ours is taken back.
    worker_start(5, 0);
    task_submit(&task, 5, "hitAndTerminated", 0);
    task_await_reached(&task);
    task_interrupt_until_ended(&task, 5, WAIT_MS, NULL);
    task_expect(&task, END_DIED, "");
    worker_await_exit(5, 1);

    // Asked for again and again in its 'exit' handler, which ends with the
    // worker.
    worker_start(3, 0);
    task_submit(&task, 3, "exitAndSpin", 0);
    task_await_reached(&task);
    for (int i = 0; i < 20; i++) {
        task_interrupt(&task, 3);
        pause_us(500);
    }
    worker_terminate(3);
    task_interrupt_until_ended(&task, 3, WAIT_MS, NULL);
    worker_await_exit(3, 1);
}

// -- how soon

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right ? 1 : 0;
}

#define LATENCIES 200

static void measure(void)
{
    uint64_t took[LATENCIES];

    for (int i = 0; i < LATENCIES; i++) {
        struct task task;

        task_submit(&task, 0, "loop", 0);
        task_await_reached(&task);
        pause_us(300);
        expect(task_interrupt_until_ended(&task, 0, WAIT_MS, NULL), "loop");
        task_expect(&task, END_HIT, "");
        took[i] = task.ended_ns - task.asked_ns;
    }
    qsort(took, LATENCIES, sizeof(took[0]), compare);
    printf("from request to settled: median %.0f us, 90%% %.0f us, most %.0f "
           "us\n",
           (double)took[LATENCIES / 2] / 1e3,
           (double)took[LATENCIES * 9 / 10] / 1e3,
           (double)took[LATENCIES - 1] / 1e3);
}

static int shapes(void)
{
    world_open();
    worker_start(0, 0);
    measure();
    late_requests_do_nothing();
    below_node_nothing_is_hit();
    continuations_are_not_hit();
    a_sample_tells_where_it_is_stuck();
    memory_is_counted();
    hit_in_every_shape();
    what_cannot_be_reset_ends(1, "capture", "captured");
    what_cannot_be_reset_ends(4, "patchFatal", "patched");
    node_ends_what_it_ends();
    expect(world_close(), "the engine did not close");
    expect(nw__engine_guard_parked() == 0, "a thread is parked");
    return 0;
}

// -- random

#define QUEUED_MAX         8
#define INTERRUPTS_DEFAULT 2000
#define ALIVE_MAX          120 // Interrupts in the life of one worker.

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(random_state >> 33) % limit;
}

static struct {
    uint32_t ends[END_SWEPT + 1];
    uint32_t answers[4];
    uint32_t workers;
} tally;

// A ring of tasks; the oldest are done with when the ring comes round.
static struct task ring[QUEUED_MAX];
static uint32_t ring_next;

static void submit_random(uint32_t worker)
{
    static const char *const names[] = {"work", "work", "work", "workLater",
                                        "touch"};
    uint32_t kind = random_below(NW_ARRAY_SIZE(names));

    task_submit(&ring[ring_next++ % QUEUED_MAX], worker, names[kind],
                (int)random_below(120));
}

static void check_ended(const struct task *task)
{
    tally.ends[task->end]++;
    if ((task->end == END_HIT && !task->asked) || task->end == END_THROWN ||
        task->end == END_BROKEN) {
        fail("%s(%d), task %llu, ended with %d \"%s\", asked %d", task->name,
             task->argument, (unsigned long long)task->id, task->end,
             task->text, task->asked);
    }
}

static void fill_ring(uint32_t worker)
{
    ring_next = 0;
    for (int i = 0; i < QUEUED_MAX; i++) {
        submit_random(worker);
    }
}

// Keeps the queue full, and interrupts one of the tasks: the running one more
// often than others.
static void life(uint32_t worker, uint32_t interrupts)
{
    struct task *target;

    fill_ring(worker);
    while (interrupts > 0 && worker_is_alive(worker)) {
        struct task *oldest = &ring[ring_next % QUEUED_MAX];

        target =
            random_below(4) == 0 ? &ring[random_below(QUEUED_MAX)] : oldest;
        if (random_below(3) == 0) {
            tally.answers[task_interrupt(target, worker)]++;
            interrupts--;
        }
        pause_us(random_below(40));
        while (task_wait(oldest, 0)) {
            check_ended(oldest);
            submit_random(worker);
            oldest = &ring[ring_next % QUEUED_MAX];
            if (!worker_is_alive(worker)) {
                break;
            }
        }
    }
}

static void await_ring(void)
{
    for (int i = 0; i < QUEUED_MAX; i++) {
        expect(task_wait(&ring[i], WAIT_MS), "a task was lost");
        check_ended(&ring[i]);
    }
}

// While interrupts fly.
static void end_life(uint32_t worker)
{
    fill_ring(worker);
    worker_terminate(worker);
    while (worker_is_alive(worker)) {
        task_interrupt(&ring[random_below(QUEUED_MAX)], worker);
        pause_us(random_below(30));
    }
    await_ring();
    worker_await_exit(worker, 1);
    tally.workers++;
}

static int random_fire(const char *count)
{
    const char *seed = getenv("NW_SEED");
    uint32_t left =
        count != NULL ? (uint32_t)strtoul(count, NULL, 10) : INTERRUPTS_DEFAULT;

    random_state = seed != NULL ? strtoull(seed, NULL, 10) : nw__now_ns();
    printf("NW_SEED=%llu\n", (unsigned long long)random_state);
    fflush(stdout);
    world_open();
    for (uint32_t worker = 0; left > 0; worker++) {
        uint32_t most = left < ALIVE_MAX ? left : ALIVE_MAX;
        uint32_t now = 1 + random_below(most);

        if (worker == WORKERS_MAX - 1) {
            now = left;
        }
        worker_start(worker, 0);
        life(worker, now);
        await_ring();
        expect_intact(worker);
        end_life(worker);
        left -= now;
    }
    printf("%u workers; tasks: %u done, %u hit, %u died, %u swept; answers: %u "
           "hit, %u unsafe, %u elsewhere\n",
           tally.workers, tally.ends[END_VALUE], tally.ends[END_HIT],
           tally.ends[END_DIED], tally.ends[END_SWEPT],
           tally.answers[NW__ANSWER_HIT], tally.answers[NW__ANSWER_UNSAFE],
           tally.answers[NW__ANSWER_ELSEWHERE]);
    expect(tally.ends[END_HIT] > 0, "nothing was hit");
    expect(world_close(), "the engine did not close");
    return 0;
}

// -- the heap

#define HEAP_MB 40

static void exhaust(uint32_t worker, const char *name)
{
    struct task task, waiting;
    uint32_t before = nw__engine_guard_parked();

    worker_start(worker, HEAP_MB);
    run_expecting(worker, "sync", 1, "1");
    task_submit(&task, worker, name, 0);
    task_submit(&waiting, worker, "sync", 2);
    worker_await_parked(worker);
    task_expect(&task, END_DIED, "");
    task_expect(&waiting, END_SWEPT, "");
    expect(nw__engine_guard_parked() == before + 1, "it is not counted");
}

// Where Node.js itself sees it coming.
static void exhaust_slowly(uint32_t worker)
{
    struct task task;

    worker_start(worker, HEAP_MB);
    task_submit(&task, worker, "smallObjects", 0);
    task_expect(&task, END_DIED, "");
    worker_await_exit(worker, 1);
    expect(nw__engine_guard_parked() == 0, "it was parked");
}

// Other workers work while and after it happens, and the process ends as it
// likes.
static int heap(void)
{
    struct task busy;

    world_open();
    worker_start(0, 0);
    run_expecting(0, "collect", 0, "collected");
    task_submit(&busy, 0, "collect", 0);
    exhaust_slowly(4);
    exhaust(1, "hugeArray");
    exhaust(2, "hugeJson");
    task_expect(&busy, END_VALUE, "collected");
    run_expecting(0, "collect", 0, "collected");
    worker_terminate(1); // It does nothing, and nothing waits for it.
    expect_intact(0);
    worker_start(3, 0);
    hit_once(3, "loop", "at spin (");
    worker_terminate(3);
    worker_await_exit(3, 1);

    task_submit(&busy, 0, "loop", 0);
    task_await_reached(&busy);
    expect(!world_close(), "parked threads were joined");
    expect(!worker_is_alive(0), "a worker went on");
    task_expect(&busy, END_DIED, "");
    printf("%u threads parked\n", nw__engine_guard_parked());
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    setlinebuf(stdout);

    if (strcmp(mode, "shapes") == 0) {
        return shapes();
    }
    if (strcmp(mode, "random") == 0) {
        return random_fire(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(mode, "heap") == 0) {
        return heap();
    }
    fail("guard shapes | random [INTERRUPTS] | heap");
}

// Goal: every line that is handed in comes out once, whole, and in the order
// that was asked for, whoever hands it in and however slowly it is taken; a
// write that fails loses no line that was written and hides nothing.

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "batch/output.h"
#include "tests/unit/support.h"

#define THREADS     4
#define LINES_TOTAL 20000
#define RING_SIZE   64

static struct nwpool_batch_output *output;
static FILE *file;
static atomic_ullong lines_taken;
static atomic_int error_seen;

static void on_taken(uint64_t taken, int error, void *user_data)
{
    cr_assert(eq(ptr, user_data, &lines_taken));
    cr_assert(ge(u64, taken, atomic_load(&lines_taken)));
    atomic_store(&error_seen, error);
    atomic_store(&lines_taken, taken);
}

static void open_output(int fd, enum nwpool_batch_order order,
                        uint32_t lines_max)
{
    const struct nwpool_batch_output_options options = {
        .fd = fd,
        .order = order,
        .lines_max = lines_max,
        .on_taken = on_taken,
        .user_data = &lines_taken,
    };

    output = nwpool_batch_output_create(&options);
    cr_assert(ne(ptr, output, NULL));
}

static void setup(void)
{
    file = tmpfile();
}

static void teardown(void)
{
    nwpool_batch_output_destroy(output);
    fclose(file);
    nw_test_no_leaks();
}

TestSuite(output, .init = setup, .fini = teardown, .timeout = 60);

static void put(uint64_t index)
{
    char *line = nwpool_batch_format("line %llu\n", (unsigned long long)index);

    nwpool_batch_output_put(output, index, line, strlen(line));
}

// The numbers in the file, which must be `count` whole lines, one a slot.
static void read_numbers(uint64_t *out, size_t count)
{
    char line[64];

    rewind(file);
    for (size_t i = 0; i < count; i++) {
        unsigned long long number;

        cr_assert(ne(ptr, fgets(line, sizeof(line), file), NULL));
        cr_assert(eq(int, sscanf(line, "line %llu\n", &number), 1));
        cr_assert(eq(int, line[strlen(line) - 1], '\n'));
        out[i] = number;
    }
    cr_expect(eq(int, fgetc(file), EOF));
}

Test(output, lines_come_out_in_the_order_of_their_inputs)
{
    uint64_t numbers[6];

    open_output(fileno(file), NWPOOL_BATCH_ORDER_INPUT, 8);
    put(3);
    put(1);
    put(0);
    put(5);
    put(4);
    put(2);
    cr_expect(eq(u64, nwpool_batch_output_finish(output), 6));
    read_numbers(numbers, 6);
    for (uint64_t i = 0; i < 6; i++) {
        cr_expect(eq(u64, numbers[i], i));
    }
    cr_expect(eq(u64, atomic_load(&lines_taken), 6));
}

Test(output, or_in_the_order_of_completion)
{
    const uint64_t order[] = {3, 1, 0, 5, 4, 2};
    uint64_t numbers[6];

    open_output(fileno(file), NWPOOL_BATCH_ORDER_COMPLETION, 8);
    for (size_t i = 0; i < 6; i++) {
        put(order[i]);
    }
    cr_expect(eq(u64, nwpool_batch_output_finish(output), 6));
    read_numbers(numbers, 6);
    cr_expect(eq(int, memcmp(numbers, order, sizeof(order)), 0));
}

Test(output, nothing_handed_in_is_nothing_written)
{
    open_output(fileno(file), NWPOOL_BATCH_ORDER_INPUT, 1);
    cr_expect(eq(u64, nwpool_batch_output_finish(output), 0));
    read_numbers(NULL, 0);
}

// -- many threads

static atomic_ullong next_index;

// Each thread takes the next index and hands its line in when there is room;
// one in eight dawdles, so that lines come out of order.
static void *put_main(void *argument)
{
    uint64_t index;

    while ((index = atomic_fetch_add(&next_index, 1)) < LINES_TOTAL) {
        while (index - atomic_load(&lines_taken) >= RING_SIZE &&
               index >= atomic_load(&lines_taken)) {
            sched_yield();
        }
        if (index % 8 == 0) {
            usleep(20);
        }
        put(index);
    }
    return argument;
}

static void run_threads(enum nwpool_batch_order order, uint64_t *numbers)
{
    pthread_t threads[THREADS];

    open_output(fileno(file), order, RING_SIZE);
    for (int i = 0; i < THREADS; i++) {
        cr_assert(
            eq(int, pthread_create(&threads[i], NULL, put_main, NULL), 0));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect(eq(u64, nwpool_batch_output_finish(output), LINES_TOTAL));
    read_numbers(numbers, LINES_TOTAL);
}

Test(output, many_threads_lose_and_mix_nothing)
{
    static uint64_t numbers[LINES_TOTAL];

    run_threads(NWPOOL_BATCH_ORDER_INPUT, numbers);
    for (uint64_t i = 0; i < LINES_TOTAL; i++) {
        cr_assert(eq(u64, numbers[i], i));
    }
}

Test(output, many_threads_in_order_of_completion_lose_nothing)
{
    static uint64_t numbers[LINES_TOTAL];
    static bool seen[LINES_TOTAL];

    run_threads(NWPOOL_BATCH_ORDER_COMPLETION, numbers);
    for (uint64_t i = 0; i < LINES_TOTAL; i++) {
        cr_assert(lt(u64, numbers[i], LINES_TOTAL));
        cr_assert(not(seen[numbers[i]]), "line %llu came twice",
                  (unsigned long long)numbers[i]);
        seen[numbers[i]] = true;
    }
}

// -- where writing is slow or fails

static void *read_slowly(void *argument)
{
    int fd = *(int *)argument;
    char chunk[100];
    size_t total = 0;
    ssize_t got;

    while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
        total += (size_t)got;
    }
    return (void *)total;
}

Test(output, a_descriptor_that_does_not_block_is_waited_for)
{
    pthread_t reader;
    void *total;
    int ends[2];
    size_t expected = 0;

    cr_assert(eq(int, pipe(ends), 0));
    cr_assert(eq(int, fcntl(ends[1], F_SETFL, O_NONBLOCK), 0));
    cr_assert(eq(int, pthread_create(&reader, NULL, read_slowly, &ends[0]), 0));
    open_output(ends[1], NWPOOL_BATCH_ORDER_INPUT, 30000);
    for (uint64_t i = 0; i < 30000; i++) {
        char *line = nwpool_batch_format("line %llu\n", (unsigned long long)i);

        expected += strlen(line);
        nwpool_batch_output_put(output, i, line, strlen(line));
    }
    cr_expect(eq(u64, nwpool_batch_output_finish(output), 30000));
    close(ends[1]);
    pthread_join(reader, &total);
    cr_expect(eq(sz, (size_t)total, expected));
    close(ends[0]);
}

Test(output, a_full_device_is_reported_and_drops_the_rest)
{
    int fd = open("/dev/full", O_WRONLY);

    open_output(fd, NWPOOL_BATCH_ORDER_INPUT, 4);
    put(0);
    while (atomic_load(&lines_taken) < 1) {
        sched_yield();
    }
    cr_expect(eq(int, atomic_load(&error_seen), ENOSPC));
    for (uint64_t i = 1; i < 4; i++) {
        put(i);
    }
    cr_expect(eq(u64, nwpool_batch_output_finish(output), 0));
    cr_expect(eq(u64, atomic_load(&lines_taken), 4));
    close(fd);
}

Test(output, a_file_that_may_not_grow_keeps_whole_lines_only)
{
    const struct rlimit limit = {.rlim_cur = 30, .rlim_max = 30};
    uint64_t numbers[4];

    // 30 bytes are four lines of seven and a torn one.
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(eq(int, setrlimit(RLIMIT_FSIZE, &limit), 0));
    open_output(fileno(file), NWPOOL_BATCH_ORDER_INPUT, 9);
    for (uint64_t i = 9; i-- > 0;) {
        put(i);
    }
    cr_expect(eq(u64, nwpool_batch_output_finish(output), 4));
    cr_expect(eq(int, atomic_load(&error_seen), EFBIG));
    read_numbers(numbers, 4);
}

// -- misuse

Test(output_misuse, a_line_that_comes_twice_ends_the_process,
     .exit_code = NWPOOL_BATCH_EXIT_BUG, .timeout = 20)
{
    setup();
    open_output(fileno(file), NWPOOL_BATCH_ORDER_INPUT, 4);
    put(2);
    put(2);
}

Test(output_misuse, a_line_beyond_the_ring_ends_the_process,
     .exit_code = NWPOOL_BATCH_EXIT_BUG, .timeout = 20)
{
    setup();
    open_output(fileno(file), NWPOOL_BATCH_ORDER_INPUT, 4);
    put(4);
}

// Goal: what a worker prints arrives whole, in order and before its end, where
// its options say; and what is written to its stdin arrives there.

#include "tests/pool/ear.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct ear ear;

static void init(void)
{
    test_init();
    ear_init(&ear);
}

static void fini(void)
{
    ear_fini(&ear);
    test_fini();
}

TestSuite(stdio, .init = init, .fini = fini, .timeout = SUITE_TIMEOUT);

#define WRITE_WAIT_MS 10000

static nw_worker *piped(const char *source)
{
    return worker_with(&ear, (nw_worker_options){
                                 .source = source,
                                 .stdin_pipe = true,
                                 .stdout_mode = NW_OUTPUT_EVENT,
                                 .stderr_mode = NW_OUTPUT_EVENT,
                             });
}

static nw_status write_text(nw_worker *worker, const char *data)
{
    return nw_worker_write(worker, data, strlen(data), WRITE_WAIT_MS);
}

// -- stdin

Test(stdio, what_is_written_is_read)
{
    nw_worker *worker = piped("process.stdin.pipe(process.stdout);");

    expect_status(write_text(worker, "hello\n"), NW_OK);
    expect_status(nw_worker_write(worker, "a\0\xff", 3, 0), NW_OK);
    expect_status(nw_worker_write(worker, NULL, 0, 0), NW_OK);
    expect_status(nw_worker_end(worker), NW_OK);
    expect_exit(&ear, 0);
    cr_assert(eq(sz, ear.out_size[1], 9));
    cr_expect(memcmp(ear.out[1], "hello\na\0\xff", 9) == 0);
    cr_expect(eq(sz, ear.out_size[2], 0));
    end_worker(worker);
}

Test(stdio, lines_can_be_asked_and_answered)
{
    nw_worker *worker =
        piped("require('readline').createInterface({ input: process.stdin })"
              ".on('line', (l) => console.log(l.toUpperCase()))"
              ".on('close', () => console.log('over'))");

    expect_status(write_text(worker, "one\nt"), NW_OK);
    expect_status(write_text(worker, "wo\n"), NW_OK);
    expect_status(nw_worker_end(worker), NW_OK);
    expect_exit(&ear, 0);
    expect_output(&ear, 1, "ONE\nTWO\nover\n");
    end_worker(worker);
}

#define STDIN_ENDS                                                             \
    SCRIPT "process.stdin.on('end', () => parentPort.postMessage('end'))"      \
           ".on('data', (d) => parentPort.postMessage(String(d)));"

Test(stdio, without_a_pipe_stdin_is_empty)
{
    nw_worker *worker = worker_of(&ear, STDIN_ENDS);

    expect_said(&ear, "\"end\"");
    expect_status(write_text(worker, "x"), NW_ECLOSED);
    expect_status(nw_worker_end(worker), NW_ECLOSED);
    end_worker(worker);
}

Test(stdio, nothing_is_written_after_the_end)
{
    nw_worker *worker = piped(STDIN_ENDS "parentPort.ref();");

    expect_status(nw_worker_end(worker), NW_OK);
    expect_status(write_text(worker, "x"), NW_ECLOSED);
    expect_status(nw_worker_end(worker), NW_ECLOSED);
    expect_said(&ear, "\"end\"");
    expect_status(nw_worker_terminate(worker), NW_OK);
    ear_end(&ear);
    expect_status(write_text(worker, "x"), NW_ECLOSED);
    end_worker(worker);
}

Test(stdio, nothing_is_written_to_a_worker_that_has_ended)
{
    nw_worker *worker = piped("process.exit(0)");

    expect_exit(&ear, 0);
    expect_status(write_text(worker, "x"), NW_ECLOSED);
    expect_status(nw_worker_end(worker), NW_ECLOSED);
    end_worker(worker);
}

// A worker that reads nothing until the first word of `shared` is set, and
// then tells how much came, and a sum of it.
static nw_worker *reader(nw_shared *shared)
{
    return worker_with(
        &ear, (nw_worker_options){
                  .source = SCRIPT
                  "parentPort.postMessage('waits');"
                  "Atomics.wait(new Int32Array(workerData), 0, 0);"
                  "let size = 0; let sum = 0;"
                  "process.stdin.on('data', (d) => {"
                  "  size += d.length; for (const b of d) sum += b;"
                  "}).on('end', () => parentPort.postMessage([size, sum]))",
                  .worker_data = nw_value_shared(doc, shared),
                  .stdin_pipe = true});
}

#define PIECE ((size_t)65536)

// Writes until there is no room; returns how many pieces went.
static size_t fill(nw_worker *worker, const char *piece)
{
    size_t count = 0;
    nw_status status = NW_OK;

    while (status == NW_OK) {
        status = nw_worker_write(worker, piece, PIECE, 0);
        count += status == NW_OK;
        cr_assert(lt(sz, count, (size_t)1000), "no limit");
    }
    expect_status(status, NW_EFULL);
    return count;
}

static void let_go(nw_shared *shared, const char *script_of_waker)
{
    nw_worker *worker = worker_with(
        NULL, (nw_worker_options){.source = script_of_waker,
                                  .worker_data = nw_value_shared(doc, shared)});

    expect_status(nw_worker_wait(worker, DEADLINE_MS, NULL), NW_OK);
    end_worker(worker);
}

#define WAKE                                                                   \
    SCRIPT "const a = new Int32Array(workerData);"                             \
           "Atomics.store(a, 0, 1); Atomics.notify(a, 0);"

Test(stdio, stdin_takes_a_bounded_amount_and_loses_nothing)
{
    nw_shared *shared;
    nw_worker *worker;
    char *piece = malloc(PIECE);
    char *large = calloc(1, 2 * NW_WORKER_STDIN_MAX);
    char said[64];
    uint64_t start_ms;
    size_t count;

    memset(piece, 1, PIECE);
    cr_assert(eq(int, nw_shared_create(&shared, 4), NW_OK));
    worker = reader(shared);
    expect_said(&ear, "\"waits\"");
    count = fill(worker, piece);
    cr_expect(ge(sz, count * PIECE, NW_WORKER_STDIN_MAX / 2));
    cr_expect(le(sz, count * PIECE, 2 * NW_WORKER_STDIN_MAX));

    start_ms = now_ms();
    expect_status(nw_worker_write(worker, piece, PIECE, 200), NW_EFULL);
    cr_expect(ge(u64, now_ms() - start_ms, 190));

    let_go(shared, WAKE);
    for (int i = 0; i < 100; i++) {
        expect_status(nw_worker_write(worker, piece, PIECE, WRITE_WAIT_MS),
                      NW_OK);
        count++;
    }
    expect_status(
        nw_worker_write(worker, large, 2 * NW_WORKER_STDIN_MAX, WRITE_WAIT_MS),
        NW_OK);
    expect_status(nw_worker_end(worker), NW_OK);
    snprintf(said, sizeof(said), "[%zu, %zu]",
             count * PIECE + 2 * NW_WORKER_STDIN_MAX, count * PIECE);
    expect_heard(&ear, 2, NW_WORKER_MESSAGE, said);
    expect_exit(&ear, 0);
    end_worker(worker);
    nw_shared_unref(shared);
    free(large);
    free(piece);
}

static void *write_into_full(void *worker)
{
    static char piece[PIECE];
    nw_status status = nw_worker_write(worker, piece, PIECE, DEADLINE_MS);

    return status == NW_ECLOSED ? worker : NULL;
}

Test(stdio, who_waits_for_room_hears_of_the_end)
{
    char *piece = calloc(1, PIECE);
    nw_shared *shared;
    nw_worker *worker;
    pthread_t thread;
    void *closed;

    cr_assert(eq(int, nw_shared_create(&shared, 4), NW_OK));
    worker = reader(shared);
    expect_said(&ear, "\"waits\"");
    fill(worker, piece);
    pthread_create(&thread, NULL, write_into_full, worker);
    pause_ms(50);
    expect_status(nw_worker_terminate(worker), NW_OK);
    pthread_join(thread, &closed);
    cr_expect(eq(ptr, closed, worker));
    end_worker(worker);
    nw_shared_unref(shared);
    free(piece);
}

// -- output as events

Test(stdio, output_has_exactly_the_bytes)
{
    nw_worker *worker =
        piped("process.stdout.write(Buffer.from([...Array(256).keys()]));"
              "process.stderr.write('\\u65e5\\n'); process.stderr.write('');"
              "console.error('%s', 'twice');");

    expect_exit(&ear, 0);
    cr_assert(eq(sz, ear.out_size[1], 256));
    for (int i = 0; i < 256; i++) {
        cr_expect(eq(int, (unsigned char)ear.out[1][i], i));
    }
    expect_output(&ear, 2, "\u65e5\ntwice\n");
    end_worker(worker);
}

static void expect_lines(const char *got, int count)
{
    for (int i = 0; i < count; i++) {
        char line[32];

        snprintf(line, sizeof(line), "line %d\n", i);
        if (got == NULL || strncmp(got, line, strlen(line)) != 0) {
            cr_expect(false, "line %d of %d is missing", i, count);
            return;
        }
        got += strlen(line);
    }
    expect_string(got, "");
}

static void expect_all_lines(const char *ending, int code)
{
    char source[512];
    nw_worker *worker;

    ear_fini(&ear);
    ear_init(&ear);
    snprintf(source, sizeof(source),
             "for (let i = 0; i < 300; i++) {"
             "  console.log('line ' + i); console.error('line ' + i);"
             "}%s",
             ending);
    worker = piped(source);
    expect_exit(&ear, code);
    expect_lines(ear.out[1], 300);
    expect_lines(ear.out[2], 300);
    end_worker(worker);
}

// Node.js 18 alone delivers one line of those before process.exit().
Test(stdio, output_is_complete_however_the_worker_ends)
{
    expect_all_lines("", 0);
    expect_all_lines("process.exit(0)", 0);
    expect_all_lines("process.exit(7)", 7);
    expect_all_lines("setTimeout(() => process.exit(3), 1)", 3);
    expect_all_lines("throw new Error('uncaught')", 1);
    expect_all_lines("Promise.reject(new Error('unhandled'))", 1);
    expect_all_lines("Promise.resolve().then(() => process.exit(4))", 4);
}

Test(stdio, what_is_printed_at_exit_arrives)
{
    nw_worker *worker =
        piped("process.on('exit', (c) => console.log('with', c));"
              "console.log('before'); process.exit(5);");

    expect_exit(&ear, 5);
    expect_output(&ear, 1, "before\nwith 5\n");
    end_worker(worker);
}

Test(stdio, large_output_before_an_exit_is_complete)
{
    nw_worker *worker =
        piped("for (let i = 0; i < 160; i++) "
              "process.stdout.write(Buffer.alloc(65536, 97 + i % 26));"
              "process.exit(0)");

    expect_exit(&ear, 0);
    cr_assert(eq(sz, ear.out_size[1], (size_t)160 * 65536));
    for (size_t i = 0; i < ear.out_size[1]; i++) {
        cr_assert(eq(i8, ear.out[1][i], (char)('a' + i / 65536 % 26)));
    }
    end_worker(worker);
}

// Counts, and is slower than the worker.
struct counter {
    atomic_size_t size;
    atomic_bool over;
};

static void count_slowly(const nw_worker_event *event, void *user_data)
{
    struct counter *counter = user_data;

    if (event->type == NW_WORKER_OUTPUT) {
        atomic_fetch_add(&counter->size, event->data_size);
        pause_ms(1);
    } else if (event->type == NW_WORKER_EXIT) {
        atomic_store(&counter->over, true);
    }
}

#define FLOOD_MIB 100

// The sanitizer keeps freed memory for a while.
#ifdef __SANITIZE_ADDRESS__
#define FLOOD_ALLOWANCE_KIB (400 * 1024)
#else
#define FLOOD_ALLOWANCE_KIB (60 * 1024)
#endif

// The worker honours write()'s answer, so no side may hold it all.
Test(stdio, a_flood_of_output_needs_no_memory)
{
    static struct counter counter;
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .source = "const chunk = Buffer.alloc(65536); let left = 1600;"
                  "(function go() { while (left-- > 0) {"
                  "  if (!process.stdout.write(chunk)) {"
                  "    process.stdout.once('drain', go); return; }"
                  "} })();",
        .stdout_mode = NW_OUTPUT_EVENT,
        .on_event = count_slowly,
        .user_data = &counter,
    };
    size_t most = 0;
    size_t before;
    nw_worker *worker;

    end_worker(worker_of(NULL, ";"));
    before = resident_kib();
    cr_assert(eq(int, nw_worker_create(&worker, &options), NW_OK));
    while (!atomic_load(&counter.over)) {
        size_t now = resident_kib();

        most = now > most ? now : most;
        pause_ms(5);
    }
    cr_expect(
        eq(sz, atomic_load(&counter.size), (size_t)FLOOD_MIB * 1024 * 1024));
    fprintf(stderr, "a flood of %d MiB: %zu KiB more at most\n", FLOOD_MIB,
            most > before ? most - before : 0);
    cr_expect(lt(sz, most, before + FLOOD_ALLOWANCE_KIB));
    end_worker(worker);
}

// -- output to the host. Its descriptors are pipes here.

static int saved[3];
static int pipes[3][2];
static int flags[3];

// Descriptors 1 and 2 of this process lead into pipes.
static void redirect(void)
{
    for (int fd = 0; fd < 3; fd++) {
        cr_assert(eq(int, pipe2(pipes[fd], O_CLOEXEC), 0));
        saved[fd] = dup(fd);
        dup2(pipes[fd][fd == 0 ? 0 : 1], fd);
        flags[fd] = fcntl(fd, F_GETFL);
    }
}

// The descriptors are as they were; what came out of the pipe is `got`.
static void restore(char got[3][4096])
{
    int flags_now[3];

    for (int fd = 0; fd < 3; fd++) {
        flags_now[fd] = fcntl(fd, F_GETFL);
        dup2(saved[fd], fd);
        close(saved[fd]);
        close(pipes[fd][1]);
        memset(got[fd], 0, 4096);
        if (fd > 0) {
            cr_expect(read(pipes[fd][0], got[fd], 4095) >= 0);
        }
        close(pipes[fd][0]);
    }
    for (int fd = 0; fd < 3; fd++) {
        cr_expect(eq(int, flags_now[fd], flags[fd]), "flags of %d", fd);
        cr_expect(not(flags_now[fd] & O_NONBLOCK));
    }
}

// What is passed on is written by a thread of its own, which EXIT does not wait
// for.
static bool has_passed(int fd, nw_output mode)
{
    int size = 0;

    ioctl(pipes[fd][0], FIONREAD, &size);
    return mode == NW_OUTPUT_EVENT || size >= (int)strlen("to out\n");
}

static void print_with(nw_output out_mode, nw_output err_mode,
                       char got[3][4096])
{
    nw_worker *worker;

    redirect();
    worker = worker_with(
        &ear, (nw_worker_options){.source = "console.log('to out');"
                                            "console.error('to err');"
                                            "process.exit(0);",
                                  .stdin_pipe = true,
                                  .stdout_mode = out_mode,
                                  .stderr_mode = err_mode});
    ear_end(&ear);
    eventually(has_passed(1, out_mode) && has_passed(2, err_mode));
    restore(got);
    end_worker(worker);
}

Test(stdio, output_goes_to_the_host_by_default)
{
    char got[3][4096];

    print_with(NW_OUTPUT_PASS, NW_OUTPUT_PASS, got);
    expect_string(got[1], "to out\n");
    expect_string(got[2], "to err\n");
    cr_expect(eq(sz, ear.pieces, 0));
}

Test(stdio, output_may_go_to_events_only)
{
    char got[3][4096];

    print_with(NW_OUTPUT_EVENT, NW_OUTPUT_PASS, got);
    expect_string(got[1], "");
    expect_string(got[2], "to err\n");
    expect_output(&ear, 1, "to out\n");
    cr_expect(eq(sz, ear.out_size[2], 0));
}

Test(stdio, output_may_go_to_both)
{
    char got[3][4096];

    print_with(NW_OUTPUT_BOTH, NW_OUTPUT_EVENT, got);
    expect_string(got[1], "to out\n");
    expect_output(&ear, 1, "to out\n");
    expect_string(got[2], "");
    expect_output(&ear, 2, "to err\n");
}

Test(stdio, output_that_nobody_hears_is_dropped)
{
    nw_worker *worker = worker_with(
        NULL, (nw_worker_options){.source = "for (let i = 0; i < 1e4; i++)"
                                            "console.log('unheard', i)",
                                  .stdout_mode = NW_OUTPUT_EVENT});

    expect_status(nw_worker_wait(worker, DEADLINE_MS, NULL), NW_OK);
    end_worker(worker);
}

// Goal: every input comes once, in order, with its index and the text that the
// output repeats; what is no input says so and hides nothing behind it.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "batch/input.h"
#include "batch/lines.h"
#include "tests/unit/support.h"

static char root[] = "/tmp/nwpool-input-XXXXXX";
static struct nwpool_batch_job job;
static struct nwpool_batch_problems problems;
static struct nwpool_batch_input *input;

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(root), NULL));
    cr_assert(eq(int, chdir(root), 0));
}

static void teardown(void)
{
    char *command = nwpool_batch_format("rm -rf %s", root);

    cr_expect(eq(int, system(command), 0));
    free(command);
    nwpool_batch_input_destroy(input);
    nwpool_batch_job_fini(&job);
    nwpool_batch_problems_fini(&problems);
    nw_test_no_leaks();
}

TestSuite(input, .init = setup, .fini = teardown, .timeout = 20);

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(name, "w");

    cr_assert(ne(ptr, file, NULL));
    cr_assert(eq(sz, fwrite(data, 1, size, file), size));
    fclose(file);
}

// The job has this as its "input"; ' stands for ".
static void parse_job(const char *quoted)
{
    struct nwpool_batch_text text = {0};

    nwpool_batch_text_printf(&text,
                             "{'module': './m.js', 'output': 'out',"
                             " 'input': %s}",
                             quoted);
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] = text.data[i] == '\'' ? '"' : text.data[i];
    }
    cr_assert(nwpool_batch_job_parse(&job, "job.json", root, &text, &problems));
}

static void open_input(const char *quoted)
{
    parse_job(quoted);
    input = nwpool_batch_input_open(&job, &problems);
    cr_assert(ne(ptr, input, NULL));
}

static void expect_open_fails(const char *quoted, const char *expected)
{
    parse_job(quoted);
    cr_expect(eq(ptr, nwpool_batch_input_open(&job, &problems), NULL));
    cr_assert(eq(sz, problems.count, 1));
    cr_expect(strstr(problems.kept[0].text, expected) != NULL,
              "\"%s\" says nothing of %s", problems.kept[0].text, expected);
}

static void expect_item(uint64_t index, const char *echo)
{
    struct nwpool_batch_item item;

    cr_assert(eq(int, nwpool_batch_input_next(input, -1, &item),
                 NWPOOL_BATCH_NEXT_ITEM));
    cr_expect(eq(u64, item.index, index));
    cr_assert(ne(ptr, item.value, NULL), "%s", item.problem);
    cr_expect(eq(str, item.echo, (char *)echo));
    nwpool_batch_item_fini(&item);
}

static void expect_bad(uint64_t index, size_t line, size_t column,
                       const char *excerpt)
{
    struct nwpool_batch_item item;

    cr_assert(eq(int, nwpool_batch_input_next(input, -1, &item),
                 NWPOOL_BATCH_NEXT_ITEM));
    cr_expect(eq(u64, item.index, index));
    cr_assert(eq(ptr, item.value, NULL));
    cr_expect(eq(sz, item.place.line, line));
    cr_expect(eq(sz, item.place.column, column), "%s", item.problem);
    cr_expect(eq(str, item.excerpt, (char *)excerpt));
    cr_expect(eq(str, item.echo, "null"));
    nwpool_batch_item_fini(&item);
}

static void expect_end(void)
{
    struct nwpool_batch_item item;

    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, nwpool_batch_input_next(input, -1, &item),
                     NWPOOL_BATCH_NEXT_END));
    }
}

// -- values

Test(input, values_come_in_order)
{
    open_input("{'values': [1, 'x', null, {'a': [0.1, true]}]}");
    cr_expect(eq(i64, nwpool_batch_input_total(input), 4));
    expect_item(0, "1");
    expect_item(1, "\"x\"");
    expect_item(2, "null");
    expect_item(3, "{\"a\":[0.1,true]}");
    expect_end();
}

Test(input, no_values_are_no_inputs)
{
    open_input("{'values': []}");
    cr_expect(eq(i64, nwpool_batch_input_total(input), 0));
    expect_end();
}

// -- lines

static void open_lines(const void *data, size_t size)
{
    write_file("in.jsonl", data, size);
    open_input("{'lines': 'in.jsonl'}");
}

#define OPEN_LINES(text) open_lines(text, sizeof(text) - 1)

Test(input, lines_are_repeated_as_they_stand)
{
    OPEN_LINES("1\n  {\"b\": 1.50, \"a\":1e2}\t\r\n\"x\"\n");
    cr_expect(eq(i64, nwpool_batch_input_total(input), -1));
    expect_item(0, "1");
    expect_item(1, "{\"b\": 1.50, \"a\":1e2}");
    expect_item(2, "\"x\"");
    expect_end();
}

Test(input, blank_lines_and_a_missing_last_end_do_not_count)
{
    OPEN_LINES("\n \t\n1\n\r\n\n2");
    expect_item(0, "1");
    expect_item(1, "2");
    expect_end();
}

Test(input, an_empty_file_has_no_inputs)
{
    OPEN_LINES("");
    expect_end();
}

Test(input, bad_lines_have_an_index_and_a_place)
{
    OPEN_LINES("1\n\n  {\"a\": tru}\r\n2\n[1,\n3 4\n\"\xff\"\n\"ok\"");
    expect_item(0, "1");
    expect_bad(1, 3, 9, "\"  {\\\"a\\\": tru}\\r\"");
    expect_item(2, "2");
    expect_bad(3, 5, 4, "\"[1,\"");
    expect_bad(4, 6, 3, "\"3 4\"");
    expect_bad(5, 7, 1, "\"\\\"\xef\xbf\xbd\\\"\"");
    expect_item(6, "\"ok\"");
    expect_end();
}

Test(input, a_byte_order_mark_is_no_part_of_the_first_line)
{
    OPEN_LINES("\xef\xbb\xbf"
               "1\n2\n");
    expect_item(0, "1");
    expect_item(1, "2");
    expect_end();
}

Test(input, integers_beyond_64_bits_are_numbers_as_in_javascript)
{
    struct nwpool_batch_item item;

    OPEN_LINES("18446744073709551616\n");
    cr_assert(eq(int, nwpool_batch_input_next(input, -1, &item),
                 NWPOOL_BATCH_NEXT_ITEM));
    cr_expect(eq(str, item.echo, "18446744073709551616"));
    cr_expect(eq(dbl, json_number_value(item.value), 18446744073709551616.0));
    nwpool_batch_item_fini(&item);
}

Test(input, nul_bytes_make_a_line_bad_and_hide_nothing)
{
    OPEN_LINES("1\0\n2\n");
    expect_bad(0, 1, 2, "\"1\\u0000\"");
    expect_item(1, "2");
    expect_end();
}

Test(input, lines_of_any_length_pass_the_buffer)
{
    struct nwpool_batch_text text = {0};
    const size_t sizes[] = {1, 65533, 65534, 65535, 65536, 200000, 1, 131072};
    struct nwpool_batch_item item;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        nwpool_batch_text_puts(&text, "\"");
        for (size_t j = 0; j < sizes[i]; j++) {
            nwpool_batch_text_puts(&text, "x");
        }
        nwpool_batch_text_puts(&text, "\"\n");
    }
    open_lines(text.data, text.size);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        cr_assert(eq(int, nwpool_batch_input_next(input, -1, &item),
                     NWPOOL_BATCH_NEXT_ITEM));
        cr_expect(eq(sz, json_string_length(item.value), sizes[i]));
        nwpool_batch_item_fini(&item);
    }
    expect_end();
    nwpool_batch_text_fini(&text);
}

// Reads lines with a small limit: numbers of the lines that are too long in
// brackets.
static void expect_lines(const char *data, size_t size_max,
                         const char *expected)
{
    struct nwpool_batch_text got = {0};
    struct nwpool_batch_lines *lines;
    struct nwpool_batch_line line;

    write_file("long", data, strlen(data));
    lines = nwpool_batch_lines_open("long", size_max);
    while (nwpool_batch_lines_next(lines, -1, &line) ==
           NWPOOL_BATCH_NEXT_ITEM) {
        nwpool_batch_text_printf(&got, line.is_too_long ? "[%zu]" : "%zu",
                                 line.number);
    }
    cr_expect(eq(str, got.data, (char *)expected));
    cr_expect(eq(dbl, nwpool_batch_lines_fraction(lines), 1));
    nwpool_batch_lines_destroy(lines);
    nwpool_batch_text_fini(&got);
}

Test(input, a_line_that_is_too_long_is_skipped_alone)
{
    struct nwpool_batch_text text = {0};

    expect_lines("12345\n123456\n1\n", 5, "1[2]3");
    expect_lines("123456", 5, "[1]");
    nwpool_batch_text_puts(&text, "1\n");
    for (int i = 0; i < 300000; i++) {
        nwpool_batch_text_puts(&text, "y");
    }
    nwpool_batch_text_puts(&text, "\n2\n");
    expect_lines(text.data, 5, "1[2]3");
    text.size--;
    expect_lines(text.data, 100000, "1[2]3");
    nwpool_batch_text_fini(&text);
}

Test(input, the_share_that_was_read_grows_to_one)
{
    OPEN_LINES("1\n\n2\n");
    cr_expect(eq(dbl, nwpool_batch_input_fraction(input), 0));
    expect_item(0, "1");
    cr_expect(eq(dbl, nwpool_batch_input_fraction(input), 0.4));
    expect_item(1, "2");
    cr_expect(eq(dbl, nwpool_batch_input_fraction(input), 1));
}

Test(input, a_pipe_gives_lines_as_they_come_and_can_be_left)
{
    struct nwpool_batch_item item;
    int wake = eventfd(0, 0);
    int ends[2];

    cr_assert(eq(int, pipe(ends), 0));
    cr_assert(eq(int, dup2(ends[0], STDIN_FILENO), STDIN_FILENO));
    open_input("{'lines': '-'}");
    cr_expect(nwpool_batch_input_is_stream(input));
    cr_expect(eq(dbl, nwpool_batch_input_fraction(input), -1));

    cr_assert(eq(sz, (size_t)write(ends[1], "1\n2", 3), 3));
    expect_item(0, "1");
    // Half a line is there; the wait for the rest can be ended.
    cr_assert(eq(int, eventfd_write(wake, 1), 0));
    cr_expect(eq(int, nwpool_batch_input_next(input, wake, &item),
                 NWPOOL_BATCH_NEXT_WOKEN));
    cr_assert(eq(sz, (size_t)write(ends[1], "3\n", 2), 2));
    expect_item(1, "23");
    close(ends[1]);
    expect_end();
    close(ends[0]);
    close(wake);
}

Test(input, a_descriptor_that_cannot_be_read_fails_for_good)
{
    struct nwpool_batch_item item;
    int fd = open("/dev/null", O_WRONLY);

    cr_assert(eq(int, dup2(fd, STDIN_FILENO), STDIN_FILENO));
    close(fd);
    open_input("{'lines': '-'}");
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, nwpool_batch_input_next(input, -1, &item),
                     NWPOOL_BATCH_NEXT_FAILED));
    }
    cr_expect(eq(str, (char *)nwpool_batch_input_error(input),
                 "cannot read <stdin>: Bad file descriptor"));
}

Test(input, lines_that_are_not_there_are_a_problem_with_a_place)
{
    expect_open_fails("{'lines': 'nope'}",
                      "job.json:1:58: \"lines\": cannot read /tmp/");
}

Test(input, a_directory_has_no_lines)
{
    expect_open_fails("{'lines': '.'}", "Is a directory");
}

Test(input, lines_are_not_overwritten_by_the_output)
{
    write_file("out", "1\n", 2);
    expect_open_fails("{'lines': 'out'}",
                      "these are the input lines, which must not be "
                      "overwritten");
}

// -- files

Test(input, files_are_absolute_names_in_byte_order)
{
    char *first = nwpool_batch_format("\"%s/B.js\"", root);
    char *second = nwpool_batch_format("\"%s/a.js\"", root);

    write_file("a.js", "", 0);
    write_file("B.js", "", 0);
    open_input("{'files': ['a*', '*.js']}");
    cr_expect(eq(i64, nwpool_batch_input_total(input), 2));
    expect_item(0, first);
    expect_item(1, second);
    expect_end();
    free(first);
    free(second);
}

Test(input, a_pattern_without_a_match_is_a_problem_with_a_place)
{
    write_file("a.js", "", 0);
    expect_open_fails("{'files': ['a.js', '*.mjs']}",
                      "job.json:1:67: no file matches \"*.mjs\" in /tmp/");
}

Test(input, a_file_name_that_is_no_utf8_is_a_bad_input)
{
    struct nwpool_batch_item item;

    write_file("a\xff", "", 0);
    open_input("{'files': 'a*'}");
    cr_assert(eq(int, nwpool_batch_input_next(input, -1, &item),
                 NWPOOL_BATCH_NEXT_ITEM));
    cr_expect(eq(ptr, item.value, NULL));
    cr_expect(ne(ptr, strstr(item.problem, "no valid UTF-8"), NULL));
    cr_expect(ne(ptr, strstr(item.echo, "a\xef\xbf\xbd\""), NULL));
    nwpool_batch_item_fini(&item);
    expect_end();
}

Test(input, files_are_not_overwritten_by_the_output)
{
    write_file("out", "1\n", 2);
    expect_open_fails("{'files': '**'}", "this is one of the input files");
}

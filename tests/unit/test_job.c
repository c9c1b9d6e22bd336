// Goal: a job file that is right is read as it says; one that is wrong is
// refused with every problem at its line and column, in words that help.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "batch/job.h"
#include "batch/module.h"
#include "batch/suggest.h"
#include "tests/unit/support.h"

static struct nwpool_batch_job job;
static struct nwpool_batch_problems problems;
static char directory[] = "/tmp/nwpool-job-XXXXXX";

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(directory), NULL));
}

static void teardown(void)
{
    char *command = nwpool_batch_format("rm -rf %s", directory);

    cr_expect(eq(int, system(command), 0));
    free(command);
    nwpool_batch_job_fini(&job);
    nwpool_batch_problems_fini(&problems);
    nw_test_no_leaks();
}

TestSuite(job, .init = setup, .fini = teardown, .timeout = 20);

// Parses a text that has ' where JSON has ".
static bool parse(const char *quoted)
{
    struct nwpool_batch_text text = {0};

    nwpool_batch_job_fini(&job);
    nwpool_batch_problems_fini(&problems);
    nwpool_batch_text_puts(&text, quoted);
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] = text.data[i] == '\'' ? '"' : text.data[i];
    }
    return nwpool_batch_job_parse(&job, "job.json", directory, &text,
                                  &problems);
}

// All problems, one a line.
static char *problems_text(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    nwpool_batch_problems_print(&problems, file);
    fclose(file);
    return text;
}

static void expect_problems(const char *quoted, const char *expected)
{
    char *text;

    cr_expect(not(parse(quoted)), "no problem in %s", quoted);
    text = problems_text();
    cr_expect(eq(str, text, (char *)expected));
    free(text);
}

static void make_file(const char *name, mode_t mode)
{
    char *path = nwpool_batch_path_join(directory, name);
    int fd = open(path, O_CREAT | O_WRONLY, mode);

    cr_assert(fd >= 0);
    close(fd);
    free(path);
}

// Inside the test's directory.
static void expect_inside(const char *path, const char *name)
{
    char *expected = nwpool_batch_format("%s/%s", directory, name);

    cr_assert(ne(ptr, (void *)path, NULL));
    cr_expect(eq(str, (char *)path, expected));
    free(expected);
}

// -- jobs that are right

Test(job, keys_that_are_left_out_have_their_defaults)
{
    cr_assert(parse("{'module': './m.js', 'input': {'values': []}}"));
    expect_inside(job.module, "m.js");
    cr_expect(eq(str, job.function, "default"));
    cr_expect(eq(u32, job.workers, 0));
    cr_expect(eq(u32, job.queue, 1024));
    cr_expect(eq(int, job.order, NWPOOL_BATCH_ORDER_INPUT));
    cr_expect(eq(ptr, job.output, NULL));
    cr_expect(eq(int, job.input, NWPOOL_BATCH_INPUT_VALUES));
}

Test(job, every_key_is_read)
{
    cr_assert(parse("{'module': '/abs/m.mjs', 'function': 'f', 'workers': 7,"
                    " 'queue': 1000000, 'order': 'completion',"
                    " 'output': 'sub/out.jsonl',"
                    " 'input': {'lines': '../in.jsonl'}}"));
    cr_expect(eq(str, job.module, "/abs/m.mjs"));
    cr_expect(eq(str, job.function, "f"));
    cr_expect(eq(u32, job.workers, 7));
    cr_expect(eq(u32, job.queue, 1000000));
    cr_expect(eq(int, job.order, NWPOOL_BATCH_ORDER_COMPLETION));
    expect_inside(job.output, "sub/out.jsonl");
    cr_expect(eq(int, job.input, NWPOOL_BATCH_INPUT_LINES));
    expect_inside(job.lines, "../in.jsonl");
}

Test(job, standard_streams_are_a_dash)
{
    cr_assert(parse("{'module': './m.js', 'output': '-',"
                    " 'input': {'lines': '-'}}"));
    cr_expect(eq(ptr, job.output, NULL));
    cr_expect(eq(str, job.lines, "-"));
}

Test(job, file_patterns_are_one_or_many)
{
    cr_expect(parse("{'module': './m.js', 'input': {'files': '*.js'}}"));
    cr_expect(parse("{'module': './m.js',"
                    " 'input': {'files': ['*.js', 'b/**']}}"));
    cr_expect(eq(int, job.input, NWPOOL_BATCH_INPUT_FILES));
    cr_expect(eq(sz, json_array_size(job.patterns), 2));
}

Test(job, a_bare_module_name_is_a_file_if_there_is_one)
{
    make_file("local.js", 0644);
    cr_assert(parse("{'module': 'local.js', 'input': {'values': []}}"));
    expect_inside(job.module, "local.js");
    cr_assert(parse("{'module': 'acorn', 'input': {'values': []}}"));
    cr_expect(eq(str, job.module, "acorn"));
}

Test(job, a_byte_order_mark_is_skipped)
{
    cr_expect(parse("\xef\xbb\xbf{'module': './m.js',"
                    " 'input': {'values': []}}"));
}

// -- jobs that are wrong

Test(job, a_wrong_type_is_named_with_its_place)
{
    expect_problems("{\n  'module': './m.js', 'input': {'values': []},\n"
                    "      'workers': '4'\n}",
                    "job.json:3:18: \"workers\" must be an integer from 1 to "
                    "1024, got a string\n");
}

Test(job, all_problems_are_told_in_the_order_of_their_places)
{
    expect_problems(
        "{'wokers': 2,\n"
        " 'input': {'file': 'x', 'values': {}},\n"
        " 'queue': 0,\n"
        " 'workers': 1.5,\n"
        " 'order': 'inptu',\n"
        " 'function': '',\n"
        " 'output': null,\n"
        " 'module': ['m']}",
        "job.json:1:2: unknown key \"wokers\", did you mean \"workers\"?\n"
        "job.json:2:12: unknown key \"file\", did you mean \"files\"?\n"
        "job.json:2:35: \"values\" must be an array, got an object\n"
        "job.json:3:11: \"queue\" must be an integer from 1 to 1000000, "
        "got 0\n"
        "job.json:4:13: \"workers\" must be an integer from 1 to 1024, "
        "got 1.5\n"
        "job.json:5:11: \"order\" must be \"input\" or \"completion\", got "
        "\"inptu\"; did you mean \"input\"?\n"
        "job.json:6:14: \"function\" must not be empty\n"
        "job.json:7:12: \"output\" must be a string, got null\n"
        "job.json:8:12: \"module\" must be a string, got an array\n");
}

Test(job, limits_are_inclusive)
{
    cr_expect(parse("{'module': './m.js', 'input': {'values': []},"
                    " 'workers': 1024, 'queue': 1}"));
    cr_expect(not(parse("{'module': './m.js', 'input': {'values': []},"
                        " 'workers': 1025}")));
    cr_expect(not(parse("{'module': './m.js', 'input': {'values': []},"
                        " 'workers': -1}")));
    cr_expect(not(parse("{'module': './m.js', 'input': {'values': []},"
                        " 'queue': 1000001}")));
}

Test(job, required_keys_are_missed)
{
    expect_problems("{}",
                    "job.json:1:1: \"module\" is missing: the JavaScript file "
                    "whose function is to be run\n"
                    "job.json:1:1: \"input\" is missing: an object with one "
                    "of \"values\", \"lines\" and \"files\"\n");
}

Test(job, input_is_exactly_one_thing)
{
    expect_problems("{'module': './m.js', 'input': {}}",
                    "job.json:1:31: \"input\" must have exactly one of "
                    "\"values\", \"lines\" and \"files\", got none\n");
    expect_problems("{'module': './m.js', 'input': {'lines': '-',"
                    " 'values': []}}",
                    "job.json:1:31: \"input\" must have exactly one of "
                    "\"values\", \"lines\" and \"files\", got more than "
                    "one\n");
    expect_problems("{'module': './m.js', 'input': '-'}",
                    "job.json:1:31: \"input\" must be an object, got a "
                    "string\n");
}

Test(job, patterns_are_checked_one_by_one)
{
    expect_problems("{'module': './m.js', 'input': {'files': ['a', 5,\n"
                    " '']}}",
                    "job.json:1:47: this item must be a string, got 5\n"
                    "job.json:2:2: this item must not be empty\n");
    expect_problems("{'module': './m.js', 'input': {'files': []}}",
                    "job.json:1:41: \"files\" must name at least one "
                    "pattern\n");
    expect_problems("{'module': './m.js', 'input': {'files': true}}",
                    "job.json:1:41: \"files\" must be a file pattern or an "
                    "array of them, got true\n");
}

Test(job, a_key_that_resembles_nothing_gets_no_suggestion)
{
    expect_problems("{'module': './m.js', 'input': {'values': []},"
                    " 'c\\u0001omment': 1}",
                    "job.json:1:47: unknown key \"c\\u0001omment\"\n");
}

Test(job, a_short_word_is_not_taken_for_another_one)
{
    const char *const words[] = {"run", "check", "help", NULL};

    cr_expect(eq(str, (char *)nwpool_batch_suggest("rnu", words), "run"));
    cr_expect(eq(str, (char *)nwpool_batch_suggest("chekc", words), "check"));
    cr_expect(eq(ptr, (void *)nwpool_batch_suggest("rm", words), NULL));
    cr_expect(eq(ptr, (void *)nwpool_batch_suggest("", words), NULL));
}

Test(job, a_duplicate_key_is_an_error)
{
    expect_problems("{'module': './m.js',\n 'module': './n.js'}",
                    "job.json:2:2: duplicate key near '\"module\"'\n");
}

Test(job, a_syntax_error_has_a_place)
{
    expect_problems("{\n  'module': './m.js'\n  'input': {}\n}",
                    "job.json:3:3: ',' or '}' is expected near "
                    "'\"input\"'\n");
}

Test(job, a_job_is_an_object)
{
    expect_problems("[1]", "job.json:1:1: a job must be a JSON object, got an "
                           "array\n");
    expect_problems(" 5", "job.json:1:2: a job must be a JSON object, got "
                          "5\n");
}

Test(job, a_file_name_with_nul_is_refused)
{
    expect_problems("{'module': './m\\u0000.js', 'input': {'values': []}}",
                    "job.json:1:12: \"module\" must not contain \\u0000\n");
}

Test(job, problems_beyond_the_limit_are_counted)
{
    struct nwpool_batch_text text = {0};
    char *told;

    nwpool_batch_text_puts(&text, "{'module': './m.js'");
    for (int i = 0; i < 30; i++) {
        nwpool_batch_text_printf(&text, ",\n'unknown%d': 1", i);
    }
    nwpool_batch_text_puts(&text, ",\n'input': {'values': []}}");
    cr_expect(not(parse(text.data)));
    cr_expect(eq(sz, problems.count, 30));
    told = problems_text();
    cr_expect(strstr(told, "and 10 problems more\n") != NULL, "%s", told);
    free(told);
    nwpool_batch_text_fini(&text);
}

Test(job, standard_input_cannot_be_job_and_lines)
{
    struct nwpool_batch_text text = {0};
    char *told;

    nwpool_batch_text_puts(&text, "{\"module\": \"./m.js\","
                                  " \"input\": {\"lines\": \"-\"}}");
    cr_expect(
        not(nwpool_batch_job_parse(&job, "-", directory, &text, &problems)));
    told = problems_text();
    cr_expect(strstr(told, "<stdin>:1:41: standard input cannot be both the "
                           "job and its input") != NULL,
              "%s", told);
    free(told);
}

// -- what is looked up in the file system

Test(job, a_package_is_looked_for_from_the_job_upwards)
{
    char *below = nwpool_batch_path_join(directory, "sub/jobs");
    char *command = nwpool_batch_format(
        "mkdir -p %s/sub/jobs/near %s/node_modules/near", directory, directory);
    char *found;

    cr_assert(eq(int, system(command), 0));
    cr_assert(eq(int, chdir("/"), 0));
    // A directory beside the job is not what a bare name means.
    found = nwpool_batch_module_resolve(below, "near");
    expect_inside(found, "node_modules/near");
    free(found);
    found = nwpool_batch_module_resolve(below, "far");
    cr_expect(eq(str, found, "far"));
    free(found);
    // From here the name says enough.
    cr_assert(eq(int, chdir(below), 0));
    found = nwpool_batch_module_resolve(below, "near");
    cr_expect(eq(str, found, "near"));
    free(found);
    cr_assert(eq(int, chdir("/"), 0));
    free(command);
    free(below);
}

static void expect_check(const char *quoted, const char *expected)
{
    char *text;

    cr_assert(parse(quoted), "the job is wrong: %s", quoted);
    cr_expect(
        eq(int, nwpool_batch_job_check(&job, &problems), expected[0] == '\0'));
    text = problems_text();
    if (expected[0] == '\0') {
        cr_expect(eq(str, text, ""));
    } else {
        cr_expect(strstr(text, expected) != NULL, "\"%s\" says nothing of %s",
                  text, expected);
    }
    free(text);
}

Test(job, check_accepts_what_is_there)
{
    make_file("m.js", 0644);
    make_file("old.jsonl", 0644);
    expect_check("{'module': './m.js', 'input': {'values': []},"
                 " 'output': 'new.jsonl'}",
                 "");
    expect_check("{'module': './m.js', 'input': {'values': []},"
                 " 'output': 'old.jsonl'}",
                 "");
    expect_check("{'module': 'a-package', 'input': {'values': []}}", "");
}

Test(job, check_finds_a_module_that_is_not_there)
{
    make_file("parse.mjs", 0644);
    expect_check("{'module': './nope.js', 'input': {'values': []}}",
                 "job.json:1:12: \"module\": there is no file /tmp/");
    expect_check("{'module': './parse', 'input': {'values': []}}",
                 "parse, did you mean /tmp/");
    expect_check("{'module': 'nope.js', 'input': {'values': []}}",
                 "\"module\": there is no file \"nope.js\" in /tmp/");
    expect_check("{'module': './', 'input': {'values': []}}",
                 "this is a directory and no package; name the file");
    expect_check("{'module': '/dev/null', 'input': {'values': []}}",
                 "/dev/null: this is no regular file");
}

Test(job, check_finds_an_output_that_cannot_be)
{
    make_file("m.js", 0644);
    expect_check("{'module': './m.js', 'input': {'values': []},"
                 " 'output': 'nodir/out.jsonl'}",
                 "job.json:1:57: \"output\": cannot create a file in /tmp/");
    expect_check("{'module': './m.js', 'input': {'values': []},"
                 " 'output': '/'}",
                 "this is a directory");
    expect_check("{'module': './m.js', 'input': {'values': []},"
                 " 'output': 'm.js'}",
                 "this is the module, which must not be overwritten");
    expect_check("{'module': './m.js', 'input': {'values': []},"
                 " 'output': 'm.js/out'}",
                 "Not a directory");
}

Test(job, an_output_of_the_command_line_is_seen_from_where_it_was_typed)
{
    char *text;

    make_file("m.js", 0644);
    cr_assert(eq(int, chdir("/tmp"), 0));
    cr_assert(parse("{'module': './m.js', 'input': {'values': []},"
                    " 'output': 'a'}"));
    cr_assert(nwpool_batch_job_set_output(&job, "./b"));
    cr_expect(eq(str, job.output, "/tmp/b"));
    cr_assert(nwpool_batch_job_set_output(&job, "nodir/b"));
    cr_expect(not(nwpool_batch_job_check(&job, &problems)));
    text = problems_text();
    cr_expect(eq(str, text,
                 "nwpool: --output: cannot create a file in /tmp/nodir: No "
                 "such file or directory\n"));
    free(text);
    cr_assert(nwpool_batch_job_set_output(&job, "-"));
    cr_expect(eq(ptr, job.output, NULL));
}

Test(job, a_file_that_cannot_be_read_is_a_problem)
{
    char *text;

    cr_expect(
        not(nwpool_batch_job_load(&job, "/nonexistent/job.json", &problems)));
    text = problems_text();
    cr_expect(eq(str, text,
                 "/nonexistent/job.json: cannot read the job file: "
                 "No such file or directory\n"));
    free(text);
    nwpool_batch_problems_fini(&problems);
    cr_expect(not(nwpool_batch_job_load(&job, "/tmp", &problems)));
}

Test(job, paths_are_seen_from_the_directory_of_the_file)
{
    char *path = nwpool_batch_path_join(directory, "job.json");
    FILE *file = fopen(path, "w");
    char *real = realpath(directory, NULL);
    char *expected = nwpool_batch_format("%s/m.js", real);

    fputs("{\"module\": \"./m.js\", \"input\": {\"values\": []}}", file);
    fclose(file);
    cr_assert(nwpool_batch_job_load(&job, path, &problems));
    cr_expect(eq(str, job.module, expected));
    free(expected);
    free(real);
    free(path);
}

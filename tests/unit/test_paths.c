// Goal: a pattern finds exactly the regular files that it describes, each once
// and in byte order, and no link leads it astray.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "batch/paths.h"
#include "tests/unit/support.h"

static char root[] = "/tmp/nwpool-paths-XXXXXX";

static void make_directory(const char *name)
{
    cr_assert(eq(int, mkdir(name, 0755), 0), "%s", name);
}

static void make_file(const char *name)
{
    int fd = open(name, O_CREAT | O_WRONLY, 0644);

    cr_assert(fd >= 0, "%s", name);
    close(fd);
}

//  a.js  b.txt  .hidden.js  [x]/d.js  fifo.js  link.js -> a.js
//  one/a.js  one/two/b.js  one/two/three/c.js  .git/e.js
//  one/up -> ..  linkdir -> one
static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(root), NULL));
    cr_assert(eq(int, chdir(root), 0));
    make_directory("one");
    make_directory("one/two");
    make_directory("one/two/three");
    make_directory(".git");
    make_directory("[x]");
    make_file("a.js");
    make_file("b.txt");
    make_file(".hidden.js");
    make_file("[x]/d.js");
    make_file("one/a.js");
    make_file("one/two/b.js");
    make_file("one/two/three/c.js");
    make_file(".git/e.js");
    cr_assert(eq(int, mkfifo("fifo.js", 0644), 0));
    cr_assert(eq(int, symlink("a.js", "link.js"), 0));
    cr_assert(eq(int, symlink("..", "one/up"), 0));
    cr_assert(eq(int, symlink("one", "linkdir"), 0));
}

static void teardown(void)
{
    char *command = nwpool_batch_format("rm -rf %s", root);

    cr_expect(eq(int, chdir("/"), 0));
    cr_expect(eq(int, system(command), 0));
    free(command);
    nw_test_no_leaks();
}

TestSuite(paths, .init = setup, .fini = teardown, .timeout = 20);

// Matches a pattern in `directory`, below which all results must be, and
// compares the rests, sorted and with a space between them.
static void expect_below(const char *directory, const char *pattern,
                         const char *expected)
{
    struct nwpool_batch_paths paths = {0};
    struct nwpool_batch_text error = {0};
    struct nwpool_batch_text got = {0};
    size_t size = strlen(directory);

    cr_assert(nwpool_batch_paths_match(&paths, directory, pattern, &error),
              "%s: %s", pattern, error.data);
    nwpool_batch_paths_sort(&paths);
    nwpool_batch_text_puts(&got, "");
    for (size_t i = 0; i < paths.count; i++) {
        cr_assert(strncmp(paths.items[i], directory, size) == 0 &&
                  paths.items[i][size] == '/');
        nwpool_batch_text_puts(&got, i > 0 ? " " : "");
        nwpool_batch_text_puts(&got, paths.items[i] + size + 1);
    }
    cr_expect(eq(str, got.data, (char *)expected), "%s", pattern);
    nwpool_batch_text_fini(&got);
    nwpool_batch_paths_fini(&paths);
}

static void expect(const char *pattern, const char *expected)
{
    expect_below(root, pattern, expected);
}

Test(paths, a_name_without_wildcards_is_itself)
{
    expect("a.js", "a.js");
    expect("./one//two/b.js", "one/two/b.js");
    expect("nope.js", "");
    expect("one", "");
    expect("a.js/x", "");
    expect("", "");
}

Test(paths, wildcards_stay_inside_a_name)
{
    expect("*.js", ".hidden.js a.js link.js");
    expect("?.js", "a.js");
    expect("[ab].*", "a.js b.txt");
    expect("one/*", "one/a.js");
    expect("*/a.js", "linkdir/a.js one/a.js");
    expect("one/*/*.js", "one/two/b.js one/up/.hidden.js one/up/a.js "
                         "one/up/link.js");
}

Test(paths, a_backslash_takes_the_meaning_away)
{
    expect("\\[x\\]/*.js", "[x]/d.js");
    expect("[x]/*.js", "");
    expect("\\*.js", "");
}

Test(paths, two_stars_are_any_number_of_directories)
{
    expect("**/*.js", ".git/e.js .hidden.js [x]/d.js a.js one/a.js "
                      "one/two/b.js one/two/three/c.js");
    expect("one/**/*.js", "one/a.js one/two/b.js one/two/three/c.js");
    expect("one/**/three/*.js", "one/two/three/c.js");
    expect("**/two/**/*.js", "one/two/b.js one/two/three/c.js");
    expect("**/**/c.js", "one/two/three/c.js");
    expect("one/**", "one/a.js one/two/b.js one/two/three/c.js");
    expect("**/b.txt", "b.txt");
    expect("a.js/**", "");
}

Test(paths, links_are_followed_up_to_two_stars_only)
{
    expect("link.js", "link.js");
    expect("linkdir/*.js", "linkdir/a.js");
    expect("linkdir/**/b.js", "linkdir/two/b.js");
    expect("**/link.js", "");
    expect("**/up/a.js", "");
    expect("**/up/*.js", "");
}

Test(paths, a_link_that_leads_nowhere_is_no_match)
{
    cr_assert(eq(int, symlink("nowhere", "dead.js"), 0));
    cr_assert(eq(int, symlink("self.js", "self.js"), 0));
    expect("dead.js", "");
    expect("self.js", "");
    expect("*f.js", "");
    expect("self.js/**", "");
}

Test(paths, the_directory_itself_is_no_pattern)
{
    char *below = nwpool_batch_path_join(root, "[x]");

    expect_below(below, "*.js", "d.js");
    expect_below(below, "**", "d.js");
    free(below);
}

Test(paths, an_absolute_pattern_ignores_the_directory)
{
    struct nwpool_batch_paths paths = {0};
    struct nwpool_batch_text error = {0};
    char *pattern = nwpool_batch_path_join(root, "*.txt");

    cr_expect(nwpool_batch_paths_match(&paths, "/nowhere", pattern, &error));
    cr_expect(eq(sz, paths.count, 1));
    nwpool_batch_paths_fini(&paths);
    cr_expect(nwpool_batch_paths_match(&paths, "/", "/etc/passwd", &error));
    cr_expect(nwpool_batch_paths_match(&paths, "/", "etc/passwd", &error));
    cr_assert(eq(sz, paths.count, 2));
    nwpool_batch_paths_sort(&paths);
    cr_expect(eq(sz, paths.count, 1));
    cr_expect(eq(str, paths.items[0], "/etc/passwd"));
    nwpool_batch_paths_fini(&paths);
    free(pattern);
}

Test(paths, names_that_are_no_text_are_found_all_the_same)
{
    make_file("bad\xff.js");
    expect("bad*", "bad\xff.js");
}

Test(paths, a_directory_that_cannot_be_read_is_an_error)
{
    struct nwpool_batch_paths paths = {0};
    struct nwpool_batch_text error = {0};

    if (geteuid() == 0) {
        // Root may read everything; its privileges are not needed again.
        cr_assert(eq(int, chmod(root, 0755), 0));
        cr_assert(eq(int, setegid(65534), 0));
        cr_assert(eq(int, seteuid(65534), 0));
        cr_expect(not(
            nwpool_batch_paths_match(&paths, "/", "/root/**/*.js", &error)));
        cr_assert(eq(int, seteuid(0), 0));
        cr_expect(
            ne(ptr, strstr(error.data, "/root: Permission denied"), NULL));
    } else {
        cr_assert(eq(int, chmod("one/two", 0), 0));
        cr_expect(
            not(nwpool_batch_paths_match(&paths, root, "**/*.js", &error)));
        cr_expect(
            ne(ptr, strstr(error.data, "one/two: Permission denied"), NULL));
        cr_assert(eq(int, chmod("one/two", 0755), 0));
    }
    nwpool_batch_text_fini(&error);
    nwpool_batch_paths_fini(&paths);
}

Test(paths, agrees_with_find_on_a_real_tree)
{
    struct nwpool_batch_paths paths = {0};
    struct nwpool_batch_text error = {0};
    FILE *find =
        popen("find /usr/include -name '*.h' -type f | LC_ALL=C sort", "r");
    char line[4096];
    size_t count = 0;

    cr_assert(
        nwpool_batch_paths_match(&paths, "/", "/usr/include/**/*.h", &error));
    nwpool_batch_paths_sort(&paths);
    while (fgets(line, sizeof(line), find) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        cr_assert(count < paths.count);
        cr_assert(eq(str, paths.items[count], line));
        count++;
    }
    pclose(find);
    cr_expect(eq(sz, paths.count, count));
    cr_expect(gt(sz, count, 100));
    nwpool_batch_paths_fini(&paths);
}

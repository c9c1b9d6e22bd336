// Goal: when one of the files is missing that libnode reads at start, and
// without which it aborts the process, the caller gets a sentence instead.

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include "tests/runtime/client.h"

TestSuite(builtins, .timeout = 60);

struct hidden {
    char directory[64]; // Made empty.
    char file[64];      // The first one that is missed then.
};

ParameterizedTestParameters(builtins, missing_file_is_named_in_one_sentence)
{
#define ROOT "/usr/share/nodejs/"
    static struct hidden cases[] = {
        {ROOT "acorn/dist", ROOT "acorn/dist/acorn.js"},
        {ROOT "acorn-walk/dist", ROOT "acorn-walk/dist/walk.js"},
        {ROOT "cjs-module-lexer", ROOT "cjs-module-lexer/lexer.js"},
        {ROOT "cjs-module-lexer/dist", ROOT "cjs-module-lexer/dist/lexer.js"},
        {ROOT "undici", ROOT "undici/undici-fetch.js"},
    };

    return cr_make_param_array(struct hidden, cases,
                               sizeof(cases) / sizeof(cases[0]));
}

// For this process only. False: not permitted here.
static bool make_empty(const char *directory)
{
    if (unshare(CLONE_NEWNS) != 0 &&
        unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", directory, "tmpfs", MS_RDONLY, NULL) == 0;
}

ParameterizedTest(struct hidden *hidden, builtins,
                  missing_file_is_named_in_one_sentence)
{
    char expected[512];
    nwpool_options options = {
        .struct_size = sizeof(options),
        .module = client_fixture("tasks.js"),
    };
    nwpool *pool;

    cr_assert(eq(int, access(hidden->file, R_OK), 0), "%s is not there anyway",
              hidden->file);
    if (!make_empty(hidden->directory)) {
        cr_skip("no mount namespace of our own is permitted here: %s",
                strerror(errno));
    }
    snprintf(expected, sizeof(expected),
             "Node.js could not start: libnode needs %s, which cannot be read; "
             "install the Debian packages node-acorn, node-cjs-module-lexer "
             "and node-undici",
             hidden->file);

    cr_expect(eq(int, nw_runtime_start(NULL), NW_ENODE));
    cr_expect(eq(str, (char *)nw_runtime_error(), expected));
    cr_expect(eq(int, nw_runtime_get_state(), NW_RUNTIME_FAILED));
    cr_expect(eq(int, nwpool_create(&pool, &options), NW_ENODE));
    cr_expect(eq(int, client_threads_named("nwpool-control"), 0));
}

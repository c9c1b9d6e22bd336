// Goal: a C function is there from register to unregister, and is released
// once, when its last use has ended. No Node.js is started in this file.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/common.h"
#include "src/functions.h"
#include "tests/unit/support.h"

static int released;

static nw_value *nothing(const nw_call *call, void *user_data)
{
    (void)call;
    (void)user_data;
    return NULL;
}

static void release(void *user_data)
{
    __atomic_add_fetch((int *)user_data, 1, __ATOMIC_RELAXED);
}

static nw_status add(const char *name)
{
    const nw_function_options options = {
        .struct_size = sizeof(options),
        .function = nothing,
        .user_data = &released,
        .release = release,
    };

    return nw_function_register(name, &options);
}

static void teardown(void)
{
    nw_test_no_leaks();
}

TestSuite(function, .fini = teardown, .timeout = 20);

Test(function, is_found_by_its_name_until_it_is_taken_away)
{
    struct nw__function *found;

    cr_expect(eq(int, add("a"), NW_OK));
    cr_expect(eq(int, add("b"), NW_OK));
    found = nw__function_find("a");
    cr_assert(ne(ptr, found, NULL));
    cr_expect(eq(str, found->name, "a"));
    nw__function_drop(found);
    cr_expect(eq(int, released, 0));

    cr_expect(eq(int, nw_function_unregister("a"), NW_OK));
    cr_expect(eq(int, released, 1));
    cr_expect(eq(ptr, nw__function_find("a"), NULL));
    cr_expect(eq(int, nw_function_unregister("a"), NW_ENOENT));
    cr_expect(ne(ptr, strstr(nw_status_detail(), "\"a\""), NULL));
    cr_expect(eq(int, nw_function_unregister("b"), NW_OK));
    cr_expect(eq(int, released, 2));
}

Test(function, a_name_is_taken_only_once)
{
    cr_expect(eq(int, add("a"), NW_OK));
    cr_expect(eq(int, add("a"), NW_EALREADY));
    cr_expect(eq(int, released, 0));
    cr_expect(eq(int, nw_function_unregister("a"), NW_OK));
    cr_expect(eq(int, add("a"), NW_OK));
    cr_expect(eq(int, nw_function_unregister("a"), NW_OK));
    cr_expect(eq(int, released, 2));
}

Test(function, is_released_when_its_last_use_ends)
{
    struct nw__function *function;

    cr_assert(eq(int, add("a"), NW_OK));
    function = nw__function_find("a");
    cr_expect(nw__function_begin(function));
    cr_expect(nw__function_begin(function));
    nw__function_end(function);
    nw__function_use(function); // A promise.
    nw__function_end(function);
    cr_expect(eq(int, nw_function_unregister("a"), NW_OK));
    cr_expect(eq(int, released, 0));
    cr_expect(not(nw__function_begin(function)));
    nw__function_end(function);
    cr_expect(eq(int, released, 1));
    cr_expect(not(nw__function_begin(function)));
    nw__function_drop(function);
    cr_expect(eq(int, released, 1));
}

// A record that is remembered is not what has its name now.
Test(function, a_successor_is_another_function)
{
    struct nw__function *old;
    struct nw__function *successor;

    cr_assert(eq(int, add("a"), NW_OK));
    old = nw__function_find("a");
    nw_function_unregister("a");
    cr_assert(eq(int, add("a"), NW_OK));
    successor = nw__function_find("a");
    cr_expect(ne(ptr, old, successor));
    cr_expect(not(nw__function_begin(old)));
    cr_expect(nw__function_begin(successor));
    nw__function_end(successor);
    nw__function_drop(old);
    nw__function_drop(successor);
    nw_function_unregister("a");
}

Test(function, names_come_in_the_order_of_registration)
{
    char *names;
    size_t count;

    add("c");
    add("a");
    add("b");
    nw_function_unregister("a");
    add("a");
    cr_assert(nw__function_names(&names, &count));
    cr_expect(eq(sz, count, 3));
    cr_expect(eq(int, memcmp(names, "c\0b\0a", 6), 0));
    nw__free(names);

    nw_function_unregister("c");
    nw_function_unregister("a");
    nw_function_unregister("b");
    cr_assert(nw__function_names(&names, &count));
    cr_expect(eq(sz, count, 0));
    nw__free(names);
}

Test(function, bad_arguments_are_refused_with_a_sentence)
{
    char name[NW_FUNCTION_NAME_BYTES_MAX + 2] = {0};
    nw_function_options options = {.struct_size = sizeof(options)};

    memset(name, 'n', sizeof(name) - 1);
    cr_expect(eq(int, add(name), NW_ELIMIT));
    name[sizeof(name) - 2] = '\0';
    cr_expect(eq(int, add(name), NW_OK));
    cr_expect(eq(int, nw_function_unregister(name), NW_OK));

    cr_expect(eq(int, add(NULL), NW_EINVAL));
    cr_expect(eq(int, add(""), NW_EINVAL));
    cr_expect(eq(int, add("\xff"), NW_EINVAL));
    cr_expect(ne(ptr, strstr(nw_status_detail(), "UTF-8"), NULL));
    cr_expect(eq(int, nw_function_register("a", NULL), NW_EINVAL));
    cr_expect(eq(int, nw_function_register("a", &options), NW_EINVAL));
    cr_expect(ne(ptr, strstr(nw_status_detail(), "\"a\""), NULL));
    options.function = nothing;
    options.struct_size = 0;
    cr_expect(eq(int, nw_function_register("a", &options), NW_EINVAL));
    cr_expect(eq(int, nw_function_unregister(NULL), NW_EINVAL));
    cr_expect(eq(ptr, nw__function_find("a"), NULL));
}

Test(function, there_is_a_limit)
{
    char name[16];

    for (int i = 0; i < NW_FUNCTIONS_MAX; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        cr_assert(eq(int, add(name), NW_OK));
    }
    cr_expect(eq(int, add("more"), NW_ELIMIT));
    cr_expect(eq(int, nw_function_unregister("f7"), NW_OK));
    cr_expect(eq(int, add("more"), NW_OK));
    cr_expect(eq(int, nw_function_unregister("more"), NW_OK));
    for (int i = 0; i < NW_FUNCTIONS_MAX; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        nw_function_unregister(name);
    }
    cr_expect(eq(int, released, NW_FUNCTIONS_MAX + 1));
}

Test(function, without_memory_nothing_is_registered)
{
    char *names;
    size_t count;

    nw__alloc_fail_after(0);
    cr_expect(eq(int, add("a"), NW_ENOMEM));
    cr_expect(eq(ptr, nw__function_find("a"), NULL));
    nw__alloc_fail_after(0);
    cr_expect(not(nw__function_names(&names, &count)));
    cr_expect(eq(int, released, 0));
}

#define THREADS 4
#define ROUNDS  2000

static int calls_begun;

static void *call_it(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        struct nw__function *function = nw__function_find("a");

        if (function != NULL && nw__function_begin(function)) {
            __atomic_add_fetch(&calls_begun, 1, __ATOMIC_RELAXED);
            nw__function_end(function);
        }
        nw__function_drop(function);
    }
    return NULL;
}

Test(function, each_registration_is_released_once_whoever_is_last)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, call_it, NULL);
    }
    for (int i = 0; i < ROUNDS; i++) {
        cr_assert(eq(int, add("a"), NW_OK));
        cr_assert(eq(int, nw_function_unregister("a"), NW_OK));
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect(eq(int, released, ROUNDS));
}

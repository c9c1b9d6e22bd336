// Lock order: registry.lock is a leaf; `release` is called without it.

#include "src/functions.h"

#include <string.h>

#include "src/common.h"
#include "src/detail.h"
#include "src/options.h"
#include "src/runtime.h"
#include "src/text.h"

#define BUCKETS 1024

#define REGISTERED 1u
#define USE        2u

static struct {
    nw__mutex lock;

    // -- protected by lock
    struct nw__function *buckets[BUCKETS];
    struct nw__function *first;
    struct nw__function *last;
    size_t count;
    size_t name_bytes; // With their NULs.
} registry = {.lock = NW__MUTEX_INIT};

// -- use

void nw__function_hold(struct nw__function *function)
{
    atomic_fetch_add_explicit(&function->holders, 1, memory_order_relaxed);
}

void nw__function_drop(struct nw__function *function)
{
    if (function != NULL &&
        atomic_fetch_sub_explicit(&function->holders, 1,
                                  memory_order_acq_rel) == 1) {
        nw__free(function);
    }
}

bool nw__function_begin(struct nw__function *function)
{
    unsigned uses = atomic_load_explicit(&function->uses, memory_order_relaxed);

    while ((uses & REGISTERED) != 0) {
        if (atomic_compare_exchange_weak_explicit(
                &function->uses, &uses, uses + USE, memory_order_acquire,
                memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void nw__function_use(struct nw__function *function)
{
    atomic_fetch_add_explicit(&function->uses, USE, memory_order_relaxed);
}

// Takes `part` off; the last part is the end of it.
static void subtract(struct nw__function *function, unsigned part)
{
    if (atomic_fetch_sub_explicit(&function->uses, part,
                                  memory_order_acq_rel) == part) {
        if (function->release != NULL) {
            function->release(function->user_data);
        }
        nw__function_drop(function);
    }
}

void nw__function_end(struct nw__function *function)
{
    subtract(function, USE);
}

// -- names

// FNV-1a: names are short and few.
static struct nw__function **bucket_of(const char *name)
{
    uint32_t hash = 2166136261u;

    for (const char *c = name; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    return &registry.buckets[hash % BUCKETS];
}

// Caller holds the lock. Where the function is named, or would be.
static struct nw__function **link_of(const char *name)
{
    struct nw__function **link = bucket_of(name);

    while (*link != NULL && strcmp((*link)->name, name) != 0) {
        link = &(*link)->bucket_next;
    }
    return link;
}

// Caller holds the lock.
static void insert(struct nw__function **link, struct nw__function *function)
{
    *link = function;
    function->previous = registry.last;
    if (registry.last != NULL) {
        registry.last->next = function;
    } else {
        registry.first = function;
    }
    registry.last = function;
    registry.count++;
    registry.name_bytes += strlen(function->name) + 1;
}

// Caller holds the lock.
static void extract(struct nw__function **link)
{
    struct nw__function *function = *link;

    *link = function->bucket_next;
    if (function->previous != NULL) {
        function->previous->next = function->next;
    } else {
        registry.first = function->next;
    }
    if (function->next != NULL) {
        function->next->previous = function->previous;
    } else {
        registry.last = function->previous;
    }
    registry.count--;
    registry.name_bytes -= strlen(function->name) + 1;
}

struct nw__function *nw__function_find(const char *name)
{
    struct nw__function *function;

    nw__mutex_lock(&registry.lock);
    function = *link_of(name);
    if (function != NULL) {
        nw__function_hold(function);
    }
    nw__mutex_unlock(&registry.lock);

    return function;
}

bool nw__function_names(char **names, size_t *count)
{
    char *to;

    nw__mutex_lock(&registry.lock);
    to = nw__alloc(registry.name_bytes);
    *names = to;
    *count = registry.count;
    for (const struct nw__function *function = registry.first;
         to != NULL && function != NULL; function = function->next) {
        size_t size = strlen(function->name) + 1;

        memcpy(to, function->name, size);
        to += size;
    }
    nw__mutex_unlock(&registry.lock);

    return to != NULL;
}

// -- public

static nw_status check_name(const char *name)
{
    size_t size;

    if (name == NULL || name[0] == '\0') {
        return nw__fail(NW_EINVAL, "a function needs a name");
    }
    size = strnlen(name, NW_FUNCTION_NAME_BYTES_MAX + 1);
    if (size > NW_FUNCTION_NAME_BYTES_MAX) {
        return nw__fail(NW_ELIMIT,
                        "the name of a function has at most %d bytes",
                        NW_FUNCTION_NAME_BYTES_MAX);
    }
    if (!nw__utf8_is_valid(name, size)) {
        return nw__fail(NW_EINVAL, "the name of the function is not UTF-8");
    }
    return NW_OK;
}

// NULL without memory. Registered already, but for its place.
static struct nw__function *allocate(const char *name,
                                     const nw_function_options *options)
{
    size_t size = strlen(name) + 1;
    struct nw__function *function = nw__alloc_zero(sizeof(*function) + size);

    if (function != NULL) {
        function->call = options->function;
        function->user_data = options->user_data;
        function->release = options->release;
        function->promise = options->promise;
        atomic_init(&function->uses, REGISTERED);
        atomic_init(&function->holders, 1);
        memcpy(function->name, name, size);
    }
    return function;
}

static nw_status add(struct nw__function *function)
{
    nw_status status = NW_OK;
    struct nw__function **link;

    nw__mutex_lock(&registry.lock);
    link = link_of(function->name);
    if (*link != NULL) {
        status = NW_EALREADY;
    } else if (registry.count == NW_FUNCTIONS_MAX) {
        status = NW_ELIMIT;
    } else {
        insert(link, function);
    }
    nw__mutex_unlock(&registry.lock);

    return status;
}

nw_status nw_function_register(const char *name,
                               const nw_function_options *options)
{
    nw_function_options given;
    struct nw__function *function;
    nw_status status;

    nw__detail_clear();
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    status = check_name(name);
    if (status != NW_OK) {
        return status;
    }
    if (options == NULL ||
        nw__options_copy(&given, sizeof(given), options) != NW_OK ||
        given.function == NULL) {
        return nw__fail(NW_EINVAL, "the options of \"%s\" name no function",
                        name);
    }
    function = allocate(name, &given);
    if (function == NULL) {
        return NW_ENOMEM;
    }
    status = add(function);
    if (status != NW_OK) {
        nw__function_drop(function);
    }
    if (status == NW_EALREADY) {
        nw__fail(status,
                 "there is a function \"%s\" already; take it away first, with "
                 "nw_function_unregister()",
                 name);
    } else if (status == NW_ELIMIT) {
        nw__fail(status, "there are %d functions already", NW_FUNCTIONS_MAX);
    }
    return status;
}

nw_status nw_function_unregister(const char *name)
{
    struct nw__function **link;
    struct nw__function *function;

    nw__detail_clear();
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    if (name == NULL) {
        return NW_EINVAL;
    }
    nw__mutex_lock(&registry.lock);
    link = link_of(name);
    function = *link;
    if (function != NULL) {
        extract(link);
    }
    nw__mutex_unlock(&registry.lock);

    if (function == NULL) {
        return nw__fail(NW_ENOENT, "there is no function \"%s\"", name);
    }
    subtract(function, REGISTERED);
    return NW_OK;
}

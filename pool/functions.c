// Names of functions.
//
// A pool numbers the names its tasks use, so that a task carries four bytes
// and a worker finds the function in an array. The text itself is interned for
// the whole process and never freed, because results and traces point at it
// after the pool is gone; NW_POOL_FUNCTIONS_MAX bounds what one pool can add.
//
// Lock order: pool.lock (held by callers) > names.lock.

#include "pool/internal.h"

#include <string.h>

#include "src/detail.h"

#define TABLE_SIZE_MIN 16
#define NAME_BUCKETS   256

struct name {
    struct name *next;
    char text[];
};

static struct {
    nw__mutex lock;

    // -- protected by lock
    struct name *buckets[NAME_BUCKETS];
} names = {.lock = NW__MUTEX_INIT};

// FNV-1a, 32 bits (Fowler, Noll, Vo).
static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261u;

    for (; *text != '\0'; text++) {
        value = (value ^ (uint8_t)*text) * 16777619u;
    }
    return value;
}

// NULL without memory.
static char *intern(const char *text, uint32_t hashed)
{
    struct name **bucket = &names.buckets[hashed % NAME_BUCKETS];
    struct name *name;

    nw__mutex_lock(&names.lock);
    name = *bucket;
    while (name != NULL && strcmp(name->text, text) != 0) {
        name = name->next;
    }
    if (name == NULL) {
        size_t size = strlen(text) + 1;

        name = nw__alloc(sizeof(*name) + size);
        if (name != NULL) {
            memcpy(name->text, text, size);
            name->next = *bucket;
            *bucket = name;
        }
    }
    nw__mutex_unlock(&names.lock);

    return name != NULL ? name->text : NULL;
}

// Where the name is, or where it belongs.
static uint32_t *find(const struct nwpool__functions *functions,
                      const char *name, uint32_t hashed)
{
    uint32_t mask = functions->table_size - 1;

    for (uint32_t i = hashed & mask;; i = (i + 1) & mask) {
        uint32_t *entry = &functions->table[i];

        if (*entry == 0 || strcmp(functions->names[*entry - 1], name) == 0) {
            return entry;
        }
    }
}

// Keeps the table at most half full. On failure nothing has changed.
static nw_status grow(struct nwpool__functions *functions)
{
    uint32_t capacity = functions->capacity * 2;
    struct nwpool__functions larger = *functions;

    if (capacity == 0) {
        capacity = TABLE_SIZE_MIN / 2;
    }
    larger.table_size = capacity * 2;
    larger.table = nw__alloc_zero(larger.table_size * sizeof(uint32_t));
    if (larger.table == NULL) {
        return NW_ENOMEM;
    }
    larger.names = nw__realloc(functions->names, capacity * sizeof(char *));
    if (larger.names == NULL) {
        nw__free(larger.table);
        return NW_ENOMEM;
    }
    larger.capacity = capacity;
    for (uint32_t i = 0; i < larger.count; i++) {
        *find(&larger, larger.names[i], hash(larger.names[i])) = i + 1;
    }
    nw__free(functions->table);
    *functions = larger;
    return NW_OK;
}

nw_status nwpool__function_number(struct nwpool__functions *functions,
                                  const char *name, uint32_t *out)
{
    uint32_t hashed = hash(name);
    uint32_t *entry;
    char *text;

    if (functions->count > 0) {
        entry = find(functions, name, hashed);
        if (*entry != 0) {
            *out = *entry - 1;
            return NW_OK;
        }
    }
    if (functions->count == NW_POOL_FUNCTIONS_MAX) {
        return nw__fail(NW_ELIMIT,
                        "a pool runs up to %d functions; the name of this one "
                        "would be one more",
                        NW_POOL_FUNCTIONS_MAX);
    }
    if (functions->count == functions->capacity && grow(functions) != NW_OK) {
        return NW_ENOMEM;
    }
    text = intern(name, hashed);
    if (text == NULL) {
        return NW_ENOMEM;
    }
    functions->names[functions->count] = text;
    *find(functions, name, hashed) = ++functions->count;
    *out = functions->count - 1;
    return NW_OK;
}

void nwpool__functions_fini(struct nwpool__functions *functions)
{
    nw__free(functions->names);
    nw__free(functions->table);
}

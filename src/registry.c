// Lock order: registry.lock is a leaf. Sinks are called without it: only the
// control thread removes an entry, and only the control thread calls sinks, so
// an owner cannot go away between the look-up and the call.

#include "src/registry.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/common.h"
#include "src/control.h"
#include "src/hooks.h"
#include "src/lane.h"

// Workers are few and events rare; 64 chains keep look-ups short.
#define BUCKETS 64

struct entry {
    struct entry *next;
    uint32_t number;
    const struct nw__worker_sink *sink;
    void *owner;
    struct nw__lane *lane;
};

static struct {
    nw__mutex lock;

    // -- protected by lock
    struct entry *buckets[BUCKETS];
} registry = {.lock = NW__MUTEX_INIT};

static atomic_uint last_number;

uint32_t nw__worker_number(void)
{
    return atomic_fetch_add(&last_number, 1) + 1;
}

static void insert(struct entry *entry)
{
    struct entry **bucket = &registry.buckets[entry->number % BUCKETS];

    nw__mutex_lock(&registry.lock);
    entry->next = *bucket;
    *bucket = entry;
    nw__mutex_unlock(&registry.lock);
}

// NULL if there is none. The caller owns it.
static struct entry *extract(uint32_t number)
{
    struct entry **link = &registry.buckets[number % BUCKETS];
    struct entry *found;

    nw__mutex_lock(&registry.lock);
    while (*link != NULL && (*link)->number != number) {
        link = &(*link)->next;
    }
    found = *link;
    if (found != NULL) {
        *link = found->next;
    }
    nw__mutex_unlock(&registry.lock);

    return found;
}

// A copy, so that it can be used without the lock. False if there is none.
static bool look_up(uint32_t number, struct entry *out)
{
    struct entry *entry;

    nw__mutex_lock(&registry.lock);
    entry = registry.buckets[number % BUCKETS];
    while (entry != NULL && entry->number != number) {
        entry = entry->next;
    }
    if (entry != NULL) {
        *out = *entry;
    }
    nw__mutex_unlock(&registry.lock);

    return entry != NULL;
}

char *nw__worker_directory(void)
{
    char *name = get_current_dir_name();
    // A directory that is gone: only absolute paths make sense then.
    char *copy = nw__strdup(name != NULL ? name : "/");

    free(name);
    return copy;
}

static struct nw__command *start_command(uint32_t number,
                                         const struct nw__worker_spec *spec)
{
    struct nw__command *command =
        nw__command_create(NW__COMMAND_START, number);

    if (command == NULL) {
        return NULL;
    }
    command->delay_ms = spec->delay_ms;
    command->directory = nw__strdup(spec->directory);
    if (spec->lane != NULL) {
        command->module = spec->lane->module;
    } else if (spec->file != NULL) {
        command->file = nw__strdup(spec->file);
    } else {
        command->source = nw__strdup(spec->source);
    }
    if (command->directory == NULL ||
        (command->module == NULL && command->file == NULL &&
         command->source == NULL)) {
        nw__command_destroy(command);
        return NULL;
    }
    return command;
}

nw_status nw__worker_spawn(uint32_t number,
                           const struct nw__worker_spec *spec)
{
    struct nw__command *command = start_command(number, spec);
    struct entry *entry = nw__alloc_zero(sizeof(*entry));
    nw_status status;

    if (command == NULL || entry == NULL) {
        nw__command_destroy(command);
        nw__free(entry);
        return NW_ENOMEM;
    }
    entry->number = number;
    entry->sink = spec->sink;
    entry->owner = spec->owner;
    entry->lane = spec->lane;
    // Before the command: the exit must find it.
    insert(entry);

    status = nw__control_send(command);
    if (status != NW_OK) {
        entry = extract(number);
        if (entry == NULL) {
            // The end of the control environment was quicker and has called
            // `exited` already: for the caller the worker started and died.
            return NW_OK;
        }
        nw__free(entry);
    }
    return status;
}

nw_status nw__worker_terminate(uint32_t number)
{
    struct nw__command *command =
        nw__command_create(NW__COMMAND_TERMINATE, number);

    if (command == NULL) {
        return NW_ENOMEM;
    }
    nw__control_send(command);
    return NW_OK;
}

struct nw__lane *nw__worker_lane(uint32_t number)
{
    struct entry entry;

    return look_up(number, &entry) ? entry.lane : NULL;
}

void nw__worker_online(uint32_t number)
{
    struct entry entry;

    if (look_up(number, &entry)) {
        entry.sink->online(entry.owner);
    }
}

void nw__worker_message(uint32_t number, struct nw__message *message)
{
    struct entry entry;

    if (look_up(number, &entry)) {
        entry.sink->message(entry.owner, message);
    }
}

void nw__worker_message_error(uint32_t number, struct nw__message *record)
{
    struct entry entry;

    if (look_up(number, &entry)) {
        entry.sink->message_error(entry.owner, record);
    }
}

void nw__worker_error(uint32_t number, struct nw__message *record)
{
    struct entry entry;

    if (look_up(number, &entry)) {
        entry.sink->error(entry.owner, record);
    }
}

static void end(struct entry *entry, int exit_code)
{
    const struct nw__hooks *hooks = nw__hooks();

    if (hooks != NULL) {
        hooks->worker_exited(entry->number, exit_code);
    }
    entry->sink->exited(entry->owner, exit_code);
    nw__free(entry);
}

void nw__worker_exited(uint32_t number, int exit_code)
{
    struct entry *entry = extract(number);

    if (entry != NULL) {
        end(entry, exit_code);
    }
}

void nw__worker_all_exited(int exit_code)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct entry *entry;

        for (;;) {
            nw__mutex_lock(&registry.lock);
            entry = registry.buckets[i];
            if (entry != NULL) {
                registry.buckets[i] = entry->next;
            }
            nw__mutex_unlock(&registry.lock);
            if (entry == NULL) {
                break;
            }
            end(entry, exit_code);
        }
    }
}

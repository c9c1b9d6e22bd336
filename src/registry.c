// Lock order: registry.lock is a leaf but for the poke functions, which only
// poke an event loop and an isolate. Sinks are called without it: only the
// control thread removes an entry, after the worker's own thread has ended, and
// only these two call sinks. So an owner cannot go away between
// the look-up and the call.

#include "src/registry.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <nwpool/worker.h>

#include "src/common.h"
#include "src/events.h"
#include "src/hooks.h"
#include "src/lane.h"
#include "src/visit.h"

// Workers are few and events rare; 64 chains keep look-ups short.
#define BUCKETS 64

struct entry {
    struct entry *next;
    uint32_t number;
    struct nw__worker_spec spec;

    // -- protected by registry.lock
    struct nw__message uncaught; // What it may be dying of.
    struct nw__visit *visits;    // Oldest first.
    void (*poke)(void *context); // NULL: not there yet, or not any more.
    void *poke_context;
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

// Caller holds the lock.
static struct entry *find(uint32_t number)
{
    struct entry *entry = registry.buckets[number % BUCKETS];

    while (entry != NULL && entry->number != number) {
        entry = entry->next;
    }
    return entry;
}

// A copy, so that it can be used without the lock. False if there is none.
static bool look_up(uint32_t number, struct nw__worker_spec *out)
{
    struct entry *entry;

    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        *out = entry->spec;
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

// Before the command is sent: the exit must find it. False without memory.
static bool enter(uint32_t number, const struct nw__worker_spec *spec)
{
    struct entry *entry = nw__alloc_zero(sizeof(*entry));

    if (entry == NULL) {
        return false;
    }
    entry->number = number;
    entry->spec = *spec;
    entry->spec.control = nw__control_ref(
        spec->control != NULL ? spec->control : nw__control_main());
    insert(entry);
    return true;
}

// Of an entry that is not in the table any more.
static void entry_free(struct entry *entry)
{
    struct nw__visit *visit = entry->visits;

    while (visit != NULL) {
        struct nw__visit *next = visit->next;

        visit->miss(visit);
        visit = next;
    }
    nw__control_unref(entry->spec.control);
    nw__message_fini(&entry->uncaught);
    nw__free(entry);
}

// The command came to nothing. NW_OK all the same when the end of the control
// environment was quicker and has called `exited`: for the caller the worker
// started and died.
static nw_status leave(uint32_t number, nw_status status)
{
    struct entry *entry;

    if (status == NW_OK) {
        return NW_OK;
    }
    entry = extract(number);
    if (entry == NULL) {
        return NW_OK;
    }
    entry_free(entry);
    return status;
}

nw_status nw__worker_spawn(uint32_t number, const struct nw__worker_spec *spec,
                           struct nw__command *start)
{
    if (!enter(number, spec)) {
        nw__command_destroy(start);
        return NW_ENOMEM;
    }
    if (spec->control != NULL) {
        nw__command_address(start, spec->control);
    }
    return leave(number, nw__control_send(start));
}

nw_status nw__worker_spawn_call(uint32_t number,
                                const struct nw__worker_spec *spec,
                                struct nw__command *start,
                                struct nw__message *reply)
{
    if (!enter(number, spec)) {
        nw__command_destroy(start);
        return NW_ENOMEM;
    }
    if (spec->control != NULL) {
        nw__command_address(start, spec->control);
    }
    return leave(number, nw__control_call(start, reply, NULL));
}

nw_status nw__worker_terminate(uint32_t number)
{
    struct nw__command *command =
        nw__command_create(NW__COMMAND_TERMINATE, number);
    struct nw__control *control;

    if (command == NULL) {
        return NW_ENOMEM;
    }
    control = nw__worker_control(number);
    nw__command_address(command, control);
    nw__control_unref(control);
    nw__control_send(command);
    return NW_OK;
}

struct nw__control *nw__worker_control(uint32_t number)
{
    struct nw__control *control = nw__control_main();
    struct entry *entry;

    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        control = entry->spec.control;
    }
    nw__control_ref(control);
    nw__mutex_unlock(&registry.lock);

    return control;
}

struct nw__lane *nw__worker_lane(uint32_t number)
{
    struct nw__worker_spec spec;

    return look_up(number, &spec) ? spec.lane : NULL;
}

nw__worker_body *nw__worker_body_of(uint32_t number, void **data)
{
    struct nw__worker_spec spec = {0};

    look_up(number, &spec);
    *data = spec.body_data;
    return spec.body;
}

// -- visits

bool nw__worker_visit(uint32_t number, struct nw__visit *visit)
{
    struct nw__visit **link;
    struct entry *entry;

    visit->next = NULL;
    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        link = &entry->visits;
        while (*link != NULL) {
            link = &(*link)->next;
        }
        *link = visit;
        if (entry->poke != NULL) {
            entry->poke(entry->poke_context);
        }
    }
    nw__mutex_unlock(&registry.lock);

    return entry != NULL;
}

void nw__worker_take_visits(uint32_t number, void (*poke)(void *context),
                            void *context)
{
    struct entry *entry;

    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        entry->poke = poke;
        entry->poke_context = context;
        if (entry->visits != NULL) {
            poke(context);
        }
    }
    nw__mutex_unlock(&registry.lock);
}

void nw__worker_no_more_visits(uint32_t number)
{
    struct entry *entry;

    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        entry->poke = NULL;
    }
    nw__mutex_unlock(&registry.lock);
}

void nw__worker_receive(uint32_t number)
{
    struct nw__visit *visit = NULL;
    struct entry *entry;

    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        visit = entry->visits;
        entry->visits = NULL;
    }
    nw__mutex_unlock(&registry.lock);

    while (visit != NULL) {
        struct nw__visit *next = visit->next;

        visit->run(visit);
        visit = next;
    }
}

// -- the worker's own thread

bool nw__worker_printed(uint32_t number, const struct nw__printed *printed)
{
    struct nw__worker_spec spec = {0};

    if (number != 0 && look_up(number, &spec) && spec.sink->printed != NULL) {
        return spec.sink->printed(spec.owner, printed);
    }
    return nw__output(printed->fd, printed->data, printed->size,
                      printed->force);
}

void nw__worker_uncaught(uint32_t number, struct nw__message *record)
{
    struct nw__message old = {0};
    struct entry *entry;

    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        nw__message_move(&old, &entry->uncaught);
        nw__message_move(&entry->uncaught, record);
    }
    nw__mutex_unlock(&registry.lock);

    nw__message_fini(&old);
}

static _Thread_local struct {
    uint32_t number;
    uint32_t thread_id;
} current;

void nw__thread_is_worker(uint32_t number, uint32_t thread_id)
{
    current.number = number;
    current.thread_id = thread_id;
}

bool nw_is_main_thread(void)
{
    return current.number == 0;
}

int64_t nw_thread_id(void)
{
    return current.thread_id;
}

// -- the control thread's side

bool nw__worker_online(uint32_t number)
{
    struct nw__worker_spec spec;

    return !look_up(number, &spec) || spec.sink->online(spec.owner);
}

bool nw__worker_message(uint32_t number, struct nw__message *message)
{
    struct nw__worker_spec spec;

    return !look_up(number, &spec) || spec.sink->message(spec.owner, message);
}

bool nw__worker_message_error(uint32_t number, struct nw__message *record)
{
    struct nw__worker_spec spec;

    return !look_up(number, &spec) ||
           spec.sink->message_error(spec.owner, record);
}

bool nw__worker_error(uint32_t number, struct nw__message *record)
{
    struct nw__worker_spec spec;

    return !look_up(number, &spec) || spec.sink->error(spec.owner, record);
}

bool nw__worker_died_uncaught(uint32_t number, struct nw__message *record)
{
    struct nw__message uncaught = {0};
    struct entry *entry;
    bool taken;

    nw__mutex_lock(&registry.lock);
    entry = find(number);
    if (entry != NULL) {
        nw__message_move(&uncaught, &entry->uncaught);
    }
    nw__mutex_unlock(&registry.lock);

    taken = nw__worker_error(number, uncaught.size > 0 ? &uncaught : record);
    if (!taken && uncaught.size > 0) {
        nw__worker_uncaught(number, &uncaught); // For the next try.
    }
    nw__message_fini(&uncaught);
    return taken;
}

void nw__worker_written(uint32_t number, size_t size)
{
    struct nw__worker_spec spec;

    if (look_up(number, &spec) && spec.sink->written != NULL) {
        spec.sink->written(spec.owner, size);
    }
}

static void end(struct entry *entry, int exit_code)
{
    const struct nw__hooks *hooks = nw__hooks();

    if (hooks != NULL) {
        hooks->worker_exited(entry->number, exit_code);
    }
    entry->spec.sink->exited(entry->spec.owner, exit_code);
    entry_free(entry);
}

void nw__worker_exited(uint32_t number, int exit_code)
{
    struct entry *entry = extract(number);

    if (entry != NULL) {
        end(entry, exit_code);
    }
}

// The first one of a bucket, out of the table; NULL if there is none.
static struct entry *extract_of(struct entry **bucket,
                                const struct nw__control *control)
{
    struct entry **link = bucket;
    struct entry *found;

    nw__mutex_lock(&registry.lock);
    while (*link != NULL && (*link)->spec.control != control) {
        link = &(*link)->next;
    }
    found = *link;
    if (found != NULL) {
        *link = found->next;
    }
    nw__mutex_unlock(&registry.lock);

    return found;
}

void nw__worker_all_exited(const struct nw__control *control, int exit_code)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct entry *entry;

        while ((entry = extract_of(&registry.buckets[i], control)) != NULL) {
            end(entry, exit_code);
        }
    }
}

// Design notes.
//
// A worker is a thread with an event loop of one condition variable: it is
// woken by its lane, by an interrupt and by the order to end, or when the next
// of its waiting tasks is due. While a task is inside its script the loop does
// not run, as in Node.js.
//
// The control loop takes commands, and reports exits once the thread was
// joined.
//
// Lock order: lane.lock > player.lock; engine.lock and player.lock are leaves.

#include "tests/script/engine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/binding.h"
#include "src/common.h"
#include "src/control.h"
#include "src/engine/engine.h"
#include "src/error_record.h"
#include "src/lane.h"
#include "src/registry.h"
#include "src/wire.h"
#include "tests/random.h"

#define PLAYER_STACK_SIZE ((size_t)1 << 20)

// Tasks that wait in one worker, at most; pools of the test ask for fewer.
#define WAITING_MAX 16

#define MODULE_MAX 64

// One in so many.
#define BOOT_IS_SLOW_IN    20
#define BOOT_DIES_IN       100
#define END_IS_STUCK_IN    50
#define DEATH_HAS_ERROR_IN 2

// Not less than a scheduler's tick, or a script that spins starves the rest.
#define SPIN_PAUSE_NS 100000

struct waiting {
    struct nw__run run;
    double number;
    uint64_t due_ns; // NW__NEVER: at no time of its own.
    uint32_t sent;   // How many so far.
    bool wants_room;
};

struct player {
    // -- immutable after start
    uint32_t number;
    pthread_t thread;
    bool broken;

    // -- control thread only, and those that ended under engine.lock
    struct player *next;
    struct player *next_ended;

    nw__mutex lock;
    nw__cond changed;

    // -- protected by lock
    bool woken;
    bool terminated;
    uint64_t interrupted; // A task; 0: none.
    uint64_t sampled;

    // -- its own thread
    struct nw__lane *lane;
    struct waiting waiting[WAITING_MAX];
    uint32_t waiting_count;
    bool ready;
    bool stopping;
    bool parked;
    int exit_code;
};

static struct {
    nw__mutex lock;
    nw__cond changed;

    // -- protected by lock
    bool woken;
    bool interrupted;
    struct player *ended;
    uint64_t releases; // Whoever hangs waits for the next one.
    bool released;
    bool closing;

    // -- control thread only
    struct player *players;

    _Atomic uint64_t random_state;
    atomic_uint parked;
} engine = {.lock = NW__MUTEX_INIT};

static void init_changed(void)
{
    nw__cond_init(&engine.changed);
}

static void init_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_changed);
}

void nw__script_seed(uint64_t seed)
{
    atomic_store(&engine.random_state, seed);
}

void nw__script_release(bool for_good)
{
    init_once();
    nw__mutex_lock(&engine.lock);
    engine.releases++;
    engine.released = engine.released || for_good;
    nw__cond_wake_all(&engine.changed);
    nw__mutex_unlock(&engine.lock);
}

static bool once_in(unsigned n)
{
    return random_next_shared(&engine.random_state) % n == 0;
}

static void wait_released(void)
{
    uint64_t releases;

    nw__mutex_lock(&engine.lock);
    releases = engine.releases;
    while (!engine.released && engine.releases == releases) {
        nw__cond_wait(&engine.changed, &engine.lock);
    }
    nw__mutex_unlock(&engine.lock);
}

// A thread that is parked never goes on, but for the end of the engine, so that
// nothing leaks.
static void wait_closing(void)
{
    nw__mutex_lock(&engine.lock);
    while (!engine.closing) {
        nw__cond_wait(&engine.changed, &engine.lock);
    }
    nw__mutex_unlock(&engine.lock);
}

// -- what others do to a player. The first three under the lane's lock.

static void wake(void *context)
{
    struct player *player = context;

    nw__mutex_lock(&player->lock);
    player->woken = true;
    nw__cond_wake_all(&player->changed);
    nw__mutex_unlock(&player->lock);
}

static void interrupt(void *context, uint64_t id)
{
    struct player *player = context;

    nw__mutex_lock(&player->lock);
    player->interrupted = id;
    nw__cond_wake_all(&player->changed);
    nw__mutex_unlock(&player->lock);
}

static void sample(void *context, uint64_t id)
{
    struct player *player = context;

    nw__mutex_lock(&player->lock);
    player->sampled = id;
    nw__mutex_unlock(&player->lock);
}

static bool copy_sample(void *context, uint64_t id, char *text, size_t size)
{
    struct player *player = context;
    bool copied;

    nw__mutex_lock(&player->lock);
    copied = player->sampled == id && once_in(2);
    nw__mutex_unlock(&player->lock);
    if (copied) {
        snprintf(text, size, "Error\n    at spin (scripted)");
    }
    return copied;
}

static const struct nw__lane_script script = {
    .interrupt = interrupt, .sample = sample, .copy_sample = copy_sample};

static void terminate(struct player *player)
{
    nw__mutex_lock(&player->lock);
    player->terminated = true;
    nw__cond_wake_all(&player->changed);
    nw__mutex_unlock(&player->lock);
}

// -- tasks. All of it on the player's thread.

static void settle(struct player *player, const struct nw__run *run,
                   nw_status status, struct nw__message *outcome)
{
    nw__lane_settle(player->lane, run->job, run->id, status, outcome,
                    nw__now_ns());
    nw__message_fini(outcome);
}

static void fail(struct player *player, const struct nw__run *run,
                 nw_status status, const char *text)
{
    struct nw__message outcome = {0};

    nw__error_write(&outcome, status, text, NULL);
    settle(player, run, status, &outcome);
}

static bool write_number(struct nw__message *out, double number)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *value = doc != NULL ? nw_value_number(doc, number) : NULL;
    bool written =
        value != NULL && nw__wire_write(out, &value, 1, NULL, NULL) == NW_OK;

    nw_doc_destroy(doc);
    return written;
}

static void finish(struct player *player, const struct nw__run *run,
                   double number)
{
    struct nw__message outcome = {0};

    if (write_number(&outcome, number)) {
        settle(player, run, NW_OK, &outcome);
    } else {
        fail(player, run, NW_ENOMEM, "out of memory");
    }
}

static double read_number(struct nw__run *run)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *value = NULL;
    double number = 0;

    if (doc != NULL &&
        nw__wire_read(doc, &run->arguments, &value, 1, NULL) == NW_OK) {
        number = nw_value_get_number(value);
    }
    nw__message_fini(&run->arguments);
    nw_doc_destroy(doc);
    return number;
}

static void keep_waiting(struct player *player, const struct nw__run *run,
                         double number, uint64_t due_ns)
{
    NW_ASSERT(player->waiting_count < WAITING_MAX);
    player->waiting[player->waiting_count++] =
        (struct waiting){.run = *run, .number = number, .due_ns = due_ns};
}

static void forget(struct player *player, struct waiting *waiting)
{
    *waiting = player->waiting[--player->waiting_count];
}

// Until it is hit, or its worker is ended.
static void spin(struct player *player, const struct nw__run *run)
{
    struct nw__message outcome = {0};
    bool terminated = false;
    bool hit = false;

    nw__mutex_lock(&player->lock);
    while (!terminated && !hit) {
        nw__cond_wait_until(&player->changed, &player->lock,
                            nw__now_ns() + SPIN_PAUSE_NS);
        terminated = player->terminated;
        hit = player->interrupted == run->id;
    }
    nw__mutex_unlock(&player->lock);

    if (hit) {
        nw__error_write_at(&outcome, NW_ECANCELED, "the script was interrupted",
                           "Error\n    at spin (scripted)");
        settle(player, run, NW_ECANCELED, &outcome);
    }
}

static void print(struct player *player, const struct nw__run *run)
{
    const struct nw__printed printed = {.fd = 1,
                                        .data = NW__SCRIPT_LINE,
                                        .size = sizeof(NW__SCRIPT_LINE) - 1,
                                        .force = true,
                                        .task = run->id};

    nw__worker_printed(player->number, &printed);
}

// Sends until it is told to wait. False: it has ended, or is none of ours any
// more.
static bool send_more(struct player *player, struct waiting *waiting)
{
    while (waiting->sent < (uint32_t)waiting->number) {
        struct nw__message value = {0};
        nw_status status = NW_ENOMEM;

        if (write_number(&value, waiting->sent)) {
            status = player->lane->source->sent(
                player->lane->owner, player->lane, waiting->run.id, &value);
        }
        nw__message_fini(&value);
        if (status == NW_OK || status == NW_EFULL) {
            waiting->sent++;
        }
        if (status == NW_EFULL) {
            waiting->wants_room = true;
            return true;
        }
        if (status != NW_OK) {
            fail(player, &waiting->run, status, "it cannot send");
            return false;
        }
    }
    finish(player, &waiting->run, waiting->number);
    return false;
}

static void start_sending(struct player *player, const struct nw__run *run,
                          double number)
{
    struct waiting *waiting = &player->waiting[player->waiting_count];

    keep_waiting(player, run, number, NW__NEVER);
    if (!send_more(player, waiting)) {
        forget(player, waiting);
    }
}

static void start(struct player *player, struct nw__run *run)
{
    const char *name = run->function_name;
    double number = read_number(run);

    if (strcmp(name, "value") == 0) {
        finish(player, run, number);
    } else if (strcmp(name, "later") == 0) {
        keep_waiting(player, run, number,
                     nw__now_ns() + (uint64_t)number * NW__NS_PER_MS);
    } else if (strcmp(name, "deaf") == 0) {
        keep_waiting(player, run, number, NW__NEVER);
    } else if (strcmp(name, "throw") == 0) {
        fail(player, run, NW_ETHROWN, "thrown by the script");
    } else if (strcmp(name, "exit") == 0) {
        player->stopping = true;
        player->exit_code = 3;
    } else if (strcmp(name, "spin") == 0) {
        spin(player, run);
    } else if (strcmp(name, "hang") == 0) {
        wait_released();
        finish(player, run, number);
    } else if (strcmp(name, "park") == 0) {
        player->parked = true;
        player->stopping = true;
        nw__lane_park(player->lane, atomic_fetch_add(&engine.parked, 1) + 1);
    } else if (strcmp(name, "send") == 0) {
        start_sending(player, run, number);
    } else if (strcmp(name, "print") == 0) {
        print(player, run);
        finish(player, run, number);
    } else {
        fail(player, run, NW_EMODULE, "no such function");
    }
}

static void finish_due(struct player *player)
{
    uint64_t now_ns = nw__now_ns();

    for (uint32_t i = player->waiting_count; i-- > 0;) {
        struct waiting *waiting = &player->waiting[i];

        if (waiting->due_ns <= now_ns) {
            const struct waiting done = *waiting;

            forget(player, waiting);
            finish(player, &done.run, done.number);
        }
    }
}

// -- requests

static void answer(struct player *player,
                   const struct nw__lane_request *request)
{
    struct waiting *waiting = player->waiting;
    struct waiting *end = player->waiting + player->waiting_count;

    if (request->type == NW__LANE_END) {
        player->ready = false;
        player->stopping = !once_in(END_IS_STUCK_IN);
        player->exit_code = 0;
        return;
    }
    while (waiting < end && waiting->run.id != request->id) {
        waiting++;
    }
    if (waiting == end) {
        return;
    }
    if (request->type == NW__LANE_ROOM && waiting->wants_room) {
        waiting->wants_room = false;
        if (!send_more(player, waiting)) {
            forget(player, waiting);
        }
    } else if (request->type == NW__LANE_ABORT &&
               strcmp(waiting->run.function_name, "deaf") != 0) {
        const struct waiting aborted = *waiting;

        forget(player, waiting);
        fail(player, &aborted.run, NW_ETHROWN, request->reason);
    }
}

static void answer_all(struct player *player)
{
    struct nw__lane_request *requests = nw__lane_requests(player->lane);

    while (requests != NULL) {
        struct nw__lane_request *next = requests->next;

        if (!player->stopping) {
            answer(player, requests);
        }
        nw__free(requests);
        requests = next;
    }
}

// -- the event loop

static uint64_t next_due_ns(const struct player *player)
{
    uint64_t due_ns = NW__NEVER;

    for (uint32_t i = 0; i < player->waiting_count; i++) {
        if (player->waiting[i].due_ns < due_ns) {
            due_ns = player->waiting[i].due_ns;
        }
    }
    return due_ns;
}

static bool is_terminated(struct player *player)
{
    bool terminated;

    nw__mutex_lock(&player->lock);
    terminated = player->terminated;
    nw__mutex_unlock(&player->lock);

    return terminated;
}

// Until it is woken, ended or `deadline_ns` has come.
static void sleep_until(struct player *player, uint64_t deadline_ns)
{
    bool in_time = true;

    nw__mutex_lock(&player->lock);
    while (!player->woken && !player->terminated && in_time) {
        in_time =
            nw__cond_wait_until(&player->changed, &player->lock, deadline_ns);
    }
    player->woken = false;
    nw__mutex_unlock(&player->lock);
}

static void run_tasks(struct player *player)
{
    while (!player->stopping && !is_terminated(player)) {
        struct nw__run run = {0};

        if (!nw__lane_next(player->lane, nw__now_ns(), &run)) {
            return;
        }
        start(player, &run);
    }
}

// True: go on.
static bool boot(struct player *player)
{
    struct nw__message record = {0};

    if (once_in(BOOT_IS_SLOW_IN)) {
        sleep_until(player, nw__now_ns() + 5 * NW__NS_PER_MS);
    }
    if (once_in(BOOT_DIES_IN)) {
        player->exit_code = 4;
        return false;
    }
    if (player->broken) {
        nw__error_write(&record, NW_EMODULE, "the module is broken", NULL);
        player->lane->source->boot_failed(player->lane->owner, player->lane,
                                          &record);
        nw__message_fini(&record);
        player->exit_code = 1;
        return false;
    }
    player->lane->source->ready(player->lane->owner, player->lane);
    player->ready = true;
    return true;
}

static void play(struct player *player)
{
    if (is_terminated(player) || !boot(player)) {
        return;
    }
    while (!player->stopping && !is_terminated(player)) {
        answer_all(player);
        finish_due(player);
        if (player->ready) {
            run_tasks(player);
        }
        if (!player->stopping) {
            sleep_until(player, next_due_ns(player));
        }
    }
}

static void report_end(struct player *player)
{
    nw__mutex_lock(&engine.lock);
    player->next_ended = engine.ended;
    engine.ended = player;
    nw__cond_wake_all(&engine.changed);
    nw__mutex_unlock(&engine.lock);
}

static void *player_main(void *argument)
{
    struct player *player = argument;
    struct nw__lane *lane = nw__worker_lane(player->number);

    nw__thread_is_worker(player->number, player->number);
    player->exit_code = 1;
    if (lane != NULL && nw__lane_attach(lane, wake, player)) {
        player->lane = lane;
        nw__lane_set_script(lane, &script);
        play(player);
        if (player->parked) {
            wait_closing();
        }
        nw__lane_detach(lane);
    }
    report_end(player);
    return NULL;
}

// -- the control thread

// The module's name, or "".
static void read_module(struct nw__command *command, char *module, size_t size)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *spec = NULL;
    const char *text = NULL;

    if (doc != NULL &&
        nw__wire_read(doc, &command->message, &spec, 1, NULL) == NW_OK) {
        text = nw_value_get_string(nw_object_get(spec, "module"), NULL);
    }
    snprintf(module, size, "%s", text != NULL ? text : "");
    nw_doc_destroy(doc);
}

static void free_player(struct player *player)
{
    nw__cond_fini(&player->changed);
    nw__mutex_fini(&player->lock);
    nw__free(player);
}

static void run_start(struct nw__command *command)
{
    struct player *player = nw__alloc_zero(sizeof(*player));
    char module[MODULE_MAX];

    if (player == NULL) {
        nw__worker_exited((uint32_t)command->number, 1);
        return;
    }
    read_module(command, module, sizeof(module));
    player->number = (uint32_t)command->number;
    player->broken = strstr(module, "broken") != NULL;
    nw__mutex_init(&player->lock);
    nw__cond_init(&player->changed);
    player->next = engine.players;
    engine.players = player;
    if (nw__thread_start(&player->thread, "player", PLAYER_STACK_SIZE,
                         player_main, player) != NW_OK) {
        engine.players = player->next;
        free_player(player);
        nw__worker_exited((uint32_t)command->number, 1);
        return;
    }
}

static void run_terminate(uint32_t number)
{
    struct player *player = engine.players;

    while (player != NULL && player->number != number) {
        player = player->next;
    }
    if (player != NULL) {
        terminate(player);
    }
}

static void run_commands(void)
{
    struct nw__command *command = nw__control_take(nw__control_main());

    while (command != NULL) {
        struct nw__command *next = command->next;

        if (command->type == NW__COMMAND_START) {
            run_start(command);
        } else if (command->type == NW__COMMAND_TERMINATE) {
            run_terminate((uint32_t)command->number);
        }
        nw__command_destroy(command);
        command = next;
    }
}

static void forget_player(struct player *player)
{
    struct player **link = &engine.players;

    while (*link != player) {
        link = &(*link)->next;
    }
    *link = player->next;
}

static void bury(struct player *player)
{
    struct nw__message record = {0};

    pthread_join(player->thread, NULL);
    forget_player(player);
    if (player->exit_code > 1 && once_in(DEATH_HAS_ERROR_IN)) {
        nw__error_write(&record, NW_ETHROWN, "uncaught", NULL);
        nw__worker_uncaught(player->number, &record);
        nw__worker_died_uncaught(player->number, &record);
        nw__message_fini(&record);
    }
    nw__worker_exited(player->number, player->exit_code);
    free_player(player);
}

static struct player *take_ended(void)
{
    struct player *ended;

    nw__mutex_lock(&engine.lock);
    ended = engine.ended;
    engine.ended = NULL;
    nw__mutex_unlock(&engine.lock);

    return ended;
}

static void bury_all(void)
{
    struct player *player = take_ended();

    while (player != NULL) {
        struct player *next = player->next_ended;

        bury(player);
        player = next;
    }
}

static void wake_control(void *unused)
{
    (void)unused;
    nw__mutex_lock(&engine.lock);
    engine.woken = true;
    nw__cond_wake_all(&engine.changed);
    nw__mutex_unlock(&engine.lock);
}

// -- engine.h

const char *nw__engine_version(void)
{
    return "scripted";
}

int nw__engine_module_version(void)
{
    return 0;
}

nw_status nw__engine_open(const struct nw__engine_options *options, char *error,
                          size_t error_size)
{
    (void)options;
    (void)error;
    (void)error_size;
    init_once();
    nw__control_attach(nw__control_main(), wake_control, NULL);
    return NW_OK;
}

int nw__engine_run(void)
{
    bool interrupted = false;

    while (!interrupted) {
        nw__mutex_lock(&engine.lock);
        while (!engine.woken && !engine.interrupted && engine.ended == NULL) {
            nw__cond_wait(&engine.changed, &engine.lock);
        }
        engine.woken = false;
        interrupted = engine.interrupted;
        nw__mutex_unlock(&engine.lock);
        run_commands();
        bury_all();
    }
    return 0;
}

bool nw__engine_close(void)
{
    nw__mutex_lock(&engine.lock);
    engine.closing = true;
    nw__cond_wake_all(&engine.changed);
    nw__mutex_unlock(&engine.lock);
    for (struct player *player = engine.players; player != NULL;
         player = player->next) {
        terminate(player);
    }
    while (engine.players != NULL) {
        nw__mutex_lock(&engine.lock);
        while (engine.ended == NULL) {
            nw__cond_wait(&engine.changed, &engine.lock);
        }
        nw__mutex_unlock(&engine.lock);
        bury_all();
    }
    return true;
}

void nw__engine_interrupt(void)
{
    init_once();
    nw__mutex_lock(&engine.lock);
    engine.interrupted = true;
    nw__cond_wake_all(&engine.changed);
    nw__mutex_unlock(&engine.lock);
}

// -- names that the rest needs to be there, and nobody calls

const char *const nw__hidden_variables[] = {NULL};

napi_value nw__binding_init(napi_env env, napi_value exports)
{
    (void)env;
    return exports;
}

napi_status napi_create_object(napi_env env, napi_value *result)
{
    (void)env;
    *result = NULL;
    return napi_generic_failure;
}

void *nw__engine_isolate(void)
{
    return NULL;
}

void nw__engine_interrupt_soon(void *isolate, void (*call)(void *data),
                               void *data)
{
    (void)isolate;
    (void)call;
    (void)data;
}

nw_status nw__engine_heap_snapshot(bool (*write)(void *context,
                                                 const char *data, size_t size),
                                   void *context)
{
    (void)write;
    (void)context;
    return NW_EIO;
}

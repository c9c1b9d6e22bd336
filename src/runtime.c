// The life of the one Node.js in a process, and its manners as a guest.
//
// Owns the control thread and the order of start and end. The state only moves
// forward: NEW -> STARTING -> RUNNING -> STOPPING -> STOPPED, or from STARTING
// to FAILED. V8 cannot be started twice, so nothing ever goes back.
//
// The end of the process. Node.js registers atexit handlers and static
// destructors that crash while its threads run, so a guard, registered after
// those and therefore run before them, stops everything first. What does not
// stop in time (a worker stuck in native code), or never will (one that was
// parked with its heap exhausted), is left running: stdio is flushed and the
// process ends there with the status it was given. A second
// guard, registered before any of Node's, does the same to a process that ends
// while Node.js is starting.
//
// fork(). Only the forking thread exists in the child, and locks may be held
// by others for ever. A flag, set by pthread_atfork, is looked at before any
// lock is taken.
//
// Lock order: runtime.lock > control.lock, events.lock. The engine is called
// without runtime.lock.

#include "src/runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/binding.h"
#include "src/common.h"
#include "src/control.h"
#include "src/detail.h"
#include "src/engine/engine.h"
#include "src/events.h"
#include "src/js/scripts.h"
#include "src/options.h"
#include "src/port_events.h"
#include "src/registry.h"
#include "src/timers.h"

// V8 takes about 1 MiB below where it first looked; Node's own worker threads
// have 4.
#define CONTROL_STACK_SIZE ((size_t)8 << 20)

#define PLATFORM_THREADS_DEFAULT 4
#define PLATFORM_THREADS_MAX     64
#define NODE_OPTIONS_MAX         64
#define EXIT_TIMEOUT_DEFAULT_MS  2000
#define ERROR_MAX                512

// For the start, its first worker and the files that those read.
#define DESCRIPTORS_NEEDED 24

// OPENSSL_INIT_LOAD_CRYPTO_STRINGS: the least that counts as a use of OpenSSL.
#define OPENSSL_LOAD_STRINGS UINT64_C(2)

// libnode reads these at fixed places when it starts, and aborts the process
// if one is missing.
static const char *const external_builtins[] = {
    "/usr/share/nodejs/acorn/dist/acorn.js",
    "/usr/share/nodejs/acorn-walk/dist/walk.js",
    "/usr/share/nodejs/cjs-module-lexer/lexer.js",
    "/usr/share/nodejs/cjs-module-lexer/dist/lexer.js",
    "/usr/share/nodejs/undici/undici-fetch.js",
};

enum state {
    STATE_NEW,
    STATE_STARTING,
    STATE_RUNNING,
    STATE_FAILED,
    STATE_STOPPING,
    STATE_STOPPED,
};

static struct {
    // -- immutable after start
    char *node_path;
    char **node_options;
    uint32_t platform_threads;
    uint32_t exit_timeout_ms;
    pthread_t control_thread;

    atomic_bool control_taken;
    atomic_bool forked;
    atomic_bool exiting;

    nw__mutex lock;
    nw__cond changed;

    // -- protected by lock
    enum state state;
    uint32_t users;
    bool joined;
    bool left_behind; // Threads of Node.js that were not ended by the stop.
    char error[ERROR_MAX]; // Written once, before the state says FAILED.
} runtime = {.lock = NW__MUTEX_INIT};

static void init_changed(void)
{
    nw__cond_init(&runtime.changed);
}

// Before the first use of `changed`, which no static initialiser can bind to
// the clock we use.
static void init_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_changed);
}

const char *nw__runtime_node_path(void)
{
    return runtime.node_path;
}

struct nw__control *nw__runtime_take_control(void)
{
    return atomic_exchange(&runtime.control_taken, true)
               ? NULL
               : nw__control_ref(nw__control_main());
}

bool nw__runtime_forked(void)
{
    return atomic_load_explicit(&runtime.forked, memory_order_relaxed);
}

bool nw__runtime_exiting(void)
{
    return atomic_load_explicit(&runtime.exiting, memory_order_acquire);
}

// -- environment variables

// Copies of what the hidden variables were, to be put back.
struct hidden {
    char *values[8];
};

// The control environment takes NODE_CHANNEL_FD and its like for its own. There
// is no other way to keep it from that than to take them away while it starts;
// it is done only when they are set, because getenv() in another thread of the
// host must not see the environment move without need.
static void hide_variables(struct hidden *hidden)
{
    static char *empty[] = {NULL};

    // clearenv() leaves nothing, and libuv looks into it all the same.
    if (environ == NULL) {
        environ = empty;
    }
    for (size_t i = 0; nw__hidden_variables[i] != NULL; i++) {
        const char *value = getenv(nw__hidden_variables[i]);

        hidden->values[i] = value != NULL ? nw__strdup(value) : NULL;
        if (hidden->values[i] != NULL) {
            unsetenv(nw__hidden_variables[i]);
        }
    }
}

static void restore_variables(struct hidden *hidden)
{
    for (size_t i = 0; nw__hidden_variables[i] != NULL; i++) {
        if (hidden->values[i] != NULL) {
            setenv(nw__hidden_variables[i], hidden->values[i], 1);
            nw__free(hidden->values[i]);
        }
    }
}

// -- checks before anything irreversible

static bool check_builtins(char *error, size_t size)
{
    for (size_t i = 0; i < NW_ARRAY_SIZE(external_builtins); i++) {
        const char *path = external_builtins[i];

        if (access(path, R_OK) != 0) {
            snprintf(error, size,
                     "Node.js could not start: libnode needs %s, which cannot "
                     "be read; install the Debian packages node-acorn, "
                     "node-cjs-module-lexer and node-undici",
                     path);
            return false;
        }
    }
    return true;
}

// Node.js aborts the process when it cannot open what it needs to start, and
// libuv when one of its descriptors has the number of a standard stream, now or
// in a later worker. So a host that has closed those gets /dev/null there; the
// programs it starts do not.
static bool check_descriptors(char *error, size_t size)
{
    int fds[DESCRIPTORS_NEEDED];
    int count = 0;

    while (count < DESCRIPTORS_NEEDED &&
           (fds[count] = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
        count++;
    }
    if (count < DESCRIPTORS_NEEDED) {
        snprintf(error, size,
                 "Node.js could not start: it needs %d file descriptors, and "
                 "only %d can be opened: %s",
                 DESCRIPTORS_NEEDED, count, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        if (fds[i] > STDERR_FILENO) {
            close(fds[i]);
        }
    }
    return count == DESCRIPTORS_NEEDED;
}

// A native addon that a worker loads looks for Node-API among the global
// symbols. A host that opened us with RTLD_LOCAL has hidden them; an addon that
// finds none ends the whole process. The handle is never closed: libnode must
// stay while its threads run.
static void *promote_symbols(void)
{
    Dl_info info;

    if (dladdr((void *)(uintptr_t)napi_create_object, &info) == 0 ||
        info.dli_fname == NULL) {
        return NULL;
    }
    return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

// OpenSSL registers its clean-up with its first use, whoever that is. Here, so
// that a guard registered next runs before it; Node.js aborts when it finds
// OpenSSL cleaned up in the middle of its start. Does nothing in a host that
// has used OpenSSL.
static void settle_openssl(void *libnode)
{
    int (*init)(uint64_t, const void *) = NULL;

    if (libnode != NULL) {
        *(void **)&init = dlsym(libnode, "OPENSSL_init_crypto");
    }
    if (init != NULL) {
        init(OPENSSL_LOAD_STRINGS, NULL);
    }
}

// -- the end of the process

static void set_state(enum state state)
{
    nw__mutex_lock(&runtime.lock);
    runtime.state = state;
    nw__cond_wake_all(&runtime.changed);
    nw__mutex_unlock(&runtime.lock);
}

// NW_ETIMEDOUT: it did not end in time. NW_EWEDGED: it did, and threads were left
// behind. Joins only once.
static nw_status wait_stopped(uint64_t deadline_ns)
{
    nw_status status;
    bool stopped;
    bool join;

    nw__mutex_lock(&runtime.lock);
    while (runtime.state == STATE_STOPPING &&
           nw__cond_wait_until(&runtime.changed, &runtime.lock, deadline_ns)) {
    }
    stopped = runtime.state == STATE_STOPPED;
    join = stopped && !runtime.joined;
    runtime.joined = runtime.joined || join;
    status = runtime.left_behind ? NW_EWEDGED : NW_OK;
    nw__mutex_unlock(&runtime.lock);

    if (join) {
        pthread_join(runtime.control_thread, NULL);
    }
    return stopped ? status : NW_ETIMEDOUT;
}

// exit() on a thread that would have to end for Node.js to stop.
static bool on_own_thread(void)
{
    bool joined;

    nw__mutex_lock(&runtime.lock);
    joined = runtime.joined;
    nw__mutex_unlock(&runtime.lock);

    // The id of a thread that was joined may be somebody else's by now.
    return (!joined && pthread_equal(pthread_self(), runtime.control_thread)) ||
           nw__events_is_current() || nw__timers_is_current();
}

// The rest, after Node.js. Timers may wait for its answers, which it has given
// or refused by then, and post events. What workers printed is still to be
// written.
static bool stop_threads(uint64_t deadline_ns)
{
    return nw__timers_stop(deadline_ns) && nw__events_stop(deadline_ns);
}

// False when something of Node.js still runs.
static bool stop_for_exit(void)
{
    enum state state;
    uint64_t deadline_ns;
    nw_status status;

    nw__mutex_lock(&runtime.lock);
    if (runtime.state == STATE_RUNNING) {
        runtime.state = STATE_STOPPING;
    }
    state = runtime.state;
    nw__mutex_unlock(&runtime.lock);

    if (state == STATE_NEW || state == STATE_FAILED) {
        return true;
    }
    if (state == STATE_STARTING || on_own_thread()) {
        return false;
    }
    nw__engine_interrupt();
    deadline_ns = nw__deadline_ns(runtime.exit_timeout_ms);
    status = wait_stopped(deadline_ns);
    return status != NW_ETIMEDOUT && stop_threads(deadline_ns) &&
           status == NW_OK;
}

static void guard_exit(int status, void *unused)
{
    (void)unused;
    // A fork() child has none of Node's threads, and Node's own exit handlers
    // would wait for them.
    if (!nw__runtime_forked()) {
        atomic_store(&runtime.exiting, true);
        if (stop_for_exit()) {
            return;
        }
    }
    fflush(NULL);
    _exit(status);
}

static void mark_forked(void)
{
    atomic_store(&runtime.forked, true);
}

// -- the control thread

static void start_failed(const char *error)
{
    nw__mutex_lock(&runtime.lock);
    snprintf(runtime.error, sizeof(runtime.error), "%s", error);
    nw__mutex_unlock(&runtime.lock);
    set_state(STATE_FAILED);
}

static void *control_main(void *unused)
{
    const struct nw__engine_options options = {
        .glue = nw__script_glue,
        .binding_name = NW__BINDING_NAME,
        .binding_init = nw__binding_init,
        .node_options = (const char *const *)runtime.node_options,
        .platform_threads = runtime.platform_threads,
    };
    struct hidden hidden;
    char error[ERROR_MAX];
    nw_status status;
    bool closed;
    int code;

    (void)unused;
    hide_variables(&hidden);
    status = nw__engine_open(&options, error, sizeof(error));
    restore_variables(&hidden);
    if (status != NW_OK) {
        start_failed(error);
        return NULL;
    }
    on_exit(guard_exit, NULL);
    set_state(STATE_RUNNING);

    code = nw__engine_run();
    nw__mutex_lock(&runtime.lock);
    // Unless it was asked to, it died; nobody may wait for it then.
    runtime.state = STATE_STOPPING;
    nw__mutex_unlock(&runtime.lock);
    // Before threads are joined: one of them may wait for an answer.
    nw__control_detach(nw__control_main());
    closed = nw__engine_close();
    // Of threads that were left behind nobody knows what they still do.
    if (closed) {
        nw__worker_all_exited(nw__control_main(), code);
        nw__port_all_closed();
    }
    nw__mutex_lock(&runtime.lock);
    runtime.left_behind = !closed;
    nw__mutex_unlock(&runtime.lock);
    set_state(STATE_STOPPED);
    return NULL;
}

// -- start

static void free_settings(void)
{
    for (char **o = runtime.node_options; o != NULL && *o != NULL; o++) {
        nw__free(*o);
    }
    nw__free(runtime.node_options);
    nw__free(runtime.node_path);
    runtime.node_options = NULL;
    runtime.node_path = NULL;
}

static nw_status copy_node_options(const char *const *options)
{
    size_t count = 0;

    while (options != NULL && options[count] != NULL) {
        count++;
    }
    if (count > NODE_OPTIONS_MAX) {
        return NW_EINVAL;
    }
    runtime.node_options = nw__alloc_zero((count + 1) * sizeof(char *));
    if (runtime.node_options == NULL) {
        return NW_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        runtime.node_options[i] = nw__strdup(options[i]);
        if (runtime.node_options[i] == NULL) {
            return NW_ENOMEM;
        }
    }
    return NW_OK;
}

static nw_status copy_settings(const nw_runtime_options *options)
{
    nw_runtime_options given;
    nw_status status = nw__options_copy(&given, sizeof(given), options);

    if (status != NW_OK || given.platform_threads > PLATFORM_THREADS_MAX) {
        return NW_EINVAL;
    }
    runtime.platform_threads = given.platform_threads != 0
                                   ? given.platform_threads
                                   : PLATFORM_THREADS_DEFAULT;
    runtime.exit_timeout_ms = given.exit_timeout_ms != 0
                                  ? given.exit_timeout_ms
                                  : EXIT_TIMEOUT_DEFAULT_MS;
    status = copy_node_options(given.node_options);
    if (status != NW_OK) {
        return status;
    }
    runtime.node_path = nw__strdup(
        given.node_path != NULL ? given.node_path : NW_DEFAULT_NODE_PATH);
    return runtime.node_path != NULL ? NW_OK : NW_ENOMEM;
}

static void prepare_process(void)
{
    settle_openssl(promote_symbols());
    pthread_atfork(NULL, NULL, mark_forked);
    on_exit(guard_exit, NULL);
}

// Everything up to the control thread can fail and be tried again.
static nw_status prepare(const nw_runtime_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    nw_status status = copy_settings(options);

    if (status == NW_OK) {
        status = nw__events_start();
    }
    if (status == NW_OK) {
        pthread_once(&once, prepare_process);
        status = nw__thread_start(&runtime.control_thread, "nwpool-control",
                                  CONTROL_STACK_SIZE, control_main, NULL);
        if (status != NW_OK) {
            nw__events_stop(NW__NEVER);
        }
    }
    if (status != NW_OK) {
        free_settings();
    }
    return status;
}

// Whoever finds STATE_NEW starts; the others wait for how it went.
static nw_status start(const nw_runtime_options *options)
{
    char error[ERROR_MAX];
    nw_status status;

    if (!check_builtins(error, sizeof(error)) ||
        !check_descriptors(error, sizeof(error))) {
        start_failed(error);
        return NW_ENODE;
    }
    status = prepare(options);
    if (status != NW_OK) {
        set_state(STATE_NEW);
        return status;
    }
    nw__mutex_lock(&runtime.lock);
    while (runtime.state == STATE_STARTING) {
        nw__cond_wait(&runtime.changed, &runtime.lock);
    }
    status = runtime.state == STATE_FAILED ? NW_ENODE : NW_OK;
    nw__mutex_unlock(&runtime.lock);

    if (status != NW_OK) {
        pthread_join(runtime.control_thread, NULL);
        nw__events_stop(NW__NEVER);
    }
    return status;
}

static nw_status status_of(enum state state)
{
    switch (state) {
    case STATE_FAILED:
        return NW_ENODE;
    case STATE_STOPPING:
    case STATE_STOPPED:
        return NW_ESTOPPED;
    default:
        return NW_EALREADY;
    }
}

nw_status nw_runtime_start(const nw_runtime_options *options)
{
    nw_status status;
    bool first;

    nw__detail_clear();
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    init_once();
    nw__mutex_lock(&runtime.lock);
    while (runtime.state == STATE_STARTING) {
        nw__cond_wait(&runtime.changed, &runtime.lock);
    }
    first = runtime.state == STATE_NEW;
    status = status_of(runtime.state);
    if (first) {
        runtime.state = STATE_STARTING;
    }
    nw__mutex_unlock(&runtime.lock);

    return first ? start(options) : status;
}

nw_status nw__runtime_acquire(void)
{
    nw_status status = nw_runtime_start(NULL);

    if (status != NW_OK && status != NW_EALREADY) {
        return status;
    }
    nw__mutex_lock(&runtime.lock);
    status = runtime.state == STATE_RUNNING ? NW_OK : NW_ESTOPPED;
    if (status == NW_OK) {
        runtime.users++;
    }
    nw__mutex_unlock(&runtime.lock);

    return status;
}

void nw__runtime_release(void)
{
    nw__mutex_lock(&runtime.lock);
    NW_ASSERT(runtime.users > 0);
    runtime.users--;
    nw__mutex_unlock(&runtime.lock);
}

// -- stop and state

// What there is to stop is on its way down after NW_OK; `*started` is false
// when there is nothing.
static nw_status begin_stop(uint64_t deadline_ns, bool *started)
{
    nw_status status = NW_OK;
    bool in_time = true;

    nw__mutex_lock(&runtime.lock);
    while (runtime.state == STATE_STARTING && in_time) {
        in_time =
            nw__cond_wait_until(&runtime.changed, &runtime.lock, deadline_ns);
    }
    if (runtime.state == STATE_STARTING) {
        status = NW_ETIMEDOUT;
    } else if (runtime.users > 0) {
        status = NW_EBUSY;
    } else if (runtime.state == STATE_NEW) {
        runtime.state = STATE_STOPPED;
        runtime.joined = true; // There is no thread.
    } else if (runtime.state == STATE_RUNNING) {
        runtime.state = STATE_STOPPING;
    }
    *started =
        runtime.state == STATE_STOPPING || runtime.state == STATE_STOPPED;
    nw__mutex_unlock(&runtime.lock);

    return status;
}

nw_status nw_runtime_stop(uint32_t timeout_ms)
{
    uint64_t deadline_ns = nw__deadline_ns(timeout_ms);
    nw_status status;
    bool started;

    nw__detail_clear();
    if (nw__runtime_forked()) {
        return NW_EFORKED;
    }
    NW_ASSERT(!nw__events_is_current() && !nw__timers_is_current());
    if (nw__runtime_exiting()) {
        return NW_OK; // It was stopped by the guard, or is about to be.
    }

    init_once();
    status = begin_stop(deadline_ns, &started);
    if (status != NW_OK || !started) {
        return status;
    }
    nw__engine_interrupt();
    status = wait_stopped(deadline_ns);
    if (status == NW_ETIMEDOUT || !stop_threads(deadline_ns)) {
        return NW_ETIMEDOUT;
    }
    return status;
}

nw_runtime_state nw_runtime_get_state(void)
{
    enum state state;

    if (nw__runtime_forked()) {
        return NW_RUNTIME_STOPPED;
    }
    nw__mutex_lock(&runtime.lock);
    state = runtime.state;
    nw__mutex_unlock(&runtime.lock);

    switch (state) {
    case STATE_NEW:
    case STATE_STARTING:
        return NW_RUNTIME_NEW;
    case STATE_RUNNING:
        return NW_RUNTIME_RUNNING;
    case STATE_FAILED:
        return NW_RUNTIME_FAILED;
    default:
        return NW_RUNTIME_STOPPED;
    }
}

const char *nw_runtime_error(void)
{
    return nw_runtime_get_state() == NW_RUNTIME_FAILED ? runtime.error : "";
}

const char *nw_runtime_node_version(void)
{
    return nw__engine_version();
}

// src/runtime.h for the addon: the Node.js that loaded it is the runtime. It
// runs as long as anybody can ask, so nothing is started, counted or stopped.

#include "src/runtime.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_bool forked;
static char program[PATH_MAX];

static void mark_forked(void)
{
    atomic_store(&forked, true);
}

// When the addon is loaded, on one thread.
__attribute__((constructor)) static void prepare(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[length > 0 ? length : 0] = '\0';
    pthread_atfork(NULL, NULL, mark_forked);
}

nw_status nw__runtime_acquire(void)
{
    return nw__runtime_forked() ? NW_EFORKED : NW_OK;
}

void nw__runtime_release(void)
{
}

// Each environment has its own.
struct nw__control *nw__runtime_take_control(void)
{
    return nw__control_create();
}

bool nw__runtime_forked(void)
{
    return atomic_load_explicit(&forked, memory_order_relaxed);
}

bool nw__runtime_exiting(void)
{
    return false;
}

const char *nw__runtime_node_path(void)
{
    return program;
}

const char *nw_runtime_error(void)
{
    return "";
}

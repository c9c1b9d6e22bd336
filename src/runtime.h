// The one Node.js of this process, as the rest of the library sees it.

#ifndef NW_SRC_RUNTIME_H
#define NW_SRC_RUNTIME_H

#include <stdbool.h>

#include <nwpool/runtime.h>

#include "src/control.h"

// Starts Node.js if it never ran and counts one user of it, who keeps
// nw_runtime_stop() from stopping it. Returns as nw_runtime_start(), but NW_OK
// when it runs already. Thread: any. Blocks while it starts.
nw_status nw__runtime_acquire(void);
void nw__runtime_release(void);

// True in a fork() child of a process that had Node.js running: nothing of it
// works there, and our locks may be held by threads that do not exist.
bool nw__runtime_forked(void);

// True once the process ends: no callback of the user may be started, his
// memory may be gone.
bool nw__runtime_exiting(void);

// What the environment that takes the commands attaches itself to, one reference.
// NULL: another one does; without memory.
struct nw__control *nw__runtime_take_control(void);

// The `node` whose installed packages count.
const char *nw__runtime_node_path(void);

#endif

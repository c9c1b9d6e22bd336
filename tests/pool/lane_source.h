// A pool of one worker that the test plays itself, over a lane: it hands out
// tasks, keeps what becomes of them and what they send, and asks for aborts,
// room and the end.

#ifndef NW_TESTS_POOL_LANE_SOURCE_H
#define NW_TESTS_POOL_LANE_SOURCE_H

#include <nwpool/error.h>

#include "src/lane.h"

#define LANE_TASKS_MAX 4096

struct lane_task {
    struct nw__job job; // First: a job of ours is a task.
    bool ended;         // Or its worker died with it.
    bool taken;
};

struct lane_setting {
    const char *module; // In tests/pool/modules; NULL: lane.js.
    const char *set_up; // As in struct nw__lane_options.
    const char *tear_down;
    uint32_t concurrency; // 0: 1.
    bool tells_tasks;
};

// Starts the worker. Its requests may be asked for at once.
void lane_start(struct lane_setting setting);

// The worker that still runs is terminated. For .fini, before test_fini().
void lane_fini(void);

// -- tasks. Arguments are values, ended by NULL.

struct lane_task *lane_submit(const char *function, ...)
    __attribute__((sentinel));

bool lane_ended(const struct lane_task *task);

// Waits until it runs.
void lane_running(const struct lane_task *task);

// Waits for its end, which must be a value, or an error of that status.
const nw_value *lane_value(struct lane_task *task);
const nw_error *lane_error(struct lane_task *task, nw_status status);

// That lane_value() is so as nw_test_text() writes it.
void expect_lane_value(struct lane_task *task, const char *expected);

// Takes a running task away from the worker: it must still be there, or it may.
void lane_take(struct lane_task *task);
bool lane_try_take(struct lane_task *task);

// Waits until lane.js has logged something, and then that.
void expect_log(const char *expected);

// -- what they send

// So many values are taken before the worker has to wait; 0: it never has to.
void lane_set_room(uint32_t values);

// Values that have arrived.
uint32_t lane_sent(void);

// Waits for the next in order: it must be of this task, and such.
void expect_sent(const struct lane_task *task, const char *expected);

// The same, to be looked at.
const nw_value *lane_next_sent(const struct lane_task *task);

// The next in order, of whichever task.
const nw_value *lane_any_sent(uint64_t *id);

// -- requests

void lane_ask(enum nw__lane_request_type type, const struct lane_task *task,
              const char *reason);

// Room for so many values more.
void lane_give_room(const struct lane_task *task, uint32_t values);

// -- the worker's life

extern struct nw__lane *lane;

void lane_ready(void); // Waits for it.

// Waits for its end, which must have this exit code.
void expect_exit(int exit_code);

// Why it could not be loaded or set up; it must be so.
const nw_error *lane_boot_error(void);

// What its 'error' event said; NULL: there was none.
const nw_error *lane_worker_error(void);

// What it had when its environment went down; NULL: nothing more.
struct lane_task *lane_next_dead(bool running);

#endif

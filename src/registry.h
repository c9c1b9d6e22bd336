// Who wants to know about which worker thread.
//
// A worker is entered here before its thread is asked for and leaves with its
// exit, which always comes: from the control environment, or when that itself
// ends. Owners keep themselves alive until then.

#ifndef NW_SRC_REGISTRY_H
#define NW_SRC_REGISTRY_H

#include <stdbool.h>

#include "src/control.h"
#include "src/message.h"

struct nw__lane;
struct nw_body;

// As nw_worker_body_cb, which is the public name.
typedef void nw__worker_body(const struct nw_body *body, void *user_data);

// What a worker printed. Borrowed.
struct nw__printed {
    int fd; // 1 or 2.
    const void *data;
    size_t size;
    bool force;    // Take it, however much is waiting: the worker ends.
    uint64_t task; // Which task printed it, if that is known; 0.
};

// Called with no lock held, on the control thread; `message` and `printed` also
// on the worker's own while that runs. Messages are moved out of if wanted.
// False: there was no memory for it and nothing was taken, try again later.
struct nw__worker_sink {
    bool (*online)(void *owner);
    bool (*message)(void *owner, struct nw__message *message);
    // The message could not be decoded, or one of ours not posted.
    bool (*message_error)(void *owner, struct nw__message *record);
    bool (*error)(void *owner, struct nw__message *record);
    void (*exited)(void *owner, int exit_code); // Last.
    // May be NULL: it goes to the host's descriptors. False: try later.
    bool (*printed)(void *owner, const struct nw__printed *printed);
    // Its stdin has taken so many bytes. May be NULL.
    void (*written)(void *owner, size_t size);
};

struct nw__worker_spec {
    const struct nw__worker_sink *sink;
    void *owner;
    struct nw__lane *lane; // NULL, or its own reference is taken by the worker.
    nw__worker_body *body; // NULL, or what runs in the place of a script.
    void *body_data;
    struct nw__control *control; // Of the environment that makes it; NULL: the
                                 // process's.
};

// The working directory, which the host may change later; NULL without memory.
// To be freed. Node.js itself would remember the first one for ever.
char *nw__worker_directory(void);

// A number for a worker: never reused in this process, from 1. Thread: any.
uint32_t nw__worker_number(void);

// Asks for a thread with a START command, which is taken in any case. NW_OK:
// `exited` will be called, once. NW_ENOMEM, NW_ESTOPPED: nothing will be called.
// Thread: any.
nw_status nw__worker_spawn(uint32_t number, const struct nw__worker_spec *spec,
                           struct nw__command *start);

// The same, and waits until the thread was made: also returns what was wrong
// with the command, with its sentence. `reply` is the handler's answer, to be
// freed; empty if the worker started and died at once. Thread: any but control.
// Blocks.
nw_status nw__worker_spawn_call(uint32_t number,
                                const struct nw__worker_spec *spec,
                                struct nw__command *start,
                                struct nw__message *reply);

// Asks for its end; does nothing if it has ended. Thread: any.
nw_status nw__worker_terminate(uint32_t number);

// The control environment of a worker that is alive, one reference; else that of
// the process. Thread: any.
struct nw__control *nw__worker_control(uint32_t number);

// The lane of a worker that is alive, or NULL. Thread: any.
struct nw__lane *nw__worker_lane(uint32_t number);

// Its body, or NULL. Thread: any.
nw__worker_body *nw__worker_body_of(uint32_t number, void **data);

// -- the worker's own thread

// False: not taken, try later. `number` 0: of nobody we know.
bool nw__worker_printed(uint32_t number, const struct nw__printed *printed);

// What it may be about to die of; moved out of.
void nw__worker_uncaught(uint32_t number, struct nw__message *record);

// This thread is that worker's, for nw_thread_id().
void nw__thread_is_worker(uint32_t number, uint32_t thread_id);

// -- the control thread's side

// False as above; true when nobody wants it.

bool nw__worker_online(uint32_t number);
bool nw__worker_message(uint32_t number, struct nw__message *message);
bool nw__worker_message_error(uint32_t number, struct nw__message *record);
bool nw__worker_error(uint32_t number, struct nw__message *record);
// As error, with what the worker itself said of it, or else `record`.
bool nw__worker_died_uncaught(uint32_t number, struct nw__message *record);
void nw__worker_written(uint32_t number, size_t size);
void nw__worker_exited(uint32_t number, int exit_code);

// The control environment is gone: every worker of it that is left has ended.
void nw__worker_all_exited(const struct nw__control *control, int exit_code);

#endif

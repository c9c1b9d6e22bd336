// What the tests of workers and ports share: an ear, which keeps what it hears
// of one of them; workers that must come about; files of the running test.

#ifndef NW_TESTS_POOL_EAR_H
#define NW_TESTS_POOL_EAR_H

#include "tests/pool/support.h"

#include <nwpool/port.h>
#include <nwpool/worker.h>

// First line of scripts: what most of them use.
#define SCRIPT                                                                 \
    "const wt = require('worker_threads');"                                    \
    "const { parentPort, workerData } = wt;"

// A script that sends back what it gets.
#define ECHO_SCRIPT                                                            \
    SCRIPT "parentPort.on('message', (m) => parentPort.postMessage(m));"

// One event. `type` is of nw_worker_event_type or nw_port_event_type.
struct heard {
    int type;
    char text[1024]; // Of the value, or the error's message.
    char name[64];   // Of the error.
    char code[64];
    char cause[128];
    char properties[256];
    int exit_code;
};

#define EAR_MAX 64

struct ear {
    nw_inbox *inbox; // Where it hears; NULL: the events thread.

    // If set it gets the values of messages, and their texts stay empty. Runs
    // with the lock held.
    void (*on_value)(struct ear *ear, const nw_value *value);
    void *data; // Of on_value.

    pthread_mutex_t lock;
    pthread_cond_t changed;

    // -- protected by lock
    struct heard heard[EAR_MAX]; // Of all but output; later ones only count.
    size_t count;
    size_t messages;
    size_t pieces; // Of output.
    char *out[3];  // What came as output, by descriptor, NUL-terminated.
    size_t out_size[3];
    bool over; // The last event came.
    bool late; // And something after it.
    int exit_code;
};

void ear_init(struct ear *ear);
void ear_fini(struct ear *ear);

// Callbacks; user_data is the ear.
void ear_worker(const nw_worker_event *event, void *user_data);
void ear_port(const nw_port_event *event, void *user_data);

// Event `index`, which must come. With an inbox this polls it.
const struct heard *ear_at(struct ear *ear, size_t index);

// Waits until that many messages have come.
void ear_messages(struct ear *ear, size_t count);

// The last event, EXIT or CLOSE, which must come.
const struct heard *ear_end(struct ear *ear);

// How many events of that type have come.
size_t ear_count(struct ear *ear, int type);

// The first event of that type, or NULL.
const struct heard *ear_first(struct ear *ear, int type);

void expect_heard(struct ear *ear, size_t index, int type, const char *text);

// That the worker says this after it came online.
void expect_said(struct ear *ear, const char *text);

// That it ends with that code.
void expect_exit(struct ear *ear, int code);

// What came as output so far; for tests whose worker has ended.
void expect_output(struct ear *ear, int fd, const char *text);

// -- workers that must come about; `ear` may be NULL

nw_worker *worker_with(struct ear *ear, nw_worker_options options);
nw_worker *worker_of(struct ear *ear, const char *source);
void end_worker(nw_worker *worker);

// Creates with `options` and an ear of its own; must say that and end with 0.
void expect_says_so(nw_worker_options options, const char *said);

// Creates with `options`; must be refused with that status and a sentence that
// says so, and nothing may be left behind.
void expect_refusal(nw_worker_options options, nw_status status,
                    const char *part);

// Posts without transfer.
nw_status post(nw_worker *worker, const nw_value *value);
nw_status port_post(nw_port *port, const nw_value *value);

// Receives, waiting for a message; it must come. In `doc`.
const nw_value *port_receive(nw_port *port);

// That it is of that text.
void expect_received(nw_port *port, const char *text);

// A channel that must come about.
void channel(nw_port **port1, nw_port **port2);

// -- files of the test, in a directory of its own

void scratch_init(void);
void scratch_fini(void); // Removes all of it.

// A path in it. Static; good for seven more calls.
const char *scratch(const char *name);

// Writes a file there, making directories; returns its path.
const char *scratch_file(const char *name, const char *text);

#endif

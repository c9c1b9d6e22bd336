#include "src/listener.h"

#include <unistd.h>

#include "src/error_record.h"
#include "src/runtime.h"
#include "src/wire.h"

bool nw__listener_init(struct nw__listener *listener,
                       void (*destroy)(struct nw__listener *listener))
{
    listener->doc = nw_doc_create();
    if (listener->doc == NULL) {
        return false;
    }
    nw__mutex_init(&listener->lock);
    nw__cond_init(&listener->changed);
    listener->destroy = destroy;
    listener->references = 1;
    return true;
}

void nw__listener_fini(struct nw__listener *listener)
{
    nw_doc_destroy(listener->doc);
    nw__cond_fini(&listener->changed);
    nw__mutex_fini(&listener->lock);
}

void nw__listener_get(struct nw__listener *listener)
{
    nw__mutex_lock(&listener->lock);
    listener->references++;
    nw__mutex_unlock(&listener->lock);
}

void nw__listener_put(struct nw__listener *listener)
{
    uint32_t left;

    nw__mutex_lock(&listener->lock);
    left = --listener->references;
    nw__mutex_unlock(&listener->lock);

    if (left == 0) {
        listener->destroy(listener);
    }
}

// -- callbacks

// Like reading, it is tried again while memory is short.
static nw_doc *create_doc(void)
{
    nw_doc *doc = nw_doc_create();

    for (int i = 0; i < NW__READ_TRIES && doc == NULL; i++) {
        usleep(NW__READ_PAUSE_MS * 1000);
        doc = nw_doc_create();
    }
    return doc;
}

bool nw__listener_enter(struct nw__listener *listener,
                        struct nw__listener_call *call)
{
    bool wanted = !nw__runtime_exiting();
    bool first;

    *call = (struct nw__listener_call){.thread = pthread_self()};
    nw__mutex_lock(&listener->lock);
    wanted = wanted && !listener->muted;
    first = listener->calls == NULL;
    if (wanted) {
        call->next = listener->calls;
        listener->calls = call;
    }
    nw__mutex_unlock(&listener->lock);

    if (wanted) {
        call->doc = first ? listener->doc : create_doc();
    }
    return wanted;
}

void nw__listener_leave(struct nw__listener *listener,
                        struct nw__listener_call *call)
{
    struct nw__listener_call **link = &listener->calls;

    if (call->doc == listener->doc) {
        nw_doc_reset(call->doc);
    } else {
        nw_doc_destroy(call->doc);
    }
    nw__mutex_lock(&listener->lock);
    while (*link != call) {
        link = &(*link)->next;
    }
    *link = call->next;
    nw__cond_wake_all(&listener->changed);
    nw__mutex_unlock(&listener->lock);
}

static const nw_error no_memory = {
    .name = "Error",
    .message = "out of memory while a message was read",
    .stack = "",
    .code = "NW_ENOMEM",
};

const nw_error *nw__listener_read_error(nw_doc *doc, struct nw__message *record)
{
    const nw_error *error = doc != NULL ? nw__error_read(doc, record) : NULL;

    return error != NULL ? error : &no_memory;
}

const nw_value *nw__listener_read(nw_doc *doc, struct nw__message *message,
                                  const nw_error **error)
{
    bool again = message->beside == NULL;
    const char *detail = NULL;
    const nw_value *value;
    nw_status status;

    if (doc == NULL) {
        *error = &no_memory;
        return NULL;
    }
    status = nw__wire_read(doc, message, &value, 1, &detail);
    for (int i = 0; i < NW__READ_TRIES && again && status == NW_ENOMEM; i++) {
        usleep(NW__READ_PAUSE_MS * 1000);
        nw_doc_reset(doc);
        status = nw__wire_read(doc, message, &value, 1, &detail);
    }
    if (status == NW_OK) {
        return value;
    }
    *error = nw__error_make(doc, "Error", nw_status_name(status), detail);
    if (*error == NULL) {
        *error = &no_memory;
    }
    return NULL;
}

// Caller holds the lock.
static bool is_called_elsewhere(const struct nw__listener *listener)
{
    const struct nw__listener_call *call = listener->calls;

    while (call != NULL && pthread_equal(call->thread, pthread_self())) {
        call = call->next;
    }
    return call != NULL;
}

void nw__listener_mute(struct nw__listener *listener)
{
    nw__mutex_lock(&listener->lock);
    listener->muted = true;
    while (is_called_elsewhere(listener)) {
        nw__cond_wait(&listener->changed, &listener->lock);
    }
    nw__mutex_unlock(&listener->lock);
}

// -- keeping the inbox going. Callers hold the lock.

static void let_go(struct nw__listener *listener)
{
    if (listener->alive && listener->refd) {
        nw__inbox_unref(listener->inbox);
    }
}

static void hold(struct nw__listener *listener)
{
    if (listener->alive && listener->refd) {
        nw__inbox_ref(listener->inbox);
    }
}

nw_inbox *nw__listener_swap_inbox(struct nw__listener *listener,
                                  nw_inbox *inbox)
{
    nw_inbox *old = listener->inbox;

    let_go(listener);
    listener->inbox = inbox;
    hold(listener);
    return old;
}

void nw__listener_set_alive(struct nw__listener *listener, bool alive)
{
    nw__mutex_lock(&listener->lock);
    let_go(listener);
    listener->alive = alive;
    hold(listener);
    nw__mutex_unlock(&listener->lock);
}

void nw__listener_set_ref(struct nw__listener *listener, bool ref)
{
    nw__mutex_lock(&listener->lock);
    let_go(listener);
    listener->refd = ref;
    hold(listener);
    nw__mutex_unlock(&listener->lock);
}

void nw__listener_set_inbox(struct nw__listener *listener, nw_inbox *inbox)
{
    nw_inbox *old;

    nw__inbox_acquire(inbox);
    nw__mutex_lock(&listener->lock);
    old = nw__listener_swap_inbox(listener, inbox);
    nw__mutex_unlock(&listener->lock);
    nw__inbox_release(old);
}

bool nw__listener_has_ref(struct nw__listener *listener)
{
    bool has;

    nw__mutex_lock(&listener->lock);
    has = listener->alive && listener->refd;
    nw__mutex_unlock(&listener->lock);

    return has;
}

// Lock order: control.lock is a leaf. The wake function, called under it, only
// pokes the event loop.

#include "src/control.h"

#include "src/common.h"

static struct {
    nw__mutex lock;

    // -- protected by lock
    struct nw__command *head;
    struct nw__command *tail;
    void (*wake)(void *context);
    void *wake_context;
    bool gone;
} control = {.lock = NW__MUTEX_INIT};

struct nw__command *nw__command_create(enum nw__command_type type,
                                       uint32_t worker)
{
    struct nw__command *command = nw__alloc_zero(sizeof(*command));

    if (command != NULL) {
        command->type = type;
        command->worker = worker;
    }
    return command;
}

void nw__command_destroy(struct nw__command *command)
{
    if (command == NULL) {
        return;
    }
    nw__message_fini(&command->message);
    nw__free(command->file);
    nw__free(command->source);
    nw__free(command->directory);
    nw__free(command);
}

nw_status nw__control_send(struct nw__command *command)
{
    bool gone;

    nw__mutex_lock(&control.lock);
    gone = control.gone;
    if (!gone) {
        bool first = control.head == NULL;

        if (first) {
            control.head = command;
        } else {
            control.tail->next = command;
        }
        control.tail = command;
        if (first && control.wake != NULL) {
            control.wake(control.wake_context);
        }
    }
    nw__mutex_unlock(&control.lock);

    if (gone) {
        nw__command_destroy(command);
        return NW_ESTOPPED;
    }
    return NW_OK;
}

void nw__control_attach(void (*wake)(void *context), void *context)
{
    nw__mutex_lock(&control.lock);
    control.wake = wake;
    control.wake_context = context;
    if (control.head != NULL) {
        wake(context);
    }
    nw__mutex_unlock(&control.lock);
}

struct nw__command *nw__control_take(void)
{
    struct nw__command *head;

    nw__mutex_lock(&control.lock);
    head = control.head;
    control.head = NULL;
    control.tail = NULL;
    nw__mutex_unlock(&control.lock);

    return head;
}

void nw__control_detach(void)
{
    struct nw__command *command;

    nw__mutex_lock(&control.lock);
    control.gone = true;
    control.wake = NULL;
    nw__mutex_unlock(&control.lock);

    command = nw__control_take();
    while (command != NULL) {
        struct nw__command *next = command->next;

        nw__command_destroy(command);
        command = next;
    }
}

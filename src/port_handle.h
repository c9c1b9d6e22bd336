// What a port's handle is made of, for port.c and port_event.c.
//
// A port is a reference to a host object, a MessagePort in the control
// environment's table, and a listener. It is in a table of our own until it is
// destroyed: what is on its way then finds nobody. `closed` says that the other
// side has told so; `host->gone` that it was transferred.
//
// Lock order: table.lock > listener.lock. Neither is held for a callback.

#ifndef NW_SRC_PORT_HANDLE_H
#define NW_SRC_PORT_HANDLE_H

#include <nwpool/port.h>

#include "src/host.h"
#include "src/listener.h"
#include "src/message.h"

struct nw_port {
    struct nw__listener listener; // First; `lock` is its.

    // -- immutable after create
    struct nw__host *host; // One reference.
    bool is_broadcast;

    // -- protected by table.lock
    nw_port *next;

    // -- protected by lock
    nw_port_event_cb *on_event;
    void *user_data;
    uint32_t listens;          // How often somebody began to.
    bool closing;              // nw_port_close() was called.
    bool closed;               // CLOSE was posted.
    struct nw__message unread; // Received, and there was no memory to read it.
};

// -- port_event.c: the table by which the control environment finds who listens.

void nw__port_insert(nw_port *port);
void nw__port_extract(nw_port *port);

#endif

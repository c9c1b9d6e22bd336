// What the control environment tells of ports that C keeps. Ports are known by
// the number of their host object. Messages are moved out of if wanted. False:
// there was no memory and nothing was taken, try again later. Thread: control.

#ifndef NW_SRC_PORT_EVENTS_H
#define NW_SRC_PORT_EVENTS_H

#include <stdbool.h>

#include "src/message.h"

bool nw__port_message(uint64_t id, struct nw__message *message);
bool nw__port_message_error(uint64_t id, struct nw__message *record);
bool nw__port_closed(uint64_t id);
// It was transferred: nothing will be heard of it any more.
bool nw__port_moved(uint64_t id);

// The control environment is gone, and all ports with it.
void nw__port_all_closed(void);

#endif

// A message that contains itself. What arrives does too: its member is the very
// object, not a copy.
//
// Prints:
//   { foo: [Circular] }

#include <nwpool/port.h>

#include "check.h"

static void on_event(const nw_port_event *event, void *user_data)
{
    (void)user_data;
    check_error(event->error);
    if (event->type == NW_PORT_MESSAGE) {
        if (nw_object_get(event->value, "foo") == event->value) {
            puts("{ foo: [Circular] }");
        }
        // Nothing more will come: let nw_inbox_run() return.
        check(nw_port_close(event->port));
    }
}

int main(void)
{
    nw_doc *doc = nw_doc_create();
    nw_value *circular = nw_value_object(doc);
    nw_port *port1, *port2;
    nw_inbox *inbox;

    check(nw_inbox_create(&inbox));
    check(nw_channel_create(&port1, &port2));
    check(nw_port_listen(port1, on_event, NULL, inbox));

    check(nw_object_set(circular, "foo", circular));
    check(nw_port_post(port2, circular, NULL, 0));
    check(nw_inbox_run(inbox, NW_WAIT_FOREVER));

    check(nw_port_destroy(port1));
    check(nw_port_destroy(port2));
    check(nw_inbox_destroy(inbox));
    nw_doc_destroy(doc); // All of it at once: a circle is no leak.
    return 0;
}

// The two ends of a channel: what is posted at one is received at the other.
//
// Prints:
//   received { foo: 'bar' }

#include <nwpool/port.h>

#include "check.h"

static void on_event(const nw_port_event *event, void *user_data)
{
    (void)user_data;
    check_error(event->error);
    if (event->type == NW_PORT_MESSAGE) {
        printf("received { foo: '%s' }\n",
               nw_value_get_string(nw_object_get(event->value, "foo"), NULL));
        // Nothing more will come: let nw_inbox_run() return.
        check(nw_port_close(event->port));
    }
}

int main(void)
{
    nw_doc *doc = nw_doc_create();
    nw_value *message = nw_value_object(doc);
    nw_port *port1, *port2;
    nw_inbox *inbox;

    check(nw_inbox_create(&inbox));
    check(nw_channel_create(&port1, &port2));
    check(nw_port_listen(port1, on_event, NULL, inbox));

    check(nw_object_set(message, "foo", nw_value_string(doc, "bar")));
    check(nw_port_post(port2, message, NULL, 0));
    check(nw_inbox_run(inbox, NW_WAIT_FOREVER));

    check(nw_port_destroy(port1));
    check(nw_port_destroy(port2));
    check(nw_inbox_destroy(inbox));
    nw_doc_destroy(doc);
    return 0;
}

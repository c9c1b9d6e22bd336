// Closing one end closes both, behind the messages that were posted before.
//
// Prints:
//   foobar
//   closed!

#include <nwpool/port.h>

#include "check.h"

static void on_event(const nw_port_event *event, void *user_data)
{
    (void)user_data;
    check_error(event->error);
    if (event->type == NW_PORT_MESSAGE) {
        puts(nw_value_get_string(event->value, NULL));
    } else if (event->type == NW_PORT_CLOSE) {
        puts("closed!");
    }
}

int main(void)
{
    nw_doc *doc = nw_doc_create();
    nw_port *port1, *port2;
    nw_inbox *inbox;

    check(nw_inbox_create(&inbox));
    check(nw_channel_create(&port1, &port2));
    check(nw_port_listen(port2, on_event, NULL, inbox));

    check(nw_port_post(port1, nw_value_string(doc, "foobar"), NULL, 0));
    check(nw_port_close(port1));
    // Until the port that is listened to is closed.
    check(nw_inbox_run(inbox, NW_WAIT_FOREVER));

    check(nw_port_destroy(port1));
    check(nw_port_destroy(port2));
    check(nw_inbox_destroy(inbox));
    nw_doc_destroy(doc);
    return 0;
}

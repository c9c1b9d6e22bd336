// Takes messages out of a port one at a time, without a callback. There is one
// message here, and then there is none.
//
// Prints:
//   hello: world
//   nothing

#include <nwpool/port.h>

#include "check.h"

static void receive(nw_port *port)
{
    nw_doc *doc = nw_doc_create();
    const nw_value *message;
    nw_status status = nw_port_receive(port, doc, &message);

    if (status == NW_ENOENT) {
        puts("nothing");
    } else {
        check(status);
        printf("hello: %s\n",
               nw_value_get_string(nw_object_get(message, "hello"), NULL));
    }
    nw_doc_destroy(doc);
}

int main(void)
{
    nw_doc *doc = nw_doc_create();
    nw_value *message = nw_value_object(doc);
    nw_port *port1, *port2;

    check(nw_channel_create(&port1, &port2));
    check(nw_object_set(message, "hello", nw_value_string(doc, "world")));
    check(nw_port_post(port1, message, NULL, 0));
    receive(port2);
    receive(port2);

    check(nw_port_destroy(port1));
    check(nw_port_destroy(port2));
    nw_doc_destroy(doc);
    return 0;
}

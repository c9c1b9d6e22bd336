// Bytes that are posted are copied, unless they are in the transfer list: then
// they move, and the sender has none any more.
//
// Prints:
//   the sender has 4 bytes
//   the sender has 0 bytes
//   received 1 2 3 4
//   received 1 2 3 4

#include <nwpool/port.h>

#include "check.h"

// What nw_inbox_run() has to wait for.
#define MESSAGES 2

static void on_event(const nw_port_event *event, void *user_data)
{
    int *messages = user_data;
    const unsigned char *bytes;
    size_t size;

    check_error(event->error);
    if (event->type == NW_PORT_MESSAGE) {
        bytes = nw_value_get_bytes(event->value, &size);
        printf("received");
        for (size_t i = 0; i < size; i++) {
            printf(" %d", bytes[i]);
        }
        puts("");
        if (++*messages == MESSAGES) {
            check(nw_port_close(event->port));
        }
    }
}

static void show_size(const nw_value *value)
{
    size_t size;

    nw_value_get_bytes(value, &size);
    printf("the sender has %zu bytes\n", size);
}

int main(void)
{
    static const unsigned char numbers[] = {1, 2, 3, 4};
    nw_doc *doc = nw_doc_create();
    nw_value *bytes = nw_value_bytes(doc, numbers, sizeof(numbers));
    const nw_value *transfer[] = {bytes};
    nw_port *port1, *port2;
    nw_inbox *inbox;
    int messages = 0;

    check(nw_inbox_create(&inbox));
    check(nw_channel_create(&port1, &port2));
    check(nw_port_listen(port1, on_event, &messages, inbox));

    check(nw_port_post(port2, bytes, NULL, 0));
    show_size(bytes);
    check(nw_port_post(port2, bytes, transfer, 1));
    show_size(bytes);
    check(nw_inbox_run(inbox, NW_WAIT_FOREVER));

    check(nw_port_destroy(port1));
    check(nw_port_destroy(port2));
    check(nw_inbox_destroy(inbox));
    nw_doc_destroy(doc);
    return 0;
}

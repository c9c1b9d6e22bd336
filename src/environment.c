// Environment data: what getEnvironmentData() gives in workers. It is kept by
// Node.js, in the control environment, which hands a copy to each worker that it
// starts.

#include <nwpool/worker.h>

#include "src/common.h"
#include "src/control.h"
#include "src/detail.h"
#include "src/runtime.h"
#include "src/wire.h"

// The runtime runs until nw__runtime_release() after NW_OK.
static nw_status ask(enum nw__command_type type, const nw_value *const *values,
                     size_t count, struct nw__message *reply)
{
    struct nw__command *command;
    nw_status status = nw__runtime_acquire();

    if (status != NW_OK) {
        return status;
    }
    status = nw__command_write(&command, type, 0, values, count, NULL);
    if (status == NW_OK) {
        status = nw__control_call(command, reply, NULL);
    }
    nw__runtime_release();
    return status;
}

nw_status nw_environment_data_set(const nw_value *key, const nw_value *value)
{
    const nw_value *values[2] = {key, value};
    struct nw__message reply = {0};
    nw_status status;

    nw__detail_clear();
    if (key == NULL) {
        return NW_EINVAL;
    }
    // One that is left out is undefined, which takes the key away.
    status = ask(NW__COMMAND_SET_DATA, values, value != NULL ? 2 : 1, &reply);
    nw__message_fini(&reply);
    return status;
}

nw_status nw_environment_data_get(const nw_value *key, nw_doc *doc,
                                  const nw_value **out)
{
    struct nw__message reply = {0};
    nw_status status;

    nw__detail_clear();
    if (out != NULL) {
        *out = NULL;
    }
    if (key == NULL || doc == NULL || out == NULL) {
        return NW_EINVAL;
    }
    status = ask(NW__COMMAND_GET_DATA, &key, 1, &reply);
    if (status == NW_OK) {
        status = nw__wire_read(doc, &reply, out, 1, NULL);
    }
    nw__message_fini(&reply);
    return status;
}

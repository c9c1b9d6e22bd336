// The native half of glue.js and bootstrap.js: what process._linkedBinding()
// returns, in the control environment and in every worker. Node-API only.

#ifndef NW_SRC_BINDING_H
#define NW_SRC_BINDING_H

#include <node_api.h>

#define NW__BINDING_NAME "nwpool"

napi_value nw__binding_init(napi_env env, napi_value exports);

// Environment variables that are meant for another Node.js and hidden from
// ours: from the control environment while it starts, from workers always.
extern const char *const nw__hidden_variables[]; // NULL-terminated.

#endif

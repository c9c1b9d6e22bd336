// Pools of JavaScript programs: what index.js finds of C, beside what every
// environment finds (src/binding.h). One state for each environment that loads
// the addon; it is the control environment of its own pools.

#ifndef NW_BINDING_HOST_H
#define NW_BINDING_HOST_H

#include "src/binding.h"

// Defines host(), which makes the environment one that has pools. Throws.
void nw__host_define(struct nw__binding *binding, napi_value exports);

#endif

// What an addon has besides when it was built with `build.js --testing`.

#ifndef NW_BINDING_TESTING_H
#define NW_BINDING_TESTING_H

#include <node_api.h>

// Defines the functions of tests/binding/testing.c.
void nw__testing_define(napi_env env, napi_value exports);

#endif

// The addon of the npm package: src/binding.h in a Node.js that is there
// already. Initialised once in each environment that loads it, main thread or
// worker.

#include <stdio.h>
#include <string.h>

#include <node_api.h>
#include <node_version.h>

#include "binding/host.h"
#include "binding/testing.h"

#define TEXT_OF(x)  #x
#define TEXT(macro) TEXT_OF(macro)

#define MODULES TEXT(NODE_MODULE_VERSION)

// process.versions.modules; false with an exception pending.
static bool get_modules(napi_env env, char *text, size_t size)
{
    napi_value value;

    return napi_get_global(env, &value) == napi_ok &&
           napi_get_named_property(env, value, "process", &value) == napi_ok &&
           napi_get_named_property(env, value, "versions", &value) == napi_ok &&
           napi_get_named_property(env, value, "modules", &value) == napi_ok &&
           napi_get_value_string_utf8(env, value, text, size, NULL) == napi_ok;
}

// Node.js does not compare them for modules like this one, and V8's classes of
// another version would crash.
NAPI_MODULE_INIT()
{
    char modules[16] = "unknown";
    char text[128];
    struct nw__binding *binding;

    if (get_modules(env, modules, sizeof(modules)) &&
        strcmp(modules, MODULES) == 0) {
        binding = nw__binding_create(env, exports);
        if (binding == NULL) {
            return NULL;
        }
        nw__host_define(binding, exports);
#ifdef NW_TESTING
        if (exports != NULL) {
            nw__testing_define(env, exports);
        }
#endif
        return exports;
    }
    // lib/load.js looks for the beginning in a file that cannot be loaded.
    snprintf(text, sizeof(text),
             "nwpool was built for Node.js with module version " MODULES
             ", but this one has %s",
             modules);
    return nw__binding_throw(env, "ERR_DLOPEN_FAILED", text);
}

// A native addon as others build them: it expects Node-API among the symbols
// of the process and is linked to nothing.

#include <node_api.h>

static napi_value answer(napi_env env, napi_callback_info info)
{
    napi_value result = NULL;

    (void)info;
    napi_create_int32(env, 42, &result);
    return result;
}

NAPI_MODULE_INIT()
{
    napi_value function;

    napi_create_function(env, "answer", NAPI_AUTO_LENGTH, answer, NULL,
                         &function);
    napi_set_named_property(env, exports, "answer", function);
    return exports;
}

// How a worker is reached from other threads while it is busy or idle: an
// interrupt for its script, a handle for its event loop. See visit.h.

#include "src/binding.h"
#include "src/visit.h"

struct nw__binding_visits {
    uv_async_t async;
    void *isolate;
    uint32_t number;
};

static void on_async(uv_async_t *async)
{
    struct nw__binding_visits *visits = async->data;

    nw__worker_receive(visits->number);
}

// In the middle of a script. The number outlives every environment.
static void on_interrupt(void *number)
{
    nw__worker_receive((uint32_t)(uintptr_t)number);
}

static void poke(void *context)
{
    struct nw__binding_visits *visits = context;

    uv_async_send(&visits->async);
    nw__engine_interrupt_soon(visits->isolate, on_interrupt,
                              (void *)(uintptr_t)visits->number);
}

static void on_closed(uv_handle_t *handle)
{
    nw__free(handle->data);
}

static void on_cleanup(void *data)
{
    struct nw__binding_visits *visits = data;

    nw__worker_no_more_visits(visits->number);
    uv_close((uv_handle_t *)&visits->async, on_closed);
}

bool nw__binding_open_visits(struct nw__binding *binding)
{
    struct nw__binding_visits *visits = nw__alloc_zero(sizeof(*visits));
    uv_loop_t *loop;

    if (visits == NULL ||
        napi_get_uv_event_loop(binding->env, &loop) != napi_ok ||
        uv_async_init(loop, &visits->async, on_async) != 0) {
        nw__free(visits);
        return false;
    }
    visits->async.data = visits;
    visits->number = binding->worker;
    visits->isolate = nw__engine_isolate();
    uv_unref((uv_handle_t *)&visits->async); // It keeps nobody going.
    napi_add_env_cleanup_hook(binding->env, on_cleanup, visits);
    nw__worker_take_visits(visits->number, poke, visits);
    return true;
}

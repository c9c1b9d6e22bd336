// What a pool is asked for. Everything that can be wrong with it is said here,
// before a thread is started.

#include "pool/internal.h"

#include <math.h>
#include <string.h>

#include "src/detail.h"
#include "src/machine.h"
#include "src/options.h"

#define HIGH_WATER_DEFAULT 80
#define LOW_WATER_DEFAULT  50

#define MIB (1024.0 * 1024.0)

// Less than that is no heap for a module.
#define HEAP_MIN_MB 64

static nw_status check_counts(const nwpool_options *options)
{
    if (options->workers > NW_POOL_WORKERS_MAX) {
        return nw__fail(NW_EINVAL, "workers is %u; the most is %d",
                        options->workers, NW_POOL_WORKERS_MAX);
    }
    if (options->spares > NW_POOL_WORKERS_MAX) {
        return nw__fail(NW_EINVAL, "spares is %u; the most is %d",
                        options->spares, NW_POOL_WORKERS_MAX);
    }
    if (options->concurrency > NW_POOL_CONCURRENCY_MAX) {
        return nw__fail(NW_EINVAL, "concurrency is %u; the most is %d",
                        options->concurrency, NW_POOL_CONCURRENCY_MAX);
    }
    if (options->high_water > 100 || options->low_water > 100) {
        return nw__fail(NW_EINVAL,
                        "high_water and low_water are percentages, at most "
                        "100");
    }
    return NW_OK;
}

static bool is_limit(double limit)
{
    return isfinite(limit) && limit >= 0;
}

static nw_status check(const nwpool_options *options)
{
    const nw_resource_limits *limits = &options->limits;

    if (options->module == NULL || options->module[0] == '\0') {
        return nw__fail(NW_EINVAL, "module is not set");
    }
    if (options->escalation_ms == NW_WAIT_FOREVER) {
        return nw__fail(NW_EINVAL, "escalation_ms is for ever: a task past its "
                                   "limit would never end");
    }
    if ((options->set_up != NULL && options->set_up[0] == '\0') ||
        (options->tear_down != NULL && options->tear_down[0] == '\0')) {
        return nw__fail(NW_EINVAL,
                        "set_up or tear_down is empty; NULL is for none");
    }
    if (!is_limit(limits->max_old_generation_size_mb) ||
        !is_limit(limits->max_young_generation_size_mb) ||
        !is_limit(limits->code_range_size_mb) ||
        !is_limit(limits->stack_size_mb)) {
        return nw__fail(NW_EINVAL, "one of limits is no size in MiB");
    }
    return check_counts(options);
}

static void set_default(uint32_t *option, uint32_t value)
{
    if (*option == 0) {
        *option = value;
    }
}

static void resolve_size(nwpool_options *options)
{
    uint32_t cpus = nw__machine_cpus();

    set_default(&options->workers,
                cpus < NW_POOL_WORKERS_MAX ? cpus : NW_POOL_WORKERS_MAX);
    if (options->workers_min == NW_POOL_NO_MIN) {
        options->workers_min = 0;
    } else if (options->workers_min == 0) {
        options->workers_min = options->workers;
    }
    set_default(&options->concurrency, 1);
    set_default(&options->idle_ms, NW_POOL_IDLE_DEFAULT_MS);
}

static void resolve_times(nwpool_options *options)
{
    set_default(&options->ageing_ms, NW_POOL_AGEING_DEFAULT_MS);
    set_default(&options->expiry_ms, NW_WAIT_FOREVER);
    set_default(&options->run_limit_ms, NW_WAIT_FOREVER);
    set_default(&options->escalation_ms, NW_POOL_ESCALATION_DEFAULT_MS);
    set_default(&options->set_up_ms, NW_POOL_SET_UP_DEFAULT_MS);
    set_default(&options->tear_down_ms, NW_POOL_TEAR_DOWN_DEFAULT_MS);
}

static void resolve_flow(nwpool_options *options)
{
    set_default(&options->queue_max, NW_POOL_QUEUE_DEFAULT);
    if (options->queue_bytes_max == 0) {
        options->queue_bytes_max = NW_POOL_QUEUE_BYTES_DEFAULT;
    }
    set_default(&options->high_water, HIGH_WATER_DEFAULT);
    set_default(&options->low_water, LOW_WATER_DEFAULT < options->high_water
                                         ? LOW_WATER_DEFAULT
                                         : options->high_water);
}

// V8 would take a fixed share of the machine's memory for each worker, whatever
// the process may use. Left alone where that fits.
static void resolve_heap(nwpool_options *options)
{
    double workers = options->workers + options->spares;
    double each_mb = (double)nw__machine_memory() / MIB *
                     NW_POOL_HEAP_SHARE_PERCENT / 100 / workers;
    double v8_mb = sizeof(void *) == 8 ? 2048 : 1024;

    if (options->limits.max_old_generation_size_mb == 0 && each_mb < v8_mb) {
        options->limits.max_old_generation_size_mb =
            each_mb > HEAP_MIN_MB ? floor(each_mb) : HEAP_MIN_MB;
    }
}

nw_status nwpool__options_resolve(nwpool_options *out,
                                  const nwpool_options *given)
{
    nw_status status;

    if (given == NULL || nw__options_copy(out, sizeof(*out), given) != NW_OK) {
        return nw__fail(NW_EINVAL, "options is NULL, its struct_size is not "
                                   "the size of nwpool_options, or fields "
                                   "beyond it that this version does not know "
                                   "are set");
    }
    status = check(out);
    if (status != NW_OK) {
        return status;
    }
    resolve_size(out);
    if (out->workers_min > out->workers) {
        return nw__fail(NW_EINVAL, "workers_min is %u and workers %u",
                        out->workers_min, out->workers);
    }
    resolve_times(out);
    resolve_flow(out);
    if (out->low_water > out->high_water) {
        return nw__fail(NW_EINVAL, "low_water is above high_water");
    }
    resolve_heap(out);
    if (out->name == NULL || out->name[0] == '\0') {
        out->name = "nwpool";
    }
    return NW_OK;
}

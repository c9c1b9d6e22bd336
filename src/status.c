// Names and messages of statuses, both generated from NW_STATUS_MAP so that
// they cannot drift from the numbers.

#include <nwpool/status.h>

#include <stdarg.h>
#include <stdio.h>

#include "src/detail.h"

const char *nw_status_message(nw_status status)
{
    switch (status) {
#define NW_X(name, number, message)                                            \
    case NW_##name:                                                            \
        return message;
        NW_STATUS_MAP(NW_X)
#undef NW_X
    }
    return "unknown status";
}

const char *nw_status_name(nw_status status)
{
    switch (status) {
#define NW_X(name, number, message)                                            \
    case NW_##name:                                                            \
        return "NW_" #name;
        NW_STATUS_MAP(NW_X)
#undef NW_X
    }
    return "NW_UNKNOWN";
}

// -- the sentence. Plain memory of the thread: a destructor could run after the
// library's code is gone.

static _Thread_local char detail[NW__DETAIL_MAX];

nw_status nw__fail(nw_status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    return status;
}

void nw__detail_clear(void)
{
    detail[0] = '\0';
}

const char *nw_status_detail(void)
{
    return detail;
}

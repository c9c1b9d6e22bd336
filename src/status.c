// Names and messages of statuses, both generated from NW_STATUS_MAP so that
// they cannot drift from the numbers.

#include <nwpool/status.h>

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

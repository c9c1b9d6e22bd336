// The sentence behind nw_status_detail().

#ifndef NW_SRC_DETAIL_H
#define NW_SRC_DETAIL_H

#include <nwpool/status.h>

#define NW__DETAIL_MAX 512

// Keeps a sentence for this thread and returns `status`:
//     return nw__fail(NW_EINVAL, "env and share_env are both set; set one");
// What of it is not UTF-8 is the caller's to avoid; too long is cut.
nw_status nw__fail(nw_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Forgets it: what a public function calls first that may fail with a detail.
void nw__detail_clear(void);

#endif

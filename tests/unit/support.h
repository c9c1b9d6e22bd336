// What the unit tests share: values as text, and a check for leaks.

#ifndef NW_TESTS_UNIT_SUPPORT_H
#define NW_TESTS_UNIT_SUPPORT_H

#include <nwpool/value.h>

// A value as text that shows every difference C can see:
//   undefined null true 1 -0 NaN "text" [1, -, "key": 2] {"a": 1} <0a0b>
//   ArrayBuffer<0a> Int16Array<0a0b> -5n Date(0) /source/flags Object(1)
//   Map{key => value} Set{1} TypeError("message", code E, cause 1) #KeyObject
// "-" is a hole. Uint8Array goes without its name.
// Bytes that are not printable ASCII are \xNN; ^N is the container N levels
// up. The text is static and lives until the second call after this one.
const char *nw_test_text(const nw_value *value);

// Fails the running test if memory was lost; does nothing without
// AddressSanitizer. For .fini of suites: Criterion itself ignores leaks.
void nw_test_no_leaks(void);

// A release function that counts its calls in the int at `hint`.
void nw_test_count_release(void *data, size_t size, void *hint);

#endif

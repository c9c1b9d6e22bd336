// What this process may use of the machine it runs on.
//
// Everything is read anew by each call: limits may change while a process runs,
// and a pool asks once. Thread: any, also with the smallest stack. Blocks for
// as long as it takes to read some small files of the kernel's.

#ifndef NW_SRC_MACHINE_H
#define NW_SRC_MACHINE_H

#include <stdint.h>

#define NW__NO_LIMIT UINT64_MAX

// CPUs that the calling thread may run on, or that the CPU quota of its cgroups
// can keep busy, rounded up, if those are fewer. At least 1.
uint32_t nw__machine_cpus(void);

// Bytes of memory: what the machine has, what the process's cgroups allow, or
// RLIMIT_AS, whichever is the least.
uint64_t nw__machine_memory(void);

// What cgroups alone say, or NW__NO_LIMIT. All paths are taken below `root`,
// which is "/" but in tests. What cannot be read or understood limits nothing.
uint64_t nw__machine_cpu_quota(const char *root);
uint64_t nw__machine_memory_limit(const char *root);

#endif

// Random numbers of the tests that print their seed: splitmix64 (Steele, Lea and
// Flood, 2014). The state is whatever the caller makes it: one for all threads,
// of which each takes the next step, or one of its own.

#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdatomic.h>
#include <stdint.h>

#define RANDOM_STEP 0x9E3779B97F4A7C15u

static inline uint64_t random_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint64_t random_next(uint64_t *state)
{
    return random_mix(*state += RANDOM_STEP);
}

// Thread: any.
static inline uint64_t random_next_shared(_Atomic uint64_t *state)
{
    return random_mix(atomic_fetch_add(state, RANDOM_STEP));
}

#endif

// A scripted engine: the place of Node.js, for tests of everything else. It
// implements src/engine/engine.h and the binding's entry with threads that play
// workers, so that sanitizers see all there is and nothing is slow.
//
// A worker takes its module by its name: one that contains "broken" cannot be
// loaded. A task does what its function's name says, N being its first
// argument:
//
//   value    returns N at once
//   later    returns N after N ms, throws when its signal fires
//   deaf     never ends, and no signal is listened to
//   throw    throws
//   exit     ends its worker from inside
//   spin     computes until it is interrupted or its worker ended
//   hang     is stuck in native code until nw__script_release()
//   park     exhausts its heap: its worker's thread goes on no more
//   send     sends 0, 1, ... N - 1, waits for room when told to, returns N
//   print    prints a line and returns N
//
// Any worker fails now and then: it boots slowly, dies while it boots, or does
// not tear down.

#ifndef NW_TESTS_SCRIPT_ENGINE_H
#define NW_TESTS_SCRIPT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#define NW__SCRIPT_LINE "a line\n"

// Of what workers do at random. Before the first pool.
void nw__script_seed(uint64_t seed);

// Lets go of whoever hangs now, and of those to come if `for_good`.
void nw__script_release(bool for_good);

#endif

/* SPDX-License-Identifier: MIT */
/* Random numbers of the fuzzing guests: xorshift64*, for anything that has a member `random`, which is
 * its state and not 0. The same seed makes the same choices. */
#ifndef TESTS_PV_CHANCE_H
#define TESTS_PV_CHANCE_H

#include <stdint.h>

/* Any number; one below @n; true once in @n times. */
#define rnd(a)       chance(&(a)->random)
#define below(a, n)  ((rnd(a) >> 33) % (uint64_t)(n))
#define one_in(a, n) (below(a, n) == 0)

static inline uint64_t chance(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dul;
}

#endif

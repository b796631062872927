/* SPDX-License-Identifier: MIT */
/* The one division that C has no type for on this CPU without a support library. */
#pragma once

#include <hv/types.h>

/** div128by64 - (@hi * 2^64 + @lo) / @c; @hi < @c, or the CPU faults. */
static inline uint64_t div128by64(uint64_t hi, uint64_t lo, uint64_t c)
{
    asm("divq %2" : "+a"(lo), "+d"(hi) : "rm"(c) : "cc");
    return lo;
}

/* SPDX-License-Identifier: MIT */
/* CPU caches, for the sake of devices that do not snoop them. */
#include <hv/mmu.h>

#define CACHE_LINE 64 /* of every 64-bit processor so far */

void cache_flush_range(const void *va, size_t n)
{
    uintptr_t p = ALIGN_DOWN((uintptr_t)va, (uintptr_t)CACHE_LINE), end = (uintptr_t)va + n;

    asm volatile("mfence" : : : "memory");
    for (; p < end; p += CACHE_LINE)
        asm volatile("clflush %0" : : "m"(*(const char *)p) : "memory");
    asm volatile("mfence" : : : "memory");
}

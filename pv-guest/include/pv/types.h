/* SPDX-License-Identifier: MIT */
/* Types and small macros that every other guest header uses. */
#ifndef PV_TYPES_H
#define PV_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Machine frame and pseudo-physical frame numbers. Plain integers, unlike the
 * hypervisor's: test kernels make wrong ones on purpose, all the time. */
typedef uint64_t mfn_t;
typedef uint64_t pfn_t;
#define INVALID_MFN (~(mfn_t)0)
#define INVALID_PFN (~(pfn_t)0)

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define ROUND_UP(n, to)   (((n) + (to)-1) / (to) * (to))
#define ROUND_DOWN(n, to) ((n) / (to) * (to))
#define PAGES_OF(bytes)   (((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)

#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __noreturn     __attribute__((noreturn))
#define __page_aligned __attribute__((aligned(4096)))
#define __weak         __attribute__((weak))
#define likely(c)      __builtin_expect(!!(c), 1)
#define unlikely(c)    __builtin_expect(!!(c), 0)

#endif

/* SPDX-License-Identifier: MIT */
/* x86-64 page-table entries: bits and helpers. Intel SDM vol. 3, 4.5. */
#pragma once

#include <hv/types.h>

typedef uint64_t pte_t; /* an entry of any level */

#define PTE_P    (1UL << 0)
#define PTE_W    (1UL << 1)
#define PTE_U    (1UL << 2)
#define PTE_PWT  (1UL << 3)
#define PTE_PCD  (1UL << 4)
#define PTE_A    (1UL << 5)
#define PTE_D    (1UL << 6)
#define PTE_PSE  (1UL << 7) /* L2, L3: a superpage */
#define PTE_PAT  (1UL << 7) /* L1 */
#define PTE_G    (1UL << 8)
#define PTE_AVL  (7UL << 9)
#define PTE_GK   (1UL << 52) /* software: the guest made this a kernel (not user) mapping */
#define PTE_AVL2 (0x7ffUL << 52)
#define PTE_NX   (1UL << 63)

#define PTE_ADDR_MASK 0x000ffffffffff000UL
#define PTE_CACHE     (PTE_PWT | PTE_PCD | PTE_PAT)

#define PT_ENTRIES 512
#define L2_SHIFT   21
#define L3_SHIFT   30

static inline mfn_t pte_mfn(pte_t e)
{
    return mfn((e & PTE_ADDR_MASK) >> PAGE_SHIFT);
}

static inline pte_t pte_make(mfn_t m, uint64_t flags)
{
    return (m.n << PAGE_SHIFT) | flags;
}

/* Index of @va in a table of level @level (1..4). */
static inline unsigned int pt_index(uint64_t va, int level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (PT_ENTRIES - 1);
}

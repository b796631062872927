/* SPDX-License-Identifier: MIT */
/* Where the direct map of all RAM and the frame table are: fixed addresses, so that going from a
 * frame to its contents, or to its entry, is one shift and one addition. */
#pragma once

#include <hv/types.h>
#include <asm/layout.h>

#ifndef SOCLE_HOST
#define frame_table ((struct page *)FRAMETABLE_VIRT)

static inline void *mfn_to_virt(mfn_t m)
{
    return (void *)(DIRECTMAP_VIRT + (m.n << PAGE_SHIFT));
}

/** virt_to_mfn - @va must be an address in the direct map. */
static inline mfn_t virt_to_mfn(const void *va)
{
    return mfn(((uintptr_t)va - DIRECTMAP_VIRT) >> PAGE_SHIFT);
}
#else
extern struct page *frame_table;
void *mfn_to_virt(mfn_t m);
mfn_t virt_to_mfn(const void *va);
#endif

/** paddr_to_virt - @pa must be RAM. */
static inline void *paddr_to_virt(paddr_t pa)
{
    return (char *)mfn_to_virt(mfn(pa >> PAGE_SHIFT)) + (pa & ~PAGE_MASK);
}

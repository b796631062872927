/* SPDX-License-Identifier: MIT */
/* This pcpu's TLB. User mappings of guests are global, so that they survive the switches between a
 * guest's user and kernel tables; a switch to another address space must flush them. */
#pragma once

#include <hv/mmu.h>
#include <hv/percpu.h>

/** tlb_load_root - load CR3 and flush everything, global translations too. */
void tlb_load_root(struct pcpu *p, uint64_t cr3);
/** tlb_flush_this - flush everything on this pcpu under the present root. */
void tlb_flush_this(void);

/** tlb_invlpg - one page on this pcpu; @va is canonical. caches_write_back - of this pcpu, and empty. */
#ifdef SOCLE_HOST
void tlb_invlpg(uint64_t va);
void caches_write_back(void);
#else
#include <asm/processor.h>

static inline void tlb_invlpg(uint64_t va)
{
    invlpg(va);
}

/** load_root - from user to kernel tables of a vcpu, or back: what is global is common to both. */
static inline void load_root(struct pcpu *p, uint64_t cr3)
{
    p->arch.cr3 = cr3;
    write_cr3(cr3);
}

static inline void caches_write_back(void)
{
    asm volatile("wbinvd" : : : "memory");
}
#endif
/** caches_write_back_all - of all pcpus. */
void caches_write_back_all(void);

/* SPDX-License-Identifier: MIT */
/* What common code asks of the architecture's guest page tables. */
#pragma once

#include <hv/page.h>
#include <hv/cpumask.h>

/** mmu_grant_map - write a mapping of @pg (another domain's frame, references for the mapping are
 * taken inside, like those of any entry) into the current domain's page tables.
 * @contains_pte: @addr is the machine address of an entry, 8-byte aligned, inside a validated L1
 * table of the domain (XSA-227); else it is a linear address whose L1 table exists.
 * Locks: takes current domain's mmu_lock. Returns 0, -EINVAL, -EFAULT, -EBUSY. */
int mmu_grant_map(uint64_t addr, struct page *pg, bool writable, bool contains_pte, bool user,
                  uint16_t avail);

/** mmu_grant_unmap - clear (or replace by @new_pte_addr's mapping, moving it: GNTTABOP_unmap_and_replace)
 * the entry if and only if it still maps @pg with at most these rights (XSA-234).
 * @new_addr 0: clear. Returns 0, -EINVAL if the entry is another one. Flushes the TLB as needed. */
int mmu_grant_unmap(uint64_t addr, struct page *pg, bool writable, bool contains_pte,
                    uint64_t new_addr);

/** m2p_set - the machine-to-phys table entry of a frame. */
void m2p_set(mfn_t m, uint64_t pfn_n);
#define INVALID_M2P (~0UL) /* guests tell an entry that means nothing by its top bit */

/** tlb_flush_mask - flush guest translations on these pcpus and wait; interrupts are on. */
void tlb_flush_mask(cpumask_t mask);
/** tlb_flush_domain - on all pcpus that may hold translations of @d. */
void tlb_flush_domain(const struct domain *d);

/** m2p_chunk - frame of the @i-th 2 MiB of the machine-to-phys table, for XENMEM_machphys_mfn_list;
 * INVALID_MFN_N where there is none. */
uint64_t m2p_chunk(unsigned int i);
/** m2p_share - once at boot: its frames become the idle domain's, for the control domain to map. They
 * have a type that they never lose, so they are never writable. */
void m2p_share(void);

/** tlb_clock - stamp for a frame that loses its last writable reference (read before the count is
 * dropped). tlb_flush_since - flush those pcpus of @d (NULL: all pcpus, for a frame that changes
 * hands) that have not flushed since @stamp. */
uint32_t tlb_clock(void);
void tlb_flush_since(const struct domain *d, uint32_t stamp);

/** cache_flush_range - write these bytes of the direct map back to memory and drop them from all caches. */
void cache_flush_range(const void *va, size_t n);

/* SPDX-License-Identifier: MIT */
/* Guest memory: frames, pages, page tables, heap.
 *
 * A paravirtual guest knows two numberings of its memory. A pfn counts the guest's own pages
 * from 0; an mfn names the machine frame behind one, and only mfns may stand in page tables.
 * The p2m list (ours, writable) translates one way, the m2p table (the hypervisor's, read
 * only) the other.
 *
 *   VIRT_BASE    kernel image, start information, first page tables: as the domain builder
 *                mapped them, pfn 0 upwards ("boot map")
 *   PHYSMAP_BASE every later page at PHYSMAP_BASE + pfn * 4096, mapped 2 MiB at a time as the
 *                allocator needs it: each page has one kernel address, pfn_to_virt()
 *   VM_BASE      addresses handed out by vm_reserve(), for foreign frames, grants, experiments
 *
 * A page that serves as page table may have no writable mapping; the functions here take care.
 * The allocator manages the first MM_MAX_PAGES pages and leaves the others alone. */
#ifndef PV_MM_H
#define PV_MM_H

#include <pv/types.h>
#include <xen/xen.h>

#define VIRT_BASE    0xffffffff80000000ul
#define PHYSMAP_BASE 0xffff880000000000ul
#define VM_BASE      0xffffc00000000000ul
#define MM_MAX_PAGES 262144ul /* 1 GiB */

/* ---- frames ---- */

/** mm_nr_pages - how many pfns there are (start_info->nr_pages). */
pfn_t mm_nr_pages(void);
/** pfn_to_mfn - INVALID_MFN for a hole or a pfn beyond the end. */
mfn_t pfn_to_mfn(pfn_t pfn);
/** mfn_to_pfn - INVALID_PFN for a frame that is not ours. */
pfn_t mfn_to_pfn(mfn_t mfn);
/** p2m_set - record that @mfn (or INVALID_MFN) is now behind @pfn; changes no mapping. */
void p2m_set(pfn_t pfn, mfn_t mfn);
/** m2p_raw - the hypervisor's table entry for @mfn, unchecked: may fault for absurd numbers. */
uint64_t m2p_raw(mfn_t mfn);

/* Kernel addresses of boot map and physmap; the page need not be mapped (any more). */
void *pfn_to_virt(pfn_t pfn);
pfn_t virt_to_pfn(const void *va);
mfn_t virt_to_mfn(const void *va);
/** mfn_to_virt - NULL for a frame that is not ours. */
void *mfn_to_virt(mfn_t mfn);
/** virt_to_maddr - machine address of the byte at @va in boot map or physmap. */
uint64_t virt_to_maddr(const void *va);

/* ---- pages and heap ---- */

/** alloc_pages - @n neighbouring zeroed pages (neighbours by pfn and address, not by mfn);
 * NULL when memory is out. alloc_page() is alloc_pages(1). */
void *alloc_pages(size_t n);
void *alloc_page(void);
void free_pages(void *pages, size_t n);
void free_page(void *page);
/** mm_unused_pages - pages free now, mapped or not yet. */
size_t mm_unused_pages(void);

/** kmalloc - @size bytes, aligned to 16; kzalloc zeroes them. NULL when memory is out. */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void kfree(void *p);

/* ---- page-table entries ---- */

#define PTE_P        0x001ul
#define PTE_RW       0x002ul
#define PTE_US       0x004ul
#define PTE_PWT      0x008ul
#define PTE_PCD      0x010ul
#define PTE_A        0x020ul
#define PTE_D        0x040ul
#define PTE_PS       0x080ul /* above level 1: superpage */
#define PTE_PAT      0x080ul /* in level 1 */
#define PTE_G        0x100ul
#define PTE_SW0      0x200ul /* three bits for the guest's own use */
#define PTE_SW1      0x400ul
#define PTE_SW2      0x800ul
#define PTE_NX       (1ul << 63)
#define PTE_MFN_MASK 0x000ffffffffff000ul

#define PROT_RW    (PTE_P | PTE_RW | PTE_A | PTE_D)
#define PROT_RO    (PTE_P | PTE_A)
#define PROT_TABLE (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static inline uint64_t pte_make(mfn_t mfn, uint64_t flags)
{
    return (mfn << PAGE_SHIFT) | flags;
}

static inline mfn_t pte_mfn(uint64_t pte)
{
    return (pte & PTE_MFN_MASK) >> PAGE_SHIFT;
}

/** pt_index - which of the 512 entries of a level @level (1..4) table covers @va. */
static inline unsigned pt_index(uint64_t va, unsigned level)
{
    return va >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
}

/* ---- page tables ----
 * A tree is named by the pfn of its level 4 table. pt_kernel_root() is the one that the guest
 * kernel runs on. Pointers to entries are for reading; change entries with pt_write(). */

pfn_t pt_kernel_root(void);

/** pt_entry - the entry of level @level for @va, or NULL if no table of ours is there. */
uint64_t *pt_entry(uint64_t va, unsigned level);
uint64_t *pt_entry_in(pfn_t root, uint64_t va, unsigned level);

/** pt_entry_maddr - machine address of an entry: what mmu_update wants in `ptr`. */
uint64_t pt_entry_maddr(const uint64_t *entry);

/** pt_write - one mmu_update (MMU_NORMAL_PT_UPDATE); no TLB flush. 0 or -errno. */
int pt_write(const uint64_t *entry, uint64_t value);

/** pt_ensure - build the tables that are missing above the level 1 entry for @va.
 * Returns that entry, or NULL (memory is out, or the hypervisor refused: printed). */
uint64_t *pt_ensure(uint64_t va);
uint64_t *pt_ensure_in(pfn_t root, uint64_t va);

/** map_frame, unmap_frame - set the entry for @va in the kernel's tree, tables included, and
 * flush the old one from this vcpu's TLB. 0 or -errno. */
int map_frame(uint64_t va, mfn_t mfn, uint64_t flags);
int unmap_frame(uint64_t va);

/** page_readonly, page_writable - change the one kernel mapping of an allocated page, as is
 * needed before a page becomes a page table and after it has been one. 0 or -errno. */
int page_readonly(void *page);
int page_writable(void *page);

/** pt_pin, pt_unpin - mmuext_op pin of a table of @level 1..4 by its (read-only) page. */
int pt_pin(void *table, unsigned level);
int pt_unpin(void *table);

/** mmuext - one mmuext_op on ourselves. */
int mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2);
void tlb_flush_local(void);
void invlpg(uint64_t va);

/** vm_reserve - @n pages of fresh address space with level 1 tables below and nothing mapped. */
void *vm_reserve(size_t n);

/* called once by start of day */
void mm_init(void);

#endif

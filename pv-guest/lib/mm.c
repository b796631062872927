/* SPDX-License-Identifier: MIT */
/* Frame numbers and the page allocator.
 *
 * One bit per page: set means in use, or not under our care. Pages beyond the boot map get
 * their kernel mapping in chunks of 512 (one level 1 table) when the allocator runs low.
 *  M1  Only pages with a kernel mapping are free in the bitmap.
 *  M2  The last TABLE_RESERVE free pages serve page tables only, so that growing, which needs
 *      tables, always finds its pages. */
#include <pv/mm.h>
#include <pv/cpu.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/print.h>
#include <pv/spinlock.h>
#include <pv/string.h>
#include "internal.h"

#define CHUNK         512
#define TABLE_RESERVE 16

extern char image_start[];

static struct spinlock lock = SPINLOCK_INIT;      /* the bitmap and its counts */
static struct spinlock grow_lock = SPINLOCK_INIT; /* next_chunk; taken before `lock` */
static uint64_t used[MM_MAX_PAGES / 64];
static size_t nr_free;    /* clear bits in `used` */
static size_t hint;       /* where to search first */
static pfn_t boot_end;    /* first pfn that the domain builder did not map */
static pfn_t next_chunk;  /* first pfn not yet in the physmap */
static pfn_t managed_end; /* end of the pages that we manage */

/* ---- frame numbers ---- */

static uint64_t *p2m_list(void)
{
    return (uint64_t *)start_info->mfn_list;
}

pfn_t mm_nr_pages(void)
{
    return start_info->nr_pages;
}

mfn_t pfn_to_mfn(pfn_t pfn)
{
    return pfn < start_info->nr_pages ? p2m_list()[pfn] : INVALID_MFN;
}

void p2m_set(pfn_t pfn, mfn_t mfn)
{
    if (pfn < start_info->nr_pages)
        WRITE_ONCE(p2m_list()[pfn], mfn);
}

uint64_t m2p_raw(mfn_t mfn)
{
    return ((const volatile uint64_t *)MACH2PHYS_VIRT_START)[mfn];
}

/* The table holds what other domains wrote, too: ours is only what the p2m confirms. */
pfn_t mfn_to_pfn(mfn_t mfn)
{
    static const uint64_t entries = (MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) / 8;
    volatile uint64_t pfn;

    if (mfn >= entries || FAULT_OF(pfn = m2p_raw(mfn)).hit)
        return INVALID_PFN;
    return pfn_to_mfn(pfn) == mfn ? pfn : INVALID_PFN;
}

void *pfn_to_virt(pfn_t pfn)
{
    return (void *)((pfn < boot_end ? VIRT_BASE : PHYSMAP_BASE) + (pfn << PAGE_SHIFT));
}

pfn_t virt_to_pfn(const void *va)
{
    uint64_t a = (uint64_t)va;

    return (a - (a >= VIRT_BASE ? VIRT_BASE : PHYSMAP_BASE)) >> PAGE_SHIFT;
}

mfn_t virt_to_mfn(const void *va)
{
    return pfn_to_mfn(virt_to_pfn(va));
}

void *mfn_to_virt(mfn_t mfn)
{
    pfn_t pfn = mfn_to_pfn(mfn);

    return pfn == INVALID_PFN ? NULL : pfn_to_virt(pfn);
}

uint64_t virt_to_maddr(const void *va)
{
    return (virt_to_mfn(va) << PAGE_SHIFT) | ((uint64_t)va & ~PAGE_MASK);
}

/* ---- the bitmap; callers hold `lock` ---- */

static bool is_used(pfn_t pfn)
{
    return used[pfn / 64] >> (pfn % 64) & 1;
}

static void mark(pfn_t pfn, size_t n, bool in_use)
{
    for (; n; pfn++, n--) {
        if (is_used(pfn) == in_use)
            panic("page %#lx %s", pfn, in_use ? "allocated twice" : "freed twice");
        used[pfn / 64] ^= 1ul << (pfn % 64);
        nr_free += in_use ? -1 : 1;
    }
}

/* First run of @n free pages in [from, to), or INVALID_PFN. Addresses jump at boot_end. */
static pfn_t find_run(pfn_t from, pfn_t to, size_t n)
{
    size_t run = 0;

    for (pfn_t pfn = from; pfn < to; pfn++) {
        if (pfn == boot_end)
            run = 0;
        if (pfn % 64 == 0 && used[pfn / 64] == ~0ul) {
            run = 0;
            pfn += 63;
            continue;
        }
        run = is_used(pfn) ? 0 : run + 1;
        if (run == n)
            return pfn + 1 - n;
    }
    return INVALID_PFN;
}

static void *take(size_t n, size_t keep)
{
    bool events = spin_lock_events(&lock);
    pfn_t pfn = INVALID_PFN;

    if (nr_free >= n + keep) {
        pfn = find_run(hint, next_chunk, n);
        if (pfn == INVALID_PFN)
            pfn = find_run(0, next_chunk, n);
    }
    if (pfn != INVALID_PFN) {
        mark(pfn, n, true);
        hint = pfn + n;
    }
    spin_unlock_events(&lock, events);
    if (pfn == INVALID_PFN)
        return NULL;
    return memset(pfn_to_virt(pfn), 0, n << PAGE_SHIFT);
}

static void give(pfn_t pfn, size_t n)
{
    bool events = spin_lock_events(&lock);

    mark(pfn, n, false);
    if (pfn < hint)
        hint = pfn;
    spin_unlock_events(&lock, events);
}

/* ---- growing ---- */

/* Map pfns [first, last) at their physmap addresses: fill a level 1 table, then hang it in. */
static bool map_chunk(pfn_t first, pfn_t last)
{
    uint64_t va = PHYSMAP_BASE + (first << PAGE_SHIFT);
    uint64_t *l2e = pt_ensure_level2(va), *l1 = alloc_table_page();

    if (!l2e || !l1)
        return false;
    for (pfn_t pfn = first; pfn < last; pfn++)
        if (pfn_to_mfn(pfn) != INVALID_MFN)
            l1[pfn % CHUNK] = pte_make(pfn_to_mfn(pfn), PROT_RW);
    return page_readonly(l1) == 0 && pt_write(l2e, pte_make(virt_to_mfn(l1), PROT_TABLE)) == 0;
}

/* Bring one more chunk under the allocator; false when all memory is there. */
static bool grow(void)
{
    bool events = spin_lock_events(&grow_lock), ok = false;
    pfn_t first = next_chunk;
    pfn_t last = ROUND_DOWN(first, CHUNK) + CHUNK;

    if (last > managed_end)
        last = managed_end;
    if (first < last && map_chunk(first, last)) {
        next_chunk = last;
        for (pfn_t pfn = first; pfn < last; pfn++)
            if (pfn_to_mfn(pfn) != INVALID_MFN)
                give(pfn, 1);
        ok = true;
    }
    spin_unlock_events(&grow_lock, events);
    return ok;
}

void mm_replenish(void)
{
    while (READ_ONCE(nr_free) < 2 * TABLE_RESERVE && grow())
        ;
}

/* ---- what callers see ---- */

void *alloc_table_page(void)
{
    return take(1, 0);
}

void *alloc_pages(size_t n)
{
    void *p;

    do
        p = n ? take(n, TABLE_RESERVE) : NULL;
    while (!p && n && grow());
    return p;
}

void *alloc_page(void)
{
    return alloc_pages(1);
}

void free_pages(void *pages, size_t n)
{
    if (pages)
        give(virt_to_pfn(pages), n);
}

void free_page(void *page)
{
    free_pages(page, 1);
}

size_t mm_unused_pages(void)
{
    return nr_free + (managed_end - next_chunk);
}

/* ---- start ---- */

/* The first unmapped page above the builder's last structure, the page tables. */
static pfn_t find_boot_end(pfn_t from)
{
    const uint64_t *l1e;

    for (;; from++) {
        l1e = pt_entry(VIRT_BASE + (from << PAGE_SHIFT), 1);
        if (!l1e || !(*l1e & PTE_P))
            return from;
    }
}

void mm_init(void)
{
    pfn_t first_free = virt_to_pfn((void *)start_info->pt_base) + start_info->nr_pt_frames;

    memset(used, 0xff, sizeof(used));
    boot_end = INVALID_PFN; /* until known: all tables lie in the boot map */
    pt_init();
    boot_end = find_boot_end(first_free);
    if (boot_end > mm_nr_pages())
        boot_end = mm_nr_pages();
    managed_end = mm_nr_pages() < MM_MAX_PAGES ? mm_nr_pages() : MM_MAX_PAGES;
    if (boot_end > managed_end)
        panic("start structures end at page %#lx, too high", boot_end);
    next_chunk = boot_end;
    give(first_free, boot_end - first_free);
}

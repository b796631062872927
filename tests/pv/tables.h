/* SPDX-License-Identifier: MIT */
/* What the memory tests share: single calls with any foreign domain, pages that become tables and
 * come back, frames that are not ours, and the rules by which a page-table entry reads back. */
#ifndef TESTS_PV_TABLES_H
#define TESTS_PV_TABLES_H

#include <pv/test.h>
#include <xen/memory.h>

#define HV_ADDR       0xffff830000000000ul /* the hypervisor's part of the address space */
#define BAD_ADDR      0x0000800000000000ul /* not canonical */
#define NO_DOMAIN     77u                  /* a domain number that nobody has */
#define FRAME_NOWHERE 0x100000000ul        /* a frame far beyond the memory */

#define FRAGILE_ADDR 0xffffd00000000000ul /* slot 416 of level 4: nothing is there */

/* ---- entries ---- */

/* Kernel entries read back with the user bit (the kernel runs in ring 3). The global bit and bit 52
 * are the hypervisor's to mark user and kernel entries, the cache bits of RAM its to clear. */
#define PTE_BIT52  (1ul << 52)
#define PTE_HV_OWN (PTE_US | PTE_G | PTE_BIT52 | PTE_PWT | PTE_PCD | PTE_PAT)

/* Does @read mean what @written said? */
static inline bool pte_agrees(uint64_t read, uint64_t written)
{
    if (!(written & PTE_P))
        return read == written;
    return (read & ~PTE_HV_OWN) == (written & ~PTE_HV_OWN) && read & PTE_US;
}

#define check_pte(read, written) check(pte_agrees((read), (written)))

/* ---- calls ---- */

/* One mmu_update of @ptr, with the command in its low bits. @doms: foreigndom, both halves. */
static inline long update_for(uint64_t ptr, uint64_t val, unsigned doms)
{
    struct mmu_update u = {.ptr = ptr, .val = val};

    return hypercall_mmu_update(&u, 1, NULL, doms);
}

static inline long update(uint64_t ptr, uint64_t val)
{
    return update_for(ptr, val, DOMID_SELF);
}

/* Entry @i of the table in page @table. */
static inline long update_entry(const uint64_t *table, unsigned i, uint64_t val)
{
    return update(virt_to_maddr(&table[i]) | MMU_NORMAL_PT_UPDATE, val);
}

static inline long mmuext_for(unsigned cmd, uint64_t arg1, uint64_t arg2, unsigned dom)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.linear_addr = arg1, .arg2.src_mfn = arg2};

    return hypercall_mmuext_op(&op, 1, NULL, dom);
}

static inline long memory_for(unsigned long cmd, void *list, unsigned long nr, unsigned order,
                              unsigned flags, unsigned dom)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .mem_flags = flags, .domid = dom};

    set_xen_guest_handle(r.extent_start, list);
    return hypercall_memory_op(cmd, &r);
}

static inline long memory(unsigned long cmd, void *list, unsigned long nr, unsigned order)
{
    return memory_for(cmd, list, nr, order, 0, DOMID_SELF);
}

static inline long reservation_of(unsigned long cmd, domid_t dom)
{
    struct xen_memory_domain d = {.domid = dom};

    return hypercall_memory_op(cmd, &d);
}

static inline long current_pages(void)
{
    return reservation_of(XENMEM_current_reservation, DOMID_SELF);
}

/* ---- pages and tables ---- */

static inline void *expect(void *p)
{
    if (!p)
        panic("out of memory");
    return p;
}

static inline void *new_page(void)
{
    return expect(alloc_page());
}

/* An empty page, no longer writable, so that it may become a table. */
static inline uint64_t *new_table(void)
{
    uint64_t *t = new_page();

    if (page_readonly(t))
        panic("page cannot be made read-only");
    return t;
}

/* A page is a plain page again: not a table, no pin. Its end is part of each test's claim. */
#define check_free_table(table)                                                                    \
    do {                                                                                           \
        if (check_eq(page_writable(table), 0))                                                     \
            free_page(table);                                                                      \
    } while (0)

/* Write @i of a page that is read-only but not (yet) a table. */
static inline void set_entry(uint64_t *table, unsigned i, uint64_t val)
{
    if (page_writable(table))
        panic("not a plain page");
    table[i] = val;
    if (page_readonly(table))
        panic("page cannot be made read-only");
}

/* Addresses for experiments: 8 pages, next to each other, below one level 1 table. */
static inline uint64_t window(unsigned page)
{
    static uint64_t va;

    if (!va)
        va = (uint64_t)expect(vm_reserve(8));
    return va + page * PAGE_SIZE;
}

static inline long map_at(uint64_t va, uint64_t pte)
{
    return hypercall_update_va_mapping(va, pte, UVMF_INVLPG | UVMF_ALL);
}

static inline uint64_t rw_pte(const void *page)
{
    return pte_make(virt_to_mfn(page), PROT_RW);
}

static inline uint64_t ro_pte(const void *page)
{
    return pte_make(virt_to_mfn(page), PROT_RO);
}

static inline uint64_t table_pte(const void *page)
{
    return pte_make(virt_to_mfn(page), PROT_TABLE);
}

/* ---- frames of others ---- */

static inline bool frame_is_ours(mfn_t mfn)
{
    return mfn_to_pfn(mfn) != INVALID_PFN;
}

/* A frame of RAM that is the hypervisor's or free: the first one behind ours, and no device memory.
 */
static inline mfn_t foreign_frame(void)
{
    static mfn_t found;
    mfn_t end = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);

    for (mfn_t mfn = 0x200; !found && mfn < end; mfn++)
        if (!frame_is_ours(mfn) && map_at(window(7), pte_make(mfn, PROT_RO)) == -EBUSY)
            found = mfn;
    map_at(window(7), 0);
    if (!found)
        panic("all memory is ours");
    return found;
}

/* A second domain that serves calls, if the test was booted with one. */
static inline bool have_peer(struct peer *p)
{
    return reservation_of(XENMEM_current_reservation, 1) > 0 && peer_connect(p, 1) == 0;
}

#endif

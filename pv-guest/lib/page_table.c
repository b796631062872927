/* SPDX-License-Identifier: MIT */
/* Page tables: looking entries up, changing them through the hypervisor, growing trees.
 *
 * Tables are reached for reading through their kernel mapping (pfn_to_virt), which the
 * hypervisor keeps read-only while a page is a table.
 *  T1  A new table page is made read-only while it is empty, then hung in.
 *  T2  Trees grow under pt_lock; nothing else adds tables. */
#include <pv/mm.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/print.h>
#include <pv/spinlock.h>
#include "internal.h"

static struct spinlock pt_lock = SPINLOCK_INIT;
static struct spinlock vm_lock = SPINLOCK_INIT;
static pfn_t kernel_root;
static uint64_t vm_next = VM_BASE;

void pt_init(void)
{
    kernel_root = virt_to_pfn((void *)start_info->pt_base);
}

pfn_t pt_kernel_root(void)
{
    return kernel_root;
}

/* ---- lookup ---- */

uint64_t *pt_entry_in(pfn_t root, uint64_t va, unsigned level)
{
    uint64_t *table = pfn_to_virt(root);

    for (unsigned l = 4;; l--) {
        uint64_t *entry = &table[pt_index(va, l)];

        if (l == level)
            return entry;
        if (!(*entry & PTE_P) || *entry & PTE_PS)
            return NULL;
        table = mfn_to_virt(pte_mfn(*entry));
        if (!table)
            return NULL; /* one of the hypervisor's own tables */
    }
}

uint64_t *pt_entry(uint64_t va, unsigned level)
{
    return pt_entry_in(kernel_root, va, level);
}

uint64_t pt_entry_maddr(const uint64_t *entry)
{
    return virt_to_maddr(entry);
}

/* ---- changes ---- */

int pt_write(const uint64_t *entry, uint64_t value)
{
    struct mmu_update u = {.ptr = pt_entry_maddr(entry) | MMU_NORMAL_PT_UPDATE, .val = value};

    return hypercall_mmu_update(&u, 1, NULL, DOMID_SELF);
}

/* Hang an empty table below @entry of level @level. Caller holds pt_lock. */
static int add_table(uint64_t *entry)
{
    void *table = alloc_table_page();
    int rc;

    if (!table)
        return -ENOMEM;
    rc = page_readonly(table); /* T1 */
    if (rc == 0)
        rc = pt_write(entry, pte_make(virt_to_mfn(table), PROT_TABLE));
    if (rc) {
        page_writable(table);
        free_page(table);
    }
    return rc;
}

/* The entry of level @down_to for @va in tree @root, with all tables above it. */
static uint64_t *ensure(pfn_t root, uint64_t va, unsigned down_to)
{
    bool events = spin_lock_events(&pt_lock);
    uint64_t *entry = NULL;
    int rc = 0;

    for (unsigned l = 4; rc == 0; l--) {
        entry = pt_entry_in(root, va, l);
        if (l == down_to || !entry)
            break;
        if (!(*entry & PTE_P))
            rc = add_table(entry);
    }
    spin_unlock_events(&pt_lock, events);
    if (rc)
        printk("page tables for %#lx: error %d\n", va, rc);
    return rc ? NULL : entry;
}

uint64_t *pt_ensure_level2(uint64_t va)
{
    return ensure(kernel_root, va, 2);
}

uint64_t *pt_ensure_in(pfn_t root, uint64_t va)
{
    mm_replenish();
    return ensure(root, va, 1);
}

uint64_t *pt_ensure(uint64_t va)
{
    return pt_ensure_in(kernel_root, va);
}

int map_frame(uint64_t va, mfn_t mfn, uint64_t flags)
{
    if (!pt_ensure(va))
        return -ENOMEM;
    return hypercall_update_va_mapping(va, pte_make(mfn, flags), UVMF_INVLPG);
}

int unmap_frame(uint64_t va)
{
    return hypercall_update_va_mapping(va, 0, UVMF_INVLPG);
}

/* Other vcpus may hold the old right in their TLBs: flush them all. */
static int remap_page(void *page, uint64_t flags)
{
    return hypercall_update_va_mapping((unsigned long)page, pte_make(virt_to_mfn(page), flags),
                                       UVMF_INVLPG | UVMF_ALL);
}

int page_readonly(void *page)
{
    return remap_page(page, PROT_RO);
}

int page_writable(void *page)
{
    return remap_page(page, PROT_RW);
}

/* ---- extended operations ---- */

int mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.linear_addr = arg1, .arg2.src_mfn = arg2};

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

int pt_pin(void *table, unsigned level)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(table), 0);
}

int pt_unpin(void *table)
{
    return mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table), 0);
}

void tlb_flush_local(void)
{
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
}

void invlpg(uint64_t va)
{
    mmuext(MMUEXT_INVLPG_LOCAL, va, 0);
}

/* ---- address space ---- */

void *vm_reserve(size_t n)
{
    bool events = spin_lock_events(&vm_lock);
    uint64_t va = vm_next;

    vm_next += (n + 1) << PAGE_SHIFT; /* and one page that stays empty */
    spin_unlock_events(&vm_lock, events);
    for (size_t i = 0; i < n; i++)
        if (!pt_ensure(va + (i << PAGE_SHIFT)))
            return NULL;
    return (void *)va;
}

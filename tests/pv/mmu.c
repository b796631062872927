/* SPDX-License-Identifier: MIT */
/* Page tables by hypercall: does every command of mmu_update, update_va_mapping and mmuext_op do
 * what the ABI says, and refuse with the ABI's error what a guest may not have? */
#include "tables.h"

// domu: name=b mem=32M -- peer

/* ---- mmu_update: level 1 ---- */

TEST(level1_entry_is_set_and_cleared)
{
    uint64_t *page = new_page(), *other = new_page();
    volatile uint64_t *p = (uint64_t *)window(0);
    uint64_t *l1e = pt_entry(window(0), 1);

    page[3] = 33;
    other[3] = 44;
    check_eq(pt_write(l1e, rw_pte(page)), 0);
    check_pte(*l1e, rw_pte(page));
    check_eq(p[3], 33);
    p[4] = 34;
    check_eq(page[4], 34);
    check_eq(pt_write(l1e, rw_pte(other)), 0);
    invlpg(window(0));
    check_eq(p[3], 44);
    check_eq(pt_write(l1e, ro_pte(other)), 0);
    invlpg(window(0));
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, p[3] = 1);
    check_eq(pt_write(l1e, 0), 0);
    invlpg(window(0));
    check_fault_err(TRAP_PF, 0, (void)p[3]);
    check_eq(*l1e, 0);
    free_page(page);
    free_page(other);
}

TEST(level1_entry_without_present_bit_is_the_guests)
{
    static const uint64_t values[] = {0x2, 0x80, 0xfe, 1ul << 63, ~1ul, 0x8000001234567ffeul};
    uint64_t *l1e = pt_entry(window(0), 1);

    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        check_eq(pt_write(l1e, values[i]), 0);
        check_eq(*l1e, values[i]);
        check_fault_err(TRAP_PF, 0, *(volatile char *)window(0));
    }
    check_eq(pt_write(l1e, 0), 0);
}

TEST(level1_flags_read_back)
{
    static const uint64_t kept[] = {PTE_RW, PTE_A,     PTE_D,     PTE_SW0,   PTE_SW1,  PTE_SW2,
                                    PTE_NX, 1ul << 53, 1ul << 58, 1ul << 59, 1ul << 61};
    void *page = new_page();
    uint64_t *l1e = pt_entry(window(0), 1), both;

    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        check_eq(map_at(window(0), pte_make(virt_to_mfn(page), PTE_P | kept[i])), 0);
        check_pte(*l1e, pte_make(virt_to_mfn(page), PTE_P | kept[i]));
    }
    /* Global is what marks a user page. Cache bits on RAM may be kept or dropped, not more. */
    check_eq(map_at(window(0), rw_pte(page)), 0);
    check_eq(*l1e & (PTE_US | PTE_G), PTE_US);
    check_eq(map_at(window(0), rw_pte(page) | PTE_US), 0);
    check_eq(*l1e & (PTE_US | PTE_G), PTE_US | PTE_G);
    check_eq(map_at(window(0), rw_pte(page) | PTE_US | PTE_G), 0);
    check_eq(*l1e & (PTE_US | PTE_G), PTE_US | PTE_G);
    both = rw_pte(page) | PTE_PCD | PTE_PWT;
    check_eq(map_at(window(0), both), 0);
    check_pte(*l1e, both);
    /* What was read can be written back. */
    check_eq(map_at(window(0), rw_pte(page)), 0);
    both = *l1e;
    check_eq(map_at(window(0), both), 0);
    check_eq(*l1e, both);
    check_eq(map_at(window(0), 0), 0);
    free_page(page);
}

TEST(nx_is_kept_and_works)
{
    char *page = new_page();
    struct fault f;

    page[0] = (char)0xc3;
    check_eq(map_at(window(0), ro_pte(page)), 0);
    check(probe_call((void *)window(0), NULL));
    check_eq(map_at(window(0), ro_pte(page) | PTE_NX), 0);
    check(!probe_call((void *)window(0), &f));
    check_eq(f.error, PFEC_P | PFEC_I);
    check_eq(map_at(window(0), 0), 0);
    free_page(page);
}

TEST(accessed_and_dirty_follow_use)
{
    uint64_t *page = new_page();
    volatile uint64_t *p = (uint64_t *)window(0);
    volatile uint64_t *l1e = pt_entry(window(0), 1);
    uint64_t bare = pte_make(virt_to_mfn(page), PTE_P | PTE_RW);
    uint64_t keep = virt_to_maddr((void *)l1e) | MMU_PT_UPDATE_PRESERVE_AD;

    check_eq(map_at(window(0), bare), 0);
    check_eq(*l1e & (PTE_A | PTE_D), 0);
    (void)p[0];
    check_eq(*l1e & (PTE_A | PTE_D), PTE_A);
    p[0] = 1;
    check_eq(*l1e & (PTE_A | PTE_D), PTE_A | PTE_D);
    /* Preserving: the bits survive a change of rights; a normal update takes what it is given. */
    check_eq(update(keep, bare & ~PTE_RW), 0);
    check_eq(*l1e & (PTE_RW | PTE_A | PTE_D), PTE_A | PTE_D);
    check_eq(update(keep, bare | PTE_SW0), 0);
    check_eq(*l1e & (PTE_RW | PTE_SW0 | PTE_A | PTE_D), PTE_RW | PTE_SW0 | PTE_A | PTE_D);
    check_eq(pt_write((uint64_t *)l1e, bare), 0);
    check_eq(*l1e & (PTE_A | PTE_D), 0);
    check_eq(map_at(window(0), 0), 0);
    free_page(page);
}

TEST(no_translate_is_as_normal)
{
    void *page = new_page();
    uint64_t *l1e = pt_entry(window(0), 1);

    check_eq(update(pt_entry_maddr(l1e) | MMU_PT_UPDATE_NO_TRANSLATE, rw_pte(page)), 0);
    check_pte(*l1e, rw_pte(page));
    check_eq(update(pt_entry_maddr(l1e) | MMU_PT_UPDATE_NO_TRANSLATE, 0), 0);
    check_eq(*l1e, 0);
    free_page(page);
}

TEST(commands_beyond_the_last_are_unknown)
{
    uint64_t *l1e = pt_entry(window(0), 1);

    for (unsigned cmd = 4; cmd < 8; cmd++)
        check_eq(update(pt_entry_maddr(l1e) | cmd, 0), -ENOSYS);
}

TEST(level1_refuses_frames_of_others)
{
    mfn_t hv = foreign_frame();
    uint64_t *l1e = pt_entry(window(0), 1);

    check_eq(pt_write(l1e, pte_make(hv, PROT_RW)), -EBUSY);
    check_eq(pt_write(l1e, pte_make(hv, PROT_RO)), -EBUSY);
    check_eq(pt_write(l1e, pte_make(FRAME_NOWHERE, PROT_RW)), -EPERM);
    check_eq(pt_write(l1e, pte_make(PTE_MFN_MASK >> PAGE_SHIFT, PROT_RW)), -EINVAL);
    for (unsigned bit = 40; bit < 52; bit++)
        check_eq(pt_write(l1e, rw_pte(start_info) | 1ul << bit), -EPERM);
    check_eq(*l1e, 0);
}

TEST(refused_update_leaves_the_old_mapping)
{
    uint64_t *page = new_page();
    uint64_t *l1e = pt_entry(window(0), 1);

    page[1] = 0x10; /* not a present entry: it will be a table */
    check_eq(map_at(window(0), rw_pte(page)), 0);
    check_eq(pt_write(l1e, pte_make(foreign_frame(), PROT_RW)), -EBUSY);
    check_eq(pt_write(l1e, pte_make(virt_to_mfn(l1e), PROT_RW)), -EBUSY);
    check_pte(*l1e, rw_pte(page));
    check_eq(*(volatile uint64_t *)(window(0) + 8), 0x10);
    check_eq(page_readonly(page), 0);
    check_eq(pt_pin(page, 1), -EINVAL); /* still one writable mapping */
    check_eq(map_at(window(0), 0), 0);
    check_eq(pt_pin(page, 1), 0);
    check_eq(pt_unpin(page), 0);
    check_free_table(page);
}

/* An entry outside of any table is plain memory; the call writes it and checks nothing. */
TEST(update_of_a_plain_page_stores)
{
    uint64_t *page = new_page();

    check_eq(update_entry(page, 7, 0x123456789abcdef1ul), 0);
    check_eq(page[7], 0x123456789abcdef1ul);
    check_eq(page_readonly(page), 0);
    check_eq(update_entry(page, 8, 0x55), 0);
    check_eq(page[8], 0x55);
    check_free_table(page);
}

TEST(update_refuses_entries_in_frames_of_others)
{
    check_eq(update(foreign_frame() << PAGE_SHIFT, 0), -EINVAL);
    check_eq(update(FRAME_NOWHERE << PAGE_SHIFT, 0), -EINVAL);
    check_eq(update(0xb8000, 0), -EINVAL); /* device memory */
    check_eq(update(0xfee00000, 0), -EINVAL);
    check_eq(update(~7ul, 0), -EINVAL);
}

/* ---- mmu_update: levels 2 to 4 ---- */

/* Tables at FRAGILE_ADDR, one of each level, not yet linked: t[1] to t[4]. */
static void make_tables(uint64_t *t[5])
{
    for (unsigned level = 1; level <= 4; level++)
        t[level] = new_table();
    t[4] = pfn_to_virt(pt_kernel_root());
}

/* Link t[3] (with t[2] and t[1] below) into the live tree, or take it out. */
static long link_tables(uint64_t *t[5], uint64_t flags)
{
    long rc = update_entry(t[4], pt_index(FRAGILE_ADDR, 4), pte_make(virt_to_mfn(t[3]), flags));

    if (rc == 0)
        rc = update_entry(t[3], 0, pte_make(virt_to_mfn(t[2]), flags));
    if (rc == 0)
        rc = update_entry(t[2], 0, pte_make(virt_to_mfn(t[1]), flags));
    return rc;
}

static void free_tables(uint64_t *t[5])
{
    check_eq(update_entry(t[4], pt_index(FRAGILE_ADDR, 4), 0), 0);
    tlb_flush_local();
    for (unsigned level = 1; level <= 3; level++)
        check_free_table(t[level]);
}

TEST(tables_are_linked_one_by_one)
{
    uint64_t *t[5], *page = new_page();
    volatile uint64_t *p = (uint64_t *)FRAGILE_ADDR;

    make_tables(t);
    page[2] = 22;
    need_eq(link_tables(t, PROT_TABLE), 0);
    check_pte(t[3][0], table_pte(t[2]));
    check_pte(t[2][0], table_pte(t[1]));
    check_pte(t[4][pt_index(FRAGILE_ADDR, 4)], table_pte(t[3]));
    for (unsigned level = 1; level <= 3; level++)
        check_eq(page_writable(t[level]), -EBUSY);
    check_eq(map_at(FRAGILE_ADDR, rw_pte(page)), 0);
    check_eq(p[2], 22);
    check_eq(update_entry(t[2], 0, 0), 0);
    invlpg(FRAGILE_ADDR);
    check_fault_err(TRAP_PF, 0, (void)p[2]);
    check_eq(map_at(FRAGILE_ADDR, 0), -EINVAL); /* no level 1 entry any more */
    check_eq(page_writable(t[1]), 0);
    t[1][0] = 0;
    check_eq(page_readonly(t[1]), 0);
    free_tables(t);
    free_page(page);
}

TEST(rights_of_upper_entries_count)
{
    uint64_t *t[5], *page = new_page();
    volatile uint64_t *p = (uint64_t *)FRAGILE_ADDR;

    make_tables(t);
    need_eq(link_tables(t, PROT_TABLE), 0);
    check_eq(map_at(FRAGILE_ADDR, rw_pte(page)), 0);
    for (unsigned level = 2; level <= 3; level++) {
        check_eq(update_entry(t[level], 0, table_pte(t[level - 1]) & ~PTE_RW), 0);
        tlb_flush_local();
        check_fault_err(TRAP_PF, PFEC_P | PFEC_W, p[0] = 1);
        check_eq(update_entry(t[level], 0, table_pte(t[level - 1]) | PTE_NX), 0);
        tlb_flush_local();
        check_no_fault(p[0] = 1);
        check(!probe_call((void *)FRAGILE_ADDR, NULL));
        check_eq(update_entry(t[level], 0, table_pte(t[level - 1])), 0);
    }
    tlb_flush_local();
    check_no_fault(p[0] = 1);
    free_tables(t);
    free_page(page);
}

TEST(upper_entries_refuse_some_flags)
{
    static const uint64_t good[] = {PTE_RW,  PTE_US,  PTE_A,  PTE_D,     PTE_SW0,
                                    PTE_SW1, PTE_SW2, PTE_NX, 1ul << 58, 1ul << 61};
    static const uint64_t bad[] = {PTE_PWT, PTE_PCD, PTE_PS, PTE_G};
    uint64_t *t[5];

    make_tables(t);
    for (unsigned level = 4; level >= 2; level--) {
        unsigned slot = level == 4 ? pt_index(FRAGILE_ADDR, 4) : 0;
        mfn_t below = virt_to_mfn(t[level - 1]);

        for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
            check_eq(update_entry(t[level], slot, pte_make(below, PTE_P | good[i])), 0);
            check_pte(t[level][slot] | PTE_A, pte_make(below, PTE_P | good[i]) | PTE_A);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
            check_eq(update_entry(t[level], slot, pte_make(below, PTE_P | bad[i])), -EINVAL);
        check_eq(update_entry(t[level], slot, pte_make(FRAME_NOWHERE, PROT_TABLE)), -EINVAL);
        check_eq(update_entry(t[level], slot, pte_make(foreign_frame(), PROT_TABLE)), -EINVAL);
        check_eq(update_entry(t[level], slot, pte_make(0xb8, PROT_TABLE)), -EINVAL);
        check_eq(update_entry(t[level], slot, 1ul << 50 | table_pte(t[level - 1])), -EINVAL);
        check_eq(update_entry(t[level], slot, pte_make(below, PROT_TABLE)), 0);
    }
    free_tables(t);
}

TEST(upper_entries_want_a_table_of_the_level_below)
{
    uint64_t *t[5], *page = new_page();

    make_tables(t);
    need_eq(link_tables(t, PROT_TABLE), 0);
    for (unsigned level = 2; level <= 4; level++) {
        check_eq(update_entry(t[level], 300, table_pte(page)), -EINVAL); /* writable */
        for (unsigned wrong = 1; wrong <= 4; wrong++)
            if (wrong != level - 1 && wrong != level)
                check_eq(update_entry(t[level], 300, table_pte(t[wrong])), -EINVAL);
        check_eq(t[level][300], 0);
        if (level < 4) { /* 300 of level 4 is a slot of ours, too, but leave no holes to fall in */
            check_eq(update_entry(t[level], 300, table_pte(t[level - 1])), 0);
            check_eq(update_entry(t[level], 300, 0), 0);
        }
    }
    /* Level 1 may name tables, as pages to read. */
    check_eq(map_at(FRAGILE_ADDR, ro_pte(t[1])), 0);
    check_eq(map_at(FRAGILE_ADDR, ro_pte(t[4])), 0);
    check_eq(map_at(FRAGILE_ADDR, rw_pte(t[3])), -EBUSY);
    check_eq(*(volatile uint64_t *)(FRAGILE_ADDR + 8 * pt_index(FRAGILE_ADDR, 4)),
             t[4][pt_index(FRAGILE_ADDR, 4)]);
    check_eq(map_at(FRAGILE_ADDR, 0), 0);
    free_tables(t);
    free_page(page);
}

TEST(upper_entries_without_present_bit_are_the_guests)
{
    uint64_t *t[5];

    make_tables(t);
    need_eq(link_tables(t, PROT_TABLE), 0);
    for (unsigned level = 2; level <= 3; level++) {
        check_eq(update_entry(t[level], 9, ~1ul), 0);
        check_eq(t[level][9], ~1ul);
        check_eq(update_entry(t[level], 9, PTE_PS), 0);
        check_eq(t[level][9], PTE_PS);
    }
    check_fault_err(TRAP_PF, 0, *(volatile char *)(FRAGILE_ADDR + 9 * (1ul << 21)));
    free_tables(t);
}

TEST(slots_of_the_hypervisor_are_closed)
{
    uint64_t *root = pfn_to_virt(pt_kernel_root()), *table = new_table();

    for (unsigned slot = 256; slot < 272; slot++) {
        uint64_t was = root[slot];

        check_eq(update_entry(root, slot, 0), -EINVAL);
        check_eq(update_entry(root, slot, table_pte(table)), -EINVAL);
        check_eq(update_entry(root, slot, was ^ PTE_RW), -EINVAL);
        check_eq(root[slot], was);
    }
    check_free_table(table);
}

/* ---- machine-to-phys ---- */

TEST(machphys_update)
{
    void *page = new_page();
    uint64_t at = virt_to_maddr(page) | MMU_MACHPHYS_UPDATE;
    pfn_t pfn = virt_to_pfn(page);

    check_eq(m2p_raw(virt_to_mfn(page)), pfn);
    check_eq(update(at, 0x1234), 0);
    check_eq(m2p_raw(virt_to_mfn(page)), 0x1234);
    check_eq(update(at | 0x800, 0xfffffffffffful), 0); /* which byte of the frame does not matter */
    check_eq(m2p_raw(virt_to_mfn(page)), 0xfffffffffffful);
    check_eq(update_for(at, 1, DOMID_IO), -EINVAL);
    check_lt(update_for(at, 1, DOMID_XEN), 0);
    check_eq(update_for(at, 1, NO_DOMAIN), -ESRCH);
    check_eq(m2p_raw(virt_to_mfn(page)), 0xfffffffffffful);
    check_eq(update(at, pfn), 0);
    check_eq(m2p_raw(virt_to_mfn(page)), pfn);
    check_eq(update(foreign_frame() << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 5), -EINVAL);
    check_eq(update(FRAME_NOWHERE << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 5), -EINVAL);
    check_eq(update(0xb8000 | MMU_MACHPHYS_UPDATE, 5), -EINVAL);
    free_page(page);
}

/* ---- batches ---- */

TEST(batches_stop_at_the_first_failure)
{
    void *page = new_page();
    struct mmu_update u[4];
    unsigned done = 99;

    for (unsigned i = 0; i < 4; i++)
        u[i] = (struct mmu_update){pt_entry_maddr(pt_entry(window(i), 1)), rw_pte(page)};
    u[2].val = pte_make(foreign_frame(), PROT_RW);
    check_eq(hypercall_mmu_update(u, 4, &done, DOMID_SELF), -EBUSY);
    check_eq(done, 2);
    check_pte(*pt_entry(window(1), 1), rw_pte(page));
    check_eq(*pt_entry(window(2), 1), 0);
    check_eq(*pt_entry(window(3), 1), 0);
    check_eq(hypercall_mmu_update(u, 2, &done, DOMID_SELF), 0);
    check_eq(done, 2);
    check_eq(hypercall_mmu_update(u, 0, &done, DOMID_SELF), 0);
    check_eq(done, 0);
    check_eq(hypercall_mmu_update(u, 4, NULL, DOMID_SELF), -EBUSY);
    for (unsigned i = 0; i < 4; i++)
        u[i].val = 0;
    check_eq(hypercall_mmu_update(u, 4, &done, DOMID_SELF), 0);
    check_eq(done, 4);
    tlb_flush_local();
    free_page(page);
}

#define PREEMPTED 0x80000000u /* count says: a continued call, done counts from before */

TEST(preempted_counts_go_on)
{
    struct mmu_update u[2] = {{pt_entry_maddr(pt_entry(window(0), 1)), 0}, {}};
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    unsigned done;

    u[1] = u[0];
    done = 5;
    check_eq(hypercall_mmu_update(u, 2 | PREEMPTED, &done, DOMID_SELF), 0);
    check_eq(done, 7);
    check_eq(hypercall_mmu_update(u, 0 | PREEMPTED, &done, DOMID_SELF), 0);
    check_eq(done, 7);
    done = 5;
    check_eq(hypercall_mmuext_op(&op, 1 | PREEMPTED, &done, DOMID_SELF), 0);
    check_eq(done, 6);
    check_eq(hypercall_mmuext_op(&op, 0 | PREEMPTED, &done, DOMID_SELF), 0);
    check_eq(done, 6);
    /* A place for the number that cannot be written is no error. */
    check_eq(hypercall_mmu_update(u, 2 | PREEMPTED, (void *)0x1000, DOMID_SELF), 0);
    check_eq(hypercall_mmu_update(u, 1, (void *)HV_ADDR, DOMID_SELF), 0);
    check_eq(hypercall_mmuext_op(&op, 1 | PREEMPTED, (void *)0x1000, DOMID_SELF), 0);
    check_eq(hypercall_mmuext_op(&op, 1, (void *)HV_ADDR, DOMID_SELF), 0);
}

TEST(long_batch_is_done_whole)
{
    enum { N = 4096 };
    struct mmu_update *u = expect(alloc_pages(PAGES_OF(N * sizeof(*u))));
    void *page = new_page();
    unsigned done = 0;

    for (unsigned i = 0; i < N; i++)
        u[i] = (struct mmu_update){pt_entry_maddr(pt_entry(window(i % 6), 1)),
                                   i < N - 6 ? rw_pte(page) | (i / 6 % 8) << 9 : 0};
    check_eq(hypercall_mmu_update(u, N, &done, DOMID_SELF), 0);
    check_eq(done, N);
    for (unsigned i = 0; i < 6; i++)
        check_eq(*pt_entry(window(i), 1), 0);
    tlb_flush_local();
    free_page(page);
    free_pages(u, PAGES_OF(N * sizeof(*u)));
}

TEST(lists_that_cannot_be_read)
{
    char *va = expect(vm_reserve(2)), *page = new_page();
    struct mmu_update *u = (void *)(va + PAGE_SIZE - 2 * sizeof(*u));
    struct mmuext_op *op = (void *)(va + PAGE_SIZE - 2 * sizeof(*op));
    unsigned done = 0;

    need_eq(map_frame((uint64_t)va, virt_to_mfn(page), PROT_RW), 0);
    u[0] = u[1] = (struct mmu_update){pt_entry_maddr(pt_entry(window(0), 1)), 0};
    check_eq(hypercall_mmu_update(u, 4, &done, DOMID_SELF), -EFAULT);
    check_eq(done, 2);
    check_eq(hypercall_mmu_update((void *)HV_ADDR, 1, NULL, DOMID_SELF), -EFAULT);
    check_eq(hypercall_mmu_update((void *)BAD_ADDR, 1, NULL, DOMID_SELF), -EFAULT);
    check_eq(hypercall_mmu_update(NULL, 1, NULL, DOMID_SELF), -EFAULT);
    op[0] = op[1] = (struct mmuext_op){.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    check_eq(hypercall_mmuext_op(op, 4, &done, DOMID_SELF), -EFAULT);
    check_eq(done, 2);
    check_eq(hypercall_mmuext_op((void *)HV_ADDR, 1, NULL, DOMID_SELF), -EFAULT);
    check_eq(hypercall_mmuext_op((void *)BAD_ADDR, 1, NULL, DOMID_SELF), -EFAULT);
    check_eq(hypercall_mmuext_op(NULL, 1, NULL, DOMID_SELF), -EFAULT);
    check_eq(unmap_frame((uint64_t)va), 0);
    free_page(page);
}

/* ---- foreigndom ---- */

TEST(mmu_update_names_its_domains)
{
    uint64_t at = pt_entry_maddr(pt_entry(window(0), 1));
    unsigned self = guest_domid();

    /* Lower half: whose frames are mapped. One's own number is refused, as DOMID_SELF is meant. */
    check_eq(update_for(at, 0, self), -ESRCH);
    check_eq(update_for(at, 0, NO_DOMAIN), -ESRCH);
    check_eq(update_for(at, 0, DOMID_COW), -ESRCH);
    check_eq(update_for(at, 0, DOMID_INVALID), -ESRCH);
    check_eq(update_for(at, 0, DOMID_IDLE), -ESRCH);
    check_eq(update_for(at, 0, 0xffff), -ESRCH);
    /* Upper half: number + 1 of the domain whose tables are changed. */
    check_eq(update_for(at, 0, (self + 1) << 16 | DOMID_SELF), 0);
    check_eq(update_for(at, 0, (NO_DOMAIN + 1) << 16 | DOMID_SELF), -ESRCH);
    check_eq(update_for(at, 0, (DOMID_SELF + 1) << 16 | DOMID_SELF), -ESRCH);
    check_eq(update_for(at, 0, (DOMID_IO + 1) << 16 | DOMID_SELF), -ESRCH);
    check_eq(update_for(at, 0, (DOMID_XEN + 1) << 16 | DOMID_SELF), -ESRCH);
}

TEST(device_memory_is_for_the_control_domain)
{
    uint64_t at = pt_entry_maddr(pt_entry(window(0), 1)), vga = pte_make(0xb8, PROT_RW);
    volatile uint16_t *screen = (uint16_t *)window(0);
    void *page = new_page();

    if (!guest_is_initial())
        skip("not the control domain");
    if (update_for(at, vga, DOMID_IO) == -EPERM)
        skip("no device memory is given out");
    check_eq(update_for(at, vga, DOMID_IO), 0);
    check_pte(*pt_entry(window(0), 1), vga);
    screen[0] = 0x0741;
    check_eq(screen[0], 0x0741);
    check_eq(update(at, 0), 0);
    check_eq(update(at, vga), 0); /* needs no DOMID_IO */
    check_eq(update_for(at, rw_pte(page), DOMID_IO), -EBUSY);
    check_lt(update_for(at, rw_pte(page), DOMID_XEN), 0);
    check_eq(update(at, 0), 0);
    invlpg(window(0));
    free_page(page);
}

TEST(shared_info_can_be_mapped_again)
{
    struct shared_info *alias = (void *)window(0);
    mfn_t mfn = start_info->shared_info >> PAGE_SHIFT;

    check_eq(map_at(window(0), pte_make(mfn, PROT_RW)), 0);
    check_eq(alias->wc_sec, shared_info->wc_sec);
    check_eq(map_at(window(0), 0), 0);
    check_eq(mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0), -EINVAL);
}

/* ---- update_va_mapping ---- */

TEST(va_mapping_with_each_kind_of_flush)
{
    static uint64_t mask = 1; /* vcpu 0 */
    const unsigned long flags[] = {UVMF_TLB_FLUSH | UVMF_LOCAL,    UVMF_TLB_FLUSH | UVMF_ALL,
                                   UVMF_TLB_FLUSH | HC_PTR(&mask), UVMF_INVLPG | UVMF_LOCAL,
                                   UVMF_INVLPG | UVMF_ALL,         UVMF_INVLPG | HC_PTR(&mask)};
    volatile uint64_t *p = (uint64_t *)window(0);
    uint64_t *page[2] = {new_page(), new_page()};

    page[0][0] = 100;
    page[1][0] = 101;
    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
        for (unsigned k = 0; k < 2; k++) {
            check_eq(hypercall_update_va_mapping(window(0), rw_pte(page[k]), flags[i]), 0);
            check_eq(p[0], 100 + k);
        }
    check_eq(hypercall_update_va_mapping(window(0), rw_pte(page[0]), UVMF_NONE), 0);
    check_eq(hypercall_update_va_mapping(window(0), rw_pte(page[0]), 3), 0);
    check_eq(hypercall_update_va_mapping(window(0) + 5, 0, UVMF_INVLPG), 0);
    check_fault_err(TRAP_PF, 0, (void)p[0]);
    free_page(page[0]);
    free_page(page[1]);
}

TEST(va_mapping_with_a_bad_mask)
{
    void *page = new_page();
    uint64_t *l1e = pt_entry(window(0), 1);

    /* The mapping is made, only the flush is refused. */
    check_eq(hypercall_update_va_mapping(window(0), rw_pte(page), UVMF_INVLPG | 0x1230), -EFAULT);
    check_pte(*l1e, rw_pte(page));
    check_eq(hypercall_update_va_mapping(window(0), 0, UVMF_TLB_FLUSH | HV_ADDR), -EFAULT);
    check_eq(*l1e, 0);
    check_eq(hypercall_update_va_mapping(window(0), 0, UVMF_TLB_FLUSH | BAD_ADDR), -EFAULT);
    check_eq(hypercall_update_va_mapping(window(0), 0, HV_ADDR), 0); /* no flush, no mask */
    tlb_flush_local();
    free_page(page);
}

TEST(va_mapping_refuses)
{
    uint64_t *root = pfn_to_virt(pt_kernel_root());
    uint64_t pte = rw_pte(start_info);

    check_eq(map_at(BAD_ADDR, pte), -EINVAL);
    check_eq(map_at(BAD_ADDR, 0), -EINVAL);
    check_eq(map_at(0x8000000000000000ul, 0), -EINVAL);
    check_eq(map_at(0xffff800000000000ul, pte), -EINVAL); /* the m2p table */
    check_eq(map_at(HV_ADDR, pte), -EINVAL);
    check_eq(map_at(HV_ADDR, 0), -EINVAL);
    check_eq(map_at(0xffff87ffffffffff, 0), -EINVAL);
    check_eq(map_at(FRAGILE_ADDR, pte), -EINVAL); /* no tables there */
    check_eq(map_at(0x7fff00000000ul, 0), -EINVAL);
    check_eq(map_at(window(0), rw_pte(root)), -EBUSY);
    check_eq(map_at(window(0), pte_make(foreign_frame(), PROT_RW)), -EBUSY);
    check_eq(map_at(window(0), pte_make(FRAME_NOWHERE, PROT_RW)), -EPERM);
    check_eq(*pt_entry(window(0), 1), 0);
}

static long map_for(uint64_t va, uint64_t pte, unsigned dom)
{
    return hypercall_update_va_mapping_otherdomain(va, pte, UVMF_INVLPG, dom);
}

TEST(va_mapping_otherdomain)
{
    void *page = new_page();

    check_eq(map_for(window(0), rw_pte(page), DOMID_SELF), 0);
    check_pte(*pt_entry(window(0), 1), rw_pte(page));
    check_eq(map_for(window(0), 0, guest_domid()), -ESRCH);
    check_eq(map_for(window(0), 0, NO_DOMAIN), -ESRCH);
    check_eq(map_for(window(0), 0, DOMID_IDLE), -ESRCH);
    check_pte(*pt_entry(window(0), 1), rw_pte(page));
    check_eq(map_for(window(0), 0, DOMID_SELF), 0);
    if (guest_is_initial()) {
        check_eq(map_for(window(0), rw_pte(page), DOMID_IO), -EBUSY);
        check_lt(map_for(window(0), rw_pte(page), DOMID_XEN), 0);
        check_eq(map_for(window(0), 0, DOMID_IO), 0);
    }
    free_page(page);
}

static long pages_of_peer(long a, long b, long c, long d)
{
    uint64_t *page = new_page();

    (void)a, (void)b, (void)c, (void)d;
    page[0] = 0x9999;
    return virt_to_mfn(page);
}

static long map_frame_of_caller(long mfn, long dom, long c, long d)
{
    (void)c, (void)d;
    return map_for(window(0), pte_make(mfn, PROT_RO), dom);
}

TEST(control_domain_maps_frames_of_another)
{
    uint64_t at = pt_entry_maddr(pt_entry(window(0), 1));
    volatile uint64_t *p = (uint64_t *)window(0);
    struct peer peer;
    mfn_t mfn;

    if (!have_peer(&peer))
        skip("no second domain");
    mfn = peer_call(&peer, pages_of_peer, 0, 0, 0, 0);
    check_eq(update(at, pte_make(mfn, PROT_RW)), -EBUSY); /* not ours */
    check_eq(update_for(at, pte_make(mfn, PROT_RW), peer.dom), 0);
    check_eq(p[0], 0x9999);
    p[0] = 1;
    check_eq(update(at, 0), 0);
    invlpg(window(0));
    check_eq(map_for(window(0), pte_make(mfn, PROT_RO), peer.dom), 0);
    check_eq(p[0], 1);
    check_eq(map_for(window(0), 0, DOMID_SELF), 0);
    /* The other way round it is forbidden. */
    check_eq(peer_call(&peer, map_frame_of_caller, virt_to_mfn(start_info), 0, 0, 0), -EPERM);
    check_eq(peer_call(&peer, map_frame_of_caller, virt_to_mfn(start_info), DOMID_SELF, 0, 0),
             -EBUSY);
    peer_disconnect(&peer);
}

/* ---- tables of another domain, as a domain builder would change them ---- */

static long table_of_peer(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return virt_to_mfn(new_table());
}

static long free_table_of_peer(long mfn, long b, long c, long d)
{
    void *table = mfn_to_virt(mfn);
    long rc = page_writable(table);

    (void)b, (void)c, (void)d;
    if (rc == 0)
        free_page(table);
    return rc;
}

static long pin_for_caller(long cmd, long mfn, long dom, long d)
{
    (void)d;
    return mmuext_for(cmd, mfn, 0, dom);
}

static long update_for_caller(long ptr, long val, long doms, long d)
{
    (void)d;
    return update_for(ptr, val, doms);
}

TEST(control_domain_changes_tables_of_another)
{
    struct peer peer;
    mfn_t table, page;
    unsigned both;

    if (!have_peer(&peer))
        skip("no second domain");
    both = (peer.dom + 1) << 16 | peer.dom;
    table = peer_call(&peer, table_of_peer, 0, 0, 0, 0);
    page = peer_call(&peer, pages_of_peer, 0, 0, 0, 0);
    check_eq(mmuext(MMUEXT_PIN_L1_TABLE, table, 0), -EINVAL); /* not ours */
    check_eq(mmuext_for(MMUEXT_PIN_L1_TABLE, table, 0, peer.dom), 0);
    check_eq(peer_call(&peer, free_table_of_peer, table, 0, 0, 0), -EBUSY);
    check_eq(update_for(table << PAGE_SHIFT, pte_make(page, PROT_RW), both), 0);
    check_eq(update_for(table << PAGE_SHIFT, pte_make(table, PROT_RW), both), -EBUSY);
    check_eq(update_for(table << PAGE_SHIFT, rw_pte(start_info), both), -EBUSY);
    check_eq(update_for(table << PAGE_SHIFT, 0, peer.dom), -EINVAL); /* our tables, its frames */
    check_eq(update_for(table << PAGE_SHIFT, 0, both), 0);
    /* What a vcpu does to itself it cannot do to another domain. */
    check_eq(mmuext_for(MMUEXT_NEW_BASEPTR, table, 0, peer.dom), -EPERM);
    check_eq(mmuext_for(MMUEXT_TLB_FLUSH_ALL, 0, 0, peer.dom), -EPERM);
    check_eq(mmuext_for(MMUEXT_SET_LDT, 0, 0, peer.dom), -EPERM);
    check_eq(mmuext_for(MMUEXT_UNPIN_TABLE, table, 0, peer.dom), 0);
    check_eq(mmuext_for(MMUEXT_CLEAR_PAGE, table, 0, peer.dom), 0);
    check_eq(peer_call(&peer, free_table_of_peer, table, 0, 0, 0), 0);
    peer_disconnect(&peer);
}

TEST(unprivileged_domain_changes_its_own_only)
{
    uint64_t *table = new_table();
    mfn_t mfn = virt_to_mfn(table);
    struct peer peer;

    if (!have_peer(&peer))
        skip("no second domain");
    for (unsigned cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_UNPIN_TABLE; cmd++) {
        check_eq(peer_call(&peer, pin_for_caller, cmd, mfn, 0, 0), -EPERM);
        check_eq(peer_call(&peer, pin_for_caller, cmd, mfn, DOMID_SELF, 0), -EINVAL);
        check_lt(peer_call(&peer, pin_for_caller, cmd, mfn, NO_DOMAIN, 0), 0);
    }
    check_eq(peer_call(&peer, pin_for_caller, MMUEXT_CLEAR_PAGE, mfn, 0, 0), -EPERM);
    check_eq(peer_call(&peer, pin_for_caller, MMUEXT_CLEAR_PAGE, mfn, DOMID_SELF, 0), -EINVAL);
    check_eq(peer_call(&peer, pin_for_caller, MMUEXT_FLUSH_CACHE, 0, DOMID_SELF, 0), -EACCES);
    check_eq(peer_call(&peer, update_for_caller, mfn << PAGE_SHIFT, 0, DOMID_SELF, 0), -EINVAL);
    check_eq(peer_call(&peer, update_for_caller, mfn << PAGE_SHIFT, 0, 0, 0), -EPERM);
    check_eq(peer_call(&peer, update_for_caller, mfn << PAGE_SHIFT, 0, 1 << 16 | DOMID_SELF, 0),
             -EPERM);
    check_eq(peer_call(&peer, update_for_caller, mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 0,
                       DOMID_SELF, 0),
             -EINVAL);
    check_lt(peer_call(&peer, map_frame_of_caller, 0xb8, DOMID_IO, 0, 0), 0);
    check_lt(peer_call(&peer, map_frame_of_caller, 0xb8, DOMID_SELF, 0, 0), 0);
    peer_disconnect(&peer);
    check_free_table(table);
}

/* ---- in multicalls ---- */

TEST(page_table_calls_in_a_multicall)
{
    uint64_t *page = new_page();
    struct mmu_update u = {pt_entry_maddr(pt_entry(window(0), 1)), rw_pte(page)};
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = window(0)};
    unsigned done = 9;
    struct multicall_entry c[4] = {
        {.op = __HYPERVISOR_mmu_update, .args = {HC_PTR(&u), 1, HC_PTR(&done), DOMID_SELF}},
        {.op = __HYPERVISOR_mmuext_op, .args = {HC_PTR(&op), 1, 0, DOMID_SELF}},
        {.op = __HYPERVISOR_update_va_mapping,
         .args = {window(1), rw_pte(page) & ~PTE_RW, UVMF_INVLPG}},
        {.op = __HYPERVISOR_update_va_mapping, .args = {BAD_ADDR, 0, UVMF_INVLPG}},
    };

    check_eq(hypercall_multicall(c, 4), 0);
    check_eq(c[0].result, 0);
    check_eq(done, 1);
    check_eq(c[1].result, 0);
    check_eq(c[2].result, 0);
    check_eq(c[3].result, -EINVAL);
    *(volatile uint64_t *)window(0) = 0x4242;
    check_eq(*(volatile uint64_t *)window(1), 0x4242);
    check_eq(map_at(window(0), 0), 0);
    check_eq(map_at(window(1), 0), 0);
    free_page(page);
}

TEST(everything_was_put_back)
{
    for (unsigned i = 0; i < 8; i++)
        check_eq(*pt_entry(window(i), 1), 0);
    check_eq(((uint64_t *)pfn_to_virt(pt_kernel_root()))[pt_index(FRAGILE_ADDR, 4)], 0);
}

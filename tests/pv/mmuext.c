/* SPDX-License-Identifier: MIT */
/* mmuext_op, and what a frame is used as: pins, page tables of each level, roots, flushes of the
 * TLB, the LDT, pages cleared and copied. Does each operation do what the ABI says, and refuse with
 * its errors? */
#include "tables.h"

/* ---- pins and types ---- */

TEST(empty_page_can_be_pinned_at_each_level)
{
    uint64_t *t = new_table();

    for (unsigned level = 1; level <= 4; level++) {
        check_eq(pt_pin(t, level), 0);
        check_eq(page_writable(t), -EBUSY);
        check_eq(map_at(window(0), rw_pte(t)), -EBUSY);
        check_eq(map_at(window(0), ro_pte(t)), 0);
        check_eq(map_at(window(0), 0), 0);
        for (unsigned again = 1; again <= 4; again++)
            check_eq(pt_pin(t, again), -EINVAL);
        check_eq(pt_unpin(t), 0);
        check_eq(pt_unpin(t), -EINVAL);
        check_eq(page_writable(t), 0);
        check_eq(page_readonly(t), 0);
    }
    check_free_table(t);
}

TEST(pin_refuses)
{
    uint64_t *page = new_page();

    for (unsigned level = 1; level <= 4; level++) {
        check_eq(pt_pin(page, level), -EINVAL); /* writable */
        check_eq(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, foreign_frame(), 0), -EINVAL);
        check_eq(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, FRAME_NOWHERE, 0), -EINVAL);
        check_eq(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, ~0ul, 0), -EINVAL);
        check_eq(mmuext(MMUEXT_PIN_L1_TABLE + level - 1, 0xb8, 0), -EINVAL);
    }
    check_eq(pt_unpin(page), -EINVAL);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, FRAME_NOWHERE, 0), -EINVAL);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, foreign_frame(), 0), -EINVAL);
    free_page(page);
}

TEST(pinned_level1_holds_its_pages)
{
    uint64_t *t = new_table(), *page = new_page();

    set_entry(t, 17, rw_pte(page));
    check_eq(pt_pin(t, 1), 0);
    check_pte(t[17], rw_pte(page));
    check_eq(page_readonly(page), 0);
    check_eq(pt_pin(page, 1), -EINVAL); /* t still maps it writable */
    check_eq(update_entry(t, 17, ro_pte(page)), 0);
    check_eq(pt_pin(page, 1), 0);
    check_eq(update_entry(t, 17, rw_pte(page)), -EBUSY);
    check_eq(pt_unpin(page), 0);
    check_eq(update_entry(t, 17, rw_pte(page)), 0);
    check_eq(pt_unpin(t), 0);
    check_eq(pt_pin(page, 1), 0);
    check_eq(pt_unpin(page), 0);
    check_free_table(t);
    check_free_table(page);
}

TEST(pin_of_level1_checks_each_entry)
{
    uint64_t *t = new_table(), *page = new_page();

    set_entry(t, 0, rw_pte(page));
    set_entry(t, 300, pte_make(foreign_frame(), PROT_RO));
    check_lt(pt_pin(t, 1), 0);
    set_entry(t, 300, pte_make(FRAME_NOWHERE, PROT_RW));
    check_eq(pt_pin(t, 1), -EPERM);
    set_entry(t, 300, rw_pte(pfn_to_virt(pt_kernel_root())));
    check_lt(pt_pin(t, 1), 0);
    set_entry(t, 300, rw_pte(t)); /* itself */
    check_lt(pt_pin(t, 1), 0);
    check_eq(page_readonly(page), 0);
    check_eq(pt_pin(page, 1), 0); /* nothing was kept of entry 0 */
    check_eq(pt_unpin(page), 0);
    set_entry(t, 0, 0);
    set_entry(t, 300, ro_pte(t));
    check_eq(pt_pin(t, 1), 0);
    check_eq(pt_unpin(t), 0);
    check_free_table(t);
    check_free_table(page);
}

TEST(pin_of_level2_checks_each_entry)
{
    uint64_t *t = new_table(), *l1 = new_table(), *page = new_page();
    static const uint64_t bad_flags[] = {PTE_PS, PTE_PWT, PTE_PCD, PTE_G};

    for (unsigned level = 2; level <= 4; level++) {
        unsigned last = level == 4 ? 255 : 511;

        set_entry(t, 1, level == 2 ? table_pte(l1) : 0);
        set_entry(t, last, table_pte(page)); /* writable */
        check_eq(pt_pin(t, level), -EINVAL);
        for (unsigned i = 0; i < ARRAY_SIZE(bad_flags); i++) {
            set_entry(t, last, table_pte(l1) | bad_flags[i]);
            check_eq(pt_pin(t, level), -EINVAL);
        }
        set_entry(t, last, pte_make(foreign_frame(), PROT_TABLE));
        check_eq(pt_pin(t, level), -EINVAL);
        set_entry(t, last, pte_make(FRAME_NOWHERE, PROT_TABLE));
        check_eq(pt_pin(t, level), -EINVAL);
        check_eq(page_writable(l1), 0); /* nothing was kept of entry 1 */
        check_eq(page_readonly(l1), 0);
        set_entry(t, last, 0);
        check_eq(pt_pin(t, level), 0);
        check_eq(pt_unpin(t), 0);
        check_eq(page_writable(t), 0);
        memset(t, 0, PAGE_SIZE);
        check_eq(page_readonly(t), 0);
    }
    check_free_table(t);
    check_free_table(l1);
    free_page(page);
}

TEST(level2_entry_pulls_its_table_in)
{
    uint64_t *l2 = new_table(), *l1 = new_table(), *page = new_page();

    set_entry(l1, 5, rw_pte(page));
    set_entry(l2, 5, table_pte(l1));
    check_eq(pt_pin(l2, 2), 0);
    check_eq(page_writable(l1), -EBUSY);
    check_eq(pt_pin(l1, 2), -EINVAL); /* level 1 it is */
    check_eq(pt_pin(l1, 1), 0);
    check_eq(update_entry(l2, 6, table_pte(l1)), 0);
    check_eq(pt_unpin(l2), 0);
    check_eq(page_writable(l2), 0);
    check_eq(page_writable(l1), -EBUSY); /* its own pin is left */
    check_eq(update_entry(l1, 5, 0), 0); /* and it is a table that can be changed */
    check_eq(page_readonly(page), 0);
    check_eq(pt_pin(page, 2), 0);
    check_eq(pt_unpin(page), 0);
    check_eq(pt_unpin(l1), 0);
    check_free_table(l1);
    check_free_table(page);
    free_page(l2);
}

TEST(table_in_use_outlives_its_pin)
{
    uint64_t *l2 = new_table(), *l1 = new_table();

    check_eq(pt_pin(l1, 1), 0);
    set_entry(l2, 0, table_pte(l1));
    check_eq(pt_pin(l2, 2), 0);
    check_eq(pt_unpin(l1), 0);
    check_eq(page_writable(l1), -EBUSY);
    check_eq(update_entry(l2, 0, 0), 0);
    check_eq(page_writable(l1), 0);
    check_eq(pt_unpin(l2), 0);
    check_free_table(l2);
    free_page(l1);
}

TEST(page_in_use_by_a_table_can_become_a_table_read_only)
{
    uint64_t *l1 = new_table(), *page = new_table();

    set_entry(l1, 0, ro_pte(page));
    check_eq(pt_pin(l1, 1), 0);
    for (unsigned level = 1; level <= 4; level++) {
        check_eq(pt_pin(page, level), 0);
        check_eq(pt_unpin(page), 0);
    }
    check_eq(pt_unpin(l1), 0);
    check_free_table(l1);
    check_free_table(page);
}

/* ---- roots ---- */

/* A level 4 table that maps what the kernel's does. */
static uint64_t *copy_of_root(void)
{
    const uint64_t *mine = pfn_to_virt(pt_kernel_root());
    uint64_t *root = new_page();

    for (unsigned i = 0; i < 512; i++)
        if (i < 256 || i >= 272)
            root[i] = mine[i];
    if (page_readonly(root))
        panic("page cannot be made read-only");
    return root;
}

static mfn_t kernel_root_mfn(void)
{
    return pfn_to_mfn(pt_kernel_root());
}

TEST(new_baseptr_changes_trees)
{
    uint64_t *root = copy_of_root(), *page = new_page(), *l1, *l2, *l3;
    uint64_t l4e = pt_index(FRAGILE_ADDR, 4);

    page[0] = 0x77;
    l3 = new_table(), l2 = new_table(), l1 = new_table();
    set_entry(l1, 0, ro_pte(page));
    set_entry(l2, 0, table_pte(l1));
    set_entry(l3, 0, table_pte(l2));
    set_entry(root, l4e, table_pte(l3));
    check_eq(pt_pin(root, 4), 0);
    for (unsigned round = 0; round < 3; round++) {
        check_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(root), 0), 0);
        check_eq(*(volatile uint64_t *)FRAGILE_ADDR, 0x77);
        check_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(root), 0), 0);
        check_eq(mmuext(MMUEXT_NEW_BASEPTR, kernel_root_mfn(), 0), 0);
        check_fault_err(TRAP_PF, 0, *(volatile uint64_t *)FRAGILE_ADDR);
    }
    check_eq(pt_unpin(root), 0);
    check_free_table(root);
    check_free_table(l3);
    check_free_table(l2);
    check_free_table(l1);
    free_page(page);
}

TEST(new_baseptr_refuses)
{
    uint64_t *page = new_page(), *l1 = new_table();

    check_eq(pt_pin(l1, 1), 0);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(page), 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(l1), 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, 0, 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, FRAME_NOWHERE, 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, ~0ul, 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, foreign_frame(), 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(page), 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(l1), 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, FRAME_NOWHERE, 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, ~0ul, 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, foreign_frame(), 0), -EINVAL);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    check_eq(pt_unpin(l1), 0);
    check_free_table(l1);
    free_page(page);
}

TEST(root_in_use_stays_a_table)
{
    uint64_t *root = copy_of_root();

    /* Never pinned: being the root is enough. */
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(root), 0), 0);
    check_eq(page_writable(root), -EBUSY);
    check_eq(pt_unpin(root), -EINVAL);
    check_eq(pt_pin(root, 4), 0);
    check_eq(pt_unpin(root), 0);
    check_eq(page_writable(root), -EBUSY);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, kernel_root_mfn(), 0), 0);
    check_eq(page_writable(root), 0);
    memset(root, 0, PAGE_SIZE);
    check_eq(page_readonly(root), 0);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(root), 0), 0);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(root), 0), 0);
    check_eq(page_writable(root), -EBUSY);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    check_free_table(root);
}

TEST(user_root_may_be_the_kernels)
{
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, kernel_root_mfn(), 0), 0);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
}

/* ---- TLB flushes ---- */

/* Change what window(0) maps without a flush, then flush by one mmuext_op: the new page must show.
 */
TEST(local_flushes_show_the_new_page)
{
    static uint64_t mask;
    const struct mmuext_op ops[] = {
        {.cmd = MMUEXT_TLB_FLUSH_LOCAL},
        {.cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = window(0)},
        {.cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = window(0) + 4095},
        {.cmd = MMUEXT_TLB_FLUSH_MULTI, .arg2.src_mfn = HC_PTR(&mask)},
        {.cmd = MMUEXT_INVLPG_MULTI, .arg1.linear_addr = window(0), .arg2.src_mfn = HC_PTR(&mask)},
        {.cmd = MMUEXT_TLB_FLUSH_ALL},
        {.cmd = MMUEXT_INVLPG_ALL, .arg1.linear_addr = window(0)},
    };
    volatile uint64_t *p = (uint64_t *)window(0);
    uint64_t *page[2] = {new_page(), new_page()};

    page[0][0] = 200;
    page[1][0] = 201;
    mask = 1;
    check_eq(map_at(window(0), rw_pte(page[0])), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        for (unsigned k = 0; k < 2; k++) {
            check_ge(p[0], 200);
            check_eq(pt_write(pt_entry(window(0), 1), rw_pte(page[k])), 0);
            check_eq(hypercall_mmuext_op(&ops[i], 1, NULL, DOMID_SELF), 0);
            check_eq(p[0], 200 + k);
        }
    check_eq(map_at(window(0), 0), 0);
    free_page(page[0]);
    free_page(page[1]);
}

TEST(flushes_take_any_address_and_refuse_bad_masks)
{
    uint64_t mask = 0;

    check_eq(mmuext(MMUEXT_INVLPG_LOCAL, BAD_ADDR, 0), 0); /* XSA-279: not to the instruction */
    check_eq(mmuext(MMUEXT_INVLPG_LOCAL, HV_ADDR, 0), 0);
    check_eq(mmuext(MMUEXT_INVLPG_ALL, BAD_ADDR, 0), 0);
    check_eq(mmuext(MMUEXT_INVLPG_ALL, ~0ul, 0), 0);
    check_eq(mmuext(MMUEXT_INVLPG_MULTI, BAD_ADDR, HC_PTR(&mask)), 0);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, HC_PTR(&mask)), 0);
    mask = ~0ul; /* vcpus that do not exist */
    check_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, HC_PTR(&mask)), 0);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, 0), -EINVAL);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, HV_ADDR), -EINVAL);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, BAD_ADDR), -EINVAL);
    check_eq(mmuext(MMUEXT_INVLPG_MULTI, window(0), HV_ADDR), -EINVAL);
}

/* Vcpu 1 reads window(0) whenever asked; 0 ends it. */
static volatile uint64_t asked, answer;

static void reader(void *arg)
{
    (void)arg;
    for (uint64_t last = 0;;) {
        uint64_t now = asked;

        if (now == ~0ul)
            return;
        if (now != last) {
            answer = *(volatile uint64_t *)window(0);
            barrier();
            last = asked = 0;
        }
        cpu_relax();
    }
}

static uint64_t ask(void)
{
    asked = 1;
    while (asked)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    return answer;
}

TEST(flushes_reach_other_vcpus)
{
    static uint64_t mask;
    const struct mmuext_op ops[] = {
        {.cmd = MMUEXT_TLB_FLUSH_MULTI, .arg2.src_mfn = HC_PTR(&mask)},
        {.cmd = MMUEXT_INVLPG_MULTI, .arg1.linear_addr = window(0), .arg2.src_mfn = HC_PTR(&mask)},
        {.cmd = MMUEXT_TLB_FLUSH_ALL},
        {.cmd = MMUEXT_INVLPG_ALL, .arg1.linear_addr = window(0)},
    };
    const unsigned long flags[] = {UVMF_TLB_FLUSH | UVMF_ALL, UVMF_TLB_FLUSH | HC_PTR(&mask),
                                   UVMF_INVLPG | UVMF_ALL, UVMF_INVLPG | HC_PTR(&mask)};
    uint64_t *page[2] = {new_page(), new_page()};

    if (vcpu_count() < 2)
        skip("one vcpu only");
    page[0][0] = 300;
    page[1][0] = 301;
    mask = 2;
    asked = 0;
    check_eq(map_at(window(0), rw_pte(page[0])), 0);
    need_eq(vcpu_start(1, reader, NULL), 0);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(ops); i++) {
        check_ge(ask(), 300);
        check_eq(pt_write(pt_entry(window(0), 1), rw_pte(page[i & 1])), 0);
        check_eq(hypercall_mmuext_op(&ops[i / 2], 1, NULL, DOMID_SELF), 0);
        check_eq(ask(), 300 + (i & 1));
    }
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
        check_eq(hypercall_update_va_mapping(window(0), rw_pte(page[i & 1]), flags[i / 2]), 0);
        check_eq(ask(), 300 + (i & 1));
    }
    asked = ~0ul;
    vcpu_wait_down(1);
    check_eq(map_at(window(0), 0), 0);
    free_page(page[0]);
    free_page(page[1]);
}

/* ---- the other extended operations ---- */

TEST(caches_can_be_flushed)
{
    if (!guest_is_initial())
        skip("for domains with devices");
    check_eq(mmuext(MMUEXT_FLUSH_CACHE, 0, 0), 0);
    check_eq(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), 0);
}

TEST(pages_are_cleared_and_copied)
{
    uint64_t *a = new_page(), *b = new_page(), *t = new_table();

    for (unsigned i = 0; i < 512; i++)
        a[i] = i * 0x0101010101010101ul;
    check_eq(mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(b), virt_to_mfn(a)), 0);
    check_eq(memcmp(a, b, PAGE_SIZE), 0);
    check_eq(mmuext(MMUEXT_CLEAR_PAGE, virt_to_mfn(b), 0), 0);
    check_eq(b[0] | b[1] | b[255] | b[511], 0);
    check_eq(mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(a), virt_to_mfn(a)), 0);
    check_eq(a[511], 511 * 0x0101010101010101ul);
    /* A page without writable mapping is as good; a table is not, except to read. */
    check_eq(mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(t), virt_to_mfn(a)), 0);
    check_eq(t[7], a[7]);
    check_eq(mmuext(MMUEXT_CLEAR_PAGE, virt_to_mfn(t), 0), 0);
    check_eq(pt_pin(t, 1), 0);
    check_eq(mmuext(MMUEXT_CLEAR_PAGE, virt_to_mfn(t), 0), -EINVAL);
    check_eq(mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(t), virt_to_mfn(b)), -EINVAL);
    check_eq(mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(a), virt_to_mfn(t)), 0);
    check_eq(a[511], 0);
    check_eq(pt_unpin(t), 0);
    check_free_table(t);
    free_page(a);
    free_page(b);
}

TEST(clear_and_copy_refuse_frames_of_others)
{
    const mfn_t wrong[] = {foreign_frame(), FRAME_NOWHERE, ~0ul, 0xb8, 0xfee00};
    uint64_t *a = new_page();

    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        check_eq(mmuext(MMUEXT_CLEAR_PAGE, wrong[i], 0), -EINVAL);
        check_eq(mmuext(MMUEXT_COPY_PAGE, wrong[i], virt_to_mfn(a)), -EINVAL);
        check_eq(mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(a), wrong[i]), -EINVAL);
    }
    free_page(a);
}

static uint16_t load_es(uint16_t selector)
{
    uint16_t now;

    __asm__ volatile("mov %1, %%es; mov %%es, %0" : "=r"(now) : "r"((uint32_t)selector));
    return now;
}

#define LDT_SELECTOR(i) ((i)*8 + 4 + 3)
#define DATA_DESCRIPTOR 0x00cff3000000fffful /* flat, writable, ring 3 */
#define BAD_DESCRIPTOR  0x0000ec00e0080000ul /* a call gate into the hypervisor */

TEST(ldt_is_set_and_taken_away)
{
    uint64_t *t = new_page();

    t[0] = t[511] = DATA_DESCRIPTOR;
    check_eq(page_readonly(t), 0);
    check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(t), 512), 0);
    check_no_fault(load_es(LDT_SELECTOR(0)));
    check_no_fault(load_es(LDT_SELECTOR(511)));
    check_fault(TRAP_GP, load_es(LDT_SELECTOR(512))); /* beyond the limit */
    load_es(0);
    check_eq(page_writable(t), -EBUSY); /* a descriptor table now */
    check_eq(pt_pin(t, 1), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(t), 256), 0);
    check_fault(TRAP_GP, load_es(LDT_SELECTOR(511)));
    check_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    check_fault(TRAP_GP, load_es(LDT_SELECTOR(0)));
    check_free_table(t);
}

TEST(ldt_with_bad_descriptors)
{
    uint64_t *t = new_page();

    t[0] = BAD_DESCRIPTOR;
    check_eq(page_readonly(t), 0);
    check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(t), 512), 0);
    check(FAULT_OF(load_es(LDT_SELECTOR(0))).hit);
    load_es(0);
    check_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    check_free_table(t);
}

TEST(set_ldt_checks_its_arguments)
{
    uint64_t *t = new_page();

    check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(t), 8192), 0);
    check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(t), 8193), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(t), 0x80000000), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(t) + 8, 1), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, HV_ADDR, 1), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, BAD_ADDR, 1), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, BAD_ADDR, 0), 0); /* none at all: the address does not count */
    check_eq(mmuext(MMUEXT_SET_LDT, window(0) + 8, 0), 0);
    free_page(t);
}

TEST(superpage_marks_do_not_exist)
{
    check_eq(mmuext(MMUEXT_MARK_SUPER, 0, 0), -EOPNOTSUPP);
    check_eq(mmuext(MMUEXT_UNMARK_SUPER, FRAME_NOWHERE, 0), -EOPNOTSUPP);
}

TEST(unknown_extended_operations)
{
    check_eq(mmuext(14, 0, 0), -ENOSYS);
    check_eq(mmuext(21, 0, 0), -ENOSYS);
    check_eq(mmuext(~0u, 0, 0), -ENOSYS);
}

TEST(extended_operations_in_batches)
{
    struct mmuext_op ops[4] = {{.cmd = MMUEXT_TLB_FLUSH_LOCAL},
                               {.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = FRAME_NOWHERE},
                               {.cmd = MMUEXT_TLB_FLUSH_LOCAL},
                               {.cmd = MMUEXT_TLB_FLUSH_LOCAL}};
    unsigned done = 99;

    check_eq(hypercall_mmuext_op(ops, 4, &done, DOMID_SELF), -EINVAL);
    check_eq(done, 1);
    check_eq(hypercall_mmuext_op(ops, 4, NULL, DOMID_SELF), -EINVAL);
    check_eq(hypercall_mmuext_op(&ops[2], 2, &done, DOMID_SELF), 0);
    check_eq(done, 2);
    check_eq(hypercall_mmuext_op(ops, 0, &done, DOMID_SELF), 0);
    check_eq(done, 0);
}

TEST(extended_operations_name_their_domain)
{
    static const unsigned local[] = {
        MMUEXT_NEW_BASEPTR,        MMUEXT_NEW_USER_BASEPTR, MMUEXT_TLB_FLUSH_LOCAL,
        MMUEXT_INVLPG_LOCAL,       MMUEXT_TLB_FLUSH_MULTI,  MMUEXT_INVLPG_MULTI,
        MMUEXT_TLB_FLUSH_ALL,      MMUEXT_INVLPG_ALL,       MMUEXT_FLUSH_CACHE,
        MMUEXT_FLUSH_CACHE_GLOBAL, MMUEXT_SET_LDT};
    static const unsigned nobody[] = {NO_DOMAIN, DOMID_COW, DOMID_INVALID, DOMID_IDLE, 0xffff};
    uint64_t *t = new_table();
    mfn_t mfn = virt_to_mfn(t);

    for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++)
        check_eq(mmuext_for(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, nobody[i]), -ESRCH);
    check_eq(mmuext_for(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, guest_domid()), -ESRCH);
    check_eq(hypercall_mmuext_op(NULL, 0, NULL, NO_DOMAIN), -ESRCH);
    /* Those to whom no page tables belong: nothing may work, which error it is tells nothing. */
    for (unsigned dom = DOMID_IO; guest_is_initial() && dom <= DOMID_XEN; dom++) {
        for (unsigned i = 0; i < ARRAY_SIZE(local); i++)
            check_lt(mmuext_for(local[i], 0, 0, dom), 0);
        for (unsigned cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_UNPIN_TABLE; cmd++)
            check_lt(mmuext_for(cmd, mfn, 0, dom), 0);
        check_lt(mmuext_for(MMUEXT_CLEAR_PAGE, mfn, 0, dom), 0);
        check_lt(mmuext_for(MMUEXT_COPY_PAGE, mfn, mfn, dom), 0);
    }
    check_free_table(t);
}

TEST(everything_was_put_back)
{
    for (unsigned i = 0; i < 8; i++)
        check_eq(*pt_entry(window(i), 1), 0);
}

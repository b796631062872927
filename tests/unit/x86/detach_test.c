/* SPDX-License-Identifier: MIT */
/* Detached page tables: only those that a walk can reach in a single way, nothing but what a
 * checked update would have stored is ever attached again, and whoever takes the mmu_lock finds
 * live tables. After each story the recount agrees. */
#include "fake.h"

#include <asm/detach.h>
#include <asm/mmu.h>
#include <asm/page_type.h>
#include <asm/pt_check.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define TABLE  (PTE_P | PTE_W | PTE_U)
#define LEAVES 16
#define SLOT   3   /* of the root: way to the table */
#define WINDOW 300 /* ... and to the entry that shows it to the kernel */
#define VA     (0xffff000000000000UL | (uint64_t)WINDOW << 39)

static struct domain *guest, *other;
static struct vcpu *v;
static struct page *root, *l3, *l2, *table, *leaf[LEAVES], *kernel_l1;

static struct page *page_of(struct domain *d)
{
    struct page *pg = page_alloc_domain(d, 0, 0, false);

    assert_non_null(pg);
    memset(page_virt(pg), 0, PAGE_SIZE);
    return pg;
}

static pte_t *entries(struct page *pg)
{
    return page_virt(pg);
}

static pte_t to(struct page *pg, uint64_t flags)
{
    return pte_make(page_mfn(pg), flags);
}

/* A chain of tables from slot @i of the root down to @l1. */
static void link_below(unsigned int i, struct page *l1, struct page **p3, struct page **p2)
{
    *p3 = page_of(guest);
    *p2 = page_of(guest);
    entries(root)[i] = to(*p3, TABLE);
    entries(*p3)[0] = to(*p2, TABLE);
    entries(*p2)[0] = to(l1, TABLE);
}

static int setup(void **state)
{
    struct page *k3, *k2;

    (void)state;
    fake_init_alloc(4096, 4);
    guest = fake_domain(1, false, 2);
    other = fake_domain(2, false, 1);
    v = guest->vcpu[0];
    fake_run(v);
    root = page_of(guest);
    table = page_of(guest);
    kernel_l1 = page_of(guest);
    link_below(SLOT, table, &l3, &l2);
    link_below(WINDOW, kernel_l1, &k3, &k2);
    for (unsigned int i = 0; i < LEAVES; i++) {
        leaf[i] = page_of(guest);
        entries(table)[i] = to(leaf[i], TABLE);
    }
    entries(kernel_l1)[0] = to(table, PTE_P);
    assert_int_equal(mmu_set_roots(v, page_mfn(root), mfn(0)), 0);
    v->arch.in_kernel = 1;
    fake_crashes = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(audit_all(), 0);
    assert_int_equal(guest->arch.nr_detached, 0);
    guest->is_dying = DOMDYING_DYING;
    fake_run(pcpus[0].idle);
    while (arch_domain_relinquish(guest))
        ;
    for (unsigned int i = 0; i < 2; i++)
        detach_vcpu_free(guest->vcpu[i]);
    assert_int_equal(audit_all(), 0);
    assert_int_equal(guest->tot_pages, 0);
    return 0;
}

static bool detach(void)
{
    bool did;

    spin_lock(&guest->arch.mmu_lock);
    did = detach_table(v, table, &entries(kernel_l1)[0], VA);
    spin_unlock(&guest->arch.mmu_lock);
    return did;
}

static void attach(void)
{
    mmu_lock(guest);
    mmu_unlock(guest);
}

static void assert_attached(void)
{
    assert_null(v->arch.detached.table);
    assert_int_equal(v->arch.cr3_kernel, page_mfn(root).n << PAGE_SHIFT);
    assert_false(entries(kernel_l1)[0] & PTE_W);
}

static uint64_t writable(struct page *pg)
{
    return pgt_type(pg->type) == PGT_WRITABLE ? pgt_count(pg->type) : 0;
}

/* ---- stories ---- */

static void it_is_out_of_reach(void **state)
{
    const pte_t *shown;

    (void)state;
    assert_true(detach());
    shown = mfn_to_virt(mfn(v->arch.cr3_kernel >> PAGE_SHIFT));
    assert_ptr_not_equal(shown, entries(root));
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        assert_int_equal(shown[i], i == SLOT ? 0 : entries(root)[i]);
    assert_true(entries(root)[SLOT] & PTE_P); /* what the guest reads */
    assert_true(entries(kernel_l1)[0] & PTE_W);
    assert_false(page_get_writable(table, guest));
    assert_true(detach_hides(&v->arch.detached, (uint64_t)SLOT << 39));
    assert_false(detach_hides(&v->arch.detached, VA));
    attach();
    assert_attached();
    assert_false(detach_hides(&v->arch.detached, (uint64_t)SLOT << 39));
}

static void changes_are_taken_over(void **state)
{
    (void)state;
    assert_true(detach());
    for (unsigned int i = 0; i < 8; i++)
        entries(table)[i] &= ~PTE_W;
    entries(table)[8] = 0;
    entries(table)[9] = to(leaf[0], PTE_P | PTE_U);
    entries(table)[100] = to(leaf[1], PTE_P | PTE_W); /* a kernel mapping */
    entries(table)[101] = 0x1234567890UL & ~PTE_P;
    assert_int_equal(writable(leaf[1]), 1); /* not yet */
    attach();
    assert_attached();
    assert_int_equal(writable(leaf[0]), 0);
    assert_int_equal(writable(leaf[1]), 1);
    assert_int_equal(writable(leaf[8]), 0);
    assert_int_equal(writable(leaf[9]), 0);
    assert_int_equal(writable(leaf[10]), 1);
    assert_true(entries(table)[100] & PTE_GK);
    assert_int_equal(entries(table)[101], 0x1234567890UL & ~PTE_P);
    assert_false(v->arch.detached.bad);
}

/* XSA-7 and its kin by another way: whatever is written, nothing that an update would refuse. */
static void what_may_not_be_is_not_attached(void **state)
{
    struct page *alien = page_of(other);
    pte_t bad[] = {to(alien, TABLE),
                   to(table, TABLE),
                   to(root, PTE_P | PTE_W),
                   to(l2, TABLE),
                   to(kernel_l1, TABLE),
                   pte_make(mfn(1UL << 30), TABLE),
                   ~0UL};

    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        pte_t was[PT_ENTRIES];

        memcpy(was, entries(table), PAGE_SIZE);
        v->arch.detached.bad = v->arch.detached.unsettled = false;
        assert_true(detach());
        entries(table)[0] = bad[i];
        entries(table)[200] = bad[i];
        attach();
        assert_attached();
        assert_memory_equal(entries(table), was, PAGE_SIZE);
        assert_true(v->arch.detached.unsettled);
        assert_int_equal(audit_all(), 0);
    }
    assert_int_equal(fake_crashes, 0);
    detach_settle(v);
    assert_int_equal(fake_crashes, 1);
    assert_ptr_equal(fake_last_crashed, guest);
    assert_true(page_discard(alien, other));
}

static void two_links_are_refused(void **state)
{
    struct page *const upper[] = {l2, l3, root};
    struct page *const lower[] = {table, l2, l3};

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        struct mmu_update u = {(page_mfn(upper[i]).n << PAGE_SHIFT) + 8 * 77, to(lower[i], TABLE)};

        assert_int_equal(do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF), 0);
        assert_false(detach());
        assert_attached();
        u.val = 0;
        assert_int_equal(do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF), 0);
        assert_true(detach());
        attach();
    }
}

/* The user's root leads there as well, by the same slot: it is not in use meanwhile. By another
 * slot: refused, as is a vcpu with the same root. */
static void other_roots(void **state)
{
    struct page *user = page_of(guest);

    (void)state;
    entries(user)[SLOT] = to(l3, TABLE);
    assert_int_equal(mmu_set_roots(v, page_mfn(root), page_mfn(user)), 0);
    assert_true(detach());
    attach();
    assert_int_equal(mmu_set_roots(guest->vcpu[1], page_mfn(root), mfn(0)), 0);
    assert_false(detach());
    assert_int_equal(mmu_set_roots(guest->vcpu[1], page_mfn(user), mfn(0)), 0);
    assert_false(detach());
    assert_int_equal(mmu_drop_roots(guest->vcpu[1]), 0);
    assert_true(detach());
    assert_int_equal(mmu_set_roots(v, page_mfn(root), mfn(0)), 0);
    assert_attached();
    entries(user)[SLOT] = 0;
    entries(user)[SLOT + 1] = to(l3, TABLE);
    assert_int_equal(mmu_set_roots(v, page_mfn(root), page_mfn(user)), 0);
    assert_false(detach());
}

/* Another pcpu needs the tables. */
static void another_attaches(void **state)
{
    struct mmu_update u = {page_mfn(table).n << PAGE_SHIFT, 0};

    (void)state;
    assert_true(detach());
    entries(table)[5] = 0;
    fake_cpu(1);
    fake_run(guest->vcpu[1]);
    assert_int_equal(do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF), 0);
    assert_attached();
    assert_int_equal(writable(leaf[5]), 0);
    assert_int_equal(entries(table)[0], 0);
    fake_cpu(0);
    detach_reload_root(); /* what the other's request makes this pcpu do */
    assert_int_equal(pcpu_self()->arch.cr3, page_mfn(root).n << PAGE_SHIFT);
}

/* Unlike the guest's writes, this ends with the table's type. */
static void the_table_goes(void **state)
{
    struct mmu_update u = {page_mfn(l2).n << PAGE_SHIFT, 0};

    (void)state;
    assert_true(detach());
    entries(table)[1] = 0;
    assert_int_equal(do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF), 0);
    assert_attached();
    assert_int_equal(pgt_count(table->type), 0);
    for (unsigned int i = 0; i < LEAVES; i++)
        assert_int_equal(writable(leaf[i]), 0);
}

/* Direct writes and updates in any order, against what the entries should be. */
static void random_writes(void **state)
{
    pte_t model[PT_ENTRIES] = {0};
    unsigned long opened = 0;

    (void)state;
    srand(7);
    for (unsigned int i = 0; i < LEAVES; i++)
        model[i] = entries(table)[i];
    for (unsigned int n = 0; n < 20000; n++) {
        unsigned int i = (unsigned int)rand() % PT_ENTRIES;
        struct page *pg = leaf[rand() % LEAVES];
        pte_t e = rand() % 3 ? to(pg, PTE_P | PTE_U | (rand() % 2 ? PTE_W : 0)) : 0;
        struct mmu_update u = {(page_mfn(table).n << PAGE_SHIFT) + 8 * i, e};

        if (rand() % 20 == 0)
            opened += detach();
        if (v->arch.detached.table && rand() % 30)
            entries(table)[i] = e;
        else
            assert_int_equal(do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF),
                             0);
        model[i] = e;
        if (rand() % 500 == 0)
            assert_int_equal(audit_all(), 0);
    }
    attach();
    assert_true(opened > 500);
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        assert_int_equal(entries(table)[i] & ~PTE_G, model[i] & ~PTE_G);
}

static void patience_grows_with_waste(void **state)
{
    unsigned int writes, last = 0;

    (void)state;
    for (unsigned int n = 0; n < 6; n++) {
        for (writes = 1; !detach_wanted(v, table); writes++)
            ;
        assert_true(writes > last);
        last = writes;
        assert_true(detach());
        attach(); /* nothing was written */
    }
    assert_true(detach());
    for (unsigned int i = 0; i < LEAVES; i++)
        entries(table)[i] &= ~PTE_W;
    attach();
    for (writes = 1; !detach_wanted(v, table); writes++)
        ;
    assert_true(writes < 10);
    assert_false(detach_wanted(v, l2)); /* another table: from the start */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(it_is_out_of_reach),
        TEST(changes_are_taken_over),
        TEST(what_may_not_be_is_not_attached),
        TEST(two_links_are_refused),
        TEST(other_roots),
        TEST(another_attaches),
        TEST(the_table_goes),
        TEST(random_writes),
        TEST(patience_grows_with_waste),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Page-table operations, one story each: every step preempted, every entry refused, the attacks that
 * others have suffered from, and pcpus that race. After each the recount agrees and all memory that was
 * a table can be an ordinary page again. */
#include "fake.h"

#include <asm/mmu.h>
#include <asm/page_type.h>
#include <asm/pt_check.h>
#include <asm/tlb.h>
#include <asm/traps.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The fake machine has grant mappings of its own, which the linker would be content with. */
#include "../../../hypervisor/arch/x86/mmu_grant.c"

static struct domain *control, *guest, *other;
static pte_t windows[4][64];

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(4096, 4);
    control = fake_domain(0, true, 2);
    guest = fake_domain(1, false, 2);
    other = fake_domain(2, false, 2);
    for (unsigned int i = 0; i < 4; i++)
        pcpus[i].arch.window_l1 = windows[i];
    fake_run(guest->vcpu[0]);
    return 0;
}

/* Nothing but what a domain starts with: all is given back, all counts are right. */
static int teardown(void **state)
{
    (void)state;
    fake_preempt_every = 0;
    assert_int_equal(audit_all(), 0);
    guest->is_dying = DOMDYING_DYING;
    fake_run(pcpus[0].idle);
    fake_preempt_every = 1;
    while (arch_domain_relinquish(guest))
        ;
    fake_preempt_every = 0;
    assert_int_equal(audit_all(), 0);
    assert_int_equal(guest->tot_pages, 0);
    return 0;
}

/* ---- tables ---- */

static struct page *page_of(struct domain *d)
{
    struct page *pg = page_alloc_domain(d, 0, 0, false);

    assert_non_null(pg);
    return pg;
}

static pte_t *entries(struct page *pg)
{
    return page_virt(pg);
}

#define TABLE (PTE_P | PTE_W | PTE_U)

static pte_t to(struct page *pg, uint64_t flags)
{
    return pte_make(page_mfn(pg), flags);
}

struct tree {
    struct page *level[5]; /* [1..4] */
    struct page *leaf;
};

/* One table of each level, linked through entry 0, and a writable leaf. */
static struct tree tree_of(struct domain *d)
{
    struct tree t = {.leaf = page_of(d)};

    for (int l = 1; l <= 4; l++) {
        t.level[l] = page_of(d);
        entries(t.level[l])[0] = to(l == 1 ? t.leaf : t.level[l - 1], TABLE);
    }
    return t;
}

static struct mmuext_op ext[8];
static struct mmu_update upd[600];

static long run(long rc);

static long mmuext_for(unsigned int cmd, uint64_t frame, unsigned int domid)
{
    ext[0] = (struct mmuext_op){.cmd = cmd, .arg1.mfn = frame};
    return run(do_mmuext_op(guest_ptr((uintptr_t)ext), 1, guest_ptr(0), domid));
}

static long mmuext(unsigned int cmd, struct page *pg)
{
    return mmuext_for(cmd, pg ? page_mfn(pg).n : 0, DOMID_SELF);
}

static long pin(struct page *pg, int level)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + (unsigned int)level - 1, pg);
}

static long unpin(struct page *pg)
{
    return mmuext(MMUEXT_UNPIN_TABLE, pg);
}

static uint64_t at(struct page *pg, unsigned int i)
{
    return page_mfn(pg).n << PAGE_SHIFT | i * 8;
}

static long update_for(uint64_t ptr, uint64_t val, unsigned int foreign)
{
    upd[0] = (struct mmu_update){ptr, val};
    return run(do_mmu_update(guest_ptr((uintptr_t)upd), 1, guest_ptr(0), foreign));
}

static long update_entry_of(struct page *pg, unsigned int i, pte_t e)
{
    return update_for(at(pg, i), e, DOMID_SELF);
}

static unsigned int continued; /* continuations of the last run() */

/* Make the continuations as the guest would. */
static long run(long rc)
{
    continued = 0;
    while (rc == FAKE_CONTINUED) {
        struct fake_continuation c = fake_continuation;

        assert_true(++continued < 100000);
        rc = (c.nr == __HYPERVISOR_mmu_update ? do_mmu_update : do_mmuext_op)(
            guest_ptr(c.args[0]), (unsigned int)c.args[1], guest_ptr(c.args[2]),
            (unsigned int)c.args[3]);
    }
    return rc;
}

static void assert_plain(struct page *pg)
{
    assert_true(page_get_writable(pg, page_owner(pg)));
    page_put_writable(pg);
}

static void assert_live(struct page *pg, enum page_type type, uint32_t count)
{
    assert_int_equal(pgt_type(pg->type), type);
    assert_int_equal(pgt_count(pg->type), count);
    assert_true(pg->type & PGT_VALIDATED);
}

/* ---- stories ---- */

static void tree_is_pinned_and_unpinned(void **state)
{
    struct tree t = tree_of(guest);

    (void)state;
    for (fake_preempt_every = 0; fake_preempt_every < 5; fake_preempt_every++) {
        assert_int_equal(pin(t.level[4], 4), 0);
        for (int l = 1; l <= 4; l++)
            assert_live(t.level[l], PGT_L1 + l - 1, 1);
        assert_int_equal(t.leaf->type, PGT(PGT_WRITABLE) | 1);
        assert_int_equal(pin(t.level[4], 4), -EINVAL);
        assert_int_equal(audit_all(), 0);
        assert_int_equal(unpin(t.level[4]), 0);
        for (int l = 1; l <= 4; l++)
            assert_plain(t.level[l]);
        assert_int_equal(unpin(t.level[4]), -EINVAL);
    }
}

/* XSA-45, XSA-290: a full table at each level, preempted wherever that is possible. */
static void wide_tree_makes_progress(void **state)
{
    struct tree t = tree_of(guest);

    (void)state;
    for (int l = 1; l <= 4; l++)
        for (unsigned int i = 0; i < PT_ENTRIES; i++)
            entries(t.level[l])[i] = entries(t.level[l])[0];
    fake_preempt_every = 1;
    assert_int_equal(pin(t.level[4], 4), 0);
    assert_true(continued > 1000);
    assert_live(t.level[3], PGT_L3, 512 - 16);
    assert_live(t.level[1], PGT_L1, 512);
    assert_int_equal(pgt_count(t.leaf->type), 512);
    assert_int_equal(unpin(t.level[4]), 0);
    assert_plain(t.level[1]);
    assert_plain(t.level[4]);
    assert_int_equal(pgt_count(t.leaf->type), 0);
}

/* XSA-58, XSA-299: one bad entry anywhere, at any level; all that was taken is given back. */
static void bad_entry_anywhere(void **state)
{
    static const unsigned int places[] = {0, 1, 255, 272, 511};
    struct tree t = tree_of(guest);

    (void)state;
    for (int l = 1; l <= 4; l++) {
        for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
            pte_t *bad = &entries(t.level[l])[places[i]], was = *bad;

            for (fake_preempt_every = 0; fake_preempt_every < 4; fake_preempt_every++) {
                entries(t.level[l])[5] = entries(t.level[l])[0];
                entries(t.level[l])[300] = entries(t.level[l])[0];
                *bad = to(t.level[4], TABLE);
                assert_true(pin(t.level[4], 4) < 0);
                assert_int_equal(audit_all(), 0);
                for (int k = 1; k <= 4; k++)
                    assert_plain(t.level[k]);
                assert_int_equal(pgt_count(t.leaf->type), 0);
                *bad = was;
            }
        }
    }
    assert_int_equal(pin(t.level[4], 4), 0);
}

/* XSA-310: whoever left a table half done never comes back; everything else still works, and the end
 * of the domain (teardown) finds it. */
static void abandoned_half_way(void **state)
{
    struct tree t = tree_of(guest), u = tree_of(guest);
    long rc;

    (void)state;
    for (unsigned int i = 1; i < 512; i++)
        entries(t.level[3])[i] = entries(t.level[3])[0];
    fake_preempt_every = 1;
    ext[0] = (struct mmuext_op){.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = page_mfn(t.level[4]).n};
    rc = do_mmuext_op(guest_ptr((uintptr_t)ext), 1, guest_ptr(0), DOMID_SELF);
    assert_int_equal(rc, FAKE_CONTINUED);
    assert_true(page_is_partial(t.level[4]));
    assert_int_equal(audit_all(), 0);
    assert_int_equal(pin(t.level[4], 3), -EINVAL); /* it is an L4 or nothing */
    assert_false(page_get_writable(t.level[4], guest));
    assert_int_equal(pin(u.level[4], 4), 0);
    assert_int_equal(update_entry_of(t.level[4], 0, 0), -EINVAL); /* not while it is half done */
    /* Another vcpu may take it up, and finish it. */
    fake_run(guest->vcpu[1]);
    assert_int_equal(pin(t.level[4], 4), 0);
    assert_int_equal(unpin(t.level[4]), 0);
    assert_plain(t.level[4]);
    /* And again: left to the end of the domain, taking apart as well as putting together. */
    fake_preempt_every = 0;
    assert_int_equal(pin(t.level[4], 4), 0);
    fake_preempt_every = 1;
    ext[0] = (struct mmuext_op){.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = page_mfn(t.level[4]).n};
    rc = do_mmuext_op(guest_ptr((uintptr_t)ext), 1, guest_ptr(0), DOMID_SELF);
    assert_int_equal(rc, FAKE_CONTINUED);
    assert_true(guest->vcpu[1]->arch.old_table.n);
}

/* The result of a call whose last request left a table to be undone is not lost. */
static void result_survives_the_undoing(void **state)
{
    struct tree t = tree_of(guest);
    uint32_t done = 0;

    (void)state;
    for (unsigned int i = 1; i < 512; i++)
        entries(t.level[2])[i] = entries(t.level[2])[0];
    assert_int_equal(pin(t.level[4], 4), 0);
    fake_preempt_every = 1;
    ext[0] = (struct mmuext_op){.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = page_mfn(t.level[4]).n};
    ext[1] = (struct mmuext_op){.cmd = 99};
    assert_int_equal(
        run(do_mmuext_op(guest_ptr((uintptr_t)ext), 2, guest_ptr((uintptr_t)&done), DOMID_SELF)),
        -ENOSYS);
    assert_int_equal(done, 1);
    assert_true(continued > 500);
    assert_plain(t.level[2]);
    fake_preempt_every = 0;
    assert_int_equal(pin(t.level[4], 4), 0);
    fake_preempt_every = 1;
    assert_int_equal(update_entry_of(t.level[3], 0, 0), 0); /* drops the L2 */
    assert_true(continued > 500);
    assert_plain(t.level[2]);
    /* A bad table among good ones, refused by an update: its own undoing is preempted, too. */
    entries(t.level[2])[400] = to(t.level[4], TABLE);
    assert_int_equal(update_entry_of(t.level[3], 0, to(t.level[2], TABLE)), -EINVAL);
    assert_true(continued > 500);
    assert_plain(t.level[2]);
}

/* XSA-185, XSA-240: nothing refers to its own level or upwards. */
static void loops_are_refused(void **state)
{
    struct tree t = tree_of(guest);

    (void)state;
    for (int l = 2; l <= 4; l++) {
        entries(t.level[l])[9] = to(t.level[l], TABLE);
        assert_int_equal(pin(t.level[l], l), -EINVAL);
        entries(t.level[l])[9] = 0;
    }
    assert_int_equal(pin(t.level[4], 4), 0);
    for (int l = 2; l <= 4; l++)
        for (int k = 1; k <= 4; k++)
            assert_int_equal(update_entry_of(t.level[l], 9, to(t.level[k], TABLE)),
                             k == l - 1 ? 0 : -EINVAL);
    assert_int_equal(unpin(t.level[4]), 0);
    /* An L1 may show itself, read-only. */
    entries(t.level[1])[9] = to(t.level[1], PTE_P);
    assert_int_equal(pin(t.level[1], 1), 0);
    assert_int_equal(update_entry_of(t.level[1], 9, to(t.level[1], PTE_P | PTE_W)), -EBUSY);
    assert_int_equal(unpin(t.level[1]), 0);
    entries(t.level[1])[9] = to(t.level[1], PTE_P | PTE_W);
    assert_int_equal(pin(t.level[1], 1), -EBUSY);
    assert_plain(t.level[1]);
}

/* XSA-148, XSA-182: an entry that differs in a bit that matters is a new entry. */
static void shortcut_is_for_harmless_bits(void **state)
{
    struct tree t = tree_of(guest);
    pte_t rw = to(t.leaf, PTE_P | PTE_W | PTE_U), table;

    (void)state;
    assert_int_equal(pin(t.level[4], 4), 0);
    table = entries(t.level[2])[0];
    assert_int_equal(update_entry_of(t.level[2], 0, table | PTE_PSE), -EINVAL);
    assert_int_equal(update_entry_of(t.level[3], 0, entries(t.level[3])[0] | PTE_PSE), -EINVAL);
    assert_int_equal(update_entry_of(t.level[2], 0, table | PTE_A | PTE_AVL), 0);
    assert_int_equal(entries(t.level[2])[0], table | PTE_A | PTE_AVL);
    assert_int_equal(update_entry_of(t.level[1], 3, to(t.level[1], PTE_P | PTE_U)), 0);
    assert_int_equal(update_entry_of(t.level[1], 3, to(t.level[1], PTE_P | PTE_U | PTE_W)), -EBUSY);
    for (unsigned int bit = 0; bit < 64; bit++) {
        (void)update_entry_of(t.level[1], 0, rw ^ 1UL << bit);
        assert_int_equal(audit_all(), 0);
        assert_int_equal(update_entry_of(t.level[1], 0, rw), 0);
        assert_int_equal(t.leaf->type, PGT(PGT_WRITABLE) | 1);
        assert_int_equal(t.leaf->count, PGC_ALLOCATED | 2);
    }
}

static void slots_of_the_hypervisor(void **state)
{
    struct tree t = tree_of(guest);

    (void)state;
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        if (i != 1)
            entries(t.level[4])[i] = i < 256 || i > 271 ? 0 : to(t.level[3], TABLE);
    assert_int_equal(pin(t.level[4], 4), 0);
    for (unsigned int i = 256; i < 272; i++) {
        assert_int_equal(entries(t.level[4])[i] >> 48, 0xf111);
        assert_int_equal(update_entry_of(t.level[4], i, 0), -EINVAL);
        assert_int_equal(update_entry_of(t.level[4], i, to(t.level[3], TABLE)), -EINVAL);
    }
    assert_int_equal(pgt_count(t.level[3]->type), 0);
    assert_int_equal(update_entry_of(t.level[4], 255, to(t.level[3], TABLE)), 0);
    assert_int_equal(update_entry_of(t.level[4], 272, to(t.level[3], TABLE)), 0);
    assert_int_equal(pgt_count(t.level[3]->type), 2);
}

static void accessed_and_dirty_are_kept_on_request(void **state)
{
    struct tree t = tree_of(guest);
    pte_t e = to(t.leaf, PTE_P | PTE_U | PTE_GK);

    (void)state;
    assert_int_equal(pin(t.level[1], 1), 0);
    entries(t.level[1])[0] |= PTE_A | PTE_D; /* the CPU */
    assert_int_equal(update_for(at(t.level[1], 0) | MMU_PT_UPDATE_PRESERVE_AD, e, DOMID_SELF), 0);
    assert_int_equal(entries(t.level[1])[0], e | PTE_A | PTE_D);
    assert_int_equal(update_for(at(t.level[1], 0) | MMU_NORMAL_PT_UPDATE, e, DOMID_SELF), 0);
    assert_int_equal(entries(t.level[1])[0], e);
}

/* ---- flushes: P3 ---- */

static bool flushed[4], all_flushed;
static uint32_t flush_time = 100, flushed_at[4];

/* XSA-401, XSA-408: when the flush comes, the new type has been claimed already, but nobody may use it:
 * neither as a page, nor as a table. */
static struct page *watched;

static void look(void)
{
    struct page *pg = watched;

    watched = NULL;
    if (!pg)
        return;
    assert_int_equal(pgt_count(pg->type), 1);
    assert_false(pg->type & PGT_VALIDATED);
    if (pgt_type(pg->type) == PGT_WRITABLE)
        assert_true(pg->type & PGT_CHANGING);
    else
        assert_false(page_get_writable(pg, page_owner(pg)));
}

static void flush_one(unsigned int cpu)
{
    look();
    flushed[cpu] = true;
    flushed_at[cpu] = ++flush_time;
}

uint32_t tlb_clock(void)
{
    return flush_time;
}

void tlb_flush_since(const struct domain *d, uint32_t stamp)
{
    cpumask_t mask = d ? d->arch.tlb_cpus : (cpumask_t){15};

    all_flushed |= !d;
    for_each_cpu (cpu, mask)
        if (flushed_at[cpu] <= stamp)
            flush_one(cpu);
}

void tlb_flush_domain(const struct domain *d)
{
    for_each_cpu (cpu, d->arch.tlb_cpus)
        flush_one(cpu);
}

static void forget_flushes(void)
{
    memset(flushed, 0, sizeof(flushed));
    all_flushed = false;
}

/* A pcpu that has flushed since the last writable mapping went need not do so again; one that has not,
 * must, before the frame is a table. The stamp is that of the last mapping, not of the first (XSA-241). */
static void page_that_was_writable(void **state)
{
    struct tree t = tree_of(guest);
    struct page *pg = page_of(guest);

    (void)state;
    guest->arch.tlb_cpus = (cpumask_t){7};
    memset(entries(pg), 0, PAGE_SIZE);
    assert_int_equal(pin(t.level[1], 1), 0);
    assert_int_equal(update_entry_of(t.level[1], 1, to(pg, PTE_P | PTE_W)), 0);
    assert_int_equal(update_entry_of(t.level[1], 1, 0), 0);
    flush_one(0);
    flush_one(1);
    assert_int_equal(update_entry_of(t.level[1], 1, to(pg, PTE_P | PTE_W)), 0);
    assert_int_equal(update_entry_of(t.level[1], 1, to(pg, PTE_P)), 0);
    flush_one(1);
    forget_flushes();
    assert_int_equal(pin(pg, 1), 0);
    assert_true(flushed[0] && !flushed[1] && flushed[2] && !flushed[3]);
    assert_false(all_flushed);
}

/* Upper entries are cached as well: a table that becomes an ordinary page, or one of another level. */
static void page_that_was_a_table(void **state)
{
    struct tree t = tree_of(guest);

    (void)state;
    guest->arch.tlb_cpus = (cpumask_t){1};
    assert_int_equal(pin(t.level[2], 2), 0);
    assert_int_equal(unpin(t.level[2]), 0);
    forget_flushes();
    assert_int_equal(pin(t.level[1], 1), 0);
    assert_false(flushed[0]); /* the same as before */
    assert_int_equal(unpin(t.level[1]), 0);
    assert_plain(t.level[1]);
    assert_true(flushed[0]);
    entries(t.level[2])[0] = 0;
    flush_one(0);
    forget_flushes();
    assert_plain(t.level[2]);
    assert_false(flushed[0]); /* had been flushed since */
}

static void page_that_others_could_write(void **state)
{
    struct tree t = tree_of(control);
    struct page *pg = page_of(guest);

    (void)state;
    memset(entries(pg), 0, PAGE_SIZE);
    guest->arch.tlb_cpus = (cpumask_t){1};
    control->arch.tlb_cpus = (cpumask_t){8};
    fake_run(control->vcpu[0]);
    assert_int_equal(pin(t.level[1], 1), 0);
    assert_int_equal(update_for(at(t.level[1], 1), to(pg, PTE_P | PTE_W), guest->id), 0);
    assert_int_equal(update_entry_of(t.level[1], 1, 0), 0);
    fake_run(guest->vcpu[0]);
    forget_flushes();
    assert_int_equal(pin(pg, 1), 0);
    assert_true(all_flushed && flushed[3]);
}

static void claim_comes_before_the_flush(void **state)
{
    struct page *pg = page_of(guest);

    (void)state;
    memset(entries(pg), 0, PAGE_SIZE);
    guest->arch.tlb_cpus = (cpumask_t){1};
    assert_plain(pg);
    watched = pg;
    assert_int_equal(pin(pg, 1), 0);
    assert_null(watched); /* there was a flush, and the look at it */
    assert_int_equal(unpin(pg), 0);
    watched = pg;
    assert_true(page_get_writable(pg, guest));
    assert_null(watched);
    assert_int_equal(pg->type, PGT(PGT_WRITABLE) | 1);
    page_put_writable(pg);
}

/* ---- grants ---- */

static void grant_entry_is_an_entry(void **state)
{
    struct tree t = tree_of(guest);
    struct page *pg = page_of(other), *mine = page_of(guest);
    uint64_t pte = at(t.level[1], 7);

    (void)state;
    guest->arch.tlb_cpus = (cpumask_t){1};
    assert_int_equal(mmu_grant_map(pte, pg, true, true, false, 0), -EINVAL); /* not a table yet */
    assert_int_equal(pin(t.level[4], 4), 0);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, t.level[4]), 0);
    assert_int_equal(mmu_grant_map(pte + 4, pg, true, true, false, 0), -EINVAL); /* XSA-227 */
    assert_int_equal(mmu_grant_map(at(t.level[2], 7), pg, true, true, false, 0), -EINVAL);
    assert_int_equal(mmu_grant_map(at(pg, 7), pg, true, true, false, 0), -EINVAL);
    assert_int_equal(mmu_grant_map(HV_VIRT_START, pg, true, false, false, 0), -EINVAL);
    assert_int_equal(mmu_grant_map(1UL << 47, pg, true, false, false, 0), -EINVAL);

    assert_int_equal(mmu_grant_map(pte, pg, true, true, false, 5), 0);
    assert_int_equal(entries(t.level[1])[7],
                     to(pg, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_GK | 5UL << 9));
    assert_int_equal(pg->count, PGC_ALLOCATED | 2);
    assert_int_equal(pgt_count(pg->type), 1);
    assert_int_equal(mmu_grant_unmap(pte, mine, true, true, 0), -EINVAL);
    assert_int_equal(mmu_grant_unmap(pte, pg, false, true, 0),
                     -EINVAL); /* it can do more than that */
    forget_flushes();
    assert_int_equal(mmu_grant_unmap(pte, pg, true, true, 0), 0);
    assert_true(flushed[0]);
    assert_int_equal(mmu_grant_unmap(pte, pg, true, true, 0), -EINVAL);
    assert_int_equal(pg->count, PGC_ALLOCATED | 1);

    /* XSA-234: replaced by an ordinary update; the grant finds it gone. */
    assert_int_equal(mmu_grant_map(7 << PAGE_SHIFT, pg, true, false, true, 0), 0);
    assert_int_equal(entries(t.level[1])[7] & (PTE_G | PTE_GK), PTE_G);
    assert_int_equal(update_entry_of(t.level[1], 7, to(mine, PTE_P | PTE_W)), 0);
    assert_int_equal(pg->count, PGC_ALLOCATED | 1);
    assert_int_equal(mmu_grant_unmap(7 << PAGE_SHIFT, pg, true, false, 0), -EINVAL);

    /* Unmap and replace: the mapping at 8 moves to 7. */
    assert_int_equal(mmu_grant_map(7 << PAGE_SHIFT, pg, false, false, false, 0), 0);
    assert_int_equal(mine->count, PGC_ALLOCATED | 1);
    assert_int_equal(update_entry_of(t.level[1], 8, to(mine, PTE_P | PTE_W)), 0);
    assert_int_equal(mmu_grant_unmap(7 << PAGE_SHIFT, pg, false, false, 7 << PAGE_SHIFT), -EINVAL);
    assert_int_equal(mmu_grant_unmap(7 << PAGE_SHIFT, pg, false, false, 8 << PAGE_SHIFT), 0);
    assert_int_equal(entries(t.level[1])[8], 0);
    assert_int_equal(pte_mfn(entries(t.level[1])[7]).n, page_mfn(mine).n);
    assert_int_equal(mine->count, PGC_ALLOCATED | 2);
    assert_int_equal(pg->count, PGC_ALLOCATED | 1);
}

/* ---- trapped writes ---- */

static uint8_t code[64];

static bool write_traps(struct vcpu *v, const char *bytes, size_t n, uint64_t va)
{
    memset(code, 0x90, sizeof(code));
    memcpy(code, bytes, n);
    v->arch.regs.rip = (uintptr_t)code;
    v->arch.regs.rdi = va;
    v->arch.in_kernel = 1;
    if (!ptwrite_fault(&v->arch.regs, va))
        return false;
    assert_int_equal(v->arch.regs.rip, (uintptr_t)code + n);
    return true;
}

#define WRITE(bytes) write_traps(v, bytes, sizeof(bytes) - 1, va)

static void trapped_writes(void **state)
{
    struct tree t = tree_of(guest);
    struct vcpu *v = guest->vcpu[0];
    struct cpu_regs *r = &v->arch.regs;
    pte_t *e = &entries(t.level[1])[20];
    pte_t stored = to(t.leaf, PTE_P | PTE_W | PTE_U | PTE_GK);
    uint64_t va = (9UL << PAGE_SHIFT) + 20 * 8;

    (void)state;
    entries(t.level[1])[9] = to(t.level[1], PTE_P);
    assert_int_equal(pin(t.level[4], 4), 0);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, t.level[4]), 0);

    r->rax = to(t.leaf, PTE_P | PTE_W);
    assert_true(WRITE("\x48\x89\x07")); /* mov %rax,(%rdi) */
    assert_int_equal(*e, stored);
    assert_int_equal(pgt_count(t.leaf->type), 2);
    assert_true(WRITE("\xf0\x80\x27\xfd")); /* lock andb $~W,(%rdi) */
    assert_int_equal(*e, stored & ~PTE_W);
    assert_int_equal(pgt_count(t.leaf->type), 1);
    assert_true(WRITE("\xf0\x48\x0f\xba\x2f\x01")); /* lock btsq $1,(%rdi) */
    assert_int_equal(*e, stored);
    assert_int_equal(r->rflags & 1, 0);
    r->rax = 0;
    assert_true(WRITE("\x48\x87\x07")); /* xchg %rax,(%rdi) */
    assert_int_equal(r->rax, stored);
    assert_int_equal(*e, 0);
    r->rax = 1;
    r->rcx = stored;
    assert_true(WRITE("\xf0\x48\x0f\xb1\x0f")); /* lock cmpxchg %rcx,(%rdi): not what is there */
    assert_int_equal(r->rax, 0);
    assert_false(r->rflags & X86_EFLAGS_ZF);
    assert_int_equal(*e, 0);
    assert_true(WRITE("\xf0\x48\x0f\xb1\x0f"));
    assert_true(r->rflags & X86_EFLAGS_ZF);
    assert_int_equal(*e, stored);
    assert_true(WRITE("\xc7\x07\x00\x00\x00\x00")); /* movl $0,(%rdi): the low half */
    assert_int_equal(*e, stored & 0xffffffff00000000);
    assert_int_equal(pgt_count(t.leaf->type), 1);
    r->rax = (uint32_t)stored;
    assert_true(WRITE("\x89\x07")); /* mov %eax,(%rdi) */
    assert_int_equal(*e, stored);
    r->rax = 0xffff;
    assert_true(WRITE("\x66\x89\x47\x06") ||
                true); /* another address than the fault's: see below */
    assert_int_equal(*e, stored);

    /* Refused: the fault is the guest's. */
    r->rax = to(t.level[2], PTE_P | PTE_W);
    assert_false(WRITE("\x48\x89\x07"));     /* a table, writable */
    assert_false(WRITE("\x48\x89\x47\x08")); /* not the address of the fault */
    assert_false(WRITE("\x0f\x01\x07"));     /* sgdt: not on the list */
    assert_int_equal(*e, stored);
    va += 4;
    assert_false(WRITE("\x48\x89\x07")); /* misaligned */
    va = (9UL << PAGE_SHIFT) + 4092;
    assert_false(WRITE("\x48\x89\x07"));
    va = 1UL << 47;
    assert_false(WRITE("\x48\x89\x07"));
    va = HV_VIRT_START;
    assert_false(WRITE("\x48\x89\x07"));
    assert_int_equal(audit_all(), 0);
}

/* A table of another domain, which the control domain may look at: no way to write to it. */
static void trapped_write_to_a_foreign_table(void **state)
{
    struct tree t = tree_of(control), g = tree_of(guest);
    struct vcpu *v = control->vcpu[0];
    uint64_t va = 9UL << PAGE_SHIFT;

    (void)state;
    assert_int_equal(pin(g.level[4], 4), 0);
    fake_run(v);
    assert_int_equal(pin(t.level[4], 4), 0);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, t.level[4]), 0);
    assert_int_equal(update_for(at(t.level[1], 9), to(g.level[1], PTE_P), guest->id), 0);
    v->arch.regs.rax = 0;
    assert_false(WRITE("\x48\x89\x07"));
    assert_int_equal(pgt_count(g.leaf->type), 1);
    assert_int_equal(update_entry_of(t.level[1], 9, 0), 0);
    fake_run(guest->vcpu[0]);
}

/* ---- descriptor tables ---- */

static void descriptor_frames(void **state)
{
    struct tree t = tree_of(guest);
    struct vcpu *v = guest->vcpu[0];
    struct page *gdt = page_of(guest), *ldt = page_of(guest);
    uint64_t frames[2] = {page_mfn(gdt).n, page_mfn(t.leaf).n};

    (void)state;
    entries(ldt)[5] = 0x0000840000000000; /* a gate */
    entries(t.level[1])[3] = to(ldt, PTE_P);
    assert_int_equal(pin(t.level[4], 4), 0);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, t.level[4]), 0);
    v->arch.last_pcpu = &pcpus[0];

    assert_int_equal(mmu_set_gdt_frames(v, frames, 513), -EINVAL); /* the leaf is mapped writable */
    assert_int_equal(pgt_count(gdt->type), 0);
    assert_int_equal(mmu_set_gdt_frames(v, frames, 512), 0);
    assert_live(gdt, PGT_SEGDESC, 1);
    assert_false(page_get_writable(gdt, guest));
    assert_int_equal(mmu_set_gdt_frames(v, frames, 1), 0);
    assert_live(gdt, PGT_SEGDESC, 1);
    assert_int_equal(mmu_set_gdt_frames(v, NULL, 0), 0);
    assert_plain(gdt);

    assert_false(mmu_ldt_fault(v, 0)); /* there is none (XSA-298) */
    assert_int_equal(mmu_set_ldt(v, 3 << PAGE_SHIFT, 600), 0);
    assert_false(mmu_ldt_fault(v, 0)); /* the gate */
    entries(ldt)[5] = 0;
    assert_true(mmu_ldt_fault(v, 8));
    assert_int_equal(pte_mfn(windows[0][16]).n, page_mfn(ldt).n);
    assert_live(ldt, PGT_SEGDESC, 1);
    assert_true(mmu_ldt_fault(v, 16));
    assert_live(ldt, PGT_SEGDESC, 1);
    assert_false(mmu_ldt_fault(v, PAGE_SIZE)); /* nothing mapped */
    assert_false(mmu_ldt_fault(v, 600 * 8));
    assert_int_equal(audit_all(), 0);
    /* The guest wants its page back: from another vcpu. */
    fake_run(guest->vcpu[1]);
    assert_int_equal(update_entry_of(t.level[1], 3, to(ldt, PTE_P | PTE_W)), -EBUSY);
    assert_int_equal(update_entry_of(t.level[1], 3, 0), 0);
    assert_plain(ldt);
    assert_int_equal(windows[0][16], 0);
    assert_int_equal(update_entry_of(t.level[1], 3, to(ldt, PTE_P | PTE_W)), 0);
    fake_run(v);
    assert_false(mmu_ldt_fault(v, 8));
}

/* ---- the end of a domain ---- */

static void dying_domain_gets_no_new_references(void **state)
{
    struct tree t = tree_of(guest);

    (void)state;
    fake_run(control->vcpu[0]);
    assert_int_equal(mmuext_for(MMUEXT_PIN_L4_TABLE, page_mfn(t.level[4]).n, guest->id), 0);
    assert_int_equal(mmuext_for(MMUEXT_UNPIN_TABLE, page_mfn(t.level[4]).n, guest->id), 0);
    guest->is_dying = DOMDYING_DYING;
    assert_int_equal(mmuext_for(MMUEXT_PIN_L4_TABLE, page_mfn(t.level[4]).n, guest->id), -EINVAL);
    assert_int_equal(
        update_for(at(t.level[1], 0), 0, (unsigned int)(guest->id + 1) << 16 | DOMID_SELF), -ESRCH);
}

static void strangers_are_refused(void **state)
{
    struct tree t = tree_of(other);
    unsigned int whose = other->id;

    (void)state;
    assert_int_equal(mmuext_for(MMUEXT_PIN_L1_TABLE, page_mfn(t.level[1]).n, whose), -EPERM);
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, t.level[1]), -EINVAL);
    assert_int_equal(update_for(at(t.level[1], 0), 0, whose), -EPERM);
    assert_int_equal(update_for(at(t.level[1], 0), 0, (whose + 1) << 16 | DOMID_SELF), -EPERM);
    assert_int_equal(update_for(at(t.level[1], 0), 0, DOMID_SELF), -EINVAL);
    assert_int_equal(update_for(at(t.level[1], 0) | MMU_MACHPHYS_UPDATE, 5, DOMID_SELF), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_CLEAR_PAGE, t.leaf), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, t.level[4]), -EINVAL);
    assert_int_equal(mmuext(MMUEXT_FLUSH_CACHE, NULL), -EACCES);
}

/* ---- races: three pcpus, the same few frames ---- */

#define TURNS 20000
static struct page *shared_pages[4];
static struct tree own[3];

static void *pinner(void *arg)
{
    struct mmuext_op op;
    struct mmu_update u;

    (void)arg;
    fake_cpu(0);
    fake_run(guest->vcpu[0]);
    for (unsigned int i = 0; i < TURNS; i++) {
        struct page *pg = shared_pages[i % 4];

        op = (struct mmuext_op){.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = page_mfn(pg).n};
        (void)do_mmuext_op(guest_ptr((uintptr_t)&op), 1, guest_ptr(0), DOMID_SELF);
        u = (struct mmu_update){at(own[0].level[1], i % 7 + 1),
                                to(pg, i & 1 ? PTE_P | PTE_W : PTE_P)};
        (void)do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF);
        op.cmd = MMUEXT_UNPIN_TABLE;
        (void)do_mmuext_op(guest_ptr((uintptr_t)&op), 1, guest_ptr(0), DOMID_SELF);
    }
    return NULL;
}

static void *second_vcpu(void *arg)
{
    (void)arg;
    fake_cpu(1);
    fake_run(guest->vcpu[1]);
    for (unsigned int i = 0; i < TURNS; i++) {
        struct page *pg = shared_pages[i * 7 % 4];
        struct mmu_update u = {at(own[0].level[1], i % 5 + 1), i % 3 ? to(pg, PTE_P | PTE_W) : 0};

        (void)do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF);
        if (page_get_writable(pg, guest)) {
            assert_int_equal(pgt_type(pg->type), PGT_WRITABLE);
            page_put_writable(pg);
        }
    }
    return NULL;
}

static void *mapper(void *arg)
{
    (void)arg;
    fake_cpu(2);
    fake_run(control->vcpu[0]);
    for (unsigned int i = 0; i < TURNS; i++) {
        struct page *pg = shared_pages[i * 3 % 4];
        struct mmu_update u = {at(own[1].level[1], i % 3 + 1), to(pg, PTE_P | PTE_W)};

        (void)do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), guest->id);
        u.val = 0;
        assert_int_equal(do_mmu_update(guest_ptr((uintptr_t)&u), 1, guest_ptr(0), DOMID_SELF), 0);
        if (mmu_grant_map(u.ptr, pg, i & 1, true, false, 0) == 0)
            assert_int_equal(mmu_grant_unmap(u.ptr, pg, i & 1, true, 0), 0);
    }
    return NULL;
}

static void three_pcpus_race(void **state)
{
    static void *(*const who[])(void *) = {pinner, second_vcpu, mapper};
    pthread_t threads[3];

    (void)state;
    own[0] = tree_of(guest);
    own[1] = tree_of(control);
    assert_int_equal(pin(own[0].level[1], 1), 0);
    fake_run(control->vcpu[0]);
    assert_int_equal(pin(own[1].level[1], 1), 0);
    for (unsigned int i = 0; i < 4; i++) {
        shared_pages[i] = page_of(guest);
        entries(shared_pages[i])[3] = to(shared_pages[(i + 1) % 4], PTE_P | PTE_W);
    }
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, who[i], NULL), 0);
    for (unsigned int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fake_cpu(0);
    fake_run(guest->vcpu[0]);
    assert_int_equal(audit_all(), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(tree_is_pinned_and_unpinned),
        STORY(wide_tree_makes_progress),
        STORY(bad_entry_anywhere),
        STORY(abandoned_half_way),
        STORY(result_survives_the_undoing),
        STORY(loops_are_refused),
        STORY(shortcut_is_for_harmless_bits),
        STORY(slots_of_the_hypervisor),
        STORY(accessed_and_dirty_are_kept_on_request),
        STORY(page_that_was_writable),
        STORY(page_that_was_a_table),
        STORY(page_that_others_could_write),
        STORY(claim_comes_before_the_flush),
        STORY(grant_entry_is_an_entry),
        STORY(trapped_writes),
        STORY(trapped_write_to_a_foreign_table),
        STORY(descriptor_frames),
        STORY(dying_domain_gets_no_new_references),
        STORY(strangers_are_refused),
        STORY(three_pcpus_race),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

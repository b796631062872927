/* SPDX-License-Identifier: MIT */
/* The roots of a vcpu's page tables, the walk from there, and tables whose undoing is put off.
 *
 * Each root holds a general and an L4 reference. The record in the vcpu, the value for CR3 and, for the
 * running vcpu, the register change together, before the reference to the old root goes (XSA-494). */
#include <asm/mmu.h>
#include <asm/pt_check.h>
#include <asm/system.h>
#include <asm/tlb.h>
#include <asm/traps.h>

/* ---- the table to be undone ---- */

void mmu_old_table(struct vcpu *v, struct page *pg)
{
    ASSERT(!v->arch.old_table.n);
    v->arch.old_table = page_mfn(pg);
}

void mmu_not_typed(struct vcpu *v, struct page *pg, enum page_type type, int rc)
{
    if (rc != -ERESTART && page_is_partial(pg) && pgt_type(READ_ONCE(pg->type)) == type)
        mmu_old_table(v, pg);
    else
        page_put(pg);
}

int mmu_finish_old(struct vcpu *v)
{
    struct page *pg;
    struct domain *d;
    int rc;

    if (likely(!v->arch.old_table.n))
        return 0;
    pg = mfn_page(v->arch.old_table);
    d = page_owner(pg);
    mmu_lock(d);
    rc = page_undo_partial(pg);
    mmu_unlock(d);
    if (rc)
        return rc;
    v->arch.old_table = mfn(0);
    page_put(pg);
    return 0;
}

/* ---- roots ---- */

/* With the lock held. -ERESTART: nothing was taken, come again. */
static int get_root(struct vcpu *v, gfn_t g)
{
    struct page *pg = page_from_gfn(v->domain, g);
    int rc;

    if (!pg)
        return -EINVAL;
    rc = page_get_type(pg, PGT_L4);
    if (unlikely(rc))
        mmu_not_typed(v, pg, PGT_L4, rc);
    return rc;
}

static void put_root(struct vcpu *v, mfn_t m)
{
    struct page *pg;

    if (!m.n)
        return;
    pg = mfn_page(m);
    if (page_put_type_preempt(pg))
        mmu_old_table(v, pg);
    else
        page_put(pg);
}

/* Returns the one before. */
static inline mfn_t set_root(struct vcpu *v, bool kernel, mfn_t m)
{
    mfn_t *table = kernel ? &v->arch.table_kernel : &v->arch.table_user, old = *table;

    *table = m;
    *(kernel ? &v->arch.cr3_kernel : &v->arch.cr3_user) = m.n << PAGE_SHIFT;
    if (m.n && unlikely(v->domain->arch.strict_m2p))
        hv_l4_fill(mfn_to_virt(m), kernel);
    return old;
}

int mmu_new_kernel_root(gfn_t g)
{
    struct vcpu *v = current;
    mfn_t old = mfn(0);

    TRY(mmu_finish_old(v));
    mmu_guard(v->domain);
    if (unlikely(v->arch.ldt_mapped))
        mmu_ldt_drop(v); /* the same address may be another page now */
    if (g.n != v->arch.table_kernel.n) {
        TRY(get_root(v, g));
        old = set_root(v, true, mfn(g.n));
    }
    tlb_load_root(pcpu_self(), v->arch.cr3_kernel);
    put_root(v, old);
    return 0;
}

int mmu_new_user_root(gfn_t g)
{
    struct vcpu *v = current;

    TRY(mmu_finish_old(v));
    if (g.n == v->arch.table_user.n)
        return 0;
    mmu_guard(v->domain);
    TRY(g.n ? get_root(v, g) : 0);
    put_root(v, set_root(v, false, mfn(g.n)));
    return 0;
}

int mmu_set_roots(struct vcpu *v, mfn_t kernel, mfn_t user)
{
    struct domain *d = v->domain;

    TRY(mmu_finish_old(v));
    mmu_guard(d);
    if (d->is_dying || !kernel.n)
        return -EINVAL;
    if (v->arch.table_kernel.n != kernel.n) {
        TRY(get_root(v, gfn(kernel.n)));
        put_root(v, set_root(v, true, kernel));
    }
    if (!v->arch.old_table.n && v->arch.table_user.n != user.n) {
        TRY(user.n ? get_root(v, gfn(user.n)) : 0);
        put_root(v, set_root(v, false, user));
    }
    return v->arch.old_table.n ? -ERESTART : 0;
}

int mmu_drop_roots(struct vcpu *v)
{
    TRY(mmu_finish_old(v));
    (void)mmu_set_gdt_frames(v, NULL, 0);
    mmu_guard(v->domain);
    mmu_ldt_drop(v);
    put_root(v, set_root(v, true, mfn(0)));
    if (!v->arch.old_table.n)
        put_root(v, set_root(v, false, mfn(0)));
    return v->arch.old_table.n ? -ERESTART : 0;
}

/* ---- the walk ---- */

pte_t *mmu_walk_l1(const struct vcpu *v, uint64_t va, pte_t *out)
{
    mfn_t m = v->arch.table_kernel;
    pte_t *table, *slot = NULL;

    if (unlikely(!guest_code_ok(va)) || unlikely(!m.n))
        return NULL;
    table = mfn_to_virt(m);
    for (int level = 4;; level--) {
        slot = &table[pt_index(va, level)];
        *out = READ_ONCE(*slot);
        if (level == 1)
            return slot;
        if (!(*out & PTE_P))
            return NULL;
        table = mfn_to_virt(pte_mfn(*out)); /* validated: it names a table, and no superpage */
    }
}

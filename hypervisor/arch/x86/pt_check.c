/* SPDX-License-Identifier: MIT */
/* Checking one page-table entry, or a whole table of them.
 *
 * An L1 entry maps RAM of its own domain, RAM that the control domain maps out of another one,
 * frames that the hypervisor shares (PGC_SHARED), or, where permitted, device memory; and it can
 * never make a table or a descriptor table writable (P2). RAM is always mapped write-back: a guest
 * can't make memory differ from what caches show of it (XSA-402). Entries of the other levels name
 * a table of the level below, of the same domain. Superpages do not exist (XSA-148, XSA-167), nor
 * do tables that name tables of their own level (XSA-240).
 *
 * What is stored differs from what the guest wrote in the user bit: guest kernels live in ring 3,
 * so every mapping is a user mapping. Those that were kernel mappings are marked with PTE_GK, and
 * only the others are global: the switch to the user tables flushes what user mode must not see. */
#include <asm/cpu.h>
#include <asm/mmu.h>
#include <asm/pt_check.h>
#include <asm/system.h>
#include <hv/hypercall.h>

/* Bits that no entry of a level may have. Without device memory there is no use for cache attributes. */
static const uint64_t refused_bits[5] = {
    [1] = PTE_CACHE,
    [2] = PTE_PWT | PTE_PCD | PTE_PSE | PTE_G,
    [3] = PTE_PWT | PTE_PCD | PTE_PSE | PTE_G,
    [4] = PTE_PWT | PTE_PCD | PTE_PSE | PTE_G,
};

static inline __attribute__((always_inline)) int adjust(const struct domain *d, int level,
                                                        pte_t *pe)
{
    pte_t e = *pe;
    uint64_t bad = e & refused_bits[level];

    if (unlikely(bad)) {
        if (level > 1 || !has_iomem(d) || (bad & ~PTE_CACHE))
            return -EINVAL;
    }
    if (level == 1) {
        if (!(e & PTE_U))
            e |= PTE_GK;
        e = e & PTE_GK ? e & ~PTE_G : e | PTE_G;
    }
    *pe = e | PTE_U;
    return 0;
}

int pt_adjust(const struct domain *d, int level, pte_t *pe)
{
    return adjust(d, level, pe);
}

/* ---- L1 ---- */

/* Not RAM of o->from. */
static int get_other_frame(const struct pt_owner *o, pte_t *pe)
{
    mfn_t m = pte_mfn(*pe);

    if (mfn_valid(m))
        return -EBUSY;
    if (m.n == PTE_ADDR_MASK >> PAGE_SHIFT)
        return -EINVAL; /* what guests use for "no frame" */
    if (!iomem_permitted(o->d, m))
        return -EPERM;
    if (iomem_read_only(m))
        *pe &= ~PTE_W;
    return 0;
}

static inline __attribute__((always_inline)) int get_frame(const struct pt_owner *o, pte_t *pe)
{
    pte_t e = *pe;
    mfn_t m = pte_mfn(e);
    struct page *pg;

    if (unlikely(m.n >= max_page) || unlikely(!o->from))
        return get_other_frame(o, pe);
    pg = mfn_page(m);
    if (unlikely(!page_get(pg, o->from)))
        return get_other_frame(o, pe);
    if (unlikely((READ_ONCE(pg->count) & (PGC_HV | PGC_SHARED)) == PGC_HV) ||
        ((e & PTE_W) && unlikely(!page_type_get_writable(pg, o->from == o->d ? 0 : PGT_FOREIGN)))) {
        page_put(pg);
        return -EBUSY;
    }
    *pe = e & ~PTE_CACHE;
    return 0;
}

static inline void put_frame(struct domain *d, pte_t e)
{
    mfn_t m = pte_mfn(e);
    struct page *pg;

    if (unlikely(!mfn_valid(m)))
        return;
    pg = mfn_page(m);
    if (e & PTE_W)
        page_type_put_writable(pg);
    else if (unlikely(pgt_type(READ_ONCE(pg->type)) == PGT_SEGDESC) && page_owner(pg) == d)
        mmu_ldt_drop_all(d); /* it may be about to map it elsewhere, or writable */
    page_put(pg);
}

/* ---- L2..L4 ---- */

/* *@held, in: the general reference is there already (P4); out: it is there, though no type
 * reference is, because the table was left half done. */
static int get_table(struct domain *d, int level, pte_t e, bool *held)
{
    enum page_type type = (enum page_type)(PGT_L1 + level - 2);
    mfn_t m = pte_mfn(e);
    struct page *pg = *held ? mfn_page(m) : page_from_gfn(d, gfn(m.n));
    int rc;

    *held = false;
    if (unlikely(!pg))
        return -EINVAL;
    rc = page_get_type(pg, type);
    if (likely(!rc))
        return 0;
    if (rc == -ERESTART || (page_is_partial(pg) && pgt_type(READ_ONCE(pg->type)) == type))
        *held = true;
    else
        page_put(pg);
    return rc;
}

static int put_table(pte_t e)
{
    struct page *pg = mfn_page(pte_mfn(e));
    int rc = page_put_type_preempt(pg);

    if (!rc)
        page_put(pg);
    return rc;
}

/* ---- entries ---- */

int pt_get_entry(const struct pt_owner *o, int level, pte_t *pe, struct page **left)
{
    bool held = false;
    int rc;

    if (level == 1)
        return get_frame(o, pe);
    rc = get_table(o->d, level, *pe, &held);
    *left = held ? mfn_page(pte_mfn(*pe)) : NULL;
    return rc;
}

int pt_put_entry(struct domain *d, int level, pte_t e)
{
    if (level > 1)
        return put_table(e);
    put_frame(d, e);
    return 0;
}

/* ---- whole tables ---- */

/* Most tables are nearly empty: entries are looked at eight at a time while none of them is
 * present. */
#define RUN 8

static inline bool none_present(const pte_t *e)
{
    return !((e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) & PTE_P);
}

/* Entry @i is not present: how many after it, or before it, need not be looked at? */
static inline unsigned int absent_after(const pte_t *table, unsigned int i)
{
    return !(i % RUN) && none_present(&table[i]) ? RUN - 1 : 0;
}

static inline unsigned int absent_before(const pte_t *table, unsigned int i)
{
    return i % RUN == RUN - 1 && none_present(&table[i - RUN + 1]) ? RUN - 1 : 0;
}

static inline int take_l1_entry(const struct pt_owner *self, pte_t *slot)
{
    pte_t e = *slot, stored = e;

    TRY(adjust(self->d, 1, &stored));
    TRY(get_frame(self, &stored));
    if (stored != e)
        WRITE_ONCE(*slot, stored);
    return 0;
}

static int take_l1(struct domain *d, pte_t *table, struct pt_progress *p)
{
    const struct pt_owner self = {d, d};
    unsigned int i;
    int rc = 0;

    for (i = p->done; i < PT_ENTRIES; i++) {
        if (!(table[i] & PTE_P)) {
            i += absent_after(table, i);
            continue;
        }
        rc = take_l1_entry(&self, &table[i]);
        if (unlikely(rc))
            break;
    }
    p->done = i;
    return rc;
}

/* One entry of L2..L4. With p->ref its general reference is there already. */
static int take_table_entry(struct domain *d, int level, pte_t *slot, struct pt_progress *p)
{
    pte_t e = *slot, stored = e;

    TRY(pt_adjust(d, level, &stored));
    TRY(get_table(d, level, stored, &p->ref));
    pt_note_parent(slot, stored);
    if (stored != e)
        WRITE_ONCE(*slot, stored);
    return 0;
}

int pt_take_table(struct domain *d, struct page *pg, int level, struct pt_progress *p)
{
    pte_t *table = page_virt(pg);

    if (level == 1)
        return take_l1(d, table, p);
    for (; p->done < PT_ENTRIES; p->done++) {

        if (!(table[p->done] & PTE_P)) {
            p->done += absent_after(table, p->done);
            continue;
        }
        if (!pt_guest_slot(level, p->done))
            continue;
        TRY(take_table_entry(d, level, &table[p->done], p));
        if (hypercall_preempt_needed() && p->done < PT_ENTRIES - 1) {
            p->done++;
            return -ERESTART;
        }
    }
    if (level == 4)
        hv_l4_fill(table, !d->arch.strict_m2p);
    return 0;
}

static void drop_l1(struct domain *d, const pte_t *table, struct pt_progress *p)
{
    for (unsigned int i = p->done; i-- > 0;)
        if (table[i] & PTE_P)
            put_frame(d, table[i]);
        else
            i -= absent_before(table, i);
    p->done = 0;
}

int pt_drop_table(struct domain *d, struct page *pg, int level, struct pt_progress *p)
{
    pte_t *table = page_virt(pg);

    if (level == 1) {
        drop_l1(d, table, p);
        return 0;
    }
    if (p->ref) {
        struct page *lower = mfn_page(pte_mfn(table[p->done]));

        TRY(page_undo_partial(lower));
        page_put(lower);
        p->ref = false;
    }
    while (p->done > 0) {
        pte_t e = table[--p->done];

        if (!(e & PTE_P)) {
            p->done -= absent_before(table, p->done);
            continue;
        }
        if (!pt_guest_slot(level, p->done))
            continue;
        if (put_table(e)) {
            p->ref = true;
            return -ERESTART;
        }
        if (hypercall_preempt_needed() && p->done > 0)
            return -ERESTART;
    }
    return 0;
}

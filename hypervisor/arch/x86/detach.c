/* SPDX-License-Identifier: MIT */
/* Page tables that a guest writes to directly for a while.
 *
 * Stock kernels change entries of live tables by plain instructions: fork clears the write
 * permission of each, munmap exchanges each for zero. One by one they trap (ptwrite.c). After a few
 * in a row to one table, that table is detached instead: taken out of the reach of page walks, and
 * its read-only mapping made writable. When anything depends on it again, what has changed is
 * checked, once, entry by entry, and it is attached.
 *
 * D1  No walk of any CPU reaches a detached table. It hangs on a single L2 entry, that table on a
 *     single L3 entry, and that one on the roots of a single vcpu, which runs on a copy of its kernel
 *     root without the entry that leads there. Whatever it touches of that part of its address space
 *     faults and attaches (traps.c); its user root is loaded only when nothing is detached (bounce.c).
 *
 * D2  The table's type and count do not change, so nobody gets a WRITABLE reference. The references of
 *     its old entries, kept in a copy, are held until it is attached: stale translations do no harm.
 *
 * D3  mmu_lock() attaches: whoever holds the lock by it sees live tables only. ptwrite.c and this file
 *     alone take it without, for tables that are not detached.
 *
 * D4  What the guest reads stays true: its own root shows all it has put there. Only the window entry
 *     shows the write permission that it has got.
 *
 * Where to look for the single way to a table: each table remembers the frame of the table that it
 * was last linked into, in `stamp`, which has no other meaning while a type is live. It is a hint.
 */
#include <asm/mmu.h>
#include <asm/pt_check.h>
#include <asm/tlb.h>
#include <asm/traps.h>

#define PATIENCE_MIN 4
#define PATIENCE_MAX 256
#define WORTHWHILE   8 /* entries; fewer changes than that would have been cheaper one by one */

bool detach_wanted(struct vcpu *v, const struct page *table)
{
    struct detached *t = &v->arch.detached;
    uint32_t frame = (uint32_t)page_mfn(table).n;

    t->run = t->last == frame ? t->run + 1 : 1;
    t->last = frame;
    return t->run > max(t->patience, (unsigned int)PATIENCE_MIN);
}

/* ---- D1: the only way ---- */

/* References by entries of tables above. */
static uint32_t links(const struct page *pg)
{
    uint64_t t = READ_ONCE(pg->type);

    return pgt_count(t) - (t & PGT_PINNED ? 1 : 0);
}

/* The index of the present entry of @table that names @pg; -1: there is none. */
static int index_of(const pte_t *table, unsigned int end, const struct page *pg)
{
    uint64_t n = page_mfn(pg).n;

    for (unsigned int i = 0; i < end; i++)
        if ((table[i] & PTE_P) && pte_mfn(table[i]).n == n)
            return (int)i;
    return -1;
}

/* The table with the only entry that names @pg, if it is easily found. */
static struct page *only_parent(const struct domain *d, const struct page *pg, enum page_type type)
{
    mfn_t m = mfn(READ_ONCE(pg->stamp));
    struct page *up;
    uint64_t t;

    if (links(pg) != 1 || !mfn_valid(m))
        return NULL;
    up = mfn_page(m);
    t = READ_ONCE(up->type);
    if (page_owner(up) != d || pgt_type(t) != type || !(t & PGT_VALIDATED))
        return NULL;
    return index_of(page_virt(up), PT_ENTRIES, pg) < 0 ? NULL : up;
}

static bool uses_root(const struct vcpu *v, mfn_t root)
{
    return root.n && (v->arch.table_kernel.n == root.n || v->arch.table_user.n == root.n);
}

static bool others_use_roots_of(const struct vcpu *v)
{
    for_each_vcpu (v->domain, w)
        if (w != v && (uses_root(w, v->arch.table_kernel) || uses_root(w, v->arch.table_user)))
            return true;
    return false;
}

/* The entry of @v's roots, in the lower half, that is the only way to @table; -1: it is not. */
static int only_slot(const struct vcpu *v, const struct page *table)
{
    const pte_t *kernel = mfn_to_virt(v->arch.table_kernel);
    const struct page *l2 = only_parent(v->domain, table, PGT_L2), *l3;
    uint32_t ways = 1;
    int slot;

    l3 = l2 ? only_parent(v->domain, l2, PGT_L3) : NULL;
    slot = l3 ? index_of(kernel, HV_L4_FIRST, l3) : -1;
    if (slot < 0)
        return -1;
    if (v->arch.table_user.n && v->arch.table_user.n != v->arch.table_kernel.n) {
        pte_t e = ((const pte_t *)mfn_to_virt(v->arch.table_user))[slot];

        ways += (e & PTE_P) && pte_mfn(e).n == page_mfn(l3).n;
    }
    return links(l3) == ways && !others_use_roots_of(v) ? slot : -1;
}

/* ---- on and off the root without it ---- */

static bool have_pages(struct detached *t)
{
    if (t->root)
        return true;
    if (!t->old)
        t->old = page_alloc_virt(0, 0);
    if (t->old)
        t->root = page_alloc_virt(0, 0);
    if (!t->root)
        return false;
    t->root_cr3 = virt_to_mfn(t->root).n << PAGE_SHIFT;
    return true;
}

void detach_vcpu_free(struct vcpu *v)
{
    struct detached *t = &v->arch.detached;

    page_free_virt(t->old, 0);
    page_free_virt(t->root, 0);
    *t = (struct detached){0};
}

static bool is_hidden(const struct vcpu *v)
{
    return v->arch.detached.root_cr3 && v->arch.cr3_kernel == v->arch.detached.root_cr3;
}

static void hide(struct vcpu *v, unsigned int slot)
{
    struct detached *t = &v->arch.detached;

    if (is_hidden(v) && t->slot == slot)
        return;
    memcpy(t->root, mfn_to_virt(v->arch.table_kernel), PAGE_SIZE);
    t->root[slot] = 0;
    t->slot = slot;
    v->arch.cr3_kernel = t->root_cr3;
    tlb_load_root(pcpu_self(), t->root_cr3);
}

static void unhide(struct vcpu *v)
{
    v->arch.cr3_kernel = v->arch.table_kernel.n << PAGE_SHIFT;
    if (v == current)
        tlb_load_root(pcpu_self(), v->arch.cr3_kernel);
    else
        tlb_flush_domain(v->domain); /* its pcpu comes by detach_reload_root() */
}

void detach_reload_root(void)
{
    struct pcpu *p = pcpu_self();
    struct vcpu *v = p->curr;

    if (unlikely(v->arch.detached.root_cr3) && p->arch.cr3 == v->arch.detached.root_cr3 &&
        !is_hidden(v))
        tlb_load_root(p, v->arch.cr3_kernel);
}

bool detach_hides(const struct detached *t, uint64_t va)
{
    return t->root_cr3 && pcpu_self()->arch.cr3 == t->root_cr3 && pt_index(va, 4) == t->slot &&
           guest_code_ok(va);
}

/* ---- attach ---- */

/* What fork does, in short: the entry has lost its write permission, and is otherwise as it was. */
static inline bool lost_write(const struct domain *d, pte_t old, pte_t new)
{
    struct page *pg = mfn_page(pte_mfn(old));

    if ((old ^ new) != PTE_W || (new &(PTE_P | PTE_W)) != PTE_P || !mfn_valid(pte_mfn(old)) ||
        page_owner(pg) != d)
        return false;
    page_type_put_writable(pg);
    return true;
}

static void take_over(struct vcpu *v, pte_t *entries)
{
    const struct pt_owner o = {v->domain, v->domain};
    struct detached *t = &v->arch.detached;
    unsigned int changed = 0;

    for (unsigned int i = 0; i < PT_ENTRIES; i++) {
        pte_t new = READ_ONCE(entries[i]);

        if (likely(new == t->old[i]))
            continue;
        changed++;
        if (likely(lost_write(v->domain, t->old[i], new)))
            continue;
        entries[i] = t->old[i];
        if (pt_update(&o, 1, &entries[i], new, 0))
            t->bad = true;
    }
    t->patience = changed < WORTHWHILE ? min(2 * max(t->patience, (unsigned int)PATIENCE_MIN),
                                             (unsigned int)PATIENCE_MAX)
                                       : 0;
}

/* @v stays on the root without it. */
static void attach_table(struct vcpu *v)
{
    struct detached *t = &v->arch.detached;
    struct domain *d = v->domain;

    __atomic_fetch_and(t->window, ~PTE_W, __ATOMIC_SEQ_CST);
    if (READ_ONCE(d->arch.tlb_cpus.bits) == cpumask_of(smp_processor_id()).bits)
        tlb_invlpg(t->va);
    else
        tlb_flush_domain(d);
    take_over(v, page_virt(t->table));
    t->table = NULL;
    t->unsettled = t->bad;
    d->arch.nr_detached--;
}

void attach_domain(struct domain *d, const struct page *table)
{
    for_each_vcpu (d, v)
        if (v->arch.detached.table && (!table || v->arch.detached.table == table)) {
            attach_table(v);
            unhide(v);
        }
}

void detach_settle(struct vcpu *v)
{
    mmu_lock(v->domain);
    mmu_unlock(v->domain);
    if (v->arch.detached.unsettled)
        domain_crash(v->domain, "it has written what may not be to a page table");
    v->arch.detached.unsettled = v->arch.detached.bad = false;
}

bool detach_table(struct vcpu *v, struct page *table, pte_t *window, uint64_t va)
{
    struct detached *t = &v->arch.detached;
    int slot = have_pages(t) ? only_slot(v, table) : -1;

    t->run = 0;
    if (t->table)
        attach_table(v);
    if (slot < 0) {
        t->patience = PATIENCE_MAX;
        if (is_hidden(v))
            unhide(v);
        return false;
    }
    hide(v, (unsigned int)slot);
    memcpy(t->old, page_virt(table), PAGE_SIZE);
    t->table = table;
    t->window = window;
    t->va = va;
    t->unsettled = true;
    v->domain->arch.nr_detached++;
    __atomic_fetch_or(window, PTE_W, __ATOMIC_SEQ_CST);
    tlb_invlpg(va);
    return true;
}

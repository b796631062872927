/* SPDX-License-Identifier: MIT */
/* Grant mappings in page tables (hv/mmu.h).
 *
 * The entry of a grant mapping is like any other: it holds its own references, and whoever replaces it
 * drops them. So nothing goes wrong with the counts when a guest overwrites such an entry; it only can't
 * be unmapped as a grant any more (XSA-234). */
#include <asm/mmu.h>
#include <asm/page_type.h>
#include <asm/pt_check.h>
#include <asm/tlb.h>
#include <hv/domain.h>
#include <hv/errno.h>

struct place {
    struct page *table; /* with a reference, for entries named by machine address */
    pte_t *slot;
};

/* Find the entry, which the current domain's mmu_lock keeps in place. */
static int find(struct domain *d, uint64_t addr, bool contains_pte, struct place *p)
{
    pte_t old;
    uint64_t t;

    p->table = NULL;
    if (!contains_pte) {
        p->slot = mmu_walk_l1(current, addr, &old);
        return p->slot ? 0 : -EINVAL;
    }
    if (addr & (sizeof(pte_t) - 1))
        return -EINVAL;
    p->table = page_from_gfn(d, gfn(addr >> PAGE_SHIFT));
    if (!p->table)
        return -EINVAL;
    t = READ_ONCE(p->table->type);
    if (pgt_type(t) != PGT_L1 || !(t & PGT_VALIDATED)) {
        page_put(p->table);
        p->table = NULL;
        return -EINVAL;
    }
    p->slot = (pte_t *)((char *)page_virt(p->table) + (addr & ~PAGE_MASK));
    return 0;
}

static void found(struct place *p)
{
    if (p->table)
        page_put(p->table);
}

int mmu_grant_map(uint64_t addr, struct page *pg, bool writable, bool contains_pte, bool user,
                  uint16_t avail)
{
    struct domain *d = current_domain();
    struct pt_owner o = {d, page_owner(pg)};
    pte_t e = pte_make(page_mfn(pg), PTE_P | PTE_A | PTE_D | (writable ? PTE_W : 0) |
                                         (user ? PTE_U : 0) | (uint64_t)(avail & 7) << 9);
    struct place p;
    int rc;

    if (!o.from)
        return -EINVAL;
    mmu_lock(d);
    rc = find(d, addr, contains_pte, &p);
    if (!rc) {
        rc = pt_update(&o, 1, p.slot, e, 0);
        found(&p);
    }
    mmu_unlock(d);
    return rc;
}

static bool maps(pte_t e, const struct page *pg, bool writable)
{
    return (e & PTE_P) && pte_mfn(e).n == page_mfn(pg).n && (writable || !(e & PTE_W));
}

/* Swap @new in without touching references, which move with the entries. A and D may change meanwhile. */
static pte_t take_out(pte_t *slot, pte_t new)
{
    return __atomic_exchange_n(slot, new, __ATOMIC_SEQ_CST);
}

int mmu_grant_unmap(uint64_t addr, struct page *pg, bool writable, bool contains_pte,
                    uint64_t new_addr)
{
    struct domain *d = current_domain();
    struct place p;
    pte_t old, moved = 0, *from = NULL;
    int rc;

    if (new_addr && contains_pte)
        return -EINVAL;
    mmu_lock(d);
    rc = find(d, addr, contains_pte, &p);
    if (!rc && !maps(READ_ONCE(*p.slot), pg, writable))
        rc = -EINVAL;
    if (!rc && new_addr) {
        from = mmu_walk_l1(current, new_addr, &old);
        rc = from && from != p.slot ? 0 : -EINVAL;
    }
    if (!rc) {
        if (from)
            moved = take_out(from, 0);
        old = take_out(p.slot, moved);
        /* Nobody may reach the frame any more once the references are gone: the granter takes the end
         * of the mapping for the end of access. All addresses, as the table may be linked twice. */
        tlb_flush_domain(d);
        rc = pt_put_entry(d, 1, old);
    }
    if (p.table)
        page_put(p.table);
    mmu_unlock(d);
    return rc;
}

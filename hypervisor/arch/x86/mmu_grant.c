/* SPDX-License-Identifier: MIT */
/* Grant mappings in page tables (hv/mmu.h).
 *
 * The entry of a grant mapping is like any other: it holds its own references, and whoever replaces it
 * drops them. So nothing goes wrong with the counts when a guest overwrites such an entry; it only can't
 * be unmapped as a grant any more (XSA-234). */
#include <asm/mmu.h>
#include <asm/pt_check.h>

/* Find the entry, which the current domain's mmu_lock keeps in place. *@table: with a reference, of
 * entries named by machine address. */
static pte_t *find(struct domain *d, uint64_t addr, bool contains_pte, struct page **table)
{
    pte_t old;
    uint64_t t;

    if (!contains_pte)
        return mmu_walk_l1(current, addr, &old);
    if (addr & (sizeof(pte_t) - 1))
        return NULL;
    *table = page_from_gfn(d, gfn(addr >> PAGE_SHIFT));
    if (!*table)
        return NULL;
    t = READ_ONCE((*table)->type);
    if (pgt_type(t) != PGT_L1 || !(t & PGT_VALIDATED))
        return NULL;
    return (pte_t *)((char *)page_virt(*table) + (addr & ~PAGE_MASK));
}

int mmu_grant_map(uint64_t addr, struct page *pg, bool writable, bool contains_pte, bool user,
                  uint16_t avail)
{
    struct domain *d = current_domain();
    struct pt_owner o = {d, page_owner(pg)};
    pte_t e = pte_make(page_mfn(pg), PTE_P | PTE_A | PTE_D | (writable ? PTE_W : 0) |
                                         (user ? PTE_U : 0) | (uint64_t)(avail & 7) << 9);
    struct page *table __put_page = NULL;
    pte_t *slot;

    if (!o.from)
        return -EINVAL;
    mmu_guard(d);
    slot = find(d, addr, contains_pte, &table);
    return slot ? pt_update(&o, 1, slot, e, 0) : -EINVAL;
}

static bool maps(pte_t e, const struct page *pg, bool writable)
{
    return (e & PTE_P) && pte_mfn(e).n == page_mfn(pg).n && (writable || !(e & PTE_W));
}

int mmu_grant_unmap(uint64_t addr, struct page *pg, bool writable, bool contains_pte,
                    uint64_t new_addr)
{
    struct domain *d = current_domain();
    struct page *table __put_page = NULL;
    pte_t *slot, *from = NULL, old, moved = 0;

    if (new_addr && contains_pte)
        return -EINVAL;
    mmu_guard(d);
    slot = find(d, addr, contains_pte, &table);
    if (!slot || !maps(READ_ONCE(*slot), pg, writable))
        return -EINVAL;
    if (new_addr) { /* references move with the entries; A and D may change meanwhile */
        from = mmu_walk_l1(current, new_addr, &old);
        if (!from || from == slot)
            return -EINVAL;
        moved = __atomic_exchange_n(from, 0, __ATOMIC_SEQ_CST);
    }
    old = __atomic_exchange_n(slot, moved, __ATOMIC_SEQ_CST);
    /* Nobody may reach the frame any more once the references are gone: the granter takes the end
     * of the mapping for the end of access. All addresses, as the table may be linked twice. */
    tlb_flush_domain(d);
    return pt_put_entry(d, 1, old);
}

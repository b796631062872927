/* SPDX-License-Identifier: MIT */
/* Type references inside arch/x86: the lock-free paths of PGT_WRITABLE, and half-done tables.
 *
 * The type word of a frame (hv/page.h), by state:
 *   idle       type of the last use, count 0; with PGT_FOREIGN possibly
 *   WRITABLE   count > 0; PGT_CHANGING while the flush that the change of type needs is under way
 *   table,     PGT_VALIDATED, count > 0. Neither VALIDATED nor PARTIAL: being validated or undone by
 *   SEGDESC    the holder of the owner's mmu_lock right now
 *   half done  a table with PGT_PARTIAL, count 1. This one type reference and one general reference
 *              belong to the state itself, not to whoever left it behind. Whoever comes next under the
 *              lock may carry on, in either direction: page_get_type() of the same type validates the
 *              rest, page_undo_partial() gives back what is held. So no caller's references can get
 *              mixed up with those of another (XSA-58, 299, 310). */
#pragma once

#include <hv/mmu.h>
#include <hv/page.h>
#include <hv/printk.h>

/* PGT_PARTIAL_REF (P4): entry nr_done still holds its general reference, but no type reference; the
 * table it names may be half done itself. */
struct pt_progress {
    unsigned int done; /* entries [0, done) hold their references */
    bool ref;
};

/** page_undo_partial - carry on giving back what a half-done table holds; 0 also if there is nothing
 * (any more) to do. The caller holds a general reference and the owner's mmu_lock. 0 or -ERESTART. */
int __must_check page_undo_partial(struct page *pg);

static inline bool page_is_partial(const struct page *pg)
{
    return READ_ONCE(pg->type) & PGT_PARTIAL;
}

/** page_type_writable_slow - the frame had another type, or is just changing. */
bool page_type_writable_slow(struct page *pg, uint64_t foreign);

/** page_type_get_writable - one WRITABLE reference, no lock. The caller holds a general one. @foreign:
 * PGT_FOREIGN if it is for a mapping in another domain than the owner's, else 0. */
static inline bool __must_check page_type_get_writable(struct page *pg, uint64_t foreign)
{
    uint64_t t = READ_ONCE(pg->type);

    while (likely((t & (PGT_MASK | PGT_CHANGING)) == PGT(PGT_WRITABLE))) {
        if (unlikely(pgt_count(t) == PGT_COUNT_MASK))
            return false;
        if (likely(__atomic_compare_exchange_n(&pg->type, &t, (t + 1) | foreign, false,
                                               __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)))
            return true;
    }
    return page_type_writable_slow(pg, foreign);
}

/** page_stamp - note that a translation to @pg may have lived until now. Each who drops a reference does
 * so before dropping it, and looks at the clock once more after writing: so a stamp that was written
 * late over a newer one is put right before its writer's reference goes (XSA-241). */
static inline void page_stamp(struct page *pg)
{
    uint32_t now = tlb_clock();

    while (unlikely(READ_ONCE(pg->stamp) != now)) {
        __atomic_exchange_n(&pg->stamp, now, __ATOMIC_SEQ_CST);
        now = tlb_clock();
    }
}

/** page_type_put_writable - drop one. What was mapped through it is unmapped already. */
static inline void page_type_put_writable(struct page *pg)
{
    ASSERT(pgt_type(pg->type) == PGT_WRITABLE && pgt_count(pg->type));
    page_stamp(pg); /* before the count: with count 0 the stamp is what others go by */
    __atomic_fetch_sub(&pg->type, 1, __ATOMIC_SEQ_CST);
}

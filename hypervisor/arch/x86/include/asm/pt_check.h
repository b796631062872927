/* SPDX-License-Identifier: MIT */
/* The references of page-table entries: taken when an entry comes into being, dropped when it goes. */
#pragma once

#include <asm/page_type.h>
#include <asm/pte.h>

/* Who maps what. The tables are always @d's; L1 entries may name frames of @from. */
struct pt_owner {
    struct domain *d;
    struct domain *from; /* NULL: only what is not RAM */
};

/** pt_get_entry - take the references of a present entry that pt_adjust() has passed
 * @pe    in and out: cache attributes of RAM are cleared
 * @left  out, L2..L4: after an error, a table that was left half done, with a general reference which
 *        is the caller's now; NULL if there is none
 * Returns 0; -EBUSY (L1) not @from's frame, or not to be written; -EPERM (L1) not RAM and not for @d;
 * -EINVAL (L2..L4) not a table of the level below; -ERESTART and the errors of the validation of that
 * table. @d's mmu_lock is held. */
int __must_check pt_get_entry(const struct pt_owner *o, int level, pte_t *pe, struct page **left);

/** pt_put_entry - drop the references of a present entry that is not in the table any more. -ERESTART
 * (L2..L4): the general reference is still held, the table named is half done. */
int __must_check pt_put_entry(struct domain *d, int level, pte_t e);

/** pt_adjust - check an entry's flags and bring them into the form they are stored in; -EINVAL. */
int __must_check pt_adjust(const struct domain *d, int level, pte_t *pe);

/** pt_update - the one way in which an entry of a live (validated) table changes
 * @slot  the entry, in the direct map   @keep  bits of the old entry to be kept (A, D)
 * Returns 0, or what pt_adjust() and pt_get_entry() say, and then nothing has changed. A table that was
 * left half done, by failure or because it lost its last reference, is now current's old_table.
 * @o->d's mmu_lock is held. */
int __must_check pt_update(const struct pt_owner *o, int level, pte_t *slot, pte_t new,
                           uint64_t keep);

/** pt_replace_l1 - the same for an L1 entry that must still be @old; -EAGAIN if it is not. */
int __must_check pt_replace_l1(const struct pt_owner *o, pte_t *slot, pte_t old, pte_t new);

/** pt_guest_slot - false: this entry of a table of @level is the hypervisor's. */
static inline bool pt_guest_slot(int level, unsigned int i)
{
    return level < 4 || i - HV_L4_FIRST >= HV_L4_SLOTS;
}

/** pt_note_parent - the table that @e names is linked into the one that @slot lies in: a hint (detach.c). */
static inline void pt_note_parent(const pte_t *slot, pte_t e)
{
    WRITE_ONCE(mfn_page(pte_mfn(e))->stamp, (uint32_t)virt_to_mfn(slot).n);
}

/** pt_take_table, pt_drop_table - all entries of a table, from where @p says: on to the end, or back to
 * the start. 0, -ERESTART or (take) the error of an entry; @p is exact in every case (P4). */
int __must_check pt_take_table(struct domain *d, struct page *pg, int level, struct pt_progress *p);
int __must_check pt_drop_table(struct domain *d, struct page *pg, int level, struct pt_progress *p);

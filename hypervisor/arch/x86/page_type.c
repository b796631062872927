/* SPDX-License-Identifier: MIT */
/* Type references: P1 to P5 of hv/page.h, over the states that asm/page_type.h lists.
 *
 * The order in which a frame becomes a table (XSA-401, XSA-408):
 *   1. its type word says so, count 1: no new WRITABLE reference can be had from here on;
 *   2. what the *old* type may have left in TLBs is flushed: writable translations after WRITABLE,
 *      cached upper entries that lead to it after a table type;
 *   3. its contents are looked at, entry by entry;
 *   4. PGT_VALIDATED.
 * Tables refer to the level below only, so validating and undoing call themselves at most four deep. */
#include <asm/mmu.h>
#include <asm/pt_check.h>

static int level_of(enum page_type type)
{
    return (int)(type - PGT_L1) + 1;
}

static bool is_table(enum page_type type)
{
    return type >= PGT_L1 && type <= PGT_L4;
}

/* Only translations made under the type that ends matter. */
static void flush_old_type(const struct page *pg, uint64_t old)
{
    tlb_flush_since(old & PGT_FOREIGN ? NULL : page_owner(pg), READ_ONCE(pg->stamp));
}

static bool type_flushes(uint64_t old, enum page_type new)
{
    return pgt_type(old) != PGT_NONE && pgt_type(old) != new;
}

/* ---- WRITABLE ---- */

bool page_type_writable_slow(struct page *pg, uint64_t foreign)
{
    uint64_t t = READ_ONCE(pg->type), n;

    for (;;) {
        bool writable = pgt_type(t) == PGT_WRITABLE;

        if (pgt_count(t) && (!writable || pgt_count(t) == PGT_COUNT_MASK))
            return false;
        if (writable && (t & PGT_CHANGING)) { /* another pcpu flushes for it, with interrupts on */
            cpu_relax();
            t = READ_ONCE(pg->type);
            continue;
        }
        n = writable ? (t + 1) | foreign : PGT(PGT_WRITABLE) | foreign | 1;
        if (type_flushes(t, PGT_WRITABLE))
            n |= PGT_CHANGING;
        if (__atomic_compare_exchange_n(&pg->type, &t, n, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            break;
    }
    if (n & PGT_CHANGING) {
        flush_old_type(pg, t);
        __atomic_fetch_and(&pg->type, ~PGT_CHANGING, __ATOMIC_SEQ_CST);
    }
    return true;
}

bool page_get_writable(struct page *pg, struct domain *d)
{
    if (!page_get(pg, d))
        return false;
    if (likely(page_type_get_writable(pg, 0)))
        return true;
    page_put(pg);
    return false;
}

void page_put_writable(struct page *pg)
{
    page_type_put_writable(pg);
    page_put(pg);
}

/* ---- tables and descriptor tables, under the owner's mmu_lock ----
 * While such a type is live, only the holder of that lock changes the word: plain stores. */

static void set_word(struct page *pg, uint64_t word)
{
    __atomic_store_n(&pg->type, word, __ATOMIC_RELEASE);
}

static uint64_t partial_word(enum page_type type, const struct pt_progress *p)
{
    return PGT(type) | PGT_PARTIAL | (p->ref ? PGT_PARTIAL_REF : 0) |
           (uint64_t)p->done << PGT_DONE_SHIFT | 1;
}

static struct pt_progress partial_progress(uint64_t word)
{
    return (struct pt_progress){pgt_done(word), word & PGT_PARTIAL_REF};
}

/* The half-done state keeps the type reference of whoever stops here, and a general one of its own. */
static void leave_partial(struct page *pg, enum page_type type, const struct pt_progress *p,
                          bool was_partial)
{
    if (!was_partial)
        __atomic_fetch_add(&pg->count, 1,
                           __ATOMIC_SEQ_CST); /* cannot be the first: caller has one */
    set_word(pg, partial_word(type, p));
}

/* Give back what @p says is held. @was_partial: the state's own references go with the end. */
static int undo(struct page *pg, enum page_type type, struct pt_progress *p, bool was_partial)
{
    int rc = 0;

    set_word(pg, PGT(type) | 1);
    if (is_table(type))
        rc = pt_drop_table(page_owner(pg), pg, level_of(type), p);
    if (rc) {
        leave_partial(pg, type, p, was_partial);
        return rc;
    }
    page_stamp(pg);
    set_word(pg, PGT(type));
    if (was_partial)
        page_put(pg);
    return 0;
}

/* Check what is left to be checked; the word says @type, count 1, and nothing else. */
static int validate(struct page *pg, enum page_type type, struct pt_progress *p, bool was_partial)
{
    int rc;

    if (is_table(type))
        rc = pt_take_table(page_owner(pg), pg, level_of(type), p);
    else
        rc = descriptor_page_check(page_virt(pg)) ? 0 : -EINVAL;

    if (rc == -ERESTART) {
        leave_partial(pg, type, p, was_partial);
        return rc;
    }
    if (rc) {
        (void)undo(pg, type, p, was_partial); /* may leave it half done: page_is_partial() */
        return rc;
    }
    set_word(pg, PGT(type) | PGT_VALIDATED | 1);
    if (was_partial)
        page_put(pg);
    return 0;
}

/* Make the type @type with count 1, against others who want the frame WRITABLE. */
static bool claim(struct page *pg, enum page_type type, uint64_t *old)
{
    uint64_t t = READ_ONCE(pg->type);

    do {
        if (pgt_count(t))
            return false;
    } while (!__atomic_compare_exchange_n(&pg->type, &t, PGT(type) | 1, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    *old = t;
    return true;
}

static int get_live(struct page *pg, enum page_type type, uint64_t t)
{
    struct pt_progress p;

    if (pgt_type(t) != type)
        return -EINVAL;
    if (t & PGT_VALIDATED) {
        if (pgt_count(t) == PGT_COUNT_MASK)
            return -EINVAL;
        __atomic_fetch_add(&pg->type, 1, __ATOMIC_SEQ_CST);
        return 0;
    }
    if (!(t & PGT_PARTIAL))
        return -EINVAL; /* it is being checked further up the call chain */
    p = partial_progress(t);
    set_word(pg, PGT(type) | 1);
    return validate(pg, type, &p, true);
}

int page_get_type(struct page *pg, enum page_type type)
{
    struct pt_progress p = {0, false};
    uint64_t t, old;

    if (type == PGT_WRITABLE)
        return page_type_get_writable(pg, 0) ? 0 : -EBUSY;
    ASSERT(spin_is_locked_by_me(&page_owner(pg)->arch.mmu_lock));
    t = READ_ONCE(pg->type);
    if (pgt_count(t))
        return get_live(pg, type, t);
    if (unlikely(READ_ONCE(pg->count) & PGC_HV))
        return -EINVAL;
    if (!claim(pg, type, &old))
        return -EINVAL;
    if (type_flushes(old, type))
        flush_old_type(pg, old);
    return validate(pg, type, &p, false);
}

int page_put_type_preempt(struct page *pg)
{
    uint64_t t = READ_ONCE(pg->type);
    struct pt_progress p = {PT_ENTRIES, false};

    ASSERT(pgt_count(t) && !(t & PGT_PARTIAL));
    if (pgt_type(t) == PGT_WRITABLE) {
        page_type_put_writable(pg);
        return 0;
    }
    ASSERT(spin_is_locked_by_me(&page_owner(pg)->arch.mmu_lock));
    if (pgt_count(t) > 1) {
        __atomic_fetch_sub(&pg->type, 1, __ATOMIC_SEQ_CST);
        return 0;
    }
    return undo(pg, pgt_type(t), &p, false);
}

void page_put_type(struct page *pg)
{
    int rc = page_put_type_preempt(pg);

    BUG_ON(rc); /* only the undoing of L2..L4 is ever preempted */
}

int page_undo_partial(struct page *pg)
{
    uint64_t t = READ_ONCE(pg->type);
    struct pt_progress p;

    if (!(t & PGT_PARTIAL))
        return 0;
    ASSERT(spin_is_locked_by_me(&page_owner(pg)->arch.mmu_lock));
    p = partial_progress(t);
    return undo(pg, pgt_type(t), &p, true);
}

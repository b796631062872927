/* SPDX-License-Identifier: MIT */
/* The frame table: who owns a machine frame, how many references there are to it, and as what it
 * is used. This is what isolation rests on.
 *
 * G1  A frame is free (count 0, state FREE, in the buddy allocator), the hypervisor's (PGC_HV), or
 *     a domain's. A domain's frame has PGC_ALLOCATED and its one reference until the domain gives
 *     it up; it is freed when the last reference goes, whoever holds it.            [page.c]
 * G2  page_get() succeeds only on a frame whose count is already above zero and whose owner is
 *     the expected one: "has references", "is allocated" and "has an owner" agree always. [page.c]
 * P1  The type changes only while the type count is zero, in one atomic step which also makes the
 *     count one: users of the old type are held off before the flush and the validation. [page_type.c]
 * P2  A frame typed L1..L4 or SEGDESC has no writable mapping in any guest.         [pt_check.c]
 * P3  A frame that leaves WRITABLE for such a type is flushed from every TLB that may hold a
 *     writable translation of it before its contents are looked at.                [page_type.c]
 * P4  A partly validated table owns exactly the references of entries [0, nr_done), plus that of
 *     entry nr_done if PGT_PARTIAL_REF is set; the record is part of the type word.   [pt_check.c]
 * P5  Page-table types are gained and lost only under the owner's mmu_lock. WRITABLE counts move
 *     without a lock.                                                                           */
#pragma once

#include <hv/lock.h>
#include <hv/lib.h>

struct page {
    uint64_t type;  /* PGT_*: type, flags, progress, count; atomic. While count is 0: PGR_* */
    uint64_t count; /* PGC_*: flags and reference count; atomic */
    uint32_t next; /* frame numbers of the neighbours on a free list or the owner's list; 0: none */
    uint32_t prev;
    uint32_t owner; /* frame number of the owner's struct domain; 0: none */
    uint32_t stamp; /* TLB clock when the last writable reference (free: any reference) went */
};
_Static_assert(sizeof(struct page) == 32, "the frame table is 1/128 of memory");

/* ---- type word ---- */
#define PGT_SHIFT 61
#define PGT_MASK  (7UL << PGT_SHIFT)
enum page_type {
    PGT_NONE,
    PGT_WRITABLE,
    PGT_L1,
    PGT_L2,
    PGT_L3,
    PGT_L4,
    PGT_SEGDESC,
};
#define PGT(t)          ((uint64_t)(t) << PGT_SHIFT)
#define PGT_PINNED      (1UL << 60) /* a pin owns one of the type references */
#define PGT_VALIDATED   (1UL << 59) /* contents checked, all references of its entries are held */
#define PGT_PARTIAL     (1UL << 58) /* validation or its undoing stopped half way (P4) */
#define PGT_PARTIAL_REF (1UL << 57) /* ... and entry nr_done holds a reference to a partial table */
#define PGT_FOREIGN     (1UL << 46) /* WRITABLE: another domain than the owner has had a mapping */
#define PGT_CHANGING    (1UL << 45) /* WRITABLE: flush under way, not to be used yet */
#define PGT_DONE_SHIFT  47
#define PGT_DONE_MASK   (0x3ffUL << PGT_DONE_SHIFT) /* nr_done: 0..512 entries hold references */
#define PGT_COUNT_MASK  0xffffffffUL

static inline enum page_type pgt_type(uint64_t word)
{
    return (enum page_type)(word >> PGT_SHIFT);
}

static inline uint32_t pgt_count(uint64_t word)
{
    return (uint32_t)word;
}

static inline unsigned int pgt_done(uint64_t word)
{
    return (unsigned int)((word & PGT_DONE_MASK) >> PGT_DONE_SHIFT);
}

/* ---- count word ---- */
#define PGC_ALLOCATED  (1UL << 63) /* the owner's own reference is still there */
#define PGC_HV         (1UL << 62) /* the hypervisor's frame: never mappable by a guest (XSA-248) ... */
#define PGC_SHARED     (1UL << 61) /* ... unless it is also this: shared info, grant table frames */
#define PGC_FREE       (1UL << 60) /* in the buddy allocator */
#define PGC_OFFLINE    (1UL << 59) /* not RAM, or kept out of use */
#define PGC_TAINTED    (1UL << 58) /* contents not known to be its next owner's: clear before use */
#define PGC_COUNT_MASK ((1UL << 56) - 1)

/* ---- what the type word says of a frame with count 0: who had it last ----
 * Contents stay with their domain: a frame that comes back to the domain which had it last is
 * neither cleared nor flushed; for anybody else it is. The unique id of a domain is never used
 * again, so a later domain in the same memory is not mistaken for the one that is gone. */
#define PGR_OWNER_MASK  0xffffffffUL /* d->uid of the last owner; 0: the hypervisor, or unknown */
#define PGR_FLUSH       (1UL << 32) /* that domain's stale translations may exist: flush for others */
#define PGR_ALWAYS      (1UL << 33) /* and other domains' too, or it was a table: flush for anybody */
#define PGR_ORDER_SHIFT 40 /* free: 1 + the block's order in its first frame on a list ... */
#define PGR_ORDER_MASK  (0xffUL << PGR_ORDER_SHIFT)
#define PGR_HOT         0x80UL /* ... or this: kept back from merging. 0: neither */

/* ---- the table itself: frame_table, indexed by frame number, and the direct map ---- */
#include <asm/directmap.h>

extern uint64_t max_page;    /* frames [0, max_page) exist in the table, holes included */
extern uint64_t total_pages; /* frames of RAM */

/** mfn_valid - the frame has an entry in the frame table and is RAM (XSA-32). */
static inline bool mfn_valid(mfn_t m)
{
    return m.n < max_page && !(READ_ONCE(frame_table[m.n].count) & PGC_OFFLINE);
}

static inline mfn_t page_mfn(const struct page *pg)
{
    return (mfn_t){(uint64_t)(pg - frame_table)};
}

static inline struct page *mfn_page(mfn_t m)
{
    return &frame_table[m.n];
}

static inline void *page_virt(const struct page *pg)
{
    return mfn_to_virt(page_mfn(pg));
}

/* Lists of frames by number, linked by next and prev; 0 ends them. */
static inline void page_list_add(uint32_t *head, struct page *pg)
{
    uint32_t n = (uint32_t)page_mfn(pg).n;

    pg->prev = 0;
    pg->next = *head;
    if (*head)
        frame_table[*head].prev = n;
    *head = n;
}

static inline void page_list_del(uint32_t *head, struct page *pg)
{
    if (pg->next)
        frame_table[pg->next].prev = pg->prev;
    if (pg->prev)
        frame_table[pg->prev].next = pg->next;
    else
        *head = pg->next;
    pg->next = pg->prev = 0;
}

/** page_owner - NULL if nobody. Stable while the caller holds a reference, or d's page_lock. */
static inline struct domain *page_owner(const struct page *pg)
{
    uint32_t o = READ_ONCE(pg->owner);

    return o ? (struct domain *)mfn_to_virt(mfn(o)) : NULL;
}

/* ---- page_alloc.c: the buddy allocator ---- */
#define MAX_ORDER 20

/** page_alloc_reset - no free frames at all; the state at boot. */
void page_alloc_reset(void);

/** page_alloc_init_region - give the frames [start, end) to the allocator; boot only. */
void page_alloc_init_region(mfn_t start, mfn_t end);

/** page_alloc - 2^@order frames, aligned to their size, for the hypervisor: count 1, PGC_HV.
 * @flags PA_ZERO clears them; PA_LOW4G below 4 GiB. NULL when there are none. */
struct page *page_alloc(unsigned int order, unsigned int flags);
void page_free(struct page *pg, unsigned int order);
#define PA_ZERO  1u
#define PA_LOW4G 2u

/** page_alloc_raw - the same for 2^@order frames that lie below 2^@bits bytes (0: anywhere), not yet
 * anybody's (count 0, no flags but PGC_TAINTED where contents are stale). Of what is set aside it takes
 * @claimed at most. Give back with page_free_raw(); make it usable with page_prepare(). */
struct page *page_alloc_raw(unsigned int order, unsigned int bits, uint64_t claimed);
void page_free_raw(struct page *pg, unsigned int order);

/** page_prepare - clear raw frames and flush stale translations to them, so that the owner with
 * unique id @uid (0: the hypervisor) finds nothing of others in them and nobody else has a way to
 * them. Leaves count 0 and a type word with count 0. No locks held above LOCK_PAGES. */
void page_prepare(struct page *pg, unsigned int order, uint32_t uid);

/** page_claim - set @n free frames aside, for a domain whose claimed_pages they are counted in, or give -@n
 * of them up; false if there are not so many. page_claimed_count - set aside now. page_unclaim - @d has got, or
 * will not want, up to @n of its claim; d->page_lock is held. */
bool page_claim(int64_t n);
uint64_t page_claimed_count(void);
void page_unclaim(struct domain *d, uint64_t n);

/** page_free_count - free frames. page_alloc_drain - bring the allocator to its canonical state,
 * everything coalesced; for tests and statistics. */
uint64_t page_free_count(void);
void page_alloc_drain(void);
/** page_alloc_check - walk all free lists and check them; number of errors found. Debug, tests. */
unsigned int page_alloc_check(void);

/** order_for - of the smallest block of @bytes. */
static inline unsigned int order_for(size_t bytes)
{
    return bytes > PAGE_SIZE ? fls64((bytes - 1) >> PAGE_SHIFT) : 0;
}

/* Convenience for the hypervisor's own page-sized objects. */
void *page_alloc_virt(unsigned int order, unsigned int flags);
void page_free_virt(void *va, unsigned int order);

/* ---- page.c: ownership and references ---- */

/** page_keep_contents - set while dom0 is built, before there is any other domain: what is in memory then
 * it may see, and clearing all of a machine's memory takes long. */
extern bool page_keep_contents;

/** page_alloc_domain - 2^@order frames for @d, each with PGC_ALLOCATED and one reference, on d's
 * page list, counted in d->tot_pages. Contents are d's own old ones or zero, never another's
 * (XSA-100). @bits: address width limit, 0 for none.
 * Returns NULL: no memory, or d's limit (unless @force, for exchange), or d is dying. */
struct page *page_alloc_domain(struct domain *d, unsigned int order, unsigned int bits, bool force);

/** page_assign_shared - make a hypervisor frame mappable by @d (shared info, grant frames): owner d,
 * PGC_HV|PGC_SHARED; not counted in d->tot_pages. page_unshare() is its end; the frame stays the
 * hypervisor's until then, and unshare fails with -EBUSY while a guest still maps it. */
void page_assign_shared(struct page *pg, struct domain *d);
int page_unshare(struct page *pg);

/** page_put_last - the slow end of page_put(): the count has just become zero. */
void page_put_last(struct page *pg);

/** page_get - take a reference if the frame is @d's and alive (G2).
 * The owner is checked before, so that a wrong guess disturbs nobody, and after: in between the frame
 * may have changed hands and come to the same count again. */
static inline bool __must_check page_get(struct page *pg, const struct domain *d)
{
    uint64_t c = READ_ONCE(pg->count);
    uint64_t self = virt_to_mfn(d).n;

    do {
        if (unlikely(!(c & PGC_COUNT_MASK)) || unlikely((c & PGC_COUNT_MASK) == PGC_COUNT_MASK) ||
            unlikely(READ_ONCE(pg->owner) != self))
            return false;
    } while (unlikely(!__atomic_compare_exchange_n(&pg->count, &c, c + 1, false, __ATOMIC_SEQ_CST,
                                                   __ATOMIC_RELAXED)));
    if (likely(READ_ONCE(pg->owner) == self))
        return true;
    if ((__atomic_sub_fetch(&pg->count, 1, __ATOMIC_SEQ_CST) & PGC_COUNT_MASK) == 0)
        page_put_last(pg);
    return false;
}

/** page_put - drop a reference; the frame is freed with the last one. Takes the owner's page_lock and
 * LOCK_BUDDY then; may drop the last reference to a domain whose destruction has ended. */
static inline void page_put(struct page *pg)
{
    if (unlikely((__atomic_sub_fetch(&pg->count, 1, __ATOMIC_SEQ_CST) & PGC_COUNT_MASK) == 0))
        page_put_last(pg);
}

/** page_release - the owner gives the frame up: drops PGC_ALLOCATED and its reference. The caller
 * holds a reference of its own. Returns false if it had been given up before. Pins and types are
 * not touched (XSA-252). */
bool page_release(struct page *pg);

/** page_discard - page_get(), page_release() and page_put() in one step, for a frame of @d to which
 * nobody refers but @d. False, and nothing done, if it is not like that. */
bool page_discard(struct page *pg, struct domain *d);

/** page_steal - take the frame @pg away from @d at one go: succeeds only if nobody but the caller
 * (one reference, got by page_get) and the owner's allocation refer to it and it has no typed use.
 * On success it is nobody's: off d's list, count 0, raw. Returns -EBUSY or -EINVAL.
 * @keep: for exchange, d->tot_pages does not move, so that the limit can neither be used up nor passed
 * meanwhile (XSA-159); page_give_kept() and page_uncount() settle the account. */
int page_steal(struct page *pg, struct domain *d, bool keep);

/** page_give - the inverse: assign a raw frame to @d; -E2BIG over its limit, -EINVAL if dying. */
int page_give(struct page *pg, struct domain *d);

/** page_give_kept - page_give() of frames that were stolen with @keep, in exchange: it takes prepared
 * raw frames and fails only if @d is dying (-ESRCH); then page_uncount() settles the account of @n. */
int page_give_kept(struct page *pg, unsigned int order, struct domain *d);
void page_uncount(struct domain *d, uint64_t n);

/** page_next_owned - walk the frames of @d: the one after @prev (NULL: the first) with a reference
 * taken, NULL at the end. The reference to @prev, which keeps the place, stays the caller's. */
struct page *page_next_owned(struct domain *d, struct page *prev);

/** __put_page - of a local variable: the reference that it holds, if any, ends with its block. */
#define __put_page __at_end(page_put_at_end)
static inline void page_put_at_end(struct page **pg)
{
    if (*pg)
        page_put(*pg);
}

/** page_from_gfn - the only gate from a guest's frame number to a struct page: RAM, owned by @d, a
 * reference taken. NULL otherwise. */
static inline struct page *page_from_gfn(struct domain *d, gfn_t g)
{
    struct page *pg;

    if (unlikely(g.n >= max_page))
        return NULL;
    pg = &frame_table[g.n];
    return likely(page_get(pg, d)) ? pg : NULL; /* holes and non-RAM have count 0 */
}

/* ---- page_type.c ---- */

/** page_get_type - take a type reference. The caller holds a general reference; for PGT_L1..L4 and
 * PGT_SEGDESC also the owner's mmu_lock. Interrupts are on: it may have to flush TLBs.
 * Returns 0; -EBUSY (WRITABLE: it is a table); -EINVAL (live with another type, or contents that no
 * table may have); -ERESTART (preempted, progress recorded; only L2..L4; call again); or what an L1 entry
 * can get (asm/pt_check.h). After an error a table of L2..L4 may be left half done: page_is_partial(). */
int __must_check page_get_type(struct page *pg, enum page_type type);

/** page_put_type_preempt - drop one; the last one of a table undoes its validation. -ERESTART: the
 * reference is gone, but the table is half done: page_undo_partial() (asm/page_type.h) finishes it.
 * For L1..L4 and SEGDESC the owner's mmu_lock is held. */
int __must_check page_put_type_preempt(struct page *pg);

/** page_put_type - the same for types whose undoing is short (WRITABLE, SEGDESC, L1), and for
 * references known not to be the last. */
void page_put_type(struct page *pg);

/** page_get_writable / page_put_writable - general and WRITABLE reference in one. */
bool __must_check page_get_writable(struct page *pg, struct domain *d);
void page_put_writable(struct page *pg);

/** page_from_gfn_writable - as page_from_gfn(), with a WRITABLE reference too. */
static inline struct page *page_from_gfn_writable(struct domain *d, gfn_t g)
{
    return g.n < max_page && page_get_writable(&frame_table[g.n], d) ? &frame_table[g.n] : NULL;
}

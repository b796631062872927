/* SPDX-License-Identifier: MIT */
/* Ownership of and references to frames: invariants G1 and G2 of hv/page.h.
 *
 * The life of a domain's frame, and the one function that makes each transition:
 *
 *   raw ---------> owned (ALLOCATED, count 1)      adopt(): page_alloc_domain, page_give
 *   owned -------> given up (count >= 1)           page_release
 *   given up ----> free                            page_put_last, with the last reference
 *   owned -------> free                            page_discard: nobody else refers to it
 *   owned -------> raw                             page_steal(): only with no other reference than the
 *                                                  caller's and the domain's own
 *
 * "Raw" is count 0 and no owner: no page_get() succeeds on it. adopt() makes the count non-zero
 * last, and page_put_last() and page_steal() run after it has become zero, so a frame with references
 * always has its owner (XSA-287). The list of a domain's frames and d->tot_pages change with it
 * under page_lock; while tot_pages is above zero the frames as a whole hold one reference to the
 * domain (D1), because pg->owner leads to it. */
#include <hv/domain.h>
#include <hv/mmu.h>

#define COUNT_OF(word) ((word)&PGC_COUNT_MASK)

static uint32_t frame_of(const struct domain *d)
{
    return (uint32_t)virt_to_mfn(d).n;
}

static uint32_t domain_uid(struct domain *d)
{
    static uint32_t last;
    uint32_t none = 0, uid = READ_ONCE(d->uid);

    if (likely(uid))
        return uid;
    uid = __atomic_add_fetch(&last, 1, __ATOMIC_SEQ_CST);
    if (__atomic_compare_exchange_n(&d->uid, &none, uid, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return uid;
    return none; /* another pcpu was faster; ours is lost */
}

/* ---- the list and the account; d->page_lock is held ---- */

static int may_add(const struct domain *d, uint64_t n)
{
    if (READ_ONCE(d->is_dying))
        return -EINVAL;
    if (d->max_pages < n || READ_ONCE(d->tot_pages) > d->max_pages - n)
        return -E2BIG;
    return 0;
}

void page_unclaim(struct domain *d, uint64_t n)
{
    n = min(n, d->claimed_pages);
    d->claimed_pages -= n;
    if (unlikely(n))
        (void)page_claim(-(int64_t)n);
}

static int __must_check count_in(struct domain *d, uint64_t n, bool force)
{
    int rc = may_add(d, n);

    if (rc == -E2BIG && force)
        rc = 0;
    if (!rc && d->tot_pages == 0 && !domain_get(d))
        rc = -EINVAL;
    if (!rc) {
        d->tot_pages += n;
        page_unclaim(d, n);
    }
    return rc;
}

/* True if these were the last: then domain_put() after the lock has been released. */
static bool __must_check count_out(struct domain *d, uint64_t n)
{
    ASSERT(d->tot_pages >= n);
    d->tot_pages -= n;
    return d->tot_pages == 0;
}

/* Raw, prepared frames become @d's. */
static void adopt(struct page *pg, unsigned int order, struct domain *d)
{
    uint32_t self = frame_of(d);

    for (unsigned long i = 0; i < 1UL << order; i++) {
        pg[i].owner = self;
        page_list_add(&d->page_list, &pg[i]);
        __atomic_store_n(&pg[i].count, PGC_ALLOCATED | 1, __ATOMIC_RELEASE);
    }
}

/* What a frame that leaves @d remembers (PGR_*). The clock is read after the count has become zero:
 * whatever translation there is was made before. */
static void record_owner(struct page *pg, uint32_t uid)
{
    uint64_t r = uid | PGR_FLUSH;

    if (pgt_type(pg->type) >= PGT_L1 || (pg->type & PGT_FOREIGN))
        r |= PGR_ALWAYS;
    pg->type = r;
    pg->stamp = tlb_clock();
}

/* ---- allocation ---- */

struct page *page_alloc_domain(struct domain *d, unsigned int order, unsigned int bits, bool force)
{
    struct page *pg;
    uint64_t n;
    int rc;

    if (order > MAX_ORDER)
        return NULL;
    n = 1UL << order;
    rc = may_add(d, n); /* a first look, before any clearing is done in vain */
    if (rc && !(rc == -E2BIG && force))
        return NULL;
    pg = page_alloc_raw(order, bits, READ_ONCE(d->claimed_pages));
    if (!pg)
        return NULL;
    page_prepare(pg, order, domain_uid(d));

    spin_lock(&d->page_lock);
    rc = count_in(d, n, force);
    if (!rc)
        adopt(pg, order, d);
    spin_unlock(&d->page_lock);
    if (unlikely(rc)) {
        page_free_raw(pg, order);
        return NULL;
    }
    return pg;
}

/* A frame whose count is zero leaves @d. d->page_lock is held. True if it was the last. */
static bool __must_check leave(struct page *pg, struct domain *d)
{
    page_list_del(&d->page_list, pg);
    record_owner(pg, d->uid);
    pg->owner = 0;
    return count_out(d, 1);
}

/* The rest of it, without the lock. */
static void free_left(struct page *pg, struct domain *d, bool last)
{
    m2p_set(page_mfn(pg), INVALID_M2P);
    page_free_raw(pg, 0);
    if (unlikely(last))
        domain_put(d);
}

void page_put_last(struct page *pg)
{
    struct domain *d = page_owner(pg);
    bool last;

    BUG_ON(pg->count || !d || (pg->type & (PGT_COUNT_MASK | PGT_PINNED | PGT_PARTIAL)));
    spin_lock(&d->page_lock);
    last = leave(pg, d);
    spin_unlock(&d->page_lock);
    free_left(pg, d, last);
}

/* From the owner's reference and @n - 1 of the caller to none, if these are all. Then nobody can
 * reach the frame any more; but a table that was left half validated still owns the references of
 * its entries, and the caller may have typed it itself. */
static bool take_alone(struct page *pg, uint64_t n)
{
    uint64_t c = PGC_ALLOCATED | n;

    if (!__atomic_compare_exchange_n(&pg->count, &c, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return false;
    if (likely(!(pg->type & (PGT_COUNT_MASK | PGT_PINNED | PGT_PARTIAL))))
        return true;
    __atomic_store_n(&pg->count, PGC_ALLOCATED | n, __ATOMIC_RELEASE);
    return false;
}

/* While d->page_lock is held, a frame of @d does not change hands: it is safe to go from the
 * owner's one reference to none without taking one in between. */
bool page_discard(struct page *pg, struct domain *d)
{
    bool gone = false, last = false;

    spin_lock(&d->page_lock);
    if (READ_ONCE(pg->owner) == frame_of(d) && take_alone(pg, 1)) {
        last = leave(pg, d);
        gone = true;
    }
    spin_unlock(&d->page_lock);
    if (gone)
        free_left(pg, d, last);
    return gone;
}

bool page_release(struct page *pg)
{
    uint64_t c = READ_ONCE(pg->count);

    do {
        if (!(c & PGC_ALLOCATED))
            return false;
        ASSERT(COUNT_OF(c) >= 2); /* the caller's reference and the one that goes */
    } while (!__atomic_compare_exchange_n(&pg->count, &c, (c & ~PGC_ALLOCATED) - 1, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return true;
}

/* ---- frames of the hypervisor that a guest may map ---- */

void page_assign_shared(struct page *pg, struct domain *d)
{
    BUG_ON(pg->count != (PGC_HV | 1) || pg->owner);
    pg->type = PGT(PGT_NONE);
    pg->owner = frame_of(d);
    __atomic_store_n(&pg->count, PGC_HV | PGC_SHARED | 1, __ATOMIC_RELEASE);
}

int page_unshare(struct page *pg)
{
    uint64_t c = PGC_HV | PGC_SHARED | 1;

    /* To zero first: without an owner it must not have references for others to add to. */
    if (!__atomic_compare_exchange_n(&pg->count, &c, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return -EBUSY;
    pg->owner = 0;
    pg->type = PGT(PGT_NONE);
    __atomic_store_n(&pg->count, PGC_HV | 1, __ATOMIC_RELEASE);
    tlb_flush_since(NULL, tlb_clock());
    return 0;
}

/* ---- changing hands ---- */

/* The frame leaves @d at one go. The account stays if @keep. */
int page_steal(struct page *pg, struct domain *d, bool keep)
{
    bool last = false;
    int rc = 0;

    spin_lock(&d->page_lock);
    if (READ_ONCE(pg->owner) != frame_of(d) || (READ_ONCE(pg->count) & PGC_HV) ||
        !(READ_ONCE(pg->count) & PGC_ALLOCATED))
        rc = -EINVAL;
    else if (!take_alone(pg, 2))
        rc = -EBUSY;
    else
        last = leave(pg, d);
    if (!rc && keep) {
        d->tot_pages++; /* the reference to d stays with the account */
        last = false;
    }
    spin_unlock(&d->page_lock);
    if (last)
        domain_put(d);
    return rc;
}

int page_give(struct page *pg, struct domain *d)
{
    page_prepare(pg, 0, domain_uid(d));
    spin_guard(&d->page_lock);
    TRY(count_in(d, 1, false));
    adopt(pg, 0, d);
    return 0;
}

int page_give_kept(struct page *pg, unsigned int order, struct domain *d)
{
    spin_guard(&d->page_lock);
    if (d->is_dying)
        return -ESRCH;
    adopt(pg, order, d);
    return 0;
}

void page_uncount(struct domain *d, uint64_t n)
{
    bool last;

    if (n == 0)
        return;
    spin_lock(&d->page_lock);
    last = count_out(d, n);
    spin_unlock(&d->page_lock);
    if (last)
        domain_put(d);
}

/* ---- walking ---- */

struct page *page_next_owned(struct domain *d, struct page *prev)
{
    spin_guard(&d->page_lock);
    for (uint32_t n = prev ? prev->next : d->page_list; n; n = frame_table[n].next)
        if (page_get(&frame_table[n], d)) /* fails on one that is just being freed */
            return &frame_table[n];
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The end of a domain's memory: roots and descriptor tables, then pins and half-done tables, then the
 * pages themselves. Each step can stop at any page and be taken up there again; until the last one all
 * invariants of the running domain hold (XSA-310). */
#include <asm/mmu.h>
#include <asm/page_type.h>
#include <hv/hypercall.h>

enum step { STEP_VCPUS, STEP_TABLES, STEP_PAGES, STEP_DONE };

static int drop_vcpus(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v) {
        int rc = mmu_drop_roots(v);

        if (rc)
            return rc;
    }
    return 0;
}

/* Drop the pin of a table, undo what is half done. No others are left to refer to it but tables above,
 * whose turn comes in this same walk. */
static int drop_table(struct domain *d, struct page *pg)
{
    int rc = 0;

    mmu_lock(d);
    if (READ_ONCE(pg->type) & PGT_PINNED) {
        __atomic_fetch_and(&pg->type, ~PGT_PINNED, __ATOMIC_SEQ_CST);
        rc = page_put_type_preempt(pg);
        page_put(pg); /* the pin's */
    } else {
        rc = page_undo_partial(pg);
    }
    mmu_unlock(d);
    return rc;
}

static int release_page(struct domain *d, struct page *pg)
{
    (void)d;
    page_release(pg);
    return 0;
}

/* Call @fn for all pages of @d. The place is kept by a reference to the page whose turn it is. */
static int for_all_pages(struct domain *d, int (*fn)(struct domain *d, struct page *pg))
{
    struct page *pg, *next;
    int rc = 0;

    if (d->arch.relinquish_pos)
        pg = mfn_page(mfn(d->arch.relinquish_pos));
    else
        pg = page_next_owned(d, NULL);
    for (; pg; pg = next) {
        rc = fn(d, pg);
        if (rc || hypercall_preempt_needed())
            break;
        next = page_next_owned(d, pg);
        page_put(pg);
    }
    d->arch.relinquish_pos = 0;
    if (!pg)
        return 0;
    if (!rc) {
        next = page_next_owned(d, pg);
        page_put(pg);
        pg = next;
        if (!pg)
            return 0;
    }
    d->arch.relinquish_pos = (uint32_t)page_mfn(pg).n;
    return -ERESTART;
}

int arch_domain_relinquish(struct domain *d)
{
    int rc = 0;

    while (d->arch.relinquish_step != STEP_DONE) {
        switch (d->arch.relinquish_step) {
        case STEP_VCPUS:
            rc = drop_vcpus(d);
            break;
        case STEP_TABLES:
            rc = for_all_pages(d, drop_table);
            break;
        default:
            rc = for_all_pages(d, release_page);
        }
        if (rc)
            return rc;
        d->arch.relinquish_step++;
    }
    return 0;
}

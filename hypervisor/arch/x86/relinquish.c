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
    for_each_vcpu (d, v)
        TRY(mmu_drop_roots(v));
    return 0;
}

/* Drop the pin of a table, undo what is half done. No others are left to refer to it but tables above,
 * whose turn comes in this same walk. */
static int drop_table(struct domain *d, struct page *pg)
{
    int rc;

    mmu_guard(d);
    if (!(READ_ONCE(pg->type) & PGT_PINNED))
        return page_undo_partial(pg);
    __atomic_fetch_and(&pg->type, ~PGT_PINNED, __ATOMIC_SEQ_CST);
    rc = page_put_type_preempt(pg);
    page_put(pg); /* the pin's */
    return rc;
}

static int release_page(struct domain *d __ignored, struct page *pg)
{
    page_release(pg);
    return 0;
}

/* Call @fn for all pages of @d. The place is kept by a reference to the page whose turn it is. */
static int for_all_pages(struct domain *d, int (*fn)(struct domain *d, struct page *pg))
{
    uint32_t pos = d->arch.relinquish_pos;
    struct page *pg = pos ? mfn_page(mfn(pos)) : page_next_owned(d, NULL), *next;
    bool stop = false;

    while (pg && !stop && fn(d, pg) == 0) {
        next = page_next_owned(d, pg);
        page_put(pg);
        pg = next;
        stop = hypercall_preempt_needed();
    }
    d->arch.relinquish_pos = pg ? (uint32_t)page_mfn(pg).n : 0;
    return pg ? -ERESTART : 0;
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

/* SPDX-License-Identifier: MIT */
/* The auditor of grant tables: are the pins of each entry those of the mappings that there are? */
#include <hv/gnttab_table.h>
#include <hv/heap.h>

struct pins {
    uint32_t readers, writers;
};

/* Count what domain @by has pinned of @d's entries. */
static unsigned int count_pins(struct domain *d, struct domain *by, struct pins *pins)
{
    struct grant_table *gt = by->gnttab;
    unsigned int errors = 0;

    for (uint32_t h = 0; h < gt->nr_maptrack; h++) {
        struct maptrack *mt = maptrack_entry(gt, h);

        if (!mt->flags || page_owner(mfn_page(mfn(mt->frame))) != d)
            continue;
        if (mt->ref >= gnttab_nr_entries(d->gnttab) ||
            active_entry(d->gnttab, mt->ref)->frame != mt->frame ||
            active_entry(d->gnttab, mt->ref)->domid != by->id) {
            pr_err("audit: d%u handle %u does not fit entry %u of d%u", by->id, h, mt->ref, d->id);
            errors++;
            continue;
        }
        if (mt->flags & GNTMAP_readonly)
            pins[mt->ref].readers++;
        else
            pins[mt->ref].writers++;
    }
    return errors;
}

static bool entry_is_sound(struct domain *d, uint32_t ref, const struct pins *n)
{
    const struct gnttab_active *act = active_entry(d->gnttab, ref);

    if (act->readers != n->readers || act->writers != n->writers)
        return false;
    /* N2. The status bits are the guest's to spoil, so they prove nothing. */
    return !gnttab_is_pinned(act) || (page_owner(mfn_page(mfn(act->frame))) == d &&
                                      (mfn_page(mfn(act->frame))->count & PGC_COUNT_MASK) >=
                                          (uint64_t)act->readers + act->writers);
}

unsigned int gnttab_audit(struct domain *d)
{
    struct grant_table *gt = d->gnttab;
    struct pins *pins = heap_zalloc_array(gnttab_nr_entries(gt) + 1UL, sizeof(*pins));
    unsigned int errors = 0;

    if (!pins)
        return 0; /* too large a table, or no memory: not an error of what is audited */
    for_each_domain (by)
        if (by->gnttab)
            errors += count_pins(d, by, pins);
    for (uint32_t ref = 0; ref < gnttab_nr_entries(gt); ref++) {
        const struct gnttab_active *act = active_entry(gt, ref);

        if (entry_is_sound(d, ref, &pins[ref]))
            continue;
        pr_err("audit: d%u grant %u: %u+%u pins, found %u+%u", d->id, ref, act->readers,
               act->writers, pins[ref].readers, pins[ref].writers);
        errors++;
    }
    heap_free(pins);
    return errors;
}

void gnttab_audit_refs(struct domain *d, void (*add)(void *ctx, mfn_t m, bool writable), void *ctx)
{
    struct grant_table *gt = d->gnttab;

    for (uint32_t h = 0; gt && h < gt->nr_maptrack; h++) {
        struct maptrack *mt = maptrack_entry(gt, h);

        if (mt->flags)
            add(ctx, mfn(mt->frame), !(mt->flags & GNTMAP_readonly));
    }
}

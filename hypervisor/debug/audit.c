/* SPDX-License-Identifier: MIT */
/* The auditor: a recount of every reference to every frame, from those who hold them, compared with
 * the frame table. Who holds what is listed in asm/mmu.h; of other parts of the hypervisor: a
 * vcpu_info that a guest has placed, grant mappings, event channel frames.
 *
 * Nothing may move meanwhile. The recount itself needs 8 bytes for each frame; if there is no room
 * for all at once, it is made in several passes over a part of the frames each. */
#include <asm/mmu.h>
#include <asm/pt_check.h>
#include <hv/evtchn.h>
#include <hv/gnttab.h>
#include <hv/irq.h>

#define MAX_REPORTS 32

struct expected {
    uint32_t refs, types;
};

struct audit {
    struct expected *window; /* of frames [lo, hi) */
    uint64_t lo, hi;
    uint64_t frames; /* compared */
    unsigned int errors;
};

static void complain(struct audit *a, mfn_t m, const char *what, uint64_t has, uint64_t should)
{
    const struct page *pg = mfn_page(m);

    if (a->errors++ < MAX_REPORTS)
        pr_err("audit: frame %#lx of d%d, type %#lx, count %#lx: %s %lu, found %lu", m.n,
               page_owner(pg) ? page_owner(pg)->id : -1, pg->type, pg->count, what, has, should);
}

/* Somebody holds a general reference to @m, and one of @type unless that is PGT_NONE. */
static void add(struct audit *a, mfn_t m, enum page_type type)
{
    if (m.n < a->lo || m.n >= a->hi)
        return;
    a->window[m.n - a->lo].refs++;
    if (type == PGT_NONE)
        return;
    a->window[m.n - a->lo].types++;
    if (pgt_type(mfn_page(m)->type) != type)
        complain(a, m, "type should be", type, pgt_type(mfn_page(m)->type));
}

static void add_other(void *ctx, mfn_t m, bool writable)
{
    add(ctx, m, writable ? PGT_WRITABLE : PGT_NONE);
}

/* ---- holders ---- */

static void add_entry(struct audit *a, int level, pte_t e)
{
    if (level > 1)
        add(a, pte_mfn(e), (enum page_type)(PGT_L1 + level - 2));
    else if (mfn_valid(pte_mfn(e)))
        add(a, pte_mfn(e), e & PTE_W ? PGT_WRITABLE : PGT_NONE);
}

static void add_table(struct audit *a, mfn_t m, uint64_t word)
{
    int level = (int)(pgt_type(word) - PGT_L1) + 1;
    unsigned int done = word & PGT_PARTIAL ? pgt_done(word) : PT_ENTRIES;
    const pte_t *table = mfn_to_virt(m);

    for (unsigned int i = 0; i < done; i++)
        if ((table[i] & PTE_P) && pt_guest_slot(level, i))
            add_entry(a, level, table[i]);
    if (word & PGT_PARTIAL) {
        add(a, m, pgt_type(word));
        if (word & PGT_PARTIAL_REF)
            add(a, pte_mfn(table[done]), PGT_NONE);
    }
}

static void add_frame(struct audit *a, mfn_t m)
{
    const struct page *pg = mfn_page(m);
    enum page_type type = pgt_type(pg->type);

    if (!pg->owner)
        return;
    if (pg->count & (PGC_ALLOCATED | PGC_HV))
        add(a, m, PGT_NONE);
    if (!pgt_count(pg->type))
        return;
    if (pg->type & PGT_PINNED || page_owner(pg) == idle_domain)
        add(a, m, type);
    if (type < PGT_L1 || type > PGT_L4)
        return;
    if (pg->type & (PGT_VALIDATED | PGT_PARTIAL))
        add_table(a, m, pg->type);
    else
        complain(a, m, "neither valid nor half done", 0, 0);
}

static void add_root(struct audit *a, mfn_t m, uint64_t cr3)
{
    if (m.n)
        add(a, m, PGT_L4);
    if (cr3 >> PAGE_SHIFT != m.n)
        complain(a, m, "cr3", cr3 >> PAGE_SHIFT, m.n);
}

static void add_vcpu(struct audit *a, const struct vcpu *v)
{
    add_root(a, v->arch.table_kernel, v->arch.cr3_kernel);
    add_root(a, v->arch.table_user, v->arch.cr3_user);
    if (v->arch.old_table.n)
        add(a, v->arch.old_table, PGT_NONE);
    for (unsigned int i = 0; i < DIV_ROUND_UP(v->arch.gdt_entries, 512); i++)
        add(a, v->arch.gdt_frames[i], PGT_SEGDESC);
    for (unsigned int i = 0; i < LDT_FRAMES; i++)
        if (v->arch.ldt_mapped & (1u << i))
            add(a, v->arch.ldt_frames[i], PGT_SEGDESC);
    if (v->info_mfn.n != INVALID_MFN_N)
        add(a, v->info_mfn, PGT_WRITABLE);
}

static void add_domain(struct audit *a, struct domain *d)
{
    for_each_vcpu (d, v)
        add_vcpu(a, v);
    if (d->arch.relinquish_pos)
        add(a, mfn(d->arch.relinquish_pos), PGT_NONE);
    if (d->gnttab)
        gnttab_audit_refs(d, add_other, a);
    if (d->evtchn)
        evtchn_audit_refs(d, add_other, a);
    pirq_audit_refs(d, add_other, a);
}

/* ---- the comparison ---- */

static void compare(struct audit *a, mfn_t m)
{
    const struct page *pg = mfn_page(m);
    const struct expected *e = &a->window[m.n - a->lo];

    if (!pg->owner) {
        if (e->refs || e->types)
            complain(a, m, "nobody's frame has references", 0, e->refs);
        return;
    }
    a->frames++;
    if ((pg->count & PGC_COUNT_MASK) != e->refs)
        complain(a, m, "references", pg->count & PGC_COUNT_MASK, e->refs);
    if (pgt_count(pg->type) != e->types)
        complain(a, m, "type references", pgt_count(pg->type), e->types);
    if ((pg->type & (PGT_PINNED | PGT_PARTIAL)) && !pgt_count(pg->type))
        complain(a, m, "idle, but marked", 0, 0);
}

static void audit_window(struct audit *a)
{
    memset(a->window, 0, (a->hi - a->lo) * sizeof(*a->window));
    for (uint64_t n = 0; n < max_page; n++)
        add_frame(a, mfn(n));
    for_each_domain (d)
        add_domain(a, d);
    for (uint64_t n = a->lo; n < a->hi; n++)
        compare(a, mfn(n));
}

/* A window for all frames, or as large as there is room. */
static unsigned int alloc_window(struct audit *a)
{
    unsigned int order = order_for(max_page * sizeof(*a->window));

    while (!(a->window = page_alloc_virt(order, 0)) && order)
        order--;
    return order;
}

static unsigned int audit_frames(uint64_t *frames)
{
    struct audit a = {0};
    unsigned int order = alloc_window(&a);
    uint64_t step = (PAGE_SIZE << order) / sizeof(*a.window);

    if (!a.window) {
        pr_err("audit: no memory to count in");
        return 1;
    }
    for (; a.lo < max_page; a.lo += step) {
        a.hi = min(a.lo + step, max_page);
        audit_window(&a);
    }
    page_free_virt(a.window, order);
    *frames = a.frames;
    return a.errors;
}

static void attach_all(void)
{
    for_each_domain (d) {
        mmu_lock(d);
        mmu_unlock(d);
    }
}

unsigned int audit_everything(uint64_t *frames)
{
    unsigned int errors;
    uint64_t claimed = 0;

    attach_all();
    errors = audit_frames(frames);

    for_each_domain (d) {
        claimed += d->claimed_pages;
        if (d->gnttab)
            errors += gnttab_audit(d);
        if (d->evtchn)
            errors += evtchn_audit(d);
    }
    if (claimed != page_claimed_count()) {
        pr_err("audit: %lu pages are claimed, set aside %lu", claimed, page_claimed_count());
        errors++;
    }
    return errors;
}

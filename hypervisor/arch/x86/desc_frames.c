/* SPDX-License-Identifier: MIT */
/* The frames of guests' descriptor tables. Each that a CPU may read holds a SEGDESC reference: checked,
 * and writable to nobody (P2).
 *
 * A vcpu keeps its GDT frames until it sets others. LDT pages are looked up in its page tables when the
 * CPU first touches them, and kept until something may have changed what is there: another LDT, another
 * root, or the last read-only mapping of such a page being replaced. They show in the window of the
 * pcpu; that pcpu forgets them when it takes another vcpu, so a stale window belongs to a pcpu that
 * loads no segments from it. */
#include <asm/mmu.h>
#include <asm/switch.h>
#include <asm/traps.h>

static int get_desc_frame(struct domain *d, uint64_t n)
{
    struct page *pg = page_from_gfn(d, gfn(n));
    int rc;

    if (!pg)
        return -EINVAL;
    rc = page_get_type(pg, PGT_SEGDESC);
    if (rc)
        page_put(pg);
    return rc ? -EINVAL : 0;
}

static void put_desc_frame(mfn_t m)
{
    page_put_type(mfn_page(m));
    page_put(mfn_page(m));
}

/* ---- GDT ---- */

int mmu_set_gdt_frames(struct vcpu *v, const uint64_t *frames, unsigned int entries)
{
    struct domain *d = v->domain;
    unsigned int n = DIV_ROUND_UP(entries, 512), got, old_n;
    mfn_t old[GDT_GUEST_FRAMES];
    int rc = 0;

    if (n > GDT_GUEST_FRAMES)
        return -EINVAL;
    mmu_guard(d);
    if (n && READ_ONCE(d->is_dying)) /* nobody would put them again */
        return -EINVAL;
    for (got = 0; got < n && !rc; got++)
        rc = get_desc_frame(d, frames[got]);
    if (rc) {
        for (got--; got > 0; got--)
            put_desc_frame(mfn(frames[got - 1]));
        return rc;
    }
    old_n = DIV_ROUND_UP(v->arch.gdt_entries, 512);
    for (unsigned int i = 0; i < old_n; i++)
        old[i] = v->arch.gdt_frames[i];
    for (unsigned int i = 0; i < n; i++)
        v->arch.gdt_frames[i] = mfn(frames[i]);
    v->arch.gdt_entries = entries;
    if (v == current)
        gdt_load(pcpu_self(), v); /* before the old ones may become something else */
    for (unsigned int i = 0; i < old_n; i++)
        put_desc_frame(old[i]);
    return 0;
}

/* ---- LDT ---- */

int mmu_set_ldt(struct vcpu *v, uint64_t base, unsigned int entries)
{
    struct domain *d = v->domain;

    if (!entries)
        base = 0;
    if ((base & ~PAGE_MASK) || entries > LDT_MAX_ENTRIES || !guest_code_ok(base))
        return -EINVAL; /* what lies beyond the first page is checked when it is looked up */
    if (v->arch.ldt_base == base && v->arch.ldt_entries == entries)
        return 0;
    mmu_lock(d);
    mmu_ldt_drop(v);
    v->arch.ldt_base = base;
    v->arch.ldt_entries = entries;
    mmu_unlock(d);
    vcpu_load_ldtr(pcpu_self(), v);
    return 0;
}

/* The frame behind page @i of the LDT, with its references. */
static bool look_up(struct vcpu *v, unsigned int i)
{
    pte_t e;

    if (!mmu_walk_l1(v, v->arch.ldt_base + i * PAGE_SIZE, &e) || !(e & PTE_P))
        return false;
    if (get_desc_frame(v->domain, pte_mfn(e).n))
        return false;
    v->arch.ldt_frames[i] = pte_mfn(e);
    v->arch.ldt_mapped |= 1u << i;
    return true;
}

bool mmu_ldt_fault(struct vcpu *v, unsigned int offset)
{
    struct pcpu *p = pcpu_self();
    unsigned int i = offset >> PAGE_SHIFT;

    if (i >= LDT_FRAMES || offset >= v->arch.ldt_entries * 8UL)
        return false;
    mmu_guard(v->domain);
    if (!(v->arch.ldt_mapped & (1u << i)) && !look_up(v, i))
        return false;
    WRITE_ONCE(p->arch.window_l1[16 + i],
               pte_make(v->arch.ldt_frames[i], PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX));
    p->arch.ldt_mapped = 1;
    return true;
}

void mmu_ldt_drop(struct vcpu *v)
{
    unsigned int mapped = v->arch.ldt_mapped;
    struct pcpu *p = v->arch.last_pcpu;

    if (!mapped)
        return;
    v->arch.ldt_mapped = 0;
    if (v == current) {
        ldt_window_clear(pcpu_self());
    } else if (p) {
        /* Should it show another vcpu's pages by now, then that one faults once more. */
        for (unsigned int i = 0; i < LDT_FRAMES; i++)
            WRITE_ONCE(p->arch.window_l1[16 + i], 0);
        tlb_flush_mask(cpumask_of(p->id));
    }
    for (unsigned int i = 0; i < LDT_FRAMES; i++)
        if (mapped & (1u << i))
            put_desc_frame(v->arch.ldt_frames[i]);
}

void mmu_ldt_drop_all(struct domain *d)
{
    for_each_vcpu (d, v)
        mmu_ldt_drop(v);
}

/* SPDX-License-Identifier: MIT */
/* Page types under fire: several domains do random things to few frames through the real hypercalls,
 * with preemption at any step, tables made of rubbish, continuations that are dropped or come late, and
 * domains that die in the middle. The reference model is the recount (audit.c) plus a model of TLBs:
 * whatever could be cached stays cached in a pcpu until that pcpu flushes, and a frame must not be
 * trusted while a pcpu could still reach it in its former use (P3). */
#include "fake.h"

#include <asm/mmu.h>
#include <asm/page_type.h>
#include <asm/pt_check.h>
#include <asm/switch.h>
#include <asm/tlb.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* The fake machine has grant mappings of its own, which the linker would be content with. */
#include "../../../hypervisor/arch/x86/mmu_grant.c"

#define FRAMES  1024
#define CPUS    3
#define DOMAINS 3
#define VCPUS   2
#define PAGES   28 /* of each domain */

static uint64_t seed;
static unsigned int last_op;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- TLBs: what each pcpu may have cached ---- */

static uint32_t tlb_time = 1;
static bool cached_write[CPUS][FRAMES]; /* a writable translation of the frame */
static int cached_table[CPUS][FRAMES];  /* an upper entry that names it as a table of this level */

static void flush_cpu(unsigned int cpu)
{
    pcpus[cpu].arch.tlb_stamp = ++tlb_time;
    memset(cached_write[cpu], 0, sizeof(cached_write[cpu]));
    memset(cached_table[cpu], 0, sizeof(cached_table[cpu]));
}

uint32_t tlb_clock(void)
{
    return tlb_time;
}

void tlb_flush_mask(cpumask_t mask)
{
    for_each_cpu (cpu, mask)
        flush_cpu(cpu);
}

void tlb_flush_domain(const struct domain *d)
{
    tlb_flush_mask(d->arch.tlb_cpus);
}

void tlb_flush_since(const struct domain *d, uint32_t stamp)
{
    cpumask_t mask = d ? d->arch.tlb_cpus : (cpumask_t){(1UL << CPUS) - 1};

    for_each_cpu (cpu, mask)
        if (pcpus[cpu].arch.tlb_stamp <= stamp)
            flush_cpu(cpu);
}

void tlb_flush_this(void)
{
    flush_cpu(smp_processor_id());
}

void tlb_load_root(struct pcpu *p, uint64_t cr3)
{
    p->arch.cr3 = cr3;
    flush_cpu(p->id);
}

void tlb_invlpg(uint64_t va)
{
    (void)va;
    flush_cpu(smp_processor_id()); /* the model does not know addresses; as it serves grants only */
}

/* All that live tables show may be in the TLBs of the pcpus that run their owner. */
static void fill_tlbs(void)
{
    for (uint64_t n = 0; n < max_page; n++) {
        const struct page *pg = mfn_page(mfn(n));
        int level = (int)pgt_type(pg->type) - PGT_L1 + 1;
        const pte_t *t = mfn_to_virt(mfn(n));

        if (!pg->owner || !(pg->type & PGT_VALIDATED) || level < 1 || level > 4)
            continue;
        for (unsigned int i = 0; i < PT_ENTRIES; i++) {
            if (!(t[i] & PTE_P) || !pt_guest_slot(level, i) || !mfn_valid(pte_mfn(t[i])))
                continue;
            for_each_cpu (cpu, page_owner(pg)->arch.tlb_cpus) {
                if (level > 1)
                    cached_table[cpu][pte_mfn(t[i]).n] = level - 1;
                else if (t[i] & PTE_W)
                    cached_write[cpu][pte_mfn(t[i]).n] = true;
            }
        }
    }
}

static void check_tlbs(void)
{
    for (uint64_t n = 0; n < max_page; n++) {
        const struct page *pg = mfn_page(mfn(n));
        int level = (int)pgt_type(pg->type) - PGT_L1 + 1;

        if (!pg->owner || !pgt_count(pg->type))
            continue;
        for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
            if (pgt_type(pg->type) >= PGT_L1)
                assert_false(cached_write[cpu][n]);
            if (cached_table[cpu][n])
                assert_int_equal(cached_table[cpu][n], level);
        }
    }
}

/* ---- the machine ---- */

static struct domain *dom[DOMAINS];
static pte_t windows[CPUS][64];

/* What a vcpu that was preempted has still to do. */
static struct fake_continuation pending[DOMAINS][VCPUS];

static void run_on(unsigned int cpu, struct vcpu *v)
{
    struct pcpu *p = &pcpus[cpu];

    fake_cpu(cpu);
    if (p->curr == v)
        return;
    for (unsigned int i = 0; i < CPUS; i++)
        if (pcpus[i].curr == v) {
            cpumask_clear(&v->domain->arch.tlb_cpus, i);
            pcpus[i].curr = pcpus[i].idle;
            flush_cpu(i);
        }
    if (!p->curr->domain->is_idle)
        cpumask_clear(&p->curr->domain->arch.tlb_cpus, cpu);
    p->curr = v;
    v->arch.last_pcpu = p;
    flush_cpu(cpu);
    cpumask_set(&v->domain->arch.tlb_cpus, cpu);
}

static void add_pages(struct domain *d, unsigned int n)
{
    while (n--)
        assert_non_null(page_alloc_domain(d, 0, 0, false));
}

static void new_domain(unsigned int i)
{
    dom[i] = fake_domain((domid_t)i, i == 0, VCPUS);
    memset(pending[i], 0, sizeof(pending[i]));
    for (unsigned int n = 0; n < VCPUS; n++)
        dom[i]->vcpu[n]->arch.in_kernel = 1;
    add_pages(dom[i], PAGES);
}

static void setup_machine(uint64_t s)
{
    seed = s;
    fake_init_alloc(FRAMES, CPUS);
    for (unsigned int i = 0; i < CPUS; i++) {
        pcpus[i].arch.window_l1 = windows[i];
        flush_cpu(i);
    }
    for (unsigned int i = 0; i < DOMAINS; i++)
        new_domain(i);
}

/* How often which state was seen: a test that never gets there proves nothing. */
static unsigned long seen_valid[PGT_SEGDESC + 1], seen_partial[PGT_SEGDESC + 1], seen_ref,
    seen_pinned;

static void count_states(void)
{
    for (uint64_t n = 0; n < max_page; n++) {
        uint64_t t = mfn_page(mfn(n))->type;

        if (!mfn_page(mfn(n))->owner || !pgt_count(t))
            continue;
        seen_valid[pgt_type(t)] += !(t & PGT_PARTIAL);
        seen_partial[pgt_type(t)] += !!(t & PGT_PARTIAL);
        seen_ref += !!(t & PGT_PARTIAL_REF);
        seen_pinned += !!(t & PGT_PINNED);
    }
}

static void check(void)
{
    unsigned int errors;
    unsigned int every = fake_preempt_every;

    fake_preempt_every = 0;
    errors = audit_all();
    if (errors)
        fail_msg("seed %lu, operation %u: %u errors: %s", seed, last_op, errors, fake_log);
    check_tlbs();
    fill_tlbs();
    count_states();
    fake_preempt_every = every;
}

/* ---- random things ---- */

/* Some frame of @d; 0 if it has none. */
static uint64_t some_frame(const struct domain *d)
{
    uint32_t n = d->page_list;

    for (unsigned int i = d->tot_pages ? rnd((uint32_t)d->tot_pages) : 0; i > 0 && n; i--)
        n = frame_table[n].next;
    return n;
}

static uint64_t any_frame(const struct domain *d)
{
    switch (rnd(30)) {
    case 0:
        return rnd(FRAMES);
    case 1:
        return FRAMES + rnd(100);
    case 2:
        return some_frame(dom[rnd(DOMAINS)]);
    case 3:
        return PTE_ADDR_MASK >> PAGE_SHIFT;
    case 4:
        return ((uint64_t)rnd(1u << 30) << 31) & (PTE_ADDR_MASK >> PAGE_SHIFT);
    default:
        return some_frame(d);
    }
}

static pte_t any_entry(const struct domain *d)
{
    static const uint64_t odd[] = {PTE_PSE, PTE_PCD, PTE_PWT,   PTE_G,
                                   PTE_GK,  PTE_NX,  1UL << 62, PTE_AVL};
    pte_t e = pte_make(mfn(any_frame(d)), 0);

    if (rnd(12))
        e |= PTE_P;
    if (rnd(2))
        e |= PTE_W;
    if (rnd(2))
        e |= PTE_U;
    if (rnd(2))
        e |= PTE_A;
    if (rnd(2))
        e |= PTE_D;
    if (!rnd(16))
        e |= odd[rnd(ARRAY_SIZE(odd))];
    return e;
}

static unsigned int any_slot(void)
{
    static const unsigned int slots[] = {0, 1, 2, 3, 255, 256, 257, 271, 272, 510, 511};

    return rnd(20) ? slots[rnd(ARRAY_SIZE(slots))] : rnd(PT_ENTRIES);
}

/* The guest writes to a page that it may write to: as through a mapping, which a reference stands for. */
static uint64_t *open_page(struct domain *d, uint64_t n)
{
    if (!n || !page_get_writable(mfn_page(mfn(n)), d))
        return NULL;
    return page_virt(mfn_page(mfn(n)));
}

static void close_page(uint64_t n)
{
    page_put_writable(mfn_page(mfn(n)));
}

static void op_scribble(struct domain *d)
{
    uint64_t n = some_frame(d), *p = open_page(d, n);

    if (!p)
        return;
    if (rnd(2))
        memset(p, 0, PAGE_SIZE);
    for (unsigned int i = rnd(6); i > 0; i--)
        p[any_slot()] = any_entry(d);
    close_page(n);
}

/* A tree of tables that is right, most of the time. */
static void op_build_tree(struct domain *d)
{
    uint64_t lower = 0;

    for (int level = 1; level <= 4; level++) {
        uint64_t n = some_frame(d), *p = open_page(d, n);

        if (!p)
            return;
        memset(p, 0, PAGE_SIZE);
        for (unsigned int i = rnd(4) + 1; i > 0; i--) {
            uint64_t to = level == 1 || !lower || !rnd(20) ? some_frame(d) : lower;

            p[any_slot()] =
                pte_make(mfn(to), PTE_P | (level > 1 || rnd(3) == 0 ? PTE_W : 0) | PTE_U);
        }
        close_page(n);
        lower = n;
    }
    if (rnd(2)) {
        struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = lower};
        (void)do_mmuext_op(guest_ptr((uintptr_t)&op), 1, guest_ptr(0), DOMID_SELF);
    }
}

/* Requests live on: continuations read them again. */
static struct mmu_update updates[DOMAINS][VCPUS][8];
static struct mmuext_op exts[DOMAINS][VCPUS][8];

static void note(struct vcpu *v, long rc)
{
    struct fake_continuation *p = &pending[v->domain->id][v->id];

    memset(p, 0, sizeof(*p));
    if (rc == FAKE_CONTINUED)
        *p = fake_continuation;
    else
        assert_true(rc <= 0 && rc != -ERESTART);
}

static unsigned int any_foreign(const struct domain *d)
{
    unsigned int f = DOMID_SELF;

    if (rnd(d->is_privileged ? 3 : 30) == 0)
        f = rnd(4) ? rnd(DOMAINS + 1) : DOMID_IO;
    if (rnd(d->is_privileged ? 6 : 60) == 0)
        f |= (rnd(DOMAINS + 1) + 1) << 16;
    return f;
}

static void op_update(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct mmu_update *u = updates[d->id][v->id];
    unsigned int n = rnd(8) + 1, f = any_foreign(d);
    const struct domain *tables = f >> 16 && (f >> 16) - 1 < DOMAINS ? dom[(f >> 16) - 1] : d;
    const struct domain *frames = (f & 0xffff) < DOMAINS ? dom[f & 0xffff] : d;

    for (unsigned int i = 0; i < n; i++) {
        u[i].ptr = any_frame(tables) << PAGE_SHIFT | any_slot() * 8 | (rnd(8) ? 0 : rnd(8));
        u[i].val = any_entry(frames);
    }
    note(v, do_mmu_update(guest_ptr((uintptr_t)u), n, guest_ptr(0), f));
}

static void op_ext(struct vcpu *v)
{
    static const unsigned int cmds[] = {
        MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,     MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE,
        MMUEXT_UNPIN_TABLE,  MMUEXT_UNPIN_TABLE,      MMUEXT_UNPIN_TABLE,  MMUEXT_UNPIN_TABLE,
        MMUEXT_NEW_BASEPTR,  MMUEXT_NEW_USER_BASEPTR, MMUEXT_CLEAR_PAGE,   MMUEXT_COPY_PAGE,
        MMUEXT_SET_LDT,      MMUEXT_TLB_FLUSH_LOCAL,  MMUEXT_PIN_L4_TABLE};
    struct domain *d = v->domain;
    struct mmuext_op *op = exts[d->id][v->id];
    unsigned int n = rnd(4) + 1, f = any_foreign(d) & 0xffff;
    const struct domain *pages = f < DOMAINS ? dom[f] : d;

    for (unsigned int i = 0; i < n; i++) {
        memset(&op[i], 0, sizeof(op[i]));
        op[i].cmd = cmds[rnd(ARRAY_SIZE(cmds))];
        op[i].arg1.mfn = rnd(10) ? any_frame(pages) : 0;
        op[i].arg2.src_mfn = any_frame(pages);
        if (op[i].cmd == MMUEXT_SET_LDT) {
            op[i].arg1.linear_addr = (uint64_t)any_slot() << PAGE_SHIFT;
            op[i].arg2.nr_ents = rnd(4) * 512;
        }
    }
    note(v, do_mmuext_op(guest_ptr((uintptr_t)op), n, guest_ptr(0), f));
}

static uint64_t any_va(void)
{
    uint64_t va = 0;

    for (int level = 1; level <= 4; level++)
        va |= (uint64_t)any_slot() << (PAGE_SHIFT + 9 * (level - 1));
    return (uint64_t)((int64_t)(va << 16) >> 16);
}

static void op_update_va(struct vcpu *v)
{
    static const unsigned long flags[] = {UVMF_NONE, UVMF_TLB_FLUSH | UVMF_ALL, UVMF_INVLPG};

    note(v, do_update_va_mapping(any_va(), any_entry(v->domain), flags[rnd(3)]));
}

static void op_gdt(struct vcpu *v)
{
    uint64_t frames[3];

    for (unsigned int i = 0; i < 3; i++)
        frames[i] = any_frame(v->domain);
    (void)mmu_set_gdt_frames(v, frames, rnd(4) * 512);
}

static void op_ldt_fault(struct vcpu *v)
{
    (void)mmu_ldt_fault(v, rnd(4) * PAGE_SIZE);
}

static void op_release(struct domain *d)
{
    uint64_t n = some_frame(d);
    struct page *pg = n ? page_from_gfn(d, gfn(n)) : NULL;

    if (!pg)
        return;
    (void)page_release(pg);
    page_put(pg);
    if (d->tot_pages < PAGES + 8)
        (void)page_alloc_domain(d, 0, 0, false);
}

static void op_steal(struct domain *d)
{
    uint64_t n = some_frame(d);
    struct page *pg = n ? page_from_gfn(d, gfn(n)) : NULL;

    if (!pg)
        return;
    if (page_steal(pg, d, false))
        page_put(pg);
    else if (page_give(pg, dom[rnd(DOMAINS)]))
        page_free_raw(pg, 0);
}

static void op_grant(struct domain *d)
{
    struct domain *from = dom[rnd(DOMAINS)];
    uint64_t n = some_frame(from),
             where = rnd(2) ? any_va() : any_frame(d) << PAGE_SHIFT | rnd(512) * 8;
    struct page *pg = n ? page_from_gfn(from, gfn(n)) : NULL;
    bool pte = !(where >> 40), write = rnd(2);

    if (!pg)
        return;
    if (rnd(2) && mmu_grant_map(where, pg, write, pte, rnd(2), 0) == 0 && rnd(2))
        assert_int_equal(mmu_grant_unmap(where, pg, write, pte, 0), 0);
    else
        (void)mmu_grant_unmap(where, pg, rnd(2), pte, rnd(2) ? any_va() : 0);
    page_put(pg);
}

static void op_continue(struct vcpu *v)
{
    struct fake_continuation c = pending[v->domain->id][v->id];
    guest_ptr_t p = guest_ptr(c.args[0]);
    long rc;

    if (!c.nr)
        return;
    if (c.nr == __HYPERVISOR_mmu_update)
        rc = do_mmu_update(p, (unsigned int)c.args[1], guest_ptr(c.args[2]),
                           (unsigned int)c.args[3]);
    else
        rc =
            do_mmuext_op(p, (unsigned int)c.args[1], guest_ptr(c.args[2]), (unsigned int)c.args[3]);
    note(v, rc);
}

static void kill_domain(unsigned int i)
{
    struct domain *d = dom[i];
    unsigned int steps = 0;

    d->is_dying = DOMDYING_DYING;
    for (unsigned int c = 0; c < CPUS; c++)
        if (pcpus[c].curr->domain == d) {
            cpumask_clear(&d->arch.tlb_cpus, c);
            pcpus[c].curr = pcpus[c].idle;
            flush_cpu(c);
        }
    while (arch_domain_relinquish(d)) {
        assert_true(++steps < 100000);
        if (steps % 64 == 0)
            check();
    }
    check();
}

static void step(void)
{
    static const unsigned int every[] = {0, 0, 1, 2, 3, 7};
    unsigned int cpu = rnd(CPUS);
    struct vcpu *v = pcpus[cpu].curr;
    struct domain *d;

    /* Switches flush: they are rare, so that translations get old. */
    if (v->domain->is_idle || rnd(40) == 0)
        v = dom[rnd(DOMAINS)]->vcpu[rnd(VCPUS)];
    d = v->domain;
    fake_preempt_every = every[rnd(ARRAY_SIZE(every))];
    run_on(cpu, v);
    if (rnd(3))
        op_continue(v); /* mostly it goes on with what it was at */
    last_op = rnd(14);
    switch (last_op) {
    case 0:
        op_scribble(d);
        break;
    case 1:
    case 2:
        op_build_tree(d);
        break;
    case 3:
    case 4:
    case 5:
        op_update(v);
        break;
    case 6:
    case 7:
    case 8:
        op_ext(v);
        break;
    case 9:
        op_update_va(v);
        break;
    case 10:
        op_grant(d);
        break;
    case 11:
        if (rnd(2))
            op_gdt(v);
        else
            op_ldt_fault(v);
        break;
    case 12:
        op_release(d);
        break;
    default:
        op_steal(d);
    }
}

static void churn(uint64_t s, unsigned int steps, unsigned int check_every)
{
    setup_machine(s);
    for (unsigned int i = 0; i < steps; i++) {
        step();
        if (i % check_every == 0)
            check();
        if (rnd(5000) == 0) {
            unsigned int k = 1 + rnd(DOMAINS - 1);

            kill_domain(k);
            new_domain(k);
        }
    }
    for (unsigned int i = 0; i < DOMAINS; i++)
        kill_domain(DOMAINS - 1 - i);
    for (uint64_t n = 0; n < FRAMES; n++)
        assert_true(!page_owner(mfn_page(mfn(n))) || (mfn_page(mfn(n))->count & PGC_HV));
}

static unsigned int env(const char *name, unsigned int standard)
{
    const char *s = getenv(name);

    return s ? (unsigned int)strtoul(s, NULL, 0) : standard;
}

static void every_step_is_exact(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < env("RUNS", 10); i++)
        churn(env("SEED", 1) + i, 2000, 1);
}

static void long_runs(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < env("LONG", 4); i++)
        churn(1000 + i, env("STEPS", 500000), 250);
}

static void every_state_was_there(void **state)
{
    (void)state;
    for (int t = PGT_WRITABLE; t <= PGT_SEGDESC; t++)
        print_message("type %d: %lu live, %lu half done\n", t, seen_valid[t], seen_partial[t]);
    print_message("%lu with a half-done entry, %lu pinned\n", seen_ref, seen_pinned);
    for (int t = PGT_WRITABLE; t <= PGT_SEGDESC; t++)
        assert_true(seen_valid[t] > 100);
    for (int t = PGT_L2; t <= PGT_L4; t++)
        assert_true(seen_partial[t] > 100);
    assert_true(seen_ref > 100 && seen_pinned > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_is_exact),
        cmocka_unit_test(long_runs),
        cmocka_unit_test(every_state_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

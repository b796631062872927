/* SPDX-License-Identifier: MIT */
/* What comes after the entry code of an interrupt: the vector's handler, then the end of interrupt.
 * Handlers run with interrupts off and do little: they leave a word for a softirq.
 *
 * Vectors are the same on all pcpus: a vector is a device's interrupt, whatever pcpu it comes to,
 * and when it moves to another, nothing changes but the destination. The control domain maps an
 * interrupt (a pirq gets a vector), and binds it to an event channel (it is unmasked); or another domain
 * does so, which may have that pin (d->arch.irqs). The first who comes has it.
 *
 * I1  irq->d, pirq and source change only under both LOCK_PHYSDEV and the irq's own lock, and only
 *     while its source is masked; irq->user and irq->port under its own lock.
 * I2  A source is unmasked only while the irq has a port. So what nobody listens to does not come,
 *     and a level that came stays masked (ioapic.c) until its owner says that it has been served.
 * I3  Who has the irq's lock and sees a port may send to it: closing waits for that lock. */
#include <asm/irq.h>
#include <asm/system.h>
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/evtchn.h>
#include <hv/heap.h>
#include <hv/irq.h>
#include <hv/softirq.h>

#define VECTOR_FIRST 0x20 /* of devices */
#define VECTOR_END   0xe0

enum irq_kind { IRQ_FREE, IRQ_GSI, IRQ_MSI };

static struct irq {
    spinlock_t lock; /* LOCK_PIRQ */
    uint8_t kind;    /* enum irq_kind; READ_ONCE in its handler */
    uint16_t pirq;
    uint16_t cpu;        /* to which it is delivered */
    uint32_t port;       /* 0: not bound */
    struct domain *d;    /* who has mapped it */
    struct domain *user; /* who has bound it; NULL: nobody */
    uint32_t gsi;        /* its source; no union: a handler may be late in reading it */
    struct msi msi;
    uint64_t count;
} irqs[256];

static uint8_t vector_of_gsi[NR_GSIS]; /* 0: not mapped; READ_ONCE; under LOCK_PHYSDEV */

static void (*handler[256])(struct cpu_regs *regs);

/* ---- arrival ---- */

void irq_set_handler(uint8_t vector, void (*fn)(struct cpu_regs *regs))
{
    WRITE_ONCE(handler[vector], fn);
}

static void device_interrupt(uint8_t vector)
{
    struct irq *irq = &irqs[vector];
    struct pcpu *p = pcpu_self();

    if (unlikely(READ_ONCE(irq->kind) == IRQ_FREE)) { /* it was on its way when it was unmapped */
        irq->count++;
        return;
    }
    if (irq->kind == IRQ_GSI)
        ioapic_ack(irq->gsi, vector);
    p->arch.irqs[vector / 64] |= 1UL << vector % 64;
    softirq_raise(SOFTIRQ_IRQ);
}

void irq_dispatch(struct cpu_regs *regs)
{
    uint8_t vector = (uint8_t)regs->vector;
    void (*fn)(struct cpu_regs *) = READ_ONCE(handler[vector]);

    regs->vector = 0; /* leave by iret */
    if (vector == VECTOR_SPURIOUS)
        return;
    if (!fn)
        device_interrupt(vector);
    lapic_eoi();
    if (fn)
        fn(regs);
}

static void deliver(struct irq *irq)
{
    spin_guard(&irq->lock);
    irq->count++;
    if (likely(irq->port))
        evtchn_send_pirq(irq->user, irq->port);
}

static void irq_softirq(void)
{
    uint64_t *pending = pcpu_self()->arch.irqs;

    for (unsigned int i = 0; i < ARRAY_SIZE(irqs) / 64; i++) {
        uint64_t bits = READ_ONCE(pending[i]);

        if (likely(!bits))
            continue;
        bits = __atomic_exchange_n(&pending[i], 0, __ATOMIC_SEQ_CST); /* against our own handlers */
        for (; bits; bits &= bits - 1)
            deliver(&irqs[i * 64 + ffs64(bits)]);
    }
}

/* ---- the source of an interrupt; its irq is locked ---- */

static void source_mask(const struct irq *irq, bool masked)
{
    if (irq->kind == IRQ_GSI)
        ioapic_mask(irq->gsi, masked);
    else
        msi_mask(&irq->msi, masked);
}

static void source_target(const struct irq *irq)
{
    if (irq->kind == IRQ_GSI)
        ioapic_set_target(irq->gsi, (uint8_t)(irq - irqs), irq->cpu);
    else
        msi_write(&irq->msi, (unsigned int)(irq - irqs), irq->cpu);
}

static bool needs_eoi(const struct irq *irq)
{
    return irq->kind == IRQ_GSI && ioapic_is_level(irq->gsi);
}

/* ---- pirqs ---- */

struct pirqs {
    uint8_t vector[NR_PIRQS]; /* 0: not mapped; READ_ONCE; under LOCK_PHYSDEV */
    struct page *eoi_page;    /* bit per pirq: it needs an EOI; with a WRITABLE reference */
    bool eoi_unmasks;
};

spinlock_t physdev_lock = SPINLOCK_INIT(LOCK_PHYSDEV);

static struct irq *irq_of(const struct domain *d, uint32_t pirq)
{
    const uint8_t *table = d->arch.pirqs ? d->arch.pirqs->vector : vector_of_gsi;
    uint8_t vector =
        pirq < (d->arch.pirqs ? NR_PIRQS : NR_GSIS) ? READ_ONCE(table[pirq]) : (uint8_t)0;

    return vector ? &irqs[vector] : NULL;
}

/* With its lock held: it is what @d means by @pirq, and @d may have it, or has it. */
static bool is_irq_of(const struct irq *irq, struct domain *d, uint32_t pirq)
{
    if (d->arch.pirqs)
        return irq->d == d && irq->pirq == pirq;
    return irq->kind == IRQ_GSI && irq->gsi == pirq &&
           (irq->user == d || rangeset_has(&d->arch.irqs, pirq, pirq));
}

/* Of a local variable that irq_lock() sets: unlocked at the end of its block. */
#define __irq_unlock __at_end(irq_unlock_at_end)
static void irq_unlock_at_end(struct irq **irq)
{
    if (*irq)
        spin_unlock(&(*irq)->lock);
}

/* The irq of @pirq, locked; NULL: not mapped. */
static struct irq *irq_lock(struct domain *d, uint32_t pirq)
{
    struct irq *irq = irq_of(d, pirq);

    if (!irq)
        return NULL;
    spin_lock(&irq->lock);
    if (likely(is_irq_of(irq, d, pirq)))
        return irq;
    spin_unlock(&irq->lock);
    return NULL;
}

static void show_needs_eoi(const struct irq *irq)
{
    struct page *pg = READ_ONCE(irq->d->arch.pirqs->eoi_page);

    if (pg && irq->user == irq->d && needs_eoi(irq))
        set_bit(irq->pirq, page_virt(pg));
    else if (pg)
        clear_bit(irq->pirq, page_virt(pg));
}

int pirq_check(struct domain *d, uint32_t pirq)
{
    if (d->arch.pirqs)
        return pirq < NR_PIRQS ? 0 : -EINVAL;
    return rangeset_has(&d->arch.irqs, pirq, pirq) ? 0 : -EPERM;
}

int pirq_gsi(const struct domain *d, uint32_t pirq)
{
    const struct irq *irq = irq_of(d, pirq);

    return irq && irq->kind == IRQ_GSI ? (int)irq->gsi : -EPERM;
}

int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port)
{
    struct irq *irq __irq_unlock = irq_lock(d, pirq);

    if (!irq)
        return -EINVAL;
    if (irq->user)
        return irq->user == d ? -EEXIST : -EBUSY;
    if (irq->kind == IRQ_GSI && ioapic_is_ours(irq->gsi))
        return -EBUSY;
    irq->user = d;
    irq->port = port;
    irq->cpu = d->vcpu[0]->sched.cpu;
    source_target(irq);
    show_needs_eoi(irq);
    source_mask(irq, false);
    return 0;
}

static void unbind(struct irq *irq)
{
    source_mask(irq, true);
    irq->port = 0;
    irq->user = NULL;
    show_needs_eoi(irq);
}

void pirq_unbind(struct domain *d, uint32_t pirq, uint32_t port)
{
    struct irq *irq __irq_unlock = irq_lock(d, pirq);

    if (irq && irq->user == d && irq->port == port)
        unbind(irq);
}

void pirq_move(struct domain *d, uint32_t pirq, const struct vcpu *v)
{
    unsigned int cpu = READ_ONCE(v->sched.cpu);
    struct irq *irq __irq_unlock = irq_lock(d, pirq);

    if (!irq || irq->user != d || irq->cpu == cpu)
        return;
    irq->cpu = (uint16_t)cpu;
    source_target(irq);
}

int pirq_eoi(struct domain *d, uint32_t pirq)
{
    struct irq *irq = irq_lock(d, pirq);
    uint32_t port;

    if (!irq)
        return -EINVAL;
    port = irq->user == d ? irq->port : 0;
    if (port && irq->kind == IRQ_GSI)
        ioapic_mask(irq->gsi, false);
    spin_unlock(&irq->lock);
    if (port && d->arch.pirqs && d->arch.pirqs->eoi_unmasks)
        evtchn_unmask(d, port);
    return 0;
}

int pirq_needs_eoi(struct domain *d, uint32_t pirq, bool *needs)
{
    struct irq *irq __irq_unlock = irq_lock(d, pirq);

    *needs = !irq || needs_eoi(irq);
    return irq || (d->arch.pirqs && pirq < NR_PIRQS) ? 0 : -EINVAL;
}

/* ---- mapping; LOCK_PHYSDEV is held ---- */

/* The first of @n vectors in a row, aligned to their number, a power of two; 0: none. */
static unsigned int find_vectors(unsigned int n)
{
    for (unsigned int v = VECTOR_FIRST; v + n <= VECTOR_END; v += n) {
        unsigned int i = 0;

        while (i < n && irqs[v + i].kind == IRQ_FREE && v + i != VECTOR_SYSCALL80)
            i++;
        if (i == n)
            return v;
    }
    return 0;
}

/* The first of @n free pirqs in a row from @first on; -ENOSPC. */
static int find_pirqs(const struct domain *d, unsigned int first, unsigned int n)
{
    for (unsigned int p = first, run = 0; p < NR_PIRQS; p++) {
        run = d->arch.pirqs->vector[p] ? 0 : run + 1;
        if (run == n)
            return (int)(p + 1 - n);
    }
    return -ENOSPC;
}

static void attach(struct domain *d, unsigned int vector, unsigned int pirq,
                   const struct irq *source)
{
    struct irq *irq = &irqs[vector];

    spin_lock(&irq->lock);
    irq->d = d;
    irq->pirq = (uint16_t)pirq;
    if (source->kind == IRQ_GSI)
        WRITE_ONCE(vector_of_gsi[irq->gsi = source->gsi], (uint8_t)vector);
    else
        (irq->msi = source->msi).dev->used++;
    irq->count = 0;
    WRITE_ONCE(irq->kind, source->kind);
    spin_unlock(&irq->lock);
    WRITE_ONCE(d->arch.pirqs->vector[pirq], (uint8_t)vector);
}

static void detach(struct irq *irq)
{
    spin_guard(&irq->lock);
    unbind(irq);
    if (irq->kind == IRQ_MSI) {
        msi_disable(&irq->msi);
        irq->msi.dev->used--;
    } else {
        WRITE_ONCE(vector_of_gsi[irq->gsi], 0);
    }
    WRITE_ONCE(irq->d->arch.pirqs->vector[irq->pirq], 0);
    irq->d = NULL;
    WRITE_ONCE(irq->kind, IRQ_FREE);
}

int pirq_map_gsi(struct domain *d, unsigned int gsi, int pirq)
{
    unsigned int vector;

    if (!ioapic_exists(gsi) || pirq >= NR_PIRQS)
        return -EINVAL;
    if (!rangeset_has(&d->arch.irqs, gsi, gsi))
        return -EPERM;
    spin_guard(&physdev_lock);
    vector = vector_of_gsi[gsi];
    if (vector)
        return pirq < 0 || pirq == irqs[vector].pirq ? irqs[vector].pirq : -EEXIST;
    if (pirq < 0)
        pirq = d->arch.pirqs->vector[gsi] ? find_pirqs(d, 0, 1) : (int)gsi;
    else if (d->arch.pirqs->vector[pirq])
        return -EEXIST;
    vector = find_vectors(1);
    if (pirq < 0 || !vector)
        return -ENOSPC;
    attach(d, vector, (unsigned int)pirq, &(struct irq){.kind = IRQ_GSI, .gsi = gsi});
    return pirq;
}

static bool overlap(const struct msi *a, const struct msi *b)
{
    return a->dev == b->dev && (!a->is_msix || !b->is_msix || a->entry == b->entry);
}

static int map_msi(struct domain *d, struct msi *m, int pirq, uint64_t bar)
{
    struct irq source = {.kind = IRQ_MSI, .msi = *m};
    unsigned int n = m->group, vector = find_vectors(n);
    int rc;

    TRY(msi_check(m, bar));
    for (unsigned int v = VECTOR_FIRST; v < VECTOR_END; v++)
        if (irqs[v].kind == IRQ_MSI && overlap(&irqs[v].msi, m))
            return -EEXIST;
    rc = find_pirqs(d, pirq < 0 ? nr_gsis : (unsigned int)pirq, n);
    if (pirq >= 0 && rc != pirq)
        return -EEXIST;
    if (rc < 0 || !vector)
        return -ENOSPC;
    for (unsigned int i = 0; i < n; i++) {
        source.msi.entry = (uint16_t)(m->entry + i);
        attach(d, vector + i, (unsigned int)rc + i, &source);
        msi_mask(&source.msi, true);
    }
    msi_write(m, vector, 0);
    return rc;
}

int pirq_map_msi(struct domain *d, sbdf_t at, struct msi *m, int pirq, uint64_t bar)
{
    if (pirq >= NR_PIRQS)
        return -EINVAL;
    spin_guard(&physdev_lock);
    m->dev = pci_find(at);
    return m->dev ? map_msi(d, m, pirq, bar) : -ENODEV;
}

/* MSIs of a group go together, by the name of the first. */
static int unmap(struct irq *irq)
{
    unsigned int n = irq->kind == IRQ_MSI ? irq->msi.group : 1;

    if (n > 1 && irq->msi.entry)
        return -EINVAL;
    for (unsigned int i = 0; i < n; i++)
        detach(irq + i);
    return 0;
}

/* Those who do not map anything just lose it. */
static int take_back(struct domain *d, uint32_t pirq)
{
    struct irq *irq __irq_unlock = irq_lock(d, pirq);

    if (!irq)
        return -EINVAL;
    if (irq->user == d)
        unbind(irq);
    return rangeset_set(&d->arch.irqs, pirq, pirq, false);
}

int pirq_unmap(struct domain *d, uint32_t pirq)
{
    struct irq *irq;

    spin_guard(&physdev_lock);
    if (!d->arch.pirqs)
        return take_back(d, pirq);
    irq = irq_of(d, pirq);
    return irq ? unmap(irq) : -EINVAL;
}

void pirq_for_device(const struct pci_dev *dev, bool release)
{
    for (unsigned int v = VECTOR_FIRST; v < VECTOR_END; v++) {
        struct irq *irq = &irqs[v];

        if (irq->kind != IRQ_MSI || irq->msi.dev != dev)
            continue;
        if (release) {
            detach(irq);
            continue;
        }
        spin_lock(&irq->lock);
        source_target(irq);
        source_mask(irq, !irq->port);
        spin_unlock(&irq->lock);
    }
}

int pirq_find_free(struct domain *d, bool gsi)
{
    spin_guard(&physdev_lock);
    return find_pirqs(d, gsi ? 16 : nr_gsis, 1);
}

/* ---- life with the domain ---- */

int pirq_set_eoi_page(struct domain *d, gfn_t g, bool unmasks)
{
    struct page *pg;

    spin_guard(&physdev_lock);
    if (d->arch.pirqs->eoi_page)
        return -EBUSY;
    pg = READ_ONCE(d->is_dying) ? NULL : page_from_gfn_writable(d, g);
    if (!pg)
        return -EINVAL;
    d->arch.pirqs->eoi_unmasks = unmasks;
    WRITE_ONCE(d->arch.pirqs->eoi_page, pg);
    for (unsigned int v = VECTOR_FIRST; v < VECTOR_END; v++) {
        spin_guard(&irqs[v].lock);
        if (irqs[v].d == d)
            show_needs_eoi(&irqs[v]);
    }
    return 0;
}

int pirq_domain_init(struct domain *d)
{
    if (!d->is_privileged)
        return 0;
    d->arch.pirqs = heap_new(struct pirqs);
    return d->arch.pirqs ? 0 : -ENOMEM;
}

void pirq_domain_destroy(struct domain *d)
{
    struct page *pg;

    if (!d->arch.pirqs)
        return;
    spin_lock(&physdev_lock);
    for (unsigned int v = VECTOR_FIRST; v < VECTOR_END; v++)
        if (irqs[v].d == d)
            detach(&irqs[v]);
    pci_forget_all(); /* nobody is left who knows them */
    pg = d->arch.pirqs->eoi_page;
    d->arch.pirqs->eoi_page = NULL;
    spin_unlock(&physdev_lock);
    if (pg)
        page_put_writable(pg);
}

void pirq_audit_refs(struct domain *d, void (*add)(void *ctx, mfn_t m, bool writable), void *ctx)
{
    if (d->arch.pirqs && d->arch.pirqs->eoi_page)
        add(ctx, page_mfn(d->arch.pirqs->eoi_page), true);
}

/* ---- debugging ---- */

static void dump_irq(const struct irq *irq)
{
    sbdf_t at = irq->kind == IRQ_MSI ? irq->msi.dev->sbdf : 0;

    if (irq->kind == IRQ_FREE && !irq->count)
        return;
    pr_info("  %#x: pirq %u, port %u, pcpu %u, %lu times", (unsigned int)(irq - irqs), irq->pirq,
            irq->port, irq->cpu, irq->count);
    if (irq->kind == IRQ_GSI)
        pr_info("    GSI %u %s%s", irq->gsi, needs_eoi(irq) ? "level" : "edge",
                ioapic_is_masked(irq->gsi) ? " masked" : "");
    else if (irq->kind == IRQ_MSI)
        pr_info("    MSI%s %u of %04x:%02x:%02x.%u", irq->msi.is_msix ? "-X" : "", irq->msi.entry,
                at >> 16, at >> 8 & 0xff, at >> 3 & 31, at & 7);
}

/* Under the lock that keeps devices where they are, unless its holder is what has gone wrong. */
void irq_dump(void)
{
    pr_info("interrupts: %u pins", nr_gsis);
    if (!spin_trylock(&physdev_lock))
        return;
    for (unsigned int v = VECTOR_FIRST; v < VECTOR_END; v++)
        dump_irq(&irqs[v]);
    spin_unlock(&physdev_lock);
}

void irq_init(void)
{
    for (unsigned int v = 0; v < ARRAY_SIZE(irqs); v++)
        spin_lock_init(&irqs[v].lock, LOCK_PIRQ);
    softirq_register(SOFTIRQ_IRQ, irq_softirq);
}

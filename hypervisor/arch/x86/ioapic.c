/* SPDX-License-Identifier: MIT */
/* IO-APICs: a pin for each interrupt line of the machine, and an entry for each pin that says what
 * becomes of it. The lower halves of all entries are kept here too: they are never read back.
 *
 * A level is masked while it is being served, so a line that nobody quietens asks once and then no
 * more. Intel 82093AA. */
#include <asm/boot.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/system.h>
#include <hv/percpu.h>

#define IOAPIC_VERSION  1
#define IOAPIC_REDIR(n) (0x10 + 2 * (n))

#define ENTRY_LOW    0x2000u
#define ENTRY_LEVEL  0x8000u
#define ENTRY_MASKED 0x10000u
#define ENTRY_TARGET 0x7ffu /* vector and delivery mode */
#define DEST_MAX     0xfe   /* 8 bits, of which the highest number means everybody */

#define NR_ISA 16

static struct ioapic {
    volatile uint32_t *base; /* index at 0, data at 4 (in words) */
    uint64_t paddr;
    uint32_t gsi, pins;
} ioapics[ACPI_MAX_IOAPICS];

static struct pin {
    const struct ioapic *apic; /* NULL: there is no such pin */
    uint32_t low;              /* under the lock */
    bool ours;
} pins[NR_GSIS];

unsigned int nr_gsis;
static spinlock_t lock = SPINLOCK_INIT(LOCK_IRQ); /* registers are reached in two steps */

static uint32_t read_reg(const struct ioapic *a, uint32_t reg)
{
    a->base[0] = reg;
    return a->base[4];
}

static void write_reg(const struct ioapic *a, uint32_t reg, uint32_t v)
{
    a->base[0] = reg;
    a->base[4] = v;
}

/* Locked. */
static void write_low(unsigned int gsi, uint32_t low)
{
    struct pin *p = &pins[gsi];

    WRITE_ONCE(p->low, low);
    write_reg(p->apic, IOAPIC_REDIR(gsi - p->apic->gsi), low);
}

static void write_dest(unsigned int gsi, uint32_t dest)
{
    const struct ioapic *a = pins[gsi].apic;

    write_reg(a, IOAPIC_REDIR(gsi - a->gsi) + 1, dest << 24);
}

bool ioapic_exists(unsigned int gsi)
{
    return gsi < NR_GSIS && pins[gsi].apic;
}

bool ioapic_is_ours(unsigned int gsi)
{
    return pins[gsi].ours;
}

bool ioapic_is_level(unsigned int gsi)
{
    return READ_ONCE(pins[gsi].low) & ENTRY_LEVEL;
}

bool ioapic_is_masked(unsigned int gsi)
{
    return READ_ONCE(pins[gsi].low) & ENTRY_MASKED;
}

int ioapic_set_trigger(unsigned int gsi, bool level, bool low)
{
    uint32_t how = (level ? ENTRY_LEVEL : 0) | (low ? ENTRY_LOW : 0);

    spin_guard_irq(&lock);
    if (pins[gsi].ours || !(pins[gsi].low & ENTRY_MASKED))
        return -EEXIST;
    write_low(gsi, (pins[gsi].low & ~(ENTRY_LEVEL | ENTRY_LOW)) | how);
    return 0;
}

void ioapic_set_target(unsigned int gsi, uint8_t vector, unsigned int cpu)
{
    uint32_t dest = pcpus[cpu].arch.apic_id;

    spin_guard_irq(&lock);
    write_dest(gsi, dest <= DEST_MAX ? dest : pcpus[0].arch.apic_id);
    if ((pins[gsi].low & ENTRY_TARGET) != vector)
        write_low(gsi, (pins[gsi].low & ~ENTRY_TARGET) | vector);
}

void ioapic_mask(unsigned int gsi, bool masked)
{
    spin_guard_irq(&lock);
    if (masked != !!(pins[gsi].low & ENTRY_MASKED))
        write_low(gsi, pins[gsi].low ^ ENTRY_MASKED);
}

void ioapic_ack(unsigned int gsi, uint8_t vector)
{
    if (!ioapic_is_level(gsi))
        return;
    spin_guard(&lock);
    if ((uint8_t)pins[gsi].low == vector)
        write_low(gsi, pins[gsi].low | ENTRY_MASKED);
}

/* ---- the hypervisor's own ---- */

static unsigned int isa_gsi(unsigned int irq)
{
    for (unsigned int i = 0; i < acpi.nr_overrides; i++)
        if (acpi.override[i].irq == irq)
            return acpi.override[i].gsi;
    return irq;
}

int ioapic_route(unsigned int irq, uint32_t dest, uint32_t target)
{
    unsigned int gsi = isa_gsi(irq);

    if (!ioapic_exists(gsi))
        return -ENODEV;
    spin_guard_irq(&lock);
    pins[gsi].ours = true;
    write_dest(gsi, dest);
    write_low(gsi, (pins[gsi].low & (ENTRY_LEVEL | ENTRY_LOW)) | target);
    return 0;
}

/* ---- the control domain's view ---- */

static const struct ioapic *by_paddr(uint64_t paddr)
{
    for (unsigned int i = 0; i < acpi.nr_ioapics; i++)
        if (ioapics[i].paddr == paddr)
            return &ioapics[i];
    return NULL;
}

int ioapic_guest_read(uint64_t paddr, uint32_t reg, uint32_t *val)
{
    const struct ioapic *a = by_paddr(paddr);

    if (!a)
        return -EINVAL;
    spin_guard_irq(&lock);
    *val = read_reg(a, reg & 0xff);
    return 0;
}

int ioapic_guest_write(uint64_t paddr, uint32_t reg, uint32_t val)
{
    const struct ioapic *a = by_paddr(paddr);
    uint32_t pin = reg / 2 - IOAPIC_REDIR(0) / 2;

    if (!a)
        return -EINVAL;
    if (reg >= IOAPIC_REDIR(0) && !(reg & 1) && pin < a->pins && ioapic_exists(a->gsi + pin))
        (void)ioapic_set_trigger(a->gsi + pin, val & ENTRY_LEVEL, val & ENTRY_LOW);
    return 0;
}

/* ---- boot ---- */

static void init_pins(const struct ioapic *a)
{
    for (uint32_t n = 0; n < a->pins; n++) {
        uint32_t gsi = a->gsi + n;

        if (gsi >= NR_GSIS || pins[gsi].apic) {
            write_reg(a, IOAPIC_REDIR(n), ENTRY_MASKED);
            continue;
        }
        pins[gsi].apic = a;
        write_low(gsi, ENTRY_MASKED | (gsi < NR_ISA ? 0 : ENTRY_LEVEL | ENTRY_LOW));
        nr_gsis = max(nr_gsis, gsi + 1);
    }
}

void ioapic_init(void)
{
    for (unsigned int i = 0; i < acpi.nr_ioapics; i++) {
        struct ioapic *a = &ioapics[i];

        a->paddr = acpi.ioapic[i].addr;
        a->base = map_device(a->paddr, 0x20);
        iomem_reserve(a->paddr, 0x20, false);
        a->gsi = acpi.ioapic[i].gsi_base;
        a->pins = (read_reg(a, IOAPIC_VERSION) >> 16 & 0xff) + 1;
        init_pins(a);
    }
    /* 0 in either field of the flags: as the bus has it, which is an edge, active high. */
    for (const struct acpi_override *o = acpi.override; o < acpi.override + acpi.nr_overrides; o++)
        if (ioapic_exists(o->gsi))
            (void)ioapic_set_trigger(o->gsi, (o->flags >> 2 & 3) == 3, (o->flags & 3) == 3);
}

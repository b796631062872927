/* SPDX-License-Identifier: MIT */
/* Interrupts of devices: where they come from, and to which pirq of the control domain they go. */
#pragma once

#include <hv/lock.h>
#include <hv/types.h>
#include <asm/pci.h>

/* ---- ioapic.c: pins, by the number (GSI) that ACPI gives them ---- */

#define NR_GSIS 512 /* pins beyond are not used */

/** ioapic_init - find them; all pins are masked. Their trigger and polarity: what firmware says of
 * ISA interrupts, PCI's for the others. */
void ioapic_init(void);
/** ioapic_route - ISA interrupt @irq to the APIC id @dest as @target, a vector or an NMI: the hypervisor's
 * own from now on; -ENODEV. */
int ioapic_route(unsigned int irq, uint32_t dest, uint32_t target);
#define IOAPIC_TO_ALL 0xffu
#define IOAPIC_NMI    0x400u
/** ioapic_exists - there is such a pin. ioapic_is_ours - ... which no domain can have. */
bool ioapic_exists(unsigned int gsi);
bool ioapic_is_ours(unsigned int gsi);
/** nr_gsis - all GSIs are below it. */
extern unsigned int nr_gsis;
bool ioapic_is_level(unsigned int gsi);
bool ioapic_is_masked(unsigned int gsi);

/** ioapic_set_trigger - @level, or edge; active @low, or high. -EEXIST: the pin is in use, and by
 * then cannot be changed. */
int ioapic_set_trigger(unsigned int gsi, bool level, bool low);
/** ioapic_set_target - @vector of @cpu. */
void ioapic_set_target(unsigned int gsi, uint8_t vector, unsigned int cpu);
void ioapic_mask(unsigned int gsi, bool masked);
/** ioapic_ack - the pin's interrupt has come as @vector: a level stays masked until ioapic_mask(gsi,
 * false), or it would come again at once. In the handler, before the local APIC hears of the end. If the
 * pin has another vector by now, it is that one's. */
void ioapic_ack(unsigned int gsi, uint8_t vector);

/** ioapic_guest_read, _write - register @reg of the IO-APIC at @paddr for the control domain. It
 * may set the trigger and polarity of pins that nobody uses; all else is ignored. -EINVAL: none
 * there. */
int ioapic_guest_read(uint64_t paddr, uint32_t reg, uint32_t *val);
int ioapic_guest_write(uint64_t paddr, uint32_t reg, uint32_t val);

/* ---- irq.c: the pirqs of a domain that has any (d->arch.pirqs) ---- */

#define NR_PIRQS 1024

extern spinlock_t physdev_lock; /* LOCK_PHYSDEV: this, and the list of PCI functions */

/** pirq_map_gsi - give @d the pin @gsi by the number @pirq (negative: any, the GSI itself if it is
 * free). The number; -EINVAL: no such pin or number; -EPERM: it may not have it; -EEXIST: one of the two is
 * mapped otherwise; -ENOSPC. */
int pirq_map_gsi(struct domain *d, unsigned int gsi, int pirq);
/** pirq_map_msi - the same for a message-signalled interrupt, or a group of @m->group in a row: the
 * first one's. Fills in @m->dev. Further errors: -ENODEV: no such function, and what msi_check()
 * says. */
int pirq_map_msi(struct domain *d, sbdf_t at, struct msi *m, int pirq, uint64_t bar);
/** pirq_for_device - write the messages of @dev again, or @release them. physdev_lock is held. */
void pirq_for_device(const struct pci_dev *dev, bool release);
/** pirq_gsi - the pin that @d, which maps pirqs, has mapped as @pirq; -EPERM: none. */
int pirq_gsi(const struct domain *d, uint32_t pirq);
/** pirq_unmap - its port, if it is bound, stays open and silent; others than the control domain may no
 * longer have it. -EINVAL: not mapped; -ENOMEM. */
int pirq_unmap(struct domain *d, uint32_t pirq);
/** pirq_find_free - a number that is not mapped; -ENOSPC. */
int pirq_find_free(struct domain *d, bool gsi);
/** pirq_eoi - the guest has served it: a level may come again. -EINVAL: not mapped. */
int pirq_eoi(struct domain *d, uint32_t pirq);
/** pirq_needs_eoi - ... and must say so, or may be wrong in thinking it need not; -EINVAL. */
int pirq_needs_eoi(struct domain *d, uint32_t pirq, bool *needs);
/** pirq_set_eoi_page - keep a bit for each pirq there that says the same. @unmasks: an EOI also
 * unmasks the port. -EINVAL: not a frame of @d to be written; -EBUSY: there is one. */
int pirq_set_eoi_page(struct domain *d, gfn_t g, bool unmasks);

int pirq_domain_init(struct domain *d);

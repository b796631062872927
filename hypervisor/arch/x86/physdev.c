/* SPDX-License-Identifier: MIT */
/* physdev_op: the guest's virtual IOPL and I/O bitmap, which any domain may set for itself, and the end
 * of an interrupt that it has bound. What else concerns the machine's interrupts and devices is the
 * control domain's (XSA-87): refused by default. Numbers of pirqs, pins and functions are checked where
 * they are looked up (XSA-21). */
#include <asm/irq.h>
#include <asm/switch.h>
#include <hv/hypercall.h>
#include <xen/physdev.h>

static long set_iopl(const struct physdev_set_iopl *op)
{
    if (op->iopl > 3)
        return -EINVAL;
    current->arch.iopl = (uint8_t)op->iopl;
    ports_close(pcpu_self());
    return 0;
}

static long set_iobitmap(const struct physdev_set_iobitmap *op)
{
    if (op->nr_ports > 65536 ||
        (op->nr_ports && !guest_range_ok(guest_ptr_of(op->bitmap), DIV_ROUND_UP(op->nr_ports, 8))))
        return -EINVAL;
    current->arch.iobmp = guest_ptr_of(op->bitmap).va;
    current->arch.iobmp_limit = op->nr_ports;
    return 0;
}

/* ---- interrupts ---- */

static long irq_status_query(struct physdev_irq_status_query *op)
{
    bool needs;

    if (pirq_needs_eoi(current_domain(), op->irq, &needs))
        return -EINVAL;
    op->flags = needs ? XENIRQSTAT_needs_eoi : 0;
    return 0;
}

static long setup_gsi(const struct physdev_setup_gsi *op)
{
    if (op->gsi < 0 || !ioapic_exists((unsigned int)op->gsi))
        return -EINVAL;
    return ioapic_set_trigger((unsigned int)op->gsi, op->triggering, op->polarity);
}

static long get_free_pirq(struct physdev_get_free_pirq *op)
{
    int pirq = op->type == MAP_PIRQ_TYPE_GSI || op->type == MAP_PIRQ_TYPE_MSI
                   ? pirq_find_free(current_domain(), op->type == MAP_PIRQ_TYPE_GSI)
                   : -EINVAL;

    if (pirq < 0)
        return pirq;
    op->pirq = (uint32_t)pirq;
    return 0;
}

/* Another domain gets a pin, not a device's messages, and knows it by its GSI. */
static int give_pirq(struct domain *d, const struct physdev_map_pirq *op)
{
    int rc;

    if (op->type != MAP_PIRQ_TYPE_GSI)
        return -EPERM;
    if (op->index < 0 || (op->pirq >= 0 && op->pirq != op->index))
        return -EINVAL;
    rc = pirq_map_gsi(current_domain(), (unsigned int)op->index, -1);
    if (rc >= 0)
        rc = rangeset_set(&d->arch.irqs, (unsigned int)op->index, (unsigned int)op->index, true);
    return rc ? rc : op->index;
}

static int map_msi(const struct physdev_map_pirq *op)
{
    uint32_t seg = op->type == MAP_PIRQ_TYPE_MSI ? 0 : (uint32_t)op->bus >> 16;
    sbdf_t at = seg << 16 | (op->bus & 0xff) << 8 | (op->devfn & 0xff);
    struct msi m = {.is_msix = op->table_base != 0, .group = 1};

    if (m.is_msix) {
        if (op->type == MAP_PIRQ_TYPE_MULTI_MSI || op->entry_nr < 0 || op->entry_nr > 0x7ff)
            return -EINVAL;
        m.entry = (uint16_t)op->entry_nr;
    } else if (op->type == MAP_PIRQ_TYPE_MULTI_MSI) {
        if (op->entry_nr <= 0 || op->entry_nr > 32)
            return -EINVAL;
        m.group = (uint8_t)(1u << fls64((uint64_t)op->entry_nr - 1));
    }
    return pirq_map_msi(current_domain(), at, &m, op->pirq, op->table_base);
}

static long map_pirq(struct physdev_map_pirq *op)
{
    struct domain *d __put_peer = domain_peer(op->domid);
    long rc;

    if (!d)
        return -ESRCH;
    if (d != current_domain())
        rc = give_pirq(d, op);
    else if (op->type == MAP_PIRQ_TYPE_GSI)
        rc = op->index < 0 ? -EINVAL : pirq_map_gsi(d, (unsigned int)op->index, op->pirq);
    else if (op->type == MAP_PIRQ_TYPE_MSI || op->type == MAP_PIRQ_TYPE_MSI_SEG ||
             op->type == MAP_PIRQ_TYPE_MULTI_MSI)
        rc = map_msi(op);
    else
        return -EINVAL;
    if (rc < 0)
        return rc;
    op->pirq = (int)rc;
    return 0;
}

static long unmap_pirq(const struct physdev_unmap_pirq *op)
{
    struct domain *d __put_peer = domain_peer(op->domid);

    return d ? pirq_unmap(d, (uint32_t)op->pirq) : -ESRCH;
}

/* ---- PCI functions ---- */

static sbdf_t sbdf(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    return (sbdf_t)seg << 16 | (sbdf_t)bus << 8 | devfn;
}

static long add(sbdf_t at, sbdf_t physfn)
{
    spin_guard(&physdev_lock);
    return pci_add(at, physfn);
}

static long pci_device_add(const struct physdev_pci_device_add *op)
{
    bool is_virtual = op->flags & XEN_PCI_DEV_VIRTFN;

    return add(sbdf(op->seg, op->bus, op->devfn),
               is_virtual ? sbdf(op->seg, op->physfn.bus, op->physfn.devfn) : ~0u);
}

static long manage_pci_add_ext(const struct physdev_manage_pci_ext *op)
{
    if (op->is_extfn > 1 || op->is_virtfn > 1)
        return -EINVAL;
    return add(sbdf(0, op->bus, op->devfn),
               op->is_virtfn ? sbdf(0, op->physfn.bus, op->physfn.devfn) : ~0u);
}

enum device_op { REMOVE, RESTORE, PREPARE, RELEASE };

static long device(uint16_t seg, uint8_t bus, uint8_t devfn, enum device_op what)
{
    struct pci_dev *dev;

    spin_guard(&physdev_lock);
    dev = pci_find(sbdf(seg, bus, devfn));
    if (!dev)
        return -ENODEV;
    switch (what) {
    case REMOVE:
        pirq_for_device(dev, true);
        pci_forget(dev);
        return 0;
    case RESTORE:
        pirq_for_device(dev, false);
        return 0;
    default: /* the control domain is about to lend its MSI-X table to another domain, or has it
                back */
        if (!dev->msix)
            return -ENODEV;
        if (dev->used || dev->prepared == (what == PREPARE))
            return -EBUSY;
        dev->prepared = what == PREPARE;
        return 0;
    }
}

static long pci_mmcfg_reserved(const struct physdev_pci_mmcfg_reserved *op)
{
    spin_guard(&physdev_lock);
    return pci_use_ecam(op->address, op->segment, op->start_bus, op->end_bus,
                        op->flags & XEN_PCI_MMCFG_RESERVED);
}

/* ---- dispatch ---- */

#define OP(name, type, has_result, work)                                                           \
    case PHYSDEVOP_##name:                                                                         \
        return RUN_OP(arg, struct physdev_##type, has_result, work)

static long control_op(int cmd, guest_ptr_t arg)
{
    struct domain *d = current_domain();

    switch (cmd) {
        OP(pirq_eoi_gmfn_v1, pirq_eoi_gmfn, false, pirq_set_eoi_page(d, gfn(op.gmfn), true));
        OP(pirq_eoi_gmfn_v2, pirq_eoi_gmfn, false, pirq_set_eoi_page(d, gfn(op.gmfn), false));
        OP(apic_read, apic, true, ioapic_guest_read(op.apic_physbase, op.reg, &op.value));
        OP(apic_write, apic, false, ioapic_guest_write(op.apic_physbase, op.reg, op.value));
        /* The vector is our own affair; the caller wants to hear of success. */
        OP(alloc_irq_vector, irq, true, (op.vector = op.irq, 0));
        OP(setup_gsi, setup_gsi, false, setup_gsi(&op));
        OP(get_free_pirq, get_free_pirq, true, get_free_pirq(&op));
        OP(map_pirq, map_pirq, true, map_pirq(&op));
        OP(unmap_pirq, unmap_pirq, false, unmap_pirq(&op));
        OP(manage_pci_add, manage_pci, false, add(sbdf(0, op.bus, op.devfn), ~0u));
        OP(manage_pci_add_ext, manage_pci_ext, false, manage_pci_add_ext(&op));
        OP(manage_pci_remove, manage_pci, false, device(0, op.bus, op.devfn, REMOVE));
        OP(pci_device_add, pci_device_add, false, pci_device_add(&op));
        OP(pci_device_remove, pci_device, false, device(op.seg, op.bus, op.devfn, REMOVE));
        OP(restore_msi, restore_msi, false, device(0, op.bus, op.devfn, RESTORE));
        OP(restore_msi_ext, pci_device, false, device(op.seg, op.bus, op.devfn, RESTORE));
        OP(prepare_msix, pci_device, false, device(op.seg, op.bus, op.devfn, PREPARE));
        OP(release_msix, pci_device, false, device(op.seg, op.bus, op.devfn, RELEASE));
        OP(pci_mmcfg_reserved, pci_mmcfg_reserved, false, pci_mmcfg_reserved(&op));
        OP(dbgp_op, dbgp_op, false, 0); /* the console is never on a USB debug port */
    default:
        return -ENOSYS;
    }
}

long do_physdev_op(int cmd, guest_ptr_t arg)
{
    switch (cmd) {
        OP(eoi, eoi, false, pirq_eoi(current_domain(), op.irq));
        OP(irq_status_query, irq_status_query, true, irq_status_query(&op));
        OP(set_iopl, set_iopl, false, set_iopl(&op));
        OP(set_iobitmap, set_iobitmap, false, set_iobitmap(&op));
    default:
        return current_domain()->is_privileged ? control_op(cmd, arg) : -EPERM;
    }
}

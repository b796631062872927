/* SPDX-License-Identifier: MIT */
/* physdev_op: the guest's virtual IOPL and I/O bitmap, which any domain may set for itself. What
 * concerns the machine's interrupts and devices is the control domain's (XSA-87): refused by
 * default. Numbers of pirqs, pins and functions are checked where they are looked up (XSA-21). */
#include <asm/irq.h>
#include <asm/pci.h>
#include <asm/switch.h>
#include <asm/traps.h>
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

static long eoi(const struct physdev_eoi *op)
{
    return pirq_eoi(current_domain(), op->irq);
}

static long pirq_eoi_gmfn_v1(const struct physdev_pirq_eoi_gmfn *op)
{
    return pirq_set_eoi_page(current_domain(), gfn(op->gmfn), true);
}

static long pirq_eoi_gmfn_v2(const struct physdev_pirq_eoi_gmfn *op)
{
    return pirq_set_eoi_page(current_domain(), gfn(op->gmfn), false);
}

static long apic_read(struct physdev_apic *op)
{
    return ioapic_guest_read(op->apic_physbase, op->reg, &op->value);
}

static long apic_write(const struct physdev_apic *op)
{
    return ioapic_guest_write(op->apic_physbase, op->reg, op->value);
}

/* The vector is our own affair; the caller wants to hear of success. */
static long alloc_irq_vector(struct physdev_irq *op)
{
    op->vector = op->irq;
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

/* Devices are the control domain's alone: it may not hand their interrupts on. */
static long check_domain(domid_t id)
{
    struct domain *d = domain_by_id_or_self(id);
    bool self = d == current_domain();

    if (!d)
        return -ESRCH;
    domain_put(d);
    return self ? 0 : -EPERM;
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
    long rc = check_domain(op->domid);

    if (rc)
        return rc;
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        rc = op->index < 0 ? -EINVAL
                           : pirq_map_gsi(current_domain(), (unsigned int)op->index, op->pirq);
        break;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        rc = map_msi(op);
        break;
    default:
        return -EINVAL;
    }
    if (rc < 0)
        return rc;
    op->pirq = (int)rc;
    return 0;
}

static long unmap_pirq(const struct physdev_unmap_pirq *op)
{
    long rc = check_domain(op->domid);

    return rc ? rc : pirq_unmap(current_domain(), (uint32_t)op->pirq);
}

/* ---- PCI functions ---- */

static sbdf_t sbdf(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    return (sbdf_t)seg << 16 | (sbdf_t)bus << 8 | devfn;
}

static long add(sbdf_t at, sbdf_t physfn)
{
    long rc;

    spin_lock(&physdev_lock);
    rc = pci_add(at, physfn);
    spin_unlock(&physdev_lock);
    return rc;
}

static long pci_device_add(const struct physdev_pci_device_add *op)
{
    bool is_virtual = op->flags & XEN_PCI_DEV_VIRTFN;

    return add(sbdf(op->seg, op->bus, op->devfn),
               is_virtual ? sbdf(op->seg, op->physfn.bus, op->physfn.devfn) : ~0u);
}

static long manage_pci_add(const struct physdev_manage_pci *op)
{
    return add(sbdf(0, op->bus, op->devfn), ~0u);
}

static long manage_pci_add_ext(const struct physdev_manage_pci_ext *op)
{
    if (op->is_extfn > 1 || op->is_virtfn > 1)
        return -EINVAL;
    return add(sbdf(0, op->bus, op->devfn),
               op->is_virtfn ? sbdf(0, op->physfn.bus, op->physfn.devfn) : ~0u);
}

enum device_op { REMOVE, RESTORE, PREPARE, RELEASE };

/* With physdev_lock held. */
static long operate(struct pci_dev *dev, enum device_op what)
{
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

static long device(sbdf_t at, enum device_op what)
{
    struct pci_dev *dev;
    long rc = -ENODEV;

    spin_lock(&physdev_lock);
    dev = pci_find(at);
    if (dev)
        rc = operate(dev, what);
    spin_unlock(&physdev_lock);
    return rc;
}

#define DEVICE_OP(name, type, segment, what)                                                       \
    static long name(const struct type *op)                                                        \
    {                                                                                              \
        return device(sbdf(segment, op->bus, op->devfn), what);                                    \
    }
DEVICE_OP(pci_device_remove, physdev_pci_device, op->seg, REMOVE)
DEVICE_OP(manage_pci_remove, physdev_manage_pci, 0, REMOVE)
DEVICE_OP(restore_msi, physdev_restore_msi, 0, RESTORE)
DEVICE_OP(restore_msi_ext, physdev_pci_device, op->seg, RESTORE)
DEVICE_OP(prepare_msix, physdev_pci_device, op->seg, PREPARE)
DEVICE_OP(release_msix, physdev_pci_device, op->seg, RELEASE)

static long pci_mmcfg_reserved(const struct physdev_pci_mmcfg_reserved *op)
{
    long rc;

    spin_lock(&physdev_lock);
    rc = pci_use_ecam(op->address, op->segment, op->start_bus, op->end_bus,
                      op->flags & XEN_PCI_MMCFG_RESERVED);
    spin_unlock(&physdev_lock);
    return rc;
}

/* The console of the hypervisor is never on a USB debug port. */
static long dbgp_op(const struct physdev_dbgp_op *op)
{
    (void)op;
    return 0;
}

/* ---- dispatch ---- */

#define OP(name, type, has_result)                                                                 \
    case PHYSDEVOP_##name:                                                                         \
        return RUN_OP(arg, struct type, name, has_result)

static long control_op(int cmd, guest_ptr_t arg)
{
    switch (cmd) {
        OP(irq_status_query, physdev_irq_status_query, true);
        OP(pirq_eoi_gmfn_v1, physdev_pirq_eoi_gmfn, false);
        OP(pirq_eoi_gmfn_v2, physdev_pirq_eoi_gmfn, false);
        OP(apic_read, physdev_apic, true);
        OP(apic_write, physdev_apic, false);
        OP(alloc_irq_vector, physdev_irq, true);
        OP(setup_gsi, physdev_setup_gsi, false);
        OP(get_free_pirq, physdev_get_free_pirq, true);
        OP(map_pirq, physdev_map_pirq, true);
        OP(unmap_pirq, physdev_unmap_pirq, false);
        OP(manage_pci_add, physdev_manage_pci, false);
        OP(manage_pci_add_ext, physdev_manage_pci_ext, false);
        OP(manage_pci_remove, physdev_manage_pci, false);
        OP(pci_device_add, physdev_pci_device_add, false);
        OP(pci_device_remove, physdev_pci_device, false);
        OP(restore_msi, physdev_restore_msi, false);
        OP(restore_msi_ext, physdev_pci_device, false);
        OP(prepare_msix, physdev_pci_device, false);
        OP(release_msix, physdev_pci_device, false);
        OP(pci_mmcfg_reserved, physdev_pci_mmcfg_reserved, false);
        OP(dbgp_op, physdev_dbgp_op, false);
    default:
        return -ENOSYS;
    }
}

long do_physdev_op(int cmd, guest_ptr_t arg)
{
    switch (cmd) {
        OP(eoi, physdev_eoi, false); /* the one that must be fast; others have none to end */
        OP(set_iopl, physdev_set_iopl, false);
        OP(set_iobitmap, physdev_set_iobitmap, false);
    default:
        return current_domain()->is_privileged ? control_op(cmd, arg) : -EPERM;
    }
}

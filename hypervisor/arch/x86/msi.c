/* SPDX-License-Identifier: MIT */
/* Message-signalled interrupts: a function raises one by writing @data to @address, which the local
 * APIC of the pcpu named there takes for an interrupt. We write both, and the mask where there is
 * one; the control domain turns the capability as a whole on and off. A change of pcpu changes the
 * lower half of the address alone, so no half-changed message can be sent.
 *
 * Tables of MSI-X are not kept from the control domain: it has every device do what it likes, and
 * without an IOMMU any of them can write such a message by itself. PCI 3.0, 6.8. */
#include <asm/cpu.h>
#include <asm/mmu.h>
#include <asm/pci.h>

#define CONTROL      2 /* of both capabilities; 16 bits */
#define MSI_ENABLE   0x0001
#define MSI_CAN(c)   ((c) >> 1 & 7) /* so many messages, as a power of two */
#define MSI_GRANTED  0x0070
#define MSI_64       0x0080
#define MSI_MASKABLE 0x0100
#define MSIX_SIZE    0x07ff /* less one */
#define MSIX_TABLE   4      /* offset, and in its low three bits which BAR */
#define MSIX_ENTRY   16     /* bytes: address, data, control */

#define PCI_COMMAND    0x04
#define COMMAND_MEMORY 0x0002
#define PCI_BAR        0x10
#define ADDRESS(apic)  (0xfee00000u | (apic) << 12)

static uint32_t read_cap(const struct msi *m, unsigned int reg, unsigned int size)
{
    return pci_read(m->dev->sbdf, (m->is_msix ? m->dev->msix : m->dev->msi) + reg, size);
}

static void write_cap(const struct msi *m, unsigned int reg, unsigned int size, uint32_t val)
{
    pci_write(m->dev->sbdf, (m->is_msix ? m->dev->msix : m->dev->msi) + reg, size, val);
}

/* ---- where a table of MSI-X is ---- */

static uint64_t read_bar(sbdf_t at, unsigned int n)
{
    uint32_t low = n < 6 ? pci_read(at, PCI_BAR + 4 * n, 4) : 0;
    bool is_wide = (low & 7) == 4 && n < 5;

    if (low & 1)
        return 0;
    return (low & ~0xfu) | (is_wide ? (uint64_t)pci_read(at, PCI_BAR + 4 * n + 4, 4) << 32 : 0);
}

/* The control domain moves BARs about: we must not write to memory, nor to what is ours. */
static bool is_device(uint64_t paddr, uint64_t len)
{
    uint64_t end = paddr + len - 1;

    if (paddr >> cpu.paddr_bits || end >> cpu.paddr_bits)
        return false;
    for (uint64_t n = paddr >> PAGE_SHIFT; n <= end >> PAGE_SHIFT; n++)
        if (mfn_valid(mfn(n)) || iomem_read_only(mfn(n)))
            return false;
    return true;
}

static int find_table(const struct msi *m, uint64_t bar)
{
    struct pci_dev *dev = m->dev;
    uint32_t where = read_cap(m, MSIX_TABLE, 4);
    uint64_t base = read_bar(dev->sbdf, where & 7);

    if (dev->used) /* it is where it was */
        return 0;
    if (dev->is_virtual)
        base = bar;
    dev->table_size = (uint16_t)((read_cap(m, CONTROL, 2) & MSIX_SIZE) + 1);
    dev->table = (base & ~0xfUL) + (where & ~7u);
    if (!base || !is_device(dev->table, (uint64_t)dev->table_size * MSIX_ENTRY) ||
        !(dev->is_virtual || (pci_read(dev->sbdf, PCI_COMMAND, 2) & COMMAND_MEMORY)))
        return -ENXIO;
    return 0;
}

int msi_check(const struct msi *m, uint64_t bar)
{
    int rc;

    if (!(m->is_msix ? m->dev->msix : m->dev->msi))
        return -ENODEV;
    if (!m->is_msix)
        return m->group <= 1u << MSI_CAN(read_cap(m, CONTROL, 2)) ? 0 : -EINVAL;
    rc = find_table(m, bar);
    return rc ? rc : m->entry < m->dev->table_size ? 0 : -EINVAL;
}

/* ---- writing it ---- */

static uint64_t table_entry(const struct msi *m)
{
    return m->dev->table + (uint64_t)m->entry * MSIX_ENTRY;
}

static void write_msix(const struct msi *m, uint32_t address, uint32_t data)
{
    uint64_t at = table_entry(m);

    if (mmio_read(at) != address)
        mmio_write(at, address);
    mmio_write(at + 4, 0);
    mmio_write(at + 8, data);
}

static void write_msi(const struct msi *m, uint32_t address, uint32_t data)
{
    uint32_t control = read_cap(m, CONTROL, 2);
    bool is_64 = control & MSI_64;

    write_cap(m, 4, 4, address);
    if (is_64)
        write_cap(m, 8, 4, 0);
    write_cap(m, is_64 ? 12 : 8, 2, data);
    control = (control & ~(uint32_t)MSI_GRANTED) | (uint32_t)__builtin_ctz(m->group) << 4;
    write_cap(m, CONTROL, 2, control);
}

void msi_write(const struct msi *m, unsigned int vector, unsigned int cpu_nr)
{
    uint32_t apic = pcpus[cpu_nr].arch.apic_id;
    uint32_t address = ADDRESS(apic < 0xff ? apic : pcpus[0].arch.apic_id);

    if (m->is_msix)
        write_msix(m, address, vector);
    else
        write_msi(m, address, vector - m->entry);
}

void msi_mask(const struct msi *m, bool masked)
{
    uint32_t control, bits;
    unsigned int reg;

    if (m->is_msix) {
        mmio_write(table_entry(m) + 12, masked);
        return;
    }
    control = read_cap(m, CONTROL, 2);
    if (!(control & MSI_MASKABLE))
        return;
    reg = control & MSI_64 ? 16 : 12;
    bits = read_cap(m, reg, 4) & ~(1u << m->entry);
    write_cap(m, reg, 4, bits | (uint32_t)masked << m->entry);
}

void msi_disable(const struct msi *m)
{
    msi_mask(m, true);
    if (!m->is_msix)
        write_cap(m, CONTROL, 2, read_cap(m, CONTROL, 2) & ~(uint32_t)MSI_ENABLE);
}

/* SPDX-License-Identifier: MIT */
/* PCI configuration space, shared with the control domain. The machine has one address register for
 * all: so each write of the control domain to it is only remembered, and repeated under our lock
 * when the data follow. What the ports do not reach (other segments) is in memory, where MCFG says;
 * no register that concerns us lies beyond the first 256 bytes.
 *
 * The control domain tells which functions there are, before it asks for their interrupts. */
#include <asm/boot.h>
#include <asm/io.h>
#include <asm/pci.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <hv/domain.h>
#include <hv/heap.h>

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE       0x80000000u

static spinlock_t lock = SPINLOCK_INIT(LOCK_PCI); /* ports, window */
static bool ecam_ok[ACPI_MAX_MCFG];

void pci_init(void)
{
    port_reserve(PCI_PORTS, 8);
}

uint32_t mmio_read(uint64_t paddr)
{
    spin_guard(&lock);
    return *(volatile uint32_t *)map_window(paddr);
}

void mmio_write(uint64_t paddr, uint32_t val)
{
    spin_guard(&lock);
    *(volatile uint32_t *)map_window(paddr) = val;
}

/* Where the function's configuration space is in memory; 0: not there. */
static uint64_t ecam(sbdf_t at)
{
    for (unsigned int i = 0; i < acpi.nr_mcfg; i++) {
        const struct acpi_mcfg *m = &acpi.mcfg[i];
        uint8_t bus = (uint8_t)(at >> 8);

        if (ecam_ok[i] && m->segment == at >> 16 && bus >= m->start_bus && bus <= m->end_bus)
            return m->base + ((uint64_t)(at & 0xffff) << 12);
    }
    return 0;
}

int pci_use_ecam(uint64_t base, uint16_t segment, uint8_t first, uint8_t last, bool ok)
{
    for (unsigned int i = 0; i < acpi.nr_mcfg; i++) {
        const struct acpi_mcfg *m = &acpi.mcfg[i];

        if (m->base == base && m->segment == segment && m->start_bus == first &&
            m->end_bus == last) {
            ecam_ok[i] = ok;
            return 0;
        }
    }
    return -ENODEV;
}

/* One access to a port, a data port after the address is in place: *@val goes out, or NULL: the
 * result. */
static uint32_t port_access(uint32_t address, uint16_t port, unsigned int size, const uint32_t *val)
{
    spin_guard(&lock);
    if (port >= PORT_DATA)
        outl(PORT_ADDRESS, address);
    if (!val)
        return port_in(port, size);
    port_out(port, size, *val);
    return ~0u;
}

/* By words: what concerns us shares none with what others write. */
static uint32_t ecam_access(sbdf_t at, unsigned int reg, unsigned int size, const uint32_t *val)
{
    uint32_t shift = (reg & 3) * 8, mask = ~0u >> (32 - 8 * size), got;
    uint64_t word = ecam(at);

    if (!word)
        return ~0u;
    word += reg & ~3u;
    got = mmio_read(word);
    if (val)
        mmio_write(word, (got & ~(mask << shift)) | (*val & mask) << shift);
    return got >> shift & mask;
}

static uint32_t access(sbdf_t at, unsigned int reg, unsigned int size, const uint32_t *val)
{
    if (at >> 16)
        return ecam_access(at, reg, size, val);
    return port_access(ENABLE | at << 8 | (reg & 0xfc), (uint16_t)(PORT_DATA + (reg & 3)), size,
                       val);
}

uint32_t pci_read(sbdf_t at, unsigned int reg, unsigned int size)
{
    return access(at, reg, size, NULL);
}

void pci_write(sbdf_t at, unsigned int reg, unsigned int size, uint32_t val)
{
    (void)access(at, reg, size, &val);
}

/* What is neither data nor the whole address is something else of the chipset's. */
uint32_t pci_port_access(struct domain *d, uint16_t port, unsigned int size, const uint32_t *val)
{
    uint32_t end = port < PORT_DATA ? PORT_DATA : PORT_DATA + 4;

    if (port == PORT_ADDRESS && size == 4) {
        if (val)
            WRITE_ONCE(d->arch.pci_address, *val);
        return READ_ONCE(d->arch.pci_address);
    }
    return port + size > end ? ~0u : port_access(READ_ONCE(d->arch.pci_address), port, size, val);
}

/* ---- functions ---- */

#define PCI_STATUS     0x06
#define PCI_STATUS_CAP 0x10
#define PCI_CAP_FIRST  0x34
#define CAP_MSI        0x05
#define CAP_MSIX       0x11

static struct pci_dev *devices;

struct pci_dev *pci_find(sbdf_t at)
{
    struct pci_dev *dev = devices;

    while (dev && dev->sbdf != at)
        dev = dev->next;
    return dev;
}

static uint8_t find_capability(sbdf_t at, uint8_t id)
{
    uint8_t pos = PCI_CAP_FIRST;

    if (!(pci_read(at, PCI_STATUS, 2) & PCI_STATUS_CAP))
        return 0;
    pos = (uint8_t)pci_read(at, PCI_CAP_FIRST, 1) & ~3;
    for (unsigned int i = 0; i < 48 && pos >= 0x40; i++) {
        uint32_t head = pci_read(at, pos, 4);

        if ((uint8_t)head == id)
            return pos;
        pos = (uint8_t)(head >> 8) & ~3;
    }
    return 0;
}

int pci_add(sbdf_t at, sbdf_t physfn)
{
    struct pci_dev *dev;

    if (pci_find(at))
        return 0;
    if (physfn == ~0u ? (uint16_t)pci_read(at, 0, 2) == 0xffff : !pci_find(physfn))
        return -ENODEV;
    dev = heap_new(struct pci_dev);
    if (!dev)
        return -ENOMEM;
    dev->sbdf = at;
    dev->is_virtual = physfn != ~0u;
    dev->msi = find_capability(at, CAP_MSI);
    dev->msix = find_capability(at, CAP_MSIX);
    dev->next = devices;
    devices = dev;
    return 0;
}

void pci_forget(struct pci_dev *dev)
{
    struct pci_dev **link = &devices;

    while (*link != dev)
        link = &(*link)->next;
    *link = dev->next;
    heap_free(dev);
}

void pci_forget_all(void)
{
    while (devices)
        pci_forget(devices);
}

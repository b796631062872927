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
#include <hv/lib.h>

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE       0x80000000u

static spinlock_t lock = SPINLOCK_INIT(LOCK_PCI); /* ports, window */
static bool ecam_ok[ACPI_MAX_MCFG];

void pci_init(void)
{
    port_reserve(PCI_PORTS, 8);
}

static uint32_t in(uint16_t port, unsigned int size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void out(uint16_t port, unsigned int size, uint32_t val)
{
    if (size == 1)
        outb(port, (uint8_t)val);
    else if (size == 2)
        outw(port, (uint16_t)val);
    else
        outl(port, val);
}

uint32_t mmio_read(uint64_t paddr)
{
    uint32_t val;

    spin_lock(&lock);
    val = *(volatile uint32_t *)map_window(paddr);
    spin_unlock(&lock);
    return val;
}

void mmio_write(uint64_t paddr, uint32_t val)
{
    spin_lock(&lock);
    *(volatile uint32_t *)map_window(paddr) = val;
    spin_unlock(&lock);
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

/* One access; @val goes in or out. */
static uint32_t access(sbdf_t at, unsigned int reg, unsigned int size, const uint32_t *val)
{
    uint16_t port = (uint16_t)(PORT_DATA + (reg & 3));
    uint32_t got = ~0u;

    if (at >> 16) { /* whole words only: they share no word with what others write */
        uint64_t word = ecam(at), shift = (reg & 3) * 8, mask = ~0u >> (32 - 8 * size);

        if (!word)
            return ~0u;
        word += reg & ~3u;
        got = mmio_read(word);
        if (val)
            mmio_write(word, (uint32_t)((got & ~(mask << shift)) | (*val & mask) << shift));
        return (uint32_t)(got >> shift & mask);
    }
    spin_lock(&lock);
    outl(PORT_ADDRESS, ENABLE | at << 8 | (reg & 0xfc));
    if (val)
        out(port, size, *val);
    else
        got = in(port, size);
    spin_unlock(&lock);
    return got;
}

uint32_t pci_read(sbdf_t at, unsigned int reg, unsigned int size)
{
    return access(at, reg, size, NULL);
}

void pci_write(sbdf_t at, unsigned int reg, unsigned int size, uint32_t val)
{
    (void)access(at, reg, size, &val);
}

/* ---- the control domain's accesses ---- */

/* Not a data register, nor the address as a whole: some chipsets have other things in between. */
static bool is_other(uint16_t port)
{
    return port < PORT_DATA;
}

uint32_t pci_port_read(const struct domain *d, uint16_t port, unsigned int size)
{
    uint32_t address = READ_ONCE(d->arch.pci_address), val = ~0u;

    if (port == PORT_ADDRESS && size == 4)
        return address;
    if (port + size > PORT_DATA + 4 || (is_other(port) && port + size > PORT_DATA))
        return ~0u;
    spin_lock(&lock);
    if (!is_other(port))
        outl(PORT_ADDRESS, address);
    val = in(port, size);
    spin_unlock(&lock);
    return val;
}

void pci_port_write(struct domain *d, uint16_t port, unsigned int size, uint32_t val)
{
    if (port == PORT_ADDRESS && size == 4) {
        WRITE_ONCE(d->arch.pci_address, val);
        return;
    }
    if (port + size > PORT_DATA + 4 || (is_other(port) && port + size > PORT_DATA))
        return;
    spin_lock(&lock);
    if (!is_other(port))
        outl(PORT_ADDRESS, READ_ONCE(d->arch.pci_address));
    out(port, size, val);
    spin_unlock(&lock);
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

static bool is_there(sbdf_t at)
{
    return (uint16_t)pci_read(at, 0, 2) != 0xffff;
}

int pci_add(sbdf_t at, sbdf_t physfn)
{
    struct pci_dev *dev;

    if (pci_find(at))
        return 0;
    if (physfn == ~0u ? !is_there(at) : !pci_find(physfn))
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

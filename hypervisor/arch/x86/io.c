/* SPDX-License-Identifier: MIT */
/* The machine's I/O ports and device memory: who may have them. Nobody has the hypervisor's own. */
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/mmu.h>
#include <asm/multiboot.h>
#include <asm/pci.h>
#include <asm/processor.h>

/* A set bit keeps a port. It is the I/O bitmap of every TSS too: what is set traps. */
static unsigned long reserved[IO_PORTS / 64] __aligned(4096);

const char *port_bitmap_page(unsigned int n)
{
    return (const char *)reserved + n * PAGE_SIZE;
}

void port_reserve(uint16_t first, unsigned int n)
{
    for (unsigned int i = 0; i < n && first + i < IO_PORTS; i++)
        set_bit(first + i, reserved);
}

int io_domain_init(struct domain *d)
{
    rangeset_init(&d->arch.iomem);
    rangeset_init(&d->arch.ports);
    rangeset_init(&d->arch.irqs);
    if (!d->is_privileged)
        return 0;
    TRY(rangeset_set(&d->arch.iomem, 0, (1UL << (cpu.paddr_bits - PAGE_SHIFT)) - 1, true));
    TRY(rangeset_set(&d->arch.ports, 0, IO_PORTS - 1, true));
    return rangeset_set(&d->arch.irqs, 0, NR_GSIS - 1, true);
}

void io_domain_free(struct domain *d)
{
    rangeset_free(&d->arch.iomem);
    rangeset_free(&d->arch.ports);
    rangeset_free(&d->arch.irqs);
}

bool ports_permitted(struct domain *d, uint32_t first, uint32_t last)
{
    return last < IO_PORTS && find_next_bit(reserved, last + 1, first) > last &&
           rangeset_has(&d->arch.ports, first, last);
}

static bool permitted(struct domain *d, uint16_t port, unsigned int size)
{
    return ports_permitted(d, port, port + size - 1);
}

uint32_t port_in(uint16_t port, unsigned int size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

void port_out(uint16_t port, unsigned int size, uint32_t val)
{
    if (size == 1)
        outb(port, (uint8_t)val);
    else if (size == 2)
        outw(port, (uint16_t)val);
    else
        outl(port, val);
}

uint32_t port_read(struct domain *d, uint16_t port, unsigned int size)
{
    if ((port & ~7) == PCI_PORTS && d->is_privileged)
        return pci_port_access(d, port, size, NULL);
    return permitted(d, port, size) ? port_in(port, size) : ~0u;
}

void port_write(struct domain *d, uint16_t port, unsigned int size, uint32_t val)
{
    /* Commands to the PIT's counter 2: kernels time their TSC by it. */
    bool is_counter2 = port == PIT_CONTROL && size == 1 && (uint8_t)val >> 6 == 2;

    if ((port & ~7) == PCI_PORTS && d->is_privileged)
        (void)pci_port_access(d, port, size, &val);
    else if ((is_counter2 && d->is_privileged) || permitted(d, port, size))
        port_out(port, size, val);
}

/* ---- device memory ---- */

static struct kept {
    uint64_t first, last; /* frames */
    bool readable;
} iomem_reserved[16];
static unsigned int nr_iomem;

void iomem_reserve(uint64_t paddr, uint64_t len, bool readable)
{
    if (nr_iomem == ARRAY_SIZE(iomem_reserved))
        panic("too many devices of the hypervisor's own");
    iomem_reserved[nr_iomem].readable = readable;
    iomem_reserved[nr_iomem].first = paddr >> PAGE_SHIFT;
    iomem_reserved[nr_iomem++].last = (paddr + len - 1) >> PAGE_SHIFT;
}

void iomem_show_reserved(struct boot_info *map)
{
    for (unsigned int i = 0; i < nr_iomem; i++)
        boot_region_add(map, iomem_reserved[i].first << PAGE_SHIFT,
                        (iomem_reserved[i].last - iomem_reserved[i].first + 1) << PAGE_SHIFT,
                        BOOT_RESERVED);
}

static const struct kept *kept_in(uint64_t first, uint64_t last)
{
    for (const struct kept *k = iomem_reserved; k < iomem_reserved + nr_iomem; k++)
        if (last >= k->first && first <= k->last)
            return k;
    return NULL;
}

bool iomem_permitted(struct domain *d, mfn_t m)
{
    const struct kept *k = kept_in(m.n, m.n);

    return (!k || (k->readable && d->is_privileged)) && rangeset_has(&d->arch.iomem, m.n, m.n);
}

bool iomem_may_give(struct domain *d, uint64_t first, uint64_t last)
{
    return !kept_in(first, last) && rangeset_has(&d->arch.iomem, first, last);
}

bool iomem_read_only(mfn_t m)
{
    return kept_in(m.n, m.n);
}

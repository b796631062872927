/* SPDX-License-Identifier: MIT */
/* PCI functions: configuration space, those that the control domain has found, their MSIs. */
#pragma once

#include <hv/types.h>

/* Where a function is: segment in bits 16-31, bus in 8-15, device and function below. */
typedef uint32_t sbdf_t;

struct pci_dev {
    struct pci_dev *next;
    sbdf_t sbdf;
    bool is_virtual;
    bool prepared;       /* PHYSDEVOP_prepare_msix */
    uint8_t msi, msix;   /* its capabilities in configuration space; 0: none */
    uint16_t used;       /* interrupts in use */
    uint16_t table_size; /* entries of the MSI-X table */
    uint64_t table;      /* its address */
};

/* A message-signalled interrupt. */
struct msi {
    struct pci_dev *dev;
    bool is_msix;
    uint16_t entry; /* in the MSI-X table; its place in a group of MSIs */
    uint8_t group;  /* so many MSIs together, their vectors in a row */
};

/* ---- pci.c ---- */

/** pci_read, pci_write - @size 1, 2 or 4 bytes of configuration space, @reg aligned to that. What
 * is not there reads as all ones. Takes LOCK_PCI. */
uint32_t pci_read(sbdf_t at, unsigned int reg, unsigned int size);
void pci_write(sbdf_t at, unsigned int reg, unsigned int size, uint32_t val);
/** mmio_read, mmio_write - a 32-bit device register. */
uint32_t mmio_read(uint64_t paddr);
void mmio_write(uint64_t paddr, uint32_t val);

#define PCI_PORTS 0xcf8 /* and seven more */
/** pci_port_access - the control domain's access to ports 0xcf8-0xcff, with an address register of
 * its own: writes *@val, or reads if that is NULL. */
uint32_t pci_port_access(struct domain *d, uint16_t port, unsigned int size, const uint32_t *val);

/** pci_find - a function that pci_add() has made known, or NULL. All with physdev_lock held. */
struct pci_dev *pci_find(sbdf_t at);
/** pci_add - 0 also if it is known; -ENODEV: nothing there; -ENOMEM. @physfn: that of a virtual
 * function (which does not answer as others do), else ~0. */
int pci_add(sbdf_t at, sbdf_t physfn);
void pci_forget(struct pci_dev *dev);
void pci_forget_all(void);
/** pci_use_ecam - the control domain found the configuration space of these buses, at @base, to be
 * kept free (or not). -ENODEV: firmware has told us of no such thing. */
int pci_use_ecam(uint64_t base, uint16_t segment, uint8_t first, uint8_t last, bool ok);

/* ---- msi.c ---- */

/** msi_check - can there be this interrupt? @bar: of the MSI-X table, if the function cannot tell.
 * -ENODEV: no such capability; -EINVAL: no such entry; -ENXIO: the table is out of reach. */
int msi_check(const struct msi *m, uint64_t bar);
/** msi_write - its message: @vector of @cpu. msi_mask - if it can be. msi_disable - for good. */
void msi_write(const struct msi *m, unsigned int vector, unsigned int cpu);
void msi_mask(const struct msi *m, bool masked);
void msi_disable(const struct msi *m);

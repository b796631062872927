/* SPDX-License-Identifier: MIT */
/* Guest ABI: physdev_op, for domains with hardware: interrupt routing and PCI devices. */
#ifndef __XEN_PUBLIC_PHYSDEV_H__
#define __XEN_PUBLIC_PHYSDEV_H__

#include "xen.h"

/* physdev_op(cmd, argument) */
#define PHYSDEVOP_IRQ_UNMASK_NOTIFY  4 /* old form only: no-op */
#define PHYSDEVOP_irq_status_query   5
#define PHYSDEVOP_set_iopl           6
#define PHYSDEVOP_set_iobitmap       7
#define PHYSDEVOP_apic_read          8  /* physdev_apic */
#define PHYSDEVOP_apic_write         9  /* physdev_apic */
#define PHYSDEVOP_alloc_irq_vector   10 /* physdev_irq */
#define PHYSDEVOP_free_irq_vector    11 /* physdev_irq */
#define PHYSDEVOP_eoi                12
#define PHYSDEVOP_map_pirq           13
#define PHYSDEVOP_unmap_pirq         14
#define PHYSDEVOP_manage_pci_add     15 /* physdev_manage_pci */
#define PHYSDEVOP_manage_pci_remove  16 /* physdev_manage_pci */
#define PHYSDEVOP_pirq_eoi_gmfn_v1   17 /* physdev_pirq_eoi_gmfn; unmasks automatically */
#define PHYSDEVOP_restore_msi        19
#define PHYSDEVOP_manage_pci_add_ext 20 /* physdev_manage_pci_ext */
#define PHYSDEVOP_setup_gsi          21
#define PHYSDEVOP_get_free_pirq      23
#define PHYSDEVOP_pci_mmcfg_reserved 24
#define PHYSDEVOP_pci_device_add     25
#define PHYSDEVOP_pci_device_remove  26 /* physdev_pci_device; so do 27, 30 and 31 */
#define PHYSDEVOP_restore_msi_ext    27
#define PHYSDEVOP_pirq_eoi_gmfn_v2   28 /* physdev_pirq_eoi_gmfn; does not unmask */
#define PHYSDEVOP_dbgp_op            29
#define PHYSDEVOP_prepare_msix       30
#define PHYSDEVOP_release_msix       31
#define PHYSDEVOP_pirq_eoi_gmfn      PHYSDEVOP_pirq_eoi_gmfn_v2

/* physdev_irq_status_query.flags */
#define _XENIRQSTAT_needs_eoi 0 /* must be ended by PHYSDEVOP_eoi */
#define XENIRQSTAT_needs_eoi  (1U << _XENIRQSTAT_needs_eoi)
#define _XENIRQSTAT_shared    1
#define XENIRQSTAT_shared     (1U << _XENIRQSTAT_shared)

/* physdev_map_pirq.type */
#define MAP_PIRQ_TYPE_MSI       0x0
#define MAP_PIRQ_TYPE_GSI       0x1
#define MAP_PIRQ_TYPE_UNKNOWN   0x2
#define MAP_PIRQ_TYPE_MSI_SEG   0x3 /* bus holds the PCI segment in its upper half */
#define MAP_PIRQ_TYPE_MULTI_MSI 0x4 /* entry_nr consecutive MSIs */

/* physdev_pci_mmcfg_reserved.flags: the range is reserved in firmware tables */
#define XEN_PCI_MMCFG_RESERVED 0x1

/* physdev_pci_device_add.flags */
#define XEN_PCI_DEV_EXTFN  0x1 /* function beyond 7 (ARI) */
#define XEN_PCI_DEV_VIRTFN 0x2 /* virtual function of physfn */
#define XEN_PCI_DEV_PXM    0x4 /* optarr[0] is its proximity domain */

/* physdev_dbgp_op.op and .bus: USB debug port about to be reset by the guest, and back */
#define PHYSDEVOP_DBGP_RESET_PREPARE 1
#define PHYSDEVOP_DBGP_RESET_DONE    2
#define PHYSDEVOP_DBGP_BUS_UNKNOWN   0
#define PHYSDEVOP_DBGP_BUS_PCI       1

#ifndef __ASSEMBLY__

/* Ends a level-triggered interrupt and unmasks its event. */
struct physdev_eoi {
    uint32_t irq;
};
typedef struct physdev_eoi physdev_eoi_t;
DEFINE_XEN_GUEST_HANDLE(physdev_eoi_t);
XEN_ABI_SIZE(struct physdev_eoi, 4);

/* A page in which bit n says that pirq n needs PHYSDEVOP_eoi. */
struct physdev_pirq_eoi_gmfn {
    xen_pfn_t gmfn;
};
typedef struct physdev_pirq_eoi_gmfn physdev_pirq_eoi_gmfn_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pirq_eoi_gmfn_t);
XEN_ABI_SIZE(struct physdev_pirq_eoi_gmfn, 8);

struct physdev_irq_status_query {
    uint32_t irq;
    uint32_t flags; /* out: XENIRQSTAT_* */
};
typedef struct physdev_irq_status_query physdev_irq_status_query_t;
DEFINE_XEN_GUEST_HANDLE(physdev_irq_status_query_t);
XEN_ABI_SIZE(struct physdev_irq_status_query, 8);

/* I/O privilege of the calling vcpu, 0-3; a guest kernel is at 1. */
struct physdev_set_iopl {
    uint32_t iopl;
};
typedef struct physdev_set_iopl physdev_set_iopl_t;
DEFINE_XEN_GUEST_HANDLE(physdev_set_iopl_t);
XEN_ABI_SIZE(struct physdev_set_iopl, 4);

/* I/O ports open to the calling vcpu at any privilege: a zero bit opens. */
struct physdev_set_iobitmap {
    XEN_GUEST_HANDLE(uint8) bitmap;
    uint32_t nr_ports;
};
typedef struct physdev_set_iobitmap physdev_set_iobitmap_t;
DEFINE_XEN_GUEST_HANDLE(physdev_set_iobitmap_t);
XEN_ABI_SIZE(struct physdev_set_iobitmap, 16);

/* A register of an I/O APIC. */
struct physdev_apic {
    unsigned long apic_physbase;
    uint32_t reg;
    uint32_t value; /* in or out */
};
typedef struct physdev_apic physdev_apic_t;
DEFINE_XEN_GUEST_HANDLE(physdev_apic_t);
XEN_ABI_SIZE(struct physdev_apic, 16);

struct physdev_irq {
    uint32_t irq;
    uint32_t vector; /* out; of no meaning to the guest */
};
typedef struct physdev_irq physdev_irq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_irq_t);
XEN_ABI_SIZE(struct physdev_irq, 8);

/* Gives a machine interrupt or MSI a pirq number in domid. */
struct physdev_map_pirq {
    domid_t domid;
    int type;            /* MAP_PIRQ_TYPE_* */
    int index;           /* GSI; ignored for MSI */
    int pirq;            /* in: wanted, negative: any; out: given */
    int bus;             /* MSI: bus, and segment in bits 16-31 */
    int devfn;           /* MSI */
    int entry_nr;        /* MSI-X: entry; multiple MSI: count in, done out */
    uint64_t table_base; /* MSI-X: physical address of the table; else 0 */
};
typedef struct physdev_map_pirq physdev_map_pirq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_map_pirq_t);
XEN_ABI_SIZE(struct physdev_map_pirq, 40);

struct physdev_unmap_pirq {
    domid_t domid;
    int pirq;
};
typedef struct physdev_unmap_pirq physdev_unmap_pirq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_unmap_pirq_t);
XEN_ABI_SIZE(struct physdev_unmap_pirq, 8);

struct physdev_manage_pci {
    uint8_t bus;
    uint8_t devfn;
};
typedef struct physdev_manage_pci physdev_manage_pci_t;
DEFINE_XEN_GUEST_HANDLE(physdev_manage_pci_t);
XEN_ABI_SIZE(struct physdev_manage_pci, 2);

/* Writes a device's MSI registers again after it lost them (resume). */
struct physdev_restore_msi {
    uint8_t bus;
    uint8_t devfn;
};
typedef struct physdev_restore_msi physdev_restore_msi_t;
DEFINE_XEN_GUEST_HANDLE(physdev_restore_msi_t);
XEN_ABI_SIZE(struct physdev_restore_msi, 2);

struct physdev_manage_pci_ext {
    uint8_t bus;
    uint8_t devfn;
    uint32_t is_extfn;
    uint32_t is_virtfn;
    struct {
        uint8_t bus;
        uint8_t devfn;
    } physfn;
};
typedef struct physdev_manage_pci_ext physdev_manage_pci_ext_t;
DEFINE_XEN_GUEST_HANDLE(physdev_manage_pci_ext_t);
XEN_ABI_SIZE(struct physdev_manage_pci_ext, 16);

/* Argument of the old form, hypercall 19 (physdev_op_compat). */
struct physdev_op {
    uint32_t cmd;
    union {
        physdev_irq_status_query_t irq_status_query;
        physdev_set_iopl_t set_iopl;
        physdev_set_iobitmap_t set_iobitmap;
        physdev_apic_t apic_op;
        physdev_irq_t irq_op;
    } u;
};
typedef struct physdev_op physdev_op_t;
DEFINE_XEN_GUEST_HANDLE(physdev_op_t);
XEN_ABI_SIZE(struct physdev_op, 24);

/* Trigger mode and polarity of a GSI, as the guest found them in ACPI. */
struct physdev_setup_gsi {
    int gsi;
    uint8_t triggering; /* 0 edge, 1 level */
    uint8_t polarity;   /* 0 active high, 1 active low */
};
typedef struct physdev_setup_gsi physdev_setup_gsi_t;
DEFINE_XEN_GUEST_HANDLE(physdev_setup_gsi_t);
XEN_ABI_SIZE(struct physdev_setup_gsi, 8);

struct physdev_get_free_pirq {
    int type;      /* MAP_PIRQ_TYPE_* */
    uint32_t pirq; /* out */
};
typedef struct physdev_get_free_pirq physdev_get_free_pirq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_get_free_pirq_t);
XEN_ABI_SIZE(struct physdev_get_free_pirq, 8);

/* A range of memory-mapped PCI configuration space. */
struct physdev_pci_mmcfg_reserved {
    uint64_t address;
    uint16_t segment;
    uint8_t start_bus;
    uint8_t end_bus;
    uint32_t flags; /* XEN_PCI_MMCFG_RESERVED */
};
typedef struct physdev_pci_mmcfg_reserved physdev_pci_mmcfg_reserved_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pci_mmcfg_reserved_t);
XEN_ABI_SIZE(struct physdev_pci_mmcfg_reserved, 16);

/* The control domain found a PCI device. */
struct physdev_pci_device_add {
    uint16_t seg;
    uint8_t bus;
    uint8_t devfn;
    uint32_t flags; /* XEN_PCI_DEV_* */
    struct {
        uint8_t bus;
        uint8_t devfn;
    } physfn;
    uint32_t optarr[XEN_FLEX_ARRAY_DIM]; /* what flags announce, in the order of the bits */
};
typedef struct physdev_pci_device_add physdev_pci_device_add_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pci_device_add_t);
XEN_ABI_SIZE(struct physdev_pci_device_add, 12);

/* Names a PCI device. */
struct physdev_pci_device {
    uint16_t seg;
    uint8_t bus;
    uint8_t devfn;
};
typedef struct physdev_pci_device physdev_pci_device_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pci_device_t);
XEN_ABI_SIZE(struct physdev_pci_device, 4);

struct physdev_dbgp_op {
    uint8_t op;
    uint8_t bus;
    union {
        physdev_pci_device_t pci;
    } u;
};
typedef struct physdev_dbgp_op physdev_dbgp_op_t;
DEFINE_XEN_GUEST_HANDLE(physdev_dbgp_op_t);
XEN_ABI_SIZE(struct physdev_dbgp_op, 6);

#endif /* !__ASSEMBLY__ */
#endif

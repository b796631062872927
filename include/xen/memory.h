/* SPDX-License-Identifier: MIT */
/* Guest ABI: memory_op, by which domains get and give back memory and learn the memory layout. */
#ifndef __XEN_PUBLIC_MEMORY_H__
#define __XEN_PUBLIC_MEMORY_H__

#include "xen.h"
#include "physdev.h"

/* memory_op(cmd, argument). The bits of cmd above these say where a preempted call goes on. */
#define XENMEM_increase_reservation       0  /* xen_memory_reservation; returns extents done */
#define XENMEM_decrease_reservation       1  /* the same */
#define XENMEM_maximum_ram_page           2  /* no argument; returns the highest frame of RAM */
#define XENMEM_current_reservation        3  /* xen_memory_domain; returns pages owned */
#define XENMEM_maximum_reservation        4  /* xen_memory_domain; returns pages allowed */
#define XENMEM_machphys_mfn_list          5  /* xen_machphys_mfn_list */
#define XENMEM_populate_physmap           6  /* xen_memory_reservation; returns extents done */
#define XENMEM_add_to_physmap             7  /* xen_add_to_physmap */
#define XENMEM_memory_map                 9  /* xen_memory_map: this domain's E820 */
#define XENMEM_machine_memory_map         10 /* xen_memory_map: the machine's; privileged */
#define XENMEM_exchange                   11 /* xen_memory_exchange */
#define XENMEM_machphys_mapping           12 /* xen_machphys_mapping */
#define XENMEM_set_memory_map             13 /* xen_foreign_memory_map */
#define XENMEM_maximum_gpfn               14 /* xen_memory_domain; returns the highest pfn */
#define XENMEM_remove_from_physmap        15 /* xen_remove_from_physmap */
#define XENMEM_set_pod_target             16 /* xen_pod_target */
#define XENMEM_get_pod_target             17
#define XENMEM_get_sharing_freed_pages    18 /* no argument */
#define XENMEM_get_sharing_shared_pages   19
#define XENMEM_paging_op                  20
#define XENMEM_access_op                  21
#define XENMEM_sharing_op                 22
#define XENMEM_add_to_physmap_batch       23 /* xen_add_to_physmap_batch */
#define XENMEM_claim_pages                24 /* xen_memory_reservation */
#define XENMEM_machphys_compat_mfn_list   25 /* as 5, of the table 32-bit guests see */
#define XENMEM_get_vnumainfo              26 /* xen_vnuma_topology_info */
#define XENMEM_reserved_device_memory_map 27 /* xen_reserved_device_memory_map */
#define XENMEM_acquire_resource           28 /* xen_mem_acquire_resource */

/* xen_memory_reservation.mem_flags: width of reachable addresses, NUMA node, and switches */
#define XENMEMF_address_bits(x)     (x)
#define XENMEMF_get_address_bits(x) ((x)&0xffu)
#define XENMEMF_node(x)             (((x) + 1) << 8)
#define XENMEMF_get_node(x)         ((((x) >> 8) - 1) & 0xffu)
#define XENMEMF_populate_on_demand  (1 << 16)
#define XENMEMF_exact_node_request  (1 << 17)
#define XENMEMF_exact_node(n)       (XENMEMF_node(n) | XENMEMF_exact_node_request)
#define XENMEMF_vnode               (1 << 18)

/* xen_add_to_physmap.space: where the page comes from */
#define XENMAPSPACE_shared_info  0
#define XENMAPSPACE_grant_table  1
#define XENMAPSPACE_gmfn         2
#define XENMAPSPACE_gmfn_range   3
#define XENMAPSPACE_gmfn_foreign 4
#define XENMAPSPACE_dev_mmio     5

/* xen_add_to_physmap.idx, grant_table: the status frames of v2 */
#define XENMAPIDX_grant_table_status 0x80000000

/* xen_mem_acquire_resource.type, .id and .frame */
#define XENMEM_resource_ioreq_server                0
#define XENMEM_resource_grant_table                 1
#define XENMEM_resource_vmtrace_buf                 2
#define XENMEM_resource_grant_table_id_shared       0
#define XENMEM_resource_grant_table_id_status       1
#define XENMEM_resource_ioreq_server_frame_bufioreq 0
#define XENMEM_resource_ioreq_server_frame_ioreq(n) (1 + (n))

/* xen_reserved_device_memory_map.flags: for every device, not only dev.pci */
#define XENMEM_RDM_ALL 1

#ifndef __ASSEMBLY__

/*
 * A list of extents of 2^extent_order pages. Increase: fills in machine frames, if a list is given.
 * Decrease: gives frames back. Populate: takes pfns, puts machine frames in their place.
 */
struct xen_memory_reservation {
    XEN_GUEST_HANDLE(xen_pfn_t) extent_start;
    xen_ulong_t nr_extents;
    unsigned int extent_order;
    unsigned int mem_flags; /* XENMEMF_* */
    domid_t domid;
};
typedef struct xen_memory_reservation xen_memory_reservation_t;
DEFINE_XEN_GUEST_HANDLE(xen_memory_reservation_t);
XEN_ABI_SIZE(struct xen_memory_reservation, 32);

/* Trades the frames of in for new ones of another shape, as many pages in all. */
struct xen_memory_exchange {
    struct xen_memory_reservation in;
    struct xen_memory_reservation out; /* list in: pfns; list out: machine frames */
    xen_ulong_t nr_exchanged;          /* in: 0; out: extents of in that are gone */
};
typedef struct xen_memory_exchange xen_memory_exchange_t;
DEFINE_XEN_GUEST_HANDLE(xen_memory_exchange_t);
XEN_ABI_SIZE(struct xen_memory_exchange, 72);

/* Argument of the calls that ask about one domain. */
struct xen_memory_domain {
    domid_t domid;
};
XEN_ABI_SIZE(struct xen_memory_domain, 2);

/* Machine frames of the machine-to-phys table, one for each 2 MiB of it. */
struct xen_machphys_mfn_list {
    unsigned int max_extents;
    XEN_GUEST_HANDLE(xen_pfn_t) extent_start;
    unsigned int nr_extents; /* out */
};
typedef struct xen_machphys_mfn_list xen_machphys_mfn_list_t;
DEFINE_XEN_GUEST_HANDLE(xen_machphys_mfn_list_t);
XEN_ABI_SIZE(struct xen_machphys_mfn_list, 24);

/* Where the machine-to-phys table is mapped, and the highest frame it can describe. */
struct xen_machphys_mapping {
    xen_ulong_t v_start, v_end;
    xen_ulong_t max_mfn;
};
typedef struct xen_machphys_mapping xen_machphys_mapping_t;
DEFINE_XEN_GUEST_HANDLE(xen_machphys_mapping_t);
XEN_ABI_SIZE(struct xen_machphys_mapping, 24);

/* Puts a page of one of the spaces at pfn gpfn (translated guests; few cases for PV). */
struct xen_add_to_physmap {
    domid_t domid;
    uint16_t size; /* pages, for gmfn_range */
    unsigned int space;
    xen_ulong_t idx;
    xen_pfn_t gpfn;
};
typedef struct xen_add_to_physmap xen_add_to_physmap_t;
DEFINE_XEN_GUEST_HANDLE(xen_add_to_physmap_t);
XEN_ABI_SIZE(struct xen_add_to_physmap, 24);

/* The same for many pages, with an error for each. */
struct xen_add_to_physmap_batch {
    domid_t domid;
    uint16_t space;
    uint16_t size; /* elements in each list */
    union xen_add_to_physmap_batch_extra {
        domid_t foreign_domid; /* gmfn_foreign */
        uint16_t res0;         /* the others: 0 */
    } u;
    XEN_GUEST_HANDLE(xen_ulong_t) idxs;
    XEN_GUEST_HANDLE(xen_pfn_t) gpfns;
    XEN_GUEST_HANDLE(int) errs;
};
typedef struct xen_add_to_physmap_batch xen_add_to_physmap_batch_t;
DEFINE_XEN_GUEST_HANDLE(xen_add_to_physmap_batch_t);
XEN_ABI_SIZE(struct xen_add_to_physmap_batch, 32);

struct xen_remove_from_physmap {
    domid_t domid;
    xen_pfn_t gpfn;
};
typedef struct xen_remove_from_physmap xen_remove_from_physmap_t;
DEFINE_XEN_GUEST_HANDLE(xen_remove_from_physmap_t);
XEN_ABI_SIZE(struct xen_remove_from_physmap, 16);

/* A map of E820 entries: 20 bytes each, 64-bit start, 64-bit length, 32-bit type. */
struct xen_memory_map {
    unsigned int nr_entries; /* in: room; out: entries written */
    XEN_GUEST_HANDLE(void) buffer;
};
typedef struct xen_memory_map xen_memory_map_t;
DEFINE_XEN_GUEST_HANDLE(xen_memory_map_t);
XEN_ABI_SIZE(struct xen_memory_map, 16);

struct xen_foreign_memory_map {
    domid_t domid;
    struct xen_memory_map map;
};
typedef struct xen_foreign_memory_map xen_foreign_memory_map_t;
DEFINE_XEN_GUEST_HANDLE(xen_foreign_memory_map_t);
XEN_ABI_SIZE(struct xen_foreign_memory_map, 24);

/* Populate on demand, for fully virtual guests. */
struct xen_pod_target {
    uint64_t target_pages;
    uint64_t tot_pages;
    uint64_t pod_cache_pages;
    uint64_t pod_entries;
    domid_t domid;
};
typedef struct xen_pod_target xen_pod_target_t;
XEN_ABI_SIZE(struct xen_pod_target, 40);

/* What a fully virtual guest may do with a page, for XENMEM_access_op. */
typedef enum {
    XENMEM_access_n,
    XENMEM_access_r,
    XENMEM_access_w,
    XENMEM_access_rw,
    XENMEM_access_x,
    XENMEM_access_rx,
    XENMEM_access_wx,
    XENMEM_access_rwx,
    XENMEM_access_rx2rw, /* rx, and rw from the first write on */
    XENMEM_access_n2rwx, /* n, and rwx from the first access on */
    XENMEM_access_default
} xenmem_access_t;

struct xen_reserved_device_memory {
    xen_pfn_t start_pfn;
    xen_ulong_t nr_pages;
};
typedef struct xen_reserved_device_memory xen_reserved_device_memory_t;
DEFINE_XEN_GUEST_HANDLE(xen_reserved_device_memory_t);
XEN_ABI_SIZE(struct xen_reserved_device_memory, 16);

/* Ranges that a device's firmware goes on using. */
struct xen_reserved_device_memory_map {
    uint32_t flags;          /* XENMEM_RDM_* */
    unsigned int nr_entries; /* in: room; out: entries there are */
    XEN_GUEST_HANDLE(xen_reserved_device_memory_t) buffer;
    union {
        physdev_pci_device_t pci;
    } dev;
};
typedef struct xen_reserved_device_memory_map xen_reserved_device_memory_map_t;
DEFINE_XEN_GUEST_HANDLE(xen_reserved_device_memory_map_t);
XEN_ABI_SIZE(struct xen_reserved_device_memory_map, 24);

/* Lists frames of a resource of domid so that the tools can map them. */
struct xen_mem_acquire_resource {
    domid_t domid;
    uint16_t type;      /* XENMEM_resource_* */
    uint32_t id;        /* which one of that type */
    uint32_t nr_frames; /* in: wanted; 0 with no list asks for the size */
    uint32_t pad;
    uint64_t frame; /* first wanted */
    XEN_GUEST_HANDLE(xen_pfn_t) frame_list;
};
typedef struct xen_mem_acquire_resource xen_mem_acquire_resource_t;
DEFINE_XEN_GUEST_HANDLE(xen_mem_acquire_resource_t);
XEN_ABI_SIZE(struct xen_mem_acquire_resource, 32);

/* Virtual NUMA: memory from start up to end is on node nid. */
struct xen_vmemrange {
    uint64_t start, end;
    unsigned int flags;
    unsigned int nid;
};
typedef struct xen_vmemrange xen_vmemrange_t;
DEFINE_XEN_GUEST_HANDLE(xen_vmemrange_t);
XEN_ABI_SIZE(struct xen_vmemrange, 24);

struct xen_vnuma_topology_info {
    domid_t domid;
    uint16_t pad;
    unsigned int nr_vnodes; /* in: room; out: number, like the next two */
    unsigned int nr_vcpus;
    unsigned int nr_vmemranges;
    union {
        XEN_GUEST_HANDLE(uint) h;
        uint64_t pad;
    } vdistance; /* nr_vnodes squared */
    union {
        XEN_GUEST_HANDLE(uint) h;
        uint64_t pad;
    } vcpu_to_vnode;
    union {
        XEN_GUEST_HANDLE(xen_vmemrange_t) h;
        uint64_t pad;
    } vmemrange;
};
typedef struct xen_vnuma_topology_info xen_vnuma_topology_info_t;
DEFINE_XEN_GUEST_HANDLE(xen_vnuma_topology_info_t);
XEN_ABI_SIZE(struct xen_vnuma_topology_info, 40);

#endif /* !__ASSEMBLY__ */
#endif

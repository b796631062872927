/* SPDX-License-Identifier: MIT */
/*
 * Guest ABI: domctl, by which the tools make, change and end domains. The interface changes between
 * releases; every call carries its version. All numbers are here; the structures are those of PV
 * domains.
 */
#ifndef __XEN_PUBLIC_DOMCTL_H__
#define __XEN_PUBLIC_DOMCTL_H__

#include "xen.h"
#include "event_channel.h"
#include "grant_table.h"
#include "memory.h"

/* xen_domctl.interface_version must be this. */
#define XEN_DOMCTL_INTERFACE_VERSION 0x00000015

/* xen_domctl.cmd; the argument is u.<same name> where the comment does not say otherwise */
#define XEN_DOMCTL_createdomain            1
#define XEN_DOMCTL_destroydomain           2 /* no argument */
#define XEN_DOMCTL_pausedomain             3 /* no argument; counts */
#define XEN_DOMCTL_unpausedomain           4 /* no argument */
#define XEN_DOMCTL_getdomaininfo           5
#define XEN_DOMCTL_setvcpuaffinity         9 /* u.vcpuaffinity */
#define XEN_DOMCTL_shadow_op               10
#define XEN_DOMCTL_max_mem                 11
#define XEN_DOMCTL_setvcpucontext          12 /* u.vcpucontext; no context: reset the vcpu */
#define XEN_DOMCTL_getvcpucontext          13 /* u.vcpucontext */
#define XEN_DOMCTL_getvcpuinfo             14
#define XEN_DOMCTL_max_vcpus               15
#define XEN_DOMCTL_scheduler_op            16
#define XEN_DOMCTL_setdomainhandle         17
#define XEN_DOMCTL_setdebugging            18
#define XEN_DOMCTL_irq_permission          19
#define XEN_DOMCTL_iomem_permission        20
#define XEN_DOMCTL_ioport_permission       21
#define XEN_DOMCTL_hypercall_init          22
#define XEN_DOMCTL_settimeoffset           24
#define XEN_DOMCTL_getvcpuaffinity         25 /* u.vcpuaffinity */
#define XEN_DOMCTL_real_mode_area          26
#define XEN_DOMCTL_resumedomain            27 /* no argument */
#define XEN_DOMCTL_sendtrigger             28
#define XEN_DOMCTL_subscribe               29
#define XEN_DOMCTL_gethvmcontext           33
#define XEN_DOMCTL_sethvmcontext           34
#define XEN_DOMCTL_set_address_size        35 /* u.address_size */
#define XEN_DOMCTL_get_address_size        36 /* u.address_size */
#define XEN_DOMCTL_assign_device           37
#define XEN_DOMCTL_bind_pt_irq             38
#define XEN_DOMCTL_memory_mapping          39
#define XEN_DOMCTL_ioport_mapping          40
#define XEN_DOMCTL_set_ext_vcpucontext     42 /* u.ext_vcpucontext */
#define XEN_DOMCTL_get_ext_vcpucontext     43 /* u.ext_vcpucontext */
#define XEN_DOMCTL_set_opt_feature         44 /* gone */
#define XEN_DOMCTL_test_assign_device      45 /* u.assign_device */
#define XEN_DOMCTL_set_target              46
#define XEN_DOMCTL_deassign_device         47 /* u.assign_device */
#define XEN_DOMCTL_unbind_pt_irq           48
#define XEN_DOMCTL_get_device_group        50
#define XEN_DOMCTL_debug_op                54
#define XEN_DOMCTL_gethvmcontext_partial   55
#define XEN_DOMCTL_vm_event_op             56
#define XEN_DOMCTL_mem_sharing_op          57
#define XEN_DOMCTL_gettscinfo              59 /* u.tsc_info */
#define XEN_DOMCTL_settscinfo              60 /* u.tsc_info */
#define XEN_DOMCTL_getpageframeinfo3       61
#define XEN_DOMCTL_setvcpuextstate         62 /* u.vcpuextstate */
#define XEN_DOMCTL_getvcpuextstate         63 /* u.vcpuextstate */
#define XEN_DOMCTL_set_access_required     64
#define XEN_DOMCTL_audit_p2m               65
#define XEN_DOMCTL_set_virq_handler        66
#define XEN_DOMCTL_set_broken_page_p2m     67
#define XEN_DOMCTL_setnodeaffinity         68 /* u.nodeaffinity */
#define XEN_DOMCTL_getnodeaffinity         69 /* u.nodeaffinity */
#define XEN_DOMCTL_cacheflush              71
#define XEN_DOMCTL_get_vcpu_msrs           72 /* u.vcpu_msrs */
#define XEN_DOMCTL_set_vcpu_msrs           73 /* u.vcpu_msrs */
#define XEN_DOMCTL_setvnumainfo            74 /* u.vnuma */
#define XEN_DOMCTL_psr_cmt_op              75
#define XEN_DOMCTL_monitor_op              77
#define XEN_DOMCTL_psr_alloc               78
#define XEN_DOMCTL_soft_reset              79 /* no argument */
#define XEN_DOMCTL_vuart_op                81
#define XEN_DOMCTL_get_cpu_policy          82 /* u.cpu_policy */
#define XEN_DOMCTL_set_cpu_policy          83 /* u.cpu_policy */
#define XEN_DOMCTL_vmtrace_op              84
#define XEN_DOMCTL_get_paging_mempool_size 85   /* u.paging_mempool */
#define XEN_DOMCTL_set_paging_mempool_size 86   /* u.paging_mempool */
#define XEN_DOMCTL_gdbsx_guestmemio        1000 /* u.gdbsx_guest_memio */
#define XEN_DOMCTL_gdbsx_pausevcpu         1001 /* u.gdbsx_pauseunp_vcpu */
#define XEN_DOMCTL_gdbsx_unpausevcpu       1002 /* u.gdbsx_pauseunp_vcpu */
#define XEN_DOMCTL_gdbsx_domstatus         1003

/* xen_domctl_createdomain.flags */
#define _XEN_DOMCTL_CDF_hvm          0 /* fully virtual */
#define XEN_DOMCTL_CDF_hvm           (1U << _XEN_DOMCTL_CDF_hvm)
#define _XEN_DOMCTL_CDF_hap          1 /* nested paging */
#define XEN_DOMCTL_CDF_hap           (1U << _XEN_DOMCTL_CDF_hap)
#define _XEN_DOMCTL_CDF_s3_integrity 2 /* checksum its memory over suspend to RAM */
#define XEN_DOMCTL_CDF_s3_integrity  (1U << _XEN_DOMCTL_CDF_s3_integrity)
#define _XEN_DOMCTL_CDF_oos_off      3 /* no out-of-sync shadow pages */
#define XEN_DOMCTL_CDF_oos_off       (1U << _XEN_DOMCTL_CDF_oos_off)
#define _XEN_DOMCTL_CDF_xs_domain    4 /* runs xenstore */
#define XEN_DOMCTL_CDF_xs_domain     (1U << _XEN_DOMCTL_CDF_xs_domain)
#define _XEN_DOMCTL_CDF_iommu        5 /* may get devices */
#define XEN_DOMCTL_CDF_iommu         (1U << _XEN_DOMCTL_CDF_iommu)
#define _XEN_DOMCTL_CDF_nested_virt  6 /* may virtualize itself */
#define XEN_DOMCTL_CDF_nested_virt   (1U << _XEN_DOMCTL_CDF_nested_virt)
#define XEN_DOMCTL_CDF_vpmu          (1U << 7) /* performance counters */
#define XEN_DOMCTL_CDF_MAX           XEN_DOMCTL_CDF_vpmu

/* xen_domctl_createdomain.iommu_opts */
#define _XEN_DOMCTL_IOMMU_no_sharept 0
#define XEN_DOMCTL_IOMMU_no_sharept  (1U << _XEN_DOMCTL_IOMMU_no_sharept)
#define XEN_DOMCTL_IOMMU_MAX         XEN_DOMCTL_IOMMU_no_sharept

/* xen_domctl_createdomain.grant_opts: highest grant table layout the domain may choose */
#define XEN_DOMCTL_GRANT_version_mask 0xf
#define XEN_DOMCTL_GRANT_version(v)   ((v)&XEN_DOMCTL_GRANT_version_mask)

/* xen_domctl_getdomaininfo.flags; the shutdown reason is in bits 16-23 */
#define _XEN_DOMINF_dying        0
#define XEN_DOMINF_dying         (1U << _XEN_DOMINF_dying)
#define _XEN_DOMINF_hvm_guest    1
#define XEN_DOMINF_hvm_guest     (1U << _XEN_DOMINF_hvm_guest)
#define _XEN_DOMINF_shutdown     2 /* has stopped itself */
#define XEN_DOMINF_shutdown      (1U << _XEN_DOMINF_shutdown)
#define _XEN_DOMINF_paused       3 /* by the tools */
#define XEN_DOMINF_paused        (1U << _XEN_DOMINF_paused)
#define _XEN_DOMINF_blocked      4 /* all its vcpus wait for events */
#define XEN_DOMINF_blocked       (1U << _XEN_DOMINF_blocked)
#define _XEN_DOMINF_running      5 /* a vcpu is on a CPU now */
#define XEN_DOMINF_running       (1U << _XEN_DOMINF_running)
#define _XEN_DOMINF_debugged     6 /* paused for the debugger */
#define XEN_DOMINF_debugged      (1U << _XEN_DOMINF_debugged)
#define _XEN_DOMINF_xs_domain    7
#define XEN_DOMINF_xs_domain     (1U << _XEN_DOMINF_xs_domain)
#define _XEN_DOMINF_hap          8
#define XEN_DOMINF_hap           (1U << _XEN_DOMINF_hap)
#define XEN_DOMINF_shutdownmask  255
#define XEN_DOMINF_shutdownshift 16

/* xen_domctl_getdomaininfo.max_vcpu_id of a domain without vcpus */
#define XEN_INVALID_MAX_VCPU_ID (~0U)

/* getpageframeinfo3: the kind of a frame, in bits 28-31 of its element */
#define XEN_DOMCTL_PFINFO_LTAB_SHIFT    28
#define XEN_DOMCTL_PFINFO_NOTAB         (0x0U << 28) /* plain memory */
#define XEN_DOMCTL_PFINFO_L1TAB         (0x1U << 28)
#define XEN_DOMCTL_PFINFO_L2TAB         (0x2U << 28)
#define XEN_DOMCTL_PFINFO_L3TAB         (0x3U << 28)
#define XEN_DOMCTL_PFINFO_L4TAB         (0x4U << 28)
#define XEN_DOMCTL_PFINFO_LTABTYPE_MASK (0x7U << 28)
#define XEN_DOMCTL_PFINFO_LPINTAB       (0x1U << 31) /* pinned table */
#define XEN_DOMCTL_PFINFO_XTAB          (0xfU << 28) /* no such frame */
#define XEN_DOMCTL_PFINFO_XALLOC        (0xeU << 28) /* streams: allocate only */
#define XEN_DOMCTL_PFINFO_BROKEN        (0xdU << 28) /* bad memory */
#define XEN_DOMCTL_PFINFO_LTAB_MASK     (0xfU << 28)

/* xen_domctl_shadow_op.op */
#define XEN_DOMCTL_SHADOW_OP_OFF             0
#define XEN_DOMCTL_SHADOW_OP_ENABLE_TEST     1
#define XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY 2
#define XEN_DOMCTL_SHADOW_OP_CLEAN           11 /* read the dirty map and clear it */
#define XEN_DOMCTL_SHADOW_OP_PEEK            12 /* only read it */
#define XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION  30
#define XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION  31
#define XEN_DOMCTL_SHADOW_OP_ENABLE          32

/* xen_domctl_shadow_op.mode */
#define XEN_DOMCTL_SHADOW_ENABLE_REFCOUNT  (1 << 1)
#define XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY (1 << 2)
#define XEN_DOMCTL_SHADOW_ENABLE_TRANSLATE (1 << 3)
#define XEN_DOMCTL_SHADOW_ENABLE_EXTERNAL  (1 << 4)
#define XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL   (1 << 0) /* the domain runs no more */

/* xen_domctl_vcpuaffinity.flags */
#define _XEN_VCPUAFFINITY_HARD  0 /* may run there */
#define XEN_VCPUAFFINITY_HARD   (1U << _XEN_VCPUAFFINITY_HARD)
#define _XEN_VCPUAFFINITY_SOFT  1 /* prefers to */
#define XEN_VCPUAFFINITY_SOFT   (1U << _XEN_VCPUAFFINITY_SOFT)
#define _XEN_VCPUAFFINITY_FORCE 2 /* even over a temporary pin */
#define XEN_VCPUAFFINITY_FORCE  (1U << _XEN_VCPUAFFINITY_FORCE)

/* Schedulers: sched_id here and in sysctl */
#define XEN_SCHEDULER_CREDIT   5
#define XEN_SCHEDULER_CREDIT2  6
#define XEN_SCHEDULER_ARINC653 7
#define XEN_SCHEDULER_RTDS     8
#define XEN_SCHEDULER_NULL     9

/* xen_domctl_sched_rtds.flags: may use CPU time that nobody reserved */
#define _XEN_DOMCTL_SCHEDRT_extra 0
#define XEN_DOMCTL_SCHEDRT_extra  (1U << _XEN_DOMCTL_SCHEDRT_extra)

/* xen_domctl_scheduler_op.cmd */
#define XEN_DOMCTL_SCHEDOP_putinfo     0
#define XEN_DOMCTL_SCHEDOP_getinfo     1
#define XEN_DOMCTL_SCHEDOP_putvcpuinfo 2
#define XEN_DOMCTL_SCHEDOP_getvcpuinfo 3

/* xen_domctl_sendtrigger.trigger */
#define XEN_DOMCTL_SENDTRIGGER_NMI   0
#define XEN_DOMCTL_SENDTRIGGER_RESET 1
#define XEN_DOMCTL_SENDTRIGGER_INIT  2
#define XEN_DOMCTL_SENDTRIGGER_POWER 3
#define XEN_DOMCTL_SENDTRIGGER_SLEEP 4

/* xen_domctl_assign_device.dev and .flags */
#define XEN_DOMCTL_DEV_PCI         0
#define XEN_DOMCTL_DEV_DT          1
#define XEN_DOMCTL_DEV_RDM_RELAXED 1

/* add_mapping */
#define DPCI_ADD_MAPPING    1
#define DPCI_REMOVE_MAPPING 0

/* xen_domctl_debug_op.op */
#define XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_OFF 0
#define XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_ON  1

#define XEN_CPUID_INPUT_UNUSED 0xFFFFFFFF

#ifndef __ASSEMBLY__

/* Makes an empty domain, paused. xen_domctl.domain: wanted id, 0 or reserved: any; out: its id. */
struct xen_domctl_createdomain {
    uint32_t ssidref;
    xen_domain_handle_t handle;
    uint32_t flags;      /* XEN_DOMCTL_CDF_* */
    uint32_t iommu_opts; /* XEN_DOMCTL_IOMMU_* */
    uint32_t max_vcpus;
    uint32_t max_evtchn_port;    /* highest port number allowed */
    int32_t max_grant_frames;    /* negative: default */
    int32_t max_maptrack_frames; /* negative: default */
    uint32_t grant_opts;         /* XEN_DOMCTL_GRANT_* */
    uint32_t vmtrace_size;       /* bytes per vcpu, 0: none */
    uint32_t cpupool_id;
    struct xen_arch_domainconfig arch;
};
XEN_ABI_SIZE(struct xen_domctl_createdomain, 64);

struct xen_domctl_getdomaininfo {
    domid_t domain; /* the domain found: first one with at least the id asked for */
    uint16_t pad1;
    uint32_t flags; /* XEN_DOMINF_* */
    uint64_aligned_t tot_pages;
    uint64_aligned_t max_pages;
    uint64_aligned_t outstanding_pages; /* claimed, not yet allocated */
    uint64_aligned_t shr_pages;
    uint64_aligned_t paged_pages;
    uint64_aligned_t shared_info_frame;
    uint64_aligned_t cpu_time; /* ns of all its vcpus */
    uint32_t nr_online_vcpus;
    uint32_t max_vcpu_id;
    uint32_t ssidref;
    xen_domain_handle_t handle;
    uint32_t cpupool;
    uint8_t gpaddr_bits;
    uint8_t pad2[7];
    struct xen_arch_domainconfig arch_config;
};
typedef struct xen_domctl_getdomaininfo xen_domctl_getdomaininfo_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_getdomaininfo_t);
XEN_ABI_SIZE(struct xen_domctl_getdomaininfo, 112);

/* Replaces num frame numbers by XEN_DOMCTL_PFINFO_*. */
struct xen_domctl_getpageframeinfo3 {
    uint64_aligned_t num;
    XEN_GUEST_HANDLE_64(xen_pfn_t) array;
};
XEN_ABI_SIZE(struct xen_domctl_getpageframeinfo3, 16);

struct xen_domctl_shadow_op_stats {
    uint32_t fault_count;
    uint32_t dirty_count;
};
XEN_ABI_SIZE(struct xen_domctl_shadow_op_stats, 8);

/* Dirty-page logging, and the memory set aside for it. */
struct xen_domctl_shadow_op {
    uint32_t op;                             /* XEN_DOMCTL_SHADOW_OP_* */
    uint32_t mode;                           /* XEN_DOMCTL_SHADOW_* */
    uint32_t mb;                             /* *_ALLOCATION: MiB */
    XEN_GUEST_HANDLE_64(uint8) dirty_bitmap; /* bit per pfn */
    uint64_aligned_t pages;                  /* in: bits of room; out: bits there are */
    struct xen_domctl_shadow_op_stats stats; /* out */
};
XEN_ABI_SIZE(struct xen_domctl_shadow_op, 40);

struct xen_domctl_max_mem {
    uint64_aligned_t max_memkb;
};
XEN_ABI_SIZE(struct xen_domctl_max_mem, 8);

struct xen_domctl_vcpucontext {
    uint32_t vcpu;
    XEN_GUEST_HANDLE_64(vcpu_guest_context_t) ctxt;
};
XEN_ABI_SIZE(struct xen_domctl_vcpucontext, 16);

struct xen_domctl_getvcpuinfo {
    uint32_t vcpu;
    uint8_t online;
    uint8_t blocked;
    uint8_t running;
    uint64_aligned_t cpu_time; /* ns */
    uint32_t cpu;              /* where it runs or last ran */
};
XEN_ABI_SIZE(struct xen_domctl_getvcpuinfo, 24);

struct xen_domctl_nodeaffinity {
    struct xenctl_bitmap nodemap;
};
XEN_ABI_SIZE(struct xen_domctl_nodeaffinity, 16);

struct xen_domctl_vcpuaffinity {
    uint32_t vcpu;
    uint32_t flags;                   /* XEN_VCPUAFFINITY_*: which maps count */
    struct xenctl_bitmap cpumap_hard; /* in; out: what is in force */
    struct xenctl_bitmap cpumap_soft;
};
XEN_ABI_SIZE(struct xen_domctl_vcpuaffinity, 40);

struct xen_domctl_max_vcpus {
    uint32_t max;
};
XEN_ABI_SIZE(struct xen_domctl_max_vcpus, 4);

/* Share of CPU time: weight against others, cap in percent of one CPU (0: none). */
struct xen_domctl_sched_credit {
    uint16_t weight;
    uint16_t cap;
};
XEN_ABI_SIZE(struct xen_domctl_sched_credit, 4);

struct xen_domctl_sched_credit2 {
    uint16_t weight;
    uint16_t cap;
};
XEN_ABI_SIZE(struct xen_domctl_sched_credit2, 4);

/* budget microseconds in every period of that many. */
struct xen_domctl_sched_rtds {
    uint32_t period;
    uint32_t budget;
    uint32_t flags; /* XEN_DOMCTL_SCHEDRT_* */
};
XEN_ABI_SIZE(struct xen_domctl_sched_rtds, 12);

typedef struct xen_domctl_schedparam_vcpu {
    union {
        struct xen_domctl_sched_credit credit;
        struct xen_domctl_sched_credit2 credit2;
        struct xen_domctl_sched_rtds rtds;
    } u;
    uint32_t vcpuid;
} xen_domctl_schedparam_vcpu_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_schedparam_vcpu_t);
XEN_ABI_SIZE(struct xen_domctl_schedparam_vcpu, 16);

struct xen_domctl_scheduler_op {
    uint32_t sched_id; /* XEN_SCHEDULER_* */
    uint32_t cmd;      /* XEN_DOMCTL_SCHEDOP_* */
    union {
        struct xen_domctl_sched_credit credit;
        struct xen_domctl_sched_credit2 credit2;
        struct xen_domctl_sched_rtds rtds;
        struct {
            XEN_GUEST_HANDLE_64(xen_domctl_schedparam_vcpu_t) vcpus;
            uint32_t nr_vcpus; /* in: elements; out: done */
            uint32_t padding;
        } v;
    } u;
};
XEN_ABI_SIZE(struct xen_domctl_scheduler_op, 24);

struct xen_domctl_setdomainhandle {
    xen_domain_handle_t handle;
};
XEN_ABI_SIZE(struct xen_domctl_setdomainhandle, 16);

struct xen_domctl_setdebugging {
    uint8_t enable;
};
XEN_ABI_SIZE(struct xen_domctl_setdebugging, 1);

struct xen_domctl_irq_permission {
    uint32_t pirq;
    uint8_t allow_access;
    uint8_t pad[3];
};
XEN_ABI_SIZE(struct xen_domctl_irq_permission, 8);

struct xen_domctl_iomem_permission {
    uint64_aligned_t first_mfn;
    uint64_aligned_t nr_mfns;
    uint8_t allow_access;
};
XEN_ABI_SIZE(struct xen_domctl_iomem_permission, 24);

struct xen_domctl_ioport_permission {
    uint32_t first_port;
    uint32_t nr_ports;
    uint8_t allow_access;
};
XEN_ABI_SIZE(struct xen_domctl_ioport_permission, 12);

/* Writes hypercall stubs into that frame. */
struct xen_domctl_hypercall_init {
    uint64_aligned_t gmfn;
};
XEN_ABI_SIZE(struct xen_domctl_hypercall_init, 8);

struct xen_domctl_settimeoffset {
    int64_aligned_t time_offset_seconds;
};
XEN_ABI_SIZE(struct xen_domctl_settimeoffset, 8);

struct xen_domctl_address_size {
    uint32_t size; /* bits: 32 or 64 */
};
XEN_ABI_SIZE(struct xen_domctl_address_size, 4);

struct xen_domctl_sendtrigger {
    uint32_t trigger; /* XEN_DOMCTL_SENDTRIGGER_* */
    uint32_t vcpu;
};
XEN_ABI_SIZE(struct xen_domctl_sendtrigger, 8);

struct xen_domctl_assign_device {
    uint32_t dev;   /* XEN_DOMCTL_DEV_* */
    uint32_t flags; /* XEN_DOMCTL_DEV_RDM_RELAXED */
    union {
        struct {
            uint32_t machine_sbdf; /* segment, bus, device, function */
        } pci;
        struct {
            uint32_t size;
            XEN_GUEST_HANDLE_64(char) path;
        } dt;
    } u;
};
XEN_ABI_SIZE(struct xen_domctl_assign_device, 24);

struct xen_domctl_get_device_group {
    uint32_t machine_sbdf;
    uint32_t max_sdevs;
    uint32_t num_sdevs; /* out */
    XEN_GUEST_HANDLE_64(uint32) sdev_array;
};
XEN_ABI_SIZE(struct xen_domctl_get_device_group, 24);

struct xen_domctl_memory_mapping {
    uint64_aligned_t first_gfn;
    uint64_aligned_t first_mfn;
    uint64_aligned_t nr_mfns;
    uint32_t add_mapping; /* DPCI_* */
    uint32_t padding;
};
XEN_ABI_SIZE(struct xen_domctl_memory_mapping, 32);

struct xen_domctl_ioport_mapping {
    uint32_t first_gport;
    uint32_t first_mport;
    uint32_t nr_ports;
    uint32_t add_mapping; /* DPCI_* */
};
XEN_ABI_SIZE(struct xen_domctl_ioport_mapping, 16);

/* Machine-check state that moves with a vcpu. */
struct hvm_vmce_vcpu {
    uint64_t caps;
    uint64_t mci_ctl2_bank0;
    uint64_t mci_ctl2_bank1;
    uint64_t mcg_ext_ctl;
};
XEN_ABI_SIZE(struct hvm_vmce_vcpu, 32);

/* What vcpu_guest_context has no room for. */
struct xen_domctl_ext_vcpucontext {
    uint32_t vcpu;
    uint32_t size; /* set: bytes given, counted from here; get: bytes written */
    uint64_aligned_t syscall32_callback_eip;
    uint64_aligned_t sysenter_callback_eip;
    uint16_t syscall32_callback_cs;
    uint16_t sysenter_callback_cs;
    uint8_t syscall32_disables_events;
    uint8_t sysenter_disables_events;
    union {
        uint64_aligned_t mcg_cap;
        struct hvm_vmce_vcpu vmce;
    };
};
XEN_ABI_SIZE(struct xen_domctl_ext_vcpucontext, 64);

/* Makes the domain privileged over this one. */
struct xen_domctl_set_target {
    domid_t target;
};
XEN_ABI_SIZE(struct xen_domctl_set_target, 2);

struct xen_domctl_cpu_policy {
    uint32_t nr_leaves; /* in: elements; out: elements there are */
    uint32_t nr_msrs;   /* the same */
    XEN_GUEST_HANDLE_64(xen_cpuid_leaf_t) leaves;
    XEN_GUEST_HANDLE_64(xen_msr_entry_t) msrs;
    uint32_t err_leaf, err_subleaf, err_msr; /* out of set: what was refused */
};
typedef struct xen_domctl_cpu_policy xen_domctl_cpu_policy_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_cpu_policy_t);
XEN_ABI_SIZE(struct xen_domctl_cpu_policy, 40);

struct xen_domctl_subscribe {
    uint32_t port;
};
XEN_ABI_SIZE(struct xen_domctl_subscribe, 4);

struct xen_domctl_debug_op {
    uint32_t op; /* XEN_DOMCTL_DEBUG_OP_* */
    uint32_t vcpu;
};
XEN_ABI_SIZE(struct xen_domctl_debug_op, 8);

struct xen_domctl_tsc_info {
    uint32_t tsc_mode; /* 0 default, 1 always emulated, 2 never */
    uint32_t gtsc_khz;
    uint32_t incarnation;
    uint32_t pad;
    uint64_aligned_t elapsed_nsec;
};
XEN_ABI_SIZE(struct xen_domctl_tsc_info, 24);

/* Hands a global VIRQ to the domain. */
struct xen_domctl_set_virq_handler {
    uint32_t virq;
};
XEN_ABI_SIZE(struct xen_domctl_set_virq_handler, 4);

/* XSAVE state: xcr0, xcr0 ever used, then the XSAVE area. No buffer: asks for the size. */
struct xen_domctl_vcpuextstate {
    uint32_t vcpu;
    uint64_aligned_t xfeature_mask;
    uint64_aligned_t size;
    XEN_GUEST_HANDLE_64(uint64) buffer;
};
XEN_ABI_SIZE(struct xen_domctl_vcpuextstate, 32);

struct xen_domctl_paging_mempool {
    uint64_aligned_t size; /* bytes */
};
XEN_ABI_SIZE(struct xen_domctl_paging_mempool, 8);

struct xen_domctl_vcpu_msr {
    uint32_t index;
    uint32_t reserved;
    uint64_aligned_t value;
};
typedef struct xen_domctl_vcpu_msr xen_domctl_vcpu_msr_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_vcpu_msr_t);
XEN_ABI_SIZE(struct xen_domctl_vcpu_msr, 16);

struct xen_domctl_vcpu_msrs {
    uint32_t vcpu;
    uint32_t msr_count; /* in: elements; out: elements there are */
    XEN_GUEST_HANDLE_64(xen_domctl_vcpu_msr_t) msrs;
};
XEN_ABI_SIZE(struct xen_domctl_vcpu_msrs, 16);

struct xen_domctl_vnuma {
    uint32_t nr_vnodes;
    uint32_t nr_vmemranges;
    uint32_t nr_vcpus;
    uint32_t pad;
    XEN_GUEST_HANDLE_64(uint) vdistance;
    XEN_GUEST_HANDLE_64(uint) vcpu_to_vnode;
    XEN_GUEST_HANDLE_64(uint) vnode_to_pnode;
    XEN_GUEST_HANDLE_64(xen_vmemrange_t) vmemrange;
};
XEN_ABI_SIZE(struct xen_domctl_vnuma, 48);

/* domctl(this) */
struct xen_domctl {
    uint32_t cmd; /* XEN_DOMCTL_* */
    uint32_t interface_version;
    domid_t domain;
    uint16_t _pad[3];
    union {
        struct xen_domctl_createdomain createdomain;
        struct xen_domctl_getdomaininfo getdomaininfo;
        struct xen_domctl_getpageframeinfo3 getpageframeinfo3;
        struct xen_domctl_nodeaffinity nodeaffinity;
        struct xen_domctl_vcpuaffinity vcpuaffinity;
        struct xen_domctl_shadow_op shadow_op;
        struct xen_domctl_max_mem max_mem;
        struct xen_domctl_vcpucontext vcpucontext;
        struct xen_domctl_getvcpuinfo getvcpuinfo;
        struct xen_domctl_max_vcpus max_vcpus;
        struct xen_domctl_scheduler_op scheduler_op;
        struct xen_domctl_setdomainhandle setdomainhandle;
        struct xen_domctl_setdebugging setdebugging;
        struct xen_domctl_irq_permission irq_permission;
        struct xen_domctl_iomem_permission iomem_permission;
        struct xen_domctl_ioport_permission ioport_permission;
        struct xen_domctl_hypercall_init hypercall_init;
        struct xen_domctl_settimeoffset settimeoffset;
        struct xen_domctl_tsc_info tsc_info;
        struct xen_domctl_address_size address_size;
        struct xen_domctl_sendtrigger sendtrigger;
        struct xen_domctl_get_device_group get_device_group;
        struct xen_domctl_assign_device assign_device;
        struct xen_domctl_memory_mapping memory_mapping;
        struct xen_domctl_ioport_mapping ioport_mapping;
        struct xen_domctl_ext_vcpucontext ext_vcpucontext;
        struct xen_domctl_set_target set_target;
        struct xen_domctl_subscribe subscribe;
        struct xen_domctl_debug_op debug_op;
        struct xen_domctl_cpu_policy cpu_policy;
        struct xen_domctl_vcpuextstate vcpuextstate;
        struct xen_domctl_vcpu_msrs vcpu_msrs;
        struct xen_domctl_set_virq_handler set_virq_handler;
        struct xen_domctl_vnuma vnuma;
        struct xen_domctl_paging_mempool paging_mempool;
        uint8_t pad[128];
    } u;
};
typedef struct xen_domctl xen_domctl_t;
DEFINE_XEN_GUEST_HANDLE(xen_domctl_t);
XEN_ABI_SIZE(struct xen_domctl, 144);

#endif /* !__ASSEMBLY__ */
#endif

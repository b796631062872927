/* SPDX-License-Identifier: MIT */
/* Guest ABI: mca, by which the control domain's kernel collects reports of machine checks. */
#ifndef __XEN_PUBLIC_ARCH_X86_MCA_H__
#define __XEN_PUBLIC_ARCH_X86_MCA_H__

#include "../xen.h"

#define __HYPERVISOR_mca          __HYPERVISOR_arch_0
#define XEN_MCA_INTERFACE_VERSION 0x01ecc003

/* xen_mc_fetch.flags, in: which reports, or that the last one has been read */
#define XEN_MC_NONURGENT 0x0001
#define XEN_MC_URGENT    0x0002
#define XEN_MC_ACK       0x0004

/* ... and out */
#define XEN_MC_OK          0x0
#define XEN_MC_FETCHFAILED 0x1
#define XEN_MC_NODATA      0x2
#define XEN_MC_NOMATCH     0x4

/* xen_mc.cmd */
#define XEN_MC_fetch        1 /* u.mc_fetch */
#define XEN_MC_notifydomain 2
#define XEN_MC_physcpuinfo  3 /* u.mc_physcpuinfo */
#define XEN_MC_msrinject    4
#define XEN_MC_mceinject    5
#define XEN_MC_inject_v2    6

#define MC_MSRINJ_MAXMSRS  8
#define __MC_MSR_ARRAYSIZE 8

#define MC_NCAPS        7
#define MC_CAPS_STD_EDX 0 /* leaf 1, edx */
#define MC_CAPS_STD_ECX 4 /* leaf 1, ecx */

#ifndef __ASSEMBLY__

#define VIRQ_MCA VIRQ_ARCH_0 /* (G) there are reports */

struct mcinfo_msr {
    uint64_t reg;
    uint64_t value;
};
typedef struct mcinfo_msr xen_mcinfo_msr_t;
XEN_ABI_SIZE(struct mcinfo_msr, 16);

/* A physical CPU, as a report names it. */
struct mcinfo_logical_cpu {
    uint32_t mc_cpunr;
    uint32_t mc_chipid;
    uint16_t mc_coreid;
    uint16_t mc_threadid;
    uint32_t mc_apicid;
    uint32_t mc_clusterid;
    uint32_t mc_ncores;
    uint32_t mc_ncores_active;
    uint32_t mc_nthreads;
    int32_t mc_cpuid_level;
    uint32_t mc_family;
    uint32_t mc_vendor;
    uint32_t mc_model;
    uint32_t mc_step;
    char mc_vendorid[16];
    char mc_brandid[64];
    uint32_t mc_cpu_caps[MC_NCAPS];
    uint32_t mc_cache_size;
    uint32_t mc_cache_alignment;
    int32_t mc_nmsrvals;
    xen_mcinfo_msr_t mc_msrvalues[__MC_MSR_ARRAYSIZE];
};
typedef struct mcinfo_logical_cpu xen_mc_logical_cpu_t;
DEFINE_XEN_GUEST_HANDLE(xen_mc_logical_cpu_t);
XEN_ABI_SIZE(struct mcinfo_logical_cpu, 304);

struct xen_mc_fetch {
    uint32_t flags; /* XEN_MC_* */
    uint32_t _pad0;
    uint64_t fetch_id; /* out: what to acknowledge */
    XEN_GUEST_HANDLE(void) data;
};
typedef struct xen_mc_fetch xen_mc_fetch_t;
XEN_ABI_SIZE(struct xen_mc_fetch, 24);

struct xen_mc_physcpuinfo {
    uint32_t ncpus; /* in: room; out: how many there are */
    uint32_t _pad0;
    XEN_GUEST_HANDLE(xen_mc_logical_cpu_t) info; /* NULL: only count */
};
typedef struct xen_mc_physcpuinfo xen_mc_physcpuinfo_t;
XEN_ABI_SIZE(struct xen_mc_physcpuinfo, 16);

/* Errors to pretend, for tests. */
struct xen_mc_msrinject {
    uint32_t mcinj_cpunr;
    uint32_t mcinj_flags;
    uint32_t mcinj_count;
    domid_t mcinj_domid;
    uint16_t _pad0;
    xen_mcinfo_msr_t mcinj_msr[MC_MSRINJ_MAXMSRS];
};
typedef struct xen_mc_msrinject xen_mc_msrinject_t;
XEN_ABI_SIZE(struct xen_mc_msrinject, 144);

/* mca(this) */
struct xen_mc {
    uint32_t cmd;
    uint32_t interface_version;
    union {
        xen_mc_fetch_t mc_fetch;
        xen_mc_physcpuinfo_t mc_physcpuinfo;
        xen_mc_msrinject_t mc_msrinject;
    } u;
};
typedef struct xen_mc xen_mc_t;
DEFINE_XEN_GUEST_HANDLE(xen_mc_t);
XEN_ABI_SIZE(struct xen_mc, 152);

#endif /* !__ASSEMBLY__ */
#endif

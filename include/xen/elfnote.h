/* SPDX-License-Identifier: MIT */
/*
 * Guest ABI: ELF notes named "Xen" in a guest kernel, which say how it wants to be loaded and
 * started. Numbers are 4 or 8 bytes, texts end with zero. Below 0x1000000: guest kernels; from
 * there on: the hypervisor's own core dumps.
 */
#ifndef __XEN_PUBLIC_ELFNOTE_H__
#define __XEN_PUBLIC_ELFNOTE_H__

#define XEN_ELFNOTE_INFO               0  /* text: old key=value form */
#define XEN_ELFNOTE_ENTRY              1  /* number: linear address to start at */
#define XEN_ELFNOTE_HYPERCALL_PAGE     2  /* number: linear address of the page to fill */
#define XEN_ELFNOTE_VIRT_BASE          3  /* number: linear address of pseudo-physical 0 */
#define XEN_ELFNOTE_PADDR_OFFSET       4  /* number: what to take from ELF physical addresses */
#define XEN_ELFNOTE_XEN_VERSION        5  /* text: "xen-3.0" */
#define XEN_ELFNOTE_GUEST_OS           6  /* text */
#define XEN_ELFNOTE_GUEST_VERSION      7  /* text */
#define XEN_ELFNOTE_LOADER             8  /* text: "generic" */
#define XEN_ELFNOTE_PAE_MODE           9  /* text: "yes", "bimodal" ... 32-bit guests */
#define XEN_ELFNOTE_FEATURES           10 /* text: names joined by |, ! marks required ones */
#define XEN_ELFNOTE_BSD_SYMTAB         11 /* text: "yes" loads the symbol table too */
#define XEN_ELFNOTE_HV_START_LOW       12 /* number: lowest address the hypervisor may use */
#define XEN_ELFNOTE_L1_MFN_VALID       13 /* pairs mask, value: which entries hold frames */
#define XEN_ELFNOTE_SUSPEND_CANCEL     14 /* number: suspend may return 1 */
#define XEN_ELFNOTE_INIT_P2M           15 /* number: linear address for the initial p2m map */
#define XEN_ELFNOTE_MOD_START_PFN      16 /* number: module need not be mapped */
#define XEN_ELFNOTE_SUPPORTED_FEATURES 17 /* number: bit per XENFEAT_* the guest can use */
#define XEN_ELFNOTE_PHYS32_ENTRY       18 /* number: physical address of a 32-bit PVH start */
#define XEN_ELFNOTE_MAX                XEN_ELFNOTE_PHYS32_ENTRY

#define XEN_ELFNOTE_CRASH_INFO 0x1000001 /* the hypervisor's version and layout */
#define XEN_ELFNOTE_CRASH_REGS 0x1000002 /* registers of one CPU */

#define XEN_ELFNOTE_DUMPCORE_NONE           0x2000000 /* no content; marks a dump */
#define XEN_ELFNOTE_DUMPCORE_HEADER         0x2000001
#define XEN_ELFNOTE_DUMPCORE_XEN_VERSION    0x2000002
#define XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION 0x2000003

#endif

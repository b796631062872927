/* SPDX-License-Identifier: MIT */
/* Guest ABI: the CPUID leaves from 0x40000000 on, by which a guest finds the hypervisor. */
#ifndef __XEN_PUBLIC_ARCH_X86_CPUID_H__
#define __XEN_PUBLIC_ARCH_X86_CPUID_H__

/* The range may start 0x100, 0x200 ... higher where another interface is offered first. */
#define XEN_CPUID_FIRST_LEAF 0x40000000
#define XEN_CPUID_LEAF(i)    (XEN_CPUID_FIRST_LEAF + (i))

/* Leaf 0: eax the highest leaf, ebx ecx edx the text "XenVMMXenVMM". */
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4d
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566e

/* Leaf 1: eax version, major in bits 16-31, minor in bits 0-15. */

/* Leaf 2: eax number of hypercall pages, ebx MSR that fills them, ecx edx features as below. */
#define _XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD 0 /* ecx: MMU_PT_UPDATE_PRESERVE_AD works */
#define XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD  (1u << 0)

/*
 * Leaf 3, sub-leaf 0: eax bit 0 TSC emulated, bit 1 host TSC reliable, bit 2 RDTSCP present;
 * ebx the TSC mode, ecx its guest frequency in kHz, edx incarnations (migrations).
 * Sub-leaf 1: eax ebx offset, ecx multiplier, edx shift. Sub-leaf 2: eax host frequency in kHz.
 */

/* Leaf 4, fully virtual guests: eax features, ebx vcpu id, ecx domain id where flagged. */
#define XEN_HVM_CPUID_APIC_ACCESS_VIRT (1u << 0) /* APIC register accesses need no exit */
#define XEN_HVM_CPUID_X2APIC_VIRT      (1u << 1) /* x2APIC MSR accesses need no exit */
#define XEN_HVM_CPUID_IOMMU_MAPPINGS   (1u << 2) /* grant and foreign maps reach the IOMMU */
#define XEN_HVM_CPUID_VCPU_ID_PRESENT  (1u << 3) /* ebx is valid */
#define XEN_HVM_CPUID_DOMID_PRESENT    (1u << 4) /* ecx is valid */
#define XEN_HVM_CPUID_EXT_DEST_ID      (1u << 5) /* 15-bit interrupt destinations */
#define XEN_HVM_CPUID_UPCALL_VECTOR    (1u << 6) /* upcall vector per vcpu, no APIC ack */

/* Leaf 5, PV guests: ebx bits 0-7 the width in bits of machine addresses that may occur. */
#define XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK (0xffu << 0)

#define XEN_CPUID_MAX_NUM_LEAVES 5

#endif

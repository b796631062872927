/* SPDX-License-Identifier: MIT */
/* Guest ABI: feature numbers, for XENVER_get_features and for the ELF notes of a kernel. */
#ifndef __XEN_PUBLIC_FEATURES_H__
#define __XEN_PUBLIC_FEATURES_H__

#define XENFEAT_writable_page_tables       0  /* page tables can be written directly */
#define XENFEAT_writable_descriptor_tables 1  /* descriptor tables too */
#define XENFEAT_auto_translated_physmap    2  /* guest sees only pseudo-physical frames */
#define XENFEAT_supervisor_mode_kernel     3  /* guest kernel runs in ring 0 */
#define XENFEAT_pae_pgdir_above_4gb        4  /* 32-bit guest: root table anywhere */
#define XENFEAT_mmu_pt_update_preserve_ad  5  /* MMU_PT_UPDATE_PRESERVE_AD exists */
#define XENFEAT_highmem_assist             6  /* MMUEXT_CLEAR_PAGE and COPY_PAGE, 32-bit guests */
#define XENFEAT_gnttab_map_avail_bits      7  /* grant maps can set the available bits */
#define XENFEAT_hvm_callback_vector        8  /* fully virtual: upcall by vector */
#define XENFEAT_hvm_safe_pvclock           9  /* fully virtual: PV clock usable */
#define XENFEAT_hvm_pirqs                  10 /* fully virtual: pirqs by event channel */
#define XENFEAT_dom0                       11 /* kernel can be the control domain */
#define XENFEAT_memory_op_vnode_supported  13 /* XENMEMF_vnode understood */
#define XENFEAT_ARM_SMCCC_supported        14 /* Arm only */
#define XENFEAT_linux_rsdp_unrestricted    15 /* PVH Linux: ACPI root pointer anywhere */
#define XENFEAT_not_direct_mapped          16 /* pfn and machine frame differ */
#define XENFEAT_direct_mapped              17 /* pfn and machine frame are equal */

#define XENFEAT_NR_SUBMAPS 1

#endif

/* SPDX-License-Identifier: MIT */
/* The hypervisor's address space: L4 slots 256..271, which the ABI keeps from guests.
 *
 *  ffff8000'00000000  256   machine-to-phys table; guests may read it (xen/xen.h)
 *  ffff8200'00000000  260   frame table
 *  ffff8280'00000000  261   image, per-pcpu areas, mapping window: within 2 GiB of each other
 *  ffff8300'00000000  262.. direct map of all RAM, up to the end of the range
 */
#pragma once

#define HV_L4_FIRST   256
#define HV_L4_SLOTS   16
#define HV_VIRT_START 0xffff800000000000
#define HV_VIRT_END   0xffff880000000000

#define M2P_VIRT        0xffff800000000000
#define FRAMETABLE_VIRT 0xffff820000000000
#define M2P_RW_VIRT     0xffff824000000000 /* the machine-to-phys table, writable, ours */
#define IMAGE_VIRT      0xffff828000000000
#define IMAGE_PHYS      0x200000
#define IMAGE_SIZE_MAX  0x200000
#define PERCPU_VIRT     0xffff828010000000 /* 512 KiB for each pcpu */
#define PERCPU_STRIDE   0x80000
#define FIXMAP_VIRT     0xffff828020000000 /* 2 MiB: device registers, ACPI tables */
#define DIRECTMAP_VIRT  0xffff830000000000
#define DIRECTMAP_SIZE  0x0000050000000000

/* Inside a per-pcpu area. */
#define PERCPU_GDT   0x00000 /* 16 pages: 14 of the guest, the hypervisor's, one unused */
#define PERCPU_LDT   0x10000 /* 16 pages: the guest's LDT, mapped on demand */
#define PERCPU_STUB  0x20000 /* SYSCALL and SYSENTER entry of this pcpu, executable */
#define PERCPU_TSS   0x30000 /* TSS; then two pages of I/O bitmap, the same for all */
#define PERCPU_STACK 0x40000 /* 32 KiB, aligned to its size */

#define STACK_SIZE 0x8000
/* Pages of a stack block: 0 #MC, 1 NMI, 2 #DB, 3 #DF, 4 guard (not mapped), 5..7 main. */
#define STACK_GUARD_PAGE 4

/* Marks in regs->vector: how the guest came in. */
#define ENTRY_SYSCALL  0x100 /* rcx and r11 hold rip and rflags: may leave by sysret */
#define ENTRY_SYSENTER 0x101

#define TRAP_ENTRY_SIZE 16 /* bytes of code for each vector in entry.S */

/* Selectors. 0xe000 up is page 14 of the GDT; the FLAT_* ones are ABI (xen/xen.h). */
#define SEL_HV_CS64    0xe008
#define SEL_HV_DS      0xe010
#define SEL_RING3_CS32 0xe023
#define SEL_RING3_DS32 0xe02b
#define SEL_RING3_CS64 0xe033
#define SEL_TSS        0xe040
#define SEL_LDT        0xe050
#define SEL_PERCPU     0xe060 /* limit holds the pcpu number, read by lsl */

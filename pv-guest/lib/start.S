/* SPDX-License-Identifier: MIT */
/* The first instructions of a guest, and the ELF notes by which the domain builder knows how
 * to load it. The vcpu arrives in guest kernel mode with paging on, rsi pointing at the start
 * information and some stack; we take our own. */
#ifndef __ASSEMBLY__
#define __ASSEMBLY__ /* the ABI headers ask for this name */
#endif
#include <xen/elfnote.h>
#include <xen/features.h>
#include <xen/xen.h>

#define VCPU_BLOCK 0x8000

        .macro  xen_note type, payload:vararg
        .pushsection .note.Xen, "a", @note
        .balign 4
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      \payload
2:      .balign 4
        .popsection
        .endm

        xen_note XEN_ELFNOTE_GUEST_OS, .asciz "pv-guest"
        xen_note XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
        xen_note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
        xen_note XEN_ELFNOTE_LOADER, .asciz "generic"
        xen_note XEN_ELFNOTE_VIRT_BASE, .quad VIRT_BASE
        xen_note XEN_ELFNOTE_PADDR_OFFSET, .quad 0
        xen_note XEN_ELFNOTE_ENTRY, .quad _start
        xen_note XEN_ELFNOTE_FEATURES, .asciz "!writable_page_tables|pae_pgdir_above_4gb"
        xen_note XEN_ELFNOTE_SUPPORTED_FEATURES, .quad (1 << XENFEAT_writable_page_tables) | (1 << XENFEAT_dom0)
        xen_note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
        /* A present level 1 entry is one with bit 0 set: mask, value. */
        xen_note XEN_ELFNOTE_L1_MFN_VALID, .quad 1, 1
        xen_note XEN_ELFNOTE_HV_START_LOW, .quad __HYPERVISOR_VIRT_START

        .section .text.start, "ax"
        .globl  _start
_start:
        cld
        lea     boot_vcpu_block + VCPU_BLOCK(%rip), %rsp
        xor     %ebp, %ebp
        push    %rbp                    /* no return address: end of any stack walk */
        mov     %rsi, %rdi
        jmp     start_of_day

        /* Further vcpus: rsp is the top of their block, see vcpu_context(). */
        .globl  vcpu_start_asm
vcpu_start_asm:
        cld
        xor     %ebp, %ebp
        push    %rbp
        jmp     vcpu_start_c

        .section .note.GNU-stack, "", @progbits

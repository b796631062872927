/* SPDX-License-Identifier: MIT */
/* From the boot loader's 32-bit world, or a further CPU's 16-bit one, to C in long mode.
 *
 * Two page-table trees are in play. This file's covers the first 4 GiB, both where they are and at the
 * direct map's address, and the image; a CPU leaves it for the hypervisor's own tree (paging.c) as soon
 * as that exists. Nothing here is relocated: an address before paging is PHYS(symbol). */
#include <asm/layout.h>

#define PHYS(sym) ((sym) - IMAGE_VIRT + IMAGE_PHYS)

#define SEL_BOOT_CS32 0x08
#define SEL_BOOT_DS   0x10
#define SEL_BOOT_CS64 0x18

#define CR0_PE_PG     0x80000001
#define CR4_PAE       0x20
#define MSR_EFER      0xc0000080
#define EFER_LME_NXE  0x900
#define PTE_TABLE     0x03
#define PTE_2M        0x83

/* With the first tables, from 32- or 16-bit code. */
.macro ENTER_LONG_MODE to
        movl    $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    $PHYS(boot_l4), %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        rdmsr
        orl     $EFER_LME_NXE, %eax
        wrmsr
        movl    $CR0_PE_PG, %eax
        movl    %eax, %cr0
        ljmpl   $SEL_BOOT_CS64, $PHYS(\to)
.endm

        .section .head, "ax"

/* ---- Multiboot 1: the a.out form, as loaders take no 64-bit ELF ---- */
#define MB1_FLAGS 0x00010003 /* modules on page boundaries, memory map, addresses below are valid */
        .balign 4
mb1_header:
        .long   0x1badb002, MB1_FLAGS, -(0x1badb002 + MB1_FLAGS)
        .long   PHYS(mb1_header), PHYS(image_start), PHYS(load_end), PHYS(image_end)
        .long   PHYS(boot_entry)

/* ---- Multiboot 2 ---- */
        .balign 8
mb2_header:
        .long   0xe85250d6, 0, mb2_end - mb2_header
        .long   0x100000000 - (0xe85250d6 + (mb2_end - mb2_header))
        .short  1, 1                    /* if you have it: memory map, framebuffer, RSDP of either kind */
        .long   24, 6, 8, 14, 15
        .balign 8
        .short  2, 0                    /* where to load what */
        .long   24, PHYS(mb2_header), PHYS(image_start), PHYS(load_end), PHYS(image_end)
        .balign 8
        .short  3, 0                    /* entry */
        .long   12, PHYS(boot_entry)
        .balign 8
        .short  4, 1                    /* console: VGA text is understood */
        .long   12, 2
        .balign 8
        .short  5, 1                    /* frame buffer, for dom0: any */
        .long   20, 0, 0, 0
        .balign 8
        .short  6, 1                    /* modules on page boundaries */
        .long   8
        .balign 8
        .short  0, 0
        .long   8
mb2_end:

/* ---- the boot CPU: eax and ebx are the loader's, protected mode, no paging ---- */
        .code32
        .globl  boot_entry
boot_entry:
        cli
        cld
        lgdtl   PHYS(boot_gdtr)
        ljmpl   $SEL_BOOT_CS32, $PHYS(1f)
1:      movl    $SEL_BOOT_DS, %ecx
        movl    %ecx, %ds
        movl    %ecx, %es
        movl    %ecx, %ss
        movl    $PHYS(boot_stack_end), %esp
        movl    %eax, %edi
        movl    %ebx, %esi

        /* Is there long mode, with no-execute? */
        movl    $PHYS(no_long_mode), %ebp
        movl    $0x80000000, %eax
        cpuid
        cmpl    $0x80000001, %eax
        jb      give_up
        movl    $0x80000001, %eax
        cpuid
        testl   $(1 << 29), %edx
        jz      give_up
        movl    $PHYS(no_nx), %ebp
        testl   $(1 << 20), %edx
        jz      give_up

        /* The first tables: L2 entries for 4 GiB, then the way to them. */
        movl    $PHYS(boot_l2), %ebx
        movl    $PTE_2M, %eax
1:      movl    %eax, (%ebx)
        addl    $8, %ebx
        addl    $0x200000, %eax
        jnc     1b
        movl    $PHYS(boot_l2) + PTE_TABLE, %eax
        movl    $PHYS(boot_l3), %ebx
        movl    $4, %ecx
1:      movl    %eax, (%ebx)
        addl    $0x1000, %eax
        addl    $8, %ebx
        loop    1b
        movl    $PHYS(boot_l3) + PTE_TABLE, PHYS(boot_l4)
        movl    $PHYS(boot_l3) + PTE_TABLE, PHYS(boot_l4) + 8 * ((DIRECTMAP_VIRT >> 39) & 511)
        movl    $PHYS(boot_image_l3) + PTE_TABLE, PHYS(boot_l4) + 8 * ((IMAGE_VIRT >> 39) & 511)
        movl    $PHYS(boot_image_l2) + PTE_TABLE, PHYS(boot_image_l3)
        movl    $IMAGE_PHYS + PTE_2M, PHYS(boot_image_l2)

        ENTER_LONG_MODE boot_entry64

/* Say why, on the first serial line and the screen, and stop: nothing can be configured yet. */
give_up:
        movl    $0xb8000, %ebx
1:      movb    (%ebp), %al
        testb   %al, %al
        jz      3f
        movb    %al, (%ebx)
        movb    $0x0f, 1(%ebx)
        addl    $2, %ebx
        movb    %al, %ah
        movl    $10000, %ecx
        movl    $0x3fd, %edx
2:      inb     %dx, %al
        testb   $0x20, %al
        loopz   2b
        movl    $0x3f8, %edx
        movb    %ah, %al
        outb    %al, %dx
        incl    %ebp
        jmp     1b
3:      hlt
        jmp     3b

no_long_mode:
        .asciz  "Socle: this CPU has no 64-bit mode\r\n"
no_nx:
        .asciz  "Socle: this CPU can not protect pages from execution (NX)\r\n"

        .code64
boot_entry64:
        movabsq $1f, %rax
        jmpq    *%rax
1:      movl    %edi, %edi
        movl    %esi, %esi
        leaq    boot_stack_end(%rip), %rsp
        leaq    pcpus(%rip), %rax
        movq    %rax, -16(%rsp)
        leaq    -16(%rsp), %rsp
        xorl    %ebp, %ebp
        call    setup
        ud2

/* ---- further CPUs: the code up to ap_trampoline_end is copied to a page below 1 MiB ---- */
        .code16
        .globl  ap_trampoline, ap_trampoline_end
        .hidden ap_trampoline, ap_trampoline_end
ap_trampoline:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   ap_gdtr - ap_trampoline
        ENTER_LONG_MODE ap_entry64
ap_gdtr:
        .short  boot_gdt_end - boot_gdt - 1
        .long   PHYS(boot_gdt)
ap_trampoline_end:

        .code64
ap_entry64:
        movabsq $1f, %rax
        jmpq    *%rax
1:      movl    $SEL_BOOT_DS, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movq    hv_l4_paddr(%rip), %rax
        movq    %rax, %cr3
        movq    ap_stack(%rip), %rsp    /* its struct stack_top */
        xorl    %ebp, %ebp
        call    ap_start
        ud2

        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00cf9a000000ffff
        .quad   0x00cf92000000ffff
        .quad   0x00af9a000000ffff
boot_gdt_end:
boot_gdtr:
        .short  boot_gdt_end - boot_gdt - 1
        .long   PHYS(boot_gdt)

        .section .bss.page_aligned, "aw", @nobits
        .balign 4096
boot_l4:
        .skip   4096
boot_l3:
        .skip   4096
boot_image_l3:
        .skip   4096
boot_image_l2:
        .skip   4096
boot_l2:
        .skip   4 * 4096

        .section .boot_stack, "aw", @nobits
        .skip   STACK_SIZE
boot_stack_end:

        .section .note.GNU-stack, "", @progbits

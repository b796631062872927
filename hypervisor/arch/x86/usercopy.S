/* SPDX-License-Identifier: MIT */
/* The only instructions that touch guest virtual memory, and those that may fault on an operand that a
 * guest chose (MSRs, XSETBV, segment loads). Each has a recovery address in the exception table.
 * The window in which ring 0 may touch user pages (SMAP) is open around them alone, and closed on the
 * fault path too (XSA-183). */
        .macro SMAP_PATCH kind
.Lsmap\@:
        .byte   0x0f, 0x1f, 0x00
        .pushsection .smap_patch, "a"
        .quad   .Lsmap\@, \kind
        .popsection
        .endm

        .macro RECOVER from, to
        .pushsection .ex_table, "a"
        .quad   \from, \to
        .popsection
        .endm

        .macro FUNC name
        .globl  \name
        .hidden \name
        .type   \name, @function
\name:
        .endm

        .text

/* int raw_copy_guest(void *dst, const void *src, size_t n) - 0, or 1 after a fault. One of the two is
 * guest memory, whose range the caller has checked. */
FUNC raw_copy_guest
        movq    %rdx, %rcx
        shrq    $3, %rcx
        SMAP_PATCH 1
1:      rep movsq
        movl    %edx, %ecx
        andl    $7, %ecx
        jz      3f
2:      rep movsb
3:      SMAP_PATCH 0
        xorl    %eax, %eax
        ret
fault_exit:
        SMAP_PATCH 0
        movl    $1, %eax
        ret
        RECOVER 1b, fault_exit
        RECOVER 2b, fault_exit

/* int raw_clear_guest(void *dst, size_t n) */
FUNC raw_clear_guest
        movq    %rsi, %rcx
        movl    %esi, %edx
        shrq    $3, %rcx
        xorl    %eax, %eax
        SMAP_PATCH 1
1:      rep stosq
        movl    %edx, %ecx
        andl    $7, %ecx
2:      rep stosb
        SMAP_PATCH 0
        ret
        RECOVER 1b, fault_exit
        RECOVER 2b, fault_exit

/* int xsetbv_safe(uint32_t index, uint64_t v) */
FUNC xsetbv_safe
        movl    %edi, %ecx
        movl    %esi, %eax
        movq    %rsi, %rdx
        shrq    $32, %rdx
1:      xsetbv
        xorl    %eax, %eax
        ret
        RECOVER 1b, efault_exit
efault_exit:
        movl    $-14, %eax
        ret

/* int load_ds(uint16_t sel) and so on: a selector that does not load leaves the null selector. */
        .macro LOAD_SEG name reg
FUNC load_\name
1:      movl    %edi, %\reg
        xorl    %eax, %eax
        ret
2:      xorl    %edi, %edi
        movl    %edi, %\reg
        movl    $1, %eax
        ret
        RECOVER 1b, 2b
        .endm
        LOAD_SEG ds, ds
        LOAD_SEG es, es
        LOAD_SEG fs, fs

/* The user GS selector belongs to the inactive base: load it between two swapgs. */
FUNC load_gs_user
        swapgs
1:      movl    %edi, %gs
        swapgs
        xorl    %eax, %eax
        ret
2:      xorl    %edi, %edi
        movl    %edi, %gs
        swapgs
        movl    $1, %eax
        ret
        RECOVER 1b, 2b
        LOAD_SEG gs, gs

/* int fpu_restore(const void *area, uint64_t mask): XRSTOR (mask not 0) or FXRSTOR of a state that a
 * control tool may have supplied (XSA-53). */
FUNC fpu_xrstor
        movl    %esi, %eax
        movq    %rsi, %rdx
        shrq    $32, %rdx
1:      xrstor64 (%rdi)
        xorl    %eax, %eax
        ret
        RECOVER 1b, efault_exit
FUNC fpu_fxrstor
1:      fxrstor64 (%rdi)
        xorl    %eax, %eax
        ret
        RECOVER 1b, efault_exit

        .section .note.GNU-stack, "", @progbits

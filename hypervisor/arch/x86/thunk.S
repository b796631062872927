/* SPDX-License-Identifier: MIT */
/* Retpolines: where the compiler would jump through a register it calls one of these, which jump by
 * a return whose speculated target is the harmless loop (CVE-2017-5715). */
        .section .text.thunk, "ax"

.macro THUNK reg
        .balign 16
        .globl  __x86_indirect_thunk_\reg
        .hidden __x86_indirect_thunk_\reg
__x86_indirect_thunk_\reg:
        call    2f
1:      pause
        lfence
        jmp     1b
2:      movq    %\reg, (%rsp)
        ret
.endm

        .irp    reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        THUNK   \reg
        .endr

        .section .note.GNU-stack, "", @progbits

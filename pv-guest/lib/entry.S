/* SPDX-License-Identifier: MIT */
/* The ways into the guest kernel (exceptions, events, system calls) and the way out.
 *
 * The hypervisor arrives with, from the stack pointer upwards:
 *     rcx, r11, [error code,] rip, cs, rflags, rsp, ss
 * on the interrupted stack, or from user mode on the stack of stack_switch. The word of cs
 * holds the upcall mask from before in bits 32..39. Every stub turns that into a struct
 * trap_regs (<pv/trap.h>) and calls trap_dispatch(regs), which says how to go back:
 *   1  by iretq: we came from kernel mode and the upcall mask does not change;
 *   0  by the iret hypercall, which sets mask, stack and mode in one step. */
#ifndef __ASSEMBLY__
#define __ASSEMBLY__ /* the ABI headers ask for this name */
#endif
#include <xen/xen.h>

#define REGS_AFTER_GPRS (15 * 8)

        .text

        .macro  stub name, vector, has_error
        .globl  \name
        .balign 16
\name:
        pop     %rcx
        pop     %r11
        .if     \has_error == 0
        push    $0
        .endif
        push    $\vector
        jmp     entry_common
        .endm

        .macro  exception vector, has_error
        stub    entry_vector_\vector, \vector, \has_error
        .pushsection .rodata
        .quad   entry_vector_\vector
        .popsection
        .endm

        /* entry_vectors[32]: the stub of each exception. */
        .pushsection .rodata
        .balign 8
        .globl  entry_vectors
entry_vectors:
        .popsection
        .irp    v, 0, 1, 2, 3, 4, 5, 6, 7
        exception \v, 0
        .endr
        exception 8, 1
        exception 9, 0
        .irp    v, 10, 11, 12, 13, 14
        exception \v, 1
        .endr
        exception 15, 0
        exception 16, 0
        exception 17, 1
        .irp    v, 18, 19, 20
        exception \v, 0
        .endr
        exception 21, 1
        .irp    v, 22, 23, 24, 25, 26, 27, 28
        exception \v, 0
        .endr
        exception 29, 1
        exception 30, 1
        exception 31, 0

        stub    entry_int80, 0x80, 0
        stub    entry_syscall, 256, 0
        stub    entry_event, 257, 0
        stub    entry_sysenter, 259, 0

        /* Failsafe: ds, es, fs, gs lie between r11 and rip. */
        .globl  entry_failsafe
entry_failsafe:
        pop     %rcx
        pop     %r11
        add     $32, %rsp
        push    $0
        push    $258
        jmp     entry_common

        .balign 16
entry_common:
        push    %rdi
        push    %rsi
        push    %rdx
        push    %rcx
        push    %rax
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        cld
        mov     %rsp, %rdi
        mov     %rsp, %rbx
        and     $-16, %rsp
        call    trap_dispatch
        mov     %rbx, %rsp
        movzbl  %al, %eax
        mov     %eax, 15 * 8(%rsp)      /* the vector's place: how to return */

        /* Continue the context at rsp: a struct trap_regs whose vector tells how. */
        .globl  trap_resume
trap_resume:
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rax
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
        cmpl    $0, (%rsp)
        lea     16(%rsp), %rsp          /* over vector and error; keeps the flags */
        je      1f
        orb     $3, 8(%rsp)             /* cs: guest kernel mode is really ring 3 */
        iretq
1:      push    $0                      /* struct iret_context: flags, rcx, r11, rax */
        push    %rcx
        push    %r11
        push    %rax
        mov     $__HYPERVISOR_iret, %eax
        syscall
        ud2

        /* int fault_arm(struct fault_catch *c): rdi. Offsets as in <pv/trap.h>. */
        .globl  fault_arm
fault_arm:
        mov     %rbx, 0(%rdi)
        mov     %rbp, 8(%rdi)
        mov     %r12, 16(%rdi)
        mov     %r13, 24(%rdi)
        mov     %r14, 32(%rdi)
        mov     %r15, 40(%rdi)
        mov     (%rsp), %rax
        lea     8(%rsp), %rcx
        mov     %rcx, 48(%rdi)
        mov     %rax, 56(%rdi)
        jmp     fault_arm_c             /* returns 0 to our caller */

        /* void user_enter(uint64_t *kernel_rsp, struct trap_regs *to)
         * Leaves the kernel for user mode; comes back when user_leave(rsp) is called. */
        .globl  user_enter
user_enter:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, (%rdi)
        sub     $(22 * 8), %rsp         /* a copy of *to, to be consumed by trap_resume */
        mov     %rsp, %rdi
        mov     $22, %ecx
        rep movsq
        jmp     trap_resume

        .globl  user_leave
user_leave:
        mov     %rdi, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

        .section .note.GNU-stack, "", @progbits

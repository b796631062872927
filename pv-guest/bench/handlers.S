/* SPDX-License-Identifier: MIT */
/* The shortest handlers that a guest kernel can have, so that the figures are the
 * hypervisor's. Frame on entry: rcx, r11, [error,] rip, cs, rflags, rsp, ss. */
#ifndef __ASSEMBLY__
#define __ASSEMBLY__ /* the ABI headers ask for this name */
#endif
#include <xen/xen.h>

        .text

        /* Return through the iret hypercall; rsp at rip, rcx and r11 restored. */
        .macro  iret_hypercall
        push    $0
        push    %rcx
        push    %r11
        push    %rax
        mov     $__HYPERVISOR_iret, %eax
        syscall
        .endm

        /* System call or int 0x80 from user mode: straight back. */
        .globl  bench_user_entry
bench_user_entry:
        pop     %rcx
        pop     %r11
        iret_hypercall

        /* System call that leaves the user program: hand over to the library. */
        .globl  bench_user_syscall
bench_user_syscall:
        test    %eax, %eax
        jz      bench_user_entry
        jmp     entry_syscall

        /* Page fault: go on at the address in rdx. */
        .globl  bench_fault_skip
bench_fault_skip:
        pop     %rcx
        pop     %r11
        add     $8, %rsp
        mov     %rdx, (%rsp)
        iret_hypercall

        /* Page fault: map it (update_va_mapping(rdi, rsi, rdx), loaded by whoever faults). */
        .globl  bench_fault_map
bench_fault_map:
        pop     %rcx
        pop     %r11
        add     $8, %rsp
        push    %rax
        push    %rcx
        push    %r11
        mov     $__HYPERVISOR_update_va_mapping, %eax
        syscall
        pop     %r11
        pop     %rcx
        pop     %rax
        iret_hypercall

        /* Event: note the time, clear "pending" of vcpu 0 and the selector. */
        .globl  bench_event
bench_event:
        pop     %rcx
        pop     %r11
        push    %rax
        push    %rdx
        rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, bench_event_tsc(%rip)
        mov     shared_info(%rip), %rax
        movb    $0, (%rax)
        movq    $0, 8(%rax)
        pop     %rdx
        pop     %rax
        iret_hypercall

        /* The user programs: what to time, in a loop as long as the table is (r12 samples to
         * r13), then system call 1 to leave. */
        .macro  user_program name, insn:vararg
        .pushsection .user, "ax"
        .globl  \name, \name\()_end
\name:
1:      rdtsc
        mov     %eax, %ebx
        xor     %eax, %eax
        \insn
        rdtsc
        sub     %ebx, %eax
        mov     %eax, (%r13)
        add     $8, %r13
        dec     %r12
        jnz     1b
        mov     $1, %eax
        syscall
\name\()_end:
        .popsection
        .endm

        user_program bench_user_nothing, nop
        user_program bench_user_do_syscall, syscall
        user_program bench_user_do_int80, int $0x80

        .bss
        .balign 8
        .globl  bench_event_tsc
bench_event_tsc:
        .quad   0

        .section .note.GNU-stack, "", @progbits

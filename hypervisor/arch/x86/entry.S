/* SPDX-License-Identifier: MIT */
/* Every way into the hypervisor, and the single way out to a guest.
 *
 * From a guest (ring 3) the first stack is the end of its vcpu's saved registers: TSS.rsp0, which the
 * SYSCALL stubs load too. So pushing a register *is* saving it into struct vcpu. When all are saved,
 * %rbx points at them and %rsp at the base of the pcpu's stack, where struct stack_top lies.
 * From ring 0 (an interrupt or a recoverable fault inside the hypervisor) the frame is pushed on the
 * stack in use and popped again.
 *
 * The order on each way in from a guest is the same: save registers, clear the flags that the guest
 * chose, stack, then anything else. Interrupts are off until then. */
#include <asm/offsets.h>
#include <asm/layout.h>

        .section .text.entry, "ax"

.macro PUSH_GPRS
        pushq   %rdi
        pushq   %rsi
        pushq   %rdx
        pushq   %rcx
        pushq   %rax
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
.endm

.macro POP_GPRS
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rax
        popq    %rcx
        popq    %rdx
        popq    %rsi
        popq    %rdi
.endm

/* Three bytes which become stac or clac on CPUs with SMAP. */
.macro SMAP_PATCH kind
.Lsmap\@:
        .byte   0x0f, 0x1f, 0x00
        .pushsection .smap_patch, "a"
        .quad   .Lsmap\@, \kind
        .popsection
.endm

/* Registers are saved at %rsp, on a stack of ring 0: call fn(regs) and return to what was interrupted. */
.macro RING0_CALL fn
        movq    %rsp, %rdi
        movq    %rsp, %rbp
        andq    $-16, %rsp
        call    \fn
        movq    %rbp, %rsp
        POP_GPRS
        addq    $8, %rsp
        iretq
.endm

/* Registers are saved at %rsp: take the pcpu's stack. */
.macro ENTER_FROM_GUEST
        movq    %rsp, %rbx
        movq    V_stack(%rbx), %rsp
.endm

.macro SYSCALL_FROM_GUEST cs, entry
        pushq   %r11
        pushq   $\cs
        pushq   %rcx
        pushq   $0
        movl    $\entry, 4(%rsp)
        PUSH_GPRS
        ENTER_FROM_GUEST
.endm

/* ---- SYSCALL ------------------------------------------------------------------------------------
 * The stub of this pcpu has switched to the register area and pushed ss and rsp. SYSCALL has cleared
 * the flags in MSR_SYSCALL_MASK (AC and DF among them) and left rip in rcx, rflags in r11. */
        .globl  syscall_entry
syscall_entry:
        SYSCALL_FROM_GUEST SEL_RING3_CS64, ENTRY_SYSCALL
        testb   $1, V_in_kernel(%rbx)
        jz      user_syscall
        sti

        /* A hypercall: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9. */
        movq    %r10, %rcx
        cmpq    $NR_HYPERCALLS, %rax
        jae     unknown_hypercall
        leaq    hypercall_table(%rip), %r10
        movq    (%r10,%rax,8), %rax
        call    __x86_indirect_thunk_rax
hypercall_done:
        movq    %rax, REGS_rax(%rbx)

/* ---- the way out --------------------------------------------------------------------------------
 * %rsp: base of the pcpu's stack; %rbx: saved registers of the vcpu that runs here. */
        .globl  exit_to_guest
exit_to_guest:
        cli
exit_to_guest_irqs_off:
        movq    (%rsp), %rax
        cmpl    $0, PCPU_softirq_pending(%rax)
        jne     run_softirqs
        movq    V_info(%rbx), %rax
        cmpb    $0, INFO_upcall_mask(%rax)
        jne     1f
        cmpb    $0, INFO_upcall_pending(%rax)
        jne     deliver_event
1:      cmpb    $0, V_nmi_pending(%rbx)
        jne     deliver_nmi

restore_guest:
        movq    %rbx, %rsp
        cmpl    $ENTRY_SYSCALL, REGS_vector(%rsp)
        jne     restore_by_iret
        /* SYSRET faults in ring 0 if rip is not canonical: those leave by iretq (XSA-7). */
        movq    REGS_rip(%rsp), %rcx
        movq    %rcx, %rax
        shlq    $16, %rax
        sarq    $16, %rax
        cmpq    %rcx, %rax
        jne     restore_by_iret
        POP_GPRS
        movq    REGS_rip - REGS_error_code(%rsp), %rcx
        movq    REGS_rflags - REGS_error_code(%rsp), %r11
        movq    REGS_rsp - REGS_error_code(%rsp), %rsp
        sysretq

restore_by_iret:
        POP_GPRS
        addq    $8, %rsp
        .globl  guest_iretq
guest_iretq:
        iretq

unknown_hypercall:
        movq    %rax, %rdi
        call    hypercall_unknown
        jmp     hypercall_done

user_syscall:
        movq    %rbx, %rdi
        call    bounce_user_syscall
        jmp     exit_to_guest

run_softirqs:
        sti
        call    softirq_run
        jmp     exit_to_guest

deliver_event:
        movq    %rbx, %rdi
        call    bounce_event
        jmp     exit_to_guest_irqs_off

deliver_nmi:
        cmpb    $0, V_nmi_pending + 1(%rbx)
        jne     restore_guest
        movq    %rbx, %rdi
        call    bounce_nmi
        jmp     exit_to_guest_irqs_off

/** enter_guest(struct cpu_regs *regs) - leave the hypervisor's C code for good and run the guest whose
 * registers these are; the stack is taken from its top. */
        .globl  enter_guest
enter_guest:
        movq    %rdi, %rbx
        movq    V_stack(%rbx), %rsp
        jmp     exit_to_guest

/** stack_restart(void (*fn)(void)) - run fn at the base of this pcpu's stack; does not return. */
        .globl  stack_restart
stack_restart:
        movq    %rsp, %rax
        orq     $(STACK_SIZE - 1), %rax
        leaq    1 - STACK_TOP_SIZE(%rax), %rsp
        movq    %rdi, %rax
        call    __x86_indirect_thunk_rax
        ud2

/* ---- 32-bit SYSCALL, SYSENTER -------------------------------------------------------------------
 * There are no 32-bit guest kernels here; 32-bit user programs may use both instructions. SYSENTER
 * leaves nothing to return by: rip is reported as 0 (the ABI lets the guest kernel know the address). */
        .globl  cstar_entry
cstar_entry:
        SYSCALL_FROM_GUEST SEL_RING3_CS32, ENTRY_SYSENTER
        movq    %rbx, %rdi
        call    bounce_syscall32
        jmp     exit_to_guest

        .globl  sysenter_entry
sysenter_entry:
        pushfq                          /* IF was cleared by the instruction; NT, TF, AC, DF were not */
        orl     $0x200, (%rsp)
        pushq   $SEL_RING3_CS64
        pushq   $0
        pushq   $0
        movl    $ENTRY_SYSENTER, 4(%rsp)
        PUSH_GPRS
        ENTER_FROM_GUEST
        pushq   $2
        popfq                           /* a set TF traps at most once: #DB has its own stack */
        movq    %rbx, %rdi
        call    bounce_sysenter
        jmp     exit_to_guest

/* ---- exceptions and interrupts ------------------------------------------------------------------
 * Entry n pushes an error code if the CPU has not, and marks the vector above it. */
.macro TRAP_COMMON handler, ring0 = trap_ring0
        PUSH_GPRS
        cld
        SMAP_PATCH 0
        testb   $3, REGS_cs(%rsp)
        jz      \ring0
        ENTER_FROM_GUEST
        movq    %rbx, %rdi
        call    \handler
        jmp     exit_to_guest
.endm

trap_common:
        TRAP_COMMON guest_trap
page_fault:
        TRAP_COMMON guest_page_fault
int80:
        TRAP_COMMON guest_int80

trap_ring0:
        leaq    guest_iretq(%rip), %rax
        cmpq    %rax, REGS_rip(%rsp)
        je      exit_fault
        RING0_CALL ring0_trap

/* The final iretq refused what the guest had asked to return to. Its frame is still in place, the
 * fault's own frame lies below it in struct vcpu (fault_room): the registers that had been restored
 * are there. */
exit_fault:
        movq    REGS_rsp(%rsp), %rbx
        subq    $REGS_rip, %rbx
        movq    %rsp, %rsi
        movq    V_stack(%rbx), %rsp
        movq    %rbx, %rdi
        call    guest_exit_fault
        jmp     exit_to_guest

irq_common:
        TRAP_COMMON irq_dispatch, irq_ring0
irq_ring0:
        RING0_CALL irq_dispatch

/* #DB, NMI, #DF and #MC have stacks of their own, as they may arrive at any instruction, those of the
 * entry code included. From a guest, the frame is moved to where every other entry saves it. */
ist_common:
        PUSH_GPRS
        cld
        SMAP_PATCH 0
        testb   $3, REGS_cs(%rsp)
        jz      ist_ring0
        movq    %rsp, %rsi
        movq    %rsp, %rax
        orq     $(STACK_SIZE - 1), %rax
        movq    1 - STACK_TOP_SIZE(%rax), %rax  /* struct pcpu */
        movq    PCPU_current(%rax), %rbx
        leaq    VCPU_regs(%rbx), %rbx
        movq    %rbx, %rdi
        movl    $(REGS_SIZE / 8), %ecx
        rep movsq
        movq    V_stack(%rbx), %rsp
        movq    %rbx, %rdi
        call    guest_trap
        jmp     exit_to_guest

ist_ring0:
        RING0_CALL ring0_ist_trap

/* The 256 entry points. */
.macro TRAP_ENTRY n
        .balign TRAP_ENTRY_SIZE
        .if     !(\n == 8 || (\n >= 10 && \n <= 14) || \n == 17 || \n == 21 || \n == 29 || \n == 30)
        pushq   $0
        .endif
        movl    $\n, 4(%rsp)
        .if     \n == 1 || \n == 2 || \n == 8 || \n == 18
        jmp     ist_common
        .elseif \n == 14
        jmp     page_fault
        .elseif \n == 0x80
        jmp     int80
        .elseif \n < 32
        jmp     trap_common
        .else
        jmp     irq_common
        .endif
.endm

        .balign TRAP_ENTRY_SIZE
        .globl  entry_points
entry_points:
        .set    vec, 0
        .altmacro
        .rept   256
        TRAP_ENTRY %vec
        .set    vec, vec + 1
        .endr
        .noaltmacro

        .section .note.GNU-stack, "", @progbits

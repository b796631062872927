/* SPDX-License-Identifier: MIT */
/* The registers of an interrupted context, as the entry code pushes them. */
#pragma once

#include <hv/types.h>

struct cpu_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code;
    uint32_t vector; /* TRAP_*, VECTOR_*, or ENTRY_* */
    uint64_t rip;
    uint64_t cs; /* low 16 bits */
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};
_Static_assert(sizeof(struct cpu_regs) == 168, "entry.S pushes 21 words");

static inline bool regs_guest_mode(const struct cpu_regs *r)
{
    return (r->cs & 3) == 3;
}

#define X86_EFLAGS_CF   0x00000001
#define X86_EFLAGS_MBS  0x00000002 /* always one */
#define X86_EFLAGS_PF   0x00000004
#define X86_EFLAGS_AF   0x00000010
#define X86_EFLAGS_ZF   0x00000040
#define X86_EFLAGS_SF   0x00000080
#define X86_EFLAGS_TF   0x00000100
#define X86_EFLAGS_IF   0x00000200
#define X86_EFLAGS_DF   0x00000400
#define X86_EFLAGS_OF   0x00000800
#define X86_EFLAGS_IOPL 0x00003000
#define X86_EFLAGS_NT   0x00004000
#define X86_EFLAGS_RF   0x00010000
#define X86_EFLAGS_VM   0x00020000
#define X86_EFLAGS_AC   0x00040000

#define TRAP_DB  1
#define TRAP_NMI 2
#define TRAP_BP  3
#define TRAP_OF  4
#define TRAP_UD  6
#define TRAP_NM  7
#define TRAP_DF  8
#define TRAP_TS  10
#define TRAP_NP  11
#define TRAP_SS  12
#define TRAP_GP  13
#define TRAP_PF  14
#define TRAP_AC  17
#define TRAP_MC  18

#define PFEC_P    1 /* page fault error code: protection violation, not absence */
#define PFEC_W    2
#define PFEC_U    4
#define PFEC_RSVD 8
#define PFEC_I    16

/* SPDX-License-Identifier: MIT */
/* The emulator's decoder: bytes of 64-bit mode in, a description out, for a small whitelist of
 * instructions. Pure functions; what they compute never depends on anything but their arguments. */
#pragma once

#include <asm/regs.h>

#define INSN_MAX_LENGTH 15

enum insn_op {
    INSN_NONE,

    /* Stores to memory: dst is always the memory operand. */
    INSN_MOV, /* movnti too */
    INSN_ADD,
    INSN_OR,
    INSN_ADC,
    INSN_SBB,
    INSN_AND,
    INSN_SUB,
    INSN_XOR,
    INSN_NOT,
    INSN_NEG,
    INSN_INC,
    INSN_DEC,
    INSN_BTS,
    INSN_BTR,
    INSN_BTC,
    INSN_XCHG,
    INSN_XADD,
    INSN_CMPXCHG,
    INSN_CMPXCHG8B, /* size 8: edx:eax against, ecx:ebx in */

    /* Privileged or sensitive. */
    INSN_IN,  /* size 1, 2, 4; src is INSN_SRC_IMM (port in imm) or INSN_SRC_DX */
    INSN_OUT, /* likewise */
    INSN_INS, /* string, port in dx */
    INSN_OUTS,
    INSN_CLI,
    INSN_STI,
    INSN_CLTS,
    INSN_SMSW,        /* register rm */
    INSN_MOV_FROM_CR, /* gpr rm = cr reg; size 8 */
    INSN_MOV_TO_CR,   /* cr reg = gpr rm */
    INSN_MOV_FROM_DR,
    INSN_MOV_TO_DR,
    INSN_RDMSR,
    INSN_WRMSR,
    INSN_RDTSC,
    INSN_RDTSCP,
    INSN_INVLPG, /* memory operand: its address */
    INSN_INVD,
    INSN_WBINVD,
    INSN_XSETBV,
};

enum insn_src {
    INSN_SRC_NONE,
    INSN_SRC_REG, /* register reg (and reg_high) */
    INSN_SRC_IMM, /* imm, sign-extended to 64 bits */
    INSN_SRC_DX,
};

#define INSN_NO_REG 0xff

struct insn_mem {
    uint8_t base, index; /* 0..15 or INSN_NO_REG */
    uint8_t scale;       /* 1, 2, 4, 8 */
    bool rip_relative;
    int64_t disp; /* whole: 64 bits for the moffs forms */
};

struct insn {
    enum insn_op op;
    uint8_t length; /* bytes, 1..15 */
    uint8_t size;   /* of the operand: 1, 2, 4, 8; 0 where there is none */
    bool rep;       /* string instructions only */
    enum insn_src src;
    bool has_mem;    /* mem is valid; otherwise a modrm operand is register rm */
    bool bit_string; /* bts/btr/btc with a register: its bits beyond the word move the address */
    bool reg_high;   /* reg is ah, ch, dh, bh (numbers 0..3) */
    uint8_t reg, rm; /* 0..15 */
    struct insn_mem mem;
    uint64_t imm;
};

/** insn_decode - decode one instruction of 64-bit mode
 * @bytes, @len  what could be fetched, 0..15 bytes (more is not looked at)
 * @insn  out, written only on success
 * Returns 0; -EOPNOTSUPP not on the whitelist, or not a legal encoding; -EFAULT the bytes end
 * before the instruction does; -E2BIG it is longer than 15 bytes. In every such case the guest gets
 * the fault it would have got without an emulator. */
int insn_decode(const uint8_t *bytes, size_t len, struct insn *insn);

/** insn_size_mask - the bits of an operand of @size bytes, 1 to 8. */
static inline uint64_t insn_size_mask(unsigned int size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/** regs_gpr - general register @n, in the hardware's numbering. */
extern const uint8_t regs_gpr_offset[16];
static inline uint64_t *regs_gpr(struct cpu_regs *regs, unsigned int n)
{
    return (uint64_t *)((char *)regs + regs_gpr_offset[n & 15]);
}

/** insn_address - linear address of the memory operand (mem, or the moved word for bit_string), if the
 * instruction is the one at @regs->rip. All 64 bits are kept; the caller checks for canonical form and
 * range. Needs has_mem. */
uint64_t insn_address(const struct insn *insn, struct cpu_regs *regs);

/** insn_source - value of the source operand, zero-extended from the operand size
 * For bit instructions: the bit's number within the operand. Needs a size. */
uint64_t insn_source(const struct insn *insn, struct cpu_regs *regs);

/** insn_reg_set - a register by size; a 4-byte write clears the upper half. */
void insn_reg_set(struct cpu_regs *regs, unsigned int reg, bool high, unsigned int size,
                  uint64_t val);

#define INSN_FLAGS_ARITH                                                                           \
    (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/** insn_alu - new value of the destination of INSN_MOV .. INSN_CMPXCHG8B
 * @dst, @src  operands, only the low @size bytes count (bit instructions: @src as insn_source())
 * @acc        accumulator, read by the cmpxchg forms only: dst == acc ? src : dst, ZF says which
 * @flags      rflags, in and out; bits other than INSN_FLAGS_ARITH are kept. AF after a logical
 *             operation, undefined on paper, is cleared as processors do.
 * Returns the value zero-extended from @size (1, 2, 4, 8). Registers that an instruction also
 * writes (xchg, xadd: the old @dst; failed cmpxchg: the accumulator) are the caller's. */
uint64_t insn_alu(enum insn_op op, uint64_t dst, uint64_t src, uint64_t acc, unsigned int size,
                  uint64_t *flags);

/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as an instruction. What decodes must be well formed, must not depend on bytes
 * beyond its end, and must be computable with any registers. */
#include <asm/decode.h>
#include <hv/errno.h>
#include <hv/lib.h>

#include <stdlib.h>

static void check(const struct insn *i, size_t len)
{
    if (i->length == 0 || i->length > INSN_MAX_LENGTH || i->length > len)
        abort();
    if (i->op <= INSN_NONE || i->op > INSN_XSETBV || i->reg > 15 || i->rm > 15)
        abort();
    if (i->size != 0 && i->size != 1 && i->size != 2 && i->size != 4 && i->size != 8)
        abort();
    if (i->op >= INSN_MOV && i->op <= INSN_CMPXCHG8B && (!i->has_mem || !i->size))
        abort();
    if (i->reg_high && (i->size != 1 || i->reg > 3))
        abort();
}

static void compute(const struct insn *i, const uint8_t *data, size_t size)
{
    struct cpu_regs regs = {0};
    uint64_t flags = data[size - 1], val;

    for (size_t n = 0; n < size && n < sizeof(regs); n++)
        ((uint8_t *)&regs)[n] = data[size - 1 - n];
    if (i->has_mem)
        (void)insn_address(i, &regs);
    if (i->size == 0)
        return;
    val = insn_alu(i->op, regs.rbp, insn_source(i, &regs), regs.rax, i->size, &flags);
    if (val & ~insn_size_mask(i->size))
        abort();
    insn_reg_set(&regs, i->reg, i->reg_high, i->size, val);
    if ((*regs_gpr(&regs, i->reg) >> (i->reg_high ? 8 : 0) & insn_size_mask(i->size)) != val)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct insn insn, again;
    uint8_t *exact;

    if (size == 0 || insn_decode(data, size, &insn))
        return 0;
    check(&insn, size);
    compute(&insn, data, size);

    exact = malloc(insn.length);
    memcpy(exact, data, insn.length);
    if (insn_decode(exact, insn.length, &again) || again.length != insn.length ||
        again.op != insn.op || again.imm != insn.imm || again.mem.disp != insn.mem.disp)
        abort();
    if (insn_decode(exact, insn.length - 1u, &again) != -EFAULT)
        abort();
    free(exact);
    return 0;
}

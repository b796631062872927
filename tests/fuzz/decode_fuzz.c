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
    if (i->op <= INSN_NONE || i->op >= INSN_NR_OPS || i->reg > 15 || i->rm > 15)
        abort();
    if (i->size != 0 && i->size != 1 && i->size != 2 && i->size != 4 && i->size != 8)
        abort();
    if (i->op >= INSN_MOV && i->op <= INSN_CMPXCHG8B && (!i->has_mem || !i->size))
        abort();
    if (i->reg_high && (i->size != 1 || i->reg > 3))
        abort();
    if (i->lock && (i->op < INSN_ADD || i->op > INSN_CMPXCHG8B))
        abort();
}

static void compute(const struct insn *i, const uint8_t *data, size_t size)
{
    uint64_t gpr[16] = {0}, flags = data[size - 1], val;

    for (size_t n = 0; n < size && n < sizeof(gpr); n++)
        ((uint8_t *)gpr)[n] = data[size - 1 - n];
    if (i->has_mem)
        (void)insn_address(i, gpr, gpr[3], gpr[4]);
    val = insn_source(i, gpr);
    if (i->size == 0)
        return;
    val = insn_alu(i->op, gpr[5], val, gpr[0], i->size, &flags);
    if (i->size < 8 && val >> (8 * i->size))
        abort();
    insn_reg_set(gpr, i->reg, i->reg_high, i->size, val);
    if (insn_reg_get(gpr, i->reg, i->reg_high, i->size) != val)
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

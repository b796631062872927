/* SPDX-License-Identifier: MIT */
/* Decodes the few instructions that the hypervisor finishes for a guest (Intel SDM volume 2, AMD
 * APM volume 3). The bytes are the guest's and may be anything; what is not on the list, or is
 * encoded in a way that processors refuse or read in different ways, is not ours: the guest
 * gets its fault. */
#include <asm/decode.h>

#include <hv/lib.h>

struct state {
    const uint8_t *bytes;
    size_t len;
    unsigned int pos;
    int err;     /* the first thing that went wrong; checked once, at the end */
    uint8_t rex; /* 0: none */
    uint8_t rep; /* 0, 0xf2, 0xf3 */
    bool opsize, lock;
    uint8_t opcode; /* its last byte */
    struct insn i;
};

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

static void refuse(struct state *s, int err)
{
    if (!s->err)
        s->err = err;
}

static void refuse_if(struct state *s, bool illegal)
{
    if (illegal)
        refuse(s, -EOPNOTSUPP);
}

/* ---- Fetching: after an error everything reads as 0 ---- */

static uint8_t fetch(struct state *s)
{
    if (s->pos == INSN_MAX_LENGTH)
        refuse(s, -E2BIG);
    else if (s->pos >= s->len)
        refuse(s, -EFAULT);
    return s->err ? 0 : s->bytes[s->pos++];
}

/* @size bytes, little-endian, zero-extended. */
static uint64_t fetch_uint(struct state *s, unsigned int size)
{
    uint64_t val = 0;

    for (unsigned int n = 0; n < size; n++)
        val |= (uint64_t)fetch(s) << (8 * n);
    return val;
}

static uint64_t sign_extend(uint64_t val, unsigned int size)
{
    unsigned int unused = 64 - 8 * size;

    return (uint64_t)((int64_t)(val << unused) >> unused);
}

static uint64_t fetch_int(struct state *s, unsigned int size)
{
    return sign_extend(fetch_uint(s, size), size);
}

/* ---- Prefixes ---- */

/* Returns the first byte that is no prefix. A REX prefix counts only directly before that byte. */
static uint8_t prefixes(struct state *s)
{
    for (;;) {
        uint8_t byte = fetch(s);

        switch (byte) {
        case 0x66:
            s->opsize = true;
            break;
        case 0xf0:
            s->lock = true;
            break;
        case 0xf2 ... 0xf3:
            s->rep = byte;
            break;
        case 0x26: /* segments with base 0 */
        case 0x2e:
        case 0x36:
        case 0x3e:
            break;
        case 0x40 ... 0x4f:
            s->rex = byte;
            continue;
        default:
            return byte;
        }
        s->rex = 0;
    }
}

/* Refuses prefixes that processors ignore here, or that make another instruction of it: 0x66,
 * 0xf2 and 0xf3 before an opcode that has no use for them. */
static void no_prefix(struct state *s)
{
    refuse_if(s, s->opsize || s->rep);
}

/* ---- Operands ---- */

static uint8_t operand_size(const struct state *s)
{
    return s->rex & REX_W ? 8 : s->opsize ? 2 : 4;
}

/* Many opcodes come in pairs: even for bytes, odd for words of the operand size. */
static uint8_t size_by_opcode(const struct state *s)
{
    return s->opcode & 1 ? operand_size(s) : 1;
}

/* The number of a register: three bits of @field and one of the REX prefix. */
static uint8_t reg_number(const struct state *s, unsigned int field, uint8_t rex_bit)
{
    return (uint8_t)((field & 7) | (s->rex & rex_bit ? 8 : 0));
}

static void sib(struct state *s, unsigned int mod)
{
    uint8_t byte = fetch(s), index = reg_number(s, byte >> 3, REX_X);

    s->i.mem.scale = (uint8_t)(1 << (byte >> 6));
    if (index != 4)
        s->i.mem.index = index;
    if ((byte & 7) == 5 && mod == 0)
        s->i.mem.disp = (int64_t)fetch_int(s, 4);
    else
        s->i.mem.base = reg_number(s, byte, REX_B);
}

static void memory_operand(struct state *s, unsigned int mod, unsigned int rm)
{
    s->i.has_mem = true;
    if (rm == 4) {
        sib(s, mod);
    } else if (rm == 5 && mod == 0) {
        s->i.mem.rip_relative = true;
        s->i.mem.disp = (int64_t)fetch_int(s, 4);
    } else {
        s->i.mem.base = reg_number(s, rm, REX_B);
    }
    if (mod)
        s->i.mem.disp = (int64_t)fetch_int(s, mod == 1 ? 1 : 4);
}

/* Returns the reg field without its REX bit, which is what groups choose their member by. */
static unsigned int modrm(struct state *s)
{
    uint8_t byte = fetch(s);

    s->i.reg = reg_number(s, byte >> 3, REX_R);
    if (byte >> 6 == 3)
        s->i.rm = reg_number(s, byte, REX_B);
    else
        memory_operand(s, byte >> 6, byte & 7);
    return byte >> 3 & 7;
}

static unsigned int modrm_memory(struct state *s)
{
    unsigned int reg = modrm(s);

    refuse_if(s, !s->i.has_mem);
    return reg;
}

/* ---- Shapes of instructions: each fetches what follows the opcode ---- */

/* memory <- memory op register */
static void store_reg(struct state *s)
{
    s->i.size = size_by_opcode(s);
    s->i.src = INSN_SRC_REG;
    modrm_memory(s);
    if (s->i.size == 1 && !s->rex && s->i.reg >= 4) { /* without REX these are ah, ch, dh, bh */
        s->i.reg -= 4;
        s->i.reg_high = true;
    }
}

static void movnti(struct state *s)
{
    no_prefix(s);
    store_reg(s);
}

static void bit_string(struct state *s)
{
    store_reg(s);
    s->i.bit_string = true;
}

/* Immediates are never wider than 4 bytes. */
static void store_imm(struct state *s, enum insn_op op, uint8_t size, unsigned int imm_size)
{
    s->i.op = op;
    s->i.size = size;
    s->i.src = INSN_SRC_IMM;
    s->i.imm = fetch_int(s, min(imm_size, 4u));
}

static void mov_imm(struct state *s)
{
    uint8_t size = size_by_opcode(s);

    store_imm(s, modrm_memory(s) == 0 ? INSN_MOV : INSN_NONE, size, size);
}

/* Group 1: the eight operations in the order of opcodes; compare, the last, stores nothing. */
static void alu_imm(struct state *s)
{
    static const uint8_t op[] = {INSN_ADD, INSN_OR,  INSN_ADC, INSN_SBB,
                                 INSN_AND, INSN_SUB, INSN_XOR, INSN_NONE};
    uint8_t size = size_by_opcode(s);

    store_imm(s, op[modrm_memory(s)], size, s->opcode == 0x83 ? 1 : size);
}

/* Unary operations of 0xf6, 0xf7 (not, neg) and 0xfe, 0xff (inc, dec). */
static void unary(struct state *s)
{
    static const uint8_t f6[8] = {[2] = INSN_NOT, [3] = INSN_NEG};
    static const uint8_t fe[8] = {[0] = INSN_INC, [1] = INSN_DEC};

    s->i.op = (s->opcode < 0xf8 ? f6 : fe)[modrm_memory(s)];
    s->i.size = size_by_opcode(s);
}

/* mov to memory from al or rax, at an address that stands in the instruction as a whole */
static void store_moffs(struct state *s)
{
    s->i.size = size_by_opcode(s);
    s->i.src = INSN_SRC_REG;
    s->i.has_mem = true;
    s->i.mem.disp = (int64_t)fetch_uint(s, 8);
}

/* Ports are never wider than 4 bytes: REX.W has no effect, also not on 0x66... which it overrides.
 */
static void port_string(struct state *s)
{
    refuse_if(s, s->rep == 0xf2);
    s->i.size = min(size_by_opcode(s), (uint8_t)4);
    s->i.rep = s->rep == 0xf3;
}

static void port_dx(struct state *s)
{
    refuse_if(s, s->rep);
    s->i.size = min(size_by_opcode(s), (uint8_t)4);
    s->i.src = INSN_SRC_DX;
}

static void port_imm(struct state *s)
{
    port_dx(s);
    s->i.src = INSN_SRC_IMM;
    s->i.imm = fetch(s);
}

/* Control register (0, 2, 3, 4 and 8) or, odd opcodes, debug register. The mod field is ignored, both operands are
 * registers.
 */
static void special_register(struct state *s)
{
    unsigned int exist = s->opcode & 1 ? 0xff : 0x11d;
    uint8_t byte = fetch(s);

    no_prefix(s);
    s->i.size = 8;
    s->i.reg = reg_number(s, byte >> 3, REX_R);
    s->i.rm = reg_number(s, byte, REX_B);
    refuse_if(s, !(exist >> s->i.reg & 1));
}

/* 0f 01: with a register operand both fields tell the instruction, but for smsw. */
static void group7(struct state *s)
{
    unsigned int nr = modrm(s);

    refuse_if(s, s->rep);
    if (s->i.has_mem) {
        s->i.op = nr == 7 ? INSN_INVLPG : INSN_NONE;
    } else if (nr == 4) {
        s->i.op = INSN_SMSW;
        s->i.size = operand_size(s);
    } else if ((s->i.rm & 7) == 1) {
        no_prefix(s);
        s->i.op = nr == 2 ? INSN_XSETBV : nr == 7 ? INSN_RDTSCP : INSN_NONE;
    }
}

/* 0f ba: bit operations with the bit's number in the instruction; it never moves the address. */
static void group8(struct state *s)
{
    static const uint8_t op[8] = {[5] = INSN_BTS, [6] = INSN_BTR, [7] = INSN_BTC};
    unsigned int nr = modrm_memory(s);

    store_imm(s, op[nr], operand_size(s), 1);
}

/* 0f c7: 8 bytes whatever 0x66 says (XSA-200); with REX.W it would be 16, which is not ours. */
static void group9(struct state *s)
{
    if (modrm_memory(s) == 1 && !(s->rex & REX_W))
        s->i.op = INSN_CMPXCHG8B;
    s->i.size = 8;
}

/* ---- Opcodes ---- */

struct opcode {
    void (*shape)(struct state *s); /* NULL: not on the list */
    uint8_t op;                     /* INSN_NONE: the shape tells */
};

static const struct opcode one_byte[256] = {
    [0x00 ... 0x01] = {store_reg, INSN_ADD},
    [0x08 ... 0x09] = {store_reg, INSN_OR},
    [0x10 ... 0x11] = {store_reg, INSN_ADC},
    [0x18 ... 0x19] = {store_reg, INSN_SBB},
    [0x20 ... 0x21] = {store_reg, INSN_AND},
    [0x28 ... 0x29] = {store_reg, INSN_SUB},
    [0x30 ... 0x31] = {store_reg, INSN_XOR},
    [0x6c ... 0x6d] = {port_string, INSN_INS},
    [0x6e ... 0x6f] = {port_string, INSN_OUTS},
    [0x80 ... 0x81] = {alu_imm},
    [0x83] = {alu_imm},
    [0x86 ... 0x87] = {store_reg, INSN_XCHG},
    [0x88 ... 0x89] = {store_reg, INSN_MOV},
    [0xa2 ... 0xa3] = {store_moffs, INSN_MOV},
    [0xc6 ... 0xc7] = {mov_imm},
    [0xe4 ... 0xe5] = {port_imm, INSN_IN},
    [0xe6 ... 0xe7] = {port_imm, INSN_OUT},
    [0xec ... 0xed] = {port_dx, INSN_IN},
    [0xee ... 0xef] = {port_dx, INSN_OUT},
    [0xf6 ... 0xf7] = {unary},
    [0xfa] = {no_prefix, INSN_CLI},
    [0xfb] = {no_prefix, INSN_STI},
    [0xfe ... 0xff] = {unary},
};

static const struct opcode two_bytes[256] = {
    [0x01] = {group7},
    [0x06] = {no_prefix, INSN_CLTS},
    [0x08] = {no_prefix, INSN_INVD},
    [0x09] = {no_prefix, INSN_WBINVD},
    [0x20] = {special_register, INSN_MOV_FROM_CR},
    [0x21] = {special_register, INSN_MOV_FROM_DR},
    [0x22] = {special_register, INSN_MOV_TO_CR},
    [0x23] = {special_register, INSN_MOV_TO_DR},
    [0x30] = {no_prefix, INSN_WRMSR},
    [0x31] = {no_prefix, INSN_RDTSC},
    [0x32] = {no_prefix, INSN_RDMSR},
    [0xab] = {bit_string, INSN_BTS},
    [0xb0 ... 0xb1] = {store_reg, INSN_CMPXCHG},
    [0xb3] = {bit_string, INSN_BTR},
    [0xba] = {group8},
    [0xbb] = {bit_string, INSN_BTC},
    [0xc0 ... 0xc1] = {store_reg, INSN_XADD},
    [0xc3] = {movnti, INSN_MOV},
    [0xc7] = {group9},
};

int insn_decode(const uint8_t *bytes, size_t len, struct insn *insn)
{
    struct state s = {.bytes = bytes, .len = len};
    const struct opcode *o = one_byte;
    bool can_lock;

    s.i.mem = (struct insn_mem){.base = INSN_NO_REG, .index = INSN_NO_REG, .scale = 1};

    s.opcode = prefixes(&s);
    if (s.opcode == 0x0f) {
        s.opcode = fetch(&s);
        o = two_bytes;
    }
    o += s.opcode;
    s.i.op = o->op;
    if (o->shape)
        o->shape(&s);

    /* The lock prefix is legal on read-modify-write instructions with a memory destination. */
    can_lock = s.i.has_mem && s.i.op >= INSN_ADD && s.i.op <= INSN_CMPXCHG8B;
    refuse_if(&s, s.i.op == INSN_NONE || (s.lock && !can_lock));
    if (s.err)
        return s.err;
    s.i.length = (uint8_t)s.pos;
    *insn = s.i;
    return 0;
}

/* ---- Registers and addresses ---- */

/* rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
const uint8_t regs_gpr_offset[16] = {
    offsetof(struct cpu_regs, rax), offsetof(struct cpu_regs, rcx), offsetof(struct cpu_regs, rdx),
    offsetof(struct cpu_regs, rbx), offsetof(struct cpu_regs, rsp), offsetof(struct cpu_regs, rbp),
    offsetof(struct cpu_regs, rsi), offsetof(struct cpu_regs, rdi), offsetof(struct cpu_regs, r8),
    offsetof(struct cpu_regs, r9),  offsetof(struct cpu_regs, r10), offsetof(struct cpu_regs, r11),
    offsetof(struct cpu_regs, r12), offsetof(struct cpu_regs, r13), offsetof(struct cpu_regs, r14),
    offsetof(struct cpu_regs, r15),
};

void insn_reg_set(struct cpu_regs *regs, unsigned int reg, bool high, unsigned int size,
                  uint64_t val)
{
    unsigned int shift = high ? 8 : 0;
    uint64_t mask = size == 4 ? UINT64_MAX : insn_size_mask(size) << shift;
    uint64_t *gpr = regs_gpr(regs, reg);

    *gpr = (*gpr & ~mask) | (val & insn_size_mask(size)) << shift;
}

/* A bit string reaches 2^63 bits either way from its address (XSA-195): the number is signed, of
 * the operand's size, and what does not fit one operand moves the address by whole operands. */
static uint64_t bit_displacement(const struct insn *i, struct cpu_regs *regs)
{
    int64_t bit = (int64_t)sign_extend(*regs_gpr(regs, i->reg), i->size);
    unsigned int log2_bits = i->size == 8 ? 6 : i->size == 4 ? 5 : 4;

    return (uint64_t)(bit >> log2_bits) * i->size;
}

uint64_t insn_address(const struct insn *i, struct cpu_regs *regs)
{
    uint64_t addr = (uint64_t)i->mem.disp;

    if (i->mem.rip_relative)
        addr += regs->rip + i->length;
    if (i->mem.base != INSN_NO_REG)
        addr += *regs_gpr(regs, i->mem.base);
    if (i->mem.index != INSN_NO_REG)
        addr += *regs_gpr(regs, i->mem.index) * i->mem.scale;
    if (i->bit_string)
        addr += bit_displacement(i, regs);
    return addr;
}

uint64_t insn_source(const struct insn *i, struct cpu_regs *regs)
{
    uint64_t val = 0;

    switch (i->src) {
    case INSN_SRC_NONE:
        break;
    case INSN_SRC_REG:
        val = *regs_gpr(regs, i->reg) >> (i->reg_high ? 8 : 0);
        break;
    case INSN_SRC_IMM:
        val = i->imm;
        break;
    case INSN_SRC_DX:
        return (uint16_t)regs->rdx;
    }
    if (i->op == INSN_BTS || i->op == INSN_BTR || i->op == INSN_BTC)
        val &= 8u * i->size - 1;
    return val & insn_size_mask(i->size);
}

/* ---- Arithmetic ---- */

static void set_flags(uint64_t *flags, uint64_t which, uint64_t to)
{
    *flags = (*flags & ~which) | (to & which);
}

/* The arithmetic flags of result @r. Bit n of @carries: there was a carry, or borrow, out of bit n.
 */
static uint64_t arith_flags(uint64_t r, uint64_t carries, unsigned int size)
{
    unsigned int top = 8 * size - 1;

    return (__builtin_parity(r & 0xff) ? 0 : X86_EFLAGS_PF) | (r == 0 ? X86_EFLAGS_ZF : 0) |
           (r >> top & 1 ? X86_EFLAGS_SF : 0) | (carries >> top & 1 ? X86_EFLAGS_CF : 0) |
           (carries >> 3 & 1 ? X86_EFLAGS_AF : 0) |
           ((carries ^ carries << 1) >> top & 1 ? X86_EFLAGS_OF : 0);
}

/* The bit goes to CF, the other flags stay. */
static uint64_t bit_op(enum insn_op op, uint64_t d, uint64_t nr, unsigned int size, uint64_t *flags)
{
    uint64_t bit = 1ul << (nr & (8 * size - 1));

    set_flags(flags, X86_EFLAGS_CF, d & bit ? X86_EFLAGS_CF : 0);
    return op == INSN_BTS ? d | bit : op == INSN_BTR ? d & ~bit : d ^ bit;
}

uint64_t insn_alu(enum insn_op op, uint64_t dst, uint64_t src, uint64_t acc, unsigned int size,
                  uint64_t *flags)
{
    uint64_t mask = insn_size_mask(size), d = dst & mask, s = src & mask, r;
    uint64_t carries = 0, changed = INSN_FLAGS_ARITH;
    bool carry = (op == INSN_ADC || op == INSN_SBB) && (*flags & X86_EFLAGS_CF);

    if (op == INSN_INC || op == INSN_DEC) {
        s = 1;
        changed &= ~X86_EFLAGS_CF;
    } else if (op == INSN_NEG) {
        s = d;
        d = 0;
    }
    switch (op) {
    case INSN_MOV:
    case INSN_XCHG:
        return s;
    case INSN_NOT:
        return ~d & mask;
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return bit_op(op, d, s, size, flags);
    case INSN_CMPXCHG:
        (void)insn_alu(INSN_SUB, acc, d, 0, size, flags);
        return (acc & mask) == d ? s : d;
    case INSN_CMPXCHG8B:
        set_flags(flags, X86_EFLAGS_ZF, dst == acc ? X86_EFLAGS_ZF : 0);
        return dst == acc ? src : dst;
    case INSN_ADD:
    case INSN_ADC:
    case INSN_XADD:
    case INSN_INC:
        r = d + s + carry;
        carries = (d & s) | ((d | s) & ~r);
        break;
    case INSN_SUB:
    case INSN_SBB:
    case INSN_NEG:
    case INSN_DEC:
        r = d - s - carry;
        carries = (~d & s) | ((~d | s) & r);
        break;
    case INSN_OR:
        r = d | s;
        break;
    case INSN_AND:
        r = d & s;
        break;
    case INSN_XOR:
        r = d ^ s;
        break;
    default: /* stores nothing */
        return d;
    }
    r &= mask;
    set_flags(flags, changed, arith_flags(r, carries, size));
    return r;
}

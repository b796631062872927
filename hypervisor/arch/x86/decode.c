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
    int err;      /* the first thing that went wrong; checked once, at the end */
    uint8_t rex;  /* 0: none */
    uint8_t rep;  /* 0, 0xf2, 0xf3 */
    uint8_t segp; /* the segment prefix, 0: none */
    bool opsize, lock;
    struct insn i;
};

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

static void refuse(struct state *s, int err)
{
    if (!s->err)
        s->err = err;
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

/* Two different segment prefixes where one is fs or gs: processors do not agree on which one
 * counts. */
static void segment_prefix(struct state *s, uint8_t byte)
{
    if (s->segp && s->segp != byte && (s->segp >= 0x64 || byte >= 0x64))
        refuse(s, -EOPNOTSUPP);
    s->segp = byte;
}

/* Returns the first byte that is no prefix. A REX prefix counts only directly before that byte. */
static uint8_t prefixes(struct state *s)
{
    for (;;) {
        uint8_t byte = fetch(s);

        switch (byte) {
        case 0x66:
            s->opsize = true;
            break;
        case 0x67:
            s->i.address_size = 4;
            break;
        case 0xf0:
            s->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            s->rep = byte;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
            segment_prefix(s, byte);
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
    if (s->opsize || s->rep)
        refuse(s, -EOPNOTSUPP);
}

static void no_rep(struct state *s)
{
    if (s->rep)
        refuse(s, -EOPNOTSUPP);
}

/* ---- Operands ---- */

static uint8_t operand_size(const struct state *s)
{
    return s->rex & REX_W ? 8 : s->opsize ? 2 : 4;
}

/* Many opcodes come in pairs: even for bytes, odd for words of the operand size. */
static uint8_t size_by_opcode(const struct state *s, uint8_t opcode)
{
    return opcode & 1 ? operand_size(s) : 1;
}

static void sib(struct state *s, unsigned int mod)
{
    uint8_t byte = fetch(s);
    uint8_t index = (byte >> 3 & 7) | (s->rex & REX_X ? 8 : 0);

    s->i.mem.scale = (uint8_t)(1 << (byte >> 6));
    if (index != 4)
        s->i.mem.index = index;
    if ((byte & 7) == 5 && mod == 0)
        s->i.mem.disp = (int64_t)fetch_int(s, 4);
    else
        s->i.mem.base = (byte & 7) | (s->rex & REX_B ? 8 : 0);
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
        s->i.mem.base = (uint8_t)(rm | (s->rex & REX_B ? 8 : 0));
    }
    if (mod == 1)
        s->i.mem.disp = (int64_t)fetch_int(s, 1);
    else if (mod == 2)
        s->i.mem.disp = (int64_t)fetch_int(s, 4);
}

/* Returns the reg field without its REX bit, which is what groups choose their member by. */
static unsigned int modrm(struct state *s)
{
    uint8_t byte = fetch(s);
    unsigned int mod = byte >> 6, reg = byte >> 3 & 7, rm = byte & 7;

    s->i.reg = (uint8_t)(reg | (s->rex & REX_R ? 8 : 0));
    if (mod == 3)
        s->i.rm = (uint8_t)(rm | (s->rex & REX_B ? 8 : 0));
    else
        memory_operand(s, mod, rm);
    return reg;
}

static unsigned int modrm_memory(struct state *s)
{
    unsigned int reg = modrm(s);

    if (!s->i.has_mem)
        refuse(s, -EOPNOTSUPP);
    return reg;
}

/* ---- Shapes of instructions ---- */

/* memory <- memory op register */
static void store_reg(struct state *s, enum insn_op op, uint8_t size)
{
    s->i.op = op;
    s->i.size = size;
    s->i.src = INSN_SRC_REG;
    modrm_memory(s);
    if (size == 1 && !s->rex && s->i.reg >= 4) { /* without REX these are ah, ch, dh, bh */
        s->i.reg -= 4;
        s->i.reg_high = true;
    }
}

static void store_imm(struct state *s, enum insn_op op, uint8_t size, unsigned int imm_size)
{
    s->i.op = op;
    s->i.size = size;
    s->i.src = INSN_SRC_IMM;
    s->i.imm = fetch_int(s, imm_size);
}

static void plain(struct state *s, enum insn_op op)
{
    no_prefix(s);
    s->i.op = op;
}

static void string(struct state *s, enum insn_op op, uint8_t size)
{
    if (s->rep == 0xf2)
        refuse(s, -EOPNOTSUPP);
    s->i.op = op;
    s->i.size = size;
    s->i.rep = s->rep == 0xf3;
}

/* Ports are never wider than 4 bytes: REX.W has no effect, also not on 0x66... which it overrides.
 */
static uint8_t port_size(const struct state *s, uint8_t opcode)
{
    return min(size_by_opcode(s, opcode), (uint8_t)4);
}

static void port(struct state *s, enum insn_op op, uint8_t opcode, enum insn_src src)
{
    no_rep(s);
    s->i.op = op;
    s->i.size = port_size(s, opcode);
    s->i.src = src;
    if (src == INSN_SRC_IMM)
        s->i.imm = fetch(s);
}

/* mov to memory from al or rax, at an address that stands in the instruction as a whole */
static void store_moffs(struct state *s, uint8_t opcode)
{
    s->i.op = INSN_MOV;
    s->i.size = size_by_opcode(s, opcode);
    s->i.src = INSN_SRC_REG;
    s->i.has_mem = true;
    s->i.mem.disp = (int64_t)fetch_uint(s, s->i.address_size);
}

/* The mod field is ignored here, both operands are registers. */
static void control_register(struct state *s, enum insn_op op)
{
    uint8_t byte = fetch(s);

    no_prefix(s);
    s->i.op = op;
    s->i.size = 8;
    s->i.reg = (uint8_t)((byte >> 3 & 7) | (s->rex & REX_R ? 8 : 0));
    s->i.rm = (uint8_t)((byte & 7) | (s->rex & REX_B ? 8 : 0));
}

static void cr(struct state *s, enum insn_op op)
{
    control_register(s, op);
    if (s->i.reg > 8 || !(1u << s->i.reg & 0x11d)) /* 0, 2, 3, 4 and 8 exist */
        refuse(s, -EOPNOTSUPP);
}

static void dr(struct state *s, enum insn_op op)
{
    control_register(s, op);
    if (s->i.reg > 7)
        refuse(s, -EOPNOTSUPP);
}

/* ---- Opcodes ---- */

/* The eight operations in the order of opcodes and of group 1; compare, the last, stores nothing.
 */
static enum insn_op alu_op(unsigned int nr)
{
    static const uint8_t op[] = {INSN_ADD, INSN_OR,  INSN_ADC, INSN_SBB,
                                 INSN_AND, INSN_SUB, INSN_XOR, INSN_NONE};

    return (enum insn_op)op[nr];
}

/* Unary operations of 0xf6, 0xf7 (not, neg) and 0xfe, 0xff (inc, dec). */
static void unary(struct state *s, uint8_t opcode)
{
    static const uint8_t f6[8] = {[2] = INSN_NOT, [3] = INSN_NEG};
    static const uint8_t fe[8] = {[0] = INSN_INC, [1] = INSN_DEC};
    unsigned int nr = modrm_memory(s);

    s->i.op = (enum insn_op)(opcode < 0xf8 ? f6 : fe)[nr];
    s->i.size = size_by_opcode(s, opcode);
}

static void one_byte(struct state *s, uint8_t opcode)
{
    uint8_t size = size_by_opcode(s, opcode);

    switch (opcode) {
    case 0x00:
    case 0x01:
    case 0x08:
    case 0x09:
    case 0x10:
    case 0x11:
    case 0x18:
    case 0x19:
    case 0x20:
    case 0x21:
    case 0x28:
    case 0x29:
    case 0x30:
    case 0x31:
        store_reg(s, alu_op(opcode >> 3), size);
        break;
    case 0x6c:
    case 0x6d:
        string(s, INSN_INS, port_size(s, opcode));
        break;
    case 0x6e:
    case 0x6f:
        string(s, INSN_OUTS, port_size(s, opcode));
        break;
    case 0x80:
    case 0x81:
        store_imm(s, alu_op(modrm_memory(s)), size, min(size, (uint8_t)4));
        break;
    case 0x83:
        store_imm(s, alu_op(modrm_memory(s)), size, 1);
        break;
    case 0x86:
    case 0x87:
        store_reg(s, INSN_XCHG, size);
        break;
    case 0x88:
    case 0x89:
        store_reg(s, INSN_MOV, size);
        break;
    case 0xa2:
    case 0xa3:
        store_moffs(s, opcode);
        break;
    case 0xa4:
    case 0xa5:
        string(s, INSN_MOVS, size);
        break;
    case 0xaa:
    case 0xab:
        string(s, INSN_STOS, size);
        break;
    case 0xc6:
    case 0xc7:
        store_imm(s, modrm_memory(s) == 0 ? INSN_MOV : INSN_NONE, size, min(size, (uint8_t)4));
        break;
    case 0xe4:
    case 0xe5:
        port(s, INSN_IN, opcode, INSN_SRC_IMM);
        break;
    case 0xe6:
    case 0xe7:
        port(s, INSN_OUT, opcode, INSN_SRC_IMM);
        break;
    case 0xec:
    case 0xed:
        port(s, INSN_IN, opcode, INSN_SRC_DX);
        break;
    case 0xee:
    case 0xef:
        port(s, INSN_OUT, opcode, INSN_SRC_DX);
        break;
    case 0xf4:
        plain(s, INSN_HLT);
        break;
    case 0xf6:
    case 0xf7:
    case 0xfe:
    case 0xff:
        unary(s, opcode);
        break;
    case 0xfa:
        plain(s, INSN_CLI);
        break;
    case 0xfb:
        plain(s, INSN_STI);
        break;
    default:
        break;
    }
}

/* 0f 01: with a register operand the whole byte is an opcode of its own, but for smsw and lmsw. */
static void group7(struct state *s)
{
    static const uint8_t by_memory[8] = {[4] = INSN_SMSW, [6] = INSN_LMSW, [7] = INSN_INVLPG};
    uint8_t byte = s->pos < s->len ? s->bytes[s->pos] : 0; /* modrm() sees to it that it is there */
    unsigned int nr = modrm(s);

    no_rep(s);
    if (s->i.has_mem || nr == 4 || nr == 6) {
        s->i.op = (enum insn_op)by_memory[nr];
        s->i.size = nr == 4 && !s->i.has_mem ? operand_size(s) : nr == 7 ? 0 : 2;
        return;
    }
    if (byte == 0xd0)
        plain(s, INSN_XGETBV);
    else if (byte == 0xd1)
        plain(s, INSN_XSETBV);
    else if (byte == 0xf8)
        plain(s, INSN_SWAPGS);
    else if (byte == 0xf9)
        plain(s, INSN_RDTSCP);
}

/* 0f ba: bit operations with the bit's number in the instruction; it never moves the address. */
static void group8(struct state *s)
{
    static const uint8_t op[8] = {[5] = INSN_BTS, [6] = INSN_BTR, [7] = INSN_BTC};
    unsigned int nr = modrm_memory(s);

    store_imm(s, (enum insn_op)op[nr], operand_size(s), 1);
}

/* 0f c7: 8 bytes whatever 0x66 says (XSA-200); with REX.W it would be 16, which is not ours. */
static void group9(struct state *s)
{
    if (modrm_memory(s) == 1 && !(s->rex & REX_W))
        s->i.op = INSN_CMPXCHG8B;
    s->i.size = 8;
}

static void bit_string(struct state *s, enum insn_op op)
{
    store_reg(s, op, operand_size(s));
    s->i.bit_string = true;
}

static void movnti(struct state *s)
{
    no_prefix(s);
    store_reg(s, INSN_MOV, operand_size(s));
}

static void two_bytes(struct state *s, uint8_t opcode)
{
    uint8_t size = size_by_opcode(s, opcode);

    switch (opcode) {
    case 0x01:
        group7(s);
        break;
    case 0x06:
        plain(s, INSN_CLTS);
        break;
    case 0x08:
        plain(s, INSN_INVD);
        break;
    case 0x09:
        plain(s, INSN_WBINVD);
        break;
    case 0x20:
        cr(s, INSN_MOV_FROM_CR);
        break;
    case 0x21:
        dr(s, INSN_MOV_FROM_DR);
        break;
    case 0x22:
        cr(s, INSN_MOV_TO_CR);
        break;
    case 0x23:
        dr(s, INSN_MOV_TO_DR);
        break;
    case 0x30:
        plain(s, INSN_WRMSR);
        break;
    case 0x31:
        plain(s, INSN_RDTSC);
        break;
    case 0x32:
        plain(s, INSN_RDMSR);
        break;
    case 0x33:
        plain(s, INSN_RDPMC);
        break;
    case 0xa2:
        plain(s, INSN_CPUID);
        break;
    case 0xab:
        bit_string(s, INSN_BTS);
        break;
    case 0xb0:
    case 0xb1:
        store_reg(s, INSN_CMPXCHG, size);
        break;
    case 0xb3:
        bit_string(s, INSN_BTR);
        break;
    case 0xba:
        group8(s);
        break;
    case 0xbb:
        bit_string(s, INSN_BTC);
        break;
    case 0xc0:
    case 0xc1:
        store_reg(s, INSN_XADD, size);
        break;
    case 0xc3:
        movnti(s);
        break;
    case 0xc7:
        group9(s);
        break;
    default:
        break;
    }
}

/* The lock prefix is legal on read-modify-write instructions with a memory destination. */
static bool may_lock(const struct insn *i)
{
    return i->has_mem && i->op >= INSN_ADD && i->op <= INSN_CMPXCHG8B;
}

int insn_decode(const uint8_t *bytes, size_t len, struct insn *insn)
{
    struct state s = {.bytes = bytes, .len = len};
    uint8_t opcode;

    s.i.address_size = 8;
    s.i.mem = (struct insn_mem){.base = INSN_NO_REG, .index = INSN_NO_REG, .scale = 1};

    opcode = prefixes(&s);
    if (opcode == 0x0f)
        two_bytes(&s, fetch(&s));
    else
        one_byte(&s, opcode);

    if (s.i.op == INSN_NONE || (s.lock && !may_lock(&s.i)))
        refuse(&s, -EOPNOTSUPP);
    if (s.err)
        return s.err;
    s.i.length = (uint8_t)s.pos;
    s.i.lock = s.lock || s.i.op == INSN_XCHG;
    s.i.seg = s.segp == 0x64 ? INSN_SEG_FS : s.segp == 0x65 ? INSN_SEG_GS : INSN_SEG_NONE;
    *insn = s.i;
    return 0;
}

/* ---- Registers and addresses ---- */

static uint64_t size_mask(unsigned int size)
{
    return size == 8 ? UINT64_MAX : (1ul << (8 * size)) - 1;
}

uint64_t insn_reg_get(const uint64_t gpr[16], unsigned int reg, bool high, unsigned int size)
{
    return (gpr[reg & 15] >> (high ? 8 : 0)) & size_mask(size);
}

void insn_reg_set(uint64_t gpr[16], unsigned int reg, bool high, unsigned int size, uint64_t val)
{
    unsigned int shift = high ? 8 : 0;
    uint64_t mask = size == 4 ? UINT64_MAX : size_mask(size) << shift;

    val = (val & size_mask(size)) << shift;
    gpr[reg & 15] = (gpr[reg & 15] & ~mask) | val;
}

/* A bit string reaches 2^63 bits either way from its address (XSA-195): the number is signed, of
 * the operand's size, and what does not fit one operand moves the address by whole operands. */
static uint64_t bit_displacement(const struct insn *i, const uint64_t gpr[16])
{
    int64_t bit = (int64_t)sign_extend(gpr[i->reg & 15], i->size);
    unsigned int log2_bits = i->size == 8 ? 6 : i->size == 4 ? 5 : 4;

    return (uint64_t)(bit >> log2_bits) * i->size;
}

uint64_t insn_address(const struct insn *i, const uint64_t gpr[16], uint64_t rip_next,
                      uint64_t seg_base)
{
    uint64_t addr = (uint64_t)i->mem.disp;

    if (i->mem.rip_relative)
        addr += rip_next;
    if (i->mem.base != INSN_NO_REG)
        addr += gpr[i->mem.base & 15];
    if (i->mem.index != INSN_NO_REG)
        addr += gpr[i->mem.index & 15] * i->mem.scale;
    if (i->bit_string)
        addr += bit_displacement(i, gpr);
    if (i->address_size == 4)
        addr = (uint32_t)addr;
    return addr + seg_base;
}

uint64_t insn_source(const struct insn *i, const uint64_t gpr[16])
{
    uint64_t val = 0;

    switch (i->src) {
    case INSN_SRC_NONE:
        break;
    case INSN_SRC_REG:
        val = insn_reg_get(gpr, i->reg, i->reg_high, i->size);
        break;
    case INSN_SRC_IMM:
        val = i->imm & size_mask(i->size);
        break;
    case INSN_SRC_DX:
        return gpr[2] & 0xffff;
    }
    if (i->op == INSN_BTS || i->op == INSN_BTR || i->op == INSN_BTC)
        val &= 8u * i->size - 1;
    return val;
}

/* ---- Arithmetic ---- */

static uint64_t parity(uint64_t r)
{
    return __builtin_parity(r & 0xff) ? 0 : X86_EFLAGS_PF;
}

/* The flags that only depend on the result. */
static uint64_t result_flags(uint64_t r, unsigned int size)
{
    return parity(r) | (r == 0 ? X86_EFLAGS_ZF : 0) | (r >> (8 * size - 1) & 1 ? X86_EFLAGS_SF : 0);
}

static void set_flags(uint64_t *flags, uint64_t which, uint64_t to)
{
    *flags = (*flags & ~which) | (to & which);
}

static uint64_t add(uint64_t d, uint64_t s, bool carry, unsigned int size, uint64_t *flags)
{
    uint64_t r = (d + s + carry) & size_mask(size), f = result_flags(r, size);

    f |= r < d || (carry && r == d) ? X86_EFLAGS_CF : 0;
    f |= (d ^ s ^ r) & X86_EFLAGS_AF;
    f |= (~(d ^ s) & (d ^ r)) >> (8 * size - 1) & 1 ? X86_EFLAGS_OF : 0;
    *flags = f;
    return r;
}

static uint64_t sub(uint64_t d, uint64_t s, bool borrow, unsigned int size, uint64_t *flags)
{
    uint64_t r = (d - s - borrow) & size_mask(size), f = result_flags(r, size);

    f |= d < s || (borrow && d == s) ? X86_EFLAGS_CF : 0;
    f |= (d ^ s ^ r) & X86_EFLAGS_AF;
    f |= ((d ^ s) & (d ^ r)) >> (8 * size - 1) & 1 ? X86_EFLAGS_OF : 0;
    *flags = f;
    return r;
}

/* The bit goes to CF, the other flags stay. */
static uint64_t bit_op(enum insn_op op, uint64_t d, uint64_t nr, unsigned int size, uint64_t *flags)
{
    uint64_t bit = 1ul << (nr & (8 * size - 1));

    set_flags(flags, X86_EFLAGS_CF, d & bit ? X86_EFLAGS_CF : 0);
    return op == INSN_BTS ? d | bit : op == INSN_BTR ? d & ~bit : d ^ bit;
}

static uint64_t cmpxchg(uint64_t d, uint64_t s, uint64_t acc, unsigned int size, uint64_t *flags)
{
    uint64_t f;

    (void)sub(acc, d, false, size, &f);
    set_flags(flags, INSN_FLAGS_ARITH, f);
    return acc == d ? s : d;
}

uint64_t insn_alu(enum insn_op op, uint64_t dst, uint64_t src, uint64_t acc, unsigned int size,
                  uint64_t *flags)
{
    uint64_t mask = size_mask(size), d = dst & mask, s = src & mask, r = d;
    uint64_t f = 0, changed = INSN_FLAGS_ARITH; /* which of f count */
    bool carry = *flags & X86_EFLAGS_CF;

    switch (op) {
    case INSN_MOV:
    case INSN_XCHG:
    case INSN_STOS:
    case INSN_MOVS:
        return s;
    case INSN_NOT:
        return ~d & mask;
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return bit_op(op, d, s, size, flags);
    case INSN_CMPXCHG:
        return cmpxchg(d, s, acc & mask, size, flags);
    case INSN_CMPXCHG8B:
        set_flags(flags, X86_EFLAGS_ZF, dst == acc ? X86_EFLAGS_ZF : 0);
        return dst == acc ? src : dst;
    case INSN_ADD:
    case INSN_XADD:
        r = add(d, s, false, size, &f);
        break;
    case INSN_ADC:
        r = add(d, s, carry, size, &f);
        break;
    case INSN_SUB:
        r = sub(d, s, false, size, &f);
        break;
    case INSN_SBB:
        r = sub(d, s, carry, size, &f);
        break;
    case INSN_NEG:
        r = sub(0, d, false, size, &f);
        break;
    case INSN_INC:
        r = add(d, 1, false, size, &f);
        changed &= ~X86_EFLAGS_CF;
        break;
    case INSN_DEC:
        r = sub(d, 1, false, size, &f);
        changed &= ~X86_EFLAGS_CF;
        break;
    case INSN_OR:
        r = d | s;
        f = result_flags(r, size);
        break;
    case INSN_AND:
        r = d & s;
        f = result_flags(r, size);
        break;
    case INSN_XOR:
        r = d ^ s;
        f = result_flags(r, size);
        break;
    default: /* stores nothing */
        return d;
    }
    set_flags(flags, changed, f);
    return r;
}

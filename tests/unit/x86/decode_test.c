/* SPDX-License-Identifier: MIT */
/* The emulator's decoder, three ways: against the assembler (what each encoding is said to mean),
 * by hand (what must be refused), and against the processor this runs on (what it really does). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include <asm/decode.h>
#include <hv/errno.h>
#include <hv/lib.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { NONE = INSN_NO_REG };

/* ---- Against the assembler ---- */

/* clang-format off */
#define MEM(b, x, s, d)                                                                            \
    .has_mem = true, .mem = {.base = (b), .index = (x), .scale = (s), .disp = (d)}
#define RIP(d)                                                                                     \
    .has_mem = true, .mem = {.base = NONE, .index = NONE, .scale = 1, .disp = (d),                 \
                             .rip_relative = true}
#define REG(r) .src = INSN_SRC_REG, .reg = (r)
#define IMM(v) .src = INSN_SRC_IMM, .imm = (uint64_t)(v)

/* X(label, assembly, fields that differ from: no memory, no index) */
#define CASES(X)                                                                                   \
    X(mov8, "movb %cl, (%rdi)", .op = INSN_MOV, .size = 1, REG(RCX), MEM(RDI, NONE, 1, 0))         \
    X(mov8h, "movb %dh, (%rdi)", .op = INSN_MOV, .size = 1, REG(RDX), .reg_high = true,            \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(mov8r, "movb %sil, (%rdi)", .op = INSN_MOV, .size = 1, REG(RSI), MEM(RDI, NONE, 1, 0))       \
    X(mov16, "movw %ax, -2(%rbp)", .op = INSN_MOV, .size = 2, REG(RAX), MEM(RBP, NONE, 1, -2))     \
    X(mov32, "movl %r9d, 8(%rsp)", .op = INSN_MOV, .size = 4, REG(R9), MEM(RSP, NONE, 1, 8))       \
    X(mov64, "movq %rax, 0x12345678(%r13,%r12,8)", .op = INSN_MOV, .size = 8, REG(RAX),            \
      MEM(R13, R12, 8, 0x12345678))                                                                \
    X(mov_r13, "movq %r15, (%r13)", .op = INSN_MOV, .size = 8, REG(R15), MEM(R13, NONE, 1, 0))     \
    X(mov_r12, "movq %r15, (%r12)", .op = INSN_MOV, .size = 8, REG(R15), MEM(R12, NONE, 1, 0))     \
    X(mov_index, "movq %rdx, -8(,%rbx,4)", .op = INSN_MOV, .size = 8, REG(RDX),                    \
      MEM(NONE, RBX, 4, -8))                                                                       \
    X(mov_abs, "movl %edx, 0xffffffff81000000", .op = INSN_MOV, .size = 4, REG(RDX),               \
      MEM(NONE, NONE, 1, (int64_t)0xffffffff81000000))                                             \
    X(mov_rip, "movq %rcx, 0x100(%rip)", .op = INSN_MOV, .size = 8, REG(RCX), RIP(0x100))          \
    X(mov_rip_imm, "movl $7, 0x100(%rip)", .op = INSN_MOV, .size = 4, IMM(7), RIP(0x100))          \
    X(mov_i8, "movb $-1, 1(%rax)", .op = INSN_MOV, .size = 1, IMM(-1), MEM(RAX, NONE, 1, 1))       \
    X(mov_i16, "movw $0x8000, (%rax)", .op = INSN_MOV, .size = 2, IMM(-0x8000),                    \
      MEM(RAX, NONE, 1, 0))                                                                        \
    X(mov_i64, "movq $-2, (%r8,%r10,2)", .op = INSN_MOV, .size = 8, IMM(-2), MEM(R8, R10, 2, 0))   \
    X(moffs8, "movabsb %al, 0x1122334455667788", .op = INSN_MOV, .size = 1, REG(RAX),              \
      MEM(NONE, NONE, 1, 0x1122334455667788))                                                      \
    X(moffs64, "movabsq %rax, 0xffff800000000008", .op = INSN_MOV, .size = 8, REG(RAX),            \
      MEM(NONE, NONE, 1, (int64_t)0xffff800000000008))                                             \
    X(movnti, "movnti %rax, (%rdi)", .op = INSN_MOV, .size = 8, REG(RAX), MEM(RDI, NONE, 1, 0))    \
    X(xchg, "xchgq %rax, (%rdi)", .op = INSN_XCHG, .size = 8, REG(RAX),              \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(xchg8, "xchgb %ah, (%rdi)", .op = INSN_XCHG, .size = 1, REG(RAX), .reg_high = true, MEM(RDI, NONE, 1, 0))                                                          \
    X(cmpxchg, "lock cmpxchgq %rbx, (%rdi)", .op = INSN_CMPXCHG, .size = 8, REG(RBX), MEM(RDI, NONE, 1, 0))                                                          \
    X(cmpxchg8, "cmpxchgb %bl, (%rdi)", .op = INSN_CMPXCHG, .size = 1, REG(RBX),                   \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(cmpxchg8b, "lock cmpxchg8b (%rsi)", .op = INSN_CMPXCHG8B, .size = 8, .reg = 1, \
      MEM(RSI, NONE, 1, 0))                                                                        \
    X(cmpxchg8b_66, ".byte 0x66; cmpxchg8b (%rsi)", .op = INSN_CMPXCHG8B, .size = 8, .reg = 1,     \
      MEM(RSI, NONE, 1, 0))                                                                        \
    X(xadd, "lock xaddl %ecx, (%rdi)", .op = INSN_XADD, .size = 4, REG(RCX),         \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(bts, "lock btsq %rcx, (%rdi)", .op = INSN_BTS, .size = 8, REG(RCX),            \
      .bit_string = true, MEM(RDI, NONE, 1, 0))                                                    \
    X(btr, "btrw %cx, (%rdi)", .op = INSN_BTR, .size = 2, REG(RCX), .bit_string = true,            \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(btc, "btcl %ecx, (%rdi)", .op = INSN_BTC, .size = 4, REG(RCX), .bit_string = true,           \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(btr_i, "lock btrq $63, (%rdi)", .op = INSN_BTR, .size = 8, IMM(63), .reg = 6,  \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(bts_i, "btsl $1, (%rdi)", .op = INSN_BTS, .size = 4, IMM(1), .reg = 5,                       \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(btc_i, "btcw $255, (%rdi)", .op = INSN_BTC, .size = 2, IMM(-1), .reg = 7,                    \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(add, "addb %al, (%rax)", .op = INSN_ADD, .size = 1, REG(RAX), MEM(RAX, NONE, 1, 0))          \
    X(or, "lock orq %rdx, (%rdi)", .op = INSN_OR, .size = 8, REG(RDX),               \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(adc, "adcl %edx, (%rdi)", .op = INSN_ADC, .size = 4, REG(RDX), MEM(RDI, NONE, 1, 0))         \
    X(sbb, "sbbw %dx, (%rdi)", .op = INSN_SBB, .size = 2, REG(RDX), MEM(RDI, NONE, 1, 0))          \
    X(and, "andq %rdx, (%rdi)", .op = INSN_AND, .size = 8, REG(RDX), MEM(RDI, NONE, 1, 0))         \
    X(sub, "subq %rdx, (%rdi)", .op = INSN_SUB, .size = 8, REG(RDX), MEM(RDI, NONE, 1, 0))         \
    X(xor, "xorq %rdx, (%rdi)", .op = INSN_XOR, .size = 8, REG(RDX), MEM(RDI, NONE, 1, 0))         \
    X(and_i8, "lock andb $0xfd, 3(%rdi)", .op = INSN_AND, .size = 1, IMM(-3),        \
      .reg = 4, MEM(RDI, NONE, 1, 3))                                                              \
    X(or_i32, "orq $0x12345, (%rdi)", .op = INSN_OR, .size = 8, IMM(0x12345), .reg = 1,            \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(and_i16, "andw $0x1234, (%rdi)", .op = INSN_AND, .size = 2, IMM(0x1234), .reg = 4,           \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(sub_is, "subq $-128, (%rdi)", .op = INSN_SUB, .size = 8, IMM(-128), .reg = 5,                \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(not, "lock notq (%rdi)", .op = INSN_NOT, .size = 8, .reg = 2,                  \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(neg, "negb (%rdi)", .op = INSN_NEG, .size = 1, .reg = 3, MEM(RDI, NONE, 1, 0))               \
    X(inc, "incw (%rdi)", .op = INSN_INC, .size = 2, .reg = 0, MEM(RDI, NONE, 1, 0))               \
    X(dec, "lock decl (%rdi)", .op = INSN_DEC, .size = 4, .reg = 1,                  \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(in_imm, "inb $0x80, %al", .op = INSN_IN, .size = 1, IMM(0x80))                               \
    X(in_dx, "inw %dx, %ax", .op = INSN_IN, .size = 2, .src = INSN_SRC_DX)                         \
    X(in_rexw, ".byte 0x48; inl %dx, %eax", .op = INSN_IN, .size = 4, .src = INSN_SRC_DX)          \
    X(out_imm, "outl %eax, $0xf8", .op = INSN_OUT, .size = 4, IMM(0xf8))                           \
    X(out_dx, "outb %al, %dx", .op = INSN_OUT, .size = 1, .src = INSN_SRC_DX)                      \
    X(insw, "rep insw %dx, (%rdi)", .op = INSN_INS, .size = 2, .rep = true)                        \
    X(outs, "rep outsl (%rsi), %dx", .op = INSN_OUTS, .size = 4, .rep = true)                      \
    X(outs_rexw, ".byte 0x48; outsl (%rsi), %dx", .op = INSN_OUTS, .size = 4)                      \
    X(cli, "cli", .op = INSN_CLI)                                                                  \
    X(sti, "sti", .op = INSN_STI)                                                                  \
    X(clts, "clts", .op = INSN_CLTS)                                                               \
    X(smsw, "smsw %r9d", .op = INSN_SMSW, .size = 4, .reg = 4, .rm = R9)                           \
    X(smsw64, "smsw %r9", .op = INSN_SMSW, .size = 8, .reg = 4, .rm = R9)                          \
    X(from_cr2, "movq %cr2, %r11", .op = INSN_MOV_FROM_CR, .size = 8, .reg = 2, .rm = R11)         \
    X(to_cr3, "movq %rdi, %cr3", .op = INSN_MOV_TO_CR, .size = 8, .reg = 3, .rm = RDI)             \
    X(to_cr8, "movq %rdi, %cr8", .op = INSN_MOV_TO_CR, .size = 8, .reg = 8, .rm = RDI)             \
    X(from_dr6, "movq %dr6, %rax", .op = INSN_MOV_FROM_DR, .size = 8, .reg = 6, .rm = RAX)         \
    X(to_dr7, "movq %r8, %dr7", .op = INSN_MOV_TO_DR, .size = 8, .reg = 7, .rm = R8)               \
    X(rdmsr, "rdmsr", .op = INSN_RDMSR)                                                            \
    X(wrmsr, "wrmsr", .op = INSN_WRMSR)                                                            \
    X(rdtsc, "rdtsc", .op = INSN_RDTSC)                                                            \
    X(rdtscp, "rdtscp", .op = INSN_RDTSCP, .reg = 7, .rm = 1)                                      \
    X(invlpg, "invlpg 8(%rax,%rcx)", .op = INSN_INVLPG, .reg = 7, MEM(RAX, RCX, 1, 8))             \
    X(invd, "invd", .op = INSN_INVD)                                                               \
    X(wbinvd, "wbinvd", .op = INSN_WBINVD)                                                         \
    X(xsetbv, "xsetbv", .op = INSN_XSETBV, .reg = 2, .rm = 1)                                      \
    X(ds_padded, ".byte 0x3e, 0x3e; cli", .op = INSN_CLI)                                          \
    X(late_rex, ".byte 0x48, 0x66, 0x89, 0x07", .op = INSN_MOV, .size = 2, REG(RAX),               \
      MEM(RDI, NONE, 1, 0)) /* REX before a prefix does not count */                               \
    X(two_rex, ".byte 0x48, 0x41, 0x89, 0x07", .op = INSN_MOV, .size = 4, REG(RAX),                \
      MEM(R15, NONE, 1, 0)) /* only the last does */                                               \
    X(rexw_66, ".byte 0x66, 0x48, 0xc7, 0x07, 1, 2, 3, 4", .op = INSN_MOV, .size = 8,              \
      IMM(0x04030201), MEM(RDI, NONE, 1, 0)) /* REX.W wins, also for the immediate's size */       \
    X(same_prefix_twice, ".byte 0xf0, 0xf0, 0x66, 0x66, 0x09, 0x07", .op = INSN_OR, .size = 2,     \
      REG(RAX), MEM(RDI, NONE, 1, 0))                                                \
    X(xrelease, ".byte 0xf3, 0x89, 0x07", .op = INSN_MOV, .size = 4, REG(RAX),                     \
      MEM(RDI, NONE, 1, 0))                                                                        \
    X(fifteen,                                                                                     \
      ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0xf0, 0x81, 0xa4, 0x38, 1, 0, 0, 0x80, 0xff, 0x7f",     \
      .op = INSN_AND, .size = 2, IMM(0x7fff), .reg = 4,                              \
      MEM(RAX, RDI, 1, -0x7fffffff))                                                               \
    X(sib_no_base, ".byte 0x89, 0x04, 0x25, 0xf0, 0xff, 0xff, 0xff", .op = INSN_MOV, .size = 4,    \
      REG(RAX), MEM(NONE, NONE, 1, -16))                                                           \
    X(sib_scaled_nothing, ".byte 0x89, 0x04, 0xe0", .op = INSN_MOV, .size = 4, REG(RAX),           \
      MEM(RAX, NONE, 8, 0))                                                                        \
    X(sib_rbp_disp8, ".byte 0x89, 0x44, 0x25, 0", .op = INSN_MOV, .size = 4, REG(RAX),             \
      MEM(RBP, NONE, 1, 0))
/* clang-format on */

#define BYTES(label, text, ...)                                                                    \
    extern const uint8_t label##_start[], label##_end[];                                           \
    __asm__(".pushsection .rodata\n" #label "_start: " text "\n" #label "_end:\n.popsection");
CASES(BYTES)

struct expected {
    const char *text;
    const uint8_t *start, *end;
    struct insn insn;
};

/* The defaults stand first on purpose, what a case says replaces them. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
#define ROW(label, text, ...)                                                                      \
    {text,                                                                                         \
     label##_start,                                                                                \
     label##_end,                                                                                  \
     {.mem = {.base = NONE, .index = NONE, .scale = 1}, __VA_ARGS__}},
static const struct expected expected[] = {CASES(ROW)};
#pragma GCC diagnostic pop

static void expect_same(const struct insn *a, const struct insn *b, unsigned int length)
{
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->length, length);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->rep, b->rep);
    assert_int_equal(a->src, b->src);
    assert_int_equal(a->has_mem, b->has_mem);
    assert_int_equal(a->bit_string, b->bit_string);
    assert_int_equal(a->reg_high, b->reg_high);
    assert_int_equal(a->reg, b->reg);
    assert_int_equal(a->rm, b->rm);
    assert_int_equal(a->mem.base, b->mem.base);
    assert_int_equal(a->mem.index, b->mem.index);
    assert_int_equal(a->mem.scale, b->mem.scale);
    assert_int_equal(a->mem.rip_relative, b->mem.rip_relative);
    assert_int_equal(a->mem.disp, b->mem.disp);
    assert_int_equal(a->imm, b->imm);
}

static void agrees_with_the_assembler(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++) {
        const struct expected *e = &expected[i];
        unsigned int len = (unsigned int)(e->end - e->start);
        struct insn insn;

        if (insn_decode(e->start, len, &insn))
            fail_msg("%s is refused", e->text);
        if (insn.op != e->insn.op || insn.length != len)
            print_message("in: %s\n", e->text);
        expect_same(&insn, &e->insn, len);
    }
}

/* Each start of an instruction that is too short says so and leaves the output alone. */
static void truncation(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++) {
        const struct expected *e = &expected[i];
        unsigned int len = (unsigned int)(e->end - e->start);

        for (unsigned int n = 0; n < len; n++) {
            struct insn insn = {.op = 255};
            uint8_t *copy = test_malloc(n + 1);

            memcpy(copy, e->start, n);
            assert_int_equal(insn_decode(copy, n, &insn), -EFAULT);
            assert_int_equal(insn.op, 255);
            test_free(copy);
        }
    }
}

/* ---- What must be refused ---- */

struct refused {
    const char *why;
    int err;
    uint8_t len, bytes[20];
};

/* clang-format off */
static const struct refused refused[] = {
    {"16 prefixes", -E2BIG, 17, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                 0x66, 0x66, 0x66, 0x66, 0xfa}},
    {"ends in byte 16", -E2BIG, 20, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0xf0, 0x81, 0xa4, 0x38, 1,
                                     0, 0, 0x80, 0xff, 0x7f}},
    {"compare", -EOPNOTSUPP, 2, {0x39, 0x07}},
    {"compare, group 1", -EOPNOTSUPP, 3, {0x83, 0x3f, 1}},
    {"group 1 in 0x82", -EOPNOTSUPP, 3, {0x82, 0x07, 1}},
    {"load", -EOPNOTSUPP, 2, {0x8b, 0x07}},
    {"store to a register", -EOPNOTSUPP, 2, {0x89, 0xc7}},
    {"xchg with a register", -EOPNOTSUPP, 2, {0x87, 0xc7}},
    {"bts on a register", -EOPNOTSUPP, 3, {0x0f, 0xab, 0xc7}},
    {"bt", -EOPNOTSUPP, 3, {0x0f, 0xa3, 0x07}},
    {"bt, group 8", -EOPNOTSUPP, 4, {0x0f, 0xba, 0x27, 1}},
    {"mov group, not /0", -EOPNOTSUPP, 6, {0xc7, 0x0f, 1, 2, 3, 4}},
    {"xabort", -EOPNOTSUPP, 3, {0xc6, 0xf8, 1}},
    {"test, group 3", -EOPNOTSUPP, 3, {0xf6, 0x07, 1}},
    {"call", -EOPNOTSUPP, 2, {0xff, 0x17}},
    {"cmpxchg16b", -EOPNOTSUPP, 4, {0x48, 0x0f, 0xc7, 0x0f}},
    {"rdrand", -EOPNOTSUPP, 3, {0x0f, 0xc7, 0xf0}},
    {"lock mov", -EOPNOTSUPP, 3, {0xf0, 0x89, 0x07}},
    {"lock in", -EOPNOTSUPP, 2, {0xf0, 0xec}},
    {"lock ins", -EOPNOTSUPP, 2, {0xf0, 0x6c}},
    {"lock cli", -EOPNOTSUPP, 2, {0xf0, 0xfa}},
    {"lock mov cr0", -EOPNOTSUPP, 4, {0xf0, 0x0f, 0x22, 0xc0}},
    {"lock invlpg", -EOPNOTSUPP, 4, {0xf0, 0x0f, 0x01, 0x38}},
    {"cr1", -EOPNOTSUPP, 3, {0x0f, 0x22, 0xc8}},
    {"cr9", -EOPNOTSUPP, 4, {0x44, 0x0f, 0x22, 0xc8}},
    {"cr15", -EOPNOTSUPP, 4, {0x44, 0x0f, 0x20, 0xf8}},
    {"dr8", -EOPNOTSUPP, 4, {0x44, 0x0f, 0x21, 0xc0}},
    {"wbnoinvd", -EOPNOTSUPP, 3, {0xf3, 0x0f, 0x09}},
    {"66 xsetbv", -EOPNOTSUPP, 4, {0x66, 0x0f, 0x01, 0xd1}},
    {"monitor", -EOPNOTSUPP, 3, {0x0f, 0x01, 0xc8}},
    {"vmrun", -EOPNOTSUPP, 3, {0x0f, 0x01, 0xd8}},
    {"clac", -EOPNOTSUPP, 3, {0x0f, 0x01, 0xca}},
    {"rdpkru", -EOPNOTSUPP, 3, {0x0f, 0x01, 0xee}},
    {"lgdt", -EOPNOTSUPP, 3, {0x0f, 0x01, 0x10}},
    {"rstorssp", -EOPNOTSUPP, 4, {0xf3, 0x0f, 0x01, 0x28}},
    {"repne ins", -EOPNOTSUPP, 2, {0xf2, 0x6c}},
    {"rep in", -EOPNOTSUPP, 2, {0xf3, 0xec}},
    {"store by fs", -EOPNOTSUPP, 4, {0x64, 0x48, 0x89, 0x08}},
    {"store by gs", -EOPNOTSUPP, 4, {0x3e, 0x65, 0x89, 0x07}},
    {"address of 32 bits", -EOPNOTSUPP, 3, {0x67, 0x89, 0x07}},
    {"stos", -EOPNOTSUPP, 3, {0xf3, 0x48, 0xab}},
    {"movs", -EOPNOTSUPP, 1, {0xa5}},
    {"hlt", -EOPNOTSUPP, 1, {0xf4}},
    {"lmsw", -EOPNOTSUPP, 3, {0x0f, 0x01, 0xf1}},
    {"lmsw of memory", -EOPNOTSUPP, 3, {0x0f, 0x01, 0x31}},
    {"smsw to memory", -EOPNOTSUPP, 3, {0x0f, 0x01, 0x20}},
    {"rdpmc", -EOPNOTSUPP, 2, {0x0f, 0x33}},
    {"xgetbv", -EOPNOTSUPP, 3, {0x0f, 0x01, 0xd0}},
    {"swapgs", -EOPNOTSUPP, 3, {0x0f, 0x01, 0xf8}},
    {"cpuid", -EOPNOTSUPP, 2, {0x0f, 0xa2}},
    {"three-byte map", -EOPNOTSUPP, 4, {0x0f, 0x38, 0xf1, 0x07}},
    {"vex", -EOPNOTSUPP, 5, {0xc5, 0xf9, 0x7f, 0x07, 0}},
    {"rex, then nothing of ours", -EOPNOTSUPP, 2, {0x48, 0x90}},
    {"push", -EOPNOTSUPP, 1, {0x50}},
    {"iret", -EOPNOTSUPP, 2, {0x48, 0xcf}},
    {"ud2", -EOPNOTSUPP, 2, {0x0f, 0x0b}},
};
/* clang-format on */

static void not_ours(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
        struct insn insn = {.op = 255};
        int rc = insn_decode(refused[i].bytes, refused[i].len, &insn);

        if (rc != refused[i].err)
            fail_msg("%s: %d", refused[i].why, rc);
        assert_int_equal(insn.op, 255);
    }
}

/* ---- Registers, addresses ---- */

/* The registers of @gpr as the hypervisor has saved them. */
static struct cpu_regs *regs_of(const uint64_t gpr[16], uint64_t rip)
{
    static struct cpu_regs regs;

    for (unsigned int n = 0; n < 16; n++)
        *regs_gpr(&regs, n) = gpr[n];
    regs.rip = rip;
    return &regs;
}

static uint64_t address(const struct insn *i, const uint64_t gpr[16], uint64_t rip_next)
{
    return insn_address(i, regs_of(gpr, rip_next - i->length));
}

static uint64_t source(const struct insn *i, const uint64_t gpr[16])
{
    return insn_source(i, regs_of(gpr, 0));
}

static void set(uint64_t gpr[16], unsigned int reg, bool high, unsigned int size, uint64_t val)
{
    struct cpu_regs *regs = regs_of(gpr, 0);

    insn_reg_set(regs, reg, high, size, val);
    gpr[reg] = *regs_gpr(regs, reg);
}

static void registers(void **state)
{
    uint64_t gpr[16] = {[RBX] = 0x1122334455667788};

    (void)state;
    set(gpr, RBX, false, 1, 0xaff);
    assert_int_equal(gpr[RBX], 0x11223344556677ff);
    set(gpr, RBX, true, 1, 0xaee);
    assert_int_equal(gpr[RBX], 0x112233445566eeff);
    set(gpr, RBX, false, 2, 0xadddd);
    assert_int_equal(gpr[RBX], 0x112233445566dddd);
    set(gpr, RBX, false, 4, 0xaccccccccc);
    assert_int_equal(gpr[RBX], 0xcccccccc);
    set(gpr, RBX, false, 8, UINT64_MAX);
    assert_int_equal(gpr[RBX], UINT64_MAX);
}

static struct insn decode_text(const uint8_t *start, const uint8_t *end)
{
    struct insn insn;

    assert_int_equal(insn_decode(start, (size_t)(end - start), &insn), 0);
    return insn;
}

#define DECODE(label) decode_text(label##_start, label##_end)

static void addresses(void **state)
{
    uint64_t gpr[16] = {[R13] = 0xffff800000000000,
                        [R12] = 0x1000000000000000,
                        [RBX] = 0xffffffff,
                        [R9] = 0x100000002,
                        [RDI] = 0x1000};
    struct insn i = DECODE(mov64);

    (void)state;
    assert_int_equal(address(&i, gpr, 0), 0x7fff800012345678); /* wraps, not truncated */
    i = DECODE(mov_rip_imm);
    assert_int_equal(i.length, 10);
    assert_int_equal(address(&i, gpr, 0xffffffff80000000), 0xffffffff80000100);
}

/* XSA-195: the number of the bit is signed and as wide as the operand; none of it is dropped. */
static void bit_strings(void **state)
{
    static const struct {
        uint64_t rcx, by;
        unsigned int bit;
    } wide[] = {
        {0, 0, 0},
        {63, 0, 63},
        {64, 8, 0},
        {UINT64_MAX, (uint64_t)-8, 63},
        {0x4000000000000041, 0x0800000000000008, 1},
        {0x8000000000000000, 0xf000000000000000, 0},
        {0x7fffffffffffffff, 0x0ffffffffffffff8, 63},
    };
    uint64_t gpr[16] = {[RDI] = 0x10000};
    struct insn i = DECODE(bts);

    (void)state;
    for (unsigned int n = 0; n < ARRAY_SIZE(wide); n++) {
        gpr[RCX] = wide[n].rcx;
        assert_int_equal(address(&i, gpr, 0), 0x10000 + wide[n].by);
        assert_int_equal(source(&i, gpr), wide[n].bit);
    }
    i = DECODE(btc); /* 32 bits: the upper half of the register is not the number's */
    gpr[RCX] = 0x7777777780000001;
    assert_int_equal(address(&i, gpr, 0), 0x10000 - 0x10000000);
    assert_int_equal(source(&i, gpr), 1);
    i = DECODE(btr);
    gpr[RCX] = 0x777777777777ffff;
    assert_int_equal(address(&i, gpr, 0), 0x10000 - 2);
    assert_int_equal(source(&i, gpr), 15);
    i = DECODE(btc_i); /* a number in the instruction does not move the address */
    assert_int_equal(address(&i, gpr, 0), 0x10000);
    assert_int_equal(source(&i, gpr), 15);
}

static void sources(void **state)
{
    uint64_t gpr[16] = {[RDX] = 0xabcdef, [RCX] = 0x12345678};
    struct insn i = DECODE(in_dx);

    (void)state;
    assert_int_equal(source(&i, gpr), 0xcdef);
    i = DECODE(in_imm);
    assert_int_equal(source(&i, gpr), 0x80);
    i = DECODE(mov8h);
    assert_int_equal(source(&i, gpr), 0xcd);
    i = DECODE(mov_i8);
    assert_int_equal(source(&i, gpr), 0xff);
    i = DECODE(mov_i64);
    assert_int_equal(source(&i, gpr), (uint64_t)-2);
    i = DECODE(not );
    assert_int_equal(source(&i, gpr), 0);
}

/* ---- Against the processor: the same instruction, executed and emulated ---- */

#define BUF_SIZE 4096

struct machine {
    uint64_t gpr[16]; /* rsp is not loaded: it stays the host's */
    uint64_t flags;
    uint64_t host[8];
    uint8_t code[1024];
    uint8_t buf[BUF_SIZE] __attribute__((aligned(64)));
};

static uint8_t *emit(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

/* mov between register @reg and a quadword of the machine, by a rip-relative address. */
static uint8_t *emit_mov(uint8_t *at, bool store, unsigned int reg, const uint64_t *where)
{
    uint8_t b[7] = {(uint8_t)(0x48 | (reg >> 3) << 2), store ? 0x89 : 0x8b,
                    (uint8_t)((reg & 7) << 3 | 5)};
    int32_t disp = (int32_t)((intptr_t)where - (intptr_t)(at + 7));

    memcpy(b + 3, &disp, 4);
    return emit(at, b, 7);
}

/* push or pop of a quadword of the machine */
static uint8_t *emit_stack(uint8_t *at, bool push, const uint64_t *where)
{
    uint8_t b[6] = {push ? 0xff : 0x8f, push ? 0x35 : 0x05};
    int32_t disp = (int32_t)((intptr_t)where - (intptr_t)(at + 6));

    memcpy(b + 2, &disp, 4);
    return emit(at, b, 6);
}

static void run(struct machine *m, const uint8_t *insn, size_t len)
{
    static const uint8_t saved[] = {RBX, RBP, R12, R13, R14, R15};
    uint8_t *at = m->code;

    for (unsigned int i = 0; i < ARRAY_SIZE(saved); i++)
        at = emit_mov(at, true, saved[i], &m->host[i]);
    at = emit_stack(at, true, &m->flags);
    at = emit(at, "\x9d", 1); /* popfq */
    for (unsigned int i = 0; i < 16; i++)
        at = i == RSP ? at : emit_mov(at, false, i, &m->gpr[i]);
    at = emit(at, insn, len);
    for (unsigned int i = 0; i < 16; i++)
        at = i == RSP ? at : emit_mov(at, true, i, &m->gpr[i]);
    at = emit(at, "\x9c", 1); /* pushfq */
    at = emit_stack(at, false, &m->flags);
    for (unsigned int i = 0; i < ARRAY_SIZE(saved); i++)
        at = emit_mov(at, false, saved[i], &m->host[i]);
    at = emit(at, "\xc3", 1);
    ((void (*)(void))(uintptr_t)m->code)();
}

static uint64_t seed = 88172645463325252;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1d;
}

/* Values at the borders are the interesting ones. */
static uint64_t rnd_value(void)
{
    static const uint64_t border[] = {0,          1,         0x7f,      0x80,       0xff,
                                      0x7fff,     0x8000,    0xffff,    0x7fffffff, 0x80000000,
                                      0xffffffff, INT64_MAX, 1ul << 63, UINT64_MAX};
    uint64_t r = rnd();

    return r & 1 ? border[(r >> 1) % ARRAY_SIZE(border)] : rnd();
}

static size_t put_imm(uint8_t *at, unsigned int size)
{
    uint64_t v = rnd_value();

    memcpy(at, &v, size);
    return size;
}

/* Writes a random store instruction; its address is made of random base, index and displacement
 * registers. Returns its length. */
static size_t rnd_insn(uint8_t *b)
{
    static const uint8_t one[] = {0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30,
                                  0x86, 0x88, 0x80, 0x83, 0xc6, 0xf6, 0xfe};
    static const uint8_t two[] = {0xab, 0xb3, 0xbb, 0xb0, 0xc0, 0xba};
    static const uint8_t group_f6[] = {2, 3}, group_ba[] = {5, 6, 7};
    bool is_two = rnd() % 3 == 0, op66 = rnd() % 3 == 0;
    uint8_t opcode = is_two ? two[rnd() % ARRAY_SIZE(two)] : one[rnd() % ARRAY_SIZE(one)];
    bool pair = is_two ? opcode == 0xb0 || opcode == 0xc0 : opcode != 0x83;
    uint8_t rex = rnd() % 3 ? (uint8_t)(0x40 | (rnd() & 15)) : 0;
    unsigned int mod = rnd() % 3, rm = rnd() & 7, reg = rnd() & 7, size;
    size_t n = 0;

    opcode |= pair ? rnd() & 1 : 0;
    if (op66)
        b[n++] = 0x66;
    if (rex)
        b[n++] = rex;
    if (is_two)
        b[n++] = 0x0f;
    b[n++] = opcode;
    size = pair && !(opcode & 1) ? 1 : rex & 8 ? 8 : op66 ? 2 : 4;

    if (opcode == 0x80 || opcode == 0x81 || opcode == 0x83)
        reg = rnd() % 7;
    else if (opcode == 0xc6 || opcode == 0xc7)
        reg = 0;
    else if (opcode == 0xf6 || opcode == 0xf7)
        reg = group_f6[rnd() % 2];
    else if (opcode == 0xfe || opcode == 0xff)
        reg = rnd() % 2;
    else if (opcode == 0xba)
        reg = group_ba[rnd() % 3];

    b[n++] = (uint8_t)(mod << 6 | reg << 3 | rm);
    if (rm == 4)
        b[n++] = (uint8_t)rnd();
    if (mod == 1)
        b[n++] = (uint8_t)rnd();
    else if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (b[n - 1] & 7) == 5))))
        n += put_imm(b + n, 4);

    if (opcode == 0x80 || opcode == 0x83 || opcode == 0xc6 || opcode == 0xba)
        n += put_imm(b + n, 1);
    else if (opcode == 0x81 || opcode == 0xc7)
        n += put_imm(b + n, min(size, 4u));
    return n;
}

static bool uses_rsp(const struct insn *i)
{
    return i->mem.base == RSP || i->mem.index == RSP || (i->src == INSN_SRC_REG && i->reg == RSP);
}

/* Moves the address into the buffer by changing the base register, where that is possible. */
static bool aim(struct machine *m, const struct insn *i)
{
    uint64_t want = (uint64_t)(uintptr_t)m->buf + 512 + rnd() % (BUF_SIZE - 1024);
    uint64_t at;

    if (uses_rsp(i) || i->mem.base == INSN_NO_REG || i->mem.index == i->mem.base)
        return false;
    if (i->bit_string && (i->mem.base == i->reg || i->mem.index == i->reg))
        return false;
    if (!i->bit_string && i->src == INSN_SRC_REG && i->mem.base == i->reg && rnd() % 8)
        return false;
    m->gpr[i->mem.base] += want - address(i, m->gpr, 0);
    at = address(i, m->gpr, 0);
    return at >= (uint64_t)(uintptr_t)m->buf && at + 8 <= (uint64_t)(uintptr_t)m->buf + BUF_SIZE;
}

/* What the hypervisor's emulator will do with the parts. */
static void emulate(struct machine *m, const struct insn *i)
{
    uint64_t at = address(i, m->gpr, 0), old = 0, val;
    uint64_t src = source(i, m->gpr);

    memcpy(&old, (void *)(uintptr_t)at, i->size);
    val = insn_alu(i->op, old, src, m->gpr[RAX], i->size, &m->flags);
    memcpy((void *)(uintptr_t)at, &val, i->size);
    if (i->op == INSN_XCHG || i->op == INSN_XADD)
        set(m->gpr, i->reg, i->reg_high, i->size, old);
    if (i->op == INSN_CMPXCHG && !(m->flags & X86_EFLAGS_ZF))
        set(m->gpr, RAX, false, i->size, old);
}

/* Flags that the manuals leave undefined. */
static uint64_t undefined_flags(enum insn_op op)
{
    switch (op) {
    case INSN_AND:
    case INSN_OR:
    case INSN_XOR:
        return X86_EFLAGS_AF;
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return X86_EFLAGS_OF | X86_EFLAGS_SF | X86_EFLAGS_AF | X86_EFLAGS_PF;
    default:
        return 0;
    }
}

static void one_run(struct machine *m, unsigned int *done)
{
    static uint8_t before[BUF_SIZE], emulated[BUF_SIZE];
    struct machine start;
    uint8_t bytes[16] = {0};
    size_t len = rnd_insn(bytes);
    struct insn i;
    uint64_t unsure;

    assert_int_equal(insn_decode(bytes, len, &i), 0);
    assert_int_equal(i.length, len);
    for (unsigned int n = 0; n < 16; n++)
        m->gpr[n] = rnd_value();
    if (i.bit_string)
        m->gpr[i.reg] = rnd();
    m->flags = 0x202 | (rnd() & INSN_FLAGS_ARITH);
    if (!aim(m, &i))
        return;
    for (unsigned int n = 0; n < BUF_SIZE; n++)
        before[n] = (uint8_t)rnd_value();
    memcpy(m->buf, before, BUF_SIZE);
    if (i.op == INSN_CMPXCHG && rnd() & 1 && i.mem.base != RAX && i.mem.index != RAX)
        memcpy(&m->gpr[RAX], (void *)(uintptr_t)address(&i, m->gpr, 0), 8);
    memcpy(start.gpr, m->gpr, sizeof(start.gpr));
    start.flags = m->flags;

    emulate(m, &i);
    memcpy(emulated, m->buf, BUF_SIZE);
    memcpy(m->buf, before, BUF_SIZE);
    for (unsigned int n = 0; n < 16; n++) {
        uint64_t t = m->gpr[n];

        m->gpr[n] = start.gpr[n];
        start.gpr[n] = t;
    }
    unsure = m->flags;
    m->flags = start.flags;
    start.flags = unsure;
    unsure = undefined_flags(i.op);

    run(m, bytes, len);
    m->gpr[RSP] = start.gpr[RSP];
    assert_memory_equal(m->buf, emulated, BUF_SIZE);
    assert_memory_equal(m->gpr, start.gpr, sizeof(start.gpr));
    assert_int_equal((m->flags ^ start.flags) & INSN_FLAGS_ARITH & ~unsure, 0);
    ++*done;
}

static void agrees_with_the_processor(void **state)
{
    struct machine *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned int done = 0;

    (void)state;
    if (m == MAP_FAILED)
        skip(); /* some hosts allow no page that is writable and executable */
    for (unsigned int i = 0; i < 60000; i++)
        one_run(m, &done);
    assert_true(done > 20000);
    munmap(m, sizeof(*m));
}

static void cmpxchg8b_result(void **state)
{
    uint64_t flags = INSN_FLAGS_ARITH & ~X86_EFLAGS_ZF;

    (void)state;
    assert_int_equal(insn_alu(INSN_CMPXCHG8B, 5, 7, 5, 8, &flags), 7);
    assert_int_equal(flags, INSN_FLAGS_ARITH);
    assert_int_equal(insn_alu(INSN_CMPXCHG8B, 5, 7, 1ul << 32 | 5, 8, &flags), 5);
    assert_int_equal(flags, INSN_FLAGS_ARITH & ~X86_EFLAGS_ZF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_assembler),
        cmocka_unit_test(truncation),
        cmocka_unit_test(not_ours),
        cmocka_unit_test(registers),
        cmocka_unit_test(addresses),
        cmocka_unit_test(bit_strings),
        cmocka_unit_test(sources),
        cmocka_unit_test(agrees_with_the_processor),
        cmocka_unit_test(cmpxchg8b_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

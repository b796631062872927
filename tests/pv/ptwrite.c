/* SPDX-License-Identifier: MIT */
/* Plain instructions that write to a page table: the guest sees the page read-only, the hypervisor
 * does the write as a checked update. Does each instruction leave what the processor would have
 * left (memory, registers, flags), and is a write that an update would refuse a page fault? */
#include "tables.h"

/* Registers of one experiment. The instruction finds the entry in rdi. */
struct cpu_state {
    uint64_t rax, rbx, rcx, rdx, flags;
};

#define ARITHMETIC 0x8d5ul /* OF SF ZF AF PF CF */

struct insn {
    const char *text;
    void (*run)(volatile void *at, struct cpu_state *s);
    unsigned offset; /* byte of the entry that it writes at */
    bool no_af;      /* leaves AF undefined */
};

/* In FAULT_OF(), the state after a fault is that before the instruction, or half new: not looked
 * at. */
#define RUN(name_, text_)                                                                          \
    static void name_(volatile void *at, struct cpu_state *s)                                      \
    {                                                                                              \
        uint64_t flags;                                                                            \
                                                                                                   \
        __asm__ volatile("pushq %[in]; popfq; " text_ "; pushfq; popq %[out]"                      \
                         : [out] "=&r"(flags), "+a"(s->rax), "+b"(s->rbx), "+c"(s->rcx),           \
                           "+d"(s->rdx)                                                            \
                         : [in] "r"(s->flags), "D"(at)                                             \
                         : "memory", "cc");                                                        \
        s->flags = flags;                                                                          \
    }

#define INSN_LIST(X)                                                                               \
    X(mov8, "movq %%rbx, (%%rdi)", 0, 0)                                                           \
    X(mov8_imm, "movq $-0x123456, (%%rdi)", 0, 0)                                                  \
    X(mov4, "movl %%ebx, (%%rdi)", 0, 0)                                                           \
    X(mov4_high, "movl %%ebx, (%%rdi)", 4, 0)                                                      \
    X(mov4_imm, "movl $0x12345678, (%%rdi)", 4, 0)                                                 \
    X(mov2, "movw %%bx, (%%rdi)", 2, 0)                                                            \
    X(mov1, "movb %%bl, (%%rdi)", 0, 0)                                                            \
    X(mov1_high_register, "movb %%ch, (%%rdi)", 7, 0)                                              \
    X(movnti, "movnti %%rbx, (%%rdi)", 0, 0)                                                       \
    X(indexed, "xor %%ecx, %%ecx; movq %%rbx, -16(%%rdi,%%rcx,8); inc %%ecx", 16, 0)               \
    X(xchg8, "xchgq %%rbx, (%%rdi)", 0, 0)                                                         \
    X(xchg4, "xchgl %%ebx, (%%rdi)", 4, 0)                                                         \
    X(xchg8_rax, "xchgq %%rax, (%%rdi)", 0, 0)                                                     \
    X(cmpxchg8, "lock cmpxchgq %%rbx, (%%rdi)", 0, 0)                                              \
    X(cmpxchg8_equal, "movq (%%rdi), %%rax; lock cmpxchgq %%rbx, (%%rdi)", 0, 0)                   \
    X(cmpxchg8_plain, "movq (%%rdi), %%rax; cmpxchgq %%rcx, (%%rdi)", 0, 0)                        \
    X(cmpxchg4, "lock cmpxchgl %%ebx, (%%rdi)", 0, 0)                                              \
    X(cmpxchg4_equal, "movl (%%rdi), %%eax; lock cmpxchgl %%ebx, (%%rdi)", 4, 0)                   \
    X(cmpxchg8b, "lock cmpxchg8b (%%rdi)", 0, 0)                                                   \
    X(cmpxchg8b_equal, "movl (%%rdi), %%eax; movl 4(%%rdi), %%edx; lock cmpxchg8b (%%rdi)", 0, 0)  \
    X(xadd8, "lock xaddq %%rbx, (%%rdi)", 0, 0)                                                    \
    X(xadd4, "xaddl %%ebx, (%%rdi)", 4, 0)                                                         \
    X(and8, "andq %%rbx, (%%rdi)", 0, 1)                                                           \
    X(and8_locked, "lock andq $-16, (%%rdi)", 0, 1)                                                \
    X(and4, "lock andl $-256, (%%rdi)", 0, 1)                                                      \
    X(and1, "lock andb $0x7f, (%%rdi)", 0, 1)                                                      \
    X(and1_top, "lock andb $0x7f, (%%rdi)", 7, 1)                                                  \
    X(or8, "orq %%rbx, (%%rdi)", 0, 1)                                                             \
    X(or4, "lock orl %%ebx, (%%rdi)", 4, 1)                                                        \
    X(or1, "lock orb $0x42, (%%rdi)", 0, 1)                                                        \
    X(or2, "orw $0x4200, (%%rdi)", 6, 1)                                                           \
    X(xor8, "lock xorq %%rbx, (%%rdi)", 0, 1)                                                      \
    X(xor4, "xorl $0x30, (%%rdi)", 0, 1)                                                           \
    X(add8, "lock addq %%rbx, (%%rdi)", 0, 0)                                                      \
    X(add4, "addl $0x1000, (%%rdi)", 0, 0)                                                         \
    X(adc8, "adcq %%rcx, (%%rdi)", 0, 0)                                                           \
    X(sub8, "lock subq %%rbx, (%%rdi)", 0, 0)                                                      \
    X(sbb8, "sbbq %%rcx, (%%rdi)", 0, 0)                                                           \
    X(inc4, "lock incl (%%rdi)", 4, 0)                                                             \
    X(dec4, "decl (%%rdi)", 4, 0)                                                                  \
    X(not8, "lock notl (%%rdi)", 4, 0)                                                             \
    X(neg4, "negl (%%rdi)", 4, 0)                                                                  \
    X(bts_imm, "lock btsq $5, (%%rdi)", 0, 1)                                                      \
    X(btr_imm, "lock btrq $6, (%%rdi)", 0, 1)                                                      \
    X(btc_imm, "lock btcq $63, (%%rdi)", 0, 1)                                                     \
    X(bts_imm4, "btsl $9, (%%rdi)", 0, 1)                                                          \
    X(bts_reg, "mov $11, %%ecx; lock btsq %%rcx, (%%rdi)", 0, 1)                                   \
    X(btr_reg, "mov $62, %%ecx; btrq %%rcx, (%%rdi)", 0, 1)                                        \
    X(btc_far, "mov $-61, %%rcx; lock btcq %%rcx, 8(%%rdi)", 0, 1)

#define AS_FUNCTION(name_, text_, offset_, no_af_) RUN(run_##name_, text_)
#define AS_ROW(name_, text_, offset_, no_af_)      {#name_, run_##name_, offset_, no_af_},
INSN_LIST(AS_FUNCTION)
static const struct insn insns[] = {INSN_LIST(AS_ROW)};

/* ---- the entry under test: that of window(0), with its neighbours 1 and 2 ---- */

static volatile uint64_t *entry(void)
{
    return pt_entry(window(0), 1);
}

static void reset(uint64_t value)
{
    check_eq(pt_write((const uint64_t *)entry(), value), 0);
    invlpg(window(0));
}

static uint64_t flags_now(void)
{
    uint64_t f;

    __asm__ volatile("pushfq; popq %0" : "=r"(f));
    return f & ~ARITHMETIC;
}

/* Run @in on the entry and, from the same state, on plain memory. */
static void compare(const struct insn *in, uint64_t start, uint64_t flags)
{
    struct cpu_state live = {.rax = 0x1111222233334444,
                             .rbx = 0x5a5a00c3deadb6fe,
                             .rcx = 0xfe,
                             .rdx = 0x7777888899990000,
                             .flags = flags_now() | flags};
    struct cpu_state plain = live;
    volatile uint64_t twin[4] = {start};
    uint64_t skip_af = in->no_af ? 0x10 : 0, wrong = 0;
    struct fault f;

    reset(start);
    in->run((volatile char *)&twin[0] + in->offset, &plain);
    f = FAULT_OF(in->run((volatile char *)entry() + in->offset, &live));
    if (!check(!f.hit)) {
        note("%s: %s, error %#lx", in->text, trap_name(f.vector), f.error);
        return;
    }
    wrong |= !check_eq(*entry(), twin[0]) | !check_eq(live.rax, plain.rax);
    wrong |= !check_eq(live.rbx, plain.rbx) | !check_eq(live.rcx, plain.rcx);
    wrong |= !check_eq(live.rdx, plain.rdx);
    wrong |= !check_eq(live.flags & ARITHMETIC & ~skip_af, plain.flags & ARITHMETIC & ~skip_af);
    if (wrong)
        note("%s, entry %#lx, flags %#lx", in->text, start, flags);
}

/* Entries without present bit are the guest's in all 64 bits: the results can be compared whole.
 * Even values stay even under every instruction of the list. */
TEST(instructions_do_what_they_do_elsewhere)
{
    static const uint64_t start[] = {0, 0x7ffffffffffffffe, 0xfffffffffffffffe, 0x5a5a00c3deadb6fe,
                                     0x800000008000007e};

    for (unsigned i = 0; i < ARRAY_SIZE(insns); i++)
        for (unsigned k = 0; k < ARRAY_SIZE(start); k++) {
            if (insns[i].offset == 16)
                continue; /* below */
            compare(&insns[i], start[k], 0);
            if (insns[i].run != run_adc8 && insns[i].run != run_sbb8) /* carry makes it odd */
                compare(&insns[i], start[k], ARITHMETIC);
        }
    reset(0);
}

TEST(address_may_be_computed)
{
    struct cpu_state s = {.rbx = 0x1234, .flags = flags_now()};

    check_no_fault(run_indexed((volatile char *)entry() + 16, &s));
    check_eq(*entry(), 0x1234);
    check_no_fault(__asm__ volatile("movq $0x5678, (%0,%1,8)"
                                    :
                                    : "r"((uint64_t)entry() - 0x800), "r"(0x100ul)
                                    : "memory"));
    check_eq(*entry(), 0x5678);
    reset(0);
}

/* ---- present entries ---- */

TEST(mapping_is_made_and_taken_away)
{
    uint64_t *page = new_page();
    volatile uint64_t *p = (uint64_t *)window(0);

    page[5] = 56; /* even: no present entry when it becomes a table */
    check_no_fault(*entry() = rw_pte(page));
    check_pte(*entry(), rw_pte(page));
    check_eq(p[5], 56);
    check_no_fault(p[6] = 66);
    check_eq(page[6], 66);
    check_eq(page_readonly(page), 0);
    check_eq(pt_pin(page, 1), -EINVAL); /* the new mapping counts */
    check_no_fault(*entry() = 0);
    invlpg(window(0));
    check_eq(*entry(), 0);
    check_fault_err(TRAP_PF, 0, (void)p[5]);
    check_eq(pt_pin(page, 1), 0);
    check_eq(pt_unpin(page), 0);
    check_free_table(page);
}

/* As Linux takes an entry out, write-protects it, marks it old. */
TEST(kernel_idioms)
{
    uint64_t *page = new_page(), old = 0;
    volatile uint64_t *p = (uint64_t *)window(0);

    reset(rw_pte(page));
    p[0] = 2;
    /* ptep_set_wrprotect */
    check_no_fault(__asm__ volatile("lock andb $0xfd, %0" : "+m"(*entry()) : : "memory"));
    invlpg(window(0));
    check_pte(*entry(), ro_pte(page) | PTE_D);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, p[0] = 4);
    check_eq(page_readonly(page), 0);
    check_eq(pt_pin(page, 1), 0); /* no writable mapping is left */
    /* which now may not come back */
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W,
                    __asm__ volatile("lock orb $2, %0"
                                     : "+m"(*entry())
                                     :
                                     : "memory"));
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W,
                    __asm__ volatile("lock btsq $1, %0"
                                     : "+m"(*entry())
                                     :
                                     : "memory"));
    check_pte(*entry(), ro_pte(page) | PTE_D);
    check_eq(pt_unpin(page), 0);
    check_no_fault(__asm__ volatile("lock orb $2, %0" : "+m"(*entry()) : : "memory"));
    invlpg(window(0));
    check_no_fault(p[0] = 6);
    /* ptep_test_and_clear_young */
    check_no_fault(__asm__ volatile("lock btrq $5, %0; setc %b1"
                                    : "+m"(*entry()), "+r"(old)
                                    :
                                    : "memory", "cc"));
    check_eq(*entry() & PTE_A, 0);
    /* ptep_get_and_clear */
    reset(rw_pte(page));
    p[0] = 4;
    {
        volatile uint64_t was = 0;

        check_no_fault(uint64_t v = 0; __asm__ volatile("xchgq %1, %0"
                                                        : "+m"(*entry()), "+r"(v)
                                                        :
                                                        : "memory");
                       was = v);
        check_pte(was, rw_pte(page));
    }
    check_eq(*entry(), 0);
    invlpg(window(0));
    check_free_table(page);
}

TEST(halves_of_a_present_entry)
{
    uint64_t *page = new_page();
    volatile uint32_t *half = (volatile uint32_t *)entry();
    uint64_t pte = rw_pte(page);

    reset(0);
    check_no_fault(half[1] = (pte | PTE_NX) >> 32);
    check_no_fault(half[0] = (uint32_t)pte);
    check_pte(*entry(), pte | PTE_NX);
    check_eq(*(volatile uint64_t *)window(0), 0);
    check_no_fault(((volatile uint8_t *)entry())[7] &= 0x7f);
    check_pte(*entry() | PTE_A, pte);
    check_no_fault(half[0] = 0);
    check_no_fault(half[1] = 0);
    check_eq(*entry(), 0);
    invlpg(window(0));
    free_page(page);
}

TEST(cmpxchg_compares_with_what_is_there)
{
    uint64_t *page = new_page();
    volatile uint64_t seen;
    uint64_t pte;

    reset(rw_pte(page));
    pte = *entry();
    check_no_fault(uint64_t a = pte ^ PTE_SW0; __asm__ volatile("lock cmpxchgq %2, %0"
                                                                : "+m"(*entry()), "+a"(a)
                                                                : "r"(0ul)
                                                                : "memory", "cc");
                   seen = a);
    check_eq(seen, pte);
    check_eq(*entry(), pte);
    check_no_fault(uint64_t a = pte; __asm__ volatile("lock cmpxchgq %2, %0"
                                                      : "+m"(*entry()), "+a"(a)
                                                      : "r"(pte & ~PTE_RW)
                                                      : "memory", "cc");
                   seen = a);
    check_eq(seen, pte);
    check_eq(*entry(), pte & ~PTE_RW);
    reset(0);
    free_page(page);
}

TEST(every_alias_of_a_table_will_do)
{
    uint64_t *page = new_page(), *pinned = new_table();
    volatile uint64_t *alias = (uint64_t *)window(1);

    check_eq(map_at(window(1), pte_make(virt_to_mfn((void *)entry()), PROT_RO)), 0);
    check_no_fault(alias[pt_index(window(0), 1)] = ro_pte(page));
    check_pte(*entry(), ro_pte(page));
    check_no_fault(alias[pt_index(window(0), 1)] = 0);
    /* A level 1 table that hangs nowhere. */
    check_eq(pt_pin(pinned, 1), 0);
    check_eq(map_at(window(1), ro_pte(pinned)), 0);
    check_no_fault(alias[9] = rw_pte(page));
    check_pte(pinned[9], rw_pte(page));
    check_no_fault(((volatile uint64_t *)pinned)[9] = 0);
    check_eq(pt_unpin(pinned), 0);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, alias[9] = 1); /* no table any more */
    check_eq(map_at(window(1), 0), 0);
    check_free_table(pinned);
    free_page(page);
}

/* ---- refused ---- */

TEST(refused_values_fault_and_change_nothing)
{
    const uint64_t bad[] = {pte_make(foreign_frame(), PROT_RW), pte_make(foreign_frame(), PROT_RO),
                            pte_make(FRAME_NOWHERE, PROT_RW),
                            pte_make(virt_to_mfn((void *)entry()), PROT_RW),
                            rw_pte(pfn_to_virt(pt_kernel_root()))};
    uint64_t *page = new_page(), was;
    struct fault f;

    reset(rw_pte(page));
    was = *entry();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        f = check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *entry() = bad[i]);
        check_eq(f.cr2, (uint64_t)entry());
        check_eq(*entry(), was);
        check_fault_err(TRAP_PF, PFEC_P | PFEC_W, uint64_t v = bad[i];
                        __asm__ volatile("xchgq %1, %0"
                                         : "+m"(*entry()), "+r"(v)
                                         :
                                         : "memory"));
        check_fault_err(TRAP_PF, PFEC_P | PFEC_W,
                        __asm__ volatile("lock cmpxchgq %1, %0"
                                         : "+m"(*entry())
                                         : "r"(bad[i]), "a"(was)
                                         : "memory", "cc"));
        check_fault_err(TRAP_PF, PFEC_P | PFEC_W,
                        __asm__ volatile("addq %1, %0"
                                         : "+m"(*entry())
                                         : "r"(bad[i] - was)));
        check_eq(*entry(), was);
    }
    /* The half that would complete a bad entry. */
    f = check_fault_err(TRAP_PF, PFEC_P | PFEC_W, ((volatile uint32_t *)entry())[1] = 0x200);
    check_eq(f.cr2, (uint64_t)entry() + 4);
    check_eq(*entry(), was);
    reset(0);
    free_page(page);
}

TEST(upper_levels_fault)
{
    for (volatile unsigned level = 2; level <= 4; level++) {
        volatile uint64_t *e = pt_entry(window(0), level);

        check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *e = *e);
        check_fault_err(TRAP_PF, PFEC_P | PFEC_W, e[1] = 0);
    }
}

TEST(misaligned_writes_fault)
{
    volatile char *e = (volatile char *)entry();

    reset(0);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint64_t *)(e + 1) = 2);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint64_t *)(e + 4) = 2);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint32_t *)(e + 2) = 2);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint16_t *)(e + 3) = 2);
    check_eq(*entry(), 0);
}

TEST(write_across_the_end_of_a_table_faults)
{
    uint64_t *l1 = new_table(), *page = new_page();
    volatile char *at = (volatile char *)window(2) - 4;

    check_eq(pt_pin(l1, 1), 0);
    check_eq(map_at(window(1), ro_pte(l1)), 0);
    check_eq(map_at(window(2), rw_pte(page)), 0);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint64_t *)at = ~0ul);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W,
                    __asm__ volatile("lock addq $-1, (%0)"
                                     :
                                     : "r"(at)
                                     : "memory"));
    check_eq(l1[511], 0);
    check_eq(page[0], 0);
    check_eq(map_at(window(1), 0), 0);
    check_eq(map_at(window(2), 0), 0);
    check_eq(pt_unpin(l1), 0);
    check_free_table(l1);
    free_page(page);
}

TEST(read_only_page_that_is_no_table_faults)
{
    uint64_t *t = new_table();

    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint64_t *)t = 0);
    check_eq(pt_pin(t, 3), 0);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile uint64_t *)t = 0);
    check_eq(pt_unpin(t), 0);
    check_free_table(t);
}

/* The assist can be switched for the sake of old kernels; writes are emulated in any case. */
TEST(assist_makes_no_difference)
{
    for (unsigned on = 0; on < 2; on++) {
        check_eq(hypercall_vm_assist(on ? VMASST_CMD_enable : VMASST_CMD_disable,
                                     VMASST_TYPE_writable_pagetables),
                 0);
        check_no_fault(*entry() = 2);
        check_eq(*entry(), 2);
        check_no_fault(*entry() = 0);
    }
}

/* ---- user mode has no such service ---- */

extern const char ptwrite_user[], ptwrite_user_end[];
__asm__(".pushsection .rodata\n"
        "ptwrite_user: movq %rbx, (%rdi); ud2\n"
        "ptwrite_user_end: .popsection\n");

TEST(user_mode_faults)
{
    struct user_space us;
    struct trap_regs r = {.rip = USER_CODE, .rsp = USER_STACK_TOP, .rdi = USER_DATA};
    uint64_t *l1 = new_table();

    check_eq(pt_pin(l1, 1), 0);
    need_eq(user_space_create(&us), 0);
    need_eq(user_map_code(&us, USER_CODE, ptwrite_user, ptwrite_user_end), 0);
    need_eq(user_map_frame(&us, USER_DATA, virt_to_mfn(l1), 0), 0);
    check_eq(user_run(&us, &r), TRAP_PF);
    check_eq(r.error, PFEC_P | PFEC_W | PFEC_U);
    check_eq(trap_cr2(), USER_DATA);
    check_eq(l1[0], 0);
    user_space_destroy(&us);
    check_eq(pt_unpin(l1), 0);
    check_free_table(l1);
}

/* ---- vm_assist itself ---- */

TEST(vm_assist_knows_its_types)
{
    static const unsigned types[] = {VMASST_TYPE_writable_pagetables,
                                     VMASST_TYPE_architectural_iopl,
                                     VMASST_TYPE_runstate_update_flag, VMASST_TYPE_m2p_strict};

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        check_eq(hypercall_vm_assist(VMASST_CMD_enable, types[i]), 0);
        check_eq(hypercall_vm_assist(VMASST_CMD_enable, types[i]), 0);
        check_eq(hypercall_vm_assist(VMASST_CMD_disable, types[i]), 0);
        check_eq(hypercall_vm_assist(2, types[i]), -ENOSYS);
    }
    check_eq(hypercall_vm_assist(VMASST_CMD_enable, 6), -EINVAL);
    check_eq(hypercall_vm_assist(VMASST_CMD_enable, 31), -EINVAL);
    check_eq(hypercall_vm_assist(VMASST_CMD_enable, 33), -EINVAL);
    check_eq(hypercall_vm_assist(VMASST_CMD_enable, 64), -EINVAL);
    check_eq(hypercall_vm_assist(VMASST_CMD_enable, ~0u), -EINVAL);
    check_eq(hypercall_vm_assist(VMASST_CMD_disable, 64), -EINVAL);
}

/* ---- two vcpus write the same table ---- */

#define RACE_ROUNDS 2000

static volatile unsigned long bits_set;

/* Vcpu 1 sets and clears its bit of the entry, as vcpu 0 does with another one. */
static void toggle(unsigned bit)
{
    for (unsigned i = 0; i < RACE_ROUNDS; i++) {
        bool was;

        __asm__ volatile("lock btcq %2, %0; setc %1"
                         : "+m"(*entry()), "=q"(was)
                         : "r"((uint64_t)bit)
                         : "memory", "cc");
        if (was != (i & 1))
            __atomic_add_fetch(&bits_set, 1, __ATOMIC_SEQ_CST); /* somebody else's write got lost */
    }
}

static void toggle_on_vcpu1(void *arg)
{
    toggle((uintptr_t)arg);
}

TEST(locked_writes_of_two_vcpus_do_not_get_lost)
{
    uint64_t *page = new_page();

    if (vcpu_count() < 2)
        skip("one vcpu only");
    for (unsigned present = 0; present < 2; present++) {
        reset(present ? ro_pte(page) : 0);
        bits_set = 0;
        need_eq(vcpu_start(1, toggle_on_vcpu1, (void *)10), 0);
        toggle(11);
        vcpu_wait_down(1);
        check_eq(bits_set, 0);
        check_eq(*entry() & (PTE_SW1 | PTE_SW2), 0);
    }
    reset(0);
    free_page(page);
}

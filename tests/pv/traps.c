/* SPDX-License-Identifier: MIT */
/* Traps: does each exception reach the handler that the guest registered, with the state that the CPU
 * would have shown, and does nothing that a guest returns to or registers harm the hypervisor? */
#include <pv/test.h>
#include <xen/callback.h>
#include <xen/nmi.h>

#define HV_ADDR   0xffff820000000000ul
#define BAD_ADDR  0x0000800000000000ul /* not canonical */

/* ---- exceptions ---- */

TEST(faults_arrive_with_their_vectors)
{
    check_fault(TRAP_DE, __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx"));
    check_fault(TRAP_UD, __asm__ volatile("ud2"));
    check_fault(TRAP_BP, __asm__ volatile("int3"));
    check_fault_err(TRAP_GP, 0, __asm__ volatile("mov (%0), %%eax" : : "r"(BAD_ADDR) : "eax"));
}

TEST(breakpoint_returns_behind_the_instruction)
{
    volatile uint64_t at = 0;
    struct fault f = FAULT_OF(uint64_t next; __asm__ volatile("lea 1f(%%rip), %0; mov %0, %1; int3; 1:"
                                                              : "=&r"(next), "=m"(at)));

    check(f.hit && f.vector == TRAP_BP);
    check_eq(f.rip, at);
}

TEST(page_fault_tells_address_and_reason)
{
    char *va = vm_reserve(2), *page = alloc_page();
    struct fault f;

    need(va && page);
    f = check_fault_err(TRAP_PF, 0, *(volatile char *)(va + 5));
    check_eq(f.cr2, (uint64_t)va + 5);
    f = check_fault_err(TRAP_PF, PFEC_W, *(volatile char *)(va + 7) = 1);
    check_eq(f.cr2, (uint64_t)va + 7);
    need_eq(map_frame((uint64_t)va, virt_to_mfn(page), PROT_RO), 0);
    check_no_fault(*(volatile char *)va);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *(volatile char *)va = 1);
    check_eq(unmap_frame((uint64_t)va), 0);
    check_fault_err(TRAP_PF, 0, *(volatile char *)va);
    free_page(page);
}

TEST(hypervisor_memory_is_closed)
{
    volatile uint64_t v;

    check_fault(TRAP_PF, v = *(volatile uint64_t *)HV_ADDR);
    check_fault(TRAP_PF, v = *(volatile uint64_t *)0xffff828000000000ul);
    check_fault(TRAP_PF, v = *(volatile uint64_t *)0xffff830000000000ul);
    check_fault(TRAP_PF, *(volatile uint64_t *)0xffff830000200000ul = 1);
    check_fault(TRAP_PF, *(volatile uint64_t *)0xffff800000000000ul = 1); /* m2p: read only */
    check_no_fault(v = *(volatile uint64_t *)(0xffff800000000000ul + 8 * virt_to_mfn(start_info)));
    (void)v;
}

TEST(page_with_nx_does_not_execute)
{
    char *va = vm_reserve(1), *page = alloc_page();
    struct fault f;

    need(va && page);
    page[0] = (char)0xc3;
    need_eq(map_frame((uint64_t)va, virt_to_mfn(page), PROT_RO), 0);
    check(probe_call(va, NULL));
    need_eq(map_frame((uint64_t)va, virt_to_mfn(page), PROT_RO | PTE_NX), 0);
    check(!probe_call(va, &f));
    check_eq(f.vector, TRAP_PF);
    check_eq(f.error, PFEC_P | PFEC_I);
    check_eq(unmap_frame((uint64_t)va), 0);
    free_page(page);
}

/* ---- software interrupts ---- */

TEST(int_n_goes_through_the_trap_table)
{
    /* No handler: #GP that names the gate. */
    check_fault_err(TRAP_GP, 0x77 * 8 + 2, __asm__ volatile("int $0x77"));
    check_fault_err(TRAP_GP, 0xf1 * 8 + 2, __asm__ volatile("int $0xf1")); /* the hypervisor's IPIs */
    check_fault_err(TRAP_GP, 0xff * 8 + 2, __asm__ volatile("int $0xff"));
}

static volatile unsigned soft_hits;

static bool count_soft(struct trap_regs *r)
{
    (void)r;
    soft_hits++;
    return true;
}

TEST(int80_from_the_kernel)
{
    trap_handler_fn *old = trap_set_handler(TRAP_INT80, count_soft);

    soft_hits = 0;
    __asm__ volatile("int $0x80" ::: "memory");
    check_eq(soft_hits, 1);
    trap_set_handler(TRAP_INT80, old);
}

/* ---- single steps ---- */

static volatile unsigned db_hits;

static bool count_db(struct trap_regs *r)
{
    db_hits++;
    r->rflags &= ~(uint64_t)X86_EFLAGS_TF;
    return true;
}

TEST(single_step_traps_after_one_instruction)
{
    trap_handler_fn *old = trap_set_handler(TRAP_DB, count_db);

    db_hits = 0;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" ::: "memory", "cc");
    check_eq(db_hits, 1);
    trap_set_handler(TRAP_DB, old);
}

TEST(single_step_over_a_hypercall)
{
    trap_handler_fn *old = trap_set_handler(TRAP_DB, count_db);
    long ret = __HYPERVISOR_xen_version;

    db_hits = 0;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; syscall; nop"
                     : "+a"(ret)
                     : "D"(0), "S"(0)
                     : "rcx", "r11", "memory", "cc");
    check_eq(ret, 4 << 16 | 17);
    check_ge(db_hits, 1);
    trap_set_handler(TRAP_DB, old);
}

/* ---- registering ---- */

TEST(trap_table_refuses_bad_addresses)
{
    struct trap_info t[2] = {{.vector = 0x90, .cs = FLAT_KERNEL_CS, .address = HV_ADDR}, {0}};

    check_eq(hypercall_set_trap_table((void *)HV_ADDR), -EFAULT);
    check_eq(hypercall_set_trap_table((void *)BAD_ADDR), -EFAULT);
    t[0].address = (uint64_t)entry_event;
    check_eq(hypercall_set_trap_table(t), 0);
    t[0].address = 0;
    check_eq(hypercall_set_trap_table(t), 0);
    trap_init_vcpu();
}

static long register_callback(unsigned type, uint64_t address, unsigned flags)
{
    struct callback_register r = {.type = type, .flags = flags, .address = address};

    return hypercall_callback_op(CALLBACKOP_register, &r);
}

static long unregister_callback(unsigned type)
{
    struct callback_unregister u = {.type = type};

    return hypercall_callback_op(CALLBACKOP_unregister, &u);
}

TEST(callbacks_register_and_unregister)
{
    check_eq(register_callback(CALLBACKTYPE_event, (uint64_t)entry_event, 0), 0);
    check_eq(register_callback(CALLBACKTYPE_failsafe, (uint64_t)entry_failsafe, 0), 0);
    check_eq(register_callback(CALLBACKTYPE_syscall, (uint64_t)entry_syscall, 1), 0);
    check_eq(register_callback(CALLBACKTYPE_sysenter, (uint64_t)entry_sysenter, 1), 0);
    check_eq(register_callback(CALLBACKTYPE_syscall32, (uint64_t)entry_sysenter, 1), 0);
    check_eq(register_callback(CALLBACKTYPE_nmi, (uint64_t)entry_event, 0), 0);
    check_eq(unregister_callback(CALLBACKTYPE_nmi), 0);
    check_eq(unregister_callback(CALLBACKTYPE_event), -EINVAL);
    check_eq(unregister_callback(CALLBACKTYPE_syscall), -EINVAL);
    check_eq(unregister_callback(99), -ENOSYS);
    check_eq(register_callback(99, (uint64_t)entry_event, 0), -ENOSYS);
    check_eq(hypercall_callback_op(17, NULL), -ENOSYS);
    check_eq(hypercall_callback_op(CALLBACKOP_register, (void *)HV_ADDR), -EFAULT);
    trap_init_vcpu();
}

TEST(callbacks_refuse_addresses_that_cannot_be) /* XSA-193, XSA-215 */
{
    check_eq(register_callback(CALLBACKTYPE_event, BAD_ADDR, 0), -EINVAL);
    check_eq(register_callback(CALLBACKTYPE_syscall, 0x8000000000000000ul, 0), -EINVAL);
    check_eq(hypercall_set_callbacks(BAD_ADDR, (uint64_t)entry_failsafe, (uint64_t)entry_syscall),
             -EINVAL);
    check_eq(hypercall_set_callbacks((uint64_t)entry_event, BAD_ADDR, (uint64_t)entry_syscall),
             -EINVAL);
    check_eq(hypercall_set_callbacks((uint64_t)entry_event, (uint64_t)entry_failsafe, BAD_ADDR),
             -EINVAL);
    check_eq(hypercall_set_callbacks((uint64_t)entry_event, (uint64_t)entry_failsafe,
                                     (uint64_t)entry_syscall),
             0);
    trap_init_vcpu();
}

TEST(nmi_op)
{
    struct xennmi_callback cb = {.handler_address = (uint64_t)entry_event};

    check_eq(hypercall_nmi_op(XENNMI_register_callback, &cb), 0);
    check_eq(hypercall_nmi_op(XENNMI_unregister_callback, NULL), 0);
    cb.handler_address = BAD_ADDR;
    check_eq(hypercall_nmi_op(XENNMI_register_callback, &cb), -EINVAL);
    check_eq(hypercall_nmi_op(XENNMI_register_callback, (void *)HV_ADDR), -EFAULT);
    check_eq(hypercall_nmi_op(77, NULL), -ENOSYS);
}

/* ---- user mode ---- */

extern const char user_code_start[], user_code_syscall[], user_code_int80[], user_code_int3[],
    user_code_hlt[], user_code_int77[], user_code_tf_syscall[], user_code_sysenter[],
    user_code_nt_sysenter[], user_code_badjump[], user_code_hypercall_page[], user_code_end[];
__asm__(".pushsection .rodata\n"
        "user_code_start:\n"
        "user_code_syscall: mov $1234, %eax; syscall; ud2\n"
        "user_code_int80: mov $77, %eax; int $0x80; ud2\n"
        "user_code_int3: int3; ud2\n"
        "user_code_hlt: hlt; ud2\n"
        "user_code_int77: int $0x77; ud2\n"
        "user_code_tf_syscall: pushfq; orl $0x100, (%rsp); popfq; syscall; ud2\n"
        "user_code_sysenter: sysenter; ud2\n"
        "user_code_nt_sysenter: pushfq; orl $0x4000, (%rsp); popfq; sysenter; ud2\n"
        "user_code_badjump: movabs $0x7fffffffeffe, %rax; jmp *%rax\n"
        "user_code_end:\n"
        ".popsection\n");

static struct user_space us;
static bool us_ready;

static bool user_setup(void)
{
    if (!us_ready && user_space_create(&us) == 0 &&
        user_map_page(&us, USER_STACK_TOP - PAGE_SIZE, PTE_RW, NULL) == 0 &&
        user_map_code(&us, USER_CODE, user_code_start, user_code_end) == 0)
        us_ready = true;
    return us_ready;
}

static struct trap_regs user_at(const char *label)
{
    return (struct trap_regs){.rip = USER_CODE + (uint64_t)(label - user_code_start),
                              .rsp = USER_STACK_TOP - 64};
}

TEST(user_system_calls)
{
    struct trap_regs r;

    need(user_setup());
    r = user_at(user_code_syscall);
    check_eq(user_run(&us, &r), TRAP_SYSCALL);
    check_eq(r.rax, 1234);
    check_eq(r.cs & 3, 3);
    check_eq(r.rip, USER_CODE + 7);
    check_eq(r.rsp, USER_STACK_TOP - 64);
    r = user_at(user_code_int80);
    check_eq(user_run(&us, &r), TRAP_INT80);
    check_eq(r.rax, 77);
}

TEST(user_exceptions)
{
    struct trap_regs r;

    need(user_setup());
    r = user_at(user_code_int3);
    check_eq(user_run(&us, &r), TRAP_BP);
    r = user_at(user_code_hlt);
    check_eq(user_run(&us, &r), TRAP_GP);
    check_eq(r.error, 0);
    r = user_at(user_code_int77);
    check_eq(user_run(&us, &r), TRAP_GP);
    check_eq(r.error, 0x77 * 8 + 2);
    r = (struct trap_regs){.rip = 0x12345000, .rsp = USER_STACK_TOP - 64};
    check_eq(user_run(&us, &r), TRAP_PF);
    check_eq(r.error & (PFEC_U | PFEC_P), PFEC_U);
    check_eq(trap_cr2(), 0x12345000);
    r = (struct trap_regs){.rip = (uint64_t)entry_event, .rsp = USER_STACK_TOP - 64};
    check_eq(user_run(&us, &r), TRAP_PF); /* the kernel's pages are not in the user's tables */
}

TEST(user_single_step_across_syscall)
{
    struct trap_regs r;
    unsigned vector;

    need(user_setup());
    r = user_at(user_code_tf_syscall);
    vector = user_run(&us, &r);
    check(vector == TRAP_DB || vector == TRAP_SYSCALL);
}

TEST(sysenter_with_and_without_nt) /* XSA-44, XSA-339 */
{
    struct trap_regs r;
    unsigned v;

    need(user_setup());
    r = user_at(user_code_sysenter);
    v = user_run(&us, &r);
    check(v == TRAP_SYSENTER || v == TRAP_UD || v == TRAP_GP);
    r = user_at(user_code_nt_sysenter);
    v = user_run(&us, &r);
    check(v == TRAP_SYSENTER || v == TRAP_UD || v == TRAP_GP);
}

TEST(kernel_returns_user_to_bad_addresses) /* XSA-7 */
{
    struct trap_regs r;
    unsigned v;

    need(user_setup());
    r = (struct trap_regs){.rip = BAD_ADDR, .rsp = USER_STACK_TOP - 64};
    v = user_run(&us, &r);
    check(v == TRAP_FAILSAFE || v == TRAP_GP || v == TRAP_PF);
    r = user_at(user_code_syscall);
    check_eq(user_run(&us, &r), TRAP_SYSCALL);
}

/* An iret whose frame asks for what a guest may not have: IOPL, VM, NT and IF off. It comes back in
 * the kernel with harmless flags (XSA-136, XSA-202). */
TEST(iret_flags_are_sanitised)
{
    uint64_t flags;

    __asm__ volatile("mov %%rsp, %%rdx\n"
                     "and $-16, %%rsp\n"
                     "pushq %[ss]\n"
                     "pushq %%rdx\n"
                     "pushq %[flags]\n"
                     "pushq %[cs]\n"
                     "lea 1f(%%rip), %%rax\n"
                     "pushq %%rax\n"
                     "pushq $0\n" /* flags: no VGCF_in_syscall */
                     "pushq %%rcx\n"
                     "pushq %%r11\n"
                     "pushq %%rax\n"
                     "mov %[nr], %%eax\n"
                     "syscall\n"
                     "ud2\n"
                     "1: pushfq; popq %[out]\n"
                     : [out] "=&r"(flags)
                     : [ss] "i"(FLAT_KERNEL_SS), [cs] "i"(0xe030), [flags] "r"(0x27002ul | 0x4000),
                       [nr] "i"(__HYPERVISOR_iret)
                     : "rax", "rcx", "rdx", "r11", "memory", "cc");
    check_eq(flags & (3 << 12), 0);
    check_eq(flags & X86_EFLAGS_NT, 0);
    check_eq(flags & (1 << 17), 0);
    check_eq(flags & X86_EFLAGS_IF, X86_EFLAGS_IF);
    check(!events_enabled()); /* IF clear in the frame masks upcalls */
}

/* ---- multicalls ---- */

TEST(multicall_runs_in_order_and_reports)
{
    struct multicall_entry c[3] = {
        {.op = __HYPERVISOR_xen_version, .args = {0}},
        {.op = 63},
        {.op = __HYPERVISOR_multicall, .args = {0, 0}},
    };

    check_eq(hypercall_multicall(c, 3), 0);
    check_eq(c[0].result, 4 << 16 | 17);
    check_eq(c[1].result, -ENOSYS);
    check_eq(c[2].result, -EINVAL);
    check_eq(hypercall_multicall((void *)HV_ADDR, 1), -EFAULT);
    check_eq(hypercall_multicall((void *)BAD_ADDR, 1), -EFAULT);
    check_eq(hypercall_multicall((void *)(HV_ADDR - 64), 2), -EFAULT);
    check_eq(hypercall_multicall(NULL, 0), 0);
    c[0].op = 0xffffffff00000011ul; /* all of the number counts */
    check_eq(hypercall_multicall(c, 1), 0);
    check_eq(c[0].result, -ENOSYS);
    check_eq(hypercall1(0x100000011ul, 0), -ENOSYS);
}

TEST(unknown_hypercalls_are_refused)
{
    static const unsigned nr[] = {11, 37, 38, 43, 47, 56, 63, 64, 1000, 0x7fffffff, 0xffffffff};

    for (unsigned i = 0; i < sizeof(nr) / sizeof(nr[0]); i++)
        check_eq(hypercall1(nr[i], 0), -ENOSYS);
}

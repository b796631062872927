/* SPDX-License-Identifier: MIT */
/* CPU state that a guest sets by hypercall or by privileged instructions: descriptor tables, segment
 * bases, debug registers, FPU flag, control registers, MSRs, CPUID, I/O ports. Good values work, bad
 * ones are refused, and none reaches the hardware unchecked. */
#include <pv/test.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/physdev.h>

#define HV_ADDR  0xffff820000000000ul
#define BAD_ADDR 0x0000800000000000ul

#define MSR_EFER   0xc0000080
#define MSR_FS     0xc0000100
#define MSR_GS     0xc0000101
#define MSR_KGS    0xc0000102

/* ---- segment bases ---- */

static uint64_t fs_word(void)
{
    uint64_t v;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(v));
    return v;
}

static uint64_t gs_word(void)
{
    uint64_t v;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    return v;
}

static uint64_t word_a = 0xa5a5, word_b = 0x5a5a;

TEST(segment_bases)
{
    check_eq(hypercall_set_segment_base(SEGBASE_FS, (uint64_t)&word_a), 0);
    check_eq(fs_word(), 0xa5a5);
    check_eq(hypercall_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)&word_b), 0);
    check_eq(gs_word(), 0x5a5a);
    check_eq(hypercall_set_segment_base(SEGBASE_GS_USER, (uint64_t)&word_a), 0);
    check_eq(gs_word(), 0x5a5a);
    check_eq(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    check_eq(gs_word(), 0x5a5a);
    check_eq(rdmsr(MSR_FS), (uint64_t)&word_a);
    check_eq(rdmsr(MSR_GS), (uint64_t)&word_b);
    wrmsr(MSR_FS, (uint64_t)&word_b);
    check_eq(fs_word(), 0x5a5a);
    check_eq(hypercall_set_segment_base(99, 0), -EINVAL);
}

TEST(segment_bases_must_be_canonical) /* XSA-193 */
{
    check_eq(hypercall_set_segment_base(SEGBASE_FS, BAD_ADDR), -EINVAL);
    check_eq(hypercall_set_segment_base(SEGBASE_GS_KERNEL, BAD_ADDR), -EINVAL);
    check_eq(hypercall_set_segment_base(SEGBASE_GS_USER, 0x8000000000000000ul), -EINVAL);
    check_fault(TRAP_GP, wrmsr(MSR_FS, BAD_ADDR));
    check_fault(TRAP_GP, wrmsr(MSR_GS, BAD_ADDR));
    check_fault(TRAP_GP, wrmsr(MSR_KGS, BAD_ADDR));
}

TEST(segment_base_survives_a_switch)
{
    struct sched_poll poll = {.nr_ports = 0, .timeout = time_now() + 2000000};

    check_eq(hypercall_set_segment_base(SEGBASE_FS, (uint64_t)&word_a), 0);
    check_eq(hypercall_sched_op(SCHEDOP_yield, NULL), 0);
    check_eq(hypercall_sched_op(SCHEDOP_poll, &poll), 0);
    check_eq(fs_word(), 0xa5a5);
}

/* ---- GDT and descriptors ---- */

#define DESC_DATA3 0x00cff3000000ffffull /* data, DPL 3, present */
#define DESC_CODE3 0x00affb000000ffffull /* 64-bit code, DPL 3 */
#define DESC_CODE0 0x00af9b000000ffffull /* 64-bit code, DPL 0 */
#define DESC_CALLGATE 0x0000ec0000000000ull
#define DESC_TSS   0x0000890000000067ull
#define DESC_LDT   0x0000820000000fffull

static uint64_t *gdt;

static void gdt_drop(void)
{
    check_eq(hypercall_set_gdt(NULL, 0), 0);
    check_eq(page_writable(gdt), 0);
    free_page(gdt);
}

static bool gdt_make(uint64_t desc)
{
    xen_ulong_t frame;

    gdt = alloc_page();
    if (!gdt)
        return false;
    gdt[1] = desc;
    frame = virt_to_mfn(gdt);
    return page_readonly(gdt) == 0 && hypercall_set_gdt(&frame, 512) == 0;
}

static void load_es(unsigned sel)
{
    __asm__ volatile("mov %0, %%es" : : "r"(sel));
}

TEST(gdt_entries_can_be_loaded)
{
    need(gdt_make(DESC_DATA3));
    check_no_fault(load_es(0x0b));
    check_fault(TRAP_GP, load_es(0x13)); /* an empty entry... */
    check_fault(TRAP_GP, load_es(0x100b)); /* ... and one beyond the table */
    load_es(0);
    gdt_drop();
}

TEST(gdt_page_cannot_be_written)
{
    need(gdt_make(DESC_DATA3));
    check_fault(TRAP_PF, *(volatile uint64_t *)&gdt[2] = DESC_CODE0);
    check_ne(page_writable(gdt), 0);
    gdt_drop();
}

static void refuses_descriptor(uint64_t *page, uint64_t desc)
{
    xen_ulong_t frame = virt_to_mfn(page);

    page[3] = desc;
    need_eq(page_readonly(page), 0);
    check_eq(hypercall_set_gdt(&frame, 512), -EINVAL);
    check_eq(hypercall_set_gdt(NULL, 0), 0);
    check_eq(page_writable(page), 0);
}

TEST(gdt_refuses_bad_frames)
{
    uint64_t *page = alloc_page();
    xen_ulong_t frames[16];

    need(page);
    for (unsigned i = 0; i < 16; i++)
        frames[i] = virt_to_mfn(page);
    check_eq(hypercall_set_gdt(frames, 14 * 512 + 1), -EINVAL);
    check_eq(hypercall_set_gdt((void *)HV_ADDR, 512), -EFAULT);
    check_ne(hypercall_set_gdt(frames, 512), 0); /* still writable */
    frames[0] = ~0ul;
    check_eq(hypercall_set_gdt(frames, 512), -EINVAL);
    refuses_descriptor(page, DESC_CALLGATE);
    refuses_descriptor(page, DESC_TSS);
    free_page(page);
}

TEST(update_descriptor)
{
    uint64_t at;

    need(gdt_make(DESC_DATA3));
    at = virt_to_maddr(&gdt[2]);
    check_eq(hypercall_update_descriptor(at, DESC_DATA3), 0);
    check_no_fault(load_es(0x13));
    load_es(0);
    check_eq(hypercall_update_descriptor(at, 0), 0);
    check_eq(hypercall_update_descriptor(at, DESC_CALLGATE), -EINVAL);
    check_eq(hypercall_update_descriptor(at, DESC_TSS), -EINVAL);
    check_eq(hypercall_update_descriptor(at, DESC_LDT), -EINVAL);
    check_eq(hypercall_update_descriptor(at + 4, DESC_DATA3), -EINVAL);
    check_eq(hypercall_update_descriptor(~7ul, DESC_DATA3), -EINVAL);
    check_eq(hypercall_update_descriptor(0, DESC_DATA3), -EINVAL);
    check_eq(hypercall_update_descriptor(virt_to_maddr(pt_entry((uint64_t)gdt, 1)), DESC_DATA3),
             -EINVAL); /* not into a page table */
    gdt_drop();
}

TEST(ldt)
{
    uint64_t *page = alloc_page();

    need(page);
    page[1] = DESC_DATA3;
    need_eq(page_readonly(page), 0);
    check_eq(mmuext(MMUEXT_SET_LDT, (uint64_t)page, 512), 0);
    check_no_fault(load_es(0x0f));
    check_fault(TRAP_GP, load_es(0x17));
    load_es(0);
    check_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    check_fault(TRAP_GP, load_es(0x0f)); /* XSA-298: an empty LDT has no entries */
    check_eq(mmuext(MMUEXT_SET_LDT, (uint64_t)page, 8193), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, (uint64_t)page + 8, 512), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, HV_ADDR, 512), -EINVAL);
    check_eq(mmuext(MMUEXT_SET_LDT, BAD_ADDR, 512), -EINVAL);
    check_eq(page_writable(page), 0);
    free_page(page);
}

TEST(selectors_of_the_hypervisor_are_closed)
{
    check_fault(TRAP_GP, load_es(0xe008));
    check_fault(TRAP_GP, load_es(0xe010));
    check_fault(TRAP_GP, load_es(0xe040));
    check_no_fault(load_es(FLAT_RING3_DS32));
    load_es(0);
}

/* ---- debug registers ---- */

static volatile unsigned db_hits;

static bool on_db(struct trap_regs *r)
{
    (void)r;
    db_hits++;
    return true;
}

TEST(debug_registers)
{
    static volatile uint64_t watched;
    trap_handler_fn *old = trap_set_handler(TRAP_DB, on_db);

    db_hits = 0;
    check_eq(hypercall_set_debugreg(0, (uint64_t)&watched), 0);
    check_eq(hypercall_get_debugreg(0), (uint64_t)&watched);
    check_eq(hypercall_set_debugreg(7, 0x000d0001 | 0x400), 0); /* 8... 4 bytes, on writes */
    watched = 1;
    check_eq(db_hits, 1);
    check_eq(hypercall_get_debugreg(6) & 1, 1);
    check_eq(hypercall_set_debugreg(7, 0), 0);
    watched = 2;
    check_eq(db_hits, 1);
    check_eq(hypercall_set_debugreg(6, 0), 0);
    trap_set_handler(TRAP_DB, old);
}

TEST(debug_registers_refuse) /* XSA-12, XSA-444 */
{
    check_eq(hypercall_set_debugreg(0, HV_ADDR), -EPERM);
    check_eq(hypercall_set_debugreg(1, 0xffff828000000000ul), -EPERM);
    check_eq(hypercall_set_debugreg(7, 1 << 13), -EPERM);
    check_eq(hypercall_set_debugreg(7, 0x00020001), -EPERM); /* I/O breakpoint without CR4.DE */
    check_ne(hypercall_set_debugreg(8, 0), 0);
    check_ne(hypercall_set_debugreg(-1, 0), 0);
    check_eq(hypercall_set_debugreg(7, 0xffffffff00000000ul), -EINVAL); /* there is no upper half */
    check_eq(hypercall_set_debugreg(7, 0xdc00), 0); /* reserved bits are dropped */
    check_eq(hypercall_get_debugreg(7), 0x400);
    check_eq(hypercall_set_debugreg(7, 0), 0);
}

/* A data breakpoint on the operand of MOV SS, directly before a SYSCALL: #DB then arrives at the first
 * instruction of the hypervisor (XSA-260). */
TEST(mov_ss_shadow_before_a_hypercall)
{
    static volatile uint16_t ss_sel = FLAT_RING3_SS64;
    trap_handler_fn *old = trap_set_handler(TRAP_DB, on_db);
    long ret = __HYPERVISOR_xen_version;

    check_eq(hypercall_set_debugreg(0, (uint64_t)&ss_sel), 0);
    check_eq(hypercall_set_debugreg(7, 0x00070001), 0); /* two bytes, read or write */
    __asm__ volatile("mov %[sel], %%ss; syscall"
                     : "+a"(ret)
                     : [sel] "m"(ss_sel), "D"(0), "S"(0)
                     : "rcx", "r11", "memory");
    check_eq(ret, 4 << 16 | 17);
    check_eq(hypercall_set_debugreg(7, 0), 0);
    trap_set_handler(TRAP_DB, old);
}

/* ---- FPU ---- */

static void use_fpu(void)
{
    __asm__ volatile("fninit; fld1; fstp %st(0)");
}

TEST(fpu_taskswitch)
{
    check_eq(hypercall_fpu_taskswitch(1), 0);
    check_fault(TRAP_NM, use_fpu());
    check_no_fault(use_fpu()); /* the trap cleared TS */
    check_eq(hypercall_fpu_taskswitch(1), 0);
    check_eq(hypercall_fpu_taskswitch(0), 0);
    check_no_fault(use_fpu());
    check_eq(hypercall_fpu_taskswitch(1), 0);
    check_no_fault(__asm__ volatile("clts"));
    check_no_fault(use_fpu());
}

TEST(fpu_state_survives_blocking)
{
    struct sched_poll poll = {.nr_ports = 0, .timeout = time_now() + 2000000};
    uint64_t in = 0x1122334455667788ul, out = 0;

    __asm__ volatile("movq %0, %%xmm7" : : "r"(in));
    check_eq(hypercall_sched_op(SCHEDOP_poll, &poll), 0);
    __asm__ volatile("movq %%xmm7, %0" : "=r"(out));
    check_eq(in, out);
}

/* ---- control registers and MSRs ---- */

#define READ_CR(n)                                                                                 \
    __extension__({                                                                                \
        uint64_t v_;                                                                               \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_));                                         \
        v_;                                                                                        \
    })

static void write_cr0(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

TEST(control_registers)
{
    uint64_t cr0 = READ_CR(0);

    check_eq(cr0 & 0x80000001, 0x80000001);
    check_eq(cr0 & 8, 0);
    check_no_fault(write_cr0(cr0 | 8));
    check_eq(READ_CR(0) & 8, 8);
    check_fault(TRAP_NM, use_fpu());
    check_no_fault(write_cr0(cr0));
    check_fault(TRAP_GP, write_cr0(cr0 & ~0x80000000ul)); /* paging stays on */
    check_fault(TRAP_GP, write_cr0(cr0 & ~0x10000ul));    /* write protection too */
    check_eq(READ_CR(3) >> PAGE_SHIFT, pfn_to_mfn(pt_kernel_root()));
    check_eq(READ_CR(4) & (1 << 5), 1 << 5);
    check_fault(TRAP_GP, __asm__ volatile("mov %0, %%cr8" : : "r"(0ul)));
    check_eq(READ_CR(0) & 8, 0);
}

TEST(cr3_takes_only_a_validated_root)
{
    uint64_t cr3 = READ_CR(3);
    void *page = alloc_page();

    need(page);
    check_no_fault(__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory"));
    check_fault(TRAP_GP, __asm__ volatile("mov %0, %%cr3" : : "r"(virt_to_maddr(page)) : "memory"));
    check_eq(READ_CR(3), cr3);
    free_page(page);
}

TEST(msrs)
{
    check_eq(rdmsr(MSR_EFER) & 0x501, 0x501);
    check_fault(TRAP_GP, rdmsr(0xdeadbeef)); /* XSA-333: nothing that is not on the list */
    check_fault(TRAP_GP, wrmsr(0xdeadbeef, 1));
    check_fault(TRAP_GP, rdmsr(0x611)); /* XSA-351: energy counters */
    check_fault(TRAP_GP, rdmsr(0xc0000082)); /* the hypervisor's own entry point */
    check_fault(TRAP_GP, wrmsr(0xc0000082, 0x1000));
    check_fault(TRAP_GP, wrmsr(0x175, 0x1000));
    check_fault(TRAP_GP, wrmsr(0x277, 0));
}

/* ---- CPUID ---- */

TEST(cpuid_of_the_hypervisor)
{
    struct cpuid c = cpuid_pv(XEN_CPUID_FIRST_LEAF, 0);

    check_ge(c.a, XEN_CPUID_LEAF(2));
    check_eq(c.b, XEN_CPUID_SIGNATURE_EBX);
    check_eq(c.c, XEN_CPUID_SIGNATURE_ECX);
    check_eq(c.d, XEN_CPUID_SIGNATURE_EDX);
    check_eq(cpuid_pv(XEN_CPUID_LEAF(1), 0).a, 4 << 16 | 17);
    c = cpuid_pv(XEN_CPUID_LEAF(2), 0);
    check_eq(c.a, 1);
    check_eq(c.b, 0x40000000);
    check_eq(c.c & 1, 1);
}

TEST(cpuid_hides_what_cannot_be_used)
{
    struct cpuid c = cpuid_pv(1, 0);

    check_eq(c.c & (1 << 5), 0);  /* VMX */
    check_eq(c.c & (1 << 3), 0);  /* MONITOR */
    check_eq(c.c & (1 << 17), 0); /* PCID */
    check_eq(c.c & (1u << 31), 1u << 31);
    check_eq(c.d & (1 << 3), 0);  /* PSE: no superpages */
    check_eq(c.d & 1, 1);
    c = cpuid_pv(7, 0);
    check_eq(c.b & (1 << 7 | 1 << 20 | 1 << 10), 0); /* SMEP, SMAP, INVPCID */
    c = cpuid_pv(0x80000001, 0);
    check_eq(c.c & (1 << 2), 0); /* SVM */
    check_eq(c.d & (1 << 29), 1 << 29);
    check_eq(c.d & (1 << 26), 0); /* 1 GiB pages */
    c = cpuid_pv(0x7fffffff, 0);
    check_eq(c.a | c.b | c.c | c.d, 0);
}

/* ---- I/O ports ---- */

TEST(io_ports_need_iopl)
{
    struct physdev_set_iopl iopl = {.iopl = 0};

    check_eq(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    check_fault(TRAP_GP, inb(0x80));
    check_fault(TRAP_GP, outb(0x80, 0));
    iopl.iopl = 1;
    check_eq(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    check_no_fault(inb(0x80));
    check_no_fault(outb(0x80, 0));
    check_no_fault(__asm__ volatile("cli"));
    check_no_fault(__asm__ volatile("sti"));
    iopl.iopl = 4;
    check_eq(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), -EINVAL);
    iopl.iopl = 0;
    check_eq(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    check_fault(TRAP_GP, __asm__ volatile("cli"));
    check_eq(hypercall_physdev_op(PHYSDEVOP_set_iopl, (void *)HV_ADDR), -EFAULT);
}

TEST(privileged_instructions_stay_privileged)
{
    check_fault(TRAP_GP, __asm__ volatile("hlt"));
    check_fault(TRAP_GP, __asm__ volatile("lgdt %0" : : "m"(word_a)));
    check_fault(TRAP_GP, __asm__ volatile("lidt %0" : : "m"(word_a)));
    check_fault(TRAP_GP, __asm__ volatile("ltr %w0" : : "r"(0xe040)));
    check_fault(TRAP_GP, __asm__ volatile("mov %0, %%dr7" : : "r"(1ul << 13)));
    check_no_fault(__asm__ volatile("wbinvd"));
    check_no_fault(__asm__ volatile("invlpg (%0)" : : "r"(&word_a)));
    check_no_fault(__asm__ volatile("invlpg (%0)" : : "r"(BAD_ADDR))); /* XSA-279 */
}

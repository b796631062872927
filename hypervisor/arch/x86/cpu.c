/* SPDX-License-Identifier: MIT */
/* What this machine's CPUs can do, and the registers that make one a CPU of the hypervisor. */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <hv/percpu.h>

#define SEALED __section(".data.sealed")

struct cpu_features cpu SEALED;
uint64_t cr4_hv SEALED;
bool opt_smep = true;
unsigned int opt_smap = SMAP_WHERE_IT_WORKS;

/* Entries 0..7: WB, WT, UC-, UC, WC, WP, UC, UC. Guests see these and choose among them by PTE. */
#define PAT_VALUE 0x0000050100070406UL

#define RFLAGS_CLEARED_BY_SYSCALL                                                                  \
    (X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_IOPL | X86_EFLAGS_NT |             \
     X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_VM)

/* Bits of the leaves that are looked at here. */
#define L1C_XSAVE        (1u << 26)
#define L1C_X2APIC       (1u << 21)
#define L1C_TSC_DEADLINE (1u << 24)
#define L1D_SEP          (1u << 11)
#define L7B_FSGSBASE     (1u << 0)
#define L7B_SMEP         (1u << 7)
#define L7B_INVPCID      (1u << 10)
#define L7B_SMAP         (1u << 20)
#define L7C_UMIP         (1u << 2)
#define E1D_PAGE1G       (1u << 26)
#define E1D_RDTSCP       (1u << 27)
#define E7D_INVARIANT    (1u << 8)

static void need(uint32_t word, unsigned int bit, const char *name)
{
    if (!(word >> bit & 1))
        boot_fail("this CPU lacks a feature that is needed: %s", name);
}

static void check_needed(void)
{
    static const struct {
        uint8_t bit;
        char name[7];
    } leaf1_edx[] = {{0, "FPU"},  {4, "TSC"},   {5, "MSR"},  {6, "PAE"},
                     {8, "CX8"},  {9, "APIC"},  {13, "PGE"}, {15, "CMOV"},
                     {16, "PAT"}, {24, "FXSR"}, {25, "SSE"}, {26, "SSE2"}};

    for (unsigned int i = 0; i < ARRAY_SIZE(leaf1_edx); i++)
        need(cpu.leaf1_edx, leaf1_edx[i].bit, leaf1_edx[i].name);
    need(cpu.ext1_edx, 20, "NX");
    need(cpu.ext1_edx, 29, "64-bit mode");
}

static void detect_identity(void)
{
    struct cpuid_leaf l0 = cpuid(0, 0), l1 = cpuid(1, 0);

    cpu.max_basic = l0.a;
    memcpy(cpu.vendor, &l0.b, 4);
    memcpy(cpu.vendor + 4, &l0.d, 4);
    memcpy(cpu.vendor + 8, &l0.c, 4);
    cpu.amd = !strcmp(cpu.vendor, "AuthenticAMD") || !strcmp(cpu.vendor, "HygonGenuine");
    cpu.max_ext = cpuid(0x80000000, 0).a;

    cpu.leaf1_ecx = l1.c;
    cpu.leaf1_edx = l1.d;
    cpu.stepping = l1.a & 15;
    cpu.model = l1.a >> 4 & 15;
    cpu.family = l1.a >> 8 & 15;
    if (cpu.family == 15 || cpu.family == 6)
        cpu.model |= l1.a >> 12 & 0xf0;
    if (cpu.family == 15)
        cpu.family += l1.a >> 20 & 0xff;
}

/* Of the state components only those that guests may be given: x87, SSE, AVX, AVX-512. */
static void detect_xstate(void)
{
    cpu.xsave_size = 512;
    if (!cpu.xsave)
        return;
    cpu.xcr0_mask = cpuid(0xd, 0).a & 0xe7;
    if ((cpu.xcr0_mask & 0xe0) != 0xe0)
        cpu.xcr0_mask &= 7;
    cpu.xsave_size = 576;
    for (unsigned int i = 2; i < 64; i++) {
        struct cpuid_leaf l = cpu.xcr0_mask >> i & 1 ? cpuid(0xd, i) : (struct cpuid_leaf){0};

        cpu.xsave_size = max(cpu.xsave_size, (size_t)l.a + l.b);
    }
}

/* QEMU's own translator, as Debian 12 has it, applies SMAP to an IRET in ring 3 and so kills guest
 * kernels that return by one. smap=1 on the command line turns it on all the same. */
static bool emulator_breaks_smap(void)
{
    struct cpuid_leaf l = cpuid(0x40000000, 0);

    return cpu.leaf1_ecx & 1u << 31 && l.b == 0x54474354 && l.c == 0x43544743 &&
           l.d == 0x47435447; /* "TCGTCGTCGTCG" */
}

/* Leaves that are not there read as zero. */
static struct cpuid_leaf extended(uint32_t leaf)
{
    return leaf <= cpu.max_ext ? cpuid(leaf, 0) : (struct cpuid_leaf){0};
}

void cpu_detect(void)
{
    struct cpuid_leaf l7 = {0};

    detect_identity();
    if (cpu.max_basic >= 7)
        l7 = cpuid(7, 0);
    cpu.leaf7_ebx = l7.b;
    cpu.leaf7_ecx = l7.c;
    cpu.ext1_edx = extended(0x80000001).d;
    check_needed();

    cpu.paddr_bits = cpu.max_ext >= 0x80000008 ? min(cpuid(0x80000008, 0).a & 0xff, 52u) : 36;
    cpu.invariant_tsc = extended(0x80000007).d & E7D_INVARIANT;
    cpu.page1g = cpu.ext1_edx & E1D_PAGE1G;
    cpu.rdtscp = cpu.ext1_edx & E1D_RDTSCP;
    cpu.smep = opt_smep && (cpu.leaf7_ebx & L7B_SMEP);
    cpu.smap =
        (cpu.leaf7_ebx & L7B_SMAP) && opt_smap != 0 && (opt_smap == 1 || !emulator_breaks_smap());
    cpu.fsgsbase = cpu.leaf7_ebx & L7B_FSGSBASE;
    cpu.invpcid = cpu.leaf7_ebx & L7B_INVPCID;
    cpu.umip = cpu.leaf7_ecx & L7C_UMIP;
    cpu.xsave = (cpu.leaf1_ecx & L1C_XSAVE) && cpu.max_basic >= 0xd;
    cpu.tsc_deadline = cpu.leaf1_ecx & L1C_TSC_DEADLINE;
    cpu.x2apic = cpu.leaf1_ecx & L1C_X2APIC;
    cpu.sysenter = cpu.leaf1_edx & L1D_SEP;

    cr4_hv = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_MCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |
             (cpu.xsave ? X86_CR4_OSXSAVE : 0) | (cpu.smep ? X86_CR4_SMEP : 0) |
             (cpu.smap ? X86_CR4_SMAP : 0) | (cpu.umip ? X86_CR4_UMIP : 0) |
             (cpu.fsgsbase ? X86_CR4_FSGSBASE : 0);
    detect_xstate();
}

static void init_entry_msrs(unsigned int cpu_nr)
{
    wrmsr(MSR_STAR, (uint64_t)SEL_RING3_CS32 << 48 | (uint64_t)SEL_HV_CS64 << 32);
    wrmsr(MSR_LSTAR, desc_stub_entry(cpu_nr, STUB_SYSCALL));
    wrmsr(MSR_CSTAR, desc_stub_entry(cpu_nr, STUB_SYSCALL32));
    wrmsr(MSR_SYSCALL_MASK, RFLAGS_CLEARED_BY_SYSCALL);
    if (cpu.sysenter) {
        wrmsr(MSR_SYSENTER_CS, SEL_HV_CS64);
        wrmsr(MSR_SYSENTER_ESP, 0);
        wrmsr(MSR_SYSENTER_EIP, desc_stub_entry(cpu_nr, STUB_SYSENTER));
    }
}

void cpu_init_this(void)
{
    struct pcpu *p = pcpu_self();

    write_cr0(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM |
              X86_CR0_PG);
    wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    wrmsr(MSR_PAT, PAT_VALUE);
    write_cr4(cr4_hv);
    p->arch.cr4 = cr4_hv;
    p->arch.cr3 = hv_l4_paddr;
    desc_load(p->id);
    init_entry_msrs(p->id);
    write_dr6(0xffff0ff0);
    write_dr7(p->arch.dr7 = 0x400);
    if (cpu.xsave)
        asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)cpu.xcr0_mask), "d"(0));
    asm volatile("fninit");
}

/* SPDX-License-Identifier: MIT */
/* The CPUID policy: what this machine has, less what a PV guest cannot use or must not see. Read once
 * at boot, because CPUID itself is slow where this hypervisor often runs: inside another VM.
 * Ordinary CPUID in a guest is not intercepted; kernels use the forced-emulation prefix. */
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/processor.h>
#include <hv/domain.h>
#include <xen/arch-x86/cpuid.h>

#define NR_BASIC   0xe /* leaves 0 .. 0xd */
#define NR_EXT     9   /* 0x80000000 .. 0x80000008 */
#define NR_CACHES  8   /* sub-leaves of 4 */
#define NR_XSTATES 10  /* sub-leaves of 0xd */

static struct {
    struct cpuid_leaf basic[NR_BASIC], ext[NR_EXT], cache[NR_CACHES], xstate[NR_XSTATES];
} policy;

/* Leaf 1, ecx: SSE3, PCLMULQDQ, SSSE3, FMA, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, AVX, F16C,
 * RDRAND. */
#define LEAF1_ECX                                                                                  \
    (1u << 0 | 1u << 1 | 1u << 9 | 1u << 12 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 22 |          \
     1u << 23 | 1u << 25 | 1u << 26 | 1u << 28 | 1u << 29 | 1u << 30)
#define LEAF1_ECX_OSXSAVE    (1u << 27)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
/* Leaf 1, edx: FPU, DE, TSC, MSR, PAE, MCE, CX8, SEP, MCA, CMOV, PAT, CLFLUSH, MMX, FXSR, SSE, SSE2. */
#define LEAF1_EDX                                                                                  \
    (1u << 0 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 11 | 1u << 14 |    \
     1u << 15 | 1u << 16 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26)
/* Leaf 7, ebx: FSGSBASE, BMI1, AVX2, BMI2, ERMS, AVX512 F DQ, RDSEED, ADX, IFMA, CLFLUSHOPT, CLWB,
 * AVX512 CD, SHA, BW, VL. */
#define LEAF7_EBX                                                                                  \
    (1u << 0 | 1u << 3 | 1u << 5 | 1u << 8 | 1u << 9 | 1u << 16 | 1u << 17 | 1u << 18 | 1u << 19 |  \
     1u << 21 | 1u << 23 | 1u << 24 | 1u << 28 | 1u << 29 | 1u << 30 | 1u << 31)
/* Leaf 7, ecx: AVX512 VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ. */
#define LEAF7_ECX                                                                                  \
    (1u << 1 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14)
#define LEAF1_EDX_APIC (1u << 9)
#define LEAF7_EDX (1u << 4) /* fast short REP MOV */
/* Leaf 0x80000001, ecx: LAHF, ABM, SSE4A, misaligned SSE, 3DNow prefetch, XOP, FMA4, TBM; edx: SYSCALL,
 * NX, MMXEXT, RDTSCP, LM and, on AMD, the same bits as leaf 1. */
#define EXT1_ECX                                                                                   \
    (1u << 0 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 11 | 1u << 16 | 1u << 21)
#define EXT1_EDX_SAME 0x0183f3ff
#define EXT1_EDX      (1u << 11 | 1u << 20 | 1u << 22 | 1u << 27 | 1u << 29)

static struct cpuid_leaf host(uint32_t leaf, uint32_t sub)
{
    struct cpuid_leaf l;

    cpuid_count(leaf, sub, &l.a, &l.b, &l.c, &l.d);
    return l;
}

static void init_xstate(void)
{
    if (!cpu.xsave)
        return;
    policy.xstate[0] = host(0xd, 0);
    policy.xstate[0].a &= (uint32_t)cpu.xcr0_mask;
    policy.xstate[0].c = (uint32_t)cpu.xsave_size;
    policy.xstate[0].d = (uint32_t)(cpu.xcr0_mask >> 32);
    policy.xstate[1].a = host(0xd, 1).a & 1; /* XSAVEOPT; no compaction, no supervisor states */
    for (unsigned int i = 2; i < NR_XSTATES; i++)
        if (cpu.xcr0_mask >> i & 1)
            policy.xstate[i] = host(0xd, i);
}

void cpu_policy_init(void)
{
    struct cpuid_leaf *l1 = &policy.basic[1], *l7 = &policy.basic[7], *e1 = &policy.ext[1];
    uint32_t max_basic = min(host(0, 0).a, NR_BASIC - 1u), max_ext = host(0x80000000, 0).a;

    for (uint32_t i = 0; i <= max_basic; i++)
        policy.basic[i] = host(i, 0);
    max_ext = max_ext < 0x80000000 ? 0 : min(max_ext, 0x80000000 + NR_EXT - 1);
    for (uint32_t i = 0; max_ext && i <= max_ext - 0x80000000; i++)
        policy.ext[i] = host(0x80000000 + i, 0);
    policy.basic[0].a = max_basic;
    policy.ext[0].a = max_ext;

    l1->b &= 0x0000ffff; /* no initial APIC id, no count of logical processors */
    l1->c = (l1->c & LEAF1_ECX) | LEAF1_ECX_HYPERVISOR;
    l1->d &= LEAF1_EDX;
    if (!cpu.xsave)
        l1->c &= ~(1u << 26 | 1u << 12 | 1u << 28 | 1u << 29);
    l7->a = 0;
    l7->b &= LEAF7_EBX & (cpu.fsgsbase ? ~0u : ~1u);
    l7->c &= LEAF7_ECX;
    l7->d &= LEAF7_EDX;
    if (!(cpu.xcr0_mask & 4))
        l7->b &= ~(1u << 5);
    if ((cpu.xcr0_mask & 0xe0) != 0xe0) {
        l7->b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 28 | 1u << 30 | 1u << 31);
        l7->c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
    }
    e1->c &= EXT1_ECX;
    e1->d &= EXT1_EDX | (cpu.amd ? EXT1_EDX_SAME & LEAF1_EDX : 0);
    for (unsigned int i = 0; i < NR_CACHES && max_basic >= 4; i++) {
        policy.cache[i] = host(4, i);
        policy.cache[i].a &= 0x3fff; /* one thread, one core */
    }
    /* Nothing of power management, monitor, performance counters, topology: a vcpu has none. */
    for (unsigned int i = 4; i < NR_BASIC; i++)
        if (i != 7)
            policy.basic[i] = (struct cpuid_leaf){0};
    policy.ext[7].d &= 1u << 8; /* invariant TSC */
    policy.ext[8] = (struct cpuid_leaf){.a = policy.ext[8].a & 0xffff};
    init_xstate();
}

uint64_t guest_cr4(const struct vcpu *v)
{
    return v->arch.cr4;
}

static void hypervisor_leaf(uint32_t leaf, uint32_t sub, struct cpuid_leaf *out)
{
    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0:
        *out = (struct cpuid_leaf){XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES),
                                   XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
                                   XEN_CPUID_SIGNATURE_EDX};
        break;
    case 1:
        out->a = 4u << 16 | 17;
        break;
    case 2:
        *out = (struct cpuid_leaf){1, XEN_CPUID_FIRST_LEAF,
                                   XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD, 0};
        break;
    case 3:
        if (sub == 0)
            *out = (struct cpuid_leaf){(cpu.invariant_tsc ? 2u : 0) | (cpu.rdtscp ? 4u : 0), 0,
                                       time_tsc_khz(), 0};
        else if (sub == 2)
            out->a = time_tsc_khz();
        break;
    case 5:
        if (sub == 0)
            out->b = cpu.paddr_bits;
        break;
    }
}

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, struct cpuid_leaf *out)
{
    *out = (struct cpuid_leaf){0};
    if (leaf - XEN_CPUID_FIRST_LEAF <= XEN_CPUID_MAX_NUM_LEAVES) {
        hypervisor_leaf(leaf, sub, out);
        return;
    }
    if (leaf >= 0x80000000) {
        if (leaf - 0x80000000 < NR_EXT)
            *out = policy.ext[leaf - 0x80000000];
        return;
    }
    switch (leaf) {
    case 1:
        *out = policy.basic[1];
        out->b |= (2 * v->id & 0xff) << 24;
        if (v->domain->is_privileged)
            out->d |= LEAF1_EDX_APIC; /* it has none, but without it would not look for IO-APICs */
        if (v->arch.cr4 & X86_CR4_OSXSAVE)
            out->c |= LEAF1_ECX_OSXSAVE;
        break;
    case 4:
        if (sub < NR_CACHES)
            *out = policy.cache[sub];
        break;
    case 0xd:
        if (sub < NR_XSTATES)
            *out = policy.xstate[sub];
        break;
    default:
        if (leaf < NR_BASIC && (leaf != 7 || sub == 0))
            *out = policy.basic[leaf];
    }
}

/* SPDX-License-Identifier: MIT */
/* The CPUID policy: what this machine has, less what a PV guest cannot use or must not see. Read
 * once at boot, because CPUID itself is slow where this hypervisor often runs: inside another VM.
 * Ordinary CPUID in a guest is not intercepted; kernels use the forced-emulation prefix. */
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <hv/domain.h>
#include <hv/guest_access.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/domctl.h>

#define NR_BASIC   0xe /* leaves 0 .. 0xd */
#define NR_EXT     9   /* 0x80000000 .. 0x80000008 */
#define NR_CACHES  8   /* sub-leaves of 4 */
#define NR_XSTATES 10  /* sub-leaves of 0xd */

static struct {
    struct cpuid_leaf basic[NR_BASIC], ext[NR_EXT], cache[NR_CACHES], xstate[NR_XSTATES];
} policy;

/* Leaf 1, ecx: SSE3, PCLMULQDQ, SSSE3, FMA, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, AVX,
 * F16C, RDRAND. */
#define LEAF1_ECX                                                                                  \
    (1u << 0 | 1u << 1 | 1u << 9 | 1u << 12 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 22 |          \
     1u << 23 | 1u << 25 | 1u << 26 | 1u << 28 | 1u << 29 | 1u << 30)
#define LEAF1_ECX_OSXSAVE    (1u << 27)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
/* Leaf 1, edx: FPU, DE, TSC, MSR, PAE, MCE, CX8, SEP, MCA, CMOV, PAT, CLFLUSH, MMX, FXSR, SSE,
 * SSE2. */
#define LEAF1_EDX                                                                                  \
    (1u << 0 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 11 | 1u << 14 |   \
     1u << 15 | 1u << 16 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26)
/* Leaf 7, ebx: FSGSBASE, BMI1, AVX2, BMI2, ERMS, AVX512 F DQ, RDSEED, ADX, IFMA, CLFLUSHOPT, CLWB,
 * AVX512 CD, SHA, BW, VL. */
#define LEAF7_EBX                                                                                  \
    (1u << 0 | 1u << 3 | 1u << 5 | 1u << 8 | 1u << 9 | 1u << 16 | 1u << 17 | 1u << 18 | 1u << 19 | \
     1u << 21 | 1u << 23 | 1u << 24 | 1u << 28 | 1u << 29 | 1u << 30 | 1u << 31)
/* Leaf 7, ecx: AVX512 VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ. */
#define LEAF7_ECX                                                                                  \
    (1u << 1 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14)
#define LEAF1_EDX_APIC (1u << 9)
#define LEAF7_EDX      (1u << 4) /* fast short REP MOV */
/* Leaf 0x80000001, ecx: LAHF, ABM, SSE4A, misaligned SSE, 3DNow prefetch, XOP, FMA4, TBM; edx:
 * SYSCALL, NX, MMXEXT, RDTSCP, LM and, on AMD, the same bits as leaf 1. */
#define EXT1_ECX      (1u << 0 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 11 | 1u << 16 | 1u << 21)
#define EXT1_EDX_SAME 0x0183f3ff
#define EXT1_EDX      (1u << 11 | 1u << 20 | 1u << 22 | 1u << 27 | 1u << 29)

static void init_xstate(void)
{
    if (!cpu.xsave)
        return;
    policy.xstate[0] = cpuid(0xd, 0);
    policy.xstate[0].a &= (uint32_t)cpu.xcr0_mask;
    policy.xstate[0].c = (uint32_t)cpu.xsave_size;
    policy.xstate[0].d = (uint32_t)(cpu.xcr0_mask >> 32);
    policy.xstate[1].a = cpuid(0xd, 1).a & 1; /* XSAVEOPT; no compaction, no supervisor states */
    for (unsigned int i = 2; i < NR_XSTATES; i++)
        if (cpu.xcr0_mask >> i & 1)
            policy.xstate[i] = cpuid(0xd, i);
}

void cpu_policy_init(void)
{
    struct cpuid_leaf *l1 = &policy.basic[1], *l7 = &policy.basic[7], *e1 = &policy.ext[1];
    uint32_t max_basic = min(cpuid(0, 0).a, NR_BASIC - 1u), max_ext = cpuid(0x80000000, 0).a;

    for (uint32_t i = 0; i <= max_basic; i++)
        policy.basic[i] = cpuid(i, 0);
    max_ext = max_ext < 0x80000000 ? 0 : min(max_ext, 0x80000000 + NR_EXT - 1);
    for (uint32_t i = 0; max_ext && i <= max_ext - 0x80000000; i++)
        policy.ext[i] = cpuid(0x80000000 + i, 0);
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
        policy.cache[i] = cpuid(4, i);
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

static void hypervisor_leaf(uint32_t leaf, uint32_t sub, struct cpuid_leaf *out)
{
    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0:
        *out =
            (struct cpuid_leaf){XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES), XEN_CPUID_SIGNATURE_EBX,
                                XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX};
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

/* ---- leaves ---- */

static struct cpuid_leaf policy_leaf(uint32_t leaf, uint32_t sub)
{
    static const struct cpuid_leaf none;

    if (leaf >= 0x80000000)
        return leaf - 0x80000000 < NR_EXT ? policy.ext[leaf - 0x80000000] : none;
    if (leaf == 4)
        return sub < NR_CACHES ? policy.cache[sub] : none;
    if (leaf == 0xd)
        return sub < NR_XSTATES ? policy.xstate[sub] : none;
    return leaf < NR_BASIC && (leaf != 7 || sub == 0) ? policy.basic[leaf] : none;
}

/* Where the words of features are. */
static const struct {
    uint32_t leaf;
    uint8_t sub, reg; /* reg: 0 eax .. 3 edx */
} word[CPU_FEATURE_WORDS] = {
    {1, 0, 3}, {1, 0, 2},          {0x80000001, 0, 3}, {0x80000001, 0, 2}, {0xd, 1, 0},
    {7, 0, 1}, {7, 0, 2},          {0x80000007, 0, 3}, {0x80000008, 0, 1}, {7, 0, 3},
    {7, 1, 0}, {0x80000021, 0, 0}, {7, 1, 1},          {7, 2, 3},
};

static uint32_t *leaf_reg(struct cpuid_leaf *l, unsigned int reg)
{
    return &l->a + reg;
}

static bool word_is_in(unsigned int i, uint32_t leaf, uint32_t sub)
{
    return word[i].leaf == leaf && (word[i].sub == sub || (leaf != 7 && leaf != 0xd));
}

/* Take away what the domain shall not see. */
static void limit_leaf(const struct domain *d, uint32_t leaf, uint32_t sub, struct cpuid_leaf *l)
{
    for (unsigned int i = 0; i < CPU_FEATURE_WORDS; i++)
        if (word_is_in(i, leaf, sub))
            *leaf_reg(l, word[i].reg) &= ~d->arch.cpuid_off[i];
}

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, struct cpuid_leaf *out)
{
    *out = (struct cpuid_leaf){0};
    if (leaf - XEN_CPUID_FIRST_LEAF <= XEN_CPUID_MAX_NUM_LEAVES) {
        hypervisor_leaf(leaf, sub, out);
        return;
    }
    *out = policy_leaf(leaf, sub);
    if (unlikely(v->domain->arch.cpuid_limited))
        limit_leaf(v->domain, leaf, sub, out);
    if (leaf == 1) {
        out->b |= (2 * v->id & 0xff) << 24;
        if (v->domain->is_privileged)
            out->d |= LEAF1_EDX_APIC; /* it has none, but without it would not look for IO-APICs */
        if (v->arch.cr4 & X86_CR4_OSXSAVE)
            out->c |= LEAF1_ECX_OSXSAVE;
    }
}

/* ---- for the tools ---- */

#define LEAVES_MAX        256
#define LISTED_CACHES     6
#define MSR_PLATFORM_INFO 0xce
#define MSR_ARCH_CAPS     0x10a

void cpu_policy_features(bool of_host, uint32_t words[CPU_FEATURE_WORDS])
{
    for (unsigned int i = 0; i < CPU_FEATURE_WORDS; i++) {
        uint32_t leaf = word[i].leaf;
        struct cpuid_leaf l = policy_leaf(leaf, word[i].sub);

        if (of_host && leaf <= cpuid(leaf & 0x80000000, 0).a)
            l = cpuid(leaf, word[i].sub);
        words[i] = *leaf_reg(&l, word[i].reg);
    }
}

struct listing {
    guest_ptr_t to;
    uint32_t room, n;
    int rc;
};

static void put(struct listing *out, const void *element, size_t size)
{
    if (!out->rc && out->to.va && out->n >= out->room)
        out->rc = -ENOBUFS;
    if (!out->rc && out->to.va)
        out->rc = copy_to_guest(guest_ptr_index(out->to, out->n, size), element, size);
    out->n++;
}

static void put_leaf(struct listing *out, const struct domain *d, uint32_t leaf)
{
    uint32_t subs = leaf == 4 ? LISTED_CACHES : leaf == 0xd ? NR_XSTATES : 1;

    for (uint32_t sub = 0; sub < subs; sub++) {
        struct cpuid_leaf l = policy_leaf(leaf, sub);
        bool has_subs = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd;
        struct xen_cpuid_leaf e;

        if (d)
            limit_leaf(d, leaf, sub, &l);
        e = (struct xen_cpuid_leaf){leaf, has_subs ? sub : XEN_CPUID_NO_SUBLEAF, l.a, l.b, l.c,
                                    l.d};
        put(out, &e, sizeof(e));
    }
}

int cpu_policy_list(const struct domain *d, guest_ptr_t leaves, uint32_t *nr_leaves,
                    guest_ptr_t msrs, uint32_t *nr_msrs)
{
    static const struct xen_msr_entry known[] = {{MSR_PLATFORM_INFO, 0, 0}, {MSR_ARCH_CAPS, 0, 0}};
    struct listing out = {leaves, *nr_leaves, 0, 0};

    for (uint32_t i = 0; i <= policy.basic[0].a; i++)
        put_leaf(&out, d, i);
    for (uint32_t i = 0x80000000; i <= policy.ext[0].a; i++)
        put_leaf(&out, d, i);
    *nr_leaves = out.n;
    TRY(out.rc);
    out = (struct listing){msrs, *nr_msrs, 0, 0};
    for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) /* the tools make room, and write both */
        put(&out, &known[i], sizeof(known[i]));
    *nr_msrs = out.n;
    return out.rc;
}

/* How far leaves go is the machine's; the tools may name those of the hypervisor, which do not
 * change. */
static bool leaf_ok(const struct xen_cpuid_leaf *e)
{
    if (e->leaf == 0 || e->leaf == 0x80000000)
        return e->a <= policy_leaf(e->leaf, 0).a;
    return e->leaf < NR_BASIC || e->leaf - 0x80000000 < NR_EXT ||
           (e->leaf & ~0x100u) == XEN_CPUID_FIRST_LEAF;
}

static int read_leaves(const struct domain *d, struct xen_domctl_cpu_policy *p,
                       uint32_t off[CPU_FEATURE_WORDS])
{
    struct xen_cpuid_leaf e;
    struct cpuid_leaf most;

    memcpy(off, d->arch.cpuid_off, sizeof(d->arch.cpuid_off));
    for (uint32_t n = 0; n < p->nr_leaves; n++) {
        if (get_element(p->leaves, n, &e))
            return -EFAULT;
        if (!leaf_ok(&e)) {
            p->err_leaf = e.leaf;
            p->err_subleaf = e.subleaf;
            return -EINVAL;
        }
        most = policy_leaf(e.leaf, e.subleaf);
        for (unsigned int i = 0; i < CPU_FEATURE_WORDS; i++)
            if (word_is_in(i, e.leaf, e.subleaf))
                off[i] = *leaf_reg(&most, word[i].reg) & ~(&e.a)[word[i].reg];
    }
    return 0;
}

static int check_msrs(struct xen_domctl_cpu_policy *p)
{
    struct xen_msr_entry e;

    for (uint32_t n = 0; n < p->nr_msrs; n++) {
        if (get_element(p->msrs, n, &e))
            return -EFAULT;
        if ((e.idx != MSR_PLATFORM_INFO && e.idx != MSR_ARCH_CAPS) || e.flags || e.val) {
            p->err_msr = e.idx;
            return -EINVAL;
        }
    }
    return 0;
}

int cpu_policy_set(struct domain *d, struct xen_domctl_cpu_policy *p)
{
    uint32_t off[CPU_FEATURE_WORDS];

    if (p->nr_leaves > LEAVES_MAX || p->nr_msrs > LEAVES_MAX)
        return -E2BIG;
    TRY(read_leaves(d, p, off));
    TRY(check_msrs(p));
    memcpy(d->arch.cpuid_off, off, sizeof(off));
    d->arch.cpuid_limited = false;
    for (unsigned int i = 0; i < CPU_FEATURE_WORDS; i++)
        d->arch.cpuid_limited |= off[i] != 0;
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* MSRs as a guest sees them, and the hypercall page that one of them fills. Intel SDM vol. 4. */
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/traps.h>

#define MSR_PLATFORM_ID   0x17
#define MSR_UCODE_REV     0x8b
#define MSR_MTRR_CAP      0xfe
#define MSR_MCG_CAP       0x179
#define MSR_MCG_STATUS    0x17a
#define MSR_AMD_HWCR      0xc0010015
#define MSR_XEN_HYPERCALL 0x40000000

int guest_rdmsr(uint32_t msr, uint64_t *val)
{
    switch (msr) {
    case MSR_EFER:
        *val = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
        return 0;
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_SHADOW_GS_BASE: /* what is loaded is the running vcpu's */
        *val = rdmsr(msr);
        return 0;
    case MSR_APIC_BASE: /* there is none for a PV guest */
    case MSR_PLATFORM_ID:
    case MSR_UCODE_REV:
    case MSR_MTRR_CAP:
    case MSR_MCG_CAP: /* no machine-check banks */
    case MSR_MCG_STATUS:
    case MSR_AMD_HWCR:
        *val = 0;
        return 0;
    case MSR_MISC_ENABLE:
        *val = 1; /* fast strings */
        return 0;
    case MSR_PAT:
        *val = rdmsr(MSR_PAT);
        return 0;
    default:
        return -EPERM;
    }
}

int hypercall_page_write(struct domain *d, gfn_t g)
{
    struct page *pg = page_from_gfn_writable(d, g);

    if (!pg)
        return -EINVAL;
    hypercall_page_fill(page_virt(pg));
    page_put_writable(pg);
    return 0;
}

int guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val)
{
    switch (msr) {
    case MSR_FS_BASE:
        if (!is_canonical(val))
            return -EPERM;
        v->arch.fs_base = val;
        wrmsr(msr, val);
        return 0;
    case MSR_GS_BASE:
    case MSR_SHADOW_GS_BASE:
        if (!is_canonical(val))
            return -EPERM;
        if ((msr == MSR_GS_BASE) == guest_in_kernel(v))
            v->arch.gs_base_kernel = val;
        else
            v->arch.gs_base_user = val;
        wrmsr(msr, val);
        return 0;
    case MSR_UCODE_REV:
    case MSR_MISC_ENABLE:
    case MSR_MCG_STATUS:
        return 0; /* accepted without effect, as kernels write them as a matter of course */
    case MSR_XEN_HYPERCALL:
        return val & ~PAGE_MASK ? -EPERM : hypercall_page_write(v->domain, gfn(val >> PAGE_SHIFT));
    default:
        return -EPERM;
    }
}

/* Stub @nr: keep rcx and r11, which SYSCALL destroys. That of iret, which has nothing to return to, puts
 * rax on the stack after them. */
void hypercall_page_fill(void *page)
{
    static const uint8_t save[] = {0x51, 0x41, 0x53, 0x50}; /* push %rcx; push %r11; push %rax */
    static const uint8_t call[] = {
        0xb8, 0,    0,    0,    0, 0x0f, 0x05, /* mov $nr, %eax; syscall */
        0x41, 0x5b, 0x59, 0xc3,                /* pop %r11; pop %rcx; ret */
    };
    uint8_t *p = page;

    memset(p, 0xcc, PAGE_SIZE);
    for (unsigned int nr = 0; nr < PAGE_SIZE / 32; nr++, p += 32) {
        unsigned int n = nr == __HYPERVISOR_iret ? 4 : 3;

        memcpy(p, save, n);
        memcpy(p + n, call, sizeof(call));
        p[n + 1] = (uint8_t)nr;
    }
}

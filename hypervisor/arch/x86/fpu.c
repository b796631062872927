/* SPDX-License-Identifier: MIT */
/* FPU and extended state. Saved when a vcpu leaves a pcpu, loaded when it comes, whole each time, with
 * the mask of all components that any guest may enable: so a component that a guest enables late holds
 * its initial state and nobody's old contents (XSA-62, XSA-165), and those that work without being
 * enabled are switched too (XSA-220). */
#include <asm/cpu.h>
#include <asm/fpu.h>
#include <asm/processor.h>
#include <asm/usercopy.h>
#include <hv/domain.h>
#include <hv/heap.h>

#define XSTATE_FP    1UL
#define XSTATE_SSE   2UL
#define XSTATE_YMM   4UL
#define XSTATE_BND   (3UL << 3)
#define XSTATE_ZMM   (7UL << 5)
#define FXSAVE_BYTES 512
#define XSAVE_HEADER 64
#define FCW_INIT     0x37f
#define MXCSR_INIT   0x1f80

static void load_ts(bool set)
{
    if (set)
        write_cr0(read_cr0() | X86_CR0_TS);
    else
        asm volatile("clts");
}

static void area_init(uint8_t *area)
{
    memset(area, 0, cpu.xsave_size);
    *(uint16_t *)(area + 0) = FCW_INIT;
    *(uint32_t *)(area + 24) = MXCSR_INIT;
}

int fpu_vcpu_init(struct vcpu *v)
{
    v->arch.xsave = heap_zalloc(cpu.xsave_size);
    if (!v->arch.xsave)
        return -ENOMEM;
    area_init(v->arch.xsave);
    v->arch.xcr0 = XSTATE_FP;
    return 0;
}

void fpu_vcpu_free(struct vcpu *v)
{
    heap_free(v->arch.xsave);
    v->arch.xsave = NULL;
}

void fpu_save(struct vcpu *v)
{
    uint32_t lo = (uint32_t)cpu.xcr0_mask, hi = (uint32_t)(cpu.xcr0_mask >> 32);

    asm volatile("clts");
    if (!cpu.xsave) {
        asm volatile("fxsave64 (%0)" : : "r"(v->arch.xsave) : "memory");
        return;
    }
    if (v->arch.xcr0 != cpu.xcr0_mask)
        (void)xsetbv_safe(0, cpu.xcr0_mask);
    asm volatile("xsave64 (%0)" : : "r"(v->arch.xsave), "a"(lo), "d"(hi) : "memory");
}

static int load_area(const struct vcpu *v)
{
    /* AMD leaves the last instruction's pointers alone unless an exception is pending: make them
     * nobody's first (XSA-52, XSA-172). */
    if (cpu.amd)
        asm volatile("fnclex; fldz; fstp %%st(0)" : : : "memory");
    return cpu.xsave ? fpu_xrstor(v->arch.xsave, cpu.xcr0_mask) : fpu_fxrstor(v->arch.xsave);
}

static void restore(struct vcpu *v)
{
    if (cpu.xsave)
        (void)xsetbv_safe(0, cpu.xcr0_mask);
    if (load_area(v)) { /* a control tool gave a state that the CPU refuses (XSA-53) */
        area_init(v->arch.xsave);
        (void)load_area(v);
    }
}

void fpu_load(struct pcpu *p, struct vcpu *v)
{
    if (p->fpu_owner != v || v->arch.fpu_pcpu != p) {
        asm volatile("clts");
        restore(v);
        p->fpu_owner = v;
        v->arch.fpu_pcpu = p;
    }
    if (cpu.xsave && v->arch.xcr0 != cpu.xcr0_mask)
        (void)xsetbv_safe(0, v->arch.xcr0);
    load_ts(v->arch.cr0_ts);
}

void fpu_set_context(struct vcpu *v, const void *fxsave512, bool valid)
{
    uint8_t *area = v->arch.xsave;

    area_init(area);
    if (valid) {
        memcpy(area, fxsave512, FXSAVE_BYTES);
        if (cpu.xsave) /* which components of the header are not in their initial state */
            *(uint64_t *)(area + FXSAVE_BYTES) = XSTATE_FP | XSTATE_SSE;
    }
    v->arch.fpu_pcpu = NULL;
}

static bool xcr0_ok(uint64_t xcr0)
{
    return (xcr0 & XSTATE_FP) && !(xcr0 & ~cpu.xcr0_mask) &&
           (!(xcr0 & XSTATE_YMM) || (xcr0 & XSTATE_SSE)) &&
           (!(xcr0 & XSTATE_BND) || (xcr0 & XSTATE_BND) == XSTATE_BND) &&
           (!(xcr0 & XSTATE_ZMM) || ((xcr0 & XSTATE_ZMM) == XSTATE_ZMM && (xcr0 & XSTATE_YMM)));
}

/* The header behind the legacy part: components that are not in their initial state, then zeros: no
 * compaction, no supervisor state. What is in the components the CPU checks, see restore(). */
static bool area_ok(const uint64_t *area, uint64_t components)
{
    const uint64_t *header = area + FXSAVE_BYTES / 8;

    for (unsigned int i = 1; i < XSAVE_HEADER / 8; i++)
        if (header[i])
            return false;
    return !(header[0] & ~components);
}

int fpu_set_state(struct vcpu *v, uint64_t xcr0, uint64_t components, const void *area, size_t n)
{
    if (!cpu.xsave)
        return n ? -EINVAL : 0;
    if (!xcr0_ok(xcr0) || components & ~cpu.xcr0_mask || xcr0 & ~components ||
        (n &&
         (n < FXSAVE_BYTES + XSAVE_HEADER || n > cpu.xsave_size || !area_ok(area, components))))
        return -EINVAL;
    v->arch.xcr0 = xcr0;
    if (n) {
        area_init(v->arch.xsave);
        memcpy(v->arch.xsave, area, n);
        v->arch.fpu_pcpu = NULL;
    }
    return 0;
}

int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    if (!xcr0_ok(xcr0) || xsetbv_safe(0, xcr0))
        return -EINVAL;
    v->arch.xcr0 = xcr0;
    return 0;
}

void fpu_set_ts(struct vcpu *v, bool set)
{
    v->arch.cr0_ts = set ? X86_CR0_TS : 0;
    load_ts(set);
}

/* SPDX-License-Identifier: MIT */
/* Descriptor tables, segment bases, debug registers and the other small pieces of CPU state that a
 * guest kernel sets by hypercall. ABI: xen/xen.h; set_gdt, update_descriptor, stack_switch, ... */
#include <asm/fpu.h>
#include <asm/mmu.h>
#include <asm/switch.h>
#include <asm/traps.h>

/** do_set_gdt - the vcpu's GDT: @entries descriptors in the frames listed at @list.
 * Returns 0; -EINVAL too many, or a frame that is not the guest's or holds a bad descriptor; -EFAULT. */
long do_set_gdt(guest_ptr_t list, unsigned int entries)
{
    struct vcpu *v = current;
    uint64_t frames[GDT_GUEST_FRAMES];
    unsigned int n = DIV_ROUND_UP(entries, 512);

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    if (copy_from_guest(frames, list, n * sizeof(frames[0])))
        return -EFAULT;
    return mmu_set_gdt_frames(v, frames, entries);
}

/* One store: a CPU that loads the descriptor sees the old or the new one. */
static int write_descriptor(struct page *pg, unsigned int offset, uint64_t desc)
{
    bool live = pgt_type(READ_ONCE(pg->type)) == PGT_SEGDESC;
    uint64_t *slot = (uint64_t *)((char *)page_virt(pg) + offset);

    if (page_get_type(pg, live ? PGT_SEGDESC : PGT_WRITABLE))
        return -EINVAL;
    WRITE_ONCE(*slot, desc);
    page_put_type(pg);
    return 0;
}

/** do_update_descriptor - write one descriptor at machine address @gaddr, in a live table or in an
 * ordinary page. -EINVAL: misaligned, not the guest's frame, or not a descriptor that it may have. */
long do_update_descriptor(uint64_t gaddr, uint64_t desc)
{
    struct domain *d = current_domain();
    struct page *pg __put_page = NULL;

    if (gaddr & 7 || !descriptor_check(&desc))
        return -EINVAL;
    pg = page_from_gfn(d, gfn(gaddr >> PAGE_SHIFT));
    if (!pg)
        return -EINVAL;
    mmu_guard(d);
    return write_descriptor(pg, gaddr & ~PAGE_MASK, desc);
}

/** do_stack_switch - where entries from user mode put their frame. */
long do_stack_switch(unsigned long ss, unsigned long sp)
{
    struct vcpu *v = current;

    v->arch.kernel_ss = (ss & 0xffff) | 3;
    v->arch.kernel_sp = sp;
    return 0;
}

long do_set_segment_base(unsigned int which, unsigned long base)
{
    struct vcpu *v = current;

    if (which == SEGBASE_GS_USER_SEL)
        return load_gs_user((uint16_t)base) ? -EFAULT : 0;
    if (!is_canonical(base))
        return -EINVAL;
    switch (which) {
    case SEGBASE_FS:
        wrmsr(MSR_FS_BASE, v->arch.fs_base = base);
        return 0;
    case SEGBASE_GS_USER: /* a hypercall comes from kernel mode: the user's base is the inactive one */
        wrmsr(MSR_SHADOW_GS_BASE, v->arch.gs_base_user = base);
        return 0;
    case SEGBASE_GS_KERNEL:
        wrmsr(MSR_GS_BASE, v->arch.gs_base_kernel = base);
        return 0;
    default:
        return -EINVAL;
    }
}

long do_fpu_taskswitch(int set)
{
    fpu_set_ts(current, set != 0);
    return 0;
}

/* ---- debug registers ---- */

#define DR6_FIXED    0xffff0ff0UL
#define DR6_SETTABLE 0x0000e00fUL
#define DR7_FIXED    0x00000400UL
#define DR7_SETTABLE 0xffff03ffUL
#define DR7_GD       (1UL << 13)
#define DR7_ENABLES  0xffUL
#define DR_TYPE_IO   2u

/** debugreg_check_dr7 - keep what a guest may set; -EPERM: general detect, or I/O breakpoints without
 * CR4.DE. All that is reserved is forced, so the register can't refuse it (XSA-12). */
int debugreg_check_dr7(const struct vcpu *v, uint64_t *dr7)
{
    if (*dr7 & DR7_GD)
        return -EPERM;
    *dr7 = (*dr7 & DR7_SETTABLE) | DR7_FIXED;
    for (unsigned int i = 0; i < 4; i++) {
        bool enabled = *dr7 >> (2 * i) & 3;

        if (enabled && (*dr7 >> (16 + 4 * i) & 3) == DR_TYPE_IO && !(v->arch.cr4 & X86_CR4_DE))
            return -EPERM;
    }
    return 0;
}

/** debugreg_address_ok - eight bytes from @addr are all the guest's: no breakpoint on ours (XSA-444). */
bool debugreg_address_ok(uint64_t addr)
{
    return guest_range_ok(guest_ptr(addr), 8);
}

/** load_breakpoints - the addresses of the current vcpu's breakpoints into this pcpu. */
void load_breakpoints(const struct vcpu *v)
{
    write_dr0(v->arch.dr[0]);
    write_dr1(v->arch.dr[1]);
    write_dr2(v->arch.dr[2]);
    write_dr3(v->arch.dr[3]);
}

static long set_dr7(struct vcpu *v, uint64_t value)
{
    struct pcpu *p = pcpu_self();

    TRY(value >> 32 ? -EINVAL : debugreg_check_dr7(v, &value));
    if (value & DR7_ENABLES && !(p->arch.dr7 & DR7_ENABLES))
        load_breakpoints(v);
    v->arch.dr7 = value;
    write_dr7(p->arch.dr7 = value);
    return 0;
}

/* 4 and 5 are other names of 6 and 7, unless CR4.DE is set. */
static int debugreg_number(const struct vcpu *v, int reg)
{
    return (reg == 4 || reg == 5) && !(v->arch.cr4 & X86_CR4_DE) ? reg + 2 : reg;
}

long do_set_debugreg(int reg, unsigned long value)
{
    struct vcpu *v = current;

    switch (debugreg_number(v, reg)) {
    case 0 ... 3:
        if (!debugreg_address_ok(value))
            return -EPERM;
        v->arch.dr[reg] = value;
        if (v->arch.dr7 & DR7_ENABLES)
            load_breakpoints(v);
        return 0;
    case 6:
        if (value >> 32)
            return -EINVAL;
        v->arch.dr6 = (value & DR6_SETTABLE) | DR6_FIXED;
        return 0;
    case 7:
        return set_dr7(v, value);
    default:
        return -ENODEV;
    }
}

unsigned long do_get_debugreg(int reg)
{
    struct vcpu *v = current;

    switch (debugreg_number(v, reg)) {
    case 0 ... 3:
        return v->arch.dr[reg];
    case 6:
        return v->arch.dr6;
    case 7:
        return v->arch.dr7;
    default:
        return (unsigned long)-ENODEV;
    }
}

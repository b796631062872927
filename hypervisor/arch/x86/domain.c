/* SPDX-License-Identifier: MIT */
/* The x86 side of domains and vcpus: their state, and the context that a builder or another vcpu gives
 * them. Every field of a context is checked before any is taken over. */
#include <asm/cpu.h>
#include <asm/fpu.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/mmu.h>
#include <asm/switch.h>
#include <asm/system.h>
#include <asm/tlb.h>
#include <asm/traps.h>
#include <hv/heap.h>

int arch_domain_init(struct domain *d)
{
    spin_lock_init(&d->arch.mmu_lock, LOCK_MMU);
    d->arch.tlb_cpus = CPUMASK_NONE;
    TRY(io_domain_init(d));
    return pirq_domain_init(d);
}

void arch_domain_free(struct domain *d)
{
    heap_free(d->arch.pirqs);
    io_domain_free(d);
}

int arch_vcpu_init(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    a->traps = heap_zalloc_array(256, sizeof(a->traps[0]));
    if (!a->traps || fpu_vcpu_init(v))
        return -ENOMEM;
    a->cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |
             (cpu.xsave ? X86_CR4_OSXSAVE : 0);
    a->dr6 = 0xffff0ff0;
    a->dr7 = 0x400;
    return 0;
}

void arch_vcpu_free(struct vcpu *v)
{
    detach_vcpu_free(v);
    fpu_vcpu_free(v);
    heap_free(v->arch.traps);
    v->arch.traps = NULL;
}

static int check_context(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    uint64_t dr7 = c->debugreg[7];

    for (unsigned int i = 0; i < 256; i++)
        if (!guest_code_ok(c->trap_ctxt[i].address))
            return -EINVAL;
    if (!guest_code_ok(c->event_callback_eip) || !guest_code_ok(c->failsafe_callback_eip) ||
        !guest_code_ok(c->syscall_callback_eip) || !is_canonical(c->fs_base) ||
        !is_canonical(c->gs_base_kernel) || !is_canonical(c->gs_base_user))
        return -EINVAL;
    if (c->gdt_ents > FIRST_RESERVED_GDT_ENTRY || c->ldt_ents > LDT_MAX_ENTRIES ||
        (c->ldt_ents && !guest_range_ok(guest_ptr(c->ldt_base), c->ldt_ents * 8)) ||
        (c->ldt_base & ~PAGE_MASK))
        return -EINVAL;
    for (unsigned int i = 0; i < 4; i++)
        if (!debugreg_address_ok(c->debugreg[i]))
            return -EINVAL;
    if (debugreg_check_dr7(v, &dr7))
        return -EINVAL;
    return 0;
}

/* The general registers come first in both, in one order. */
#define GPRS_SIZE offsetof(struct cpu_regs, error_code)
_Static_assert(GPRS_SIZE == offsetof(struct cpu_user_regs, error_code), "as the ABI has them");
_Static_assert(offsetof(struct cpu_regs, rax) == offsetof(struct cpu_user_regs, rax), "likewise");

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct cpu_user_regs *u = &c->user_regs;
    struct arch_vcpu *a = &v->arch;

    a->regs = (struct cpu_regs){
        .rip = u->rip,
        .cs = u->cs | 3u,
        .rflags = (u->rflags & ~(uint64_t)(X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_NT)) |
                  X86_EFLAGS_IF | X86_EFLAGS_MBS,
        .rsp = u->rsp,
        .ss = u->ss | 3u,
    };
    memcpy(&a->regs, u, GPRS_SIZE);
    a->iopl = (u->rflags & X86_EFLAGS_IOPL) >> 12;
    a->ds = u->ds;
    a->es = u->es;
    a->fs = u->fs;
    a->gs = u->gs;
    a->fs_base = c->fs_base;
    a->gs_base_kernel = c->gs_base_kernel;
    a->gs_base_user = c->gs_base_user;
    a->in_kernel = (c->flags & VGCF_in_kernel) != 0;
}

static void set_entries(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct arch_vcpu *a = &v->arch;

    for (unsigned int i = 0; i < 256; i++) {
        struct trap_info ti = c->trap_ctxt[i];

        ti.vector = (uint8_t)i;
        (void)trap_set(v, &ti); /* the addresses have been checked */
    }
    a->kernel_ss = (c->kernel_ss & 0xffff) | 3;
    a->kernel_sp = c->kernel_sp;
    (void)callback_set(v, CALLBACKTYPE_event, c->event_callback_eip, true);
    (void)callback_set(v, CALLBACKTYPE_failsafe, c->failsafe_callback_eip,
                       c->flags & VGCF_failsafe_disables_events);
    (void)callback_set(v, CALLBACKTYPE_syscall, c->syscall_callback_eip,
                       c->flags & VGCF_syscall_disables_events);
    for (unsigned int i = 0; i < 4; i++)
        a->dr[i] = c->debugreg[i];
    a->dr6 = (c->debugreg[6] & 0xe00f) | 0xffff0ff0;
    a->dr7 = c->debugreg[7];
    (void)debugreg_check_dr7(v, &a->dr7);
    a->ldt_base = c->ldt_base;
    a->ldt_entries = (unsigned int)c->ldt_ents;
    a->last_pcpu = NULL;
}

/* An initialised vcpu has these until it is reset. */
static bool has_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct arch_vcpu *a = &v->arch;
    bool same = a->table_kernel.n == xen_cr3_to_pfn(c->ctrlreg[3]) &&
                a->table_user.n == xen_cr3_to_pfn(c->ctrlreg[1] & PAGE_MASK) &&
                (a->ldt_base == c->ldt_base || !c->ldt_ents) && a->ldt_entries == c->ldt_ents &&
                a->gdt_entries == c->gdt_ents;

    for (unsigned int i = 0; same && i < DIV_ROUND_UP(a->gdt_entries, 512); i++)
        same = a->gdt_frames[i].n == c->gdt_frames[i];
    return same;
}

static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = v->id == 0 ? domain_set_assists(v->domain, c->vm_assist) : 0;

    if (!rc)
        rc = mmu_set_gdt_frames(v, c->gdt_frames, (unsigned int)c->gdt_ents);
    return rc ? rc
              : mmu_set_roots(v, mfn(xen_cr3_to_pfn(c->ctrlreg[3])),
                              mfn(xen_cr3_to_pfn(c->ctrlreg[1] & PAGE_MASK)));
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = check_context(v, c);

    if (!rc && !(c->flags & VGCF_in_kernel) && !(c->ctrlreg[1] & PAGE_MASK))
        rc = -EINVAL;
    if (!rc)
        rc = !v->is_initialised ? set_tables(v, c) : has_tables(v, c) ? 0 : -EOPNOTSUPP;
    if (rc)
        return rc;
    set_registers(v, c);
    set_entries(v, c);
    fpu_set_context(v, &c->fpu_ctxt, c->flags & VGCF_i387_valid);
    return 0;
}

static void get_registers(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct arch_vcpu *a = &v->arch;
    const struct cpu_regs *r = &a->regs;

    c->user_regs = (struct cpu_user_regs){
        .rip = r->rip,
        .cs = (uint16_t)r->cs,
        .saved_upcall_mask = READ_ONCE(v->info->evtchn_upcall_mask),
        .rflags = r->rflags | (uint64_t)a->iopl << 12,
        .rsp = r->rsp,
        .ss = (uint16_t)r->ss,
        .es = a->es,
        .ds = a->ds,
        .fs = a->fs,
        .gs = a->gs,
    };
    memcpy(&c->user_regs, r, GPRS_SIZE);
    c->fs_base = a->fs_base;
    c->gs_base_kernel = a->gs_base_kernel;
    c->gs_base_user = a->gs_base_user;
    c->ctrlreg[0] = guest_cr0(v);
    c->ctrlreg[1] = a->cr3_user;
    c->ctrlreg[2] = v->info->arch.cr2;
    c->ctrlreg[3] = a->table_kernel.n << PAGE_SHIFT;
    c->ctrlreg[4] = a->cr4;
    for (unsigned int i = 0; i < 4; i++)
        c->debugreg[i] = a->dr[i];
    c->debugreg[6] = a->dr6;
    c->debugreg[7] = a->dr7;
}

void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct arch_vcpu *a = &v->arch;
    const struct guest_entry *to = a->callback;

    memcpy(&c->fpu_ctxt, a->xsave, sizeof(c->fpu_ctxt));
    c->flags = VGCF_i387_valid | (a->in_kernel ? VGCF_in_kernel : 0) |
               (to[CALLBACKTYPE_failsafe].masks ? VGCF_failsafe_disables_events : 0) |
               (to[CALLBACKTYPE_syscall].masks ? VGCF_syscall_disables_events : 0) |
               (test_bit(VPF_DOWN, &v->pause_flags) ? 0 : VGCF_online);
    get_registers(v, c);
    for (unsigned int i = 0; i < 256; i++) {
        const struct guest_entry *t = &a->traps[i];

        c->trap_ctxt[i] =
            (struct trap_info){(uint8_t)i, (uint8_t)(t->dpl | t->masks << 2), t->cs, t->rip};
    }
    c->ldt_base = a->ldt_base;
    c->ldt_ents = a->ldt_entries;
    for (unsigned int i = 0; i < DIV_ROUND_UP(a->gdt_entries, 512); i++)
        c->gdt_frames[i] = a->gdt_frames[i].n;
    c->gdt_ents = a->gdt_entries;
    c->kernel_ss = a->kernel_ss;
    c->kernel_sp = a->kernel_sp;
    c->event_callback_eip = to[CALLBACKTYPE_event].rip;
    c->failsafe_callback_eip = to[CALLBACKTYPE_failsafe].rip;
    c->syscall_callback_eip = to[CALLBACKTYPE_syscall].rip;
    c->vm_assist = v->domain->vm_assist;
}

void arch_dump_vcpu(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    uint64_t words[16];

    pr_err("d%uv%u, %s mode, cr3 %#lx", v->domain->id, v->id,
           guest_in_kernel(v) ? "kernel" : "user",
           guest_in_kernel(v) ? a->cr3_kernel : a->cr3_user);
    dump_regs(&a->regs);
    if (v != current || copy_from_guest(words, guest_ptr(a->regs.rsp & ~7UL), sizeof(words)))
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(words); i += 4)
        pr_err("stack %016lx: %016lx %016lx %016lx %016lx", (a->regs.rsp & ~7UL) + i * 8, words[i],
               words[i + 1], words[i + 2], words[i + 3]);
}

/* ---- what vcpu_op needs to know ---- */

void arch_areas_open(struct vcpu *v)
{
    if (!v->arch.in_kernel)
        load_root(pcpu_self(), v->arch.cr3_kernel);
}

void arch_areas_close(struct vcpu *v)
{
    if (!v->arch.in_kernel)
        load_root(pcpu_self(), v->arch.cr3_user);
}

void arch_vcpu_send_nmi(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->arch.nmi_pending, 1, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

uint64_t arch_pcpu_physid(unsigned int cpu)
{
    const struct arch_pcpu *a = &pcpus[cpu].arch;

    return (uint64_t)a->acpi_id << 32 | a->apic_id;
}

/* SPDX-License-Identifier: MIT */
/* domctl: what only x86 knows of domains: contexts of vcpus, kinds of frames, the CPUID policy.
 * Vcpus whose state is read or written are paused by the dispatcher. ABI: xen/domctl.h. */
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/fpu.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/mmu.h>
#include <asm/msr.h>
#include <asm/switch.h>
#include <asm/traps.h>
#include <hv/control.h>
#include <hv/heap.h>

#define FRAMES_MAX      1024
#define EXTSTATE_HDR    16 /* xcr0, and what xcr0 ever was */
#define EXT_CONTEXT_MIN offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap)

int arch_domain_config_check(const struct xen_arch_domainconfig *config)
{
    if (config->emulation_flags & ~XEN_X86_EMU_ALL || config->misc_flags & ~XEN_X86_MISC_FLAGS_MAX)
        return -EINVAL;
    return config->emulation_flags & ~XEN_X86_EMU_PIT ? -EOPNOTSUPP : 0;
}

/* ---- contexts ---- */

static long reset_context(struct vcpu *v)
{
    set_bit(VPF_DOWN, &v->pause_flags);
    v->is_initialised = false; /* at once: nobody may bring it up that has lost a root */
    return mmu_drop_roots(v);
}

static long load_context(struct vcpu *v, const struct vcpu_guest_context *ctxt)
{
    TRY(arch_vcpu_set_context(v, ctxt));
    v->is_initialised = true;
    if (ctxt->flags & VGCF_online)
        clear_bit(VPF_DOWN, &v->pause_flags);
    else
        set_bit(VPF_DOWN, &v->pause_flags);
    if (v->id == 0) /* builders begin by clearing the shared page */
        time_update_wallclock(v->domain);
    return 0;
}

static long op_set_context(struct domctl_call *c)
{
    guest_ptr_t from = guest_ptr_of(c->op.u.vcpucontext.ctxt);
    struct vcpu_guest_context *ctxt __free_heap = heap_new(struct vcpu_guest_context);

    if (!ctxt)
        return -ENOMEM;
    if (from.va && copy_from_guest(ctxt, from, sizeof(*ctxt)))
        return -EFAULT;
    spin_guard(&c->d->lock);
    return from.va ? load_context(c->v, ctxt) : reset_context(c->v);
}

static long op_get_context(struct domctl_call *c)
{
    struct vcpu_guest_context *ctxt __free_heap = NULL;

    if (!c->v->is_initialised)
        return -ENODATA;
    ctxt = heap_new(struct vcpu_guest_context);
    if (!ctxt)
        return -ENOMEM;
    arch_vcpu_get_context(c->v, ctxt);
    return copy_to_guest(guest_ptr_of(c->op.u.vcpucontext.ctxt), ctxt, sizeof(*ctxt));
}

static long op_set_ext_context(struct domctl_call *c)
{
    const struct xen_domctl_ext_vcpucontext *e = &c->op.u.ext_vcpucontext;

    if (e->size < EXT_CONTEXT_MIN || !guest_code_ok(e->syscall32_callback_eip) ||
        !guest_code_ok(e->sysenter_callback_eip))
        return -EINVAL;
    (void)callback_set(c->v, CALLBACKTYPE_syscall32, e->syscall32_callback_eip,
                       e->syscall32_disables_events);
    (void)callback_set(c->v, CALLBACKTYPE_sysenter, e->sysenter_callback_eip,
                       e->sysenter_disables_events);
    return 0;
}

static long op_get_ext_context(struct domctl_call *c)
{
    const struct guest_entry *to = c->v->arch.callback;

    c->op.u.ext_vcpucontext = (struct xen_domctl_ext_vcpucontext){
        .vcpu = c->v->id,
        .size = sizeof(c->op.u.ext_vcpucontext),
        .syscall32_callback_eip = to[CALLBACKTYPE_syscall32].rip,
        .syscall32_disables_events = to[CALLBACKTYPE_syscall32].masks,
        .sysenter_callback_eip = to[CALLBACKTYPE_sysenter].rip,
        .sysenter_disables_events = to[CALLBACKTYPE_sysenter].masks,
    };
    return 0;
}

/* ---- extended registers: a header of two words, then what XSAVE writes ---- */

static uint64_t extstate_size(void)
{
    return EXTSTATE_HDR + (cpu.xsave ? cpu.xsave_size : 0);
}

static long op_get_extstate(struct domctl_call *c)
{
    struct xen_domctl_vcpuextstate *e = &c->op.u.vcpuextstate;
    uint64_t head[2] = {c->v->arch.xcr0, cpu.xcr0_mask}, size = extstate_size();
    guest_ptr_t to = guest_ptr_of(e->buffer);

    if ((!e->size && !e->xfeature_mask) || !to.va) {
        e->xfeature_mask = cpu.xcr0_mask;
        e->size = size;
        return 0;
    }
    if (e->size != size || e->xfeature_mask != cpu.xcr0_mask)
        return -EINVAL;
    if (copy_to_guest(to, head, sizeof(head)) ||
        copy_to_guest(guest_ptr(to.va + EXTSTATE_HDR), c->v->arch.xsave, size - EXTSTATE_HDR))
        return -EFAULT;
    return 0;
}

static long op_set_extstate(struct domctl_call *c)
{
    const struct xen_domctl_vcpuextstate *e = &c->op.u.vcpuextstate;
    uint64_t *buf __free_heap = NULL;

    if (e->size < EXTSTATE_HDR || e->size > extstate_size())
        return -EINVAL;
    buf = heap_zalloc(e->size);
    if (!buf)
        return -ENOMEM;
    if (copy_from_guest(buf, guest_ptr_of(e->buffer), e->size))
        return -EFAULT;
    return fpu_set_state(c->v, buf[0], buf[1], buf + 2, e->size - EXTSTATE_HDR);
}

/* Those that a PV guest has are part of its context. */
static long op_get_msrs(struct domctl_call *c)
{
    c->op.u.vcpu_msrs.msr_count = 0;
    return 0;
}

static long op_set_msrs(struct domctl_call *c)
{
    return c->op.u.vcpu_msrs.msr_count ? -EINVAL : 0;
}

/* ---- memory ---- */

static uint64_t frame_kind(struct domain *d, uint64_t n)
{
    struct page *pg __put_page = page_from_gfn(d, gfn(n));
    uint64_t t;

    if (!pg || READ_ONCE(pg->count) & PGC_HV)
        return XEN_DOMCTL_PFINFO_XTAB;
    t = READ_ONCE(pg->type);
    if (!pgt_count(t) || pgt_type(t) < PGT_L1 || pgt_type(t) > PGT_L4)
        return XEN_DOMCTL_PFINFO_NOTAB;
    return (uint64_t)(pgt_type(t) - PGT_L1 + 1) << XEN_DOMCTL_PFINFO_LTAB_SHIFT |
           (t & PGT_PINNED ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
}

static long op_frame_info(struct domctl_call *c)
{
    const struct xen_domctl_getpageframeinfo3 *g = &c->op.u.getpageframeinfo3;

    if (g->num > FRAMES_MAX)
        return -E2BIG;
    mmu_lock(c->d); /* tables that are being written to directly are tables too */
    mmu_unlock(c->d);
    for (uint64_t i = 0; i < g->num; i++) {
        uint64_t n;

        if (get_element(g->array, i, &n))
            return -EFAULT;
        n = frame_kind(c->d, n);
        if (put_element(g->array, i, &n))
            return -EFAULT;
    }
    return 0;
}

static long op_hypercall_page(struct domctl_call *c)
{
    return hypercall_page_write(c->d, gfn(c->op.u.hypercall_init.gmfn));
}

/* Nothing logs what is written, and nothing needs memory for that. */
static long op_shadow(struct domctl_call *c)
{
    struct xen_domctl_shadow_op *s = &c->op.u.shadow_op;

    switch (s->op) {
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        s->mb = 0;
        return 0;
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
        return s->mb ? -EOPNOTSUPP : 0;
    case XEN_DOMCTL_SHADOW_OP_ENABLE_TEST:
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

/* ---- what a domain is told, and may touch ---- */

static long op_set_size(struct domctl_call *c)
{
    uint32_t size = c->op.u.address_size.size;

    return size == 64 ? 0 : size == 32 ? -EOPNOTSUPP : -EINVAL;
}

static long op_get_size(struct domctl_call *c)
{
    c->op.u.address_size.size = 64;
    return 0;
}

/* The TSC is the machine's, for everybody. */
static long op_set_tsc(struct domctl_call *c)
{
    uint32_t mode = c->op.u.tsc_info.tsc_mode;

    return mode == 1 ? -EOPNOTSUPP : mode > 2 ? -EINVAL : 0;
}

static long op_get_tsc(struct domctl_call *c)
{
    c->op.u.tsc_info =
        (struct xen_domctl_tsc_info){.gtsc_khz = time_tsc_khz(), .elapsed_nsec = (uint64_t)now()};
    return 0;
}

/* What may be used of devices is given, and taken back, by those who may use it themselves. What is
 * mapped or bound by then stays so. */
static long op_ioport_permission(struct domctl_call *c)
{
    const struct xen_domctl_ioport_permission *p = &c->op.u.ioport_permission;
    uint32_t last = p->first_port + p->nr_ports - 1;

    if (!p->nr_ports || p->first_port >= IO_PORTS || p->nr_ports > IO_PORTS - p->first_port)
        return -EINVAL;
    if (!ports_permitted(current_domain(), p->first_port, last))
        return -EPERM;
    ports_close(pcpu_self()); /* it may be our own that go */
    return rangeset_set(&c->d->arch.ports, p->first_port, last, p->allow_access);
}

static long op_iomem_permission(struct domctl_call *c)
{
    const struct xen_domctl_iomem_permission *p = &c->op.u.iomem_permission;
    uint64_t last = p->first_mfn + p->nr_mfns - 1;

    if (last < p->first_mfn)
        return -EINVAL;
    return iomem_may_give(current_domain(), p->first_mfn, last)
               ? rangeset_set(&c->d->arch.iomem, p->first_mfn, last, p->allow_access)
               : -EPERM;
}

static long op_irq_permission(struct domctl_call *c)
{
    const struct xen_domctl_irq_permission *p = &c->op.u.irq_permission;
    int gsi = p->pirq < NR_PIRQS ? pirq_gsi(current_domain(), p->pirq) : -EINVAL;

    return gsi < 0 ? gsi : rangeset_set(&c->d->arch.irqs, gsi, gsi, p->allow_access);
}

static long op_get_policy(struct domctl_call *c)
{
    struct xen_domctl_cpu_policy *p = &c->op.u.cpu_policy;

    return cpu_policy_list(c->d, guest_ptr_of(p->leaves), &p->nr_leaves, guest_ptr_of(p->msrs),
                           &p->nr_msrs);
}

/* Once it runs, a kernel has made up its mind. */
static long op_set_policy(struct domctl_call *c)
{
    struct xen_domctl_cpu_policy *p = &c->op.u.cpu_policy;

    p->err_leaf = p->err_subleaf = p->err_msr = ~0u;
    return c->d->vcpu[0]->is_initialised ? -EEXIST : cpu_policy_set(c->d, p);
}

#define RESULT  DOMCTL_RESULT
#define OTHER   DOMCTL_OTHER
#define STOPPED DOMCTL_STOPPED

const struct domctl_row arch_domctl[] = {
    {XEN_DOMCTL_setvcpucontext, OTHER | STOPPED, -EINVAL, .fn = op_set_context},
    {XEN_DOMCTL_getvcpucontext, STOPPED, -EINVAL, .fn = op_get_context},
    {XEN_DOMCTL_set_ext_vcpucontext, OTHER | STOPPED, -ESRCH, .fn = op_set_ext_context},
    {XEN_DOMCTL_get_ext_vcpucontext, RESULT | STOPPED, -ESRCH, .fn = op_get_ext_context},
    {XEN_DOMCTL_setvcpuextstate, OTHER | STOPPED, -ESRCH, .fn = op_set_extstate},
    {XEN_DOMCTL_getvcpuextstate, RESULT | STOPPED, -ESRCH, .fn = op_get_extstate},
    {XEN_DOMCTL_set_vcpu_msrs, OTHER, -ESRCH, .fn = op_set_msrs},
    {XEN_DOMCTL_get_vcpu_msrs, RESULT | OTHER, -ESRCH, .fn = op_get_msrs},
    {XEN_DOMCTL_getpageframeinfo3, .fn = op_frame_info},
    {XEN_DOMCTL_hypercall_init, .fn = op_hypercall_page},
    {XEN_DOMCTL_shadow_op, RESULT | OTHER, .fn = op_shadow},
    {XEN_DOMCTL_set_address_size, .fn = op_set_size},
    {XEN_DOMCTL_get_address_size, RESULT, .fn = op_get_size},
    {XEN_DOMCTL_settscinfo, OTHER, .fn = op_set_tsc},
    {XEN_DOMCTL_gettscinfo, RESULT | OTHER, .fn = op_get_tsc},
    {XEN_DOMCTL_ioport_permission, .fn = op_ioport_permission},
    {XEN_DOMCTL_iomem_permission, .fn = op_iomem_permission},
    {XEN_DOMCTL_irq_permission, .fn = op_irq_permission},
    {XEN_DOMCTL_get_cpu_policy, DOMCTL_TELLS, .fn = op_get_policy},
    {XEN_DOMCTL_set_cpu_policy, DOMCTL_TELLS | OTHER, .fn = op_set_policy},
    {0},
};

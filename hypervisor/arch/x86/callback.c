/* SPDX-License-Identifier: MIT */
/* Where a guest wants to be entered: trap table, callbacks, NMI handler. Addresses are checked for
 * canonical form on every way in (XSA-193) and never lie in the hypervisor's range. */
#include <asm/traps.h>
#include <hv/hypercall.h>
#include <xen/callback.h>
#include <xen/nmi.h>

/** trap_set - one entry of a trap table as the ABI gives it; -EINVAL for an address that can't be. */
int trap_set(struct vcpu *v, const struct trap_info *ti)
{
    struct guest_trap *t = &v->arch.traps[ti->vector];

    if (!guest_code_ok(ti->address))
        return -EINVAL;
    *t = (struct guest_trap){
        .rip = ti->address,
        .cs = ti->cs | 3,
        .dpl = TI_GET_DPL(ti),
        .masks = TI_GET_IF(ti) != 0,
    };
    return 0;
}

/** do_set_trap_table - entries up to one with address 0; NULL empties the table. */
long do_set_trap_table(guest_ptr_t traps)
{
    struct vcpu *v = current;

    if (!traps.va) {
        memset(v->arch.traps, 0, 256 * sizeof(v->arch.traps[0]));
        return 0;
    }
    for (unsigned int n = 0;; n++) {
        struct trap_info ti;
        int rc;

        if (n && hypercall_preempt_needed())
            return hypercall_continue(__HYPERVISOR_set_trap_table, 1, traps.va);
        if (copy_from_guest(&ti, traps, sizeof(ti)))
            return -EFAULT;
        if (!ti.address)
            return 0;
        rc = trap_set(v, &ti);
        if (rc)
            return rc;
        traps.va += sizeof(ti);
    }
}

static long set_callback(struct vcpu *v, unsigned int type, uint64_t rip, unsigned int flags)
{
    struct arch_vcpu *a = &v->arch;
    uint8_t masks = flags & CALLBACKF_mask_events ? 1 : 0;

    if (!guest_code_ok(rip))
        return -EINVAL;
    switch (type) {
    case CALLBACKTYPE_event:
        a->event_rip = rip;
        return 0;
    case CALLBACKTYPE_failsafe:
        a->failsafe_rip = rip;
        a->failsafe_masks = masks;
        return 0;
    case CALLBACKTYPE_syscall:
        a->syscall_rip = rip;
        a->syscall_masks = masks;
        return 0;
    case CALLBACKTYPE_syscall32:
        a->syscall32_rip = rip;
        a->syscall32_masks = masks;
        return 0;
    case CALLBACKTYPE_sysenter:
        a->sysenter_rip = rip;
        a->sysenter_masks = masks;
        return 0;
    case CALLBACKTYPE_nmi:
        a->nmi_rip = rip;
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall)
{
    struct vcpu *v = current;

    if (!guest_code_ok(event) || !guest_code_ok(failsafe) || !guest_code_ok(syscall))
        return -EINVAL;
    set_callback(v, CALLBACKTYPE_event, event, 0);
    set_callback(v, CALLBACKTYPE_failsafe, failsafe, 0);
    set_callback(v, CALLBACKTYPE_syscall, syscall, 0);
    return 0;
}

static long callback_register(guest_ptr_t arg)
{
    struct callback_register reg;

    if (copy_from_guest(&reg, arg, sizeof(reg)))
        return -EFAULT;
    return set_callback(current, reg.type, reg.address, reg.flags);
}

static long callback_unregister(guest_ptr_t arg)
{
    struct callback_unregister unreg;

    if (copy_from_guest(&unreg, arg, sizeof(unreg)))
        return -EFAULT;
    switch (unreg.type) {
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_syscall32:
    case CALLBACKTYPE_sysenter:
        return -EINVAL;
    case CALLBACKTYPE_nmi:
        current->arch.nmi_rip = 0;
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_callback_op(int cmd, guest_ptr_t arg)
{
    switch (cmd) {
    case CALLBACKOP_register:
        return callback_register(arg);
    case CALLBACKOP_unregister:
        return callback_unregister(arg);
    default:
        return -ENOSYS;
    }
}

/** do_nmi_op - the NMI handler of vcpu 0. */
long do_nmi_op(unsigned int cmd, guest_ptr_t arg)
{
    struct vcpu *v0 = current_domain()->vcpu[0];
    struct xennmi_callback cb;

    switch (cmd) {
    case XENNMI_register_callback:
        if (copy_from_guest(&cb, arg, sizeof(cb)))
            return -EFAULT;
        return set_callback(v0, CALLBACKTYPE_nmi, cb.handler_address, 0);
    case XENNMI_unregister_callback:
        v0->arch.nmi_rip = 0;
        return 0;
    default:
        return -ENOSYS;
    }
}

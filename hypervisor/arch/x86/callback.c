/* SPDX-License-Identifier: MIT */
/* Where a guest wants to be entered: trap table, callbacks, NMI handler. Addresses are checked for
 * canonical form on every way in (XSA-193) and never lie in the hypervisor's range. */
#include <asm/traps.h>
#include <hv/hypercall.h>
#include <xen/callback.h>
#include <xen/nmi.h>

/** trap_set - one entry of a trap table as the ABI gives it; -EINVAL for an address that can't be.
 */
int trap_set(struct vcpu *v, const struct trap_info *ti)
{
    struct guest_entry *t = &v->arch.traps[ti->vector];

    if (!guest_code_ok(ti->address))
        return -EINVAL;
    *t = (struct guest_entry){
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

        if (n && hypercall_preempt_needed())
            return hypercall_continue(__HYPERVISOR_set_trap_table, 1, traps.va);
        if (copy_from_guest(&ti, traps, sizeof(ti)))
            return -EFAULT;
        if (!ti.address)
            return 0;
        TRY(trap_set(v, &ti));
        traps.va += sizeof(ti);
    }
}

#define TYPES                                                                                      \
    (1u << CALLBACKTYPE_event | 1u << CALLBACKTYPE_failsafe | 1u << CALLBACKTYPE_syscall |         \
     1u << CALLBACKTYPE_syscall32 | 1u << CALLBACKTYPE_sysenter | 1u << CALLBACKTYPE_nmi)

static bool is_type(unsigned int type)
{
    return type < 32 && (TYPES >> type & 1);
}

int callback_set(struct vcpu *v, unsigned int type, uint64_t rip, bool masks)
{
    if (!guest_code_ok(rip))
        return -EINVAL;
    if (!is_type(type))
        return -ENOSYS;
    if (type == CALLBACKTYPE_event || type == CALLBACKTYPE_nmi)
        masks = true;
    v->arch.callback[type] = (struct guest_entry){.rip = rip, .masks = masks};
    return 0;
}

long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall)
{
    struct vcpu *v = current;

    if (!guest_code_ok(event) || !guest_code_ok(failsafe) || !guest_code_ok(syscall))
        return -EINVAL;
    (void)callback_set(v, CALLBACKTYPE_event, event, true);
    (void)callback_set(v, CALLBACKTYPE_failsafe, failsafe, false);
    (void)callback_set(v, CALLBACKTYPE_syscall, syscall, false);
    return 0;
}

static long callback_unregister(unsigned int type)
{
    if (!is_type(type))
        return -ENOSYS;
    if (type != CALLBACKTYPE_nmi)
        return -EINVAL;
    current->arch.callback[type].rip = 0;
    return 0;
}

long do_callback_op(int cmd, guest_ptr_t arg)
{
    switch (cmd) {
    case CALLBACKOP_register:
        return RUN_OP(arg, struct callback_register, false,
                      callback_set(current, op.type, op.address, op.flags & CALLBACKF_mask_events));
    case CALLBACKOP_unregister:
        return RUN_OP(arg, struct callback_unregister, false, callback_unregister(op.type));
    default:
        return -ENOSYS;
    }
}

/** do_nmi_op - the NMI handler of vcpu 0. */
long do_nmi_op(unsigned int cmd, guest_ptr_t arg)
{
    struct vcpu *v0 = current_domain()->vcpu[0];

    switch (cmd) {
    case XENNMI_register_callback:
        return RUN_OP(arg, struct xennmi_callback, false,
                      callback_set(v0, CALLBACKTYPE_nmi, op.handler_address, true));
    case XENNMI_unregister_callback:
        v0->arch.callback[CALLBACKTYPE_nmi].rip = 0;
        return 0;
    default:
        return -ENOSYS;
    }
}

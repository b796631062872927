/* SPDX-License-Identifier: MIT */
/* The hypercall table, multicalls and continuations. */
#include <asm/traps.h>
#include <hv/hypercall.h>
#include <hv/softirq.h>
#include <xen/arch-x86/xen-mca.h>

/* Handlers have typed parameters; the registers are the same for all of them. */
typedef long (*hypercall_fn)(unsigned long, unsigned long, unsigned long, unsigned long,
                             unsigned long, unsigned long);

long hypercall_unknown(unsigned long nr);
static long not_implemented(void);

/* Security labels, fully virtual domains: kernels ask, and need no word in the log. */
static long not_here(void)
{
    return -ENOSYS;
}

#define HANDLER(fn) (hypercall_fn)(void (*)(void))(fn)
#define CALL(name)  [__HYPERVISOR_##name] = HANDLER(do_##name)

extern const hypercall_fn hypercall_table[NR_HYPERCALLS];
/* Every number has a handler, so that the entry code needs no test. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const hypercall_fn hypercall_table[NR_HYPERCALLS] = {
    [0 ... NR_HYPERCALLS - 1] = HANDLER(not_implemented),
    CALL(set_trap_table),
    CALL(mmu_update),
    CALL(set_gdt),
    CALL(stack_switch),
    CALL(set_callbacks),
    CALL(fpu_taskswitch),
    CALL(sched_op_compat),
    CALL(platform_op),
    CALL(set_debugreg),
    CALL(get_debugreg),
    CALL(update_descriptor),
    CALL(memory_op),
    CALL(multicall),
    CALL(update_va_mapping),
    CALL(set_timer_op),
    CALL(event_channel_op_compat),
    CALL(xen_version),
    CALL(console_io),
    CALL(grant_table_op),
    CALL(vm_assist),
    CALL(update_va_mapping_otherdomain),
    CALL(iret),
    CALL(vcpu_op),
    CALL(set_segment_base),
    CALL(mmuext_op),
    [__HYPERVISOR_xsm_op] = HANDLER(not_here),
    CALL(nmi_op),
    CALL(sched_op),
    CALL(callback_op),
    CALL(event_channel_op),
    CALL(physdev_op),
    [__HYPERVISOR_hvm_op] = HANDLER(not_here),
    CALL(sysctl),
    CALL(domctl),
    CALL(mca),
};
#pragma GCC diagnostic pop

/** hypercall_unknown - a number without a handler: said once for each, so that a log shows what a
 * kernel would have liked, and can't be flooded. */
long hypercall_unknown(unsigned long nr)
{
    static unsigned long told;

    if (!test_and_set_bit(min(nr, 63UL), &told))
        guest_printk(current_domain(), LOG_INFO, "hypercall %lu is not implemented", nr);
    return -ENOSYS;
}

static long not_implemented(void)
{
    struct pcpu *p = pcpu_self();

    return hypercall_unknown(p->multicall ? p->multicall->op : p->curr->arch.regs.rax);
}

long hypercall_dispatch(unsigned long nr, const unsigned long args[6])
{
    if (unlikely(nr >= NR_HYPERCALLS))
        return hypercall_unknown(nr);
    return hypercall_table[nr](args[0], args[1], args[2], args[3], args[4], args[5]);
}

unsigned int opt_preempt_every; /* preempt=N: pretend other work at every Nth asking */

bool hypercall_preempt_needed(void)
{
    static unsigned int asked;

    return unlikely(softirq_pending()) ||
           (DEBUG_BUILD && opt_preempt_every && ++asked % opt_preempt_every == 0);
}

long hypercall_continue(unsigned int nr, unsigned int nargs, ...)
{
    struct pcpu *p = pcpu_self();
    struct cpu_regs *regs = &p->curr->arch.regs;
    uint64_t *reg[6] = {&regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8, &regs->r9};
    va_list ap;

    va_start(ap, nargs);
    for (unsigned int i = 0; i < nargs && i < 6; i++) {
        unsigned long arg = va_arg(ap, unsigned long);

        if (p->multicall)
            p->multicall->args[i] = arg;
        else
            *reg[i] = arg;
    }
    va_end(ap);
    if (p->multicall) {
        p->multicall->op = nr;
        p->continued = true;
    } else {
        regs->rip -= 2; /* back to the SYSCALL instruction, to which the number in rax returns */
    }
    return nr;
}

/* Run one entry of a multicall, whose range has been checked; true if its work is done and its result
 * has been handed over. */
static inline bool multicall_entry_run(struct pcpu *p, struct multicall_entry *where, long *error)
{
    struct multicall_entry call;

    *error = -EFAULT;
    if (unlikely(get_guest_inline(&call, where, sizeof(call))))
        return true;
    p->multicall = &call;
    p->continued = false;
    call.result = (xen_ulong_t)hypercall_dispatch(call.op, call.args);
    p->multicall = NULL;
    *error = 0;
    if (unlikely(p->continued)) {
        *error = put_guest_inline(where, &call, sizeof(call));
        return *error != 0;
    }
    if (!guest_in_kernel(p->curr)) {
        *error = (long)call.result; /* iret: what it returned is the user's rax, the batch ends */
        return true;
    }
    *error = put_guest_inline(&where->result, &call.result, sizeof(call.result));
    return true;
}

/** do_multicall - run @nr_calls hypercalls. An entry that leaves kernel mode ends the batch (XSA-213);
 * one that has to be continued is written back with its progress, and the batch goes on from it.
 * Returns 0; -EINVAL inside another multicall; -EFAULT. */
long do_multicall(guest_ptr_t calls, uint32_t nr_calls)
{
    struct pcpu *p = pcpu_self();

    if (unlikely(p->multicall))
        return -EINVAL;
    if (unlikely(!guest_range_ok(calls, (size_t)nr_calls * sizeof(struct multicall_entry))))
        return -EFAULT;
    for (uint32_t i = 0; i < nr_calls; i++) {
        long error;

        if ((i && hypercall_preempt_needed()) ||
            !multicall_entry_run(p, (struct multicall_entry *)calls.va, &error))
            return hypercall_continue(__HYPERVISOR_multicall, 2, calls.va,
                                      (unsigned long)nr_calls - i);
        if (unlikely(error) || unlikely(!guest_in_kernel(p->curr)))
            return error;
        calls.va += sizeof(struct multicall_entry);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* The hypercalls, and how a long one is stopped and continued.
 *
 * A handler is dispatch, copy, call. Arguments arrive in registers; a narrower parameter takes the
 * low part and ignores what the guest left above it. Results are 0 or above, or a negative errno.
 */
#pragma once

#include <hv/domain.h>
#include <hv/guest_access.h>
#include <hv/lib.h>

/* common/ */
long do_multicall(guest_ptr_t calls, uint32_t nr_calls);
long do_sched_op(int cmd, guest_ptr_t arg);
long do_sched_op_compat(int cmd, unsigned long arg);
long do_set_timer_op(int64_t timeout);
long do_vcpu_op(int cmd, unsigned int vcpuid, guest_ptr_t arg);
long do_event_channel_op(int cmd, guest_ptr_t arg);
long do_event_channel_op_compat(guest_ptr_t uop);
long do_grant_table_op(unsigned int cmd, guest_ptr_t uop, unsigned int count);
long do_memory_op(unsigned long cmd,
                  guest_ptr_t arg); /* cmd: op in the low 6 bits, progress above */
long do_xen_version(int cmd, guest_ptr_t arg);
long do_vm_assist(unsigned int cmd, unsigned int type);
long do_console_io(unsigned int cmd, unsigned int count, guest_ptr_t buffer);
long do_nmi_op(unsigned int cmd, guest_ptr_t arg);
long do_domctl(guest_ptr_t arg);
long do_sysctl(guest_ptr_t arg);
/* arch/x86/ */
long do_set_trap_table(guest_ptr_t traps);
long do_mmu_update(guest_ptr_t ureqs, unsigned int count, guest_ptr_t pdone,
                   unsigned int foreigndom);
long do_update_va_mapping(unsigned long va, uint64_t val, unsigned long flags);
long do_update_va_mapping_otherdomain(unsigned long va, uint64_t val, unsigned long flags,
                                      domid_t domid);
long do_mmuext_op(guest_ptr_t uops, unsigned int count, guest_ptr_t pdone, unsigned int foreigndom);
long do_set_gdt(guest_ptr_t frames, unsigned int entries);
long do_update_descriptor(uint64_t gaddr, uint64_t desc);
long do_stack_switch(unsigned long ss, unsigned long sp);
long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall);
long do_fpu_taskswitch(int set);
long do_set_debugreg(int reg, unsigned long value);
unsigned long do_get_debugreg(int reg);
long do_set_segment_base(unsigned int which, unsigned long base);
long do_callback_op(int cmd, guest_ptr_t arg);
long do_iret(void);
long do_physdev_op(int cmd, guest_ptr_t arg);
long do_platform_op(guest_ptr_t arg);
long do_mca(guest_ptr_t arg);

#define NR_HYPERCALLS 64

/** hypercall_dispatch - call handler @nr with up to six arguments; -ENOSYS for what is not there.
 * The one table, for direct calls and for multicall entries alike. */
long hypercall_dispatch(unsigned long nr, const unsigned long args[6]);

/** hypercall_preempt_needed - this pcpu has other work: a long operation should record its progress
 * and return hypercall_continue(). Debug builds can force it at every n-th asking. */
bool hypercall_preempt_needed(void);
extern unsigned int opt_preempt_every; /* debug builds: preempt=N */

/** hypercall_continue - arrange that the current vcpu makes hypercall @nr again with these
 * arguments (from registers, or from the multicall entry that is running). Return its value at
 * once. */
long hypercall_continue(unsigned int nr, unsigned int nargs, ...);

/** RUN_OP - the way of one operation: its argument, a @type, into private memory as `op`; then @work, an
 * expression of it whose value is the hypercall's; then back, if that is 0 and it @has_result. */
#define RUN_OP(arg, type, has_result, work)                                                        \
    ({                                                                                             \
        type op;                                                                                   \
        long run_rc = copy_from_guest(&op, arg, sizeof(op)) ?: (work);                             \
        if (run_rc == 0 && (has_result))                                                           \
            run_rc = copy_to_guest(arg, &op, sizeof(op));                                          \
        run_rc;                                                                                    \
    })

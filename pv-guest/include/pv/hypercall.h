/* SPDX-License-Identifier: MIT */
/* One inline function for every hypercall, and hypercallN() for raw ones.
 *
 * A hypercall is the `syscall` instruction itself, number in rax, arguments in rdi rsi rdx r10
 * r8, result in rax. The processor destroys rcx and r11; the hypervisor may change the argument
 * registers (a long call is continued with other arguments), so the compiler is told that
 * they are gone. No hypercall page is used. All functions return 0 or more, or a negated
 * error number of <pv/errno.h>, unless said otherwise. */
#ifndef PV_HYPERCALL_H
#define PV_HYPERCALL_H

#include <pv/types.h>
#include <pv/errno.h>
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

static inline long hypercall5(unsigned long nr, unsigned long a1, unsigned long a2,
                              unsigned long a3, unsigned long a4, unsigned long a5)
{
    register unsigned long r10 __asm__("r10") = a4;
    register unsigned long r8 __asm__("r8") = a5;
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     : "0"(nr)
                     : "rcx", "r11", "memory");
    return rc;
}

static inline long hypercall4(unsigned long nr, unsigned long a1, unsigned long a2,
                              unsigned long a3, unsigned long a4)
{
    register unsigned long r10 __asm__("r10") = a4;
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
                     : "0"(nr)
                     : "rcx", "r8", "r11", "memory");
    return rc;
}

static inline long hypercall3(unsigned long nr, unsigned long a1, unsigned long a2,
                              unsigned long a3)
{
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc), "+D"(a1), "+S"(a2), "+d"(a3)
                     : "0"(nr)
                     : "rcx", "r8", "r10", "r11", "memory");
    return rc;
}

static inline long hypercall2(unsigned long nr, unsigned long a1, unsigned long a2)
{
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc), "+D"(a1), "+S"(a2)
                     : "0"(nr)
                     : "rcx", "rdx", "r8", "r10", "r11", "memory");
    return rc;
}

static inline long hypercall1(unsigned long nr, unsigned long a1)
{
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc), "+D"(a1)
                     : "0"(nr)
                     : "rcx", "rdx", "rsi", "r8", "r10", "r11", "memory");
    return rc;
}

#define HC_PTR(p) ((unsigned long)(p))

/* ---- traps and processor state ---- */

/** @table ends with an entry whose address is 0; NULL clears the whole table. */
static inline long hypercall_set_trap_table(const struct trap_info *table)
{
    return hypercall1(__HYPERVISOR_set_trap_table, HC_PTR(table));
}

/** @frames: machine frames of the table, 512 descriptors each; @entries: how many descriptors. */
static inline long hypercall_set_gdt(const xen_ulong_t *frames, unsigned entries)
{
    return hypercall2(__HYPERVISOR_set_gdt, HC_PTR(frames), entries);
}

/** Kernel stack taken on entry from user mode. */
static inline long hypercall_stack_switch(unsigned long ss, unsigned long rsp)
{
    return hypercall2(__HYPERVISOR_stack_switch, ss, rsp);
}

static inline long hypercall_set_callbacks(unsigned long event, unsigned long failsafe,
                                           unsigned long syscall)
{
    return hypercall3(__HYPERVISOR_set_callbacks, event, failsafe, syscall);
}

static inline long hypercall_fpu_taskswitch(int set)
{
    return hypercall1(__HYPERVISOR_fpu_taskswitch, set);
}

static inline long hypercall_set_debugreg(int reg, unsigned long value)
{
    return hypercall2(__HYPERVISOR_set_debugreg, reg, value);
}

/** Returns the register's value, or a negated error number: the caller cannot tell them apart. */
static inline unsigned long hypercall_get_debugreg(int reg)
{
    return hypercall1(__HYPERVISOR_get_debugreg, reg);
}

/** @maddr: machine address of the descriptor. */
static inline long hypercall_update_descriptor(uint64_t maddr, uint64_t desc)
{
    return hypercall2(__HYPERVISOR_update_descriptor, maddr, desc);
}

/** @which: SEGBASE_*. */
static inline long hypercall_set_segment_base(int which, unsigned long base)
{
    return hypercall2(__HYPERVISOR_set_segment_base, which, base);
}

static inline long hypercall_callback_op(int cmd, const void *arg)
{
    return hypercall2(__HYPERVISOR_callback_op, cmd, HC_PTR(arg));
}

static inline long hypercall_nmi_op(unsigned long op, void *arg)
{
    return hypercall2(__HYPERVISOR_nmi_op, op, HC_PTR(arg));
}

/* ---- memory ---- */

/** @done may be NULL; else it receives how many of the @count requests succeeded. */
static inline long hypercall_mmu_update(const struct mmu_update *req, unsigned count,
                                        unsigned *done, unsigned domid)
{
    return hypercall4(__HYPERVISOR_mmu_update, HC_PTR(req), count, HC_PTR(done), domid);
}

static inline long hypercall_mmuext_op(const struct mmuext_op *op, unsigned count, unsigned *done,
                                       unsigned domid)
{
    return hypercall4(__HYPERVISOR_mmuext_op, HC_PTR(op), count, HC_PTR(done), domid);
}

/** @flags: UVMF_*. */
static inline long hypercall_update_va_mapping(unsigned long va, uint64_t pte, unsigned long flags)
{
    return hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

static inline long hypercall_update_va_mapping_otherdomain(unsigned long va, uint64_t pte,
                                                           unsigned long flags, unsigned domid)
{
    return hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, pte, flags, domid);
}

static inline long hypercall_memory_op(unsigned long cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_memory_op, cmd, HC_PTR(arg));
}

static inline long hypercall_vm_assist(unsigned cmd, unsigned type)
{
    return hypercall2(__HYPERVISOR_vm_assist, cmd, type);
}

static inline long hypercall_grant_table_op(unsigned cmd, void *ops, unsigned count)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, HC_PTR(ops), count);
}

/* ---- events, time, scheduling ---- */

static inline long hypercall_event_channel_op(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_event_channel_op, cmd, HC_PTR(arg));
}

/** @deadline: system time in ns, 0 for none. */
static inline long hypercall_set_timer_op(uint64_t deadline)
{
    return hypercall1(__HYPERVISOR_set_timer_op, deadline);
}

static inline long hypercall_sched_op(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_sched_op, cmd, HC_PTR(arg));
}

static inline long hypercall_vcpu_op(int cmd, unsigned vcpu, void *arg)
{
    return hypercall3(__HYPERVISOR_vcpu_op, cmd, vcpu, HC_PTR(arg));
}

/* ---- the rest ---- */

static inline long hypercall_multicall(struct multicall_entry *calls, unsigned count)
{
    return hypercall2(__HYPERVISOR_multicall, HC_PTR(calls), count);
}

static inline long hypercall_xen_version(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_xen_version, cmd, HC_PTR(arg));
}

static inline long hypercall_console_io(unsigned cmd, unsigned count, void *buf)
{
    return hypercall3(__HYPERVISOR_console_io, cmd, count, HC_PTR(buf));
}

static inline long hypercall_physdev_op(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_physdev_op, cmd, HC_PTR(arg));
}

static inline long hypercall_platform_op(void *op)
{
    return hypercall1(__HYPERVISOR_platform_op, HC_PTR(op));
}

static inline long hypercall_domctl(void *op)
{
    return hypercall1(__HYPERVISOR_domctl, HC_PTR(op));
}

static inline long hypercall_sysctl(void *op)
{
    return hypercall1(__HYPERVISOR_sysctl, HC_PTR(op));
}

#endif

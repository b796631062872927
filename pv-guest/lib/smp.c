/* SPDX-License-Identifier: MIT */
/* Bringing up further vcpus. A vcpu's block (locals and stacks) is made once and kept. */
#include <pv/smp.h>
#include <pv/errno.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/string.h>
#include <pv/time.h>
#include "internal.h"

static struct vcpu_local *blocks[MAX_VCPUS];

void vcpu_start_asm(void);
void vcpu_start_c(void);

unsigned vcpu_count(void)
{
    unsigned n = 1;

    while (n < MAX_VCPUS && hypercall_vcpu_op(VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

/* First C on a new vcpu. A vcpu that was down goes on after its call when it is brought up again,
 * since initialise is refused the second time: hence the loop. */
void vcpu_start_c(void)
{
    struct vcpu_local *me = this_vcpu();

    events_disable();
    trap_init_vcpu();
    time_init_vcpu();
    for (;;) {
        me->entry(me->arg);
        events_disable();
        hypercall_vcpu_op(VCPUOP_down, me->id, NULL);
    }
}

static struct vcpu_local *make_block(unsigned id)
{
    if (!blocks[id]) {
        uint64_t two = (uint64_t)alloc_pages(2 * VCPU_BLOCK / PAGE_SIZE);

        /* Alignment by taking twice as much and giving back nothing: it is small. */
        if (!two)
            return NULL;
        blocks[id] = (struct vcpu_local *)ROUND_UP(two, VCPU_BLOCK);
    }
    return blocks[id];
}

int vcpu_context(unsigned id, void (*entry)(void *), void *arg, struct vcpu_guest_context *ctxt)
{
    struct vcpu_local *v;

    if (id >= MAX_VCPUS)
        return -EINVAL;
    v = make_block(id);
    if (!v)
        return -ENOMEM;
    v->id = id;
    v->info = &shared_info->vcpu_info[id];
    v->armed = NULL;
    v->user = NULL;
    v->entry = entry;
    v->arg = arg;
    memset(ctxt, 0, sizeof(*ctxt));
    ctxt->flags = VGCF_IN_KERNEL;
    ctxt->user_regs.cs = FLAT_KERNEL_CS;
    ctxt->user_regs.ss = FLAT_KERNEL_SS;
    ctxt->user_regs.rip = (unsigned long)vcpu_start_asm;
    ctxt->user_regs.rsp = (unsigned long)v + VCPU_BLOCK;
    ctxt->user_regs.rflags = X86_EFLAGS_IF;
    ctxt->kernel_ss = FLAT_KERNEL_SS;
    ctxt->kernel_sp = (unsigned long)v + VCPU_TRAP_STACK;
    ctxt->event_callback_eip = (unsigned long)entry_event;
    ctxt->failsafe_callback_eip = (unsigned long)entry_failsafe;
    ctxt->syscall_callback_eip = (unsigned long)entry_syscall;
    ctxt->ctrlreg[3] = xen_pfn_to_cr3(pfn_to_mfn(pt_kernel_root()));
    return 0;
}

int vcpu_start(unsigned id, void (*entry)(void *), void *arg)
{
    struct vcpu_guest_context *ctxt = kmalloc(sizeof(*ctxt));
    int rc = ctxt ? vcpu_context(id, entry, arg, ctxt) : -ENOMEM;

    if (rc == 0)
        rc = hypercall_vcpu_op(VCPUOP_initialise, id, ctxt);
    kfree(ctxt);
    if (rc == 0 || rc == -EEXIST)
        rc = hypercall_vcpu_op(VCPUOP_up, id, NULL);
    return rc;
}

void vcpu_wait_down(unsigned id)
{
    while (hypercall_vcpu_op(VCPUOP_is_up, id, NULL) == 1)
        hypercall_sched_op(SCHEDOP_yield, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Several vcpus. Each has a block of VCPU_BLOCK bytes, aligned to its size: struct vcpu_local
 * at the bottom, then the stack for entries from user mode, then the main stack. So the vcpu
 * is found from the stack pointer alone, and no segment register is reserved. */
#ifndef PV_SMP_H
#define PV_SMP_H

#include <pv/types.h>
#include <pv/cpu.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/vcpu.h>

#define MAX_VCPUS       32
#define VCPU_BLOCK      0x8000
#define VCPU_TRAP_STACK 0x4000 /* offset in the block where the entry stack ends */

struct fault_catch;
struct user_frame;

struct vcpu_local {
    unsigned id;
    struct vcpu_info *info;    /* in shared_info, or where a test moved it */
    struct fault_catch *armed; /* innermost catch */
    struct user_frame *user;   /* set while user_run() is under way */
    void (*entry)(void *);
    void *arg;
    evtchn_port_t timer_port;
    volatile unsigned timer_fired;
};

static inline struct vcpu_local *this_vcpu(void)
{
    return (struct vcpu_local *)(read_rsp() & ~(uint64_t)(VCPU_BLOCK - 1));
}

static inline unsigned vcpu_id(void)
{
    return this_vcpu()->id;
}

/** vcpu_count - vcpus that this domain has been given, running or not. */
unsigned vcpu_count(void);

/** vcpu_start - bring vcpu @id up: @entry(@arg) runs there with traps and events set up and
 * events masked. When it returns, the vcpu takes itself down. 0 or -errno. A vcpu that is down
 * again may be started anew. */
int vcpu_start(unsigned id, void (*entry)(void *), void *arg);

/** vcpu_wait_down - wait until vcpu @id is down. */
void vcpu_wait_down(unsigned id);

/** vcpu_context - fill @ctxt as vcpu_start() would, for tests that change it and initialise the
 * vcpu themselves. Returns 0 or -ENOMEM. */
int vcpu_context(unsigned id, void (*entry)(void *), void *arg, struct vcpu_guest_context *ctxt);

extern char boot_vcpu_block[VCPU_BLOCK];

#endif

/* SPDX-License-Identifier: MIT */
/* Work put off from interrupts and from deep inside operations to the moment before a pcpu returns
 * to a guest, or idles. Handlers run with interrupts on, no locks held, at the base of the stack. */
#pragma once

#include <hv/percpu.h>

enum softirq {
    SOFTIRQ_TIMER,
    SOFTIRQ_IRQ,     /* device interrupts to be passed to their domain */
    SOFTIRQ_TASKLET, /* work items: domain destruction, debug keys, serial input */
    SOFTIRQ_STOP,    /* never to do anything again: the machine is about to be audited and to end */
    SOFTIRQ_SCHEDULE, /* last: it may not return here */
    NR_SOFTIRQS
};

void softirq_register(enum softirq nr, void (*fn)(void));
/** softirq_raise - on this pcpu; safe in interrupt handlers. */
void softirq_raise(enum softirq nr);
/** softirq_raise_on - on any pcpu; sends an interrupt if needed. */
void softirq_raise_on(unsigned int cpu, enum softirq nr);
static inline bool softirq_pending(void)
{
    return pcpu_self()->softirq_pending != 0;
}
/** softirq_run - run all that is pending on this pcpu. SOFTIRQ_SCHEDULE may switch to another vcpu
 * and then never returns. */
void softirq_run(void);

/* A tasklet: runs once per scheduling, on the pcpu that scheduled it, never concurrently with itself. */
struct tasklet {
    struct tasklet *next;
    void (*fn)(void *data);
    void *data;
    uint8_t scheduled, running;
};
void tasklet_init(struct tasklet *t, void (*fn)(void *), void *data);
void tasklet_schedule(struct tasklet *t);

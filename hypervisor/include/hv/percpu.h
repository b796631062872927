/* SPDX-License-Identifier: MIT */
/* What belongs to one physical CPU. */
#pragma once

#include <hv/config.h>
#include <hv/cpumask.h>
#include <hv/time.h>
#include <asm/percpu.h> /* struct arch_pcpu, pcpu_self() */

struct multicall_entry;
struct tasklet;
struct sched_pcpu;
struct timer_heap;

struct pcpu {
    uint32_t id;
    volatile uint32_t softirq_pending; /* bit per enum softirq; set by interrupts and other pcpus */
    struct vcpu *curr;                 /* running now (`current`); the idle vcpu when none */
    struct vcpu *idle;
    struct vcpu *fpu_owner;            /* whose FPU state is in the registers; NULL none */
    struct sched_pcpu *sched;          /* sched.c */
    struct timer_heap *timers;         /* timer.c */
    struct tasklet *tasklets;          /* softirq.c */
    struct multicall_entry *multicall; /* hypercall.c: our copy of the entry that is being run */
    bool continued;                    /* hypercall.c: ... which asked to be continued */
    uint32_t locks_held;               /* bit per enum lock_rank; debug builds */
    struct arch_pcpu arch;
};

extern struct pcpu pcpus[NR_CPUS];

#ifdef SOCLE_HOST
struct pcpu *pcpu_self(void); /* a fake in tests; else <asm/percpu.h> */
#endif

static inline unsigned int smp_processor_id(void)
{
    return pcpu_self()->id;
}

#define current (pcpu_self()->curr)

/* ---- what common code asks of the architecture about other CPUs ---- */

/** smp_kick - make @cpu look at its softirqs now; no effect if it is this one. */
void smp_kick(unsigned int cpu);

#ifdef SOCLE_HOST
void cpu_relax(void);
bool irqs_enabled(void);
/** irqs_save - interrupts off; returns what irqs_restore() needs to bring back the state before. */
unsigned long irqs_save(void);
void irqs_restore(unsigned long flags);
#else
#include <asm/processor.h> /* has these in line */
#endif

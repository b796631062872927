/* SPDX-License-Identifier: MIT */
/* Scheduling: which vcpu runs on which pcpu, and what a vcpu waits for.
 *
 * sched.c keeps the vcpu states, wake-ups, runstate accounting and calls one policy through
 * struct scheduler; sched_credit.c (weighted fair share with caps) and sched_null.c (one vcpu per
 * pcpu) are policies. A vcpu is RUNNABLE when it has no pause flag set and its pause count is zero. */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <hv/cpumask.h>
#include <hv/list.h>
#include <hv/lock.h>
#include <hv/timer.h>

struct vcpu;
struct domain;

/* v->pause_flags: reasons why a vcpu does not run; changed atomically. */
#define VPF_BLOCKED 0 /* SCHEDOP_block, poll: ends with an event */
#define VPF_DOWN    1 /* not brought up, or VCPUOP_down */
#define VPF_POLLING 2 /* with BLOCKED: waiting for the ports of SCHEDOP_poll */

/* What the schedulers keep in every vcpu. All under the lock of the run queue of v->sched.cpu. */
struct sched_vcpu {
    struct list queue;      /* on a run queue, or pointing at itself */
    uint16_t cpu;           /* pcpu whose queue and lock it belongs to */
    uint8_t on_cpu;         /* its registers are live on `cpu`: nobody else may load them */
    uint8_t migrating;      /* affinity changed while it ran: move it at the next switch */
    cpumask_t hard, soft;   /* where it may run; where it should */
    int64_t credit;         /* policy's own: credit policy */
    s_time_t started;       /* when it was last switched in */
    s_time_t wake_time;
    uint64_t priv[4];       /* policy's own */
};

/* What the schedulers keep in every domain. */
struct sched_domain {
    uint16_t weight; /* relative share, 1..65535, default 256 */
    uint16_t cap;    /* percent of one pcpu that all its vcpus may use together; 0: no cap */
    int64_t budget;  /* ns left in this cap period */
    struct list capped;
    uint64_t priv[4];
};

struct scheduler {
    const char *name;   /* for sched= */
    uint32_t id;        /* XEN_SCHEDULER_* of the sysctl interface */
    int (*init_cpu)(unsigned int cpu);
    int (*vcpu_init)(struct vcpu *v);      /* placed on a pcpu; -ENOSPC */
    void (*vcpu_remove)(struct vcpu *v);
    void (*wake)(struct vcpu *v);          /* became runnable; queue lock held */
    void (*sleep)(struct vcpu *v);         /* not runnable any more; queue lock held */
    void (*yield)(struct vcpu *v);
    /* pick the next vcpu of this pcpu (its idle vcpu if none) and for how long; queue lock held */
    struct vcpu *(*pick)(unsigned int cpu, s_time_t t, s_time_t *slice);
    void (*put)(struct vcpu *v, s_time_t t); /* was switched out, still runnable or not; lock held */
    unsigned int (*pick_cpu)(struct vcpu *v); /* a pcpu within v's affinity for a new home */
    int (*adjust)(struct domain *d);        /* weight or cap changed */
    void (*dump_cpu)(unsigned int cpu);
};

extern const struct scheduler sched_credit, sched_null;

/* ---- life ---- */
int sched_init(const char *policy); /* -ENOENT: no such policy */
int sched_init_cpu(unsigned int cpu);
int sched_vcpu_init(struct vcpu *v, unsigned int cpu_hint);
void sched_vcpu_destroy(struct vcpu *v);
void sched_domain_init(struct domain *d, unsigned int weight, unsigned int cap);
int sched_domain_adjust(struct domain *d, unsigned int weight, unsigned int cap); /* -EINVAL */
int sched_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft); /* -EINVAL: empty */

/* ---- states ---- */
bool vcpu_runnable(const struct vcpu *v);
/** vcpu_wake - something that it waits for may have come: look again. Any context but interrupts. */
void vcpu_wake(struct vcpu *v);
/** vcpu_unblock - end a SCHEDOP_block or poll. */
void vcpu_unblock(struct vcpu *v);
/** vcpu_kick - an event became pending: unblock it, or make its pcpu return through the exit path. */
void vcpu_kick(struct vcpu *v);
/** vcpu_block_events - the current vcpu blocks unless an event is already pending; unmasks upcalls. */
void vcpu_block_events(void);
/** vcpu_pause - increment the pause count; _sync also waits until it runs nowhere; never of current. */
void vcpu_pause_nosync(struct vcpu *v);
void vcpu_pause_sync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
void domain_pause(struct domain *d); /* all its vcpus; waits, unless current is one of them */
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
/** vcpu_sleep_nosync - after a pause flag was set: take it off the run queue. */
void vcpu_sleep_nosync(struct vcpu *v);
void vcpu_sleep_sync(struct vcpu *v); /* and wait until its registers are saved */

/** sched_poll_event - port @port of @d became pending: wake vcpus that poll for it (or for any). */
void sched_poll_event(struct domain *d, uint32_t port);

/* ---- runstate (xen/vcpu.h RUNSTATE_*) ---- */
struct vcpu_runstate_info;
void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out);

/** schedule_softirq - choose and switch; from exit-to-guest or idle only. Ends in context_switch(). */
void schedule_softirq(void);

/* ---- arch/x86/switch.c ---- */

/** context_switch - save what @prev has in this pcpu's registers where needed, load @next, and leave
 * by its exit path. Calls sched_switched_out(prev) as soon as prev may be loaded elsewhere. Never
 * returns. Interrupts are on, no locks held, prev != next. */
void context_switch(struct vcpu *prev, struct vcpu *next) __noreturn;
void sched_switched_out(struct vcpu *prev);

void sched_dump(void); /* debug key: run queues */

/* Per-vcpu state of the parts of vcpu_op and set_timer_op that sched.c and vcpu.c share. */
#endif

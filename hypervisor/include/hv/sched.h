/* SPDX-License-Identifier: MIT */
/* Scheduling: which vcpu runs on which pcpu, and what a vcpu waits for.
 *
 * sched.c keeps the vcpu states, wake-ups, runstate accounting and calls one policy through
 * struct scheduler; sched_credit.c (weighted fair share with caps) and sched_null.c (one vcpu per
 * pcpu) are policies. A vcpu is RUNNABLE when it has no pause flag set and its pause count is zero. */
#pragma once

#include <hv/cpumask.h>
#include <hv/list.h>
#include <hv/lock.h>
#include <hv/timer.h>

/* v->pause_flags: reasons why a vcpu does not run; changed atomically. */
#define VPF_BLOCKED 0 /* SCHEDOP_block, poll: ends with an event */
#define VPF_DOWN    1 /* not brought up, or VCPUOP_down */

/* What the schedulers keep in every vcpu. All under the lock of the run queue of v->sched.cpu. */
struct sched_vcpu {
    struct list queue;    /* on a run queue, or pointing at itself */
    uint16_t cpu;         /* pcpu whose queue and lock it belongs to: where it runs or ran last */
    uint8_t on_cpu;       /* its registers are live on `cpu`: nobody else may load them */
    uint8_t parked;       /* credit: its domain's cap is used up; on no queue */
    uint8_t yielded;      /* somebody else first, this once, if the policy has a choice */
    uint8_t assigned;     /* null: `cpu` is its own */
    uint8_t overridden;   /* hard is a temporary pin; saved_hard is what comes back */
    cpumask_t hard, soft; /* where it may run; where it should */
    cpumask_t allowed;    /* of hard, those of its pool: what policies go by */
    cpumask_t saved_hard;
    int64_t vtime;    /* credit: time it got, in ns for a weight of 256 */
    s_time_t since;   /* when it was last switched in */
    s_time_t started; /* up to when its time has been accounted */
};

/* What the schedulers keep in every domain. */
struct sched_domain {
    uint16_t weight;     /* relative share, 1..65535, default 256 */
    uint16_t cap;        /* percent of one pcpu that all its vcpus may use together; 0: no cap */
    int64_t budget;      /* cap: ns left, negative when overdrawn; atomic */
    struct timer refill; /* cap: once a period */
    uint32_t pool;       /* cpupool.c */
    cpumask_t cpus;      /* of its pool; not none */
};

/* A policy; it need not have adjust(). The lock of the vcpu's run queue is held where nothing else is said. */
struct scheduler {
    const char *name;                           /* for sched= */
    uint32_t id;                                /* XEN_SCHEDULER_* of the sysctl interface */
    unsigned int queue_cpus;                    /* so many pcpus share a run queue and its lock */
    unsigned int (*home)(const struct vcpu *v); /* an allowed pcpu to wait for; no locks held */
    void (*wake)(struct vcpu *v);  /* became runnable; it is not running, queued or parked */
    void (*sleep)(struct vcpu *v); /* it is not running and is not to run for now */
    void (*leave)(struct vcpu *v); /* the same, and it goes away or to another pcpu */
    /* @v, which ran until now, is about to be replaced or confirmed; still runnable or not */
    void (*put)(struct vcpu *v, s_time_t t);
    /* who runs on @cpu next (NULL: nobody), taken off its queue; *@slice: ns, 0 as long as it likes */
    struct vcpu *(*pick)(unsigned int cpu, s_time_t t, s_time_t *slice);
    /* runnable @v has been switched out: from now on others can take it */
    void (*released)(struct vcpu *v);
    void (*adjust)(struct domain *d); /* weight or cap are set or changed; no locks held */
};

extern const struct scheduler sched_credit, sched_null;

/* ---- life ---- */

/** sched_init - once, before any domain: choose the policy (NULL: the default), make the idle domain,
 * register softirqs. -ENOENT: no such policy; the default is in force then. */
int sched_init(const char *policy);
/** sched_init_cpu - give a pcpu its run queue and idle vcpu (which becomes current if nobody is);
 * after timer_init_cpu(). -ENOMEM. */
int sched_init_cpu(unsigned int cpu);
const struct scheduler *sched_policy(void);
void sched_vcpu_init(struct vcpu *v);
void sched_vcpu_destroy(struct vcpu *v); /* it is down or paused and runs nowhere */
void sched_domain_init(struct domain *d, unsigned int weight, unsigned int cap);
void sched_domain_destroy(struct domain *d);
/** sched_domain_is_leaving - some pcpu has switched away from a vcpu of @d, and is not yet done with it: what
 * waited for its on_cpu may go on, but the vcpu must not be freed. */
bool sched_domain_is_leaving(const struct domain *d);
int sched_domain_adjust(struct domain *d, unsigned int weight, unsigned int cap); /* -EINVAL */
/** sched_domain_confine - @d runs on these pcpus only. A vcpu that has to be on others may be on all;
 * @forget: so may all of them. */
void sched_domain_confine(struct domain *d, cpumask_t cpus, bool forget);
/** sched_set_affinity - where @v may and should run; NULL: unchanged. -EINVAL: no such pcpu is in its pool;
 * -EBUSY: hard affinity is overridden for the moment. */
int sched_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft);
/** sched_override_affinity - pin the vcpu to @cpu until the next call with a negative number. -EINVAL,
 * -EBUSY. */
int sched_override_affinity(struct vcpu *v, int cpu);

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
/** vcpu_idle_time - ns that a pcpu had nothing to do. */
s_time_t sched_idle_time(unsigned int cpu);
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

/** vcpu_update_runstate_area - write the area that the guest has registered; the vcpu's tables are
 * loaded. */
void vcpu_update_runstate_area(struct vcpu *v);

/** schedule_softirq - choose and switch; from exit-to-guest or idle only. Ends in context_switch(). */
void schedule_softirq(void);

/* ---- arch/x86/switch.c ---- */

/** context_switch - save what @prev has in this pcpu's registers where needed, load @next, and leave
 * by its exit path. Calls sched_switched_out(prev) as soon as prev may be loaded elsewhere. Never
 * returns. Interrupts are on, no locks held, prev != next. */
void context_switch(struct vcpu *prev, struct vcpu *next) __noreturn;
void sched_switched_out(struct vcpu *prev);

void sched_dump(void); /* debug key: run queues, and each vcpu's place */
void sched_dump_domain(struct domain *d);

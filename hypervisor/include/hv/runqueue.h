/* SPDX-License-Identifier: MIT */
/* Run queues: what sched.c and the policies share.
 *
 * R1  A vcpu's struct sched_vcpu and runstate, and who is `curr` of a pcpu, change only under the lock
 *     of the run queue of v->sched.cpu. v->sched.cpu changes with that lock held, and with on_cpu 0 if
 *     it goes to another queue.
 * R2  A runnable vcpu is curr of one pcpu, or on one queue, or parked, or on its way: between put() and
 *     released() on the pcpu that switches away from it, or inside sched.c from one queue to another.
 * R3  on_cpu is set when a vcpu becomes curr and cleared when its registers are saved. While it is set
 *     no other pcpu takes the vcpu; released() makes up for what was missed because of that.
 *     With on_cpu 0 its domain may be destroyed, but is freed only when no pcpu is `leaving` it.
 * R4  A pcpu's bit in rq->idle means: its curr is the idle vcpu and nobody has told it of work yet. Who
 *     gives it work clears the bit and raises SOFTIRQ_SCHEDULE there. */
#pragma once

#include <hv/domain.h>
#include <hv/percpu.h>
#include <hv/sched.h>
#include <hv/softirq.h>

struct runqueue {
    spinlock_t lock;     /* LOCK_SCHED */
    cpumask_t cpus;      /* pcpus that it serves */
    cpumask_t idle;      /* R4 */
    struct list waiting; /* vcpus; the order is the policy's */
    unsigned int nr_waiting;
    s_time_t balanced; /* credit: when it was last compared with other queues */
};

struct sched_pcpu {
    struct runqueue *rq;
    struct vcpu *curr; /* the scheduler's choice; from context_switch() on also pcpu->curr */
    struct vcpu *idle;
    struct vcpu *assigned;        /* null: whose pcpu this is */
    const struct domain *leaving; /* whose vcpu sched_switched_out() still looks at */
    bool endless;                 /* curr runs without a time limit */
    struct timer slice;
};

static inline struct sched_pcpu *sched_of(unsigned int cpu)
{
    return pcpus[cpu].sched;
}

static inline struct runqueue *runqueue_of(const struct vcpu *v)
{
    return sched_of(READ_ONCE(v->sched.cpu))->rq;
}

/** runqueue_at - the i-th run queue, NULL after the last. */
struct runqueue *runqueue_at(unsigned int i);

/** vcpu_queue_lock - lock the run queue that @v belongs to. */
struct runqueue *vcpu_queue_lock(const struct vcpu *v);
/** __unlock_queue - of the variable that it is assigned to: until the end of the block. */
#define __unlock_queue __at_end(queue_unlock_at_end)
static inline void queue_unlock_at_end(struct runqueue **rq)
{
    spin_unlock(&(*rq)->lock);
}

static inline bool vcpu_is_queued(const struct vcpu *v)
{
    return !list_empty(&v->sched.queue);
}

/** vcpu_may_run_on - its hard affinity and its pool allow it. */
static inline bool vcpu_may_run_on(const struct vcpu *v, unsigned int cpu)
{
    return cpumask_test(&v->sched.allowed, cpu);
}

/** vcpu_is_free - no other pcpu than @cpu has its registers. */
static inline bool vcpu_is_free(const struct vcpu *v, unsigned int cpu)
{
    return !__atomic_load_n(&v->sched.on_cpu, __ATOMIC_ACQUIRE) || v->sched.cpu == cpu;
}

static inline void runqueue_remove(struct runqueue *rq, struct vcpu *v)
{
    list_del(&v->sched.queue);
    rq->nr_waiting--;
}

/** runqueue_tickle - have @cpu choose anew. */
static inline void runqueue_tickle(struct runqueue *rq, unsigned int cpu)
{
    cpumask_clear(&rq->idle, cpu);
    softirq_raise_on(cpu, SOFTIRQ_SCHEDULE);
}

/* SPDX-License-Identifier: MIT */
/* The null policy: each vcpu that is not down has a pcpu for itself and nothing is ever decided. A vcpu
 * for which there is none, not even by moving another one, waits in the queue until one goes down, away or
 * elsewhere; until then it does not run. All pcpus share one lock: it is held for a few instructions on
 * each wake-up. */
#include <hv/runqueue.h>
#include <xen/domctl.h>

static bool fits(const struct vcpu *v, unsigned int cpu)
{
    return vcpu_may_run_on(v, cpu) && vcpu_is_free(v, cpu);
}

static void assign(struct vcpu *v, unsigned int cpu)
{
    sched_of(cpu)->assigned = v;
    WRITE_ONCE(v->sched.cpu, (uint16_t)cpu);
    v->sched.assigned = 1;
    softirq_raise_on(cpu, SOFTIRQ_SCHEDULE);
}

/* Its pcpu goes to the first one that waits and can have it. */
static void unassign(struct runqueue *rq, struct vcpu *v)
{
    unsigned int cpu = v->sched.cpu;
    struct vcpu *w;

    if (!v->sched.assigned)
        return;
    v->sched.assigned = 0;
    sched_of(cpu)->assigned = NULL;
    list_for_each (w, &rq->waiting, sched.queue) {
        if (fits(w, cpu)) {
            runqueue_remove(rq, w);
            assign(w, cpu);
            return;
        }
    }
}

static bool find_pcpu(struct runqueue *rq, struct vcpu *v, cpumask_t mask)
{
    if (cpumask_test(&mask, v->sched.cpu) && !sched_of(v->sched.cpu)->assigned &&
        fits(v, v->sched.cpu)) {
        assign(v, v->sched.cpu);
        return true;
    }
    for_each_cpu (cpu, cpumask_and(mask, rq->cpus)) {
        if (!sched_of(cpu)->assigned && fits(v, cpu)) {
            assign(v, cpu);
            return true;
        }
    }
    return false;
}

static bool has_other_pcpu(struct runqueue *rq, const struct vcpu *v)
{
    for_each_cpu (cpu, cpumask_and(v->sched.allowed, rq->cpus))
        if (!sched_of(cpu)->assigned)
            return true;
    return false;
}

/* Take the pcpu of one that can go to a free one. If that runs, it finds its way there when it has been
 * switched out; else when it wakes. */
static bool displace(struct runqueue *rq, struct vcpu *v)
{
    for_each_cpu (cpu, cpumask_and(v->sched.allowed, rq->cpus)) {
        struct vcpu *w = sched_of(cpu)->assigned;

        if (w && fits(v, cpu) && has_other_pcpu(rq, w)) {
            w->sched.assigned = 0;
            assign(v, cpu);
            return true;
        }
    }
    return false;
}

static void null_wake(struct vcpu *v)
{
    struct runqueue *rq = runqueue_of(v);

    if (v->sched.assigned && vcpu_may_run_on(v, v->sched.cpu)) {
        runqueue_tickle(rq, v->sched.cpu);
        return;
    }
    unassign(rq, v);
    if (find_pcpu(rq, v, v->sched.soft) || find_pcpu(rq, v, v->sched.allowed) || displace(rq, v))
        return;
    list_add_tail(&v->sched.queue, &rq->waiting);
    rq->nr_waiting++;
}

static void null_leave(struct vcpu *v)
{
    struct runqueue *rq = runqueue_of(v);

    if (vcpu_is_queued(v))
        runqueue_remove(rq, v);
    unassign(rq, v);
}

static void null_sleep(struct vcpu *v)
{
    if (READ_ONCE(v->pause_flags) & 1u << VPF_DOWN)
        null_leave(v);
    else if (vcpu_is_queued(v))
        runqueue_remove(runqueue_of(v), v);
}

static void null_put(struct vcpu *v, s_time_t t __ignored)
{
    if (READ_ONCE(v->pause_flags) & 1u << VPF_DOWN)
        unassign(runqueue_of(v), v);
}

static struct vcpu *null_pick(unsigned int cpu, s_time_t t __ignored, s_time_t *slice)
{
    struct vcpu *v = sched_of(cpu)->assigned;

    *slice = 0;
    return v && vcpu_runnable(v) && vcpu_may_run_on(v, cpu) && vcpu_is_free(v, cpu) ? v : NULL;
}

static void null_released(struct vcpu *v)
{
    if (!vcpu_is_queued(v))
        null_wake(v);
}

static unsigned int null_home(const struct vcpu *v)
{
    return cpumask_empty(v->sched.allowed) ? 0 : cpumask_first(v->sched.allowed);
}

const struct scheduler sched_null = {
    .name = "null",
    .id = XEN_SCHEDULER_NULL,
    .queue_cpus = NR_CPUS,
    .home = null_home,
    .wake = null_wake,
    .sleep = null_sleep,
    .leave = null_leave,
    .put = null_put,
    .pick = null_pick,
    .released = null_released,
};

/* SPDX-License-Identifier: MIT */
/* The default policy: fair shares of processor time by weight, with caps.
 *
 * Each vcpu has a virtual time, which runs while it runs: the slower, the greater its domain's weight.
 * Who has least goes first. Up to QUEUE_CPUS pcpus share one queue, ordered by virtual time, so fairness
 * among them needs no balancing: three vcpus on two pcpus get two thirds each.
 *
 * What a vcpu may be ahead of its competitors is bounded (lead()), so that old debts and savings are
 * forgotten: from times when it had a pcpu for itself, slept, or was pinned elsewhere. The bound is
 * applied in put() between a vcpu and the first of those that wait for the same pcpu, and in join() to
 * one that comes from elsewhere; it is larger than what a slice can bring about. Vcpus that never
 * compete do not influence each other.
 *
 * A vcpu that wakes takes an idle pcpu; else it preempts the one that is furthest ahead if that has
 * PREEMPT more virtual time. However long it has slept, it counts as at most WAKE_CREDIT behind that.
 * A pcpu decides at most every RATE_LIMIT. Nobody is interrupted when nobody waits.
 * Larger machines have several queues: idle pcpus take from others at once, busy ones compare the
 * lengths from time to time.
 *
 * Caps: a domain has a budget that its vcpus use up together and that is refilled once a period. When
 * it is gone they are parked. What was used beyond it is subtracted from the next, so the average is
 * exact. */
#include <hv/runqueue.h>
#include <xen/domctl.h>

#define QUEUE_CPUS  16
#define WEIGHT_UNIT 256
#define RATE_LIMIT  US(500)
#define SLICE       MS(4) /* how far one may get ahead of the next before it is its turn */
#define SLICE_MIN   RATE_LIMIT
#define SLICE_MAX   MS(10)
#define LEAD        MS(20)
#define PREEMPT     US(200)
#define WAKE_CREDIT MS(10)
#define CAP_PERIOD  MS(10)
#define CAP_SLICE   MS(1) /* longest slice of a domain whose other vcpus use the same budget */
#define BALANCE     MS(20)

/* ---- virtual time ---- */

static s_time_t to_virtual(const struct vcpu *v, s_time_t ns)
{
    return ns * WEIGHT_UNIT / READ_ONCE(v->domain->sched.weight);
}

static s_time_t to_real(const struct vcpu *v, s_time_t virtual)
{
    return virtual * READ_ONCE(v->domain->sched.weight) / WEIGHT_UNIT;
}

static s_time_t lead(const struct vcpu *v)
{
    return LEAD + to_virtual(v, 2 * SLICE);
}

/* Virtual time may wrap: only differences count. */
static s_time_t ahead(s_time_t a, s_time_t b)
{
    return (s_time_t)((uint64_t)a - (uint64_t)b);
}

static s_time_t plus(s_time_t a, s_time_t b)
{
    return (s_time_t)((uint64_t)a + (uint64_t)b);
}

static bool is_capped(const struct domain *d)
{
    return READ_ONCE(d->sched.cap) != 0;
}

static bool budget_is_gone(const struct domain *d)
{
    return is_capped(d) && READ_ONCE(d->sched.budget) <= 0;
}

static void account(struct vcpu *v, s_time_t t)
{
    s_time_t ran = min(t - v->sched.started, SECONDS(100)); /* more makes no difference */

    if (ran <= 0)
        return;
    v->sched.started = t;
    v->sched.vtime = plus(v->sched.vtime, to_virtual(v, ran));
    if (is_capped(v->domain))
        __atomic_fetch_sub(&v->domain->sched.budget, ran, __ATOMIC_RELAXED);
}

/* ---- the queue ---- */

static struct vcpu *queue_entry(struct list *l)
{
    return container_of(l, struct vcpu, sched.queue);
}

static void enqueue(struct runqueue *rq, struct vcpu *v)
{
    struct list *pos = rq->waiting.prev;

    while (pos != &rq->waiting && ahead(queue_entry(pos)->sched.vtime, v->sched.vtime) > 0)
        pos = pos->prev;
    list_add(&v->sched.queue, pos);
    rq->nr_waiting++;
}

/* The first one after @pos that @cpu could run now. */
static struct vcpu *first_for(struct runqueue *rq, struct list *pos, unsigned int cpu)
{
    for (pos = pos->next; pos != &rq->waiting; pos = pos->next) {
        struct vcpu *v = queue_entry(pos);

        if (vcpu_may_run_on(v, cpu) && vcpu_is_free(v, cpu))
            return v;
    }
    return NULL;
}

/* ---- finding a pcpu for a vcpu ---- */

static cpumask_t pcpus_for(const struct runqueue *rq, const struct vcpu *v)
{
    return cpumask_and(v->sched.allowed, rq->cpus);
}

static bool tickle_idle(struct runqueue *rq, const struct vcpu *v, cpumask_t mask)
{
    cpumask_t idle = cpumask_and(rq->idle, mask), soft;

    if (likely(cpumask_empty(idle)))
        return false;
    soft = cpumask_and(idle, v->sched.soft);
    if (!cpumask_empty(soft))
        idle = soft;
    runqueue_tickle(rq, cpumask_test(&idle, v->sched.cpu) ? v->sched.cpu : cpumask_first(idle));
    return true;
}

/* The pcpu among @mask whose vcpu is furthest ahead; NR_CPUS: all are about to choose anyway. */
static unsigned int furthest_ahead(cpumask_t mask, s_time_t t, s_time_t *vtime)
{
    unsigned int best = NR_CPUS;

    for_each_cpu (cpu, mask) {
        struct sched_pcpu *sp = sched_of(cpu);
        const struct vcpu *v = sp->curr;
        s_time_t vt;

        if (v == sp->idle)
            continue;
        vt = plus(v->sched.vtime, to_virtual(v, max(t - v->sched.started, 0)));
        if (best == NR_CPUS || ahead(vt, *vtime) > 0) {
            best = cpu;
            *vtime = vt;
        }
    }
    return best;
}

/* A pcpu of another queue that has nothing to do will take a vcpu over from here. Its queue is not
 * locked, so it may have found something else by then. */
static bool tickle_elsewhere(const struct runqueue *rq, const struct vcpu *v)
{
    struct runqueue *other;

    for (unsigned int i = 0; (other = runqueue_at(i)); i++) {
        cpumask_t idle = cpumask_and(pcpus_for(other, v), other->idle);

        if (other != rq && !cpumask_empty(idle)) {
            runqueue_tickle(other, cpumask_first(idle));
            return true;
        }
    }
    return false;
}

/* Runnable @v joins those who wait. @waking: it has slept. */
static void join(struct runqueue *rq, struct vcpu *v, bool waking)
{
    cpumask_t mask = pcpus_for(rq, v);
    s_time_t rival = 0;
    unsigned int cpu;

    if (budget_is_gone(v->domain)) {
        v->sched.parked = 1;
        return;
    }
    if (v->sched.on_cpu) { /* released() will do the rest */
        enqueue(rq, v);
        return;
    }
    if (tickle_idle(rq, v, mask) || (runqueue_at(1) && tickle_elsewhere(rq, v))) {
        enqueue(rq, v);
        return;
    }
    cpu = furthest_ahead(mask, now(), &rival);
    if (cpu != NR_CPUS && waking && ahead(rival, v->sched.vtime) > WAKE_CREDIT)
        v->sched.vtime = plus(rival, -WAKE_CREDIT);
    else if (cpu != NR_CPUS && ahead(v->sched.vtime, rival) > lead(v))
        v->sched.vtime = plus(rival, lead(v));
    enqueue(rq, v);
    if (cpu != NR_CPUS && (ahead(rival, v->sched.vtime) > PREEMPT || sched_of(cpu)->endless))
        runqueue_tickle(rq, cpu);
}

static void credit_wake(struct vcpu *v)
{
    join(runqueue_of(v), v, true);
}

static void credit_sleep(struct vcpu *v)
{
    v->sched.parked = 0;
    if (vcpu_is_queued(v))
        runqueue_remove(runqueue_of(v), v);
}

static void credit_released(struct vcpu *v)
{
    struct runqueue *rq = runqueue_of(v);

    if (v->sched.parked)
        return;
    if (vcpu_is_queued(v))
        runqueue_remove(rq, v);
    join(rq, v, false);
}

static unsigned int credit_home(const struct vcpu *v)
{
    unsigned int best = cpumask_first(v->sched.allowed), least = ~0u;
    struct runqueue *rq;

    for (unsigned int i = 0; (rq = runqueue_at(i)); i++) {
        cpumask_t here = pcpus_for(rq, v), idle = cpumask_and(here, rq->idle);

        if (!cpumask_empty(idle))
            return cpumask_first(idle);
        if (!cpumask_empty(here) && READ_ONCE(rq->nr_waiting) < least) {
            least = READ_ONCE(rq->nr_waiting);
            best = cpumask_first(here);
        }
    }
    return best < NR_CPUS ? best : 0;
}

/* ---- the choice ---- */

static void credit_put(struct vcpu *v, s_time_t t)
{
    struct runqueue *rq = runqueue_of(v);
    const struct vcpu *other;

    account(v, t);
    if (!vcpu_runnable(v))
        return;
    if (budget_is_gone(v->domain)) {
        v->sched.parked = 1;
        return;
    }
    other = first_for(rq, &rq->waiting, v->sched.cpu);
    if (other && ahead(v->sched.vtime, other->sched.vtime) > lead(v))
        v->sched.vtime = plus(other->sched.vtime, lead(v));
    else if (other && ahead(other->sched.vtime, v->sched.vtime) > lead(other))
        v->sched.vtime = plus(other->sched.vtime, -lead(other));
    enqueue(rq, v);
}

/* Take one that waits in @from and can run on @cpu, which is this pcpu and whose own queue is locked.
 * The second lock is only tried: there is no order among run queues. */
static struct vcpu *steal(struct runqueue *from, unsigned int cpu)
{
    struct vcpu *v;

    if (!spin_trylock(&from->lock)) {
        softirq_raise(SOFTIRQ_SCHEDULE); /* look again */
        return NULL;
    }
    v = first_for(from, &from->waiting, cpu);
    if (v) {
        runqueue_remove(from, v);
        WRITE_ONCE(v->sched.cpu, (uint16_t)cpu);
    }
    spin_unlock(&from->lock);
    return v;
}

static struct vcpu *steal_any(struct runqueue *rq, unsigned int cpu, unsigned int more_than)
{
    struct runqueue *other;

    for (unsigned int i = 0; (other = runqueue_at(i)); i++) {
        struct vcpu *v = NULL;

        if (other != rq && READ_ONCE(other->nr_waiting) > more_than)
            v = steal(other, cpu);
        if (v)
            return v;
    }
    return NULL;
}

/* Now and then, take one over from a queue where clearly more of them wait. */
static void balance(struct runqueue *rq, unsigned int cpu, s_time_t t)
{
    struct vcpu *v;

    if (likely(!runqueue_at(1)) || t - rq->balanced < BALANCE)
        return;
    rq->balanced = t;
    v = steal_any(rq, cpu, rq->nr_waiting + 1);
    if (v)
        enqueue(rq, v);
}

static s_time_t slice_for(struct runqueue *rq, const struct vcpu *v, unsigned int cpu)
{
    const struct vcpu *next = first_for(rq, &rq->waiting, cpu);
    const struct domain *d = v->domain;
    s_time_t slice = runqueue_at(1) ? BALANCE : 0;

    if (next) {
        s_time_t gap = min(ahead(next->sched.vtime, v->sched.vtime), LEAD);

        slice = max(min(to_real(v, max(gap, -LEAD)) + SLICE, SLICE_MAX), SLICE_MIN);
    }
    if (is_capped(d)) {
        s_time_t left = max(READ_ONCE(d->sched.budget), 1);

        if (d->max_vcpus > 1)
            left = min(left, CAP_SLICE);
        slice = slice ? min(slice, left) : left;
    }
    return slice;
}

static struct vcpu *credit_pick(unsigned int cpu, s_time_t t, s_time_t *slice)
{
    struct sched_pcpu *sp = sched_of(cpu);
    struct runqueue *rq = sp->rq;
    struct vcpu *prev = sp->curr, *v, *w;

    balance(rq, cpu, t);
    v = first_for(rq, &rq->waiting, cpu);
    if (!v) {
        v = steal_any(rq, cpu, 0);
        if (v)
            *slice = slice_for(rq, v, cpu);
        return v;
    }
    if (v == prev) {
        w = prev->sched.yielded ? first_for(rq, &v->sched.queue, cpu) : NULL;
        if (w)
            v = w;
    } else if (t - prev->sched.since < RATE_LIMIT && !prev->sched.yielded && vcpu_is_queued(prev) &&
               vcpu_may_run_on(prev, cpu)) {
        v = prev;
    }
    prev->sched.yielded = 0;
    runqueue_remove(rq, v);
    *slice = slice_for(rq, v, cpu);
    return v;
}

/* ---- caps ---- */

static int64_t quota(const struct domain *d)
{
    return READ_ONCE(d->sched.cap) * (CAP_PERIOD / 100);
}

static void unpark_all(struct domain *d)
{
    for_each_vcpu (d, v) {
        if (!READ_ONCE(v->sched.parked))
            continue;
        struct runqueue *rq __unlock_queue = vcpu_queue_lock(v);

        if (!v->sched.parked)
            continue;
        v->sched.parked = 0;
        if (vcpu_runnable(v))
            join(rq, v, false);
    }
}

/* A refill that comes late is worth all the periods that have passed: they pay back what was overdrawn
 * meanwhile. What is left over is not kept. */
static void refill(void *data)
{
    struct domain *d = data;
    s_time_t full = quota(d), due = d->sched.refill.expires;
    s_time_t periods = 1 + (now() - due) / CAP_PERIOD, left;

    if (!full)
        return;
    left = __atomic_add_fetch(&d->sched.budget, full * periods, __ATOMIC_RELAXED);
    if (left > full)
        __atomic_fetch_sub(&d->sched.budget, left - full, __ATOMIC_RELAXED);
    if (left > 0)
        unpark_all(d);
    timer_set_here(&d->sched.refill, due + periods * CAP_PERIOD);
}

/* A cap counts from now on: what has run is accounted first, and who runs without a limit gets one. */
static void credit_adjust(struct domain *d)
{
    if (!d->sched.refill.fn) /* a new domain */
        timer_init(&d->sched.refill, refill, d, smp_processor_id());
    for_each_vcpu (d, v) {
        struct runqueue *rq __unlock_queue = vcpu_queue_lock(v);

        if (sched_of(v->sched.cpu)->curr == v) {
            account(v, now());
            softirq_raise_on(v->sched.cpu, SOFTIRQ_SCHEDULE);
        }
    }
    if (is_capped(d)) {
        __atomic_store_n(&d->sched.budget, quota(d), __ATOMIC_RELAXED);
        timer_set(&d->sched.refill, now() + CAP_PERIOD);
    } else {
        timer_stop(&d->sched.refill);
    }
    unpark_all(d);
}

const struct scheduler sched_credit = {
    .name = "credit",
    .id = XEN_SCHEDULER_CREDIT2,
    .queue_cpus = QUEUE_CPUS,
    .home = credit_home,
    .wake = credit_wake,
    .sleep = credit_sleep,
    .leave = credit_sleep,
    .put = credit_put,
    .pick = credit_pick,
    .released = credit_released,
    .adjust = credit_adjust,
};

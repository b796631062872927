/* SPDX-License-Identifier: MIT */
/* Scheduling: states of vcpus, wake-ups, runstate accounting, and the switch itself. Who runs where and
 * for how long is asked of the policy. The rules R1..R4 are in <hv/runqueue.h>.
 *
 * A vcpu's registers are in struct vcpu, so to stop it is only to not return to it: schedule_softirq()
 * runs on the way out to a guest or in the idle loop, never inside an operation.
 *
 * Sleeping and waking race without locks in one place only: a vcpu sets VPF_BLOCKED and then looks for
 * events, a sender makes an event pending and then looks at VPF_BLOCKED. One of them sees the other. */
#include <hv/console.h>
#include <hv/guest_access.h>
#include <hv/heap.h>
#include <hv/runqueue.h>

static const struct scheduler *const policies[] = {&sched_credit, &sched_null};
static const struct scheduler *policy = &sched_credit;
static struct runqueue *queues[NR_CPUS];

const struct scheduler *sched_policy(void)
{
    return policy;
}

struct runqueue *runqueue_at(unsigned int i)
{
    return i < NR_CPUS ? queues[i] : NULL;
}

struct runqueue *vcpu_queue_lock(const struct vcpu *v)
{
    for (;;) {
        struct runqueue *rq = runqueue_of(v);

        spin_lock(&rq->lock);
        if (likely(rq == runqueue_of(v)))
            return rq;
        spin_unlock(&rq->lock);
    }
}

static bool is_running(const struct vcpu *v)
{
    return sched_of(v->sched.cpu)->curr == v;
}

bool vcpu_runnable(const struct vcpu *v)
{
    return !READ_ONCE(v->pause_flags) && !READ_ONCE(v->pause_count);
}

/* ---- runstate ---- */

static void runstate_change(struct vcpu *v, int state, s_time_t t)
{
    struct vcpu_runstate_info *r = &v->runstate;

    if (t > (s_time_t)r->state_entry_time) { /* another pcpu's clock may be a little ahead */
        r->time[r->state] += (uint64_t)t - r->state_entry_time;
        r->state_entry_time = (uint64_t)t;
    }
    r->state = state;
}

/* What a vcpu that does not run is doing. */
static int resting_state(const struct vcpu *v)
{
    if (vcpu_runnable(v))
        return RUNSTATE_runnable;
    return READ_ONCE(v->pause_flags) & 1u << VPF_BLOCKED ? RUNSTATE_blocked : RUNSTATE_offline;
}

void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct runqueue *rq = vcpu_queue_lock(v);
    uint64_t t = (uint64_t)now();

    *out = v->runstate;
    spin_unlock(&rq->lock);
    if (t > out->state_entry_time)
        out->time[out->state] += t - out->state_entry_time;
}

s_time_t sched_idle_time(unsigned int cpu)
{
    struct vcpu_runstate_info info;

    vcpu_runstate_get(sched_of(cpu)->idle, &info);
    return (s_time_t)info.time[RUNSTATE_running];
}

/* The guest's other vcpus may read the area at any moment: with the flag they can tell. */
static int put_flagged(guest_ptr_t area, struct vcpu_runstate_info info)
{
    guest_ptr_t when = guest_ptr(area.va + offsetof(struct vcpu_runstate_info, state_entry_time));

    info.state_entry_time |= XEN_RUNSTATE_UPDATE;
    if (copy_to_guest(when, &info.state_entry_time, sizeof(info.state_entry_time)))
        return -EFAULT;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (copy_to_guest(area, &info, sizeof(info)))
        return -EFAULT;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    info.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    return copy_to_guest(when, &info.state_entry_time, sizeof(info.state_entry_time));
}

/* A guest that has unmapped its area just gets no more updates. */
static void put_runstate(struct vcpu *v)
{
    guest_ptr_t area = v->runstate_guest;
    struct runqueue *rq = vcpu_queue_lock(v);
    struct vcpu_runstate_info info = v->runstate;

    spin_unlock(&rq->lock);
    arch_areas_open(v);
    if (v->domain->vm_assist & 1UL << VMASST_TYPE_runstate_update_flag)
        (void)!put_flagged(area, info);
    else
        (void)!copy_to_guest(area, &info, sizeof(info));
    arch_areas_close(v);
}

void vcpu_update_runstate_area(struct vcpu *v)
{
    if (unlikely(v->runstate_guest.va))
        put_runstate(v);
}

/* ---- sleeping and waking ---- */

void vcpu_wake(struct vcpu *v)
{
    struct runqueue *rq __unlock_queue = vcpu_queue_lock(v);
    int state = resting_state(v);

    if (is_running(v))
        return;
    if (state != v->runstate.state)
        runstate_change(v, state, now());
    if (state == RUNSTATE_runnable && !vcpu_is_queued(v) && !v->sched.parked)
        policy->wake(v);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
    struct runqueue *rq __unlock_queue = vcpu_queue_lock(v);

    if (vcpu_runnable(v))
        return;
    if (is_running(v)) {
        softirq_raise_on(v->sched.cpu, SOFTIRQ_SCHEDULE);
        return;
    }
    policy->sleep(v);
    if (v->runstate.state == RUNSTATE_runnable)
        runstate_change(v, resting_state(v), now());
}

void vcpu_sleep_sync(struct vcpu *v)
{
    ASSERT(v != current);
    vcpu_sleep_nosync(v);
    while (!vcpu_runnable(v) && __atomic_load_n(&v->sched.on_cpu, __ATOMIC_ACQUIRE))
        cpu_relax();
}

void vcpu_unblock(struct vcpu *v)
{
    if (!test_and_clear_bit(VPF_BLOCKED, &v->pause_flags))
        return;
    clear_bit(v->id, v->domain->poll_mask);
    vcpu_wake(v);
}

void vcpu_kick(struct vcpu *v)
{
    if (READ_ONCE(v->pause_flags) & 1u << VPF_BLOCKED)
        vcpu_unblock(v);
    else if (v != current && READ_ONCE(v->sched.on_cpu))
        smp_kick(READ_ONCE(v->sched.cpu)); /* on its way out it will look */
}

static bool event_is_pending(const struct vcpu *v)
{
    const struct vcpu_info *info = READ_ONCE(v->info);

    return READ_ONCE(info->evtchn_upcall_pending) && !READ_ONCE(info->evtchn_upcall_mask);
}

void vcpu_block_events(void)
{
    struct vcpu *v = current;

    WRITE_ONCE(READ_ONCE(v->info)->evtchn_upcall_mask, 0);
    if (event_is_pending(v))
        return;
    set_bit(VPF_BLOCKED, &v->pause_flags);
    if (event_is_pending(v))
        clear_bit(VPF_BLOCKED, &v->pause_flags);
    else
        softirq_raise(SOFTIRQ_SCHEDULE);
}

void vcpu_pause_nosync(struct vcpu *v)
{
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep_nosync(v);
}

void vcpu_pause_sync(struct vcpu *v)
{
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    if (__atomic_sub_fetch(&v->pause_count, 1, __ATOMIC_SEQ_CST) == 0)
        vcpu_wake(v);
}

void domain_pause_nosync(struct domain *d)
{
    __atomic_fetch_add(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    for_each_vcpu (d, v)
        vcpu_pause_nosync(v);
}

void domain_pause(struct domain *d)
{
    domain_pause_nosync(d);
    for_each_vcpu (d, v)
        if (v != current)
            vcpu_sleep_sync(v);
}

void domain_unpause(struct domain *d)
{
    for_each_vcpu (d, v)
        vcpu_unpause(v);
    __atomic_fetch_sub(&d->pause_count, 1, __ATOMIC_SEQ_CST);
}

/* ---- the switch ---- */

static void slice_over(void *data __ignored)
{
    softirq_raise(SOFTIRQ_SCHEDULE);
}

/* The lock order wants timers before run queues, so this comes after the choice; only this pcpu sets
 * its slice. */
static void limit_slice(struct sched_pcpu *sp, s_time_t t, s_time_t slice)
{
    if (slice)
        timer_set(&sp->slice, t + slice);
    else
        timer_stop(&sp->slice);
}

void schedule_softirq(void)
{
    struct pcpu *p = pcpu_self();
    struct sched_pcpu *sp = p->sched;
    struct vcpu *prev = sp->curr, *next;
    s_time_t t = now(), slice = 0;

    spin_lock(&sp->rq->lock);
    if (prev != sp->idle)
        policy->put(prev, t);
    next = policy->pick(p->id, t, &slice);
    if (!next) {
        next = sp->idle;
        cpumask_set(&sp->rq->idle, p->id);
    } else {
        cpumask_clear(&sp->rq->idle, p->id);
    }
    next->sched.started = t;
    sp->endless = !slice;
    if (next == prev) {
        spin_unlock(&sp->rq->lock);
        limit_slice(sp, t, slice);
        return;
    }
    runstate_change(prev, resting_state(prev), t);
    runstate_change(next, RUNSTATE_running, t);
    next->sched.since = t;
    next->sched.cpu = (uint16_t)p->id;
    WRITE_ONCE(next->sched.on_cpu, 1);
    sp->curr = next;
    spin_unlock(&sp->rq->lock);

    limit_slice(sp, t, slice);
    if (prev != sp->idle)
        vcpu_update_runstate_area(prev);
    if (unlikely(prev->periodic_period))
        timer_stop(&prev->periodic_timer);
    if (unlikely(next->periodic_period))
        vcpu_resume_periodic_timer(next);
    context_switch(prev, next);
}

/* Take a vcpu that may not run where it is to where it may. One that runs is left to
 * sched_switched_out(). */
static void move(struct vcpu *v)
{
    unsigned int cpu = policy->home(v);
    struct runqueue *rq = vcpu_queue_lock(v);

    if (v->sched.on_cpu || is_running(v)) {
        softirq_raise_on(v->sched.cpu, SOFTIRQ_SCHEDULE);
        spin_unlock(&rq->lock);
        return;
    }
    policy->leave(v);
    WRITE_ONCE(v->sched.cpu, (uint16_t)cpu);
    spin_unlock(&rq->lock);
    vcpu_wake(v);
}

/* Where does the vcpu that was just switched out go on? */
static void find_place(struct vcpu *prev)
{
    if (unlikely(!vcpu_may_run_on(prev, READ_ONCE(prev->sched.cpu)))) {
        move(prev);
        return;
    }
    if (!vcpu_runnable(prev))
        return;
    struct runqueue *rq __unlock_queue = vcpu_queue_lock(prev);

    if (vcpu_runnable(prev) && !is_running(prev) && !prev->sched.on_cpu)
        policy->released(prev);
}

/* on_cpu is cleared before anything is looked at: whoever changed that meanwhile and still saw the
 * vcpu live here has left the rest to us. From then on its domain may be destroyed, but not freed. */
void sched_switched_out(struct vcpu *prev)
{
    struct sched_pcpu *sp = pcpu_self()->sched;

    if (prev->domain->is_idle) {
        prev->sched.on_cpu = 0;
        return;
    }
    WRITE_ONCE(sp->leaving, prev->domain);
    __atomic_store_n(&prev->sched.on_cpu, 0, __ATOMIC_SEQ_CST);
    find_place(prev);
    __atomic_store_n(&sp->leaving, NULL, __ATOMIC_RELEASE);
}

bool sched_domain_is_leaving(const struct domain *d)
{
    for_each_cpu (n, cpu_online_map)
        if (__atomic_load_n(&sched_of(n)->leaving, __ATOMIC_ACQUIRE) == d)
            return true;
    return false;
}

/* ---- where ---- */

static bool in_pool(const struct domain *d, cpumask_t m)
{
    return !cpumask_empty(cpumask_and(m, d->sched.cpus));
}

/* After a change of its affinity or its pool: unlock, and take the vcpu to where it may run, anywhere if that
 * would be nowhere. If it waits, there may be a better place now. */
static int settle(struct vcpu *v, struct runqueue *rq, int rc)
{
    bool stays;

    if (!in_pool(v->domain, v->sched.hard)) {
        v->sched.hard = CPUMASK_ALL;
        v->sched.overridden = 0;
    }
    v->sched.allowed = cpumask_and(v->sched.hard, v->domain->sched.cpus);
    stays = vcpu_may_run_on(v, v->sched.cpu) && !vcpu_is_queued(v);
    spin_unlock(&rq->lock);
    if (!stays)
        move(v);
    return rc;
}

void sched_domain_confine(struct domain *d, cpumask_t cpus, bool forget)
{
    d->sched.cpus = cpus;
    for_each_vcpu (d, v) {
        struct runqueue *rq = vcpu_queue_lock(v);

        if (forget) {
            v->sched.hard = v->sched.soft = CPUMASK_ALL;
            v->sched.overridden = 0;
        }
        (void)settle(v, rq, 0);
    }
}

int sched_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft)
{
    struct runqueue *rq;
    int rc = 0;

    if ((hard && !in_pool(v->domain, *hard)) || (soft && cpumask_empty(*soft)))
        return -EINVAL;
    rq = vcpu_queue_lock(v);
    if (hard && v->sched.overridden) {
        rc = -EBUSY;
    } else {
        if (hard)
            v->sched.hard = *hard;
        if (soft)
            v->sched.soft = *soft;
    }
    return settle(v, rq, rc);
}

int sched_override_affinity(struct vcpu *v, int cpu)
{
    struct runqueue *rq;
    int rc = 0;

    if (cpu >= 0 && !cpumask_has(&v->domain->sched.cpus, (unsigned int)cpu))
        return -EINVAL;
    rq = vcpu_queue_lock(v);
    if (v->sched.overridden != (cpu < 0)) {
        rc = cpu < 0 ? -EINVAL : -EBUSY;
    } else if (cpu < 0) {
        v->sched.hard = v->sched.saved_hard;
        v->sched.overridden = 0;
    } else {
        v->sched.saved_hard = v->sched.hard;
        v->sched.hard = cpumask_of((unsigned int)cpu);
        v->sched.overridden = 1;
    }
    return settle(v, rq, rc);
}

/* ---- life ---- */

static struct runqueue *queue_for(unsigned int cpu)
{
    unsigned int i = cpu / policy->queue_cpus;
    struct runqueue *rq = queues[i];

    if (rq)
        return rq;
    rq = heap_new(struct runqueue);
    if (!rq)
        return NULL;
    spin_lock_init(&rq->lock, LOCK_SCHED);
    list_init(&rq->waiting);
    __atomic_store_n(&queues[i], rq, __ATOMIC_RELEASE);
    return rq;
}

static struct vcpu *idle_vcpu(unsigned int cpu)
{
    static struct vcpu_info nobodys_info;
    struct vcpu *v = heap_new(struct vcpu);

    if (!v)
        return NULL;
    v->id = cpu;
    v->domain = idle_domain;
    v->info = &nobodys_info;
    v->info_mfn = mfn(INVALID_MFN_N);
    idle_domain->vcpu[cpu] = v;
    idle_domain->max_vcpus = max(idle_domain->max_vcpus, cpu + 1);
    return v;
}

int sched_init_cpu(unsigned int cpu)
{
    struct pcpu *p = &pcpus[cpu];
    struct sched_pcpu *sp = heap_new(struct sched_pcpu);
    struct runqueue *rq = queue_for(cpu);
    struct vcpu *idle = p->idle ? p->idle : idle_vcpu(cpu);

    if (!sp || !rq || !idle) {
        heap_free(sp);
        return -ENOMEM;
    }
    list_init(&idle->sched.queue);
    idle->sched.hard = idle->sched.soft = cpumask_of(cpu);
    idle->sched.cpu = (uint16_t)cpu;
    idle->sched.on_cpu = 1;
    idle->runstate.state = RUNSTATE_running;
    idle->runstate.state_entry_time = (uint64_t)now();
    sp->idle = sp->curr = p->idle = idle;
    sp->rq = rq;
    sp->endless = true;
    timer_init(&sp->slice, slice_over, NULL, cpu);
    if (!p->curr)
        p->curr = idle;
    p->sched = sp;
    cpumask_set(&rq->cpus, cpu);
    cpumask_set(&rq->idle, cpu);
    return 0;
}

int sched_init(const char *name)
{
    int rc = name && name[0] ? -ENOENT : 0;

    policy = policies[0];
    for (unsigned int i = 0; rc && i < ARRAY_SIZE(policies); i++) {
        if (!strcmp(name, policies[i]->name)) {
            policy = policies[i];
            rc = 0;
        }
    }
    memset(queues, 0, sizeof(queues));
    if (!idle_domain)
        domain_create_idle();
    softirq_register(SOFTIRQ_SCHEDULE, schedule_softirq);
    return rc;
}

void sched_vcpu_init(struct vcpu *v)
{
    list_init(&v->sched.queue);
    v->sched.hard = v->sched.soft = CPUMASK_ALL;
    v->sched.allowed = v->domain->sched.cpus;
    v->sched.cpu = (uint16_t)policy->home(v);
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = (uint64_t)now();
}

void sched_vcpu_destroy(struct vcpu *v)
{
    struct runqueue *rq __unlock_queue = vcpu_queue_lock(v);

    policy->leave(v);
}

void sched_domain_init(struct domain *d, unsigned int weight, unsigned int cap)
{
    d->sched.weight = (uint16_t)(weight ? min(weight, 65535u) : 256);
    d->sched.cap = (uint16_t)min(cap, 65535u);
    if (policy->adjust)
        policy->adjust(d);
}

int sched_domain_adjust(struct domain *d, unsigned int weight, unsigned int cap)
{
    if (weight < 1 || weight > 65535 || cap > 65535)
        return -EINVAL;
    WRITE_ONCE(d->sched.weight, (uint16_t)weight);
    WRITE_ONCE(d->sched.cap, (uint16_t)cap);
    if (policy->adjust)
        policy->adjust(d);
    return 0;
}

void sched_domain_destroy(struct domain *d)
{
    timer_kill(&d->sched.refill);
}

/* ---- debugging ---- */

void sched_dump(void)
{
    pr_info("scheduler %s", policy->name);
    for_each_cpu (cpu, cpu_online_map) {
        struct sched_pcpu *sp = sched_of(cpu);
        const struct vcpu *v = READ_ONCE(sp->curr);

        pr_info("pcpu %lu: d%uv%u%s, %u waiting, idle %lx", cpu, v->domain->id, v->id,
                sp->endless ? "" : " on a slice", sp->rq->nr_waiting, sp->rq->idle.bits);
    }
}

void sched_dump_domain(struct domain *d)
{
    static const char *const state[] = {"running", "runnable", "blocked", "offline"};

    for_each_vcpu (d, v)
        pr_info("  d%uv%u pcpu %u %s flags %lx paused %d%s%s hard %lx vtime %ld", d->id, v->id,
                v->sched.cpu, state[v->runstate.state & 3], v->pause_flags, v->pause_count,
                v->sched.parked ? " parked" : "", vcpu_is_queued(v) ? " queued" : "",
                v->sched.hard.bits, v->sched.vtime);
}

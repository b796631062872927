/* SPDX-License-Identifier: MIT */
/* Scheduling in simulated time: some pcpus, some vcpus that burn time or sleep and wake, and an account
 * of who really ran, kept by the simulation. Is it fair, does it keep caps and pins, does nobody starve,
 * how long does a wake-up take, do runstates add up?
 *
 * The simulation calls what the machine would call: timer_softirq() when a deadline comes, softirqs
 * before a guest runs, context_switch() switches. sched_switched_out() may be late, as on a real
 * machine where other pcpus meanwhile look at the vcpu. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <hv/runqueue.h>
#include <hv/softirq.h>
#include <hv/timer.h>
#include <stdlib.h>
#include <xen/sched.h>

/* ---- the machine ---- */

#define MAX_WORK 128

/* What a vcpu does: @run ns of work, then @sleep ns blocked; sleep 0: work without end. */
struct work {
    struct vcpu *v;
    s_time_t run, sleep;
    bool noisy; /* times vary between 0 and twice the above */
    s_time_t left, wake_at;
    s_time_t ran;   /* the simulation's account */
    s_time_t woken; /* when it was woken; 0: it has run since */
    s_time_t worst_wait, total_wait;
    unsigned long wakes;
};

static struct work work[MAX_WORK];
static unsigned int nr_work, nr_cpus;
static jmp_buf base;
static struct vcpu *late_out; /* switched out, not yet told */
static bool be_late;
static unsigned long switches;

static struct work *work_of(const struct vcpu *v)
{
    for (unsigned int i = 0; i < nr_work; i++)
        if (work[i].v == v)
            return &work[i];
    return NULL;
}

static void tell_late(void)
{
    struct vcpu *v = late_out;

    late_out = NULL;
    if (v)
        sched_switched_out(v);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    struct pcpu *p = pcpu_self();
    struct work *w = work_of(next);

    assert_ptr_equal(p->curr, prev);
    assert_false(p->locks_held);
    assert_true(next->sched.on_cpu);
    assert_true(vcpu_may_run_on(next, p->id));
    for (unsigned int i = 0; i < nr_cpus; i++)
        assert_ptr_not_equal(pcpus[i].curr, next);
    p->curr = next;
    switches++;
    if (w && w->woken) {
        s_time_t waited = fake_now - w->woken;

        w->total_wait += waited;
        w->worst_wait = max(w->worst_wait, waited);
        w->woken = 0;
    }
    tell_late();
    if (be_late && rand() % 2)
        late_out = prev;
    else
        sched_switched_out(prev);
    longjmp(base, 1);
}

/* One pass of softirqs on the pcpu; a switch ends it. */
static void one_pass(void)
{
    if (!setjmp(base))
        softirq_run();
}

/* Run softirqs everywhere until there are none. */
static void settle(void)
{
    bool any = true;

    for (unsigned int rounds = 0; any; rounds++) {
        any = false;
        assert_true(rounds < 100000);
        for (unsigned int i = 0; i < nr_cpus; i++) {
            fake_cpu(i);
            while (softirq_pending()) {
                any = true;
                one_pass();
            }
        }
        if (!any && late_out) {
            tell_late();
            any = true;
        }
    }
}

static void machine(const char *policy, unsigned int cpus)
{
    fake_init_alloc(8192, cpus);
    cpu_online_map.bits = cpus == 64 ? ~0UL : (1UL << cpus) - 1;
    nr_cpus = cpus;
    nr_work = 0;
    late_out = NULL;
    be_late = false;
    memset(work, 0, sizeof(work));
    fake_now = 1000;
    assert_int_equal(sched_init(policy), 0);
    for (unsigned int i = 0; i < cpus; i++) {
        assert_int_equal(timer_init_cpu(i), 0);
        assert_int_equal(sched_init_cpu(i), 0);
    }
    srand(1);
}

static struct domain *new_domain(domid_t id, unsigned int vcpus, unsigned int weight,
                                 unsigned int cap)
{
    struct domain *d = fake_domain(id, id == 0, vcpus);

    fake_cpu(0);
    d->sched.cpus = cpu_online_map;
    sched_domain_init(d, weight, cap);
    for (unsigned int i = 0; i < vcpus; i++) {
        sched_vcpu_init(d->vcpu[i]);
        vcpu_init_timers(d->vcpu[i]);
        d->vcpu[i]->periodic_period = 0;
    }
    return d;
}

static s_time_t vary(const struct work *w, s_time_t t)
{
    return w->noisy ? t * (rand() % 2001) / 1000 + 1 : t;
}

/* Let @v begin with its work. */
static struct work *start(struct vcpu *v, s_time_t run, s_time_t sleep)
{
    struct work *w = &work[nr_work++];

    *w = (struct work){.v = v, .run = run, .sleep = sleep, .left = run};
    vcpu_wake(v);
    return w;
}

static struct work *hog(struct vcpu *v)
{
    return start(v, SECONDS(1000), 0);
}

static void block_on(unsigned int cpu, struct work *w)
{
    fake_cpu(cpu);
    w->v->info->evtchn_upcall_pending = 0;
    w->wake_at = fake_now + vary(w, w->sleep);
    assert_int_equal(do_sched_op(SCHEDOP_block, guest_ptr(0)), 0);
}

static s_time_t next_event(s_time_t end)
{
    s_time_t t = end;

    for (unsigned int i = 0; i < nr_cpus; i++) {
        struct work *w = work_of(pcpus[i].curr);

        t = min(t, fake_timer_deadline[i]);
        if (w)
            t = min(t, fake_now + w->left);
    }
    for (unsigned int i = 0; i < nr_work; i++)
        if (work[i].wake_at)
            t = min(t, work[i].wake_at);
    return max(t, fake_now);
}

static void advance(s_time_t t)
{
    for (unsigned int i = 0; i < nr_cpus; i++) {
        struct work *w = work_of(pcpus[i].curr);

        if (w) {
            w->ran += t - fake_now;
            w->left -= t - fake_now;
        }
    }
    fake_now = t;
}

static void happen(void)
{
    for (unsigned int i = 0; i < nr_cpus; i++) {
        struct work *w = work_of(pcpus[i].curr);

        if (fake_timer_deadline[i] <= fake_now) {
            fake_timer_deadline[i] = STIME_MAX;
            fake_cpu(i);
            softirq_raise(SOFTIRQ_TIMER);
        }
        if (w && w->left <= 0) {
            w->left = vary(w, w->run);
            if (w->sleep)
                block_on(i, w);
        }
    }
    for (unsigned int i = 0; i < nr_work; i++) {
        struct work *w = &work[i];

        if (!w->wake_at || w->wake_at > fake_now)
            continue;
        fake_cpu((unsigned int)rand() % nr_cpus);
        w->wake_at = 0;
        w->woken = fake_now;
        w->wakes++;
        w->v->info->evtchn_upcall_pending = 1;
        vcpu_kick(w->v);
    }
}

static void run_until(s_time_t end)
{
    settle();
    while (fake_now < end) {
        advance(next_event(end));
        happen();
        settle();
    }
}

static void run_for(s_time_t ns)
{
    run_until(fake_now + ns);
}

static void reset_account(void)
{
    for (unsigned int i = 0; i < nr_work; i++)
        work[i].ran = work[i].worst_wait = work[i].total_wait = work[i].wakes = 0;
}

/* @w got @share of @ns, up to @error of it. */
#define assert_share(w, share, ns, error)                                                          \
    do {                                                                                           \
        double got = (double)(w)->ran / (double)(ns), want = (share);                              \
        if (got < want * (1 - (error)) || got > want * (1 + (error)))                              \
            fail_msg("d%uv%u got %.4f of a pcpu, should have %.4f", (w)->v->domain->id,            \
                     (w)->v->id, got, want);                                                       \
    } while (0)

/* ---- fairness ---- */

static void test_equal_weights(void **state)
{
    (void)state;
    for (unsigned int cpus = 1; cpus <= 4; cpus++) {
        for (unsigned int n = cpus; n <= 2 * cpus + 1; n++) {
            machine("credit", cpus);
            for (unsigned int i = 0; i < n; i++)
                hog(new_domain((domid_t)i, 1, 256, 0)->vcpu[0]);
            run_for(SECONDS(2));
            for (unsigned int i = 0; i < n; i++)
                assert_share(&work[i], (double)cpus / n, SECONDS(2), 0.02);
        }
    }
}

static void test_weights_on_one_pcpu(void **state)
{
    static const unsigned int weights[] = {128, 256, 512, 1024, 2048};
    double sum = 128 + 256 + 512 + 1024 + 2048;

    (void)state;
    machine("credit", 1);
    for (unsigned int i = 0; i < 5; i++)
        hog(new_domain((domid_t)i, 1, weights[i], 0)->vcpu[0]);
    run_for(SECONDS(5));
    for (unsigned int i = 0; i < 5; i++)
        assert_share(&work[i], weights[i] / sum, SECONDS(5), 0.02);
}

static void test_extreme_weights(void **state)
{
    (void)state;
    machine("credit", 1);
    hog(new_domain(0, 1, 65535, 0)->vcpu[0]);
    hog(new_domain(1, 1, 256, 0)->vcpu[0]);
    run_for(SECONDS(20));
    assert_share(&work[0], 65535.0 / 65791, SECONDS(20), 0.02);
    assert_share(&work[1], 256.0 / 65791, SECONDS(20), 0.10);

    machine("credit", 1);
    hog(new_domain(0, 1, 256, 0)->vcpu[0]);
    hog(new_domain(1, 1, 1, 0)->vcpu[0]);
    run_for(SECONDS(20));
    assert_share(&work[1], 1.0 / 257, SECONDS(20), 0.15);
}

static void test_weights_on_several_pcpus(void **state)
{
    (void)state;
    machine("credit", 2);
    hog(new_domain(0, 1, 512, 0)->vcpu[0]);
    hog(new_domain(1, 1, 256, 0)->vcpu[0]);
    hog(new_domain(2, 1, 256, 0)->vcpu[0]);
    hog(new_domain(3, 1, 256, 0)->vcpu[0]);
    run_for(SECONDS(5));
    assert_share(&work[0], 2 * 512 / 1280.0, SECONDS(5), 0.03);
    for (unsigned int i = 1; i < 4; i++)
        assert_share(&work[i], 2 * 256 / 1280.0, SECONDS(5), 0.03);
}

/* More weight than one pcpu can serve: it gets the pcpu, the rest is shared by the others. And when the
 * others leave and come back there is no debt. */
static void test_weight_beyond_a_pcpu(void **state)
{
    struct domain *d;

    (void)state;
    machine("credit", 2);
    hog(new_domain(0, 1, 4096, 0)->vcpu[0]);
    hog(new_domain(1, 1, 256, 0)->vcpu[0]);
    hog(new_domain(2, 1, 256, 0)->vcpu[0]);
    run_for(SECONDS(5));
    assert_share(&work[0], 1.0, SECONDS(5), 0.02);
    assert_share(&work[1], 0.5, SECONDS(5), 0.03);
    assert_share(&work[2], 0.5, SECONDS(5), 0.03);

    for (unsigned int i = 0; i < 6; i++) {
        d = new_domain((domid_t)(3 + i), 1, 4096, 0);
        hog(d->vcpu[0]);
    }
    run_for(MS(500));
    reset_account();
    run_for(SECONDS(5));
    for (unsigned int i = 3; i < 9; i++)
        assert_share(&work[i], 2 * 4096.0 / (7 * 4096 + 512), SECONDS(5), 0.03);
    assert_share(&work[0], 2 * 4096.0 / (7 * 4096 + 512), SECONDS(5), 0.03);
}

static void pin(struct vcpu *v, uint64_t mask)
{
    assert_int_equal(sched_set_affinity(v, &(cpumask_t){mask}, NULL), 0);
}

/* Two groups that never meet, of different speed: weights hold within each. */
static void test_weights_among_pinned(void **state)
{
    (void)state;
    machine("credit", 2);
    for (unsigned int i = 0; i < 5; i++) {
        struct domain *d = new_domain((domid_t)i, 1, i == 4 || i == 0 ? 512 : 256, 0);

        pin(d->vcpu[0], i < 3 ? 1 : 2);
        hog(d->vcpu[0]);
    }
    run_for(SECONDS(10));
    assert_share(&work[0], 0.5, SECONDS(10), 0.02);
    assert_share(&work[1], 0.25, SECONDS(10), 0.02);
    assert_share(&work[2], 0.25, SECONDS(10), 0.02);
    assert_share(&work[3], 1.0 / 3, SECONDS(10), 0.02);
    assert_share(&work[4], 2.0 / 3, SECONDS(10), 0.02);

    /* A newcomer without a pin is at home on both at once. */
    hog(new_domain(5, 1, 256, 0)->vcpu[0]);
    run_for(MS(500));
    reset_account();
    run_for(SECONDS(5));
    assert_true(work[5].ran > SECONDS(5) / 5);
    for (unsigned int i = 0; i < 5; i++)
        assert_true(work[i].ran > SECONDS(5) / 6);
}

/* What happened long ago does not matter: one that had a pcpu for itself has no debt. */
static void test_no_old_debts(void **state)
{
    struct domain *d;

    (void)state;
    machine("credit", 1);
    hog(new_domain(0, 1, 256, 0)->vcpu[0]);
    run_for(SECONDS(100));
    d = new_domain(1, 1, 256, 0);
    reset_account();
    hog(d->vcpu[0]);
    run_for(MS(400));
    assert_share(&work[0], 0.5, MS(400), 0.10);
    assert_share(&work[1], 0.5, MS(400), 0.10);
}

/* ---- caps ---- */

static void test_cap_alone(void **state)
{
    static const unsigned int caps[] = {1, 10, 33, 50, 99};

    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(caps); i++) {
        machine("credit", 2);
        hog(new_domain(0, 1, 256, caps[i])->vcpu[0]);
        run_for(SECONDS(3));
        assert_share(&work[0], caps[i] / 100.0, SECONDS(3), 0.02);
    }
}

static void test_cap_over_vcpus(void **state)
{
    struct domain *d;

    (void)state;
    machine("credit", 4);
    d = new_domain(0, 3, 256, 150);
    for (unsigned int i = 0; i < 3; i++)
        hog(d->vcpu[i]);
    hog(new_domain(1, 1, 256, 0)->vcpu[0]);
    run_for(SECONDS(3));
    assert_true(work[0].ran + work[1].ran + work[2].ran < SECONDS(3) * 151 / 100);
    assert_true(work[0].ran + work[1].ran + work[2].ran > SECONDS(3) * 148 / 100);
    assert_share(&work[3], 1.0, SECONDS(3), 0.01);
}

static void test_cap_leaves_the_rest_to_others(void **state)
{
    (void)state;
    machine("credit", 1);
    hog(new_domain(0, 1, 2048, 20)->vcpu[0]);
    hog(new_domain(1, 1, 256, 0)->vcpu[0]);
    run_for(SECONDS(3));
    assert_share(&work[0], 0.2, SECONDS(3), 0.02);
    assert_share(&work[1], 0.8, SECONDS(3), 0.02);
}

static void test_cap_changes(void **state)
{
    struct domain *d;

    (void)state;
    machine("credit", 1);
    d = new_domain(0, 1, 256, 0);
    hog(d->vcpu[0]);
    run_for(SECONDS(1));
    assert_share(&work[0], 1.0, SECONDS(1), 0.01);
    fake_cpu(0);
    assert_int_equal(sched_domain_adjust(d, 256, 25), 0);
    run_for(MS(100));
    reset_account();
    run_for(SECONDS(1));
    assert_share(&work[0], 0.25, SECONDS(1), 0.02);
    assert_int_equal(sched_domain_adjust(d, 256, 0), 0);
    run_for(MS(1));
    reset_account();
    run_for(SECONDS(1));
    assert_share(&work[0], 1.0, SECONDS(1), 0.01);
    assert_int_equal(sched_domain_adjust(d, 0, 0), -EINVAL);
    assert_int_equal(sched_domain_adjust(d, 65536, 0), -EINVAL);
}

/* ---- sleeping and waking ---- */

/* A light sleeper among hogs is served at once, and gets all that it wants. */
static void test_wakeup_latency(void **state)
{
    struct work *w;

    (void)state;
    machine("credit", 2);
    for (unsigned int i = 0; i < 4; i++)
        hog(new_domain((domid_t)i, 1, 256, 0)->vcpu[0]);
    w = start(new_domain(4, 1, 256, 0)->vcpu[0], US(100), MS(3));
    run_for(SECONDS(3));
    assert_true(w->wakes > 900);
    assert_true(w->worst_wait <= MS(1));
    assert_true(w->total_wait / (s_time_t)w->wakes <= US(300));
}

static void test_idle_pcpu_takes_a_waker_at_once(void **state)
{
    struct work *w;

    (void)state;
    machine("credit", 2);
    hog(new_domain(0, 1, 256, 0)->vcpu[0]);
    w = start(new_domain(1, 1, 256, 0)->vcpu[0], MS(1), MS(1));
    run_for(SECONDS(1));
    assert_int_equal(w->worst_wait, 0);
    assert_share(&work[0], 1.0, SECONDS(1), 0.001);
}

/* To sleep just before the end of one's turn gains nothing. */
static void test_sleepers_do_not_gain(void **state)
{
    (void)state;
    machine("credit", 1);
    hog(new_domain(0, 1, 256, 0)->vcpu[0]);
    start(new_domain(1, 1, 256, 0)->vcpu[0], MS(9), US(50));
    start(new_domain(2, 1, 256, 0)->vcpu[0], US(400), US(10));
    run_for(SECONDS(5));
    for (unsigned int i = 0; i < 3; i++)
        assert_share(&work[i], 1.0 / 3, SECONDS(5), 0.03);
}

/* Many sleepers on few pcpus with late sched_switched_out(): nobody starves, all time is used. */
static void storm(const char *policy, unsigned int cpus, unsigned int vcpus, s_time_t run,
                  s_time_t sleep)
{
    s_time_t sum = 0, least = STIME_MAX;

    machine(policy, cpus);
    be_late = true;
    for (unsigned int i = 0; i < vcpus; i++) {
        struct work *w = start(new_domain((domid_t)i, 1, 256, 0)->vcpu[0], run, sleep);

        w->noisy = true;
    }
    run_for(SECONDS(1));
    for (unsigned int i = 0; i < vcpus; i++) {
        sum += work[i].ran;
        least = min(least, work[i].ran);
        if (work[i].worst_wait > MS(200))
            fail_msg("d%u waited %ld us", i, (long)work[i].worst_wait / 1000);
    }
    assert_true(least > sum / vcpus / 2);
    if (run * vcpus > 3 * (run + sleep) * cpus)
        assert_true(sum > SECONDS(1) * cpus * 98 / 100);
}

static void test_storms(void **state)
{
    (void)state;
    storm("credit", 1, 20, US(50), US(100));
    storm("credit", 4, 40, US(30), US(300));
    storm("credit", 4, 30, MS(3), MS(1));
    storm("credit", 8, 8, US(100), US(100));
    storm("credit", 40, 100, US(200), US(200)); /* three queues */
    storm("null", 8, 8, US(50), US(50));
}

/* ---- where ---- */

static void test_pins_hold(void **state)
{
    (void)state;
    machine("credit", 4);
    be_late = true;
    for (unsigned int i = 0; i < 10; i++)
        hog(new_domain((domid_t)i, 1, 256, 0)->vcpu[0]);
    for (unsigned int round = 0; round < 300; round++) {
        struct vcpu *v = work[rand() % 10].v;

        fake_cpu((unsigned int)rand() % 4);
        if (rand() % 4)
            pin(v, 1 + (uint64_t)(rand() % 15));
        run_for(US(rand() % 3000));
        for (unsigned int i = 0; i < 4; i++) /* also checked at each switch */
            assert_true(vcpu_may_run_on(pcpus[i].curr, i));
    }
    for (unsigned int i = 0; i < 10; i++)
        assert_true(work[i].ran > 0);
}

static void test_affinity_errors(void **state)
{
    struct vcpu *v;
    cpumask_t none = CPUMASK_NONE, absent = {0xf0};

    (void)state;
    machine("credit", 2);
    v = new_domain(0, 1, 256, 0)->vcpu[0];
    assert_int_equal(sched_set_affinity(v, &none, NULL), -EINVAL);
    assert_int_equal(sched_set_affinity(v, &absent, NULL), -EINVAL);
    assert_int_equal(sched_set_affinity(v, NULL, &none), -EINVAL);
    assert_int_equal(sched_override_affinity(v, -1), -EINVAL);
    assert_int_equal(sched_override_affinity(v, 2), -EINVAL);
    assert_int_equal(sched_override_affinity(v, 10000), -EINVAL);
    assert_int_equal(sched_override_affinity(v, 1), 0);
    assert_int_equal(sched_override_affinity(v, 1), -EBUSY);
    assert_int_equal(sched_override_affinity(v, 0), -EBUSY);
    assert_int_equal(sched_set_affinity(v, &(cpumask_t){1}, NULL), -EBUSY);
    assert_int_equal(v->sched.hard.bits, 2);
    assert_int_equal(sched_override_affinity(v, -5), 0);
    assert_int_equal(v->sched.hard.bits, ~0UL);
}

/* Domains are moved to other pcpus at any moment; whoever runs does so where he may (checked at each switch,
 * too), and in the end, with everything free to go anywhere, everybody runs. */
static void pools(const char *policy, unsigned int vcpus)
{
    machine(policy, 4);
    be_late = true;
    for (unsigned int i = 0; i < vcpus; i++)
        start(new_domain((domid_t)i, 1, 256, 0)->vcpu[0], US(300), US(30))->noisy = true;
    for (unsigned int round = 0; round < 1000; round++) {
        struct vcpu *v = work[rand() % (int)vcpus].v;
        cpumask_t cpus = {1 + (uint64_t)(rand() % 15)};

        fake_cpu((unsigned int)rand() % 4);
        if (rand() % 2)
            sched_domain_confine(v->domain, cpus, rand() % 4 == 0);
        else if (sched_set_affinity(v, &cpus, NULL))
            assert_true(cpumask_empty(cpumask_and(cpus, v->domain->sched.cpus)));
        assert_int_equal(v->sched.allowed.bits, v->sched.hard.bits & v->domain->sched.cpus.bits);
        assert_false(cpumask_empty(v->sched.allowed));
        run_for(US(rand() % 2000));
        for (unsigned int i = 0; i < 4; i++)
            assert_true(pcpus[i].curr->domain->is_idle || vcpu_may_run_on(pcpus[i].curr, i));
    }
    for (unsigned int i = 0; i < vcpus; i++)
        sched_domain_confine(work[i].v->domain, cpu_online_map, true);
    run_for(MS(10));
    reset_account();
    run_for(MS(200));
    for (unsigned int i = 0; i < vcpus; i++)
        assert_true(work[i].ran > MS(200) * 4 / vcpus / 4);
}

/* Who had a pcpu for himself for long, and comes to where several share one, waits no longer than they do. */
static void test_debts_stay_behind(void **state)
{
    (void)state;
    machine("credit", 2);
    for (unsigned int i = 0; i < 4; i++) {
        hog(new_domain((domid_t)i, 1, 256, 0)->vcpu[0]);
        pin(work[i].v, i ? 1 : 2);
    }
    run_for(SECONDS(10));
    sched_domain_confine(work[0].v->domain, (cpumask_t){1}, false);
    run_for(MS(200));
    reset_account();
    run_for(SECONDS(1));
    for (unsigned int i = 0; i < 4; i++)
        assert_share(&work[i], 0.25, SECONDS(1), 0.1);
}

/* A vcpu that is pinned to a pcpu which its domain loses. */
static void test_lost_pcpu(void **state)
{
    struct vcpu *v;

    (void)state;
    machine("credit", 4);
    v = new_domain(0, 1, 256, 0)->vcpu[0];
    pin(v, 2);
    assert_int_equal(sched_override_affinity(v, 1), 0);
    sched_domain_confine(v->domain, (cpumask_t){0xd}, false);
    assert_int_equal(v->sched.hard.bits, ~0UL);
    assert_int_equal(v->sched.allowed.bits, 0xd);
    assert_int_equal(sched_override_affinity(v, -1), -EINVAL);
    assert_int_equal(sched_override_affinity(v, 1), -EINVAL);
    pin(v, 0xc);
    sched_domain_confine(v->domain, (cpumask_t){6}, false);
    assert_int_equal(v->sched.hard.bits, 0xc);
    assert_int_equal(v->sched.allowed.bits, 4);
    sched_domain_confine(v->domain, (cpumask_t){7}, true);
    assert_int_equal(v->sched.allowed.bits, 7);
    pin(v, 2); /* lost while it is overridden: it does not come back */
    assert_int_equal(sched_override_affinity(v, 0), 0);
    sched_domain_confine(v->domain, (cpumask_t){5}, false);
    assert_int_equal(v->sched.allowed.bits, 1);
    assert_int_equal(sched_override_affinity(v, -1), 0);
    assert_int_equal(v->sched.allowed.bits, 5);
}

static void test_pools(void **state)
{
    (void)state;
    pools("credit", 10);
    pools("null", 4);
}

static void test_soft_affinity_is_preferred(void **state)
{
    struct vcpu *v;

    (void)state;
    machine("credit", 4);
    v = new_domain(0, 1, 256, 0)->vcpu[0];
    assert_int_equal(sched_set_affinity(v, NULL, &(cpumask_t){4}), 0);
    start(v, US(100), US(100));
    run_for(MS(10));
    for (unsigned int i = 0; i < 100; i++) {
        run_for(US(70));
        if (pcpus[2].curr != v)
            assert_false(v->sched.on_cpu);
    }
}

/* More pcpus than one queue serves: the surplus of one is taken over by another. */
static void test_queues_are_balanced(void **state)
{
    unsigned int n = 48;

    (void)state;
    machine("credit", 32);
    for (unsigned int i = 0; i < n; i++) {
        struct domain *d = new_domain((domid_t)i, 1, 256, 0);

        pin(d->vcpu[0], 0xffff);
        hog(d->vcpu[0]);
    }
    run_for(MS(100));
    for (unsigned int i = 0; i < n; i++)
        pin(work[i].v, ~0UL);
    run_for(MS(500));
    reset_account();
    run_for(SECONDS(2));
    for (unsigned int i = 0; i < n; i++)
        assert_share(&work[i], 32.0 / n, SECONDS(2), 0.15);
}

/* ---- yield, pause, block ---- */

static void test_yield_lets_others_run(void **state)
{
    struct vcpu *a, *b;

    (void)state;
    machine("credit", 1);
    a = new_domain(0, 1, 256, 0)->vcpu[0];
    hog(a);
    run_for(MS(1));
    fake_cpu(0);
    assert_int_equal(do_sched_op(SCHEDOP_yield, guest_ptr(0)), 0);
    settle();
    assert_ptr_equal(pcpus[0].curr, a); /* nobody else */
    b = new_domain(1, 1, 256, 0)->vcpu[0];
    hog(b);
    run_for(US(100));
    for (unsigned int i = 0; i < 20; i++) {
        struct vcpu *was = pcpus[0].curr;

        fake_cpu(0);
        do_sched_op(SCHEDOP_yield, guest_ptr(0));
        settle();
        assert_ptr_not_equal(pcpus[0].curr, was);
        run_for(US(20));
    }
}

static void test_block_does_not_miss_events(void **state)
{
    struct vcpu *v;

    (void)state;
    machine("credit", 1);
    v = new_domain(0, 1, 256, 0)->vcpu[0];
    hog(v);
    settle();
    assert_ptr_equal(current, v);
    v->info->evtchn_upcall_mask = 1;
    v->info->evtchn_upcall_pending = 1;
    assert_int_equal(do_sched_op(SCHEDOP_block, guest_ptr(0)), 0);
    assert_int_equal(v->info->evtchn_upcall_mask, 0);
    assert_true(vcpu_runnable(v));
    settle();
    assert_ptr_equal(current, v);
    v->info->evtchn_upcall_pending = 0;
    do_sched_op_compat(SCHEDOP_block, 0);
    assert_false(vcpu_runnable(v));
    /* The event is faster than the switch. */
    vcpu_kick(v);
    settle();
    assert_ptr_equal(current, v);
    do_sched_op(SCHEDOP_block, guest_ptr(0));
    settle();
    assert_true(current->domain->is_idle);
    vcpu_kick(v);
    settle();
    assert_ptr_equal(current, v);
}

static void test_pause_stops_and_counts(void **state)
{
    struct domain *d;

    (void)state;
    machine("credit", 2);
    d = new_domain(0, 2, 256, 0);
    hog(d->vcpu[0]);
    hog(d->vcpu[1]);
    run_for(MS(5));
    domain_pause_nosync(d);
    vcpu_pause_nosync(d->vcpu[1]);
    settle();
    reset_account();
    run_for(MS(5));
    assert_int_equal(work[0].ran + work[1].ran, 0);
    assert_int_equal(d->vcpu[0]->runstate.state, RUNSTATE_offline);
    domain_unpause(d);
    run_for(MS(5));
    assert_int_equal(work[0].ran, MS(5));
    assert_int_equal(work[1].ran, 0);
    vcpu_unpause(d->vcpu[1]);
    run_for(MS(5));
    assert_int_equal(work[1].ran, MS(5));
}

/* Unblocked while it is paused: offline, and runs when the pause ends. */
static void test_paused_and_blocked(void **state)
{
    struct vcpu *v;

    (void)state;
    machine("credit", 1);
    v = new_domain(0, 1, 256, 0)->vcpu[0];
    start(v, MS(1), MS(2));
    run_for(US(1500));
    assert_int_equal(v->runstate.state, RUNSTATE_blocked);
    vcpu_pause_nosync(v);
    assert_int_equal(v->runstate.state, RUNSTATE_blocked);
    run_for(MS(5));
    assert_int_equal(v->runstate.state, RUNSTATE_offline);
    vcpu_unpause(v);
    settle();
    assert_int_equal(v->runstate.state, RUNSTATE_running);
}

/* ---- runstate ---- */

static void test_runstates_add_up(void **state)
{
    struct vcpu_runstate_info r, area = {0};
    s_time_t begin;

    (void)state;
    machine("credit", 1);
    start(new_domain(0, 1, 256, 0)->vcpu[0], MS(2), MS(3));
    hog(new_domain(1, 1, 256, 0)->vcpu[0]);
    begin = 1000;
    work[0].v->runstate_guest = guest_ptr((uintptr_t)&area);
    run_for(SECONDS(1));
    for (unsigned int i = 0; i < 2; i++) {
        uint64_t sum = 0;

        vcpu_runstate_get(work[i].v, &r);
        for (unsigned int s = 0; s < 4; s++)
            sum += r.time[s];
        assert_int_equal(sum, fake_now - begin);
        assert_int_equal(r.time[RUNSTATE_running], work[i].ran);
    }
    assert_true(area.state_entry_time > (uint64_t)SECONDS(1) - MS(10));
    assert_true(area.time[RUNSTATE_running] > 0 && area.time[RUNSTATE_blocked] > 0);
    assert_int_equal(sched_idle_time(0) + work[0].ran + work[1].ran, fake_now - begin);
}

static struct vcpu_runstate_info *watched;
static unsigned int torn;

static void watch_area(uintptr_t va, size_t n, bool to_guest)
{
    if (to_guest && va >= (uintptr_t)watched && va < (uintptr_t)(watched + 1) &&
        n == sizeof(*watched) && !(watched->state_entry_time & XEN_RUNSTATE_UPDATE))
        torn++;
}

static void test_runstate_update_flag(void **state)
{
    struct vcpu_runstate_info area = {0};
    struct vcpu *v;

    (void)state;
    machine("credit", 1);
    v = new_domain(0, 1, 256, 0)->vcpu[0];
    v->runstate_guest = guest_ptr((uintptr_t)&area);
    v->domain->vm_assist = 1UL << VMASST_TYPE_runstate_update_flag;
    watched = &area;
    torn = 0;
    fake_copy_hook = watch_area;
    start(v, MS(1), MS(1));
    run_for(MS(100));
    assert_int_equal(torn, 0);
    assert_false(area.state_entry_time & XEN_RUNSTATE_UPDATE);
    assert_true(area.time[RUNSTATE_blocked] > (uint64_t)MS(40));
    v->runstate_guest = guest_ptr(8); /* not mapped: nothing happens */
    run_for(MS(10));
}

/* ---- null ---- */

static void test_null_gives_each_a_pcpu(void **state)
{
    (void)state;
    machine("null", 3);
    assert_int_equal(sched_policy()->id, 9);
    for (unsigned int i = 0; i < 4; i++)
        hog(new_domain((domid_t)i, 1, 256, 0)->vcpu[0]);
    run_for(SECONDS(1));
    for (unsigned int i = 0; i < 3; i++)
        assert_share(&work[i], 1.0, SECONDS(1), 0.001);
    assert_int_equal(work[3].ran, 0);
    /* One goes down: the waiting one takes over. */
    set_bit(VPF_DOWN, &work[1].v->pause_flags);
    vcpu_sleep_nosync(work[1].v);
    reset_account();
    run_for(SECONDS(1));
    assert_int_equal(work[1].ran, 0);
    assert_share(&work[3], 1.0, SECONDS(1), 0.001);
    /* It comes back and waits; another one leaves for good. */
    clear_bit(VPF_DOWN, &work[1].v->pause_flags);
    vcpu_wake(work[1].v);
    run_for(MS(1));
    vcpu_pause_nosync(work[0].v);
    settle();
    sched_vcpu_destroy(work[0].v);
    reset_account();
    run_for(SECONDS(1));
    assert_share(&work[1], 1.0, SECONDS(1), 0.001);
}

static void test_null_pins(void **state)
{
    (void)state;
    machine("null", 4);
    be_late = true;
    for (unsigned int i = 0; i < 4; i++)
        hog(new_domain((domid_t)i, 1, 256, 0)->vcpu[0]);
    for (unsigned int round = 0; round < 200; round++) {
        fake_cpu((unsigned int)rand() % 4);
        pin(work[rand() % 4].v, 1 + (uint64_t)(rand() % 15));
        run_for(US(rand() % 300));
    }
    for (unsigned int i = 0; i < 4; i++)
        pin(work[i].v, 1UL << (i + 1) % 4);
    run_for(MS(1));
    reset_account();
    run_for(MS(10));
    for (unsigned int i = 0; i < 4; i++)
        assert_int_equal(work[i].ran, MS(10));
}

/* One that can go elsewhere makes room for one that can not. */
static void test_null_makes_room(void **state)
{
    (void)state;
    machine("null", 3);
    hog(new_domain(0, 1, 256, 0)->vcpu[0]);
    hog(new_domain(1, 1, 256, 0)->vcpu[0]);
    run_for(MS(1));
    for (unsigned int i = 0; i < 20; i++) {
        pin(work[0].v, 1UL << (i % 3));
        run_for(US(10));
        reset_account();
        run_for(MS(1));
        assert_int_equal(work[0].ran, MS(1));
        assert_int_equal(work[1].ran, MS(1));
        pin(work[0].v, ~0UL);
    }
}

static void test_unknown_policy(void **state)
{
    (void)state;
    fake_init_alloc(1024, 1);
    assert_int_equal(sched_init("lottery"), -ENOENT);
    assert_int_equal(sched_policy()->id, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_weights),
        cmocka_unit_test(test_weights_on_one_pcpu),
        cmocka_unit_test(test_extreme_weights),
        cmocka_unit_test(test_weights_on_several_pcpus),
        cmocka_unit_test(test_weight_beyond_a_pcpu),
        cmocka_unit_test(test_weights_among_pinned),
        cmocka_unit_test(test_no_old_debts),
        cmocka_unit_test(test_cap_alone),
        cmocka_unit_test(test_cap_over_vcpus),
        cmocka_unit_test(test_cap_leaves_the_rest_to_others),
        cmocka_unit_test(test_cap_changes),
        cmocka_unit_test(test_wakeup_latency),
        cmocka_unit_test(test_idle_pcpu_takes_a_waker_at_once),
        cmocka_unit_test(test_sleepers_do_not_gain),
        cmocka_unit_test(test_storms),
        cmocka_unit_test(test_pins_hold),
        cmocka_unit_test(test_affinity_errors),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_lost_pcpu),
        cmocka_unit_test(test_debts_stay_behind),
        cmocka_unit_test(test_soft_affinity_is_preferred),
        cmocka_unit_test(test_queues_are_balanced),
        cmocka_unit_test(test_yield_lets_others_run),
        cmocka_unit_test(test_block_does_not_miss_events),
        cmocka_unit_test(test_pause_stops_and_counts),
        cmocka_unit_test(test_paused_and_blocked),
        cmocka_unit_test(test_runstates_add_up),
        cmocka_unit_test(test_runstate_update_flag),
        cmocka_unit_test(test_null_gives_each_a_pcpu),
        cmocka_unit_test(test_null_pins),
        cmocka_unit_test(test_null_makes_room),
        cmocka_unit_test(test_unknown_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
